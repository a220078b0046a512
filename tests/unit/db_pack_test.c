/* SPDX-License-Identifier: Apache-2.0 */
/* Packed series: every series comes back, known bytes, hostile bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/rand.h"
#include "db/pack.h"

#define U DB_UNKNOWN

static void round_trip(const int32_t *values, size_t n)
{
	_cleanup_(buf_release) struct buf packed = BUF_INIT(DB_PACK_MAX_BYTES);
	int32_t back[DB_PACK_MAX_VALUES];
	struct error err = ERROR_INIT;
	size_t known = 0;

	for (size_t i = 0; i < n; i++)
		known += values[i] != U;
	assert_int_equal(db_pack(values, n, &packed), known);
	assert_false(packed.overflow);
	assert_true(packed.len <= 5 * (n + 1));
	if (db_unpack(buf_str(&packed), back, n, &err))
		fail_msg("%s", err.msg);
	assert_memory_equal(values, back, n * sizeof(back[0]));
	/* One value more or less than there are. */
	if (n < DB_PACK_MAX_VALUES)
		assert_int_equal(db_unpack(buf_str(&packed), back, n + 1, &err), -1);
	if (n)
		assert_int_equal(db_unpack(buf_str(&packed), back, n - 1, &err), -1);
}

static void known_bytes(void **state)
{
	static const struct {
		int32_t values[4];
		size_t n;
		const char *hex;
	} cases[] = {
		{ { 0 }, 0, "01" },
		{ { 0, 0 }, 2, "010101" },
		{ { U, U, U }, 3, "01000000" },
		{ { 200000, 190000, U, 200000 }, 4, "904e29020003" }, /* units of 10000: +20, -1, unknown, +1 */
		{ { -7, 7 }, 2, "070205" },
		{ { INT32_MAX, -INT32_MAX }, 2, "ffffffff070304" },
		{ { 1, INT32_MAX, -INT32_MAX }, 3, "0103fdffffff0ffcffffff1f" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(buf_release) struct buf packed = BUF_INIT(100), hex = BUF_INIT(200);

		(void)db_pack(cases[i].values, cases[i].n, &packed);
		for (size_t k = 0; k < packed.len; k++)
			buf_addf(&hex, "%02x", (unsigned)(unsigned char)packed.ptr[k]);
		assert_string_equal(buf_cstr(&hex), cases[i].hex);
		round_trip(cases[i].values, cases[i].n);
	}
}

static void every_series_comes_back(void **state)
{
	int32_t values[DB_PACK_MAX_VALUES];
	uint64_t seed = 11;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		size_t n = (size_t)(rand_next(&seed) % (round % 100 ? 100 : DB_PACK_MAX_VALUES + 1));
		int shape = round % 5;
		int32_t unit = 1 + (int32_t)(rand_next(&seed) % (round % 3 ? 2000 : 2));
		int32_t last = 0;

		for (size_t i = 0; i < n; i++) {
			int64_t r = (int64_t)(rand_next(&seed) >> 1);

			if (shape == 0) /* anything */
				values[i] = (int32_t)(uint32_t)r;
			else if (shape == 1) /* the ends */
				values[i] = r % 3 == 0 ? INT32_MAX : r % 3 == 1 ? -INT32_MAX : 0;
			else /* a walk in steps of the unit */
				values[i] = last += unit * (int32_t)(r % 41 - 20);
			if (rand_next(&seed) % 8 == 0 && shape < 4)
				values[i] = U;
		}
		round_trip(values, n);
	}
}

/* Half-hourly carbon in whole grams: a byte a value, and a few. */
static void carbon_takes_a_byte(void **state)
{
	_cleanup_(buf_release) struct buf packed = BUF_INIT(DB_PACK_MAX_BYTES);
	int32_t values[96];
	uint64_t seed = 3;

	(void)state;
	for (int i = 0; i < 96; i++)
		values[i] = (i ? values[i - 1] : 200000) + 1000 * (int32_t)(rand_next(&seed) % 61) - 30000;
	assert_int_equal(db_pack(values, 96, &packed), 96);
	assert_in_range(packed.len, 97, 102);
}

static void hostile_bytes(void **state)
{
	static const struct {
		struct str packed;
		size_t n;
	} bad[] = {
		{ STR(""), 0 },
		{ STR("\x00"), 0 },                     /* unit 0 */
		{ STR("\xff\xff\xff\xff\x08"), 0 },     /* unit above INT32_MAX */
		{ STR("\x80\x80\x80\x80\x80\x01"), 0 }, /* too many bits */
		{ STR("\x81\x00"), 0 },                 /* 1 in two bytes */
		{ STR("\x01"), 1 },                     /* no value */
		{ STR("\x01\x80"), 1 },                 /* half a value */
		{ STR("\x01\x01\x01"), 1 },             /* one too many */
		{ STR("\x02\xff\xff\xff\xff\x1f"), 1 }, /* out of 32 bits */
		{ STR("\x01\x80\x80\x80\x80\x10"), 1 }, /* exactly INT32_MIN: the mark of unknown */
		{ STR("\xff\xff\xff\xff\x07\xff\xff\xff\xff\x7f"), 1 },
	};
	int32_t values[4];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct error err = ERROR_INIT;

		if (db_unpack(bad[i].packed, values, bad[i].n, &err) == 0)
			fail_msg("case %zu should have failed", i);
		assert_int_equal(err.code, ERR_INVALID);
	}
	struct error err = ERROR_INIT;
	assert_int_equal(db_unpack(STR("\x01"), values, DB_PACK_MAX_VALUES + 1, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_bytes),
		cmocka_unit_test(every_series_comes_back),
		cmocka_unit_test(carbon_takes_a_byte),
		cmocka_unit_test(hostile_bytes),
	};

	return cmocka_run_group_tests_name("db_pack", tests, NULL, NULL);
}
