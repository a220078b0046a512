/* SPDX-License-Identifier: Apache-2.0 */
/* Small steps of a decision. */
#include "decide/internal.h"

#include "decide/status_fit.h"

/* Bytes of a condition's reason that the schema takes. */
#define MAX_REASON 128

void ctx_cond(struct ctx *c, const char *type, bool value, const char *reason, const char *message)
{
	(void)condition_set(&c->s->conditions, c->arena, type, value ? CONDITION_TRUE : CONDITION_FALSE,
			    status_clip(reason, MAX_REASON, c->arena), c->o->caj->obj.meta.generation, c->o->now_ms,
			    "%s", message ? message : "");
}

void ctx_clear(struct ctx *c, const char *type, const char *reason, const char *message)
{
	if (condition_is_true(&c->s->conditions, type))
		ctx_cond(c, type, false, reason, message);
}

bool ctx_has_reason(const struct ctx *c, const char *type, const char *reason)
{
	const struct condition *found = condition_find(&c->s->conditions, type);

	return found && strcmp(found->reason, reason) == 0;
}

bool ctx_ready(struct ctx *c, bool value, const char *state, const char *message)
{
	bool new = !ctx_has_reason(c, COND_READY, state);

	ctx_cond(c, COND_READY, value, state, message);
	return new;
}

void ctx_look_again(struct ctx *c, int64_t domain_ms)
{
	/* What has passed calls nobody: it was acted on, or waits for something else. */
	if (domain_ms > c->o->now_ms && (c->d->look_again_ms == TIME_NONE || domain_ms < c->d->look_again_ms))
		c->d->look_again_ms = domain_ms;
}

void ctx_event(struct ctx *c, bool warning, const char *reason, const char *message)
{
	if (!c->d->event.reason)
		c->d->event = (struct caj_event){ warning, reason, message };
}

bool ctx_is_override(const struct ctx *c)
{
	return c->o->caj->spec.critical || c->o->caj->run_now;
}

bool ctx_is_hard(const struct ctx *c)
{
	const struct caj_spec *s = &c->o->caj->spec;

	return !ctx_is_override(c) && !c->o->mode.observe &&
	       ((s->max_carbon.set && s->max_carbon.hard) || (s->max_price.set && s->max_price.hard) ||
		(s->min_renewable.set && s->min_renewable.hard));
}

int64_t ctx_left_ms(const struct ctx *c)
{
	return MAX(c->o->timing.duration_ms - c->done_ms, 0);
}

int64_t ctx_last_start_ms(const struct ctx *c)
{
	const struct caj_timing *t = &c->o->timing;

	if (t->latest_start_ms == TIME_NONE)
		return t->earliest_ms;
	return MAX(t->latest_start_ms + t->duration_ms - ctx_left_ms(c), t->earliest_ms);
}

const struct plan_entry *ctx_plan(const struct ctx *c)
{
	const struct plan_entry *p = c->o->plan;

	return p && plan_entry_is_for(p, c->o->caj) ? p : NULL;
}

void ctx_mirror_suspended(struct ctx *c, bool suspended)
{
	if (suspended)
		ctx_cond(c, COND_SUSPENDED, true, "JobSuspended", "Job suspended");
	else
		ctx_clear(c, COND_SUSPENDED, "JobResumed", "Job resumed");
}

void ctx_watch_deadline(struct ctx *c, int64_t start_ms)
{
	const struct caj_timing *t = &c->o->timing;
	char text[TIME_TEXT];

	if (t->deadline_ms == TIME_NONE) {
		ctx_clear(c, COND_DEADLINE_AT_RISK, "NoDeadline", "");
		return;
	}
	if (c->o->now_ms > t->deadline_ms)
		ctx_cond(c, COND_DEADLINE_AT_RISK, true, "DeadlinePassed",
			 arena_printf(c->arena, "the deadline %s has passed", time_format(t->deadline_ms, text)));
	else if (c->s->ledger.begun && start_ms + ctx_left_ms(c) > t->deadline_ms)
		/* Its length is not told: it is another one each time. */
		ctx_cond(c, COND_DEADLINE_AT_RISK, true, "WindowTooShort",
			 "what is left of the run ends after the deadline");
	else if (!c->s->ledger.begun && t->duration_ms > 0 && start_ms + t->duration_ms > t->deadline_ms)
		ctx_cond(c, COND_DEADLINE_AT_RISK, true, "WindowTooShort",
			 arena_printf(c->arena, "a run of %s that starts now ends after the deadline",
				      time_format_duration(t->duration_ms, text)));
	else
		ctx_clear(c, COND_DEADLINE_AT_RISK, "InTime", "");
	ctx_look_again(c, t->deadline_ms + 1);
}

int64_t ctx_mark_ms(const struct ctx *c, const char *annotation)
{
	const char *text = object_annotation(&c->o->job->obj, annotation);
	int64_t ms;

	return text && time_parse(str_from(text), &ms) && ms <= c->o->now_ms + HOUR_MS ? ms : TIME_NONE;
}

int64_t ctx_after_ms(const struct ctx *c, int64_t a_ms, int64_t b_ms)
{
	int64_t ms = c->o->now_ms, last = MAX(a_ms, b_ms);

	_Static_assert(TIME_NONE < 0, "none is before all");
	return last != TIME_NONE && ms < last + SECOND_MS ? last + SECOND_MS : ms;
}

void ctx_take_runs(struct ctx *c, const struct account *a)
{
	c->s->n_runs = a->n_runs;
	memcpy(c->s->runs, a->runs, (size_t)a->n_runs * sizeof(*a->runs));
}

void ctx_fold_runs(struct ctx *c)
{
	if (c->o->fold && c->o->account)
		ctx_take_runs(c, c->o->account);
}

void ctx_show_savings(struct ctx *c, const struct caj_saving *s, bool expected)
{
	c->s->saved_carbon = account_saved_carbon(s, expected, c->arena);
	c->s->saved_cost = account_saved_cost(s, c->s->currency, expected, c->arena);
}

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
	if (!s->ledger.begun)
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
		ctx_show_savings(c, &saving, true);
}

void ctx_apply_plan(struct ctx *c, const struct plan_entry *p)
{
	bool moved = is_move(&c->s->plan, &p->plan);

	copy_plan(c, p);
	ctx_cond(c, COND_PLANNED, p->plan.n_segments > 0, p->reason, c->s->explanation);
	if (p->no_data)
		ctx_cond(c, COND_DEGRADED, true, "NoGridData", c->s->explanation);
	else if (p->shift_disabled)
		ctx_cond(c, COND_DEGRADED, true, "PlaceShiftDisabled",
			 "regions with another carbon basis or currency than home are left out; time shift goes on");
	else
		ctx_clear(c, COND_DEGRADED, "GridDataFresh", "");
	if (moved && !c->o->mode.observe)
		ctx_event(c, false, "Replanned", c->s->explanation);
}
