/* SPDX-License-Identifier: Apache-2.0 */
/* One request over libcurl: options, headers of the answer, redirects, errors, see transfer.h and client.h. */
#include "http/transfer.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define CONNECT_TIMEOUT_MS 5000L
#define DEFAULT_TIMEOUT_MS (30 * SECOND_MS)
#define DEFAULT_MAX_BODY ((size_t)4 * 1024 * 1024)
/* libcurl bounds a header line, not their number. */
#define MAX_HEAD_BYTES ((size_t)256 * 1024)
/* A peer that acknowledges nothing for so long is gone: half-open watches would hang for ever. */
#define UNACKED_MS 30000U
#define KEEPALIVE_IDLE_S 30L
#define KEEPALIVE_PROBE_S 10L
#define MAX_RETRY_AFTER_MS DAY_MS
/* The least that libcurl takes; a record of TLS holds no more. */
#define SEND_BUFFER 16384L

int64_t transfer_timeout_ms(const struct http_request *req)
{
	return req->timeout_ms > 0 ? req->timeout_ms : DEFAULT_TIMEOUT_MS;
}

static size_t max_body(const struct http_request *req)
{
	return req->max_body ? req->max_body : DEFAULT_MAX_BODY;
}

static bool is_stream(const struct http_transfer *t)
{
	return t->on_data != NULL;
}

/* "GET host:port/path": no query, no user, since both may be secrets. */
static int fail(const struct http_transfer *t, enum error_code code, const char *reason, struct error *err)
{
	return error_set(err, code, "%s %s%s: %s", t->req->method ? t->req->method : "GET", t->host, t->path, reason);
}

int transfer_timeout(const struct http_transfer *t, const char *what, int64_t ms, struct error *err)
{
	char reason[96];

	(void)snprintf(reason, sizeof(reason), "%s within %" PRId64 " ms", what, ms);
	return fail(t, ERR_TIMEOUT, reason, err);
}

static int set_user_timeout(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	unsigned int ms = UNACKED_MS;

	(void)arg;
	(void)purpose;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
	return CURL_SOCKOPT_OK;
}

/* --- the answer's head --- */

static void header_text(char *out, size_t cap, struct str value)
{
	/* Cut text would be a wrong ETag: none is better. */
	if (!str_copy(out, cap, value))
		out[0] = '\0';
}

static int64_t date_ms(struct str value)
{
	char text[64];
	time_t t;

	if (!str_copy(text, sizeof(text), value))
		return TIME_NONE;
	t = curl_getdate(text, NULL);
	return t < 0 ? TIME_NONE : (int64_t)t * SECOND_MS;
}

static int64_t retry_after(struct str value, int64_t now_ms)
{
	int64_t seconds, at_ms;

	if (str_to_i64(value, 0, MAX_RETRY_AFTER_MS / SECOND_MS, &seconds))
		return seconds * SECOND_MS;
	at_ms = date_ms(value);
	return at_ms == TIME_NONE ? 0 : CLAMP(at_ms - now_ms, 0, MAX_RETRY_AFTER_MS);
}

static void take_header(struct http_transfer *t, struct str name, struct str value)
{
	struct http_response *r = &t->resp;
#define IS(literal) (name.len == sizeof(literal) - 1 && strncasecmp(name.ptr, literal, sizeof(literal) - 1) == 0)
	if (IS("content-type"))
		header_text(r->content_type, sizeof(r->content_type), value);
	else if (IS("etag"))
		header_text(r->etag, sizeof(r->etag), value);
	else if (IS("last-modified"))
		header_text(r->last_modified, sizeof(r->last_modified), value);
	else if (IS("location"))
		header_text(t->location, sizeof(t->location), value);
	else if (IS("retry-after"))
		r->retry_after_ms = retry_after(value, clock_wall_ms());
#undef IS
}

static void forget_head(struct http_transfer *t)
{
	buf_release(&t->resp.body);
	t->resp = (struct http_response){ .body = BUF_INIT(max_body(t->req)) };
	t->location[0] = '\0';
	t->head_done = false;
}

/* The empty line. 1xx answers have one too, and are followed by the real head. */
static int finish_head(struct http_transfer *t)
{
	long status = 0;

	(void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200)
		return 0;
	t->resp.status = (int)status;
	t->head_done = true;
	if (is_stream(t) && t->on_head(t)) {
		t->stopped = true;
		return -1;
	}
	return 0;
}

/* libcurl gives one whole line at a time. */
static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
	struct http_transfer *t = arg;
	struct str line = str_of(data, size * n), name;

	t->head_bytes += line.len;
	if (t->head_bytes > MAX_HEAD_BYTES) {
		t->too_large = true;
		return 0;
	}
	if (line.len > 5 && memcmp(line.ptr, "HTTP/", 5) == 0) {
		forget_head(t);
		return line.len;
	}
	if (str_empty(str_trim(line)))
		return t->head_done || finish_head(t) == 0 ? line.len : 0;
	/* Trailers of a chunked body come here too and do not count. */
	if (!t->head_done && str_split(&line, ':', &name) && line.ptr)
		take_header(t, str_trim(name), str_trim(line));
	return size * n;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct http_transfer *t = arg;
	size_t len = size * n;

	if (is_stream(t) && t->resp.status >= 200 && t->resp.status < 300) {
		if (t->on_data(t, data, len) == 0)
			return len;
		t->stopped = true;
		return 0;
	}
	if (buf_add(&t->resp.body, data, len)) {
		t->too_large = true;
		return 0;
	}
	return len;
}

/* --- the request --- */

static struct curl_blob blob_of(struct str pem)
{
	return (struct curl_blob){ .data = (void *)(uintptr_t)pem.ptr, .len = pem.len, .flags = CURL_BLOB_COPY };
}

static void set_tls(CURL *easy, const struct http_tls *tls)
{
	struct curl_blob blob;

	(void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	(void)curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (!tls)
		return;
	if (tls->ca_pem.len) {
		blob = blob_of(tls->ca_pem);
		(void)curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
	} else if (tls->ca_file) {
		(void)curl_easy_setopt(easy, CURLOPT_CAINFO, tls->ca_file);
		/* libcurl would keep what it read for a day; a rotated CA must work at the next connection. */
		(void)curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);
	}
	if (tls->ca_pem.len || tls->ca_file)
		(void)curl_easy_setopt(easy, CURLOPT_CAPATH, NULL); /* our CA alone, not the system's as well */
	if (tls->cert_pem.len) {
		blob = blob_of(tls->cert_pem);
		(void)curl_easy_setopt(easy, CURLOPT_SSLCERT_BLOB, &blob);
		blob = blob_of(tls->key_pem);
		(void)curl_easy_setopt(easy, CURLOPT_SSLKEY_BLOB, &blob);
	} else if (tls->cert_file) {
		(void)curl_easy_setopt(easy, CURLOPT_SSLCERT, tls->cert_file);
		(void)curl_easy_setopt(easy, CURLOPT_SSLKEY, tls->key_file);
	}
}

static void set_method(struct http_transfer *t)
{
	const struct http_request *req = t->req;
	const char *method = req->method ? req->method : "GET";

	/* Back to the beginning, from whatever the handle's last request was. */
	(void)curl_easy_setopt(t->easy, CURLOPT_HTTPGET, 1L);
	(void)curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, NULL);
	if (req->body.ptr) {
		/* Borrowed: the request outlives the transfer. */
		(void)curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, req->body.ptr);
		(void)curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body.len);
	} else if (strcmp(method, "HEAD") == 0) {
		(void)curl_easy_setopt(t->easy, CURLOPT_NOBODY, 1L);
		return;
	} else if (strcmp(method, "POST") == 0) {
		(void)curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, "");
		(void)curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)0);
	}
	(void)curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, method);
}

static bool has_name(const char *line, const char *name)
{
	size_t n = strlen(name);

	return strncasecmp(line, name, n) == 0 && line[n] == ':';
}

static void add_line(struct http_transfer *t, const char *line)
{
	struct curl_slist *list = curl_slist_append(t->lines, line);

	if (!list)
		abort(); /* as xmalloc() does */
	t->lines = list;
}

/* `same_origin` is false once a redirect has left it: then nothing that could be a secret is sent. */
static void set_headers(struct http_transfer *t, bool same_origin)
{
	const struct http_request *req = t->req;
	bool expect = false;

	for (size_t i = 0; i < HTTP_MAX_HEADERS && req->headers[i]; i++) {
		if (!same_origin && !has_name(req->headers[i], "Accept"))
			continue;
		expect = expect || has_name(req->headers[i], "Expect");
		add_line(t, req->headers[i]);
	}
	if (req->body.ptr && req->content_type) {
		_cleanup_free_ char *line = xasprintf("Content-Type: %s", req->content_type);

		add_line(t, line);
	} else {
		add_line(t, "Content-Type:"); /* none, instead of libcurl's own for every POST */
	}
	/* libcurl asks before bodies of 1 MB and waits a second for servers that never say "100 Continue". */
	if (!expect)
		add_line(t, "Expect:");
	(void)curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->lines);
}

static void set_limits(struct http_transfer *t)
{
	CURL *easy = t->easy;

	(void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
	/* A name that is still being looked up when the time is over must not hold up the net thread. */
	(void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	(void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_PROBE_S);
	(void)curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, set_user_timeout);
	/* Each handle that has sent something over TLS keeps one of these, the watches' too. */
	(void)curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, SEND_BUFFER);
	if (is_stream(t)) {
		/* A connection of its own, which nobody inherits half read. The net thread watches the time. */
		(void)curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
		(void)curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
		return;
	}
	(void)curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
}

static void set_time_and_size(struct http_transfer *t)
{
	int64_t left_ms = t->started_ms + transfer_timeout_ms(t->req) - clock_mono_ms();
	/* Of the announced length; on_body() counts what is decoded. A HEAD announces what never comes: no limit. */
	size_t announced = cstr_eq(t->req->method, "HEAD") ? 0 : max_body(t->req);

	if (is_stream(t))
		return;
	(void)curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, (long)MAX(left_ms, 1));
	(void)curl_easy_setopt(t->easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)announced);
}

static char *url_part(CURLU *url, CURLUPart part, unsigned int flags)
{
	char *text = NULL;

	return curl_url_get(url, part, &text, flags) == CURLUE_OK ? text : NULL;
}

DEFINE_CLEANUP(char, curl_text, curl_free);

/* Names the hop for messages, and refuses what we never ask for. */
static int check_url(struct http_transfer *t, CURLU *url, struct error *err)
{
	_cleanup_(cleanup_curl_text) char *scheme = url_part(url, CURLUPART_SCHEME, 0);
	_cleanup_(cleanup_curl_text) char *host = url_part(url, CURLUPART_HOST, 0);
	_cleanup_(cleanup_curl_text) char *port = url_part(url, CURLUPART_PORT, 0);
	_cleanup_(cleanup_curl_text) char *path = url_part(url, CURLUPART_PATH, 0);
	_cleanup_(cleanup_curl_text) char *user = url_part(url, CURLUPART_USER, 0);

	(void)snprintf(t->host, sizeof(t->host), "%s%s%s", host ? host : "", port ? ":" : "", port ? port : "");
	(void)str_copy(t->path, sizeof(t->path), str_from(path ? path : ""));
	if (!scheme || !host)
		return fail(t, ERR_INVALID, "the URL has no scheme or host", err);
	if (user)
		return fail(t, ERR_INVALID, "a user name in the URL is not accepted", err);
	if (strcmp(scheme, "https") != 0 && !(t->req->allow_plain && strcmp(scheme, "http") == 0))
		return fail(t, ERR_INVALID,
			    strcmp(scheme, "http") == 0 ? "plain http is not allowed here"
							: "the URL is not http or https",
			    err);
	return 0;
}

static void setup_texts(const struct http_request *req, struct str out[SETUP_TEXTS])
{
	static const struct http_tls none;
	const struct http_tls *tls = req->tls ? req->tls : &none;
	const struct str texts[SETUP_TEXTS] = {
		str_from(req->user_agent),
		str_from(tls->ca_file),
		str_from(tls->cert_file),
		str_from(tls->key_file),
		tls->ca_pem,
		tls->cert_pem,
		tls->key_pem,
	};

	memcpy(out, texts, sizeof(texts));
}

void setup_release(struct http_setup *s)
{
	for (size_t i = 0; i < SETUP_TEXTS; i++)
		free((char *)(uintptr_t)s->texts[i].ptr);
	*s = (struct http_setup){ 0 };
}

static bool setup_is_for(const struct http_setup *s, const struct http_request *req)
{
	struct str texts[SETUP_TEXTS];

	if (!s->known || s->allow_plain != req->allow_plain)
		return false;
	setup_texts(req, texts);
	for (size_t i = 0; i < SETUP_TEXTS; i++) {
		if (!s->texts[i].ptr != !texts[i].ptr || !str_eq(s->texts[i], texts[i]))
			return false;
	}
	return true;
}

static void setup_remember(struct http_setup *s, const struct http_request *req)
{
	struct str texts[SETUP_TEXTS];

	setup_release(s);
	s->known = true;
	s->allow_plain = req->allow_plain;
	setup_texts(req, texts);
	for (size_t i = 0; i < SETUP_TEXTS; i++) {
		if (texts[i].ptr)
			s->texts[i] = str_of(xstrndup(texts[i].ptr, texts[i].len), texts[i].len);
	}
}

/* What stays from one request to the next. */
static int set_lasting(struct http_transfer *t, bool same_origin)
{
	CURL *easy = t->easy;
	const struct http_request *req = t->req;
	int failed = 0;

	curl_easy_reset(easy); /* keeps its connections; matching ones are those with the same TLS settings */
	failed |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, req->allow_plain ? "http,https" : "https") != CURLE_OK;
	failed |= curl_easy_setopt(easy, CURLOPT_PROXY, "") != CURLE_OK;
	(void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	(void)curl_easy_setopt(easy, CURLOPT_USERAGENT,
			       req->user_agent ? req->user_agent : "loadshift/" LOADSHIFT_VERSION);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	set_limits(t);
	set_tls(easy, same_origin || !req->tls
			      ? req->tls
			      : &(struct http_tls){ .ca_file = req->tls->ca_file, .ca_pem = req->tls->ca_pem });
	return failed ? -1 : 0;
}

static int set_up(struct http_transfer *t, bool same_origin)
{
	CURL *easy = t->easy;
	int failed = 0;

	if (!t->setup || !same_origin || !setup_is_for(t->setup, t->req)) {
		failed |= set_lasting(t, same_origin);
		if (t->setup && same_origin && !failed)
			setup_remember(t->setup, t->req);
		else if (t->setup)
			setup_release(t->setup);
	}
	curl_slist_free_all(t->lines);
	t->lines = NULL;
	t->curl_text[0] = '\0';
	t->head_bytes = 0;
	forget_head(t);
	failed |= curl_easy_setopt(easy, CURLOPT_CURLU, t->url) != CURLE_OK;
	failed |= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->curl_text) != CURLE_OK;
	(void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
	set_time_and_size(t);
	set_method(t);
	set_headers(t, same_origin);
	return failed ? -1 : 0;
}

int transfer_begin(struct http_transfer *t, CURL *easy, struct http_setup *setup, const struct http_request *req,
		   struct error *err)
{
	CURLUcode r;

	t->easy = easy;
	t->setup = setup;
	t->req = req;
	t->started_ms = clock_mono_ms();
	buf_init(&t->resp.body, max_body(req));
	t->url = curl_url();
	if (!t->url)
		abort();
	r = curl_url_set(t->url, CURLUPART_URL, req->url ? req->url : "", 0);
	if (r != CURLUE_OK)
		return fail(t, ERR_INVALID, curl_url_strerror(r), err);
	if (check_url(t, t->url, err))
		return -1;
	return set_up(t, true) ? fail(t, ERR_INTERNAL, "libcurl lacks an option", err) : 0;
}

/* --- the end --- */

static bool same_part(CURLU *a, CURLU *b, CURLUPart part)
{
	_cleanup_(cleanup_curl_text) char *x = url_part(a, part, CURLU_DEFAULT_PORT);
	_cleanup_(cleanup_curl_text) char *y = url_part(b, part, CURLU_DEFAULT_PORT);

	return x && y && strcasecmp(x, y) == 0;
}

static bool host_listed(CURLU *url, const char *list)
{
	_cleanup_(cleanup_curl_text) char *host = url_part(url, CURLUPART_HOST, 0);
	struct str rest = str_from(list), part;

	while (host && str_split(&rest, ',', &part)) {
		size_t len = strlen(host);

		part = str_trim(part);
		if (part.len == len && strncasecmp(part.ptr, host, len) == 0)
			return true;
		if (part.len && part.len < len && part.ptr[0] == '.' &&
		    strncasecmp(part.ptr, host + len - part.len, part.len) == 0)
			return true;
	}
	return false;
}

static bool is_redirect(const struct http_transfer *t)
{
	int s = t->resp.status;
	const char *method = t->req->method;

	if (t->req->max_redirects <= 0 || is_stream(t) || t->req->body.ptr)
		return false;
	if (method && strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return false;
	return (s == 301 || s == 302 || s == 303 || s == 307 || s == 308) && t->location[0];
}

static int follow(struct http_transfer *t, struct error *err)
{
	CURLU *from = t->url, *to = curl_url_dup(from);
	bool same_origin, downgrade;

	if (!to)
		abort();
	if (++t->redirects > t->req->max_redirects) {
		curl_url_cleanup(to);
		return fail(t, ERR_LIMIT, "too many redirects", err);
	}
	if (curl_url_set(to, CURLUPART_URL, t->location, 0) != CURLUE_OK) {
		curl_url_cleanup(to);
		return fail(t, ERR_UNAVAILABLE, "redirected to something that is not a URL", err);
	}
	same_origin = same_part(from, to, CURLUPART_SCHEME) && same_part(from, to, CURLUPART_HOST) &&
		      same_part(from, to, CURLUPART_PORT);
	downgrade =
		!same_part(from, to, CURLUPART_SCHEME) && t->location[0] && strncasecmp(t->location, "http:", 5) == 0;
	if (downgrade || (!same_origin && !host_listed(to, t->req->redirect_hosts))) {
		curl_url_cleanup(to);
		return fail(t, ERR_DENIED, "redirected to a host that is not allowed", err);
	}
	t->url = to;
	t->left_origin = t->left_origin || !same_origin;
	curl_url_cleanup(from);
	if (check_url(t, t->url, err))
		return -1;
	return set_up(t, !t->left_origin) ? fail(t, ERR_INTERNAL, "libcurl lacks an option", err) : 1;
}

static enum error_code code_of(CURLcode code)
{
	switch (code) {
	case CURLE_OPERATION_TIMEDOUT:
		return ERR_TIMEOUT;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
		return ERR_DENIED;
	case CURLE_URL_MALFORMAT:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_BAD_FUNCTION_ARGUMENT:
		return ERR_INVALID;
	case CURLE_FILESIZE_EXCEEDED:
		return ERR_LIMIT;
	case CURLE_OUT_OF_MEMORY:
	case CURLE_FAILED_INIT:
		return ERR_INTERNAL;
	default:
		return ERR_UNAVAILABLE;
	}
}

static int curl_error(const struct http_transfer *t, CURLcode code, struct error *err)
{
	if (t->too_large && !t->head_done)
		return fail(t, ERR_LIMIT, "the answer's headers are too large", err);
	if (t->too_large || code == CURLE_FILESIZE_EXCEEDED) {
		char reason[64];

		(void)snprintf(reason, sizeof(reason), "the answer is larger than %zu bytes", max_body(t->req));
		return fail(t, ERR_LIMIT, reason, err);
	}
	if (t->stopped)
		return fail(t, ERR_INTERNAL, "stopped by reader", err);
	if (code == CURLE_OPERATION_TIMEDOUT && clock_mono_ms() - t->started_ms >= transfer_timeout_ms(t->req))
		return transfer_timeout(t, "no answer", transfer_timeout_ms(t->req), err);
	return fail(t, code_of(code), t->curl_text[0] ? t->curl_text : curl_easy_strerror(code), err);
}

int transfer_end(struct http_transfer *t, CURLcode code, struct error *err)
{
	if (code != CURLE_OK)
		return curl_error(t, code, err);
	if (!t->head_done)
		return fail(t, ERR_UNAVAILABLE, "no HTTP answer", err);
	return is_redirect(t) ? follow(t, err) : 0;
}

void transfer_release(struct http_transfer *t)
{
	curl_slist_free_all(t->lines);
	curl_url_cleanup(t->url);
	buf_release(&t->resp.body);
	t->lines = NULL;
	t->url = NULL;
}
