/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data side of a simulated cluster: each zone's GridRegion as the collector would have written it at some time,
 * from recorded signals and a forecast (sim/outlook.h), and what running there really meant.
 *
 * A GridRegion holds the values of so many half hours ahead as they were believed then, and the recorded ones of two
 * days behind. Unlike `simulator plan`, the noise that planners mind is the operator's own (contracts 3), also for a
 * perfect forecast.
 */
#ifndef SIM_CLUSTER_GRID_H
#define SIM_CLUSTER_GRID_H

#include "api/gridregion.h"
#include "sim/signals.h"

#define CLUSTER_CURRENCY "XXX" /* ISO 4217: no currency in particular */

struct cluster_grid;

/* Signals and forecast as in contracts 5. Free with cluster_grid_free(), which accepts NULL. */
int cluster_grid_open(const char *signals, const char *forecast, int64_t horizon_ms, struct cluster_grid **ret,
		      struct error *err) must_check;
void cluster_grid_free(struct cluster_grid *g);
DEFINE_CLEANUP(struct cluster_grid, cluster_grid, cluster_grid_free);
const struct signals *cluster_grid_truth(const struct cluster_grid *g);

/* As written at that time; one reference. version: its resourceVersion. */
const struct gridregion *cluster_grid_region(const struct cluster_grid *g, int zone, int64_t now_ms, int64_t version);

#endif
