/* SPDX-License-Identifier: Apache-2.0 */
/* Blocking HTTP client: limits, errors, redirects, TLS, reuse; against our own server. */
#include "http_fixture.h"

#include <stdatomic.h>

/* --- the answering side --- */

static _Atomic int n_requests;

static void handle_echo(struct http_exchange *x, void *arg)
{
	const char *expect = http_header(x, "expect"), *type = http_header(x, "content-type");

	(void)arg;
	atomic_fetch_add(&n_requests, 1);
	http_reply_header(x, "X-Expect", expect ? expect : "none");
	http_reply(x, 200, type ? type : "none", http_body(x));
}

static void handle_headers(struct http_exchange *x, void *arg)
{
	struct buf b = BUF_INIT(4096);
	const char *auth = http_header(x, "authorization"), *accept = http_header(x, "accept"),
		   *agent = http_header(x, "user-agent");

	(void)arg;
	(void)buf_addf(&b, "%s auth=%s accept=%s agent=%s", http_method(x), auth ? auth : "none",
		       accept ? accept : "none", agent ? agent : "none");
	http_reply_header(x, "ETag", "\"abc\"");
	http_reply_header(x, "Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT");
	http_reply_take(x, 200, "text/plain", &b);
}

static void handle_busy(struct http_exchange *x, void *arg)
{
	(void)arg;
	http_reply_header(x, "Retry-After", http_param(x, "after"));
	http_reply_error(x, 429, "later");
}

static void handle_gzip(struct http_exchange *x, void *arg)
{
	struct buf b = BUF_INIT(1 << 20);
	struct error err = ERROR_INIT;

	(void)arg;
	if (buf_read_file(&b, fixture_path("bomb.gz"), &err))
		abort();
	http_reply_header(x, "Content-Encoding", "gzip");
	http_reply_take(x, 200, "text/plain", &b);
}

static void handle_redirect(struct http_exchange *x, void *arg)
{
	(void)arg;
	atomic_fetch_add(&n_requests, 1);
	http_reply_header(x, "Location", http_param(x, "to"));
	http_reply(x, 302, NULL, STR_NULL);
}

static void handle_hold(struct http_exchange *x, void *arg)
{
	struct http_exchange *_Atomic *slot = arg;

	atomic_store(slot, x);
}

static struct http_exchange *_Atomic held;

static const struct http_route routes[] = {
	{ "POST", "/echo", 2 * 1024 * 1024, handle_echo, NULL },
	{ "GET", "/headers", 0, handle_headers, NULL },
	{ "GET", "/busy", 0, handle_busy, NULL },
	{ "GET", "/gzip", 0, handle_gzip, NULL },
	{ "GET", "/redirect", 0, handle_redirect, NULL },
	{ "GET", "/hold", 0, handle_hold, &held },
};

static struct http_server *start(const char *cert, const char *client_ca)
{
	char cert_file[256] = "", key_file[256] = "", ca_file[256] = "";
	struct http_server_config cfg = { .name = "test", .address = "127.0.0.1", .routes = routes };
	struct http_server *s = NULL;
	struct error err = ERROR_INIT;

	cfg.n_routes = ARRAY_LEN(routes);
	if (cert) {
		(void)snprintf(cert_file, sizeof(cert_file), "%s/%s.crt", fixture_dir, cert);
		(void)snprintf(key_file, sizeof(key_file), "%s/%s.key", fixture_dir, cert);
		cfg.cert_file = cert_file;
		cfg.key_file = key_file;
	}
	if (client_ca) {
		(void)snprintf(ca_file, sizeof(ca_file), "%s/%s.crt", fixture_dir, client_ca);
		cfg.client_ca_file = ca_file;
	}
	if (http_server_new(&cfg, &s, &err))
		fail_msg("%s", err.msg);
	return s;
}

static const char *url(const char *scheme, int port, const char *rest)
{
	static _Thread_local char text[512];

	(void)snprintf(text, sizeof(text), "%s://127.0.0.1:%d%s", scheme, port, rest);
	return text;
}

/* --- blocking client --- */

static void test_basic(void **state)
{
	struct http_server *s = start(NULL, NULL);
	struct http_client *c = http_client_new();
	struct http_request req = { .url = url("http", http_server_port(s), "/headers?secret=1"), .allow_plain = true };
	struct http_response r;
	struct error err = ERROR_INIT;

	(void)state;
	req.headers[0] = "Authorization: Bearer t";
	assert_int_equal(http_do(c, &req, &r, &err), 0);
	assert_int_equal(r.status, 200);
	assert_string_equal(r.content_type, "text/plain");
	assert_string_equal(r.etag, "\"abc\"");
	assert_string_equal(r.last_modified, "Wed, 21 Oct 2015 07:28:00 GMT");
	assert_non_null(strstr(buf_cstr(&r.body), "GET auth=Bearer t accept=*/* agent=loadshift/"));
	http_response_release(&r);
	req.method = "HEAD";
	assert_int_equal(http_do(c, &req, &r, &err), 0);
	assert_int_equal(r.body.len, 0);
	http_response_release(&r);
	req.method = NULL;
	req.url = url("http", http_server_port(s), "/busy?after=7");
	assert_int_equal(http_do(c, &req, &r, &err), 0);
	assert_int_equal(r.retry_after_ms, 7000);
	assert_int_equal(http_status_error(&r, "list jobs", &err), -1);
	assert_int_equal(err.code, ERR_THROTTLED);
	assert_int_equal(err.http, 429);
	assert_int_equal(err.retry_after_ms, 7000);
	assert_string_equal(err.msg, "list jobs: the server answered 429");
	http_response_release(&r);
	req.url = url("http", http_server_port(s), "/busy?after=Wed,+21+Oct+2099+07:28:00+GMT");
	assert_int_equal(http_do(c, &req, &r, &err), 0);
	assert_int_equal(r.retry_after_ms, DAY_MS);
	http_response_release(&r);
	req.url = url("http", http_server_port(s), "/busy?after=Wed,+21+Oct+2015+07:28:00+GMT");
	assert_int_equal(http_do(c, &req, &r, &err), 0);
	assert_int_equal(r.retry_after_ms, 0);
	http_response_release(&r);
	http_client_free(c);
	http_server_free(s, 100);
}

static void test_bodies(void **state)
{
	struct http_server *s = start(NULL, NULL);
	struct http_client *c = http_client_new();
	size_t len = 1500000;
	char *big = xcalloc(1, len);
	struct http_request req = { .method = "POST",
				    .url = url("http", http_server_port(s), "/echo"),
				    .content_type = "application/json",
				    .body = str_of(big, len),
				    .allow_plain = true };
	struct http_response r;
	struct error err = ERROR_INIT;

	(void)state;
	memset(big, 'b', len);
	/* libcurl's own wish to ask first is off, but the server can do it. */
	for (int i = 0; i < 2; i++) {
		req.headers[0] = i ? "Expect: 100-continue" : NULL;
		assert_int_equal(http_do(c, &req, &r, &err), 0);
		assert_int_equal(r.status, 200);
		assert_string_equal(r.content_type, "application/json");
		assert_int_equal(r.body.len, len);
		assert_memory_equal(r.body.ptr, big, len);
		http_response_release(&r);
	}
	req.headers[0] = NULL;
	req.max_body = len - 1;
	assert_int_equal(http_do(c, &req, &r, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	req.max_body = 0;
	req.body = STR("");
	req.content_type = NULL;
	assert_int_equal(http_do(c, &req, &r, &err), 0);
	assert_int_equal(r.status, 200);
	assert_string_equal(r.content_type, "none");
	http_response_release(&r);
	/* 100 bytes of gzip, 10 MB of text. */
	req = (struct http_request){ .url = url("http", http_server_port(s), "/gzip"), .allow_plain = true };
	assert_int_equal(http_do(c, &req, &r, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	req.max_body = 11000000;
	assert_int_equal(http_do(c, &req, &r, &err), 0);
	assert_int_equal(r.body.len, 10000000);
	http_response_release(&r);
	free(big);
	http_client_free(c);
	http_server_free(s, 100);
}

static void want_error(struct http_client *c, const struct http_request *req, enum error_code code, const char *text)
{
	struct http_response r;
	struct error err = ERROR_INIT;

	if (http_do(c, req, &r, &err) == 0)
		fail_msg("%s answered %d", req->url, r.status);
	if (err.code != code || !strstr(err.msg, text))
		fail_msg("%s: code %d msg %s", req->url, err.code, err.msg);
	if (strstr(err.msg, "secret"))
		fail_msg("%s", err.msg);
}

/* The handle keeps its settings from one request to the next: none may see what another one was. */
static void test_any_after_any(void **state)
{
	struct http_server *s = start(NULL, NULL);
	struct http_client *c = http_client_new();
	const struct {
		struct http_request req;
		const char *answer, *type;
	} kinds[] = {
		{ { .url = "/headers" }, "GET auth=none accept=*/* agent=loadshift/", "text/plain" },
		{ { .url = "/headers", .method = "HEAD" }, "", "text/plain" },
		{ { .url = "/headers", .headers = { "Authorization: x" }, .user_agent = "else" },
		  "GET auth=x accept=*/* agent=else",
		  "text/plain" },
		{ { .url = "/echo", .method = "POST", .content_type = "a/b", .body = STR("body"), .max_body = 4 },
		  "body",
		  "a/b" },
		{ { .url = "/echo", .method = "POST" }, "", "none" },
		{ { .url = "/echo", .method = "POST", .body = STR("longer body"), .user_agent = "else" },
		  "longer body",
		  "none" },
	};
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds) * ARRAY_LEN(kinds); i++) {
		/* Each pair, in an order of its own. */
		for (int second = 0; second < 2; second++) {
			size_t k = second ? i / ARRAY_LEN(kinds) : i % ARRAY_LEN(kinds);
			struct http_request req = kinds[k].req;
			struct http_response r;

			req.url = url("http", http_server_port(s), kinds[k].req.url);
			req.allow_plain = true;
			if (http_do(c, &req, &r, &err))
				fail_msg("%zu %zu: %s", i, k, err.msg);
			assert_int_equal(r.status, 200);
			assert_string_equal(r.content_type, kinds[k].type);
			if (*kinds[k].answer)
				assert_non_null(strstr(buf_cstr(&r.body), kinds[k].answer));
			else
				assert_int_equal(r.body.len, 0);
			http_response_release(&r);
		}
	}
	http_client_free(c);
	http_server_free(s, 100);
}

static void test_errors(void **state)
{
	struct http_server *s = start(NULL, NULL);
	struct http_client *c = http_client_new();
	int fake = fake_start(), port = http_server_port(s);
	struct http_request req = { .allow_plain = true, .timeout_ms = 2000 };
	struct http_response r;
	struct error err = ERROR_INIT;

	(void)state;
	req.url = "http://127.0.0.1:1/x?key=secret";
	want_error(c, &req, ERR_UNAVAILABLE, "GET 127.0.0.1:1/x: ");
	req.url = "http://name.invalid/?key=secret";
	want_error(c, &req, ERR_UNAVAILABLE, "name.invalid/: ");
	req.url = "http://u:secret@127.0.0.1/";
	want_error(c, &req, ERR_INVALID, "user name");
	req.url = "ftp://127.0.0.1/";
	want_error(c, &req, ERR_INVALID, "not http");
	req.url = "no url secret";
	want_error(c, &req, ERR_INVALID, "");
	req.url = NULL;
	want_error(c, &req, ERR_INVALID, "");
	req.allow_plain = false;
	req.url = url("http", port, "/headers?secret");
	want_error(c, &req, ERR_INVALID, "plain http");
	req.allow_plain = true;
	req.url = url("http", fake, "/cut?secret");
	want_error(c, &req, ERR_UNAVAILABLE, "/cut: ");
	req.url = url("http", fake, "/junk");
	want_error(c, &req, ERR_UNAVAILABLE, "");
	req.timeout_ms = 300;
	req.url = url("http", fake, "/silent");
	want_error(c, &req, ERR_TIMEOUT, "no answer within 300 ms");
	req.url = url("http", fake, "/early");
	assert_int_equal(http_do(c, &req, &r, &err), 0);
	assert_int_equal(r.status, 200);
	assert_string_equal(r.etag, "");
	http_response_release(&r);
	fake_end();
	http_client_free(c);
	http_server_free(s, 100);
}

static void test_redirects(void **state)
{
	struct http_server *s = start(NULL, NULL), *other = start(NULL, NULL);
	struct http_client *c = http_client_new();
	char text[512];
	struct http_request req = { .url = text, .allow_plain = true };
	struct http_response r;
	struct error err = ERROR_INIT;
	int port = http_server_port(s);

	(void)state;
	req.headers[0] = "Authorization: secret";
	req.headers[1] = "Accept: text/x";
	(void)snprintf(text, sizeof(text), "http://127.0.0.1:%d/redirect?to=/headers", port);
	assert_int_equal(http_do(c, &req, &r, &err), 0);
	assert_int_equal(r.status, 302);
	http_response_release(&r);
	req.max_redirects = 3;
	assert_int_equal(http_do(c, &req, &r, &err), 0);
	assert_int_equal(r.status, 200);
	assert_non_null(strstr(buf_cstr(&r.body), "auth=secret accept=text/x"));
	http_response_release(&r);
	/* Another origin: only when listed, and without secrets. */
	(void)snprintf(text, sizeof(text), "http://127.0.0.1:%d/redirect?to=http://127.0.0.1:%d/headers", port,
		       http_server_port(other));
	want_error(c, &req, ERR_DENIED, "not allowed");
	/* Below a domain: the dot belongs to it, and the domain itself is not below it. */
	req.redirect_hosts = "0.0.1,.7.0.0.1,.127.0.0.1,.";
	want_error(c, &req, ERR_DENIED, "not allowed");
	req.redirect_hosts = ".0.0.1";
	assert_int_equal(http_do(c, &req, &r, &err), 0);
	http_response_release(&r);
	req.redirect_hosts = "a.example, 127.0.0.1";
	assert_int_equal(http_do(c, &req, &r, &err), 0);
	assert_int_equal(r.status, 200);
	assert_non_null(strstr(buf_cstr(&r.body), "auth=none accept=text/x"));
	http_response_release(&r);
	(void)snprintf(text, sizeof(text), "http://127.0.0.1:%d/redirect?to=file:///etc/passwd", port);
	want_error(c, &req, ERR_DENIED, "not allowed");
	(void)snprintf(text, sizeof(text), "http://127.0.0.1:%d/redirect?to=http://u:secret@127.0.0.1:%d/", port, port);
	want_error(c, &req, ERR_INVALID, "user name");
	/* Round in circles. */
	atomic_store(&n_requests, 0);
	(void)snprintf(text, sizeof(text), "http://127.0.0.1:%d/redirect?to=?to=%%3Fto%%3Dx", port);
	req.max_redirects = 2;
	want_error(c, &req, ERR_LIMIT, "too many redirects");
	assert_int_equal(atomic_load(&n_requests), 3);
	http_client_free(c);
	http_server_free(other, 100);
	http_server_free(s, 100);
}

static void test_reuse_and_speed(void **state)
{
	struct http_server *s = start(NULL, NULL);
	struct http_client *c = http_client_new();
	char *body = xcalloc(1, 100000);
	struct http_request req = { .method = "POST",
				    .url = url("http", http_server_port(s), "/echo"),
				    .body = str_of(body, 100000),
				    .allow_plain = true };
	struct http_response r;
	struct error err = ERROR_INIT;
	int64_t begin = clock_mono_us();

	(void)state;
	for (int i = 0; i < 1000; i++) {
		memset(body, 'a' + i % 26, 100000);
		assert_int_equal(http_do(c, &req, &r, &err), 0);
		assert_int_equal(r.status, 200);
		assert_int_equal(r.body.len, 100000);
		assert_memory_equal(r.body.ptr, body, 100000);
		http_response_release(&r);
	}
	print_message("1000 x 100 KB sequential: %" PRId64 " us each\n", (clock_mono_us() - begin) / 1000);
	free(body);
	http_client_free(c);
	http_server_free(s, 100);
}

/* --- TLS --- */

static void test_tls(void **state)
{
	struct http_server *s = start("good", NULL), *expired, *wrong;
	struct http_client *c = http_client_new();
	struct http_tls tls = { .ca_file = fixture_path("ca.crt") };
	struct http_request req = { .url = url("https", http_server_port(s), "/headers?secret=1"), .tls = &tls };
	struct http_response r;
	struct error err = ERROR_INIT;
	struct buf pem = BUF_INIT(65536);

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(http_do(c, &req, &r, &err), 0);
		http_response_release(&r);
	}
	/* The same handle, other settings: the open connection must not be used. */
	tls.ca_file = fixture_path("other-ca.crt");
	want_error(c, &req, ERR_DENIED, "certificate");
	req.tls = NULL;
	want_error(c, &req, ERR_DENIED, "certificate");
	req.tls = &tls;
	tls.ca_file = fixture_path("nothing.crt");
	want_error(c, &req, ERR_INVALID, "");
	assert_int_equal(buf_read_file(&pem, fixture_path("ca.crt"), &err), 0);
	tls = (struct http_tls){ .ca_pem = buf_str(&pem) };
	assert_int_equal(http_do(c, &req, &r, &err), 0);
	http_response_release(&r);
	/* A CA file that is replaced counts at the next connection. */
	fixture_sh("cp ca.crt rotated.crt");
	tls = (struct http_tls){ .ca_file = fixture_path("rotated.crt") };
	assert_int_equal(http_do(c, &req, &r, &err), 0);
	http_response_release(&r);
	fixture_sh("cp other-ca.crt rotated.crt");
	http_server_free(s, 100);
	s = start("good", NULL);
	req.url = url("https", http_server_port(s), "/headers");
	want_error(c, &req, ERR_DENIED, "certificate");
	tls.ca_file = fixture_path("ca.crt");
	fixture_cert("expired", "ca", FIXTURE_LOCAL, "-startdate 20200101000000Z -enddate 20200201000000Z", FIXTURE_EC);
	fixture_cert("wrong", "ca", "DNS:elsewhere.example", "-days 5", FIXTURE_EC);
	expired = start("expired", NULL);
	req.url = url("https", http_server_port(expired), "/headers?secret");
	want_error(c, &req, ERR_DENIED, "certificate has expired");
	wrong = start("wrong", NULL);
	req.url = url("https", http_server_port(wrong), "/headers?secret");
	want_error(c, &req, ERR_DENIED, "127.0.0.1");
	/* Plain http to a TLS port. */
	req.url = url("http", http_server_port(s), "/headers");
	req.allow_plain = true;
	want_error(c, &req, ERR_UNAVAILABLE, "");
	buf_release(&pem);
	http_client_free(c);
	http_server_free(wrong, 100);
	http_server_free(expired, 100);
	http_server_free(s, 100);
}

static void test_mutual_tls(void **state)
{
	struct http_server *s = start("good", "ca");
	struct http_client *c = http_client_new();
	struct http_tls tls = { .ca_file = fixture_path("ca.crt") };
	struct http_request req = { .url = url("https", http_server_port(s), "/headers"), .tls = &tls };
	struct http_response r;
	struct error err = ERROR_INIT;
	struct buf cert = BUF_INIT(65536), key = BUF_INIT(65536);

	(void)state;
	want_error(c, &req, ERR_UNAVAILABLE, ""); /* an alert, or a reset when the request overtook it */
	tls.cert_file = fixture_path("client.crt");
	tls.key_file = fixture_path("client.key");
	assert_int_equal(http_do(c, &req, &r, &err), 0);
	assert_int_equal(r.status, 200);
	http_response_release(&r);
	/* As PEM text, on fresh connections (and with a resumed session). */
	for (int i = 0; i < 3; i++) {
		http_client_free(c);
		c = http_client_new();
		buf_reset(&cert);
		buf_reset(&key);
		assert_int_equal(buf_read_file(&cert, fixture_path("client.crt"), &err), 0);
		assert_int_equal(buf_read_file(&key, fixture_path("client.key"), &err), 0);
		tls = (struct http_tls){ .ca_file = fixture_path("ca.crt"),
					 .cert_pem = buf_str(&cert),
					 .key_pem = buf_str(&key) };
		assert_int_equal(http_do(c, &req, &r, &err), 0);
		http_response_release(&r);
	}
	/* Signed by somebody else. */
	fixture_cert("stranger", "other-ca", "DNS:client", "-days 5", FIXTURE_EC);
	tls = (struct http_tls){ .ca_file = fixture_path("ca.crt"),
				 .cert_file = fixture_path("stranger.crt"),
				 .key_file = fixture_path("stranger.key") };
	want_error(c, &req, ERR_UNAVAILABLE, "");
	buf_release(&cert);
	buf_release(&key);
	http_client_free(c);
	http_server_free(s, 100);
}

static int tls_get(int port, const char *ca)
{
	struct http_client *c = http_client_new();
	struct http_tls tls = { .ca_file = fixture_path(ca) };
	struct http_request req = { .url = url("https", port, "/headers"), .tls = &tls };
	struct http_response r;
	struct error err = ERROR_INIT;
	int result = http_do(c, &req, &r, &err);

	if (result == 0)
		http_response_release(&r);
	http_client_free(c);
	return result;
}

/* 0 as soon as the server shows a certificate of that CA. */
static int tls_get_until(int port, const char *ca, int64_t within_ms)
{
	int64_t until = clock_mono_ms() + within_ms;

	while (clock_mono_ms() < until) {
		if (tls_get(port, ca) == 0)
			return 0;
		usleep(100000);
	}
	return -1;
}

static void test_certificate_reload(void **state)
{
	struct http_server *s;
	struct http_client *c = http_client_new();
	struct http_tls tls = { .ca_file = fixture_path("ca.crt") };
	struct http_request req = { .tls = &tls };
	struct http_response r;
	struct error err = ERROR_INIT;
	int port;

	(void)state;
	fixture_cert("live", "ca", FIXTURE_LOCAL, "-days 5", FIXTURE_RSA);
	fixture_cert("next", "other-ca", FIXTURE_LOCAL, "-days 5", FIXTURE_EC);
	s = start("live", NULL);
	port = http_server_port(s);
	req.url = url("https", port, "/headers");
	assert_int_equal(http_do(c, &req, &r, &err), 0);
	http_response_release(&r);
	/* Half of a new pair, then rubbish: the old one stays. */
	fixture_sh("cp next.crt live.crt");
	sleep(3);
	assert_int_equal(tls_get(port, "ca.crt"), 0);
	fixture_sh("echo rubbish > live.crt && rm live.key");
	sleep(3);
	assert_int_equal(tls_get(port, "ca.crt"), 0);
	/* The whole pair: RSA gives way to ECDSA, open connections go on. */
	fixture_sh("cp next.key live.key && cp next.crt live.crt");
	assert_int_equal(tls_get_until(port, "other-ca.crt", 6000), 0);
	assert_int_equal(tls_get(port, "ca.crt"), -1);
	assert_int_equal(http_do(c, &req, &r, &err), 0);
	http_response_release(&r);
	http_client_free(c);
	http_server_free(s, 100);
}

/* --- many clients --- */

struct storm {
	const char *url;
	const struct http_tls *tls;
	int n;
	int failed;
};

static void *storm_main(void *arg)
{
	struct storm *st = arg;
	struct http_client *c = http_client_new();
	char body[30000];
	struct http_request req = { .method = "POST", .url = st->url, .allow_plain = true, .tls = st->tls };

	memset(body, 'q', sizeof(body));
	req.body = str_of(body, sizeof(body));
	for (int i = 0; i < st->n; i++) {
		struct http_response r;
		struct error err = ERROR_INIT;

		if (http_do(c, &req, &r, &err)) {
			st->failed++;
			continue;
		}
		st->failed += r.status != 200 || r.body.len != sizeof(body);
		http_response_release(&r);
	}
	http_client_free(c);
	return NULL;
}

static void test_concurrent_clients(void **state)
{
	struct http_tls tls = { .ca_file = fixture_path("ca.crt") };
	char to[256];

	(void)state;
	for (int use_tls = 0; use_tls < 2; use_tls++) {
		struct http_server *s = start(use_tls ? "good" : NULL, NULL);
		struct storm st[32];
		pthread_t t[32];
		int64_t begin = clock_mono_us();

		(void)str_copy(to, sizeof(to), str_from(url(use_tls ? "https" : "http", http_server_port(s), "/echo")));
		for (int i = 0; i < 32; i++) {
			st[i] = (struct storm){ .url = to, .tls = use_tls ? &tls : NULL, .n = 50 };
			assert_int_equal(pthread_create(&t[i], NULL, storm_main, &st[i]), 0);
		}
		for (int i = 0; i < 32; i++) {
			(void)pthread_join(t[i], NULL);
			assert_int_equal(st[i].failed, 0);
		}
		print_message("32 x 50 x 30 KB %s: %" PRId64 " us a request\n", use_tls ? "TLS" : "plain",
			      (clock_mono_us() - begin) / 1600);
		http_server_free(s, 100);
	}
}

/* The client gives up before a late answer. */
static void test_timeout_before_late_answer(void **state)
{
	struct http_server *s = start(NULL, NULL);
	struct http_client *c = http_client_new();
	struct http_request req = { .url = url("http", http_server_port(s), "/hold"),
				    .allow_plain = true,
				    .timeout_ms = 200 };

	(void)state;
	want_error(c, &req, ERR_TIMEOUT, "within 200 ms");
	usleep(50000);
	http_reply(atomic_load(&held), 200, NULL, STR("too late"));
	http_client_free(c);
	http_server_free(s, 100);
}

static int setup(void **state)
{
	if (fixture_setup(state))
		return -1;
	fixture_sh("head -c 10000000 /dev/zero | gzip -9 > bomb.gz");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_basic),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_any_after_any),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_redirects),
		cmocka_unit_test(test_reuse_and_speed),
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_mutual_tls),
		cmocka_unit_test(test_certificate_reload),
		cmocka_unit_test(test_concurrent_clients),
		cmocka_unit_test(test_timeout_before_late_answer),
	};

	return cmocka_run_group_tests(tests, setup, fixture_teardown);
}
