/* SPDX-License-Identifier: Apache-2.0 */
/* ConfigMap: its text data (binaryData is dropped). Labels kept: all. */
#ifndef K8S_TYPES_CONFIGMAP_H
#define K8S_TYPES_CONFIGMAP_H

#include "k8s/object.h"

struct configmap {
	struct object obj;
	struct pairs data;
};

extern const struct object_type configmap_type;

static inline const struct configmap *configmap_of(const struct object *o)
{
	return container_of(o, struct configmap, obj);
}

#endif
