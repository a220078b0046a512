/* SPDX-License-Identifier: Apache-2.0 */
/* The policies that the operator uses: planner_choose(), flex_choose(), and planning again with each issue. */
#include <math.h>

#include "planner/flex.h"
#include "planner/replan.h"
#include "sim/internal.h"

#define CARBON_ERROR_MG 20000 /* contracts 3, until scored */
#define PRICE_ERROR_PERMILLE 100
#define MEAN_ABS_NORMAL 0.79788 /* of a standard normal deviate */
#define WEIGHT_UNIT 10000
#define REPLAN_EVERY_MS HOUR_MS /* between two issues */

/* A round of one job at one time. Regions are its zones in its own order. */
struct solo {
	struct planner_signals signals;
	struct planner_region regions[SIGNALS_MAX_ZONES];
	int16_t region_list[SIGNALS_MAX_ZONES];
	struct planner_job job;
	struct planner_round round;
	double noise; /* in the unit of the objective */
};

int32_t *planner_column(const double *value, int n, double unit, struct arena *arena)
{
	int32_t *c = arena_array(arena, (size_t)n, int32_t);

	for (int i = 0; i < n; i++)
		c[i] = isnan(value[i]) ? PLANNER_UNKNOWN
				       : (int32_t)lround(CLAMP(value[i] * unit, -2147483000.0, 2147483000.0));
	return c;
}

void planner_errors(struct planner_signals *p, const struct scenario *s, int zone)
{
	double sigma = s->outlook->sigma * MEAN_ABS_NORMAL;

	if (s->outlook->by_issue) {
		p->carbon_error_mg_per_kwh = CARBON_ERROR_MG;
		p->price_error_permille = PRICE_ERROR_PERMILLE;
	} else {
		double mean = s->grid->zones[zone].column[SIGNAL_CARBON].mean_size;

		p->carbon_error_mg_per_kwh = (int32_t)lround(fmin(sigma * mean * 1000, 1e9));
		p->price_error_permille = (int32_t)lround(sigma * 1000);
	}
}

/* Room that changes from slot to slot: the most there is anywhere is the limit, the rest is reserved. */
static void limit_rooms(struct solo *o, const struct scenario *s, const struct job *job)
{
	const struct planner_signals *p = &o->signals;

	for (int z = 0; z < p->n_regions && s->room; z++) {
		const double *watts = s->room->watts[job->zones[z]];
		int64_t first = (p->first_slot_ms - s->grid->start_ms) / p->slot_ms;
		int64_t limit = o->regions[z].power_limit_milliwatts;

		for (int i = 0; watts && i < p->n_slots; i++) {
			int64_t free_milliwatts = (int64_t)fmax(fmin(watts[first + i] * 1000, (double)limit), 0);

			planner_reserve(&o->round, z, p->first_slot_ms + i * p->slot_ms,
					p->first_slot_ms + (i + 1) * p->slot_ms, limit - free_milliwatts);
		}
	}
}

static int64_t most_milliwatts(const struct scenario *s, int zone, int64_t power_milliwatts)
{
	if (!s->room || !s->room->watts[zone])
		return 0;
	/* Whatever is free beyond the job's own power makes no difference to it. */
	return MAX(power_milliwatts, 1);
}

static int32_t weight_of(double w)
{
	return (int32_t)lround(w * WEIGHT_UNIT);
}

static struct planner_limit hard_cap(double cap, double unit)
{
	if (isnan(cap))
		return (struct planner_limit){ .enforcement = PLANNER_LIMIT_NONE };
	return (struct planner_limit){ PLANNER_LIMIT_HARD, (int32_t)lround(CLAMP(cap * unit, -2e9, 2e9)) };
}

void planner_job_init(struct planner_job *ret, const struct scenario *s, const struct task *t, int64_t left_ms)
{
	const struct job *job = t->job;
	/* What is left of the job may start so much later. */
	int64_t latest_ms = t->latest_start_ms + job->duration_ms - left_ms;
	bool delay_counts = s->policy == POLICY_BLOCK || s->policy == POLICY_LOADSHIFT;

	*ret = (struct planner_job){
		.id = job->id,
		.earliest_ms = t->start_min_ms,
		.latest_start_ms = latest_ms,
		.duration_ms = left_ms,
		.power_milliwatts = llround(job->power_w * 1000),
		.weight_carbon = weight_of(s->weight_carbon),
		.weight_cost = weight_of(s->weight_cost),
		.weight_delay = delay_counts ? weight_of(s->weight_delay) : 0,
		.max_carbon = hard_cap(job->max_carbon, 1000),
		.max_price = hard_cap(job->max_price, 1000),
		.n_regions = job->n_zones,
		.earlier_region = PLANNER_NO_REGION,
	};
}

/* What was believed at as_of, for work that is left and may begin from now_ms on. */
static void solo_init(struct solo *o, const struct scenario *s, const struct task *t, int64_t now_ms, int64_t left_ms,
		      int64_t as_of_ms, bool corrected, struct arena *arena)
{
	const struct job *job = t->job;
	struct view v;
	double w;

	task_view(s, t, now_ms, as_of_ms, corrected, arena, &v);
	planner_job_init(&o->job, s, t, left_ms);
	o->job.regions = o->region_list;
	o->signals = (struct planner_signals){ .now_ms = now_ms,
					       .first_slot_ms = v.first_ms,
					       .slot_ms = v.slot_ms,
					       .n_slots = MIN(v.n, PLANNER_MAX_SLOTS),
					       .regions = o->regions,
					       .n_regions = job->n_zones };
	planner_errors(&o->signals, s, job->zones[0]);
	for (int z = 0; z < job->n_zones; z++) {
		o->region_list[z] = (int16_t)z;
		o->regions[z] = (struct planner_region){
			.carbon_mg_per_kwh = planner_column(v.value[z][SIGNAL_CARBON], o->signals.n_slots, 1000, arena),
			.price_micros_per_kwh =
				planner_column(v.value[z][SIGNAL_PRICE], o->signals.n_slots, 1000, arena),
			.power_limit_milliwatts = most_milliwatts(s, job->zones[z], o->job.power_milliwatts),
			.power_limit_hard = true,
		};
	}
	planner_round_init(&o->round, &o->signals, &o->job, 1, arena);
	if (s->scale_series) {
		o->round.carbon_scale = s->grid->mean_size[SIGNAL_CARBON] * 1000;
		o->round.price_scale = s->grid->mean_size[SIGNAL_PRICE] * 1000;
	}
	limit_rooms(o, s, job);
	w = s->weight_carbon + s->weight_cost + o->job.weight_delay / (double)WEIGHT_UNIT;
	o->noise = (o->round.carbon_scale > 0
			    ? s->weight_carbon / w * o->signals.carbon_error_mg_per_kwh / o->round.carbon_scale
			    : 0) +
		   (o->round.price_scale > 0 ? s->weight_cost / w * o->signals.price_error_permille / 1000 : 0);
}

static bool block_of(const struct solo *o, const struct task *t, const struct planner_result *r, struct arena *arena,
		     struct plan *ret)
{
	if (r->choice.region == PLANNER_NO_REGION)
		return false;
	return one_segment(arena, ret, t->job->zones[r->choice.region], MAX(t->job->scale.max, 1), r->choice.start_ms,
			   r->choice.start_ms + o->job.duration_ms);
}

bool plan_block(const struct scenario *s, const struct task *t, struct arena *arena, struct plan *ret)
{
	struct planner_result r;
	struct solo o;

	solo_init(&o, s, t, t->start_min_ms, t->job->duration_ms, t->decide_ms, false, arena);
	planner_choose(&o.round, &o.job, &r);
	return block_of(&o, t, &r, arena, ret);
}

void flex_init(struct flex *f, const struct scenario *s, const struct job *job)
{
	bool pauses = policy_may_pause(s, job);

	*f = (struct flex){
		.may_pause = pauses,
		.max_interruptions = job->max_interruptions,
		.min_run_ms = job->min_run_ms,
		.restart_milliwatt_hours = llround(job->restart_wh * 1000),
		.max_moves = pauses && job->n_zones > 1,
		.profile = policy_may_scale(s, job) ? &job->scale : NULL,
		.region = PLANNER_NO_REGION,
	};
}

/* The planner's plan with the signals' zones. */
static void take(const struct task *t, const struct flex_plan *from, struct plan *ret)
{
	*ret = (struct plan){ .segments = from->segments, .n_segments = from->n_segments };
	for (int i = 0; i < ret->n_segments; i++) {
		ret->segments[i].region = t->job->zones[ret->segments[i].region];
		ret->segments[i].parallelism = (int16_t)MAX(ret->segments[i].parallelism, 1);
	}
}

/* Jobs that scale run at their highest level where the planner knew of no levels. */
static void at_full_scale(const struct scenario *s, const struct job *job, struct plan *plan)
{
	for (int i = 0; job->scale.max && !policy_may_scale(s, job) && i < plan->n_segments; i++)
		plan->segments[i].parallelism = (int16_t)job->scale.max;
}

bool plan_flex(const struct scenario *s, const struct task *t, struct arena *arena, struct plan *ret)
{
	struct planner_result r;
	struct flex_plan found;
	struct flex f;
	struct solo o;

	flex_init(&f, s, t->job);
	solo_init(&o, s, t, t->start_min_ms, t->job->duration_ms, t->decide_ms, false, arena);
	if (flex_choose(&o.round, &o.job, &f, arena, &found)) {
		take(t, &found, ret);
		at_full_scale(s, t->job, ret);
		return true;
	}
	planner_choose(&o.round, &o.job, &r);
	return block_of(&o, t, &r, arena, ret);
}

/* The part of the first plan's remaining running time that the second does not run in. */
static double moved_part(const struct plan *a, const struct plan *b, int64_t now_ms)
{
	int64_t all = 0, same = 0;

	for (int i = 0; i < a->n_segments; i++) {
		int64_t from = MAX(a->segments[i].start_ms, now_ms), to = a->segments[i].end_ms;

		if (to <= from)
			continue;
		all += to - from;
		for (int k = 0; k < b->n_segments; k++) {
			const struct planner_segment *g = &b->segments[k];

			if (g->region == a->segments[i].region && g->parallelism == a->segments[i].parallelism)
				same += MAX(MIN(to, g->end_ms) - MAX(from, g->start_ms), 0);
		}
	}
	return all ? 1 - (double)same / (double)all : 0;
}

/* How far a job has come. */
struct progress {
	int64_t left_ms; /* of work, at full parallelism */
	bool begun, running;
	int64_t ran_ms; /* since the last start or resumption, if running */
	int zone_index; /* of the last segment begun, in the job's list */
	int n_done;     /* segments begun */
	int pauses;
};

static int zone_index(const struct job *job, int zone)
{
	int i = 0;

	while (job->zones[i] != zone)
		i++;
	return i;
}

static double speed_of(const struct job *job, int parallelism)
{
	return job->scale.max ? job->scale.throughput[parallelism] / job->scale.throughput[job->scale.max] : 1;
}

static void progress_at(const struct job *job, const struct plan *plan, int64_t now_ms, struct progress *p)
{
	double done_ms = 0;

	*p = (struct progress){ .zone_index = PLANNER_NO_REGION };
	for (int i = 0; i < plan->n_segments && plan->segments[i].start_ms < now_ms; i++) {
		const struct planner_segment *g = &plan->segments[i];
		bool goes_on = i > 0 && g->start_ms == plan->segments[i - 1].end_ms &&
			       g->region == plan->segments[i - 1].region;
		int64_t end_ms = MIN(g->end_ms, now_ms);

		done_ms += (double)(end_ms - g->start_ms) * speed_of(job, g->parallelism);
		p->ran_ms = end_ms - g->start_ms + (goes_on ? p->ran_ms : 0);
		p->pauses += i > 0 && !goes_on;
		p->begun = true;
		p->running = g->end_ms >= now_ms;
		p->zone_index = zone_index(job, g->region);
		p->n_done = i + 1;
	}
	p->left_ms = job->duration_ms - (int64_t)floor(done_ms);
}

/* What is left of a plan costs that much by a round's beliefs: as flex_plan.cost. */
static double cost_of_rest(const struct solo *o, const struct task *t, const struct slots *slots,
			   const struct plan *plan, const struct flex *f, struct arena *arena)
{
	const struct job *job = t->job;
	int64_t now_ms = o->signals.now_ms, end_ms = now_ms, last_end_ms = f->running ? now_ms : INT64_MIN;
	double slot_wh = job->power_w * (double)slots->slot_ms / (double)HOUR_MS, cost = 0;
	bool begun = f->region != PLANNER_NO_REGION;

	for (int i = 0; i < plan->n_segments; i++) {
		const struct planner_segment *g = &plan->segments[i];
		int zone = zone_index(job, g->region);
		int64_t from = MAX(g->start_ms, now_ms), slot = (from - slots->first_ms) / slots->slot_ms;
		struct slot_sums sums;

		if (g->end_ms <= now_ms)
			continue;
		if (slot < 0 || slot >= slots->n || !slots->cost[zone])
			return INFINITY;
		slot_sums_init(&sums, slots, zone, arena);
		cost += slot_sums_cost(&sums, from, g->end_ms) * job_watts(job, g->parallelism) /
			fmax(job->power_w, 1e-9);
		if (begun && from != last_end_ms && slot_wh > 0)
			cost += job->restart_wh / slot_wh * fmax(slots->cost[zone][slot], 0);
		begun = true;
		end_ms = last_end_ms = g->end_ms;
	}
	return cost + slots->delay_per_ms * (double)(end_ms - t->start_min_ms - o->job.duration_ms);
}

static void join(struct plan *plan, const struct progress *p, int64_t now_ms, const struct plan *rest,
		 struct arena *arena)
{
	struct planner_segment *g = arena_array(arena, (size_t)(p->n_done + rest->n_segments), struct planner_segment);
	int n = p->n_done, i = 0;

	memcpy(g, plan->segments, (size_t)n * sizeof(*g));
	if (n)
		g[n - 1].end_ms = MIN(g[n - 1].end_ms, now_ms);
	if (n && rest->n_segments && rest->segments[0].start_ms == g[n - 1].end_ms &&
	    rest->segments[0].region == g[n - 1].region && rest->segments[0].parallelism == g[n - 1].parallelism)
		g[n - 1].end_ms = rest->segments[i++].end_ms;
	for (; i < rest->n_segments; i++)
		g[n++] = rest->segments[i];
	*plan = (struct plan){ .segments = g, .n_segments = n, .changes = plan->changes + 1 };
}

/*
 * Plans what has not run anew, and takes it if that is worth it. The noise is that of a forecast corrected by the
 * present error, on the part that moves. A new issue is believed as it is, by jobs that may pause: what they gain is
 * spread over many slots, and on DE, ES and NL (docs/results.md) minding 20 g/kWh there loses 0.3 to 4 %.
 */
static void plan_again(const struct scenario *s, const struct task *t, int64_t now_ms, bool corrected,
		       struct arena *arena, struct plan *plan)
{
	struct flex_plan found;
	struct progress p;
	struct plan fresh;
	double moved;
	struct slots slots;
	struct flex f;
	struct solo o;

	progress_at(t->job, plan, now_ms, &p);
	flex_init(&f, s, t->job);
	if (p.left_ms <= 0 || (p.begun && !f.may_pause && !f.profile))
		return;
	f.region = p.zone_index;
	f.running = p.running;
	f.ran_ms = p.ran_ms;
	if (f.max_interruptions != INTERRUPT_ANY)
		f.max_interruptions = MAX(f.max_interruptions - p.pauses, 0);
	if (f.max_moves && p.begun)
		f.max_moves = p.zone_index == zone_index(t->job, plan->segments[0].region);
	solo_init(&o, s, t, MAX(now_ms, t->start_min_ms), p.left_ms, now_ms, corrected, arena);
	if (!flex_choose(&o.round, &o.job, &f, arena, &found))
		return;
	take(t, &found, &fresh);
	slots_init(&slots, &o.round, &o.job, false, arena);
	moved = moved_part(plan, &fresh, now_ms);
	if (replan_worth(cost_of_rest(&o, t, &slots, plan, &f, arena), found.cost,
			 corrected || !f.may_pause ? o.noise * moved : 0, 0) &&
	    moved > 0)
		join(plan, &p, now_ms, &fresh, arena);
}

static bool first_plan(const struct scenario *s, const struct task *t, struct arena *arena, struct plan *ret)
{
	struct planner_result r;
	struct flex_plan found;
	struct plan block;
	struct flex f;
	struct solo o;
	bool has_block;

	flex_init(&f, s, t->job);
	solo_init(&o, s, t, t->start_min_ms, t->job->duration_ms, t->decide_ms, false, arena);
	planner_choose(&o.round, &o.job, &r);
	has_block = block_of(&o, t, &r, arena, &block);
	if (has_block)
		*ret = block;
	if ((!f.may_pause && !f.profile) || !flex_choose(&o.round, &o.job, &f, arena, &found))
		return has_block;
	if (!has_block || isnan(r.choice.objective) || found.cost < r.choice.objective)
		take(t, &found, ret);
	return true;
}

bool plan_loadshift(const struct scenario *s, const struct task *t, struct arena *arena, struct plan *ret)
{
	int64_t now_ms = t->decide_ms;

	if (!first_plan(s, t, arena, ret))
		return false;
	while (!s->static_plan) {
		int64_t issue_ms = outlook_next(s->outlook, t->job->zones, t->job->n_zones, now_ms);
		bool corrected = s->outlook->by_issue && now_ms + REPLAN_EVERY_MS < issue_ms;

		now_ms = corrected ? now_ms + REPLAN_EVERY_MS : issue_ms;
		if (now_ms == OUTLOOK_NEVER || now_ms >= ret->segments[ret->n_segments - 1].end_ms)
			break;
		plan_again(s, t, now_ms, corrected, arena, ret);
	}
	return true;
}
