/* SPDX-License-Identifier: Apache-2.0 */
/* crypto/hash.h against the vectors of FIPS 180-2 and RFC 4648, and what base64 must refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "crypto/hash.h"

static void sha256_vectors(void **state)
{
	char hex[SHA256_HEX];

	(void)state;
	assert_string_equal(sha256_hex(STR("abc"), hex),
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_string_equal(sha256_hex(STR(""), hex),
			    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_string_equal(sha256_hex(STR_NULL, hex),
			    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	_cleanup_free_ char *million = xmalloc(1000000);
	memset(million, 'a', 1000000);
	assert_string_equal(sha256_hex(str_of(million, 1000000), hex),
			    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void base64_vectors(void **state)
{
	static const char *const pairs[][2] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
		{ "\xfb\xff\xbf", "+/+/" },
	};
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		_cleanup_(buf_release) struct buf text = BUF_INIT(100), data = BUF_INIT(100);

		base64_encode(str_from(pairs[i][0]), &text);
		assert_string_equal(buf_cstr(&text), pairs[i][1]);
		assert_int_equal(base64_decode(buf_str(&text), &data, &err), 0);
		assert_string_equal(buf_cstr(&data), pairs[i][0]);
	}
	_cleanup_(buf_release) struct buf data = BUF_INIT(100);
	buf_adds(&data, "> ");
	assert_int_equal(base64_decode(STR(" Zm9v\r\n\tYm Fy\n"), &data, &err), 0);
	assert_string_equal(buf_cstr(&data), "> foobar");
}

static void base64_refuses(void **state)
{
	static const struct {
		const char *text;
		const char *message;
	} bad[] = {
		{ "Zg", "not base64 at byte 2: padding missing" },
		{ "Z", "not base64 at byte 1: padding missing" },
		{ "Zg=", "not base64 at byte 3: padding missing" },
		{ "Zg===", "not base64 at byte 4: not a base64 digit" },
		{ "=", "not base64 at byte 0: not a base64 digit" },
		{ "Zm9v=", "not base64 at byte 4: not a base64 digit" },
		{ "Zg==Zg==", "not base64 at byte 4: text behind the padding" },
		{ "Zg=a", "not base64 at byte 3: text behind the padding" },
		{ "Zm9-", "not base64 at byte 3: not a base64 digit" },
		{ "Zm9\xff", "not base64 at byte 3: not a base64 digit" },
		{ "Zh==", "not base64 at byte 4: last digit holds stray bits" },
		{ "Zm9=", "not base64 at byte 4: last digit holds stray bits" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		_cleanup_(buf_release) struct buf data = BUF_INIT(100);
		struct error err = ERROR_INIT;

		buf_adds(&data, "kept");
		assert_int_equal(base64_decode(str_from(bad[i].text), &data, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
		assert_string_equal(err.msg, bad[i].message);
		assert_string_equal(buf_cstr(&data), "kept");
	}
	_cleanup_(buf_release) struct buf small = BUF_INIT(5);
	struct error err = ERROR_INIT;
	assert_int_equal(base64_decode(STR("Zm9vYmFy"), &small, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
}

static void every_length_and_byte_goes_both_ways(void **state)
{
	char bytes[256];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 167);
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		_cleanup_(buf_release) struct buf text = BUF_INIT(1000), data = BUF_INIT(256);
		struct error err = ERROR_INIT;

		base64_encode(str_of(bytes, n), &text);
		assert_int_equal(text.len, (n + 2) / 3 * 4);
		assert_int_equal(base64_decode(buf_str(&text), &data, &err), 0);
		assert_true(str_eq(buf_str(&data), str_of(bytes, n)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_vectors),
		cmocka_unit_test(base64_vectors),
		cmocka_unit_test(base64_refuses),
		cmocka_unit_test(every_length_and_byte_goes_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
