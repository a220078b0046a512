/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EIA v2 (form EIA-930): hourly generation by fuel and demand of US balancing authorities, from which carbon is
 * computed (grid/fuel.h). Zones are the authorities' codes ("CISO", "PJM"). Habits that shape this file:
 *
 *  - `period` "2026-05-05T23" is the END of an hour of UTC;
 *  - a value is a number, text or null; sun at night is often a few MW below zero, which counts as 0, while large
 *    negative values other than of storage are slips and are left out;
 *  - 5000 rows are an answer; there are more while offset + rows < total. The service repeats the request, so the
 * page's offset is known; where it does not, there are no more pages;
 *  - the key goes into the URL, there is no other way; data are about a day behind; there is no carbon forecast.
 */
#include "grid/generation.h"
#include "grid/period.h"
#include "grid/read.h"

#define PAGE_ROWS 5000
#define DEMAND_AHEAD DAY_MS
#define HOUR_TEXT 13 /* "2026-05-05T23" */
/* Own use of a plant that does not run. */
#define SMALL_MW 200

enum what { GENERATION, DEMAND };

static bool has_zone(const struct grid_env *env, enum grid_metric metric, const char *zone)
{
	(void)env;
	return (metric == GRID_CARBON || metric == GRID_DEMAND) && grid_zone_is_plain(zone, "");
}

static void basis(const struct grid_env *env, const char *zone, struct grid_basis *ret)
{
	(void)env;
	(void)zone;
	*ret = (struct grid_basis){ "average", "direct", "production", "zone" };
}

static const char *area(const char *zone)
{
	return zone;
}

static void ask(const struct grid_env *env, struct grid_plan *plan, const char *zone, int what)
{
	int64_t now = time_slot_floor(env->now_ms, HOUR_MS), from = now - GRID_PAST_SLOTS * SLOT_MS;
	int64_t to = what == DEMAND ? now + DEMAND_AHEAD : now;
	char id[GRID_NAME_MAX * 2], key[3 * GRID_KEY_MAX + 1], a[TIME_TEXT], b[TIME_TEXT];
	struct grid_request *r;

	(void)snprintf(id, sizeof(id), "%s %s", what == DEMAND ? "demand" : "generation", zone);
	r = grid_url_escape(env->secret, key, sizeof(key)) ? grid_plan_add(plan, id) : NULL;
	/* %.13s: up to the hour. Labels are ends: the first hour ends one later than it begins. */
	if (!r || !grid_plan_url(plan, r,
				 "%s/electricity/rto/%s/data/?api_key=%s&frequency=hourly&data%%5B0%%5D=value"
				 "&facets%%5Brespondent%%5D%%5B%%5D=%s%s&start=%.13s&end=%.13s"
				 "&sort%%5B0%%5D%%5Bcolumn%%5D=period&sort%%5B0%%5D%%5Bdirection%%5D=asc"
				 "&length=%d",
				 env->base_url, what == DEMAND ? "region-data" : "fuel-type-data", key, zone,
				 what == DEMAND ? "&facets%5Btype%5D%5B%5D=D&facets%5Btype%5D%5B%5D=DF" : "",
				 time_format(from + HOUR_MS, a), time_format(to, b), PAGE_ROWS))
		return;
	r->secret_url = true;
	r->what = what;
	grid_request_about(r, zone, from, to);
}

static void plan(const struct grid_env *env, const struct grid_target *targets, size_t n, struct grid_plan *ret)
{
	for (size_t i = 0; i < n && grid_has_key(env); i++)
		if (has_zone(env, targets[i].metric, targets[i].zone))
			ask(env, ret, targets[i].zone, targets[i].metric == GRID_DEMAND ? DEMAND : GENERATION);
}

/* The start of the hour that ends at "2026-05-05T23". */
static bool read_hour(const struct json *period, int64_t *ret_ms)
{
	const char *text = json_string(period);
	char full[TIME_TEXT];
	int64_t end;

	if (!text || strlen(text) != HOUR_TEXT)
		return false;
	(void)snprintf(full, sizeof(full), "%s:00Z", text);
	if (!time_parse(str_from(full), &end))
		return false;
	*ret_ms = grid_start_of_end(end, HOUR_MS);
	return true;
}

static void take_generation(struct grid_generation *g, struct grid_answer *a, const struct json *row, int64_t ms)
{
	const struct json *value = json_get(row, "value");
	struct str fuel = str_from(json_string(json_get(row, "fueltype")));
	enum grid_fuel f = grid_fuel_of(fuel, NULL);
	double mw;

	if (!value || json_is_null(value) || cstr_eq(json_string(value), "")) {
		grid_answer_drop(a, GRID_DROP_MISSING);
		return;
	}
	if (!grid_read_number(value, &mw)) {
		grid_answer_drop(a, GRID_DROP_TYPE);
		return;
	}
	/* Storage and what nobody knows may be negative by nature. */
	if (mw < 0 && f != FUEL_PUMPED && f != FUEL_STORAGE && f != FUEL_OTHER) {
		if (mw < -SMALL_MW) {
			grid_answer_drop(a, GRID_DROP_RANGE);
			return;
		}
		mw = 0;
	}
	grid_generation_add(g, a, ms, HOUR_MS, fuel, mw);
}

/* What was metered; the forecast of it (type DF) in a second pass, for what has not been metered yet. */
static void take_demand(struct grid_answer *a, const struct grid_request *req, const struct json *row, int64_t ms,
			int64_t now_ms, bool forecast)
{
	const char *type = json_string(json_get(row, "type"));
	const struct grid_series *s = grid_answer_series(a, GRID_DEMAND, req->zone);

	if (!cstr_eq(type, forecast ? "DF" : "D") || (forecast && s && grid_series_at(s, ms) != GRID_UNKNOWN))
		return;
	grid_put_json(a, GRID_DEMAND, req->zone, ms, HOUR_MS, json_get(row, "value"), 1,
		      forecast ? grid_kind_of(ms + HOUR_MS, now_ms) : GRID_KIND_ACTUAL);
}

/*
 * Where the next page begins: at the last hour of this one, which may have been cut in two and is left to the next. By
 * time, not by number: rows that come in between move the numbers. TIME_NONE when there are no more.
 */
static int64_t next_hour(const struct json *doc, const struct json *rows)
{
	const struct json *last = NULL;
	int64_t first_ms, last_ms;
	double total;

	json_each (row, rows)
		last = row;
	if (!grid_read_number(json_at(doc, "response.total"), &total) || !(total > (double)json_len(rows)) ||
	    !read_hour(json_get(json_first(rows), "period"), &first_ms) ||
	    !read_hour(json_get(last, "period"), &last_ms) || last_ms <= first_ms)
		return TIME_NONE;
	return last_ms;
}

/* The same address from that hour on; labels are ends. */
static void set_next(struct grid_answer *a, const struct grid_request *req, int64_t hour_ms)
{
	static const char key[] = "&start=";
	const char *at = strstr(req->url, key);
	char text[TIME_TEXT];
	size_t head;

	if (!at || strlen(at) < strlen(key) + HOUR_TEXT)
		return;
	head = (size_t)(at - req->url) + strlen(key);
	(void)snprintf(a->next, sizeof(a->next), "%.*s%.*s%s", (int)head, req->url, HOUR_TEXT,
		       time_format(hour_ms + HOUR_MS, text), req->url + head + HOUR_TEXT);
}

static void take_rows(const struct grid_env *env, const struct grid_request *req, const struct json *rows,
		      int64_t next_ms, struct grid_answer *a)
{
	struct grid_generation g _cleanup_(grid_generation_release);

	grid_generation_init(&g, a, HOUR_MS);
	for (int pass = 0; pass < (req->what == DEMAND ? 2 : 1); pass++)
		json_each (row, rows) {
			const char *respondent = json_string(json_get(row, "respondent"));
			int64_t ms;

			if (!cstr_eq(respondent, req->zone))
				grid_answer_drop(a, GRID_DROP_ZONE);
			else if (!read_hour(json_get(row, "period"), &ms))
				grid_answer_drop(a, GRID_DROP_TYPE);
			else if (ms == next_ms)
				continue;
			else if (req->what == DEMAND)
				take_demand(a, req, row, ms, env->now_ms, pass == 1);
			else
				take_generation(&g, a, row, ms);
		}
	if (req->what == GENERATION)
		grid_generation_put(&g, a, req->zone);
}

static int parse(const struct grid_env *env, const struct grid_request *req, struct str body, struct grid_answer *a,
		 struct error *err)
{
	struct json *doc _cleanup_(json_cleanup) = NULL;
	const struct json *rows;
	int before = a->points;
	int64_t next_ms;

	a->next[0] = '\0';
	if (grid_read_json(body, &doc, err))
		return -1;
	rows = json_at(doc, "response.data");
	if (json_get(doc, "error"))
		return error_set(err, ERR_INVALID, "the answer is an error object");
	if (!json_is_array(rows))
		return json_first(doc) ? error_set(err, ERR_INVALID, "no response.data list")
				       : error_set(err, ERR_NOT_FOUND, "empty answer");
	next_ms = next_hour(doc, rows);
	take_rows(env, req, rows, next_ms, a);
	if (next_ms != TIME_NONE)
		set_next(a, req, next_ms);
	return grid_read_verdict(a, before, json_len(rows), err);
}

const struct grid_provider grid_eia = {
	.name = "eia",
	.base_url = "https://api.eia.gov/v2",
	.time_zone = "UTC",
	.note = "about a day behind, no forecast; carbon computed from generation by fuel",
	.attribution = "U.S. Energy Information Administration",
	.licence = "public domain",
	.secret = "an API key of eia.gov/opendata",
	.budget_requests = 60,
	.budget_ms = MINUTE_MS,
	.confidence_permille = 700,
	.has_zone = has_zone,
	.basis = basis,
	.area = area,
	.plan = plan,
	.parse = parse,
	.poll_every_ms = HOUR_MS,
};
