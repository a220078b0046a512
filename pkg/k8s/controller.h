/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Worker threads that turn keys into reconcile calls.
 *
 * reconcile() is level-triggered: it is given a key, never a reason, reads stores, and does at most a few writes. The
 * same key never runs twice at once. What it returns decides what happens next, here and nowhere else:
 *
 *	0, requeue_after_ms 0	done until something changes; the key's backoff ends
 *	0, requeue_after_ms > 0	once more after that long; the key's backoff ends
 *	-1, ERR_INVALID		logged; not again until something changes
 *	-1, other codes		logged; again with the key's backoff, or after err.retry_after_ms when that is longer
 *
 * Metrics: controller_runtime_reconcile_total{controller,result}, _reconcile_errors_total, _reconcile_time_seconds,
 * _active_workers, _max_concurrent_reconciles, _terminal_reconcile_errors_total.
 */
#ifndef K8S_CONTROLLER_H
#define K8S_CONTROLLER_H

#include "k8s/informer.h"
#include "k8s/workqueue.h"

struct worker {
	struct k8s_client *client; /* this thread's own */
	struct arena *arena;       /* reset after every call */
	struct workqueue *queue;   /* to add other keys */
	int index;
};

struct reconcile_result {
	int64_t requeue_after_ms; /* real ms; 0 at entry */
};

typedef int (*reconcile_fn)(void *arg, struct worker *w, const char *key, struct reconcile_result *ret,
			    struct error *err);

struct controller_options {
	const char *name; /* metric label, thread name and log field; lives as long as the controller */
	struct k8s *k8s;
	reconcile_fn reconcile;
	void *arg;
	int workers;          /* [1] */
	size_t arena_max;     /* [64 MiB] per worker */
	int64_t max_delay_ms; /* [1,000,000] cap of a key's backoff */
	double retry_qps;     /* [10] failed keys come back no faster than this, all together */
	int retry_burst;      /* [100] */
};

struct controller;
struct controller *controller_new(const struct controller_options *o);
struct workqueue *controller_queue(const struct controller *c);
/* Keys may be added before; call it when every store that reconcile() reads is synced. */
int controller_start(struct controller *c, struct error *err) must_check;
/*
 * No new keys; with drain_ms > 0 waiting keys are still worked off for so long, else dropped. Returns when the running
 * calls have come back. Then controller_free().
 */
void controller_stop(struct controller *c, int64_t drain_ms);
/* Stops it too if that has not happened. Informers that feed it must be gone. NULL is fine. */
void controller_free(struct controller *c);
DEFINE_CLEANUP(struct controller, controller, controller_free);

/* store_event_fn handlers; arg is the struct controller. The object's own key; the key of its controller owner. */
void controller_enqueue(void *arg, const struct object *old, const struct object *new);
void controller_enqueue_owner(void *arg, const struct object *old, const struct object *new);

#endif
