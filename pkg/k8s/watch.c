/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of a watch stream, watch events, list pages and Status objects. */
#include "k8s/watch.h"

#include "base/alloc.h"
#include "k8s/internal.h"

/* Longer than any real continue token (base64 of a key of etcd). */
#define MAX_CONTINUE 4096

void watch_lines_init(struct watch_lines *l)
{
	buf_init(&l->partial, WATCH_MAX_LINE);
}

void watch_lines_release(struct watch_lines *l)
{
	buf_release(&l->partial);
}

int watch_lines_feed(struct watch_lines *l, struct str data, watch_line_fn fn, void *arg, struct error *err)
{
	while (data.len > 0) {
		const char *newline = memchr(data.ptr, '\n', data.len);
		struct str line = str_of(data.ptr, newline ? (size_t)(newline - data.ptr) : data.len);

		data = str_of(data.ptr + line.len, data.len - line.len);
		/* Only a line that came in several pieces is copied. */
		if (!newline || l->partial.len > 0) {
			(void)buf_addstr(&l->partial, line);
			if (buf_check(&l->partial, "watch event", err))
				return -1;
			line = buf_str(&l->partial);
		}
		if (!newline)
			break;
		data = str_of(data.ptr + 1, data.len - 1);
		if (line.len > WATCH_MAX_LINE)
			return error_set(err, ERR_LIMIT, "watch event is larger than %d bytes", WATCH_MAX_LINE);
		if (line.len > 0 && fn(arg, line, err))
			return -1;
		/* A huge event is rare: do not keep its memory. */
		if (l->partial.cap > 64 * 1024)
			buf_release(&l->partial);
		else
			buf_reset(&l->partial);
	}
	return 0;
}

/* Status texts may have several lines; an error is one. */
static void one_line(char *s)
{
	for (; *s; s++) {
		if ((unsigned char)*s < ' ')
			*s = ' ';
	}
}

static int status_decode(const struct json *status, int http_status, int64_t retry_after_ms, struct error *err)
{
	const char *message = json_string(json_get(status, "message"));
	const char *reason = json_string(json_get(status, "reason"));
	int64_t seconds = decode_i64(json_at(status, "details.retryAfterSeconds"), 0);
	int code = http_status ? http_status : decode_i32(json_get(status, "code"), 0);
	enum error_code mapped = error_code_from_http(code);

	/* "Expired" comes with 410; an old server may send it under another code. */
	if (cstr_eq(reason, "Expired") || cstr_eq(reason, "Gone"))
		mapped = ERR_GONE;
	if (mapped == ERR_NONE)
		mapped = ERR_INTERNAL;
	if (message && *message)
		(void)error_set(err, mapped, "%s%s%s", reason ? reason : "", reason && *reason ? ": " : "", message);
	else
		(void)error_set(err, mapped, "the API server answered %d%s%s", code, reason ? " " : "",
				reason ? reason : "");
	one_line(err->msg);
	err->http = code;
	err->retry_after_ms = retry_after_ms ? retry_after_ms : CLAMP(seconds, 0, 3600) * 1000;
	return -1;
}

int status_error(struct str body, int http_status, int64_t retry_after_ms, struct error *err)
{
	_cleanup_(json_cleanup) struct json *doc = NULL;
	struct error ignored;

	if (json_parse(body, &doc, &ignored) || !cstr_eq(json_string(json_get(doc, "kind")), "Status"))
		return status_decode(NULL, http_status, retry_after_ms, err);
	return status_decode(doc, http_status, retry_after_ms, err);
}

static bool event_kind(const char *type, enum watch_event_kind *ret)
{
	static const char *const names[] = { "ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (cstr_eq(type, names[i])) {
			*ret = (enum watch_event_kind)i;
			return true;
		}
	}
	return false;
}

int watch_event_parse(const struct object_type *t, struct str line, struct watch_event *ret, struct error *err)
{
	_cleanup_(json_cleanup) struct json *doc = NULL;
	struct watch_event e = { 0 };

	if (json_parse_without(line, OBJECT_UNREAD, &doc, err))
		return -1;
	const struct json *object = json_get(doc, "object");
	if (!event_kind(json_string(json_get(doc, "type")), &e.kind) || !json_is_object(object))
		return error_set(err, ERR_INVALID, "not a watch event");
	if (e.kind == WATCH_ERROR) {
		(void)status_decode(object, 0, 0, &e.error);
		*ret = e;
		return 0;
	}
	const char *version = json_string(json_at(object, "metadata.resourceVersion"));
	if (!version || !*version || !str_copy(e.resource_version, sizeof(e.resource_version), str_from(version)))
		return error_set(err, ERR_INVALID, "watch event without a usable metadata.resourceVersion");
	if (e.kind != WATCH_BOOKMARK && object_decode(t, object, &e.object, &e.error))
		e.object = NULL;
	*ret = e;
	return 0;
}

void watch_event_release(struct watch_event *e)
{
	object_unref(e->object);
	e->object = NULL;
}

/* The end of the JSON object that begins at text.ptr[0] == '{', or 0: brackets are matched, json_parse() judges. */
static size_t object_end(struct str text)
{
	bool in_string = false;
	size_t depth = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{') {
			depth++;
		} else if (c == '}' && --depth == 0) {
			return i + 1;
		}
	}
	return 0;
}

static int parse_item(const struct object_type *t, struct str text, list_item_fn fn, void *arg, struct list_page *page,
		      struct error *err)
{
	_cleanup_(json_cleanup) struct json *item = NULL;
	const struct object *o;
	struct error bad;

	if (json_parse_without(text, OBJECT_UNREAD, &item, err))
		return -1;
	if (object_decode(t, item, &o, &bad))
		page->n_bad++;
	else
		fn(arg, o);
	return 0;
}

/* `items` is the raw array, brackets included; null is what Go writes for an empty one. */
static int parse_items(const struct object_type *t, struct str items, list_item_fn fn, void *arg,
		       struct list_page *page, struct error *err)
{
	size_t at = 1;

	if (str_is(items, "null"))
		return 0;
	if (items.len < 2 || items.ptr[0] != '[')
		return error_set(err, ERR_INVALID, "the list's items are no array");
	while (at < items.len - 1) {
		size_t len;

		if (strchr(" \t\r\n,", items.ptr[at])) {
			at++;
			continue;
		}
		struct str rest = str_of(items.ptr + at, items.len - 1 - at);
		len = rest.ptr[0] == '{' ? object_end(rest) : 0;
		if (len == 0)
			return error_set(err, ERR_INVALID, "a list item is no object");
		if (parse_item(t, str_of(rest.ptr, len), fn, arg, page, err))
			return -1;
		at += len;
	}
	return 0;
}

/* metadata is small, but it may come after the items. */
static int parse_list_meta(struct str text, struct list_page *page, struct error *err)
{
	_cleanup_(json_cleanup) struct json *meta = NULL;
	struct str raw;

	if (json_raw_at(text, "metadata", &raw, err) || json_parse(raw, &meta, err))
		return -1;
	const char *version = json_string(json_get(meta, "resourceVersion"));
	const char *next = json_string(json_get(meta, "continue"));
	if (!version || !*version ||
	    !str_copy(page->resource_version, sizeof(page->resource_version), str_from(version)))
		return error_set(err, ERR_INVALID, "list without a usable metadata.resourceVersion");
	if (next && strlen(next) > MAX_CONTINUE)
		return error_set(err, ERR_LIMIT, "the list's continue token is too long");
	if (next && *next)
		page->next = xstrdup(next);
	return 0;
}

int list_page_parse(const struct object_type *t, struct str text, list_item_fn fn, void *arg, struct list_page *ret,
		    struct error *err)
{
	struct list_page page = { 0 };
	struct str items;

	if (json_raw_at(text, "items", &items, err) || parse_list_meta(text, &page, err))
		return -1;
	if (parse_items(t, items, fn, arg, &page, err)) {
		free(page.next);
		return -1;
	}
	*ret = page;
	return 0;
}
