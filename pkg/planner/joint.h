/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All jobs together: starts and regions of up to JOINT_MAX_JOBS jobs under limits that they share. Pure and
 * deterministic: no clock, no globals, the same calls give the same plan; one thread at a time.
 *
 * What is minimised is the sum over the jobs of objective (contracts 3, as in planner.h) times energy in kWh, so that
 * with one weight only it is total grams or total cost. A **row** is what some regions share of one resource, slot by
 * slot: a region's power, a cluster's CPU, memory or GPUs (a cluster is a region of its own with the columns of the
 * grid region it is in), or how many jobs may start in a slot, so that releases do not stampede. A job takes its
 * amount in every slot that it touches, releases in the slot that it starts in only.
 *
 *	struct joint *j = joint_new(&round, jobs, n, rows, n_rows, seed, NULL);   a plan at once
 *	joint_improve(j, steps, out_of_time, arg);                                a better one; any number of times
 *	... joint_start(j, i) ... joint_objective(j), joint_bound(j) ...
 *	joint_free(j);
 *
 * How: prices per row and slot (Lagrange multipliers of the limits), raised where the jobs want more than there is and
 * lowered where they want less, by subgradient steps. With prices every job is on its own, and its best start is that
 * of planner_choose() with the prices added. The sum of these, less the price of all capacity, is the **lower bound**:
 * no plan that keeps to the limits costs less. Plans come from giving each job its best start in which there is room,
 * in an order led by the prices; then, once the bound rises no more, from annealing: all jobs by turns, in rounds twice
 * as long as the one before, under penalties that rise where there are too many (joint_anneal.c).
 *
 * Candidates are those of planner.h: start_min, every border after it (spread), latest_start; inside known data.
 * Limits on means are kept (soft ones too; unknown meets soft and breaks hard). A job that has no candidate, or for
 * which no room was found, has no start: the caller asks planner_choose(), which knows the precedence. Critical jobs
 * and those that cannot be deferred are not for this planner either: what they and running jobs take is no capacity.
 * Leaving the incumbent of planner.h costs the noise, here added to the objective of every other start.
 *
 * Time: a step looks at every job once, O(regions x starts) each: about a microsecond per 1 000. Memory: 280 bytes per
 * job and 8 per region that it may run in; 28 bytes per region and slot for each distinct triple of weights, of which
 * JOINT_MAX_CLASSES are kept; 60 bytes per row and slot; 20 KB.
 */
#ifndef PLANNER_JOINT_H
#define PLANNER_JOINT_H

#include "planner/slots.h"

#define JOINT_MAX_JOBS 100000
#define JOINT_MAX_ROWS 1024
#define JOINT_MAX_ROWS_PER_REGION 8
#define JOINT_MAX_CLASSES 16 /* jobs with rarer weights cost more time, not memory */

enum joint_resource {
	JOINT_POWER,  /* milliwatts */
	JOINT_CPU,    /* millicores */
	JOINT_MEMORY, /* MiB */
	JOINT_GPU,    /* thousandths */
	JOINT_RELEASES,
	JOINT_RESOURCES,
};

struct joint_row {
	enum joint_resource resource;
	const int16_t *regions; /* which share it; borrowed while the joint lives, like the capacity */
	int n_regions;
	const int64_t *capacity; /* n_slots of them, what is free for these jobs; below 0 counts as 0 */
};

struct joint_job {
	struct planner_job job;          /* borrowed: its pointers */
	int64_t amount[JOINT_RESOURCES]; /* [JOINT_POWER] and [JOINT_RELEASES] are set: the job's power, and 1 */
};

struct joint_start {
	int16_t region; /* PLANNER_NO_REGION: none was found */
	int64_t start_ms;
};

struct joint;

/*
 * The round and the arrays are borrowed until joint_free(); the round's reserved power is not looked at. Earlier plans
 * of the jobs that there is still room for are where it starts from. before: an earlier joint over the same rows, whose
 * prices are taken over slot by slot, for a new forecast or a changed set of jobs; may be NULL, not kept.
 */
struct joint *joint_new(const struct planner_round *round, const struct joint_job *jobs, size_t n_jobs,
			const struct joint_row *rows, int n_rows, uint64_t seed, const struct joint *before);
void joint_free(struct joint *j);
static inline void joint_cleanup(struct joint **j)
{
	joint_free(*j);
}

/*
 * Runs so many steps, or until out_of_time(arg) is true, which is asked every few jobs; NULL = never. The plan is
 * always one that keeps to the limits, and never gets worse; nor does the bound.
 */
void joint_improve(struct joint *j, int steps, bool (*out_of_time)(void *arg), void *arg);

/*
 * One more job, borrowed too, whose number is the count so far: placed where the prices send it, others moved if there
 * is no room otherwise. O(regions x slots). The count is JOINT_MAX_JOBS at most.
 */
void joint_add(struct joint *j, const struct joint_job *job);

struct joint_start joint_start(const struct joint *j, size_t job);
/* The sum over the jobs that have a start. */
double joint_objective(const struct joint *j);
/* At most the cost of any plan in which all jobs have a start that have a candidate. */
double joint_bound(const struct joint *j);
/* Jobs without a start: because there is no candidate at all, and because there is no room. */
size_t joint_without_candidate(const struct joint *j);
size_t joint_without_room(const struct joint *j);

/*
 * Jobs that may pause, move or scale (flex.h) are placed as blocks first, then one by one in what room there is:
 *
 *	joint_slots(j, i, JOINT_ROOM, &arena, &slots);
 *	if (flex_plan(&slots, ..., &plan) && plan.cost < joint_explain()'s objective)
 *		joint_settle(j, i, plan.segments, plan.n_segments, plan.cost);
 *
 * After that this job stays; joint_improve() still moves the others. The bound holds for blocks only, until each of
 * these jobs has told by joint_relax() what it could do at the prices: the flex_plan.bound on the slots of
 * JOINT_PRICES; INFINITY where it can do no more than its block, -INFINITY where that is not known, which gives up the
 * bound. From then on the bound stays as it is.
 */
enum joint_slots_of { JOINT_ROOM, JOINT_PRICES };
void joint_slots(struct joint *j, size_t job, enum joint_slots_of what, struct arena *arena, struct slots *ret);
void joint_settle(struct joint *j, size_t job, const struct planner_segment *segments, int n, double objective);
void joint_relax(struct joint *j, size_t job, double bound);

/* What one job's start costs beside the others': for explanations. */
struct joint_view {
	double objective; /* of its start, as in planner.h; NAN without one */
	double unlimited; /* of its best start if there were no rows */
	double scarcity;  /* what the prices of its start's rows add to the objective */
};
void joint_explain(const struct joint *j, size_t job, struct joint_view *ret);

#endif
