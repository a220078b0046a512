/* SPDX-License-Identifier: Apache-2.0 */
/* The read API's threads: the server queues, one worker answers. */
#include "readapi/readapi.h"

#include "base/alloc.h"
#include "metrics/metrics.h"
#include "readapi/internal.h"

#define PREFIX "/api/v1"
#define MAX_QUEUE 64
#define GRACE_MS 2000

static struct metric requests_total = METRIC_COUNTER("loadshift_read_api_requests_total",
						     "Requests to the read API, by path and answer.", "path", "code");

struct readapi {
	struct readapi_config cfg;
	struct http_route route;
	struct http_server *server;
	struct readapi_auth *auth; /* the worker's */
	pthread_t worker;
	bool has_worker;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	struct http_exchange *queue[MAX_QUEUE]; /* ring, by the mutex, like what follows */
	size_t first, len;
	bool stop;
};

/* ---- parameters ---- */

int readapi_param_i64(struct readapi_request *r, const char *name, int64_t def, int64_t min, int64_t max, int64_t *ret,
		      struct error *err)
{
	const char *text = http_param(r->x, name);

	*ret = def;
	if (!text || str_to_i64(str_from(text), min, max, ret))
		return 0;
	return error_set(err, ERR_INVALID, "%s must be a whole number from %" PRId64 " to %" PRId64, name, min, max);
}

int readapi_param_time(struct readapi_request *r, const char *name, int64_t def_ms, int64_t *ret_ms, struct error *err)
{
	const char *text = http_param(r->x, name);

	*ret_ms = def_ms;
	if (!text || time_parse(str_from(text), ret_ms))
		return 0;
	return error_set(err, ERR_INVALID, "%s must be an RFC 3339 time such as 2026-03-01T06:00:00Z", name);
}

/* ---- one request ---- */

static int status_of(const struct error *err)
{
	if (err->http == 401)
		return 401;
	switch (err->code) {
	case ERR_INVALID:
		return 400;
	case ERR_DENIED:
		return 403;
	case ERR_NOT_FOUND:
		return 404;
	case ERR_THROTTLED:
	case ERR_UNAVAILABLE:
	case ERR_TIMEOUT:
	case ERR_CONFLICT:
		return 503;
	default:
		return 500;
	}
}

static void fail(struct http_exchange *x, const char *path, const struct error *err)
{
	char code[16];
	int status = status_of(err);

	(void)snprintf(code, sizeof(code), "%d", status);
	metric_inc(metric_series(&requests_total, path, code));
	if (status == 401)
		http_reply_header(x, "WWW-Authenticate", "Bearer");
	if (status == 503)
		http_reply_header(x, "Retry-After", "5");
	http_reply_error(x, status, "%s", err->msg);
}

/* A DNS label, as namespaces are. */
static bool is_namespace(const char *s)
{
	size_t len = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return len > 0 && len <= 63 && s[len] == '\0';
}

static int check_reader(struct readapi *a, struct http_exchange *x, const struct readapi_route *route,
			const char *namespace, struct error *err)
{
	const char *header = http_header(x, "authorization");

	if (route->resource == READAPI_NONE)
		return 0;
	if (header && strncasecmp(header, "Bearer ", 7) == 0)
		return readapi_auth_check(a->auth, header + 7, route->resource, namespace, err);
	if (!header && a->cfg.proxied)
		return 0;
	(void)error_set(err, ERR_DENIED,
			header ? "only bearer tokens are taken: Authorization: Bearer ..."
			       : "bring a token: Authorization: Bearer ...");
	err->http = 401;
	return -1;
}

static int check_request(struct readapi *a, const struct readapi_request *r, struct error *err)
{
	const char *waits = a->cfg.not_ready ? a->cfg.not_ready(a->cfg.arg) : NULL;

	if (r->route->resource != READAPI_NONE && waits)
		return error_set(err, ERR_UNAVAILABLE, "%s", waits);
	if (readapi_check_query(r->route, http_query(r->x), err))
		return -1;
	if (r->namespace && !is_namespace(r->namespace))
		return error_set(err, ERR_INVALID, "namespace is not the name of one");
	return 0;
}

static void answer(struct readapi *a, struct http_exchange *x)
{
	struct buf out = BUF_INIT(READAPI_MAX_ANSWER);
	char name[READAPI_MAX_NAME];
	const char *namespace = http_param(x, "namespace");
	const struct readapi_route *route = readapi_route_find(http_path(x) + strlen(PREFIX), name);
	struct readapi_request r = { .cfg = &a->cfg,
				     .route = route,
				     .x = x,
				     .name = name,
				     .namespace = namespace && *namespace ? namespace : NULL,
				     .now_ms = clock_now_ms(&a->cfg.clock),
				     .w = json_writer(&out) };
	struct error err = ERROR_INIT;
	int failed = 0;

	if (!route)
		failed = error_set(&err, ERR_NOT_FOUND, "there is no such path; see " PREFIX "/openapi.json");
	if (failed || check_request(a, &r, &err) || check_reader(a, x, route, r.namespace, &err) ||
	    route->answer(&r, &err) || buf_check(&out, "answer", &err)) {
		fail(x, route ? route->path : "other", &err);
		buf_release(&out);
	} else {
		metric_inc(metric_series(&requests_total, route->path, "200"));
		http_reply_header(x, "Cache-Control", "no-store");
		http_reply_take(x, 200, "application/json", &out);
	}
}

/* ---- threads ---- */

static struct http_exchange *take(struct readapi *a)
{
	MUTEX_GUARD(&a->mutex);
	while (a->len == 0 && !a->stop)
		(void)pthread_cond_wait(&a->wake, &a->mutex);
	if (a->len == 0)
		return NULL;
	struct http_exchange *x = a->queue[a->first];
	a->first = (a->first + 1) % MAX_QUEUE;
	a->len--;
	return x;
}

static void *work(void *arg)
{
	struct readapi *a = arg;
	struct http_exchange *x;

	while ((x = take(a)))
		answer(a, x);
	return NULL;
}

static bool queue(struct readapi *a, struct http_exchange *x)
{
	MUTEX_GUARD(&a->mutex);
	if (a->len == MAX_QUEUE || a->stop)
		return false;
	a->queue[(a->first + a->len++) % MAX_QUEUE] = x;
	(void)pthread_cond_signal(&a->wake);
	return true;
}

/* On the server thread, which must not wait for anything. */
static void handle(struct http_exchange *x, void *arg)
{
	struct error err = ERROR_INIT;

	if (queue(arg, x))
		return;
	(void)error_set(&err, ERR_THROTTLED, "too many requests wait already");
	fail(x, "other", &err);
}

int readapi_new(const struct readapi_config *cfg, struct readapi **ret, struct error *err)
{
	_cleanup_(cleanup_readapi) struct readapi *a = xcalloc(1, sizeof(*a));

	a->cfg = *cfg;
	(void)pthread_mutex_init(&a->mutex, NULL);
	(void)pthread_cond_init(&a->wake, NULL);
	a->auth = readapi_auth_new(cfg->k8s);
	if (pthread_create(&a->worker, NULL, work, a) != 0)
		return error_set(err, ERR_INTERNAL, "cannot start the read API's thread");
	a->has_worker = true;
	(void)pthread_setname_np(a->worker, "read-api");
	a->route = (struct http_route){ .method = "GET", .path = PREFIX "/*", .fn = handle, .arg = a };
	if (http_server_new(&(struct http_server_config){ .name = "read-api-net",
							  .address = cfg->address,
							  .port = cfg->port,
							  .cert_file = cfg->cert_file,
							  .key_file = cfg->key_file,
							  .routes = &a->route,
							  .n_routes = 1 },
			    &a->server, err))
		return -1;
	*ret = steal_ptr(a);
	return 0;
}

int readapi_port(const struct readapi *a)
{
	return http_server_port(a->server);
}

void readapi_free(struct readapi *a)
{
	if (!a)
		return;
	if (a->server)
		http_server_free(a->server, GRACE_MS);
	(void)pthread_mutex_lock(&a->mutex);
	a->stop = true;
	(void)pthread_cond_broadcast(&a->wake);
	(void)pthread_mutex_unlock(&a->mutex);
	if (a->has_worker)
		(void)pthread_join(a->worker, NULL);
	readapi_auth_free(a->auth);
	(void)pthread_cond_destroy(&a->wake);
	(void)pthread_mutex_destroy(&a->mutex);
	free(a);
}
