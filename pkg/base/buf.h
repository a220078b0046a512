/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing byte buffer with a maximum at birth. The content is always NUL-terminated (the NUL is not counted).
 *
 * Appending past the maximum sets `overflow`, appends nothing, and keeps refusing: a long series of appends is
 * checked once, at its end, with buf_check(). One owner, one thread at a time.
 *
 *	_cleanup_(buf_release) struct buf b = BUF_INIT(4096);
 *	buf_addf(&b, "job %s", name);
 *	if (buf_check(&b, "explanation", err))
 *		return -1;
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/error.h"
#include "base/str.h"

struct buf {
	char *ptr; /* NULL until the first append; use buf_cstr() to read it as text */
	size_t len;
	size_t cap;
	size_t max; /* bytes, without the NUL */
	bool overflow;
};

#define BUF_INIT(maximum)        \
	{                        \
		.max = (maximum) \
	}

void buf_init(struct buf *b, size_t max);
/* Frees the memory; the buffer is as after buf_init() with the same maximum. */
void buf_release(struct buf *b);
/* Empties it, keeps the memory, clears `overflow`. */
void buf_reset(struct buf *b);

/* All of them return -1 once the buffer has overflowed; the result may be ignored in favour of buf_check(). */
int buf_add(struct buf *b, const void *data, size_t len);
int buf_adds(struct buf *b, const char *s);
int buf_addstr(struct buf *b, struct str s);
int buf_addf(struct buf *b, const char *fmt, ...) printf_like(2, 3);
int buf_addv(struct buf *b, const char *fmt, va_list args) printf_like(2, 0);
static inline int buf_addc(struct buf *b, char c)
{
	/* Where there is room, as nearly always, without a call: JSON is full of single characters. */
	if (b->overflow || b->len + 1 >= b->cap)
		return buf_add(b, &c, 1);
	b->ptr[b->len++] = c;
	b->ptr[b->len] = '\0';
	return 0;
}
/* Decimal digits, much faster than buf_addf(). */
int buf_addi64(struct buf *b, int64_t value);
/* Room for n more bytes at ptr + len, to be filled by the caller, who then adds to len. */
int buf_reserve(struct buf *b, size_t n);
/* Drops the first n bytes (n <= len). */
void buf_consume(struct buf *b, size_t n);

/* 0, or -1 with ERR_LIMIT "<what> is larger than <max> bytes". */
int buf_check(const struct buf *b, const char *what, struct error *err) must_check;

static inline struct str buf_str(const struct buf *b)
{
	return str_of(b->ptr ? b->ptr : "", b->len);
}

static inline const char *buf_cstr(const struct buf *b)
{
	return b->ptr ? b->ptr : "";
}

/* The content as a malloc'd, NUL-terminated string that the caller frees; the buffer is empty afterwards. */
char *buf_take(struct buf *b);

/* Reads a whole file of at most b->max bytes. ERR_NOT_FOUND, ERR_LIMIT, ERR_DENIED or ERR_INTERNAL. */
int buf_read_file(struct buf *b, const char *path, struct error *err) must_check;

#endif
