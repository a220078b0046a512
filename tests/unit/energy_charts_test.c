/* SPDX-License-Identifier: Apache-2.0 */
/* The energy-charts provider: fixtures, steps, requests and polls over both changes of clocks. */
#include "provider_cases.h"

#define GRID (&grid_energy_charts)
#define BASE "https://api.energy-charts.info"
#define DAY "2026-05-04T22:00Z", "2026-05-07T22:00Z", "2026-05-06T09:05Z"

static struct tz *berlin;

static int set_up(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	return tz_load("Europe/Berlin", &berlin, &err);
}

static int tear_down(void **state)
{
	(void)state;
	tz_free(berlin);
	return 0;
}

static void test_fixtures(void **state)
{
	static const struct provider_case cases[] = {
		{ "energy-charts/price_DE-LU_15min.synthetic.json", "DE-LU", 0, DAY, .points = 48 },
		{ "energy-charts/price_length_mismatch_and_null.synthetic.json", "DE-LU", 0, DAY, .code = ERR_INVALID,
		  .reason = "95 times and 96 prices" },
	};
	struct grid_env env = { .base_url = BASE, .tz = berlin };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		case_run(GRID, &env, &cases[i]);
}

#define BODY(times, prices, unit) "{\"unix_seconds\":" times ",\"price\":" prices ",\"unit\":\"" unit "\"}"
#define T0 "1778058000" /* 2026-05-06T09:00Z */

static void test_bodies(void **state)
{
	static const struct {
		const char *body, *reason;
		enum error_code code;
		int known;
	} cases[] = {
		{ "", "empty body", ERR_NOT_FOUND, 0 },
		{ "{}", "no prices", ERR_NOT_FOUND, 0 },
		{ BODY("[]", "[]", "EUR / MWh"), "no prices", ERR_NOT_FOUND, 0 },
		{ BODY("[]", "null", "EUR / MWh"), "no prices", ERR_NOT_FOUND, 0 },
		{ BODY("[" T0 "]", "null", "EUR / MWh"), "not both lists", ERR_INVALID, 0 },
		{ BODY("[" T0 "]", "[1,2]", "EUR / MWh"), "1 times and 2 prices", ERR_INVALID, 0 },
		{ BODY("[" T0 "]", "[1]", "EUR / kWh"), "unit", ERR_INVALID, 0 },
		{ BODY("[" T0 "]", "[null]", "EUR / MWh"), "none of 1", ERR_INVALID, 0 },
		{ BODY("[1e300,-5,\"x\"]", "[1,1,1]", "EUR / MWh"), "none of 3", ERR_INVALID, 0 },
		{ BODY("[" T0 ",1778061600]", "[-87.5,0]", "EUR / MWh"), NULL, ERR_NONE, 4 },
		{ BODY("[" T0 ",1778058900,1778059800]", "[10,20,30]", "EUR/MWh"), NULL, ERR_NONE, 2 },
		/* A gap of an hour between quarters is no hour; a lonely time has no length. */
		{ BODY("[" T0 ",1778061600,1778062500,1778063400]", "[10,20,30,40]", "EUR/MWh"), NULL, ERR_NONE, 3 },
		{ BODY("[" T0 "]", "[10]", "EUR/MWh"), "none of 1", ERR_INVALID, 0 },
	};
	static const struct provider_case c = { NULL, "DE-LU", 0, DAY, .points = 0 };
	struct grid_env env = { .base_url = BASE, .tz = berlin };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct error err = ERROR_INIT;
		struct grid_answer a;

		assert_int_equal(case_parse(GRID, &env, &c, str_from(cases[i].body), &a, &err),
				 cases[i].reason ? -1 : 0);
		assert_int_equal(err.code, cases[i].code);
		if (cases[i].reason && !strstr(err.msg, cases[i].reason))
			fail_msg("\"%s\" does not say \"%s\"", err.msg, cases[i].reason);
		assert_int_equal(a.series.len ? known_in(a.series.ptr[0]) : 0, cases[i].known);
		if (cases[i].known == 4) {
			/* -87.50 EUR/MWh is -0.0875 EUR/kWh; an hour of 0 is 0, not unknown. */
			assert_int_equal(grid_series_at(a.series.ptr[0], at("2026-05-06T09:30Z")), -87500);
			assert_int_equal(grid_series_at(a.series.ptr[0], at("2026-05-06T10:00Z")), 0);
		}
		if (cases[i].known == 2) {
			/* Quarters are averaged; half of the second slot is all there is of it. */
			assert_int_equal(grid_series_at(a.series.ptr[0], at("2026-05-06T09:00Z")), 15000);
			assert_int_equal(grid_series_at(a.series.ptr[0], at("2026-05-06T09:30Z")), 30000);
		}
		grid_answer_release(&a);
	}
}

static void test_plan(void **state)
{
	const struct grid_target targets[] = { { GRID_WHOLESALE, "DE-LU", NULL },
					       { GRID_WHOLESALE, "DE/..", NULL },
					       { GRID_PRICE, "DE-LU", NULL } };
	struct grid_env env = { .base_url = BASE, .now_ms = at("2026-03-29T09:05Z"), .tz = berlin };
	struct grid_plan plan = { 0 };

	(void)state;
	GRID->plan(&env, targets, ARRAY_LEN(targets), &plan);
	assert_int_equal(plan.n, 1);
	assert_string_equal(plan.items[0].url, BASE "/price?bzn=DE-LU&start=2026-03-27&end=2026-03-30");
	/* Days of 24, 24, 23 and 24 hours. */
	assert_int_equal(plan.items[0].from_ms, at("2026-03-26T23:00Z"));
	assert_int_equal(plan.items[0].to_ms, at("2026-03-30T22:00Z"));
}

static void test_schedule(void **state)
{
	static const struct {
		const char *now, *known, *next;
	} cases[] = {
		/* Today is known: nothing before 13:00 local. */
		{ "2026-05-06T06:00Z", "2026-05-06T22:00Z", "2026-05-06T11:01:00Z" },
		{ "2026-01-06T06:00Z", "2026-01-06T23:00Z", "2026-01-06T12:01:00Z" },
		/* After it, tomorrow is missing. */
		{ "2026-05-06T11:10Z", "2026-05-06T22:00Z", "2026-05-06T11:26:00Z" },
		{ "2026-05-06T11:10Z", "2026-05-07T22:00Z", "2026-05-07T11:01:00Z" },
		/* Nothing at all: hourly. */
		{ "2026-05-06T06:00Z", NULL, "2026-05-06T07:01:00Z" },
		{ "2026-05-06T10:40Z", NULL, "2026-05-06T11:01:00Z" },
		/* The last hour of a day that is longer or shorter counts. */
		{ "2026-03-28T13:00Z", "2026-03-29T21:00Z", "2026-03-28T13:16:00Z" },
		{ "2026-03-28T13:00Z", "2026-03-29T22:00Z", "2026-03-29T11:01:00Z" },
		{ "2026-10-24T13:00Z", "2026-10-25T22:00Z", "2026-10-24T13:16:00Z" },
		{ "2026-10-24T13:00Z", "2026-10-25T23:00Z", "2026-10-25T12:01:00Z" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct grid_env env = { .base_url = BASE, .now_ms = at(cases[i].now), .tz = berlin };
		int64_t known = cases[i].known ? at(cases[i].known) : TIME_NONE;
		char text[TIME_TEXT];

		assert_string_equal(
			time_format(grid_provider_next_poll_ms(GRID, &env, &(struct grid_request){ 0 }, known, 0),
				    text),
			cases[i].next);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixtures),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_plan),
		cmocka_unit_test(test_schedule),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
