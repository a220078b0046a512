/* SPDX-License-Identifier: Apache-2.0 */
/* Elexon and the carbon computed from its mix: every fixture, plans, what is odd, schedules. */
#include "grid/fuel.h"
#include "grid/period.h"
#include "json/json.h"
#include "provider_fixture.h"

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
static const struct answer_case recorded[] = {
	{ "recorded/system_prices_2026-05-06_sp1-2.json", SYSTEM_PRICE,
	  "2026-05-07T08:00Z", "2026-05-05T23:00Z", "2026-05-06T23:00Z", ERR_NONE, 2, { 0 }, NULL, NULL },
	{ "synthetic/system_prices_2026-06-30_48sp.json", SYSTEM_PRICE,
	  "2026-07-01T08:00Z", "2026-06-29T23:00Z", "2026-06-30T23:00Z", ERR_NONE, 48, { 0 }, NULL, NULL },
	{ "synthetic/system_prices_2026-03-29_46sp.json", SYSTEM_PRICE,
	  "2026-03-30T08:00Z", "2026-03-29T00:00Z", "2026-03-29T23:00Z", ERR_NONE, 46, { 0 }, NULL, NULL },
	{ "synthetic/system_prices_2026-10-25_50sp.json", SYSTEM_PRICE,
	  "2026-10-26T08:00Z", "2026-10-24T23:00Z", "2026-10-26T00:00Z", ERR_NONE, 50, { 0 }, NULL, NULL },
	{ "synthetic/system_prices_future_day_empty.json", SYSTEM_PRICE,
	  "2026-10-26T08:00Z", "2026-10-24T23:00Z", "2026-10-26T00:00Z", ERR_NOT_FOUND, 0, { 0 }, NULL, NULL },
	{ "synthetic/http400_problem_details.json", SYSTEM_PRICE,
	  "2026-10-26T08:00Z", "2026-10-24T23:00Z", "2026-10-26T00:00Z", ERR_INVALID, 0, { 0 }, NULL, NULL },
	/* Another day than the one asked for. */
	{ "synthetic/system_prices_2026-06-30_48sp.json", SYSTEM_PRICE,
	  "2026-07-02T08:00Z", "2026-06-30T23:00Z", "2026-07-01T23:00Z", ERR_INVALID, 0, { [GRID_DROP_SPAN] = 48 }, NULL, NULL },
	{ "recorded/mid_2026-05-06T0300Z_first2.json", MARKET_INDEX,
	  "2026-05-06T04:00Z", "2026-05-04T04:00Z", "2026-05-06T04:30Z", ERR_NONE, 1, { [GRID_DROP_DEAD] = 1 }, NULL, NULL },
	{ "synthetic/mid_stream_2026-06-30_48sp.json", MARKET_INDEX,
	  "2026-07-01T08:00Z", "2026-06-29T23:00Z", "2026-06-30T23:00Z", ERR_NONE, 48, { [GRID_DROP_DEAD] = 48 }, NULL, NULL },
	{ "synthetic/mid_stream_2026-03-29_46sp.json", MARKET_INDEX,
	  "2026-03-30T08:00Z", "2026-03-29T00:00Z", "2026-03-29T23:00Z", ERR_NONE, 46, { [GRID_DROP_DEAD] = 46 }, NULL, NULL },
	{ "synthetic/mid_stream_2026-10-25_50sp.json", MARKET_INDEX,
	  "2026-10-26T08:00Z", "2026-10-24T23:00Z", "2026-10-26T00:00Z", ERR_NONE, 50, { [GRID_DROP_DEAD] = 50 }, NULL, NULL },
	/* Two fuels are no mix. */
	{ "recorded/fuelinst_2026-05-06T0300Z_first2.json", MIX_NOW,
	  "2026-05-06T03:01Z", "2026-05-06T02:00Z", "2026-05-06T03:30Z", ERR_INVALID, 0, { [GRID_DROP_MISSING] = 1 }, NULL, NULL },
	{ "synthetic/fuelinst_stream_3x5min.json", MIX_NOW,
	  "2026-05-06T03:01Z", "2026-05-06T02:00Z", "2026-05-06T03:30Z", ERR_NONE, 2, { 0 }, NULL, NULL },
	/* The newest reading is 20 minutes old. */
	{ "synthetic/fuelinst_stream_3x5min.json", MIX_NOW,
	  "2026-05-06T03:20Z", "2026-05-06T02:00Z", "2026-05-06T03:30Z", ERR_INVALID, 0, { [GRID_DROP_SPAN] = 3 }, NULL, NULL },
	{ "synthetic/indo_latest.json", DEMAND,
	  "2026-05-06T03:20Z", "2026-05-04T03:00Z", "2026-05-06T03:30Z", ERR_NONE, 1, { 0 }, NULL, NULL },
	/* 48 rows, of which 44 repeat two invented values for hours on end. */
	{ "synthetic/ndf_2026-05-07.json", DEMAND_AHEAD,
	  "2026-05-06T09:00Z", "2026-05-06T09:00Z", "2026-05-08T09:00Z", ERR_NONE, 4, { [GRID_DROP_FLAT] = 44 }, NULL, NULL },
	{ "recorded/windfor_excerpt_2026-06-04.json", WIND_AHEAD,
	  "2026-06-04T20:00Z", "2026-06-02T20:00Z", "2026-06-08T20:00Z", ERR_NONE, 3, { 0 }, NULL, NULL },
	/* Six minutes are less than half a slot. */
	{ "synthetic/freq_6min.json", FREQUENCY,
	  "2026-05-06T03:10Z", "2026-05-06T01:00Z", "2026-05-06T03:30Z", ERR_NONE, 0, { [GRID_DROP_STEP] = 1 }, NULL, NULL },
};

static const struct answer_case ours[] = {
	/* The dead half hour and the one without gas are left out; its duplicate row is counted; 3 metrics. */
	{ SYNTHETIC "elexon/fuelhh_stream.synthetic.json", MIX,
	  "2026-05-06T03:05Z", "2026-05-04T02:30Z", "2026-05-06T03:30Z", ERR_NONE, 4 * 3,
	  { [GRID_DROP_MISSING] = 1, [GRID_DROP_DEAD] = 1, [GRID_DROP_DUPLICATE] = 1 }, NULL, NULL },
	/* A half hour that has not ended is not over, whatever the report says. */
	{ SYNTHETIC "elexon/fuelhh_stream.synthetic.json", MIX,
	  "2026-05-06T02:55Z", "2026-05-04T02:30Z", "2026-05-06T03:00Z", ERR_NONE, 3 * 3,
	  { [GRID_DROP_MISSING] = 1, [GRID_DROP_DEAD] = 1, [GRID_DROP_DUPLICATE] = 1, [GRID_DROP_SPAN] = 1 }, NULL, NULL },
	{ SYNTHETIC "elexon/demand_outturn.synthetic.json", DEMAND,
	  "2026-05-06T03:20Z", "2026-05-04T03:00Z", "2026-05-06T03:30Z", ERR_NONE, 6, { 0 }, NULL, NULL },
	{ SYNTHETIC "elexon/demand_day_ahead_latest.synthetic.json", DEMAND_AHEAD,
	  "2026-05-06T03:20Z", "2026-05-06T03:00Z", "2026-05-08T03:00Z", ERR_NONE, 6, { [GRID_DROP_ZONE] = 1 }, NULL, NULL },
	{ SYNTHETIC "elexon/windfor_hourly.synthetic.json", WIND_AHEAD,
	  "2026-05-06T03:20Z", "2026-05-04T03:00Z", "2026-05-08T03:00Z", ERR_NONE, 16, { 0 }, NULL, NULL },
	/* Four periods, two metrics, five forecasts each; one margin is missing and the next best stands in. */
	{ SYNTHETIC "elexon/loss_of_load.synthetic.json", LOSS_OF_LOAD,
	  "2026-05-06T03:20Z", "2026-05-06T03:00Z", "2026-05-08T03:00Z", ERR_NONE, 8,
	  { [GRID_DROP_DUPLICATE] = 4 * 4 * 2 - 1, [GRID_DROP_MISSING] = 1 }, NULL, NULL },
	{ SYNTHETIC "elexon/freq_stream.synthetic.json", FREQUENCY,
	  "2026-05-06T04:00Z", "2026-05-06T02:00Z", "2026-05-06T04:30Z", ERR_NONE, 2, { 0 }, NULL, NULL },
};

static const struct answer_case carbon[] = {
	{ SYNTHETIC "elexon/fuelhh_stream.synthetic.json", CARBON,
	  "2026-05-06T03:05Z", "2026-05-04T02:30Z", "2026-05-06T03:30Z", ERR_NONE, 4,
	  { [GRID_DROP_MISSING] = 1, [GRID_DROP_DEAD] = 1, [GRID_DROP_DUPLICATE] = 1 }, NULL, NULL },
};
/* clang-format on */

static void test_fixtures(void **state)
{
	(void)state;
	if (!fixture_root())
		skip();
	for (size_t i = 0; i < ARRAY_LEN(recorded); i++)
		check_case(GRID, "elexon", &recorded[i]);
}

static void test_synthetic(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		check_case(GRID, "elexon", &ours[i]);
	check_case(&grid_fuel_mix, "elexon", &carbon[0]);
}

static void test_mutations(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		mutate_case(GRID, "elexon", &ours[i]);
	for (size_t i = 0; fixture_root() && i < ARRAY_LEN(recorded); i++)
		mutate_case(GRID, "elexon", &recorded[i]);
}

/* Every startTime of the fixtures is what its settlement date and period say: 46, 48 and 50 of them. */
static void test_periods_agree(void **state)
{
	_cleanup_(cleanup_tz) struct tz *tz = london();
	int rows = 0;

	(void)state;
	if (!fixture_root())
		skip();
	for (size_t i = 0; i < ARRAY_LEN(recorded); i++) {
		_cleanup_(buf_release) struct buf body = BUF_INIT(FIXTURE_MAX);
		struct json *doc _cleanup_(json_cleanup) = NULL;
		struct error err = ERROR_INIT;

		fixture_read("elexon", recorded[i].file, &body);
		assert_int_equal(json_parse(buf_str(&body), &doc, &err), 0);
		json_each (row, json_get(doc, "data") ? json_get(doc, "data") : doc) {
			int64_t start, day, period, computed;

			if (!json_i64(json_get(row, "settlementPeriod"), &period) || recorded[i].what == MIX_NOW)
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
	_cleanup_(cleanup_tz) struct tz *tz = london();
	const struct grid_env env = { .base_url = g->base_url, .now_ms = at(now), .tz = tz };
	const struct answer_case c = { .what = what, .now = now, .from = from, .to = to };

	return parse_body(g, &env, &c, str_from(body), a, err);
}

static void parse_file(const struct grid_provider *g, const struct answer_case *c, struct grid_answer *a)
{
	_cleanup_(buf_release) struct buf body = BUF_INIT(FIXTURE_MAX);
	struct error err = ERROR_INIT;

	case_read("elexon", c->file, &body);
	assert_int_equal(parse_text(g, c->what, buf_cstr(&body), c->now, c->from, c->to, a, &err), 0);
}

static void test_values(void **state)
{
	struct grid_answer a;

	(void)state;
	parse_file(GRID, &ours[5], &a);
	/* The forecast of one hour before, in millionths and MW. */
	assert_int_equal(value_at(&a, GRID_LOSS_OF_LOAD, "GB", "2026-05-06T03:00Z"), 1000);
	assert_int_equal(value_at(&a, GRID_MARGIN, "GB", "2026-05-06T03:00Z"), 5100);
	assert_int_equal(value_at(&a, GRID_MARGIN, "GB", "2026-05-06T04:30Z"), 5200);
	grid_answer_release(&a);
	parse_file(GRID, &ours[4], &a);
	assert_int_equal(value_at(&a, GRID_WIND, "GB", "2026-05-06T03:00Z"), 9500);
	assert_int_equal(value_at(&a, GRID_WIND, "GB", "2026-05-06T03:30Z"), 9500);
	assert_int_equal(a.issued_ms, at("2026-05-06T02:30Z"));
	grid_answer_release(&a);
	parse_file(GRID, &ours[6], &a);
	/* Mean of 49.95 to 50.05, over and over. */
	assert_true(abs(value_at(&a, GRID_FREQUENCY, "GB", "2026-05-06T03:00Z") - 50000) <= 2);
	assert_int_equal(grid_answer_series(&a, GRID_FREQUENCY, "GB")->flags[3],
			 GRID_FLAG_RESAMPLED | GRID_FLAG_PARTIAL);
	grid_answer_release(&a);
	parse_file(GRID, &ours[3], &a);
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
	parse_file(GRID, &ours[0], &a);
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
	case_read("elexon", carbon[0].file, &body);
	biomass = strstr(body.ptr, "2700");
	assert_non_null(biomass);
	memcpy(biomass, "null", 4);
	assert_int_equal(
		parse_text(&grid_fuel_mix, CARBON, body.ptr, carbon[0].now, carbon[0].from, carbon[0].to, &a, &err), 0);
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
	parse_file(&grid_fuel_mix, &carbon[0], &a);
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
		const struct answer_case c = { "synthetic/fuelinst_stream_3x5min.json",
					       CARBON_NOW,
					       i ? "2026-05-06T03:07Z" : "2026-05-06T02:59Z",
					       "2026-05-06T02:00Z",
					       "2026-05-06T03:30Z",
					       ERR_NONE,
					       1,
					       { 0 },
					       NULL,
					       NULL };

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
	_cleanup_(cleanup_tz) struct tz *tz = london();
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
		cmocka_unit_test(test_synthetic),
		cmocka_unit_test(test_mutations),
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
