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
	struct due_turn t;
	uint64_t seed = 7;
	int64_t before = INT64_MIN;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "ns/job-%d", i);
		due_add(d, (int64_t)(rand_next(&seed) % 300), name);
	}
	assert_int_equal(due_len(d), 1000);
	for (int i = 0; i < 1000; i++) {
		assert_true(due_take(d, &t));
		assert_true(t.latest_start_ms >= before);
		before = t.latest_start_ms;
		due_done(d, &t);
	}
	assert_false(due_take(d, &t));
	due_free(d);
}

static void ties_go_by_key_and_twins_coalesce(void **state)
{
	struct due *d = due_new();
	struct due_turn t;

	(void)state;
	due_add(d, 5, "ns/b");
	due_add(d, 5, "ns/a");
	due_add(d, 1, "ns/b");
	assert_int_equal(due_len(d), 2);
	assert_true(due_take(d, &t));
	assert_string_equal(t.key, "ns/a");
	assert_true(due_take(d, &t));
	assert_string_equal(t.key, "ns/b");
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
	struct due_turn t;
	int taken = 0;

	(void)state;
	for (int i = 0; i < THREADS; i++) {
		adders[i] = (struct adder){ d, i };
		assert_int_equal(pthread_create(&threads[i], NULL, add_many, &adders[i]), 0);
	}
	while (taken < THREADS * PER_THREAD) {
		if (due_take(d, &t)) {
			due_done(d, &t);
			taken++;
		}
	}
	for (int i = 0; i < THREADS; i++)
		(void)pthread_join(threads[i], NULL);
	assert_int_equal(due_len(d), 0);
	due_free(d);
}

struct release_log {
	struct due *due;
	int64_t order[THREADS * PER_THREAD];
	int n;
};

/* As the workers do it: some work at the same time, then the turn, then the release; some jobs need none. */
static void *take_many(void *arg)
{
	struct release_log *log = arg;
	struct due_turn t;

	while (due_take(log->due, &t)) {
		for (volatile int i = 0; i < t.latest_start_ms % 7 * 1000; i++)
			;
		if (t.latest_start_ms % 5) {
			due_wait(log->due, &t);
			log->order[log->n++] = t.latest_start_ms; /* nobody else has the turn: no lock */
		}
		due_done(log->due, &t);
	}
	return NULL;
}

static void turns_pass_in_order(void **state)
{
	static struct release_log log;
	pthread_t threads[DUE_WORKERS];
	char name[32];

	(void)state;
	log.due = due_new();
	for (int i = 0; i < THREADS * PER_THREAD; i++) {
		(void)snprintf(name, sizeof(name), "ns/%d", i);
		due_add(log.due, i, name);
	}
	for (int i = 0; i < DUE_WORKERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_many, &log), 0);
	for (int i = 0; i < DUE_WORKERS; i++)
		(void)pthread_join(threads[i], NULL);
	assert_int_equal(log.n, THREADS * PER_THREAD * 4 / 5);
	for (int i = 1; i < log.n; i++)
		assert_true(log.order[i] > log.order[i - 1]);
	due_free(log.due);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_in_order_of_latest_start),
		cmocka_unit_test(ties_go_by_key_and_twins_coalesce),
		cmocka_unit_test(nothing_is_lost_between_threads),
		cmocka_unit_test(turns_pass_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
