/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One block of running at each of the starts that lie a slot apart, from the running sums of whole series: what it
 * costs at one of them is O(1), and of all of them the least and the first are found some at a time. Pure; any thread.
 *
 * The cost is that of the slots between the block's ends, of a part of a slot its share: in slots of full power.
 * INFINITY where a slot has no value or lies outside the series.
 */
#ifndef SIM_BLOCK_H
#define SIM_BLOCK_H

#include <stdint.h>

#define BLOCK_MAX_SERIES 2

/* Values of slots as running sums, borrowed. */
struct block_series {
	double weight;      /* of the values */
	const double *sum;  /* n + 1: of the known values of slots 0 .. i - 1 */
	const int *unknown; /* n + 1: the first slot from i on without a value; n if there is none */
};

struct block {
	int n_series; /* their weighted sum counts */
	struct block_series series[BLOCK_MAX_SERIES];
	double per_start; /* what each start later costs more */
	int count;        /* starts that lie in the series, from 0 on */
	int from, to;     /* slots in which the block begins and ends, for start 0 */
	double from_part, to_part;
};

/*
 * Of those n_series series of n slots: a block of that length whose start 0 lies since_ms >= 0 after the first slot's
 * start. Of the starts there are at most max_count.
 */
void block_init(struct block *b, const struct block_series *series, int n_series, int n, int64_t since_ms,
		int64_t length_ms, int64_t slot_ms, int64_t max_count);
double block_cost(const struct block *b, int start);
/* The least of all costs; INFINITY if there is none. */
double block_least(const struct block *b);
/* By how much rounding of the running sums may tell equal costs apart. */
double block_noise(const struct block *b);
/* The first start, from that one on, that costs at most so much; -1 if there is none. */
int block_next(const struct block *b, int from, double at_most);

#endif
