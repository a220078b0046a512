/* SPDX-License-Identifier: Apache-2.0 */
/* Sheffield Solar's PV_Live v4: rows as arrays, their names in `meta`, newest first, labelled by the period's end. */
#include "series.h"

/* /pvlive/api/v4/{gsp|pes}/{id}?start&end */
int pv_live_answer(struct request *req)
{
	struct json_writer w = json_writer(req->out);
	int64_t now = series_measured_ms(req), id;
	struct span s = series_span(req, param_time(req, "start", now - SLOT_MS) - SLOT_MS,
				    MIN(param_time(req, "end", now), now), SLOT_MS);

	if (req->n_path != 5 || !str_to_i64(req->path[4], 0, 400, &id))
		return refuse_json(req, 404, "detail", "no such entity");
	jw_object(&w, NULL);
	jw_array(&w, "data");
	for (int64_t t = s.to_ms - s.step_ms; t >= s.from_ms; t -= s.step_ms) {
		struct point p = series_point(req, Q_SOLAR, t, 0);

		if (p.state == POINT_NONE)
			continue;
		jw_array(&w, NULL);
		jw_i64(&w, NULL, req->fault[FAULT_MAPPING] ? 327 : id);
		jw_time(&w, NULL, series_label(req, t) + s.step_ms);
		jw_point(&w, req, NULL, p, 1);
		jw_end_array(&w);
	}
	jw_end_array(&w);
	jw_array(&w, "meta");
	jw_string(&w, NULL, "gsp_id");
	jw_string(&w, NULL, "datetime_gmt");
	jw_string(&w, NULL, "generation_mw");
	jw_end_array(&w);
	jw_surprise(&w, req);
	jw_end_object(&w);
	return 200;
}
