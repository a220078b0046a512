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
	N_VIOLATIONS
};

static const char *const violation_names[] = {
	"two jobs",        "record lost",      "released unrecorded", "released suspended", "hard limit broken",
	"late start",      "held back",        "hard not terminal",   "foreign undone",     "unfinished",
	"false end",       "stranded",         "ttl too early",       "user ignored",       "not idempotent",
	"too many writes", "status too large",
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
	N_FAULTS
};

static const char *const fault_names[] = {
	"crash before a write",   "crash after a write", "lost reply",        "stale read",     "conflict",
	"live check refused",     "foreign suspend",     "foreign unsuspend", "foreign delete", "user's suspend",
	"edited deadline",        "override annotation", "edited template",   "changed mode",   "grid lost",
	"operator off for hours",
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
	N_BREAKAGES
};

static const char *const breakage_names[] = {
	"sound",          "skips record",      "no live checks",   "no create check",
	"keeps text",     "no status version", "creates again",    "undoes suspend",
	"waits for plan", "late hard release", "ignores deadline", "chatters",
	"reopens",        "early ttl",         "always acts",
};

struct totals {
	int64_t histories, decisions, writes, completed, failed, waiting;
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
	int64_t job_ends;  /* TIME_NONE unless it runs */
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

static void set_suspend(struct world *w, struct job *job, bool suspend)
{
	if (job->suspend == suspend)
		return;
	job->suspend = suspend;
	if (!suspend)
		job->start_ms = w->now;
	w->job_ends = suspend ? TIME_NONE : w->now + 10 * MINUTE_MS + pick(w, 120) * MINUTE_MS;
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
	w->job_ends = TIME_NONE;
}

static void server_release(struct world *w, int64_t released_ms)
{
	const struct carbonawarejob *caj = live(w);
	char text[TIME_TEXT];

	if (caj->status.released_ms == TIME_NONE || !cstr_eq(caj->status.job_uid, live_job(w)->obj.meta.uid))
		violate(w, RELEASED_UNRECORDED);
	if (caj->spec.suspend)
		violate(w, RELEASED_SUSPENDED);
	if (is_hard(w, caj) && !limit_met(w, w->now) && !limit_met(w, w->now - CAJ_RELEASE_VALID_MS))
		violate(w, HARD_LIMIT_BROKEN);
	if (w->foreign_hold)
		violate(w, FOREIGN_UNDONE);
	struct job *job = new_job(w);
	annotate(w, job, ANNOTATION_RELEASED, arena_strdup(&w->arena, time_format(released_ms, text)));
	set_suspend(w, job, false);
	put_job(w, job);
}

static bool finished_as(const struct carbonawarejob *caj, const char *type)
{
	return condition_is_true(&caj->status.conditions, type);
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
	/* The user's switch was seen: it ends whatever somebody else wanted. */
	if (was->spec.suspend && caj->status.released_ms == TIME_NONE)
		w->foreign_hold = false;
	put_caj(w, caj);
}

#endif
