/* SPDX-License-Identifier: Apache-2.0 */
/* NESO's data portal: every fixture, the way from package to data and its detours, labels, plans. */
#include "provider_cases.h"

#define GRID (&grid_neso)
#define BASE "https://api.neso.energy/"

/* Of the provider's enum. */
enum { REGIONAL, REGIONAL_SLUGS, NATIONAL, EMBEDDED, RECENT_DEMAND, DEMAND_AHEAD, HISTORIC_MIX, FLEXIBILITY, RESPONSE };

/* clang-format off */
static const struct provider_case fixtures[] = {
	{ "neso-portal/recorded/embedded_forecast.csv", NULL, EMBEDDED,
	  "2026-08-16T18:00Z", "2026-08-30T18:30Z", "2026-08-16T18:30Z", .points = 2 * 20 },
	{ "neso-portal/synthetic/embedded_forecast_dst_spring.csv", NULL, EMBEDDED,
	  "2026-03-28T18:00Z", "2026-04-11T18:30Z", "2026-03-28T18:30Z", .points = 2 * 46 },
	{ "neso-portal/synthetic/embedded_forecast_dst_autumn.csv", NULL, EMBEDDED,
	  "2026-10-24T18:00Z", "2026-11-07T18:30Z", "2026-10-24T18:30Z", .points = 2 * 50 },
	/* Rows of 2009 and of the autumn belong to the file, and not to what was asked for. */
	{ "neso-portal/recorded/historic_generation_mix.csv", NULL, HISTORIC_MIX,
	  "2026-03-27T06:00Z", "2026-03-29T06:30Z", "2026-03-29T06:00Z", .points = 2 * 2 },
	{ "neso-portal/synthetic/datastore_search_regional_ci.json", NULL, REGIONAL,
	  "2026-05-04T00:00Z", "2026-05-20T00:00Z", "2026-05-06T00:10Z", .points = 7,
	  .dropped = { [GRID_DROP_MISSING] = 1, [GRID_DROP_CLAMPED] = 1 } },
	{ "neso-portal/synthetic/datastore_search_regional_ci.json", NULL, REGIONAL_SLUGS,
	  "2026-05-04T00:00Z", "2026-05-20T00:00Z", "2026-05-06T00:10Z", .points = 7,
	  .dropped = { [GRID_DROP_MISSING] = 1, [GRID_DROP_CLAMPED] = 1 } },
	{ "neso-portal/synthetic/datastore_empty_records.json", NULL, REGIONAL,
	  "2026-05-04T00:00Z", "2026-05-20T00:00Z", "2026-05-06T00:10Z", .code = ERR_NOT_FOUND },
	{ "neso-portal/synthetic/http404_resource_gone.json", NULL, REGIONAL,
	  "2026-05-04T00:00Z", "2026-05-20T00:00Z", "2026-05-06T00:10Z", .code = ERR_INVALID },
	{ "neso-portal/synthetic/http409_sql_error.json", NULL, REGIONAL,
	  "2026-05-04T00:00Z", "2026-05-20T00:00Z", "2026-05-06T00:10Z", .code = ERR_INVALID },
	{ "neso-portal/recorded/package_show_embedded_wind_and_solar_forecasts.json", NULL, EMBEDDED,
	  "2026-08-16T18:00Z", "2026-08-30T18:30Z", "2026-08-16T18:30Z", .points = 0 },
	{ "neso-portal/recorded/package_show_historic_generation_mix.json", NULL, HISTORIC_MIX,
	  "2026-08-16T18:00Z", "2026-08-30T18:30Z", "2026-08-16T18:30Z", .points = 0 },
	/* A package that has not what is wanted. */
	{ "neso-portal/recorded/package_show_historic_generation_mix.json", NULL, REGIONAL,
	  "2026-08-16T18:00Z", "2026-08-30T18:30Z", "2026-08-16T18:30Z", .code = ERR_INVALID },
	/* Another file than asked for. */
	{ "neso-portal/recorded/embedded_forecast.csv", NULL, RECENT_DEMAND,
	  "2026-08-15T06:30Z", "2026-08-29T06:30Z", "2026-08-17T06:30Z",
	  .dropped = { [GRID_DROP_MISSING] = 20 }, .code = ERR_INVALID },
	{ "neso-portal/recorded/embedded_forecast.csv", NULL, REGIONAL,
	  "2026-08-15T06:30Z", "2026-08-29T06:30Z", "2026-08-17T06:30Z", .code = ERR_INVALID },
	{ "tests/data/grid/neso/regional_carbon_intensity.synthetic.csv", NULL, REGIONAL,
	  "2026-05-04T00:00Z", "2026-05-20T00:00Z", "2026-05-06T00:10Z", .points = 14 * 96 - 1,
	  .dropped = { [GRID_DROP_MISSING] = 1, [GRID_DROP_CLAMPED] = 1 } },
	/* Actuals of the past but for the one that is 0; the outlier of forecasts is beyond its bounds, and has an actual. */
	{ "tests/data/grid/neso/national_carbon_intensity.synthetic.csv", "GB", NATIONAL,
	  "2026-05-04T00:00Z", "2026-05-20T00:00Z", "2026-05-06T00:10Z", .points = 50 },
	/* 50 periods of the day of 25 hours, 14 of the next; what is 0 is not there yet; no period 49, no period "x". */
	{ "tests/data/grid/neso/demanddataupdate.synthetic.csv", NULL, RECENT_DEMAND,
	  "2026-10-24T08:30Z", "2026-11-09T08:30Z", "2026-10-26T08:30Z", .points = 64,
	  .dropped = { [GRID_DROP_DEAD] = 6, [GRID_DROP_TYPE] = 2 } },
	{ "tests/data/grid/neso/ng-demand-14da-hh.synthetic.csv", NULL, DEMAND_AHEAD,
	  "2026-10-06T08:30Z", "2026-10-22T08:30Z", "2026-10-08T08:30Z", .points = 48 },
	{ "tests/data/grid/neso/dfs_utilisation.synthetic.json", NULL, FLEXIBILITY,
	  "2026-09-06T20:00Z", "2026-09-22T20:00Z", "2026-09-08T20:00Z", .points = 2,
	  .dropped = { [GRID_DROP_MISSING] = 1, [GRID_DROP_DEAD] = 1, [GRID_DROP_TYPE] = 1 } },
	/* No event in the last days: no error either. */
	{ "tests/data/grid/neso/dfs_utilisation.synthetic.json", NULL, FLEXIBILITY,
	  "2026-10-06T20:00Z", "2026-10-22T20:00Z", "2026-10-08T20:00Z", .dropped = { [GRID_DROP_TYPE] = 1 } },
	{ "tests/data/grid/neso/response_summary.synthetic.json", NULL, RESPONSE,
	  "2026-05-04T08:30Z", "2026-05-20T08:30Z", "2026-05-06T08:30Z", .points = 24,
	  .dropped = { [GRID_DROP_DEAD] = 1, [GRID_DROP_MISSING] = 1, [GRID_DROP_TYPE] = 1 } },
	{ "tests/data/grid/neso/response_summary.synthetic.json", NULL, RESPONSE,
	  "2026-05-04T08:30Z", "2026-05-20T08:30Z", "2026-05-06T08:30Z", .points = 24, .product = "DCH" },
	/* A file of other days only. */
	{ "tests/data/grid/neso/ng-demand-14da-hh.synthetic.csv", NULL, DEMAND_AHEAD,
	  "2026-11-06T08:30Z", "2026-11-22T08:30Z", "2026-11-08T08:30Z",
	  .dropped = { [GRID_DROP_SPAN] = 48 }, .code = ERR_INVALID },
	{ "tests/data/grid/neso/package_show_renamed.synthetic.json", NULL, REGIONAL,
	  "2026-05-04T08:30Z", "2026-05-20T08:30Z", "2026-05-06T08:30Z", .code = ERR_INVALID },
};
/* clang-format on */

static void test_fixtures(void **state)
{
	_cleanup_(cleanup_tz) struct tz *tz = london_tz();
	struct grid_env env = { .base_url = GRID->base_url, .tz = tz };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fixtures); i++) {
		case_run(GRID, &env, &fixtures[i]);
		case_mutate(GRID, &env, &fixtures[i]);
	}
}

/* Parses a file into an answer that goes on; err's text says how it ended, "" for well. */
struct chain {
	struct tz *tz;
	struct grid_env env;
	struct grid_request req;
	struct grid_answer a;
	struct error err;
};

static void chain_init(struct chain *c, int what, const char *now)
{
	*c = (struct chain){ .tz = london_tz(), .err = ERROR_INIT };
	c->env = (struct grid_env){ .base_url = "https://api.neso.energy", .now_ms = at(now), .tz = c->tz };
	c->req.what = what;
	grid_answer_init(&c->a, c->env.now_ms - 2 * DAY_MS, c->env.now_ms + 14 * DAY_MS, c->env.now_ms);
}

static int chain_parse(struct chain *c, struct str body)
{
	c->err = (struct error)ERROR_INIT;
	return GRID->parse(&c->env, &c->req, body, &c->a, &c->err);
}

static int chain_file(struct chain *c, const char *file)
{
	_cleanup_(buf_release) struct buf body = BUF_INIT(FIXTURE_MAX);

	(void)case_read(file, &body);
	return chain_parse(c, buf_str(&body));
}

static void chain_release(struct chain *c)
{
	grid_answer_release(&c->a);
	tz_free(c->tz);
}

/* The live file beside archives of similar names, below our own base URL; when that yields nothing, the table, once. */
static void test_file_then_table(void **state)
{
	struct chain c;

	(void)state;
	if (!fixture_root())
		skip();
	chain_init(&c, EMBEDDED, "2026-08-16T18:40Z");
	assert_int_equal(chain_file(&c, "neso-portal/recorded/package_show_embedded_wind_and_solar_forecasts.json"), 0);
	assert_string_equal(c.a.next,
			    BASE "dataset/91c0c70e-0ef5-4116-b6fa-7ad084b5e0e8/resource/"
				 "db6c038f-98af-4570-ab60-24d71ebd0ae5/download/202608161825_embedded_forecast.csv");
	assert_int_equal(c.a.issued_ms, at("2026-08-16T18:25:03Z"));
	assert_int_equal(chain_parse(&c, STR("<html>Service unavailable</html>")), 0);
	assert_string_equal(c.a.next,
			    BASE "api/3/action/datastore_search?resource_id=db6c038f-98af-4570-ab60-24d71ebd0ae5"
				 "&limit=1000");
	assert_int_equal(chain_parse(&c, STR("<html>Service unavailable</html>")), -1);
	assert_int_equal(c.err.code, ERR_INVALID);
	assert_string_equal(c.a.next, "");
	chain_release(&c);

	chain_init(&c, EMBEDDED, "2026-08-16T18:40Z");
	assert_int_equal(chain_file(&c, "neso-portal/recorded/package_show_embedded_wind_and_solar_forecasts.json"), 0);
	assert_int_equal(chain_file(&c, "neso-portal/recorded/embedded_forecast.csv"), 0);
	assert_string_equal(c.a.next, "");
	/* The label 18:30 is an end: half past six is the second row's start. */
	assert_int_equal(value_at(&c.a, GRID_SOLAR, "GB", "2026-08-16T18:00Z"), 1323);
	assert_int_equal(value_at(&c.a, GRID_SOLAR, "GB", "2026-08-16T18:30Z"), 562);
	assert_int_equal(value_at(&c.a, GRID_WIND, "GB", "2026-08-16T23:30Z"), 305);
	assert_int_equal(grid_answer_series(&c.a, GRID_WIND, "GB")->issued_ms, at("2026-08-16T18:25:03Z"));
	/* The second address was this answer's affair; the id is kept for days on which packages are not found. */
	assert_int_equal(c.a.n_notes, 1);
	assert_string_equal(grid_answer_noted(&c.a, "embedded-wind-and-solar-forecasts"),
			    "db6c038f-98af-4570-ab60-24d71ebd0ae5");
	chain_release(&c);
}

/* By its id alone: the same way on, if it still has that name. */
static void test_by_id(void **state)
{
#define RESOURCE(name)                                                                                   \
	"{\"success\":true,\"result\":{\"id\":\"db6c038f-98af-4570-ab60-24d71ebd0ae5\",\"name\":\"" name \
	"\",\"url\":\"https://api.neso.energy/dataset/a/resource/b/download/c.csv\",\"last_modified\":"  \
	"\"2026-08-16T18:25:03.877001\",\"datastore_active\":true}}"
	static const char id[] = "01234567-98af-4570-ab60-24d71ebd0ae5";
	struct grid_note note = { .key = "embedded-wind-and-solar-forecasts" };
	const struct grid_target target = { GRID_WIND, "GB", NULL }, unknown = { GRID_FLEX_PRICE, "GB", NULL };
	struct grid_plan *plan = xcalloc(1, sizeof(*plan));
	struct chain c;

	(void)state;
	chain_init(&c, EMBEDDED, "2026-08-16T18:40Z");
	assert_int_equal(chain_parse(&c, STR(RESOURCE("Embedded Solar and Wind Forecast"))), 0);
	assert_string_equal(c.a.next, BASE "dataset/a/resource/b/download/c.csv");
	assert_int_equal(c.a.issued_ms, at("2026-08-16T18:25:03Z"));
	chain_release(&c);
	chain_init(&c, EMBEDDED, "2026-08-16T18:40Z");
	assert_int_equal(chain_parse(&c, STR(RESOURCE("Embedded Solar and Wind Forecast Archive 2026"))), -1);
	assert_non_null(strstr(c.err.msg, "not \"Embedded Solar and Wind Forecast\" any more"));
	assert_string_equal(c.a.next, "");
	/* The published id until another one was found; none where none was published. */
	GRID->plan(&c.env, &target, 1, plan);
	assert_string_equal(plan->items[0].otherwise,
			    BASE "api/3/action/resource_show?id=db6c038f-98af-4570-ab60-24d71ebd0ae5");
	(void)str_copy(note.value, sizeof(note.value), str_from(id));
	c.env.notes = &note;
	c.env.n_notes = 1;
	plan->n = 0;
	GRID->plan(&c.env, &target, 1, plan);
	assert_non_null(strstr(plan->items[0].otherwise, id));
	plan->n = 0;
	GRID->plan(&c.env, &unknown, 1, plan);
	assert_string_equal(plan->items[0].otherwise, "");
	chain_release(&c);
	free(plan);
}

/* Resources of all years: the newest rows of the table, and the file when the table is empty. */
static void test_table_then_file(void **state)
{
	struct chain c;

	(void)state;
	chain_init(&c, REGIONAL, "2026-05-06T00:10Z");
	assert_int_equal(chain_file(&c, "tests/data/grid/neso/package_show_regional.synthetic.json"), 0);
	assert_string_equal(c.a.next,
			    BASE "api/3/action/datastore_search?resource_id=c16b0e19-c02a-44a8-ba05-4db2c0545a2a"
				 "&limit=400&sort=datetime%20desc");
	/* Modified in the future: not believed. */
	assert_int_equal(c.a.issued_ms, c.env.now_ms);
	assert_int_equal(chain_parse(&c, STR("{\"success\":true,\"result\":{\"records\":[],\"total\":0}}")), 0);
	assert_string_equal(c.a.next,
			    BASE "dataset/bf3d723b-b4ae-4ec7-9fc9-e584c651a9da/resource/"
				 "c16b0e19-c02a-44a8-ba05-4db2c0545a2a/download/regional_carbon_intensity.csv");
	assert_int_equal(chain_file(&c, "tests/data/grid/neso/regional_carbon_intensity.synthetic.csv"), 0);
	assert_string_equal(c.a.next, "");
	assert_int_equal(c.a.points, 14 * 96 - 1);
	chain_release(&c);
	/* No file: the table alone. */
	chain_init(&c, RESPONSE, "2026-05-06T00:10Z");
	assert_int_equal(chain_file(&c, "tests/data/grid/neso/package_show_response.synthetic.json"), 0);
	assert_non_null(
		strstr(c.a.next, "resource_id=596f29ac-0387-4ba4-a6d3-95c243140707&limit=1500&sort=deliveryStart"));
	assert_int_equal(chain_parse(&c, STR("")), -1);
	assert_int_equal(c.err.code, ERR_NOT_FOUND);
	chain_release(&c);
}

/* Whatever the portal says, requests stay below our base URL. */
static void test_addresses(void **state)
{
#define PACKAGE(id, url)                                                                                              \
	"{\"result\":{\"resources\":[{\"name\":\"Embedded Solar and Wind Forecast\",\"id\":\"" id "\",\"url\":\"" url \
	"\"}]}}"
#define ID "db6c038f-98af-4570-ab60-24d71ebd0ae5"
	static const struct {
		const char *package, *next;
	} cases[] = {
		{ PACKAGE(ID, "http://169.254.169.254/dataset/x"), BASE "dataset/x" },
		{ PACKAGE("x", "https://h/dataset/a?b=c"), "" },
		{ PACKAGE("x", "https://h/dataset/../../admin"), "" },
		{ PACKAGE("x", "https://h/dataset/a\\r\\nHost: x"), "" },
		{ PACKAGE("x", "https://h/other"), "" },
		{ PACKAGE(ID, "https://h/other"), BASE "api/3/action/datastore_search?resource_id=" ID "&limit=1000" },
		{ PACKAGE("db6c038f-98af-4570-ab60-24d71ebd0ae&", ""), "" },
		{ "{\"result\":{\"resources\":[{\"name\":7},{\"name\":\"Embedded Solar and Wind Forecast\"}]}}", "" },
		{ "{\"result\":{\"resources\":[]}}", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct chain c;

		chain_init(&c, EMBEDDED, "2026-05-06T00:10Z");
		assert_int_equal(chain_parse(&c, str_from(cases[i].package)), cases[i].next[0] ? 0 : -1);
		assert_string_equal(c.a.next, cases[i].next);
		chain_release(&c);
	}
#undef PACKAGE
#undef ID
}

static void test_values(void **state)
{
	struct chain c;

	(void)state;
	chain_init(&c, REGIONAL_SLUGS, "2026-05-06T00:10Z");
	assert_int_equal(chain_file(&c, "tests/data/grid/neso/regional_carbon_intensity.synthetic.csv"), 0);
	assert_int_equal(value_at(&c.a, GRID_CARBON, "north-wales-and-merseyside", "2026-05-06T00:00Z"), 100000);
	assert_int_equal(kind_at(&c.a, GRID_CARBON, "london", "2026-05-06T00:00Z"), GRID_KIND_FORECAST);
	assert_int_equal(kind_at(&c.a, GRID_CARBON, "london", "2026-05-05T23:30Z"), GRID_KIND_ESTIMATED);
	assert_int_equal(value_at(&c.a, GRID_CARBON, "london", "2026-05-06T03:30Z"), 0);
	assert_int_equal(value_at(&c.a, GRID_CARBON, "13", "2026-05-06T03:30Z"), GRID_UNKNOWN);
	chain_release(&c);

	chain_init(&c, NATIONAL, "2026-05-06T00:10Z");
	(void)str_copy(c.req.zone, sizeof(c.req.zone), STR("national"));
	assert_int_equal(chain_file(&c, "tests/data/grid/neso/national_carbon_intensity.synthetic.csv"), 0);
	assert_int_equal(kind_at(&c.a, GRID_CARBON, "national", "2026-05-05T23:30Z"), GRID_KIND_ACTUAL);
	assert_int_equal(kind_at(&c.a, GRID_CARBON, "national", "2026-05-05T22:30Z"), GRID_KIND_ESTIMATED);
	assert_int_equal(value_at(&c.a, GRID_CARBON, "national", "2026-05-06T00:30Z"), 121000);
	chain_release(&c);

	chain_init(&c, DEMAND_AHEAD, "2026-10-08T08:30Z");
	assert_int_equal(chain_file(&c, "tests/data/grid/neso/ng-demand-14da-hh.synthetic.csv"), 0);
	/* The local day of 10 October begins at 23:00 GMT of the 9th. */
	assert_int_equal(value_at(&c.a, GRID_DEMAND, "GB", "2026-10-09T22:30Z"), GRID_UNKNOWN);
	assert_int_equal(value_at(&c.a, GRID_DEMAND, "GB", "2026-10-09T23:00Z"), 20000);
	assert_int_equal(value_at(&c.a, GRID_DEMAND, "GB", "2026-10-10T22:30Z"), 20100);
	chain_release(&c);

	chain_init(&c, FLEXIBILITY, "2026-09-08T20:00Z");
	assert_int_equal(chain_file(&c, "tests/data/grid/neso/dfs_utilisation.synthetic.json"), 0);
	/* 17:00 in London is 16:00; (3.5 x 175 + 9.7 x 203) / 13.2 */
	assert_int_equal(value_at(&c.a, GRID_FLEX_PRICE, "GB", "2026-09-08T16:00Z"), 195576);
	assert_int_equal(value_at(&c.a, GRID_FLEX_PRICE, "GB", "2026-09-08T16:30Z"), 160000);
	chain_release(&c);

	chain_init(&c, RESPONSE, "2026-05-06T08:30Z");
	assert_int_equal(chain_file(&c, "tests/data/grid/neso/response_summary.synthetic.json"), 0);
	/* (2.5 x 1000 + 4 x 200 + 5 x 300) / 1500 GBP per MW and hour */
	assert_int_equal(value_at(&c.a, GRID_RESPONSE_PRICE, "GB", "2026-05-05T22:00Z"), 3200);
	assert_int_equal(value_at(&c.a, GRID_RESPONSE_PRICE, "GB", "2026-05-06T01:30Z"), 3200);
	assert_int_equal(value_at(&c.a, GRID_RESPONSE_PRICE, "GB", "2026-05-06T02:00Z"), 3867);
	chain_release(&c);
}

static void test_bodies(void **state)
{
	static const struct {
		const char *body;
		enum error_code code;
	} bad[] = {
		{ "", ERR_NOT_FOUND },
		{ "{}", ERR_NOT_FOUND },
		{ "[]", ERR_NOT_FOUND },
		{ "{\"data\":[]}", ERR_NOT_FOUND },
		{ "\xef\xbb\xbf{}", ERR_NOT_FOUND },
		{ "{\"success\":true}", ERR_INVALID },
		{ "{\"success\":true,\"result\":{}}", ERR_INVALID },
		{ "{\"success\":false}", ERR_INVALID },
		{ "{\"result\":{\"records\":[7,null,{},[]]}}", ERR_INVALID },
		{ "{\"result\":{\"records\":[{\"datetime\":\"x\"},{\"datetime\":7}]}}", ERR_INVALID },
		{ "<html><body>502</body></html>", ERR_INVALID },
		{ "plain text", ERR_INVALID },
		{ "datetime,London\n", ERR_NOT_FOUND },
		{ "datetime,Camelot\n2026-05-06T00:00:00,7\n", ERR_INVALID },
		{ "datetime,London\n2026-05-06T00:00:00,\"7\n", ERR_INVALID },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct chain c;

		chain_init(&c, REGIONAL, "2026-05-06T00:10Z");
		assert_int_equal(chain_parse(&c, str_from(bad[i].body)), -1);
		if (c.err.code != bad[i].code)
			fail_msg("%s: %s", bad[i].body, c.err.msg);
		chain_release(&c);
	}
}

/* A cut in the middle of a quoted cell takes only what comes behind it. */
static void test_cut_file(void **state)
{
	struct chain c;

	(void)state;
	chain_init(&c, DEMAND_AHEAD, "2026-10-08T08:30Z");
	assert_int_equal(chain_parse(&c, STR("\"DATE\",\"CTIME\",\"GDATETIME\",\"NATIONALDEMAND\"\r\n"
					     "\"2026-10-10\",30,\"2026-10-09T23:30:00\",20660\r\n"
					     "\"2026-10-10\",100,\"2026-10-10T0")),
			 0);
	assert_int_equal(c.a.points, 1);
	assert_int_equal(c.a.dropped[GRID_DROP_TYPE], 1);
	chain_release(&c);
}

static void test_plan(void **state)
{
	static const struct grid_target targets[] = {
		{ GRID_CARBON, "13", NULL },         { GRID_CARBON, "1", NULL },
		{ GRID_CARBON, "london", NULL },     { GRID_CARBON, "GB", NULL },
		{ GRID_CARBON, "national", NULL },   { GRID_WIND, "GB", NULL },
		{ GRID_SOLAR, "GB", NULL },          { GRID_DEMAND, "GB", NULL },
		{ GRID_RENEWABLE, "GB", NULL },      { GRID_FLEX_PRICE, "GB", NULL },
		{ GRID_RESPONSE_PRICE, "GB", NULL }, { GRID_RESPONSE_PRICE, "GB", "DCL" },
		{ GRID_CARBON, "15", NULL },         { GRID_CARBON, "atlantis", NULL },
		{ GRID_PRICE, "GB", NULL },
	};
	static const char *const packages[] = {
		"regional-carbon-intensity-forecast",
		"regional-carbon-intensity-forecast",
		"national-carbon-intensity-forecast",
		"national-carbon-intensity-forecast",
		"embedded-wind-and-solar-forecasts",
		"daily-demand-update",
		"2-14-days-ahead-national-demand-forecast",
		"historic-generation-mix",
		"demand-flexibility",
		"eac-auction-results",
		"eac-auction-results",
	};
	_cleanup_(cleanup_tz) struct tz *tz = london_tz();
	const struct grid_env env = { .base_url = "http://h", .now_ms = at("2026-05-06T09:10:11Z"), .tz = tz };
	struct grid_plan *plan = xcalloc(1, sizeof(*plan));

	(void)state;
	GRID->plan(&env, targets, ARRAY_LEN(targets), plan);
	assert_int_equal(plan->n, ARRAY_LEN(packages));
	for (int i = 0; i < plan->n; i++) {
		char url[GRID_URL_MAX];

		(void)snprintf(url, sizeof(url), "http://h/api/3/action/package_show?id=%s", packages[i]);
		assert_string_equal(plan->items[i].url, url);
		assert_int_equal(plan->items[i].from_ms, at("2026-05-04T09:00Z"));
		assert_true(grid_provider_next_poll_ms(GRID, &env, &plan->items[i], TIME_NONE, 0) >=
			    env.now_ms + SLOT_MS);
	}
	assert_true(grid_provider_serves(GRID, &plan->items[0], "13") &&
		    !grid_provider_serves(GRID, &plan->items[0], "london"));
	assert_true(grid_provider_serves(GRID, &plan->items[1], "london") &&
		    !grid_provider_serves(GRID, &plan->items[1], "13"));
	assert_true(grid_provider_serves(GRID, &plan->items[2], "GB") &&
		    !grid_provider_serves(GRID, &plan->items[2], "national"));
	assert_true(grid_provider_serves(GRID, &plan->items[4], "GB") &&
		    !grid_provider_serves(GRID, &plan->items[4], "1"));
	free(plan);
}

static void test_basis(void **state)
{
	struct grid_basis b;

	(void)state;
	GRID->basis(&(struct grid_env){ 0 }, "london", &b);
	assert_string_equal(b.resolution, "regional");
	GRID->basis(&(struct grid_env){ 0 }, "GB", &b);
	assert_string_equal(b.resolution, "national");
	assert_string_equal(b.boundary, "consumption");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixtures),  cmocka_unit_test(test_file_then_table),
		cmocka_unit_test(test_by_id),     cmocka_unit_test(test_table_then_file),
		cmocka_unit_test(test_addresses), cmocka_unit_test(test_values),
		cmocka_unit_test(test_cut_file),  cmocka_unit_test(test_plan),
		cmocka_unit_test(test_bodies),    cmocka_unit_test(test_basis),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
