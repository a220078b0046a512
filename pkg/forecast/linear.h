/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ridge regression over many windows of the same rows. Rows are added to blocks (one for each fortnight, say); a fit
 * sums the normal equations of consecutive blocks and solves them by Cholesky, so that other windows and penalties cost
 * no second pass over the rows. The intercept is not penalised.
 *
 * Adding a row is O(p^2), a fit O(blocks * p^2 + p^3); memory blocks * p^2 / 2 doubles. One thread at a time.
 */
#ifndef FORECAST_LINEAR_H
#define FORECAST_LINEAR_H

#include <stdbool.h>

#include "base/cleanup.h"

#define LINEAR_MAX_FEATURES 160

struct linear;

struct linear *linear_new(int n_features, int n_blocks);
void linear_free(struct linear *l);
DEFINE_CLEANUP(struct linear, linear, linear_free);

/* Forgets all rows. */
void linear_clear(struct linear *l);
void linear_add(struct linear *l, int block, const double *x, double y);
/* Sums the blocks up for linear_solve(); returns their rows. */
int linear_gather(struct linear *l, int first_block, int n_blocks);
/*
 * Weights of the n_features and, last, the intercept, by a fit on the first n_first features only. penalty > 0 is added
 * to the diagonal for each row. False, and nothing written, when nothing is gathered or the equations cannot be solved.
 */
bool linear_solve(struct linear *l, int n_first, double penalty, double *ret_weights);

/* What weights of p features say. */
static inline double linear_value(const double *weights, const double *x, int p)
{
	double sum = weights[p];

	for (int i = 0; i < p; i++)
		sum += weights[i] * x[i];
	return sum;
}

#endif
