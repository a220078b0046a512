/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies of contracts 5: one job's segments, from what was believed when it was decided. Pure but for the arena and,
 * with a capacity, the watts that are still free; any thread, one scenario at a time.
 *
 *	now             at home, at arrival; with a capacity, at the first slot border with room, even if that is late
 *	lowest-slot     begins in the cheapest slot (at once if that is the one at hand)
 *	lowest-window   one block at earliest + k slots with the lowest sum; earliest, then home, on ties
 *	carbon-time     of the same starts, the one that saves most per hour of completion time (planner/length.h)
 *	block           contracts 3: planner_choose()
 *	interrupt       the cheapest parts; planner/flex.h where pauses cost or are limited, or there are several zones
 *	elastic         the same with parallelism by slot (planner/elastic.h); suspends too, as CarbonScaler does
 *	threshold       double threshold (planner/threshold.h) at home, seeing the truth of the slot at hand only
 *	loadshift       the cheapest form that the job's columns allow, planned again
 *
 * "Cheap" is w_carbon * carbon / scale + w_cost * price / scale; delay counts in `block` and `loadshift` only. An
 *unknown carbon value with weight shuts a slot, an unknown price counts as the mean of the known ones. Queues (GAIA)
 *replace the length by their mean in lowest-window and carbon-time, and limit the wait in all. Caps on carbon and price
 *bind lowest-slot, lowest-window and what the planners do; Critical jobs start at earliest whatever the policy.
 *
 * A block that leaves "now", or an earlier plan, has to gain more than the forecast's error (contracts 3: 20 g/kWh and
 * 10 % of the mean price; none for `perfect`; sigma of `noise`); `block` and `loadshift` mind it. `loadshift` plans
 *again with each issue of the forecast, and each hour between two with the present error added, fading
 *(planner/replan.h): then for a gain above that error on the part of the work that it moves.
 */
#ifndef SIM_POLICY_H
#define SIM_POLICY_H

#include "sim/jobs.h"
#include "sim/outlook.h"

enum policy {
	POLICY_NOW,
	POLICY_LOWEST_SLOT,
	POLICY_LOWEST_WINDOW,
	POLICY_CARBON_TIME,
	POLICY_BLOCK,
	POLICY_INTERRUPT,
	POLICY_ELASTIC,
	POLICY_THRESHOLD,
	POLICY_LOADSHIFT,
};

struct scenario {
	enum policy policy;
	const struct signals *truth; /* at its own step */
	const struct signals *grid;  /* the same in slots */
	const struct outlook *outlook;
	struct capacity *room; /* watts still free in each slot; NULL: no limits */
	double weight_carbon, weight_cost, weight_delay;
	bool scale_series; /* else each job's own window is its planning horizon */
	struct queue queues[JOBS_MAX_QUEUES];
	int n_queues;
	int threshold_days;
	bool static_plan; /* loadshift without planning again, for comparison */
};

/* A job's window, by deadline and queue. */
struct task {
	const struct job *job;
	int64_t decide_ms;       /* when the plan is made: arrival or earliest, whichever is first */
	int64_t start_min_ms;    /* earliest */
	int64_t latest_start_ms; /* below start_min: infeasible */
	int64_t baseline_ms;     /* arrival, or earliest if that is later */
	int64_t length_ms;       /* what is known of its length */
	bool deferrable;
};

/* Objective per kWh: k[kind] * value; the scale is frozen in it. */
struct price_of {
	double k[SIGNAL_KINDS];
	double delay_per_ms;
};

struct plan {
	struct planner_segment *segments; /* regions are zones of the signals; parallelism 1 where it does not scale */
	int n_segments;
	int changes; /* of the plan after it was first made */
};

extern const char *const policy_names[]; /* NULL at the end */

void task_init(struct task *t, const struct scenario *s, const struct job *job);
/* Whether some column of the job, or the policy, lets it pause or scale. */
bool policy_may_pause(const struct scenario *s, const struct job *job);
bool policy_may_scale(const struct scenario *s, const struct job *job);
void policy_price(const struct scenario *s, const struct task *t, struct arena *arena, struct price_of *ret);

/* False: infeasible. Reserves nothing. */
bool policy_plan(const struct scenario *s, const struct task *t, struct arena *arena, struct plan *ret) must_check;
/* Takes a plan's watts out of the room. */
void policy_reserve(const struct scenario *s, const struct job *job, const struct plan *plan);

/* Watts of a job at that parallelism. */
static inline double job_watts(const struct job *job, int parallelism)
{
	return job->scale.max ? job->power_w * parallelism / job->scale.max : job->power_w;
}

#endif
