/* SPDX-License-Identifier: Apache-2.0 */
/* The weather providers, Open-Meteo and Met Office: fixtures, units, labels, places. */
#include <math.h>

#include "provider_cases.h"

#define JANUARY "2024-01-14T00:00Z", "2024-01-17T00:00Z", "2024-01-15T01:10Z"
#define MAY "2026-05-06T00:00Z", "2026-05-09T00:00Z", "2026-05-06T09:05Z"

static const struct grid_custom places[] = {
	{ .name = "london", .latitude = 51.5074, .longitude = -0.1278 },
	{ .name = "nowhere", .latitude = NAN, .longitude = NAN },
	{ .name = "beyond", .latitude = 91, .longitude = 0 },
};

static struct grid_env env_now(const char *now)
{
	return (struct grid_env){
		.base_url = "https://w.example", .now_ms = at(now), .custom = places, .n_custom = ARRAY_LEN(places)
	};
}

static void test_fixtures(void **state)
{
	static const struct {
		const struct grid_provider *grid;
		struct provider_case c;
	} cases[] = {
		{ &grid_open_meteo, { "open-meteo/historical_london.json", "london", 0, JANUARY, .points = 24 } },
		{ &grid_open_meteo,
		  { "open-meteo/http400.synthetic.json", "london", 0, JANUARY, .code = ERR_INVALID,
		    .reason = "error object" } },
		{ &grid_open_meteo,
		  { "open-meteo/http429_daily.json", "london", 0, JANUARY, .code = ERR_INVALID,
		    .reason = "error object" } },
		/* 48 hours, one of them without a temperature. */
		{ &grid_met_office,
		  { "tests/data/grid/met-office/hourly.synthetic.json", "london", 0, MAY, .points = 188,
		    .dropped = { [GRID_DROP_MISSING] = 2 } } },
		{ &grid_met_office,
		  { "open-meteo/historical_london.json", "london", 0, MAY, .code = ERR_INVALID,
		    .reason = "timeSeries" } },
		{ &grid_open_meteo,
		  { "tests/data/grid/met-office/hourly.synthetic.json", "london", 0, MAY, .code = ERR_INVALID,
		    .reason = "hourly.time" } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct grid_env env = env_now(cases[i].c.now);

		case_run(cases[i].grid, &env, &cases[i].c);
	}
}

/* km/h to mm/s; radiation is the mean of the hour before its label, the others begin at theirs. */
static void test_open_meteo(void **state)
{
	static const char body[] =
		"{\"utc_offset_seconds\":3600,\"hourly_units\":{\"temperature_2m\":\"\\u00b0C\",\"wind_speed_10m\":"
		"\"km/h\","
		"\"shortwave_radiation\":\"W/"
		"m\\u00b2\"},\"hourly\":{\"time\":[\"2026-05-06T10:00\",\"2026-05-06T11:00\",\"noon\"],"
		"\"temperature_2m\":[-1.5,null,3],\"wind_speed_10m\":[36,0,3],\"shortwave_radiation\":[100,200,300]}}";
	static const struct provider_case c = { NULL, "london", 0, MAY, .points = 0 };
	struct grid_env env = env_now(c.now);
	struct error err = ERROR_INIT;
	struct grid_answer a;

	(void)state;
	assert_int_equal(case_parse(&grid_open_meteo, &env, &c, str_from(body), &a, &err), 0);
	assert_int_equal(value_at(&a, GRID_TEMPERATURE, "london", "2026-05-06T09:30Z"), -1500);
	assert_int_equal(value_at(&a, GRID_TEMPERATURE, "london", "2026-05-06T10:00Z"), GRID_UNKNOWN);
	assert_int_equal(value_at(&a, GRID_WIND_SPEED, "london", "2026-05-06T09:00Z"), 10000);
	assert_int_equal(value_at(&a, GRID_WIND_SPEED, "london", "2026-05-06T10:00Z"), 0);
	assert_int_equal(value_at(&a, GRID_IRRADIANCE, "london", "2026-05-06T08:00Z"), 100);
	assert_int_equal(value_at(&a, GRID_IRRADIANCE, "london", "2026-05-06T09:00Z"), 200);
	assert_int_equal(a.dropped[GRID_DROP_MISSING], 1);
	assert_int_equal(a.dropped[GRID_DROP_TYPE], 3);
	grid_answer_release(&a);
}

static void test_open_meteo_odd(void **state)
{
#define HOURLY(unit, times, values)                                                       \
	"{\"hourly_units\":{\"temperature_2m\":\"" unit "\"},\"hourly\":{\"time\":" times \
	",\"temperature_2m\":" values "}}"
	static const struct {
		const char *body, *reason;
		enum error_code code;
	} cases[] = {
		{ "", "empty body", ERR_NOT_FOUND },
		{ "{}", "empty answer", ERR_NOT_FOUND },
		{ HOURLY("\\u00b0C", "[]", "[]"), "no values", ERR_NOT_FOUND },
		{ HOURLY("\\u00b0C", "[1778058000]", "[1,2]"), "2 values for 1 times", ERR_INVALID },
		{ HOURLY("\\u00b0F", "[1778058000]", "[50]"), "none of 1", ERR_INVALID },
		{ HOURLY("undefined", "[1778058000]", "[null]"), "none of 1", ERR_INVALID },
		{ HOURLY("\\u00b0C", "[1778058000]", "[1e9]"), "none of 1", ERR_INVALID },
	};
	static const struct provider_case c = { NULL, "london", 0, MAY, .points = 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct grid_env env = env_now(c.now);
		struct error err = ERROR_INIT;
		struct grid_answer a;

		assert_int_equal(case_parse(&grid_open_meteo, &env, &c, str_from(cases[i].body), &a, &err), -1);
		assert_int_equal(err.code, cases[i].code);
		if (!strstr(err.msg, cases[i].reason))
			fail_msg("\"%s\" does not say \"%s\"", err.msg, cases[i].reason);
		grid_answer_release(&a);
	}
}

static void test_met_office(void **state)
{
	static const struct provider_case c = { NULL, "london", 0, MAY, .points = 0 };
	_cleanup_(buf_release) struct buf body = BUF_INIT(FIXTURE_MAX);
	struct grid_env env = env_now(c.now);
	struct error err = ERROR_INIT;
	struct grid_answer a;

	(void)state;
	assert_true(case_read("tests/data/grid/met-office/hourly.synthetic.json", &body));
	assert_int_equal(case_parse(&grid_met_office, &env, &c, buf_str(&body), &a, &err), 0);
	assert_int_equal(value_at(&a, GRID_TEMPERATURE, "london", "2026-05-06T09:30Z"), 11000);
	assert_int_equal(value_at(&a, GRID_TEMPERATURE, "london", "2026-05-06T14:00Z"), GRID_UNKNOWN);
	assert_int_equal(value_at(&a, GRID_WIND_SPEED, "london", "2026-05-06T14:00Z"), 3500);
	assert_int_equal(value_at(&a, GRID_WIND_SPEED, "london", "2026-05-06T15:00Z"), GRID_UNKNOWN);
	assert_int_equal(a.series.ptr[0]->issued_ms, at("2026-05-06T08:00Z"));
	assert_int_equal(a.dropped[GRID_DROP_MISSING], 2);
	grid_answer_release(&a);
}

/* One request for a place, whatever is wanted of it; what is no place gets none. */
static void test_plan(void **state)
{
	const struct grid_target targets[] = {
		{ GRID_TEMPERATURE, "london", NULL }, { GRID_IRRADIANCE, "london", NULL },
		{ GRID_WIND_SPEED, "nowhere", NULL }, { GRID_WIND_SPEED, "beyond", NULL },
		{ GRID_WIND_SPEED, "paris", NULL },   { GRID_CARBON, "london", NULL },
	};
	struct grid_env env = env_now("2026-05-06T09:05Z");
	struct grid_plan plan = { 0 };

	(void)state;
	grid_open_meteo.plan(&env, targets, ARRAY_LEN(targets), &plan);
	assert_int_equal(plan.n, 1);
	assert_string_equal(plan.items[0].url,
			    "https://w.example/forecast?latitude=51.5074&longitude=-0.1278&hourly=temperature_2m,"
			    "wind_speed_10m,shortwave_radiation&wind_speed_unit=ms&timezone=GMT&timeformat=unixtime"
			    "&past_days=2&forecast_days=7");
	assert_string_equal(plan.items[0].header, "");
	plan.n = 0;
	grid_met_office.plan(&env, targets, ARRAY_LEN(targets), &plan);
	assert_int_equal(plan.n, 0); /* it needs a key */
	env.secret = "k1";
	grid_met_office.plan(&env, targets, ARRAY_LEN(targets), &plan);
	assert_int_equal(plan.n, 1);
	assert_string_equal(plan.items[0].header, "apikey: k1");
	assert_string_equal(plan.items[0].url, "https://w.example/point/hourly?latitude=51.5074&longitude=-0.1278"
					       "&excludeParameterMetadata=true&includeLocationName=false");
	assert_false(grid_met_office.has_zone(&env, GRID_IRRADIANCE, "london"));
	plan.n = 0;
	grid_open_meteo.plan(&env, targets, ARRAY_LEN(targets), &plan);
	assert_string_equal(plan.items[0].header, "X-Api-Key: k1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixtures),       cmocka_unit_test(test_open_meteo),
		cmocka_unit_test(test_open_meteo_odd), cmocka_unit_test(test_met_office),
		cmocka_unit_test(test_plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
