/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reflector + store + handlers: one kind, kept up to date on the net thread.
 *
 *	struct informer *jobs = informer_new(k, loop, &(struct informer_options){ .type = &job_type, .max = 50000 });
 *	int by_owner = store_add_index(informer_store(jobs), store_index_owner_uid);
 *	informer_add_handler(jobs, controller_enqueue_owner, c);
 *	informer_start(jobs);
 *	if (informer_wait_synced(jobs, 60 * SECOND_MS, err))
 *		return -1;
 *
 * Set up, start and free: one thread that is not the net thread. Reading: any thread.
 * Metrics, by kind: k8s_informer_items, _relists_total, _watch_restarts_total, _errors_total,
 *_last_event_timestamp_seconds.
 */
#ifndef K8S_INFORMER_H
#define K8S_INFORMER_H

#include "k8s/reflector.h"

#define INFORMER_MAX_HANDLERS 8
#define INFORMER_MAX_OBJECTS 150000

struct informer_options {
	const struct object_type *type;
	const char *ns;             /* NULL = all */
	const char *label_selector; /* NULL = none */
	const char *field_selector;
	size_t max; /* [INFORMER_MAX_OBJECTS] */
};

struct informer;
struct informer *informer_new(struct k8s *k, struct http_loop *loop, const struct informer_options *o);
/* Before informer_start(). Called on the net thread for every change: be quick, typically workqueue_add(). */
void informer_add_handler(struct informer *i, store_event_fn fn, void *arg);
/*
 * One at most, likewise, before the handlers: an object that was created just now (or has come to match the selector),
 * and its JSON, borrowed. Objects that a list brings are not told.
 */
void informer_on_added(struct informer *i, store_added_fn fn, void *arg);
void informer_start(struct informer *i);
/* Waits until the net thread has let go of it: call it before http_loop_free(). NULL is fine. */
void informer_free(struct informer *i);
DEFINE_CLEANUP(struct informer, informer, informer_free);

struct store *informer_store(const struct informer *i);
/* Has had one complete list; stays true. */
bool informer_synced(const struct informer *i);
/* ERR_TIMEOUT with the last error's text, such as "list jobs.batch: ... forbidden". */
int informer_wait_synced(struct informer *i, int64_t timeout_ms, struct error *err) must_check;
/* Real ms since the watch last said anything (bookmarks come about every minute); INT64_MAX before the first list. */
int64_t informer_silent_ms(const struct informer *i);

#endif
