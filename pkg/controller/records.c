/* SPDX-License-Identifier: Apache-2.0 */
/* From informer events to the db thread, with a slow resync behind it. */
#include "controller/records.h"

#include "api/carbonawarejob.h"
#include "base/vec.h"
#include "controller/records_rows.h"
#include "decide/power.h"
#include "log/log.h"
#include "metrics/metrics.h"

#define KEY_RESYNC "resync"
#define KEY_RETENTION "retention"
#define RESYNC_MS HOUR_MS
#define RETENTION_MS DAY_MS
#define PATIENCE_MS (5 * SECOND_MS)
/* Objects, or days of a table, of one transaction: others have their turn in between. */
#define RESYNC_CHUNK 2000
#define RETENTION_CHUNK 1

static struct metric dropped =
	METRIC_COUNTER("loadshift_records_dropped_total", "Changes that wait for the next resync instead of being "
							  "written at once.");

struct batch {
	VEC(struct record) records;
};

struct records {
	struct records_config cfg;
	struct controller *controller; /* of the two keys */
	pthread_mutex_t mutex;
	bool started;           /* by the mutex, and not stopped yet */
	struct batch gathering; /* by the mutex */
	bool queued;            /* by the mutex: work is on its way that will take what gathers */
	struct batch writing;   /* the db thread's: kept until it is written, since work may be run again */
};

static void batch_release(struct batch *b)
{
	for (size_t i = 0; i < b->records.len; i++)
		object_unref(b->records.ptr[i].object);
	vec_release(&b->records);
}

/* ---- changes ---- */

static int write_batch(struct db *db, void *arg, struct error *err)
{
	struct records *r = arg;
	_cleanup_(db_tx_end) struct db_tx tx = { 0 };

	if (r->writing.records.len == 0) {
		MUTEX_GUARD(&r->mutex);
		r->writing = r->gathering;
		r->gathering = (struct batch){ 0 };
	}
	if (db_tx_begin(&tx, db, err) ||
	    records_write(db, &r->cfg.clock, r->cfg.regions, r->writing.records.ptr, r->writing.records.len, err))
		return -1;
	return db_tx_commit(&tx, err);
}

static void offer(struct records *r);

static void batch_written(void *arg, const struct error *err)
{
	struct records *r = arg;

	if (err) {
		log_warn("the database did not take records of jobs and nodes: they come again", LOG_ERR(err));
		metric_add(metric_only(&dropped), (double)r->writing.records.len);
	}
	batch_release(&r->writing);
	MUTEX_GUARD(&r->mutex);
	r->queued = false;
	if (r->gathering.records.len)
		offer(r);
}

/* With the mutex held. A full queue: the next change tries again. */
static void offer(struct records *r)
{
	struct error err;

	if (!r->queued)
		r->queued =
			db_post(r->cfg.db, &(struct db_work){ "records", write_batch, r, batch_written, 0 }, &err) == 0;
}

/* Heartbeats say nothing new. Labels that a GridRegion selects by are left to the resync. */
static bool node_is_same(const struct object *a, const struct object *b)
{
	const struct node *x = node_of(a), *y = node_of(b);

	return x->ready == y->ready && x->unschedulable == y->unschedulable && x->cpu_milli == y->cpu_milli &&
	       x->memory_bytes == y->memory_bytes && x->gpus == y->gpus &&
	       cstr_eq(object_label(a, LABEL_REGION), object_label(b, LABEL_REGION)) &&
	       cstr_eq(object_label(a, LABEL_TOPOLOGY_REGION), object_label(b, LABEL_TOPOLOGY_REGION)) &&
	       cstr_eq(object_annotation(a, ANNOTATION_IDLE_WATTS), object_annotation(b, ANNOTATION_IDLE_WATTS)) &&
	       cstr_eq(object_annotation(a, ANNOTATION_PEAK_WATTS), object_annotation(b, ANNOTATION_PEAK_WATTS));
}

void records_on_change(void *arg, const struct object *old, const struct object *new)
{
	struct records *r = arg;
	struct record *slot;

	if (old && new && old->type == &node_type && node_is_same(old, new))
		return;
	MUTEX_GUARD(&r->mutex);
	if (!r->started)
		return;
	slot = vec_push(&r->gathering.records, RECORDS_MAX);
	if (slot)
		*slot = (struct record){ object_ref(new ? new : old), clock_now_ms(&r->cfg.clock), !new };
	else
		metric_inc(metric_only(&dropped));
	offer(r);
}

/* ---- resync ---- */

/* A part of what the stores hold. */
struct part {
	struct records *r;
	struct record *records;
	size_t n;
	int64_t at_ms;
};

static int write_part(struct db *db, void *arg, struct error *err)
{
	struct part *p = arg;
	_cleanup_(db_tx_end) struct db_tx tx = { 0 };

	if (db_tx_begin(&tx, db, err) ||
	    (p->n ? records_write(db, &p->r->cfg.clock, p->r->cfg.regions, p->records, p->n, err)
		  : records_sweep(db, p->at_ms, err)))
		return -1;
	return db_tx_commit(&tx, err);
}

static int write_store(struct records *r, struct store *store, int64_t at_ms, struct error *err)
{
	_cleanup_(object_list_release) struct object_list all = { 0 };
	_cleanup_free_ struct record *records = xcalloc(RESYNC_CHUNK, sizeof(*records));

	store_list(store, &all);
	for (size_t i = 0; i < all.len;) {
		struct part p = { .r = r, .records = records, .at_ms = at_ms };

		for (; i < all.len && p.n < RESYNC_CHUNK; i++)
			records[p.n++] = (struct record){ .object = all.items[i], .at_ms = at_ms };
		if (db_call(r->cfg.db, &(struct db_work){ "resync", write_part, &p, NULL, PATIENCE_MS }, err))
			return -1;
	}
	return 0;
}

static int resync(struct records *r, struct error *err)
{
	int64_t at_ms = clock_now_ms(&r->cfg.clock);
	struct part nothing = { .r = r, .at_ms = at_ms };

	if (write_store(r, r->cfg.nodes, at_ms, err) || write_store(r, r->cfg.cajs, at_ms, err) ||
	    db_call(r->cfg.db, &(struct db_work){ "resync", write_part, &nothing, NULL, PATIENCE_MS }, err))
		return error_wrap(err, "write jobs and nodes to the database");
	return 0;
}

/* ---- retention ---- */

struct removal {
	const struct db_retention *rule;
	int64_t now_ms;
	struct db_retention_count count;
};

static int remove_old(struct db *db, void *arg, struct error *err)
{
	struct removal *d = arg;

	d->count = (struct db_retention_count){ 0 };
	return db_retention_run(db, d->rule, d->now_ms, RETENTION_CHUNK, &d->count, err);
}

static int retain(struct records *r, struct error *err)
{
	for (size_t i = 0; i < r->cfg.n_retention; i++) {
		struct removal d = { .rule = &r->cfg.retention[i], .now_ms = clock_now_ms(&r->cfg.clock) };
		int64_t n_rows = 0;

		do {
			if (db_call(r->cfg.db, &(struct db_work){ "retention", remove_old, &d, NULL, PATIENCE_MS },
				    err))
				return error_wrap(err, "retention of %s", d.rule->table->name);
			n_rows += d.count.n_rows;
		} while (d.count.n_days == RETENTION_CHUNK);
		if (n_rows)
			log_info("old rows removed", LOG_STR("table", d.rule->table->name), LOG_I64("rows", n_rows));
	}
	return 0;
}

static int reconcile(void *arg, struct worker *w, const char *key, struct reconcile_result *ret, struct error *err)
{
	struct records *r = arg;
	bool is_resync = cstr_eq(key, KEY_RESYNC);

	(void)w;
	ret->requeue_after_ms = is_resync ? RESYNC_MS : RETENTION_MS;
	if (is_resync ? resync(r, err) : retain(r, err)) {
		/* Only what is transient would be tried again; this is to go on whatever it was. */
		log_warn("records", LOG_ERR(err), LOG_STR("what", key));
		ret->requeue_after_ms = MINUTE_MS;
	}
	return 0;
}

/* ---- life ---- */

struct records *records_new(const struct records_config *cfg)
{
	struct records *r = xcalloc(1, sizeof(*r));

	r->cfg = *cfg;
	(void)pthread_mutex_init(&r->mutex, NULL);
	r->controller = controller_new(
		&(struct controller_options){ .name = "records", .k8s = cfg->k8s, .reconcile = reconcile, .arg = r });
	return r;
}

int records_start(struct records *r, struct error *err)
{
	(void)pthread_mutex_lock(&r->mutex);
	r->started = true;
	(void)pthread_mutex_unlock(&r->mutex);
	(void)workqueue_add(controller_queue(r->controller), KEY_RESYNC);
	if (r->cfg.n_retention)
		(void)workqueue_add(controller_queue(r->controller), KEY_RETENTION);
	return controller_start(r->controller, err);
}

void records_stop(struct records *r)
{
	if (!r)
		return;
	(void)pthread_mutex_lock(&r->mutex);
	bool started = r->started;
	r->started = false;
	(void)pthread_mutex_unlock(&r->mutex);
	if (started)
		controller_stop(r->controller, 0);
}

void records_free(struct records *r)
{
	if (!r)
		return;
	controller_free(r->controller);
	batch_release(&r->gathering);
	batch_release(&r->writing);
	(void)pthread_mutex_destroy(&r->mutex);
	free(r);
}
