/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long jobs have taken, by namespace and template: what stands in for a missing spec.expectedDurationSeconds. It
 * learns from CarbonAwareJobs that were completed, as the informer tells of them, and once from the database where
 * there is one: so an operator that starts anew knows what its predecessor knew. Thread: any.
 *
 * It is asked only until a job has its first status: from then on the job goes by what is written there, so that later
 * runs move no deadline of one that waits or runs.
 */
#ifndef CONTROLLER_LEARNED_H
#define CONTROLLER_LEARNED_H

#include "base/clock.h"
#include "db/thread.h"
#include "k8s/object.h"

/* Of so many runs one takes longer, as far as the past tells (forecast/runs.h). */
#define LEARNED_QUANTILE 0.9
#define LEARNED_MAX_TEMPLATES 10000
#define LEARNED_MAX_ROWS 20000 /* read from the database, the latest */

struct learned;
struct learned *learned_new(void);
void learned_free(struct learned *l);
DEFINE_CLEANUP(struct learned, learned, learned_free);

/* A run that was completed; one that is known already (by its object's UID) changes nothing. */
void learned_add(struct learned *l, const char *namespace, const char *template_hash, const char *uid, int64_t start_ms,
		 int64_t end_ms);
/* store_event_fn of the CarbonAwareJobs; arg is the struct learned. */
void learned_on_caj(void *arg, const struct object *old, const struct object *new);
/* Reads what the database has, in its own time; l outlives the thread. */
void learned_read(struct learned *l, struct db_thread *db);

/* In whole minutes, rounded up. False when no run of it is known. hash NULL: false. */
bool learned_duration(struct learned *l, const char *namespace, const char *template_hash, int64_t *ret_ms);

#endif
