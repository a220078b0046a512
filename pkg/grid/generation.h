/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generation by fuel and time, as answers list it row by row in any order, and what it amounts to: carbon, shares and
 * the newest mix. A time counts only when it has every fuel that at least half of the times have: a report without its
 * gas is greener than the grid (providers.md 11.1). One thread at a time.
 *
 *	grid_generation_init(&g, a, HOUR_MS);
 *	grid_generation_add(&g, a, ms, HOUR_MS, STR("NG"), 5120);	(for each row)
 *	grid_generation_put(&g, a, zone);
 */
#ifndef GRID_GENERATION_H
#define GRID_GENERATION_H

#include "grid/fuel.h"

#define GRID_GENERATION_MAX_TIMES 1024
#define GRID_GENERATION_MAX_CODES 64 /* of fuels, in one answer; each is a bit */

struct grid_generation_time {
	uint64_t seen; /* codes */
	struct grid_fuel_mix mix;
};

struct grid_generation {
	int64_t start_ms, step_ms;
	int n_times, n_codes;
	struct grid_generation_time *times;
	char codes[GRID_GENERATION_MAX_CODES][24];
};

/* Of the answer's span, at most GRID_GENERATION_MAX_TIMES steps of it. */
void grid_generation_init(struct grid_generation *g, const struct grid_answer *a, int64_t step_ms);
void grid_generation_release(struct grid_generation *g);
/*
 * A fuel's MW from ms on. Counted and left out: times outside the span (SPAN) or off the steps (STEP), codes that are
 * too long or too many (TYPE), the same code twice at one time (DUPLICATE), impossible figures (RANGE).
 */
void grid_generation_add(struct grid_generation *g, struct grid_answer *a, int64_t ms, int64_t duration_ms,
			 struct str code, double mw);
/* The codes that at least half of the times have, as bits: a time without them all is not whole. */
uint64_t grid_generation_usual(const struct grid_generation *g);
/*
 * Carbon (basis average | direct | production), renewable and low-carbon share of every whole time, as estimates; the
 * newest as a moment. Others are counted as MISSING.
 */
void grid_generation_put(const struct grid_generation *g, struct grid_answer *a, const char *zone);

#endif
