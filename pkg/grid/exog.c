/* SPDX-License-Identifier: Apache-2.0 */
/* Vintages of wind, solar, demand and weather in one table, see exog.h. */
#include "grid/exog.h"

#include "grid/history.h"

#define MAX_ISSUES (GRID_EXOG_DAYS * 4 + 8)
/* What was said longer ago than that says nothing any more. */
#define MAX_AGE_MS DAY_MS
#define ARENA_MAX ((size_t)64 * 1024 * 1024)

const enum grid_metric grid_exog_metrics[GRID_EXOG_MAX] = { GRID_WIND,        GRID_SOLAR,      GRID_DEMAND,
							    GRID_TEMPERATURE, GRID_WIND_SPEED, GRID_IRRADIANCE };

/* ---- reading ---- */

struct reading {
	struct grid_exog_past *p;
	struct grid_exog_column *c;
};

/* Of several issues in six hours the first: it was known for most of them. The newest of all replaces what is last. */
static int take(void *arg, const struct grid_vintage *v)
{
	struct reading *r = arg;
	size_t n = r->c->issues.len;
	struct forecast_issue *f;
	int32_t *copy;

	if (v->step_ms != SLOT_MS || v->quantile_permille != 500 || v->n < 1)
		return 0;
	if (n > 1 && r->c->issues.ptr[n - 2].issued_ms > v->issued_ms - GRID_EXOG_EVERY_MS)
		f = &r->c->issues.ptr[n - 1];
	else
		f = vec_push(&r->c->issues, MAX_ISSUES);
	if (!f)
		return 0;
	copy = arena_array(&r->p->arena, (size_t)MIN(v->n, 2 * GRID_EXOG_SLOTS), int32_t);
	*f = (struct forecast_issue){ v->issued_ms, v->start_ms, MIN(v->n, 2 * GRID_EXOG_SLOTS), NULL, copy, NULL };
	memcpy(copy, v->value, (size_t)f->n * sizeof(*copy));
	return 0;
}

void grid_exog_past_init(struct grid_exog_past *p)
{
	*p = (struct grid_exog_past){ 0 };
	arena_init(&p->arena, 64 * 1024, ARENA_MAX);
}

void grid_exog_past_release(struct grid_exog_past *p)
{
	for (int i = 0; i < p->n; i++)
		vec_release(&p->columns[i].issues);
	arena_release(&p->arena);
	*p = (struct grid_exog_past){ 0 };
}

int grid_exog_read(struct db *db, enum grid_metric metric, const struct grid_provider *provider, const char *zone,
		   int64_t now_ms, struct grid_exog_past *past, struct error *err)
{
	struct reading r = { past, &past->columns[past->n] };
	char name[GRID_NAME_MAX];

	if (past->n == GRID_EXOG_MAX)
		return 0;
	*r.c = (struct grid_exog_column){ .metric = metric };
	past->n++;
	if (grid_history_zone(db, provider->name, zone, name, err))
		return -1;
	return grid_history_each_vintage(db, name, metric, provider->name, now_ms - GRID_EXOG_DAYS * DAY_MS, now_ms + 1,
					 take, &r, err);
}

/* ---- one table ---- */

static int64_t reach_ms(const struct grid_exog_column *c)
{
	const struct forecast_issue *last = c->issues.len ? &c->issues.ptr[c->issues.len - 1] : NULL;

	return last ? last->start_ms + last->n * SLOT_MS : TIME_NONE;
}

static bool is_usable(const struct grid_exog_column *c, int64_t now_ms, int64_t wanted_ms)
{
	return c->issues.len >= GRID_EXOG_MIN_DAYS && reach_ms(c) >= now_ms + wanted_ms &&
	       c->issues.ptr[0].issued_ms <= now_ms - GRID_EXOG_MIN_DAYS * DAY_MS &&
	       c->issues.ptr[c->issues.len - 1].issued_ms > now_ms - MAX_AGE_MS;
}

static int choose(const struct grid_exog_past *p, int64_t now_ms, int64_t wanted_ms,
		  const struct grid_exog_column *ret[GRID_EXOG_MAX])
{
	int n = 0;

	for (int i = 0; i < p->n; i++)
		if (is_usable(&p->columns[i], now_ms, wanted_ms))
			ret[n++] = &p->columns[i];
	return n;
}

/* The issue that was the newest then; *at goes on from call to call. */
static const struct forecast_issue *newest_at(const struct grid_exog_column *c, int64_t ms, size_t *at)
{
	while (*at < c->issues.len && c->issues.ptr[*at].issued_ms <= ms)
		(*at)++;
	return *at && c->issues.ptr[*at - 1].issued_ms > ms - MAX_AGE_MS ? &c->issues.ptr[*at - 1] : NULL;
}

static void fill_column(const struct grid_exog_column *c, struct grid_exog *e, int column)
{
	size_t at = 0;

	for (int i = 0; i < e->n; i++) {
		const struct forecast_issue *f = newest_at(c, e->issued_ms[i], &at);
		int64_t start_ms = time_slot_floor(e->issued_ms[i], SLOT_MS);
		double *rows = e->rows + (ptrdiff_t)i * GRID_EXOG_SLOTS * e->n_columns;

		for (int k = 0; k < GRID_EXOG_SLOTS; k++) {
			int64_t slot = f ? (start_ms + k * SLOT_MS - f->start_ms) / SLOT_MS : -1;
			bool said = slot >= 0 && slot < f->n && start_ms + k * SLOT_MS >= f->start_ms &&
				    f->p50[slot] != GRID_UNKNOWN;

			rows[k * e->n_columns + column] = said ? (double)f->p50[slot] : (double)NAN;
		}
	}
}

void grid_exog_build(const struct grid_exog_past *past, int64_t now_ms, struct grid_exog *ret)
{
	const struct grid_exog_column *columns[GRID_EXOG_MAX];
	int64_t first_ms = INT64_MAX;

	*ret = (struct grid_exog){ .n_columns = choose(past, now_ms, GRID_EXOG_REACH_MS, columns) };
	if (ret->n_columns == 0)
		ret->n_columns = choose(past, now_ms, GRID_EXOG_LEAST_MS, columns);
	if (ret->n_columns == 0)
		return;
	for (int i = 0; i < ret->n_columns; i++) {
		ret->metrics[i] = columns[i]->metric;
		first_ms = MIN(first_ms, columns[i]->issues.ptr[0].issued_ms);
	}
	first_ms = time_slot_ceil(first_ms, GRID_EXOG_EVERY_MS);
	ret->n = (int)((now_ms - first_ms) / GRID_EXOG_EVERY_MS) + 2;
	ret->issued_ms = xcalloc((size_t)ret->n, sizeof(*ret->issued_ms));
	for (int i = 0; i < ret->n; i++)
		ret->issued_ms[i] = MIN(first_ms + i * GRID_EXOG_EVERY_MS, now_ms);
	ret->rows = xcalloc((size_t)ret->n * GRID_EXOG_SLOTS * (size_t)ret->n_columns, sizeof(*ret->rows));
	for (int i = 0; i < ret->n_columns; i++)
		fill_column(columns[i], ret, i);
}

void grid_exog_release(struct grid_exog *e)
{
	free(e->issued_ms);
	free(e->rows);
	*e = (struct grid_exog){ 0 };
}

const struct forecast_exog *grid_exog_for(const struct grid_exog *e, const struct forecast_series *s,
					  struct forecast_vintage *ret_vintages, struct forecast_exog *ret)
{
	if (!e || e->n_columns == 0)
		return NULL;
	for (int i = 0; i < e->n; i++) {
		int64_t start_ms = time_slot_floor(e->issued_ms[i], SLOT_MS);

		ret_vintages[i] = (struct forecast_vintage){
			.issued_ms = start_ms, /* known since then: the series' slots begin at borders */
			.first = (int)((start_ms - s->start_ms) / SLOT_MS),
			.n = GRID_EXOG_SLOTS,
			.rows = e->rows + (ptrdiff_t)i * GRID_EXOG_SLOTS * e->n_columns,
		};
	}
	*ret = (struct forecast_exog){ e->n_columns, e->n, ret_vintages };
	return ret;
}
