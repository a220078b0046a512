/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records Kubernetes Events about objects, in a thread of its own. It never blocks the caller: the queue is bounded,
 * what does not fit is dropped and counted (k8s_events_total{result}).
 *
 * core/v1 Events rather than events.k8s.io/v1: `kubectl describe` reads them, client-go's recorder and so every policy
 * and exporter in the field know their count/lastTimestamp, and an aggregated one is a single merge patch.
 * The same object, reason and message within 10 minutes becomes one Event whose count grows; an object may cause 25
 * Events at once and one more every 5 minutes after that (client-go's spam filter).
 */
#ifndef K8S_EVENTS_H
#define K8S_EVENTS_H

#include "k8s/rest.h"

#define EVENTS_MAX_QUEUE 1000
#define EVENTS_MAX_KNOWN 4096
#define EVENT_MESSAGE_MAX 1024

enum event_type { EVENT_NORMAL, EVENT_WARNING };

struct recorder;
/* component: "loadshift-operator"; instance: the pod's name. Writes pass k's gate. */
int recorder_new(struct k8s *k, const char *component, const char *instance, struct recorder **ret,
		 struct error *err) must_check;
/* Sends what waits for at most 2 s, then drops the rest. NULL is fine. */
void recorder_free(struct recorder *r);

/* reason: CamelCase. Any thread. r may be NULL: nothing happens. */
void recorder_event(struct recorder *r, const struct object *about, enum event_type type, const char *reason,
		    const char *message_fmt, ...) printf_like(5, 6);

#endif
