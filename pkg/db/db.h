/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to a SQL database: a SQLite file, or PostgreSQL through libpq, chosen by the URL. It knows SQL and
 * no grid types. A connection belongs to one thread (normally that of db/thread.h).
 *
 *	_cleanup_(db_rows_end) struct db_rows rows = { 0 };
 *	if (db_query(db, "SELECT start_ms, value FROM t WHERE zone_id = ?", DB_VALUES(DB_I64(zone)), &rows, err))
 *		return -1;
 *	int more;
 *	while ((more = db_next(&rows, err)) > 0)
 *		use(db_i64(&rows, 0), db_i64(&rows, 1));
 *	return more;
 *
 * One SQL text serves both: it is written as SQLite reads it, and for PostgreSQL `?` becomes $1, $2, ...; INTEGER, REAL
 * and BLOB become BIGINT, DOUBLE PRECISION and BYTEA; a lone INTEGER PRIMARY KEY becomes an identity column; STRICT and
 * WITHOUT ROWID go. What only one of the two understands (scalar max(), strftime(), a boolean as a value) is not used;
 * a parameter that is not compared with a column is written CAST(? AS INTEGER). A SQL text is prepared once for each
 * connection and should be a constant.
 *
 * A statement that fails fails its transaction, which can then only be rolled back. Errors, and what to do about them:
 *
 *	ERR_CONFLICT	another connection has held the lock for too long, or a deadlock: run the transaction again
 *	ERR_UNAVAILABLE	no connection, or it is lost: db_reconnect(), then run the transaction again
 *	ERR_TIMEOUT	no answer, or lost while committing: the same, but it may have been carried out (upsert!)
 *	ERR_LIMIT	the disk is full, or a bound below was reached: nothing of the transaction is there
 *	ERR_INVALID	the values break a constraint or are no SQL values (NUL or bad UTF-8 in text, NaN)
 *	ERR_DENIED	wrong password, read-only file or server
 *	ERR_INTERNAL	bad SQL, a damaged file, a column of another type than was asked for
 */
#ifndef DB_DB_H
#define DB_DB_H

#include "base/buf.h"
#include "base/clock.h"

#define DB_MAX_VALUES 32        /* parameters of a statement */
#define DB_MAX_ROWS 100000      /* of one db_exec_many() */
#define DB_MAX_BYTES (16 << 20) /* of one text or blob */
#define DB_MAX_SQL (256 << 10)  /* of one SQL text */
#define DB_MAX_STATEMENTS 256   /* kept prepared; one more and all are dropped */
#define DB_LOCK_WAIT_MS 5000    /* these two unless db_set_patience() says otherwise */
#define DB_STATEMENT_MAX_MS 120000
#define DB_CONNECT_MAX_S 5 /* PostgreSQL: for one address of the server */

struct db;

/*
 * url: `sqlite:///var/lib/loadshift/loadshift.db` (made if absent, mode 0600; its folder must be there), or
 * `postgresql://user@host:5432/name?passfile=...`, all that libpq reads. A password in the URL never gets into
 * messages. SQLite runs in WAL mode with synchronous=FULL: what was committed survives loss of power.
 */
int db_open(const char *url, struct db **ret, struct error *err) must_check;
/* Whether db_open() could do something with it; nothing is opened. ERR_INVALID, without showing the text. */
int db_check_url(const char *url, struct error *err) must_check;
/* An open transaction is rolled back. NULL is fine. */
void db_close(struct db *db);
DEFINE_CLEANUP(struct db, db_close, db_close);
/* After ERR_UNAVAILABLE or ERR_TIMEOUT: a new connection to the same place. SQLite: nothing to do. */
int db_reconnect(struct db *db, struct error *err) must_check;
/*
 * How long it waits for a lock of another connection (0 = not at all), and in PostgreSQL for a statement: then the
 * server cancels it, and a server that does not even do that is given up 5 s later.
 */
int db_set_patience(struct db *db, int64_t lock_ms, int64_t statement_ms, struct error *err) must_check;
bool db_is_postgres(const struct db *db);
/* Bytes on disk: the SQLite file with its write-ahead log, or the whole PostgreSQL database. */
int db_size_bytes(struct db *db, int64_t *ret, struct error *err) must_check;

/* ---- values ---- */

enum db_type { DB_TYPE_NULL, DB_TYPE_I64, DB_TYPE_DOUBLE, DB_TYPE_TEXT, DB_TYPE_BLOB };

/* Text and blob are borrowed; a STR_NULL of either is NULL. */
struct db_value {
	enum db_type type;
	union {
		int64_t i64;
		double dbl;
		struct str str;
	};
};

#define DB_NULL ((struct db_value){ .type = DB_TYPE_NULL })
#define DB_I64(v) ((struct db_value){ .type = DB_TYPE_I64, .i64 = (v) })
#define DB_DBL(v) ((struct db_value){ .type = DB_TYPE_DOUBLE, .dbl = (v) })
#define DB_TEXT(s) ((struct db_value){ .type = DB_TYPE_TEXT, .str = (s) })
#define DB_CSTR(s) DB_TEXT(str_from(s))
#define DB_BLOB(s) ((struct db_value){ .type = DB_TYPE_BLOB, .str = (s) })
/* Two arguments, the values and how many; DB_NO_VALUES for none. */
#define DB_VALUES(...)                              \
	((const struct db_value[]){ __VA_ARGS__ }), \
		(sizeof((struct db_value[]){ __VA_ARGS__ }) / sizeof(struct db_value))
#define DB_NO_VALUES ((const struct db_value *)NULL), ((size_t)0)

/* ---- statements ---- */

/* Without rows. *ret_changed (may be NULL): rows inserted, updated or deleted. */
int db_exec(struct db *db, const char *sql, const struct db_value *values, size_t n, int64_t *ret_changed,
	    struct error *err) must_check;
/*
 * The same statement for each of n_rows rows of n_columns values, one row behind the other: one prepared statement in
 * SQLite, a pipeline in PostgreSQL. All or nothing: in the open transaction, which then has to be rolled back, or in
 * one of its own.
 */
int db_exec_many(struct db *db, const char *sql, const struct db_value *values, size_t n_columns, size_t n_rows,
		 int64_t *ret_changed, struct error *err) must_check;
/*
 * The same, and with the same result, for an INSERT ... VALUES (?, ...) whose first n_key values are its key:
 * PostgreSQL takes runs of rows in which no key comes twice as one statement (db/rowset.h).
 */
int db_insert_many(struct db *db, const char *sql, const struct db_value *values, size_t n_columns, size_t n_key,
		   size_t n_rows, int64_t *ret_changed, struct error *err) must_check;
/* Several statements without parameters, separated by `;`. */
int db_script(struct db *db, const char *sql, struct error *err) must_check;

/* ---- rows ---- */

/* While rows are open the connection takes no other statement. */
struct db_rows {
	struct db *db; /* NULL = none open */
	/* private */
	int n_columns;
	int bad_column; /* 1 + the column that was not of the type asked for */
};

int db_query(struct db *db, const char *sql, const struct db_value *values, size_t n, struct db_rows *rows,
	     struct error *err) must_check;
/* 1: at the next row, 0: there is none, the rows are closed, -1: failed, and closed. */
int db_next(struct db_rows *rows, struct error *err) must_check;
void db_rows_end(struct db_rows *rows);

/*
 * Columns of the current row, from 0; 0, 0.0 or STR_NULL for NULL. A value of another type reads as NULL, and makes the
 * next db_next() fail. Text lives until the next db_next() or db_rows_end(), a blob also only until the next db_blob().
 */
enum db_type db_type_of(const struct db_rows *rows, int column);
bool db_is_null(const struct db_rows *rows, int column);
int64_t db_i64(struct db_rows *rows, int column);
double db_dbl(struct db_rows *rows, int column);
struct str db_text(struct db_rows *rows, int column);
struct str db_blob(struct db_rows *rows, int column);

/* First column of the first row. ERR_NOT_FOUND when there is none. */
int db_query_i64(struct db *db, const char *sql, const struct db_value *values, size_t n, int64_t *ret,
		 struct error *err) must_check;

/* ---- transactions ---- */

/*
 *	_cleanup_(db_tx_end) struct db_tx tx = { 0 };
 *	if (db_tx_begin(&tx, db, err) || ... || db_tx_commit(&tx, err))
 *		return -1;
 *
 * It takes the write lock at once (SQLite: BEGIN IMMEDIATE), so that it cannot fail half-way for want of it. Without a
 * commit it is rolled back at the end of the block. One at a time: they do not nest.
 */
struct db_tx {
	struct db *db;
};

int db_tx_begin(struct db_tx *tx, struct db *db, struct error *err) must_check;
int db_tx_commit(struct db_tx *tx, struct error *err) must_check;
void db_tx_end(struct db_tx *tx);

#endif
