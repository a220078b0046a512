/* SPDX-License-Identifier: Apache-2.0 */
/* A binary heap by latest start, and a set of what is in it. */
#include "controller/due.h"

#include "base/alloc.h"
#include "base/map.h"
#include "base/vec.h"
#include "k8s/informer.h"

struct item {
	int64_t latest_start_ms;
	char *key;
};

struct due {
	pthread_mutex_t mutex;
	VEC(struct item) heap;
	struct map keys; /* to itself */
};

struct due *due_new(void)
{
	struct due *d = xcalloc(1, sizeof(*d));

	(void)pthread_mutex_init(&d->mutex, NULL);
	map_init(&d->keys, INFORMER_MAX_OBJECTS);
	return d;
}

void due_free(struct due *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->heap.len; i++)
		free(d->heap.ptr[i].key);
	vec_release(&d->heap);
	map_release(&d->keys);
	(void)pthread_mutex_destroy(&d->mutex);
	free(d);
}

static bool before(const struct item *a, const struct item *b)
{
	if (a->latest_start_ms != b->latest_start_ms)
		return a->latest_start_ms < b->latest_start_ms;
	return strcmp(a->key, b->key) < 0;
}

static void swap(struct item *a, struct item *b)
{
	struct item t = *a;

	*a = *b;
	*b = t;
}

void due_add(struct due *d, int64_t latest_start_ms, const char *key)
{
	MUTEX_GUARD(&d->mutex);
	struct error err;
	void *old;

	if (map_get(&d->keys, str_from(key)) || map_put(&d->keys, str_from(key), d, &old, &err))
		return;
	struct item *slot = vec_push(&d->heap, INFORMER_MAX_OBJECTS);
	if (!slot)
		return;
	*slot = (struct item){ latest_start_ms, xstrdup(key) };
	struct item *h = d->heap.ptr;
	for (size_t i = d->heap.len - 1; i > 0 && before(&h[i], &h[(i - 1) / 2]); i = (i - 1) / 2)
		swap(&h[i], &h[(i - 1) / 2]);
}

bool due_take(struct due *d, int64_t *ret_latest_start_ms, char key[OBJECT_KEY_MAX])
{
	MUTEX_GUARD(&d->mutex);
	struct item *h = d->heap.ptr;

	if (d->heap.len == 0)
		return false;
	*ret_latest_start_ms = h[0].latest_start_ms;
	(void)str_copy(key, OBJECT_KEY_MAX, str_from(h[0].key));
	(void)map_del(&d->keys, str_from(h[0].key));
	free(h[0].key);
	h[0] = h[--d->heap.len];
	for (size_t i = 0;;) {
		size_t least = i;

		for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < d->heap.len; child++) {
			if (before(&h[child], &h[least]))
				least = child;
		}
		if (least == i)
			return true;
		swap(&h[i], &h[least]);
		i = least;
	}
}

size_t due_len(struct due *d)
{
	MUTEX_GUARD(&d->mutex);
	return d->heap.len;
}
