/* SPDX-License-Identifier: Apache-2.0 */
/* Past runs by template, see learned.h. */
#include "controller/learned.h"

#include <math.h>

#include "api/carbonawarejob.h"
#include "base/map.h"
#include "base/vec.h"
#include "forecast/runs.h"
#include "log/log.h"

#define MAX_KEY 200

struct one_run {
	struct past_run run;
	uint64_t uid; /* a hash of it */
};

/* In order of their end, the latest RUNS_MAX. */
struct template
{
	VEC(struct one_run) runs;
};

struct learned {
	pthread_mutex_t mutex;
	struct map templates; /* "namespace/hash" */
};

struct learned *learned_new(void)
{
	struct learned *l = xcalloc(1, sizeof(*l));

	(void)pthread_mutex_init(&l->mutex, NULL);
	map_init(&l->templates, LEARNED_MAX_TEMPLATES);
	return l;
}

void learned_free(struct learned *l)
{
	struct map_entry *e;

	if (!l)
		return;
	for (size_t i = 0; (e = map_next(&l->templates, &i));) {
		struct template *t = e->value;

		vec_release(&t->runs);
		free(t);
	}
	map_release(&l->templates);
	(void)pthread_mutex_destroy(&l->mutex);
	free(l);
}

static struct template *find(const struct learned *l, const char *namespace, const char *hash, char key[MAX_KEY])
{
	(void)snprintf(key, MAX_KEY, "%s/%s", namespace, hash);
	return map_get(&l->templates, str_from(key));
}

/* NULL when there are too many templates: of more nothing is learnt. */
static struct template *find_or_make(struct learned *l, const char *namespace, const char *hash)
{
	char key[MAX_KEY];
	struct template *t = find(l, namespace, hash, key);
	struct error err;
	void *old;

	if (t)
		return t;
	t = xcalloc(1, sizeof(*t));
	if (map_put(&l->templates, str_from(key), t, &old, &err)) {
		free(t);
		return NULL;
	}
	return t;
}

/* By its end; the oldest of too many goes. */
static void insert(struct template *t, const struct one_run *r)
{
	size_t at = t->runs.len;

	for (size_t i = 0; i < t->runs.len; i++)
		if (t->runs.ptr[i].uid == r->uid)
			return;
	while (at > 0 && t->runs.ptr[at - 1].run.end_ms > r->run.end_ms)
		at--;
	if (t->runs.len == RUNS_MAX) {
		if (at == 0)
			return;
		memmove(t->runs.ptr, t->runs.ptr + 1, (RUNS_MAX - 1) * sizeof(*t->runs.ptr));
		t->runs.len--;
		at--;
	}
	(void)vec_push(&t->runs, RUNS_MAX);
	memmove(t->runs.ptr + at + 1, t->runs.ptr + at, (t->runs.len - 1 - at) * sizeof(*t->runs.ptr));
	t->runs.ptr[at] = *r;
}

void learned_add(struct learned *l, const char *namespace, const char *template_hash, const char *uid, int64_t start_ms,
		 int64_t end_ms)
{
	struct one_run r = { { start_ms, end_ms, (double)NAN }, str_fnv1a(str_from(uid)) };
	struct template *t;

	if (end_ms <= start_ms)
		return;
	MUTEX_GUARD(&l->mutex);
	t = find_or_make(l, namespace, template_hash);
	if (t)
		insert(t, &r);
}

/* What it has run, without the pauses in between. */
static int64_t ran_ms(const struct caj_status *s)
{
	int64_t sum = 0;

	for (int i = 0; i < s->n_runs; i++)
		sum += MAX(s->runs[i].end_ms - s->runs[i].start_ms, 0);
	return sum;
}

void learned_on_caj(void *arg, const struct object *old, const struct object *new)
{
	const struct carbonawarejob *caj = new ? carbonawarejob_of(new) : NULL;

	if (!caj || !caj->status.template_hash || !condition_is_true(&caj->status.conditions, COND_COMPLETE) ||
	    (old && condition_is_true(&carbonawarejob_of(old)->status.conditions, COND_COMPLETE)))
		return;
	const struct caj_status *s = &caj->status;
	int64_t end_ms = s->n_runs ? s->runs[s->n_runs - 1].end_ms : 0;
	learned_add(arg, caj->obj.meta.namespace, s->template_hash, caj->obj.meta.uid, end_ms - ran_ms(s), end_ms);
}

bool learned_duration(struct learned *l, const char *namespace, const char *template_hash, int64_t *ret_ms)
{
	struct past_run runs[RUNS_MAX];
	char key[MAX_KEY];
	double seconds;
	size_t n;

	if (!template_hash)
		return false;
	{
		MUTEX_GUARD(&l->mutex);
		const struct template *t = find(l, namespace, template_hash, key);

		n = t ? t->runs.len : 0;
		for (size_t i = 0; i < n; i++)
			runs[i] = t->runs.ptr[i].run;
	}
	if (!runs_duration_s(runs, (int)n, LEARNED_QUANTILE, &seconds))
		return false;
	*ret_ms = (int64_t)ceil(seconds / 60) * MINUTE_MS;
	return true;
}

/* ---- the database ---- */

static int run_read(struct db *db, void *arg, struct error *err)
{
	_cleanup_(db_rows_end) struct db_rows rows = { 0 };
	int more;

	if (db_query(db,
		     "SELECT namespace, template_hash, uid, started_ms, finished_ms FROM workload "
		     "WHERE state = 'Succeeded' AND template_hash <> '' AND started_ms IS NOT NULL "
		     "AND finished_ms IS NOT NULL ORDER BY finished_ms DESC LIMIT ?",
		     DB_VALUES(DB_I64(LEARNED_MAX_ROWS)), &rows, err))
		return -1;
	while ((more = db_next(&rows, err)) > 0) {
		char namespace[OBJECT_KEY_MAX], hash[MAX_KEY], uid[MAX_KEY];

		if (str_copy(namespace, sizeof(namespace), db_text(&rows, 0)) &&
		    str_copy(hash, sizeof(hash), db_text(&rows, 1)) && str_copy(uid, sizeof(uid), db_text(&rows, 2)))
			learned_add(arg, namespace, hash, uid, db_i64(&rows, 3), db_i64(&rows, 4));
	}
	return more;
}

static void end_read(void *arg, const struct error *err)
{
	(void)arg;
	if (err)
		log_warn("run times of earlier jobs were not read", LOG_ERR(err));
}

void learned_read(struct learned *l, struct db_thread *db)
{
	struct error err;

	if (db_post(db, &(struct db_work){ "learned", run_read, l, end_read, 0 }, &err))
		end_read(l, &err);
}
