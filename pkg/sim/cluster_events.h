/* SPDX-License-Identifier: Apache-2.0 */
/* What is to happen in a simulated cluster, by time; at the same time in the order in which it was asked for. */
#ifndef SIM_CLUSTER_EVENTS_H
#define SIM_CLUSTER_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum event_kind {
	/* of one job */
	EVENT_WATCH,    /* the operator hears of a change */
	EVENT_WAKE,     /* it wanted to look again */
	EVENT_BASELINE, /* the baseline's start */
	EVENT_POD_RUNS, /* index: of the pod */
	EVENT_POD_ENDS,
	EVENT_POD_EVICTED,
	EVENT_POD_AGAIN, /* another one in its place */
	/* of the world */
	EVENT_ARRIVAL,
	EVENT_ROUND,
	EVENT_SLOT,
	EVENT_NODE_DOWN, /* index: of the node */
	EVENT_NODE_UP,
	EVENT_OPERATOR_DIES,
	EVENT_OPERATOR_UP,
	EVENT_PROVIDER_DOWN,
	EVENT_PROVIDER_UP,
};

struct sim_job;

struct event {
	int64_t at_ms;
	uint64_t number;
	struct sim_job *job; /* NULL: of the world */
	enum event_kind kind;
	int32_t index;
	int8_t side; /* enum series_side, of a pod */
};

struct event_queue {
	struct event *heap;
	size_t len, cap;
	uint64_t count;
};

void events_push(struct event_queue *q, struct event e);
/* False when there is none. */
bool events_pop(struct event_queue *q, struct event *ret);
void events_release(struct event_queue *q);

#endif
