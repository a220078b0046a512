/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The collector: asks the providers that GridRegions name, on the net thread, and keeps the last good data of every
 * source. Only the elected operator runs one.
 *
 *  - A request is made once at a time, when its provider's schedule says so; what fails is asked again after 30 s to
 *    30 min, doubling, with full jitter; Retry-After is obeyed. Delays are domain time, so they shrink with its factor.
 *  - An answer is judged by its content. What it gives is merged point by point (grid/merge.h): no answer, however bad,
 *    takes away what a better one gave.
 *  - All sources of a chain are kept up to date; the first usable one is the region's, see collector_view().
 *
 * Metrics: loadshift_grid_requests_total{provider,result}, _dropped_points_total{provider,reason},
 * _data_age_seconds{region,metric}, _horizon_seconds{region,metric} (domain seconds).
 */
#ifndef CONTROLLER_COLLECTOR_H
#define CONTROLLER_COLLECTOR_H

#include "api/gridregion.h"
#include "grid/merge.h"
#include "grid/provider.h"
#include "http/client.h"

#define COLLECTOR_MAX_REGIONS 512
#define COLLECTOR_MAX_SOURCES 1024
/* Requests that one provider sees at the same time. */
#define COLLECTOR_MAX_IN_FLIGHT 4

/* Overrides of one provider. */
struct collector_provider {
	const char *name;     /* NULL ends the list */
	const char *base_url; /* NULL = the live service; http:// is taken as it is: that is the explicit setting */
	const char *product;  /* used where a price chain pins none; NULL = discovered */
};

struct collector_options {
	struct http_loop *loop;
	struct clock clock;
	const struct collector_provider *providers; /* copied; NULL = all live */
	/* New data for that region, or for one of its group. Net thread, no lock held: typically workqueue_add(). */
	void (*changed)(void *arg, const char *region);
	void *arg;
};

struct collector;
/* Asks for nothing until it has regions. ERR_NOT_FOUND when a provider's time zone is missing (package tzdata). */
int collector_new(const struct collector_options *o, struct collector **ret, struct error *err) must_check;
/* Not on the net thread, and before http_loop_free(). No callback comes afterwards. NULL is fine. */
void collector_free(struct collector *c);
DEFINE_CLEANUP(struct collector, collector, collector_free);

/*
 * The regions to serve, replacing earlier ones; any thread. A source met for the first time starts with what the
 * region's status says it had: so an operator that comes back knows what its predecessor knew. Every region is reported
 * as changed once.
 */
void collector_set_regions(struct collector *c, const struct gridregion *const *regions, size_t n);

/* One metric of one region. */
struct collector_pick {
	int chain;   /* index in the region's chain; -1 = no source has ever given anything */
	bool usable; /* else it is the first with data, however old */
	const struct grid_provider *provider;
	const char *zone;
	const char *product; /* NULL = none */
	int64_t fetched_ms;
	const struct grid_series *series;
	const char *trouble; /* why sources before it, or all, are not used: one line; NULL = the first is used */
};

struct collector_view {
	struct collector_pick carbon, price;
	const struct grid_series *renewable; /* of the carbon source; NULL = none */
	const struct grid_moment *moment;    /* of the carbon source, newest that has begun; NULL = none */
	bool mixed;                          /* usable regions of its group have carbon figures of different basis */
};

/* A copy in the arena. False when the region is not known (yet). Any thread. */
bool collector_view(struct collector *c, const char *region, int64_t now_ms, struct arena *arena,
		    struct collector_view *ret);

#endif
