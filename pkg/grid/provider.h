/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A provider of grid data: one file in grid/providers/ and one line in grid/providers.inc. All of it is pure, the
 * network is somebody else's: plan() says what to ask for, parse() translates what came back, next_poll_ms() says when
 * to ask again. Any thread. docs/add-a-provider.md shows how to add one.
 *
 *	grid->plan(&env, targets, n, &plan);
 *	grid_answer_init(&answer, req->from_ms, req->to_ms, ...);
 *	if (grid->parse(&env, req, body, &answer, err))	(once per page)
 *		...
 *	grid_answer_finish(&answer, grid->flat);
 *	due = grid_provider_next_poll_ms(grid, &env, req, known_until, jitter);
 */
#ifndef GRID_PROVIDER_H
#define GRID_PROVIDER_H

#include "base/tz.h"
#include "grid/answer.h"

/* One per region and metric is more than enough for the providers there are. */
#define GRID_PLAN_MAX 64
#define GRID_MAX_PAGES 20
#define GRID_MAX_CUSTOM 32
#define GRID_HEADER_MAX 1200 /* "Authorization: Bearer " and a token */

/* What is wanted. */
struct grid_target {
	enum grid_metric metric;
	const char *zone;
	const char *product; /* pinned by configuration, or NULL */
};

/*
 * A source by configuration: what the providers `generic` and `prometheus` serve, and where a place is for the weather.
 * The zone of a target is its name.
 */
struct grid_custom {
	const char *name;
	const char *provider; /* whose it is: "generic", "prometheus", "open-meteo", ... */
	enum grid_metric metric;
	const char *url;                      /* generic: complete; {from} and {to} are replaced by RFC 3339 times */
	const char *query;                    /* prometheus: PromQL */
	const char *format;                   /* generic: "json" or "csv" */
	const char *rows;                     /* generic JSON: dotted path of the array; "" = the document is one */
	const char *time_field, *value_field; /* generic: key or column; dotted within a row */
	const char *time_zone;                /* of times without an offset; NULL = UTC */
	const struct tz *tz;  /* that zone, loaded by whoever reads the configuration; NULL = env's, UTC */
	const char *currency; /* ISO 4217, of prices; NULL = none */
	double scale;         /* value x scale = the metric's unit; 0 = 1 */
	int64_t step_ms;      /* length of a point; 0 = SLOT_MS */
	bool end_labelled;    /* the time is the point's end */
	enum grid_kind kind;
	struct grid_basis basis;
	double latitude, longitude; /* weather, WattTime; NAN = none */
};

struct grid_env {
	const char *base_url; /* without a trailing '/' */
	int64_t now_ms;
	const struct tz *tz;           /* of the provider's time_zone */
	const struct grid_note *notes; /* what earlier answers found; those that have expired are left out */
	int n_notes;
	const char *user, *secret;        /* from files; NULL = none. Never in an error, a log or an id */
	const struct grid_custom *custom; /* all of this provider's */
	int n_custom;
};

struct grid_request {
	int what;                   /* the provider's own number for the kind of request */
	char id[GRID_NAME_MAX * 2]; /* same question, same id: for single flight, backoff and the poll schedule */
	char url[GRID_URL_MAX];
	char header[GRID_HEADER_MAX]; /* one more header line, such as a key; "" = none */
	bool secret_url;              /* the URL holds a key: it is never shown */
	char otherwise[GRID_URL_MAX]; /* asked once where the first page is no use: a look-up by id. "" = nothing */
	bool history;                 /* answered by our own history, not by the network: see grid/sink.h */
	char zone[GRID_NAME_MAX];
	char product[GRID_NAME_MAX];
	char rests_on[GRID_NAME_MAX]; /* key of the note it was made with: 401, 403 or 404 means forget it; "" = none */
	int64_t from_ms, to_ms;       /* the slots that an answer may hold */
};

struct grid_plan {
	struct grid_request items[GRID_PLAN_MAX];
	int n;
};

struct grid_provider {
	const char *name;           /* as in GridRegion.spec */
	const char *base_url;       /* the live service; NULL: configuration must give one; "": it needs none */
	const char *time_zone;      /* in which it publishes */
	const char *currency;       /* of its prices, ISO 4217; NULL = none, or by zone: see currency_of */
	const char *note;           /* what a reader must know of its data; NULL = nothing */
	const char *attribution;    /* to be shown with the data; NULL = none asked for */
	const char *licence;        /* of the data */
	const char *redirect_hosts; /* where answers may lead to, as in http/client.h; NULL = nowhere */
	const char *secret;         /* what to get and where; NULL = it needs no key */
	bool needs_user;            /* and a user's name with it */
	/* At most so many requests in so long (providers.md 0), in one burst or spread. 0 = 60 in a minute. */
	int budget_requests;
	int64_t budget_ms;
	int confidence_permille; /* of its carbon forecast as a basis for decisions; 0 = 1000. See grid/chain.h */
	bool last_resort;        /* no forecast at all: stands in when nothing else is left, and fills no gaps */
	bool flat;               /* hours of the same value are its nature: tariffs, static factors */
	bool no_export;          /* its values may be used and shown here, not passed on */
	/* Does it know the zone for that metric? Pinned custom sources: env's; all others ignore it. */
	bool (*has_zone)(const struct grid_env *env, enum grid_metric metric, const char *zone);
	/* What its carbon figures of a zone mean. Only for zones it has. */
	void (*basis)(const struct grid_env *env, const char *zone, struct grid_basis *ret);
	/* NULL = currency for all. */
	const char *(*currency_of)(const char *zone);
	/* The bidding or balancing area of a zone, whose demand and margin are its own: "GB", "DE-LU". NULL = none. */
	const char *(*area)(const char *zone);
	/*
	 * Requests that serve all the targets (ones of other metrics or unknown zones are passed over). A request with
	 * an empty URL needs no network: when it is due, parse() is called at once with an empty body (static-factors).
	 */
	void (*plan)(const struct grid_env *env, const struct grid_target *targets, size_t n, struct grid_plan *ret);
	/* Is the zone's data what that request asks for? NULL = when it is the request's zone. */
	bool (*serves)(const struct grid_request *req, const char *zone);
	/*
	 * Adds a 2xx body to the answer; sets a->next when there are more pages. ERR_INVALID: not what was asked for,
	 * ERR_NOT_FOUND: well-formed but empty. The answer may hold points all the same.
	 */
	int (*parse)(const struct grid_env *env, const struct grid_request *req, struct str body, struct grid_answer *a,
		     struct error *err);
	/*
	 * Domain time of the next poll after a good answer. known_until: horizon of the series; jitter: [0, 1). NULL =
	 * every poll_every_ms, for providers without a publication rhythm: see grid_poll_every().
	 */
	int64_t poll_every_ms;
	int64_t (*next_poll_ms)(const struct grid_env *env, const struct grid_request *req, int64_t known_until_ms,
				double jitter);
};

#define GRID_PROVIDER(p) extern const struct grid_provider p;
#include "grid/providers.inc"
#undef GRID_PROVIDER
/* All of them; the last is NULL. */
extern const struct grid_provider *const grid_providers[];
extern const int grid_n_providers;
/* NULL when unknown. */
const struct grid_provider *grid_provider_find(const char *name);
/* serves and next_poll_ms, or what stands for them. */
bool grid_provider_serves(const struct grid_provider *p, const struct grid_request *req, const char *zone);
int64_t grid_provider_next_poll_ms(const struct grid_provider *p, const struct grid_env *env,
				   const struct grid_request *req, int64_t known_until_ms, double jitter);

/* The note of that key, NULL when there is none. */
const char *grid_env_note(const struct grid_env *env, const char *key);
/* The custom source of that name, NULL when there is none. */
const struct grid_custom *grid_env_custom(const struct grid_env *env, const char *name);

/* Appends a request with that id, for the provider to fill; NULL when the id is there already or the plan is full. */
struct grid_request *grid_plan_add(struct grid_plan *p, const char *id);
/* Writes the URL; false (and the request taken back) when it does not fit. */
bool grid_plan_url(struct grid_plan *p, struct grid_request *r, const char *fmt, ...) printf_like(3, 4);
/* The running slot, for requests that look ahead of it and behind. */
static inline int64_t grid_now_slot(const struct grid_env *env)
{
	return time_slot_floor(env->now_ms, SLOT_MS);
}
/* The zone that it asks about (NULL = several, or none), and the slots that its answer may hold. */
static inline void grid_request_about(struct grid_request *r, const char *zone, int64_t from_ms, int64_t to_ms)
{
	(void)str_copy(r->zone, sizeof(r->zone), str_from(zone));
	r->from_ms = from_ms;
	r->to_ms = to_ms;
}
/* Polls every `every_ms` plus up to a tenth of it by jitter: for providers without a publication rhythm. */
int64_t grid_poll_every(const struct grid_env *env, int64_t every_ms, double jitter);

#endif
