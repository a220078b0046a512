/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the reconcilers of the operator share: stores, tables, queues and the clock. Set up by manager_new() before
 * any of their threads runs; constant afterwards but for the two atomics. Everything in it is safe from any thread.
 */
#ifndef CONTROLLER_CONTEXT_H
#define CONTROLLER_CONTEXT_H

#include "controller/due.h"
#include "controller/gone_pods.h"
#include "controller/learned.h"
#include "controller/plan_table.h"
#include "controller/young.h"
#include "controller/zones.h"
#include "decide/decide.h"
#include "k8s/controller.h"
#include "k8s/events.h"
#include "k8s/lease.h"

struct context {
	struct clock clock;
	struct translate_config translate;
	struct k8s *k8s;
	bool observe_by_default; /* in namespaces without the label */
	struct informer *cajs, *jobs, *pods, *nodes, *regions, *namespaces;
	int pods_by_owner; /* index of the pod store: UID of the Job */
	struct plan_table *plans;
	struct due *due;
	struct gone_pods *gone;
	struct zones *zones;
	struct young *young;
	struct learned *learned;
	struct recorder *events;
	struct controller *caj_controller, *plan_controller, *due_controller;
	_Atomic(uint64_t) grid_changes; /* of GridRegions and Nodes, as far as a plan rests on them */
	_Atomic(int64_t) plan_round_ms; /* what the last planning round took */
};

/* Submission in domain time. */
static inline int64_t context_submitted_ms(const struct context *ctx, const struct carbonawarejob *caj)
{
	return clock_to_domain_ms(&ctx->clock, caj->obj.meta.creation_ms);
}

/* Timing and refusal of one object, finishBy resolved, with what is learnt of earlier runs. */
void context_timing(const struct context *ctx, const struct carbonawarejob *caj, struct caj_timing *ret,
		    struct caj_refusal *refusal);

/* The namespace's mode by the cache, which may be a moment behind. The value of an unknown label is in the arena. */
struct caj_mode context_mode(const struct context *ctx, const struct carbonawarejob *caj, struct arena *arena);

/*
 * When, where and with what power the pod ran, domain time; until now_ms while it runs. False when it has not run. The
 * region is the view's, which may be NULL.
 */
struct pod;
bool context_pod_interval(const struct context *ctx, const struct grid_view *v, const struct carbonawarejob *caj,
			  const struct job *job, const struct pod *pod, int64_t now_ms, struct pod_interval *ret);

/* The one key of the planning queue. */
#define KEY_PLAN "plan"
/*
 * Real ms that changes are gathered for before a round: so many, and with many jobs as long as keeps rounds to 2 % of
 * one core's time, up to a maximum.
 */
#define PLAN_DEBOUNCE_MS 200
#define PLAN_DEBOUNCE_MAX_MS 2000
#define PLAN_REST 49
void context_request_plan(const struct context *ctx);
/* The same when it is the grid that has changed: the round plans every job anew. */
void context_grid_changed(struct context *ctx);

#endif
