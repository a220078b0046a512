/* SPDX-License-Identifier: Apache-2.0 */
/* The forms of an elastic plan, and the best of them. */
#include "planner/elastic.h"

#include <math.h>

#include "planner/elastic_internal.h"

/* What starting after each pause costs; INFINITY if the segments pause more often or shorter than the job may. */
static double pauses_cost(const struct interrupt_job *job, const struct slot_sums *sums, const struct elastic_plan *p)
{
	const struct slots *s = sums->slots;
	bool begun = job->region != PLANNER_NO_REGION;
	int64_t since_ms = 0;
	int pauses = 0;
	double cost = 0;

	for (int i = 0; i < p->n_segments; i++) {
		const struct planner_segment *g = &p->segments[i];
		bool goes_on = i ? g->start_ms == p->segments[i - 1].end_ms
				 : job->running && g->start_ms == job->earliest_ms && g->region == job->region;
		bool ends = i + 1 == p->n_segments || p->segments[i + 1].start_ms > g->end_ms;

		if (!goes_on) {
			since_ms = g->start_ms;
			if (i > 0 || begun)
				cost += job->restart_slots *
					MAX(sums->cost[(g->start_ms - s->first_ms) / s->slot_ms], 0);
			pauses += i > 0 || job->running;
		} else if (i == 0) {
			since_ms = g->start_ms - job->ran_ms;
		}
		if (ends && g->end_ms - since_ms < job->min_run_ms)
			return INFINITY;
	}
	if (pauses &&
	    (job->checkpoint_ms > 0 || (job->max_interruptions != INTERRUPT_ANY && pauses > job->max_interruptions)))
		return INFINITY;
	return cost;
}

static void keep_better(struct elastic_plan *best, const struct elastic_plan *other)
{
	double bound = fmin(best->bound, other->bound);

	if (other->cost < best->cost)
		*best = *other;
	best->bound = bound;
}

/* One level from begin to end: the other planner's job, with costs that are multiples of that level's power. */
static void try_level(const struct slots *s, const struct interrupt_job *given, double work,
		      const struct elastic_profile *p, int level, struct arena *arena, struct elastic_plan *best)
{
	struct interrupt_job job = *given;
	struct interrupt_plan plan;
	struct elastic_plan mine = { .bound = INFINITY, .form = ELASTIC_FIXED };
	double least_ms = work / p->throughput[p->max] * (double)s->slot_ms;
	double duration_ms = work / p->throughput[level] * (double)s->slot_ms, power = p->power[level];

	if (power <= 0 || duration_ms > (double)s->n * (double)s->slot_ms)
		return;
	job.duration_ms = (int64_t)ceil(duration_ms - 1e-6);
	job.restart_slots /= power;
	job.delay_per_ms /= power;
	job.max_moves = 0;
	if (!interrupt_plan(s, &job, arena, &plan))
		return;
	mine.cost = plan.cost * power + given->delay_per_ms * ((double)job.duration_ms - least_ms);
	mine.segments = plan.segments;
	mine.n_segments = plan.n_segments;
	for (int i = 0; i < plan.n_segments; i++)
		mine.segments[i].parallelism = (int16_t)level;
	keep_better(best, &mine);
}

static void try_region(const struct elastic_frame *f, bool may_pause, struct arena *arena, struct elastic_plan *best)
{
	struct elastic_plan mine = { .cost = INFINITY, .bound = INFINITY };
	struct elastic_plan stretch = { .cost = best->cost, .bound = INFINITY };
	struct interrupt_job job = *f->job;

	if (!may_pause)
		job.max_interruptions = 0;
	elastic_marginal(f, &mine, arena);
	if (mine.n_segments)
		mine.cost += pauses_cost(&job, f->sums, &mine);
	keep_better(best, &mine);
	if (mine.cost <= mine.bound) /* nothing is better */
		return;
	stretch.cost = best->cost;
	elastic_stretch(f, &stretch, arena);
	if (!stretch.n_segments)
		return;
	stretch.cost += pauses_cost(&job, f->sums, &stretch);
	keep_better(best, &stretch);
}

bool elastic_profile_is_valid(const struct elastic_profile *p)
{
	if (p->min < 1 || p->max < p->min || p->max > ELASTIC_MAX_LEVELS || p->throughput[0] != 0 || p->power[0] != 0)
		return false;
	for (int n = 1; n <= p->max; n++) {
		if (!(p->throughput[n] > p->throughput[n - 1]) || !(p->power[n] > 0) ||
		    !(p->power[n] >= p->power[n - 1]) || !isfinite(p->throughput[n]) || !isfinite(p->power[n]))
			return false;
	}
	return true;
}

bool elastic_plan(const struct slots *s, const struct interrupt_job *given, double work,
		  const struct elastic_profile *profile, bool may_pause, struct arena *arena, struct elastic_plan *ret)
{
	struct interrupt_job job = *given;
	struct elastic_plan best = { .cost = INFINITY, .bound = INFINITY };

	if (!(work > 0) || !elastic_profile_is_valid(profile))
		return false;
	if (!may_pause)
		job.max_interruptions = 0;
	for (int r = 0; r < s->n_regions; r++) {
		struct slot_sums sums;
		struct elastic_frame f;

		if (!s->cost[r] || (job.region != PLANNER_NO_REGION && job.region != r))
			continue;
		slot_sums_init(&sums, s, r, arena);
		if (elastic_frame_init(&f, s, &sums, &job, work, profile, (int16_t)r))
			try_region(&f, may_pause, arena, &best);
	}
	for (int level = profile->min; level <= profile->max && best.cost > best.bound; level++)
		try_level(s, &job, work, profile, level, arena, &best);
	if (best.n_segments == 0)
		return false;
	*ret = best;
	return true;
}
