/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole cluster in virtual time, twice over: with Loadshift, and the same one without it. Event by event, not tick by
 * tick. What is ours is ours: the planning round, caj_decide() and the accounts are the operator's own functions, the
 * ranking of nodes is the extender's. What is modelled is Kubernetes:
 *
 *	API server   objects as the decoders make them, one version after the other; watchers hear of a write 20 ms
 *	             later; a write to an old version is refused
 *	Job          all its pods at once; a failed one again after 10 s, 20 s, ...; six such failures fail the Job
 *	scheduler    required and preferred affinity, the extender's filter and score (weight 5), then the least
 *allocated node; what fits nowhere waits for room, and nobody waits behind it kubelet      a pod runs after a start-up
 *delay (log-normal), for the job's duration; one that is lost begins again, unless the job may pause node         its
 *pods die with it, which Kubernetes finds out after 340 s (40 s, and 300 s of toleration)
 *
 * The baseline: every Job unsuspended when it may first start, confined to its home, by the stock scheduler, on nodes
 * that fail at the same times. Accounts are made by the recorded signals and the time that pods ran on their nodes,
 * lost work included; they do not use the operator's own figures, of which only the split of the savings is taken.
 *
 * Promises that are watched all the time, see enum cluster_violation. A start counts as late if the release came more
 * than 10 s after the latest start, although the operator was there; a pod that the scheduler had no room for in time,
 * and a release that an outage held up, are counted apart.
 *
 * Memory: some kB for each job that is under way, 6 doubles for each zone and half hour of the series. A job is
 * forgotten once its CarbonAwareJob has been deleted, 25 h after its end. The same input gives the same output.
 */
#ifndef SIM_CLUSTER_H
#define SIM_CLUSTER_H

#include "sim/cluster_faults.h"
#include "sim/cluster_grid.h"
#include "sim/cluster_nodes.h"
#include "sim/cluster_series.h"
#include "sim/cluster_trace.h"

#define CLUSTER_GRACE_MS (10 * SECOND_MS)
#define CLUSTER_WAITS 10 /* classes of waiting time */
/* jobs.csv: a row a job, in the order in which they are over. */
#define CLUSTER_ROWS                                                                            \
	"id,home,zone,result,arrival_utc,pods,latest_start_utc,latest_finish_utc,released_utc," \
	"start_utc,end_utc,energy_wh,carbon_g,cost,restarts,pauses,"                            \
	"baseline_start_utc,baseline_end_utc,baseline_energy_wh,baseline_carbon_g,baseline_cost\n"

enum cluster_violation {
	CLUSTER_TWO_JOBS,   /* a Job was made although one had been recorded, or was there */
	CLUSTER_RAN_TWICE,  /* more pods at once, or more that succeed, than the job has; or started after its end */
	CLUSTER_UNRECORDED, /* started before releasedTime and the Job's UID were in the status */
	CLUSTER_TOO_EARLY,  /* started before its earliest start */
	CLUSTER_TOO_LATE,   /* started after its latest start, see above */
	CLUSTER_OUTSIDE,    /* a pod on a node outside the job's zones */
	CLUSTER_LOST,       /* at the end neither finished, refused, nor waiting for room */
	CLUSTER_TOO_MANY_WRITES /* more than 1,000 for one job */
};
#define CLUSTER_VIOLATIONS (CLUSTER_TOO_MANY_WRITES + 1)
extern const char *const cluster_violation_names[];

struct cluster_config {
	const struct cluster_grid *grid;
	const struct cluster_nodes *nodes;
	struct trace *trace;
	struct faults faults;
	int64_t startup_ms; /* median of a pod's start-up */
	int32_t weight_carbon, weight_cost, weight_delay;
	FILE *out;                     /* rows of jobs.csv without the header; may be NULL */
	struct cluster_series *series; /* zeroed; filled */
	void (*progress)(void *arg, int64_t now_ms, int64_t jobs_done); /* now and then; may be NULL */
	void *progress_arg;
};

/* One of the two clusters. Figures are sums of rounded rows: milliwatt hours, milligrams, millionths. */
struct cluster_side {
	int64_t completed, failed, missed_deadlines, waited_for_room;
	int64_t energy, lost_energy;  /* of work that was lost with its pod */
	int64_t carbon, cost;         /* of the jobs that are known on both sides */
	double wait_ms;               /* sum over the completed of end - arrival - duration */
	int64_t waits[CLUSTER_WAITS]; /* the completed by that; see cluster_wait_names */
};
extern const char *const cluster_wait_names[];

struct cluster_saving {
	int64_t carbon, cost; /* milligrams, millionths */
};

struct cluster_totals {
	int64_t jobs;
	int64_t infeasible;           /* longer than their windows: they run at once, and are late */
	int64_t refused, limit_unmet; /* never ran: the spec contradicts itself; no start met a hard limit */
	int64_t unfinished;           /* still waited for room at the end */
	struct cluster_side ours, baseline;
	int64_t carbon_unknown, cost_unknown; /* jobs */
	/* By the operator's own accounts (status.savings), where it has all parts. */
	int64_t split_jobs, split_cost_jobs;
	struct cluster_saving time, place, forecast_error, split_total;
	int64_t late_no_room, late_outage; /* starts after the latest start that nobody broke a promise with */
	int64_t violations[CLUSTER_VIOLATIONS];
	int64_t writes, conflicts, rounds, reconciles, planned_again;
	int64_t pauses, moves; /* between two parts of a run */
	int64_t faults[FAULT_KINDS];
	int64_t pods_lost, operator_down_ms, provider_down_ms;
	int64_t first_ms, last_ms; /* first arrival, last end */
	double wall_s;
};

/* Errors are those of the trace. Violations are told on stderr, the first of each kind, and counted. */
int cluster_run(const struct cluster_config *c, struct cluster_totals *ret, struct error *err) must_check;

#endif
