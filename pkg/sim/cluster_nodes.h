/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The nodes of a simulated cluster: from CSV, or so many alike in each zone of the signals.
 *
 * N: `name,zone,cpu_cores,memory_gib,idle_w,peak_w,count`; the last three may be missing or empty (count 1; without
 * both watts the operator's profile holds, decide/power.h). A row with a count makes nodes name-1, name-2, ... Each is
 * what the decoder would have made: labelled with its region, annotated with its watts.
 */
#ifndef SIM_CLUSTER_NODES_H
#define SIM_CLUSTER_NODES_H

#include "base/arena.h"
#include "k8s/types/node.h"
#include "sim/signals.h"

#define NODES_MAX 20000
/* A server of two sockets, by the look of SPECpower's results: 64 cores, 256 GiB, 120 W idle, 400 W at full load. */
#define NODES_DEFAULT_CORES 64
#define NODES_DEFAULT_GIB 256
#define NODES_DEFAULT_IDLE_W 120
#define NODES_DEFAULT_PEAK_W 400

struct cluster_node {
	const struct node *ready, *lost; /* as the API server has it while it is well, and while it is not */
	int16_t zone;
	int64_t cpu_milli, memory_bytes;
};

struct cluster_nodes {
	struct arena arena;
	struct cluster_node *items;
	size_t n;
};

int nodes_load(struct cluster_nodes *ret, const char *path, const struct signals *s, struct error *err) must_check;
int nodes_alike(struct cluster_nodes *ret, int64_t per_zone, const struct signals *s, struct error *err) must_check;
/* A zeroed one is fine. */
void nodes_release(struct cluster_nodes *n);

#endif
