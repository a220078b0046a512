/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interruptible jobs: which slots to run in, and where. Exact, by dynamic programming over slot x slots run x running
 * or not (x pauses so far where they are limited or cost time, x region x moves so far where the job may move). Pure.
 *
 * The job starts at its earliest time or at a slot border, pauses and resumes at borders, and ends when its work is
 * done. It costs, in the unit of slots.h:
 *
 *	the slots it runs in  +  restart_slots * cost of the slot it resumes in (if positive), for each resumption
 *	+ move_cost for each move  +  delay_per_ms * (end - earliest - duration)
 *
 * and a pause lasts a slot at least. Saving state before a pause takes checkpoint_ms of running without work. Segments
 * are min_run_ms at least, or the whole job if that is shorter. A move is a pause: it counts as one, and takes
 * move_ms, in whole slots.
 *
 * Without costs of pauses and moves the cheapest slots before each possible last one, kept in a heap, are exact too,
 * and much faster.
 *
 * Time: O(T k) with T slots from earliest to the finish and k slots of work, times pauses + 1 where those count, times
 * 2 x regions with moves; else the regions one by one. Memory: a byte for each of these (k rounded up to 32),
 * INTERRUPT_MAX_STATES at most, freed before return; where moves would need more there are none.
 */
#ifndef PLANNER_INTERRUPT_H
#define PLANNER_INTERRUPT_H

#include "planner/slots.h"

#define INTERRUPT_ANY (-1)
/* Of pauses, where they are limited or cost time. */
#define INTERRUPT_MAX_COUNTED 16
#define INTERRUPT_MAX_MOVES 3
#define INTERRUPT_MAX_STATES (INT64_C(32) << 20)

struct interrupt_job {
	int64_t earliest_ms;  /* now or later */
	int64_t finish_by_ms; /* the work ends by then */
	int64_t duration_ms;  /* of the work that is left; > 0 */
	int64_t min_run_ms;
	int64_t checkpoint_ms;
	double restart_slots;  /* energy of a resumption, as slots at full power */
	int max_interruptions; /* from now on; INTERRUPT_ANY = as many as it likes */
	int max_moves;         /* 0 .. INTERRUPT_MAX_MOVES; planners use 1 unless told otherwise */
	double move_cost;
	int64_t move_ms;
	double delay_per_ms;
	/* Of a job that has begun: */
	int region;     /* where it runs or has paused; PLANNER_NO_REGION: it has not begun, and starts anywhere */
	bool running;   /* else paused, which has been counted */
	int64_t ran_ms; /* since it started or resumed, if running */
};

struct interrupt_plan {
	double cost; /* all of it; the parts follow */
	double run_cost, restart_cost, move_cost, delay_cost;
	struct planner_segment *segments; /* from the arena */
	int n_segments;
	int interruptions, moves; /* from now on */
};

/*
 * False if the work cannot be finished in time in open slots; ret is untouched then. Same input, same plan.
 */
bool interrupt_plan(const struct slots *s, const struct interrupt_job *job, struct arena *arena,
		    struct interrupt_plan *ret) must_check;

#endif
