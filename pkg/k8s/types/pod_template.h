/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What we know of a pod template (spec.template of a Job, or of a CarbonAwareJob's jobTemplate): how much it asks for,
 * where it may run, and the shape that a JSON Patch of its affinity needs. The template itself is not kept.
 */
#ifndef K8S_TYPES_POD_TEMPLATE_H
#define K8S_TYPES_POD_TEMPLATE_H

#include "k8s/object.h"

#define POD_TEMPLATE_MAX_TERMS 32

/*
 * What the scheduler reserves for one pod: the larger of (sum of containers and sidecars) and (the largest moment of
 * the init phase), plus overhead; a missing request counts as its limit; pod-level resources win.
 */
struct pod_requests {
	int64_t cpu_milli;
	int64_t memory_bytes;
	int64_t gpus; /* nvidia.com/gpu, amd.com/gpu and gpu.intel.com/i915 together */
};

void pod_requests_decode(const struct json *pod_spec, struct pod_requests *ret);

/* Which parts of spec.affinity.nodeAffinity exist, so that a patch adds exactly what is missing. */
struct affinity_shape {
	bool has_affinity;
	bool has_node_affinity;
	bool has_required;   /* requiredDuringSchedulingIgnoredDuringExecution */
	bool has_preferred;  /* preferredDuringSchedulingIgnoredDuringExecution */
	bool too_many_terms; /* more than POD_TEMPLATE_MAX_TERMS: do not patch */
	uint8_t n_terms;     /* required.nodeSelectorTerms; ORed, so an expression goes into every one of them */
	uint32_t term_has_expressions;                  /* bit i: term i has matchExpressions */
	uint16_t n_expressions[POD_TEMPLATE_MAX_TERMS]; /* of each term; what was added last can be taken away again */
	uint16_t n_preferred;
};

/* Nodes whose label `key` has one of the values. */
struct node_in {
	const char *key;
	const char *const *values;
	int n_values;
};
/* What one required nodeSelectorTerm says of the node's region: all of these hold. */
struct region_term {
	const struct node_in *in; /* its matchExpressions `In` on POD_TEMPLATE_REGION_KEYS; others are not kept */
	int n;
};
#define POD_TEMPLATE_REGION_KEYS "loadshift.io/region", "topology.kubernetes.io/region"
/* Beyond these an expression is not kept. */
#define POD_TEMPLATE_MAX_VALUES 64
#define POD_TEMPLATE_MAX_EXPRESSIONS 8

struct pod_template {
	struct pod_requests requests;
	struct affinity_shape affinity;
	/* Any of these holds; none = the required affinity leaves some region open, or is beyond the maxima. */
	const struct region_term *region_terms;
	int n_region_terms;
	struct pairs node_selector;
	const char *kueue_queue; /* label kueue.x-k8s.io/queue-name, NULL if absent */
};

/* tpl is {metadata, spec}; absent gives zeroes. */
void pod_template_decode(const struct json *tpl, struct arena *a, struct pod_template *ret);

#endif
