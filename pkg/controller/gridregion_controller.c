/* SPDX-License-Identifier: Apache-2.0 */
/* GridRegion.status: made from what the collector knows, written when it differs. */
#include "controller/gridregion_controller.h"

#include "base/alloc.h"
#include "json/writer.h"

/* Contracts 2. */
#define MAX_STATUS_BYTES ((size_t)64 * 1024)
#define STRESS_NEWS_PERMILLE 50

static int32_t *ahead(const struct grid_series *s, int64_t start_ms, int n, struct arena *arena)
{
	int32_t *out = arena_array(arena, (size_t)MAX(n, 1), int32_t);
	bool known = false;

	for (int i = 0; s && i < n; i++) {
		out[i] = grid_series_at(s, start_ms + i * SLOT_MS);
		known |= out[i] != GRID_UNKNOWN;
	}
	return known ? out : NULL;
}

static int slots_until(const struct grid_series *s, int64_t start_ms, int64_t now_ms)
{
	int64_t end = s ? grid_series_horizon_ms(s, now_ms) : TIME_NONE;

	return end == TIME_NONE ? 0 : (int)MIN((end - start_ms) / SLOT_MS, GRIDREGION_MAX_SLOTS);
}

/* The end of the last slot of which the source tells what it was; TIME_NONE when there is none. */
static int64_t told_until_ms(const struct grid_series *s)
{
	for (int i = s ? s->n : 0; i > 0; i--)
		if (s->value[i - 1] != GRID_UNKNOWN && s->kind[i - 1] != GRID_KIND_FORECAST)
			return s->start_ms + i * SLOT_MS;
	return TIME_NONE;
}

/* A source that tells what is, and never what will be: then ours is all that is known ahead. */
static bool says_present_only(const struct collector_pick *p, int64_t now_ms)
{
	int64_t until_ms = told_until_ms(p->series);

	return !p->usable && p->chain >= 0 && p->use == GRID_USE_TOO_OLD && until_ms != TIME_NONE &&
	       now_ms - until_ms <= GRID_MAX_AGE_MS && grid_series_horizon_ms(p->series, now_ms) == TIME_NONE;
}

/* There is a word of ours, and it is not too old to be shown. */
static bool is_told(const struct forecaster_word *w, int64_t now_ms)
{
	return w && w->forecast.n && now_ms - w->forecast.issued_ms <= FORECASTER_MAX_AGE_MS;
}

/* Our forecast behind what a source publishes, while both may be acted upon; NULL = none. */
static const struct own_forecast *own_of(const struct collector_pick *p, const struct forecaster_word *w,
					 int64_t now_ms)
{
	return (p->usable || says_present_only(p, now_ms)) && is_told(w, now_ms) ? &w->forecast : NULL;
}

/* All that is known of the carbon ahead is ours. */
static bool own_stands_in(const struct collector_view *view, const struct forecaster_view *own, int64_t now_ms)
{
	return !view->carbon.usable && own_of(&view->carbon, own->carbon, now_ms);
}

static int own_slots(const struct own_forecast *f, int64_t start_ms)
{
	return f ? (int)CLAMP((f->start_ms - start_ms) / SLOT_MS + f->n, 0, GRIDREGION_MAX_SLOTS) : 0;
}

/* The three columns of one metric. */
struct columns {
	const int32_t *p10, *p50, *p90;
};

/*
 * What is published keeps its values; p10 and p90 lie around it by what such values have been wrong by, and on it where
 * it cannot be wrong: a price. Behind it is our own.
 */
static void fill_columns(const struct collector_pick *p, const struct forecaster_word *w, int64_t start_ms,
			 int64_t now_ms, int n, struct arena *arena, struct columns *ret)
{
	const struct own_forecast *own = own_of(p, w, now_ms);
	int published = slots_until(p->series, start_ms, now_ms);
	bool exact = grid_metric_is_price(p->metric);
	int32_t *p10, *p50, *p90;

	*ret = (struct columns){ .p50 = ahead(p->series, start_ms, n, arena) };
	if (!w || (!own && (!p->usable || !w->n_bands)))
		return;
	ret->p10 = p10 = arena_array(arena, (size_t)n, int32_t);
	ret->p50 = p50 = arena_array(arena, (size_t)n, int32_t);
	ret->p90 = p90 = arena_array(arena, (size_t)n, int32_t);
	for (int i = 0; i < n; i++) {
		int64_t ms = start_ms + i * SLOT_MS,
			k = own && ms >= own->start_ms ? (ms - own->start_ms) / SLOT_MS : -1;
		int64_t band = (ms - p->series->issued_ms) / (FORECAST_BAND_SLOTS * SLOT_MS);
		bool banded = band < w->n_bands;

		p50[i] = i < published ? grid_series_at(p->series, ms) : GRID_UNKNOWN;
		p10[i] = p90[i] = exact ? p50[i] : GRID_UNKNOWN;
		if (p50[i] != GRID_UNKNOWN && !exact && banded) {
			p10[i] = MAX(p50[i] + w->low[MAX(band, 0)], 0);
			p90[i] = p50[i] + w->high[MAX(band, 0)];
		}
		if (i >= published && k >= 0 && k < own->n) {
			p10[i] = own->p10[k];
			p50[i] = own->p50[k];
			p90[i] = own->p90[k];
		}
	}
}

static void fill_forecast(const struct collector_view *view, const struct forecaster_view *own, int64_t start_ms,
			  int64_t now_ms, struct arena *arena, struct gridregion *ret)
{
	struct grid_forecast *f = &ret->forecast;
	struct columns carbon, price;

	*f = (struct grid_forecast){ .start_ms = TIME_NONE, .issued_ms = TIME_NONE, .slot_ms = SLOT_MS };
	f->n = MAX(slots_until(view->carbon.series, start_ms, now_ms),
		   slots_until(view->price.series, start_ms, now_ms));
	f->n = MAX(f->n, own_slots(own_of(&view->carbon, own->carbon, now_ms), start_ms));
	f->n = MAX(f->n, own_slots(own_of(&view->price, own->price, now_ms), start_ms));
	if (f->n == 0)
		return;
	f->start_ms = start_ms;
	if (view->carbon.series)
		f->issued_ms = view->carbon.series->issued_ms;
	fill_columns(&view->carbon, own->carbon, start_ms, now_ms, f->n, arena, &carbon);
	fill_columns(&view->price, own->price, start_ms, now_ms, f->n, arena, &price);
	f->carbon_p10 = carbon.p10;
	f->carbon_p50 = carbon.p50;
	f->carbon_p90 = carbon.p90;
	f->price_p10 = price.p10;
	f->price_p50 = price.p50;
	f->price_p90 = price.p90;
	f->renewable = ahead(view->renewable, start_ms, f->n, arena);
}

/* From the first slot that is known. */
static void fill_recent(const struct collector_view *view, int64_t start_ms, struct arena *arena,
			struct gridregion *ret)
{
	const struct grid_series *carbon = view->carbon.series, *price = view->price.series;
	int64_t first = start_ms;
	uint8_t *kinds;
	int n;

	for (int64_t ms = start_ms - SLOT_MS; ms >= start_ms - GRIDREGION_MAX_RECENT * SLOT_MS; ms -= SLOT_MS)
		if ((carbon && grid_series_at(carbon, ms) != GRID_UNKNOWN) ||
		    (price && grid_series_at(price, ms) != GRID_UNKNOWN))
			first = ms;
	n = (int)((start_ms - first) / SLOT_MS);
	ret->recent = (struct grid_recent){ .start_ms = n ? first : TIME_NONE, .n = n };
	if (n == 0)
		return;
	ret->recent.carbon = ahead(carbon, first, n, arena);
	ret->recent.price = ahead(price, first, n, arena);
	ret->recent.kind = kinds = arena_array(arena, (size_t)n, uint8_t);
	for (int i = 0; i < n; i++) {
		kinds[i] = GRID_KIND_ESTIMATED;
		if (carbon && grid_series_at(carbon, first + i * SLOT_MS) != GRID_UNKNOWN)
			kinds[i] = carbon->kind[(first - carbon->start_ms) / SLOT_MS + i];
	}
}

static int by_share(const void *a, const void *b)
{
	const struct grid_mix *x = a, *y = b;

	return y->permille != x->permille ? y->permille - x->permille : strcmp(x->fuel, y->fuel);
}

/* What is not there is left out, the largest part comes first. */
static void fill_mix(const struct grid_moment *m, struct arena *arena, struct gridregion *ret)
{
	struct grid_mix *mix = arena_array(arena, (size_t)MAX(m->n_mix, 1), struct grid_mix);

	ret->mix = mix;
	for (int i = 0; i < MIN(m->n_mix, GRIDREGION_MAX_MIX); i++)
		if (m->mix[i].permille > 0)
			mix[ret->n_mix++] =
				(struct grid_mix){ arena_strdup(arena, m->mix[i].fuel), m->mix[i].permille };
	qsort(mix, (size_t)ret->n_mix, sizeof(*mix), by_share);
}

static int32_t at(const struct grid_series *s, int64_t ms)
{
	return s ? grid_series_at(s, ms) : GRID_UNKNOWN;
}

/* A share is that of the slot that the mix is of, where the running one has none yet. */
static int32_t share_now(const struct grid_series *s, const struct grid_moment *m, int64_t now_ms)
{
	int32_t now = at(s, now_ms);

	return now == GRID_UNKNOWN && m ? at(s, m->start_ms) : now;
}

static void fill_now(const struct collector_view *view, int64_t now_ms, struct arena *arena, struct gridregion *ret)
{
	/* The mix of the last half hour but one is news; older is not. */
	const struct grid_moment *m =
		view->moment && now_ms - view->moment->start_ms < 4 * SLOT_MS ? view->moment : NULL;

	ret->now = (struct grid_now){
		.carbon_mg_per_kwh = at(view->carbon.series, now_ms),
		.price_micros_per_kwh = at(view->price.series, now_ms),
		.renewable_permille = share_now(view->renewable, m, now_ms),
		.low_carbon_permille = share_now(view->low_carbon, m, now_ms),
	};
	ret->mix = NULL;
	ret->n_mix = 0;
	if (!m)
		return;
	if (now_ms - m->start_ms < SLOT_MS)
		memcpy(ret->now.index, m->index, sizeof(ret->now.index));
	fill_mix(m, arena, ret);
}

/* Small changes of what moves all the time are no news. */
static void fill_stress(const struct gridregion *before, const struct collector_view *view, struct gridregion *ret)
{
	ret->stress_permille = view->stress_permille;
	ret->stress_cause = NULL;
	if (view->stress_permille == GRID_UNKNOWN || !view->stress_source.provider) {
		ret->stress_permille = GRID_UNKNOWN;
		return;
	}
	ret->stress_cause = grid_stress_cause_name(view->stress_cause);
	if (before->stress_permille != GRID_UNKNOWN && cstr_eq(before->stress_cause, ret->stress_cause) &&
	    abs(before->stress_permille - view->stress_permille) < STRESS_NEWS_PERMILLE)
		ret->stress_permille = before->stress_permille;
}

static const char *use_text(const struct collector_pick *p)
{
	switch (p->use) {
	case GRID_USE_FRESH:
		return p->chain == 0 ? "first source" : "fallback";
	case GRID_USE_LAST_GOOD:
		return "last good data";
	case GRID_USE_LAST_RESORT:
		return "last resort";
	default:
		return "too old";
	}
}

static struct grid_source *next_source(struct grid_source *out, int *n, const char *metric, const char *use,
				       const struct grid_provider *p, const char *zone)
{
	struct grid_source *s;

	if (*n == GRIDREGION_MAX_SOURCES)
		return NULL;
	s = &out[(*n)++];
	*s = (struct grid_source){ .metric = metric,
				   .use = use,
				   .provider = p->name,
				   .zone = zone,
				   .note = p->note,
				   .attribution = p->attribution,
				   .licence = p->licence,
				   .confidence_permille = GRID_UNKNOWN,
				   .issued_ms = TIME_NONE,
				   .fetched_ms = TIME_NONE,
				   .from_ms = TIME_NONE };
	return s;
}

static void add_source(struct grid_source *out, int *n, const struct collector_pick *p, const char *metric,
		       int64_t now_ms)
{
	struct grid_source *s;
	int64_t i;

	if (p->chain < 0)
		return;
	s = next_source(out, n, metric, use_text(p), p->provider, p->zone);
	if (!s)
		return;
	s->product = p->product;
	s->currency = p->currency;
	s->confidence_permille = p->usable ? p->confidence_permille : GRID_UNKNOWN;
	s->issued_ms = p->series->issued_ms;
	s->fetched_ms = p->fetched_ms;
	if (p->metric == GRID_WHOLESALE)
		s->note = "wholesale price, no tariff";
	i = (now_ms - p->series->start_ms) / SLOT_MS;
	if (at(p->series, now_ms) != GRID_UNKNOWN)
		s->kind = grid_kind_name((enum grid_kind)p->series->kind[i]);
	for (int k = 0; k < p->n_fillers; k++)
		(void)next_source(out, n, metric, "fills gaps", p->fillers[k].provider, p->fillers[k].zone);
}

/* Whose values those behind the source's own are. */
static void add_own(struct grid_source *out, int *n, const struct collector_pick *p, const struct forecaster_word *w,
		    const char *metric, int64_t now_ms, struct arena *arena)
{
	const struct own_forecast *own = own_of(p, w, now_ms);
	struct grid_source *s =
		own ? next_source(out, n, metric, "forecast", &grid_own_forecast_provider, p->zone) : NULL;

	if (!s)
		return;
	s->kind = grid_kind_name(GRID_KIND_FORECAST);
	s->note = arena_printf(arena, "from the history of %s", p->provider->name);
	s->currency = p->currency;
	s->issued_ms = own->issued_ms;
	s->from_ms = MAX(own->start_ms, grid_series_horizon_ms(p->series, now_ms));
}

static void fill_sources(const struct collector_view *view, const struct forecaster_view *own, int64_t now_ms,
			 struct arena *arena, struct gridregion *ret)
{
	struct grid_source *out = arena_array(arena, GRIDREGION_MAX_SOURCES, struct grid_source);
	const struct collector_filler *mix = &view->moment_source, *stress = &view->stress_source;
	struct grid_source *s;

	ret->n_sources = 0;
	add_source(out, &ret->n_sources, &view->carbon, "carbon", now_ms);
	if (own_stands_in(view, own, now_ms))
		out[0].use = "history only";
	add_own(out, &ret->n_sources, &view->carbon, own->carbon, "carbon", now_ms, arena);
	add_source(out, &ret->n_sources, &view->price, "price", now_ms);
	add_own(out, &ret->n_sources, &view->price, own->price, "price", now_ms, arena);
	if (ret->n_mix && mix->provider)
		(void)next_source(out, &ret->n_sources, "mix", NULL, mix->provider, mix->zone);
	if (ret->stress_cause &&
	    (s = next_source(out, &ret->n_sources, "stress", NULL, stress->provider, stress->zone)))
		s->note = NULL; /* of other figures */
	ret->sources = out;
	ret->currency = view->price.chain >= 0 ? view->price.currency : NULL;
	ret->basis = (struct grid_basis){ 0 };
	if (view->carbon.chain >= 0)
		ret->basis = view->carbon.basis;
	ret->confidence_permille = ret->carbon_error_mg_per_kwh = GRID_UNKNOWN;
	if (view->carbon.usable) {
		ret->confidence_permille = view->carbon.confidence_permille;
		ret->carbon_error_mg_per_kwh = own->carbon ? own->carbon->error : GRID_UNKNOWN;
	} else if (own_stands_in(view, own, now_ms)) {
		int permille = view->carbon.provider->confidence_permille;

		ret->carbon_error_mg_per_kwh = own->carbon->own_error;
		ret->confidence_permille = permille ? permille : 1000;
		if (own->carbon->own_error == GRID_UNKNOWN)
			ret->confidence_permille = ret->confidence_permille * FORECASTER_CONFIDENCE_PERMILLE / 1000;
	}
}

/* Messages hold nothing that changes with every issue: that would be a write of its own. */
static void set_fresh(struct conditions *c, const struct gridregion *r, const struct collector_pick *p, bool own,
		      int64_t now_ms, struct arena *arena)
{
	static const char *const reasons[] = { "UpToDate", "LastGood", "LastResort" };
	const char *reason, *trouble = p->trouble ? p->trouble : "no source";
	char text[TIME_TEXT];

	if (p->chain < 0) {
		(void)condition_set(c, arena, "Fresh", CONDITION_FALSE, "NoData", r->obj.meta.generation, now_ms,
				    "no carbon data: %s", trouble);
		return;
	}
	if (own) {
		(void)condition_set(c, arena, "Fresh", CONDITION_TRUE, "OwnForecast", r->obj.meta.generation, now_ms,
				    "carbon of %s %s, ahead by our own forecast", p->provider->name, p->zone);
		return;
	}
	if (p->usable) {
		(void)condition_set(c, arena, "Fresh", CONDITION_TRUE, reasons[p->use], r->obj.meta.generation, now_ms,
				    "carbon from %s %s", p->provider->name, p->zone);
		return;
	}
	reason = grid_series_horizon_ms(p->series, now_ms) == TIME_NONE ? "HorizonOver" : "Stale";
	(void)condition_set(c, arena, "Fresh", CONDITION_FALSE, reason, r->obj.meta.generation, now_ms,
			    "last good carbon data of %s: %s", time_format(p->series->issued_ms, text), trouble);
}

/* What is not as the chain wishes it, carbon first; false when all is. */
static bool degradation(const struct gridregion *r, const struct collector_view *view, bool own,
			const char **ret_reason, struct buf *text)
{
	const struct collector_pick *carbon = &view->carbon, *price = &view->price;
	char when[TIME_TEXT];

	*ret_reason = NULL;
	if (!carbon->usable && !own) {
		*ret_reason = "NoFreshCarbon";
		(void)buf_addf(text, "no carbon source can be used: %s",
			       carbon->trouble ? carbon->trouble : "none given");
	} else if (carbon->use == GRID_USE_LAST_GOOD) {
		*ret_reason = "CarbonLastGood";
		(void)buf_addf(text, "carbon from the last good data of %s %s, issued %s: %s", carbon->provider->name,
			       carbon->zone, time_format(carbon->series->issued_ms, when), carbon->trouble);
	} else if (carbon->chain > 0) {
		*ret_reason = carbon->use == GRID_USE_LAST_RESORT ? "CarbonLastResort" : "CarbonFallback";
		(void)buf_addf(text, "carbon from %s %s because of %s", carbon->provider->name, carbon->zone,
			       carbon->trouble);
	} else if (r->n_price_chain && !price->usable) {
		*ret_reason = "NoPrice";
		(void)buf_addf(text, "no price is known: %s", price->trouble ? price->trouble : "none given");
	} else if (r->n_price_chain && price->chain > 0) {
		*ret_reason = "PriceFallback";
		(void)buf_addf(text, "price from %s %s because of %s", price->provider->name, price->zone,
			       price->trouble);
	}
	return *ret_reason;
}

static void set_degraded(struct conditions *c, const struct gridregion *r, const struct collector_view *view, bool own,
			 int64_t now_ms, struct arena *arena)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT(4096);
	const char *reason;

	if (degradation(r, view, own, &reason, &text))
		(void)condition_set(c, arena, "Degraded", CONDITION_TRUE, reason, r->obj.meta.generation, now_ms, "%s",
				    buf_cstr(&text));
	else
		(void)condition_set(c, arena, "Degraded", CONDITION_FALSE, "FirstSource", r->obj.meta.generation,
				    now_ms, "the first source of each chain is in use");
}

static void set_place_shift(struct conditions *c, const struct gridregion *r, enum collector_mixed mixed,
			    int64_t now_ms, struct arena *arena)
{
	static const struct {
		const char *reason, *what, *how;
	} differs[] = {
		[COLLECTOR_MIXED_BASIS] = { "BasisDiffers", "carbon figures", "differ in basis or resolution" },
		[COLLECTOR_MIXED_PRICE] = { "PricesDiffer", "prices",
					    "differ in currency, or are tariffs only in part" },
	};

	if (!mixed) {
		(void)condition_set(c, arena, "PlaceShiftDisabled", CONDITION_FALSE,
				    r->group ? "Comparable" : "NoGroup", r->obj.meta.generation, now_ms, "%s",
				    r->group ? "figures of the group's regions can be compared"
					     : "the region is in no group");
		return;
	}
	(void)condition_set(c, arena, "PlaceShiftDisabled", CONDITION_TRUE, differs[mixed].reason,
			    r->obj.meta.generation, now_ms, "%s of the regions of group %s %s: jobs shift in time only",
			    differs[mixed].what, r->group, differs[mixed].how);
}

/* Days of history are news once a day. */
static void tell_own(struct buf *text, const char *metric, const struct collector_pick *p,
		     const struct forecaster_word *w, int64_t now_ms)
{
	(void)buf_addf(text, "%s%s: ", text->len ? "; " : "", metric);
	if (p->chain < 0 || !p->provider || p->provider->last_resort)
		(void)buf_adds(text, "no source in use whose history could be learnt from");
	else if (!w)
		(void)buf_adds(text, "not trained yet");
	else if (is_told(w, now_ms))
		(void)buf_addf(text, "14 days ahead, from %d days of history of %s %s", w->forecast.history_days,
			       p->provider->name, p->zone);
	else if (cstr_eq(w->reason, "NoHistory"))
		(void)buf_adds(text, "the database does not answer");
	else
		(void)buf_addf(text, "%d days of history of %s %s, %d are needed", w->forecast.history_days,
			       p->provider->name, p->zone, OWN_FORECAST_MIN_DAYS);
}

/* Of carbon, and of the price where there is one. */
static void set_own_forecast(struct conditions *c, const struct gridregion *r, const struct collector_view *view,
			     const struct forecaster_view *own, int64_t now_ms, struct arena *arena)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT(1024);
	bool price = r->n_price_chain > 0,
	     trained = is_told(own->carbon, now_ms) && (!price || is_told(own->price, now_ms));
	const struct forecaster_word *lacking = !price || !is_told(own->carbon, now_ms) ? own->carbon : own->price;

	tell_own(&text, "carbon", &view->carbon, own->carbon, now_ms);
	if (price)
		tell_own(&text, "price", &view->price, own->price, now_ms);
	(void)condition_set(c, arena, "OwnForecast", trained ? CONDITION_TRUE : CONDITION_FALSE,
			    lacking ? lacking->reason : "NotTrainedYet", r->obj.meta.generation, now_ms, "%s",
			    buf_cstr(&text));
}

void gridregion_status(const struct gridregion *r, const struct collector_view *view, const struct forecaster_view *own,
		       int64_t now_ms, struct arena *arena, struct gridregion *ret)
{
	static const struct forecaster_view nothing;
	int64_t start = time_slot_floor(now_ms, SLOT_MS);
	bool forecasts = own != NULL, stands_in;

	memset(ret, 0, sizeof(*ret));
	fill_now(view, now_ms, arena, ret);
	own = own ? own : &nothing;
	stands_in = own_stands_in(view, own, now_ms);
	fill_forecast(view, own, start, now_ms, arena, ret);
	if (stands_in)
		ret->now.carbon_mg_per_kwh = grid_forecast_at(&ret->forecast, ret->forecast.carbon_p50, now_ms);
	fill_recent(view, start, arena, ret);
	fill_stress(r, view, ret);
	fill_sources(view, own, now_ms, arena, ret);
	conditions_copy(&r->conditions, arena, &ret->conditions);
	set_fresh(&ret->conditions, r, &view->carbon, stands_in, now_ms, arena);
	set_degraded(&ret->conditions, r, view, stands_in, now_ms, arena);
	set_place_shift(&ret->conditions, r, view->mixed, now_ms, arena);
	if (forecasts)
		set_own_forecast(&ret->conditions, r, view, own, now_ms, arena);
	else if (condition_find(&ret->conditions, "OwnForecast"))
		(void)condition_set(&ret->conditions, arena, "OwnForecast", CONDITION_FALSE, "NoDatabase",
				    r->obj.meta.generation, now_ms,
				    "the operator has no database, or forecast.enabled "
				    "is false");
	ret->place_shift_disabled = view->mixed != COLLECTOR_COMPARABLE;
}

static void encode_without_fetched(const struct gridregion *r, struct buf *out)
{
	struct gridregion copy;
	struct grid_source sources[GRIDREGION_MAX_SOURCES];

	memcpy(&copy, r, sizeof(copy));
	for (int i = 0; i < r->n_sources; i++) {
		sources[i] = r->sources[i];
		sources[i].fetched_ms = TIME_NONE;
		/* Prices are published once: asking again is no new issue. */
		if (cstr_eq(sources[i].metric, "price"))
			sources[i].issued_ms = TIME_NONE;
	}
	copy.sources = sources;
	gridregion_encode_status(&copy, out);
}

bool gridregion_status_differs(const struct gridregion *a, const struct gridregion *b)
{
	_cleanup_(buf_release) struct buf x = BUF_INIT(MAX_STATUS_BYTES);
	_cleanup_(buf_release) struct buf y = BUF_INIT(MAX_STATUS_BYTES);

	encode_without_fetched(a, &x);
	encode_without_fetched(b, &y);
	return !str_eq(buf_str(&x), buf_str(&y));
}

static int write_status(struct worker *w, const char *name, const struct gridregion *desired, struct error *err)
{
	_cleanup_(buf_release) struct buf status = BUF_INIT(MAX_STATUS_BYTES);
	_cleanup_(buf_release) struct buf body = BUF_INIT(MAX_STATUS_BYTES + 1024);
	struct json_writer jw = json_writer(&body);
	char path[K8S_PATH_MAX];

	gridregion_encode_status(desired, &status);
	if (buf_check(&status, "status", err))
		return -1;
	jw_object(&jw, NULL);
	jw_string(&jw, "apiVersion", gridregion_type.api_version);
	jw_string(&jw, "kind", gridregion_type.kind);
	jw_object(&jw, "metadata");
	jw_string(&jw, "name", name);
	jw_end_object(&jw);
	jw_raw(&jw, "status", buf_str(&status));
	jw_end_object(&jw);
	if (buf_check(&body, "status patch", err) || k8s_path(path, &gridregion_type, NULL, name, "status", err))
		return -1;
	return k8s_patch(w->client, path, K8S_PATCH_APPLY, buf_str(&body), NULL, err);
}

int gridregion_reconcile(void *arg, struct worker *w, const char *key, struct reconcile_result *ret, struct error *err)
{
	const struct gridregion_context *ctx = arg;
	const struct object *o _cleanup_object_ = store_get(ctx->regions, key);
	int64_t now_ms = clock_now_ms(&ctx->clock);
	struct collector_view view;
	struct forecaster_view own;
	struct gridregion *desired;

	if (!o || !collector_view(ctx->collector, key, now_ms, w->arena, &view))
		return 0;
	if (ctx->forecaster)
		forecaster_view(ctx->forecaster, &view, w->arena, &own);
	desired = arena_new(w->arena, struct gridregion);
	gridregion_status(gridregion_of(o), &view, ctx->forecaster ? &own : NULL, now_ms, w->arena, desired);
	if (gridregion_status_differs(gridregion_of(o), desired) && write_status(w, key, desired, err)) {
		if (err->code != ERR_NOT_FOUND)
			return error_wrap(err, "status of gridregion %s", key);
		return 0; /* deleted meanwhile */
	}
	ret->requeue_after_ms = clock_real_until_ms(&ctx->clock, time_slot_floor(now_ms, SLOT_MS) + SLOT_MS) + 1;
	return 0;
}

void gridregion_regions_changed(const struct gridregion_context *ctx)
{
	struct object_list list = { 0 };
	const struct gridregion **regions;

	store_list(ctx->regions, &list);
	regions = xcalloc(list.len + 1, sizeof(const struct gridregion *));
	for (size_t i = 0; i < list.len; i++)
		regions[i] = gridregion_of(list.items[i]);
	collector_set_regions(ctx->collector, regions, list.len);
	free(regions);
	object_list_release(&list);
}

void gridregion_on_region(void *arg, const struct object *old, const struct object *new)
{
	if (!old || !new || old->meta.generation != new->meta.generation || !cstr_eq(old->meta.uid, new->meta.uid))
		gridregion_regions_changed(arg);
}
