/* SPDX-License-Identifier: Apache-2.0 */
/* The PostgreSQL driver: libpq, text format, single-row mode for reading, sets and pipelines for writing. */
#include <libpq-fe.h>
#include <poll.h>

#include "base/decimal.h"
#include "db/internal.h"
#include "db/rowset.h"

/* What is sent before the next sync point. */
#define PIPELINE_ROWS 256
#define PIPELINE_BYTES (1 << 20)
/* A set ends with the row that goes beyond that: texts and blobs of it, each of DB_MAX_BYTES at most. */
#define SET_BYTES (PIPELINE_BYTES + (size_t)DB_MAX_VALUES * DB_MAX_BYTES)
/* The server cancels a statement that takes too long; so much later we take the server itself for dead. */
#define GRACE_MS (5 * SECOND_MS)

struct postgres {
	struct db db;
	PGconn *conn;
	char *url;
	int64_t lock_wait_ms;
	int64_t statement_max_ms;
	bool timed_out;     /* and so without a connection */
	PGresult *row;      /* the current one of the open query */
	bool busy;          /* the open query has results left */
	struct buf blob;    /* the last db_blob(), decoded */
	unsigned next_name; /* of a prepared statement */
};

/* Names live in this struct, one for each SQL text. */
struct statement {
	char name[16];
	int n_values;
	int n_columns;
	Oid types[DB_MAX_VALUES]; /* of its values */
	char set_name[16];        /* of the one that takes arrays of them; "" = not needed yet */
};

static struct postgres *postgres_of(const struct db *db)
{
	return container_of(db, struct postgres, db);
}

static void clear_result(PGresult **r)
{
	PQclear(*r); /* NULL is fine */
}

/* ---- errors ---- */

/* SQLSTATE classes (PostgreSQL's appendix A) to what a caller can do. */
static enum error_code code_of(const char *state)
{
	static const struct {
		const char *prefix;
		enum error_code code;
	} table[] = {
		{ "55P03", ERR_CONFLICT },  /* lock not available */
		{ "40", ERR_CONFLICT },     /* deadlock, serialisation */
		{ "57014", ERR_TIMEOUT },   /* cancelled: statement timeout */
		{ "53100", ERR_LIMIT },     /* disk full */
		{ "53", ERR_UNAVAILABLE },  /* too many connections, out of memory */
		{ "54", ERR_LIMIT },        /* program limit exceeded */
		{ "57P", ERR_UNAVAILABLE }, /* shutting down, crashed, starting up */
		{ "08", ERR_UNAVAILABLE },  /* connection exception */
		{ "23", ERR_INVALID },      /* constraint */
		{ "22", ERR_INVALID },      /* a value that does not fit */
		{ "28", ERR_DENIED },       /* authorisation */
		{ "42501", ERR_DENIED },    /* privilege */
		{ "25006", ERR_DENIED },    /* read-only */
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (strncmp(state, table[i].prefix, strlen(table[i].prefix)) == 0)
			return table[i].code;
	return ERR_INTERNAL;
}

/* The first line of what libpq says. */
static int fail_text(enum error_code code, const char *what, const char *text, struct error *err)
{
	struct str line = str_trim(str_from(text));

	return error_set(err, code, "%s: %.*s", what, (int)strcspn(line.len ? line.ptr : "no reason given", "\n"),
			 line.len ? line.ptr : "no reason given");
}

/* result may be NULL. An error without SQLSTATE is libpq's own: it has no connection, whatever PQstatus() says. */
static int fail(struct postgres *p, const PGresult *result, const char *what, struct error *err)
{
	const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
	enum error_code code = state ? code_of(state) : ERR_UNAVAILABLE;
	const char *text = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;

	if (p->timed_out)
		return error_set(err, ERR_TIMEOUT, "%s: no answer from PostgreSQL", what);
	return fail_text(code, what, text ? text : PQerrorMessage(p->conn), err);
}

static bool is_good(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

/* ---- answers ---- */

/*
 * PQgetResult() that gives up: a server that stopped, or a network that swallows everything, must not hold the thread
 * for ever. Then the connection is gone (NULL, which libpq takes everywhere).
 */
static PGresult *next_result(struct postgres *p)
{
	int64_t until_ms = clock_mono_ms() + p->statement_max_ms + GRACE_MS;

	while (PQisBusy(p->conn)) {
		short unsent = PQflush(p->conn) > 0 ? POLLOUT : 0;
		struct pollfd fd = { .fd = PQsocket(p->conn), .events = (short)(POLLIN | unsent) };
		int ready = poll(&fd, 1, (int)CLAMP(until_ms - clock_mono_ms(), 0, HOUR_MS));

		if (ready == 0) {
			PQfinish(p->conn);
			p->conn = NULL;
			p->timed_out = true;
			return NULL;
		}
		if (ready > 0 && !PQconsumeInput(p->conn))
			break;
	}
	return PQgetResult(p->conn);
}

/* The last answer to what was sent, or the first that is an error; NULL when it could not be sent. */
static PGresult *answer(struct postgres *p, int sent)
{
	PGresult *result = NULL, *next;

	while (sent && (next = next_result(p))) {
		if (result && !is_good(result)) {
			PQclear(next);
			continue;
		}
		PQclear(result);
		result = next;
	}
	return result;
}

/* ---- the connection ---- */

static int postgres_script(struct db *db, const char *sql, struct error *err);

static int set_up(struct postgres *p, struct error *err)
{
	_cleanup_free_ char *settings =
		xasprintf("SET statement_timeout = %d; SET lock_timeout = %d; SET bytea_output = 'hex';"
			  "SET idle_in_transaction_session_timeout = %d; SET client_min_messages = 'warning'",
			  (int)p->statement_max_ms, (int)MAX(p->lock_wait_ms, 1), DB_STATEMENT_MAX_MS);

	return postgres_script(&p->db, settings, err);
}

static void ignore_notice(void *arg, const PGresult *result)
{
	(void)arg;
	(void)result;
}

/* The defaults come before the URL, which may say otherwise; after it comes what it may not. */
static int connect_now(struct postgres *p, struct error *err)
{
	_cleanup_free_ char *timeout = xasprintf("%d", DB_CONNECT_MAX_S);
	const char *names[] = { "connect_timeout",      "fallback_application_name",
				"target_session_attrs", "keepalives_idle",
				"keepalives_interval",  "keepalives_count",
				"tcp_user_timeout",     "dbname",
				"client_encoding",      NULL };
	const char *values[] = { timeout, "loadshift", "read-write", "10", "5", "3", "30000", p->url, "UTF8", NULL };

	PQfinish(p->conn);
	db_forget_statements(&p->db);
	p->timed_out = false;
	p->conn = PQconnectdbParams(names, values, 1);
	if (PQstatus(p->conn) != CONNECTION_OK) {
		/* Before there is a session libpq gives no SQLSTATE, only the text. */
		const char *text = PQerrorMessage(p->conn);
		bool denied = strstr(text, "authentication") || strstr(text, "pg_hba") ||
			      strstr(text, "no password supplied") || strstr(text, "does not exist");

		return fail_text(denied ? ERR_DENIED : ERR_UNAVAILABLE, "connect to PostgreSQL", text, err);
	}
	(void)PQsetnonblocking(p->conn, 1);
	(void)PQsetNoticeReceiver(p->conn, ignore_notice, NULL);
	return set_up(p, err);
}

static int postgres_reconnect(struct db *db, struct error *err)
{
	return connect_now(postgres_of(db), err);
}

static void postgres_close(struct db *db)
{
	struct postgres *p = postgres_of(db);

	PQfinish(p->conn);
	buf_release(&p->blob);
	free(p->url);
	free(p);
}

static int postgres_script(struct db *db, const char *sql, struct error *err)
{
	struct postgres *p = postgres_of(db);
	_cleanup_(buf_release) struct buf text = BUF_INIT(DB_MAX_SQL);

	if (db_to_postgres(sql, &text, err))
		return -1;
	_cleanup_(clear_result) PGresult *result = answer(p, PQsendQuery(p->conn, buf_cstr(&text)));
	return is_good(result) ? 0 : fail(p, result, "SQL script", err);
}

static int postgres_set_patience(struct db *db, int64_t lock_ms, int64_t statement_ms, struct error *err)
{
	struct postgres *p = postgres_of(db);

	p->lock_wait_ms = lock_ms;
	p->statement_max_ms = statement_ms;
	return set_up(p, err);
}

/* ---- statements ---- */

/* Here only: on the server it goes with the connection, or with all others. */
static void postgres_forget(struct db *db, void *statement)
{
	(void)db;
	free(statement);
}

static int prepare(struct postgres *p, const char *sql, size_t n_values, struct statement **ret, struct error *err)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT(DB_MAX_SQL);
	struct statement *s = db_statement(&p->db, sql);

	if (!s) {
		char name[16];

		if (db_to_postgres(sql, &text, err))
			return -1;
		if (p->db.statements.len == DB_MAX_STATEMENTS && postgres_script(&p->db, "DEALLOCATE ALL", err))
			return -1;
		(void)snprintf(name, sizeof(name), "s%u", p->next_name++);
		_cleanup_(clear_result) PGresult *made =
			answer(p, PQsendPrepare(p->conn, name, buf_cstr(&text), 0, NULL));
		if (!is_good(made))
			return fail(p, made, "SQL", err);
		_cleanup_(clear_result) PGresult *described = answer(p, PQsendDescribePrepared(p->conn, name));
		if (!is_good(described))
			return fail(p, described, "SQL", err);
		s = xcalloc(1, sizeof(*s));
		(void)str_copy(s->name, sizeof(s->name), str_from(name));
		s->n_values = PQnparams(described);
		s->n_columns = PQnfields(described);
		for (int i = 0; i < MIN(s->n_values, DB_MAX_VALUES); i++)
			s->types[i] = PQparamtype(described, i);
		db_keep_statement(&p->db, sql, s);
	}
	if (s->n_values != (int)n_values)
		return error_set(err, ERR_INTERNAL, "SQL has %d parameters, %zu were given", s->n_values, n_values);
	*ret = s;
	return 0;
}

/* One statement's values as libpq wants them: numbers as text, blobs in binary. */
struct bound {
	const char *ptr[DB_MAX_VALUES];
	int len[DB_MAX_VALUES];
	int format[DB_MAX_VALUES];
	char number[DB_MAX_VALUES][32];
	struct buf copies; /* of texts, which libpq wants NUL-terminated */
};

static void bind(struct bound *b, const struct db_value *values, size_t n)
{
	size_t bytes = 0, at = 0;

	for (size_t i = 0; i < n; i++)
		bytes += values[i].type == DB_TYPE_TEXT ? values[i].str.len + 1 : 0;
	buf_reset(&b->copies);
	/* At most DB_MAX_VALUES texts of DB_MAX_BYTES: it cannot overflow. */
	(void)buf_reserve(&b->copies, bytes);
	for (size_t i = 0; i < n; i++) {
		const struct db_value *v = &values[i];

		b->ptr[i] = NULL;
		b->len[i] = 0;
		b->format[i] = v->type == DB_TYPE_BLOB;
		if (v->type == DB_TYPE_I64) {
			(void)snprintf(b->number[i], sizeof(b->number[i]), "%" PRId64, v->i64);
			b->ptr[i] = b->number[i];
		} else if (v->type == DB_TYPE_DOUBLE) {
			(void)snprintf(b->number[i], sizeof(b->number[i]), "%.17g", v->dbl);
			b->ptr[i] = b->number[i];
		} else if (v->type == DB_TYPE_TEXT && v->str.ptr) {
			b->ptr[i] = b->copies.ptr + at;
			memcpy(b->copies.ptr + at, v->str.ptr, v->str.len);
			at += v->str.len;
			b->copies.ptr[at++] = '\0';
			b->copies.len = at;
		} else if (v->type == DB_TYPE_BLOB && v->str.ptr) {
			b->ptr[i] = v->str.ptr;
			b->len[i] = (int)v->str.len;
		}
	}
}

static void bound_release(struct bound *b)
{
	buf_release(&b->copies);
}

static int exec_one(struct postgres *p, const struct statement *s, const struct db_value *values, size_t n,
		    int64_t *changed, struct error *err)
{
	_cleanup_(bound_release) struct bound b = { .copies = BUF_INIT((size_t)DB_MAX_VALUES * (DB_MAX_BYTES + 1)) };

	bind(&b, values, n);
	_cleanup_(clear_result) PGresult *result =
		answer(p, PQsendQueryPrepared(p->conn, s->name, (int)n, b.ptr, b.len, b.format, 0));
	if (!is_good(result))
		return fail(p, result, "SQL", err);
	int64_t rows;
	/* "" for what changes no rows. */
	if (PQresultStatus(result) == PGRES_COMMAND_OK &&
	    str_to_i64(str_from(PQcmdTuples(result)), 0, INT64_MAX, &rows))
		*changed += rows;
	return 0;
}

/* Reads the answers up to the sync point; the first error stays in err. */
static int read_answers(struct postgres *p, size_t n, int64_t *changed, struct error *err)
{
	int result = 0;

	for (size_t i = 0; i <= n;) {
		_cleanup_(clear_result) PGresult *r = next_result(p);

		if (!r) {
			/* Ends each statement; with the connection gone there is nothing else to come. */
			if (PQstatus(p->conn) == CONNECTION_BAD)
				return result ? result : fail(p, NULL, "SQL", err);
			continue;
		}
		i++;
		ExecStatusType status = PQresultStatus(r);
		int64_t rows;
		if (status == PGRES_PIPELINE_SYNC)
			return result;
		if (!is_good(r) && status != PGRES_PIPELINE_ABORTED && result == 0)
			result = fail(p, r, "SQL", err);
		if (is_good(r) && str_to_i64(str_from(PQcmdTuples(r)), 0, INT64_MAX, &rows))
			*changed += rows;
	}
	return result ? result : error_set(err, ERR_INTERNAL, "PostgreSQL: an answer too many");
}

/* Sends rows up to a sync point and reads their answers; *ret_sent: how many rows that were. */
static int exec_pipeline(struct postgres *p, const struct statement *s, const struct db_value *values, size_t n_columns,
			 size_t n_rows, size_t *ret_sent, int64_t *changed, struct error *err)
{
	_cleanup_(bound_release) struct bound b = { .copies = BUF_INIT((size_t)DB_MAX_VALUES * (DB_MAX_BYTES + 1)) };
	size_t i = 0, bytes = 0;

	for (; i < MIN(n_rows, PIPELINE_ROWS) && bytes < PIPELINE_BYTES; i++) {
		bind(&b, values + i * n_columns, n_columns);
		for (size_t k = 0; k < n_columns; k++)
			bytes += (size_t)b.len[k];
		bytes += b.copies.len;
		if (!PQsendQueryPrepared(p->conn, s->name, (int)n_columns, b.ptr, b.len, b.format, 0))
			return fail(p, NULL, "SQL", err);
	}
	if (!PQpipelineSync(p->conn))
		return fail(p, NULL, "SQL", err);
	*ret_sent = i;
	return read_answers(p, i, changed, err);
}

/* The statement that takes a set at once. Columns of types that have no arrays here leave it without a name. */
static int prepare_set(struct postgres *p, struct statement *s, const char *sql, struct error *err)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT(DB_MAX_SQL), set = BUF_INIT(DB_MAX_SQL);
	Oid arrays[DB_MAX_VALUES];

	for (int i = 0; i < s->n_values; i++)
		if (!(arrays[i] = db_rowset_array_of(s->types[i])))
			return 0;
	if (s->set_name[0])
		return 0;
	if (db_to_postgres(sql, &text, err) || db_rowset_sql(buf_cstr(&text), &set, err))
		return -1;
	(void)snprintf(s->set_name, sizeof(s->set_name), "s%u", p->next_name++);
	_cleanup_(clear_result) PGresult *made =
		answer(p, PQsendPrepare(p->conn, s->set_name, buf_cstr(&set), s->n_values, arrays));
	return is_good(made) ? 0 : fail(p, made, "SQL", err);
}

/* Rows without a repeated key, as arrays. *ret_sent: how many; 0 = a value is not of its column's type. */
static int exec_set(struct postgres *p, const struct statement *s, const struct db_value *values, size_t n_rows,
		    size_t *ret_sent, int64_t *changed, struct error *err)
{
	_cleanup_(buf_release) struct buf bytes = BUF_INIT((size_t)DB_ROWSET_MAX * DB_MAX_VALUES * 16 + SET_BYTES);
	int len[DB_MAX_VALUES], format[DB_MAX_VALUES];
	const char *ptr[DB_MAX_VALUES];
	size_t at[DB_MAX_VALUES + 1] = { 0 };
	int64_t rows;

	*ret_sent = 0;
	for (int i = 0; i < s->n_values; i++) {
		if (!db_rowset_column(values, (size_t)s->n_values, (size_t)i, n_rows, s->types[i], &bytes))
			return 0;
		at[i + 1] = bytes.len;
	}
	if (buf_check(&bytes, "rows", err))
		return -1;
	for (int i = 0; i < s->n_values; i++) {
		ptr[i] = bytes.ptr + at[i];
		len[i] = (int)(at[i + 1] - at[i]);
		format[i] = 1;
	}
	_cleanup_(clear_result) PGresult *result =
		answer(p, PQsendQueryPrepared(p->conn, s->set_name, s->n_values, ptr, len, format, 0));
	if (!is_good(result))
		return fail(p, result, "SQL", err);
	if (str_to_i64(str_from(PQcmdTuples(result)), 0, INT64_MAX, &rows))
		*changed += rows;
	*ret_sent = n_rows;
	return 0;
}

/* Rows of a set whose texts and blobs are not too many bytes, at least one. */
static size_t within_bytes(const struct db_value *values, size_t n_columns, size_t n_rows)
{
	size_t bytes = 0, i = 0;

	for (; i < n_rows && bytes < PIPELINE_BYTES; i++)
		for (size_t k = 0; k < n_columns; k++) {
			const struct db_value *v = &values[i * n_columns + k];

			bytes += v->type == DB_TYPE_TEXT || v->type == DB_TYPE_BLOB ? v->str.len : 0;
		}
	return i;
}

/* *ret_sent: rows that went; the others are not for sets. */
static int exec_sets(struct postgres *p, struct statement *s, const char *sql, const struct db_value *values,
		     size_t n_key, size_t n_rows, size_t *ret_sent, int64_t *changed, struct error *err)
{
	size_t n_columns = (size_t)s->n_values, sent = 1;

	*ret_sent = 0;
	if (prepare_set(p, s, sql, err))
		return -1;
	while (s->set_name[0] && *ret_sent < n_rows && sent > 0) {
		const struct db_value *rest = values + *ret_sent * n_columns;
		size_t n = db_rowset_len(rest, n_columns, n_key, n_rows - *ret_sent);

		if (exec_set(p, s, rest, within_bytes(rest, n_columns, n), &sent, changed, err))
			return -1;
		*ret_sent += sent;
	}
	return 0;
}

static int postgres_exec_many(struct db *db, const char *sql, const struct db_value *values, size_t n_columns,
			      size_t n_key, size_t n_rows, int64_t *changed, struct error *err)
{
	struct postgres *p = postgres_of(db);
	struct statement *s;
	size_t sent = 0;
	int result = 0;

	if (prepare(p, sql, n_columns, &s, err))
		return -1;
	if (n_rows == 1)
		return exec_one(p, s, values, n_columns, changed, err);
	if (n_key && exec_sets(p, s, sql, values, n_key, n_rows, &sent, changed, err))
		return -1;
	if (sent == n_rows)
		return 0;
	values += sent * n_columns;
	n_rows -= sent;
	if (!PQenterPipelineMode(p->conn))
		return fail(p, NULL, "SQL", err);
	for (size_t i = 0; i < n_rows && result == 0; i += sent)
		result = exec_pipeline(p, s, values + i * n_columns, n_columns, n_rows - i, &sent, changed, err);
	(void)PQexitPipelineMode(p->conn);
	return result;
}

/* ---- rows ---- */

static int postgres_query(struct db *db, const char *sql, const struct db_value *values, size_t n, int *ret_columns,
			  struct error *err)
{
	_cleanup_(bound_release) struct bound b = { .copies = BUF_INIT((size_t)DB_MAX_VALUES * (DB_MAX_BYTES + 1)) };
	struct postgres *p = postgres_of(db);
	struct statement *s;

	if (prepare(p, sql, n, &s, err))
		return -1;
	bind(&b, values, n);
	if (!PQsendQueryPrepared(p->conn, s->name, (int)n, b.ptr, b.len, b.format, 0) || !PQsetSingleRowMode(p->conn))
		return fail(p, NULL, "SQL", err);
	p->busy = true;
	*ret_columns = s->n_columns;
	return 0;
}

static int postgres_next(struct db *db, struct error *err)
{
	struct postgres *p = postgres_of(db);

	PQclear(p->row);
	p->row = next_result(p);
	ExecStatusType status = PQresultStatus(p->row);
	if (status == PGRES_SINGLE_TUPLE)
		return 1;
	return is_good(p->row) ? 0 : fail(p, p->row, "SQL rows", err);
}

static void postgres_end_rows(struct db *db)
{
	struct postgres *p = postgres_of(db);

	PQclear(p->row);
	p->row = NULL;
	/* What is left is read and dropped: a query that is not read to its end should have a LIMIT. */
	for (PGresult *r; p->busy && (r = next_result(p));)
		PQclear(r);
	p->busy = false;
}

/* Types by their object id in PostgreSQL's pg_type.dat, which never change. */
enum {
	OID_BYTEA = 17,
	OID_INT8 = 20,
	OID_INT2 = 21,
	OID_INT4 = 23,
	OID_FLOAT4 = 700,
	OID_FLOAT8 = 701,
	OID_NUMERIC = 1700
};

/* What we have no type for reads as text. */
static enum db_type postgres_type_of(const struct db *db, int column)
{
	const PGresult *row = postgres_of(db)->row;

	if (PQgetisnull(row, 0, column))
		return DB_TYPE_NULL;
	switch (PQftype(row, column)) {
	case OID_INT8:
	case OID_INT4:
	case OID_INT2:
		return DB_TYPE_I64;
	case OID_FLOAT8:
	case OID_FLOAT4:
	case OID_NUMERIC:
		return DB_TYPE_DOUBLE;
	case OID_BYTEA:
		return DB_TYPE_BLOB;
	default:
		return DB_TYPE_TEXT;
	}
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool decode_blob(struct postgres *p, struct str text, struct str *ret)
{
	if (text.len % 2 || text.len < 2 || text.ptr[0] != '\\' || text.ptr[1] != 'x')
		return false;
	buf_reset(&p->blob);
	for (size_t i = 2; i < text.len; i += 2) {
		int high = hex_digit(text.ptr[i]), low = hex_digit(text.ptr[i + 1]);

		if (high < 0 || low < 0 || buf_addc(&p->blob, (char)(high << 4 | low)))
			return false;
	}
	*ret = buf_str(&p->blob);
	return true;
}

static bool postgres_value(struct db *db, int column, enum db_type type, struct db_value *ret)
{
	struct postgres *p = postgres_of(db);
	struct str text = str_of(PQgetvalue(p->row, 0, column), (size_t)PQgetlength(p->row, 0, column));
	enum db_type is = postgres_type_of(db, column);
	bool ok = false;

	switch (type) {
	case DB_TYPE_I64:
		/* Sums of integers come as numeric. */
		ok = (is == DB_TYPE_I64 || PQftype(p->row, column) == OID_NUMERIC) &&
		     str_to_i64(text, INT64_MIN, INT64_MAX, &ret->i64);
		break;
	case DB_TYPE_DOUBLE:
		ok = (is == DB_TYPE_I64 || is == DB_TYPE_DOUBLE) && str_to_double(text, &ret->dbl);
		break;
	case DB_TYPE_TEXT:
		ok = is == DB_TYPE_TEXT;
		ret->str = text;
		break;
	case DB_TYPE_BLOB:
		ok = is == DB_TYPE_BLOB && decode_blob(p, text, &ret->str);
		break;
	case DB_TYPE_NULL:
		break;
	}
	ret->type = ok ? type : DB_TYPE_NULL;
	return ok;
}

/* ---- transactions ---- */

static int run(struct postgres *p, const char *sql, struct error *err)
{
	_cleanup_(clear_result) PGresult *result = answer(p, PQsendQuery(p->conn, sql));

	if (!is_good(result))
		return fail(p, result, sql, err);
	/* COMMIT of a failed transaction answers ROLLBACK, and that is no error to the server. */
	if (strcmp(PQcmdStatus(result), sql) != 0)
		return error_set(err, ERR_INTERNAL, "%s: a statement of the transaction had failed", sql);
	return 0;
}

static int postgres_begin(struct db *db, struct error *err)
{
	return run(postgres_of(db), "BEGIN", err);
}

static int postgres_commit(struct db *db, struct error *err)
{
	struct postgres *p = postgres_of(db);

	if (PQstatus(p->conn) == CONNECTION_BAD)
		return error_set(err, ERR_UNAVAILABLE, "COMMIT: the connection is lost");
	if (run(p, "COMMIT", err) == 0)
		return 0;
	/* Asked, but not answered. */
	if (err->code == ERR_UNAVAILABLE)
		err->code = ERR_TIMEOUT;
	return -1;
}

static void postgres_rollback(struct db *db)
{
	struct postgres *p = postgres_of(db);

	PQclear(answer(p, PQsendQuery(p->conn, "ROLLBACK")));
}

static int postgres_size_bytes(struct db *db, int64_t *ret, struct error *err)
{
	return db_query_i64(db, "SELECT pg_database_size(current_database())", DB_NO_VALUES, ret, err);
}

const struct db_driver db_postgres_driver = {
	.close = postgres_close,
	.reconnect = postgres_reconnect,
	.set_patience = postgres_set_patience,
	.size_bytes = postgres_size_bytes,
	.script = postgres_script,
	.exec_many = postgres_exec_many,
	.query = postgres_query,
	.next = postgres_next,
	.end_rows = postgres_end_rows,
	.type_of = postgres_type_of,
	.value = postgres_value,
	.begin = postgres_begin,
	.commit = postgres_commit,
	.rollback = postgres_rollback,
	.forget = postgres_forget,
};

int db_postgres_check_url(const char *url, struct error *err)
{
	char *why = NULL;
	PQconninfoOption *parsed = PQconninfoParse(url, &why);

	/* Why it cannot be read is not shown: it quotes the URL, and so the password. */
	PQfreemem(why);
	if (!parsed)
		return error_set(err, ERR_INVALID, "database URL: libpq cannot read it as a PostgreSQL connection URI");
	PQconninfoFree(parsed);
	return 0;
}

int db_postgres_open(const char *url, struct db **ret, struct error *err)
{
	struct postgres *p = xcalloc(1, sizeof(*p));

	p->db.driver = &db_postgres_driver;
	p->url = xstrdup(url);
	p->lock_wait_ms = DB_LOCK_WAIT_MS;
	p->statement_max_ms = DB_STATEMENT_MAX_MS;
	buf_init(&p->blob, DB_MAX_BYTES);
	map_init(&p->db.statements, DB_MAX_STATEMENTS);
	if (connect_now(p, err)) {
		db_close(&p->db);
		return -1;
	}
	*ret = &p->db;
	return 0;
}
