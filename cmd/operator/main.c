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
#include "data.h"
#include "http/client.h"
#include "http/ops.h"
#include "log/log.h"

struct options {
	char *kubeconfig, *context, *namespace, *identity;
	char *default_region;
	int default_mode;
	int64_t max_forecast_age_ms;
	int64_t max_releases_per_slot;
	int64_t workers, qps, burst;
	int64_t lease_duration_ms, lease_renew_ms, lease_retry_ms;
	bool grid_disabled;
	char *carbon_url, *octopus_url, *octopus_product, *grid_server;
	char *grid_providers, *grid_feeds, *grid_sources, *grid_tariffs;
	bool forecast;
	char *metrics_address, *probes_address;
	int64_t metrics_port, probes_port;
	int64_t clock_origin_ms, clock_factor;
	int log_level;
	struct data_options data;
};

static const char *const log_levels[] = { "debug", "info", "warn", "error", NULL };
static const char *const modes[] = { "act", "observe", NULL };

static const struct config_option options_table[] = {
	CONFIG_OPTION("kubeconfig", CONFIG_STRING, kubeconfig, NULL, 0, 0,
		      "kubeconfig file [$KUBECONFIG, the pod's ServiceAccount, ~/.kube/config]"),
	CONFIG_OPTION("context", CONFIG_STRING, context, NULL, 0, 0, "context in it [current-context]"),
	CONFIG_OPTION("namespace", CONFIG_STRING, namespace, NULL, 0, 0, "where the Lease lives [the context's]"),
	CONFIG_OPTION("identity", CONFIG_STRING, identity, NULL, 0, 0,
		      "holder identity in the Lease [host and a random part]"),
	CONFIG_OPTION("defaultRegion", CONFIG_STRING, default_region, NULL, 0, 0,
		      "GridRegion that counts as home for jobs that are pinned nowhere"),
	CONFIG_CHOICE("defaultMode", default_mode, "act", modes,
		      "act or observe (run at once, show the plan), for namespaces without label loadshift.io/mode"),
	CONFIG_OPTION("maxForecastAge", CONFIG_DURATION, max_forecast_age_ms, "6h", MINUTE_MS, 7 * DAY_MS,
		      "grid data fetched longer ago count as unknown"),
	CONFIG_OPTION("maxReleasesPerSlot", CONFIG_INT, max_releases_per_slot, "0", 0, 1000000,
		      "jobs planned to start in one half hour, all together, against stampedes; 0 = no limit"),
	CONFIG_OPTION("workers", CONFIG_INT, workers, "4", 1, 64, "reconcilers of CarbonAwareJobs at once"),
	CONFIG_OPTION("qps", CONFIG_INT, qps, "50", 0, 10000,
		      "requests a second to the API server; 0 = no limit of ours"),
	CONFIG_OPTION("burst", CONFIG_INT, burst, "100", 1, 20000, "requests at once above that"),
	CONFIG_OPTION("lease.duration", CONFIG_DURATION, lease_duration_ms, "15s", SECOND_MS, HOUR_MS,
		      "others take over after so long without renewal"),
	CONFIG_OPTION("lease.renewDeadline", CONFIG_DURATION, lease_renew_ms, "10s", SECOND_MS, HOUR_MS,
		      "the holder gives up after so long without success"),
	CONFIG_OPTION("lease.retryPeriod", CONFIG_DURATION, lease_retry_ms, "2s", 100, HOUR_MS,
		      "time between renewals"),
	CONFIG_OPTION("grid.disabled", CONFIG_BOOL, grid_disabled, "false", 0, 0,
		      "fetch no grid data: something else writes the GridRegions' status"),
	CONFIG_OPTION("grid.server", CONFIG_STRING, grid_server, NULL, 0, 0,
		      "http(s)://host that stands in for all providers, by their own paths: a cache, gridreplay"),
	CONFIG_OPTION("grid.carbonUrl", CONFIG_STRING, carbon_url, NULL, 0, 0,
		      "short for grid.providers.carbonintensity-gb.baseURL [https://api.carbonintensity.org.uk]"),
	CONFIG_OPTION("grid.octopusUrl", CONFIG_STRING, octopus_url, NULL, 0, 0,
		      "short for grid.providers.octopus-agile.baseURL [https://api.octopus.energy/v1]"),
	CONFIG_OPTION("grid.providers", CONFIG_JSON, grid_providers, NULL, 0, 0,
		      "by name: baseURL, secretFile, userFile, caFile, enabled, product, redirectHosts; see "
		      "docs/gridregion.md"),
	CONFIG_OPTION("grid.feeds", CONFIG_JSON, grid_feeds, NULL, 0, 0,
		      "what to collect for whole areas: area, metric, provider, zone [GB's demand, wind, margin, ...]"),
	CONFIG_OPTION("grid.sources", CONFIG_JSON, grid_sources, NULL, 0, 0,
		      "sources of your own for the providers generic, prometheus, open-meteo, ..."),
	CONFIG_OPTION("grid.tariffs", CONFIG_JSON, grid_tariffs, NULL, 0, 0,
		      "how prices come from wholesale ones, by product and zone; see docs/forecast.md"),
	CONFIG_OPTION("forecast.enabled", CONFIG_BOOL, forecast, "true", 0, 0,
		      "with db.url: forecast two weeks ahead from history; see docs/forecast.md"),
	CONFIG_OPTION("grid.octopusProduct", CONFIG_STRING, octopus_product, NULL, 0, 0,
		      "Agile product code [discovered]"),
	CONFIG_OPTION("metrics.address", CONFIG_STRING, metrics_address, NULL, 0, 0, "address of /metrics [all]"),
	CONFIG_OPTION("metrics.port", CONFIG_INT, metrics_port, "8080", 0, 65535, "its port"),
	CONFIG_OPTION("probes.address", CONFIG_STRING, probes_address, NULL, 0, 0,
		      "address of /healthz and /readyz [all]"),
	CONFIG_OPTION("probes.port", CONFIG_INT, probes_port, "8081", 0, 65535, "their port"),
	CONFIG_OPTION("db.url", CONFIG_STRING, data.url, NULL, 0, 0,
		      "sqlite:///path/file.db or postgresql://user@host/name: what is remembered [nothing is]"),
	CONFIG_OPTION("db.retention", CONFIG_JSON, data.retention, NULL, 0, 0,
		      "by table: days to keep, or days and archive; see docs/data.md [everything is kept]"),
	CONFIG_OPTION("db.archiveDir", CONFIG_STRING, data.archive_dir, NULL, 0, 0, "where archived rows go, as CSV"),
	CONFIG_OPTION("retentionDryRun", CONFIG_BOOL, data.retention_dry_run, "false", 0, 0,
		      "say what db.retention would remove now, and end"),
	CONFIG_OPTION("readApi.enabled", CONFIG_BOOL, data.read_api, "false", 0, 0,
		      "serve /api/v1, see docs/read-api.md"),
	CONFIG_OPTION("readApi.address", CONFIG_STRING, data.read_api_address, NULL, 0, 0, "its address [all]"),
	CONFIG_OPTION("readApi.port", CONFIG_INT, data.read_api_port, "8443", 0, 65535, "its port"),
	CONFIG_OPTION("readApi.plain", CONFIG_BOOL, data.read_api_plain, "false", 0, 0,
		      "plain http without tls.cert: for what speaks TLS in front of it"),
	CONFIG_OPTION("readApi.proxied", CONFIG_BOOL, data.read_api_proxied, "false", 0, 0,
		      "answer without a token: for the API server's service proxy; see docs/read-api.md"),
	CONFIG_OPTION("tls.cert", CONFIG_STRING, data.cert_file, NULL, 0, 0,
		      "the read API's certificate, read again when it changes"),
	CONFIG_OPTION("tls.key", CONFIG_STRING, data.key_file, NULL, 0, 0, "its private key"),
	CONFIG_OPTION("clock.origin", CONFIG_TIME, clock_origin_ms, NULL, 0, 0,
		      "virtual clock: where it agrees with the real one [now]; demo and tests only"),
	CONFIG_OPTION("clock.factor", CONFIG_INT, clock_factor, "1", 1, CLOCK_MAX_FACTOR, "how fast it runs; 1 = real"),
	CONFIG_CHOICE("log.level", log_level, "info", log_levels, "debug, info, warn or error"),
};

/* Losing the Lease ends the process as fast as can be: the kubelet starts it again, as a candidate. */
static void on_lost(void *arg)
{
	(void)arg;
	log_error("lost the lease, ending");
	_exit(1);
}

/* What is configured by more than one value. */
struct lists {
	struct grid_config grid;
	struct db_retention retention[DATA_MAX_RULES];
	size_t n_retention;
};

static struct manager_config to_config(const struct options *o, const struct lists *lists)
{
	return (struct manager_config){
		.kubeconfig = o->kubeconfig,
		.context = o->context,
		.namespace = o->namespace,
		.identity = o->identity,
		.clock = { o->clock_origin_ms == TIME_NONE ? clock_wall_ms() : o->clock_origin_ms,
			   (int32_t)o->clock_factor },
		.default_region = o->default_region,
		.observe_by_default = o->default_mode == 1,
		.max_forecast_age_ms = o->max_forecast_age_ms,
		.max_releases_per_slot = (int32_t)o->max_releases_per_slot,
		.workers = (int)o->workers,
		.qps = o->qps,
		.burst = o->burst,
		.lease_duration_ms = o->lease_duration_ms,
		.lease_renew_ms = o->lease_renew_ms,
		.lease_retry_ms = o->lease_retry_ms,
		.grid = &lists->grid,
		.grid_server = o->grid_server,
		.grid_disabled = o->grid_disabled,
		.db_url = o->data.url,
		.forecast = o->forecast,
		.retention = lists->retention,
		.n_retention = lists->n_retention,
		.lost = on_lost,
	};
}

static int check_url(const char *flag, const char *url, struct error *err)
{
	if (!url || str_has_prefix(str_from(url), STR("https://")) || str_has_prefix(str_from(url), STR("http://")))
		return 0;
	return error_set(err, ERR_INVALID, "--%s: must be a URL that begins with https:// or http://, is \"%.100s\"",
			 flag, url);
}

/* The file's settings, and over them the short forms. */
static int read_grid(const struct options *o, struct arena *arena, struct grid_config *ret, struct error *err)
{
	if (check_url("grid-server", o->grid_server, err) || check_url("grid-carbon-url", o->carbon_url, err) ||
	    check_url("grid-octopus-url", o->octopus_url, err) ||
	    grid_config_parse(o->grid_providers, o->grid_feeds, o->grid_sources, arena, ret, err) ||
	    grid_config_tariffs(o->grid_tariffs, arena, ret, err))
		return -1;
	if (o->carbon_url)
		grid_config_provider(ret, "carbonintensity-gb")->base_url = o->carbon_url;
	if (o->octopus_url)
		grid_config_provider(ret, "octopus-agile")->base_url = o->octopus_url;
	if (o->octopus_product)
		grid_config_provider(ret, "octopus-agile")->product = o->octopus_product;
	return 0;
}

static int check_data(const struct options *o, struct lists *ret, struct error *err)
{
	if (data_check_tls(&o->data, err))
		return -1;
	if (o->data.url && db_check_url(o->data.url, err))
		return error_wrap(err, "--db-url");
	return data_read_retention(&o->data, ret->retention, &ret->n_retention, err);
}

/* Serves probes and metrics until a signal comes. */
static int run(const struct options *o, struct manager *op, const sigset_t *signals, struct error *err)
{
	static const struct timespec trim_every = { .tv_sec = 20 };
	_cleanup_(cleanup_ops) struct ops *ops = NULL;
	int sig;
	struct ops_config ops_config = { .metrics_address = o->metrics_address,
					 .metrics_port = (int)o->metrics_port,
					 .probes_address = o->probes_address,
					 .probes_port = (int)o->probes_port,
					 .not_ready = manager_not_ready,
					 .arg = op };

	if (ops_new(&ops_config, &ops, err))
		return -1;
	log_info("operator started", LOG_I64("metrics_port", ops_metrics_port(ops)),
		 LOG_I64("probes_port", ops_probes_port(ops)));
	/* Nothing else to do here: what work has freed goes back to the system now and then. */
	while ((sig = sigtimedwait(signals, NULL, &trim_every)) < 0)
		resident_trim();
	log_info("shutting down", LOG_I64("signal", sig));
	ops_shut_down(ops);
	return 0;
}

static int serve(const struct options *o, const struct lists *lists, const sigset_t *signals, struct error *err)
{
	struct manager_config config = to_config(o, lists);
	struct readapi *read_api = NULL;
	struct manager *op = NULL;
	int result;

	if (manager_new(&config, &op, err))
		return -1;
	result = data_read_api(&o->data, &config.clock, op, &read_api, err);
	if (result == 0)
		result = run(o, op, signals, err);
	/* Whoever looks at the operator goes first. */
	readapi_free(read_api);
	manager_free(op);
	return result;
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
	struct lists lists = { 0 };
	struct arena arena;
	sigset_t signals;
	bool done = false;

	/*
	 * One malloc arena will do, since each thread has a cache of its own: more of them only keep memory that was
	 * freed on another thread. What is large is short-lived (a planning round's arrays, a page of a list) and goes
	 * back to the system at once.
	 */
	(void)mallopt(M_ARENA_MAX, 1);
	(void)mallopt(M_MMAP_THRESHOLD, 256 * 1024);
	arena_init(&arena, 4096, 1024 * 1024);
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	(void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	int result = config_load(&spec, argc, argv, &options, &arena, &done, &err);
	if (result == 0 && !done)
		result = read_grid(&options, &arena, &lists.grid, &err) || check_data(&options, &lists, &err) ? -1 : 0;
	if (result == 0 && !done && options.data.retention_dry_run) {
		result = data_dry_run(&options.data, lists.retention, lists.n_retention, clock_wall_ms(), &err);
	} else if (result == 0 && !done) {
		log_init("operator", (enum log_level)options.log_level);
		result = http_client_global_init(&err);
		if (result == 0) {
			result = serve(&options, &lists, &signals, &err);
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
