/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of NESO's resources. What shapes this file:
 *
 *  - times are GMT without saying so, and mark the start (carbon, mix) or the END (embedded, demand forecast) of
 *    a slot, or they are local dates with settlement periods (recent demand) or with clock times (DFS);
 *  - carbon may be negative (kept as 0 and flagged); demand 0 and an actual carbon of 0 stand for "not yet";
 *  - files hold months or years: what lies outside the span asked for is no mistake, unless all of it does.
 */
#include <strings.h>

#include "grid/fuel.h"
#include "grid/period.h"
#include "grid/providers/neso.h"
#include "grid/read.h"

#define GBP_PER_MWH 1000.0 /* in millionths per kWh; and GBP/MW/h per kW and hour */

static const char *const slugs[] = {
	"north-scotland",
	"south-scotland",
	"north-west-england",
	"north-east-england",
	"yorkshire",
	"north-wales-and-merseyside",
	"south-wales",
	"west-midlands",
	"east-midlands",
	"east-england",
	"south-west-england",
	"south-england",
	"london",
	"south-east-england",
};

int neso_slug_number(const char *zone)
{
	for (size_t i = 0; zone && i < ARRAY_LEN(slugs); i++)
		if (strcmp(slugs[i], zone) == 0)
			return (int)i + 1;
	return 0;
}

/* A cell. */
struct value {
	const struct json *json; /* NULL: of the file */
	struct str text;
};

static struct value named(const struct neso_row *r, const char *name)
{
	const struct json *member = r->record ? json_get(r->record, name) : NULL;
	const char *text = json_string(member);

	return (struct value){ member, r->record ? str_from(text) : grid_csv_named(r->csv, name) };
}

static bool is_missing(const struct value *v)
{
	return str_empty(v->text) && (!v->json || json_is_null(v->json) || json_string(v->json));
}

static bool number(const struct value *v, double *ret)
{
	return v->text.ptr ? str_to_double(v->text, ret) : json_double(v->json, ret);
}

static bool is_inside(struct neso_parser *p, int64_t start_ms, int64_t end_ms)
{
	if (start_ms < p->a->to_ms && end_ms > p->a->from_ms)
		return true;
	p->outside++;
	return false;
}

static void put(struct neso_parser *p, enum grid_metric metric, const char *zone, int64_t ms, const struct value *v,
		enum grid_kind kind)
{
	double d;

	if (!is_inside(p, ms, ms + SLOT_MS))
		return;
	if (is_missing(v))
		grid_answer_drop(p->a, GRID_DROP_MISSING);
	else if (!number(v, &d))
		grid_answer_drop(p->a, GRID_DROP_TYPE);
	else
		grid_put_number(p->a, metric, zone, ms, SLOT_MS, d, metric == GRID_CARBON ? 1000 : 1, kind);
}

/* A time in GMT; a row without one is counted. */
static bool gmt(struct neso_parser *p, const struct neso_row *r, const char *name, int64_t *ret_ms)
{
	if (grid_wall_parse(NULL, named(r, name).text, TIME_NONE, ret_ms))
		return true;
	grid_answer_drop(p->a, GRID_DROP_TYPE);
	return false;
}

/* "North Wales & Merseyside" and "North Wales and Merseyside" are one; 0 = no region of ours. */
static int region_of(struct str name)
{
	char slug[GRID_NAME_MAX];
	size_t n = 0;

	for (size_t i = 0; i < name.len && n + 4 < sizeof(slug); i++) {
		char c = name.ptr[i];

		if (c == '&') {
			memcpy(slug + n, "and", 3);
			n += 3;
		} else {
			slug[n++] = (char)(c == ' ' ? '-' : c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
		}
	}
	slug[n] = '\0';
	return neso_slug_number(slug);
}

static void take_region(struct neso_parser *p, struct str name, const struct value *v, int64_t start)
{
	int id = region_of(name);
	char zone[8];

	if (!id) {
		if (!str_is(name, "datetime") && !str_is(name, "_id"))
			grid_answer_drop(p->a, GRID_DROP_ZONE);
		return;
	}
	(void)snprintf(zone, sizeof(zone), "%d", id);
	put(p, GRID_CARBON, p->req->what == NESO_REGIONAL_SLUGS ? slugs[id - 1] : zone, start, v,
	    grid_kind_of(start + SLOT_MS, p->env->now_ms));
}

/* One column for each region. */
void neso_take_regional(struct neso_parser *p, const struct neso_row *r)
{
	int64_t start;

	if (!gmt(p, r, "datetime", &start))
		return;
	json_each (member, r->record) {
		const struct value v = { member, str_from(json_string(member)) };

		take_region(p, str_from(json_key(member)), &v, start);
	}
	for (int i = 0; !r->record && i < r->csv->header.n; i++) {
		const struct value v = { NULL, grid_csv_cell(r->csv, i) };

		take_region(p, r->csv->header.cells[i], &v, start);
	}
}

void neso_take_national(struct neso_parser *p, const struct neso_row *r)
{
	struct value actual = named(r, "actual"), forecast = named(r, "forecast");
	int64_t start;
	double d;

	if (!gmt(p, r, "datetime", &start))
		return;
	if (start + SLOT_MS <= p->env->now_ms && number(&actual, &d) && d > 0)
		put(p, GRID_CARBON, p->req->zone, start, &actual, GRID_KIND_ACTUAL);
	else
		put(p, GRID_CARBON, p->req->zone, start, &forecast, grid_kind_of(start + SLOT_MS, p->env->now_ms));
}

/* The end of the half hour: a date with midnight behind it, and a clock time. */
void neso_take_embedded(struct neso_parser *p, const struct neso_row *r)
{
	struct value wind = named(r, "EMBEDDED_WIND_FORECAST"), solar = named(r, "EMBEDDED_SOLAR_FORECAST");
	struct str clock = named(r, "TIME_GMT").text;
	char text[TIME_TEXT];
	int64_t day, end, start;

	if (!grid_date_parse(named(r, "DATE_GMT").text, &day) || clock.len > 8) {
		grid_answer_drop(p->a, GRID_DROP_TYPE);
		return;
	}
	(void)snprintf(text, sizeof(text), "1970-01-01T%.*s", STR_FMT(clock));
	if (!grid_wall_parse(NULL, str_from(text), TIME_NONE, &end)) {
		grid_answer_drop(p->a, GRID_DROP_TYPE);
		return;
	}
	start = grid_start_of_end(day * DAY_MS + end, SLOT_MS);
	put(p, GRID_WIND, "GB", start, &wind, GRID_KIND_FORECAST);
	put(p, GRID_SOLAR, "GB", start, &solar, GRID_KIND_FORECAST);
}

/* Rows of the future and of the last minutes are there already, with a demand of 0. */
void neso_take_recent_demand(struct neso_parser *p, const struct neso_row *r)
{
	struct value period = named(r, "SETTLEMENT_PERIOD"), demand = named(r, "ND");
	int64_t day, start;
	double n, d;

	if (!grid_date_parse(named(r, "SETTLEMENT_DATE").text, &day) || !number(&period, &n) ||
	    !(n >= 1 && n <= 50 && n == (int)n) || !grid_period_start_ms(p->env->tz, day, (int64_t)n, SLOT_MS, &start))
		grid_answer_drop(p->a, GRID_DROP_TYPE);
	else if (number(&demand, &d) && d == 0 && is_inside(p, start, start + SLOT_MS))
		grid_answer_drop(p->a, GRID_DROP_DEAD);
	else
		put(p, GRID_DEMAND, "GB", start, &demand,
		    str_is(named(r, "FORECAST_ACTUAL_INDICATOR").text, "A") ? GRID_KIND_ACTUAL : GRID_KIND_FORECAST);
}

/* A local day's rows run from 00:30 to 24:00: ends. */
void neso_take_demand_ahead(struct neso_parser *p, const struct neso_row *r)
{
	struct value demand = named(r, "NATIONALDEMAND");
	int64_t end;

	if (gmt(p, r, "GDATETIME", &end))
		put(p, GRID_DEMAND, "GB", grid_start_of_end(end, SLOT_MS), &demand, GRID_KIND_FORECAST);
}

/* Embedded wind and solar are in it, estimated. */
void neso_take_historic_mix(struct neso_parser *p, const struct neso_row *r)
{
	static const char *const columns[] = { "GAS",     "COAL",    "NUCLEAR", "WIND",  "WIND_EMB", "HYDRO",
					       "IMPORTS", "BIOMASS", "OTHER",   "SOLAR", "STORAGE" };
	struct grid_fuel_mix mix = { .mw = { 0 } };
	struct grid_moment *moment;
	int64_t start;
	double mw;

	if (!gmt(p, r, "DATETIME", &start) || !is_inside(p, start, start + SLOT_MS))
		return;
	for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
		struct value v = named(r, columns[i]);

		if (!number(&v, &mw) || !grid_mix_add(&mix, str_from(columns[i]), mw)) {
			grid_answer_drop(p->a, is_missing(&v) ? GRID_DROP_MISSING : GRID_DROP_TYPE);
			return;
		}
	}
	if (!grid_mix_is_whole(&mix)) {
		grid_answer_drop(p->a, GRID_DROP_MISSING);
		return;
	}
	grid_answer_put(p->a, GRID_RENEWABLE, "GB", start, grid_mix_renewable_permille(&mix), GRID_KIND_ESTIMATED);
	grid_answer_put(p->a, GRID_LOW_CARBON, "GB", start, grid_mix_low_carbon_permille(&mix), GRID_KIND_ESTIMATED);
	/* There is room for as many as are shown. */
	moment = start >= p->env->now_ms - DAY_MS ? grid_answer_moment(p->a, "GB", start) : NULL;
	if (moment)
		grid_mix_to_moment(&mix, moment);
}

/* Adds to the sums of every slot from start to end, as far as they were asked for. */
static void add_sums(struct neso_parser *p, int64_t start, int64_t end, const struct value *price,
		     const struct value *volume)
{
	double money, mw;

	if (!is_inside(p, start, end))
		return;
	if (is_missing(price) || is_missing(volume)) {
		grid_answer_drop(p->a, GRID_DROP_MISSING);
	} else if (!number(price, &money) || !number(volume, &mw) || !(money > -1e6 && money < 1e6) ||
		   !(mw >= 0 && mw < 1e6)) {
		grid_answer_drop(p->a, GRID_DROP_TYPE);
	} else if (start % SLOT_MS || end % SLOT_MS || end <= start || end - start > DAY_MS) {
		grid_answer_drop(p->a, GRID_DROP_STEP);
	} else if (mw == 0) {
		grid_answer_drop(p->a, GRID_DROP_DEAD);
	} else {
		for (int64_t t = MAX(start, p->a->from_ms); t < MIN(end, p->a->to_ms); t += SLOT_MS) {
			p->paid[(t - p->a->from_ms) / SLOT_MS] += money * mw;
			p->volume[(t - p->a->from_ms) / SLOT_MS] += mw;
		}
	}
}

/* One row for each bid: those accepted are paid what they asked for. */
void neso_take_flexibility(struct neso_parser *p, const struct neso_row *r)
{
	struct value price = named(r, "Utilisation Price GBP per MWh"), volume = named(r, "DFS Procured MW");
	struct str date = named(r, "Delivery Date").text, clock = named(r, "From_Local").text,
		   status = named(r, "Status").text;
	char text[TIME_TEXT];
	int64_t start;

	if (status.len != strlen("accepted") || strncasecmp(status.ptr, "accepted", status.len) != 0)
		return;
	if (date.len < 10 || clock.len > 8) {
		grid_answer_drop(p->a, GRID_DROP_TYPE);
		return;
	}
	(void)snprintf(text, sizeof(text), "%.10sT%.*s", date.ptr, STR_FMT(clock));
	if (grid_wall_parse(p->env->tz, str_from(text), TIME_NONE, &start))
		add_sums(p, start, start + SLOT_MS, &price, &volume);
	else
		grid_answer_drop(p->a, GRID_DROP_TYPE);
}

/*
 * Clearing prices of dynamic response. A consumer delivers the low-frequency side by using less: DCL, DML and DRL, or
 * the one product that configuration pins.
 */
void neso_take_response(struct neso_parser *p, const struct neso_row *r)
{
	static const char *const low[] = { "DCL", "DML", "DRL" };
	struct value price = named(r, "clearingPrice"), volume = named(r, "clearedVolume");
	struct str product = named(r, "auctionProduct").text;
	bool wanted = str_is(product, p->req->product);
	int64_t start, end;

	for (size_t i = 0; i < ARRAY_LEN(low) && !p->req->product[0]; i++)
		wanted |= str_is(product, low[i]);
	if (wanted && gmt(p, r, "deliveryStart", &start) && gmt(p, r, "deliveryEnd", &end))
		add_sums(p, start, end, &price, &volume);
}

void neso_put_means(struct neso_parser *p)
{
	enum grid_metric metric = p->req->what == NESO_FLEXIBILITY ? GRID_FLEX_PRICE : GRID_RESPONSE_PRICE;

	for (int i = 0; i < GRID_SERIES_MAX; i++)
		if (p->volume[i] > 0)
			grid_put_number(p->a, metric, "GB", p->a->from_ms + i * SLOT_MS, SLOT_MS,
					p->paid[i] / p->volume[i], GBP_PER_MWH, GRID_KIND_ACTUAL);
}
