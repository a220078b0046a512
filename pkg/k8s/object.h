/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Kubernetes object as we keep it: a small typed projection, decoded once, immutable and shared by reference count.
 *
 * Every kind is a struct that begins with `struct object` and an `object_type` that knows how to decode it. The struct,
 * its strings and arrays live in one arena, so that an object is one or two allocations and its last unref frees all.
 * Labels and annotations are kept only where the type asks for them; everything else of the JSON is dropped.
 *
 *	const struct object *o = store_get(store, "team-a/train");
 *	if (o)
 *		use(job_of(o)->suspend);
 *	object_unref(o);
 *
 * Thread: any once published (put in a store or handed to another thread); nobody changes it after object_decode().
 */
#ifndef K8S_OBJECT_H
#define K8S_OBJECT_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/error.h"
#include "json/json.h"

/* "namespace/name", or "name" for cluster-scoped kinds, with its NUL: 63 + 1 + 253 + 1 bytes and some air. */
#define OBJECT_KEY_MAX 320
/* Labels or annotations kept per object; what would be more is dropped. */
#define OBJECT_MAX_PAIRS 128
/* Most bytes that one decoded object may take: above the largest list page, so that it is never met. */
#define OBJECT_MAX_BYTES (64 * 1024 * 1024)

struct pair {
	const char *key;
	const char *value;
};

/* Sorted by key. */
struct pairs {
	const struct pair *items;
	size_t len;
};

/* The value, or NULL. */
const char *pairs_get(const struct pairs *p, const char *key);
/* From a JSON object of strings; keeps the keys that `wanted` allows (see object_type.labels). */
void pairs_decode(const struct json *object, const char *const *wanted, struct arena *a, struct pairs *ret);

/* The controller's ownerReference (controller: true); kind is NULL when there is none. */
struct object_owner {
	const char *api_version; /* "batch/v1" */
	const char *kind;
	const char *name;
	const char *uid;
};

struct object_meta {
	const char *key;       /* "namespace/name" or "name": what stores and queues use */
	const char *namespace; /* "" for cluster-scoped kinds */
	const char *name;
	const char *uid;
	const char *resource_version; /* opaque: compare for equality only */
	int64_t generation;
	int64_t creation_ms; /* real time, TIME_NONE if unset */
	int64_t deletion_ms; /* deletionTimestamp; TIME_NONE = not being deleted */
	struct pairs labels;
	struct pairs annotations;
	struct object_owner owner;
};

struct object {
	const struct object_type *type;
	_Atomic(int) refs;
	struct object_meta meta;
	struct arena arena;
};

struct object_type {
	const char *kind;        /* "Job" */
	const char *api_version; /* "batch/v1", "v1", "loadshift.io/v1alpha1" */
	const char *plural;      /* "jobs" */
	bool namespaced;
	size_t size; /* of the struct that begins with struct object */
	/*
	 * Which labels and annotations are kept: NULL = none, else a NULL-terminated list of exact keys, of prefixes
	 * that end in '/' ("loadshift.io/"), or "*" for all.
	 */
	const char *const *labels;
	const char *const *annotations;
	/*
	 * Fills the rest of the typed struct; metadata is decoded already, memory comes from &o->arena. Absent fields
	 * take their documented defaults; -1 only when the object would be misleading. NULL = metadata is all we want.
	 */
	int (*decode)(const struct json *item, struct object *o, struct error *err);
};

/* A new object with one reference. ERR_INVALID without metadata.name, or when a key would not fit. */
int object_decode(const struct object_type *t, const struct json *item, const struct object **ret,
		  struct error *err) must_check;
/* The same from text: an answer of the API server. */
int object_parse(const struct object_type *t, struct str text, const struct object **ret, struct error *err) must_check;

/* Returns o. NULL is fine for both. */
const struct object *object_ref(const struct object *o);
void object_unref(const struct object *o);
static inline void object_cleanup(const struct object **o)
{
	object_unref(*o);
}
/* const struct object *o _cleanup_object_ = store_get(...); */
#define _cleanup_object_ _cleanup_(object_cleanup)

/* The value, or NULL; only of what the type keeps. */
const char *object_label(const struct object *o, const char *key);
const char *object_annotation(const struct object *o, const char *key);
/* True when o's controller is that kind of that API group, in any version ("batch", "Job"). */
bool object_owned_by(const struct object *o, const char *group, const char *kind);
/* Splits "ns/name" or "name" (namespace is then empty). Views into key. */
void object_key_split(const char *key, struct str *ret_namespace, struct str *ret_name);

#endif
