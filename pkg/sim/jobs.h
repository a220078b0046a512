/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs from CSV (J of contracts 5), one after the other: memory does not grow with the file. Columns by name, any
 * subset after the first four, empty = default:
 *
 *	id, arrival_utc, duration_s, power_w   of the whole job; where it scales, both are those of max_parallel
 *	earliest_utc            default arrival; may be before it
 *	latest_finish_utc       default: the queue's wait, else not deferrable
 *	zones                   home first; default the only zone of the signals
 *	min_run_s, restart_wh, max_interruptions    the job may pause; see struct job
 *	min_parallel, max_parallel, speedup         work per time at 1 .. max_parallel pods; default in proportion
 *	urgency                 Normal | Critical
 *	max_carbon_g_per_kwh, max_price_per_mwh     of the mean over the run; hard
 *	pods, cpu               pods that run at once, cores that each asks for; default 1; for `simulator cluster`
 *
 * With a step, arrival, duration and a queue's mean are cut to multiples of it (durations to one at least), as discrete
 * simulators do.
 */
#ifndef SIM_JOBS_H
#define SIM_JOBS_H

#include "base/arena.h"
#include "planner/elastic.h"
#include "sim/signals.h"

#define JOBS_MAX_ID 128
#define JOBS_MAX_DURATION_S 316224000.0 /* ten years */
#define JOBS_MAX_WATTS 1e9
#define JOBS_MAX_QUEUES 16
#define JOBS_MAX_PODS 256
#define JOBS_MAX_CORES 1024

struct job {
	const char *id;
	int64_t line;
	int64_t arrival_ms, earliest_ms, duration_ms;
	int64_t given_ms;         /* the duration before it was cut: it chooses the queue */
	int64_t latest_finish_ms; /* TIME_NONE: not given */
	double power_w;
	const int16_t *zones; /* indices into the signals, home first */
	int n_zones;
	bool tells_pauses; /* one of the three columns is given: it may pause, unless max_interruptions is 0 */
	int64_t min_run_ms;
	double restart_wh;
	int max_interruptions; /* INTERRUPT_ANY by default */
	/* max 0: it does not scale. throughput of 1 is that at one pod. */
	struct elastic_profile scale;
	bool critical;
	double max_carbon, max_price; /* NAN: none */
	int64_t pods;
	double cores; /* of each pod */
};

/* Jobs up to that long are taken to be `mean` long, and wait that long at most (GAIA). */
struct queue {
	int64_t max_length_ms, mean_ms, wait_ms;
};

struct jobs;

/* The signals are borrowed. step_ms 0: times as they are. Free with jobs_free(), which accepts NULL. */
int jobs_open(const char *path, const struct signals *s, int64_t step_ms, struct jobs **ret,
	      struct error *err) must_check;
void jobs_free(struct jobs *j);
DEFINE_CLEANUP(struct jobs, jobs, jobs_free);
/* The next job, its parts in the arena: 1, or 0 at the end, or -1. */
int jobs_next(struct jobs *j, struct arena *arena, struct job *ret, struct error *err) must_check;
/* How much of the file has been read, 0 .. 1; 0 where that cannot be told. For progress bars. */
double jobs_read_fraction(const struct jobs *j);
/* "FILE:LINE: <text>" for a job; returns -1. */
int jobs_error(const struct jobs *j, const struct job *job, struct error *err, const char *fmt, ...) printf_like(4, 5);

/* "MAXLEN:MEAN:WAIT" in seconds; MAXLEN may be "inf". */
int queue_parse(struct str text, struct queue *ret, struct error *err) must_check;

#endif
