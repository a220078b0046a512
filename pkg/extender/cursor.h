/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A strict, forward-only JSON scanner over text in memory: no tree, no allocation, no recursion. Made for the
 * extender's hot path, where thousands of short strings follow one another; everything else uses pkg/json.
 *
 *	struct cursor c = cursor_init(body);
 *	struct cursor_text key;
 *	for (cursor_object(&c, "expected an object"); cursor_key(&c, &key);)
 *		cursor_skip(&c);
 *	if (cursor_end(&c))
 *		... c.problem, c.p - c.start ...
 *
 * The first problem sticks: from then on every call does nothing and every loop ends, so that it is checked once, by
 * cursor_end(). What is skipped is checked like what is read: grammar, escapes, UTF-8, nesting at most
 * CURSOR_MAX_DEPTH. Pure; one thread per cursor.
 */
#ifndef EXTENDER_CURSOR_H
#define EXTENDER_CURSOR_H

#include <endian.h>

#include "base/str.h"

#define CURSOR_MAX_DEPTH 64

struct cursor {
	const char *p;
	const char *end;
	const char *start;
	const char *problem; /* static text, NULL = none; p is where it is */
	int depth;           /* containers entered */
	bool fresh;          /* the innermost one was entered just now: no comma before its first member */
};

/* The text between the quotes, as it stands in the JSON. Where it is `escaped`, cursor_decode() gives what it means. */
struct cursor_text {
	struct str raw;
	bool escaped;
};

static inline struct cursor cursor_init(struct str text)
{
	return (struct cursor){ .p = text.ptr, .end = text.ptr + text.len, .start = text.ptr };
}

/* Notes the first problem, a static text; always false. */
bool cursor_fail(struct cursor *c, const char *problem);
/* The next value's first character after white space, or '\0' at the end or after a problem. */
char cursor_peek(struct cursor *c);
/* Enters an object or array; `what` is the problem when the next value is something else. */
void cursor_object(struct cursor *c, const char *what);
void cursor_array(struct cursor *c, const char *what);
/* True with the next member's key, its value comes next; false at the object's end, which is then left behind. */
bool cursor_key(struct cursor *c, struct cursor_text *ret);
/* Steps over null if that comes next. */
bool cursor_null(struct cursor *c);
/* Steps over any value. */
void cursor_skip(struct cursor *c);
/* Nothing but white space may follow. 0, or -1 after a problem. */
int cursor_end(struct cursor *c);

/*
 * The two below are inline for arrays of thousands of short strings: what is common is decided here, the rest (white
 * space, escapes, UTF-8, mistakes) by their slow forms.
 */
bool cursor_element_slow(struct cursor *c);
void cursor_string_slow(struct cursor *c, struct cursor_text *ret, const char *what);

/* True when another element comes; false at the array's end, which is then left behind. */
static inline bool cursor_element(struct cursor *c)
{
	if (c->p == c->end || *c->p != ',' || c->fresh || c->problem)
		return cursor_element_slow(c);
	c->p++;
	return true;
}

#define CURSOR_ONES UINT64_C(0x0101010101010101)
#define CURSOR_TOPS UINT64_C(0x8080808080808080)

/*
 * The first byte from p on that is not plain (printable ASCII, neither quote nor backslash), or end. Eight bytes at a
 * time: the top bit of each byte of `hit` marks one that is not; a borrow can only mark bytes above a true hit, and
 * the lowest mark is the one used.
 */
static inline const char *cursor_skip_plain(const char *p, const char *end)
{
	for (; end - p >= 8; p += 8) {
		uint64_t v, quote, backslash, hit;

		memcpy(&v, p, sizeof(v));
		v = le64toh(v);
		quote = v ^ (CURSOR_ONES * '"');
		backslash = v ^ (CURSOR_ONES * '\\');
		hit = ((v - CURSOR_ONES * ' ') | (quote - CURSOR_ONES) | (backslash - CURSOR_ONES) | v) & CURSOR_TOPS;
		if (hit)
			return p + (__builtin_ctzll(hit) >> 3);
	}
	while (p < end && *p >= ' ' && *p != '"' && *p != '\\' && (unsigned char)*p < 0x80)
		p++;
	return p;
}

static inline void cursor_string(struct cursor *c, struct cursor_text *ret, const char *what)
{
	if (c->p < c->end && *c->p == '"' && !c->problem) {
		const char *begin = c->p + 1, *p = cursor_skip_plain(begin, c->end);

		if (p < c->end && *p == '"') {
			*ret = (struct cursor_text){ str_of(begin, (size_t)(p - begin)), false };
			c->p = p + 1;
			return;
		}
	}
	cursor_string_slow(c, ret, what);
}

/* What a text with escapes means, see cursor_decode(). */
struct str cursor_unescape(struct str raw, char *buf, size_t cap);
/*
 * What the text means, as a view: of the text itself where nothing is escaped, else of buf; STR_NULL when it does not
 * fit into `cap` bytes of it.
 */
static inline struct str cursor_decode(struct cursor_text text, char *buf, size_t cap)
{
	return text.escaped ? cursor_unescape(text.raw, buf, cap) : text.raw;
}

#endif
