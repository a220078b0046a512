/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables as data (their columns are explained in pkg/db/migrations), and the one way to write them: an upsert that
 * may be repeated, in any order, with the same result.
 *
 *  - A sample (carbon_intensity, generation_mix, demand, price, grid_stress, weather, signal) gives way to one of a
 *    more trusted kind; of the same kind, to a newer issue; of the same issue, to one fetched later.
 *  - A forecast vintage gives way to one that knows more values; with as many, to one fetched later.
 *  - A forecast's score gives way to a later one.
 *  - A compute asset or workload gives way to one updated later; first_seen_ms stays.
 *  - A schedule or provider call, once written, stays.
 */
#ifndef DB_TABLE_H
#define DB_TABLE_H

#include "db/db.h"

struct db_table {
	const char *name;
	const char *key;     /* columns of the primary key, separated by ", " */
	const char *columns; /* the others */
	const char *time;    /* the column that retention goes by */
	const char *newer;   /* when excluded.* replaces the row, old.*; NULL = never */
	const char *once;    /* a column that keeps its first value; NULL = none */
};

extern const struct db_table db_carbon_intensity, db_generation_mix, db_demand, db_price, db_grid_stress, db_weather,
	db_signal, db_forecast_vintage, db_forecast_score, db_compute_asset, db_workload, db_schedule, db_provider_call;
/* All of them, ending with NULL. */
extern const struct db_table *const db_tables[];
/* NULL when there is none of that name. */
const struct db_table *db_table_find(struct str name);

/*
 * Writes n_rows rows, each with its values in the order of `key`, then `columns`. All or nothing, as db_exec_many().
 * *ret_changed (may be NULL): rows that are new or replaced another. For carbon_intensity, say:
 *
 *	struct db_value row[] = { DB_I64(zone), DB_I64(source), DB_I64(start_ms), DB_I64(SLOT_MS), DB_I64(kind),
 *				  DB_I64(issued_ms), DB_I64(fetched_ms), DB_I64(0), DB_I64(mg_per_kwh) };
 *	db_upsert(db, &db_carbon_intensity, row, 1, NULL, err)
 */
int db_upsert(struct db *db, const struct db_table *table, const struct db_value *values, size_t n_rows,
	      int64_t *ret_changed, struct error *err) must_check;
/* How many values a row has. */
size_t db_table_width(const struct db_table *table);

/* ---- the two small tables that samples refer to ---- */

/* The id of a zone; a name that is new makes one, shown by that name, in UTC. name: a DNS name, as of GridRegions. */
int db_zone_id(struct db *db, struct str name, int64_t *ret, struct error *err) must_check;

/* Empty strings = not known. */
struct db_source {
	struct str provider;
	struct str product;    /* which of its series, a tariff's code for example */
	struct str accounting; /* average | marginal */
	struct str scope;      /* direct | lifecycle */
	struct str boundary;   /* production | consumption */
	struct str resolution; /* national | regional | zone */
};
/* The id of a source, made if it is new. ERR_INVALID for another word in one of the last four. */
int db_source_id(struct db *db, const struct db_source *source, int64_t *ret, struct error *err) must_check;

#endif
