/* SPDX-License-Identifier: Apache-2.0 */
/* The Carbon Aware SDK's provider, and the static factors that stand behind all others. */
#include "provider_cases.h"

#define GRID (&grid_carbon_aware_sdk)
#define BASE "http://sdk.example:8080"
#define DAY "2026-05-06T02:00Z", "2026-05-07T00:00Z", "2026-05-06T03:05Z"
#define DIR "carbon-aware-sdk/"

enum what { FORECAST, PAST };

static void test_fixtures(void **state)
{
	static const struct provider_case cases[] = {
		{ DIR "forecasts_current_uksouth.synthetic.json", "uksouth", FORECAST, DAY, .points = 4 },
		{ DIR "forecasts_current_uksouth.synthetic.json", "UKSouth", FORECAST, DAY, .points = 4 },
		{ DIR "forecasts_current_uksouth.synthetic.json", "eastus", FORECAST, DAY,
		  .dropped = { [GRID_DROP_ZONE] = 1 }, .code = ERR_INVALID, .reason = "none of 1" },
		/* One row of five minutes: too little of its half hour. */
		{ DIR "emissions_bylocation.synthetic.json", "eastus", PAST, DAY, .dropped = { [GRID_DROP_STEP] = 1 } },
		{ DIR "http400_source_not_configured.json", "uksouth", FORECAST, DAY, .code = ERR_INVALID,
		  .reason = "not a list" },
	};
	struct grid_env env = { .base_url = BASE };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		case_run(GRID, &env, &cases[i]);
}

#define E(time, duration, rating)                                                                                      \
	"{\"location\":\"eastus\",\"time\":\"2026-05-06T" time "+00:00\",\"rating\":" rating ",\"duration\":" duration \
	"}"

/* Both shapes, and durations of every kind. */
static void test_points(void **state)
{
	static const char body[] =
		"[" E("02:00:00", "\"01:00:00\"", "402.61") "," E("03:00:00", "\"00:30:00\"", "0") "," E(
			"03:30:00", "60", "1") "," E("04:00:00", "30",
						     "null") "," E("04:30:00", "\"1.00:00:00\"",
								   "1") "," E("05:00:00", "\"00:30\"",
									      "1") "," E("05:30:00", "0",
											 "1") "," E("06:00:00", "30",
												    "\"high\"") ",7]";
	static const struct provider_case c = { NULL, "eastus", PAST, DAY, .points = 0 };
	struct grid_env env = { .base_url = BASE };
	struct error err = ERROR_INIT;
	struct grid_answer a;

	(void)state;
	assert_int_equal(case_parse(GRID, &env, &c, str_from(body), &a, &err), 0);
	assert_int_equal(grid_series_at(a.series.ptr[0], at("2026-05-06T02:30Z")), 402610);
	assert_int_equal(grid_series_at(a.series.ptr[0], at("2026-05-06T03:00Z")), 0);
	assert_int_equal(grid_series_at(a.series.ptr[0], at("2026-05-06T03:30Z")), 1000);
	assert_int_equal(known_in(a.series.ptr[0]), 5);
	assert_int_equal(a.dropped[GRID_DROP_MISSING], 1);
	assert_int_equal(a.dropped[GRID_DROP_STEP], 3);
	assert_int_equal(a.dropped[GRID_DROP_TYPE], 2);
	grid_answer_release(&a);
}

/* The basis is not ours to guess; configuration may state it. */
static void test_plan_and_basis(void **state)
{
	static const struct grid_custom stated = { .name = "uksouth",
						   .basis = { "average", "lifecycle", "consumption", "zone" } };
	const struct grid_target targets[] = { { GRID_CARBON, "uksouth", NULL },
					       { GRID_CARBON, "a/b", NULL },
					       { GRID_PRICE, "uksouth", NULL } };
	struct grid_env env = { .base_url = BASE, .now_ms = at("2026-05-06T03:05Z") };
	struct grid_plan plan = { 0 };
	struct grid_basis basis;

	(void)state;
	GRID->plan(&env, targets, ARRAY_LEN(targets), &plan);
	assert_int_equal(plan.n, 2);
	assert_string_equal(plan.items[0].url, BASE "/emissions/forecasts/current?location=uksouth");
	assert_string_equal(plan.items[1].url, BASE "/emissions/bylocation?location=uksouth&time=2026-05-04T03:00:00Z"
						    "&toTime=2026-05-06T03:00:00Z");
	GRID->basis(&env, "uksouth", &basis);
	assert_string_equal(basis.accounting, "");
	env.custom = &stated;
	env.n_custom = 1;
	GRID->basis(&env, "uksouth", &basis);
	assert_string_equal(basis.accounting, "average");
	plan.n = 0;
	env.base_url = NULL;
	GRID->plan(&env, targets, ARRAY_LEN(targets), &plan);
	assert_int_equal(plan.n, 0);
}

/* The same figure at every hour, in bounds, without a request to anybody. */
static void test_static_factors(void **state)
{
	static const struct provider_case c = { NULL, "GB", 0, DAY, .points = 0 };
	const struct grid_target targets[] = { { GRID_CARBON, "GB", NULL },
					       { GRID_CARBON, "ATLANTIS", NULL },
					       { GRID_PRICE, "GB", NULL } };
	struct grid_env env = { .base_url = "", .now_ms = at("2026-05-06T03:05Z") };
	struct error err = ERROR_INIT;
	struct grid_plan plan = { 0 };
	struct grid_answer a;

	(void)state;
	grid_static_factors.plan(&env, targets, ARRAY_LEN(targets), &plan);
	assert_int_equal(plan.n, 1);
	assert_string_equal(plan.items[0].url, "");
	assert_int_equal(plan.items[0].to_ms - plan.items[0].from_ms, 9 * DAY_MS);
	assert_int_equal(case_parse(&grid_static_factors, &env, &c, STR_NULL, &a, &err), 0);
	assert_int_equal(known_in(a.series.ptr[0]), 44);
	assert_int_equal(a.series.ptr[0]->value[0], 210890);
	assert_int_equal(a.series.ptr[0]->value[43], 210890);
	assert_int_equal(a.series.ptr[0]->kind[1], GRID_KIND_ESTIMATED);
	assert_int_equal(a.series.ptr[0]->kind[2], GRID_KIND_FORECAST);
	assert_string_equal(a.moments.ptr[0].index, "mean of 2024");
	for (int d = 0; d < GRID_DROPS; d++)
		assert_int_equal(a.dropped[d], 0);
	grid_answer_release(&a);
	assert_true(grid_static_factors.last_resort && grid_static_factors.confidence_permille < 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixtures),
		cmocka_unit_test(test_points),
		cmocka_unit_test(test_plan_and_basis),
		cmocka_unit_test(test_static_factors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
