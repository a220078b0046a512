/* SPDX-License-Identifier: Apache-2.0 */
/* Observing one CarbonAwareJob and carrying out what caj_decide() says. */
#include "controller/caj_controller.h"

#include "base/alloc.h"
#include "decide/body.h"
#include "k8s/types/namespace.h"
#include "k8s/types/pod.h"
#include "log/log.h"
#include "metrics/metrics.h"

static struct metric actions = METRIC_COUNTER("loadshift_job_writes_total", "Writes for CarbonAwareJobs.", "action");
static struct metric releases = METRIC_COUNTER("loadshift_releases_total", "Jobs released.", "reason");
static struct metric pauses = METRIC_COUNTER("loadshift_pauses_total", "Jobs paused by their plan.");
static struct metric resumes = METRIC_COUNTER(
	"loadshift_resumes_total", "Jobs resumed after a pause, by why and whether elsewhere.", "reason", "moved");
static struct metric lateness =
	METRIC_GAUGE("loadshift_release_late_seconds_max",
		     "Real seconds by which the latest of all releases missed its latest start.");

/* How often a foreign Job of the same name, or a refused template, is looked at again (real). */
#define RECHECK_MS (30 * SECOND_MS)
/* Decisions in one call: create, record, release and one to find that nothing is left. */
#define MAX_STEPS 4
/* An overdue release that was recorded a shorter while ago is being carried out by the worker that recorded it (real).
 */
#define DUE_WORKS_MS (2 * SECOND_MS)

/* Everything one call holds while it observes and acts. */
struct step {
	struct context *ctx;
	struct worker *w;
	const char *key;
	const struct object *caj; /* references */
	bool caj_live;            /* it is the API server's answer to our own write in this call */
	const struct object *job;
	struct plan_entry *plan;
	struct grid_snapshot *grid;  /* there always is one: the first round comes before the first reconcile */
	const struct due_turn *turn; /* of the due worker: when it may release */
	struct caj_observed o;
	struct account account, account_now;
	size_t n_gone;
	char hash[65];
};

static void step_release(struct step *s)
{
	object_unref(s->caj);
	object_unref(s->job);
	if (s->plan)
		plan_entry_unref(s->plan);
	if (s->grid)
		grid_snapshot_unref(s->grid);
}

static const struct carbonawarejob *caj_of(const struct step *s)
{
	return carbonawarejob_of(s->caj);
}

static bool is_ours(const struct object *job, const struct carbonawarejob *caj)
{
	return cstr_eq(job->meta.owner.uid, caj->obj.meta.uid);
}

/*
 * The Job, if it is ours. Before one is declared deleted the API server is asked: the two caches are not in step.
 */
static int observe_job(struct step *s, struct error *err)
{
	const struct carbonawarejob *caj = caj_of(s);

	s->job = store_get(informer_store(s->ctx->jobs), s->key);
	if (s->job && !is_ours(s->job, caj)) {
		object_unref(s->job);
		s->job = NULL;
	}
	if (s->job || !caj->status.job_uid || caj_is_finished(caj))
		return 0;
	if (k8s_get_object(s->w->client, &job_type, caj->obj.meta.namespace, caj->obj.meta.name, &s->job, err) == 0) {
		if (!is_ours(s->job, caj)) {
			object_unref(s->job);
			s->job = NULL;
		}
		return 0;
	}
	return err->code == ERR_NOT_FOUND ? 0 : -1;
}

/* Pods of an earlier stretch say nothing of the present one. Kubernetes' stamps are whole seconds. */
static void summarise_pod(const struct step *s, const struct pod *pod, struct caj_pod_summary *sum)
{
	const struct caj_status *status = &caj_of(s)->status;
	const struct clock *clock = &s->ctx->clock;
	bool ended = pod->phase == POD_SUCCEEDED || pod->phase == POD_FAILED;
	bool leaves = pod->obj.meta.deletion_ms != TIME_NONE;
	bool before = status->ledger.begun && status->paused_ms != TIME_NONE && pod->start_ms != TIME_NONE &&
		      clock_to_domain_ms(clock, pod->start_ms + SECOND_MS) <= status->paused_ms;

	if (before)
		return;
	sum->running += pod->phase == POD_RUNNING || ended;
	sum->active += !ended && !leaves;
	if (pod->unscheduled_message[0])
		sum->unscheduled_message = arena_strdup(s->w->arena, pod->unscheduled_message);
	/* What ran before the Job was let go the last time is on its way out. */
	int64_t job_start = job_of(s->job)->start_ms;
	if (pod->phase != POD_RUNNING || leaves || pod->start_ms == TIME_NONE || job_start == TIME_NONE)
		return;
	int64_t since = clock_to_domain_ms(clock, MAX(pod->start_ms, job_start));
	if (sum->running_since_ms == TIME_NONE || since < sum->running_since_ms)
		sum->running_since_ms = since;
}

static void observe_pods(struct step *s)
{
	const struct context *ctx = s->ctx;
	struct caj_observed *o = &s->o;
	struct object_list pods;
	size_t n = 0;

	if (!s->job || caj_of(s)->status.released_ms == TIME_NONE)
		return;
	const struct grid_view *v = &s->grid->view;
	const struct job *job = job_of(s->job);
	store_find(informer_store(ctx->pods), ctx->pods_by_owner, s->job->meta.uid, &pods);
	struct pod_interval *intervals =
		arena_array(s->w->arena, MIN(pods.len, (size_t)ACCOUNT_MAX_INTERVALS), struct pod_interval);
	for (size_t i = 0; i < pods.len; i++) {
		const struct pod *pod = pod_of(pods.items[i]);

		summarise_pod(s, pod, &o->pods);
		if (n < ACCOUNT_MAX_INTERVALS &&
		    context_pod_interval(ctx, v, caj_of(s), job, pod, o->now_ms, &intervals[n]))
			n++;
	}
	object_list_release(&pods);

	struct pod_interval *gone;
	gone_pods_get(ctx->gone, s->key, s->w->arena, &gone, &s->n_gone);
	struct caj_status folded;
	caj_status_copy(&caj_of(s)->status, s->w->arena, &folded);
	account_fold(v, &folded, s->job->meta.uid, gone, s->n_gone, s->w->arena);
	bool finished = job_is_finished(job);
	/* While it runs only what is gone is written down; what still runs is counted when it ends. */
	account_job(v, &folded, s->job->meta.uid, intervals, finished ? n : 0, o->now_ms, s->w->arena, &s->account);
	o->account = &s->account;
	o->fold = s->n_gone > 0;
	if (!finished && caj_of(s)->status.ledger.begun) {
		account_job(v, &folded, s->job->meta.uid, intervals, n, o->now_ms, s->w->arena, &s->account_now);
		o->account_now = &s->account_now;
	}
}

/* After the end: the same runs by the values known now. */
static void observe_settled(struct step *s)
{
	if (!caj_is_finished(caj_of(s)) || !caj_of(s)->status.actual)
		return;
	account_again(&s->grid->view, &caj_of(s)->status, s->o.now_ms, s->w->arena, &s->account);
	s->o.account = &s->account;
}

/* The template is not kept: it is read and hashed anew whenever the spec has changed since the last status. */
static int observe_template(struct step *s, struct error *err)
{
	const struct carbonawarejob *caj = caj_of(s);
	_cleanup_(buf_release) struct buf text = BUF_INIT(K8S_MAX_OBJECT);
	char path[K8S_PATH_MAX];

	if (!caj->status.template_hash || caj->status.observed_generation == caj->obj.meta.generation)
		return 0;
	if (k8s_path(path, &carbonawarejob_type, caj->obj.meta.namespace, caj->obj.meta.name, NULL, err) ||
	    k8s_get(s->w->client, path, &text, err))
		return err->code == ERR_NOT_FOUND ? 0 : -1;
	if (body_template_hash(buf_str(&text), s->hash, err) == 0)
		s->o.template_hash = s->hash;
	return 0;
}

/*
 * What observe mode lets go cannot be taken back, and a namespace may be newer than its cache: before that the API
 * server is asked.
 */
static int observe_mode(struct step *s, struct error *err)
{
	const struct context *ctx = s->ctx;
	const struct carbonawarejob *caj = caj_of(s);
	const struct object *ns _cleanup_object_ = NULL;

	s->o.mode = context_mode(ctx, caj, s->w->arena);
	if (!s->o.mode.observe || caj->status.released_ms != TIME_NONE || caj_is_finished(caj))
		return 0;
	if (k8s_get_object(s->w->client, &namespace_type, NULL, caj->obj.meta.namespace, &ns, err))
		return err->code == ERR_NOT_FOUND ? 0 : -1;
	s->o.mode = caj_mode_of(arena_strdup(s->w->arena, object_label(ns, LABEL_MODE)), ctx->observe_by_default);
	return 0;
}

/* The Job's own times; what the workload writes on it is in real time, like all stamps. */
static void observe_times(struct step *s)
{
	struct caj_observed *o = &s->o;
	const struct clock *clock = &s->ctx->clock;
	int64_t ms;

	o->job_finished_ms = o->job_started_ms = o->job_suspended_ms = o->last_checkpoint_ms = TIME_NONE;
	if (!o->job)
		return;
	const struct condition *suspended = condition_find(&o->job->conditions, "Suspended");
	const char *checkpoint = object_annotation(s->job, ANNOTATION_LAST_CHECKPOINT);
	o->job_finished_ms = clock_to_domain_ms(clock, job_finished_ms(o->job));
	o->job_started_ms = clock_to_domain_ms(clock, o->job->start_ms);
	if (suspended && suspended->status == CONDITION_TRUE)
		o->job_suspended_ms = clock_to_domain_ms(clock, suspended->last_transition_ms);
	if (checkpoint && time_parse(str_from(checkpoint), &ms))
		o->last_checkpoint_ms = clock_to_domain_ms(clock, ms);
}

static int observe(struct step *s, struct error *err)
{
	const struct context *ctx = s->ctx;
	struct caj_observed *o = &s->o;

	if (observe_job(s, err) || observe_template(s, err) || observe_mode(s, err))
		return -1;
	s->plan = plan_table_get(ctx->plans, s->caj->meta.uid);
	s->grid = plan_table_grid(ctx->plans);
	o->now_ms = clock_now_ms(&ctx->clock);
	o->caj = caj_of(s);
	o->job = s->job ? job_of(s->job) : NULL;
	o->plan = s->plan;
	o->can_plan = s->grid->view.signals.n_regions > 0;
	context_timing(ctx, o->caj, &o->timing, &o->refusal);
	if (!o->refusal.reason) {
		struct caj_place place;

		caj_place(&s->grid->view, o->caj, o->job, &place, &o->refusal);
		o->can_plan &= place.home >= 0;
	}
	if (o->caj->status.released_ms != TIME_NONE)
		o->released_for_real_ms = clock_wall_ms() - clock_to_real_ms(&ctx->clock, o->caj->status.released_ms);
	o->grid = &s->grid->view;
	observe_times(s);
	o->pods.running_since_ms = TIME_NONE;
	observe_pods(s);
	observe_settled(s);
	return 0;
}

/* Refused creations become conditions; 409 may be our own Job that the cache has not seen yet. */
static int create_refused(struct step *s, struct error *err)
{
	const struct carbonawarejob *caj = caj_of(s);
	const struct object *job _cleanup_object_ = NULL;
	struct error get;

	if (err->code == ERR_INVALID || err->http == 422) {
		s->o.template_error = arena_strdup(s->w->arena, err->msg);
		return 0;
	}
	/* The namespace goes away, and the object with it: nothing to do, and nothing to complain about. */
	if (err->http == 403 && strstr(err->msg, "being terminated"))
		return 1;
	if (err->http != 409)
		return -1;
	if (k8s_get_object(s->w->client, &job_type, caj->obj.meta.namespace, caj->obj.meta.name, &job, &get))
		return -1;
	if (is_ours(job, caj))
		return 1;
	s->o.foreign_job = job->meta.owner.kind
				   ? arena_printf(s->w->arena, "%s %s", job->meta.owner.kind, job->meta.owner.name)
				   : "nobody else known here";
	return 0;
}

/* 0 = refused and explained: decide again; 1 = done; -1 = try again later. */
static int create_job(struct step *s, struct error *err)
{
	const struct carbonawarejob *caj = caj_of(s);
	_cleanup_(buf_release) struct buf text = BUF_INIT(K8S_MAX_OBJECT);
	_cleanup_(buf_release) struct buf body = BUF_INIT(K8S_MAX_OBJECT);
	char path[K8S_PATH_MAX], jobs[K8S_PATH_MAX];

	if (k8s_path(path, &carbonawarejob_type, caj->obj.meta.namespace, caj->obj.meta.name, NULL, err) ||
	    k8s_path(jobs, &job_type, caj->obj.meta.namespace, NULL, NULL, err) ||
	    (!young_take(s->ctx->young, s->caj, &text) && k8s_get(s->w->client, path, &text, err)))
		return err->code == ERR_NOT_FOUND ? 1 : -1;
	if (body_create_job(caj, buf_str(&text), &body, err)) {
		if (err->code == ERR_CONFLICT)
			return -1;
		s->o.template_error = arena_strdup(s->w->arena, err->msg);
		return 0;
	}
	if (k8s_create(s->w->client, jobs, buf_str(&body), NULL, err) == 0)
		return 1;
	return create_refused(s, err);
}

static int patch_job(struct step *s, enum k8s_patch_type type, const struct buf *body, struct error *err)
{
	_cleanup_(buf_release) struct buf answer = BUF_INIT(K8S_MAX_OBJECT);
	const struct object *job = NULL;
	char path[K8S_PATH_MAX];

	if (buf_check(body, "patch of the Job", err) ||
	    k8s_path(path, &job_type, s->job->meta.namespace, s->job->meta.name, NULL, err) ||
	    k8s_patch(s->w->client, path, type, buf_str(body), &answer, err) ||
	    object_parse(&job_type, buf_str(&answer), &job, err))
		return -1;
	object_unref(s->job);
	s->job = job;
	return 0;
}

/*
 * Writes the status. After a release has been recorded it is carried out at once, with the object that the API server
 * gave back: 1. All else follows from the informer's event of this write: 0.
 */
static int write_status(struct step *s, const struct caj_decision *d, struct error *err)
{
	bool go_on = d->status.released_ms != TIME_NONE;
	_cleanup_(buf_release) struct buf body = BUF_INIT(4 * CAJ_MAX_STATUS);
	_cleanup_(buf_release) struct buf answer = BUF_INIT(K8S_MAX_OBJECT);
	const struct object *caj = NULL;
	char path[K8S_PATH_MAX];

	if (body_status(caj_of(s), &d->status, &body, err) ||
	    k8s_path(path, &carbonawarejob_type, s->caj->meta.namespace, s->caj->meta.name, "status", err) ||
	    k8s_replace(s->w->client, path, buf_str(&body), go_on ? &answer : NULL, err))
		return -1;
	if (s->o.fold)
		gone_pods_forget(s->ctx->gone, s->key, s->n_gone);
	if (d->event.reason)
		recorder_event(s->ctx->events, s->caj, d->event.warning ? EVENT_WARNING : EVENT_NORMAL, d->event.reason,
			       "%s", d->event.message ? d->event.message : "");
	if (!go_on)
		return 0;
	if (object_parse(&carbonawarejob_type, buf_str(&answer), &caj, err))
		return -1;
	object_unref(s->caj);
	s->caj = caj;
	s->caj_live = true;
	return 1;
}

/* The latest start; of a job that has begun, of what is left of it. */
static int64_t latest_ms(const struct carbonawarejob *caj, const struct caj_timing *t)
{
	if (t->latest_start_ms == TIME_NONE || !caj->status.ledger.begun)
		return t->latest_start_ms;
	return t->latest_start_ms + MIN(caj->status.ledger.work_ms, t->duration_ms);
}

static void count_release(const struct step *s, bool moves)
{
	const struct condition *released = condition_find(&caj_of(s)->status.conditions, COND_RELEASED);
	const char *reason = released ? released->reason : "unknown";
	int64_t latest = latest_ms(caj_of(s), &s->o.timing);

	if (caj_of(s)->status.ledger.interruptions > 0)
		metric_inc(metric_series(&resumes, reason, moves ? "true" : "false"));
	else
		metric_inc(metric_series(&releases, reason));
	if (latest != TIME_NONE) {
		double late = (double)(s->o.now_ms - latest) / (double)(s->ctx->clock.factor * SECOND_MS);

		if (late > metric_value(metric_only(&lateness)))
			metric_set(metric_only(&lateness), late);
	}
}

/* The due worker's turn has come: others may send theirs. */
static void due_send(struct step *s)
{
	if (!s->turn)
		return;
	due_wait(s->ctx->due, s->turn);
	due_done(s->ctx->due, s->turn);
}

/* 0 = done; 1 = another region was refused, and explained: decide again; -1 = error. */
static int release_planned(struct step *s, struct error *err)
{
	_cleanup_(buf_release) struct buf body = BUF_INIT(K8S_MAX_OBJECT);
	const struct job *job = job_of(s->job);
	struct plan_affinity affinity;
	struct body_release r;

	body_release_recorded(&s->grid->view, caj_of(s), job, s->w->arena, &affinity, &r);
	bool moves = body_moves(job, &r), resumes_it = job->suspend;
	body_release_job(job, &r, &body);
	due_send(s);
	if (patch_job(s, K8S_PATCH_JSON, &body, err)) {
		s->o.move_refused = moves && err->http == 422;
		return s->o.move_refused ? 1 : error_wrap(err, "release the Job");
	}
	if (resumes_it)
		count_release(s, moves);
	return 0;
}

static int release_unmodified(struct step *s, struct error *err)
{
	_cleanup_(buf_release) struct buf body = BUF_INIT(K8S_MAX_OBJECT);

	body_release_unmodified(job_of(s->job), caj_of(s)->status.released_ms, &body);
	due_send(s);
	if (patch_job(s, K8S_PATCH_MERGE, &body, err))
		return error_wrap(err, "release the Job");
	count_release(s, false);
	return 0;
}

/* Kubernetes counts activeDeadlineSeconds anew after each resumption: what has been used is taken off. */
static int pause_job(struct step *s, struct error *err)
{
	_cleanup_(buf_release) struct buf body = BUF_INIT(K8S_MAX_OBJECT);
	const struct job *job = job_of(s->job);
	int64_t left_s = 0;

	if (job->active_deadline_ms != TIME_NONE && job->start_ms != TIME_NONE)
		left_s = MAX((job->active_deadline_ms - (clock_wall_ms() - job->start_ms)) / SECOND_MS, 1);
	body_pause_job(job, caj_of(s)->status.paused_ms, left_s, &body);
	if (patch_job(s, K8S_PATCH_JSON, &body, err))
		return error_wrap(err, "pause the Job");
	metric_inc(metric_only(&pauses));
	return 0;
}

static int delete_caj(struct step *s, struct error *err)
{
	char path[K8S_PATH_MAX];

	if (k8s_path(path, &carbonawarejob_type, s->caj->meta.namespace, s->caj->meta.name, NULL, err) ||
	    k8s_delete(s->w->client, path, K8S_BACKGROUND, s->caj->meta.uid, s->caj->meta.resource_version, err))
		return err->code == ERR_NOT_FOUND ? 0 : -1;
	return 0;
}

/* ERR_CONFLICT unless the API server has the same version; was NULL = it must not be there. */
static int check_live(struct step *s, const struct object_type *type, const struct object *was, struct error *err)
{
	const struct object *is _cleanup_object_ = NULL;
	struct error get = ERROR_INIT;

	if (k8s_get_object(s->w->client, type, s->caj->meta.namespace, s->caj->meta.name, &is, &get) &&
	    get.code != ERR_NOT_FOUND) {
		*err = get;
		return -1;
	}
	if (cstr_eq(is ? is->meta.resource_version : NULL, was ? was->meta.resource_version : NULL) ||
	    (!was && !is_ours(is, caj_of(s))))
		return 0;
	return error_set(err, ERR_CONFLICT, "the cache is behind the %s", type->kind);
}

/* 1 = decide again with what is known now, 0 = done for this time, -1 = error. */
static int carry_out(struct step *s, const struct caj_decision *d, struct error *err)
{
	_cleanup_(buf_release) struct buf body = BUF_INIT(K8S_MAX_OBJECT);
	int created;

	if ((d->check_caj && !s->caj_live && check_live(s, &carbonawarejob_type, s->caj, err)) ||
	    (d->check_job && check_live(s, &job_type, s->job, err)))
		return -1;
	if (d->action != CAJ_NOTHING)
		metric_inc(metric_series(&actions, caj_action_name(d->action)));
	switch (d->action) {
	case CAJ_NOTHING:
		return 0;
	case CAJ_CREATE_JOB:
		created = create_job(s, err);
		return created < 0 ? -1 : !created;
	case CAJ_WRITE_STATUS:
		return write_status(s, d, err);
	/* What follows a patch of the Job follows from the informer's event: the cache is behind it now. */
	case CAJ_RELEASE_JOB:
		return caj_is_unmodified(caj_of(s)) ? release_unmodified(s, err) : release_planned(s, err);
	case CAJ_PAUSE_JOB:
		return pause_job(s, err);
	case CAJ_SCALE_JOB:
		body_scale_job(job_of(s->job), caj_of(s)->status.ledger.parallelism, &body);
		return patch_job(s, K8S_PATCH_JSON, &body, err) ? -1 : 0;
	case CAJ_SUSPEND_JOB:
		body_suspend_job(job_of(s->job), &body);
		return patch_job(s, K8S_PATCH_JSON, &body, err) ? -1 : 0;
	case CAJ_SET_JOB_TTL:
		body_job_ttl(job_of(s->job), &body);
		return patch_job(s, K8S_PATCH_JSON, &body, err) ? -1 : 0;
	case CAJ_DELETE:
		return delete_caj(s, err);
	}
	return 0;
}

static void schedule(const struct step *s, const struct caj_decision *d, struct reconcile_result *ret)
{
	int64_t after = d->look_again_real_ms;

	if (d->look_again_ms != TIME_NONE) {
		int64_t until = MAX(clock_real_until_ms(&s->ctx->clock, d->look_again_ms), 1);

		after = after > 0 ? MIN(after, until) : until;
	}
	if (s->o.foreign_job || s->o.template_error)
		after = after > 0 ? MIN(after, RECHECK_MS) : RECHECK_MS;
	ret->requeue_after_ms = after;
}

/* One key for each worker, so that they work at the same time. A job's key has a '/'. */
static void wake_due(const struct context *ctx)
{
	static const char *const keys[] = { "due-0", "due-1", "due-2", "due-3" };

	_Static_assert(ARRAY_LEN(keys) == DUE_WORKERS, "a key for each worker");
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		(void)workqueue_add(controller_queue(ctx->due_controller), keys[i]);
}

/* Overdue releases are left to the due worker, unless this is it. */
static bool leave_to_due(struct step *s, const struct caj_decision *d, bool is_due)
{
	if (is_due || !d->overdue)
		return false;
	due_add(s->ctx->due, d->due_ms, s->key);
	wake_due(s->ctx);
	return true;
}

/* Recorded by the due worker a moment ago: to carry it out here too would only be a conflict. */
static bool due_is_at_it(const struct step *s, const struct caj_decision *d)
{
	int64_t latest = latest_ms(caj_of(s), &s->o.timing);

	return d->action == CAJ_RELEASE_JOB && latest != TIME_NONE && s->o.now_ms >= latest &&
	       s->o.released_for_real_ms < DUE_WORKS_MS;
}

static int run_steps(struct step *s, bool is_due, struct reconcile_result *ret, struct error *err)
{
	const char *foreign = NULL, *refused = NULL;
	bool move_refused = false;

	for (int i = 0; i < MAX_STEPS; i++) {
		struct caj_decision d;

		/* Observed anew, but for the two objects that the API server has just given us. */
		s->o = (struct caj_observed){ .foreign_job = foreign,
					      .template_error = refused,
					      .move_refused = move_refused };
		s->account = (struct account){ 0 };
		const struct object *fresh_job = s->job;
		s->job = NULL;
		if (s->plan)
			plan_entry_unref(s->plan);
		if (s->grid)
			grid_snapshot_unref(s->grid);
		s->plan = NULL;
		s->grid = NULL;
		if (fresh_job)
			object_unref(fresh_job);
		if (observe(s, err))
			return -1;
		caj_decide(&s->o, s->w->arena, &d);
		if (leave_to_due(s, &d, is_due))
			return 0;
		if (i == 0 && !is_due && due_is_at_it(s, &d)) {
			ret->requeue_after_ms = DUE_WORKS_MS;
			return 0;
		}
		int more = carry_out(s, &d, err);
		if (more < 0)
			return -1;
		schedule(s, &d, ret);
		foreign = s->o.foreign_job;
		refused = s->o.template_error;
		move_refused = s->o.move_refused;
		if (!more)
			return 0;
	}
	return 0;
}

/* turn: NULL unless it was taken from the due jobs. */
static int reconcile(struct context *ctx, struct worker *w, const char *key, bool is_due, const struct due_turn *turn,
		     struct reconcile_result *ret, struct error *err)
{
	struct step s = { .ctx = ctx, .w = w, .key = key, .turn = turn };

	s.caj = store_get(informer_store(ctx->cajs), key);
	if (!s.caj)
		return 0; /* deleted; the garbage collector takes the Job */
	int result = run_steps(&s, is_due, ret, err);
	step_release(&s);
	return result;
}

int caj_reconcile(void *arg, struct worker *w, const char *key, struct reconcile_result *ret, struct error *err)
{
	return reconcile(arg, w, key, false, NULL, ret, err);
}

/* The API server is in trouble, or this process is not the leader: no other job would fare better. */
static bool concerns_all(const struct error *err)
{
	if (err->code == ERR_CONFLICT)
		return false;
	return error_is_transient(err) && err->http != 500; /* 500 is the answer when a webhook cannot be asked */
}

static int release_due(struct context *ctx, struct worker *w, const char *job, const struct due_turn *turn,
		       struct error *err)
{
	struct reconcile_result again = { 0 };

	if (reconcile(ctx, w, job, true, turn, &again, err))
		return -1;
	if (again.requeue_after_ms > 0)
		(void)workqueue_add_after(controller_queue(ctx->caj_controller), job, again.requeue_after_ms);
	return 0;
}

/*
 * In order, see due.h. A job that is refused for reasons of its own (a webhook, a stale copy) comes again under its own
 * key with a backoff of its own, so that nobody waits behind it.
 */
int caj_reconcile_due(void *arg, struct worker *w, const char *key, struct reconcile_result *ret, struct error *err)
{
	struct context *ctx = arg;
	struct due_turn turn;

	(void)ret;
	if (strchr(key, '/'))
		return release_due(ctx, w, key, NULL, err);
	while (due_take(ctx->due, &turn)) {
		int failed = release_due(ctx, w, turn.key, &turn, err);

		due_done(ctx->due, &turn);
		if (failed && concerns_all(err)) {
			due_add(ctx->due, turn.latest_start_ms, turn.key);
			return error_wrap(err, "%s", turn.key);
		}
		if (failed) {
			log_debug("overdue job refused", LOG_STR("job", turn.key), LOG_ERR(err));
			(void)workqueue_add_rate_limited(w->queue, turn.key);
		}
		arena_reset(w->arena);
	}
	return 0;
}

void caj_prefill_due(struct context *ctx)
{
	struct object_list cajs;
	int64_t now_ms = clock_now_ms(&ctx->clock);

	store_list(informer_store(ctx->cajs), &cajs);
	for (size_t i = 0; i < cajs.len; i++) {
		const struct carbonawarejob *caj = carbonawarejob_of(cajs.items[i]);
		struct caj_refusal refusal;
		struct caj_timing t;

		context_timing(ctx, caj, &t, &refusal);
		int64_t latest = latest_ms(caj, &t);
		bool waits = caj->status.released_ms == TIME_NONE || caj_is_paused(caj);
		if (!caj_is_finished(caj) && waits && !caj->spec.suspend && latest != TIME_NONE && latest <= now_ms)
			due_add(ctx->due, latest, caj->obj.meta.key);
	}
	object_list_release(&cajs);
	if (due_len(ctx->due) > 0)
		wake_due(ctx);
}
