/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: whatever json_parse() accepts, json_raw_at() finds the same members in; what is quoted reads back. */
#include "base/buf.h"
#include "json/json.h"
#include "json/writer.h"

/* A look-up reads the text from its start: enough of them to see any difference, few enough to stay fast. */
#define MEMBERS_MAX 8
#define PATH_DEPTH_MAX 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "violated: %s\n", what);
	abort();
}

static void same(const struct json *a, const struct json *b)
{
	double x = 0, y = 0;

	require(strcmp(json_kind(a), json_kind(b)) == 0, "same kind");
	require(cstr_eq(json_string(a), json_string(b)), "same text");
	require(json_double(a, &x) == json_double(b, &y) && memcmp(&x, &y, sizeof(x)) == 0, "same number");
	require(json_len(a) == json_len(b), "same length");
}

static void check_members(struct str text, const struct json *object, struct buf *path, int depth)
{
	size_t before = path->len, n = 0;

	json_each (member, object) {
		_cleanup_(json_cleanup) struct json *again = NULL;
		struct error err = ERROR_INIT;
		struct str raw = STR_NULL;

		if (!json_is_object(object) || strchr(json_key(member), '.') || n++ == MEMBERS_MAX)
			continue;
		path->len = before;
		buf_addf(path, "%s%s", depth ? "." : "", json_key(member));
		if (path->overflow)
			return;
		require(json_raw_at(text, buf_cstr(path), &raw, &err) == 0, "raw member is found");
		require(json_parse(raw, &again, &err) == 0, "raw member is JSON");
		/* Of members with the same key, both count the first. */
		same(json_get(object, json_key(member)), again);
		if (depth < PATH_DEPTH_MAX && json_get(object, json_key(member)) == member)
			check_members(text, member, path, depth + 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(json_cleanup) struct json *doc = NULL, *quoted = NULL;
	_cleanup_(buf_release) struct buf path = BUF_INIT(4096), literal = BUF_INIT(6 * size + 2);
	struct str text = str_of((const char *)data, size), raw = STR_NULL;
	struct error err = ERROR_INIT;

	if (json_parse(text, &doc, &err) == 0) {
		require(json_raw_at(text, NULL, &raw, &err) == 0, "whole value is found");
		check_members(text, doc, &path, 0);
	} else {
		require(err.code == ERR_INVALID && err.msg[0], "refusal is explained");
		(void)!json_raw_at(text, "a.b", &raw, &err);
	}
	json_quote(&literal, text);
	require(!literal.overflow && json_parse(buf_str(&literal), &quoted, &err) == 0, "quoted text is JSON");
	if (str_is_utf8(text) && !memchr(data, 0, size))
		require(str_is(text, json_string(quoted)), "quoted text reads back");
	return 0;
}
