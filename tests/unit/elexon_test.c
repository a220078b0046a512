/* SPDX-License-Identifier: Apache-2.0 */
/* Elexon and the carbon computed from its mix: every fixture, plans, what is odd, schedules. */
#include "grid/fuel.h"
#include "grid/period.h"
#include "json/json.h"
#include "provider_cases.h"

#define GRID (&grid_elexon)

/* Of the providers' enums. */
enum {
	SYSTEM_PRICE,
	SYSTEM_PRICE_BEFORE,
	MARKET_INDEX,
	MIX,
	MIX_NOW,
	DEMAND,
	DEMAND_AHEAD,
	WIND_AHEAD,
	LOSS_OF_LOAD,
	FREQUENCY
};
enum { CARBON, CARBON_NOW };

/* clang-format off */
static const struct provider_case fixtures[] = {
	{ "elexon/recorded/system_prices_2026-05-06_sp1-2.json", NULL, SYSTEM_PRICE,
	  "2026-05-05T23:00Z", "2026-05-06T23:00Z", "2026-05-07T08:00Z", .points = 2 },
	{ "elexon/synthetic/system_prices_2026-06-30_48sp.json", NULL, SYSTEM_PRICE,
	  "2026-06-29T23:00Z", "2026-06-30T23:00Z", "2026-07-01T08:00Z", .points = 48 },
	{ "elexon/synthetic/system_prices_2026-03-29_46sp.json", NULL, SYSTEM_PRICE,
	  "2026-03-29T00:00Z", "2026-03-29T23:00Z", "2026-03-30T08:00Z", .points = 46 },
	{ "elexon/synthetic/system_prices_2026-10-25_50sp.json", NULL, SYSTEM_PRICE,
	  "2026-10-24T23:00Z", "2026-10-26T00:00Z", "2026-10-26T08:00Z", .points = 50 },
	{ "elexon/synthetic/system_prices_future_day_empty.json", NULL, SYSTEM_PRICE,
	  "2026-10-24T23:00Z", "2026-10-26T00:00Z", "2026-10-26T08:00Z", .code = ERR_NOT_FOUND },
	{ "elexon/synthetic/http400_problem_details.json", NULL, SYSTEM_PRICE,
	  "2026-10-24T23:00Z", "2026-10-26T00:00Z", "2026-10-26T08:00Z", .code = ERR_INVALID },
	/* Another day than the one asked for. */
	{ "elexon/synthetic/system_prices_2026-06-30_48sp.json", NULL, SYSTEM_PRICE,
	  "2026-06-30T23:00Z", "2026-07-01T23:00Z", "2026-07-02T08:00Z",
	  .dropped = { [GRID_DROP_SPAN] = 48 }, .code = ERR_INVALID },
	{ "elexon/recorded/mid_2026-05-06T0300Z_first2.json", NULL, MARKET_INDEX,
	  "2026-05-04T04:00Z", "2026-05-06T04:30Z", "2026-05-06T04:00Z", .points = 1,
	  .dropped = { [GRID_DROP_DEAD] = 1 } },
	{ "elexon/synthetic/mid_stream_2026-06-30_48sp.json", NULL, MARKET_INDEX,
	  "2026-06-29T23:00Z", "2026-06-30T23:00Z", "2026-07-01T08:00Z", .points = 48,
	  .dropped = { [GRID_DROP_DEAD] = 48 } },
	{ "elexon/synthetic/mid_stream_2026-03-29_46sp.json", NULL, MARKET_INDEX,
	  "2026-03-29T00:00Z", "2026-03-29T23:00Z", "2026-03-30T08:00Z", .points = 46,
	  .dropped = { [GRID_DROP_DEAD] = 46 } },
	{ "elexon/synthetic/mid_stream_2026-10-25_50sp.json", NULL, MARKET_INDEX,
	  "2026-10-24T23:00Z", "2026-10-26T00:00Z", "2026-10-26T08:00Z", .points = 50,
	  .dropped = { [GRID_DROP_DEAD] = 50 } },
	/* Two fuels are no mix. */
	{ "elexon/recorded/fuelinst_2026-05-06T0300Z_first2.json", NULL, MIX_NOW,
	  "2026-05-06T02:00Z", "2026-05-06T03:30Z", "2026-05-06T03:01Z",
	  .dropped = { [GRID_DROP_MISSING] = 1 }, .code = ERR_INVALID },
	{ "elexon/synthetic/fuelinst_stream_3x5min.json", NULL, MIX_NOW,
	  "2026-05-06T02:00Z", "2026-05-06T03:30Z", "2026-05-06T03:01Z", .points = 2 },
	/* The newest reading is 20 minutes old. */
	{ "elexon/synthetic/fuelinst_stream_3x5min.json", NULL, MIX_NOW,
	  "2026-05-06T02:00Z", "2026-05-06T03:30Z", "2026-05-06T03:20Z",
	  .dropped = { [GRID_DROP_SPAN] = 3 }, .code = ERR_INVALID },
	{ "elexon/synthetic/indo_latest.json", NULL, DEMAND,
	  "2026-05-04T03:00Z", "2026-05-06T03:30Z", "2026-05-06T03:20Z", .points = 1 },
	/* 48 rows, of which 44 repeat two invented values for hours on end. */
	{ "elexon/synthetic/ndf_2026-05-07.json", NULL, DEMAND_AHEAD,
	  "2026-05-06T09:00Z", "2026-05-08T09:00Z", "2026-05-06T09:00Z", .points = 4,
	  .dropped = { [GRID_DROP_FLAT] = 44 } },
	{ "elexon/recorded/windfor_excerpt_2026-06-04.json", NULL, WIND_AHEAD,
	  "2026-06-02T20:00Z", "2026-06-08T20:00Z", "2026-06-04T20:00Z", .points = 3 },
	/* Six minutes are less than half a slot. */
	{ "elexon/synthetic/freq_6min.json", NULL, FREQUENCY,
	  "2026-05-06T01:00Z", "2026-05-06T03:30Z", "2026-05-06T03:10Z", .dropped = { [GRID_DROP_STEP] = 1 } },
	/* The dead half hour and the one without gas are left out; its duplicate row is counted; 3 metrics. */
	{ "tests/data/grid/elexon/fuelhh_stream.synthetic.json", NULL, MIX,
	  "2026-05-04T02:30Z", "2026-05-06T03:30Z", "2026-05-06T03:05Z", .points = 4 * 3,
	  .dropped = { [GRID_DROP_MISSING] = 1, [GRID_DROP_DEAD] = 1, [GRID_DROP_DUPLICATE] = 1 } },
	/* A half hour that has not ended is not over, whatever the report says. */
	{ "tests/data/grid/elexon/fuelhh_stream.synthetic.json", NULL, MIX,
	  "2026-05-04T02:30Z", "2026-05-06T03:00Z", "2026-05-06T02:55Z", .points = 3 * 3,
	  .dropped = { [GRID_DROP_MISSING] = 1, [GRID_DROP_DEAD] = 1, [GRID_DROP_DUPLICATE] = 1, [GRID_DROP_SPAN] = 1 } },
	{ "tests/data/grid/elexon/demand_outturn.synthetic.json", NULL, DEMAND,
	  "2026-05-04T03:00Z", "2026-05-06T03:30Z", "2026-05-06T03:20Z", .points = 6 },
	{ "tests/data/grid/elexon/demand_day_ahead_latest.synthetic.json", NULL, DEMAND_AHEAD,
	  "2026-05-06T03:00Z", "2026-05-08T03:00Z", "2026-05-06T03:20Z", .points = 6,
	  .dropped = { [GRID_DROP_ZONE] = 1 } },
	{ "tests/data/grid/elexon/windfor_hourly.synthetic.json", NULL, WIND_AHEAD,
	  "2026-05-04T03:00Z", "2026-05-08T03:00Z", "2026-05-06T03:20Z", .points = 16 },
	/* Four periods, two metrics, five forecasts each; one margin is missing and the next best stands in. */
	{ "tests/data/grid/elexon/loss_of_load.synthetic.json", NULL, LOSS_OF_LOAD,
	  "2026-05-06T03:00Z", "2026-05-08T03:00Z", "2026-05-06T03:20Z", .points = 8,
	  .dropped = { [GRID_DROP_DUPLICATE] = 4 * 4 * 2 - 1, [GRID_DROP_MISSING] = 1 } },
	{ "tests/data/grid/elexon/freq_stream.synthetic.json", NULL, FREQUENCY,
	  "2026-05-06T02:00Z", "2026-05-06T04:30Z", "2026-05-06T04:00Z", .points = 2 },
};

static const struct provider_case carbon =
	{ "tests/data/grid/elexon/fuelhh_stream.synthetic.json", NULL, CARBON,
	  "2026-05-04T02:30Z", "2026-05-06T03:30Z", "2026-05-06T03:05Z", .points = 4,
	  .dropped = { [GRID_DROP_MISSING] = 1, [GRID_DROP_DEAD] = 1, [GRID_DROP_DUPLICATE] = 1 } };
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
	case_run(&grid_fuel_mix, &env, &carbon);
	case_mutate(&grid_fuel_mix, &env, &carbon);
}

/* Every startTime of the fixtures is what its settlement date and period say: 46, 48 and 50 of them. */
static void test_periods_agree(void **state)
{
	_cleanup_(cleanup_tz) struct tz *tz = NULL;
	int rows = 0;

	(void)state;
	if (!fixture_root())
		skip();
	tz = london_tz();
	for (size_t i = 0; i < ARRAY_LEN(fixtures); i++) {
		_cleanup_(buf_release) struct buf body = BUF_INIT(FIXTURE_MAX);
		struct json *doc _cleanup_(json_cleanup) = NULL;
		struct error err = ERROR_INIT;

		if (is_ours(fixtures[i].file))
			continue;
		(void)case_read(fixtures[i].file, &body);
		assert_int_equal(json_parse(buf_str(&body), &doc, &err), 0);
		json_each (row, json_get(doc, "data") ? json_get(doc, "data") : doc) {
			int64_t start, day, period, computed;

			if (!json_i64(json_get(row, "settlementPeriod"), &period) || fixtures[i].what == MIX_NOW)
				continue;
			assert_true(json_time(json_get(row, "startTime"), &start));
			assert_true(grid_date_parse(str_from(json_string(json_get(row, "settlementDate"))), &day));
			assert_true(grid_period_start_ms(tz, day, period, SLOT_MS, &computed));
			assert_int_equal(computed, start);
			rows++;
		}
	}
	assert_true(rows > 400);
}

static int parse_text(const struct grid_provider *g, int what, const char *body, const char *now, const char *from,
		      const char *to, struct grid_answer *a, struct error *err)
{
	_cleanup_(cleanup_tz) struct tz *tz = london_tz();
	struct grid_env env = { .base_url = g->base_url, .tz = tz };
	const struct provider_case c = { .what = what, .now = now, .from = from, .to = to };

	return case_parse(g, &env, &c, str_from(body), a, err);
}

/* The first of ours of that name. */
static const struct provider_case *fixture(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(fixtures); i++)
		if (is_ours(fixtures[i].file) && strstr(fixtures[i].file, name))
			return &fixtures[i];
	fail_msg("no fixture %s", name);
	return NULL;
}

static void parse_file(const struct grid_provider *g, const struct provider_case *c, struct grid_answer *a)
{
	_cleanup_(buf_release) struct buf body = BUF_INIT(FIXTURE_MAX);
	struct error err = ERROR_INIT;

	(void)case_read(c->file, &body);
	assert_int_equal(parse_text(g, c->what, buf_cstr(&body), c->now, c->from, c->to, a, &err), 0);
}

static void test_values(void **state)
{
	struct grid_answer a;

	(void)state;
	parse_file(GRID, fixture("loss_of_load"), &a);
	/* The forecast of one hour before, in millionths and MW. */
	assert_int_equal(value_at(&a, GRID_LOSS_OF_LOAD, "GB", "2026-05-06T03:00Z"), 1000);
	assert_int_equal(value_at(&a, GRID_MARGIN, "GB", "2026-05-06T03:00Z"), 5100);
	assert_int_equal(value_at(&a, GRID_MARGIN, "GB", "2026-05-06T04:30Z"), 5200);
	grid_answer_release(&a);
	parse_file(GRID, fixture("windfor_hourly"), &a);
	assert_int_equal(value_at(&a, GRID_WIND, "GB", "2026-05-06T03:00Z"), 9500);
	assert_int_equal(value_at(&a, GRID_WIND, "GB", "2026-05-06T03:30Z"), 9500);
	assert_int_equal(a.issued_ms, at("2026-05-06T02:30Z"));
	grid_answer_release(&a);
	parse_file(GRID, fixture("freq_stream"), &a);
	/* Mean of 49.95 to 50.05, over and over. */
	assert_true(abs(value_at(&a, GRID_FREQUENCY, "GB", "2026-05-06T03:00Z") - 50000) <= 2);
	assert_int_equal(grid_answer_series(&a, GRID_FREQUENCY, "GB")->flags[3],
			 GRID_FLAG_RESAMPLED | GRID_FLAG_PARTIAL);
	grid_answer_release(&a);
	parse_file(GRID, fixture("demand_day_ahead_latest"), &a);
	assert_int_equal(value_at(&a, GRID_DEMAND, "GB", "2026-05-06T03:30Z"), 21010);
	assert_int_equal(kind_at(&a, GRID_DEMAND, "GB", "2026-05-06T03:30Z"), GRID_KIND_FORECAST);
	grid_answer_release(&a);
}

/* The index is the mean by volume; negative prices, half a price and spikes are real. */
static void test_market_index(void **state)
{
#define ROW(provider, price, volume)                                                               \
	"{\"dataset\":\"MID\",\"startTime\":\"2026-05-06T03:00:00Z\",\"dataProvider\":\"" provider \
	"\",\"price\":" price ",\"volume\":" volume "}"
	struct error err = ERROR_INIT;
	struct grid_answer a;

	(void)state;
	assert_int_equal(parse_text(GRID, MARKET_INDEX,
				    "[" ROW("A", "-10.5", "300") "," ROW("B", "\"29.5\"", "100") "," ROW(
					    "C", "0", "0") "," ROW("D", "null", "1") "," ROW("E", "1", "-1") ",7]",
				    "2026-05-06T04:00Z", "2026-05-06T03:00Z", "2026-05-06T04:00Z", &a, &err),
			 0);
	assert_int_equal(value_at(&a, GRID_WHOLESALE, "GB", "2026-05-06T03:00Z"), -500);
	assert_int_equal(a.dropped[GRID_DROP_DEAD], 1);
	assert_int_equal(a.dropped[GRID_DROP_TYPE], 2);
	assert_int_equal(a.dropped[GRID_DROP_MISSING], 1);
	grid_answer_release(&a);
	/* All dead: nothing, not 0. */
	assert_int_equal(parse_text(GRID, MARKET_INDEX, "[" ROW("C", "0.0", "0.0") "]", "2026-05-06T04:00Z",
				    "2026-05-06T03:00Z", "2026-05-06T04:00Z", &a, &err),
			 -1);
	assert_int_equal(err.code, ERR_INVALID);
	grid_answer_release(&a);
#undef ROW
}

/* The fuels' shares and MW of the recorded codes, by hand. */
static void test_mix(void **state)
{
	const struct grid_moment *m;
	struct grid_answer a;
	double supply = 7000 + 3500 + 9000 + 300 + 2700 + 400 + 1978 + 1390;

	(void)state;
	parse_file(GRID, fixture("fuelhh_stream"), &a);
	assert_int_equal(value_at(&a, GRID_RENEWABLE, "GB", "2026-05-06T02:30Z"),
			 (int)((9000 + 300 + 2700) * 1000 / supply + 0.5));
	assert_int_equal(value_at(&a, GRID_LOW_CARBON, "GB", "2026-05-06T02:30Z"),
			 (int)((9000 + 300 + 2700 + 3500) * 1000 / supply + 0.5));
	assert_int_equal(value_at(&a, GRID_WIND, "GB", "2026-05-06T02:30Z"), 9000);
	assert_int_equal(kind_at(&a, GRID_WIND, "GB", "2026-05-06T02:30Z"), GRID_KIND_ACTUAL);
	/* Without its gas it would look green. */
	assert_int_equal(value_at(&a, GRID_RENEWABLE, "GB", "2026-05-06T01:00Z"), GRID_UNKNOWN);
	assert_int_equal(a.moments.len, 4);
	m = &a.moments.ptr[0];
	assert_int_equal(m->start_ms, at("2026-05-06T02:30Z"));
	for (int i = 0; i < m->n_mix; i++) {
		if (strcmp(m->mix[i].fuel, "imports-fr") == 0)
			assert_int_equal(m->mix[i].mw, 1978);
		if (strcmp(m->mix[i].fuel, "imports-be") == 0) {
			assert_int_equal(m->mix[i].mw, -310);
			assert_int_equal(m->mix[i].permille, 0);
		}
		if (strcmp(m->mix[i].fuel, "pumped") == 0)
			assert_int_equal(m->mix[i].mw, -600);
		if (strcmp(m->mix[i].fuel, "gas") == 0)
			assert_int_equal(m->mix[i].permille, (int)(7000 * 1000 / supply + 0.5));
	}
	/* A cable that nobody has heard of is an import. */
	m = &a.moments.ptr[3];
	assert_int_equal(m->start_ms, at("2026-05-06T00:00Z"));
	assert_string_equal(m->mix[m->n_mix - 1].fuel, "imports-dk");
	for (int i = 0, found = 0; i < m->n_mix || !found; i++) {
		assert_true(i < m->n_mix);
		found |= strcmp(m->mix[i].fuel, "imports") == 0 && m->mix[i].mw == 100;
	}
	grid_answer_release(&a);
}

/* One row without a figure spoils its half hour, and no other. */
static void test_incomplete_mix(void **state)
{
	_cleanup_(buf_release) struct buf body = BUF_INIT(FIXTURE_MAX);
	struct error err = ERROR_INIT;
	struct grid_answer a;
	char *biomass;

	(void)state;
	(void)case_read(carbon.file, &body);
	biomass = strstr(body.ptr, "2700");
	assert_non_null(biomass);
	memcpy(biomass, "null", 4);
	assert_int_equal(parse_text(&grid_fuel_mix, CARBON, body.ptr, carbon.now, carbon.from, carbon.to, &a, &err), 0);
	assert_int_equal(value_at(&a, GRID_CARBON, "GB", "2026-05-06T02:30Z"), GRID_UNKNOWN);
	assert_int_not_equal(value_at(&a, GRID_CARBON, "GB", "2026-05-06T02:00Z"), GRID_UNKNOWN);
	assert_int_equal(a.dropped[GRID_DROP_MISSING], 3);
	grid_answer_release(&a);
}

/* Without a start time the settlement date and period say it, in local time and on days of any length. */
static void test_settlement_periods(void **state)
{
#define ROW(date, period) "{\"settlementDate\":\"" date "\",\"settlementPeriod\":" period ",\"systemSellPrice\":50}"
	struct error err = ERROR_INIT;
	struct grid_answer a;

	(void)state;
	assert_int_equal(
		parse_text(GRID, SYSTEM_PRICE,
			   "{\"data\":[" ROW("2026-10-25", "1") "," ROW("2026-10-25", "50") "," ROW(
				   "2026-10-26", "49") "," ROW("2026-10-25", "0") "," ROW("25/10/2026", "1") "]}",
			   "2026-10-27T00:00Z", "2026-10-24T22:00Z", "2026-10-27T00:00Z", &a, &err),
		0);
	assert_int_equal(value_at(&a, GRID_SYSTEM_PRICE, "GB", "2026-10-24T23:00Z"), 50000);
	assert_int_equal(value_at(&a, GRID_SYSTEM_PRICE, "GB", "2026-10-25T23:30Z"), 50000);
	assert_int_equal(a.points, 2);
	assert_int_equal(a.dropped[GRID_DROP_TYPE], 3);
	grid_answer_release(&a);
#undef ROW
}

static void test_carbon(void **state)
{
	double supply = 7000 + 3500 + 9000 + 300 + 2700 + 400 + 1978 + 1390;
	double grams = 7000 * 394.0 + 2700 * 120 + 400 * 300 + (1000 - 12 + 990) * 53 + 1390 * 20;
	struct grid_basis b;
	struct grid_answer a;

	(void)state;
	parse_file(&grid_fuel_mix, &carbon, &a);
	assert_int_equal(value_at(&a, GRID_CARBON, "GB", "2026-05-06T02:30Z"), (int)(grams * 1000 / supply + 0.5));
	assert_int_equal(kind_at(&a, GRID_CARBON, "GB", "2026-05-06T02:30Z"), GRID_KIND_ESTIMATED);
	assert_int_equal(value_at(&a, GRID_CARBON, "GB", "2026-05-06T01:00Z"), GRID_UNKNOWN);
	assert_int_equal(value_at(&a, GRID_CARBON, "GB", "2026-05-06T03:00Z"), GRID_UNKNOWN);
	grid_answer_release(&a);
	grid_fuel_mix.basis(&(struct grid_env){ 0 }, "GB", &b);
	assert_string_equal(b.accounting, "average");
	assert_string_equal(b.scope, "direct");
	assert_string_equal(b.boundary, "consumption");
	assert_string_equal(b.resolution, "national");
	if (!fixture_root())
		skip();
	/* Readings of five minutes stand for the running half hour, whichever that is. */
	for (int i = 0; i < 2; i++) {
		const struct provider_case c = { .file = "elexon/synthetic/fuelinst_stream_3x5min.json",
						 .what = CARBON_NOW,
						 .from = "2026-05-06T02:00Z",
						 .to = "2026-05-06T03:30Z",
						 .now = i ? "2026-05-06T03:07Z" : "2026-05-06T02:59Z" };

		parse_file(&grid_fuel_mix, &c, &a);
		assert_int_equal(a.points, 1);
		assert_in_range(value_at(&a, GRID_CARBON, "GB", i ? "2026-05-06T03:00Z" : "2026-05-06T02:30Z"), 110000,
				150000);
		grid_answer_release(&a);
	}
}

/* A publish time in the future would make every later answer an older one. */
static void test_issue(void **state)
{
#define ROW(publish) "[{\"publishTime\":\"" publish "\",\"startTime\":\"2026-05-06T03:30:00Z\",\"demand\":\"20000\"}]"
	static const struct {
		const char *body, *issued;
	} cases[] = {
		{ ROW("2026-05-06T02:45:00Z"), "2026-05-06T02:45Z" },
		{ ROW("2026-05-01T02:45:00Z"), "2026-05-01T02:45Z" },
		{ ROW("2099-05-06T02:45:00Z"), "2026-05-06T03:00Z" },
		{ ROW("soon"), "2026-05-06T03:00Z" },
		{ "[{\"publishTime\":\"2026-05-06T03:15:00Z\",\"startTime\":\"2026-05-06T03:30:00Z\",\"demand\":1},"
		  "{\"publishTime\":\"2026-05-06T02:30:00Z\"},{\"publishTime\":\"2026-05-06T02:45:00Z\"}]",
		  "2026-05-06T02:45Z" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct error err = ERROR_INIT;
		struct grid_answer a;

		assert_int_equal(parse_text(GRID, DEMAND_AHEAD, cases[i].body, "2026-05-06T03:00Z", "2026-05-06T03:00Z",
					    "2026-05-08T03:00Z", &a, &err),
				 0);
		assert_int_equal(grid_answer_series(&a, GRID_DEMAND, "GB")->issued_ms, at(cases[i].issued));
		grid_answer_release(&a);
	}
#undef ROW
}

static void test_errors(void **state)
{
	static const struct {
		const char *body;
		enum error_code code;
		const char *text;
	} cases[] = {
		{ "", ERR_NOT_FOUND, "empty" },
		{ " \r\n", ERR_NOT_FOUND, "empty" },
		{ "{}", ERR_NOT_FOUND, "empty" },
		{ "[]", ERR_NOT_FOUND, "no rows" },
		{ "{\"data\":[]}", ERR_NOT_FOUND, "no rows" },
		{ "{\"data\":null}", ERR_INVALID, "no data array" },
		{ "{\"data\":{}}", ERR_INVALID, "no data array" },
		{ "7", ERR_INVALID, "neither an object" },
		{ "<html>", ERR_INVALID, "" },
		{ "{\"title\":\"Bad Request\",\"status\":400}", ERR_INVALID, "Bad Request" },
		{ "{\"title\":\"t\",\"errors\":{\"settlementDate\":[\"x\"]}}", ERR_INVALID, "settlementDate" },
		{ "{\"data\":[1,null,\"x\",[],{}]}", ERR_INVALID, "none of 5" },
	};

	(void)state;
	for (int what = SYSTEM_PRICE; what <= FREQUENCY; what++)
		for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
			struct error err = ERROR_INIT;
			struct grid_answer a;

			assert_int_equal(parse_text(GRID, what, cases[i].body, "2026-05-06T04:00Z", "2026-05-06T03:00Z",
						    "2026-05-06T04:00Z", &a, &err),
					 -1);
			assert_int_equal(err.code, cases[i].code);
			if (!strstr(err.msg, cases[i].text))
				fail_msg("%s: %s", cases[i].body, err.msg);
			grid_answer_release(&a);
		}
}

static void test_plan(void **state)
{
	static const struct grid_target targets[] = {
		{ GRID_SYSTEM_PRICE, "GB", NULL }, { GRID_WHOLESALE, "GB", NULL },    { GRID_DEMAND, "GB", NULL },
		{ GRID_WIND, "GB", NULL },         { GRID_RENEWABLE, "GB", NULL },    { GRID_LOW_CARBON, "GB", NULL },
		{ GRID_MARGIN, "GB", NULL },       { GRID_LOSS_OF_LOAD, "GB", NULL }, { GRID_FREQUENCY, "GB", NULL },
		{ GRID_CARBON, "GB", NULL },       { GRID_DEMAND, "13", NULL },
	};
	static const char *const urls[] = {
		"/balancing/settlement/system-prices/2026-05-06",
		"/balancing/settlement/system-prices/2026-05-05",
		"/datasets/MID/stream?from=2026-05-04T09:00Z&to=2026-05-06T09:30Z",
		"/demand/outturn?settlementDateFrom=2026-05-04&settlementDateTo=2026-05-06",
		"/forecast/demand/day-ahead/latest?from=2026-05-06T09:00Z&to=2026-05-08T09:00Z",
		"/datasets/WINDFOR",
		"/datasets/FUELHH/stream?publishDateTimeFrom=2026-05-04T09:10Z&publishDateTimeTo=2026-05-06T09:10Z",
		"/datasets/FUELINST/stream?publishDateTimeFrom=2026-05-06T08:55Z&publishDateTimeTo=2026-05-06T09:10Z",
		"/forecast/system/loss-of-load?from=2026-05-06T09:00Z&to=2026-05-08T09:00Z",
		"/datasets/FREQ/"
		"stream?measurementDateTimeFrom=2026-05-06T07:00Z&measurementDateTimeTo=2026-05-06T09:30Z",
	};
	_cleanup_(cleanup_tz) struct tz *tz = london_tz();
	struct grid_env env = { .base_url = "http://h", .now_ms = at("2026-05-06T09:10:11Z"), .tz = tz };
	struct grid_plan *plan = xcalloc(1, sizeof(*plan));

	(void)state;
	GRID->plan(&env, targets, ARRAY_LEN(targets), plan);
	assert_int_equal(plan->n, ARRAY_LEN(urls));
	for (int i = 0; i < plan->n; i++) {
		assert_string_equal(plan->items[i].url + strlen("http://h"), urls[i]);
		assert_true(plan->items[i].to_ms > plan->items[i].from_ms);
		assert_true(grid_provider_serves(GRID, &plan->items[i], "GB"));
		assert_false(grid_provider_serves(GRID, &plan->items[i], "13"));
		for (double j = 0; j < 1; j += 0.5)
			assert_in_range(grid_provider_next_poll_ms(GRID, &env, &plan->items[i], TIME_NONE, j) -
						env.now_ms,
					5 * MINUTE_MS, 70 * MINUTE_MS);
	}
	assert_int_equal(plan->items[0].from_ms, at("2026-05-05T23:00Z"));
	assert_int_equal(plan->items[0].to_ms, at("2026-05-06T23:00Z"));
	/* In the first minutes of a settlement day there is none of its prices; clocks go back: a day of 25 hours. */
	env.now_ms = at("2026-10-25T23:59Z");
	plan->n = 0;
	GRID->plan(&env, targets, 1, plan);
	assert_int_equal(plan->n, 2);
	assert_int_equal(plan->items[0].to_ms - plan->items[0].from_ms, 25 * HOUR_MS);
	env.now_ms = at("2026-10-26T00:30Z");
	plan->n = 0;
	GRID->plan(&env, targets, 1, plan);
	assert_int_equal(plan->n, 1);
	assert_non_null(strstr(plan->items[0].url, "2026-10-25"));
	plan->n = 0;
	grid_fuel_mix.plan(&env, targets, ARRAY_LEN(targets), plan);
	assert_int_equal(plan->n, 2);
	free(plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixtures),
		cmocka_unit_test(test_periods_agree),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_market_index),
		cmocka_unit_test(test_mix),
		cmocka_unit_test(test_incomplete_mix),
		cmocka_unit_test(test_settlement_periods),
		cmocka_unit_test(test_carbon),
		cmocka_unit_test(test_issue),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
