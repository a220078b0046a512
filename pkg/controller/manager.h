/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manager: the operator as a running thing, informers from the start, reconcilers and collector only while this
 * process holds the Lease. Losing the Lease ends the process (its successor has begun): `lost` is called and nothing is
 * written any more, because every write passes the Lease's gate.
 */
#ifndef CONTROLLER_MANAGER_H
#define CONTROLLER_MANAGER_H

#include "controller/grid_config.h"
#include "db/retention.h"
#include "db/thread.h"
#include "json/writer.h"
#include "k8s/rest.h"
#include "k8s/store.h"

struct manager_config {
	const char *kubeconfig, *context; /* NULL = as k8s_auth_load() finds it */
	const char *namespace; /* of Lease, Events of our own and the clock's ConfigMap; NULL = the context's */
	const char *identity;  /* NULL = host name and a random part */
	struct clock clock;
	const char *default_region; /* NULL = none */
	bool observe_by_default;    /* in namespaces without the label loadshift.io/mode */
	int64_t max_forecast_age_ms;
	int32_t max_releases_per_slot; /* 0 = no limit */
	int workers;
	int64_t qps, burst; /* client-side rate limit */
	int64_t lease_duration_ms, lease_renew_ms, lease_retry_ms;
	const struct grid_config *grid;       /* borrowed for its life */
	const char *grid_server;              /* stands in for the providers' own; NULL = none. See collector.h */
	bool grid_disabled;                   /* fetch nothing: GridRegion statuses are written by somebody else */
	const char *db_url;                   /* where all that is to be remembered goes, db/db.h; NULL = nowhere */
	bool forecast;                        /* with a database: go on where published forecasts end */
	const struct db_retention *retention; /* borrowed for its life */
	size_t n_retention;
	void (*lost)(void *arg); /* the Lease is gone: end the process. Any thread */
	void *arg;
};

struct manager;
/* Connects, checks the clock guard, starts informers and election. Strings are borrowed for its life. */
int manager_new(const struct manager_config *cfg, struct manager **ret, struct error *err) must_check;
/* Stops the reconcilers, gives the Lease back, ends all threads. NULL is fine. */
void manager_free(struct manager *o);
/* NULL once every informer is synced, else what is waited for. Any thread. */
const char *manager_not_ready(void *arg);

/* What the read API answers from; all of it lives as long as the manager. */
struct manager_view {
	struct k8s *k8s;
	struct store *regions, *cajs;
	struct db_thread *db; /* NULL = no database */
};
void manager_view(const struct manager *o, struct manager_view *ret);
/* One object for each provider into an open array; what was asked lately is known to the leader alone. Any thread. */
void manager_write_providers(void *arg, struct json_writer *w);

#endif
