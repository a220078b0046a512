/* SPDX-License-Identifier: Apache-2.0 */
/* Rows gather here until the db thread takes them; see history.h. What the tables look like: history_rows.c. */
#include "grid/history.h"

#include "db/pack.h"
#include "grid/history_internal.h"
#include "metrics/metrics.h"

static struct metric dropped =
	METRIC_COUNTER("loadshift_grid_history_dropped_total", "Rows that the database had no time for.", "kind");

struct grid_history {
	struct db_thread *db;
	pthread_mutex_t mutex;
	pthread_cond_t idle;
	struct history_rows gathering; /* by the mutex */
	bool queued;                   /* by the mutex: work is on its way that will take what gathers */
	struct history_rows writing;   /* the db thread's: kept until it is written, since work may be run again */
	struct history_ids ids;        /* the db thread's */
};

/* ---- writing ---- */

static int write_rows(struct db *db, void *arg, struct error *err)
{
	struct grid_history *h = arg;

	if (history_rows_count(&h->writing) == 0) {
		MUTEX_GUARD(&h->mutex);
		h->writing = h->gathering;
		h->gathering = (struct history_rows){ 0 };
	}
	_cleanup_(db_tx_end) struct db_tx tx = { 0 };
	if (db_tx_begin(&tx, db, err) || history_rows_write(db, &h->writing, &h->ids, err) || db_tx_commit(&tx, err)) {
		/* Ids that were made in it are gone with the transaction. */
		history_ids_release(&h->ids);
		return -1;
	}
	return 0;
}

static void offer(struct grid_history *h);

static void written(void *arg, const struct error *err)
{
	struct grid_history *h = arg;

	if (err)
		metric_add(metric_series(&dropped, "written"), (double)history_rows_count(&h->writing));
	history_rows_release(&h->writing);
	(void)pthread_mutex_lock(&h->mutex);
	h->queued = false;
	if (history_rows_count(&h->gathering) > 0)
		offer(h);
	if (!h->queued)
		(void)pthread_cond_broadcast(&h->idle);
	(void)pthread_mutex_unlock(&h->mutex);
}

/* With the mutex held. A full queue: the next row tries again. */
static void offer(struct grid_history *h)
{
	struct error err;

	if (!h->queued)
		h->queued = db_post(h->db, &(struct db_work){ "grid", write_rows, h, written, 0 }, &err) == 0;
}

/* ---- the sink ---- */

static bool has_room(struct grid_history *h, const char *kind)
{
	if (history_rows_count(&h->gathering) < GRID_HISTORY_MAX_ROWS)
		return true;
	metric_inc(metric_series(&dropped, kind));
	return false;
}

static void take_samples(void *arg, const struct grid_sample *samples, size_t n)
{
	struct grid_history *h = arg;

	MUTEX_GUARD(&h->mutex);
	for (size_t i = 0; i < n && has_room(h, "sample"); i++)
		history_rows_add_sample(&h->gathering, &samples[i]);
	offer(h);
}

static void take_moment(void *arg, const struct grid_provider *p, const struct grid_moment *m, int64_t fetched_ms)
{
	struct grid_history *h = arg;

	MUTEX_GUARD(&h->mutex);
	for (int i = 0; i < m->n_mix && has_room(h, "mix"); i++)
		history_rows_add_mix(&h->gathering, p, m, i, fetched_ms);
	offer(h);
}

static void take_vintage(void *arg, const struct grid_provider *p, const struct grid_series *s,
			 const struct grid_basis *basis, int64_t fetched_ms)
{
	struct grid_history *h = arg;

	MUTEX_GUARD(&h->mutex);
	if (has_room(h, "vintage"))
		history_rows_add_vintage(&h->gathering, p, s, basis, fetched_ms);
	offer(h);
}

static void take_attempt(void *arg, const struct grid_attempt *a)
{
	struct grid_history *h = arg;

	MUTEX_GUARD(&h->mutex);
	if (has_room(h, "call"))
		history_rows_add_call(&h->gathering, a);
	offer(h);
}

struct grid_sink grid_history_sink(struct grid_history *h)
{
	return h ? (struct grid_sink){ take_samples, take_moment, take_vintage, take_attempt, h }
		 : (struct grid_sink){ 0 };
}

/* ---- the reader ---- */

struct read {
	char provider[GRID_NAME_MAX], zone[GRID_NAME_MAX];
	enum grid_metric metric;
	int64_t from_ms, to_ms;
	grid_past_fn done;
	void *done_arg;
	VEC(struct grid_past) past;
};

/* Half hours of two months: more than anybody asks for. */
#define MAX_PAST 4096

static int add_past(void *arg, const struct grid_sample *s)
{
	struct read *r = arg;
	struct grid_past *p = vec_push(&r->past, MAX_PAST);

	if (p)
		*p = (struct grid_past){ .start_ms = s->start_ms, .value = s->value, .kind = (int32_t)s->kind };
	return 0;
}

static int run_read(struct db *db, void *arg, struct error *err)
{
	struct read *r = arg;
	char zone[GRID_NAME_MAX];

	r->past.len = 0; /* it may be run again */
	if (grid_history_zone(db, r->provider, r->zone, zone, err))
		return -1;
	return grid_history_each(db, zone, r->metric, r->provider, r->from_ms, r->to_ms, add_past, r, err);
}

static void end_read(void *arg, const struct error *err)
{
	struct read *r = arg;

	r->done(r->done_arg, err ? NULL : r->past.ptr, err ? 0 : r->past.len, err);
	vec_release(&r->past);
	free(r);
}

static void read_past(void *arg, const char *provider, const char *zone, enum grid_metric metric, int64_t from_ms,
		      int64_t to_ms, grid_past_fn done, void *done_arg)
{
	struct grid_history *h = arg;
	struct read *r = xcalloc(1, sizeof(*r));
	struct error err = ERROR_INIT;

	*r = (struct read){ .metric = metric, .from_ms = from_ms, .to_ms = to_ms, .done = done, .done_arg = done_arg };
	(void)str_copy(r->provider, sizeof(r->provider), str_from(provider));
	(void)str_copy(r->zone, sizeof(r->zone), str_from(zone));
	if (db_post(h->db, &(struct db_work){ "past", run_read, r, end_read, 0 }, &err))
		end_read(r, &err);
}

struct grid_history_reader grid_history_reader(struct grid_history *h)
{
	return h ? (struct grid_history_reader){ read_past, h } : (struct grid_history_reader){ 0 };
}

/* ---- life ---- */

struct grid_history *grid_history_new(struct db_thread *db)
{
	struct grid_history *h = xcalloc(1, sizeof(*h));

	h->db = db;
	(void)pthread_mutex_init(&h->mutex, NULL);
	(void)pthread_cond_init(&h->idle, NULL);
	return h;
}

void grid_history_free(struct grid_history *h)
{
	if (!h)
		return;
	(void)pthread_mutex_lock(&h->mutex);
	while (h->queued)
		(void)pthread_cond_wait(&h->idle, &h->mutex);
	(void)pthread_mutex_unlock(&h->mutex);
	history_rows_release(&h->gathering);
	history_rows_release(&h->writing);
	history_ids_release(&h->ids);
	(void)pthread_cond_destroy(&h->idle);
	(void)pthread_mutex_destroy(&h->mutex);
	free(h);
}
