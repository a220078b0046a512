/* SPDX-License-Identifier: Apache-2.0 */
/* What belongs to one provider: settings, keys, notes, budget, circuit, and the schedule of its questions. */
#include <sys/stat.h>

#include "base/rand.h"
#include "controller/collector_internal.h"
#include "metrics/metrics.h"

#define DEFAULT_BUDGET 60
#define DEFAULT_BUDGET_MS MINUTE_MS
#define MAX_FEEDS (2 * GRID_PLAN_MAX)
/* Key files are looked at again after so long. Real ms. */
#define SECRETS_EVERY_MS (10 * SECOND_MS)
/* A question that is asked no longer is remembered for so long with what went wrong: it may come back. */
#define FORGET_FEED_MS HOUR_MS

static struct metric circuit_state = METRIC_GAUGE(
	"loadshift_grid_circuit_state",
	"Whether a provider is asked at all: 0 yes (closed), 1 once as a probe (half-open), 2 no (open).", "provider");
static struct metric budget_left = METRIC_GAUGE(
	"loadshift_grid_budget_left", "Requests that the provider's budget would let through now.", "provider");

int secret_file_refresh(struct secret_file *s, struct error *err)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT(sizeof(s->text) + 16);
	struct stat st;
	struct str text;
	int64_t stamp[4];

	if (!s->path[0])
		return 0;
	if (stat(s->path, &st)) {
		s->known = false;
		explicit_bzero(s->text, sizeof(s->text));
		return error_set(err, ERR_NOT_FOUND, "cannot read %s", s->path);
	}
	stamp[0] = st.st_mtim.tv_sec, stamp[1] = st.st_mtim.tv_nsec;
	stamp[2] = (int64_t)st.st_ino, stamp[3] = st.st_size;
	if (s->known && memcmp(stamp, s->stamp, sizeof(stamp)) == 0)
		return 0;
	s->known = false;
	explicit_bzero(s->text, sizeof(s->text));
	if (buf_read_file(&b, s->path, err))
		return -1;
	text = str_trim(buf_str(&b));
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 127)
			text.len = 0;
	s->known = text.len > 0 && str_copy(s->text, sizeof(s->text), text);
	memcpy(s->stamp, stamp, sizeof(stamp));
	if (b.ptr)
		explicit_bzero(b.ptr, b.cap);
	return s->known ? 0
			: error_set(err, ERR_INVALID, "%s must hold one line of at most %zu characters", s->path,
				    sizeof(s->text) - 1);
}

static struct str without_slash(const char *url)
{
	struct str s = str_from(url);

	while (s.len && s.ptr[s.len - 1] == '/')
		s.len--;
	return s;
}

/* The server with the live service's path; it may lead to other ports of its own. */
static void stand_in(struct poller *p, const char *server, const char *live_host)
{
	const char *path = strchr(live_host, '/'), *host = strstr(server, "://");
	size_t len = strlen(p->redirect_hosts);

	(void)snprintf(p->base_url, sizeof(p->base_url), "%.*s%s", STR_FMT(without_slash(server)), path ? path : "");
	if (host)
		(void)snprintf(p->redirect_hosts + len, sizeof(p->redirect_hosts) - len, "%s%.*s", len ? "," : "",
			       (int)strcspn(host + 3, ":/"), host + 3);
}

static void set_url(struct poller *p, const char *url, const char *server)
{
	const char *live = p->provider->base_url, *live_host = live ? strstr(live, "://") : NULL;

	if (!url && server && live_host)
		stand_in(p, server, live_host + 3);
	else
		(void)str_copy(p->base_url, sizeof(p->base_url), without_slash(url ? url : live));
}

static void configure(struct poller *p, const struct collector_options *o)
{
	const struct collector_provider *mine = NULL;
	const char *hosts = p->provider->redirect_hosts;

	for (const struct collector_provider *i = o->providers; i && i->name; i++)
		if (strcmp(i->name, p->provider->name) == 0)
			mine = i;
	if (mine && mine->redirect_hosts)
		hosts = mine->redirect_hosts;
	(void)str_copy(p->redirect_hosts, sizeof(p->redirect_hosts), str_from(hosts));
	set_url(p, mine ? mine->base_url : NULL, o->server);
	if (!mine)
		return;
	p->disabled = mine->disabled;
	(void)str_copy(p->ca_file, sizeof(p->ca_file), str_from(mine->ca_file));
	(void)str_copy(p->configured, sizeof(p->configured), str_from(mine->product));
	(void)str_copy(p->secret.path, sizeof(p->secret.path), str_from(mine->secret_file));
	(void)str_copy(p->user.path, sizeof(p->user.path), str_from(mine->user_file));
}

int poller_init(struct poller *p, struct collector *c, int index, const struct collector_options *o, struct error *err)
{
	const struct grid_provider *provider = grid_providers[index];

	p->c = c;
	p->index = index;
	p->provider = provider;
	p->secrets_looked_ms = TIME_NONE;
	grid_budget_init(&p->budget, provider->budget_requests ? provider->budget_requests : DEFAULT_BUDGET,
			 provider->budget_requests ? provider->budget_ms : DEFAULT_BUDGET_MS);
	configure(p, o);
	if (tz_load(provider->time_zone ? provider->time_zone : "UTC", &p->tz, err))
		return error_wrap(err, "its time zone");
	return 0;
}

void poller_release(struct poller *p)
{
	vec_release(&p->feeds);
	vec_release(&p->fetches);
	tz_free(p->tz);
	explicit_bzero(p->notes, sizeof(p->notes));
	explicit_bzero(p->secret.text, sizeof(p->secret.text));
	explicit_bzero(p->user.text, sizeof(p->user.text));
}

struct grid_env poller_env(const struct poller *p, int64_t now_ms)
{
	return (struct grid_env){ .base_url = p->base_url,
				  .now_ms = now_ms,
				  .tz = p->tz,
				  .notes = p->notes,
				  .n_notes = p->n_notes,
				  .user = p->user.known ? p->user.text : NULL,
				  .secret = p->secret.known ? p->secret.text : NULL,
				  .custom = p->custom,
				  .n_custom = p->n_custom };
}

/* "" when there is nothing against asking. */
static void why_off(struct poller *p, char *out, size_t cap)
{
	const struct grid_provider *provider = p->provider;
	const char *name = provider->name;
	struct error err = ERROR_INIT;

	out[0] = '\0';
	if (p->disabled)
		(void)snprintf(out, cap, "switched off: grid.providers.%s.enabled is false", name);
	else if (!p->base_url[0] && !(provider->base_url && !provider->base_url[0]))
		(void)snprintf(out, cap, "has no address: set grid.providers.%s.baseURL", name);
	else if (provider == &grid_hour_of_week && !p->c->history)
		(void)snprintf(out, cap, "needs a database of what was, and there is none");
	else if (provider->secret && !p->secret.path[0])
		(void)snprintf(out, cap, "needs a key: set grid.providers.%s.secretFile (%s)", name, provider->secret);
	else if (provider->needs_user && !p->user.path[0])
		(void)snprintf(out, cap, "needs a user name: set grid.providers.%s.userFile (%s)", name,
			       provider->secret ? provider->secret : "");
	else if (secret_file_refresh(&p->secret, &err))
		(void)snprintf(out, cap, "grid.providers.%s.secretFile: %s", name, err.msg);
	else if (secret_file_refresh(&p->user, &err))
		(void)snprintf(out, cap, "grid.providers.%s.userFile: %s", name, err.msg);
}

bool poller_is_on(struct poller *p)
{
	struct collector_state *s = &p->c->state;
	char why[sizeof(s->providers[0].off)];
	int64_t now_ms = clock_mono_ms();

	/* Written on this thread only. */
	if (p->secrets_looked_ms != TIME_NONE && now_ms - p->secrets_looked_ms < SECRETS_EVERY_MS)
		return !s->providers[p->index].off[0];
	p->secrets_looked_ms = now_ms;
	why_off(p, why, sizeof(why));
	collector_state_off(s, p->index, why);
	return !why[0];
}

struct feed *poller_feed(struct poller *p, const char *id)
{
	for (size_t i = 0; i < p->feeds.len; i++)
		if (strcmp(p->feeds.ptr[i].id, id) == 0)
			return &p->feeds.ptr[i];
	return NULL;
}

static int note_index(const struct poller *p, const char *key)
{
	for (int i = 0; i < p->n_notes; i++)
		if (strcmp(p->notes[i].key, key) == 0)
			return i;
	return -1;
}

uint32_t poller_note_generation(const struct poller *p, const char *key)
{
	int i = note_index(p, key);

	return i < 0 ? 0 : p->kept[i].generation;
}

static void drop_note(struct poller *p, int i)
{
	p->n_notes--;
	p->notes[i] = p->notes[p->n_notes];
	p->kept[i] = p->kept[p->n_notes];
	explicit_bzero(&p->notes[p->n_notes], sizeof(p->notes[0]));
}

void poller_expire_notes(struct poller *p, int64_t now_ms)
{
	for (int i = p->n_notes - 1; i >= 0; i--)
		if (p->notes[i].expires_ms != TIME_NONE && p->notes[i].expires_ms <= now_ms) {
			struct feed *finder = poller_feed(p, p->kept[i].finder);

			if (finder && !finder->in_flight)
				finder->due_ms = MIN(finder->due_ms, now_ms);
			drop_note(p, i);
		}
}

void poller_keep_note(struct poller *p, const struct grid_note *note, const char *finder)
{
	int i = note_index(p, note->key);

	if (i < 0 && p->n_notes == GRID_ANSWER_MAX_NOTES)
		return;
	if (i < 0)
		i = p->n_notes++;
	p->notes[i] = *note;
	p->kept[i].generation = ++p->generation;
	(void)str_copy(p->kept[i].finder, sizeof(p->kept[i].finder), str_from(finder));
}

void poller_forget_note(struct poller *p, const char *key, int64_t now_ms)
{
	int i = note_index(p, key);
	struct feed *finder = i < 0 ? NULL : poller_feed(p, p->kept[i].finder);

	if (i < 0)
		return;
	if (finder && !finder->in_flight)
		finder->due_ms = MIN(finder->due_ms, now_ms);
	drop_note(p, i);
}

/* Brings the schedule into line with the newest plan. */
static void take_plan(struct poller *p, const struct grid_plan *plan, int64_t now_ms)
{
	for (size_t i = 0; i < p->feeds.len; i++)
		p->feeds.ptr[i].planned = false;
	for (int i = 0; i < plan->n; i++) {
		struct feed *feed = poller_feed(p, plan->items[i].id);

		if (!feed) {
			feed = vec_push(&p->feeds, MAX_FEEDS);
			if (!feed)
				continue;
			(void)str_copy(feed->id, sizeof(feed->id), str_from(plan->items[i].id));
			feed->due_ms = now_ms;
		}
		feed->planned = true;
	}
	for (size_t i = 0; i < p->feeds.len;) {
		struct feed *f = &p->feeds.ptr[i];
		bool remember = (f->failures || f->renewed) && now_ms - f->due_ms < FORGET_FEED_MS;

		if (!f->planned && !f->in_flight && !remember)
			*f = p->feeds.ptr[--p->feeds.len];
		else
			i++;
	}
}

/* The one that has waited longest among those planned and not asked; NULL when there is none. */
static struct feed *earliest(struct poller *p)
{
	struct feed *best = NULL;

	for (size_t i = 0; i < p->feeds.len; i++) {
		struct feed *f = &p->feeds.ptr[i];

		if (f->planned && !f->in_flight && (!best || f->due_ms < best->due_ms))
			best = f;
	}
	return best;
}

static const struct grid_request *planned(const struct grid_plan *plan, const char *id)
{
	for (int i = 0; i < plan->n; i++)
		if (strcmp(plan->items[i].id, id) == 0)
			return &plan->items[i];
	return NULL;
}

/* Domain time of the next thing to do. */
static int64_t ask_due(struct poller *p, int64_t now_ms)
{
	bool closed = grid_breaker_state(&p->breaker, now_ms) == GRID_CIRCUIT_CLOSED;
	struct feed *feed;

	if (p->silent_until_ms > now_ms)
		return p->silent_until_ms;
	for (size_t i = 0; i < p->fetches.len; i++) {
		struct fetch *f = p->fetches.ptr[i];

		if (!f->waiting)
			continue;
		if (grid_budget_free_ms(&p->budget, now_ms) > now_ms)
			return grid_budget_free_ms(&p->budget, now_ms);
		fetch_continue(f);
	}
	while ((feed = earliest(p))) {
		const struct grid_request *req = planned(&p->c->plan, feed->id);
		int64_t free_ms = req->url[0] ? grid_budget_free_ms(&p->budget, now_ms) : now_ms;

		if (!grid_breaker_admits(&p->breaker, now_ms))
			return p->breaker.probing ? now_ms + DAY_MS : p->breaker.until_ms;
		/* A probe need not be due: the question that waits least for its turn shows whether all is well. */
		if (closed && feed->due_ms > now_ms)
			return feed->due_ms;
		if (free_ms > now_ms)
			return free_ms;
		if (p->fetches.len == COLLECTOR_MAX_IN_FLIGHT)
			break; /* the end of any of them wakes us */
		fetch_begin(p, req, feed, now_ms);
		if (!closed)
			break;
	}
	return now_ms + DAY_MS;
}

/* A clock that was put back takes the schedule along: nothing waits for a time that comes again. */
static void follow_clock(struct poller *p, int64_t now_ms)
{
	int64_t back = p->looked_ms - now_ms;

	p->looked_ms = now_ms;
	if (back <= MINUTE_MS)
		return;
	for (size_t i = 0; i < p->feeds.len; i++)
		p->feeds.ptr[i].due_ms -= back;
	p->silent_until_ms -= back;
	p->breaker.until_ms -= back;
}

int64_t poller_poll(struct poller *p, int64_t now_ms)
{
	struct collector *c = p->c;
	struct grid_target *targets = arena_array(&c->arena, COLLECTOR_MAX_SOURCES, struct grid_target);
	const char *configured = p->configured[0] ? p->configured : NULL;
	struct grid_env env;
	int64_t next;
	size_t n;

	if (!poller_is_on(p))
		return now_ms + DAY_MS; /* looked at again when anything else is */
	follow_clock(p, now_ms);
	poller_expire_notes(p, now_ms);
	env = poller_env(p, now_ms);
	n = collector_state_targets(&c->state, p->provider, configured, grid_env_note(&env, "product"), targets,
				    COLLECTOR_MAX_SOURCES, &c->arena);
	c->plan.n = 0;
	if (n)
		p->provider->plan(&env, targets, n, &c->plan);
	take_plan(p, &c->plan, now_ms);
	next = ask_due(p, now_ms);
	/* It holds headers with keys. */
	explicit_bzero(c->plan.items, (size_t)c->plan.n * sizeof(c->plan.items[0]));
	c->plan.n = 0;
	if (n || p->fetches.len) {
		struct provider_state *s = &c->state.providers[p->index];
		MUTEX_GUARD(&c->state.mutex);

		s->circuit = grid_breaker_state(&p->breaker, now_ms);
		s->budget_left = grid_budget_left(&p->budget, now_ms);
		metric_set(metric_series(&circuit_state, p->provider->name), s->circuit);
		metric_set(metric_series(&budget_left, p->provider->name), s->budget_left);
	}
	return next;
}
