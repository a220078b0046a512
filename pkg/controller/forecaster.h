/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The forecaster: carbon and prices two weeks ahead of every source that regions go by, from the history in the
 * database. A thread of its own at a low priority, only in the elected operator and only with a database.
 *
 * Each source is forecast once an hour of domain time, one at a time: its history is read on the db thread, a model is
 * trained, says its word and is forgotten, and what came true of the words before it is scored (grid/forecast_score.h).
 * The first word of every six hours is kept as vintages. It rests between passes nine times as long as one takes.
 *
 * Metrics: loadshift_forecast_error{region,metric,source,lead}, _pinball, _coverage_ratio (of our own), all of the last
 * four weeks, lead: day1, day2, day4, day7, day14; _history_days{region,metric}; _training_seconds_total.
 */
#ifndef CONTROLLER_FORECASTER_H
#define CONTROLLER_FORECASTER_H

#include "controller/collector.h"
#include "db/thread.h"
#include "grid/forecast_score.h"
#include "grid/own_forecast.h"
#include "k8s/store.h"

/* Older ones are shown no more. */
#define FORECASTER_MAX_AGE_MS DAY_MS
/* An error that is scored counts as at least so much. */
#define FORECASTER_MIN_ERROR 1000
/* Of our forecast of a source that makes none, in relation to the source's own figures, until it is scored. */
#define FORECASTER_CONFIDENCE_PERMILLE 600

struct forecaster_config {
	struct clock clock;
	struct db_thread *db;
	struct store *regions; /* of the informer, in sync */
	struct collector *collector;
	const struct grid_tariff *tariffs; /* borrowed for its life, but for their time zones, which it loads */
	size_t n_tariffs;
	/* There is news of that region. On its own thread. */
	void (*changed)(void *arg, const char *region);
	void *arg;
};

/* What it has to say of one source. */
struct forecaster_word {
	const char *reason; /* CamelCase: Trained, TooLittleHistory, NoHistory (the database did not answer) */
	struct own_forecast forecast; /* n = 0: none */
	int32_t error; /* of what the source itself says of its first day: scored; GRID_UNKNOWN: not scored enough */
	int32_t own_error; /* of ours, the same */
	/* What lies between what it says and p10, p90 of what comes, by FORECAST_BAND_SLOTS of lead. 0 = not known. */
	int n_bands;
	int32_t low[FORECAST_MAX_BANDS], high[FORECAST_MAX_BANDS];
};

/* Of a region. NULL: nothing yet. */
struct forecaster_view {
	const struct forecaster_word *carbon, *price;
};

struct forecaster;
/* ERR_INVALID, ERR_NOT_FOUND: a tariff's time zone. */
int forecaster_new(const struct forecaster_config *cfg, struct forecaster **ret, struct error *err) must_check;
int forecaster_start(struct forecaster *f, struct error *err) must_check;
/* Waits for the model in the making: seconds. No callback comes afterwards. NULL is fine. */
void forecaster_free(struct forecaster *f);
DEFINE_CLEANUP(struct forecaster, forecaster, forecaster_free);

/* A copy in the arena of the words on the sources of these picks, and on nothing else. Any thread. */
void forecaster_view(struct forecaster *f, const struct collector_view *picks, struct arena *arena,
		     struct forecaster_view *ret);

#endif
