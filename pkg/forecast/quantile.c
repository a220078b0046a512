/* SPDX-License-Identifier: Apache-2.0 */
/* Quantiles of samples. */
#include <math.h>

#include "base/alloc.h"
#include "forecast/quantile.h"

static int by_value(const void *a, const void *b)
{
	double x = ((const struct weighted *)a)->value, y = ((const struct weighted *)b)->value;

	return x < y ? -1 : x > y;
}

double quantile_weighted(struct weighted *s, int n, double p)
{
	double total = 0, below = 0, before = 0;

	qsort(s, (size_t)n, sizeof(*s), by_value);
	for (int i = 0; i < n; i++)
		total += s[i].weight;
	for (int i = 0; i < n; i++) {
		double at = (below + s[i].weight / 2) / total;

		if (at >= p)
			return i == 0 ? s[0].value
				      : s[i - 1].value + (p - before) / (at - before) * (s[i].value - s[i - 1].value);
		below += s[i].weight;
		before = at;
	}
	return s[n - 1].value;
}

double quantile(const double *values, int n, double p)
{
	_cleanup_free_ struct weighted *s = xcalloc((size_t)n, sizeof(*s));

	for (int i = 0; i < n; i++)
		s[i] = (struct weighted){ .value = values[i], .weight = 1 };
	return quantile_weighted(s, n, p);
}

double quantile_level(double p, double n)
{
	return fmin(fmax(0.5 + (p - 0.5) * (1 + 1 / n), 0), 1);
}
