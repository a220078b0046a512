/* SPDX-License-Identifier: Apache-2.0 */
/* Beliefs about the signals: noise, issued forecasts, our own. */
#include "sim/outlook.h"

#include <math.h>

#include "base/alloc.h"
#include "base/rand.h"
#include "base/vec.h"
#include "forecast/model.h"
#include "planner/replan.h"
#include "base/csv.h"

struct row {
	int64_t issued_ms, target_ms, line;
	double value[SIGNAL_KINDS];
	int zone;
};

struct table {
	VEC(struct row) rows;
};

static void table_release(struct table *t)
{
	vec_release(&t->rows);
}

static int read_row(struct csv *csv, const int *column, const struct signals *grid, struct row *row, struct error *err)
{
	static const char *const at[] = { "issued_utc", "target_utc" };
	struct str zone = csv_field(csv, column[2]);

	row->line = csv_line(csv);
	if (csv_time(csv, column[0], &row->issued_ms, err) || csv_time(csv, column[1], &row->target_ms, err))
		return -1;
	if (row->target_ms % grid->step_ms)
		return csv_error(csv, column[1], err, "%s must be a multiple of the slot, %lld s", at[1],
				 (long long)(grid->step_ms / SECOND_MS));
	row->zone = zone.len || grid->n_zones > 1 ? signals_zone(grid, zone) : 0;
	if (row->zone < 0)
		return csv_error(csv, column[2], err, "the signals have no such zone");
	for (int k = 0; k < SIGNAL_KINDS; k++)
		if (csv_number_opt(csv, column[3 + k], -SIGNALS_MAX_VALUE, SIGNALS_MAX_VALUE, NAN, &row->value[k], err))
			return -1;
	return 0;
}

static int read_rows(struct csv *csv, const struct signals *grid, struct table *t, struct error *err)
{
	static const char *const names[] = { "issued_utc", "target_utc", "zone", "carbon_g_per_kwh", "price_per_mwh" };
	int column[ARRAY_LEN(names)], got;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		column[i] = csv_find(csv, names[i]);
		if (i < 2 && csv_column(csv, names[i], &column[i], err))
			return -1;
	}
	for (int c = 0; c < csv_n_columns(csv); c++) {
		bool known = false;

		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			known |= column[i] == c;
		if (!known)
			return csv_error(csv, c, err, "unknown column; remove or rename it");
	}
	if (grid->n_zones > 1 && csv_column(csv, names[2], &column[2], err))
		return -1;
	while ((got = csv_next(csv, err)) > 0) {
		struct row row, *slot;

		if (read_row(csv, column, grid, &row, err))
			return -1;
		slot = vec_push(&t->rows, OUTLOOK_MAX_ROWS);
		if (!slot)
			return csv_error(csv, -1, err, "more than %d rows", OUTLOOK_MAX_ROWS);
		*slot = row;
	}
	return got;
}

static int compare(const void *pa, const void *pb)
{
	const struct row *a = pa, *b = pb;

	if (a->zone != b->zone)
		return a->zone < b->zone ? -1 : 1;
	if (a->issued_ms != b->issued_ms)
		return a->issued_ms < b->issued_ms ? -1 : 1;
	if (a->target_ms != b->target_ms)
		return a->target_ms < b->target_ms ? -1 : 1;
	return (a->line > b->line) - (a->line < b->line);
}

static bool same_issue(const struct row *a, const struct row *b)
{
	return a->zone == b->zone && a->issued_ms == b->issued_ms;
}

/* For how long a value holds; or -1. */
static int find_step(const struct table *t, const char *path, int64_t slot_ms, int64_t *ret_ms, struct error *err)
{
	int64_t step = INT64_MAX;

	for (size_t i = 1; i < t->rows.len; i++) {
		const struct row *a = &t->rows.ptr[i - 1], *b = a + 1;

		if (!same_issue(a, b))
			continue;
		if (a->target_ms == b->target_ms)
			return error_set(err, ERR_INVALID,
					 "%s:%lld: the zone, issue and target of line %lld again; keep one of the rows",
					 path, (long long)b->line, (long long)a->line);
		step = MIN(step, b->target_ms - a->target_ms);
	}
	*ret_ms = step == INT64_MAX ? slot_ms : step;
	return 0;
}

static void vintage_init(struct vintage *v, int64_t issued_ms, int first, int n)
{
	*v = (struct vintage){ .issued_ms = issued_ms, .first = first, .n = n };
	for (int k = 0; k < SIGNAL_KINDS; k++) {
		v->value[k] = xmalloc((size_t)n * sizeof(double));
		for (int i = 0; i < n; i++)
			v->value[k][i] = NAN;
	}
}

static struct vintage *vintage_add(struct outlook *o, int zone, int64_t issued_ms, int first, int n)
{
	int used = o->zones[zone].n;

	if ((used & (used - 1)) == 0)
		o->zones[zone].list =
			xrealloc(o->zones[zone].list, (size_t)MAX(2 * used, 1) * sizeof(*o->zones[zone].list));
	vintage_init(&o->zones[zone].list[used], issued_ms, first, n);
	o->zones[zone].n++;
	return &o->zones[zone].list[used];
}

/* Rows r[0] .. r[n - 1] are one issue. Parts outside the grid are left out. */
static int take_issue(struct outlook *o, const char *path, const struct row *r, size_t n, int64_t step_ms,
		      struct error *err)
{
	const struct signals *g = o->grid;
	int64_t from_ms = MAX(r[0].target_ms, g->start_ms);
	int64_t to_ms = MIN(r[n - 1].target_ms + step_ms, signals_end_ms(g));
	struct vintage *v;

	if (from_ms >= to_ms)
		return 0;
	if (o->zones[r->zone].n == OUTLOOK_MAX_VINTAGES)
		return error_set(err, ERR_LIMIT, "%s:%lld: more than %d issues of a zone", path, (long long)r->line,
				 OUTLOOK_MAX_VINTAGES);
	v = vintage_add(o, r->zone, r->issued_ms, (int)((from_ms - g->start_ms) / g->step_ms),
			(int)((to_ms - from_ms) / g->step_ms));
	for (size_t i = 0; i < n; i++) {
		int64_t end_ms = MIN(r[i].target_ms + step_ms, to_ms);

		for (int64_t t = MAX(r[i].target_ms, from_ms); t < end_ms; t += g->step_ms) {
			for (int k = 0; k < SIGNAL_KINDS; k++)
				v->value[k][(t - from_ms) / g->step_ms] = r[i].value[k];
		}
	}
	return 0;
}

static int load_issued(struct outlook *o, const char *path, struct error *err)
{
	_cleanup_(cleanup_csv) struct csv *csv = NULL;
	_cleanup_(table_release) struct table t = { .rows = { 0 } };
	int64_t step_ms = o->grid->step_ms;

	if (csv_open(path, &csv, err) || read_rows(csv, o->grid, &t, err))
		return -1;
	if (t.rows.len)
		qsort(t.rows.ptr, t.rows.len, sizeof(struct row), compare);
	if (find_step(&t, path, o->grid->step_ms, &step_ms, err))
		return -1;
	for (size_t i = 0, end; i < t.rows.len; i = end) {
		for (end = i + 1; end < t.rows.len && same_issue(&t.rows.ptr[i], &t.rows.ptr[end]);)
			end++;
		if (take_issue(o, path, &t.rows.ptr[i], end - i, step_ms, err))
			return -1;
	}
	return 0;
}

static int open_noise(struct outlook *o, const char *spec, struct error *err)
{
	struct str rest = str_from(spec), part[3];
	int64_t seed;
	size_t n = 0;

	while (n < ARRAY_LEN(part) && str_split(&rest, ':', &part[n]))
		n++;
	if (n != 2 || !str_to_double(part[0], &o->sigma) || !(o->sigma >= 0 && o->sigma <= 10) ||
	    !str_to_i64(part[1], INT64_MIN, INT64_MAX, &seed))
		return error_set(err, ERR_INVALID, "--forecast noise must be noise:SIGMA:SEED, like noise:0.05:1");
	signals_blank(o->grid, &o->noisy);
	for (int z = 0; z < o->grid->n_zones; z++) {
		for (int k = 0; k < SIGNAL_KINDS; k++) {
			const struct signal_column *c = &o->grid->zones[z].column[k];
			uint64_t state = (uint64_t)seed + (uint64_t)(z * SIGNAL_KINDS + k) * 1000003;

			for (int i = 0; i < o->grid->n; i++)
				o->noisy.zones[z].column[k].value[i] =
					c->value[i] + o->sigma * c->mean_size * rand_normal(&state);
		}
	}
	signals_sum(&o->noisy);
	return 0;
}

/* Forecasts of one column at each midnight. */
static void run_model(struct outlook *o, int zone, enum signal_kind kind, int first_vintage)
{
	const struct signals *g = o->grid;
	struct forecast_series s = {
		.start_ms = g->start_ms, .step_ms = g->step_ms, .n = g->n, .value = g->zones[zone].column[kind].value
	};
	int horizon = (int)MIN(OUTLOOK_MODEL_HOURS * HOUR_MS / g->step_ms, FORECAST_MAX_HORIZON);
	_cleanup_(cleanup_forecast_model) struct forecast_model *m = NULL;
	_cleanup_free_ double *p10 = xcalloc((size_t)horizon, sizeof(double));
	_cleanup_free_ double *p90 = xcalloc((size_t)horizon, sizeof(double));
	_cleanup_free_ double *p50 = xcalloc((size_t)horizon, sizeof(double));
	const struct forecast_quantiles q = { p10, p50, p90 };

	for (int i = first_vintage; i < o->zones[zone].n; i++) {
		struct vintage *v = &o->zones[zone].list[i];

		if ((i - first_vintage) % OUTLOOK_TRAIN_DAYS == 0) {
			forecast_model_free(m);
			m = forecast_train(&s, NULL, v->first, horizon);
			(void)fprintf(stderr, "simulator plan: forecasting zone %d of %d, day %d of %d\n", zone + 1,
				      g->n_zones, i + 1, o->zones[zone].n);
		}
		forecast_predict(m, &s, NULL, v->first, &q);
		memcpy(v->value[kind], p50, (size_t)v->n * sizeof(double));
	}
}

static int open_model(struct outlook *o, struct error *err)
{
	const struct signals *g = o->grid;
	int horizon = (int)MIN(OUTLOOK_MODEL_HOURS * HOUR_MS / g->step_ms, FORECAST_MAX_HORIZON);

	if (DAY_MS % g->step_ms || (HOUR_MS % g->step_ms && g->step_ms % HOUR_MS) ||
	    DAY_MS / g->step_ms > FORECAST_MAX_STEPS_PER_DAY)
		return error_set(err, ERR_INVALID,
				 "--forecast model: slots must be 5 min or more that divide an hour, or whole hours "
				 "that divide a day; are %lld s (--slot)",
				 (long long)(g->step_ms / SECOND_MS));
	for (int z = 0; z < g->n_zones; z++) {
		for (int64_t t = time_slot_ceil(g->start_ms + DAY_MS, DAY_MS); t < signals_end_ms(g); t += DAY_MS) {
			int first = (int)((t - g->start_ms) / g->step_ms);

			(void)vintage_add(o, z, t, first, MIN(horizon, g->n - first));
		}
		for (int k = 0; k < SIGNAL_KINDS; k++)
			if (g->zones[z].column[k].known)
				run_model(o, z, (enum signal_kind)k, 0);
	}
	return 0;
}

int outlook_open(struct outlook *o, const char *spec, const struct signals *grid, struct error *err)
{
	*o = (struct outlook){ .grid = grid };
	o->exact = cstr_eq(spec, "perfect");
	if (o->exact)
		return 0;
	if (strncmp(spec, "noise:", 6) == 0)
		return open_noise(o, spec + 6, err);
	o->by_issue = true;
	if (strncmp(spec, "issued:", 7) == 0)
		return load_issued(o, spec + 7, err);
	if (cstr_eq(spec, "model"))
		return open_model(o, err);
	return error_set(err, ERR_INVALID,
			 "--forecast must be perfect, noise:SIGMA:SEED, issued:FILE or model, is '%.40s'", spec);
}

void outlook_release(struct outlook *o)
{
	signals_release(&o->noisy);
	for (int z = 0; z < SIGNALS_MAX_ZONES; z++) {
		for (int i = 0; i < o->zones[z].n; i++) {
			for (int k = 0; k < SIGNAL_KINDS; k++)
				free(o->zones[z].list[i].value[k]);
		}
		free(o->zones[z].list);
	}
	*o = (struct outlook){ .grid = NULL };
}

/* Number of issues at or before t. */
static int issued_until(const struct outlook *o, int zone, int64_t t_ms)
{
	int lo = 0, hi = o->zones[zone].n;

	while (lo < hi) {
		int mid = (lo + hi) / 2;

		if (o->zones[zone].list[mid].issued_ms <= t_ms)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

#define LOOK_BACK 512 /* issues */

static double believed(const struct outlook *o, int zone, int n_issues, enum signal_kind kind, int slot)
{
	for (int i = n_issues - 1; i >= 0 && i >= n_issues - LOOK_BACK; i--) {
		const struct vintage *v = &o->zones[zone].list[i];

		if (slot >= v->first && slot < v->first + v->n && !isnan(v->value[kind][slot - v->first]))
			return v->value[kind][slot - v->first];
		if (slot > v->first + v->n && i < n_issues - 8)
			break; /* older ones end even sooner */
	}
	return NAN;
}

static void correct(const struct outlook *o, int zone, int n_issues, enum signal_kind kind, int current, int first,
		    double *value, int n)
{
	double fade = exp(-(double)o->grid->step_ms / (double)REPLAN_TAU_MS), left;

	if (current < 1)
		return;
	left = o->grid->zones[zone].column[kind].value[current - 1] - believed(o, zone, n_issues, kind, current - 1);
	if (isnan(left))
		return;
	for (int i = MIN(current, first); i < first + n; i++) {
		left *= i >= current ? fade : 1;
		if (i >= current && i >= first)
			value[i - first] += left;
	}
}

static const double *fill(const struct outlook *o, int zone, enum signal_kind kind, int first, int n, int64_t as_of_ms,
			  bool corrected, struct arena *arena)
{
	int n_issues = issued_until(o, zone, as_of_ms);
	double *value = arena_array(arena, (size_t)n + 1, double);

	for (int i = 0; i < n; i++)
		value[i] = believed(o, zone, n_issues, kind, first + i);
	if (corrected)
		correct(o, zone, n_issues, kind, (int)((as_of_ms - o->grid->start_ms) / o->grid->step_ms), first, value,
			n);
	return value;
}

void outlook_view(const struct outlook *o, const int16_t *zones, int n_zones, int64_t from_ms, int64_t to_ms,
		  int64_t as_of_ms, bool corrected, struct arena *arena, struct view *ret)
{
	const struct signals *g = o->grid, *known = o->noisy.n ? &o->noisy : g;
	int first = (int)((from_ms - g->start_ms) / g->step_ms);
	int end = (int)((to_ms - g->start_ms + g->step_ms - 1) / g->step_ms);

	ret->first_ms = g->start_ms + first * g->step_ms;
	ret->slot_ms = g->step_ms;
	ret->n = end - first;
	ret->n_zones = n_zones;
	ret->value = arena_alloc(arena, (size_t)n_zones * sizeof(*ret->value));
	ret->whole = o->by_issue ? NULL : known;
	for (int z = 0; z < n_zones; z++) {
		for (int k = 0; k < SIGNAL_KINDS; k++)
			ret->value[z][k] = o->by_issue ? fill(o, zones[z], (enum signal_kind)k, first, end - first,
							      as_of_ms, corrected, arena)
						       : known->zones[zones[z]].column[k].value + first;
	}
}

int64_t outlook_next(const struct outlook *o, const int16_t *zones, int n_zones, int64_t t_ms)
{
	int64_t next = OUTLOOK_NEVER;

	for (int z = 0; z < n_zones && o->by_issue; z++) {
		int i = issued_until(o, zones[z], t_ms);

		if (i < o->zones[zones[z]].n)
			next = MIN(next, o->zones[zones[z]].list[i].issued_ms);
	}
	return next;
}
