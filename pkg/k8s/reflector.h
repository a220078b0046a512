/* SPDX-License-Identifier: Apache-2.0 */
/*
 * List and watch one kind into a store, for ever.
 *
 * The decisions are a pure state machine (`reflector_fsm`: no clock, no I/O, jitter handed in); `struct reflector`
 * carries them out on the net thread.
 *
 *	EMPTY ----start----> LISTING --last page--> WATCHING --+
 *	                      ^  ^  |                |  |  ^   | stream ended normally or went idle:
 *	                      |  |  | error          |  |  |   | watch again from the last version
 *	                      |  |  v                |  |  +---+
 *	                      |  | BACKOFF <--error--+  |
 *	                      |  +--410 within paging   |
 *	                      +--------- 410 -----------+
 *
 * The store's content is kept and served until a relist is complete, then swapped in one step. BACKOFF returns to what
 * failed: a list from its first page, a watch from its last resourceVersion; after three watches in a row that the
 * server refused it lists anew. A 410 is followed at once by a list, unless there was an error in the last 30 s.
 * Delays: 800 ms doubling to 30 s, plus up to as much jitter, reset after 2 minutes without an error (the values of
 * client-go and kube-rs).
 *
 * Metrics, by kind: k8s_informer_items, _relists_total, _watch_restarts_total, _errors_total, _bad_objects_total,
 * _dropped_objects (the store was full), _last_event_timestamp_seconds (wall clock).
 */
#ifndef K8S_REFLECTOR_H
#define K8S_REFLECTOR_H

#include "base/clock.h"
#include "k8s/rest.h"
#include "k8s/store.h"

#define REFLECTOR_BACKOFF_MIN_MS 800
#define REFLECTOR_BACKOFF_MAX_MS (30 * SECOND_MS)
#define REFLECTOR_HEALTHY_MS (2 * MINUTE_MS)
#define REFLECTOR_PAGE_LIMIT 500
#define REFLECTOR_MAX_REFUSALS 3
/* A stream without a byte for so long is dead: the API server sends a bookmark about every minute. */
#define REFLECTOR_IDLE_MS (2 * MINUTE_MS)

enum reflector_state {
	REFLECTOR_EMPTY,    /* not started */
	REFLECTOR_LISTING,  /* a page is on its way; earlier pages are held aside */
	REFLECTOR_WATCHING, /* a stream is open or being opened from resource_version */
	REFLECTOR_BACKOFF,  /* waiting after an error */
};

enum reflector_action {
	REFLECTOR_LIST,  /* request fsm->limit objects after fsm->next (NULL = from the first) */
	REFLECTOR_WATCH, /* request the stream from fsm->resource_version */
	REFLECTOR_WAIT,  /* call reflector_fsm_wake() in fsm->delay_ms */
	REFLECTOR_GO_ON, /* nothing: the stream goes on */
};

struct reflector_fsm {
	enum reflector_state state;
	bool watch_next; /* after BACKOFF: true = watch from resource_version, false = list anew */
	bool synced;     /* a list has been completed once */
	char resource_version[64];
	char *next; /* continue token, malloc'd, or NULL */
	int limit;  /* objects per page: less after a page that was too large to take */
	int64_t delay_ms;
	int64_t backoff_ms;    /* the next delay without jitter; 0 = the minimum */
	int64_t last_error_ms; /* monotonic; TIME_NONE = none yet */
	int refusals;          /* watches in a row that the server answered with an error */
};

void reflector_fsm_init(struct reflector_fsm *f);
void reflector_fsm_release(struct reflector_fsm *f);
enum reflector_action reflector_fsm_start(struct reflector_fsm *f);
/* A page came: take its items before; on WATCH (the last page) swap the store first. Takes over `next`. */
enum reflector_action reflector_fsm_page(struct reflector_fsm *f, const char *resource_version, char *next);
/* An object or bookmark came on the stream. Always GO_ON. */
enum reflector_action reflector_fsm_event(struct reflector_fsm *f, const char *resource_version);
/* List, stream, or an ERROR event in it failed. unit_jitter in [0, 1). Drop the pages held aside. */
enum reflector_action reflector_fsm_failed(struct reflector_fsm *f, const struct error *why, int64_t mono_ms,
					   double unit_jitter);
/* The stream ended as it should: timeoutSeconds reached. `lived_ms` below a second counts as a failure. */
enum reflector_action reflector_fsm_ended(struct reflector_fsm *f, int64_t lived_ms, int64_t mono_ms,
					  double unit_jitter);
enum reflector_action reflector_fsm_wake(struct reflector_fsm *f);

struct reflector_options {
	const struct object_type *type;
	const char *ns;             /* NULL = all namespaces */
	const char *label_selector; /* NULL = none; not yet percent-encoded */
	const char *field_selector;
};

/* What the informer is told; called on the net thread. Any may be NULL. */
struct reflector_hooks {
	store_event_fn changed;
	/* The watch tells of an object that was created just now; text: its JSON, borrowed. Before `changed`. */
	store_added_fn added;
	void (*synced)(void *arg); /* a list is complete and in the store */
	void (*failed)(void *arg, const struct error *err);
	void *arg;
};

struct reflector;
/* Options are copied except the strings and the type. */
struct reflector *reflector_new(struct k8s *k, struct http_loop *loop, const struct reflector_options *o,
				struct store *store, const struct reflector_hooks *hooks);
/* Net thread. */
void reflector_start(struct reflector *r);
/* Net thread: cancels what is under way and frees. */
void reflector_free(struct reflector *r);
/* Net thread. */
const struct reflector_fsm *reflector_fsm(const struct reflector *r);
/* Monotonic time at which the stream last said anything (an object, a bookmark or a list); TIME_NONE before. */
int64_t reflector_last_heard_ms(const struct reflector *r);

#endif
