/* SPDX-License-Identifier: Apache-2.0 */
/* What a job used and saved, computed by hand. */
#include "decide_fixture.h"

#include "decide/account.h"

#define KW 1000000 /* mW */
#define NOW "2023-02-09T12:00:00Z"
#define SLOTS 48
#define X GRID_UNKNOWN

/* Columns of half hours from 2023-02-09T00:00Z on. */
struct columns {
	int32_t carbon[SLOTS], price[SLOTS];
	uint8_t kind[SLOTS];
};

static struct gridregion *region(const char *name, int32_t carbon, int32_t price)
{
	struct gridregion *r = arena_new(&fixture.arena, struct gridregion);
	struct columns *c = arena_new(&fixture.arena, struct columns);
	static const struct grid_source sources[] = { { .metric = "carbon", .provider = "nationalgrid" } };

	for (int i = 0; i < SLOTS; i++) {
		c->carbon[i] = carbon;
		c->price[i] = price;
		c->kind[i] = GRID_KIND_ESTIMATED;
	}
	r->obj.meta.name = name;
	r->recent = (struct grid_recent){ at("2023-02-09T00:00:00Z"), SLOTS, c->carbon, c->price, c->kind };
	r->forecast.start_ms = TIME_NONE;
	r->basis = (struct grid_basis){ "average", "direct", "consumption", "regional" };
	r->currency = "GBP";
	r->sources = sources;
	r->n_sources = 1;
	return r;
}

static void set(struct gridregion *r, const char *from, const char *to, int32_t carbon)
{
	for (int64_t t = at(from); t < at(to); t += SLOT_MS)
		((int32_t *)r->recent.carbon)[(t - r->recent.start_ms) / SLOT_MS] = carbon;
}

static struct grid_view view;

/* london 200 g and 0.20, wales 100 g and 0.30 per kWh. */
static void two_regions(struct gridregion **london, struct gridregion **wales)
{
	static const struct translate_config config = { .max_forecast_age_ms = DAY_MS };
	const struct gridregion **list = arena_array(&fixture.arena, 2, const struct gridregion *);

	*london = region("london", 200000, 200000);
	*wales = region("wales", 100000, 300000);
	list[0] = *wales;
	list[1] = *london;
	grid_view_init(&view, &config, at(NOW), list, 2, NULL, 0, &fixture.arena);
}

static struct pod_interval ran(const char *where, const char *from, const char *to)
{
	return (struct pod_interval){ where, at(from), at(to), KW };
}

/* Baseline at home from 00:00 on; what was expected is 10 g less. */
static struct caj_status planned_in_london(void)
{
	struct caj_figures base = { true, true, true, 1000000, 200000, 200000 }, plan = base;

	plan.carbon_milligrams -= 10000;
	return (struct caj_status){ .baseline = { "run-at-once-at-home", "london", at("2023-02-09T00:00:00Z"), base },
				    .plan = { .n_segments = 1, .expected = plan },
				    .released_ms = at("2023-02-09T04:00:00Z"),
				    .runs = arena_array(&fixture.arena, CAJ_MAX_RUNS, struct caj_run) };
}

static struct account account(const struct caj_status *status, const struct pod_interval *pods, size_t n,
			      const char *now)
{
	struct account a;

	account_job(&view, status, "job-1", pods, n, at(now), &fixture.arena, &a);
	return a;
}

static void assert_identity(const struct caj_savings *s)
{
	assert_true(s->present);
	if (s->total.carbon_known)
		assert_int_equal(s->time.carbon_milligrams + s->place.carbon_milligrams, s->total.carbon_milligrams);
	if (s->total.cost_known)
		assert_int_equal(s->time.cost_micros + s->place.cost_micros, s->total.cost_micros);
}

static void one_kilowatt_for_an_hour(void **state)
{
	struct gridregion *london, *wales;
	struct caj_status status = planned_in_london();
	struct pod_interval pod = ran("wales", "2023-02-09T04:00:00Z", "2023-02-09T05:00:00Z");

	(void)state;
	two_regions(&london, &wales);
	set(london, "2023-02-09T04:00:00Z", "2023-02-09T05:00:00Z", 150000);
	struct account a = account(&status, &pod, 1, NOW);
	assert_true(a.known && !a.final);
	assert_int_equal(a.n_runs, 1);
	assert_string_equal(a.runs[0].region, "wales");
	assert_int_equal(a.runs[0].pods, 1);
	/* 1 kWh at 100 g and 0.30 */
	assert_int_equal(a.total.energy_milliwatt_hours, 1000000);
	assert_int_equal(a.total.carbon_milligrams, 100000);
	assert_int_equal(a.total.cost_micros, 300000);
	/* baseline 200 g; waiting brought it to 150 g, moving to 100 g. 100 g saved, 10 g were expected. */
	assert_int_equal(a.savings.time.carbon_milligrams, 50000);
	assert_int_equal(a.savings.place.carbon_milligrams, 50000);
	assert_int_equal(a.savings.total.carbon_milligrams, 100000);
	assert_int_equal(a.savings.forecast_error.carbon_milligrams, 90000);
	/* and it cost 0.10 more */
	assert_int_equal(a.savings.total.cost_micros, -100000);
	assert_identity(&a.savings);
	assert_string_equal(a.carbon_source, "nationalgrid regional, estimated");
}

static void parts_of_slots_are_prorated(void **state)
{
	struct gridregion *london, *wales;
	struct caj_status status = { .released_ms = TIME_NONE };
	struct pod_interval pod = ran("london", "2023-02-09T04:20:00Z", "2023-02-09T05:10:00Z");

	(void)state;
	two_regions(&london, &wales);
	set(london, "2023-02-09T04:00:00Z", "2023-02-09T04:30:00Z", 60000);
	set(london, "2023-02-09T04:30:00Z", "2023-02-09T05:00:00Z", 120000);
	set(london, "2023-02-09T05:00:00Z", "2023-02-09T05:30:00Z", 300000);
	struct account a = account(&status, &pod, 1, NOW);
	/* 1/6 h at 60 g, 1/2 h at 120 g, 1/6 h at 300 g: 10 + 60 + 50 g */
	assert_int_equal(a.total.carbon_milligrams, 120000);
	assert_int_equal(a.total.energy_milliwatt_hours, 833333);
	/* No plan, no baseline, no savings. */
	assert_false(a.savings.present);
}

static void evicted_pods_count_and_are_folded_once(void **state)
{
	struct gridregion *london, *wales;
	struct caj_status status = planned_in_london();
	struct pod_interval gone[] = { ran("london", "2023-02-09T04:00:00Z", "2023-02-09T04:30:00Z"),
				       ran("wales", "2023-02-09T04:30:00Z", "2023-02-09T05:00:00Z") };
	struct pod_interval last = ran("london", "2023-02-09T05:00:00Z", "2023-02-09T05:30:00Z");

	(void)state;
	two_regions(&london, &wales);
	account_fold(&view, &status, "job-1", gone, 2, &fixture.arena);
	assert_int_equal(status.n_runs, 2);
	struct account a = account(&status, &last, 1, NOW);
	/* half an hour each: 100 + 50 + 100 g, in two places */
	assert_int_equal(a.n_runs, 2);
	assert_int_equal(a.runs[0].pods, 2);
	assert_int_equal(a.runs[0].start_ms, at("2023-02-09T04:00:00Z"));
	assert_int_equal(a.runs[0].end_ms, at("2023-02-09T05:30:00Z"));
	assert_int_equal(a.total.energy_milliwatt_hours, 1500000);
	assert_int_equal(a.total.carbon_milligrams, 250000);
	assert_identity(&a.savings);
}

static void staying_at_home_saves_nothing_by_place(void **state)
{
	struct gridregion *london, *wales;
	struct caj_status status = planned_in_london();
	/* Uneven: what ran is not spread evenly over its window. */
	struct pod_interval pods[] = { ran("london", "2023-02-09T04:00:00Z", "2023-02-09T05:00:00Z"),
				       ran("london", "2023-02-09T08:00:00Z", "2023-02-09T08:10:00Z") };

	(void)state;
	two_regions(&london, &wales);
	set(london, "2023-02-09T04:00:00Z", "2023-02-09T05:00:00Z", 20000);
	struct account a = account(&status, pods, 2, NOW);
	assert_true(a.savings.place.carbon_known);
	assert_int_equal(a.savings.place.carbon_milligrams, 0);
	assert_int_equal(a.savings.place.cost_micros, 0);
	assert_identity(&a.savings);
}

static void savings_may_be_negative(void **state)
{
	struct gridregion *london, *wales;
	struct caj_status status = planned_in_london();
	struct pod_interval pod = ran("london", "2023-02-09T04:00:00Z", "2023-02-09T05:00:00Z");

	(void)state;
	two_regions(&london, &wales);
	set(london, "2023-02-09T04:00:00Z", "2023-02-09T05:00:00Z", 450000);
	struct account a = account(&status, &pod, 1, NOW);
	assert_int_equal(a.savings.total.carbon_milligrams, -250000);
	assert_int_equal(a.savings.forecast_error.carbon_milligrams, -260000);
	assert_identity(&a.savings);
}

static void what_rests_on_an_unknown_value_is_not_known(void **state)
{
	struct gridregion *london, *wales;
	struct caj_status status = planned_in_london();
	struct pod_interval pod = ran("london", "2023-02-09T04:00:00Z", "2023-02-09T05:00:00Z");

	(void)state;
	two_regions(&london, &wales);
	set(london, "2023-02-09T04:30:00Z", "2023-02-09T05:00:00Z", X);
	struct account a = account(&status, &pod, 1, NOW);
	assert_true(a.total.energy_known && !a.total.carbon_known && a.total.cost_known);
	assert_false(a.savings.total.carbon_known || a.savings.time.carbon_known ||
		     a.savings.forecast_error.carbon_known);
	assert_true(a.savings.total.cost_known);
	/* Power that nobody knows makes nothing known, and a pod on a node of no region has no carbon. */
	pod.milliwatts = 0;
	a = account(&status, &pod, 1, NOW);
	assert_false(a.total.energy_known || a.total.carbon_known || a.total.cost_known);
	pod.milliwatts = KW;
	pod.region = NULL;
	a = account(&status, &pod, 1, NOW);
	assert_true(a.total.energy_known && !a.total.carbon_known);
	assert_null(a.runs[0].region);
	/* Pods without a place come together, too. */
	account_fold(&view, &status, "job-1", &pod, 1, &fixture.arena);
	a = account(&status, &pod, 1, NOW);
	assert_int_equal(a.n_runs, 1);
	assert_false(account(&status, NULL, 0, NOW).final);
}

static void a_forecast_stands_in_until_there_is_an_outturn(void **state)
{
	struct gridregion *london, *wales;
	struct caj_status status = planned_in_london();
	struct pod_interval pod = ran("london", "2023-02-09T04:00:00Z", "2023-02-09T05:00:00Z");
	int32_t forecast[SLOTS];

	(void)state;
	two_regions(&london, &wales);
	for (int i = 0; i < SLOTS; i++)
		forecast[i] = 80000;
	london->forecast = (struct grid_forecast){
		.start_ms = at("2023-02-09T00:00:00Z"), .slot_ms = SLOT_MS, .n = SLOTS, .carbon_p50 = forecast
	};
	set(london, "2023-02-09T04:30:00Z", "2023-02-09T05:00:00Z", X);
	assert_int_equal(account(&status, &pod, 1, NOW).total.carbon_milligrams, 140000);
}

static void it_is_final_a_day_after_the_run(void **state)
{
	struct gridregion *london, *wales;
	struct caj_status status = planned_in_london();
	struct pod_interval pod = ran("london", "2023-02-09T04:00:00Z", "2023-02-09T05:00:00Z");

	(void)state;
	two_regions(&london, &wales);
	assert_false(account(&status, &pod, 1, "2023-02-10T04:59:59Z").final);
	assert_true(account(&status, &pod, 1, "2023-02-10T05:00:00Z").final);
}

static void a_day_later_revised_values_count_and_forgotten_ones_stay(void **state)
{
	struct gridregion *london, *wales;
	struct caj_status status = planned_in_london();
	struct pod_interval pod = ran("wales", "2023-02-09T04:00:00Z", "2023-02-09T05:00:00Z");
	struct account a;

	(void)state;
	two_regions(&london, &wales);
	a = account(&status, &pod, 1, NOW);
	status.n_runs = a.n_runs;
	memcpy(status.runs, a.runs, sizeof(a.runs));
	struct caj_actual actual = { .figures = a.total };
	struct caj_savings savings = a.savings;
	status.actual = &actual;
	status.savings = &savings;
	/* The run's values are revised; those of the baseline's window have left the provider's memory. */
	set(wales, "2023-02-09T04:00:00Z", "2023-02-09T05:00:00Z", 130000);
	set(london, "2023-02-09T00:00:00Z", "2023-02-09T01:00:00Z", X);
	account_again(&view, &status, at("2023-02-10T06:00:00Z"), &fixture.arena, &a);
	assert_true(a.final);
	assert_int_equal(a.total.energy_milliwatt_hours, 1000000);
	assert_int_equal(a.total.carbon_milligrams, 130000);
	assert_int_equal(a.savings.total.carbon_milligrams, 70000);
	assert_identity(&a.savings);
	/* Then everything is forgotten: nothing that was known becomes unknown. */
	set(wales, "2023-02-09T00:00:00Z", "2023-02-10T00:00:00Z", X);
	set(london, "2023-02-09T00:00:00Z", "2023-02-10T00:00:00Z", X);
	account_again(&view, &status, at("2023-02-12T06:00:00Z"), &fixture.arena, &a);
	assert_int_equal(a.total.carbon_milligrams, 100000);
	assert_int_equal(a.savings.total.carbon_milligrams, 100000);
	assert_identity(&a.savings);
}

static void more_places_than_runs_lose_no_energy(void **state)
{
	struct gridregion *london, *wales;
	struct caj_status status = planned_in_london();
	int64_t energy = 0;

	(void)state;
	two_regions(&london, &wales);
	for (int i = 0; i < 2 * CAJ_MAX_RUNS; i++) {
		struct pod_interval pod =
			ran(arena_printf(&fixture.arena, "r%d", i), "2023-02-09T04:00:00Z", "2023-02-09T05:00:00Z");

		account_fold(&view, &status, "job-1", &pod, 1, &fixture.arena);
	}
	assert_int_equal(status.n_runs, CAJ_MAX_RUNS);
	for (int i = 0; i < status.n_runs; i++)
		energy += status.runs[i].figures.energy_milliwatt_hours;
	assert_int_equal(energy, INT64_C(2) * CAJ_MAX_RUNS * 1000000);
}

static void the_weakest_cost_basis_counts(void **state)
{
	struct gridregion *london, *wales;
	struct caj_status status = planned_in_london();
	struct pod_interval pods[] = { ran("london", "2023-02-09T04:00:00Z", "2023-02-09T05:00:00Z"),
				       ran("wales", "2023-02-09T04:00:00Z", "2023-02-09T05:00:00Z") };

	(void)state;
	two_regions(&london, &wales);
	assert_string_equal(account(&status, pods, 2, NOW).cost_basis, "Tariff");
	wales->cost_basis = COST_BASIS_SHADOW;
	assert_string_equal(account(&status, pods, 2, NOW).cost_basis, "Shadow");
	wales->cost_basis = COST_BASIS_NONE;
	struct account a = account(&status, pods, 2, NOW);
	assert_string_equal(a.cost_basis, "None");
	assert_false(a.total.cost_known);
}

static void expectations_compare_the_same_work(void **state)
{
	struct caj_status status = planned_in_london();

	(void)state;
	assert_int_equal(account_expected_saving(&status).carbon_milligrams, 10000);
	/* Edited to twice the work: 400 g instead of 200 g would have come of it at once. */
	status.plan.expected = (struct caj_figures){ true, true, true, 2000000, 380000, 400000 };
	assert_int_equal(account_expected_saving(&status).carbon_milligrams, 20000);
	assert_int_equal(account_expected_saving(&status).cost_micros, 0);
	status.baseline.expected.carbon_known = false;
	assert_false(account_expected_saving(&status).carbon_known);
}

static void invented_figures_do_no_harm(void **state)
{
	struct gridregion *london, *wales;
	struct caj_status status = planned_in_london();
	struct account a;

	(void)state;
	two_regions(&london, &wales);
	status.n_runs = 3;
	for (int i = 0; i < 3; i++)
		status.runs[i] = (struct caj_run){ .region = "london",
						   .job_uid = "job-1",
						   .start_ms = at("1970-01-01T00:00:00Z"),
						   .end_ms = i ? at("9999-12-31T00:00:00Z") : TIME_NONE,
						   .pods = INT32_MAX,
						   .figures = { true, true, true, INT64_MAX, INT64_MAX, INT64_MIN } };
	account_again(&view, &status, at(NOW), &fixture.arena, &a);
	assert_int_equal(a.total.energy_milliwatt_hours, INT64_MAX);
	while (account_merge_last(status.runs, &status.n_runs))
		;
	assert_int_equal(status.runs[0].pods, INT32_MAX);
}

/* Paused at 06:00 after two hours, and again let go at 10:00 elsewhere. */
static struct caj_status paused_once(void)
{
	struct caj_status status = planned_in_london();

	status.ledger = (struct caj_ledger){ .begun = true, .since_ms = TIME_NONE, .interruptions = 1 };
	status.paused_ms = at("2023-02-09T06:00:00Z");
	status.n_runs = 1;
	status.runs[0] = (struct caj_run){ .region = "london",
					   .job_uid = "job-1",
					   .start_ms = at("2023-02-09T04:00:00Z"),
					   .end_ms = at("2023-02-09T06:00:00Z"),
					   .pods = 1,
					   .figures = { true, true, true, 2000000, 400000, 400000 } };
	return status;
}

static void each_segment_has_its_own_run(void **state)
{
	struct gridregion *london, *wales;
	struct caj_status status = paused_once();
	struct pod_interval pods[] = { ran("wales", "2023-02-09T10:00:00Z", "2023-02-09T11:00:00Z"),
				       ran("london", "2023-02-09T11:00:00Z", "2023-02-09T12:00:00Z") };

	(void)state;
	two_regions(&london, &wales);
	struct account a = account(&status, pods, 2, NOW);
	assert_int_equal(a.n_runs, 3);
	assert_int_equal(a.runs[0].segment, 0);
	assert_int_equal(a.runs[0].figures.energy_milliwatt_hours, 2000000);
	assert_int_equal(a.runs[1].segment, 1);
	assert_string_equal(a.runs[1].region, "wales");
	assert_int_equal(a.runs[2].segment, 1);
	assert_int_equal(a.total.energy_milliwatt_hours, 4000000);
	/* Baseline 4 h at 200 g; in wales for one of them at 100 g. */
	assert_int_equal(a.savings.total.carbon_milligrams, 100000);
	assert_int_equal(a.savings.place.carbon_milligrams, 100000);
	assert_int_equal(a.savings.time.carbon_milligrams + a.savings.place.carbon_milligrams,
			 a.savings.total.carbon_milligrams);
}

/* It was written down when the pause was recorded; only what came after that is new, and belongs to the same run. */
static void a_pod_that_a_pause_ends_counts_once(void **state)
{
	struct gridregion *london, *wales;
	struct caj_status status = paused_once();
	struct pod_interval pods[] = { ran("london", "2023-02-09T04:00:00Z", "2023-02-09T06:30:00Z"),
				       ran("london", "2023-02-09T04:00:00Z", "2023-02-09T05:00:00Z") };

	(void)state;
	two_regions(&london, &wales);
	account_fold(&view, &status, "job-1", pods, 2, &fixture.arena);
	assert_int_equal(status.n_runs, 1);
	assert_int_equal(status.runs[0].pods, 1);
	assert_int_equal(status.runs[0].figures.energy_milliwatt_hours, 2500000);
	assert_int_equal(status.runs[0].end_ms, at("2023-02-09T06:30:00Z"));
}

/* At once it would not have waited between its parts: 00:00 to 04:00 is dirty at home, later is clean. */
static void the_baseline_knows_no_pauses(void **state)
{
	struct gridregion *london, *wales;
	struct caj_status status = paused_once();
	struct pod_interval pods[] = { ran("london", "2023-02-09T10:00:00Z", "2023-02-09T12:00:00Z") };

	(void)state;
	two_regions(&london, &wales);
	set(london, "2023-02-09T00:00:00Z", "2023-02-09T04:00:00Z", 500000);
	struct account a = account(&status, pods, 1, NOW);
	assert_int_equal(a.total.carbon_milligrams, 800000);
	assert_int_equal(a.savings.total.carbon_milligrams, 4 * 500000 - 800000);
	assert_int_equal(a.savings.time.carbon_milligrams, a.savings.total.carbon_milligrams);
	assert_int_equal(a.savings.place.carbon_milligrams, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_kilowatt_for_an_hour),
		TEST(parts_of_slots_are_prorated),
		TEST(evicted_pods_count_and_are_folded_once),
		TEST(staying_at_home_saves_nothing_by_place),
		TEST(savings_may_be_negative),
		TEST(what_rests_on_an_unknown_value_is_not_known),
		TEST(a_forecast_stands_in_until_there_is_an_outturn),
		TEST(it_is_final_a_day_after_the_run),
		TEST(a_day_later_revised_values_count_and_forgotten_ones_stay),
		TEST(more_places_than_runs_lose_no_energy),
		TEST(the_weakest_cost_basis_counts),
		TEST(expectations_compare_the_same_work),
		TEST(invented_figures_do_no_harm),
		TEST(each_segment_has_its_own_run),
		TEST(a_pod_that_a_pause_ends_counts_once),
		TEST(the_baseline_knows_no_pauses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
