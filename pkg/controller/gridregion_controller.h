/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reconciler of GridRegion: writes what the collector knows into status, with one server-side apply, when anything but
 * fetchedTime (and the issue time of prices, which are published once) has changed. That is at a new issue of a
 * forecast or price, and at the border of a slot for `now`.
 *
 * Conditions: Fresh (is the carbon forecast recent enough to act upon), Degraded (a fallback is in use, or no price is
 * known), PlaceShiftDisabled (carbon figures of the group's regions mean different things), OwnForecast (with a
 * database: is there a forecast of ours behind what the sources publish, and why not).
 */
#ifndef CONTROLLER_GRIDREGION_CONTROLLER_H
#define CONTROLLER_GRIDREGION_CONTROLLER_H

#include "controller/forecaster.h"
#include "k8s/controller.h"

struct gridregion_context {
	struct clock clock;
	struct store *regions; /* of the informer */
	struct collector *collector;
	struct forecaster *forecaster; /* NULL = no database, no forecasts of our own */
};

/* reconcile_fn; arg is the struct gridregion_context. */
int gridregion_reconcile(void *arg, struct worker *w, const char *key, struct reconcile_result *ret, struct error *err);
/* Hands the store's regions to the collector: once when the informer is synced, then at changes of any spec. */
void gridregion_regions_changed(const struct gridregion_context *ctx);
/* store_event_fn that does so; arg is the struct gridregion_context. Add controller_enqueue for the reconciler itself.
 */
void gridregion_on_region(void *arg, const struct object *old, const struct object *new);

/*
 * The decision, pure: spec and present status of r with what is known make the status that it should have. What the
 * source in use publishes stays as it is; our own forecast, if any, goes on behind its end, and p10 and p90 come with
 * it. own NULL = there is no forecaster. Memory is the arena's or borrowed from r and view.
 */
void gridregion_status(const struct gridregion *r, const struct collector_view *view, const struct forecaster_view *own,
		       int64_t now_ms, struct arena *arena, struct gridregion *ret);
/* Do they differ in more than fetchedTime? */
bool gridregion_status_differs(const struct gridregion *a, const struct gridregion *b);

#endif
