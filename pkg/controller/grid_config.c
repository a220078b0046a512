/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the settings of grid data. */
#include "controller/grid_config.h"

#include <math.h>

#include "json/json.h"

#define MAX_TEXT 1000

/* What GB has besides carbon and price: without a key, and of use. Weather is left to configuration: its licence. */
static const struct collector_feed gb_feeds[] = {
	{ GRID_DEMAND, "GB", "elexon", "GB", NULL },       { GRID_DEMAND, "GB", "neso", "GB", NULL },
	{ GRID_WIND, "GB", "elexon", "GB", NULL },         { GRID_SOLAR, "GB", "pv-live", "GB", NULL },
	{ GRID_SOLAR, "GB", "neso", "GB", NULL },          { GRID_MARGIN, "GB", "elexon", "GB", NULL },
	{ GRID_LOSS_OF_LOAD, "GB", "elexon", "GB", NULL }, { GRID_WHOLESALE, "GB", "elexon", "GB", NULL },
	{ GRID_SYSTEM_PRICE, "GB", "elexon", "GB", NULL }, { GRID_FLEX_PRICE, "GB", "neso", "GB", NULL },
	{ GRID_RESPONSE_PRICE, "GB", "neso", "GB", NULL }, { GRID_FREQUENCY, "GB", "elexon", "GB", NULL },
};

enum kind { TEXT, URL, NAME, BOOL, NUMBER, SECONDS, METRIC, KIND, PROVIDER };

/* A member of a settings object and where it goes. */
struct member {
	const char *key;
	enum kind kind;
	size_t offset;
	bool required;
};

#define AT(type, field) offsetof(struct type, field)

static const char *expected(enum kind k)
{
	switch (k) {
	case URL:
		return "must be a URL that begins with https:// or http://";
	case NAME:
		return "must be a text of at most 63 characters";
	case BOOL:
		return "must be true or false";
	case NUMBER:
		return "must be a number";
	case SECONDS:
		return "must be a whole number of seconds from 60 to 86400";
	case METRIC:
		return "must be a metric: carbon, price, renewable, low-carbon, wholesale, system-price, flex-price, "
		       "response-price, demand, wind, solar, margin, loss-of-load, frequency, temperature, wind-speed "
		       "or "
		       "irradiance";
	case KIND:
		return "must be actual, estimated or forecast";
	case PROVIDER:
		return "must be a provider of the table in docs/gridregion.md";
	case TEXT:
		break;
	}
	return "must be a text";
}

/* Only into fields of the right type: the tables below see to that. */
static bool set(const struct member *m, const struct json *value, void *target, struct arena *arena)
{
	void *place = (char *)target + m->offset;
	const char *text = json_string(value);
	int64_t number;

	switch (m->kind) {
	case BOOL:
		return json_bool(value, place);
	case NUMBER:
		return json_double(value, place) && isfinite(*(double *)place);
	case SECONDS:
		if (!json_i64(value, &number) || number < 60 || number > 86400)
			return false;
		*(int64_t *)place = number * SECOND_MS;
		return true;
	case METRIC:
		/* Stress is what we make of others. */
		return text && grid_metric_parse(text, place) && *(enum grid_metric *)place != GRID_STRESS;
	case KIND:
		return text && grid_kind_parse(text, place);
	case PROVIDER:
		if (!text || !grid_provider_find(text))
			return false;
		break;
	case URL:
		if (!text || (!str_has_prefix(str_from(text), STR("https://")) &&
			      !str_has_prefix(str_from(text), STR("http://"))))
			return false;
		break;
	case NAME:
		if (!text || !text[0] || strlen(text) >= GRID_NAME_MAX)
			return false;
		break;
	case TEXT:
		break;
	}
	if (!text || !text[0] || strlen(text) > MAX_TEXT)
		return false;
	*(const char **)place = arena_strdup(arena, text);
	return true;
}

static int unknown_key(const struct member *members, const char *where, const char *key, struct error *err)
{
	_cleanup_(buf_release) struct buf names = BUF_INIT(400);

	for (const struct member *m = members; m->key; m++)
		(void)buf_addf(&names, "%s%s", names.len ? ", " : "", m->key);
	return error_set(err, ERR_INVALID, "%s.%.60s: there is no such setting; there are %s", where, key,
			 buf_cstr(&names));
}

static int read_object(const struct json *object, const struct member *members, const char *where, void *target,
		       struct arena *arena, struct error *err)
{
	if (!json_is_object(object))
		return error_set(err, ERR_INVALID, "%s: must be a mapping, is a value of type %s", where,
				 json_kind(object));
	json_each (item, object) {
		const struct member *m = members;

		while (m->key && strcmp(m->key, json_key(item)) != 0)
			m++;
		if (!m->key)
			return unknown_key(members, where, json_key(item), err);
		if (!json_is_null(item) && !set(m, item, target, arena))
			return error_set(err, ERR_INVALID, "%s.%s: %s", where, m->key, expected(m->kind));
	}
	for (const struct member *m = members; m->key; m++)
		if (m->required && (!json_get(object, m->key) || json_is_null(json_get(object, m->key))))
			return error_set(err, ERR_INVALID, "%s.%s: is missing; it %s", where, m->key,
					 expected(m->kind));
	return 0;
}

struct collector_provider *grid_config_provider(struct grid_config *c, const char *name)
{
	struct collector_provider *p = c->providers;

	while (p->name && strcmp(p->name, name) != 0)
		p++;
	if (!p->name)
		p->name = grid_provider_find(name)->name;
	return p;
}

static int read_providers(const struct json *object, struct arena *arena, struct grid_config *ret, struct error *err)
{
	/* "enabled" is turned round into "disabled" below. */
	static const struct member members[] = { { "baseURL", URL, AT(collector_provider, base_url), false },
						 { "secretFile", TEXT, AT(collector_provider, secret_file), false },
						 { "userFile", TEXT, AT(collector_provider, user_file), false },
						 { "enabled", BOOL, AT(collector_provider, disabled), false },
						 { "product", NAME, AT(collector_provider, product), false },
						 { "caFile", TEXT, AT(collector_provider, ca_file), false },
						 { "redirectHosts", TEXT, AT(collector_provider, redirect_hosts),
						   false },
						 { 0 } };

	if (object && !json_is_object(object))
		return error_set(err, ERR_INVALID, "grid.providers: must be a mapping from names to settings");
	json_each (item, object) {
		struct collector_provider *p;
		char where[128];

		(void)snprintf(where, sizeof(where), "grid.providers.%.60s", json_key(item));
		if (!grid_provider_find(json_key(item)))
			return error_set(err, ERR_INVALID,
					 "%s: there is no such provider; docs/gridregion.md has a table", where);
		p = grid_config_provider(ret, json_key(item));
		p->disabled = true; /* as "enabled": the default */
		if (read_object(item, members, where, p, arena, err))
			return -1;
		p->disabled = !p->disabled;
	}
	return 0;
}

static int read_feeds(const struct json *list, struct arena *arena, struct grid_config *ret, struct error *err)
{
	static const struct member members[] = { { "metric", METRIC, AT(collector_feed, metric), true },
						 { "area", NAME, AT(collector_feed, area), false },
						 { "provider", PROVIDER, AT(collector_feed, provider), true },
						 { "zone", NAME, AT(collector_feed, zone), true },
						 { "product", NAME, AT(collector_feed, product), false },
						 { 0 } };
	struct collector_feed *out = arena_array(arena, COLLECTOR_MAX_FEEDS, struct collector_feed);

	ret->feeds = out;
	ret->n_feeds = 0;
	if (!json_is_array(list))
		return error_set(err, ERR_INVALID, "grid.feeds: must be a list");
	json_each (item, list) {
		struct collector_feed *f = &out[ret->n_feeds];
		const struct grid_provider *p;
		char where[64];

		(void)snprintf(where, sizeof(where), "grid.feeds[%zu]", ret->n_feeds);
		if (ret->n_feeds == COLLECTOR_MAX_FEEDS)
			return error_set(err, ERR_INVALID, "grid.feeds: at most %d", COLLECTOR_MAX_FEEDS);
		if (read_object(item, members, where, f, arena, err))
			return -1;
		p = grid_provider_find(f->provider);
		if (!f->area && p->area)
			f->area = p->area(f->zone);
		if (!f->area)
			return error_set(err, ERR_INVALID, "%s.area: is missing; %s does not say where %s lies", where,
					 f->provider, f->zone);
		ret->n_feeds++;
	}
	return 0;
}

/* A basis is "average, direct, consumption, zone". */
static bool read_basis(const char *text, struct grid_basis *ret)
{
	static const char *const words[4][4] = { { "average", "marginal" },
						 { "direct", "lifecycle" },
						 { "production", "consumption" },
						 { "national", "regional", "zone" } };
	char *const fields[] = { ret->accounting, ret->scope, ret->boundary, ret->resolution };
	const size_t sizes[] = { sizeof(ret->accounting), sizeof(ret->scope), sizeof(ret->boundary),
				 sizeof(ret->resolution) };
	struct str rest = str_from(text), part;
	size_t n = 0;

	for (; n < 4 && str_split(&rest, ',', &part); n++) {
		bool known = false;

		part = str_trim(part);
		for (int i = 0; i < 4 && words[n][i]; i++)
			known |= str_is(part, words[n][i]);
		if (!known)
			return false;
		(void)str_copy(fields[n], sizes[n], part);
	}
	return n == 4 && !rest.ptr;
}

struct source {
	struct grid_custom c;
	const char *basis;
};

static int read_source(const struct json *item, const char *where, struct arena *arena, struct grid_custom *ret,
		       struct error *err)
{
	static const struct member members[] = {
		{ "name", NAME, AT(source, c.name), true },
		{ "provider", PROVIDER, AT(source, c.provider), true },
		{ "metric", METRIC, AT(source, c.metric), true },
		{ "url", URL, AT(source, c.url), false },
		{ "query", TEXT, AT(source, c.query), false },
		{ "format", NAME, AT(source, c.format), false },
		{ "rows", TEXT, AT(source, c.rows), false },
		{ "timeField", TEXT, AT(source, c.time_field), false },
		{ "valueField", TEXT, AT(source, c.value_field), false },
		{ "timeZone", NAME, AT(source, c.time_zone), false },
		{ "currency", NAME, AT(source, c.currency), false },
		{ "scale", NUMBER, AT(source, c.scale), false },
		{ "stepSeconds", SECONDS, AT(source, c.step_ms), false },
		{ "endLabelled", BOOL, AT(source, c.end_labelled), false },
		{ "kind", KIND, AT(source, c.kind), false },
		{ "basis", TEXT, AT(source, basis), false },
		{ "latitude", NUMBER, AT(source, c.latitude), false },
		{ "longitude", NUMBER, AT(source, c.longitude), false },
		{ 0 },
	};
	struct source s = { .c = { .kind = GRID_KIND_FORECAST, .latitude = NAN, .longitude = NAN } };

	if (read_object(item, members, where, &s, arena, err))
		return -1;
	if (s.basis && !read_basis(s.basis, &s.c.basis))
		return error_set(err, ERR_INVALID,
				 "%s.basis: must be four words such as \"average, direct, consumption, zone\"", where);
	if (s.c.metric == GRID_CARBON && !s.basis)
		return error_set(err, ERR_INVALID,
				 "%s.basis: is missing; say what the figures mean, such as \"average, direct, "
				 "consumption, zone\"",
				 where);
	if (grid_metric_is_price(s.c.metric) && (!s.c.currency || strlen(s.c.currency) != 3))
		return error_set(err, ERR_INVALID, "%s.currency: is missing; three letters, such as GBP", where);
	*ret = s.c;
	return 0;
}

static int read_sources(const struct json *list, struct arena *arena, struct grid_config *ret, struct error *err)
{
	struct grid_custom *out = arena_array(arena, GRID_MAX_CUSTOM, struct grid_custom);

	ret->custom = out;
	if (list && !json_is_array(list))
		return error_set(err, ERR_INVALID, "grid.sources: must be a list");
	json_each (item, list) {
		char where[64];

		(void)snprintf(where, sizeof(where), "grid.sources[%zu]", ret->n_custom);
		if (ret->n_custom == GRID_MAX_CUSTOM)
			return error_set(err, ERR_INVALID, "grid.sources: at most %d", GRID_MAX_CUSTOM);
		if (read_source(item, where, arena, &out[ret->n_custom], err))
			return -1;
		for (size_t i = 0; i < ret->n_custom; i++)
			if (strcmp(out[i].name, out[ret->n_custom].name) == 0 &&
			    strcmp(out[i].provider, out[ret->n_custom].provider) == 0)
				return error_set(err, ERR_INVALID, "%s.name: there is another source %s of %s", where,
						 out[i].name, out[i].provider);
		ret->n_custom++;
	}
	return 0;
}

/* NULL text is no document. */
static int parse(const char *text, const char *key, struct json **ret, struct error *err)
{
	if (!text || !json_parse(str_from(text), ret, err))
		return 0;
	return error_wrap(err, "%s", key);
}

int grid_config_parse(const char *providers, const char *feeds, const char *sources, struct arena *arena,
		      struct grid_config *ret, struct error *err)
{
	struct json *doc_providers _cleanup_(json_cleanup) = NULL;
	struct json *doc_feeds _cleanup_(json_cleanup) = NULL;
	struct json *doc_sources _cleanup_(json_cleanup) = NULL;
	struct grid_config c = { .feeds = gb_feeds, .n_feeds = ARRAY_LEN(gb_feeds) };

	c.providers = arena_array(arena, (size_t)grid_n_providers + 1, struct collector_provider);
	if (parse(providers, "grid.providers", &doc_providers, err) || parse(feeds, "grid.feeds", &doc_feeds, err) ||
	    parse(sources, "grid.sources", &doc_sources, err) || read_providers(doc_providers, arena, &c, err) ||
	    (doc_feeds && read_feeds(doc_feeds, arena, &c, err)) || read_sources(doc_sources, arena, &c, err))
		return -1;
	*ret = c;
	return 0;
}

/* ---- tariffs ---- */

struct tariff_setting {
	const char *product, *zone, *time_zone;
	double slope, peak, from_hour, to_hour, tax, cap;
};

static bool is_hour(double h)
{
	return h >= 0 && h <= 24 && h == floor(h);
}

static int check_tariff(const struct tariff_setting *t, const char *where, struct error *err)
{
	if (t->slope <= 0 || t->tax <= 0)
		return error_set(err, ERR_INVALID, "%s: slope and tax must be above 0", where);
	if (!is_hour(t->from_hour) || !is_hour(t->to_hour))
		return error_set(err, ERR_INVALID, "%s: peakFromHour and peakToHour must be whole hours from 0 to 24",
				 where);
	return 0;
}

static int read_tariff(const struct json *item, const char *where, struct arena *arena, struct grid_tariff *ret,
		       struct error *err)
{
	static const struct member members[] = { { "product", NAME, AT(tariff_setting, product), true },
						 { "zone", NAME, AT(tariff_setting, zone), true },
						 { "slope", NUMBER, AT(tariff_setting, slope), true },
						 { "peak", NUMBER, AT(tariff_setting, peak), false },
						 { "peakFromHour", NUMBER, AT(tariff_setting, from_hour), false },
						 { "peakToHour", NUMBER, AT(tariff_setting, to_hour), false },
						 { "tax", NUMBER, AT(tariff_setting, tax), false },
						 { "cap", NUMBER, AT(tariff_setting, cap), false },
						 { "timeZone", NAME, AT(tariff_setting, time_zone), false },
						 { 0 } };
	struct tariff_setting t = { .time_zone = "UTC", .tax = 1, .cap = INFINITY };

	if (read_object(item, members, where, &t, arena, err) || check_tariff(&t, where, err))
		return -1;
	*ret = (struct grid_tariff){ t.product,
				     t.zone,
				     t.time_zone,
				     { .slope = t.slope,
				       .peak = t.peak * 1e6,
				       .peak_begin_h = (int)t.from_hour,
				       .peak_end_h = (int)t.to_hour,
				       .tax = t.tax,
				       .cap = t.cap * 1e6 } };
	return 0;
}

int grid_config_tariffs(const char *tariffs, struct arena *arena, struct grid_config *ret, struct error *err)
{
	struct json *list _cleanup_(json_cleanup) = NULL;
	struct grid_tariff *out;

	if (parse(tariffs, "grid.tariffs", &list, err))
		return -1;
	if (list && !json_is_array(list))
		return error_set(err, ERR_INVALID, "grid.tariffs: must be a list");
	out = arena_array(arena, GRID_CONFIG_MAX_TARIFFS, struct grid_tariff);
	ret->tariffs = out;
	ret->n_tariffs = 0;
	json_each (item, list) {
		char where[64];

		(void)snprintf(where, sizeof(where), "grid.tariffs[%zu]", ret->n_tariffs);
		if (ret->n_tariffs == GRID_CONFIG_MAX_TARIFFS)
			return error_set(err, ERR_INVALID, "grid.tariffs: at most %d", GRID_CONFIG_MAX_TARIFFS);
		if (read_tariff(item, where, arena, &out[ret->n_tariffs], err))
			return -1;
		ret->n_tariffs++;
	}
	return 0;
}
