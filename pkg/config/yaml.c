/* SPDX-License-Identifier: Apache-2.0 */
/* YAML to JSON text over libyaml's events. */
#include "config/yaml.h"

#include <ctype.h>
#include <yaml.h>

#include "base/map.h"
#include "json/writer.h"

/* JSON text of a document: an escaped control character takes six bytes where YAML took one. */
#define JSON_MAX_BYTES (8 * YAML_MAX_BYTES)
/* What json_parse() takes as a number. */
#define NUMBER_MAX 63

struct level {
	bool mapping;
	bool key_next; /* mapping: the next scalar is a key */
	bool comma;
	struct map keys;
};

struct reader {
	yaml_parser_t parser;
	struct buf json; /* of the document being read */
	int depth;
	struct level levels[YAML_MAX_DEPTH];
	/* yaml_line_of(): what is left to be found, at which depth, and the answer. */
	struct str find;
	int find_depth;
	int found_line;
};

static void reader_init(struct reader *r, struct str text)
{
	memset(r, 0, sizeof(*r));
	buf_init(&r->json, JSON_MAX_BYTES);
	if (!yaml_parser_initialize(&r->parser))
		abort(); /* out of memory, as xmalloc() does */
	/* Without this, libyaml would guess UTF-16 from a byte order mark. */
	yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r->parser, (const unsigned char *)(text.ptr ? text.ptr : ""), text.len);
}

static void reader_release(struct reader *r)
{
	while (r->depth)
		map_release(&r->levels[--r->depth].keys);
	buf_release(&r->json);
	yaml_parser_delete(&r->parser);
}

static int fail_at(const yaml_mark_t *at, struct error *err, const char *what)
{
	return error_set(err, ERR_INVALID, "line %zu, column %zu: %s", at->line + 1, at->column + 1, what);
}

static int next_event(struct reader *r, yaml_event_t *event, struct error *err)
{
	if (yaml_parser_parse(&r->parser, event))
		return 0;
	if (r->parser.error == YAML_MEMORY_ERROR)
		abort();
	if (r->parser.error == YAML_READER_ERROR)
		return error_set(err, ERR_INVALID, "byte %zu: %s", r->parser.problem_offset, r->parser.problem);
	return fail_at(&r->parser.problem_mark, err, r->parser.problem);
}

static bool is_one_of(struct str s, const char *const *words)
{
	for (; *words; words++)
		if (str_is(s, *words))
			return true;
	return false;
}

static struct str take_digits(struct str *s, int base)
{
	size_t n = 0;

	while (n < s->len && (base == 16  ? isxdigit((unsigned char)s->ptr[n])
			      : base == 8 ? s->ptr[n] >= '0' && s->ptr[n] <= '7'
					  : isdigit((unsigned char)s->ptr[n])))
		n++;
	struct str digits = str_of(s->ptr, n);
	*s = str_of(s->ptr + n, s->len - n);
	return digits;
}

static bool take_char(struct str *s, char a, char b)
{
	if (!s->len || (s->ptr[0] != a && s->ptr[0] != b))
		return false;
	*s = str_of(s->ptr + 1, s->len - 1);
	return true;
}

/* 0o17 and 0x1f. NULL: *ret_number is set if it was such a number; else what is wrong with it. */
static const char *based_number(struct str s, struct buf *out, bool *ret_number)
{
	int base = str_has_prefix(s, STR("0x")) ? 16 : str_has_prefix(s, STR("0o")) ? 8 : 0;
	struct str rest = base ? str_of(s.ptr + 2, s.len - 2) : s;
	uint64_t value = 0;

	*ret_number = false;
	if (!base)
		return NULL;
	struct str digits = take_digits(&rest, base);
	if (!digits.len || rest.len)
		return NULL;
	for (size_t i = 0; i < digits.len; i++) {
		int c = tolower((unsigned char)digits.ptr[i]);

		if (__builtin_mul_overflow(value, (uint64_t)base, &value))
			return "number of more than 64 bits";
		value += (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	*ret_number = true;
	buf_addf(out, "%" PRIu64, value);
	return NULL;
}

/*
 * Core schema: [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?, written digit by digit as JSON has
 * it, so that nothing is rounded.
 */
static const char *decimal_number(struct str s, struct buf *out, bool *ret_number)
{
	struct str rest = s, whole, fraction = STR_NULL, exponent = STR_NULL;
	bool negative = take_char(&rest, '-', '-'), negative_exponent = false;

	*ret_number = false;
	if (!negative)
		take_char(&rest, '+', '+');
	whole = take_digits(&rest, 10);
	if (take_char(&rest, '.', '.'))
		fraction = take_digits(&rest, 10);
	if (!whole.len && !fraction.len)
		return NULL;
	if (take_char(&rest, 'e', 'E')) {
		negative_exponent = take_char(&rest, '-', '-');
		if (!negative_exponent)
			take_char(&rest, '+', '+');
		exponent = take_digits(&rest, 10);
		if (!exponent.len)
			return NULL;
	}
	if (rest.len)
		return NULL;
	if (whole.len > 1 && whole.ptr[0] == '0')
		return "number with a leading zero: quote it if it is text, write 0o17 if it is octal";
	if (s.len >= NUMBER_MAX)
		return "number of too many digits";
	*ret_number = true;
	buf_addf(out, "%s%.*s", negative ? "-" : "", STR_FMT(whole.len ? whole : STR("0")));
	if (fraction.len)
		buf_addf(out, ".%.*s", STR_FMT(fraction));
	if (exponent.len)
		buf_addf(out, "e%s%.*s", negative_exponent ? "-" : "", STR_FMT(exponent));
	return NULL;
}

/* Writes a plain scalar by the core schema; NULL or what is wrong. */
static const char *put_plain(struct buf *out, struct str s)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL", NULL };
	static const char *const trues[] = { "true", "True", "TRUE", NULL };
	static const char *const falses[] = { "false", "False", "FALSE", NULL };
	static const char *const infinite[] = { ".inf",  ".Inf",  ".INF", "+.inf", "+.Inf", "+.INF", "-.inf",
						"-.Inf", "-.INF", ".nan", ".NaN",  ".NAN",  NULL };
	const char *wrong;
	bool number;

	if (is_one_of(s, nulls))
		buf_adds(out, "null");
	else if (is_one_of(s, trues))
		buf_adds(out, "true");
	else if (is_one_of(s, falses))
		buf_adds(out, "false");
	else if (is_one_of(s, infinite))
		return "neither infinity nor NaN is a number here";
	else {
		wrong = based_number(s, out, &number);
		if (!wrong && !number)
			wrong = decimal_number(s, out, &number);
		if (wrong)
			return wrong;
		if (!number)
			json_quote(out, s);
	}
	return NULL;
}

static struct level *top(struct reader *r)
{
	return r->depth ? &r->levels[r->depth - 1] : NULL;
}

/* What stands before a value, and what comes after it. */
static void begin_value(struct reader *r)
{
	struct level *l = top(r);

	if (!l)
		return;
	if (!l->mapping && l->comma)
		buf_addc(&r->json, ',');
	l->comma = true;
	l->key_next = l->mapping;
}

/* Follows yaml_line_of()'s path as long as keys match it. */
static void find_key(struct reader *r, struct str key, const yaml_mark_t *at)
{
	struct str rest = r->find, part;

	if (r->found_line || r->find_depth != r->depth || !str_split(&rest, '.', &part) || !str_eq(part, key))
		return;
	if (!rest.ptr)
		r->found_line = (int)at->line + 1;
	r->find = rest;
	r->find_depth++;
}

static int put_key(struct reader *r, struct str key, const yaml_mark_t *at, struct error *err)
{
	static char present;
	struct level *l = top(r);
	void *old = NULL;

	if (map_put(&l->keys, key, &present, &old, err))
		return -1;
	if (old)
		return error_set(err, ERR_INVALID, "line %zu, column %zu: key \"%.*s\" is there twice", at->line + 1,
				 at->column + 1, (int)MIN(key.len, 100), key.ptr);
	find_key(r, key, at);
	if (l->comma)
		buf_addc(&r->json, ',');
	json_quote(&r->json, key);
	buf_addc(&r->json, ':');
	l->key_next = false;
	return 0;
}

static int put_scalar(struct reader *r, const yaml_event_t *event, struct error *err)
{
	struct str s = str_of((const char *)event->data.scalar.value, event->data.scalar.length);
	const char *tag = (const char *)event->data.scalar.tag;
	const char *wrong = NULL;

	if (event->data.scalar.anchor)
		return fail_at(&event->start_mark, err, "anchors and aliases are not taken");
	if (tag && strcmp(tag, YAML_STR_TAG) != 0 && strcmp(tag, "!") != 0)
		return fail_at(&event->start_mark, err, "tags are not taken, but !!str");
	if (top(r) && top(r)->key_next)
		return put_key(r, s, &event->start_mark, err);
	begin_value(r);
	if (tag || event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		json_quote(&r->json, s);
	else
		wrong = put_plain(&r->json, s);
	return wrong ? fail_at(&event->start_mark, err, wrong) : 0;
}

static int open_level(struct reader *r, const yaml_event_t *event, bool mapping, struct error *err)
{
	const unsigned char *anchor = mapping ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
	const unsigned char *tag = mapping ? event->data.mapping_start.tag : event->data.sequence_start.tag;

	if (anchor)
		return fail_at(&event->start_mark, err, "anchors and aliases are not taken");
	if (tag)
		return fail_at(&event->start_mark, err, "tags are not taken, but !!str");
	if (top(r) && top(r)->key_next)
		return fail_at(&event->start_mark, err, "a key must be a scalar");
	if (r->depth == YAML_MAX_DEPTH)
		return fail_at(&event->start_mark, err, "nested too deep");
	begin_value(r);
	buf_addc(&r->json, mapping ? '{' : '[');
	r->levels[r->depth] = (struct level){ .mapping = mapping, .key_next = mapping };
	map_init(&r->levels[r->depth].keys, YAML_MAX_BYTES);
	r->depth++;
	return 0;
}

static void close_level(struct reader *r)
{
	struct level *l = top(r);

	buf_addc(&r->json, l->mapping ? '}' : ']');
	map_release(&l->keys);
	r->depth--;
	/* What yaml_line_of() looked for in this mapping is not there; elsewhere the path cannot match again. */
	if (r->find_depth > r->depth)
		r->find = STR_NULL;
}

/* Reads up to the end of the next document. *ret_more is false when there is none. */
static int read_document(struct reader *r, bool *ret_more, int *ret_line, struct error *err)
{
	for (;;) {
		_cleanup_(yaml_event_delete) yaml_event_t event = { 0 };
		int failed = 0;

		if (next_event(r, &event, err))
			return -1;
		switch (event.type) {
		case YAML_DOCUMENT_START_EVENT:
			buf_reset(&r->json);
			*ret_line = (int)event.start_mark.line + 1;
			break;
		case YAML_SCALAR_EVENT:
			failed = put_scalar(r, &event, err);
			break;
		case YAML_SEQUENCE_START_EVENT:
		case YAML_MAPPING_START_EVENT:
			failed = open_level(r, &event, event.type == YAML_MAPPING_START_EVENT, err);
			break;
		case YAML_SEQUENCE_END_EVENT:
		case YAML_MAPPING_END_EVENT:
			close_level(r);
			break;
		case YAML_ALIAS_EVENT:
			return fail_at(&event.start_mark, err, "anchors and aliases are not taken");
		case YAML_DOCUMENT_END_EVENT:
			*ret_more = true;
			return buf_check(&r->json, "YAML document as JSON", err);
		case YAML_STREAM_END_EVENT:
		case YAML_NO_EVENT:
			*ret_more = false;
			return 0;
		case YAML_STREAM_START_EVENT:
			break;
		}
		if (failed)
			return -1;
	}
}

int yaml_each(struct str text, yaml_document_fn fn, void *arg, struct error *err)
{
	_cleanup_(reader_release) struct reader r;

	reader_init(&r, text);
	if (text.len > YAML_MAX_BYTES)
		return error_set(err, ERR_LIMIT, "YAML is larger than %d bytes", YAML_MAX_BYTES);
	for (;;) {
		bool more;
		int line = 0;

		if (read_document(&r, &more, &line, err))
			return -1;
		if (!more)
			return 0;
		if (!str_is(buf_str(&r.json), "null") && fn(arg, buf_str(&r.json), line, err))
			return -1;
	}
}

struct only {
	struct buf *json;
	size_t before;
};

static int take_only(void *arg, struct str json, int line, struct error *err)
{
	struct only *o = arg;

	if (o->json->len > o->before)
		return error_set(err, ERR_INVALID, "line %d: a second document, where one is expected", line);
	buf_addstr(o->json, json);
	return buf_check(o->json, "YAML document as JSON", err);
}

int yaml_to_json(struct str text, struct buf *ret_json, struct error *err)
{
	struct only o = { ret_json, ret_json->len };

	if (yaml_each(text, take_only, &o, err)) {
		ret_json->len = o.before;
		if (ret_json->ptr)
			ret_json->ptr[o.before] = '\0';
		return -1;
	}
	if (ret_json->len == o.before)
		buf_adds(ret_json, "null");
	return buf_check(ret_json, "YAML document as JSON", err);
}

int yaml_line_of(struct str text, const char *path)
{
	_cleanup_(reader_release) struct reader r;
	struct error ignored = ERROR_INIT;
	bool more = true;
	int line;

	reader_init(&r, text);
	r.find = str_from(path);
	r.find_depth = 1;
	while (more && !r.found_line)
		if (read_document(&r, &more, &line, &ignored))
			break;
	return r.found_line;
}
