/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to the API server: identity, rate limit, gate, retries, errors. */
#include "k8s/rest.h"

#include <errno.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "json/writer.h"
#include "k8s/internal.h"
#include "k8s/watch.h"
#include "metrics/metrics.h"

#define TOKEN_MAX_AGE_MS MINUTE_MS
#define TOKEN_MAX (16 * 1024)
#define DEFAULT_TIMEOUT_MS (30 * SECOND_MS)
/* A 429 is waited out so many times, for so long each; a worker must not sleep through a shutdown. */
#define THROTTLED_TRIES 3
#define THROTTLED_MAX_WAIT_MS (5 * SECOND_MS)
/* Room for an error's Status even where the caller wants only a small answer. */
#define MIN_BODY (64 * 1024)

static struct metric requests_metric =
	METRIC_COUNTER("rest_client_requests_total", "Requests to the API server.", "code", "method");
static struct metric duration_metric =
	METRIC_HISTOGRAM("rest_client_request_duration_seconds", "Time until the API server's answer was complete.",
			 metric_latency_buckets, "verb");

struct k8s {
	struct k8s_auth auth;
	char *field_manager;
	int64_t timeout_ms;
	k8s_gate_fn gate;
	void *gate_arg;
	pthread_mutex_t mutex; /* the rest */
	struct bucket bucket;
	char *token;
	int64_t token_read_ms; /* monotonic */
	bool token_refused;
};

struct k8s_client {
	struct k8s *k8s;
	struct http_client *http;
	int64_t timeout_ms;
	bool gated;
};

void k8s_count_request(const char *method, int status, int64_t duration_us)
{
	char code[16];

	(void)snprintf(code, sizeof(code), "%d", status);
	metric_inc(metric_series(&requests_metric, status ? code : "<error>", method));
	metric_observe(metric_series(&duration_metric, method), (double)duration_us / 1e6);
}

/* Identity. */

static int read_token(const char *path, char **ret, struct error *err)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT(TOKEN_MAX);

	if (buf_read_file(&b, path, err))
		return -1;
	struct str token = str_trim(buf_str(&b));
	for (size_t i = 0; i < token.len; i++) {
		if ((unsigned char)token.ptr[i] <= ' ' || token.ptr[i] == '\177')
			return error_set(err, ERR_INVALID, "%s does not hold a token", path);
	}
	if (str_empty(token))
		return error_set(err, ERR_INVALID, "%s is empty", path);
	*ret = xstrndup(token.ptr, token.len);
	return 0;
}

/* With the mutex held. A file that cannot be read just now leaves the old token, which may well be valid still. */
static void refresh_token(struct k8s *k)
{
	int64_t now_ms = clock_mono_ms();
	struct error ignored;
	char *token;

	if (!k->auth.token_file || (!k->token_refused && now_ms - k->token_read_ms < TOKEN_MAX_AGE_MS))
		return;
	k->token_refused = false;
	k->token_read_ms = now_ms;
	if (read_token(k->auth.token_file, &token, &ignored))
		return;
	free(k->token);
	k->token = token;
}

void k8s_token_refused(struct k8s *k)
{
	MUTEX_GUARD(&k->mutex);
	k->token_refused = true;
}

void k8s_request_init(struct k8s *k, struct k8s_request *r, const char *method, const char *path)
{
	*r = (struct k8s_request){ .url = xasprintf("%s%s", k->auth.server, path) };
	r->http = (struct http_request){
		.method = method,
		.url = r->url,
		.headers = { "Accept: application/json" },
		.tls = &k->auth.tls,
		.allow_plain = k->auth.plain,
		.timeout_ms = k->timeout_ms,
		.max_body = K8S_MAX_BODY,
	};
	MUTEX_GUARD(&k->mutex);
	refresh_token(k);
	if (k->token) {
		r->authorization = xasprintf("Authorization: Bearer %s", k->token);
		r->http.headers[1] = r->authorization;
	}
}

void k8s_request_release(struct k8s_request *r)
{
	free(r->url);
	free(r->authorization);
	*r = (struct k8s_request){ 0 };
}

/* Life. */

int k8s_new(struct k8s_auth *auth, const struct k8s_options *o, struct k8s **ret, struct error *err)
{
	struct k8s *k = xcalloc(1, sizeof(*k));

	k->auth = *auth;
	*auth = (struct k8s_auth){ 0 };
	k->field_manager = xstrdup(o->field_manager ? o->field_manager : "loadshift");
	k->timeout_ms = o->timeout_ms ? o->timeout_ms : DEFAULT_TIMEOUT_MS;
	(void)pthread_mutex_init(&k->mutex, NULL);
	bucket_init(&k->bucket, o->qps, MAX(o->burst, 1), clock_mono_us());
	k->token_read_ms = clock_mono_ms();
	if (k->auth.token_file && read_token(k->auth.token_file, &k->token, err)) {
		err->code = ERR_INVALID;
		k8s_free(k);
		return -1;
	}
	if (!k->auth.token_file && k->auth.token)
		k->token = xstrdup(k->auth.token);
	*ret = k;
	return 0;
}

void k8s_free(struct k8s *k)
{
	if (!k)
		return;
	k8s_auth_release(&k->auth);
	free(k->field_manager);
	free(k->token);
	(void)pthread_mutex_destroy(&k->mutex);
	free(k);
}

const struct k8s_auth *k8s_auth(const struct k8s *k)
{
	return &k->auth;
}

void k8s_set_gate(struct k8s *k, k8s_gate_fn gate, void *arg)
{
	k->gate = gate;
	k->gate_arg = arg;
}

static struct k8s_client *client_new(struct k8s *k, bool gated)
{
	struct k8s_client *c = xcalloc(1, sizeof(*c));

	*c = (struct k8s_client){ k, http_client_new(), k->timeout_ms, gated };
	return c;
}

struct k8s_client *k8s_client_new(struct k8s *k)
{
	return client_new(k, true);
}

struct k8s_client *k8s_client_new_ungated(struct k8s *k)
{
	return client_new(k, false);
}

void k8s_client_set_timeout(struct k8s_client *c, int64_t timeout_ms)
{
	c->timeout_ms = timeout_ms;
}

void k8s_client_free(struct k8s_client *c)
{
	if (!c)
		return;
	http_client_free(c->http);
	free(c);
}

/* Paths. */

/* What Kubernetes' own path.IsValidPathSegmentName refuses, and empty names. */
static bool is_path_segment(const char *s)
{
	return *s && strcmp(s, ".") != 0 && strcmp(s, "..") != 0 && !strpbrk(s, "/%");
}

int k8s_path(char out[K8S_PATH_MAX], const struct object_type *t, const char *ns, const char *name, const char *sub,
	     struct error *err)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT(K8S_PATH_MAX - 1);

	(void)buf_addf(&b, "/%s/%s", strchr(t->api_version, '/') ? "apis" : "api", t->api_version);
	if (t->namespaced && ns && *ns) {
		if (!is_path_segment(ns))
			return error_set(err, ERR_INVALID, "\"%.64s\" is not the name of a namespace", ns);
		(void)buf_adds(&b, "/namespaces/");
		url_escape(&b, str_from(ns));
	}
	(void)buf_addf(&b, "/%s", t->plural);
	if (name) {
		if (!is_path_segment(name))
			return error_set(err, ERR_INVALID, "\"%.64s\" is not the name of a %s", name, t->kind);
		(void)buf_addc(&b, '/');
		url_escape(&b, str_from(name));
	}
	if (sub)
		(void)buf_addf(&b, "/%s", sub);
	if (buf_check(&b, "path", err))
		return -1;
	memcpy(out, b.ptr, b.len + 1);
	return 0;
}

/* One request. */

struct call {
	const char *method;
	const char *path;
	const char *content_type;
	struct str body;
	struct buf *ret_body;
};

static bool is_mutating(const struct call *call)
{
	return strcmp(call->method, "GET") != 0;
}

static void sleep_us(int64_t us)
{
	struct timespec left = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };

	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		;
}

static void wait_for_turn(struct k8s *k)
{
	(void)pthread_mutex_lock(&k->mutex);
	int64_t wait_us = bucket_reserve(&k->bucket, clock_mono_us());
	(void)pthread_mutex_unlock(&k->mutex);

	if (wait_us > 0)
		sleep_us(wait_us);
}

/* Sends it once. 0 with any answer. */
static int send_once(struct k8s_client *c, const struct call *call, struct http_response *ret, struct error *err)
{
	_cleanup_(k8s_request_release) struct k8s_request r;
	struct k8s *k = c->k8s;

	wait_for_turn(k);
	k8s_request_init(k, &r, call->method, call->path);
	r.http.timeout_ms = c->timeout_ms;
	r.http.content_type = call->content_type;
	r.http.body = call->body;
	if (call->ret_body)
		r.http.max_body = MAX(call->ret_body->max - call->ret_body->len, MIN_BODY);
	/* Last of all, after every wait: nothing but the request itself comes between. */
	if (is_mutating(call) && c->gated && k->gate) {
		int64_t valid_ms = INT64_MAX;

		if (k->gate(k->gate_arg, &valid_ms, err))
			return -1;
		r.http.timeout_ms = MAX(MIN(r.http.timeout_ms, valid_ms), 1);
	}
	int64_t start_us = clock_mono_us();
	int failed = http_do(c->http, &r.http, ret, err);
	k8s_count_request(call->method, failed ? 0 : ret->status, clock_mono_us() - start_us);
	return failed;
}

static int take_answer(const struct call *call, const struct http_response *resp, struct error *err)
{
	if (resp->status < 200 || resp->status >= 300)
		return status_error(buf_str(&resp->body), resp->status, resp->retry_after_ms, err);
	if (!call->ret_body)
		return 0;
	(void)buf_addstr(call->ret_body, buf_str(&resp->body));
	return buf_check(call->ret_body, "the API server's answer", err);
}

static int do_call(struct k8s_client *c, const struct call *call, struct error *err)
{
	bool token_retried = false;

	for (int throttled = 0;;) {
		_cleanup_(http_response_release) struct http_response resp = { 0 };

		if (send_once(c, call, &resp, err))
			return -1;
		if (resp.status == 401 && c->k8s->auth.token_file && !token_retried) {
			token_retried = true;
			k8s_token_refused(c->k8s);
			continue;
		}
		if (resp.status == 429 && throttled < THROTTLED_TRIES && resp.retry_after_ms <= THROTTLED_MAX_WAIT_MS) {
			throttled++;
			sleep_us(MAX(resp.retry_after_ms, 100) * 1000);
			continue;
		}
		return take_answer(call, &resp, err);
	}
}

/* Verbs. */

int k8s_get(struct k8s_client *c, const char *path, struct buf *ret_body, struct error *err)
{
	return do_call(c, &(struct call){ .method = "GET", .path = path, .ret_body = ret_body }, err);
}

int k8s_get_object(struct k8s_client *c, const struct object_type *t, const char *ns, const char *name,
		   const struct object **ret, struct error *err)
{
	_cleanup_(buf_release) struct buf body = BUF_INIT(K8S_MAX_OBJECT);
	char path[K8S_PATH_MAX];

	if (k8s_path(path, t, ns, name, NULL, err) || k8s_get(c, path, &body, err))
		return -1;
	return object_parse(t, buf_str(&body), ret, err);
}

int k8s_list_version(struct k8s_client *c, const struct object_type *t, char ret[K8S_VERSION_MAX], struct error *err)
{
	_cleanup_(buf_release) struct buf body = BUF_INIT(K8S_MAX_OBJECT);
	_cleanup_(json_cleanup) struct json *meta = NULL;
	char path[K8S_PATH_MAX], query[K8S_PATH_MAX + 16];
	struct str raw;

	if (k8s_path(path, t, NULL, NULL, NULL, err))
		return -1;
	/* Without a resourceVersion in the query the answer is as fresh as etcd. */
	(void)snprintf(query, sizeof(query), "%s?limit=1", path);
	if (k8s_get(c, query, &body, err) || json_raw_at(buf_str(&body), "metadata", &raw, err) ||
	    json_parse(raw, &meta, err))
		return -1;
	const char *version = json_string(json_get(meta, "resourceVersion"));
	if (!version || !str_copy(ret, K8S_VERSION_MAX, str_from(version)))
		return error_set(err, ERR_INVALID, "list without a usable metadata.resourceVersion");
	return 0;
}

/* A request that writes: the field manager goes into the query. */
static int write_call(struct k8s_client *c, struct call *call, const char *query, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s%cfieldManager=%s%s", call->path, strchr(call->path, '?') ? '&' : '?',
					      c->k8s->field_manager, query);

	call->path = path;
	return do_call(c, call, err);
}

int k8s_create(struct k8s_client *c, const char *path, struct str body, struct buf *ret_body, struct error *err)
{
	struct call call = { "POST", path, "application/json", body, ret_body };

	return write_call(c, &call, "", err);
}

int k8s_replace(struct k8s_client *c, const char *path, struct str body, struct buf *ret_body, struct error *err)
{
	struct call call = { "PUT", path, "application/json", body, ret_body };

	return write_call(c, &call, "", err);
}

int k8s_patch(struct k8s_client *c, const char *path, enum k8s_patch_type type, struct str body, struct buf *ret_body,
	      struct error *err)
{
	static const char *const content_types[] = {
		[K8S_PATCH_JSON] = "application/json-patch+json",
		[K8S_PATCH_MERGE] = "application/merge-patch+json",
		[K8S_PATCH_APPLY] = "application/apply-patch+yaml", /* JSON is YAML */
	};
	struct call call = { "PATCH", path, content_types[type], body, ret_body };

	return write_call(c, &call, type == K8S_PATCH_APPLY ? "&force=true" : "", err);
}

int k8s_delete(struct k8s_client *c, const char *path, enum k8s_propagation propagation, const char *uid,
	       const char *resource_version, struct error *err)
{
	static const char *const policies[] = { "Background", "Foreground", "Orphan" };
	_cleanup_(buf_release) struct buf body = BUF_INIT(4096);
	struct json_writer w = json_writer(&body);

	jw_object(&w, NULL);
	jw_string(&w, "kind", "DeleteOptions");
	jw_string(&w, "apiVersion", "v1");
	jw_string(&w, "propagationPolicy", policies[propagation]);
	if (uid || resource_version) {
		jw_object(&w, "preconditions");
		jw_string_opt(&w, "uid", uid);
		jw_string_opt(&w, "resourceVersion", resource_version);
		jw_end_object(&w);
	}
	jw_end_object(&w);
	if (buf_check(&body, "delete options", err))
		return -1;
	return do_call(c, &(struct call){ "DELETE", path, "application/json", buf_str(&body), NULL }, err);
}
