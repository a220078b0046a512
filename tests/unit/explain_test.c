/* SPDX-License-Identifier: Apache-2.0 */
/* Explanations: parts that sum up, rivals that win when the figure named rises, wishes that gain what they say. */
#include "planner_fixture.h"

#include <math.h>

#include "base/rand.h"
#include "planner/explain.h"

static int64_t below(uint64_t *seed, int64_t n)
{
	return (int64_t)(rand_next(seed) % (uint64_t)n);
}

static void random_world(struct world *w, uint64_t *seed, struct planner_job *job, int16_t *regions)
{
	arena_reset(&w->arena);
	w->signals.n_slots = 12 + (int)below(seed, 36);
	w->signals.n_regions = 3;
	w->signals.price_error_permille = 0;
	for (int r = 0; r < 3; r++) {
		for (int i = 0; i < w->signals.n_slots; i++) {
			w->carbon[r][i] = 50000 + (int32_t)below(seed, 300000);
			w->price[r][i] = (int32_t)below(seed, 300000);
			w->renewable[r][i] = (int32_t)below(seed, 1000);
		}
		w->regions[r] = (struct planner_region){ .name = "r",
							 .carbon_mg_per_kwh = w->carbon[r],
							 .price_micros_per_kwh = w->price[r],
							 .renewable_permille = w->renewable[r],
							 .power_limit_milliwatts = 1000000000 };
		regions[r] = (int16_t)r;
	}
	*job = (struct planner_job){ .id = "j",
				     .earliest_ms = T0,
				     .duration_ms = (1 + below(seed, 5)) * SLOT_MS,
				     .power_milliwatts = 600000000,
				     .spread_ms = below(seed, 2) * 5 * MINUTE_MS,
				     .weight_carbon = 60,
				     .weight_cost = 30,
				     .weight_delay = (int)below(seed, 2) * 10,
				     .weight_renewable = (int)below(seed, 2) * 10,
				     .regions = regions,
				     .n_regions = 2,
				     .earlier_region = PLANNER_NO_REGION };
	job->latest_start_ms = T0 + (1 + below(seed, 5)) * SLOT_MS;
	if (below(seed, 3) == 0)
		job->max_carbon = (struct planner_limit){ PLANNER_LIMIT_SOFT, 180000 };
	planner_round_init(&w->round, &w->signals, job, 1, &w->arena);
	for (int i = 0; i < 4; i++) {
		int64_t start_ms = SLOT(below(seed, 6));

		planner_reserve(&w->round, (int)below(seed, 3), start_ms, start_ms + SLOT_MS, 600000000);
	}
}

static double sum_of(const struct explain_parts *p)
{
	return p->carbon + p->price + p->renewable + p->delay;
}

static void test_parts_rivals_and_wishes(void **state)
{
	struct world *w = *state;
	int rivals = 0, granted[EXPLAIN_WISHES] = { 0 };

	for (uint64_t seed0 = 1; seed0 <= 2000; seed0++) {
		uint64_t seed = seed0;
		int16_t regions[MAX_REGIONS];
		struct planner_job job;
		struct planner_result r;
		struct explain e;

		random_world(w, &seed, &job, regions);
		planner_choose(&w->round, &job, &r);
		if (r.choice.region == PLANNER_NO_REGION || isnan(r.choice.objective))
			continue;
		explain_choice(&w->round, &job, &r, &e);
		if (r.outcome == PLANNER_CHOSEN)
			assert_true(fabs(sum_of(&e.choice) - r.choice.objective) < 1e-9);
		assert_true(fabs(sum_of(&e.baseline) - r.baseline.objective) < 1e-9);
		if (e.rival >= 0 && e.carbon_rise_mg_per_kwh != PLANNER_UNKNOWN) {
			double per_mg = e.choice.carbon / ((double)r.choice.carbon_milligrams /
							   (double)r.choice.energy_milliwatt_hours * 1e6);

			rivals++;
			/* the rise said is enough, a mg less is not */
			assert_true(e.margin <= per_mg * e.carbon_rise_mg_per_kwh + 1e-6 || job.spread_ms > 0);
			assert_true(e.margin >= per_mg * (e.carbon_rise_mg_per_kwh - 1) - 1e-6 || job.spread_ms > 0);
			assert_true(fabs(sum_of(&e.rival_parts) - r.options[e.rival].objective) < 1e-9);
		}
		for (int i = 0; i < EXPLAIN_WISHES; i++) {
			assert_true(e.granted[i].gain >= 0);
			granted[i] += e.granted[i].gain > 0;
		}
		if (job.max_carbon.enforcement == PLANNER_LIMIT_NONE && job.weight_delay == 0)
			assert_true(e.granted[EXPLAIN_LIMITS].gain < 1e-9);
		if (e.granted[EXPLAIN_LATER].gain > 1e-9 && job.max_carbon.enforcement == PLANNER_LIMIT_NONE &&
		    r.outcome == PLANNER_CHOSEN && job.weight_delay == 0)
			assert_true(e.granted[EXPLAIN_LATER].start_ms > job.latest_start_ms);
		if (e.granted[EXPLAIN_PLACES].gain > 1e-9 && r.outcome == PLANNER_CHOSEN && job.weight_delay == 0)
			assert_int_equal(e.granted[EXPLAIN_PLACES].region, 2);
	}
	assert_true(rivals > 500);
	for (int i = 0; i < EXPLAIN_WISHES; i++)
		assert_true(granted[i] > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_parts_rivals_and_wishes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
