/* SPDX-License-Identifier: Apache-2.0 */
/* Starts of jobs of unknown length. */
#include "planner/length.h"

#include <assert.h>
#include <math.h>

#include "base/alloc.h"

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

void length_points_from_runs(struct length_points *ret, const int64_t *duration_ms, int n)
{
	_cleanup_free_ int64_t *sorted = xmalloc((size_t)n * sizeof(*sorted));
	int points = MIN(n, LENGTH_MAX_POINTS);

	memcpy(sorted, duration_ms, (size_t)n * sizeof(*sorted));
	qsort(sorted, (size_t)n, sizeof(*sorted), compare);
	ret->n = points;
	for (int i = 0; i < points; i++) {
		ret->duration_ms[i] = sorted[((int64_t)i * 2 + 1) * n / (2 * points)];
		ret->probability[i] = 1.0 / points;
	}
}

int64_t length_quantile(const struct length_points *p, double probability)
{
	double sum = 0;

	for (int i = 0; i < p->n; i++) {
		sum += p->probability[i];
		if (sum >= probability - 1e-9)
			return p->duration_ms[i];
	}
	return p->duration_ms[p->n - 1];
}

double length_mean_ms(const struct length_points *p)
{
	double sum = 0;

	for (int i = 0; i < p->n; i++)
		sum += p->probability[i] * (double)p->duration_ms[i];
	return sum;
}

static double expected_cost(const struct slot_sums *sums, const struct length_points *p, int64_t start_ms)
{
	double cost = 0;

	for (int i = 0; i < p->n; i++)
		cost += p->probability[i] * slot_sums_cost(sums, start_ms, start_ms + p->duration_ms[i]);
	return cost;
}

bool length_best_start(const struct slot_sums *sums, const struct length_points *lengths, int64_t earliest_ms,
		       int64_t latest_ms, int64_t step_ms, struct length_start *ret)
{
	int64_t slot_ms = sums->slots->slot_ms, step = step_ms ? step_ms : slot_ms;
	int64_t t = step_ms ? earliest_ms + step : time_slot_floor(earliest_ms, slot_ms) + slot_ms;
	double at_once = expected_cost(sums, lengths, earliest_ms), mean_ms = length_mean_ms(lengths);
	struct length_start best = { .start_ms = earliest_ms };

	assert(lengths->n >= 1 && lengths->n <= LENGTH_MAX_POINTS && step > 0);
	if (!(at_once < INFINITY))
		return false;
	for (; t <= latest_ms && t < slots_start_ms(sums->slots, sums->slots->n); t += step) {
		double saving = at_once - expected_cost(sums, lengths, t);
		double hours = ((double)(t - earliest_ms) + mean_ms) / (double)HOUR_MS;

		if (saving / hours > best.saving_per_hour)
			best = (struct length_start){ t, saving, saving / hours };
	}
	*ret = best;
	return true;
}
