/* SPDX-License-Identifier: Apache-2.0 */
/* The collector's requests and schedule, all on the net thread. */
#include "controller/collector.h"

#include "base/alloc.h"
#include "base/rand.h"
#include "controller/collector_internal.h"
#include "metrics/metrics.h"

#define CONNECT_AND_TOTAL_MS (30 * SECOND_MS) /* the client itself gives a connection 5 s */
#define MAX_BODY ((size_t)4 * 1024 * 1024)
#define BACKOFF_FIRST_MS (30 * SECOND_MS)
#define BACKOFF_LAST_MS (30 * MINUTE_MS)
/* Never faster than this, however fast the domain clock runs. Real ms. */
#define MIN_DELAY_MS 100
/* The clock is looked at again at least so often: it may be stepped. Real ms. */
#define MAX_SLEEP_MS (60 * SECOND_MS)
#define ARENA_MAX ((size_t)16 * 1024 * 1024)

static struct metric requests_total = METRIC_COUNTER(
	"loadshift_grid_requests_total", "Requests to grid data providers, by how they ended.", "provider", "result");
static struct metric dropped_total =
	METRIC_COUNTER("loadshift_grid_dropped_points_total",
		       "Data points of providers that were not taken, by reason.", "provider", "reason");

/* The schedule of one question, by the request's id. */
struct feed {
	char id[GRID_NAME_MAX * 2];
	int64_t due_ms; /* domain */
	int failures;
	bool in_flight;
	bool planned; /* in the newest plan */
};

struct fetch;

struct poller {
	struct collector *c;
	const struct grid_provider *provider;
	char base_url[GRID_URL_MAX];
	char configured[GRID_NAME_MAX]; /* product, or "" */
	struct grid_note notes[GRID_ANSWER_MAX_NOTES];
	int n_notes;
	struct tz *tz;
	VEC(struct feed) feeds;
	VEC(struct fetch *) fetches;
};

struct collector {
	struct http_loop *loop;
	struct clock clock;
	void (*changed)(void *arg, const char *region);
	void *arg;
	struct collector_state state;
	struct poller *pollers; /* grid_n_providers */
	/* The rest: net thread only. */
	struct arena arena; /* of one call */
	struct grid_plan plan;
	uint64_t timer;   /* 0 = none */
	int64_t timer_ms; /* monotonic */
	bool stopped;
	/* For collector_free(). */
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	bool gone;
};

/* One answer in the making: a request and the pages that follow. */
struct fetch {
	struct poller *p;
	struct grid_request req;
	struct grid_answer answer;
	struct http_call *call;
	int pages;
};

static void tick(void *arg);

/* Looks at the schedule after that many real ms, or earlier: a wake-up that is set already is never put off. */
static void wake_after(struct collector *c, int64_t delay_ms)
{
	int64_t at_ms = clock_mono_ms() + CLAMP(delay_ms, MIN_DELAY_MS, MAX_SLEEP_MS);

	if (c->timer && c->timer_ms <= at_ms)
		return;
	if (c->timer)
		http_loop_cancel_timer(c->loop, c->timer);
	c->timer_ms = at_ms;
	c->timer = http_loop_after(c->loop, at_ms - clock_mono_ms(), tick, c);
}

static struct grid_env env_of(const struct poller *p, int64_t now_ms)
{
	return (struct grid_env){
		.base_url = p->base_url, .now_ms = now_ms, .tz = p->tz, .notes = p->notes, .n_notes = p->n_notes
	};
}

static struct feed *feed_find(struct poller *p, const char *id)
{
	for (size_t i = 0; i < p->feeds.len; i++)
		if (strcmp(p->feeds.ptr[i].id, id) == 0)
			return &p->feeds.ptr[i];
	return NULL;
}

/* Full jitter: anywhere up to the doubled delay. */
static int64_t backoff_ms(int failures)
{
	int64_t cap = BACKOFF_FIRST_MS;

	for (int i = 1; i < failures && cap < BACKOFF_LAST_MS; i++)
		cap *= 2;
	return rand_below(MIN(cap, BACKOFF_LAST_MS)) + 1;
}

static void fetch_free(struct fetch *f)
{
	struct poller *p = f->p;

	for (size_t i = 0; i < p->fetches.len; i++)
		if (p->fetches.ptr[i] == f) {
			p->fetches.ptr[i] = p->fetches.ptr[--p->fetches.len];
			break;
		}
	grid_answer_release(&f->answer);
	free(f);
}

static void count(const struct poller *p, const struct fetch *f, const char *result)
{
	metric_inc(metric_series(&requests_total, p->provider->name, result));
	for (int i = 0; i < GRID_DROPS; i++)
		if (f->answer.dropped[i])
			metric_add(metric_series(&dropped_total, p->provider->name, grid_drop_name((enum grid_drop)i)),
				   f->answer.dropped[i]);
}

static void tell(struct collector *c)
{
	const char **names = arena_array(&c->arena, COLLECTOR_MAX_REGIONS, const char *);
	size_t n = collector_state_touched(&c->state, names, COLLECTOR_MAX_REGIONS, &c->arena);

	for (size_t i = 0; i < n; i++)
		c->changed(c->arg, names[i]);
}

/* When to ask again. err NULL: it went well. */
static void reschedule(struct fetch *f, int64_t now_ms, const struct error *err)
{
	struct poller *p = f->p;
	struct feed *feed = feed_find(p, f->req.id);
	struct grid_env env = env_of(p, now_ms);
	double jitter = (double)rand_below(1000) / 1000;

	if (!feed)
		return;
	feed->in_flight = false;
	if (!err) {
		feed->failures = 0;
		feed->due_ms = p->provider->next_poll_ms(
			&env, &f->req, collector_state_horizon(&p->c->state, p->provider, &f->req, now_ms), jitter);
		feed->due_ms = MAX(feed->due_ms, now_ms + MINUTE_MS);
		return;
	}
	feed->failures = MIN(feed->failures + 1, 16);
	/* What the server asks for is real time; our own delays are domain time. */
	feed->due_ms = now_ms + MAX(backoff_ms(feed->failures), err->retry_after_ms * p->c->clock.factor);
}

static struct grid_note *note_find(struct poller *p, const char *key)
{
	for (int i = 0; i < p->n_notes; i++)
		if (strcmp(p->notes[i].key, key) == 0)
			return &p->notes[i];
	return NULL;
}

static void note_keep(struct poller *p, const struct grid_note *note)
{
	struct grid_note *kept = note_find(p, note->key);

	if (!kept && p->n_notes < GRID_ANSWER_MAX_NOTES)
		kept = &p->notes[p->n_notes++];
	if (kept)
		*kept = *note;
}

/* The product was retired, the token has aged: what was found out is looked for anew, soon. */
static void note_forget(struct poller *p, const char *key, int64_t now_ms)
{
	struct grid_note *kept = note_find(p, key);
	struct feed *finder = feed_find(p, "products");

	if (kept)
		*kept = p->notes[--p->n_notes];
	if (finder && !finder->in_flight)
		finder->due_ms = MIN(finder->due_ms, now_ms + MINUTE_MS);
}

/* The end of a fetch, good or bad: takes what there is, says when to ask again, tells who it may concern. */
static void finish(struct fetch *f, const struct error *err)
{
	struct poller *p = f->p;
	struct collector *c = p->c;
	int64_t now_ms = clock_now_ms(&c->clock);

	collector_state_merge(&c->state, p->provider, &f->req, &f->answer, now_ms, err);
	count(p, f, !err ? "ok" : err->code == ERR_NOT_FOUND && !err->http ? "empty" : error_code_name(err->code));
	for (int i = 0; !err && i < f->answer.n_notes; i++)
		note_keep(p, &f->answer.notes[i]);
	if (err && f->req.rests_on[0] && (err->http == 401 || err->http == 403 || err->http == 404))
		note_forget(p, f->req.rests_on, now_ms);
	reschedule(f, now_ms, err);
	tell(c);
	fetch_free(f);
	wake_after(c, 0);
}

static void fetch_start(struct fetch *f, const char *url);

static int take_body(struct fetch *f, struct http_response *resp, const struct error *failed, struct error *err)
{
	struct grid_env env = env_of(f->p, clock_now_ms(&f->p->c->clock));

	if (failed) {
		*err = *failed;
		return -1;
	}
	if (http_status_error(resp, f->req.id, err)) {
		err->retry_after_ms = resp->retry_after_ms;
		return -1;
	}
	f->answer.next[0] = '\0';
	return f->p->provider->parse(&env, &f->req, buf_str(&resp->body), &f->answer, err);
}

static void on_done(void *arg, struct http_response *resp, const struct error *failed)
{
	struct fetch *f = arg;
	struct error err = ERROR_INIT;

	f->call = NULL;
	arena_reset(&f->p->c->arena);
	if (take_body(f, resp, failed, &err)) {
		finish(f, &err);
		return;
	}
	if (f->answer.next[0] && ++f->pages < GRID_MAX_PAGES) {
		char next[GRID_URL_MAX];

		memcpy(next, f->answer.next, sizeof(next));
		fetch_start(f, next);
		return;
	}
	grid_answer_finish(&f->answer, f->p->provider->flat);
	finish(f, NULL);
}

static void fetch_start(struct fetch *f, const char *url)
{
	const struct http_request req = { .url = url,
					  .headers = { "Accept: application/json" },
					  /* http:// stands here only where configuration says so */
					  .allow_plain = strncmp(f->p->base_url, "http://", 7) == 0,
					  .timeout_ms = CONNECT_AND_TOTAL_MS,
					  .max_body = MAX_BODY };

	f->call = http_loop_fetch(f->p->c->loop, &req, on_done, f);
}

static void ask(struct poller *p, const struct grid_request *req, struct feed *feed, int64_t now_ms)
{
	struct fetch *f = xcalloc(1, sizeof(*f)), **slot;

	slot = vec_push(&p->fetches, COLLECTOR_MAX_IN_FLIGHT);
	if (!slot) {
		free(f);
		return;
	}
	*slot = f;
	f->p = p;
	f->req = *req;
	feed->in_flight = true;
	grid_answer_init(&f->answer, req->from_ms, req->to_ms, time_slot_floor(now_ms, SLOT_MS));
	fetch_start(f, req->url);
}

/* Asks what is due; the domain time of the next thing to do. */
static int64_t poll_provider(struct poller *p, int64_t now_ms)
{
	struct collector *c = p->c;
	struct grid_target *targets = arena_array(&c->arena, COLLECTOR_MAX_SOURCES, struct grid_target);
	struct grid_env env = env_of(p, now_ms);
	int64_t next = now_ms + DAY_MS;
	size_t n = collector_state_targets(&c->state, p->provider, p->configured[0] ? p->configured : NULL,
					   grid_env_note(&env, "product"), targets, COLLECTOR_MAX_SOURCES,
					   &c->arena);

	for (size_t i = 0; p->configured[0] && i < n; i++)
		if (targets[i].metric == GRID_PRICE && !targets[i].product)
			targets[i].product = p->configured;
	c->plan.n = 0;
	p->provider->plan(&env, targets, n, &c->plan);
	for (size_t i = 0; i < p->feeds.len; i++)
		p->feeds.ptr[i].planned = false;
	for (int i = 0; i < c->plan.n; i++) {
		const struct grid_request *req = &c->plan.items[i];
		struct feed *feed = feed_find(p, req->id);

		if (!feed) {
			feed = vec_push(&p->feeds, 2 * GRID_PLAN_MAX);
			if (!feed)
				continue;
			(void)str_copy(feed->id, sizeof(feed->id), str_from(req->id));
			feed->due_ms = now_ms;
		}
		feed->planned = true;
		if (feed->in_flight)
			continue;
		if (feed->due_ms <= now_ms && p->fetches.len < COLLECTOR_MAX_IN_FLIGHT)
			ask(p, req, feed, now_ms);
		else if (feed->due_ms > now_ms)
			next = MIN(next, feed->due_ms);
	}
	for (size_t i = 0; i < p->feeds.len;) {
		if (!p->feeds.ptr[i].planned && !p->feeds.ptr[i].in_flight)
			p->feeds.ptr[i] = p->feeds.ptr[--p->feeds.len];
		else
			i++;
	}
	return next;
}

static void tick(void *arg)
{
	struct collector *c = arg;
	int64_t now_ms = clock_now_ms(&c->clock), next = now_ms + DAY_MS;

	c->timer = 0;
	if (c->stopped)
		return;
	arena_reset(&c->arena);
	for (int i = 0; i < grid_n_providers; i++)
		next = MIN(next, poll_provider(&c->pollers[i], now_ms));
	collector_state_measure(&c->state, now_ms);
	wake_after(c, clock_real_until_ms(&c->clock, next));
}

/* New regions: what is known of them may be said at once, what is not is asked for. */
static void regions_set(void *arg)
{
	struct collector *c = arg;

	if (c->stopped)
		return;
	arena_reset(&c->arena);
	tell(c);
	wake_after(c, 0);
}

static void configure(struct collector *c, const struct collector_provider *overrides)
{
	for (const struct collector_provider *o = overrides; o && o->name; o++)
		for (int i = 0; i < grid_n_providers; i++) {
			struct poller *p = &c->pollers[i];

			if (strcmp(o->name, p->provider->name) != 0)
				continue;
			if (o->base_url) {
				struct str url = str_from(o->base_url);

				while (url.len && url.ptr[url.len - 1] == '/')
					url.len--;
				(void)str_copy(p->base_url, sizeof(p->base_url), url);
			}
			if (o->product)
				(void)str_copy(p->configured, sizeof(p->configured), str_from(o->product));
		}
}

static void collector_release(struct collector *c)
{
	for (int i = 0; i < grid_n_providers; i++) {
		vec_release(&c->pollers[i].feeds);
		vec_release(&c->pollers[i].fetches);
		tz_free(c->pollers[i].tz);
	}
	free(c->pollers);
	collector_state_release(&c->state);
	arena_release(&c->arena);
	(void)pthread_mutex_destroy(&c->mutex);
	(void)pthread_cond_destroy(&c->cond);
	free(c);
}

int collector_new(const struct collector_options *o, struct collector **ret, struct error *err)
{
	struct collector *c = xcalloc(1, sizeof(*c));

	c->pollers = xcalloc((size_t)grid_n_providers, sizeof(*c->pollers));
	c->loop = o->loop;
	c->clock = o->clock;
	c->changed = o->changed;
	c->arg = o->arg;
	collector_state_init(&c->state);
	arena_init(&c->arena, 4096, ARENA_MAX);
	(void)pthread_mutex_init(&c->mutex, NULL);
	(void)pthread_cond_init(&c->cond, NULL);
	for (int i = 0; i < grid_n_providers; i++) {
		struct poller *p = &c->pollers[i];

		p->c = c;
		p->provider = grid_providers[i];
		(void)str_copy(p->base_url, sizeof(p->base_url), str_from(p->provider->base_url));
		if (tz_load(p->provider->time_zone, &p->tz, err)) {
			collector_release(c);
			return error_wrap(err, "time zone of %s", grid_providers[i]->name);
		}
	}
	configure(c, o->providers);
	*ret = c;
	return 0;
}

/* On the net thread, so that no callback is running while its ground is taken away. */
static void stop(void *arg)
{
	struct collector *c = arg;

	c->stopped = true;
	if (c->timer)
		http_loop_cancel_timer(c->loop, c->timer);
	for (int i = 0; i < grid_n_providers; i++)
		while (c->pollers[i].fetches.len) {
			struct fetch *f = c->pollers[i].fetches.ptr[0];

			if (f->call)
				http_call_cancel(f->call);
			fetch_free(f);
		}
	MUTEX_GUARD(&c->mutex);
	c->gone = true;
	(void)pthread_cond_signal(&c->cond);
}

void collector_free(struct collector *c)
{
	if (!c)
		return;
	http_loop_post(c->loop, stop, c);
	(void)pthread_mutex_lock(&c->mutex);
	while (!c->gone)
		(void)pthread_cond_wait(&c->cond, &c->mutex);
	(void)pthread_mutex_unlock(&c->mutex);
	collector_release(c);
}

void collector_set_regions(struct collector *c, const struct gridregion *const *regions, size_t n)
{
	collector_state_set(&c->state, regions, n, clock_now_ms(&c->clock));
	http_loop_post(c->loop, regions_set, c);
}

bool collector_view(struct collector *c, const char *region, int64_t now_ms, struct arena *arena,
		    struct collector_view *ret)
{
	return collector_view_of(&c->state, region, now_ms, arena, ret);
}
