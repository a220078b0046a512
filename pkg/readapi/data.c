/* SPDX-License-Identifier: Apache-2.0 */
/* What the read API says from the database: decisions, the four views, and how the database itself is. */
#include "db/table.h"
#include "readapi/internal.h"

#define PATIENCE_MS (5 * SECOND_MS)
#define MAX_FIELDS 24
#define MAX_SQL 2048
#define MAX_FILTERS 8
#define MAX_OFFSET 1000000000

enum field_type { NUMBER, TIME, TEXT, MICROS };

/* A column and what it is called in JSON. Ends with a NULL column. */
struct field {
	const char *column, *name;
	enum field_type type;
};

struct view {
	const char *name; /* in the path */
	const char *from; /* the rest of the query, with LIMIT and OFFSET last */
	struct field fields[MAX_FIELDS];
};

static const struct view decisions = {
	"decisions",
	"schedule s JOIN workload w ON w.uid = s.workload_uid "
	"WHERE (CAST(? AS TEXT) = '' OR w.namespace = ?) AND (CAST(? AS TEXT) = '' OR w.name = ?) AND s.decided_ms >= "
	"? "
	"ORDER BY s.decided_ms DESC, s.workload_uid LIMIT ? OFFSET ?",
	{
		{ "w.namespace", "namespace", TEXT },
		{ "w.name", "name", TEXT },
		{ "s.workload_uid", "uid", TEXT },
		{ "s.decided_ms", "decidedTime", TIME },
		{ "s.plan_id", "planID", TEXT },
		{ "s.reason", "reason", TEXT },
		{ "s.region", "region", TEXT },
		{ "s.start_ms", "startTime", TIME },
		{ "s.end_ms", "endTime", TIME },
		{ "s.energy_milliwatt_hours", "energyMilliWattHours", NUMBER },
		{ "s.carbon_mg", "carbonMilligrams", NUMBER },
		{ "s.cost_micros", "cost", MICROS },
		{ "s.baseline_region", "baselineRegion", TEXT },
		{ "s.baseline_start_ms", "baselineStartTime", TIME },
		{ "s.baseline_carbon_mg", "baselineCarbonMilligrams", NUMBER },
		{ "s.baseline_cost_micros", "baselineCost", MICROS },
		{ "s.currency", "currency", TEXT },
		{ "s.data_issued_ms", "dataIssuedTime", TIME },
		{ "s.explanation", "explanation", TEXT },
		{ 0 },
	},
};

static const struct view forecast_scores = {
	"forecast-scores",
	"forecast_score WHERE (CAST(? AS TEXT) = '' OR region = ?) ORDER BY region, metric, lead_day, "
	"CASE source WHEN 'loadshift-forecast' THEN 1 WHEN 'previous-day' THEN 2 ELSE 0 END, source LIMIT ? OFFSET ?",
	{
		{ "region", "region", TEXT },
		{ "metric", "metric", TEXT },
		{ "source", "source", TEXT },
		{ "lead_day", "leadDay", NUMBER },
		{ "scored_ms", "scoredTime", TIME },
		{ "n_issues", "issues", NUMBER },
		{ "n_values", "values", NUMBER },
		{ "mean_absolute_error", "meanAbsoluteError", NUMBER },
		{ "mape_permille", "meanAbsolutePerMille", NUMBER },
		{ "pinball", "pinballLoss", NUMBER },
		{ "coverage_permille", "coveredPerMille", NUMBER },
		{ 0 },
	},
};

static const struct view views[] = {
	{
		"current-grid-status",
		"current_grid_status ORDER BY zone LIMIT ? OFFSET ?",
		{
			{ "zone", "zone", TEXT },
			{ "now_ms", "time", TIME },
			{ "carbon_mg_per_kwh", "carbonMilligramsPerKWh", NUMBER },
			{ "carbon_issued_ms", "carbonIssuedTime", TIME },
			{ "carbon_fetched_ms", "carbonFetchedTime", TIME },
			{ "carbon_provider", "carbonProvider", TEXT },
			{ "accounting", "accounting", TEXT },
			{ "scope", "scope", TEXT },
			{ "boundary", "boundary", TEXT },
			{ "resolution", "resolution", TEXT },
			{ "price_micros_per_kwh", "pricePerKWhMicros", NUMBER },
			{ "currency", "currency", TEXT },
			{ "price_market", "priceMarket", TEXT },
			{ "price_issued_ms", "priceIssuedTime", TIME },
			{ "price_provider", "priceProvider", TEXT },
			{ "stress_permille", "stressPerMille", NUMBER },
			{ 0 },
		},
	},
	{
		"regional-compute-opportunities",
		"regional_compute_opportunities ORDER BY region LIMIT ? OFFSET ?",
		{
			{ "region", "region", TEXT },
			{ "nodes", "nodes", NUMBER },
			{ "cpu_millicores", "cpuMillicores", NUMBER },
			{ "memory_bytes", "memoryBytes", NUMBER },
			{ "gpus", "gpus", NUMBER },
			{ "on_demand_nodes", "onDemandNodes", NUMBER },
			{ "now_ms", "time", TIME },
			{ "carbon_mg_per_kwh", "carbonMilligramsPerKWh", NUMBER },
			{ "price_micros_per_kwh", "pricePerKWhMicros", NUMBER },
			{ "currency", "currency", TEXT },
			{ "best_carbon_mg_per_kwh", "bestCarbonMilligramsPerKWh", NUMBER },
			{ "best_start_ms", "bestStartTime", TIME },
			{ 0 },
		},
	},
	{
		"workload-optimisation-opportunities",
		"workload_optimisation_opportunities WHERE (CAST(? AS TEXT) = '' OR namespace = ?) "
		"ORDER BY namespace, name, uid LIMIT ? OFFSET ?",
		{
			{ "namespace", "namespace", TEXT },
			{ "name", "name", TEXT },
			{ "uid", "uid", TEXT },
			{ "state", "state", TEXT },
			{ "home_region", "home", TEXT },
			{ "latest_start_ms", "latestStartTime", TIME },
			{ "now_ms", "time", TIME },
			{ "power_milliwatts", "powerMilliwatts", NUMBER },
			{ "expected_duration_ms", "expectedDurationMilliseconds", NUMBER },
			{ "max_carbon_mg_per_kwh", "maxCarbonMilligramsPerKWh", NUMBER },
			{ "carbon_mg_per_kwh", "carbonMilligramsPerKWh", NUMBER },
			{ "max_price_micros_per_kwh", "maxPricePerKWhMicros", NUMBER },
			{ "price_micros_per_kwh", "pricePerKWhMicros", NUMBER },
			{ "currency", "currency", TEXT },
			{ 0 },
		},
	},
	{
		"latest-grid-conditions",
		"latest_grid_conditions ORDER BY zone, metric, provider, product, accounting, scope, boundary, "
		"resolution "
		"LIMIT ? OFFSET ?",
		{
			{ "zone", "zone", TEXT },
			{ "metric", "metric", TEXT },
			{ "value", "value", NUMBER },
			{ "unit", "unit", TEXT },
			{ "start_ms", "startTime", TIME },
			{ "duration_ms", "durationMilliseconds", NUMBER },
			{ "issued_ms", "issuedTime", TIME },
			{ "fetched_ms", "fetchedTime", TIME },
			{ "quality", "flags", NUMBER },
			{ "provider", "provider", TEXT },
			{ "product", "product", TEXT },
			{ "accounting", "accounting", TEXT },
			{ "scope", "scope", TEXT },
			{ "boundary", "boundary", TEXT },
			{ "resolution", "resolution", TEXT },
			{ 0 },
		},
	},
};

/* ---- one query ---- */

struct query {
	struct readapi_request *r;
	const struct view *view;
	const struct db_value *values;
	size_t n;
	int64_t offset, limit;       /* one row more is asked for, to know whether there is one */
	struct json_writer begin, w; /* where the rows begin, for a second try, and after them */
	size_t begin_len;
};

static void write_field(struct json_writer *w, const struct field *f, struct db_rows *rows, int column)
{
	if (db_is_null(rows, column))
		return;
	switch (f->type) {
	case NUMBER:
		jw_i64(w, f->name, db_i64(rows, column));
		break;
	case TIME:
		jw_time(w, f->name, db_i64(rows, column));
		break;
	case TEXT:
		jw_str(w, f->name, db_text(rows, column));
		break;
	case MICROS:
		jw_decimal(w, f->name, db_i64(rows, column), 6);
		break;
	}
}

static int run(struct db *db, void *arg, struct error *err)
{
	_cleanup_(buf_release) struct buf sql = BUF_INIT(MAX_SQL);
	_cleanup_(db_rows_end) struct db_rows rows = { 0 };
	struct query *q = arg;
	int64_t n = 0;
	int more;

	(void)buf_adds(&sql, "SELECT ");
	for (const struct field *f = q->view->fields; f->column; f++)
		(void)buf_addf(&sql, "%s%s", f == q->view->fields ? "" : ", ", f->column);
	(void)buf_addf(&sql, " FROM %s", q->view->from);
	q->r->w.buf->len = q->begin_len;
	q->w = q->begin;
	if (buf_check(&sql, "query", err) || db_query(db, buf_cstr(&sql), q->values, q->n, &rows, err))
		return -1;
	while ((more = db_next(&rows, err)) > 0 && n++ < q->limit) {
		jw_object(&q->w, NULL);
		for (int i = 0; q->view->fields[i].column; i++)
			write_field(&q->w, &q->view->fields[i], &rows, i);
		jw_end_object(&q->w);
	}
	if (more < 0)
		return -1;
	jw_end_array(&q->w);
	if (more)
		jw_i64(&q->w, "nextOffset", q->offset + q->limit);
	return 0;
}

int readapi_on_database(struct readapi_request *r, int (*fn)(struct db *, void *, struct error *), void *arg,
			struct error *err)
{
	if (!r->cfg->db)
		return error_set(err, ERR_NOT_FOUND,
				 "the operator runs without a database: set db.url in its configuration");
	if (db_call(r->cfg->db, &(struct db_work){ "read-api", fn, arg, NULL, PATIENCE_MS }, err)) {
		/* The reader's values were checked before: the database is to blame. */
		err->code = ERR_UNAVAILABLE;
		return error_wrap(err, "database");
	}
	return 0;
}

/* The filters' values, and behind them what the page wants. */
static int answer(struct readapi_request *r, const struct view *view, const struct db_value *filters, size_t n,
		  struct error *err)
{
	struct db_value values[MAX_FILTERS + 2];
	struct query q = { .r = r, .view = view, .values = values, .n = n + 2 };

	if (readapi_param_i64(r, "limit", 100, 1, READAPI_MAX_ROWS, &q.limit, err) ||
	    readapi_param_i64(r, "offset", 0, 0, MAX_OFFSET, &q.offset, err))
		return -1;
	for (size_t i = 0; i < n; i++)
		values[i] = filters[i];
	values[n] = DB_I64(q.limit + 1);
	values[n + 1] = DB_I64(q.offset);
	jw_object(&r->w, NULL);
	jw_array(&r->w, "rows");
	q.begin = r->w;
	q.begin_len = r->w.buf->len;
	if (readapi_on_database(r, run, &q, err))
		return -1;
	r->w = q.w;
	jw_end_object(&r->w);
	return 0;
}

/* ---- paths ---- */

int readapi_decisions(struct readapi_request *r, struct error *err)
{
	const char *job = http_param(r->x, "job"), *namespace = r->namespace ? r->namespace : "";
	int64_t since_ms;

	if (readapi_param_time(r, "since", 0, &since_ms, err))
		return -1;
	if (job && !str_is_dns_name(str_from(job)))
		return error_set(err, ERR_INVALID, "job is not the name of one");
	job = job ? job : "";
	return answer(r, &decisions,
		      DB_VALUES(DB_CSTR(namespace), DB_CSTR(namespace), DB_CSTR(job), DB_CSTR(job), DB_I64(since_ms)),
		      err);
}

int readapi_forecast_scores(struct readapi_request *r, struct error *err)
{
	const char *region = http_param(r->x, "region");

	if (region && *region && !str_is_dns_name(str_from(region)))
		return error_set(err, ERR_INVALID, "region is not the name of one");
	region = region ? region : "";
	return answer(r, &forecast_scores, DB_VALUES(DB_CSTR(region), DB_CSTR(region)), err);
}

/* Those that are no view of the database, but rows all the same. */
static const struct view *const others[] = { &decisions, &forecast_scores };

/* By the end of its path: every route without a schema has one. */
static const struct view *view_of(const struct readapi_route *route)
{
	const char *name = strrchr(route->path, '/') + 1;

	for (size_t i = 0; i < ARRAY_LEN(views); i++)
		if (strcmp(views[i].name, name) == 0)
			return &views[i];
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (strcmp(others[i]->name, name) == 0)
			return others[i];
	abort(); /* a route that is in neither table: the unit test of the description finds it */
}

int readapi_view(struct readapi_request *r, struct error *err)
{
	const char *namespace = r->namespace ? r->namespace : "";

	if (r->route->resource == READAPI_JOBS)
		return answer(r, view_of(r->route), DB_VALUES(DB_CSTR(namespace), DB_CSTR(namespace)), err);
	return answer(r, view_of(r->route), DB_NO_VALUES, err);
}

void readapi_describe_rows(struct json_writer *w, const char *key, const struct readapi_route *route)
{
	static const char *const types[] = {
		[NUMBER] = "integer", [TIME] = "date-time", [TEXT] = "string", [MICROS] = "number"
	};

	jw_object(w, key);
	jw_string(w, "type", "object");
	jw_object(w, "properties");
	jw_object(w, "rows");
	jw_string(w, "type", "array");
	jw_object(w, "items");
	jw_string(w, "type", "object");
	jw_object(w, "properties");
	for (const struct field *f = view_of(route)->fields; f->column; f++)
		readapi_describe(w, f->name, str_from(types[f->type]));
	jw_end_object(w);
	jw_end_object(w);
	jw_end_object(w);
	readapi_describe(w, "nextOffset", STR("integer"));
	jw_end_object(w);
	jw_array(w, "required");
	jw_string(w, NULL, "rows");
	jw_end_array(w);
	jw_end_object(w);
}

/* Rows of each table, with the oldest and newest time that it holds. */
static int table_status(struct db *db, struct json_writer *w, const struct db_table *t, struct error *err)
{
	_cleanup_(db_rows_end) struct db_rows rows = { 0 };
	_cleanup_(buf_release) struct buf sql = BUF_INIT(MAX_SQL);

	(void)buf_addf(&sql, "SELECT count(*), min(%s), max(%s) FROM %s", t->time, t->time, t->name);
	if (db_query(db, buf_cstr(&sql), DB_NO_VALUES, &rows, err) || db_next(&rows, err) < 0)
		return -1;
	jw_object(w, NULL);
	jw_string(w, "table", t->name);
	jw_i64(w, "rows", db_i64(&rows, 0));
	if (!db_is_null(&rows, 1)) {
		jw_time(w, "oldestTime", db_i64(&rows, 1));
		jw_time(w, "newestTime", db_i64(&rows, 2));
	}
	jw_end_object(w);
	return 0;
}

static int run_status(struct db *db, void *arg, struct error *err)
{
	struct query *q = arg;
	int64_t bytes;

	q->r->w.buf->len = q->begin_len;
	q->w = q->begin;
	if (db_size_bytes(db, &bytes, err))
		return -1;
	jw_string(&q->w, "kind", db_is_postgres(db) ? "postgresql" : "sqlite");
	jw_i64(&q->w, "sizeBytes", bytes);
	jw_i64(&q->w, "queued", (int64_t)db_thread_queue_len(q->r->cfg->db));
	jw_array(&q->w, "tables");
	for (const struct db_table *const *t = db_tables; *t; t++)
		if (table_status(db, &q->w, *t, err))
			return -1;
	jw_end_array(&q->w);
	return 0;
}

int readapi_data_status(struct readapi_request *r, struct error *err)
{
	struct query q = { .r = r };

	jw_object(&r->w, NULL);
	q.begin = r->w;
	q.begin_len = r->w.buf->len;
	if (readapi_on_database(r, run_status, &q, err))
		return -1;
	r->w = q.w;
	jw_end_object(&r->w);
	return 0;
}

int readapi_providers(struct readapi_request *r, struct error *err)
{
	(void)err;
	jw_object(&r->w, NULL);
	jw_time(&r->w, "time", r->now_ms);
	jw_array(&r->w, "providers");
	if (r->cfg->providers)
		r->cfg->providers(r->cfg->arg, &r->w);
	jw_end_array(&r->w);
	jw_end_object(&r->w);
	return 0;
}
