/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Grid history as CSV: what `kubectl carbon data import` reads and `data export` writes. Row by row, so memory does not
 * grow with the file.
 *
 * A shape says what the columns of a kind of file mean; all but "custom" are in history_shapes. Shape "loadshift" is
 *what an export writes:
 *
 *	provider,zone,metric,start_time,duration_seconds,value,unit,kind,issued_time,fetched_time,flags,
 *	accounting,scope,boundary,resolution
 *
 * Times are RFC 3339; those of other shapes may have a blank for the T, and are UTC when they do not say. Empty values
 * are passed over and counted. Data that were made without saying when count as issued when they began, so that an
 * import never displaces what a later issue said.
 */
#ifndef GRID_HISTORY_CSV_H
#define GRID_HISTORY_CSV_H

#include "base/csv.h"
#include "grid/history.h"

#define HISTORY_MAX_COLUMNS 4
/* Samples of one transaction. */
#define HISTORY_CHUNK 4000

struct history_value {
	const char *column; /* NULL ends the list */
	enum grid_metric metric;
	double factor;     /* value x factor = the metric's unit */
	const char *scope; /* carbon: instead of the provider's; NULL = as it is */
};

struct history_shape {
	const char *name, *summary;
	const char *time_column;
	const char *issued_column; /* NULL = none */
	bool end_labelled;
	int64_t step_ms;
	const char *provider;
	const char *zone; /* NULL = the caller says */
	enum grid_kind kind;
	struct grid_basis basis;      /* of carbon; empty = as the provider's own for that zone */
	const char *estimated_column; /* "True" there makes a value estimated */
	bool wide;                    /* every other column is a zone, and values[0] says what its values are */
	struct history_value values[HISTORY_MAX_COLUMNS + 1];
};
/* Ends with a NULL name. */
extern const struct history_shape history_shapes[];
/* NULL when there is none of that name. */
const struct history_shape *history_shape_find(const char *name);

struct history_csv;
/*
 * A reader of rows in that shape; shape NULL = "loadshift". zone NULL = the shape's. Everything is borrowed.
 * ERR_INVALID: a column is missing, or the zone is not one.
 */
int history_csv_new(struct csv *csv, const struct history_shape *shape, const char *zone, int64_t fetched_ms,
		    struct history_csv **ret, struct error *err) must_check;
void history_csv_free(struct history_csv *h);
DEFINE_CLEANUP(struct history_csv, history_csv, history_csv_free);
/* The next value: 1, or 0 at the end, or -1 with file and line. Its strings live until the next call. */
int history_csv_next(struct history_csv *h, struct grid_sample *ret, struct error *err) must_check;
/* Rows without a value so far. */
int64_t history_csv_missing(const struct history_csv *h);

/*
 * All of it into the database, HISTORY_CHUNK samples at a time, each chunk all or nothing; again is the same as once.
 * *ret_n: samples that were written, also when a later row is refused. progress (may be NULL) is told of each chunk.
 */
int history_import(struct db *db, struct history_csv *h, void (*progress)(void *arg, int64_t n), void *arg,
		   int64_t *ret_n, struct error *err) must_check;

/* A header line, and a line for a sample. */
void history_csv_header(FILE *out);
void history_csv_write(FILE *out, const struct grid_sample *s);

#endif
