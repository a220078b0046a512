/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What GridRegions have said of the past, kept longer than their statuses hold it (48 h): a job that was deferred for
 * days is compared with what it would have cost when it was submitted. It is the leader's, for as long as it leads:
 * after a restart or a change of leader the past is known as far back as the statuses go. Pure.
 */
#ifndef DECIDE_MEMORY_H
#define DECIDE_MEMORY_H

#include "decide/translate.h"

/* The longest wait that plans look ahead, a run and the day after which accounts are final (decide/account.h). */
#define MEMORY_MS (16 * DAY_MS)

/* One region's. Figures of another basis, cost basis or currency are not mixed in, and replace it in the end. */
struct grid_memory {
	struct grid_basis basis;
	struct grid_recent carbon; /* its prices are NULL */
	enum cost_basis cost_basis;
	const char *currency;
	struct grid_recent price; /* its carbon and kinds are NULL */
};

/*
 * Makes the view's memory: what its regions say, and where they say nothing what the view before knew (NULL: there was
 * none). O(regions x MEMORY_MS / slot), 9 bytes a slot from the arena.
 */
void memory_make(struct grid_view *v, const struct grid_view *before, struct arena *arena);

/* What is known of a past slot of a region: by its status, else by memory; GRID_UNKNOWN if by neither. */
int32_t memory_carbon_at(const struct grid_view *v, int region, int64_t ms);
int32_t memory_price_at(const struct grid_view *v, int region, int64_t ms);
/* Whether its carbon is an outturn. */
bool memory_is_actual(const struct grid_view *v, int region, int64_t ms);

#endif
