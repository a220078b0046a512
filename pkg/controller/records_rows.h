/* SPDX-License-Identifier: Apache-2.0 */
/* CarbonAwareJobs and nodes as rows of the database: workload, schedule, compute_asset. On the db thread. */
#ifndef CONTROLLER_RECORDS_ROWS_H
#define CONTROLLER_RECORDS_ROWS_H

#include "base/clock.h"
#include "db/db.h"
#include "k8s/store.h"

/* An object as it was at a time (domain). */
struct record {
	const struct object *object; /* a CarbonAwareJob or a Node */
	int64_t at_ms;
	bool gone; /* it was deleted then */
};

/*
 * Writes the rows of all of them, in the open transaction. Twice is the same as once, and an older record changes
 * nothing: a workload or asset stays as its newest record says, and a schedule row is added only when the plan differs
 * from the newest one there is.
 */
int records_write(struct db *db, const struct clock *clock, struct store *regions, const struct record *records,
		  size_t n, struct error *err) must_check;
/* What no record since then has named is no longer there: its deletion was missed. */
int records_sweep(struct db *db, int64_t since_ms, struct error *err) must_check;

#endif
