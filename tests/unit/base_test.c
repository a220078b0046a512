/* SPDX-License-Identifier: Apache-2.0 */
/* pkg/base: strings, buffers, arena, vectors, map, errors, clock, decimals, random numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/decimal.h"
#include "base/map.h"
#include "base/rand.h"
#include "base/utf8.h"
#include "base/vec.h"

static void str_compare_and_trim(void **state)
{
	(void)state;
	assert_true(str_eq(STR_NULL, STR("")));
	assert_false(str_is(STR("ab"), "a"));
	assert_true(str_is(STR(""), ""));
	assert_true(cstr_eq(NULL, NULL));
	assert_false(cstr_eq(NULL, "") || cstr_eq("a", "b"));
	assert_true(str_has_prefix(STR("abc"), STR("ab")) && str_has_prefix(STR_NULL, STR("")));
	assert_false(str_has_prefix(STR("a"), STR("ab")) || str_has_suffix(STR("a"), STR("ba")));
	assert_true(str_has_suffix(STR("abc"), STR("bc")) && str_has_suffix(STR("abc"), STR_NULL));
	assert_true(str_cmp(STR("a"), STR("ab")) < 0 && str_cmp(STR("b"), STR("ab")) > 0);
	assert_true(str_cmp(STR("\x80"), STR("a")) > 0);
	assert_int_equal(str_cmp(STR_NULL, STR("")), 0);
	assert_true(str_is(str_trim(STR(" \t\r\n a b \n")), "a b"));
	assert_int_equal(str_trim(STR(" \n ")).len, 0);
	assert_int_equal(str_trim(STR_NULL).len, 0);
	assert_true(str_fnv1a(STR("")) == UINT64_C(0xcbf29ce484222325));
	assert_true(str_fnv1a(STR("foobar")) == UINT64_C(0x85944171f73967e8));
}

static void split(const char *text, const char *const *parts)
{
	struct str rest = str_from(text), part;

	for (; *parts; parts++) {
		assert_true(str_split(&rest, ',', &part));
		assert_true(str_is(part, *parts));
	}
	assert_false(str_split(&rest, ',', &part));
}

static void str_split_visits_every_part(void **state)
{
	(void)state;
	split("a,b", (const char *const[]){ "a", "b", NULL });
	split("", (const char *const[]){ "", NULL });
	split(",", (const char *const[]){ "", "", NULL });
	split("a,,b,", (const char *const[]){ "a", "", "b", "", NULL });
	split(NULL, (const char *const[]){ NULL });
}

static void str_numbers(void **state)
{
	static const char *const bad_ints[] = { "",
						"-",
						"+1",
						" 1",
						"1 ",
						"0x1",
						"1.0",
						"9223372036854775808",
						"-9223372036854775809",
						"99999999999999999999",
						"--1",
						"1e3" };
	static const char *const bad_doubles[] = { "",    "+1", " 1",  "nan",   "inf", "0x1p3", "1e999",
						   "1,5", "1e", "--1", "1.2.3", "-",   ".",     "1e5 " };
	static const char *const good_doubles[] = { "0", "-1.5", "1e-3", "2E+2", ".5", "1.", "123456789012345678901" };
	int64_t i = 7;
	double d = 7;

	(void)state;
	assert_true(str_to_i64(STR("-9223372036854775808"), INT64_MIN, INT64_MAX, &i) && i == INT64_MIN);
	assert_true(str_to_i64(STR("9223372036854775807"), INT64_MIN, INT64_MAX, &i) && i == INT64_MAX);
	assert_true(str_to_i64(STR("-0"), 0, 0, &i) && i == 0);
	assert_true(str_to_i64(str_of("123456", 3), 0, 1000, &i) && i == 123);
	for (size_t k = 0; k < ARRAY_LEN(bad_ints); k++)
		if (str_to_i64(str_from(bad_ints[k]), INT64_MIN, INT64_MAX, &i))
			fail_msg("accepted %s", bad_ints[k]);
	assert_false(str_to_i64(STR("11"), 0, 10, &i) || str_to_i64(STR("-1"), 0, 10, &i));
	assert_false(str_to_i64(STR_NULL, 0, 10, &i));
	assert_int_equal(i, 123);
	for (size_t k = 0; k < ARRAY_LEN(bad_doubles); k++)
		if (str_to_double(str_from(bad_doubles[k]), &d))
			fail_msg("accepted %s", bad_doubles[k]);
	assert_true(d == 7);
	for (size_t k = 0; k < ARRAY_LEN(good_doubles); k++) {
		assert_true(str_to_double(str_from(good_doubles[k]), &d));
		assert_true(d == strtod(good_doubles[k], NULL));
	}
	assert_true(str_to_double(str_of("1234", 2), &d) && d == 12);
	/* Short decimals are not left to strtod(): the same bits all the same. */
	for (int k = 0; k < 20000; k++) {
		uint64_t seed = (uint64_t)k, digits = rand_next(&seed) >> (rand_next(&seed) % 64);
		int places = (int)(rand_next(&seed) % 18);
		_cleanup_free_ char *text = xasprintf("%s%" PRIu64 ".%0*" PRIu64, k % 3 ? "" : "-", digits % 100000,
						      places, digits / 100000 % (places < 15 ? 1000 : 1000000));

		if (places > 0) {
			assert_true(str_to_double(str_from(text), &d));
			assert_true(d == strtod(text, NULL) && signbit(d) == signbit(strtod(text, NULL)));
		}
	}
}

/* The slow and obvious way: decode, and look whether encoding gives the same bytes. */
static bool is_utf8_slowly(const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t len = p[i] < 0x80 ? 1 : p[i] >> 5 == 6 ? 2 : p[i] >> 4 == 14 ? 3 : p[i] >> 3 == 30 ? 4 : 0;
		static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
		uint32_t code = len == 1 ? p[i] : len ? p[i] & (0xFFu >> (len + 1)) : 0;

		if (!len || i + len > n)
			return false;
		for (size_t k = 1; k < len; k++) {
			if (p[i + k] >> 6 != 2)
				return false;
			code = code << 6 | (p[i + k] & 0x3F);
		}
		if (code < least[len] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
			return false;
		i += len;
	}
	return true;
}

static void utf8_agrees_with_the_slow_way(void **state)
{
	static const unsigned char edges[] = { 0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF,
					       0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE,
					       0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF8, 0xFF };
	size_t n = ARRAY_LEN(edges);

	(void)state;
	for (size_t v = 0; v < n * n * n * n; v++) {
		unsigned char p[4] = { edges[v % n], edges[v / n % n], edges[v / n / n % n], edges[v / n / n / n] };

		for (size_t len = 1; len <= 4; len++)
			if (str_is_utf8(str_of((const char *)p, len)) != is_utf8_slowly(p, len))
				fail_msg("%02x %02x %02x %02x of %zu", p[0], p[1], p[2], p[3], len);
	}
	assert_true(str_is_utf8(STR_NULL));
	assert_int_equal(utf8_sequence((const unsigned char *)"", 0), 0);
}

static void str_names_and_copies(void **state)
{
	static const char *const good[] = { "a", "a-b.c", "0", "a.b.c", "x--y" };
	static const char *const bad[] = { "",   "-a",   "a-",   "A",    "a_b", ".a",
					   "a.", "a..b", "a.-b", "a-.b", "a b", "\xc3\xa9" };
	char name[260], out[4];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(str_is_dns_name(str_from(good[i])));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (str_is_dns_name(str_from(bad[i])))
			fail_msg("accepted %s", bad[i]);
	memset(name, 'a', sizeof(name));
	assert_true(str_is_dns_name(str_of(name, 253)));
	assert_false(str_is_dns_name(str_of(name, 254)));
	assert_true(str_copy(out, sizeof(out), STR("abc")));
	assert_false(str_copy(out, sizeof(out), STR("abcd")));
	assert_string_equal(out, "abc");
	assert_true(str_copy(out, 1, STR_NULL));
	assert_string_equal(out, "");
}

static void buf_refuses_past_its_maximum(void **state)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT(10);
	struct error err = ERROR_INIT;

	(void)state;
	assert_string_equal(buf_cstr(&b), "");
	assert_int_equal(buf_adds(&b, "1234567890"), 0);
	assert_int_equal(b.ptr[10], 0);
	assert_int_equal(buf_addc(&b, 'x'), -1);
	assert_int_equal(buf_add(&b, "", 0), -1);
	assert_int_equal(b.len, 10);
	assert_int_equal(buf_check(&b, "test", &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_string_equal(err.msg, "test is larger than 10 bytes");
	buf_reset(&b);
	assert_int_equal(buf_check(&b, "test", &err), 0);
	assert_int_equal(buf_addf(&b, "%d", 12345678), 0);
	assert_int_equal(buf_addf(&b, "%s", "abc"), -1);
	assert_string_equal(b.ptr, "12345678");
	buf_reset(&b);
	assert_int_equal(buf_reserve(&b, SIZE_MAX), -1);
	_cleanup_(buf_release) struct buf none = BUF_INIT(0);
	assert_int_equal(buf_add(&none, "", 0), 0);
	assert_int_equal(buf_addc(&none, 'x'), -1);
}

static void buf_contents(void **state)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT(100000);
	_cleanup_free_ char *taken = NULL;
	char *big = xmalloc(5001);

	(void)state;
	assert_int_equal(buf_reserve(&b, 10), 0);
	assert_string_equal(buf_cstr(&b), "");
	buf_addi64(&b, INT64_MIN);
	buf_addc(&b, ' ');
	buf_addi64(&b, 0);
	buf_addc(&b, ' ');
	buf_addi64(&b, INT64_MAX);
	assert_string_equal(b.ptr, "-9223372036854775808 0 9223372036854775807");
	buf_consume(&b, 21);
	assert_string_equal(b.ptr, "0 9223372036854775807");
	buf_consume(&b, b.len);
	buf_consume(&b, 0);
	assert_string_equal(b.ptr, "");
	memset(big, 'x', 5000);
	big[5000] = '\0';
	buf_addf(&b, "<%s>", big);
	free(big);
	assert_int_equal(b.len, 5002);
	assert_int_equal(b.ptr[5001], '>');
	buf_addstr(&b, STR_NULL);
	taken = buf_take(&b);
	assert_int_equal(strlen(taken), 5002);
	assert_null(b.ptr);
	free(taken);
	taken = buf_take(&b);
	assert_string_equal(taken, "");
}

static void buf_reads_files(void **state)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT(16);
	struct error err = ERROR_INIT;
	char path[64];
	FILE *f;

	(void)state;
	snprintf(path, sizeof(path), "/tmp/loadshift-base-test.%d", (int)getpid());
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("0123456789abcdef", f);
	fclose(f);
	assert_int_equal(buf_read_file(&b, path, &err), 0);
	assert_string_equal(b.ptr, "0123456789abcdef");
	buf_release(&b);
	b.max = 15;
	assert_int_equal(buf_read_file(&b, path, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	unlink(path);
	buf_reset(&b);
	assert_int_equal(buf_read_file(&b, path, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_int_equal(buf_read_file(&b, "/", &err), -1);
}

static void arena_memory_is_zeroed_aligned_and_apart(void **state)
{
	_cleanup_(arena_release) struct arena a;
	unsigned char *blocks[500];
	uint64_t seed = 1;

	(void)state;
	arena_init(&a, 64, 1 << 20);
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
			size_t size = i % 50 + 1;

			blocks[i] = arena_alloc(&a, size);
			assert_int_equal((uintptr_t)blocks[i] % 8, 0);
			for (size_t k = 0; k < size; k++)
				assert_int_equal(blocks[i][k], 0);
			memset(blocks[i], (int)i, size);
			if (rand_next(&seed) % 3 == 0)
				arena_strndup(&a, "abc", i % 4);
		}
		for (size_t i = 0; i < ARRAY_LEN(blocks); i++)
			for (size_t k = 0; k <= i % 50; k++)
				assert_int_equal(blocks[i][k], i & 0xFF);
		arena_reset(&a);
	}
	assert_string_equal(arena_strndup(&a, "abcdef", 3), "abc");
	assert_null(arena_strdup(&a, NULL));
	assert_string_equal(arena_printf(&a, "%0300d|%s", 7, "x") + 299, "7|x");
	assert_string_equal(arena_printf(&a, "%s", ""), "");
	assert_non_null(arena_alloc(&a, 0));
	assert_non_null(arena_alloc(&a, 200000));
	assert_true(a.total <= a.max);
	arena_release(&a);
	arena_reset(&a);
	assert_int_equal(arena_array(&a, 10, int)[9], 0);
}

static void vec_is_bounded(void **state)
{
	VEC(int) v = { 0 };

	(void)state;
	for (int i = 0; i < 100; i++) {
		int *slot = vec_push(&v, 100);

		assert_non_null(slot);
		assert_int_equal(*slot, 0);
		*slot = i;
	}
	assert_null(vec_push(&v, 100));
	assert_int_equal(v.len, 100);
	for (int i = 0; i < 100; i++)
		assert_int_equal(v.ptr[i], i);
	vec_release(&v);
	assert_null(v.ptr);
}

/* Random puts and dels beside an array that does the same. */
static void map_agrees_with_an_array(void **state)
{
	enum { KEYS = 700 };
	static char values[KEYS];
	bool present[KEYS] = { false };
	struct error err = ERROR_INIT;
	uint64_t seed = 42;
	size_t n = 0;
	struct map m;

	(void)state;
	map_init(&m, KEYS);
	assert_null(map_get(&m, STR("none")));
	assert_null(map_del(&m, STR("none")));
	for (int step = 0; step < 40000; step++) {
		/* Waves, so that it grows and shrinks. */
		bool put = rand_next(&seed) % 10 < (step / 4000 % 2 ? 3 : 7);
		size_t k = rand_next(&seed) % KEYS;
		char text[16];
		void *old = &seed;

		snprintf(text, sizeof(text), "key-%zu", k);
		assert_ptr_equal(map_get(&m, str_from(text)), present[k] ? &values[k] : NULL);
		if (put) {
			assert_int_equal(map_put(&m, str_from(text), &values[k], &old, &err), 0);
			assert_ptr_equal(old, present[k] ? &values[k] : NULL);
			n += !present[k];
		} else {
			assert_ptr_equal(map_del(&m, str_from(text)), present[k] ? &values[k] : NULL);
			n -= present[k];
		}
		present[k] = put;
		assert_int_equal(m.len, n);
	}
	size_t seen = 0, cursor = 0;
	for (struct map_entry *e; (e = map_next(&m, &cursor)); seen++)
		assert_true(present[(char *)e->value - values]);
	assert_int_equal(seen, n);
	map_release(&m);
	assert_null(map_get(&m, STR("key-1")));
}

static void map_keys_are_copied_binary_and_bounded(void **state)
{
	struct error err = ERROR_INIT;
	char text[] = "abc";
	void *old;
	struct map m;

	(void)state;
	map_init(&m, 3);
	assert_int_equal(map_put(&m, str_from(text), text, &old, &err), 0);
	text[0] = 'x';
	assert_ptr_equal(map_get(&m, STR("abc")), text);
	assert_int_equal(map_put(&m, STR("a\0b"), text, &old, &err), 0);
	assert_null(map_get(&m, STR("a")));
	assert_int_equal(map_put(&m, STR(""), text, &old, &err), 0);
	assert_int_equal(map_put(&m, STR("more"), text, &old, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_int_equal(map_put(&m, STR(""), text + 1, &old, &err), 0);
	assert_ptr_equal(old, text);
	map_release(&m);
}

static void errors(void **state)
{
	struct error err = ERROR_INIT;
	char big[1000];

	(void)state;
	assert_int_equal(error_set(&err, ERR_DENIED, "no %s", "entry"), -1);
	err.http = 403;
	err.retry_after_ms = 5;
	assert_int_equal(error_wrap(&err, "get %d", 7), -1);
	assert_string_equal(err.msg, "get 7: no entry");
	assert_int_equal(err.code, ERR_DENIED);
	assert_int_equal(err.http, 403);
	/* Its own message as an argument. */
	error_wrap(&err, "<%s>", err.msg);
	assert_string_equal(err.msg, "<get 7: no entry>: get 7: no entry");
	error_set(&err, ERR_INVALID, "again: %s", err.msg);
	assert_string_equal(err.msg, "again: <get 7: no entry>: get 7: no entry");
	assert_int_equal(err.http, 0);
	error_errno(&err, ERR_INTERNAL, 2, "open %s", "x");
	assert_string_equal(err.msg, "open x: No such file or directory");
	memset(big, 'y', sizeof(big));
	big[999] = '\0';
	error_set(&err, ERR_INVALID, "%s", big);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	error_wrap(&err, "%s", big);
	error_errno(&err, ERR_INTERNAL, 2, "%s", big);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	for (int i = ERR_NONE; i <= ERR_INTERNAL; i++)
		assert_string_not_equal(error_code_name((enum error_code)i), "unknown");
	assert_string_equal(error_code_name((enum error_code)99), "unknown");
	assert_int_equal(error_code_from_http(204), ERR_NONE);
	assert_int_equal(error_code_from_http(409), ERR_CONFLICT);
	assert_int_equal(error_code_from_http(410), ERR_GONE);
	assert_int_equal(error_code_from_http(503), ERR_UNAVAILABLE);
	assert_int_equal(error_code_from_http(422), ERR_INVALID);
}

static void times_that_parse(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "1970-01-01T00:00Z", 0 },
		{ "2023-02-09T07:00:00Z", 1675926000000 },
		{ "2023-02-09t07:00:00z", 1675926000000 },
		{ "2023-02-09T07:00:00.5Z", 1675926000500 },
		{ "2023-02-09T07:00:00.123456789Z", 1675926000123 },
		{ "2023-02-09T07:00:00.0004Z", 1675926000000 },
		{ "2023-02-09T08:30:00+01:30", 1675926000000 },
		{ "2023-02-09T02:00:00-05:00", 1675926000000 },
		{ "2023-02-09T07:00:00-00:00", 1675926000000 },
		{ "2024-02-29T23:59:59.999Z", 1709251199999 },
		{ "2016-12-31T23:59:60Z", 1483228800000 },
		{ "2000-02-29T00:00:00Z", 951782400000 },
		{ "9999-12-31T23:59:59Z", 253402300799000 },
		{ "1970-01-01T00:00:00+01:00", -3600000 },
	};
	static const char *const bad[] = {
		"",
		"2023-02-09",
		"2023-02-09T07:00:00",
		"2023-02-29T00:00:00Z",
		"2023-13-01T00:00:00Z",
		"2023-00-01T00:00:00Z",
		"2023-01-00T00:00:00Z",
		"2023-04-31T00:00:00Z",
		"2100-02-29T00:00:00Z",
		"2023-01-01T24:00:00Z",
		"2023-01-01T00:60:00Z",
		"2023-01-01T00:00:61Z",
		"2023-01-01T00:00:00.Z",
		"2023-01-01T00:00:00+0100",
		"2023-01-01T00:00:00+1:00",
		"2023-01-01T00:00:00+24:00",
		"2023-01-01T00:00:00Zx",
		" 2023-01-01T00:00:00Z",
		"2023-1-01T00:00:00Z",
		"1969-12-31T23:59:59Z",
		"20230101T000000Z",
		"2023-01-01T00Z",
		"+2023-01-01T00:00:00Z",
		"2023-01-01T00:00.5Z",
	};
	int64_t ms = 42;
	char text[TIME_TEXT];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (time_parse(str_from(bad[i]), &ms))
			fail_msg("accepted %s", bad[i]);
	assert_false(time_parse(STR_NULL, &ms));
	assert_int_equal(ms, 42);
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		if (!time_parse(str_from(good[i].text), &ms))
			fail_msg("refused %s", good[i].text);
		assert_int_equal(ms, good[i].ms);
		if (ms < 0)
			continue;
		assert_true(time_parse(str_from(time_format_micro(ms, text)), &ms));
		assert_int_equal(ms, good[i].ms);
	}
}

static void times_that_are_written(void **state)
{
	char text[TIME_TEXT];

	(void)state;
	assert_string_equal(time_format(INT64_C(1675926000999), text), "2023-02-09T07:00:00Z");
	assert_string_equal(time_format_micro(INT64_C(1675926000123), text), "2023-02-09T07:00:00.123000Z");
	assert_string_equal(time_format_minute(INT64_C(1675926059999), text), "2023-02-09T07:00Z");
	assert_string_equal(time_format(-1, text), "1969-12-31T23:59:59Z");
	assert_string_equal(time_format_micro(-1, text), "1969-12-31T23:59:59.999000Z");
	assert_string_equal(time_format(TIME_NONE, text), "");
	assert_string_equal(time_format_micro(INT64_MAX, text), "9999-12-31T23:59:59.999000Z");
	assert_string_equal(time_format_micro(INT64_MIN / 2, text), "0000-01-01T00:00:00.000000Z");
	assert_string_equal(time_format_duration(51 * HOUR_MS, text), "2d3h");
	assert_string_equal(time_format_duration(200 * MINUTE_MS, text), "3h20m");
	assert_string_equal(time_format_duration(14 * MINUTE_MS + 59999, text), "14m");
	assert_string_equal(time_format_duration(12999, text), "12s");
	assert_string_equal(time_format_duration(0, text), "0s");
	assert_string_equal(time_format_duration(-HOUR_MS, text), "-1h00m");
	assert_true(strlen(time_format_duration(INT64_MIN, text)) < TIME_TEXT);
	assert_true(strlen(time_format_duration(INT64_MAX, text)) < TIME_TEXT);
}

static void civil_dates(void **state)
{
	int64_t expected = time_days_from_civil(-400, 1, 1);
	int y, m, d;

	(void)state;
	assert_int_equal(time_days_from_civil(1970, 1, 1), 0);
	assert_int_equal(time_weekday(0), 4);
	assert_int_equal(time_weekday(-1), 3);
	assert_int_equal(time_weekday(time_days_from_civil(2026, 3, 29)), 0);
	for (int year = -400; year <= 10000; year += year >= 1890 && year < 2110 ? 1 : 10)
		for (int month = 1; month <= 12; month++) {
			int64_t first = time_days_from_civil(year, month, 1);

			time_civil_from_days(first, &y, &m, &d);
			assert_true(y == year && m == month && d == 1);
			time_civil_from_days(first - 1, &y, &m, &d);
			assert_true(time_days_from_civil(y, m, d) == first - 1 && d >= 28);
			assert_true(first >= expected);
			expected = first;
		}
}

static void affine_clock(void **state)
{
	static const int32_t factors[] = { 1, 2, 7, 60, 239, 240 };
	uint64_t seed = 3;

	(void)state;
	for (size_t f = 0; f < ARRAY_LEN(factors); f++) {
		struct clock c = { INT64_C(1675926000000), factors[f] };

		assert_int_equal(clock_is_real(&c), factors[f] == 1);
		assert_int_equal(clock_to_domain_ms(&c, c.origin_ms), c.origin_ms);
		assert_int_equal(clock_to_domain_ms(&c, c.origin_ms + 1000), c.origin_ms + 1000 * factors[f]);
		assert_int_equal(clock_to_domain_ms(&c, c.origin_ms - 10), c.origin_ms - 10 * factors[f]);
		assert_true(clock_to_domain_ms(&c, TIME_NONE) == TIME_NONE);
		assert_true(clock_to_real_ms(&c, TIME_NONE) == TIME_NONE);
		for (int i = 0; i < 2000; i++) {
			int64_t domain = c.origin_ms + (int64_t)(rand_next(&seed) % 200001) - 100000;
			int64_t real = clock_to_real_ms(&c, domain);

			/* The first real ms at which that domain time has come. */
			assert_true(clock_to_domain_ms(&c, real) >= domain);
			assert_true(clock_to_domain_ms(&c, real - 1) < domain);
			assert_int_equal(clock_to_real_ms(&c, clock_to_domain_ms(&c, real)), real);
		}
	}
	struct clock c = { clock_wall_ms(), 60 };
	int64_t ahead = clock_real_until_ms(&c, c.origin_ms + HOUR_MS);
	assert_true(ahead <= MINUTE_MS && ahead > MINUTE_MS - 10000);
	assert_int_equal(clock_real_until_ms(&c, c.origin_ms - HOUR_MS), 0);
	assert_true(llabs(clock_now_ms(&CLOCK_REAL) - clock_wall_ms()) < 5000);
	int64_t before = clock_mono_us();
	assert_true(clock_mono_us() >= before && llabs(clock_mono_ms() - before / 1000) < 5000);
}

static void slots(void **state)
{
	(void)state;
	assert_int_equal(time_slot_floor(SLOT_MS + 1, SLOT_MS), SLOT_MS);
	assert_int_equal(time_slot_floor(SLOT_MS, SLOT_MS), SLOT_MS);
	assert_int_equal(time_slot_floor(-1, SLOT_MS), -SLOT_MS);
	assert_int_equal(time_slot_floor(-SLOT_MS, SLOT_MS), -SLOT_MS);
	assert_int_equal(time_slot_ceil(1, SLOT_MS), SLOT_MS);
	assert_int_equal(time_slot_ceil(0, SLOT_MS), 0);
	assert_int_equal(time_slot_ceil(-1, SLOT_MS), 0);
	assert_int_equal(time_slot_ceil(-SLOT_MS, SLOT_MS), -SLOT_MS);
}

static void decimals(void **state)
{
	static const struct {
		const char *text;
		int scale;
		int64_t value;
		const char *again;
	} good[] = {
		{ "-12.5", 3, -12500, "-12.5" },
		{ "3", 3, 3000, "3" },
		{ "0.001", 3, 1, "0.001" },
		{ "-0.001", 3, -1, "-0.001" },
		{ "1.500000", 3, 1500, "1.5" },
		{ "0", 6, 0, "0" },
		{ "-0", 6, 0, "0" },
		{ "007", 0, 7, "7" },
		{ "9223372036854775807", 0, INT64_MAX, "9223372036854775807" },
		{ "-9223372036854775808", 0, INT64_MIN, "-9223372036854775808" },
		{ "-9223372036854.775808", 6, INT64_MIN, "-9223372036854.775808" },
		{ "9223372.036854775807", 12, INT64_MAX, "9223372.036854775807" },
	};
	static const struct {
		const char *text;
		int scale;
	} bad[] = { { "", 3 },
		    { "-", 3 },
		    { ".5", 3 },
		    { "1.", 3 },
		    { "1.2345", 3 },
		    { "1e3", 3 },
		    { " 1", 3 },
		    { "1 ", 3 },
		    { "+1", 3 },
		    { "1.2.3", 3 },
		    { "0x1", 3 },
		    { "1,5", 3 },
		    { "9223372036854775808", 0 },
		    { "-9223372036854775809", 0 },
		    { "9223372036854775807", 3 },
		    { "-.5", 3 },
		    { ".", 3 },
		    { "--1", 3 },
		    { "1.5", 0 } };
	char text[DECIMAL_TEXT];
	int64_t v = 7;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (decimal_parse(str_from(bad[i].text), bad[i].scale, &v))
			fail_msg("accepted %s", bad[i].text);
	assert_false(decimal_parse(STR_NULL, 3, &v));
	assert_int_equal(v, 7);
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		if (!decimal_parse(str_from(good[i].text), good[i].scale, &v))
			fail_msg("refused %s", good[i].text);
		assert_true(v == good[i].value);
		assert_string_equal(decimal_format(v, good[i].scale, text), good[i].again);
	}
	assert_string_equal(decimal_format_fixed(-12500, 3, 2, text), "-12.50");
	assert_string_equal(decimal_format_fixed(12345, 3, 2, text), "12.35");
	assert_string_equal(decimal_format_fixed(-12345, 3, 2, text), "-12.35");
	assert_string_equal(decimal_format_fixed(12344, 3, 2, text), "12.34");
	assert_string_equal(decimal_format_fixed(999, 3, 0, text), "1");
	assert_string_equal(decimal_format_fixed(-4, 3, 2, text), "0.00");
	assert_string_equal(decimal_format_fixed(INT64_MIN, 6, 3, text), "-9223372036854.776");
	assert_string_equal(decimal_format_fixed(INT64_MAX, 0, 0, text), "9223372036854775807");
}

static void decimal_arithmetic(void **state)
{
	(void)state;
	assert_int_equal(decimal_from_double(12.5, 3), 12500);
	assert_int_equal(decimal_from_double(0.0005, 3), 1);
	assert_int_equal(decimal_from_double(-0.0005, 3), -1);
	assert_int_equal(decimal_from_double((double)NAN, 3), 0);
	assert_true(decimal_from_double(1e300, 3) == INT64_MAX);
	assert_true(decimal_from_double(-(double)INFINITY, 3) == INT64_MIN);
	assert_true(decimal_from_double(9223372036854775807.0, 0) == INT64_MAX);
	assert_int_equal(i64_mul_div(7, 1, 2), 4);
	assert_int_equal(i64_mul_div(-7, 1, 2), -4);
	assert_int_equal(i64_mul_div(7, 1, -2), -4);
	assert_int_equal(i64_mul_div(-7, 1, -2), 4);
	assert_int_equal(i64_mul_div(1, 1, 3), 0);
	assert_int_equal(i64_mul_div(2, 1, 3), 1);
	assert_true(i64_mul_div(INT64_MAX, INT64_MAX, INT64_MAX) == INT64_MAX);
	assert_true(i64_mul_div(INT64_MIN, INT64_MIN, INT64_MIN) == INT64_MIN);
	assert_true(i64_mul_div(INT64_MIN, INT64_MIN, 1) == INT64_MAX);
	assert_true(i64_mul_div(INT64_MIN, 1, -1) == INT64_MAX);
	assert_true(i64_mul_div(INT64_MAX, INT64_MIN, 1) == INT64_MIN);
}

static void random_numbers(void **state)
{
	uint64_t a = 1234567, b = 1234567;
	double sum = 0, squares = 0, mean = 0;
	int histogram[10] = { 0 };

	(void)state;
	/* The first three of SplitMix64 with this seed, as published with the algorithm. */
	assert_true(rand_next(&a) == UINT64_C(6457827717110365317));
	assert_true(rand_next(&a) == UINT64_C(3203168211198807973));
	assert_true(rand_next(&a) == UINT64_C(9817491932198370423));
	for (int i = 0; i < 100000; i++) {
		double u = rand_unit(&b), z;

		assert_true(u >= 0 && u < 1);
		mean += u / 100000;
		z = rand_normal(&b);
		assert_true(isfinite(z));
		sum += z;
		squares += z * z;
	}
	assert_true(fabs(mean - 0.5) < 0.01);
	assert_true(fabs(sum / 100000) < 0.02);
	assert_true(fabs(squares / 100000 - 1) < 0.03);
	for (int i = 0; i < 2000; i++) {
		int64_t v = rand_below(10);

		assert_true(v >= 0 && v < 10);
		histogram[v]++;
	}
	for (int i = 0; i < 10; i++)
		assert_true(histogram[i] > 100);
	assert_int_equal(rand_below(1), 0);
	assert_true(rand_u64() != rand_u64());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(str_compare_and_trim),
		cmocka_unit_test(str_split_visits_every_part),
		cmocka_unit_test(str_numbers),
		cmocka_unit_test(utf8_agrees_with_the_slow_way),
		cmocka_unit_test(str_names_and_copies),
		cmocka_unit_test(buf_refuses_past_its_maximum),
		cmocka_unit_test(buf_contents),
		cmocka_unit_test(buf_reads_files),
		cmocka_unit_test(arena_memory_is_zeroed_aligned_and_apart),
		cmocka_unit_test(vec_is_bounded),
		cmocka_unit_test(map_agrees_with_an_array),
		cmocka_unit_test(map_keys_are_copied_binary_and_bounded),
		cmocka_unit_test(errors),
		cmocka_unit_test(times_that_parse),
		cmocka_unit_test(times_that_are_written),
		cmocka_unit_test(civil_dates),
		cmocka_unit_test(affine_clock),
		cmocka_unit_test(slots),
		cmocka_unit_test(decimals),
		cmocka_unit_test(decimal_arithmetic),
		cmocka_unit_test(random_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
