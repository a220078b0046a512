/* SPDX-License-Identifier: Apache-2.0 */
/* Packs series of integers: common divisor, differences, zigzag, LEB128. */
#include "db/pack.h"

static int64_t common_divisor(const int32_t *values, size_t n)
{
	int64_t divisor = 0;

	for (size_t i = 0; i < n && divisor != 1; i++) {
		if (values[i] == DB_UNKNOWN)
			continue;
		for (int64_t b = values[i] < 0 ? -(int64_t)values[i] : values[i]; b;) {
			int64_t rest = divisor % b;

			divisor = b;
			b = rest;
		}
	}
	return divisor ? divisor : 1;
}

static void add_number(struct buf *out, uint64_t u)
{
	for (; u >= 0x80; u >>= 7)
		buf_addc(out, (char)(0x80 | (u & 0x7f)));
	buf_addc(out, (char)u);
}

/* False at the end, above 35 bits, or when the same number fits into fewer bytes. */
static bool take_number(struct str *in, uint64_t *ret)
{
	uint64_t u = 0;

	for (unsigned shift = 0; shift < 35 && in->len; shift += 7) {
		unsigned char byte = (unsigned char)*in->ptr;

		*in = str_of(in->ptr + 1, in->len - 1);
		u |= (uint64_t)(byte & 0x7f) << shift;
		if (byte & 0x80)
			continue;
		*ret = u;
		return byte || shift == 0;
	}
	return false;
}

size_t db_pack(const int32_t *values, size_t n, struct buf *out)
{
	int64_t unit = common_divisor(values, n), last = 0;
	size_t known = 0;

	add_number(out, (uint64_t)unit);
	for (size_t i = 0; i < n; i++) {
		if (values[i] == DB_UNKNOWN) {
			add_number(out, 0);
			continue;
		}
		int64_t step = values[i] / unit - last;

		add_number(out, 1 + (((uint64_t)step << 1) ^ (uint64_t)(step >> 63)));
		last += step;
		known++;
	}
	return known;
}

int db_unpack(struct str packed, int32_t *values, size_t n, struct error *err)
{
	uint64_t unit, code;
	int64_t last = 0;

	if (n > DB_PACK_MAX_VALUES)
		return error_set(err, ERR_INVALID, "packed series: %zu values, more than %d", n, DB_PACK_MAX_VALUES);
	if (!take_number(&packed, &unit) || unit == 0 || unit > INT32_MAX)
		return error_set(err, ERR_INVALID, "packed series: bad unit");
	for (size_t i = 0; i < n; i++) {
		if (!take_number(&packed, &code))
			return error_set(err, ERR_INVALID, "packed series: bad or missing value %zu of %zu", i + 1, n);
		values[i] = DB_UNKNOWN;
		if (code == 0)
			continue;
		code--;
		last += (int64_t)(code >> 1) ^ -(int64_t)(code & 1);
		/* The first two keep the product within 62 bits. */
		if (last > INT32_MAX || last < -INT32_MAX || last * (int64_t)unit > INT32_MAX ||
		    last * (int64_t)unit < -INT32_MAX)
			return error_set(err, ERR_INVALID, "packed series: value %zu is out of bounds", i + 1);
		values[i] = (int32_t)(last * (int64_t)unit);
	}
	if (packed.len)
		return error_set(err, ERR_INVALID, "packed series: %zu bytes behind the last value", packed.len);
	return 0;
}
