/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding of nodes. */
#include "k8s/types/node.h"

#include "k8s/internal.h"
#include "k8s/quantity.h"

static int64_t allocatable(const struct json *item, const char *name, bool milli)
{
	const char *s = json_string(json_get(json_at(item, "status.allocatable"), name));
	int64_t v;

	if (!s || !(milli ? quantity_milli(str_from(s), &v) : quantity_units(str_from(s), &v)))
		return 0;
	return MAX(v, 0);
}

static int node_decode(const struct json *item, struct object *o, struct error *err)
{
	struct node *n = container_of(o, struct node, obj);

	(void)err;
	n->cpu_milli = allocatable(item, "cpu", true);
	n->memory_bytes = allocatable(item, "memory", false);
	n->gpus = allocatable(item, "nvidia.com/gpu", false) + allocatable(item, "amd.com/gpu", false) +
		  allocatable(item, "gpu.intel.com/i915", false);
	n->unschedulable = decode_bool(json_at(item, "spec.unschedulable"), false);
	json_each (c, json_at(item, "status.conditions")) {
		if (cstr_eq(json_string(json_get(c, "type")), "Ready"))
			n->ready = cstr_eq(json_string(json_get(c, "status")), "True");
	}
	return 0;
}

const struct object_type node_type = {
	.kind = "Node",
	.api_version = "v1",
	.plural = "nodes",
	.size = sizeof(struct node),
	.labels = (const char *const[]){ "*", NULL },
	.annotations = (const char *const[]){ "loadshift.io/", NULL },
	.decode = node_decode,
};
