/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding of Jobs. */
#include "k8s/types/job.h"

#include "base/clock.h"
#include "k8s/internal.h"

static const char *const kept_conditions[] = { "Complete", "Failed", "Suspended", NULL };

static int64_t seconds(const struct json *j)
{
	int64_t s = decode_i64(j, -1);

	return s < 0 ? TIME_NONE : MIN(s, INT64_MAX / SECOND_MS) * SECOND_MS;
}

static int job_decode(const struct json *item, struct object *o, struct error *err)
{
	struct job *j = container_of(o, struct job, obj);
	const struct json *spec = json_get(item, "spec"), *status = json_get(item, "status");
	const char *queue = object_label(o, "kueue.x-k8s.io/queue-name");

	(void)err;
	j->suspend = decode_bool(json_get(spec, "suspend"), false);
	j->parallelism = decode_i32(json_get(spec, "parallelism"), 1);
	j->completions = decode_i32(json_get(spec, "completions"), -1);
	j->ttl_after_finished_ms = seconds(json_get(spec, "ttlSecondsAfterFinished"));
	j->active_deadline_ms = seconds(json_get(spec, "activeDeadlineSeconds"));
	pod_template_decode(json_get(spec, "template"), &o->arena, &j->template);
	j->kueue_queue = queue ? queue : j->template.kueue_queue;

	j->active = decode_i32(json_get(status, "active"), 0);
	j->terminating = decode_i32(json_get(status, "terminating"), 0);
	j->start_ms = decode_time(json_get(status, "startTime"));
	j->completion_ms = decode_time(json_get(status, "completionTime"));
	conditions_decode(json_get(status, "conditions"), kept_conditions, &o->arena, &j->conditions);
	return 0;
}

const struct object_type job_type = {
	.kind = "Job",
	.api_version = "batch/v1",
	.plural = "jobs",
	.namespaced = true,
	.size = sizeof(struct job),
	.labels = (const char *const[]){ "kueue.x-k8s.io/queue-name", NULL },
	.annotations = (const char *const[]){ "loadshift.io/", NULL },
	.decode = job_decode,
};

bool job_is_finished(const struct job *j)
{
	return condition_is_true(&j->conditions, "Complete") || condition_is_true(&j->conditions, "Failed");
}

int64_t job_finished_ms(const struct job *j)
{
	const struct condition *failed = condition_find(&j->conditions, "Failed");
	const struct condition *complete = condition_find(&j->conditions, "Complete");

	if (failed && failed->status == CONDITION_TRUE)
		return failed->last_transition_ms;
	if (!complete || complete->status != CONDITION_TRUE)
		return TIME_NONE;
	return j->completion_ms != TIME_NONE ? j->completion_ms : complete->last_transition_ms;
}
