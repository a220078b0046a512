/* SPDX-License-Identifier: Apache-2.0 */
/* JSON string literals, for pkg/json and pkg/log alike. Thread: any. */
#ifndef BASE_QUOTE_H
#define BASE_QUOTE_H

#include <endian.h>

#include "base/buf.h"

/*
 * How many of the n bytes at p stand for themselves in a JSON string, before the first that does not: a control
 * character, a quote, a backslash, or anything that is not ASCII. Eight at a time: most of every text is such bytes.
 */
static inline size_t quote_plain(const unsigned char *p, size_t n)
{
	const uint64_t ones = UINT64_MAX / 255;
	size_t i = 0;

	for (; n - i >= 8; i += 8) {
		uint64_t word, bad;

		memcpy(&word, p + i, 8);
		word = le64toh(word);
		/* A byte that borrows is marked itself, so the lowest mark is right, and only that one counts. */
		bad = (word - ones * ' ') | ((word ^ ones * '"') - ones) | ((word ^ ones * '\\') - ones) | word;
		bad &= ones * 0x80;
		if (bad)
			return i + (size_t)__builtin_ctzll(bad) / 8;
	}
	while (i < n && p[i] >= 0x20 && p[i] < 0x80 && p[i] != '"' && p[i] != '\\')
		i++;
	return i;
}

/* Appends s as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD, one each. */
void quote_json(struct buf *b, struct str s);

#endif
