/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading JSON: a parsed tree (cJSON underneath, and nowhere else) for everything that is decoded once into a struct
 * and thrown away, and raw spans for what must pass through losslessly.
 *
 *	_cleanup_(json_cleanup) struct json *doc = NULL;
 *	if (json_parse(body, &doc, err))
 *		return -1;
 *	const char *name = json_string(json_at(doc, "metadata.name"));
 *
 * Trees are malloc'd: decode, free, return. All readers accept NULL and give "absent". Lookups are linear: walk arrays
 * and large objects with json_each. Thread: any, one at a time per tree.
 */
#ifndef JSON_JSON_H
#define JSON_JSON_H

#include "base/error.h"
#include "base/str.h"

struct json;

#define JSON_MAX_DEPTH 64

/*
 * The whole text must be one JSON value (RFC 8259, strictly) in well-formed UTF-8; a byte order mark before it is
 * skipped. Its size is bounded by whoever read it. ERR_INVALID tells the byte offset. Of duplicate keys the first
 * counts. What is nested deeper than JSON_MAX_DEPTH is read as null: one object that somebody stored with a deep
 * jobTemplate must not make a whole list unreadable. A \u0000 in a string is read as U+FFFD, so that a C string shows
 * all of it; lone surrogates and numbers of more than 63 characters are refused.
 */
int json_parse(struct str text, struct json **ret, struct error *err) must_check;
/*
 * The same, with null for the values of members of that name, wherever they are: for what is large and never read, and
 * would cost more than all the rest. It is checked like everything else. A text's first few are left out, not more.
 */
int json_parse_without(struct str text, const char *unwanted, struct json **ret, struct error *err) must_check;
void json_free(struct json *j);
static inline void json_cleanup(struct json **j)
{
	if (*j)
		json_free(*j);
}

/* Member by exact key, case-sensitive. */
const struct json *json_get(const struct json *object, const char *key);
/* Member by a path of keys separated by '.', for keys that have no '.' themselves: "spec.template.metadata". */
const struct json *json_at(const struct json *object, const char *path);

bool json_is_object(const struct json *j);
bool json_is_array(const struct json *j);
bool json_is_null(const struct json *j);
bool json_is_number(const struct json *j);
/* Text of a string value, owned by the tree; NULL when it is absent or not a string. */
const char *json_string(const struct json *j);
/* False when absent, not a number, or not integral within +-2^53. */
bool json_i64(const struct json *j, int64_t *ret);
/* False when absent, not a number, or too large for a finite double. */
bool json_double(const struct json *j, double *ret);
/* False when absent or not a boolean. */
bool json_bool(const struct json *j, bool *ret);
/* RFC 3339 string to ms. */
bool json_time(const struct json *j, int64_t *ret_ms);
/* "string", "number", "object", "array", "true/false", "null", "absent": for messages. */
const char *json_kind(const struct json *j);

/* Children of an object or array in order; `json_each(item, list)` visits none when list is absent. */
const struct json *json_first(const struct json *j);
const struct json *json_next(const struct json *j);
/* Key of an object's member. */
const char *json_key(const struct json *member);
size_t json_len(const struct json *j);
#define json_each(item, list) for (const struct json *item = json_first(list); item; item = json_next(item))

/*
 * The raw text of the value at a '.'-separated path in a JSON text, without building a tree: what is inserted elsewhere
 * is byte for byte what came in. ERR_NOT_FOUND when absent, ERR_INVALID when the text up to its end is not
 * JSON; what comes behind it is not looked at. A NULL path is the whole value. No recursion, for texts of megabytes.
 */
int json_raw_at(struct str text, const char *path, struct str *ret_raw, struct error *err) must_check;

#endif
