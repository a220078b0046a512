/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP server: limits, methods, keep-alive, slow clients, late answers, stopping, certificates. */
#include "http_fixture.h"

#include <stdatomic.h>
#include <sys/resource.h>

/* --- handlers --- */

static void handle_hello(struct http_exchange *x, void *arg)
{
	(void)arg;
	http_reply(x, 200, "text/plain", STR("hello\n"));
}

static void handle_echo(struct http_exchange *x, void *arg)
{
	(void)arg;
	http_reply_header(x, "X-Method", http_method(x));
	http_reply(x, 200, "application/octet-stream", http_body(x));
}

static void handle_show(struct http_exchange *x, void *arg)
{
	struct buf b = BUF_INIT(4096);
	const char *a = http_param(x, "a"), *b2 = http_param(x, "b c"), *h = http_header(x, "x-thing");

	(void)arg;
	(void)buf_addf(&b, "path=%s query=%s a=%s bc=%s thing=%s", http_path(x), http_query(x), a ? a : "(none)",
		       b2 ? b2 : "(none)", h ? h : "(none)");
	http_reply_take(x, 200, "text/plain", &b);
	assert_null(b.ptr);
}

static void handle_nothing(struct http_exchange *x, void *arg)
{
	(void)arg;
	http_reply(x, 204, NULL, STR_NULL);
}

static void handle_error(struct http_exchange *x, void *arg)
{
	(void)arg;
	http_reply_header(x, "X-Bad", "a\r\nInjected: yes");
	http_reply_error(x, 422, "field \"%s\" is wrong", "x\n");
}

/* Answers from another thread: a little pool of them. */
#define LATE_MAX 4096
struct late {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	struct http_exchange *queue[LATE_MAX];
	size_t len;
	bool open; /* workers answer only then */
	bool stop;
	_Atomic int seen;
};

static struct late late = { .mutex = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER };

static void handle_late(struct http_exchange *x, void *arg)
{
	(void)arg;
	atomic_fetch_add(&late.seen, 1);
	pthread_mutex_lock(&late.mutex);
	late.queue[late.len++] = x;
	pthread_cond_signal(&late.cond);
	pthread_mutex_unlock(&late.mutex);
}

static void *late_worker(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&late.mutex);
	for (;;) {
		struct http_exchange *x;

		while (!(late.open && late.len) && !late.stop)
			pthread_cond_wait(&late.cond, &late.mutex);
		if (late.stop && !late.len)
			break;
		x = late.queue[--late.len];
		pthread_mutex_unlock(&late.mutex);
		http_reply(x, 200, "text/plain", http_body(x).len ? http_body(x) : STR("late"));
		pthread_mutex_lock(&late.mutex);
	}
	pthread_mutex_unlock(&late.mutex);
	return NULL;
}

static void late_set(bool open, bool stop)
{
	pthread_mutex_lock(&late.mutex);
	late.open = open;
	late.stop = stop;
	pthread_cond_broadcast(&late.cond);
	pthread_mutex_unlock(&late.mutex);
}

static const struct http_route routes[] = {
	{ "GET", "/hello", 0, handle_hello, NULL },        { "POST", "/echo", 2 * 1024 * 1024, handle_echo, NULL },
	{ "PUT", "/echo", 1000, handle_echo, NULL },       { "GET", "/show/*", 0, handle_show, NULL },
	{ "DELETE", "/nothing", 0, handle_nothing, NULL }, { "GET", "/error", 0, handle_error, NULL },
	{ "POST", "/late", 100000, handle_late, NULL },
};

static struct http_server *start(struct http_server_config cfg)
{
	struct http_server *s = NULL;
	struct error err = ERROR_INIT;

	cfg.name = "test";
	cfg.address = "127.0.0.1";
	cfg.routes = routes;
	cfg.n_routes = ARRAY_LEN(routes);
	if (http_server_new(&cfg, &s, &err))
		fail_msg("%s", err.msg);
	assert_true(http_server_port(s) > 0);
	return s;
}

/* --- tests --- */

static void test_routes(void **state)
{
	struct http_server *s = start((struct http_server_config){ 0 });
	int port = http_server_port(s);
	char out[8192];

	(void)state;
	assert_int_equal(raw_request(port, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", out, sizeof(out)), 200);
	assert_non_null(strstr(out, "\r\nContent-Length: 6\r\n"));
	assert_non_null(strstr(out, "\r\nDate: "));
	assert_non_null(strstr(out, "\r\n\r\nhello\n"));
	assert_null(strstr(out, "Connection: close"));
	assert_int_equal(raw_request(port, "HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n", out, sizeof(out)), 200);
	assert_non_null(strstr(out, "\r\nContent-Length: 6\r\n"));
	assert_null(strstr(out, "hello\n"));
	assert_int_equal(raw_request(port, "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n", out, sizeof(out)), 404);
	assert_int_equal(raw_request(port, "GET /hello/x HTTP/1.1\r\nHost: a\r\n\r\n", out, sizeof(out)), 404);
	assert_int_equal(raw_request(port, "DELETE /hello HTTP/1.1\r\nHost: a\r\n\r\n", out, sizeof(out)), 405);
	assert_non_null(strstr(out, "\r\nAllow: GET, HEAD\r\n"));
	assert_int_equal(raw_request(port, "FROB /echo HTTP/1.1\r\nHost: a\r\n\r\n", out, sizeof(out)), 405);
	assert_non_null(strstr(out, "\r\nAllow: POST, PUT\r\n"));
	assert_int_equal(raw_request(port, "DELETE /nothing HTTP/1.1\r\nHost: a\r\n\r\n", out, sizeof(out)), 204);
	assert_null(strstr(out, "Content-Length"));
	assert_int_equal(raw_request(port,
				     "GET /show/a%20b?a=1%2F2&b+c=x+y HTTP/1.1\r\nHost: a\r\nX-Thing:  t \r\n\r\n", out,
				     sizeof(out)),
			 200);
	assert_non_null(strstr(out, "path=/show/a b query=a=1%2F2&b+c=x+y a=1/2 bc=x y thing=t"));
	assert_int_equal(raw_request(port, "GET /error HTTP/1.1\r\nHost: a\r\n\r\n", out, sizeof(out)), 422);
	assert_non_null(strstr(out, "{\"error\":\"field \\\"x\\n\\\" is wrong\"}"));
	assert_null(strstr(out, "Injected"));
	http_server_free(s, 1000);
}

static void test_malformed(void **state)
{
	static const struct {
		int status;
		const char *text;
	} cases[] = {
		{ 400, "GET /hello HTTP/1.1\r\n\r\n" },
		{ 400, "GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" },
		{ 400, "GET  /hello HTTP/1.1\r\nHost: a\r\n\r\n" },
		{ 400, "GET hello HTTP/1.1\r\nHost: a\r\n\r\n" },
		{ 400, "GET http://a/hello HTTP/1.1\r\nHost: a\r\n\r\n" },
		{ 400, "GET /hello\r\nHost: a\r\n\r\n" },
		{ 505, "GET /hello HTTP/2.0\r\nHost: a\r\n\r\n" },
		{ 400, "G(T /hello HTTP/1.1\r\nHost: a\r\n\r\n" },
		{ 400, "GET /he%0 HTTP/1.1\r\nHost: a\r\n\r\n" },
		{ 400, "GET /he%00llo HTTP/1.1\r\nHost: a\r\n\r\n" },
		{ 400, "GET /show/../hello HTTP/1.1\r\nHost: a\r\n\r\n" },
		{ 400, "GET /show/%2e%2E HTTP/1.1\r\nHost: a\r\n\r\n" },
		{ 400, "GET /hello HTTP/1.1\r\nHost : a\r\n\r\n" },
		{ 400, "GET /hello HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n" },
		{ 400, "GET /hello HTTP/1.1\nHost: a\r\n\r\n" },
		{ 400, "GET /hello HTTP/1.1\r\nHost: a\x01\r\n\r\n" },
		{ 400, "\r\n\r\n" },
		{ 400, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx" },
		{ 400, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx" },
		{ 400, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\nx" },
		{ 400, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\nx" },
		{ 400, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\nx" },
		{ 400, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: "
		       "chunked\r\n\r\n0\r\n\r\n" },
		{ 501, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" },
		{ 400, "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" },
		{ 400, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n\r\n" },
		{ 400, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n" },
		{ 417, "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\nContent-Length: 1\r\n\r\nx" },
		{ 413, "GET /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx" },
		{ 404, "POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx" },
	};
	struct http_server *s = start((struct http_server_config){ 0 });
	char out[4096];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int fd = raw_connect(http_server_port(s));

		raw_send(fd, cases[i].text);
		(void)raw_read(fd, out, sizeof(out), "}\n", 1000);
		if (strlen(out) < 12 || strtol(out + 9, NULL, 10) != cases[i].status)
			fail_msg("want %d for %s got %s", cases[i].status, cases[i].text, out);
		assert_non_null(strstr(out, "Connection: close"));
		(void)close(fd);
	}
	http_server_free(s, 1000);
}

static void test_keep_alive_and_pipelining(void **state)
{
	struct http_server *s = start((struct http_server_config){ .keepalive_ms = 400 });
	char out[65536];
	int fd = raw_connect(http_server_port(s)), n = 0;
	struct buf many = BUF_INIT(1 << 20);

	(void)state;
	for (int i = 0; i < 100; i++) {
		raw_send(fd, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
		assert_true(raw_read(fd, out, sizeof(out), "hello\n", 1000) > 0);
	}
	/* All at once, and cut in the middle of a line. */
	for (int i = 0; i < 50; i++)
		(void)buf_adds(&many, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab;");
	(void)send(fd, many.ptr, 1003, 0);
	usleep(20000);
	(void)send(fd, many.ptr + 1003, many.len - 1003, 0);
	(void)raw_read(fd, out, sizeof(out), NULL, 200);
	for (const char *p = strstr(out, "\r\n\r\nab;"); p; p = strstr(p + 1, "\r\n\r\nab;"))
		n++;
	assert_int_equal(n, 50);
	assert_true(raw_closed(fd, 1000));
	(void)close(fd);
	/* The client's wish to close. */
	fd = raw_connect(http_server_port(s));
	raw_send(fd, "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n");
	(void)raw_read(fd, out, sizeof(out), "hello\n", 300);
	assert_non_null(strstr(out, "Connection: close"));
	assert_true(raw_closed(fd, 200));
	(void)close(fd);
	fd = raw_connect(http_server_port(s));
	raw_send(fd, "GET /hello HTTP/1.0\r\n\r\n");
	assert_true(raw_closed(fd, 200));
	(void)close(fd);
	buf_release(&many);
	http_server_free(s, 1000);
}

static void test_body_limits(void **state)
{
	struct http_server *s = start((struct http_server_config){ 0 });
	int port = http_server_port(s), fd;
	char out[8192], *big = xcalloc(1, 3000000);

	(void)state;
	memset(big, 'x', 2999999);
	/* Announced: refused before any of it came. */
	fd = raw_connect(port);
	raw_send(fd, "PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n");
	(void)raw_read(fd, out, sizeof(out), "}\n", 1000);
	assert_non_null(strstr(out, "HTTP/1.1 413 "));
	assert_true(raw_closed(fd, 2000));
	(void)close(fd);
	/* Exactly the limit. */
	(void)snprintf(out, sizeof(out), "PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n%.1000s", big);
	assert_int_equal(raw_request(port, out, out, sizeof(out)), 200);
	/* Chunked: refused when it grows too large, although the client goes on sending. */
	fd = raw_connect(port);
	raw_send(fd, "PUT /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2dc6c0\r\n");
	for (int i = 0; i < 20; i++)
		if (send(fd, big, 100000, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			break;
	(void)raw_read(fd, out, sizeof(out), "}\n", 1000);
	assert_non_null(strstr(out, "HTTP/1.1 413 "));
	assert_true(raw_closed(fd, 2000));
	(void)close(fd);
	/* Head too large. */
	fd = raw_connect(port);
	raw_send(fd, "GET /hello HTTP/1.1\r\nHost: a\r\nX: ");
	(void)send(fd, big, 20000, MSG_NOSIGNAL);
	(void)raw_read(fd, out, sizeof(out), "}\n", 1000);
	assert_non_null(strstr(out, "HTTP/1.1 431 "));
	(void)close(fd);
	/* Too many headers. */
	fd = raw_connect(port);
	raw_send(fd, "GET /hello HTTP/1.1\r\nHost: a\r\n");
	for (int i = 0; i < 70; i++)
		raw_send(fd, "A: b\r\n");
	raw_send(fd, "\r\n");
	(void)raw_read(fd, out, sizeof(out), "}\n", 1000);
	assert_non_null(strstr(out, "HTTP/1.1 431 "));
	(void)close(fd);
	free(big);
	http_server_free(s, 1000);
}

static void test_chunked(void **state)
{
	static const char text[] = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
				   "3;ext=\"1\"\r\nabc\r\n00a \r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n"
				   "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
	struct http_server *s = start((struct http_server_config){ 0 });
	char out[4096];
	int fd;

	(void)state;
	/* In one piece, and byte by byte; the next request follows at once. */
	for (int bytes = 0; bytes < 2; bytes++) {
		fd = raw_connect(http_server_port(s));
		if (bytes) {
			for (const char *p = text; *p; p++)
				assert_int_equal(send(fd, p, 1, 0), 1);
		} else {
			raw_send(fd, text);
		}
		(void)raw_read(fd, out, sizeof(out), "hello\n", 2000);
		assert_non_null(strstr(out, "\r\n\r\nabc0123456789HTTP/1.1 200 OK"));
		assert_non_null(strstr(out, "hello\n"));
		(void)close(fd);
	}
	http_server_free(s, 1000);
}

static void test_expect_continue(void **state)
{
	struct http_server *s = start((struct http_server_config){ 0 });
	char out[4096];
	int fd = raw_connect(http_server_port(s));

	(void)state;
	raw_send(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
	(void)raw_read(fd, out, sizeof(out), "\r\n\r\n", 1000);
	assert_string_equal(out, "HTTP/1.1 100 Continue\r\n\r\n");
	raw_send(fd, "abc");
	(void)raw_read(fd, out, sizeof(out), "abc", 1000);
	assert_non_null(strstr(out, "HTTP/1.1 200 OK"));
	/* Refused without asking for the body. */
	raw_send(fd, "PUT /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3000\r\n\r\n");
	(void)raw_read(fd, out, sizeof(out), "}\n", 1000);
	assert_int_equal(strncmp(out, "HTTP/1.1 413 ", 13), 0);
	(void)close(fd);
	http_server_free(s, 1000);
}

static void test_slow_clients(void **state)
{
	struct http_server *s = start((struct http_server_config){ .request_timeout_ms = 300 });
	int port = http_server_port(s), silent = raw_connect(port), head = raw_connect(port), body = raw_connect(port);
	int64_t begin = clock_mono_ms();
	bool dead = false;

	(void)state;
	raw_send(body, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
	raw_send(head, "GET /hello HTTP/1.1\r\nHost: a\r\n");
	/* A byte now and then does not help. */
	while (!dead && clock_mono_ms() - begin < 3000) {
		dead = send(head, "X", 1, MSG_NOSIGNAL) < 0;
		(void)send(body, "X", 1, MSG_NOSIGNAL);
		usleep(20000);
	}
	assert_true(dead);
	assert_in_range(clock_mono_ms() - begin, 250, 1500);
	assert_true(raw_closed(body, 200));
	assert_true(raw_closed(silent, 200));
	(void)close(silent);
	(void)close(head);
	(void)close(body);
	http_server_free(s, 1000);
}

static int64_t cpu_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * SECOND_MS + t.tv_nsec / 1000000;
}

/* A client that asks for much and reads nothing: no busy loop, and closed in the end. */
static void test_slow_reader(void **state)
{
	struct http_server *s = start((struct http_server_config){ .request_timeout_ms = 500 });
	int fd = raw_connect(http_server_port(s)), small = 4096;
	size_t len = 2 * 1024 * 1024;
	char *big = xcalloc(1, len + 1);
	int64_t before;

	(void)state;
	memset(big, 'y', len);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	for (int i = 0; i < 4; i++) {
		struct timeval tv = { .tv_usec = 200000 };

		(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
		(void)send(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2097152\r\n\r\n", 58, MSG_NOSIGNAL);
		(void)send(fd, big, len, MSG_NOSIGNAL);
	}
	before = cpu_ms();
	usleep(200000);
	assert_true(cpu_ms() - before < 100);
	usleep(800000);
	/* What is in flight can still be read, then comes the end long before all of it. */
	assert_true(raw_closed(fd, 3000));
	(void)close(fd);
	free(big);
	http_server_free(s, 1000);
}

static void test_max_connections(void **state)
{
	struct http_server *s = start((struct http_server_config){ .max_connections = 3 });
	int port = http_server_port(s), fds[3], extra;
	char out[4096];

	(void)state;
	for (int i = 0; i < 3; i++) {
		fds[i] = raw_connect(port);
		raw_send(fds[i], "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
		assert_true(raw_read(fds[i], out, sizeof(out), "hello\n", 1000) > 0);
	}
	extra = raw_connect(port);
	assert_true(raw_closed(extra, 1000));
	(void)close(extra);
	(void)close(fds[0]);
	usleep(50000);
	assert_int_equal(raw_request(port, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", out, sizeof(out)), 200);
	(void)close(fds[1]);
	(void)close(fds[2]);
	http_server_free(s, 1000);
}

/* No file descriptor left to accept with: no busy loop, and service goes on afterwards. */
static void test_out_of_descriptors(void **state)
{
	struct http_server *s = start((struct http_server_config){ 0 });
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)http_server_port(s)) };
	struct rlimit all, few;
	char out[4096];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int64_t before;

	(void)state;
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &all), 0);
	few = (struct rlimit){ .rlim_cur = 3, .rlim_max = all.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	raw_send(fd, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
	usleep(50000);
	before = cpu_ms();
	usleep(200000);
	assert_true(cpu_ms() - before < 50);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
	assert_true(raw_read(fd, out, sizeof(out), "hello\n", 3000) > 0);
	(void)close(fd);
	http_server_free(s, 100);
}

#define LATE_CLIENTS 16
#define LATE_EACH 40

static void *late_client(void *arg)
{
	int port = *(int *)arg, fd = raw_connect(port);
	char out[4096], text[256];

	for (int i = 0; i < LATE_EACH; i++) {
		(void)snprintf(text, sizeof(text), "POST /late HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n%07d;",
			       i);
		raw_send(fd, text);
		if (i % 10 == 9) {
			/* Gone before the answer. */
			(void)close(fd);
			fd = raw_connect(port);
			continue;
		}
		(void)snprintf(text, sizeof(text), "%07d;", i);
		if (raw_read(fd, out, sizeof(out), text, 5000) == 0)
			abort();
	}
	(void)close(fd);
	return NULL;
}

static void test_late_answers(void **state)
{
	struct http_server *s = start((struct http_server_config){ 0 });
	int port = http_server_port(s), fd;
	pthread_t clients[LATE_CLIENTS], workers[3];
	char out[4096];

	(void)state;
	atomic_store(&late.seen, 0);
	late_set(true, false);
	for (size_t i = 0; i < ARRAY_LEN(workers); i++)
		assert_int_equal(pthread_create(&workers[i], NULL, late_worker, NULL), 0);
	for (size_t i = 0; i < LATE_CLIENTS; i++)
		assert_int_equal(pthread_create(&clients[i], NULL, late_client, &port), 0);
	for (size_t i = 0; i < LATE_CLIENTS; i++)
		(void)pthread_join(clients[i], NULL);
	/* Pipelined behind a late answer: in order. */
	late_set(false, false);
	fd = raw_connect(port);
	raw_send(fd,
		 "POST /late HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nA;GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_int_equal(raw_read(fd, out, sizeof(out), NULL, 100), 0);
	raw_send(fd, "POST /late HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nB;");
	late_set(true, false);
	(void)raw_read(fd, out, sizeof(out), "B;", 2000);
	assert_non_null(strstr(out, "A;HTTP/1.1 200 OK"));
	assert_non_null(strstr(out, "hello\nHTTP/1.1 200 OK"));
	/* The client goes away, the server too, then come the answers. */
	late_set(false, false);
	for (int i = 0; i < 20; i++)
		raw_send(fd, "POST /late HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nC;");
	usleep(50000);
	(void)close(fd);
	fd = raw_connect(port);
	raw_send(fd, "POST /late HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nD;");
	usleep(50000);
	http_server_free(s, 50);
	assert_true(raw_closed(fd, 100));
	(void)close(fd);
	late_set(true, true);
	for (size_t i = 0; i < ARRAY_LEN(workers); i++)
		(void)pthread_join(workers[i], NULL);
	assert_int_equal(late.len, 0);
	assert_true(atomic_load(&late.seen) >= LATE_CLIENTS * LATE_EACH * 9 / 10);
}

static void *answer_soon(void *arg)
{
	(void)arg;
	usleep(150000);
	late_set(true, true);
	return late_worker(NULL);
}

static void test_graceful_stop(void **state)
{
	struct http_server *s = start((struct http_server_config){ 0 });
	int port = http_server_port(s), idle = raw_connect(port), open = raw_connect(port);
	int64_t begin;
	pthread_t t;
	char out[4096];

	(void)state;
	late_set(false, false);
	raw_send(idle, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(raw_read(idle, out, sizeof(out), "hello\n", 1000) > 0);
	raw_send(open, "POST /late HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nlast");
	usleep(50000);
	assert_int_equal(pthread_create(&t, NULL, answer_soon, NULL), 0);
	begin = clock_mono_ms();
	http_server_free(s, 5000);
	assert_in_range(clock_mono_ms() - begin, 100, 2000);
	(void)pthread_join(t, NULL);
	assert_true(raw_closed(idle, 100));
	(void)raw_read(open, out, sizeof(out), "last", 100);
	assert_non_null(strstr(out, "Connection: close"));
	assert_non_null(strstr(out, "\r\n\r\nlast"));
	(void)close(idle);
	(void)close(open);
}

static void test_bad_configuration(void **state)
{
	struct http_server *s = start((struct http_server_config){ 0 }), *none = NULL;
	struct http_server_config cfg = {
		.name = "x", .address = "127.0.0.1", .port = http_server_port(s), .routes = routes, .n_routes = 1
	};
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(http_server_new(&cfg, &none, &err), -1);
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	cfg.address = "not an address";
	assert_int_equal(http_server_new(&cfg, &none, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	cfg.address = NULL;
	cfg.port = 0;
	cfg.cert_file = fixture_path("good.crt");
	assert_int_equal(http_server_new(&cfg, &none, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	cfg.key_file = fixture_path("client.key");
	assert_int_equal(http_server_new(&cfg, &none, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	cfg.key_file = fixture_path("missing.key");
	assert_int_equal(http_server_new(&cfg, &none, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	assert_non_null(strstr(err.msg, "missing.key"));
	cfg.cert_file = cfg.key_file = NULL;
	assert_int_equal(http_server_new(&cfg, &none, &err), 0);
	http_server_free(none, 0);
	http_server_free(s, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_keep_alive_and_pipelining),
		cmocka_unit_test(test_body_limits),
		cmocka_unit_test(test_chunked),
		cmocka_unit_test(test_expect_continue),
		cmocka_unit_test(test_slow_clients),
		cmocka_unit_test(test_slow_reader),
		cmocka_unit_test(test_max_connections),
		cmocka_unit_test(test_out_of_descriptors),
		cmocka_unit_test(test_late_answers),
		cmocka_unit_test(test_graceful_stop),
		cmocka_unit_test(test_bad_configuration),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
