/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The common ground of the planners that may pause, scale or share: what running in a slot costs one job, and the
 * segments that come out. Pure, like all of pkg/planner; any thread.
 *
 * The **cost** of a slot is what running through all of it at full power adds to the job's objective (contracts 3), so
 * that the slots of one block sum up to the objective of planner_choose(), the delay term apart:
 *
 *	(w_carbon * carbon / scale + w_cost * price / scale + w_renewable * (1 - renewable)) * slot / duration
 *
 * Part of a slot costs its share. INFINITY means that the job may not run there: unknown carbon (where carbon has
 * weight), or no power left. Costs may be negative. What planners add to it: delay, restarts, movement; see there.
 */
#ifndef PLANNER_SLOTS_H
#define PLANNER_SLOTS_H

#include "planner/planner.h"

struct slots {
	int64_t first_ms; /* start of slot 0 */
	int64_t slot_ms;
	int n;                     /* slots, at most PLANNER_MAX_SLOTS */
	int n_regions;             /* 1 .. PLANNER_MAX_REGIONS */
	const double *const *cost; /* [region][slot]; NULL = may not run there */
	double delay_per_ms;       /* what each millisecond adds to the objective by which the job ends later */
};

/* A stretch of one job's run; lists of them are in order of time. */
struct planner_segment {
	int16_t region;
	int16_t parallelism; /* 1 where the job does not scale */
	int64_t start_ms, end_ms;
};

/*
 * The costs of that job in its allowed regions, of those slots in which its power is still free. within_limits: slots
 * whose own value breaks one of the job's limits are shut too, so that every mean over such slots meets them (unknown
 * values break hard limits). O(regions x slots), as much memory from the arena.
 */
void slots_init(struct slots *s, const struct planner_round *round, const struct planner_job *job, bool within_limits,
		struct arena *arena);

/* Start of slot i, which may lie past the end. */
static inline int64_t slots_start_ms(const struct slots *s, int i)
{
	return s->first_ms + i * s->slot_ms;
}

/* Cost of running from start to end in a region: O(1). INFINITY if a shut slot is touched. */
struct slot_sums {
	const struct slots *slots;
	const double *cost;
	double *sum; /* n + 1; shut slots count nothing */
	int *shut;   /* n + 1: the first shut slot from i on */
};
void slot_sums_init(struct slot_sums *ret, const struct slots *s, int region, struct arena *arena);
double slot_sums_cost(const struct slot_sums *s, int64_t start_ms, int64_t end_ms);

/*
 * The figures of several segments together, as planner_evaluate() gives them for one run: power_milliwatts is
 * indexed by parallelism ({ 0, power } where the job does not scale), and each segment after a pause starts with
 * restart_milliwatt_hours more, spent at the value of the slot it starts in. region and start are those of the first
 * segment, end of the last; objective is NAN.
 */
void planner_evaluate_segments(const struct planner_round *round, const struct planner_segment *segments, int n,
			       const int64_t *power_milliwatts, int64_t restart_milliwatt_hours,
			       struct planner_option *ret);

#endif
