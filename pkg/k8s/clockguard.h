/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A clock other than the real one belongs to demo and tests: on a cluster that people use, releases would come at times
 * that nobody expects. So it is refused unless the API server is this machine (loopback), or the namespace holds a
 * ConfigMap loadshift-virtual-clock, which somebody must have put there on purpose.
 */
#ifndef K8S_CLOCKGUARD_H
#define K8S_CLOCKGUARD_H

#include "base/clock.h"
#include "k8s/rest.h"

#define CLOCKGUARD_CONFIGMAP "loadshift-virtual-clock"

/* ns: where the ConfigMap is looked for. ERR_DENIED when refused; other errors when it could not be found out. */
int clockguard_check(struct k8s *k, const struct clock *clock, const char *ns, struct error *err) must_check;

#endif
