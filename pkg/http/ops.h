/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every program of ours shows its operators, always separate from its work and always plain: GET /metrics on one
 * port, GET /healthz and /readyz on another. /healthz says that the process serves; being unable to reach the API
 * server is no reason to be restarted.
 */
#ifndef HTTP_OPS_H
#define HTTP_OPS_H

#include "http/server.h"

struct ops_config {
	const char *metrics_address; /* NULL = all interfaces */
	int metrics_port;
	const char *probes_address;
	int probes_port;
	/* NULL when ready, else why not, in one static line. Any thread. */
	const char *(*not_ready)(void *arg);
	void *arg;
};

struct ops;
int ops_new(const struct ops_config *cfg, struct ops **ret, struct error *err) must_check;
int ops_metrics_port(const struct ops *o);
int ops_probes_port(const struct ops *o);
/* From now on /readyz says "shutting down". */
void ops_shut_down(struct ops *o);
void ops_free(struct ops *o);
DEFINE_CLEANUP(struct ops, ops, ops_free);

#endif
