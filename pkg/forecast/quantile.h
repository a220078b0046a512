/* SPDX-License-Identifier: Apache-2.0 */
/* Quantiles of samples. Pure. */
#ifndef FORECAST_QUANTILE_H
#define FORECAST_QUANTILE_H

struct weighted {
	double value;
	double weight; /* > 0 */
};

/*
 * The value below which a share p of the sample's weight lies, half of a value's own weight counting as below it;
 * linear between values, the least and the greatest beyond. Sorts the sample. n >= 1, no NAN. O(n log n).
 */
double quantile_weighted(struct weighted *sample, int n, double p);
/* All of the same weight. */
double quantile(const double *values, int n, double p);
/*
 * The level that a finite sample has to be asked for so that the next, exchangeable value lies below with probability
 * p: further out by 1 / n, n being the number of independent values (split conformal prediction: Vovk, Gammerman,
 * Shafer 2005).
 */
double quantile_level(double p, double n);

#endif
