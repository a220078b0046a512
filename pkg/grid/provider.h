/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A provider of grid data: one file in grid/providers/ and one entry in the table. All of it is pure, the network is
 * somebody else's: plan() says what to ask for, parse() translates what came back, next_poll_ms() says when to ask
 * again. Any thread.
 *
 *	grid->plan(&env, targets, n, &plan);
 *	grid_answer_init(&answer, req->from_ms, req->to_ms, ...);
 *	if (grid->parse(&env, req, body, &answer, err))	(once per page)
 *		...
 *	due = grid->next_poll_ms(&env, req, known_until, jitter);
 */
#ifndef GRID_PROVIDER_H
#define GRID_PROVIDER_H

#include "base/tz.h"
#include "grid/answer.h"

/* One per region and metric is more than enough for the providers there are. */
#define GRID_PLAN_MAX 64
#define GRID_MAX_PAGES 20

/* What is wanted. */
struct grid_target {
	enum grid_metric metric; /* GRID_CARBON or GRID_PRICE; the others come along */
	const char *zone;
	const char *product; /* pinned by configuration, or NULL */
};

struct grid_env {
	const char *base_url; /* without a trailing '/' */
	int64_t now_ms;
	const struct tz *tz; /* of the provider's time_zone */
	const char *product; /* found by discovery, or NULL */
};

struct grid_request {
	int what;                   /* the provider's own number for the kind of request */
	char id[GRID_NAME_MAX * 2]; /* same question, same id: for single flight, backoff and the poll schedule */
	char url[GRID_URL_MAX];
	char zone[GRID_NAME_MAX];
	char product[GRID_NAME_MAX];
	bool uses_discovery;    /* the product was discovered: 404 means look again */
	int64_t from_ms, to_ms; /* the slots that an answer may hold */
};

struct grid_plan {
	struct grid_request items[GRID_PLAN_MAX];
	int n;
};

struct grid_provider {
	const char *name;        /* as in GridRegion.spec */
	const char *base_url;    /* the live service */
	const char *time_zone;   /* in which it publishes */
	const char *currency;    /* of its prices, ISO 4217; NULL = none */
	const char *note;        /* what a reader must know of its data; NULL = nothing */
	const char *attribution; /* to be shown with the data; NULL = none asked for */
	const char *licence;     /* of the data */
	/* Does it know the zone for that metric? */
	bool (*has_zone)(enum grid_metric metric, const char *zone);
	/* What its carbon figures of a zone mean. Only for zones it has. */
	void (*basis)(const char *zone, struct grid_basis *ret);
	/* Requests that serve all the targets (ones of other metrics or unknown zones are passed over). */
	void (*plan)(const struct grid_env *env, const struct grid_target *targets, size_t n, struct grid_plan *ret);
	/* Is the zone's data what that request asks for? */
	bool (*serves)(const struct grid_request *req, const char *zone);
	/*
	 * Adds a 2xx body to the answer; sets a->next when there are more pages. ERR_INVALID: not what was asked for,
	 * ERR_NOT_FOUND: well-formed but empty. The answer may hold points all the same.
	 */
	int (*parse)(const struct grid_env *env, const struct grid_request *req, struct str body, struct grid_answer *a,
		     struct error *err);
	/* Domain time of the next poll after a good answer. known_until: horizon of the series; jitter: [0, 1). */
	int64_t (*next_poll_ms)(const struct grid_env *env, const struct grid_request *req, int64_t known_until_ms,
				double jitter);
};

extern const struct grid_provider grid_carbonintensity_gb;
extern const struct grid_provider grid_octopus_agile;

#define GRID_PROVIDERS 2
extern const struct grid_provider *const grid_providers[GRID_PROVIDERS];
/* NULL when unknown. */
const struct grid_provider *grid_provider_find(const char *name);

/* Appends a request with that id, for the provider to fill; NULL when the id is there already or the plan is full. */
struct grid_request *grid_plan_add(struct grid_plan *p, const char *id);
/* Writes the URL; false (and the request taken back) when it does not fit. */
bool grid_plan_url(struct grid_plan *p, struct grid_request *r, const char *fmt, ...) printf_like(3, 4);

#endif
