/* SPDX-License-Identifier: Apache-2.0 */
/* The next write for one CarbonAwareJob. */
#include "decide/decide.h"

#include "crypto/hash.h"
#include "decide/body.h"
#include "decide/internal.h"
#include "decide/status_fit.h"

/* ---- savings and the end ---- */

/* Actual figures and savings of what ran, until they are final. */
static void settle(struct ctx *c)
{
	const struct account *a = c->o->account;
	struct caj_status *s = c->s;

	if (s->actual && s->actual->final)
		return;
	if (!a || !a->known) {
		/* An expectation is no result. */
		s->saved_carbon = s->saved_cost = s->released_ms != TIME_NONE ? "not available" : NULL;
		return;
	}
	ctx_take_runs(c, a);
	struct caj_actual *actual = arena_new(c->arena, struct caj_actual);
	*actual = (struct caj_actual){
		.final = a->final,
		.figures = a->total,
		.carbon_source = a->carbon_source,
		.energy_scope = "Dynamic",
		.cost_basis = a->cost_basis,
	};
	s->actual = actual;
	s->savings = a->savings.present ? &a->savings : NULL;
	if (s->savings && ctx_has_reason(c, COND_RELEASED, CAJ_OBSERVE_MODE)) {
		struct caj_savings *measured = arena_new(c->arena, struct caj_savings);

		/* The plan was never tried: nobody knows how far off it was. */
		*measured = a->savings;
		measured->forecast_error = (struct caj_saving){ 0 };
		s->savings = measured;
	}
	ctx_show_savings(c, &a->savings.total, false);
}

/* Complete or Failed; `words` are for the State. */
static void finish(struct ctx *c, bool failed, const char *reason, const char *message, const char *words)
{
	ctx_cond(c, failed ? COND_FAILED : COND_COMPLETE, true, reason, message);
	ctx_clear(c, COND_START_BLOCKED, "JobFinished", "");
	if (!c->s->ledger.begun)
		c->s->estimated_start_ms = c->s->released_ms;
	(void)ctx_ready(c, !failed, failed ? "Failed" : "Succeeded", words);
	ctx_event(c, failed, failed ? reason : "Completed", words);
}

/* A Job that is gone without our having seen its end. The caches are not in step, so the API server is asked. */
static void finish_deleted(struct ctx *c, const char *message)
{
	settle(c);
	finish(c, true, "JobDeleted", message, message);
	c->d->check_job = true;
}

static int64_t finished_ms(const struct caj_status *s)
{
	const struct condition *f = condition_find(&s->conditions, COND_COMPLETE);

	if (!f || f->status != CONDITION_TRUE)
		f = condition_find(&s->conditions, COND_FAILED);
	return f ? f->last_transition_ms : TIME_NONE;
}

/* After the end: final figures, the Job's own TTL, then ours. */
static void decide_finished(struct ctx *c)
{
	const struct caj_observed *o = c->o;
	const struct job *job = o->job;
	int64_t end = finished_ms(c->s), ttl;

	/* Values are revised many times within a day; they are read again once, at its end. */
	if (o->account && o->account->final)
		settle(c);
	if (c->s->actual && !c->s->actual->final && c->s->n_runs > 0)
		ctx_look_again(c, c->s->runs[c->s->n_runs - 1].end_ms + ACCOUNT_FINAL_AFTER_MS + MINUTE_MS);
	if (job && job_is_finished(job) && job->ttl_after_finished_ms == TIME_NONE && body_held_ttl(job, &ttl))
		c->d->action = CAJ_SET_JOB_TTL;
	if (o->caj->spec.ttl_after_finished_ms != TIME_NONE && end != TIME_NONE) {
		int64_t due = end + o->caj->spec.ttl_after_finished_ms;

		if (o->now_ms >= due && c->d->action == CAJ_NOTHING)
			c->d->action = CAJ_DELETE;
		ctx_look_again(c, due);
	}
}

/* ---- conditions that several states share ---- */

/* Not a word about the Job itself, which, if there is one, stays as it is. */
static void refuse(struct ctx *c, const char *reason, const char *message)
{
	const struct condition *was = condition_find(&c->s->conditions, COND_ACCEPTED);
	bool new = !was || was->status == CONDITION_TRUE || strcmp(was->reason, reason) != 0;

	ctx_cond(c, COND_ACCEPTED, false, reason, message);
	(void)ctx_ready(c, false, "Rejected", message);
	c->s->explanation = message;
	c->s->estimated_start_ms = TIME_NONE;
	if (new)
		ctx_event(c, true, reason, message);
}

static void accept(struct ctx *c)
{
	const char *is = c->o->template_hash, *made_from = c->s->template_hash;
	bool was = ctx_has_reason(c, COND_ACCEPTED, "TemplateChanged");
	bool changed = is && made_from ? strcmp(is, made_from) != 0 : was;

	if (!changed && c->o->mode.unknown) {
		ctx_cond(c, COND_ACCEPTED, true, "UnknownMode",
			 arena_printf(c->arena,
				      "the namespace's label " LABEL_MODE
				      " is \"%.63s\": set it to act or observe; until "
				      "then the default holds, %s",
				      c->o->mode.unknown, c->o->mode.observe ? "observe" : "act"));
		return;
	}
	if (!changed) {
		ctx_cond(c, COND_ACCEPTED, true, "Accepted", "");
		return;
	}
	ctx_cond(
		c, COND_ACCEPTED, true, "TemplateChanged",
		"spec.jobTemplate was changed after the Job was created: the Job keeps the first one; delete and apply "
		"this "
		"object to use the new one");
	if (!was)
		ctx_event(c, true, "TemplateChanged",
			  "spec.jobTemplate was changed after the Job was created and has no effect");
}

/* ---- before the release ---- */

/* Nothing to plan by: no GridRegion, or none that could be a home. */
static void apply_no_grid(struct ctx *c)
{
	const char *text = "there is no GridRegion to plan by", *what = "starts at once";

	ctx_cond(c, COND_DEGRADED, true, "NoGridData", text);
	if (c->s->plan.n_segments > 0 && !ctx_is_hard(c))
		return;
	if (c->o->mode.observe)
		what = "observe mode: runs at once, unmodified";
	else if (ctx_is_hard(c))
		what = "does not start before its hard limits are known to be met";
	else if (c->o->caj->spec.run_at_latest_on_no_data)
		what = "starts at its latest start";
	c->s->explanation = arena_printf(c->arena, "%s: %s", what, text);
	ctx_cond(c, COND_PLANNED, false, ctx_is_hard(c) ? "HardLimitUnknown" : "NoData", c->s->explanation);
}

/* Of the first segment that is not over; when all are, it has been missed. */
static int64_t planned_start_ms(const struct ctx *c)
{
	const struct caj_plan *p = &c->s->plan;
	int i = 0;

	while (i + 1 < p->n_segments && p->segments[i].end_ms <= c->o->now_ms)
		i++;
	return p->segments[i].start_ms;
}

/*
 * When it starts, TIME_NONE = not by itself. Never before the user's earliest and never after the latest start, also
 * when the plan that is known rests on an older spec or on another annotation.
 */
static int64_t start_due_ms(const struct ctx *c)
{
	const struct caj_timing *t = &c->o->timing;
	int64_t last = ctx_last_start_ms(c);

	if (ctx_is_override(c) || c->o->mode.observe)
		return t->earliest_ms;
	if (ctx_is_hard(c) && !ctx_plan(c))
		return TIME_NONE;
	if (c->s->plan.n_segments > 0)
		return CLAMP(planned_start_ms(c), t->earliest_ms, last);
	return c->o->can_plan || c->o->caj->spec.run_at_latest_on_no_data ? last : t->earliest_ms;
}

static const char *release_reason(const struct ctx *c)
{
	if (c->o->mode.observe)
		return CAJ_OBSERVE_MODE;
	if (c->o->caj->run_now)
		return "RunNow";
	if (c->s->plan.n_segments > 0 && planned_start_ms(c) <= c->o->now_ms)
		return "PlanDue";
	if (c->o->timing.latest_start_ms != TIME_NONE && c->o->now_ms >= c->o->timing.latest_start_ms)
		return "LatestStart";
	return c->o->timing.at_once_reason ? c->o->timing.at_once_reason : "NoData";
}

/* To be recorded; the patch of the Job follows once it is. */
static void release(struct ctx *c)
{
	const struct plan_entry *p = ctx_plan(c);
	const struct caj_timing *t = &c->o->timing;

	/* Releases are told apart by their second: see decide_released_suspended(). */
	c->s->released_ms = ctx_after_ms(c, ctx_mark_ms(c, ANNOTATION_RELEASED), c->s->paused_ms);
	c->s->estimated_start_ms = c->s->released_ms;
	pause_begin(c);
	if (!p && c->o->can_plan && c->s->plan.n_segments == 0)
		c->s->explanation = c->o->mode.observe ? "observe mode: runs at once, unmodified; there was no plan"
						       : "starts at its latest start: there was no plan";
	ctx_cond(c, COND_RELEASED, true, release_reason(c), c->s->explanation);
	ctx_mirror_suspended(c, false);
	ctx_watch_deadline(c, c->s->released_ms);
	if (p && p->over_power && !c->o->mode.observe)
		ctx_event(c, true, "PowerLimitOverridden", c->s->explanation);
	if (ctx_ready(c, true, "Running", c->s->explanation))
		ctx_event(c, false, "Released", c->s->explanation);
	c->d->due_ms = ctx_last_start_ms(c);
	c->d->overdue = t->latest_start_ms != TIME_NONE && c->o->now_ms >= c->d->due_ms;
}

/*
 * No start is allowed, for now: better data or free power may come until the latest start. Then a hard limit of the
 * user's ends it; a region that is full does not, since its power will be free again.
 */
static void decide_no_start(struct ctx *c, const char *reason, const char *message, bool no_power)
{
	int64_t last = ctx_last_start_ms(c);

	if (!no_power && c->o->now_ms >= last) {
		settle(c);
		finish(c, true, reason, message, message);
		c->d->check_job = true;
		return;
	}
	ctx_watch_deadline(c, MAX(last, c->o->now_ms));
	(void)ctx_ready(c, false, "Pending", message);
	ctx_look_again(c, last);
}

static void decide_pending(struct ctx *c)
{
	const struct caj_observed *o = c->o;
	const struct plan_entry *p = ctx_plan(c);
	int64_t latest = o->timing.latest_start_ms;

	if (latest != TIME_NONE)
		latest += o->timing.duration_ms - ctx_left_ms(c);
	if (!p && o->can_plan && (ctx_is_hard(c) || latest == TIME_NONE || o->now_ms < latest)) {
		/* A plan comes within a moment and brings its own write; until then nothing is worth one. */
		c->waiting = true;
		ctx_look_again(c, latest);
		return;
	}
	ctx_mirror_suspended(c, true);
	if (p)
		ctx_apply_plan(c, p);
	else if (!o->can_plan)
		apply_no_grid(c);
	if (p && p->plan.n_segments == 0 && !o->mode.observe) {
		decide_no_start(c, p->reason, p->explanation, p->no_power);
		return;
	}
	int64_t due = start_due_ms(c);
	if (due == TIME_NONE) {
		decide_no_start(c, "HardLimitUnknown", c->s->explanation, false);
	} else if (o->now_ms >= due) {
		release(c);
	} else {
		c->s->estimated_start_ms = due;
		ctx_watch_deadline(c, due);
		if (ctx_ready(c, true, "Deferred", c->s->explanation))
			ctx_event(c, false, "Deferred", c->s->explanation);
		ctx_look_again(c, due);
	}
}

/* ---- after the release ---- */

/* It is planned anew, and released by a new record; what ran so far stays in runs[]. */
static void take_back(struct ctx *c, const char *reason, const char *message)
{
	struct caj_ledger *l = &c->s->ledger;

	c->s->released_ms = TIME_NONE;
	c->s->estimated_start_ms = TIME_NONE;
	/* Nothing was done: it has not begun. */
	if (l->since_ms == TIME_NONE && l->work_ms == 0 && l->interruptions == 0)
		*l = (struct caj_ledger){ .since_ms = TIME_NONE };
	ctx_clear(c, COND_RELEASED, reason, message);
	ctx_clear(c, COND_START_BLOCKED, reason, message);
}

/* Somebody else let it go: that is run-now, and accepted. A stale copy of the Job must not make us believe it. */
static void note_unsuspended(struct ctx *c)
{
	const char *text = "the Job was unsuspended by somebody else: it runs now";

	if (c->s->released_ms == TIME_NONE) {
		c->s->released_ms = ctx_after_ms(c, c->s->paused_ms, TIME_NONE);
		c->s->estimated_start_ms = c->s->released_ms;
		c->s->explanation = text;
	}
	ctx_cond(c, COND_RELEASED, true, CAJ_UNSUSPENDED_BY_OTHER, text);
	ctx_event(c, false, CAJ_UNSUSPENDED_BY_OTHER, text);
	c->d->check_job = true;
}

static void decide_start_blocked(struct ctx *c)
{
	const struct caj_observed *o = c->o;

	if (o->pods.running > 0) {
		ctx_clear(c, COND_START_BLOCKED, "PodRunning", "");
	} else if (o->released_for_real_ms >= CAJ_START_BLOCKED_MS) {
		const char *why = o->pods.unscheduled_message ? o->pods.unscheduled_message
				  : o->pods.active == 0
					  ? "the Job has created no pod: look at its events for quota or admission"
					  : "pods are scheduled but do not run";
		if (!condition_is_true(&c->s->conditions, COND_START_BLOCKED))
			ctx_event(c, true, "StartBlocked", why);
		ctx_cond(c, COND_START_BLOCKED, true, o->pods.unscheduled_message ? "Unschedulable" : "NoPodRunning",
			 why);
	} else {
		c->d->look_again_real_ms = CAJ_START_BLOCKED_MS - o->released_for_real_ms;
	}
}

/*
 * A suspended Job whose release was recorded. The Job's mark tells how far that got:
 *
 *	older or none	not carried out: now, or again after a crash
 *	equal		carried out, and somebody suspended it since: left alone
 *	newer		this object is a stale copy: nothing
 */
static void decide_released_suspended(struct ctx *c, int64_t mark, int64_t recorded)
{
	/* Neither was carried out by us: the Job ran already. */
	bool by_other = ctx_has_reason(c, COND_RELEASED, CAJ_UNSUSPENDED_BY_OTHER) ||
			ctx_has_reason(c, COND_RELEASED, PAUSE_TAKEN_BACK);

	if (mark == recorded || by_other) {
		const char *text =
			"SuspendedByOther: somebody else suspended the Job after its release; unsuspend the Job "
			"to go on";
		c->d->check_job |= mark != recorded;
		pause_stop(c);
		ctx_mirror_suspended(c, true);
		ctx_clear(c, COND_START_BLOCKED, "JobSuspended", "");
		if (ctx_ready(c, false, "Suspended", text))
			ctx_event(c, true, "SuspendedByOther", text);
	} else if (mark > recorded) {
		c->waiting = true;
	} else if (ctx_is_hard(c) && c->s->ledger.interruptions == 0 &&
		   c->o->now_ms - recorded > CAJ_RELEASE_VALID_MS) {
		take_back(c, "NotCarriedOut",
			  "the release was recorded but not carried out in time for its hard limits");
		c->d->check_job = true;
	} else {
		if (c->o->move_refused)
			pause_stay(c);
		c->d->action = CAJ_RELEASE_JOB;
		c->d->check_caj = true;
	}
}

/*
 * It runs, but by its mark not by the release that is recorded: a pause was recorded and taken back before it was
 * carried out, which is to be marked; or somebody else has let it go.
 */
static void decide_unmarked(struct ctx *c)
{
	if (ctx_has_reason(c, COND_RELEASED, PAUSE_TAKEN_BACK)) {
		c->d->action = CAJ_RELEASE_JOB;
		c->d->check_caj = true;
	} else {
		note_unsuspended(c);
	}
}

/* Released, so the Job's own conditions tell the rest. */
static void decide_released(struct ctx *c)
{
	int64_t mark = ctx_mark_ms(c, ANNOTATION_RELEASED), recorded = time_slot_floor(c->s->released_ms, SECOND_MS);

	ctx_fold_runs(c);
	if (c->o->job->suspend) {
		decide_released_suspended(c, mark, recorded);
		return;
	}
	if (mark < recorded && !ctx_has_reason(c, COND_RELEASED, CAJ_UNSUSPENDED_BY_OTHER))
		decide_unmarked(c);
	ctx_mirror_suspended(c, false);
	ctx_watch_deadline(c, c->s->ledger.begun ? c->o->now_ms : c->s->released_ms);
	decide_start_blocked(c);
	pause_follow(c, mark == recorded);
	if (caj_status_is_paused(c->s))
		return;
	bool blocked = condition_is_true(&c->s->conditions, COND_START_BLOCKED);
	(void)ctx_ready(c, !blocked, "Running",
			blocked ? condition_find(&c->s->conditions, COND_START_BLOCKED)->message : c->s->explanation);
}

/* A Job that has ended, by its own words. */
static void decide_job_end(struct ctx *c)
{
	const struct conditions *of_job = &c->o->job->conditions;
	const struct condition *end = condition_find(of_job, COND_FAILED);
	bool failed = end && end->status == CONDITION_TRUE;
	int64_t at = c->o->job_finished_ms != TIME_NONE ? c->o->job_finished_ms : c->o->now_ms;
	int64_t deadline = c->o->timing.deadline_ms;
	char text[TIME_TEXT];

	settle(c);
	ctx_mirror_suspended(c, c->o->job->suspend);
	if (deadline != TIME_NONE && at > deadline)
		ctx_cond(c, COND_DEADLINE_AT_RISK, true, "DeadlineMissed",
			 arena_printf(c->arena, "it ended after the deadline %s", time_format(deadline, text)));
	else
		ctx_clear(c, COND_DEADLINE_AT_RISK, "InTime", "");
	if (failed) {
		finish(c, true, end->reason[0] ? end->reason : "JobFailed", end->message, end->message);
		return;
	}
	end = condition_find(of_job, COND_COMPLETE);
	const char *words = end->message[0] ? end->message : "the Job is complete";
	if (ctx_has_reason(c, COND_RELEASED, CAJ_OBSERVE_MODE))
		words = c->s->explanation;
	else if (c->s->savings)
		words = arena_printf(c->arena, "saved %s and %s against running at once in %s", c->s->saved_carbon,
				     c->s->saved_cost, c->s->baseline.region ? c->s->baseline.region : "its home");
	finish(c, false, end->reason[0] ? end->reason : "JobComplete", end->message, words);
}

/* The user's own switch, as in CronJob. Recorded first, so that a switch back finds a job that is to be planned. */
static void decide_user_suspend(struct ctx *c)
{
	const char *text = "spec.suspend is true: set it to false to let the job be planned";

	ctx_fold_runs(c);
	pause_stop(c);
	ctx_mirror_suspended(c, true);
	take_back(c, "JobSuspended", "spec.suspend is true");
	c->s->explanation = "suspended by spec.suspend";
	if (ctx_ready(c, false, "Suspended", text))
		ctx_event(c, false, "Suspended", text);
	if (!c->o->job->suspend) {
		c->d->action = CAJ_SUSPEND_JOB;
		c->d->check_caj = true;
	}
}

/* ---- by what there is ---- */

static void decide_without_job(struct ctx *c)
{
	const struct caj_observed *o = c->o;

	if (c->s->job_uid)
		finish_deleted(
			c, "the Job was deleted before it finished; it is never created again: delete and apply this "
			   "object to run it anew");
	else if (o->refusal.reason)
		refuse(c, o->refusal.reason, o->refusal.message);
	else if (o->foreign_job)
		refuse(c, "JobNameTaken",
		       arena_printf(c->arena,
				    "there is a Job of the same name that belongs to %s: give this object "
				    "another metadata.name or delete that Job",
				    o->foreign_job));
	else if (o->template_error)
		refuse(c, "InvalidTemplate",
		       arena_printf(c->arena, "spec.jobTemplate makes no valid Job: %s", o->template_error));
	else
		c->d->action = CAJ_CREATE_JOB;
}

static void note_job(struct ctx *c)
{
	const struct job *job = c->o->job;
	const char *hash = object_annotation(&job->obj, ANNOTATION_TEMPLATE_HASH);

	c->s->job_name = job->obj.meta.name;
	if (!c->s->job_uid)
		c->s->job_uid = job->obj.meta.uid;
	if (!c->s->template_hash && hash && strlen(hash) == SHA256_HEX - 1)
		c->s->template_hash = hash;
	c->s->deadline_ms = c->o->timing.deadline_ms;
	c->s->latest_start_ms = c->o->timing.latest_start_ms;
	c->s->learned_duration_ms = c->o->timing.learned_ms;
}

/* Kueue may label a Job whose template it did not see: from then on suspend is Kueue's (contracts 1). */
static void decide_kueue(struct ctx *c)
{
	if (c->o->job->suspend || c->o->caj->spec.suspend) {
		refuse(c, "ManagedByKueue",
		       arena_printf(c->arena,
				    "the Job has the Kueue queue %s: Kueue owns its suspend field and starts it",
				    c->o->job->kueue_queue));
		return;
	}
	accept(c);
	if (caj_is_paused(c->o->caj)) {
		pause_forget_plan(c);
		return;
	}
	if (c->s->released_ms == TIME_NONE)
		note_unsuspended(c);
	decide_released(c);
}

static void decide_with_job(struct ctx *c)
{
	const struct caj_observed *o = c->o;

	if (c->s->job_uid && strcmp(c->s->job_uid, o->job->obj.meta.uid) != 0) {
		finish_deleted(c, "the Job was replaced by another one of the same name; it is never created again");
		return;
	}
	note_job(c);
	/* A region that goes away does not end a job that was accepted: it is planned in those that are left. */
	bool refused = o->refusal.reason && strcmp(o->refusal.reason, "UnknownRegion") != 0;
	bool finished = job_is_finished(o->job);
	if (!finished && o->job->kueue_queue) {
		decide_kueue(c);
		return;
	}
	if (!refused)
		accept(c);
	if (finished) {
		decide_job_end(c);
	} else if (o->caj->spec.suspend) {
		decide_user_suspend(c);
	} else if (caj_is_paused(o->caj)) {
		pause_decide(c);
	} else if (c->s->released_ms != TIME_NONE) {
		decide_released(c);
	} else if (!o->job->suspend) {
		note_unsuspended(c);
		decide_released(c);
	} else if (refused) {
		refuse(c, o->refusal.reason, o->refusal.message);
	} else {
		decide_pending(c);
	}
}

/* ---- the status as a whole ---- */

/* Whether there is something to write. */
static bool status_differs(struct ctx *c)
{
	_cleanup_(buf_release) struct buf was = BUF_INIT(16 * CAJ_MAX_STATUS);
	_cleanup_(buf_release) struct buf is = BUF_INIT(16 * CAJ_MAX_STATUS);
	struct error err;

	status_fit(c->s, c->arena, &is);
	return caj_status_encode(&c->o->caj->status, &was, &err) != 0 || !str_eq(buf_str(&was), buf_str(&is));
}

void caj_decide(const struct caj_observed *o, struct arena *arena, struct caj_decision *ret)
{
	struct ctx c = { .o = o, .arena = arena, .d = ret, .s = &ret->status };

	*ret = (struct caj_decision){ .look_again_ms = TIME_NONE };
	caj_status_copy(&o->caj->status, arena, &ret->status);
	if (ret->status.ledger.begun) {
		struct caj_progress progress;

		caj_progress(o->caj, o->job, o->now_ms, &progress);
		c.done_ms = progress.done_ms;
	}
	if (o->caj->obj.meta.deletion_ms != TIME_NONE)
		return; /* the garbage collector takes the Job along */
	if (caj_is_finished(o->caj))
		decide_finished(&c);
	else if (o->job)
		decide_with_job(&c);
	else
		decide_without_job(&c);
	if (c.waiting || ret->action == CAJ_CREATE_JOB)
		return;
	/*
	 * State before side effect: whatever else is to be done waits until the status says what is known. Only the
	 * creation goes first, because its UID is what the status will tell.
	 */
	ret->status.observed_generation = o->caj->obj.meta.generation;
	if (status_differs(&c)) {
		ret->action = CAJ_WRITE_STATUS;
		ret->check_caj = false; /* its version is a precondition anyway */
	} else {
		ret->event = (struct caj_event){ 0 };
		ret->check_job = false;
	}
}

const char *caj_action_name(enum caj_action a)
{
	static const char *const names[] = { "nothing",   "create-job", "write-status", "release-job", "suspend-job",
					     "pause-job", "scale-job",  "set-job-ttl",  "delete" };

	return names[a];
}
