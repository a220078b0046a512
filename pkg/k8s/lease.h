/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leader election on a coordination.k8s.io/v1 Lease, with client-go's protocol and times, in a thread of its own.
 *
 * A holder renews every retry_ms. Others take over when they have seen no change of the record for the lease duration,
 * measured by their own monotonic clock; nobody compares wall clocks. There is no fencing in Kubernetes, so we fence
 * ourselves: lease_is_held() is true only while less than renew_ms has passed since the last successful renewal *was
 * sent*. A process that was stopped and continued finds out at its first write, not at its next renewal:
 *
 *	k8s_set_gate(k, lease_gate, lease);
 */
#ifndef K8S_LEASE_H
#define K8S_LEASE_H

#include "k8s/rest.h"

struct lease_options {
	const char *ns;
	const char *name;
	const char *identity; /* unique per process: pod name and a random part */
	int64_t duration_ms;  /* [15 s] others wait so long; whole seconds in the record, rounded up */
	int64_t renew_ms;     /* [10 s] we give up after so long without success; < duration_ms */
	int64_t retry_ms;     /* [2 s] times 1 to 1.2 */
	/* On the lease's thread, `lost` also from lease_free(); any may be NULL. */
	void (*acquired)(void *arg);
	void (*lost)(void *arg);
	void *arg;
};

struct lease;
/* Starts electing. Strings are copied. ERR_INVALID unless duration > renew > 1.2 * retry. */
int lease_new(struct k8s *k, const struct lease_options *o, struct lease **ret, struct error *err) must_check;
/* Gives the lease back (so that the next one need not wait) and ends the thread. Stop all writers first. NULL is fine.
 */
void lease_free(struct lease *l);
DEFINE_CLEANUP(struct lease, lease, lease_free);

/* Any thread; reads the clock at each call. */
bool lease_is_held(const struct lease *l);
/* k8s_gate_fn; arg is the struct lease. ERR_CONFLICT "not the leader". */
int lease_gate(void *lease, int64_t *ret_valid_ms, struct error *err);
/* Who holds it by our last look; "" = nobody. Copied into out; returns out. */
char *lease_holder(struct lease *l, char out[256]);

#endif
