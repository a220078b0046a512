/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All jobs together: small instances against a search of every combination, and what holds for any input: limits kept,
 * no start after the latest, more time never worse, same seed same plan.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/rand.h"
#include "planner/joint.h"

#define MAX_REGIONS 20
#define MAX_SLOTS 100
#define MAX_JOBS 1000
#define MAX_ROWS 24
#define MAX_SPOTS 64
#define PIECE (10 * MINUTE_MS)

struct world {
	struct arena arena;
	int32_t carbon[MAX_REGIONS][MAX_SLOTS], price[MAX_REGIONS][MAX_SLOTS];
	struct planner_region regions[MAX_REGIONS];
	struct planner_signals signals;
	struct planner_job plain[MAX_JOBS];
	struct joint_job jobs[MAX_JOBS];
	int16_t allowed[MAX_JOBS][MAX_REGIONS];
	int n_jobs;
	struct joint_row rows[MAX_ROWS];
	int16_t row_regions[MAX_ROWS][MAX_REGIONS];
	int64_t capacity[MAX_ROWS][MAX_SLOTS];
	int n_rows;
	struct planner_round round;
};

static int64_t below(uint64_t *seed, int64_t n)
{
	return (int64_t)(rand_next(seed) % (uint64_t)n);
}

static bool chance(uint64_t *seed, int percent)
{
	return below(seed, 100) < percent;
}

static int setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));

	arena_init(&w->arena, 65536, 64 << 20);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	arena_release(&w->arena);
	free(w);
	return 0;
}

static void random_signals(struct world *w, uint64_t *seed, int regions, int slots)
{
	arena_reset(&w->arena);
	w->signals = (struct planner_signals){
		.slot_ms = SLOT_MS, .n_slots = slots, .regions = w->regions, .n_regions = regions
	};
	for (int r = 0; r < regions; r++) {
		for (int i = 0; i < slots; i++) {
			w->carbon[r][i] = chance(seed, 4) ? PLANNER_UNKNOWN : (int32_t)below(seed, 300) * 1000;
			w->price[r][i] = (int32_t)below(seed, 200) * 1000 - 20000;
		}
		w->regions[r] = (struct planner_region){ .name = "r",
							 .carbon_mg_per_kwh = w->carbon[r],
							 .price_micros_per_kwh = w->price[r] };
	}
}

static void random_job(struct world *w, uint64_t *seed, int q, bool whole)
{
	int slots = w->signals.n_slots, n = 0;
	int64_t step = whole ? SLOT_MS : PIECE;
	struct planner_job *job = &w->jobs[q].job;

	*job = (struct planner_job){
		.id = "j", .weight_carbon = 60, .regions = w->allowed[q], .earlier_region = PLANNER_NO_REGION
	};
	job->duration_ms = step * (1 + below(seed, MAX(slots * SLOT_MS / step / 3, 1)));
	job->earliest_ms = step * below(seed, MAX((slots * SLOT_MS - job->duration_ms) / step, 1));
	job->latest_start_ms = job->earliest_ms + step * below(seed, slots * SLOT_MS / step / 2 + 1);
	job->power_milliwatts = 1000000 * (1 + below(seed, 5));
	job->weight_cost = chance(seed, 40) ? 30 : 0;
	job->weight_delay = chance(seed, 30) ? 10 : 0;
	job->spread_ms = !whole && chance(seed, 30) ? PIECE : 0;
	job->home = (int16_t)below(seed, w->signals.n_regions);
	for (int r = 0; r < w->signals.n_regions; r++) {
		if (r == job->home || chance(seed, 60))
			w->allowed[q][n++] = (int16_t)r;
	}
	job->n_regions = n;
	if (chance(seed, 15))
		job->max_carbon = (struct planner_limit){ PLANNER_LIMIT_SOFT, 200000 };
	if (chance(seed, 20)) {
		job->earlier_region = w->allowed[q][below(seed, n)];
		job->earlier_start_ms = step * below(seed, slots * SLOT_MS / step);
	}
	w->jobs[q].amount[JOINT_POWER] = job->power_milliwatts;
	w->jobs[q].amount[JOINT_CPU] = below(seed, 4) * 1000;
	w->jobs[q].amount[JOINT_RELEASES] = 1;
}

static void add_row(struct world *w, enum joint_resource k, int from, int to, int64_t capacity)
{
	struct joint_row *row = &w->rows[w->n_rows];

	for (int r = from; r <= to; r++)
		w->row_regions[w->n_rows][r - from] = (int16_t)r;
	for (int i = 0; i < w->signals.n_slots; i++)
		w->capacity[w->n_rows][i] = capacity;
	*row = (struct joint_row){ k, w->row_regions[w->n_rows], to - from + 1, w->capacity[w->n_rows] };
	w->n_rows++;
}

static void begin(struct world *w)
{
	for (int q = 0; q < w->n_jobs; q++)
		w->plain[q] = w->jobs[q].job;
	planner_round_init(&w->round, &w->signals, w->plain, (size_t)w->n_jobs, &w->arena);
}

static void random_world(struct world *w, uint64_t *seed)
{
	int regions = 1 + (int)below(seed, 2);

	random_signals(w, seed, regions, 3 + (int)below(seed, 4));
	w->signals.now_ms = chance(seed, 30) ? PIECE : 0;
	w->signals.carbon_error_mg_per_kwh = chance(seed, 30) ? 20000 : 0;
	w->n_jobs = 2 + (int)below(seed, 3);
	for (int q = 0; q < w->n_jobs; q++)
		random_job(w, seed, q, chance(seed, 40));
	w->n_rows = 0;
	for (int r = 0; r < regions; r++) {
		add_row(w, JOINT_POWER, r, r, 2000000 * (1 + below(seed, 4)));
		if (chance(seed, 40))
			add_row(w, JOINT_CPU, r, r, 1000 * below(seed, 7));
	}
	if (chance(seed, 40))
		add_row(w, JOINT_RELEASES, 0, regions - 1, 1 + below(seed, 2));
	for (int row = 0; row < w->n_rows; row++)
		w->capacity[row][below(seed, w->signals.n_slots)] /= 2;
	begin(w);
}

struct choice {
	int region;
	int64_t at_ms, start_ms;
	double cost;
};

/* Mean over ten-minute pieces; NAN if one is not known or past the end. */
static double mean_of(const struct world *w, const int32_t *v, int64_t start_ms, int64_t duration_ms)
{
	double sum = 0;

	for (int64_t t = start_ms; t < start_ms + duration_ms; t += PIECE) {
		int64_t slot = t / SLOT_MS;

		if (slot >= w->signals.n_slots || v[slot] == PLANNER_UNKNOWN)
			return NAN;
		sum += v[slot];
	}
	return sum * PIECE / (double)duration_ms;
}

static double noise_of(const struct world *w, const struct planner_job *job)
{
	double weights = job->weight_carbon + job->weight_cost + job->weight_delay;

	return w->round.carbon_scale > 0
		       ? job->weight_carbon / weights * w->signals.carbon_error_mg_per_kwh / w->round.carbon_scale
		       : 0;
}

/* NAN if it cannot be compared or breaks the limit. */
static double cost_of(const struct world *w, const struct planner_job *job, int region, int64_t at_ms, int64_t start_ms)
{
	double energy = (double)job->power_milliwatts / 1e6 * (double)job->duration_ms / (double)HOUR_MS;
	double carbon = mean_of(w, w->carbon[region], at_ms, job->duration_ms);
	double price = mean_of(w, w->price[region], at_ms, job->duration_ms);
	double real = mean_of(w, w->carbon[region], start_ms, job->duration_ms);
	double delay = job->latest_start_ms > job->earliest_ms
			       ? (double)(at_ms - job->earliest_ms) / (double)(job->latest_start_ms - job->earliest_ms)
			       : 0;

	if (isnan(carbon) || isnan(real) || (job->max_carbon.enforcement && real > job->max_carbon.value))
		return NAN;
	return energy * planner_cost(job, carbon, w->round.carbon_scale, price, w->round.price_scale, 0, delay);
}

static int choices_of(const struct world *w, const struct planner_job *job, struct choice *ret)
{
	int64_t start_min = MAX(w->signals.now_ms, job->earliest_ms), latest = MAX(job->latest_start_ms, start_min);
	double energy = (double)job->power_milliwatts / 1e6 * (double)job->duration_ms / (double)HOUR_MS;
	bool earlier = job->earlier_region != PLANNER_NO_REGION;
	int64_t kept = earlier ? MAX(job->earlier_start_ms, start_min) : start_min, border = kept - job->spread_ms;
	int kept_region = earlier ? job->earlier_region : job->home, n = 0;

	if (earlier && border > start_min && border % SLOT_MS == 0 && job->earlier_start_ms == kept)
		kept = border;
	for (int i = 0; i < job->n_regions; i++) {
		for (int64_t at = start_min; at <= latest; at += PIECE) {
			bool keeps = at == kept && job->regions[i] == kept_region;
			int64_t start = at == start_min ? at : MIN(at + job->spread_ms, latest);

			if (at != start_min && at != latest && at % SLOT_MS != 0 && !keeps)
				continue;
			ret[n] = (struct choice){ job->regions[i], at, start,
						  cost_of(w, job, job->regions[i], at, start) };
			ret[n].cost += keeps && kept <= latest ? 0 : energy * noise_of(w, job);
			n += !isnan(ret[n].cost);
		}
	}
	return n;
}

static bool fits(const struct world *w, int64_t used[MAX_ROWS][MAX_SLOTS], int q, const struct choice *c, int sign)
{
	const struct planner_job *job = &w->jobs[q].job;
	bool ok = true;

	for (int row = 0; row < w->n_rows; row++) {
		enum joint_resource k = w->rows[row].resource;
		int64_t from = c->start_ms / SLOT_MS, to = (c->start_ms + job->duration_ms + SLOT_MS - 1) / SLOT_MS;
		bool mine = false;

		for (int i = 0; i < w->rows[row].n_regions; i++)
			mine |= w->rows[row].regions[i] == c->region;
		for (int64_t i = from; mine && i < (k == JOINT_RELEASES ? from + 1 : to); i++) {
			used[row][i] += sign * w->jobs[q].amount[k];
			ok &= used[row][i] <= w->capacity[row][i];
		}
	}
	return ok;
}

static void search(const struct world *w, int q, int64_t used[MAX_ROWS][MAX_SLOTS], double cost, double *best)
{
	struct choice c[MAX_SPOTS];
	int n;

	if (q == w->n_jobs) {
		*best = fmin(*best, cost);
		return;
	}
	n = choices_of(w, &w->jobs[q].job, c);
	if (n == 0)
		search(w, q + 1, used, cost, best);
	for (int i = 0; i < n; i++) {
		if (fits(w, used, q, &c[i], 1))
			search(w, q + 1, used, cost + c[i].cost, best);
		(void)fits(w, used, q, &c[i], -1);
	}
}

/* Limits, times and the objective, computed again from the starts. */
static void check_plan(const struct world *w, const struct joint *j)
{
	static int64_t used[MAX_ROWS][MAX_SLOTS];
	struct choice c[MAX_SPOTS * 8];
	double cost = 0;
	size_t placed = 0;

	memset(used, 0, sizeof(used));
	for (int q = 0; q < w->n_jobs; q++) {
		const struct planner_job *job = &w->jobs[q].job;
		struct joint_start s = joint_start(j, (size_t)q);
		double least = INFINITY;
		int n = w->n_jobs < 10 ? choices_of(w, job, c) : 0;

		if (s.region == PLANNER_NO_REGION)
			continue;
		placed++;
		assert_true(s.start_ms >= job->earliest_ms && s.start_ms >= w->signals.now_ms);
		assert_true(s.start_ms <= MAX(job->latest_start_ms, MAX(job->earliest_ms, w->signals.now_ms)));
		assert_true(fits(w, used, q, &(struct choice){ s.region, 0, s.start_ms, 0 }, 1));
		for (int i = 0; i < n; i++) {
			if (c[i].region == s.region && c[i].start_ms == s.start_ms)
				least = fmin(least, c[i].cost);
		}
		cost += least;
	}
	assert_int_equal(placed + joint_without_room(j) + joint_without_candidate(j), w->n_jobs);
	if (w->n_jobs < 10)
		assert_true(fabs(cost - joint_objective(j)) <= 1e-6 * (1 + fabs(cost)));
}

static void test_against_every_combination(void **state)
{
	struct world *w = *state;
	int feasible = 0, found = 0, exact = 0;

	for (uint64_t seed0 = 1; seed0 <= 1000; seed0++) {
		_cleanup_(joint_cleanup) struct joint *j = NULL;
		static int64_t used[MAX_ROWS][MAX_SLOTS];
		uint64_t seed = seed0;
		double best = INFINITY;

		random_world(w, &seed);
		memset(used, 0, sizeof(used));
		search(w, 0, used, 0, &best);
		j = joint_new(&w->round, w->jobs, (size_t)w->n_jobs, w->rows, w->n_rows, seed0, NULL);
		check_plan(w, j);
		joint_improve(j, 60, NULL, NULL);
		check_plan(w, j);
		if (best == INFINITY) {
			assert_true(joint_without_room(j) > 0);
			continue;
		}
		feasible++;
		if (joint_bound(j) > best + 1e-7 * (1 + fabs(best)))
			fail_msg("world %" PRIu64 ": bound %.9f over the optimum %.9f", seed0, joint_bound(j), best);
		if (joint_without_room(j))
			continue;
		found++;
		if (joint_objective(j) < best - 1e-7 * (1 + fabs(best)))
			fail_msg("world %" PRIu64 ": plan %.9f under the optimum %.9f", seed0, joint_objective(j),
				 best);
		exact += joint_objective(j) <= best + 1e-6 * (1 + fabs(best));
	}
	print_message("feasible %d, found %d, optimal %d\n", feasible, found, exact);
	assert_true(feasible >= 350 && found >= feasible * 97 / 100 && exact >= feasible * 85 / 100);
}

static void large_world(struct world *w, uint64_t *seed)
{
	random_signals(w, seed, 6, 96);
	w->signals.now_ms = 0;
	w->n_jobs = 300;
	for (int q = 0; q < w->n_jobs; q++)
		random_job(w, seed, q, false);
	w->n_rows = 0;
	for (int r = 0; r < 6; r++)
		add_row(w, JOINT_POWER, r, r, 50000000);
	add_row(w, JOINT_RELEASES, 0, 5, 12);
	begin(w);
}

static void test_more_time_is_never_worse(void **state)
{
	struct world *w = *state;

	for (uint64_t seed0 = 1; seed0 <= 8; seed0++) {
		_cleanup_(joint_cleanup) struct joint *j = NULL;
		uint64_t seed = seed0;
		double objective, bound = -INFINITY;
		size_t missing;

		large_world(w, &seed);
		j = joint_new(&w->round, w->jobs, (size_t)w->n_jobs, w->rows, w->n_rows, seed0, NULL);
		objective = joint_objective(j);
		missing = joint_without_room(j);
		for (int i = 0; i < 20; i++) {
			joint_improve(j, 8, NULL, NULL);
			check_plan(w, j);
			assert_true(joint_without_room(j) <= missing);
			if (joint_without_room(j) == missing)
				assert_true(joint_objective(j) <= objective + 1e-9 * fabs(objective));
			assert_true(joint_bound(j) >= bound);
			objective = joint_objective(j);
			missing = joint_without_room(j);
			bound = joint_bound(j);
		}
		if (missing == 0)
			assert_true(bound <= objective + 1e-7 * fabs(objective) &&
				    objective - bound <= 0.02 * fabs(bound));
	}
}

/* Those after the first so many join a plan that is there: it stays within the limits, and as close to the bound. */
static void test_jobs_that_come_later(void **state)
{
	struct world *w = *state;

	for (uint64_t seed0 = 1; seed0 <= 8; seed0++) {
		_cleanup_(joint_cleanup) struct joint *j = NULL;
		uint64_t seed = seed0;
		int all;

		large_world(w, &seed);
		all = w->n_jobs;
		w->n_jobs -= 20;
		j = joint_new(&w->round, w->jobs, (size_t)w->n_jobs, w->rows, w->n_rows, seed0, NULL);
		joint_improve(j, 53, NULL, NULL); /* in the middle of a round of annealing */
		while (w->n_jobs < all) {
			joint_add(j, &w->jobs[w->n_jobs++]);
			check_plan(w, j);
		}
		joint_improve(j, 53, NULL, NULL);
		check_plan(w, j);
		if (joint_without_room(j) == 0) {
			assert_true(joint_bound(j) <= joint_objective(j) + 1e-7 * fabs(joint_objective(j)));
			assert_true(joint_objective(j) - joint_bound(j) <= 0.02 * fabs(joint_bound(j)));
		}
	}
}

static bool countdown(void *arg)
{
	return --*(int *)arg <= 0;
}

static void test_same_seed_same_plan(void **state)
{
	struct world *w = *state;
	uint64_t seed = 3;
	struct joint *j[2];

	large_world(w, &seed);
	for (int i = 0; i < 2; i++) {
		int asks = 400; /* far into annealing */

		j[i] = joint_new(&w->round, w->jobs, (size_t)w->n_jobs, w->rows, w->n_rows, 7, NULL);
		joint_improve(j[i], 1000, countdown, &asks);
		check_plan(w, j[i]);
	}
	for (size_t q = 0; q < (size_t)w->n_jobs; q++) {
		assert_int_equal(joint_start(j[0], q).region, joint_start(j[1], q).region);
		assert_int_equal(joint_start(j[0], q).start_ms, joint_start(j[1], q).start_ms);
	}
	assert_true(joint_objective(j[0]) == joint_objective(j[1]) && joint_bound(j[0]) == joint_bound(j[1]));
	joint_free(j[0]);
	joint_free(j[1]);
}

static void test_nothing_to_plan(void **state)
{
	struct world *w = *state;
	_cleanup_(joint_cleanup) struct joint *j = NULL;
	uint64_t seed = 1;

	random_signals(w, &seed, 1, 4);
	w->n_jobs = w->n_rows = 0;
	add_row(w, JOINT_POWER, 0, 0, 1000);
	begin(w);
	j = joint_new(&w->round, w->jobs, 0, w->rows, 1, 1, NULL);
	joint_improve(j, 3, NULL, NULL);
	assert_true(joint_objective(j) == 0 && joint_bound(j) == 0 && joint_without_room(j) == 0);
	random_job(w, &seed, 0, true);
	joint_add(j, &w->jobs[0]);
	joint_improve(j, 3, NULL, NULL);
	assert_int_equal(joint_without_room(j) + joint_without_candidate(j), 1); /* 1 W is not enough */
	random_job(w, &seed, 1, true);
	w->jobs[1].job = (struct planner_job){ .id = "k",
					       .latest_start_ms = SLOT_MS,
					       .duration_ms = SLOT_MS,
					       .power_milliwatts = 500,
					       .weight_cost = 1,
					       .regions = w->allowed[1],
					       .n_regions = 1,
					       .earlier_region = PLANNER_NO_REGION };
	w->jobs[1].amount[JOINT_POWER] = 500;
	joint_add(j, &w->jobs[1]); /* but for this one, to which no slot may stay shut */
	assert_int_equal(joint_start(j, 1).region, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_against_every_combination, setup, teardown),
		cmocka_unit_test_setup_teardown(test_more_time_is_never_worse, setup, teardown),
		cmocka_unit_test_setup_teardown(test_jobs_that_come_later, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_to_plan, setup, teardown),
		cmocka_unit_test_setup_teardown(test_same_seed_same_plan, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
