/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of rows for PostgreSQL: where one ends, its statement, its arrays byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "db/rowset.h"

static void a_set_ends_before_a_repeated_key(void **state)
{
	/* The key is a number and a text; the third value is none of it. */
	const struct db_value rows[][3] = {
		{ DB_I64(1), DB_CSTR("a"), DB_I64(7) },  { DB_I64(1), DB_CSTR("b"), DB_I64(7) },
		{ DB_I64(2), DB_CSTR("a"), DB_I64(7) },  { DB_I64(1), DB_NULL, DB_I64(7) },
		{ DB_I64(1), DB_CSTR(""), DB_I64(7) },   { DB_I64(1), DB_BLOB(STR("a")), DB_I64(7) },
		{ DB_DBL(1), DB_CSTR("a"), DB_I64(7) },  { DB_I64(1), DB_CSTR("aa"), DB_I64(7) },
		{ DB_I64(1), DB_CSTR("b"), DB_I64(99) }, { DB_I64(1), DB_CSTR("b"), DB_I64(99) },
	};
	_cleanup_free_ struct db_value *many = xcalloc(2 * DB_ROWSET_MAX, sizeof(*many));

	(void)state;
	assert_int_equal(db_rowset_len(rows[0], 3, 2, ARRAY_LEN(rows)), 8);
	assert_int_equal(db_rowset_len(rows[1], 3, 2, ARRAY_LEN(rows) - 1), 7);
	assert_int_equal(db_rowset_len(rows[8], 3, 2, 2), 1);
	assert_int_equal(db_rowset_len(rows[0], 3, 2, 1), 1);
	for (int i = 0; i < 2 * DB_ROWSET_MAX; i++)
		many[i] = DB_I64(i);
	assert_int_equal(db_rowset_len(many, 1, 1, 2 * DB_ROWSET_MAX), DB_ROWSET_MAX);
}

static void its_statement(void **state)
{
	_cleanup_(buf_release) struct buf out = BUF_INIT(1000);
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(
		db_rowset_sql("INSERT INTO t AS old (a, b) VALUES ($1, $2) ON CONFLICT (a) DO NOTHING", &out, &err), 0);
	assert_string_equal(buf_cstr(&out),
			    "INSERT INTO t AS old (a, b) SELECT * FROM unnest($1, $2) ON CONFLICT (a) DO NOTHING");
	assert_int_equal(db_rowset_sql("UPDATE t SET a = $1", &out, &err), -1);
	assert_int_equal(err.code, ERR_INTERNAL);
}

static void its_arrays(void **state)
{
	const struct {
		unsigned element;
		struct db_value values[2];
		const char *bytes;
		size_t len;
	} cases[] = {
#define BYTES(b) b, sizeof(b) - 1
		{ 20,
		  { DB_I64(-2), DB_I64(258) },
		  BYTES("\0\0\0\1\0\0\0\0\0\0\0\24\0\0\0\2\0\0\0\1"
			"\0\0\0\10\377\377\377\377\377\377\377\376\0\0\0\10\0\0\0\0\0\0\1\2") },
		{ 25,
		  { DB_TEXT(STR("{\"")), DB_NULL },
		  BYTES("\0\0\0\1\0\0\0\1\0\0\0\31\0\0\0\2\0\0\0\1\0\0\0\2{\"\377\377\377\377") },
		{ 17,
		  { DB_BLOB(STR_NULL), DB_BLOB(STR("\0x")) },
		  BYTES("\0\0\0\1\0\0\0\1\0\0\0\21\0\0\0\2\0\0\0\1\377\377\377\377\0\0\0\2\0x") },
		{ 701,
		  { DB_DBL(1.5), DB_NULL },
		  BYTES("\0\0\0\1\0\0\0\1\0\0\2\275\0\0\0\2\0\0\0\1\0\0\0\10\77\370\0\0\0\0\0\0\377\377\377\377") },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(buf_release) struct buf out = BUF_INIT(1000);

		assert_true(db_rowset_column(cases[i].values, 1, 0, 2, cases[i].element, &out));
		assert_int_equal(out.len, cases[i].len);
		assert_memory_equal(out.ptr, cases[i].bytes, out.len);
		assert_true(db_rowset_array_of(cases[i].element) > 1000);
		/* Of another type than the elements. */
		assert_false(db_rowset_column(cases[i].values, 1, 0, 2, cases[i].element == 20 ? 25 : 20, &out));
	}
	assert_int_equal(db_rowset_array_of(1700), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_set_ends_before_a_repeated_key),
		cmocka_unit_test(its_statement),
		cmocka_unit_test(its_arrays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
