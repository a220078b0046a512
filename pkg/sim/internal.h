/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the policies of pkg/sim. */
#ifndef SIM_INTERNAL_H
#define SIM_INTERNAL_H

#include "planner/flex.h"
#include "sim/block.h"
#include "sim/policy.h"

/* The view of a task's whole window, at the time of its decision. */
void task_view(const struct scenario *s, const struct task *t, int64_t from_ms, int64_t as_of_ms, bool corrected,
	       struct arena *arena, struct view *ret);
/* Room for that many watts from one time to another. */
bool has_room(const struct scenario *s, int zone, int64_t from_ms, int64_t to_ms, double watts);
bool one_segment(struct arena *arena, struct plan *ret, int zone, int parallelism, int64_t start_ms, int64_t end_ms);

/* Those that use the planners for Kubernetes; see policy.h. */
bool plan_block(const struct scenario *s, const struct task *t, struct arena *arena, struct plan *ret);
bool plan_flex(const struct scenario *s, const struct task *t, struct arena *arena, struct plan *ret);
bool plan_loadshift(const struct scenario *s, const struct task *t, struct arena *arena, struct plan *ret);

/* One of the jobs that are planned together, and what came out. */
struct member {
	struct job job;
	struct task task;
	struct plan plan;
	bool placed;
};

/*
 * Plans all that can be deferred under the room that there is, and reserves nothing. Their windows lie in the grid and
 * together span at most PLANNER_MAX_SLOTS. *ret_price: one scale for all (its delay_per_ms is not set); *ret_bound:
 * what no plan costs less than, by the outlook, in the unit of that price; -INFINITY if there is none.
 */
void plan_together(const struct scenario *s, struct member *members, size_t n, struct arena *arena,
		   struct price_of *ret_price, double *ret_bound);
int32_t *planner_column(const double *value, int n, double unit, struct arena *arena);
void planner_errors(struct planner_signals *p, const struct scenario *s, int zone);
void planner_job_init(struct planner_job *ret, const struct scenario *s, const struct task *t, int64_t left_ms);
void flex_init(struct flex *f, const struct scenario *s, const struct job *job);
/* k for a round's scales, in the planner's units. */
void price_of_scales(struct price_of *ret, const struct scenario *s, const double scale[SIGNAL_KINDS]);
/* A zone's series by that price: 0 to SIGNAL_KINDS of them; their number. */
int price_series(const struct price_of *p, const struct signal_zone *zone, struct block_series ret[SIGNAL_KINDS]);

#endif
