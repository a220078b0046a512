/* SPDX-License-Identifier: Apache-2.0 */
/* The tables' columns, upserts made from them, and the ids of zones and sources. */
#include "db/table.h"

/* Lower is more trusted. */
#define NEWER_SAMPLE                                                 \
	"(excluded.kind, -excluded.issued_ms, -excluded.fetched_ms)" \
	" < (old.kind, -old.issued_ms, -old.fetched_ms)"
#define NEWER_VINTAGE "(excluded.n_known, excluded.fetched_ms) > (old.n_known, old.fetched_ms)"
#define NEWER_SCORE "excluded.scored_ms > old.scored_ms"
#define NEWER_OBJECT "excluded.updated_ms > old.updated_ms"
/* What every sample has beside its key and value. */
#define SAMPLE "duration_ms, kind, issued_ms, fetched_ms, quality, "

#define SAMPLE_TABLE(table, its_key, its_columns) \
	const struct db_table db_##table = {      \
		.name = #table,                   \
		.key = its_key,                   \
		.columns = SAMPLE its_columns,    \
		.time = "start_ms",               \
		.newer = NEWER_SAMPLE,            \
	}

SAMPLE_TABLE(carbon_intensity, "zone_id, source_id, start_ms", "carbon_mg_per_kwh");
SAMPLE_TABLE(generation_mix, "zone_id, source_id, fuel, start_ms", "share_permille");
SAMPLE_TABLE(demand, "zone_id, source_id, start_ms", "demand_kw");
SAMPLE_TABLE(price, "zone_id, source_id, market, start_ms", "price_micros_per_kwh, currency");
SAMPLE_TABLE(grid_stress, "zone_id, source_id, start_ms", "stress_permille");
SAMPLE_TABLE(weather, "zone_id, source_id, start_ms",
	     "temperature_millicelsius, wind_speed_mm_per_s, solar_irradiance_mw_per_m2");
SAMPLE_TABLE(signal, "zone_id, source_id, metric, start_ms", "value");

const struct db_table db_forecast_vintage = {
	.name = "forecast_vintage",
	.key = "zone_id, source_id, metric, quantile_permille, issued_ms",
	.columns = "fetched_ms, start_ms, step_ms, n_values, n_known, packed",
	.time = "issued_ms",
	.newer = NEWER_VINTAGE,
};
const struct db_table db_forecast_score = {
	.name = "forecast_score",
	.key = "region, metric, source, lead_day",
	.columns = "scored_ms, n_issues, n_values, mean_absolute_error, mape_permille, pinball, coverage_permille",
	.time = "scored_ms",
	.newer = NEWER_SCORE,
};
const struct db_table db_compute_asset = {
	.name = "compute_asset",
	.key = "cluster, node",
	.columns = "region, cpu_millicores, memory_bytes, gpus, idle_milliwatts, peak_milliwatts, on_demand, ready, "
		   "first_seen_ms, updated_ms",
	.time = "updated_ms",
	.newer = NEWER_OBJECT,
	.once = "first_seen_ms",
};
const struct db_table db_workload = {
	.name = "workload",
	.key = "uid",
	.columns = "cluster, namespace, name, template_hash, home_region, state, urgency, created_ms, updated_ms, "
		   "earliest_start_ms, latest_start_ms, deadline_ms, expected_duration_ms, power_milliwatts, "
		   "max_carbon_mg_per_kwh, max_price_micros_per_kwh, started_ms, finished_ms, energy_milliwatt_hours, "
		   "carbon_mg, cost_micros, currency",
	.time = "updated_ms",
	.newer = NEWER_OBJECT,
};
const struct db_table db_schedule = {
	.name = "schedule",
	.key = "workload_uid, decided_ms",
	.columns = "plan_id, reason, region, start_ms, end_ms, energy_milliwatt_hours, carbon_mg, cost_micros, "
		   "baseline_region, baseline_start_ms, baseline_carbon_mg, baseline_cost_micros, currency, "
		   "data_issued_ms, explanation",
	.time = "decided_ms",
};
const struct db_table db_provider_call = {
	.name = "provider_call",
	.key = "called_ms, provider, request, zone",
	.columns = "duration_ms, http_status, outcome, n_bytes, error",
	.time = "called_ms",
};

const struct db_table *const db_tables[] = {
	&db_carbon_intensity, &db_generation_mix,
	&db_demand,           &db_price,
	&db_grid_stress,      &db_weather,
	&db_signal,           &db_forecast_vintage,
	&db_forecast_score,   &db_compute_asset,
	&db_workload,         &db_schedule,
	&db_provider_call,    NULL,
};

const struct db_table *db_table_find(struct str name)
{
	for (const struct db_table *const *t = db_tables; *t; t++)
		if (str_is(name, (*t)->name))
			return *t;
	return NULL;
}

static size_t count(const char *columns)
{
	size_t n = 1;

	for (; *columns; columns++)
		n += *columns == ',';
	return n;
}

size_t db_table_width(const struct db_table *table)
{
	return count(table->key) + count(table->columns);
}

/* "INSERT ... ON CONFLICT": understood by both, with the old row called old. */
static void upsert_sql(const struct db_table *t, struct buf *sql)
{
	struct str rest = str_from(t->columns), column;
	const char *separator = "";

	buf_addf(sql, "INSERT INTO %s AS old (%s, %s) VALUES (?", t->name, t->key, t->columns);
	for (size_t i = 1; i < db_table_width(t); i++)
		buf_adds(sql, ", ?");
	buf_addf(sql, ") ON CONFLICT (%s) DO ", t->key);
	if (!t->newer) {
		buf_adds(sql, "NOTHING");
		return;
	}
	buf_adds(sql, "UPDATE SET ");
	while (str_split(&rest, ',', &column)) {
		column = str_trim(column);
		if (t->once && str_is(column, t->once))
			continue;
		buf_addf(sql, "%s%.*s = excluded.%.*s", separator, STR_FMT(column), STR_FMT(column));
		separator = ", ";
	}
	buf_addf(sql, " WHERE %s", t->newer);
}

int db_upsert(struct db *db, const struct db_table *table, const struct db_value *values, size_t n_rows,
	      int64_t *ret_changed, struct error *err)
{
	_cleanup_(buf_release) struct buf sql = BUF_INIT(8192);

	upsert_sql(table, &sql);
	if (buf_check(&sql, "SQL", err) || db_insert_many(db, buf_cstr(&sql), values, db_table_width(table),
							  count(table->key), n_rows, ret_changed, err))
		return error_wrap(err, "write %s", table->name);
	return 0;
}

/* ---- zones and sources ---- */

/* The id that `select` finds; when there is none, `insert` with the same values goes first. */
static int find_or_make(struct db *db, const char *select, const char *insert, const struct db_value *values, size_t n,
			int64_t *ret, struct error *err)
{
	struct error none = ERROR_INIT;

	if (db_query_i64(db, select, values, n, ret, &none) == 0)
		return 0;
	if (none.code != ERR_NOT_FOUND) {
		*err = none;
		return -1;
	}
	if (db_exec(db, insert, values, n, NULL, err))
		return -1;
	return db_query_i64(db, select, values, n, ret, err);
}

int db_zone_id(struct db *db, struct str name, int64_t *ret, struct error *err)
{
	if (!str_is_dns_name(name))
		return error_set(err, ERR_INVALID, "zone \"%.*s\" is not named as GridRegions are",
				 (int)MIN(name.len, 64), name.ptr ? name.ptr : "");
	if (find_or_make(db, "SELECT id FROM zone WHERE name = ?",
			 "INSERT INTO zone (name, display_name, kind, time_zone) "
			 "SELECT given.name, given.name, 'region', 'UTC' FROM (SELECT CAST(? AS TEXT) AS name) given "
			 "WHERE 1 = 1 ON CONFLICT DO NOTHING",
			 DB_VALUES(DB_TEXT(name)), ret, err))
		return error_wrap(err, "zone %.*s", STR_FMT(name));
	return 0;
}

int db_source_id(struct db *db, const struct db_source *source, int64_t *ret, struct error *err)
{
	const struct str *fields[] = { &source->provider, &source->product,  &source->accounting,
				       &source->scope,    &source->boundary, &source->resolution };
	struct db_value values[ARRAY_LEN(fields)];

	/* Absent is empty, as NULL would be unequal to itself in the key. */
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		values[i] = DB_TEXT(fields[i]->ptr ? *fields[i] : STR(""));
	if (find_or_make(db,
			 "SELECT id FROM source WHERE provider = ? AND product = ? AND accounting = ? AND scope = ? "
			 "AND boundary = ? AND resolution = ?",
			 "INSERT INTO source (provider, product, accounting, scope, boundary, resolution) "
			 "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
			 values, ARRAY_LEN(values), ret, err))
		return error_wrap(err, "source %.*s", STR_FMT(source->provider));
	return 0;
}
