/* SPDX-License-Identifier: Apache-2.0 */
/* JSON trees over cJSON, and raw spans. */
#include "json/json.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <pthread.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/clock.h"
#include "json/internal.h"

#define EXACT_MAX 9007199254740992.0 /* 2^53 */

/*
 * cJSON takes every node and every string from its allocator, for which each tree has an arena: one release instead of
 * hundreds, and no holes left between what stays on the heap. The hooks have no argument, hence the thread's variable,
 * which is set only while this thread parses here; at all other times they are malloc and free.
 */
struct tree {
	struct arena arena; /* holds the tree itself; the root comes right behind it */
};
#define TREE_MIN_CHUNK 1024
#define TREE_MAX_CHUNK ((size_t)64 * 1024)
/* Bytes of tree for one of text, usually; more come in further chunks. */
#define TREE_PER_TEXT 4

static _Thread_local struct arena *parsing;

static void *tree_allocate(size_t size)
{
	return parsing ? arena_alloc(parsing, size) : xmalloc(size);
}

static void tree_deallocate(void *p)
{
	if (!parsing)
		free(p);
}

static void set_hooks(void)
{
	cJSON_InitHooks(&(cJSON_Hooks){ tree_allocate, tree_deallocate });
}

static cJSON *tree_parse(const char *text, size_t len)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct arena arena;

	(void)pthread_once(&once, set_hooks);
	arena_init(&arena, CLAMP(len * TREE_PER_TEXT, TREE_MIN_CHUNK, TREE_MAX_CHUNK), UINT32_MAX);
	struct tree *tree = arena_new(&arena, struct tree);
	parsing = &arena;
	cJSON *root = cJSON_ParseWithLengthOpts(text, len, NULL, false);
	parsing = NULL;
	tree->arena = arena;
	if (root != (void *)(tree + 1)) {
		arena_release(&arena);
		return NULL;
	}
	return root;
}

/* struct json is never defined: a pointer to it is a cJSON pointer, and only these two lines know. */
static const cJSON *node(const struct json *j)
{
	return (const cJSON *)(const void *)j;
}

static const struct json *wrap(const cJSON *c)
{
	return (const struct json *)(const void *)c;
}

/* A copy in which every \u0000 is \ufffd: cJSON's strings end at the first NUL and would hide the rest. */
static char *without_nul(const char *text, size_t len)
{
	char *copy = xmalloc(len);

	memcpy(copy, text, len);
	/* The text is known to be JSON: a backslash begins an escape, and is inside a string. */
	for (size_t i = 0; i + 1 < len; i += copy[i] == '\\' ? 2 : 1)
		if (copy[i] == '\\' && copy[i + 1] == 'u' && memcmp(copy + i + 2, "0000", 4) == 0)
			memcpy(copy + i + 2, "fffd", 4);
	return copy;
}

/*
 * Copies text, known to be JSON, to out, with null for what is nested deeper than JSON_MAX_DEPTH. Returns the new
 * length, at most twice the old one: the shortest container is two bytes and null is four.
 */
static size_t prune(const char *text, size_t len, char *out)
{
	size_t depth = 0, n = 0;
	bool string = false;

	for (size_t i = 0; i < len; i++) {
		bool opens = !string && (text[i] == '{' || text[i] == '[');
		bool closes = !string && (text[i] == '}' || text[i] == ']');

		if (opens && depth++ == JSON_MAX_DEPTH) {
			memcpy(out + n, "null", 4);
			n += 4;
		}
		if (depth <= JSON_MAX_DEPTH)
			out[n++] = text[i];
		if (string && text[i] == '\\') {
			i++;
			if (depth <= JSON_MAX_DEPTH)
				out[n++] = text[i];
		} else if (text[i] == '"') {
			string = !string;
		}
		depth -= closes;
	}
	return n;
}

/*
 * Copies text to out, with null for each of the cuts. Returns the new length; a cut is at least a byte, so at most
 * three more for each.
 */
static size_t without_cuts(const struct json_scan *s, const char *text, size_t len, char *out)
{
	const char *from = text;
	size_t n = 0;

	for (size_t i = 0; i < s->n_cuts; i++) {
		size_t kept = (size_t)(s->cuts[i].ptr - from);

		memcpy(out + n, from, kept);
		memcpy(out + n + kept, "null", 4);
		n += kept + 4;
		from = s->cuts[i].ptr + s->cuts[i].len;
	}
	memcpy(out + n, from, (size_t)(text + len - from));
	return n + (size_t)(text + len - from);
}

/* What cJSON is given instead of the text itself, *len its length; NULL when the text will do. */
static char *tamed(const struct json_scan *s, const char *text, size_t *len)
{
	char *copy = NULL;

	if (s->n_cuts) {
		copy = xmalloc(*len + 3 * s->n_cuts);
		*len = without_cuts(s, text, *len, copy);
	}
	if (s->deep) {
		char *pruned = xmalloc(2 * *len);

		*len = prune(copy ? copy : text, *len, pruned);
		free(copy);
		copy = pruned;
	}
	if (s->nul) {
		char *without = without_nul(copy ? copy : text, *len);

		free(copy);
		copy = without;
	}
	return copy;
}

int json_parse(struct str text, struct json **ret, struct error *err)
{
	return json_parse_without(text, NULL, ret, err);
}

int json_parse_without(struct str text, const char *unwanted, struct json **ret, struct error *err)
{
	_cleanup_free_ char *copy = NULL;
	struct json_scan s;
	const char *from;
	size_t len;
	cJSON *root;

	json_scan_init(&s, text);
	s.unwanted = str_from(unwanted);
	from = (const char *)s.p;
	len = (size_t)((const char *)s.end - from);
	if (json_scan_value(&s, 0, err))
		return -1;
	json_scan_blank(&s);
	if (s.p != s.end)
		return json_scan_fail(&s, err, "more text behind the value");
	copy = tamed(&s, from, &len);
	if (copy)
		from = copy;
	root = tree_parse(from, len);
	/* The scanner let it pass, so this is memory. */
	if (!root)
		return error_set(err, ERR_INTERNAL, "cannot parse %zu bytes of JSON", len);
	*ret = (struct json *)(void *)root;
	return 0;
}

void json_free(struct json *j)
{
	if (!j)
		return;
	struct arena arena = ((struct tree *)(void *)j - 1)->arena;
	arena_release(&arena);
}

static const struct json *get_str(const struct json *object, struct str key)
{
	if (!json_is_object(object))
		return NULL;
	json_each (m, object) {
		const char *is = json_key(m);

		/* Most differ in their first byte already. */
		if ((key.len == 0 || is[0] == key.ptr[0]) && strncmp(is, key.ptr, key.len) == 0 && !is[key.len])
			return m;
	}
	return NULL;
}

const struct json *json_get(const struct json *object, const char *key)
{
	return get_str(object, str_from(key));
}

const struct json *json_at(const struct json *object, const char *path)
{
	struct str rest = str_from(path), key;

	while (object && str_split(&rest, '.', &key))
		object = get_str(object, key);
	return object;
}

bool json_is_object(const struct json *j)
{
	return j && cJSON_IsObject(node(j));
}

bool json_is_array(const struct json *j)
{
	return j && cJSON_IsArray(node(j));
}

bool json_is_null(const struct json *j)
{
	return j && cJSON_IsNull(node(j));
}

bool json_is_number(const struct json *j)
{
	return j && cJSON_IsNumber(node(j));
}

const char *json_string(const struct json *j)
{
	return j && cJSON_IsString(node(j)) ? node(j)->valuestring : NULL;
}

bool json_i64(const struct json *j, int64_t *ret)
{
	double d;

	if (!json_double(j, &d) || d != trunc(d) || fabs(d) > EXACT_MAX)
		return false;
	*ret = (int64_t)d;
	return true;
}

bool json_double(const struct json *j, double *ret)
{
	if (!json_is_number(j) || !isfinite(node(j)->valuedouble))
		return false;
	*ret = node(j)->valuedouble;
	return true;
}

bool json_bool(const struct json *j, bool *ret)
{
	if (!j || !cJSON_IsBool(node(j)))
		return false;
	*ret = cJSON_IsTrue(node(j));
	return true;
}

bool json_time(const struct json *j, int64_t *ret_ms)
{
	const char *s = json_string(j);

	return s && time_parse(str_from(s), ret_ms);
}

const char *json_kind(const struct json *j)
{
	if (!j)
		return "absent";
	switch (node(j)->type & 0xFF) {
	case cJSON_String:
		return "string";
	case cJSON_Number:
		return "number";
	case cJSON_Object:
		return "object";
	case cJSON_Array:
		return "array";
	case cJSON_NULL:
		return "null";
	default:
		return "true/false";
	}
}

const struct json *json_first(const struct json *j)
{
	return j ? wrap(node(j)->child) : NULL;
}

const struct json *json_next(const struct json *j)
{
	return j ? wrap(node(j)->next) : NULL;
}

const char *json_key(const struct json *member)
{
	return member ? node(member)->string : NULL;
}

size_t json_len(const struct json *j)
{
	size_t n = 0;

	json_each (child, j)
		n++;
	return n;
}

/* Moves to the value of the object's first member `key`; `depth` containers are open around the object. */
static int raw_member(struct json_scan *s, struct str key, int depth, struct error *err)
{
	json_scan_blank(s);
	if (s->p == s->end)
		return json_scan_fail(s, err, "value missing");
	if (*s->p != '{')
		return error_set(err, ERR_NOT_FOUND, "no object to hold \"%.*s\"", STR_FMT(key));
	if (depth >= JSON_MAX_DEPTH)
		return json_scan_fail(s, err, "nested too deep");
	s->p++;
	json_scan_blank(s);
	if (s->p < s->end && *s->p == '}')
		return error_set(err, ERR_NOT_FOUND, "no member \"%.*s\"", STR_FMT(key));
	for (;;) {
		struct str name;

		json_scan_blank(s);
		if (json_scan_string(s, &name, err) || json_scan_expect(s, ':', err))
			return -1;
		if (json_scan_is(name, key))
			return 0;
		if (json_scan_value(s, depth + 1, err))
			return -1;
		json_scan_blank(s);
		if (s->p < s->end && *s->p == '}')
			return error_set(err, ERR_NOT_FOUND, "no member \"%.*s\"", STR_FMT(key));
		if (json_scan_expect(s, ',', err))
			return -1;
	}
}

int json_raw_at(struct str text, const char *path, struct str *ret_raw, struct error *err)
{
	struct str rest = str_from(path), key;
	const char *from;
	struct json_scan s;
	int depth = 0;

	json_scan_init(&s, text);
	while (str_split(&rest, '.', &key))
		if (raw_member(&s, key, depth++, err))
			return -1;
	json_scan_blank(&s);
	from = (const char *)s.p;
	if (json_scan_value(&s, depth, err))
		return -1;
	*ret_raw = str_of(from, (size_t)((const char *)s.p - from));
	return 0;
}
