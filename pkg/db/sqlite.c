/* SPDX-License-Identifier: Apache-2.0 */
/* The SQLite driver. */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "db/internal.h"

/* The write-ahead log is cut back to this after a checkpoint. */
#define WAL_KEEP_BYTES (64 << 20)

struct sqlite {
	struct db db;
	sqlite3 *handle;
	sqlite3_stmt *rows; /* of the open query */
	char *path;
};

static struct sqlite *sqlite_of(const struct db *db)
{
	return container_of(db, struct sqlite, db);
}

static int fail(struct sqlite *s, int code, const char *what, struct error *err)
{
	const char *text = s->handle ? sqlite3_errmsg(s->handle) : sqlite3_errstr(code);

	switch (code & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return error_set(err, ERR_CONFLICT, "%s: another connection holds the lock of %s", what, s->path);
	case SQLITE_FULL:
		return error_set(err, ERR_LIMIT, "%s: no room left for %s: make room on its disk", what, s->path);
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
		return error_set(err, ERR_INVALID, "%s: %s", what, text);
	case SQLITE_TOOBIG:
		return error_set(err, ERR_LIMIT, "%s: %s", what, text);
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return error_set(err, ERR_DENIED, "%s: %s: %s", what, s->path, text);
	case SQLITE_CANTOPEN:
		return error_set(err, ERR_DENIED, "%s: cannot open %s: its folder must be there and writable", what,
				 s->path);
	case SQLITE_INTERRUPT:
		return error_set(err, ERR_TIMEOUT, "%s: interrupted", what);
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		return error_set(err, ERR_INTERNAL, "%s: %s is damaged or no database: %s", what, s->path, text);
	default:
		return error_set(err, ERR_INTERNAL, "%s: %s", what, text);
	}
}

static int sqlite_script(struct db *db, const char *sql, struct error *err)
{
	struct sqlite *s = sqlite_of(db);
	int code = sqlite3_exec(s->handle, sql, NULL, NULL, NULL);

	return code == SQLITE_OK ? 0 : fail(s, code, "SQL script", err);
}

/* ---- statements ---- */

static int prepare(struct sqlite *s, const char *sql, sqlite3_stmt **ret, struct error *err)
{
	sqlite3_stmt *stmt = db_statement(&s->db, sql);
	const char *tail = NULL;

	if (!stmt) {
		int code = sqlite3_prepare_v3(s->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, &tail);

		if (code != SQLITE_OK)
			return fail(s, code, "SQL", err);
		if (!stmt || tail[strspn(tail, " \t\n;")] != '\0') {
			(void)sqlite3_finalize(stmt);
			return error_set(err, ERR_INTERNAL, "SQL: must be one statement");
		}
		db_keep_statement(&s->db, sql, stmt);
	}
	*ret = stmt;
	return 0;
}

/* keep: SQLITE_STATIC when the memory lives until clear(), else SQLITE_TRANSIENT. */
static int bind_value(sqlite3_stmt *stmt, int at, const struct db_value *v, sqlite3_destructor_type keep)
{
	switch (v->type) {
	case DB_TYPE_I64:
		return sqlite3_bind_int64(stmt, at, v->i64);
	case DB_TYPE_DOUBLE:
		return sqlite3_bind_double(stmt, at, v->dbl);
	case DB_TYPE_TEXT:
		return sqlite3_bind_text64(stmt, at, v->str.ptr, v->str.len, keep, SQLITE_UTF8);
	case DB_TYPE_BLOB:
		return sqlite3_bind_blob64(stmt, at, v->str.ptr, v->str.len, keep);
	case DB_TYPE_NULL:
		break;
	}
	return sqlite3_bind_null(stmt, at);
}

static int bind(struct sqlite *s, sqlite3_stmt *stmt, const struct db_value *values, size_t n,
		sqlite3_destructor_type keep, struct error *err)
{
	int wanted = sqlite3_bind_parameter_count(stmt);

	if (wanted != (int)n)
		return error_set(err, ERR_INTERNAL, "SQL has %d parameters, %zu were given", wanted, n);
	for (size_t i = 0; i < n; i++) {
		int code = bind_value(stmt, (int)i + 1, &values[i], keep);

		if (code != SQLITE_OK)
			return fail(s, code, "SQL value", err);
	}
	return 0;
}

static void clear(sqlite3_stmt *stmt)
{
	(void)sqlite3_reset(stmt);
	(void)sqlite3_clear_bindings(stmt);
}

static int sqlite_exec_many(struct db *db, const char *sql, const struct db_value *values, size_t n_columns,
			    size_t n_key, size_t n_rows, int64_t *changed, struct error *err)
{
	struct sqlite *s = sqlite_of(db);
	sqlite3_stmt *stmt;
	int result = 0;

	(void)n_key; /* a row at a time is fast here */
	if (prepare(s, sql, &stmt, err))
		return -1;
	for (size_t i = 0; i < n_rows && result == 0; i++) {
		int code = SQLITE_ROW;
		int64_t before = sqlite3_total_changes64(s->handle);

		result = bind(s, stmt, values + i * n_columns, n_columns, SQLITE_STATIC, err);
		while (result == 0 && code == SQLITE_ROW)
			code = sqlite3_step(stmt);
		if (result == 0 && code != SQLITE_DONE)
			result = fail(s, code, "SQL", err);
		*changed += sqlite3_total_changes64(s->handle) - before;
		(void)sqlite3_reset(stmt);
	}
	clear(stmt);
	return result;
}

static int sqlite_query(struct db *db, const char *sql, const struct db_value *values, size_t n, int *ret_columns,
			struct error *err)
{
	struct sqlite *s = sqlite_of(db);
	sqlite3_stmt *stmt;

	if (prepare(s, sql, &stmt, err))
		return -1;
	if (bind(s, stmt, values, n, SQLITE_TRANSIENT, err)) {
		clear(stmt);
		return -1;
	}
	s->rows = stmt;
	*ret_columns = sqlite3_column_count(stmt);
	return 0;
}

static int sqlite_next(struct db *db, struct error *err)
{
	struct sqlite *s = sqlite_of(db);
	int code = sqlite3_step(s->rows);

	if (code == SQLITE_ROW)
		return 1;
	return code == SQLITE_DONE ? 0 : fail(s, code, "SQL rows", err);
}

static void sqlite_end_rows(struct db *db)
{
	struct sqlite *s = sqlite_of(db);

	if (s->rows)
		clear(s->rows);
	s->rows = NULL;
}

static enum db_type sqlite_type_of(const struct db *db, int column)
{
	switch (sqlite3_column_type(sqlite_of(db)->rows, column)) {
	case SQLITE_INTEGER:
		return DB_TYPE_I64;
	case SQLITE_FLOAT:
		return DB_TYPE_DOUBLE;
	case SQLITE_TEXT:
		return DB_TYPE_TEXT;
	case SQLITE_BLOB:
		return DB_TYPE_BLOB;
	default:
		return DB_TYPE_NULL;
	}
}

static bool sqlite_value(struct db *db, int column, enum db_type type, struct db_value *ret)
{
	sqlite3_stmt *rows = sqlite_of(db)->rows;
	enum db_type is = sqlite_type_of(db, column);

	/* Every integer is a number. */
	if (is != type && !(type == DB_TYPE_DOUBLE && is == DB_TYPE_I64))
		return false;
	ret->type = type;
	if (type == DB_TYPE_I64) {
		ret->i64 = sqlite3_column_int64(rows, column);
	} else if (type == DB_TYPE_DOUBLE) {
		ret->dbl = sqlite3_column_double(rows, column);
	} else {
		const void *p = type == DB_TYPE_TEXT ? (const void *)sqlite3_column_text(rows, column)
						     : sqlite3_column_blob(rows, column);

		/* An empty blob has no pointer, but is not NULL. */
		ret->str = str_of(p ? p : "", (size_t)sqlite3_column_bytes(rows, column));
	}
	return true;
}

static void sqlite_forget(struct db *db, void *statement)
{
	(void)db;
	(void)sqlite3_finalize(statement);
}

/* ---- transactions ---- */

static int run(struct db *db, const char *sql, struct error *err)
{
	int64_t changed = 0;

	return sqlite_exec_many(db, sql, NULL, 0, 0, 1, &changed, err);
}

static int sqlite_begin(struct db *db, struct error *err)
{
	return run(db, "BEGIN IMMEDIATE", err);
}

static int sqlite_commit(struct db *db, struct error *err)
{
	return run(db, "COMMIT", err);
}

static void sqlite_rollback(struct db *db)
{
	struct error ignored = ERROR_INIT;

	/* SQLite has done so already after some errors, a full disk among them. */
	if (!sqlite3_get_autocommit(sqlite_of(db)->handle))
		(void)!run(db, "ROLLBACK", &ignored);
}

/* ---- the connection ---- */

static void sqlite_close(struct db *db)
{
	struct sqlite *s = sqlite_of(db);

	(void)sqlite3_close_v2(s->handle);
	free(s->path);
	free(s);
}

static int sqlite_reconnect(struct db *db, struct error *err)
{
	(void)err;
	sqlite_rollback(db);
	return 0;
}

static int sqlite_set_patience(struct db *db, int64_t lock_ms, int64_t statement_ms, struct error *err)
{
	struct sqlite *s = sqlite_of(db);
	int code = sqlite3_busy_timeout(s->handle, (int)lock_ms);

	(void)statement_ms; /* there is no server that could be away */

	return code == SQLITE_OK ? 0 : fail(s, code, "busy timeout", err);
}

static int sqlite_size_bytes(struct db *db, int64_t *ret, struct error *err)
{
	struct sqlite *s = sqlite_of(db);
	_cleanup_free_ char *wal = xasprintf("%s-wal", s->path);
	struct stat st;

	if (stat(s->path, &st))
		return error_errno(err, ERR_INTERNAL, errno, "size of %s", s->path);
	int64_t bytes = st.st_size;
	if (stat(wal, &st) == 0)
		bytes += st.st_size;
	*ret = bytes;
	return 0;
}

const struct db_driver db_sqlite_driver = {
	.close = sqlite_close,
	.reconnect = sqlite_reconnect,
	.set_patience = sqlite_set_patience,
	.size_bytes = sqlite_size_bytes,
	.script = sqlite_script,
	.exec_many = sqlite_exec_many,
	.query = sqlite_query,
	.next = sqlite_next,
	.end_rows = sqlite_end_rows,
	.type_of = sqlite_type_of,
	.value = sqlite_value,
	.begin = sqlite_begin,
	.commit = sqlite_commit,
	.rollback = sqlite_rollback,
	.forget = sqlite_forget,
};

/* WAL may be refused (a network file system, say) without an error: what it is set to is what the pragma answers. */
static int set_wal(struct db *db, struct error *err)
{
	_cleanup_(db_rows_end) struct db_rows rows = { 0 };

	if (db_query(db, "PRAGMA journal_mode = WAL", DB_NO_VALUES, &rows, err) || db_next(&rows, err) < 0)
		return -1;
	if (!str_is(db_text(&rows, 0), "wal"))
		return error_set(err, ERR_INVALID,
				 "%s: its file system does not allow SQLite's WAL mode: use a local disk",
				 sqlite_of(db)->path);
	return 0;
}

static int set_up(struct sqlite *s, struct error *err)
{
	_cleanup_free_ char *pragmas = xasprintf("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
						 "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
						 "PRAGMA journal_size_limit = %d",
						 WAL_KEEP_BYTES);
	int was;

	(void)sqlite3_extended_result_codes(s->handle, 1);
	(void)sqlite3_db_config(s->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, &was);
	(void)sqlite3_limit(s->handle, SQLITE_LIMIT_LENGTH, DB_MAX_BYTES + 65536);
	(void)sqlite3_limit(s->handle, SQLITE_LIMIT_SQL_LENGTH, DB_MAX_SQL);
	(void)sqlite3_limit(s->handle, SQLITE_LIMIT_ATTACHED, 0);
	if (sqlite_set_patience(&s->db, DB_LOCK_WAIT_MS, DB_STATEMENT_MAX_MS, err) || set_wal(&s->db, err))
		return -1;
	return sqlite_script(&s->db, pragmas, err);
}

/*
 * Made here for its mode, which SQLite gives to its log and its shared memory as well. A file that is there is not
 * opened: closing it would drop the locks that another connection of this process holds on it.
 */
static int make_file(const char *path, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 && errno != EEXIST)
		return error_errno(err, errno == ENOSPC ? ERR_LIMIT : ERR_DENIED, errno,
				   "make the database %s: its folder must be there and writable", path);
	return 0;
}

int db_sqlite_open(const char *path, struct db **ret, struct error *err)
{
	if (make_file(path, err))
		return -1;
	struct sqlite *s = xcalloc(1, sizeof(*s));

	s->db.driver = &db_sqlite_driver;
	s->path = xstrdup(path);
	map_init(&s->db.statements, DB_MAX_STATEMENTS);
	int code = sqlite3_open_v2(path, &s->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (code != SQLITE_OK)
		(void)fail(s, code, "open", err);
	if (code != SQLITE_OK || set_up(s, err)) {
		db_close(&s->db);
		return -1;
	}
	*ret = &s->db;
	return 0;
}
