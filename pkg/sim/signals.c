/* SPDX-License-Identifier: Apache-2.0 */
/* Grid signals and capacity from CSV to columns. */
#include "sim/signals.h"

#include <math.h>

#include "base/alloc.h"
#include "base/vec.h"
#include "base/csv.h"

struct row {
	int64_t time_ms, line;
	double value[SIGNAL_KINDS];
	int zone;
};

struct table {
	VEC(struct row) rows;
	char *names[SIGNALS_MAX_ZONES];
	int n_zones;
};

static void table_release(struct table *t)
{
	vec_release(&t->rows);
	for (int i = 0; i < t->n_zones; i++)
		free(t->names[i]);
	t->n_zones = 0;
}

static int find_name(char *const *names, int n, struct str name)
{
	for (int i = n - 1; i >= 0; i--)
		if (str_is(name, names[i]))
			return i;
	return -1;
}

static int table_zone(struct table *t, const struct csv *csv, int column, struct error *err)
{
	struct str name = csv_field(csv, column);
	int zone = find_name(t->names, t->n_zones, name);

	if (zone >= 0)
		return zone;
	if (name.len == 0)
		return csv_error(csv, column, err, "must name a zone");
	if (t->n_zones == SIGNALS_MAX_ZONES)
		return csv_error(csv, column, err, "more than %d zones", SIGNALS_MAX_ZONES);
	t->names[t->n_zones] = xstrndup(name.ptr, name.len);
	return t->n_zones++;
}

static int only_columns(const struct csv *csv, const char *const *names, int n, struct error *err)
{
	for (int i = 0; i < csv_n_columns(csv); i++) {
		bool known = false;

		for (int k = 0; k < n; k++)
			known |= cstr_eq(names[k], csv_name(csv, i));
		if (!known)
			return csv_error(csv, i, err, "unknown column; remove or rename it");
	}
	return 0;
}

static int read_table(struct csv *csv, struct table *t, struct error *err)
{
	static const char *const names[] = { "time_utc", "zone", "carbon_g_per_kwh", "price_per_mwh" };
	int time_column, zone_column, value_column[SIGNAL_KINDS], got;

	if (only_columns(csv, names, ARRAY_LEN(names), err) || csv_column(csv, names[0], &time_column, err) ||
	    csv_column(csv, names[1], &zone_column, err))
		return -1;
	for (int k = 0; k < SIGNAL_KINDS; k++)
		value_column[k] = csv_find(csv, names[2 + k]);
	if (value_column[SIGNAL_CARBON] < 0 && value_column[SIGNAL_PRICE] < 0)
		return csv_column(csv, names[2], &value_column[SIGNAL_CARBON], err);
	while ((got = csv_next(csv, err)) > 0) {
		struct row row = { .line = csv_line(csv) }, *slot;

		if (csv_time(csv, time_column, &row.time_ms, err))
			return -1;
		for (int k = 0; k < SIGNAL_KINDS; k++)
			if (csv_number_opt(csv, value_column[k], -SIGNALS_MAX_VALUE, SIGNALS_MAX_VALUE, NAN,
					   &row.value[k], err))
				return -1;
		row.zone = table_zone(t, csv, zone_column, err);
		if (row.zone < 0)
			return -1;
		slot = vec_push(&t->rows, SIGNALS_MAX_ROWS);
		if (!slot)
			return csv_error(csv, -1, err, "more than %d rows", SIGNALS_MAX_ROWS);
		*slot = row;
	}
	if (got == 0 && t->rows.len < 2)
		return csv_error(csv, -1, err, "at least two rows are needed");
	return got;
}

static int compare_rows(const void *pa, const void *pb)
{
	const struct row *a = pa, *b = pb;

	if (a->zone != b->zone)
		return a->zone < b->zone ? -1 : 1;
	if (a->time_ms != b->time_ms)
		return a->time_ms < b->time_ms ? -1 : 1;
	return (a->line > b->line) - (a->line < b->line);
}

/* The rows are sorted, and each zone has one for each step. */
static int find_step(const struct table *t, const char *path, int64_t *ret_step_ms, struct error *err)
{
	const struct row *r = t->rows.ptr;
	int64_t step = INT64_MAX;
	char text[TIME_TEXT];

	for (size_t i = 1; i < t->rows.len; i++) {
		if (r[i].zone != r[i - 1].zone)
			continue;
		if (r[i].time_ms == r[i - 1].time_ms)
			return error_set(err, ERR_INVALID,
					 "%s:%lld: column 'time_utc': %s is there twice for zone '%s', first in line "
					 "%lld; keep one of the rows",
					 path, (long long)r[i].line, time_format(r[i].time_ms, text),
					 t->names[r[i].zone], (long long)r[i - 1].line);
		step = MIN(step, r[i].time_ms - r[i - 1].time_ms);
	}
	if (step == INT64_MAX)
		return error_set(err, ERR_INVALID, "%s:%lld: each zone has one row only: no step", path,
				 (long long)r[0].line);
	if (step % SECOND_MS)
		return error_set(err, ERR_INVALID, "%s: steps must be whole seconds", path);
	for (size_t i = 0; i < t->rows.len; i++) {
		bool first = i == 0 || r[i].zone != r[i - 1].zone;

		if (r[i].time_ms % step)
			return error_set(err, ERR_INVALID,
					 "%s:%lld: column 'time_utc': must be a multiple of the step, %lld s", path,
					 (long long)r[i].line, (long long)(step / SECOND_MS));
		if (!first && r[i].time_ms - r[i - 1].time_ms != step)
			return error_set(err, ERR_INVALID,
					 "%s:%lld: column 'time_utc': a gap in zone '%s': no row for %s; add it, with "
					 "empty values if they are unknown",
					 path, (long long)r[i].line, t->names[r[i].zone],
					 time_format(r[i - 1].time_ms + step, text));
	}
	*ret_step_ms = step;
	return 0;
}

/* Columns of unknown values for the zones. */
static void allocate(struct signals *s)
{
	s->zones = xcalloc((size_t)s->n_zones, sizeof(*s->zones));
	for (int z = 0; z < s->n_zones; z++) {
		for (int k = 0; k < SIGNAL_KINDS; k++) {
			struct signal_column *c = &s->zones[z].column[k];

			c->value = xmalloc(((size_t)s->n + 1) * sizeof(double));
			c->sum = xcalloc((size_t)s->n + 1, sizeof(double));
			c->unknown = xcalloc((size_t)s->n + 1, sizeof(int));
			for (int i = 0; i < s->n; i++)
				c->value[i] = NAN;
		}
	}
}

void signals_sum(struct signals *s)
{
	for (int k = 0; k < SIGNAL_KINDS; k++) {
		double all = 0;
		int64_t n_all = 0;

		for (int z = 0; z < s->n_zones; z++) {
			struct signal_column *c = &s->zones[z].column[k];
			double size = 0;
			int64_t n = 0;

			c->unknown[s->n] = s->n;
			for (int i = s->n - 1; i >= 0; i--)
				c->unknown[i] = isnan(c->value[i]) ? i : c->unknown[i + 1];
			for (int i = 0; i < s->n; i++) {
				bool known = !isnan(c->value[i]);

				c->sum[i + 1] = c->sum[i] + (known ? c->value[i] : 0);
				size += known ? fabs(c->value[i]) : 0;
				n += known;
			}
			c->known = n > 0;
			c->mean_size = n ? size / (double)n : 0;
			all += size;
			n_all += n;
		}
		s->mean_size[k] = n_all ? all / (double)n_all : 0;
	}
}

static int lay_out(struct table *t, const char *path, struct signals *ret, struct error *err)
{
	struct signals s = { .n_zones = t->n_zones };
	int64_t first = INT64_MAX, last = INT64_MIN, n;

	qsort(t->rows.ptr, t->rows.len, sizeof(struct row), compare_rows);
	if (find_step(t, path, &s.step_ms, err))
		return -1;
	for (size_t i = 0; i < t->rows.len; i++) {
		first = MIN(first, t->rows.ptr[i].time_ms);
		last = MAX(last, t->rows.ptr[i].time_ms);
	}
	n = (last - first) / s.step_ms + 1;
	if (n * s.n_zones > SIGNALS_MAX_CELLS)
		return error_set(err, ERR_LIMIT, "%s: %lld steps of %d zones are more than %lld", path, (long long)n,
				 s.n_zones, (long long)SIGNALS_MAX_CELLS);
	s.n = (int)n;
	s.start_ms = first;
	allocate(&s);
	for (int z = 0; z < s.n_zones; z++)
		s.zones[z].name = steal_ptr(t->names[z]);
	for (size_t i = 0; i < t->rows.len; i++) {
		const struct row *r = &t->rows.ptr[i];

		for (int k = 0; k < SIGNAL_KINDS; k++)
			s.zones[r->zone].column[k].value[(r->time_ms - first) / s.step_ms] = r->value[k];
	}
	signals_sum(&s);
	*ret = s;
	return 0;
}

int signals_load(struct signals *s, const char *path, struct error *err)
{
	_cleanup_(cleanup_csv) struct csv *csv = NULL;
	_cleanup_(table_release) struct table table = { .n_zones = 0 };

	if (csv_open(path, &csv, err) || read_table(csv, &table, err))
		return -1;
	return lay_out(&table, path, s, err);
}

void signals_release(struct signals *s)
{
	for (int z = 0; z < s->n_zones; z++) {
		free(s->zones[z].name);
		for (int k = 0; k < SIGNAL_KINDS; k++) {
			free(s->zones[z].column[k].value);
			free(s->zones[z].column[k].sum);
			free(s->zones[z].column[k].unknown);
		}
	}
	free(s->zones);
	*s = (struct signals){ .n = 0 };
}

int signals_zone(const struct signals *s, struct str name)
{
	for (int z = 0; z < s->n_zones; z++)
		if (str_is(name, s->zones[z].name))
			return z;
	return -1;
}

/* Value times milliseconds of everything before t. */
static double sum_until(const struct signals *s, const struct signal_column *c, int64_t t_ms)
{
	int64_t i = (t_ms - s->start_ms) / s->step_ms, into_ms = (t_ms - s->start_ms) % s->step_ms;

	return c->sum[i] * (double)s->step_ms + (into_ms ? (double)into_ms * (c->sum[i + 1] - c->sum[i]) : 0);
}

bool signals_integral(const struct signals *s, int zone, enum signal_kind kind, int64_t from_ms, int64_t to_ms,
		      double *ret)
{
	const struct signal_column *c = &s->zones[zone].column[kind];

	if (from_ms < s->start_ms || to_ms > signals_end_ms(s) || from_ms >= to_ms)
		return false;
	if (s->start_ms + c->unknown[(from_ms - s->start_ms) / s->step_ms] * s->step_ms < to_ms)
		return false;
	*ret = (sum_until(s, c, to_ms) - sum_until(s, c, from_ms)) / (double)HOUR_MS;
	return true;
}

void signals_blank(const struct signals *like, struct signals *ret)
{
	*ret = (struct signals){
		.start_ms = like->start_ms, .step_ms = like->step_ms, .n = like->n, .n_zones = like->n_zones
	};
	allocate(ret);
	for (int z = 0; z < like->n_zones; z++)
		ret->zones[z].name = xstrdup(like->zones[z].name);
}

int signals_resample(const struct signals *s, int64_t slot_ms, struct signals *ret, struct error *err)
{
	struct signals grid = *s;
	int64_t n;

	if (slot_ms <= 0 || (slot_ms % s->step_ms && s->step_ms % slot_ms))
		return error_set(err, ERR_INVALID,
				 "--slot: must be a multiple or a divisor of the signals' step, %lld s",
				 (long long)(s->step_ms / SECOND_MS));
	grid.step_ms = slot_ms;
	grid.start_ms = time_slot_floor(s->start_ms, slot_ms);
	n = (time_slot_ceil(signals_end_ms(s), slot_ms) - grid.start_ms) / slot_ms;
	if (n * s->n_zones > SIGNALS_MAX_CELLS)
		return error_set(err, ERR_LIMIT, "--slot: %lld slots of %d zones are more than %lld", (long long)n,
				 s->n_zones, (long long)SIGNALS_MAX_CELLS);
	grid.n = (int)n;
	signals_blank(&grid, ret);
	for (int z = 0; z < s->n_zones; z++) {
		for (int k = 0; k < SIGNAL_KINDS; k++) {
			for (int i = 0; i < grid.n; i++) {
				int64_t from_ms = grid.start_ms + i * slot_ms, at;
				double v;

				at = (from_ms - s->start_ms) / s->step_ms;
				if (slot_ms <= s->step_ms) /* the value itself: sums would round */
					ret->zones[z].column[k].value[i] = s->zones[z].column[k].value[at];
				else if (signals_integral(s, z, (enum signal_kind)k, from_ms, from_ms + slot_ms, &v))
					ret->zones[z].column[k].value[i] = v * (double)HOUR_MS / (double)slot_ms;
			}
		}
	}
	signals_sum(ret);
	return 0;
}

/* Steps from one time to a later one, inside the grid. */
static void limit_between(struct capacity *c, const struct signals *like, int zone, int64_t from_ms, int64_t to_ms,
			  double watts)
{
	int64_t from = CLAMP((from_ms - like->start_ms) / like->step_ms, 0, like->n);
	int64_t to = CLAMP((to_ms - like->start_ms) / like->step_ms, 0, like->n);

	if (!c->watts[zone]) {
		c->watts[zone] = xmalloc(((size_t)like->n + 1) * sizeof(double));
		for (int i = 0; i < like->n; i++)
			c->watts[zone][i] = INFINITY;
	}
	for (int64_t i = from; i < to; i++)
		c->watts[zone][i] = watts;
}

struct limit_row {
	int64_t time_ms, line;
	double watts;
	int zone;
};

static int compare_limits(const void *pa, const void *pb)
{
	const struct limit_row *a = pa, *b = pb;

	if (a->zone != b->zone)
		return a->zone < b->zone ? -1 : 1;
	if (a->time_ms != b->time_ms)
		return a->time_ms < b->time_ms ? -1 : 1;
	return (a->line > b->line) - (a->line < b->line);
}

struct limits {
	VEC(struct limit_row) rows;
};

static void limits_release(struct limits *l)
{
	vec_release(&l->rows);
}

static int read_limits(struct csv *csv, const struct signals *like, struct limits *l, struct error *err)
{
	static const char *const names[] = { "zone", "time_utc", "limit_w" };
	int zone, time, limit, got;

	if (only_columns(csv, names, ARRAY_LEN(names), err) || csv_column(csv, names[0], &zone, err) ||
	    csv_column(csv, names[1], &time, err) || csv_column(csv, names[2], &limit, err))
		return -1;
	while ((got = csv_next(csv, err)) > 0) {
		struct limit_row row = { .line = csv_line(csv) }, *slot;

		row.zone = signals_zone(like, csv_field(csv, zone));
		if (row.zone < 0)
			return csv_error(csv, zone, err, "the signals have no such zone");
		if (csv_time(csv, time, &row.time_ms, err) ||
		    csv_number(csv, limit, 0, SIGNALS_MAX_WATTS, &row.watts, err))
			return -1;
		if (row.time_ms % like->step_ms)
			return csv_error(csv, time, err, "must be a multiple of the slot, %lld s",
					 (long long)(like->step_ms / SECOND_MS));
		slot = vec_push(&l->rows, SIGNALS_MAX_ROWS);
		if (!slot)
			return csv_error(csv, -1, err, "more than %d rows", SIGNALS_MAX_ROWS);
		*slot = row;
	}
	return got;
}

int capacity_load(struct capacity *c, const char *path, const struct signals *like, struct error *err)
{
	_cleanup_(cleanup_csv) struct csv *csv = NULL;
	_cleanup_(limits_release) struct limits l = { .rows = { 0 } };

	if (csv_open(path, &csv, err) || read_limits(csv, like, &l, err))
		return -1;
	if (l.rows.len)
		qsort(l.rows.ptr, l.rows.len, sizeof(struct limit_row), compare_limits);
	for (size_t i = 1; i < l.rows.len; i++) {
		const struct limit_row *a = &l.rows.ptr[i - 1], *b = &l.rows.ptr[i];

		if (a->zone == b->zone && a->time_ms == b->time_ms)
			return error_set(
				err, ERR_INVALID,
				"%s:%lld: column 'time_utc': the time of line %lld again; keep one of the rows", path,
				(long long)b->line, (long long)a->line);
	}
	for (size_t i = 0; i < l.rows.len; i++) {
		const struct limit_row *r = &l.rows.ptr[i];
		const struct limit_row *next = i + 1 < l.rows.len ? r + 1 : NULL;

		limit_between(c, like, r->zone, r->time_ms,
			      next && next->zone == r->zone ? next->time_ms : signals_end_ms(like), r->watts);
	}
	return 0;
}

void capacity_release(struct capacity *c)
{
	for (int z = 0; z < SIGNALS_MAX_ZONES; z++)
		free(c->watts[z]);
	*c = (struct capacity){ .watts = { NULL } };
}
