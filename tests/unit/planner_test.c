/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The planner's rules by example. planner_random_test.c holds the planner against a second, dumb one.
 *
 * In the examples a slot is half an hour, the horizon begins at T0, job power is 2 kW, and only carbon counts unless a
 * test says otherwise; carbon is written in g/kWh, price in pence/kWh, U is unknown.
 */
#include "planner_fixture.h"

#include <math.h>

static const int16_t both[] = { 0, 1 };

static const int32_t *fill(int32_t *to, const int32_t *from, int n, int32_t unit)
{
	for (int i = 0; i < n; i++)
		to[i] = from[i] == U ? U : from[i] * unit;
	return to;
}

/* The next region's signals, one value a slot; NULL is all unknown. */
static void region_add(struct world *w, int n, const int32_t *grams, const int32_t *pence)
{
	struct planner_region *r = &w->regions[w->signals.n_regions];

	if (grams)
		r->carbon_mg_per_kwh = fill(w->carbon[w->signals.n_regions], grams, n, 1000);
	if (pence)
		r->price_micros_per_kwh = fill(w->price[w->signals.n_regions], pence, n, 10000);
	w->signals.n_slots = n;
	w->signals.n_regions++;
}

#define VALUES(...) ((const int32_t[]){ __VA_ARGS__ })
#define CARBON(w, ...) region_add(w, ARRAY_LEN(VALUES(__VA_ARGS__)), VALUES(__VA_ARGS__), NULL)
#define PRICE(w, ...) region_add(w, ARRAY_LEN(VALUES(__VA_ARGS__)), NULL, VALUES(__VA_ARGS__))

/* One hour, home region 0 and nowhere else, may start until the end of slot 4. */
static struct planner_job job_of(const char *id)
{
	return (struct planner_job){ .id = id,
				     .earliest_ms = T0,
				     .latest_start_ms = SLOT(4),
				     .duration_ms = HOUR_MS,
				     .power_milliwatts = 2000000,
				     .weight_carbon = 1,
				     .regions = both,
				     .n_regions = 1,
				     .earlier_region = PLANNER_NO_REGION };
}

static struct planner_result choose(struct world *w, const struct planner_job *job)
{
	struct planner_result r;

	planner_round_init(&w->round, &w->signals, job, 1, &w->arena);
	planner_choose(&w->round, job, &r);
	return r;
}

static void test_waits_for_the_cleanest_window(void **state)
{
	struct world *w = *state;
	struct planner_job job = job_of("a");
	struct planner_result r;

	CARBON(w, 300, 200, 100, 50, 100, 300, 400, 500);
	r = choose(w, &job);
	assert_choice(&r, PLANNER_CHOSEN, 0, SLOT(2)); /* 100 and 50; at slot 3 it is the same, but later */
	assert_binding(r, PLANNER_BINDING_NONE);
	assert_int_equal(r.choice.energy_milliwatt_hours, 2000000);
	assert_int_equal(r.choice.carbon_milligrams, 150000);   /* 2 kWh at a mean of 75 g */
	assert_int_equal(r.baseline.carbon_milligrams, 500000); /* at once: 250 g */
	assert_true(fabs(r.carbon_scale_mg_per_kwh - 243750) < 1e-6);
	assert_true(fabs(r.gain - (250000 - 75000) / 243750.) < 1e-12);
	assert_int_equal(r.worst.start_ms, T0);

	/* The same again with one value changed: the test would notice if the planner looked elsewhere. */
	w->carbon[0][4] = 90000;
	r = choose(w, &job);
	assert_choice(&r, PLANNER_CHOSEN, 0, SLOT(3));
}

static void test_partial_slots_are_prorated(void **state)
{
	struct world *w = *state;
	struct planner_job job = job_of("a");
	struct planner_result r;

	CARBON(w, 100, 400, 100, 100, 100, 100, 100, 100);
	job.duration_ms = 45 * MINUTE_MS;
	job.latest_start_ms = T0;
	w->signals.now_ms = T0 + 10 * MINUTE_MS;
	r = choose(w, &job); /* 20 min at 100, 25 min at 400 */
	assert_int_equal(r.choice.start_ms, w->signals.now_ms);
	assert_int_equal(r.choice.carbon_milligrams, 400000); /* 1.5 kWh at 12000 / 45 g */

	/* A start at the job's latest start, in the middle of a slot. */
	job.latest_start_ms = SLOT(2) + 10 * MINUTE_MS;
	w->carbon[0][2] = 130000;
	r = choose(w, &job);
	assert_choice(&r, PLANNER_CHOSEN, 0, job.latest_start_ms);
}

static void test_moves_only_by_more_than_the_noise(void **state)
{
	struct world *w = *state;
	struct planner_job job = job_of("a");
	struct planner_result r;

	CARBON(w, 200, 200, 185, 185, 200, 200, 200, 200);
	w->signals.carbon_error_mg_per_kwh = 20000;
	r = choose(w, &job);
	assert_choice(&r, PLANNER_KEPT, 0, T0);
	assert_binding(r, PLANNER_BINDING_NOISE);
	assert_true(r.gain == 0);
	assert_int_equal(r.best.start_ms, SLOT(2));
	w->signals.carbon_error_mg_per_kwh = 14999;
	r = choose(w, &job);
	assert_choice(&r, PLANNER_CHOSEN, 0, SLOT(2));
	/* A forecast that is trusted less has an error of its own; one that is trusted more makes the others no better.
	 */
	w->regions[0].carbon_error_mg_per_kwh = 15001;
	r = choose(w, &job);
	assert_choice(&r, PLANNER_KEPT, 0, T0);
	w->regions[0].carbon_error_mg_per_kwh = 14000;
	r = choose(w, &job);
	assert_choice(&r, PLANNER_CHOSEN, 0, SLOT(2));
	w->regions[0].carbon_error_mg_per_kwh = 0;

	/* The price's error is a part of its scale, and each error counts by its weight. */
	job.weight_cost = 3;
	region_add(w, 8, VALUES(200, 200, 100, 100, 200, 200, 200, 200), VALUES(9, 9, 9, 9, 9, 9, 9, 9));
	w->regions[0].price_micros_per_kwh = w->regions[1].price_micros_per_kwh;
	w->signals.carbon_error_mg_per_kwh = 20000;
	r = choose(w, &job);
	assert_true(fabs(r.noise - (0.25 * 20000 / r.carbon_scale_mg_per_kwh + 0.75 * 0.1)) < 1e-12);
}

static void test_an_earlier_plan_is_kept_within_the_noise(void **state)
{
	struct world *w = *state;
	struct planner_job job = job_of("a");
	struct planner_result r;

	CARBON(w, 300, 300, 90, 90, 100, 100, 300, 300);
	w->signals.carbon_error_mg_per_kwh = 20000;
	job.earlier_region = 0;
	job.earlier_start_ms = SLOT(4);
	r = choose(w, &job);
	assert_choice(&r, PLANNER_KEPT, 0, SLOT(4));
	job.earlier_region = PLANNER_NO_REGION; /* without it, home at once is what has to be beaten */
	r = choose(w, &job);
	assert_choice(&r, PLANNER_CHOSEN, 0, SLOT(2));

	/* Due, and a little past: it stays "now", there. Past latest start it is no plan any more. */
	job.earlier_region = 0;
	job.earlier_start_ms = SLOT(2);
	w->signals.now_ms = SLOT(2) + 400;
	r = choose(w, &job);
	assert_choice(&r, PLANNER_KEPT, 0, w->signals.now_ms);
	job.earlier_start_ms = SLOT(5);
	w->signals.now_ms = T0;
	r = choose(w, &job);
	assert_choice(&r, PLANNER_CHOSEN, 0, SLOT(2));
}

static void test_starts_are_spread_behind_the_border(void **state)
{
	struct world *w = *state;
	struct planner_job job = job_of("a");
	struct planner_result r;

	CARBON(w, 300, 300, 100, 100, 200, 300, 300, 300);
	job.spread_ms = 10 * MINUTE_MS;
	r = choose(w, &job);
	assert_choice(&r, PLANNER_CHOSEN, 0, SLOT(2) + job.spread_ms);
	assert_true(fabs(r.choice.objective - 100000 / r.carbon_scale_mg_per_kwh) < 1e-12); /* compared at the border */
	assert_int_equal(r.choice.carbon_milligrams, 2 * (50 * 100 + 10 * 200) * 1000 / 60); /* figures of the run */

	job.earlier_region = 0; /* the plan just made is the incumbent, and so is not seen as worse by its spread */
	job.earlier_start_ms = r.choice.start_ms;
	r = choose(w, &job);
	assert_choice(&r, PLANNER_KEPT, 0, SLOT(2) + job.spread_ms);
	assert_true(r.choice.objective == r.best.objective);

	job.earlier_region = PLANNER_NO_REGION;
	job.latest_start_ms = SLOT(2) + MINUTE_MS; /* never past the latest start */
	r = choose(w, &job);
	assert_choice(&r, PLANNER_CHOSEN, 0, SLOT(2) + MINUTE_MS);
	job.latest_start_ms = SLOT(4);
	CARBON(w, 100, 100, 300, 300, 300, 300, 300, 300);
	job.regions = &both[1];
	job.home = 1;
	r = choose(w, &job); /* now is never spread */
	assert_choice(&r, PLANNER_KEPT, 1, T0);
}

static void test_unknown_carbon_is_not_compared(void **state)
{
	struct world *w = *state;
	struct planner_job job = job_of("a");
	struct planner_result r;

	CARBON(w, 300, 300, U, 100, 200, 200, U, U); /* 5 candidates: slots 1 and 2 meet the gap */
	r = choose(w, &job);
	assert_choice(&r, PLANNER_CHOSEN, 0, SLOT(3));
	assert_int_equal(r.rejected.no_data, 2);
	assert_binding(r, PLANNER_BINDING_NO_DATA);

	job.latest_start_ms = SLOT(6); /* behind the forecast's end nothing is compared either */
	r = choose(w, &job);
	assert_choice(&r, PLANNER_CHOSEN, 0, SLOT(3));
	assert_int_equal(r.rejected.no_data, 4);
	assert_binding(r, PLANNER_BINDING_HORIZON);
	job.latest_start_ms = SLOT(1000);
	r = choose(w, &job);
	assert_choice(&r, PLANNER_CHOSEN, 0, SLOT(3));

	job.weight_carbon = 0; /* who does not ask for carbon does not mind */
	job.weight_delay = 1;
	job.latest_start_ms = SLOT(4);
	r = choose(w, &job);
	assert_choice(&r, PLANNER_KEPT, 0, T0);
	assert_int_equal(r.rejected.no_data, 0);
}

static void test_no_data(void **state)
{
	struct world *w = *state;
	struct planner_job job = job_of("a");
	struct planner_result r;

	CARBON(w, U, U, U, U, U, U, U, U);
	PRICE(w, 8, 7, 6, 5, 4, 3, 2, 1);
	job.regions = both;
	job.n_regions = 2;
	r = choose(w, &job);
	assert_choice(&r, PLANNER_AT_ONCE, 0, T0);
	assert_binding(r, PLANNER_BINDING_NO_DATA);
	assert_true(isnan(r.choice.objective));
	assert_false(r.choice.carbon_known);
	assert_int_equal(r.best.region, PLANNER_NO_REGION);
	assert_int_equal(r.n_options, 0);
	job.run_at_latest_on_no_data = true;
	r = choose(w, &job);
	assert_choice(&r, PLANNER_NO_DATA_WAIT, 0, SLOT(4));

	/* Only cost counts, and no price is known where it may run. */
	job.weight_carbon = 0;
	job.weight_cost = 1;
	job.n_regions = 1;
	r = choose(w, &job);
	assert_choice(&r, PLANNER_NO_DATA_WAIT, 0, SLOT(4));

	/* A run that is longer than the forecast. */
	job = job_of("a");
	CARBON(w, 3, 2, 1, 1, 1, 1, 1, 1);
	job.home = 2;
	job.regions = (const int16_t[]){ 2 };
	job.duration_ms = 9 * SLOT_MS;
	r = choose(w, &job);
	assert_choice(&r, PLANNER_AT_ONCE, 2, T0);
}

static void test_unknown_price_has_no_effect_of_its_own(void **state)
{
	struct world *w = *state;
	struct planner_job job = job_of("a");
	struct planner_result r;

	PRICE(w, 10, 10, 10, U, U, 10, 9, 11);
	job.weight_carbon = 0;
	job.weight_cost = 1;
	r = choose(w, &job); /* the unknown ones count as 10 */
	assert_choice(&r, PLANNER_KEPT, 0, T0);
	assert_true(r.choice.cost_known);
	assert_true(r.worst.objective == r.best.objective);
	job.earliest_ms = SLOT(3);
	r = choose(w, &job);
	assert_false(r.choice.cost_known);

	/* A region without any price counts as the mean of those that have one: neither cheap nor dear. */
	job = job_of("a");
	job.weight_cost = 1;
	job.regions = (const int16_t[]){ 1, 2, 3 };
	job.n_regions = 3;
	job.home = 1;
	region_add(w, 8, VALUES(9, 9, 9, 9, 9, 9, 9, 9), VALUES(20, 20, 20, 20, 20, 20, 20, 20));
	region_add(w, 8, VALUES(9, 9, 9, 9, 9, 9, 9, 9), VALUES(12, 12, 12, 12, 12, 12, 12, 12));
	region_add(w, 8, VALUES(9, 9, 9, 9, 9, 9, 9, 9), NULL);
	r = choose(w, &job);
	assert_choice(&r, PLANNER_CHOSEN, 2, T0);
	assert_int_equal(r.options[1].region, 3);
	assert_true(fabs(r.options[1].objective - (0.5 + 0.5)) < 1e-12); /* 16, as the scale */
	assert_false(r.options[1].cost_known);
}

static void test_ties(void **state)
{
	struct world *w = *state;
	struct planner_job job = job_of("a");
	struct planner_result r;

	CARBON(w, 200, 200, 100, 100, 100, 100, 100, 100);
	CARBON(w, 200, 200, 100, 100, 100, 100, 100, 100);
	CARBON(w, 200, 200, 100, 100, 100, 100, 100, 100);
	job.regions = (const int16_t[]){ 2, 0, 1 };
	job.n_regions = 3;
	r = choose(w, &job); /* earliest, then home */
	assert_choice(&r, PLANNER_CHOSEN, 0, SLOT(2));
	w->carbon[0][2] = 101000; /* home out of it: the order of `regions` */
	r = choose(w, &job);
	assert_choice(&r, PLANNER_CHOSEN, 2, SLOT(2));
}

static void test_soft_limits_give_way_to_the_deadline(void **state)
{
	struct world *w = *state;
	struct planner_job job = job_of("a");
	struct planner_result r;

	CARBON(w, 100, 100, 200, 200, 250, 250, 300, 300);
	CARBON(w, 300, 300, 300, 300, 240, 240, 300, 300);
	job.regions = both;
	job.n_regions = 2;
	job.max_carbon = (struct planner_limit){ PLANNER_LIMIT_SOFT, 100000 };
	r = choose(w, &job);
	assert_choice(&r, PLANNER_KEPT, 0, T0); /* the limit itself is met */
	assert_int_equal(r.rejected.max_carbon, 9);
	job.max_carbon.value = 99999;
	r = choose(w, &job); /* waits in hope of better, and at the end takes what breaks it least */
	assert_choice(&r, PLANNER_FORCED, 1, SLOT(4));
	assert_binding(r, PLANNER_BINDING_LIMIT);
	job.n_regions = 1;
	r = choose(w, &job);
	assert_choice(&r, PLANNER_FORCED, 0, SLOT(4));

	/* The better price may lie at a start that breaks the limit. */
	w->carbon[0][0] = w->carbon[0][1] = 350000;
	job.max_carbon.value = 250000;
	w->regions[0].price_micros_per_kwh = fill(w->price[0], VALUES(1, 1, 5, 5, 5, 5, 5, 5), 8, 10000);
	job.weight_cost = 10;
	r = choose(w, &job);
	assert_choice(&r, PLANNER_CHOSEN, 0, SLOT(2));
	assert_binding(r, PLANNER_BINDING_LIMIT);
	assert_true(r.gain < 0); /* there was no incumbent to beat: now at home breaks the limit */
}

static void test_hard_limits_win(void **state)
{
	struct world *w = *state;
	struct planner_job job = job_of("a");
	struct planner_result r;

	CARBON(w, 300, 300, 200, 200, 250, 250, U, U);
	job.max_carbon = (struct planner_limit){ PLANNER_LIMIT_HARD, 200000 };
	r = choose(w, &job);
	assert_choice(&r, PLANNER_CHOSEN, 0, SLOT(2));
	job.max_carbon.value = 199999;
	r = choose(w, &job);
	assert_choice(&r, PLANNER_HARD_LIMIT, PLANNER_NO_REGION, 0);
	assert_binding(r, PLANNER_BINDING_LIMIT);
	assert_int_equal(r.rejected.max_carbon, 5);

	job.earliest_ms = SLOT(6); /* from here on nothing is known */
	job.latest_start_ms = SLOT(7);
	r = choose(w, &job);
	assert_choice(&r, PLANNER_HARD_UNKNOWN, PLANNER_NO_REGION, 0);
	job.max_carbon.enforcement = PLANNER_LIMIT_SOFT; /* a soft one does not mind the unknown */
	r = choose(w, &job);
	assert_choice(&r, PLANNER_AT_ONCE, 0, SLOT(6));

	/* Hard carbon before soft price: of the starts that carbon allows, the best, though none meets the price. */
	job = job_of("a");
	job.max_carbon = (struct planner_limit){ PLANNER_LIMIT_HARD, 200000 };
	job.max_price = (struct planner_limit){ PLANNER_LIMIT_SOFT, 1 };
	w->regions[0].price_micros_per_kwh = fill(w->price[0], VALUES(5, 5, 5, 5, 5, 5, 5, 5), 8, 10000);
	r = choose(w, &job);
	assert_choice(&r, PLANNER_FORCED, 0, SLOT(2));
	assert_int_equal(r.rejected.max_carbon, 4);
	assert_int_equal(r.rejected.max_price, 1);

	job.max_price.enforcement = PLANNER_LIMIT_NONE;
	job.min_renewable = (struct planner_limit){ PLANNER_LIMIT_HARD, 1 };
	r = choose(w, &job);
	assert_choice(&r, PLANNER_HARD_LIMIT, PLANNER_NO_REGION, 0);
	assert_int_equal(r.rejected.min_renewable, 1);
}

static void test_power_is_shared_in_the_order_of_the_deadlines(void **state)
{
	struct world *w = *state;
	struct planner_job jobs[3] = { job_of("a"), job_of("b"), job_of("c") };
	struct planner_result r[3];

	CARBON(w, 300, 300, 100, 100, 200, 200, 300, 300);
	w->regions[0].power_limit_milliwatts = 2000000;
	jobs[0].latest_start_ms = SLOT(6);
	jobs[1].latest_start_ms = SLOT(5);
	jobs[2].latest_start_ms = SLOT(3);
	planner_round_init(&w->round, &w->signals, jobs, 3, &w->arena);
	planner_round_run(&w->round, jobs, 3, r, &w->arena);
	assert_choice(&r[2], PLANNER_CHOSEN, 0, SLOT(2));
	assert_choice(&r[1], PLANNER_CHOSEN, 0, SLOT(4));
	assert_binding(r[1], PLANNER_BINDING_POWER);
	assert_int_equal(r[1].rejected.power, 3);
	assert_choice(&r[0], PLANNER_KEPT, 0, T0);

	/* A running job's reservation counts in every slot that it touches. */
	planner_round_init(&w->round, &w->signals, jobs, 3, &w->arena);
	planner_reserve(&w->round, 0, T0 - HOUR_MS, SLOT(2) + 1, 1);
	planner_choose(&w->round, &jobs[2], &r[2]);
	assert_choice(&r[2], PLANNER_CHOSEN, 0, SLOT(3));
}

static void test_who_cannot_wait_is_placed_first(void **state)
{
	struct world *w = *state;
	struct planner_job jobs[3] = { job_of("a"), job_of("b"), job_of("c") };
	struct planner_result r[3];

	CARBON(w, 100, 100, 200, 200, 300, 300, 300, 300);
	w->regions[0].power_limit_milliwatts = 4000000;
	w->regions[0].power_limit_hard = true;
	jobs[0].latest_start_ms = SLOT(3);
	jobs[1].critical = true;
	jobs[1].latest_start_ms = SLOT(6);
	jobs[2].latest_start_ms = TIME_NONE;
	planner_round_init(&w->round, &w->signals, jobs, 3, &w->arena);
	planner_round_run(&w->round, jobs, 3, r, &w->arena);
	assert_choice(&r[0], PLANNER_CHOSEN, 0, SLOT(2));
	assert_binding(r[0], PLANNER_BINDING_POWER);
	assert_choice(&r[1], PLANNER_AT_ONCE, 0, T0);
	assert_choice(&r[2], PLANNER_AT_ONCE, 0, T0);
}

static void test_soft_power_gives_way_hard_power_does_not(void **state)
{
	struct world *w = *state;
	struct planner_job job = job_of("a");
	struct planner_result r;

	CARBON(w, 300, 300, 100, 100, 200, 200, 300, 300);
	w->regions[0].power_limit_milliwatts = 1999999;
	r = choose(w, &job);
	assert_choice(&r, PLANNER_FORCED, 0, SLOT(4));
	assert_binding(r, PLANNER_BINDING_POWER);
	job.critical = true;
	r = choose(w, &job);
	assert_choice(&r, PLANNER_AT_ONCE, 0, T0);

	w->regions[0].power_limit_hard = true;
	r = choose(w, &job);
	assert_choice(&r, PLANNER_HARD_LIMIT, PLANNER_NO_REGION, 0);
	assert_binding(r, PLANNER_BINDING_POWER);
	job.critical = false;
	r = choose(w, &job);
	assert_choice(&r, PLANNER_HARD_LIMIT, PLANNER_NO_REGION, 0);
	CARBON(w, 300, 300, 300, 300, 300, 300, 300, 300);
	job.regions = both;
	job.n_regions = 2;
	r = choose(w, &job);
	assert_choice(&r, PLANNER_CHOSEN, 1, T0);
	job.critical = true;
	r = choose(w, &job);
	assert_choice(&r, PLANNER_AT_ONCE, 1, T0);
}

static void test_critical_runs_at_once_whatever_the_signals(void **state)
{
	struct world *w = *state;
	struct planner_job job = job_of("a");
	struct planner_result r;

	CARBON(w, 900, 900, 1, 1, 1, 1, 1, 1);
	CARBON(w, 1, 1, 1, 1, 1, 1, 1, 1);
	job.critical = true;
	job.regions = both;
	job.n_regions = 2;
	job.max_carbon = (struct planner_limit){ PLANNER_LIMIT_HARD, 5 };
	r = choose(w, &job);
	assert_choice(&r, PLANNER_AT_ONCE, 0, T0);
	assert_binding(r, PLANNER_BINDING_NONE);
}

static void test_what_cannot_wait_can_still_move(void **state)
{
	struct world *w = *state;
	struct planner_job job = job_of("a");
	struct planner_result r;

	CARBON(w, 300, 300, 1, 1, 1, 1, 1, 1);
	CARBON(w, 100, 100, 1, 1, 1, 1, 1, 1);
	job.latest_start_ms = TIME_NONE;
	r = choose(w, &job);
	assert_choice(&r, PLANNER_AT_ONCE, 0, T0);
	job.regions = both;
	job.n_regions = 2;
	r = choose(w, &job);
	assert_choice(&r, PLANNER_AT_ONCE, 1, T0);
	job.latest_start_ms = T0 - DAY_MS; /* a latest start that has passed leaves no time either */
	r = choose(w, &job);
	assert_choice(&r, PLANNER_CHOSEN, 1, T0);
	job.regions = &both[1]; /* home is only the baseline's place */
	job.n_regions = 1;
	r = choose(w, &job);
	assert_choice(&r, PLANNER_CHOSEN, 1, T0);
	assert_int_equal(r.baseline.region, 0);
	assert_true(r.gain > 0);
}

static void test_delay_has_its_price(void **state)
{
	struct world *w = *state;
	struct planner_job job = job_of("a");
	struct planner_result r;

	CARBON(w, 200, 200, 160, 160, 130, 130, 300, 300);
	job.weight_carbon = 60;
	r = choose(w, &job);
	assert_choice(&r, PLANNER_CHOSEN, 0, SLOT(4));
	job.weight_delay = 30;
	r = choose(w, &job);
	assert_choice(&r, PLANNER_KEPT, 0, T0);
	assert_true(fabs(r.best.objective - 2. / 3 * 200000 / r.carbon_scale_mg_per_kwh) < 1e-12);
	w->signals.now_ms = SLOT(2); /* delay counts from `earliest`, not from now */
	r = choose(w, &job);
	assert_true(fabs(r.baseline.objective - (2. / 3 * 160000 / r.carbon_scale_mg_per_kwh + 1. / 3 * 0.5)) < 1e-12);
}

static void test_options_show_each_region_first(void **state)
{
	struct world *w = *state;
	struct planner_job job = job_of("a");
	struct planner_result r;

	CARBON(w, 300, 300, 100, 100, 110, 110, 300, 300);
	CARBON(w, 400, 400, 400, 390, 390, 400, 400, 400);
	job.regions = both;
	job.n_regions = 2;
	r = choose(w, &job);
	assert_int_equal(r.n_options, 5);
	assert_int_equal(r.options[0].start_ms, SLOT(2));
	assert_int_equal(r.options[1].region, 1);
	assert_int_equal(r.options[1].start_ms, SLOT(3));
	assert_int_equal(r.options[2].start_ms, SLOT(3));
	assert_int_equal(r.options[3].start_ms, SLOT(4));
	assert_int_equal(r.options[4].start_ms, SLOT(1));

	/* Spread starts that meet at latest start are one option. */
	job.latest_start_ms = SLOT(2) + 1;
	job.spread_ms = MINUTE_MS;
	job.n_regions = 1;
	r = choose(w, &job);
	assert_int_equal(r.n_options, 3);
}

static void test_what_was_binding(void **state)
{
	struct world *w = *state;
	struct planner_job job = job_of("a");
	struct planner_result r;

	CARBON(w, 300, 300, 200, 200, 250, 250, 100, 100);
	r = choose(w, &job);
	assert_choice(&r, PLANNER_CHOSEN, 0, SLOT(2));
	assert_binding(r, PLANNER_BINDING_DEADLINE);
	job.latest_start_ms = SLOT(6);
	r = choose(w, &job);
	assert_binding(r, PLANNER_BINDING_NONE);
	job.latest_start_ms = SLOT(6) + 1;
	r = choose(w, &job);
	assert_binding(r, PLANNER_BINDING_HORIZON);
}

static void test_signs_and_zeros(void **state)
{
	struct world *w = *state;
	struct planner_job job = job_of("a");
	struct planner_result r;

	region_add(w, 8, VALUES(0, 0, 0, 0, 0, 0, 0, 0), VALUES(5, 5, 5, -8, -9, 5, 5, 5));
	job.weight_cost = 1;
	r = choose(w, &job); /* carbon 0 everywhere drops out; being paid is better than anything */
	assert_choice(&r, PLANNER_CHOSEN, 0, SLOT(3));
	assert_true(r.choice.cost_micros == -170000); /* 2 kWh at -8.5 pence */
	assert_true(r.choice.objective < 0);
	assert_true(fabs(r.price_scale_micros_per_kwh - 58750) < 1e-9);
	assert_true(r.choice.carbon_known && r.choice.carbon_milligrams == 0);
}

static void test_renewable_share(void **state)
{
	struct world *w = *state;
	struct planner_job job = job_of("a");
	struct planner_result r;

	CARBON(w, U, U, U, U, U, U, U, U);
	w->regions[0].renewable_permille = fill(w->renewable[0], VALUES(300, 300, 500, 701, U, 500, 500, 500), 8, 1);
	job.weight_carbon = 0;
	job.weight_renewable = 1;
	r = choose(w, &job);
	assert_choice(&r, PLANNER_CHOSEN, 0, SLOT(2));
	assert_int_equal(r.choice.renewable_permille, 601);
	assert_true(fabs(r.choice.objective - (1 - 0.6005)) < 1e-12);
	job.min_renewable = (struct planner_limit){ PLANNER_LIMIT_HARD, 601 };
	r = choose(w, &job);
	assert_choice(&r, PLANNER_HARD_LIMIT, PLANNER_NO_REGION, 0);
}

static void test_evaluate_knows_any_run(void **state)
{
	struct world *w = *state;
	struct planner_job job = job_of("a");
	struct planner_option o;

	region_add(w, 4, VALUES(100, 200, 300, 400), VALUES(1, 2, U, 4));
	choose(w, &job);
	planner_evaluate(&w->round, 0, SLOT(1) + 20 * MINUTE_MS, 40 * MINUTE_MS, 3000000, &o);
	assert_int_equal(o.end_ms, SLOT(3));
	assert_int_equal(o.energy_milliwatt_hours, 2000000);
	assert_int_equal(o.carbon_milligrams, 550000);
	assert_false(o.cost_known);
	assert_true(isnan(o.objective));
	planner_evaluate(&w->round, 0, T0 - 1, HOUR_MS, 1000, &o);
	assert_false(o.carbon_known);
	planner_evaluate(&w->round, 0, SLOT(3), 30 * MINUTE_MS + 1, 1000, &o);
	assert_false(o.carbon_known);
	planner_evaluate(&w->round, 0, SLOT(1000), 1, 1000, &o);
	assert_false(o.carbon_known);
	planner_evaluate(&w->round, 0, SLOT(0), 2 * HOUR_MS, 1, &o); /* half a milligram */
	assert_true(o.carbon_known && o.carbon_milligrams == 1 && o.energy_milliwatt_hours == 2);
}

static void test_cost_function(void **state)
{
	struct planner_job job = { .weight_carbon = 60, .weight_cost = 30, .weight_delay = 10 };

	(void)state;
	assert_true(fabs(planner_cost(&job, 200, 100, 50, 100, NAN, 0.5) - (1.2 + 0.15 + 0.05)) < 1e-12);
	assert_true(fabs(planner_cost(&job, NAN, 100, 50, 100, NAN, 0) - 0.15) < 1e-12);
	assert_true(planner_cost(&job, 200, 0, 50, 0, 1000, NAN) == 0);
}

static void test_names(void **state)
{
	(void)state;
	for (int i = 0; i <= PLANNER_HARD_UNKNOWN; i++)
		assert_non_null(planner_outcome_name((enum planner_outcome)i));
	for (int i = 0; i <= PLANNER_BINDING_NOISE; i++)
		assert_non_null(planner_binding_name((enum planner_binding)i));
	assert_string_equal(planner_binding_name(PLANNER_BINDING_NO_DATA), "no-data");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_waits_for_the_cleanest_window),
		TEST(test_partial_slots_are_prorated),
		TEST(test_moves_only_by_more_than_the_noise),
		TEST(test_an_earlier_plan_is_kept_within_the_noise),
		TEST(test_starts_are_spread_behind_the_border),
		TEST(test_unknown_carbon_is_not_compared),
		TEST(test_no_data),
		TEST(test_unknown_price_has_no_effect_of_its_own),
		TEST(test_ties),
		TEST(test_soft_limits_give_way_to_the_deadline),
		TEST(test_hard_limits_win),
		TEST(test_power_is_shared_in_the_order_of_the_deadlines),
		TEST(test_who_cannot_wait_is_placed_first),
		TEST(test_soft_power_gives_way_hard_power_does_not),
		TEST(test_critical_runs_at_once_whatever_the_signals),
		TEST(test_what_cannot_wait_can_still_move),
		TEST(test_delay_has_its_price),
		TEST(test_options_show_each_region_first),
		TEST(test_what_was_binding),
		TEST(test_signs_and_zeros),
		TEST(test_renewable_share),
		TEST(test_evaluate_knows_any_run),
		TEST(test_cost_function),
		TEST(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
