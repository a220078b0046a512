/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our kinds to planner input: GridRegions to aligned columns, nodes to places, a CarbonAwareJob to a planner_job.
 * Pure; everything is borrowed from the caller or taken from his arena. Operator, simulator and kubectl-carbon share
 * it.
 */
#ifndef DECIDE_TRANSLATE_H
#define DECIDE_TRANSLATE_H

#include "api/carbonawarejob.h"
#include "api/gridregion.h"
#include "decide/power.h"
#include "decide/timing.h"
#include "k8s/types/job.h"
#include "k8s/types/node.h"
#include "planner/planner.h"

/* The name of the home of a job that is pinned nowhere: the allocatable-weighted mean of all regions with nodes. */
#define HOME_MEAN "mean"

struct translate_config {
	const char *default_region;  /* NULL = none */
	int64_t max_forecast_age_ms; /* older data count as unknown */
	int32_t carbon_error_mg_per_kwh;
	int32_t price_error_permille;
	int32_t max_releases_per_slot; /* of all jobs together; 0 = no limit */
};

/* The node label that tells the pods of a region apart, for affinity; key NULL = its nodes share none. */
struct region_label {
	const char *key;
	const char *const *values;
	int n_values;
};

struct grid_memory;

/* What one round sees. Regions are the GridRegions by name, then, if any region has nodes, HOME_MEAN. */
struct grid_view {
	int64_t now_ms;
	const struct translate_config *config;
	const struct gridregion **regions; /* sorted by name */
	int n_regions;
	int64_t *cpu_milli;          /* per region: allocatable of its schedulable nodes; 0 = no node */
	struct power_mean *power;    /* per region, of the same nodes */
	struct power_mean power_all; /* of all schedulable nodes, also those that tell no region */
	struct region_label *labels; /* per region */
	int mean;                    /* index of HOME_MEAN in signals.regions, -1 if there is none */
	struct planner_signals signals;
	struct grid_memory *memory; /* per region, NULL = none: see decide/memory.h */
};

/*
 * Aligns all forecasts on slots from now on. A region whose data are older than max_forecast_age_ms has only unknown
 * values. nodes: all of the cluster.
 */
void grid_view_init(struct grid_view *v, const struct translate_config *config, int64_t now_ms,
		    const struct gridregion *const *regions, int n_regions, const struct node *const *nodes,
		    size_t n_nodes, struct arena *arena);
/* Index by name (HOME_MEAN too), or -1. */
int grid_view_find(const struct grid_view *v, const char *name);
const char *grid_view_name(const struct grid_view *v, int region);

/* Where a job may run. */
struct caj_place {
	int16_t home;
	int16_t regions[CAJ_MAX_REGIONS + 1];
	int n_regions;
	bool constrained;           /* the pods get an affinity to the regions: the user named a place */
	const char *shift_disabled; /* why regions were left out of the comparison, NULL = none were */
};

/*
 * Home: status.home once frozen, else spec.homeRegion, else the one region that the template itself pins by
 * nodeSelector or required nodeAffinity (`loadshift.io/region`, `topology.kubernetes.io/region`), else the default
 * region, else HOME_MEAN. A template that allows several regions confines home and plan to them: where nothing else
 * says which is home, the one with most allocatable CPU. Regions that have no node and do not scale from zero are left
 * out, and those that cannot be compared with home (another basis or currency, or PlaceShiftDisabled). refusal:
 * UnknownRegion.
 */
void caj_place(const struct grid_view *v, const struct carbonawarejob *caj, const struct job *job,
	       struct caj_place *ret, struct caj_refusal *refusal);

/* What the release patch has made of the Job's node affinity: the value of ANNOTATION_PLACED. */
struct caj_placed {
	char region[254];
	/* Label that the last expression of every required term asks for, and the last preferred term; "" = none. */
	char required[318], preferred[318];
};
/* False when it made nothing of it. */
bool caj_placed_of(const struct job *job, struct caj_placed *ret);

/* Power of one pod, mW; 0 = not known (nothing requested). model: of the node, or of where it may run. */
int64_t caj_pod_milliwatts(const struct caj_spec *spec, const struct pod_requests *requests,
			   const struct power_model *model);
/* The mean of the nodes in those regions; of all nodes where these have none. Unknown regions (-1) are left out. */
struct power_model grid_view_power(const struct grid_view *v, const int16_t *regions, int n);
/* Pods that run at once: the smaller of parallelism and completions, at least 1. */
int32_t caj_pods(const struct job *job);
/* The same at full parallelism: of a job that scales, whatever it runs with now. */
int32_t caj_full_pods(const struct caj_spec *spec, const struct job *job);

/* Regions point into place. The earlier plan is that of `status`, if any. */
void caj_to_planner(const struct grid_view *v, const struct carbonawarejob *caj, const struct job *job,
		    const struct caj_timing *t, const struct caj_place *place, struct planner_job *ret);

#endif
