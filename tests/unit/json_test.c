/* SPDX-License-Identifier: Apache-2.0 */
/* pkg/json: what is accepted, what is refused and where, the readers, and raw spans. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "json/json.h"
#include "json/writer.h"

#define KUBERNETES_LIKE                                                                                  \
	"{\"kind\":\"List\",\"items\":[{\"metadata\":{\"name\":\"a\\/b\",\"labels\":{\"x.y/z\":\"1\"}}," \
	"\"spec\":{\"template\":{\"spec\":{\"big\":12345678901234567890,\"f\":1.50}}}}],"                \
	"\"spec\" : { \"template\" :  {\"b\":[1, 2 ,{\"c\":\"}\"}]} , \"n\": null }}"

static struct json *parse(struct str text)
{
	struct error err = ERROR_INIT;
	struct json *j = NULL;

	if (json_parse(text, &j, &err))
		fail_msg("%.*s: %s", STR_FMT(text), err.msg);
	return j;
}

static void refused(struct str text, const char *message)
{
	struct error err = ERROR_INIT;
	struct json *j = NULL;

	if (json_parse(text, &j, &err) == 0)
		fail_msg("accepted: %.*s", STR_FMT(text));
	assert_null(j);
	assert_int_equal(err.code, ERR_INVALID);
	assert_string_equal(err.msg, message);
}

static void accepts_what_rfc_8259_accepts(void **state)
{
	static const char *const good[] = {
		"0",
		"-0",
		"1.5e-3",
		"1E+2",
		"\"\"",
		"\"\\u00e9\\ud83d\\ude00\"",
		"[]",
		"{}",
		" [ 1 , {\"\":null} ]\n",
		"true",
		"false",
		"null",
		"\"\x7f\"",
		"[[],[[]],{}]",
		"\xEF\xBB\xBF{}",
		"\"\\/\\b\\f\\n\\r\\t\"",
		"1e999",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		json_free(parse(str_from(good[i])));
}

static void refuses_the_rest_and_says_where(void **state)
{
	static const struct {
		const char *text;
		const char *message;
	} bad[] = {
		{ "", "not JSON at byte 0: value missing" },
		{ "  ", "not JSON at byte 2: value missing" },
		{ "{\"a\":1} x", "not JSON at byte 8: more text behind the value" },
		{ "{\"a\":1,}", "not JSON at byte 7: string missing" },
		{ "[1,]", "not JSON at byte 3: value missing" },
		{ "[1 2]", "not JSON at byte 3: ',' or ']' missing" },
		{ "{\"a\" 1}", "not JSON at byte 5: ':' missing" },
		{ "{a:1}", "not JSON at byte 1: string missing" },
		{ "[1}", "not JSON at byte 2: ',' or ']' missing" },
		{ "{\"a\":1]", "not JSON at byte 6: ',' or '}' missing" },
		{ "01", "not JSON at byte 1: more text behind the value" },
		{ "-", "not JSON at byte 1: digit missing" },
		{ "1.", "not JSON at byte 2: digit missing" },
		{ ".5", "not JSON at byte 0: value missing" },
		{ "1e", "not JSON at byte 2: digit missing" },
		{ "+1", "not JSON at byte 0: value missing" },
		{ "NaN", "not JSON at byte 0: value missing" },
		{ "nul", "not JSON at byte 0: unknown word" },
		{ "tru e", "not JSON at byte 0: unknown word" },
		{ "\"a", "not JSON at byte 2: string without end" },
		{ "\"a\\\"", "not JSON at byte 4: string without end" },
		{ "\"\\x\"", "not JSON at byte 1: bad escape" },
		{ "\"\\u12g4\"", "not JSON at byte 1: bad escape" },
		{ "\"\\ud800\"", "not JSON at byte 1: bad escape" },
		{ "\"\\udc00\"", "not JSON at byte 1: bad escape" },
		{ "\"\\ud800\\u0041\"", "not JSON at byte 1: bad escape" },
		{ "\"\n\"", "not JSON at byte 1: control character in a string" },
		{ "\"\xff\"", "not JSON at byte 1: not UTF-8" },
		{ "\"\xc0\x80\"", "not JSON at byte 1: not UTF-8" },
		{ "\"\xed\xa0\x80\"", "not JSON at byte 1: not UTF-8" },
		{ "\"\xe2\x82", "not JSON at byte 1: not UTF-8" },
		{ "[\v1]", "not JSON at byte 1: value missing" },
		{ "1234567890123456789012345678901234567890123456789012345678901234",
		  "not JSON at byte 64: number of more than 63 characters" },
		{ "{\"a\":", "not JSON at byte 5: value missing" },
		{ "[", "not JSON at byte 1: value missing" },
		{ "{", "not JSON at byte 1: string missing" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		refused(str_from(bad[i].text), bad[i].message);
	refused(STR("{}\0"), "not JSON at byte 2: more text behind the value");
	refused(STR("\"a\0b\""), "not JSON at byte 2: control character in a string");
	refused(STR_NULL, "not JSON at byte 0: value missing");
}

static void too_deep_is_read_as_null(void **state)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT(100000);
	_cleanup_(json_cleanup) struct json *j = NULL;
	_cleanup_(json_cleanup) struct json *deep = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	for (int i = 0; i < 20000; i++)
		buf_adds(&text, "[");
	assert_int_equal(json_parse(buf_str(&text), &j, &err), -1);
	assert_string_equal(err.msg, "not JSON at byte 10001: nested too deep");
	buf_reset(&text);
	buf_adds(&text, "{\"a\":");
	for (int i = 0; i < 500; i++)
		buf_adds(&text, i % 2 ? "{\"]\\\"\":" : "[\"}\", 1, {}, ");
	buf_adds(&text, "2");
	for (int i = 499; i >= 0; i--)
		buf_adds(&text, i % 2 ? "}" : "]");
	buf_adds(&text, ",\"b\":7}");
	assert_int_equal(json_parse(buf_str(&text), &deep, &err), 0);
	int64_t b = 0;
	assert_true(json_i64(json_get(deep, "b"), &b) && b == 7);
	const struct json *at = json_get(deep, "a");
	int depth = 1;
	for (; json_is_array(at) || json_is_object(at); depth++) {
		const struct json *last = NULL;

		json_each (child, at)
			last = child;
		at = last;
	}
	assert_int_equal(depth, JSON_MAX_DEPTH);
	assert_true(json_is_null(at));
}

static void readers_tell_absent_from_present(void **state)
{
	_cleanup_(json_cleanup) struct json *j = parse(
		STR("{\"s\":\"x\",\"i\":-9007199254740992,\"big\":9007199254740994,\"f\":2.5,\"b\":false,"
		    "\"n\":null,\"a\":[1,2,3],\"o\":{\"in\":{\"deep\":7}},\"t\":\"2023-02-09T07:00Z\",\"huge\":1e999,"
		    "\"S\":\"upper\",\"s\":\"second\",\"\":{\"\":\"empty keys\"}}"));
	int64_t i = 42;
	double d = 42;
	bool b = true;

	(void)state;
	assert_string_equal(json_string(json_get(j, "s")), "x");
	assert_string_equal(json_string(json_get(j, "S")), "upper");
	assert_null(json_string(json_get(j, "i")));
	assert_true(json_i64(json_get(j, "i"), &i));
	assert_true(i == -9007199254740992);
	i = 42;
	assert_false(json_i64(json_get(j, "big"), &i));
	assert_false(json_i64(json_get(j, "f"), &i));
	assert_false(json_i64(json_get(j, "s"), &i));
	assert_false(json_i64(json_get(j, "huge"), &i));
	assert_false(json_i64(NULL, &i));
	assert_int_equal(i, 42);
	assert_true(json_double(json_get(j, "f"), &d) && d == 2.5);
	assert_false(json_double(json_get(j, "huge"), &d));
	assert_true(json_bool(json_get(j, "b"), &b));
	assert_false(b);
	assert_false(json_bool(json_get(j, "n"), &b));
	assert_false(json_bool(NULL, &b));
	assert_true(json_is_null(json_get(j, "n")));
	assert_false(json_is_null(json_get(j, "no")));
	assert_true(json_i64(json_at(j, "o.in.deep"), &i) && i == 7);
	assert_null(json_at(j, "o.in.deep.er"));
	assert_null(json_at(j, "o.no.deep"));
	assert_string_equal(json_string(json_at(j, ".")), "empty keys");
	assert_true(json_time(json_get(j, "t"), &i) && i == INT64_C(1675926000000));
	assert_false(json_time(json_get(j, "s"), &i));
	assert_int_equal(json_len(json_get(j, "a")), 3);
	assert_int_equal(json_len(json_get(j, "s")), 0);
	assert_int_equal(json_len(NULL), 0);
	int64_t sum = 0;
	json_each (item, json_get(j, "a")) {
		assert_true(json_i64(item, &i));
		assert_null(json_key(item));
		sum += i;
	}
	assert_int_equal(sum, 6);
	assert_string_equal(json_key(json_first(j)), "s");
	assert_null(json_get(json_get(j, "a"), "x"));
	assert_string_equal(json_kind(json_get(j, "b")), "true/false");
	assert_string_equal(json_kind(json_get(j, "no")), "absent");
	assert_string_equal(json_kind(json_get(j, "a")), "array");
	json_free(NULL);
}

static void nul_escape_hides_nothing(void **state)
{
	struct str text = STR("{\"a\\u0000b\":\"x\\u0000y\",\"back\\\\u0000\":\"\\\\u0000\"}");
	_cleanup_(json_cleanup) struct json *j = parse(text);
	struct error err = ERROR_INIT;
	struct str raw;

	(void)state;
	assert_string_equal(json_string(json_get(j, "a\xEF\xBF\xBD"
						    "b")),
			    "x\xEF\xBF\xBDy");
	assert_null(json_get(j, "a"));
	assert_string_equal(json_string(json_get(j, "back\\u0000")), "\\u0000");
	assert_int_equal(json_raw_at(text,
				     "a\xEF\xBF\xBD"
				     "b",
				     &raw, &err),
			 0);
	assert_true(str_is(raw, "\"x\\u0000y\""));
}

static struct str raw_at(struct str text, const char *path)
{
	struct error err = ERROR_INIT;
	struct str raw = STR_NULL;

	if (json_raw_at(text, path, &raw, &err))
		fail_msg("%s: %s", path, err.msg);
	return raw;
}

static void raw_spans_are_what_came_in(void **state)
{
	struct str text = STR(KUBERNETES_LIKE);

	(void)state;
	assert_true(str_is(raw_at(text, "kind"), "\"List\""));
	assert_true(str_is(raw_at(text, "spec.template"), "{\"b\":[1, 2 ,{\"c\":\"}\"}]}"));
	assert_true(str_is(raw_at(text, "spec.n"), "null"));
	assert_true(str_eq(raw_at(text, NULL), text));
	assert_true(str_is(raw_at(STR(" 12 "), NULL), "12"));
	assert_true(str_is(raw_at(STR("{\"a\":1,\"a\":2}"), "a"), "1"));
	assert_true(str_is(raw_at(STR("{\"\\u0061\\ud83d\\ude00\\u00e9\":1}"), "a\xF0\x9F\x98\x80\xC3\xA9"), "1"));
	assert_true(str_is(raw_at(STR("{\"\":{\"\":3}}"), "."), "3"));
}

static void raw_errors(void **state)
{
	static const struct {
		const char *text;
		const char *path;
		enum error_code code;
	} cases[] = {
		{ "{}", "a", ERR_NOT_FOUND },
		{ "{\"a\":1}", "b", ERR_NOT_FOUND },
		{ "{\"a\":1}", "a.b", ERR_NOT_FOUND },
		{ "[{\"a\":1}]", "a", ERR_NOT_FOUND },
		{ "{\"ab\":1}", "a", ERR_NOT_FOUND },
		{ "{\"\\u0061\":1}", "ab", ERR_NOT_FOUND },
		{ "{\"a\":1", "b", ERR_INVALID },
		{ "{\"b\":[1}", "b", ERR_INVALID },
		{ "{\"a\":01,\"b\":1}", "b", ERR_INVALID },
		{ "{\"a\":1,", "b", ERR_INVALID },
		{ "", "a", ERR_INVALID },
		{ "{\"a\"", "a", ERR_INVALID },
		{ "{\"a\":", "a", ERR_INVALID },
		{ "{\"a\":\"\xff\"}", "a", ERR_INVALID },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct error err = ERROR_INIT;
		struct str raw = STR("untouched");

		assert_int_equal(json_raw_at(str_from(cases[i].text), cases[i].path, &raw, &err), -1);
		if (err.code != cases[i].code)
			fail_msg("%s at %s: %s", cases[i].text, cases[i].path, err.msg);
		assert_true(str_is(raw, "untouched"));
	}
}

static void every_cut_of_a_text_is_refused(void **state)
{
	struct str text = STR(KUBERNETES_LIKE);

	(void)state;
	json_free(parse(text));
	for (size_t n = 0; n < text.len; n++) {
		/* Exactly as long as the cut, so that a read behind it is an ASan error. */
		_cleanup_free_ char *cut = xstrndup(text.ptr, n);
		_cleanup_free_ char *exact = xmalloc(n + 1);
		struct error err = ERROR_INIT;
		struct json *j = NULL;

		memcpy(exact + 1, cut, n);
		assert_int_equal(json_parse(str_of(exact + 1, n), &j, &err), -1);
		assert_null(j);
	}
}

static void assert_without(const char *text, const char *expected_kept, bool expect_null)
{
	struct error err = ERROR_INIT;
	struct json *j = NULL;

	if (json_parse_without(str_from(text), "managedFields", &j, &err))
		fail_msg("%s: %s", text, err.msg);
	if (expect_null)
		assert_true(json_is_null(json_at(j, "metadata.managedFields")));
	assert_string_equal(json_string(json_at(j, "metadata.name")), expected_kept);
	json_free(j);
}

static void leaves_out_what_nobody_wants(void **state)
{
	struct error err = ERROR_INIT;
	struct json *j = NULL;

	(void)state;
	assert_without("{\"metadata\":{\"managedFields\":[{\"a\":{\"f:b\":{}}},2],\"name\":\"n\"}}", "n", true);
	assert_without("{\"metadata\":{\"name\":\"n\",\"managedFields\" : \"x\" }}", "n", true);
	assert_without("{\"metadata\":{\"managedFields\":1,\"name\":\"n\"}}", "n", true);
	/* One within another, several, and as a string or an element, which are no members. */
	assert_without("{\"metadata\":{\"managedFields\":{\"managedFields\":{}},\"name\":\"n\"}}", "n", true);
	assert_without("{\"managedFields\":{},\"metadata\":{\"managedFields\":[],\"name\":\"managedFields\"},"
		       "\"z\":[\"managedFields\",{\"managedFields\":[[]]}]}",
		       "managedFields", true);
	/* More than a few stay, and nothing else is lost. */
	assert_without("{\"a\":[{\"managedFields\":1},{\"managedFields\":1},{\"managedFields\":1},"
		       "{\"managedFields\":1}],\"metadata\":{\"managedFields\":{\"x\":1},\"name\":\"n\"}}",
		       "n", false);
	/* It is checked all the same, and what is deep or holds a NUL does not get in its way. */
	assert_int_equal(json_parse_without(STR("{\"managedFields\":[01]}"), "managedFields", &j, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	_cleanup_(buf_release) struct buf b = BUF_INIT(4096);
	buf_adds(&b, "{\"metadata\":{\"managedFields\":");
	for (int i = 0; i < 2 * JSON_MAX_DEPTH; i++)
		buf_addc(&b, '[');
	for (int i = 0; i < 2 * JSON_MAX_DEPTH; i++)
		buf_addc(&b, ']');
	buf_adds(&b, ",\"name\":\"n\\u0000\"}}");
	assert_without(buf_cstr(&b), "n\xEF\xBF\xBD", true);
}

/* Every byte at every place of a text that is looked at eight bytes at a time. */
static void every_byte_at_every_place(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		for (size_t at = 0; at < 17; at++) {
			char text[18] = "aaaaaaaaaaaaaaaaa";
			_cleanup_(buf_release) struct buf quoted = BUF_INIT(128), in = BUF_INIT(128);
			bool plain = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
			struct error err = ERROR_INIT;
			struct json *j = NULL;

			text[at] = (char)c;
			buf_addc(&in, '"');
			buf_add(&in, text, 17);
			buf_addc(&in, '"');
			assert_int_equal(json_parse(buf_str(&in), &j, &err) == 0, plain);
			if (plain)
				assert_memory_equal(json_string(j), text, 17);
			json_free(j);
			json_quote(&quoted, str_of(text, 17));
			assert_int_equal(quoted.len == 19, plain);
			if (plain)
				assert_string_equal(buf_cstr(&quoted), buf_cstr(&in));
			j = NULL;
			assert_int_equal(json_parse(buf_str(&quoted), &j, &err), 0);
			if (c < 0x80 && c > 0)
				assert_memory_equal(json_string(j), text, 17);
			json_free(j);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leaves_out_what_nobody_wants),
		cmocka_unit_test(every_byte_at_every_place),
		cmocka_unit_test(accepts_what_rfc_8259_accepts),
		cmocka_unit_test(refuses_the_rest_and_says_where),
		cmocka_unit_test(too_deep_is_read_as_null),
		cmocka_unit_test(readers_tell_absent_from_present),
		cmocka_unit_test(nul_escape_hides_nothing),
		cmocka_unit_test(raw_spans_are_what_came_in),
		cmocka_unit_test(raw_errors),
		cmocka_unit_test(every_cut_of_a_text_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
