/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plots as inline SVG, coloured by the page's CSS classes `ours` and `base`. A value of NAN is a gap. Names are
 * escaped. All are PLOT_WIDTH wide in their own units, and as wide as the page gives them room.
 */
#ifndef SIM_CLUSTER_PLOT_H
#define SIM_CLUSTER_PLOT_H

#include <stdint.h>
#include <stdio.h>

#define PLOT_WIDTH 520

/* Two lines over time: n values each, one per step. */
void plot_lines(FILE *out, const char *label, const char *unit, const double *ours, const double *base, int n,
		int64_t start_ms, int64_t step_ms);
/* Two bars for each name, one above the other. */
void plot_pairs(FILE *out, const char *label, const char *unit, const char *const *names, const double *ours,
		const double *base, int n);
/* &, <, > and quotes as entities; control characters are left out, and what is no UTF-8 becomes '?'. */
void plot_escape(const char *text, FILE *out);
/* A number for people: three digits that count, or more where it is large. */
#define PLOT_NUMBER 32
char *plot_number(double value, char out[PLOT_NUMBER]);

#endif
