/* SPDX-License-Identifier: Apache-2.0 */
/* Informer events to keys: who must look again, and when a new planning round is worth it. Net thread. */
#include "controller/caj_controller.h"
#include "k8s/types/pod.h"

static void enqueue(const struct context *ctx, const char *key)
{
	(void)workqueue_add(controller_queue(ctx->caj_controller), key);
}

void caj_on_caj(void *arg, const struct object *old, const struct object *new)
{
	const struct context *ctx = arg;

	enqueue(ctx, new ? new->meta.key : old->meta.key);
	/* Our own status writes change no plan, except that a release, an end or a blocked start moves power. */
	if (!old || !new || old->meta.generation != new->meta.generation) {
		context_request_plan(ctx);
		return;
	}
	const struct carbonawarejob *a = carbonawarejob_of(old), *b = carbonawarejob_of(new);
	if (a->run_now != b->run_now || a->not_before_ms != b->not_before_ms ||
	    a->status.released_ms != b->status.released_ms || caj_is_finished(a) != caj_is_finished(b) ||
	    condition_is_true(&a->status.conditions, COND_START_BLOCKED) !=
		    condition_is_true(&b->status.conditions, COND_START_BLOCKED))
		context_request_plan(ctx);
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

static void remember_gone(const struct context *ctx, const struct pod *pod, const char *key)
{
	struct pod_interval interval = { .start_ms = clock_to_domain_ms(&ctx->clock, pod->start_ms) };
	int64_t end_ms = pod->finished_ms != TIME_NONE ? pod->finished_ms : clock_wall_ms();
	struct grid_snapshot *grid = plan_table_grid(ctx->plans);
	const struct object *node = store_get(informer_store(ctx->nodes), pod->node);

	interval.end_ms = clock_to_domain_ms(&ctx->clock, end_ms);
	if (grid && node) {
		int r = gridregion_of_node(grid->view.regions, grid->view.n_regions, &node->meta);

		interval.region = r >= 0 ? grid_view_name(&grid->view, r) : NULL;
	}
	if (interval.end_ms > interval.start_ms)
		gone_pods_add(ctx->gone, key, &interval);
	object_unref(node);
	if (grid)
		grid_snapshot_unref(grid);
}

/* Its Job has not ended, so the pod was evicted, preempted or paused: its energy would be forgotten with it. */
static bool ran_for_unfinished_job(const struct context *ctx, const struct pod *pod, const char *key)
{
	bool ran = pod->phase == POD_RUNNING || pod->phase == POD_SUCCEEDED || pod->phase == POD_FAILED;

	if (!ran || pod->start_ms == TIME_NONE)
		return false;
	const struct object *job = store_get(informer_store(ctx->jobs), key);
	bool unfinished = job && cstr_eq(job->meta.uid, pod->obj.meta.owner.uid) && !job_is_finished(job_of(job));
	object_unref(job);
	return unfinished;
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
	if (!new &&ran_for_unfinished_job(ctx, pod_of(old), key))
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

void caj_on_node(void *arg, const struct object *old, const struct object *new)
{
	struct context *ctx = arg;

	/* Heartbeats change nothing that a plan rests on. */
	if (old && new) {
		const struct node *a = node_of(old), *b = node_of(new);

		if (a->ready == b->ready && a->unschedulable == b->unschedulable && a->cpu_milli == b->cpu_milli &&
		    pairs_equal(&old->meta.labels, &new->meta.labels))
			return;
	}
	context_grid_changed(ctx);
}

void caj_on_region(void *arg, const struct object *old, const struct object *new)
{
	struct context *ctx = arg;

	(void)old;
	(void)new;
	context_grid_changed(ctx);
}
