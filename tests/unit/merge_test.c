/* SPDX-License-Identifier: Apache-2.0 */
/* Merging: a worse answer never takes away what a better one gave. */
#include "grid_fixture.h"
#include "grid/merge.h"

#define NOW_TEXT "2026-05-06T09:10Z"

static struct grid_series answer(const char *issued, const char *start, int n, const int32_t *values,
				 enum grid_kind kind)
{
	struct grid_series s = { .metric = GRID_CARBON, .issued_ms = at(issued), .start_ms = at(start), .n = n };

	for (int i = 0; i < n; i++) {
		s.value[i] = values[i];
		s.kind[i] = (uint8_t)kind;
	}
	return s;
}

static int32_t value(const struct grid_track *t, const char *when)
{
	return grid_series_at(&t->s, at(when));
}

static void test_better_stays(void **state)
{
	const int32_t good[] = { 100, 200, 300, 400 };
	const int32_t few[] = { 111, GRID_UNKNOWN, GRID_UNKNOWN, GRID_UNKNOWN },
		      gap[] = { 112, GRID_UNKNOWN, 312, 412 };
	const int32_t old[] = { 9, 9, 9, 9 }, none[] = { GRID_UNKNOWN, GRID_UNKNOWN };
	struct grid_series s = answer("2026-05-06T09:00Z", "2026-05-06T09:00Z", 4, good, GRID_KIND_FORECAST);
	struct grid_track t;
	int changed;

	(void)state;
	grid_track_init(&t, GRID_CARBON, "13");
	assert_false(grid_track_is_usable(&t, at(NOW_TEXT)));
	assert_int_equal(grid_track_merge(&t, &s, at(NOW_TEXT), at(NOW_TEXT), &changed), GRID_MERGED);
	assert_int_equal(changed, 4);
	assert_true(grid_track_is_usable(&t, at(NOW_TEXT)));
	assert_int_equal(grid_series_horizon_ms(&t.s, at(NOW_TEXT)), at("2026-05-06T11:00Z"));

	/* The same again is no change. */
	assert_int_equal(grid_track_merge(&t, &s, at(NOW_TEXT), at(NOW_TEXT), &changed), GRID_MERGED);
	assert_int_equal(changed, 0);
	/* Older: nothing of the future. */
	s = answer("2026-05-06T08:30Z", "2026-05-06T09:00Z", 4, old, GRID_KIND_FORECAST);
	assert_int_equal(grid_track_merge(&t, &s, at(NOW_TEXT), at(NOW_TEXT), &changed), GRID_OLDER);
	assert_int_equal(changed, 0);
	assert_int_equal(t.s.issued_ms, at("2026-05-06T09:00Z"));
	/* Nothing at all. */
	s = answer("2026-05-06T09:30Z", "2026-05-06T09:00Z", 2, none, GRID_KIND_FORECAST);
	assert_int_equal(grid_track_merge(&t, &s, at(NOW_TEXT), at(NOW_TEXT), &changed), GRID_NOTHING);
	assert_int_equal(value(&t, "2026-05-06T09:00Z"), 100);
	assert_int_equal(t.s.issued_ms, at("2026-05-06T09:00Z"));
	/* Newer but shorter: what it has is taken, the rest stays. */
	s = answer("2026-05-06T09:30Z", "2026-05-06T09:00Z", 4, few, GRID_KIND_FORECAST);
	assert_int_equal(grid_track_merge(&t, &s, at(NOW_TEXT), at(NOW_TEXT), &changed), GRID_MERGED_PARTLY);
	assert_int_equal(value(&t, "2026-05-06T09:00Z"), 111);
	assert_int_equal(value(&t, "2026-05-06T10:30Z"), 400);
	/* A gap is filled from the earlier issue. */
	s = answer("2026-05-06T10:00Z", "2026-05-06T09:00Z", 4, gap, GRID_KIND_FORECAST);
	assert_int_equal(grid_track_merge(&t, &s, at(NOW_TEXT), at(NOW_TEXT), &changed), GRID_MERGED_PARTLY);
	assert_int_equal(value(&t, "2026-05-06T09:30Z"), 200);
	assert_int_equal(value(&t, "2026-05-06T10:00Z"), 312);
}

/* What newer issues leave out ends after six hours; published prices stay. */
static void test_expiry(void **state)
{
	const int32_t good[] = { 100, 200 }, few[] = { 111 };

	(void)state;
	for (int price = 0; price < 2; price++) {
		struct grid_series s = answer("2026-05-06T09:00Z", "2026-05-06T20:00Z", 2, good, GRID_KIND_FORECAST);
		struct grid_track t;
		int changed;

		grid_track_init(&t, price ? GRID_PRICE : GRID_CARBON, "13");
		(void)grid_track_merge(&t, &s, at(NOW_TEXT), at(NOW_TEXT), &changed);
		s = answer("2026-05-06T15:00Z", "2026-05-06T20:00Z", 1, few, GRID_KIND_FORECAST);
		(void)grid_track_merge(&t, &s, at("2026-05-06T15:10Z"), at(NOW_TEXT), &changed);
		assert_int_equal(value(&t, "2026-05-06T20:30Z"), 200);
		s = answer("2026-05-06T15:30Z", "2026-05-06T20:00Z", 1, few, GRID_KIND_FORECAST);
		(void)grid_track_merge(&t, &s, at("2026-05-06T15:40Z"), at(NOW_TEXT), &changed);
		assert_int_equal(value(&t, "2026-05-06T20:00Z"), 111);
		assert_int_equal(value(&t, "2026-05-06T20:30Z"), price ? 200 : GRID_UNKNOWN);
	}
}

/* Actual over estimate over forecast, whichever came last; of the same kind the later word counts. */
static void test_past(void **state)
{
	const int32_t f[] = { 100 }, e[] = { 120 }, a[] = { 130 }, b[] = { 131 };
	struct grid_series s = answer("2026-05-06T08:00Z", "2026-05-06T08:00Z", 1, f, GRID_KIND_FORECAST);
	struct grid_track t;
	int changed;

	(void)state;
	grid_track_init(&t, GRID_CARBON, "national");
	(void)grid_track_merge(&t, &s, at("2026-05-06T08:10Z"), at(NOW_TEXT), &changed);
	s = answer("2026-05-06T09:00Z", "2026-05-06T08:00Z", 1, e, GRID_KIND_ESTIMATED);
	(void)grid_track_merge(&t, &s, at(NOW_TEXT), at(NOW_TEXT), &changed);
	assert_int_equal(value(&t, "2026-05-06T08:00Z"), 120);
	s = answer("2026-05-06T09:00Z", "2026-05-06T08:00Z", 1, a, GRID_KIND_ACTUAL);
	(void)grid_track_merge(&t, &s, at(NOW_TEXT), at(NOW_TEXT), &changed);
	s = answer("2026-05-06T09:30Z", "2026-05-06T08:00Z", 1, e, GRID_KIND_ESTIMATED);
	(void)grid_track_merge(&t, &s, at(NOW_TEXT), at(NOW_TEXT), &changed);
	assert_int_equal(value(&t, "2026-05-06T08:00Z"), 130);
	s = answer("2026-05-06T09:30Z", "2026-05-06T08:00Z", 1, b, GRID_KIND_ACTUAL);
	(void)grid_track_merge(&t, &s, at(NOW_TEXT), at(NOW_TEXT), &changed);
	assert_int_equal(value(&t, "2026-05-06T08:00Z"), 131);
	assert_int_equal(changed, 1);
	/* An answer about the past only does not make the forecast newer. */
	assert_int_equal(t.s.issued_ms, at("2026-05-06T08:00Z"));
}

static void test_window(void **state)
{
	const int32_t v[] = { 100, 200 };
	struct grid_series s = answer("2026-05-06T09:00Z", "2026-05-06T09:00Z", 2, v, GRID_KIND_FORECAST);
	struct grid_track t;
	int changed;

	(void)state;
	grid_track_init(&t, GRID_CARBON, "13");
	(void)grid_track_merge(&t, &s, at(NOW_TEXT), at(NOW_TEXT), &changed);
	grid_track_advance(&t, at("2026-05-08T09:40Z"));
	assert_int_equal(value(&t, "2026-05-06T09:00Z"), GRID_UNKNOWN);
	assert_int_equal(value(&t, "2026-05-06T09:30Z"), 200);
	assert_false(grid_track_is_usable(&t, at("2026-05-08T09:40Z")));
	grid_track_advance(&t, at("2026-05-08T08:00Z"));
	assert_int_equal(value(&t, "2026-05-06T09:30Z"), 200);
	grid_track_advance(&t, at("2027-05-08T09:40Z"));
	assert_int_equal(value(&t, "2026-05-06T09:30Z"), GRID_UNKNOWN);
	grid_track_advance(&t, at("2126-05-08T09:40Z"));
}

static void test_age(void **state)
{
	const int32_t v[] = { 100, 200 };
	struct grid_series s = answer("2026-05-06T09:00Z", "2026-05-06T15:00Z", 2, v, GRID_KIND_FORECAST);
	struct grid_track t;
	int changed;

	(void)state;
	grid_track_init(&t, GRID_CARBON, "13");
	(void)grid_track_merge(&t, &s, at(NOW_TEXT), at(NOW_TEXT), &changed);
	assert_true(grid_track_is_usable(&t, at("2026-05-06T15:00Z")));
	assert_false(grid_track_is_usable(&t, at("2026-05-06T15:01Z")));
}

/* An older issue fills what is unknown and replaces nothing; holes between what is known are counted. */
static void test_older_fills(void **state)
{
	const int32_t near[] = { 100, 200 }, far[] = { 11, 22, 33, 44 };
	struct grid_series s = answer("2026-05-06T09:00Z", "2026-05-06T09:00Z", 2, near, GRID_KIND_FORECAST);
	struct grid_track t;
	int changed;

	(void)state;
	grid_track_init(&t, GRID_DEMAND, "GB");
	(void)grid_track_merge(&t, &s, at(NOW_TEXT), at(NOW_TEXT), &changed);
	assert_int_equal(grid_track_gaps(&t, at(NOW_TEXT)), 0);
	s = answer("2026-05-05T15:00Z", "2026-05-06T09:30Z", 4, far, GRID_KIND_FORECAST);
	assert_int_equal(grid_track_merge(&t, &s, at(NOW_TEXT), at(NOW_TEXT), &changed), GRID_OLDER);
	assert_int_equal(changed, 3);
	assert_int_equal(value(&t, "2026-05-06T09:30Z"), 200);
	assert_int_equal(value(&t, "2026-05-06T11:00Z"), 44);
	assert_int_equal(t.s.issued_ms, at("2026-05-06T09:00Z"));
	s = answer("2026-05-06T09:00Z", "2026-05-06T14:00Z", 2, near, GRID_KIND_FORECAST);
	(void)grid_track_merge(&t, &s, at(NOW_TEXT), at(NOW_TEXT), &changed);
	assert_int_equal(grid_track_gaps(&t, at("2026-05-06T09:00Z")), 5);
	assert_int_equal(grid_track_gaps(&t, at("2026-05-06T12:00Z")), 0); /* nothing known before it there */
	/* Demand may be older than carbon. */
	assert_true(grid_track_is_usable(&t, at("2026-05-06T14:50Z")));
	/* What only tells of the past is as new as its last word. */
	grid_track_init(&t, GRID_SYSTEM_PRICE, "GB");
	for (int i = 0; i < 2; i++) {
		s = answer(i ? "2026-05-06T09:00Z" : "2026-05-06T08:30Z", "2026-05-06T08:00Z", 2, near,
			   GRID_KIND_ACTUAL);
		(void)grid_track_merge(&t, &s, at(NOW_TEXT), at(NOW_TEXT), &changed);
		assert_int_equal(t.s.issued_ms, s.issued_ms);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_better_stays), cmocka_unit_test(test_expiry), cmocka_unit_test(test_past),
		cmocka_unit_test(test_window),       cmocka_unit_test(test_age),    cmocka_unit_test(test_older_fills),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
