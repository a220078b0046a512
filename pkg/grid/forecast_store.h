/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the forecaster has of the database, and what it leaves there: the history of one source, what was forecast of
 * it, and scores. All on the db thread.
 */
#ifndef GRID_FORECAST_STORE_H
#define GRID_FORECAST_STORE_H

#include "base/arena.h"
#include "base/vec.h"
#include "db/db.h"
#include "grid/forecast_score.h"
#include "grid/own_forecast.h"

/* One metric of a provider's zone. */
struct forecast_subject {
	const struct grid_provider *provider;
	char zone[GRID_NAME_MAX]; /* the provider's name of it */
	enum grid_metric metric;
	struct grid_basis basis; /* carbon: other figures are not its history */
};

struct forecast_past {
	char zone[GRID_NAME_MAX];             /* by its name in the database */
	struct forecast_series series;        /* half hours; of carbon only what came after the fact */
	VEC(struct forecast_issue) issues[2]; /* of SCORED_PUBLISHED and SCORED_OWN */
	/* private */
	double *values;
	struct arena arena;
};

/*
 * What is known at now_ms: OWN_FORECAST_HISTORY_MS of history (and published prices ahead), and the issues of the last
 * FORECAST_SCORE_DAYS. Free with forecast_past_release(), also after an error.
 */
int forecast_past_read(struct db *db, const struct forecast_subject *s, int64_t now_ms, struct forecast_past *ret,
		       struct error *err) must_check;
void forecast_past_release(struct forecast_past *p);

/* Scores of a region's figures; in the open transaction, replacing those before. */
int forecast_store_scores(struct db *db, const char *region, const struct forecast_subject *s,
			  const struct forecast_scores *scores, int64_t now_ms, struct error *err) must_check;
/* As three vintages of grid_own_forecast_provider, in the open transaction. zone: by its name in the database. */
int forecast_store_issue(struct db *db, const char *zone, const struct forecast_subject *s,
			 const struct own_forecast *f, int64_t now_ms, struct error *err) must_check;

/* Names of the sources of scores: the provider's, "loadshift-forecast", "previous-day". */
const char *forecast_scored_name(enum forecast_scored what, const struct grid_provider *provider);

#endif
