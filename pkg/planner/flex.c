/* SPDX-License-Identifier: Apache-2.0 */
/* The best form of one job that may pause, move or scale. */
#include "planner/flex.h"

#include <math.h>

#include "planner/internal.h"

/* milliwatts times milliseconds in a milliwatt-hour */
#define PER_MILLIWATT_HOUR 3600000.0

/* Energy in slots of the job's full power. */
static double in_slots(const struct slots *s, const struct planner_job *job, int64_t milliwatt_hours)
{
	double slot = (double)job->power_milliwatts * (double)s->slot_ms / PER_MILLIWATT_HOUR;

	return slot > 0 ? (double)milliwatt_hours / slot : 0;
}

static double mean_cost(const struct slots *s)
{
	double sum = 0;
	int64_t n = 0;

	for (int r = 0; r < s->n_regions; r++) {
		for (int i = 0; s->cost[r] && i < s->n; i++) {
			if (s->cost[r][i] == INFINITY)
				continue;
			sum += s->cost[r][i];
			n++;
		}
	}
	return n ? sum / (double)n : 0;
}

static void interrupt_job_init(struct interrupt_job *ret, const struct slots *s, const struct planner_job *job,
			       int64_t start_min_ms, const struct flex *f)
{
	int64_t latest_ms = job->latest_start_ms == TIME_NONE ? start_min_ms : MAX(job->latest_start_ms, start_min_ms);

	*ret = (struct interrupt_job){
		.earliest_ms = start_min_ms,
		.finish_by_ms = latest_ms + job->duration_ms,
		.duration_ms = job->duration_ms,
		.min_run_ms = f->min_run_ms,
		.checkpoint_ms = f->checkpoint_ms,
		.restart_slots = in_slots(s, job, f->restart_milliwatt_hours),
		.max_interruptions = f->may_pause ? f->max_interruptions : 0,
		.max_moves = CLAMP(f->max_moves, 0, INTERRUPT_MAX_MOVES),
		.move_ms = f->move_ms,
		.delay_per_ms = s->delay_per_ms,
		.region = f->region,
		.running = f->running,
		.ran_ms = f->ran_ms,
	};
	if (f->max_moves > 0 && f->move_milliwatt_hours > 0)
		ret->move_cost = in_slots(s, job, f->move_milliwatt_hours) * MAX(mean_cost(s), 0);
}

bool flex_plan(const struct slots *s, const struct planner_job *job, int64_t start_min_ms, const struct flex *f,
	       struct arena *arena, struct flex_plan *ret)
{
	double waited = s->delay_per_ms * (double)(start_min_ms - job->earliest_ms);
	struct interrupt_plan run;
	struct elastic_plan scaled;
	struct interrupt_job as;
	double work;
	bool found;

	interrupt_job_init(&as, s, job, start_min_ms, f);
	found = interrupt_plan(s, &as, arena, &run);
	if (found) {
		*ret = (struct flex_plan){
			.form = run.n_segments > 1 ? FLEX_INTERRUPT : FLEX_BLOCK,
			.cost = run.cost + waited,
			.restart_cost = run.restart_cost,
			.move_cost = run.move_cost,
			.delay_cost = run.delay_cost + waited,
			.bound = run.cost + waited,
			.segments = run.segments,
			.n_segments = run.n_segments,
			.interruptions = run.interruptions,
			.moves = run.moves,
		};
		for (int i = 0; f->profile && i < run.n_segments; i++)
			ret->segments[i].parallelism = (int16_t)f->profile->max;
	}
	if (!f->profile)
		return found;
	work = f->profile->throughput[f->profile->max] * (double)job->duration_ms / (double)s->slot_ms;
	if (!elastic_plan(s, &as, work, f->profile, f->may_pause, arena, &scaled))
		return found;
	scaled.bound = fmin(scaled.bound + waited, found ? ret->bound : INFINITY);
	if (found && ret->cost <= scaled.cost + waited) {
		ret->bound = scaled.bound;
		return true;
	}
	*ret = (struct flex_plan){ .form = FLEX_ELASTIC,
				   .cost = scaled.cost + waited,
				   .bound = scaled.bound,
				   .segments = scaled.segments,
				   .n_segments = scaled.n_segments };
	for (int i = 1; i < scaled.n_segments; i++)
		ret->interruptions += scaled.segments[i].start_ms > scaled.segments[i - 1].end_ms;
	return true;
}

static bool breaks(const struct planner_limit *limit, bool known, double mean, int sign)
{
	if (limit->enforcement == PLANNER_LIMIT_NONE)
		return false;
	return known ? sign * (mean - limit->value) > 0 : limit->enforcement == PLANNER_LIMIT_HARD;
}

/* Means are weighted by time, as for one block; parallelism does not count. */
static bool within_limits(const struct planner_round *round, const struct planner_job *job,
			  const struct planner_segment *segments, int n)
{
	double sum[N_SIGNALS] = { 0 }, slot_ms = (double)round->signals->slot_ms, ms = 0;
	bool known[N_SIGNALS] = { true, true, true };

	for (int i = 0; i < n; i++) {
		const struct planner_segment *g = &segments[i];
		struct run run = planner_run(round->signals, g->start_ms, g->end_ms - g->start_ms);

		ms += (double)(g->end_ms - g->start_ms);
		for (int k = 0; k < N_SIGNALS; k++) {
			const struct column *c = &round->columns[g->region].signal[k];

			known[k] &= run_known(c, &run);
			sum[k] += run_sum(c, slot_ms, &run);
		}
	}
	return !breaks(&job->max_carbon, known[CARBON], sum[CARBON] / ms, 1) &&
	       !breaks(&job->max_price, known[PRICE], sum[PRICE] / ms, 1) &&
	       !breaks(&job->min_renewable, known[RENEWABLE], sum[RENEWABLE] / ms, -1);
}

bool flex_choose(const struct planner_round *round, const struct planner_job *job, const struct flex *f,
		 struct arena *arena, struct flex_plan *ret)
{
	int64_t start_min_ms = MAX(round->signals->now_ms, job->earliest_ms);

	for (int tries = 0; tries < 2; tries++) {
		struct flex_plan plan;
		struct slots s;

		slots_init(&s, round, job, tries == 1, arena);
		if (!flex_plan(&s, job, start_min_ms, f, arena, &plan))
			return false;
		if (!within_limits(round, job, plan.segments, plan.n_segments))
			continue;
		*ret = plan;
		return true;
	}
	return false;
}

/* What the slots of one segment cost, and its resumption if it is one. */
static double segment_cost(const struct slots *s, const struct interrupt_job *as, const struct flex *f,
			   const struct planner_segment *g, bool resumed, struct arena *arena)
{
	struct slot_sums sums;
	double level = f->profile ? f->profile->power[g->parallelism] : 1, at_start;

	if (!s->cost[g->region])
		return INFINITY;
	slot_sums_init(&sums, s, g->region, arena);
	double cost = level * slot_sums_cost(&sums, g->start_ms, g->end_ms);
	if (!resumed || cost == INFINITY)
		return cost;
	at_start = s->cost[g->region][(g->start_ms - s->first_ms) / s->slot_ms];
	return cost + as->restart_slots * fmax(at_start, 0);
}

double flex_cost(const struct planner_round *round, const struct planner_job *job, const struct flex *f,
		 const struct planner_segment *segments, int n, struct arena *arena)
{
	int64_t start_min_ms = MAX(round->signals->now_ms, job->earliest_ms);
	struct interrupt_job as;
	struct slots s;
	double cost;

	slots_init(&s, round, job, false, arena);
	interrupt_job_init(&as, &s, job, start_min_ms, f);
	if (segments[n - 1].end_ms > as.finish_by_ms || !within_limits(round, job, segments, n))
		return INFINITY;
	cost = s.delay_per_ms * (double)(segments[n - 1].end_ms - job->earliest_ms - job->duration_ms);
	for (int i = 0; i < n; i++) {
		const struct planner_segment *g = &segments[i];
		bool paused = f->region != PLANNER_NO_REGION && !f->running;
		bool resumed = i == 0 ? paused || (f->running && g->start_ms > start_min_ms)
				      : g->start_ms > segments[i - 1].end_ms || g->region != segments[i - 1].region;
		int before = i > 0 ? segments[i - 1].region : f->region;

		cost += segment_cost(&s, &as, f, g, resumed, arena);
		cost += before != PLANNER_NO_REGION && before != g->region ? as.move_cost : 0;
	}
	return cost;
}
