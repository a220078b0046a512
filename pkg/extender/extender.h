/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scheduler extender as a running thing: informers for Nodes and GridRegions on the net thread keep the snapshot,
 * handlers for POST /filter and /prioritize answer from it on the server thread. Nothing is asked of anybody while a
 * pod waits.
 *
 *	struct extender *e = extender_new(k, loop, &clock, max_age_ms);
 *	cfg.routes = extender_routes(e, &cfg.n_routes);
 *	extender_start(e);
 *	...
 *	http_server_free(server, grace_ms);
 *	extender_stop(e);
 *	http_loop_free(loop);
 *	extender_free(e);
 *
 * Metrics: loadshift_extender_requests_total{verb,result}, _duration_seconds{verb}, _candidates_total{verb},
 * _neutral_total{reason} (5 for every node; see enum extender_ranking), _bad_annotations_total{annotation},
 * _caps_lifted_total{limit}, _snapshots_total, _nodes, _nodes_without_region, _regions.
 */
#ifndef EXTENDER_EXTENDER_H
#define EXTENDER_EXTENDER_H

#include "base/clock.h"
#include "http/client.h"
#include "http/server.h"
#include "k8s/rest.h"

/* A whole-Node request for 5,000 nodes is about 25 MB. */
#define EXTENDER_MAX_BODY (32 * 1024 * 1024)
#define EXTENDER_N_ROUTES 2

struct extender;

/*
 * Everything is borrowed for its life. The clock is the domain clock, which forecasts are read by; data that were
 * fetched longer than max_age_ms ago count as none.
 */
struct extender *extender_new(struct k8s *k, struct http_loop *loop, const struct clock *clock, int64_t max_age_ms);
/* Begins to list and watch. */
void extender_start(struct extender *e);
/* Ends the informers; what is known stays. Before http_loop_free(). */
void extender_stop(struct extender *e);
/* After http_loop_free() and after the server that has its routes. NULL is fine. */
void extender_free(struct extender *e);
DEFINE_CLEANUP(struct extender, extender, extender_free);

/* Nodes and GridRegions have been listed once. Any thread. */
bool extender_synced(struct extender *e);
/* For exactly one server. Live as long as e. */
const struct http_route *extender_routes(struct extender *e, size_t *ret_n);

#endif
