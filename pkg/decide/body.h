/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bodies of our writes to Jobs, as JSON text. Pure. What users wrote in jobTemplate goes in byte for byte, except
 * that `suspend` is ours, and ttlSecondsAfterFinished waits in an annotation until the end has been recorded.
 */
#ifndef DECIDE_BODY_H
#define DECIDE_BODY_H

#include "base/buf.h"
#include "decide/plan.h"

/*
 * The Job to create, from the CarbonAwareJob as the API server gave it: live text, not the store's projection, or what
 * serves as such (controller/young.h).
 * ERR_INVALID names the field of spec.jobTemplate that is wrong. ERR_CONFLICT when the live object is not the one that
 * the decision was made on: another one of the same name, being deleted, or its Job was recorded already.
 */
int body_create_job(const struct carbonawarejob *caj, struct str caj_text, struct buf *out,
		    struct error *err) must_check;
/* SHA-256 of spec.jobTemplate's text, hex. */
int body_template_hash(struct str caj_text, char out[65], struct error *err) must_check;
/* All borrowed. */
struct body_release {
	int64_t released_ms;
	const struct plan_affinity *affinity; /* NULL = none */
	const char *region;                   /* that it asks for; NULL = none is planned */
	int32_t parallelism;                  /* 0 = as it is */
};
/*
 * The release that the status records, from the objects and the grid alone: an earlier process may have recorded it.
 * *ret points to *ret_affinity, whose arrays live in the arena.
 */
void body_release_recorded(const struct grid_view *v, const struct carbonawarejob *caj, const struct job *job,
			   struct arena *arena, struct plan_affinity *ret_affinity, struct body_release *ret);
/*
 * JSON patch that releases the Job, or resumes it: resourceVersion as precondition, affinity, annotations, suspend:
 * false. The affinity is added to a Job that never started; one that an earlier release has sent elsewhere gets the new
 * one for the old (body_moves()), of which each part is tested first, so that nothing of the user's is lost: the API
 * server answers 422 where it is not as we left it, or where it takes no other affinity any more.
 */
void body_release_job(const struct job *job, const struct body_release *r, struct buf *out);
/* Will that patch send a Job that has run elsewhere? */
bool body_moves(const struct job *job, const struct body_release *r);
/*
 * JSON patch that pauses the Job. deadline_left_s: what is left of its activeDeadlineSeconds, which Kubernetes would
 * count from 0 after each resumption; 0 = it has none.
 */
void body_pause_job(const struct job *job, int64_t paused_ms, int64_t deadline_left_s, struct buf *out);
/* JSON patch of the number of pods. */
void body_scale_job(const struct job *job, int32_t parallelism, struct buf *out);
/*
 * Merge patch that releases the Job in observe mode: resourceVersion as precondition, suspend: false, no affinity; what
 * its creation wrote on the pods for the extender is taken off, unless it has started before.
 */
void body_release_unmodified(const struct job *job, int64_t released_ms, struct buf *out);
/* JSON patch that suspends it, for the user's spec.suspend. */
void body_suspend_job(const struct job *job, struct buf *out);
/* The template's ttlSecondsAfterFinished that the Job was made without; false when it has none to be given. */
bool body_held_ttl(const struct job *job, int64_t *ret_seconds);
/* JSON patch: the TTL that was kept back. body_held_ttl() must be true. */
void body_job_ttl(const struct job *job, struct buf *out);
/*
 * The object with this status, for a PUT to its status subresource, which takes nothing but the status from it: half
 * the work of a patch for the API server. UID and resourceVersion are preconditions.
 */
int body_status(const struct carbonawarejob *caj, const struct caj_status *status, struct buf *out,
		struct error *err) must_check;

#endif
