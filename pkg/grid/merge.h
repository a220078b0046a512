/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last good data of one metric of one zone, kept point by point: a bad or worse answer never takes away what a
 * better one gave.
 *
 *  - A slot of the future takes a value of the same or a newer issue; an older issue fills only what is unknown.
 *  - A slot that a newer issue leaves out (shorter horizon, gap, bad point) keeps its value, but no longer than the
 *    track's maximum age behind the newest issue; prices, which once published do not change, are kept.
 *  - A slot of the past takes a value of the same or a more trusted kind: actual, estimate, forecast.
 *
 * Slots older than GRID_PAST_SLOTS fall out. Plain data; whoever owns it locks.
 */
#ifndef GRID_MERGE_H
#define GRID_MERGE_H

#include "grid/sample.h"

/* Carbon and the shares that go with it: a forecast older than this is not acted upon, unless configured otherwise. */
#define GRID_MAX_AGE_MS (6 * HOUR_MS)
/* Demand, wind, weather: some are published once a day only. */
#define GRID_MAX_AGE_SLOW_MS (2 * DAY_MS)

struct grid_track {
	struct grid_series s;               /* s.issued_ms: of the newest answer merged; TIME_NONE = no data yet */
	int64_t issued_ms[GRID_SERIES_MAX]; /* of each value */
	int64_t fetched_ms;
	bool ahead;         /* some answer knew the future */
	int64_t max_age_ms; /* TIME_NONE = published once and for all: prices */
};

enum grid_verdict {
	GRID_MERGED,
	GRID_MERGED_PARTLY, /* of its span it knew less of the future than we did: shorter horizon or fewer points */
	GRID_OLDER,         /* an older issue: only the past, and what was unknown, was taken */
	GRID_NOTHING,       /* not one value in our window */
};
const char *grid_verdict_name(enum grid_verdict v);

/* Prices of any kind, which do not age. */
bool grid_metric_is_price(enum grid_metric m);

/* max_age_ms starts as the metric's default. */
void grid_track_init(struct grid_track *t, enum grid_metric metric, const char *zone);
/* Moves the window to now. */
void grid_track_advance(struct grid_track *t, int64_t now_ms);
/* advance, then merge. *ret_changed: values that are new or different. */
enum grid_verdict grid_track_merge(struct grid_track *t, const struct grid_series *answer, int64_t now_ms,
				   int64_t fetched_ms, int *ret_changed);
/* Has data to act upon: the running slot or a later one is known, and not older than max_age_ms. */
bool grid_track_is_usable(const struct grid_track *t, int64_t now_ms);
/* Unknown slots between known ones, from that time on: publication went on without them. */
int grid_track_gaps(const struct grid_track *t, int64_t from_ms);

#endif
