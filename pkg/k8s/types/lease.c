/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding of Leases. */
#include "k8s/types/lease.h"

#include "base/clock.h"
#include "k8s/internal.h"

static int lease_decode(const struct json *item, struct object *o, struct error *err)
{
	struct lease_record *l = container_of(o, struct lease_record, obj);
	const struct json *spec = json_get(item, "spec");
	int64_t duration_s = decode_i64(json_get(spec, "leaseDurationSeconds"), 0);

	(void)err;
	l->holder = decode_text(json_get(spec, "holderIdentity"), &o->arena);
	l->duration_ms = CLAMP(duration_s, 0, INT32_MAX) * SECOND_MS;
	l->acquire_ms = decode_time(json_get(spec, "acquireTime"));
	l->renew_ms = decode_time(json_get(spec, "renewTime"));
	l->renew_text = decode_text(json_get(spec, "renewTime"), &o->arena);
	l->transitions = decode_i64(json_get(spec, "leaseTransitions"), 0);
	return 0;
}

const struct object_type lease_type = {
	.kind = "Lease",
	.api_version = "coordination.k8s.io/v1",
	.plural = "leases",
	.namespaced = true,
	.size = sizeof(struct lease_record),
	.decode = lease_decode,
};
