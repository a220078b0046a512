/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 server over libwebsockets (the only user of its headers): one service thread per server, keep-alive,
 * Content-Length on every answer, TLS 1.2+ with reloadable certificate and optional client certificates.
 *
 * A handler is called on the server thread once the whole body has come. It answers at once, or keeps the exchange and
 * answers later from any thread. It must not block.
 *
 *	static void handle_filter(struct http_exchange *x, void *arg)
 *	{
 *		...
 *		http_reply(x, 200, "application/json", buf_str(&out));
 *	}
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "base/buf.h"

struct http_server;
struct http_exchange;

typedef void (*http_handler_fn)(struct http_exchange *x, void *arg);

struct http_route {
	const char *method; /* exact; another method on a known path is answered 405 */
	const char *path;   /* exact, or a prefix when it ends in '*' */
	size_t max_body;    /* more is answered 413 and the connection closed; 0 = no body accepted */
	http_handler_fn fn;
	void *arg;
};

struct http_server_config {
	const char *name;      /* for the thread and for errors */
	const char *address;   /* NULL = all interfaces; "127.0.0.1" */
	int port;              /* 0 = any free one, see http_server_port() */
	const char *cert_file; /* both NULL = plain http */
	const char *key_file;
	const char *client_ca_file;      /* set = a client certificate signed by it is required */
	const struct http_route *routes; /* borrowed for the server's life */
	size_t n_routes;
	int max_connections;        /* [256]; more are refused at accept */
	int64_t request_timeout_ms; /* [10 s] from the first byte to the whole body; then closed */
	int64_t keepalive_ms;       /* [60 s] idle */
	size_t max_head;            /* [16 KiB] request line and headers; more is answered 431 */
};

/* Binds, starts the thread. ERR_UNAVAILABLE when the port is taken, ERR_INVALID for a bad certificate. */
int http_server_new(const struct http_server_config *cfg, struct http_server **ret, struct error *err) must_check;
int http_server_port(const struct http_server *s);
/*
 * Graceful: no new connections, idle ones are closed, open exchanges have grace_ms to be answered. Then everything is
 * closed and freed; an exchange still held elsewhere may be answered afterwards, which then only frees it.
 */
void http_server_free(struct http_server *s, int64_t grace_ms);

/* The request; valid until it is answered. */
const char *http_method(const struct http_exchange *x);
const char *http_path(const struct http_exchange *x);  /* percent-decoded, no query */
const char *http_query(const struct http_exchange *x); /* raw, "" if none */
/* Percent-decoded value of a query parameter, or NULL; lives as long as the exchange. */
const char *http_param(struct http_exchange *x, const char *name);
/* Header by lower-case name ("authorization"), or NULL. */
const char *http_header(const struct http_exchange *x, const char *name);
struct str http_body(const struct http_exchange *x);

/* An extra header for the answer; before http_reply, from the thread that replies. */
void http_reply_header(struct http_exchange *x, const char *name, const char *value);
/* Answers, exactly once per exchange, any thread; the body is copied. The exchange is gone afterwards. */
void http_reply(struct http_exchange *x, int status, const char *content_type, struct str body);
/* The same without a copy: takes the buffer's memory. */
void http_reply_take(struct http_exchange *x, int status, const char *content_type, struct buf *body);
/* {"error": "..."} with that status. */
void http_reply_error(struct http_exchange *x, int status, const char *fmt, ...) printf_like(3, 4);

#endif
