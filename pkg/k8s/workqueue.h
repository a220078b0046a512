/* SPDX-License-Identifier: Apache-2.0 */
/*
 * De-duplicating, delaying, rate-limiting queue of keys with client-go's semantics:
 *
 *  - a key is handed to one worker at a time; added again meanwhile, it runs once more after workqueue_done();
 *  - adds of a waiting key coalesce; a key has one next time to run: of two delays the earlier wins, a plain add
 *    overtakes a delay, and a key that waits already takes none (kube-rs; reconcile says anew when to come back);
 *  - workqueue_add_rate_limited() waits for the longer of the key's own backoff (5 ms doubling per failure up to a cap)
 *    and a bucket shared by all keys (10/s, burst 100); workqueue_forget() ends a key's backoff.
 *
 * Real monotonic clock. Thread: any. Metrics: workqueue_depth, _adds_total, _queue_duration_seconds,
 * _work_duration_seconds, _retries_total, _unfinished_work_seconds, _longest_running_processor_seconds {name}.
 */
#ifndef K8S_WORKQUEUE_H
#define K8S_WORKQUEUE_H

#include "k8s/object.h"

struct workqueue_options {
	const char *name;      /* for metrics; lives as long as the queue */
	size_t max;            /* [200,000] keys known at once; above every store's maximum, so that it is never met */
	int64_t base_delay_ms; /* [5] */
	int64_t max_delay_ms;  /* [1,000,000] the cap of a key's own backoff */
	double qps;            /* [10] the shared bucket */
	int burst;             /* [100] */
};

struct workqueue;
struct workqueue *workqueue_new(const struct workqueue_options *o);
/* After workqueue_shutdown() and when no thread is inside. */
void workqueue_free(struct workqueue *q);

/* False when the key is refused: full, shut down, or longer than OBJECT_KEY_MAX - 1. */
bool workqueue_add(struct workqueue *q, const char *key);
/* A delay of 0 or less is workqueue_add(). */
bool workqueue_add_after(struct workqueue *q, const char *key, int64_t delay_ms);
bool workqueue_add_rate_limited(struct workqueue *q, const char *key);
void workqueue_forget(struct workqueue *q, const char *key);
/* Failures since the last forget. */
int workqueue_retries(struct workqueue *q, const char *key);

/* Blocks for the next key. False once shut down and empty. Each key got is given back with workqueue_done(). */
bool workqueue_get(struct workqueue *q, char key[OBJECT_KEY_MAX]);
void workqueue_done(struct workqueue *q, const char *key);

/* Keys that wait to be got (delayed ones not counted). */
size_t workqueue_len(struct workqueue *q);
/* No more adds; delayed keys are dropped; getters drain what waits and then get false. */
void workqueue_shutdown(struct workqueue *q);
/* The same, dropping what waits too: getters get false at once. */
void workqueue_shutdown_now(struct workqueue *q);
/* Waits until nothing waits nor is being processed. False when time ran out. */
bool workqueue_wait_idle(struct workqueue *q, int64_t timeout_ms);

#endif
