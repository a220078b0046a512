/* SPDX-License-Identifier: Apache-2.0 */
/* Joins reflector, store and handlers, and lets other threads wait for the first list. */
#include "k8s/informer.h"

#include "base/alloc.h"
#include "k8s/internal.h"

struct handler {
	store_event_fn fn;
	void *arg;
};

struct informer {
	struct http_loop *loop;
	struct store *store;
	struct reflector *reflector;
	struct handler handlers[INFORMER_MAX_HANDLERS];
	int n_handlers;
	store_added_fn added; /* NULL = none */
	void *added_arg;
	bool started;
	_Atomic(bool) synced;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool stopped;            /* by the mutex: the net thread has let go */
	struct error last_error; /* by the mutex: since the last list */
};

static void on_changed(void *arg, const struct object *old, const struct object *new)
{
	const struct informer *i = arg;

	for (int n = 0; n < i->n_handlers; n++)
		i->handlers[n].fn(i->handlers[n].arg, old, new);
}

static void on_added(void *arg, const struct object *o, struct str text)
{
	const struct informer *i = arg;

	if (i->added)
		i->added(i->added_arg, o, text);
}

static void on_synced(void *arg)
{
	struct informer *i = arg;

	MUTEX_GUARD(&i->mutex);
	atomic_store(&i->synced, true);
	(void)pthread_cond_broadcast(&i->changed);
}

static void on_failed(void *arg, const struct error *err)
{
	struct informer *i = arg;

	MUTEX_GUARD(&i->mutex);
	i->last_error = *err;
}

struct informer *informer_new(struct k8s *k, struct http_loop *loop, const struct informer_options *o)
{
	struct informer *i = xcalloc(1, sizeof(*i));

	i->loop = loop;
	i->store = store_new(o->max ? o->max : INFORMER_MAX_OBJECTS);
	(void)pthread_mutex_init(&i->mutex, NULL);
	cond_init(&i->changed);
	i->reflector = reflector_new(
		k, loop, &(struct reflector_options){ o->type, o->ns, o->label_selector, o->field_selector }, i->store,
		&(struct reflector_hooks){ on_changed, on_added, on_synced, on_failed, i });
	return i;
}

void informer_add_handler(struct informer *i, store_event_fn fn, void *arg)
{
	if (i->n_handlers == INFORMER_MAX_HANDLERS || i->started)
		abort();
	i->handlers[i->n_handlers++] = (struct handler){ fn, arg };
}

void informer_on_added(struct informer *i, store_added_fn fn, void *arg)
{
	if (i->added || i->started)
		abort();
	i->added = fn;
	i->added_arg = arg;
}

static void start_task(void *arg)
{
	struct informer *i = arg;

	reflector_start(i->reflector);
}

void informer_start(struct informer *i)
{
	i->started = true;
	http_loop_post(i->loop, start_task, i);
}

static void stop_task(void *arg)
{
	struct informer *i = arg;

	reflector_free(i->reflector);
	i->reflector = NULL;
	MUTEX_GUARD(&i->mutex);
	i->stopped = true;
	(void)pthread_cond_broadcast(&i->changed);
}

void informer_free(struct informer *i)
{
	if (!i)
		return;
	if (i->started) {
		http_loop_post(i->loop, stop_task, i);
		(void)pthread_mutex_lock(&i->mutex);
		while (!i->stopped)
			(void)pthread_cond_wait(&i->changed, &i->mutex);
		(void)pthread_mutex_unlock(&i->mutex);
	} else {
		reflector_free(i->reflector);
	}
	store_free(i->store);
	(void)pthread_cond_destroy(&i->changed);
	(void)pthread_mutex_destroy(&i->mutex);
	free(i);
}

struct store *informer_store(const struct informer *i)
{
	return i->store;
}

bool informer_synced(const struct informer *i)
{
	return atomic_load(&i->synced);
}

int informer_wait_synced(struct informer *i, int64_t timeout_ms, struct error *err)
{
	int64_t until_ms = clock_mono_ms() + timeout_ms;

	MUTEX_GUARD(&i->mutex);
	while (!atomic_load(&i->synced)) {
		if (clock_mono_ms() < until_ms)
			cond_wait_until(&i->changed, &i->mutex, until_ms);
		else if (i->last_error.code == ERR_NONE)
			return error_set(err, ERR_TIMEOUT, "not synced in %" PRId64 " s", timeout_ms / SECOND_MS);
		else
			return error_set(err, ERR_TIMEOUT, "not synced in %" PRId64 " s: %s", timeout_ms / SECOND_MS,
					 i->last_error.msg);
	}
	return 0;
}

int64_t informer_silent_ms(const struct informer *i)
{
	int64_t heard_ms = reflector_last_heard_ms(i->reflector);

	return heard_ms == TIME_NONE ? INT64_MAX : clock_mono_ms() - heard_ms;
}
