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

char *decimal_format_fixed(int64_t value, int scale, int places, char out[DECIMAL_TEXT])
{
	uint64_t u = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
	uint64_t drop = (uint64_t)powers[scale - places];
	char reversed[DECIMAL_TEXT], *at = out;
	int n = 0, least = places ? places + 2 : 1; /* with a digit before the point */

	if (places < scale)
		u = u / drop + (u % drop >= (drop + 1) / 2);
	if (value < 0 && u)
		*at++ = '-';
	for (; u > 0 || n < least; u /= 10) {
		reversed[n++] = (char)('0' + u % 10);
		if (n == places)
			reversed[n++] = '.';
	}
	while (n > 0)
		*at++ = reversed[--n];
	*at = '\0';
	return out;
}

char *decimal_format(int64_t value, int scale, char out[DECIMAL_TEXT])
{
	int places = scale;

	while (places > 0 && value % powers[scale - places + 1] == 0)
		places--;
	return decimal_format_fixed(value, scale, places, out);
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
