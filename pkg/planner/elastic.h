/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Elastic jobs: how many pods to run in each slot. Pure.
 *
 * Levels n = min .. max do throughput[n] of work in a slot for power[n]; a slot at level n costs power[n] times the
 * cost of slots.h. With pauses allowed the least cost is found by marginal allocation (CarbonScaler, SIGMETRICS 2024):
 * of all steps from one level to the next in all slots, those with the least cost per work. It is optimal when work per
 * power falls from step to step; so the steps taken are those of the upper concave hull of (power, throughput), and the
 * last one lasts only as long as its work: one slot may be split between two levels. That meets the bound of the linear
 * programme, below which there is nothing. (Whole slots with the last step in full, as published, can lose to
 * suspend-resume.)
 *
 * Where pauses are limited, cost energy or have a minimum run, it is compared with one stretch of at least `min`
 * everywhere, the cheapest of all windows, and with interrupt_plan() at each fixed level: the best of them is returned,
 * never worse than any.
 *
 * Time: O(T n log(T n)) for the allocation, of T slots and n levels; the stretches O(T^2 n log) but pruned, the fixed
 * levels as in interrupt.h. Memory O(T n), freed before return.
 */
#ifndef PLANNER_ELASTIC_H
#define PLANNER_ELASTIC_H

#include "planner/interrupt.h"

#define ELASTIC_MAX_LEVELS 64

struct elastic_profile {
	int min, max;             /* 1 <= min <= max <= ELASTIC_MAX_LEVELS */
	const double *throughput; /* [n], n = 0 .. max; work per slot, rising; [0] is 0 */
	const double *power;      /* [n]; of the full power that the costs of slots.h are for; [0] is 0 */
};

/* What elastic_plan() asks of a profile: both rise, power from its first level on at least not falling; all finite. */
bool elastic_profile_is_valid(const struct elastic_profile *p);

enum elastic_form { ELASTIC_MARGINAL, ELASTIC_STRETCH, ELASTIC_FIXED };

struct elastic_plan {
	double cost;  /* all of it */
	double bound; /* no plan that meets the deadline costs less; INFINITY where no region can */
	enum elastic_form form;
	struct planner_segment *segments; /* from the arena */
	int n_segments;
};

/*
 * job: as in interrupt.h, but that `work` replaces its duration (in units of throughput x slots), that the delay is
 * that of the end against finishing at once at level max, and that moves are not made. may_pause: false = one stretch.
 * False if the work cannot be finished in time, or the profile is not valid.
 */
bool elastic_plan(const struct slots *s, const struct interrupt_job *job, double work,
		  const struct elastic_profile *profile, bool may_pause, struct arena *arena,
		  struct elastic_plan *ret) must_check;

#endif
