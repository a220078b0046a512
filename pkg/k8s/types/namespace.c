/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces are read for their metadata only. */
#include "k8s/types/namespace.h"

const struct object_type namespace_type = {
	.kind = "Namespace",
	.api_version = "v1",
	.plural = "namespaces",
	.size = sizeof(struct object),
	.labels = (const char *const[]){ "loadshift.io/", NULL },
	.annotations = (const char *const[]){ "loadshift.io/", NULL },
};
