/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the parts of the simulated cluster: the world, its API server, its machines and the operator. */
#ifndef SIM_CLUSTER_INTERNAL_H
#define SIM_CLUSTER_INTERNAL_H

#include "base/rand.h"
#include "base/vec.h"
#include "decide/body.h"
#include "decide/decide.h"
#include "sim/cluster.h"
#include "sim/cluster_events.h"

#define WATCH_MS 20
#define ZONE_WORDS (SIGNALS_MAX_ZONES / 64)
#define NOBODY (-1)

/* ---- machines (cluster_pods.c): one set for each side ---- */

/* GONE: deleted, after it was asked to save its state; LOST: with its node. */
enum pod_phase { PHASE_WAITS, PHASE_STARTS, PHASE_RUNS, PHASE_SUCCEEDED, PHASE_FAILED, PHASE_GONE, PHASE_LOST };

struct sim_pod {
	enum pod_phase phase;
	int32_t node;             /* NOBODY while it waits */
	int64_t start_ms, end_ms; /* of running; TIME_NONE */
	int64_t done_ms;          /* of its work by a checkpoint, before it started */
};

/* A Job as the kubelets see it. */
struct sim_run {
	VEC(struct sim_pod) pods; /* in order of creation; those that have ended stay */
	uint64_t allowed[ZONE_WORDS];
	int16_t preferred; /* zone, NOBODY */
	bool let_go;       /* unsuspended */
	bool finished, failed;
	int active, succeeded, failures, restarts;
	int64_t done_ms;                     /* of each pod's work, when the Job was last suspended */
	int64_t placed_ms, start_ms, end_ms; /* of the first pod's place, of its start, of the end; TIME_NONE */
	bool waited;                         /* some pod found no room at once */
	struct series_sum sum;
	double lost_wh;
};

struct machine {
	bool up;
	int64_t cpu_milli, memory_bytes; /* free */
	VEC(struct pod_place {
		struct sim_job *job;
		int32_t pod;
	})
	pods;
};

struct machines {
	struct machine *items;
	VEC(struct pod_place) waiting; /* in order of creation */
};

/* ---- API server (cluster_server.c) ---- */

/* One job: what the trace says, its objects, its pods on both sides, and what the operator remembers of it. */
struct sim_job {
	struct trace_job trace;
	struct arena names; /* what never changes: names, UID, spec */
	int64_t number;
	size_t place; /* in world.jobs */
	int events;   /* that will come to it */
	bool gone;    /* its CarbonAwareJob has been deleted */
	int64_t writes;
	int64_t released_ms;            /* the first time; TIME_NONE */
	const struct object *caj, *job; /* as they are; NULL = there is none */
	struct sim_run run[SERIES_SIDES];
	struct caj_savings savings; /* the last that the status said */
	/* the operator's */
	const struct object *seen_caj, *seen_job;
	bool over; /* by what it has seen */
	struct plan_entry *plan;
	VEC(struct pod_interval) lost_pods;
	int64_t wake_ms;    /* when it looks again; TIME_NONE */
	bool seen, changed; /* in the last round */
	bool watch_pending;
	int failures; /* writes refused in a row */
};

struct operator
{
	bool up;
	int64_t up_since_ms;
	int dies_at_write; /* 0 = no, 1 = before, 2 = after it was carried out */
	bool round_pending;
	int64_t down_since_ms;
	uint64_t grid_changes;
	struct translate_config config;
	struct arena grid_arenas[2], round_arena, scratch;
	unsigned n_views;                                 /* so far */
	struct grid_view view;                            /* of the last round, */
	const struct object *borrowed[SIGNALS_MAX_ZONES]; /* and whom it borrows from */
};

struct world {
	const struct cluster_config *config;
	struct cluster_totals *totals;
	const struct signals *truth;
	int64_t now_ms;
	struct event_queue events;
	size_t job_events; /* of the queue */
	struct trace_job next_job;
	bool more;                  /* next_job is one */
	VEC(struct sim_job *) jobs; /* under way */
	struct machines machines[SERIES_SIDES];
	const struct node **nodes; /* as the API server has them */
	size_t *by_zone;           /* indices of nodes, zone after zone */
	size_t zone_first[SIGNALS_MAX_ZONES + 1];
	const struct gridregion *regions[SIGNALS_MAX_ZONES]; /* by zone; references */
	int64_t region_version;
	struct extender_snapshot *snapshot; /* of these */
	bool provider_down;
	int64_t provider_down_since_ms;
	struct operator operator;
	uint64_t rng_node, rng_operator, rng_provider, rng_conflict;
};

/* The world (cluster.c). */
void world_push(struct world *w, enum event_kind kind, int64_t at_ms, struct sim_job *job, int32_t index,
		enum series_side side);
void world_violation(struct world *w, enum cluster_violation v, const struct sim_job *job);
/* Stable draws of one job's: the same on both sides. */
uint64_t world_draw(const struct world *w, const struct sim_job *job, uint64_t what);
bool world_is_allowed(const uint64_t zones[ZONE_WORDS], int zone);

/* Adds a job that is over to the totals, and writes its row (cluster_fold.c). */
void cluster_fold(struct world *w, struct sim_job *job);

/* Machines. */
void machines_init(struct world *w);
void machines_release(struct world *w);
/* Unsuspend: makes its pods. Suspend: deletes them. */
void run_start(struct world *w, struct sim_job *job, enum series_side side);
void run_stop(struct world *w, struct sim_job *job, enum series_side side);
void run_release(struct sim_run *r);
void machines_event(struct world *w, const struct event *e);
void machines_node(struct world *w, int32_t node, bool up);
double pod_watts(const struct world *w, const struct sim_job *job, int32_t node);

/* The API server. */
enum write_result { WRITE_DONE, WRITE_CONFLICT, WRITE_CRASHED };
void server_submit(struct world *w, struct sim_job *job);
enum write_result server_create_job(struct world *w, struct sim_job *job);
enum write_result server_status(struct world *w, struct sim_job *job, const struct object *seen,
				const struct caj_status *status);
/* Also to resume it: then it goes on where it was. */
enum write_result server_release_job(struct world *w, struct sim_job *job, const struct object *seen,
				     const struct body_release *r);
enum write_result server_pause_job(struct world *w, struct sim_job *job, const struct object *seen, int64_t paused_ms);
enum write_result server_suspend_job(struct world *w, struct sim_job *job, const struct object *seen);
enum write_result server_job_ttl(struct world *w, struct sim_job *job, const struct object *seen);
enum write_result server_delete_caj(struct world *w, struct sim_job *job, const struct object *seen);
/* By the Job controller: its pods have come to an end. */
void server_job_finished(struct world *w, struct sim_job *job);

/* The operator. */
void operator_init(struct world *w);
void operator_release(struct world *w);
/* EVENT_WATCH, EVENT_WAKE. */
void operator_event(struct world *w, const struct event *e);
/* An object or a pod of the job has changed. */
void operator_hears(struct world *w, struct sim_job *job);
void operator_request_round(struct world *w);
void operator_round(struct world *w);
void operator_dies(struct world *w);
void operator_comes_back(struct world *w);
/* A pod was deleted before its Job ended. */
void operator_lost_pod(struct world *w, struct sim_job *job, const struct sim_pod *pod);
void operator_forget(struct sim_job *job);
/* Of the object as it is; the latest start is that of what is left. */
void operator_timing(const struct sim_job *job, struct caj_timing *ret, struct caj_refusal *refusal);

#endif
