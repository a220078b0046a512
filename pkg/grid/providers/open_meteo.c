/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open-Meteo: hourly weather of a place anywhere. Zones are names of places in the configuration (latitude, longitude).
 * Habits that shape this file:
 *
 *  - parallel arrays, one of times; a variable may be null throughout, or have the unit "undefined";
 *  - temperature and wind are those of the moment, radiation is the mean of the hour before: labelled with its end;
 *  - times without a zone where ISO text is asked for, so unix seconds are; both are read, for recordings;
 *  - without a key for non-commercial use only; a key (X-Api-Key) wants the customers' base URL.
 */
#include "grid/read.h"

#define FORECAST_DAYS 7
#define PAST_DAYS 2

static const struct variable {
	const char *name;
	enum grid_metric metric;
	bool end_labelled;
	/* By the unit that the answer states: value x factor = the metric's unit. */
	struct {
		const char *name;
		double factor;
	} units[2];
} variables[] = {
	{ "temperature_2m", GRID_TEMPERATURE, false, { { "\u00b0C", 1000 } } },
	{ "wind_speed_10m", GRID_WIND_SPEED, false, { { "m/s", 1000 }, { "km/h", 1000 / 3.6 } } },
	{ "shortwave_radiation", GRID_IRRADIANCE, true, { { "W/m\u00b2", 1 } } },
};

static bool has_zone(const struct grid_env *env, enum grid_metric metric, const char *zone)
{
	for (size_t i = 0; i < ARRAY_LEN(variables); i++)
		if (variables[i].metric == metric)
			return grid_place(env, zone);
	return false;
}

static void plan(const struct grid_env *env, const struct grid_target *targets, size_t n, struct grid_plan *ret)
{
	int64_t now = grid_now_slot(env);

	for (size_t i = 0; i < n && (!env->secret || grid_has_key(env)); i++) {
		const struct grid_custom *place = grid_place(env, targets[i].zone);
		char id[GRID_NAME_MAX * 2];
		struct grid_request *r;

		if (!has_zone(env, targets[i].metric, targets[i].zone))
			continue;
		(void)snprintf(id, sizeof(id), "weather %s", place->name);
		r = grid_plan_add(ret, id);
		if (!r ||
		    !grid_plan_url(ret, r,
				   "%s/forecast?latitude=%.4f&longitude=%.4f&hourly=temperature_2m,wind_speed_10m,"
				   "shortwave_radiation&wind_speed_unit=ms&timezone=GMT&timeformat=unixtime"
				   "&past_days=%d&forecast_days=%d",
				   env->base_url, place->latitude, place->longitude, PAST_DAYS, FORECAST_DAYS))
			continue;
		if (env->secret)
			grid_key_header(env, r, "X-Api-Key");
		grid_request_about(r, place->name, now - GRID_PAST_SLOTS * SLOT_MS, now + FORECAST_DAYS * DAY_MS);
	}
}

/* Unix seconds, or "2024-01-15T00:00" of a clock that is offset_s ahead of UTC. */
static bool read_time(const struct json *j, int64_t offset_s, int64_t *ret_ms)
{
	const char *text = json_string(j);
	char utc[TIME_TEXT];
	int64_t s;

	if (text) {
		(void)snprintf(utc, sizeof(utc), "%sZ", text);
		if (!time_parse(str_from(utc), ret_ms))
			return false;
		*ret_ms -= offset_s * SECOND_MS;
		return true;
	}
	if (!json_i64(j, &s) || s < 0 || s > INT64_MAX / SECOND_MS / 2)
		return false;
	*ret_ms = s * SECOND_MS;
	return true;
}

/* 0 for a unit that is none of the variable's. */
static double factor_of(const struct variable *v, const char *unit)
{
	for (size_t i = 0; i < ARRAY_LEN(v->units) && v->units[i].name; i++)
		if (cstr_eq(unit, v->units[i].name))
			return v->units[i].factor;
	return 0;
}

static void take(struct grid_answer *a, const struct grid_request *req, int64_t now_ms, const struct variable *v,
		 const struct json *doc)
{
	const struct json *hourly = json_get(doc, "hourly"), *value = json_first(json_get(hourly, v->name));
	double factor = factor_of(v, json_string(json_get(json_get(doc, "hourly_units"), v->name)));
	int64_t offset_s = 0, ms;

	(void)json_i64(json_get(doc, "utc_offset_seconds"), &offset_s);
	offset_s = CLAMP(offset_s, -DAY_MS / SECOND_MS, DAY_MS / SECOND_MS);
	json_each (time, json_get(hourly, "time")) {
		if (!read_time(time, offset_s, &ms) || (value && !json_is_null(value) && factor == 0)) {
			grid_answer_drop(a, GRID_DROP_TYPE);
		} else {
			if (v->end_labelled)
				ms -= HOUR_MS;
			grid_put_json(a, v->metric, req->zone, ms, HOUR_MS, value, factor,
				      grid_kind_of(ms + HOUR_MS, now_ms));
		}
		value = json_next(value);
	}
}

static int parse(const struct grid_env *env, const struct grid_request *req, struct str body, struct grid_answer *a,
		 struct error *err)
{
	struct json *doc _cleanup_(json_cleanup) = NULL;
	const struct json *hourly, *times;
	int before = a->points;

	if (grid_read_json(body, &doc, err))
		return -1;
	hourly = json_get(doc, "hourly");
	times = json_get(hourly, "time");
	if (json_get(doc, "error"))
		return error_set(err, ERR_INVALID, "the answer is an error object");
	if (!json_is_array(times))
		return json_first(doc) ? error_set(err, ERR_INVALID, "no hourly.time list")
				       : error_set(err, ERR_NOT_FOUND, "empty answer");
	for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
		const struct json *values = json_get(hourly, variables[i].name);

		if (values && json_len(values) != json_len(times))
			return error_set(err, ERR_INVALID, "hourly.%s has %zu values for %zu times", variables[i].name,
					 json_len(values), json_len(times));
		if (values)
			take(a, req, env->now_ms, &variables[i], doc);
	}
	return grid_read_verdict(a, before, json_len(times), err);
}

const struct grid_provider grid_open_meteo = {
	.name = "open-meteo",
	.base_url = "https://api.open-meteo.com/v1",
	.time_zone = "UTC",
	.note = "free for non-commercial use only; else set a key and the customers' base URL",
	.attribution = "Weather data by Open-Meteo.com",
	.licence = "CC BY 4.0",
	/* 10,000 a day, shared with whoever has the same address. */
	.budget_requests = 100,
	.budget_ms = HOUR_MS,
	.flat = true,
	.has_zone = has_zone,
	.plan = plan,
	.parse = parse,
	.poll_every_ms = HOUR_MS,
};
