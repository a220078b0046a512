/* SPDX-License-Identifier: Apache-2.0 */
/* The double threshold of online pause and resume. */
#include "planner/threshold.h"

#include <math.h>

#define LEAST_LOW 1e-3 /* of U */
#define HALVINGS 100

bool threshold_bounds(const double *price, int n, double *ret_low, double *ret_high)
{
	double low = INFINITY, high = -INFINITY;

	for (int i = 0; i < n; i++) {
		low = fmin(low, price[i]); /* which ignores NAN */
		high = fmax(high, price[i]);
	}
	if (low > high)
		return false;
	*ret_low = low;
	*ret_high = high;
	return true;
}

/* Right side less left side of the balance; it rises with alpha. */
static double imbalance(const struct threshold *t, double alpha)
{
	double k = t->k, g = 1 + 1 / (alpha * k);

	return (t->high * (1 - 1 / alpha) - 2 * t->cost * (1 - 1 / k + 1 / (alpha * k))) * pow(g, k) -
	       (t->high - t->low - 2 * t->cost);
}

void threshold_init(struct threshold *t, double low, double high, double cost, int k)
{
	double least = 1, most;

	*t = (struct threshold){ .low = fmax(low, high * LEAST_LOW), .high = high, .cost = cost, .alpha = 1, .k = k };
	if (high <= 0 || high - t->low - 2 * cost <= 0)
		return;
	most = 2 * high / t->low;
	for (int i = 0; i < HALVINGS; i++) {
		double alpha = (least + most) / 2;

		if (imbalance(t, alpha) < 0)
			least = alpha;
		else
			most = alpha;
	}
	t->alpha = most;
}

double threshold_price(const struct threshold *t, int i)
{
	double k = t->k, a = t->alpha, power = pow(1 + 1 / (a * k), i - 1);

	if (a <= 1)
		return INFINITY;
	return t->high * (1 - (1 - 1 / a) * power) + 2 * t->cost * (1 / (a * k) - 1 / k + 1) * power;
}

bool threshold_run(const struct threshold *t, int done, bool running, double price, int slots_left)
{
	if (done >= t->k)
		return false;
	if (slots_left <= t->k - done)
		return true;
	return price <= threshold_price(t, done + 1) - (running ? 0 : 2 * t->cost);
}
