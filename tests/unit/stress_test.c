/* SPDX-License-Identifier: Apache-2.0 */
/* Grid stress: the formula of its header worked by hand, and what is not known. */
#include "grid_fixture.h"
#include "grid/stress.h"

#define NOW_TEXT "2026-05-06T17:10Z"

/* Two days and a half around now: demand in a triangle from 20 to 40 GW over the day, its top at 17:00. */
static struct grid_series demand(int64_t now)
{
	struct grid_series s = { .metric = GRID_DEMAND,
				 .start_ms = time_slot_floor(now, SLOT_MS) - 2 * DAY_MS,
				 .n = 120 };

	for (int i = 0; i < s.n; i++) {
		int from_top = i % 48 < 24 ? i % 48 : 48 - i % 48;

		s.value[i] = 40000 - from_top * 20000 / 24;
	}
	return s;
}

static struct grid_series flat(int64_t now, int32_t value)
{
	struct grid_series s = { .start_ms = time_slot_floor(now, SLOT_MS), .n = 48 };

	for (int i = 0; i < s.n; i++)
		s.value[i] = value;
	return s;
}

static void test_stress(void **state)
{
	int64_t now = at(NOW_TEXT);
	struct grid_series d = demand(now), wide = flat(now, 12000), narrow = flat(now, 1200), none = flat(now, -500);
	struct grid_series p = flat(now, 1000), likely = flat(now, 80000), sure = flat(now, 1000000);
	enum grid_stress_cause why;

	(void)state;
	/* The top of an ordinary day; its bottom; between. */
	assert_int_equal(grid_stress_permille(&(struct grid_stress_input){ &d, NULL, NULL }, now, &why), 500);
	assert_int_equal(why, GRID_STRESS_DEMAND);
	assert_int_equal(grid_stress_permille(&(struct grid_stress_input){ &d, NULL, NULL }, now - 12 * HOUR_MS, &why),
			 0);
	assert_int_equal(grid_stress_permille(&(struct grid_stress_input){ &d, NULL, NULL }, now - 6 * HOUR_MS, &why),
			 250);
	/* 12 GW above 40 are 30 %: no more strained. 1.2 GW are 3 % of 15: 0.8. Less than nothing: 1. */
	assert_int_equal(grid_stress_permille(&(struct grid_stress_input){ &d, &wide, &p }, now, &why), 500);
	assert_int_equal(grid_stress_permille(&(struct grid_stress_input){ &d, &narrow, &p }, now, &why), 800);
	assert_int_equal(why, GRID_STRESS_MARGIN);
	assert_int_equal(grid_stress_permille(&(struct grid_stress_input){ &d, &none, &p }, now, &why), 1000);
	/* A probability of 8 % is 0.8, and counts alone too. */
	assert_int_equal(grid_stress_permille(&(struct grid_stress_input){ &d, &wide, &likely }, now, &why), 800);
	assert_int_equal(why, GRID_STRESS_LOSS_OF_LOAD);
	assert_int_equal(grid_stress_permille(&(struct grid_stress_input){ NULL, NULL, &sure }, now, &why), 1000);
	assert_string_equal(grid_stress_cause_name(why), "loss-of-load");
}

static void test_unknown(void **state)
{
	int64_t now = at(NOW_TEXT);
	struct grid_series d = demand(now), m = flat(now, 1200), same = flat(now - DAY_MS, 30000);
	enum grid_stress_cause why = GRID_STRESS_MARGIN;

	(void)state;
	assert_int_equal(grid_stress_permille(&(struct grid_stress_input){ NULL, NULL, NULL }, now, &why),
			 GRID_UNKNOWN);
	/* A margin says nothing without the demand that it is above. */
	assert_int_equal(grid_stress_permille(&(struct grid_stress_input){ NULL, &m, NULL }, now, &why), GRID_UNKNOWN);
	/* A range of one value is none, and neither is one of an hour. */
	assert_int_equal(grid_stress_permille(&(struct grid_stress_input){ &same, NULL, NULL }, now - HOUR_MS, &why),
			 GRID_UNKNOWN);
	d.n = GRID_STRESS_MIN_SLOTS - 1;
	d.start_ms = time_slot_floor(now, SLOT_MS) - (d.n - 1) * SLOT_MS;
	assert_int_equal(grid_stress_permille(&(struct grid_stress_input){ &d, NULL, NULL }, now, &why), GRID_UNKNOWN);
	/* Not known now, whatever was. */
	assert_int_equal(grid_stress_permille(&(struct grid_stress_input){ &d, &m, NULL }, now + 3 * DAY_MS, &why),
			 GRID_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_stress), cmocka_unit_test(test_unknown) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
