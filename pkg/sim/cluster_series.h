/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Energy and carbon of each zone and half hour, on both sides, and the waits and savings of zones: what is plotted. In
 * the slots of the signals' span; what runs outside of it is not in the series (and has no carbon figure anyway).
 */
#ifndef SIM_CLUSTER_SERIES_H
#define SIM_CLUSTER_SERIES_H

#include "sim/signals.h"

#define SERIES_MAX_CELLS INT64_C(4000000) /* zones x half hours */

enum series_side { SERIES_OURS, SERIES_BASELINE, SERIES_SIDES };

struct cluster_series {
	int64_t start_ms;
	int n, n_zones;
	int first, last; /* slots in which anything ran, last < first: none */
	struct {
		double *energy_wh, *carbon_g, *cost; /* zone by zone; carbon and cost of what is known */
	} side[SERIES_SIDES];
};

/* ERR_LIMIT past SERIES_MAX_CELLS. */
int series_init(struct cluster_series *s, const struct signals *signals, struct error *err) must_check;
void series_release(struct cluster_series *s);

struct series_sum {
	double energy_wh, carbon_g, cost; /* NAN where some of it is not known */
};
/* A run at that power, by the truth; it is added to the slots and to *sum. */
void series_add(struct cluster_series *s, enum series_side side, const struct signals *truth, int zone, int64_t from_ms,
		int64_t to_ms, double watts, struct series_sum *sum);
static inline size_t series_cell(const struct cluster_series *s, int zone, int slot)
{
	return (size_t)zone * (size_t)s->n + (size_t)slot;
}

/* `time_utc,zone,power_w,carbon_g,baseline_power_w,baseline_carbon_g`: the slots in which anything ran. */
void series_write(const struct cluster_series *s, const struct signals *truth, FILE *out);

#endif
