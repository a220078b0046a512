/* SPDX-License-Identifier: Apache-2.0 */
/* The schema: migrations, upserts in any order, zones and sources, views. On SQLite and PostgreSQL. */
#include "db_fixture.h"

#include <sys/wait.h>

#include "base/rand.h"
#include "shared_data.h"

#define T0 INT64_C(1760000400000) /* a slot border */

static void migrated(struct fixture *f)
{
	OK(db_migrate(f->db, NULL, err));
}

static int64_t zone(struct fixture *f, const char *name)
{
	int64_t id = 0;

	OK(db_zone_id(f->db, str_from(name), &id, err));
	return id;
}

static int64_t source(struct fixture *f, const char *provider)
{
	int64_t id = 0;
	struct db_source s = { .provider = str_from(provider), .resolution = STR("regional") };

	OK(db_source_id(f->db, &s, &id, err));
	return id;
}

/* All rows of a query, a line each. */
static char *dump(struct db *db, const char *sql, int n_columns)
{
	struct buf out = BUF_INIT(1 << 20);
	_cleanup_(db_rows_end) struct db_rows rows = { 0 };
	int more = 0;

	OK(db_query(db, sql, DB_NO_VALUES, &rows, err));
	for (;;) {
		OK((more = db_next(&rows, err)) < 0);
		if (!more)
			return buf_take(&out);
		for (int i = 0; i < n_columns; i++) {
			enum db_type type = db_type_of(&rows, i);

			buf_adds(&out, i ? " " : "");
			if (type == DB_TYPE_I64)
				buf_addi64(&out, db_i64(&rows, i));
			else if (type == DB_TYPE_TEXT)
				buf_addstr(&out, db_text(&rows, i));
			else
				buf_adds(&out, type == DB_TYPE_NULL ? "-" : "?");
		}
		buf_addc(&out, '\n');
	}
}

#define DUMPS(db, sql, n, wanted)                                  \
	do {                                                       \
		_cleanup_free_ char *text_ = dump((db), sql, (n)); \
		assert_string_equal(text_, wanted);                \
	} while (0)

/* ---- migrations ---- */

static void a_new_database_gets_all(void **state)
{
	struct fixture *f = *state;
	int applied = -1;

	OK(db_migrate(f->db, &applied, err));
	assert_int_equal(applied, db_n_migrations);
	OK(db_migrate(f->db, &applied, err));
	assert_int_equal(applied, 0);
	assert_int_equal(fixture_i64(f->db, "SELECT count(*) FROM region"), 14);
	assert_int_equal(fixture_i64(f->db, "SELECT count(*) FROM zone WHERE kind = 'region' AND parent = 'gb'"), 14);
	DUMPS(f->db,
	      "SELECT z.name, r.carbon_intensity_id, r.distributor_id, r.gsp_group FROM region r "
	      "JOIN zone z ON z.id = r.zone_id WHERE r.carbon_intensity_id IN (1, 6, 13) ORDER BY 2",
	      4, "north-scotland 1 17 P\nnorth-wales-and-merseyside 6 13 D\nlondon 13 12 C\n");
	assert_int_equal(fixture_i64(f->db, "SELECT count(DISTINCT gsp_group) FROM region"), 14);
}

/* The 14 rows against the list of regions beside the checkout. */
static void regions_are_those_of_the_list(void **state)
{
	struct fixture *f = *state;
	const char *path = shared_path("regions/gb_regions.csv");
	_cleanup_(buf_release) struct buf text = BUF_INIT(1 << 16);
	struct error error = ERROR_INIT;
	struct str rest, line, cell[10];
	int n = 0;

	if (buf_read_file(&text, path, &error))
		fail_msg("%s", error.msg);
	migrated(f);
	for (rest = buf_str(&text); str_split(&rest, '\n', &line);) {
		for (size_t i = 0; i < ARRAY_LEN(cell) && str_split(&line, ',', &cell[i]); i++)
			cell[i] = str_trim(cell[i]);
		if (!str_is(cell[1], "dno"))
			continue;
		int64_t id = 0, distributor = 0;
		assert_true(str_to_i64(cell[0], 1, 14, &id) && str_to_i64(cell[6], 1, 99, &distributor));
		int64_t found = 0;
		OK(db_query_i64(f->db,
				"SELECT count(*) FROM region WHERE carbon_intensity_id = ? AND distributor_id = ? "
				"AND gsp_group = ?",
				DB_VALUES(DB_I64(id), DB_I64(distributor), DB_TEXT(cell[7])), &found, err));
		assert_int_equal(found, 1);
		n++;
	}
	assert_int_equal(n, 14);
}

static const struct db_migration steps[] = {
	{ "0001_a", "CREATE TABLE a (x INTEGER NOT NULL) STRICT; INSERT INTO a (x) VALUES (1);" },
	{ "0002_b", "CREATE TABLE b (x INTEGER NOT NULL) STRICT; INSERT INTO a (x) VALUES (2);" },
	{ "0003_c", "INSERT INTO a (x) VALUES (3); INSERT INTO b (x) VALUES (NULL);" }, /* fails half-way */
};

static void a_newer_or_other_database_is_refused(void **state)
{
	struct fixture *f = *state;
	struct db_migration other[] = { steps[0], { "0002_b", "CREATE TABLE b (y INTEGER);" } };
	struct db_migration renamed[] = { steps[0], { "0002_c", steps[1].sql } };
	int applied = 0;

	OK(db_migrate_with(f->db, steps, 1, &applied, err));
	assert_int_equal(applied, 1);
	OK(db_migrate_with(f->db, steps, 2, &applied, err));
	assert_int_equal(applied, 1);
	FAILS(ERR_INVALID, "0002_b, which this program does not know", db_migrate_with(f->db, steps, 1, NULL, err));
	FAILS(ERR_INVALID, "another text", db_migrate_with(f->db, other, 2, NULL, err));
	FAILS(ERR_INVALID, "another text", db_migrate_with(f->db, renamed, 2, NULL, err));
	FAILS(ERR_INVALID, "0003_c", db_migrate_with(f->db, steps, 3, NULL, err));
	/* Nothing of the failed step, and nothing twice. */
	DUMPS(f->db, "SELECT x FROM a ORDER BY x", 1, "1\n2\n");
	assert_int_equal(fixture_i64(f->db, "SELECT count(*) FROM schema_migration"), 2);
}

/* Several programs start at once: each of them succeeds, and every step is taken once. */
static void programs_migrate_at_once(void **state)
{
	enum { PROGRAMS = 4 };
	struct fixture *f = *state;
	pid_t child[PROGRAMS];
	int gate[2], applied = 0;

	assert_int_equal(pipe(gate), 0);
	for (int i = 0; i < PROGRAMS; i++) {
		child[i] = fork();
		if (child[i] == 0) {
			struct error err = ERROR_INIT;
			struct db *db;
			char go;
			int n = 0;

			(void)close(gate[1]);
			if (db_open(f->url, &db, &err) || read(gate[0], &go, 1) < 0 || db_migrate(db, &n, &err)) {
				fprintf(stderr, "%s\n", err.msg);
				_exit(100);
			}
			db_close(db);
			_exit(n);
		}
	}
	(void)close(gate[0]);
	(void)usleep(100000);
	(void)close(gate[1]);
	for (int i = 0; i < PROGRAMS; i++) {
		int status = 0;

		assert_int_equal(waitpid(child[i], &status, 0), child[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= db_n_migrations);
		applied += WEXITSTATUS(status);
	}
	assert_int_equal(applied, db_n_migrations);
	assert_int_equal(fixture_i64(f->db, "SELECT count(*) FROM schema_migration"), db_n_migrations);
	assert_int_equal(fixture_i64(f->db, "SELECT count(*) FROM region"), 14);
}

/* ---- tables ---- */

static void write_and_read(struct db *db, const struct db_table *t, const struct db_value *row)
{
	_cleanup_(db_rows_end) struct db_rows rows = { 0 };
	_cleanup_free_ char *sql = xasprintf("SELECT %s, %s FROM %s", t->key, t->columns, t->name);
	int64_t changed = 0;

	OK(db_upsert(db, t, row, 1, &changed, err));
	assert_int_equal(changed, 1);
	OK(db_upsert(db, t, row, 1, &changed, err));
	assert_int_equal(changed, 0);
	OK(db_query(db, sql, DB_NO_VALUES, &rows, err));
	OK(db_next(&rows, err) != 1);
	for (size_t c = 0; c < db_table_width(t); c++) {
		assert_int_equal(db_type_of(&rows, (int)c), row[c].type);
		if (row[c].type == DB_TYPE_I64)
			assert_int_equal(db_i64(&rows, (int)c), row[c].i64);
		if (row[c].type == DB_TYPE_TEXT)
			assert_true(str_eq(db_text(&rows, (int)c), row[c].str));
	}
	OK(db_next(&rows, err));
}

/* A row for each table, in the order of its columns; and what is written back must be what was read. */
static void every_table_takes_its_row(void **state)
{
	struct fixture *f = *state;
	migrated(f);
	int64_t z = zone(f, "london"), s = source(f, "p");
#define HEAD DB_I64(z), DB_I64(s)
#define SAMPLE DB_I64(SLOT_MS), DB_I64(1), DB_I64(T0), DB_I64(T0), DB_I64(0)
	const struct {
		const struct db_table *table;
		struct db_value row[24];
	} all[] = {
		{ &db_carbon_intensity, { HEAD, DB_I64(T0), SAMPLE, DB_I64(100000) } },
		{ &db_generation_mix, { HEAD, DB_CSTR("wind"), DB_I64(T0), SAMPLE, DB_I64(400) } },
		{ &db_demand, { HEAD, DB_I64(T0), SAMPLE, DB_I64(30000000) } },
		{ &db_price, { HEAD, DB_CSTR("tariff"), DB_I64(T0), SAMPLE, DB_I64(-12000), DB_CSTR("GBP") } },
		{ &db_grid_stress, { HEAD, DB_I64(T0), SAMPLE, DB_I64(500) } },
		{ &db_weather, { HEAD, DB_I64(T0), SAMPLE, DB_I64(-1500), DB_NULL, DB_I64(0) } },
		{ &db_signal, { HEAD, DB_CSTR("wind"), DB_I64(T0), SAMPLE, DB_I64(9000) } },
		{ &db_forecast_vintage,
		  { HEAD, DB_CSTR("carbon"), DB_I64(500), DB_I64(T0), DB_I64(T0), DB_I64(T0), DB_I64(SLOT_MS),
		    DB_I64(2), DB_I64(2), DB_BLOB(STR("\1\2\3")) } },
		{ &db_forecast_score,
		  { DB_CSTR("london"), DB_CSTR("carbon"), DB_CSTR("p"), DB_I64(1), DB_I64(T0), DB_I64(48), DB_I64(2304),
		    DB_I64(21000), DB_NULL, DB_I64(9000), DB_NULL } },
		{ &db_compute_asset,
		  { DB_CSTR(""), DB_CSTR("node-1"), DB_CSTR("london"), DB_I64(4000), DB_I64(8), DB_I64(0), DB_NULL,
		    DB_NULL, DB_I64(0), DB_I64(1), DB_I64(T0), DB_I64(T0) } },
		{ &db_workload, { DB_CSTR("u"),
				  DB_CSTR(""),
				  DB_CSTR("ns"),
				  DB_CSTR("n"),
				  DB_CSTR("h"),
				  DB_CSTR("london"),
				  DB_CSTR("Deferred"),
				  DB_CSTR("Normal"),
				  DB_I64(T0),
				  DB_I64(T0),
				  DB_NULL,
				  DB_NULL,
				  DB_NULL,
				  DB_NULL,
				  DB_NULL,
				  DB_NULL,
				  DB_NULL,
				  DB_NULL,
				  DB_NULL,
				  DB_NULL,
				  DB_NULL,
				  DB_NULL,
				  DB_CSTR("GBP") } },
		{ &db_schedule,
		  { DB_CSTR("u"), DB_I64(T0), DB_CSTR("p1"), DB_CSTR("Optimised"), DB_CSTR("london"), DB_I64(T0),
		    DB_I64(T0 + 1), DB_NULL, DB_NULL, DB_NULL, DB_CSTR("london"), DB_I64(T0), DB_NULL, DB_NULL,
		    DB_CSTR("GBP"), DB_NULL, DB_CSTR("because") } },
		{ &db_provider_call,
		  { DB_I64(T0), DB_CSTR("p"), DB_CSTR("rates"), DB_CSTR("C"), DB_I64(120), DB_I64(200),
		    DB_CSTR("merged"), DB_I64(10), DB_CSTR("") } },
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		assert_ptr_equal(db_tables[i], all[i].table);
		assert_ptr_equal(db_table_find(str_from(all[i].table->name)), all[i].table);
		write_and_read(f->db, all[i].table, all[i].row);
	}
	assert_null(db_tables[ARRAY_LEN(all)]);
	assert_null(db_table_find(STR("zone; DROP TABLE zone")));
}

/* The list of columns in table.c against the database's own. */
static void no_column_is_forgotten(void **state)
{
	struct fixture *f = *state;

	migrated(f);
	for (const struct db_table *const *t = db_tables; *t; t++) {
		int64_t n = 0;
		const char *sql = fixture_on_postgres ? "SELECT count(*) FROM information_schema.columns "
							"WHERE table_schema = current_schema() AND table_name = ?"
						      : "SELECT count(*) FROM pragma_table_info(?)";

		OK(db_query_i64(f->db, sql, DB_VALUES(DB_CSTR((*t)->name)), &n, err));
		assert_int_equal(n, db_table_width(*t));
	}
}

static void zones_and_sources(void **state)
{
	struct fixture *f = *state;
	int64_t id = 0;

	migrated(f);
	assert_int_equal(zone(f, "de"), zone(f, "de"));
	assert_int_not_equal(zone(f, "de"), zone(f, "fr"));
	DUMPS(f->db, "SELECT name, display_name, kind, parent, time_zone FROM zone WHERE name = 'de'", 5,
	      "de de region - UTC\n");
	FAILS(ERR_INVALID, "zone", db_zone_id(f->db, STR(""), &id, err));
	FAILS(ERR_INVALID, "zone", db_zone_id(f->db, STR("Not A Zone"), &id, err));
	assert_int_equal(source(f, "p"), source(f, "p"));
	assert_int_not_equal(source(f, "p"), source(f, "q"));
	struct db_source marginal = { .provider = STR("p"),
				      .accounting = STR("marginal"),
				      .resolution = STR("regional") };
	OK(db_source_id(f->db, &marginal, &id, err));
	assert_int_not_equal(id, source(f, "p"));
	marginal.accounting = STR("averag");
	FAILS(ERR_INVALID, "source p", db_source_id(f->db, &marginal, &id, err));
}

/* ---- upserts in any order ---- */

enum { KEYS = 5, WRITES = 120 };

struct sample {
	int key;
	int64_t kind, issued, fetched, value;
};

static bool beats(const struct sample *a, const struct sample *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind;
	if (a->issued != b->issued)
		return a->issued > b->issued;
	return a->fetched > b->fetched;
}

static void write_all(struct fixture *f, int64_t z, int64_t s, const struct sample *w, uint64_t *seed)
{
	struct db_value rows[2 * WRITES][9];
	int order[2 * WRITES];

	for (int i = 0; i < 2 * WRITES; i++) { /* each write twice, shuffled */
		int j = (int)(rand_next(seed) % (uint64_t)(i + 1));

		order[i] = order[j];
		order[j] = i % WRITES;
	}
	for (int i = 0; i < 2 * WRITES; i++) {
		const struct sample *x = &w[order[i]];
		const struct db_value row[9] = { DB_I64(z),          DB_I64(s),       DB_I64(T0 + x->key * SLOT_MS),
						 DB_I64(SLOT_MS),    DB_I64(x->kind), DB_I64(x->issued),
						 DB_I64(x->fetched), DB_I64(0),       DB_I64(x->value) };

		memcpy(rows[i], row, sizeof(row));
	}
	/* In two calls, the second one beside rows of the first. */
	OK(db_upsert(f->db, &db_carbon_intensity, rows[0], WRITES / 2, NULL, err));
	OK(db_upsert(f->db, &db_carbon_intensity, rows[WRITES / 2], 2 * WRITES - WRITES / 2, NULL, err));
}

static void the_better_sample_stays(void **state)
{
	struct fixture *f = *state;
	struct sample w[WRITES];
	uint64_t seed = 7;

	migrated(f);
	int64_t z = zone(f, "london");
	for (int round = 0; round < 6; round++) {
		_cleanup_free_ char *name = xasprintf("p%d", round / 2);
		int64_t s = source(f, name);

		if (round % 2) /* the same writes in another order */
			OK(db_script(f->db, "DELETE FROM carbon_intensity", err));
		else
			for (int i = 0; i < WRITES; i++)
				w[i] = (struct sample){ .key = (int)(rand_next(&seed) % KEYS),
							.kind = (int64_t)(rand_next(&seed) % 3),
							.issued = T0 + (int64_t)(rand_next(&seed) % 4) * SLOT_MS,
							.fetched = T0 + i,
							.value = 1000 * i };
		write_all(f, z, s, w, &seed);
		for (int key = 0; key < KEYS; key++) {
			const struct sample *best = NULL;
			int64_t value = 0;

			for (int i = 0; i < WRITES; i++)
				if (w[i].key == key && (!best || beats(&w[i], best)))
					best = &w[i];
			OK(db_query_i64(
				f->db,
				"SELECT carbon_mg_per_kwh FROM carbon_intensity WHERE zone_id = ? AND source_id = ? "
				"AND start_ms = ?",
				DB_VALUES(DB_I64(z), DB_I64(s), DB_I64(T0 + key * SLOT_MS)), &value, err));
			assert_int_equal(value, best->value);
		}
	}
}

static int64_t put_vintage(struct fixture *f, int64_t fetched, int64_t n_known, const char *packed)
{
	const struct db_value row[] = { DB_I64(zone(f, "gb")),
					DB_I64(source(f, "p")),
					DB_CSTR("carbon"),
					DB_I64(500),
					DB_I64(T0),
					DB_I64(fetched),
					DB_I64(T0),
					DB_I64(SLOT_MS),
					DB_I64(96),
					DB_I64(n_known),
					DB_BLOB(str_from(packed)) };
	int64_t changed = -1;

	OK(db_upsert(f->db, &db_forecast_vintage, row, 1, &changed, err));
	return changed;
}

static void the_fuller_vintage_stays(void **state)
{
	struct fixture *f = *state;

	migrated(f);
	assert_int_equal(put_vintage(f, T0 + 5, 90, "a"), 1);
	assert_int_equal(put_vintage(f, T0 + 9, 80, "b"), 0); /* later, but with gaps */
	assert_int_equal(put_vintage(f, T0 + 5, 90, "a"), 0);
	assert_int_equal(put_vintage(f, T0 + 1, 96, "c"), 1);
	assert_int_equal(put_vintage(f, T0 + 7, 96, "d"), 1);
	assert_int_equal(fixture_i64(f->db, "SELECT fetched_ms FROM forecast_vintage"), T0 + 7);
}

static int64_t put_node(struct fixture *f, const char *region, int64_t ready, int64_t cpu, int64_t updated)
{
	const struct db_value row[] = { DB_CSTR(""),     DB_CSTR(region), DB_CSTR(region), DB_I64(cpu),
					DB_I64(1 << 30), DB_I64(1),       DB_NULL,         DB_I64(200000),
					DB_I64(0),       DB_I64(ready),   DB_I64(updated), DB_I64(updated) };
	int64_t changed = -1;

	OK(db_upsert(f->db, &db_compute_asset, row, 1, &changed, err));
	return changed;
}

static uint64_t below(uint64_t *seed, uint64_t n)
{
	return rand_next(seed) % n;
}

/* A price of few keys: the market is text in the key, as the currency is outside. */
static void price_row(struct db_value *v, int64_t zone, int64_t source, uint64_t *seed)
{
	static const char *const markets[] = { "tariff", "wholesale", "system" }, *const currencies[] = { "GBP",
													  "E'\\,{\"" };
	const struct db_value row[] = { DB_I64(zone),
					DB_I64(source),
					DB_CSTR(markets[below(seed, 3)]),
					DB_I64(T0 + (int64_t)below(seed, 40) * SLOT_MS),
					DB_I64(SLOT_MS),
					DB_I64((int64_t)below(seed, 3)),
					DB_I64(T0 + (int64_t)below(seed, 4)),
					DB_I64(T0 + (int64_t)below(seed, 4)),
					DB_I64(0),
					DB_I64((int64_t)below(seed, 1000) - 500),
					DB_CSTR(currencies[below(seed, 2)]) };

	memcpy(v, row, sizeof(row));
}

/* Weather and vintages have NULLs and blobs. */
static void weather_row(struct db_value *v, int64_t zone, int64_t source, uint64_t *seed)
{
	const struct db_value row[] = { DB_I64(zone),
					DB_I64(source),
					DB_I64(T0 + (int64_t)below(seed, 60) * SLOT_MS),
					DB_I64(SLOT_MS),
					DB_I64(0),
					DB_I64(T0 + (int64_t)below(seed, 4)),
					DB_I64(T0),
					DB_I64(0),
					below(seed, 2) ? DB_NULL : DB_I64((int64_t)below(seed, 9)),
					DB_NULL,
					DB_I64((int64_t)below(seed, 9)) };

	memcpy(v, row, sizeof(row));
}

static void vintage_row(struct db_value *v, int64_t zone, int64_t source, uint64_t *seed)
{
	static const char blobs[] = "\0\1\377\\x'\"\n";
	int64_t known = (int64_t)below(seed, 5);
	const struct db_value row[] = { DB_I64(zone),
					DB_I64(source),
					DB_CSTR("carbon"),
					DB_I64(500),
					DB_I64(T0 + (int64_t)below(seed, 50) * SLOT_MS),
					DB_I64(T0 + (int64_t)below(seed, 4)),
					DB_I64(T0),
					DB_I64(SLOT_MS),
					DB_I64(5),
					DB_I64(known),
					DB_BLOB(str_of(blobs, 3 + below(seed, sizeof(blobs) - 3))) };

	memcpy(v, row, sizeof(row));
}

/* A lot with repeated keys leaves what the same rows leave one by one, in their order, and counts the same. */
static void a_lot_is_its_rows_in_order(void **state)
{
	static const struct {
		const struct db_table *table;
		void (*row)(struct db_value *v, int64_t zone, int64_t source, uint64_t *seed);
		const char *dump;
		int columns;
	} cases[] = {
		{ &db_price, price_row,
		  "market, start_ms, kind, issued_ms, fetched_ms, price_micros_per_kwh, currency FROM price WHERE 1 = "
		  "1",
		  7 },
		{ &db_weather, weather_row,
		  "start_ms, issued_ms, temperature_millicelsius, solar_irradiance_mw_per_m2 FROM weather WHERE 1 = 1",
		  4 },
		{ &db_forecast_vintage, vintage_row,
		  "issued_ms, n_known, fetched_ms, length(packed) FROM forecast_vintage WHERE 1 = 1", 4 },
	};
	enum { ROWS = 3000, MAX_WIDTH = 12 };
	_cleanup_free_ struct db_value *lot = xcalloc((size_t)ROWS * MAX_WIDTH, sizeof(*lot));
	struct fixture *f = *state;

	migrated(f);
	for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
		int64_t zones[] = { zone(f, "london"), zone(f, "yorkshire") }, changed[2] = { 0 }, n;
		size_t width = db_table_width(cases[k].table);
		char *dumps[2], sql[256];

		for (int z = 0; z < 2; z++) {
			uint64_t seed = 7 + k;

			for (int i = 0; i < ROWS; i++)
				cases[k].row(&lot[(size_t)i * width], zones[z], source(f, "lots"), &seed);
			_cleanup_(db_tx_end) struct db_tx tx = { 0 };
			OK(db_tx_begin(&tx, f->db, err));
			for (int i = 0; i < (z ? ROWS : 1); i++) {
				OK(db_upsert(f->db, cases[k].table, &lot[(size_t)i * width], z ? 1 : ROWS, &n, err));
				changed[z] += n;
			}
			OK(db_tx_commit(&tx, err));
			(void)snprintf(sql, sizeof(sql), "SELECT %s AND zone_id = %" PRId64 " ORDER BY 1, 2",
				       cases[k].dump, zones[z]);
			dumps[z] = dump(f->db, sql, cases[k].columns);
		}
		assert_string_equal(dumps[0], dumps[1]);
		assert_true(strlen(dumps[0]) > 500);
		assert_int_equal(changed[0], changed[1]);
		free(dumps[0]);
		free(dumps[1]);
	}
}

static void first_seen_stays(void **state)
{
	struct fixture *f = *state;

	migrated(f);
	assert_int_equal(put_node(f, "london", 1, 1000, T0 + 1), 1);
	assert_int_equal(put_node(f, "london", 0, 3000, T0 + 9), 1);
	assert_int_equal(put_node(f, "london", 1, 2000, T0 + 5), 0);
	DUMPS(f->db,
	      "SELECT cpu_millicores, ready, first_seen_ms - 1760000400000, updated_ms - 1760000400000 "
	      "FROM compute_asset",
	      4, "3000 0 1 9\n");
}

/* ---- views ---- */

static void put_carbon(struct fixture *f, const char *place, const char *provider, int slot, int64_t kind,
		       int64_t value)
{
	const struct db_value row[] = { DB_I64(zone(f, place)),
					DB_I64(source(f, provider)),
					DB_I64(T0 + slot * SLOT_MS),
					DB_I64(SLOT_MS),
					DB_I64(kind),
					DB_I64(T0 - 1000),
					DB_I64(T0),
					DB_I64(0),
					DB_I64(value) };

	OK(db_upsert(f->db, &db_carbon_intensity, row, 1, NULL, err));
}

static void put_price(struct fixture *f, const char *place, const char *market, int slot, int64_t value)
{
	const struct db_value row[] = { DB_I64(zone(f, place)),
					DB_I64(source(f, "tariffs")),
					DB_CSTR(market),
					DB_I64(T0 + slot * SLOT_MS),
					DB_I64(SLOT_MS),
					DB_I64(0),
					DB_I64(T0 - 1000),
					DB_I64(T0),
					DB_I64(0),
					DB_I64(value),
					DB_CSTR("GBP") };

	OK(db_upsert(f->db, &db_price, row, 1, NULL, err));
}

static void put_call(struct fixture *f, int64_t called_ms)
{
	const struct db_value row[] = { DB_I64(called_ms), DB_CSTR("p"),      DB_CSTR("r"), DB_CSTR("z"), DB_I64(1),
					DB_I64(200),       DB_CSTR("merged"), DB_I64(1),    DB_CSTR("") };

	OK(db_upsert(f->db, &db_provider_call, row, 1, NULL, err));
}

static void put_workload(struct fixture *f, const char *uid, struct db_value latest, struct db_value max_carbon,
			 struct db_value max_price, struct db_value finished)
{
	const struct db_value row[] = { DB_CSTR(uid),
					DB_CSTR(""),
					DB_CSTR("ns"),
					DB_CSTR(uid),
					DB_CSTR("h"),
					DB_CSTR("london"),
					DB_CSTR("Deferred"),
					DB_CSTR("Normal"),
					DB_I64(T0),
					DB_I64(T0),
					DB_I64(T0),
					latest,
					DB_NULL,
					DB_I64(HOUR_MS),
					DB_I64(100000),
					max_carbon,
					max_price,
					DB_NULL,
					finished,
					DB_NULL,
					DB_NULL,
					DB_NULL,
					DB_CSTR("GBP") };

	OK(db_upsert(f->db, &db_workload, row, 1, NULL, err));
}

/* The share of wind in the mix, the power of wind, and the weather, all of one source. */
static void put_wind(struct fixture *f)
{
	int64_t gb = zone(f, "gb"), id = source(f, "a");
	const struct db_value at[] = { DB_I64(T0), DB_I64(SLOT_MS), DB_I64(0), DB_I64(T0), DB_I64(T0), DB_I64(0) };
	const struct db_value mix[] = { DB_I64(gb), DB_I64(id), DB_CSTR("wind"), at[0], at[1],
					at[2],      at[3],      at[4],           at[5], DB_I64(300) };
	const struct db_value power[] = { DB_I64(gb), DB_I64(id), DB_CSTR("wind"), at[0], at[1],
					  at[2],      at[3],      at[4],           at[5], DB_I64(9000) };
	const struct db_value weather[] = { DB_I64(gb), DB_I64(id), at[0],   at[1],         at[2],  at[3],
					    at[4],      at[5],      DB_NULL, DB_I64(12000), DB_NULL };

	OK(db_upsert(f->db, &db_generation_mix, mix, 1, NULL, err));
	OK(db_upsert(f->db, &db_signal, power, 1, NULL, err));
	OK(db_upsert(f->db, &db_weather, weather, 1, NULL, err));
}

static void views_show_now(void **state)
{
	struct fixture *f = *state;

	migrated(f);
	static const char status[] =
		"SELECT zone, carbon_mg_per_kwh, carbon_kind, carbon_provider, price_micros_per_kwh, "
		"price_market FROM current_grid_status ORDER BY zone";
	DUMPS(f->db, status, 6, "");
	for (int slot = 0; slot < 60; slot++) {
		put_carbon(f, "london", "a", slot, 2, 200000 - 1000 * slot);
		put_price(f, "london", "wholesale", slot, 50000);
		put_price(f, "london", "tariff", slot, 200000 + slot);
	}
	put_carbon(f, "yorkshire", "a", 0, 2, 300000);
	put_carbon(f, "yorkshire", "b", 1, 1, 310000);
	put_carbon(f, "yorkshire", "a", 1, 2, 320000);
	DUMPS(f->db, status, 6, ""); /* no call of a provider yet: no now */
	put_call(f, T0 + 10 * MINUTE_MS);
	DUMPS(f->db, status, 6, "london 200000 2 a 200000 tariff\nyorkshire 300000 2 a - -\n");
	put_call(f, T0 + 40 * MINUTE_MS);
	DUMPS(f->db, status, 6, "london 199000 2 a 200001 tariff\nyorkshire 310000 1 b - -\n");
	put_call(f, T0 + 70 * MINUTE_MS);
	DUMPS(f->db, status, 6, "london 198000 2 a 200002 tariff\n");

	put_node(f, "london", 1, 4000, T0);
	put_node(f, "yorkshire", 1, 2000, T0);
	put_node(f, "gb", 0, 2000, T0);
	DUMPS(f->db,
	      "SELECT region, nodes, cpu_millicores, gpus, carbon_mg_per_kwh, best_carbon_mg_per_kwh, "
	      "(best_start_ms - 1760000400000) / 1800000 FROM regional_compute_opportunities ORDER BY region",
	      7, "london 1 4000 1 198000 151000 49\nyorkshire 1 2000 1 - - -\n");

	put_workload(f, "above-carbon", DB_I64(T0 + DAY_MS), DB_I64(197999), DB_NULL, DB_NULL);
	put_workload(f, "above-price", DB_I64(T0 + DAY_MS), DB_NULL, DB_I64(200001), DB_NULL);
	put_workload(f, "below", DB_I64(T0 + DAY_MS), DB_I64(198000), DB_I64(200002), DB_NULL);
	put_workload(f, "no-cap", DB_I64(T0 + DAY_MS), DB_NULL, DB_NULL, DB_NULL);
	put_workload(f, "not-deferrable", DB_NULL, DB_I64(1), DB_NULL, DB_NULL);
	put_workload(f, "over", DB_I64(T0 + DAY_MS), DB_I64(1), DB_NULL, DB_I64(T0));
	put_workload(f, "too-late", DB_I64(T0), DB_I64(1), DB_NULL, DB_NULL);
	DUMPS(f->db,
	      "SELECT uid, carbon_mg_per_kwh, price_micros_per_kwh FROM workload_optimisation_opportunities ORDER BY "
	      "uid",
	      3, "above-carbon 198000 200002\nabove-price 198000 200002\n");
	put_wind(f);
	DUMPS(f->db,
	      "SELECT zone, metric, provider, value, unit, kind FROM latest_grid_conditions "
	      "ORDER BY zone, metric, provider",
	      6,
	      "gb mix-wind a 300 permille 0\ngb wind a 9000 MW 0\ngb wind-speed a 12000 mm/s 0\n"
	      "london carbon a 198000 mg/kWh 2\nlondon tariff tariffs 200002 micros/kWh 0\n"
	      "london wholesale tariffs 50000 micros/kWh 0\nyorkshire carbon a 320000 mg/kWh 2\n"
	      "yorkshire carbon b 310000 mg/kWh 1\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DB_TEST(a_new_database_gets_all),
		DB_TEST(regions_are_those_of_the_list),
		DB_TEST(a_newer_or_other_database_is_refused),
		DB_TEST(programs_migrate_at_once),
		DB_TEST(every_table_takes_its_row),
		DB_TEST(no_column_is_forgotten),
		DB_TEST(zones_and_sources),
		DB_TEST(the_better_sample_stays),
		DB_TEST(the_fuller_vintage_stays),
		DB_TEST(a_lot_is_its_rows_in_order),
		DB_TEST(first_seen_stays),
		DB_TEST(views_show_now),
	};

	return fixture_run("db_table", tests, ARRAY_LEN(tests));
}
