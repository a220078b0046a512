/* SPDX-License-Identifier: Apache-2.0 */
/* The Carbon Aware SDK's Web API: g/kWh in steps of 5 min, `rating` in emissions and `value` in forecasts. */
#include "series.h"

#define STEP_MS (5 * MINUTE_MS)

static void put_emissions(struct json_writer *w, const struct request *req, const char *location)
{
	int64_t now = time_slot_floor(req->now_ms, STEP_MS);
	struct span s = series_span(req, param_time(req, "time", now - DAY_MS),
				    MIN(param_time(req, "toTime", now), now), STEP_MS);

	for (int64_t t = s.from_ms; t < s.to_ms; t += s.step_ms) {
		struct point p = series_point(req, Q_CARBON, t, 0);

		if (p.state == POINT_NONE)
			continue;
		jw_object(w, NULL);
		jw_string(w, "location", zone_label(req, location));
		jw_time(w, "time", series_label(req, t));
		jw_point(w, req, "rating", p, 2);
		jw_stringf(w, "duration", "00:%02d:00", (int)(s.step_ms / MINUTE_MS));
		jw_surprise(w, req);
		jw_end_object(w);
	}
}

static void put_forecast(struct json_writer *w, const struct request *req, const char *location)
{
	int64_t now = time_slot_floor(req->now_ms, STEP_MS);
	struct span s = series_span(req, param_time(req, "dataStartAt", now),
				    param_time(req, "dataEndAt", now + DAY_MS), STEP_MS);

	jw_object(w, NULL);
	jw_time(w, "requestedAt", req->now_ms);
	jw_time(w, "generatedAt", series_measured_ms(req));
	jw_string(w, "location", location);
	jw_time(w, "dataStartAt", s.from_ms);
	jw_time(w, "dataEndAt", s.to_ms);
	jw_i64(w, "windowSize", s.step_ms / MINUTE_MS);
	/* The documentation says optimalDataPoint; the code sends this. */
	jw_array(w, "optimalDataPoints");
	jw_end_array(w);
	jw_array(w, "forecastData");
	for (int64_t t = s.from_ms; t < s.to_ms; t += s.step_ms) {
		struct point p = series_point(req, Q_CARBON, t, 0);

		if (p.state == POINT_NONE)
			continue;
		jw_object(w, NULL);
		jw_string(w, "location", zone_label(req, location));
		jw_time(w, "timestamp", series_label(req, t));
		jw_i64(w, "duration", s.step_ms / MINUTE_MS);
		jw_point(w, req, "value", p, 2);
		jw_end_object(w);
	}
	jw_end_array(w);
	jw_surprise(w, req);
	jw_end_object(w);
}

/* /emissions/{bylocation|forecasts/current}?location */
int carbon_aware_sdk_answer(struct request *req)
{
	const char *location = param_text(req, "location", "uksouth");
	struct json_writer w = json_writer(req->out);
	bool forecast = req->n_path == 3 && str_is(req->path[1], "forecasts") && str_is(req->path[2], "current");

	if (!forecast && !(req->n_path >= 2 && str_has_prefix(req->path[1], STR("bylocation"))))
		return refuse_json(req, 404, "title", "Not Found");
	jw_array(&w, NULL);
	if (forecast)
		put_forecast(&w, req, location);
	else
		put_emissions(&w, req, location);
	jw_end_array(&w);
	return 200;
}
