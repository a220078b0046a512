/* SPDX-License-Identifier: Apache-2.0 */
/* Workers, and the one place where an error's code becomes a retry. */
#include "k8s/controller.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "k8s/internal.h"
#include "log/log.h"
#include "metrics/metrics.h"

#define MAX_WORKERS 64
#define ARENA_FIRST_CHUNK (16 * 1024)

static struct metric total_metric =
	METRIC_COUNTER("controller_runtime_reconcile_total", "Reconcile calls by result.", "controller", "result");
static struct metric errors_metric =
	METRIC_COUNTER("controller_runtime_reconcile_errors_total", "Reconcile calls that failed.", "controller");
static struct metric terminal_metric = METRIC_COUNTER("controller_runtime_terminal_reconcile_errors_total",
						      "Reconcile calls that failed for good.", "controller");
static struct metric time_metric =
	METRIC_HISTOGRAM("controller_runtime_reconcile_time_seconds", "Duration of reconcile calls.",
			 metric_latency_buckets, "controller");
static struct metric active_metric =
	METRIC_GAUGE("controller_runtime_active_workers", "Workers inside a reconcile call.", "controller");
static struct metric workers_metric =
	METRIC_GAUGE("controller_runtime_max_concurrent_reconciles", "Number of workers.", "controller");

struct controller {
	struct controller_options options;
	struct workqueue *queue;
	pthread_t threads[MAX_WORKERS];
	struct {
		struct controller *controller;
		int index;
	} starts[MAX_WORKERS];
	int running;
	struct metric_series *errors, *terminal, *time, *active;
	struct metric_series *success, *requeue_after, *error;
};

struct controller *controller_new(const struct controller_options *o)
{
	struct controller *c = xcalloc(1, sizeof(*c));

	c->options = *o;
	c->options.workers = CLAMP(o->workers, 1, MAX_WORKERS);
	if (!c->options.arena_max)
		c->options.arena_max = 64 * 1024 * 1024;
	c->queue = workqueue_new(&(struct workqueue_options){
		.name = o->name, .max_delay_ms = o->max_delay_ms, .qps = o->retry_qps, .burst = o->retry_burst });
	c->errors = metric_series(&errors_metric, o->name);
	c->terminal = metric_series(&terminal_metric, o->name);
	c->time = metric_series(&time_metric, o->name);
	c->active = metric_series(&active_metric, o->name);
	c->success = metric_series(&total_metric, o->name, "success");
	c->requeue_after = metric_series(&total_metric, o->name, "requeue_after");
	c->error = metric_series(&total_metric, o->name, "error");
	metric_set(metric_series(&workers_metric, o->name), c->options.workers);
	return c;
}

struct workqueue *controller_queue(const struct controller *c)
{
	return c->queue;
}

static void handle_success(struct controller *c, const char *key, int64_t requeue_after_ms)
{
	workqueue_forget(c->queue, key);
	if (requeue_after_ms > 0)
		(void)workqueue_add_after(c->queue, key, requeue_after_ms);
	metric_inc(requeue_after_ms > 0 ? c->requeue_after : c->success);
}

static void handle_error(struct controller *c, const char *key, const struct error *err)
{
	bool terminal = err->code == ERR_INVALID;
	/* Somebody else was faster: the ordinary course of optimistic locking. */
	enum log_level level = err->code == ERR_CONFLICT ? LOG_DEBUG : terminal ? LOG_ERROR : LOG_WARN;

	log_write(level, "reconcile failed",
		  LOG_FIELDS(LOG_STR("controller", c->options.name), LOG_STR("key", key),
			     LOG_STR("code", error_code_name(err->code)), LOG_BOOL("retry", !terminal), LOG_ERR(err)));
	metric_inc(c->error);
	metric_inc(c->errors);
	if (terminal) {
		metric_inc(c->terminal);
		workqueue_forget(c->queue, key);
	} else if (err->retry_after_ms > 0) {
		(void)workqueue_add_after(c->queue, key, err->retry_after_ms);
	} else {
		(void)workqueue_add_rate_limited(c->queue, key);
	}
}

static void reconcile_one(struct controller *c, struct worker *w, const char *key)
{
	struct reconcile_result result = { 0 };
	struct error err = ERROR_INIT;
	int64_t start_us = clock_mono_us();

	metric_add(c->active, 1);
	int failed = c->options.reconcile(c->options.arg, w, key, &result, &err);
	metric_add(c->active, -1);
	metric_observe(c->time, (double)(clock_mono_us() - start_us) / 1e6);
	if (failed)
		handle_error(c, key, &err);
	else
		handle_success(c, key, result.requeue_after_ms);
	arena_reset(w->arena);
}

static void *work(void *arg)
{
	const __typeof__(((struct controller *)0)->starts[0]) *start = arg;
	struct controller *c = start->controller;
	char key[OBJECT_KEY_MAX];
	struct arena arena;

	arena_init(&arena, ARENA_FIRST_CHUNK, c->options.arena_max);
	struct worker w = { k8s_client_new(c->options.k8s), &arena, c->queue, start->index };
	thread_set_name(c->options.name);
	while (workqueue_get(c->queue, key)) {
		reconcile_one(c, &w, key);
		workqueue_done(c->queue, key);
	}
	k8s_client_free(w.client);
	arena_release(&arena);
	return NULL;
}

int controller_start(struct controller *c, struct error *err)
{
	for (int i = 0; i < c->options.workers; i++) {
		c->starts[i].controller = c;
		c->starts[i].index = i;
		int errnum = pthread_create(&c->threads[i], NULL, work, &c->starts[i]);
		if (errnum) {
			controller_stop(c, 0);
			return error_errno(err, ERR_INTERNAL, errnum, "worker thread");
		}
		c->running++;
	}
	return 0;
}

void controller_stop(struct controller *c, int64_t drain_ms)
{
	if (drain_ms > 0 && c->running > 0) {
		workqueue_shutdown(c->queue);
		(void)workqueue_wait_idle(c->queue, drain_ms);
	}
	workqueue_shutdown_now(c->queue);
	for (; c->running > 0; c->running--)
		(void)pthread_join(c->threads[c->running - 1], NULL);
}

void controller_free(struct controller *c)
{
	if (!c)
		return;
	controller_stop(c, 0);
	workqueue_free(c->queue);
	free(c);
}

void controller_enqueue(void *arg, const struct object *old, const struct object *new)
{
	struct controller *c = arg;

	(void)workqueue_add(c->queue, (new ? new : old)->meta.key);
}

static void enqueue_owner(struct controller *c, const struct object *o)
{
	char key[OBJECT_KEY_MAX];

	if (!o || !o->meta.owner.kind)
		return;
	int n = snprintf(key, sizeof(key), "%s%s%s", o->meta.namespace, *o->meta.namespace ? "/" : "",
			 o->meta.owner.name);
	if (n > 0 && (size_t)n < sizeof(key))
		(void)workqueue_add(c->queue, key);
}

void controller_enqueue_owner(void *arg, const struct object *old, const struct object *new)
{
	/* Both, as an owner may have changed; the same key twice is once. */
	enqueue_owner(arg, old);
	enqueue_owner(arg, new);
}
