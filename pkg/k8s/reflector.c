/* SPDX-License-Identifier: Apache-2.0 */
/* Carries out on the net thread what the reflector's state machine decides. */
#include "k8s/reflector.h"

#include "base/alloc.h"
#include "base/rand.h"
#include "base/vec.h"
#include "k8s/internal.h"
#include "k8s/watch.h"
#include "metrics/metrics.h"

#define LIST_TIMEOUT_MS MINUTE_MS
/* Random, so that many watches do not all end at once. */
#define WATCH_MIN_S 240
#define WATCH_MAX_S 300
/* Above every store's maximum. */
#define MAX_HELD 200000

static struct metric items_metric = METRIC_GAUGE("k8s_informer_items", "Objects in the store.", "kind");
static struct metric relists_metric = METRIC_COUNTER("k8s_informer_relists_total", "Complete lists.", "kind");
static struct metric restarts_metric =
	METRIC_COUNTER("k8s_informer_watch_restarts_total", "Watches that ended and were begun again.", "kind");
static struct metric errors_metric =
	METRIC_COUNTER("k8s_informer_errors_total", "Lists and watches that failed.", "kind");
static struct metric bad_metric =
	METRIC_COUNTER("k8s_informer_bad_objects_total", "Objects that could not be decoded.", "kind");
static struct metric dropped_metric =
	METRIC_GAUGE("k8s_informer_dropped_objects", "Objects for which the store had no room.", "kind");
static struct metric heard_metric = METRIC_GAUGE("k8s_informer_last_event_timestamp_seconds",
						 "When the API server last sent an event or a bookmark.", "kind");

struct reflector {
	struct k8s *k8s;
	struct http_loop *loop;
	struct reflector_options options;
	struct store *store;
	struct reflector_hooks hooks;
	struct reflector_fsm fsm;
	struct http_call *call;          /* under way, or NULL */
	uint64_t timer;                  /* running, or 0 */
	int64_t call_us;                 /* when the call began, monotonic */
	VEC(const struct object *) held; /* pages of a list that is not complete */
	struct watch_lines lines;
	struct error stream_error; /* why our reader stopped the stream; ERR_NONE = it did not */
	_Atomic(int64_t) last_heard_ms;
	struct metric_series *items, *relists, *restarts, *errors, *bad, *dropped, *heard;
};

static void carry_out(struct reflector *r, enum reflector_action action);

struct reflector *reflector_new(struct k8s *k, struct http_loop *loop, const struct reflector_options *o,
				struct store *store, const struct reflector_hooks *hooks)
{
	struct reflector *r = xcalloc(1, sizeof(*r));
	const char *kind = o->type->kind;

	r->k8s = k;
	r->loop = loop;
	r->options = *o;
	r->store = store;
	r->hooks = *hooks;
	reflector_fsm_init(&r->fsm);
	watch_lines_init(&r->lines);
	atomic_init(&r->last_heard_ms, TIME_NONE);
	r->items = metric_series(&items_metric, kind);
	r->relists = metric_series(&relists_metric, kind);
	r->restarts = metric_series(&restarts_metric, kind);
	r->errors = metric_series(&errors_metric, kind);
	r->bad = metric_series(&bad_metric, kind);
	r->dropped = metric_series(&dropped_metric, kind);
	r->heard = metric_series(&heard_metric, kind);
	return r;
}

static void drop_held(struct reflector *r)
{
	for (size_t i = 0; i < r->held.len; i++)
		object_unref(r->held.ptr[i]);
	vec_release(&r->held);
}

void reflector_free(struct reflector *r)
{
	if (!r)
		return;
	if (r->call)
		http_call_cancel(r->call);
	if (r->timer)
		http_loop_cancel_timer(r->loop, r->timer);
	drop_held(r);
	watch_lines_release(&r->lines);
	reflector_fsm_release(&r->fsm);
	free(r);
}

const struct reflector_fsm *reflector_fsm(const struct reflector *r)
{
	return &r->fsm;
}

int64_t reflector_last_heard_ms(const struct reflector *r)
{
	return atomic_load(&r->last_heard_ms);
}

void reflector_start(struct reflector *r)
{
	carry_out(r, reflector_fsm_start(&r->fsm));
}

static void heard(struct reflector *r)
{
	atomic_store(&r->last_heard_ms, clock_mono_ms());
	metric_set(r->heard, (double)clock_wall_ms() / 1e3);
	metric_set(r->items, (double)store_len(r->store));
	metric_set(r->dropped, (double)store_dropped(r->store));
}

static double unit_jitter(void)
{
	return (double)rand_below(1000) / 1000;
}

static void tell_failed(struct reflector *r, const struct error *err)
{
	if (r->hooks.failed)
		r->hooks.failed(r->hooks.arg, err);
}

static void failed(struct reflector *r, const struct error *err)
{
	if (err->http == 401)
		k8s_token_refused(r->k8s);
	metric_inc(r->errors);
	drop_held(r);
	tell_failed(r, err);
	carry_out(r, reflector_fsm_failed(&r->fsm, err, clock_mono_ms(), unit_jitter()));
}

static void add_parameter(struct buf *b, const char *name, const char *value)
{
	if (!value)
		return;
	(void)buf_addf(b, "&%s=", name);
	url_escape(b, str_from(value));
}

/* The collection with this query, a place to go on from and the selectors, as a request. */
static int begin_request(struct reflector *r, const char *query, const char *from_name, const char *from,
			 struct k8s_request *ret, struct error *err)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT(64 * 1024);
	char path[K8S_PATH_MAX];

	if (k8s_path(path, r->options.type, r->options.ns, NULL, NULL, err))
		return -1;
	(void)buf_addf(&b, "%s?%s", path, query);
	add_parameter(&b, from_name, from);
	add_parameter(&b, "labelSelector", r->options.label_selector);
	add_parameter(&b, "fieldSelector", r->options.field_selector);
	if (buf_check(&b, "query", err))
		return -1;
	k8s_request_init(r->k8s, ret, "GET", buf_cstr(&b));
	r->call_us = clock_mono_us();
	return 0;
}

/* Listing. */

static void hold(void *arg, const struct object *o)
{
	struct reflector *r = arg;
	const struct object **slot = vec_push(&r->held, MAX_HELD);

	if (slot)
		*slot = o;
	else
		object_unref(o);
}

static int take_page(struct reflector *r, const struct http_response *resp, struct list_page *ret, struct error *err)
{
	if (resp->status != 200)
		return status_error(buf_str(&resp->body), resp->status, resp->retry_after_ms, err);
	return list_page_parse(r->options.type, buf_str(&resp->body), hold, r, ret, err);
}

static void list_done(void *arg, struct http_response *resp, const struct error *no_answer)
{
	struct reflector *r = arg;
	struct list_page page;
	struct error err;

	r->call = NULL;
	k8s_count_request("GET", resp && !no_answer ? resp->status : 0, clock_mono_us() - r->call_us);
	if (no_answer)
		err = *no_answer;
	if (no_answer || take_page(r, resp, &page, &err)) {
		(void)error_wrap(&err, "list %s", r->options.type->plural);
		failed(r, &err);
		return;
	}
	metric_add(r->bad, (double)page.n_bad);
	enum reflector_action action = reflector_fsm_page(&r->fsm, page.resource_version, page.next);
	if (action == REFLECTOR_WATCH) {
		store_replace(r->store, r->held.ptr, r->held.len, r->hooks.changed, r->hooks.arg);
		drop_held(r);
		metric_inc(r->relists);
		heard(r);
		if (r->hooks.synced)
			r->hooks.synced(r->hooks.arg);
	}
	carry_out(r, action);
}

static int list(struct reflector *r, struct error *err)
{
	_cleanup_(k8s_request_release) struct k8s_request req = { 0 };
	char query[32];

	/* No resourceVersion: the list is as fresh as etcd, so that a restart never goes back in time. */
	(void)snprintf(query, sizeof(query), "limit=%d", r->fsm.limit);
	if (!r->fsm.next)
		drop_held(r);
	if (begin_request(r, query, "continue", r->fsm.next, &req, err))
		return -1;
	req.http.timeout_ms = LIST_TIMEOUT_MS;
	r->call = http_loop_fetch(r->loop, &req.http, list_done, r);
	return 0;
}

/* Watching. */

/* What the store has already was not created just now. */
static void tell_added(struct reflector *r, const struct object *o, struct str line)
{
	const struct object *known _cleanup_object_ = r->hooks.added ? store_get(r->store, o->meta.key) : NULL;
	struct error ignored;
	struct str text;

	if (r->hooks.added && !known && json_raw_at(line, "object", &text, &ignored) == 0)
		r->hooks.added(r->hooks.arg, o, text);
}

static int take_event(void *arg, struct str line, struct error *err)
{
	struct reflector *r = arg;
	struct watch_event e;

	if (watch_event_parse(r->options.type, line, &e, err))
		return -1;
	if (e.kind == WATCH_ERROR) {
		*err = e.error;
		return -1;
	}
	if (e.kind != WATCH_BOOKMARK && !e.object) {
		metric_inc(r->bad);
		tell_failed(r, &e.error);
		/* Without its key it cannot be taken out, but the next list will do without it. */
		if (e.kind == WATCH_DELETED)
			return error_set(err, ERR_GONE, "a deleted object could not be decoded");
	} else if (e.kind == WATCH_DELETED) {
		store_delete(r->store, e.object->meta.key, r->hooks.changed, r->hooks.arg);
	} else if (e.kind != WATCH_BOOKMARK) {
		if (e.kind == WATCH_ADDED)
			tell_added(r, e.object, line);
		store_put(r->store, e.object, r->hooks.changed, r->hooks.arg);
	}
	(void)reflector_fsm_event(&r->fsm, e.resource_version);
	watch_event_release(&e);
	heard(r);
	return 0;
}

static int watch_head(void *arg, const struct http_response *head)
{
	struct reflector *r = arg;

	k8s_count_request("GET", head->status, clock_mono_us() - r->call_us);
	return 0;
}

static int watch_data(void *arg, const char *data, size_t len)
{
	struct reflector *r = arg;

	return watch_lines_feed(&r->lines, str_of(data, len), take_event, r, &r->stream_error);
}

static void watch_done(void *arg, struct http_response *resp, const struct error *no_answer)
{
	struct reflector *r = arg;
	struct error err = r->stream_error;
	int64_t lived_ms = (clock_mono_us() - r->call_us) / 1000;
	bool died = no_answer && r->stream_error.code == ERR_NONE;

	r->call = NULL;
	if (died)
		err = *no_answer;
	else if (r->stream_error.code == ERR_NONE && resp->status != 200)
		(void)status_error(buf_str(&resp->body), resp->status, resp->retry_after_ms, &err);
	/* A connection that was cut or fell silent after a good while is the ordinary end of a watch. */
	if (err.code == ERR_NONE || (died && lived_ms >= REFLECTOR_IDLE_MS)) {
		metric_inc(r->restarts);
		carry_out(r, reflector_fsm_ended(&r->fsm, lived_ms, clock_mono_ms(), unit_jitter()));
		return;
	}
	(void)error_wrap(&err, "watch %s", r->options.type->plural);
	failed(r, &err);
}

static int watch(struct reflector *r, struct error *err)
{
	_cleanup_(k8s_request_release) struct k8s_request req = { 0 };
	char query[96];

	(void)snprintf(query, sizeof(query), "watch=1&allowWatchBookmarks=true&timeoutSeconds=%d",
		       WATCH_MIN_S + (int)rand_below(WATCH_MAX_S - WATCH_MIN_S + 1));
	watch_lines_release(&r->lines);
	r->stream_error = (struct error)ERROR_INIT;
	if (begin_request(r, query, "resourceVersion", r->fsm.resource_version, &req, err))
		return -1;
	req.http.idle_timeout_ms = REFLECTOR_IDLE_MS;
	r->call = http_loop_stream(r->loop, &req.http, watch_head, watch_data, watch_done, r);
	return 0;
}

static void woken(void *arg)
{
	struct reflector *r = arg;

	r->timer = 0;
	carry_out(r, reflector_fsm_wake(&r->fsm));
}

static void carry_out(struct reflector *r, enum reflector_action action)
{
	struct error err;

	switch (action) {
	case REFLECTOR_LIST:
		if (list(r, &err))
			break;
		return;
	case REFLECTOR_WATCH:
		if (watch(r, &err))
			break;
		return;
	case REFLECTOR_WAIT:
		r->timer = http_loop_after(r->loop, r->fsm.delay_ms, woken, r);
		return;
	case REFLECTOR_GO_ON:
		return;
	}
	/* The request cannot even be written down: never hot, always through the backoff. */
	err.code = ERR_INVALID;
	metric_inc(r->errors);
	tell_failed(r, &err);
	(void)reflector_fsm_failed(&r->fsm, &err, clock_mono_ms(), unit_jitter());
	r->timer = http_loop_after(r->loop, r->fsm.delay_ms, woken, r);
}
