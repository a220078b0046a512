/* SPDX-License-Identifier: Apache-2.0 */
/* The Octopus Agile provider: every fixture against its CSV, pages, discovery, schedule over both changes of clocks. */
#include "grid_fixture.h"
#include "json/json.h"

#define GRID (&grid_octopus_agile)
#define BASE "https://api.octopus.energy/v1"
#define RATES_PATH "/products/AGILE-18-02-21/electricity-tariffs/E-1R-AGILE-18-02-21-A/standard-unit-rates/"

static struct tz *london;

static int set_up(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	return tz_load("Europe/London", &london, &err);
}

static int tear_down(void **state)
{
	(void)state;
	tz_free(london);
	return 0;
}

static struct grid_request rates_request(void)
{
	return (struct grid_request){ .what = 1, .url = BASE RATES_PATH "?page_size=250", .zone = "A" };
}

static int parse(struct str body, const struct grid_request *req, const char *now, struct grid_answer *a,
		 struct error *err)
{
	const struct grid_env env = { .base_url = BASE, .now_ms = at(now), .tz = london };

	return GRID->parse(&env, req, body, a, err);
}

static int known(const struct grid_answer *a)
{
	int n = 0;

	for (size_t i = 0; i < a->series.len; i++)
		for (int k = 0; k < a->series.ptr[i]->n; k++)
			n += a->series.ptr[i]->value[k] != GRID_UNKNOWN;
	return n;
}

/* Every row of the CSV (with VAT) is in the series (without VAT); returns the number of rows. */
static int compare_with_csv(const struct grid_series *s, const char *name)
{
	_cleanup_(buf_release) struct buf csv = BUF_INIT(FIXTURE_MAX);
	struct str rest, line, time, field;
	char path[128];
	int rows = 0;

	(void)snprintf(path, sizeof(path), "csv/%s.csv", name);
	fixture_read("octopus-agile", path, &csv);
	rest = buf_str(&csv);
	assert_true(str_split(&rest, '\n', &line));
	while (str_split(&rest, '\n', &line)) {
		double inc_vat;
		int64_t ms;
		int32_t value;

		line = str_trim(line);
		if (!line.len)
			continue;
		assert_true(str_split(&line, ',', &time) && time_parse(time, &ms));
		while (str_split(&line, ',', &field))
			;
		assert_true(str_to_double(field, &inc_vat));
		value = grid_series_at(s, ms);
		assert_int_not_equal(value, GRID_UNKNOWN);
		assert_true(inc_vat / 1.05 * 10000 - value < 1 && inc_vat / 1.05 * 10000 - value > -1);
		rows++;
	}
	return rows;
}

static void test_fixtures(void **state)
{
	static const struct {
		const char *name, *from, *to;
		int pages, rows;
	} cases[] = {
		{ "cap_2021-01-12_15", "2021-01-12T00:00Z", "2021-01-16T00:00Z", 2, 192 },
		{ "dst_autumn_negative_2020-10-24_26", "2020-10-24T00:00Z", "2020-10-27T00:00Z", 2, 144 },
		{ "dst_spring_2020-03-28_30", "2020-03-28T00:00Z", "2020-03-31T00:00Z", 2, 144 },
		{ "negative_2020-05-22_25", "2020-05-22T00:00Z", "2020-05-26T00:00Z", 2, 192 },
		{ "partial_last_day_2021-08-22_23", "2021-08-22T00:00Z", "2021-08-24T00:00Z", 1, 92 },
	};

	(void)state;
	if (!fixture_root())
		skip();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct grid_request req = rates_request();
		struct error err = ERROR_INIT;
		struct grid_answer a;

		grid_answer_init(&a, at(cases[i].from), at(cases[i].to), at(cases[i].from));
		for (int page = 1; page <= cases[i].pages; page++) {
			_cleanup_(buf_release) struct buf body = BUF_INIT(FIXTURE_MAX);
			char path[128];

			(void)snprintf(path, sizeof(path), "api-shape-derived/%s_page%d.json", cases[i].name, page);
			fixture_read("octopus-agile", path, &body);
			if (parse(buf_str(&body), &req, cases[i].to, &a, &err))
				fail_msg("%s: %s", path, err.msg);
			assert_int_equal(a.next[0] != '\0', page < cases[i].pages);
		}
		assert_int_equal(known(&a), cases[i].rows);
		assert_int_equal(a.series.len, 1);
		assert_int_equal(compare_with_csv(a.series.ptr[0], cases[i].name), cases[i].rows);
		for (int d = 0; d < GRID_DROPS; d++)
			assert_int_equal(a.dropped[d], 0);
		print_message("%s: %d rates\n", cases[i].name, known(&a));
		/* The day that was cut off is unknown at its end, not free. */
		if (cases[i].rows == 92)
			assert_int_equal(grid_series_at(a.series.ptr[0], at("2021-08-23T22:00Z")), GRID_UNKNOWN);
		grid_answer_release(&a);
	}
}

static void test_odd_fixtures(void **state)
{
	static const struct {
		const char *file;
		enum error_code code;
		int known;
	} cases[] = {
		{ "odd/empty_before_publication.json", ERR_NOT_FOUND, 0 },
		{ "odd/grid_supply_points_postcode.synthetic.json", ERR_INVALID, 0 },
		{ "odd/grid_supply_points_two_groups.synthetic.json", ERR_INVALID, 0 },
		{ "odd/http400_period.synthetic.json", ERR_INVALID, 0 },
		{ "odd/http404_unknown_product.json", ERR_INVALID, 0 },
		{ "odd/open_ended_two_payment_methods.synthetic.json", ERR_NONE, 96 },
	};

	(void)state;
	if (!fixture_root())
		skip();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(buf_release) struct buf body = BUF_INIT(FIXTURE_MAX);
		struct grid_request req = rates_request();
		struct error err = ERROR_INIT;
		struct grid_answer a;

		fixture_read("octopus-agile", cases[i].file, &body);
		grid_answer_init(&a, at("2026-05-06T00:00Z"), at("2026-05-08T00:00Z"), at("2026-05-06T00:00Z"));
		assert_int_equal(parse(buf_str(&body), &req, "2026-05-06T09:00Z", &a, &err),
				 cases[i].code == ERR_NONE ? 0 : -1);
		assert_int_equal(err.code, cases[i].code);
		assert_int_equal(known(&a), cases[i].known);
		if (cases[i].known)
			assert_int_equal(a.series.ptr[0]->value[0], 231000); /* direct debit, 23.1 p */
		print_message("%s: %d rates %s\n", cases[i].file, known(&a), err.msg);
		grid_answer_release(&a);
	}
}

#define ROW(from, to, value) "{\"value_exc_vat\":" value ",\"valid_from\":\"" from "\",\"valid_to\":\"" to "\"}"

static void test_bad_points(void **state)
{
	static const char body[] = "{\"count\":9,\"next\":null,\"results\":[" ROW("2026-05-06T00:00:00Z", "2026-05-06T00:30:00Z", "-2.1") "," ROW(
		"2026-05-06T00:30:00Z", "2026-05-06T01:00:00Z",
		"null") "," ROW("2026-05-06T01:00:00Z", "2026-05-06T01:30:00Z",
				"\"7.5\"") "," ROW("2026-05-06T01:30:00Z", "2026-05-06T02:00:00Z",
						   "\"n/a\"") "," ROW("2026-05-06T02:00:00Z", "2026-05-06T02:30:00Z",
								      "99999") "," ROW("2026-05-06T02:30:00Z",
										       "2026-05-06T02:30:00Z",
										       "1") "," ROW("2026-05-06T02:40:"
												    "00Z",
												    "2026-05-06T03:10:"
												    "00Z",
												    "1") "," ROW("yeste"
														 "rday",
														 "2026-"
														 "05-"
														 "06T03"
														 ":10:"
														 "00Z",
														 "1") "," ROW("2020-05-06T02:00:00Z",
															      "2020-05-06T02:30:00Z",
															      "1") "," ROW("2026-05-06T00:00:00Z",
																	   "2026-05-06T00:30:00Z",
																	   "5") ",1,[],null,\"x\"]}";
	struct grid_request req = rates_request();
	struct error err = ERROR_INIT;
	struct grid_answer a;

	(void)state;
	grid_answer_init(&a, at("2026-05-06T00:00Z"), at("2026-05-08T00:00Z"), at("2026-05-06T00:00Z"));
	assert_int_equal(parse(str_from(body), &req, "2026-05-06T00:40Z", &a, &err), 0);
	assert_int_equal(known(&a), 2);
	assert_int_equal(a.series.ptr[0]->value[0], -21000);
	assert_int_equal(a.series.ptr[0]->kind[0], GRID_KIND_ACTUAL);
	assert_int_equal(a.series.ptr[0]->value[2], 75000);
	assert_int_equal(a.series.ptr[0]->kind[2], GRID_KIND_FORECAST);
	assert_int_equal(a.dropped[GRID_DROP_MISSING], 1);
	assert_int_equal(a.dropped[GRID_DROP_TYPE], 6);
	assert_int_equal(a.dropped[GRID_DROP_RANGE], 1);
	assert_int_equal(a.dropped[GRID_DROP_STEP], 2);
	assert_int_equal(a.dropped[GRID_DROP_SPAN], 1);
	assert_int_equal(a.dropped[GRID_DROP_DUPLICATE], 1);
	grid_answer_release(&a);
}

/* The next page is followed to the same server and path only. */
static void test_next(void **state)
{
	static const struct {
		const char *next;
		bool followed;
	} cases[] = {
		{ "\"" BASE RATES_PATH "?page=2\"", true },
		{ "\"http://api.octopus.energy/v1" RATES_PATH "?page=2\"", false },
		{ "\"https://api.octopus.energy.evil.example/v1" RATES_PATH "?page=2\"", false },
		{ "\"https://user@127.0.0.1/?\"", false },
		{ "\"" BASE RATES_PATH "../../../?page=2\"", false },
		{ "\"" BASE RATES_PATH "\"", false },
		{ "\"" BASE RATES_PATH "?a=\\r\\nX: y\"", false },
		{ "7", false },
		{ "{}", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct grid_request req = rates_request();
		struct error err = ERROR_INIT;
		struct grid_answer a;
		char body[512];

		(void)snprintf(body, sizeof(body), "{\"next\":%s,\"results\":[%s]}", cases[i].next,
			       ROW("2026-05-06T00:00:00Z", "2026-05-06T00:30:00Z", "1"));
		grid_answer_init(&a, at("2026-05-06T00:00Z"), at("2026-05-08T00:00Z"), at("2026-05-06T00:00Z"));
		assert_int_equal(parse(str_from(body), &req, "2026-05-06T00:00Z", &a, &err),
				 cases[i].followed ? 0 : -1);
		assert_int_equal(a.next[0] != '\0', cases[i].followed);
		grid_answer_release(&a);
	}
}

#define PRODUCT(code, from, to, direction)                                                                          \
	"{\"code\":\"" code "\",\"available_from\":\"" from "\",\"available_to\":" to ",\"direction\":\"" direction \
	"\"}"

static void test_discovery(void **state)
{
	static const char body[] =
		"{\"next\":null,\"results\":[" PRODUCT("AGILE-18-02-21", "2018-02-21T00:00:00Z", "\"2022-01-01T00:00:00Z\"", "IMPORT") "," PRODUCT(
			"AGILE-24-10-01", "2024-10-01T00:00:00+01:00", "null",
			"IMPORT") "," PRODUCT("AGILE-24-04-03", "2024-04-03T00:00:00+01:00", "null",
					      "IMPORT") "," PRODUCT("AGILE-99-01-01", "2099-01-01T00:00:00Z", "null",
								    "IMPORT") "," PRODUCT("AGILE-OUTGOING-25-01-01",
											  "2025-01-01T00:00:00Z",
											  "null",
											  "EXPORT") "," PRODUCT("AGILE-"
														"/../x",
														"2025-"
														"01-"
														"01T00:"
														"00:"
														"00Z",
														"null",
														"IMPOR"
														"T") "," PRODUCT("GO-25-01-01",
																 "2025-01-01T00:00:00Z",
																 "null",
																 "IMPORT") "]}";
	const struct grid_target targets[] = { { GRID_PRICE, "_C", NULL }, { GRID_PRICE, "A", NULL },
					       { GRID_PRICE, "I", NULL },  { GRID_PRICE, "B", "FIX-1" },
					       { GRID_PRICE, "B", "a/b" }, { GRID_CARBON, "13", NULL } };
	struct grid_env env = { .base_url = BASE, .now_ms = at("2026-05-06T12:10Z"), .tz = london };
	struct grid_request req = { .what = 0, .url = BASE "/products/?brand=OCTOPUS_ENERGY" };
	struct error err = ERROR_INIT;
	struct grid_plan plan = { 0 };
	struct grid_answer a;

	(void)state;
	grid_answer_init(&a, env.now_ms, env.now_ms, env.now_ms);
	assert_int_equal(parse(str_from(body), &req, "2026-05-06T12:10Z", &a, &err), 0);
	assert_string_equal(grid_answer_noted(&a, "product"), "AGILE-24-10-01");
	grid_answer_release(&a);

	/* Nothing but the lookup, and what is pinned, before the product is known. */
	GRID->plan(&env, targets, ARRAY_LEN(targets), &plan);
	assert_int_equal(plan.n, 2);
	assert_string_equal(plan.items[0].url, BASE "/products/?brand=OCTOPUS_ENERGY");
	assert_string_equal(plan.items[1].url,
			    BASE "/products/FIX-1/electricity-tariffs/E-1R-FIX-1-B/standard-unit-rates/"
				 "?page_size=250&period_from=2026-05-04T12:00:00Z&period_to=2026-05-08T12:00:00Z");
	plan.n = 0;
	env.notes = &(struct grid_note){ .key = "product", .value = "AGILE-24-10-01", .expires_ms = TIME_NONE };
	env.n_notes = 1;
	GRID->plan(&env, targets, 2, &plan);
	assert_int_equal(plan.n, 3);
	assert_string_equal(plan.items[1].rests_on, "product");
	assert_string_equal(plan.items[1].zone, "_C");
	assert_non_null(strstr(plan.items[1].url, "/E-1R-AGILE-24-10-01-C/"));
	assert_true(grid_provider_serves(GRID, &plan.items[1], "_C"));
	assert_false(grid_provider_serves(GRID, &plan.items[1], "A"));
}

static void test_schedule(void **state)
{
	static const struct {
		const char *now, *known, *next;
	} cases[] = {
		/* Complete until tonight 23:00 (22:00Z in summer): nothing to ask before 16:00 local. */
		{ "2026-05-06T09:00:00Z", "2026-05-06T22:00:00Z", "2026-05-06T15:01:00Z" },
		{ "2026-01-06T09:00:00Z", "2026-01-06T23:00:00Z", "2026-01-06T16:01:00Z" },
		/* Published: tomorrow is complete, ask again tomorrow. */
		{ "2026-05-06T15:30:00Z", "2026-05-07T22:00:00Z", "2026-05-07T15:01:00Z" },
		/* Late: every 5 minutes, then 15, then hourly. */
		{ "2026-05-06T15:30:00Z", "2026-05-06T22:00:00Z", "2026-05-06T15:35:00Z" },
		{ "2026-05-06T17:30:00Z", "2026-05-06T22:00:00Z", "2026-05-06T17:45:00Z" },
		{ "2026-05-06T19:30:00Z", "2026-05-06T22:00:00Z", "2026-05-06T20:30:00Z" },
		{ "2026-05-07T02:00:00Z", "2026-05-06T22:00:00Z", "2026-05-07T03:00:00Z" },
		/* Short of its last hour is not complete. */
		{ "2026-05-06T15:30:00Z", "2026-05-07T21:30:00Z", "2026-05-06T15:35:00Z" },
		/* The nights when clocks change: the day that ends at 23:00 has 23 or 25 hours. */
		{ "2026-03-28T16:30:00Z", "2026-03-29T22:00:00Z", "2026-03-29T16:01:00Z" },
		{ "2026-10-24T15:30:00Z", "2026-10-25T23:00:00Z", "2026-10-25T15:01:00Z" },
		{ "2026-05-06T09:00:00Z", NULL, "2026-05-06T10:00:00Z" },
		{ "2026-05-06T14:30:00Z", NULL, "2026-05-06T15:01:00Z" },
	};
	const struct grid_request rates = { .what = 1 }, products = { .what = 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct grid_env env = { .base_url = BASE, .now_ms = at(cases[i].now), .tz = london };
		int64_t known_until = cases[i].known ? at(cases[i].known) : TIME_NONE;
		char text[TIME_TEXT];

		assert_string_equal(time_format(grid_provider_next_poll_ms(GRID, &env, &rates, known_until, 0), text),
				    cases[i].next);
		assert_true(grid_provider_next_poll_ms(GRID, &env, &rates, known_until, 0.999) > env.now_ms);
		assert_int_equal(grid_provider_next_poll_ms(GRID, &env, &products, TIME_NONE, 0), env.now_ms + DAY_MS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixtures), cmocka_unit_test(test_odd_fixtures), cmocka_unit_test(test_bad_points),
		cmocka_unit_test(test_next),     cmocka_unit_test(test_discovery),    cmocka_unit_test(test_schedule),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
