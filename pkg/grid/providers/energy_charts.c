/* SPDX-License-Identifier: Apache-2.0 */
/*
 * energy-charts (Fraunhofer ISE): day-ahead auction prices of European bidding zones, without a key. Zones are its own
 * names ("DE-LU", "FR", "NO2"). Habits that shape this file:
 *
 *  - times and prices are parallel arrays: of different lengths, nothing tells which price belongs where;
 *  - quarter hours since October 2025, hours before and elsewhere: only the times tell;
 *  - nothing at all for hours at a time, and then `price` is empty or null: an empty answer, asked for again later.
 */
#include "grid/period.h"
#include "grid/read.h"

/* EUR/MWh x this = millionths of a euro per kWh. */
#define MICROS_PER_KWH_OF_EUR_PER_MWH 1000
#define AUCTION_HOUR 13 /* local; prices are out between 12:45 and 14:00 */

static bool has_zone(const struct grid_env *env, enum grid_metric metric, const char *zone)
{
	(void)env;
	return metric == GRID_WHOLESALE && grid_zone_is_plain(zone, "-");
}

static const char *area(const char *zone)
{
	return zone;
}

/* The zone's days are the auction's: from yesterday's start to tomorrow's end, in dates that the service reads as such.
 */
static void plan(const struct grid_env *env, const struct grid_target *targets, size_t n, struct grid_plan *ret)
{
	int64_t today = grid_day_of(env->tz, env->now_ms);
	char from[TIME_TEXT], to[TIME_TEXT];

	(void)time_format((today - 2) * DAY_MS, from);
	(void)time_format((today + 1) * DAY_MS, to);
	for (size_t i = 0; i < n; i++) {
		const char *zone = targets[i].zone;
		char id[GRID_NAME_MAX * 2];
		struct grid_request *r;

		if (!has_zone(env, targets[i].metric, zone))
			continue;
		(void)snprintf(id, sizeof(id), "price %s", zone);
		r = grid_plan_add(ret, id);
		if (!r ||
		    !grid_plan_url(ret, r, "%s/price?bzn=%s&start=%.10s&end=%.10s", env->base_url, zone, from, to))
			continue;
		grid_request_about(r, zone, grid_day_start_ms(env->tz, today - 2),
				   grid_day_start_ms(env->tz, today + 2));
	}
}

/*
 * The step of an answer: the least there is between two times, since a longer one may be a gap. 0 when there is none
 * that is a quarter or an hour.
 */
static int64_t step_of(const struct json *times)
{
	int64_t step_s = 0, before_s = 0, at_s;

	json_each (time, times) {
		if (!json_i64(time, &at_s))
			continue;
		if ((at_s - before_s == 900 || at_s - before_s == 3600) && (step_s == 0 || at_s - before_s < step_s))
			step_s = at_s - before_s;
		before_s = at_s;
	}
	return step_s * SECOND_MS;
}

static void take(struct grid_answer *a, const char *zone, int64_t now_ms, const struct json *times,
		 const struct json *prices)
{
	const struct json *price = json_first(prices);
	int64_t step_ms = step_of(times), at_s;

	for (const struct json *time = json_first(times); time && price;
	     time = json_next(time), price = json_next(price)) {
		if (!json_i64(time, &at_s) || at_s < 0 || at_s > INT64_MAX / SECOND_MS / 2) {
			grid_answer_drop(a, GRID_DROP_TYPE);
			continue;
		}
		/* Auction results do not change: what has begun is what was paid. */
		grid_put_json(a, GRID_WHOLESALE, zone, at_s * SECOND_MS, step_ms, price, MICROS_PER_KWH_OF_EUR_PER_MWH,
			      at_s * SECOND_MS + step_ms <= now_ms ? GRID_KIND_ACTUAL : GRID_KIND_FORECAST);
	}
}

static int parse(const struct grid_env *env, const struct grid_request *req, struct str body, struct grid_answer *a,
		 struct error *err)
{
	struct json *doc _cleanup_(json_cleanup) = NULL;
	const struct json *times, *prices;
	const char *unit;
	int before = a->points;

	if (grid_read_json(body, &doc, err))
		return -1;
	times = json_get(doc, "unix_seconds");
	prices = json_get(doc, "price");
	unit = json_string(json_get(doc, "unit"));
	if (!json_first(doc) || ((times || prices) && !json_first(times) && !json_first(prices)))
		return error_set(err, ERR_NOT_FOUND, "no prices in the answer");
	if (!json_is_array(times) || !json_is_array(prices))
		return error_set(err, ERR_INVALID, "unix_seconds and price are not both lists");
	if (json_len(times) != json_len(prices))
		return error_set(err, ERR_INVALID, "%zu times and %zu prices: nobody knows which belong together",
				 json_len(times), json_len(prices));
	if (!cstr_eq(unit, "EUR / MWh") && !cstr_eq(unit, "EUR/MWh"))
		return error_set(err, ERR_INVALID, "unit is not EUR / MWh");
	take(a, req->zone, env->now_ms, times, prices);
	return grid_read_verdict(a, before, json_len(times), err);
}

static int64_t next_poll_ms(const struct grid_env *env, const struct grid_request *req, int64_t known_until_ms,
			    double jitter)
{
	(void)req;
	return grid_poll_auction(env, known_until_ms, AUCTION_HOUR, jitter);
}

const struct grid_provider grid_energy_charts = {
	.name = "energy-charts",
	.base_url = "https://api.energy-charts.info",
	.time_zone = "Europe/Berlin",
	.currency = "EUR",
	.attribution = "Energy-Charts, Fraunhofer ISE; source named in license_info",
	/* CC BY 4.0 for most zones, private and internal use only for the others; the answer says so, zone by zone. */
	.licence = "per bidding zone (license_info), for most CC BY 4.0",
	.budget_requests = 30,
	.budget_ms = MINUTE_MS,
	.no_export = true,
	.has_zone = has_zone,
	.area = area,
	.plan = plan,
	.parse = parse,
	.next_poll_ms = next_poll_ms,
};
