/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scripted API server for the unit tests of pkg/k8s: raw sockets, so that it can also do what a good server never
 * does. One thread per connection, one request per connection. The handler answers with fake_reply(), or streams with
 * fake_stream() and fake_chunk(), and must return soon after fake->stopping is set.
 */
#ifndef TESTS_UNIT_FAKE_API_H
#define TESTS_UNIT_FAKE_API_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "k8s/rest.h"

#define FAKE_MAX_REQUEST (256 * 1024)

struct fake_request {
	int fd;
	char method[8];
	char target[2048]; /* path and query */
	const char *head;
	struct str body;
};

struct fake;
typedef void (*fake_handler)(struct fake *f, const struct fake_request *r, void *arg);

struct fake {
	int fd;
	int port;
	fake_handler handler;
	void *arg;
	pthread_t acceptor;
	_Atomic(bool) stopping;
	_Atomic(int) connections; /* handlers under way */
	_Atomic(int) requests;
	_Atomic(int) mutations; /* requests other than GET */
};

struct fake_connection {
	struct fake *fake;
	int fd;
};

static inline void fake_send(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		data += n;
		len -= (size_t)n;
	}
}

static inline void fake_reply_head(int fd, int status, const char *headers, const char *body)
{
	_cleanup_free_ char *text = xasprintf(
		"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nConnection: close\r\n%sContent-Length: %zu"
		"\r\n\r\n%s",
		status, headers, strlen(body), body);

	fake_send(fd, text, strlen(text));
}

static inline void fake_reply(int fd, int status, const char *body)
{
	fake_reply_head(fd, status, "", body);
}

static inline void fake_status(int fd, int code, const char *reason, const char *message)
{
	_cleanup_free_ char *text = xasprintf("{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\","
					      "\"message\":\"%s\",\"reason\":\"%s\",\"code\":%d}",
					      message, reason, code);

	fake_reply(fd, code, text);
}

static inline void fake_stream(int fd)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
				   "Transfer-Encoding: chunked\r\n\r\n";

	fake_send(fd, head, sizeof(head) - 1);
}

/* An empty text ends the stream. */
static inline void fake_chunk(int fd, const char *text)
{
	_cleanup_free_ char *chunk = xasprintf("%zx\r\n%s\r\n", strlen(text), text);

	fake_send(fd, chunk, strlen(chunk));
}

/* Until the client hangs up, the server stops, or the time is over. */
static inline void fake_hold(const struct fake *f, int fd, int64_t ms)
{
	for (int64_t until = clock_mono_ms() + ms; clock_mono_ms() < until && !atomic_load(&f->stopping);) {
		struct pollfd p = { .fd = fd, .events = POLLRDHUP };

		if (poll(&p, 1, 10) > 0)
			return;
	}
}

/* Reads head and body (Content-Length only). False when the client hung up. */
static inline bool fake_read(int fd, struct buf *b, struct fake_request *r)
{
	const char *end = NULL;
	int64_t length = 0;

	while (!end) {
		if (buf_reserve(b, 16384))
			return false;
		ssize_t n = recv(fd, b->ptr + b->len, 16384, 0);
		if (n <= 0)
			return false;
		b->len += (size_t)n;
		b->ptr[b->len] = '\0';
		end = strstr(b->ptr, "\r\n\r\n");
	}
	const char *header = strcasestr(b->ptr, "\r\ncontent-length:");
	if (header && header < end)
		length = strtol(header + 17, NULL, 10);
	size_t head_len = (size_t)(end - b->ptr) + 4;
	if (strcasestr(b->ptr, "expect: 100"))
		fake_send(fd, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	while (b->len < head_len + (size_t)length) {
		if (buf_reserve(b, 16384))
			return false;
		ssize_t n = recv(fd, b->ptr + b->len, 16384, 0);
		if (n <= 0)
			return false;
		b->len += (size_t)n;
		b->ptr[b->len] = '\0';
	}
	struct str line = str_of(b->ptr, (size_t)(strchr(b->ptr, '\r') - b->ptr)), method, target;
	(void)str_split(&line, ' ', &method);
	(void)str_split(&line, ' ', &target);
	(void)str_copy(r->method, sizeof(r->method), method);
	(void)str_copy(r->target, sizeof(r->target), target);
	r->fd = fd;
	r->head = b->ptr;
	r->body = str_of(b->ptr + head_len, b->len - head_len);
	return true;
}

static inline void *fake_serve(void *arg)
{
	struct fake_connection *c = arg;
	struct fake *f = c->fake;
	_cleanup_(buf_release) struct buf b = BUF_INIT(FAKE_MAX_REQUEST);
	struct fake_request r;

	if (fake_read(c->fd, &b, &r)) {
		atomic_fetch_add(&f->requests, 1);
		if (strcmp(r.method, "GET") != 0)
			atomic_fetch_add(&f->mutations, 1);
		f->handler(f, &r, f->arg);
	}
	(void)shutdown(c->fd, SHUT_WR);
	(void)close(c->fd);
	free(c);
	atomic_fetch_sub(&f->connections, 1);
	return NULL;
}

static inline void *fake_accept(void *arg)
{
	struct fake *f = arg;
	int fd;

	while ((fd = accept(f->fd, NULL, NULL)) >= 0) {
		struct fake_connection *c = xcalloc(1, sizeof(*c));
		struct timeval patience = { .tv_sec = 5 };
		pthread_t t;

		(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		*c = (struct fake_connection){ f, fd };
		atomic_fetch_add(&f->connections, 1);
		(void)pthread_create(&t, NULL, fake_serve, c);
		(void)pthread_detach(t);
	}
	return NULL;
}

static inline struct fake *fake_start(fake_handler handler, void *arg)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	struct fake *f = xcalloc(1, sizeof(*f));

	f->handler = handler;
	f->arg = arg;
	f->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(f->fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(f->fd, 64), 0);
	assert_int_equal(getsockname(f->fd, (struct sockaddr *)&a, &len), 0);
	f->port = ntohs(a.sin_port);
	assert_int_equal(pthread_create(&f->acceptor, NULL, fake_accept, f), 0);
	return f;
}

static inline void fake_stop(struct fake *f)
{
	atomic_store(&f->stopping, true);
	(void)shutdown(f->fd, SHUT_RDWR);
	(void)pthread_join(f->acceptor, NULL);
	while (atomic_load(&f->connections) > 0)
		(void)usleep(1000);
	(void)close(f->fd);
	free(f);
}

/* A struct k8s that talks to it. `user` is the kubeconfig's user, as JSON: "{}", or {"tokenFile": ...}. */
static inline struct k8s *fake_k8s(const struct fake *f, const char *user, const struct k8s_options *o)
{
	_cleanup_free_ char *yaml =
		xasprintf("{\"current-context\":\"c\",\"contexts\":[{\"name\":\"c\",\"context\":{\"cluster\":\"c\","
			  "\"user\":\"u\"}}],\"clusters\":[{\"name\":\"c\",\"cluster\":{\"server\":\"http://127.0.0.1:"
			  "%d\"}}],\"users\":[{\"name\":\"u\",\"user\":%s}]}",
			  f->port, user);
	struct error err = ERROR_INIT;
	struct k8s_auth auth;
	struct k8s *k = NULL;

	if (k8s_auth_kubeconfig(str_from(yaml), "/tmp", NULL, &auth, &err) || k8s_new(&auth, o, &k, &err))
		fail_msg("%s", err.msg);
	return k;
}

/* Waits up to 10 s for a condition that another thread brings about. */
#define fake_wait_for(condition)                                               \
	do {                                                                   \
		int64_t until_ = clock_mono_ms() + 10000;                      \
		while (!(condition)) {                                         \
			if (clock_mono_ms() > until_)                          \
				fail_msg("waited in vain for %s", #condition); \
			(void)usleep(2000);                                    \
		}                                                              \
	} while (0)

#endif
