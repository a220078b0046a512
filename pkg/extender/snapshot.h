/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the extender knows of the cluster at one moment: the region of each node by name, and what lies ahead in each
 * region. Immutable and ref-counted; built anew whenever Nodes or GridRegions change, then swapped in the holder.
 *
 *	struct extender_snapshot *s = extender_holder_get(&h);
 *	unsigned region = extender_snapshot_region(s, name);
 *	extender_snapshot_unref(s);
 *
 * Regions are **comparable** when they are in the same `spec.group` and carry the same four-part basis; a region
 * without group, or with a part of its basis unknown, is comparable to none. Thread: any.
 */
#ifndef EXTENDER_SNAPSHOT_H
#define EXTENDER_SNAPSHOT_H

#include <pthread.h>
#include <stdatomic.h>

#include "extender/outlook.h"

#define EXTENDER_MAX_REGIONS 128
#define EXTENDER_MAX_NODES 150000

struct extender_region {
	const char *name;
	unsigned set; /* index of the first region it is comparable to, itself included */
	bool place_shift_disabled;
	int32_t carbon_error_mg_per_kwh; /* EXTENDER_CARBON_ERROR_MG_PER_KWH, more where confidence is less */
	int64_t as_of_ms; /* when carbon was fetched, or issued where that is not said; TIME_NONE = never */
	enum cost_basis cost_basis;
	const char *currency; /* NULL = no price */
	struct outlook outlook;
};

struct extender_snapshot {
	_Atomic(int) refs;
	struct arena arena; /* owns everything below */
	const struct extender_region *regions;
	unsigned n_regions; /* also the "region" of nodes that belong to none */
	int64_t max_age_ms; /* data that are older count as none */
	size_t n_nodes;
	/* private: open addressing by a keyed hash of the name */
	uint64_t secret;
	size_t mask;
	unsigned shift;
	const uint64_t *slots;
};

struct extender_node {
	struct str name;
	int region; /* index into the GridRegions given, -1 = none */
};

/*
 * One reference. Regions beyond EXTENDER_MAX_REGIONS and nodes beyond EXTENDER_MAX_NODES are left out, and nodes of
 * such regions belong to none. Of several nodes with one name the first counts. Everything is copied.
 */
struct extender_snapshot *extender_snapshot_new(const struct extender_node *nodes, size_t n_nodes,
						const struct gridregion *const *regions, size_t n_regions,
						int64_t max_age_ms);
struct extender_snapshot *extender_snapshot_ref(struct extender_snapshot *s);
void extender_snapshot_unref(struct extender_snapshot *s);
static inline void extender_snapshot_cleanup(struct extender_snapshot **s)
{
	extender_snapshot_unref(*s);
}

/* The region of a node by name: its index, or n_regions where node or region is not known. */
unsigned extender_snapshot_region(const struct extender_snapshot *s, struct str name);

/* The one place where the current snapshot is found: a mutex around load and ref; the last unref frees outside it. */
struct extender_holder {
	pthread_mutex_t mutex;
	struct extender_snapshot *current; /* NULL until the first one is there */
};

#define EXTENDER_HOLDER_INIT                       \
	{                                          \
		.mutex = PTHREAD_MUTEX_INITIALIZER \
	}
/* A reference for the caller, or NULL. */
struct extender_snapshot *extender_holder_get(struct extender_holder *h);
/* Takes the caller's reference (NULL = none any more) and drops its own of the one before. */
void extender_holder_set(struct extender_holder *h, struct extender_snapshot *take);

#endif
