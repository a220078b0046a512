/* SPDX-License-Identifier: Apache-2.0 */
/* Reading ExtenderArgs with the cursor. */
#include "extender/args.h"

const char *const extender_annotation_names[EXTENDER_N_ANNOTATIONS] = {
	[EXTENDER_REGIONS] = "regions",
	[EXTENDER_DURATION] = "expected-duration-seconds",
	[EXTENDER_MAX_CARBON] = "max-carbon-g-per-kwh",
	[EXTENDER_MAX_PRICE] = "max-price-per-kwh",
	[EXTENDER_WEIGHTS] = "weights",
};

static const char *const twice = "a key stands there twice";

void extender_args_release(struct extender_args *a)
{
	vec_release(&a->names);
	vec_release(&a->nodes);
}

/* The next key of an object that is read; keys are short, so longer ones are none of ours and come out empty. */
static bool next_key(struct cursor *c, struct str *ret, char buf[64])
{
	struct cursor_text text;

	if (!cursor_key(c, &text))
		return false;
	*ret = cursor_decode(text, buf, 64);
	return true;
}

/* True once per member: notes that it was there, a second time is a problem. */
static bool once(struct cursor *c, bool *seen)
{
	if (*seen)
		return cursor_fail(c, twice);
	return *seen = true;
}

static int annotation_of(struct str key)
{
	static const struct str prefix = { "loadshift.io/", 13 };

	if (!str_has_prefix(key, prefix))
		return -1;
	key = str_of(key.ptr + prefix.len, key.len - prefix.len);
	for (int i = 0; i < EXTENDER_N_ANNOTATIONS; i++)
		if (str_is(key, extender_annotation_names[i]))
			return i;
	return -1;
}

static void read_annotations(struct cursor *c, struct extender_args *a)
{
	struct str key;
	char buf[64];

	if (cursor_null(c))
		return;
	for (cursor_object(c, "Pod.metadata.annotations must be an object"); next_key(c, &key, buf);) {
		struct cursor_text value;
		int i = annotation_of(key);

		cursor_string(c, &value, "an annotation must be a string");
		if (i >= 0 && a->annotations[i].raw.ptr)
			cursor_fail(c, twice);
		else if (i >= 0)
			a->annotations[i] = value;
	}
}

static void read_pod_metadata(struct cursor *c, struct extender_args *a)
{
	bool seen = false;
	struct str key;
	char buf[64];

	if (cursor_null(c))
		return;
	for (cursor_object(c, "Pod.metadata must be an object"); next_key(c, &key, buf);) {
		if (!str_is(key, "annotations"))
			cursor_skip(c);
		else if (once(c, &seen))
			read_annotations(c, a);
	}
}

static void read_pod(struct cursor *c, struct extender_args *a)
{
	bool seen = false;
	struct str key;
	char buf[64];

	for (cursor_object(c, "Pod must be an object"); next_key(c, &key, buf);) {
		if (!str_is(key, "metadata"))
			cursor_skip(c);
		else if (once(c, &seen))
			read_pod_metadata(c, a);
	}
}

static const char *const too_many = "too many nodes";

static void read_names(struct cursor *c, struct extender_args *a)
{
	const char *begin;

	(void)cursor_peek(c);
	begin = c->p;
	for (cursor_array(c, "NodeNames must be an array"); cursor_element(c);) {
		struct cursor_text *name = vec_push(&a->names, EXTENDER_MAX_CANDIDATES);

		if (name)
			cursor_string(c, name, "a name in NodeNames must be a string");
		else
			cursor_fail(c, too_many);
	}
	a->names_text = str_of(begin, (size_t)(c->p - begin));
}

static void read_node_metadata(struct cursor *c, struct cursor_text *ret_name)
{
	bool seen = false;
	struct str key;
	char buf[64];

	for (cursor_object(c, "a Node's metadata must be an object"); next_key(c, &key, buf);) {
		if (!str_is(key, "name"))
			cursor_skip(c);
		else if (once(c, &seen))
			cursor_string(c, ret_name, "a Node's metadata.name must be a string");
	}
}

static void read_node(struct cursor *c, struct extender_args *a)
{
	struct cursor_text *name = vec_push(&a->names, EXTENDER_MAX_CANDIDATES);
	struct str *node = vec_push(&a->nodes, EXTENDER_MAX_CANDIDATES);
	bool seen = false;
	const char *begin;
	struct str key;
	char buf[64];

	if (!name || !node) {
		cursor_fail(c, too_many);
		return;
	}
	(void)cursor_peek(c);
	begin = c->p;
	for (cursor_object(c, "a Node must be an object"); next_key(c, &key, buf);) {
		if (!str_is(key, "metadata"))
			cursor_skip(c);
		else if (once(c, &seen))
			read_node_metadata(c, name);
	}
	*node = str_of(begin, (size_t)(c->p - begin));
	if (str_empty(name->raw))
		cursor_fail(c, "a Node has no metadata.name");
}

static void read_nodes(struct cursor *c, struct extender_args *a)
{
	bool seen = false;
	struct str key;
	char buf[64];

	for (cursor_object(c, "Nodes must be an object"); next_key(c, &key, buf);) {
		if (!str_is(key, "items")) {
			cursor_skip(c);
		} else if (once(c, &seen) && !cursor_null(c)) {
			for (cursor_array(c, "Nodes.items must be an array"); cursor_element(c);)
				read_node(c, a);
		}
	}
}

/* Both lists go into the same vector, so only one of them may hold something. */
static void read_lists(struct cursor *c, struct extender_args *a, bool whole, bool *ret_listed)
{
	if (cursor_null(c))
		return;
	if (*ret_listed)
		cursor_fail(c, "both Nodes and NodeNames are set");
	*ret_listed = true;
	a->whole_nodes = whole;
	if (whole)
		read_nodes(c, a);
	else
		read_names(c, a);
}

int extender_args_parse(struct extender_args *a, struct str body, struct error *err)
{
	bool pod = false, nodes = false, names = false, listed = false;
	struct cursor c = cursor_init(body);
	struct str key;
	char buf[64];

	memset(a->annotations, 0, sizeof(a->annotations));
	a->names.len = a->nodes.len = 0;
	a->whole_nodes = false;
	if (str_empty(body))
		return error_set(err, ERR_INVALID, "the body is empty: ExtenderArgs expected");
	for (cursor_object(&c, "ExtenderArgs must be a JSON object"); next_key(&c, &key, buf);) {
		if (str_is(key, "Pod") && once(&c, &pod))
			read_pod(&c, a);
		else if (str_is(key, "Nodes") && once(&c, &nodes))
			read_lists(&c, a, true, &listed);
		else if (str_is(key, "NodeNames") && once(&c, &names))
			read_lists(&c, a, false, &listed);
		else
			cursor_skip(&c);
	}
	if (cursor_end(&c))
		return error_set(err, c.problem == too_many ? ERR_LIMIT : ERR_INVALID, "ExtenderArgs: %s, at byte %td",
				 c.problem, c.p - c.start);
	if (!pod)
		return error_set(err, ERR_INVALID, "ExtenderArgs: Pod is missing (keys are Pascal case)");
	if (!listed)
		return error_set(err, ERR_INVALID, "ExtenderArgs: neither NodeNames nor Nodes is set");
	return 0;
}
