/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cluster in the database: compute_asset from nodes, workload and schedule from CarbonAwareJobs and what was
 * planned for them. And what grows old in the database goes (db/retention.h). Of the leader alone.
 *
 * Changes are told by the informers, gather in memory, and one piece of work on the db thread takes all that has
 * gathered; nobody waits for it. Of what comes while RECORDS_MAX wait only a counter is kept
 * (loadshift_records_dropped_total): at the start and every hour everything is written as it is then, and what is no
 * longer there is marked, so that nothing stays lost.
 */
#ifndef CONTROLLER_RECORDS_H
#define CONTROLLER_RECORDS_H

#include "db/retention.h"
#include "db/thread.h"
#include "k8s/controller.h"

#define RECORDS_MAX 20000

struct records_config {
	struct k8s *k8s;
	struct clock clock;
	struct db_thread *db;
	struct store *cajs, *nodes, *regions;
	const struct db_retention *retention; /* run once a day; borrowed for its life */
	size_t n_retention;
};

struct records;
struct records *records_new(const struct records_config *cfg);
/* Handler of both informers; does nothing before records_start(). Net thread. */
void records_on_change(void *arg, const struct object *old, const struct object *new);
/* Once the stores are in sync. */
int records_start(struct records *r, struct error *err) must_check;
/* Nothing is told or asked any more; what was told is with the db thread, which is to be freed next. NULL is fine. */
void records_stop(struct records *r);
/* Without the db thread, and without the informers. NULL is fine. */
void records_free(struct records *r);
DEFINE_CLEANUP(struct records, records, records_free);

#endif
