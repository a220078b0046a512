/* SPDX-License-Identifier: Apache-2.0 */
/* What an object and its Job are in, for everybody who sorts jobs; and the mode of a namespace. */
#include "decide/decide.h"

bool caj_is_finished(const struct carbonawarejob *caj)
{
	const struct conditions *c = &caj->status.conditions;

	return condition_is_true(c, COND_COMPLETE) || condition_is_true(c, COND_FAILED);
}

struct caj_mode caj_mode_of(const char *label, bool observe_by_default)
{
	if (cstr_eq(label, "act") || cstr_eq(label, "observe"))
		return (struct caj_mode){ .observe = cstr_eq(label, "observe") };
	return (struct caj_mode){ observe_by_default, label };
}

bool caj_is_unmodified(const struct carbonawarejob *caj)
{
	const struct condition *released = condition_find(&caj->status.conditions, COND_RELEASED);

	return released && strcmp(released->reason, CAJ_OBSERVE_MODE) == 0;
}

bool caj_is_pending(const struct carbonawarejob *caj, const struct job *job)
{
	return job && !caj_is_finished(caj) && caj->status.released_ms == TIME_NONE && !caj->spec.suspend &&
	       caj->obj.meta.deletion_ms == TIME_NONE && !job_is_finished(job) && job->suspend;
}

/* A release that is recorded is later than the pause before it, and the other way round. */
bool caj_status_is_paused(const struct caj_status *s)
{
	return s->ledger.begun && s->released_ms != TIME_NONE && s->paused_ms != TIME_NONE &&
	       s->paused_ms > s->released_ms;
}

bool caj_is_paused(const struct carbonawarejob *caj)
{
	return !caj_is_finished(caj) && caj_status_is_paused(&caj->status);
}

bool caj_is_running(const struct carbonawarejob *caj, const struct job *job)
{
	return job && !caj_is_finished(caj) && caj->status.released_ms != TIME_NONE && !job_is_finished(job) &&
	       !caj_is_paused(caj);
}

bool caj_may_replan(const struct carbonawarejob *caj, const struct job *job)
{
	const struct caj_spec *s = &caj->spec;
	const struct condition *released = condition_find(&caj->status.conditions, COND_RELEASED);

	if (!job || job_is_finished(job) || caj_is_finished(caj) || caj->obj.meta.deletion_ms != TIME_NONE ||
	    caj->status.released_ms == TIME_NONE || job->kueue_queue)
		return false;
	return (s->interrupt.set || s->scale.set) && !s->suspend && !s->critical && !caj->run_now &&
	       !caj_is_unmodified(caj) && !(released && strcmp(released->reason, CAJ_UNSUSPENDED_BY_OTHER) == 0) &&
	       (caj_is_paused(caj) || !job->suspend);
}
