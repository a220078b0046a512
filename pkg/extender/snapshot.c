/* SPDX-License-Identifier: Apache-2.0 */
/* Building the table of nodes and regions, looking names up in it, and swapping it. */
#include "extender/decide.h"

#include "base/alloc.h"
#include "base/rand.h"

static inline uint64_t load(const char *p, size_t n)
{
	uint64_t v = 0;

	memcpy(&v, p, n);
	return v;
}

static inline uint64_t mix(uint64_t a, uint64_t b)
{
	__uint128_t product = (__uint128_t)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/*
 * Multiply and fold (after Wang Yi's wyhash, public domain), keyed with a secret of the snapshot: names may come from
 * whoever may register nodes, and must not be able to collide on purpose.
 */
static uint64_t name_hash(uint64_t secret, struct str name)
{
	uint64_t h = secret ^ name.len;
	const char *p = name.ptr;
	size_t n = name.len;

	for (; n > 16; n -= 16, p += 16)
		h = mix(h ^ load(p, 8), UINT64_C(0x9E3779B97F4A7C15) ^ load(p + 8, 8));
	/* The last 1 .. 16 bytes as two words that may overlap. */
	if (n >= 8)
		h = mix(h ^ load(p, 8), UINT64_C(0xD6E8FEB86659FD93) ^ load(p + n - 8, 8));
	else if (n >= 4)
		h = mix(h ^ load(p, 4), UINT64_C(0xD6E8FEB86659FD93) ^ load(p + n - 4, 4));
	else if (n > 0)
		h = mix(h ^ load(p, n), UINT64_C(0xD6E8FEB86659FD93));
	return mix(h, secret | 1);
}

/*
 * A slot holds 56 bits of the name's hash and, in the lowest byte, its region + 1; an empty slot is 0. The name itself
 * is not kept. For a name that is not in the table to be taken for one that is, these bits and the place must agree:
 * once in 10^16 lookups, and nobody outside knows the secret to bring it about. It would get that other node's score.
 */
#define SLOT_REGION UINT64_C(0xFF)
#define SLOT_HASH (~SLOT_REGION)

/* The slot with that hash, or the empty one where it would go. The table is never full. */
static inline size_t find(const struct extender_snapshot *s, uint64_t hash)
{
	for (size_t i = (size_t)(hash >> s->shift);; i = (i + 1) & s->mask)
		if (s->slots[i] == 0 || ((s->slots[i] ^ hash) & SLOT_HASH) == 0)
			return i;
}

unsigned extender_snapshot_region(const struct extender_snapshot *s, struct str name)
{
	uint64_t slot = s->slots[find(s, name_hash(s->secret, name))];

	return slot ? (unsigned)(slot & SLOT_REGION) - 1 : s->n_regions;
}

static void add_nodes(struct extender_snapshot *s, const struct extender_node *nodes, size_t n)
{
	uint64_t *slots;
	unsigned bits = 3;

	/* At most 40 % full: most lookups then need one probe. */
	while ((size_t)2 << bits < n * 5)
		bits++;
	s->shift = 64 - bits;
	s->mask = ((size_t)1 << bits) - 1;
	s->slots = slots = arena_array(&s->arena, s->mask + 1, uint64_t);
	for (size_t i = 0; i < n; i++) {
		unsigned region = nodes[i].region < 0 ? s->n_regions : MIN((unsigned)nodes[i].region, s->n_regions);
		uint64_t hash = name_hash(s->secret, nodes[i].name);
		size_t at = find(s, hash);

		if (slots[at])
			continue;
		slots[at] = (hash & SLOT_HASH) | (region + 1);
		s->n_nodes++;
	}
}

static bool comparable(const struct gridregion *a, const struct gridregion *b)
{
	const struct grid_basis *x = &a->basis, *y = &b->basis;

	return a->group && cstr_eq(a->group, b->group) && x->accounting[0] && cstr_eq(x->accounting, y->accounting) &&
	       x->scope[0] && cstr_eq(x->scope, y->scope) && x->boundary[0] && cstr_eq(x->boundary, y->boundary) &&
	       x->resolution[0] && cstr_eq(x->resolution, y->resolution);
}

static int64_t as_of_ms(const struct gridregion *r)
{
	for (int i = 0; i < r->n_sources; i++)
		if (cstr_eq(r->sources[i].metric, "carbon") && r->sources[i].fetched_ms != TIME_NONE)
			return r->sources[i].fetched_ms;
	return r->forecast.issued_ms;
}

static void add_regions(struct extender_snapshot *s, const struct gridregion *const *from, unsigned n)
{
	struct extender_region *regions = arena_array(&s->arena, n, struct extender_region);

	for (unsigned i = 0; i < n; i++) {
		struct extender_region *r = &regions[i];
		bool priced = from[i]->currency && from[i]->cost_basis != COST_BASIS_NONE;

		r->name = arena_strdup(&s->arena, from[i]->obj.meta.name);
		r->place_shift_disabled = from[i]->place_shift_disabled;
		r->carbon_error_mg_per_kwh = gridregion_carbon_error(from[i], EXTENDER_CARBON_ERROR_MG_PER_KWH);
		r->as_of_ms = as_of_ms(from[i]);
		r->cost_basis = from[i]->cost_basis;
		r->currency = priced ? arena_strdup(&s->arena, from[i]->currency) : NULL;
		outlook_init(&r->outlook, &from[i]->forecast, priced, &s->arena);
		for (r->set = 0; r->set < i && !comparable(from[r->set], from[i]); r->set++)
			;
	}
	s->regions = regions;
	s->n_regions = n;
}

struct extender_snapshot *extender_snapshot_new(const struct extender_node *nodes, size_t n_nodes,
						const struct gridregion *const *regions, size_t n_regions,
						int64_t max_age_ms)
{
	struct extender_snapshot *s = xcalloc(1, sizeof(*s));

	s->refs = 1;
	s->max_age_ms = max_age_ms;
	arena_init(&s->arena, 4096, 256 * 1024 * 1024);
	rand_bytes(&s->secret, sizeof(s->secret));
	add_regions(s, regions, (unsigned)MIN(n_regions, EXTENDER_MAX_REGIONS));
	add_nodes(s, nodes, MIN(n_nodes, EXTENDER_MAX_NODES));
	return s;
}

struct extender_snapshot *extender_snapshot_ref(struct extender_snapshot *s)
{
	if (s)
		atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void extender_snapshot_unref(struct extender_snapshot *s)
{
	if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	arena_release(&s->arena);
	free(s);
}

struct extender_snapshot *extender_holder_get(struct extender_holder *h)
{
	MUTEX_GUARD(&h->mutex);
	return extender_snapshot_ref(h->current);
}

void extender_holder_set(struct extender_holder *h, struct extender_snapshot *take)
{
	struct extender_snapshot *old;

	{
		MUTEX_GUARD(&h->mutex);
		old = h->current;
		h->current = take;
	}
	extender_snapshot_unref(old);
}
