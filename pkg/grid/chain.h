/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fallback chain: which of a region's sources its figures of one metric come from, and how far they can be trusted.
 * Pure; any thread.
 *
 *  1. the first source, in the order of the chain, whose newest issue is at most GRID_FRESH_MS old;
 *  2. else the first whose last good data are within its age limit (grid/merge.h);
 *  3. else the first last resort that knows anything: an hour-of-week median, yearly factors;
 *  4. else the figures are unknown, whatever is left to be shown.
 *
 * Prices, once published, do not age: for them 1 and 2 are the same. The slots that the chosen source leaves out are
 * filled from the others in their order (flag FILLED), but only from those whose figures mean the same: the same basis
 * and metric, and for prices the same currency; a last resort fills nothing.
 *
 * Confidence of the choice, per mille:
 *
 *	provider's own x 0.9 for each source of the chain before it x age
 *
 * where age is 1 for an issue of at most GRID_FRESH_MS and falls in a line to 0.5 at the age limit; at least
 * GRID_CONFIDENCE_MIN. Planner and extender take the forecast's error to be 20 g/kWh x 1000 / confidence. These factors
 * are ours, until forecasts are scored.
 */
#ifndef GRID_CHAIN_H
#define GRID_CHAIN_H

#include "grid/merge.h"
#include "grid/provider.h"

#define GRID_CHAIN_MAX 8
#define GRID_FRESH_MS (2 * HOUR_MS)
#define GRID_CONFIDENCE_MIN 50

/* One source of a chain. Everything is borrowed. */
struct grid_link {
	const struct grid_provider *provider; /* NULL: there is no such provider or zone */
	const struct grid_track *track;       /* of `metric`, advanced to now or not; NULL with provider NULL */
	enum grid_metric metric;
	struct grid_basis basis; /* carbon */
	const char *currency;    /* prices; NULL = none */
};

enum grid_use {
	GRID_USE_FRESH,       /* rule 1 */
	GRID_USE_LAST_GOOD,   /* rule 2 */
	GRID_USE_LAST_RESORT, /* rule 3 */
	GRID_USE_TOO_OLD,     /* rule 4, but there is something to show: the first with data */
	GRID_USE_NOTHING,
};

struct grid_choice {
	enum grid_use use;
	int link; /* -1 = nothing */
	int32_t confidence_permille;
	unsigned filled_by; /* bit i: link i fills slots */
};

/* The running slot or a later one is known, and not too old to be acted upon. */
static inline bool grid_choice_is_usable(const struct grid_choice *c)
{
	return c->use <= GRID_USE_LAST_RESORT;
}

void grid_chain_choose(const struct grid_link *links, int n, int64_t now_ms, struct grid_choice *ret);
/* The series of the choice with its slots filled; sets ret_choice->filled_by. Only for a link that is not -1. */
void grid_chain_series(const struct grid_link *links, int n, struct grid_choice *choice, struct grid_series *ret);
/* Do their figures mean the same? */
bool grid_link_is_comparable(const struct grid_link *a, const struct grid_link *b);

#endif
