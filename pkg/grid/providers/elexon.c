/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Elexon Insights (BMRS): GB's wholesale index and imbalance price, generation by fuel, demand and wind with their
 * forecasts, loss-of-load probability and de-rated margin, frequency. Zone "GB". What shapes this file:
 *
 *  - answers are {"data": [...]} or a bare array; unknown parameters are ignored and something else is answered, so
 * every point must lie in the span that was asked for;
 *  - one of the two market index providers reports price 0 with volume 0: dead, and would halve the mean;
 *  - the imbalance price is known after the fact only and never a forecast (GRID_SYSTEM_PRICE);
 *  - the loss-of-load answer has up to five forecasts for one period: the one made last counts;
 *  - generation and wind are what the transmission system meters; embedded wind and solar are not in it.
 */
#include "grid/providers/elexon.h"

#include <math.h>

#include "grid/period.h"
#include "grid/read.h"

#define GBP_PER_MWH 1000.0 /* in millionths per kWh */
#define AHEAD_MS (2 * DAY_MS)
#define FREQUENCY_MS (15 * SECOND_MS)
#define FREQUENCY_SPAN_MS (2 * HOUR_MS)
/* First computed so long after the period's end. */
#define SYSTEM_PRICE_DELAY_MS (15 * MINUTE_MS)

enum what {
	SYSTEM_PRICE,
	SYSTEM_PRICE_BEFORE,
	MARKET_INDEX,
	MIX,
	MIX_NOW,
	DEMAND,
	DEMAND_AHEAD,
	WIND_AHEAD,
	LOSS_OF_LOAD,
	FREQUENCY,
};

static bool has_zone(const struct grid_env *env, enum grid_metric metric, const char *zone)
{
	(void)env;
	switch (metric) {
	case GRID_WHOLESALE:
	case GRID_SYSTEM_PRICE:
	case GRID_RENEWABLE:
	case GRID_LOW_CARBON:
	case GRID_DEMAND:
	case GRID_WIND:
	case GRID_MARGIN:
	case GRID_LOSS_OF_LOAD:
	case GRID_FREQUENCY:
		return cstr_eq(zone, ELEXON_ZONE);
	default:
		return false;
	}
}

static const char *area(const char *zone)
{
	(void)zone;
	return ELEXON_ZONE;
}

/* How each span is asked for. The mixes are elexon_ask_mix()'s. */
static const struct {
	const char *id, *path;
	const char *from, *to; /* parameters; NULL = the path says it all */
	bool dates;            /* they are settlement dates, both included */
	int64_t poll_ms;
} calls[] = {
	[SYSTEM_PRICE] = { "system-price", "balancing/settlement/system-prices", .poll_ms = 10 * MINUTE_MS },
	[SYSTEM_PRICE_BEFORE] = { "system-price-before", "balancing/settlement/system-prices", .poll_ms = HOUR_MS },
	[MARKET_INDEX] = { "market-index", "datasets/MID/stream", "from", "to", .poll_ms = 10 * MINUTE_MS },
	[DEMAND] = { "demand", "demand/outturn", "settlementDateFrom", "settlementDateTo", true, 15 * MINUTE_MS },
	[DEMAND_AHEAD] = { "demand-ahead", "forecast/demand/day-ahead/latest", "from", "to", .poll_ms = SLOT_MS },
	[WIND_AHEAD] = { "wind-ahead", "datasets/WINDFOR", .poll_ms = HOUR_MS },
	[LOSS_OF_LOAD] = { "loss-of-load", "forecast/system/loss-of-load", "from", "to", .poll_ms = SLOT_MS },
	[FREQUENCY] = { "frequency", "datasets/FREQ/stream", "measurementDateTimeFrom", "measurementDateTimeTo",
			.poll_ms = HOUR_MS },
};

static char *date_text(int64_t day, char out[TIME_TEXT])
{
	int year, month, mday;

	time_civil_from_days(day, &year, &month, &mday);
	(void)snprintf(out, TIME_TEXT, "%04d-%02d-%02d", year, month, mday);
	return out;
}

static void ask(const struct grid_env *env, struct grid_plan *plan, enum what what, int64_t from_ms, int64_t to_ms)
{
	struct grid_request *r = grid_plan_add(plan, calls[what].id);
	char a[TIME_TEXT], b[TIME_TEXT];
	bool fits;

	if (!r)
		return;
	if (calls[what].dates) {
		(void)date_text(grid_day_of(env->tz, from_ms), a);
		(void)date_text(grid_day_of(env->tz, to_ms - 1), b);
	} else {
		(void)time_format_minute(from_ms, a);
		(void)time_format_minute(to_ms, b);
	}
	if (calls[what].from)
		fits = grid_plan_url(plan, r, "%s/%s?%s=%s&%s=%s", env->base_url, calls[what].path, calls[what].from, a,
				     calls[what].to, b);
	else if (what == WIND_AHEAD)
		fits = grid_plan_url(plan, r, "%s/%s", env->base_url, calls[what].path);
	else
		fits = grid_plan_url(plan, r, "%s/%s/%s", env->base_url, calls[what].path,
				     date_text(grid_day_of(env->tz, from_ms), a));
	if (!fits)
		return;
	r->what = what;
	grid_request_about(r, NULL, from_ms, to_ms);
}

/* Two settlement days: of the running one there is nothing yet in its first minutes. */
static void ask_system_price(const struct grid_env *env, struct grid_plan *plan)
{
	int64_t today = grid_day_of(env->tz, env->now_ms), start = grid_day_start_ms(env->tz, today);

	if (env->now_ms >= start + SLOT_MS + SYSTEM_PRICE_DELAY_MS)
		ask(env, plan, SYSTEM_PRICE, start, grid_day_start_ms(env->tz, today + 1));
	ask(env, plan, SYSTEM_PRICE_BEFORE, grid_day_start_ms(env->tz, today - 1), start);
}

static void plan_metric(const struct grid_env *env, struct grid_plan *plan, enum grid_metric metric)
{
	int64_t now = grid_now_slot(env), past = now - GRID_PAST_SLOTS * SLOT_MS;

	switch (metric) {
	case GRID_SYSTEM_PRICE:
		ask_system_price(env, plan);
		break;
	case GRID_WHOLESALE:
		ask(env, plan, MARKET_INDEX, past, now + SLOT_MS);
		break;
	case GRID_DEMAND:
		ask(env, plan, DEMAND, past, now + SLOT_MS);
		ask(env, plan, DEMAND_AHEAD, now, now + AHEAD_MS);
		break;
	case GRID_WIND:
		ask(env, plan, WIND_AHEAD, past, now + 2 * AHEAD_MS);
		elexon_ask_mix(env, plan, ELEXON_MIX_HALF_HOURS, MIX);
		break;
	case GRID_RENEWABLE:
	case GRID_LOW_CARBON:
		elexon_ask_mix(env, plan, ELEXON_MIX_NOW, MIX_NOW);
		elexon_ask_mix(env, plan, ELEXON_MIX_HALF_HOURS, MIX);
		break;
	case GRID_MARGIN:
	case GRID_LOSS_OF_LOAD:
		ask(env, plan, LOSS_OF_LOAD, now, now + AHEAD_MS);
		break;
	case GRID_FREQUENCY:
		ask(env, plan, FREQUENCY, now - FREQUENCY_SPAN_MS, now + SLOT_MS);
		break;
	default:
		break;
	}
}

static void plan(const struct grid_env *env, const struct grid_target *targets, size_t n, struct grid_plan *ret)
{
	for (size_t i = 0; i < n; i++)
		if (has_zone(env, targets[i].metric, targets[i].zone))
			plan_metric(env, ret, targets[i].metric);
}

static bool serves(const struct grid_request *req, const char *zone)
{
	(void)req;
	return strcmp(zone, ELEXON_ZONE) == 0;
}

struct parser {
	const struct grid_env *env;
	const struct json *rows;
	struct grid_answer *a;
};

/* Start of the row's period; a row without one is counted. */
static bool row_start(const struct parser *p, const struct json *row, int64_t *ret_ms)
{
	if (elexon_row_start(row, p->env->tz, ret_ms))
		return true;
	grid_answer_drop(p->a, GRID_DROP_TYPE);
	return false;
}

/* National figures; rows of other boundaries are zones of GB. */
static void take_demand(const struct parser *p, enum grid_kind kind)
{
	static const char *const names[] = { "nationalDemand", "initialDemandOutturn", "demand" };

	json_each (row, p->rows) {
		const char *boundary = json_string(json_get(row, "boundary"));
		const struct json *value = NULL;
		int64_t start;

		for (size_t i = 0; i < ARRAY_LEN(names) && !value; i++)
			value = json_get(row, names[i]);
		if (boundary && strcmp(boundary, "N") != 0)
			grid_answer_drop(p->a, GRID_DROP_ZONE);
		else if (row_start(p, row, &start))
			grid_put_json(p->a, GRID_DEMAND, ELEXON_ZONE, start, SLOT_MS, value, 1, kind);
	}
}

/* Sell and buy price have been one and the same since 2015. */
static void take_system_price(const struct parser *p)
{
	json_each (row, p->rows) {
		int64_t start;

		if (row_start(p, row, &start))
			grid_put_json(p->a, GRID_SYSTEM_PRICE, ELEXON_ZONE, start, SLOT_MS,
				      json_get(row, "systemSellPrice"), GBP_PER_MWH, GRID_KIND_ACTUAL);
	}
}

struct index {
	double cost[GRID_SERIES_MAX], volume[GRID_SERIES_MAX];
};

static void take_index_row(const struct parser *p, const struct json *row, struct index *sums)
{
	const struct json *cost = json_get(row, "price"), *amount = json_get(row, "volume");
	double price, volume;
	int64_t start;

	if (!row_start(p, row, &start))
		return;
	if (json_is_null(cost) || json_is_null(amount)) {
		grid_answer_drop(p->a, GRID_DROP_MISSING);
	} else if (!grid_read_number(cost, &price) || !grid_read_number(amount, &volume) || !(fabs(price) < 1e6) ||
		   !(volume >= 0 && volume < 1e9)) {
		grid_answer_drop(p->a, GRID_DROP_TYPE);
	} else if (volume == 0) {
		grid_answer_drop(p->a, GRID_DROP_DEAD);
	} else if (start < p->a->from_ms || start >= p->a->to_ms) {
		grid_answer_drop(p->a, GRID_DROP_SPAN);
	} else if (start % SLOT_MS) {
		grid_answer_drop(p->a, GRID_DROP_STEP);
	} else {
		sums->cost[(start - p->a->from_ms) / SLOT_MS] += price * volume;
		sums->volume[(start - p->a->from_ms) / SLOT_MS] += volume;
	}
}

/* The mean of the providers by volume. */
static void take_market_index(const struct parser *p)
{
	struct index sums = { .cost = { 0 } };

	json_each (row, p->rows)
		take_index_row(p, row, &sums);
	for (int i = 0; i < GRID_SERIES_MAX; i++)
		if (sums.volume[i] > 0)
			grid_put_number(p->a, GRID_WHOLESALE, ELEXON_ZONE, p->a->from_ms + i * SLOT_MS, SLOT_MS,
					sums.cost[i] / sums.volume[i], GBP_PER_MWH, GRID_KIND_ACTUAL);
}

/* The step of the report is nowhere said: an hour or half of one, whichever is the smallest between two rows. */
static int64_t step_of(const struct parser *p)
{
	int64_t last = TIME_NONE, step = HOUR_MS, start;

	json_each (row, p->rows) {
		if (!elexon_row_start(row, p->env->tz, &start))
			continue;
		if (last != TIME_NONE && llabs(start - last) == SLOT_MS)
			step = SLOT_MS;
		last = start;
	}
	return step;
}

static void take_wind(const struct parser *p)
{
	int64_t step = step_of(p), start;

	json_each (row, p->rows)
		if (row_start(p, row, &start))
			grid_put_json(p->a, GRID_WIND, ELEXON_ZONE, start, step, json_get(row, "generation"), 1,
				      GRID_KIND_FORECAST);
}

/* The latest forecast of a period is the one with the shortest horizon; the first that is put stays. */
static void take_loss_of_load(const struct parser *p)
{
	static const double horizons[] = { 1, 2, 4, 8, INFINITY };

	for (size_t h = 0; h < ARRAY_LEN(horizons); h++)
		json_each (row, p->rows) {
			double horizon = INFINITY;
			int64_t start;

			(void)grid_read_number(json_get(row, "forecastHorizon"), &horizon);
			if (horizon > horizons[h] || (h && horizon <= horizons[h - 1]) || !row_start(p, row, &start))
				continue;
			grid_put_json(p->a, GRID_LOSS_OF_LOAD, ELEXON_ZONE, start, SLOT_MS,
				      json_get(row, "lossOfLoadProbability"), 1e6, GRID_KIND_FORECAST);
			grid_put_json(p->a, GRID_MARGIN, ELEXON_ZONE, start, SLOT_MS, json_get(row, "deratedMargin"), 1,
				      GRID_KIND_FORECAST);
		}
}

/* Points of 15 s; the mean of a slot is made of them at the end. */
static void take_frequency(const struct parser *p)
{
	json_each (row, p->rows) {
		int64_t time;

		if (json_time(json_get(row, "measurementTime"), &time))
			grid_put_json(p->a, GRID_FREQUENCY, ELEXON_ZONE, time, FREQUENCY_MS, json_get(row, "frequency"),
				      1000, GRID_KIND_ACTUAL);
		else
			grid_answer_drop(p->a, GRID_DROP_TYPE);
	}
}

static void put_shares(struct grid_answer *a, int64_t slot_ms, const struct grid_fuel_mix *mix, enum grid_kind kind)
{
	struct grid_moment *moment = grid_answer_moment(a, ELEXON_ZONE, slot_ms);

	grid_answer_put(a, GRID_RENEWABLE, ELEXON_ZONE, slot_ms, grid_mix_renewable_permille(mix), kind);
	grid_answer_put(a, GRID_LOW_CARBON, ELEXON_ZONE, slot_ms, grid_mix_low_carbon_permille(mix), kind);
	if (moment)
		grid_mix_to_moment(mix, moment);
}

static void put_half_hour(struct grid_answer *a, int64_t slot_ms, const struct grid_fuel_mix *mix)
{
	put_shares(a, slot_ms, mix, GRID_KIND_ACTUAL);
	grid_put_number(a, GRID_WIND, ELEXON_ZONE, slot_ms, SLOT_MS, mix->mw[FUEL_WIND], 1, GRID_KIND_ACTUAL);
}

static void put_now(struct grid_answer *a, int64_t slot_ms, const struct grid_fuel_mix *mix)
{
	put_shares(a, slot_ms, mix, GRID_KIND_ESTIMATED);
}

static void take(const struct parser *p, enum what what)
{
	switch (what) {
	case SYSTEM_PRICE:
	case SYSTEM_PRICE_BEFORE:
		take_system_price(p);
		break;
	case MARKET_INDEX:
		take_market_index(p);
		break;
	case MIX:
		elexon_each_mix(p->rows, p->env, ELEXON_MIX_HALF_HOURS, p->a, put_half_hour);
		break;
	case MIX_NOW:
		elexon_each_mix(p->rows, p->env, ELEXON_MIX_NOW, p->a, put_now);
		break;
	case DEMAND:
		take_demand(p, GRID_KIND_ACTUAL);
		break;
	case DEMAND_AHEAD:
		take_demand(p, GRID_KIND_FORECAST);
		break;
	case WIND_AHEAD:
		take_wind(p);
		break;
	case LOSS_OF_LOAD:
		take_loss_of_load(p);
		break;
	case FREQUENCY:
		take_frequency(p);
		break;
	}
}

static int parse(const struct grid_env *env, const struct grid_request *req, struct str body, struct grid_answer *a,
		 struct error *err)
{
	struct parser p = { .env = env, .a = a };
	struct json *doc _cleanup_(json_cleanup) = NULL;
	int before = a->points;

	if (elexon_rows(body, &doc, &p.rows, err))
		return -1;
	elexon_issued(a, p.rows, env->now_ms);
	take(&p, (enum what)req->what);
	return grid_read_verdict(a, before, json_len(p.rows), err);
}

static int64_t next_poll_ms(const struct grid_env *env, const struct grid_request *req, int64_t known_until_ms,
			    double jitter)
{
	(void)known_until_ms;
	if (req->what == MIX || req->what == MIX_NOW)
		return elexon_mix_next_poll_ms(env, req->what == MIX ? ELEXON_MIX_HALF_HOURS : ELEXON_MIX_NOW, jitter);
	return grid_poll_every(env, calls[req->what].poll_ms, jitter);
}

const struct grid_provider grid_elexon = {
	.name = "elexon",
	.base_url = ELEXON_BASE_URL,
	.time_zone = "Europe/London",
	.currency = "GBP",
	.note = "generation metered by the transmission system: embedded solar and wind are not in it",
	.attribution = ELEXON_ATTRIBUTION,
	.licence = ELEXON_LICENCE,
	.budget_requests = 60,
	.budget_ms = MINUTE_MS,
	.has_zone = has_zone,
	.area = area,
	.plan = plan,
	.serves = serves,
	.parse = parse,
	.next_poll_ms = next_poll_ms,
};
