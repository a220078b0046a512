/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Marginal allocation in one region, private to pkg/planner. What is bought are **steps**: from one level to the next
 * in one slot. They lie in a heap with the dearest on top; as long as the others suffice, it goes. So after each slot
 * the heap holds the cheapest way to do the work up to there.
 */
#ifndef PLANNER_ELASTIC_INTERNAL_H
#define PLANNER_ELASTIC_INTERNAL_H

#include "base/vec.h"
#include "planner/elastic.h"

/* Levels worth mixing, `level[0]` the lowest; from each to the next, cost per work rises. */
struct elastic_hull {
	int level[ELASTIC_MAX_LEVELS + 1];
	int n;
};

struct elastic_step {
	double price; /* cost per work */
	double work;
	int slot, edge; /* from hull vertex `edge` to the next */
};

struct elastic_frame {
	const struct slots *s;
	const struct slot_sums *sums; /* of the region */
	const struct elastic_profile *profile;
	const struct interrupt_job *job;
	int16_t region;
	double work;
	double floor;                   /* the least cost of a slot if below 0, else 0 */
	int first, end;                 /* slots that can be used: first .. end - 1 */
	struct elastic_hull hull[2][2]; /* [from min, not from nothing][the slot's cost is negative] */
};

struct elastic_heap {
	VEC(struct elastic_step) steps;
	double work, cost;
};

bool elastic_frame_init(struct elastic_frame *f, const struct slots *s, const struct slot_sums *sums,
			const struct interrupt_job *job, double work, const struct elastic_profile *profile,
			int16_t region);
/* The part of slot i between earliest and finish-by, 0 .. 1. */
double elastic_part(const struct elastic_frame *f, int slot);
/* Finds the least cost, delay included as if every last slot were used up; writes segments if it is below plan->cost.
 */
void elastic_marginal(const struct elastic_frame *f, struct elastic_plan *plan, struct arena *arena);
void elastic_stretch(const struct elastic_frame *f, struct elastic_plan *plan, struct arena *arena);

#endif
