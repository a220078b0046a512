/* SPDX-License-Identifier: Apache-2.0 */
/* The watch stream's two pure parts: cutting bytes into lines, and reading one line. */
#ifndef K8S_WATCH_H
#define K8S_WATCH_H

#include "base/buf.h"
#include "k8s/object.h"

/* etcd's limit for one object is 1.5 MiB; JSON may be twice that. */
#define WATCH_MAX_LINE (3 * 1024 * 1024)

/* Returns -1 with err to stop. */
typedef int (*watch_line_fn)(void *arg, struct str line, struct error *err);

struct watch_lines {
	struct buf partial; /* the line that has begun */
};

void watch_lines_init(struct watch_lines *l);
void watch_lines_release(struct watch_lines *l);
/* Calls fn for every complete line (without "\n", empty ones skipped). ERR_LIMIT past WATCH_MAX_LINE. */
int watch_lines_feed(struct watch_lines *l, struct str data, watch_line_fn fn, void *arg, struct error *err) must_check;

enum watch_event_kind { WATCH_ADDED, WATCH_MODIFIED, WATCH_DELETED, WATCH_BOOKMARK, WATCH_ERROR };

struct watch_event {
	enum watch_event_kind kind;
	const struct object *object; /* ADDED, MODIFIED, DELETED: a reference; NULL when it did not decode */
	char resource_version[64];   /* of the object or bookmark; "" for ERROR */
	struct error error;          /* ERROR: the Status (ERR_GONE for 410); else why the object did not decode */
};

/* Pure. ERR_INVALID for what is no watch event. */
int watch_event_parse(const struct object_type *t, struct str line, struct watch_event *ret,
		      struct error *err) must_check;
/* Drops the reference. */
void watch_event_release(struct watch_event *e);

/* A list's answer, apart from its items. */
struct list_page {
	char resource_version[64];
	char *next;    /* continue token, malloc'd; NULL on the last page */
	int64_t n_bad; /* items that did not decode; they are skipped */
};
/* Gets a reference to keep. */
typedef void (*list_item_fn)(void *arg, const struct object *o);
/* Parses one item after the other, so that no tree of the whole page is built. Pure. */
int list_page_parse(const struct object_type *t, struct str text, list_item_fn fn, void *arg, struct list_page *ret,
		    struct error *err) must_check;

/* Fills err from a Status object in an error answer's body; falls back to the status alone. Returns -1. */
int status_error(struct str body, int http_status, int64_t retry_after_ms, struct error *err);

#endif
