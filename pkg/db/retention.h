/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is old goes, table by table: rows whose time (struct db_table) lies before the UTC day that began keep_days ago.
 * Where a rule says so they are first written to a CSV file of that day, `<table>-2025-03-01-1.csv`, with a header
 * line, RFC 4180 quoting, NULL as nothing, empty text as "", blobs in hex.
 *
 * A day is one transaction: its file is complete and synced before its rows are deleted, and table archive_file names
 * the file in that same transaction. Killed in between, the next run writes the same file again; rows of a day that
 * come when it is archived already go to its next part. So each row is in exactly one place. A SQLite file does not
 * shrink, its room is used again.
 */
#ifndef DB_RETENTION_H
#define DB_RETENTION_H

#include "db/table.h"

#define DB_RETENTION_MAX_DAYS 36500

struct db_retention {
	const struct db_table *table;
	int keep_days;
	const char *archive_dir; /* NULL = delete without a file */
};

/* From configuration. ERR_INVALID names the field: no such table, keep_days not in 1 .. DB_RETENTION_MAX_DAYS. */
int db_retention_init(struct db_retention *r, struct str table, int64_t keep_days, const char *archive_dir,
		      struct error *err) must_check;

struct db_retention_count {
	int64_t n_rows;
	int64_t n_days; /* that have such rows */
};

/* The dry run: what would go now. */
int db_retention_preview(struct db *db, const struct db_retention *r, int64_t now_ms, struct db_retention_count *ret,
			 struct error *err) must_check;
/*
 * Removes at most max_days days, the oldest first; *ret: what went, also when a later day failed. There is more when
 * ret->n_days == max_days: call again, so that others have their turn at the database.
 */
int db_retention_run(struct db *db, const struct db_retention *r, int64_t now_ms, int max_days,
		     struct db_retention_count *ret, struct error *err) must_check;

#endif
