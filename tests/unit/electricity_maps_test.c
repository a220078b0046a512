/* SPDX-License-Identifier: Apache-2.0 */
/* The Electricity Maps provider: fixtures, odd answers, requests, what a point's kind is. */
#include "provider_cases.h"

#define GRID (&grid_electricity_maps)
#define BASE "https://api.electricitymaps.com/v3"
#define DAY "2026-05-06T02:00Z", "2026-05-08T00:00Z", "2026-05-06T03:05Z"
#define DIR "electricitymaps/synthetic/"

static struct grid_env env_now(const char *now)
{
	return (struct grid_env){ .base_url = BASE, .now_ms = at(now), .secret = "tok-1" };
}

static void test_fixtures(void **state)
{
	static const struct provider_case cases[] = {
		{ DIR "forecast_GB_24h.json", "GB", 0, DAY, .points = 48 },
		{ DIR "forecast_GB_null_and_gap.json", "GB", 0, DAY, .points = 44,
		  .dropped = { [GRID_DROP_MISSING] = 1 } },
		{ DIR "latest_GB_future_datetime_estimated.json", "GB", 0, DAY, .points = 2 },
		{ DIR "http401_invalid_token.json", "GB", 0, DAY, .code = ERR_INVALID, .reason = "error object" },
		{ DIR "http404_no_route.json", "GB", 0, DAY, .code = ERR_INVALID, .reason = "error object" },
		{ DIR "no_recent_data.json", "GB", 0, DAY, .code = ERR_INVALID, .reason = "error object" },
		{ DIR "zones_with_access.json", "GB", 0, DAY, .code = ERR_INVALID, .reason = "not about zone GB" },
		{ DIR "forecast_GB_24h.json", "DE", 0, DAY, .code = ERR_INVALID, .reason = "not about zone DE" },
		{ DIR "forecast_GB_24h.json", "GB", 0, "2026-06-01T00:00Z", "2026-06-02T00:00Z", "2026-06-01T00:00Z",
		  .dropped = { [GRID_DROP_SPAN] = 48 }, .code = ERR_INVALID, .reason = "none of 24 values" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct grid_env env = env_now(cases[i].now);

		case_run(GRID, &env, &cases[i]);
	}
}

/* Values by hand: the history's kinds, the issue, what is dropped and why. */
static void test_points(void **state)
{
	static const char body[] =
		"{\"zone\":\"DE\",\"updatedAt\":\"2026-05-06T08:47:02.408Z\",\"history\":["
		"{\"datetime\":\"2026-05-06T06:00:00.000Z\",\"carbonIntensity\":341,\"isEstimated\":false},"
		"{\"datetime\":\"2026-05-06T07:00:00.000Z\",\"carbonIntensity\":\"338.25\",\"isEstimated\":true,"
		"\"updatedAt\":\"2026-05-06T08:30:00.000Z\"},"
		"{\"datetime\":\"2026-05-06T08:00:00.000Z\",\"carbonIntensity\":0},"
		"{\"datetime\":\"2026-05-06T09:00:00.000Z\",\"carbonIntensity\":330},"
		"{\"datetime\":\"2026-05-06T10:00:00.000Z\",\"carbonIntensity\":{}},"
		"{\"datetime\":\"2026-05-06T10:10:00.000Z\",\"carbonIntensity\":1},"
		"{\"datetime\":\"2026-05-06T11:00:00.000Z\",\"carbonIntensity\":1e300},"
		"{\"datetime\":\"yesterday\",\"carbonIntensity\":1},"
		"{\"datetime\":\"2026-05-06T12:00:00.000Z\",\"carbonIntensity\":null},"
		"{\"datetime\":\"2026-05-06T13:00:00.000Z\"},7,null]}";
	static const struct provider_case c = {
		NULL, "DE", 1, "2026-05-06T00:00Z", "2026-05-07T00:00Z", "2026-05-06T09:00Z", .points = 0
	};
	struct grid_env env = env_now(c.now);
	struct error err = ERROR_INIT;
	struct grid_series *s;
	struct grid_answer a;

	(void)state;
	assert_int_equal(case_parse(GRID, &env, &c, str_from(body), &a, &err), 0);
	s = a.series.ptr[0];
	assert_int_equal(known_in(s), 8);
	assert_int_equal(s->issued_ms, at("2026-05-06T08:47:02.408Z"));
	assert_int_equal(s->value[12], 341000);
	assert_int_equal(s->kind[12], GRID_KIND_ACTUAL);
	assert_int_equal(s->value[15], 338250);
	assert_int_equal(s->kind[15], GRID_KIND_ESTIMATED);
	assert_int_equal(s->value[16], 0);
	assert_int_equal(s->kind[18], GRID_KIND_FORECAST);
	assert_int_equal(s->flags[18], GRID_FLAG_RESAMPLED);
	assert_int_equal(a.dropped[GRID_DROP_TYPE], 4);
	assert_int_equal(a.dropped[GRID_DROP_STEP], 1);
	assert_int_equal(a.dropped[GRID_DROP_RANGE], 1);
	assert_int_equal(a.dropped[GRID_DROP_MISSING], 2);
	grid_answer_release(&a);
}

/* A history in quarters that does not say so: they are averaged, not taken for hours. */
static void test_quarters(void **state)
{
	static const char body[] = "{\"zone\":\"DE\",\"history\":["
				   "{\"datetime\":\"2026-05-06T08:00:00Z\",\"carbonIntensity\":100},"
				   "{\"datetime\":\"2026-05-06T08:15:00Z\",\"carbonIntensity\":200},"
				   "{\"datetime\":\"2026-05-06T08:30:00Z\",\"carbonIntensity\":300}]}";
	static const struct provider_case c = {
		NULL, "DE", 1, "2026-05-06T00:00Z", "2026-05-06T10:00Z", "2026-05-06T09:00Z", .points = 0
	};
	struct grid_env env = env_now(c.now);
	struct error err = ERROR_INIT;
	struct grid_answer a;

	(void)state;
	assert_int_equal(case_parse(GRID, &env, &c, str_from(body), &a, &err), 0);
	assert_int_equal(a.series.ptr[0]->value[16], 150000);
	assert_int_equal(a.series.ptr[0]->value[17], 300000);
	assert_int_equal(a.series.ptr[0]->flags[17], GRID_FLAG_RESAMPLED | GRID_FLAG_PARTIAL);
	grid_answer_release(&a);
}

/* Shares of each hour; the mix of the newest only, by our names for fuels. */
static void test_breakdown(void **state)
{
	static const char body[] =
		"{\"zone\":\"DE\",\"history\":["
		"{\"datetime\":\"2026-05-06T08:00:00.000Z\",\"renewablePercentage\":61,\"fossilFreePercentage\":62.5,"
		"\"powerConsumptionBreakdown\":{\"nuclear\":0,\"wind\":20000,\"gas\":5000,\"hydro discharge\":100,"
		"\"battery discharge\":null,\"unknown\":50,\"coal\":4850}},"
		"{\"datetime\":\"2026-05-06T07:00:00.000Z\",\"renewablePercentage\":null,\"fossilFreePercentage\":101,"
		"\"powerConsumptionBreakdown\":{\"wind\":1}},{\"datetime\":7}]}";
	static const struct provider_case c = {
		NULL, "DE", 2, "2026-05-06T00:00Z", "2026-05-06T10:00Z", "2026-05-06T09:00Z", .points = 0
	};
	struct grid_env env = env_now(c.now);
	struct error err = ERROR_INIT;
	const struct grid_moment *m;
	struct grid_answer a;

	(void)state;
	assert_int_equal(case_parse(GRID, &env, &c, str_from(body), &a, &err), 0);
	assert_int_equal(a.series.len, 2);
	assert_int_equal(grid_answer_series(&a, GRID_RENEWABLE, "DE")->value[17], 610);
	assert_int_equal(grid_answer_series(&a, GRID_LOW_CARBON, "DE")->value[16], 625);
	assert_int_equal(grid_answer_series(&a, GRID_LOW_CARBON, "DE")->value[14], GRID_UNKNOWN);
	assert_int_equal(a.moments.len, 1);
	m = &a.moments.ptr[0];
	assert_int_equal(m->start_ms, at("2026-05-06T08:00Z"));
	assert_int_equal(m->n_mix, 6);
	for (int i = 0; i < m->n_mix; i++)
		if (strcmp(m->mix[i].fuel, "wind") == 0) {
			assert_int_equal(m->mix[i].mw, 20000);
			assert_int_equal(m->mix[i].permille, 667);
		}
	grid_answer_release(&a);
}

static void test_odd_bodies(void **state)
{
	static const struct {
		const char *body, *reason;
		enum error_code code;
	} cases[] = {
		{ "", "empty body", ERR_NOT_FOUND },
		{ " \r\n", "empty body", ERR_NOT_FOUND },
		{ "{}", "empty answer", ERR_NOT_FOUND },
		{ "[]", "empty answer", ERR_NOT_FOUND },
		{ "{\"zone\":\"DE\"}", "neither forecast", ERR_INVALID },
		{ "<html></html>", "", ERR_INVALID },
		{ "{\"zone\":\"DE\",\"forecast\":[]}", "no values", ERR_NOT_FOUND },
		{ "{\"zone\":\"DE\",\"forecast\":7}", "neither forecast", ERR_INVALID },
		{ "{\"zone\":\"DE\",\"emissionFactorType\":\"direct\",\"forecast\":[]}", "not lifecycle", ERR_INVALID },
		{ "{\"zone\":\"DE\",\"temporalGranularity\":\"daily\",\"forecast\":[]}", "Granularity", ERR_INVALID },
	};
	static const struct provider_case c = { NULL, "DE", 0, DAY, .points = 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct grid_env env = env_now(c.now);
		struct error err = ERROR_INIT;
		struct grid_answer a;

		assert_int_equal(case_parse(GRID, &env, &c, str_from(cases[i].body), &a, &err), -1);
		assert_int_equal(err.code, cases[i].code);
		assert_non_null(strstr(err.msg, cases[i].reason));
		grid_answer_release(&a);
	}
}

/* An issue that lies in the future would lock out all that follow: the time of asking counts. */
static void test_issue_is_believable(void **state)
{
	static const char *const issues[] = { "2026-05-06T09:00:01Z", "2036-01-01T00:00:00Z", "2026-05-01T00:00:00Z",
					      "x" };
	static const struct provider_case c = {
		NULL, "DE", 0, "2026-05-06T00:00Z", "2026-05-07T00:00Z", "2026-05-06T09:00Z", .points = 0
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(issues); i++) {
		struct grid_env env = env_now(c.now);
		struct error err = ERROR_INIT;
		struct grid_answer a;
		char body[256];

		(void)snprintf(
			body, sizeof(body),
			"{\"zone\":\"DE\",\"updatedAt\":\"%s\",\"forecast\":[{\"datetime\":\"2026-05-06T10:00:00Z\","
			"\"carbonIntensity\":1}]}",
			issues[i]);
		assert_int_equal(case_parse(GRID, &env, &c, str_from(body), &a, &err), 0);
		assert_int_equal(a.series.ptr[0]->issued_ms, at("2026-05-06T09:00Z"));
		grid_answer_release(&a);
	}
}

static void test_plan(void **state)
{
	const struct grid_target targets[] = { { GRID_CARBON, "US-CAL-CISO", NULL },
					       { GRID_CARBON, "US-CAL-CISO", NULL },
					       { GRID_CARBON, "DE&x=1", NULL },
					       { GRID_CARBON, "", NULL },
					       { GRID_PRICE, "DE", NULL } };
	struct grid_env env = env_now("2026-05-06T09:10Z");
	struct grid_plan plan = { 0 };
	struct grid_basis basis;

	(void)state;
	GRID->plan(&env, targets, ARRAY_LEN(targets), &plan);
	assert_int_equal(plan.n, 3);
	assert_string_equal(plan.items[0].url, BASE "/carbon-intensity/forecast?zone=US-CAL-CISO"
						    "&emissionFactorType=lifecycle&horizonHours=48");
	assert_string_equal(plan.items[0].header, "auth-token: tok-1");
	assert_null(strstr(plan.items[0].url, "tok-1"));
	assert_string_equal(plan.items[1].id, "history US-CAL-CISO");
	/* The running hour is the history's: a forecast begins with the next. */
	assert_int_equal(plan.items[1].to_ms, at("2026-05-06T10:00Z"));
	assert_int_equal(plan.items[0].from_ms, at("2026-05-06T09:00Z"));
	assert_string_equal(plan.items[2].url, BASE "/power-breakdown/history?zone=US-CAL-CISO");
	assert_true(grid_provider_serves(GRID, &plan.items[0], "US-CAL-CISO"));
	assert_false(grid_provider_serves(GRID, &plan.items[0], "DE"));
	GRID->basis(&env, "DE", &basis);
	assert_string_equal(basis.scope, "lifecycle");
	/* Without a key, or with one that would be two headers: no requests. */
	plan.n = 0;
	env.secret = NULL;
	GRID->plan(&env, targets, ARRAY_LEN(targets), &plan);
	env.secret = "a\r\nX-Evil: 1";
	GRID->plan(&env, targets, ARRAY_LEN(targets), &plan);
	assert_int_equal(plan.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixtures),   cmocka_unit_test(test_points),
		cmocka_unit_test(test_odd_bodies), cmocka_unit_test(test_breakdown),
		cmocka_unit_test(test_quarters),   cmocka_unit_test(test_issue_is_believable),
		cmocka_unit_test(test_plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
