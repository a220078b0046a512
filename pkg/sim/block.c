/* SPDX-License-Identifier: Apache-2.0 */
/* Costs of one block at successive starts. */
#include "sim/block.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "base/wide.h"

void block_init(struct block *b, const struct block_series *series, int n_series, int n, int64_t since_ms,
		int64_t length_ms, int64_t slot_ms, int64_t max_count)
{
	int64_t until_ms = since_ms + length_ms, from = since_ms / slot_ms, to = until_ms / slot_ms;

	*b = (struct block){ .n_series = n_series,
			     .from = (int)from,
			     .to = (int)to,
			     .from_part = (double)(since_ms % slot_ms) / (double)slot_ms,
			     .to_part = (double)(until_ms % slot_ms) / (double)slot_ms };
	b->count = (int)CLAMP(n - to + (b->to_part == 0), 0, max_count);
	for (int i = 0; i < n_series; i++)
		b->series[i] = series[i];
}

static inline double sum_until(const double *sum, double part)
{
	return part > 0 ? sum[0] + part * (sum[1] - sum[0]) : sum[0];
}

double block_cost(const struct block *b, int start)
{
	double cost = start * b->per_start;

	if (start >= b->count)
		return INFINITY;
	for (int i = 0; i < b->n_series; i++) {
		const struct block_series *s = &b->series[i];

		if (s->unknown[b->from + start] < b->to + start + (b->to_part > 0))
			return INFINITY;
		cost += s->weight * (sum_until(s->sum + b->to + start, b->to_part) -
				     sum_until(s->sum + b->from + start, b->from_part));
	}
	return cost;
}

_Static_assert(LANES == 4, "initialisers below have one value for each lane");
typedef double lanes __attribute__((vector_size(LANES * sizeof(double)), aligned(sizeof(double)), may_alias));

/* What LANES successive values of a running sum are, each with that part of its slot. */
WIDE_INLINE void lanes_until(const double *sum, double part, lanes *ret)
{
	*ret = *(const lanes *)sum;
	if (part > 0)
		*ret += part * (*(const lanes *)(sum + 1) - *ret);
}

/* Costs of LANES successive starts, all of whose slots have values. The same bits as block_cost(). */
WIDE_INLINE void lanes_cost(const struct block *b, int start, lanes *ret)
{
	static const lanes count = { 0, 1, 2, 3 };

	*ret = (start + count) * b->per_start;
	for (int i = 0; i < b->n_series; i++) {
		const struct block_series *s = &b->series[i];
		lanes from, to;

		lanes_until(s->sum + b->from + start, b->from_part, &from);
		lanes_until(s->sum + b->to + start, b->to_part, &to);
		*ret += s->weight * (to - from);
	}
}

static bool all_known(const struct block *b)
{
	for (int i = 0; i < b->n_series; i++)
		if (b->series[i].unknown[b->from] < b->to + b->count - 1 + (b->to_part > 0))
			return false;
	return true;
}

/* The last lanes overlap those before them where the count is no multiple. */
WIDE_VECTORS static double least_of_known(const struct block *b)
{
	lanes low = { INFINITY, INFINITY, INFINITY, INFINITY }, cost;
	double least = INFINITY;

	for (int i = 0; i < b->count; i += LANES) {
		lanes_cost(b, MIN(i, b->count - LANES), &cost);
		for (int k = 0; k < LANES; k++)
			low[k] = cost[k] < low[k] ? cost[k] : low[k];
	}
	for (int k = 0; k < LANES; k++)
		least = low[k] < least ? low[k] : least;
	return least;
}

WIDE_VECTORS static int next_of_known(const struct block *b, int from, double at_most)
{
	lanes cost;

	for (int i = from; i < b->count; i += LANES) {
		int start = MIN(i, b->count - LANES);

		lanes_cost(b, start, &cost);
		for (int k = i - start; k < LANES; k++)
			if (cost[k] <= at_most)
				return start + k;
	}
	return -1;
}

double block_least(const struct block *b)
{
	double least = INFINITY;

	if (b->count >= LANES && all_known(b))
		return least_of_known(b);
	for (int i = 0; i < b->count; i++)
		least = fmin(least, block_cost(b, i));
	return least;
}

double block_noise(const struct block *b)
{
	int last = b->from + MAX(b->count - 1, 0);
	double noise = 0;

	/* Each addition between both ends is off by half a unit in the last place of the sum so far. */
	for (int i = 0; i < b->n_series && b->count > 0; i++) {
		const struct block_series *s = &b->series[i];

		noise += fabs(s->weight) * fmax(fabs(s->sum[b->from]), fabs(s->sum[last]));
	}
	return (b->to - b->from + 2) * DBL_EPSILON * noise;
}

int block_next(const struct block *b, int from, double at_most)
{
	if (b->count >= LANES && all_known(b))
		return next_of_known(b, from, at_most);
	for (int i = from; i < b->count; i++)
		if (block_cost(b, i) <= at_most)
			return i;
	return -1;
}
