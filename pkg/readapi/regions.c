/* SPDX-License-Identifier: Apache-2.0 */
/* What the read API says of regions: as their status has it, with units in the names and times instead of ages. */
#include "api/gridregion.h"
#include "readapi/internal.h"

static void i32(struct json_writer *w, const char *key, int32_t value)
{
	if (value != GRID_UNKNOWN)
		jw_i64(w, key, value);
}

static void column(struct json_writer *w, const char *key, const int32_t *values, int from, int n)
{
	if (!values)
		return;
	jw_array(w, key);
	for (int i = from; i < n; i++) {
		if (values[i] == GRID_UNKNOWN)
			jw_null(w, NULL);
		else
			jw_i64(w, NULL, values[i]);
	}
	jw_end_array(w);
}

static void write_now(struct json_writer *w, const struct gridregion *g, int64_t now_ms)
{
	const struct grid_forecast *f = &g->forecast;

	jw_string(w, "name", g->obj.meta.name);
	jw_string_opt(w, "displayName", g->display_name);
	jw_string_opt(w, "group", g->group);
	jw_time(w, "slotStartTime", time_slot_floor(now_ms, SLOT_MS));
	/* The running half hour, also when the status was written in an earlier one. */
	i32(w, "carbonMilligramsPerKWh", grid_forecast_at(f, f->carbon_p50, now_ms));
	i32(w, "pricePerKWhMicros", grid_forecast_at(f, f->price_p50, now_ms));
	jw_string_opt(w, "currency", g->currency);
	i32(w, "renewablePerMille", grid_forecast_at(f, f->renewable, now_ms));
	i32(w, "stressPerMille", g->stress_permille);
	i32(w, "confidencePerMille", g->confidence_permille);
	jw_time(w, "issuedTime", f->issued_ms);
	jw_time(w, "knownUntilTime", grid_forecast_known_until_ms(f));
	gridregion_write_basis(w, &g->basis);
	jw_bool(w, "fresh", condition_is_true(&g->conditions, "Fresh"));
	jw_bool(w, "degraded", condition_is_true(&g->conditions, "Degraded"));
	jw_bool(w, "placeShiftDisabled", g->place_shift_disabled);
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct object *const *)a)->meta.name, (*(const struct object *const *)b)->meta.name);
}

int readapi_regions(struct readapi_request *r, struct error *err)
{
	_cleanup_(object_list_release) struct object_list all = { 0 };

	(void)err;
	store_list(r->cfg->regions, &all);
	if (all.len)
		qsort(all.items, all.len, sizeof(*all.items), by_name);
	jw_object(&r->w, NULL);
	jw_time(&r->w, "time", r->now_ms);
	jw_array(&r->w, "regions");
	for (size_t i = 0; i < all.len; i++) {
		jw_object(&r->w, NULL);
		write_now(&r->w, gridregion_of(all.items[i]), r->now_ms);
		gridregion_write_sources(&r->w, gridregion_of(all.items[i]));
		jw_end_object(&r->w);
	}
	jw_end_array(&r->w);
	jw_end_object(&r->w);
	return 0;
}

static const struct object *find(struct readapi_request *r, struct error *err)
{
	const struct object *o = store_get(r->cfg->regions, r->name);

	if (!o)
		(void)error_set(err, ERR_NOT_FOUND, "there is no GridRegion %s", r->name);
	return o;
}

int readapi_region_current(struct readapi_request *r, struct error *err)
{
	const struct object *o _cleanup_object_ = find(r, err);
	const struct gridregion *g;

	if (!o)
		return -1;
	g = gridregion_of(o);
	jw_object(&r->w, NULL);
	jw_time(&r->w, "time", r->now_ms);
	write_now(&r->w, g, r->now_ms);
	jw_string_opt(&r->w, "stressCause", g->stress_cause);
	jw_array(&r->w, "mix");
	for (int i = 0; i < g->n_mix; i++) {
		jw_object(&r->w, NULL);
		jw_string(&r->w, "fuel", g->mix[i].fuel);
		jw_i64(&r->w, "perMille", g->mix[i].permille);
		jw_end_object(&r->w);
	}
	jw_end_array(&r->w);
	gridregion_write_sources(&r->w, g);
	conditions_write(&r->w, "conditions", &g->conditions);
	jw_end_object(&r->w);
	return 0;
}

/* What there is of our own, or why there is none. */
static void write_own(struct json_writer *w, const struct gridregion *g)
{
	const struct condition *c = condition_find(&g->conditions, "OwnForecast");

	jw_object(w, "ownForecast");
	jw_string(w, "reason", c ? c->reason : "NoDatabase");
	jw_string(w, "message",
		  c ? c->message : "none: the operator has no database (db.url), or forecast.enabled is false");
	jw_end_object(w);
}

int readapi_region_forecast(struct readapi_request *r, struct error *err)
{
	const struct object *o _cleanup_object_ = find(r, err);
	const struct grid_forecast *f;
	int64_t hours;
	int from = 0, n;

	if (!o || readapi_param_i64(r, "hours", 14 * 24, 1, 14 * 24, &hours, err))
		return -1;
	f = &gridregion_of(o)->forecast;
	if (f->start_ms == TIME_NONE || f->slot_ms <= 0)
		return error_set(err, ERR_NOT_FOUND, "nothing is known of %s yet", r->name);
	while (from < f->n && f->start_ms + (from + 1) * f->slot_ms <= r->now_ms)
		from++;
	n = (int)MIN(f->n, from + hours * HOUR_MS / f->slot_ms);
	jw_object(&r->w, NULL);
	jw_string(&r->w, "name", o->meta.name);
	jw_time(&r->w, "startTime", f->start_ms + from * f->slot_ms);
	jw_i64(&r->w, "slotSeconds", f->slot_ms / SECOND_MS);
	jw_time(&r->w, "issuedTime", f->issued_ms);
	jw_string_opt(&r->w, "currency", gridregion_of(o)->currency);
	i32(&r->w, "carbonErrorMilligramsPerKWh", gridregion_of(o)->carbon_error_mg_per_kwh);
	write_own(&r->w, gridregion_of(o));
	column(&r->w, "carbonP10MilligramsPerKWh", f->carbon_p10, from, n);
	column(&r->w, "carbonP50MilligramsPerKWh", f->carbon_p50, from, n);
	column(&r->w, "carbonP90MilligramsPerKWh", f->carbon_p90, from, n);
	column(&r->w, "priceP10PerKWhMicros", f->price_p10, from, n);
	column(&r->w, "priceP50PerKWhMicros", f->price_p50, from, n);
	column(&r->w, "priceP90PerKWhMicros", f->price_p90, from, n);
	column(&r->w, "renewablePerMille", f->renewable, from, n);
	gridregion_write_sources(&r->w, gridregion_of(o));
	jw_end_object(&r->w);
	return 0;
}
