/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gradient boosting of small regression trees on squared error, with histograms (as in Ke et al. 2017, LightGBM, and
 * Friedman 2001): features are cut into at most TREES_BINS bins of equal counts, trees grow level by level, each on a
 * sample of the rows and of the features. Deterministic for a seed. A NAN feature counts as the smallest value.
 *
 * Fit O(rounds * n * p * depth) time, n * p bytes and rounds * 2^depth nodes of memory; a prediction rounds * depth
 * steps. A fit is used by one thread at a time, a fitted model by any.
 */
#ifndef FORECAST_TREES_H
#define FORECAST_TREES_H

#include <stdint.h>

#include "base/cleanup.h"

#define TREES_BINS 64
#define TREES_MAX_DEPTH 8
#define TREES_MAX_FEATURES 256

struct trees_options {
	int rounds;
	int depth; /* levels of splits, at most TREES_MAX_DEPTH */
	double rate;
	int min_leaf;         /* rows */
	double leaf_penalty;  /* added to a leaf's row count: shrinks its value */
	double row_share;     /* of the rows for each tree */
	double feature_share; /* of the features for each tree */
	uint64_t seed;
};

struct trees;

/* n rows of p features, row after row, and their targets; n >= 1. Free with trees_free(), which accepts NULL. */
struct trees *trees_fit(const float *x, const float *y, int n, int p, const struct trees_options *options);
double trees_predict(const struct trees *t, const float *x);
void trees_free(struct trees *t);
DEFINE_CLEANUP(struct trees, trees, trees_free);

#endif
