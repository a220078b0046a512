/* SPDX-License-Identifier: Apache-2.0 */
/* What is remembered of regions beyond their statuses. */
#include "decide_fixture.h"

#include "decide/account.h"
#include "decide/memory.h"

#define FIRST "2023-02-01T00:00:00Z"
#define STATUS 96

/* Statuses of a region, half hour after half hour; views in turn in two arenas, as their users make them. */
static struct world {
	struct arena arenas[2];
	struct grid_view view;
	int n;
	int64_t now_ms;
} world;

static const struct grid_basis regional = { "average", "direct", "consumption", "regional" };
static const struct grid_basis national = { "average", "direct", "consumption", "national" };

static int setup(void **state)
{
	for (int i = 0; i < 2; i++)
		arena_init(&world.arenas[i], 64 * 1024, 4 * 1024 * 1024);
	world.view = (struct grid_view){ .mean = -1 };
	world.n = 0;
	world.now_ms = at(FIRST);
	return fixture_setup(state);
}

static int teardown(void **state)
{
	for (int i = 0; i < 2; i++)
		arena_release(&world.arenas[i]);
	return fixture_teardown(state);
}

#define WORLD_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

/* The number of the half hour; what was said of it at first is 1 less. */
static int32_t truth(int64_t ms)
{
	return (int32_t)((ms - at(FIRST)) / SLOT_MS);
}

static struct gridregion *status(const char *name, struct grid_basis basis, int slots)
{
	struct gridregion *r = arena_new(&fixture.arena, struct gridregion);
	int32_t *carbon = arena_array(&fixture.arena, STATUS, int32_t),
		*price = arena_array(&fixture.arena, STATUS, int32_t);
	uint8_t *kind = arena_array(&fixture.arena, STATUS, uint8_t);

	for (int i = 0; i < slots; i++) {
		int64_t t = world.now_ms + (i - slots) * SLOT_MS;

		carbon[i] = truth(t) - (t >= world.now_ms - DAY_MS);
		price[i] = 2 * truth(t);
		kind[i] = GRID_KIND_ESTIMATED;
	}
	r->obj.meta.name = name;
	r->recent = (struct grid_recent){ world.now_ms - slots * SLOT_MS, slots, carbon, price, kind };
	r->forecast.start_ms = TIME_NONE;
	r->basis = basis;
	r->currency = arena_strdup(&fixture.arena, "GBP");
	return r;
}

static void look(struct gridregion *a, struct gridregion *b)
{
	static const struct translate_config config = { .max_forecast_age_ms = DAY_MS };
	const struct gridregion *list[] = { a, b };
	struct arena *arena = &world.arenas[world.n++ % 2];
	const struct grid_view before = world.view;

	arena_reset(arena);
	grid_view_init(&world.view, &config, world.now_ms, list, b ? 2 : 1, NULL, 0, arena);
	memory_make(&world.view, &before, arena);
}

static void pass(int half_hours, struct grid_basis basis)
{
	for (int i = 0; i < half_hours; i++, world.now_ms += SLOT_MS)
		look(status("london", basis, STATUS), NULL);
	look(status("london", basis, STATUS), NULL);
}

static int32_t carbon_at(int64_t ms)
{
	return memory_carbon_at(&world.view, 0, ms);
}

static int32_t price_at(int64_t ms)
{
	return memory_price_at(&world.view, 0, ms);
}

static void it_reaches_further_back_than_a_status(void **state)
{
	(void)state;
	pass(400, regional);
	for (int64_t t = at(FIRST) - STATUS * SLOT_MS; t < world.now_ms; t += SLOT_MS) {
		/* As it was said last: revised a day later. */
		assert_int_equal(carbon_at(t), truth(t) - (t >= world.now_ms - DAY_MS));
		assert_int_equal(price_at(t), 2 * truth(t));
	}
	assert_int_equal(carbon_at(at(FIRST) - STATUS * SLOT_MS - 1), GRID_UNKNOWN);
	assert_int_equal(carbon_at(world.now_ms), GRID_UNKNOWN);
}

static void it_forgets_in_the_end(void **state)
{
	(void)state;
	pass(3000, regional);
	assert_int_equal(world.view.memory[0].carbon.n, MEMORY_MS / SLOT_MS);
	assert_int_equal(carbon_at(world.now_ms - MEMORY_MS), truth(world.now_ms - MEMORY_MS));
	assert_int_equal(carbon_at(world.now_ms - MEMORY_MS - SLOT_MS), GRID_UNKNOWN);
}

static void a_missing_value_forgets_none(void **state)
{
	struct gridregion *r;

	(void)state;
	pass(10, regional);
	r = status("london", regional, STATUS);
	for (int i = 0; i < STATUS; i++)
		((int32_t *)r->recent.carbon)[i] = GRID_UNKNOWN;
	r->recent.price = NULL;
	look(r, NULL);
	assert_int_equal(carbon_at(world.now_ms - 2 * DAY_MS), truth(world.now_ms - 2 * DAY_MS));
	assert_int_equal(price_at(world.now_ms - DAY_MS), 2 * truth(world.now_ms - DAY_MS));
	/* A status without any past, and a region that was not there. */
	r = status("london", regional, 0);
	r->recent = (struct grid_recent){ .start_ms = TIME_NONE };
	look(r, status("wales", regional, 0));
	assert_int_equal(carbon_at(world.now_ms - 2 * DAY_MS), truth(world.now_ms - 2 * DAY_MS));
	assert_int_equal(world.view.memory[1].carbon.n, 0);
}

static void a_gap_between_two_statuses_is_not_known(void **state)
{
	(void)state;
	pass(1, regional);
	world.now_ms += 5 * DAY_MS;
	pass(1, regional);
	assert_int_equal(carbon_at(world.now_ms - 3 * DAY_MS), GRID_UNKNOWN);
	assert_int_equal(carbon_at(world.now_ms - 2 * DAY_MS), truth(world.now_ms - 2 * DAY_MS));
	assert_int_equal(carbon_at(world.now_ms - 6 * DAY_MS), truth(world.now_ms - 6 * DAY_MS) - 1);
}

static void two_bases_are_not_mixed(void **state)
{
	int64_t three_days_ago;

	(void)state;
	pass(200, regional);
	three_days_ago = world.now_ms - 3 * DAY_MS;
	assert_int_equal(carbon_at(three_days_ago), truth(three_days_ago));
	/* A fallback for a day: only what the status itself says counts while it lasts, and the rest comes back after
	 * it. */
	pass(48, national);
	assert_int_equal(carbon_at(three_days_ago), GRID_UNKNOWN);
	assert_int_equal(carbon_at(world.now_ms - 47 * HOUR_MS), truth(world.now_ms - 47 * HOUR_MS));
	pass(1, regional);
	assert_int_equal(carbon_at(three_days_ago), truth(three_days_ago));
	/* For good: it begins anew. */
	pass(200, national);
	assert_int_equal(carbon_at(three_days_ago), GRID_UNKNOWN);
	assert_int_equal(carbon_at(world.now_ms - 50 * HOUR_MS), truth(world.now_ms - 50 * HOUR_MS));
}

/* Statuses begin at their first known slot: a source that is asked for the first time knows no past. */
static void a_fallback_without_a_past_forgets_nothing(void **state)
{
	int64_t three_days_ago;

	(void)state;
	pass(200, regional);
	three_days_ago = world.now_ms - 3 * DAY_MS;
	look(status("london", national, 0), NULL);
	world.now_ms += SLOT_MS;
	look(status("london", national, 1), NULL);
	world.now_ms += SLOT_MS;
	pass(1, regional);
	assert_int_equal(carbon_at(three_days_ago), truth(three_days_ago));
	assert_int_equal(price_at(three_days_ago), 2 * truth(three_days_ago));
}

static void carbon_and_price_are_remembered_each_by_itself(void **state)
{
	int64_t five_days_ago;
	struct gridregion *r = NULL;

	(void)state;
	pass(400, regional);
	five_days_ago = world.now_ms - 5 * DAY_MS;
	/* No price is said for three days, then one in another currency, for good. */
	for (int i = 0; i < 144; i++, world.now_ms += SLOT_MS) {
		r = status("london", regional, STATUS);
		r->currency = NULL;
		r->recent.price = NULL;
		look(r, NULL);
	}
	assert_int_equal(carbon_at(five_days_ago), truth(five_days_ago));
	assert_int_equal(price_at(five_days_ago), 2 * truth(five_days_ago));
	for (int i = 0; i < 144; i++, world.now_ms += SLOT_MS) {
		r = status("london", regional, STATUS);
		r->currency = "EUR";
		look(r, NULL);
		assert_int_equal(price_at(five_days_ago), GRID_UNKNOWN);
	}
	assert_int_equal(carbon_at(five_days_ago), truth(five_days_ago));
	assert_string_equal(world.view.memory[0].currency, "EUR");
}

/* The writer's clock is a minute ahead of ours: it counts a half hour as past that for us has a minute to go. */
static void what_the_status_says_is_known_in_any_case(void **state)
{
	int64_t slot;

	(void)state;
	pass(200, regional);
	slot = world.now_ms;
	world.now_ms += SLOT_MS;
	struct gridregion *r = status("london", regional, STATUS);
	world.now_ms -= MINUTE_MS;
	look(r, NULL);
	assert_int_equal(carbon_at(slot), truth(slot) - 1);
	assert_int_equal(price_at(slot), 2 * truth(slot));
	assert_false(memory_is_actual(&world.view, 0, slot));
	((uint8_t *)r->recent.kind)[STATUS - 1] = GRID_KIND_ACTUAL;
	assert_true(memory_is_actual(&world.view, 0, slot));
}

/* Whoever may write a status may write nonsense. */
static void nonsense_in_a_status_forgets_nothing(void **state)
{
	static const char *const starts[] = { "9999-12-31T00:00:00Z", "1970-01-01T00:00:00Z", "2023-02-03T00:07:00Z" };
	int64_t then;

	(void)state;
	pass(200, regional);
	then = world.now_ms - 3 * DAY_MS;
	for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
		struct gridregion *r = status("london", regional, 4);

		r->recent.start_ms = at(starts[i]);
		look(r, NULL);
		assert_int_equal(carbon_at(then), truth(then));
		assert_true(world.view.memory[0].carbon.n <= MEMORY_MS / SLOT_MS);
		r->basis = national;
		look(r, NULL);
		look(status("london", regional, STATUS), NULL);
		assert_int_equal(carbon_at(then), truth(then));
	}
	look(status("london", regional, STATUS), NULL);
	assert_int_equal(carbon_at(then), truth(then));
	assert_int_equal(carbon_at(world.now_ms - SLOT_MS), truth(world.now_ms - SLOT_MS) - 1);
}

/* A job that waited for four days is compared with its own hour four days ago. */
static void savings_of_a_long_wait_are_known(void **state)
{
	struct caj_figures base = { true, true, true, 1000000, 0, 0 };
	struct caj_status caj = { .baseline = { "run-at-once-at-home", "london", at(FIRST), base },
				  .plan = { .n_segments = 1, .expected = base },
				  .runs = arena_array(&fixture.arena, CAJ_MAX_RUNS, struct caj_run) };
	struct account a;

	(void)state;
	pass(200, regional);
	struct pod_interval pod = { "london", world.now_ms - HOUR_MS, world.now_ms, 1000000 };
	account_job(&world.view, &caj, "job-1", &pod, 1, world.now_ms, &fixture.arena, &a);
	assert_true(a.savings.total.carbon_known && a.savings.total.cost_known);
	/* Half hours 0 and 1 were of 0 and 1 mg/kWh, those of the run, not yet revised, of 197 and 198; at 1 kW. */
	assert_int_equal(a.savings.total.carbon_milligrams, 0 - 197);
	world.view.memory = NULL;
	account_job(&world.view, &caj, "job-1", &pod, 1, world.now_ms, &fixture.arena, &a);
	assert_false(a.savings.total.carbon_known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(nonsense_in_a_status_forgets_nothing),
		WORLD_TEST(a_fallback_without_a_past_forgets_nothing),
		WORLD_TEST(carbon_and_price_are_remembered_each_by_itself),
		WORLD_TEST(what_the_status_says_is_known_in_any_case),
		WORLD_TEST(it_reaches_further_back_than_a_status),
		WORLD_TEST(it_forgets_in_the_end),
		WORLD_TEST(a_missing_value_forgets_none),
		WORLD_TEST(a_gap_between_two_statuses_is_not_known),
		WORLD_TEST(two_bases_are_not_mixed),
		WORLD_TEST(savings_of_a_long_wait_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
