/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a plan is as it is, in figures: what its cost is made of, what comes next, and what would have to change for
 * another decision. Pure; made when somebody asks, from the round that the plan was made in and with the power that was
 * reserved then. O(regions x slots), a few times what planner_choose() takes.
 *
 * The options, the binding constraint, now, best and worst are in planner_result already.
 */
#ifndef PLANNER_EXPLAIN_H
#define PLANNER_EXPLAIN_H

#include "planner/flex.h"

/* Parts of an objective; they sum up to it, restarts and movement apart. NAN if it cannot be compared. */
struct explain_parts {
	double carbon, price, renewable, delay;
};

/* What could be granted. */
enum explain_wish {
	EXPLAIN_LATER,  /* a deadline as late as the forecast reaches */
	EXPLAIN_LIMITS, /* no limits on means */
	EXPLAIN_POWER,  /* no power limits */
	EXPLAIN_PLACES, /* every region */
	EXPLAIN_WISHES,
};

struct explain_granted {
	double gain; /* in the objective without its delay; 0: nothing changes */
	int16_t region;
	int64_t start_ms;
};

struct explain {
	struct explain_parts choice, baseline;
	/* Of the options that are not the choice, the best: index in result.options; -1 if there is none. */
	int rival;
	struct explain_parts rival_parts;
	double margin; /* by which the rival is worse; less than 0 where the noise decided */
	/* By how much the mean over the choice's run has to rise for the rival to win; PLANNER_UNKNOWN: not by that. */
	int32_t carbon_rise_mg_per_kwh, price_rise_micros_per_kwh;
	struct explain_granted granted[EXPLAIN_WISHES];
};

/* Of a plan with a choice. */
void explain_choice(const struct planner_round *round, const struct planner_job *job,
		    const struct planner_result *result, struct explain *ret);
/* Parts of a plan in segments; the power of all levels counts as that of one run of the job's duration. */
void explain_segments(const struct planner_round *round, const struct planner_job *job,
		      const struct planner_segment *segments, int n, struct explain_parts *ret);

#endif
