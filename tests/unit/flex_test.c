/* SPDX-License-Identifier: Apache-2.0 */
/* One job in its best form: agreement with the block planner, limits, figures of segments; flexible jobs among others.
 */
#include "planner_fixture.h"

#include <math.h>

#include "base/rand.h"
#include "planner/flex.h"
#include "planner/joint.h"

static int64_t below(uint64_t *seed, int64_t n)
{
	return (int64_t)(rand_next(seed) % (uint64_t)n);
}

static bool chance(uint64_t *seed, int percent)
{
	return below(seed, 100) < percent;
}

static void random_world(struct world *w, uint64_t *seed, struct planner_job *job, int16_t *regions)
{
	int n = 4 + (int)below(seed, 44);

	arena_reset(&w->arena);
	w->signals.n_slots = n;
	w->signals.n_regions = 1 + (int)below(seed, 3);
	w->signals.now_ms = T0 + below(seed, 3) * 7 * MINUTE_MS;
	w->signals.price_error_permille = 0;
	for (int r = 0; r < w->signals.n_regions; r++) {
		for (int i = 0; i < n; i++) {
			w->carbon[r][i] = chance(seed, 3) ? U : (int32_t)below(seed, 300000);
			w->price[r][i] = chance(seed, 5) ? U : (int32_t)below(seed, 300000) - 30000;
			w->renewable[r][i] = (int32_t)below(seed, 1000);
		}
		w->regions[r].carbon_mg_per_kwh = w->carbon[r];
		w->regions[r].price_micros_per_kwh = chance(seed, 15) ? NULL : w->price[r];
		w->regions[r].renewable_permille = w->renewable[r];
		regions[r] = (int16_t)r;
	}
	*job = (struct planner_job){ .id = "j",
				     .earliest_ms = T0 + below(seed, n * 30) * MINUTE_MS,
				     .duration_ms = (1 + below(seed, n * 10)) * MINUTE_MS,
				     .power_milliwatts = 1 + below(seed, 9000000),
				     .weight_carbon = 60,
				     .weight_cost = chance(seed, 60) ? 30 : 0,
				     .weight_delay = chance(seed, 40) ? 10 : 0,
				     .weight_renewable = chance(seed, 30) ? 20 : 0,
				     .regions = regions,
				     .n_regions = w->signals.n_regions,
				     .earlier_region = PLANNER_NO_REGION };
	job->latest_start_ms = job->earliest_ms + below(seed, n * 30) * MINUTE_MS;
	planner_round_init(&w->round, &w->signals, job, 1, &w->arena);
}

/* What a plan costs when it is looked at again is what it cost when it was made. */
static void assert_cost(struct world *w, const struct planner_job *job, const struct flex *f, const struct flex_plan *p)
{
	double again = flex_cost(&w->round, job, f, p->segments, p->n_segments, &w->arena);

	if (fabs(again - p->cost) >= 1e-9)
		fail_msg("%f is %f when it is looked at again", p->cost, again);
}

static void test_a_block_costs_what_the_block_planner_says(void **state)
{
	struct world *w = *state;
	int compared = 0;

	for (uint64_t seed0 = 1; seed0 <= 5000; seed0++) {
		uint64_t seed = seed0;
		struct planner_job job;
		int16_t regions[MAX_REGIONS];
		struct flex none = { .region = PLANNER_NO_REGION };
		struct flex pauses = { .region = PLANNER_NO_REGION,
				       .may_pause = true,
				       .max_interruptions = INTERRUPT_ANY };
		struct flex_plan block, paused;
		struct planner_result r;
		bool found;

		random_world(w, &seed, &job, regions);
		planner_choose(&w->round, &job, &r);
		found = flex_choose(&w->round, &job, &none, &w->arena, &block);
		if (!found) /* inside known data only the latest start may be left, or nothing that can be compared */
			continue;
		assert_int_equal(block.n_segments, 1);
		assert_true(block.segments[0].start_ms <=
			    MAX(job.latest_start_ms, MAX(w->signals.now_ms, job.earliest_ms)));
		if (r.best.region != PLANNER_NO_REGION && block.cost < r.best.objective - 1e-9)
			fail_msg("seed %" PRIu64 ": %f beats %f", seed0, block.cost, r.best.objective);
		if (r.best.region != PLANNER_NO_REGION && r.best.end_ms <= SLOT(w->signals.n_slots) &&
		    (r.best.start_ms - T0) % SLOT_MS == 0) {
			assert_true(fabs(block.cost - r.best.objective) < 1e-9);
			compared++;
		}
		assert_true(flex_choose(&w->round, &job, &pauses, &w->arena, &paused));
		assert_true(paused.cost <= block.cost + 1e-9);
		assert_cost(w, &job, &none, &block);
		assert_cost(w, &job, &pauses, &paused);
		pauses.restart_milliwatt_hours = job.power_milliwatts / 60;
		pauses.max_moves = 1;
		assert_true(flex_choose(&w->round, &job, &pauses, &w->arena, &paused));
		assert_cost(w, &job, &pauses, &paused);
		for (int i = 0; i < paused.n_segments; i++)
			assert_true(paused.segments[i].end_ms <=
				    job.duration_ms +
					    MAX(job.latest_start_ms, MAX(w->signals.now_ms, job.earliest_ms)));
	}
	assert_true(compared > 1000);
}

static void test_limits_on_means(void **state)
{
	struct world *w = *state;
	int changed = 0;

	for (uint64_t seed0 = 1; seed0 <= 3000; seed0++) {
		uint64_t seed = seed0;
		struct planner_job job;
		int16_t regions[MAX_REGIONS];
		struct flex f = { .region = PLANNER_NO_REGION, .may_pause = true, .max_interruptions = 3 };
		struct flex_plan free_plan, plan;
		double sum = 0, ms = 0;

		random_world(w, &seed, &job, regions);
		job.weight_cost = 300;
		if (!flex_choose(&w->round, &job, &f, &w->arena, &free_plan))
			continue;
		job.max_carbon = (struct planner_limit){ PLANNER_LIMIT_HARD, 120000 };
		if (!flex_choose(&w->round, &job, &f, &w->arena, &plan))
			continue;
		for (int i = 0; i < plan.n_segments; i++) {
			for (int64_t t = plan.segments[i].start_ms; t < plan.segments[i].end_ms; t += MINUTE_MS) {
				sum += w->carbon[plan.segments[i].region][(t - T0) / SLOT_MS];
				ms++;
			}
		}
		assert_true(sum / ms <= 120000);
		changed += plan.cost > free_plan.cost;
	}
	assert_true(changed > 50);
}

static void test_figures_of_segments(void **state)
{
	struct world *w = *state;
	int16_t home = 0;
	struct planner_job job = { .id = "j",
				   .duration_ms = SLOT_MS,
				   .weight_carbon = 1,
				   .regions = &home,
				   .n_regions = 1,
				   .earlier_region = PLANNER_NO_REGION };
	struct planner_segment segments[] = { { 0, 2, SLOT(0), SLOT(1) },
					      { 0, 1, SLOT(1), SLOT(2) },
					      { 0, 1, SLOT(3), SLOT(4) } };
	int64_t power[] = { 0, 1000000, 1800000 }; /* a kilowatt, and two pods that share an overhead */
	struct planner_option o;

	w->signals.n_slots = 4;
	w->signals.n_regions = 1;
	for (int i = 0; i < 4; i++)
		w->carbon[0][i] = (i + 1) * 100000;
	w->regions[0].carbon_mg_per_kwh = w->carbon[0];
	planner_round_init(&w->round, &w->signals, &job, 1, &w->arena);
	planner_evaluate_segments(&w->round, segments, 3, power, 250000, &o);
	/* 1.8 kW and 1 kW for half an hour each, then as much again at 400 g, with a quarter of a kWh to get warm */
	assert_int_equal(o.energy_milliwatt_hours, 900000 + 500000 + 500000 + 250000);
	assert_int_equal(o.carbon_milligrams, 90000 + 100000 + 200000 + 100000);
	assert_true(o.carbon_known && !o.cost_known);
	assert_true(o.start_ms == SLOT(0) && o.end_ms == SLOT(4));
}

#define N_SHARING 12

/* Jobs of one region under a limit that differs from slot to slot. */
struct shared {
	struct joint_job jobs[N_SHARING];
	struct planner_job plain[N_SHARING];
	int64_t capacity[MAX_SLOTS], used[MAX_SLOTS];
	int16_t home;
	struct joint_row row;
};

static void shared_fill(struct shared *sh, struct world *w, uint64_t *seed)
{
	w->signals = (struct planner_signals){ .now_ms = T0,
					       .first_slot_ms = T0,
					       .slot_ms = SLOT_MS,
					       .n_slots = MAX_SLOTS,
					       .regions = w->regions,
					       .n_regions = 1 };
	w->regions[0] = (struct planner_region){ .name = "r", .carbon_mg_per_kwh = w->carbon[0] };
	*sh = (struct shared){ .row = { JOINT_POWER, &sh->home, 1, sh->capacity } };
	for (int i = 0; i < MAX_SLOTS; i++) {
		w->carbon[0][i] = (int32_t)below(seed, 300000);
		sh->capacity[i] = 4000 + below(seed, 5) * 1000;
	}
	for (int q = 0; q < N_SHARING; q++) {
		struct planner_job *job = &sh->plain[q];

		*job = (struct planner_job){ .id = "j",
					     .earliest_ms = T0,
					     .weight_carbon = 1,
					     .regions = &sh->home,
					     .n_regions = 1,
					     .earlier_region = PLANNER_NO_REGION };
		job->duration_ms = (1 + below(seed, 6)) * SLOT_MS;
		job->latest_start_ms = T0 + (20 + below(seed, 20)) * SLOT_MS;
		job->power_milliwatts = 1000 * (1 + below(seed, 3));
		sh->jobs[q] = (struct joint_job){ *job, { [JOINT_POWER] = job->power_milliwatts } };
	}
	arena_reset(&w->arena);
	planner_round_init(&w->round, &w->signals, sh->plain, N_SHARING, &w->arena);
}

/* One job, from its block to its segments. */
static void let_pause(struct shared *sh, struct world *w, struct joint *j, size_t q)
{
	struct flex f = { .region = PLANNER_NO_REGION, .may_pause = true, .max_interruptions = INTERRUPT_ANY };
	const struct planner_job *job = &sh->plain[q];
	struct flex_plan plan;
	struct joint_view view;
	struct slots slots;

	joint_slots(j, q, JOINT_PRICES, &w->arena, &slots);
	assert_true(flex_plan(&slots, job, T0, &f, &w->arena, &plan));
	joint_relax(j, q, plan.bound);
	joint_explain(j, q, &view);
	joint_slots(j, q, JOINT_ROOM, &w->arena, &slots);
	if (joint_start(j, q).region == PLANNER_NO_REGION || !flex_plan(&slots, job, T0, &f, &w->arena, &plan))
		return;
	assert_true(plan.cost <= view.objective + 1e-9);
	joint_settle(j, q, plan.segments, plan.n_segments, plan.cost);
	for (int i = 0; i < plan.n_segments; i++) {
		for (int64_t t = plan.segments[i].start_ms; t < plan.segments[i].end_ms; t += SLOT_MS)
			sh->used[(t - T0) / SLOT_MS] += job->power_milliwatts;
	}
}

/* Blocks together first, then those that may pause, in what room there is: limits kept, and never worse. */
static void test_pausing_among_others(void **state)
{
	struct world *w = *state;

	for (uint64_t seed0 = 1; seed0 <= 60; seed0++) {
		_cleanup_(joint_cleanup) struct joint *j = NULL;
		uint64_t seed = seed0;
		struct shared sh;
		double objective;

		shared_fill(&sh, w, &seed);
		j = joint_new(&w->round, sh.jobs, N_SHARING - 1, &sh.row, 1, seed0, NULL);
		joint_improve(j, 40, NULL, NULL);
		joint_add(j, &sh.jobs[N_SHARING - 1]);
		assert_true(joint_without_room(j) > 0 || joint_bound(j) <= joint_objective(j) + 1e-9);
		objective = joint_objective(j);
		for (size_t q = 0; q < N_SHARING; q++)
			let_pause(&sh, w, j, q);
		if (joint_without_room(j))
			continue;
		for (int i = 0; i < MAX_SLOTS; i++)
			assert_true(sh.used[i] <= sh.capacity[i]);
		assert_true(joint_objective(j) <= objective + 1e-9);
		assert_true(joint_bound(j) <= joint_objective(j) + 1e-9);
		joint_improve(j, 5, NULL, NULL); /* settled ones stay */
		assert_true(joint_objective(j) <= objective + 1e-9);
	}
}

/* A new forecast: prices and starts of the plan before are where the next one begins. */
static void test_a_new_forecast_starts_from_the_old_plan(void **state)
{
	struct world *w = *state;
	uint64_t seed = 9;
	struct planner_job plain[40];
	struct joint_job jobs[40];
	int64_t capacity[MAX_SLOTS];
	int16_t home = 0, regions[MAX_REGIONS];
	struct joint_row row = { JOINT_POWER, &home, 1, capacity };
	struct joint *before, *after;
	int kept = 0;

	random_world(w, &seed, &plain[0], regions);
	w->signals = (struct planner_signals){ .now_ms = T0,
					       .first_slot_ms = T0,
					       .slot_ms = SLOT_MS,
					       .n_slots = MAX_SLOTS,
					       .regions = w->regions,
					       .n_regions = 1,
					       .carbon_error_mg_per_kwh = 20000 };
	for (int i = 0; i < MAX_SLOTS; i++) {
		w->carbon[0][i] = 150000 + (int32_t)(100000 * sin(i / 6.0));
		capacity[i] = 7000;
	}
	for (int q = 0; q < 40; q++) {
		plain[q] = (struct planner_job){ .id = "j",
						 .earliest_ms = T0,
						 .weight_carbon = 1,
						 .regions = &home,
						 .n_regions = 1,
						 .earlier_region = PLANNER_NO_REGION,
						 .duration_ms = (1 + below(&seed, 5)) * SLOT_MS,
						 .latest_start_ms = T0 + 40 * SLOT_MS,
						 .power_milliwatts = 1000 };
		jobs[q] = (struct joint_job){ plain[q], { [JOINT_POWER] = 1000, [JOINT_RELEASES] = 1 } };
	}
	planner_round_init(&w->round, &w->signals, plain, 40, &w->arena);
	before = joint_new(&w->round, jobs, 40, &row, 1, 1, NULL);
	joint_improve(before, 60, NULL, NULL);
	for (int q = 0; q < 40; q++) {
		jobs[q].job.earlier_region = joint_start(before, (size_t)q).region;
		jobs[q].job.earlier_start_ms = joint_start(before, (size_t)q).start_ms;
	}
	for (int i = 0; i < MAX_SLOTS; i++)
		w->carbon[0][i] += (int32_t)below(&seed, 4000); /* less than the noise */
	planner_round_init(&w->round, &w->signals, plain, 40, &w->arena);
	after = joint_new(&w->round, jobs, 40, &row, 1, 1, before);
	joint_improve(after, 20, NULL, NULL);
	for (int q = 0; q < 40; q++)
		kept += joint_start(after, (size_t)q).start_ms == jobs[q].job.earlier_start_ms;
	assert_int_equal(joint_without_room(after), 0);
	assert_true(kept >= 38);
	joint_free(before);
	joint_free(after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_block_costs_what_the_block_planner_says),
		TEST(test_limits_on_means),
		TEST(test_figures_of_segments),
		TEST(test_pausing_among_others),
		TEST(test_a_new_forecast_starts_from_the_old_plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
