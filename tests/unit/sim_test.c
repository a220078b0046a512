/* SPDX-License-Identifier: Apache-2.0 */
/* Signals, jobs, queues, beliefs, accounts and bounds of the simulator, each on a small world worked out by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/rand.h"
#include "sim/account.h"
#include "sim/block.h"
#include "sim/policy.h"

static char path[64];

static const char *file(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
	return path;
}

static void load(struct signals *s)
{
	struct error err = ERROR_INIT;

	assert_int_equal(signals_load(s,
				      file("time_utc,zone,carbon_g_per_kwh,price_per_mwh\n"
					   "2023-01-01T00:00Z,a,100,10\n2023-01-01T01:00Z,a,50,\n"
					   "2023-01-01T02:00Z,a,-20,30\n2023-01-01T03:00Z,a,80,40\n"
					   "2023-01-01T01:00Z,b,10,1\n2023-01-01T02:00Z,b,20,2\n"),
				      &err),
			 0);
}

static void test_signals(void **state)
{
	struct error err = ERROR_INIT;
	struct signals s, half, two;
	double v = 0;
	int64_t t;

	(void)state;
	load(&s);
	t = s.start_ms;
	assert_true(s.n == 4 && s.n_zones == 2 && s.step_ms == HOUR_MS && signals_zone(&s, STR("b")) == 1);
	assert_true(signals_integral(&s, 0, SIGNAL_CARBON, t + HOUR_MS / 2, t + 5 * HOUR_MS / 2, &v));
	assert_true(fabs(v - (50 + 50 - 10)) < 1e-9);
	assert_false(signals_integral(&s, 0, SIGNAL_PRICE, t + HOUR_MS / 2, t + 5 * HOUR_MS / 2, &v)); /* unknown */
	assert_false(signals_integral(&s, 1, SIGNAL_CARBON, t, t + HOUR_MS, &v));                      /* not yet */
	assert_false(signals_integral(&s, 0, SIGNAL_CARBON, t, t + 5 * HOUR_MS, &v));                  /* past it */
	assert_true(fabs(s.zones[0].column[SIGNAL_CARBON].mean_size - 62.5) < 1e-9);
	assert_int_equal(signals_resample(&s, HOUR_MS / 2, &half, &err), 0);
	assert_true(half.n == 8 && half.zones[0].column[SIGNAL_CARBON].value[5] == -20);
	assert_int_equal(signals_resample(&s, 2 * HOUR_MS, &two, &err), 0);
	assert_true(two.n == 2 && two.zones[0].column[SIGNAL_CARBON].value[1] == 30);
	assert_true(isnan(two.zones[0].column[SIGNAL_PRICE].value[0]));
	signals_release(&two);
	assert_int_equal(signals_resample(&s, 90 * MINUTE_MS, &two, &err), -1);
	signals_release(&half);
	signals_release(&s);
}

/* The cost of a block that begins `since` ms after the first slot, slot by slot. */
static double by_slots(const struct block *b, const double value[2][40], int n, int64_t since, int64_t length_ms)
{
	double cost = 0;

	for (int64_t t = since; t < since + length_ms; t++) {
		if (t / 10 >= n || isnan(value[0][t / 10]) || (b->n_series > 1 && isnan(value[1][t / 10])))
			return INFINITY;
		for (int k = 0; k < b->n_series; k++)
			cost += b->series[k].weight * value[k][t / 10] / 10;
	}
	return cost;
}

static void check_block(const struct block *b, const double value[2][40], int n, int64_t since, int64_t length_ms)
{
	double least = INFINITY, found = block_least(b), at_most = found + 1e-9;
	int first = -1;

	for (int i = 0; i < b->count; i++) {
		double want = by_slots(b, value, n, since + (int64_t)i * 10, length_ms) + i * b->per_start;

		assert_true(want == block_cost(b, i) || fabs(want - block_cost(b, i)) < 1e-9);
		least = fmin(least, block_cost(b, i));
		if (first < 0 && least <= at_most && found < INFINITY)
			first = i;
	}
	assert_true(found == least); /* to the last bit, whether some at a time or one by one */
	assert_true(block_cost(b, b->count) == INFINITY);
	if (found < INFINITY) {
		assert_int_equal(block_next(b, 0, at_most), first);
		for (int from = 0, i; from < b->count; from++) {
			i = block_next(b, from, at_most + 3);
			for (int k = from; k < (i < 0 ? b->count : i); k++)
				assert_true(block_cost(b, k) > at_most + 3);
			assert_true(i < 0 || (i >= from && block_cost(b, i) <= at_most + 3));
		}
	}
}

static void test_blocks_are_the_sums_of_their_slots(void **state)
{
	uint64_t dice = 1;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		double value[2][40], sum[2][41] = { 0 };
		int unknown[2][41], n = 1 + (int)(rand_next(&dice) % 40), gaps = round % 3 ? 0 : 8;
		int64_t since = (int64_t)(rand_next(&dice) % 60), length_ms = 1 + (int64_t)(rand_next(&dice) % 150);
		struct block_series series[2];
		struct block b;

		since -= round % 2 ? since % 10 : 0;
		length_ms += round % 2 ? 10 - length_ms % 10 : 0;
		for (int k = 0; k < 2; k++) {
			for (int i = 0; i < n; i++) {
				bool gap = gaps && rand_next(&dice) % (unsigned)gaps == 0;

				value[k][i] = gap ? (double)NAN : 20 * rand_unit(&dice) - 5;
				sum[k][i + 1] = sum[k][i] + (gap ? 0 : value[k][i]);
			}
			unknown[k][n] = n;
			for (int i = n - 1; i >= 0; i--)
				unknown[k][i] = isnan(value[k][i]) ? i : unknown[k][i + 1];
			series[k] = (struct block_series){ k ? 0.5 : 2, sum[k], unknown[k] };
		}
		block_init(&b, series, 1 + round % 2, n, since, length_ms, 10, 1 + (int64_t)(rand_next(&dice) % 50));
		b.per_start = round % 5 ? 0 : 0.1;
		check_block(&b, value, n, since, length_ms);
	}
}

static void test_queues(void **state)
{
	struct error err = ERROR_INIT;
	struct queue q;

	(void)state;
	assert_int_equal(queue_parse(STR("7200:2272.572:21600"), &q, &err), 0);
	assert_true(q.max_length_ms == 7200000 && q.mean_ms == 2272572 && q.wait_ms == 21600000);
	assert_int_equal(queue_parse(STR("inf:1:0"), &q, &err), 0);
	assert_true(q.max_length_ms == INT64_MAX);
	assert_int_equal(queue_parse(STR("1:0:1"), &q, &err), -1);
	assert_int_equal(queue_parse(STR("1:nan:1"), &q, &err), -1);
	assert_int_equal(queue_parse(STR("1:1:1:1"), &q, &err), -1);
}

static void test_issued_forecasts_are_read_as_of_then(void **state)
{
	const int16_t zone = 0;
	struct error err = ERROR_INIT;
	struct outlook o;
	struct arena arena;
	struct signals s;
	struct view v;
	char spec[80];

	(void)state;
	load(&s);
	(void)file("issued_utc,target_utc,zone,carbon_g_per_kwh\n"
		   "2023-01-01T00:00Z,2023-01-01T00:00Z,a,1\n2023-01-01T00:00Z,2023-01-01T01:00Z,a,2\n"
		   "2023-01-01T00:00Z,2023-01-01T02:00Z,a,3\n2023-01-01T01:00Z,2023-01-01T02:00Z,a,30\n");
	(void)snprintf(spec, sizeof(spec), "issued:%s", path);
	assert_int_equal(outlook_open(&o, spec, &s, &err), 0);
	arena_init(&arena, 1024, 1 << 20);
	outlook_view(&o, &zone, 1, s.start_ms, signals_end_ms(&s), s.start_ms + HOUR_MS - 1, false, &arena, &v);
	assert_true(v.n == 4 && v.value[0][SIGNAL_CARBON][2] == 3 && isnan(v.value[0][SIGNAL_CARBON][3]));
	outlook_view(&o, &zone, 1, s.start_ms, signals_end_ms(&s), s.start_ms + HOUR_MS, false, &arena, &v);
	assert_true(v.value[0][SIGNAL_CARBON][1] == 2 && v.value[0][SIGNAL_CARBON][2] == 30);
	assert_true(outlook_next(&o, &zone, 1, s.start_ms) == s.start_ms + HOUR_MS);
	assert_true(outlook_next(&o, &zone, 1, s.start_ms + HOUR_MS) == OUTLOOK_NEVER);
	arena_release(&arena);
	outlook_release(&o);
	signals_release(&s);
}

/* A job of an hour and a half in four hours: 01:30 to 03:00 is best, but no whole slot. */
static void test_bounds_by_hand(void **state)
{
	const int16_t zone = 0;
	struct error err = ERROR_INIT;
	struct outlook o;
	struct arena arena;
	struct signals s;
	struct scenario scene = {
		.policy = POLICY_LOWEST_WINDOW, .truth = &s, .grid = &s, .outlook = &o, .weight_carbon = 1
	};
	struct job job = { .id = "x",
			   .duration_ms = 90 * MINUTE_MS,
			   .given_ms = 90 * MINUTE_MS,
			   .power_w = 1000,
			   .zones = &zone,
			   .n_zones = 1,
			   .max_carbon = NAN,
			   .max_price = NAN,
			   .max_interruptions = INTERRUPT_ANY };
	struct price_of price;
	struct plan plan;
	struct task t;

	(void)state;
	load(&s);
	assert_int_equal(outlook_open(&o, "perfect", &s, &err), 0);
	job.arrival_ms = job.earliest_ms = s.start_ms;
	job.latest_finish_ms = signals_end_ms(&s);
	arena_init(&arena, 1024, 1 << 20);
	task_init(&t, &scene, &job);
	policy_price(&scene, &t, &arena, &price);
	assert_true(price.k[SIGNAL_CARBON] == 1 && price.k[SIGNAL_PRICE] == 0); /* grams */
	/* 01:30 to 03:00: half of 50 and all of -20. */
	assert_true(fabs(account_bound(&scene, &t, &price, &arena) - 5) < 1e-9);
	assert_true(policy_plan(&scene, &t, &arena, &plan) && plan.n_segments == 1);
	/* 125, 40 and 20 g at the whole slots. */
	assert_true(plan.segments[0].start_ms == s.start_ms + 2 * HOUR_MS);
	scene.policy = POLICY_INTERRUPT;
	assert_true(policy_plan(&scene, &t, &arena, &plan));
	assert_true(fabs(account_bound(&scene, &t, &price, &arena) - 5) < 1e-9);
	job.latest_finish_ms = s.start_ms + HOUR_MS;
	task_init(&t, &scene, &job);
	assert_false(policy_plan(&scene, &t, &arena, &plan));
	arena_release(&arena);
	signals_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signals),        cmocka_unit_test(test_blocks_are_the_sums_of_their_slots),
		cmocka_unit_test(test_queues),         cmocka_unit_test(test_issued_forecasts_are_read_as_of_then),
		cmocka_unit_test(test_bounds_by_hand),
	};
	int fd, failed;

	(void)snprintf(path, sizeof(path), "/tmp/sim_test.XXXXXX");
	fd = mkstemp(path);
	if (fd < 0 || close(fd) != 0)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)unlink(path);
	return failed;
}
