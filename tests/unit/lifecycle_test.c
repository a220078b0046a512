/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model checker for caj_decide(): random histories of one CarbonAwareJob against an in-memory API server in virtual
 * time, with crashes between any two writes, lost replies, stale caches, foreign writes and vanishing grid data. The
 * same invariants are then shown to catch deciders and drivers that are broken on purpose.
 *
 * LIFECYCLE_SEED=n runs that history alone and tells what happened; LIFECYCLE_HISTORIES=n runs so many.
 */
#include "lifecycle_plans.h"

#define HISTORIES 20000
#define BROKEN_HISTORIES 20000 /* at most, until it is caught */
#define EVENTS 9               /* in one history, besides what happens in between */
/* Decisions until nothing is left to do, when nothing else changes. */
#define MAX_CALLS 8

/* ---- the operator ---- */

static void crash(struct world *w, enum fault f)
{
	fault(w, f);
	w->booted = false;
	if (w->broken != KEEPS_TEXT)
		w->young = NULL;
	w->off_until = w->now;
	if (chance(w, 30)) {
		fault(w, OPERATOR_OFF);
		w->off_until += pick(w, 12 * 60) * MINUTE_MS;
	}
}

static void boot(struct world *w)
{
	w->booted = true;
	w->plan = NULL;
	w->has_round = false;
	/* A new leader's caches may be behind those of the old one. */
	int64_t caj = w->n_cajs - 1 - pick(w, 4), job = w->n_jobs - 1 - pick(w, 4);
	w->seen_caj = (int)MAX(caj, 0);
	w->seen_job = (int)MAX(job, 0);
}

static void read_caches(struct world *w, bool fresh)
{
	int caj = w->n_cajs - 1, job = w->n_jobs - 1;

	w->seen_caj += fresh || chance(w, 40) ? caj - w->seen_caj : (int)pick(w, caj - w->seen_caj + 1);
	w->seen_job += fresh || chance(w, 40) ? job - w->seen_job : (int)pick(w, job - w->seen_job + 1);
	if (w->seen_caj != caj || w->seen_job != job)
		w->totals->faults[STALE_READ]++;
}

/* As pkg/controller/plan_round.c does it: a start that has come is not planned again. */
static void round_of_plans(struct world *w)
{
	const struct carbonawarejob *caj = w->cajs[w->seen_caj];
	const struct plan_entry *p = w->plan;

	w->has_round = true;
	const struct job *job = w->jobs[w->seen_job];
	if (w->grid != GRID_NONE && caj_may_replan(caj, job)) {
		if (!p || !plan_entry_is_for(p, caj) ||
		    (w->grid == GRID_DATA && p->planned_ms != w->now && chance(w, 20)))
			w->plan = new_rest(w, caj, job);
		return;
	}
	if (w->grid == GRID_NONE || !caj_is_pending(caj, job)) {
		w->plan = NULL;
		return;
	}
	if (p && plan_entry_is_for(p, caj) && p->plan.n_segments > 0 && p->plan.segments[0].start_ms <= w->now)
		return;
	if (p && plan_entry_is_for(p, caj) && p->planned_ms == w->now)
		return; /* same input, same output */
	if (p && plan_entry_is_for(p, caj) && p->plan.n_segments > 0 && w->grid == GRID_DATA && chance(w, 60))
		return; /* kept */
	w->plan = new_plan(w, caj);
}

static void account_for(struct world *w, const struct job *job, struct account *a)
{
	static const char long_name[] = "a-region-with-a-name-that-is-as-long-as-it-may-be-in-a-spec-63ch";

	*a = (struct account){ .known = true, .carbon_source = "test", .cost_basis = "Tariff" };
	a->n_runs = w->seed % 29 == 0 ? CAJ_MAX_RUNS : 1;
	for (int i = 0; i < a->n_runs; i++)
		a->runs[i] = (struct caj_run){ .region = arena_printf(&w->scratch, "%s%d", long_name, i),
					       .job_uid = job->obj.meta.uid,
					       .start_ms = EPOCH,
					       .end_ms = EPOCH + HOUR_MS,
					       .pods = 1,
					       .figures = { true, true, true, 5, 6, 7 } };
	a->final = w->now > EPOCH + 5 * DAY_MS;
	a->savings.present = true;
}

static void observe(struct world *w, const struct carbonawarejob *caj, const struct job *job, struct account *account,
		    struct caj_observed *o)
{
	*o = (struct caj_observed){ .now_ms = w->now, .caj = caj, .job = job, .job_finished_ms = TIME_NONE };
	o->mode.observe = w->observe && w->broken != ALWAYS_ACTS;
	caj_timing(caj, w->submitted, TIME_NONE, &o->timing, &o->refusal);
	o->plan = w->plan;
	o->can_plan = !w->has_round || w->grid != GRID_NONE;
	if (caj->status.template_hash && caj->status.observed_generation != caj->obj.meta.generation)
		o->template_hash = w->template_hash;
	if (caj->status.released_ms != TIME_NONE)
		o->released_for_real_ms = w->now - caj->status.released_ms;
	o->pods.running = (w->now / HOUR_MS) % 3 == 0;
	o->pods.running_since_ms = TIME_NONE;
	if (flexible(caj) && w->pods_since != TIME_NONE && w->pods_since <= w->now && job &&
	    job->start_ms != TIME_NONE) {
		o->pods.running = 1;
		o->pods.running_since_ms = w->pods_since;
	}
	o->move_refused = w->move_refused;
	o->job_suspended_ms = o->last_checkpoint_ms = TIME_NONE;
	o->job_started_ms = job ? job->start_ms : TIME_NONE;
	const struct condition *suspended = job ? condition_find(&job->conditions, "Suspended") : NULL;
	if (suspended)
		o->job_suspended_ms = suspended->last_transition_ms;
	if (w->seed % 29 == 0)
		o->pods.unscheduled_message = words(w, "0/5 nodes are available", EPOCH);
	if (job && (job_is_finished(job) || caj_is_finished(caj)) && caj->status.released_ms != TIME_NONE) {
		account_for(w, job, account);
		o->account = account;
	}
	if (job && job_is_finished(job))
		o->job_finished_ms = job->conditions.items[0].last_transition_ms;
}

static bool is_pause(const struct caj_observed *o, const struct caj_decision *d)
{
	return d->action == CAJ_WRITE_STATUS && !caj_is_paused(o->caj) && caj_status_is_paused(&d->status);
}

static void break_pauses(struct world *w, const struct caj_observed *o, struct caj_decision *d)
{
	struct caj_ledger *l = &d->status.ledger;

	if (w->broken == SKIPS_PAUSE_RECORD && is_pause(o, d))
		d->action = CAJ_PAUSE_JOB;
	if (w->broken == COUNTS_PAUSES && is_pause(o, d))
		l->work_ms += 30 * MINUTE_MS;
	if (w->broken == FORGETS_WORK && is_pause(o, d))
		l->work_ms = 0;
	if (w->broken == PAUSES_FOR_EVER && is_pause(o, d))
		l->interruptions = 0;
	if (w->broken == NEVER_PAUSES && (is_pause(o, d) || d->action == CAJ_PAUSE_JOB))
		d->action = CAJ_NOTHING;
}

/* What it sees is wrong. */
static void blind(struct world *w, struct caj_observed *o)
{
	struct carbonawarejob *caj = arena_new(&w->scratch, struct carbonawarejob);
	struct job *job = arena_new(&w->scratch, struct job);

	*caj = *o->caj;
	if (w->broken == PAUSES_TO_THE_END)
		o->timing.duration_ms += 4 * HOUR_MS;
	if (!o->job || !caj_is_paused(o->caj))
		return;
	*job = *o->job;
	if (w->broken == RESUMES_AT_ONCE) {
		caj->status.plan.n_segments = 0;
		o->timing.latest_start_ms = TIME_NONE;
		o->caj = caj;
	}
	if (w->broken == STAYS_PAUSED && o->timing.latest_start_ms != TIME_NONE) {
		caj->status.plan.n_segments = 0;
		o->plan = NULL;
		o->timing.latest_start_ms += 6 * HOUR_MS;
		o->caj = caj;
	}
	if (w->broken == SEES_NO_PODS && o->job->suspend) {
		job->active = job->terminating = 0;
		job->conditions = (struct conditions){ arena_new(&w->scratch, struct condition), 1 };
		job->conditions.items[0] =
			(struct condition){ "Suspended", CONDITION_TRUE, "JobSuspended", "", 0, w->now };
		o->job = job;
	}
}

/* The decider under test, or one that is broken. */
static void decide(struct world *w, struct caj_observed *o, struct caj_decision *d)
{
	struct caj_status *s = &d->status;

	if (w->broken == IGNORES_DEADLINE && o->timing.latest_start_ms != TIME_NONE)
		o->timing.latest_start_ms += 6 * HOUR_MS;
	blind(w, o);
	caj_decide(o, &w->scratch, d);
	w->totals->decisions++;
	bool releases = d->action == CAJ_WRITE_STATUS && o->caj->status.released_ms == TIME_NONE &&
			s->released_ms != TIME_NONE && o->job && o->job->suspend;
	bool ends = d->action == CAJ_WRITE_STATUS && !caj_is_finished(o->caj);
	if (w->broken == SKIPS_RECORD && releases)
		d->action = CAJ_RELEASE_JOB;
	if (w->broken == CREATES_AGAIN && ends && !o->job && o->caj->status.job_uid)
		d->action = CAJ_CREATE_JOB;
	if (w->broken == UNDOES_SUSPEND && o->job && o->job->suspend && o->caj->status.released_ms != TIME_NONE &&
	    !o->caj->spec.suspend && d->action == CAJ_NOTHING && !caj_is_finished(o->caj))
		d->action = CAJ_RELEASE_JOB;
	if (w->broken == WAITS_FOR_PLAN && releases && !o->plan)
		d->action = CAJ_NOTHING;
	if (w->broken == LATE_HARD_RELEASE && d->action == CAJ_WRITE_STATUS && o->job && o->job->suspend &&
	    o->caj->status.released_ms != TIME_NONE && s->released_ms == TIME_NONE && !o->caj->spec.suspend)
		d->action = CAJ_RELEASE_JOB;
	if (w->broken == CHATTERS && o->job) {
		s->explanation = arena_printf(&w->scratch, "%d", w->n_cajs);
		d->action = CAJ_WRITE_STATUS;
	}
	if (w->broken == REOPENS && caj_is_finished(o->caj) && chance(w, 30)) {
		s->conditions.len = 0;
		d->action = CAJ_WRITE_STATUS;
	}
	break_pauses(w, o, d);
	if (w->broken == EARLY_TTL && o->job && o->job->suspend && d->action == CAJ_NOTHING)
		d->action = CAJ_SET_JOB_TTL;
}

/* The versions that the decision's live reads must find; false = refused. */
static bool is_live(struct world *w, const struct caj_decision *d, const struct carbonawarejob *caj,
		    const struct job *job)
{
	if (w->broken == NO_LIVE_CHECKS)
		return true;
	if ((!d->check_caj || caj == live(w)) && (!d->check_job || job == live_job(w)))
		return true;
	fault(w, LIVE_CHECK_REFUSED);
	return false;
}

static bool conflict(struct world *w)
{
	fault(w, CONFLICT);
	return false;
}

static bool refuses_move(const struct world *w, const struct carbonawarejob *caj, const struct job *job)
{
	struct caj_placed placed;

	return w->old_server && caj->status.ledger.region && caj_placed_of(job, &placed) &&
	       strcmp(placed.region, caj->status.ledger.region) != 0;
}

/* One write as the API server takes it; false = refused. */
static bool apply(struct world *w, const struct caj_decision *d, const struct carbonawarejob *caj,
		  const struct job *job)
{
	bool unversioned = w->broken == NO_STATUS_VERSION, unread;
	struct job *patched;

	switch (d->action) {
	case CAJ_NOTHING:
		return true;
	case CAJ_CREATE_JOB:
		unread = caj == w->young || w->broken == NO_CREATE_CHECK || w->broken == CREATES_AGAIN;
		if (w->broken != KEEPS_TEXT)
			w->young = NULL;
		if (live_job(w) || (live(w)->status.job_uid && !unread))
			return conflict(w);
		server_create(w);
		return true;
	case CAJ_WRITE_STATUS:
		if (caj != live(w) && !unversioned)
			return conflict(w);
		server_status(w, &d->status);
		return true;
	case CAJ_DELETE:
		if (caj != live(w))
			return conflict(w);
		if (!caj_is_finished(caj))
			violate(w, UNFINISHED);
		w->deleted = true;
		return true;
	default:
		if (job != live_job(w))
			return conflict(w);
	}
	if (d->action == CAJ_RELEASE_JOB) {
		if (refuses_move(w, caj, job)) {
			fault(w, MOVE_REFUSED);
			w->move_refused = true;
			return true;
		}
		server_release(w, caj->status.released_ms);
		return true;
	}
	if (d->action == CAJ_PAUSE_JOB) {
		server_pause(w, caj->status.paused_ms);
		return true;
	}
	patched = new_job(w);
	if (d->action == CAJ_SCALE_JOB)
		set_parallelism(w, patched, caj->status.ledger.parallelism);
	if (d->action == CAJ_SUSPEND_JOB)
		set_suspend(w, patched, true);
	if (d->action == CAJ_SET_JOB_TTL) {
		patched->ttl_after_finished_ms = 60 * SECOND_MS;
		if (!caj_is_finished(live(w)))
			violate(w, TTL_TOO_EARLY);
	}
	put_job(w, patched);
	return true;
}

static void tell_status(const struct world *w, const struct caj_status *s)
{
	const struct condition *ready = condition_find(&s->conditions, COND_READY);
	char a[TIME_TEXT], b[TIME_TEXT];

	tell(w, "  %s: %s", ready ? ready->reason : "-", ready ? ready->message : "-");
	tell(w, "  released %s paused %s", time_format(s->released_ms, a), time_format(s->paused_ms, b));
	if (s->ledger.begun)
		tell(w, "  %" PRId64 " s of work, since %s, %d pods in %s, %d pauses", s->ledger.work_ms / SECOND_MS,
		     time_format(s->ledger.since_ms, a), s->ledger.parallelism, s->ledger.region,
		     s->ledger.interruptions);
	for (int i = 0; i < s->plan.n_segments; i++)
		tell(w, "  %s - %s %s", time_format(s->plan.segments[i].start_ms, a),
		     time_format(s->plan.segments[i].end_ms, b), s->plan.segments[i].region);
}

/* A write with everything that may happen to it. 1 = done, 0 = try again later, -1 = the process is gone. */
static int carry_out(struct world *w, const struct caj_decision *d, const struct carbonawarejob *caj,
		     const struct job *job, bool faults)
{
	if (faults && chance(w, 6)) {
		crash(w, CRASH_BEFORE);
		return -1;
	}
	if (!is_live(w, d, caj, job))
		return 0;
	w->n_writes++;
	w->totals->writes++;
	bool done = apply(w, d, caj, job);
	tell(w, "%s%s", caj_action_name(d->action), done ? "" : " refused");
	if (d->action == CAJ_WRITE_STATUS && w->tell)
		tell_status(w, &d->status);
	if (faults && chance(w, 6)) {
		crash(w, CRASH_AFTER);
		return -1;
	}
	if (faults && chance(w, 4)) {
		fault(w, REPLY_LOST);
		return 0;
	}
	return done;
}

/* As pkg/controller/caj_controller.c does it. True when nothing is left to do. */
static bool reconcile(struct world *w, bool faults)
{
	const struct carbonawarejob *caj = w->cajs[w->seen_caj];

	w->move_refused = false;
	for (int calls = 1; calls <= 4; calls++) {
		const struct job *job = w->jobs[w->seen_job];
		struct account account;
		struct caj_observed o;
		struct caj_decision d;

		arena_reset(&w->scratch);
		if (!job && caj->status.job_uid && !caj_is_finished(caj))
			job = live_job(w); /* it asks before it believes that a Job is gone */
		observe(w, caj, job, &account, &o);
		decide(w, &o, &d);
		w->wake = d.look_again_ms;
		if (d.action == CAJ_NOTHING)
			return true;
		if (carry_out(w, &d, caj, job, faults) != 1 || w->deleted)
			return false;
		if (d.action != CAJ_WRITE_STATUS && !w->move_refused)
			return false;
		if (d.action == CAJ_WRITE_STATUS)
			caj = live(w); /* the answer */
	}
	return false;
}

/* At rest, it runs where its plan has a segment, and has paused where it has a long gap. */
static void check_pause(struct world *w, const struct carbonawarejob *caj, const struct job *job)
{
	const struct caj_status *s = &caj->status;
	const struct caj_ledger *l = &s->ledger;
	struct caj_progress p;

	if (!l->begun || caj->spec.suspend || s->released_ms == TIME_NONE)
		return;
	caj_progress(caj, job, w->now, &p);
	int64_t truth = w->worked_ms + working_ms(w);
	if (caj->spec.interrupt.set &&
	    truth - p.done_ms > w->n_lost_ms + w->n_stretches * (SLACK + caj->spec.interrupt.checkpoint_ms))
		violate(w, WORK_LOST);
	bool clear = job->terminating == 0 && job->active == 0;
	if (w->paused && caj_is_paused(caj) && clear && in_a_segment(&s->plan, w->now) &&
	    timing_of(w, caj).earliest_ms <= w->now && w->now > s->paused_ms + SLACK)
		violate(w, NOT_RESUMED);
	if (!caj_may_replan(caj, job) || !p.running || w->observe || in_a_segment(&s->plan, w->now))
		return;
	int64_t next = TIME_NONE, left = timing_of(w, caj).duration_ms - p.done_ms;
	for (int i = s->plan.n_segments - 1; i >= 0 && s->plan.segments[i].start_ms > w->now; i--)
		next = s->plan.segments[i].start_ms;
	if (next == TIME_NONE || s->plan.segments[0].start_ms > w->now || l->since_ms == TIME_NONE)
		return;
	int64_t until = MIN(next, latest_resume(w, caj));
	if (until - w->now > HOUR_MS && left > HOUR_MS && p.ran_ms > caj->spec.interrupt.min_run_ms &&
	    l->interruptions < caj->spec.interrupt.max_interruptions)
		violate(w, NOT_PAUSED);
}

/* Alive, in sync and undisturbed: it comes to rest, and then the promises hold. */
static void settle(struct world *w)
{
	int began = w->n_writes;
	bool rest = false;

	/* Each write brings an event, and each event another round and another look. */
	for (int i = 0; i < MAX_CALLS + 1 && !rest && !w->deleted; i++) {
		int before = w->n_writes;

		read_caches(w, true);
		round_of_plans(w);
		rest = reconcile(w, false) && w->n_writes == before;
	}
	if (w->deleted)
		return;
	w->rested_at = w->n_cajs + w->n_jobs;
	w->totals->max_calls = MAX(w->totals->max_calls, w->n_writes - began + 1);
	if (!rest || w->n_writes - began >= MAX_CALLS)
		violate(w, NOT_IDEMPOTENT);
	const struct carbonawarejob *caj = live(w);
	const struct job *job = live_job(w);
	struct caj_timing t = timing_of(w, caj);
	if (caj_is_finished(caj) || !job || job_is_finished(job))
		return;
	if (caj->spec.suspend && !job->suspend)
		violate(w, USER_IGNORED);
	check_pause(w, caj, job);
	if (!job->suspend || caj->spec.suspend)
		return;
	const struct condition *ready = condition_find(&caj->status.conditions, COND_READY);
	if (!w->foreign_hold && ready && strcmp(ready->reason, "Suspended") == 0)
		violate(w, STRANDED);
	if (!w->foreign_hold && w->observe && w->now >= t.earliest_ms && job->terminating == 0)
		violate(w, HELD_BACK);
	else if (!w->foreign_hold && w->now >= (caj->status.ledger.begun ? latest_resume(w, caj) : last_start(&t)))
		violate(w, is_hard(w, caj) && !caj->status.ledger.begun ? HARD_NOT_TERMINAL : LATE_START);
}

/* ---- everybody else ---- */

static void foreign_job_write(struct world *w)
{
	const struct job *old = live_job(w);

	if (!old || job_is_finished(old))
		return;
	if (chance(w, 15)) {
		fault(w, FOREIGN_DELETE);
		put_job(w, NULL);
		w->job_ends = w->pods_since = w->clears_at = TIME_NONE;
		return;
	}
	struct job *job = new_job(w);
	bool suspend = !old->suspend;
	/* What we let go, or saw run, and somebody stopped stays stopped until he or the user's own switch says so. */
	const struct caj_status *status = &live(w)->status;
	const struct condition *released = condition_find(&status->conditions, COND_RELEASED);
	char text[TIME_TEXT];
	bool ours = cstr_eq(object_annotation(&old->obj, ANNOTATION_RELEASED), time_format(status->released_ms, text));
	bool seen = released && strcmp(released->reason, "UnsuspendedByOther") == 0;
	/* One who suspends what is paused already changes nothing that could be seen. */
	bool pauses = caj_is_paused(live(w)) &&
		      cstr_eq(object_annotation(&old->obj, ANNOTATION_PAUSED), time_format(status->paused_ms, text));
	w->foreign_hold = suspend && status->released_ms != TIME_NONE && (ours || seen) && !pauses;
	fault(w, suspend ? FOREIGN_SUSPEND : FOREIGN_UNSUSPEND);
	w->n_lost_ms += suspend ? working_ms(w) : 0; /* if nobody looks before it is let go again */
	set_suspend(w, job, suspend);
	put_job(w, job);
}

static void user_write(struct world *w)
{
	struct carbonawarejob *caj = new_caj(w);

	switch (pick(w, 6)) {
	case 0:
		fault(w, USER_EDIT);
		caj->spec.deadline_ms = w->now + (pick(w, 20) - 2) * HOUR_MS;
		break;
	case 1:
		fault(w, USER_ANNOTATION);
		caj->run_now = !caj->run_now;
		put_caj(w, caj);
		return;
	case 2:
		fault(w, USER_ANNOTATION);
		caj->not_before_ms = chance(w, 50) ? TIME_NONE : w->now + pick(w, 6) * HOUR_MS;
		put_caj(w, caj);
		return;
	case 3:
		fault(w, TEMPLATE_EDIT);
		w->template_hash = cstr_eq(w->template_hash, HASH_A) ? HASH_B : HASH_A;
		break;
	default:
		fault(w, USER_SUSPEND);
		caj->spec.suspend = !caj->spec.suspend;
	}
	caj->obj.meta.generation++;
	put_caj(w, caj);
}

static void operate(struct world *w)
{
	if (w->now < w->off_until || w->deleted)
		return;
	if (!w->booted)
		boot(w);
	/* Most half hours bring nothing new; looking at all of them would only cost time. */
	if (w->now != w->wake && w->rested_at == w->n_cajs + w->n_jobs && chance(w, 60))
		return;
	for (int64_t n = pick(w, 3); n > 0; n--) {
		read_caches(w, false);
		if (chance(w, 70))
			round_of_plans(w);
		bool rest = reconcile(w, true);
		if (!w->booted || w->deleted)
			return;
		if (!rest && chance(w, 40)) {
			w->wake = w->now + 1 + pick(w, 20) * SECOND_MS;
			return;
		}
		/* Others do not wait for us. */
		if (chance(w, w->quiet ? 1 : 10))
			user_write(w);
		if (chance(w, w->quiet ? 1 : 10))
			foreign_job_write(w);
	}
	settle(w);
}

static void disturb(struct world *w)
{
	w->n_events++;
	if (w->quiet && chance(w, 70))
		return;
	switch (pick(w, 11)) {
	case 0:
	case 1:
		foreign_job_write(w);
		break;
	case 6:
		fault(w, MODE_CHANGE);
		w->observe = !w->observe;
		break;
	case 2:
	case 3:
		user_write(w);
		break;
	case 4:
		w->grid = (enum grid)pick(w, 3);
		if (w->grid != GRID_DATA)
			fault(w, GRID_LOST);
		break;
	case 5:
		crash(w, OPERATOR_OFF);
		w->off_until += pick(w, 12 * 60) * MINUTE_MS;
		break;
	default:
		break; /* a quiet time */
	}
}

static void end_job(struct world *w)
{
	struct job *job = new_job(w);

	if (chance(w, 70))
		job_condition(w, job, "Complete", "CompletionsReached", "Reached expected number of succeeded pods");
	else
		job_condition(w, job, "Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit");
	w->worked_ms += working_ms(w);
	w->job_ends = w->pods_since = TIME_NONE;
	put_job(w, job);
	tell(w, "the Job has ended");
}

/* Moves time on, stopping wherever somebody has something to do. */
static void pass_time(struct world *w, int64_t until)
{
	while (w->now < until && !w->deleted) {
		int64_t next = MIN(until, time_slot_floor(w->now, SLOT_MS) + SLOT_MS);

		if (w->wake != TIME_NONE && w->wake > w->now && w->now >= w->off_until)
			next = MIN(next, w->wake);
		if (w->job_ends != TIME_NONE)
			next = MIN(next, MAX(w->job_ends, w->now + 1));
		if (w->off_until > w->now)
			next = MIN(next, w->off_until);
		if (w->clears_at != TIME_NONE)
			next = MIN(next, MAX(w->clears_at, w->now + 1));
		w->now = next;
		if (w->clears_at != TIME_NONE && w->now >= w->clears_at && live_job(w)) {
			struct job *job = new_job(w);

			clear_pods(w, job, false);
			put_job(w, job);
		}
		if (w->job_ends != TIME_NONE && w->now >= w->job_ends)
			end_job(w);
		operate(w);
	}
}

/* Half of all jobs may pause, a third may scale. The Job needs about as long as was said. */
static void submit_flexible(struct world *w, struct caj_spec *s)
{
	if (w->quiet || chance(w, 50))
		s->interrupt = (struct caj_interrupt){ true, pick(w, 2) * 30 * MINUTE_MS, pick(w, 3) * 5 * MINUTE_MS, 0,
						       1 + (int)pick(w, 6) };
	if (chance(w, 30))
		s->scale = (struct caj_scale){ .set = true, .min = 1, .max = 1 << pick(w, 3) };
	if (s->expected_duration_ms != TIME_NONE && (s->interrupt.set || s->scale.set))
		s->expected_duration_ms *= 1 + pick(w, 3);
	w->needs_ms =
		s->expected_duration_ms == TIME_NONE ? HOUR_MS : s->expected_duration_ms * (80 + pick(w, 40)) / 100;
}

static void submit(struct world *w)
{
	struct carbonawarejob *caj = new_caj(w);
	struct caj_spec *s = &caj->spec;

	caj->obj.meta = (struct object_meta){ .key = "ns/job",
					      .namespace = "ns",
					      .name = "job",
					      .uid = "caj-uid",
					      .resource_version = "0",
					      .generation = 1,
					      .deletion_ms = TIME_NONE };
	*s = (struct caj_spec){ .earliest_start_ms = TIME_NONE,
				.deadline_ms = TIME_NONE,
				.max_delay_ms = TIME_NONE,
				.safety_margin_ms = TIME_NONE,
				.ttl_after_finished_ms = TIME_NONE,
				.template_active_deadline_ms = TIME_NONE,
				.template_present = true };
	caj->not_before_ms = TIME_NONE;
	caj->status = (struct caj_status){ .deadline_ms = TIME_NONE,
					   .latest_start_ms = TIME_NONE,
					   .estimated_start_ms = TIME_NONE,
					   .released_ms = TIME_NONE,
					   .paused_ms = TIME_NONE,
					   .ledger = { .since_ms = TIME_NONE },
					   .baseline = { .start_ms = TIME_NONE } };
	s->expected_duration_ms = chance(w, 90) ? (1 + pick(w, 4)) * HOUR_MS : TIME_NONE;
	if (chance(w, 85))
		s->deadline_ms = w->now + pick(w, 24) * HOUR_MS;
	if (w->quiet)
		s->deadline_ms = w->now + (12 + pick(w, 24)) * HOUR_MS;
	s->max_carbon = (struct caj_limit){ chance(w, w->broken == LATE_HARD_RELEASE ? 95 : 40), true, 100000 };
	submit_flexible(w, s);
	s->critical = chance(w, 5);
	s->suspend = chance(w, 5);
	s->run_at_latest_on_no_data = chance(w, 30);
	if (chance(w, 30))
		s->ttl_after_finished_ms = pick(w, 3) * HOUR_MS;
	put_caj(w, caj);
}

static void run_history(uint64_t seed, enum breakage broken, bool tells, struct totals *totals)
{
	static struct world w;

	w.seed = w.rng = seed;
	w.broken = broken;
	w.totals = totals;
	w.tell = tells;
	w.now = w.submitted = EPOCH + (int64_t)(seed % 86400) * SECOND_MS;
	w.rested_at = -1;
	w.n_cajs = w.n_jobs = w.n_uids = w.n_events = w.n_writes = 0;
	w.deleted = w.foreign_hold = w.booted = w.paused = w.move_refused = w.blinked = false;
	w.job_ends = w.wake = w.pods_since = w.clears_at = TIME_NONE;
	w.worked_ms = w.n_lost_ms = w.unseen_ms = w.stopped_at = 0;
	w.n_pauses = w.n_stretches = w.n_scaled = 0;
	w.old_server = seed / 2 % 2;
	w.off_until = w.now;
	w.template_hash = HASH_A;
	w.plan = NULL;
	w.quiet = seed % 2;
	w.observe = seed % 10 == 0;
	w.grid = GRID_DATA;
	if (!w.arena.max) {
		arena_init(&w.arena, 64 * 1024, 64 * 1024 * 1024);
		arena_init(&w.scratch, 64 * 1024, 64 * 1024 * 1024);
	}
	arena_reset(&w.arena);
	submit(&w);
	/* In every other history the first process has been the leader since before. */
	w.young = seed % 2 ? live(&w) : NULL;
	put_job(&w, NULL);
	for (int i = 0; i < (w.quiet ? 2 * EVENTS : EVENTS) && !w.deleted; i++) {
		operate(&w);
		disturb(&w);
		int64_t until = w.now + (chance(&w, 50) ? pick(&w, 120) * SECOND_MS : pick(&w, 180) * MINUTE_MS);
		pass_time(&w, until);
	}
	if (w.n_writes > 40 + 12 * w.n_events)
		violate(&w, TOO_MANY_WRITES);
	totals->histories++;
	totals->completed += finished_as(live(&w), COND_COMPLETE);
	totals->failed += finished_as(live(&w), COND_FAILED);
	totals->waiting += !caj_is_finished(live(&w));
}

static int64_t all_violations(const struct totals *t)
{
	int64_t n = 0;

	for (int i = 0; i < N_VIOLATIONS; i++)
		n += t->violations[i];
	return n;
}

static void print_violations(const struct totals *t)
{
	for (int i = 0; i < N_VIOLATIONS; i++) {
		if (t->violations[i])
			(void)printf(" %s: %" PRId64 ";", violation_names[i], t->violations[i]);
	}
	(void)printf("\n");
}

static int64_t from_environment(const char *name, int64_t otherwise)
{
	const char *text = getenv(name);
	int64_t n = otherwise;

	if (text)
		assert_true(str_to_i64(str_from(text), 0, INT64_MAX, &n));
	return n;
}

static void no_history_breaks_a_promise(void **state)
{
	static struct totals t;
	int64_t one = from_environment("LIFECYCLE_SEED", -1);
	int64_t n = from_environment("LIFECYCLE_HISTORIES", HISTORIES);

	(void)state;
	if (one >= 0)
		run_history((uint64_t)one, SOUND, true, &t);
	for (int64_t i = 0; i < n && one < 0; i++)
		run_history((uint64_t)i, SOUND, false, &t);
	(void)printf("%" PRId64 " histories, %" PRId64 " decisions, %" PRId64 " writes: %" PRId64 " complete, %" PRId64
		     " failed, %" PRId64 " unfinished; at rest after at most %d calls; largest status %zu bytes\n",
		     t.histories, t.decisions, t.writes, t.completed, t.failed, t.waiting, t.max_calls, t.max_status);
	(void)printf("%" PRId64 " pauses, %" PRId64 " resumptions, %" PRId64 " of them elsewhere, %" PRId64
		     " changes of "
		     "parallelism\n",
		     t.pauses, t.resumes, t.moves, t.scales);
	for (int i = 0; i < N_FAULTS; i++) {
		(void)printf("  %-24s %8" PRId64 "\n", fault_names[i], t.faults[i]);
		if (one < 0 && n >= HISTORIES)
			assert_true(t.faults[i] > 100);
	}
	if (all_violations(&t))
		print_violations(&t);
	assert_int_equal(all_violations(&t), 0);
}

/* Each of the broken ones is caught, or the promises above would mean nothing. */
static void every_broken_one_is_caught(void **state)
{
	(void)state;
	for (int b = SOUND + 1; b < N_BREAKAGES; b++) {
		static struct totals t;

		t = (struct totals){ 0 };
		for (uint64_t i = 0; i < BROKEN_HISTORIES && !all_violations(&t); i++)
			run_history(i, (enum breakage)b, false, &t);
		(void)printf("  %-18s after %5" PRId64 " histories:", breakage_names[b], t.histories);
		print_violations(&t);
		assert_true(all_violations(&t) > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_history_breaks_a_promise),
		cmocka_unit_test(every_broken_one_is_caught),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
