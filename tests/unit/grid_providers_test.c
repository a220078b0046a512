/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What holds for every provider in the table: it is whole, keeps its secret out of what is shown, refuses what is no
 * answer with a reason, and never asks again at once. Also grid/read.h, which most of them share.
 */
#include <math.h>

#include "grid/read.h"
#include "provider_cases.h"

#define SECRET "S3CRET"
#define NOW "2026-05-06T09:05Z"

/* A zone that the provider knows, for each of its metrics. */
static const struct {
	const char *provider;
	enum grid_metric metric;
	const char *zone;
} zones[] = {
	{ "carbon-aware-sdk", GRID_CARBON, "uksouth" },
	{ "carbonintensity-gb", GRID_CARBON, "13" },
	{ "carbonintensity-gb", GRID_CARBON, "national" },
	{ "eia", GRID_CARBON, "CISO" },
	{ "eia", GRID_DEMAND, "CISO" },
	{ "electricity-maps", GRID_CARBON, "DE" },
	{ "elexon", GRID_WHOLESALE, "GB" },
	{ "energy-charts", GRID_WHOLESALE, "DE-LU" },
	{ "entsoe", GRID_CARBON, "FR" },
	{ "entsoe", GRID_WHOLESALE, "FR" },
	{ "fuel-mix", GRID_CARBON, "GB" },
	{ "generic", GRID_CARBON, "here" },
	{ "met-office", GRID_TEMPERATURE, "here" },
	{ "neso", GRID_CARBON, "13" },
	{ "neso", GRID_WIND, "GB" },
	{ "octopus-agile", GRID_PRICE, "C" },
	{ "pv-live", GRID_SOLAR, "GB" },
	{ "open-meteo", GRID_TEMPERATURE, "here" },
	{ "prometheus", GRID_CARBON, "here" },
	{ "static-factors", GRID_CARBON, "GB" },
	{ "watttime", GRID_CARBON, "UK" },
	{ "watttime", GRID_CARBON, "here" },
};
static const struct grid_custom here = { .name = "here",
					 .metric = GRID_CARBON,
					 .url = "https://x.example",
					 .query = "up",
					 .time_field = "t",
					 .value_field = "v",
					 .latitude = 51.5,
					 .longitude = -0.1 };
static const struct grid_note notes[] = { { .key = "token", .value = "T0KEN", .expires_ms = TIME_NONE },
					  { .key = "here", .value = "PSCO", .expires_ms = TIME_NONE } };

static struct grid_env env_of(const struct grid_provider *p, const struct tz *tz)
{
	return (struct grid_env){ .base_url = p->base_url && p->base_url[0] ? p->base_url : "https://own.example",
				  .now_ms = at(NOW),
				  .tz = tz,
				  .user = "us3r",
				  .secret = SECRET,
				  .notes = notes,
				  .n_notes = ARRAY_LEN(notes),
				  .custom = &here,
				  .n_custom = 1 };
}

static void test_table(void **state)
{
	(void)state;
	for (int i = 0; i < grid_n_providers; i++) {
		const struct grid_provider *p = grid_providers[i];
		struct error err = ERROR_INIT;
		struct tz *tz;

		assert_true(str_is_dns_name(str_from(p->name)) && strlen(p->name) < GRID_NAME_MAX);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(p->name, grid_providers[k]->name);
		assert_ptr_equal(grid_provider_find(p->name), p);
		assert_true(p->licence || p == &grid_hour_of_week);
		assert_true(p->has_zone && p->plan && p->parse);
		assert_true(p->next_poll_ms || p->poll_every_ms >= MINUTE_MS);
		assert_true(!p->base_url || !p->base_url[0] || strncmp(p->base_url, "https://", 8) == 0);
		assert_true(!p->currency || strlen(p->currency) == 3);
		assert_in_range(p->confidence_permille, 0, 1000);
		assert_true((p->budget_requests == 0) == (p->budget_ms == 0));
		assert_int_equal(tz_load(p->time_zone ? p->time_zone : "UTC", &tz, &err), 0);
		tz_free(tz);
	}
	assert_null(grid_providers[grid_n_providers]);
	assert_null(grid_provider_find("nobody"));
}

/* The secret is in a header, or in a URL that is marked; nowhere else. */
static void check_secret(const struct grid_request *r)
{
	assert_null(strstr(r->id, SECRET));
	assert_null(strstr(r->zone, SECRET));
	if (strstr(r->url, SECRET))
		assert_true(r->secret_url);
	assert_true(r->header[0] == '\0' || strchr(r->header, ':'));
	assert_null(strpbrk(r->header, "\r\n"));
	assert_null(strpbrk(r->url, " \r\n\t"));
}

static void check_request(const struct grid_provider *p, const struct grid_env *env, const struct grid_request *r)
{
	static const char *const nonsense[] = { "<html><body>503 Service Unavailable</body></html>", "nonsense",
						"\xff\xfe", "7" };

	check_secret(r);
	assert_true(r->id[0] && r->from_ms <= r->to_ms && r->to_ms - r->from_ms <= GRID_SERIES_MAX * SLOT_MS);
	assert_true(grid_provider_next_poll_ms(p, env, r, TIME_NONE, 0) >= env->now_ms + MINUTE_MS);
	assert_true(grid_provider_next_poll_ms(p, env, r, env->now_ms + 2 * DAY_MS, 0.999) <= env->now_ms + 2 * DAY_MS);
	for (size_t i = 0; r->url[0] && i <= ARRAY_LEN(nonsense); i++) {
		struct error err = ERROR_INIT;
		struct grid_answer a;

		grid_answer_init(&a, r->from_ms, r->to_ms, env->now_ms);
		assert_int_equal(p->parse(env, r, i ? str_from(nonsense[i - 1]) : STR(""), &a, &err), -1);
		if (err.code != (i ? ERR_INVALID : ERR_NOT_FOUND))
			print_message("%s %s: %s: %s\n", p->name, r->id, i ? nonsense[i - 1] : "no body", err.msg);
		assert_true(err.code == ERR_NOT_FOUND || (i && err.code == ERR_INVALID));
		assert_true(err.msg[0] && !strstr(err.msg, SECRET));
		assert_int_equal(a.points, 0);
		grid_answer_release(&a);
	}
}

static void test_requests(void **state)
{
	struct grid_plan *plan = xcalloc(1, sizeof(*plan));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
		const struct grid_provider *p = grid_provider_find(zones[i].provider);
		const struct grid_target target = { zones[i].metric, zones[i].zone, NULL };
		struct error err = ERROR_INIT;
		struct grid_env env;
		struct tz *tz;

		assert_int_equal(tz_load(p->time_zone ? p->time_zone : "UTC", &tz, &err), 0);
		env = env_of(p, tz);
		assert_true(p->has_zone(&env, target.metric, target.zone));
		assert_false(p->has_zone(&env, target.metric, "no such place?"));
		if (target.metric == GRID_CARBON) {
			struct grid_basis basis = { "", "", "", "" };

			p->basis(&env, target.zone, &basis);
			assert_true(cstr_eq(basis.accounting, "") || cstr_eq(basis.accounting, "average") ||
				    cstr_eq(basis.accounting, "marginal"));
		}
		plan->n = 0;
		p->plan(&env, &target, 1, plan);
		assert_true(plan->n > 0);
		for (int k = 0; k < plan->n; k++)
			check_request(p, &env, &plan->items[k]);
		if (p->secret) {
			plan->n = 0;
			env.secret = NULL;
			p->plan(&env, &target, 1, plan);
			assert_int_equal(plan->n, 0);
		}
		tz_free(tz);
	}
	free(plan);
}

/* Every factor is of the order that a country's electricity has, and only countries have one. */
static void test_static_factors(void **state)
{
	const struct grid_env env = { .base_url = "", .now_ms = at(NOW) };
	int n = 0;

	(void)state;
	for (int i = 0; i < 26 * 26; i++) {
		struct grid_request req = { .zone = { (char)('A' + i / 26), (char)('A' + i % 26), '\0' } };
		struct error err = ERROR_INIT;
		struct grid_answer a;

		if (!grid_static_factors.has_zone(&env, GRID_CARBON, req.zone))
			continue;
		n++;
		grid_answer_init(&a, env.now_ms, env.now_ms + DAY_MS, env.now_ms);
		assert_int_equal(grid_static_factors.parse(&env, &req, STR_NULL, &a, &err), 0);
		assert_in_range(a.series.ptr[0]->value[0], 20000, 950000);
		assert_int_equal(strncmp(a.moments.ptr[0].index, "mean of 202", 11), 0);
		grid_answer_release(&a);
	}
	assert_int_equal(n, 70);
}

static void test_escape(void **state)
{
	char out[8];

	(void)state;
	assert_true(grid_url_escape("a-Z_0~.", out, sizeof(out)));
	assert_string_equal(out, "a-Z_0~.");
	assert_true(grid_url_escape("\xc3\xa9", out, sizeof(out)));
	assert_string_equal(out, "%C3%A9");
	assert_false(grid_url_escape("   ", out, sizeof(out)));
	assert_true(grid_url_escape("", out, sizeof(out)));
	assert_string_equal(out, "");
}

static void test_numbers(void **state)
{
	static const struct {
		const char *json;
		bool good;
		double value;
	} cases[] = {
		{ "1.5", true, 1.5 },    { "\"-38\"", true, -38 }, { "\" 7 \"", true, 7 },   { "\"1e3\"", true, 1000 },
		{ "\"NaN\"", false, 0 }, { "\"inf\"", false, 0 },  { "\"\"", false, 0 },     { "null", false, 0 },
		{ "true", false, 0 },    { "[]", false, 0 },       { "\"0x10\"", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(json_cleanup) struct json *doc = NULL;
		struct error err = ERROR_INIT;
		double v = NAN;

		assert_int_equal(json_parse(str_from(cases[i].json), &doc, &err), 0);
		assert_int_equal(grid_read_number(doc, &v), cases[i].good);
		if (cases[i].good)
			assert_true(v == cases[i].value);
	}
	assert_false(grid_read_number(NULL, &(double){ 0 }));
}

static void test_headers(void **state)
{
	char longest[GRID_KEY_MAX + 2];
	struct grid_env env = { .secret = longest };
	struct grid_request r = { 0 };

	(void)state;
	memset(longest, 'k', sizeof(longest) - 1);
	longest[GRID_KEY_MAX + 1] = '\0';
	assert_false(grid_has_key(&env));
	longest[GRID_KEY_MAX] = '\0';
	assert_true(grid_has_key(&env));
	env.user = longest;
	grid_authorize(&env, &r);
	/* Base64 of 513 bytes is 684 long. */
	assert_int_equal(strlen(r.header), strlen("Authorization: Basic ") + 684);
	env.user = "a b";
	assert_false(grid_has_key(&env));
	env.user = NULL;
	env.secret = "";
	assert_false(grid_has_key(&env));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),  cmocka_unit_test(test_requests), cmocka_unit_test(test_static_factors),
		cmocka_unit_test(test_escape), cmocka_unit_test(test_numbers),  cmocka_unit_test(test_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
