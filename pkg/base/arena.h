/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bump allocator: many small allocations, one release. For decoded structs (an arena in each store object) and for
 * everything that lives as long as one reconcile or one request. Memory is zeroed. One thread at a time.
 *
 * The maximum is a safety net behind the bounds on the input: reaching it aborts like running out of memory.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/str.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *chunk; /* newest first */
	uint32_t next_chunk;       /* size of the next chunk */
	uint32_t total;            /* bytes taken from malloc */
	uint32_t max;
};

/* first_chunk: bytes of the first chunk, later ones double up to 64 KiB; nothing is allocated yet. max < 4 GiB. */
void arena_init(struct arena *a, size_t first_chunk, size_t max);
void arena_release(struct arena *a);
/* Empties it; one chunk is kept for reuse. Everything handed out is invalid. */
void arena_reset(struct arena *a);
/* Bytes handed out so far: an arena whose first chunk has that size takes the same allocations in one piece. */
size_t arena_used(const struct arena *a);

void *arena_alloc(struct arena *a, size_t size) __attribute__((returns_nonnull));
void *arena_alloc_array(struct arena *a, size_t n, size_t size) __attribute__((returns_nonnull));
#define arena_new(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define arena_array(a, n, type) ((type *)arena_alloc_array((a), (n), sizeof(type)))
/* NUL-terminated copies. arena_strdup(NULL) is NULL. */
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t len) __attribute__((returns_nonnull));
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3), returns_nonnull));

/* A copy, or the one that the process has of such a word (base/words.h): for what many objects have in common. */
const char *arena_word(struct arena *a, const char *s) __attribute__((returns_nonnull));

/*
 * Copies in an arena of which equal ones are the same, for an object that names a few things often: regions, or one
 * sentence in several places. So many are remembered; what comes later is copied each time.
 *
 *	struct shared_texts t = { .arena = a };
 */
#define SHARED_TEXTS_MAX 24
struct shared_texts {
	struct arena *arena;
	const char *seen[SHARED_TEXTS_MAX];
	size_t n;
};
/* NULL stays NULL. */
const char *shared_text(struct shared_texts *t, const char *s);
/* Remembers a text that is in the arena already, or lives longer. */
void shared_texts_know(struct shared_texts *t, const char *s);

#endif
