/* SPDX-License-Identifier: Apache-2.0 */
/* Open addressing with linear probing and backward-shift deletion; SipHash-1-3 with a process-wide secret. */
#include "base/map.h"

#include <pthread.h>

#include "base/alloc.h"
#include "base/rand.h"

static uint64_t secret[2];

static void secret_init(void)
{
	rand_bytes(secret, sizeof(secret));
}

#define ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))
#define SIPROUND                        \
	do {                            \
		v0 += v1;               \
		v1 = ROTL(v1, 13) ^ v0; \
		v0 = ROTL(v0, 32);      \
		v2 += v3;               \
		v3 = ROTL(v3, 16) ^ v2; \
		v0 += v3;               \
		v3 = ROTL(v3, 21) ^ v0; \
		v2 += v1;               \
		v1 = ROTL(v1, 17) ^ v2; \
		v2 = ROTL(v2, 32);      \
	} while (0)

/* Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012), with 1 and 3 rounds. */
static uint32_t hash_key(struct str s)
{
	uint64_t v0 = secret[0] ^ UINT64_C(0x736f6d6570736575), v1 = secret[1] ^ UINT64_C(0x646f72616e646f6d);
	uint64_t v2 = secret[0] ^ UINT64_C(0x6c7967656e657261), v3 = secret[1] ^ UINT64_C(0x7465646279746573);
	uint64_t m = 0;
	size_t i = 0;

	for (; i + 8 <= s.len; i += 8) {
		memcpy(&m, s.ptr + i, 8);
		v3 ^= m;
		SIPROUND;
		v0 ^= m;
	}
	m = 0;
	if (s.len > i)
		memcpy(&m, s.ptr + i, s.len - i);
	m |= (uint64_t)s.len << 56;
	v3 ^= m;
	SIPROUND;
	v0 ^= m;
	v2 ^= 0xff;
	SIPROUND;
	SIPROUND;
	SIPROUND;
	return (uint32_t)(v0 ^ v1 ^ v2 ^ v3);
}

void map_init(struct map *m, size_t max)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, secret_init);
	*m = (struct map){ .max = max };
}

void map_init_borrowing(struct map *m, size_t max)
{
	map_init(m, max);
	m->borrows = true;
}

static void free_key(const struct map *m, struct map_entry *e)
{
	if (!m->borrows)
		free((char *)e->key);
}

void map_release(struct map *m)
{
	for (size_t i = 0; i < m->cap; i++)
		free_key(m, &m->slots[i]);
	free(m->slots);
	m->slots = NULL;
	m->len = m->cap = 0;
}

/* The entry with that key, or the empty slot where it would go. cap > 0, never full. */
static struct map_entry *probe(const struct map *m, struct str key, uint32_t hash)
{
	for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
		struct map_entry *e = &m->slots[i];

		if (!e->key || (e->hash == hash && e->key_len == key.len && memcmp(e->key, key.ptr, key.len) == 0))
			return e;
	}
}

void *map_get(const struct map *m, struct str key)
{
	if (m->cap == 0 || !key.ptr)
		return NULL;
	const struct map_entry *e = probe(m, key, hash_key(key));
	return e->key ? e->value : NULL;
}

static void grow(struct map *m)
{
	struct map old = *m;

	m->cap = old.cap ? old.cap * 2 : 16;
	m->slots = xcalloc(m->cap, sizeof(*m->slots));
	for (size_t i = 0; i < old.cap; i++) {
		const struct map_entry *e = &old.slots[i];

		if (e->key)
			*probe(m, str_of(e->key, e->key_len), e->hash) = *e;
	}
	free(old.slots);
}

int map_put(struct map *m, struct str key, void *value, void **ret_old, struct error *err)
{
	uint32_t hash = hash_key(key);

	if (m->len * 4 >= m->cap * 3)
		grow(m);
	struct map_entry *e = probe(m, key, hash);
	if (e->key) {
		*ret_old = e->value;
		e->value = value;
		if (m->borrows)
			e->key = key.ptr;
		return 0;
	}
	if (m->len >= m->max)
		return error_set(err, ERR_LIMIT, "more than %zu entries", m->max);
	*e = (struct map_entry){ m->borrows ? key.ptr : xstrndup(key.ptr, key.len), value, (uint32_t)key.len, hash };
	m->len++;
	*ret_old = NULL;
	return 0;
}

void *map_del(struct map *m, struct str key)
{
	if (m->cap == 0)
		return NULL;
	struct map_entry *e = probe(m, key, hash_key(key));
	if (!e->key)
		return NULL;
	void *value = e->value;
	free_key(m, e);
	m->len--;
	/* Close the gap, so that no probe sequence is broken and no tombstones pile up. */
	size_t hole = (size_t)(e - m->slots), mask = m->cap - 1;
	for (size_t i = (hole + 1) & mask; m->slots[i].key; i = (i + 1) & mask) {
		size_t home = m->slots[i].hash & mask;

		if (((i - home) & mask) >= ((i - hole) & mask)) {
			m->slots[hole] = m->slots[i];
			hole = i;
		}
	}
	m->slots[hole] = (struct map_entry){ 0 };
	return value;
}

struct map_entry *map_next(const struct map *m, size_t *cursor)
{
	while (*cursor < m->cap) {
		struct map_entry *e = &m->slots[(*cursor)++];

		if (e->key)
			return e;
	}
	return NULL;
}
