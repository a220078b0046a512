/* SPDX-License-Identifier: Apache-2.0 */
/* Small things that all reconcilers do with their shared context. */
#include "controller/context.h"

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
	caj_timing(caj, submitted_ms, finish_by_ms, ret, refusal);
	if (zone && !tz && !refusal->reason) {
		refusal->reason = "UnknownTimeZone";
		(void)snprintf(refusal->message, sizeof(refusal->message),
			       "spec.finishBy.timeZone: \"%s\" is not a known IANA time zone such as Europe/London",
			       zone);
	}
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
