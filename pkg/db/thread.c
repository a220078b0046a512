/* SPDX-License-Identifier: Apache-2.0 */
/* The db thread: queue, retries, reconnecting. */
#include "db/thread.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/rand.h"
#include "db/migrate.h"
#include "metrics/metrics.h"

#define FIRST_BACKOFF_MS 100
#define MAX_BACKOFF_MS (5 * SECOND_MS)
#define SIZE_EVERY_MS MINUTE_MS

static struct metric queue_length = METRIC_GAUGE("loadshift_db_queue_length", "Work that waits for the db thread.");
static struct metric seconds = METRIC_HISTOGRAM("loadshift_db_seconds", "Time in the database, all tries together.",
						metric_latency_buckets, "op");
static struct metric errors = METRIC_COUNTER("loadshift_db_errors_total", "Failed tries.", "op", "code");
static struct metric size_bytes = METRIC_GAUGE("loadshift_db_size_bytes", "Bytes of the database on disk.");

struct item {
	struct item *next;
	struct db_work work;
	int64_t until_ms; /* monotonic */
};

struct db_thread {
	char *url;
	pthread_t thread;
	pthread_mutex_t mutex; /* all down to `health` */
	pthread_cond_t wake;
	struct item *first, *last;
	size_t len;
	bool stop;
	int64_t stop_by_ms;  /* monotonic */
	struct error health; /* ERR_NONE, or why the last try failed */
	/* The thread's own. */
	struct db *db; /* NULL until it was opened and migrated */
	bool lost;     /* its connection */
	int64_t next_size_ms;
};

/* ---- the queue ---- */

int db_post(struct db_thread *t, const struct db_work *work, struct error *err)
{
	MUTEX_GUARD(&t->mutex);
	if (t->stop)
		return error_set(err, ERR_UNAVAILABLE, "the database is being closed");
	if (t->len == DB_MAX_QUEUE) {
		error_set(err, ERR_THROTTLED, "%zu pieces of work wait for the database already", t->len);
		err->retry_after_ms = SECOND_MS;
		return -1;
	}
	struct item *item = xcalloc(1, sizeof(*item));

	item->work = *work;
	item->until_ms = clock_mono_ms() + (work->patience_ms ? work->patience_ms : DB_PATIENCE_MS);
	if (t->last)
		t->last->next = item;
	else
		t->first = item;
	t->last = item;
	metric_set(metric_only(&queue_length), (double)++t->len);
	(void)pthread_cond_signal(&t->wake);
	return 0;
}

size_t db_thread_queue_len(struct db_thread *t)
{
	MUTEX_GUARD(&t->mutex);
	return t->len;
}

/* The next item, or NULL when it is time to stop. */
static struct item *take(struct db_thread *t)
{
	MUTEX_GUARD(&t->mutex);
	while (!t->first && !t->stop)
		(void)pthread_cond_wait(&t->wake, &t->mutex);
	struct item *item = t->first;

	if (!item)
		return NULL;
	t->first = item->next;
	if (!t->first)
		t->last = NULL;
	metric_set(metric_only(&queue_length), (double)--t->len);
	return item;
}

/* ---- the thread ---- */

/* Sleeps before another try; false when there is no time left for one. */
static bool wait_to_retry(struct db_thread *t, const struct item *item, int64_t backoff_ms)
{
	int64_t until_ms = clock_mono_ms() + backoff_ms / 2 + rand_below(backoff_ms / 2 + 1);

	MUTEX_GUARD(&t->mutex);
	for (;;) {
		int64_t now_ms = clock_mono_ms(), end_ms = t->stop ? MIN(until_ms, t->stop_by_ms) : until_ms;
		struct timespec at = { .tv_sec = end_ms / 1000, .tv_nsec = end_ms % 1000 * 1000000 };

		if (now_ms >= end_ms)
			return now_ms < item->until_ms && !(t->stop && now_ms >= t->stop_by_ms);
		(void)pthread_cond_timedwait(&t->wake, &t->mutex, &at);
	}
}

/* Opened and migrated at the first work; connected again where the connection was lost. */
static int make_ready(struct db_thread *t, struct error *err)
{
	_cleanup_(cleanup_db_close) struct db *db = NULL;

	if (t->db) {
		if (t->lost && db_reconnect(t->db, err))
			return -1;
		t->lost = false;
		return 0;
	}
	if (db_open(t->url, &db, err) || db_migrate(db, NULL, err))
		return -1;
	t->db = steal_ptr(db);
	return 0;
}

static void note_health(struct db_thread *t, const struct error *err)
{
	MUTEX_GUARD(&t->mutex);
	t->health = *err;
}

static int try_once(struct db_thread *t, const struct item *item, struct error *err)
{
	bool ready = make_ready(t, err) == 0;

	if (ready && item->work.run(t->db, item->work.arg, err) == 0)
		*err = (struct error)ERROR_INIT;
	else
		metric_inc(metric_series(&errors, item->work.op, error_code_name(err->code)));
	t->lost = t->lost || err->code == ERR_UNAVAILABLE || err->code == ERR_TIMEOUT;

	/* Bad values, or a row that is not there, say nothing against the database. */
	bool works = ready && (err->code == ERR_INVALID || err->code == ERR_NOT_FOUND);
	note_health(t, works ? &(struct error)ERROR_INIT : err);
	return err->code == ERR_NONE ? 0 : -1;
}

static void run(struct db_thread *t, const struct item *item, struct error *err)
{
	int64_t backoff_ms = FIRST_BACKOFF_MS, begun_us = clock_mono_us();

	while (try_once(t, item, err) && error_is_transient(err) && wait_to_retry(t, item, backoff_ms)) {
		*err = (struct error)ERROR_INIT;
		backoff_ms = MIN(2 * backoff_ms, MAX_BACKOFF_MS);
	}
	metric_observe(metric_series(&seconds, item->work.op), (double)(clock_mono_us() - begun_us) / 1e6);
}

/* Work that waited too long behind a database which is away, or that is left when it is time to stop. */
static bool is_given_up(struct db_thread *t, const struct item *item, struct error *err)
{
	MUTEX_GUARD(&t->mutex);
	if (t->stop && clock_mono_ms() >= t->stop_by_ms) {
		error_set(err, ERR_UNAVAILABLE, "the database was closed before this work's turn");
		return true;
	}
	if (clock_mono_ms() < item->until_ms || t->health.code != ERR_UNAVAILABLE)
		return false;
	*err = t->health;
	return true;
}

static void note_size(struct db_thread *t)
{
	struct error ignored = ERROR_INIT;
	int64_t bytes;

	if (!t->db || clock_mono_ms() < t->next_size_ms)
		return;
	t->next_size_ms = clock_mono_ms() + SIZE_EVERY_MS;
	if (db_size_bytes(t->db, &bytes, &ignored) == 0)
		metric_set(metric_only(&size_bytes), (double)bytes);
}

static void *db_thread_main(void *arg)
{
	struct db_thread *t = arg;
	struct error start = ERROR_INIT;
	struct item *item;

	/* What fails here is tried again with the first work. */
	(void)!make_ready(t, &start);
	note_health(t, &start);
	while ((item = take(t))) {
		struct error err = ERROR_INIT;

		if (!is_given_up(t, item, &err))
			run(t, item, &err);
		if (item->work.done)
			item->work.done(item->work.arg, err.code == ERR_NONE ? NULL : &err);
		free(item);
		note_size(t);
	}
	db_close(t->db);
	return NULL;
}

/* ---- calls that wait ---- */

struct call {
	const struct db_work *work;
	struct error *err;
	pthread_mutex_t mutex;
	pthread_cond_t over;
	bool is_over;
	bool failed;
};

static int call_run(struct db *db, void *arg, struct error *err)
{
	const struct call *c = arg;

	return c->work->run(db, c->work->arg, err);
}

static void call_done(void *arg, const struct error *err)
{
	struct call *c = arg;

	MUTEX_GUARD(&c->mutex);
	if (err) {
		*c->err = *err;
		c->failed = true;
	}
	c->is_over = true;
	(void)pthread_cond_signal(&c->over);
}

int db_call(struct db_thread *t, const struct db_work *work, struct error *err)
{
	struct call c = {
		.work = work, .err = err, .mutex = PTHREAD_MUTEX_INITIALIZER, .over = PTHREAD_COND_INITIALIZER
	};
	struct db_work waiting = {
		.op = work->op, .run = call_run, .arg = &c, .done = call_done, .patience_ms = work->patience_ms
	};

	if (db_post(t, &waiting, err))
		return -1;
	(void)pthread_mutex_lock(&c.mutex);
	while (!c.is_over)
		(void)pthread_cond_wait(&c.over, &c.mutex);
	(void)pthread_mutex_unlock(&c.mutex);
	(void)pthread_cond_destroy(&c.over);
	(void)pthread_mutex_destroy(&c.mutex);
	return c.failed ? -1 : 0;
}

/* ---- life ---- */

int db_thread_check(struct db_thread *t, struct error *err)
{
	MUTEX_GUARD(&t->mutex);
	if (t->health.code == ERR_NONE)
		return 0;
	*err = t->health;
	return -1;
}

void db_thread_free(struct db_thread *t)
{
	if (!t)
		return;
	(void)pthread_mutex_lock(&t->mutex);
	bool running = !t->stop;
	t->stop = true;
	t->stop_by_ms = clock_mono_ms() + DB_DRAIN_MS;
	(void)pthread_cond_signal(&t->wake);
	(void)pthread_mutex_unlock(&t->mutex);
	if (running)
		(void)pthread_join(t->thread, NULL);
	(void)pthread_cond_destroy(&t->wake);
	(void)pthread_mutex_destroy(&t->mutex);
	free(t->url);
	free(t);
}

int db_thread_new(const char *url, struct db_thread **ret, struct error *err)
{
	if (db_check_url(url, err))
		return -1;
	struct db_thread *t = xcalloc(1, sizeof(*t));
	pthread_condattr_t attributes;

	t->url = xstrdup(url);
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_mutex_init(&t->mutex, NULL);
	(void)pthread_cond_init(&t->wake, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	int errnum = pthread_create(&t->thread, NULL, db_thread_main, t);
	if (errnum) {
		t->stop = true;
		db_thread_free(t);
		return error_errno(err, ERR_INTERNAL, errnum, "db thread");
	}
	*ret = t;
	return 0;
}
