/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of caj_decide() share: one decision under way, and small steps on its status. */
#ifndef DECIDE_INTERNAL_H
#define DECIDE_INTERNAL_H

#include "decide/decide.h"
#include "decide/progress.h"

struct ctx {
	const struct caj_observed *o;
	struct arena *arena;
	struct caj_decision *d;
	struct caj_status *s; /* &d->status */
	int64_t done_ms;      /* of its work, before this decision; 0 for what begins anew when it starts again */
	bool waiting;         /* nothing that is known now is worth a write */
};

/* ---- ctx.c ---- */

void ctx_cond(struct ctx *c, const char *type, bool value, const char *reason, const char *message);
/* A condition that says nothing while it was never true stays away, which keeps the status small. */
void ctx_clear(struct ctx *c, const char *type, const char *reason, const char *message);
bool ctx_has_reason(const struct ctx *c, const char *type, const char *reason);
/* The State column; true when it is another one than before, which is worth an event. */
bool ctx_ready(struct ctx *c, bool value, const char *state, const char *message);
void ctx_look_again(struct ctx *c, int64_t domain_ms);
/* The first one of a decision is the news; the rest is in the conditions. */
void ctx_event(struct ctx *c, bool warning, const char *reason, const char *message);
/* Critical and run-now go before the user's hard limits (contracts 1). */
bool ctx_is_override(const struct ctx *c);
bool ctx_is_hard(const struct ctx *c);
/* Work that is left, as time at full parallelism. */
int64_t ctx_left_ms(const struct ctx *c);
/* The latest start of what is left; for a job that is not deferred its earliest. */
int64_t ctx_last_start_ms(const struct ctx *c);
/* The round's result for the object as it is now, or NULL. */
const struct plan_entry *ctx_plan(const struct ctx *c);
/* The Job's own condition, in its words; here it is set from the moment the user asks for it. */
void ctx_mirror_suspended(struct ctx *c, bool suspended);
/* Is a run that starts then in time, or what is left of one that goes on then? */
void ctx_watch_deadline(struct ctx *c, int64_t start_ms);
/* The release, or pause, that the Job says was carried out; TIME_NONE when there is none that we could have written. */
int64_t ctx_mark_ms(const struct ctx *c, const char *annotation);
/* Of a new record, told from all earlier ones by its second: now, but later than both. TIME_NONE = none. */
int64_t ctx_after_ms(const struct ctx *c, int64_t a_ms, int64_t b_ms);
void ctx_take_runs(struct ctx *c, const struct account *a);
/* Energy of pods that are gone, before it is forgotten. */
void ctx_fold_runs(struct ctx *c);
void ctx_show_savings(struct ctx *c, const struct caj_saving *s, bool expected);
/* Plan, baseline, expectations and what is said about them. */
void ctx_apply_plan(struct ctx *c, const struct plan_entry *p);

/* ---- pause.c: jobs that may pause or scale ---- */

/* Reason of condition Released: the pause before it was recorded and not carried out, so the Job runs without a mark.
 */
#define PAUSE_TAKEN_BACK "PauseTakenBack"

/* A release is recorded: a stretch begins as soon as a pod runs. */
void pause_begin(struct ctx *c);
/* The stretch is over for another reason than a pause of ours: since the Job is suspended, or else now. */
void pause_stop(struct ctx *c);
/* It runs: keeps the record, follows the plan. settled: the Job carries the mark of the release that is recorded. */
void pause_follow(struct ctx *c, bool settled);
/* It is paused, by its record. */
void pause_decide(struct ctx *c);
/* The move that its release was to make is refused by the API server: it goes on where it was. */
void pause_stay(struct ctx *c);
/* Somebody else let it go: it runs on to its end. */
void pause_forget_plan(struct ctx *c);

#endif
