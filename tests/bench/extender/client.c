/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measures an extender as its one client sees it: one keep-alive connection, one POST after the other, ready-made
 * bytes, no HTTP library in between. Prints one JSON object.
 *
 *	client PORT PATH BODY-FILE SECONDS [CA-FILE]
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/vec.h"

#define MAX_REQUESTS 10000000
#define MAX_MESSAGE ((size_t)64 * 1024 * 1024)

struct connection {
	int fd;
	SSL *ssl; /* NULL = plain */
};

static void fail(const char *what)
{
	(void)fprintf(stderr, "client: %s\n", what);
	exit(1);
}

static void connection_open(struct connection *c, uint16_t port, const char *ca_file)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(port) };
	SSL_CTX *ctx;
	int one = 1;

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&addr, sizeof(addr)))
		fail("cannot connect");
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (!ca_file) {
		(void)fcntl(c->fd, F_SETFL, O_NONBLOCK);
		return;
	}
	ctx = SSL_CTX_new(TLS_client_method());
	/* In the order of kube-scheduler's TLS library, so that both servers choose what they would choose for it. */
	if (SSL_CTX_set_ciphersuites(ctx,
				     "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256") != 1)
		fail("cannot set the ciphers");
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (SSL_CTX_load_verify_locations(ctx, ca_file, NULL) != 1)
		fail("cannot read the CA");
	c->ssl = SSL_new(ctx);
	(void)SSL_set1_host(c->ssl, "localhost");
	(void)SSL_set_fd(c->ssl, c->fd);
	if (SSL_connect(c->ssl) != 1)
		fail("TLS handshake failed");
	SSL_CTX_free(ctx);
	(void)fcntl(c->fd, F_SETFL, O_NONBLOCK);
}

/*
 * The socket does not block and the client spins: a sleeping core takes tens of microseconds to wake up on a virtual
 * machine, which is no time of the server's.
 */
static bool again(const struct connection *c, ssize_t n)
{
	int why = c->ssl ? SSL_get_error(c->ssl, (int)n) : 0;

	return c->ssl ? why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE : n < 0 && errno == EAGAIN;
}

static void send_all(const struct connection *c, struct str data)
{
	while (data.len) {
		ssize_t n = c->ssl ? SSL_write(c->ssl, data.ptr, (int)data.len) : write(c->fd, data.ptr, data.len);

		if (n <= 0 && !again(c, n))
			fail("cannot send");
		if (n > 0)
			data = str_of(data.ptr + n, data.len - (size_t)n);
	}
}

/* Bytes of the whole message once its head is there, else 0. */
static size_t message_length(const struct buf *b)
{
	const char *head_end = strstr(buf_cstr(b), "\r\n\r\n"), *length;

	if (!head_end)
		return 0;
	if (strncmp(b->ptr, "HTTP/1.1 200", 12) != 0)
		fail("the answer is not 200");
	length = strcasestr(b->ptr, "\ncontent-length:");
	if (!length || length > head_end)
		return SIZE_MAX; /* chunked, see receive() */
	return (size_t)(head_end + 4 - b->ptr) + (size_t)strtoull(length + 16, NULL, 10);
}

/* Go answers in chunks where the handler did not say how long the reply is. */
static size_t receive(const struct connection *c, struct buf *in)
{
	size_t want = 0;

	buf_reset(in);
	for (;;) {
		ssize_t n;

		if (buf_reserve(in, 65536))
			fail("the answer is too large");
		n = c->ssl ? SSL_read(c->ssl, in->ptr + in->len, 65536) : read(c->fd, in->ptr + in->len, 65536);
		if (n <= 0 && again(c, n))
			continue;
		if (n <= 0)
			fail("the connection was closed");
		in->len += (size_t)n;
		in->ptr[in->len] = '\0';
		if (want == 0)
			want = message_length(in);
		if (want == SIZE_MAX ? str_has_suffix(buf_str(in), STR("\r\n0\r\n\r\n")) : want && in->len >= want)
			return in->len;
	}
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int64_t now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

int main(int argc, char **argv)
{
	struct buf body = BUF_INIT(MAX_MESSAGE), request = BUF_INIT(MAX_MESSAGE), in = BUF_INIT(MAX_MESSAGE);
	struct connection c = { .fd = -1 };
	struct error err = ERROR_INIT;
	VEC(int64_t) took = { 0 };
	int64_t begin, end, t;
	size_t reply = 0;

	if (argc < 5)
		fail("usage: client PORT PATH BODY-FILE SECONDS [CA-FILE]");
	if (buf_read_file(&body, argv[3], &err))
		fail(err.msg);
	buf_addf(&request,
		 "POST %s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: %zu\r\n"
		 "Content-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n",
		 argv[2], body.len);
	buf_addstr(&request, buf_str(&body));
	connection_open(&c, (uint16_t)strtol(argv[1], NULL, 10), argc > 5 ? argv[5] : NULL);
	begin = t = now_ns();
	end = begin + strtoll(argv[4], NULL, 10) * 1000000000;
	while (t < end) {
		int64_t *slot = vec_push(&took, MAX_REQUESTS), after;

		if (!slot)
			break;
		send_all(&c, buf_str(&request));
		reply = receive(&c, &in);
		after = now_ns();
		*slot = after - t;
		t = after;
	}
	qsort(took.ptr, took.len, sizeof(*took.ptr), by_value);
	(void)printf(
		"{\"requests\": %zu, \"seconds\": %.6f, \"p50_us\": %.2f, \"p99_us\": %.2f, \"reply_bytes\": %zu}\n",
		took.len, (double)(t - begin) / 1e9, (double)took.ptr[took.len / 2] / 1e3,
		(double)took.ptr[took.len * 99 / 100] / 1e3, reply);
	return 0;
}
