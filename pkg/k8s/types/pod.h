/* SPDX-License-Identifier: Apache-2.0 */
/* Pod. Labels kept: batch.kubernetes.io/job-name and loadshift.io/; annotations: loadshift.io/. */
#ifndef K8S_TYPES_POD_H
#define K8S_TYPES_POD_H

#include "k8s/object.h"

enum pod_phase { POD_PENDING, POD_RUNNING, POD_SUCCEEDED, POD_FAILED, POD_UNKNOWN };

struct pod {
	struct object obj; /* meta.owner.uid is the Job's */
	enum pod_phase phase;
	const char *node;                /* "" until bound */
	bool scheduled;                  /* condition PodScheduled is True */
	bool ready;                      /* condition ContainersReady is True */
	const char *unscheduled_reason;  /* of PodScheduled=False: "Unschedulable", "SchedulingGated"; "" otherwise */
	const char *unscheduled_message; /* the scheduler's own text; "" otherwise */
	int64_t start_ms;                /* status.startTime: accepted by the kubelet; TIME_NONE before */
	int64_t finished_ms;             /* when its last container ended; TIME_NONE while one may run */
};

extern const struct object_type pod_type;

static inline const struct pod *pod_of(const struct object *o)
{
	return container_of(o, struct pod, obj);
}

#endif
