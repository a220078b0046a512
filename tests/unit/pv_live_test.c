/* SPDX-License-Identifier: Apache-2.0 */
/* PV_Live: its answers, zones and plan. */
#include "provider_cases.h"

#define GRID (&grid_pv_live)

/* clang-format off */
static const struct provider_case cases[] = {
	{ "tests/data/grid/pv-live/gsp_0.synthetic.json", "GB", 0,
	  "2026-05-04T09:00Z", "2026-05-06T09:00Z", "2026-05-06T09:05Z", .points = 11, .dropped = { [GRID_DROP_MISSING] = 1 } },
	{ "tests/data/grid/pv-live/pes_12_other_columns.synthetic.json", "C", 0,
	  "2026-05-04T09:00Z", "2026-05-06T09:00Z", "2026-05-06T09:05Z", .points = 5 },
	/* Another span than the one asked for. */
	{ "tests/data/grid/pv-live/gsp_0.synthetic.json", "GB", 0,
	  "2026-05-07T09:00Z", "2026-05-09T09:00Z", "2026-05-09T09:05Z", .dropped = { [GRID_DROP_MISSING] = 1, [GRID_DROP_SPAN] = 11 }, .code = ERR_INVALID },
	{ "tests/data/grid/pv-live/empty.synthetic.json", "GB", 0,
	  "2026-05-04T09:00Z", "2026-05-06T09:00Z", "2026-05-06T09:05Z", .code = ERR_NOT_FOUND },
	{ "tests/data/grid/pv-live/http422_validation.synthetic.json", "GB", 0,
	  "2026-05-04T09:00Z", "2026-05-06T09:00Z", "2026-05-06T09:05Z", .code = ERR_INVALID },
};
/* clang-format on */

static void test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct grid_env env = { .base_url = GRID->base_url };

		case_run(GRID, &env, &cases[i]);
		case_mutate(GRID, &env, &cases[i]);
	}
}

/* The label is the end of the half hour. */
static void test_values(void **state)
{
	_cleanup_(buf_release) struct buf body = BUF_INIT(FIXTURE_MAX);
	struct grid_env env = { .base_url = "" };
	struct error err = ERROR_INIT;
	struct grid_answer a;

	(void)state;
	(void)case_read(cases[1].file, &body);
	assert_int_equal(case_parse(GRID, &env, &cases[1], buf_str(&body), &a, &err), 0);
	assert_int_equal(value_at(&a, GRID_SOLAR, "C", "2026-05-06T08:30Z"), 5000);
	assert_int_equal(value_at(&a, GRID_SOLAR, "C", "2026-05-06T08:00Z"), 4700);
	assert_int_equal(value_at(&a, GRID_SOLAR, "C", "2026-05-06T06:00Z"), GRID_UNKNOWN);
	assert_int_equal(kind_at(&a, GRID_SOLAR, "C", "2026-05-06T08:00Z"), GRID_KIND_ESTIMATED);
	grid_answer_release(&a);
}

static void test_bodies(void **state)
{
	static const struct {
		const char *body;
		enum error_code code;
	} bad[] = {
		{ "", ERR_NOT_FOUND },
		{ "{}", ERR_NOT_FOUND },
		{ "{\"data\":[[0,\"2026-05-06T08:30:00Z\",1]]}", ERR_INVALID },
		{ "{\"data\":[[0,\"2026-05-06T08:30:00Z\",1]],\"meta\":[\"datetime_gmt\"]}", ERR_INVALID },
		{ "{\"data\":7,\"meta\":[]}", ERR_INVALID },
		{ "{\"data\":[7,null,[],{\"a\":1},[1,2,3]],\"meta\":[\"g\",\"datetime_gmt\",\"generation_mw\"]}",
		  ERR_INVALID },
		{ "{\"data\":[[0,\"2026-05-06T08:30:00Z\",-7]],\"meta\":[\"g\",\"datetime_gmt\",\"generation_mw\"]}",
		  ERR_INVALID },
		{ "{\"data\":[[327,\"2026-05-06T08:30:00Z\",7]],\"meta\":[\"gsp_id\",\"datetime_gmt\",\"generation_"
		  "mw\"]}",
		  ERR_INVALID },
		{ "<html>", ERR_INVALID },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct grid_env env = { .base_url = "" };
		struct error err = ERROR_INIT;
		struct grid_answer a;

		assert_int_equal(case_parse(GRID, &env, &cases[0], str_from(bad[i].body), &a, &err), -1);
		if (err.code != bad[i].code)
			fail_msg("%s: %s", bad[i].body, err.msg);
		grid_answer_release(&a);
	}
}

static void test_plan(void **state)
{
	static const struct grid_target targets[] = { { GRID_SOLAR, "GB", NULL }, { GRID_SOLAR, "_C", NULL },
						      { GRID_SOLAR, "P", NULL },  { GRID_SOLAR, "GB", NULL },
						      { GRID_SOLAR, "I", NULL },  { GRID_WIND, "GB", NULL },
						      { GRID_SOLAR, "CC", NULL }, { GRID_SOLAR, "../x", NULL } };
	const struct grid_env env = { .base_url = "http://h", .now_ms = at("2026-05-06T09:10:11Z") };
	struct grid_plan *plan = xcalloc(1, sizeof(*plan));

	(void)state;
	GRID->plan(&env, targets, ARRAY_LEN(targets), plan);
	assert_int_equal(plan->n, 3);
	assert_string_equal(plan->items[0].url,
			    "http://h/gsp/0?start=2026-05-04T09:30:00Z&end=2026-05-06T09:00:00Z&data_format=json");
	assert_int_equal(plan->items[0].from_ms, at("2026-05-04T09:00Z"));
	assert_int_equal(plan->items[0].to_ms, at("2026-05-06T09:00Z"));
	assert_non_null(strstr(plan->items[1].url, "/pes/12?"));
	assert_non_null(strstr(plan->items[2].url, "/pes/17?"));
	assert_true(grid_provider_serves(GRID, &plan->items[1], "_C"));
	assert_false(grid_provider_serves(GRID, &plan->items[1], "GB"));
	assert_false(GRID->has_zone(&env, GRID_SOLAR, NULL));
	free(plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
