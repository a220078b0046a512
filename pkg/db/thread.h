/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The db thread: the one owner of the connection, behind a bounded queue. It opens the database and migrates it, runs
 * what is queued in order, and closes it.
 *
 * Work is a function that may be run again: it opens its own transaction, and what it writes are upserts. After a lost
 * connection the thread connects anew (after 0.1 s, doubling to 5 s) and runs the function again; so after ERR_CONFLICT
 * and ERR_TIMEOUT. Any other error is final. While a database is away the work waits; what takes longer than its
 * patience is given up with the last error, and may still have been carried out if that is ERR_TIMEOUT.
 *
 * Back-pressure: a full queue refuses with ERR_THROTTLED at once. A collector then keeps its data and offers it with
 * the next round (it is an upsert, so later is as good); a reader reports that it does not know. Nobody's thread waits
 * for room.
 *
 * Metrics: loadshift_db_queue_length, loadshift_db_seconds{op} (time in the database, all tries),
 * loadshift_db_errors_total{op,code} (each failed try), loadshift_db_size_bytes (once a minute).
 *
 *	static int write_samples(struct db *db, void *arg, struct error *err);
 *	struct db_work w = { .op = "carbon", .run = write_samples, .arg = batch, .done = free_batch };
 *	if (db_post(thread, &w, err))
 *		free_batch(batch, err);
 */
#ifndef DB_THREAD_H
#define DB_THREAD_H

#include "db/db.h"

#define DB_MAX_QUEUE 1000
/* How long work tries, unless it says otherwise; and what db_thread_free() gives to all that is queued. */
#define DB_PATIENCE_MS (10 * MINUTE_MS)
#define DB_DRAIN_MS (10 * SECOND_MS)

struct db_thread;

struct db_work {
	const char *op; /* label of the metrics: a constant, one of few */
	/* On the db thread. */
	int (*run)(struct db *db, void *arg, struct error *err);
	void *arg;
	/* On the db thread when it is over; err NULL = done. May be NULL. Called exactly once for queued work. */
	void (*done)(void *arg, const struct error *err);
	int64_t patience_ms; /* 0 = DB_PATIENCE_MS */
};

/*
 * Starts it. The database is opened and migrated by the thread, so that a server which is not there yet delays work
 * but not the start; only an unreadable URL fails here. What can never work (a newer schema, a wrong password) fails
 * all work with its error; db_thread_check() shows it.
 */
int db_thread_new(const char *url, struct db_thread **ret, struct error *err) must_check;
/* Runs what is queued, for DB_DRAIN_MS at most; what is left is given up with ERR_UNAVAILABLE. NULL is fine. */
void db_thread_free(struct db_thread *t);

/* Queues; never waits. ERR_THROTTLED when the queue is full. Thread: any. */
int db_post(struct db_thread *t, const struct db_work *work, struct error *err) must_check;
/* Queues and waits until it is over; `done` is not used. Thread: any but the db thread. */
int db_call(struct db_thread *t, const struct db_work *work, struct error *err) must_check;
/* 0 when the database could be used at the last try; for readiness and conditions. Thread: any. */
int db_thread_check(struct db_thread *t, struct error *err) must_check;
/* How much is queued. Thread: any. */
size_t db_thread_queue_len(struct db_thread *t);

#endif
