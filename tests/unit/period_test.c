/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grid/period.h against an independent walk: every half hour of twenty years, with the local calendar as the C
 * library's localtime_r() shows it (its own reader of tzdata, not ours).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <time.h>

#include "grid/period.h"

#define FIRST "2020-01-01T00:00Z"
#define LAST "2041-01-01T00:00Z"

static int64_t at(const char *text)
{
	int64_t ms = 0;

	assert_true(time_parse(str_from(text), &ms));
	return ms;
}

static struct tz *load(const char *name)
{
	struct error err = ERROR_INIT;
	struct tz *tz = NULL;

	if (tz_load(name, &tz, &err))
		fail_msg("%s", err.msg);
	return tz;
}

static struct tm shown(int64_t ms)
{
	time_t t = (time_t)(ms / 1000);
	struct tm tm;

	assert_non_null(localtime_r(&t, &tm));
	return tm;
}

static int64_t day_shown(const struct tm *tm)
{
	return time_days_from_civil(tm->tm_year + 1900, tm->tm_mon + 1, tm->tm_mday);
}

static int64_t day_of(const char *date)
{
	int64_t day = 0;

	assert_true(grid_date_parse(str_from(date), &day));
	return day;
}

/* Counts of days by length, and the checks of one day. */
struct walk {
	const struct tz *tz;
	int64_t step_ms, day, start_ms;
	int periods, days, shortest, longest;
};

static void end_day(struct walk *w)
{
	int64_t ms;

	assert_int_equal(grid_day_periods(w->tz, w->day, w->step_ms), w->periods);
	assert_int_equal(grid_day_start_ms(w->tz, w->day), w->start_ms);
	assert_false(grid_period_start_ms(w->tz, w->day, 0, w->step_ms, &ms));
	assert_false(grid_period_start_ms(w->tz, w->day, w->periods + 1, w->step_ms, &ms));
	w->days++;
	w->shortest += w->periods < DAY_MS / w->step_ms;
	w->longest += w->periods > DAY_MS / w->step_ms;
}

static void walk_zone(const char *name, int64_t step_ms, int short_periods, int long_periods)
{
	_cleanup_(cleanup_tz) struct tz *tz = load(name);
	struct walk w = { .tz = tz, .step_ms = step_ms, .day = -1 };
	int64_t last = at(LAST), ms;

	setenv("TZ", name, 1);
	tzset();
	for (int64_t t = at(FIRST); t < last; t += step_ms) {
		struct tm tm = shown(t);
		int64_t day = day_shown(&tm), got_day;
		int got_period;

		if (day != w.day) {
			if (w.days || w.day != -1) {
				/* The first day is cut by where the walk begins. */
				if (w.start_ms != TIME_NONE)
					end_day(&w);
				if (w.periods != DAY_MS / step_ms && w.start_ms != TIME_NONE)
					assert_true(w.periods == short_periods || w.periods == long_periods);
			}
			w.start_ms = w.day == -1 ? TIME_NONE : t;
			w.day = day;
			w.periods = 0;
		}
		w.periods++;
		if (w.start_ms == TIME_NONE)
			continue;
		grid_period_of(tz, t, step_ms, &got_day, &got_period);
		assert_int_equal(got_day, day);
		assert_int_equal(got_period, w.periods);
		assert_int_equal(grid_day_of(tz, t + step_ms - 1), day);
		assert_true(grid_period_start_ms(tz, day, w.periods, step_ms, &ms));
		assert_int_equal(ms, t);
	}
	print_message("%s: %d whole days, %d short, %d long\n", name, w.days, w.shortest, w.longest);
	assert_true(w.days >= 7669);
	assert_int_equal(w.shortest, short_periods ? 21 : 0);
	assert_int_equal(w.longest, long_periods ? 21 : 0);
	unsetenv("TZ");
	tzset();
}

static void every_period_of_twenty_years(void **state)
{
	(void)state;
	walk_zone("Europe/London", SLOT_MS, 46, 50);
	walk_zone("Europe/Brussels", SLOT_MS, 46, 50);
	walk_zone("America/New_York", HOUR_MS, 23, 25);
	walk_zone("Australia/Lord_Howe", SLOT_MS, 47, 49);
	walk_zone("UTC", SLOT_MS, 0, 0);
}

/* Every half hour's wall clock, as text, read back: in order, both hours of the overlap come out right. */
static void wall_clocks_in_order(void **state)
{
	static const char *const zones[] = { "Europe/London", "Europe/Berlin" };

	(void)state;
	for (size_t z = 0; z < ARRAY_LEN(zones); z++) {
		_cleanup_(cleanup_tz) struct tz *tz = load(zones[z]);
		int64_t before = TIME_NONE, last = at(LAST), twice = 0;

		setenv("TZ", zones[z], 1);
		tzset();
		for (int64_t t = at(FIRST); t < last; t += SLOT_MS) {
			struct tm tm = shown(t);
			char text[TIME_TEXT];
			int64_t ms, alone;

			assert_true(strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm));
			assert_true(grid_wall_parse(tz, str_from(text), before, &ms));
			if (ms != t)
				fail_msg("%s %s: %" PRId64 " is not %" PRId64, zones[z], text, ms, t);
			/* By itself the first of the two is meant. */
			assert_true(grid_wall_parse(tz, str_from(text), TIME_NONE, &alone));
			assert_true(alone == t || alone == t - HOUR_MS);
			twice += alone != t;
			before = t;
		}
		assert_int_equal(twice, 2 * 21);
	}
	unsetenv("TZ");
	tzset();
}

static void wall_clocks_that_clocks_skip(void **state)
{
	_cleanup_(cleanup_tz) struct tz *tz = load("Europe/London");
	int64_t ms;

	(void)state;
	/* 01:00 to 02:00 does not exist on 2026-03-29. */
	assert_true(grid_wall_parse(tz, STR("2026-03-29T01:30"), TIME_NONE, &ms));
	assert_int_equal(ms, at("2026-03-29T01:00Z"));
	assert_true(grid_wall_parse(tz, STR("2026-03-29T00:30:00"), TIME_NONE, &ms));
	assert_int_equal(ms, at("2026-03-29T00:30Z"));
	assert_true(grid_wall_parse(tz, STR("2026-03-29T02:00:00.123"), TIME_NONE, &ms));
	assert_int_equal(ms, at("2026-03-29T01:00Z"));
	/* An offset wins; no zone is UTC. */
	assert_true(grid_wall_parse(tz, STR("2026-07-01T12:00:00Z"), TIME_NONE, &ms));
	assert_int_equal(ms, at("2026-07-01T12:00Z"));
	assert_true(grid_wall_parse(tz, STR("2026-07-01T12:00:00+02:00"), TIME_NONE, &ms));
	assert_int_equal(ms, at("2026-07-01T10:00Z"));
	assert_true(grid_wall_parse(NULL, STR(" 2026-07-01T12:00:07 \r"), TIME_NONE, &ms));
	assert_int_equal(ms, at("2026-07-01T12:00:07Z"));
}

static void texts_that_are_no_times(void **state)
{
	static const char *const bad[] = {
		"",
		"2026",
		"2026-13-01T00:00",
		"2026-02-29T00:00",
		"2026-06-31T00:00",
		"2026-06-01",
		"2026-06-01T24:00",
		"2026-06-01T00:60",
		"2026-06-01T00:00:00x",
		"2026-06-01T-1:00",
		"01/06/2026",
		"2026-06-01T1:00",
		"-026-06-01T10:00",
		"2026-06-01T10:00:0",
		"1969-06-01T10:00",
	};
	static const char *const bad_dates[] = { "", "2026-06", "2026-06-1", "2026-02-30", "2026-06-01T01:00:00", "x" };
	int64_t ms = 7;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (grid_wall_parse(NULL, str_from(bad[i]), TIME_NONE, &ms))
			fail_msg("accepted: %s", bad[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad_dates); i++)
		if (grid_date_parse(str_from(bad_dates[i]), &ms))
			fail_msg("accepted: %s", bad_dates[i]);
	assert_false(grid_wall_parse(NULL, STR_NULL, TIME_NONE, &ms));
	assert_int_equal(ms, 7);
	assert_int_equal(day_of("2026-06-01T00:00:00"), day_of("2026-06-01"));
}

static void british_settlement_days(void **state)
{
	_cleanup_(cleanup_tz) struct tz *tz = load("Europe/London");
	int64_t ms;

	(void)state;
	assert_true(grid_period_start_ms(tz, day_of("2026-05-06"), 1, SLOT_MS, &ms));
	assert_int_equal(ms, at("2026-05-05T23:00Z"));
	assert_true(grid_period_start_ms(tz, day_of("2026-03-29"), 46, SLOT_MS, &ms));
	assert_int_equal(ms, at("2026-03-29T22:30Z"));
	assert_false(grid_period_start_ms(tz, day_of("2026-03-29"), 47, SLOT_MS, &ms));
	assert_true(grid_period_start_ms(tz, day_of("2026-10-25"), 50, SLOT_MS, &ms));
	assert_int_equal(ms, at("2026-10-25T23:30Z"));
	assert_false(grid_period_start_ms(tz, day_of("2026-10-25"), 51, SLOT_MS, &ms));
	/* Hour ending 3 is the hour from 02:00, counted by what has passed. */
	assert_true(grid_period_start_ms(tz, day_of("2026-01-01"), 3, HOUR_MS, &ms));
	assert_int_equal(ms, at("2026-01-01T02:00Z"));
	assert_int_equal(grid_start_of_end(at("2026-08-16T18:30Z"), SLOT_MS), at("2026-08-16T18:00Z"));
}

/* Every subset of the positions of a short day: what the spans cover is what filling forward by hand covers. */
static void sparse_series(void **state)
{
	struct grid_sparse s = { .start_ms = at("2026-03-28T23:00Z"), .step_ms = 15 * MINUTE_MS };
	enum { N = 10 };
	int64_t from, to;

	(void)state;
	s.end_ms = s.start_ms + N * s.step_ms;
	for (unsigned set = 1; set < 1u << N; set += 2) {
		int expected[N], got[N], given[N], n = 0;

		for (int i = 0, last = -1; i < N; i++) {
			if (set >> i & 1)
				given[n++] = last = i;
			expected[i] = last;
			got[i] = -1;
		}
		for (int k = 0; k < n; k++) {
			assert_true(grid_sparse_span(&s, given[k] + 1, k + 1 < n ? given[k + 1] + 1 : 0, &from, &to));
			for (int64_t t = from; t < to; t += s.step_ms)
				got[(t - s.start_ms) / s.step_ms] = given[k];
		}
		assert_memory_equal(got, expected, sizeof(got));
	}
	assert_false(grid_sparse_span(&s, 0, 0, &from, &to));
	assert_false(grid_sparse_span(&s, N + 1, 0, &from, &to));
	assert_false(grid_sparse_span(&s, 3, 3, &from, &to));
	assert_false(grid_sparse_span(&s, 3, 2, &from, &to));
	assert_false(grid_sparse_span(&s, 3, N + 1, &from, &to));
	s.end_ms++;
	assert_false(grid_sparse_span(&s, 1, 0, &from, &to));
	s.step_ms = 0;
	assert_false(grid_sparse_span(&s, 1, 0, &from, &to));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_period_of_twenty_years), cmocka_unit_test(wall_clocks_in_order),
		cmocka_unit_test(wall_clocks_that_clocks_skip), cmocka_unit_test(texts_that_are_no_times),
		cmocka_unit_test(british_settlement_days),      cmocka_unit_test(sparse_series),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
