/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The world of lifecycle_test.c: an in-memory API server that holds every version of one CarbonAwareJob and its Job,
 * and that watches the promises (contracts 1) as it takes each write. Versions live in the history's arena.
 */
#ifndef TESTS_UNIT_LIFECYCLE_WORLD_H
#define TESTS_UNIT_LIFECYCLE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/rand.h"
#include "decide/decide.h"
#include "decide/progress.h"

#define MAX_VERSIONS 400
#define EPOCH (INT64_C(1675900800) * SECOND_MS) /* 2023-02-09T00:00Z */
#define HASH_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HASH_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

/* ---- what can go wrong ---- */

enum violation {
	TWO_JOBS,            /* a Job was created although one had been recorded */
	RECORD_LOST,         /* the Job's UID, or the release of a Job that runs, went away from status */
	RELEASED_UNRECORDED, /* unsuspended before releasedTime and UID were in status */
	RELEASED_SUSPENDED,  /* unsuspended although spec.suspend was true */
	HARD_LIMIT_BROKEN,
	LATE_START,        /* not started although the operator was alive and in sync after the latest start */
	HELD_BACK,         /* in observe mode it waited for more than its own earliest start */
	HARD_NOT_TERMINAL, /* a hard limit left the object waiting after its latest start */
	FOREIGN_UNDONE,    /* unsuspended what somebody else had suspended after the release */
	UNFINISHED,        /* Complete or Failed went away, or changed into the other */
	FALSE_END,         /* Failed although the Job was there, let go and unfinished */
	STRANDED,          /* left alone as suspended by somebody else, but nobody had */
	TTL_TOO_EARLY,     /* the Job could be collected before its end was recorded */
	USER_IGNORED,      /* spec.suspend is true and the Job runs */
	NOT_IDEMPOTENT,    /* nothing changed, and it did not come to rest */
	TOO_MANY_WRITES,
	STATUS_TOO_LARGE,
	PAUSED_UNRECORDED, /* suspended before pausedTime was in status */
	PAUSED_IN_HURRY,   /* Critical or run-now, and paused all the same */
	PAUSED_AT_END,     /* with no more than minutes of work left */
	PAUSED_TOO_OFTEN,
	PAUSED_OFF_PLAN,  /* in the middle of a segment */
	NOT_PAUSED,       /* it ran through a long gap of its plan, alive and in sync */
	RESUMED_OFF_PLAN, /* in a gap, before what is left had to go on */
	NOT_RESUMED,      /* its next segment had begun, or what is left had to go on */
	RAN_TWICE,        /* let go while pods of the stretch before were there, without need */
	MOVED_TOO_EARLY,  /* the template was to change while pods were there */
	WORK_OVERSTATED,  /* status tells of more work than was done */
	WORK_LOST,        /* or of less than a pause may cost */
	N_VIOLATIONS
};

static const char *const violation_names[] = {
	"two jobs",         "record lost",      "released unrecorded", "released suspended", "hard limit broken",
	"late start",       "held back",        "hard not terminal",   "foreign undone",     "unfinished",
	"false end",        "stranded",         "ttl too early",       "user ignored",       "not idempotent",
	"too many writes",  "status too large", "paused unrecorded",   "paused in hurry",    "paused at end",
	"paused too often", "paused off plan",  "not paused",          "resumed off plan",   "not resumed",
	"ran twice",        "moved too early",  "work overstated",     "work lost",
};

enum fault {
	CRASH_BEFORE,
	CRASH_AFTER,
	REPLY_LOST,
	STALE_READ,
	CONFLICT,
	LIVE_CHECK_REFUSED,
	FOREIGN_SUSPEND,
	FOREIGN_UNSUSPEND,
	FOREIGN_DELETE,
	USER_SUSPEND,
	USER_EDIT,
	USER_ANNOTATION,
	TEMPLATE_EDIT,
	MODE_CHANGE,
	GRID_LOST,
	OPERATOR_OFF,
	MOVE_REFUSED,
	PODS_LINGER,
	N_FAULTS
};

static const char *const fault_names[] = {
	"crash before a write",   "crash after a write", "lost reply",        "stale read",     "conflict",
	"live check refused",     "foreign suspend",     "foreign unsuspend", "foreign delete", "user's suspend",
	"edited deadline",        "override annotation", "edited template",   "changed mode",   "grid lost",
	"operator off for hours", "move refused",        "pods linger",
};

/* What is broken on purpose. */
enum breakage {
	SOUND,
	SKIPS_RECORD,      /* releases without writing releasedTime first */
	NO_LIVE_CHECKS,    /* check_caj and check_job are ignored */
	NO_CREATE_CHECK,   /* the live object is not looked at before the creation */
	KEEPS_TEXT,        /* the text of a new object serves again, and in the next process */
	NO_STATUS_VERSION, /* status writes without resourceVersion */
	CREATES_AGAIN,     /* a deleted Job is made anew */
	UNDOES_SUSPEND,    /* a foreign suspend is answered with another release */
	WAITS_FOR_PLAN,    /* no release without a plan */
	LATE_HARD_RELEASE, /* an old record is carried out whatever the limits */
	IGNORES_DEADLINE,  /* the plan's start counts, also when the deadline was edited */
	CHATTERS,          /* each status differs from the last */
	REOPENS,           /* forgets that it is finished */
	EARLY_TTL,         /* the Job gets its TTL at once */
	ALWAYS_ACTS,       /* knows no observe mode */
	SKIPS_PAUSE_RECORD,
	PAUSES_TO_THE_END, /* believes that there is always more to do */
	COUNTS_PAUSES,     /* as work */
	FORGETS_WORK,
	RESUMES_AT_ONCE, /* knows no plan while it is paused */
	STAYS_PAUSED,    /* knows no latest resumption */
	SEES_NO_PODS,    /* that linger after a pause */
	NEVER_PAUSES,
	PAUSES_FOR_EVER, /* does not count them */
	N_BREAKAGES
};

static const char *const breakage_names[] = {
	"sound",
	"skips record",
	"no live checks",
	"no create check",
	"keeps text",
	"no status version",
	"creates again",
	"undoes suspend",
	"waits for plan",
	"late hard release",
	"ignores deadline",
	"chatters",
	"reopens",
	"early ttl",
	"always acts",
	"skips pause record",
	"pauses to the end",
	"counts pauses",
	"forgets work",
	"resumes at once",
	"stays paused",
	"sees no pods",
	"never pauses",
	"pauses for ever",
};

struct totals {
	int64_t histories, decisions, writes, completed, failed, waiting;
	int64_t pauses, resumes, moves, scales;
	int64_t faults[N_FAULTS];
	int64_t violations[N_VIOLATIONS];
	int max_calls;
	size_t max_status;
};

/* ---- the world ---- */

enum grid { GRID_DATA, GRID_NO_DATA, GRID_NONE };

/* A version of an object as the API server had it; NULL in between = it was not there. */
struct world {
	struct arena arena, scratch;
	struct totals *totals;
	enum breakage broken;
	bool tell;
	uint64_t seed, rng;
	int64_t now;
	/* API server */
	const struct carbonawarejob *cajs[MAX_VERSIONS];
	const struct job *jobs[MAX_VERSIONS];
	int n_cajs, n_jobs; /* the last one is current; cajs[i] is never NULL */
	int n_uids;
	bool deleted;      /* the CarbonAwareJob is gone */
	bool observe;      /* by the namespace's label */
	bool foreign_hold; /* let go, and then suspended by somebody else */
	bool quiet;        /* a history in which most things go their way */
	int64_t job_ends;  /* TIME_NONE unless it runs */
	bool old_server;   /* takes no other affinity for a Job that has started */
	int64_t worked_ms; /* of its work: truth, which status is measured by */
	int64_t needs_ms;
	int64_t pods_since; /* a pod runs since then, TIME_NONE */
	int64_t clears_at;  /* the pods of a suspended Job will have gone, TIME_NONE: they have */
	int n_pauses, n_stretches, n_scaled;
	int64_t stopped_at, unseen_ms; /* suspended and let go again before anybody looked */
	bool blinked;                  /* or within the same second, which no stamp shows */
	bool move_refused;             /* in this call */
	bool paused;                   /* by our patch, and not let go since */
	int64_t n_lost_ms;             /* what may be missing in status */
	const char *template_hash;
	int64_t submitted;
	int n_events, n_writes;
	/* operator */
	int64_t off_until;
	bool booted;
	int seen_caj, seen_job;             /* versions in its caches */
	const struct carbonawarejob *young; /* its Job is made without a live read, once */
	struct plan_entry *plan;
	bool has_round;
	enum grid grid;
	int64_t wake;
	int rested_at; /* versions there were when it last came to rest */
};

static const struct carbonawarejob *live(const struct world *w)
{
	return w->cajs[w->n_cajs - 1];
}

static const struct job *live_job(const struct world *w)
{
	return w->jobs[w->n_jobs - 1];
}

static int64_t pick(struct world *w, int64_t n)
{
	return (int64_t)(rand_next(&w->rng) % (uint64_t)n);
}

static bool chance(struct world *w, int percent)
{
	return pick(w, 100) < percent;
}

static void tell(const struct world *w, const char *fmt, ...) printf_like(2, 3);

static void tell(const struct world *w, const char *fmt, ...)
{
	char text[TIME_TEXT];
	va_list args;

	if (!w->tell)
		return;
	va_start(args, fmt);
	(void)printf("%s  ", time_format(w->now, text));
	(void)vprintf(fmt, args);
	(void)printf("\n");
	va_end(args);
}

static void violate(struct world *w, enum violation v)
{
	w->totals->violations[v]++;
	tell(w, "VIOLATION: %s", violation_names[v]);
	if (w->broken == SOUND && w->totals->violations[v] == 1)
		(void)printf("LIFECYCLE_SEED=%" PRIu64 " violates: %s\n", w->seed, violation_names[v]);
}

static void fault(struct world *w, enum fault f)
{
	w->totals->faults[f]++;
	tell(w, "%s", fault_names[f]);
}

/* Does the grid meet the hard limit in that slot? */
static bool limit_met(const struct world *w, int64_t at)
{
	uint64_t state = w->seed * 1000003u + (uint64_t)(time_slot_floor(at, SLOT_MS) / SLOT_MS);

	return rand_next(&state) % 2 != 0;
}

static bool wants_hard(const struct carbonawarejob *caj)
{
	return caj->spec.max_carbon.set && caj->spec.max_carbon.hard && !caj->spec.critical && !caj->run_now;
}

/* What was recorded in observe mode is let go by it, too. */
static bool is_hard(const struct world *w, const struct carbonawarejob *caj)
{
	return wants_hard(caj) && !w->observe && !(caj->status.released_ms != TIME_NONE && caj_is_unmodified(caj));
}

static struct caj_timing timing_of(const struct world *w, const struct carbonawarejob *caj)
{
	struct caj_refusal refusal;
	struct caj_timing t;

	caj_timing(caj, w->submitted, TIME_NONE, &t, &refusal);
	return t;
}

static int64_t last_start(const struct caj_timing *t)
{
	return t->latest_start_ms == TIME_NONE ? t->earliest_ms : MAX(t->latest_start_ms, t->earliest_ms);
}

/* ---- the API server ---- */

static int64_t whole(int64_t ms)
{
	return ms == TIME_NONE ? ms : time_slot_floor(ms, SECOND_MS);
}

/* What an encoded and decoded status still knows: whole seconds, and nothing of what is not set. */
static void persist(const struct caj_status *from, struct arena *a, struct caj_status *s)
{
	caj_status_copy(from, a, s);
	s->deadline_ms = whole(s->deadline_ms);
	s->latest_start_ms = whole(s->latest_start_ms);
	s->estimated_start_ms = whole(s->estimated_start_ms);
	s->released_ms = whole(s->released_ms);
	s->paused_ms = whole(s->paused_ms);
	s->ledger.since_ms = whole(s->ledger.since_ms);
	s->ledger.work_ms = whole(s->ledger.work_ms);
	s->baseline.start_ms = whole(s->baseline.start_ms);
	for (int i = 0; i < s->plan.n_segments; i++) {
		s->plan.segments[i].start_ms = whole(s->plan.segments[i].start_ms);
		s->plan.segments[i].end_ms = whole(s->plan.segments[i].end_ms);
	}
	for (int i = 0; i < s->n_options; i++)
		s->options[i].start_ms = whole(s->options[i].start_ms);
	for (int i = 0; i < s->n_runs; i++) {
		s->runs[i].start_ms = whole(s->runs[i].start_ms);
		s->runs[i].end_ms = whole(s->runs[i].end_ms);
	}
	for (size_t i = 0; i < s->conditions.len; i++)
		s->conditions.items[i].last_transition_ms = whole(s->conditions.items[i].last_transition_ms);
}

/* persist() must be what the real codec does. */
static void check_codec(struct world *w, const struct caj_status *written, const struct caj_status *kept)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT(64 * 1024);
	_cleanup_(buf_release) struct buf again = BUF_INIT(64 * 1024);
	_cleanup_(buf_release) struct buf expected = BUF_INIT(64 * 1024);
	const struct object *o _cleanup_object_ = NULL;
	struct error err = ERROR_INIT;

	(void)buf_adds(&text, "{\"metadata\":{\"name\":\"x\"},\"spec\":{},\"status\":");
	size_t before = text.len;
	if (caj_status_encode(written, &text, &err)) {
		violate(w, STATUS_TOO_LARGE);
		return;
	}
	w->totals->max_status = MAX(w->totals->max_status, text.len - before);
	if (w->n_writes % 16)
		return;
	(void)buf_addc(&text, '}');
	assert_int_equal(object_parse(&carbonawarejob_type, buf_str(&text), &o, &err), 0);
	assert_int_equal(caj_status_encode(&carbonawarejob_of(o)->status, &again, &err), 0);
	assert_int_equal(caj_status_encode(kept, &expected, &err), 0);
	assert_string_equal(buf_cstr(&again), buf_cstr(&expected));
}

static struct carbonawarejob *new_caj(struct world *w)
{
	struct carbonawarejob *caj = arena_new(&w->arena, struct carbonawarejob);

	if (w->n_cajs > 0)
		*caj = *live(w);
	caj->obj.meta.resource_version = arena_printf(&w->arena, "%d", w->n_cajs);
	return caj;
}

static void put_caj(struct world *w, const struct carbonawarejob *caj)
{
	if (w->n_cajs == MAX_VERSIONS) {
		violate(w, TOO_MANY_WRITES);
		w->deleted = true;
		return;
	}
	w->cajs[w->n_cajs++] = caj;
}

static struct job *new_job(struct world *w)
{
	struct job *job = arena_new(&w->arena, struct job);

	if (live_job(w))
		*job = *live_job(w);
	job->obj.meta.resource_version = arena_printf(&w->arena, "j%d", w->n_jobs);
	return job;
}

static void put_job(struct world *w, const struct job *job)
{
	if (w->n_jobs == MAX_VERSIONS) {
		violate(w, TOO_MANY_WRITES);
		w->deleted = true;
		return;
	}
	w->jobs[w->n_jobs++] = job;
}

static void annotate(struct world *w, struct job *job, const char *key, const char *value)
{
	const struct pairs *old = &job->obj.meta.annotations;
	struct pair *items = arena_array(&w->arena, old->len + 1, struct pair);
	size_t n = 0;

	/* Sorted by key, as pairs_get() wants them. */
	for (size_t i = 0; i < old->len && strcmp(old->items[i].key, key) < 0; i++)
		items[n++] = old->items[i];
	items[n++] = (struct pair){ key, value };
	for (size_t i = 0; i < old->len; i++) {
		if (strcmp(old->items[i].key, key) > 0)
			items[n++] = old->items[i];
	}
	job->obj.meta.annotations = (struct pairs){ items, n };
}

static void job_condition(struct world *w, struct job *job, const char *type, const char *reason, const char *message)
{
	struct condition *c = arena_new(&w->arena, struct condition);

	*c = (struct condition){ type, CONDITION_TRUE, reason, message, 0, w->now };
	job->conditions = (struct conditions){ c, 1 };
}

static bool flexible(const struct carbonawarejob *caj)
{
	return caj->spec.interrupt.set || caj->spec.scale.set;
}

/* Work takes so many times as long as with all pods. */
static int64_t speed_down(const struct world *w, const struct job *job)
{
	const struct caj_scale *s = &live(w)->spec.scale;

	return s->set ? s->max / MAX(job->parallelism, 1) : 1;
}

/* Work that the present pods have done. */
static int64_t working_ms(const struct world *w)
{
	const struct job *job = live_job(w);

	return w->pods_since != TIME_NONE && w->now > w->pods_since && job
		       ? (w->now - w->pods_since) / speed_down(w, job)
		       : 0;
}

/* Within a moment: the condition, and no start time any more; the pods may take longer. */
static void clear_pods(struct world *w, struct job *job, bool linger)
{
	struct condition *c = arena_new(&w->arena, struct condition);
	const struct condition *was = condition_find(&job->conditions, "Suspended");

	*c = (struct condition){
		"Suspended", CONDITION_TRUE, "JobSuspended", "", 0, was ? was->last_transition_ms : w->now
	};
	job->conditions = (struct conditions){ c, 1 };
	job->active = 0;
	job->terminating = linger;
	job->start_ms = TIME_NONE;
	w->clears_at = linger ? w->now + SECOND_MS + pick(w, chance(w, 20) ? 6000 : 300) * SECOND_MS : TIME_NONE;
}

static void stop_pods(struct world *w, struct job *job)
{
	/* Who is not interruptible begins anew. */
	w->worked_ms = live(w)->spec.interrupt.set ? w->worked_ms + working_ms(w) : 0;
	if (live(w)->status.ledger.since_ms == TIME_NONE)
		w->n_lost_ms += working_ms(w); /* nobody looked while it ran */
	w->job_ends = w->pods_since = TIME_NONE;
	w->stopped_at = w->now;
	bool linger = pick(w, 2);
	w->totals->faults[PODS_LINGER] += linger;
	clear_pods(w, job, linger);
}

static void set_suspend(struct world *w, struct job *job, bool suspend)
{
	if (job->suspend == suspend)
		return;
	job->suspend = suspend;
	if (suspend) {
		stop_pods(w, job);
		return;
	}
	if (live(w)->status.ledger.since_ms != TIME_NONE)
		w->unseen_ms += w->now - w->stopped_at + (int64_t)(w->seed % 4) * MINUTE_MS;
	w->blinked |= whole(w->stopped_at) == whole(w->now);
	w->clears_at = TIME_NONE;
	job->start_ms = w->now;
	job->active = 1;
	job->terminating = 0;
	job->conditions.len = 0;
	w->n_stretches++;
	/* A pod takes a while to run. */
	w->pods_since = w->now + (int64_t)(w->seed % 4) * MINUTE_MS;
	if (flexible(live(w)))
		w->job_ends = w->pods_since + MAX(w->needs_ms - w->worked_ms, MINUTE_MS) * speed_down(w, job);
	else
		w->job_ends = w->now + 10 * MINUTE_MS + pick(w, 120) * MINUTE_MS;
	w->paused = false;
}

static void server_create(struct world *w)
{
	if (live(w)->status.job_uid)
		violate(w, TWO_JOBS);
	struct job *job = arena_new(&w->arena, struct job);
	*job = (struct job){ .suspend = true, .parallelism = 1, .completions = -1 };
	job->obj.meta.name = "job";
	job->obj.meta.uid = arena_printf(&w->arena, "job-uid-%d", ++w->n_uids);
	job->obj.meta.resource_version = arena_printf(&w->arena, "j%d", w->n_jobs);
	job->obj.meta.deletion_ms = TIME_NONE;
	job->start_ms = job->completion_ms = job->ttl_after_finished_ms = TIME_NONE;
	annotate(w, job, ANNOTATION_TEMPLATE_HASH, w->template_hash);
	if (w->seed % 3 == 0)
		annotate(w, job, ANNOTATION_JOB_TTL, "60");
	put_job(w, job);
	w->foreign_hold = false;
	w->job_ends = w->pods_since = TIME_NONE;
	clear_pods(w, job, false);
}

static int64_t latest_resume(const struct world *w, const struct carbonawarejob *caj)
{
	struct caj_timing t = timing_of(w, caj);

	if (t.latest_start_ms == TIME_NONE)
		return t.earliest_ms;
	return MAX(t.latest_start_ms + MIN(caj->status.ledger.work_ms, t.duration_ms), t.earliest_ms);
}

/* Runs where the plan says so, or had to be let go. */
static bool in_a_segment(const struct caj_plan *p, int64_t at)
{
	for (int i = 0; i < p->n_segments; i++) {
		if (p->segments[i].start_ms <= at && at < p->segments[i].end_ms)
			return true;
	}
	return false;
}

static bool in_hurry(const struct world *w, const struct carbonawarejob *caj)
{
	return caj->spec.critical || caj->run_now || w->observe;
}

/* What was decided a moment ago still holds. */
#define SLACK (CAJ_RELEASE_VALID_MS + MINUTE_MS)

static void check_resume(struct world *w, const struct job *job)
{
	const struct carbonawarejob *caj = live(w);
	bool late = w->now + SLACK >= latest_resume(w, caj);
	struct caj_placed placed;

	w->totals->resumes++;
	if (job->terminating > 0 && !late && !in_hurry(w, caj))
		violate(w, RAN_TWICE);
	if (caj_placed_of(job, &placed) && !cstr_eq(placed.region, caj->status.ledger.region)) {
		w->totals->moves++;
		if (job->terminating > 0 || job->active > 0)
			violate(w, MOVED_TOO_EARLY);
	}
}

static void set_parallelism(struct world *w, struct job *job, int32_t n)
{
	annotate(w, job, ANNOTATION_PARALLELISM, arena_printf(&w->arena, "%d", n));
	if (job->parallelism == n)
		return;
	/* What it has done so far it has done at the speed it had. */
	if (!job->suspend) {
		w->n_scaled++;
		w->worked_ms += working_ms(w);
		w->pods_since = MAX(w->pods_since, w->now);
	}
	job->parallelism = n;
	if (!job->suspend)
		w->job_ends = w->pods_since + MAX(w->needs_ms - w->worked_ms, MINUTE_MS) * speed_down(w, job);
}

static void server_pause(struct world *w, int64_t paused_ms)
{
	const struct carbonawarejob *caj = live(w);
	const struct caj_status *s = &caj->status;
	struct caj_timing t = timing_of(w, caj);
	char text[TIME_TEXT];

	w->totals->pauses++;
	if (!caj_is_paused(caj) || s->paused_ms != paused_ms)
		violate(w, PAUSED_UNRECORDED);
	if (caj->spec.critical || caj->run_now)
		violate(w, PAUSED_IN_HURRY);
	if (t.duration_ms - s->ledger.work_ms <= 600 * SECOND_MS)
		violate(w, PAUSED_AT_END);
	if (++w->n_pauses > caj->spec.interrupt.max_interruptions)
		violate(w, PAUSED_TOO_OFTEN);
	if (in_a_segment(&s->plan, w->now) && in_a_segment(&s->plan, w->now - SLACK))
		violate(w, PAUSED_OFF_PLAN);
	struct job *job = new_job(w);
	annotate(w, job, ANNOTATION_PAUSED, arena_strdup(&w->arena, time_format(paused_ms, text)));
	set_suspend(w, job, true);
	put_job(w, job);
	w->paused = true;
}

static void server_release(struct world *w, int64_t released_ms)
{
	const struct carbonawarejob *caj = live(w);
	char text[TIME_TEXT];

	if (caj->status.released_ms == TIME_NONE || !cstr_eq(caj->status.job_uid, live_job(w)->obj.meta.uid))
		violate(w, RELEASED_UNRECORDED);
	if (caj->spec.suspend)
		violate(w, RELEASED_SUSPENDED);
	/* A limit bears on the start, not on what has begun. */
	if (w->n_stretches == 0 && is_hard(w, caj) && !limit_met(w, w->now) &&
	    !limit_met(w, w->now - CAJ_RELEASE_VALID_MS))
		violate(w, HARD_LIMIT_BROKEN);
	if (w->foreign_hold)
		violate(w, FOREIGN_UNDONE);
	struct job *job = new_job(w);
	annotate(w, job, ANNOTATION_RELEASED, arena_strdup(&w->arena, time_format(released_ms, text)));
	if (w->paused)
		check_resume(w, job);
	if (caj->status.ledger.region)
		annotate(w, job, ANNOTATION_PLACED, arena_printf(&w->arena, "%s r r", caj->status.ledger.region));
	if (caj->spec.scale.set && caj->status.ledger.begun)
		set_parallelism(w, job, caj->status.ledger.parallelism);
	set_suspend(w, job, false);
	put_job(w, job);
}

static bool finished_as(const struct carbonawarejob *caj, const char *type)
{
	return condition_is_true(&caj->status.conditions, type);
}

static bool released_by_other(const struct carbonawarejob *caj)
{
	const struct condition *released = condition_find(&caj->status.conditions, COND_RELEASED);

	return released && strcmp(released->reason, CAJ_UNSUSPENDED_BY_OTHER) == 0;
}

/* What status says of pauses and of work. */
static void check_record(struct world *w, const struct carbonawarejob *was, const struct carbonawarejob *is)
{
	const struct caj_status *s = &is->status;
	int64_t truth = w->worked_ms + working_ms(w);
	struct caj_progress p;

	w->totals->scales += was->status.ledger.begun && s->ledger.parallelism != was->status.ledger.parallelism;
	if (caj_is_paused(was) && !caj_is_paused(is) && !caj_is_finished(is) && s->released_ms != TIME_NONE &&
	    w->paused && live_job(w) && live_job(w)->suspend) {
		bool due = in_a_segment(&s->plan, w->now) || w->now >= latest_resume(w, was);

		if (!due && !in_hurry(w, was) && is->spec.interrupt.set)
			violate(w, RESUMED_OFF_PLAN);
	}
	if (!flexible(is) || !s->ledger.begun || caj_is_finished(is) || !live_job(w))
		return;
	/* Who begins anew has lost all with the suspend, which may not be seen yet; or never, if it lasted no time. */
	if (!is->spec.interrupt.set && (live_job(w)->suspend || w->stopped_at >= s->ledger.since_ms || w->blinked))
		return;
	caj_progress(is, live_job(w), w->now, &p);
	/* A change of parallelism is recorded before it is made. */
	int64_t may_differ = 2 * SECOND_MS + (w->n_scaled + is->spec.scale.set) * MINUTE_MS + w->unseen_ms +
			     (live_job(w)->suspend ? SLACK : 0);
	if (p.begun && p.done_ms > truth + may_differ)
		violate(w, WORK_OVERSTATED);
}

static void server_status(struct world *w, const struct caj_status *status)
{
	const struct carbonawarejob *was = live(w);
	struct carbonawarejob *caj = new_caj(w);
	const struct job *job = live_job(w);

	persist(status, &w->arena, &caj->status);
	check_codec(w, status, &caj->status);
	if (caj_is_finished(was) && (finished_as(was, COND_COMPLETE) != finished_as(caj, COND_COMPLETE) ||
				     finished_as(was, COND_FAILED) != finished_as(caj, COND_FAILED)))
		violate(w, UNFINISHED);
	bool runs = job && !job->suspend && !job_is_finished(job) && !was->spec.suspend;
	if ((was->status.job_uid && !cstr_eq(was->status.job_uid, caj->status.job_uid)) ||
	    (was->status.released_ms != TIME_NONE && caj->status.released_ms == TIME_NONE && runs))
		violate(w, RECORD_LOST);
	if (!caj_is_finished(was) && finished_as(caj, COND_FAILED) && job && !job->suspend && !job_is_finished(job) &&
	    cstr_eq(job->obj.meta.uid, caj->status.job_uid))
		violate(w, FALSE_END);
	check_record(w, was, caj);
	if (released_by_other(caj) && !released_by_other(was))
		w->n_lost_ms += working_ms(w); /* seen later than it was done */
	/* The user's switch was seen: it ends whatever somebody else wanted. */
	if (was->spec.suspend && caj->status.released_ms == TIME_NONE)
		w->foreign_hold = false;
	put_caj(w, caj);
}

#endif
