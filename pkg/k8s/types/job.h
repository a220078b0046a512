/* SPDX-License-Identifier: Apache-2.0 */
/* batch/v1 Job. Labels kept: the Kueue queue; annotations: loadshift.io/. */
#ifndef K8S_TYPES_JOB_H
#define K8S_TYPES_JOB_H

#include "k8s/condition.h"
#include "k8s/types/pod_template.h"

struct job {
	struct object obj;
	bool suspend;
	int32_t parallelism;           /* default 1 */
	int32_t completions;           /* -1 = not set */
	int64_t ttl_after_finished_ms; /* TIME_NONE = not set */
	const char *kueue_queue;       /* label on the Job or its template, NULL = none */
	struct pod_template template;

	int64_t active_deadline_ms; /* TIME_NONE = not set */

	int32_t active, terminating;  /* pods, by the status */
	int64_t start_ms;             /* status.startTime; TIME_NONE while suspended or not started */
	int64_t completion_ms;        /* TIME_NONE unless Complete */
	struct conditions conditions; /* Complete, Failed, Suspended only */
};

extern const struct object_type job_type;

static inline const struct job *job_of(const struct object *o)
{
	return container_of(o, struct job, obj);
}

/* Complete or Failed is True: nothing changes any more. */
bool job_is_finished(const struct job *j);
/* When it finished: completionTime, else the Failed condition's time; TIME_NONE if it did not. */
int64_t job_finished_ms(const struct job *j);

#endif
