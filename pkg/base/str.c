/* SPDX-License-Identifier: Apache-2.0 */
/* String views: comparing, splitting and strict parsing. */
#include "base/str.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>

#include "base/utf8.h"

bool str_has_prefix(struct str s, struct str prefix)
{
	return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

bool str_has_suffix(struct str s, struct str suffix)
{
	return s.len >= suffix.len &&
	       (suffix.len == 0 || memcmp(s.ptr + s.len - suffix.len, suffix.ptr, suffix.len) == 0);
}

int str_cmp(struct str a, struct str b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = n ? memcmp(a.ptr, b.ptr, n) : 0;

	if (c)
		return c;
	return (a.len > b.len) - (a.len < b.len);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s)
{
	while (s.len && is_blank(s.ptr[0])) {
		s.ptr++;
		s.len--;
	}
	while (s.len && is_blank(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

bool str_split(struct str *rest, char sep, struct str *ret_part)
{
	if (!rest->ptr)
		return false;
	const char *at = rest->len ? memchr(rest->ptr, sep, rest->len) : NULL;
	if (!at) {
		*ret_part = *rest;
		*rest = STR_NULL;
		return true;
	}
	*ret_part = str_of(rest->ptr, (size_t)(at - rest->ptr));
	*rest = str_of(at + 1, rest->len - ret_part->len - 1);
	return true;
}

bool str_to_i64(struct str s, int64_t min, int64_t max, int64_t *ret)
{
	bool negative = s.len && s.ptr[0] == '-';
	int64_t v = 0;

	if (s.len <= (negative ? 1 : 0))
		return false;
	/* Counting downwards covers INT64_MIN too. */
	for (size_t i = negative; i < s.len; i++) {
		if (s.ptr[i] < '0' || s.ptr[i] > '9' || __builtin_mul_overflow(v, 10, &v) ||
		    __builtin_sub_overflow(v, s.ptr[i] - '0', &v))
			return false;
	}
	if (!negative && __builtin_sub_overflow((int64_t)0, v, &v))
		return false;
	if (v < min || v > max)
		return false;
	*ret = v;
	return true;
}

static locale_t c_locale;

static void c_locale_init(void)
{
	c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

/*
 * Up to 15 digits with or without a point: both the digits and the power of ten are exact as doubles, and so their
 * quotient is the nearest one, which is what strtod() finds. False for everything else, be it a number or not.
 */
static bool short_decimal(struct str s, double *ret)
{
	static const double powers[] = { 1,   1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
					 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15 };
	bool negative = s.len && s.ptr[0] == '-';
	size_t i = negative, point = SIZE_MAX;
	uint64_t digits = 0;

	if (s.len <= i || s.len - i > 16 || s.ptr[i] == '.' || s.ptr[s.len - 1] == '.')
		return false;
	for (; i < s.len; i++) {
		if (s.ptr[i] == '.' && point == SIZE_MAX)
			point = i;
		else if (s.ptr[i] >= '0' && s.ptr[i] <= '9')
			digits = digits * 10 + (uint64_t)(s.ptr[i] - '0');
		else
			return false;
	}
	if (digits >= UINT64_C(1000000000000000))
		return false;
	*ret = (double)digits / (point == SIZE_MAX ? 1 : powers[s.len - 1 - point]);
	*ret = negative ? -*ret : *ret;
	return true;
}

bool str_to_double(struct str s, double *ret)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	char text[64];
	char *end = NULL;

	if (short_decimal(s, ret))
		return true;
	/* strtod also takes blanks, hex, "nan" and "inf": only these bytes may occur. */
	if (s.len == 0 || s.len >= sizeof(text) || s.ptr[0] == '+')
		return false;
	memcpy(text, s.ptr, s.len);
	text[s.len] = '\0';
	if (strspn(text, "+-.0123456789eE") != s.len)
		return false;
	(void)pthread_once(&once, c_locale_init);
	double v = strtod_l(text, &end, c_locale);
	if (end != text + s.len || !isfinite(v))
		return false;
	*ret = v;
	return true;
}

bool str_is_utf8(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.ptr;

	for (size_t i = 0; i < s.len;) {
		size_t n = utf8_sequence(p + i, s.len - i);
		if (n == 0)
			return false;
		i += n;
	}
	return true;
}

bool str_is_dns_name(struct str s)
{
	if (s.len == 0 || s.len > 253)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		bool alnum = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
		bool inner = i > 0 && i + 1 < s.len;

		if (alnum)
			continue;
		if (!inner || (c != '-' && c != '.'))
			return false;
		/* A dot has letters or digits on both sides. */
		if (c == '.' && (s.ptr[i - 1] == '.' || s.ptr[i - 1] == '-' || s.ptr[i + 1] == '-'))
			return false;
	}
	return true;
}

bool str_copy(char *dst, size_t cap, struct str s)
{
	size_t n = s.len < cap - 1 ? s.len : cap - 1;

	if (n)
		memcpy(dst, s.ptr, n);
	dst[n] = '\0';
	return n == s.len;
}

uint64_t str_fnv1a(struct str s)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (unsigned char)s.ptr[i]) * UINT64_C(0x100000001b3);
	return h;
}
