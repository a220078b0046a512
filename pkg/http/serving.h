/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's private types. Three of them, from the outside in:
 *
 *  - `struct http_server`: one libwebsockets context and the thread that services it.
 *  - `struct http_conn`: one accepted socket; server thread only. libwebsockets does accepted sockets' TLS, polling
 *    and partial writes (role "raw-skt"); requests are read by request.c. The library's own HTTP role is not used:
 *    in 4.1.6 it has no chunked requests, no 431, no raw query, keeps its header table only while the connection
 *    lives (late answers need it longer), takes a second request while the first is being answered, and takes h2c
 *    and CONNECT upgrades that nobody asked for.
 *  - `struct http_exchange`: request and answer. Belongs to its connection, which uses it again and again, except
 *    while a handler holds it: when the connection goes away then, it is an orphan that the late answer frees.
 */
#ifndef HTTP_SERVING_H
#define HTTP_SERVING_H

#include <libwebsockets.h>
#include <openssl/ssl.h>

#include "base/clock.h"
#include "base/vec.h"
#include "http/request.h"
#include "http/server.h"

/* One recv(2) and the most that a pipelining client can make us keep. Holds a scheduler's usual request whole. */
#define CONN_READ_BYTES (256 * 1024)
/* Written in pieces so that libwebsockets, which copies what the socket did not take, never copies much. */
#define CONN_WRITE_BYTES (128 * 1024)
#define CONN_TLS_RECORD_BYTES (16 * 1024)
/* Buffers that grew beyond this are given back after the answer. */
#define EXCHANGE_KEEP_BYTES (512 * 1024)
#define EXCHANGE_MAX_ANSWER (64 * 1024 * 1024)
#define EXCHANGE_MAX_EXTRA_HEAD 4096
/* Status line and our own headers, without the extra ones. */
#define EXCHANGE_HEAD_ROOM 320

struct http_param {
	const char *name;
	const char *value;
};

struct http_exchange {
	struct http_server *server;
	struct http_conn *conn; /* NULL = orphan; under server->mutex while `held` */
	/* Under server->mutex. */
	bool running; /* the handler has not returned yet */
	bool held;    /* it returned without an answer */
	bool answered;
	struct http_exchange *next;

	struct request req;
	struct buf head;
	struct buf body;
	const struct http_route *route;
	char *params_text;
	struct http_param *params;
	size_t n_params;

	int status;
	size_t announced; /* Content-Length; the body itself is left out for HEAD */
	char content_type[96];
	struct buf extra; /* header lines of http_reply_header() */
	/* Head and body of the answer, in one piece; the head is put in front of the body, at out_start. */
	struct buf out;
	size_t out_room;
	size_t out_start;
};

enum conn_state {
	CONN_IDLE, /* no byte of the next request yet */
	CONN_HEAD,
	CONN_BODY,
	CONN_HANDLER, /* waiting for an answer */
	CONN_SENDING,
	CONN_LINGER, /* refused: input is thrown away so that the client can read why */
};

struct http_conn {
	struct http_server *server;
	struct lws *wsi;
	struct http_conn *prev, *next; /* server->conns */
	enum conn_state state;
	int64_t deadline_ms; /* of the monotonic clock; INT64_MAX = none */
	bool established;
	bool reading_off;
	bool refused; /* close after the answer: the rest of the request is not wanted */
	bool closing; /* close after the answer */
	struct http_exchange *x;
	struct request_chunks chunks;
	size_t searched;  /* of the head */
	size_t sent;      /* position in x->out */
	size_t lingered;  /* bytes thrown away */
	struct buf ahead; /* what came before its turn; read up to ahead_used */
	size_t ahead_used;
};

struct http_tls_files {
	char *cert;
	char *key;
	char *client_ca;
	SSL_CTX *ctx;   /* current certificate, key and client CA; server thread only once it runs */
	uint64_t stamp; /* of the files that ctx was made from */
};

struct http_server {
	char name[16];
	const struct http_route *routes;
	size_t n_routes;
	int max_connections;
	int64_t request_timeout_ms;
	int64_t keepalive_ms;
	size_t max_head;
	int port;
	struct http_tls_files tls;

	struct lws_context *context;
	struct lws_vhost *vhost;
	struct lws *listener;
	pthread_t thread;

	/* Server thread only. */
	struct http_conn *conns;
	int n_conns;
	bool accept_paused;
	bool stopping;
	bool done;
	int64_t stop_deadline_ms;
	int64_t tls_checked_ms;
	lws_sorted_usec_list_t sweep;
	int64_t date_s; /* second that date_text shows */
	char date_text[40];

	pthread_mutex_t mutex;
	struct http_exchange *answered_first, *answered_last; /* late answers, oldest first */
	int refs;                                             /* the owner and every orphan */
	bool stop_asked;
	int64_t stop_grace_ms;
};

/* conn.c: server thread only. */
struct http_conn *conn_new(struct http_server *s, struct lws *wsi);
/* The socket is closing; an exchange that a handler holds becomes an orphan. */
void conn_free(struct http_conn *c);
/* All return -1 when the connection must be closed now. */
int conn_read(struct http_conn *c, const char *data, size_t len);
int conn_writable(struct http_conn *c);
/* Sends a late answer; closes by itself. */
void conn_answer(struct http_conn *c);
/* Closes soon, from outside of the connection's own callbacks. */
void conn_kill(struct http_conn *c);

/* exchange.c */
struct http_exchange *exchange_new(struct http_server *s);
void exchange_free(struct http_exchange *x);
/* Ready for the next request. */
void exchange_reset(struct http_exchange *x);
/* The server's own answer: {"error": text}. Body and status are set, nothing is sent. */
void exchange_set_error(struct http_exchange *x, int status, const char *text);
/* Puts status line and headers in front of the body. Server thread. */
void exchange_finish_head(struct http_exchange *x, bool keep_alive);

/* tls.c */
/* Reads the files into a new context; the old one is kept when they are bad. */
int tls_files_load(struct http_tls_files *t, struct error *err) must_check;
/* Loads again when a file changed. */
void tls_files_refresh(struct http_tls_files *t);
/* Makes the context of libwebsockets use `t` for every new connection. */
void tls_files_install(struct http_tls_files *t, SSL_CTX *lws_ctx);
void tls_files_release(struct http_tls_files *t);

/* server.c */
void server_unref(struct http_server *s);

#endif
