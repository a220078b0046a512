/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An informer's cache: key -> immutable object, with optional secondary indexes.
 *
 * One writer (the net thread, through the reflector), any number of readers. A mutex is held only for lookup and
 * reference, or for swapping the whole content; objects are freed outside it. Readers never see half a relist.
 */
#ifndef K8S_STORE_H
#define K8S_STORE_H

#include "k8s/object.h"

#define STORE_MAX_INDEXES 4

/* The value an object is found under, or NULL for not at all. Owned by the object. Pure. */
typedef const char *(*store_index_fn)(const struct object *o);
/* Ready-made: the controller owner's UID. */
const char *store_index_owner_uid(const struct object *o);
const char *store_index_namespace(const struct object *o);

/* Snapshot of references; object_list_release() drops them. */
struct object_list {
	const struct object **items;
	size_t len;
};
void object_list_release(struct object_list *l);

struct store;
/* At most `max` objects; more are dropped and counted in store_dropped(). */
struct store *store_new(size_t max);
void store_free(struct store *s);
/* Before the first write. Returns the index's number. At most STORE_MAX_INDEXES. */
int store_add_index(struct store *s, store_index_fn fn);

/* Readers; any thread. Every object returned is a reference the caller drops. */
const struct object *store_get(struct store *s, const char *key);
const struct object *store_get_ns(struct store *s, const char *ns, const char *name);
void store_list(struct store *s, struct object_list *ret);
/* All with that value in that index, in no particular order. */
void store_find(struct store *s, int index, const char *value, struct object_list *ret);
size_t store_len(struct store *s);
size_t store_dropped(struct store *s);
/* Counts changes of content: equal numbers mean that nothing changed in between. */
uint64_t store_version(struct store *s);

/* Change as handlers see it: added (old NULL), deleted (new NULL), updated (both; the UID differs if it was recreated).
 */
typedef void (*store_event_fn)(void *arg, const struct object *old, const struct object *new);
typedef void (*store_added_fn)(void *arg, const struct object *o, struct str text);

/*
 * Writers; the net thread only. Both references stay the caller's. `fn` (may be NULL) runs after the content has
 * changed, without the lock. The same UID and resourceVersion as before is no change and no event.
 */
void store_put(struct store *s, const struct object *o, store_event_fn fn, void *arg);
void store_delete(struct store *s, const char *key, store_event_fn fn, void *arg);
/* Swaps the whole content in one step, then reports the differences. */
void store_replace(struct store *s, const struct object *const *items, size_t n, store_event_fn fn, void *arg);

#endif
