/* SPDX-License-Identifier: Apache-2.0 */
/* Small things that all reconcilers do with their shared context. */
#include "controller/context.h"

#include "k8s/types/pod.h"

/* Of the job's template, which the Job tells before the status does; TIME_NONE: nothing is known. */
static int64_t learned_ms(const struct context *ctx, const struct carbonawarejob *caj)
{
	const struct object *job _cleanup_object_ = NULL;
	const char *hash = caj->status.template_hash;
	int64_t ms;

	if (caj->spec.expected_duration_ms != TIME_NONE || caj->status.learned_duration_ms > 0)
		return TIME_NONE;
	if (!hash) {
		job = store_get(informer_store(ctx->jobs), caj->obj.meta.key);
		hash = job ? object_annotation(job, ANNOTATION_TEMPLATE_HASH) : NULL;
	}
	return learned_duration(ctx->learned, caj->obj.meta.namespace, hash, &ms) ? ms : TIME_NONE;
}

void context_timing(const struct context *ctx, const struct carbonawarejob *caj, struct caj_timing *ret,
		    struct caj_refusal *refusal)
{
	int64_t submitted_ms = context_submitted_ms(ctx, caj);
	int64_t finish_by_ms = TIME_NONE;
	struct error err;
	const struct tz *tz = NULL;
	const char *zone = caj->spec.finish_by.time_zone;

	if (zone && zones_get(ctx->zones, zone, &tz, &err) == 0)
		finish_by_ms = caj_finish_by_ms(&caj->spec.finish_by, tz, submitted_ms);
	caj_timing_learned(caj, submitted_ms, finish_by_ms, learned_ms(ctx, caj), ret, refusal);
	if (zone && !tz && !refusal->reason) {
		refusal->reason = "UnknownTimeZone";
		(void)snprintf(refusal->message, sizeof(refusal->message),
			       "spec.finishBy.timeZone: \"%s\" is not a known IANA time zone such as Europe/London",
			       zone);
	}
}

struct caj_mode context_mode(const struct context *ctx, const struct carbonawarejob *caj, struct arena *arena)
{
	const struct object *ns _cleanup_object_ = store_get(informer_store(ctx->namespaces), caj->obj.meta.namespace);

	return caj_mode_of(ns ? arena_strdup(arena, object_label(ns, LABEL_MODE)) : NULL, ctx->observe_by_default);
}

bool context_pod_interval(const struct context *ctx, const struct grid_view *v, const struct carbonawarejob *caj,
			  const struct job *job, const struct pod *pod, int64_t now_ms, struct pod_interval *ret)
{
	bool ran = pod->phase == POD_RUNNING || pod->phase == POD_SUCCEEDED || pod->phase == POD_FAILED;

	if (!ran || pod->start_ms == TIME_NONE)
		return false;
	const struct object *node _cleanup_object_ =
		*pod->node ? store_get(informer_store(ctx->nodes), pod->node) : NULL;
	int r = node && v ? gridregion_of_node(v->regions, v->n_regions, &node->meta) : -1;
	struct power_model power = node ? power_of_node(node_of(node))
				   : v  ? grid_view_power(v, NULL, 0)
					: power_profile();
	*ret = (struct pod_interval){
		.region = r >= 0 ? v->regions[r]->obj.meta.name : NULL,
		.start_ms = clock_to_domain_ms(&ctx->clock, pod->start_ms),
		.end_ms = pod->finished_ms != TIME_NONE ? clock_to_domain_ms(&ctx->clock, pod->finished_ms) : now_ms,
		.milliwatts = caj_pod_milliwatts(&caj->spec, &job->template.requests, &power),
	};
	return ret->end_ms > ret->start_ms;
}

void context_request_plan(const struct context *ctx)
{
	int64_t rest_ms = PLAN_REST * atomic_load_explicit(&ctx->plan_round_ms, memory_order_relaxed);

	(void)workqueue_add_after(controller_queue(ctx->plan_controller), KEY_PLAN,
				  CLAMP(rest_ms, PLAN_DEBOUNCE_MS, PLAN_DEBOUNCE_MAX_MS));
}

void context_grid_changed(struct context *ctx)
{
	(void)atomic_fetch_add(&ctx->grid_changes, 1);
	context_request_plan(ctx);
}
