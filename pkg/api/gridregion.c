/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding of GridRegions, and reading of what they hold. Writing is in gridregion_encode.c. */
#include "api/gridregion.h"

#include "json/json.h"

#define LABEL_REGION "loadshift.io/region"
#define LABEL_TOPOLOGY_REGION "topology.kubernetes.io/region"
#define MAX_POWER_LIMIT_WATTS 10000000000 /* as in the CRD */
#define MAX_TEXT 253

/* A short text, or NULL. Longer ones are no text of ours. */
static const char *text(const struct json *j, struct arena *a)
{
	const char *s = json_string(j);

	return s && s[0] && strlen(s) <= MAX_TEXT ? arena_strdup(a, s) : NULL;
}

static int decode_chain(const struct json *chain, struct gridregion_source_spec ret[GRIDREGION_MAX_CHAIN],
			struct arena *a)
{
	int n = 0;

	json_each (item, chain) {
		struct gridregion_source_spec s = { .provider = text(json_get(item, "provider"), a),
						    .product = text(json_get(item, "product"), a),
						    .zone = text(json_get(item, "zone"), a) };

		if (s.provider && s.zone && n < GRIDREGION_MAX_CHAIN)
			ret[n++] = s;
	}
	return n;
}

static void decode_cloud_regions(const struct json *list, struct gridregion *r, struct arena *a)
{
	const char **names = arena_array(a, GRIDREGION_MAX_CLOUD_REGIONS, const char *);

	json_each (item, list) {
		const char *name = text(item, a);

		if (name && r->n_cloud_regions < GRIDREGION_MAX_CLOUD_REGIONS)
			names[r->n_cloud_regions++] = name;
	}
	r->cloud_regions = names;
}

static void decode_spec(const struct json *spec, struct gridregion *r, struct arena *a)
{
	static const char *const all[] = { "*", NULL };
	const char *basis = json_string(json_get(spec, "costBasis"));
	const struct json *limit = json_get(spec, "powerLimit");
	int64_t watts;

	r->display_name = text(json_get(spec, "displayName"), a);
	pairs_decode(json_get(spec, "nodeSelector"), all, a, &r->node_selector);
	decode_cloud_regions(json_get(spec, "cloudRegions"), r, a);
	r->group = text(json_get(spec, "group"), a);
	r->n_carbon_chain = decode_chain(json_at(spec, "carbon.chain"), r->carbon_chain, a);
	r->n_price_chain = decode_chain(json_at(spec, "price.chain"), r->price_chain, a);
	if (json_i64(json_get(limit, "watts"), &watts) && watts > 0 && watts <= MAX_POWER_LIMIT_WATTS)
		r->power_limit_watts = watts;
	r->power_limit_hard = cstr_eq(json_string(json_get(limit, "enforcement")), "Hard");
	r->cost_basis = cstr_eq(basis, "None")     ? COST_BASIS_NONE
			: cstr_eq(basis, "Shadow") ? COST_BASIS_SHADOW
						   : COST_BASIS_TARIFF;
	r->capacity = cstr_eq(json_string(json_get(spec, "capacity")), "OnDemand") ? REGION_CAPACITY_ON_DEMAND
										   : REGION_CAPACITY_FIXED;
}

static int32_t number(const struct json *j)
{
	int64_t v;

	return json_i64(j, &v) && v > INT32_MIN && v <= INT32_MAX ? (int32_t)v : GRID_UNKNOWN;
}

/* A column of at most `max` values; *n grows to its length. NULL when no value in it is known. */
static const int32_t *decode_column(const struct json *object, const char *key, int max, int *n, struct arena *a)
{
	const struct json *array = json_get(object, key);
	int32_t *out;
	bool known = false;
	int i = 0;

	if (!json_is_array(array) || !json_first(array))
		return NULL;
	out = arena_array(a, (size_t)max, int32_t);
	json_each (item, array) {
		if (i == max)
			break;
		out[i] = number(item);
		known |= out[i++] != GRID_UNKNOWN;
	}
	for (int k = i; k < max; k++)
		out[k] = GRID_UNKNOWN;
	if (!known)
		return NULL;
	*n = MAX(*n, i);
	return out;
}

static void decode_forecast(const struct json *j, struct grid_forecast *f, struct arena *a)
{
	int64_t seconds;

	*f = (struct grid_forecast){ .start_ms = TIME_NONE, .issued_ms = TIME_NONE, .slot_ms = SLOT_MS };
	if (!json_time(json_get(j, "startTime"), &f->start_ms))
		return;
	if (json_i64(json_get(j, "slotSeconds"), &seconds) && seconds >= 60 && seconds <= 86400)
		f->slot_ms = seconds * SECOND_MS;
	(void)json_time(json_get(j, "issuedTime"), &f->issued_ms);
	f->carbon_p10 = decode_column(j, "carbonP10", GRIDREGION_MAX_SLOTS, &f->n, a);
	f->carbon_p50 = decode_column(j, "carbonP50", GRIDREGION_MAX_SLOTS, &f->n, a);
	f->carbon_p90 = decode_column(j, "carbonP90", GRIDREGION_MAX_SLOTS, &f->n, a);
	f->price_p10 = decode_column(j, "priceP10", GRIDREGION_MAX_SLOTS, &f->n, a);
	f->price_p50 = decode_column(j, "priceP50", GRIDREGION_MAX_SLOTS, &f->n, a);
	f->price_p90 = decode_column(j, "priceP90", GRIDREGION_MAX_SLOTS, &f->n, a);
	f->renewable = decode_column(j, "renewable", GRIDREGION_MAX_SLOTS, &f->n, a);
}

static void decode_recent(const struct json *j, struct grid_recent *r, struct arena *a)
{
	uint8_t *kinds;
	int i = 0;

	*r = (struct grid_recent){ .start_ms = TIME_NONE };
	if (!json_time(json_get(j, "startTime"), &r->start_ms))
		return;
	r->carbon = decode_column(j, "carbon", GRIDREGION_MAX_RECENT, &r->n, a);
	r->price = decode_column(j, "price", GRIDREGION_MAX_RECENT, &r->n, a);
	r->kind = kinds = arena_array(a, GRIDREGION_MAX_RECENT, uint8_t);
	memset(kinds, GRID_KIND_ESTIMATED, GRIDREGION_MAX_RECENT);
	json_each (item, json_get(j, "kind")) {
		enum grid_kind kind;

		if (i < GRIDREGION_MAX_RECENT && grid_kind_parse(json_string(item), &kind))
			kinds[i] = (uint8_t)kind;
		i++;
	}
}

static void decode_sources(const struct json *list, struct gridregion *r, struct arena *a)
{
	struct grid_source *out = arena_array(a, GRIDREGION_MAX_SOURCES, struct grid_source);

	json_each (item, list) {
		struct grid_source s = { .metric = text(json_get(item, "metric"), a),
					 .provider = text(json_get(item, "provider"), a),
					 .zone = text(json_get(item, "zone"), a),
					 .product = text(json_get(item, "product"), a),
					 .use = text(json_get(item, "use"), a),
					 .kind = text(json_get(item, "kind"), a),
					 .note = text(json_get(item, "note"), a),
					 .currency = text(json_get(item, "currency"), a),
					 .attribution = text(json_get(item, "attribution"), a),
					 .licence = text(json_get(item, "licence"), a),
					 .confidence_permille = number(json_get(item, "confidencePerMille")),
					 .issued_ms = TIME_NONE,
					 .fetched_ms = TIME_NONE,
					 .from_ms = TIME_NONE };

		if (!s.metric || !s.provider || r->n_sources == GRIDREGION_MAX_SOURCES)
			continue;
		(void)json_time(json_get(item, "issuedTime"), &s.issued_ms);
		(void)json_time(json_get(item, "fetchedTime"), &s.fetched_ms);
		(void)json_time(json_get(item, "fromTime"), &s.from_ms);
		if (strcmp(s.metric, "price") == 0 && !r->currency)
			r->currency = s.currency;
		out[r->n_sources++] = s;
	}
	r->sources = out;
}

static void decode_mix(const struct json *list, struct gridregion *r, struct arena *a)
{
	struct grid_mix *out = arena_array(a, GRIDREGION_MAX_MIX, struct grid_mix);

	json_each (item, list) {
		const char *fuel = text(json_get(item, "fuel"), a);
		int32_t permille = number(json_get(item, "perMille"));

		if (fuel && permille >= 0 && permille <= 1050 && r->n_mix < GRIDREGION_MAX_MIX)
			out[r->n_mix++] = (struct grid_mix){ fuel, permille };
	}
	r->mix = out;
}

/* The rest of the array stays zero, so that two bases can be compared as memory. */
static void decode_word(const struct json *object, const char *key, char *out, size_t cap)
{
	const char *s = json_string(json_get(object, key));

	if (s && strlen(s) < cap)
		(void)str_copy(out, cap, str_from(s));
}

static void decode_status(const struct json *status, struct gridregion *r, struct arena *a)
{
	const struct json *now = json_get(status, "now"), *basis = json_get(status, "basis");

	r->now.carbon_mg_per_kwh = number(json_get(now, "carbonMilligramsPerKWh"));
	r->now.price_micros_per_kwh = number(json_get(now, "pricePerKWhMicros"));
	r->now.renewable_permille = number(json_get(now, "renewablePerMille"));
	r->now.low_carbon_permille = number(json_get(now, "lowCarbonPerMille"));
	r->confidence_permille = number(json_get(status, "confidencePerMille"));
	r->carbon_error_mg_per_kwh = number(json_get(status, "carbonErrorMilligramsPerKWh"));
	r->stress_permille = number(json_get(status, "stressPerMille"));
	r->stress_cause = text(json_get(status, "stressCause"), a);
	decode_word(now, "index", r->now.index, sizeof(r->now.index));
	decode_forecast(json_get(status, "forecast"), &r->forecast, a);
	decode_recent(json_get(status, "recent"), &r->recent, a);
	decode_word(basis, "accounting", r->basis.accounting, sizeof(r->basis.accounting));
	decode_word(basis, "scope", r->basis.scope, sizeof(r->basis.scope));
	decode_word(basis, "boundary", r->basis.boundary, sizeof(r->basis.boundary));
	decode_word(basis, "resolution", r->basis.resolution, sizeof(r->basis.resolution));
	decode_sources(json_get(status, "sources"), r, a);
	decode_mix(json_get(status, "mix"), r, a);
	conditions_decode(json_get(status, "conditions"), NULL, a, &r->conditions);
	r->place_shift_disabled = condition_is_true(&r->conditions, "PlaceShiftDisabled");
}

/* What does not decode counts as not set: a region without data is harmless, a job without regions is not. */
static int decode(const struct json *item, struct object *o, struct error *err)
{
	struct gridregion *r = container_of(o, struct gridregion, obj);

	(void)err;
	decode_spec(json_get(item, "spec"), r, &o->arena);
	decode_status(json_get(item, "status"), r, &o->arena);
	return 0;
}

const struct object_type gridregion_type = {
	.kind = "GridRegion",
	.api_version = "loadshift.io/v1alpha1",
	.plural = "gridregions",
	.namespaced = false,
	.size = sizeof(struct gridregion),
	.decode = decode,
};

static bool selects(const struct gridregion *r, const struct pairs *labels)
{
	for (size_t i = 0; i < r->node_selector.len; i++)
		if (!cstr_eq(pairs_get(labels, r->node_selector.items[i].key), r->node_selector.items[i].value))
			return false;
	return r->node_selector.len > 0;
}

static bool covers_cloud_region(const struct gridregion *r, const char *name)
{
	for (int i = 0; name && i < r->n_cloud_regions; i++)
		if (strcmp(r->cloud_regions[i], name) == 0)
			return true;
	return false;
}

int gridregion_of_node(const struct gridregion *const *regions, int n, const struct object_meta *node)
{
	const char *own = pairs_get(&node->labels, LABEL_REGION);
	const char *topology = pairs_get(&node->labels, LABEL_TOPOLOGY_REGION);
	int best = -1;
	bool best_selects = false;

	/* Names are unique, and most nodes tell theirs: nothing more to look at then. */
	for (int i = 0; own && i < n; i++) {
		if (strcmp(own, regions[i]->obj.meta.name) == 0)
			return i;
	}
	for (int i = 0; i < n; i++) {
		const struct gridregion *r = regions[i];
		bool is_selected = selects(r, &node->labels);

		if (!is_selected && (best_selects || !covers_cloud_region(r, topology)))
			continue;
		if (best < 0 || is_selected > best_selects ||
		    strcmp(r->obj.meta.name, regions[best]->obj.meta.name) < 0) {
			best = i;
			best_selects = is_selected;
		}
	}
	return best;
}

static int32_t column_at(const int32_t *column, int n, int64_t start_ms, int64_t slot_ms, int64_t ms)
{
	if (!column || start_ms == TIME_NONE || ms < start_ms || (ms - start_ms) / slot_ms >= n)
		return GRID_UNKNOWN;
	return column[(ms - start_ms) / slot_ms];
}

int32_t grid_forecast_at(const struct grid_forecast *f, const int32_t *column, int64_t ms)
{
	return column_at(column, f->n, f->start_ms, f->slot_ms, ms);
}

int64_t gridregion_own_from_ms(const struct gridregion *r, const char *metric)
{
	for (int i = 0; i < r->n_sources; i++)
		if (cstr_eq(r->sources[i].metric, metric) && r->sources[i].from_ms != TIME_NONE)
			return r->sources[i].from_ms;
	return INT64_MAX;
}

int32_t gridregion_carbon_error(const struct gridregion *r, int32_t config_mg_per_kwh)
{
	int64_t c = r->confidence_permille;
	int32_t error = r->carbon_error_mg_per_kwh > 0 ? r->carbon_error_mg_per_kwh : config_mg_per_kwh;

	return c > 0 && c < 1000 ? (int32_t)MIN((int64_t)error * 1000 / c, INT32_MAX) : error;
}

int32_t grid_recent_carbon_at(const struct grid_recent *r, int64_t ms)
{
	return column_at(r->carbon, r->n, r->start_ms, SLOT_MS, ms);
}

int32_t grid_recent_price_at(const struct grid_recent *r, int64_t ms)
{
	return column_at(r->price, r->n, r->start_ms, SLOT_MS, ms);
}
