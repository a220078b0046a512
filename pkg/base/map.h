/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash map from a string (copied, unless the map borrows) to a pointer (not owned). Keys come from outside, so the hash
 * is SipHash-1-3 with a secret of this process. Lookup by string view, no allocation. The caller locks.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/error.h"
#include "base/str.h"

struct map_entry {
	const char *key; /* NULL = empty slot; NUL-terminated where the map copies */
	void *value;
	uint32_t key_len;
	uint32_t hash;
};

struct map {
	struct map_entry *slots;
	size_t len;
	size_t cap; /* power of two, 0 at first */
	size_t max;
	bool borrows;
};

void map_init(struct map *m, size_t max);
/* Keys are not copied: each is a part of its value, and unchanged as long as that is in the map. */
void map_init_borrowing(struct map *m, size_t max);
/* Frees keys and slots, not the values. */
void map_release(struct map *m);

/* The value, or NULL. */
void *map_get(const struct map *m, struct str key);
/* Inserts or replaces; *ret_old is the replaced value or NULL. ERR_LIMIT when `max` keys are there. Value not NULL. */
int map_put(struct map *m, struct str key, void *value, void **ret_old, struct error *err) must_check;
/* Removes; the removed value, or NULL. */
void *map_del(struct map *m, struct str key);

/*
 * Visits every entry in no particular order: `for (size_t i = 0; (e = map_next(m, &i));)`.
 * The map must not change meanwhile, except that the visited entry's value may be set.
 */
struct map_entry *map_next(const struct map *m, size_t *cursor);

#endif
