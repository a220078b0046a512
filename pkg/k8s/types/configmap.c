/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding of ConfigMaps. */
#include "k8s/types/configmap.h"

#include "k8s/internal.h"

static const char *const everything[] = { "*", NULL };

static int configmap_decode(const struct json *item, struct object *o, struct error *err)
{
	struct configmap *c = container_of(o, struct configmap, obj);

	(void)err;
	pairs_decode(json_get(item, "data"), everything, &o->arena, &c->data);
	return 0;
}

const struct object_type configmap_type = {
	.kind = "ConfigMap",
	.api_version = "v1",
	.plural = "configmaps",
	.namespaced = true,
	.size = sizeof(struct configmap),
	.labels = everything,
	.decode = configmap_decode,
};
