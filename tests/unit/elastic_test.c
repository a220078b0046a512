/* SPDX-License-Identifier: Apache-2.0 */
/* Elastic plans: against the dual of the linear programme, every choice of whole slots, and suspend-resume. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/rand.h"
#include "planner/elastic.h"

#define MAX_SLOTS 6
#define MAX_LEVELS 4
#define SLOT 60000

struct scene {
	double cost[MAX_SLOTS], throughput[MAX_LEVELS + 1], power[MAX_LEVELS + 1];
	const double *columns[1];
	struct slots slots;
	struct elastic_profile profile;
	struct interrupt_job job;
	double work;
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
	int n = 1 + (int)below(seed, MAX_SLOTS), max = 1 + (int)below(seed, MAX_LEVELS);
	double most = 0;

	memset(c, 0, sizeof(*c));
	for (int i = 0; i < n; i++)
		c->cost[i] = chance(seed, 8) ? INFINITY : (double)below(seed, 12) - (chance(seed, 15) ? 4 : 0);
	for (int level = 1; level <= max; level++) {
		c->throughput[level] = c->throughput[level - 1] + 0.1 + rand_unit(seed);
		c->power[level] = c->power[level - 1] + 0.1 + rand_unit(seed);
	}
	c->columns[0] = c->cost;
	c->slots = (struct slots){ .first_ms = SLOT, .slot_ms = SLOT, .n = n, .n_regions = 1, .cost = c->columns };
	c->profile = (struct elastic_profile){ 1 + (int)below(seed, max), max, c->throughput, c->power };
	c->job.earliest_ms = SLOT + (chance(seed, 30) ? below(seed, n * SLOT) : 0);
	c->job.finish_by_ms = SLOT + n * SLOT - (chance(seed, 30) ? below(seed, SLOT) : 0);
	c->job.max_interruptions = INTERRUPT_ANY;
	c->job.region = PLANNER_NO_REGION;
	most = c->throughput[max] * (double)n;
	c->work = chance(seed, 90) ? most * (0.05 + 0.9 * rand_unit(seed)) : most * 1.1;
}

static double part_of(const struct scene *c, int slot)
{
	int64_t start_ms = SLOT + slot * (int64_t)SLOT;

	return (double)MAX(MIN(start_ms + SLOT, c->job.finish_by_ms) - MAX(start_ms, c->job.earliest_ms), 0) / SLOT;
}

static double dual_at(const struct scene *c, double lambda)
{
	double v = lambda * c->work;

	for (int i = 0; i < c->slots.n; i++) {
		double least = 0;

		for (int n = c->profile.min; n <= c->profile.max && c->cost[i] < INFINITY; n++)
			least = fmin(least, c->cost[i] * c->power[n] - lambda * c->throughput[n]);
		v += least * part_of(c, i);
	}
	return v;
}

/* The greatest dual value is at a price where some slot is torn between two levels. */
static double least_cost(const struct scene *c)
{
	double best = -INFINITY;

	for (int i = 0; i < c->slots.n; i++) {
		for (int a = 0; a < c->profile.max && c->cost[i] < INFINITY; a++) {
			for (int b = a + 1; b <= c->profile.max; b++) {
				double lambda = c->cost[i] * (c->power[b] - c->power[a]) /
						(c->throughput[b] - c->throughput[a]);

				best = fmax(best, dual_at(c, lambda));
			}
		}
	}
	return best;
}

static double capacity_of(const struct scene *c)
{
	double work = 0;

	for (int i = 0; i < c->slots.n; i++)
		work += c->cost[i] < INFINITY ? part_of(c, i) * c->throughput[c->profile.max] : 0;
	return work;
}

static void check_plan(const struct scene *c, const struct elastic_plan *p, bool may_pause)
{
	double work = 0, cost = 0;

	for (int i = 0; i < p->n_segments; i++) {
		const struct planner_segment *g = &p->segments[i];

		assert_true(g->start_ms >= c->job.earliest_ms && g->end_ms <= c->job.finish_by_ms);
		assert_true(g->parallelism >= c->profile.min && g->parallelism <= c->profile.max);
		assert_true(i == 0 || g->start_ms >= p->segments[i - 1].end_ms);
		assert_true(may_pause || i == 0 || g->start_ms == p->segments[i - 1].end_ms);
		work += c->throughput[g->parallelism] * (double)(g->end_ms - g->start_ms) / SLOT;
		for (int s = 0; s < c->slots.n; s++) {
			int64_t from = MAX(g->start_ms, SLOT + s * (int64_t)SLOT);
			int64_t to = MIN(g->end_ms, SLOT + (s + 1) * (int64_t)SLOT);

			if (to > from)
				cost += c->cost[s] * c->power[g->parallelism] * (double)(to - from) / SLOT;
		}
	}
	assert_true(work >= c->work * (1 - 1e-4) && work <= c->work + 2e-3);
	assert_true(fabs(cost - p->cost) < 2e-3);
}

static void test_marginal_meets_the_dual(void **state)
{
	int planned = 0;

	(void)state;
	for (uint64_t seed0 = 1; seed0 <= 5000; seed0++) {
		uint64_t seed = seed0;
		struct scene c;
		struct arena arena;
		struct elastic_plan plan;
		bool found;

		random_scene(&c, &seed);
		arena_init(&arena, 4096, 1 << 20);
		found = elastic_plan(&c.slots, &c.job, c.work, &c.profile, true, &arena, &plan);
		if (found != (c.work <= capacity_of(&c)))
			fail_msg("scene %" PRIu64 ": %d for %f of %f", seed0, found, c.work, capacity_of(&c));
		if (found) {
			double want = least_cost(&c);

			if (fabs(plan.cost - want) > 1e-6 || fabs(plan.bound - want) > 1e-6)
				fail_msg("scene %" PRIu64 ": %f, bound %f, not %f", seed0, plan.cost, plan.bound, want);
			check_plan(&c, &plan, true);
		}
		planned += found;
		arena_release(&arena);
	}
	assert_true(planned > 2000);
}

/* One stretch: no better than with pauses, no worse than any whole levels in one stretch. */
static void walk_stretch(const struct scene *c, int slot, double work, double cost, bool begun, double *best)
{
	if (work <= 1e-12) {
		*best = fmin(*best, cost);
		return;
	}
	if (slot == c->slots.n)
		return;
	if (!begun)
		walk_stretch(c, slot + 1, work, cost, false, best);
	if (c->cost[slot] == INFINITY || part_of(c, slot) == 0)
		return;
	for (int n = c->profile.min; n <= c->profile.max; n++) {
		double done = part_of(c, slot) * c->throughput[n], used = fmin(1, work / done);

		/* the last slot in part: our stretches fill their slots, fixed levels need not */
		if (used < 1 && c->profile.min != c->profile.max)
			continue;
		walk_stretch(c, slot + 1, work - done, cost + used * part_of(c, slot) * c->power[n] * c->cost[slot],
			     true, best);
	}
}

static void test_one_stretch(void **state)
{
	(void)state;
	for (uint64_t seed0 = 1; seed0 <= 5000; seed0++) {
		uint64_t seed = seed0;
		struct scene c;
		struct arena arena;
		struct elastic_plan paused, plan;
		double whole = INFINITY;

		random_scene(&c, &seed);
		arena_init(&arena, 4096, 1 << 20);
		if (elastic_plan(&c.slots, &c.job, c.work, &c.profile, false, &arena, &plan)) {
			assert_true(elastic_plan(&c.slots, &c.job, c.work, &c.profile, true, &arena, &paused));
			assert_true(plan.cost >= paused.cost - 1e-6 && plan.cost >= plan.bound - 1e-6);
			walk_stretch(&c, 0, c.work, 0, false, &whole);
			if (plan.cost > whole + 1e-3)
				fail_msg("scene %" PRIu64 ": %f, whole slots %f", seed0, plan.cost, whole);
			check_plan(&c, &plan, false);
		}
		arena_release(&arena);
	}
}

static void test_profiles_that_make_no_sense(void **state)
{
	const double rising[] = { 0, 1, 2 }, flat[] = { 0, 1, 1 }, falling[] = { 0, 2, 1 }, odd[] = { 0, NAN, 2 };
	const double from_one[] = { 1, 2, 3 };

	(void)state;
	assert_true(elastic_profile_is_valid(&(struct elastic_profile){ 1, 2, rising, flat }));
	assert_false(elastic_profile_is_valid(&(struct elastic_profile){ 1, 2, flat, rising }));
	assert_false(elastic_profile_is_valid(&(struct elastic_profile){ 1, 2, rising, falling }));
	assert_false(elastic_profile_is_valid(&(struct elastic_profile){ 1, 2, odd, rising }));
	assert_false(elastic_profile_is_valid(&(struct elastic_profile){ 1, 2, from_one, rising }));
	assert_false(elastic_profile_is_valid(&(struct elastic_profile){ 2, 1, rising, rising }));
	assert_false(elastic_profile_is_valid(&(struct elastic_profile){ 0, 2, rising, rising }));
	assert_false(elastic_profile_is_valid(&(struct elastic_profile){ 1, ELASTIC_MAX_LEVELS + 1, rising, rising }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_marginal_meets_the_dual),
		cmocka_unit_test(test_one_stretch),
		cmocka_unit_test(test_profiles_that_make_no_sense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
