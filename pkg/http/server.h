/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 server over libwebsockets (the only user of its headers): one service thread per server, keep-alive,
 * Content-Length on every answer, TLS 1.2+ with reloadable certificate and optional client certificates.
 *
 * A handler is called on the server thread once the whole body has come. It answers at once, or keeps the exchange and
 * answers later from any thread. It must not block, and must answer in the end: a held exchange has no timeout.
 *
 *	static void handle_filter(struct http_exchange *x, void *arg)
 *	{
 *		...
 *		http_reply(x, 200, "application/json", buf_str(&out));
 *	}
 *
 * Answered by the server itself, as {"error": "..."}: 400, 404, 405 with Allow, 413, 417, 431, 501, 505. After a
 * request that was not read to its end the connection is closed. Chunked bodies and "Expect: 100-continue" work;
 * pipelined requests are answered one after the other. No upgrades: HTTP/2 clients stay with HTTP/1.1.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "base/buf.h"

struct http_server;
struct http_exchange;

typedef void (*http_handler_fn)(struct http_exchange *x, void *arg);

struct http_route {
	const char *method; /* exact; "GET" takes HEAD too, whose answer is sent without its body */
	const char *path;   /* exact, or a prefix when it ends in '*'; the first route that matches is taken */
	size_t max_body;    /* more is answered 413 and the connection closed; 0 = no body accepted */
	http_handler_fn fn;
	void *arg;
};

struct http_server_config {
	const char *name;    /* for the thread and for errors */
	const char *address; /* numeric; NULL = all interfaces, IPv6 and IPv4 */
	int port;            /* 0 = any free one, see http_server_port() */
	/*
	 * Both NULL = plain http. Looked at every 2 s and loaded again when one of the files changed, for new
	 * connections; while what is there does not load, the last good certificate stays.
	 */
	const char *cert_file;
	const char *key_file;
	const char *client_ca_file;      /* set = a client certificate signed by it is required; reloaded likewise */
	const struct http_route *routes; /* borrowed for the server's life; everything else is copied */
	size_t n_routes;
	int max_connections;        /* [256]; more are closed at accept */
	int64_t request_timeout_ms; /* [10 s] from first byte to whole body, and for each 128 KiB of an answer */
	int64_t keepalive_ms;       /* [60 s] idle between requests; a new connection has request_timeout_ms */
	size_t max_head;            /* [16 KiB] request line and headers (at most 64); more is answered 431 */
};

/*
 * Binds, starts the thread. ERR_UNAVAILABLE when the port is taken, ERR_DENIED when it is privileged, ERR_INVALID for a
 * bad certificate or address. SIGPIPE is ignored in the whole process from then on.
 */
int http_server_new(const struct http_server_config *cfg, struct http_server **ret, struct error *err) must_check;
int http_server_port(const struct http_server *s);
/*
 * Graceful: no new connections, idle ones are closed, open exchanges have grace_ms to be answered. Then everything is
 * closed and freed; an exchange still held elsewhere may be answered afterwards, which then only frees it. Not from a
 * handler.
 */
void http_server_free(struct http_server *s, int64_t grace_ms);

/* The request; valid until it is answered, also after the client went away. */
const char *http_method(const struct http_exchange *x);
const char *http_path(const struct http_exchange *x);  /* percent-decoded, no query, no ".." */
const char *http_query(const struct http_exchange *x); /* raw, "" if none */
/* Decoded value ('+' is a blank) of the first query parameter of that name, or NULL; lives as long as the exchange. */
const char *http_param(struct http_exchange *x, const char *name);
/* First header by lower-case name ("authorization"), or NULL. */
const char *http_header(const struct http_exchange *x, const char *name);
struct str http_body(const struct http_exchange *x);

/*
 * An extra header for the answer; before http_reply, from the thread that replies. One with a line break in it is left
 * out. All of them together: at most 4 KiB, else the answer is a 500. An answer's body: at most 32 MiB, likewise.
 */
void http_reply_header(struct http_exchange *x, const char *name, const char *value);
/* Answers, exactly once per exchange, any thread; the body is copied. The exchange is gone afterwards. */
void http_reply(struct http_exchange *x, int status, const char *content_type, struct str body);
/* The same, and releases the buffer (its bytes are still copied: behind the head, so that both go out in one write). */
void http_reply_take(struct http_exchange *x, int status, const char *content_type, struct buf *body);
/* {"error": "..."} with that status. */
void http_reply_error(struct http_exchange *x, int status, const char *fmt, ...) printf_like(3, 4);

#endif
