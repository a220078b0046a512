/* SPDX-License-Identifier: Apache-2.0 */
/* Marginal allocation of an elastic job's work to slots, with pauses or in one stretch. */
#include <math.h>

#include "planner/elastic_internal.h"

#define MAX_STEPS (PLANNER_MAX_SLOTS * ELASTIC_MAX_LEVELS)
#define ROUNDING 1e-9 /* of the work */

/*
 * Lower convex hull of power over throughput: the least power for any work per slot when levels are mixed in time.
 * Where energy costs less than nothing it is the upper one.
 */
static void hull_init(struct elastic_hull *h, const struct elastic_profile *p, int from, bool negative)
{
	double sign = negative ? -1 : 1;

	h->n = 0;
	h->level[h->n++] = from;
	for (int level = MAX(p->min, from + 1); level <= p->max; level++) {
		while (h->n >= 2) {
			int a = h->level[h->n - 2], b = h->level[h->n - 1];
			double before = (p->power[b] - p->power[a]) * (p->throughput[level] - p->throughput[b]);
			double after = (p->power[level] - p->power[b]) * (p->throughput[b] - p->throughput[a]);

			if (sign * before < sign * after)
				break;
			h->n--;
		}
		h->level[h->n++] = level;
	}
}

double elastic_part(const struct elastic_frame *f, int slot)
{
	int64_t start_ms = slots_start_ms(f->s, slot);
	int64_t from_ms = MAX(start_ms, f->job->earliest_ms);
	int64_t to_ms = MIN(start_ms + f->s->slot_ms, f->job->finish_by_ms);

	return (double)MAX(to_ms - from_ms, 0) / (double)f->s->slot_ms;
}

bool elastic_frame_init(struct elastic_frame *f, const struct slots *s, const struct slot_sums *sums,
			const struct interrupt_job *job, double work, const struct elastic_profile *profile,
			int16_t region)
{
	int64_t first = (job->earliest_ms - s->first_ms) / s->slot_ms;
	int64_t end = (job->finish_by_ms - s->first_ms + s->slot_ms - 1) / s->slot_ms;

	*f = (struct elastic_frame){
		.s = s,
		.sums = sums,
		.profile = profile,
		.job = job,
		.region = region,
		.work = work,
	};
	if (job->earliest_ms < s->first_ms || first >= s->n || end <= first)
		return false;
	f->first = (int)first;
	f->end = (int)MIN(end, s->n);
	for (int i = f->first; i < f->end; i++)
		f->floor = MIN(f->floor, sums->cost ? sums->cost[i] : 0);
	for (int negative = 0; negative < 2; negative++) {
		hull_init(&f->hull[0][negative], profile, 0, negative);
		hull_init(&f->hull[1][negative], profile, profile->min, negative);
	}
	return true;
}

static bool dearer(const struct elastic_step *a, const struct elastic_step *b)
{
	if (a->price != b->price)
		return a->price > b->price;
	return a->slot != b->slot ? a->slot > b->slot : a->edge > b->edge;
}

static void heap_push(struct elastic_heap *h, struct elastic_step step)
{
	size_t i = h->steps.len;
	struct elastic_step *v;

	*vec_push(&h->steps, MAX_STEPS) = step;
	v = h->steps.ptr;
	for (; i > 0 && dearer(&step, &v[(i - 1) / 2]); i = (i - 1) / 2)
		v[i] = v[(i - 1) / 2];
	v[i] = step;
	h->work += step.work;
	h->cost += step.work * step.price;
}

static void heap_pop(struct elastic_heap *h)
{
	struct elastic_step *v = h->steps.ptr, last;
	size_t n = h->steps.len - 1, i = 0;

	h->work -= v[0].work;
	h->cost -= v[0].work * v[0].price;
	last = v[n];
	h->steps.len = n;
	for (size_t child; (child = 2 * i + 1) < n; i = child) {
		if (child + 1 < n && dearer(&v[child + 1], &v[child]))
			child++;
		if (!dearer(&v[child], &last))
			break;
		v[i] = v[child];
	}
	v[i] = last;
}

static const struct elastic_hull *hull_of(const struct elastic_frame *f, int slot, bool from_min)
{
	return &f->hull[from_min][f->sums->cost[slot] < 0];
}

static void heap_add_slot(struct elastic_heap *h, const struct elastic_frame *f, int slot, bool from_min)
{
	const struct elastic_profile *p = f->profile;
	const struct elastic_hull *hull = hull_of(f, slot, from_min);
	double part = elastic_part(f, slot);

	for (int e = 0; e + 1 < hull->n && part > 0; e++) {
		int a = hull->level[e], b = hull->level[e + 1];
		double work = p->throughput[b] - p->throughput[a];

		heap_push(h, (struct elastic_step){ f->sums->cost[slot] * (p->power[b] - p->power[a]) / work,
						    work * part, slot, e });
	}
}

/* Drops what is not needed; the cost of the rest, of which the dearest step is only needed in part; INFINITY if short.
 */
static double heap_cost(struct elastic_heap *h, double need)
{
	if (h->work < need * (1 - ROUNDING))
		return INFINITY;
	while (h->steps.len && h->work - h->steps.ptr[0].work >= need)
		heap_pop(h);
	return h->steps.len ? h->cost - MAX(h->work - need, 0) * h->steps.ptr[0].price : 0;
}

static double delay_cost(const struct elastic_frame *f, int64_t end_ms)
{
	const struct elastic_profile *p = f->profile;
	double least_ms = f->work / p->throughput[p->max] * (double)f->s->slot_ms;

	return f->job->delay_per_ms * MAX((double)(end_ms - f->job->earliest_ms) - least_ms, 0);
}

/* A slot's levels: `high` for the part of it that is `share`, then `low`. */
struct mix {
	int low, high;
	double share;
};

static void mixes_fill(const struct elastic_frame *f, const struct elastic_heap *h, double need, bool from_min,
		       struct mix *mix)
{
	const struct elastic_step *top = h->steps.ptr;

	for (size_t i = 0; i < h->steps.len; i++) {
		const struct elastic_step *step = &h->steps.ptr[i];
		struct mix *m = &mix[step->slot];

		m->low = m->high = MAX(m->low, hull_of(f, step->slot, from_min)->level[step->edge + 1]);
		m->share = 1;
	}
	if (h->steps.len && h->work > need) { /* the dearest, of the highest edge in its slot */
		struct mix *m = &mix[top->slot];

		m->low = hull_of(f, top->slot, from_min)->level[top->edge];
		m->share = 1 - (h->work - need) / top->work;
	}
}

static void segments_add(struct elastic_plan *plan, const struct elastic_frame *f, int level, int64_t start_ms,
			 int64_t end_ms)
{
	struct planner_segment *last = plan->n_segments ? &plan->segments[plan->n_segments - 1] : NULL;

	if (level == 0 || end_ms <= start_ms)
		return;
	if (last && last->end_ms == start_ms && last->parallelism == level) {
		last->end_ms = end_ms;
		return;
	}
	plan->segments[plan->n_segments++] = (struct planner_segment){ f->region, (int16_t)level, start_ms, end_ms };
}

/* High before low, so that the end comes early; but next to the neighbour that runs. */
static void segments_fill(struct elastic_plan *plan, const struct elastic_frame *f, const struct mix *mix, int from,
			  int to, struct arena *arena)
{
	plan->segments = arena_array(arena, 2 * (size_t)(to - from), struct planner_segment);
	plan->n_segments = 0;
	for (int i = from; i < to; i++) {
		const struct mix *m = &mix[i];
		int64_t start_ms = MAX(slots_start_ms(f->s, i), f->job->earliest_ms);
		int64_t end_ms = MIN(slots_start_ms(f->s, i + 1), f->job->finish_by_ms);
		int64_t high_ms = MIN((int64_t)ceil(m->share * (double)(end_ms - start_ms) - 1e-3), end_ms - start_ms);
		bool late = m->low == 0 && i + 1 < to && mix[i + 1].high && (i == from || mix[i - 1].low == 0);

		if (late) {
			segments_add(plan, f, m->high, end_ms - high_ms, end_ms);
			continue;
		}
		segments_add(plan, f, m->high, start_ms, start_ms + high_ms);
		segments_add(plan, f, m->low, start_ms + high_ms, end_ms);
	}
}

/* The delay was counted as if the last slot were used up. */
static void plan_take(struct elastic_plan *plan, const struct elastic_frame *f, enum elastic_form form, double cost,
		      double late_cost)
{
	plan->form = form;
	plan->cost = cost - late_cost + delay_cost(f, plan->segments[plan->n_segments - 1].end_ms);
}

static double window_end_cost(const struct elastic_frame *f, int last)
{
	return delay_cost(f, MIN(slots_start_ms(f->s, last + 1), f->job->finish_by_ms));
}

void elastic_marginal(const struct elastic_frame *f, struct elastic_plan *plan, struct arena *arena)
{
	struct elastic_heap h = { 0 };
	struct mix *mix;
	double best = plan->cost;
	int last = -1;

	for (int i = f->first; i < f->end; i++) {
		double cost;

		if (f->sums->shut[i] == i)
			continue;
		heap_add_slot(&h, f, i, false);
		cost = heap_cost(&h, f->work);
		plan->bound = fmin(plan->bound, cost + delay_cost(f, slots_start_ms(f->s, i)));
		cost += window_end_cost(f, i);
		if (cost >= best)
			continue;
		best = cost;
		last = i;
	}
	h.steps.len = 0;
	h.work = h.cost = 0;
	for (int i = f->first; i <= last; i++) {
		if (f->sums->shut[i] == i)
			continue;
		heap_add_slot(&h, f, i, false);
		(void)heap_cost(&h, f->work);
	}
	if (last >= 0) {
		mix = xcalloc((size_t)f->s->n, sizeof(*mix));
		mixes_fill(f, &h, f->work, false, mix);
		segments_fill(plan, f, mix, f->first, last + 1, arena);
		plan_take(plan, f, ELASTIC_MARGINAL, best, window_end_cost(f, last));
		free(mix);
	}
	vec_release(&h.steps);
}

/* Running at `min` at least from slot `first` on: what each later end costs. Returns the best last slot, -1 if none. */
static int best_end(const struct elastic_frame *f, struct elastic_heap *h, int first, int until, double *best)
{
	const struct elastic_profile *p = f->profile;
	double base_work = 0, base_cost = 0;
	int last = -1;

	h->steps.len = 0;
	h->work = h->cost = 0;
	for (int i = first; i < until && f->sums->shut[i] > i; i++) {
		double part = elastic_part(f, i), cost;

		base_work += part * p->throughput[p->min];
		base_cost += part * p->power[p->min] * f->sums->cost[i];
		if (base_work > f->work * (1 + ROUNDING) || (f->floor >= 0 && base_cost >= *best))
			break;
		heap_add_slot(h, f, i, true);
		if (base_work + h->work < f->work * (1 - ROUNDING))
			continue;
		cost = base_cost + heap_cost(h, MAX(f->work - base_work, 0)) + window_end_cost(f, i);
		if (cost >= *best)
			continue;
		*best = cost;
		last = i;
	}
	return last;
}

void elastic_stretch(const struct elastic_frame *f, struct elastic_plan *plan, struct arena *arena)
{
	const struct elastic_profile *p = f->profile;
	struct elastic_heap h = { 0 };
	double best = plan->cost, again = INFINITY, base = 0;
	int from = -1, last = -1;
	struct mix *mix;

	for (int first = f->first; first < f->end; first++) {
		int end = best_end(f, &h, first, f->end, &best);

		from = end >= 0 ? first : from;
		last = end >= 0 ? end : last;
	}
	if (last >= 0) {
		mix = xcalloc((size_t)f->s->n, sizeof(*mix));
		(void)best_end(f, &h, from, last + 1, &again);
		for (int i = from; i <= last; i++) {
			mix[i] = (struct mix){ p->min, p->min, 1 };
			base += elastic_part(f, i) * p->throughput[p->min];
		}
		mixes_fill(f, &h, MAX(f->work - base, 0), true, mix);
		segments_fill(plan, f, mix, from, last + 1, arena);
		plan_take(plan, f, ELASTIC_STRETCH, best, window_end_cost(f, last));
		free(mix);
	}
	vec_release(&h.steps);
}
