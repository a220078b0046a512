/* SPDX-License-Identifier: Apache-2.0 */
/* The cache: one map by key, and per index a map from value to the objects that have it. */
#include "k8s/store.h"

#include "base/alloc.h"
#include "base/map.h"
#include "base/vec.h"

struct bucket {
	VEC(const struct object *) v;
};

struct content {
	struct map objects;
	struct map indexes[STORE_MAX_INDEXES];
};

struct store {
	pthread_mutex_t mutex;
	struct content content; /* changed by the writer under the mutex; the writer itself reads it without */
	store_index_fn index_fn[STORE_MAX_INDEXES];
	int n_indexes;
	size_t max;
	size_t dropped;
	uint64_t version;
};

const char *store_index_owner_uid(const struct object *o)
{
	return o->meta.owner.uid;
}

const char *store_index_namespace(const struct object *o)
{
	return o->meta.namespace;
}

void object_list_release(struct object_list *l)
{
	for (size_t i = 0; i < l->len; i++)
		object_unref(l->items[i]);
	free(l->items);
	*l = (struct object_list){ 0 };
}

static void content_init(const struct store *s, struct content *c)
{
	map_init_borrowing(&c->objects, s->max);
	for (int i = 0; i < STORE_MAX_INDEXES; i++)
		map_init(&c->indexes[i], s->max);
}

static void content_release(struct content *c)
{
	struct map_entry *e;

	for (size_t at = 0; (e = map_next(&c->objects, &at));)
		object_unref(e->value);
	map_release(&c->objects);
	for (int i = 0; i < STORE_MAX_INDEXES; i++) {
		for (size_t at = 0; (e = map_next(&c->indexes[i], &at));) {
			struct bucket *b = e->value;

			vec_release(&b->v);
			free(b);
		}
		map_release(&c->indexes[i]);
	}
}

static void index_add(const struct store *s, struct content *c, const struct object *o)
{
	struct error err;
	void *ignored;

	for (int i = 0; i < s->n_indexes; i++) {
		const char *value = s->index_fn[i](o);

		if (!value)
			continue;
		struct bucket *b = map_get(&c->indexes[i], str_from(value));
		if (!b) {
			b = xcalloc(1, sizeof(*b));
			/* Cannot fail: there are no more values than objects, whose number is bounded already. */
			if (map_put(&c->indexes[i], str_from(value), b, &ignored, &err))
				abort();
		}
		*vec_push(&b->v, s->max) = o;
	}
}

static void index_remove(const struct store *s, struct content *c, const struct object *o)
{
	for (int i = 0; i < s->n_indexes; i++) {
		const char *value = s->index_fn[i](o);
		struct bucket *b = value ? map_get(&c->indexes[i], str_from(value)) : NULL;

		for (size_t j = 0; b && j < b->v.len; j++) {
			if (b->v.ptr[j] != o)
				continue;
			b->v.ptr[j] = b->v.ptr[--b->v.len];
			break;
		}
		if (b && b->v.len == 0) {
			(void)map_del(&c->indexes[i], str_from(value));
			vec_release(&b->v);
			free(b);
		}
	}
}

/* Takes a reference; *ret_old is the object that was there, whose reference passes to the caller. False = full. */
static bool content_put(const struct store *s, struct content *c, const struct object *o, const struct object **ret_old)
{
	struct error err;
	void *old;

	if (map_put(&c->objects, str_from(o->meta.key), (void *)object_ref(o), &old, &err)) {
		object_unref(o);
		return false;
	}
	if (old)
		index_remove(s, c, old);
	index_add(s, c, o);
	*ret_old = old;
	return true;
}

struct store *store_new(size_t max)
{
	struct store *s = xcalloc(1, sizeof(*s));

	(void)pthread_mutex_init(&s->mutex, NULL);
	s->max = max;
	content_init(s, &s->content);
	return s;
}

void store_free(struct store *s)
{
	if (!s)
		return;
	content_release(&s->content);
	(void)pthread_mutex_destroy(&s->mutex);
	free(s);
}

int store_add_index(struct store *s, store_index_fn fn)
{
	if (s->n_indexes == STORE_MAX_INDEXES)
		abort();
	s->index_fn[s->n_indexes] = fn;
	return s->n_indexes++;
}

const struct object *store_get(struct store *s, const char *key)
{
	MUTEX_GUARD(&s->mutex);
	return object_ref(map_get(&s->content.objects, str_from(key)));
}

const struct object *store_get_ns(struct store *s, const char *ns, const char *name)
{
	char key[OBJECT_KEY_MAX];
	int n = snprintf(key, sizeof(key), "%s%s%s", ns, *ns ? "/" : "", name);

	return n > 0 && (size_t)n < sizeof(key) ? store_get(s, key) : NULL;
}

void store_list(struct store *s, struct object_list *ret)
{
	const struct map_entry *e;

	MUTEX_GUARD(&s->mutex);
	*ret = (struct object_list){ .items = xcalloc(MAX(s->content.objects.len, 1), sizeof(*ret->items)) };
	for (size_t at = 0; (e = map_next(&s->content.objects, &at));)
		ret->items[ret->len++] = object_ref(e->value);
}

void store_find(struct store *s, int index, const char *value, struct object_list *ret)
{
	MUTEX_GUARD(&s->mutex);
	const struct bucket *b = map_get(&s->content.indexes[index], str_from(value));

	*ret = (struct object_list){ 0 };
	if (!b)
		return;
	ret->items = xcalloc(b->v.len, sizeof(*ret->items));
	for (; ret->len < b->v.len; ret->len++)
		ret->items[ret->len] = object_ref(b->v.ptr[ret->len]);
}

size_t store_len(struct store *s)
{
	MUTEX_GUARD(&s->mutex);
	return s->content.objects.len;
}

size_t store_dropped(struct store *s)
{
	MUTEX_GUARD(&s->mutex);
	return s->dropped;
}

uint64_t store_version(struct store *s)
{
	MUTEX_GUARD(&s->mutex);
	return s->version;
}

/* An object without a version (a test's, perhaps) always counts as changed. */
static bool is_same(const struct object *a, const struct object *b)
{
	return a == b ||
	       (*a->meta.resource_version && strcmp(a->meta.resource_version, b->meta.resource_version) == 0 &&
		strcmp(a->meta.uid, b->meta.uid) == 0);
}

static bool put_locked(struct store *s, const struct object *o, const struct object **ret_old)
{
	MUTEX_GUARD(&s->mutex);
	if (!content_put(s, &s->content, o, ret_old)) {
		s->dropped++;
		return false;
	}
	s->version++;
	return true;
}

void store_put(struct store *s, const struct object *o, store_event_fn fn, void *arg)
{
	const struct object *now = map_get(&s->content.objects, str_from(o->meta.key));
	const struct object *old _cleanup_object_ = NULL;

	if (now && is_same(now, o))
		return;
	if (put_locked(s, o, &old) && fn)
		fn(arg, old, o);
}

static const struct object *delete_locked(struct store *s, const char *key)
{
	MUTEX_GUARD(&s->mutex);
	const struct object *old = map_del(&s->content.objects, str_from(key));

	if (old) {
		index_remove(s, &s->content, old);
		s->version++;
	}
	return old;
}

void store_delete(struct store *s, const char *key, store_event_fn fn, void *arg)
{
	const struct object *old _cleanup_object_ = delete_locked(s, key);

	if (old && fn)
		fn(arg, old, NULL);
}

static void report_differences(const struct content *before, const struct content *after, store_event_fn fn, void *arg)
{
	const struct map_entry *e;

	for (size_t at = 0; (e = map_next(&before->objects, &at));) {
		if (!map_get(&after->objects, str_of(e->key, e->key_len)))
			fn(arg, e->value, NULL);
	}
	for (size_t at = 0; (e = map_next(&after->objects, &at));) {
		const struct object *old = map_get(&before->objects, str_of(e->key, e->key_len));

		if (old != e->value)
			fn(arg, old, e->value);
	}
}

static void swap_locked(struct store *s, struct content *c, size_t dropped)
{
	MUTEX_GUARD(&s->mutex);
	struct content before = s->content;

	s->content = *c;
	*c = before;
	s->dropped += dropped;
	s->version++;
}

void store_replace(struct store *s, const struct object *const *items, size_t n, store_event_fn fn, void *arg)
{
	struct content fresh;
	size_t dropped = 0;

	content_init(s, &fresh);
	for (size_t i = 0; i < n; i++) {
		/* What has not changed keeps its object, so that equal pointers mean no event. */
		const struct object *now = map_get(&s->content.objects, str_from(items[i]->meta.key)), *twice = NULL;

		if (!content_put(s, &fresh, now && is_same(now, items[i]) ? now : items[i], &twice))
			dropped++;
		object_unref(twice);
	}
	swap_locked(s, &fresh, dropped);
	if (fn)
		report_differences(&fresh, &s->content, fn, arg);
	content_release(&fresh);
}
