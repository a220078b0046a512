/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals as prefix sums, private to pkg/planner.
 *
 * A sum over a run is an integer (value times milliseconds) held in a double: exact below 2^53, so that equal runs
 * compare as equal, whichever way they were summed. Four weeks at a mean of 3 700 g/kWh stay below it.
 */
#ifndef PLANNER_INTERNAL_H
#define PLANNER_INTERNAL_H

#include "planner/planner.h"

enum signal { CARBON, PRICE, RENEWABLE, N_SIGNALS };

struct column {
	double *sum;  /* sum[i]: of slots 0 .. i-1, n_slots + 2 of them; what is unknown counts as `fill` */
	int *unknown; /* unknown[i]: the first slot from i on that has no value; n_slots + 1 of them, the last = n_slots
		       */
	double fill;  /* mean of the known values from now on, rounded; 0 if there is none */
	int end;      /* one past the last known slot; 0 if there is none from now on */
};

struct planner_columns {
	struct column signal[N_SIGNALS];
	int64_t *reserved;     /* milliwatts per slot; NULL if the region has no power limit */
	int64_t most_reserved; /* the greatest of them */
};

/* A point on the slot grid; past the horizon it lies that far into a slot n_slots of any length. */
struct position {
	int slot;
	double into_ms;
};

struct run {
	int64_t start_ms, end_ms;
	struct position from, to;
	int last; /* the last slot it touches */
};

struct run planner_run(const struct planner_signals *signals, int64_t start_ms, int64_t duration_ms);

/* Value times milliseconds over the run. */
static inline double run_sum(const struct column *c, double slot_ms, const struct run *r)
{
	const double *from = c->sum + r->from.slot, *to = c->sum + r->to.slot;

	return slot_ms * to[0] + r->to.into_ms * (to[1] - to[0]) -
	       (slot_ms * from[0] + r->from.into_ms * (from[1] - from[0]));
}

static inline bool run_known(const struct column *c, const struct run *r)
{
	return r->from.into_ms >= 0 && r->last < c->unknown[r->from.slot];
}

#endif
