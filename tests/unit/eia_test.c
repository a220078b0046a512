/* SPDX-License-Identifier: Apache-2.0 */
/* The EIA provider: hours that are labelled with their end, values of three types, pages, carbon from the mix. */
#include "provider_cases.h"

#define GRID (&grid_eia)
#define BASE "https://api.eia.gov/v2"
#define OURS "tests/data/grid/eia/"
#define DAY "2026-05-05T00:00Z", "2026-05-07T00:00Z", "2026-05-06T09:05Z"

enum what { GENERATION, DEMAND };

static void test_fixtures(void **state)
{
	static const struct provider_case cases[] = {
		/* Three fuels, one of them null, are no mix: nothing is made up from them. */
		{ "eia/fuel_type_CISO.synthetic.json", "CISO", GENERATION, DAY, .dropped = { [GRID_DROP_MISSING] = 2 },
		  .code = ERR_INVALID, .reason = "none of 3" },
		{ "eia/http403_bad_key.synthetic.json", "CISO", GENERATION, DAY, .code = ERR_INVALID,
		  .reason = "error object" },
		{ OURS "generation_CISO.synthetic.json", "CISO", GENERATION, DAY, .points = 24,
		  .dropped = { [GRID_DROP_MISSING] = 3,
			       [GRID_DROP_TYPE] = 1,
			       [GRID_DROP_ZONE] = 1,
			       [GRID_DROP_RANGE] = 1,
			       [GRID_DROP_DUPLICATE] = 1 } },
		{ OURS "generation_CISO.synthetic.json", "PJM", GENERATION, DAY,
		  .dropped = { [GRID_DROP_MISSING] = 1, [GRID_DROP_ZONE] = 44 }, .code = ERR_INVALID,
		  .reason = "none of 45" },
		{ OURS "demand_CISO.synthetic.json", "CISO", DEMAND, DAY, .points = 8 },
	};
	struct grid_env env = { .base_url = BASE };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		case_run(GRID, &env, &cases[i]);
}

static struct grid_answer parse_file(const char *file, int what)
{
	const struct provider_case c = { file, "CISO", what, DAY, .points = 0 };
	_cleanup_(buf_release) struct buf body = BUF_INIT(FIXTURE_MAX);
	struct grid_env env = { .base_url = BASE };
	struct error err = ERROR_INIT;
	struct grid_answer a;

	assert_true(case_read(file, &body));
	if (case_parse(GRID, &env, &c, buf_str(&body), &a, &err))
		fail_msg("%s", err.msg);
	return a;
}

/*
 * "2026-05-05T11" is 10:00 to 11:00 UTC: gas 8000, coal 500, nuclear 2200, sun -38 (none), wind 3100.5, water 2900, and
 * batteries that charge. The fourth hour has no gas, the fifth an impossible wind: neither is a mix.
 */
static void test_generation(void **state)
{
	struct grid_answer a = parse_file(OURS "generation_CISO.synthetic.json", GENERATION);
	const struct grid_series *s = grid_answer_series(&a, GRID_CARBON, "CISO");
	double grams = (8000.0 * 394 + 500.0 * 937) / (8000 + 500 + 2200 + 3100.5 + 2900);

	(void)state;
	assert_in_range(grid_series_at(s, at("2026-05-05T10:00Z")), grams * 1000 - 1, grams * 1000 + 1);
	assert_int_equal(grid_series_at(s, at("2026-05-05T10:30Z")), grid_series_at(s, at("2026-05-05T10:00Z")));
	assert_int_equal(grid_series_at(s, at("2026-05-05T09:30Z")), GRID_UNKNOWN);
	assert_int_equal(grid_series_at(s, at("2026-05-05T13:00Z")), GRID_UNKNOWN);
	assert_int_equal(grid_series_at(s, at("2026-05-05T14:00Z")), GRID_UNKNOWN);
	assert_int_not_equal(grid_series_at(s, at("2026-05-05T15:00Z")), GRID_UNKNOWN);
	assert_int_equal(s->kind[20], GRID_KIND_ESTIMATED);
	assert_int_equal(a.dropped[GRID_DROP_MISSING], 3); /* a value and two hours */
	assert_int_equal(a.dropped[GRID_DROP_RANGE], 1);
	assert_int_equal(a.dropped[GRID_DROP_DUPLICATE], 1);
	assert_int_equal(a.dropped[GRID_DROP_ZONE], 1);
	assert_int_equal(a.dropped[GRID_DROP_TYPE], 1);
	assert_int_equal(a.moments.len, 1);
	grid_answer_release(&a);
}

/* Metered demand, and the forecast of it where there is none yet. */
static void test_demand(void **state)
{
	struct grid_answer a = parse_file(OURS "demand_CISO.synthetic.json", DEMAND);
	const struct grid_series *s = grid_answer_series(&a, GRID_DEMAND, "CISO");

	(void)state;
	assert_int_equal(grid_series_at(s, at("2026-05-05T10:00Z")), 20000);
	assert_int_equal(s->kind[20], GRID_KIND_ACTUAL);
	assert_int_equal(grid_series_at(s, at("2026-05-05T12:00Z")), 21002);
	assert_int_equal(s->kind[24], GRID_KIND_ESTIMATED);
	for (int d = 0; d < GRID_DROPS; d++)
		assert_int_equal(a.dropped[d], 0);
	grid_answer_release(&a);
}

#define ROW(hour, value) \
	"{\"period\":\"2026-05-05T" hour "\",\"respondent\":\"CISO\",\"type\":\"D\",\"value\":" value "}"
#define PAGE(total, rows) "{\"response\":{\"total\":" total ",\"data\":[" rows "]}}"

/* Two pages: the hour at the border comes whole with the second, whatever the first had of it. */
static void test_pages(void **state)
{
	static const char *const pages[] = {
		PAGE("\"5\"", ROW("11", "100") "," ROW("12", "200") "," ROW("13", "300")),
		PAGE("3", ROW("13", "301") "," ROW("14", "400") "," ROW("15", "500")),
	};
	static const struct grid_target target = { GRID_DEMAND, "CISO", NULL };
	const struct grid_env env = { .base_url = BASE, .now_ms = at("2026-05-06T09:05Z"), .secret = "secret-key" };
	const struct grid_series *s;
	struct error err = ERROR_INIT;
	struct grid_plan plan = { 0 };
	struct grid_answer a;
	char want[GRID_URL_MAX];
	char *start;

	(void)state;
	GRID->plan(&env, &target, 1, &plan);
	grid_answer_init(&a, plan.items[0].from_ms, plan.items[0].to_ms, env.now_ms);
	assert_int_equal(GRID->parse(&env, &plan.items[0], str_from(pages[0]), &a, &err), 0);
	(void)str_copy(want, sizeof(want), str_from(plan.items[0].url));
	start = strstr(want, "&start=2026-05-04T10");
	assert_non_null(start);
	memcpy(start, "&start=2026-05-05T13", strlen("&start=2026-05-05T13"));
	assert_string_equal(a.next, want);
	assert_int_equal(GRID->parse(&env, &plan.items[0], str_from(pages[1]), &a, &err), 0);
	assert_string_equal(a.next, "");
	s = a.series.ptr[0];
	assert_int_equal(known_in(s), 10);
	assert_int_equal(grid_series_at(s, at("2026-05-05T12:00Z")), 301);
	assert_int_equal(grid_series_at(s, at("2026-05-05T14:30Z")), 500);
	for (int d = 0; d < GRID_DROPS; d++)
		assert_int_equal(a.dropped[d], 0);
	grid_answer_release(&a);
}

/* No next page that would not come further. */
static void test_no_pages(void **state)
{
	static const char *const bodies[] = {
		PAGE("1", ROW("11", "1")),
		PAGE("9", ROW("11", "1")),
		PAGE("9", ROW("11", "1") "," ROW("11", "2")),
		PAGE("9", ROW("12", "1") "," ROW("11", "2")),
		PAGE("\"many\"", ROW("11", "1") "," ROW("12", "2")),
		PAGE("null", ROW("11", "1") "," ROW("12", "2")),
		PAGE("9", ROW("11", "1") ",{}"),
	};
	const struct grid_request req = { .what = DEMAND,
					  .zone = "CISO",
					  .url = BASE "/x?a=1&start=2026-05-04T10&end=x" };
	const struct grid_env env = { .base_url = BASE, .now_ms = at("2026-05-06T09:05Z") };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct error err = ERROR_INIT;
		struct grid_answer a;

		grid_answer_init(&a, at("2026-05-05T00:00Z"), at("2026-05-06T00:00Z"), env.now_ms);
		assert_int_equal(GRID->parse(&env, &req, str_from(bodies[i]), &a, &err), 0);
		assert_string_equal(a.next, "");
		grid_answer_release(&a);
	}
}

static void test_plan(void **state)
{
	const struct grid_target targets[] = { { GRID_CARBON, "CISO", NULL },
					       { GRID_DEMAND, "CISO", NULL },
					       { GRID_CARBON, "C&x", NULL },
					       { GRID_PRICE, "CISO", NULL } };
	struct grid_env env = { .base_url = BASE, .now_ms = at("2026-05-06T09:35Z"), .secret = "secret-key" };
	struct grid_plan plan = { 0 };

	(void)state;
	GRID->plan(&env, targets, ARRAY_LEN(targets), &plan);
	assert_int_equal(plan.n, 2);
	assert_string_equal(
		plan.items[0].url,
		BASE "/electricity/rto/fuel-type-data/data/?api_key=secret-key&frequency=hourly&data%5B0%5D=value"
		     "&facets%5Brespondent%5D%5B%5D=CISO&start=2026-05-04T10&end=2026-05-06T09"
		     "&sort%5B0%5D%5Bcolumn%5D=period&sort%5B0%5D%5Bdirection%5D=asc&length=5000");
	assert_true(plan.items[0].secret_url && plan.items[1].secret_url);
	assert_non_null(strstr(plan.items[1].url, "/region-data/data/"));
	assert_non_null(strstr(plan.items[1].url, "&facets%5Btype%5D%5B%5D=D&facets%5Btype%5D%5B%5D=DF&"));
	plan.n = 0;
	env.secret = NULL;
	GRID->plan(&env, targets, ARRAY_LEN(targets), &plan);
	assert_int_equal(plan.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixtures), cmocka_unit_test(test_generation), cmocka_unit_test(test_demand),
		cmocka_unit_test(test_pages),    cmocka_unit_test(test_no_pages),   cmocka_unit_test(test_plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
