/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The double threshold: whether to run now, knowing nothing of the future but the bounds of the price (any cost per
 * slot). Online pause and resume (Lechowicz et al., POMACS 2023): k slots are to be bought at prices in [L, U], each
 * start and each stop costs b. The i-th slot is bought at or under
 *
 *	threshold_i = U (1 - (1 - 1/alpha) g^(i-1)) + 2b (1/(alpha k) - 1/k + 1) g^(i-1),   g = 1 + 1/(alpha k)
 *
 * while running, at or under threshold_i - 2b while idle, and at any price once the time left is what the work needs.
 * alpha balances the two worst cases:
 *
 *	U - L - 2b = (U (1 - 1/alpha) - 2b (1 - 1/k + 1/(alpha k))) g^k
 *
 * and is the most by which it can exceed the optimum; no deterministic rule has a lower one. It is a floor under a plan
 * that a bad forecast has made, not a planner: on GB data it is worse than starting at once when L and U are those of a
 * year. So they are of the last THRESHOLD_DAYS. Pure.
 */
#ifndef PLANNER_THRESHOLD_H
#define PLANNER_THRESHOLD_H

#include "planner/planner.h"

#define THRESHOLD_DAYS 30

struct threshold {
	double low, high; /* L, U */
	double cost;      /* b */
	double alpha;     /* 1 where L = U or the costs leave nothing to wait for: it runs at once */
	int k;
};

/* Bounds from recent prices (n > 0); unknown ones are NAN. False if all are. */
bool threshold_bounds(const double *price, int n, double *ret_low, double *ret_high) must_check;
/* k >= 1. L is raised to a thousandth of U, because a ratio needs a positive price; U <= 0: runs at once. */
void threshold_init(struct threshold *t, double low, double high, double cost, int k);
/* Of the i-th slot, i = 1 .. k. */
double threshold_price(const struct threshold *t, int i);
/* Whether to run in the slot at hand: `done` slots are bought, `slots_left` are left including it. */
bool threshold_run(const struct threshold *t, int done, bool running, double price, int slots_left);

#endif
