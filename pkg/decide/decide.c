/* SPDX-License-Identifier: Apache-2.0 */
/* The next write for one CarbonAwareJob. */
#include "decide/decide.h"

#include "crypto/hash.h"
#include "decide/body.h"
#include "decide/status_fit.h"

struct ctx {
	const struct caj_observed *o;
	struct arena *arena;
	struct caj_decision *d;
	struct caj_status *s; /* &d->status */
	bool waiting;         /* nothing that is known now is worth a write */
};

/* Bytes of a condition's reason that the schema takes. */
#define MAX_REASON 128

/* ---- small helpers ---- */

static void cond(struct ctx *c, const char *type, bool value, const char *reason, const char *message)
{
	(void)condition_set(&c->s->conditions, c->arena, type, value ? CONDITION_TRUE : CONDITION_FALSE,
			    status_clip(reason, MAX_REASON, c->arena), c->o->caj->obj.meta.generation, c->o->now_ms,
			    "%s", message ? message : "");
}

/* A condition that says nothing while it was never true stays away, which keeps the status small. */
static void cond_clear(struct ctx *c, const char *type, const char *reason, const char *message)
{
	if (condition_is_true(&c->s->conditions, type))
		cond(c, type, false, reason, message);
}

static bool has_reason(const struct ctx *c, const char *type, const char *reason)
{
	const struct condition *found = condition_find(&c->s->conditions, type);

	return found && strcmp(found->reason, reason) == 0;
}

/* The State column; true when it is another one than before, which is worth an event. */
static bool ready(struct ctx *c, bool value, const char *state, const char *message)
{
	bool new = !has_reason(c, COND_READY, state);

	cond(c, COND_READY, value, state, message);
	return new;
}

static void look_again(struct ctx *c, int64_t domain_ms)
{
	/* What has passed calls nobody: it was acted on, or waits for something else. */
	if (domain_ms > c->o->now_ms && (c->d->look_again_ms == TIME_NONE || domain_ms < c->d->look_again_ms))
		c->d->look_again_ms = domain_ms;
}

static void event(struct ctx *c, bool warning, const char *reason, const char *message)
{
	/* The first one of a decision is the news; the rest is in the conditions. */
	if (!c->d->event.reason)
		c->d->event = (struct caj_event){ warning, reason, message };
}

/* Critical and run-now go before the user's hard limits (contracts 1). */
static bool is_override(const struct ctx *c)
{
	return c->o->caj->spec.critical || c->o->caj->run_now;
}

static bool is_hard(const struct ctx *c)
{
	const struct caj_spec *s = &c->o->caj->spec;

	return !is_override(c) && !c->o->mode.observe &&
	       ((s->max_carbon.set && s->max_carbon.hard) || (s->max_price.set && s->max_price.hard) ||
		(s->min_renewable.set && s->min_renewable.hard));
}

/* The latest start; for a job that is not deferred its earliest. */
static int64_t last_start_ms(const struct ctx *c)
{
	const struct caj_timing *t = &c->o->timing;

	return t->latest_start_ms == TIME_NONE ? t->earliest_ms : MAX(t->latest_start_ms, t->earliest_ms);
}

/* The round's result for the object as it is now, or NULL. */
static const struct plan_entry *current_plan(const struct ctx *c)
{
	const struct plan_entry *p = c->o->plan;

	return p && plan_entry_is_for(p, c->o->caj) ? p : NULL;
}

/* ---- savings and the end ---- */

static void show_savings(struct ctx *c, const struct caj_saving *s, bool expected)
{
	c->s->saved_carbon = account_saved_carbon(s, expected, c->arena);
	c->s->saved_cost = account_saved_cost(s, c->s->currency, expected, c->arena);
}

static void copy_runs(struct ctx *c)
{
	c->s->n_runs = c->o->account->n_runs;
	memcpy(c->s->runs, c->o->account->runs, (size_t)c->s->n_runs * sizeof(*c->s->runs));
}

/* Energy of pods that are gone, before it is forgotten. */
static void fold_runs(struct ctx *c)
{
	if (c->o->fold && c->o->account)
		copy_runs(c);
}

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
	copy_runs(c);
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
	if (s->savings && has_reason(c, COND_RELEASED, CAJ_OBSERVE_MODE)) {
		struct caj_savings *measured = arena_new(c->arena, struct caj_savings);

		/* The plan was never tried: nobody knows how far off it was. */
		*measured = a->savings;
		measured->forecast_error = (struct caj_saving){ 0 };
		s->savings = measured;
	}
	show_savings(c, &a->savings.total, false);
}

/* Complete or Failed; `words` are for the State. */
static void finish(struct ctx *c, bool failed, const char *reason, const char *message, const char *words)
{
	cond(c, failed ? COND_FAILED : COND_COMPLETE, true, reason, message);
	cond_clear(c, COND_START_BLOCKED, "JobFinished", "");
	c->s->estimated_start_ms = c->s->released_ms;
	(void)ready(c, !failed, failed ? "Failed" : "Succeeded", words);
	event(c, failed, failed ? reason : "Completed", words);
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
		look_again(c, c->s->runs[c->s->n_runs - 1].end_ms + ACCOUNT_FINAL_AFTER_MS + MINUTE_MS);
	if (job && job_is_finished(job) && job->ttl_after_finished_ms == TIME_NONE && body_held_ttl(job, &ttl))
		c->d->action = CAJ_SET_JOB_TTL;
	if (o->caj->spec.ttl_after_finished_ms != TIME_NONE && end != TIME_NONE) {
		int64_t due = end + o->caj->spec.ttl_after_finished_ms;

		if (o->now_ms >= due && c->d->action == CAJ_NOTHING)
			c->d->action = CAJ_DELETE;
		look_again(c, due);
	}
}

/* ---- conditions that several states share ---- */

/* Not a word about the Job itself, which, if there is one, stays as it is. */
static void refuse(struct ctx *c, const char *reason, const char *message)
{
	const struct condition *was = condition_find(&c->s->conditions, COND_ACCEPTED);
	bool new = !was || was->status == CONDITION_TRUE || strcmp(was->reason, reason) != 0;

	cond(c, COND_ACCEPTED, false, reason, message);
	(void)ready(c, false, "Rejected", message);
	c->s->explanation = message;
	c->s->estimated_start_ms = TIME_NONE;
	if (new)
		event(c, true, reason, message);
}

static void accept(struct ctx *c)
{
	const char *is = c->o->template_hash, *made_from = c->s->template_hash;
	bool was = has_reason(c, COND_ACCEPTED, "TemplateChanged");
	bool changed = is && made_from ? strcmp(is, made_from) != 0 : was;

	if (!changed && c->o->mode.unknown) {
		cond(c, COND_ACCEPTED, true, "UnknownMode",
		     arena_printf(c->arena,
				  "the namespace's label " LABEL_MODE " is \"%.63s\": set it to act or observe; until "
				  "then the default holds, %s",
				  c->o->mode.unknown, c->o->mode.observe ? "observe" : "act"));
		return;
	}
	if (!changed) {
		cond(c, COND_ACCEPTED, true, "Accepted", "");
		return;
	}
	cond(c, COND_ACCEPTED, true, "TemplateChanged",
	     "spec.jobTemplate was changed after the Job was created: the Job keeps the first one; delete and apply "
	     "this "
	     "object to use the new one");
	if (!was)
		event(c, true, "TemplateChanged",
		      "spec.jobTemplate was changed after the Job was created and has no effect");
}

/* The Job's own condition, in its words; here it is set from the moment the user asks for it. */
static void mirror_suspended(struct ctx *c, bool suspended)
{
	if (suspended)
		cond(c, COND_SUSPENDED, true, "JobSuspended", "Job suspended");
	else
		cond_clear(c, COND_SUSPENDED, "JobResumed", "Job resumed");
}

/* Is a run that starts then in time? */
static void watch_deadline(struct ctx *c, int64_t start_ms)
{
	const struct caj_timing *t = &c->o->timing;
	char text[TIME_TEXT];

	if (t->deadline_ms == TIME_NONE) {
		cond_clear(c, COND_DEADLINE_AT_RISK, "NoDeadline", "");
		return;
	}
	if (c->o->now_ms > t->deadline_ms)
		cond(c, COND_DEADLINE_AT_RISK, true, "DeadlinePassed",
		     arena_printf(c->arena, "the deadline %s has passed", time_format(t->deadline_ms, text)));
	else if (t->duration_ms > 0 && start_ms + t->duration_ms > t->deadline_ms)
		cond(c, COND_DEADLINE_AT_RISK, true, "WindowTooShort",
		     arena_printf(c->arena, "a run of %s that starts now ends after the deadline",
				  time_format_duration(t->duration_ms, text)));
	else
		cond_clear(c, COND_DEADLINE_AT_RISK, "InTime", "");
	look_again(c, t->deadline_ms + 1);
}

/* ---- before the release ---- */

static bool is_move(const struct caj_plan *from, const struct caj_plan *to)
{
	if (from->n_segments == 0 || to->n_segments == 0)
		return false;
	int64_t by = to->segments[0].start_ms - from->segments[0].start_ms;

	return by > CAJ_EVENT_MOVE_MS || by < -CAJ_EVENT_MOVE_MS;
}

/* In observe mode the plan's sentence tells what acting would have done, and what that would have saved. */
static const char *explained(struct ctx *c, const struct plan_entry *p, const struct caj_saving *saving)
{
	if (!c->o->mode.observe)
		return p->explanation;
	const char *text = arena_printf(c->arena, "observe mode: runs at once, unmodified; acting: %s", p->explanation);

	if (p->plan.n_segments == 0 || (!saving->carbon_known && !saving->cost_known))
		return text;
	return arena_printf(c->arena, "%s; that would save %s and %s", text,
			    account_saved_carbon(saving, true, c->arena),
			    account_saved_cost(saving, p->currency, true, c->arena));
}

static void copy_plan(struct ctx *c, const struct plan_entry *p)
{
	struct caj_status *s = c->s;
	bool same = cstr_eq(s->plan_id, p->plan_id);

	s->plan_id = p->plan_id;
	s->plan = p->plan;
	s->currency = p->currency;
	s->estimated_start_ms = p->plan.n_segments ? p->plan.segments[0].start_ms : TIME_NONE;
	/* Home and baseline are frozen at the first plan (contracts 1). */
	if (!s->home)
		s->home = p->home;
	if (!s->baseline.rule)
		s->baseline = p->baseline;
	struct caj_saving saving = account_expected_saving(s);
	const char *text = explained(c, p, &saving);
	/* Options move with the clock: new ones alone are not worth a write. */
	if (!same || !cstr_eq(s->explanation, text)) {
		s->n_options = p->n_options;
		s->options = p->options;
	}
	s->explanation = text;
	/* What nobody is going to do is not expected to save anything. */
	s->saved_carbon = s->saved_cost = NULL;
	if (p->plan.n_segments > 0 && !c->o->mode.observe)
		show_savings(c, &saving, true);
}

static void apply_plan(struct ctx *c, const struct plan_entry *p)
{
	bool moved = is_move(&c->s->plan, &p->plan);

	copy_plan(c, p);
	cond(c, COND_PLANNED, p->plan.n_segments > 0, p->reason, c->s->explanation);
	if (p->no_data)
		cond(c, COND_DEGRADED, true, "NoGridData", c->s->explanation);
	else if (p->shift_disabled)
		cond(c, COND_DEGRADED, true, "PlaceShiftDisabled",
		     "regions with another carbon basis or currency than home are left out; time shift goes on");
	else
		cond_clear(c, COND_DEGRADED, "GridDataFresh", "");
	if (moved && !c->o->mode.observe)
		event(c, false, "Replanned", c->s->explanation);
}

/* Nothing to plan by: no GridRegion, or none that could be a home. */
static void apply_no_grid(struct ctx *c)
{
	const char *text = "there is no GridRegion to plan by", *what = "starts at once";

	cond(c, COND_DEGRADED, true, "NoGridData", text);
	if (c->s->plan.n_segments > 0 && !is_hard(c))
		return;
	if (c->o->mode.observe)
		what = "observe mode: runs at once, unmodified";
	else if (is_hard(c))
		what = "does not start before its hard limits are known to be met";
	else if (c->o->caj->spec.run_at_latest_on_no_data)
		what = "starts at its latest start";
	c->s->explanation = arena_printf(c->arena, "%s: %s", what, text);
	cond(c, COND_PLANNED, false, is_hard(c) ? "HardLimitUnknown" : "NoData", c->s->explanation);
}

/*
 * When it starts, TIME_NONE = not by itself. Never before the user's earliest and never after the latest start, also
 * when the plan that is known rests on an older spec or on another annotation.
 */
static int64_t start_due_ms(const struct ctx *c)
{
	const struct caj_timing *t = &c->o->timing;
	int64_t last = last_start_ms(c);

	if (is_override(c) || c->o->mode.observe)
		return t->earliest_ms;
	if (is_hard(c) && !current_plan(c))
		return TIME_NONE;
	if (c->s->plan.n_segments > 0)
		return CLAMP(c->s->plan.segments[0].start_ms, t->earliest_ms, last);
	return c->o->can_plan || c->o->caj->spec.run_at_latest_on_no_data ? last : t->earliest_ms;
}

/* The release that the Job says was carried out; TIME_NONE when there is none that we could have written. */
static int64_t mark_ms(const struct ctx *c)
{
	const char *text = object_annotation(&c->o->job->obj, ANNOTATION_RELEASED);
	int64_t ms;

	return text && time_parse(str_from(text), &ms) && ms <= c->o->now_ms + HOUR_MS ? ms : TIME_NONE;
}

static const char *release_reason(const struct ctx *c)
{
	if (c->o->mode.observe)
		return CAJ_OBSERVE_MODE;
	if (c->o->caj->run_now)
		return "RunNow";
	if (c->s->plan.n_segments > 0 && c->s->plan.segments[0].start_ms <= c->o->now_ms)
		return "PlanDue";
	if (c->o->timing.latest_start_ms != TIME_NONE && c->o->now_ms >= c->o->timing.latest_start_ms)
		return "LatestStart";
	return c->o->timing.at_once_reason ? c->o->timing.at_once_reason : "NoData";
}

/* To be recorded; the patch of the Job follows once it is. */
static void release(struct ctx *c)
{
	const struct plan_entry *p = current_plan(c);
	const struct caj_timing *t = &c->o->timing;
	int64_t mark = mark_ms(c);

	c->s->released_ms = c->o->now_ms;
	/* Releases are told apart by their second: see decide_released_suspended(). */
	if (mark != TIME_NONE && c->s->released_ms < mark + SECOND_MS)
		c->s->released_ms = mark + SECOND_MS;
	c->s->estimated_start_ms = c->s->released_ms;
	if (!p && c->o->can_plan && c->s->plan.n_segments == 0)
		c->s->explanation = c->o->mode.observe ? "observe mode: runs at once, unmodified; there was no plan"
						       : "starts at its latest start: there was no plan";
	cond(c, COND_RELEASED, true, release_reason(c), c->s->explanation);
	mirror_suspended(c, false);
	watch_deadline(c, c->s->released_ms);
	if (p && p->over_power && !c->o->mode.observe)
		event(c, true, "PowerLimitOverridden", c->s->explanation);
	if (ready(c, true, "Running", c->s->explanation))
		event(c, false, "Released", c->s->explanation);
	c->d->overdue = t->latest_start_ms != TIME_NONE && c->o->now_ms >= t->latest_start_ms;
}

/*
 * No start is allowed, for now: better data or free power may come until the latest start. Then a hard limit of the
 * user's ends it; a region that is full does not, since its power will be free again.
 */
static void decide_no_start(struct ctx *c, const char *reason, const char *message, bool no_power)
{
	int64_t last = last_start_ms(c);

	if (!no_power && c->o->now_ms >= last) {
		settle(c);
		finish(c, true, reason, message, message);
		c->d->check_job = true;
		return;
	}
	watch_deadline(c, MAX(last, c->o->now_ms));
	(void)ready(c, false, "Pending", message);
	look_again(c, last);
}

static void decide_pending(struct ctx *c)
{
	const struct caj_observed *o = c->o;
	const struct plan_entry *p = current_plan(c);
	int64_t latest = o->timing.latest_start_ms;

	if (!p && o->can_plan && (is_hard(c) || latest == TIME_NONE || o->now_ms < latest)) {
		/* A plan comes within a moment and brings its own write; until then nothing is worth one. */
		c->waiting = true;
		look_again(c, latest);
		return;
	}
	mirror_suspended(c, true);
	if (p)
		apply_plan(c, p);
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
		watch_deadline(c, due);
		if (ready(c, true, "Deferred", c->s->explanation))
			event(c, false, "Deferred", c->s->explanation);
		look_again(c, due);
	}
}

/* ---- after the release ---- */

/* It is planned anew, and released by a new record; what ran so far stays in runs[]. */
static void take_back(struct ctx *c, const char *reason, const char *message)
{
	c->s->released_ms = TIME_NONE;
	c->s->estimated_start_ms = TIME_NONE;
	cond_clear(c, COND_RELEASED, reason, message);
	cond_clear(c, COND_START_BLOCKED, reason, message);
}

/* Somebody else let it go: that is run-now, and accepted. A stale copy of the Job must not make us believe it. */
static void note_unsuspended(struct ctx *c)
{
	const char *text = "the Job was unsuspended by somebody else: it runs now";

	if (c->s->released_ms == TIME_NONE) {
		c->s->released_ms = c->s->estimated_start_ms = c->o->now_ms;
		c->s->explanation = text;
	}
	cond(c, COND_RELEASED, true, CAJ_UNSUSPENDED_BY_OTHER, text);
	event(c, false, CAJ_UNSUSPENDED_BY_OTHER, text);
	c->d->check_job = true;
}

static void decide_start_blocked(struct ctx *c)
{
	const struct caj_observed *o = c->o;

	if (o->pods.running > 0) {
		cond_clear(c, COND_START_BLOCKED, "PodRunning", "");
	} else if (o->released_for_real_ms >= CAJ_START_BLOCKED_MS) {
		const char *why = o->pods.unscheduled_message ? o->pods.unscheduled_message
				  : o->pods.active == 0
					  ? "the Job has created no pod: look at its events for quota or admission"
					  : "pods are scheduled but do not run";
		if (!condition_is_true(&c->s->conditions, COND_START_BLOCKED))
			event(c, true, "StartBlocked", why);
		cond(c, COND_START_BLOCKED, true, o->pods.unscheduled_message ? "Unschedulable" : "NoPodRunning", why);
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
	bool by_other = has_reason(c, COND_RELEASED, CAJ_UNSUSPENDED_BY_OTHER);

	if (mark == recorded || by_other) {
		const char *text =
			"SuspendedByOther: somebody else suspended the Job after its release; unsuspend the Job "
			"to go on";

		mirror_suspended(c, true);
		cond_clear(c, COND_START_BLOCKED, "JobSuspended", "");
		if (ready(c, false, "Suspended", text))
			event(c, true, "SuspendedByOther", text);
	} else if (mark > recorded) {
		c->waiting = true;
	} else if (is_hard(c) && c->o->now_ms - recorded > CAJ_RELEASE_VALID_MS) {
		take_back(c, "NotCarriedOut",
			  "the release was recorded but not carried out in time for its hard limits");
		c->d->check_job = true;
	} else {
		c->d->action = CAJ_RELEASE_JOB;
		c->d->check_caj = true;
	}
}

/* Released, so the Job's own conditions tell the rest. */
static void decide_released(struct ctx *c)
{
	int64_t mark = mark_ms(c), recorded = time_slot_floor(c->s->released_ms, SECOND_MS);

	fold_runs(c);
	if (c->o->job->suspend) {
		decide_released_suspended(c, mark, recorded);
		return;
	}
	if (mark < recorded && !has_reason(c, COND_RELEASED, CAJ_UNSUSPENDED_BY_OTHER))
		note_unsuspended(c);
	mirror_suspended(c, false);
	watch_deadline(c, c->s->released_ms);
	decide_start_blocked(c);
	bool blocked = condition_is_true(&c->s->conditions, COND_START_BLOCKED);
	(void)ready(c, !blocked, "Running",
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
	mirror_suspended(c, c->o->job->suspend);
	if (deadline != TIME_NONE && at > deadline)
		cond(c, COND_DEADLINE_AT_RISK, true, "DeadlineMissed",
		     arena_printf(c->arena, "it ended after the deadline %s", time_format(deadline, text)));
	else
		cond_clear(c, COND_DEADLINE_AT_RISK, "InTime", "");
	if (failed) {
		finish(c, true, end->reason[0] ? end->reason : "JobFailed", end->message, end->message);
		return;
	}
	end = condition_find(of_job, COND_COMPLETE);
	const char *words = end->message[0] ? end->message : "the Job is complete";
	if (has_reason(c, COND_RELEASED, CAJ_OBSERVE_MODE))
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

	fold_runs(c);
	mirror_suspended(c, true);
	take_back(c, "JobSuspended", "spec.suspend is true");
	c->s->explanation = "suspended by spec.suspend";
	if (ready(c, false, "Suspended", text))
		event(c, false, "Suspended", text);
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
	static const char *const names[] = { "nothing",     "create-job",  "write-status", "release-job",
					     "suspend-job", "set-job-ttl", "delete" };

	return names[a];
}
