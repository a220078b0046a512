/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One grid of interrupt_plan(), private to pkg/planner: a choice of regions, and whether the job runs in the slot that
 * its earliest time cuts in two (the head). From the border `first` on everything happens at borders.
 */
#ifndef PLANNER_INTERRUPT_INTERNAL_H
#define PLANNER_INTERRUPT_INTERNAL_H

#include <math.h>

#include "base/alloc.h"
#include "planner/interrupt.h"

/* States that a step goes through at a time; compilers make vector instructions of loops of a fixed length. */
#define INTERRUPT_BLOCK 32

struct interrupt_grid {
	const struct slots *s;
	const struct interrupt_job *job;
	const int16_t *regions;
	int n_regions;
	int layers;   /* moves + 1 */
	bool counted; /* pauses are */
	int counts;   /* pauses + 1 where they are, else 1 */
	bool head;
	int64_t head_ms;
	int first, end; /* the first border; the last one up to which whole slots can be run */
	int run;        /* slots of a segment at least */
	int head_run;   /* whole slots that follow the head at least */
	int move;       /* slots of a move */
	/* With j pauses: whole slots to run, and what is left for the last one. */
	int full[INTERRUPT_MAX_COUNTED + 1];
	int64_t part_ms[INTERRUPT_MAX_COUNTED + 1];
	const struct slot_sums *sums; /* [region] */
};

/* A way to the end, and the segments that it is made of: in order of time. */
struct interrupt_way {
	double cost;                      /* INFINITY: none */
	struct planner_segment *segments; /* room for PLANNER_MAX_SLOTS + 1 */
	int n_segments;
};

/* Cost of resuming in that slot. Never less than nothing: else a plan would pause in order to burn negative prices. */
static inline double interrupt_restart(const struct interrupt_job *job, double slot_cost)
{
	return job->restart_slots > 0 && slot_cost > 0 ? job->restart_slots * slot_cost : 0;
}

/* Of the head in that region, the start included; the whole slots after it are not. */
double interrupt_head_cost(const struct interrupt_grid *g, int region);
/* Of the last part_ms of work in that slot, and what comes on top when it ends then; INFINITY if it may not. */
static inline double interrupt_last_cost(const struct interrupt_grid *g, int region, int slot, int64_t part_ms)
{
	const struct interrupt_job *job = g->job;
	int64_t end_ms = slots_start_ms(g->s, slot) + part_ms;
	double cost;

	if (slot >= g->s->n || g->sums[region].shut[slot] == slot || end_ms > job->finish_by_ms)
		return INFINITY;
	cost = g->sums[region].cost[slot] * (double)part_ms / (double)g->s->slot_ms;
	return cost + job->delay_per_ms * (double)(end_ms - job->earliest_ms - job->duration_ms);
}
/* Improve `way` if the grid holds a better one. */
void interrupt_search(const struct interrupt_grid *g, struct interrupt_way *way);
/* The same where a pause costs nothing and no segment is too short. One region. */
void interrupt_cheapest(const struct interrupt_grid *g, struct interrupt_way *way);

#endif
