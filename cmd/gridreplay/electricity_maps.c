/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Electricity Maps v3: hours, lifecycle carbon by zone. A figure of our own: 1.15 times the direct one, and another
 * level for each zone but GB.
 */
#include "series.h"

static struct point zone_point(const struct request *req, const char *zone, int64_t ms)
{
	struct point p = series_point(req, Q_CARBON, ms, 0);

	if (p.state == POINT_VALUE && !req->fault[FAULT_NEGATIVE])
		p.value *= 1.15 * (cstr_eq(zone, "GB") ? 1 : 0.6 + (double)(str_fnv1a(str_from(zone)) % 80) / 100);
	return p;
}

static void put_hour(struct json_writer *w, const struct request *req, const char *zone, int64_t ms)
{
	jw_point(w, req, "carbonIntensity", zone_point(req, zone, ms), 0);
	jw_time(w, "datetime", series_label(req, ms));
}

static void put_state(struct json_writer *w, const struct request *req, bool estimated)
{
	jw_time(w, "updatedAt", req->now_ms);
	jw_time(w, "createdAt", req->now_ms - DAY_MS);
	jw_string(w, "emissionFactorType", req->fault[FAULT_MAPPING] ? "direct" : "lifecycle");
	jw_bool(w, "isEstimated", estimated);
	if (estimated)
		jw_string(w, "estimationMethod", "TIME_SLICER_AVERAGE");
	else
		jw_null(w, "estimationMethod");
	jw_string(w, "temporalGranularity", req->fault[FAULT_STEP] ? "15_minutes" : "hourly");
}

/* The last three hours of what was are estimates that are rewritten later. */
static void put_hours(struct json_writer *w, const struct request *req, const char *zone, int64_t from, int64_t to,
		      bool ahead)
{
	struct span s = series_span(req, from, to, HOUR_MS);

	for (int64_t t = s.from_ms; t < s.to_ms; t += s.step_ms) {
		if (zone_point(req, zone, t).state == POINT_NONE)
			continue;
		jw_object(w, NULL);
		if (!ahead)
			jw_string(w, "zone", zone_label(req, zone));
		put_hour(w, req, zone, t);
		if (!ahead)
			put_state(w, req, t >= req->now_ms - 3 * HOUR_MS);
		jw_surprise(w, req);
		jw_end_object(w);
	}
}

static void put_breakdown(struct json_writer *w, const struct request *req, const char *zone, int64_t ms)
{
	static const char *const fuels[MIX_FUELS] = { "coal", "gas", "nuclear", "hydro", "solar", "wind" };
	int mix[MIX_FUELS], clean;
	struct point demand = series_point(req, Q_DEMAND, ms, 0);

	mix_at(req, ms, mix);
	clean = 1000 - mix[MIX_COAL] - mix[MIX_GAS];
	jw_string(w, "zone", zone_label(req, zone));
	jw_time(w, "datetime", series_label(req, ms));
	jw_object(w, "powerConsumptionBreakdown");
	for (int i = 0; i < MIX_FUELS; i++) {
		bool dead = req->fault[FAULT_DEAD] && (i == MIX_GAS || i == MIX_NUCLEAR);

		jw_point(w, req, fuels[i], (struct point){ demand.state, dead ? 0 : demand.value * mix[i] / 1000 }, 0);
	}
	jw_null(w, "unknown");
	jw_end_object(w);
	jw_i64(w, "fossilFreePercentage", clean / 10);
	jw_i64(w, "renewablePercentage", (clean - mix[MIX_NUCLEAR]) / 10);
	jw_point(w, req, "powerConsumptionTotal", demand, 0);
	put_state(w, req, true);
}

static void breakdown(struct json_writer *w, const struct request *req, const char *zone, bool history)
{
	int64_t hour = time_slot_floor(req->now_ms, HOUR_MS);
	struct span s = series_span(req, hour - 23 * HOUR_MS, hour + HOUR_MS, HOUR_MS);

	if (!history) {
		put_breakdown(w, req, zone, hour);
		return;
	}
	jw_string(w, "zone", zone_label(req, zone));
	jw_array(w, "history");
	for (int64_t t = s.from_ms; t < s.to_ms; t += s.step_ms) {
		if (series_point(req, Q_DEMAND, t, 0).state == POINT_NONE)
			continue;
		jw_object(w, NULL);
		put_breakdown(w, req, zone, t);
		jw_end_object(w);
	}
	jw_end_array(w);
}

/* /v3/{carbon-intensity|power-breakdown}/{latest|history|past-range|forecast}?zone */
int electricity_maps_answer(struct request *req)
{
	struct json_writer w = json_writer(req->out);
	const char *zone = param_text(req, "zone", "GB");
	int64_t hour = time_slot_floor(req->now_ms, HOUR_MS);
	struct str what = req->n_path > 2 ? req->path[2] : STR("");

	jw_object(&w, NULL);
	if (str_is(req->path[1], "power-breakdown")) {
		breakdown(&w, req, zone, str_is(what, "history"));
	} else if (str_is(what, "latest")) {
		jw_string(&w, "zone", zone_label(req, zone));
		put_hour(&w, req, zone, hour);
		put_state(&w, req, true);
	} else if (str_is(what, "history") || str_is(what, "past-range")) {
		jw_string(&w, "zone", zone_label(req, zone));
		jw_array(&w, str_is(what, "history") ? "history" : "data");
		put_hours(&w, req, zone, param_time(req, "start", hour - 23 * HOUR_MS),
			  param_time(req, "end", hour + HOUR_MS), false);
		jw_end_array(&w);
	} else if (str_is(what, "forecast")) {
		jw_string(&w, "zone", zone_label(req, zone));
		jw_array(&w, "forecast");
		put_hours(&w, req, zone, hour, hour + 3 * DAY_MS, true);
		jw_end_array(&w);
		jw_time(&w, "updatedAt", req->now_ms);
		jw_string(&w, "temporalGranularity", req->fault[FAULT_STEP] ? "15_minutes" : "hourly");
	} else {
		buf_reset(req->out);
		return refuse_json(req, 404, "message", "no Route matched with those values");
	}
	jw_surprise(&w, req);
	jw_end_object(&w);
	return 200;
}
