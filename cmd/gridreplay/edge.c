/* SPDX-License-Identifier: Apache-2.0 */
/* gridreplay's edge: raw sockets. */
#include "edge.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"

#define MAX_HEAD 16384
#define MAX_CONNECTIONS 128
#define HEAD_MS 10000
#define HOLD_MS 40000
#define DRIP_MS 200
#define STOP_POLL_MS 100
/* Gives up being false after so long: no client should wait for that. */
#define MAX_FALSE_MS 120000
#define LARGE_BYTES ((size_t)5 * 1024 * 1024)

struct edge {
	struct replay *replay;
	int fd;
	int port;
	int server_port;
	pthread_t thread;
	atomic_bool stopping;
	atomic_int connections;
};

struct connection {
	struct edge *edge;
	int fd;
};

/* Waits for the socket, in steps that notice the end of the program. False when time is up or the peer is gone. */
static bool wait_for(const struct edge *e, int fd, short events, int64_t timeout_ms)
{
	int64_t end_ms = clock_mono_ms() + timeout_ms;

	while (!atomic_load(&e->stopping) && clock_mono_ms() < end_ms) {
		struct pollfd p = { .fd = fd, .events = events };
		int n = poll(&p, 1, STOP_POLL_MS);

		if (n > 0)
			return (p.revents & events) != 0;
		if (n < 0 && errno != EINTR)
			return false;
	}
	return false;
}

static bool send_all(const struct edge *e, int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n;

		if (!wait_for(e, fd, POLLOUT, HEAD_MS))
			return false;
		n = send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

static bool send_text(const struct edge *e, int fd, const char *text)
{
	return send_all(e, fd, text, strlen(text));
}

/* Time passes; over when the client leaves. */
static bool pause_for(const struct edge *e, int fd, int64_t ms)
{
	int64_t end_ms = clock_mono_ms() + ms;
	char byte;

	while (clock_mono_ms() < end_ms) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		if (atomic_load(&e->stopping))
			return false;
		if (poll(&p, 1, (int)MIN(end_ms - clock_mono_ms(), STOP_POLL_MS)) > 0 &&
		    recv(fd, &byte, 1, MSG_DONTWAIT) <= 0)
			return false;
	}
	return true;
}

static void drip(const struct edge *e, int fd)
{
	if (!send_text(e, fd, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{"))
		return;
	for (int ms = 0; ms < MAX_FALSE_MS && pause_for(e, fd, DRIP_MS); ms += DRIP_MS)
		if (!send_text(e, fd, " "))
			return;
}

/* A body of blanks: of `total` bytes, or without an end when that is 0, in chunks of 4 KiB. */
static void pour(const struct edge *e, int fd, size_t total)
{
	int64_t end_ms = clock_mono_ms() + MAX_FALSE_MS;
	char block[4096 + 16], head[128];
	size_t sent = 0;

	(void)snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n");
	if (!send_text(e, fd, head))
		return;
	if (total)
		(void)snprintf(head, sizeof(head), "Content-Length: %zu\r\n\r\n", total);
	else
		(void)snprintf(head, sizeof(head), "Transfer-Encoding: chunked\r\n\r\n");
	if (!send_text(e, fd, head))
		return;
	if (total)
		(void)snprintf(block, sizeof(block), "%4096s", "");
	else
		(void)snprintf(block, sizeof(block), "1000\r\n%4096s\r\n", "");
	while ((!total || sent < total) && clock_mono_ms() < end_ms) {
		if (!send_all(e, fd, block, total ? MIN((size_t)4096, total - sent) : 4096 + 8))
			return;
		sent += 4096;
	}
}

static void play_false(const struct edge *e, int fd, enum transport transport)
{
	switch (transport) {
	case TRANSPORT_HOLD:
		(void)pause_for(e, fd, HOLD_MS);
		break;
	case TRANSPORT_DRIP:
		drip(e, fd);
		break;
	case TRANSPORT_ENDLESS:
		pour(e, fd, 0);
		break;
	case TRANSPORT_LARGE:
		pour(e, fd, LARGE_BYTES);
		break;
	default:
		(void)send_text(e, fd,
				"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n"
				"{\"data\":[{\"from\":\"2026-05-06T09:00Z\",\"to\":");
	}
}

/* Length of the head, 0 when none came. */
static size_t read_head(const struct edge *e, int fd, char head[MAX_HEAD + 1])
{
	size_t len = 0;

	while (len < MAX_HEAD && wait_for(e, fd, POLLIN, HEAD_MS)) {
		ssize_t n = recv(fd, head + len, MAX_HEAD - len, 0);

		if (n <= 0)
			return 0;
		len += (size_t)n;
		head[len] = '\0';
		if (memmem(head, len, "\r\n\r\n", 4))
			return len;
	}
	return 0;
}

static int connect_server(const struct edge *e)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)e->server_port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof(to))) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

/* Bytes from one socket to the other; false at the end of either. */
static bool carry(const struct edge *e, int from, int to)
{
	char block[16384];
	ssize_t n = recv(from, block, sizeof(block), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	return n > 0 && send_all(e, to, block, (size_t)n);
}

/* The request with "Connection: close" behind its first line, and everything that comes back. */
static void hand_on(const struct edge *e, int fd, const char *head, size_t len)
{
	const char *line = memmem(head, len, "\r\n", 2);
	size_t first = (size_t)(line - head) + 2;
	int server = connect_server(e);

	if (server < 0)
		return;
	if (send_all(e, server, head, first) && send_text(e, server, "Connection: close\r\n") &&
	    send_all(e, server, head + first, len - first)) {
		struct pollfd p[] = { { .fd = fd, .events = POLLIN }, { .fd = server, .events = POLLIN } };

		while (!atomic_load(&e->stopping)) {
			int n = poll(p, 2, STOP_POLL_MS);

			if (n < 0 && errno != EINTR)
				break;
			if (n <= 0)
				continue;
			if ((p[0].revents && !carry(e, fd, server)) || (p[1].revents && !carry(e, server, fd)))
				break;
		}
	}
	(void)close(server);
}

/* What fault 11.20 says about the path; NONE for requests that are no provider's. */
static enum transport transport_of(const struct edge *e, const char *head)
{
	struct str line = str_from(head), word, path;
	const struct source *source;
	bool rows[FAULT_ROWS] = { false };
	int64_t now_ms = clock_now_ms(&e->replay->clock);
	enum transport transport;
	char text[1024];

	/* Method, then the target. */
	(void)str_split(&line, ' ', &word);
	if (!str_split(&line, ' ', &word) || !str_split(&word, '?', &path))
		return TRANSPORT_NONE;
	source = source_find(path);
	if (!source || !str_copy(text, sizeof(text), path))
		return TRANSPORT_NONE;
	transport = faults_collect(e->replay, source->provider, now_ms, rows);
	if (transport)
		log_request(e->replay, source->provider, now_ms, text, "", 0, 0, rows);
	return transport;
}

static void *serve(void *arg)
{
	struct connection *c = arg;
	struct edge *e = c->edge;
	int fd = c->fd;
	char *head = xcalloc(1, MAX_HEAD + 1);
	size_t len = read_head(e, fd, head);
	enum transport transport = len ? transport_of(e, head) : TRANSPORT_NONE;

	free(c);
	if (transport)
		play_false(e, fd, transport);
	else if (len)
		hand_on(e, fd, head, len);
	free(head);
	(void)close(fd);
	(void)atomic_fetch_sub(&e->connections, 1);
	return NULL;
}

static void start_connection(struct edge *e, int fd)
{
	struct connection *c;
	pthread_t thread;

	if (atomic_fetch_add(&e->connections, 1) < MAX_CONNECTIONS) {
		c = xcalloc(1, sizeof(*c));
		*c = (struct connection){ e, fd };
		if (pthread_create(&thread, NULL, serve, c) == 0) {
			(void)pthread_detach(thread);
			return;
		}
		free(c);
	}
	(void)close(fd);
	(void)atomic_fetch_sub(&e->connections, 1);
}

static void *listen_on(void *arg)
{
	struct edge *e = arg;

	while (!atomic_load(&e->stopping)) {
		int fd;

		if (!wait_for(e, e->fd, POLLIN, HEAD_MS))
			continue;
		fd = accept4(e->fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			start_connection(e, fd);
	}
	return NULL;
}

static int open_listener(const char *address, int port, int *ret_port, struct error *err)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	socklen_t len = sizeof(at);
	int fd, one = 1;

	if (inet_pton(AF_INET, address, &at.sin_addr) != 1)
		return error_set(err, ERR_INVALID, "--listen '%s': must be a numeric IPv4 address", address);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set(err, ERR_UNAVAILABLE, "socket: %s", strerrorname_np(errno));
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) || listen(fd, 128) ||
	    getsockname(fd, (struct sockaddr *)&at, &len)) {
		(void)error_set(err, ERR_UNAVAILABLE, "cannot listen on %s:%d: %s", address, port,
				strerrorname_np(errno));
		(void)close(fd);
		return -1;
	}
	*ret_port = ntohs(at.sin_port);
	return fd;
}

int edge_new(struct replay *r, const char *address, int port, int server_port, struct edge **ret, struct error *err)
{
	struct edge *e = xcalloc(1, sizeof(*e));

	e->replay = r;
	e->server_port = server_port;
	e->fd = open_listener(address, port, &e->port, err);
	if (e->fd < 0) {
		free(e);
		return -1;
	}
	if (pthread_create(&e->thread, NULL, listen_on, e)) {
		(void)close(e->fd);
		free(e);
		return error_set(err, ERR_UNAVAILABLE, "cannot start the edge's thread");
	}
	*ret = e;
	return 0;
}

int edge_port(const struct edge *e)
{
	return e->port;
}

void edge_free(struct edge *e)
{
	const struct timespec moment = { .tv_nsec = 10 * 1000 * 1000 };

	if (!e)
		return;
	atomic_store(&e->stopping, true);
	(void)pthread_join(e->thread, NULL);
	(void)close(e->fd);
	while (atomic_load(&e->connections) > 0)
		(void)nanosleep(&moment, NULL);
	free(e);
}
