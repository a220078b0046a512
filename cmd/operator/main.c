/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operator: watches CarbonAwareJobs and fetches grid data; defers, releases and follows their Jobs. See
 * docs/architecture.md.
 */
#include <malloc.h>
#include <signal.h>
#include <stddef.h>

#include "base/resident.h"
#include "config/config.h"
#include "controller/manager.h"
#include "http/client.h"
#include "http/ops.h"
#include "log/log.h"

struct options {
	char *kubeconfig, *context, *namespace, *identity;
	char *default_region;
	int64_t max_forecast_age_ms;
	int64_t workers, qps, burst;
	int64_t lease_duration_ms, lease_renew_ms, lease_retry_ms;
	bool grid_disabled;
	char *carbon_url, *octopus_url, *octopus_product;
	char *metrics_address, *probes_address;
	int64_t metrics_port, probes_port;
	int64_t clock_origin_ms, clock_factor;
	int log_level;
};

static const char *const log_levels[] = { "debug", "info", "warn", "error", NULL };

#define OPTION(k, t, field, d, lo, hi, h)                                                                    \
	{                                                                                                    \
		.key = (k), .type = (t), .offset = offsetof(struct options, field), .def = (d), .min = (lo), \
		.max = (hi), .names = (t) == CONFIG_ENUM ? log_levels : NULL, .help = (h)                    \
	}
static const struct config_option options_table[] = {
	OPTION("kubeconfig", CONFIG_STRING, kubeconfig, NULL, 0, 0,
	       "kubeconfig file [$KUBECONFIG, the pod's ServiceAccount, ~/.kube/config]"),
	OPTION("context", CONFIG_STRING, context, NULL, 0, 0, "context in it [current-context]"),
	OPTION("namespace", CONFIG_STRING, namespace, NULL, 0, 0, "where the Lease lives [the context's]"),
	OPTION("identity", CONFIG_STRING, identity, NULL, 0, 0,
	       "holder identity in the Lease [host and a random part]"),
	OPTION("defaultRegion", CONFIG_STRING, default_region, NULL, 0, 0,
	       "GridRegion that counts as home for jobs that are pinned nowhere"),
	OPTION("maxForecastAge", CONFIG_DURATION, max_forecast_age_ms, "6h", MINUTE_MS, 7 * DAY_MS,
	       "grid data fetched longer ago count as unknown"),
	OPTION("workers", CONFIG_INT, workers, "4", 1, 64, "reconcilers of CarbonAwareJobs at once"),
	OPTION("qps", CONFIG_INT, qps, "50", 0, 10000, "requests a second to the API server; 0 = no limit of ours"),
	OPTION("burst", CONFIG_INT, burst, "100", 1, 20000, "requests at once above that"),
	OPTION("lease.duration", CONFIG_DURATION, lease_duration_ms, "15s", SECOND_MS, HOUR_MS,
	       "others take over after so long without renewal"),
	OPTION("lease.renewDeadline", CONFIG_DURATION, lease_renew_ms, "10s", SECOND_MS, HOUR_MS,
	       "the holder gives up after so long without success"),
	OPTION("lease.retryPeriod", CONFIG_DURATION, lease_retry_ms, "2s", 100, HOUR_MS, "time between renewals"),
	OPTION("grid.disabled", CONFIG_BOOL, grid_disabled, "false", 0, 0,
	       "fetch no grid data: something else writes the GridRegions' status"),
	OPTION("grid.carbonUrl", CONFIG_STRING, carbon_url, "https://api.carbonintensity.org.uk", 0, 0,
	       "base URL of the GB Carbon Intensity API"),
	OPTION("grid.octopusUrl", CONFIG_STRING, octopus_url, "https://api.octopus.energy/v1", 0, 0,
	       "base URL of the Octopus Energy API"),
	OPTION("grid.octopusProduct", CONFIG_STRING, octopus_product, NULL, 0, 0, "Agile product code [discovered]"),
	OPTION("metrics.address", CONFIG_STRING, metrics_address, NULL, 0, 0, "address of /metrics [all]"),
	OPTION("metrics.port", CONFIG_INT, metrics_port, "8080", 0, 65535, "its port"),
	OPTION("probes.address", CONFIG_STRING, probes_address, NULL, 0, 0, "address of /healthz and /readyz [all]"),
	OPTION("probes.port", CONFIG_INT, probes_port, "8081", 0, 65535, "their port"),
	OPTION("clock.origin", CONFIG_TIME, clock_origin_ms, NULL, 0, 0,
	       "virtual clock: where it agrees with the real one [now]; demo and tests only"),
	OPTION("clock.factor", CONFIG_INT, clock_factor, "1", 1, CLOCK_MAX_FACTOR, "how fast it runs; 1 = real"),
	OPTION("log.level", CONFIG_ENUM, log_level, "info", 0, 0, "debug, info, warn or error"),
};

/* Losing the Lease ends the process as fast as can be: the kubelet starts it again, as a candidate. */
static void on_lost(void *arg)
{
	(void)arg;
	log_error("lost the lease, ending");
	_exit(1);
}

static struct manager_config to_config(const struct options *o)
{
	return (struct manager_config){
		.kubeconfig = o->kubeconfig,
		.context = o->context,
		.namespace = o->namespace,
		.identity = o->identity,
		.clock = { o->clock_origin_ms == TIME_NONE ? clock_wall_ms() : o->clock_origin_ms,
			   (int32_t)o->clock_factor },
		.default_region = o->default_region,
		.max_forecast_age_ms = o->max_forecast_age_ms,
		.workers = (int)o->workers,
		.qps = o->qps,
		.burst = o->burst,
		.lease_duration_ms = o->lease_duration_ms,
		.lease_renew_ms = o->lease_renew_ms,
		.lease_retry_ms = o->lease_retry_ms,
		.carbon_url = o->carbon_url,
		.octopus_url = o->octopus_url,
		.octopus_product = o->octopus_product,
		.grid_disabled = o->grid_disabled,
		.lost = on_lost,
	};
}

static int serve(const struct options *o, const sigset_t *signals, struct error *err)
{
	struct manager_config config = to_config(o);
	_cleanup_(cleanup_ops) struct ops *ops = NULL;
	struct manager *op = NULL;
	static const struct timespec trim_every = { .tv_sec = 20 };
	int sig;

	if (manager_new(&config, &op, err))
		return -1;
	struct ops_config ops_config = { .metrics_address = o->metrics_address,
					 .metrics_port = (int)o->metrics_port,
					 .probes_address = o->probes_address,
					 .probes_port = (int)o->probes_port,
					 .not_ready = manager_not_ready,
					 .arg = op };
	if (ops_new(&ops_config, &ops, err)) {
		manager_free(op);
		return -1;
	}
	log_info("operator started", LOG_I64("metrics_port", ops_metrics_port(ops)),
		 LOG_I64("probes_port", ops_probes_port(ops)));
	/* Nothing else to do here: what work has freed goes back to the system now and then. */
	while ((sig = sigtimedwait(signals, NULL, &trim_every)) < 0)
		resident_trim();
	log_info("shutting down", LOG_I64("signal", sig));
	ops_shut_down(ops);
	/* The probes look at the operator: they go first. */
	ops_free(steal_ptr(ops));
	manager_free(op);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct config_spec spec = { .program = "operator",
						 .summary = "Loadshift operator: plans, releases and follows "
							    "CarbonAwareJobs, and keeps GridRegions up to date.",
						 .options = options_table,
						 .n_options = ARRAY_LEN(options_table) };
	struct options options = { 0 };
	struct error err = ERROR_INIT;
	struct arena arena;
	sigset_t signals;
	bool done = false;

	/*
	 * Two malloc arenas are plenty: more of them only keep memory that was freed on another thread. What is large
	 * is short-lived (a planning round's arrays, a page of a list) and goes back to the system at once.
	 */
	(void)mallopt(M_ARENA_MAX, 2);
	(void)mallopt(M_MMAP_THRESHOLD, 256 * 1024);
	arena_init(&arena, 4096, 1024 * 1024);
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	(void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	int result = config_load(&spec, argc, argv, &options, &arena, &done, &err);
	if (result == 0 && !done) {
		log_init("operator", (enum log_level)options.log_level);
		result = http_client_global_init(&err);
		if (result == 0) {
			result = serve(&options, &signals, &err);
			http_client_global_cleanup();
		}
	}
	arena_release(&arena);
	if (result) {
		(void)fprintf(stderr, "operator: %s\n", err.msg);
		return err.code == ERR_INVALID ? 2 : 1;
	}
	return 0;
}
