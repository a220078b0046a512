/* SPDX-License-Identifier: Apache-2.0 */
/* Building the table of nodes and regions, looking names up in it, and swapping it. */
#include "extender/snapshot.h"

#include "base/alloc.h"
#include "base/rand.h"

/*
 * Eight bytes, so that a probe touches one cache line and the name only when the tag agrees. An empty slot has
 * length 0.
 */
struct extender_slot {
	uint32_t name; /* offset in names */
	uint16_t tag;
	uint8_t len;
	uint8_t region;
};

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

static inline uint16_t tag_of(uint64_t hash)
{
	return (uint16_t)(hash >> 48);
}

/* Names are short: for most of them a call of memcmp() takes longer than comparing. */
static inline bool same_name(const char *a, const char *b, size_t n)
{
	if (n >= 8 && n <= 16)
		return load(a, 8) == load(b, 8) && load(a + n - 8, 8) == load(b + n - 8, 8);
	return memcmp(a, b, n) == 0;
}

/* The slot that holds the name, or the empty one where it would go. The table is never full. */
static const struct extender_slot *find(const struct extender_snapshot *s, struct str name, uint64_t hash)
{
	for (uint32_t i = (uint32_t)hash & s->mask;; i = (i + 1) & s->mask) {
		const struct extender_slot *slot = &s->slots[i];

		if (slot->len == 0 || (slot->tag == tag_of(hash) && slot->len == name.len &&
				       same_name(s->names + slot->name, name.ptr, name.len)))
			return slot;
	}
}

unsigned extender_snapshot_region(const struct extender_snapshot *s, struct str name)
{
	const struct extender_slot *slot;

	if (name.len == 0 || name.len > EXTENDER_MAX_NAME)
		return s->n_regions;
	slot = find(s, name, name_hash(s->secret, name));
	return slot->len == 0 ? s->n_regions : slot->region;
}

static void add_nodes(struct extender_snapshot *s, const struct extender_node *nodes, size_t n)
{
	struct extender_slot *slots;
	size_t bytes = 0, cap = 8;
	char *names;

	for (size_t i = 0; i < n; i++)
		bytes += nodes[i].name.len;
	/* At most 40 % full: most lookups then need one probe. */
	while (cap * 2 < n * 5)
		cap *= 2;
	s->mask = (uint32_t)(cap - 1);
	s->slots = slots = arena_array(&s->arena, cap, struct extender_slot);
	s->names = names = arena_alloc(&s->arena, bytes + 1);
	for (size_t i = 0, at = 0; i < n; i++) {
		struct str name = nodes[i].name;
		int region = nodes[i].region;
		uint64_t hash = name_hash(s->secret, name);
		struct extender_slot *slot;

		if (name.len == 0 || name.len > EXTENDER_MAX_NAME)
			continue;
		slot = slots + (find(s, name, hash) - slots);
		if (slot->len)
			continue;
		memcpy(names + at, name.ptr, name.len);
		*slot = (struct extender_slot){ (uint32_t)at, tag_of(hash), (uint8_t)name.len,
						(uint8_t)(region < 0 ? s->n_regions
								     : MIN((unsigned)region, s->n_regions)) };
		at += name.len;
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

static void add_regions(struct extender_snapshot *s, const struct gridregion *const *from, unsigned n)
{
	struct extender_region *regions = arena_array(&s->arena, n, struct extender_region);

	for (unsigned i = 0; i < n; i++) {
		struct extender_region *r = &regions[i];
		bool priced = from[i]->currency && from[i]->cost_basis != COST_BASIS_NONE;

		r->name = arena_strdup(&s->arena, from[i]->obj.meta.name);
		r->place_shift_disabled = from[i]->place_shift_disabled;
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
						const struct gridregion *const *regions, size_t n_regions)
{
	struct extender_snapshot *s = xcalloc(1, sizeof(*s));

	s->refs = 1;
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
