/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weights that combine several forecasts of the same thing (Wolpert 1992, stacked generalisation; Breiman 1996 with
 * weights that are not negative and sum to 1, so that a mix is never outside of its members). Pure.
 */
#ifndef FORECAST_STACK_H
#define FORECAST_STACK_H

#define STACK_MAX_MEMBERS 48

/*
 * errors: n rows of m errors, one for each member. Minimises the mean square of the mix's error plus `shrink` times the
 * mean square of all members times sum of squared weights, which draws towards equal weights. No row: equal weights.
 * O(n m^2); 1 <= m <= STACK_MAX_MEMBERS.
 */
void stack_weights(const double *errors, int n, int m, double shrink, double *ret_weights);

#endif
