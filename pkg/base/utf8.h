/* SPDX-License-Identifier: Apache-2.0 */
/* One step of UTF-8 decoding, for whoever must know where bad bytes are; str_is_utf8() is for the rest. Pure. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>

/* Length of the well-formed sequence that starts at p (n bytes are there): 1..4, or 0 when ill-formed or cut off. */
static inline size_t utf8_sequence(const unsigned char *p, size_t n)
{
	/* The second byte's range depends on the first (no overlongs, no surrogates, at most U+10FFFF). */
	unsigned char lo = 0x80, hi = 0xBF;
	size_t len;

	if (n == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xC2 || p[0] > 0xF4)
		return 0;
	len = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
	if (p[0] == 0xE0)
		lo = 0xA0;
	else if (p[0] == 0xED)
		hi = 0x9F;
	else if (p[0] == 0xF0)
		lo = 0x90;
	else if (p[0] == 0xF4)
		hi = 0x8F;
	if (n < len || p[1] < lo || p[1] > hi)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	return len;
}

#endif
