/* SPDX-License-Identifier: Apache-2.0 */
/* Weather: Open-Meteo's parallel arrays with times without a zone, and the Met Office's GeoJSON. */
#include "series.h"

static const struct {
	const char *name, *met_office;
	enum quantity q;
	double scale;
	const char *unit;
} variables[] = { { "temperature_2m", "screenTemperature", Q_TEMPERATURE, 1, "°C" },
		  { "wind_speed_10m", "windSpeed10m", Q_WIND_SPEED, 3.6, "km/h" },
		  { "wind_speed_100m", NULL, Q_WIND_SPEED, 4.7, "km/h" },
		  { "shortwave_radiation", NULL, Q_IRRADIANCE, 1, "W/m²" } };

static void put_variable(struct json_writer *w, const struct request *req, size_t i, struct span s)
{
	bool metres = cstr_eq(http_param(req->x, "wind_speed_unit"), "ms") && variables[i].q == Q_WIND_SPEED;

	jw_array(w, variables[i].name);
	for (int64_t t = s.from_ms; t < s.to_ms; t += s.step_ms) {
		struct point p = series_point(req, variables[i].q, t, (int)i);

		p.value *= metres ? variables[i].scale / 3.6 : variables[i].scale;
		if (series_point(req, Q_TEMPERATURE, t, 0).state != POINT_NONE)
			jw_point(w, req, NULL, p, 1);
	}
	jw_end_array(w);
}

static bool wanted(const struct request *req, const char *name)
{
	struct str rest = str_from(param_text(req, "hourly", "")), part;

	while (str_split(&rest, ',', &part))
		if (str_is(part, name))
			return true;
	return false;
}

static void put_units(struct json_writer *w, const struct request *req)
{
	bool metres = cstr_eq(http_param(req->x, "wind_speed_unit"), "ms");

	jw_object(w, "hourly_units");
	jw_string(w, "time", cstr_eq(http_param(req->x, "timeformat"), "unixtime") ? "unixtime" : "iso8601");
	for (size_t i = 0; i < ARRAY_LEN(variables); i++)
		if (wanted(req, variables[i].name))
			jw_string(w, variables[i].name,
				  req->fault[FAULT_MAPPING]                  ? "undefined"
				  : metres && variables[i].q == Q_WIND_SPEED ? "m/s"
									     : variables[i].unit);
	jw_end_object(w);
}

/* /v1/forecast?latitude&longitude&hourly */
int open_meteo_answer(struct request *req)
{
	struct json_writer w = json_writer(req->out);
	int64_t day = time_slot_floor(req->now_ms, DAY_MS), past = 0, days = 7;
	char text[TIME_TEXT];
	double latitude = 0;
	struct span s;

	if (!str_to_double(str_from(param_text(req, "latitude", "")), &latitude))
		return refuse_json(req, 400, "reason", "Parameter 'latitude' must be a number");
	(void)str_to_i64(str_from(param_text(req, "past_days", "0")), 0, 92, &past);
	(void)str_to_i64(str_from(param_text(req, "forecast_days", "7")), 0, 16, &days);
	s = series_span(req, day - past * DAY_MS, day + days * DAY_MS, HOUR_MS);
	jw_object(&w, NULL);
	jw_double(&w, "latitude", latitude, 4);
	jw_i64(&w, "utc_offset_seconds", 0);
	jw_string(&w, "timezone", "GMT");
	put_units(&w, req);
	jw_object(&w, "hourly");
	jw_array(&w, "time");
	for (int64_t t = s.from_ms; t < s.to_ms; t += s.step_ms) {
		if (series_point(req, Q_TEMPERATURE, t, 0).state == POINT_NONE)
			continue;
		if (cstr_eq(http_param(req->x, "timeformat"), "unixtime")) {
			jw_i64(&w, NULL, series_label(req, t) / SECOND_MS);
			continue;
		}
		(void)naive_text(series_label(req, t), text);
		text[16] = '\0';
		jw_string(&w, NULL, text);
	}
	jw_end_array(&w);
	for (size_t i = 0; i < ARRAY_LEN(variables); i++)
		if (wanted(req, variables[i].name))
			put_variable(&w, req, i, s);
	jw_end_object(&w);
	jw_surprise(&w, req);
	jw_end_object(&w);
	return 200;
}

static void put_hours(struct json_writer *w, const struct request *req)
{
	int64_t hour = time_slot_floor(req->now_ms, HOUR_MS);
	struct span s = series_span(req, hour - HOUR_MS, hour + 2 * DAY_MS, HOUR_MS);
	char text[TIME_TEXT];

	for (int64_t t = s.from_ms; t < s.to_ms; t += s.step_ms) {
		if (series_point(req, Q_TEMPERATURE, t, 0).state == POINT_NONE)
			continue;
		jw_object(w, NULL);
		jw_string(w, "time", time_format_minute(series_label(req, t), text));
		for (size_t i = 0; i < ARRAY_LEN(variables); i++)
			if (variables[i].met_office)
				jw_point(w, req, variables[i].met_office, series_point(req, variables[i].q, t, (int)i),
					 2);
		jw_i64(w, "significantWeatherCode", 7);
		jw_surprise(w, req);
		jw_end_object(w);
	}
}

/* /sitespecific/v0/point/hourly?latitude&longitude */
int met_office_answer(struct request *req)
{
	struct json_writer w = json_writer(req->out);

	jw_object(&w, NULL);
	jw_string(&w, "type", "FeatureCollection");
	jw_array(&w, "features");
	jw_object(&w, NULL);
	jw_string(&w, "type", "Feature");
	jw_object(&w, "properties");
	jw_time(&w, "modelRunDate", series_measured_ms(req));
	jw_array(&w, "timeSeries");
	put_hours(&w, req);
	jw_end_array(&w);
	jw_end_object(&w);
	jw_end_object(&w);
	jw_end_array(&w);
	jw_end_object(&w);
	return 200;
}
