/* SPDX-License-Identifier: Apache-2.0 */
/* coordination.k8s.io/v1 Lease, for leader election (see k8s/lease.h). */
#ifndef K8S_TYPES_LEASE_H
#define K8S_TYPES_LEASE_H

#include "k8s/object.h"

struct lease_record {
	struct object obj;
	const char *holder; /* "" = released */
	int64_t duration_ms;
	int64_t acquire_ms; /* the holder's wall clock: shown, never judged by */
	int64_t renew_ms;
	const char *renew_text; /* renewTime as it was written: a change of it is the observation */
	int64_t transitions;
};

extern const struct object_type lease_type;

static inline const struct lease_record *lease_record_of(const struct object *o)
{
	return container_of(o, struct lease_record, obj);
}

#endif
