/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ENTSO-E Transparency Platform: day-ahead prices (A44) of European bidding zones and generation by type (A75), from
 * which carbon is computed (grid/fuel.h). Zones are their usual names ("DE-LU", "NO2") or EIC codes of 16 characters.
 * Reading the XML is entsoe_xml.c's. Habits that shape this file:
 *
 *  - several series for one auction day: sequence 1 is the coupled auction (SDAC), 2 a local one (EXAA) and left out;
 *    of the same sequence, quarter hours and hours may both be there: the finest that covers a slot counts;
 *  - no data is an Acknowledgement with code 999, with 200 or 4xx; the British day-ahead price is always one;
 *  - the token goes into the URL; more than 400 requests a minute are answered with a ban of ten minutes.
 */
#include "grid/period.h"
#include "grid/providers/entsoe.h"
#include "grid/read.h"

#define AUCTION_HOUR 13
/* EUR/MWh x this = millionths of a euro per kWh. */
#define MICROS_PER_KWH_OF_EUR_PER_MWH 1000
#define MIX_STEP_MS (15 * MINUTE_MS)

enum what { PRICES, MIX };

/* Energy Identification Codes of the bidding zones, as the platform's guide lists them. */
static const struct {
	const char *zone, *eic;
} zones[] = {
	{ "AT", "10YAT-APG------L" },       { "BE", "10YBE----------2" },     { "BG", "10YCA-BULGARIA-R" },
	{ "CH", "10YCH-SWISSGRIDZ" },       { "CZ", "10YCZ-CEPS-----N" },     { "DE-LU", "10Y1001A1001A82H" },
	{ "DK1", "10YDK-1--------W" },      { "DK2", "10YDK-2--------M" },    { "EE", "10Y1001A1001A39I" },
	{ "ES", "10YES-REE------0" },       { "FI", "10YFI-1--------U" },     { "FR", "10YFR-RTE------C" },
	{ "GB", "10YGB----------A" },       { "GR", "10YGR-HTSO-----Y" },     { "HR", "10YHR-HEP------M" },
	{ "HU", "10YHU-MAVIR----U" },       { "IE-SEM", "10Y1001A1001A59C" }, { "IT-North", "10Y1001A1001A73I" },
	{ "IT-South", "10Y1001A1001A788" }, { "LT", "10YLT-1001A0008Q" },     { "LV", "10YLV-1001A00074" },
	{ "NL", "10YNL----------L" },       { "NO1", "10YNO-1--------2" },    { "NO2", "10YNO-2--------T" },
	{ "NO3", "10YNO-3--------J" },      { "NO4", "10YNO-4--------9" },    { "NO5", "10Y1001A1001A48H" },
	{ "PL", "10YPL-AREA-----S" },       { "PT", "10YPT-REN------W" },     { "RO", "10YRO-TEL------P" },
	{ "RS", "10YCS-SERBIATSOV" },       { "SE1", "10Y1001A1001A44P" },    { "SE2", "10Y1001A1001A45N" },
	{ "SE3", "10Y1001A1001A46L" },      { "SE4", "10Y1001A1001A47J" },    { "SI", "10YSI-ELES-----O" },
	{ "SK", "10YSK-SEPS-----K" },
};

/* NULL when it is neither a name nor a code. */
static const char *eic_of(const char *zone)
{
	for (size_t i = 0; i < ARRAY_LEN(zones); i++)
		if (cstr_eq(zone, zones[i].zone))
			return zones[i].eic;
	return zone && strlen(zone) == ENTSOE_EIC && grid_zone_is_plain(zone, "-") ? zone : NULL;
}

static bool has_zone(const struct grid_env *env, enum grid_metric metric, const char *zone)
{
	(void)env;
	return (metric == GRID_WHOLESALE || metric == GRID_CARBON) && eic_of(zone);
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

/* "202605052200" */
static const char *compact(int64_t ms, char out[TIME_TEXT])
{
	char text[TIME_TEXT];
	size_t n = 0;

	for (const char *c = time_format_minute(ms, text); *c; c++)
		if (*c >= '0' && *c <= '9')
			out[n++] = *c;
	out[n] = '\0';
	return out;
}

static void ask(const struct grid_env *env, struct grid_plan *plan, const char *zone, int what)
{
	int64_t today = grid_day_of(env->tz, env->now_ms), now = grid_now_slot(env);
	int64_t from = what == PRICES ? grid_day_start_ms(env->tz, today - 2) : now - GRID_PAST_SLOTS * SLOT_MS;
	int64_t to = what == PRICES ? grid_day_start_ms(env->tz, today + 2) : now;
	char id[GRID_NAME_MAX * 2], key[3 * GRID_KEY_MAX + 1], domain[64], a[TIME_TEXT], b[TIME_TEXT];
	struct grid_request *r;

	(void)snprintf(id, sizeof(id), "%s %s", what == PRICES ? "prices" : "mix", zone);
	(void)snprintf(domain, sizeof(domain), what == PRICES ? "&out_Domain=%s" : "", eic_of(zone));
	r = grid_url_escape(env->secret, key, sizeof(key)) ? grid_plan_add(plan, id) : NULL;
	if (!r ||
	    !grid_plan_url(plan, r, "%s?securityToken=%s&documentType=%s&in_Domain=%s%s&periodStart=%s&periodEnd=%s",
			   env->base_url, key,
			   what == PRICES ? "A44&contract_MarketAgreement.type=A01" : "A75&processType=A16",
			   eic_of(zone), domain, compact(from, a), compact(to, b)))
		return;
	r->secret_url = true;
	r->what = what;
	grid_request_about(r, zone, from, to);
}

static void plan(const struct grid_env *env, const struct grid_target *targets, size_t n, struct grid_plan *ret)
{
	for (size_t i = 0; i < n && grid_has_key(env); i++)
		if (has_zone(env, targets[i].metric, targets[i].zone))
			ask(env, ret, targets[i].zone, targets[i].metric == GRID_WHOLESALE ? PRICES : MIX);
}

/* Is the series what was asked for? If not it is passed over, and what it lacks is kept for the case that all do. */
static bool is_wanted(const struct entsoe_series *s, const struct grid_request *req, const char **ret_why)
{
	if (strcmp(s->domain, eic_of(req->zone)) != 0)
		*ret_why = "is about the zone asked for";
	else if (s->type[0] == '\0' && req->what == MIX)
		*ret_why = "has a generation type";
	else if (req->what == PRICES && s->sequence > 1)
		*ret_why = "is of the coupled auction (sequence 1)";
	else if (req->what == PRICES && strcmp(s->currency, "EUR") != 0)
		*ret_why = "is in EUR";
	else if (strcmp(s->unit, req->what == PRICES ? "MWH" : "MAW") != 0)
		*ret_why = req->what == PRICES ? "is per MWH" : "is in MAW";
	else
		return true;
	return false;
}

struct reader {
	const struct grid_request *req;
	struct grid_answer *a;
	int64_t now_ms;
	struct grid_generation generation;
	int64_t step_ms[GRID_SERIES_MAX]; /* of prices: the finest that covers the slot; 0 = none */
	const char *why;                  /* a series was passed over */
	size_t wanted;                    /* points of series that are wanted */
};

/* First of two readings: which step covers a slot. */
static void note_step(void *arg, const struct entsoe_series *s, const struct entsoe_point *p)
{
	struct reader *r = arg;

	if (!is_wanted(s, r->req, &r->why))
		return;
	r->wanted++;
	for (int64_t ms = MAX(p->from_ms, r->a->from_ms); ms < MIN(p->to_ms, r->a->to_ms);
	     ms += MIN(p->step_ms, SLOT_MS)) {
		int64_t *step = &r->step_ms[(ms - r->a->from_ms) / SLOT_MS];

		if (*step == 0 || p->step_ms < *step)
			*step = p->step_ms;
	}
}

/* Second reading: what is of that step. */
static void take_price(void *arg, const struct entsoe_series *s, const struct entsoe_point *p)
{
	struct reader *r = arg;
	const char *why;

	if (!is_wanted(s, r->req, &why))
		return;
	if (p->to_ms <= r->a->from_ms || p->from_ms >= r->a->to_ms) {
		grid_answer_drop(r->a, GRID_DROP_SPAN);
		return;
	}
	/* Auction results do not change: what has begun is what was paid. */
	for (int64_t ms = p->from_ms; ms < p->to_ms; ms += p->step_ms)
		if (ms >= r->a->from_ms && ms < r->a->to_ms && r->step_ms[(ms - r->a->from_ms) / SLOT_MS] == p->step_ms)
			grid_put_number(r->a, GRID_WHOLESALE, r->req->zone, ms, p->step_ms, p->value,
					MICROS_PER_KWH_OF_EUR_PER_MWH,
					ms + p->step_ms <= r->now_ms ? GRID_KIND_ACTUAL : GRID_KIND_FORECAST);
}

static void take_mix(void *arg, const struct entsoe_series *s, const struct entsoe_point *p)
{
	struct reader *r = arg;

	/* What storage and plants themselves consume is no supply. */
	if (s->is_consumption || !is_wanted(s, r->req, &r->why))
		return;
	r->wanted++;
	grid_generation_add(&r->generation, r->a, p->from_ms, p->to_ms - p->from_ms, str_from(s->type), p->value);
}

static int read_all(struct reader *r, struct str body, struct error *err)
{
	int before = r->a->points;

	if (r->req->what == MIX) {
		if (entsoe_read(body, take_mix, r, r->a, err))
			return -1;
		grid_generation_put(&r->generation, r->a, r->req->zone);
	} else if (entsoe_read(body, note_step, r, NULL, err) || entsoe_read(body, take_price, r, r->a, err)) {
		return -1;
	}
	if (!r->wanted && r->why)
		return error_set(err, ERR_INVALID, "none of the series %s", r->why);
	return grid_read_verdict(r->a, before, r->wanted, err);
}

static int parse(const struct grid_env *env, const struct grid_request *req, struct str body, struct grid_answer *a,
		 struct error *err)
{
	struct reader *r;
	int failed;

	if (str_empty(str_trim(body)))
		return error_set(err, ERR_NOT_FOUND, "empty body");
	if (!eic_of(req->zone))
		return error_set(err, ERR_INVALID, "%s is no bidding zone", req->zone);
	r = xcalloc(1, sizeof(*r));
	r->req = req;
	r->a = a;
	r->now_ms = env->now_ms;
	grid_generation_init(&r->generation, a, MIX_STEP_MS);
	failed = read_all(r, body, err);
	grid_generation_release(&r->generation);
	free(r);
	return failed;
}

static int64_t next_poll_ms(const struct grid_env *env, const struct grid_request *req, int64_t known_until_ms,
			    double jitter)
{
	return req->what == PRICES ? grid_poll_auction(env, known_until_ms, AUCTION_HOUR, jitter)
				   : grid_poll_every(env, 30 * MINUTE_MS, jitter);
}

const struct grid_provider grid_entsoe = {
	.name = "entsoe",
	.base_url = "https://web-api.tp.entsoe.eu/api",
	.time_zone = "Europe/Brussels",
	.currency = "EUR",
	.note = "prices are the day-ahead auction's; carbon is computed from generation by type, without imports",
	.attribution = "ENTSO-E Transparency Platform",
	.licence = "ENTSO-E's list of data available for free re-use (CC BY 4.0)",
	.secret = "a security token of transparency.entsoe.eu (Web API access)",
	.budget_requests = 60,
	.budget_ms = MINUTE_MS,
	.confidence_permille = 700,
	.has_zone = has_zone,
	.basis = basis,
	.area = area,
	.plan = plan,
	.parse = parse,
	.next_poll_ms = next_poll_ms,
};
