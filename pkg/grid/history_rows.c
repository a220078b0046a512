/* SPDX-License-Identifier: Apache-2.0 */
/* Grid data as rows: which table a metric goes to, how zones are named there, and the upserts. */
#include "db/pack.h"
#include "grid/history_internal.h"

#define MAX_IDS 20000
/* Rows of one upsert: its values are all in memory at once. */
#define CHUNK_ROWS 2000
#define MAX_COLUMNS 16

/* clang-format off */
static const struct history_column columns[GRID_METRICS] = {
	[GRID_CARBON] = { &db_carbon_intensity, "carbon_mg_per_kwh", NULL, NULL, 1 },
	[GRID_PRICE] = { &db_price, "price_micros_per_kwh", "market", "tariff", 1 },
	[GRID_WHOLESALE] = { &db_price, "price_micros_per_kwh", "market", "wholesale", 1 },
	[GRID_SYSTEM_PRICE] = { &db_price, "price_micros_per_kwh", "market", "system", 1 },
	[GRID_FLEX_PRICE] = { &db_price, "price_micros_per_kwh", "market", "flexibility", 1 },
	[GRID_DEMAND] = { &db_demand, "demand_kw", NULL, NULL, 1000 },
	[GRID_TEMPERATURE] = { &db_weather, "temperature_millicelsius", NULL, NULL, 1 },
	[GRID_WIND_SPEED] = { &db_weather, "wind_speed_mm_per_s", NULL, NULL, 1 },
	[GRID_IRRADIANCE] = { &db_weather, "solar_irradiance_mw_per_m2", NULL, NULL, 1000 },
	[GRID_STRESS] = { &db_grid_stress, "stress_permille", NULL, NULL, 1 },
	[GRID_RENEWABLE] = { &db_signal, "value", "metric", "renewable", 1 },
	[GRID_LOW_CARBON] = { &db_signal, "value", "metric", "low-carbon", 1 },
	[GRID_RESPONSE_PRICE] = { &db_signal, "value", "metric", "response-price", 1 },
	[GRID_WIND] = { &db_signal, "value", "metric", "wind", 1 },
	[GRID_SOLAR] = { &db_signal, "value", "metric", "solar", 1 },
	[GRID_MARGIN] = { &db_signal, "value", "metric", "margin", 1 },
	[GRID_LOSS_OF_LOAD] = { &db_signal, "value", "metric", "loss-of-load", 1 },
	[GRID_FREQUENCY] = { &db_signal, "value", "metric", "frequency", 1 },
};
/* clang-format on */

const struct history_column *history_column(enum grid_metric m)
{
	return &columns[m];
}

/* ---- rows in memory ---- */

size_t history_rows_count(const struct history_rows *r)
{
	return r->samples.len + r->mix.len + r->vintages.len + r->calls.len;
}

void history_rows_release(struct history_rows *r)
{
	vec_release(&r->samples);
	vec_release(&r->mix);
	for (size_t i = 0; i < r->vintages.len; i++)
		buf_release(&r->vintages.ptr[i].packed);
	vec_release(&r->vintages);
	vec_release(&r->calls);
}

/* The name lives as long as the program. */
static const char *lasting_name(const char *provider)
{
	const struct grid_provider *p = grid_provider_find(provider);

	return p ? p->name : NULL;
}

void history_rows_add_sample(struct history_rows *r, const struct grid_sample *s)
{
	const char *provider = lasting_name(s->provider);
	struct history_sample *row;

	if (!provider || s->value == GRID_UNKNOWN)
		return;
	row = vec_push(&r->samples, GRID_HISTORY_MAX_ROWS);
	if (!row)
		return;
	row->s = *s;
	row->s.provider = provider;
	row->s.zone = NULL;
	(void)str_copy(row->zone, sizeof(row->zone), str_from(s->zone));
}

void history_rows_add_mix(struct history_rows *r, const struct grid_provider *p, const struct grid_moment *m, int fuel,
			  int64_t fetched_ms)
{
	struct history_mix *row = vec_push(&r->mix, GRID_HISTORY_MAX_ROWS);

	if (!row)
		return;
	*row = (struct history_mix){ .provider = p->name,
				     .start_ms = m->start_ms,
				     .fetched_ms = fetched_ms,
				     .permille = m->mix[fuel].permille };
	(void)str_copy(row->zone, sizeof(row->zone), str_from(m->zone));
	(void)str_copy(row->fuel, sizeof(row->fuel), str_from(m->mix[fuel].fuel));
}

void history_rows_add_own(struct history_rows *r, const char *zone, enum grid_metric metric,
			  const struct grid_vintage *v)
{
	struct history_vintage *row;
	int first = 0, end = v->n;

	while (first < end && v->value[first] == GRID_UNKNOWN)
		first++;
	while (end > first && v->value[end - 1] == GRID_UNKNOWN)
		end--;
	if (first == end)
		return;
	row = vec_push(&r->vintages, GRID_HISTORY_MAX_ROWS);
	if (!row)
		return;
	*row = (struct history_vintage){ .provider = v->provider,
					 .metric = metric,
					 .basis = v->basis,
					 .quantile_permille = v->quantile_permille,
					 .issued_ms = v->issued_ms,
					 .fetched_ms = v->fetched_ms,
					 .start_ms = v->start_ms + first * SLOT_MS,
					 .n = end - first };
	(void)str_copy(row->zone, sizeof(row->zone), str_from(zone));
	buf_init(&row->packed, DB_PACK_MAX_BYTES);
	row->n_known = (int)db_pack(v->value + first, (size_t)row->n, &row->packed);
}

void history_rows_add_vintage(struct history_rows *r, const struct grid_provider *p, const struct grid_series *s,
			      const struct grid_basis *basis, int64_t fetched_ms)
{
	history_rows_add_own(r, s->zone, s->metric,
			     &(struct grid_vintage){ .provider = p->name,
						     .basis = *basis,
						     .quantile_permille = 500,
						     .issued_ms = s->issued_ms,
						     .fetched_ms = fetched_ms,
						     .start_ms = s->start_ms,
						     .step_ms = SLOT_MS,
						     .n = s->n,
						     .value = s->value });
}

void history_rows_add_call(struct history_rows *r, const struct grid_attempt *a)
{
	const char *provider = lasting_name(a->provider);
	struct history_call *row = provider ? vec_push(&r->calls, GRID_HISTORY_MAX_ROWS) : NULL;

	if (!row)
		return;
	row->provider = provider;
	row->at_ms = a->at_ms;
	row->duration_ms = a->duration_ms;
	row->bytes = a->bytes;
	row->http_status = a->http_status;
	/* Cut where they are too long. */
	(void)snprintf(row->request, sizeof(row->request), "%s", a->request);
	(void)snprintf(row->result, sizeof(row->result), "%s", a->result);
	(void)snprintf(row->reason, sizeof(row->reason), "%s", a->reason);
}

/* ---- names in the database ---- */

static int name_of_region(struct db *db, const char *sql, struct db_value key, char ret[GRID_NAME_MAX],
			  struct error *err)
{
	_cleanup_(db_rows_end) struct db_rows rows = { 0 };
	int more;

	if (db_query(db, sql, &key, 1, &rows, err))
		return -1;
	more = db_next(&rows, err);
	if (more > 0 && !str_copy(ret, GRID_NAME_MAX, db_text(&rows, 0)))
		return error_set(err, ERR_LIMIT, "name of a zone is too long");
	return more;
}

/* A DNS name of whatever the provider calls it: "DE-LU" -> "de-lu", "10YGB----------A" -> "10ygb----------a". */
static void slug(const char *zone, char ret[GRID_NAME_MAX])
{
	size_t len = 0;

	for (; *zone && len + 1 < GRID_NAME_MAX; zone++) {
		char c = *zone;

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.')
			c = '-';
		if (c != '-' || len > 0)
			ret[len++] = c;
	}
	while (len > 0 && (ret[len - 1] == '-' || ret[len - 1] == '.'))
		len--;
	ret[len] = '\0';
	if (len == 0)
		(void)str_copy(ret, GRID_NAME_MAX, STR("unknown"));
}

static bool is_in_gb(const char *provider, const char *zone)
{
	const struct grid_provider *p = grid_provider_find(provider);

	return p && p->area && cstr_eq(p->area(zone), "GB");
}

int grid_history_zone(struct db *db, const char *provider, const char *zone, char ret[GRID_NAME_MAX], struct error *err)
{
	static const char *const aggregates[] = { "england", "scotland", "wales", "gb" };
	const char *letter = zone[0] == '_' ? zone + 1 : zone;
	int64_t id;
	int found;

	slug(zone, ret);
	if (!is_in_gb(provider, zone))
		return 0;
	if (cstr_eq(zone, "national") || strcasecmp(zone, "GB") == 0 || strcmp(zone, "0") == 0) {
		(void)str_copy(ret, GRID_NAME_MAX, STR("gb"));
		return 0;
	}
	if (str_to_i64(str_from(zone), 1, 18, &id)) {
		if (id > 14) {
			(void)str_copy(ret, GRID_NAME_MAX, str_from(aggregates[id - 15]));
			return 0;
		}
		found = name_of_region(db,
				       "SELECT z.name FROM region r JOIN zone z ON z.id = r.zone_id "
				       "WHERE r.carbon_intensity_id = ?",
				       DB_I64(id), ret, err);
		return found < 0 ? -1 : 0;
	}
	if (letter[0] >= 'A' && letter[0] <= 'P' && letter[1] == '\0') {
		found = name_of_region(db,
				       "SELECT z.name FROM region r JOIN zone z ON z.id = r.zone_id "
				       "WHERE r.gsp_group = ?",
				       DB_CSTR(letter), ret, err);
		return found < 0 ? -1 : 0;
	}
	return 0;
}

void history_ids_release(struct history_ids *ids)
{
	if (ids->ready) {
		map_release(&ids->zones);
		map_release(&ids->sources);
	}
	*ids = (struct history_ids){ 0 };
}

static void history_ids_init(struct history_ids *ids)
{
	if (ids->ready)
		return;
	map_init(&ids->zones, MAX_IDS);
	map_init(&ids->sources, MAX_IDS);
	ids->ready = true;
}

/* Ids are small and above 0: they are the maps' values themselves. */
static int known_id(const struct map *m, struct str key, int64_t *ret)
{
	void *value = map_get(m, key);

	*ret = (int64_t)(uintptr_t)value;
	return value != NULL;
}

static int know_id(struct map *m, struct str key, int64_t id, struct error *err)
{
	void *old;

	return map_put(m, key, (void *)(uintptr_t)id, &old, err);
}

static int zone_id(struct db *db, struct history_ids *ids, const char *provider, const char *zone, int64_t *ret,
		   struct error *err)
{
	char key[2 * GRID_NAME_MAX + 2], name[GRID_NAME_MAX];

	history_ids_init(ids);
	(void)snprintf(key, sizeof(key), "%s/%s", provider, zone);
	if (known_id(&ids->zones, str_from(key), ret))
		return 0;
	if (grid_history_zone(db, provider, zone, name, err) || db_zone_id(db, str_from(name), ret, err))
		return -1;
	return know_id(&ids->zones, str_from(key), *ret, err);
}

static int source_id(struct db *db, struct history_ids *ids, const char *provider, const struct grid_basis *b,
		     int64_t *ret, struct error *err)
{
	char key[2 * GRID_NAME_MAX + 8];
	const struct db_source source = { .provider = str_from(provider),
					  .product = STR(""),
					  .accounting = str_from(b->accounting),
					  .scope = str_from(b->scope),
					  .boundary = str_from(b->boundary),
					  .resolution = str_from(b->resolution) };

	history_ids_init(ids);
	(void)snprintf(key, sizeof(key), "%s/%s/%s/%s/%s", provider, b->accounting, b->scope, b->boundary,
		       b->resolution);
	if (known_id(&ids->sources, str_from(key), ret))
		return 0;
	if (db_source_id(db, &source, ret, err))
		return -1;
	return know_id(&ids->sources, str_from(key), *ret, err);
}

/* ---- upserts ---- */

/* Rows of one table in the making. */
struct upsert {
	struct db *db;
	const struct db_table *table;
	const char *sql; /* instead of the table's own upsert */
	size_t width, n_rows;
	struct db_value values[CHUNK_ROWS * MAX_COLUMNS];
};

static int flush(struct upsert *u, struct error *err)
{
	size_t n = u->n_rows;

	u->n_rows = 0;
	if (n == 0)
		return 0;
	return u->sql ? db_exec_many(u->db, u->sql, u->values, u->width, n, NULL, err)
		      : db_upsert(u->db, u->table, u->values, n, NULL, err);
}

static int add_row(struct upsert *u, const struct db_value *values, size_t n, struct error *err)
{
	memcpy(&u->values[u->n_rows++ * n], values, n * sizeof(*values));
	u->width = n;
	return u->n_rows == CHUNK_ROWS ? flush(u, err) : 0;
}

static struct upsert *upsert_new(struct db *db, const struct db_table *table)
{
	struct upsert *u = xcalloc(1, sizeof(*u));

	u->db = db;
	u->table = table;
	return u;
}

static const char *currency_of(const struct history_sample *row)
{
	const struct grid_provider *p = grid_provider_find(row->s.provider);
	const char *currency = p && p->currency_of ? p->currency_of(row->zone) : p ? p->currency : NULL;

	return currency ? currency : "";
}

static int add_sample(struct upsert *u, const struct history_sample *row, struct history_ids *ids, struct error *err)
{
	const struct history_column *c = history_column(row->s.metric);
	struct db_value v[MAX_COLUMNS];
	int64_t zone, source;
	size_t n = 0;

	if (zone_id(u->db, ids, row->s.provider, row->zone, &zone, err) ||
	    source_id(u->db, ids, row->s.provider, &row->s.basis, &source, err))
		return -1;
	v[n++] = DB_I64(zone);
	v[n++] = DB_I64(source);
	if (c->filter)
		v[n++] = DB_CSTR(c->is);
	v[n++] = DB_I64(row->s.start_ms);
	v[n++] = DB_I64(row->s.duration_ms);
	v[n++] = DB_I64(row->s.kind);
	v[n++] = DB_I64(row->s.issued_ms);
	v[n++] = DB_I64(row->s.fetched_ms);
	v[n++] = DB_I64(row->s.flags);
	v[n++] = DB_I64((int64_t)row->s.value * c->factor);
	if (c->table == &db_price)
		v[n++] = DB_CSTR(currency_of(row));
	return add_row(u, v, n, err);
}

/* The three weather metrics share a row but come one by one: each sets its own column and leaves the others. */
static const char *weather_sql(enum grid_metric m)
{
#define WEATHER(column)                                                                                            \
	"INSERT INTO weather AS old (zone_id, source_id, start_ms, duration_ms, kind, issued_ms, fetched_ms, "     \
	"quality, " column ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (zone_id, source_id, start_ms) "      \
	"DO UPDATE SET duration_ms = excluded.duration_ms, kind = excluded.kind, issued_ms = excluded.issued_ms, " \
	"fetched_ms = excluded.fetched_ms, quality = excluded.quality, " column " = excluded." column              \
	" WHERE (excluded.kind, -excluded.issued_ms) <= (old.kind, -old.issued_ms)"
	switch (m) {
	case GRID_TEMPERATURE:
		return WEATHER("temperature_millicelsius");
	case GRID_WIND_SPEED:
		return WEATHER("wind_speed_mm_per_s");
	case GRID_IRRADIANCE:
		return WEATHER("solar_irradiance_mw_per_m2");
	default:
		return NULL;
	}
#undef WEATHER
}

static int write_samples(struct db *db, const struct history_rows *r, struct history_ids *ids, struct error *err)
{
	for (int m = 0; m < GRID_METRICS; m++) {
		_cleanup_free_ struct upsert *u = NULL;

		for (size_t i = 0; i < r->samples.len; i++) {
			if ((int)r->samples.ptr[i].s.metric != m)
				continue;
			if (!u) {
				u = upsert_new(db, history_column((enum grid_metric)m)->table);
				u->sql = weather_sql((enum grid_metric)m);
			}
			if (add_sample(u, &r->samples.ptr[i], ids, err))
				return -1;
		}
		if (u && flush(u, err))
			return -1;
	}
	return 0;
}

static int write_mix(struct db *db, const struct history_rows *r, struct history_ids *ids, struct error *err)
{
	_cleanup_free_ struct upsert *u = upsert_new(db, &db_generation_mix);
	const struct grid_basis none = { 0 };
	int64_t zone, source;

	for (size_t i = 0; i < r->mix.len; i++) {
		const struct history_mix *m = &r->mix.ptr[i];
		bool begun = m->start_ms <= m->fetched_ms;

		if (zone_id(db, ids, m->provider, m->zone, &zone, err) ||
		    source_id(db, ids, m->provider, &none, &source, err))
			return -1;
		struct db_value v[] = { DB_I64(zone),
					DB_I64(source),
					DB_CSTR(m->fuel),
					DB_I64(m->start_ms),
					DB_I64(SLOT_MS),
					DB_I64(begun ? GRID_KIND_ESTIMATED : GRID_KIND_FORECAST),
					DB_I64(m->fetched_ms),
					DB_I64(m->fetched_ms),
					DB_I64(0),
					DB_I64(m->permille) };
		if (add_row(u, v, ARRAY_LEN(v), err))
			return -1;
	}
	return flush(u, err);
}

static int write_vintages(struct db *db, const struct history_rows *r, struct history_ids *ids, struct error *err)
{
	_cleanup_free_ struct upsert *u = upsert_new(db, &db_forecast_vintage);
	int64_t zone, source;

	for (size_t i = 0; i < r->vintages.len; i++) {
		const struct history_vintage *f = &r->vintages.ptr[i];

		if (zone_id(db, ids, f->provider, f->zone, &zone, err) ||
		    source_id(db, ids, f->provider, &f->basis, &source, err))
			return -1;
		struct db_value v[] = { DB_I64(zone),
					DB_I64(source),
					DB_CSTR(grid_metric_name(f->metric)),
					DB_I64(f->quantile_permille),
					DB_I64(f->issued_ms),
					DB_I64(f->fetched_ms),
					DB_I64(f->start_ms),
					DB_I64(SLOT_MS),
					DB_I64(f->n),
					DB_I64(f->n_known),
					DB_BLOB(buf_str(&f->packed)) };
		if (add_row(u, v, ARRAY_LEN(v), err))
			return -1;
	}
	return flush(u, err);
}

static int write_calls(struct db *db, const struct history_rows *r, struct error *err)
{
	_cleanup_free_ struct upsert *u = upsert_new(db, &db_provider_call);

	for (size_t i = 0; i < r->calls.len; i++) {
		const struct history_call *c = &r->calls.ptr[i];
		struct db_value v[] = { DB_I64(c->at_ms),   DB_CSTR(c->provider),   DB_CSTR(c->request),
					DB_CSTR(""),        DB_I64(c->duration_ms), DB_I64(c->http_status),
					DB_CSTR(c->result), DB_I64(c->bytes),       DB_CSTR(c->reason) };

		if (add_row(u, v, ARRAY_LEN(v), err))
			return -1;
	}
	return flush(u, err);
}

int history_rows_write(struct db *db, const struct history_rows *r, struct history_ids *ids, struct error *err)
{
	return write_samples(db, r, ids, err) || write_mix(db, r, ids, err) || write_vintages(db, r, ids, err) ||
			       write_calls(db, r, err)
		       ? -1
		       : 0;
}

int grid_history_put(struct db *db, const struct grid_sample *samples, size_t n, struct error *err)
{
	struct history_rows rows = { 0 };
	struct history_ids ids = { 0 };
	_cleanup_(db_tx_end) struct db_tx tx = { 0 };
	int r;

	for (size_t i = 0; i < n; i++)
		history_rows_add_sample(&rows, &samples[i]);
	r = db_tx_begin(&tx, db, err) || history_rows_write(db, &rows, &ids, err) || db_tx_commit(&tx, err) ? -1 : 0;
	history_rows_release(&rows);
	history_ids_release(&ids);
	return r;
}

int grid_history_put_vintages(struct db *db, const char *zone, enum grid_metric metric, const struct grid_vintage *v,
			      size_t n, struct error *err)
{
	struct history_rows rows = { 0 };
	struct history_ids ids = { 0 };
	int r;

	for (size_t i = 0; i < n; i++)
		history_rows_add_own(&rows, zone, metric, &v[i]);
	r = history_rows_write(db, &rows, &ids, err);
	history_rows_release(&rows);
	history_ids_release(&ids);
	return r;
}
