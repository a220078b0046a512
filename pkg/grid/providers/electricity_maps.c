/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Electricity Maps v3: carbon intensity and mix of about 350 zones, flow-traced and life-cycle. Zones are its own keys
 * ("DE", "US-CAL-CISO"). Habits that shape this file:
 *
 *  - `datetime` is the start of the hour (or of 5 or 15 minutes: `temporalGranularity`), often later than `updatedAt`;
 *  - the last hours of the history are estimates and are rewritten for two days; a value may be null;
 *  - the free plan has no forecast: 401, and the history goes on;
 *  - where a token is set to direct factors the figures mean something else: refused.
 */
#include "grid/fuel.h"
#include "grid/read.h"

enum what { FORECAST, HISTORY, BREAKDOWN };

static bool has_zone(const struct grid_env *env, enum grid_metric metric, const char *zone)
{
	(void)env;
	return metric == GRID_CARBON && grid_zone_is_plain(zone, "-");
}

static void basis(const struct grid_env *env, const char *zone, struct grid_basis *ret)
{
	(void)env;
	(void)zone;
	*ret = (struct grid_basis){ "average", "lifecycle", "consumption", "zone" };
}

static void ask(const struct grid_env *env, struct grid_plan *plan, const char *zone, int what)
{
	static const struct {
		const char *id, *path, *more;
	} requests[] = {
		[FORECAST] = { "forecast", "carbon-intensity/forecast",
			       "&emissionFactorType=lifecycle&horizonHours=48" },
		[HISTORY] = { "history", "carbon-intensity/history", "&emissionFactorType=lifecycle" },
		[BREAKDOWN] = { "breakdown", "power-breakdown/history", "" },
	};
	int64_t hour = time_slot_floor(env->now_ms, HOUR_MS);
	char id[GRID_NAME_MAX * 2];
	struct grid_request *r;

	(void)snprintf(id, sizeof(id), "%s %s", requests[what].id, zone);
	r = grid_plan_add(plan, id);
	if (!r ||
	    !grid_plan_url(plan, r, "%s/%s?zone=%s%s", env->base_url, requests[what].path, zone, requests[what].more))
		return;
	grid_key_header(env, r, "auth-token");
	r->what = what;
	/* A forecast begins with the next hour; the running one is the history's last. */
	if (what == FORECAST)
		grid_request_about(r, zone, hour, hour + 3 * DAY_MS);
	else
		grid_request_about(r, zone, hour - GRID_PAST_SLOTS * SLOT_MS, hour + HOUR_MS);
}

static void plan(const struct grid_env *env, const struct grid_target *targets, size_t n, struct grid_plan *ret)
{
	for (size_t i = 0; i < n && grid_has_key(env); i++) {
		if (!has_zone(env, targets[i].metric, targets[i].zone))
			continue;
		for (int what = FORECAST; what <= BREAKDOWN; what++)
			ask(env, ret, targets[i].zone, what);
	}
}

/* 0 when it is a length that we do not know. Where it is not said: an hour, or the least between two rows. */
static int64_t read_step(const struct json *doc, const struct json *rows)
{
	static const struct {
		const char *name;
		int64_t ms;
	} steps[] = {
		{ "hourly", HOUR_MS },
		{ "15_minutes", 15 * MINUTE_MS },
		{ "5_minutes", 5 * MINUTE_MS },
	};
	const char *name = json_string(json_get(doc, "temporalGranularity"));
	int64_t least_ms = HOUR_MS, before_ms = INT64_MIN / 2, ms;

	for (size_t i = 0; name && i < ARRAY_LEN(steps); i++)
		if (strcmp(name, steps[i].name) == 0)
			return steps[i].ms;
	if (name)
		return 0;
	json_each (row, rows) {
		if (!json_time(json_get(row, "datetime"), &ms))
			continue;
		if (ms - before_ms == 15 * MINUTE_MS || ms - before_ms == 5 * MINUTE_MS)
			least_ms = MIN(least_ms, ms - before_ms);
		before_ms = ms;
	}
	return least_ms;
}

struct reader {
	const struct grid_request *req;
	struct grid_answer *a;
	int64_t now_ms, step_ms;
	const struct json *newest; /* of the mixes */
	int64_t newest_ms;
	size_t rows;
};

/* What is consumed, by its words for fuels. False when it is no mix. */
static bool take_mix(struct reader *r)
{
	static const struct {
		const char *word, *fuel;
	} words[] = { { "hydro discharge", "PS" }, { "battery discharge", "BAT" }, { "unknown", "other" } };
	struct grid_fuel_mix mix = { .mw = { 0 } };
	struct grid_moment *m;

	json_each (item, json_get(r->newest, "powerConsumptionBreakdown")) {
		const char *fuel = json_key(item);
		double mw;

		for (size_t i = 0; i < ARRAY_LEN(words); i++)
			if (cstr_eq(fuel, words[i].word))
				fuel = words[i].fuel;
		if (grid_read_number(item, &mw) && !grid_mix_add(&mix, str_from(fuel), mw))
			grid_answer_drop(r->a, GRID_DROP_RANGE);
	}
	m = grid_mix_supply_mw(&mix) > 0
		    ? grid_answer_moment(r->a, r->req->zone, time_slot_floor(r->newest_ms, SLOT_MS))
		    : NULL;
	if (m)
		grid_mix_to_moment(&mix, m);
	return m;
}

static void take_shares(struct reader *r, const struct json *row, int64_t ms)
{
	enum grid_kind kind = grid_kind_of(ms + r->step_ms, r->now_ms);

	grid_put_json(r->a, GRID_RENEWABLE, r->req->zone, ms, r->step_ms, json_get(row, "renewablePercentage"), 10,
		      kind);
	grid_put_json(r->a, GRID_LOW_CARBON, r->req->zone, ms, r->step_ms, json_get(row, "fossilFreePercentage"), 10,
		      kind);
	if ((!r->newest || ms > r->newest_ms) && ms >= r->a->from_ms && ms < r->a->to_ms) {
		r->newest = row;
		r->newest_ms = ms;
	}
}

static void take(struct reader *r, const struct json *row)
{
	bool estimated = true;
	enum grid_kind kind;
	int64_t ms;

	r->rows++;
	if (!json_time(json_get(row, "datetime"), &ms)) {
		grid_answer_drop(r->a, GRID_DROP_TYPE);
		return;
	}
	if (r->req->what == BREAKDOWN) {
		take_shares(r, row, ms);
		return;
	}
	kind = grid_kind_of(ms + r->step_ms, r->now_ms);
	if (kind == GRID_KIND_ESTIMATED && json_bool(json_get(row, "isEstimated"), &estimated) && !estimated)
		kind = GRID_KIND_ACTUAL;
	grid_put_json(r->a, GRID_CARBON, r->req->zone, ms, r->step_ms, json_get(row, "carbonIntensity"), 1000, kind);
}

/* Is it an answer about that zone on our basis? */
static int check(const struct json *doc, const struct grid_request *req, struct error *err)
{
	const char *zone = json_string(json_get(doc, "zone")),
		   *factors = json_string(json_get(doc, "emissionFactorType"));

	if (!json_first(doc))
		return error_set(err, ERR_NOT_FOUND, "empty answer");
	if (json_get(doc, "error") || json_get(doc, "message"))
		return error_set(err, ERR_INVALID, "the answer is an error object");
	if (!cstr_eq(zone, req->zone))
		return error_set(err, ERR_INVALID, "the answer is not about zone %s", req->zone);
	if (factors && strcmp(factors, "lifecycle") != 0)
		return error_set(err, ERR_INVALID, "emissionFactorType is not lifecycle, the basis asked for");
	return 0;
}

static int parse(const struct grid_env *env, const struct grid_request *req, struct str body, struct grid_answer *a,
		 struct error *err)
{
	struct reader r = { .req = req, .a = a, .now_ms = env->now_ms };
	struct json *doc _cleanup_(json_cleanup) = NULL;
	const struct json *rows;
	int before = a->points;

	if (grid_read_json(body, &doc, err) || check(doc, req, err))
		return -1;
	rows = json_get(doc, "forecast") ? json_get(doc, "forecast") : json_get(doc, "history");
	r.step_ms = read_step(doc, rows);
	if (r.step_ms == 0)
		return error_set(err, ERR_INVALID, "unknown temporalGranularity");
	/* A history's rows say it one by one; the last is that of the newest hour. */
	json_each (row, rows)
		grid_read_issued(a, json_get(row, "updatedAt"), env->now_ms);
	grid_read_issued(a, json_get(doc, "updatedAt"), env->now_ms);
	if (json_is_array(rows)) {
		json_each (row, rows)
			take(&r, row);
	} else if (json_get(doc, "datetime")) {
		take(&r, doc);
	} else {
		return error_set(err, ERR_INVALID, "neither forecast nor history nor datetime in the answer");
	}
	if (r.newest && !take_mix(&r))
		grid_answer_drop(a, GRID_DROP_MISSING);
	return grid_read_verdict(a, before, r.rows, err);
}

static int64_t next_poll_ms(const struct grid_env *env, const struct grid_request *req, int64_t known_until_ms,
			    double jitter)
{
	(void)known_until_ms;
	return grid_poll_every(env, req->what == FORECAST ? HOUR_MS : 15 * MINUTE_MS, jitter);
}

const struct grid_provider grid_electricity_maps = {
	.name = "electricity-maps",
	.base_url = "https://api.electricitymaps.com/v3",
	.time_zone = "UTC",
	.note = "life-cycle figures, not to be compared with direct ones",
	.attribution = "Electricity Maps",
	.licence = "proprietary: for the plan's own use, no redistribution",
	.secret = "an API token of portal.electricitymaps.com",
	.budget_requests = 60,
	.budget_ms = 5 * MINUTE_MS,
	.confidence_permille = 900,
	/* Whole grams: where water feeds the grid the same for hours. */
	.flat = true,
	.no_export = true,
	.has_zone = has_zone,
	.basis = basis,
	.plan = plan,
	.parse = parse,
	.next_poll_ms = next_poll_ms,
};
