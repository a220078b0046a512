/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Met Office Weather DataHub, Site Specific (Global Spot): hourly forecast of a place for two days, with a key. Zones
 * are names of places in the configuration (latitude, longitude). It is GeoJSON of one point; temperature at 1.5 m in
 * degrees Celsius, wind at 10 m in m/s, both of the moment; no radiation. The free plan allows 360 calls a day.
 */
#include "grid/read.h"

static const struct {
	const char *name;
	enum grid_metric metric;
} variables[] = {
	{ "screenTemperature", GRID_TEMPERATURE },
	{ "windSpeed10m", GRID_WIND_SPEED },
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

	for (size_t i = 0; i < n && grid_has_key(env); i++) {
		const struct grid_custom *place = grid_place(env, targets[i].zone);
		char id[GRID_NAME_MAX * 2];
		struct grid_request *r;

		if (!has_zone(env, targets[i].metric, targets[i].zone))
			continue;
		(void)snprintf(id, sizeof(id), "weather %s", place->name);
		r = grid_plan_add(ret, id);
		if (!r || !grid_plan_url(ret, r,
					 "%s/point/hourly?latitude=%.4f&longitude=%.4f&excludeParameterMetadata=true"
					 "&includeLocationName=false",
					 env->base_url, place->latitude, place->longitude))
			continue;
		grid_key_header(env, r, "apikey");
		grid_request_about(r, place->name, now - 4 * SLOT_MS, now + 3 * DAY_MS);
	}
}

static int parse(const struct grid_env *env, const struct grid_request *req, struct str body, struct grid_answer *a,
		 struct error *err)
{
	struct json *doc _cleanup_(json_cleanup) = NULL;
	const struct json *properties, *rows;
	int before = a->points;
	int64_t ms;

	if (grid_read_json(body, &doc, err))
		return -1;
	properties = json_get(json_first(json_get(doc, "features")), "properties");
	rows = json_get(properties, "timeSeries");
	if (!json_is_array(rows))
		return json_first(doc) ? error_set(err, ERR_INVALID, "no features[0].properties.timeSeries")
				       : error_set(err, ERR_NOT_FOUND, "empty answer");
	grid_read_issued(a, json_get(properties, "modelRunDate"), env->now_ms);
	json_each (row, rows) {
		if (!json_time(json_get(row, "time"), &ms)) {
			grid_answer_drop(a, GRID_DROP_TYPE);
			continue;
		}
		for (size_t i = 0; i < ARRAY_LEN(variables); i++)
			grid_put_json(a, variables[i].metric, req->zone, ms, HOUR_MS, json_get(row, variables[i].name),
				      1000, grid_kind_of(ms + HOUR_MS, env->now_ms));
	}
	return grid_read_verdict(a, before, json_len(rows), err);
}

const struct grid_provider grid_met_office = {
	.name = "met-office",
	.base_url = "https://data.hub.api.metoffice.gov.uk/sitespecific/v0",
	.time_zone = "UTC",
	.attribution = "Contains Met Office data (c) Crown copyright",
	.licence = "Met Office Weather DataHub terms",
	.secret = "a key for Site Specific of datahub.metoffice.gov.uk",
	.budget_requests = 360,
	.budget_ms = DAY_MS,
	.flat = true,
	.has_zone = has_zone,
	.plan = plan,
	.parse = parse,
	.poll_every_ms = HOUR_MS,
};
