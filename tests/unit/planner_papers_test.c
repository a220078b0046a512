/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Published results, recomputed with the planners from the recorded data beside the checkout: best block and best hours
 * of every start hour of 2022 (EuroSys 2024), Carbon-Time on a week of jobs (ASPLOS 2024), scaling (SIGMETRICS 2024),
 * and the constants of pause and resume (POMACS 2023). Skips, saying so, without the data.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "planner/elastic.h"
#include "planner/length.h"
#include "planner/threshold.h"
#include "shared_data.h"

#define YEAR_HOURS 8760

/* The numbers of the next line, those that are none as NAN; how many, 0 at the end. */
static int read_row(FILE *f, double *v, int max)
{
	char line[512], *at = line, *comma;
	int n = 0;

	if (!fgets(line, sizeof(line), f))
		return 0;
	for (; n < max && at; at = comma ? comma + 1 : NULL) {
		char *end;

		comma = strchr(at, ',');
		v[n] = strtod(at, &end);
		if (end == at || (*end != ',' && *end != '\n' && *end != '\0' && *end != '\r'))
			v[n] = NAN;
		n++;
	}
	return n;
}

static void read_hours(int column, double *ci)
{
	FILE *f = shared_open("data/decarbonization-potential/ci_2022_hourly_GB-NIR_DE.csv.xz");
	double row[4];
	int n = 0;

	(void)read_row(f, row, 3);
	while (n < YEAR_HOURS && read_row(f, row, 3) == 3)
		ci[n++] = row[column];
	assert_int_equal(n, YEAR_HOURS);
	(void)pclose(f);
}

static struct slots hours(const double *const *ci, int n)
{
	return (struct slots){ .slot_ms = HOUR_MS, .n = n, .n_regions = 1, .cost = ci };
}

static struct interrupt_job hourly_job(int64_t job_h, int64_t slack_h)
{
	return (struct interrupt_job){ .finish_by_ms = (job_h + slack_h) * HOUR_MS,
				       .duration_ms = job_h * HOUR_MS,
				       .max_interruptions = INTERRUPT_ANY,
				       .region = PLANNER_NO_REGION };
}

static void check_vectors(const char *name, int column)
{
	static double ci[YEAR_HOURS];
	struct arena arena;
	FILE *f;
	double row[6];
	int checked = 0;

	read_hours(column, ci);
	f = shared_open(name);
	arena_init(&arena, 65536, 1 << 20);
	(void)read_row(f, row, 6);
	while (read_row(f, row, 6) == 6) {
		int job_h = (int)row[0], slack_h = (int)row[1], start = (int)row[2];
		const double *cost = ci + start;
		struct slots s = hours(&cost, MIN(job_h + slack_h, YEAR_HOURS - start));
		struct interrupt_job job = hourly_job(job_h, slack_h);
		struct interrupt_plan plan;

		arena_reset(&arena);
		assert_true(interrupt_plan(&s, &job, &arena, &plan));
		if (fabs(plan.cost - row[5]) > 0.0101)
			fail_msg("%s %d h in %d h from %d: %f, not %f", name, job_h, slack_h, start, plan.cost, row[5]);
		if (start % 97 == 0) {
			job.max_interruptions = 0;
			assert_true(interrupt_plan(&s, &job, &arena, &plan));
			assert_true(fabs(plan.cost - row[4]) <= 0.0101);
		}
		checked++;
	}
	print_message("%s: %d starts\n", name, checked);
	assert_true(checked > 50000);
	arena_release(&arena);
	(void)pclose(f);
}

static void test_best_hours_of_a_year(void **state)
{
	(void)state;
	check_vectors("data/decarbonization-potential/vectors/GB-NIR.csv.xz", 1);
	check_vectors("data/decarbonization-potential/vectors/DE.csv.xz", 2);
}

/* Grams per watt: the integral of the carbon intensity. */
static double run_cost(const struct slot_sums *sums, int64_t start_ms, double length_s)
{
	return slot_sums_cost(sums, start_ms, start_ms + (int64_t)(length_s * 1000));
}

static void test_carbon_time_on_a_week_of_jobs(void **state)
{
	static double ci[720];
	const double *cost = ci;
	struct slots s = hours(&cost, 720);
	struct slot_sums sums;
	struct arena arena;
	double row[3], now = 0, shifted = 0, wait_h = 0;
	FILE *f;
	int n = 0;

	(void)state;
	f = shared_open("data/gaia/AU-SA_2022_h7000_720h.csv");
	(void)read_row(f, row, 3);
	while (n < 720 && read_row(f, row, 3) == 3)
		ci[n++] = row[2];
	(void)pclose(f);
	arena_init(&arena, 65536, 1 << 20);
	slot_sums_init(&sums, &s, 0, &arena);
	f = shared_open("data/gaia/pai_1k.csv");
	(void)read_row(f, row, 3);
	for (n = 0; read_row(f, row, 3) == 3; n++) {
		double arrival = floor(row[0] / 5) * 5, length = floor(row[1] / 5) * 5;
		bool is_short = row[1] <= 2 * 3600;
		double mean_h = is_short ? 0.63127 : 7.25264;
		struct length_points p = { 1, { (int64_t)(floor(mean_h * 720) * 5000) }, { 1 } };
		struct length_start start;
		int64_t arrival_ms = (int64_t)arrival * 1000;

		assert_true(length_best_start(&sums, &p, arrival_ms, arrival_ms + (is_short ? 6 : 24) * HOUR_MS,
					      HOUR_MS, &start));
		now += row[2] * run_cost(&sums, arrival_ms, length);
		shifted += row[2] * run_cost(&sums, start.start_ms, length);
		wait_h += (double)(start.start_ms - arrival_ms) / (double)HOUR_MS;
	}
	(void)pclose(f);
	arena_release(&arena);
	print_message("Carbon-Time: %d jobs, carbon %.6f of run-now, mean wait %.3f h\n", n, shifted / now, wait_h / n);
	assert_true(fabs(shifted / now - 0.724888) < 1e-6 && fabs(wait_h / n - 4.729) < 1e-3);
}

/* CarbonScaler as published: whole slots, the last step in full. */
static double published_greedy(const double *ci, int n, const struct elastic_profile *p, double work)
{
	int level[64] = { 0 };
	double done = 0, cost = 0;

	while (done < work - 1e-9) {
		double best = -1;
		int at = -1;

		for (int i = 0; i < n; i++) {
			int l = level[i];
			double rate;

			if (l == p->max)
				continue;
			rate = (p->throughput[l + 1] - p->throughput[l]) / ((p->power[l + 1] - p->power[l]) * ci[i]);
			if (rate > best) {
				best = rate;
				at = i;
			}
		}
		level[at]++;
		done += p->throughput[level[at]] - p->throughput[level[at] - 1];
		cost += (p->power[level[at]] - p->power[level[at] - 1]) * ci[at];
	}
	return cost;
}

static int read_profile(const char *name, double *throughput, double *power)
{
	FILE *f = shared_open(name);
	double row[3];
	int n = 0;

	(void)read_row(f, row, 3);
	while (n <= ELASTIC_MAX_LEVELS && read_row(f, row, 3) == 3) {
		throughput[n] = row[1];
		power[n++] = row[2];
	}
	(void)pclose(f);
	return n - 1;
}

static void check_scaling(const char *profile, const double *ci, int job_h, int window_h)
{
	double throughput[ELASTIC_MAX_LEVELS + 1], power[ELASTIC_MAX_LEVELS + 1];
	struct elastic_profile p = { 1, read_profile(profile, throughput, power), throughput, power };
	double now = 0, paused = 0, greedy = 0, ours = 0, work = job_h * throughput[1];
	struct arena arena;

	arena_init(&arena, 65536, 1 << 20);
	for (int start = 0; start + window_h <= YEAR_HOURS; start += 7) {
		const double *cost = ci + start;
		struct slots s = hours(&cost, window_h);
		struct interrupt_job job = hourly_job(job_h, window_h - job_h);
		struct interrupt_plan pause;
		struct elastic_plan plan;

		arena_reset(&arena);
		for (int i = 0; i < job_h; i++)
			now += cost[i] * power[1];
		assert_true(interrupt_plan(&s, &job, &arena, &pause));
		assert_true(elastic_plan(&s, &job, work, &p, true, &arena, &plan));
		assert_true(plan.cost <= pause.cost * power[1] * (1 + 1e-9));
		paused += pause.cost * power[1];
		greedy += published_greedy(cost, window_h, &p, work);
		ours += plan.cost;
	}
	print_message("%s %d h in %d h: suspend-resume %.2f %%, greedy %.2f %%, ours %.2f %%\n", profile, job_h,
		      window_h, 100 * (1 - paused / now), 100 * (1 - greedy / now), 100 * (1 - ours / now));
	assert_true(ours <= fmin(paused, greedy) * (1 + 1e-9));
	arena_release(&arena);
}

static void test_scaling_is_never_worse_than_the_others(void **state)
{
	static double ci[YEAR_HOURS];

	(void)state;
	for (int column = 1; column <= 2; column++) {
		read_hours(column, ci);
		check_scaling("data/carbonscaler/nbody10k.csv", ci, 12, 24);
		check_scaling("data/carbonscaler/nbody100k.csv", ci, 24, 36);
	}
}

/* GB 2022 lifecycle, 10 h of work: alphas of the published helper's corrected balance. */
static void test_alpha_of_pause_and_resume(void **state)
{
	static const double cost[] = { 0, 20, 50 }, want[] = { 2.2482, 2.5820, 3.0876 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		struct threshold t;

		threshold_init(&t, 55.7, 392.2, cost[i], 10);
		assert_true(fabs(t.alpha - want[i]) < 0.002);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_best_hours_of_a_year),
		cmocka_unit_test(test_carbon_time_on_a_week_of_jobs),
		cmocka_unit_test(test_scaling_is_never_worse_than_the_others),
		cmocka_unit_test(test_alpha_of_pause_and_resume),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
