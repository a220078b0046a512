/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caj_decide(): what to do next about one CarbonAwareJob. Pure and level-triggered: it sees what is, never why it is
 * called, and asks for at most one write. Called again after that write has been seen, it asks for the next, so that
 * the process may die between any two of them. tests/unit/lifecycle_test.c checks that over random histories.
 *
 * A job's life, one write each:
 *
 *	CAJ_CREATE_JOB	   the Job, suspended, of the same name
 *	CAJ_WRITE_STATUS   Job's UID, plan, baseline                        -> Deferred
 *	CAJ_WRITE_STATUS   releasedTime: recorded before the side effect    -> Released
 *	CAJ_RELEASE_JOB	   one patch: affinity, annotations, suspend: false
 *	CAJ_WRITE_STATUS   Running; conditions; folded energy of evicted pods
 *	CAJ_WRITE_STATUS   pausedTime, work and energy so far			-> Paused
 *	CAJ_PAUSE_JOB	   one patch: annotation, suspend: true
 *	CAJ_WRITE_STATUS   releasedTime, the new region; then CAJ_RELEASE_JOB	-> Running; and so on
 *	CAJ_SCALE_JOB	   the present segment's parallelism, once recorded
 *	CAJ_WRITE_STATUS   Complete or Failed, actual figures, savings; again once the final values are in
 *	CAJ_SET_JOB_TTL	   the template's ttlSecondsAfterFinished, kept back until the end has been recorded
 *	CAJ_DELETE	   spec.ttlSecondsAfterFinished after the end
 *
 * Run once: a Job is created only while status.jobRef.uid is empty, and unsuspended only after releasedTime and the UID
 * are in status. A Job that was seen and is gone was either finished, or the object has Failed with JobDeleted.
 *
 * Pauses. Releases and pauses are told apart by their second: the later one of releasedTime and pausedTime holds, and
 * the Job's annotations tell which of them were carried out. What it has done so far is closed in status.progress when
 * a pause is recorded. A pause that was not carried out in time is taken back by a new release, which finds the Job
 * running. A hard limit bears on the start: what has begun goes on when its plan says so, and at the latest when what
 *is left needs it. See decide/pause.h for what keeps a pause from being made.
 *
 * Freshness. What was observed may be older than what the API server has. Every write carries the version of the object
 * it changes: a status write that of the object, a patch of the Job that of the Job, a deletion the object's UID and
 * version, and body_create_job() looks at the live object, or at what is as good (controller/young.h). Where a decision
 * also rests on the *other* object and cannot be taken back, check_caj and check_job ask the caller to read that one
 * live first and to give up when it has changed.
 *
 * Observe mode, by the namespace's label: the Job runs at once (as soon as its user's own earliest start allows) and
 * unmodified, whatever the limits; the plan that would have been made is shown. Released has the reason ObserveMode.
 *
 * Ready's reason is the State column. A Job that somebody else suspended after its release has the state Suspended like
 * one that its user suspended; Ready's message then begins with "SuspendedByOther".
 */
#ifndef DECIDE_DECIDE_H
#define DECIDE_DECIDE_H

#include "decide/account.h"
#include "decide/plan.h"
#include "k8s/types/job.h"

/* Released, but no pod runs for so long (real time): StartBlocked. */
#define CAJ_START_BLOCKED_MS (600 * SECOND_MS)
/* Events tell of a start that moved by more than this. */
#define CAJ_EVENT_MOVE_MS (30 * MINUTE_MS)
/* A release that was recorded but not carried out for so long no longer rests on a plan: hard limits are asked anew. */
#define CAJ_RELEASE_VALID_MS (600 * SECOND_MS)

/* Reasons of condition Released. */
#define CAJ_OBSERVE_MODE "ObserveMode"
#define CAJ_UNSUSPENDED_BY_OTHER "UnsuspendedByOther"

/* Of the namespace (contracts 8). */
struct caj_mode {
	bool observe;        /* else act */
	const char *unknown; /* the label's value, which is neither: the default holds; NULL = it is one of them */
};
/* label: of the namespace, NULL = none; borrowed. */
struct caj_mode caj_mode_of(const char *label, bool observe_by_default);

/* What the job's pods tell, of those that belong to the present stretch: after its last pause. */
struct caj_pod_summary {
	int running;                     /* phase Running, or ended after running */
	int64_t running_since_ms;        /* domain: the earliest start of those that run now; TIME_NONE = none does */
	int active;                      /* not ended, not being deleted */
	const char *unscheduled_message; /* the scheduler's own text of one that waits; NULL = none */
};

struct caj_observed {
	int64_t now_ms; /* domain */
	const struct carbonawarejob *caj;
	const struct job *job;      /* NULL = there is none of that name that is ours */
	const char *foreign_job;    /* there is a Job of that name that is not ours: whose; NULL = no */
	const char *template_error; /* creating the Job was refused: the API server's words; NULL = not */
	const char *template_hash;  /* of spec.jobTemplate now, when it was read anew; NULL = not read */
	struct caj_mode mode;
	struct caj_timing timing;
	struct caj_refusal refusal;    /* of timing and place */
	const struct plan_entry *plan; /* NULL = not planned by this process yet */
	struct caj_pod_summary pods;
	int64_t released_for_real_ms;  /* since the release patch; for StartBlocked */
	const struct account *account; /* of what ran so far; NULL = nothing did */
	const struct account
		*account_now;         /* the same with what pods that still run have taken so far; NULL = nothing */
	bool fold;                    /* account's runs hold pods that are gone: write them down */
	bool can_plan;                /* there is a home to plan for, or it is not known yet: a plan will come */
	int64_t job_finished_ms;      /* domain time of the Job's end, TIME_NONE */
	int64_t job_started_ms;       /* domain time of its startTime: the last time it was let go; TIME_NONE */
	int64_t job_suspended_ms;     /* domain time at which it became Suspended, TIME_NONE = it is not */
	int64_t last_checkpoint_ms;   /* domain time of ANNOTATION_LAST_CHECKPOINT, TIME_NONE */
	bool move_refused;            /* the API server has refused to let it go on in another region */
	const struct grid_view *grid; /* NULL = none; asked only for what a pause gains */
};

enum caj_action {
	CAJ_NOTHING,
	CAJ_CREATE_JOB,
	CAJ_WRITE_STATUS,
	CAJ_RELEASE_JOB,
	CAJ_SUSPEND_JOB, /* the user's spec.suspend after release */
	CAJ_PAUSE_JOB,
	CAJ_SCALE_JOB,
	CAJ_SET_JOB_TTL,
	CAJ_DELETE,
};

struct caj_event {
	bool warning;
	const char *reason; /* NULL = none */
	const char *message;
};

struct caj_decision {
	enum caj_action action;
	struct caj_status status;   /* as it should be; to be written for CAJ_WRITE_STATUS */
	int64_t look_again_ms;      /* domain time; TIME_NONE = when something changes */
	int64_t look_again_real_ms; /* real delay; 0 = none */
	bool overdue;               /* the latest start has passed: releases go in order of latest start */
	int64_t due_ms;             /* if so, that latest start, or resumption */
	bool check_caj;         /* to be carried out only if a live read shows the object's version that was observed */
	bool check_job;         /* the same for the Job; one that was not there must still be absent */
	struct caj_event event; /* to be sent once the write has succeeded */
};

/* Strings of the decision live in the arena or in what was observed. */
void caj_decide(const struct caj_observed *o, struct arena *arena, struct caj_decision *ret);

/* Waits for its start and may still be planned: it belongs into the planning round. */
bool caj_is_pending(const struct carbonawarejob *caj, const struct job *job);
/* Paused by its plan, and to be resumed. That is recorded before its Job is suspended. */
bool caj_is_paused(const struct carbonawarejob *caj);
bool caj_status_is_paused(const struct caj_status *s);
/*
 * Has begun, and its plan holds for what is left, which may be planned anew: it may pause or scale, and nobody has
 * asked for it to run now. See decide/progress.h for what is left.
 */
bool caj_may_replan(const struct carbonawarejob *caj, const struct job *job);
/* Released, not paused and not ended: it holds its power. */
bool caj_is_running(const struct carbonawarejob *caj, const struct job *job);
/* Its release was recorded in observe mode: by body_release_unmodified(), and where it runs is nobody's plan. */
bool caj_is_unmodified(const struct carbonawarejob *caj);
/* Complete or Failed. */
bool caj_is_finished(const struct carbonawarejob *caj);

const char *caj_action_name(enum caj_action a);

#endif
