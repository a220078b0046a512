/* SPDX-License-Identifier: Apache-2.0 */
/* Informer events to keys: who must look again, and when a new planning round is worth it. Net thread. */
#include "controller/caj_controller.h"
#include "k8s/types/pod.h"
#include "log/log.h"

static void enqueue(const struct context *ctx, const char *key)
{
	(void)workqueue_add(controller_queue(ctx->caj_controller), key);
}

void caj_on_caj(void *arg, const struct object *old, const struct object *new)
{
	const struct context *ctx = arg;

	if (old)
		young_forget(ctx->young, old);
	enqueue(ctx, new ? new->meta.key : old->meta.key);
	/* Our own status writes change no plan, except that a release, an end or a blocked start moves power. */
	if (!old || !new || old->meta.generation != new->meta.generation) {
		context_request_plan(ctx);
		return;
	}
	const struct carbonawarejob *a = carbonawarejob_of(old), *b = carbonawarejob_of(new);
	if (a->run_now != b->run_now || a->not_before_ms != b->not_before_ms ||
	    a->status.released_ms != b->status.released_ms || a->status.paused_ms != b->status.paused_ms ||
	    caj_is_finished(a) != caj_is_finished(b) ||
	    condition_is_true(&a->status.conditions, COND_START_BLOCKED) !=
		    condition_is_true(&b->status.conditions, COND_START_BLOCKED))
		context_request_plan(ctx);
}

void caj_on_added(void *arg, const struct object *o, struct str text)
{
	const struct context *ctx = arg;

	young_add(ctx->young, o, text);
}

void caj_on_job(void *arg, const struct object *old, const struct object *new)
{
	const struct context *ctx = arg;

	/* The Job has its object's name. */
	enqueue(ctx, new ? new->meta.key : old->meta.key);
	if (!old || !new || job_of(old)->suspend != job_of(new)->suspend ||
	    job_is_finished(job_of(old)) != job_is_finished(job_of(new)))
		context_request_plan(ctx);
}

/* Its Job has not ended, so the pod was evicted, preempted or paused: its energy would be forgotten with it. */
static void remember_gone(const struct context *ctx, const struct pod *pod, const char *key)
{
	const struct object *caj _cleanup_object_ = store_get(informer_store(ctx->cajs), key);
	const struct object *job _cleanup_object_ = store_get(informer_store(ctx->jobs), key);
	_cleanup_(grid_snapshot_cleanup) struct grid_snapshot *grid = plan_table_grid(ctx->plans);
	struct pod_interval interval;

	if (!caj || !job || !cstr_eq(job->meta.uid, pod->obj.meta.owner.uid) || job_is_finished(job_of(job)))
		return;
	if (context_pod_interval(ctx, grid ? &grid->view : NULL, carbonawarejob_of(caj), job_of(job), pod,
				 clock_now_ms(&ctx->clock), &interval))
		gone_pods_add(ctx->gone, key, &interval);
}

void caj_on_pod(void *arg, const struct object *old, const struct object *new)
{
	const struct context *ctx = arg;
	const struct object *any = new ? new : old;
	const char *name = object_label(any, LABEL_CAJ);
	char key[OBJECT_KEY_MAX];

	if (!name)
		return;
	(void)snprintf(key, sizeof(key), "%s/%s", any->meta.namespace, name);
	if (!new)
		remember_gone(ctx, pod_of(old), key);
	if (!old || !new || pod_of(old)->phase != pod_of(new)->phase ||
	    pod_of(old)->finished_ms != pod_of(new)->finished_ms ||
	    strcmp(pod_of(old)->unscheduled_message, pod_of(new)->unscheduled_message) != 0)
		enqueue(ctx, key);
}

static bool pairs_equal(const struct pairs *a, const struct pairs *b)
{
	if (a->len != b->len)
		return false;
	for (size_t i = 0; i < a->len; i++) {
		if (strcmp(a->items[i].key, b->items[i].key) != 0 || strcmp(a->items[i].value, b->items[i].value) != 0)
			return false;
	}
	return true;
}

static void tell_bad_power(const struct context *ctx, const struct object *node)
{
	char text[256];

	if (!power_annotations_error(node_of(node), text))
		return;
	log_warn("annotation ignored", LOG_STR("node", node->meta.name), LOG_STR("why", text));
	recorder_event(ctx->events, node, EVENT_WARNING, "InvalidPowerAnnotation", "%s", text);
}

void caj_on_node(void *arg, const struct object *old, const struct object *new)
{
	struct context *ctx = arg;

	/* Heartbeats change nothing that a plan rests on. */
	if (old && new) {
		const struct node *a = node_of(old), *b = node_of(new);

		if (a->ready == b->ready && a->unschedulable == b->unschedulable && a->cpu_milli == b->cpu_milli &&
		    a->memory_bytes == b->memory_bytes && a->gpus == b->gpus &&
		    pairs_equal(&old->meta.labels, &new->meta.labels) &&
		    pairs_equal(&old->meta.annotations, &new->meta.annotations))
			return;
	}
	if (new && (!old || !pairs_equal(&old->meta.annotations, &new->meta.annotations)))
		tell_bad_power(ctx, new);
	context_grid_changed(ctx);
}

void caj_on_namespace(void *arg, const struct object *old, const struct object *new)
{
	const struct context *ctx = arg;
	const char *name = new ? new->meta.name : old->meta.name;
	struct object_list cajs;

	if (cstr_eq(old ? object_label(old, LABEL_MODE) : NULL, new ? object_label(new, LABEL_MODE) : NULL))
		return;
	store_list(informer_store(ctx->cajs), &cajs);
	for (size_t i = 0; i < cajs.len; i++) {
		if (strcmp(cajs.items[i]->meta.namespace, name) == 0)
			enqueue(ctx, cajs.items[i]->meta.key);
	}
	object_list_release(&cajs);
	/* Who only watches takes no power. */
	context_request_plan(ctx);
}

void caj_on_region(void *arg, const struct object *old, const struct object *new)
{
	struct context *ctx = arg;

	(void)old;
	(void)new;
	context_grid_changed(ctx);
}
