/* SPDX-License-Identifier: Apache-2.0 */
/* Running times of deleted pods, until they are written down. */
#include "controller/gone_pods.h"

#include "base/alloc.h"
#include "base/map.h"
#include "base/vec.h"
#include "k8s/informer.h"

struct gone {
	char *region; /* NULL = not known */
	int64_t start_ms, end_ms;
	int64_t milliwatts;
};

struct gone_list {
	VEC(struct gone) v;
};

struct gone_pods {
	pthread_mutex_t mutex;
	struct map by_key; /* struct gone_list */
};

struct gone_pods *gone_pods_new(void)
{
	struct gone_pods *g = xcalloc(1, sizeof(*g));

	(void)pthread_mutex_init(&g->mutex, NULL);
	map_init(&g->by_key, INFORMER_MAX_OBJECTS);
	return g;
}

static void list_free(struct gone_list *l)
{
	for (size_t i = 0; i < l->v.len; i++) {
		free(l->v.ptr[i].region);
	}
	vec_release(&l->v);
	free(l);
}

void gone_pods_free(struct gone_pods *g)
{
	struct map_entry *e;

	if (!g)
		return;
	for (size_t i = 0; (e = map_next(&g->by_key, &i));)
		list_free(e->value);
	map_release(&g->by_key);
	(void)pthread_mutex_destroy(&g->mutex);
	free(g);
}

void gone_pods_add(struct gone_pods *g, const char *key, const struct pod_interval *interval)
{
	MUTEX_GUARD(&g->mutex);
	struct gone_list *l = map_get(&g->by_key, str_from(key));
	struct error err;
	void *old;

	if (!l) {
		l = xcalloc(1, sizeof(*l));
		if (map_put(&g->by_key, str_from(key), l, &old, &err)) {
			free(l);
			return;
		}
	}
	struct gone *slot = vec_push(&l->v, GONE_PODS_MAX);
	if (!slot) {
		l->v.ptr[GONE_PODS_MAX - 1].end_ms += interval->end_ms - interval->start_ms;
		return;
	}
	*slot = (struct gone){ interval->region ? xstrdup(interval->region) : NULL, interval->start_ms,
			       interval->end_ms, interval->milliwatts };
}

void gone_pods_get(struct gone_pods *g, const char *key, struct arena *arena, struct pod_interval **ret, size_t *ret_n)
{
	MUTEX_GUARD(&g->mutex);
	const struct gone_list *l = map_get(&g->by_key, str_from(key));

	*ret = NULL;
	*ret_n = 0;
	if (!l)
		return;
	*ret = arena_array(arena, l->v.len, struct pod_interval);
	for (size_t i = 0; i < l->v.len; i++) {
		const struct gone *p = &l->v.ptr[i];

		(*ret)[(*ret_n)++] =
			(struct pod_interval){ arena_strdup(arena, p->region), p->start_ms, p->end_ms, p->milliwatts };
	}
}

void gone_pods_forget(struct gone_pods *g, const char *key, size_t n)
{
	MUTEX_GUARD(&g->mutex);
	struct gone_list *l = map_get(&g->by_key, str_from(key));

	if (!l)
		return;
	for (size_t i = 0; i < n && i < l->v.len; i++) {
		free(l->v.ptr[i].region);
	}
	n = MIN(n, l->v.len);
	memmove(l->v.ptr, l->v.ptr + n, (l->v.len - n) * sizeof(*l->v.ptr));
	l->v.len -= n;
	if (l->v.len == 0) {
		(void)map_del(&g->by_key, str_from(key));
		list_free(l);
	}
}
