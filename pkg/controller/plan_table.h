/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan table: what the last planning round published. Each job's entry and the round's view of the grid are
 * immutable and shared by reference; the mutex is held for lookup and reference only. Written by the planning round
 * alone. Thread: any.
 */
#ifndef CONTROLLER_PLAN_TABLE_H
#define CONTROLLER_PLAN_TABLE_H

#include "decide/plan.h"
#include "k8s/store.h"

/* GridRegions and nodes as one round saw them. */
struct grid_snapshot {
	_Atomic(int) refs;
	struct arena arena;
	struct object_list regions; /* the references that the view borrows from */
	struct grid_view view;
};

/* From the two stores; one reference. What the one before remembers of the past is copied; NULL: there was none. */
struct grid_snapshot *grid_snapshot_new(struct store *regions, struct store *nodes,
					const struct translate_config *config, int64_t now_ms,
					const struct grid_snapshot *before);
struct grid_snapshot *grid_snapshot_ref(struct grid_snapshot *s);
void grid_snapshot_unref(struct grid_snapshot *s);
static inline void grid_snapshot_cleanup(struct grid_snapshot **s)
{
	if (*s)
		grid_snapshot_unref(*s);
}

struct plan_table;
struct plan_table *plan_table_new(void);
void plan_table_free(struct plan_table *t);

/* A reference, or NULL before the first round or when the job was not in the last one. uid: of the CarbonAwareJob. */
struct plan_entry *plan_table_get(struct plan_table *t, const char *uid);
/* NULL before the first round. */
struct grid_snapshot *plan_table_grid(struct plan_table *t);

struct plan_row {
	const char *key; /* of the CarbonAwareJob */
	struct plan_entry *entry;
};
/*
 * Replaces the whole table; takes over the references in rows and of grid. changed() is called, without the lock, for
 * each row that is new or differs from before.
 */
void plan_table_publish(struct plan_table *t, struct grid_snapshot *grid, const struct plan_row *rows, size_t n,
			void (*changed)(void *arg, const char *key), void *arg);
size_t plan_table_len(struct plan_table *t);

#endif
