/* SPDX-License-Identifier: Apache-2.0 */
/* Shared inside pkg/k8s only: small decoding helpers, and requests as the net thread needs them. */
#ifndef K8S_INTERNAL_H
#define K8S_INTERNAL_H

#include "http/client.h"
#include "k8s/object.h"

struct k8s;

/* A third to a half of most objects; nobody here reads it. */
#define OBJECT_UNREAD "managedFields"

/* A copy of the string, or "" when it is absent. */
const char *decode_text(const struct json *j, struct arena *a);
/* The same for what many objects have in common, see base/words.h. */
const char *decode_word(const struct json *j, struct arena *a);
/* The same, equal texts once. */
const char *decode_shared_text(const struct json *j, struct shared_texts *t);
int64_t decode_i64(const struct json *j, int64_t absent);
int32_t decode_i32(const struct json *j, int32_t absent);
bool decode_bool(const struct json *j, bool absent);
/* Absent or malformed is TIME_NONE. */
int64_t decode_time(const struct json *j);

/* What a request to the API server needs besides its path; the parts live in this struct. */
struct k8s_request {
	struct http_request http;
	char *url;           /* malloc'd */
	char *authorization; /* malloc'd "Authorization: Bearer ...", or NULL */
};

/* `path` begins with '/', and may carry a query. */
void k8s_request_init(struct k8s *k, struct k8s_request *r, const char *method, const char *path);
void k8s_request_release(struct k8s_request *r);
/* The server answered 401: read the token file again at the next request. Thread: any. */
void k8s_token_refused(struct k8s *k);

/* rest_client_requests_total and rest_client_request_duration_seconds. status 0 = no answer. */
void k8s_count_request(const char *method, int status, int64_t duration_us);

/* Appends s with everything but RFC 3986's unreserved characters percent-encoded. */
void url_escape(struct buf *b, struct str s);

/* Token bucket on the monotonic clock; the caller locks. qps 0 = no limit. */
struct bucket {
	double qps;
	double burst;
	double tokens; /* may go below zero: promised already */
	int64_t last_us;
};

void bucket_init(struct bucket *b, double qps, int burst, int64_t now_us);
/* Takes one and says after how many microseconds it may be used. */
int64_t bucket_reserve(struct bucket *b, int64_t now_us);
/* Takes one if there is one. */
bool bucket_try(struct bucket *b, int64_t now_us);

/* A condition variable on the monotonic clock, and a wait on it until that monotonic ms (INT64_MAX = for ever). */
void cond_init(pthread_cond_t *c);
void cond_wait_until(pthread_cond_t *c, pthread_mutex_t *m, int64_t mono_ms);

/* Names the calling thread for people who look at it with ps or gdb; cut at 15 characters. */
void thread_set_name(const char *name);

#endif
