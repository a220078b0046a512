/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of rows as arrays of columns. */
#include "db/rowset.h"

enum { OID_BYTEA = 17, OID_INT8 = 20, OID_TEXT = 25, OID_FLOAT8 = 701 };
/* A power of two, and so large that few places are taken. */
#define PLACES (4 * DB_ROWSET_MAX)

static const struct {
	enum db_type type;
	unsigned element, array;
} types[] = {
	{ DB_TYPE_BLOB, OID_BYTEA, 1001 },
	{ DB_TYPE_I64, OID_INT8, 1016 },
	{ DB_TYPE_TEXT, OID_TEXT, 1009 },
	{ DB_TYPE_DOUBLE, OID_FLOAT8, 1022 },
};

unsigned db_rowset_array_of(unsigned element)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (types[i].element == element)
			return types[i].array;
	return 0;
}

static enum db_type type_of(unsigned element)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (types[i].element == element)
			return types[i].type;
	return DB_TYPE_NULL;
}

/* FNV-1a. */
static uint64_t add_to_hash(uint64_t hash, const void *bytes, size_t len)
{
	const unsigned char *b = bytes;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ b[i]) * UINT64_C(1099511628211);
	return hash;
}

/* Never 0. */
static uint64_t hash_of(const struct db_value *key, size_t n)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < n; i++) {
		hash = add_to_hash(hash, &key[i].type, sizeof(key[i].type));
		if (key[i].type == DB_TYPE_TEXT || key[i].type == DB_TYPE_BLOB) {
			hash = add_to_hash(hash, &key[i].str.len, sizeof(key[i].str.len));
			hash = add_to_hash(hash, key[i].str.ptr, key[i].str.len);
		} else {
			hash = add_to_hash(hash, &key[i].i64, sizeof(key[i].i64));
		}
	}
	return hash | 1;
}

/* Two keys of one hash would only begin a set too early. */
size_t db_rowset_len(const struct db_value *values, size_t n_columns, size_t n_key, size_t n_rows)
{
	uint64_t seen[PLACES] = { 0 };
	size_t n = 0;

	for (; n < MIN(n_rows, (size_t)DB_ROWSET_MAX); n++) {
		uint64_t hash = hash_of(values + n * n_columns, n_key);
		size_t place = (size_t)(hash >> 20) % PLACES;

		while (seen[place] && seen[place] != hash)
			place = (place + 1) % PLACES;
		if (seen[place])
			break;
		seen[place] = hash;
	}
	return n;
}

int db_rowset_sql(const char *sql, struct buf *out, struct error *err)
{
	static const char values[] = ") VALUES (";
	const char *at = strstr(sql, values), *close = at ? strchr(at + strlen(values), ')') : NULL;

	if (!close)
		return error_set(err, ERR_INTERNAL, "SQL has no VALUES");
	(void)buf_addf(out, "%.*s) SELECT * FROM unnest(%.*s)%s", (int)(at - sql), sql,
		       (int)(close - at - (ptrdiff_t)strlen(values)), at + strlen(values), close + 1);
	return buf_check(out, "SQL", err);
}

static void add_i32(struct buf *out, uint32_t v)
{
	const char bytes[] = { (char)(v >> 24), (char)(v >> 16), (char)(v >> 8), (char)v };

	(void)buf_addstr(out, str_of(bytes, sizeof(bytes)));
}

static void add_i64(struct buf *out, uint64_t v)
{
	add_i32(out, (uint32_t)(v >> 32));
	add_i32(out, (uint32_t)v);
}

static bool is_null(const struct db_value *v)
{
	return v->type == DB_TYPE_NULL || ((v->type == DB_TYPE_TEXT || v->type == DB_TYPE_BLOB) && !v->str.ptr);
}

static void add_element(struct buf *out, const struct db_value *v)
{
	uint64_t bits;

	if (is_null(v)) {
		add_i32(out, UINT32_MAX); /* a length of -1 */
	} else if (v->type == DB_TYPE_TEXT || v->type == DB_TYPE_BLOB) {
		add_i32(out, (uint32_t)v->str.len);
		(void)buf_addstr(out, v->str);
	} else {
		memcpy(&bits, v->type == DB_TYPE_I64 ? (const void *)&v->i64 : (const void *)&v->dbl, sizeof(bits));
		add_i32(out, sizeof(bits));
		add_i64(out, bits);
	}
}

bool db_rowset_column(const struct db_value *values, size_t n_columns, size_t column, size_t n_rows, unsigned element,
		      struct buf *out)
{
	enum db_type type = type_of(element);
	bool any_null = false;

	for (size_t i = 0; i < n_rows; i++) {
		const struct db_value *v = &values[i * n_columns + column];

		if (!is_null(v) && v->type != type)
			return false;
		any_null |= is_null(v);
	}
	add_i32(out, 1); /* dimensions */
	add_i32(out, any_null);
	add_i32(out, element);
	add_i32(out, (uint32_t)n_rows);
	add_i32(out, 1); /* the first index */
	for (size_t i = 0; i < n_rows; i++)
		add_element(out, &values[i * n_columns + column]);
	return true;
}
