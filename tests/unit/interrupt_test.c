/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interruptible plans: against a search that tries every slot in every way, against the published optima of a whole
 * year, and what holds for any input.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/rand.h"
#include "planner/interrupt.h"

#define MAX_REGIONS 3
#define MAX_SLOTS 10
#define IDLE (-1)

struct scene {
	double cost[MAX_REGIONS][MAX_SLOTS];
	const double *columns[MAX_REGIONS];
	struct slots slots;
	struct interrupt_job job;
};

static int64_t below(uint64_t *seed, int64_t n)
{
	return (int64_t)(rand_next(seed) % (uint64_t)n);
}

static bool chance(uint64_t *seed, int percent)
{
	return below(seed, 100) < percent;
}

static void random_scene(struct scene *c, uint64_t *seed)
{
	int regions = 1 + (int)below(seed, MAX_REGIONS), most = regions == 3 ? 6 : regions == 2 ? 7 : MAX_SLOTS;
	int n = 2 + (int)below(seed, most - 1);
	struct interrupt_job *j = &c->job;

	memset(c, 0, sizeof(*c));
	for (int r = 0; r < regions; r++) {
		for (int i = 0; i < n; i++)
			c->cost[r][i] =
				chance(seed, 8) ? INFINITY : (double)below(seed, 12) - (chance(seed, 20) ? 3 : 0);
		c->columns[r] = regions > 1 && chance(seed, 10) ? NULL : c->cost[r];
	}
	c->slots =
		(struct slots){ .first_ms = 100000, .slot_ms = 60, .n = n, .n_regions = regions, .cost = c->columns };
	j->earliest_ms = 100000 + below(seed, n) * 60 + (chance(seed, 50) ? below(seed, 60) : 0);
	j->duration_ms = chance(seed, 50) ? 60 * (1 + below(seed, n)) : 1 + below(seed, n * 60);
	j->finish_by_ms = chance(seed, 60) ? 100000 + n * 60 : j->earliest_ms + j->duration_ms + below(seed, 200);
	j->min_run_ms = chance(seed, 40) ? below(seed, 200) : 0;
	j->checkpoint_ms = chance(seed, 30) ? below(seed, 70) : 0;
	j->restart_slots = chance(seed, 40) ? (double)below(seed, 4) / 2 : 0;
	j->max_interruptions = chance(seed, 50) ? (int)below(seed, 4) : INTERRUPT_ANY;
	j->max_moves = (int)below(seed, 3);
	j->move_cost = chance(seed, 50) ? (double)below(seed, 5) : 0;
	j->move_ms = chance(seed, 40) ? below(seed, 130) : 0;
	j->delay_per_ms = chance(seed, 30) ? 0.01 : 0;
	j->region = chance(seed, 30) ? (int)below(seed, regions) : PLANNER_NO_REGION;
	j->running = j->region != PLANNER_NO_REGION && chance(seed, 50);
	j->ran_ms = j->running ? below(seed, 200) : 0;
}

/* What a choice of region or IDLE for each slot costs; INFINITY if it is no plan. */
struct walk {
	double cost;
	int64_t left_ms, run_ms; /* of work; of the segment at hand, 0 = none */
	int at, idle;            /* region; whole slots since it left it */
	int pauses, moves;
	bool begun, on;
};

static double worst_case(const struct scene *c, struct walk w, int slot);

static double run_slot(const struct scene *c, struct walk w, int slot, int region, int64_t min_run_ms)
{
	const struct interrupt_job *j = &c->job;
	int64_t start_ms = 100000 + slot * 60, end_ms = start_ms + 60, begin_ms = MAX(start_ms, j->earliest_ms);
	double price = c->columns[region] ? c->columns[region][slot] : INFINITY;
	bool moves = w.begun && region != w.at, starts = !w.on || moves;

	if (price == INFINITY || (moves && begin_ms > start_ms))
		return INFINITY;
	if (w.on && moves) {
		if (w.run_ms < min_run_ms)
			return INFINITY;
		w.pauses++;
		w.left_ms += begin_ms == j->earliest_ms ? 0 : j->checkpoint_ms;
		w.idle = 0;
	}
	if (moves) {
		if (j->move_ms > w.idle * 60)
			return INFINITY;
		w.moves++;
		w.cost += j->move_cost;
	}
	if (starts) {
		w.cost += w.begun ? j->restart_slots * fmax(price, 0) : 0;
		w.run_ms = 0;
	}
	w.begun = w.on = true;
	w.at = region;
	if (w.left_ms <= end_ms - begin_ms) {
		int64_t done_ms = begin_ms + w.left_ms;

		if (done_ms > j->finish_by_ms || w.run_ms + w.left_ms < min_run_ms)
			return INFINITY;
		if (w.moves > j->max_moves ||
		    (j->max_interruptions != INTERRUPT_ANY && w.pauses > j->max_interruptions))
			return INFINITY;
		return w.cost + price * (double)w.left_ms / 60 +
		       j->delay_per_ms * (double)(done_ms - j->earliest_ms - j->duration_ms);
	}
	w.cost += price * (double)(end_ms - begin_ms) / 60;
	w.left_ms -= end_ms - begin_ms;
	w.run_ms += end_ms - begin_ms;
	return worst_case(c, w, slot + 1);
}

static double worst_case(const struct scene *c, struct walk w, int slot)
{
	const struct interrupt_job *j = &c->job;
	int64_t min_run_ms = MIN(j->min_run_ms, j->duration_ms + j->ran_ms);
	struct walk idle = w;
	double best;

	if (slot == c->slots.n)
		return INFINITY;
	best = INFINITY;
	for (int r = 0; r < c->slots.n_regions; r++)
		best = fmin(best, run_slot(c, w, slot, r, min_run_ms));
	if (w.on && w.run_ms < min_run_ms)
		return best;
	if (w.on) {
		bool at_once = j->running && w.left_ms == j->duration_ms;

		idle.pauses++;
		idle.left_ms += at_once ? 0 : j->checkpoint_ms;
		idle.idle = 0;
	}
	idle.on = false;
	/* the rest of a slot that the earliest time cuts is no whole slot to move in */
	idle.idle += 100000 + slot * 60 >= j->earliest_ms;
	return fmin(best, worst_case(c, idle, slot + 1));
}

static double oracle(const struct scene *c)
{
	const struct interrupt_job *j = &c->job;
	struct walk w = { .left_ms = j->duration_ms, .run_ms = j->ran_ms, .on = j->running };

	w.begun = j->region != PLANNER_NO_REGION;
	w.at = j->region;
	return worst_case(c, w, (int)((j->earliest_ms - 100000) / 60));
}

/* The plan's own segments, priced and checked again. */
static void check_plan(const struct scene *c, const struct interrupt_plan *p)
{
	const struct interrupt_job *j = &c->job;
	int64_t ran_ms = 0, min_run_ms = MIN(j->min_run_ms, j->duration_ms + j->ran_ms);
	double cost = 0;

	for (int i = 0; i < p->n_segments; i++) {
		const struct planner_segment *g = &p->segments[i];
		int64_t length_ms = g->end_ms - g->start_ms;

		assert_true(g->start_ms >= j->earliest_ms && g->end_ms > g->start_ms && g->end_ms <= j->finish_by_ms);
		assert_true(i == 0 || g->start_ms >= p->segments[i - 1].end_ms);
		if (!(i == 0 && j->running && g->start_ms == j->earliest_ms && g->region == j->region))
			assert_true(length_ms >= min_run_ms);
		ran_ms += length_ms;
		for (int64_t t = g->start_ms; t < g->end_ms; t++)
			cost += c->columns[g->region][(t - 100000) / 60] / 60;
	}
	assert_true(fabs(cost - p->run_cost) < 1e-6);
	assert_true(fabs(p->cost - p->run_cost - p->restart_cost - p->move_cost - p->delay_cost) < 1e-6);
	assert_true(p->moves <= j->max_moves);
	assert_true(j->max_interruptions == INTERRUPT_ANY || p->interruptions <= j->max_interruptions);
	if (!j->running)
		assert_int_equal(ran_ms, j->duration_ms + p->interruptions * j->checkpoint_ms);
}

static void test_against_every_choice(void **state)
{
	int planned = 0;

	(void)state;
	for (uint64_t seed0 = 1; seed0 <= 20000; seed0++) {
		uint64_t seed = seed0;
		struct scene c;
		struct arena arena;
		struct interrupt_plan plan = { 0 };
		double want;
		bool found;

		random_scene(&c, &seed);
		arena_init(&arena, 4096, 1 << 20);
		want = oracle(&c);
		found = interrupt_plan(&c.slots, &c.job, &arena, &plan);
		if (found != (want < INFINITY) || (found && fabs(plan.cost - want) > 1e-6))
			fail_msg("scene %" PRIu64 ": %s %f, not %f", seed0, found ? "found" : "none", plan.cost, want);
		if (found)
			check_plan(&c, &plan);
		planned += found;
		arena_release(&arena);
	}
	assert_true(planned > 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_every_choice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
