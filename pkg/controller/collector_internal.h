/* SPDX-License-Identifier: Apache-2.0 */
/* The collector's state: sources and regions in collector_state.c, requests and schedule in collector.c. */
#ifndef CONTROLLER_COLLECTOR_INTERNAL_H
#define CONTROLLER_COLLECTOR_INTERNAL_H

#include "base/vec.h"
#include "controller/collector.h"

#define COLLECTOR_MOMENTS 3

/* One provider's word on one zone, of one product. Shared by all regions whose chains name it. */
struct source {
	const struct grid_provider *provider;
	enum grid_metric metric; /* GRID_CARBON or GRID_PRICE */
	char zone[GRID_NAME_MAX];
	char pinned[GRID_NAME_MAX];  /* product that the chain names, or "" */
	char asked[GRID_NAME_MAX];   /* product that the last plan asked for: pinned, configured or discovered */
	char product[GRID_NAME_MAX]; /* whose data it holds, or "" */
	struct grid_track *tracks[GRID_METRICS];
	struct grid_moment moments[COLLECTOR_MOMENTS]; /* newest start first; start TIME_NONE = empty */
	char trouble[160];                             /* of the last attempt, "" when it was good */
	bool used;
	bool touched; /* changed since the last collector_state_touched() */
};

struct chain {
	struct source *sources[GRIDREGION_MAX_CHAIN]; /* NULL: unknown provider or zone */
	char names[GRIDREGION_MAX_CHAIN][2 * GRID_NAME_MAX];
	int n;
};

struct region {
	char name[GRID_NAME_MAX];
	char group[GRID_NAME_MAX];
	struct chain carbon, price;
	bool touched; /* set anew since the last collector_state_touched() */
};

/* Guarded by its mutex. */
struct collector_state {
	pthread_mutex_t mutex;
	VEC(struct source *) sources;
	VEC(struct region) regions;
};

void collector_state_init(struct collector_state *s);
void collector_state_release(struct collector_state *s);
void collector_state_set(struct collector_state *s, const struct gridregion *const *regions, size_t n, int64_t now_ms);
/* What is wanted of that provider: at most `max` targets, whose strings live as long as the arena. */
size_t collector_state_targets(struct collector_state *s, const struct grid_provider *p, const char *configured,
			       const char *discovered, struct grid_target *out, size_t max, struct arena *arena);
/* Merges an answer, with what belongs to other zones than was asked for; `err`, NULL when all was well, is noted. */
void collector_state_merge(struct collector_state *s, const struct grid_provider *p, const struct grid_request *req,
			   const struct grid_answer *a, int64_t now_ms, const struct error *err);
/* Latest horizon of what the request is about; TIME_NONE if nothing is known. */
int64_t collector_state_horizon(struct collector_state *s, const struct grid_provider *p,
				const struct grid_request *req, int64_t now_ms);
/* Names of the regions that were set or whose sources changed since the last call, and of those in their groups. */
size_t collector_state_touched(struct collector_state *s, const char **out, size_t max, struct arena *arena);
/* See collector_view(). */
bool collector_view_of(struct collector_state *s, const char *region, int64_t now_ms, struct arena *arena,
		       struct collector_view *ret);
/* Age and horizon gauges. */
void collector_state_measure(struct collector_state *s, int64_t now_ms);

#endif
