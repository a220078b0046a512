/* SPDX-License-Identifier: Apache-2.0 */
/* The GB Carbon Intensity provider: every fixture, its plan, and its schedule. */
#include "grid_fixture.h"

#define GRID (&grid_carbonintensity_gb)

struct expect {
	const char *file;
	const char *now, *from, *to;
	enum error_code code; /* ERR_NONE: parses */
	int carbon;           /* values in all series */
	int renewable;
	int series;
	int dropped[GRID_DROPS];
};

/* clang-format off */
static const struct expect table[] = {
	{ "recorded-2021/intensity_now.json",
	  "2021-04-30T23:01:57Z", "2021-04-30T22:00Z", "2021-05-02T23:00Z", ERR_NONE, 1, 0, 1, { 0 } },
	{ "recorded-2021/intensity_range_2020-01-01_2020-01-02.json",
	  "2020-01-03T00:00Z", "2019-12-31T23:30Z", "2020-01-03T00:00Z", ERR_NONE, 96, 0, 1, { 0 } },
	{ "recorded-2021/generation_now.json",
	  "2021-04-30T22:17:01Z", "2021-04-30T21:00Z", "2021-04-30T23:00Z", ERR_NONE, 0, 1, 1, { 0 } },
	{ "recorded-2021/generation_range_2019-04-01_07.json",
	  "2019-04-08T00:00Z", "2019-03-31T23:30Z", "2019-04-08T00:00Z", ERR_NONE, 0, 336, 1, { 0 } },
	{ "recorded-2021/regional_now.json",
	  "2021-04-30T23:01:57Z", "2021-04-30T22:30Z", "2021-05-02T23:00Z", ERR_NONE, 17, 18, 35, { 0 } },
	{ "recorded-2021/regional_england.json",
	  "2021-04-30T23:01:57Z", "2021-04-30T22:30Z", "2021-05-02T23:00Z", ERR_NONE, 1, 1, 2, { 0 } },
	{ "recorded-2021/regional_scotland.json",
	  "2021-04-30T23:01:57Z", "2021-04-30T22:30Z", "2021-05-02T23:00Z", ERR_NONE, 1, 1, 2, { 0 } },
	{ "recorded-2021/regional_wales.json",
	  "2021-04-30T23:01:57Z", "2021-04-30T22:30Z", "2021-05-02T23:00Z", ERR_NONE, 1, 1, 2, { 0 } },
	{ "recorded-2021/regional_postcode_EN2.json",
	  "2021-04-30T23:01:57Z", "2021-04-30T22:30Z", "2021-05-02T23:00Z", ERR_NONE, 1, 1, 2, { 0 } },
	{ "recorded-2021/regional_regionid_13.json",
	  "2021-04-30T23:01:57Z", "2021-04-30T22:30Z", "2021-05-02T23:00Z", ERR_NONE, 1, 1, 2, { 0 } },
	{ "recorded-2021/regional_range_2020-01-01_2020-01-02.json",
	  "2020-01-01T00:00Z", "2019-12-31T23:30Z", "2020-01-03T00:00Z", ERR_NONE, 17 * 96, 18 * 96, 35, { 0 } },
	{ "recorded-2021/regional_range_postcode_EN2_2019-01-01_02.json",
	  "2019-01-01T00:00Z", "2018-12-31T23:30Z", "2019-01-03T00:00Z", ERR_NONE, 96, 96, 2, { 0 } },
	{ "recorded-2021/regional_range_regionid_13_2020-01-01_02.json",
	  "2020-01-01T00:00Z", "2019-12-31T23:30Z", "2020-01-03T00:00Z", ERR_NONE, 96, 96, 2, { 0 } },
	{ "recorded-2021/intensity_factors.json",
	  "2021-04-30T23:00Z", "2021-04-30T22:00Z", "2021-05-02T23:00Z", ERR_INVALID, 0, 0, 0, { [GRID_DROP_TYPE] = 1 } },
	{ "recorded-2021/intensity_stats_2019-04-01_07.json",
	  "2019-04-08T00:00Z", "2019-03-31T23:30Z", "2019-04-08T00:00Z", ERR_INVALID, 0, 0, 0, { [GRID_DROP_STEP] = 1 } },
	{ "recorded-2021/intensity_stats_block2_2019-04-01_07.json",
	  "2019-04-08T00:00Z", "2019-03-31T23:30Z", "2019-04-08T00:00Z", ERR_INVALID, 0, 0, 0, { [GRID_DROP_STEP] = 84 } },
	{ "recorded-2021/manifest.json",
	  "2021-04-30T23:00Z", "2021-04-30T22:00Z", "2021-05-02T23:00Z", ERR_INVALID, 0, 0, 0, { 0 } },
	{ "recorded-2024/intensity_pt24h_2024-01-12T0601Z_first8.json",
	  "2024-01-12T06:01Z", "2024-01-11T06:00Z", "2024-01-12T06:00Z", ERR_NONE, 8, 0, 1, { 0 } },
	{ "recorded-2026/regional_fw24h_2windows.json",
	  "2026-05-06T00:00Z", "2026-05-05T23:30Z", "2026-05-07T00:00Z", ERR_NONE, 2 * 17, 2 * 18, 35, { 0 } },
	{ "recorded-2026/regional_fw24h_regionid_13.json",
	  "2026-05-06T00:00Z", "2026-05-05T23:30Z", "2026-05-07T00:00Z", ERR_NONE, 49, 49, 2, { 0 } },
	{ "odd/http200_empty_data.json",
	  "2026-05-06T00:00Z", "2026-05-05T23:30Z", "2026-05-08T00:00Z", ERR_NOT_FOUND, 0, 0, 0, { 0 } },
	{ "odd/http200_empty_object.json",
	  "2026-05-06T00:00Z", "2026-05-05T23:30Z", "2026-05-08T00:00Z", ERR_NOT_FOUND, 0, 0, 0, { 0 } },
	{ "odd/http200_missing_body.txt",
	  "2026-05-06T00:00Z", "2026-05-05T23:30Z", "2026-05-08T00:00Z", ERR_NOT_FOUND, 0, 0, 0, { 0 } },
	{ "odd/http400_bad_datetime.synthetic.json",
	  "2026-05-06T00:00Z", "2026-05-05T23:30Z", "2026-05-08T00:00Z", ERR_INVALID, 0, 0, 0, { 0 } },
	{ "odd/http500_resource_not_found.json",
	  "2026-05-06T00:00Z", "2026-05-05T23:30Z", "2026-05-08T00:00Z", ERR_INVALID, 0, 0, 0, { 0 } },
	{ "odd/http502_apigateway.synthetic.json",
	  "2026-05-06T00:00Z", "2026-05-05T23:30Z", "2026-05-08T00:00Z", ERR_INVALID, 0, 0, 0, { 0 } },
	{ "odd/http503_html.synthetic.html",
	  "2026-05-06T00:00Z", "2026-05-05T23:30Z", "2026-05-08T00:00Z", ERR_INVALID, 0, 0, 0, { 0 } },
	{ "odd/intensity_null_actual_and_forecast.derived.json",
	  "2020-01-01T06:00Z", "2019-12-31T23:30Z", "2020-01-03T00:00Z", ERR_NONE, -1, 0, 1, { [GRID_DROP_MISSING] = -1 } },
	{ "odd/regional_duplicate_windows.derived.json",
	  "2026-05-06T00:00Z", "2026-05-05T23:30Z", "2026-05-08T00:00Z", ERR_NONE, -1, -1, 2, { [GRID_DROP_DUPLICATE] = -1 } },
	{ "odd/regional_fw48h_short_horizon.derived.json",
	  "2026-05-06T00:00Z", "2026-05-05T23:30Z", "2026-05-08T00:00Z", ERR_NONE, 31, 31, 2, { 0 } },
	{ "odd/regional_gap_3_windows.derived.json",
	  "2026-05-06T00:00Z", "2026-05-05T23:30Z", "2026-05-08T00:00Z", ERR_NONE, 46, 46, 2, { 0 } },
};
/* clang-format on */

static int known(const struct grid_answer *a, enum grid_metric metric)
{
	int n = 0;

	for (size_t i = 0; i < a->series.len; i++)
		for (int k = 0; k < a->series.ptr[i]->n; k++)
			n += a->series.ptr[i]->metric == metric && a->series.ptr[i]->value[k] != GRID_UNKNOWN;
	return n;
}

static int parse_text(struct str body, const char *now, const char *from, const char *to, struct grid_answer *a,
		      struct error *err)
{
	const struct grid_env env = { .base_url = GRID->base_url, .now_ms = at(now) };
	const struct grid_request req = { 0 };

	grid_answer_init(a, at(from), at(to), at(now));
	return GRID->parse(&env, &req, body, a, err);
}

static void check(const struct expect *e)
{
	_cleanup_(buf_release) struct buf body = BUF_INIT(FIXTURE_MAX);
	struct error err = ERROR_INIT;
	struct grid_answer a;
	int twins = 0;

	fixture_read("carbonintensity-gb", e->file, &body);
	assert_int_equal(parse_text(buf_str(&body), e->now, e->from, e->to, &a, &err), e->code == ERR_NONE ? 0 : -1);
	if (err.code != e->code)
		fail_msg("%s: %s", e->file, err.msg);
	print_message("%s: %d points, %d carbon, %d renewable, %zu series%s%s\n", e->file, a.points,
		      known(&a, GRID_CARBON), known(&a, GRID_RENEWABLE), a.series.len, e->code ? ": " : "", err.msg);
	if (e->carbon >= 0)
		assert_int_equal(known(&a, GRID_CARBON), e->carbon);
	if (e->renewable >= 0)
		assert_int_equal(known(&a, GRID_RENEWABLE), e->renewable);
	/* What has a renewable share has a low-carbon one. */
	assert_int_equal(known(&a, GRID_LOW_CARBON), known(&a, GRID_RENEWABLE));
	for (size_t i = 0; i < a.series.len; i++)
		twins += a.series.ptr[i]->metric == GRID_LOW_CARBON;
	assert_int_equal(a.series.len, e->series + twins);
	for (int i = 0; i < GRID_DROPS; i++) {
		if (a.dropped[i])
			print_message("    %d dropped: %s\n", a.dropped[i], grid_drop_name((enum grid_drop)i));
		if (e->dropped[i] >= 0)
			assert_int_equal(a.dropped[i], e->dropped[i]);
		else
			assert_true(a.dropped[i] > 0);
	}
	grid_answer_release(&a);
}

static void test_fixtures(void **state)
{
	(void)state;
	if (!fixture_root())
		skip();
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		check(&table[i]);
}

static int32_t value(const struct grid_answer *a, enum grid_metric m, const char *zone, const char *time)
{
	const struct grid_series *s = grid_answer_series(a, m, zone);

	return s ? grid_series_at(s, at(time)) : GRID_UNKNOWN;
}

/* The running window, the one before it and the shape of a region by itself. */
static void test_values(void **state)
{
	_cleanup_(buf_release) struct buf body = BUF_INIT(FIXTURE_MAX);
	struct error err = ERROR_INIT;
	const struct grid_series *s;
	struct grid_answer a;

	(void)state;
	if (!fixture_root())
		skip();
	fixture_read("carbonintensity-gb", "recorded-2026/regional_fw24h_regionid_13.json", &body);
	assert_int_equal(
		parse_text(buf_str(&body), "2026-05-06T00:10Z", "2026-05-05T23:30Z", "2026-05-07T00:00Z", &a, &err), 0);
	assert_int_equal(value(&a, GRID_CARBON, "13", "2026-05-05T23:30Z"), 172000);
	assert_int_equal(value(&a, GRID_CARBON, "13", "2026-05-06T09:00Z"), 120000);
	/* wind 14.5 + solar 19.2 + hydro 0.2 + biomass 2.7 of 99.9 */
	assert_int_equal(value(&a, GRID_RENEWABLE, "13", "2026-05-06T09:00Z"), 366);
	s = grid_answer_series(&a, GRID_CARBON, "13");
	assert_int_equal(s->kind[0], GRID_KIND_ESTIMATED);
	assert_int_equal(s->kind[1], GRID_KIND_FORECAST);
	/* Slots 23:30, 00:00 and 00:30: what was, is, and comes next. */
	assert_int_equal(a.moments.len, 3);
	assert_string_equal(a.moments.ptr[0].index, "high");
	assert_int_equal(a.moments.ptr[0].n_mix, 9);
	grid_answer_release(&a);
}

static void test_actuals(void **state)
{
	static const char body[] =
		"{ \r\n  \"data\":[{\"from\":\"2026-05-06T08:30Z\",\"to\":\"2026-05-06T09:00Z\",\"intensity\":"
		"{\"forecast\":128,\"actual\":131,\"index\":\"moderate\"}},\r\n"
		"{\"from\":\"2026-05-06T09:00Z\",\"to\":\"2026-05-06T09:30Z\",\"intensity\":{\"forecast\":120,"
		"\"actual\":null}},"
		"{\"from\":\"2026-05-06T09:30Z\",\"to\":\"2026-05-06T10:00Z\",\"intensity\":{\"forecast\":119,"
		"\"actual\":7}}]}";
	struct error err = ERROR_INIT;
	const struct grid_series *s;
	struct grid_answer a;

	(void)state;
	assert_int_equal(
		parse_text(str_from(body), "2026-05-06T09:40Z", "2026-05-06T08:30Z", "2026-05-06T12:00Z", &a, &err), 0);
	s = grid_answer_series(&a, GRID_CARBON, "national");
	assert_int_equal(s->value[0], 131000);
	assert_int_equal(s->kind[0], GRID_KIND_ACTUAL);
	assert_int_equal(s->value[1], 120000);
	assert_int_equal(s->kind[1], GRID_KIND_ESTIMATED);
	/* An "actual" of a window that has not ended is none. */
	assert_int_equal(s->value[2], 119000);
	assert_int_equal(s->kind[2], GRID_KIND_FORECAST);
	grid_answer_release(&a);
}

#define WINDOW(from, to, forecast) "{\"from\":\"" from "\",\"to\":\"" to "\",\"intensity\":{\"forecast\":" forecast "}}"

static void test_bad_points(void **state)
{
	static const char body[] =
		"{\"data\":[" WINDOW("2026-05-06T09:00Z", "2026-05-06T09:30Z", "-13") "," WINDOW("2026-05-06T09:30Z", "2026-05-06T10:00Z", "40000") "," WINDOW(
			"2026-05-06T10:00Z", "2026-05-06T10:30Z",
			"\"n/a\"") "," WINDOW("2026-05-06T10:30Z", "2026-05-06T11:00Z",
					      "null") "," WINDOW("2026-05-06T11:00Z", "2026-05-06T12:00Z",
								 "100") "," WINDOW("2026-05-06T11:10Z",
										   "2026-05-06T11:40Z",
										   "100") "," WINDOW("2027-05-06T11:"
												     "00Z",
												     "2027-05-06T11:"
												     "30Z",
												     "100") "," WINDOW("2026-05-06T12:00Z",
														       "2026-05-06T12:30Z",
														       "1e300") "," WINDOW("2026-05-06T12:30Z",
																	   "2026-05-06T13:00Z",
																	   "0") ",7,null,\"x\",[]"
																		",{\"regionid\":77,\"data\":[]},{\"regionid\":\"1\",\"data\":[]}]}";
	struct error err = ERROR_INIT;
	struct grid_answer a;

	(void)state;
	assert_int_equal(
		parse_text(str_from(body), "2026-05-06T09:10Z", "2026-05-06T09:00Z", "2026-05-08T09:00Z", &a, &err), 0);
	assert_int_equal(value(&a, GRID_CARBON, "national", "2026-05-06T09:00Z"), 0);
	assert_int_equal(value(&a, GRID_CARBON, "national", "2026-05-06T12:30Z"), 0);
	assert_int_equal(known(&a, GRID_CARBON), 2);
	assert_int_equal(a.dropped[GRID_DROP_CLAMPED], 1);
	assert_int_equal(a.dropped[GRID_DROP_RANGE], 1);
	assert_int_equal(a.dropped[GRID_DROP_MISSING], 1);
	assert_int_equal(a.dropped[GRID_DROP_STEP], 2);
	assert_int_equal(a.dropped[GRID_DROP_SPAN], 1);
	assert_int_equal(a.dropped[GRID_DROP_TYPE], 2 + 4);
	assert_int_equal(a.dropped[GRID_DROP_ZONE], 2);
	grid_answer_release(&a);
}

/* Schema drift: an object where an array was, new fuels, other names, unknown members. */
static void test_drift(void **state)
{
	static const char body[] =
		"{\"data\":{\"from\":\"2026-05-06T09:00Z\",\"to\":\"2026-05-06T09:30Z\",\"new\":[1],\"regions\":[{"
		"\"regionid\":6,"
		"\"shortname\":\"Another name\",\"intensity\":{\"forecast\":80,\"index\":\"a word longer than any\"},"
		"\"generationmix\":[{\"fuel\":\"wind\",\"perc\":60},{\"fuel\":\"storage\",\"perc\":10.5},{\"fuel\":"
		"\"gas\","
		"\"perc\":29.5}]}]}}";
	struct error err = ERROR_INIT;
	struct grid_answer a;

	(void)state;
	assert_int_equal(
		parse_text(str_from(body), "2026-05-06T09:10Z", "2026-05-06T09:00Z", "2026-05-08T09:00Z", &a, &err), 0);
	assert_int_equal(value(&a, GRID_CARBON, "6", "2026-05-06T09:00Z"), 80000);
	assert_int_equal(value(&a, GRID_RENEWABLE, "6", "2026-05-06T09:00Z"), 600);
	assert_int_equal(a.moments.ptr[0].n_mix, 3);
	grid_answer_release(&a);
}

static void test_plan(void **state)
{
	const struct grid_target targets[] = { { GRID_CARBON, "13", NULL },       { GRID_CARBON, "1", NULL },
					       { GRID_PRICE, "C", NULL },         { GRID_CARBON, "18", NULL },
					       { GRID_CARBON, "national", NULL }, { GRID_CARBON, "../x", NULL } };
	const struct grid_env env = { .base_url = "http://127.0.0.1:1", .now_ms = at("2026-05-06T09:10:11Z") };
	struct grid_plan plan = { 0 };

	(void)state;
	GRID->plan(&env, targets, 2, &plan);
	assert_int_equal(plan.n, 2);
	assert_string_equal(plan.items[0].url, "http://127.0.0.1:1/regional/intensity/2026-05-06T09:00Z/fw48h");
	assert_int_equal(plan.items[0].from_ms, at("2026-05-06T08:30Z"));
	assert_int_equal(plan.items[0].to_ms, at("2026-05-08T09:00Z"));
	assert_string_equal(plan.items[1].url,
			    "http://127.0.0.1:1/regional/intensity/2026-05-04T09:30Z/2026-05-06T09:00Z");
	assert_true(grid_provider_serves(GRID, &plan.items[0], "13"));
	assert_false(grid_provider_serves(GRID, &plan.items[0], "national"));
	plan.n = 0;
	GRID->plan(&env, targets, ARRAY_LEN(targets), &plan);
	assert_int_equal(plan.n, 4);
	assert_string_equal(plan.items[2].url, "http://127.0.0.1:1/intensity/2026-05-06T09:00Z/fw48h");
	plan.n = 0;
	GRID->plan(&env, &targets[4], 1, &plan);
	assert_int_equal(plan.n, 3);
	assert_string_equal(plan.items[2].url, "http://127.0.0.1:1/generation");
	assert_false(GRID->has_zone(&(struct grid_env){ 0 }, GRID_CARBON, "18"));
	assert_false(GRID->has_zone(&(struct grid_env){ 0 }, GRID_CARBON, NULL));
	assert_false(GRID->has_zone(&(struct grid_env){ 0 }, GRID_PRICE, "13"));
}

static void test_schedule(void **state)
{
	static const struct {
		int what;
		const char *now, *earliest, *latest;
	} cases[] = {
		{ 0, "2026-05-06T09:00:30Z", "2026-05-06T09:02:00Z", "2026-05-06T09:05:00Z" },
		{ 0, "2026-05-06T09:02:00Z", "2026-05-06T09:32:00Z", "2026-05-06T09:35:00Z" },
		{ 0, "2026-05-06T09:29:59Z", "2026-05-06T09:32:00Z", "2026-05-06T09:35:00Z" },
		{ 1, "2026-05-06T09:10:00Z", "2026-05-06T15:02:00Z", "2026-05-06T15:05:00Z" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct grid_env env = { .base_url = "", .now_ms = at(cases[i].now) };
		const struct grid_request req = { .what = cases[i].what };

		assert_int_equal(grid_provider_next_poll_ms(GRID, &env, &req, TIME_NONE, 0), at(cases[i].earliest));
		assert_true(grid_provider_next_poll_ms(GRID, &env, &req, TIME_NONE, 0.999) <= at(cases[i].latest));
	}
}

static void test_basis(void **state)
{
	struct grid_basis a, b;

	(void)state;
	GRID->basis(&(struct grid_env){ 0 }, "13", &a);
	GRID->basis(&(struct grid_env){ 0 }, "1", &b);
	assert_memory_equal(&a, &b, sizeof(a));
	GRID->basis(&(struct grid_env){ 0 }, "national", &b);
	assert_string_equal(b.resolution, "national");
	assert_string_equal(b.accounting, "average");
	assert_string_equal(b.scope, "direct");
	assert_string_equal(b.boundary, "consumption");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixtures),   cmocka_unit_test(test_values), cmocka_unit_test(test_actuals),
		cmocka_unit_test(test_bad_points), cmocka_unit_test(test_drift),  cmocka_unit_test(test_plan),
		cmocka_unit_test(test_schedule),   cmocka_unit_test(test_basis),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
