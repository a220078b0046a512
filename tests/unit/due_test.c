/* SPDX-License-Identifier: Apache-2.0 */
/* The heap of overdue jobs: order, coalescing, and several threads at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/rand.h"
#include "controller/due.h"

#define THREADS 4
#define PER_THREAD 500

static void takes_in_order_of_latest_start(void **state)
{
	struct due *d = due_new();
	char key[OBJECT_KEY_MAX];
	uint64_t seed = 7;
	int64_t at, before = INT64_MIN;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "ns/job-%d", i);
		due_add(d, (int64_t)(rand_next(&seed) % 300), name);
	}
	assert_int_equal(due_len(d), 1000);
	for (int i = 0; i < 1000; i++) {
		assert_true(due_take(d, &at, key));
		assert_true(at >= before);
		before = at;
	}
	assert_false(due_take(d, &at, key));
	due_free(d);
}

static void ties_go_by_key_and_twins_coalesce(void **state)
{
	struct due *d = due_new();
	char key[OBJECT_KEY_MAX];
	int64_t at;

	(void)state;
	due_add(d, 5, "ns/b");
	due_add(d, 5, "ns/a");
	due_add(d, 1, "ns/b");
	assert_int_equal(due_len(d), 2);
	assert_true(due_take(d, &at, key));
	assert_string_equal(key, "ns/a");
	assert_true(due_take(d, &at, key));
	assert_string_equal(key, "ns/b");
	/* Taken, it may be added anew. */
	due_add(d, 9, "ns/b");
	assert_int_equal(due_len(d), 1);
	due_free(d);
}

struct adder {
	struct due *due;
	int number;
};

static void *add_many(void *arg)
{
	const struct adder *a = arg;

	for (int i = 0; i < PER_THREAD; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "ns/%d-%d", a->number, i);
		due_add(a->due, i, name);
	}
	return NULL;
}

static void nothing_is_lost_between_threads(void **state)
{
	struct due *d = due_new();
	struct adder adders[THREADS];
	pthread_t threads[THREADS];
	char key[OBJECT_KEY_MAX];
	int64_t at;
	int taken = 0;

	(void)state;
	for (int i = 0; i < THREADS; i++) {
		adders[i] = (struct adder){ d, i };
		assert_int_equal(pthread_create(&threads[i], NULL, add_many, &adders[i]), 0);
	}
	while (taken < THREADS * PER_THREAD)
		taken += due_take(d, &at, key);
	for (int i = 0; i < THREADS; i++)
		(void)pthread_join(threads[i], NULL);
	assert_int_equal(due_len(d), 0);
	due_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_in_order_of_latest_start),
		cmocka_unit_test(ties_go_by_key_and_twins_coalesce),
		cmocka_unit_test(nothing_is_lost_between_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
