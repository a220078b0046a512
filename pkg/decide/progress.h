/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far a job has got that was let go: what is left to plan is its duration less done_ms. Pure.
 *
 * Of a job that may pause or scale, status.progress tells (struct caj_ledger): the work of all stretches that have
 * ended, and since when the present one runs. Work counts from the moment at which a pod was first seen to run, and
 * a stretch that ends by a pause is shorter by checkpointSeconds, so that progress is rather under- than overstated.
 * What restarts cost is energy, not work. Any other job that runs counts from its release, and from 0 after a suspend.
 *
 *	caj_progress(caj, job, now_ms, &p);
 *	left_ms = MAX(timing.duration_ms - p.done_ms, 0);
 */
#ifndef DECIDE_PROGRESS_H
#define DECIDE_PROGRESS_H

#include "api/carbonawarejob.h"
#include "k8s/types/job.h"

struct caj_progress {
	bool begun;          /* has been let go and has not ended; else nothing else is set */
	bool running;        /* let go now: neither paused nor suspended */
	int64_t done_ms;     /* work done, as time at full parallelism */
	int64_t ran_ms;      /* since it was let go the last time; 0 = no pod runs yet, or it is not running */
	const char *region;  /* of the present or last stretch; NULL = not known. Borrowed from caj */
	int32_t parallelism; /* the same; 0 = not known */
	int interruptions, moves;
};

/* job: NULL = there is none. */
void caj_progress(const struct carbonawarejob *caj, const struct job *job, int64_t now_ms, struct caj_progress *ret);

/* Work that n pods do in that time, as time at full parallelism. */
int64_t caj_work_ms(const struct caj_spec *spec, int32_t n, int64_t time_ms);
/* Time that n pods take for that work, rounded up. */
int64_t caj_time_for_work_ms(const struct caj_spec *spec, int32_t n, int64_t work_ms);

#endif
