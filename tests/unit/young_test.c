/* SPDX-License-Identifier: Apache-2.0 */
/* The texts of new objects: who has one, that it is given out once, and the bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "controller/young.h"

static struct object object(const char *uid, const char *version)
{
	return (struct object){ .meta = { .uid = uid, .resource_version = version } };
}

/* What it is given, "" when nothing. */
static const char *taken(struct young *y, const char *uid, const char *version)
{
	static char text[256];
	_cleanup_(buf_release) struct buf b = BUF_INIT(YOUNG_MAX_TEXT);
	struct object o = object(uid, version);
	bool there = young_take(y, &o, &b);

	assert_int_equal(there, b.len > 0);
	(void)str_copy(text, sizeof(text), buf_str(&b));
	return text;
}

static void add(struct young *y, const char *uid, const char *version, const char *text)
{
	struct object o = object(uid, version);

	young_add(y, &o, str_from(text));
}

static void only_what_is_younger_than_the_leader(void **state)
{
	struct young *y = young_new();

	(void)state;
	add(y, "a", "900", "{}");
	assert_string_equal(taken(y, "a", "900"), "");
	young_begin(y, STR("not a number"));
	add(y, "a", "901", "{}");
	assert_string_equal(taken(y, "a", "901"), "");
	young_begin(y, STR("1000"));
	add(y, "a", "999", "{}");
	add(y, "b", "1000", "{}");
	add(y, "c", "1001", "{\"c\":1}");
	add(y, "d", "opaque", "{}");
	add(y, "e", "99999999999999999999", "{}");
	assert_string_equal(taken(y, "a", "999"), "");
	assert_string_equal(taken(y, "b", "1000"), "");
	assert_string_equal(taken(y, "c", "1001"), "{\"c\":1}");
	assert_string_equal(taken(y, "d", "opaque"), "");
	assert_string_equal(taken(y, "e", "99999999999999999999"), "");
	young_free(y);
}

static void once_and_for_that_version(void **state)
{
	struct young *y = young_new();
	struct object o = object("b", "12");

	(void)state;
	young_begin(y, STR("10"));
	add(y, "a", "11", "{\"a\":1}");
	add(y, "b", "12", "{\"b\":1}");
	assert_string_equal(taken(y, "a", "13"), "");
	assert_string_equal(taken(y, "b", "11"), "");
	assert_string_equal(taken(y, "a", "11"), "{\"a\":1}");
	assert_string_equal(taken(y, "a", "11"), "");
	young_forget(y, &o);
	young_forget(y, &o);
	assert_string_equal(taken(y, "b", "12"), "");
	young_free(y);
}

static void what_does_not_fit_has_no_text(void **state)
{
	struct young *y = young_new();
	char *large = xcalloc(1, YOUNG_MAX_TEXT + 2), uid[16];
	int held = 0;

	(void)state;
	young_begin(y, STR("1"));
	memset(large, ' ', YOUNG_MAX_TEXT + 1);
	add(y, "large", "2", large);
	assert_string_equal(taken(y, "large", "2"), "");
	large[YOUNG_MAX_TEXT] = '\0';
	/* By bytes... */
	for (int i = 0; i < 2 * YOUNG_MAX_BYTES / YOUNG_MAX_TEXT; i++) {
		(void)snprintf(uid, sizeof(uid), "l%d", i);
		add(y, uid, "2", large);
	}
	for (int i = 0; i < 2 * YOUNG_MAX_BYTES / YOUNG_MAX_TEXT; i++) {
		(void)snprintf(uid, sizeof(uid), "l%d", i);
		held += *taken(y, uid, "2") != '\0';
	}
	assert_int_equal(held, YOUNG_MAX_BYTES / YOUNG_MAX_TEXT);
	/* ... and by number, with the room that those have left. */
	for (int i = held = 0; i < 2 * YOUNG_MAX; i++) {
		(void)snprintf(uid, sizeof(uid), "n%d", i);
		add(y, uid, "2", "{}");
	}
	for (int i = 0; i < 2 * YOUNG_MAX; i++) {
		(void)snprintf(uid, sizeof(uid), "n%d", i);
		held += *taken(y, uid, "2") != '\0';
	}
	assert_int_equal(held, YOUNG_MAX);
	add(y, "left for young_free()", "2", "{}");
	free(large);
	young_free(y);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_is_younger_than_the_leader),
		cmocka_unit_test(once_and_for_that_version),
		cmocka_unit_test(what_does_not_fit_has_no_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
