/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One job that may pause, move or scale: the best of its forms. Pure.
 *
 * The forms are those of interrupt.h and elastic.h, on the costs of slots.h; one block is planner_choose(), and
 * remains what is done where this finds nothing (no data, no room, limits). Costs compare with
 * planner_option.objective: a plan of one segment that starts at a slot border costs what that start costs there.
 *
 *	planner_choose(&round, &job, &result);
 *	if (flex_choose(&round, &job, &flex, &arena, &plan) && plan.cost < result.choice.objective - result.noise) ...
 *
 * Limits on means: a plan whose means break one is replaced by one that uses only slots within the limits. (There may
 * be a cheaper one in between.)
 */
#ifndef PLANNER_FLEX_H
#define PLANNER_FLEX_H

#include "planner/elastic.h"

/* What a job allows beside one block. All 0 but region: one block. */
struct flex {
	bool may_pause;
	int max_interruptions; /* from now on, or INTERRUPT_ANY */
	int64_t min_run_ms, checkpoint_ms;
	int64_t restart_milliwatt_hours;
	int max_moves; /* 0: stays; planners use 1 unless told otherwise */
	int64_t move_ms, move_milliwatt_hours;
	/* NULL: does not scale. Power 1 and the job's duration are those of its highest level (contracts 1). */
	const struct elastic_profile *profile;
	/* Of a job that has begun, as in interrupt.h; its planner_job has the duration that is left. */
	int region;
	bool running;
	int64_t ran_ms;
};

enum flex_form { FLEX_BLOCK, FLEX_INTERRUPT, FLEX_ELASTIC };

struct flex_plan {
	enum flex_form form;
	double cost; /* objective; its parts follow, as far as they were told apart */
	double restart_cost, move_cost, delay_cost;
	double bound;                     /* no plan of this job in these slots costs less */
	struct planner_segment *segments; /* from the arena; parallelism 1 where it does not scale */
	int n_segments, interruptions, moves;
};

/* In the round's slots that have room for it. False: nothing that can be compared meets deadline and limits. */
bool flex_choose(const struct planner_round *round, const struct planner_job *job, const struct flex *f,
		 struct arena *arena, struct flex_plan *ret) must_check;

/* The same on slots made by others, from start_min on; limits are not looked at. */
bool flex_plan(const struct slots *s, const struct planner_job *job, int64_t start_min_ms, const struct flex *f,
	       struct arena *arena, struct flex_plan *ret) must_check;

/*
 * What a given plan of that job costs now, by the same measure as flex_plan.cost: to tell whether a new one is worth
 * it. INFINITY when it cannot be followed: it touches a slot without data or room, breaks a limit, or ends too late.
 * Whether it does all the work is the caller's to know.
 */
double flex_cost(const struct planner_round *round, const struct planner_job *job, const struct flex *f,
		 const struct planner_segment *segments, int n, struct arena *arena);

#endif
