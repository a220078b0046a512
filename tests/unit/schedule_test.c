/* SPDX-License-Identifier: Apache-2.0 */
/* Budgets, circuit breakers and delays, against what they promise rather than how they do it. */
#include "grid_fixture.h"

#include "base/rand.h"
#include "grid/schedule.h"

#define NOW INT64_C(1700000000000)

/* Whatever is asked and when, never more than N in any span of T; and nothing is held back for no reason. */
static void test_budget(void **state)
{
	static const struct {
		int requests;
		int64_t span_ms;
	} cases[] = { { 2, MINUTE_MS }, { 1, SECOND_MS }, { 60, MINUTE_MS }, { 64, HOUR_MS }, { 400, MINUTE_MS } };
	uint64_t seed = 1;

	(void)state;
	for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
		int64_t now = NOW, went[4000];
		struct grid_budget b;
		int n = 0;

		grid_budget_init(&b, cases[c].requests, cases[c].span_ms);
		assert_true(grid_budget_left(&b, now) >= 1);
		while (n < 4000) {
			int in_span = 1;

			if (grid_budget_free_ms(&b, now) <= now) {
				assert_true(grid_budget_left(&b, now) > 0);
				grid_budget_take(&b, now);
				went[n++] = now;
				for (int i = n - 2; i >= 0 && went[i] > now - cases[c].span_ms; i--)
					in_span++;
				assert_true(in_span <= cases[c].requests);
			} else {
				assert_int_equal(grid_budget_left(&b, now), 0);
				assert_true(grid_budget_free_ms(&b, now) <= now + cases[c].span_ms);
			}
			/* Now at once again, now at the moment it says, now some time later. */
			if (rand_next(&seed) % 3 == 0)
				now = MAX(now, grid_budget_free_ms(&b, now));
			else if (rand_next(&seed) % 5 == 0)
				now += (int64_t)(rand_next(&seed) % (uint64_t)cases[c].span_ms);
		}
		/* A busy asker gets what is promised: the mean rate is at least nine tenths of the budget's. */
		grid_budget_init(&b, cases[c].requests, cases[c].span_ms);
		now = NOW;
		for (n = 0; n < 2000; n++) {
			now = MAX(now, grid_budget_free_ms(&b, now));
			grid_budget_take(&b, now);
		}
		assert_true((double)(now - NOW) / (double)cases[c].span_ms <= 2000.0 / cases[c].requests / 0.9);
	}
}

static void test_budget_clock_back(void **state)
{
	struct grid_budget b;

	(void)state;
	grid_budget_init(&b, 1, MINUTE_MS);
	grid_budget_take(&b, NOW);
	assert_int_equal(grid_budget_free_ms(&b, NOW + 1), NOW + MINUTE_MS);
	assert_int_equal(grid_budget_left(&b, NOW + MINUTE_MS), 1);
	/* An hour back: not an hour's wait. */
	assert_true(grid_budget_free_ms(&b, NOW - HOUR_MS) <= NOW - HOUR_MS);
}

static void fail_times(struct grid_breaker *b, int n, int64_t now)
{
	for (int i = 0; i < n; i++) {
		grid_breaker_asked(b);
		assert_false(grid_breaker_answered(b, false, now, 0));
	}
}

static void test_breaker(void **state)
{
	struct grid_breaker b = { 0 };
	int64_t now = NOW, wait = GRID_BREAKER_FIRST_MS;

	(void)state;
	/* One good answer between failures keeps it closed for ever. */
	for (int i = 0; i < 100; i++) {
		fail_times(&b, GRID_BREAKER_FAILURES - 1, now);
		assert_false(grid_breaker_answered(&b, true, now, 0));
		assert_int_equal(grid_breaker_state(&b, now), GRID_CIRCUIT_CLOSED);
	}
	fail_times(&b, GRID_BREAKER_FAILURES, now);
	assert_int_equal(grid_breaker_state(&b, now), GRID_CIRCUIT_OPEN);
	assert_false(grid_breaker_admits(&b, now));
	/* What was under way when it opened changes nothing. */
	assert_false(grid_breaker_answered(&b, false, now, 0));
	assert_int_equal(b.until_ms, now + wait);
	for (int i = 0; i < 12; i++) {
		assert_false(grid_breaker_admits(&b, now + wait - 1));
		now += wait;
		assert_int_equal(grid_breaker_state(&b, now), GRID_CIRCUIT_HALF_OPEN);
		assert_true(grid_breaker_admits(&b, now));
		grid_breaker_asked(&b);
		/* One probe at a time. */
		assert_false(grid_breaker_admits(&b, now + HOUR_MS));
		assert_false(grid_breaker_answered(&b, false, now, 0));
		wait = MIN(2 * wait, GRID_BREAKER_LAST_MS);
		assert_int_equal(b.until_ms, now + wait);
	}
	now += wait;
	grid_breaker_asked(&b);
	assert_true(grid_breaker_answered(&b, true, now, 0));
	assert_int_equal(grid_breaker_state(&b, now), GRID_CIRCUIT_CLOSED);
	/* As new: five more, and the first wait again, with its jitter. */
	fail_times(&b, GRID_BREAKER_FAILURES - 1, now);
	assert_true(grid_breaker_admits(&b, now));
	grid_breaker_asked(&b);
	assert_false(grid_breaker_answered(&b, false, now, 0.999));
	assert_in_range(b.until_ms - now, GRID_BREAKER_FIRST_MS, GRID_BREAKER_FIRST_MS * 6 / 5);
	/* An answer from before it opened, and good: it is alive. */
	assert_true(grid_breaker_answered(&b, true, now, 0));
	assert_string_equal(grid_circuit_name(GRID_CIRCUIT_HALF_OPEN), "half-open");
}

static void test_backoff(void **state)
{
	static const int64_t caps_s[] = { 30, 60, 120, 240, 480, 960, 1800, 1800, 1800 };

	(void)state;
	for (int n = 1; n <= (int)ARRAY_LEN(caps_s); n++) {
		assert_int_equal(grid_backoff_ms(GRID_NO_ANSWER, n, 0), 1);
		assert_in_range(grid_backoff_ms(GRID_NO_ANSWER, n, 0.9999), caps_s[n - 1] * 999, caps_s[n - 1] * 1000);
		for (int j = 0; j < 10; j++) {
			int64_t ms = grid_backoff_ms(GRID_BAD_ANSWER, n, j / 10.0);

			assert_in_range(ms, GRID_NEGATIVE_MIN_MS, n < 5 ? GRID_NEGATIVE_MAX_MS : GRID_BACKOFF_LAST_MS);
		}
	}
	assert_in_range(grid_backoff_ms(GRID_BAD_ANSWER, 1000000, 0.5), 14 * MINUTE_MS, 16 * MINUTE_MS);
}

static void test_heal(void **state)
{
	int64_t due = NOW + 2 * HOUR_MS, last = 0;

	(void)state;
	assert_int_equal(grid_heal_ms(1, NOW, due), NOW + GRID_HEAL_FIRST_MS);
	assert_int_equal(grid_heal_ms(2, NOW, due), NOW + 2 * GRID_HEAL_FIRST_MS);
	for (int n = 1; n < 100; n++) {
		int64_t at_ms = grid_heal_ms(n, NOW, due);

		assert_true(at_ms >= last && at_ms <= due);
		last = at_ms;
	}
	/* No later than the usual poll, and that is what it comes to. */
	assert_int_equal(last, due);
	assert_int_equal(grid_heal_ms(1, NOW, NOW + MINUTE_MS), NOW + MINUTE_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_budget),  cmocka_unit_test(test_budget_clock_back),
		cmocka_unit_test(test_breaker), cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_heal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
