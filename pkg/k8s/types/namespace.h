/* SPDX-License-Identifier: Apache-2.0 */
/* Namespace: only its metadata with labels and annotations loadshift.io/ (mode: act or observe). */
#ifndef K8S_TYPES_NAMESPACE_H
#define K8S_TYPES_NAMESPACE_H

#include "k8s/object.h"

extern const struct object_type namespace_type;

#endif
