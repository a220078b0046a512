/* SPDX-License-Identifier: Apache-2.0 */
/* Connections, values, rows, transactions, errors: the same on SQLite and PostgreSQL. */
#include "db_fixture.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <sys/wait.h>

#include "db/internal.h"

static void make_table(struct fixture *f)
{
	OK(db_script(f->db,
		     "CREATE TABLE t (id INTEGER NOT NULL, n INTEGER, x REAL, s TEXT, b BLOB, PRIMARY KEY (id)) "
		     "STRICT, WITHOUT ROWID;",
		     err));
}

/* ---- values and rows ---- */

static void values_come_back_as_they_went(void **state)
{
	static const int64_t numbers[] = { 0, 1, -1, INT32_MIN, INT64_MAX, INT64_MIN };
	static const double reals[] = { 0.1, -1e300, 5e-324, 1.0 / 3, 3.0, 123456789.123456789 };
	static const char *const texts[] = {
		"", "a", "it's \"quoted\" \\x", "\xc2\xa3 \xe2\x82\xac \xf0\x9f\x98\x80", "a\nb\tc", "?1 $1 -- /* */"
	};
	char blob[256];
	struct fixture *f = *state;
	int i = 0, more = 0;

	make_table(f);
	for (size_t k = 0; k < sizeof(blob); k++)
		blob[k] = (char)k;
	for (i = 0; i < 6; i++)
		OK(db_exec(f->db, "INSERT INTO t (id, n, x, s, b) VALUES (?, ?, ?, ?, ?)",
			   DB_VALUES(DB_I64(i), DB_I64(numbers[i]), DB_DBL(reals[i]), DB_CSTR(texts[i]),
				     DB_BLOB(str_of(blob, (size_t)i * 51))),
			   NULL, err));
	OK(db_exec(f->db, "INSERT INTO t (id, n, x, s, b) VALUES (?, ?, ?, ?, ?)",
		   DB_VALUES(DB_I64(6), DB_NULL, DB_NULL, DB_TEXT(STR_NULL), DB_BLOB(STR_NULL)), NULL, err));

	_cleanup_(db_rows_end) struct db_rows rows = { 0 };
	OK(db_query(f->db, "SELECT n, x, s, b FROM t WHERE id < ? ORDER BY id", DB_VALUES(DB_I64(6)), &rows, err));
	for (i = 0; i < 6; i++) {
		OK((more = db_next(&rows, err)) != 1);
		assert_true(db_type_of(&rows, 0) == DB_TYPE_I64 && db_type_of(&rows, 1) == DB_TYPE_DOUBLE);
		assert_true(db_type_of(&rows, 2) == DB_TYPE_TEXT && db_type_of(&rows, 3) == DB_TYPE_BLOB);
		assert_true(db_i64(&rows, 0) == numbers[i]);
		assert_true(db_dbl(&rows, 1) == reals[i]);
		assert_true(str_is(db_text(&rows, 2), texts[i]));
		assert_true(str_eq(db_blob(&rows, 3), str_of(blob, (size_t)i * 51)));
	}
	OK(db_next(&rows, err));
	OK(db_next(&rows, err)); /* closed; and again */
	OK(db_query(f->db, "SELECT n, x, s, b FROM t WHERE id = ?", DB_VALUES(DB_I64(6)), &rows, err));
	OK(db_next(&rows, err) != 1);
	for (i = 0; i < 4; i++)
		assert_true(db_is_null(&rows, i));
	assert_true(db_i64(&rows, 0) == 0 && db_text(&rows, 2).ptr == NULL && db_blob(&rows, 3).ptr == NULL);
	OK(db_next(&rows, err));
}

static void sums_and_counts_are_integers(void **state)
{
	struct fixture *f = *state;

	make_table(f);
	OK(db_script(f->db, "INSERT INTO t (id, n, x) VALUES (1, 4000000000, 1.5), (2, 5000000000, 2)", err));
	assert_int_equal(fixture_i64(f->db, "SELECT sum(n) FROM t"), 9000000000);
	assert_int_equal(fixture_i64(f->db, "SELECT count(*) FROM t"), 2);
	assert_int_equal(fixture_i64(f->db, "SELECT max(n) / 3 FROM t"), 1666666666);
	FAILS(ERR_INTERNAL, "integer", db_query_i64(f->db, "SELECT x FROM t", DB_NO_VALUES, &(int64_t){ 0 }, err));
	FAILS(ERR_INTERNAL, "integer",
	      db_query_i64(f->db, "SELECT s FROM (SELECT 'x' AS s) q", DB_NO_VALUES, &(int64_t){ 0 }, err));
	FAILS(ERR_NOT_FOUND, "no such row",
	      db_query_i64(f->db, "SELECT id FROM t WHERE id = ?", DB_VALUES(DB_I64(3)), &(int64_t){ 0 }, err));
}

static void a_wrong_column_type_is_told(void **state)
{
	struct fixture *f = *state;
	_cleanup_(db_rows_end) struct db_rows rows = { 0 };

	make_table(f);
	OK(db_script(f->db, "INSERT INTO t (id, s) VALUES (1, '12'), (2, 'x')", err));
	OK(db_query(f->db, "SELECT id, s FROM t ORDER BY id", DB_NO_VALUES, &rows, err));
	OK(db_next(&rows, err) != 1);
	assert_int_equal(db_i64(&rows, 1), 0);
	FAILS(ERR_INTERNAL, "column 2", db_next(&rows, err) >= 0 ? 0 : -1);
	OK(db_query(f->db, "SELECT id FROM t", DB_NO_VALUES, &rows, err));
	OK(db_next(&rows, err) != 1);
	assert_int_equal(db_i64(&rows, 1), 0); /* there is no such column */
	FAILS(ERR_INTERNAL, "column 2", db_next(&rows, err) >= 0 ? 0 : -1);
	assert_int_equal(fixture_i64(f->db, "SELECT count(*) FROM t"), 2);
}

static void hostile_values_are_refused(void **state)
{
	static const char insert[] = "INSERT INTO t (id, s) VALUES (?, ?)";
	struct db_value many[DB_MAX_VALUES + 1];
	struct fixture *f = *state;

	make_table(f);
	FAILS(ERR_INVALID, "value 2", db_exec(f->db, insert, DB_VALUES(DB_I64(1), DB_TEXT(STR("a\0b"))), NULL, err));
	FAILS(ERR_INVALID, "value 2", db_exec(f->db, insert, DB_VALUES(DB_I64(1), DB_CSTR("\xff")), NULL, err));
	FAILS(ERR_INVALID, "finite",
	      db_exec(f->db, "INSERT INTO t (id, x) VALUES (?, ?)", DB_VALUES(DB_I64(1), DB_DBL(NAN)), NULL, err));
	FAILS(ERR_INVALID, "finite",
	      db_exec(f->db, "INSERT INTO t (id, x) VALUES (?, ?)", DB_VALUES(DB_I64(1), DB_DBL(INFINITY)), NULL, err));
	FAILS(ERR_LIMIT, "bytes",
	      db_exec(f->db, "INSERT INTO t (id, b) VALUES (?, ?)",
		      DB_VALUES(DB_I64(1), DB_BLOB(str_of("", DB_MAX_BYTES + 1))), NULL, err));
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = DB_I64(1);
	FAILS(ERR_LIMIT, "33 SQL values", db_exec(f->db, insert, many, ARRAY_LEN(many), NULL, err));
	FAILS(ERR_INTERNAL, "2 parameters, 1 were given", db_exec(f->db, insert, DB_VALUES(DB_I64(1)), NULL, err));
	FAILS(ERR_INTERNAL, "SQL", db_exec(f->db, "SELEC 1", DB_NO_VALUES, NULL, err));
	FAILS(ERR_INTERNAL, "SQL", db_exec(f->db, "SELECT 1; SELECT 2", DB_NO_VALUES, NULL, err));
	FAILS(ERR_INVALID, "", db_exec(f->db, "INSERT INTO t (id) VALUES (?)", DB_VALUES(DB_NULL), NULL, err));
	FAILS(ERR_INVALID, "",
	      db_exec(f->db, "INSERT INTO t (id, n) VALUES (?, ?)", DB_VALUES(DB_I64(1), DB_CSTR("no number")), NULL,
		      err));
	assert_int_equal(fixture_i64(f->db, "SELECT count(*) FROM t"), 0);
}

static void a_large_blob_fits(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *large = xmalloc(DB_MAX_BYTES);
	_cleanup_(db_rows_end) struct db_rows rows = { 0 };

	make_table(f);
	memset(large, 0x5a, DB_MAX_BYTES);
	OK(db_exec(f->db, "INSERT INTO t (id, b) VALUES (1, ?)", DB_VALUES(DB_BLOB(str_of(large, DB_MAX_BYTES))), NULL,
		   err));
	OK(db_query(f->db, "SELECT b FROM t", DB_NO_VALUES, &rows, err));
	OK(db_next(&rows, err) != 1);
	assert_true(str_eq(db_blob(&rows, 0), str_of(large, DB_MAX_BYTES)));
	OK(db_next(&rows, err));
}

static void open_rows_keep_others_out(void **state)
{
	struct fixture *f = *state;
	_cleanup_(db_rows_end) struct db_rows rows = { 0 };

	make_table(f);
	OK(db_script(f->db, "INSERT INTO t (id) VALUES (1), (2), (3)", err));
	OK(db_query(f->db, "SELECT id FROM t", DB_NO_VALUES, &rows, err));
	OK(db_next(&rows, err) != 1);
	FAILS(ERR_INTERNAL, "still open", db_exec(f->db, "DELETE FROM t", DB_NO_VALUES, NULL, err));
	db_rows_end(&rows);
	db_rows_end(&rows);
	OK(db_exec(f->db, "DELETE FROM t WHERE id < ?", DB_VALUES(DB_I64(3)), &(int64_t){ 0 }, err));
	assert_int_equal(fixture_i64(f->db, "SELECT count(*) FROM t"), 1);
}

/* More texts than are kept prepared; each still gives its own answer, also a second time. */
static void many_statements(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2 * DB_MAX_STATEMENTS + 10; i++) {
		char sql[64];

		(void)snprintf(sql, sizeof(sql), "SELECT %d", i);
		assert_int_equal(fixture_i64(f->db, sql), i);
		assert_true(f->db->statements.len <= DB_MAX_STATEMENTS);
	}
	assert_int_equal(fixture_i64(f->db, "SELECT 1"), 1);
}

/* ---- writing many ---- */

static void many_rows_or_none(void **state)
{
	static const char insert[] =
		"INSERT INTO t (id, n) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET n = excluded.n "
		"WHERE t.n < excluded.n";
	enum { ROWS = 1000 };
	_cleanup_free_ struct db_value *values = xcalloc(2 * ROWS, sizeof(*values));
	struct fixture *f = *state;
	int64_t changed = -1;

	make_table(f);
	for (int i = 0; i < ROWS; i++) {
		values[2 * i] = DB_I64(i % 900); /* the last 100 meet rows of the same call */
		values[2 * i + 1] = DB_I64(i);
	}
	OK(db_exec_many(f->db, insert, values, 2, ROWS, &changed, err));
	assert_int_equal(changed, ROWS);
	OK(db_exec_many(f->db, insert, values, 2, ROWS, &changed, err));
	assert_int_equal(changed, 0 + 0);
	assert_int_equal(fixture_i64(f->db, "SELECT count(*) FROM t"), 900);
	assert_int_equal(fixture_i64(f->db, "SELECT sum(n) FROM t"), 999 * 500 - 99 * 50);
	OK(db_exec_many(f->db, insert, values, 2, 0, &changed, err));
	assert_int_equal(changed, 0);

	/* One bad row in the middle: nothing of the call stays, and the connection works on. */
	for (int bad = 0; bad < ROWS; bad += 333) {
		struct db_value was = values[2 * bad];

		values[2 * bad] = DB_NULL;
		values[2 * ROWS - 1] = DB_I64(1 << 20);
		FAILS(ERR_INVALID, "", db_exec_many(f->db, insert, values, 2, ROWS, NULL, err));
		assert_int_equal(fixture_i64(f->db, "SELECT max(n) FROM t"), 999);
		values[2 * bad] = was;
	}
	values[2 * 700] = DB_CSTR("\xff");
	FAILS(ERR_INVALID, "row 701", db_exec_many(f->db, insert, values, 2, ROWS, NULL, err));
	FAILS(ERR_LIMIT, "rows at once", db_exec_many(f->db, insert, values, 2, DB_MAX_ROWS + 1, NULL, err));
}

/* ---- transactions ---- */

static int insert_two(struct db *db, bool commit, struct error *err)
{
	_cleanup_(db_tx_end) struct db_tx tx = { 0 };

	if (db_tx_begin(&tx, db, err) || db_exec(db, "INSERT INTO t (id) VALUES (1)", DB_NO_VALUES, NULL, err) ||
	    db_exec(db, "INSERT INTO t (id) VALUES (2)", DB_NO_VALUES, NULL, err))
		return -1;
	return commit ? db_tx_commit(&tx, err) : 0;
}

static void what_is_not_committed_is_not_there(void **state)
{
	struct fixture *f = *state;

	make_table(f);
	OK(insert_two(f->db, false, err));
	assert_int_equal(fixture_i64(f->db, "SELECT count(*) FROM t"), 0);
	OK(insert_two(f->db, true, err));
	assert_int_equal(fixture_i64(f->db, "SELECT count(*) FROM t"), 2);
	FAILS(ERR_INVALID, "", insert_two(f->db, true, err)); /* the same keys */
	assert_int_equal(fixture_i64(f->db, "SELECT count(*) FROM t"), 2);

	_cleanup_(db_tx_end) struct db_tx tx = { 0 }, second = { 0 };
	OK(db_tx_begin(&tx, f->db, err));
	FAILS(ERR_INTERNAL, "open already", db_tx_begin(&second, f->db, err));
	OK(db_exec(f->db, "DELETE FROM t", DB_NO_VALUES, NULL, err));
	OK(db_reconnect(f->db, err)); /* whatever is open goes */
	FAILS(ERR_UNAVAILABLE, "gone", db_tx_commit(&tx, err));
	assert_int_equal(fixture_i64(f->db, "SELECT count(*) FROM t"), 2);
}

/* A failed statement in a transaction cannot be committed past. */
static void a_failed_statement_fails_the_transaction(void **state)
{
	struct fixture *f = *state;
	struct error err = ERROR_INIT;

	make_table(f);
	{
		_cleanup_(db_tx_end) struct db_tx tx = { 0 };
		assert_int_equal(db_tx_begin(&tx, f->db, &err), 0);
		assert_int_equal(db_exec(f->db, "INSERT INTO t (id) VALUES (1)", DB_NO_VALUES, NULL, &err), 0);
		assert_int_equal(db_exec(f->db, "INSERT INTO t (id) VALUES (1)", DB_NO_VALUES, NULL, &err), -1);
		assert_int_equal(db_tx_commit(&tx, &err), -1);
	}
	assert_int_equal(fixture_i64(f->db, "SELECT count(*) FROM t"), 0);
}

static void a_lock_of_somebody_else(void **state)
{
	struct fixture *f = *state;
	struct db *other;

	make_table(f);
	OK(db_script(f->db, "INSERT INTO t (id, n) VALUES (1, 1)", err));
	OK(db_open(f->url, &other, err));
	OK(db_set_patience(other, 100, 1000, err));
	{
		_cleanup_(db_tx_end) struct db_tx tx = { 0 };
		OK(db_tx_begin(&tx, f->db, err));
		OK(db_exec(f->db, "UPDATE t SET n = 2 WHERE id = 1", DB_NO_VALUES, NULL, err));
		int64_t begun_ms = clock_mono_ms();
		FAILS(ERR_CONFLICT, "lock", db_exec(other, "UPDATE t SET n = 3 WHERE id = 1", DB_NO_VALUES, NULL, err));
		assert_in_range(clock_mono_ms() - begun_ms, 90, 3000);
		/* Readers are not kept waiting, and see what was committed. */
		assert_int_equal(fixture_i64(other, "SELECT n FROM t"), 1);
		OK(db_tx_commit(&tx, err));
	}
	OK(db_exec(other, "UPDATE t SET n = n + 1 WHERE id = 1", DB_NO_VALUES, NULL, err));
	assert_int_equal(fixture_i64(f->db, "SELECT n FROM t"), 3);
	db_close(other);
}

/* Another process writes for a third of a second; who waits gets its turn, and both writes are there. */
static void another_process_writes(void **state)
{
	struct fixture *f = *state;
	int ready[2], status = 0;
	char byte;

	make_table(f);
	OK(db_script(f->db, "INSERT INTO t (id, n) VALUES (1, 0)", err));
	assert_int_equal(pipe(ready), 0);
	pid_t child = fork();
	if (child == 0) {
		struct error err = ERROR_INIT;
		struct db_tx tx = { 0 };
		struct db *db;

		if (db_open(f->url, &db, &err) || db_tx_begin(&tx, db, &err) ||
		    db_exec(db, "UPDATE t SET n = n + 1 WHERE id = 1", DB_NO_VALUES, NULL, &err))
			_exit(1);
		(void)!write(ready[1], "", 1);
		(void)usleep(300000);
		_exit(db_tx_commit(&tx, &err) ? 2 : 0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	int64_t begun_ms = clock_mono_ms();
	OK(db_exec(f->db, "UPDATE t SET n = n + 10 WHERE id = 1", DB_NO_VALUES, NULL, err));
	assert_in_range(clock_mono_ms() - begun_ms, 200, DB_LOCK_WAIT_MS);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(fixture_i64(f->db, "SELECT n FROM t"), 11);
	(void)close(ready[0]);
	(void)close(ready[1]);
}

/* What PostgreSQL says, and what that means to a caller. */
static void sqlstates(void **state)
{
	static const struct {
		const char *sqlstate;
		enum error_code code;
	} cases[] = {
		{ "53100", ERR_LIMIT },       { "40P01", ERR_CONFLICT },    { "40001", ERR_CONFLICT },
		{ "55P03", ERR_CONFLICT },    { "57014", ERR_TIMEOUT },     { "42501", ERR_DENIED },
		{ "25006", ERR_DENIED },      { "23505", ERR_INVALID },     { "22003", ERR_INVALID },
		{ "53300", ERR_UNAVAILABLE }, { "57P03", ERR_UNAVAILABLE }, { "08006", ERR_UNAVAILABLE },
		{ "XX000", ERR_INTERNAL },
	};
	struct fixture *f = *state;

	for (size_t i = 0; fixture_on_postgres && i < ARRAY_LEN(cases); i++) {
		_cleanup_free_ char *sql = xasprintf(
			"DO $$ BEGIN RAISE EXCEPTION 'no luck' USING ERRCODE = '%s'; END $$", cases[i].sqlstate);

		FAILS(cases[i].code, "no luck", db_script(f->db, sql, err));
	}
}

/* The statement is cancelled by the server; a server that has stopped is given up, and its connection with it. */
static void a_server_that_does_not_answer(void **state)
{
	struct fixture *f = *state;
	int64_t backend = 0;

	if (!fixture_on_postgres) /* SQLite has no server */
		return;
	make_table(f);
	OK(db_set_patience(f->db, 100, 300, err));
	FAILS(ERR_TIMEOUT, "", db_exec(f->db, "SELECT pg_sleep(20)", DB_NO_VALUES, NULL, err));
	OK(db_script(f->db, "INSERT INTO t (id) VALUES (1)", err)); /* the connection is still good */
	OK(db_query_i64(f->db, "SELECT pg_backend_pid()", DB_NO_VALUES, &backend, err));
	if (kill((pid_t)backend, SIGSTOP)) {
		assert_int_equal(errno, EPERM);
		return;
	}
	int64_t begun_ms = clock_mono_ms();
	FAILS(ERR_TIMEOUT, "no answer", db_script(f->db, "INSERT INTO t (id) VALUES (2)", err));
	assert_in_range(clock_mono_ms() - begun_ms, 5000, 9000);
	FAILS(ERR_TIMEOUT, "no answer", db_script(f->db, "INSERT INTO t (id) VALUES (3)", err));
	assert_int_equal(kill((pid_t)backend, SIGCONT), 0);
	OK(db_reconnect(f->db, err));
	OK(db_script(f->db, "INSERT INTO t (id) VALUES (4)", err));
	assert_int_equal(fixture_i64(f->db, "SELECT count(*) FROM t WHERE id IN (1, 4)"), 2);
}

/* ---- opening ---- */

static void size_is_told(void **state)
{
	struct fixture *f = *state;
	int64_t before = 0, after = 0;
	_cleanup_free_ char *large = xcalloc(1, 4 << 20);

	make_table(f);
	OK(db_size_bytes(f->db, &before, err));
	for (size_t i = 0; i < 4 << 20; i++)
		large[i] = (char)(i * i >> 7 ^ i >> 3);
	OK(db_exec(f->db, "INSERT INTO t (id, b) VALUES (1, ?)", DB_VALUES(DB_BLOB(str_of(large, 4 << 20))), NULL,
		   err));
	OK(db_size_bytes(f->db, &after, err));
	assert_true(before > 0 && after > before + (2 << 20));
}

static void bad_urls_are_refused(void **state)
{
	static const char *const bad[] = { "",
					   "sqlite://",
					   "sqlite:///",
					   "sqlite://relative.db",
					   "mysql://x",
					   "/tmp/x",
					   "postgresql://u:secret@[bad",
					   "postgresql://h/d?secret=secret" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct error err = ERROR_INIT;
		struct db *db = NULL;

		assert_int_equal(db_open(bad[i], &db, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
		assert_null(strstr(err.msg, "secret"));
		assert_null(db);
	}
}

static void what_cannot_be_opened(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *absent = xasprintf("sqlite://%s/no/folder.db", f->dir);
	_cleanup_free_ char *folder = xasprintf("sqlite://%s", f->dir);
	_cleanup_free_ char *garbage = xasprintf("%s/garbage.db", f->dir);
	_cleanup_free_ char *garbage_url = xasprintf("sqlite://%s", garbage);
	struct db *db;

	FAILS(ERR_DENIED, "folder must be there", db_open(absent, &db, err));
	FAILS(ERR_DENIED, f->dir, db_open(folder, &db, err));
	FILE *out = fopen(garbage, "w");
	for (int i = 0; i < 1000; i++)
		(void)fputs("this is no database ", out);
	(void)fclose(out);
	FAILS(ERR_INTERNAL, "no database", db_open(garbage_url, &db, err));
	FAILS(ERR_UNAVAILABLE, "connect", db_open("postgresql://localhost:1/x?connect_timeout=2", &db, err));
	if (fixture_on_postgres) {
		_cleanup_free_ char *nobody = xasprintf("%s&user=nobody_at_all", fixture_server());

		FAILS(ERR_DENIED, "does not exist", db_open(nobody, &db, err));
	}
	if (!fixture_on_postgres) {
		struct stat st;
		_cleanup_free_ char *path = xasprintf("%s/test.db", f->dir);

		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
}

/* ---- the dialect ---- */

static void dialect(void **state)
{
	static const struct {
		const char *from, *to;
	} cases[] = {
		{ "SELECT ? + ?", "SELECT $1 + $2" },
		{ "CREATE TABLE t (id INTEGER PRIMARY KEY, b BLOB, x REAL) STRICT;",
		  "CREATE TABLE t (id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, b BYTEA, x DOUBLE "
		  "PRECISION)  ;" },
		{ "(a INTEGER, PRIMARY KEY (a)) STRICT, WITHOUT ROWID", "(a BIGINT, PRIMARY KEY (a))  " },
		{ "'? INTEGER it''s' \"BLOB?\" ?", "'? INTEGER it''s' \"BLOB?\" $1" },
		{ "-- what's ?\nBLOB /* ? it's */ ?", "-- what's ?\nBYTEA /* ? it's */ $1" },
		{ "INTEGERS MY_INTEGER INTEGER_ BLOB1 1REAL STRICTLY",
		  "INTEGERS MY_INTEGER INTEGER_ BLOB1 1REAL STRICTLY" },
		{ "CAST(? AS INTEGER)", "CAST($1 AS BIGINT)" },
		{ "-- no end of line", "-- no end of line" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(buf_release) struct buf out = BUF_INIT(1000);

		OK(db_to_postgres(cases[i].from, &out, err));
		assert_string_equal(buf_cstr(&out), cases[i].to);
	}
	_cleanup_(buf_release) struct buf small = BUF_INIT(4);
	FAILS(ERR_LIMIT, "SQL", db_to_postgres("SELECT 1", &small, err));
	_cleanup_(buf_release) struct buf out = BUF_INIT(1000);
	FAILS(ERR_INVALID, "no end", db_to_postgres("SELECT 'x", &out, err));
	FAILS(ERR_INVALID, "no end", db_to_postgres("SELECT /* x", &out, err));
	FAILS(ERR_LIMIT, "parameters", db_to_postgres("?????????? ?????????? ?????????? ???", &out, err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DB_TEST(values_come_back_as_they_went),
		DB_TEST(sums_and_counts_are_integers),
		DB_TEST(a_wrong_column_type_is_told),
		DB_TEST(hostile_values_are_refused),
		DB_TEST(a_large_blob_fits),
		DB_TEST(open_rows_keep_others_out),
		DB_TEST(many_statements),
		DB_TEST(many_rows_or_none),
		DB_TEST(what_is_not_committed_is_not_there),
		DB_TEST(a_failed_statement_fails_the_transaction),
		DB_TEST(a_lock_of_somebody_else),
		DB_TEST(another_process_writes),
		DB_TEST(sqlstates),
		DB_TEST(a_server_that_does_not_answer),
		DB_TEST(size_is_told),
		DB_TEST(bad_urls_are_refused),
		DB_TEST(what_cannot_be_opened),
		DB_TEST(dialect),
	};

	return fixture_run("db", tests, ARRAY_LEN(tests));
}
