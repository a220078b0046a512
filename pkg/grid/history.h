/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Grid data in the database: what the collector's sink (grid/sink.h) and its reader of the past are made of, and typed
 * reads for everybody else. Zones are named as GridRegions are: "london", "gb" for all of Great Britain; zones of other
 * grids by their provider's name in lower case.
 *
 *	struct grid_history *h = grid_history_new(db_thread);
 *	options.sink = grid_history_sink(h);
 *	options.past = grid_history_reader(h);
 *
 * Writing never waits: rows gather in memory, and one piece of work on the db thread takes all that has gathered in one
 * transaction. While the database is away at most GRID_HISTORY_MAX_ROWS wait; what comes on top is left out and counted
 * (loadshift_grid_history_dropped_total{kind}), and comes again with the provider's next answer.
 */
#ifndef GRID_HISTORY_H
#define GRID_HISTORY_H

#include "db/thread.h"
#include "grid/sink.h"

#define GRID_HISTORY_MAX_ROWS 100000

struct grid_history;
/* The thread is borrowed, and outlives it or is freed before: grid_history_free() waits for what was queued. */
struct grid_history *grid_history_new(struct db_thread *db);
void grid_history_free(struct grid_history *h);
DEFINE_CLEANUP(struct grid_history, grid_history, grid_history_free);

/* Any thread may call it. NULL gives a sink and a reader that do nothing. */
struct grid_sink grid_history_sink(struct grid_history *h);
struct grid_history_reader grid_history_reader(struct grid_history *h);

/* The name in the database of a provider's zone. On the db thread. */
int grid_history_zone(struct db *db, const char *provider, const char *zone, char ret[GRID_NAME_MAX],
		      struct error *err) must_check;

/* ---- reads, on the db thread ---- */

/* Called for each row in order; another value than 0 ends the read and is returned. */
typedef int (*grid_sample_fn)(void *arg, const struct grid_sample *sample);

/*
 * Samples of one metric of a zone by its name in the database, from_ms <= start < to_ms, by provider and start.
 * provider NULL = all. A zone that is not known has none.
 */
int grid_history_each(struct db *db, const char *zone, enum grid_metric metric, const char *provider, int64_t from_ms,
		      int64_t to_ms, grid_sample_fn fn, void *arg, struct error *err) must_check;

/* A forecast as it was issued. */
struct grid_vintage {
	const char *provider;
	struct grid_basis basis;
	int quantile_permille; /* 500: as it was said, or the middle of one of our own */
	int64_t issued_ms, fetched_ms, start_ms, step_ms;
	int n;
	const int32_t *value; /* GRID_UNKNOWN where it said nothing; borrowed */
};
typedef int (*grid_vintage_fn)(void *arg, const struct grid_vintage *v);
/* from_ms <= issued < to_ms, by provider, issue and quantile. provider NULL = all. */
int grid_history_each_vintage(struct db *db, const char *zone, enum grid_metric metric, const char *provider,
			      int64_t from_ms, int64_t to_ms, grid_vintage_fn fn, void *arg,
			      struct error *err) must_check;

/* ---- writes by hand: for imports; on the db thread, in a transaction of their own ---- */

/* As the sink's. Zones by their names in the database when provider's zone is one already. */
int grid_history_put(struct db *db, const struct grid_sample *samples, size_t n, struct error *err) must_check;
/* Forecasts in half hours; in the open transaction. The zone by its name in the database. */
int grid_history_put_vintages(struct db *db, const char *zone, enum grid_metric metric, const struct grid_vintage *v,
			      size_t n, struct error *err) must_check;

#endif
