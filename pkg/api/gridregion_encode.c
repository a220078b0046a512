/* SPDX-License-Identifier: Apache-2.0 */
/* Writing of GridRegion.status. */
#include "api/gridregion.h"
#include "base/decimal.h"
#include "json/writer.h"

static void put_figure(struct json_writer *w, const char *key, int32_t value)
{
	if (value != GRID_UNKNOWN)
		jw_i64(w, key, value);
}

static void put_column(struct json_writer *w, const char *key, const int32_t *column, int n)
{
	if (!column)
		return;
	jw_array(w, key);
	for (int i = 0; i < n; i++)
		if (column[i] == GRID_UNKNOWN)
			jw_null(w, NULL);
		else
			jw_i64(w, NULL, column[i]);
	jw_end_array(w);
}

static void put_now(struct json_writer *w, const struct grid_now *now)
{
	jw_object(w, "now");
	put_figure(w, "carbonMilligramsPerKWh", now->carbon_mg_per_kwh);
	put_figure(w, "pricePerKWhMicros", now->price_micros_per_kwh);
	put_figure(w, "renewablePerMille", now->renewable_permille);
	put_figure(w, "lowCarbonPerMille", now->low_carbon_permille);
	if (now->index[0])
		jw_string(w, "index", now->index);
	jw_end_object(w);
}

static void put_forecast(struct json_writer *w, const struct grid_forecast *f)
{
	if (f->start_ms == TIME_NONE)
		return;
	jw_object(w, "forecast");
	jw_time(w, "startTime", f->start_ms);
	jw_i64(w, "slotSeconds", f->slot_ms / SECOND_MS);
	jw_time(w, "issuedTime", f->issued_ms);
	put_column(w, "carbonP10", f->carbon_p10, f->n);
	put_column(w, "carbonP50", f->carbon_p50, f->n);
	put_column(w, "carbonP90", f->carbon_p90, f->n);
	put_column(w, "priceP10", f->price_p10, f->n);
	put_column(w, "priceP50", f->price_p50, f->n);
	put_column(w, "priceP90", f->price_p90, f->n);
	put_column(w, "renewable", f->renewable, f->n);
	jw_end_object(w);
}

static void put_recent(struct json_writer *w, const struct grid_recent *r)
{
	if (r->start_ms == TIME_NONE || r->n == 0)
		return;
	jw_object(w, "recent");
	jw_time(w, "startTime", r->start_ms);
	put_column(w, "carbon", r->carbon, r->n);
	put_column(w, "price", r->price, r->n);
	if (r->kind) {
		jw_array(w, "kind");
		for (int i = 0; i < r->n; i++)
			jw_string(w, NULL, grid_kind_name((enum grid_kind)r->kind[i]));
		jw_end_array(w);
	}
	jw_end_object(w);
}

void gridregion_write_basis(struct json_writer *w, const struct grid_basis *b)
{
	if (!b->accounting[0])
		return;
	jw_object(w, "basis");
	jw_string(w, "accounting", b->accounting);
	jw_string(w, "scope", b->scope);
	jw_string(w, "boundary", b->boundary);
	jw_string(w, "resolution", b->resolution);
	jw_end_object(w);
}

void gridregion_write_sources(struct json_writer *w, const struct gridregion *r)
{
	jw_array(w, "sources");
	for (int i = 0; i < r->n_sources; i++) {
		const struct grid_source *s = &r->sources[i];

		jw_object(w, NULL);
		jw_string_opt(w, "metric", s->metric);
		jw_string_opt(w, "use", s->use);
		jw_string_opt(w, "provider", s->provider);
		jw_string_opt(w, "zone", s->zone);
		jw_string_opt(w, "product", s->product);
		jw_string_opt(w, "kind", s->kind);
		put_figure(w, "confidencePerMille", s->confidence_permille);
		jw_string_opt(w, "note", s->note);
		jw_string_opt(w, "currency", s->currency);
		jw_string_opt(w, "attribution", s->attribution);
		jw_string_opt(w, "licence", s->licence);
		jw_time(w, "issuedTime", s->issued_ms);
		jw_time(w, "fetchedTime", s->fetched_ms);
		jw_time(w, "fromTime", s->from_ms);
		jw_end_object(w);
	}
	jw_end_array(w);
}

static void put_mix(struct json_writer *w, const struct gridregion *r)
{
	if (r->n_mix == 0)
		return;
	jw_array(w, "mix");
	for (int i = 0; i < r->n_mix; i++) {
		jw_object(w, NULL);
		jw_string(w, "fuel", r->mix[i].fuel);
		jw_i64(w, "perMille", r->mix[i].permille);
		jw_end_object(w);
	}
	jw_end_array(w);
}

int64_t grid_forecast_known_until_ms(const struct grid_forecast *f)
{
	for (int i = f->carbon_p50 && f->start_ms != TIME_NONE ? f->n : 0; i > 0; i--)
		if (f->carbon_p50[i - 1] != GRID_UNKNOWN)
			return f->start_ms + i * f->slot_ms;
	return TIME_NONE;
}

static void put_percent(struct json_writer *w, const char *key, int32_t permille)
{
	char text[DECIMAL_TEXT];

	if (permille != GRID_UNKNOWN)
		jw_stringf(w, key, "%s %%", decimal_format_fixed(permille, 1, 0, text));
}

static void carbon_text(int32_t mg_per_kwh, char out[64])
{
	char text[DECIMAL_TEXT];

	(void)snprintf(out, 64, "%s g/kWh", decimal_format_fixed(mg_per_kwh, 3, 0, text));
}

/* Pounds are shown in pence, as people there pay for electricity. */
static void price_text(int32_t micros_per_kwh, const char *currency, char out[64])
{
	char text[DECIMAL_TEXT];

	if (cstr_eq(currency, "GBP"))
		(void)snprintf(out, 64, "%s p/kWh", decimal_format_fixed(micros_per_kwh, 4, 2, text));
	else
		(void)snprintf(out, 64, "%s %s/kWh", decimal_format_fixed(micros_per_kwh, 6, 4, text), currency);
}

/* The least value ahead and when its half hour begins: the first of several. */
static int lowest(const struct grid_forecast *f, const int32_t *column)
{
	int best = -1;

	for (int i = 0; column && f->start_ms != TIME_NONE && i < f->n; i++)
		if (column[i] != GRID_UNKNOWN && (best < 0 || column[i] < column[best]))
			best = i;
	return best;
}

static void put_lowest(struct json_writer *w, const char *key, const struct grid_forecast *f, int i, const char *figure)
{
	char when[TIME_TEXT];

	jw_stringf(w, key, "%s at %s", figure, time_format_minute(f->start_ms + i * f->slot_ms, when));
}

/* The largest shares, which come first, as far as they tell something. */
static void put_mix_text(struct json_writer *w, const struct gridregion *r)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT(160);

	for (int i = 0; i < MIN(r->n_mix, 4) && r->mix[i].permille >= 5; i++)
		(void)buf_addf(&text, "%s%s %d %%", i ? ", " : "", r->mix[i].fuel, (r->mix[i].permille + 5) / 10);
	if (text.len)
		jw_string(w, "mix", buf_cstr(&text));
}

static const struct grid_source *source_of(const struct gridregion *r, const char *metric)
{
	for (int i = 0; i < r->n_sources; i++)
		if (cstr_eq(r->sources[i].metric, metric))
			return &r->sources[i];
	return NULL;
}

/* What a person wants to know: kubectl's columns, and the last lines of kubectl describe. */
static void put_summary(struct json_writer *w, const struct gridregion *r)
{
	const struct grid_source *carbon = source_of(r, "carbon"), *price = source_of(r, "price");
	const struct grid_forecast *f = &r->forecast;
	int cleanest = lowest(f, f->carbon_p50), cheapest = lowest(f, f->price_p50);
	char text[64];

	jw_object(w, "summary");
	if (r->now.carbon_mg_per_kwh != GRID_UNKNOWN) {
		carbon_text(r->now.carbon_mg_per_kwh, text);
		jw_string(w, "carbon", text);
	}
	if (r->now.price_micros_per_kwh != GRID_UNKNOWN && r->currency) {
		price_text(r->now.price_micros_per_kwh, r->currency, text);
		jw_string(w, "price", text);
	}
	put_percent(w, "renewable", r->now.renewable_permille);
	put_percent(w, "lowCarbon", r->now.low_carbon_permille);
	put_mix_text(w, r);
	if (cleanest >= 0) {
		carbon_text(f->carbon_p50[cleanest], text);
		put_lowest(w, "cleanest", f, cleanest, text);
	}
	if (cheapest >= 0 && r->currency) {
		price_text(f->price_p50[cheapest], r->currency, text);
		put_lowest(w, "cheapest", f, cheapest, text);
	}
	jw_time(w, "forecastUntil", grid_forecast_known_until_ms(f));
	if (r->stress_cause && r->stress_permille != GRID_UNKNOWN)
		jw_stringf(w, "stress", "%d %% (%s)", (r->stress_permille + 5) / 10, r->stress_cause);
	if (carbon)
		jw_stringf(w, "source", "%s%s%s", carbon->provider, r->basis.resolution[0] ? ", " : "",
			   r->basis.resolution);
	if (price)
		jw_stringf(w, "priceSource", "%s%s%s", price->provider, price->note ? ", " : "",
			   price->note ? price->note : "");
	put_percent(w, "confidence", r->confidence_permille);
	jw_end_object(w);
}

void gridregion_encode_status(const struct gridregion *r, struct buf *out)
{
	struct json_writer w = json_writer(out);

	jw_object(&w, NULL);
	put_now(&w, &r->now);
	put_summary(&w, r);
	put_forecast(&w, &r->forecast);
	put_recent(&w, &r->recent);
	put_mix(&w, r);
	put_figure(&w, "confidencePerMille", r->confidence_permille);
	put_figure(&w, "carbonErrorMilligramsPerKWh", r->carbon_error_mg_per_kwh);
	put_figure(&w, "stressPerMille", r->stress_permille);
	jw_string_opt(&w, "stressCause", r->stress_cause);
	gridregion_write_basis(&w, &r->basis);
	gridregion_write_sources(&w, r);
	conditions_write(&w, "conditions", &r->conditions);
	jw_end_object(&w);
}
