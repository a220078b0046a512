/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EIA v2, hourly generation by fuel and demand of a balancing authority: `period` is the UTC hour's end, values are
 * texts, rows come newest first in pages of `length`, and there is no future.
 */
#include "series.h"

#define MAX_LENGTH 5000

static const struct {
	const char *code, *name;
	int fuel;
} fuels[] = { { "NG", "Natural Gas", MIX_GAS }, { "COL", "Coal", MIX_COAL },   { "NUC", "Nuclear", MIX_NUCLEAR },
	      { "WAT", "Hydro", MIX_HYDRO },    { "SUN", "Solar", MIX_SOLAR }, { "WND", "Wind", MIX_WIND } };

struct page {
	int64_t offset, length, n;
	const char *respondent;
};

static void put_row(struct json_writer *w, const struct request *req, struct page *page, int64_t ms, const char *type,
		    const char *code, const char *name, struct point p)
{
	char text[TIME_TEXT], value[32];
	int64_t n = page->n++;

	if (n < page->offset || n >= page->offset + page->length)
		return;
	(void)time_format(series_label(req, ms) + HOUR_MS, text);
	text[13] = '\0'; /* "2026-05-05T23" */
	jw_object(w, NULL);
	jw_string(w, "period", text);
	jw_string(w, "respondent", zone_label(req, page->respondent));
	jw_string(w, "respondent-name", "Illustrative");
	jw_string(w, type, code);
	jw_string(w, "type-name", name);
	if (p.state == POINT_NULL)
		jw_null(w, "value");
	else
		jw_string(w, "value", point_text(p, 0, value));
	jw_string(w, "value-units", "megawatthours");
	jw_surprise(w, req);
	jw_end_object(w);
}

/* A little solar at night is below zero, as it is there. */
static void put_fuels(struct json_writer *w, const struct request *req, struct page *page, int64_t ms)
{
	int mix[MIX_FUELS];

	mix_at(req, ms, mix);
	for (size_t i = 0; i < ARRAY_LEN(fuels); i++) {
		struct point p = series_point(req, Q_DEMAND, ms, (int)i);

		p.value *= mix[fuels[i].fuel] / 1000.0;
		if (fuels[i].fuel == MIX_SOLAR && p.value == 0)
			p.value = -38;
		if (req->fault[FAULT_DEAD] && (fuels[i].fuel == MIX_GAS || fuels[i].fuel == MIX_NUCLEAR))
			p.value = 0;
		if (p.state != POINT_NONE)
			put_row(w, req, page, ms, "fueltype", fuels[i].code, fuels[i].name, p);
	}
}

/* /v2/electricity/rto/{fuel-type-data|region-data}/data/ */
int eia_answer(struct request *req)
{
	struct json_writer w = json_writer(req->out);
	int64_t now = time_slot_floor(req->now_ms, HOUR_MS);
	struct page page = { 0, MAX_LENGTH, 0, param_text(req, "facets[respondent][]", "CISO") };
	struct span s = series_span(req, param_time(req, "start", now - DAY_MS) - HOUR_MS,
				    MIN(param_time(req, "end", now), now), HOUR_MS);

	if (req->n_path < 4)
		return refuse_json(req, 404, "error", "no such route");
	(void)str_to_i64(str_from(param_text(req, "offset", "0")), 0, INT32_MAX, &page.offset);
	(void)str_to_i64(str_from(param_text(req, "length", "5000")), 1, MAX_LENGTH, &page.length);
	if (req->fault[FAULT_PAGES]) {
		page.length = MIN(page.length, 40);
		page.offset -= page.offset > 0;
	}
	s.step_ms = HOUR_MS;
	s.from_ms = time_slot_ceil(s.from_ms, HOUR_MS);
	jw_object(&w, NULL);
	jw_object(&w, "response");
	jw_string(&w, "dateFormat", "YYYY-MM-DD\"T\"HH24");
	jw_string(&w, "frequency", "hourly");
	jw_array(&w, "data");
	for (int64_t t = s.to_ms - HOUR_MS; t >= s.from_ms; t -= HOUR_MS)
		if (str_is(req->path[3], "fuel-type-data"))
			put_fuels(&w, req, &page, t);
		else if (series_point(req, Q_DEMAND, t, 0).state != POINT_NONE)
			put_row(&w, req, &page, t, "type", "D", "Demand", series_point(req, Q_DEMAND, t, 0));
	jw_end_array(&w);
	jw_stringf(&w, "total", "%" PRId64, page.n);
	jw_end_object(&w);
	jw_end_object(&w);
	return 200;
}
