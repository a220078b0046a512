/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals as prefix sums, private to pkg/planner.
 *
 * A sum over a run is an integer (value times milliseconds) held in a double: exact below 2^53, so that equal runs
 * compare as equal, whichever way they were summed. Four weeks at a mean of 3 700 g/kWh stay below it.
 */
#ifndef PLANNER_INTERNAL_H
#define PLANNER_INTERNAL_H

#include <math.h>

#include "base/wide.h"
#include "planner/planner.h"

enum signal { CARBON, PRICE, RENEWABLE, N_SIGNALS };

/* Arrays that the loops over borders run through, so many at a time, are this much longer than their content. */
#define SEARCH_PAD 8
#define SEARCH_MAX_BORDERS (PLANNER_MAX_SLOTS + SEARCH_PAD)

struct column {
	double *value; /* of each slot, `fill` where unknown, and once more behind the last; padded */
	double *sum;   /* sum[i]: of slots 0 .. i-1; n_slots + 2 of them, padded */
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
	int from = r->from.slot, to = r->to.slot;

	return slot_ms * c->sum[to] + r->to.into_ms * c->value[to] -
	       (slot_ms * c->sum[from] + r->from.into_ms * c->value[from]);
}

static inline bool run_known(const struct column *c, const struct run *r)
{
	return r->from.into_ms >= 0 && r->last < c->unknown[r->from.slot];
}

/*
 * One search. The objective is linear in the sums over a run, so that each candidate costs a handful of loads:
 *
 *	constant + delay_per_ms * (t - earliest) + k[CARBON] * carbon sum + k[PRICE] * price sum + ...
 *
 * search_objectives() and search_objective() add the same terms in the same order, and so agree to the last bit.
 */
struct search {
	const struct planner_round *round;
	const struct planner_signals *signals;
	const struct planner_job *job;
	int64_t start_min_ms, latest_ms;
	struct run at_start_min, at_latest;
	int first, last;   /* slot borders from start_min to latest start, none if last < first */
	int top;           /* the last border that is looked at: behind `last` lie those that the deadline forbids */
	int top_inside;    /* the last border from which a run ends within the horizon */
	bool latest_apart; /* latest start is a candidate of its own */
	int64_t whole;     /* the duration in slots, and what is over */
	double part_ms;
	bool needs_carbon; /* an unknown value makes a run incomparable */
	bool blind;        /* nothing that has weight is known anywhere */
	double k[N_SIGNALS], fill[N_SIGNALS];
	double constant, delay_per_ms, noise;
	bool broke_limit; /* some candidate broke a user's limit */
	bool broke_hard;  /* some candidate is known to break a hard limit */

	/* The region at hand, see search_enter(). */
	int region;
	const struct planner_columns *columns;
	double region_constant; /* what stands in for signals that it knows nothing of */
	bool checked;           /* candidates can fail */
	bool scarce;            /* power is not sure to be there */

	double fixed_for;                 /* the region constant in: */
	double fixed[SEARCH_MAX_BORDERS]; /* of a start at border i: constants and delay term */
	int full[PLANNER_MAX_SLOTS + 1]; /* in the region at hand: the first slot from i on without room for this job */
};

static inline int64_t search_border_ms(const struct search *s, int slot)
{
	return s->signals->first_slot_ms + slot * s->signals->slot_ms;
}

void search_init(struct search *s, const struct planner_round *round, const struct planner_job *job);
/* Every function below and all that look at candidates work in the region entered last. */
void search_enter(struct search *s, int region);
/* Of starting at run->start_ms; INFINITY when it cannot be compared. */
static inline double search_objective(const struct search *s, const struct run *run)
{
	double slot_ms = (double)s->signals->slot_ms;
	double v = s->constant + s->delay_per_ms * (double)(run->start_ms - s->job->earliest_ms) + s->region_constant;

	if (s->blind || (s->needs_carbon && !run_known(&s->columns->signal[CARBON], run)))
		return INFINITY;
	for (int i = 0; i < N_SIGNALS; i++) {
		if (s->k[i] != 0)
			v += s->k[i] * run_sum(&s->columns->signal[i], slot_ms, run);
	}
	return v;
}
struct extremes {
	double least, greatest;
};

/*
 * Of starting at the borders from .. to, all of which can be compared, into v[0] .. v[to - from]; v is padded. *ret has
 * the extremes of those up to s->last, *ret_later the least of those behind it: infinite (and the greatest -INFINITY)
 * where there are none.
 */
void search_objectives(const struct search *s, int from, int to, double *v, struct extremes *ret, double *ret_later);

#endif
