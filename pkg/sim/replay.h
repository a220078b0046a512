/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A trace through a policy: jobs one after the other as they come, each planned from what was believed then and
 * accounted by the recorded truth. Rows of plan.csv are written as they are made; what is kept of a job is its share of
 * the sums, so that memory does not grow with their number. The exception is `loadshift` with a capacity, where jobs
 * are planned together (planner/joint.h): all that fit into one round of JOINT_MAX_JOBS jobs and PLANNER_MAX_SLOTS
 * slots are in memory at once, about 600 bytes each; with a forecast other than `perfect`, those that arrive in the
 * same slot. They are improved for 90 us of processor time per job, 80 ms at least, or until within 0.02 % of the
 * bound: the one place where two runs may differ.
 *
 * Accounts: energy is power times time, by parallelism, plus restart_wh where a run resumes, at the slot it resumes in.
 * Cost is price * Wh / 10^6. Each row is rounded to milliwatt hours, milligrams and millionths, and sums are sums of
 * rows. A job that meets an unknown carbon value (or price) has no carbon figure; sums, savings and bound leave it out
 * of that figure, and say how many were left out.
 */
#ifndef SIM_REPLAY_H
#define SIM_REPLAY_H

#include "sim/policy.h"

struct totals {
	int64_t n_jobs, infeasible, missed_deadlines, changes;
	int64_t energy_milliwatt_hours, carbon_milligrams, cost_micros;
	int64_t baseline_carbon_milligrams, baseline_cost_micros;
	int64_t carbon_unknown, cost_unknown; /* jobs */
	double wait_ms;                       /* sum over the planned of end - arrival - duration */
	/* Sum over the planned jobs of kWh * objective (policy.h), by the truth. */
	double objective, lower_bound;
	bool in_grams, in_money; /* the objective's unit, where carbon or cost alone counts */
	double wall_s;
};

struct replay {
	const struct scenario *scenario;
	struct jobs *jobs;
	FILE *out;                                      /* rows without the header; may be NULL */
	void (*progress)(void *arg, int64_t jobs_done); /* now and then; may be NULL */
	void *progress_arg;
};

/* Errors name the jobs file and line. */
int replay_run(const struct replay *r, struct totals *ret, struct error *err) must_check;

#endif
