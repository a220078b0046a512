/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP client over libcurl, in two forms:
 *
 *  - `struct http_client`: blocking, for worker threads. One easy handle that keeps its connection; one thread at a
 *    time uses it.
 *  - `struct http_loop`: the **net thread**, one curl_multi_poll loop for watches and for polling providers. Requests
 *    are started, cancelled and answered on that thread only; other threads reach it with http_loop_post(). While
 *    busy it turns at most every 20 ms, to take together what comes in one by one.
 *
 * Always: HTTP/1.1, TLS 1.2+ verified, no cookies, no proxy from the environment, CURLOPT_NOSIGNAL, TCP keepalive,
 * TCP_USER_TIMEOUT (30 s), connect timeout 5 s, a bound on the body (after gunzip) and on the headers. URLs with a user
 * name are refused. Errors read "GET host:port/path: reason": never a query, a header or a key.
 *
 * Redirects are off unless `max_redirects`; then GET and HEAD follow them to the same origin (scheme, host, port) or to
 * `redirect_hosts`, never from https to http. Once the origin was left, only "Accept" headers are sent and no client
 * certificate is shown.
 *
 * A kept connection that turns out to be closed: libcurl sends the request again on a new one, whatever the method,
 * when not a byte of an answer had come. So a POST may be carried out twice; give it a name or an id that makes that
 * harmless.
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include "base/buf.h"

/* Once per process before any other call, from main. Sets SIGPIPE to be ignored. */
int http_client_global_init(struct error *err) must_check;
void http_client_global_cleanup(void);

/*
 * What a TLS connection is verified with and shows; files are read at each new connection, PEM text is copied by curl.
 * Text wins over files. A kept connection is used only for requests with the same settings.
 */
struct http_tls {
	const char *ca_file; /* NULL and no ca_pem: the system's; else this alone */
	const char *cert_file;
	const char *key_file;
	struct str ca_pem;
	struct str cert_pem;
	struct str key_pem;
};

#define HTTP_MAX_HEADERS 16

/* Everything is borrowed for the call, and copied where the request outlives it. Zero = the default in brackets. */
struct http_request {
	const char *method; /* [GET] */
	const char *url;
	const char *headers[HTTP_MAX_HEADERS]; /* "Name: value", NULL-terminated when fewer */
	const char *content_type;              /* sent with the body */
	struct str body;
	const struct http_tls *tls;
	bool allow_plain;           /* http:// is refused otherwise */
	int64_t timeout_ms;         /* [30 s] whole request; for a stream: until the headers have come */
	int64_t idle_timeout_ms;    /* streams: give up when no byte came for so long [none] */
	size_t max_body;            /* [4 MiB] whole body; streams: not bounded here but by the consumer */
	int max_redirects;          /* [0]; not for streams */
	const char *redirect_hosts; /* comma-separated names without port; ".example.org" = all below it */
	const char *user_agent;     /* [loadshift/<version>] */
};

struct http_response {
	int status;
	int64_t retry_after_ms; /* Retry-After in seconds or as a date; 0 = none; at most a day */
	char content_type[64];  /* these are empty when absent, or longer than there is room */
	char etag[96];
	char last_modified[40];
	struct buf body;
};

void http_response_release(struct http_response *r);

struct http_client;
struct http_client *http_client_new(void);
void http_client_free(struct http_client *c);
DEFINE_CLEANUP(struct http_client, http_client, http_client_free);

/*
 * Any status is success here: 0 with the response, or -1 when there was none: ERR_UNAVAILABLE (connect, DNS, cut off),
 * ERR_TIMEOUT, ERR_DENIED (TLS verification, with the reason; redirect to a host that is not allowed), ERR_LIMIT (body,
 * headers, redirects), ERR_INVALID (URL; CA, certificate or key file that cannot be used).
 */
int http_do(struct http_client *c, const struct http_request *req, struct http_response *ret,
	    struct error *err) must_check;

/* Fills err from a non-2xx response whose body has no better text; 0 for 2xx. */
int http_status_error(const struct http_response *r, const char *what, struct error *err);

struct http_loop;
struct http_call;

/*
 * Called on the net thread, never from inside the function that started the call. Exactly one `done` per call unless it
 * was cancelled; `err` is NULL when there was an answer, else `resp` is. `resp` is borrowed (its body may be taken with
 * buf_take()), and the call is gone when `done` returns.
 */
typedef void (*http_done_fn)(void *arg, struct http_response *resp, const struct error *err);
/* Stream: status is known; return -1 to give up (done follows with ERR_INTERNAL "stopped by reader"). */
typedef int (*http_head_fn)(void *arg, const struct http_response *head);
typedef int (*http_data_fn)(void *arg, const char *data, size_t len);
typedef void (*http_task_fn)(void *arg);

/* Starts its own thread. */
int http_loop_new(struct http_loop **ret, struct error *err) must_check;
/*
 * Ends the thread: running calls are dropped without `done`, timers and posted tasks without being run (what their
 * arguments own stays with the caller). From another thread than the net thread.
 */
void http_loop_free(struct http_loop *l);
/*
 * Runs fn on the net thread soon, in the order of posting; any thread. After http_loop_free began, it is silently
 * dropped. More than 65,536 waiting tasks (or timers) mean that the net thread hangs: the process is aborted.
 */
void http_loop_post(struct http_loop *l, http_task_fn fn, void *arg);
/* Runs fn on the net thread after that many real ms. Net thread only. The id is never 0. */
uint64_t http_loop_after(struct http_loop *l, int64_t delay_ms, http_task_fn fn, void *arg);
void http_loop_cancel_timer(struct http_loop *l, uint64_t id);
bool http_loop_is_net_thread(const struct http_loop *l);

/* Whole-body request. Net thread only. At most 1,024 calls at once; one more ends with ERR_LIMIT. */
struct http_call *http_loop_fetch(struct http_loop *l, const struct http_request *req, http_done_fn done, void *arg);
/*
 * Streaming request (watch), on a connection of its own: the body of a 2xx goes to `data` as it comes; resp->body in
 * `done` holds a non-2xx body only. `head` (may be NULL) is called for every status.
 */
struct http_call *http_loop_stream(struct http_loop *l, const struct http_request *req, http_head_fn head,
				   http_data_fn data, http_done_fn done, void *arg);
/* No callback comes afterwards. Net thread only, also from inside the call's own callbacks. */
void http_call_cancel(struct http_call *call);

#endif
