/* SPDX-License-Identifier: Apache-2.0 */
/* Node: all labels (GridRegion.spec.nodeSelector matches any), annotations loadshift.io/, what it can hold. */
#ifndef K8S_TYPES_NODE_H
#define K8S_TYPES_NODE_H

#include "k8s/object.h"

struct node {
	struct object obj;
	int64_t cpu_milli; /* status.allocatable */
	int64_t memory_bytes;
	int64_t gpus;
	bool unschedulable; /* cordoned */
	bool ready;
};

extern const struct object_type node_type;

static inline const struct node *node_of(const struct object *o)
{
	return container_of(o, struct node, obj);
}

#endif
