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
	pthread_cond_t cond;
	uint64_t taken, passed;         /* turns; all before `passed` have been passed on */
	bool passed_early[DUE_WORKERS]; /* by turn modulo that: of those after it */
};

struct due *due_new(void)
{
	struct due *d = xcalloc(1, sizeof(*d));

	(void)pthread_mutex_init(&d->mutex, NULL);
	(void)pthread_cond_init(&d->cond, NULL);
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
	(void)pthread_cond_destroy(&d->cond);
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

/* The first of the heap goes away. */
static void heap_pop(struct due *d)
{
	struct item *h = d->heap.ptr;

	h[0] = h[--d->heap.len];
	for (size_t i = 0;;) {
		size_t least = i;

		for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < d->heap.len; child++) {
			if (before(&h[child], &h[least]))
				least = child;
		}
		if (least == i)
			return;
		swap(&h[i], &h[least]);
		i = least;
	}
}

bool due_take(struct due *d, struct due_turn *ret)
{
	MUTEX_GUARD(&d->mutex);
	/* The slowest of the workers has not passed its turn on: nobody runs away from it further than they are many.
	 */
	while (d->heap.len > 0 && d->taken - d->passed == DUE_WORKERS)
		(void)pthread_cond_wait(&d->cond, &d->mutex);
	if (d->heap.len == 0)
		return false;
	struct item *first = &d->heap.ptr[0];
	*ret = (struct due_turn){ .latest_start_ms = first->latest_start_ms, .number = d->taken++ };
	(void)str_copy(ret->key, sizeof(ret->key), str_from(first->key));
	(void)map_del(&d->keys, str_from(first->key));
	free(first->key);
	heap_pop(d);
	return true;
}

void due_wait(struct due *d, const struct due_turn *t)
{
	MUTEX_GUARD(&d->mutex);
	while (d->passed < t->number)
		(void)pthread_cond_wait(&d->cond, &d->mutex);
}

void due_done(struct due *d, const struct due_turn *t)
{
	MUTEX_GUARD(&d->mutex);
	if (t->number < d->passed)
		return;
	d->passed_early[t->number % DUE_WORKERS] = true;
	while (d->passed_early[d->passed % DUE_WORKERS])
		d->passed_early[d->passed++ % DUE_WORKERS] = false;
	(void)pthread_cond_broadcast(&d->cond);
}

size_t due_len(struct due *d)
{
	MUTEX_GUARD(&d->mutex);
	return d->heap.len;
}
