/* SPDX-License-Identifier: Apache-2.0 */
/* The net thread: calls, timers and posted tasks in one curl_multi_poll loop, see client.h. */
#include <signal.h>
#include <stdatomic.h>

#include "base/vec.h"
#include "http/transfer.h"

/* Reached only when the net thread hangs or a caller leaks: then the process had better start again. */
#define MAX_TASKS 65536
#define MAX_TIMERS 65536
#define MAX_CALLS 1024
#define MAX_IDLE_CONNECTIONS 32
#define MAX_WAIT_MS 60000
/*
 * A busy loop turns so often at most. curl_multi_perform() asks the kernel about every call each time, so with a dozen
 * watches what comes in one by one is cheaper taken together.
 */
#define TURN_MS 20

struct task {
	http_task_fn fn;
	void *arg;
};

struct tasks {
	VEC(struct task) v;
};

struct timer {
	struct timer *next; /* by time */
	uint64_t id;
	int64_t due_ms;
	struct task task;
};

struct http_call {
	struct http_call *next;
	struct http_loop *loop;
	struct http_transfer t;
	struct http_request req; /* with copies behind it */
	struct http_tls tls;
	char *copies[HTTP_MAX_HEADERS + 12];
	size_t n_copies;
	CURL *easy;
	http_head_fn head;
	http_data_fn data;
	http_done_fn done;
	void *arg;
	bool in_multi;
	bool cancelled;
	bool finished;
	CURLcode code;
	struct error early; /* could not even begin */
	/* Streams: give up at this time of the monotonic clock, 0 = never. */
	int64_t deadline_ms;
};

struct http_loop {
	CURLM *multi;
	pthread_t thread;
	pthread_mutex_t mutex;
	struct tasks posted; /* under the mutex */
	bool stop;           /* under the mutex */
	/* Net thread only. */
	struct http_call *calls;
	size_t n_calls;
	struct timer *timers;
	size_t n_timers;
	uint64_t last_timer;
};

static void overrun(const char *what)
{
	(void)fprintf(stderr, "net thread: too many %s\n", what);
	abort();
}

bool http_loop_is_net_thread(const struct http_loop *l)
{
	return pthread_equal(pthread_self(), l->thread);
}

void http_loop_post(struct http_loop *l, http_task_fn fn, void *arg)
{
	MUTEX_GUARD(&l->mutex);
	struct task *t;

	if (l->stop)
		return;
	t = vec_push(&l->posted.v, MAX_TASKS);
	if (!t)
		overrun("tasks");
	else
		*t = (struct task){ fn, arg };
	if (l->posted.v.len == 1)
		(void)curl_multi_wakeup(l->multi);
}

/* --- timers --- */

uint64_t http_loop_after(struct http_loop *l, int64_t delay_ms, http_task_fn fn, void *arg)
{
	struct timer *t = xcalloc(1, sizeof(*t)), **at = &l->timers;

	if (++l->n_timers > MAX_TIMERS)
		overrun("timers");
	t->id = ++l->last_timer;
	t->due_ms = clock_mono_ms() + MAX(delay_ms, 0);
	t->task = (struct task){ fn, arg };
	while (*at && (*at)->due_ms <= t->due_ms)
		at = &(*at)->next;
	t->next = *at;
	*at = t;
	return t->id;
}

static struct timer *unlink_timer(struct http_loop *l, struct timer **at)
{
	struct timer *t = *at;

	*at = t->next;
	l->n_timers--;
	return t;
}

void http_loop_cancel_timer(struct http_loop *l, uint64_t id)
{
	for (struct timer **at = &l->timers; *at; at = &(*at)->next) {
		if ((*at)->id == id) {
			free(unlink_timer(l, at));
			return;
		}
	}
}

static void run_timers(struct http_loop *l)
{
	int64_t now_ms = clock_mono_ms();

	while (l->timers && l->timers->due_ms <= now_ms) {
		struct timer *t = unlink_timer(l, &l->timers);
		struct task task = t->task;

		free(t);
		task.fn(task.arg);
	}
}

static void run_tasks(struct http_loop *l)
{
	struct tasks mine;

	pthread_mutex_lock(&l->mutex);
	mine = l->posted;
	l->posted = (struct tasks){ 0 };
	pthread_mutex_unlock(&l->mutex);
	for (size_t i = 0; i < mine.v.len; i++)
		mine.v.ptr[i].fn(mine.v.ptr[i].arg);
	vec_release(&mine.v);
}

/* --- calls --- */

static const char *copy(struct http_call *c, const char *s)
{
	return s ? c->copies[c->n_copies++] = xstrdup(s) : NULL;
}

static struct str copy_str(struct http_call *c, struct str s)
{
	return s.ptr ? str_of(c->copies[c->n_copies++] = xstrndup(s.ptr, s.len), s.len) : STR_NULL;
}

static void copy_request(struct http_call *c, const struct http_request *req)
{
	struct http_request *r = &c->req;

	*r = *req;
	r->method = copy(c, req->method);
	r->url = copy(c, req->url);
	r->content_type = copy(c, req->content_type);
	r->redirect_hosts = copy(c, req->redirect_hosts);
	r->user_agent = copy(c, req->user_agent);
	r->body = copy_str(c, req->body);
	for (size_t i = 0; i < HTTP_MAX_HEADERS && req->headers[i]; i++)
		r->headers[i] = copy(c, req->headers[i]);
	if (!req->tls)
		return;
	c->tls = (struct http_tls){
		.ca_file = copy(c, req->tls->ca_file),
		.cert_file = copy(c, req->tls->cert_file),
		.key_file = copy(c, req->tls->key_file),
		.ca_pem = copy_str(c, req->tls->ca_pem),
		.cert_pem = copy_str(c, req->tls->cert_pem),
		.key_pem = copy_str(c, req->tls->key_pem),
	};
	r->tls = &c->tls;
}

static void free_call(struct http_call *c)
{
	if (c->in_multi)
		(void)curl_multi_remove_handle(c->loop->multi, c->easy);
	curl_easy_cleanup(c->easy);
	transfer_release(&c->t);
	for (size_t i = 0; i < c->n_copies; i++)
		free(c->copies[i]);
	free(c);
}

static int stream_head(struct http_transfer *t)
{
	struct http_call *c = container_of(t, struct http_call, t);

	if (c->cancelled)
		return -1;
	c->deadline_ms = c->req.idle_timeout_ms > 0 ? clock_mono_ms() + c->req.idle_timeout_ms : 0;
	return c->head ? c->head(c->arg, &t->resp) : 0;
}

static int stream_data(struct http_transfer *t, const char *data, size_t len)
{
	struct http_call *c = container_of(t, struct http_call, t);

	if (c->cancelled)
		return -1;
	if (c->req.idle_timeout_ms > 0)
		c->deadline_ms = clock_mono_ms() + c->req.idle_timeout_ms;
	return c->data(c->arg, data, len);
}

static void fail_early(struct http_call *c, const struct error *err)
{
	c->early = *err;
	c->finished = true;
}

static void add_to_multi(struct http_call *c)
{
	if (curl_multi_add_handle(c->loop->multi, c->easy) == CURLM_OK) {
		c->in_multi = true;
		return;
	}
	(void)error_set(&c->early, ERR_INTERNAL, "libcurl does not take the request");
	c->finished = true;
}

static struct http_call *start(struct http_loop *l, const struct http_request *req, http_head_fn head,
			       http_data_fn data, http_done_fn done, void *arg)
{
	struct http_call *c = xcalloc(1, sizeof(*c));
	struct error err = ERROR_INIT;

	c->loop = l;
	c->head = head;
	c->data = data;
	c->done = done;
	c->arg = arg;
	copy_request(c, req);
	c->next = l->calls;
	l->calls = c;
	c->easy = curl_easy_init();
	if (!c->easy)
		abort();
	if (data) {
		c->t.on_head = stream_head;
		c->t.on_data = stream_data;
		c->deadline_ms = clock_mono_ms() + transfer_timeout_ms(req);
	}
	if (++l->n_calls > MAX_CALLS) {
		(void)error_set(&err, ERR_LIMIT, "more than %d requests at once", MAX_CALLS);
		fail_early(c, &err);
	} else if (transfer_begin(&c->t, c->easy, NULL, &c->req, &err)) {
		fail_early(c, &err);
	} else {
		add_to_multi(c);
	}
	/* Its answer, even an immediate failure, comes from the loop and never from inside this function. */
	(void)curl_multi_wakeup(l->multi);
	return c;
}

struct http_call *http_loop_fetch(struct http_loop *l, const struct http_request *req, http_done_fn done, void *arg)
{
	return start(l, req, NULL, NULL, done, arg);
}

struct http_call *http_loop_stream(struct http_loop *l, const struct http_request *req, http_head_fn head,
				   http_data_fn data, http_done_fn done, void *arg)
{
	return start(l, req, head, data, done, arg);
}

void http_call_cancel(struct http_call *call)
{
	/* libcurl may be in the middle of it: the loop takes it apart. */
	if (call)
		call->cancelled = true;
}

/* --- the loop --- */

static void collect(struct http_loop *l)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(l->multi, &left))) {
		if (m->msg != CURLMSG_DONE)
			continue;
		for (struct http_call *c = l->calls; c; c = c->next) {
			if (c->easy == m->easy_handle) {
				c->finished = true;
				c->code = m->data.result;
			}
		}
	}
}

static void check_deadlines(struct http_loop *l)
{
	int64_t now_ms = clock_mono_ms();

	for (struct http_call *c = l->calls; c; c = c->next) {
		if (c->finished || c->deadline_ms == 0 || now_ms < c->deadline_ms)
			continue;
		if (c->t.head_done)
			(void)transfer_timeout(&c->t, "no data", c->req.idle_timeout_ms, &c->early);
		else
			(void)transfer_timeout(&c->t, "no answer", transfer_timeout_ms(&c->req), &c->early);
		c->finished = true;
	}
}

static void finish(struct http_loop *l, struct http_call *c)
{
	struct error err = c->early;
	int r = -1;

	if (c->in_multi)
		(void)curl_multi_remove_handle(l->multi, c->easy);
	c->in_multi = false;
	if (err.code == ERR_NONE)
		r = transfer_end(&c->t, c->code, &err);
	if (r > 0) {
		/* Redirected: the handle was set up again. */
		c->finished = false;
		add_to_multi(c);
		return;
	}
	c->done(c->arg, r == 0 ? &c->t.resp : NULL, r == 0 ? NULL : &err);
	c->cancelled = true; /* over: taken out with the cancelled ones */
}

static void finish_calls(struct http_loop *l)
{
	/* Callbacks may start and cancel calls: new ones come in at the head, and only this function takes out. */
	for (struct http_call *c = l->calls; c; c = c->next)
		if (c->finished && !c->cancelled)
			finish(l, c);
	for (struct http_call **at = &l->calls; *at;) {
		struct http_call *c = *at;

		if (!c->cancelled) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		l->n_calls--;
		free_call(c);
	}
}

static int wait_ms(const struct http_loop *l)
{
	int64_t now_ms = clock_mono_ms(), wait = MAX_WAIT_MS;

	if (l->timers)
		wait = MIN(wait, l->timers->due_ms - now_ms);
	for (const struct http_call *c = l->calls; c; c = c->next) {
		if (c->finished || c->cancelled)
			return 0;
		if (c->deadline_ms)
			wait = MIN(wait, c->deadline_ms - now_ms);
	}
	return (int)MAX(wait, 0);
}

static bool asked_to_stop(struct http_loop *l)
{
	MUTEX_GUARD(&l->mutex);

	return l->stop;
}

/* The first after a pause does not wait. */
static void pace(int64_t last_turn_ms)
{
	int64_t left_ms = last_turn_ms + TURN_MS - clock_mono_ms();

	if (left_ms > 0)
		(void)nanosleep(&(struct timespec){ .tv_nsec = (long)left_ms * 1000000 }, NULL);
}

static void *loop_main(void *arg)
{
	struct http_loop *l = arg;
	int running;

	(void)pthread_setname_np(pthread_self(), "net");
	while (!asked_to_stop(l)) {
		int64_t turn_ms = clock_mono_ms();

		run_tasks(l);
		run_timers(l);
		(void)curl_multi_perform(l->multi, &running);
		collect(l);
		check_deadlines(l);
		finish_calls(l);
		(void)curl_multi_poll(l->multi, NULL, 0, wait_ms(l), NULL);
		pace(turn_ms);
	}
	return NULL;
}

int http_loop_new(struct http_loop **ret, struct error *err)
{
	struct http_loop *l = xcalloc(1, sizeof(*l));
	sigset_t all, old;
	int r;

	l->multi = curl_multi_init();
	if (!l->multi)
		abort();
	(void)curl_multi_setopt(l->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
	(void)curl_multi_setopt(l->multi, CURLMOPT_MAXCONNECTS, (long)MAX_IDLE_CONNECTIONS);
	pthread_mutex_init(&l->mutex, NULL);
	/* Signals are for the main thread. */
	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&l->thread, NULL, loop_main, l);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r) {
		(void)curl_multi_cleanup(l->multi);
		pthread_mutex_destroy(&l->mutex);
		free(l);
		return error_errno(err, ERR_INTERNAL, r, "net thread");
	}
	*ret = l;
	return 0;
}

void http_loop_free(struct http_loop *l)
{
	if (!l)
		return;
	pthread_mutex_lock(&l->mutex);
	l->stop = true;
	pthread_mutex_unlock(&l->mutex);
	(void)curl_multi_wakeup(l->multi);
	(void)pthread_join(l->thread, NULL);
	while (l->calls) {
		struct http_call *c = l->calls;

		l->calls = c->next;
		free_call(c);
	}
	while (l->timers)
		free(unlink_timer(l, &l->timers));
	(void)curl_multi_cleanup(l->multi);
	vec_release(&l->posted.v);
	pthread_mutex_destroy(&l->mutex);
	free(l);
}
