/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WattTime v3: a login gives a token for 30 min (domain time; 3 min under fault 18), with which marginal carbon is had
 * in steps of 5 min, in pounds per MWh. A figure of our own: 200 g/kWh more than the average one.
 */
#include "series.h"

#define POUND_G 453.59237
#define STEP_MS (5 * MINUTE_MS)
#define TOKEN "replay-token-"

static int64_t token_life(const struct request *req)
{
	return req->fault[FAULT_AUTH] ? 3 * MINUTE_MS : 30 * MINUTE_MS;
}

int watttime_login(struct request *req)
{
	const char *given = http_header(req->x, "authorization");
	struct json_writer w = json_writer(req->out);

	if (!given || strncmp(given, "Basic ", 6) != 0) {
		req->type = "text/html";
		(void)buf_adds(req->out, "<html><body><h1>403 Forbidden</h1></body></html>");
		return 403;
	}
	jw_object(&w, NULL);
	jw_stringf(&w, "token", TOKEN "%" PRId64, req->now_ms);
	jw_end_object(&w);
	return 200;
}

/* The token says when it was made. */
static bool has_token(const struct request *req)
{
	static const char scheme[] = "Bearer " TOKEN;
	const char *given = http_header(req->x, "authorization");
	int64_t made;

	return given && strncmp(given, scheme, sizeof(scheme) - 1) == 0 &&
	       str_to_i64(str_from(given + sizeof(scheme) - 1), 0, INT64_MAX, &made) && made <= req->now_ms &&
	       req->now_ms - made < token_life(req);
}

int watttime_region(struct request *req)
{
	struct json_writer w = json_writer(req->out);

	if (!has_token(req))
		return refuse_json(req, 401, "detail", "Signature has expired");
	jw_object(&w, NULL);
	jw_string(&w, "region", zone_label(req, "UK"));
	jw_string(&w, "region_full_name", "Illustrative");
	jw_string(&w, "signal_type", "co2_moer");
	jw_end_object(&w);
	return 200;
}

static void put_rows(struct json_writer *w, const struct request *req, int64_t from, int64_t to)
{
	struct span s = series_span(req, from, to, STEP_MS);

	for (int64_t t = s.from_ms; t < s.to_ms; t += s.step_ms) {
		struct point p = series_point(req, Q_CARBON, t, 0);

		if (p.state == POINT_NONE)
			continue;
		if (!req->fault[FAULT_NEGATIVE])
			p.value += 200;
		p.value *= 1000 / POUND_G;
		jw_object(w, NULL);
		jw_time(w, "point_time", series_label(req, t));
		jw_point(w, req, "value", p, 1);
		jw_surprise(w, req);
		jw_end_object(w);
	}
}

static void put_meta(struct json_writer *w, const struct request *req, const char *units)
{
	jw_object(w, "meta");
	jw_i64(w, "data_point_period_seconds", (req->fault[FAULT_STEP] ? 15 * MINUTE_MS : STEP_MS) / SECOND_MS);
	jw_string(w, "region", zone_label(req, param_text(req, "region", "UK")));
	jw_string(w, "signal_type", "co2_moer");
	jw_string(w, "units", req->fault[FAULT_MAPPING] ? "percentile" : units);
	jw_time(w, "generated_at", series_measured_ms(req));
	jw_i64(w, "generated_at_period_seconds", 300);
	jw_object(w, "model");
	jw_string(w, "date", "2025-06-01");
	jw_end_object(w);
	jw_array(w, "warnings");
	jw_end_array(w);
	jw_end_object(w);
}

/* /v3/{forecast|historical|signal-index}?region&signal_type */
int watttime_answer(struct request *req)
{
	struct json_writer w = json_writer(req->out);
	int64_t now = time_slot_floor(req->now_ms, STEP_MS), hours = 24;

	if (!has_token(req))
		return refuse_json(req, 401, "detail", "Signature has expired");
	(void)str_to_i64(str_from(param_text(req, "horizon_hours", "24")), 0, 72, &hours);
	jw_object(&w, NULL);
	jw_array(&w, "data");
	if (str_is(req->path[1], "forecast")) {
		put_rows(&w, req, now, now + hours * HOUR_MS);
	} else if (str_is(req->path[1], "historical")) {
		put_rows(&w, req, param_time(req, "start", now - DAY_MS), MIN(param_time(req, "end", now), now));
	} else {
		jw_object(&w, NULL);
		jw_time(&w, "point_time", series_label(req, now));
		jw_i64(&w, "value", 37);
		jw_end_object(&w);
	}
	jw_end_array(&w);
	put_meta(&w, req, str_is(req->path[1], "signal-index") ? "percentile" : "lbs_co2_per_mwh");
	jw_end_object(&w);
	return 200;
}
