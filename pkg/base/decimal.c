/* SPDX-License-Identifier: Apache-2.0 */
/* Fixed-point decimals in int64. */
#include "base/decimal.h"

#include <math.h>
#include <stdio.h>

static const int64_t powers[] = { 1,
				  10,
				  100,
				  1000,
				  10000,
				  100000,
				  1000000,
				  10000000,
				  100000000,
				  1000000000,
				  INT64_C(10000000000),
				  INT64_C(100000000000),
				  INT64_C(1000000000000) };

bool decimal_parse(struct str s, int scale, int64_t *ret)
{
	bool negative = s.len && s.ptr[0] == '-';
	size_t i = negative, digits = 0;
	int places = -1; /* digits seen behind the point, -1 before it */
	int64_t v = 0;

	for (; i < s.len; i++) {
		char c = s.ptr[i];

		if (c == '.' && places < 0 && digits > 0) {
			places = 0;
			continue;
		}
		if (c < '0' || c > '9')
			return false;
		digits++;
		if (places >= scale) {
			if (c != '0')
				return false;
			continue;
		}
		/* Counting downwards covers INT64_MIN too. */
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, c - '0', &v))
			return false;
		if (places >= 0)
			places++;
	}
	if (digits == 0 || s.ptr[s.len - 1] == '.')
		return false;
	for (int p = MAX(places, 0); p < scale; p++) {
		if (__builtin_mul_overflow(v, 10, &v))
			return false;
	}
	if (!negative && __builtin_sub_overflow((int64_t)0, v, &v))
		return false;
	*ret = v;
	return true;
}

/* Writes u with that many places and returns its end. */
static char *put(char *at, bool negative, uint64_t u, int places)
{
	char text[DECIMAL_TEXT], *from = text + sizeof(text);
	int n = 0, least = places + 1; /* with a digit before the point */

	for (; u > 0 || n < least; u /= 10) {
		if (n++ == places && places)
			*--from = '.';
		*--from = (char)('0' + u % 10);
	}
	if (negative)
		*at++ = '-';
	return mempcpy(at, from, (size_t)(text + sizeof(text) - from));
}

static uint64_t size_of(int64_t value)
{
	return value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
}

char *decimal_format_fixed(int64_t value, int scale, int places, char out[DECIMAL_TEXT])
{
	uint64_t u = size_of(value), drop = (uint64_t)powers[scale - places];

	if (places < scale)
		u = u / drop + (u % drop >= (drop + 1) / 2);
	*put(out, value < 0 && u, u, places) = '\0';
	return out;
}

char *decimal_put(char at[DECIMAL_TEXT], int64_t value, int scale)
{
	at = put(at, value < 0, size_of(value), scale);
	if (scale) {
		while (at[-1] == '0')
			at--;
		at -= at[-1] == '.';
	}
	*at = '\0';
	return at;
}

char *decimal_format(int64_t value, int scale, char out[DECIMAL_TEXT])
{
	decimal_put(out, value, scale);
	return out;
}

int64_t decimal_from_double(double value, int scale)
{
	double v = round(value * (double)powers[scale]);

	if (isnan(v))
		return 0;
	if (v >= 0x1p63)
		return INT64_MAX;
	return v <= -0x1p63 ? INT64_MIN : (int64_t)v;
}

int64_t i64_mul_div(int64_t a, int64_t b, int64_t c)
{
	int64_t product, up;

	/* Most of the time 64 bits do, and are much faster to divide. */
	if (c > 0 && !__builtin_mul_overflow(a, b, &product) && product >= 0 &&
	    !__builtin_add_overflow(product, c / 2, &up))
		return up / c;
	__int128 n = (__int128)a * b;
	__int128 d = c;

	if (d < 0) {
		n = -n;
		d = -d;
	}
	__int128 q = n < 0 ? -((-n + d / 2) / d) : (n + d / 2) / d;
	if (q > INT64_MAX)
		return INT64_MAX;
	return q < INT64_MIN ? INT64_MIN : (int64_t)q;
}
