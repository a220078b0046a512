/* SPDX-License-Identifier: Apache-2.0 */
/* The event recorder: a bounded queue, and a thread that aggregates, filters and writes. */
#include "k8s/events.h"

#include <stdarg.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/rand.h"
#include "json/writer.h"
#include "k8s/internal.h"
#include "metrics/metrics.h"

#define AGGREGATE_MS (10 * MINUTE_MS)
#define SPAM_BURST 25
#define SPAM_QPS (1.0 / 300)
#define FLUSH_MS (2 * SECOND_MS)
#define MAX_TRIES 3
/* metadata.name has 253 characters: the object's name, a dot, 16 hex digits. */
#define NAME_MAX_PREFIX 236
#define EVENT_NAME_SIZE (NAME_MAX_PREFIX + 18)

static struct metric events_metric =
	METRIC_COUNTER("k8s_events_total", "Events by what became of them: sent, dropped, filtered, failed.", "result");

static const struct object_type event_type = {
	.kind = "Event", .api_version = "v1", .plural = "events", .namespaced = true
};

/* One to be written. Strings follow the struct, so that it is one allocation. */
struct pending {
	struct pending *next;
	struct arena arena;
	const struct object *about;
	enum event_type type;
	const char *reason;
	const char *message;
	int64_t time_ms;
};

/* An Event that exists, for counting on. There may be thousands: its name is made anew from the object's. */
struct known {
	uint64_t suffix;
	int64_t count;
	int64_t last_ms; /* monotonic */
};

struct recorder {
	struct k8s_client *client;
	char *component;
	char *instance;
	pthread_t thread;
	pthread_mutex_t mutex; /* the queue and the two below */
	pthread_cond_t wake;
	struct pending *first, *last;
	size_t len;
	bool stop;
	int64_t stop_by_ms; /* monotonic */
	/* The thread's own. */
	struct map known;   /* uid, type, reason, hash of the message -> struct known */
	struct map objects; /* uid -> struct bucket */
	struct metric_series *sent, *dropped, *filtered, *failed;
};

static void pending_free(struct pending *p)
{
	struct arena arena = p->arena; /* holds p itself */

	object_unref(p->about);
	arena_release(&arena);
}

void recorder_event(struct recorder *r, const struct object *about, enum event_type type, const char *reason,
		    const char *message_fmt, ...)
{
	char message[EVENT_MESSAGE_MAX + 1];
	struct arena arena;
	va_list args;

	if (!r)
		return;
	va_start(args, message_fmt);
	(void)vsnprintf(message, sizeof(message), message_fmt, args);
	va_end(args);
	arena_init(&arena, sizeof(struct pending) + strlen(reason) + strlen(message) + 2, 64 * 1024);
	struct pending *p = arena_new(&arena, struct pending);
	*p = (struct pending){ .about = object_ref(about), .type = type, .time_ms = clock_wall_ms() };
	p->reason = arena_strdup(&arena, reason);
	p->message = arena_strdup(&arena, message);
	p->arena = arena;

	(void)pthread_mutex_lock(&r->mutex);
	bool full = r->len == EVENTS_MAX_QUEUE || r->stop;
	if (!full) {
		if (r->last)
			r->last->next = p;
		else
			r->first = p;
		r->last = p;
		r->len++;
		(void)pthread_cond_signal(&r->wake);
	}
	(void)pthread_mutex_unlock(&r->mutex);
	if (full) {
		metric_inc(r->dropped);
		pending_free(p);
	}
}

/* The value under a key of a bounded cache, made when new; a full cache begins again from nothing. */
static void *cached(struct map *m, const char *key, size_t size)
{
	void *value = map_get(m, str_from(key)), *ignored;
	struct map_entry *e;
	struct error err;

	if (value)
		return value;
	if (m->len == m->max) {
		for (size_t at = 0; (e = map_next(m, &at));)
			free(e->value);
		map_release(m);
	}
	value = xcalloc(1, size);
	if (map_put(m, str_from(key), value, &ignored, &err))
		abort();
	return value;
}

/* What Events are namespaced by: cluster-scoped objects have theirs in "default". */
static const char *event_namespace(const struct pending *p)
{
	return *p->about->meta.namespace ? p->about->meta.namespace : "default";
}

static int write_new(const struct recorder *r, const struct pending *p, const char *name, struct buf *b,
		     struct error *err)
{
	const struct object *o = p->about;
	struct json_writer w = json_writer(b);

	jw_object(&w, NULL);
	jw_string(&w, "apiVersion", "v1");
	jw_string(&w, "kind", "Event");
	jw_object(&w, "metadata");
	jw_string(&w, "name", name);
	jw_string(&w, "namespace", event_namespace(p));
	jw_end_object(&w);
	jw_object(&w, "involvedObject");
	jw_string(&w, "apiVersion", o->type->api_version);
	jw_string(&w, "kind", o->type->kind);
	jw_string_opt(&w, "namespace", *o->meta.namespace ? o->meta.namespace : NULL);
	jw_string(&w, "name", o->meta.name);
	jw_string_opt(&w, "uid", *o->meta.uid ? o->meta.uid : NULL);
	jw_string_opt(&w, "resourceVersion", *o->meta.resource_version ? o->meta.resource_version : NULL);
	jw_end_object(&w);
	jw_string(&w, "type", p->type == EVENT_WARNING ? "Warning" : "Normal");
	jw_string(&w, "reason", p->reason);
	jw_string(&w, "message", p->message);
	jw_object(&w, "source");
	jw_string(&w, "component", r->component);
	jw_end_object(&w);
	jw_string(&w, "reportingComponent", r->component);
	jw_string(&w, "reportingInstance", r->instance);
	jw_time(&w, "firstTimestamp", p->time_ms);
	jw_time(&w, "lastTimestamp", p->time_ms);
	jw_i64(&w, "count", 1);
	jw_end_object(&w);
	return buf_check(b, "event", err);
}

static void event_name(const struct pending *p, const struct known *k, char out[EVENT_NAME_SIZE])
{
	size_t len = MIN(strlen(p->about->meta.name), NAME_MAX_PREFIX);

	/* A part of a DNS name must end with a letter or digit. */
	while (len > 1 && strchr(".-", p->about->meta.name[len - 1]))
		len--;
	(void)snprintf(out, EVENT_NAME_SIZE, "%.*s.%016" PRIx64, (int)len, p->about->meta.name, k->suffix);
}

static int create_event(struct recorder *r, const struct pending *p, struct known *k, struct error *err)
{
	_cleanup_(buf_release) struct buf body = BUF_INIT(16 * 1024);
	char path[K8S_PATH_MAX], name[EVENT_NAME_SIZE];

	k->suffix = rand_u64();
	k->count = 1;
	event_name(p, k, name);
	if (write_new(r, p, name, &body, err) || k8s_path(path, &event_type, event_namespace(p), NULL, NULL, err))
		return -1;
	return k8s_create(r->client, path, buf_str(&body), NULL, err);
}

static int count_event(struct recorder *r, const struct pending *p, struct known *k, struct error *err)
{
	_cleanup_(buf_release) struct buf body = BUF_INIT(1024);
	struct json_writer w = json_writer(&body);
	char path[K8S_PATH_MAX], name[EVENT_NAME_SIZE];

	event_name(p, k, name);
	jw_object(&w, NULL);
	jw_i64(&w, "count", k->count + 1);
	jw_time(&w, "lastTimestamp", p->time_ms);
	jw_end_object(&w);
	if (k8s_path(path, &event_type, event_namespace(p), name, NULL, err) ||
	    k8s_patch(r->client, path, K8S_PATCH_MERGE, buf_str(&body), NULL, err))
		return -1;
	k->count++;
	return 0;
}

static bool is_stopping(struct recorder *r)
{
	MUTEX_GUARD(&r->mutex);
	return r->stop;
}

static void pause_before_retry(struct recorder *r, int64_t ms)
{
	MUTEX_GUARD(&r->mutex);
	if (!r->stop)
		cond_wait_until(&r->wake, &r->mutex, clock_mono_ms() + ms);
}

static int send_event(struct recorder *r, const struct pending *p, struct known *k, struct error *err)
{
	for (int i = 1;; i++) {
		/* An Event lives an hour in etcd; somebody may have deleted it earlier. */
		int failed = k->count > 0 ? count_event(r, p, k, err) : -1;

		if (k->count == 0 || (failed && err->code == ERR_NOT_FOUND))
			failed = create_event(r, p, k, err);
		if (!failed)
			return 0;
		if (i == MAX_TRIES || !error_is_transient(err) || err->code == ERR_CONFLICT || is_stopping(r))
			return -1;
		pause_before_retry(r, i * SECOND_MS);
	}
}

static void handle(struct recorder *r, const struct pending *p)
{
	/* The message by its hash: what collides within one object is counted as the same. */
	_cleanup_free_ char *same = xasprintf("%s %d %s %016" PRIx64, p->about->meta.uid, (int)p->type, p->reason,
					      str_fnv1a(str_from(p->message)));
	struct known *k = cached(&r->known, same, sizeof(*k));
	int64_t now_ms = clock_mono_ms();
	struct error err;

	if (k->count > 0 && now_ms - k->last_ms > AGGREGATE_MS)
		k->count = 0;
	struct bucket *b = cached(&r->objects, p->about->meta.uid, sizeof(*b));
	if (b->burst < 1)
		bucket_init(b, SPAM_QPS, SPAM_BURST, clock_mono_us());
	if (!bucket_try(b, clock_mono_us())) {
		metric_inc(r->filtered);
		return;
	}
	if (send_event(r, p, k, &err)) {
		k->count = 0;
		metric_inc(r->failed);
		return;
	}
	k->last_ms = now_ms;
	metric_inc(r->sent);
}

/* The next one, or NULL when it is time to go. */
static struct pending *take(struct recorder *r)
{
	MUTEX_GUARD(&r->mutex);
	while (!r->first && !r->stop)
		(void)pthread_cond_wait(&r->wake, &r->mutex);
	if (!r->first || (r->stop && clock_mono_ms() >= r->stop_by_ms))
		return NULL;
	struct pending *p = r->first;
	r->first = p->next;
	if (!r->first)
		r->last = NULL;
	r->len--;
	return p;
}

static void *run(void *arg)
{
	struct recorder *r = arg;
	struct pending *p;

	thread_set_name("events");
	while ((p = take(r))) {
		handle(r, p);
		pending_free(p);
	}
	return NULL;
}

int recorder_new(struct k8s *k, const char *component, const char *instance, struct recorder **ret, struct error *err)
{
	struct recorder *r = xcalloc(1, sizeof(*r));

	r->client = k8s_client_new(k);
	k8s_client_set_timeout(r->client, FLUSH_MS);
	r->component = xstrdup(component);
	r->instance = xstrdup(instance);
	(void)pthread_mutex_init(&r->mutex, NULL);
	cond_init(&r->wake);
	map_init(&r->known, EVENTS_MAX_KNOWN);
	map_init(&r->objects, EVENTS_MAX_KNOWN);
	r->sent = metric_series(&events_metric, "sent");
	r->dropped = metric_series(&events_metric, "dropped");
	r->filtered = metric_series(&events_metric, "filtered");
	r->failed = metric_series(&events_metric, "failed");
	int errnum = pthread_create(&r->thread, NULL, run, r);
	if (errnum) {
		r->stop = true;
		recorder_free(r);
		return error_errno(err, ERR_INTERNAL, errnum, "event thread");
	}
	*ret = r;
	return 0;
}

static void free_values(struct map *m)
{
	struct map_entry *e;

	for (size_t at = 0; (e = map_next(m, &at));)
		free(e->value);
	map_release(m);
}

void recorder_free(struct recorder *r)
{
	if (!r)
		return;
	(void)pthread_mutex_lock(&r->mutex);
	bool running = !r->stop;
	r->stop = true;
	r->stop_by_ms = clock_mono_ms() + FLUSH_MS;
	(void)pthread_cond_signal(&r->wake);
	(void)pthread_mutex_unlock(&r->mutex);
	if (running)
		(void)pthread_join(r->thread, NULL);
	for (struct pending *p = r->first, *next; p; p = next) {
		next = p->next;
		metric_inc(r->dropped);
		pending_free(p);
	}
	free_values(&r->known);
	free_values(&r->objects);
	k8s_client_free(r->client);
	free(r->component);
	free(r->instance);
	(void)pthread_cond_destroy(&r->wake);
	(void)pthread_mutex_destroy(&r->mutex);
	free(r);
}
