/* SPDX-License-Identifier: Apache-2.0 */
/* The ENTSO-E provider: sparse curves, sequences, resolutions, the mix, hostile XML. */
#include "provider_cases.h"

#define GRID (&grid_entsoe)
#define BASE "https://web-api.tp.entsoe.eu/api"
#define OURS "tests/data/grid/entsoe/"
#define DAY "2026-05-04T22:00Z", "2026-05-07T22:00Z", "2026-05-06T09:05Z"
#define JANUARY "2024-01-14T00:00Z", "2024-01-17T00:00Z", "2024-01-15T12:00Z"

enum what { PRICES, MIX };

static struct tz *brussels;
static struct grid_env env;

static int set_up(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	if (tz_load("Europe/Brussels", &brussels, &err))
		return -1;
	env = (struct grid_env){ .base_url = BASE, .tz = brussels, .secret = "k+e/y" };
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tz_free(brussels);
	return 0;
}

static void test_fixtures(void **state)
{
	static const struct provider_case cases[] = {
		{ "entsoe/a44_pt15m_a03_gaps.synthetic.xml", "BE", PRICES, DAY, .points = 48 },
		{ "entsoe/a44_pt15m_a03_gaps.synthetic.xml", "10YBE----------2", PRICES, DAY, .points = 48 },
		{ "entsoe/a44_pt15m_a03_gaps.synthetic.xml", "FR", PRICES, DAY, .code = ERR_INVALID,
		  .reason = "the zone asked for" },
		{ "entsoe/acknowledgement_999.synthetic.xml", "GB", PRICES, DAY, .code = ERR_NOT_FOUND,
		  .reason = "999" },
		/* Hours 1 to 4 of a day, not sparse: the rest is unknown. */
		{ "entsoe/day_ahead_prices_gb.synthetic.xml", "GB", PRICES, JANUARY, .points = 8 },
		{ OURS "a44_hours_then_quarters.synthetic.xml", "DE-LU", PRICES, DAY, .points = 48 },
		{ OURS "a44_sequence_2_only.synthetic.xml", "DE-LU", PRICES, DAY, .code = ERR_INVALID,
		  .reason = "sequence 1" },
		{ OURS "a44_other_zone.synthetic.xml", "DE-LU", PRICES, DAY, .code = ERR_INVALID,
		  .reason = "the zone asked for" },
		{ OURS "a44_other_currency.synthetic.xml", "DE-LU", PRICES, DAY, .code = ERR_INVALID,
		  .reason = "in EUR" },
		{ OURS "a44_doctype.synthetic.xml", "DE-LU", PRICES, DAY, .code = ERR_INVALID,
		  .reason = "document type declaration" },
		{ OURS "a44_too_deep.synthetic.xml", "DE-LU", PRICES, DAY, .code = ERR_INVALID,
		  .reason = "too deeply" },
		{ OURS "acknowledgement_other.synthetic.xml", "DE-LU", PRICES, DAY, .code = ERR_INVALID,
		  .reason = "refused" },
		{ OURS "a75_mix.synthetic.xml", "DE-LU", MIX, "2026-05-05T00:00Z", "2026-05-06T00:00Z",
		  "2026-05-06T00:00Z", .points = 18, .dropped = { [GRID_DROP_MISSING] = 4 } },
		{ OURS "a75_mix.synthetic.xml", "DE-LU", PRICES, DAY, .code = ERR_INVALID, .reason = "EUR" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		case_run(GRID, &env, &cases[i]);
}

static struct grid_answer parse_file(const char *file, const char *zone, int what, const char *from, const char *to)
{
	const struct provider_case c = { file, zone, what, from, to, "2026-05-06T09:05Z", .points = 0 };
	_cleanup_(buf_release) struct buf body = BUF_INIT(FIXTURE_MAX);
	struct error err = ERROR_INIT;
	struct grid_answer a;

	assert_true(case_read(file, &body));
	if (case_parse(GRID, &env, &c, buf_str(&body), &a, &err))
		fail_msg("%s", err.msg);
	return a;
}

/* Position 45 is 09:00Z, 46 a quarter later: -2.50 and 0 make -1.25; 46 then holds until 61. */
static void test_sparse(void **state)
{
	static const struct {
		const char *time;
		int32_t micros;
	} cases[] = {
		{ "2026-05-05T22:00Z", 84120 }, { "2026-05-05T22:30Z", 84120 },        { "2026-05-05T23:00Z", 79900 },
		{ "2026-05-06T08:30Z", 71050 }, { "2026-05-06T09:00Z", -1250 },        { "2026-05-06T09:30Z", 0 },
		{ "2026-05-06T12:30Z", 0 },     { "2026-05-06T13:00Z", 96370 },        { "2026-05-06T21:00Z", 88000 },
		{ "2026-05-06T21:30Z", 88000 }, { "2026-05-06T22:00Z", GRID_UNKNOWN },
	};
	struct grid_answer a;

	(void)state;
	if (!fixture_root())
		skip();
	a = parse_file("entsoe/a44_pt15m_a03_gaps.synthetic.xml", "BE", PRICES, "2026-05-04T22:00Z",
		       "2026-05-07T22:00Z");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(grid_series_at(a.series.ptr[0], at(cases[i].time)), cases[i].micros);
	assert_int_equal(a.series.ptr[0]->kind[0 + 48], GRID_KIND_ACTUAL);
	grid_answer_release(&a);
}

/* Hours everywhere, quarters until noon: quarters count where they are, sequence 2 nowhere. */
static void test_resolutions(void **state)
{
	struct grid_answer a = parse_file(OURS "a44_hours_then_quarters.synthetic.xml", "DE-LU", PRICES,
					  "2026-05-04T22:00Z", "2026-05-07T22:00Z");

	(void)state;
	/* 22:00Z: quarters 60 and 60.25. The hour says 60. */
	assert_int_equal(grid_series_at(a.series.ptr[0], at("2026-05-05T22:00Z")), 60125);
	assert_int_equal(grid_series_at(a.series.ptr[0], at("2026-05-06T09:30Z")), 71625);
	assert_int_equal(grid_series_at(a.series.ptr[0], at("2026-05-06T10:00Z")), 72000);
	assert_int_equal(grid_series_at(a.series.ptr[0], at("2026-05-06T10:30Z")), 72000);
	for (int d = 0; d < GRID_DROPS; d++)
		assert_int_equal(a.dropped[d], 0);
	grid_answer_release(&a);
}

/* Positions 1, 2 and 7 stand, whatever their neighbours; 3 has no number, 25 and 0 are no positions, 6 is no price. */
static void test_bad_points(void **state)
{
	struct grid_answer a = parse_file(OURS "a44_bad_points.synthetic.xml", "DE-LU", PRICES, "2026-05-04T22:00Z",
					  "2026-05-07T22:00Z");

	(void)state;
	assert_int_equal(grid_series_at(a.series.ptr[0], at("2026-05-05T22:00Z")), 10000);
	assert_int_equal(grid_series_at(a.series.ptr[0], at("2026-05-05T23:00Z")), 11000);
	assert_int_equal(grid_series_at(a.series.ptr[0], at("2026-05-06T00:00Z")), GRID_UNKNOWN);
	assert_int_equal(grid_series_at(a.series.ptr[0], at("2026-05-06T03:00Z")), GRID_UNKNOWN);
	assert_int_equal(grid_series_at(a.series.ptr[0], at("2026-05-06T04:00Z")), 20000);
	assert_int_equal(a.dropped[GRID_DROP_TYPE], 3); /* "x", and positions 0 and "" */
	assert_int_equal(a.dropped[GRID_DROP_MISSING], 1);
	assert_true(a.dropped[GRID_DROP_STEP] >= 1);
	assert_true(a.dropped[GRID_DROP_RANGE] >= 1);
	grid_answer_release(&a);
}

/*
 * 10:00Z: gas 5000, lignite 8000, sun 20000, wind 10000 of 43000 MW. The hour from 13:00Z has no wind and does not
 * count, though it is the last: without its wind it is another grid. Pumping is no supply.
 */
static void test_mix(void **state)
{
	struct grid_answer a =
		parse_file(OURS "a75_mix.synthetic.xml", "DE-LU", MIX, "2026-05-05T00:00Z", "2026-05-06T00:00Z");
	const struct grid_series *carbon = grid_answer_series(&a, GRID_CARBON, "DE-LU");
	const struct grid_series *renewable = grid_answer_series(&a, GRID_RENEWABLE, "DE-LU");
	double grams = (5000.0 * 394 + 8000.0 * 1010) / 43000;

	(void)state;
	assert_non_null(carbon);
	assert_in_range(grid_series_at(carbon, at("2026-05-05T10:30Z")), grams * 1000 - 1, grams * 1000 + 1);
	assert_in_range(grid_series_at(renewable, at("2026-05-05T10:30Z")), 697, 698);
	assert_int_equal(grid_series_at(carbon, at("2026-05-05T13:00Z")), GRID_UNKNOWN);
	assert_int_equal(a.dropped[GRID_DROP_MISSING], 4);
	assert_int_equal(a.moments.len, 1);
	assert_int_equal(a.moments.ptr[0].start_ms, at("2026-05-05T12:30Z"));
	grid_answer_release(&a);
}

static void test_broken_xml(void **state)
{
	static const char *const bodies[] = {
		"<a",
		"<html><body>503</body></html>",
		"{}",
		"\xff\xfe<",
		"<Publication_MarketDocument>",
		"<Publication_MarketDocument>&amp;&unknown;</Publication_MarketDocument>",
		"<?xml version=\"1.0\" encoding=\"EBCDIC\"?><Publication_MarketDocument/>",
	};
	static const struct provider_case c = { NULL, "FR", PRICES, DAY, .points = 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct error err = ERROR_INIT;
		struct grid_answer a;

		assert_int_equal(case_parse(GRID, &env, &c, str_from(bodies[i]), &a, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
		grid_answer_release(&a);
	}
	for (int i = 0; i < 2; i++) {
		struct error err = ERROR_INIT;
		struct grid_answer a;

		assert_int_equal(
			case_parse(GRID, &env, &c, str_from(i ? "" : "<Publication_MarketDocument/>"), &a, &err), -1);
		assert_int_equal(err.code, ERR_NOT_FOUND);
		grid_answer_release(&a);
	}
}

/* Sparse periods of many days each: a small document must not become hours of work. */
static void test_bounds(void **state)
{
	static const char period[] =
		"<Period><timeInterval><start>2026-05-05T22:00Z</start><end>2026-06-15T22:00Z</end>"
		"</timeInterval><resolution>PT15M</resolution><Point><position>1</position>"
		"<price.amount>9</price.amount></Point></Period>";
	static const struct provider_case c = { NULL, "BE", PRICES, DAY, .points = 0 };
	_cleanup_(buf_release) struct buf body = BUF_INIT(FIXTURE_MAX);
	struct error err = ERROR_INIT;
	struct grid_answer a;

	(void)state;
	(void)buf_adds(&body,
		       "<Publication_MarketDocument><TimeSeries><in_Domain.mRID>10YBE----------2</in_Domain.mRID>"
		       "<currency_Unit.name>EUR</currency_Unit.name><curveType>A03</curveType>"
		       "<price_Measure_Unit.name>MWH</price_Measure_Unit.name>");
	for (int i = 0; i < 18; i++)
		(void)buf_adds(&body, period);
	(void)buf_adds(&body, "</TimeSeries></Publication_MarketDocument>");
	assert_int_equal(case_parse(GRID, &env, &c, buf_str(&body), &a, &err), -1);
	assert_string_equal(err.msg, "more values than an answer can have");
	grid_answer_release(&a);
}

static void test_plan(void **state)
{
	const struct grid_target targets[] = { { GRID_WHOLESALE, "DE-LU", NULL },
					       { GRID_CARBON, "FR", NULL },
					       { GRID_WHOLESALE, "XX", NULL },
					       { GRID_PRICE, "FR", NULL } };
	struct grid_plan plan = { 0 };

	(void)state;
	env.now_ms = at("2026-10-25T09:05Z");
	GRID->plan(&env, targets, ARRAY_LEN(targets), &plan);
	assert_int_equal(plan.n, 2);
	/* Local midnights on both sides of the change, in UTC. */
	assert_string_equal(plan.items[0].url,
			    BASE "?securityToken=k%2Be%2Fy&documentType=A44&contract_MarketAgreement.type=A01"
				 "&in_Domain=10Y1001A1001A82H&out_Domain=10Y1001A1001A82H"
				 "&periodStart=202610222200&periodEnd=202610262300");
	assert_string_equal(plan.items[1].url, BASE "?securityToken=k%2Be%2Fy&documentType=A75&processType=A16"
						    "&in_Domain=10YFR-RTE------C&periodStart=202610230900"
						    "&periodEnd=202610250900");
	assert_true(plan.items[0].secret_url && plan.items[1].secret_url);
	assert_null(strstr(plan.items[0].id, "k+e"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixtures),   cmocka_unit_test(test_sparse), cmocka_unit_test(test_resolutions),
		cmocka_unit_test(test_bad_points), cmocka_unit_test(test_mix),    cmocka_unit_test(test_broken_xml),
		cmocka_unit_test(test_bounds),     cmocka_unit_test(test_plan),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
