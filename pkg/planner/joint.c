/* SPDX-License-Identifier: Apache-2.0 */
/* All jobs together: set up, the loop of improvement, and what can be asked. */
#include "planner/joint.h"

#include <assert.h>
#include <float.h>
#include <math.h>

#include "base/rand.h"
#include "planner/joint_internal.h"

#define LEAST_SCALE 0.01 /* of a row, against the mean of its resource */

static void rows_init(struct joint *j)
{
	size_t cells = (size_t)j->n_rows * (size_t)j->n_slots;
	double mean[JOINT_RESOURCES] = { 0 };
	int rows[JOINT_RESOURCES] = { 0 };

	j->region_rows = xcalloc((size_t)j->n_regions, sizeof(*j->region_rows));
	memset(j->region_rows, 0xff, (size_t)j->n_regions * sizeof(*j->region_rows));
	j->room = xcalloc(cells + 1, sizeof(*j->room));
	j->price = xcalloc(cells + 1, sizeof(double));
	j->best_price = xcalloc(cells + 1, sizeof(double));
	j->demand = xcalloc(cells + 1, sizeof(double));
	j->direction = xcalloc(cells + 1, sizeof(double));
	j->scale = xcalloc((size_t)j->n_rows + 1, sizeof(double));
	for (int row = 0; row < j->n_rows; row++) {
		const struct joint_row *r = &j->rows[row];
		double sum = 0;

		for (int i = 0; i < r->n_regions; i++) {
			int16_t *list = j->region_rows[r->regions[i]];
			int n = 0;

			while (list[n] >= 0)
				n++;
			assert(n < JOINT_MAX_ROWS_PER_REGION);
			list[n] = (int16_t)row;
		}
		for (int i = 0; i < j->n_slots; i++) {
			j->room[(size_t)row * (size_t)j->n_slots + (size_t)i] = MAX(r->capacity[i], 0);
			sum += (double)MAX(r->capacity[i], 0);
		}
		j->scale[row] = sum / MAX(j->n_slots, 1) * j->row_unit[r->resource];
		mean[r->resource] += j->scale[row];
		rows[r->resource]++;
	}
	for (int row = 0; row < j->n_rows; row++) {
		enum joint_resource k = j->rows[row].resource;

		j->scale[row] = MAX(j->scale[row], LEAST_SCALE * mean[k] / rows[k] + DBL_MIN);
	}
}

void joint_use_best_prices(struct joint *j)
{
	memcpy(j->price, j->best_price, (size_t)j->n_rows * (size_t)j->n_slots * sizeof(double));
	joint_sum_prices(j);
}

/* Slots with less capacity than any job needs get a price that none pays: it costs the bound nothing. */
static void shut_empty(struct joint *j)
{
	for (int row = 0; row < j->n_rows; row++) {
		for (int i = 0; i < j->n_slots; i++) {
			double *price = &j->best_price[(size_t)row * (size_t)j->n_slots + (size_t)i];
			bool empty = j->rows[row].capacity[i] < j->least[j->rows[row].resource];

			*price = empty ? SHUT_PRICE : *price == SHUT_PRICE ? 0 : *price;
		}
	}
	joint_use_best_prices(j);
}

/* True if it needs less of something than any before. */
static bool note_least(struct joint *j, const struct joint_item *x)
{
	bool less = false;

	for (int k = 0; k < JOINT_RESOURCES; k++) {
		int64_t amount = x->job->amount[k];

		if (amount <= 0 || amount >= j->least[k])
			continue;
		j->least[k] = amount;
		less = true;
	}
	return less;
}

/* The earlier plan if it can still be followed, else at once at home: planner.h. */
static void find_incumbent(struct joint *j, struct joint_item *x)
{
	const struct planner_job *job = item_job(x);
	int region = job->earlier_region != PLANNER_NO_REGION ? job->earlier_region : job->home;
	int64_t at_ms = x->start_min_ms;
	bool allowed = false;

	if (job->earlier_region != PLANNER_NO_REGION) {
		int64_t border_ms = job->earlier_start_ms - job->spread_ms;

		at_ms = MAX(job->earlier_start_ms, x->start_min_ms);
		if (at_ms > x->latest_ms)
			return;
		if (border_ms > x->start_min_ms && time_slot_floor(border_ms, j->signals->slot_ms) == border_ms)
			at_ms = border_ms;
	}
	for (int i = 0; i < job->n_regions; i++)
		allowed |= job->regions[i] == region;
	if (!allowed || !(x->noise > 0 || job->earlier_region != PLANNER_NO_REGION))
		return;
	x->incumbent = joint_spot_at(j, x, region, at_ms);
	x->incumbent.cost -= x->noise;
}

static int compare(const void *pa, const void *pb, void *items)
{
	const struct joint_item *a = (const struct joint_item *)items + *(const uint32_t *)pa;
	const struct joint_item *b = (const struct joint_item *)items + *(const uint32_t *)pb;

	if (a->latest_ms != b->latest_ms)
		return a->latest_ms < b->latest_ms ? -1 : 1;
	return (a > b) - (a < b);
}

/* Room for n of them; grows by doubling. */
static void items_grow(struct joint *j, size_t n)
{
	if (n <= j->allocated && j->items)
		return;
	j->allocated = MAX(n, MIN(2 * j->allocated, JOINT_MAX_JOBS));
	j->items = xrealloc(j->items, (j->allocated + 1) * sizeof(*j->items));
	j->order = xrealloc(j->order, (j->allocated + 1) * sizeof(*j->order));
	j->kept = xrealloc(j->kept, (j->allocated + 1) * sizeof(*j->kept));
}

static struct joint_item *item_add(struct joint *j, const struct joint_job *job)
{
	struct joint_item *x = &j->items[j->n];

	joint_item_init(j, x, job);
	find_incumbent(j, x);
	joint_item_rank(j, x);
	j->hopeless += x->unlimited == INFINITY;
	j->missing++;
	j->order[j->n] = (uint32_t)j->n;
	j->n++;
	return x;
}

/* What an earlier joint paid for the same slots of the same rows. */
static void take_prices(struct joint *j, const struct joint *before)
{
	int64_t shift = (j->signals->first_slot_ms - before->signals->first_slot_ms) / j->signals->slot_ms;

	if (before->n_rows != j->n_rows || before->signals->slot_ms != j->signals->slot_ms)
		return;
	for (int row = 0; row < j->n_rows; row++) {
		for (int i = 0; i < j->n_slots; i++) {
			int64_t was = i + shift;

			if (was >= 0 && was < before->n_slots)
				j->best_price[(size_t)row * (size_t)j->n_slots + (size_t)i] =
					before->best_price[(size_t)row * (size_t)before->n_slots + (size_t)was];
		}
	}
}

struct joint *joint_new(const struct planner_round *round, const struct joint_job *jobs, size_t n_jobs,
			const struct joint_row *rows, int n_rows, uint64_t seed, const struct joint *before)
{
	struct joint *j = xcalloc(1, sizeof(*j));
	const struct planner_signals *s = round->signals;

	assert(n_jobs <= JOINT_MAX_JOBS && n_rows <= JOINT_MAX_ROWS);
	*j = (struct joint){ .round = round,
			     .signals = s,
			     .rows = rows,
			     .n_rows = n_rows,
			     .n_regions = s->n_regions,
			     .n_slots = s->n_slots,
			     .stride = s->n_slots + 2 + SEARCH_PAD,
			     .seed = seed,
			     .bound = -INFINITY,
			     .bound_then = -INFINITY,
			     .step = 1 };
	for (int k = 0; k < JOINT_RESOURCES; k++) {
		j->least[k] = INT64_MAX;
		j->row_unit[k] = k == JOINT_POWER ? (double)s->slot_ms / 3.6e12 : 1;
		j->price_sum[k] = xcalloc((size_t)j->n_regions * (size_t)j->stride, sizeof(double));
	}
	rows_init(j);
	j->heads = xmalloc((size_t)j->n_regions * sizeof(*j->heads));
	memset(j->heads, 0xff, (size_t)j->n_regions * sizeof(*j->heads));
	items_grow(j, n_jobs);
	for (size_t i = 0; i < n_jobs; i++)
		(void)note_least(j, item_add(j, &jobs[i]));
	if (before)
		take_prices(j, before);
	shut_empty(j);
	qsort_r(j->order, n_jobs, sizeof(*j->order), compare, j->items);
	for (size_t i = 0; i < n_jobs; i++) {
		struct joint_item *x = &j->items[j->order[i]];

		if (item_job(x)->earlier_region != PLANNER_NO_REGION && x->incumbent.region != PLANNER_NO_REGION &&
		    joint_has_room(j, x, &x->incumbent))
			joint_put(j, x, &x->incumbent);
	}
	joint_fill(j, before ? JOINT_WITH_PRICES : JOINT_TRUE_COST);
	(void)joint_polish(j, NULL, NULL);
	return j;
}

void joint_add(struct joint *j, const struct joint_job *job)
{
	struct joint_item *x;
	struct spot s;
	double v;

	assert(j->n < JOINT_MAX_JOBS);
	items_grow(j, j->n + 1);
	joint_anneal_reset(j);
	x = item_add(j, job);
	joint_use_best_prices(j);
	if (note_least(j, x)) { /* what was shut may be open to it, and then was no bound */
		shut_empty(j);
		j->bound = -INFINITY;
	}
	s = joint_cheapest(j, x, JOINT_WITH_PRICES, false, &v);
	if (s.region != PLANNER_NO_REGION)
		j->bound += v;
	s = joint_cheapest(j, x, JOINT_WITH_PRICES, true, &v);
	if (s.region != PLANNER_NO_REGION)
		joint_put(j, x, &s);
	else
		(void)joint_search(j, NULL, NULL);
}

void joint_free(struct joint *j)
{
	if (!j)
		return;
	for (int c = 0; c <= JOINT_MAX_CLASSES; c++)
		joint_class_release(&j->classes[c]);
	for (int k = 0; k < JOINT_RESOURCES; k++)
		free(j->price_sum[k]);
	free(j->region_rows);
	free(j->room);
	free(j->price);
	free(j->best_price);
	free(j->demand);
	free(j->direction);
	free(j->scale);
	free(j->heads);
	for (size_t i = 0; i < j->n; i++)
		free(j->items[i].options);
	free(j->items);
	free(j->order);
	free(j->kept);
	joint_anneal_release(j);
	free(j);
}

/* The bound has stopped to close the gap: time is better spent on the plan. */
static bool is_settled(struct joint *j)
{
	if (j->steps % SETTLE_EVERY == 0) {
		j->settled = j->bound - j->bound_then < SETTLED * (j->objective - j->bound);
		j->bound_then = j->bound;
	}
	return j->settled;
}

void joint_improve(struct joint *j, int steps, bool (*out_of_time)(void *arg), void *arg)
{
	if (j->n == 0)
		j->bound = 0;
	for (int i = 0; i < steps && j->n > 0; i++) {
		bool sampling = joint_is_sampling(j), settled;

		if (j->step > STEP_LEAST && !j->relaxed && !joint_dual_step(j, out_of_time, arg))
			return;
		if (sampling)
			continue;
		j->steps++;
		settled = is_settled(j);
		if (settled && !joint_anneal(j, out_of_time, arg))
			return;
		if (settled ? j->anneal.sweep < j->anneal.sweeps : j->steps % ROUND_OFF_EVERY != 0)
			continue;
		joint_round_off(j, settled ? JOINT_ANNEALED : JOINT_WITH_PRICES);
		if (!joint_polish(j, out_of_time, arg) || !joint_search(j, out_of_time, arg))
			return;
	}
}

struct joint_start joint_start(const struct joint *j, size_t job)
{
	const struct joint_item *x = &j->items[job];
	int64_t at_ms = x->at.at_ms;

	if (x->at.region == PLANNER_NO_REGION)
		return (struct joint_start){ .region = PLANNER_NO_REGION };
	return (struct joint_start){ x->at.region, at_ms > x->start_min_ms
							   ? MIN(at_ms + item_job(x)->spread_ms, x->latest_ms)
							   : at_ms };
}

double joint_objective(const struct joint *j)
{
	return j->objective;
}

double joint_bound(const struct joint *j)
{
	return j->bound;
}

size_t joint_without_candidate(const struct joint *j)
{
	return j->hopeless;
}

size_t joint_without_room(const struct joint *j)
{
	return j->missing - j->hopeless;
}

void joint_explain(const struct joint *j, size_t job, struct joint_view *ret)
{
	const struct joint_item *x = &j->items[job];
	double total = joint_total_energy(x);
	bool placed = x->at.region != PLANNER_NO_REGION;

	*ret = (struct joint_view){ .objective = placed ? x->at.cost / total : NAN,
				    .unlimited = x->unlimited / total,
				    .scarcity = placed ? joint_price_of(j, x, &x->at) / total : NAN };
}
