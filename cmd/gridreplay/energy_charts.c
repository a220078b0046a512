/* SPDX-License-Identifier: Apache-2.0 */
/* energy-charts: day-ahead prices as parallel arrays in steps of 15 min. */
#include "series.h"

/* /price?bzn&start&end */
int energy_charts_answer(struct request *req)
{
	struct json_writer w = json_writer(req->out);
	int64_t now = series_measured_ms(req), day = time_slot_floor(now, DAY_MS);
	struct span s = series_span(req, param_time(req, "start", day), param_time(req, "end", day + DAY_MS) + DAY_MS,
				    15 * MINUTE_MS);

	if (req->fault[FAULT_STEP])
		s.step_ms = HOUR_MS;
	s.from_ms = time_slot_ceil(s.from_ms, s.step_ms);
	jw_object(&w, NULL);
	jw_string(&w, "license_info", "illustrative");
	jw_array(&w, "unix_seconds");
	for (int64_t t = s.from_ms; t < s.to_ms; t += s.step_ms)
		if (series_point(req, Q_WHOLESALE, t, 0).state != POINT_NONE)
			jw_i64(&w, NULL, series_label(req, t) / SECOND_MS);
	/* One more time than prices. */
	if (req->fault[FAULT_SCHEMA])
		jw_i64(&w, NULL, s.to_ms / SECOND_MS);
	jw_end_array(&w);
	jw_array(&w, "price");
	for (int64_t t = s.from_ms; t < s.to_ms; t += s.step_ms) {
		struct point p = series_point(req, Q_WHOLESALE, t, 0);

		if (p.state != POINT_NONE)
			jw_point(&w, req, NULL, p, 2);
	}
	jw_end_array(&w);
	jw_string(&w, "unit", req->fault[FAULT_MAPPING] ? "GWh" : "EUR / MWh");
	jw_bool(&w, "deprecated", false);
	jw_surprise(&w, req);
	jw_end_object(&w);
	return 200;
}
