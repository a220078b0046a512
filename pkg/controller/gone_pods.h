/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running times of pods that were deleted before their Job ended (evicted, preempted, paused): kept until they have
 * been written into the object's status.runs. Added by the pod informer on the net thread, taken by the reconciler.
 */
#ifndef CONTROLLER_GONE_PODS_H
#define CONTROLLER_GONE_PODS_H

#include "base/arena.h"
#include "base/error.h"
#include "decide/account.h"

#define GONE_PODS_MAX 4096 /* per job; what would be more lengthens the last one */

struct gone_pods;
struct gone_pods *gone_pods_new(void);
void gone_pods_free(struct gone_pods *g);
/* Strings are copied; region may be NULL. key: of the CarbonAwareJob. */
void gone_pods_add(struct gone_pods *g, const char *key, const struct pod_interval *interval);
/*
 * Copies those of that object into the arena. They stay until gone_pods_forget() takes away the first n, after the
 * write that recorded them has succeeded.
 */
void gone_pods_get(struct gone_pods *g, const char *key, struct arena *arena, struct pod_interval **ret, size_t *ret_n);
void gone_pods_forget(struct gone_pods *g, const char *key, size_t n);

#endif
