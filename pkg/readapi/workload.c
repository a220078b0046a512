/* SPDX-License-Identifier: Apache-2.0 */
/* What power CarbonAwareJobs will draw: by their plans, and by what a namespace has drawn until now. */
#include <math.h>

#include "api/carbonawarejob.h"
#include "base/alloc.h"
#include "base/vec.h"
#include "forecast/model.h"
#include "forecast/runs.h"
#include "readapi/internal.h"

#define HISTORY_MS (56 * DAY_MS)
#define MIN_HISTORY_MS (7 * DAY_MS)
#define MAX_HOURS 336
#define MAX_RUNS 100000

struct runs {
	VEC(struct past_run) v;
};

static bool is_finished(const struct carbonawarejob *caj)
{
	return condition_is_true(&caj->status.conditions, COND_COMPLETE) ||
	       condition_is_true(&caj->status.conditions, COND_FAILED);
}

/* The planned segments of what has not ended, at the power that their energy means. */
static void add_plan(struct runs *runs, const struct carbonawarejob *caj)
{
	const struct caj_plan *p = &caj->status.plan;
	int64_t total_ms = 0;

	if (is_finished(caj) || !p->expected.energy_known)
		return;
	for (int i = 0; i < p->n_segments; i++)
		total_ms += p->segments[i].end_ms - p->segments[i].start_ms;
	for (int i = 0; i < p->n_segments && total_ms > 0; i++) {
		struct past_run *run = vec_push(&runs->v, MAX_RUNS);

		if (run)
			*run = (struct past_run){ p->segments[i].start_ms, p->segments[i].end_ms,
						  (double)p->expected.energy_milliwatt_hours / 1000 * HOUR_MS /
							  (double)total_ms };
	}
}

static void put_column(struct json_writer *w, const char *key, const double *watts, int n)
{
	jw_array(w, key);
	for (int i = 0; i < n; i++)
		jw_i64(w, NULL, llround(fmin(fmax(watts[i], 0), 1e12) * 1000));
	jw_end_array(w);
}

static void write_planned(struct readapi_request *r, int64_t start_ms, int n)
{
	_cleanup_(object_list_release) struct object_list all = { 0 };
	_cleanup_free_ double *watts = xcalloc((size_t)n, sizeof(*watts));
	struct runs runs = { 0 };

	store_list(r->cfg->cajs, &all);
	for (size_t i = 0; i < all.len; i++)
		if (!r->namespace || strcmp(all.items[i]->meta.namespace, r->namespace) == 0)
			add_plan(&runs, carbonawarejob_of(all.items[i]));
	runs_add_power(runs.v.ptr, (int)runs.v.len, start_ms, SLOT_MS, n, watts);
	put_column(&r->w, "plannedMilliwatts", watts, n);
	vec_release(&runs.v);
}

/* ---- from the past ---- */

struct past {
	const char *namespace; /* "" = all */
	int64_t from_ms;
	struct runs runs;
};

static int read_past(struct db *db, void *arg, struct error *err)
{
	_cleanup_(db_rows_end) struct db_rows rows = { 0 };
	struct past *p = arg;
	int more;

	p->runs.v.len = 0; /* it may be run again */
	if (db_query(db,
		     "SELECT started_ms, finished_ms, energy_milliwatt_hours FROM workload WHERE finished_ms >= ? "
		     "AND started_ms IS NOT NULL AND energy_milliwatt_hours IS NOT NULL AND finished_ms > started_ms "
		     "AND (CAST(? AS TEXT) = '' OR namespace = ?) ORDER BY finished_ms LIMIT ?",
		     DB_VALUES(DB_I64(p->from_ms), DB_CSTR(p->namespace), DB_CSTR(p->namespace), DB_I64(MAX_RUNS)),
		     &rows, err))
		return -1;
	while ((more = db_next(&rows, err)) > 0) {
		struct past_run *run = vec_push(&p->runs.v, MAX_RUNS);
		int64_t ms = db_i64(&rows, 1) - db_i64(&rows, 0);

		if (run)
			*run = (struct past_run){ db_i64(&rows, 0), db_i64(&rows, 1),
						  (double)db_i64(&rows, 2) / 1000 * HOUR_MS / (double)ms };
	}
	return more;
}

/* Since when something runs that has no figures yet; INT64_MAX when nothing does. */
static int64_t running_since_ms(const struct readapi_request *r)
{
	_cleanup_(object_list_release) struct object_list all = { 0 };
	int64_t since_ms = INT64_MAX;

	store_list(r->cfg->cajs, &all);
	for (size_t i = 0; i < all.len; i++) {
		const struct carbonawarejob *caj = carbonawarejob_of(all.items[i]);

		if ((!r->namespace || strcmp(caj->obj.meta.namespace, r->namespace) == 0) &&
		    caj->status.released_ms != TIME_NONE && !is_finished(caj))
			since_ms = MIN(since_ms, caj->status.released_ms);
	}
	return since_ms;
}

static void write_expected(struct readapi_request *r, const struct past *p, int64_t start_ms, int n)
{
	int64_t first_ms = time_slot_floor(MAX(p->runs.v.ptr[0].start_ms, p->from_ms), SLOT_MS);
	int64_t running_ms = running_since_ms(r);
	int past = (int)((start_ms - first_ms) / SLOT_MS);
	_cleanup_free_ double *watts = xcalloc((size_t)past, sizeof(*watts));
	_cleanup_free_ double *q = xcalloc(3 * (size_t)n, sizeof(*q));
	const struct forecast_series s = { first_ms, SLOT_MS, past, watts };
	const struct forecast_quantiles out = { q, q + n, q + 2 * n };
	struct forecast_model *m _cleanup_(cleanup_forecast_model) = NULL;

	runs_add_power(p->runs.v.ptr, (int)p->runs.v.len, first_ms, SLOT_MS, past, watts);
	/* What has drawn power since is not known in full. */
	for (int i = 0; i < past; i++)
		if (first_ms + (i + 1) * SLOT_MS > running_ms)
			watts[i] = (double)NAN;
	m = forecast_train(&s, NULL, past, n);
	forecast_predict(m, &s, NULL, past, &out);
	put_column(&r->w, "expectedP10Milliwatts", out.p10, n);
	put_column(&r->w, "expectedP50Milliwatts", out.p50, n);
	put_column(&r->w, "expectedP90Milliwatts", out.p90, n);
}

int readapi_workload_forecast(struct readapi_request *r, struct error *err)
{
	int64_t start_ms = time_slot_floor(r->now_ms, SLOT_MS), hours;
	struct past p = { .namespace = r->namespace ? r->namespace : "", .from_ms = start_ms - HISTORY_MS };
	bool long_enough;

	if (readapi_param_i64(r, "hours", 96, 1, MAX_HOURS, &hours, err))
		return -1;
	if (r->cfg->db && readapi_on_database(r, read_past, &p, err)) {
		vec_release(&p.runs.v);
		return -1;
	}
	jw_object(&r->w, NULL);
	jw_string_opt(&r->w, "namespace", r->namespace);
	jw_time(&r->w, "startTime", start_ms);
	jw_i64(&r->w, "slotSeconds", SLOT_MS / SECOND_MS);
	write_planned(r, start_ms, (int)(hours * HOUR_MS / SLOT_MS));
	jw_i64(&r->w, "pastRuns", (int64_t)p.runs.v.len);
	long_enough = p.runs.v.len && p.runs.v.ptr[0].start_ms <= start_ms - MIN_HISTORY_MS;
	if (long_enough)
		write_expected(r, &p, start_ms, (int)(hours * HOUR_MS / SLOT_MS));
	jw_end_object(&r->w);
	vec_release(&p.runs.v);
	return 0;
}
