/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operator in a simulated cluster: what it has heard of, its planning rounds, and for each job observe, decide,
 * carry out, as pkg/controller does on a real API server, by the same pure functions.
 */
#include "base/alloc.h"
#include "decide/memory.h"
#include "decide/round.h"
#include "sim/cluster_internal.h"

/* As the operator's own. */
#define DEBOUNCE_MS 200
#define CARBON_ERROR_MG_PER_KWH 20000
#define PRICE_ERROR_PERMILLE 100
#define MAX_FORECAST_AGE_MS (6 * HOUR_MS)
/* Decisions in one call. */
#define MAX_STEPS 4
#define RETRY_MS 5
#define RETRY_MAX_MS (60 * SECOND_MS)
#define ARENA_MAX ((size_t)1 << 30)

void operator_timing(const struct sim_job *job, struct caj_timing *ret, struct caj_refusal *refusal)
{
	const struct carbonawarejob *caj = carbonawarejob_of(job->caj);

	caj_timing(caj, caj->obj.meta.creation_ms, TIME_NONE, ret, refusal);
	if (ret->latest_start_ms != TIME_NONE && caj->status.ledger.begun)
		ret->latest_start_ms += MIN(caj->status.ledger.work_ms, ret->duration_ms);
}

/* ---- what it hears ---- */

void operator_hears(struct world *w, struct sim_job *job)
{
	if (job->watch_pending || !w->operator.up || job->gone)
		return;
	job->watch_pending = true;
	world_push(w, EVENT_WATCH, w->now_ms + WATCH_MS, job, 0, SERIES_OURS);
}

void operator_request_round(struct world *w)
{
	if (w->operator.round_pending || !w->operator.up)
		return;
	w->operator.round_pending = true;
	world_push(w, EVENT_ROUND, w->now_ms + DEBOUNCE_MS, NULL, 0, SERIES_OURS);
}

/* Is the change one that moves power, or brings a job to plan for? */
static bool bears_on_plans(const struct sim_job *job)
{
	const struct carbonawarejob *was = job->seen_caj ? carbonawarejob_of(job->seen_caj) : NULL;
	const struct carbonawarejob *is = carbonawarejob_of(job->caj);
	const struct job *job_was = job->seen_job ? job_of(job->seen_job) : NULL;
	const struct job *job_is = job->job ? job_of(job->job) : NULL;

	if (!was || was->status.released_ms != is->status.released_ms ||
	    was->status.paused_ms != is->status.paused_ms || caj_is_finished(was) != caj_is_finished(is) ||
	    condition_is_true(&was->status.conditions, COND_START_BLOCKED) !=
		    condition_is_true(&is->status.conditions, COND_START_BLOCKED))
		return true;
	if (!job_was || !job_is)
		return job_was != job_is;
	return job_was->suspend != job_is->suspend || job_is_finished(job_was) != job_is_finished(job_is);
}

static void see(struct sim_job *job)
{
	object_unref(job->seen_caj);
	object_unref(job->seen_job);
	job->seen_caj = object_ref(job->caj);
	job->seen_job = object_ref(job->job);
	job->over = caj_is_finished(carbonawarejob_of(job->caj));
}

static void catch_up(struct world *w, struct sim_job *job)
{
	bool plan = bears_on_plans(job);

	see(job);
	if (plan)
		operator_request_round(w);
}

/* In whole watts, as in a spec; what the accounts are then scaled by is the world's business. */
static int64_t pod_milliwatts(const struct world *w, const struct sim_job *job, int32_t node)
{
	const struct carbonawarejob *caj = carbonawarejob_of(job->seen_caj);
	struct power_model power = power_of_node(w->config->nodes->items[node].ready);

	return caj_pod_milliwatts(&caj->spec, &job_of(job->job)->template.requests, &power);
}

static bool interval_of(const struct world *w, const struct sim_job *job, const struct sim_pod *p,
			struct pod_interval *ret)
{
	if (p->start_ms == TIME_NONE)
		return false;
	*ret = (struct pod_interval){
		.region = w->truth->zones[w->config->nodes->items[p->node].zone].name,
		.start_ms = p->start_ms,
		.end_ms = p->end_ms != TIME_NONE ? p->end_ms : w->now_ms,
		.milliwatts = pod_milliwatts(w, job, p->node),
	};
	return ret->end_ms > ret->start_ms;
}

void operator_lost_pod(struct world *w, struct sim_job *job, const struct sim_pod *pod)
{
	struct pod_interval interval;

	if (w->operator.up && job->seen_caj && interval_of(w, job, pod, &interval))
		*vec_push(&job->lost_pods, SIZE_MAX) = interval;
}

void operator_forget(struct sim_job *job)
{
	object_unref(job->seen_caj);
	object_unref(job->seen_job);
	job->seen_caj = job->seen_job = NULL;
	if (job->plan)
		plan_entry_unref(job->plan);
	job->plan = NULL;
	vec_release(&job->lost_pods);
	job->wake_ms = TIME_NONE;
	job->failures = 0;
}

/* ---- observe ---- */

struct step {
	struct world *w;
	struct sim_job *job;
	struct caj_observed o;
	struct account account, account_now;
	size_t n_lost;
};

/* Pods of an earlier stretch say nothing of the present one. */
static void summarise_pod(struct caj_observed *o, const struct sim_pod *p)
{
	const struct caj_status *status = &o->caj->status;
	struct caj_pod_summary *sum = &o->pods;

	if (status->ledger.begun && status->paused_ms != TIME_NONE && p->start_ms != TIME_NONE &&
	    p->start_ms <= status->paused_ms)
		return;
	sum->running += p->phase >= PHASE_RUNS;
	sum->active += p->phase <= PHASE_RUNS;
	if (p->phase == PHASE_WAITS)
		sum->unscheduled_message = "0 nodes are available: Insufficient cpu.";
	if (p->phase == PHASE_RUNS && o->job->start_ms != TIME_NONE) {
		int64_t since_ms = MAX(p->start_ms, o->job->start_ms);

		sum->running_since_ms =
			sum->running_since_ms == TIME_NONE ? since_ms : MIN(sum->running_since_ms, since_ms);
	}
}

static void observe_pods(struct step *s, struct arena *arena)
{
	const struct sim_job *job = s->job;
	const struct sim_run *r = &job->run[SERIES_OURS];
	struct caj_observed *o = &s->o;
	const struct grid_view *v = &s->w->operator.view;
	struct caj_status folded;
	size_t n = 0;

	if (!o->job || o->caj->status.released_ms == TIME_NONE)
		return;
	struct pod_interval *intervals =
		arena_array(arena, MIN(r->pods.len, (size_t)ACCOUNT_MAX_INTERVALS) + 1, struct pod_interval);
	for (size_t i = 0; i < r->pods.len; i++) {
		const struct sim_pod *p = &r->pods.ptr[i];

		if (p->phase >= PHASE_GONE)
			continue;
		summarise_pod(o, p);
		n += n < ACCOUNT_MAX_INTERVALS && interval_of(s->w, job, p, &intervals[n]);
	}
	s->n_lost = job->lost_pods.len;
	caj_status_copy(&o->caj->status, arena, &folded);
	account_fold(v, &folded, o->job->obj.meta.uid, job->lost_pods.ptr, s->n_lost, arena);
	bool finished = job_is_finished(o->job);
	account_job(v, &folded, o->job->obj.meta.uid, intervals, finished ? n : 0, o->now_ms, arena, &s->account);
	o->account = &s->account;
	o->fold = s->n_lost > 0;
	if (!finished && o->caj->status.ledger.begun) {
		account_job(v, &folded, o->job->obj.meta.uid, intervals, n, o->now_ms, arena, &s->account_now);
		o->account_now = &s->account_now;
	}
}

static void observe_times(struct caj_observed *o)
{
	const struct condition *suspended = o->job ? condition_find(&o->job->conditions, "Suspended") : NULL;

	o->job_finished_ms = o->job ? job_finished_ms(o->job) : TIME_NONE;
	o->job_started_ms = o->job ? o->job->start_ms : TIME_NONE;
	o->job_suspended_ms =
		suspended && suspended->status == CONDITION_TRUE ? suspended->last_transition_ms : TIME_NONE;
}

static void observe(struct step *s, struct arena *arena)
{
	const struct sim_job *job = s->job;
	struct caj_observed *o = &s->o;
	const struct grid_view *v = &s->w->operator.view;

	*o = (struct caj_observed){ .now_ms = s->w->now_ms, .grid = v };
	o->pods.running_since_ms = o->last_checkpoint_ms = TIME_NONE;
	s->account = (struct account){ 0 };
	s->n_lost = 0;
	o->caj = carbonawarejob_of(job->seen_caj);
	/* Before a Job is declared deleted the API server is asked; here it is never deleted. */
	o->job = job->seen_job ? job_of(job->seen_job) : NULL;
	if (!o->job && o->caj->status.job_uid && job->job)
		o->job = job_of(job->job);
	o->plan = job->plan;
	o->can_plan = v->signals.n_regions > 0;
	caj_timing(o->caj, o->caj->obj.meta.creation_ms, TIME_NONE, &o->timing, &o->refusal);
	if (!o->refusal.reason) {
		struct caj_place place;

		caj_place(v, o->caj, o->job, &place, &o->refusal);
		o->can_plan &= place.home >= 0;
	}
	if (o->caj->status.released_ms != TIME_NONE)
		o->released_for_real_ms = o->now_ms - o->caj->status.released_ms;
	observe_times(o);
	observe_pods(s, arena);
	if (caj_is_finished(o->caj) && o->caj->status.actual) {
		account_again(v, &o->caj->status, o->now_ms, arena, &s->account);
		o->account = &s->account;
	}
}

/* ---- act ---- */

static enum write_result write_status(struct step *s, const struct caj_decision *d)
{
	struct sim_job *job = s->job;
	enum write_result result = server_status(s->w, job, job->seen_caj, &d->status);

	if (result != WRITE_DONE)
		return result;
	if (s->o.fold)
		job->lost_pods.len = 0; /* no other came since they were observed */
	if (d->event.reason && strcmp(d->event.reason, "Replanned") == 0)
		s->w->totals->planned_again++;
	return WRITE_DONE;
}

static enum write_result release_job(struct step *s, struct arena *arena)
{
	struct sim_job *job = s->job;
	struct plan_affinity affinity;
	struct body_release r;

	body_release_recorded(&s->w->operator.view, carbonawarejob_of(job->seen_caj), job_of(job->seen_job), arena,
			      &affinity, &r);
	return server_release_job(s->w, job, job->seen_job, &r);
}

/* Whether the caller is to decide again with the API server's answer. */
static enum write_result carry_out(struct step *s, const struct caj_decision *d, struct arena *arena, bool *again)
{
	struct sim_job *job = s->job;
	struct world *w = s->w;

	if ((d->check_caj && job->seen_caj != job->caj) || (d->check_job && job->seen_job != job->job)) {
		w->totals->conflicts++;
		return WRITE_CONFLICT;
	}
	switch (d->action) {
	case CAJ_NOTHING:
		return WRITE_DONE;
	case CAJ_CREATE_JOB:
		/* The live object is looked at first. */
		return job->job || job->seen_caj != job->caj ? WRITE_CONFLICT : server_create_job(w, job);
	case CAJ_WRITE_STATUS: {
		enum write_result result = write_status(s, d);

		*again = result == WRITE_DONE && d->status.released_ms != TIME_NONE;
		if (*again) {
			object_unref(job->seen_caj);
			job->seen_caj = object_ref(job->caj);
			operator_request_round(w);
		}
		return result;
	}
	case CAJ_RELEASE_JOB:
		return release_job(s, arena);
	case CAJ_SUSPEND_JOB:
		return server_suspend_job(w, job, job->seen_job);
	case CAJ_PAUSE_JOB:
		return server_pause_job(w, job, job->seen_job, s->o.caj->status.paused_ms);
	case CAJ_SCALE_JOB: /* no spec here has a scale */
		return WRITE_DONE;
	case CAJ_SET_JOB_TTL:
		return server_job_ttl(w, job, job->seen_job);
	case CAJ_DELETE:
		return server_delete_caj(w, job, job->seen_caj);
	}
	return WRITE_DONE;
}

static void wake_at(struct world *w, struct sim_job *job, int64_t at_ms)
{
	if (job->gone || (job->wake_ms != TIME_NONE && job->wake_ms <= at_ms))
		return;
	job->wake_ms = at_ms;
	world_push(w, EVENT_WAKE, at_ms, job, 0, SERIES_OURS);
}

static void schedule(struct world *w, struct sim_job *job, const struct caj_decision *d)
{
	if (d->look_again_ms != TIME_NONE)
		wake_at(w, job, MAX(d->look_again_ms, w->now_ms + 1));
	if (d->look_again_real_ms > 0)
		wake_at(w, job, w->now_ms + d->look_again_real_ms);
}

static void reconcile(struct world *w, struct sim_job *job)
{
	struct operator* o = & w->operator;
	struct step s = { .w = w, .job = job };
	bool again = true;

	if (!o->up || !job->seen_caj || job->gone)
		return;
	w->totals->reconciles++;
	for (int i = 0; i < MAX_STEPS && again; i++) {
		struct caj_decision d;

		again = false;
		arena_reset(&o->scratch);
		observe(&s, &o->scratch);
		caj_decide(&s.o, &o->scratch, &d);
		enum write_result result = carry_out(&s, &d, &o->scratch, &again);
		if (result == WRITE_CRASHED)
			return;
		if (result == WRITE_CONFLICT) {
			int64_t wait_ms = MIN((int64_t)RETRY_MS << MIN(job->failures, 20), RETRY_MAX_MS);

			job->failures++;
			wake_at(w, job, w->now_ms + WATCH_MS + wait_ms);
			return;
		}
		job->failures = 0;
		schedule(w, job, &d);
	}
}

/* ---- the planning round ---- */

static bool holds_power(const struct carbonawarejob *caj, const struct job *job)
{
	return caj->status.plan.n_segments > 0 && !job->suspend &&
	       !condition_is_true(&caj->status.conditions, COND_START_BLOCKED);
}

static void gather(struct world *w, struct round_job *jobs, struct sim_job **of, size_t *n,
		   struct round_running *running, size_t *n_running)
{
	for (size_t i = 0; i < w->jobs.len; i++) {
		struct sim_job *job = w->jobs.ptr[i];
		struct caj_refusal refusal = { 0 };
		struct caj_timing timing;

		if (!job->seen_caj || !job->seen_job || job->over || job->gone)
			continue;
		const struct carbonawarejob *caj = carbonawarejob_of(job->seen_caj);
		const struct job *j = job_of(job->seen_job);
		caj_timing(caj, caj->obj.meta.creation_ms, TIME_NONE, &timing, &refusal);
		bool begun = caj_may_replan(caj, j) && caj_is_flexible(caj, &timing);
		if (!begun && (caj_is_running(caj, j) || caj_is_paused(caj))) {
			if (holds_power(caj, j))
				running[(*n_running)++] = (struct round_running){ caj, j, timing };
		} else if ((caj_is_pending(caj, j) || begun) && !refusal.reason) {
			of[*n] = job;
			jobs[(*n)++] =
				(struct round_job){ .caj = caj, .job = j, .timing = timing, .earlier = job->plan };
		}
	}
}

/* The entries of the round before go, and whoever has a new one looks at it. */
static void publish(struct world *w, struct round_job *jobs, struct sim_job **of, size_t n)
{
	for (size_t i = 0; i < w->jobs.len; i++)
		w->jobs.ptr[i]->seen = false;
	for (size_t i = 0; i < n; i++) {
		struct plan_entry *was = of[i]->plan, *is = jobs[i].entry;

		of[i]->seen = true;
		of[i]->plan = is;
		of[i]->changed = is && (!was || !plan_entry_equal(was, is));
		if (was)
			plan_entry_unref(was);
	}
	for (size_t i = 0; i < w->jobs.len; i++) {
		struct sim_job *job = w->jobs.ptr[i];

		if (!job->seen && job->plan) {
			plan_entry_unref(job->plan);
			job->plan = NULL;
		}
	}
	for (size_t i = 0; i < n && w->operator.up; i++)
		if (of[i]->changed)
			reconcile(w, of[i]);
}

static void give_back_regions(struct operator* o)
{
	for (size_t i = 0; i < ARRAY_LEN(o->borrowed); i++) {
		object_unref(o->borrowed[i]);
		o->borrowed[i] = NULL;
	}
}

static void look_at_grid(struct world *w)
{
	struct operator* o = & w->operator;
	const struct grid_view before = o->view;
	struct arena *arena = &o->grid_arenas[o->n_views++ % 2]; /* the other one is that of the view before */

	arena_reset(arena);
	grid_view_init(&o->view, &o->config, w->now_ms, w->regions, w->truth->n_zones, w->nodes, w->config->nodes->n,
		       arena);
	memory_make(&o->view, &before, arena);
	give_back_regions(o);
	for (int z = 0; z < w->truth->n_zones; z++)
		o->borrowed[z] = object_ref(&w->regions[z]->obj);
}

void operator_round(struct world *w)
{
	struct operator* o = & w->operator;
	_cleanup_free_ struct round_job *jobs = xcalloc(w->jobs.len + 1, sizeof(*jobs));
	_cleanup_free_ struct sim_job **of = xcalloc(w->jobs.len + 1, sizeof(struct sim_job *));
	_cleanup_free_ struct round_running *running = xcalloc(w->jobs.len + 1, sizeof(*running));
	size_t n = 0, n_running = 0;

	if (!o->up)
		return;
	w->totals->rounds++;
	look_at_grid(w);
	arena_reset(&o->round_arena);
	gather(w, jobs, of, &n, running, &n_running);
	round_plan(&(struct round_input){ .view = &o->view,
					  .grid_version = o->grid_changes,
					  .jobs = jobs,
					  .n_jobs = n,
					  .running = running,
					  .n_running = n_running },
		   &o->round_arena);
	publish(w, jobs, of, n);
}

/* ---- its life ---- */

void operator_init(struct world *w)
{
	struct operator* o = & w->operator;

	o->config = (struct translate_config){
		.max_forecast_age_ms = MAX_FORECAST_AGE_MS,
		.carbon_error_mg_per_kwh = CARBON_ERROR_MG_PER_KWH,
		.price_error_permille = PRICE_ERROR_PERMILLE,
	};
	for (size_t i = 0; i < ARRAY_LEN(o->grid_arenas); i++)
		arena_init(&o->grid_arenas[i], 65536, ARENA_MAX);
	arena_init(&o->round_arena, 65536, ARENA_MAX);
	arena_init(&o->scratch, 65536, ARENA_MAX);
	o->up = true;
	o->up_since_ms = INT64_MIN;
}

void operator_release(struct world *w)
{
	give_back_regions(&w->operator);
	for (size_t i = 0; i < ARRAY_LEN(w->operator.grid_arenas); i++)
		arena_release(&w->operator.grid_arenas[i]);
	arena_release(&w->operator.round_arena);
	arena_release(&w->operator.scratch);
}

void operator_dies(struct world *w)
{
	struct operator* o = & w->operator;

	if (!o->up)
		return;
	o->up = false;
	o->dies_at_write = 0;
	o->down_since_ms = w->now_ms;
	w->totals->faults[FAULT_OPERATOR]++;
	for (size_t i = 0; i < w->jobs.len; i++)
		operator_forget(w->jobs.ptr[i]);
	world_push(w, EVENT_OPERATOR_UP, w->now_ms + w->config->faults.kind[FAULT_OPERATOR].length_ms, NULL, 0,
		   SERIES_OURS);
}

static int by_latest_start(const void *a, const void *b)
{
	struct sim_job *const *x = a, *const *y = b;
	struct caj_refusal refusal;
	struct caj_timing s, t;

	operator_timing(*x, &s, &refusal);
	operator_timing(*y, &t, &refusal);
	if (s.latest_start_ms != t.latest_start_ms)
		return s.latest_start_ms < t.latest_start_ms ? -1 : 1;
	return (*x)->number < (*y)->number ? -1 : 1;
}

/* Lists everything, plans, and looks at every job: those first whose latest start has passed. */
void operator_comes_back(struct world *w)
{
	struct operator* o = & w->operator;
	size_t n = w->jobs.len;
	_cleanup_free_ struct sim_job **all = xcalloc(n + 1, sizeof(struct sim_job *));

	w->totals->operator_down_ms += w->now_ms - o->down_since_ms;
	o->up = true;
	o->up_since_ms = w->now_ms;
	o->grid_changes++;
	o->view.memory = NULL;
	for (size_t i = 0; i < n; i++) {
		all[i] = w->jobs.ptr[i];
		if (!all[i]->gone)
			see(all[i]);
	}
	operator_round(w);
	qsort(all, n, sizeof(struct sim_job *), by_latest_start);
	for (size_t i = 0; i < n && o->up; i++)
		reconcile(w, all[i]);
}

void operator_event(struct world *w, const struct event *e)
{
	struct sim_job *job = e->job;

	if (e->kind == EVENT_WATCH) {
		job->watch_pending = false;
		if (!w->operator.up || job->gone)
			return;
		catch_up(w, job);
	} else {
		if (job->wake_ms != e->at_ms)
			return; /* another one was asked for since */
		job->wake_ms = TIME_NONE;
	}
	reconcile(w, job);
}
