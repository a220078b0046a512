/* SPDX-License-Identifier: Apache-2.0 */
/* Bump allocator over doubling chunks. */
#include "base/arena.h"

#include <stdarg.h>
#include <stddef.h>

#include "base/alloc.h"
#include "base/words.h"

#define ARENA_MAX_CHUNK (64 * 1024)
#define ARENA_ALIGN 8

struct arena_chunk {
	struct arena_chunk *older;
	uint32_t used;
	uint32_t size;
	char data[];
};

void arena_init(struct arena *a, size_t first_chunk, size_t max)
{
	*a = (struct arena){ .next_chunk = (uint32_t)first_chunk, .max = (uint32_t)MIN(max, UINT32_MAX) };
}

void arena_release(struct arena *a)
{
	for (struct arena_chunk *c = a->chunk, *older; c; c = older) {
		older = c->older;
		free(c);
	}
	a->chunk = NULL;
	a->total = 0;
}

void arena_reset(struct arena *a)
{
	struct arena_chunk *keep = a->chunk;

	if (!keep)
		return;
	a->chunk = keep->older;
	arena_release(a);
	keep->older = NULL;
	keep->used = 0;
	a->chunk = keep;
	a->total = (uint32_t)sizeof(*keep) + keep->size;
}

size_t arena_used(const struct arena *a)
{
	size_t used = 0;

	/* Rounded up per chunk, for the alignment that a chunk's beginning saved. */
	for (const struct arena_chunk *c = a->chunk; c; c = c->older)
		used += ((size_t)c->used + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
	return used;
}

static void arena_add_chunk(struct arena *a, size_t at_least)
{
	size_t size = MAX(a->next_chunk, at_least);

	if (size > a->max || a->total + sizeof(struct arena_chunk) + size > a->max) {
		(void)fprintf(stderr, "arena of %" PRIu32 " bytes is full\n", a->max);
		abort();
	}
	struct arena_chunk *c = xmalloc(sizeof(*c) + size);
	*c = (struct arena_chunk){ .older = a->chunk, .size = (uint32_t)size };
	a->chunk = c;
	a->total += (uint32_t)(sizeof(*c) + size);
	a->next_chunk = (uint32_t)MIN(size * 2, ARENA_MAX_CHUNK);
}

static void *arena_take(struct arena *a, size_t size, size_t align)
{
	struct arena_chunk *c = a->chunk;
	size_t at = c ? (c->used + align - 1) & ~(align - 1) : 0;

	if (!c || at > c->size || size > c->size - at) {
		arena_add_chunk(a, size);
		c = a->chunk;
		at = 0;
	}
	c->used = (uint32_t)(at + size);
	return c->data + at;
}

void *arena_alloc(struct arena *a, size_t size)
{
	return memset(arena_take(a, size, ARENA_ALIGN), 0, size);
}

void *arena_alloc_array(struct arena *a, size_t n, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(n, size, &total))
		total = SIZE_MAX / 2; /* more than any arena's maximum */
	return arena_alloc(a, total);
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
	/* Text needs no alignment, which saves a few bytes in every store object. */
	char *p = arena_take(a, len + 1, 1);

	memcpy(p, s, len);
	p[len] = '\0';
	return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return s ? arena_strndup(a, s, strlen(s)) : NULL;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list args, again;
	char text[256];

	va_start(args, fmt);
	va_copy(again, args);
	int n = vsnprintf(text, sizeof(text), fmt, args);
	char *p = arena_take(a, (size_t)MAX(n, 0) + 1, 1);
	if (n >= 0 && (size_t)n < sizeof(text))
		memcpy(p, text, (size_t)n);
	else if (n > 0)
		(void)vsnprintf(p, (size_t)n + 1, fmt, again);
	p[MAX(n, 0)] = '\0';
	va_end(again);
	va_end(args);
	return p;
}

const char *arena_word(struct arena *a, const char *s)
{
	const char *word = word_of(s);

	return word ? word : arena_strdup(a, s);
}

void shared_texts_know(struct shared_texts *t, const char *s)
{
	if (s && t->n < SHARED_TEXTS_MAX)
		t->seen[t->n++] = s;
}

const char *shared_text(struct shared_texts *t, const char *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < t->n; i++) {
		if (strcmp(t->seen[i], s) == 0)
			return t->seen[i];
	}
	const char *copy = arena_strdup(t->arena, s);
	shared_texts_know(t, copy);
	return copy;
}
