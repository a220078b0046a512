/* SPDX-License-Identifier: Apache-2.0 */
/* What holds for both databases: URLs, checks of values, rows, transactions, and the cache of prepared statements. */
#include "db/db.h"

#include <math.h>

#include "db/internal.h"

/* The path of a SQLite URL, NULL for any other. */
static const char *sqlite_path(const char *url)
{
	static const char scheme[] = "sqlite://";

	return strncmp(url, scheme, sizeof(scheme) - 1) == 0 ? url + sizeof(scheme) - 1 : NULL;
}

int db_check_url(const char *url, struct error *err)
{
	const char *path = sqlite_path(url);

	if (path && (path[0] != '/' || path[1] == '\0'))
		return error_set(err, ERR_INVALID, "database URL: write sqlite:///absolute/path");
	if (path)
		return 0;
	if (strncmp(url, "postgresql://", 13) == 0 || strncmp(url, "postgres://", 11) == 0)
		return db_postgres_check_url(url, err);
	/* The text is not shown: it may hold a password. */
	return error_set(err, ERR_INVALID, "database URL: begins with neither sqlite:// nor postgresql://");
}

int db_open(const char *url, struct db **ret, struct error *err)
{
	if (db_check_url(url, err))
		return -1;
	const char *path = sqlite_path(url);
	return path ? db_sqlite_open(path, ret, err) : db_postgres_open(url, ret, err);
}

void db_close(struct db *db)
{
	if (!db)
		return;
	if (db->rows_open)
		db->driver->end_rows(db);
	db_forget_statements(db);
	map_release(&db->statements);
	db->driver->close(db);
}

int db_reconnect(struct db *db, struct error *err)
{
	db->driver->end_rows(db);
	db->rows_open = false;
	db->in_tx = false;
	return db->driver->reconnect(db, err);
}

bool db_is_postgres(const struct db *db)
{
	return db->driver == &db_postgres_driver;
}

void db_keep_statement(struct db *db, const char *sql, void *statement)
{
	struct error ignored = ERROR_INIT;
	void *old;

	if (db->statements.len == DB_MAX_STATEMENTS)
		db_forget_statements(db);
	/* There is room: it cannot fail. */
	(void)!map_put(&db->statements, str_from(sql), statement, &old, &ignored);
}

void db_forget_statements(struct db *db)
{
	struct map_entry *e;

	for (size_t at = 0; (e = map_next(&db->statements, &at));)
		db->driver->forget(db, e->value);
	map_release(&db->statements);
	map_init(&db->statements, DB_MAX_STATEMENTS);
}

/* ---- statements ---- */

static int check_value(const struct db_value *v, size_t index, struct error *err)
{
	switch (v->type) {
	case DB_TYPE_DOUBLE:
		if (!isfinite(v->dbl))
			return error_set(err, ERR_INVALID, "SQL value %zu is not a finite number", index + 1);
		return 0;
	case DB_TYPE_TEXT:
		if (v->str.len && (memchr(v->str.ptr, '\0', v->str.len) || !str_is_utf8(v->str)))
			return error_set(err, ERR_INVALID, "SQL value %zu is not text: a NUL or bad UTF-8", index + 1);
		/* fall through */
	case DB_TYPE_BLOB:
		if (v->str.len > DB_MAX_BYTES)
			return error_set(err, ERR_LIMIT, "SQL value %zu has %zu bytes, more than %d", index + 1,
					 v->str.len, DB_MAX_BYTES);
		return 0;
	case DB_TYPE_NULL:
	case DB_TYPE_I64:
		break;
	}
	return 0;
}

static int note_failure(struct db *db)
{
	db->tx_failed = true;
	return -1;
}

static int check_call(const struct db *db, const struct db_value *values, size_t n_columns, size_t n_rows,
		      struct error *err)
{
	if (db->rows_open)
		return error_set(err, ERR_INTERNAL, "the rows of an earlier query are still open");
	if (n_columns > DB_MAX_VALUES)
		return error_set(err, ERR_LIMIT, "%zu SQL values, more than %d", n_columns, DB_MAX_VALUES);
	if (n_rows > DB_MAX_ROWS)
		return error_set(err, ERR_LIMIT, "%zu rows at once, more than %d", n_rows, DB_MAX_ROWS);
	for (size_t i = 0; i < n_columns * n_rows; i++)
		if (check_value(&values[i], i % n_columns, err))
			return n_rows > 1 ? error_wrap(err, "row %zu", i / n_columns + 1) : -1;
	return 0;
}

int db_exec(struct db *db, const char *sql, const struct db_value *values, size_t n, int64_t *ret_changed,
	    struct error *err)
{
	int64_t changed = 0;

	if (check_call(db, values, n, 1, err) || db->driver->exec_many(db, sql, values, n, 0, 1, &changed, err))
		return note_failure(db);
	if (ret_changed)
		*ret_changed = changed;
	return 0;
}

int db_exec_many(struct db *db, const char *sql, const struct db_value *values, size_t n_columns, size_t n_rows,
		 int64_t *ret_changed, struct error *err)
{
	return db_insert_many(db, sql, values, n_columns, 0, n_rows, ret_changed, err);
}

int db_insert_many(struct db *db, const char *sql, const struct db_value *values, size_t n_columns, size_t n_key,
		   size_t n_rows, int64_t *ret_changed, struct error *err)
{
	_cleanup_(db_tx_end) struct db_tx tx = { 0 };
	int64_t changed = 0;

	if (check_call(db, values, n_columns, n_rows, err))
		return -1;
	if (!db->in_tx && db_tx_begin(&tx, db, err))
		return -1;
	if (db->driver->exec_many(db, sql, values, n_columns, n_key, n_rows, &changed, err))
		return note_failure(db);
	if (tx.db && db_tx_commit(&tx, err))
		return -1;
	if (ret_changed)
		*ret_changed = changed;
	return 0;
}

int db_set_patience(struct db *db, int64_t lock_ms, int64_t statement_ms, struct error *err)
{
	if (check_call(db, NULL, 0, 0, err))
		return -1;
	return db->driver->set_patience(db, CLAMP(lock_ms, 0, HOUR_MS), CLAMP(statement_ms, 1, HOUR_MS), err);
}

int db_script(struct db *db, const char *sql, struct error *err)
{
	if (check_call(db, NULL, 0, 0, err) || db->driver->script(db, sql, err))
		return note_failure(db);
	return 0;
}

int db_size_bytes(struct db *db, int64_t *ret, struct error *err)
{
	if (check_call(db, NULL, 0, 0, err))
		return -1;
	return db->driver->size_bytes(db, ret, err);
}

/* ---- rows ---- */

int db_query(struct db *db, const char *sql, const struct db_value *values, size_t n, struct db_rows *rows,
	     struct error *err)
{
	int n_columns = 0;

	if (check_call(db, values, n, 1, err) || db->driver->query(db, sql, values, n, &n_columns, err))
		return note_failure(db);
	db->rows_open = true;
	*rows = (struct db_rows){ .db = db, .n_columns = n_columns };
	return 0;
}

int db_next(struct db_rows *rows, struct error *err)
{
	int result = -1;

	if (!rows->db)
		return 0;
	if (rows->bad_column)
		error_set(err, ERR_INTERNAL, "column %d of the query is not of the type that was asked for",
			  rows->bad_column);
	else
		result = rows->db->driver->next(rows->db, err);
	if (result < 0)
		(void)note_failure(rows->db);
	if (result <= 0)
		db_rows_end(rows);
	return result;
}

void db_rows_end(struct db_rows *rows)
{
	if (!rows->db)
		return;
	if (rows->db->rows_open)
		rows->db->driver->end_rows(rows->db);
	rows->db->rows_open = false;
	rows->db = NULL;
}

enum db_type db_type_of(const struct db_rows *rows, int column)
{
	if (!rows->db || column < 0 || column >= rows->n_columns)
		return DB_TYPE_NULL;
	return rows->db->driver->type_of(rows->db, column);
}

bool db_is_null(const struct db_rows *rows, int column)
{
	return db_type_of(rows, column) == DB_TYPE_NULL;
}

static struct db_value value(struct db_rows *rows, int column, enum db_type type)
{
	struct db_value v = { .type = DB_TYPE_NULL };
	bool outside = column < 0 || column >= rows->n_columns;

	if (outside || (!db_is_null(rows, column) && !rows->db->driver->value(rows->db, column, type, &v)))
		rows->bad_column = column + 1;
	return v;
}

int64_t db_i64(struct db_rows *rows, int column)
{
	struct db_value v = value(rows, column, DB_TYPE_I64);

	return v.type == DB_TYPE_I64 ? v.i64 : 0;
}

double db_dbl(struct db_rows *rows, int column)
{
	struct db_value v = value(rows, column, DB_TYPE_DOUBLE);

	return v.type == DB_TYPE_DOUBLE ? v.dbl : 0;
}

struct str db_text(struct db_rows *rows, int column)
{
	struct db_value v = value(rows, column, DB_TYPE_TEXT);

	return v.type == DB_TYPE_TEXT ? v.str : STR_NULL;
}

struct str db_blob(struct db_rows *rows, int column)
{
	struct db_value v = value(rows, column, DB_TYPE_BLOB);

	return v.type == DB_TYPE_BLOB ? v.str : STR_NULL;
}

int db_query_i64(struct db *db, const char *sql, const struct db_value *values, size_t n, int64_t *ret,
		 struct error *err)
{
	_cleanup_(db_rows_end) struct db_rows rows = { 0 };

	if (db_query(db, sql, values, n, &rows, err))
		return -1;
	int more = db_next(&rows, err);
	if (more < 0)
		return -1;
	if (more == 0)
		return error_set(err, ERR_NOT_FOUND, "no such row");
	int64_t result = db_i64(&rows, 0);
	if (rows.bad_column)
		return error_set(err, ERR_INTERNAL, "the query does not give an integer");
	*ret = result;
	return 0;
}

/* ---- transactions ---- */

int db_tx_begin(struct db_tx *tx, struct db *db, struct error *err)
{
	if (db->in_tx)
		return error_set(err, ERR_INTERNAL, "a transaction is open already");
	if (check_call(db, NULL, 0, 0, err) || db->driver->begin(db, err))
		return -1;
	db->in_tx = true;
	db->tx_failed = false;
	tx->db = db;
	return 0;
}

int db_tx_commit(struct db_tx *tx, struct error *err)
{
	struct db *db = tx->db;

	if (!db || !db->in_tx)
		return error_set(err, ERR_UNAVAILABLE, "the transaction is gone: the connection was lost meanwhile");
	if (db->tx_failed)
		return error_set(err, ERR_INTERNAL, "commit: a statement of the transaction had failed");
	if (check_call(db, NULL, 0, 0, err) || db->driver->commit(db, err))
		return -1; /* db_tx_end() rolls back */
	db->in_tx = false;
	tx->db = NULL;
	return 0;
}

void db_tx_end(struct db_tx *tx)
{
	if (!tx->db)
		return;
	if (tx->db->in_tx) {
		tx->db->driver->end_rows(tx->db);
		tx->db->rows_open = false;
		tx->db->driver->rollback(tx->db);
	}
	tx->db->in_tx = false;
	tx->db = NULL;
}
