/* SPDX-License-Identifier: Apache-2.0 */
/* The fallback chain: which source, how far to be trusted, what fills the gaps, and what never does. */
#include "grid_fixture.h"

#include "base/rand.h"
#include "grid/chain.h"

#define NOW_TEXT "2026-05-06T09:10Z"
#define AHEAD 96

static const struct grid_provider plain = { .name = "plain" };
static const struct grid_provider last = { .name = "last", .confidence_permille = 300, .last_resort = true };

static const struct grid_basis regional = { "average", "direct", "consumption", "regional" };
static const struct grid_basis national = { "average", "direct", "consumption", "national" };

static struct grid_track *track(enum grid_metric metric, int64_t age_ms, int32_t first, int n)
{
	struct grid_series s = { .metric = metric, .issued_ms = at(NOW_TEXT) - age_ms, .n = n };
	struct grid_track *t = calloc(1, sizeof(*t));
	int changed;

	assert_non_null(t);
	s.start_ms = time_slot_floor(at(NOW_TEXT), SLOT_MS);
	for (int i = 0; i < n; i++) {
		s.value[i] = first + i;
		s.kind[i] = GRID_KIND_FORECAST;
	}
	grid_track_init(t, metric, "z");
	if (n)
		(void)grid_track_merge(t, &s, at(NOW_TEXT), at(NOW_TEXT), &changed);
	return t;
}

static struct grid_link link_of(const struct grid_provider *p, const struct grid_basis *b, struct grid_track *t)
{
	struct grid_link l = { .provider = p, .track = t, .metric = t->s.metric };

	if (b)
		l.basis = *b;
	return l;
}

static void release(struct grid_link *links, int n)
{
	for (int i = 0; i < n; i++)
		free((void *)(uintptr_t)links[i].track);
}

static struct grid_choice choose(const struct grid_link *links, int n)
{
	struct grid_choice c;

	grid_chain_choose(links, n, at(NOW_TEXT), &c);
	return c;
}

/* One step down at a time: fresh, last good, last resort, something to show, nothing. */
static void test_steps(void **state)
{
	struct grid_link links[4] = { link_of(&plain, &regional, track(GRID_CARBON, 0, 100, AHEAD)),
				      link_of(&plain, &regional, track(GRID_CARBON, HOUR_MS, 200, AHEAD)),
				      link_of(&last, &regional, track(GRID_CARBON, 0, 300, AHEAD)),
				      { 0 } };
	struct grid_choice c = choose(links, 4);

	(void)state;
	assert_int_equal(c.use, GRID_USE_FRESH);
	assert_int_equal(c.link, 0);
	assert_int_equal(c.confidence_permille, 1000);
	/* The first is late: the second goes first, and is trusted less. */
	((struct grid_track *)(uintptr_t)links[0].track)->s.issued_ms -= GRID_FRESH_MS + 1;
	c = choose(links, 4);
	assert_int_equal(c.use, GRID_USE_FRESH);
	assert_int_equal(c.link, 1);
	assert_int_equal(c.confidence_permille, 900);
	/* Both are late: the last good data, in the order of the chain, before any last resort. */
	((struct grid_track *)(uintptr_t)links[1].track)->s.issued_ms -= GRID_FRESH_MS;
	c = choose(links, 4);
	assert_int_equal(c.use, GRID_USE_LAST_GOOD);
	assert_int_equal(c.link, 0);
	assert_in_range(c.confidence_permille, 995, 1000);
	/* At the age limit half of the trust is left. */
	((struct grid_track *)(uintptr_t)links[0].track)->s.issued_ms = at(NOW_TEXT) - GRID_MAX_AGE_MS;
	c = choose(links, 4);
	assert_int_equal(c.link, 0);
	assert_int_equal(c.confidence_permille, 500);
	/* Beyond it, the other; then the last resort, whose step counts as well. */
	((struct grid_track *)(uintptr_t)links[0].track)->s.issued_ms -= 1;
	assert_int_equal(choose(links, 4).link, 1);
	((struct grid_track *)(uintptr_t)links[1].track)->s.issued_ms = at(NOW_TEXT) - DAY_MS;
	c = choose(links, 4);
	assert_int_equal(c.use, GRID_USE_LAST_RESORT);
	assert_int_equal(c.link, 2);
	assert_int_equal(c.confidence_permille, 300 * 9 / 10 * 9 / 10);
	assert_true(grid_choice_is_usable(&c));
	/* Without it there is something to show, and no confidence. */
	c = choose(links, 2);
	assert_int_equal(c.use, GRID_USE_TOO_OLD);
	assert_int_equal(c.link, 0);
	assert_int_equal(c.confidence_permille, 0);
	assert_false(grid_choice_is_usable(&c));
	c = choose(&links[3], 1);
	assert_int_equal(c.use, GRID_USE_NOTHING);
	assert_int_equal(c.link, -1);
	assert_int_equal(choose(links, 0).link, -1);
	release(links, 3);
}

/* A last resort in the first place stands in all the same, and prices do not age. */
static void test_order(void **state)
{
	struct grid_link links[2] = { link_of(&last, &regional, track(GRID_CARBON, 0, 300, AHEAD)),
				      link_of(&plain, &regional, track(GRID_CARBON, 5 * HOUR_MS, 200, AHEAD)) };
	struct grid_link price[2] = { link_of(&plain, NULL, track(GRID_PRICE, 20 * HOUR_MS, 1, AHEAD)),
				      link_of(&plain, NULL, track(GRID_WHOLESALE, 0, 2, AHEAD)) };

	(void)state;
	assert_int_equal(choose(links, 2).link, 1);
	assert_int_equal(choose(links, 1).use, GRID_USE_LAST_RESORT);
	assert_int_equal(choose(price, 2).link, 0);
	assert_int_equal(choose(price, 2).use, GRID_USE_FRESH);
	assert_int_equal(choose(price, 2).confidence_permille, 1000);
	release(links, 2);
	release(price, 2);
}

static int32_t value(const struct grid_series *s, int slot)
{
	return grid_series_at(s, time_slot_floor(at(NOW_TEXT), SLOT_MS) + slot * SLOT_MS);
}

static void test_fill(void **state)
{
	struct grid_link links[4] = { link_of(&plain, &regional, track(GRID_CARBON, 0, 100, 10)),
				      link_of(&plain, &national, track(GRID_CARBON, 0, 200, AHEAD)),
				      link_of(&last, &regional, track(GRID_CARBON, 0, 300, AHEAD)),
				      link_of(&plain, &regional, track(GRID_CARBON, HOUR_MS, 400, 20)) };
	struct grid_choice c = choose(links, 4);
	struct grid_series s;

	(void)state;
	grid_chain_series(links, 4, &c, &s);
	assert_int_equal(value(&s, 9), 109);
	/* Not from another basis, not from a last resort: from the fourth. */
	assert_int_equal(value(&s, 10), 410);
	assert_int_equal(value(&s, 19), 419);
	assert_int_equal(value(&s, 20), GRID_UNKNOWN);
	assert_int_equal(c.filled_by, 1U << 3);
	for (int i = 0; i < s.n; i++)
		assert_int_equal(!!(s.flags[i] & GRID_FLAG_FILLED), s.value[i] != GRID_UNKNOWN && s.value[i] >= 400);
	/* Nothing that is older than such data may get. */
	((struct grid_track *)(uintptr_t)links[3].track)->s.issued_ms = at(NOW_TEXT) - GRID_MAX_AGE_MS - 1;
	grid_chain_series(links, 4, &c, &s);
	assert_int_equal(value(&s, 10), GRID_UNKNOWN);
	assert_int_equal(c.filled_by, 0);
	release(links, 4);
}

/* Prices are filled from their like only: the same currency, a tariff from a tariff. */
static void test_fill_prices(void **state)
{
	struct grid_link links[3] = { link_of(&plain, NULL, track(GRID_PRICE, 0, 100, 5)),
				      link_of(&plain, NULL, track(GRID_PRICE, 0, 200, 10)),
				      link_of(&plain, NULL, track(GRID_WHOLESALE, 0, 300, 15)) };
	struct grid_choice c;
	struct grid_series s;

	(void)state;
	links[0].currency = links[2].currency = "GBP";
	links[1].currency = "EUR";
	c = choose(links, 3);
	grid_chain_series(links, 3, &c, &s);
	assert_int_equal(value(&s, 4), 104);
	assert_int_equal(value(&s, 5), GRID_UNKNOWN);
	links[1].currency = "GBP";
	grid_chain_series(links, 3, &c, &s);
	assert_int_equal(value(&s, 5), 205);
	assert_int_equal(value(&s, 10), GRID_UNKNOWN);
	release(links, 3);
}

/*
 * Any chain at all: the choice is the one that a plain reading of the header's rules gives, confidence is in its
 * bounds and never rises with age, and every filled value is that of a comparable source.
 */
static void test_random(void **state)
{
	uint64_t seed = 7;

	(void)state;
	for (int round = 0; round < 400; round++) {
		struct grid_link links[GRID_CHAIN_MAX];
		int n = 1 + (int)(rand_next(&seed) % GRID_CHAIN_MAX), want = -1;
		struct grid_choice c, later;
		struct grid_series s;

		for (int i = 0; i < n; i++)
			links[i] = link_of(rand_next(&seed) % 4 ? &plain : &last,
					   rand_next(&seed) % 2 ? &regional : &national,
					   track(GRID_CARBON, (int64_t)(rand_next(&seed) % (9 * HOUR_MS)),
						 1000 * (i + 1), (int)(rand_next(&seed) % AHEAD)));
		c = choose(links, n);
		for (int rule = 0; rule < 4 && want < 0; rule++)
			for (int i = 0; i < n && want < 0; i++) {
				const struct grid_track *t = links[i].track;
				bool resort = links[i].provider == &last, data = t->s.issued_ms != TIME_NONE;
				int64_t age = data ? at(NOW_TEXT) - t->s.issued_ms : 0;
				bool young = data && age <= GRID_MAX_AGE_MS;

				if ((rule == 0 && young && !resort && age <= GRID_FRESH_MS) ||
				    (rule == 1 && young && !resort) || (rule == 2 && young && resort) ||
				    (rule == 3 && data)) {
					want = i;
					assert_int_equal(c.use, rule);
				}
			}
		assert_int_equal(c.link, want);
		if (want >= 0) {
			grid_chain_choose(links, n, at(NOW_TEXT) + MINUTE_MS, &later);
			if (grid_choice_is_usable(&c)) {
				assert_in_range(c.confidence_permille, GRID_CONFIDENCE_MIN, 1000);
				if (later.link == want)
					assert_true(later.confidence_permille <= c.confidence_permille);
			}
			grid_chain_series(links, n, &c, &s);
			for (int i = 0; i < s.n; i++) {
				int from = s.value[i] == GRID_UNKNOWN ? want : s.value[i] / 1000 - 1;

				assert_memory_equal(&links[from].basis, &links[want].basis, sizeof(links[0].basis));
				assert_true(from == want || links[from].provider == &plain);
			}
		}
		release(links, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),       cmocka_unit_test(test_order),  cmocka_unit_test(test_fill),
		cmocka_unit_test(test_fill_prices), cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
