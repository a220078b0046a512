/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What GridRegions have said of the past, kept longer than their statuses hold it (48 h): a job that was deferred for
 * days is compared with what it would have cost when it was submitted. It lives as long as the program does: what came
 * before a restart is known only as far back as the statuses go. Pure.
 */
#ifndef DECIDE_MEMORY_H
#define DECIDE_MEMORY_H

#include "decide/translate.h"

/* The longest wait that plans look ahead, a run and the day after which accounts are final (decide/account.h). */
#define MEMORY_MS (16 * DAY_MS)

/* One region's. Of one basis, cost basis and currency: others are not mixed in, and replace it in the end. */
struct grid_memory {
	struct grid_basis basis;
	enum cost_basis cost_basis;
	const char *currency;
	struct grid_recent past;
};

/*
 * Makes the view's memory: what its regions say, and where they say nothing what the view before knew (NULL: there was
 * none). O(regions x MEMORY_MS / slot), 9 bytes a slot from the arena.
 */
void memory_make(struct grid_view *v, const struct grid_view *before, struct arena *arena);
/* As far back as is known of that region, with or without a memory. */
const struct grid_recent *memory_past(const struct grid_view *v, int region);

#endif
