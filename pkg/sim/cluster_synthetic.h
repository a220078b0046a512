/* SPDX-License-Identifier: Apache-2.0 */
/* Made-up jobs; see sim/cluster_trace.h for what the kinds mean. The same spec and span give the same jobs. */
#ifndef SIM_CLUSTER_SYNTHETIC_H
#define SIM_CLUSTER_SYNTHETIC_H

#include "sim/cluster_trace.h"

struct synthetic;

/* A job whose window would pass the end of the signals is not made. */
int synthetic_new(const char *spec, const struct signals *signals, int64_t from_ms, int64_t to_ms,
		  struct synthetic **ret, struct error *err) must_check;
void synthetic_free(struct synthetic *s);
/* 1, or 0 at the end. */
int synthetic_next(struct synthetic *s, struct trace_job *ret);

#endif
