/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes of CSV files as data, one reader for all of them, and the writer of exports. */
#include "grid/history_csv.h"

#include "base/alloc.h"
#include "base/decimal.h"
#include "base/vec.h"

#define G_PER_KWH 1000.0       /* to mg/kWh */
#define PENCE_PER_KWH 10000.0  /* to millionths of GBP per kWh */
#define GBP_PER_MWH 1000.0     /* the same */
#define KM_PER_HOUR 277.777778 /* to mm/s */
#define MAX_VALUE 1e12
#define MAX_ZONES 64

const struct history_shape history_shapes[] = {
	{ "gb-carbon", "GB carbon by half hour: time_utc, actual_g_per_kwh", .time_column = "time_utc",
	  .step_ms = SLOT_MS, .provider = "carbonintensity-gb", .zone = "national", .kind = GRID_KIND_ACTUAL,
	  .values = { { "actual_g_per_kwh", GRID_CARBON, G_PER_KWH, NULL } } },
	{ "gb-carbon-hourly", "GB carbon by hour: time_utc, ci_g_per_kwh", .time_column = "time_utc",
	  .step_ms = HOUR_MS, .provider = "neso", .zone = "GB", .kind = GRID_KIND_ACTUAL,
	  .values = { { "ci_g_per_kwh", GRID_CARBON, G_PER_KWH, NULL } } },
	{ "gb-agile", "Agile prices with VAT: time_utc, p_per_kwh_inc_vat; --zone is the letter of the GSP group",
	  .time_column = "time_utc", .step_ms = SLOT_MS, .provider = "octopus-agile", .kind = GRID_KIND_ACTUAL,
	  .values = { { "p_per_kwh_inc_vat", GRID_PRICE, PENCE_PER_KWH, NULL } } },
	{ "elexon",
	  "GB system and market index prices: period_end_utc, system_price_gbp_mwh, market_index_price_gbp_mwh",
	  .time_column = "period_end_utc", .end_labelled = true, .step_ms = SLOT_MS, .provider = "elexon", .zone = "GB",
	  .kind = GRID_KIND_ACTUAL,
	  .values = { { "system_price_gbp_mwh", GRID_SYSTEM_PRICE, GBP_PER_MWH, NULL },
		      { "market_index_price_gbp_mwh", GRID_WHOLESALE, GBP_PER_MWH, NULL } } },
	{ "neso-regional",
	  "a column of g/kWh for each GB region by its name: time_utc, North Scotland, ..., London, ...",
	  .time_column = "time_utc", .step_ms = SLOT_MS, .provider = "neso", .kind = GRID_KIND_ESTIMATED, .wide = true,
	  .values = { { "", GRID_CARBON, G_PER_KWH, NULL } } },
	{ "neso-issued", "GB carbon as issued: issued_utc, target_utc, forecast_g_per_kwh", .time_column = "target_utc",
	  .issued_column = "issued_utc", .step_ms = SLOT_MS, .provider = "carbonintensity-gb", .zone = "national",
	  .kind = GRID_KIND_FORECAST, .values = { { "forecast_g_per_kwh", GRID_CARBON, G_PER_KWH, NULL } } },
	{ "carbonx",
	  "a zone by hour: time_utc, ci_direct_g_per_kwh, ci_lifecycle_g_per_kwh, carbon_free_pct, "
	  "renewable_pct, estimated",
	  .time_column = "time_utc", .step_ms = HOUR_MS, .provider = "electricity-maps", .kind = GRID_KIND_ACTUAL,
	  .estimated_column = "estimated",
	  .values = { { "ci_direct_g_per_kwh", GRID_CARBON, G_PER_KWH, "direct" },
		      { "ci_lifecycle_g_per_kwh", GRID_CARBON, G_PER_KWH, "lifecycle" },
		      { "carbon_free_pct", GRID_LOW_CARBON, 10, NULL },
		      { "renewable_pct", GRID_RENEWABLE, 10, NULL } } },
	{ "ensembleci", "a zone by hour: UTC time, carbon_intensity", .time_column = "UTC time", .step_ms = HOUR_MS,
	  .provider = "entsoe", .kind = GRID_KIND_ACTUAL, .basis = { "average", "direct", "production", "zone" },
	  .values = { { "carbon_intensity", GRID_CARBON, G_PER_KWH, NULL } } },
	{ "open-meteo", "weather by hour: time, temperature_2m, wind_speed_10m (km/h), shortwave_radiation",
	  .time_column = "time", .step_ms = HOUR_MS, .provider = "open-meteo", .kind = GRID_KIND_ACTUAL,
	  .values = { { "temperature_2m", GRID_TEMPERATURE, 1000, NULL },
		      { "wind_speed_10m", GRID_WIND_SPEED, KM_PER_HOUR, NULL },
		      { "shortwave_radiation", GRID_IRRADIANCE, 1, NULL } } },
	{ 0 },
};

const struct history_shape *history_shape_find(const char *name)
{
	for (const struct history_shape *s = history_shapes; s->name; s++)
		if (cstr_eq(s->name, name))
			return s;
	return NULL;
}

/* A column that gives values. */
struct source {
	int column;
	const struct history_value *value;
	char zone[GRID_NAME_MAX];
	struct grid_basis basis; /* carbon */
};

/* The columns of an export. */
enum own {
	PROVIDER,
	ZONE,
	METRIC,
	START,
	DURATION,
	VALUE,
	UNIT,
	KIND,
	ISSUED,
	FETCHED,
	FLAGS,
	ACCOUNTING,
	SCOPE,
	BOUNDARY,
	RESOLUTION,
	N_OWN
};
static const char *const own_names[N_OWN] = {
	"provider", "zone",       "metric", "start_time",  "duration_seconds",
	"value",    "unit",       "kind",   "issued_time", "fetched_time",
	"flags",    "accounting", "scope",  "boundary",    "resolution",
};

struct history_csv {
	struct csv *csv;
	const struct history_shape *shape; /* NULL: an export */
	int64_t fetched_ms, missing;
	int time, issued, estimated;
	VEC(struct source) sources;
	size_t next; /* of the sources, in the row at hand; none = read the next row */
	int64_t start_ms, issued_ms;
	int own[N_OWN];
	char zone[GRID_NAME_MAX];
};

/* ---- fields ---- */

/* RFC 3339, or the same with a blank for the T, without seconds or without an offset. */
static int read_time(const struct csv *csv, int column, int64_t *ret_ms, struct error *err)
{
	struct str s = csv_field(csv, column);
	char text[48];
	size_t len = s.len;

	if (time_parse(s, ret_ms))
		return 0;
	if (len >= 16 && len < sizeof(text) - 4) {
		memcpy(text, s.ptr, len);
		text[len] = '\0';
		if (text[10] == ' ')
			text[10] = 'T';
		if (text[len - 1] != 'Z' && !strpbrk(text + 16, "+-"))
			text[len++] = 'Z';
		if (time_parse(str_of(text, len), ret_ms))
			return 0;
	}
	return csv_error(csv, column, err, "must be a time like 2023-02-09T07:00:00Z, is '%.*s'", (int)MIN(s.len, 40),
			 s.ptr);
}

/* 1: a value, 0: none. */
static int read_value(const struct csv *csv, int column, double factor, int32_t *ret, struct error *err)
{
	struct str s = csv_field(csv, column);
	double value;
	int64_t scaled;

	if (str_empty(s) || str_is(s, "NaN") || str_is(s, "nan") || str_is(s, "NA"))
		return 0;
	if (csv_number(csv, column, -MAX_VALUE, MAX_VALUE, &value, err))
		return -1;
	scaled = decimal_from_double(value * factor, 0);
	if (scaled <= INT32_MIN || scaled > INT32_MAX)
		return csv_error(csv, column, err, "%g is out of bounds", value);
	*ret = (int32_t)scaled;
	return 1;
}

/* ---- shapes ---- */

static int check_zone(const char *zone, struct error *err)
{
	size_t len = strspn(zone, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.");

	if (len == 0 || len >= GRID_NAME_MAX || zone[len] != '\0')
		return error_set(err, ERR_INVALID,
				 "zone must be 1 to %d letters, digits, '-', '_' or '.', is \"%.70s\"",
				 GRID_NAME_MAX - 1, zone);
	return 0;
}

static int add_source(struct history_csv *h, int column, const struct history_value *value, const char *zone,
		      struct error *err)
{
	const struct grid_provider *p = grid_provider_find(h->shape->provider);
	const struct grid_env env = { 0 };
	struct source *s;

	if (check_zone(zone, err))
		return -1;
	s = vec_push(&h->sources, MAX_ZONES);
	if (!s)
		return error_set(err, ERR_LIMIT, "more than %d columns with values", MAX_ZONES);
	s->column = column;
	s->value = value;
	(void)str_copy(s->zone, sizeof(s->zone), str_from(zone));
	/* What a custom source's figures mean is known to configuration alone. */
	if (value->metric == GRID_CARBON && h->shape->basis.accounting[0])
		s->basis = h->shape->basis;
	else if (value->metric == GRID_CARBON && p->basis && (!p->has_zone || p->has_zone(&env, GRID_CARBON, zone)))
		p->basis(&env, zone, &s->basis);
	if (value->scope)
		(void)str_copy(s->basis.scope, sizeof(s->basis.scope), str_from(value->scope));
	return 0;
}

/* "North Scotland" is north-scotland. */
static int add_wide(struct history_csv *h, int column, struct error *err)
{
	const struct grid_provider *p = grid_provider_find(h->shape->provider);
	const struct grid_env env = { 0 };
	char zone[GRID_NAME_MAX];
	size_t n = 0;

	for (const char *c = csv_name(h->csv, column); *c && n + 1 < sizeof(zone); c++)
		zone[n++] = *c == ' ' ? '-' : (char)(*c >= 'A' && *c <= 'Z' ? *c | 0x20 : *c);
	zone[n] = '\0';
	if (cstr_eq(zone, "gb"))
		(void)str_copy(zone, sizeof(zone), STR("GB"));
	if (!p->has_zone(&env, h->shape->values[0].metric, zone))
		return csv_error(h->csv, column, err, "is no zone of %s", p->name);
	return add_source(h, column, &h->shape->values[0], zone, err);
}

static int bind_shape(struct history_csv *h, const char *zone, struct error *err)
{
	const struct history_shape *s = h->shape;

	if (!grid_provider_find(s->provider))
		return error_set(err, ERR_INVALID, "there is no provider \"%.60s\"", s->provider);
	h->issued = h->estimated = -1;
	if (csv_column(h->csv, s->time_column, &h->time, err) ||
	    (s->issued_column && csv_column(h->csv, s->issued_column, &h->issued, err)) ||
	    (s->estimated_column && csv_column(h->csv, s->estimated_column, &h->estimated, err)))
		return -1;
	for (int i = 0; s->wide && i < csv_n_columns(h->csv); i++)
		if (i != h->time && add_wide(h, i, err))
			return -1;
	zone = zone ? zone : s->zone;
	for (int i = 0; !s->wide && s->values[i].column; i++) {
		int column;

		if (!zone)
			return error_set(err, ERR_INVALID, "shape %s: --zone must say of which place", s->name);
		if (csv_column(h->csv, s->values[i].column, &column, err) ||
		    add_source(h, column, &s->values[i], zone, err))
			return -1;
	}
	h->next = h->sources.len;
	return 0;
}

static int bind_own(struct history_csv *h, struct error *err)
{
	for (int i = 0; i < N_OWN; i++)
		if (csv_column(h->csv, own_names[i], &h->own[i], err))
			return -1;
	return 0;
}

int history_csv_new(struct csv *csv, const struct history_shape *shape, const char *zone, int64_t fetched_ms,
		    struct history_csv **ret, struct error *err)
{
	_cleanup_(cleanup_history_csv) struct history_csv *h = xcalloc(1, sizeof(*h));

	h->csv = csv;
	h->shape = shape;
	h->fetched_ms = fetched_ms;
	if (shape ? bind_shape(h, zone, err) : bind_own(h, err))
		return -1;
	*ret = steal_ptr(h);
	return 0;
}

void history_csv_free(struct history_csv *h)
{
	if (!h)
		return;
	vec_release(&h->sources);
	free(h);
}

int64_t history_csv_missing(const struct history_csv *h)
{
	return h->missing;
}

static int begin_row(struct history_csv *h, struct error *err)
{
	int got = csv_next(h->csv, err);

	if (got <= 0)
		return got;
	if (read_time(h->csv, h->time, &h->start_ms, err))
		return -1;
	h->issued_ms = h->start_ms;
	if (h->issued >= 0 && read_time(h->csv, h->issued, &h->issued_ms, err))
		return -1;
	if (h->shape->end_labelled) {
		h->start_ms -= h->shape->step_ms;
		h->issued_ms = h->start_ms;
	}
	h->next = 0;
	return 1;
}

static int next_of_shape(struct history_csv *h, struct grid_sample *ret, struct error *err)
{
	for (;;) {
		int got;

		if (h->next >= h->sources.len && (got = begin_row(h, err)) <= 0)
			return got;
		if (h->sources.len == 0)
			return 0;
		const struct source *s = &h->sources.ptr[h->next++];
		bool estimated = h->estimated >= 0 && str_is(csv_field(h->csv, h->estimated), "True");

		*ret = (struct grid_sample){ .provider = h->shape->provider,
					     .zone = s->zone,
					     .metric = s->value->metric,
					     .basis = s->basis,
					     .start_ms = h->start_ms,
					     .duration_ms = h->shape->step_ms,
					     .kind = estimated ? GRID_KIND_ESTIMATED : h->shape->kind,
					     .issued_ms = h->issued_ms,
					     .fetched_ms = h->fetched_ms };
		got = read_value(h->csv, s->column, s->value->factor, &ret->value, err);
		if (got)
			return got;
		h->missing++;
	}
}

/* ---- exports ---- */

/* The field as a C string that is one of those a function knows. */
static bool field(const struct history_csv *h, enum own column, char *ret, size_t cap)
{
	return str_copy(ret, cap, csv_field(h->csv, h->own[column]));
}

static int read_names(struct history_csv *h, struct grid_sample *s, struct error *err)
{
	char text[GRID_NAME_MAX];

	if (!field(h, PROVIDER, text, sizeof(text)) || !grid_provider_find(text))
		return csv_error(h->csv, h->own[PROVIDER], err, "there is no such provider");
	s->provider = grid_provider_find(text)->name;
	if (!field(h, METRIC, text, sizeof(text)) || !grid_metric_parse(text, &s->metric))
		return csv_error(h->csv, h->own[METRIC], err, "there is no such metric");
	if (!str_is(csv_field(h->csv, h->own[UNIT]), grid_metric_unit(s->metric)))
		return csv_error(h->csv, h->own[UNIT], err, "must be %s", grid_metric_unit(s->metric));
	if (!field(h, KIND, text, sizeof(text)) || !grid_kind_parse(text, &s->kind))
		return csv_error(h->csv, h->own[KIND], err, "must be actual, estimated or forecast");
	if (!field(h, ZONE, h->zone, sizeof(h->zone)) || check_zone(h->zone, err))
		return csv_error(h->csv, h->own[ZONE], err, "is not the name of a zone");
	s->zone = h->zone;
	if (!field(h, ACCOUNTING, s->basis.accounting, sizeof(s->basis.accounting)) ||
	    !field(h, SCOPE, s->basis.scope, sizeof(s->basis.scope)) ||
	    !field(h, BOUNDARY, s->basis.boundary, sizeof(s->basis.boundary)) ||
	    !field(h, RESOLUTION, s->basis.resolution, sizeof(s->basis.resolution)))
		return csv_error(h->csv, -1, err, "accounting, scope, boundary or resolution is too long");
	return 0;
}

static int next_of_own(struct history_csv *h, struct grid_sample *ret, struct error *err)
{
	struct grid_sample s = { 0 };
	int64_t seconds, flags, value;
	int got = csv_next(h->csv, err);

	if (got <= 0)
		return got;
	if (read_names(h, &s, err) || read_time(h->csv, h->own[START], &s.start_ms, err) ||
	    csv_i64(h->csv, h->own[DURATION], 1, 31 * DAY_MS / SECOND_MS, &seconds, err) ||
	    csv_i64(h->csv, h->own[VALUE], -INT32_MAX, INT32_MAX, &value, err) ||
	    read_time(h->csv, h->own[ISSUED], &s.issued_ms, err) ||
	    read_time(h->csv, h->own[FETCHED], &s.fetched_ms, err) ||
	    csv_i64(h->csv, h->own[FLAGS], 0, UINT8_MAX, &flags, err))
		return -1;
	s.duration_ms = seconds * SECOND_MS;
	s.value = (int32_t)value;
	s.flags = (uint8_t)flags;
	*ret = s;
	return 1;
}

int history_csv_next(struct history_csv *h, struct grid_sample *ret, struct error *err)
{
	return h->shape ? next_of_shape(h, ret, err) : next_of_own(h, ret, err);
}

/* ---- into the database ---- */

struct chunk {
	struct grid_sample samples[HISTORY_CHUNK];
	char zones[HISTORY_CHUNK][GRID_NAME_MAX];
};

int history_import(struct db *db, struct history_csv *h, void (*progress)(void *arg, int64_t n), void *arg,
		   int64_t *ret_n, struct error *err)
{
	_cleanup_free_ struct chunk *c = xcalloc(1, sizeof(*c));
	int got;

	*ret_n = 0;
	do {
		size_t n = 0;

		while (n < HISTORY_CHUNK && (got = history_csv_next(h, &c->samples[n], err)) > 0) {
			(void)str_copy(c->zones[n], sizeof(c->zones[n]), str_from(c->samples[n].zone));
			c->samples[n].zone = c->zones[n];
			n++;
		}
		if (got < 0)
			return -1;
		if (n && grid_history_put(db, c->samples, n, err))
			return -1;
		*ret_n += (int64_t)n;
		if (progress)
			progress(arg, *ret_n);
	} while (got > 0);
	return 0;
}

/* ---- out of it ---- */

void history_csv_header(FILE *out)
{
	for (int i = 0; i < N_OWN; i++)
		(void)fprintf(out, "%s%s", i ? "," : "", own_names[i]);
	(void)fputc('\n', out);
}

/* To the millisecond where that says more than the second. */
static const char *time_text(int64_t ms, char out[TIME_TEXT])
{
	return ms % SECOND_MS ? time_format_micro(ms, out) : time_format(ms, out);
}

void history_csv_write(FILE *out, const struct grid_sample *s)
{
	char start[TIME_TEXT], issued[TIME_TEXT], fetched[TIME_TEXT];

	(void)fprintf(out, "%s,%s,%s,%s,%" PRId64 ",%" PRId32 ",%s,%s,%s,%s,%d,%s,%s,%s,%s\n", s->provider, s->zone,
		      grid_metric_name(s->metric), time_text(s->start_ms, start), s->duration_ms / SECOND_MS, s->value,
		      grid_metric_unit(s->metric), grid_kind_name(s->kind), time_text(s->issued_ms, issued),
		      time_text(s->fetched_ms, fetched), s->flags, s->basis.accounting, s->basis.scope,
		      s->basis.boundary, s->basis.resolution);
}
