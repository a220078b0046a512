/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs that may pause, move or scale: what they ask of the planner, and which form their plan takes. Pure.
 *
 * A job that has begun is planned for what is left of it: its running part goes on, or pauses, from now on. The plan of
 * several segments stands like any other: a new one replaces it only when the gain exceeds the noise. A restart costs
 * at least CAJ_RESTART_MS of the job's full power, so that nobody is paused for nothing.
 */
#ifndef DECIDE_FLEXIBLE_H
#define DECIDE_FLEXIBLE_H

#include "decide/progress.h"
#include "decide/translate.h"
#include "planner/flex.h"

/* What a pod takes to be scheduled and to come up again: no work is done in that time. */
#define CAJ_RESTART_MS MINUTE_MS

struct caj_flex {
	struct flex flex;
	const int64_t *milliwatts;      /* by parallelism, as planner segments have it */
	struct elastic_profile profile; /* flex.profile points here, or is NULL */
	struct caj_progress progress;
	int room; /* segments that the plan may still get */
};

/* It may pause or scale, and may be deferred at all: it is worth a caj_flex. */
bool caj_is_flexible(const struct carbonawarejob *caj, const struct caj_timing *t);

/*
 * asked: from caj_to_planner(), for the whole job; of one that has begun it is changed to what is left, where it may go
 * on. stands: its plan so far, may be empty. The result lives in the arena.
 */
struct caj_flex *caj_flex_new(const struct grid_view *v, const struct carbonawarejob *caj, const struct job *job,
			      const struct caj_timing *t, const struct caj_plan *stands, struct caj_place *place,
			      struct planner_job *asked, struct arena *arena);

/* A plan in segments; n = 0: one block, as the planner_result says. */
struct caj_choice {
	struct planner_segment *segments; /* from now on; parallelism 1 where the job does not scale */
	int n;
	double cost;                /* objective */
	bool kept;                  /* the plan that stood */
	struct caj_choice *instead; /* what remained of that, if it is another; NULL = nothing did */
};

/* The best of block, segments and the plan that stands. found: of planner_choose() for the same job. */
void caj_flex_choose(const struct planner_round *round, const struct grid_view *v, const struct caj_spec *spec,
		     const struct planner_job *asked, const struct caj_flex *f, const struct caj_plan *stands,
		     const struct planner_result *found, struct arena *arena, struct caj_choice *ret);

/* The segments that lie behind, the present one among them. */
int caj_segments_begun(const struct caj_plan *plan, int64_t now_ms);

#endif
