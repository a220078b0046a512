/* SPDX-License-Identifier: Apache-2.0 */
/* What the rows of workload, schedule and compute_asset say of an object. */
#include "controller/records_rows.h"

#include "api/carbonawarejob.h"
#include "api/gridregion.h"
#include "base/alloc.h"
#include "base/decimal.h"
#include "db/table.h"
#include "decide/power.h"

#define CHUNK_ROWS 500
#define MAX_WIDTH 26

/* ---- values ---- */

static struct db_value known(bool is_known, int64_t value)
{
	return is_known ? DB_I64(value) : DB_NULL;
}

static struct db_value time_value(int64_t ms)
{
	return known(ms != TIME_NONE, ms);
}

static struct db_value text(const char *s)
{
	return DB_CSTR(s ? s : "");
}

static struct db_value limit(const struct caj_limit *l)
{
	return known(l->set, l->value);
}

/* When the condition became true; TIME_NONE when it is not. */
static int64_t since(const struct conditions *c, const char *type)
{
	const struct condition *found = condition_is_true(c, type) ? condition_find(c, type) : NULL;

	return found ? found->last_transition_ms : TIME_NONE;
}

static int64_t finished_ms(const struct record *r)
{
	const struct conditions *c = &carbonawarejob_of(r->object)->status.conditions;
	int64_t ms = since(c, COND_COMPLETE);

	if (ms == TIME_NONE)
		ms = since(c, COND_FAILED);
	return ms == TIME_NONE && r->gone ? r->at_ms : ms;
}

/* What has ended stays what it was when the object goes. */
static const char *state(const struct record *r)
{
	const struct conditions *c = &carbonawarejob_of(r->object)->status.conditions;
	const struct condition *ready = condition_find(c, COND_READY);
	bool ended = condition_is_true(c, COND_COMPLETE) || condition_is_true(c, COND_FAILED);

	return r->gone && !ended ? "Deleted" : ready ? ready->reason : "Pending";
}

/* As it says or as was learnt. */
static int64_t duration_ms(const struct carbonawarejob *caj)
{
	return caj->spec.expected_duration_ms == TIME_NONE && caj->status.learned_duration_ms > 0
		       ? caj->status.learned_duration_ms
		       : caj->spec.expected_duration_ms;
}

/* Of the whole job, as planned: pods and all. */
static struct db_value power(const struct carbonawarejob *caj)
{
	const struct caj_figures *f = &caj->status.plan.expected;
	int64_t ms = duration_ms(caj);

	return known(f->energy_known && ms > 0, ms > 0 ? i64_mul_div(f->energy_milliwatt_hours, HOUR_MS, ms) : 0);
}

/* ---- rows ---- */

/* In the order of the table's key and columns. */
static size_t workload_row(const struct clock *clock, const struct record *r, struct db_value *v)
{
	const struct carbonawarejob *caj = carbonawarejob_of(r->object);
	const struct caj_status *s = &caj->status;
	const struct caj_figures *actual = s->actual ? &s->actual->figures : NULL;
	size_t n = 0;

	v[n++] = text(caj->obj.meta.uid);
	v[n++] = text("");
	v[n++] = text(caj->obj.meta.namespace);
	v[n++] = text(caj->obj.meta.name);
	v[n++] = text(s->template_hash);
	v[n++] = text(s->home);
	v[n++] = text(state(r));
	v[n++] = text(caj->spec.critical ? "Critical" : "Normal");
	v[n++] = DB_I64(clock_to_domain_ms(clock, caj->obj.meta.creation_ms));
	v[n++] = DB_I64(r->at_ms);
	v[n++] = time_value(caj->spec.earliest_start_ms);
	v[n++] = time_value(s->latest_start_ms);
	v[n++] = time_value(s->deadline_ms);
	v[n++] = time_value(duration_ms(caj));
	v[n++] = power(caj);
	v[n++] = limit(&caj->spec.max_carbon);
	v[n++] = limit(&caj->spec.max_price);
	v[n++] = time_value(s->released_ms);
	v[n++] = time_value(finished_ms(r));
	v[n++] = known(actual && actual->energy_known, actual ? actual->energy_milliwatt_hours : 0);
	v[n++] = known(actual && actual->carbon_known, actual ? actual->carbon_milligrams : 0);
	v[n++] = known(actual && actual->cost_known, actual ? actual->cost_micros : 0);
	v[n++] = text(s->currency);
	return n;
}

/* SQLite and PostgreSQL both want to be told the types of what is compared with no column. */
#define I "CAST(? AS INTEGER)"
#define T "CAST(? AS TEXT)"
static const char add_schedule[] =
	"INSERT INTO schedule (workload_uid, decided_ms, plan_id, reason, region, start_ms, end_ms, "
	"energy_milliwatt_hours, carbon_mg, cost_micros, baseline_region, baseline_start_ms, baseline_carbon_mg, "
	"baseline_cost_micros, currency, data_issued_ms, explanation) "
	"SELECT " T "," I "," T "," T "," T "," I "," I "," I "," I "," I "," T "," I "," I "," I "," T "," I "," T
	" WHERE NOT EXISTS (SELECT 1 FROM schedule s WHERE s.workload_uid = ? AND (s.decided_ms >= ? OR (s.plan_id = ? "
	"AND s.decided_ms = (SELECT max(decided_ms) FROM schedule WHERE workload_uid = ?))))";
#undef I
#undef T

static int64_t issued_ms(const struct gridregion *const *regions, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (cstr_eq(regions[i]->obj.meta.name, name))
			return regions[i]->forecast.issued_ms;
	return TIME_NONE;
}

/* 0 when there is no plan to speak of. */
static size_t schedule_row(const struct gridregion *const *regions, size_t n_regions, const struct record *r,
			   struct db_value *v)
{
	const struct carbonawarejob *caj = carbonawarejob_of(r->object);
	const struct caj_status *s = &caj->status;
	const struct condition *planned = condition_find(&s->conditions, COND_PLANNED);
	const struct caj_figures *expected = &s->plan.expected, *baseline = &s->baseline.expected;
	size_t n = 0;

	if (r->gone || !s->plan_id || s->plan.n_segments == 0)
		return 0;
	v[n++] = text(caj->obj.meta.uid);
	v[n++] = DB_I64(r->at_ms);
	v[n++] = text(s->plan_id);
	v[n++] = text(planned ? planned->reason : "");
	v[n++] = text(s->plan.segments[0].region);
	v[n++] = DB_I64(s->plan.segments[0].start_ms);
	v[n++] = DB_I64(s->plan.segments[s->plan.n_segments - 1].end_ms);
	v[n++] = known(expected->energy_known, expected->energy_milliwatt_hours);
	v[n++] = known(expected->carbon_known, expected->carbon_milligrams);
	v[n++] = known(expected->cost_known, expected->cost_micros);
	v[n++] = text(s->baseline.region);
	v[n++] = DB_I64(s->baseline.rule ? s->baseline.start_ms : s->plan.segments[0].start_ms);
	v[n++] = known(baseline->carbon_known, baseline->carbon_milligrams);
	v[n++] = known(baseline->cost_known, baseline->cost_micros);
	v[n++] = text(s->currency);
	v[n++] = time_value(issued_ms(regions, n_regions, s->plan.segments[0].region));
	v[n++] = text(s->explanation);
	v[n++] = text(caj->obj.meta.uid);
	v[n++] = DB_I64(r->at_ms);
	v[n++] = text(s->plan_id);
	v[n++] = text(caj->obj.meta.uid);
	return n;
}

static struct db_value watts(const struct node *node, const char *annotation)
{
	const char *value = object_annotation(&node->obj, annotation);
	char wrong[256];
	int64_t milliwatts;

	if (!value || power_annotations_error(node, wrong) || !decimal_parse(str_trim(str_from(value)), 3, &milliwatts))
		return DB_NULL;
	return DB_I64(milliwatts);
}

static size_t asset_row(const struct gridregion *const *regions, size_t n_regions, const struct record *r,
			struct db_value *v)
{
	const struct node *node = node_of(r->object);
	int region = gridregion_of_node(regions, (int)n_regions, &node->obj.meta);
	size_t n = 0;

	v[n++] = text("");
	v[n++] = text(node->obj.meta.name);
	v[n++] = text(region < 0 ? "" : regions[region]->obj.meta.name);
	v[n++] = DB_I64(node->cpu_milli);
	v[n++] = DB_I64(node->memory_bytes);
	v[n++] = DB_I64(node->gpus);
	v[n++] = watts(node, ANNOTATION_IDLE_WATTS);
	v[n++] = watts(node, ANNOTATION_PEAK_WATTS);
	v[n++] = DB_I64(region >= 0 && regions[region]->capacity == REGION_CAPACITY_ON_DEMAND);
	v[n++] = DB_I64(node->ready && !node->unschedulable && !r->gone);
	v[n++] = DB_I64(r->at_ms);
	v[n++] = DB_I64(r->at_ms);
	return n;
}

/* ---- writing ---- */

struct writer {
	struct db *db;
	const struct clock *clock;
	struct object_list objects; /* of the regions */
	const struct gridregion **regions;
	size_t n, n_schedule;
	struct db_value rows[CHUNK_ROWS * MAX_WIDTH], schedule[CHUNK_ROWS * MAX_WIDTH];
};

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct object *const *)a)->meta.name, (*(const struct object *const *)b)->meta.name);
}

static struct writer *writer_new(struct db *db, const struct clock *clock, struct store *regions)
{
	struct writer *w = xcalloc(1, sizeof(*w));

	w->db = db;
	w->clock = clock;
	store_list(regions, &w->objects);
	if (w->objects.len)
		qsort(w->objects.items, w->objects.len, sizeof(*w->objects.items), by_name);
	w->regions = xcalloc(w->objects.len + 1, sizeof(*w->regions));
	for (size_t i = 0; i < w->objects.len; i++)
		w->regions[i] = gridregion_of(w->objects.items[i]);
	return w;
}

static void writer_free(struct writer **w)
{
	object_list_release(&(*w)->objects);
	free(*w ? (*w)->regions : NULL);
	free(*w);
}

static int write_chunk(struct writer *w, const struct record *records, size_t n, bool nodes, struct error *err)
{
	size_t len = 0, n_rows = 0, schedule_len = 0, n_schedule = 0, width;

	for (size_t i = 0; i < n; i++) {
		bool is_node = records[i].object->type == &node_type;

		if (is_node != nodes)
			continue;
		len += is_node ? asset_row(w->regions, w->objects.len, &records[i], w->rows + len)
			       : workload_row(w->clock, &records[i], w->rows + len);
		n_rows++;
		width = is_node ? 0 : schedule_row(w->regions, w->objects.len, &records[i], w->schedule + schedule_len);
		schedule_len += width;
		n_schedule += width > 0;
	}
	if (n_rows && db_upsert(w->db, nodes ? &db_compute_asset : &db_workload, w->rows, n_rows, NULL, err))
		return -1;
	if (n_schedule == 0)
		return 0;
	return db_exec_many(w->db, add_schedule, w->schedule, schedule_len / n_schedule, n_schedule, NULL, err);
}

int records_write(struct db *db, const struct clock *clock, struct store *regions, const struct record *records,
		  size_t n, struct error *err)
{
	struct writer *w _cleanup_(writer_free) = writer_new(db, clock, regions);

	for (size_t i = 0; i < n; i += CHUNK_ROWS) {
		size_t len = MIN((size_t)CHUNK_ROWS, n - i);

		if (write_chunk(w, records + i, len, true, err) || write_chunk(w, records + i, len, false, err))
			return -1;
	}
	return 0;
}

int records_sweep(struct db *db, int64_t since_ms, struct error *err)
{
	struct db_value at = DB_I64(since_ms);

	if (db_exec(db, "UPDATE compute_asset SET ready = 0 WHERE ready = 1 AND updated_ms < ?", &at, 1, NULL, err))
		return -1;
	return db_exec(db,
		       "UPDATE workload SET state = 'Deleted', finished_ms = CAST(? AS INTEGER) "
		       "WHERE finished_ms IS NULL AND state <> 'Deleted' AND updated_ms < ?",
		       DB_VALUES(at, at), NULL, err);
}
