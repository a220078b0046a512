/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a job really used and saved: pod running times x power x the grid's real (or, where it has none, estimated)
 * values. Pure.
 *
 * Baseline: the same work, as long and as strong, at the baseline's start in the baseline's region, without pauses.
 * Savings are baseline minus real, split in two steps that add up:
 *
 *	time  = home, baseline window  -  home, real window
 *	place = home, real window      -  real region, real window
 *	forecastError = total  -  what the plan expected to save
 *
 * Any of them may be negative; one that rests on a missing value is not known. A run counts as spread evenly over its
 * window wherever it is moved to; at home it is not moved, so place is exactly 0 there.
 */
#ifndef DECIDE_ACCOUNT_H
#define DECIDE_ACCOUNT_H

#include "decide/translate.h"

/* After the run, the provider's values are read again once this time has passed (contracts 2). */
#define ACCOUNT_FINAL_AFTER_MS DAY_MS
#define ACCOUNT_MAX_INTERVALS 4096
/* A longer run (a year and a day) is somebody's invention. */
#define ACCOUNT_MAX_RUN_MS (366 * DAY_MS)

/* One pod's time on a node of a region, domain time; end is now while it runs. */
struct pod_interval {
	const char *region; /* NULL = not known */
	int64_t start_ms, end_ms;
	int64_t milliwatts; /* of the pod on its node; 0 = not known */
};

struct account {
	bool known; /* at least one interval */
	bool final; /* every value is at least 24 h older than now, so it was read again */
	int n_runs;
	struct caj_run runs[CAJ_MAX_RUNS]; /* by segment and region, in order of start */
	struct caj_figures total;
	struct caj_savings savings;
	const char *carbon_source; /* in the arena */
	const char *cost_basis;    /* "Tariff" | "Shadow" | "None": the weakest of all places */
};

/*
 * intervals: of pods that are still there. status->runs: those of pods that are gone, folded in before. status also
 * gives baseline and expectations.
 */
void account_job(const struct grid_view *v, const struct caj_status *status, const char *job_uid,
		 const struct pod_interval *intervals, size_t n, int64_t now_ms, struct arena *arena,
		 struct account *ret);
/*
 * The runs of a job that has ended, priced anew by the values known now: the provider may have revised them. Pods are
 * gone by then, so each run's energy counts as spread evenly over its window.
 */
void account_again(const struct grid_view *v, const struct caj_status *status, int64_t now_ms, struct arena *arena,
		   struct account *ret);

/*
 * For the table's columns: "~412 g" while expected, "412 g" once real, from 10 kg on in kg; "not available". At most 32
 * bytes, as the schema has it. currency may be NULL.
 */
const char *account_saved_carbon(const struct caj_saving *s, bool expected, struct arena *arena);
const char *account_saved_cost(const struct caj_saving *s, const char *currency, bool expected, struct arena *arena);

/* Baseline minus plan, as expected; the frozen baseline is scaled to the plan's energy. */
struct caj_saving account_expected_saving(const struct caj_status *status);

/* One of the last two runs, with the energy of both; its region is NULL when theirs differ. False = there are not two.
 */
bool account_merge_last(struct caj_run *runs, int *n_runs);

/*
 * Adds the intervals of pods that are gone to runs[], one run per segment, region and Job; energy, carbon and cost so
 * far. Of a segment that a pause has ended only what came after status->paused_ms: the rest is in runs[] already.
 */
void account_fold(const struct grid_view *v, struct caj_status *status, const char *job_uid,
		  const struct pod_interval *gone, size_t n, struct arena *arena);

#endif
