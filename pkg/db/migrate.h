/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The database's schema, as numbered steps that only go forward: pkg/db/migrations/NNNN_name.sql, built into the
 * program. A step that was released is never edited; table schema_migration keeps the SHA-256 of each applied text.
 *
 * Each step is one transaction, under the write lock (SQLite) or an advisory lock (PostgreSQL): killed in between it
 * goes on from there, and of two programs that start at once one does the work and the other finds it done.
 */
#ifndef DB_MIGRATE_H
#define DB_MIGRATE_H

#include "db/db.h"

struct db_migration {
	const char *name; /* of the file, without .sql; its place in the list is its number, from 1 */
	const char *sql;
};

/*
 * Brings the database to the newest schema of this program; *ret_applied (may be NULL): how many steps it took.
 * ERR_INVALID, and nothing changed, when the database is newer than the program or was made from other texts.
 */
int db_migrate(struct db *db, int *ret_applied, struct error *err) must_check;
/* The same with other steps: for tests. */
int db_migrate_with(struct db *db, const struct db_migration *steps, int n_steps, int *ret_applied,
		    struct error *err) must_check;

/* Those of this program. */
extern const struct db_migration db_migrations[];
extern const int db_n_migrations;

#endif
