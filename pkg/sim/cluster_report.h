/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a simulated cluster came to, as one HTML page that loads nothing: figures, plots, what went wrong, and what the
 * figures mean. Made for light and dark, for wide and narrow. All text that comes from outside is escaped.
 */
#ifndef SIM_CLUSTER_REPORT_H
#define SIM_CLUSTER_REPORT_H

#include "sim/cluster.h"

struct report {
	const struct cluster_config *config;
	const struct cluster_totals *totals;
	const struct cluster_series *series;
	/* As they were given; the last two may be NULL. */
	const char *signals, *jobs, *forecast, *failures, *attribution;
};

/* Errors of the file are sticky, and found by its owner. */
void report_write(const struct report *r, FILE *out);

#endif
