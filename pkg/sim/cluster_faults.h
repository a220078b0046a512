/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes wrong in a simulated cluster, and how often:
 *
 *	node:0.01/day[:1h]        each node, on average; it comes back after so long. Its pods die at once
 *	operator:1/day[:600s]     the process dies, half of the time at its next write, before or after it was carried
 *	                          out; another one takes over after so long, and knows nothing but the API server
 *	provider:0.5/day[:3h]     no new grid data
 *	evict:0.1/day             each running pod
 *	conflict:0.02             share of our writes before which somebody else writes the same object
 *	seed:7                    of all this [1]
 *
 * Rates per hour, day or year; the time between two is exponential, the length fixed. Each comes once.
 */
#ifndef SIM_CLUSTER_FAULTS_H
#define SIM_CLUSTER_FAULTS_H

#include "base/clock.h"

enum fault_kind { FAULT_NODE, FAULT_OPERATOR, FAULT_PROVIDER, FAULT_EVICT, FAULT_CONFLICT, FAULT_KINDS };
extern const char *const cluster_fault_names[];

struct faults {
	struct {
		double mean_ms; /* between two; 0 = never */
		int64_t length_ms;
	} kind[FAULT_KINDS];
	double conflict_share;
	uint64_t seed;
};

/* NULL or "": nothing does. */
int faults_parse(const char *spec, struct faults *ret, struct error *err) must_check;
/* Time until the next one, at least 1 ms; INT64_MAX / 4 if it never comes. */
int64_t faults_next(const struct faults *f, enum fault_kind kind, uint64_t *rng);

#endif
