/* SPDX-License-Identifier: Apache-2.0 */
/* The regions' past beyond their statuses. */
#include "decide/memory.h"

static bool has_slots(const struct grid_recent *r)
{
	return r->start_ms != TIME_NONE && r->n > 0;
}

static int64_t end_of(const struct grid_recent *r)
{
	return r->start_ms + r->n * SLOT_MS;
}

/* ---- joining two stretches ---- */

/* Copies what is known of one column over n values from start_ms on, as far as these reach. kind: of carbon, or NULL.
 */
static void lay_over(const struct grid_recent *from, const int32_t *said, int64_t start_ms, int n, int32_t *value,
		     uint8_t *kind)
{
	int64_t shift = (time_slot_floor(from->start_ms, SLOT_MS) - start_ms) / SLOT_MS;

	for (int i = (int)CLAMP(-shift, 0, from->n); said && i < from->n && i + shift < n; i++) {
		if (said[i] == GRID_UNKNOWN)
			continue;
		value[i + shift] = said[i];
		if (kind)
			kind[i + shift] = from->kind ? from->kind[i] : GRID_KIND_ESTIMATED;
	}
}

static int32_t *unknown_values(int n, struct arena *arena)
{
	int32_t *v = arena_array(arena, (size_t)n, int32_t);

	for (int i = 0; i < n; i++)
		v[i] = GRID_UNKNOWN;
	return v;
}

/*
 * Carbon, or else price, of both; either may be empty, and the newer one goes over the older. Nothing that is said of
 * the future is past.
 */
static struct grid_recent joined(const struct grid_recent *older, const struct grid_recent *newer, bool carbon,
				 int64_t now_ms, struct arena *arena)
{
	struct grid_recent ret = { .start_ms = TIME_NONE };
	int32_t *value;
	uint8_t *kind;

	older = has_slots(older) ? older : newer;
	newer = has_slots(newer) ? newer : older;
	if (!has_slots(older))
		return ret;
	int64_t start_ms = time_slot_floor(MAX(MIN(older->start_ms, newer->start_ms), now_ms - MEMORY_MS), SLOT_MS);
	int n = (int)((MIN(MAX(end_of(older), end_of(newer)), now_ms) - start_ms) / SLOT_MS);
	if (n <= 0)
		return ret;
	value = unknown_values(n, arena);
	kind = carbon ? arena_array(arena, (size_t)n, uint8_t) : NULL;
	lay_over(older, carbon ? older->carbon : older->price, start_ms, n, value, kind);
	lay_over(newer, carbon ? newer->carbon : newer->price, start_ms, n, value, kind);
	return (struct grid_recent){ start_ms, n, carbon ? value : NULL, carbon ? NULL : value, kind };
}

/* ---- what stays comparable ---- */

static bool same_basis(const struct grid_memory *m, const struct gridregion *r)
{
	return memcmp(&m->basis, &r->basis, sizeof(r->basis)) == 0;
}

/* A status without a currency says nothing of prices. */
static bool same_money(const struct grid_memory *m, const struct gridregion *r)
{
	return m->cost_basis == r->cost_basis && (!m->currency || !r->currency || cstr_eq(m->currency, r->currency));
}

/* A fallback for some hours is not the end of what was said before it; one that lasts for a whole status is. */
static bool is_over(const struct grid_recent *past, const struct grid_recent *said, int64_t now_ms)
{
	if (!has_slots(past))
		return true;
	return has_slots(said) && MIN(end_of(said), now_ms) - end_of(past) >= GRIDREGION_MAX_RECENT * SLOT_MS;
}

/* One column. *ret_foreign: the past stays as it was, and what is said now is left out. */
static struct grid_recent keep(const struct grid_recent *past, const struct grid_recent *said, bool same, bool carbon,
			       int64_t now_ms, struct arena *arena, bool *ret_foreign)
{
	*ret_foreign = !same && !is_over(past, said, now_ms);
	if (*ret_foreign)
		said = past;
	else if (!same)
		past = said;
	return joined(past, said, carbon, now_ms, arena);
}

static void remember(struct grid_memory *ret, const struct gridregion *r, const struct grid_memory *before,
		     int64_t now_ms, struct arena *arena)
{
	static const struct grid_memory nothing = { .carbon.start_ms = TIME_NONE, .price.start_ms = TIME_NONE };
	const struct grid_memory *was = before ? before : &nothing;
	const char *currency;
	bool foreign;

	ret->carbon = keep(&was->carbon, &r->recent, same_basis(was, r), true, now_ms, arena, &foreign);
	ret->basis = foreign ? was->basis : r->basis;
	ret->price = keep(&was->price, &r->recent, same_money(was, r), false, now_ms, arena, &foreign);
	ret->cost_basis = foreign ? was->cost_basis : r->cost_basis;
	currency = foreign || !r->currency ? was->currency : r->currency;
	ret->currency = currency ? arena_strdup(arena, currency) : NULL;
}

static const struct grid_memory *memory_of(const struct grid_view *v, const char *name)
{
	int region = v && v->memory ? grid_view_find(v, name) : -1;

	return region >= 0 && region < v->n_regions ? &v->memory[region] : NULL;
}

void memory_make(struct grid_view *v, const struct grid_view *before, struct arena *arena)
{
	struct grid_memory *m = arena_array(arena, (size_t)v->n_regions + 1, struct grid_memory);

	for (int i = 0; i < v->n_regions; i++)
		remember(&m[i], v->regions[i], memory_of(before, v->regions[i]->obj.meta.name), v->now_ms, arena);
	v->memory = m;
}

/* ---- asking ---- */

/* Where that carbon is known, if anywhere. */
static const struct grid_recent *carbon_past(const struct grid_view *v, int region, int64_t ms)
{
	const struct gridregion *r = v->regions[region];
	bool said = grid_recent_carbon_at(&r->recent, ms) != GRID_UNKNOWN;

	return !said && v->memory && same_basis(&v->memory[region], r) ? &v->memory[region].carbon : &r->recent;
}

int32_t memory_carbon_at(const struct grid_view *v, int region, int64_t ms)
{
	return grid_recent_carbon_at(carbon_past(v, region, ms), ms);
}

bool memory_is_actual(const struct grid_view *v, int region, int64_t ms)
{
	const struct grid_recent *past = carbon_past(v, region, ms);

	return grid_recent_carbon_at(past, ms) != GRID_UNKNOWN && past->kind &&
	       past->kind[(ms - past->start_ms) / SLOT_MS] == GRID_KIND_ACTUAL;
}

int32_t memory_price_at(const struct grid_view *v, int region, int64_t ms)
{
	const struct gridregion *r = v->regions[region];
	int32_t value = grid_recent_price_at(&r->recent, ms);

	if (value == GRID_UNKNOWN && v->memory && same_money(&v->memory[region], r))
		value = grid_recent_price_at(&v->memory[region].price, ms);
	return value;
}
