/* SPDX-License-Identifier: Apache-2.0 */
/* pkg/k8s/workqueue: one worker per key, coalescing, delays, backoff, shutdown; and all of it from many threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/clock.h"
#include "k8s/workqueue.h"

static struct workqueue *new_queue(void)
{
	return workqueue_new(&(struct workqueue_options){ .name = "test", .max = 1000, .qps = 1e6, .burst = 1000 });
}

static void assert_next(struct workqueue *q, const char *expected)
{
	char key[OBJECT_KEY_MAX];

	assert_true(workqueue_get(q, key));
	assert_string_equal(key, expected);
}

static void adds_coalesce_and_keep_their_order(void **state)
{
	(void)state;
	struct workqueue *q = new_queue();

	assert_true(workqueue_add(q, "a"));
	assert_true(workqueue_add(q, "b"));
	assert_true(workqueue_add(q, "a"));
	assert_int_equal(workqueue_len(q), 2);
	assert_next(q, "a");
	assert_next(q, "b");
	assert_int_equal(workqueue_len(q), 0);
	workqueue_done(q, "a");
	workqueue_done(q, "b");
	workqueue_shutdown(q);
	workqueue_free(q);
}

static void a_key_added_while_in_work_runs_once_more_afterwards(void **state)
{
	(void)state;
	struct workqueue *q = new_queue();

	(void)workqueue_add(q, "a");
	assert_next(q, "a");
	(void)workqueue_add(q, "a");
	(void)workqueue_add(q, "a");
	assert_int_equal(workqueue_len(q), 0);
	workqueue_done(q, "a");
	assert_int_equal(workqueue_len(q), 1);
	assert_next(q, "a");
	workqueue_done(q, "a");
	assert_int_equal(workqueue_len(q), 0);
	workqueue_shutdown(q);
	workqueue_free(q);
}

static void delayed_keys_come_in_the_order_of_their_times(void **state)
{
	(void)state;
	struct workqueue *q = new_queue();
	int64_t start = clock_mono_ms();

	(void)workqueue_add_after(q, "late", 60);
	(void)workqueue_add_after(q, "early", 20);
	(void)workqueue_add_after(q, "middle", 40);
	(void)workqueue_add(q, "now");
	assert_next(q, "now");
	assert_next(q, "early");
	assert_true(clock_mono_ms() - start >= 19);
	assert_next(q, "middle");
	assert_next(q, "late");
	assert_true(clock_mono_ms() - start >= 59);
	workqueue_shutdown_now(q);
	workqueue_free(q);
}

static void the_earlier_of_two_delays_wins_and_an_add_overtakes(void **state)
{
	(void)state;
	struct workqueue *q = new_queue();
	int64_t start = clock_mono_ms();

	(void)workqueue_add_after(q, "a", 60000);
	(void)workqueue_add_after(q, "a", 20);
	(void)workqueue_add_after(q, "a", 90000);
	assert_next(q, "a");
	assert_true(clock_mono_ms() - start < 5000);
	workqueue_done(q, "a");

	(void)workqueue_add_after(q, "b", 60000);
	(void)workqueue_add(q, "b");
	assert_next(q, "b");
	workqueue_done(q, "b");
	assert_true(workqueue_wait_idle(q, 0));
	workqueue_shutdown(q);
	workqueue_free(q);
}

static void the_heap_stays_sorted(void **state)
{
	(void)state;
	struct workqueue *q = new_queue();
	char key[OBJECT_KEY_MAX];
	int last = -1;

	for (int i = 0; i < 200; i++) {
		int delay = 30 + (i * 37) % 100;

		(void)snprintf(key, sizeof(key), "%03d", delay * 2);
		(void)workqueue_add_after(q, key, 10000);
		(void)workqueue_add_after(q, key, delay * 2);
	}
	for (int i = 0; i < 100; i++) {
		assert_true(workqueue_get(q, key));
		int delay = (int)strtol(key, NULL, 10);
		/* Neighbours of 2 ms may have been added a moment apart. */
		assert_true(delay >= last - 8);
		last = delay;
		workqueue_done(q, key);
	}
	workqueue_shutdown(q);
	workqueue_free(q);
}

static void failures_double_the_delay_until_forgotten(void **state)
{
	(void)state;
	struct workqueue *q = workqueue_new(&(struct workqueue_options){
		.name = "test", .base_delay_ms = 10, .max_delay_ms = 40, .qps = 1e6, .burst = 1000 });
	static const int64_t expected[] = { 10, 20, 40, 40 };

	for (int i = 0; i < 4; i++) {
		int64_t start = clock_mono_ms();

		(void)workqueue_add_rate_limited(q, "a");
		assert_next(q, "a");
		assert_true(clock_mono_ms() - start >= expected[i] - 1);
		assert_int_equal(workqueue_retries(q, "a"), i + 1);
		workqueue_done(q, "a");
	}
	workqueue_forget(q, "a");
	assert_int_equal(workqueue_retries(q, "a"), 0);
	workqueue_shutdown(q);
	workqueue_free(q);
}

static void the_shared_bucket_holds_back_a_flood_of_failures(void **state)
{
	(void)state;
	struct workqueue *q = workqueue_new(
		&(struct workqueue_options){ .name = "test", .base_delay_ms = 1, .qps = 100, .burst = 2 });
	int64_t start = clock_mono_ms();
	char key[OBJECT_KEY_MAX];

	for (int i = 0; i < 10; i++) {
		(void)snprintf(key, sizeof(key), "k%d", i);
		(void)workqueue_add_rate_limited(q, key);
	}
	for (int i = 0; i < 10; i++)
		assert_true(workqueue_get(q, key));
	/* Two of the burst, then one every 10 ms. */
	assert_true(clock_mono_ms() - start >= 75);
	workqueue_shutdown_now(q);
	workqueue_free(q);
}

static void refuses_what_does_not_fit(void **state)
{
	(void)state;
	struct workqueue *q = workqueue_new(&(struct workqueue_options){ .name = "test", .max = 2 });
	char long_key[OBJECT_KEY_MAX + 1];

	memset(long_key, 'x', sizeof(long_key) - 1);
	long_key[sizeof(long_key) - 1] = '\0';
	assert_false(workqueue_add(q, long_key));
	assert_false(workqueue_add(q, ""));
	assert_true(workqueue_add(q, "a"));
	assert_true(workqueue_add_after(q, "b", 1000));
	assert_false(workqueue_add(q, "c"));
	assert_true(workqueue_add(q, "a"));
	workqueue_shutdown(q);
	assert_false(workqueue_add(q, "a"));
	workqueue_free(q);
}

static void shutdown_drains_what_waits_and_drops_what_is_delayed(void **state)
{
	(void)state;
	struct workqueue *q = new_queue();
	char key[OBJECT_KEY_MAX];

	(void)workqueue_add(q, "a");
	(void)workqueue_add_after(q, "later", 1);
	workqueue_shutdown(q);
	assert_next(q, "a");
	assert_false(workqueue_wait_idle(q, 5));
	workqueue_done(q, "a");
	assert_true(workqueue_wait_idle(q, 5));
	assert_false(workqueue_get(q, key));
	workqueue_free(q);
}

struct crowd {
	struct workqueue *q;
	_Atomic(int) busy[50]; /* workers in each key */
	_Atomic(int) runs;
	_Atomic(int) clashes;
};

static void *worker(void *arg)
{
	struct crowd *c = arg;
	char key[OBJECT_KEY_MAX];

	while (workqueue_get(c->q, key)) {
		int n = (int)strtol(key, NULL, 10);

		if (atomic_fetch_add(&c->busy[n], 1) != 0)
			atomic_fetch_add(&c->clashes, 1);
		int run = atomic_fetch_add(&c->runs, 1);
		if (run % 7 == 0)
			(void)workqueue_add_rate_limited(c->q, key);
		else if (run % 5 == 0)
			(void)workqueue_add_after(c->q, key, 1 + run % 3);
		else
			workqueue_forget(c->q, key);
		atomic_fetch_sub(&c->busy[n], 1);
		workqueue_done(c->q, key);
	}
	return NULL;
}

static void *producer(void *arg)
{
	struct crowd *c = arg;
	char key[16];

	for (int i = 0; i < 4000; i++) {
		(void)snprintf(key, sizeof(key), "%d", i * 31 % 50);
		if (i % 3)
			(void)workqueue_add(c->q, key);
		else
			(void)workqueue_add_after(c->q, key, i % 4);
	}
	return NULL;
}

static void no_key_is_ever_in_two_hands(void **state)
{
	(void)state;
	static struct crowd c;
	pthread_t threads[6];

	c.q = new_queue();
	for (int i = 0; i < 6; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, i < 4 ? worker : producer, &c), 0);
	(void)pthread_join(threads[4], NULL);
	(void)pthread_join(threads[5], NULL);
	workqueue_shutdown(c.q);
	assert_true(workqueue_wait_idle(c.q, 20000));
	for (int i = 0; i < 4; i++)
		(void)pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&c.clashes), 0);
	assert_true(atomic_load(&c.runs) >= 50);
	workqueue_free(c.q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adds_coalesce_and_keep_their_order),
		cmocka_unit_test(a_key_added_while_in_work_runs_once_more_afterwards),
		cmocka_unit_test(delayed_keys_come_in_the_order_of_their_times),
		cmocka_unit_test(the_earlier_of_two_delays_wins_and_an_add_overtakes),
		cmocka_unit_test(the_heap_stays_sorted),
		cmocka_unit_test(failures_double_the_delay_until_forgotten),
		cmocka_unit_test(the_shared_bucket_holds_back_a_flood_of_failures),
		cmocka_unit_test(refuses_what_does_not_fit),
		cmocka_unit_test(shutdown_drains_what_waits_and_drops_what_is_delayed),
		cmocka_unit_test(no_key_is_ever_in_two_hands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
