/* SPDX-License-Identifier: Apache-2.0 */
/* One accepted connection: reads requests, calls handlers, sends answers, see serving.h. */
#include <openssl/err.h>
#include <sys/socket.h>

#include "http/serving.h"

/* How long, and for how much, a refused client may go on sending before the socket is closed under it. */
#define LINGER_MS SECOND_MS
#define LINGER_BYTES (1024 * 1024)

struct http_conn *conn_new(struct http_server *s, struct lws *wsi)
{
	struct http_conn *c = xcalloc(1, sizeof(*c));

	c->server = s;
	c->wsi = wsi;
	c->x = exchange_new(s);
	c->x->conn = c;
	/* A fresh connection has the time of a request for its handshake and first byte. */
	c->deadline_ms = clock_mono_ms() + s->request_timeout_ms;
	buf_init(&c->ahead, 2 * CONN_READ_BYTES);
	c->next = s->conns;
	if (c->next)
		c->next->prev = c;
	s->conns = c;
	s->n_conns++;
	return c;
}

/* Takes an answer that came too late for its connection out of the queue. */
static void unqueue(struct http_server *s, const struct http_exchange *x)
{
	struct http_exchange *last = NULL;

	for (struct http_exchange *i = s->answered_first; i; last = i, i = i->next) {
		if (i != x)
			continue;
		if (last)
			last->next = i->next;
		else
			s->answered_first = i->next;
		if (s->answered_last == i)
			s->answered_last = last;
		return;
	}
}

void conn_free(struct http_conn *c)
{
	struct http_server *s = c->server;
	SSL *ssl = lws_get_ssl(c->wsi);
	bool orphan;

	/* libwebsockets leaves it out for raw sockets; clients would call the end of the connection a truncation. */
	if (ssl && SSL_is_init_finished(ssl)) {
		(void)SSL_shutdown(ssl);
		ERR_clear_error();
	}
	pthread_mutex_lock(&s->mutex);
	orphan = c->x->held && !c->x->answered;
	if (orphan) {
		c->x->conn = NULL;
		s->refs++;
	} else if (c->x->held) {
		unqueue(s, c->x);
	}
	pthread_mutex_unlock(&s->mutex);
	if (!orphan)
		exchange_free(c->x);
	if (c->prev)
		c->prev->next = c->next;
	else
		s->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	s->n_conns--;
	buf_release(&c->ahead);
	free(c);
}

void conn_kill(struct http_conn *c)
{
	c->deadline_ms = INT64_MAX;
	lws_set_timeout(c->wsi, PENDING_TIMEOUT_CLOSE_SEND, LWS_TO_KILL_ASYNC);
}

/* Without this, libwebsockets polls in circles while it holds output and input is waiting. */
static void set_reading(struct http_conn *c, bool on)
{
	if (c->reading_off != on)
		return;
	c->reading_off = !on;
	(void)lws_rx_flow_control(c->wsi, on);
}

static bool is_busy(const struct http_conn *c)
{
	return c->state == CONN_HANDLER || c->state == CONN_SENDING;
}

/* The answer is out: next request, or the end. */
static int answer_sent(struct http_conn *c)
{
	struct http_server *s = c->server;

	if (c->refused) {
		c->state = CONN_LINGER;
		c->deadline_ms = clock_mono_ms() + LINGER_MS;
		if (!lws_get_ssl(c->wsi))
			(void)shutdown(lws_get_socket_fd(c->wsi), SHUT_WR);
		set_reading(c, true);
		return 0;
	}
	if (c->closing)
		return -1;
	exchange_reset(c->x);
	c->searched = 0;
	c->state = CONN_IDLE;
	c->deadline_ms = clock_mono_ms() + s->keepalive_ms;
	return 0;
}

static int send_more(struct http_conn *c)
{
	struct buf *out = &c->x->out;
	size_t piece = lws_get_ssl(c->wsi) ? CONN_TLS_RECORD_BYTES : CONN_WRITE_BYTES;

	c->deadline_ms = clock_mono_ms() + c->server->request_timeout_ms;
	while (c->sent < out->len && !lws_partial_buffered(c->wsi)) {
		size_t n = MIN(piece, out->len - c->sent);

		if (lws_write(c->wsi, (unsigned char *)out->ptr + c->sent, n, LWS_WRITE_RAW) < 0)
			return -1;
		c->sent += n;
	}
	if (!lws_partial_buffered(c->wsi))
		return answer_sent(c);
	/* libwebsockets sends what it holds, then says that the socket is writable. */
	set_reading(c, false);
	return 0;
}

static int send_answer(struct http_conn *c)
{
	struct http_exchange *x = c->x;

	c->closing = c->refused || !x->req.keep_alive || c->server->stopping;
	exchange_finish_head(x, !c->closing);
	c->sent = x->out_start;
	c->state = CONN_SENDING;
	return send_more(c);
}

static int refuse(struct http_conn *c, int status, const char *text)
{
	c->refused = true;
	exchange_set_error(c->x, status, text);
	return send_answer(c);
}

static int call_handler(struct http_conn *c)
{
	struct http_server *s = c->server;
	struct http_exchange *x = c->x;
	bool answered;

	c->state = CONN_HANDLER;
	c->deadline_ms = INT64_MAX;
	x->running = true;
	x->route->fn(x, x->route->arg);
	pthread_mutex_lock(&s->mutex);
	x->running = false;
	answered = x->answered;
	x->held = !answered;
	pthread_mutex_unlock(&s->mutex);
	return answered ? send_answer(c) : 0;
}

static bool path_matches(const char *pattern, const char *path)
{
	size_t n = strlen(pattern);

	if (n && pattern[n - 1] == '*')
		return strncmp(pattern, path, n - 1) == 0;
	return strcmp(pattern, path) == 0;
}

static bool method_matches(const struct http_route *r, const char *method)
{
	return strcmp(r->method, method) == 0 || (strcmp(r->method, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

/* Sets the exchange's route, or answers 404 or 405 and leaves it NULL. */
static int find_route(struct http_conn *c)
{
	struct http_server *s = c->server;
	struct http_exchange *x = c->x;
	const char *path = http_path(x), *method = http_method(x);
	_cleanup_(buf_release) struct buf allow = BUF_INIT(256);

	for (size_t i = 0; i < s->n_routes; i++) {
		const struct http_route *r = &s->routes[i];

		if (!path_matches(r->path, path))
			continue;
		if (method_matches(r, method)) {
			x->route = r;
			return 0;
		}
		(void)buf_addf(&allow, "%s%s%s", allow.len ? ", " : "", r->method,
			       strcmp(r->method, "GET") == 0 ? ", HEAD" : "");
	}
	if (allow.len)
		http_reply_header(x, "Allow", buf_cstr(&allow));
	/* A body that nobody will read ends the connection. */
	c->refused = x->req.chunked || x->req.content_length > 0;
	exchange_set_error(x, allow.len ? 405 : 404, allow.len ? "method not allowed" : "no such path");
	return send_answer(c);
}

/* The head is complete: decides what the body is. */
static int begin_body(struct http_conn *c)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct http_exchange *x = c->x;
	unsigned char line[LWS_PRE + sizeof(go_on)];

	if (find_route(c))
		return -1;
	if (!x->route)
		return 0;
	if (x->req.content_length > (int64_t)x->route->max_body || (x->req.chunked && x->route->max_body == 0))
		return refuse(c, 413, "request body too large");
	if (!x->req.chunked && x->req.content_length == 0)
		return call_handler(c);
	c->state = CONN_BODY;
	c->chunks = (struct request_chunks){ 0 };
	x->body.max = x->route->max_body;
	(void)buf_reserve(&x->body, (size_t)x->req.content_length);
	if (!x->req.expect_continue)
		return 0;
	memcpy(line + LWS_PRE, go_on, sizeof(go_on) - 1);
	return lws_write(c->wsi, line + LWS_PRE, sizeof(go_on) - 1, LWS_WRITE_RAW) < 0 ? -1 : 0;
}

static const char *refusal_text(int status)
{
	switch (status) {
	case 413:
		return "request body too large";
	case 417:
		return "expectation not supported";
	case 431:
		return "request head too large";
	case 501:
		return "transfer coding not supported";
	case 505:
		return "HTTP version not supported";
	default:
		return "malformed request";
	}
}

static int feed_head(struct http_conn *c, const char *data, size_t len, size_t *ret_used)
{
	struct buf *head = &c->x->head;
	size_t before = head->len, take = MIN(len, head->max - head->len), n;
	int status;

	(void)buf_add(head, data, take);
	n = request_head_len(buf_str(head), c->searched);
	if (n == 0) {
		c->searched = head->len;
		*ret_used = take;
		return head->len == head->max ? refuse(c, 431, refusal_text(431)) : 0;
	}
	*ret_used = n - before;
	head->len = n;
	head->ptr[n] = '\0';
	status = request_parse(&c->x->req, head->ptr, n);
	return status ? refuse(c, status, refusal_text(status)) : begin_body(c);
}

static int feed_body(struct http_conn *c, const char *data, size_t len, size_t *ret_used)
{
	struct http_exchange *x = c->x;
	bool complete;

	if (x->req.chunked) {
		int status = request_chunks_feed(&c->chunks, str_of(data, len), &x->body, x->body.max, ret_used);

		if (status) {
			*ret_used = len;
			return refuse(c, status, refusal_text(status));
		}
		complete = c->chunks.state == CHUNK_DONE;
	} else {
		*ret_used = MIN(len, (size_t)x->req.content_length - x->body.len);
		(void)buf_add(&x->body, data, *ret_used);
		complete = x->body.len == (size_t)x->req.content_length;
	}
	return complete ? call_handler(c) : 0;
}

/* Reads requests until the data ends or one of them waits for its answer. */
static int feed(struct http_conn *c, const char *data, size_t len, size_t *ret_used)
{
	size_t done = 0;

	while (done < len && !is_busy(c)) {
		size_t used = 0;
		int r = 0;

		switch (c->state) {
		case CONN_IDLE:
			c->state = CONN_HEAD;
			c->deadline_ms = clock_mono_ms() + c->server->request_timeout_ms;
			/* fall through */
		case CONN_HEAD:
			r = feed_head(c, data + done, len - done, &used);
			break;
		case CONN_BODY:
			r = feed_body(c, data + done, len - done, &used);
			break;
		case CONN_LINGER:
			used = len - done;
			c->lingered += used;
			r = c->lingered > LINGER_BYTES ? -1 : 0;
			break;
		case CONN_HANDLER:
		case CONN_SENDING:
			break;
		}
		if (r)
			return -1;
		done += used;
	}
	*ret_used = done;
	return 0;
}

/* Goes on with what came ahead of its turn. */
static int resume(struct http_conn *c)
{
	size_t used = 0;

	if (is_busy(c))
		return 0;
	if (c->ahead.len) {
		if (feed(c, c->ahead.ptr + c->ahead_used, c->ahead.len - c->ahead_used, &used))
			return -1;
		c->ahead_used += used;
		if (c->ahead_used < c->ahead.len)
			return 0;
		buf_release(&c->ahead);
		c->ahead_used = 0;
	}
	if (!lws_partial_buffered(c->wsi))
		set_reading(c, true);
	return 0;
}

int conn_read(struct http_conn *c, const char *data, size_t len)
{
	size_t used = 0;

	if (!c->established) {
		/* libwebsockets' own timeouts count whole seconds; ours take over. */
		lws_set_timeout(c->wsi, NO_PENDING_TIMEOUT, 0);
		c->established = true;
	}
	if (c->ahead.len == 0 && feed(c, data, len, &used))
		return -1;
	if (used == len)
		return 0;
	if (buf_add(&c->ahead, data + used, len - used))
		return -1;
	set_reading(c, false);
	return 0;
}

int conn_writable(struct http_conn *c)
{
	if (c->state == CONN_SENDING && send_more(c))
		return -1;
	return resume(c);
}

void conn_answer(struct http_conn *c)
{
	c->x->held = false;
	if (send_answer(c) || resume(c))
		conn_kill(c);
}
