/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When to start a job whose length is not known, only its distribution: the start that saves most per hour of
 * completion time, in the mean over the lengths:
 *
 *	sum over lengths of p * (cost of starting at once - cost of starting at t)  /  (t - earliest + mean length)
 *
 * With the mean as the only length it is Carbon-Time (GAIA, ASPLOS 2024). Starting at once saves nothing; the start is
 * later only if something is saved. Ties: the earliest. Pure; O(starts x lengths).
 */
#ifndef PLANNER_LENGTH_H
#define PLANNER_LENGTH_H

#include "planner/slots.h"

#define LENGTH_MAX_POINTS 64

/* Durations with their probabilities, rising; the probabilities sum to 1. */
struct length_points {
	int n; /* 1 .. LENGTH_MAX_POINTS */
	int64_t duration_ms[LENGTH_MAX_POINTS];
	double probability[LENGTH_MAX_POINTS];
};

/* From earlier runs of the same kind: n of them in any order (at least 1), as at most LENGTH_MAX_POINTS quantiles. */
void length_points_from_runs(struct length_points *ret, const int64_t *duration_ms, int n);
/* The least duration that is not exceeded with that probability. For guards: deadline - length_quantile(p, 0.95). */
int64_t length_quantile(const struct length_points *p, double probability);
double length_mean_ms(const struct length_points *p);

struct length_start {
	int64_t start_ms;
	double saving; /* expected, in the unit of slots.h per slot of full power; 0 at once */
	double saving_per_hour;
};

/*
 * Starts looked at: earliest, then every step_ms after it (0: every slot border instead) up to latest. Those of which a
 * run could touch a shut slot or the end of the data are none; false if that is so for starting at once already.
 */
bool length_best_start(const struct slot_sums *sums, const struct length_points *lengths, int64_t earliest_ms,
		       int64_t latest_ms, int64_t step_ms, struct length_start *ret) must_check;

#endif
