/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Power of a pod by what it requests, where the user gives no spec.powerWattsPerPod. Pure. It is dynamic power, above
 * what the node draws idle (contracts 1 and 2), and linear in the requests:
 *
 *	pod = cores x watts per core  +  GiB x watts per GiB  +  GPUs x watts per GPU
 *
 * A node that says nothing of itself has 10, 0.4 and its GPU's watts by the table below. One whose annotations give
 * what it draws idle and at full load, both at the wall, is known better:
 *
 *	dynamic		= peak - idle
 *	watts per GPU	= the GPU's watts, but all GPUs together at most dynamic
 *	watts per core	= (dynamic - all GPUs) / allocatable cores
 *	watts per GiB	= 0: memory draws its power as the CPU uses it, and is in the measured range
 *
 * Where a pod will run is not known when it is planned: the mean of the nodes that it may run on counts, cores, GiB and
 * GPUs each weighted by what the nodes have of them. What ran counts by the node it ran on.
 */
#ifndef DECIDE_POWER_H
#define DECIDE_POWER_H

#include "k8s/types/node.h"
#include "k8s/types/pod_template.h"

/* The profile of contracts 1. */
#define POWER_WATTS_PER_CORE 10
#define POWER_MILLIWATTS_PER_GIB 400
#define POWER_WATTS_PER_GPU 300
/* Of annotations, and of spec.powerWattsPerPod. */
#define POWER_MAX_WATTS INT64_C(1000000)

#define ANNOTATION_IDLE_WATTS "loadshift.io/idle-watts"
#define ANNOTATION_PEAK_WATTS "loadshift.io/peak-watts"
/* Set by NVIDIA's GPU feature discovery. */
#define LABEL_GPU_PRODUCT "nvidia.com/gpu.product"

/* mW above idle for one of each that a pod requests. */
struct power_model {
	double per_core, per_gib, per_gpu;
};

/* The profile as it is, for a place of which nothing is known. */
struct power_model power_profile(void);
/* Annotations that make no sense count as none: see power_annotations_error(). */
struct power_model power_of_node(const struct node *node);
/* What is wrong with the node's two annotations, with field and fix; NULL = nothing. text may be returned. */
const char *power_annotations_error(const struct node *node, char text[256]);

/* Sums over nodes, for their mean. Zero-initialised. */
struct power_mean {
	double cores, gib, gpus;                                /* allocatable */
	double core_milliwatts, gib_milliwatts, gpu_milliwatts; /* weighted by those */
};
void power_mean_add(struct power_mean *m, const struct node *node);
void power_mean_merge(struct power_mean *m, const struct power_mean *other);
/* What no node has is by the profile. */
struct power_model power_mean_model(const struct power_mean *m);

/* mW, at most POWER_MAX_WATTS; 0 = nothing requested. */
int64_t power_of_pod(const struct power_model *model, const struct pod_requests *requests);

#endif
