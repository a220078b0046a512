/* SPDX-License-Identifier: Apache-2.0 */
/* A trace through a policy, and the sums. */
#include "sim/replay.h"

#include <math.h>

#include "base/alloc.h"
#include "base/decimal.h"
#include "base/vec.h"
#include "planner/joint.h"
#include "sim/account.h"
#include "sim/internal.h"

#define PROGRESS_EVERY 256 /* jobs */
#define ARENA_MAX ((size_t)1 << 30)

struct run {
	const struct replay *r;
	struct totals t;
	struct arena arena; /* of one job, or of one batch */
	struct arena scratch;
};

/* Windows have to lie in the recorded signals. */
static int check_window(const struct run *run, const struct task *t, struct error *err)
{
	const struct signals *s = run->r->scenario->truth;
	int64_t last_ms = MAX(t->latest_start_ms, t->baseline_ms), from_ms = MIN(t->start_min_ms, t->baseline_ms);
	char at[TIME_TEXT], limit[TIME_TEXT];

	if (from_ms < s->start_ms)
		return jobs_error(run->r->jobs, t->job, err, "job '%.40s' may start at %s, before the signals do (%s)",
				  t->job->id, time_format(from_ms, at), time_format(s->start_ms, limit));
	if (last_ms > signals_end_ms(s) - t->job->duration_ms)
		return jobs_error(run->r->jobs, t->job, err,
				  "job '%.40s' may run until %s, past the end of the signals (%s)", t->job->id,
				  time_format(last_ms + t->job->duration_ms, at),
				  time_format(signals_end_ms(s), limit));
	return 0;
}

/* By hand: rows are most of what a large trace costs. */
static void write_row(const struct run *run, const struct job *job, int number, const struct planner_segment *g,
		      int64_t energy, int64_t carbon, int64_t cost, const struct figures *f)
{
	char row[2 * TIME_TEXT + 5 * DECIMAL_TEXT + 16], *at = row;
	FILE *out = run->r->out;

	if (!out)
		return;
	(void)fputs_unlocked(job->id, out);
	(void)putc_unlocked(',', out);
	(void)fputs_unlocked(run->r->scenario->truth->zones[g->region].name, out);
	*at++ = ',';
	at = decimal_put(at, number, 0);
	*at++ = ',';
	at = time_put(at, g->start_ms);
	*at++ = ',';
	at = time_put(at, g->end_ms);
	*at++ = ',';
	at = decimal_put(at, g->parallelism, 0);
	*at++ = ',';
	at = decimal_put(at, energy, 3);
	*at++ = ',';
	at = isnan(f->carbon_g) ? at : decimal_put(at, carbon, 3);
	*at++ = ',';
	at = isnan(f->cost) ? at : decimal_put(at, cost, 6);
	*at++ = '\n';
	(void)fwrite_unlocked(row, 1, (size_t)(at - row), out);
}

/* Writes the rows of a plan; *sum gets their figures, exact in rounded parts. */
static void account_plan(struct run *run, const struct job *job, const struct plan *plan, struct figures *sum,
			 int64_t *energy, int64_t *carbon, int64_t *cost)
{
	*sum = (struct figures){ 0 };
	*energy = *carbon = *cost = 0;
	for (int i = 0; i < plan->n_segments; i++) {
		const struct planner_segment *g = &plan->segments[i];
		bool resumes = i > 0 && (g->start_ms > g[-1].end_ms || g->region != g[-1].region);
		int64_t part[3];
		struct figures f;

		account_run(run->r->scenario, g->region, g->start_ms, g->end_ms, job_watts(job, g->parallelism),
			    resumes ? job->restart_wh : 0, &f);
		part[0] = decimal_from_double(f.energy_wh, 3);
		part[1] = decimal_from_double(f.carbon_g, 3);
		part[2] = decimal_from_double(f.cost, 6);
		write_row(run, job, i + 1, g, part[0], part[1], part[2], &f);
		*energy += part[0];
		*carbon += part[1];
		*cost += part[2];
		sum->energy_wh += f.energy_wh;
		sum->carbon_g += f.carbon_g;
		sum->cost += f.cost;
	}
}

/* Adds one planned job; a bound of NAN leaves it out of objective and bound. */
static void add_job(struct run *run, const struct task *t, const struct plan *plan, const struct price_of *price,
		    double bound)
{
	const struct job *job = t->job;
	struct totals *sum = &run->t;
	int64_t energy, carbon, cost, end_ms = plan->segments[plan->n_segments - 1].end_ms;
	double kwh = job->power_w * (double)job->duration_ms / (double)HOUR_MS / 1000, objective;
	struct figures f, base;

	account_plan(run, job, plan, &f, &energy, &carbon, &cost);
	account_run(run->r->scenario, job->zones[0], t->baseline_ms, t->baseline_ms + job->duration_ms, job->power_w, 0,
		    &base);
	sum->energy_milliwatt_hours += energy;
	if (isnan(f.carbon_g) || isnan(base.carbon_g)) {
		sum->carbon_unknown++;
	} else {
		sum->carbon_milligrams += carbon;
		sum->baseline_carbon_milligrams += decimal_from_double(base.carbon_g, 3);
	}
	if (isnan(f.cost) || isnan(base.cost)) {
		sum->cost_unknown++;
	} else {
		sum->cost_micros += cost;
		sum->baseline_cost_micros += decimal_from_double(base.cost, 6);
	}
	sum->missed_deadlines += job->latest_finish_ms != TIME_NONE && end_ms > job->latest_finish_ms;
	sum->wait_ms += (double)(end_ms - job->arrival_ms - job->duration_ms);
	sum->changes += plan->changes;
	objective = account_objective(price, &f) +
		    kwh * price->delay_per_ms * (double)(end_ms - t->start_min_ms - job->duration_ms);
	if (!isnan(objective) && !isnan(bound)) {
		sum->objective += objective;
		sum->lower_bound += bound;
	}
}

/* What comes before a plan: 1 to go on, 0 for a job that cannot be met, -1. */
static int begin_job(struct run *run, struct task *t, const struct job *job, struct error *err)
{
	const struct replay *r = run->r;

	run->t.n_jobs++;
	if (r->progress && run->t.n_jobs % PROGRESS_EVERY == 0)
		r->progress(r->progress_arg, run->t.n_jobs);
	task_init(t, r->scenario, job);
	if (t->latest_start_ms < t->start_min_ms && r->scenario->policy != POLICY_NOW) {
		run->t.infeasible++;
		return 0;
	}
	return check_window(run, t, err) ? -1 : 1;
}

static int one_job(struct run *run, const struct job *job, struct error *err)
{
	const struct scenario *s = run->r->scenario;
	struct price_of price;
	struct task t;
	struct plan plan;
	int go = begin_job(run, &t, job, err);

	if (go <= 0)
		return go;
	if (!policy_plan(s, &t, &run->arena, &plan)) {
		run->t.infeasible++;
		return 0;
	}
	policy_reserve(s, job, &plan);
	policy_price(s, &t, &run->arena, &price);
	add_job(run, &t, &plan, &price,
		t.latest_start_ms < t.start_min_ms ? NAN : account_bound(s, &t, &price, &run->arena));
	return 0;
}

static int run_one_by_one(struct run *run, struct error *err)
{
	struct job job;
	int got;

	while ((got = jobs_next(run->r->jobs, &run->arena, &job, err)) > 0) {
		if (one_job(run, &job, err))
			return -1;
		arena_reset(&run->arena);
	}
	return got;
}

/* Jobs that wait to be planned together. */
struct batch {
	VEC(struct member) members;
	int64_t from_ms, to_ms; /* what their windows span */
};

static void batch_release(struct batch *b)
{
	vec_release(&b->members);
}

static void flush(struct run *run, struct batch *b)
{
	const struct scenario *s = run->r->scenario;
	struct price_of price;
	double bound, bounds = 0;
	struct totals before = run->t;

	if (b->members.len == 0)
		return;
	plan_together(s, b->members.ptr, b->members.len, &run->arena, &price, &bound);
	for (size_t i = 0; i < b->members.len; i++) {
		struct member *m = &b->members.ptr[i];
		struct price_of own = price;
		double one;

		if (!m->placed) {
			run->t.infeasible++;
			continue;
		}
		if (m->task.latest_start_ms > m->task.start_min_ms)
			own.delay_per_ms = s->weight_delay / (s->weight_carbon + s->weight_cost + s->weight_delay) /
					   (double)(m->task.latest_start_ms - m->task.start_min_ms);
		policy_reserve(s, &m->job, &m->plan);
		one = account_bound(s, &m->task, &own, &run->scratch);
		arena_reset(&run->scratch);
		bounds += isnan(one) ? 0 : one;
		add_job(run, &m->task, &m->plan, &own, one);
	}
	/* The bound that minds the limits, where it is higher than that of each job alone. */
	if (run->t.infeasible == before.infeasible && bound > bounds)
		run->t.lower_bound += bound - bounds;
	b->members.len = 0;
	b->from_ms = INT64_MAX;
	b->to_ms = INT64_MIN;
	arena_reset(&run->arena);
}

static bool fits(const struct batch *b, const struct run *run, const struct task *t)
{
	const struct scenario *s = run->r->scenario;
	const struct member *last = b->members.len ? &b->members.ptr[b->members.len - 1] : NULL;
	int64_t from_ms = MIN(b->from_ms, t->start_min_ms);
	int64_t to_ms = MAX(b->to_ms, t->latest_start_ms + t->job->duration_ms);

	if (!last)
		return true;
	if (!s->outlook->exact &&
	    time_slot_floor(last->task.decide_ms, s->grid->step_ms) != time_slot_floor(t->decide_ms, s->grid->step_ms))
		return false;
	return b->members.len < JOINT_MAX_JOBS && to_ms - from_ms <= (PLANNER_MAX_SLOTS - 2) * s->grid->step_ms;
}

/* The job's parts outlive the row that they come from. */
static void join_batch(struct run *run, struct batch *b, const struct task *t)
{
	struct member *m, *was = b->members.ptr;
	struct arena *a = &run->arena;
	struct job job = *t->job;

	job.id = arena_strdup(a, job.id);
	job.zones =
		memcpy(arena_array(a, (size_t)job.n_zones, int16_t), job.zones, (size_t)job.n_zones * sizeof(int16_t));
	if (job.scale.max) {
		size_t n = (size_t)job.scale.max + 1;

		job.scale.throughput = memcpy(arena_array(a, n, double), job.scale.throughput, n * sizeof(double));
		job.scale.power = memcpy(arena_array(a, n, double), job.scale.power, n * sizeof(double));
	}
	m = vec_push(&b->members, JOINT_MAX_JOBS);
	*m = (struct member){ .job = job, .task = *t };
	m->task.job = &m->job;
	for (size_t i = 0; b->members.ptr != was && i < b->members.len; i++)
		b->members.ptr[i].task.job = &b->members.ptr[i].job;
	b->from_ms = MIN(b->from_ms, t->start_min_ms);
	b->to_ms = MAX(b->to_ms, t->latest_start_ms + job.duration_ms);
}

static int run_together(struct run *run, struct error *err)
{
	_cleanup_(batch_release) struct batch b = { .from_ms = INT64_MAX, .to_ms = INT64_MIN };
	struct arena row;
	struct job job;
	struct task t;
	int got, go = 0;

	arena_init(&row, 4096, 1 << 20);
	while ((got = jobs_next(run->r->jobs, &row, &job, err)) > 0) {
		go = 0;
		if (job.critical || (job.latest_finish_ms == TIME_NONE && run->r->scenario->n_queues == 0)) {
			flush(run, &b); /* what came before it has its room */
			go = one_job(run, &job, err);
			arena_reset(&run->arena);
		} else {
			go = begin_job(run, &t, &job, err);
			if (go > 0 && !fits(&b, run, &t))
				flush(run, &b);
			if (go > 0)
				join_batch(run, &b, &t);
		}
		arena_reset(&row);
		if (go < 0)
			break;
	}
	arena_release(&row);
	if (got < 0 || go < 0)
		return -1;
	flush(run, &b);
	return 0;
}

int replay_run(const struct replay *r, struct totals *ret, struct error *err)
{
	const struct scenario *s = r->scenario;
	struct run run = { .r = r };
	int64_t begin_us = clock_mono_us();
	double scale[SIGNAL_KINDS] = { s->grid->mean_size[SIGNAL_CARBON], s->grid->mean_size[SIGNAL_PRICE] };
	struct price_of unit;
	int failed;

	arena_init(&run.arena, 65536, ARENA_MAX);
	arena_init(&run.scratch, 65536, ARENA_MAX);
	failed = s->policy == POLICY_LOADSHIFT && s->room ? run_together(&run, err) : run_one_by_one(&run, err);
	arena_release(&run.arena);
	arena_release(&run.scratch);
	if (failed)
		return -1;
	price_of_scales(&unit, s, scale);
	run.t.in_grams = unit.k[SIGNAL_CARBON] == 1 && unit.k[SIGNAL_PRICE] == 0;
	run.t.in_money = unit.k[SIGNAL_CARBON] == 0 && unit.k[SIGNAL_PRICE] == 1e-3;
	run.t.wall_s = (double)(clock_mono_us() - begin_us) / 1e6;
	*ret = run.t;
	return 0;
}
