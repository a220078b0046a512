/* SPDX-License-Identifier: Apache-2.0 */
/* Watts of nodes, GPUs and pods. */
#include "decide/power.h"

#include "base/decimal.h"

#define GIB 1073741824.0

/*
 * Board power (TDP, or the configurable maximum) by the manufacturer's public data sheets, by the beginning of the
 * label's value up to its end or a dash; the first that fits counts. A GPU that is shared or cut into slices counts as
 * a whole one for each share.
 */
static const struct gpu {
	const char *product;
	int watts;
} gpus[] = {
	{ "NVIDIA-B200", 1000 },
	{ "NVIDIA-H200-NVL", 600 },
	{ "NVIDIA-H200", 700 },
	{ "NVIDIA-H100-PCIe", 350 },
	{ "NVIDIA-H100-NVL", 400 },
	{ "NVIDIA-H100", 700 }, /* SXM: "NVIDIA-H100-80GB-HBM3" */
	{ "NVIDIA-L40S", 350 },
	{ "NVIDIA-L40", 300 },
	{ "NVIDIA-L4", 72 },
	{ "NVIDIA-A100-SXM4", 400 },
	{ "NVIDIA-A100-PCIE-40GB", 250 },
	{ "NVIDIA-A100", 300 }, /* PCIe with 80 GB: "NVIDIA-A100-80GB-PCIe" */
	{ "NVIDIA-A40", 300 },
	{ "NVIDIA-A30", 165 },
	{ "NVIDIA-A16", 250 },
	{ "NVIDIA-A10", 150 },
	{ "NVIDIA-A2", 60 },
	{ "Tesla-T4", 70 },
	{ "Tesla-V100-SXM2", 300 },
	{ "Tesla-V100", 250 },
	{ "Tesla-P100-SXM2", 300 },
	{ "Tesla-P100", 250 },
	{ "Tesla-P40", 250 },
	{ "Tesla-P4", 75 },
	{ "Tesla-K80", 300 },
};

static double gpu_milliwatts(const struct node *node)
{
	const char *product = object_label(&node->obj, LABEL_GPU_PRODUCT);

	for (size_t i = 0; product && i < ARRAY_LEN(gpus); i++) {
		size_t len = strlen(gpus[i].product);

		if (strncmp(product, gpus[i].product, len) == 0 && (!product[len] || product[len] == '-'))
			return gpus[i].watts * 1000.0;
	}
	return POWER_WATTS_PER_GPU * 1000.0;
}

struct power_model power_profile(void)
{
	return (struct power_model){ POWER_WATTS_PER_CORE * 1000.0, POWER_MILLIWATTS_PER_GIB,
				     POWER_WATTS_PER_GPU * 1000.0 };
}

/* -1 when it is not there; false when it is no number of watts. */
static bool watts_of(const struct node *node, const char *annotation, int64_t *ret_milliwatts)
{
	const char *text = object_annotation(&node->obj, annotation);

	*ret_milliwatts = -1;
	return !text || (decimal_parse(str_trim(str_from(text)), 3, ret_milliwatts) && *ret_milliwatts >= 0 &&
			 *ret_milliwatts <= POWER_MAX_WATTS * 1000);
}

const char *power_annotations_error(const struct node *node, char text[256])
{
	int64_t idle, peak;
	const char *wrong = NULL;

	if (!watts_of(node, ANNOTATION_IDLE_WATTS, &idle))
		wrong = ANNOTATION_IDLE_WATTS;
	else if (!watts_of(node, ANNOTATION_PEAK_WATTS, &peak))
		wrong = ANNOTATION_PEAK_WATTS;
	if (wrong) {
		(void)snprintf(text, 256,
			       "annotation %s must be a number of watts from 0 to %" PRId64
			       " such as \"212.5\", not \"%.40s\"; both watts are ignored",
			       wrong, POWER_MAX_WATTS, object_annotation(&node->obj, wrong));
		return text;
	}
	if ((idle < 0) != (peak < 0)) {
		(void)snprintf(text, 256, "annotation %s is ignored without %s: set both or none",
			       idle < 0 ? ANNOTATION_PEAK_WATTS : ANNOTATION_IDLE_WATTS,
			       idle < 0 ? ANNOTATION_IDLE_WATTS : ANNOTATION_PEAK_WATTS);
		return text;
	}
	if (peak < idle) {
		(void)snprintf(text, 256, "annotation %s is below %s: both are ignored", ANNOTATION_PEAK_WATTS,
			       ANNOTATION_IDLE_WATTS);
		return text;
	}
	return NULL;
}

struct power_model power_of_node(const struct node *node)
{
	struct power_model m = power_profile();
	int64_t idle, peak;
	char text[256];

	m.per_gpu = gpu_milliwatts(node);
	if (!object_annotation(&node->obj, ANNOTATION_PEAK_WATTS) || power_annotations_error(node, text) ||
	    !watts_of(node, ANNOTATION_IDLE_WATTS, &idle) || !watts_of(node, ANNOTATION_PEAK_WATTS, &peak))
		return m;
	double dynamic = (double)(peak - idle), all_gpus = MIN((double)node->gpus * m.per_gpu, dynamic);
	if (node->gpus > 0)
		m.per_gpu = all_gpus / (double)node->gpus;
	if (node->cpu_milli > 0)
		m.per_core = (dynamic - all_gpus) * 1000.0 / (double)node->cpu_milli;
	m.per_gib = 0;
	return m;
}

void power_mean_add(struct power_mean *m, const struct node *node)
{
	struct power_model model = power_of_node(node);
	struct power_mean one = { .cores = (double)node->cpu_milli / 1000.0,
				  .gib = (double)node->memory_bytes / GIB,
				  .gpus = (double)node->gpus };

	one.core_milliwatts = one.cores * model.per_core;
	one.gib_milliwatts = one.gib * model.per_gib;
	one.gpu_milliwatts = one.gpus * model.per_gpu;
	power_mean_merge(m, &one);
}

void power_mean_merge(struct power_mean *m, const struct power_mean *other)
{
	m->cores += other->cores;
	m->gib += other->gib;
	m->gpus += other->gpus;
	m->core_milliwatts += other->core_milliwatts;
	m->gib_milliwatts += other->gib_milliwatts;
	m->gpu_milliwatts += other->gpu_milliwatts;
}

struct power_model power_mean_model(const struct power_mean *m)
{
	struct power_model model = power_profile();

	if (m->cores > 0)
		model.per_core = m->core_milliwatts / m->cores;
	if (m->gib > 0)
		model.per_gib = m->gib_milliwatts / m->gib;
	if (m->gpus > 0)
		model.per_gpu = m->gpu_milliwatts / m->gpus;
	return model;
}

int64_t power_of_pod(const struct power_model *model, const struct pod_requests *requests)
{
	double milliwatts = (double)requests->cpu_milli / 1000.0 * model->per_core +
			    (double)requests->memory_bytes / GIB * model->per_gib +
			    (double)requests->gpus * model->per_gpu;

	return decimal_from_double(CLAMP(milliwatts, 0, (double)POWER_MAX_WATTS * 1000.0), 0);
}
