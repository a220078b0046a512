/* SPDX-License-Identifier: Apache-2.0 */
/* What is served for sources by configuration: files of JSON or CSV, and a Prometheus that answers query_range. */
#include "series.h"

#define STEP_MIN_MS (15 * SECOND_MS)

static const struct {
	const char *name;
	enum quantity q;
} signals[] = { { "carbon", Q_CARBON }, { "price", Q_WHOLESALE }, { "demand", Q_DEMAND },          { "wind", Q_WIND },
		{ "solar", Q_SOLAR },   { "margin", Q_MARGIN },   { "temperature", Q_TEMPERATURE } };

/* The first signal whose name is in the text: "carbon.json", "avg(grid_carbon_g_per_kwh)". */
static bool find_signal(struct str text, enum quantity *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		if (text.len && memmem(text.ptr, text.len, signals[i].name, strlen(signals[i].name))) {
			*ret = signals[i].q;
			return true;
		}
	return false;
}

static void put_file(struct request *req, enum quantity q, bool csv)
{
	int64_t now = series_measured_ms(req);
	struct span s = series_span(req, param_time(req, "from", now - DAY_MS), param_time(req, "to", now + 2 * DAY_MS),
				    SLOT_MS);
	struct json_writer w = json_writer(req->out);
	char value[32], time[TIME_TEXT];

	if (csv)
		(void)buf_adds(req->out, "time,value\n");
	else
		jw_object(&w, NULL), jw_array(&w, "data");
	for (int64_t t = s.from_ms; t < s.to_ms; t += s.step_ms) {
		struct point p = series_point(req, q, t, 0);

		if (p.state == POINT_NONE)
			continue;
		if (csv) {
			(void)buf_addf(req->out, "%s,%s\n", time_format(series_label(req, t), time),
				       point_text(p, 2, value));
			continue;
		}
		jw_object(&w, NULL);
		jw_time(&w, "time", series_label(req, t));
		jw_point(&w, req, "value", p, 2);
		jw_surprise(&w, req);
		jw_end_object(&w);
	}
	if (!csv)
		jw_end_array(&w), jw_end_object(&w);
}

/* /files/{signal}.{json|csv}[?from&to] */
int generic_answer(struct request *req)
{
	bool csv = req->n_path == 2 && str_has_suffix(req->path[1], STR(".csv"));
	enum quantity q;

	if (req->n_path != 2 || !find_signal(req->path[1], &q))
		return refuse_json(req, 404, "error", "no such file");
	if (csv)
		req->type = "text/csv";
	put_file(req, q, csv);
	return 200;
}

/* Seconds, or RFC 3339. */
static int64_t param_seconds(const struct request *req, const char *name, int64_t def_ms)
{
	double seconds;

	return str_to_double(str_from(param_text(req, name, "")), &seconds) ? (int64_t)(seconds * SECOND_MS)
									    : param_time(req, name, def_ms);
}

/* /api/v1/query_range?query&start&end&step */
int prometheus_answer(struct request *req)
{
	struct json_writer w = json_writer(req->out);
	int64_t now = series_measured_ms(req), step = param_seconds(req, "step", SLOT_MS);
	struct span s = series_span(req, param_seconds(req, "start", now - DAY_MS), param_seconds(req, "end", now) + 1,
				    CLAMP(step, STEP_MIN_MS, DAY_MS));
	char value[32];
	enum quantity q;

	if (req->n_path != 3 || !find_signal(str_from(param_text(req, "query", "")), &q))
		return refuse_json(req, 400, "error", "bad_data: no such signal");
	jw_object(&w, NULL);
	jw_string(&w, "status", "success");
	jw_object(&w, "data");
	jw_string(&w, "resultType", "matrix");
	jw_array(&w, "result");
	jw_object(&w, NULL);
	jw_object(&w, "metric");
	jw_end_object(&w);
	jw_array(&w, "values");
	for (int64_t t = s.from_ms; t < s.to_ms; t += s.step_ms) {
		struct point p = series_point(req, q, t, 0);

		if (p.state == POINT_NONE)
			continue;
		jw_array(&w, NULL);
		jw_i64(&w, NULL, series_label(req, t) / SECOND_MS);
		jw_string(&w, NULL, p.state == POINT_NULL ? "NaN" : point_text(p, 2, value));
		jw_end_array(&w);
	}
	jw_end_array(&w);
	jw_end_object(&w);
	jw_end_array(&w);
	jw_end_object(&w);
	jw_surprise(&w, req);
	jw_end_object(&w);
	return 200;
}
