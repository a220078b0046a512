/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resource.Quantity: "250m", "1.5", "4Gi", "128974848", "1e3". Suffixes n u m k M G T P E and Ki Mi Gi Ti Pi Ei, as in
 * k8s.io/apimachinery/pkg/api/resource. Pure.
 */
#ifndef K8S_QUANTITY_H
#define K8S_QUANTITY_H

#include "base/str.h"

/* In thousandths, rounded up as Kubernetes does, saturating at the ends of int64. False when it is no quantity. */
bool quantity_milli(struct str s, int64_t *ret);
/* In whole units (bytes, devices), rounded up. */
bool quantity_units(struct str s, int64_t *ret);

#endif
