/* SPDX-License-Identifier: Apache-2.0 */
/* The regions' past beyond their statuses. */
#include "decide/memory.h"

static bool is_comparable(const struct grid_memory *m, const struct gridregion *r)
{
	return memcmp(&m->basis, &r->basis, sizeof(r->basis)) == 0 && m->cost_basis == r->cost_basis &&
	       cstr_eq(m->currency, r->currency);
}

static int64_t end_of(const struct grid_recent *r)
{
	return r->start_ms + r->n * SLOT_MS;
}

/* Copies what is known in `from` over what is in ret's columns, as far as these reach. */
static void lay_over(const struct grid_recent *from, int64_t start_ms, int n, int32_t *carbon, int32_t *price,
		     uint8_t *kind)
{
	int64_t shift = (time_slot_floor(from->start_ms, SLOT_MS) - start_ms) / SLOT_MS;

	for (int i = (int)CLAMP(-shift, 0, from->n); i < from->n && i + shift < n; i++) {
		if (from->carbon && from->carbon[i] != GRID_UNKNOWN) {
			carbon[i + shift] = from->carbon[i];
			kind[i + shift] = from->kind ? from->kind[i] : GRID_KIND_ESTIMATED;
		}
		if (from->price && from->price[i] != GRID_UNKNOWN)
			price[i + shift] = from->price[i];
	}
}

static bool has_slots(const struct grid_recent *r)
{
	return r->start_ms != TIME_NONE && r->n > 0;
}

/* Either may be empty; the newer one goes over the older. Nothing that is said of the future is past. */
static struct grid_recent joined(const struct grid_recent *older, const struct grid_recent *newer, int64_t now_ms,
				 struct arena *arena)
{
	struct grid_recent ret = { .start_ms = TIME_NONE };
	int32_t *carbon, *price;
	uint8_t *kind;

	older = has_slots(older) ? older : newer;
	newer = has_slots(newer) ? newer : older;
	if (!has_slots(older))
		return ret;
	int64_t start_ms = time_slot_floor(MAX(MIN(older->start_ms, newer->start_ms), now_ms - MEMORY_MS), SLOT_MS);
	int n = (int)((MIN(MAX(end_of(older), end_of(newer)), now_ms) - start_ms) / SLOT_MS);
	if (n <= 0)
		return ret;
	carbon = arena_array(arena, (size_t)n, int32_t);
	price = arena_array(arena, (size_t)n, int32_t);
	kind = arena_array(arena, (size_t)n, uint8_t);
	for (int i = 0; i < n; i++)
		carbon[i] = price[i] = GRID_UNKNOWN;
	lay_over(older, start_ms, n, carbon, price, kind);
	lay_over(newer, start_ms, n, carbon, price, kind);
	return (struct grid_recent){ start_ms, n, carbon, price, kind };
}

static const struct grid_memory *memory_of(const struct grid_view *v, const char *name)
{
	int region = v && v->memory ? grid_view_find(v, name) : -1;

	return region >= 0 && region < v->n_regions ? &v->memory[region] : NULL;
}

static void remember(struct grid_memory *ret, const struct gridregion *r, const struct grid_memory *before,
		     int64_t now_ms, struct arena *arena)
{
	const struct grid_memory said = { r->basis, r->cost_basis, r->currency, r->recent }, *keep = &said;
	const struct grid_recent *older = &said.past;

	if (before && has_slots(&before->past)) {
		/* A fallback for some hours is not the end of it; one that fills a whole status is. */
		if (is_comparable(before, r))
			older = &before->past;
		else if (!has_slots(&r->recent) || r->recent.start_ms < end_of(&before->past))
			older = &(keep = before)->past;
	}
	*ret = *keep;
	ret->currency = keep->currency ? arena_strdup(arena, keep->currency) : NULL;
	ret->past = joined(older, &keep->past, now_ms, arena);
}

void memory_make(struct grid_view *v, const struct grid_view *before, struct arena *arena)
{
	struct grid_memory *m = arena_array(arena, (size_t)v->n_regions + 1, struct grid_memory);

	for (int i = 0; i < v->n_regions; i++)
		remember(&m[i], v->regions[i], memory_of(before, v->regions[i]->obj.meta.name), v->now_ms, arena);
	v->memory = m;
}

const struct grid_recent *memory_past(const struct grid_view *v, int region)
{
	const struct gridregion *r = v->regions[region];

	return v->memory && is_comparable(&v->memory[region], r) ? &v->memory[region].past : &r->recent;
}
