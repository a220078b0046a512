/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics and probes. */
#include "http/ops.h"

#include <stdatomic.h>

#include "base/alloc.h"
#include "metrics/metrics.h"

#define MAX_METRICS ((size_t)4 * 1024 * 1024)
#define MAX_CONNECTIONS 32

struct ops {
	struct ops_config cfg;
	struct http_route routes[2];
	struct http_server *metrics, *probes;
	_Atomic(bool) stopping;
};

static void handle_metrics(struct http_exchange *x, void *arg)
{
	struct buf out = BUF_INIT(MAX_METRICS);

	(void)arg;
	metrics_write(&out);
	http_reply_take(x, 200, "text/plain; version=0.0.4; charset=utf-8", &out);
}

static void handle_health(struct http_exchange *x, void *arg)
{
	(void)arg;
	http_reply(x, 200, "text/plain", STR("ok\n"));
}

static void handle_ready(struct http_exchange *x, void *arg)
{
	struct ops *o = arg;
	const char *why = o->stopping ? "shutting down" : o->cfg.not_ready(o->cfg.arg);
	char text[256];

	if (!why) {
		http_reply(x, 200, "text/plain", STR("ok\n"));
		return;
	}
	(void)snprintf(text, sizeof(text), "%s\n", why);
	http_reply(x, 503, "text/plain", str_from(text));
}

int ops_new(const struct ops_config *cfg, struct ops **ret, struct error *err)
{
	static const struct http_route metrics[] = { { "GET", "/metrics", 0, handle_metrics, NULL } };
	struct ops *o = xcalloc(1, sizeof(*o));

	o->cfg = *cfg;
	o->routes[0] = (struct http_route){ "GET", "/healthz", 0, handle_health, o };
	o->routes[1] = (struct http_route){ "GET", "/readyz", 0, handle_ready, o };
	struct http_server_config server = { .name = "metrics",
					     .address = cfg->metrics_address,
					     .port = cfg->metrics_port,
					     .routes = metrics,
					     .n_routes = 1,
					     .max_connections = MAX_CONNECTIONS };
	if (http_server_new(&server, &o->metrics, err)) {
		ops_free(o);
		return -1;
	}
	server = (struct http_server_config){ .name = "probes",
					      .address = cfg->probes_address,
					      .port = cfg->probes_port,
					      .routes = o->routes,
					      .n_routes = 2,
					      .max_connections = MAX_CONNECTIONS };
	if (http_server_new(&server, &o->probes, err)) {
		ops_free(o);
		return -1;
	}
	*ret = o;
	return 0;
}

int ops_metrics_port(const struct ops *o)
{
	return http_server_port(o->metrics);
}

int ops_probes_port(const struct ops *o)
{
	return http_server_port(o->probes);
}

void ops_shut_down(struct ops *o)
{
	o->stopping = true;
}

void ops_free(struct ops *o)
{
	if (!o)
		return;
	if (o->metrics)
		http_server_free(o->metrics, 0);
	if (o->probes)
		http_server_free(o->probes, 0);
	free(o);
}
