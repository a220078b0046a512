/* SPDX-License-Identifier: Apache-2.0 */
/* Where a virtual clock is allowed. */
#include "k8s/clockguard.h"

#include "k8s/types/configmap.h"

int clockguard_check(struct k8s *k, const struct clock *clock, const char *ns, struct error *err)
{
	_cleanup_(cleanup_k8s_client) struct k8s_client *client = NULL;
	const struct object *found _cleanup_object_ = NULL;
	struct error why = ERROR_INIT;

	if (clock_is_real(clock) || k8s_auth(k)->loopback)
		return 0;
	client = k8s_client_new(k);
	if (!k8s_get_object(client, &configmap_type, ns, CLOCKGUARD_CONFIGMAP, &found, &why))
		return 0;
	if (why.code != ERR_NOT_FOUND) {
		*err = why;
		return error_wrap(err, "clock.factor is not 1, so ConfigMap %s/%s is needed", ns, CLOCKGUARD_CONFIGMAP);
	}
	return error_set(err, ERR_DENIED,
			 "clock.factor is not 1, but %s is neither loopback nor does namespace %s hold a ConfigMap %s: "
			 "remove the clock options, or create it on a cluster that nobody relies on",
			 k8s_auth(k)->server, ns, CLOCKGUARD_CONFIGMAP);
}
