/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How strained the grid of an area is at a moment, 0 to 1000 per mille. Pure; any thread. The largest of what is known:
 *
 *	demand	0.5 x (demand - lowest) / (highest - lowest), over the demand known of the last two days and the next
 *one: the peak of an ordinary day is half of the scale, since it is met as planned margin	1 - (de-rated margin /
 *demand) / 0.15: from nothing at 15 % of demand to 1 where nothing is left
 *	loss	loss-of-load probability / 0.1: 1 at one chance in ten
 *
 * each within 0 and 1; unknown when none of the three is known. The scales are ours: 15 % is about what a system plans
 * to have above its peak, and a loss-of-load probability of a tenth has never been published for GB.
 */
#ifndef GRID_STRESS_H
#define GRID_STRESS_H

#include "grid/sample.h"

/* Fewer known values say nothing about a range. */
#define GRID_STRESS_MIN_SLOTS 24

/* Any may be NULL. demand in MW, margin in MW, loss in millionths: as in grid/sample.h. */
struct grid_stress_input {
	const struct grid_series *demand, *margin, *loss_of_load;
};

enum grid_stress_cause { GRID_STRESS_DEMAND, GRID_STRESS_MARGIN, GRID_STRESS_LOSS_OF_LOAD };
/* "demand", "margin", "loss-of-load" */
const char *grid_stress_cause_name(enum grid_stress_cause c);

/* GRID_UNKNOWN, or per mille with what it comes from in *ret_cause. */
int32_t grid_stress_permille(const struct grid_stress_input *in, int64_t now_ms, enum grid_stress_cause *ret_cause);

#endif
