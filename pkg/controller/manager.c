/* SPDX-License-Identifier: Apache-2.0 */
/* Starting and stopping the operator's parts in order. */
#include "controller/manager.h"

#include "api/carbonawarejob.h"
#include "base/alloc.h"
#include "base/rand.h"
#include "controller/caj_controller.h"
#include "controller/gridregion_controller.h"
#include "controller/plan_round.h"
#include "controller/provider_report.h"
#include "controller/records.h"
#include "grid/history.h"
#include "k8s/clockguard.h"
#include "k8s/types/namespace.h"
#include "k8s/types/pod.h"
#include "log/log.h"

#define LEASE_NAME "loadshift-operator"
/* Contracts 3: until forecasts are scored. */
#define CARBON_ERROR_MG_PER_KWH 20000
#define PRICE_ERROR_PERMILLE 100
#define SYNC_POLL_MS 50
/* Retries of all jobs together, within the client's own rate limit. */
#define RETRY_QPS 100
#define RETRY_BURST 1000
/* A shutdown may have to wait for it. */
#define BEGIN_TIMEOUT_MS (2 * SECOND_MS)
#define DRAIN_MS (5 * SECOND_MS)
#define PLAN_ARENA_MAX ((size_t)1024 * 1024 * 1024)

struct manager {
	struct manager_config cfg;
	struct context ctx;
	struct gridregion_context grid;
	struct controller *grid_controller; /* NULL when grid data come from elsewhere */
	/* These five: NULL or empty without a database. */
	struct db_thread *db;
	struct grid_history *history;
	struct grid_sink sink;
	struct grid_history_reader past;
	struct records *records;
	struct http_loop *loop;
	struct lease *lease;
	char identity[128];
	pthread_t starter; /* waits for lease and caches, then starts the reconcilers */
	bool starter_runs;
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	bool leading, collecting, stopping, started;
};

static void on_acquired(void *arg)
{
	struct manager *o = arg;

	MUTEX_GUARD(&o->mutex);
	o->leading = true;
	(void)pthread_cond_broadcast(&o->cond);
}

static void on_lost(void *arg)
{
	struct manager *o = arg;

	(void)pthread_mutex_lock(&o->mutex);
	bool tell = !o->stopping;
	(void)pthread_mutex_unlock(&o->mutex);
	if (tell)
		o->cfg.lost(o->cfg.arg);
}

const char *manager_not_ready(void *arg)
{
	const struct context *ctx = &((struct manager *)arg)->ctx;

	if (!informer_synced(ctx->cajs))
		return "CarbonAwareJobs have not been listed yet (are the CRDs installed?)";
	if (!informer_synced(ctx->regions))
		return "GridRegions have not been listed yet (are the CRDs installed?)";
	if (!informer_synced(ctx->namespaces))
		return "Namespaces have not been listed yet (may the operator list them? see manifests/rbac.yaml)";
	if (!informer_synced(ctx->jobs) || !informer_synced(ctx->pods) || !informer_synced(ctx->nodes))
		return "Jobs, Pods or Nodes have not been listed yet";
	return NULL;
}

static int connect_cluster(struct manager *o, struct error *err)
{
	const struct manager_config *cfg = &o->cfg;
	struct k8s_options options = { .field_manager = "loadshift-operator",
				       .qps = (double)cfg->qps,
				       .burst = (int)cfg->burst };
	struct k8s_auth auth;

	if (k8s_auth_load(cfg->kubeconfig, cfg->context, &auth, err) || k8s_new(&auth, &options, &o->ctx.k8s, err))
		return -1;
	if (!o->cfg.namespace)
		o->cfg.namespace = k8s_auth(o->ctx.k8s)->namespace;
	return clockguard_check(o->ctx.k8s, &cfg->clock, o->cfg.namespace, err);
}

/* New data of a region: its status is to be written. Net thread. */
static void on_grid_data(void *arg, const char *region)
{
	const struct manager *o = arg;

	(void)workqueue_add(controller_queue(o->grid_controller), region);
}

static int make_forecaster(struct manager *o, struct error *err)
{
	struct forecaster_config config = { .clock = o->cfg.clock,
					    .db = o->db,
					    .regions = o->grid.regions,
					    .collector = o->grid.collector,
					    .tariffs = o->cfg.grid->tariffs,
					    .n_tariffs = o->cfg.grid->n_tariffs,
					    .changed = on_grid_data,
					    .arg = o };

	return o->db && o->cfg.forecast ? forecaster_new(&config, &o->grid.forecaster, err) : 0;
}

static int make_collector(struct manager *o, struct error *err)
{
	if (o->cfg.grid_disabled)
		return 0;
	o->grid = (struct gridregion_context){ .clock = o->cfg.clock, .regions = informer_store(o->ctx.regions) };
	o->grid_controller = controller_new(&(struct controller_options){
		.name = "gridregion", .k8s = o->ctx.k8s, .reconcile = gridregion_reconcile, .arg = &o->grid });
	struct collector_options options = { .loop = o->loop,
					     .clock = o->cfg.clock,
					     .providers = o->cfg.grid->providers,
					     .server = o->cfg.grid_server,
					     .feeds = o->cfg.grid->feeds,
					     .n_feeds = o->cfg.grid->n_feeds,
					     .custom = o->cfg.grid->custom,
					     .n_custom = o->cfg.grid->n_custom,
					     .max_age_ms = o->cfg.max_forecast_age_ms,
					     .sink = o->db ? &o->sink : NULL,
					     .history = o->db ? &o->past : NULL,
					     .changed = on_grid_data,
					     .arg = o };
	return collector_new(&options, &o->grid.collector, err) || make_forecaster(o, err) ? -1 : 0;
}

/* Providers are asked by the leader alone. */
static int start_collector(struct manager *o, struct error *err)
{
	if (!o->grid_controller)
		return 0;
	gridregion_regions_changed(&o->grid);
	if (controller_start(o->grid_controller, err))
		return -1;
	return o->grid.forecaster ? forecaster_start(o->grid.forecaster, err) : 0;
}

static void on_region(void *arg, const struct object *old, const struct object *new)
{
	struct manager *o = arg;

	(void)pthread_mutex_lock(&o->mutex);
	bool leading = o->collecting;
	(void)pthread_mutex_unlock(&o->mutex);
	if (!leading)
		return;
	gridregion_on_region(&o->grid, old, new);
	controller_enqueue(o->grid_controller, old, new);
}

/* After the informers were made, before they start. */
static int make_database(struct manager *o, struct error *err)
{
	const struct context *c = &o->ctx;

	if (!o->cfg.db_url)
		return 0;
	if (db_thread_new(o->cfg.db_url, &o->db, err))
		return error_wrap(err, "db.url");
	learned_read(o->ctx.learned, o->db);
	o->history = grid_history_new(o->db);
	o->sink = grid_history_sink(o->history);
	o->past = grid_history_reader(o->history);
	o->records = records_new(&(struct records_config){ .k8s = c->k8s,
							   .clock = o->cfg.clock,
							   .db = o->db,
							   .cajs = informer_store(c->cajs),
							   .nodes = informer_store(c->nodes),
							   .regions = informer_store(c->regions),
							   .retention = o->cfg.retention,
							   .n_retention = o->cfg.n_retention });
	informer_add_handler(c->cajs, records_on_change, o->records);
	informer_add_handler(c->nodes, records_on_change, o->records);
	return 0;
}

/* Before the stores go, which its work reads, and the loop, which answers from the past still reach. */
static void free_database(struct manager *o)
{
	records_stop(o->records);
	db_thread_free(o->db);
	grid_history_free(o->history);
}

static void make_informers(struct manager *o)
{
	struct context *c = &o->ctx;

	c->cajs = informer_new(c->k8s, o->loop, &(struct informer_options){ .type = &carbonawarejob_type });
	c->regions = informer_new(c->k8s, o->loop, &(struct informer_options){ .type = &gridregion_type });
	c->namespaces = informer_new(c->k8s, o->loop, &(struct informer_options){ .type = &namespace_type });
	c->nodes = informer_new(c->k8s, o->loop, &(struct informer_options){ .type = &node_type });
	/* Only what belongs to CarbonAwareJobs: the cluster's other Jobs and Pods cost no memory here. */
	c->jobs = informer_new(c->k8s, o->loop,
			       &(struct informer_options){ .type = &job_type, .label_selector = LABEL_CAJ });
	c->pods = informer_new(c->k8s, o->loop,
			       &(struct informer_options){ .type = &pod_type, .label_selector = LABEL_CAJ });
	c->pods_by_owner = store_add_index(informer_store(c->pods), store_index_owner_uid);
	informer_add_handler(c->cajs, learned_on_caj, c->learned);
	informer_add_handler(c->cajs, caj_on_caj, c);
	informer_on_added(c->cajs, caj_on_added, c);
	informer_add_handler(c->jobs, caj_on_job, c);
	informer_add_handler(c->pods, caj_on_pod, c);
	informer_add_handler(c->namespaces, caj_on_namespace, c);
	informer_add_handler(c->nodes, caj_on_node, c);
	informer_add_handler(c->regions, caj_on_region, c);
	informer_add_handler(c->regions, on_region, o);
}

static void make_controllers(struct manager *o)
{
	struct context *c = &o->ctx;

	c->caj_controller = controller_new(&(struct controller_options){ .name = "carbonawarejob",
									 .k8s = c->k8s,
									 .reconcile = caj_reconcile,
									 .arg = c,
									 .workers = o->cfg.workers,
									 /* After an outage many fail at once. */
									 .retry_qps = RETRY_QPS,
									 .retry_burst = RETRY_BURST,
									 .max_delay_ms = MINUTE_MS });
	c->plan_controller = controller_new(&(struct controller_options){ .name = "plan",
									  .k8s = c->k8s,
									  .reconcile = plan_round_reconcile,
									  .arg = c,
									  .arena_max = PLAN_ARENA_MAX });
	c->due_controller = controller_new(&(struct controller_options){ .name = "due",
									 .k8s = c->k8s,
									 .reconcile = caj_reconcile_due,
									 .arg = c,
									 .workers = DUE_WORKERS,
									 .max_delay_ms = 2 * SECOND_MS });
}

/* Leading and in sync; false when the process is to end first. */
static bool wait_for_start(struct manager *o)
{
	MUTEX_GUARD(&o->mutex);
	while (!o->stopping && (!o->leading || manager_not_ready(o))) {
		struct timespec until;
		int64_t at = clock_wall_ms() + SYNC_POLL_MS;

		until.tv_sec = at / 1000;
		until.tv_nsec = at % 1000 * 1000000;
		(void)pthread_cond_timedwait(&o->cond, &o->mutex, &until);
	}
	return !o->stopping;
}

/* What is created from now on nobody else has acted on. Where that cannot be found out, every object is asked for. */
static void begin_young(const struct manager *o)
{
	_cleanup_(cleanup_k8s_client) struct k8s_client *client = k8s_client_new(o->ctx.k8s);
	char version[K8S_VERSION_MAX];
	struct error err;

	k8s_client_set_timeout(client, BEGIN_TIMEOUT_MS);
	if (k8s_list_version(client, &carbonawarejob_type, version, &err))
		log_warn("objects are asked for before their Jobs are made", LOG_ERR(&err));
	else
		young_begin(o->ctx.young, str_from(version));
}

static void first_round(struct manager *o)
{
	struct arena arena;

	arena_init(&arena, 64 * 1024, PLAN_ARENA_MAX);
	int64_t next_ms = plan_round(&o->ctx, &arena);
	arena_release(&arena);
	(void)workqueue_add_after(controller_queue(o->ctx.plan_controller), KEY_PLAN, next_ms);
}

static void *starter_main(void *arg)
{
	struct manager *o = arg;
	struct error err = ERROR_INIT;

	if (!wait_for_start(o))
		return NULL;
	(void)pthread_mutex_lock(&o->mutex);
	o->collecting = o->grid_controller != NULL;
	(void)pthread_mutex_unlock(&o->mutex);
	/* A round, which everybody's decisions rest on; then what an outage has made overdue, in order; then the rest.
	 */
	first_round(o);
	caj_prefill_due(&o->ctx);
	if (controller_start(o->ctx.due_controller, &err) || controller_start(o->ctx.plan_controller, &err) ||
	    controller_start(o->ctx.caj_controller, &err) || start_collector(o, &err) ||
	    (o->records && records_start(o->records, &err))) {
		o->cfg.lost(o->cfg.arg);
		return NULL;
	}
	(void)pthread_mutex_lock(&o->mutex);
	o->started = true;
	(void)pthread_mutex_unlock(&o->mutex);
	begin_young(o);
	return NULL;
}

static int elect(struct manager *o, struct error *err)
{
	char host[64] = "operator";

	(void)gethostname(host, sizeof(host) - 1);
	(void)snprintf(o->identity, sizeof(o->identity), "%s_%016" PRIx64, host, rand_u64());
	struct lease_options options = { .ns = o->cfg.namespace,
					 .name = LEASE_NAME,
					 .identity = o->cfg.identity ? o->cfg.identity : o->identity,
					 .duration_ms = o->cfg.lease_duration_ms,
					 .renew_ms = o->cfg.lease_renew_ms,
					 .retry_ms = o->cfg.lease_retry_ms,
					 .acquired = on_acquired,
					 .lost = on_lost,
					 .arg = o };
	return lease_new(o->ctx.k8s, &options, &o->lease, err);
}

/*
 * The gate is set before the Lease exists, so that no write can slip through between the two.
 */
static int gate(void *arg, int64_t *ret_valid_ms, struct error *err)
{
	struct manager *o = arg;

	if (!o->lease)
		return error_set(err, ERR_CONFLICT, "not the leader");
	return lease_gate(o->lease, ret_valid_ms, err);
}

static int start(struct manager *o, struct error *err)
{
	struct context *c = &o->ctx;

	if (connect_cluster(o, err) || http_loop_new(&o->loop, err))
		return -1;
	k8s_set_gate(c->k8s, gate, o);
	c->plans = plan_table_new();
	c->due = due_new();
	c->gone = gone_pods_new();
	c->zones = zones_new();
	c->young = young_new();
	c->learned = learned_new();
	make_controllers(o);
	make_informers(o);
	if (make_database(o, err) || make_collector(o, err))
		return -1;
	if (recorder_new(c->k8s, "loadshift-operator", o->identity, &c->events, err))
		return -1;
	informer_start(c->regions);
	informer_start(c->namespaces);
	informer_start(c->nodes);
	informer_start(c->cajs);
	informer_start(c->jobs);
	informer_start(c->pods);
	if (elect(o, err))
		return -1;
	if (pthread_create(&o->starter, NULL, starter_main, o))
		return error_set(err, ERR_INTERNAL, "start a thread");
	o->starter_runs = true;
	return 0;
}

int manager_new(const struct manager_config *cfg, struct manager **ret, struct error *err)
{
	struct manager *o = xcalloc(1, sizeof(*o));

	o->cfg = *cfg;
	(void)pthread_mutex_init(&o->mutex, NULL);
	(void)pthread_cond_init(&o->cond, NULL);
	o->ctx.clock = cfg->clock;
	o->ctx.observe_by_default = cfg->observe_by_default;
	o->ctx.translate = (struct translate_config){
		.default_region = cfg->default_region,
		.max_forecast_age_ms = cfg->max_forecast_age_ms,
		.carbon_error_mg_per_kwh = CARBON_ERROR_MG_PER_KWH,
		.price_error_permille = PRICE_ERROR_PERMILLE,
		.max_releases_per_slot = cfg->max_releases_per_slot,
	};
	if (start(o, err)) {
		manager_free(o);
		return -1;
	}
	*ret = o;
	return 0;
}

static void stop_starter(struct manager *o)
{
	(void)pthread_mutex_lock(&o->mutex);
	o->stopping = true;
	(void)pthread_cond_broadcast(&o->cond);
	(void)pthread_mutex_unlock(&o->mutex);
	if (o->starter_runs)
		(void)pthread_join(o->starter, NULL);
}

void manager_free(struct manager *o)
{
	if (!o)
		return;
	struct context *c = &o->ctx;

	stop_starter(o);
	/* No new keys, workers done, and only then is the Lease given back. */
	if (o->started) {
		controller_stop(c->caj_controller, DRAIN_MS);
		controller_stop(c->due_controller, 0);
		controller_stop(c->plan_controller, 0);
		if (o->grid_controller)
			controller_stop(o->grid_controller, 0);
	}
	forecaster_free(o->grid.forecaster);
	collector_free(o->grid.collector);
	recorder_free(c->events);
	lease_free(o->lease);
	free_database(o);
	informer_free(c->pods);
	informer_free(c->jobs);
	informer_free(c->cajs);
	informer_free(c->nodes);
	informer_free(c->namespaces);
	informer_free(c->regions);
	records_free(o->records);
	if (o->loop)
		http_loop_free(o->loop);
	controller_free(c->caj_controller);
	controller_free(c->due_controller);
	controller_free(c->plan_controller);
	controller_free(o->grid_controller);
	plan_table_free(c->plans);
	due_free(c->due);
	gone_pods_free(c->gone);
	zones_free(c->zones);
	young_free(c->young);
	learned_free(c->learned);
	k8s_free(c->k8s);
	(void)pthread_cond_destroy(&o->cond);
	(void)pthread_mutex_destroy(&o->mutex);
	free(o);
}

void manager_view(const struct manager *o, struct manager_view *ret)
{
	*ret = (struct manager_view){ o->ctx.k8s, informer_store(o->ctx.regions), informer_store(o->ctx.cajs), o->db };
}

void manager_write_providers(void *arg, struct json_writer *w)
{
	const struct manager *o = arg;

	provider_report(o->grid.collector, w);
}
