/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The planning round: reconciler of the single key "plan". Places all pending jobs together under the power that the
 * running ones hold, and publishes the plan table. Changes that come together are gathered by the queue's delay.
 */
#ifndef CONTROLLER_PLAN_ROUND_H
#define CONTROLLER_PLAN_ROUND_H

#include "controller/context.h"

/*
 * One round; returns the real ms after which the next is due though nothing changes. The first one comes before any
 * reconciler runs, so that each finds regions, nodes and plans. Not while the reconciler of "plan" runs.
 */
int64_t plan_round(struct context *ctx, struct arena *arena);
/* reconcile_fn; arg is the struct context. */
int plan_round_reconcile(void *arg, struct worker *w, const char *key, struct reconcile_result *ret, struct error *err);

#endif
