/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The work that tests/bench/db/bench.py measures, on a database given by its URL:
 *
 *	db_bench create URL		the schema, its 14 regions, one source
 *	db_bench csv			a year of half hours of 14 regions as CSV, as the table has them
 *	db_bench load URL		the same rows by db_upsert()
 *	db_bench read URL		all of them, region by region, as the forecaster reads its history
 *	db_bench vintages URL		a year of forecasts: 48 issues a day of 96 slots, for 14 regions
 *	db_bench unpack URL		reads all of those and unpacks them
 *
 * load and vintages print rows written; read and unpack print rows and a sum, for comparing.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/rand.h"
#include "db/migrate.h"
#include "db/pack.h"
#include "db/table.h"

enum { REGIONS = 14, SLOTS = 365 * 48, HORIZON = 96, CHUNK = 5000 };
#define T0 (INT64_C(20089) * DAY_MS) /* 2025-01-01 */
#define FIRST_REGION 5               /* ids 1 to 4 are Great Britain and its nations */

/* Grams that wander between 0 and 500, in milligrams. */
static int32_t next_carbon(int32_t last, uint64_t *seed)
{
	int32_t step = (int32_t)(rand_next(seed) % 21) - 10;

	return CLAMP(last + 1000 * step, 0, 500000);
}

static int csv(void)
{
	uint64_t seed = 1;

	for (int r = 0; r < REGIONS; r++)
		for (int s = 0, carbon = 200000; s < SLOTS; s++) {
			carbon = next_carbon(carbon, &seed);
			printf("%d,1,%" PRId64 ",1800000,2,%" PRId64 ",%" PRId64 ",0,%d\n", FIRST_REGION + r,
			       T0 + s * SLOT_MS, T0 + s * SLOT_MS, T0 + s * SLOT_MS, carbon);
		}
	return 0;
}

static int create(struct db *db, struct error *err)
{
	struct db_source s = { .provider = STR("bench") };
	int64_t id;

	if (db_migrate(db, NULL, err) || db_zone_id(db, STR("north-scotland"), &id, err))
		return -1;
	if (id != FIRST_REGION)
		return error_set(err, ERR_INTERNAL, "north-scotland is zone %" PRId64, id);
	return db_source_id(db, &s, &id, err);
}

static int load(struct db *db, struct error *err)
{
	_cleanup_free_ struct db_value *rows = xcalloc(CHUNK * 9, sizeof(*rows));
	int64_t changed, total = 0;
	uint64_t seed = 1;
	size_t n = 0;

	for (int r = 0; r < REGIONS; r++)
		for (int s = 0, carbon = 200000; s < SLOTS; s++) {
			int64_t at = T0 + s * SLOT_MS;

			carbon = next_carbon(carbon, &seed);
			const struct db_value row[9] = { DB_I64(FIRST_REGION + r),
							 DB_I64(1),
							 DB_I64(at),
							 DB_I64(SLOT_MS),
							 DB_I64(2),
							 DB_I64(at),
							 DB_I64(at),
							 DB_I64(0),
							 DB_I64(carbon) };
			memcpy(&rows[9 * n++], row, sizeof(row));
			if (n < CHUNK && !(r == REGIONS - 1 && s == SLOTS - 1))
				continue;
			if (db_upsert(db, &db_carbon_intensity, rows, n, &changed, err))
				return -1;
			total += changed;
			n = 0;
		}
	printf("%" PRId64 "\n", total);
	return 0;
}

static int read_all(struct db *db, struct error *err)
{
	int64_t n = 0, sum = 0;

	for (int r = 0; r < REGIONS; r++) {
		_cleanup_(db_rows_end) struct db_rows rows = { 0 };
		int more;

		if (db_query(db,
			     "SELECT start_ms, kind, carbon_mg_per_kwh FROM carbon_intensity WHERE zone_id = ? AND "
			     "source_id "
			     "= ? AND start_ms >= ? AND start_ms < ? ORDER BY start_ms",
			     DB_VALUES(DB_I64(FIRST_REGION + r), DB_I64(1), DB_I64(T0), DB_I64(T0 + 365 * DAY_MS)),
			     &rows, err))
			return -1;
		for (; (more = db_next(&rows, err)) > 0; n++)
			sum += db_i64(&rows, 0) % 7 + db_i64(&rows, 1) + db_i64(&rows, 2);
		if (more < 0)
			return -1;
	}
	printf("%" PRId64 " %" PRId64 "\n", n, sum);
	return 0;
}

/* One round: all regions' forecasts as one transaction, as the collector writes them. */
static int write_issue(struct db *db, int64_t issued_ms, int32_t base[REGIONS], uint64_t *seed, int64_t *total,
		       struct error *err)
{
	_cleanup_(buf_release) struct buf packed = BUF_INIT(REGIONS * DB_PACK_MAX_BYTES);
	struct db_value rows[REGIONS][11];
	size_t at[REGIONS + 1];
	int64_t changed;

	for (int r = 0; r < REGIONS; r++) {
		int32_t values[HORIZON];

		base[r] = next_carbon(base[r], seed);
		values[0] = base[r];
		for (int i = 1; i < HORIZON; i++)
			values[i] = next_carbon(values[i - 1], seed);
		at[r] = packed.len;
		(void)db_pack(values, HORIZON, &packed);
	}
	at[REGIONS] = packed.len;
	for (int r = 0; r < REGIONS; r++) {
		const struct db_value row[11] = { DB_I64(FIRST_REGION + r),
						  DB_I64(1),
						  DB_CSTR("carbon"),
						  DB_I64(500),
						  DB_I64(issued_ms),
						  DB_I64(issued_ms),
						  DB_I64(issued_ms),
						  DB_I64(SLOT_MS),
						  DB_I64(HORIZON),
						  DB_I64(HORIZON),
						  DB_BLOB(str_of(packed.ptr + at[r], at[r + 1] - at[r])) };

		memcpy(rows[r], row, sizeof(row));
	}
	if (db_upsert(db, &db_forecast_vintage, rows[0], REGIONS, &changed, err))
		return -1;
	*total += changed;
	return 0;
}

static int vintages(struct db *db, struct error *err)
{
	int32_t base[REGIONS] = { 0 };
	int64_t total = 0;
	uint64_t seed = 2;

	for (int s = 0; s < SLOTS; s++)
		if (write_issue(db, T0 + s * SLOT_MS, base, &seed, &total, err))
			return -1;
	printf("%" PRId64 "\n", total);
	return 0;
}

static int unpack(struct db *db, struct error *err)
{
	_cleanup_(db_rows_end) struct db_rows rows = { 0 };
	int64_t n = 0, sum = 0;
	int32_t values[HORIZON];
	int more;

	if (db_query(db, "SELECT n_values, packed FROM forecast_vintage", DB_NO_VALUES, &rows, err))
		return -1;
	for (; (more = db_next(&rows, err)) > 0; n++) {
		if (db_i64(&rows, 0) != HORIZON || db_unpack(db_blob(&rows, 1), values, HORIZON, err))
			return -1;
		for (int i = 0; i < HORIZON; i++)
			sum += values[i];
	}
	printf("%" PRId64 " %" PRId64 "\n", n, sum);
	return more;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(struct db *db, struct error *err);
	} commands[] = {
		{ "create", create },     { "load", load },     { "read", read_all },
		{ "vintages", vintages }, { "unpack", unpack },
	};
	_cleanup_(cleanup_db_close) struct db *db = NULL;
	struct error err = ERROR_INIT;

	if (argc == 2 && strcmp(argv[1], "csv") == 0)
		return csv();
	for (size_t i = 0; argc == 3 && i < ARRAY_LEN(commands); i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		if (db_open(argv[2], &db, &err) == 0 && commands[i].run(db, &err) == 0)
			return 0;
		fprintf(stderr, "db_bench: %s\n", err.msg);
		return 1;
	}
	fprintf(stderr, "usage: db_bench csv | create URL | load URL | read URL | vintages URL | unpack URL\n");
	return 2;
}
