/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scores of forecasts, added up value by value. Means are NAN while there is nothing to divide by. Pure.
 *
 * Pinball loss at quantile q: max(q e, (q - 1) e) with e = actual - forecast, mean of p10, p50 and p90. Coverage: share
 * of actual values within p10 .. p90, ends included. MAPE leaves out values nearer to zero than SCORE_MAPE_FLOOR.
 */
#ifndef FORECAST_SCORE_H
#define FORECAST_SCORE_H

#include <stdint.h>

#define SCORE_MAPE_FLOOR 1e-6

struct score {
	int64_t n, n_relative;
	double absolute, square, relative, pinball;
	int64_t covered;
};

/* A forecast of one value only has p10 = p50 = p90. */
void score_add(struct score *s, double actual, double p10, double p50, double p90);

double score_mae(const struct score *s);
double score_rmse(const struct score *s);
double score_mape_percent(const struct score *s);
double score_pinball(const struct score *s);
double score_coverage_percent(const struct score *s);

#endif
