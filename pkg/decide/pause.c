/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs that may pause or scale: the record of how far they have got, and following a plan of several segments. */
#include "decide/pause.h"

#include <math.h>

#include "decide/body.h"
#include "decide/internal.h"

/* A change of parallelism that was recorded a shorter while ago is being carried out. */
#define SCALE_WORKS_MS MINUTE_MS

/* ---- the record ---- */

/* Its plan may have more than one part. In observe mode nobody follows it. */
static bool has_record(const struct ctx *c)
{
	const struct caj_spec *s = &c->o->caj->spec;

	return s->interrupt.set || s->scale.set;
}

/* The last segment that has begun; before the first one, that; NULL without a plan. */
static const struct caj_segment *present(const struct ctx *c)
{
	const struct caj_plan *p = &c->s->plan;
	int i = 0;

	if (p->n_segments == 0)
		return NULL;
	while (i + 1 < p->n_segments && p->segments[i + 1].start_ms <= c->o->now_ms)
		i++;
	return &p->segments[i];
}

/* The one in which it goes on after a pause: the first that has not ended. */
static const struct caj_segment *next(const struct ctx *c)
{
	const struct caj_plan *p = &c->s->plan;

	for (int i = 0; i < p->n_segments; i++) {
		if (p->segments[i].end_ms > c->o->now_ms)
			return &p->segments[i];
	}
	return NULL;
}

/* Pods at once, as it should be now. Who is in a hurry gets all of them. */
static int32_t wanted(const struct ctx *c, const struct caj_segment *segment)
{
	const struct caj_scale *s = &c->o->caj->spec.scale;

	if (!s->set)
		return caj_pods(c->o->job);
	if (ctx_has_reason(c, COND_RELEASED, CAJ_UNSUSPENDED_BY_OTHER))
		return c->o->job->parallelism; /* what somebody else has let go is his */
	if (ctx_is_override(c) || !segment || segment->parallelism <= 0)
		return s->max;
	return CLAMP(segment->parallelism, s->min, s->max);
}

/* The parallelism that the Job has from us; where somebody has set another one since, that is his. */
static int64_t set_pods(const struct job *job)
{
	const char *mark = object_annotation(&job->obj, ANNOTATION_PARALLELISM);
	int64_t n = job->parallelism;

	if (mark)
		(void)str_to_i64(str_from(mark), 1, INT32_MAX, &n);
	return n;
}

/* A stretch in that segment; `since_ms` as far as it is known. */
static void begin(struct ctx *c, const struct caj_segment *segment, const char *region, int64_t since_ms)
{
	struct caj_ledger *l = &c->s->ledger;

	l->parallelism = wanted(c, segment);
	l->moves += l->begun && !cstr_eq(l->region, region);
	l->begun = true;
	l->region = region;
	l->since_ms = since_ms;
}

/* The work of the present stretch up to then, but for the last `lost_ms` of it. */
static void stop(struct ctx *c, int64_t at_ms, int64_t lost_ms)
{
	struct caj_ledger *l = &c->s->ledger;

	if (l->since_ms == TIME_NONE)
		return;
	int64_t ms = caj_work_ms(&c->o->caj->spec, l->parallelism, at_ms - l->since_ms - lost_ms);
	l->work_ms += time_slot_floor(ms, SECOND_MS);
	l->since_ms = TIME_NONE;
}

/* Where the plan has it; where it has begun, if it must stay there. */
static const char *region_of(const struct ctx *c, const struct caj_segment *segment)
{
	const struct caj_ledger *l = &c->s->ledger;

	if (l->begun && (l->in_place || !segment))
		return l->region;
	return segment ? segment->region : c->s->home;
}

void pause_begin(struct ctx *c)
{
	const struct caj_segment *segment = present(c), *to = next(c);

	if (segment && segment->end_ms <= c->o->now_ms && to)
		segment = to; /* what has begun, was suspended by its user and let go again, between two parts */
	if (has_record(c) && !c->o->mode.observe)
		begin(c, segment, region_of(c, segment), TIME_NONE);
}

void pause_stop(struct ctx *c)
{
	struct caj_ledger *l = &c->s->ledger;
	int64_t at_ms = c->o->job->suspend ? c->o->job_suspended_ms : TIME_NONE;

	if (!l->begun)
		return;
	c->d->check_job |= l->since_ms != TIME_NONE; /* an old copy may show it running */
	stop(c, at_ms == TIME_NONE ? c->o->now_ms : MIN(at_ms, c->o->now_ms), 0);
	/* Who has not said that it can be interrupted begins anew. */
	if (!c->o->caj->spec.interrupt.set)
		l->work_ms = 0;
}

/* ---- while it runs ---- */

int64_t pause_lost_ms(int64_t since_ms, int64_t last_checkpoint_ms, int64_t now_ms)
{
	if (last_checkpoint_ms == TIME_NONE)
		return 0;
	return now_ms - CLAMP(last_checkpoint_ms, since_ms, now_ms);
}

/* Of carbon or price over that time; NAN where a value is not known. */
static double mean(const struct grid_view *v, int region, int64_t from_ms, int64_t to_ms, bool price)
{
	const struct planner_signals *s = &v->signals;
	double sum = 0, whole = 0;

	if (region < 0)
		return NAN;
	const int32_t *column = price ? s->regions[region].price_micros_per_kwh : s->regions[region].carbon_mg_per_kwh;
	for (int64_t t = from_ms, end; t < to_ms && column; t = end) {
		int64_t i = (t - s->first_slot_ms) / s->slot_ms;

		if (t < s->first_slot_ms || i >= s->n_slots || column[i] == PLANNER_UNKNOWN)
			return NAN;
		end = MIN(s->first_slot_ms + (i + 1) * s->slot_ms, to_ms);
		sum += (double)column[i] * (double)(end - t);
		whole += (double)(end - t);
	}
	return whole > 0 ? sum / whole : NAN;
}

bool pause_pays(const struct grid_view *v, const struct pause_choice *p)
{
	int here = grid_view_find(v, p->region), there = grid_view_find(v, p->next_region);
	/* What is put off, and what is done once more. */
	double moved = (double)MIN(p->left_ms, MIN(p->next_start_ms - p->now_ms, p->next_end_ms - p->next_start_ms));
	double again = (double)p->lost_ms;
	double gain = 0, cost = 0;
	bool known = false;

	if (p->milliwatts > 0)
		again += (double)p->restart_milliwatt_hours * (double)HOUR_MS / (double)p->milliwatts;
	for (int price = 0; price < 2; price++) {
		double now = mean(v, here, p->now_ms, p->next_start_ms, price);
		double then = mean(v, there, p->next_start_ms, p->next_end_ms, price);
		double scale = (fabs(now) + fabs(then)) / 2;
		int weight = price ? p->weights.cost : p->weights.carbon;

		if (weight == 0 || isnan(scale) || scale <= 0)
			continue;
		known = true;
		gain += weight * (now - then) / scale * moved;
		cost += weight * MAX(then, 0) / scale * again;
	}
	return known && gain > cost;
}

/* With a word from the workload about its last checkpoint: is what a pause throws away worth it? */
static bool is_worth(const struct ctx *c, const struct caj_segment *to)
{
	const struct caj_observed *o = c->o;
	const struct caj_ledger *l = &c->s->ledger;

	if (o->last_checkpoint_ms == TIME_NONE)
		return true; /* what a pause costs was in the plan */
	if (!o->grid)
		return false;
	int16_t region = (int16_t)grid_view_find(o->grid, l->region);
	struct power_model model = grid_view_power(o->grid, &region, 1);
	return pause_pays(o->grid,
			  &(struct pause_choice){
				  .now_ms = o->now_ms,
				  .region = l->region,
				  .next_region = region_of(c, to),
				  .next_start_ms = to->start_ms,
				  .next_end_ms = to->end_ms,
				  .left_ms = ctx_left_ms(c),
				  .lost_ms = pause_lost_ms(l->since_ms, o->last_checkpoint_ms, o->now_ms),
				  .restart_milliwatt_hours = o->caj->spec.interrupt.restart_milliwatt_hours,
				  .milliwatts = caj_pod_milliwatts(&o->caj->spec, &o->job->template.requests, &model) *
						l->parallelism,
				  .weights = o->caj->spec.weights,
			  });
}

/* The segment after the gap that it is in, if it may and should pause for that. */
static const struct caj_segment *pause_for(struct ctx *c)
{
	const struct caj_observed *o = c->o;
	const struct caj_interrupt *may = &o->caj->spec.interrupt;
	const struct caj_ledger *l = &c->s->ledger;
	const struct caj_segment *is = present(c), *to = is ? is + 1 : NULL;

	if (!may->set || !is || to == c->s->plan.segments + c->s->plan.n_segments)
		return NULL;
	ctx_look_again(c, is->end_ms);
	if (o->now_ms < is->end_ms || l->since_ms == TIME_NONE || l->interruptions >= may->max_interruptions)
		return NULL;
	/* A change of parallelism is no new run. */
	int64_t ran_since = o->caj->spec.scale.set ? MIN(l->since_ms, c->s->released_ms) : l->since_ms;
	if (o->now_ms - ran_since < may->min_run_ms) {
		ctx_look_again(c, ran_since + may->min_run_ms);
		return NULL;
	}
	int64_t until = MIN(to->start_ms, ctx_last_start_ms(c) - may->checkpoint_ms);
	if (ctx_left_ms(c) <= MAX(PAUSE_LAST_MS, 2 * may->checkpoint_ms) ||
	    until - o->now_ms < MAX(PAUSE_SHORTEST_MS, may->checkpoint_ms))
		return NULL;
	return is_worth(c, to) ? to : NULL;
}

static const char *until_in_words(struct ctx *c, int64_t due_ms)
{
	const struct caj_segment *to = next(c);
	const char *region = region_of(c, to);
	char at[TIME_TEXT], left[TIME_TEXT];

	return arena_printf(c->arena, "paused until %s, then %s of work are left%s%s", time_format_minute(due_ms, at),
			    time_format_duration(ctx_left_ms(c), left),
			    region && strcmp(region, HOME_MEAN) != 0 ? " in " : "",
			    region && strcmp(region, HOME_MEAN) != 0 ? region : "");
}

static int64_t due_ms(const struct ctx *c);

/* To be recorded; the patch of the Job follows once it is. What has run so far is written down with it. */
static void record_pause(struct ctx *c)
{
	struct caj_status *s = c->s;

	s->paused_ms = ctx_after_ms(c, s->released_ms, ctx_mark_ms(c, ANNOTATION_PAUSED));
	stop(c, c->o->now_ms, c->o->caj->spec.interrupt.checkpoint_ms);
	c->done_ms = s->ledger.work_ms;
	s->ledger.interruptions++;
	if (c->o->account_now)
		ctx_take_runs(c, c->o->account_now);
	ctx_cond(c, COND_RELEASED, false, "Paused", "paused by its plan");
	ctx_clear(c, COND_START_BLOCKED, "Paused", "");
	ctx_mirror_suspended(c, true);
	const char *text = until_in_words(c, due_ms(c));
	(void)ctx_ready(c, true, "Paused", text);
	ctx_event(c, false, "Paused", text);
	/* A Job that has ended meanwhile is not paused any more. */
	c->d->check_job = true;
}

/* A stretch ends and another one begins, without a pause. */
static void next_stretch(struct ctx *c, int32_t pods)
{
	struct caj_ledger *l = &c->s->ledger;
	bool ran = l->since_ms != TIME_NONE;

	c->d->check_job |= ran;
	stop(c, c->o->now_ms, 0);
	l->parallelism = pods;
	l->since_ms = ran ? c->o->now_ms : TIME_NONE;
}

/* A change of parallelism that was recorded and not carried out, because we were away: it has run as before. */
static void correct_pods(struct ctx *c)
{
	struct caj_ledger *l = &c->s->ledger;
	int32_t was = l->parallelism;

	if (!c->o->caj->spec.scale.set || l->since_ms == TIME_NONE || set_pods(c->o->job) == was ||
	    c->o->now_ms - l->since_ms <= SCALE_WORKS_MS)
		return;
	l->parallelism = (int32_t)set_pods(c->o->job);
	next_stretch(c, was);
}

static void follow_scale(struct ctx *c)
{
	struct caj_ledger *l = &c->s->ledger;
	int32_t n = wanted(c, present(c)), was = l->parallelism;

	if (!c->o->caj->spec.scale.set)
		return;
	if (n != was) {
		next_stretch(c, n);
		ctx_event(c, false, "Scaled",
			  arena_printf(c->arena, "runs with %d pods from now on instead of %d", n, was));
	}
	if (set_pods(c->o->job) != n) {
		c->d->action = CAJ_SCALE_JOB;
		c->d->check_caj = true;
	}
	for (int i = 0; i < c->s->plan.n_segments; i++)
		ctx_look_again(c, c->s->plan.segments[i].start_ms);
}

/* A plan that was made since the last release or pause: an older one did not know of it. */
static void take_plan(struct ctx *c)
{
	const struct plan_entry *p = ctx_plan(c);

	if (p && p->plan.n_segments > 0 && caj_may_replan(c->o->caj, c->o->job) && !c->o->mode.observe &&
	    p->planned_ms >= MAX(c->s->released_ms, c->s->paused_ms))
		ctx_apply_plan(c, p);
}

void pause_follow(struct ctx *c, bool settled)
{
	const struct caj_observed *o = c->o;
	struct caj_ledger *l = &c->s->ledger;

	if (!l->begun && has_record(c) && !o->mode.observe && !caj_is_unmodified(o->caj) && !o->job->kueue_queue)
		pause_begin(c); /* it was allowed after the start */
	if (!l->begun)
		return;
	/* Suspended and let go again while nobody looked: how long it ran before is not known. */
	if (l->since_ms != TIME_NONE && o->job_started_ms != TIME_NONE && o->job_started_ms > l->since_ms) {
		l->since_ms = TIME_NONE;
		l->work_ms = o->caj->spec.interrupt.set ? l->work_ms : 0;
	}
	if (l->since_ms == TIME_NONE && o->pods.running_since_ms != TIME_NONE) {
		/*
		 * Stamps of pods are whole seconds. What somebody else let go has been seen later than it began; but
		 * no time may count twice.
		 */
		bool by_other = ctx_has_reason(c, COND_RELEASED, CAJ_UNSUSPENDED_BY_OTHER);
		int64_t first = by_other && l->work_ms == 0 ? c->s->paused_ms : c->s->released_ms;

		/* As many as it has, not as were to be; for which the copy must not be an old one. */
		c->d->check_job |= o->caj->spec.scale.set;
		l->parallelism = o->caj->spec.scale.set && !by_other ? (int32_t)set_pods(o->job) : wanted(c, NULL);
		l->since_ms = CLAMP(o->pods.running_since_ms, first, MAX(o->now_ms, first));
		c->done_ms = l->work_ms + caj_work_ms(&o->caj->spec, l->parallelism, o->now_ms - l->since_ms);
	}
	if (settled && o->mode.observe && o->caj->spec.scale.set)
		l->parallelism = (int32_t)set_pods(o->job); /* a change that was recorded is not made any more */
	if (!settled || o->mode.observe || o->job->kueue_queue)
		return;
	correct_pods(c);
	take_plan(c);
	if (caj_may_replan(o->caj, o->job) && pause_for(c))
		record_pause(c);
	else
		follow_scale(c);
}

/* ---- while it is paused ---- */

/* When it goes on. Like a start: never later than what is left allows, and at once for those in a hurry. */
static int64_t due_ms(const struct ctx *c)
{
	const struct caj_observed *o = c->o;
	const struct caj_segment *to = next(c);
	int64_t last = ctx_last_start_ms(c);

	if (ctx_is_override(c) || o->mode.observe || !o->caj->spec.interrupt.set ||
	    o->timing.latest_start_ms == TIME_NONE)
		return o->now_ms;
	if (!to)
		return last;
	/* A plan that was made before the pause was seen must not end it at once. */
	return CLAMP(MAX(to->start_ms, c->s->paused_ms + PAUSE_SHORTEST_MS), o->timing.earliest_ms, last);
}

/* Its pods are gone, so that the template may be changed, and nothing runs twice. */
static bool is_clear(const struct job *job)
{
	return condition_is_true(&job->conditions, "Suspended") && job->active == 0 && job->terminating == 0;
}

static const char *resume_reason(const struct ctx *c)
{
	const struct caj_segment *to = next(c);

	if (c->o->caj->run_now)
		return "RunNow";
	if (c->o->caj->spec.critical)
		return "Critical";
	if (c->o->mode.observe || !c->o->caj->spec.interrupt.set)
		return "NotInterruptible";
	return to && to->start_ms <= c->o->now_ms ? "PlanDue" : "LatestStart";
}

/* since_ms: TIME_NONE unless it has gone on running. */
static void record_resume(struct ctx *c, const char *reason, const char *region, int64_t since_ms)
{
	struct caj_status *s = c->s;
	const char *from = s->ledger.region;
	char left[TIME_TEXT];

	s->released_ms = ctx_after_ms(c, s->paused_ms, ctx_mark_ms(c, ANNOTATION_RELEASED));
	begin(c, next(c), region, since_ms);
	ctx_cond(c, COND_RELEASED, true, reason, s->explanation);
	ctx_mirror_suspended(c, false);
	ctx_watch_deadline(c, c->o->now_ms);
	(void)ctx_ready(c, true, "Running", s->explanation);
	const char *work =
		arena_printf(c->arena, "%s of work are left (%s)", time_format_duration(ctx_left_ms(c), left), reason);
	if (!cstr_eq(from, region))
		ctx_event(c, false, "Moved",
			  arena_printf(c->arena, "resumed in %s instead of %s: %s", region, from, work));
	else
		ctx_event(c, false, "Resumed", arena_printf(c->arena, "resumed: %s", work));
	if (c->o->timing.latest_start_ms != TIME_NONE) {
		c->d->due_ms = ctx_last_start_ms(c);
		c->d->overdue = c->o->now_ms >= c->d->due_ms;
	}
}

/* Its Job runs: the pause is not carried out yet, or somebody else has ended it. */
static void decide_unsuspended(struct ctx *c, int64_t mark)
{
	const struct caj_observed *o = c->o;
	const struct caj_segment *to = next(c);
	int64_t recorded = time_slot_floor(c->s->paused_ms, SECOND_MS);

	if (mark > recorded) {
		c->waiting = true; /* this object is a stale copy */
	} else if (mark == recorded) {
		pause_forget_plan(c);
	} else if (o->now_ms - recorded <= CAJ_RELEASE_VALID_MS && o->now_ms < due_ms(c) &&
		   !(to && to->start_ms <= o->now_ms)) {
		c->d->action = CAJ_PAUSE_JOB;
		c->d->check_caj = true;
	} else {
		/* Too late: what it says may not hold any more. It has run on meanwhile, where it was. */
		int64_t since = o->pods.running_since_ms;

		record_resume(c, PAUSE_TAKEN_BACK, c->s->ledger.region,
			      since == TIME_NONE ? since : MAX(since, c->s->paused_ms));
		if (o->caj->spec.scale.set)
			c->s->ledger.parallelism = (int32_t)set_pods(o->job);
		c->d->check_job = true;
	}
}

static void decide_resume(struct ctx *c, int64_t due)
{
	const struct caj_observed *o = c->o;
	const struct caj_segment *to = next(c);
	bool late = o->now_ms >= ctx_last_start_ms(c);

	if (o->now_ms < due) {
		const char *text = until_in_words(c, due);

		if (ctx_ready(c, true, "Paused", text))
			ctx_event(c, false, "Paused", text);
		ctx_look_again(c, due);
	} else if (is_clear(o->job)) {
		bool hurry = ctx_is_override(c) || o->mode.observe || !o->caj->spec.interrupt.set;

		record_resume(c, resume_reason(c), hurry ? c->s->ledger.region : region_of(c, to), TIME_NONE);
	} else if (late || ctx_is_override(c)) {
		/* There is no time to wait for pods that do not go, nor may the place change before they have. */
		record_resume(c, resume_reason(c), c->s->ledger.region, TIME_NONE);
	} else {
		ctx_look_again(c, ctx_last_start_ms(c));
	}
}

void pause_decide(struct ctx *c)
{
	const struct caj_observed *o = c->o;
	int64_t mark = ctx_mark_ms(c, ANNOTATION_PAUSED), recorded = time_slot_floor(c->s->paused_ms, SECOND_MS);

	ctx_fold_runs(c);
	/* Released later than this copy of the object knows. */
	if (ctx_mark_ms(c, ANNOTATION_RELEASED) > time_slot_floor(c->s->released_ms, SECOND_MS) || mark > recorded) {
		c->waiting = true;
		return;
	}
	take_plan(c);
	ctx_watch_deadline(c, MAX(due_ms(c), o->now_ms));
	if (!o->job->suspend) {
		decide_unsuspended(c, mark);
	} else if (mark == recorded) {
		decide_resume(c, due_ms(c));
	} else {
		const char *text = "SuspendedByOther: somebody else suspended the Job before its pause; unsuspend the "
				   "Job to go on";

		if (ctx_ready(c, false, "Suspended", text))
			ctx_event(c, true, "SuspendedByOther", text);
		c->d->check_job = true;
	}
}

/* ---- what others do ---- */

void pause_stay(struct ctx *c)
{
	struct caj_ledger *l = &c->s->ledger;
	struct caj_placed placed;

	if (!l->begun || !caj_placed_of(c->o->job, &placed) || cstr_eq(placed.region, l->region))
		return;
	l->in_place = true;
	l->moves = MAX(l->moves - 1, 0);
	l->region = arena_strdup(c->arena, placed.region);
	for (int i = 0; i < c->s->plan.n_segments; i++) {
		struct caj_segment *segment = &c->s->plan.segments[i];

		if (segment->end_ms > c->o->now_ms)
			segment->region = l->region;
	}
	ctx_event(c, true, "MoveRefused",
		  arena_printf(c->arena, "goes on in %s: the API server takes no other region for this Job any more",
			       l->region));
}

void pause_forget_plan(struct ctx *c)
{
	const char *text = "the Job was unsuspended by somebody else: it runs now";
	struct caj_status *s = c->s;
	struct caj_plan *p = &s->plan;
	int n = 0;

	s->released_ms = ctx_after_ms(c, s->paused_ms, ctx_mark_ms(c, ANNOTATION_RELEASED));
	ctx_cond(c, COND_RELEASED, true, CAJ_UNSUSPENDED_BY_OTHER, text);
	begin(c, NULL, s->ledger.region, TIME_NONE);
	while (n < p->n_segments && p->segments[n].start_ms <= s->paused_ms)
		n++;
	/* What is left of the plan is one block from now on. */
	struct caj_segment *segments = arena_array(c->arena, CAJ_MAX_SEGMENTS, struct caj_segment);
	n = MIN(n, CAJ_MAX_SEGMENTS - 1);
	memcpy(segments, p->segments, (size_t)n * sizeof(*segments));
	segments[n++] = (struct caj_segment){ s->ledger.region, s->released_ms, s->released_ms + ctx_left_ms(c),
					      s->ledger.parallelism };
	p->segments = segments;
	p->n_segments = n;
	s->explanation = text;
	ctx_mirror_suspended(c, false);
	ctx_watch_deadline(c, c->o->now_ms);
	(void)ctx_ready(c, true, "Running", text);
	ctx_event(c, false, CAJ_UNSUSPENDED_BY_OTHER, text);
	c->d->check_job = true;
}
