/* SPDX-License-Identifier: Apache-2.0 */
/* The hour-of-week median against a slower way to find it, and what it takes for a zone or a body. */
#include "grid_fixture.h"

#include "base/rand.h"
#include "grid/sink.h"

#define GRID (&grid_hour_of_week)
#define NOW_TEXT "2026-05-06T09:10Z"
#define MAX_PAST 4000

static const struct grid_env *env(void)
{
	static struct grid_env e;

	e = (struct grid_env){ .base_url = "", .now_ms = at(NOW_TEXT) };
	return &e;
}

static void test_zones(void **state)
{
	static const struct {
		const char *zone;
		bool known;
	} zones[] = { { "carbonintensity-gb/13", true },
		      { "carbonintensity-gb/national", true },
		      { "neso/london", true },
		      { "carbonintensity-gb/99", false },
		      { "carbonintensity-gb", false },
		      { "/13", false },
		      { "nobody/13", false },
		      { "octopus-agile/C", false },
		      { "static-factors/GB", false },
		      { "hour-of-week/carbonintensity-gb/13", false },
		      { "carbonintensity-gb/13/", false } };
	static struct grid_plan plan;
	struct grid_target targets[ARRAY_LEN(zones) + 1];
	struct grid_basis basis;
	int known = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
		assert_int_equal(GRID->has_zone(env(), GRID_CARBON, zones[i].zone), zones[i].known);
		assert_false(GRID->has_zone(env(), GRID_PRICE, zones[i].zone));
		targets[i] = (struct grid_target){ GRID_CARBON, zones[i].zone, NULL };
		known += zones[i].known;
	}
	GRID->basis(env(), "carbonintensity-gb/national", &basis);
	assert_string_equal(basis.resolution, "national");
	/* The same zone twice is one question; none goes to the network. */
	targets[ARRAY_LEN(zones)] = targets[0];
	GRID->plan(env(), targets, ARRAY_LEN(targets), &plan);
	assert_int_equal(plan.n, known);
	for (int i = 0; i < plan.n; i++) {
		assert_true(plan.items[i].history);
		assert_string_equal(plan.items[i].url, "");
		assert_true(grid_provider_serves(GRID, &plan.items[i], plan.items[i].zone));
	}
	assert_true(grid_provider_next_poll_ms(GRID, env(), &plan.items[0], TIME_NONE, 0) > at(NOW_TEXT) + HOUR_MS);
}

static int by_value(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	return x < y ? -1 : x > y;
}

/* Whatever is past and at the same half hour of the week, sorted, the middle of it; GRID_UNKNOWN for fewer than 3. */
static int32_t naive(const struct grid_past *past, size_t n, int64_t ms)
{
	int32_t values[MAX_PAST];
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		if (past[i].value != GRID_UNKNOWN && past[i].start_ms < at(NOW_TEXT) &&
		    (ms - past[i].start_ms) % (7 * DAY_MS) == 0)
			values[k++] = past[i].value;
	if (k < 3)
		return GRID_UNKNOWN;
	qsort(values, k, sizeof(*values), by_value);
	return (int32_t)(((int64_t)values[(k - 1) / 2] + values[k / 2]) / 2);
}

static void test_median(void **state)
{
	static struct grid_past past[MAX_PAST];
	struct grid_request req = { .zone = "carbonintensity-gb/13" };
	uint64_t seed = 5;

	(void)state;
	req.from_ms = time_slot_floor(at(NOW_TEXT), SLOT_MS);
	req.to_ms = req.from_ms + 2 * DAY_MS;
	for (int round = 0; round < 50; round++) {
		struct error err = ERROR_INIT;
		struct grid_answer a;
		size_t n = 0;
		int known = 0;

		/* Full weeks, and ones with holes. */
		for (int64_t ms = req.from_ms - GRID_HISTORY_MS; ms < req.from_ms + DAY_MS; ms += SLOT_MS)
			if (round == 0 || rand_next(&seed) % 100 < (uint64_t)round * 2)
				past[n++] = (struct grid_past){
					ms, rand_next(&seed) % 50 ? (int32_t)(rand_next(&seed) % 900000) : GRID_UNKNOWN,
					GRID_KIND_ACTUAL
				};
		grid_answer_init(&a, req.from_ms, req.to_ms, req.from_ms);
		(void)GRID->parse(env(), &req, str_of((const char *)past, n * sizeof(*past)), &a, &err);
		for (int64_t ms = req.from_ms; ms < req.to_ms; ms += SLOT_MS) {
			const struct grid_series *s = grid_answer_series(&a, GRID_CARBON, req.zone);
			int32_t want = naive(past, n, ms);

			known += want != GRID_UNKNOWN;
			assert_int_equal(s ? grid_series_at(s, ms) : GRID_UNKNOWN, want);
		}
		assert_int_equal(err.code, known ? ERR_NONE : ERR_NOT_FOUND);
		grid_answer_release(&a);
	}
}

/* A body that is cut, empty, or says the same time over and over: nothing breaks. */
static void test_bodies(void **state)
{
	struct grid_past same[400];
	struct grid_request req = { .zone = "carbonintensity-gb/13" };

	(void)state;
	req.from_ms = time_slot_floor(at(NOW_TEXT), SLOT_MS);
	req.to_ms = req.from_ms + DAY_MS;
	for (size_t i = 0; i < ARRAY_LEN(same); i++)
		same[i] = (struct grid_past){ req.from_ms - 7 * DAY_MS, (int32_t)i, 0 };
	for (size_t len = 0; len < sizeof(same); len += 7) {
		struct error err = ERROR_INIT;
		struct grid_answer a;

		grid_answer_init(&a, req.from_ms, req.to_ms, req.from_ms);
		if (GRID->parse(env(), &req, str_of((const char *)same, len), &a, &err))
			assert_true(len < 3 * sizeof(same[0]));
		grid_answer_release(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_zones), cmocka_unit_test(test_median),
					    cmocka_unit_test(test_bodies) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
