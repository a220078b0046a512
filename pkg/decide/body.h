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
 * The Job to create, from the CarbonAwareJob as the API server gave it (live text, not the store's projection).
 * ERR_INVALID names the field of spec.jobTemplate that is wrong.
 */
int body_create_job(const struct carbonawarejob *caj, struct str caj_text, struct buf *out,
		    struct error *err) must_check;
/* SHA-256 of spec.jobTemplate's text, hex. */
int body_template_hash(struct str caj_text, char out[65], struct error *err) must_check;
/*
 * JSON patch that releases the Job: resourceVersion as precondition, affinity (once), annotations, suspend: false.
 * affinity NULL = none.
 */
void body_release_job(const struct job *job, const struct plan_affinity *affinity, int64_t released_ms,
		      struct buf *out);
/* JSON patch that suspends it, for the user's spec.suspend. */
void body_suspend_job(const struct job *job, struct buf *out);
/* JSON patch: the TTL that was kept back. */
void body_job_ttl(const struct job *job, struct buf *out);
/* Merge patch of the status subresource, with resourceVersion as precondition. */
int body_status(const struct carbonawarejob *caj, const struct caj_status *status, struct buf *out,
		struct error *err) must_check;

#endif
