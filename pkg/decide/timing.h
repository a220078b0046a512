/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a CarbonAwareJob may start: its window from spec, template and submission time. Pure.
 *
 *	latestStart = deadline - duration - margin			(contracts 1)
 *	deadline: spec.deadline; or the next finishBy after submission; or earliest + maxDelay + duration + margin
 *	duration: spec.expectedDurationSeconds, else what is learnt of earlier runs (at most the template's
 *		activeDeadlineSeconds), else activeDeadlineSeconds, else the job is not deferred
 *	margin: spec.safetyMarginSeconds, else max(600 s, 10 % of the duration)
 */
#ifndef DECIDE_TIMING_H
#define DECIDE_TIMING_H

#include "api/carbonawarejob.h"

struct tz;

#define CAJ_MIN_MARGIN_MS (600 * SECOND_MS)
#define CAJ_MAX_SPREAD_MS (600 * SECOND_MS)

struct caj_timing {
	int64_t submitted_ms;
	int64_t earliest_ms; /* submission, earliestStartTime or not-before, whichever is last; run-now: submission */
	int64_t deadline_ms; /* TIME_NONE: none */
	int64_t latest_start_ms; /* TIME_NONE: not deferrable; may lie before earliest_ms when the deadline is too near
				  */
	int64_t duration_ms;     /* 0 = not known */
	int64_t learned_ms;      /* what was learnt, where it counts: for the status; else TIME_NONE */
	int64_t margin_ms;
	int64_t spread_ms; /* 0 .. 600 s, from the UID */
	const char
		*at_once_reason; /* why it is not deferred, CamelCase: NoDeadline, DurationUnknown, Critical, RunNow */
};

/* Why an object is refused (condition Accepted=False): reason is CamelCase, message names field and fix. */
struct caj_refusal {
	const char *reason; /* NULL = accepted */
	char message[256];
};

/*
 * submitted_ms: creationTimestamp in domain time. finish_by_ms: caj_finish_by_ms() of the spec, TIME_NONE if unset.
 * Always fills ret_timing as well as it can; refusal->reason is set when the window or the template is impossible.
 */
void caj_timing(const struct carbonawarejob *caj, int64_t submitted_ms, int64_t finish_by_ms,
		struct caj_timing *ret_timing, struct caj_refusal *refusal);

/* The same with what is learnt of earlier runs, which counts until the status has it; <= 0: nothing. */
void caj_timing_learned(const struct carbonawarejob *caj, int64_t submitted_ms, int64_t finish_by_ms,
			int64_t learned_ms, struct caj_timing *ret_timing, struct caj_refusal *refusal);

/* The first time after submission that is hour:minute in tz on an allowed weekday. */
int64_t caj_finish_by_ms(const struct caj_finish_by *f, const struct tz *tz, int64_t submitted_ms);

#endif
