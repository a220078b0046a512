/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GB Carbon Intensity API (NESO): carbon forecast of 14 regions and of GB, generation mix. Habits that shape this file:
 *
 *  - a range holds every window whose END lies in it, so asking from a border also returns the window before it;
 *  - `data` is an object or an array, of windows, of regions or of windows with regions: the parser goes by what an
 *    object holds, not by where it stands;
 *  - regions have a forecast only, for past windows too (rewritten afterwards: an estimate, never an actual); GB has an
 *    actual, about half an hour after the end and revised for a day: hence the second request, for the past;
 *  - names drift: the region is its number. Zones here: "1" to "17", and "national".
 */
#include <math.h>

#include "base/decimal.h"
#include "grid/fuel.h"
#include "grid/provider.h"
#include "json/json.h"

#define MAX_REGION 18 /* 15 to 17: England, Scotland, Wales; 18: GB */
#define NATIONAL "national"

enum what { REGIONAL, REGIONAL_PAST, NATIONAL_AHEAD, NATIONAL_PAST, MIX };

static bool has_zone(const struct grid_env *env, enum grid_metric metric, const char *zone)
{
	(void)env;
	int64_t id;

	return metric == GRID_CARBON && (cstr_eq(zone, NATIONAL) || str_to_i64(str_from(zone), 1, MAX_REGION - 1, &id));
}

static const char *area(const char *zone)
{
	(void)zone;
	return "GB";
}

static void basis(const struct grid_env *env, const char *zone, struct grid_basis *ret)
{
	(void)env;
	*ret = (struct grid_basis){ "average", "direct", "consumption", "regional" };
	if (strcmp(zone, NATIONAL) == 0)
		(void)str_copy(ret->resolution, sizeof(ret->resolution), STR("national"));
}

static void ask_ahead(const struct grid_env *env, struct grid_plan *plan, int what, const char *id, const char *path)
{
	struct grid_request *r = grid_plan_add(plan, id);
	int64_t from = grid_now_slot(env);
	char text[TIME_TEXT];

	if (!r || !grid_plan_url(plan, r, "%s/%s/%s/fw48h", env->base_url, path, time_format_minute(from, text)))
		return;
	r->what = what;
	grid_request_about(r, NULL, from - SLOT_MS, from + 2 * DAY_MS);
}

static void ask_past(const struct grid_env *env, struct grid_plan *plan, int what, const char *id, const char *path)
{
	struct grid_request *r = grid_plan_add(plan, id);
	int64_t to = grid_now_slot(env), from = to - (GRID_PAST_SLOTS - 1) * SLOT_MS;
	char a[TIME_TEXT], b[TIME_TEXT];

	if (!r || !grid_plan_url(plan, r, "%s/%s/%s/%s", env->base_url, path, time_format_minute(from, a),
				 time_format_minute(to, b)))
		return;
	r->what = what;
	grid_request_about(r, NULL, from - SLOT_MS, to);
}

/* One answer serves all regions; GB by itself is asked for only where somebody wants it. */
static void plan(const struct grid_env *env, const struct grid_target *targets, size_t n, struct grid_plan *ret)
{
	bool regional = false, national = false;

	for (size_t i = 0; i < n; i++) {
		if (!has_zone(env, targets[i].metric, targets[i].zone))
			continue;
		if (strcmp(targets[i].zone, NATIONAL) == 0)
			national = true;
		else
			regional = true;
	}
	if (regional) {
		ask_ahead(env, ret, REGIONAL, "regional", "regional/intensity");
		ask_past(env, ret, REGIONAL_PAST, "regional-past", "regional/intensity");
	}
	if (national) {
		ask_ahead(env, ret, NATIONAL_AHEAD, "national", "intensity");
		ask_past(env, ret, NATIONAL_PAST, "national-past", "intensity");
	}
	/* The mix of GB comes with the regions as number 18, else by itself. */
	if (national && !regional) {
		struct grid_request *r = grid_plan_add(ret, "mix");

		if (r && grid_plan_url(ret, r, "%s/generation", env->base_url)) {
			r->what = MIX;
			grid_request_about(r, NULL, grid_now_slot(env) - 2 * SLOT_MS, grid_now_slot(env) + SLOT_MS);
		}
	}
}

static bool serves(const struct grid_request *req, const char *zone)
{
	bool regional = req->what == REGIONAL || req->what == REGIONAL_PAST;

	return regional != (strcmp(zone, NATIONAL) == 0);
}

struct parser {
	struct grid_answer *a;
	int64_t now_ms;
	int windows; /* seen, good or bad */
};

/* g/kWh as a number of any kind. */
static bool read_carbon(const struct json *value, int32_t *ret_mg)
{
	double g;

	if (!json_double(value, &g) || !(fabs(g) < 1e6))
		return false;
	*ret_mg = (int32_t)decimal_from_double(g, 3);
	return true;
}

static void take_carbon(struct parser *p, const struct json *value, const char *zone, int64_t from, enum grid_kind kind)
{
	int32_t mg;

	if (!value || json_is_null(value))
		grid_answer_drop(p->a, GRID_DROP_MISSING);
	else if (!read_carbon(value, &mg))
		grid_answer_drop(p->a, GRID_DROP_TYPE);
	else
		grid_answer_put(p->a, GRID_CARBON, zone, from, mg, kind);
}

static void take_intensity(struct parser *p, const struct json *intensity, const char *zone, int64_t from)
{
	const struct json *actual = json_get(intensity, "actual");
	bool ended = from + SLOT_MS <= p->now_ms;

	/* A missing actual is no missing value: it comes later, and until then the forecast stands. */
	if (ended && actual && !json_is_null(actual))
		take_carbon(p, actual, zone, from, GRID_KIND_ACTUAL);
	else
		take_carbon(p, json_get(intensity, "forecast"), zone, from,
			    ended ? GRID_KIND_ESTIMATED : GRID_KIND_FORECAST);
}

/* Shares must add up: within 5 % of 100. Fuels we have never heard of count in the sum and are shown. */
static void take_mix(struct parser *p, const struct json *mix, const struct json *index, const char *zone, int64_t from)
{
	enum grid_kind kind = from + SLOT_MS <= p->now_ms ? GRID_KIND_ESTIMATED : GRID_KIND_FORECAST;
	struct grid_moment m = { .start_ms = from };
	double sum = 0, green = 0, clean = 0;

	json_each (item, mix) {
		const char *fuel = json_string(json_get(item, "fuel"));
		double perc;

		if (!fuel || !json_double(json_get(item, "perc"), &perc) || !(perc >= 0 && perc <= 105)) {
			grid_answer_drop(p->a, GRID_DROP_TYPE);
			return;
		}
		sum += perc;
		green += grid_fuel_is_renewable(grid_fuel_of(str_from(fuel), NULL)) ? perc : 0;
		clean += grid_fuel_is_low_carbon(grid_fuel_of(str_from(fuel), NULL)) ? perc : 0;
		if (m.n_mix < GRID_MAX_FUELS && str_copy(m.mix[m.n_mix].fuel, sizeof(m.mix[0].fuel), str_from(fuel))) {
			m.mix[m.n_mix].permille = (int32_t)decimal_from_double(perc, 1);
			m.mix[m.n_mix++].mw = GRID_UNKNOWN;
		}
	}
	if (sum >= 95 && sum <= 105) {
		grid_answer_put(p->a, GRID_RENEWABLE, zone, from, (int32_t)MIN(lround(green * 1000 / sum), 1000), kind);
		grid_answer_put(p->a, GRID_LOW_CARBON, zone, from, (int32_t)MIN(lround(clean * 1000 / sum), 1000),
				kind);
	} else if (mix) {
		grid_answer_drop(p->a, GRID_DROP_RANGE);
	}
	/* Kept of this slot and the next only, to be shown when its time comes. */
	if (from <= p->now_ms + SLOT_MS && from > p->now_ms - 2 * SLOT_MS) {
		struct grid_moment *kept = grid_answer_moment(p->a, zone, from);

		if (!kept)
			return;
		memcpy(m.zone, kept->zone, sizeof(m.zone));
		(void)str_copy(m.index, sizeof(m.index), str_from(json_string(index)));
		*kept = m;
	}
}

/* An object that holds `intensity` or `generationmix`, for a window whose times are known by now. */
static void take_values(struct parser *p, const struct json *o, const char *zone, int64_t from)
{
	const struct json *intensity = json_get(o, "intensity"), *mix = json_get(o, "generationmix");
	const struct json *index = json_get(intensity, "index");

	/* Number 18 is GB: its mix is the national one, its intensity another model's than the national API's. */
	if (strcmp(zone, "18") == 0) {
		zone = NATIONAL;
		index = NULL;
	} else if (intensity) {
		take_intensity(p, intensity, zone, from);
	}
	if (mix || index)
		take_mix(p, mix, index, zone, from);
}

static bool read_window(struct parser *p, const struct json *o, int64_t *ret_from)
{
	int64_t from, to;

	p->windows++;
	if (!json_time(json_get(o, "from"), &from) || !json_time(json_get(o, "to"), &to)) {
		grid_answer_drop(p->a, GRID_DROP_TYPE);
		return false;
	}
	if (to - from != SLOT_MS) {
		grid_answer_drop(p->a, GRID_DROP_STEP);
		return false;
	}
	*ret_from = from;
	return true;
}

static bool read_zone(struct parser *p, const struct json *o, char zone[8])
{
	int64_t id;

	if (!json_i64(json_get(o, "regionid"), &id) || id < 1 || id > MAX_REGION) {
		grid_answer_drop(p->a, GRID_DROP_ZONE);
		return false;
	}
	(void)snprintf(zone, 8, "%d", (int)id);
	return true;
}

/* A window of all regions. */
static void take_regions(struct parser *p, const struct json *regions, int64_t from)
{
	json_each (r, regions) {
		char zone[8];

		if (read_zone(p, r, zone))
			take_values(p, r, zone, from);
	}
}

/* A window of one zone, or of all regions. */
static void take_window(struct parser *p, const struct json *o, const char *zone)
{
	const struct json *regions = json_get(o, "regions");
	int64_t from;

	if (!read_window(p, o, &from))
		return;
	if (regions)
		take_regions(p, regions, from);
	else
		take_values(p, o, zone, from);
}

/* A region with its windows, or a window. */
static void take_item(struct parser *p, const struct json *o)
{
	const struct json *inner = json_get(o, "data");
	char zone[8];

	if (!json_is_object(o)) {
		grid_answer_drop(p->a, GRID_DROP_TYPE);
		return;
	}
	if (!inner) {
		take_window(p, o, NATIONAL);
		return;
	}
	if (!read_zone(p, o, zone))
		return;
	if (json_is_object(inner))
		take_window(p, inner, zone);
	else
		json_each (w, inner)
			take_window(p, w, zone);
}

static int parse(const struct grid_env *env, const struct grid_request *req, struct str body, struct grid_answer *a,
		 struct error *err)
{
	struct parser p = { .a = a, .now_ms = env->now_ms };
	struct json *doc _cleanup_(json_cleanup) = NULL;
	const struct json *data;
	int before = a->points;

	(void)req;
	if (str_empty(str_trim(body)))
		return error_set(err, ERR_NOT_FOUND, "empty body");
	if (json_parse(body, &doc, err))
		return -1;
	data = json_get(doc, "data");
	if (json_is_object(data)) {
		take_item(&p, data);
	} else if (json_is_array(data)) {
		json_each (item, data)
			take_item(&p, item);
	} else if (json_get(doc, "error")) {
		return error_set(err, ERR_INVALID, "the answer is an error object");
	} else if (json_first(doc)) {
		return error_set(err, ERR_INVALID, "no data member");
	}
	if (p.windows == 0)
		return error_set(err, ERR_NOT_FOUND, "no windows in the answer");
	if (a->points == before)
		return error_set(err, ERR_INVALID, "none of %d windows has a usable value", p.windows);
	return 0;
}

/* New forecasts appear on the half hour; asked for 2 to 5 minutes later. The past of regions is revised slowly. */
static int64_t next_poll_ms(const struct grid_env *env, const struct grid_request *req, int64_t known_until_ms,
			    double jitter)
{
	int64_t border = grid_now_slot(env) + 2 * MINUTE_MS;

	(void)known_until_ms;
	if (req->what == REGIONAL_PAST)
		border += 6 * HOUR_MS;
	else if (env->now_ms >= border)
		border += SLOT_MS;
	return border + (int64_t)(jitter * (double)(3 * MINUTE_MS));
}

const struct grid_provider grid_carbonintensity_gb = {
	.name = "carbonintensity-gb",
	.base_url = "https://api.carbonintensity.org.uk",
	.time_zone = "UTC",
	.attribution = "Carbon Intensity API, National Energy System Operator",
	.licence = "CC BY 4.0 and the API's terms",
	.has_zone = has_zone,
	.basis = basis,
	.area = area,
	.plan = plan,
	.serves = serves,
	.parse = parse,
	.next_poll_ms = next_poll_ms,
};
