/* SPDX-License-Identifier: Apache-2.0 */
/* json/writer.h: punctuation, escaping, numbers, overflow; everything written is read back by json_parse(). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>

#include "base/clock.h"
#include "json/json.h"
#include "json/writer.h"

static void nesting_and_commas(void **state)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT(1000);
	struct json_writer w = json_writer(&b);

	(void)state;
	jw_object(&w, NULL);
	jw_array(&w, "a");
	jw_end_array(&w);
	jw_object(&w, "o");
	jw_end_object(&w);
	jw_array(&w, "items");
	jw_i64(&w, NULL, 1);
	jw_object(&w, NULL);
	jw_bool(&w, "x", true);
	jw_end_object(&w);
	jw_array(&w, NULL);
	jw_string(&w, NULL, "deep");
	jw_end_array(&w);
	jw_null(&w, NULL);
	jw_end_array(&w);
	jw_string_opt(&w, "gone", NULL);
	jw_string(&w, "null", NULL);
	jw_str(&w, "none", STR_NULL);
	jw_str(&w, "empty", STR(""));
	jw_time(&w, "no", TIME_NONE);
	jw_time(&w, "t", INT64_C(1675926000123));
	jw_stringf(&w, "f", "%d \"%s\"", 7, "q");
	jw_raw(&w, "raw", STR("[1, 2]"));
	jw_decimal(&w, "d", -12500, 3);
	jw_end_object(&w);
	assert_string_equal(buf_cstr(&b), "{\"a\":[],\"o\":{},\"items\":[1,{\"x\":true},[\"deep\"],null],\"null\":null,"
					  "\"none\":null,\"empty\":\"\",\"t\":\"2023-02-09T07:00:00Z\","
					  "\"f\":\"7 \\\"q\\\"\",\"raw\":[1, 2],\"d\":-12.5}");
}

static void strings_are_escaped(void **state)
{
	static const struct {
		struct str in;
		const char *out;
	} cases[] = {
		{ STR(""), "\"\"" },
		{ STR("a\"b\\c/"), "\"a\\\"b\\\\c/\"" },
		{ STR("\b\f\n\r\t\x01\x1f\x7f"), "\"\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"" },
		{ STR("a\0b"), "\"a\\u0000b\"" },
		{ STR("\xc3\xa9\xf0\x9f\x98\x80"), "\"\xc3\xa9\xf0\x9f\x98\x80\"" },
		{ STR("a\xff"
		      "b"),
		  "\"a\xEF\xBF\xBD"
		  "b\"" },
		{ STR("\xe2\x82"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"" },
		{ STR("\xed\xa0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(buf_release) struct buf b = BUF_INIT(200);

		json_quote(&b, cases[i].in);
		assert_string_equal(buf_cstr(&b), cases[i].out);
		assert_true(str_is_utf8(buf_str(&b)));
	}
}

static void every_byte_pair_reads_back(void **state)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT(64);

	(void)state;
	for (unsigned v = 0; v < 65536; v++) {
		char in[2] = { (char)(v >> 8), (char)v };
		struct error err = ERROR_INIT;
		_cleanup_(json_cleanup) struct json *j = NULL;

		buf_reset(&b);
		json_quote(&b, str_of(in, 2));
		if (json_parse(buf_str(&b), &j, &err))
			fail_msg("%04x: %s: %s", v, buf_cstr(&b), err.msg);
		if (in[0] && in[1] && str_is_utf8(str_of(in, 2)))
			assert_true(str_is(str_of(in, 2), json_string(j)));
	}
}

static void number(void (*write)(struct json_writer *w, double v, int places), double v, int places, const char *text)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT(100);
	struct json_writer w = json_writer(&b);

	write(&w, v, places);
	assert_string_equal(buf_cstr(&b), text);
}

static void put_double(struct json_writer *w, double v, int places)
{
	jw_double(w, NULL, v, places);
}

static void numbers(void **state)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT(200);
	struct json_writer w = json_writer(&b);

	(void)state;
	number(put_double, 1.5, 3, "1.5");
	number(put_double, 100, 3, "100");
	number(put_double, 100, 0, "100");
	number(put_double, 0, 5, "0");
	number(put_double, -0.0001, 2, "0");
	number(put_double, 1.0 / 3, 4, "0.3333");
	number(put_double, 0.1, 15, "0.1");
	number(put_double, -2.675, 1, "-2.7");
	number(put_double, 1e300, 6, "1.0000000000000001e+300");
	number(put_double, -1e16, 2, "-10000000000000000");
	number(put_double, (double)NAN, 2, "null");
	number(put_double, -(double)INFINITY, 2, "null");
	jw_array(&w, NULL);
	jw_i64(&w, NULL, INT64_MIN);
	jw_i64(&w, NULL, INT64_MAX);
	jw_i64(&w, NULL, 1000000000000000);
	jw_decimal(&w, NULL, INT64_MIN, 6);
	jw_end_array(&w);
	assert_string_equal(buf_cstr(&b),
			    "[-9223372036854775808,9223372036854775807,1000000000000000,-9223372036854.775808]");
}

static void overflow_is_found_at_the_end(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t max = 1; max < 60; max++) {
		_cleanup_(buf_release) struct buf b = BUF_INIT(max);
		struct json_writer w = json_writer(&b);

		jw_object(&w, NULL);
		jw_string(&w, "key", "value \xff with\nescapes");
		jw_stringf(&w, "f", "%020d", 7);
		jw_end_object(&w);
		assert_true(b.len <= max);
		bool fits = max >= strlen("{\"key\":\"value xxx with\\nescapes\",\"f\":\"00000000000000000007\"}");
		assert_int_equal(buf_check(&b, "test", &err), fits ? 0 : -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nesting_and_commas),           cmocka_unit_test(strings_are_escaped),
		cmocka_unit_test(every_byte_pair_reads_back),   cmocka_unit_test(numbers),
		cmocka_unit_test(overflow_is_found_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
