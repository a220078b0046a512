/* SPDX-License-Identifier: Apache-2.0 */
/* The net thread: requests, streams, timers, tasks, cancelling; against our own server and a fake one. */
#include "http_fixture.h"

#include <assert.h>
#include <semaphore.h>

static void handle_echo(struct http_exchange *x, void *arg)
{
	(void)arg;
	http_reply(x, 200, "text/plain", http_body(x));
}

static void handle_redirect(struct http_exchange *x, void *arg)
{
	(void)arg;
	http_reply_header(x, "Location", http_param(x, "to"));
	http_reply(x, 302, NULL, STR_NULL);
}

static const struct http_route routes[] = {
	{ "POST", "/echo", 2 * 1024 * 1024, handle_echo, NULL },
	{ "GET", "/echo", 0, handle_echo, NULL },
	{ "GET", "/redirect", 0, handle_redirect, NULL },
};

static struct http_server *server_new(void)
{
	struct http_server_config cfg = { .name = "test", .address = "127.0.0.1", .routes = routes };
	struct http_server *s = NULL;
	struct error err = ERROR_INIT;

	cfg.n_routes = ARRAY_LEN(routes);
	if (http_server_new(&cfg, &s, &err))
		fail_msg("%s", err.msg);
	return s;
}

struct waiter {
	struct http_loop *loop;
	struct http_call *call;
	struct http_request req;
	sem_t sem;
	_Atomic int n_done, n_head, n_data;
	size_t bytes;
	int status;
	char body[64];
	char content_type[64];
	struct error err;
	int stop_at; /* give up at that piece of data */
	int cancel_at;
	bool stream;
};

static void on_done(void *arg, struct http_response *resp, const struct error *err)
{
	struct waiter *w = arg;

	assert(http_loop_is_net_thread(w->loop));
	assert(!resp == !!err);
	if (resp) {
		w->status = resp->status;
		w->bytes += resp->body.len;
		(void)str_copy(w->body, sizeof(w->body), buf_str(&resp->body));
	} else {
		w->err = *err;
	}
	http_call_cancel(w->call);
	atomic_fetch_add(&w->n_done, 1);
	(void)sem_post(&w->sem);
}

static int on_head(void *arg, const struct http_response *head)
{
	struct waiter *w = arg;

	w->status = head->status;
	(void)str_copy(w->content_type, sizeof(w->content_type), str_from(head->content_type));
	atomic_fetch_add(&w->n_head, 1);
	return 0;
}

static int on_data(void *arg, const char *data, size_t len)
{
	struct waiter *w = arg;
	int n = atomic_fetch_add(&w->n_data, 1) + 1;

	(void)data;
	w->bytes += len;
	if (w->cancel_at == n) {
		http_call_cancel(w->call);
		(void)sem_post(&w->sem);
	}
	return w->stop_at == n ? -1 : 0;
}

static void start_waiter(void *arg)
{
	struct waiter *w = arg;

	w->call = w->stream ? http_loop_stream(w->loop, &w->req, on_head, on_data, on_done, w)
			    : http_loop_fetch(w->loop, &w->req, on_done, w);
}

static void waiter_init(struct waiter *w, struct http_loop *l, const char *to)
{
	*w = (struct waiter){ .loop = l, .req = { .url = to, .allow_plain = true } };
	(void)sem_init(&w->sem, 0, 0);
}

static bool waiter_wait(struct waiter *w, int64_t ms)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += ms / 1000;
	return sem_timedwait(&w->sem, &ts) == 0;
}

static struct http_loop *loop_new(void)
{
	struct http_loop *l = NULL;
	struct error err = ERROR_INIT;

	assert_int_equal(http_loop_new(&l, &err), 0);
	return l;
}

/* Starts it on the net thread and waits for the end. */
static void run(struct waiter *w)
{
	http_loop_post(w->loop, start_waiter, w);
	assert_true(waiter_wait(w, 10000));
}

static void test_loop_fetch(void **state)
{
	struct http_server *s = server_new();
	struct http_loop *l = loop_new();
	struct waiter w[64];
	char body[64][32], to[256];
	int64_t begin;

	(void)state;
	(void)snprintf(to, sizeof(to), "http://127.0.0.1:%d/echo", http_server_port(s));
	begin = clock_mono_us();
	for (int i = 0; i < 64; i++) {
		waiter_init(&w[i], l, to);
		(void)snprintf(body[i], sizeof(body[i]), "body %d", i);
		w[i].req.method = "POST";
		w[i].req.body = str_from(body[i]);
		http_loop_post(l, start_waiter, &w[i]);
	}
	for (int i = 0; i < 64; i++) {
		assert_true(waiter_wait(&w[i], 10000));
		assert_int_equal(w[i].status, 200);
		assert_string_equal(w[i].body, body[i]);
	}
	print_message("64 fetches at once: %" PRId64 " us\n", clock_mono_us() - begin);
	/* Errors come the same way. */
	waiter_init(&w[0], l, "http://127.0.0.1:1/?secret");
	run(&w[0]);
	assert_int_equal(w[0].err.code, ERR_UNAVAILABLE);
	waiter_init(&w[0], l, "nonsense");
	run(&w[0]);
	assert_int_equal(w[0].err.code, ERR_INVALID);
	(void)snprintf(to, sizeof(to), "http://127.0.0.1:%d/redirect?to=/redirect%%3Fto%%3D/echo", http_server_port(s));
	waiter_init(&w[0], l, to);
	w[0].req.max_redirects = 2;
	run(&w[0]);
	assert_int_equal(w[0].status, 200);
	http_loop_free(l);
	http_server_free(s, 100);
}

static void test_streams(void **state)
{
	int port = fake_start();
	struct http_loop *l = loop_new();
	struct waiter w, v;
	char to[256], to2[256];

	(void)state;
	/* Two at a time, to the end. */
	(void)snprintf(to, sizeof(to), "http://127.0.0.1:%d/stream", port);
	waiter_init(&w, l, to);
	waiter_init(&v, l, to);
	w.stream = v.stream = true;
	w.req.idle_timeout_ms = v.req.idle_timeout_ms = 2000;
	http_loop_post(l, start_waiter, &v);
	run(&w);
	assert_true(waiter_wait(&v, 5000));
	assert_int_equal(w.err.code, ERR_NONE);
	assert_int_equal(w.n_head, 1);
	assert_int_equal(w.bytes, 150);
	assert_int_equal(v.bytes, 150);
	assert_string_equal(w.content_type, "x/stream");
	/* Silence after some lines; silence before the head. */
	(void)snprintf(to2, sizeof(to2), "http://127.0.0.1:%d/stall?secret", port);
	waiter_init(&w, l, to2);
	w.stream = true;
	w.req.idle_timeout_ms = 300;
	run(&w);
	assert_int_equal(w.err.code, ERR_TIMEOUT);
	assert_non_null(strstr(w.err.msg, "no data within 300 ms"));
	assert_null(strstr(w.err.msg, "secret"));
	(void)snprintf(to2, sizeof(to2), "http://127.0.0.1:%d/silent", port);
	waiter_init(&w, l, to2);
	w.stream = true;
	w.req.timeout_ms = 200;
	run(&w);
	assert_int_equal(w.err.code, ERR_TIMEOUT);
	assert_int_equal(w.n_head, 0);
	/* Refused: the body comes whole. */
	(void)snprintf(to2, sizeof(to2), "http://127.0.0.1:%d/denied", port);
	waiter_init(&w, l, to2);
	w.stream = true;
	run(&w);
	assert_int_equal(w.status, 403);
	assert_string_equal(w.body, "no way");
	assert_int_equal(w.n_data, 0);
	/* The reader gives up. */
	waiter_init(&w, l, to);
	w.stream = true;
	w.stop_at = 3;
	run(&w);
	assert_int_equal(w.err.code, ERR_INTERNAL);
	assert_non_null(strstr(w.err.msg, "stopped by reader"));
	assert_int_equal(w.n_data, 3);
	/* Cancelled from its own callback: silence. */
	waiter_init(&w, l, to);
	w.stream = true;
	w.cancel_at = 2;
	run(&w);
	usleep(100000);
	assert_int_equal(w.n_data, 2);
	assert_int_equal(w.n_done, 0);
	http_loop_free(l);
	fake_end();
}

struct ticks {
	struct http_loop *loop;
	_Atomic int n, order;
	uint64_t cancelled;
	sem_t sem;
};

static void tick_never(void *arg)
{
	struct ticks *t = arg;

	atomic_store(&t->n, -1000);
}

static void tick_last(void *arg)
{
	struct ticks *t = arg;

	http_loop_cancel_timer(t->loop, 12345); /* unknown: nothing */
	(void)sem_post(&t->sem);
}

static void tick(void *arg)
{
	struct ticks *t = arg;

	if (atomic_fetch_add(&t->n, 1) < 4)
		(void)http_loop_after(t->loop, 10, tick, t);
	http_loop_cancel_timer(t->loop, t->cancelled);
}

static void start_ticks(void *arg)
{
	struct ticks *t = arg;

	(void)http_loop_after(t->loop, 400, tick_last, t);
	t->cancelled = http_loop_after(t->loop, 20, tick_never, t);
	(void)http_loop_after(t->loop, 0, tick, t);
}

static void count_task(void *arg)
{
	atomic_fetch_add((_Atomic int *)arg, 1);
}

struct poster {
	struct http_loop *loop;
	_Atomic int *n;
};

static void *post_many(void *arg)
{
	struct poster *p = arg;

	for (int i = 0; i < 1000; i++)
		http_loop_post(p->loop, count_task, p->n);
	return NULL;
}

static void test_tasks_and_timers(void **state)
{
	struct ticks t = { .loop = loop_new() };
	_Atomic int n = 0;
	struct poster p = { t.loop, &n };
	pthread_t threads[4];

	(void)state;
	(void)sem_init(&t.sem, 0, 0);
	http_loop_post(t.loop, start_ticks, &t);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, post_many, &p), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		(void)pthread_join(threads[i], NULL);
	(void)sem_wait(&t.sem);
	assert_int_equal(t.n, 5);
	assert_int_equal(n, 4000);
	assert_false(http_loop_is_net_thread(t.loop));
	http_loop_free(t.loop);
}

struct turns {
	struct http_loop *loop;
	_Atomic int n;
	_Atomic bool stop;
	sem_t sem;
};

/* Always has more to do in the next turn. */
static void turn(void *arg)
{
	struct turns *t = arg;

	t->n++;
	if (t->stop)
		(void)sem_post(&t->sem);
	else
		http_loop_post(t->loop, turn, t);
}

/* However much there is to do, it is done a hundred times a second at most: ten milliseconds' worth at once. */
static void test_pace(void **state)
{
	const struct timespec while_busy = { .tv_nsec = 300 * 1000000 };
	struct http_loop *l = loop_new();
	struct turns t = { .loop = l };
	int64_t began_ms = clock_mono_ms(), took_ms;

	(void)state;
	(void)sem_init(&t.sem, 0, 0);
	http_loop_post(l, turn, &t);
	(void)nanosleep(&while_busy, NULL);
	t.stop = true;
	(void)sem_wait(&t.sem);
	took_ms = clock_mono_ms() - began_ms;
	print_message("%d turns in %" PRId64 " ms\n", t.n, took_ms);
	/* The clock counts whole milliseconds. */
	assert_in_range(t.n, 2, took_ms / 9 + 2);
	http_loop_free(l);
	(void)sem_destroy(&t.sem);
}

static void cancel_waiter(void *arg)
{
	struct waiter *w = arg;

	http_call_cancel(w->call);
	(void)sem_post(&w->sem);
}

static void test_cancel_and_free(void **state)
{
	int port = fake_start();
	struct http_loop *l = loop_new();
	struct waiter w[8];
	char to[256];

	(void)state;
	(void)snprintf(to, sizeof(to), "http://127.0.0.1:%d/silent", port);
	for (int i = 0; i < 8; i++) {
		waiter_init(&w[i], l, to);
		w[i].stream = i % 2;
		http_loop_post(l, start_waiter, &w[i]);
	}
	usleep(50000);
	for (int i = 0; i < 4; i++) {
		http_loop_post(l, cancel_waiter, &w[i]);
		assert_true(waiter_wait(&w[i], 2000));
	}
	/* Started and cancelled in one go. */
	waiter_init(&w[0], l, to);
	http_loop_post(l, start_waiter, &w[0]);
	http_loop_post(l, cancel_waiter, &w[0]);
	assert_true(waiter_wait(&w[0], 2000));
	http_loop_free(l);
	for (int i = 0; i < 8; i++)
		assert_int_equal(w[i].n_done, 0);
	fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loop_fetch),       cmocka_unit_test(test_streams),
		cmocka_unit_test(test_tasks_and_timers), cmocka_unit_test(test_pace),
		cmocka_unit_test(test_cancel_and_free),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
