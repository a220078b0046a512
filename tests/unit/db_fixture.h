/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Databases for the tests of pkg/db: the same suite runs on a SQLite file and in a schema of a real PostgreSQL, each
 * test in one of its own. hack/with-postgres gives the server; without one that half says so and is skipped, which
 * in CI is a failure.
 */
#ifndef TESTS_UNIT_DB_FIXTURE_H
#define TESTS_UNIT_DB_FIXTURE_H

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "db/migrate.h"
#include "db/table.h"

struct fixture {
	struct db *db; /* open, of this test alone */
	char url[300];
	char dir[64];    /* SQLite: its folder, also for other files */
	char schema[32]; /* PostgreSQL */
};

#define OK(call)                                              \
	do {                                                  \
		struct error err_ = ERROR_INIT, *err = &err_; \
		if (call)                                     \
			fail_msg("%s: %s", #call, err_.msg);  \
	} while (0)
/* The call fails with that code; its message has that text in it. */
#define FAILS(wanted, text, call)                                                            \
	do {                                                                                 \
		struct error err_ = ERROR_INIT, *err = &err_;                                \
		if ((call) == 0)                                                             \
			fail_msg("%s should have failed", #call);                            \
		if (err_.code != (wanted) || !strstr(err_.msg, text))                        \
			fail_msg("%s: %s: %s", #call, error_code_name(err_.code), err_.msg); \
	} while (0)

static inline const char *fixture_server(void)
{
	return getenv("LOADSHIFT_TEST_POSTGRES");
}

/* Whether the suite is at its PostgreSQL half. */
static bool fixture_on_postgres;

static inline int fixture_setup(void **state)
{
	static int serial;
	struct fixture *f = xcalloc(1, sizeof(*f));

	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/loadshift-db-test.XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	if (fixture_on_postgres) {
		struct db *server;

		(void)snprintf(f->schema, sizeof(f->schema), "t%d_%d", (int)getpid(), serial++);
		_cleanup_free_ char *sql = xasprintf("CREATE SCHEMA %s", f->schema);
		OK(db_open(fixture_server(), &server, err));
		OK(db_script(server, sql, err));
		db_close(server);
		(void)snprintf(f->url, sizeof(f->url), "%s&options=-csearch_path%%3D%s", fixture_server(), f->schema);
	} else {
		(void)snprintf(f->url, sizeof(f->url), "sqlite://%s/test.db", f->dir);
	}
	OK(db_open(f->url, &f->db, err));
	*state = f;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	db_close(f->db);
	if (fixture_on_postgres) {
		struct db *server;
		_cleanup_free_ char *sql = xasprintf("DROP SCHEMA %s CASCADE", f->schema);

		OK(db_open(fixture_server(), &server, err));
		OK(db_script(server, sql, err));
		db_close(server);
	}
	_cleanup_free_ char *remove = xasprintf("rm -rf %s", f->dir);
	int status = system(remove);
	free(f);
	return status;
}

/* The suite for SQLite, then for PostgreSQL. */
static inline int fixture_run(const char *name, const struct CMUnitTest *tests, size_t n)
{
	_cleanup_free_ char *postgres = xasprintf("%s, postgresql", name);
	int failed = _cmocka_run_group_tests(name, tests, n, NULL, NULL);

	if (!fixture_server()) {
		printf("%s skipped: no LOADSHIFT_TEST_POSTGRES; run it with hack/with-postgres\n", postgres);
		return getenv("CI") ? 1 : failed;
	}
	fixture_on_postgres = true;
	return failed + _cmocka_run_group_tests(postgres, tests, n, NULL, NULL);
}

#define DB_TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

static inline int64_t fixture_i64(struct db *db, const char *sql)
{
	int64_t value = 0;

	OK(db_query_i64(db, sql, DB_NO_VALUES, &value, err));
	return value;
}

#endif
