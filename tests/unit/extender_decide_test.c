/* SPDX-License-Identifier: Apache-2.0 */
/* The extender's rules: what ranks, what is neutral, what is dropped, and what is lifted rather than do harm. */
#include <math.h>

#include "base/rand.h"
#include "extender_fixture.h"

#define ANY "{\"Pod\":{},\"NodeNames\":[\"a1\",\"b1\",\"c1\",\"x1\"]}"
#define WITH(annotation, value)                                                                      \
	"{\"Pod\":{\"metadata\":{\"annotations\":{\"loadshift.io/" annotation "\":\"" value "\"}}}," \
	"\"NodeNames\":[\"a1\",\"b1\",\"c1\",\"x1\"]}"

/* Scores in the order of the candidates, as "10 5 0 0". */
static const char *scores(struct fixture *f, const char *body)
{
	static char out[64];
	const char *p;
	size_t n = 0;

	p = fixture_ask(f, EXTENDER_PRIORITIZE, body);
	assert_non_null(p);
	out[0] = '\0';
	while ((p = strstr(p, "\"Score\":"))) {
		p += 8;
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%ld", n ? " " : "", strtol(p, NULL, 10));
	}
	return out;
}

static void three_regions(struct fixture *f)
{
	fixture_add(f, "a", 100, 200000);
	fixture_add(f, "b", 200, 200000);
	fixture_add(f, "c", 300, 200000);
	fixture_build(f, 1);
}

static void ranks_by_cost(void **state)
{
	struct fixture *f = *state;

	three_regions(f);
	assert_string_equal(scores(f, ANY), "10 5 0 0");
	assert_int_equal(f->outcome.ranking, EXTENDER_RANKED);
	/* Swapped data, swapped scores. */
	fixture_fill(f->regions[0].carbon, 300000);
	fixture_fill(f->regions[2].carbon, 100000);
	fixture_build(f, 1);
	assert_string_equal(scores(f, ANY), "0 5 10 0");
	/* Only what is asked for is compared. */
	assert_string_equal(scores(f, "{\"Pod\":{},\"NodeNames\":[\"a1\",\"b1\"]}"), "0 10");
}

static void differences_within_the_noise_are_none(void **state)
{
	struct fixture *f = *state;

	/* 20 g/kWh is the forecast's error; carbon weighs 60, cost 30, whose error is another 10 % of the price. */
	fixture_add(f, "a", 200, 200000);
	fixture_add(f, "b", 229, 200000);
	fixture_build(f, 1);
	assert_string_equal(scores(f, "{\"Pod\":{},\"NodeNames\":[\"a1\",\"b1\",\"x1\"]}"), "5 5 5");
	assert_int_equal(f->outcome.ranking, EXTENDER_ALIKE);
	fixture_fill(f->regions[1].carbon, 234000);
	fixture_build(f, 1);
	assert_string_equal(scores(f, "{\"Pod\":{},\"NodeNames\":[\"a1\",\"b1\",\"x1\"]}"), "10 0 0");
	/* Half the confidence of one region is twice the error for all. */
	f->regions[0].r.confidence_permille = 500;
	fixture_build(f, 1);
	assert_string_equal(scores(f, "{\"Pod\":{},\"NodeNames\":[\"a1\",\"b1\",\"x1\"]}"), "5 5 5");
	assert_int_equal(f->outcome.ranking, EXTENDER_ALIKE);
	f->regions[0].r.confidence_permille = 1000;
	fixture_build(f, 1);
	/* One region alone has nothing to be compared with. */
	assert_string_equal(scores(f, "{\"Pod\":{},\"NodeNames\":[\"a1\",\"x1\"]}"), "5 5");
}

static void weights_decide_what_counts(void **state)
{
	struct fixture *f = *state;

	three_regions(f);
	fixture_fill(f->regions[0].price, 400000);
	fixture_fill(f->regions[0].renewable, 0);
	fixture_fill(f->regions[2].renewable, 1000);
	fixture_build(f, 1);
	assert_string_equal(scores(f, WITH("weights", "carbon=1")), "10 5 0 0");
	assert_string_equal(scores(f, WITH("weights", "cost=1")), "0 10 10 0");
	assert_string_equal(scores(f, WITH("weights", "renewable=1")), "0 5 10 0");
	/* A start later than now is nothing the scheduler could choose. */
	assert_string_equal(scores(f, WITH("weights", "delay=1")), "5 5 5 5");
}

/* The mean over the run counts, not the present: region a is dirty now and clean from the next slot on. */
static void looks_ahead_over_the_expected_duration(void **state)
{
	struct fixture *f = *state;

	fixture_add(f, "a", 50, 200000);
	fixture_add(f, "b", 200, 200000);
	f->regions[0].carbon[0] = 400000;
	fixture_build(f, 1);
#define SHORT(s)                                                                                            \
	"{\"Pod\":{\"metadata\":{\"annotations\":{\"loadshift.io/expected-duration-seconds\":\"" s "\"}}}," \
	"\"NodeNames\":[\"a1\",\"b1\"]}"
	assert_string_equal(scores(f, SHORT("600")), "0 10");
	assert_string_equal(scores(f, SHORT("14400")), "10 0");
	/* Two slots of 400 and 50 mean 225: too near to 200 to tell. So does the hour that is the default. */
	assert_string_equal(scores(f, SHORT("3600")), "5 5");
	assert_string_equal(scores(f, "{\"Pod\":{},\"NodeNames\":[\"a1\",\"b1\"]}"), "5 5");
}

static void what_is_not_known_gets_the_lowest_score(void **state)
{
	struct grid_source fetched = { .metric = "carbon", .fetched_ms = NOW - FIXTURE_MAX_AGE_MS };
	struct fixture *f = *state;

	three_regions(f);
	/* Stale: fetched, or where that is not said issued, more than six hours ago. */
	f->regions[0].r.forecast.issued_ms = NOW - FIXTURE_MAX_AGE_MS - 1;
	fixture_build(f, 1);
	assert_string_equal(scores(f, ANY), "0 10 0 0");
	f->regions[0].r.sources = &fetched;
	f->regions[0].r.n_sources = 1;
	fixture_build(f, 1);
	assert_string_equal(scores(f, ANY), "10 5 0 0");
	fetched.fetched_ms = NOW - FIXTURE_MAX_AGE_MS - 1;
	fixture_build(f, 1);
	assert_string_equal(scores(f, ANY), "0 10 0 0");
	f->regions[0].r.n_sources = 0;
	f->regions[0].r.forecast.issued_ms = NOW - FIXTURE_MAX_AGE_MS;
	fixture_build(f, 1);
	assert_string_equal(scores(f, ANY), "10 5 0 0");
	/* The present slot has no value. */
	f->regions[0].carbon[0] = GRID_UNKNOWN;
	fixture_build(f, 1);
	assert_string_equal(scores(f, ANY), "0 10 0 0");
	/* The forecast is over, or there is none. */
	f->regions[0].r.forecast.start_ms = NOW - FIXTURE_SLOTS * SLOT_MS;
	fixture_build(f, 1);
	assert_string_equal(scores(f, ANY), "0 10 0 0");
	f->regions[0].r.forecast.start_ms = TIME_NONE;
	fixture_build(f, 1);
	assert_string_equal(scores(f, ANY), "0 10 0 0");
	f->regions[0].r.forecast.start_ms = NOW + SLOT_MS;
	fixture_build(f, 1);
	assert_string_equal(scores(f, ANY), "0 10 0 0");
	for (int i = 0; i < 3; i++)
		f->regions[i].r.forecast.n = 0;
	fixture_build(f, 1);
	assert_string_equal(scores(f, ANY), "5 5 5 5");
	assert_int_equal(f->outcome.ranking, EXTENDER_NO_DATA);
	assert_string_equal(scores(f, "{\"Pod\":{},\"NodeNames\":[\"x1\",\"nobody\"]}"), "5 5");
}

/* All are measured over the span that all know: region a's cheap night is beyond the end of region b's forecast. */
static void compares_over_a_common_span(void **state)
{
	struct fixture *f = *state;

	fixture_add(f, "a", 10, 200000);
	fixture_add(f, "b", 200, 200000);
	f->regions[0].carbon[0] = f->regions[0].carbon[1] = 300000;
	f->regions[1].r.forecast.n = 2;
	fixture_build(f, 1);
	assert_string_equal(scores(f, SHORT("36000")), "0 10");
	f->regions[1].r.forecast.n = FIXTURE_SLOTS;
	fixture_build(f, 1);
	assert_string_equal(scores(f, SHORT("36000")), "10 0");
}

static void a_missing_price_neither_helps_nor_hurts(void **state)
{
	struct fixture *f = *state;

	fixture_add(f, "a", 200, 100000);
	fixture_add(f, "b", 200, 300000);
	fixture_add(f, "c", 200, 1)->r.currency = NULL;
	fixture_build(f, 1);
	assert_string_equal(scores(f, ANY), "10 0 5 0");
	/* costBasis None is no price, whatever the column says. */
	f->regions[2].r.currency = "GBP";
	f->regions[2].r.cost_basis = COST_BASIS_NONE;
	fixture_build(f, 1);
	assert_string_equal(scores(f, ANY), "10 0 5 0");
	/* Two currencies, or a tariff and a shadow price: prices do not count at all. */
	f->regions[1].r.currency = "EUR";
	fixture_build(f, 1);
	assert_string_equal(scores(f, ANY), "5 5 5 5");
	f->regions[1].r.currency = "GBP";
	f->regions[1].r.cost_basis = COST_BASIS_SHADOW;
	fixture_build(f, 1);
	assert_string_equal(scores(f, ANY), "5 5 5 5");
}

static void only_like_is_compared_with_like(void **state)
{
	struct fixture *f = *state;
	static const struct grid_basis bases[] = {
		{ "marginal", "direct", "consumption", "regional" },
		{ "average", "lifecycle", "consumption", "regional" },
		{ "average", "direct", "production", "regional" },
		{ "average", "direct", "consumption", "national" },
		{ "", "direct", "consumption", "regional" },
	};

	three_regions(f);
	for (size_t i = 0; i < ARRAY_LEN(bases); i++) {
		f->regions[0].r.basis = bases[i];
		fixture_build(f, 1);
		assert_string_equal(scores(f, ANY), "0 10 0 0");
	}
	f->regions[0].r.basis = f->regions[1].r.basis;
	f->regions[0].r.group = "fr";
	fixture_build(f, 1);
	assert_string_equal(scores(f, ANY), "0 10 0 0");
	/* The set with the most candidates is ranked, even if it is one region: then there is nothing to rank. */
	fixture_build(f, 3);
	assert_string_equal(scores(f, "{\"Pod\":{},\"NodeNames\":[\"a1\",\"a2\",\"a3\",\"b1\",\"c1\"]}"), "5 5 5 5 5");
	assert_string_equal(scores(f, "{\"Pod\":{},\"NodeNames\":[\"a1\",\"b1\",\"c1\"]}"), "0 10 0");
	/* No group: comparable to none. */
	for (int i = 0; i < 3; i++)
		f->regions[i].r.group = NULL;
	fixture_build(f, 1);
	assert_string_equal(scores(f, ANY), "5 5 5 5");
}

static void place_shift_disabled_stops_the_ranking(void **state)
{
	struct fixture *f = *state;

	three_regions(f);
	f->regions[1].r.place_shift_disabled = true;
	fixture_build(f, 1);
	assert_string_equal(scores(f, ANY), "5 5 5 5");
	assert_int_equal(f->outcome.ranking, EXTENDER_PLACE_SHIFT_DISABLED);
	assert_string_equal(scores(f, "{\"Pod\":{},\"NodeNames\":[\"a1\",\"c1\"]}"), "10 0");
}

static void regions_are_a_wish_that_never_empties_the_list(void **state)
{
	struct fixture *f = *state;

	three_regions(f);
	assert_string_equal(fixture_ask(f, EXTENDER_FILTER, WITH("regions", "b , c")),
			    "{\"NodeNames\":[\"b1\",\"c1\"],\"FailedAndUnresolvableNodes\":{\"a1\":"
			    "\"not in the regions the pod allows\",\"x1\":\"not in the regions the pod allows\"}}");
	assert_false(f->outcome.lifted_regions);
	assert_string_equal(fixture_ask(f, EXTENDER_FILTER, WITH("regions", "nowhere")),
			    "{\"NodeNames\":[\"a1\",\"b1\",\"c1\",\"x1\"]}");
	assert_true(f->outcome.lifted_regions);
}

static void caps_drop_nodes_only_while_one_fits(void **state)
{
	struct fixture *f = *state;

	three_regions(f);
	f->regions[1].r.forecast.n = 0;
	fixture_build(f, 1);
	/* What is not known is no limit (b), nor is a node of unknown region. */
	assert_string_equal(fixture_ask(f, EXTENDER_FILTER, WITH("max-carbon-g-per-kwh", "250")),
			    "{\"NodeNames\":[\"a1\",\"b1\",\"x1\"],\"FailedAndUnresolvableNodes\":{\"c1\":"
			    "\"carbon above the pod's max-carbon-g-per-kwh\"}}");
	/* At the cap is not above it. */
	assert_string_equal(fixture_ask(f, EXTENDER_FILTER, WITH("max-carbon-g-per-kwh", "300")),
			    "{\"NodeNames\":[\"a1\",\"b1\",\"c1\",\"x1\"]}");
	assert_false(f->outcome.lifted_caps);
	assert_string_equal(
		fixture_ask(f, EXTENDER_FILTER,
			    "{\"Pod\":{\"metadata\":{\"annotations\":{\"loadshift.io/max-carbon-g-per-kwh\":\"50\"}}},"
			    "\"NodeNames\":[\"a1\",\"c1\"]}"),
		"{\"NodeNames\":[\"a1\",\"c1\"]}");
	assert_true(f->outcome.lifted_caps);
}

static void lifted_caps_leave_the_regions_in_force(void **state)
{
	struct fixture *f = *state;

	three_regions(f);
	assert_string_equal(
		fixture_ask(f, EXTENDER_FILTER,
			    "{\"Pod\":{\"metadata\":{\"annotations\":{\"loadshift.io/regions\":\"b,c\","
			    "\"loadshift.io/max-carbon-g-per-kwh\":\"150\"}}},\"NodeNames\":[\"a1\",\"b1\",\"c1\"]}"),
		"{\"NodeNames\":[\"b1\",\"c1\"],\"FailedAndUnresolvableNodes\":{\"a1\":"
		"\"not in the regions the pod allows\"}}");
	assert_true(f->outcome.lifted_caps);
	assert_false(f->outcome.lifted_regions);
}

/* The rule of extender/decide.h once more, slot by slot, for runs of whole slots and known values. */
static double naive_mean(const int32_t *column, int slots)
{
	double sum = 0;

	for (int i = 0; i < slots; i++)
		sum += column[i];
	return sum / slots;
}

static void naive_scores(const struct fixture *f, int slots, long ret[FIXTURE_REGIONS])
{
	double cost[FIXTURE_REGIONS], carbon_scale = 0, price_scale = 0, best = INFINITY, worst = -INFINITY;

	for (size_t r = 0; r < f->n_regions; r++) {
		for (int i = 0; i < FIXTURE_SLOTS; i++) {
			carbon_scale += abs(f->regions[r].carbon[i]);
			price_scale += abs(f->regions[r].price[i]);
		}
	}
	carbon_scale /= (double)f->n_regions * FIXTURE_SLOTS;
	price_scale /= (double)f->n_regions * FIXTURE_SLOTS;
	for (size_t r = 0; r < f->n_regions; r++) {
		cost[r] = 0.6 * naive_mean(f->regions[r].carbon, slots) / carbon_scale +
			  0.3 * naive_mean(f->regions[r].price, slots) / price_scale;
		best = fmin(best, cost[r]);
		worst = fmax(worst, cost[r]);
	}
	for (size_t r = 0; r < f->n_regions; r++)
		ret[r] = worst - best > 0.6 * 20000 / carbon_scale + 0.3 * 0.1
				 ? lround(10 * (worst - cost[r]) / (worst - best))
				 : 5;
}

static void agrees_with_a_naive_computation(void **state)
{
	struct fixture *f = *state;
	int neutral = 0, ranked = 0;
	uint64_t seed = 7;
	char body[256];

	for (const char *name = "a\0b\0c\0d\0e\0f"; f->n_regions < FIXTURE_REGIONS; name += 2)
		fixture_add(f, name, 1, 1);
	for (int round = 0; round < 500; round++) {
		int slots = 1 + (int)(rand_unit(&seed) * (FIXTURE_SLOTS - 1));
		double spread = rand_unit(&seed) * 300;
		long expected[FIXTURE_REGIONS];
		const char *p;

		for (size_t r = 0; r < f->n_regions; r++) {
			double base = 50 + rand_unit(&seed) * spread;

			for (int i = 0; i < FIXTURE_SLOTS; i++) {
				f->regions[r].carbon[i] = (int32_t)((base + rand_unit(&seed) * 50) * 1000);
				f->regions[r].price[i] = (int32_t)((rand_unit(&seed) - 0.2) * 400000);
			}
		}
		fixture_build(f, 1);
		naive_scores(f, slots, expected);
		(void)snprintf(body, sizeof(body),
			       "{\"Pod\":{\"metadata\":{\"annotations\":{\"loadshift.io/expected-duration-seconds\":"
			       "\"%d\"}}},\"NodeNames\":[\"a1\",\"b1\",\"c1\",\"d1\",\"e1\",\"f1\"]}",
			       slots * 1800);
		p = fixture_ask(f, EXTENDER_PRIORITIZE, body);
		for (size_t r = 0; r < f->n_regions; r++) {
			p = strstr(p, "\"Score\":") + 8;
			assert_int_equal(strtol(p, NULL, 10), expected[r]);
		}
		neutral += f->outcome.ranking == EXTENDER_ALIKE;
		ranked += f->outcome.ranking == EXTENDER_RANKED;
	}
	/* Both kinds came up often enough to mean something. */
	assert_true(neutral > 20 && ranked > 200);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ranks_by_cost),
		TEST(differences_within_the_noise_are_none),
		TEST(weights_decide_what_counts),
		TEST(looks_ahead_over_the_expected_duration),
		TEST(what_is_not_known_gets_the_lowest_score),
		TEST(compares_over_a_common_span),
		TEST(a_missing_price_neither_helps_nor_hurts),
		TEST(only_like_is_compared_with_like),
		TEST(place_shift_disabled_stops_the_ranking),
		TEST(regions_are_a_wish_that_never_empties_the_list),
		TEST(caps_drop_nodes_only_while_one_fits),
		TEST(lifted_caps_leave_the_regions_in_force),
		TEST(agrees_with_a_naive_computation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
