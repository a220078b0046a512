/* SPDX-License-Identifier: Apache-2.0 */
/* Applies migrations, one transaction each, under a lock that every program takes. */
#include "db/migrate.h"

#include "crypto/hash.h"

/* Of this schema; any number that nobody else uses in the same database. */
#define ADVISORY_LOCK INT64_C(5497853301946581605)

static int lock(struct db *db, struct error *err)
{
	/* In SQLite the transaction has the write lock already. */
	if (!db_is_postgres(db))
		return 0;
	return db_exec(db, "SELECT pg_advisory_xact_lock(?)", DB_VALUES(DB_I64(ADVISORY_LOCK)), NULL, err);
}

/* Checks what was applied against our texts; how many that is. */
static int read_applied(struct db *db, const struct db_migration *steps, int n_steps, int *ret_n, struct error *err)
{
	_cleanup_(db_rows_end) struct db_rows rows = { 0 };
	int n = 0, more;

	if (db_query(db, "SELECT number, name, sha256 FROM schema_migration ORDER BY number", DB_NO_VALUES, &rows, err))
		return -1;
	while ((more = db_next(&rows, err)) > 0) {
		char hash[SHA256_HEX];
		struct str name = db_text(&rows, 1);

		n++;
		if (n > n_steps)
			return error_set(
				err, ERR_INVALID,
				"the database has migration %.*s, which this program does not know: it is older "
				"than the database; use the newer program",
				STR_FMT(name));
		if (db_i64(&rows, 0) != n || !str_is(name, steps[n - 1].name) ||
		    !str_is(db_text(&rows, 2), sha256_hex(str_from(steps[n - 1].sql), hash)))
			return error_set(
				err, ERR_INVALID,
				"migration %d of the database is %.*s with another text than %s of this program: "
				"it was made by another version; use that one or an empty database",
				n, STR_FMT(name), steps[n - 1].name);
	}
	if (more == 0)
		*ret_n = n;
	return more;
}

/* 1: one step taken, 0: nothing left to do. */
static int step(struct db *db, const struct db_migration *steps, int n_steps, struct error *err)
{
	_cleanup_(db_tx_end) struct db_tx tx = { 0 };
	char hash[SHA256_HEX];
	int n = 0;

	if (db_tx_begin(&tx, db, err) || lock(db, err) ||
	    db_script(db,
		      "CREATE TABLE IF NOT EXISTS schema_migration (number INT PRIMARY KEY, name TEXT NOT NULL, "
		      "sha256 TEXT NOT NULL) STRICT",
		      err) ||
	    read_applied(db, steps, n_steps, &n, err))
		return -1;
	if (n == n_steps)
		return db_tx_commit(&tx, err);
	if (db_script(db, steps[n].sql, err))
		return error_wrap(err, "migration %s", steps[n].name);
	if (db_exec(db, "INSERT INTO schema_migration (number, name, sha256) VALUES (?, ?, ?)",
		    DB_VALUES(DB_I64(n + 1), DB_CSTR(steps[n].name), DB_CSTR(sha256_hex(str_from(steps[n].sql), hash))),
		    NULL, err) ||
	    db_tx_commit(&tx, err))
		return -1;
	return 1;
}

int db_migrate_with(struct db *db, const struct db_migration *steps, int n_steps, int *ret_applied, struct error *err)
{
	int applied = 0, result;

	while ((result = step(db, steps, n_steps, err)) > 0)
		applied++;
	if (result < 0)
		return error_wrap(err, "database schema");
	if (ret_applied)
		*ret_applied = applied;
	return 0;
}

int db_migrate(struct db *db, int *ret_applied, struct error *err)
{
	return db_migrate_with(db, db_migrations, db_n_migrations, ret_applied, err);
}
