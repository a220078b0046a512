/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reconciler of CarbonAwareJob: observes, asks caj_decide(), carries out what it says, one write at a time. All writes
 * carry a precondition, so that a stale decision is refused by the API server and made again.
 */
#ifndef CONTROLLER_CAJ_CONTROLLER_H
#define CONTROLLER_CAJ_CONTROLLER_H

#include "controller/context.h"

/* reconcile_fn; arg is the struct context. */
int caj_reconcile(void *arg, struct worker *w, const char *key, struct reconcile_result *ret, struct error *err);
/*
 * reconcile_fn of DUE_WORKERS workers: each takes overdue jobs in order of latest start; the key of a job: that one,
 * which was refused so.
 */
int caj_reconcile_due(void *arg, struct worker *w, const char *key, struct reconcile_result *ret, struct error *err);
/* Before the workers start: everything overdue, so that an outage is made up for in deadline order. */
void caj_prefill_due(struct context *ctx);

/* store_event_fn handlers of the informers; arg is the struct context. */
void caj_on_caj(void *arg, const struct object *old, const struct object *new);
void caj_on_added(void *arg, const struct object *o, struct str text);
void caj_on_job(void *arg, const struct object *old, const struct object *new);
void caj_on_pod(void *arg, const struct object *old, const struct object *new);
void caj_on_node(void *arg, const struct object *old, const struct object *new);
void caj_on_namespace(void *arg, const struct object *old, const struct object *new);
void caj_on_region(void *arg, const struct object *old, const struct object *new);

#endif
