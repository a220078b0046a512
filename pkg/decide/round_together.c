/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs that collide, placed together. */
#include "decide/round_internal.h"

#include <math.h>

#define MIB (INT64_C(1024) * 1024)
/* Improving ends here, or when the plan is so near to the bound, or gets no better. */
#define STEPS 250
#define IDLE_STEPS 80 /* without a better plan */
#define CLOSE_ENOUGH 2e-4
#define MAX_HOLDS (2 * JOINT_MAX_JOBS * CAJ_MAX_SEGMENTS)

/* What so many pods of it take. */
static void amounts_of(const struct job *job, int32_t pods, int64_t power_milliwatts, int64_t *amount)
{
	const struct pod_requests *r = &job->template.requests;

	amount[JOINT_POWER] = power_milliwatts;
	amount[JOINT_CPU] = r->cpu_milli * pods;
	amount[JOINT_MEMORY] = r->memory_bytes / MIB * pods;
	amount[JOINT_GPU] = r->gpus * 1000 * pods;
	amount[JOINT_RELEASES] = 1;
}

void round_hold(struct round_ctx *c, int region, int64_t start_ms, int64_t end_ms, int64_t power_milliwatts,
		const struct job *job, int32_t pods)
{
	struct round_hold *h = region != PLANNER_NO_REGION ? vec_push(&c->holds, MAX_HOLDS) : NULL;

	if (!h)
		return;
	*h = (struct round_hold){
		.region = (int16_t)region, .start_ms = start_ms, .end_ms = end_ms, .holder = c->holder
	};
	amounts_of(job, pods, power_milliwatts, h->amount);
}

/* What there is of each, and what is left of it. */
struct rows {
	struct joint_row row[JOINT_MAX_ROWS];
	int16_t region[JOINT_MAX_ROWS];
	int64_t *left[JOINT_MAX_ROWS];
	int n;
};

static void row_add(struct round_ctx *c, struct rows *rows, int region, enum joint_resource k, double capacity)
{
	int n_slots = c->view->signals.n_slots;

	if (rows->n == JOINT_MAX_ROWS)
		return;
	rows->left[rows->n] = arena_array(c->arena, (size_t)n_slots, int64_t);
	for (int i = 0; i < n_slots; i++)
		rows->left[rows->n][i] = (int64_t)capacity;
	rows->region[rows->n] = (int16_t)region;
	rows->row[rows->n] = (struct joint_row){
		.resource = k, .regions = &rows->region[rows->n], .n_regions = 1, .capacity = rows->left[rows->n]
	};
	rows->n++;
}

static void rows_init(struct round_ctx *c, struct rows *rows)
{
	const struct grid_view *v = c->view;

	rows->n = 0;
	for (int r = 0; r < v->n_regions; r++) {
		const struct power_mean *nodes = &v->power[r];

		if (v->signals.regions[r].power_limit_milliwatts > 0)
			row_add(c, rows, r, JOINT_POWER, (double)v->signals.regions[r].power_limit_milliwatts);
		if (v->cpu_milli[r] == 0 || v->regions[r]->capacity == REGION_CAPACITY_ON_DEMAND)
			continue; /* nodes come as they are needed */
		row_add(c, rows, r, JOINT_CPU, nodes->cores * 1000);
		row_add(c, rows, r, JOINT_MEMORY, nodes->gib * 1024);
		row_add(c, rows, r, JOINT_GPU, nodes->gpus * 1000);
	}
	if (v->config->max_releases_per_slot > 0 && rows->n < JOINT_MAX_ROWS) {
		int16_t *all = arena_array(c->arena, (size_t)v->signals.n_regions, int16_t);

		for (int r = 0; r < v->signals.n_regions; r++)
			all[r] = (int16_t)r;
		row_add(c, rows, 0, JOINT_RELEASES, v->config->max_releases_per_slot);
		rows->row[rows->n - 1].regions = all;
		rows->row[rows->n - 1].n_regions = v->signals.n_regions;
	}
}

static bool row_has(const struct joint_row *row, int region)
{
	for (int i = 0; i < row->n_regions; i++) {
		if (row->regions[i] == region)
			return true;
	}
	return false;
}

/* Takes the hold from what is left; sign -1 gives it back. */
static void take(const struct round_ctx *c, struct rows *rows, const struct round_hold *h, int sign)
{
	const struct planner_signals *s = &c->view->signals;
	int64_t first = MAX((h->start_ms - s->first_slot_ms) / s->slot_ms, 0);
	int64_t last = (h->end_ms - 1 - s->first_slot_ms) / s->slot_ms;

	for (int k = 0; k < rows->n; k++) {
		const struct joint_row *row = &rows->row[k];
		int64_t until = row->resource == JOINT_RELEASES ? first : last;

		if (h->amount[row->resource] == 0 || !row_has(row, h->region))
			continue;
		for (int64_t i = first; i <= MIN(until, s->n_slots - 1); i++)
			rows->left[k][i] -= sign * h->amount[row->resource];
	}
}

/*
 * A block, chosen by comparing or kept from it by a lack of power. Those that may pause or scale stay where they are:
 * they have found their way round the others.
 */
static bool is_movable(const struct round_ctx *c, size_t i)
{
	const struct planner_result *r = &c->found[i];

	return !c->flex[i] && !c->asked[i].critical && c->asked[i].latest_start_ms != TIME_NONE &&
	       (r->outcome == PLANNER_CHOSEN || r->outcome == PLANNER_KEPT || r->binding == PLANNER_BINDING_POWER);
}

static bool is_over(const struct rows *rows, int n_slots)
{
	for (int k = 0; k < rows->n; k++) {
		for (int i = 0; i < n_slots; i++) {
			if (rows->left[k][i] < 0)
				return true;
		}
	}
	return false;
}

/* The movable ones, with what they ask for. */
struct members {
	size_t *index; /* of the round's acting jobs */
	struct joint_job *jobs;
	size_t n;
};

static void members_init(const struct round_ctx *c, struct members *m)
{
	m->n = 0;
	m->index = arena_array(c->arena, c->n_acting, size_t);
	m->jobs = arena_array(c->arena, c->n_acting, struct joint_job);
	for (size_t i = 0; i < c->n_acting && m->n < JOINT_MAX_JOBS; i++) {
		struct joint_job *member = &m->jobs[m->n];
		const struct job *job = c->open[i]->job;

		if (!is_movable(c, i))
			continue;
		*member = (struct joint_job){ .job = c->asked[i] };
		amounts_of(job, caj_full_pods(&c->open[i]->caj->spec, job), c->asked[i].power_milliwatts,
			   member->amount);
		m->index[m->n++] = i;
	}
}

/* Does anybody want what another holds, and how many could go elsewhere? */
static size_t count_movable(const struct round_ctx *c, bool *ret_wants)
{
	size_t n = 0;

	*ret_wants = false;
	for (size_t i = 0; i < c->n_acting; i++) {
		if (!is_movable(c, i))
			continue;
		*ret_wants |= c->found[i].binding == PLANNER_BINDING_POWER;
		n++;
	}
	return n;
}

/*
 * Where not even half of them would find room, what nodes hold on paper is not what decides (an autoscaler, a queue):
 * nobody is sent away from his best start for that.
 */
static bool is_hopeless(const struct members *m, const struct joint *j)
{
	return 2 * joint_without_room(j) > m->n;
}

static struct joint *solve(const struct round_ctx *c, const struct members *m, const struct rows *rows)
{
	struct joint *j = joint_new(&c->round, m->jobs, m->n, rows->row, rows->n, 1, NULL);
	double objective = joint_objective(j);
	size_t homeless = joint_without_room(j);

	for (int i = 0, idle = 0; i < STEPS && idle < IDLE_STEPS && !is_hopeless(m, j); i++) {
		if (c->in->out_of_time && c->in->out_of_time(c->in->arg))
			break;
		joint_improve(j, 1, c->in->out_of_time, c->in->arg);
		if (joint_without_room(j) == 0 &&
		    joint_objective(j) - joint_bound(j) <= CLOSE_ENOUGH * fabs(joint_objective(j)))
			break;
		/* Where there is not room for all there is no end to trying. */
		idle = joint_without_room(j) < homeless || joint_objective(j) < objective ? 0 : idle + 1;
		homeless = joint_without_room(j);
		objective = joint_objective(j);
	}
	return j;
}

static double energy_kwh(const struct planner_job *job)
{
	return (double)job->power_milliwatts / 1e6 * (double)job->duration_ms / (double)HOUR_MS;
}

static bool is_placed(const struct planner_result *r)
{
	return r->outcome == PLANNER_CHOSEN || r->outcome == PLANNER_KEPT;
}

/* What a start costs in the joint's measure, in which all but the incumbent are dearer by the noise. */
static double dearer(const struct planner_result *r)
{
	return r->choice.objective + (r->outcome == PLANNER_KEPT ? 0 : r->noise);
}

/* Is the joint's plan worth it? */
static bool is_better(const struct round_ctx *c, const struct members *m, const struct joint *j)
{
	double before = 0, after = 0, noise = 0;
	size_t placed_before = 0, placed_after = 0;

	for (size_t i = 0; i < m->n; i++) {
		const struct planner_result *r = &c->found[m->index[i]];
		struct joint_start start = joint_start(j, i);
		double energy = energy_kwh(&c->asked[m->index[i]]);
		bool placed = start.region != PLANNER_NO_REGION;
		struct joint_view view;

		placed_before += is_placed(r);
		placed_after += placed;
		if (!placed || !is_placed(r))
			continue;
		joint_explain(j, i, &view);
		before += energy * dearer(r);
		after += energy * view.objective;
		if (start.region != r->choice.region || start.start_ms != r->choice.start_ms)
			noise += energy * r->noise;
	}
	return placed_after > placed_before || (placed_after == placed_before && before - after > noise);
}

static void adopt(struct round_ctx *c, const struct members *m, const struct joint *j)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct planner_job *asked = &c->asked[m->index[i]];
		struct planner_result *r = &c->found[m->index[i]];
		struct planner_option *o = &r->choice;
		struct joint_start start = joint_start(j, i);
		struct joint_view view;

		if (start.region == PLANNER_NO_REGION ||
		    (is_placed(r) && start.region == o->region && start.start_ms == o->start_ms))
			continue;
		if (o->region != PLANNER_NO_REGION)
			planner_reserve(&c->round, o->region, o->start_ms, o->end_ms, -asked->power_milliwatts);
		joint_explain(j, i, &view);
		planner_evaluate(&c->round, start.region, start.start_ms, asked->duration_ms, asked->power_milliwatts,
				 o);
		o->objective = view.objective - r->noise;
		planner_reserve(&c->round, o->region, o->start_ms, o->end_ms, asked->power_milliwatts);
		r->outcome = PLANNER_CHOSEN;
		r->binding = PLANNER_BINDING_POWER;
	}
}

void round_together(struct round_ctx *c)
{
	struct members m;
	bool wants;

	if (count_movable(c, &wants) < 2)
		return; /* as in most rounds, in which nearly all plans stand */
	struct rows *rows = arena_new(c->arena, struct rows);
	rows_init(c, rows);
	for (size_t i = 0; i < c->holds.len; i++)
		take(c, rows, &c->holds.ptr[i], 1);
	bool over = is_over(rows, c->view->signals.n_slots);
	if (!over && !wants)
		return;
	members_init(c, &m);
	for (size_t i = 0; i < c->holds.len; i++) {
		size_t holder = c->holds.ptr[i].holder;

		if (holder != ROUND_NOBODY && is_movable(c, holder))
			take(c, rows, &c->holds.ptr[i], -1);
	}
	_cleanup_(joint_cleanup) struct joint *j = solve(c, &m, rows);
	if (!is_hopeless(&m, j) && (over || is_better(c, &m, j)))
		adopt(c, &m, j);
}
