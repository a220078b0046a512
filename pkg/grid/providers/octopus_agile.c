/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Octopus Agile: half-hourly unit rates of a household tariff per grid supply point group, in GBP without VAT. Zones
 * are the group's letter, with or without its underscore ("C", "_C"). What shapes this file:
 *
 *  - products are retired, so the current one is looked up in the products list unless configuration pins one;
 *  - rows come newest first and in pages; `next` is followed only to the same server and path;
 *  - a price day runs from 23:00 to 23:00 local and is published after 16:00 of the day before, often late: until then
 *    the last slot starts at 22:30 local, and what is missing is unknown, never 0;
 *  - negative prices are normal; at the tariff's cap the price is a plateau;
 *  - non-Agile products have rows without end, and one for each payment method.
 */
#include <math.h>

#include "base/decimal.h"
#include "grid/provider.h"
#include "json/json.h"

#define PAGE_SIZE 250 /* 96 slots behind and as many ahead fit one page */
#define DIRECT_DEBIT "DIRECT_DEBIT"
#define DAY_BORDER_HOUR 23
#define PUBLICATION_HOUR 16

#define NOTE_PRODUCT "product"

enum what { PRODUCTS, RATES };

/* '\0' when it is none of the 14 letters (no I, no O). */
static char zone_letter(const char *zone)
{
	if (zone && zone[0] == '_')
		zone++;
	return zone && zone[0] >= 'A' && zone[0] <= 'P' && zone[0] != 'I' && zone[0] != 'O' && zone[1] == '\0' ? zone[0]
													       : '\0';
}

static bool has_zone(const struct grid_env *env, enum grid_metric metric, const char *zone)
{
	(void)env;
	return metric == GRID_PRICE && zone_letter(zone) != '\0';
}

static const char *area(const char *zone)
{
	(void)zone;
	return "GB";
}

/* It goes into a path: letters, digits and dashes only. */
static bool is_product_code(const char *s)
{
	size_t len = s ? strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") : 0;

	return len > 0 && len < GRID_NAME_MAX && s[len] == '\0';
}

static void ask_products(const struct grid_env *env, struct grid_plan *plan)
{
	struct grid_request *r = grid_plan_add(plan, "products");

	if (!r || !grid_plan_url(plan, r, "%s/products/?brand=OCTOPUS_ENERGY", env->base_url))
		return;
	r->what = PRODUCTS;
	grid_request_about(r, NULL, env->now_ms, env->now_ms);
}

static void ask_rates(const struct grid_env *env, struct grid_plan *plan, const char *zone, const char *product,
		      bool discovered)
{
	int64_t now = grid_now_slot(env);
	int64_t from = now - GRID_PAST_SLOTS * SLOT_MS, to = now + 2 * DAY_MS;
	char id[GRID_NAME_MAX * 2], a[TIME_TEXT], b[TIME_TEXT];
	struct grid_request *r;

	(void)snprintf(id, sizeof(id), "rates %s %s", product, zone);
	r = grid_plan_add(plan, id);
	if (!r || !grid_plan_url(plan, r,
				 "%s/products/%s/electricity-tariffs/E-1R-%s-%c/standard-unit-rates/"
				 "?page_size=%d&period_from=%s&period_to=%s",
				 env->base_url, product, product, zone_letter(zone), PAGE_SIZE, time_format(from, a),
				 time_format(to, b)))
		return;
	r->what = RATES;
	grid_request_about(r, zone, from, to);
	if (discovered)
		(void)str_copy(r->rests_on, sizeof(r->rests_on), STR(NOTE_PRODUCT));
	(void)str_copy(r->product, sizeof(r->product), str_from(product));
}

static void plan(const struct grid_env *env, const struct grid_target *targets, size_t n, struct grid_plan *ret)
{
	for (size_t i = 0; i < n; i++) {
		const struct grid_target *t = &targets[i];
		const char *product = t->product ? t->product : grid_env_note(env, NOTE_PRODUCT);

		if (!has_zone(env, t->metric, t->zone))
			continue;
		if (!t->product)
			ask_products(env, ret);
		if (is_product_code(product))
			ask_rates(env, ret, t->zone, product, !t->product);
	}
}

static bool serves(const struct grid_request *req, const char *zone)
{
	return req->what == PRODUCTS || strcmp(req->zone, zone) == 0;
}

/* More of the same only: same scheme, host, port and path, whatever the query. Anything else could lead anywhere. */
static bool take_next(struct grid_answer *a, const struct grid_request *req, const struct json *next)
{
	const char *url = json_string(next);
	size_t path = strcspn(req->url, "?");

	if (!url)
		return json_is_null(next) || !next;
	if (strncmp(url, req->url, path) != 0 || url[path] != '?' || strlen(url) >= sizeof(a->next))
		return false;
	for (const char *c = url; *c; c++)
		if (*c <= ' ' || *c >= 127 || *c == '#')
			return false;
	(void)str_copy(a->next, sizeof(a->next), str_from(url));
	return true;
}

/* Pence per kWh, a number or a number in quotes, to millionths of a pound. */
static bool read_price(const struct json *value, int32_t *ret_micros)
{
	const char *text = json_string(value);
	double pence;

	if (text ? !str_to_double(str_from(text), &pence) : !json_double(value, &pence))
		return false;
	if (!(fabs(pence) < 1e5))
		return false;
	*ret_micros = (int32_t)decimal_from_double(pence, 4);
	return true;
}

static bool is_known(const struct grid_answer *a, const char *zone, int64_t ms)
{
	const struct grid_series *s = grid_answer_series(a, GRID_PRICE, zone);

	return s && grid_series_at(s, ms) != GRID_UNKNOWN;
}

/* One rate holds for every slot from valid_from to valid_to, as far as they were asked for. */
static void take_rate(struct grid_answer *a, const struct grid_request *req, int64_t now_ms, const struct json *row)
{
	const struct json *value = json_get(row, "value_exc_vat"), *end = json_get(row, "valid_to");
	int64_t from, to = a->to_ms;
	int32_t price;

	if (!json_time(json_get(row, "valid_from"), &from) || (end && !json_is_null(end) && !json_time(end, &to))) {
		grid_answer_drop(a, GRID_DROP_TYPE);
		return;
	}
	if (!value || json_is_null(value)) {
		grid_answer_drop(a, GRID_DROP_MISSING);
		return;
	}
	if (!read_price(value, &price)) {
		grid_answer_drop(a, GRID_DROP_TYPE);
		return;
	}
	if (from % SLOT_MS || to % SLOT_MS || to <= from) {
		grid_answer_drop(a, GRID_DROP_STEP);
		return;
	}
	if (to <= a->from_ms || from >= a->to_ms) {
		grid_answer_drop(a, GRID_DROP_SPAN);
		return;
	}
	/* Published prices do not change: what has begun is what was paid. */
	for (int64_t t = MAX(from, a->from_ms); t < MIN(to, a->to_ms); t += SLOT_MS)
		grid_answer_put(a, GRID_PRICE, req->zone, t, price,
				t + SLOT_MS <= now_ms ? GRID_KIND_ACTUAL : GRID_KIND_FORECAST);
}

/* Rows for other ways to pay fill only what no row for direct debit has filled. */
static void take_rates(struct grid_answer *a, const struct grid_request *req, int64_t now_ms, const struct json *rows)
{
	for (int pass = 0; pass < 2; pass++)
		json_each (row, rows) {
			const char *method = json_string(json_get(row, "payment_method"));
			bool other = method && strcmp(method, DIRECT_DEBIT) != 0;
			int64_t from;

			if (other != (pass == 1))
				continue;
			if (other && json_time(json_get(row, "valid_from"), &from) &&
			    is_known(a, req->zone, CLAMP(from, a->from_ms, a->to_ms - 1)))
				continue;
			take_rate(a, req, now_ms, row);
		}
}

/* An import product named Agile that is on offer now, the newer the better. */
static void take_product(struct grid_answer *a, int64_t now_ms, const struct json *p, int64_t *newest_ms)
{
	const char *code = json_string(json_get(p, "code")), *direction = json_string(json_get(p, "direction"));
	int64_t from, to;

	if (!is_product_code(code) || !str_has_prefix(str_from(code), STR("AGILE-")) ||
	    str_has_prefix(str_from(code), STR("AGILE-OUTGOING")) || (direction && strcmp(direction, "IMPORT") != 0))
		return;
	if (!json_time(json_get(p, "available_from"), &from) || from > now_ms ||
	    (json_time(json_get(p, "available_to"), &to) && to <= now_ms) || from <= *newest_ms)
		return;
	if (grid_answer_note(a, NOTE_PRODUCT, str_from(code), TIME_NONE))
		*newest_ms = from;
}

static int take_products(struct grid_answer *a, int64_t now_ms, const struct json *rows, struct error *err)
{
	int64_t newest_ms = INT64_MIN;

	json_each (p, rows)
		take_product(a, now_ms, p, &newest_ms);
	if (!grid_answer_noted(a, NOTE_PRODUCT) && !a->next[0])
		return error_set(err, ERR_NOT_FOUND, "no Agile product on offer; pin one in the price chain");
	return 0;
}

static int parse(const struct grid_env *env, const struct grid_request *req, struct str body, struct grid_answer *a,
		 struct error *err)
{
	struct json *doc _cleanup_(json_cleanup) = NULL;
	const struct json *rows;
	int before = a->points;

	a->next[0] = '\0';
	if (str_empty(str_trim(body)))
		return error_set(err, ERR_NOT_FOUND, "empty body");
	if (json_parse(body, &doc, err))
		return -1;
	rows = json_get(doc, "results");
	if (!json_is_array(rows))
		return json_first(doc) && !json_is_array(json_get(doc, "data"))
			       ? error_set(err, ERR_INVALID, "no results array")
			       : error_set(err, ERR_NOT_FOUND, "empty answer");
	if (!take_next(a, req, json_get(doc, "next")))
		return error_set(err, ERR_INVALID, "next page is not on the same server and path");
	if (req->what == PRODUCTS)
		return take_products(a, env->now_ms, rows, err);
	take_rates(a, req, env->now_ms, rows);
	if (!json_first(rows))
		return a->points ? 0 : error_set(err, ERR_NOT_FOUND, "no rates in the answer");
	if (a->points == before && a->points == 0)
		return error_set(err, ERR_INVALID, "none of %zu rates is usable", json_len(rows));
	return 0;
}

/* End of the price day that should be known at that time: 23:00 local today, from 16:00 on tomorrow's. */
static int64_t due_until(const struct grid_env *env, int64_t local)
{
	int64_t day = time_slot_floor(local, DAY_MS) / DAY_MS;
	int year, month, mday;

	if (local - day * DAY_MS >= PUBLICATION_HOUR * HOUR_MS)
		day++;
	time_civil_from_days(day, &year, &month, &mday);
	return tz_local_to_utc_ms(env->tz, year, month, mday, DAY_BORDER_HOUR, 0);
}

/* Every 5 minutes from 16:00 to 17:00 local, 15 minutes to 20:00, then hourly until the day is complete. */
static int64_t next_poll_ms(const struct grid_env *env, const struct grid_request *req, int64_t known_until_ms,
			    double jitter)
{
	int64_t local = env->now_ms + tz_offset_s(env->tz, env->now_ms) * SECOND_MS;
	int64_t day = time_slot_floor(local, DAY_MS), in_day = local - day;
	int64_t publication = PUBLICATION_HOUR * HOUR_MS - in_day;
	int64_t wait;

	if (req->what == PRODUCTS)
		return env->now_ms + DAY_MS + (int64_t)(jitter * HOUR_MS);
	if (known_until_ms >= due_until(env, local)) {
		/* Complete: until the next publication, plus 1 to 4 minutes. */
		wait = (publication > 0 ? publication : publication + DAY_MS) + MINUTE_MS;
		return env->now_ms + wait + (int64_t)(jitter * (double)(3 * MINUTE_MS));
	}
	if (in_day >= 16 * HOUR_MS && in_day < 17 * HOUR_MS)
		wait = 5 * MINUTE_MS;
	else if (in_day >= 17 * HOUR_MS && in_day < 20 * HOUR_MS)
		wait = 15 * MINUTE_MS;
	else
		wait = HOUR_MS;
	if (publication > 0)
		wait = MIN(wait, publication + MINUTE_MS);
	return env->now_ms + wait + (int64_t)(jitter * (double)MINUTE_MS);
}

const struct grid_provider grid_octopus_agile = {
	.name = "octopus-agile",
	.base_url = "https://api.octopus.energy/v1",
	.time_zone = "Europe/London",
	.currency = "GBP",
	.note = "household shape proxy",
	.licence = "no open licence: use, do not republish",
	.budget_requests = 60,
	.budget_ms = MINUTE_MS,
	.flat = true,
	.no_export = true,
	.area = area,
	.has_zone = has_zone,
	.plan = plan,
	.serves = serves,
	.parse = parse,
	.next_poll_ms = next_poll_ms,
};
