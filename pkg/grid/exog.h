/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forecasts of other things that a forecast of our own goes by: wind, solar, demand, weather of the area, each as it
 * was said at the time. What is used of them reaches beyond what providers publish of carbon and price; a metric that
 * was not collected for long, or is said for hours only, is left out.
 */
#ifndef GRID_EXOG_H
#define GRID_EXOG_H

#include "base/arena.h"
#include "base/vec.h"
#include "db/db.h"
#include "grid/forecast_score.h"
#include "grid/provider.h"

#define GRID_EXOG_MAX 6
#define GRID_EXOG_DAYS 365     /* at most */
#define GRID_EXOG_MIN_DAYS 100 /* less is not learnt from */
#define GRID_EXOG_SLOTS 192    /* from each issue on: four days */
#define GRID_EXOG_EVERY_MS (6 * HOUR_MS)
/* How far its newest issue must reach: beyond what is published of carbon, or, should none do so, at least ... */
#define GRID_EXOG_REACH_MS (90 * HOUR_MS)
#define GRID_EXOG_LEAST_MS (60 * HOUR_MS)

/* Metrics that tell something of carbon and prices. */
extern const enum grid_metric grid_exog_metrics[GRID_EXOG_MAX];

/* What was said of one metric, in order of issue. */
struct grid_exog_column {
	enum grid_metric metric;
	VEC(struct forecast_issue) issues;
};

/* All that was said of an area's metrics; at most one issue of each in six hours. */
struct grid_exog_past {
	struct grid_exog_column columns[GRID_EXOG_MAX];
	int n;
	/* private */
	struct arena arena;
};

/* Of one provider's zone; adds a column. On the db thread. */
int grid_exog_read(struct db *db, enum grid_metric metric, const struct grid_provider *provider, const char *zone,
		   int64_t now_ms, struct grid_exog_past *past, struct error *err) must_check;
void grid_exog_past_init(struct grid_exog_past *p);
void grid_exog_past_release(struct grid_exog_past *p);

/* What was known every six hours, and is now: rows of all columns for GRID_EXOG_SLOTS from there on. */
struct grid_exog {
	int n_columns; /* 0: nothing that helps */
	enum grid_metric metrics[GRID_EXOG_MAX];
	int n;
	int64_t *issued_ms; /* slot borders but for the last, which is now */
	double *rows;       /* [n][GRID_EXOG_SLOTS][n_columns], NAN where nothing was said */
};

/* Pure. Free with grid_exog_release(). */
void grid_exog_build(const struct grid_exog_past *past, int64_t now_ms, struct grid_exog *ret);
void grid_exog_release(struct grid_exog *e);

/* As forecast_train() reads it, for that series; `ret_vintages` has room for e->n. NULL when there is no column. */
const struct forecast_exog *grid_exog_for(const struct grid_exog *e, const struct forecast_series *s,
					  struct forecast_vintage *ret_vintages, struct forecast_exog *ret);

#endif
