/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Octopus Energy's paths for one made-up Agile product: products list, product detail and half-hourly unit rates,
 * newest first, in pages with absolute `next`. The prices are illustrative and say so. A price day runs from 23:00 to
 * 23:00 local and is published at 16:00 local of the day before.
 */
#include <math.h>

#include "series.h"

#define PAGE_SIZE 100
#define MAX_PAGE_SIZE 1500
#define DESCRIPTION "Illustrative prices made by gridreplay from recorded carbon intensity; nobody's tariff."

/* The end of what is published: 23:00 local of today, or of tomorrow once it is 16:00 local. */
static int64_t published_until(const struct request *req)
{
	const struct tz *tz = req->replay->london;
	int64_t local = req->now_ms + tz_offset_s(tz, req->now_ms) * SECOND_MS;
	int64_t day = local / DAY_MS, publish = req->fault[FAULT_LATE] ? 20 * HOUR_MS + 30 * MINUTE_MS : 16 * HOUR_MS;
	int year, month, mday;

	if (local % DAY_MS >= publish && !req->fault[FAULT_SHORT])
		day++;
	time_civil_from_days(day, &year, &month, &mday);
	return tz_local_to_utc_ms(tz, year, month, mday, 23, 0);
}

/* p/kWh without VAT, NAN where there is none. */
static double rate(const struct request *req, int region, int slot)
{
	const struct replay *r = req->replay;
	double price = agile_price(&r->rec, r->london, region, req->fault[FAULT_FLAT] ? req->slot : slot);
	int64_t until = published_until(req);

	if (recording_time(&r->rec, slot) >= until)
		return NAN;
	if (req->fault[FAULT_MISSING] && recording_time(&r->rec, slot) >= until - HOUR_MS)
		return NAN;
	if (req->fault[FAULT_STORM] && slot >= req->slot)
		return NAN;
	if (req->fault[FAULT_GAP] && slot % 48 >= 30 && slot % 48 < 33)
		return NAN;
	if (req->fault[FAULT_NEGATIVE])
		price -= 30;
	if (req->fault[FAULT_OUTLIER] && slot % 11 == 0)
		price = 99999;
	return price;
}

static void put_rate(struct json_writer *w, const struct request *req, double price, int slot)
{
	int64_t start = series_label(req, recording_time(&req->replay->rec, slot));

	jw_object(w, NULL);
	if (req->fault[FAULT_BAD_POINT] && slot == req->slot + 3)
		jw_string(w, "value_exc_vat", "n/a");
	else if (req->fault[FAULT_SCHEMA])
		jw_stringf(w, "value_exc_vat", "%.2f", price);
	else
		jw_double(w, "value_exc_vat", price, 2);
	jw_double(w, "value_inc_vat", price * 1.05, 4);
	jw_time(w, "valid_from", start);
	jw_time(w, "valid_to", start + SLOT_MS);
	jw_null(w, "payment_method");
	jw_end_object(w);
}

struct page {
	int first, last; /* slots, newest is last */
	int64_t size, number;
};

/* Rows of the page, newest first; returns how many rows there are on all pages together. */
static int put_results(struct json_writer *w, const struct request *req, int region, const struct page *page)
{
	int64_t skip = (page->number - 1) * page->size;
	int count = 0;

	/* Fault 15: a row was added at the front after page 1, so that every later page begins one row early. */
	if (req->fault[FAULT_PAGES] && page->number > 1)
		skip--;
	jw_array(w, "results");
	for (int slot = page->last; slot >= page->first; slot--) {
		double price = rate(req, region, slot);

		if (isnan(price))
			continue;
		if (count >= skip && count < skip + page->size)
			put_rate(w, req, price, slot);
		count++;
	}
	jw_end_array(w);
	return count;
}

static void put_link(struct json_writer *w, struct request *req, const char *key, int64_t number, bool there)
{
	const char *host = http_header(req->x, "host"), *from = http_param(req->x, "period_from");
	const char *to = http_param(req->x, "period_to"), *size = http_param(req->x, "page_size");

	if (!there) {
		jw_null(w, key);
		return;
	}
	jw_stringf(w, key, "http://%s%s?page=%" PRId64 "%s%s%s%s%s%s", host ? host : "localhost", http_path(req->x),
		   number, from ? "&period_from=" : "", from ? from : "", to ? "&period_to=" : "", to ? to : "",
		   size ? "&page_size=" : "", size ? size : "");
}

static int not_found(struct request *req)
{
	(void)buf_adds(req->out, "{\"detail\":\"Not found.\"}");
	return 404;
}

static int bad_period(struct request *req, const char *text)
{
	(void)buf_addf(req->out, "{\"period_from\":[\"%s\"]}", text);
	return 400;
}

static int parse_page(struct request *req, struct page *ret)
{
	const struct recording *rec = &req->replay->rec;
	const char *from = http_param(req->x, "period_from"), *to = http_param(req->x, "period_to");
	const char *number = http_param(req->x, "page"), *size = http_param(req->x, "page_size");
	int64_t ms;

	*ret = (struct page){ .first = 0, .last = rec->n - 1, .size = PAGE_SIZE, .number = 1 };
	if (to && !from)
		return bad_period(req, "Must have `period_from` to use `period_to`.");
	if (from) {
		if (!time_parse(str_from(from), &ms))
			return bad_period(req, "Enter a valid date/time.");
		ret->first = MAX(0, recording_slot(rec, ms));
	}
	if (to) {
		if (!time_parse(str_from(to), &ms))
			return bad_period(req, "Enter a valid date/time.");
		ret->last = MIN(rec->n - 1, recording_slot(rec, time_slot_ceil(ms, SLOT_MS)) - 1);
	}
	if (size && !str_to_i64(str_from(size), 1, MAX_PAGE_SIZE, &ret->size))
		return bad_period(req, "Bad page size.");
	if (number && !str_to_i64(str_from(number), 1, 10000, &ret->number))
		return not_found(req);
	if (req->fault[FAULT_PAGES])
		ret->size = MIN(ret->size, 20);
	return 0;
}

static int answer_rates(struct request *req, int region)
{
	struct json_writer w = json_writer(req->out);
	struct page page;
	int status = parse_page(req, &page), count;

	if (status)
		return status;
	jw_object(&w, NULL);
	count = put_results(&w, req, region, &page);
	jw_i64(&w, "count", count);
	put_link(&w, req, "next", page.number + 1, page.number * page.size < count);
	put_link(&w, req, "previous", page.number - 1, page.number > 1);
	if (req->fault[FAULT_SCHEMA])
		jw_object(&w, "meta"), jw_end_object(&w);
	jw_end_object(&w);
	return 200;
}

static void put_product(struct json_writer *w, const struct request *req, bool detail)
{
	char tariff[64];

	jw_string(w, "code", REPLAY_PRODUCT);
	jw_string(w, "direction", "IMPORT");
	jw_string(w, "full_name", "Agile, illustrative");
	jw_string(w, "display_name", "Agile (illustrative)");
	jw_string(w, "description", DESCRIPTION);
	jw_bool(w, "is_variable", true);
	jw_bool(w, "is_green", true);
	jw_bool(w, "is_business", false);
	jw_time(w, "available_from", req->replay->rec.start_ms - 30 * DAY_MS);
	jw_null(w, "available_to");
	jw_string(w, "brand", "OCTOPUS_ENERGY");
	if (!detail)
		return;
	jw_object(w, "single_register_electricity_tariffs");
	for (int i = 0; i < REGIONS; i++) {
		char group[3] = { '_', region_table[i].gsp, 0 };

		(void)snprintf(tariff, sizeof(tariff), "E-1R-%s-%c", REPLAY_PRODUCT, region_table[i].gsp);
		jw_object(w, group);
		jw_object(w, "direct_debit_monthly");
		jw_string(w, "code", tariff);
		jw_end_object(w);
		jw_end_object(w);
	}
	jw_end_object(w);
}

/* The list holds a retired Agile, an export tariff and a fixed one besides ours, as the real one does. */
static int answer_products(struct request *req)
{
	static const struct {
		const char *code, *direction;
		bool retired;
	} others[] = { { "AGILE-OUTGOING-19-05-13", "EXPORT", false },
		       { "AGILE-18-02-21", "IMPORT", true },
		       { "OE-FIX-12M-26-01-01", "IMPORT", false } };
	struct json_writer w = json_writer(req->out);
	int64_t start = req->replay->rec.start_ms;

	jw_object(&w, NULL);
	jw_i64(&w, "count", (int64_t)ARRAY_LEN(others) + 1);
	jw_null(&w, "next");
	jw_null(&w, "previous");
	jw_array(&w, "results");
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		jw_object(&w, NULL);
		jw_string(&w, "code", others[i].code);
		jw_string(&w, "direction", others[i].direction);
		jw_string(&w, "full_name", "Illustrative");
		jw_string(&w, "display_name", "Illustrative");
		jw_time(&w, "available_from", start - 400 * DAY_MS);
		if (others[i].retired)
			jw_time(&w, "available_to", start - 100 * DAY_MS);
		else
			jw_null(&w, "available_to");
		jw_string(&w, "brand", "OCTOPUS_ENERGY");
		jw_end_object(&w);
	}
	jw_object(&w, NULL);
	put_product(&w, req, false);
	jw_end_object(&w);
	jw_end_array(&w);
	jw_end_object(&w);
	return 200;
}

static int answer_product(struct request *req)
{
	struct json_writer w = json_writer(req->out);

	jw_object(&w, NULL);
	put_product(&w, req, true);
	jw_end_object(&w);
	return 200;
}

/* /v1/products/[{code}/[electricity-tariffs/E-1R-{code}-{letter}/standard-unit-rates/]] */
int octopus_answer(struct request *req)
{
	char tariff[64];

	if (req->n_path < 2 || !str_is(req->path[1], "products"))
		return not_found(req);
	if (req->n_path == 2)
		return answer_products(req);
	if (!str_is(req->path[2], REPLAY_PRODUCT))
		return not_found(req);
	if (req->n_path == 3)
		return answer_product(req);
	if (req->n_path != 6 || !str_is(req->path[3], "electricity-tariffs") ||
	    !str_is(req->path[5], "standard-unit-rates"))
		return not_found(req);
	for (int i = 0; i < REGIONS; i++) {
		(void)snprintf(tariff, sizeof(tariff), "E-1R-%s-%c", REPLAY_PRODUCT, region_table[i].gsp);
		if (str_is(req->path[4], tariff))
			return answer_rates(req, i);
	}
	return not_found(req);
}
