/* SPDX-License-Identifier: Apache-2.0 */
/* The WattTime provider: login, regions of places, units, fixtures. */
#include <math.h>

#include "provider_cases.h"

#define GRID (&grid_watttime)
#define BASE "https://api.watttime.org"
#define MAY "2026-05-06T02:00Z", "2026-05-08T00:00Z", "2026-05-06T03:05Z"
#define JULY "2022-07-15T00:00Z", "2022-07-15T02:00Z", "2022-07-15T00:20Z"
#define REAL "watttime/recorded/"
#define MADE "watttime/synthetic/"

enum what { LOGIN, REGION, FORECAST, HISTORY, INDEX };

static const struct grid_custom place = {
	.name = "campus", .provider = "watttime", .latitude = 39.7, .longitude = -104.9
};

static struct grid_env env_now(const char *now)
{
	return (struct grid_env){
		.base_url = BASE, .now_ms = at(now), .user = "me", .secret = "pw:1", .custom = &place, .n_custom = 1
	};
}

static void test_fixtures(void **state)
{
	static const struct provider_case cases[] = {
		{ MADE "forecast_UK_24h.json", "UK", FORECAST, MAY, .points = 48 },
		{ MADE "signal_index.json", "UK", INDEX, MAY, .points = 0 },
		{ MADE "signal_index.json", "UK", FORECAST, MAY, .code = ERR_INVALID,
		  .reason = "meta.units is not lbs_co2_per_mwh" },
		{ MADE "forecast_UK_24h.json", "UK", INDEX, MAY, .code = ERR_INVALID,
		  .reason = "meta.units is not percentile" },
		{ MADE "forecast_UK_24h.json", "CAISO_NORTH", FORECAST, MAY, .code = ERR_INVALID,
		  .reason = "meta.region is not" },
		{ MADE "http403_not_in_plan.json", "UK", FORECAST, MAY, .code = ERR_INVALID, .reason = "error object" },
		{ MADE "http429.json", "UK", FORECAST, MAY, .code = ERR_INVALID, .reason = "error object" },
		{ MADE "my_access.json", "UK", FORECAST, MAY, .code = ERR_INVALID, .reason = "no data array" },
		{ MADE "login.json", "UK", FORECAST, MAY, .code = ERR_INVALID, .reason = "no data array" },
		{ MADE "login.json", "", LOGIN, MAY, .points = 0 },
		{ MADE "my_access.json", "", LOGIN, MAY, .code = ERR_INVALID, .reason = "no usable token" },
		/* Three points of five minutes: half of the slot is known. */
		{ REAL "forecasted_emissions_response.json", "CAISO_NORTH", FORECAST, JULY, .points = 1 },
		/* Two of six are too few. */
		{ REAL "historical_emissions_response.json", "CAISO_NORTH", HISTORY, JULY,
		  .dropped = { [GRID_DROP_STEP] = 1 } },
		{ REAL "realtime_emissions_response.json", "PSCO", INDEX, JULY, .points = 0 },
		{ REAL "grid_region_response.json", "campus", REGION, MAY, .points = 0 },
		{ REAL "coordinates_not_found_response.json", "campus", REGION, MAY, .code = ERR_INVALID,
		  .reason = "error object" },
		{ REAL "invalid_scope_response.json", "UK", FORECAST, MAY, .code = ERR_INVALID,
		  .reason = "error object" },
		{ REAL "403_forbidden_response.html", "UK", FORECAST, MAY, .code = ERR_INVALID },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct grid_env env = env_now(cases[i].now);

		case_run(GRID, &env, &cases[i]);
	}
}

#define META(units)                                                                                               \
	"\"meta\":{\"region\":\"UK\",\"units\":\"" units "\",\"data_point_period_seconds\":300,\"generated_at\":" \
	"\"2026-05-06T09:00:00+00:00\"}"
#define P(time, value) "{\"point_time\":\"2026-05-06T" time "+00:00\",\"value\":" value "}"

/* Pounds per megawatt hour, averaged over the slot, against the arithmetic by hand. */
static void test_units(void **state)
{
	static const char body[] =
		"{\"data\":[" P("09:00:00", "800") "," P("09:05:00", "810") "," P("09:10:00", "820") "," P(
			"09:15:00",
			"830") "," P("09:20:00",
				     "840") "," P("09:25:00",
						  "850") "," P("09:30:00",
							       "null") "," P("09:35:00",
									     "\"x\"") "]," META("lbs_co2_per_mwh") "}";
	static const struct provider_case c = {
		NULL, "UK", FORECAST, "2026-05-06T09:00Z", "2026-05-06T12:00Z", "2026-05-06T09:05Z", .points = 0
	};
	struct grid_env env = env_now(c.now);
	struct error err = ERROR_INIT;
	struct grid_answer a;

	(void)state;
	assert_int_equal(case_parse(GRID, &env, &c, str_from(body), &a, &err), 0);
	assert_int_equal(known_in(a.series.ptr[0]), 1);
	/* 825 lb/MWh: 825 x 453.59237 g / 1000 kWh */
	assert_true(fabs(a.series.ptr[0]->value[0] - 825 * 453.59237) <= 1);
	assert_int_equal(a.series.ptr[0]->issued_ms, at("2026-05-06T09:00Z"));
	assert_int_equal(a.series.ptr[0]->kind[0], GRID_KIND_FORECAST);
	assert_int_equal(a.dropped[GRID_DROP_MISSING], 1);
	assert_int_equal(a.dropped[GRID_DROP_TYPE], 1);
	grid_answer_release(&a);
}

/* Nothing but the login without a token; a place's region first; then all, and never the password again. */
static void test_login_and_places(void **state)
{
	static const struct grid_note token = { .key = "token", .value = "abc.def", .expires_ms = TIME_NONE };
	const struct grid_note both[] = { token, { .key = "campus", .value = "PSCO", .expires_ms = TIME_NONE } };
	const struct grid_target targets[] = { { GRID_CARBON, "UK", NULL },
					       { GRID_CARBON, "campus", NULL },
					       { GRID_CARBON, "U K", NULL },
					       { GRID_CARBON, "token", NULL },
					       { GRID_WHOLESALE, "UK", NULL } };
	struct grid_env env = env_now("2026-05-06T09:10Z");
	const struct grid_request *r;
	struct grid_plan plan = { 0 };

	(void)state;
	GRID->plan(&env, targets, ARRAY_LEN(targets), &plan);
	assert_int_equal(plan.n, 1);
	assert_string_equal(plan.items[0].url, BASE "/login");
	assert_string_equal(plan.items[0].header, "Authorization: Basic bWU6cHc6MQ==");
	assert_true(grid_provider_serves(GRID, &plan.items[0], "UK"));
	env.notes = &token;
	env.n_notes = 1;
	plan.n = 0;
	GRID->plan(&env, targets, ARRAY_LEN(targets), &plan);
	assert_int_equal(plan.n, 5);
	r = plan_find(&plan, "region campus");
	assert_non_null(r);
	assert_string_equal(r->url,
			    BASE "/v3/region-from-loc?latitude=39.7000&longitude=-104.9000&signal_type=co2_moer");
	assert_null(plan_find(&plan, "forecast campus"));
	env.notes = both;
	env.n_notes = 2;
	plan.n = 0;
	GRID->plan(&env, targets, ARRAY_LEN(targets), &plan);
	assert_int_equal(plan.n, 8);
	r = plan_find(&plan, "forecast campus");
	assert_string_equal(r->url, BASE "/v3/forecast?region=PSCO&horizon_hours=48&signal_type=co2_moer");
	assert_string_equal(r->header, "Authorization: Bearer abc.def");
	assert_string_equal(r->rests_on, "token");
	r = plan_find(&plan, "history UK");
	assert_string_equal(r->url, BASE "/v3/historical?region=UK&start=2026-05-04T09:00Z&end=2026-05-06T09:00Z"
					 "&signal_type=co2_moer");
	/* A user's name is needed too. */
	plan.n = 0;
	env.user = NULL;
	GRID->plan(&env, targets, ARRAY_LEN(targets), &plan);
	assert_int_equal(plan.n, 0);
}

/* The token is a note that expires before the token does; one that is no header's value is none. */
static void test_token(void **state)
{
	static const struct {
		const char *body;
		bool good;
	} cases[] = {
		{ "{\"token\":\"abc.def\"}", true },
		{ "{\"token\":\"abc\\r\\nX: y\"}", false },
		{ "{\"token\":\"\"}", false },
		{ "{\"token\":7}", false },
		{ "{}", false },
	};
	static const struct provider_case c = { NULL, "", LOGIN, MAY, .points = 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct grid_env env = env_now(c.now);
		struct error err = ERROR_INIT;
		struct grid_answer a;

		assert_int_equal(case_parse(GRID, &env, &c, str_from(cases[i].body), &a, &err), cases[i].good ? 0 : -1);
		assert_int_equal(a.n_notes, cases[i].good);
		if (cases[i].good) {
			assert_string_equal(grid_answer_noted(&a, "token"), "abc.def");
			assert_int_equal(a.notes[0].expires_ms, env.now_ms + 29 * MINUTE_MS);
			assert_true(grid_provider_next_poll_ms(GRID, &env, &(struct grid_request){ .what = LOGIN },
							       TIME_NONE, 0.999) < a.notes[0].expires_ms);
		}
		grid_answer_release(&a);
	}
}

static void test_index_is_shown_only(void **state)
{
	static const char body[] = "{\"data\":[" P("09:00:00", "37.4") "]," META("percentile") "}";
	static const struct provider_case c = { NULL, "UK", INDEX, MAY, .points = 0 };
	struct grid_env env = env_now(c.now);
	struct error err = ERROR_INIT;
	struct grid_answer a;

	(void)state;
	assert_int_equal(case_parse(GRID, &env, &c, str_from(body), &a, &err), 0);
	assert_int_equal(a.series.len, 0);
	assert_int_equal(a.moments.len, 1);
	assert_string_equal(a.moments.ptr[0].index, "percentile 37");
	grid_answer_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixtures),
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_login_and_places),
		cmocka_unit_test(test_token),
		cmocka_unit_test(test_index_is_shown_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
