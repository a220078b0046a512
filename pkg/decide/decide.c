/* SPDX-License-Identifier: Apache-2.0 */
/* The next write for one CarbonAwareJob. */
#include "decide/decide.h"

#include "base/decimal.h"

struct ctx {
	const struct caj_observed *o;
	struct arena *arena;
	struct caj_decision *d;
	struct caj_status *s; /* &d->status */
	bool waiting;	      /* for a plan that comes within a moment */
};

static void cond(struct ctx *c, const char *type, bool value, const char *reason, const char *message)
{
	(void)condition_set(&c->s->conditions, c->arena, type, value ? CONDITION_TRUE : CONDITION_FALSE, reason,
			    c->o->caj->obj.meta.generation, c->o->now_ms, "%s", message ? message : "");
}

/* A condition that says nothing while it was never true stays away, which keeps the status small. */
static void cond_clear(struct ctx *c, const char *type, const char *reason, const char *message)
{
	if (condition_is_true(&c->s->conditions, type))
		cond(c, type, false, reason, message);
}

static void ready(struct ctx *c, bool value, const char *state, const char *message)
{
	cond(c, COND_READY, value, state, message);
}

/* A reason that it was accepted in spite of something (TemplateChanged) stays. */
static void accept(struct ctx *c)
{
	if (!condition_is_true(&c->s->conditions, COND_ACCEPTED))
		cond(c, COND_ACCEPTED, true, "Accepted", "");
}

static void look_again(struct ctx *c, int64_t domain_ms)
{
	if (domain_ms != TIME_NONE && (c->d->look_again_ms == TIME_NONE || domain_ms < c->d->look_again_ms))
		c->d->look_again_ms = domain_ms;
}

static void event(struct ctx *c, bool warning, const char *reason, const char *message)
{
	/* The first one of a decision is the news; the rest is in the conditions. */
	if (!c->d->event.reason)
		c->d->event = (struct caj_event){ warning, reason, message };
}

static bool is_finished(const struct caj_status *s)
{
	return condition_is_true(&s->conditions, COND_COMPLETE) || condition_is_true(&s->conditions, COND_FAILED);
}

bool caj_is_finished(const struct carbonawarejob *caj)
{
	return is_finished(&caj->status);
}

bool caj_is_pending(const struct carbonawarejob *caj, const struct job *job)
{
	return job && !caj_is_finished(caj) && caj->status.released_ms == TIME_NONE && !caj->spec.suspend &&
	       caj->obj.meta.deletion_ms == TIME_NONE && !job_is_finished(job) && job->suspend;
}

bool caj_is_running(const struct carbonawarejob *caj, const struct job *job)
{
	return job && !caj_is_finished(caj) && caj->status.released_ms != TIME_NONE && !job_is_finished(job);
}

/* "~412 g" while expected, "412 g" once real; from 10 kg on in kg. */
static const char *saved_carbon(struct ctx *c, const struct caj_saving *s, bool expected)
{
	char text[DECIMAL_TEXT];
	int64_t size = s->carbon_milligrams < 0 ? -s->carbon_milligrams : s->carbon_milligrams;

	if (!s->carbon_known)
		return "not available";
	if (size >= 10 * INT64_C(1000000))
		return arena_printf(c->arena, "%s%s kg", expected ? "~" : "",
				    decimal_format_fixed(s->carbon_milligrams, 6, 2, text));
	return arena_printf(c->arena, "%s%s g", expected ? "~" : "",
			    decimal_format_fixed(s->carbon_milligrams, 3, size < 10000 ? 1 : 0, text));
}

static const char *saved_cost(struct ctx *c, const struct caj_saving *s, bool expected)
{
	char text[DECIMAL_TEXT];

	if (!s->cost_known || !c->s->currency)
		return "not available";
	return arena_printf(c->arena, "%s%s %s", expected ? "~" : "",
			    decimal_format_fixed(s->cost_micros, 6, 3, text), c->s->currency);
}

static void show_expected_savings(struct ctx *c)
{
	const struct caj_figures *b = &c->s->baseline.expected, *p = &c->s->plan.expected;
	struct caj_saving saving = {
		.carbon_known = b->carbon_known && p->carbon_known,
		.cost_known = b->cost_known && p->cost_known,
		.carbon_milligrams = b->carbon_milligrams - p->carbon_milligrams,
		.cost_micros = b->cost_micros - p->cost_micros,
	};

	c->s->saved_carbon = saved_carbon(c, &saving, true);
	c->s->saved_cost = saved_cost(c, &saving, true);
}

/* Complete/Failed with the state that people see. */
static void finish(struct ctx *c, bool failed, const char *reason, const char *message)
{
	cond(c, failed ? COND_FAILED : COND_COMPLETE, true, reason, message);
	cond_clear(c, COND_SUSPENDED, "JobFinished", "");
	cond_clear(c, COND_START_BLOCKED, "JobFinished", "");
	ready(c, !failed, failed ? "Failed" : "Succeeded", message);
	event(c, failed, failed ? reason : "Completed", message);
}

/* Actual figures and savings of what ran; true if that changed anything worth writing. */
static void settle(struct ctx *c)
{
	const struct account *a = c->o->account;
	struct caj_status *s = c->s;

	if (!a || !a->known || s->actual.final)
		return;
	s->n_runs = a->n_runs;
	memcpy(s->runs, a->runs, sizeof(s->runs));
	s->actual = (struct caj_actual){
		.present = true,
		.final = a->final,
		.figures = a->total,
		.carbon_source = a->carbon_source,
		.energy_scope = "Dynamic",
		.cost_basis = s->actual.cost_basis ? s->actual.cost_basis : c->o->plan ? c->o->plan->cost_basis : "Tariff",
	};
	s->savings = a->savings;
	if (a->savings.present) {
		s->saved_carbon = saved_carbon(c, &a->savings.total, false);
		s->saved_cost = saved_cost(c, &a->savings.total, false);
	}
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
	int64_t end = finished_ms(c->s);
	settle(c);
	if (!c->s->actual.final && c->s->n_runs > 0)
		look_again(c, c->s->runs[c->s->n_runs - 1].end_ms + ACCOUNT_FINAL_AFTER_MS + MINUTE_MS);
	const char *held = job ? object_annotation(&job->obj, ANNOTATION_JOB_TTL) : NULL;
	if (held && job_is_finished(job) && job->ttl_after_finished_ms == TIME_NONE)
		c->d->action = CAJ_SET_JOB_TTL;
	if (o->caj->spec.ttl_after_finished_ms != TIME_NONE && end != TIME_NONE) {
		int64_t due = end + o->caj->spec.ttl_after_finished_ms;

		if (o->now_ms >= due && c->d->action == CAJ_NOTHING)
			c->d->action = CAJ_DELETE;
		else
			look_again(c, due);
	}
}

static void refuse(struct ctx *c, const char *reason, const char *message)
{
	cond(c, COND_ACCEPTED, false, reason, message);
	ready(c, false, "Rejected", message);
	c->s->explanation = message;
	event(c, true, reason, message);
}

static bool copy_figures_from_plan(struct ctx *c, const struct plan_entry *p)
{
	struct caj_status *s = c->s;
	bool moved = s->plan.n_segments > 0 && p->plan.n_segments > 0 &&
		     (s->plan.segments[0].start_ms - p->plan.segments[0].start_ms > CAJ_EVENT_MOVE_MS ||
		      p->plan.segments[0].start_ms - s->plan.segments[0].start_ms > CAJ_EVENT_MOVE_MS ||
		      !cstr_eq(s->plan.segments[0].region, p->plan.segments[0].region));

	s->plan_id = p->plan_id;
	s->plan = p->plan;
	s->currency = p->currency;
	s->explanation = p->explanation;
	s->n_options = p->n_options;
	memcpy(s->options, p->options, sizeof(s->options));
	s->estimated_start_ms = p->plan.n_segments ? p->plan.segments[0].start_ms : TIME_NONE;
	/* Home and baseline are frozen at the first plan (contracts 1). */
	if (!s->home)
		s->home = p->home;
	if (!s->baseline.rule)
		s->baseline = p->baseline;
	s->actual.cost_basis = p->cost_basis;
	s->saved_carbon = s->saved_cost = NULL;
	if (p->plan.n_segments > 0)
		show_expected_savings(c);
	return moved;
}

static void at_risk(struct ctx *c, int64_t start_ms)
{
	const struct caj_timing *t = &c->o->timing;
	char text[TIME_TEXT];

	if (t->deadline_ms != TIME_NONE && t->duration_ms > 0 && start_ms + t->duration_ms > t->deadline_ms)
		cond(c, COND_DEADLINE_AT_RISK, true, "WindowTooShort",
		     arena_printf(c->arena, "a run of %s that starts now ends after the deadline",
				  time_format_duration(t->duration_ms, text)));
	else
		cond_clear(c, COND_DEADLINE_AT_RISK, "InTime", "");
}

static void apply_plan(struct ctx *c, const struct plan_entry *p)
{
	bool first = c->s->plan.n_segments == 0;
	bool moved = copy_figures_from_plan(c, p);

	accept(c);
	cond(c, COND_PLANNED, p->plan.n_segments > 0, p->reason, p->explanation);
	if (p->no_data)
		cond(c, COND_DEGRADED, true, "NoGridData", p->explanation);
	else if (p->shift_disabled)
		cond(c, COND_DEGRADED, true, "PlaceShiftDisabled",
		     "regions with another carbon basis or currency than home are left out; time shift goes on");
	else
		cond_clear(c, COND_DEGRADED, "GridDataFresh", "");
	if (p->over_power)
		event(c, true, "PowerLimitOverridden", p->explanation);
	if (moved)
		event(c, false, "Replanned", p->explanation);
	if (first && p->plan.n_segments && p->plan.segments[0].start_ms > c->o->now_ms)
		event(c, false, "Deferred", p->explanation);
}

/* The moment at which it starts by the plan, or by the deadline without one; TIME_NONE = not by itself. */
static int64_t start_due_ms(const struct ctx *c)
{
	const struct caj_timing *t = &c->o->timing;
	const struct caj_spec *spec = &c->o->caj->spec;
	bool hard = (spec->max_carbon.set && spec->max_carbon.hard) || (spec->max_price.set && spec->max_price.hard) ||
		    (spec->min_renewable.set && spec->min_renewable.hard);

	if (c->s->plan.n_segments > 0 && (!hard || c->o->plan))
		return c->s->plan.segments[0].start_ms;
	if (hard && !t->at_once_reason)
		return TIME_NONE;
	/* No plan from this process yet: the latest start holds all the same. */
	return t->latest_start_ms == TIME_NONE ? (c->o->can_plan ? TIME_NONE : t->earliest_ms)
					       : MAX(t->latest_start_ms, t->earliest_ms);
}

static void release(struct ctx *c)
{
	const struct caj_timing *t = &c->o->timing;

	c->s->released_ms = c->o->now_ms;
	c->s->estimated_start_ms = c->o->now_ms;
	if (!c->s->explanation)
		c->s->explanation = "starts at its latest start: there was no plan";
	accept(c);
	cond(c, COND_RELEASED, true, c->o->caj->run_now ? "RunNow" : c->s->plan.n_segments ? "PlanDue" : "LatestStart",
	     c->s->explanation);
	at_risk(c, c->o->now_ms);
	ready(c, true, "Running", "released");
	event(c, false, "Released", c->s->explanation);
	c->d->overdue = t->latest_start_ms != TIME_NONE && c->o->now_ms >= t->latest_start_ms;
}

/* A plan that has no start: wait for better data until the latest start, then it is over. */
static void decide_hard_limit(struct ctx *c, const struct plan_entry *p)
{
	const struct caj_timing *t = &c->o->timing;
	int64_t end = t->latest_start_ms == TIME_NONE ? t->earliest_ms : MAX(t->latest_start_ms, t->earliest_ms);

	if (c->o->now_ms >= end) {
		finish(c, true, p->reason, p->explanation);
		return;
	}
	ready(c, false, "Pending", p->explanation);
	look_again(c, end);
}

static void decide_pending(struct ctx *c)
{
	const struct caj_observed *o = c->o;
	const struct plan_entry *p = o->plan;
	const struct caj_timing *t = &o->timing;

	c->s->deadline_ms = t->deadline_ms;
	c->s->latest_start_ms = t->latest_start_ms;
	if (p && p->generation == o->caj->obj.meta.generation)
		apply_plan(c, p);
	else if (o->can_plan && (t->latest_start_ms == TIME_NONE || o->now_ms < t->latest_start_ms)) {
		/* A plan comes within a moment and brings its own write; until then nothing is worth one. */
		c->waiting = true;
		look_again(c, t->latest_start_ms);
		return;
	}
	if (p && p->plan.n_segments == 0 && p->generation == o->caj->obj.meta.generation) {
		decide_hard_limit(c, p);
		return;
	}
	int64_t due = start_due_ms(c);
	if (due != TIME_NONE && o->now_ms >= due) {
		release(c);
		return;
	}
	ready(c, true, due == TIME_NONE ? "Pending" : "Deferred", c->s->explanation);
	if (t->latest_start_ms != TIME_NONE && t->latest_start_ms < o->now_ms)
		at_risk(c, o->now_ms);
	look_again(c, due);
	look_again(c, t->latest_start_ms);
}

/* Released, so the Job's own conditions tell the rest. */
static void decide_released(struct ctx *c)
{
	const struct caj_observed *o = c->o;
	const struct job *job = o->job;
	const char *mark = object_annotation(&job->obj, ANNOTATION_RELEASED);
	char released[TIME_TEXT];

	if (o->fold && o->account) {
		c->s->n_runs = o->account->n_runs;
		memcpy(c->s->runs, o->account->runs, sizeof(c->s->runs));
	}
	if (job->suspend && !cstr_eq(mark, time_format(c->s->released_ms, released))) {
		/* Recorded, not yet carried out: now, or again after a crash. */
		c->d->action = CAJ_RELEASE_JOB;
		return;
	}
	if (job->suspend) {
		cond(c, COND_SUSPENDED, true, "JobSuspended", "Job suspended");
		ready(c, false, "SuspendedByOther",
		      "somebody else suspended the Job after its release; unsuspend the Job to go on");
		return;
	}
	cond_clear(c, COND_SUSPENDED, "JobResumed", "Job resumed");
	ready(c, true, "Running", c->s->explanation);
	if (o->pods.running > 0) {
		cond_clear(c, COND_START_BLOCKED, "PodRunning", "");
	} else if (o->released_for_real_ms >= CAJ_START_BLOCKED_MS) {
		const char *why = o->pods.unscheduled_message ? o->pods.unscheduled_message
				  : o->pods.active == 0 ? "the Job has created no pod: look at its events for quota or admission"
							: "pods are scheduled but do not run";
		if (!condition_is_true(&c->s->conditions, COND_START_BLOCKED))
			event(c, true, "StartBlocked", why);
		cond(c, COND_START_BLOCKED, true, o->pods.unscheduled_message ? "Unschedulable" : "NoPodRunning", why);
	} else {
		c->d->look_again_real_ms = CAJ_START_BLOCKED_MS - o->released_for_real_ms;
	}
}

/* A Job that has ended, by its own words. */
static void decide_job_end(struct ctx *c)
{
	const struct condition *failed = condition_find(&c->o->job->conditions, COND_FAILED);

	settle(c);
	if (failed && failed->status == CONDITION_TRUE) {
		finish(c, true, failed->reason[0] ? failed->reason : "JobFailed", failed->message);
		return;
	}
	finish(c, false, "JobComplete",
	       c->s->savings.present
		       ? arena_printf(c->arena, "saved %s and %s against running at once in %s", c->s->saved_carbon,
				      c->s->saved_cost, c->s->baseline.region)
		       : "the Job is complete");
}

/* The user's own switch, as in CronJob: before release the Job just stays suspended. */
static void decide_user_suspend(struct ctx *c)
{
	const struct job *job = c->o->job;

	if (c->s->released_ms != TIME_NONE && job && !job->suspend) {
		c->d->action = CAJ_SUSPEND_JOB;
		return;
	}
	accept(c);
	cond(c, COND_SUSPENDED, true, "JobSuspended", "spec.suspend is true");
	ready(c, false, "Suspended", "spec.suspend is true: set it to false to let the job be planned");
	/* Once resumed it is released anew, by a new plan; what ran so far stays in runs[]. */
	c->s->released_ms = TIME_NONE;
	c->s->estimated_start_ms = TIME_NONE;
	c->s->explanation = "suspended by spec.suspend";
	if (c->o->fold && c->o->account) {
		c->s->n_runs = c->o->account->n_runs;
		memcpy(c->s->runs, c->o->account->runs, sizeof(c->s->runs));
	}
}

static void decide_without_job(struct ctx *c)
{
	const struct caj_observed *o = c->o;

	if (c->s->job_uid) {
		settle(c);
		finish(c, true, "JobDeleted",
		       "the Job was deleted before it finished; it is never created again: delete and apply this object "
		       "to run it anew");
		return;
	}
	if (o->refusal.reason)
		refuse(c, o->refusal.reason, o->refusal.message);
	else if (o->foreign_job)
		refuse(c, "JobNameTaken",
		       arena_printf(c->arena, "there is a Job of the same name that belongs to %s: give this object "
				    "another metadata.name or delete that Job", o->foreign_job));
	else if (o->template_error)
		refuse(c, "InvalidTemplate",
		       arena_printf(c->arena, "spec.jobTemplate makes no valid Job: %s", o->template_error));
	else
		c->d->action = CAJ_CREATE_JOB;
}

static void note_job(struct ctx *c)
{
	const struct caj_observed *o = c->o;

	c->s->job_name = o->job->obj.meta.name;
	if (!c->s->job_uid)
		c->s->job_uid = o->job->obj.meta.uid;
	if (!c->s->template_hash)
		c->s->template_hash = object_annotation(&o->job->obj, ANNOTATION_TEMPLATE_HASH);
	if (o->template_hash && c->s->template_hash && strcmp(o->template_hash, c->s->template_hash) != 0) {
		cond(c, COND_ACCEPTED, true, "TemplateChanged",
		     "spec.jobTemplate was changed after the Job was created: the Job keeps the first one; delete and "
		     "apply this object to use the new one");
		event(c, true, "TemplateChanged", "spec.jobTemplate was changed after the Job was created and has no effect");
	}
}

static void decide_with_job(struct ctx *c)
{
	const struct caj_observed *o = c->o;

	note_job(c);
	if (c->s->job_uid && strcmp(c->s->job_uid, o->job->obj.meta.uid) != 0) {
		/* Somebody made another Job of the same name and owner: the one we knew is gone. */
		settle(c);
		finish(c, true, "JobDeleted", "the Job was replaced by another one of the same name");
	} else if (job_is_finished(o->job)) {
		decide_job_end(c);
	} else if (o->caj->spec.suspend) {
		decide_user_suspend(c);
	} else if (c->s->released_ms != TIME_NONE) {
		decide_released(c);
	} else if (!o->job->suspend) {
		/* Somebody unsuspended it before its time: that is run-now, and accepted. */
		c->s->released_ms = o->now_ms;
		accept(c);
		cond(c, COND_RELEASED, true, "UnsuspendedByOther", "the Job was unsuspended by somebody else: it runs now");
		ready(c, true, "Running", "unsuspended by somebody else");
		event(c, false, "UnsuspendedByOther", "the Job was unsuspended by somebody else: it runs now");
	} else if (o->refusal.reason && strcmp(o->refusal.reason, "UnknownRegion") != 0) {
		refuse(c, o->refusal.reason, o->refusal.message);
	} else {
		cond_clear(c, COND_SUSPENDED, "JobResumed", "spec.suspend is false");
		decide_pending(c);
	}
}

static bool status_differs(const struct ctx *c)
{
	_cleanup_(buf_release) struct buf was = BUF_INIT(2 * CAJ_MAX_STATUS);
	_cleanup_(buf_release) struct buf is = BUF_INIT(2 * CAJ_MAX_STATUS);
	struct error err;

	if (caj_status_encode(&c->o->caj->status, false, &was, &err) || caj_status_encode(c->s, false, &is, &err))
		return true;
	return !str_eq(buf_str(&was), buf_str(&is));
}

void caj_decide(const struct caj_observed *o, struct arena *arena, struct caj_decision *ret)
{
	struct ctx c = { .o = o, .arena = arena, .d = ret, .s = &ret->status };

	*ret = (struct caj_decision){ .look_again_ms = TIME_NONE };
	caj_status_copy(&o->caj->status, arena, &ret->status);
	if (o->caj->obj.meta.deletion_ms != TIME_NONE)
		return; /* the garbage collector takes the Job along */
	if (caj_is_finished(o->caj))
		decide_finished(&c);
	else if (o->job)
		decide_with_job(&c);
	else
		decide_without_job(&c);
	/*
	 * State before side effect: whatever else is to be done waits until the status says what is known. Only the
	 * creation goes first, because its UID is what the status will tell.
	 */
	if (c.waiting || ret->action == CAJ_CREATE_JOB)
		return;
	ret->status.observed_generation = o->caj->obj.meta.generation;
	bool differs = status_differs(&c);
	if (differs) {
		ret->action = CAJ_WRITE_STATUS;
	} else {
		ret->event = (struct caj_event){ 0 };
	}
}

const char *caj_action_name(enum caj_action a)
{
	static const char *const names[] = { "nothing",	    "create-job", "write-status", "release-job",
					     "suspend-job", "set-job-ttl", "delete" };

	return names[a];
}
