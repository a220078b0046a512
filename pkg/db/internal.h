/* SPDX-License-Identifier: Apache-2.0 */
/* What db.c and the two drivers share. Each driver's connection begins with a struct db. */
#ifndef DB_INTERNAL_H
#define DB_INTERNAL_H

#include "base/alloc.h"
#include "base/map.h"
#include "db/db.h"

struct db {
	const struct db_driver *driver;
	struct map statements; /* SQL text -> the driver's prepared statement */
	bool in_tx;
	bool tx_failed; /* a statement of it; as in PostgreSQL it can then only be rolled back */
	bool rows_open;
};

/* db.c has checked the values and that no rows are open. */
struct db_driver {
	void (*close)(struct db *db);
	int (*reconnect)(struct db *db, struct error *err);
	int (*set_patience)(struct db *db, int64_t lock_ms, int64_t statement_ms, struct error *err);
	int (*size_bytes)(struct db *db, int64_t *ret, struct error *err);
	int (*script)(struct db *db, const char *sql, struct error *err);
	/* Adds to *changed. n_key: see db_insert_many(); 0 for what is none. */
	int (*exec_many)(struct db *db, const char *sql, const struct db_value *values, size_t n_columns, size_t n_key,
			 size_t n_rows, int64_t *changed, struct error *err);
	int (*query)(struct db *db, const char *sql, const struct db_value *values, size_t n, int *ret_columns,
		     struct error *err);
	int (*next)(struct db *db, struct error *err);
	void (*end_rows)(struct db *db);
	enum db_type (*type_of)(const struct db *db, int column);
	/* The value of a column that is not NULL; false when it is of another type. */
	bool (*value)(struct db *db, int column, enum db_type type, struct db_value *ret);
	int (*begin)(struct db *db, struct error *err);
	int (*commit)(struct db *db, struct error *err);
	void (*rollback)(struct db *db);
	/* Frees one prepared statement. */
	void (*forget)(struct db *db, void *statement);
};

extern const struct db_driver db_sqlite_driver, db_postgres_driver;
int db_sqlite_open(const char *path, struct db **ret, struct error *err) must_check;
int db_postgres_check_url(const char *url, struct error *err) must_check;
int db_postgres_open(const char *url, struct db **ret, struct error *err) must_check;

/* The prepared statement for a SQL text, NULL when there is none yet. */
static inline void *db_statement(const struct db *db, const char *sql)
{
	return map_get(&db->statements, str_from(sql));
}
/* Keeps one; when there are too many, the others are forgotten. */
void db_keep_statement(struct db *db, const char *sql, void *statement);
void db_forget_statements(struct db *db);

/*
 * SQLite's dialect, as far as db.h allows it, to PostgreSQL's. Text in quotes and comments stay as they are.
 * ERR_LIMIT above DB_MAX_SQL or DB_MAX_VALUES; ERR_INVALID for a quote or a comment without end. Pure.
 */
int db_to_postgres(const char *sql, struct buf *out, struct error *err) must_check;

#endif
