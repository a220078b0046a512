/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WattTime v3: marginal emission rate (co2_moer) of a balancing area. Zones are its regions ("CAISO_NORTH"), or the
 * name of a place in the configuration, whose region is looked up once. Habits that shape this file:
 *
 *  - a login (Basic) gives a token for half an hour, which all else needs: kept as a note and renewed before it ages;
 *  - points are 5 minutes long; `meta.units` says what they are and is believed, not assumed: lbs_co2_per_mwh for
 * rates, percentile for the signal index, which is shown but never calculated with;
 *  - the free plan has rates for one region only, and the index elsewhere: 403 for the others, some as HTML.
 */
#include "grid/read.h"

#define SIGNAL "co2_moer"
/* International avoirdupois pound, exact: 0.45359237 kg; lb/MWh x this = mg/kWh. */
#define MG_PER_KWH_OF_LB_PER_MWH 453.59237
#define HORIZON_HOURS 48
#define NOTE_TOKEN "token"
#define TOKEN_MAX 1000
/* It holds for 30 minutes; asked for anew after 25. */
#define TOKEN_LIFE_MS (29 * MINUTE_MS)
#define LOGIN_EVERY_MS (25 * MINUTE_MS)
#define REGION_LIFE_MS (30 * DAY_MS)

enum what { LOGIN, REGION, FORECAST, HISTORY, INDEX };

static bool has_zone(const struct grid_env *env, enum grid_metric metric, const char *zone)
{
	return metric == GRID_CARBON && !cstr_eq(zone, NOTE_TOKEN) &&
	       (grid_place(env, zone) || grid_zone_is_plain(zone, "_"));
}

static void basis(const struct grid_env *env, const char *zone, struct grid_basis *ret)
{
	(void)env;
	(void)zone;
	*ret = (struct grid_basis){ "marginal", "direct", "consumption", "zone" };
}

/* A GET with the token; the path holds the query. NULL when it is in the plan already. */
static struct grid_request *ask(const struct grid_env *env, struct grid_plan *plan, const char *zone, const char *name,
				const char *path)
{
	char id[GRID_NAME_MAX * 2];
	struct grid_request *r;

	(void)snprintf(id, sizeof(id), "%s %s", name, zone);
	r = grid_plan_add(plan, id);
	if (!r || !grid_plan_url(plan, r, "%s/v3/%s&signal_type=" SIGNAL, env->base_url, path))
		return NULL;
	grid_bearer(r, grid_env_note(env, NOTE_TOKEN));
	(void)str_copy(r->rests_on, sizeof(r->rests_on), STR(NOTE_TOKEN));
	grid_request_about(r, zone, env->now_ms, env->now_ms);
	return r;
}

static void ask_login(const struct grid_env *env, struct grid_plan *plan)
{
	struct grid_request *r = grid_plan_add(plan, "login");

	if (!r || !grid_plan_url(plan, r, "%s/login", env->base_url))
		return;
	grid_authorize(env, r);
	r->what = LOGIN;
	grid_request_about(r, NULL, env->now_ms, env->now_ms);
}

static void ask_region(const struct grid_env *env, struct grid_plan *plan, const struct grid_custom *place)
{
	char path[128];
	struct grid_request *r;

	(void)snprintf(path, sizeof(path), "region-from-loc?latitude=%.4f&longitude=%.4f", place->latitude,
		       place->longitude);
	r = ask(env, plan, place->name, "region", path);
	if (r)
		r->what = REGION;
}

static void ask_values(const struct grid_env *env, struct grid_plan *plan, const char *zone, const char *region)
{
	int64_t now = grid_now_slot(env), from = now - GRID_PAST_SLOTS * SLOT_MS;
	char path[256], a[TIME_TEXT], b[TIME_TEXT];
	struct grid_request *r;

	(void)snprintf(path, sizeof(path), "forecast?region=%s&horizon_hours=%d", region, HORIZON_HOURS);
	r = ask(env, plan, zone, "forecast", path);
	if (r) {
		r->what = FORECAST;
		grid_request_about(r, zone, now - SLOT_MS, now + (HORIZON_HOURS + 1) * HOUR_MS);
	}
	(void)snprintf(path, sizeof(path), "historical?region=%s&start=%s&end=%s", region, time_format_minute(from, a),
		       time_format_minute(now, b));
	r = ask(env, plan, zone, "history", path);
	if (r) {
		r->what = HISTORY;
		grid_request_about(r, zone, from, now);
	}
	(void)snprintf(path, sizeof(path), "signal-index?region=%s", region);
	r = ask(env, plan, zone, "index", path);
	if (r)
		r->what = INDEX;
}

static void plan(const struct grid_env *env, const struct grid_target *targets, size_t n, struct grid_plan *ret)
{
	const char *token = grid_env_note(env, NOTE_TOKEN);

	for (size_t i = 0; i < n && env->user && grid_has_key(env); i++) {
		const char *zone = targets[i].zone, *region = zone;
		const struct grid_custom *place;

		if (!has_zone(env, targets[i].metric, zone))
			continue;
		ask_login(env, ret);
		place = grid_place(env, zone);
		if (place)
			region = grid_env_note(env, zone);
		if (place && token)
			ask_region(env, ret, place);
		if (token && region)
			ask_values(env, ret, zone, region);
	}
}

static bool serves(const struct grid_request *req, const char *zone)
{
	return req->what == LOGIN || strcmp(req->zone, zone) == 0;
}

static int take_token(struct grid_answer *a, const struct json *doc, int64_t now_ms, struct error *err)
{
	const char *token = json_string(json_get(doc, "token"));

	if (!token || !grid_is_header_value(token, TOKEN_MAX) ||
	    !grid_answer_note(a, NOTE_TOKEN, str_from(token), now_ms + TOKEN_LIFE_MS))
		return error_set(err, ERR_INVALID, "no usable token in the login's answer");
	return 0;
}

static int take_region(struct grid_answer *a, const struct grid_request *req, const struct json *doc, int64_t now_ms,
		       struct error *err)
{
	const char *region = json_string(json_get(doc, "region"));

	if (!grid_zone_is_plain(region, "_"))
		return error_set(err, ERR_INVALID, "no usable region in the answer");
	if (!grid_answer_note(a, req->zone, str_from(region), now_ms + REGION_LIFE_MS))
		return error_set(err, ERR_LIMIT, "too many places for one answer");
	return 0;
}

static void take_point(struct grid_answer *a, const struct grid_request *req, const struct json *row, int64_t step_ms,
		       int64_t now_ms)
{
	int64_t ms;

	if (!json_time(json_get(row, "point_time"), &ms)) {
		grid_answer_drop(a, GRID_DROP_TYPE);
		return;
	}
	grid_put_json(a, GRID_CARBON, req->zone, ms, step_ms, json_get(row, "value"), MG_PER_KWH_OF_LB_PER_MWH,
		      grid_kind_of(ms + step_ms, now_ms));
}

/* Rows are points, or issues with their points, as the history of forecasts has them. */
static int take_points(struct grid_answer *a, const struct grid_request *req, const struct json *rows, int64_t step_ms,
		       int64_t now_ms, struct error *err)
{
	int before = a->points;
	size_t seen = 0;

	json_each (row, rows) {
		const struct json *points = json_get(row, "forecast");

		seen++;
		if (!points)
			take_point(a, req, row, step_ms, now_ms);
		else
			json_each (point, points)
				take_point(a, req, point, step_ms, now_ms);
	}
	return grid_read_verdict(a, before, seen, err);
}

/* Shown beside the values, for those who have nothing else. */
static int take_index(struct grid_answer *a, const struct grid_request *req, const struct json *rows, struct error *err)
{
	const struct json *row = json_first(rows);
	struct grid_moment *m;
	int64_t ms;
	double value;

	if (!row)
		return error_set(err, ERR_NOT_FOUND, "no values in the answer");
	if (!json_time(json_get(row, "point_time"), &ms) || !grid_read_number(json_get(row, "value"), &value) ||
	    !(value >= 0 && value <= 100))
		return error_set(err, ERR_INVALID, "the signal index is not a percentile of a time");
	m = grid_answer_moment(a, req->zone, time_slot_floor(ms, SLOT_MS));
	if (m)
		(void)snprintf(m->index, sizeof(m->index), "percentile %.0f", value);
	return 0;
}

static int take_data(const struct grid_env *env, const struct grid_request *req, const struct json *doc,
		     struct grid_answer *a, struct error *err)
{
	const struct json *meta = json_get(doc, "meta"), *data = json_get(doc, "data");
	const char *units = json_string(json_get(meta, "units")), *region = json_string(json_get(meta, "region"));
	const char *want = req->what == INDEX ? "percentile" : "lbs_co2_per_mwh";
	int64_t step_s;

	if (!json_is_array(data))
		return json_first(doc) ? error_set(err, ERR_INVALID, "no data array")
				       : error_set(err, ERR_NOT_FOUND, "empty answer");
	if (!cstr_eq(units, want))
		return error_set(err, ERR_INVALID, "meta.units is not %s", want);
	if (!grid_place(env, req->zone) && !cstr_eq(region, req->zone))
		return error_set(err, ERR_INVALID, "meta.region is not %s", req->zone);
	if (req->what == INDEX)
		return take_index(a, req, data, err);
	if (!json_i64(json_get(meta, "data_point_period_seconds"), &step_s) || step_s < 60 || step_s > 3600)
		return error_set(err, ERR_INVALID, "meta.data_point_period_seconds is not 60 to 3600");
	if (req->what == FORECAST)
		grid_read_issued(a, json_get(meta, "generated_at"), env->now_ms);
	return take_points(a, req, data, step_s * SECOND_MS, env->now_ms, err);
}

static int parse(const struct grid_env *env, const struct grid_request *req, struct str body, struct grid_answer *a,
		 struct error *err)
{
	struct json *doc _cleanup_(json_cleanup) = NULL;

	if (grid_read_json(body, &doc, err))
		return -1;
	if (json_get(doc, "error"))
		return error_set(err, ERR_INVALID, "the answer is an error object");
	if (req->what == LOGIN)
		return take_token(a, doc, env->now_ms, err);
	if (req->what == REGION)
		return take_region(a, req, doc, env->now_ms, err);
	return take_data(env, req, doc, a, err);
}

static int64_t next_poll_ms(const struct grid_env *env, const struct grid_request *req, int64_t known_until_ms,
			    double jitter)
{
	static const int64_t every[] = {
		[LOGIN] = LOGIN_EVERY_MS,   [REGION] = DAY_MS,       [FORECAST] = 15 * MINUTE_MS,
		[HISTORY] = 30 * MINUTE_MS, [INDEX] = 5 * MINUTE_MS,
	};

	(void)known_until_ms;
	return grid_poll_every(env, every[req->what], jitter);
}

const struct grid_provider grid_watttime = {
	.name = "watttime",
	.base_url = "https://api.watttime.org",
	.time_zone = "UTC",
	.note = "marginal figures, not to be compared with averages",
	.attribution = "WattTime",
	.licence = "proprietary: for the plan's own use, no redistribution",
	.secret = "user name and password of an account at watttime.org, in userFile and secretFile",
	.needs_user = true,
	.budget_requests = 300,
	.budget_ms = 5 * MINUTE_MS,
	.confidence_permille = 800,
	.flat = true, /* the same plant is at the margin for hours */
	.no_export = true,
	.has_zone = has_zone,
	.basis = basis,
	.plan = plan,
	.serves = serves,
	.parse = parse,
	.next_poll_ms = next_poll_ms,
};
