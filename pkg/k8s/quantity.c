/* SPDX-License-Identifier: Apache-2.0 */
/* resource.Quantity in 128-bit integers: value = mantissa * numerator / denominator. */
#include "k8s/quantity.h"

#include "base/cleanup.h"

#define MAX_MANTISSA ((unsigned __int128)1000000000000000000) /* 10^18 */
#define MAX_FRACTION 9

static unsigned __int128 power(unsigned base, int exponent)
{
	unsigned __int128 r = 1;

	while (exponent-- > 0)
		r *= base;
	return r;
}

struct scale {
	unsigned base;
	int exponent; /* may be negative for base 10 */
};

static bool parse_suffix(struct str s, struct scale *ret)
{
	static const char decimal[] = "num kMGTPE", binary[] = "KMGTPE";
	const char *at;
	int64_t e;

	*ret = (struct scale){ 10, 0 };
	if (s.len == 0)
		return true;
	if (s.len == 2 && s.ptr[1] == 'i' && (at = memchr(binary, s.ptr[0], sizeof(binary) - 1))) {
		*ret = (struct scale){ 2, 10 * (int)(at - binary + 1) };
		return true;
	}
	if (s.len == 1 && s.ptr[0] != ' ' && (at = memchr(decimal, s.ptr[0], sizeof(decimal) - 1))) {
		ret->exponent = 3 * ((int)(at - decimal) - 3);
		return true;
	}
	if (s.ptr[0] != 'e' && s.ptr[0] != 'E')
		return false;
	s = str_of(s.ptr + 1, s.len - 1);
	if (s.len > 1 && s.ptr[0] == '+')
		s = str_of(s.ptr + 1, s.len - 1);
	if (!str_to_i64(s, -18, 18, &e))
		return false;
	ret->exponent = (int)e;
	return true;
}

/* In units of 10^-extra, away from zero, saturating. */
static bool parse(struct str s, int extra, int64_t *ret)
{
	bool negative = s.len && s.ptr[0] == '-', point = false, sticky = false, any = false;
	size_t i = s.len && (s.ptr[0] == '-' || s.ptr[0] == '+') ? 1 : 0;
	unsigned __int128 mantissa = 0;
	int fraction = 0;
	struct scale scale;

	for (; i < s.len && ((s.ptr[i] >= '0' && s.ptr[i] <= '9') || (s.ptr[i] == '.' && !point)); i++) {
		if (s.ptr[i] == '.') {
			point = true;
			continue;
		}
		any = true;
		if (point && fraction == MAX_FRACTION) {
			sticky = sticky || s.ptr[i] != '0';
			continue;
		}
		if (mantissa < MAX_MANTISSA * 1000000000)
			mantissa = mantissa * 10 + (unsigned)(s.ptr[i] - '0');
		fraction += point;
	}
	if (!any || !parse_suffix(str_of(s.ptr + i, s.len - i), &scale))
		return false;
	if (sticky)
		mantissa++;
	int up = extra + (scale.base == 10 ? MAX(scale.exponent, 0) : 0);
	int down = fraction + (scale.base == 10 ? MAX(-scale.exponent, 0) : 0);
	/* Shared powers of ten cancel, so that both stay far inside 128 bits. */
	int shared = MIN(up, down);
	unsigned __int128 numerator = power(10, up - shared) * (scale.base == 2 ? power(2, scale.exponent) : 1);
	unsigned __int128 denominator = power(10, down - shared), value = INT64_MAX;
	if (mantissa == 0)
		value = 0;
	else if (numerator <= ~(unsigned __int128)0 / mantissa) {
		value = (mantissa * numerator - 1) / denominator + 1;
		value = MIN(value, (unsigned __int128)INT64_MAX);
	}
	*ret = negative ? -(int64_t)value : (int64_t)value;
	return true;
}

bool quantity_milli(struct str s, int64_t *ret)
{
	return parse(s, 3, ret);
}

bool quantity_units(struct str s, int64_t *ret)
{
	return parse(s, 0, ret);
}
