/* SPDX-License-Identifier: Apache-2.0 */
/* The extender's JSON scanner: it accepts what pkg/json accepts, refuses what that refuses, and reads the same text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/rand.h"
#include "extender/cursor.h"
#include "json/json.h"

/* A copy without anything behind it, so that ASan sees a read past the end. */
static bool skips(struct str text)
{
	char *exact = xmalloc(MAX(text.len, 1));
	struct cursor c = cursor_init(str_of(exact, text.len));
	bool ok;

	memcpy(exact, text.ptr, text.len);
	cursor_skip(&c);
	ok = cursor_end(&c) == 0;
	free(exact);
	return ok;
}

static bool parses(struct str text)
{
	_cleanup_(json_cleanup) struct json *j = NULL;
	struct error err = ERROR_INIT;

	return json_parse(text, &j, &err) == 0;
}

static const char *const good[] = {
	"0",
	"-0.5e+10",
	"1E5",
	"true",
	" null ",
	"\"\"",
	"\"plain\"",
	"\"a\\\"b\\\\c\\/d\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"",
	"\"\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80\"",
	"[]",
	"{}",
	"[[[[]]],{}]",
	"{\"a\":1,\"b\":[1,2,{\"c\":null}],\"d\":{\"e\":{}}}",
	"\t[ 1 ,\r\n 2 ]\n",
	"\"a long string without anything special, several times eight bytes long\"",
};

static const char *const bad[] = {
	"",
	" ",
	"{",
	"[",
	"}",
	"]",
	"\"",
	"\"\\\"",
	"[1,]",
	"[,1]",
	"[1 2]",
	"{,}",
	"{\"a\"}",
	"{\"a\":}",
	"{1:2}",
	"{\"a\":1,}",
	"{a:1}",
	"nul",
	"truefalse",
	"01",
	"-",
	"1.",
	".5",
	"1e",
	"1e+",
	"+1",
	"0x1",
	"NaN",
	"'a'",
	"[1}",
	"{\"a\":1]",
	"1 2",
	"\"\\x\"",
	"\"\\u12g4\"",
	"\"\\u123",
	"\"a\nb\"",
	"\"a\x01\"",
	"\"\xFF\"",
	"\"\xC3\"",
	"\"\xC0\x80\"",
	"\"\xED\xA0\x80\"",
	"[\"a\",]",
	"{\"a\":1 \"b\":2}",
	"//",
	"[1]x",
	"\"12345678\x1F\"",
	"\"1234567\xFF\"",
};

static void agrees_with_the_tree_parser(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (!skips(str_from(good[i])) || !parses(str_from(good[i])))
			fail_msg("refused: %s", good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (skips(str_from(bad[i])) || parses(str_from(bad[i])))
			fail_msg("accepted: %s", bad[i]);
}

static void refuses_every_text_that_is_cut_off(void **state)
{
	const char *text = "{\"Pod\":{\"metadata\":{\"annotations\":{\"a\":\"\\u00e9\\n\",\"b\":\"0123456789abcdef\"}},"
			   "\"n\":[-1.5e3,true,false,null,\"\xE2\x82\xAC\"]}}";

	(void)state;
	assert_true(skips(str_from(text)));
	for (size_t n = 0; n < strlen(text); n++)
		if (skips(str_of(text, n)))
			fail_msg("accepted the first %zu bytes", n);
}

/* One byte changed anywhere: whatever comes out, both parsers must think the same of it. */
static void agrees_on_damaged_texts(void **state)
{
	static const char chars[] = "{}[]\",:\\ \n0123-.eEutfn/\x01\x7F\xC3\xA9\xFF";
	const char *text = "{\"a\":[1,2.5e-3,\"x\\u0041\\n\"],\"bcdefghijk\":{\"c\":null,\"d\":[true,false,{}]}}";
	_cleanup_free_ char *copy = xstrdup(text);
	uint64_t seed = 1;

	(void)state;
	for (size_t at = 0; at < strlen(text); at++) {
		for (int k = 0; k < 64; k++) {
			struct str damaged = str_of(copy, strlen(text));

			copy[at] = k < 48 ? chars[k % (sizeof(chars) - 1)] : (char)rand_next(&seed);
			if (skips(damaged) != parses(damaged))
				fail_msg("parsers disagree on: %.*s", STR_FMT(damaged));
		}
		copy[at] = text[at];
	}
}

static void bounds_the_nesting(void **state)
{
	struct buf b = BUF_INIT(4096);

	(void)state;
	for (int i = 0; i < CURSOR_MAX_DEPTH; i++)
		buf_adds(&b, i % 2 ? "[" : "{\"k\":");
	buf_adds(&b, "1");
	for (int i = CURSOR_MAX_DEPTH; i-- > 0;)
		buf_adds(&b, i % 2 ? "]" : "}");
	assert_true(skips(buf_str(&b)));
	buf_reset(&b);
	for (int i = 0; i < CURSOR_MAX_DEPTH + 1; i++)
		buf_adds(&b, "[");
	for (int i = 0; i < CURSOR_MAX_DEPTH + 1; i++)
		buf_adds(&b, "]");
	assert_false(skips(buf_str(&b)));
	buf_release(&b);
}

static void walks_objects_and_arrays(void **state)
{
	struct cursor c = cursor_init(STR(" { \"a\" : [ \"x\" , \"y\" ] , \"b\" : null, \"c\":{} }"));
	struct cursor_text t;

	(void)state;
	cursor_object(&c, "no object");
	assert_true(cursor_key(&c, &t));
	assert_true(str_is(t.raw, "a"));
	cursor_array(&c, "no array");
	assert_true(cursor_element(&c));
	cursor_string(&c, &t, "no string");
	assert_true(str_is(t.raw, "x"));
	assert_true(cursor_element(&c));
	cursor_string(&c, &t, "no string");
	assert_false(cursor_element(&c));
	assert_true(cursor_key(&c, &t));
	assert_true(cursor_null(&c));
	assert_true(cursor_key(&c, &t));
	assert_false(cursor_null(&c));
	cursor_object(&c, "no object");
	assert_false(cursor_key(&c, &t));
	assert_false(cursor_key(&c, &t));
	assert_int_equal(cursor_end(&c), 0);
}

static void keeps_the_first_problem(void **state)
{
	struct cursor c = cursor_init(STR("[1]"));
	struct cursor_text t;

	(void)state;
	cursor_object(&c, "must be an object");
	assert_false(cursor_key(&c, &t));
	cursor_string(&c, &t, "must be a string");
	cursor_skip(&c);
	assert_false(cursor_element(&c));
	assert_int_equal(cursor_end(&c), -1);
	assert_string_equal(c.problem, "must be an object");
	assert_ptr_equal(c.p, c.start);
}

/* Strings of every length, with something special at every place: the eight-byte steps lose nothing. */
static void finds_the_end_of_strings_of_any_length(void **state)
{
	static const char *const specials[] = { "", "\\\"", "\xC3\xA9", "\\u0041", "\x7F" };
	char text[128];

	(void)state;
	for (size_t len = 0; len < 40; len++) {
		for (size_t at = 0; at <= len; at++) {
			for (size_t s = 0; s < ARRAY_LEN(specials); s++) {
				int n = snprintf(text, sizeof(text), "\"%.*s%s%.*s\",\"", (int)at,
						 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnop", specials[s],
						 (int)(len - at), "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOP");
				struct cursor c = cursor_init(str_of(text, (size_t)n));
				struct cursor_text t;

				cursor_string(&c, &t, "no string");
				assert_null(c.problem);
				assert_int_equal(t.raw.len, n - 4);
				assert_int_equal(t.escaped, specials[s][0] == '\\');
			}
		}
	}
}

static void decodes_escapes(void **state)
{
	static const struct {
		const char *raw, *meaning;
	} cases[] = {
		{ "a\\/b", "a/b" },
		{ "\\\"\\\\\\b\\f\\n\\r\\t", "\"\\\b\f\n\r\t" },
		{ "\\u0041\\u00e9\\u20AC", "A\xC3\xA9\xE2\x82\xAC" },
		{ "\\ud83d\\ude00", "\xF0\x9F\x98\x80" },
		{ "\\ud83d", "\xEF\xBF\xBD" },
		{ "\\ude00x", "\xEF\xBF\xBDx" },
		{ "\\ud83d\\u0041", "\xEF\xBF\xBD"
				    "A" },
	};
	char buf[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str s = cursor_decode((struct cursor_text){ str_from(cases[i].raw), true }, buf, sizeof(buf));

		if (!str_is(s, cases[i].meaning))
			fail_msg("%s gives %.*s", cases[i].raw, STR_FMT(s));
	}
	assert_null(cursor_decode((struct cursor_text){ STR("\\u20ac"), true }, buf, 2).ptr);
	assert_true(str_is(cursor_decode((struct cursor_text){ STR("\\u20ac"), true }, buf, 3), "\xE2\x82\xAC"));
	assert_true(str_is(cursor_decode((struct cursor_text){ STR("longer than the buffer"), false }, buf, 2),
			   "longer than the buffer"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_tree_parser),
		cmocka_unit_test(refuses_every_text_that_is_cut_off),
		cmocka_unit_test(agrees_on_damaged_texts),
		cmocka_unit_test(bounds_the_nesting),
		cmocka_unit_test(walks_objects_and_arrays),
		cmocka_unit_test(keeps_the_first_problem),
		cmocka_unit_test(finds_the_end_of_strings_of_any_length),
		cmocka_unit_test(decodes_escapes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
