/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The collector's parts. collector.c: life cycle and schedule; collector_fetch.c: one request, its pages and its end;
 * collector_poller.c: what belongs to one provider; collector_state.c: sources, regions and what they know;
 * collector_view.c: reading that.
 */
#ifndef CONTROLLER_COLLECTOR_INTERNAL_H
#define CONTROLLER_COLLECTOR_INTERNAL_H

#include "base/vec.h"
#include "controller/collector.h"

#define COLLECTOR_MOMENTS 3
#define COLLECTOR_ID_MAX (2 * GRID_NAME_MAX)

/* One provider's word on one metric of one zone, of one product. Shared by all whose chains name it. */
struct source {
	const struct grid_provider *provider;
	int index;               /* of the provider in grid_providers */
	enum grid_metric metric; /* what it is named for */
	char zone[GRID_NAME_MAX];
	char pinned[GRID_NAME_MAX];  /* product that the chain names, or "" */
	char asked[GRID_NAME_MAX];   /* product that the last plan asked for: pinned, configured or discovered */
	char product[GRID_NAME_MAX]; /* whose data it holds, or "" */
	struct grid_basis basis;     /* carbon */
	const char *currency;        /* prices */
	struct grid_track *tracks[GRID_METRICS];
	struct grid_moment moments[COLLECTOR_MOMENTS]; /* newest start first; start TIME_NONE = empty */
	char trouble[160];                             /* of the last attempt, "" when it was good */
	bool used;
	bool touched; /* changed since the last collector_state_touched() */
};

struct chain {
	struct source *sources[GRID_CHAIN_MAX]; /* NULL: unknown provider or zone */
	char names[GRID_CHAIN_MAX][2 * GRID_NAME_MAX];
	int n;
};

struct region {
	char name[GRID_NAME_MAX];
	char group[GRID_NAME_MAX];
	char area[GRID_NAME_MAX]; /* "" = none */
	struct chain carbon, price;
	bool touched; /* set anew since the last collector_state_touched() */
	/* What the sink was told of its stress, and of which slot. */
	int32_t told_permille;
	int64_t told_slot_ms;
};

/* The feeds of one metric of an area that some region lies in. */
struct feed_chain {
	char area[GRID_NAME_MAX];
	enum grid_metric metric;
	struct chain chain;
};

/* Copies of the strings of a struct grid_attempt. */
struct kept_attempt {
	struct grid_attempt a; /* request, reason: unused */
	char request[COLLECTOR_ID_MAX];
	char reason[160];
};

/* A provider as seen from other threads. */
struct provider_state {
	char off[200]; /* "" = it may be asked */
	enum grid_circuit circuit;
	int budget_left;
	struct kept_attempt attempts[COLLECTOR_MAX_ATTEMPTS]; /* a ring */
	int next_attempt, n_attempts;
};

/* Guarded by its mutex, but for what never changes. */
struct collector_state {
	pthread_mutex_t mutex;
	VEC(struct source *) sources;
	VEC(struct region) regions;
	VEC(struct feed_chain) feeds;
	struct provider_state *providers; /* grid_n_providers */
	/* Never changes. */
	const struct grid_env *envs; /* grid_n_providers: custom sources only */
	const struct collector_feed *wanted_feeds;
	size_t n_wanted_feeds;
	int64_t max_age_ms;
	const struct grid_sink *sink; /* or NULL */
};

void collector_state_init(struct collector_state *s, const struct collector_options *o, const struct grid_env *envs);
void collector_state_release(struct collector_state *s);
void collector_state_set(struct collector_state *s, const struct gridregion *const *regions, size_t n, int64_t now_ms);
/* What is wanted of that provider: at most `max` targets, whose strings live as long as the arena. */
size_t collector_state_targets(struct collector_state *s, const struct grid_provider *p, const char *configured,
			       const char *discovered, struct grid_target *out, size_t max, struct arena *arena);

/* What became of an answer's values. */
struct merged {
	int64_t horizon_ms; /* latest known of what it was about; TIME_NONE if nothing is */
	int gaps;           /* slots it left out though later ones are known */
	bool partly;        /* it knew less of the future than we did */
};
/* Merges an answer, with what belongs to other zones than was asked for; `err`, NULL when all was well, is noted. */
void collector_state_merge(struct collector_state *s, int provider, const struct grid_request *req,
			   const struct grid_answer *a, int64_t now_ms, const struct error *err, struct merged *ret);
/* Why a provider is asked nothing, "" = it may be. */
void collector_state_off(struct collector_state *s, int provider, const char *why);
void collector_state_attempt(struct collector_state *s, int provider, const struct grid_attempt *a);
/* Names of the regions that were set or whose sources changed since the last call, and of those in their groups. */
size_t collector_state_touched(struct collector_state *s, const char **out, size_t max, struct arena *arena);

/* See collector_view(), collector_area(), collector_status(). */
bool collector_view_of(struct collector_state *s, const char *region, int64_t now_ms, struct arena *arena,
		       struct collector_view *ret);
bool collector_area_of(struct collector_state *s, const char *area, enum grid_metric metric, int64_t now_ms,
		       struct arena *arena, struct collector_pick *ret);
const struct collector_status *collector_status_of(struct collector_state *s, struct arena *arena);
/* Gauges of regions and areas; the sink hears of stress that is new. */
void collector_view_measure(struct collector_state *s, int64_t now_ms);

/* A short secret in a file. */
struct secret_file {
	char path[512]; /* "" = none */
	char text[1024];
	int64_t stamp[4]; /* of the file that was read */
	bool known;
};
/* Reads it if it has changed. ERR_... names the file, never what is in it. */
int secret_file_refresh(struct secret_file *s, struct error *err) must_check;

/* The schedule of one question, by the request's id. Times are domain times. */
struct feed {
	char id[COLLECTOR_ID_MAX];
	int64_t due_ms;
	int failures;
	int heals;    /* answers with holes in a row */
	bool renewed; /* a note was given up for it, and it was not answered well since */
	bool in_flight;
	bool planned; /* in the newest plan */
};

struct kept_note {
	char finder[COLLECTOR_ID_MAX]; /* the request that found it */
	uint32_t generation;
};

struct fetch;

/* What belongs to one provider. Net thread only. */
struct poller {
	struct collector *c;
	int index; /* in grid_providers */
	const struct grid_provider *provider;
	char base_url[GRID_URL_MAX];
	char configured[GRID_NAME_MAX]; /* product, or "" */
	char redirect_hosts[512];
	char ca_file[512]; /* "" = the system's */
	bool disabled;
	const struct grid_custom *custom;
	int n_custom;
	struct secret_file secret, user;
	int64_t looked_ms;                             /* domain: when the schedule was looked at last */
	int64_t secrets_looked_ms;                     /* monotonic */
	struct grid_note notes[GRID_ANSWER_MAX_NOTES]; /* ... */
	struct kept_note kept[GRID_ANSWER_MAX_NOTES];  /* ... and what goes with each */
	int n_notes;
	uint32_t generation; /* of the last note */
	struct tz *tz;
	struct grid_budget budget;
	struct grid_breaker breaker;
	int64_t silent_until_ms; /* after a 429 or a Retry-After: until then nothing is asked, not as a probe either */
	VEC(struct feed) feeds;
	VEC(struct fetch *) fetches;
};

/* Overrides and custom sources. ERR_NOT_FOUND: time zone. */
int poller_init(struct poller *p, struct collector *c, int index, const struct collector_options *o,
		struct error *err) must_check;
void poller_release(struct poller *p);
struct grid_env poller_env(const struct poller *p, int64_t now_ms);
/* Looks at the files and says in the state why it can ask nothing. False then. */
bool poller_is_on(struct poller *p);
struct feed *poller_feed(struct poller *p, const char *id);
void poller_expire_notes(struct poller *p, int64_t now_ms);
void poller_keep_note(struct poller *p, const struct grid_note *note, const char *finder);
/* Generation of the note, 0 = there is none. */
uint32_t poller_note_generation(const struct poller *p, const char *key);
/* Gives up a note; what found it is asked again at once. */
void poller_forget_note(struct poller *p, const char *key, int64_t now_ms);
/* Asks what is due, as far as budget and circuit allow; the domain time of the next thing to do. */
int64_t poller_poll(struct poller *p, int64_t now_ms);

struct past_call;

/* One answer in the making: a request and the pages that follow. */
struct fetch {
	struct poller *p;
	struct grid_request req;
	struct grid_answer answer;
	struct http_call *call;
	struct past_call *past; /* of a request to our own history */
	uint32_t generation;    /* of the note that it rests on */
	bool waiting;           /* for the budget, to ask for the next page */
	char url[GRID_URL_MAX]; /* of the page */
	int pages, http_status;
	int64_t bytes, started_ms; /* monotonic */
	char detour[160];          /* why the request's `otherwise` was asked, "" = it was not */
};

void fetch_begin(struct poller *p, const struct grid_request *req, struct feed *feed, int64_t now_ms);
/* The next page of one that waits for it. */
void fetch_continue(struct fetch *f);
/* Drops it without an end. */
void fetch_cancel(struct fetch *f);

struct collector {
	struct http_loop *loop;
	struct clock clock;
	void (*changed)(void *arg, const char *region);
	void *arg;
	const struct grid_sink *sink;
	const struct grid_history_reader *history;
	struct collector_state state;
	struct grid_env *envs;      /* grid_n_providers, for the state */
	struct poller *pollers;     /* grid_n_providers */
	struct grid_custom *custom; /* by provider */
	/* The rest: net thread only. */
	struct arena arena; /* of one call */
	struct grid_plan plan;
	uint64_t timer;      /* 0 = none */
	int64_t timer_ms;    /* monotonic */
	int64_t measured_ms; /* ditto; TIME_NONE = never */
	bool stopped;
	/* For collector_free(). */
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	bool gone;
};

/* Looks at the schedule after that many real ms, or earlier: a wake-up that is set already is never put off. */
void collector_wake(struct collector *c, int64_t delay_ms);
/* Tells of the regions that have changed. */
void collector_tell(struct collector *c);

#endif
