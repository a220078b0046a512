/* SPDX-License-Identifier: Apache-2.0 */
/* The db thread: order, waiting calls, the bounded queue, retries, a PostgreSQL that crashes under it. */
#include "db_fixture.h"

#include <semaphore.h>

#include "db/thread.h"
#include "metrics/metrics.h"

/* What happened to one piece of work. */
struct job {
	int64_t from, to; /* ids it writes */
	int fail_times;   /* first it fails so often, with that code */
	enum error_code fail_code;
	_Atomic(int) runs, done; /* done: 1 = well, -1 = failed */
	sem_t *gate;             /* run() waits here */
};

static int write_rows(struct db *db, void *arg, struct error *err)
{
	struct job *j = arg;
	struct db_value rows[200];
	size_t n = 0;

	if (j->gate)
		(void)sem_wait(j->gate);
	if (atomic_fetch_add(&j->runs, 1) < j->fail_times)
		return error_set(err, j->fail_code, "made to fail");
	for (int64_t id = j->from; id < j->to; id++) {
		rows[n++] = DB_I64(id);
		rows[n++] = DB_I64(id * 3);
	}
	return db_exec_many(db, "INSERT INTO t (id, n) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET n = excluded.n",
			    rows, 2, n / 2, NULL, err);
}

static void note_done(void *arg, const struct error *err)
{
	struct job *j = arg;

	if (err)
		printf("job %" PRId64 ": %s: %s\n", j->from, error_code_name(err->code), err->msg);
	atomic_store(&j->done, err ? -1 : 1);
}

static void wait_done(const struct job *j)
{
	for (int i = 0; i < 30000 && !atomic_load(&j->done); i++)
		(void)usleep(1000);
	assert_int_not_equal(atomic_load(&j->done), 0);
}

static struct db_work work_of(struct job *j)
{
	return (struct db_work){ .op = "test", .run = write_rows, .arg = j, .done = note_done };
}

static struct db_thread *start(struct fixture *f)
{
	struct db_thread *t = NULL;

	OK(db_script(f->db, "CREATE TABLE t (id INTEGER NOT NULL, n INTEGER, PRIMARY KEY (id)) STRICT, WITHOUT ROWID",
		     err));
	OK(db_thread_new(f->url, &t, err));
	return t;
}

static void work_is_done_in_order(void **state)
{
	enum { JOBS = 50 };
	struct fixture *f = *state;
	struct db_thread *t = start(f);
	struct job jobs[JOBS] = { 0 };

	for (int i = 0; i < JOBS; i++) {
		jobs[i].from = i;
		jobs[i].to = i + 2; /* the next one writes the second again */
		struct db_work w = work_of(&jobs[i]);
		OK(db_post(t, &w, err));
	}
	struct job last = { .from = 1000, .to = 1001 };
	struct db_work w = work_of(&last);
	OK(db_call(t, &w, err));
	assert_int_equal(atomic_load(&last.done), 0); /* a call has no callback */
	for (int i = 0; i < JOBS; i++)
		assert_true(jobs[i].done == 1 && jobs[i].runs == 1);
	OK(db_thread_check(t, err));
	assert_int_equal(fixture_i64(f->db, "SELECT count(*) FROM t"), JOBS + 2);
	/* It migrated the database before the first work. */
	assert_int_equal(fixture_i64(f->db, "SELECT count(*) FROM region"), 14);
	db_thread_free(t);
}

static void errors_that_pass_are_tried_again(void **state)
{
	struct fixture *f = *state;
	struct db_thread *t = start(f);
	struct job conflict = { .to = 1, .fail_times = 2, .fail_code = ERR_CONFLICT };
	struct job lost = { .from = 1, .to = 2, .fail_times = 1, .fail_code = ERR_UNAVAILABLE };
	struct job bad = { .to = 1, .fail_times = 1, .fail_code = ERR_INVALID };
	struct job hopeless = { .to = 1, .fail_times = 1000, .fail_code = ERR_UNAVAILABLE };

	struct db_work w = work_of(&conflict);
	OK(db_call(t, &w, err));
	assert_int_equal(conflict.runs, 3);
	w = work_of(&lost);
	OK(db_call(t, &w, err));
	assert_int_equal(lost.runs, 2);
	w = work_of(&bad);
	FAILS(ERR_INVALID, "made to fail", db_call(t, &w, err));
	assert_int_equal(bad.runs, 1);
	OK(db_thread_check(t, err)); /* says nothing against the database */
	w = work_of(&hopeless);
	w.patience_ms = 300;
	int64_t begun_ms = clock_mono_ms();
	FAILS(ERR_UNAVAILABLE, "made to fail", db_call(t, &w, err));
	assert_in_range(clock_mono_ms() - begun_ms, 250, 5000);
	assert_true(hopeless.runs >= 2);
	FAILS(ERR_UNAVAILABLE, "made to fail", db_thread_check(t, err));
	w = work_of(&bad);
	OK(db_call(t, &w, err));
	OK(db_thread_check(t, err));
	db_thread_free(t);

	_cleanup_(buf_release) struct buf metrics = BUF_INIT(1 << 20);
	int tries = fixture_on_postgres ? 4 : 2; /* of both halves of the suite, in one process */
	_cleanup_free_ char *wanted = xasprintf("loadshift_db_errors_total{op=\"test\",code=\"conflict\"} %d\n", tries);
	metrics_write(&metrics);
	assert_non_null(strstr(buf_cstr(&metrics), wanted));
	assert_non_null(strstr(buf_cstr(&metrics), "loadshift_db_seconds_count{op=\"test\"}"));
	assert_non_null(strstr(buf_cstr(&metrics), "loadshift_db_size_bytes "));
}

static void a_full_queue_refuses_at_once(void **state)
{
	struct fixture *f = *state;
	struct db_thread *t = start(f);
	sem_t gate;
	struct job first = { .to = 1, .gate = &gate }, *many = xcalloc(DB_MAX_QUEUE, sizeof(*many)), extra = { 0 };
	_cleanup_(buf_release) struct buf metrics = BUF_INIT(1 << 20);

	assert_int_equal(sem_init(&gate, 0, 0), 0);
	struct db_work w = work_of(&first);
	OK(db_post(t, &w, err));
	while (!atomic_load(&first.runs) && !metrics.len) { /* until the thread has taken it */
		(void)usleep(20000);
		metrics_write(&metrics);
		if (!strstr(buf_cstr(&metrics), "loadshift_db_queue_length 0"))
			buf_reset(&metrics);
	}
	for (int i = 0; i < DB_MAX_QUEUE; i++) {
		many[i].from = i;
		many[i].to = i + 1;
		w = work_of(&many[i]);
		OK(db_post(t, &w, err));
	}
	w = work_of(&extra);
	struct error error = ERROR_INIT;
	assert_int_equal(db_post(t, &w, &error), -1);
	assert_int_equal(error.code, ERR_THROTTLED);
	assert_true(error.retry_after_ms > 0);
	(void)sem_post(&gate);
	wait_done(&many[DB_MAX_QUEUE - 1]);
	OK(db_post(t, &w, err));
	wait_done(&extra);
	assert_int_equal(fixture_i64(f->db, "SELECT count(*) FROM t"), DB_MAX_QUEUE);
	db_thread_free(t);
	(void)sem_destroy(&gate);
	free(many);
}

static void what_is_queued_is_done_before_the_end(void **state)
{
	enum { JOBS = 100 };
	struct fixture *f = *state;
	struct db_thread *t = start(f);
	struct job jobs[JOBS] = { 0 };

	for (int i = 0; i < JOBS; i++) {
		jobs[i].from = i;
		jobs[i].to = i + 1;
		struct db_work w = work_of(&jobs[i]);
		OK(db_post(t, &w, err));
	}
	db_thread_free(t);
	for (int i = 0; i < JOBS; i++)
		assert_int_equal(jobs[i].done, 1);
	assert_int_equal(fixture_i64(f->db, "SELECT count(*) FROM t"), JOBS);
}

static void a_database_that_cannot_be_opened(void **state)
{
	struct fixture *f = *state;
	struct job j = { .to = 1 };
	struct db_work w = work_of(&j);
	struct db_thread *t;

	FAILS(ERR_INVALID, "URL", db_thread_new("nonsense", &t, err));
	_cleanup_free_ char *absent = xasprintf("sqlite://%s/no/such.db", f->dir);
	OK(db_thread_new(absent, &t, err));
	FAILS(ERR_DENIED, "folder", db_call(t, &w, err));
	FAILS(ERR_DENIED, "folder", db_thread_check(t, err));
	db_thread_free(t);
	/* No server: it is tried for as long as the work has patience; work behind it is not kept waiting twice. */
	OK(db_thread_new("postgresql://localhost:1/x", &t, err));
	w.patience_ms = 250;
	FAILS(ERR_UNAVAILABLE, "connect", db_call(t, &w, err));
	db_thread_free(t);
	assert_int_equal(j.runs, 0);
}

/* Calls from several threads, for TSan. */
struct caller {
	pthread_t thread;
	struct db_thread *t;
	int number, failed;
};

static void *call_often(void *arg)
{
	struct caller *c = arg;

	for (int i = 0; i < 50; i++) {
		struct job j = { .from = c->number * 1000 + i, .to = c->number * 1000 + i + 1 };
		struct db_work w = work_of(&j);
		struct error err = ERROR_INIT;

		if (i % 2 ? db_call(c->t, &w, &err) : db_thread_check(c->t, &err))
			c->failed++;
	}
	return NULL;
}

static void several_threads_call(void **state)
{
	enum { CALLERS = 4 };
	struct fixture *f = *state;
	struct caller callers[CALLERS] = { 0 };
	struct db_thread *t = start(f);

	for (int i = 0; i < CALLERS; i++) {
		callers[i].t = t;
		callers[i].number = i;
		assert_int_equal(pthread_create(&callers[i].thread, NULL, call_often, &callers[i]), 0);
	}
	for (int i = 0; i < CALLERS; i++) {
		(void)pthread_join(callers[i].thread, NULL);
		assert_int_equal(callers[i].failed, 0);
	}
	assert_int_equal(fixture_i64(f->db, "SELECT count(*) FROM t"), CALLERS * 25);
	db_thread_free(t);
}

/* 10,000 rows in 100 pieces while the server crashes and comes back, twice: each piece is there, whole, once. */
static void a_server_that_crashes(void **state)
{
	enum { JOBS = 100, ROWS = 100 };
	const char *restart = fixture_on_postgres ? getenv("LOADSHIFT_TEST_POSTGRES_RESTART") : NULL;
	struct fixture *f = *state;
	struct job *jobs = xcalloc(JOBS, sizeof(*jobs));

	if (!restart) { /* SQLite has no server; its crashes are in db_durability_test */
		free(jobs);
		return;
	}
	struct db_thread *t = start(f);
	for (int i = 0; i < JOBS; i++) {
		jobs[i].from = i * ROWS;
		jobs[i].to = (i + 1) * ROWS;
		struct db_work w = work_of(&jobs[i]);
		OK(db_post(t, &w, err));
		if (i == 20 || i == 60) {
			wait_done(&jobs[i - 10]);
			assert_int_equal(system(restart), 0);
		}
	}
	int runs = 0;
	for (int i = 0; i < JOBS; i++) {
		wait_done(&jobs[i]);
		assert_int_equal(jobs[i].done, 1);
		runs += jobs[i].runs;
	}
	OK(db_thread_check(t, err));
	db_thread_free(t);
	OK(db_reconnect(f->db, err));
	assert_true(runs > JOBS); /* the crashes were noticed */
	assert_int_equal(fixture_i64(f->db, "SELECT count(*) FROM t"), JOBS * ROWS);
	assert_int_equal(fixture_i64(f->db, "SELECT sum(n) FROM t"), INT64_C(3) * 9999 * 5000);
	free(jobs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DB_TEST(work_is_done_in_order),
		DB_TEST(errors_that_pass_are_tried_again),
		DB_TEST(a_full_queue_refuses_at_once),
		DB_TEST(what_is_queued_is_done_before_the_end),
		DB_TEST(a_database_that_cannot_be_opened),
		DB_TEST(several_threads_call),
		DB_TEST(a_server_that_crashes),
	};

	return fixture_run("db_thread", tests, ARRAY_LEN(tests));
}
