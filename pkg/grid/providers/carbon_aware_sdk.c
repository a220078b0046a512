/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carbon Aware SDK of the Green Software Foundation: its Web API, run by the user, in front of sources that the user
 * chose there. Zones are its location names. Habits that shape this file:
 *
 *  - values are g/kWh, of whatever basis the source behind it has: unknown, unless a source of that name in our
 *    configuration states it;
 *  - past rows say `rating` and an "hh:mm:ss" duration, forecast rows `value` and minutes;
 *  - a span outside the data is refused with 400, so forecasts are asked for without one;
 *  - "ForecastDataSource is not configured" (400) is its set-up: the past may still work.
 */
#include "grid/read.h"

enum what { FORECAST, PAST };

static bool has_zone(const struct grid_env *env, enum grid_metric metric, const char *zone)
{
	(void)env;
	return metric == GRID_CARBON && grid_zone_is_plain(zone, "-_.");
}

static void basis(const struct grid_env *env, const char *zone, struct grid_basis *ret)
{
	const struct grid_custom *stated = grid_env_custom(env, zone);

	*ret = stated ? stated->basis : (struct grid_basis){ "", "", "", "" };
}

static void ask(const struct grid_env *env, struct grid_plan *plan, const char *zone, int what)
{
	int64_t now = grid_now_slot(env), from = now - GRID_PAST_SLOTS * SLOT_MS;
	char id[GRID_NAME_MAX * 2], a[TIME_TEXT], b[TIME_TEXT];
	struct grid_request *r;
	bool fits;

	(void)snprintf(id, sizeof(id), "%s %s", what == FORECAST ? "forecast" : "past", zone);
	r = grid_plan_add(plan, id);
	if (!r)
		return;
	if (what == FORECAST)
		fits = grid_plan_url(plan, r, "%s/emissions/forecasts/current?location=%s", env->base_url, zone);
	else
		fits = grid_plan_url(plan, r, "%s/emissions/bylocation?location=%s&time=%s&toTime=%s", env->base_url,
				     zone, time_format(from, a), time_format(now, b));
	if (!fits)
		return;
	grid_authorize(env, r);
	r->what = what;
	if (what == FORECAST)
		grid_request_about(r, zone, now - SLOT_MS, now + 4 * DAY_MS);
	else
		grid_request_about(r, zone, from, now);
}

static void plan(const struct grid_env *env, const struct grid_target *targets, size_t n, struct grid_plan *ret)
{
	if (!env->base_url || !env->base_url[0] || (env->secret && !grid_has_key(env)))
		return;
	for (size_t i = 0; i < n; i++) {
		if (!has_zone(env, targets[i].metric, targets[i].zone))
			continue;
		ask(env, ret, targets[i].zone, FORECAST);
		ask(env, ret, targets[i].zone, PAST);
	}
}

/* Minutes as a number, or .NET's "hh:mm:ss". 0 when it is neither. */
static int64_t read_duration(const struct json *j)
{
	const char *text = json_string(j);
	struct str rest = str_from(text), part;
	int64_t unit, total = 0, n;
	double minutes;

	if (!text)
		return json_double(j, &minutes) && minutes > 0 && minutes <= 1440 ? (int64_t)(minutes * 60) * SECOND_MS
										  : 0;
	for (unit = HOUR_MS; unit >= SECOND_MS; unit /= 60) {
		if (!str_split(&rest, ':', &part) || !str_to_i64(part, 0, 99, &n))
			return 0;
		total += n * unit;
	}
	return rest.ptr ? 0 : total;
}

static void take(struct grid_answer *a, const struct grid_request *req, int64_t now_ms, const struct json *row)
{
	const struct json *value = json_get(row, "value") ? json_get(row, "value") : json_get(row, "rating");
	const struct json *time = json_get(row, "timestamp") ? json_get(row, "timestamp") : json_get(row, "time");
	int64_t step_ms = read_duration(json_get(row, "duration")), ms;

	if (!json_time(time, &ms))
		grid_answer_drop(a, GRID_DROP_TYPE);
	else
		grid_put_json(a, GRID_CARBON, req->zone, ms, step_ms, value, 1000, grid_kind_of(ms + step_ms, now_ms));
}

static bool is_elsewhere(const struct grid_request *req, const struct json *o)
{
	const char *location = json_string(json_get(o, "location"));

	return location && strcasecmp(location, req->zone) != 0;
}

static int parse(const struct grid_env *env, const struct grid_request *req, struct str body, struct grid_answer *a,
		 struct error *err)
{
	struct json *doc _cleanup_(json_cleanup) = NULL;
	int before = a->points;
	size_t rows = 0;

	if (grid_read_json(body, &doc, err))
		return -1;
	if (!json_is_array(doc))
		return json_first(doc) ? error_set(err, ERR_INVALID, "the answer is not a list")
				       : error_set(err, ERR_NOT_FOUND, "empty answer");
	json_each (item, doc) {
		const struct json *points = json_get(item, "forecastData");

		/* A forecast names the location asked for, its points and the past the source's own zone. */
		if (points && is_elsewhere(req, item)) {
			grid_answer_drop(a, GRID_DROP_ZONE);
			rows++;
			continue;
		}
		if (!points) {
			take(a, req, env->now_ms, item);
			rows++;
			continue;
		}
		grid_read_issued(a, json_get(item, "generatedAt"), env->now_ms);
		json_each (point, points) {
			take(a, req, env->now_ms, point);
			rows++;
		}
	}
	return grid_read_verdict(a, before, rows, err);
}

const struct grid_provider grid_carbon_aware_sdk = {
	.name = "carbon-aware-sdk",
	.base_url = NULL,
	.time_zone = "UTC",
	.note = "the basis is that of the source behind it; state it under grid.sources",
	.licence = "that of the source behind it",
	.confidence_permille = 800,
	.flat = true, /* as that of the sources behind it */
	.no_export = true,
	.has_zone = has_zone,
	.basis = basis,
	.plan = plan,
	.parse = parse,
	.poll_every_ms = 15 * MINUTE_MS,
};
