/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The planning round: plans for all jobs that wait, together, under the power that the running ones hold. Pure: no
 * clock, no I/O, no globals; operator, simulator and tests call the same. One thread at a time.
 *
 *	struct round_input in = { .view = v, .jobs = jobs, .n_jobs = n, .running = running, ... };
 *	round_plan(&in, &arena);
 *	... jobs[i].entry ...
 *
 * A plan stands, and is not looked at again, while nothing that it rests on has changed: then the same entry comes
 * back. A start that has come is not planned again either: its release is under way. Jobs in observe mode are planned
 * against the others, and take no power from anybody.
 */
#ifndef DECIDE_ROUND_H
#define DECIDE_ROUND_H

#include "decide/plan.h"

/* A job that is accepted, with a Job of its own, and waits: caj_is_pending(); or has begun, and what is left of it may
 * be planned anew: caj_may_replan() and caj_is_flexible(). */
struct round_job {
	/* Given, and borrowed. */
	const struct carbonawarejob *caj;
	const struct job *job;
	struct caj_timing timing;
	bool observed;              /* its namespace's mode */
	struct plan_entry *earlier; /* NULL = none */

	/* Found: a reference for the caller to give back. NULL: nothing to plan for, no GridRegion could be its home.
	 */
	struct plan_entry *entry;

	struct caj_place place; /* the round's own, like what follows */
	uint64_t basis;
	bool begun, settled;
};

/* Any other job that has been released and not ended, and can start: it holds its power. */
struct round_running {
	const struct carbonawarejob *caj;
	const struct job *job;
	struct caj_timing timing;
};

/* A new or changed decision, with all that it rested on. */
struct round_decision {
	const struct round_job *job;
	const struct planner_job *asked;
	const struct planner_result *found; /* of a plan in segments the choice is all of them together */
};

struct round_input {
	const struct grid_view *view;
	uint64_t grid_version; /* another one whenever GridRegions or nodes have changed as far as plans rest on them */
	struct round_job *jobs;
	size_t n_jobs;
	const struct round_running *running;
	size_t n_running;
	/*
	 * Asked now and then while jobs that stand in each other's way are placed together: true ends that. NULL =
	 * never, then the number of steps does.
	 */
	bool (*out_of_time)(void *arg);
	void (*decided)(void *arg, const struct round_decision *d); /* may be NULL */
	void *arg;
};

/* The arena holds what the round needs, until the caller resets it; entries have their own. */
void round_plan(const struct round_input *in, struct arena *arena);

#endif
