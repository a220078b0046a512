/* SPDX-License-Identifier: Apache-2.0 */
/*
 * extender: kube-scheduler's extender. Ranks nodes by what electricity at their place costs in grams and pence, from
 * watched Nodes and GridRegions; stateless, every replica answers. See docs/extender.md.
 */
#include <malloc.h>
#include <signal.h>

#include "base/alloc.h"
#include "config/config.h"
#include "extender/extender.h"
#include "http/ops.h"
#include "k8s/clockguard.h"
#include "log/log.h"

/* How long open requests may take at the end; the scheduler's own timeout is far shorter. */
#define GRACE_MS (5 * SECOND_MS)

struct options {
	char *kubeconfig;
	char *context;
	char *namespace;
	char *address;
	int64_t port;
	char *cert_file;
	char *key_file;
	char *client_ca_file;
	char *metrics_address;
	int64_t metrics_port;
	char *probes_address;
	int64_t probes_port;
	int64_t max_forecast_age_ms;
	int64_t clock_origin_ms;
	int64_t clock_factor;
	int log_level;
};

static const char *const log_levels[] = { "debug", "info", "warn", "error", NULL };

static const struct config_option options_table[] = {
	CONFIG_OPTION("kubeconfig", CONFIG_STRING, kubeconfig, NULL, 0, 0,
		      "kubeconfig file [$KUBECONFIG, the pod's ServiceAccount, ~/.kube/config]"),
	CONFIG_OPTION("context", CONFIG_STRING, context, NULL, 0, 0, "context in it [current-context]"),
	CONFIG_OPTION("namespace", CONFIG_STRING, namespace, NULL, 0, 0, "the program's own [the context's]"),
	CONFIG_OPTION("listen.address", CONFIG_STRING, address, NULL, 0, 0, "address of /filter and /prioritize [all]"),
	CONFIG_OPTION("listen.port", CONFIG_INT, port, "8888", 0, 65535, "its port; 0 = any free one, see the log"),
	CONFIG_OPTION("tls.certFile", CONFIG_STRING, cert_file, NULL, 0, 0,
		      "serving certificate (PEM, read again when it changes); unset = plain HTTP"),
	CONFIG_OPTION("tls.keyFile", CONFIG_STRING, key_file, NULL, 0, 0, "its private key"),
	CONFIG_OPTION("tls.clientCaFile", CONFIG_STRING, client_ca_file, NULL, 0, 0,
		      "set = only clients with a certificate signed by it"),
	CONFIG_OPTION("metrics.address", CONFIG_STRING, metrics_address, NULL, 0, 0, "address of /metrics [all]"),
	CONFIG_OPTION("metrics.port", CONFIG_INT, metrics_port, "8080", 0, 65535, "its port"),
	CONFIG_OPTION("probes.address", CONFIG_STRING, probes_address, NULL, 0, 0,
		      "address of /healthz and /readyz [all]"),
	CONFIG_OPTION("probes.port", CONFIG_INT, probes_port, "8081", 0, 65535, "their port"),
	CONFIG_OPTION("maxForecastAge", CONFIG_DURATION, max_forecast_age_ms, "6h", MINUTE_MS, 7 * DAY_MS,
		      "grid data older than this count as unknown; as the operator's option of that name"),
	CONFIG_OPTION("clock.origin", CONFIG_TIME, clock_origin_ms, NULL, 0, 0,
		      "virtual clock: where it agrees with the real one [now]; demo and tests only"),
	CONFIG_OPTION("clock.factor", CONFIG_INT, clock_factor, "1", 1, CLOCK_MAX_FACTOR, "how fast it runs; 1 = real"),
	CONFIG_CHOICE("log.level", log_level, "info", log_levels, "debug, info, warn or error"),
};

struct program {
	struct options options;
	struct arena arena;
	struct clock clock;
	struct k8s *k;
	struct http_loop *loop;
	struct extender *extender;
	struct http_server *server;
	struct ops *ops;
};

static const char *not_ready(void *arg)
{
	const struct program *p = arg;

	return extender_synced(p->extender) ? NULL : "Nodes and GridRegions have not been listed yet";
}

static int connect_cluster(struct program *p, struct error *err)
{
	const struct options *o = &p->options;
	struct k8s_options k8s_options = { .field_manager = "loadshift-extender", .qps = 20, .burst = 50 };
	const char *namespace;
	struct k8s_auth auth;

	if (k8s_auth_load(o->kubeconfig, o->context, &auth, err) || k8s_new(&auth, &k8s_options, &p->k, err))
		return -1;
	namespace = o->namespace ? o->namespace : k8s_auth(p->k)->namespace;
	p->clock.origin_ms = o->clock_origin_ms == TIME_NONE ? clock_wall_ms() : o->clock_origin_ms;
	p->clock.factor = (int32_t)o->clock_factor;
	return clockguard_check(p->k, &p->clock, namespace, err);
}

static int start_servers(struct program *p, struct error *err)
{
	const struct options *o = &p->options;
	struct http_server_config cfg = { .name = "extender",
					  .address = o->address,
					  .port = (int)o->port,
					  .cert_file = o->cert_file,
					  .key_file = o->key_file,
					  .client_ca_file = o->client_ca_file };
	struct ops_config ops = { .metrics_address = o->metrics_address,
				  .metrics_port = (int)o->metrics_port,
				  .probes_address = o->probes_address,
				  .probes_port = (int)o->probes_port,
				  .not_ready = not_ready,
				  .arg = p };

	if (!o->cert_file != !o->key_file)
		return error_set(err, ERR_INVALID, "tls.certFile and tls.keyFile: set both or neither");
	if (o->client_ca_file && !o->cert_file)
		return error_set(err, ERR_INVALID, "tls.clientCaFile needs tls.certFile and tls.keyFile");
	cfg.routes = extender_routes(p->extender, &cfg.n_routes);
	return http_server_new(&cfg, &p->server, err) || ops_new(&ops, &p->ops, err) ? -1 : 0;
}

static int serve(struct program *p, const sigset_t *signals, struct error *err)
{
	char server[256];
	int signal = 0;

	if (connect_cluster(p, err) || http_loop_new(&p->loop, err))
		return -1;
	p->extender = extender_new(p->k, p->loop, &p->clock, p->options.max_forecast_age_ms);
	if (start_servers(p, err))
		return -1;
	extender_start(p->extender);
	(void)str_copy(server, sizeof(server), str_from(k8s_auth(p->k)->server));
	log_info("serving", LOG_I64("port", http_server_port(p->server)), LOG_BOOL("tls", p->options.cert_file != NULL),
		 LOG_I64("metricsPort", ops_metrics_port(p->ops)), LOG_I64("probesPort", ops_probes_port(p->ops)),
		 LOG_STR("apiServer", server), LOG_I64("clockFactor", p->clock.factor));
	if (sigwait(signals, &signal))
		signal = 0;
	log_info("stopping", LOG_STR("signal", signal == SIGINT ? "SIGINT" : "SIGTERM"));
	ops_shut_down(p->ops);
	return 0;
}

/* Last come, first gone: servers before what their handlers use, informers before the thread they run on. */
static void release(struct program *p)
{
	http_server_free(p->server, GRACE_MS);
	if (p->extender)
		extender_stop(p->extender);
	ops_free(p->ops);
	if (p->loop)
		http_loop_free(p->loop);
	extender_free(p->extender);
	if (p->k)
		k8s_free(p->k);
	arena_release(&p->arena);
}

int main(int argc, char **argv)
{
	static const struct config_spec spec = {
		.program = "extender",
		.summary = "Ranks nodes for kube-scheduler by carbon and price of electricity.",
		.options = options_table,
		.n_options = ARRAY_LEN(options_table),
	};
	struct program p = { 0 };
	struct error err = ERROR_INIT;
	bool done = false;
	sigset_t signals;
	int failed;

	/* A few threads that allocate little: arenas of their own would only cost memory. */
	(void)mallopt(M_ARENA_MAX, 1);
	arena_init(&p.arena, 1024, 1024 * 1024);
	if (config_load(&spec, argc, argv, &p.options, &p.arena, &done, &err)) {
		(void)fprintf(stderr, "extender: %s\n", err.msg);
		return 2;
	}
	if (done)
		return 0;
	log_init("extender", (enum log_level)p.options.log_level);
	/* Before any thread starts, so that sigwait() in this one gets them. */
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	(void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	failed = http_client_global_init(&err) || serve(&p, &signals, &err);
	release(&p);
	http_client_global_cleanup();
	if (failed)
		log_error("cannot run", LOG_ERR(&err));
	return failed ? 1 : 0;
}
