/* SPDX-License-Identifier: Apache-2.0 */
/* Elexon's envelopes, times and generation by fuel. */
#include "grid/generation.h"
#include "grid/period.h"
#include "grid/providers/elexon.h"
#include "grid/read.h"

#define HALF_HOURS_MS (2 * DAY_MS)
#define INSTANT_MS (5 * MINUTE_MS)

/* RFC 9457: the field that was refused is what helps. */
static int problem(const struct json *doc, struct error *err)
{
	const struct json *field = json_first(json_get(doc, "errors"));
	const char *title = json_string(json_get(doc, "title"));

	if (field && json_key(field))
		return error_set(err, ERR_INVALID, "refused by the service: %.64s", json_key(field));
	return error_set(err, ERR_INVALID, "no data but an error: %.100s", title ? title : "(no title)");
}

int elexon_rows(struct str body, struct json **ret_doc, const struct json **ret_rows, struct error *err)
{
	struct json *doc _cleanup_(json_cleanup) = NULL;
	const struct json *rows;

	if (grid_read_json(body, &doc, err))
		return -1;
	rows = json_is_array(doc) ? doc : json_get(doc, "data");
	if (!json_is_array(rows)) {
		if (json_get(doc, "errors") || json_get(doc, "title"))
			return problem(doc, err);
		return json_is_object(doc) && !json_first(doc) ? error_set(err, ERR_NOT_FOUND, "empty answer")
							       : error_set(err, ERR_INVALID, "no data array");
	}
	if (!json_first(rows))
		return error_set(err, ERR_NOT_FOUND, "no rows in the answer");
	*ret_rows = rows;
	*ret_doc = steal_ptr(doc);
	return 0;
}

bool elexon_row_start(const struct json *row, const struct tz *tz, int64_t *ret_ms)
{
	int64_t day, period;

	if (json_time(json_get(row, "startTime"), ret_ms))
		return true;
	return tz && grid_date_parse(str_from(json_string(json_get(row, "settlementDate"))), &day) &&
	       json_i64(json_get(row, "settlementPeriod"), &period) &&
	       grid_period_start_ms(tz, day, period, SLOT_MS, ret_ms);
}

void elexon_issued(struct grid_answer *a, const struct json *rows, int64_t now_ms)
{
	int64_t newest = TIME_NONE, ms;

	json_each (row, rows)
		if (json_time(json_get(row, "publishTime"), &ms) && ms <= now_ms)
			newest = MAX(newest, ms);
	if (newest != TIME_NONE)
		a->issued_ms = newest;
}

void elexon_ask_mix(const struct grid_env *env, struct grid_plan *plan, enum elexon_mix_kind kind, int what)
{
	bool now = kind == ELEXON_MIX_NOW;
	int64_t from = env->now_ms - (now ? ELEXON_MIX_MAX_AGE_MS : HALF_HOURS_MS);
	struct grid_request *r = grid_plan_add(plan, now ? "mix-now" : "mix");
	char a[TIME_TEXT], b[TIME_TEXT];

	if (!r || !grid_plan_url(plan, r, "%s/datasets/%s/stream?publishDateTimeFrom=%s&publishDateTimeTo=%s",
				 env->base_url, now ? "FUELINST" : "FUELHH", time_format_minute(from, a),
				 time_format_minute(env->now_ms, b)))
		return;
	r->what = what;
	grid_request_about(r, NULL, time_slot_floor(from - SLOT_MS, SLOT_MS), grid_now_slot(env) + SLOT_MS);
}

/* FUELINST comes every five minutes, FUELHH some minutes after the half hour. */
int64_t elexon_mix_next_poll_ms(const struct grid_env *env, enum elexon_mix_kind kind, double jitter)
{
	return grid_poll_every(env, kind == ELEXON_MIX_NOW ? 5 * MINUTE_MS : 15 * MINUTE_MS, jitter);
}

/* A row that cannot be used leaves its time without that fuel, and so unused: without its gas, GB would look green. */
static void take_row(struct grid_generation *g, const struct json *row, const struct tz *tz, struct grid_answer *a)
{
	const struct json *value = json_get(row, "generation");
	int64_t start;
	double mw;

	if (!value || json_is_null(value))
		grid_answer_drop(a, GRID_DROP_MISSING);
	else if (elexon_row_start(row, tz, &start) && grid_read_number(value, &mw))
		grid_generation_add(g, a, start, g->step_ms, str_from(json_string(json_get(row, "fuelType"))), mw);
	else
		grid_answer_drop(a, GRID_DROP_TYPE);
}

/*
 * Gas, nuclear and wind are reported always, if as 0. Gas and nuclear at 0 together never was: then the report is dead
 * (seen for days in a sister report: electricitymaps-contrib 4881).
 */
static bool is_usable(const struct grid_generation_time *t, uint64_t usual, struct grid_answer *a)
{
	const struct grid_fuel_mix *m = &t->mix;

	if (m->known[FUEL_GAS] && m->known[FUEL_NUCLEAR] && m->mw[FUEL_GAS] <= 0 && m->mw[FUEL_NUCLEAR] <= 0) {
		grid_answer_drop(a, GRID_DROP_DEAD);
		return false;
	}
	if ((t->seen & usual) != usual || !m->known[FUEL_GAS] || !m->known[FUEL_NUCLEAR] || !m->known[FUEL_WIND] ||
	    !grid_mix_is_whole(m)) {
		grid_answer_drop(a, GRID_DROP_MISSING);
		return false;
	}
	return true;
}

/* The slot for which what began then may stand; TIME_NONE: none. */
static int64_t slot_of(int64_t start_ms, int64_t now_ms, enum elexon_mix_kind kind)
{
	int64_t age = now_ms - start_ms - INSTANT_MS;

	if (kind == ELEXON_MIX_HALF_HOURS)
		return start_ms + SLOT_MS <= now_ms ? start_ms : TIME_NONE;
	return age > -INSTANT_MS && age < ELEXON_MIX_MAX_AGE_MS ? time_slot_floor(now_ms, SLOT_MS) : TIME_NONE;
}

void elexon_each_mix(const struct json *rows, const struct grid_env *env, enum elexon_mix_kind kind,
		     struct grid_answer *a, elexon_mix_fn fn)
{
	struct grid_generation g _cleanup_(grid_generation_release);
	uint64_t usual;

	grid_generation_init(&g, a, kind == ELEXON_MIX_NOW ? INSTANT_MS : SLOT_MS);
	json_each (row, rows)
		take_row(&g, row, env->tz, a);
	usual = grid_generation_usual(&g);
	for (int i = g.n_times - 1; i >= 0; i--) {
		int64_t slot = slot_of(g.start_ms + i * g.step_ms, env->now_ms, kind);

		if (!g.times[i].seen || !is_usable(&g.times[i], usual, a))
			continue;
		if (slot == TIME_NONE) {
			grid_answer_drop(a, GRID_DROP_SPAN);
			continue;
		}
		fn(a, slot, &g.times[i].mix);
		if (kind == ELEXON_MIX_NOW)
			break;
	}
}
