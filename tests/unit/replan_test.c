/* SPDX-License-Identifier: Apache-2.0 */
/* Planning under doubt: corrected forecasts, risk, trust, the double threshold, starts of unknown length. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/rand.h"
#include "planner/interrupt.h"
#include "planner/length.h"
#include "planner/replan.h"
#include "planner/threshold.h"

#define U PLANNER_UNKNOWN

static int64_t below(uint64_t *seed, int64_t n)
{
	return (int64_t)(rand_next(seed) % (uint64_t)n);
}

static void test_correction_fades(void **state)
{
	int32_t forecast[] = { 100, 100, U, 100, 100 }, v[5];

	(void)state;
	replan_correct(v, forecast, 5, 1, 1000, HOUR_MS, 6 * HOUR_MS);
	assert_int_equal(v[0], 100);
	assert_int_equal(v[1], 1100);
	assert_int_equal(v[2], U);
	assert_int_equal(v[3], 100 + lround(1000 * exp(-2.0 / 6)));
	assert_int_equal(v[4], 100 + lround(1000 * exp(-3.0 / 6)));
	replan_correct(v, (int32_t[]){ INT32_MAX, INT32_MIN + 1 }, 2, 0, INT32_MAX, HOUR_MS, HOUR_MS);
	assert_int_equal(v[0], INT32_MAX);
	replan_correct(v, (int32_t[]){ INT32_MIN + 5 }, 1, 0, INT32_MIN, HOUR_MS, HOUR_MS);
	assert_int_equal(v[0], INT32_MIN + 1); /* which is not "unknown" */
}

static void test_risk(void **state)
{
	int32_t p10[] = { 80, 80, U }, p50[] = { 100, 100, 100 }, p90[] = { 120, 200, 150 }, v[3];

	(void)state;
	replan_risk(v, p10, p50, p90, 3, 0);
	assert_int_equal(v[0], 100);
	assert_int_equal(v[1], 124); /* skewed upwards: the mean is above the median */
	assert_int_equal(v[2], 100);
	replan_risk(v, p10, p50, p90, 3, 1000);
	assert_int_equal(v[0], 116); /* and a standard deviation */
	assert_int_equal(v[1], 171);
	replan_risk(v, NULL, p50, p90, 3, 1000);
	assert_int_equal(v[0], 100);
}

static void test_hysteresis_and_trust(void **state)
{
	double trust = REPLAN_TRUST_START;

	(void)state;
	assert_false(replan_worth(1.0, 0.95, 0.06, 0));
	assert_false(replan_worth(1.0, 0.9, 0.06, 0.05));
	assert_true(replan_worth(1.0, 0.9, 0.06, 0.03));
	assert_true(replan_worth(INFINITY, 5, 0.06, 0.03));
	for (int i = 0; i < 100; i++)
		trust = replan_trust(trust, 0.5, 0.1);
	assert_true(trust < 0.05 && trust > 0);
	for (int i = 0; i < 100; i++)
		trust = replan_trust(trust, 0.0, 0.3);
	assert_true(trust > 0.95 && trust < 1);
	assert_true(replan_price(1, 3, 9) == 3 && replan_price(0, 3, 9) == 9);
}

/* What running by the thresholds costs; asserts that the work is done. */
static double run_thresholds(const struct threshold *t, const double *price, int n)
{
	double cost = 0;
	bool running = false;
	int done = 0;

	for (int i = 0; i < n; i++) {
		bool run = threshold_run(t, done, running, price[i], n - i);

		cost += (run ? price[i] : 0) + (run != running ? t->cost : 0);
		done += run;
		running = run;
	}
	assert_int_equal(done, t->k);
	return cost + (running ? t->cost : 0);
}

/* The optimum, where each start and each stop costs the same: a restart costs two of them, and so does the first. */
static double optimum(const double *price, int n, double cost, int k)
{
	double on[64], off[64];

	for (int m = 0; m <= k; m++)
		on[m] = off[m] = INFINITY;
	off[0] = 0;
	for (int i = 0; i < n; i++) {
		for (int m = k; m >= 0; m--) {
			double run = m ? fmin(on[m - 1], off[m - 1] + cost) + price[i] : INFINITY;

			off[m] = fmin(off[m], on[m] + cost);
			on[m] = run;
		}
	}
	return fmin(off[k], on[k] + cost);
}

static void test_threshold_keeps_its_ratio(void **state)
{
	double worst = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 20000; seed++) {
		uint64_t r = seed;
		int k = 1 + (int)below(&r, 8), n = k + (int)below(&r, 24), mood = (int)below(&r, 4);
		double low = 10, high = 10 * (1.5 + 10 * rand_unit(&r)), cost = (high - low) / 2 * rand_unit(&r) * 0.9;
		double price[40], ratio;
		struct threshold t;

		threshold_init(&t, low, high, mood == 3 ? 0 : cost, k);
		for (int i = 0; i < n; i++) { /* an adversary goes just above each threshold, then to the top */
			double at = threshold_price(&t, 1 + (int)below(&r, k)) + (mood == 1 ? 1e-6 : -1e-6);

			price[i] = mood == 0 ? low + (high - low) * rand_unit(&r) : CLAMP(at, low, high);
			if (mood == 2 && i > n / 2)
				price[i] = high;
		}
		ratio = run_thresholds(&t, price, n) / optimum(price, n, t.cost, k);
		if (ratio > t.alpha * (1 + 1e-9))
			fail_msg("seed %" PRIu64 ": %f times the optimum, alpha %f", seed, ratio, t.alpha);
		worst = fmax(worst, ratio / t.alpha);
	}
	assert_true(worst > 0.7); /* the adversary tried */
}

static void test_threshold_bounds(void **state)
{
	double low, high, price[] = { 5, NAN, 2, 9 };
	struct threshold t;

	(void)state;
	assert_true(threshold_bounds(price, 4, &low, &high));
	assert_true(low == 2 && high == 9);
	assert_false(threshold_bounds(price + 1, 1, &low, &high));
	threshold_init(&t, 5, 5, 0, 3); /* nothing to wait for */
	assert_true(threshold_run(&t, 0, false, 5, 100));
	threshold_init(&t, -20, -3, 0, 3);
	assert_true(threshold_run(&t, 0, false, -3, 100));
	threshold_init(&t, 1, 16, 0, 1); /* k = 1: the square root of L U */
	assert_true(fabs(threshold_price(&t, 1) - 4) < 1e-6);
	assert_false(threshold_run(&t, 1, true, 1, 100));
}

/*
 * A job planned again each slot from an adversary's forecast, by plan, threshold or both: it never runs out of time,
 * and so never starts after its latest start.
 */
static void test_no_forecast_breaks_the_deadline(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 2000; seed++) {
		uint64_t r = seed;
		int n = 6 + (int)below(&r, 30), k = 1 + (int)below(&r, n), done = 0, first = -1;
		double v[64], trust = rand_unit(&r);
		const double *cost = v;
		struct threshold t;
		bool running = false;

		threshold_init(&t, 1, 100, rand_unit(&r) * 10, k);
		for (int i = 0; i < n && done < k; i++) {
			struct slots s = { .slot_ms = HOUR_MS, .n = n, .n_regions = 1, .cost = &cost };
			struct interrupt_job job = { .earliest_ms = i * HOUR_MS,
						     .finish_by_ms = n * HOUR_MS,
						     .duration_ms = (k - done) * HOUR_MS,
						     .max_interruptions = INTERRUPT_ANY,
						     .restart_slots = 0.5,
						     .region = done ? 0 : PLANNER_NO_REGION,
						     .running = running,
						     .ran_ms = running ? HOUR_MS : 0 };
			struct interrupt_plan plan;
			struct arena arena;
			bool run;

			for (int at = i; at < n; at++) /* "later is always better", lies, and chance */
				v[at] = seed % 3 == 0   ? 100 - at + i
					: seed % 3 == 1 ? (at == i ? 100 : 1)
							: 100 * rand_unit(&r);
			arena_init(&arena, 4096, 1 << 20);
			assert_true(interrupt_plan(&s, &job, &arena, &plan));
			run = plan.segments[0].start_ms == i * HOUR_MS;
			if (seed % 2 && plan.segments[0].start_ms > i * HOUR_MS) /* or the mixed price says so */
				run = v[i] <= replan_price(trust, 0, threshold_price(&t, done + 1));
			arena_release(&arena);
			first = run && first < 0 ? i : first;
			running = run;
			done += run;
			assert_true(n - i - 1 >= k - done);
		}
		assert_int_equal(done, k);
		assert_true(first <= n - k);
	}
}

static void test_length_points(void **state)
{
	int64_t runs[1000];
	struct length_points p;

	(void)state;
	for (int i = 0; i < 1000; i++)
		runs[i] = (999 - i) * MINUTE_MS;
	length_points_from_runs(&p, runs, 1000);
	assert_int_equal(p.n, LENGTH_MAX_POINTS);
	assert_true(fabs(length_mean_ms(&p) / MINUTE_MS - 499.5) < 10);
	assert_true(llabs(length_quantile(&p, 0.95) / MINUTE_MS - 950) < 20);
	length_points_from_runs(&p, runs, 1);
	assert_int_equal(p.n, 1);
	assert_int_equal(length_quantile(&p, 0.95), 999 * MINUTE_MS);
}

/* Every start tried, hour by hour, in the dumbest way. */
static void test_best_start_of_unknown_length(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 2000; seed++) {
		uint64_t r = seed;
		double v[40], best_rate = 0;
		const double *cost = v;
		struct slots s = { .slot_ms = HOUR_MS, .n = 40, .n_regions = 1, .cost = &cost };
		struct slot_sums sums;
		struct length_points p = { .n = 1 + (int)below(&r, 3) };
		struct length_start got;
		struct arena arena;
		int best = 0;

		for (int i = 0; i < 40; i++)
			v[i] = (double)below(&r, 50) - 5;
		for (int i = 0; i < p.n; i++) {
			p.duration_ms[i] = (2 * i + 1 + below(&r, 2)) * HOUR_MS;
			p.probability[i] = 1.0 / p.n;
		}
		for (int start = 0; start <= 20; start++) {
			double saving = 0, hours = start;

			for (int i = 0; i < p.n; i++) {
				for (int h = 0; h < p.duration_ms[i] / HOUR_MS; h++)
					saving += (v[h] - v[start + h]) / p.n;
				hours += (double)p.duration_ms[i] / (double)HOUR_MS / p.n;
			}
			if (saving / hours > best_rate + 1e-12) {
				best_rate = saving / hours;
				best = start;
			}
		}
		arena_init(&arena, 4096, 1 << 20);
		slot_sums_init(&sums, &s, 0, &arena);
		assert_true(length_best_start(&sums, &p, 0, 20 * HOUR_MS, 0, &got));
		assert_true(fabs(got.saving_per_hour - best_rate) < 1e-9);
		assert_int_equal(got.start_ms / HOUR_MS, best);
		arena_release(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_correction_fades),     cmocka_unit_test(test_risk),
		cmocka_unit_test(test_hysteresis_and_trust), cmocka_unit_test(test_threshold_keeps_its_ratio),
		cmocka_unit_test(test_threshold_bounds),     cmocka_unit_test(test_no_forecast_breaks_the_deadline),
		cmocka_unit_test(test_length_points),        cmocka_unit_test(test_best_start_of_unknown_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
