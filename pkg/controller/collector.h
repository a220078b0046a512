/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The collector: asks the providers that GridRegions name, on the net thread, and keeps the last good data of every
 * source. Only the elected operator runs one.
 *
 *  - A request is made once at a time, when its provider's schedule says so and its budget allows; what fails is asked
 *    again after a delay that grows; after five failures in a row the provider as a whole is left alone for a while
 *    (grid/schedule.h). After a 429, or a Retry-After, it is asked nothing until then. Delays are domain time, so they
 * shrink with its factor.
 *  - An answer is judged by its content (grid/answer.h). What it gives is merged point by point (grid/merge.h): no
 *    answer, however bad, takes away what a better one gave. Slots that it leaves out while publication goes on are
 *    asked for again.
 *  - All sources of a chain are kept up to date; grid/chain.h says which one is the region's, see collector_view().
 *  - Keys are read from files, again when those change; they are in no log, error, id or metric. A provider that needs
 *    one and has none, or that is switched off, is asked nothing; its sources say so.
 *
 * Metrics, in domain seconds where it is time: loadshift_grid_requests_total{provider,result},
 * _dropped_points_total{provider,reason}, _data_age_seconds{region,metric}, _horizon_seconds{region,metric},
 * _confidence_ratio{region,metric}, _source_in_use{region,metric,source}, _stress_ratio{region},
 * _circuit_state{provider} (0 closed, 1 half-open, 2 open), _budget_left{provider}. A feed's region is its area.
 */
#ifndef CONTROLLER_COLLECTOR_H
#define CONTROLLER_COLLECTOR_H

#include "api/gridregion.h"
#include "grid/chain.h"
#include "grid/schedule.h"
#include "grid/sink.h"
#include "grid/stress.h"
#include "http/client.h"

#define COLLECTOR_MAX_REGIONS 512
#define COLLECTOR_MAX_SOURCES 1024
#define COLLECTOR_MAX_FEEDS 64
/* Requests that one provider sees at the same time. */
#define COLLECTOR_MAX_IN_FLIGHT 4
/* Attempts remembered for each provider. */
#define COLLECTOR_MAX_ATTEMPTS 32

/* Settings of one provider. */
struct collector_provider {
	const char *name;        /* NULL ends the list */
	const char *base_url;    /* NULL = the live service; http:// is taken as it is: that is the explicit setting */
	const char *product;     /* used where a price chain pins none; NULL = discovered */
	const char *secret_file; /* key, token or password; NULL = none */
	const char *user_file;   /* the name that goes with it; NULL = none */
	const char *redirect_hosts; /* instead of the provider's own; NULL = those */
	const char *ca_file;        /* certificates that alone are trusted with it; NULL = the system's */
	bool disabled;              /* asked nothing */
};

/* What is collected for a whole area, besides what regions name: see grid_config.h. */
struct collector_feed {
	enum grid_metric metric;
	const char *area; /* collected while a region lies in it */
	const char *provider, *zone;
	const char *product; /* or NULL */
};

struct collector_options {
	struct http_loop *loop;
	struct clock clock;
	const struct collector_provider *providers; /* copied; NULL = all live */
	/* Stands in for scheme and host of every provider whose base URL is not set: a cache, gridreplay. NULL = none
	 */
	const char *server;
	const struct collector_feed *feeds; /* borrowed for its life, in order of preference */
	size_t n_feeds;
	const struct grid_custom *custom; /* borrowed for its life */
	size_t n_custom;
	int64_t max_age_ms;                        /* of carbon to be acted upon; 0 = GRID_MAX_AGE_MS */
	const struct grid_sink *sink;              /* borrowed for its life; NULL = none */
	const struct grid_history_reader *history; /* ditto; to be ended before the loop is */
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

struct collector_filler {
	const struct grid_provider *provider;
	const char *zone;
};

/* One metric of one region or area. */
struct collector_pick {
	enum grid_use use;
	int chain;   /* index in the chain; -1 = no source has ever given anything */
	bool usable; /* else it is the first with data, however old */
	const struct grid_provider *provider;
	const char *zone;
	const char *product; /* NULL = none */
	enum grid_metric metric;
	struct grid_basis basis; /* carbon */
	const char *currency;    /* prices */
	int32_t confidence_permille;
	int64_t fetched_ms;
	const struct grid_series *series;                /* gaps filled */
	struct collector_filler fillers[GRID_CHAIN_MAX]; /* from where */
	int n_fillers;
	const char *trouble; /* why sources before it, or all, are not used: one line; NULL = the first is used */
};

/* Why the regions of a group are not ranked against each other. */
enum collector_mixed { COLLECTOR_COMPARABLE, COLLECTOR_MIXED_BASIS, COLLECTOR_MIXED_PRICE };

struct collector_view {
	struct collector_pick carbon, price;
	const struct grid_series *renewable, *low_carbon; /* of a source of the same basis; NULL = none */
	const struct grid_moment *moment; /* of carbon's source or its area, newest that has begun; or NULL */
	struct collector_filler moment_source;
	const char *area; /* NULL = none */
	int32_t stress_permille;
	enum grid_stress_cause stress_cause;
	struct collector_filler stress_source; /* provider NULL = none */
	enum collector_mixed mixed;            /* of the usable regions of its group */
};

/* A copy in the arena. False when the region is not known (yet). Any thread. */
bool collector_view(struct collector *c, const char *region, int64_t now_ms, struct arena *arena,
		    struct collector_view *ret);
/* What an area's feeds know of a metric. False when there is no such feed. Any thread. */
bool collector_area(struct collector *c, const char *area, enum grid_metric metric, int64_t now_ms, struct arena *arena,
		    struct collector_pick *ret);

/* A provider as it is now: for the read API. Strings are the arena's or static. */
struct collector_status {
	const struct grid_provider *provider;
	const char *off; /* why it is asked nothing; NULL = it may be */
	bool wanted;     /* some region or feed names it */
	enum grid_circuit circuit;
	int budget_left;
	int n_attempts;
	const struct grid_attempt *attempts; /* newest first */
};
/* One for each provider of the table. Any thread. */
const struct collector_status *collector_status(struct collector *c, struct arena *arena);

#endif
