/* SPDX-License-Identifier: Apache-2.0 */
/* Retention: what goes, what stays, where it is archived, and that no row is in two places or none. */
#include "db_fixture.h"

#include "db/retention.h"

#define NOW (20400 * DAY_MS + 5 * HOUR_MS) /* 2025-11-08T05:00Z */
#define TODAY (20400 * DAY_MS)

static void put_call(struct fixture *f, int64_t called_ms, const char *error)
{
	const struct db_value row[] = { DB_I64(called_ms), DB_CSTR("p"), DB_CSTR("rates"),
					DB_CSTR("C"),      DB_I64(120),  DB_I64(200),
					DB_CSTR("merged"), DB_I64(10),   DB_CSTR(error) };

	OK(db_upsert(f->db, &db_provider_call, row, 1, NULL, err));
}

static struct db_retention rule(struct fixture *f, const char *table, int keep_days, bool archive)
{
	struct db_retention r = { 0 };

	OK(db_retention_init(&r, str_from(table), keep_days, archive ? f->dir : NULL, err));
	return r;
}

static char *read_archive(struct fixture *f, const char *name)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", f->dir, name);
	struct buf text = BUF_INIT(1 << 20);

	OK(buf_read_file(&text, path, err));
	return buf_take(&text);
}

static bool exists(struct fixture *f, const char *name)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", f->dir, name);

	return access(path, F_OK) == 0;
}

static void bad_rules_are_refused(void **state)
{
	struct db_retention r;

	(void)state;
	FAILS(ERR_INVALID, "no table \"zone\"", db_retention_init(&r, STR("zone"), 10, NULL, err));
	FAILS(ERR_INVALID, "keepDays of price is 0", db_retention_init(&r, STR("price"), 0, NULL, err));
	FAILS(ERR_INVALID, "1 to 36500", db_retention_init(&r, STR("price"), 36501, NULL, err));
}

static void a_dry_run_counts_and_keeps(void **state)
{
	struct fixture *f = *state;
	struct db_retention r = rule(f, "provider_call", 2, true);
	struct db_retention_count count;

	OK(db_migrate(f->db, NULL, err));
	OK(db_retention_preview(f->db, &r, NOW, &count, err));
	assert_true(count.n_rows == 0 && count.n_days == 0);
	put_call(f, TODAY - 2 * DAY_MS, "");     /* the oldest that stays */
	put_call(f, TODAY - 2 * DAY_MS - 1, ""); /* the newest that goes */
	put_call(f, TODAY - 3 * DAY_MS, "");
	put_call(f, TODAY - 9 * DAY_MS, "");
	OK(db_retention_preview(f->db, &r, NOW, &count, err));
	assert_true(count.n_rows == 3 && count.n_days == 2);
	assert_int_equal(fixture_i64(f->db, "SELECT count(*) FROM provider_call"), 4);
	assert_false(exists(f, "provider_call-2025-10-30-1.csv"));

	OK(db_retention_run(f->db, &r, NOW, 1, &count, err));
	assert_true(count.n_rows == 1 && count.n_days == 1);
	OK(db_retention_run(f->db, &r, NOW, 5, &count, err));
	assert_true(count.n_rows == 2 && count.n_days == 1);
	OK(db_retention_run(f->db, &r, NOW, 5, &count, err));
	assert_true(count.n_rows == 0 && count.n_days == 0);
	assert_int_equal(fixture_i64(f->db, "SELECT min(called_ms) FROM provider_call"), TODAY - 2 * DAY_MS);
	assert_true(exists(f, "provider_call-2025-10-30-1.csv") && exists(f, "provider_call-2025-11-05-1.csv"));
}

static void files_hold_every_kind_of_value(void **state)
{
	struct fixture *f = *state;
	struct db_retention calls = rule(f, "provider_call", 1, true), vintages = rule(f, "forecast_vintage", 1, true);
	struct db_retention_count count;
	int64_t z = 0, s = 0;

	OK(db_migrate(f->db, NULL, err));
	put_call(f, TODAY - 5 * DAY_MS, "a \"quoted\", long\nerror");
	put_call(f, TODAY - 5 * DAY_MS + 1, "");
	OK(db_retention_run(f->db, &calls, NOW, 9, &count, err));
	_cleanup_free_ char *text = read_archive(f, "provider_call-2025-11-03-1.csv");
	assert_string_equal(text, "called_ms,provider,request,zone,duration_ms,http_status,outcome,n_bytes,error\n"
				  "1762128000000,p,rates,C,120,200,merged,10,\"a \"\"quoted\"\", long\nerror\"\n"
				  "1762128000001,p,rates,C,120,200,merged,10,\"\"\n");

	OK(db_zone_id(f->db, STR("london"), &z, err));
	OK(db_source_id(f->db, &(struct db_source){ .provider = STR("p") }, &s, err));
	const struct db_value row[] = {
		DB_I64(z), DB_I64(s), DB_CSTR("carbon"), DB_I64(500), DB_I64(TODAY - 3 * DAY_MS),  DB_I64(7),
		DB_I64(8), DB_I64(9), DB_I64(3),         DB_I64(3),   DB_BLOB(STR("\x00\xff\x10"))
	};
	OK(db_upsert(f->db, &db_forecast_vintage, row, 1, NULL, err));
	OK(db_retention_run(f->db, &vintages, NOW, 9, &count, err));
	_cleanup_free_ char *packed = read_archive(f, "forecast_vintage-2025-11-05-1.csv");
	assert_non_null(strstr(packed, ",carbon,500,1762300800000,7,8,9,3,3,00ff10\n"));
}

/* Rows of a day that come after it was archived; and a file left by a run that was killed before its commit. */
static void each_row_is_in_one_place(void **state)
{
	struct fixture *f = *state;
	struct db_retention r = rule(f, "provider_call", 1, true);
	struct db_retention_count count;

	OK(db_migrate(f->db, NULL, err));
	put_call(f, TODAY - 5 * DAY_MS, "first");
	_cleanup_free_ char *left = xasprintf("%s/provider_call-2025-11-03-1.csv", f->dir);
	FILE *out = fopen(left, "w");
	(void)fputs("half a file of a run that was killed\n", out);
	(void)fclose(out);
	OK(db_retention_run(f->db, &r, NOW, 9, &count, err));
	put_call(f, TODAY - 5 * DAY_MS + 9, "late");
	OK(db_retention_run(f->db, &r, NOW, 9, &count, err));
	_cleanup_free_ char *first = read_archive(f, "provider_call-2025-11-03-1.csv");
	_cleanup_free_ char *second = read_archive(f, "provider_call-2025-11-03-2.csv");
	assert_true(strstr(first, "first") && !strstr(first, "late") && !strstr(first, "killed"));
	assert_true(!strstr(second, "first") && strstr(second, "late"));
	assert_false(exists(f, "provider_call-2025-11-03-1.csv.part"));
	assert_int_equal(fixture_i64(f->db, "SELECT sum(n_rows) FROM archive_file WHERE table_name = 'provider_call'"),
			 2);
	assert_int_equal(fixture_i64(f->db, "SELECT count(*) FROM provider_call"), 0);
}

static void without_its_folder_nothing_goes(void **state)
{
	struct fixture *f = *state;
	struct db_retention r = rule(f, "provider_call", 1, true);
	struct db_retention_count count;

	OK(db_migrate(f->db, NULL, err));
	put_call(f, TODAY - 5 * DAY_MS, "");
	r.archive_dir = "/nonexistent";
	FAILS(ERR_DENIED, "/nonexistent", db_retention_run(f->db, &r, NOW, 9, &count, err));
	assert_int_equal(fixture_i64(f->db, "SELECT count(*) FROM provider_call"), 1);
	r.archive_dir = "/dev/full/x";
	FAILS(ERR_DENIED, "retention of provider_call", db_retention_run(f->db, &r, NOW, 9, &count, err));
	r.archive_dir = NULL;
	OK(db_retention_run(f->db, &r, NOW, 9, &count, err));
	assert_int_equal(fixture_i64(f->db, "SELECT count(*) FROM provider_call"), 0);
	assert_int_equal(fixture_i64(f->db, "SELECT count(*) FROM archive_file"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DB_TEST(bad_rules_are_refused),           DB_TEST(a_dry_run_counts_and_keeps),
		DB_TEST(files_hold_every_kind_of_value),  DB_TEST(each_row_is_in_one_place),
		DB_TEST(without_its_folder_nothing_goes),
	};

	return fixture_run("db_retention", tests, ARRAY_LEN(tests));
}
