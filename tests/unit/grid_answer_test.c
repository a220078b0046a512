/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer's points come to: slots of other lengths, outliers, flat lines, and answers that are not believed. */
#include "grid_fixture.h"

#include "base/rand.h"

#define FROM_TEXT "2026-05-06T00:00Z"
#define SLOTS 96

static void begin(struct grid_answer *a)
{
	grid_answer_init(a, at(FROM_TEXT), at(FROM_TEXT) + SLOTS * SLOT_MS, at(FROM_TEXT));
}

static void put(struct grid_answer *a, enum grid_metric m, int slot, int32_t value)
{
	grid_answer_put(a, m, "z", at(FROM_TEXT) + slot * SLOT_MS, value, GRID_KIND_FORECAST);
}

static int32_t value(const struct grid_answer *a, enum grid_metric m, int slot)
{
	const struct grid_series *s = grid_answer_series(a, m, "z");

	return s ? grid_series_at(s, at(FROM_TEXT) + slot * SLOT_MS) : GRID_UNKNOWN;
}

/* A day that looks like one: no two slots alike. */
static int32_t carbon(int slot)
{
	return 150000 + 60000 * abs(slot % 48 - 24) / 24 + 100 * (slot % 7);
}

/* Five minutes, hours, quarters of a minute, in any order and twice: the mean over time, or nothing. */
static void test_lengths(void **state)
{
	int64_t start = at(FROM_TEXT);
	struct grid_answer a;

	(void)state;
	begin(&a);
	for (int i = 5; i >= 0; i--) /* newest first */
		grid_answer_put_span(&a, GRID_DEMAND, "z", start + i * 5 * MINUTE_MS, 5 * MINUTE_MS, 100 * i,
				     GRID_KIND_FORECAST);
	grid_answer_put_span(&a, GRID_DEMAND, "z", start, 5 * MINUTE_MS, 9999, GRID_KIND_FORECAST);
	/* Half of the next slot, a third of the one after it. */
	for (int i = 0; i < 3; i++)
		grid_answer_put_span(&a, GRID_DEMAND, "z", start + SLOT_MS + i * 5 * MINUTE_MS, 5 * MINUTE_MS, 61,
				     GRID_KIND_ACTUAL);
	for (int i = 0; i < 2; i++)
		grid_answer_put_span(&a, GRID_DEMAND, "z", start + 2 * SLOT_MS + i * 5 * MINUTE_MS, 5 * MINUTE_MS, 61,
				     GRID_KIND_ACTUAL);
	/* The same five minutes over and over are no half hour. */
	for (int i = 0; i < 6; i++)
		grid_answer_put_span(&a, GRID_DEMAND, "z", start + 3 * SLOT_MS, 5 * MINUTE_MS, 61, GRID_KIND_ACTUAL);
	grid_answer_put_span(&a, GRID_DEMAND, "z", start + 4 * SLOT_MS, HOUR_MS, 70, GRID_KIND_FORECAST);
	/* Across a border, and no length at all. */
	grid_answer_put_span(&a, GRID_DEMAND, "z", start + 25 * MINUTE_MS, 10 * MINUTE_MS, 1, GRID_KIND_FORECAST);
	grid_answer_put_span(&a, GRID_DEMAND, "z", start + 6 * SLOT_MS, 0, 1, GRID_KIND_FORECAST);
	grid_answer_put_span(&a, GRID_DEMAND, "z", start + 6 * SLOT_MS + 1, SLOT_MS, 1, GRID_KIND_FORECAST);
	for (int i = 0; i < 120; i++)
		grid_answer_put_span(&a, GRID_FREQUENCY, "z", start + i * 15 * SECOND_MS, 15 * SECOND_MS, 49900 + i,
				     GRID_KIND_ACTUAL);
	grid_answer_finish(&a, false);
	assert_int_equal(value(&a, GRID_DEMAND, 0), 250);
	assert_int_equal(value(&a, GRID_DEMAND, 1), 61);
	assert_int_equal(value(&a, GRID_DEMAND, 2), GRID_UNKNOWN);
	assert_int_equal(value(&a, GRID_DEMAND, 3), GRID_UNKNOWN);
	assert_int_equal(value(&a, GRID_DEMAND, 4), 70);
	assert_int_equal(value(&a, GRID_DEMAND, 5), 70);
	assert_int_equal(value(&a, GRID_FREQUENCY, 0), 49960); /* 49959.5 */
	assert_int_equal(grid_answer_series(&a, GRID_DEMAND, "z")->flags[1], GRID_FLAG_RESAMPLED | GRID_FLAG_PARTIAL);
	assert_int_equal(grid_answer_series(&a, GRID_DEMAND, "z")->flags[4], GRID_FLAG_RESAMPLED);
	assert_int_equal(a.dropped[GRID_DROP_DUPLICATE], 6);
	assert_int_equal(a.dropped[GRID_DROP_STEP], 5);
	grid_answer_release(&a);
}

/* One wild point goes, the others stay; a real event of two half hours is none; few points show nothing. */
static void test_outliers(void **state)
{
	struct grid_answer a;

	(void)state;
	begin(&a);
	for (int i = 0; i < SLOTS; i++)
		put(&a, GRID_CARBON, i, i == 40 ? 1400000 : i == 60 || i == 61 ? 1400001 + i : carbon(i));
	for (int i = 0; i < 20; i++)
		put(&a, GRID_DEMAND, i, i == 7 ? 900000 : 30000 + i);
	/* Prices do that. */
	for (int i = 0; i < SLOTS; i++)
		put(&a, GRID_PRICE, i, i == 7 ? 5000000 : 200000 + i);
	grid_answer_finish(&a, false);
	assert_int_equal(value(&a, GRID_CARBON, 40), GRID_UNKNOWN);
	assert_int_equal(value(&a, GRID_CARBON, 39), carbon(39));
	assert_int_equal(value(&a, GRID_CARBON, 60), 1400061);
	assert_int_equal(value(&a, GRID_DEMAND, 7), 900000);
	assert_int_equal(value(&a, GRID_PRICE, 7), 5000000);
	assert_int_equal(a.dropped[GRID_DROP_OUTLIER], 1);
	assert_int_equal(a.points, 2 * SLOTS - 1 + 20);
	grid_answer_release(&a);
}

/* Six hours of one value are a slip, but not in hours, not at nothing or next to it, and not where it is their nature.
 */
static void test_flat(void **state)
{
	struct grid_answer a;

	(void)state;
	for (int nature = 0; nature < 2; nature++) {
		begin(&a);
		for (int i = 0; i < SLOTS; i++)
			put(&a, GRID_CARBON, i, i >= 10 && i < 22 ? 141000 : i >= 30 && i < 41 ? 142000 : carbon(i));
		for (int i = 0; i < SLOTS; i++)
			put(&a, GRID_WIND, i, i < 30 ? 0 : i < 60 ? 5 * i : 7000);
		grid_answer_finish(&a, nature);
		for (int i = 10; i < 22; i++)
			assert_int_equal(value(&a, GRID_CARBON, i), nature ? 141000 : GRID_UNKNOWN);
		assert_int_equal(value(&a, GRID_CARBON, 9), carbon(9));
		assert_int_equal(value(&a, GRID_CARBON, 35), 142000);
		assert_int_equal(value(&a, GRID_WIND, 5), 0);
		assert_int_equal(value(&a, GRID_WIND, 70), nature ? 7000 : GRID_UNKNOWN);
		assert_int_equal(a.dropped[GRID_DROP_FLAT], nature ? 0 : 12 + 36);
		grid_answer_release(&a);
	}
	begin(&a);
	for (int i = 0; i < 20; i++)
		put(&a, GRID_CARBON, i, 4000);
	for (int i = 0; i < 11; i++)
		grid_answer_put_span(&a, GRID_CARBON, "hours", at(FROM_TEXT) + i * HOUR_MS, HOUR_MS, 50000,
				     GRID_KIND_FORECAST);
	grid_answer_finish(&a, false);
	assert_int_equal(a.dropped[GRID_DROP_FLAT], 0);
	grid_answer_release(&a);
}

static int accept(struct grid_answer *a, int parsed, struct error *err)
{
	*err = (struct error)ERROR_INIT;
	if (parsed)
		(void)error_set(err, ERR_INVALID, "as parsed");
	grid_answer_finish(a, false);
	return grid_answer_accept(a, parsed, err);
}

/* A service that ignores our parameters; one that sends more than was asked for is fine. */
static void test_accept(void **state)
{
	struct grid_answer a;
	struct error err;

	(void)state;
	/* All of it last week, or all but its last slots. */
	for (int left = 0; left < 12; left++) {
		begin(&a);
		for (int i = 0; i < SLOTS; i++)
			put(&a, GRID_CARBON, i - SLOTS + left, carbon(i));
		assert_int_equal(accept(&a, 0, &err), left < 10 ? -1 : 0);
		if (left < 10) {
			assert_non_null(strstr(err.msg, "another time"));
			assert_int_equal(a.points, 0);
			assert_int_equal(a.series.len, 0);
		}
		grid_answer_release(&a);
	}
	/* What was asked for and a year besides. */
	begin(&a);
	for (int i = -1000; i < SLOTS; i++)
		put(&a, GRID_CARBON, i, carbon(i + 1008));
	assert_int_equal(accept(&a, 0, &err), 0);
	assert_int_equal(a.points, SLOTS);
	grid_answer_release(&a);
	/* A short horizon is an answer all the same; what the parser refuses stays refused, and what it holds stays. */
	begin(&a);
	put(&a, GRID_CARBON, 3, 100000);
	assert_int_equal(accept(&a, 0, &err), 0);
	assert_int_equal(grid_answer_accept(&a, -1, &err), -1);
	assert_int_equal(a.points, 1);
	grid_answer_release(&a);
	/* A flat line from end to end says so. */
	begin(&a);
	for (int i = 0; i < SLOTS; i++)
		put(&a, GRID_CARBON, i, 141000);
	assert_int_equal(accept(&a, 0, &err), -1);
	assert_string_equal(err.msg, "nothing in the answer can be used: 96 points dropped, 96 of them flat");
	grid_answer_release(&a);
	/* A login has no points, only a note; and nothing at all is the parser's to judge. */
	begin(&a);
	assert_true(grid_answer_note(&a, "token", STR("x"), TIME_NONE));
	assert_int_equal(accept(&a, 0, &err), 0);
	assert_int_equal(accept(&a, -1, &err), -1);
	assert_string_equal(err.msg, "as parsed");
	grid_answer_release(&a);
}

/* Any points at all: what is kept is in bounds and in the span, and the books balance. */
static void test_random(void **state)
{
	uint64_t seed = 3;

	(void)state;
	for (int round = 0; round < 200; round++) {
		struct grid_answer a;
		struct error err;
		int known = 0;

		begin(&a);
		for (int i = 0; i < 300; i++) {
			enum grid_metric m = (enum grid_metric)(rand_next(&seed) % GRID_METRICS);
			int64_t ms = at(FROM_TEXT) - DAY_MS + (int64_t)(rand_next(&seed) % (uint64_t)(4 * DAY_MS));
			int64_t step = (int64_t)(rand_next(&seed) % 4) * 15 * MINUTE_MS;

			if (rand_next(&seed) % 2)
				ms = time_slot_floor(ms, 15 * MINUTE_MS);
			grid_answer_put_span(&a, m, rand_next(&seed) % 3 ? "z" : "y", ms, step,
					     (int32_t)rand_next(&seed) >> (rand_next(&seed) % 20), GRID_KIND_ACTUAL);
		}
		(void)accept(&a, 0, &err);
		for (size_t i = 0; i < a.series.len; i++)
			for (int k = 0; k < a.series.ptr[i]->n; k++)
				known += a.series.ptr[i]->value[k] != GRID_UNKNOWN;
		assert_int_equal(known, a.points);
		grid_answer_release(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lengths), cmocka_unit_test(test_outliers), cmocka_unit_test(test_flat),
		cmocka_unit_test(test_accept),  cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
