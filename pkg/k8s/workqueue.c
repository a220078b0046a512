/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One map of all keys known, a list of those that wait, a heap of those that are delayed, and a list of those in work.
 * An item lives as long as it is in any of them or has failures to remember.
 */
#include "k8s/workqueue.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/vec.h"
#include "k8s/internal.h"
#include "metrics/metrics.h"

#define WORK_METRICS_EVERY_US 500000

static struct metric depth_metric = METRIC_GAUGE("workqueue_depth", "Keys that wait in the queue.", "name");
static struct metric adds_metric = METRIC_COUNTER("workqueue_adds_total", "Keys added to the queue.", "name");
static struct metric retries_metric = METRIC_COUNTER("workqueue_retries_total", "Rate-limited adds.", "name");
static struct metric unfinished_metric =
	METRIC_GAUGE("workqueue_unfinished_work_seconds", "Sum of the ages of the calls that are running.", "name");
static struct metric longest_metric =
	METRIC_GAUGE("workqueue_longest_running_processor_seconds", "Age of the longest call that is running.", "name");
static struct metric wait_metric = METRIC_HISTOGRAM(
	"workqueue_queue_duration_seconds", "Time from being added to being got.", metric_latency_buckets, "name");
static struct metric work_metric = METRIC_HISTOGRAM(
	"workqueue_work_duration_seconds", "Time from being got to being done.", metric_latency_buckets, "name");

struct item {
	bool dirty;      /* wants to run: in the waiting list, or again after the run under way */
	bool processing; /* handed to a worker */
	int failures;
	int64_t ready_ms; /* while in the heap */
	size_t heap_at;   /* position + 1; 0 = not delayed */
	int64_t added_us;
	int64_t started_us;
	struct item *next; /* waiting list */
	size_t work_at;    /* position in `working` */
	size_t key_len;
	char key[];
};

struct workqueue {
	pthread_mutex_t mutex;
	pthread_cond_t changed; /* something waits, or the earliest delay moved, or shut down */
	pthread_cond_t idle;
	struct workqueue_options options;
	struct map items; /* key -> struct item */
	struct item *first, *last;
	size_t waiting;
	VEC(struct item *) heap; /* earliest first */
	VEC(struct item *) working;
	struct bucket bucket;
	bool shut_down;
	int64_t metrics_us;
	struct metric_series *depth, *adds, *retries, *unfinished, *longest, *wait, *work;
};

struct workqueue *workqueue_new(const struct workqueue_options *o)
{
	struct workqueue *q = xcalloc(1, sizeof(*q));

	(void)pthread_mutex_init(&q->mutex, NULL);
	cond_init(&q->changed);
	cond_init(&q->idle);
	q->options = *o;
	if (!q->options.max)
		q->options.max = 200000;
	if (!q->options.base_delay_ms)
		q->options.base_delay_ms = 5;
	if (!q->options.max_delay_ms)
		q->options.max_delay_ms = 1000 * SECOND_MS;
	bucket_init(&q->bucket, o->qps > 0 ? o->qps : 10, o->burst > 0 ? o->burst : 100, clock_mono_us());
	map_init_borrowing(&q->items, q->options.max);
	q->depth = metric_series(&depth_metric, o->name);
	q->adds = metric_series(&adds_metric, o->name);
	q->retries = metric_series(&retries_metric, o->name);
	q->unfinished = metric_series(&unfinished_metric, o->name);
	q->longest = metric_series(&longest_metric, o->name);
	q->wait = metric_series(&wait_metric, o->name);
	q->work = metric_series(&work_metric, o->name);
	return q;
}

void workqueue_free(struct workqueue *q)
{
	const struct map_entry *e;

	if (!q)
		return;
	for (size_t at = 0; (e = map_next(&q->items, &at));)
		free(e->value);
	map_release(&q->items);
	vec_release(&q->heap);
	vec_release(&q->working);
	(void)pthread_cond_destroy(&q->changed);
	(void)pthread_cond_destroy(&q->idle);
	(void)pthread_mutex_destroy(&q->mutex);
	free(q);
}

/* The delay heap: a binary heap by ready_ms in which every item knows its place. */

static void heap_place(struct workqueue *q, size_t at, struct item *i)
{
	q->heap.ptr[at] = i;
	i->heap_at = at + 1;
}

static void heap_up(struct workqueue *q, size_t at, struct item *i)
{
	for (size_t parent; at > 0 && q->heap.ptr[parent = (at - 1) / 2]->ready_ms > i->ready_ms; at = parent)
		heap_place(q, at, q->heap.ptr[parent]);
	heap_place(q, at, i);
}

static void heap_down(struct workqueue *q, size_t at, struct item *i)
{
	for (size_t child; (child = 2 * at + 1) < q->heap.len; at = child) {
		if (child + 1 < q->heap.len && q->heap.ptr[child + 1]->ready_ms < q->heap.ptr[child]->ready_ms)
			child++;
		if (q->heap.ptr[child]->ready_ms >= i->ready_ms)
			break;
		heap_place(q, at, q->heap.ptr[child]);
	}
	heap_place(q, at, i);
}

static void heap_remove(struct workqueue *q, struct item *i)
{
	size_t at = i->heap_at - 1;
	struct item *moved = q->heap.ptr[--q->heap.len];

	i->heap_at = 0;
	if (moved == i)
		return;
	if (moved->ready_ms < i->ready_ms)
		heap_up(q, at, moved);
	else
		heap_down(q, at, moved);
}

/* All below: with the mutex held. */

static struct item *item_get(struct workqueue *q, const char *key)
{
	size_t len = strlen(key);
	struct item *i = map_get(&q->items, str_of(key, len));
	struct error err;
	void *ignored;

	if (i || len == 0 || len >= OBJECT_KEY_MAX)
		return i;
	i = xcalloc(1, sizeof(*i) + len + 1);
	memcpy(i->key, key, len + 1);
	i->key_len = len;
	if (map_put(&q->items, str_of(i->key, len), i, &ignored, &err)) {
		free(i);
		return NULL;
	}
	return i;
}

static void item_drop_if_unused(struct workqueue *q, struct item *i)
{
	if (i->dirty || i->processing || i->heap_at || i->failures)
		return;
	(void)map_del(&q->items, str_of(i->key, i->key_len));
	free(i);
}

static void append(struct workqueue *q, struct item *i)
{
	i->next = NULL;
	if (q->last)
		q->last->next = i;
	else
		q->first = i;
	q->last = i;
	metric_set(q->depth, (double)++q->waiting);
	(void)pthread_cond_signal(&q->changed);
}

static void add(struct workqueue *q, struct item *i)
{
	if (i->heap_at)
		heap_remove(q, i);
	if (i->dirty)
		return;
	i->dirty = true;
	i->added_us = clock_mono_us();
	metric_inc(q->adds);
	if (!i->processing)
		append(q, i);
}

static void add_after(struct workqueue *q, struct item *i, int64_t delay_ms)
{
	int64_t ready_ms = clock_mono_ms() + MIN(delay_ms, DAY_MS * 365);

	if (delay_ms <= 0) {
		add(q, i);
		return;
	}
	/* It is about to run anyway and will say then when to run next; or it is due earlier. */
	if (i->dirty || (i->heap_at && i->ready_ms <= ready_ms))
		return;
	if (i->heap_at)
		heap_remove(q, i);
	i->ready_ms = ready_ms;
	/* No more delayed items than items, whose number is bounded. */
	*vec_push(&q->heap, q->options.max) = i;
	heap_up(q, q->heap.len - 1, i);
	if (i->heap_at == 1)
		(void)pthread_cond_signal(&q->changed);
}

static void add_due(struct workqueue *q)
{
	int64_t now_ms = clock_mono_ms();

	while (q->heap.len > 0 && q->heap.ptr[0]->ready_ms <= now_ms)
		add(q, q->heap.ptr[0]);
}

static void measure_work(struct workqueue *q, int64_t now_us)
{
	int64_t sum = 0, longest = 0;

	if (now_us - q->metrics_us < WORK_METRICS_EVERY_US && q->working.len > 0)
		return;
	q->metrics_us = now_us;
	for (size_t i = 0; i < q->working.len; i++) {
		int64_t age = now_us - q->working.ptr[i]->started_us;

		sum += age;
		longest = MAX(longest, age);
	}
	metric_set(q->unfinished, (double)sum / 1e6);
	metric_set(q->longest, (double)longest / 1e6);
}

bool workqueue_add(struct workqueue *q, const char *key)
{
	return workqueue_add_after(q, key, 0);
}

bool workqueue_add_after(struct workqueue *q, const char *key, int64_t delay_ms)
{
	MUTEX_GUARD(&q->mutex);
	struct item *i = q->shut_down ? NULL : item_get(q, key);

	if (!i)
		return false;
	add_after(q, i, delay_ms);
	measure_work(q, clock_mono_us());
	return true;
}

bool workqueue_add_rate_limited(struct workqueue *q, const char *key)
{
	MUTEX_GUARD(&q->mutex);
	struct item *i = q->shut_down ? NULL : item_get(q, key);

	if (!i)
		return false;
	int64_t shared_ms = (bucket_reserve(&q->bucket, clock_mono_us()) + 999) / 1000;
	int64_t own_ms = q->options.base_delay_ms << MIN(i->failures, 30);
	i->failures++;
	metric_inc(q->retries);
	add_after(q, i, MAX(shared_ms, MIN(own_ms, q->options.max_delay_ms)));
	return true;
}

void workqueue_forget(struct workqueue *q, const char *key)
{
	MUTEX_GUARD(&q->mutex);
	struct item *i = map_get(&q->items, str_from(key));

	if (!i)
		return;
	i->failures = 0;
	item_drop_if_unused(q, i);
}

int workqueue_retries(struct workqueue *q, const char *key)
{
	MUTEX_GUARD(&q->mutex);
	const struct item *i = map_get(&q->items, str_from(key));

	return i ? i->failures : 0;
}

static void start_work(struct workqueue *q, struct item *i)
{
	int64_t now_us = clock_mono_us();

	q->first = i->next;
	if (!q->first)
		q->last = NULL;
	metric_set(q->depth, (double)--q->waiting);
	i->dirty = false;
	i->processing = true;
	i->started_us = now_us;
	i->work_at = q->working.len;
	*vec_push(&q->working, q->options.max) = i;
	metric_observe(q->wait, (double)(now_us - i->added_us) / 1e6);
	measure_work(q, now_us);
}

bool workqueue_get(struct workqueue *q, char key[OBJECT_KEY_MAX])
{
	MUTEX_GUARD(&q->mutex);
	for (;;) {
		add_due(q);
		if (q->first)
			break;
		if (q->shut_down)
			return false;
		cond_wait_until(&q->changed, &q->mutex, q->heap.len ? q->heap.ptr[0]->ready_ms : INT64_MAX);
	}
	struct item *i = q->first;
	memcpy(key, i->key, i->key_len + 1);
	start_work(q, i);
	/* The signal of a delay that became due may have gone to this thread for several keys. */
	if (q->first)
		(void)pthread_cond_signal(&q->changed);
	return true;
}

void workqueue_done(struct workqueue *q, const char *key)
{
	MUTEX_GUARD(&q->mutex);
	struct item *i = map_get(&q->items, str_from(key));

	if (!i || !i->processing)
		return;
	int64_t now_us = clock_mono_us();
	metric_observe(q->work, (double)(now_us - i->started_us) / 1e6);
	i->processing = false;
	q->working.ptr[i->work_at] = q->working.ptr[--q->working.len];
	q->working.ptr[i->work_at]->work_at = i->work_at;
	measure_work(q, now_us);
	if (i->dirty)
		append(q, i);
	else
		item_drop_if_unused(q, i);
	if (q->working.len == 0 && q->waiting == 0)
		(void)pthread_cond_broadcast(&q->idle);
}

size_t workqueue_len(struct workqueue *q)
{
	MUTEX_GUARD(&q->mutex);
	add_due(q);
	return q->waiting;
}

static void shut_down_locked(struct workqueue *q)
{
	q->shut_down = true;
	while (q->heap.len > 0) {
		struct item *i = q->heap.ptr[q->heap.len - 1];

		heap_remove(q, i);
		item_drop_if_unused(q, i);
	}
	(void)pthread_cond_broadcast(&q->changed);
	(void)pthread_cond_broadcast(&q->idle);
}

void workqueue_shutdown(struct workqueue *q)
{
	MUTEX_GUARD(&q->mutex);
	shut_down_locked(q);
}

void workqueue_shutdown_now(struct workqueue *q)
{
	MUTEX_GUARD(&q->mutex);
	shut_down_locked(q);
	for (size_t i = 0; i < q->working.len; i++)
		q->working.ptr[i]->dirty = false;
	for (struct item *i = q->first, *next; i; i = next) {
		next = i->next;
		i->dirty = false;
		item_drop_if_unused(q, i);
	}
	q->first = q->last = NULL;
	q->waiting = 0;
	metric_set(q->depth, 0);
}

bool workqueue_wait_idle(struct workqueue *q, int64_t timeout_ms)
{
	int64_t until_ms = clock_mono_ms() + timeout_ms;

	MUTEX_GUARD(&q->mutex);
	while (q->working.len > 0 || q->waiting > 0) {
		if (clock_mono_ms() >= until_ms)
			return false;
		cond_wait_until(&q->idle, &q->mutex, until_ms);
	}
	return true;
}
