/* SPDX-License-Identifier: Apache-2.0 */
/* CSV files to the forecaster's series and vintages. */
#include "base/alloc.h"
#include "base/vec.h"
#include "base/csv.h"
#include "sim/history.h"

struct point {
	int64_t ms;
	int64_t line;
	double value;
};

struct points {
	VEC(struct point) v;
};

static void points_release(struct points *p)
{
	vec_release(&p->v);
}

static int read_points(struct csv *csv, const char *column, struct points *points, struct error *err)
{
	int time_column, value_column, got;

	if (csv_column(csv, "time_utc", &time_column, err) || csv_column(csv, column, &value_column, err))
		return -1;
	while ((got = csv_next(csv, err)) > 0) {
		const struct point *last = points->v.len ? &points->v.ptr[points->v.len - 1] : NULL;
		struct point p = { .line = csv_line(csv) }, *slot;

		if (csv_time(csv, time_column, &p.ms, err) ||
		    csv_number_opt(csv, value_column, -HISTORY_MAX_VALUE, HISTORY_MAX_VALUE, NAN, &p.value, err))
			return -1;
		if (last && p.ms == last->ms)
			return csv_error(csv, time_column, err, "the time of line %lld again; keep one of the rows",
					 (long long)last->line);
		if (last && p.ms < last->ms)
			return csv_error(csv, time_column, err, "earlier than line %lld; sort the rows by time",
					 (long long)last->line);
		slot = vec_push(&points->v, HISTORY_MAX_ROWS);
		if (!slot)
			return csv_error(csv, -1, err, "more than %d rows", HISTORY_MAX_ROWS);
		*slot = p;
	}
	if (got == 0 && points->v.len < 2)
		return csv_error(csv, -1, err, "a history needs at least two rows");
	return got;
}

/* Lays the rows on the grid of their smallest distance. */
static int lay_out(const struct points *points, const char *path, struct history *h, struct error *err)
{
	const struct point *p = points->v.ptr;
	size_t n = points->v.len;
	int64_t step = INT64_MAX, slots;
	double *value;

	for (size_t i = 1; i < n; i++)
		step = MIN(step, p[i].ms - p[i - 1].ms);
	if (DAY_MS % step || (HOUR_MS % step && step % HOUR_MS) || DAY_MS / step > FORECAST_MAX_STEPS_PER_DAY)
		return error_set(err, ERR_INVALID,
				 "%s: rows are %lld s apart; must be 5 min or more that divide an hour, or hours that "
				 "divide a day",
				 path, (long long)(step / SECOND_MS));
	for (size_t i = 1; i < n; i++)
		if ((p[i].ms - p[0].ms) % step)
			return error_set(err, ERR_INVALID,
					 "%s:%lld: column 'time_utc': not a multiple of %lld s after line %lld", path,
					 (long long)p[i].line, (long long)(step / SECOND_MS), (long long)p[0].line);
	slots = (p[n - 1].ms - p[0].ms) / step + 1;
	if (slots > HISTORY_MAX_SLOTS)
		return error_set(err, ERR_LIMIT, "%s: spans %lld steps, more than %d", path, (long long)slots,
				 HISTORY_MAX_SLOTS);
	value = xcalloc((size_t)slots, sizeof(*value));
	for (int64_t i = 0; i < slots; i++)
		value[i] = NAN;
	for (size_t i = 0; i < n; i++)
		value[(p[i].ms - p[0].ms) / step] = p[i].value;
	*h = (struct history){ .series = { .start_ms = p[0].ms, .step_ms = step, .n = (int)slots, .value = value } };
	for (int64_t i = 0; i < slots; i++)
		h->n_missing += isnan(value[i]) != 0;
	return 0;
}

int history_load(struct history *h, const char *path, const char *column, struct error *err)
{
	_cleanup_(cleanup_csv) struct csv *csv = NULL;
	_cleanup_(points_release) struct points points = { .v = { 0 } };

	if (csv_open(path, &csv, err) || read_points(csv, column, &points, err))
		return -1;
	return lay_out(&points, path, h, err);
}

void history_release(struct history *h)
{
	free((void *)(uintptr_t)h->series.value);
	*h = (struct history){ .n_missing = 0 };
}

/* One row of X; its values are those of this index in a parallel array. */
struct exog_row {
	int64_t issued_ms, target_ms;
	int64_t line;
	size_t index;
};

struct exog_rows {
	VEC(struct exog_row) v;
	VEC(double) values; /* n_columns for each row */
	int columns[FORECAST_MAX_EXOG];
	int n_columns;
	int issued_column, target_column; /* issued is -1 with perfect foresight */
};

static void exog_rows_release(struct exog_rows *r)
{
	vec_release(&r->v);
	vec_release(&r->values);
}

static int choose_columns(struct csv *csv, struct exog_rows *r, struct error *err)
{
	r->issued_column = -1;
	r->target_column = csv_find(csv, "time_utc");
	if (r->target_column < 0 && (csv_column(csv, "issued_utc", &r->issued_column, err) ||
				     csv_column(csv, "target_utc", &r->target_column, err)))
		return -1;
	for (int i = 0; i < csv_n_columns(csv); i++) {
		if (i == r->issued_column || i == r->target_column)
			continue;
		if (r->n_columns == FORECAST_MAX_EXOG)
			return csv_error(csv, -1, err, "more than %d value columns", FORECAST_MAX_EXOG);
		r->columns[r->n_columns++] = i;
	}
	return r->n_columns ? 0 : csv_error(csv, -1, err, "no value column");
}

static int read_exog_row(struct csv *csv, struct exog_rows *r, struct error *err)
{
	struct exog_row row = { .issued_ms = INT64_MIN, .line = csv_line(csv), .index = r->v.len }, *slot;

	if (csv_time(csv, r->target_column, &row.target_ms, err) ||
	    (r->issued_column >= 0 && csv_time(csv, r->issued_column, &row.issued_ms, err)))
		return -1;
	for (int c = 0; c < r->n_columns; c++) {
		double *value = vec_push(&r->values, HISTORY_MAX_CELLS);

		if (!value)
			return csv_error(csv, -1, err, "more than %lld values", (long long)HISTORY_MAX_CELLS);
		if (csv_number_opt(csv, r->columns[c], -HISTORY_MAX_VALUE, HISTORY_MAX_VALUE, NAN, value, err))
			return -1;
	}
	slot = vec_push(&r->v, HISTORY_MAX_ROWS);
	if (!slot)
		return csv_error(csv, -1, err, "more than %d rows", HISTORY_MAX_ROWS);
	*slot = row;
	return 0;
}

static int by_issue_and_target(const void *a, const void *b)
{
	const struct exog_row *x = a, *y = b;

	if (x->issued_ms != y->issued_ms)
		return x->issued_ms < y->issued_ms ? -1 : 1;
	if (x->target_ms != y->target_ms)
		return x->target_ms < y->target_ms ? -1 : 1;
	return x->line < y->line ? -1 : x->line > y->line;
}

static int refuse_duplicates(const struct exog_rows *r, const char *path, struct error *err)
{
	for (size_t i = 1; i < r->v.len; i++) {
		const struct exog_row *a = &r->v.ptr[i - 1], *b = &r->v.ptr[i];

		if (a->issued_ms == b->issued_ms && a->target_ms == b->target_ms)
			return error_set(err, ERR_INVALID,
					 "%s:%lld: the times of line %lld again; keep one of the rows", path,
					 (long long)b->line, (long long)a->line);
	}
	return 0;
}

/* Slots from one row to the next of this vintage at its smallest: so long a value holds. */
static int64_t hold_slots(const struct exog_row *rows, size_t n, int64_t step_ms)
{
	int64_t least = INT64_MAX;

	for (size_t i = 1; i < n; i++)
		least = MIN(least, rows[i].target_ms - rows[i - 1].target_ms);
	return least == INT64_MAX ? 1 : CLAMP(least / step_ms, 1, DAY_MS / step_ms);
}

static int64_t slot_of(const struct forecast_series *series, int64_t ms)
{
	return (time_slot_floor(ms - series->start_ms, series->step_ms)) / series->step_ms;
}

/* Means by slot, held for `hold` slots; sums and counts are kept in place until divided. */
static void fill_vintage(const struct exog_rows *r, const struct exog_row *rows, size_t n,
			 const struct forecast_series *series, struct forecast_vintage *v, double *cells)
{
	int nc = r->n_columns;
	int64_t hold = hold_slots(rows, n, series->step_ms);
	_cleanup_free_ int *count = xcalloc((size_t)v->n * (size_t)nc, sizeof(*count));
	_cleanup_free_ int *since = xcalloc((size_t)nc, sizeof(*since));

	for (size_t i = 0; i < n; i++) {
		int64_t cell = (slot_of(series, rows[i].target_ms) - v->first) * nc;

		for (int c = 0; c < nc; c++) {
			double value = r->values.ptr[rows[i].index * (size_t)nc + (size_t)c];

			if (isnan(value))
				continue;
			cells[cell + c] += value;
			count[cell + c]++;
		}
	}
	for (int64_t slot = 0; slot < v->n; slot++)
		for (int c = 0; c < nc; c++) {
			int64_t cell = slot * nc + c;

			if (count[cell]) {
				cells[cell] /= count[cell];
				since[c] = 1;
			} else {
				bool held = slot > 0 && since[c] > 0 && since[c] < hold;

				cells[cell] = held ? cells[cell - nc] : NAN;
				since[c] = held ? since[c] + 1 : 0;
			}
		}
	v->rows = cells;
}

/* Where vintages begin, and how many slots each has; *ret_cells is the sum. */
static int measure(const struct exog_rows *r, const char *path, const struct forecast_series *series,
		   struct forecast_vintage *vintages, int64_t *ret_cells, struct error *err)
{
	int64_t cells = 0;
	int n = 0;

	for (size_t i = 0, next; i < r->v.len; i = next) {
		int64_t first = slot_of(series, r->v.ptr[i].target_ms), last;

		for (next = i + 1; next < r->v.len && r->v.ptr[next].issued_ms == r->v.ptr[i].issued_ms;)
			next++;
		last = slot_of(series, r->v.ptr[next - 1].target_ms) +
		       hold_slots(r->v.ptr + i, next - i, series->step_ms);
		cells += (last - first) * r->n_columns;
		if (first < -HISTORY_MAX_SLOTS || last > 2 * HISTORY_MAX_SLOTS || cells > HISTORY_MAX_CELLS)
			return error_set(err, ERR_LIMIT,
					 "%s:%lld: targets too far apart or too many: at most %lld values", path,
					 (long long)r->v.ptr[next - 1].line, (long long)HISTORY_MAX_CELLS);
		vintages[n++] = (struct forecast_vintage){ .issued_ms = r->v.ptr[i].issued_ms,
							   .first = (int)first,
							   .n = (int)(last - first) };
	}
	*ret_cells = cells;
	return n;
}

static int build(struct exog_rows *r, const char *path, const struct forecast_series *series, struct exog_data *d,
		 struct error *err)
{
	_cleanup_free_ struct forecast_vintage *vintages = xcalloc(r->v.len, sizeof(*vintages));
	int64_t cells = 0;
	int n = measure(r, path, series, vintages, &cells, err);
	double *store;
	size_t row = 0;

	if (n < 0)
		return -1;
	store = xcalloc((size_t)cells, sizeof(*store));
	for (int i = 0; i < n; i++) {
		size_t end = row;

		while (end < r->v.len && r->v.ptr[end].issued_ms == vintages[i].issued_ms)
			end++;
		fill_vintage(r, r->v.ptr + row, end - row, series, &vintages[i], store);
		store += (ptrdiff_t)vintages[i].n * r->n_columns;
		row = end;
	}
	d->perfect_foresight = r->issued_column < 0;
	d->exog = (struct forecast_exog){ .n_columns = r->n_columns, .n_vintages = n, .vintages = steal_ptr(vintages) };
	return 0;
}

int exog_load(struct exog_data *d, const char *path, const struct forecast_series *series, struct error *err)
{
	_cleanup_(cleanup_csv) struct csv *csv = NULL;
	_cleanup_(exog_rows_release) struct exog_rows rows = { .n_columns = 0 };
	int got;

	if (csv_open(path, &csv, err) || choose_columns(csv, &rows, err))
		return -1;
	while ((got = csv_next(csv, err)) > 0)
		if (read_exog_row(csv, &rows, err))
			return -1;
	if (got < 0)
		return -1;
	if (rows.v.len == 0)
		return csv_error(csv, -1, err, "no rows");
	qsort(rows.v.ptr, rows.v.len, sizeof(*rows.v.ptr), by_issue_and_target);
	if (refuse_duplicates(&rows, path, err))
		return -1;
	return build(&rows, path, series, d, err);
}

void exog_release(struct exog_data *d)
{
	/* All rows are one allocation, that of the first vintage. */
	if (d->exog.n_vintages)
		free((void *)(uintptr_t)d->exog.vintages[0].rows);
	free((void *)(uintptr_t)d->exog.vintages);
	*d = (struct exog_data){ .perfect_foresight = false };
}
