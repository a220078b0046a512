/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding of metadata, and the life of shared immutable objects. */
#include "k8s/object.h"

#include "base/clock.h"
#include "k8s/internal.h"

#define SCRATCH_CHUNK (8 * 1024)

const char *decode_text(const struct json *j, struct arena *a)
{
	const char *s = json_string(j);

	return s && *s ? arena_strdup(a, s) : "";
}

const char *decode_word(const struct json *j, struct arena *a)
{
	const char *s = json_string(j);

	return s && *s ? arena_word(a, s) : "";
}

const char *decode_shared_text(const struct json *j, struct shared_texts *t)
{
	const char *s = json_string(j);

	return s && *s ? shared_text(t, s) : "";
}

int64_t decode_i64(const struct json *j, int64_t absent)
{
	int64_t v;

	return json_i64(j, &v) ? v : absent;
}

int32_t decode_i32(const struct json *j, int32_t absent)
{
	return (int32_t)CLAMP(decode_i64(j, absent), INT32_MIN, INT32_MAX);
}

bool decode_bool(const struct json *j, bool absent)
{
	bool v;

	return json_bool(j, &v) ? v : absent;
}

int64_t decode_time(const struct json *j)
{
	int64_t ms;

	return json_time(j, &ms) ? ms : TIME_NONE;
}

static int pair_cmp(const void *a, const void *b)
{
	return strcmp(((const struct pair *)a)->key, ((const struct pair *)b)->key);
}

const char *pairs_get(const struct pairs *p, const char *key)
{
	struct pair wanted = { .key = key };
	const struct pair *found = p->len ? bsearch(&wanted, p->items, p->len, sizeof(*p->items), pair_cmp) : NULL;

	return found ? found->value : NULL;
}

static bool is_wanted(const char *key, const char *const *wanted)
{
	for (; wanted && *wanted; wanted++) {
		const char *k = key, *w = *wanted;

		while (*w && *k == *w)
			k++, w++;
		if (!*w && (!*k || w[-1] == '/'))
			return true;
		if (strcmp(*wanted, "*") == 0)
			return true;
	}
	return false;
}

static void decode_pairs(const struct json *object, const char *const *wanted, struct shared_texts *texts,
			 struct pairs *ret)
{
	struct arena *a = texts->arena;
	size_t n = 0;

	*ret = (struct pairs){ 0 };
	if (!wanted || !json_is_object(object))
		return;
	json_each (item, object)
		n += is_wanted(json_key(item), wanted) && json_string(item);
	n = MIN(n, OBJECT_MAX_PAIRS);
	if (n == 0)
		return;
	struct pair *pairs = arena_array(a, n, struct pair);
	size_t len = 0;
	json_each (item, object) {
		if (len < n && is_wanted(json_key(item), wanted) && json_string(item))
			pairs[len++] = (struct pair){ arena_word(a, json_key(item)), decode_shared_text(item, texts) };
	}
	qsort(pairs, len, sizeof(*pairs), pair_cmp);
	*ret = (struct pairs){ pairs, len };
}

void pairs_decode(const struct json *object, const char *const *wanted, struct arena *a, struct pairs *ret)
{
	struct shared_texts texts = { .arena = a };

	decode_pairs(object, wanted, &texts, ret);
}

static void decode_owner(const struct json *references, struct shared_texts *texts, struct object_owner *ret)
{
	json_each (ref, references) {
		if (!decode_bool(json_get(ref, "controller"), false))
			continue;
		*ret = (struct object_owner){
			.api_version = decode_word(json_get(ref, "apiVersion"), texts->arena),
			.kind = decode_word(json_get(ref, "kind"), texts->arena),
			.name = decode_shared_text(json_get(ref, "name"), texts),
			.uid = decode_shared_text(json_get(ref, "uid"), texts),
		};
		return;
	}
}

static int decode_meta(const struct object_type *t, const struct json *meta, struct object *o, struct error *err)
{
	const char *name = json_string(json_get(meta, "name"));
	const char *ns = t->namespaced ? json_string(json_get(meta, "namespace")) : NULL;
	struct object_meta *m = &o->meta;
	struct arena *a = &o->arena;
	/* A name comes again as a label's value and as the owner's name. */
	struct shared_texts texts = { .arena = a };

	if (!name || !*name)
		return error_set(err, ERR_INVALID, "%s without metadata.name", t->kind);
	if (strlen(name) + (ns ? strlen(ns) + 1 : 0) >= OBJECT_KEY_MAX)
		return error_set(err, ERR_INVALID, "%s with a name longer than Kubernetes allows", t->kind);
	m->key = ns && *ns ? arena_printf(a, "%s/%s", ns, name) : arena_strdup(a, name);
	m->name = ns && *ns ? m->key + strlen(ns) + 1 : m->key;
	shared_texts_know(&texts, m->name);
	m->namespace = ns && *ns ? arena_word(a, ns) : "";
	m->uid = decode_text(json_get(meta, "uid"), a);
	m->resource_version = decode_text(json_get(meta, "resourceVersion"), a);
	m->generation = decode_i64(json_get(meta, "generation"), 0);
	m->creation_ms = decode_time(json_get(meta, "creationTimestamp"));
	m->deletion_ms = decode_time(json_get(meta, "deletionTimestamp"));
	decode_pairs(json_get(meta, "labels"), t->labels, &texts, &m->labels);
	decode_pairs(json_get(meta, "annotations"), t->annotations, &texts, &m->annotations);
	decode_owner(json_get(meta, "ownerReferences"), &texts, &m->owner);
	return 0;
}

/* Decodes into an arena whose first chunk has that size. The object lives in its own arena. */
static struct object *decode_into(const struct object_type *t, const struct json *item, size_t chunk, struct error *err)
{
	struct arena arena;

	arena_init(&arena, chunk, OBJECT_MAX_BYTES);
	struct object *o = arena_alloc(&arena, t->size);
	o->type = t;
	o->arena = arena;
	atomic_init(&o->refs, 1);
	if (decode_meta(t, json_get(item, "metadata"), o, err) || (t->decode && t->decode(item, o, err))) {
		object_unref(o);
		return NULL;
	}
	return o;
}

int object_decode(const struct object_type *t, const struct json *item, const struct object **ret, struct error *err)
{
	/*
	 * Decoding is cheap next to parsing, memory is not: a first pass tells how much is needed, the second one fills
	 * a single chunk of exactly that size.
	 */
	struct object *draft = decode_into(t, item, SCRATCH_CHUNK, err);

	if (!draft)
		return -1;
	size_t used = arena_used(&draft->arena);
	object_unref(draft);
	struct object *o = decode_into(t, item, used, err);
	if (!o)
		return -1;
	*ret = o;
	return 0;
}

int object_parse(const struct object_type *t, struct str text, const struct object **ret, struct error *err)
{
	_cleanup_(json_cleanup) struct json *doc = NULL;

	if (json_parse_without(text, OBJECT_UNREAD, &doc, err))
		return -1;
	return object_decode(t, doc, ret, err);
}

/* The count is the only thing that ever changes in a published object, hence the casts. */
const struct object *object_ref(const struct object *o)
{
	if (o)
		(void)atomic_fetch_add_explicit(&((struct object *)o)->refs, 1, memory_order_relaxed);
	return o;
}

void object_unref(const struct object *o)
{
	if (!o || atomic_fetch_sub_explicit(&((struct object *)o)->refs, 1, memory_order_acq_rel) != 1)
		return;
	struct arena arena = o->arena; /* holds the object itself */
	arena_release(&arena);
}

const char *object_label(const struct object *o, const char *key)
{
	return pairs_get(&o->meta.labels, key);
}

const char *object_annotation(const struct object *o, const char *key)
{
	return pairs_get(&o->meta.annotations, key);
}

bool object_owned_by(const struct object *o, const char *group, const char *kind)
{
	const struct object_owner *owner = &o->meta.owner;
	size_t len = strlen(group);

	if (!owner->kind || strcmp(owner->kind, kind) != 0)
		return false;
	if (len == 0)
		return !strchr(owner->api_version, '/');
	return strncmp(owner->api_version, group, len) == 0 && owner->api_version[len] == '/';
}

void object_key_split(const char *key, struct str *ret_namespace, struct str *ret_name)
{
	const char *slash = strchr(key, '/');

	*ret_namespace = slash ? str_of(key, (size_t)(slash - key)) : STR("");
	*ret_name = str_from(slash ? slash + 1 : key);
}
