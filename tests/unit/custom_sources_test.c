/* SPDX-License-Identifier: Apache-2.0 */
/* Sources by configuration: `generic` (JSON and CSV), `prometheus`, and what the SDK of others says of its basis. */
#include "provider_cases.h"

#define GENERIC "tests/data/grid/generic/"
#define PROM "tests/data/grid/prometheus/"
#define MAY "2026-05-04T09:00Z", "2026-05-07T00:00Z", "2026-05-06T10:05Z"
#define OCTOBER "2026-10-24T00:00Z", "2026-10-26T00:00Z", "2026-10-25T12:00Z"

static struct tz *london, *utc;
static struct grid_custom sources[] = {
	{ .name = "nested",
	  .metric = GRID_CARBON,
	  .url = "https://x.example/a?since={from}&until={to}&k={key}",
	  .format = "json",
	  .rows = "result.rows",
	  .time_field = "at.start",
	  .value_field = "co2.g",
	  .scale = 1000,
	  .kind = GRID_KIND_FORECAST,
	  .basis = { "average", "direct", "consumption", "zone" } },
	{ .name = "pairs",
	  .metric = GRID_WHOLESALE,
	  .url = "https://x.example/b",
	  .rows = "",
	  .time_field = "0",
	  .value_field = "1",
	  .scale = 1000,
	  .step_ms = 15 * MINUTE_MS },
	{ .name = "wall",
	  .metric = GRID_PRICE,
	  .url = "https://x.example/c.csv",
	  .format = "csv",
	  .time_field = "End (local)",
	  .value_field = "Price, c/kWh",
	  .scale = 10000,
	  .end_labelled = true },
	{ .name = "no-column",
	  .metric = GRID_PRICE,
	  .url = "https://x.example/c.csv",
	  .format = "csv",
	  .time_field = "Start",
	  .value_field = "Price, c/kWh" },
	{ .name = "power", .metric = GRID_DEMAND, .query = "sum(site_watts{site=~\"a|b\"}) / 1e6 > 0" },
	{ .name = "power-end", .metric = GRID_DEMAND, .query = "x", .end_labelled = true, .step_ms = 1000 },
};

static int set_up(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	if (tz_load("Europe/London", &london, &err) || tz_load("UTC", &utc, &err))
		return -1;
	sources[2].tz = london;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tz_free(london);
	tz_free(utc);
	return 0;
}

static struct grid_env env_now(const char *now)
{
	return (struct grid_env){ .base_url = "http://prom.example:9090",
				  .now_ms = at(now),
				  .tz = utc,
				  .custom = sources,
				  .n_custom = ARRAY_LEN(sources) };
}

static void test_files(void **state)
{
	static const struct {
		const struct grid_provider *grid;
		struct provider_case c;
	} cases[] = {
		{ &grid_generic,
		  { GENERIC "nested_rows.synthetic.json", "nested", 0, MAY, .points = 8,
		    .dropped = { [GRID_DROP_MISSING] = 1, [GRID_DROP_TYPE] = 1 } } },
		{ &grid_generic, { GENERIC "pairs_ms.synthetic.json", "pairs", 0, MAY, .points = 4 } },
		{ &grid_generic,
		  { GENERIC "pairs_ms.synthetic.json", "nested", 0, MAY, .code = ERR_INVALID,
		    .reason = "result.rows is no list" } },
		{ &grid_generic,
		  { GENERIC "wall_clock.synthetic.csv", "wall", 0, OCTOBER, .points = 7,
		    .dropped = { [GRID_DROP_MISSING] = 1, [GRID_DROP_TYPE] = 1 } } },
		{ &grid_generic,
		  { GENERIC "wall_clock.synthetic.csv", "no-column", 0, OCTOBER, .code = ERR_INVALID,
		    .reason = "no column Start" } },
		{ &grid_generic, { GENERIC "wall_clock.synthetic.csv", "pairs", 0, OCTOBER, .code = ERR_INVALID } },
		{ &grid_generic,
		  { GENERIC "wall_clock.synthetic.csv", "gone", 0, OCTOBER, .code = ERR_INVALID,
		    .reason = "no source gone" } },
		{ &grid_prometheus,
		  { PROM "one_series.synthetic.json", "power", 0, MAY, .points = 47,
		    .dropped = { [GRID_DROP_MISSING] = 1, [GRID_DROP_TYPE] = 1 } } },
		{ &grid_prometheus,
		  { PROM "two_series.synthetic.json", "power", 0, MAY, .code = ERR_INVALID,
		    .reason = "gives 2 series" } },
		{ &grid_prometheus,
		  { PROM "no_series.synthetic.json", "power", 0, MAY, .code = ERR_NOT_FOUND, .reason = "no values" } },
		{ &grid_prometheus,
		  { PROM "error.synthetic.json", "power", 0, MAY, .code = ERR_INVALID,
		    .reason = "successful matrix" } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct grid_env env = env_now(cases[i].c.now);

		case_run(cases[i].grid, &env, &cases[i].c);
	}
}

static struct grid_answer parse_file(const struct grid_provider *grid, const char *file, const char *zone,
				     const char *from, const char *to, const char *now)
{
	const struct provider_case c = { file, zone, 0, from, to, now, .points = 0 };
	_cleanup_(buf_release) struct buf body = BUF_INIT(FIXTURE_MAX);
	struct grid_env env = env_now(now);
	struct error err = ERROR_INIT;
	struct grid_answer a;

	assert_true(case_read(file, &body));
	if (case_parse(grid, &env, &c, buf_str(&body), &a, &err))
		fail_msg("%s", err.msg);
	return a;
}

static void test_generic_json(void **state)
{
	struct grid_answer a = parse_file(&grid_generic, GENERIC "nested_rows.synthetic.json", "nested", MAY);
	const struct grid_series *s = a.series.ptr[0];

	(void)state;
	assert_int_equal(grid_series_at(s, at("2026-05-06T09:00Z")), 100000);
	assert_int_equal(s->kind[96], GRID_KIND_ESTIMATED); /* a forecast that has come to pass was never measured */
	assert_int_equal(s->kind[100], GRID_KIND_FORECAST);
	assert_int_equal(a.dropped[GRID_DROP_MISSING], 1);
	assert_int_equal(a.dropped[GRID_DROP_TYPE], 1);
	grid_answer_release(&a);
	a = parse_file(&grid_generic, GENERIC "pairs_ms.synthetic.json", "pairs", MAY);
	/* Quarters 50 and 51 EUR/MWh. */
	assert_int_equal(grid_series_at(a.series.ptr[0], at("2026-05-06T09:00Z")), 50500);
	grid_answer_release(&a);
}

/* The hour that occurs twice in London, labelled with its end: four half hours in a row, not two. */
static void test_generic_wall_clock(void **state)
{
	static const struct {
		const char *start;
		int32_t micros;
	} cases[] = {
		{ "2026-10-24T23:00Z", 105000 },       { "2026-10-24T23:30Z", 110000 },
		{ "2026-10-25T00:00Z", 120000 },       { "2026-10-25T00:30Z", 130000 },
		{ "2026-10-25T01:00Z", 140000 },       { "2026-10-25T01:30Z", 150000 },
		{ "2026-10-25T02:00Z", GRID_UNKNOWN }, { "2026-10-25T02:30Z", GRID_UNKNOWN },
		{ "2026-10-25T03:00Z", -12500 },
	};
	struct grid_answer a = parse_file(&grid_generic, GENERIC "wall_clock.synthetic.csv", "wall", OCTOBER);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(grid_series_at(a.series.ptr[0], at(cases[i].start)), cases[i].micros);
	assert_int_equal(a.dropped[GRID_DROP_MISSING], 1);
	assert_int_equal(a.dropped[GRID_DROP_TYPE], 1);
	grid_answer_release(&a);
}

static void test_prometheus(void **state)
{
	struct grid_answer a = parse_file(&grid_prometheus, PROM "one_series.synthetic.json", "power", MAY);
	const struct grid_series *s = a.series.ptr[0];

	(void)state;
	assert_int_equal(grid_series_at(s, at("2026-05-05T09:00Z")), 200);
	assert_int_equal(grid_series_at(s, at("2026-05-05T10:30Z")), GRID_UNKNOWN); /* NaN */
	assert_int_equal(grid_series_at(s, at("2026-05-05T11:00Z")), GRID_UNKNOWN); /* +Inf */
	assert_int_equal(grid_series_at(s, at("2026-05-05T11:30Z")), 205);          /* 0.4 s late */
	assert_int_equal(grid_series_at(s, at("2026-05-06T09:00Z")), 248);
	assert_int_equal(s->kind[48], GRID_KIND_ACTUAL);
	assert_int_equal(a.dropped[GRID_DROP_MISSING], 1);
	assert_int_equal(a.dropped[GRID_DROP_TYPE], 1);
	grid_answer_release(&a);
}

static void test_plans(void **state)
{
	const struct grid_target targets[] = { { GRID_CARBON, "nested", NULL },
					       { GRID_PRICE, "nested", NULL },
					       { GRID_DEMAND, "power", NULL },
					       { GRID_CARBON, "gone", NULL } };
	struct grid_env env = env_now("2026-05-06T10:05Z");
	struct grid_plan plan = { 0 };
	struct grid_basis basis;

	(void)state;
	grid_generic.plan(&env, targets, ARRAY_LEN(targets), &plan);
	assert_int_equal(plan.n, 1);
	assert_string_equal(plan.items[0].url,
			    "https://x.example/a?since=2026-05-04T10:00:00Z&until=2026-05-13T10:00:00Z&k={key}");
	assert_true(plan.items[0].secret_url);
	assert_string_equal(plan.items[0].header, "");
	grid_generic.basis(&env, "nested", &basis);
	assert_string_equal(basis.accounting, "average");
	plan.n = 0;
	env.secret = "s3";
	grid_prometheus.plan(&env, targets, ARRAY_LEN(targets), &plan);
	assert_int_equal(plan.n, 1);
	assert_string_equal(
		plan.items[0].url,
		"http://prom.example:9090/api/v1/query_range?query=sum%28site_watts%7Bsite%3D~%22a%7Cb%22%7D%29"
		"%20%2F%201e6%20%3E%200&start=1777888800&end=1778061900&step=1800");
	assert_string_equal(plan.items[0].header, "Authorization: Bearer s3");
	plan.n = 0;
	env.user = "u";
	grid_prometheus.plan(&env, &(const struct grid_target){ GRID_DEMAND, "power-end", NULL }, 1, &plan);
	assert_non_null(strstr(plan.items[0].url, "&step=60")); /* 11,000 points at most */
	assert_string_equal(plan.items[0].header, "Authorization: Basic dTpzMw==");
	/* No server configured, or a secret that cannot go into a header. */
	plan.n = 0;
	env.base_url = NULL;
	grid_prometheus.plan(&env, targets, ARRAY_LEN(targets), &plan);
	env.base_url = "http://prom.example:9090";
	env.secret = "s\n3";
	grid_prometheus.plan(&env, targets, ARRAY_LEN(targets), &plan);
	grid_generic.plan(&env, targets, ARRAY_LEN(targets), &plan);
	assert_int_equal(plan.n, 0);
}

/* A URL that does not fit, and a label, are refused without harm. */
static void test_long_url(void **state)
{
	static char url[GRID_URL_MAX + 1];
	struct grid_custom c = sources[0];
	struct grid_env env = env_now("2026-05-06T10:05Z");
	struct grid_plan plan = { 0 };

	(void)state;
	memset(url, 'a', GRID_URL_MAX);
	c.url = url;
	env.custom = &c;
	env.n_custom = 1;
	grid_generic.plan(&env, &(const struct grid_target){ GRID_CARBON, "nested", NULL }, 1, &plan);
	assert_int_equal(plan.n, 0);
	c.provider = "prometheus";
	c.query = url;
	grid_prometheus.plan(&env, &(const struct grid_target){ GRID_CARBON, "nested", NULL }, 1, &plan);
	assert_int_equal(plan.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),      cmocka_unit_test(test_generic_json),
		cmocka_unit_test(test_prometheus), cmocka_unit_test(test_generic_wall_clock),
		cmocka_unit_test(test_plans),      cmocka_unit_test(test_long_url),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
