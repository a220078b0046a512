/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to the API server. `struct k8s` holds what all threads share: address, identity, rate limit, the gate.
 * `struct k8s_client` is one thread's connection. All calls block.
 *
 *	char path[K8S_PATH_MAX];
 *	if (k8s_path(path, &job_type, ns, name, NULL, err) ||
 *	    k8s_patch(w->client, path, K8S_PATCH_JSON, buf_str(&patch), NULL, err))
 *		return -1;
 *
 * Errors carry the API server's own words from its Status ("Invalid: spec.template: field is immutable"), its HTTP
 * status in err->http and the code of error_code_from_http(). 409 on create means that it exists already. A 429 is
 * waited out inside the call a few times, then it is ERR_THROTTLED. A 401 makes the token be read again, once.
 */
#ifndef K8S_REST_H
#define K8S_REST_H

#include "base/buf.h"
#include "k8s/auth.h"
#include "k8s/object.h"

#define K8S_PATH_MAX 1280
/* Largest answer taken from the API server, and the buffer size callers should use for one object. */
#define K8S_MAX_BODY (32 * 1024 * 1024)
#define K8S_MAX_OBJECT (3 * 1024 * 1024)

/*
 * Consulted immediately before each mutating request leaves, retries included. 0 = go ahead, and *ret_valid_ms says for
 * how long the permission holds (the request is given no longer than that); -1 with err = refused. See lease_gate().
 */
typedef int (*k8s_gate_fn)(void *arg, int64_t *ret_valid_ms, struct error *err);

struct k8s_options {
	const char *field_manager; /* "loadshift-operator": sent with every create, replace and patch */
	double qps;                /* client-side rate limit over all threads; 0 = off. 50 is a good default */
	int burst;                 /* 100 is a good default */
	int64_t timeout_ms;        /* [30 s] per request */
};

struct k8s;
/* Takes over auth (it is empty afterwards), also on failure. ERR_INVALID when no token can be read at all. */
int k8s_new(struct k8s_auth *auth, const struct k8s_options *o, struct k8s **ret, struct error *err) must_check;
/* After every client, informer, lease and recorder is gone. */
void k8s_free(struct k8s *k);
const struct k8s_auth *k8s_auth(const struct k8s *k);
/* Before the first client makes a request. NULL = none. */
void k8s_set_gate(struct k8s *k, k8s_gate_fn gate, void *arg);

#define K8S_VERSION_MAX 64

struct k8s_client;
struct k8s_client *k8s_client_new(struct k8s *k);
/* Its writes pass no gate: only for the Lease itself and for reviews (TokenReview) that change nothing. */
struct k8s_client *k8s_client_new_ungated(struct k8s *k);
/* Instead of k8s_options.timeout_ms. */
void k8s_client_set_timeout(struct k8s_client *c, int64_t timeout_ms);
void k8s_client_free(struct k8s_client *c);
DEFINE_CLEANUP(struct k8s_client, k8s_client, k8s_client_free);

/*
 * "/apis/batch/v1/namespaces/ns/jobs/name/status". ns NULL or "" = all namespaces or cluster scope; name NULL = the
 * collection; sub NULL = the object itself. Names may come from outside: ERR_INVALID for what is no path segment.
 */
int k8s_path(char out[K8S_PATH_MAX], const struct object_type *t, const char *ns, const char *name, const char *sub,
	     struct error *err) must_check;

/*
 * `path` may carry a query. Bodies come as text, appended to ret_body, whose maximum is respected (ERR_LIMIT); where it
 * may be NULL the answer is dropped.
 */
int k8s_get(struct k8s_client *c, const char *path, struct buf *ret_body, struct error *err) must_check;
/* Reads and decodes one object, live (not from a store). */
int k8s_get_object(struct k8s_client *c, const struct object_type *t, const char *ns, const char *name,
		   const struct object **ret, struct error *err) must_check;
/* The resourceVersion of the whole collection as it is now: not below that of any write that came before. */
int k8s_list_version(struct k8s_client *c, const struct object_type *t, char ret[K8S_VERSION_MAX],
		     struct error *err) must_check;
/* POST to a collection's path. */
int k8s_create(struct k8s_client *c, const char *path, struct str body, struct buf *ret_body,
	       struct error *err) must_check;
int k8s_replace(struct k8s_client *c, const char *path, struct str body, struct buf *ret_body,
		struct error *err) must_check;

enum k8s_patch_type {
	K8S_PATCH_JSON,  /* RFC 6902 */
	K8S_PATCH_MERGE, /* RFC 7386; precondition = metadata.resourceVersion in the body */
	K8S_PATCH_APPLY, /* server-side apply, force=true: only the fields we own */
};
int k8s_patch(struct k8s_client *c, const char *path, enum k8s_patch_type type, struct str body, struct buf *ret_body,
	      struct error *err) must_check;

enum k8s_propagation { K8S_BACKGROUND, K8S_FOREGROUND, K8S_ORPHAN };
/* uid and resource_version are preconditions, NULL = none; a mismatch is ERR_CONFLICT. Gone already: ERR_NOT_FOUND. */
int k8s_delete(struct k8s_client *c, const char *path, enum k8s_propagation propagation, const char *uid,
	       const char *resource_version, struct error *err) must_check;

#endif
