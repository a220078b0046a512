/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of HTTP client and server share: certificates in a temporary directory, raw sockets, time. */
#ifndef TESTS_UNIT_HTTP_FIXTURE_H
#define TESTS_UNIT_HTTP_FIXTURE_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "http/client.h"
#include "http/server.h"

static char fixture_dir[] = "/tmp/loadshift-http-XXXXXX";

/* One of a ring of buffers, so that two paths fit in one call. */
static inline const char *fixture_path(const char *name)
{
	static char ring[8][256];
	static int at;
	char *p = ring[at++ % 8];

	(void)snprintf(p, 256, "%s/%s", fixture_dir, name);
	return p;
}

static inline void fixture_sh(const char *fmt, ...) printf_like(1, 2);
static inline void fixture_sh(const char *fmt, ...)
{
	char script[4096], line[4600];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(script, sizeof(script), fmt, args);
	va_end(args);
	(void)snprintf(line, sizeof(line), "cd %s && { %s; } >>log 2>&1", fixture_dir, script);
	if (system(line) != 0)
		fail_msg("%s", script);
}

/* name.crt and name.key for localhost and 127.0.0.1 (or another host), signed by ca.key. */
static inline void fixture_cert(const char *name, const char *ca, const char *san, const char *dates, const char *type)
{
	fixture_sh("openssl req -newkey %s -nodes -keyout %s.key -out %s.csr -subj /CN=%s &&"
		   "printf 'subjectAltName=%s\\nextendedKeyUsage=serverAuth,clientAuth\\n' > %s.ext &&"
		   "mkdir -p %s.d && touch %s.d/index.txt && echo 01 > %s.d/serial &&"
		   "printf '[ca]\\ndefault_ca=d\\n[d]\\ndir=%s.d\\ndatabase=%s.d/index.txt\\nserial=%s.d/serial\\n"
		   "new_certs_dir=%s.d\\ndefault_md=sha256\\npolicy=p\\n[p]\\ncommonName=supplied\\n' > %s.cnf &&"
		   "openssl ca -batch -config %s.cnf -cert %s.crt -keyfile %s.key -in %s.csr -out %s.crt -notext "
		   "-extfile %s.ext %s",
		   type, name, name, name, san, name, name, name, name, name, name, name, name, name, name, ca, ca,
		   name, name, name, dates);
}

#define FIXTURE_EC "ec -pkeyopt ec_paramgen_curve:P-256"
#define FIXTURE_RSA "rsa:2048"
#define FIXTURE_LOCAL "DNS:localhost,IP:127.0.0.1"

static inline void fixture_ca(const char *name)
{
	fixture_sh("openssl req -x509 -newkey %s -nodes -keyout %s.key -out %s.crt -days 30 -subj /CN=%s", FIXTURE_EC,
		   name, name, name);
}

static inline int fixture_setup(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	if (!mkdtemp(fixture_dir) || http_client_global_init(&err))
		return -1;
	fixture_ca("ca");
	fixture_ca("other-ca");
	fixture_cert("good", "ca", FIXTURE_LOCAL, "-days 20", FIXTURE_EC);
	fixture_cert("client", "ca", "DNS:client", "-days 20", FIXTURE_EC);
	return 0;
}

static inline int fixture_teardown(void **state)
{
	char line[128];

	(void)state;
	http_client_global_cleanup();
	(void)snprintf(line, sizeof(line), "rm -rf %s", fixture_dir);
	return system(line);
}

/* --- raw sockets --- */

static inline int raw_connect(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static inline void raw_send(int fd, const char *text)
{
	size_t len = strlen(text);

	assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), len);
}

/* Up to cap-1 bytes until `end` was seen, the peer closed or the time is over; the number of bytes, text in out. */
static inline size_t raw_read(int fd, char *out, size_t cap, const char *end, int timeout_ms)
{
	int64_t until = clock_mono_ms() + timeout_ms;
	size_t len = 0;

	out[0] = '\0';
	while (len + 1 < cap) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = until - clock_mono_ms();
		ssize_t n;

		if (left <= 0 || poll(&p, 1, (int)left) <= 0)
			break;
		n = recv(fd, out + len, cap - 1 - len, 0);
		if (n <= 0)
			break;
		len += (size_t)n;
		out[len] = '\0';
		if (end && strstr(out, end))
			break;
	}
	return len;
}

/* The peer closed (or reset) within the time; what it still sent is thrown away. */
static inline bool raw_closed(int fd, int timeout_ms)
{
	int64_t until = clock_mono_ms() + timeout_ms;
	char junk[4096];

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = until - clock_mono_ms();

		if (left <= 0 || poll(&p, 1, (int)left) <= 0)
			return false;
		if (recv(fd, junk, sizeof(junk), 0) <= 0)
			return true;
	}
}

/* One request on its own connection; returns the status, whole answer in out. */
static inline int raw_request(int port, const char *text, char *out, size_t cap)
{
	int fd = raw_connect(port), status = 0;
	int64_t value = 0, length = 0;
	size_t n;
	char *body, *p;

	raw_send(fd, text);
	n = raw_read(fd, out, cap, "\r\n\r\n", 1000);
	if (n >= 12 && str_to_i64(str_of(out + 9, 3), 100, 599, &value))
		status = (int)value;
	body = strstr(out, "\r\n\r\n");
	p = strstr(out, "Content-Length: ");
	if (body && p && str_to_i64(str_of(p + 16, strcspn(p + 16, "\r")), 0, INT64_MAX, &length) &&
	    (int64_t)strlen(body + 4) < length && strncmp(text, "HEAD", 4) != 0)
		(void)raw_read(fd, out + n, cap - n, NULL, 300);
	(void)close(fd);
	return status;
}

/* A server of few words, for what ours does not do: streams, stalls and cut-off answers. One thread a connection. */
static int fake_fd = -1;
static _Atomic int fake_open;
static _Atomic bool fake_stop;

static inline void fake_say(int fd, const char *text)
{
	(void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static inline void fake_chunk(int fd, const char *text)
{
	char line[256];

	(void)snprintf(line, sizeof(line), "%zx\r\n%s\r\n", strlen(text), text);
	fake_say(fd, line);
}

static inline void fake_stream(int fd, const char *request)
{
	char line[64];

	fake_say(fd, "HTTP/1.1 200 OK\r\nContent-Type: x/stream\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 20; i++) {
		if (strstr(request, "/stall") && i == 3)
			return;
		(void)snprintf(line, sizeof(line), "line %d\n", i);
		fake_chunk(fd, line);
		usleep(10000);
	}
	fake_chunk(fd, "");
}

static inline void *fake_main(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char request[4096], junk[256];
	struct timeval tv = { .tv_usec = 50000 };

	if (raw_read(fd, request, sizeof(request), "\r\n\r\n", 2000)) {
		if (strstr(request, "/cut"))
			fake_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc");
		else if (strstr(request, "/junk"))
			fake_say(fd, "SSH-2.0-hello\r\n\r\n\r\n");
		else if (strstr(request, "/early"))
			fake_say(fd, "HTTP/1.1 103 Early Hints\r\nETag: \"no\"\r\n\r\n"
				     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
				     "Date: Wed, 21 Oct 2015 07:28:00 GMT\r\n\r\nok");
		else if (strstr(request, "/denied"))
			fake_say(fd, "HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\nno way");
		else if (strstr(request, "/stream") || strstr(request, "/stall"))
			fake_stream(fd, request);
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	while (!strstr(request, "/cut") && !atomic_load(&fake_stop)) {
		ssize_t n = recv(fd, junk, sizeof(junk), 0);

		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK))
			break;
	}
	(void)close(fd);
	atomic_fetch_sub(&fake_open, 1);
	return NULL;
}

static inline void *fake_accept(void *arg)
{
	(void)arg;
	for (;;) {
		int fd = accept(fake_fd, NULL, NULL);
		pthread_t t;

		if (fd < 0)
			return NULL;
		atomic_fetch_add(&fake_open, 1);
		if (pthread_create(&t, NULL, fake_main, (void *)(intptr_t)fd) == 0)
			(void)pthread_detach(t);
	}
}

static pthread_t fake_thread;

static inline int fake_start(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	atomic_store(&fake_stop, false);
	fake_fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fake_fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fake_fd, 64), 0);
	assert_int_equal(getsockname(fake_fd, (struct sockaddr *)&a, &len), 0);
	assert_int_equal(pthread_create(&fake_thread, NULL, fake_accept, NULL), 0);
	return ntohs(a.sin_port);
}

static inline void fake_end(void)
{
	atomic_store(&fake_stop, true);
	(void)shutdown(fake_fd, SHUT_RDWR);
	(void)pthread_join(fake_thread, NULL);
	(void)close(fake_fd);
	while (atomic_load(&fake_open) > 0)
		usleep(10000);
}

#endif
