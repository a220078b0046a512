/* SPDX-License-Identifier: Apache-2.0 */
/* grid/generation.h: what is a whole mix of a time, what is left out, against sums by hand and a dumb oracle. */
#include <math.h>

#include "base/rand.h"
#include "grid/generation.h"
#include "grid_fixture.h"

#define FROM "2026-05-06T00:00Z"
#define HOURS 24

static struct grid_answer answer_of_a_day(void)
{
	struct grid_answer a;

	grid_answer_init(&a, at(FROM), at(FROM) + HOURS * HOUR_MS, at(FROM));
	return a;
}

static void test_left_out(void **state)
{
	struct grid_answer a = answer_of_a_day();
	struct grid_generation g _cleanup_(grid_generation_release);
	int64_t t = at(FROM);
	char code[8];

	(void)state;
	grid_generation_init(&g, &a, HOUR_MS);
	assert_int_equal(g.n_times, HOURS);
	grid_generation_add(&g, &a, t - HOUR_MS, HOUR_MS, STR("NG"), 1);
	grid_generation_add(&g, &a, t + HOURS * HOUR_MS, HOUR_MS, STR("NG"), 1);
	assert_int_equal(a.dropped[GRID_DROP_SPAN], 2);
	grid_generation_add(&g, &a, t + MINUTE_MS, HOUR_MS, STR("NG"), 1);
	grid_generation_add(&g, &a, t, SLOT_MS, STR("NG"), 1);
	grid_generation_add(&g, &a, t, 0, STR("NG"), 1);
	grid_generation_add(&g, &a, t, -HOUR_MS, STR("NG"), 1);
	assert_int_equal(a.dropped[GRID_DROP_STEP], 4);
	grid_generation_add(&g, &a, t, HOUR_MS, STR(""), 1);
	grid_generation_add(&g, &a, t, HOUR_MS, STR("A_CODE_THAT_IS_TOO_LONG_FOR_ANY_FUEL"), 1);
	assert_int_equal(a.dropped[GRID_DROP_TYPE], 2);
	grid_generation_add(&g, &a, t, HOUR_MS, STR("NG"), NAN);
	grid_generation_add(&g, &a, t, HOUR_MS, STR("NG"), 2e6);
	assert_int_equal(a.dropped[GRID_DROP_RANGE], 2);
	grid_generation_add(&g, &a, t, HOUR_MS, STR("NG"), 5);
	grid_generation_add(&g, &a, t, HOUR_MS, STR("NG"), 7);
	assert_int_equal(a.dropped[GRID_DROP_DUPLICATE], 1);
	/* Over the end: what is inside counts. */
	grid_generation_add(&g, &a, t + (HOURS - 1) * HOUR_MS, 5 * HOUR_MS, STR("NG"), 9);
	assert_int_equal(g.times[HOURS - 1].seen, 1);
	for (int i = 0; i < GRID_GENERATION_MAX_CODES + 3; i++) {
		(void)snprintf(code, sizeof(code), "F%d", i);
		grid_generation_add(&g, &a, t, HOUR_MS, str_from(code), 1);
	}
	assert_int_equal(g.n_codes, GRID_GENERATION_MAX_CODES);
	assert_int_equal(a.dropped[GRID_DROP_TYPE], 2 + 4);
	grid_answer_release(&a);
}

/* Random reports with fuels missing here and there, against what a table of plain numbers says. */
static void test_random(void **state)
{
	static const struct {
		const char *code;
		int grams;
		bool renewable, low_carbon;
	} fuels[] = { { "NG", 394, false, false },
		      { "COL", 937, false, false },
		      { "NUC", 0, false, true },
		      { "WND", 0, true, true },
		      { "WAT", 0, true, true } };
	uint64_t seed = 7;

	(void)state;
	for (int round = 0; round < 200; round++) {
		struct grid_answer a = answer_of_a_day();
		struct grid_generation g _cleanup_(grid_generation_release);
		double mw[HOURS][ARRAY_LEN(fuels)];
		bool has[HOURS][ARRAY_LEN(fuels)];
		int n[ARRAY_LEN(fuels)] = { 0 }, times = 0;

		grid_generation_init(&g, &a, HOUR_MS);
		for (int h = 0; h < HOURS; h++) {
			bool any = false;

			for (size_t f = 0; f < ARRAY_LEN(fuels); f++) {
				has[h][f] = rand_next(&seed) % 100 < (f == 4 ? 40 : 92);
				mw[h][f] = 1 + (double)(rand_next(&seed) % 20000);
				if (!has[h][f])
					continue;
				any = true;
				n[f]++;
				grid_generation_add(&g, &a, at(FROM) + h * HOUR_MS, HOUR_MS, str_from(fuels[f].code),
						    mw[h][f]);
			}
			times += any;
		}
		grid_generation_put(&g, &a, "X");
		for (int h = 0; h < HOURS; h++) {
			const struct grid_series *s = grid_answer_series(&a, GRID_CARBON, "X");
			double sum = 0, grams = 0;
			int32_t got = s ? s->value[2 * h] : GRID_UNKNOWN;
			int present = 0;
			bool whole = true;

			for (size_t f = 0; f < ARRAY_LEN(fuels); f++) {
				present += has[h][f];
				whole = whole && (has[h][f] || 2 * n[f] < times);
				sum += has[h][f] ? mw[h][f] : 0;
				grams += has[h][f] ? mw[h][f] * fuels[f].grams : 0;
			}
			if (whole && present >= 3)
				assert_true(fabs(got - grams / sum * 1000) <= 1);
			else
				assert_int_equal(got, GRID_UNKNOWN);
		}
		grid_answer_release(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_left_out),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
