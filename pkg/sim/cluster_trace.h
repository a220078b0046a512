/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The jobs that reach a simulated cluster, in order of arrival: from a jobs file (sim/jobs.h) or made up.
 *
 * Made up, `KIND:JOBS_PER_DAY:SEED`. Arrivals are a Poisson process whose rate follows the hour of UTC and the day of
 * the week; lengths are log-normal, cut at the longest, as in published traces of batch clusters. All that may move has
 * a deadline of its length and a slack.
 *
 *	kind                arrives                    median, longest   pods x cores   slack           may leave home
 *	batch               evenly, more at night      30 min, 12 h      1-4 x 1-8      6-24 h          60 %
 *	ml-training         office hours               3 h, 36 h         1-8 x 8        12-48 h         80 %
 *	etl                 00:00 to 05:00             20 min, 4 h       1-2 x 2-4      to 08:00 UTC    no
 *	ci                  office hours, weekdays     6 min, 1 h        1 x 2          none (80 %), 2 h  no
 *	inference-backfill  evenly                     1 h, 8 h          4-16 x 2       24-48 h         all
 *	mixed               30 % ci, 25 % etl, 25 % batch, 10 % ml-training, 10 % inference-backfill
 *
 * An ml-training job may pause: half an hour at least between two pauses, 20 Wh for each restart, seven at most.
 *
 * A made-up job has 4 GiB a core and no power of its own: it draws what it asks for by the node that it runs on.
 */
#ifndef SIM_CLUSTER_TRACE_H
#define SIM_CLUSTER_TRACE_H

#include "sim/signals.h"

#define TRACE_MAX_ID 128
#define TRACE_MAX_ZONES 33 /* home and CAJ_MAX_REGIONS more */
#define TRACE_MAX_PER_DAY 100000

struct trace_job {
	char id[TRACE_MAX_ID + 1];
	int64_t line; /* of the file; 0 = made up */
	int64_t arrival_ms, earliest_ms, duration_ms;
	int64_t latest_finish_ms; /* TIME_NONE: runs at once */
	int32_t pods;
	int64_t cpu_milli, memory_bytes; /* of each pod */
	double watts_per_pod;            /* NAN: by what it asks for, on its node */
	bool critical, may_pause;
	int64_t min_run_ms;
	double restart_wh; /* of the whole job, each time it goes on */
	int max_interruptions;
	double max_carbon, max_price; /* g/kWh and per MWh, hard; NAN: none */
	int n_zones;
	int16_t zones[TRACE_MAX_ZONES]; /* home first */
};

struct trace;

/* The signals are borrowed. Windows have to lie in them. Free with trace_free(), which accepts NULL. */
int trace_open(const char *path, const struct signals *s, struct trace **ret, struct error *err) must_check;
/* Arrivals from one time to another. */
int trace_make(const char *spec, const struct signals *s, int64_t from_ms, int64_t to_ms, struct trace **ret,
	       struct error *err) must_check;
void trace_free(struct trace *t);
DEFINE_CLEANUP(struct trace, trace, trace_free);
/* 1, or 0 at the end, or -1. Files must be in order of arrival. */
int trace_next(struct trace *t, struct trace_job *ret, struct error *err) must_check;

#endif
