/* SPDX-License-Identifier: Apache-2.0 */
/* One request to a provider, its pages, and what is made of its end. */
#include "base/alloc.h"
#include "base/rand.h"
#include "controller/collector_internal.h"
#include "log/log.h"
#include "metrics/metrics.h"

#define TOTAL_MS (30 * SECOND_MS) /* the client itself gives a connection 5 s */
#define MAX_BODY ((size_t)4 * 1024 * 1024)
#define MAX_REDIRECTS 3
/* Eight weeks of half hours, and a little. */
#define MAX_PAST 3000

static struct metric requests_total = METRIC_COUNTER(
	"loadshift_grid_requests_total", "Requests to grid data providers, by how they ended.", "provider", "result");
static struct metric dropped_total =
	METRIC_COUNTER("loadshift_grid_dropped_points_total",
		       "Data points of providers that were not taken, by reason.", "provider", "reason");

/* A question to our own history, which may outlive the fetch: then it has none. */
struct past_call {
	struct http_loop *loop;
	struct fetch *fetch; /* net thread only */
	size_t n;
	struct error err;
	struct grid_past *past;
};

static double jitter(void)
{
	return (double)rand_below(1000) / 1000;
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
	/* The header may hold a key, and so may the URL. */
	explicit_bzero(f, sizeof(*f));
	free(f);
}

void fetch_cancel(struct fetch *f)
{
	if (f->call)
		http_call_cancel(f->call);
	if (f->past)
		f->past->fetch = NULL;
	fetch_free(f);
}

/* Our word for the end of a request, for metrics and records. */
static const char *result_of(const struct error *err, const struct merged *m)
{
	if (!err)
		return m->partly ? "partial" : "ok";
	if (err->code == ERR_NOT_FOUND && !err->http)
		return "empty";
	return error_code_name(err->code);
}

static void record(struct fetch *f, const char *result, const struct error *err, int64_t now_ms)
{
	struct poller *p = f->p;
	struct grid_attempt a = { .provider = p->provider->name,
				  .request = f->req.id,
				  .result = result,
				  .reason = err ? err->msg : f->detour,
				  .at_ms = now_ms,
				  .duration_ms = clock_mono_ms() - f->started_ms,
				  .bytes = f->bytes,
				  .http_status = f->http_status,
				  .points = f->answer.points };

	memcpy(a.dropped, f->answer.dropped, sizeof(a.dropped));
	collector_state_attempt(&p->c->state, p->index, &a);
	if (p->c->sink && p->c->sink->attempt)
		p->c->sink->attempt(p->c->sink->arg, &a);
	metric_inc(metric_series(&requests_total, p->provider->name, result));
	for (int i = 0; i < GRID_DROPS; i++)
		if (f->answer.dropped[i])
			metric_add(metric_series(&dropped_total, p->provider->name, grid_drop_name((enum grid_drop)i)),
				   f->answer.dropped[i]);
}

/* Refused for a note that is no longer true: a token that has aged, a product that was retired. */
static bool is_note_refused(const struct fetch *f, const struct error *err)
{
	return err && f->req.rests_on[0] && (err->http == 401 || err->http == 403 || err->http == 404);
}

/* When to ask again. err NULL: it went well. */
static void reschedule(struct fetch *f, struct feed *feed, int64_t now_ms, const struct error *err,
		       const struct merged *m)
{
	struct poller *p = f->p;
	struct grid_env env = poller_env(p, now_ms);
	enum grid_failure failure;
	int64_t retry_ms, backoff_ms;

	if (!err) {
		feed->failures = 0;
		feed->renewed = false;
		feed->due_ms = grid_provider_next_poll_ms(p->provider, &env, &f->req, m->horizon_ms, jitter());
		feed->due_ms = MAX(feed->due_ms, now_ms + MINUTE_MS);
		feed->heals = m->gaps ? MIN(feed->heals + 1, 16) : 0;
		if (m->gaps)
			feed->due_ms = grid_heal_ms(feed->heals, now_ms, feed->due_ms);
		return;
	}
	/* Once at once, with a new note; then like any other failure. */
	if (is_note_refused(f, err) && !feed->renewed) {
		feed->renewed = true;
		feed->due_ms = now_ms;
		if (poller_note_generation(p, f->req.rests_on) == f->generation)
			poller_forget_note(p, f->req.rests_on, now_ms);
		return;
	}
	/* A history that is too short yet, or a table without that zone, does not change within minutes. */
	if (!f->req.url[0] && err->code == ERR_NOT_FOUND) {
		feed->due_ms = grid_provider_next_poll_ms(p->provider, &env, &f->req, TIME_NONE, jitter());
		feed->due_ms = MAX(feed->due_ms, now_ms + MINUTE_MS);
		return;
	}
	feed->renewed = false;
	feed->failures = MIN(feed->failures + 1, 16);
	failure = (f->http_status >= 200 && f->http_status < 300) || !f->req.url[0] ? GRID_BAD_ANSWER : GRID_NO_ANSWER;
	/* What the server asks for is real time; our own delays are domain time. */
	retry_ms = now_ms + err->retry_after_ms * p->c->clock.factor;
	backoff_ms = grid_backoff_ms(failure, feed->failures, jitter());
	feed->due_ms = MAX(now_ms + backoff_ms, retry_ms);
	/* What is too much for one question is too much for all. */
	p->silent_until_ms = MAX(p->silent_until_ms, err->code == ERR_THROTTLED ? feed->due_ms : retry_ms);
}

/* A provider that answers again is asked for all that failed meanwhile, soon. */
static void on_closed(struct poller *p, int64_t now_ms)
{
	for (size_t i = 0; i < p->feeds.len; i++) {
		struct feed *feed = &p->feeds.ptr[i];
		int64_t soon_ms = now_ms + (int64_t)(jitter() * (double)GRID_BACKOFF_FIRST_MS);

		if (feed->failures)
			feed->due_ms = MIN(feed->due_ms, soon_ms);
	}
}

static void settle(struct fetch *f, int64_t now_ms, const struct error *err, const struct merged *m)
{
	struct poller *p = f->p;
	struct feed *feed = poller_feed(p, f->req.id);
	bool was_open = p->breaker.opened > 0;
	/* Nothing to tell is no failure of the provider, and neither is a token that has aged. */
	bool good = !err || (err->code == ERR_NOT_FOUND && !err->http) ||
		    (is_note_refused(f, err) && feed && !feed->renewed);

	if (feed) {
		feed->in_flight = false;
		reschedule(f, feed, now_ms, err, m);
	}
	if (!f->req.url[0])
		return;
	if (grid_breaker_answered(&p->breaker, good, now_ms, jitter())) {
		log_info("grid data provider answers again", LOG_STR("provider", p->provider->name));
		on_closed(p, now_ms);
	} else if (p->breaker.opened == 1 && !was_open) {
		log_warn("grid data provider is left alone for a while", LOG_STR("provider", p->provider->name),
			 LOG_STR("because", err->msg));
	}
}

/* The end of a fetch, good or bad: takes what there is, says when to ask again, tells who it may concern. */
static void finish(struct fetch *f, const struct error *failed)
{
	struct poller *p = f->p;
	struct collector *c = p->c;
	int64_t now_ms = clock_now_ms(&c->clock);
	struct error err = failed ? *failed : (struct error)ERROR_INIT;
	struct merged m;

	grid_answer_finish(&f->answer, p->provider->flat);
	failed = grid_answer_accept(&f->answer, failed ? -1 : 0, &err) ? &err : NULL;
	for (int i = 0; !failed && i < f->answer.n_notes; i++)
		poller_keep_note(p, &f->answer.notes[i], f->req.id);
	collector_state_merge(&c->state, p->index, &f->req, &f->answer, now_ms, failed, &m);
	record(f, result_of(failed, &m), failed, now_ms);
	settle(f, now_ms, failed, &m);
	collector_tell(c);
	fetch_free(f);
	collector_wake(c, 0);
}

/* More pages are asked for as the budget allows. */
static int take_body(struct fetch *f, struct str body, struct error *err)
{
	struct grid_env env = poller_env(f->p, clock_now_ms(&f->p->c->clock));

	f->answer.next[0] = '\0';
	f->bytes += (int64_t)body.len;
	return f->p->provider->parse(&env, &f->req, body, &f->answer, err);
}

/* The first page is no use, and the service answers: the other way is tried, once. */
static bool take_detour(struct fetch *f, const struct error *err)
{
	bool refused = err->http == 401 || err->http == 403 || err->code == ERR_THROTTLED;

	if (f->pages > 0 || f->http_status == 0 || refused || !f->req.otherwise[0])
		return false;
	(void)snprintf(f->detour, sizeof(f->detour), "%.*s", (int)sizeof(f->detour) - 1, err->msg);
	(void)str_copy(f->answer.next, sizeof(f->answer.next), str_from(f->req.otherwise));
	return true;
}

static void on_done(void *arg, struct http_response *resp, const struct error *failed)
{
	struct fetch *f = arg;
	struct error err = ERROR_INIT;
	int result = -1;

	f->call = NULL;
	arena_reset(&f->p->c->arena);
	f->http_status = resp ? resp->status : 0;
	if (failed)
		err = *failed;
	else if (http_status_error(resp, f->req.id, &err))
		err.retry_after_ms = resp->retry_after_ms;
	else
		result = take_body(f, buf_str(&resp->body), &err);
	if (result && take_detour(f, &err))
		result = 0;
	if (result == 0 && f->answer.next[0] && ++f->pages < GRID_MAX_PAGES) {
		(void)str_copy(f->url, sizeof(f->url), str_from(f->answer.next));
		f->waiting = true;
		collector_wake(f->p->c, 0);
		return;
	}
	finish(f, result ? &err : NULL);
}

void fetch_continue(struct fetch *f)
{
	struct poller *p = f->p;
	/* http:// stands here only where configuration says so. */
	bool plain = strncmp(p->base_url, "http://", 7) == 0 || p->n_custom > 0;
	const struct http_tls tls = { .ca_file = p->ca_file };
	const struct http_request req = {
		.url = f->url,
		.headers = { "Accept: application/json, application/xml, text/csv, */*;q=0.1",
			     f->req.header[0] ? f->req.header : NULL },
		.allow_plain = plain,
		.timeout_ms = TOTAL_MS,
		.max_body = MAX_BODY,
		.max_redirects = MAX_REDIRECTS,
		.tls = p->ca_file[0] ? &tls : NULL,
		.redirect_hosts = p->redirect_hosts[0] ? p->redirect_hosts : NULL,
	};

	f->waiting = false;
	grid_budget_take(&p->budget, clock_now_ms(&p->c->clock));
	f->call = http_loop_fetch(p->c->loop, &req, on_done, f);
}

/* On the net thread again. */
static void take_past(void *arg)
{
	struct past_call *call = arg;
	struct fetch *f = call->fetch;
	struct error err = call->err;
	int result = -1;

	if (f) {
		f->past = NULL;
		arena_reset(&f->p->c->arena);
		if (err.code == ERR_NONE)
			result = take_body(f, str_of((const char *)call->past, call->n * sizeof(*call->past)), &err);
		finish(f, result ? &err : NULL);
	}
	free(call->past);
	free(call);
}

/* Any thread. */
static void on_past(void *arg, const struct grid_past *past, size_t n, const struct error *err)
{
	struct past_call *call = arg;

	call->n = err ? 0 : MIN(n, MAX_PAST);
	call->past = xcalloc(call->n + 1, sizeof(*past));
	if (call->n)
		memcpy(call->past, past, call->n * sizeof(*past));
	if (err)
		call->err = *err;
	http_loop_post(call->loop, take_past, call);
}

/* Without the network: of our own history (grid/sink.h), or of nobody, when the answer is in the provider itself. */
static void ask_ourselves(struct fetch *f)
{
	const struct grid_history_reader *reader = f->p->c->history;
	char provider[GRID_NAME_MAX];
	const char *slash = strchr(f->req.zone, '/');
	struct past_call *call = xcalloc(1, sizeof(*call));

	call->loop = f->p->c->loop;
	call->fetch = f;
	f->past = call;
	if (!f->req.history || !reader || !slash) {
		if (f->req.history)
			(void)error_set(&call->err, ERR_NOT_FOUND, "there is no database of what was");
		http_loop_post(call->loop, take_past, call);
		return;
	}
	(void)str_copy(provider, sizeof(provider), str_of(f->req.zone, (size_t)(slash - f->req.zone)));
	reader->read(reader->arg, provider, slash + 1, GRID_CARBON, f->req.from_ms - GRID_HISTORY_MS, f->req.from_ms,
		     on_past, call);
}

void fetch_begin(struct poller *p, const struct grid_request *req, struct feed *feed, int64_t now_ms)
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
	f->started_ms = clock_mono_ms();
	f->generation = req->rests_on[0] ? poller_note_generation(p, req->rests_on) : 0;
	feed->in_flight = true;
	grid_answer_init(&f->answer, req->from_ms, req->to_ms, time_slot_floor(now_ms, SLOT_MS));
	if (!req->url[0]) {
		ask_ourselves(f);
	} else {
		(void)str_copy(f->url, sizeof(f->url), str_from(req->url));
		grid_breaker_asked(&p->breaker);
		fetch_continue(f);
	}
}
