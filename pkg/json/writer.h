/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing JSON straight into a bounded buffer. Commas and escaping are done here; nesting is the caller's:
 *
 *	struct json_writer w = json_writer(&buf);
 *	jw_object(&w, NULL);
 *		jw_string(&w, "kind", "Job");
 *		jw_array(&w, "finalizers");
 *			jw_string(&w, NULL, "a");
 *		jw_end_array(&w);
 *	jw_end_object(&w);
 *	return buf_check(&buf, "job", err);
 *
 * The key is NULL at the top and inside arrays. Strings that are not UTF-8 have their bad bytes replaced by U+FFFD.
 * Nothing fails here: an overflow is found by buf_check() at the end.
 */
#ifndef JSON_WRITER_H
#define JSON_WRITER_H

#include "base/buf.h"

struct json_writer {
	struct buf *buf;
	bool comma; /* a value stands before in this container */
};

static inline struct json_writer json_writer(struct buf *buf)
{
	return (struct json_writer){ .buf = buf };
}

void jw_object(struct json_writer *w, const char *key);
void jw_end_object(struct json_writer *w);
void jw_array(struct json_writer *w, const char *key);
void jw_end_array(struct json_writer *w);

/* A NULL value writes null; the _opt forms leave the member out. */
void jw_string(struct json_writer *w, const char *key, const char *value);
void jw_string_opt(struct json_writer *w, const char *key, const char *value);
void jw_str(struct json_writer *w, const char *key, struct str value);
void jw_stringf(struct json_writer *w, const char *key, const char *fmt, ...) printf_like(3, 4);
void jw_i64(struct json_writer *w, const char *key, int64_t value);
void jw_bool(struct json_writer *w, const char *key, bool value);
void jw_null(struct json_writer *w, const char *key);
/* As a JSON number with at most `places` digits behind the point; NaN and infinity write null. */
void jw_double(struct json_writer *w, const char *key, double value, int places);
/* Exact decimal as a JSON number: see base/decimal.h. */
void jw_decimal(struct json_writer *w, const char *key, int64_t value, int scale);
/* RFC 3339 to the second; TIME_NONE leaves the member out. */
void jw_time(struct json_writer *w, const char *key, int64_t ms);
/* Text that is JSON already. */
void jw_raw(struct json_writer *w, const char *key, struct str json);

/* A JSON string literal with quotes, for building by hand. */
void json_quote(struct buf *b, struct str s);

#endif
