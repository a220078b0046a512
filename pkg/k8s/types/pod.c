/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding of pods. */
#include "k8s/types/pod.h"

#include "base/clock.h"
#include "k8s/internal.h"

static enum pod_phase phase_parse(const char *s)
{
	static const char *const names[] = { "Pending", "Running", "Succeeded", "Failed" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (cstr_eq(s, names[i]))
			return (enum pod_phase)i;
	}
	return s ? POD_UNKNOWN : POD_PENDING;
}

static void decode_conditions(const struct json *conditions, struct pod *p)
{
	struct arena *a = &p->obj.arena;

	p->unscheduled_reason = p->unscheduled_message = "";
	json_each (c, conditions) {
		const char *type = json_string(json_get(c, "type"));
		bool is_true = cstr_eq(json_string(json_get(c, "status")), "True");

		if (cstr_eq(type, "ContainersReady"))
			p->ready = is_true;
		if (!cstr_eq(type, "PodScheduled"))
			continue;
		p->scheduled = is_true;
		if (!is_true) {
			p->unscheduled_reason = decode_text(json_get(c, "reason"), a);
			p->unscheduled_message = decode_text(json_get(c, "message"), a);
		}
	}
}

static int64_t finished(const struct json *statuses)
{
	int64_t last = TIME_NONE;

	json_each (s, statuses) {
		int64_t ms = decode_time(json_at(s, "state.terminated.finishedAt"));

		last = MAX(last, ms);
	}
	return last;
}

static int pod_decode(const struct json *item, struct object *o, struct error *err)
{
	struct pod *p = container_of(o, struct pod, obj);
	const struct json *status = json_get(item, "status");

	(void)err;
	p->phase = phase_parse(json_string(json_get(status, "phase")));
	p->node = decode_text(json_at(item, "spec.nodeName"), &o->arena);
	decode_conditions(json_get(status, "conditions"), p);
	p->start_ms = decode_time(json_get(status, "startTime"));
	p->finished_ms = p->phase == POD_SUCCEEDED || p->phase == POD_FAILED
				 ? finished(json_get(status, "containerStatuses"))
				 : TIME_NONE;
	return 0;
}

const struct object_type pod_type = {
	.kind = "Pod",
	.api_version = "v1",
	.plural = "pods",
	.namespaced = true,
	.size = sizeof(struct pod),
	.labels = (const char *const[]){ "batch.kubernetes.io/job-name", "loadshift.io/", NULL },
	.annotations = (const char *const[]){ "loadshift.io/", NULL },
	.decode = pod_decode,
};
