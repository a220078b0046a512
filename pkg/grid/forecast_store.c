/* SPDX-License-Identifier: Apache-2.0 */
/* The forecaster's side of the database, see forecast_store.h. */
#include "grid/forecast_store.h"

#include <assert.h>

#include "db/table.h"
#include "grid/history.h"
#include "grid/merge.h"

#define AHEAD_MS (4 * DAY_MS) /* no price is published further ahead */
#define MAX_ISSUES 4096
#define ARENA_MAX ((size_t)64 * 1024 * 1024)

struct reading {
	const struct forecast_subject *s;
	struct forecast_past *p;
	int64_t now_ms;
};

static bool same_basis(const struct grid_basis *a, const struct grid_basis *b)
{
	return strcmp(a->accounting, b->accounting) == 0 && strcmp(a->scope, b->scope) == 0 &&
	       strcmp(a->boundary, b->boundary) == 0 && strcmp(a->resolution, b->resolution) == 0;
}

static int take_sample(void *arg, const struct grid_sample *v)
{
	struct reading *r = arg;
	struct forecast_series *s = &r->p->series;
	/* A forecast that nothing came after is no history; a price that was published is. */
	bool is_price = grid_metric_is_price(r->s->metric);

	if (!is_price && (v->kind == GRID_KIND_FORECAST || v->start_ms + v->duration_ms > r->now_ms))
		return 0;
	if (!is_price && !same_basis(&v->basis, &r->s->basis))
		return 0;
	for (int64_t ms = v->start_ms; ms < v->start_ms + v->duration_ms; ms += SLOT_MS) {
		int64_t i = (ms - s->start_ms) / SLOT_MS;

		if (ms >= s->start_ms && i < s->n)
			r->p->values[i] = v->value;
	}
	return 0;
}

static const int32_t *copy(struct arena *a, const struct grid_vintage *v)
{
	int32_t *out = arena_array(a, (size_t)v->n, int32_t);

	memcpy(out, v->value, (size_t)v->n * sizeof(*out));
	return out;
}

/* The quantiles of an issue come one after the other. */
static int take_vintage(struct reading *r, const struct grid_vintage *v, enum forecast_scored what)
{
	struct forecast_issue *f = NULL;
	size_t n = r->p->issues[what].len;

	if (v->step_ms != SLOT_MS || v->n < 1 || !same_basis(&v->basis, &r->s->basis))
		return 0;
	if (n && r->p->issues[what].ptr[n - 1].issued_ms == v->issued_ms)
		f = &r->p->issues[what].ptr[n - 1];
	else
		f = vec_push(&r->p->issues[what], MAX_ISSUES);
	if (!f)
		return 0;
	if (f->n && (f->start_ms != v->start_ms || f->n != v->n))
		return 0; /* no quantiles of the same thing */
	f->issued_ms = v->issued_ms;
	f->start_ms = v->start_ms;
	f->n = v->n;
	if (v->quantile_permille == 100)
		f->p10 = copy(&r->p->arena, v);
	else if (v->quantile_permille == 500)
		f->p50 = copy(&r->p->arena, v);
	else if (v->quantile_permille == 900)
		f->p90 = copy(&r->p->arena, v);
	return 0;
}

static int take_published(void *arg, const struct grid_vintage *v)
{
	return take_vintage(arg, v, SCORED_PUBLISHED);
}

static int take_own(void *arg, const struct grid_vintage *v)
{
	return take_vintage(arg, v, SCORED_OWN);
}

/* Of ours all three columns are there, or it counts for nothing. */
static void drop_incomplete(struct forecast_past *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->issues[SCORED_OWN].len; i++) {
		const struct forecast_issue *f = &p->issues[SCORED_OWN].ptr[i];

		if (f->p10 && f->p50 && f->p90)
			p->issues[SCORED_OWN].ptr[n++] = *f;
	}
	p->issues[SCORED_OWN].len = n;
}

int forecast_past_read(struct db *db, const struct forecast_subject *s, int64_t now_ms, struct forecast_past *ret,
		       struct error *err)
{
	struct reading r = { s, ret, now_ms };
	int64_t start_ms = time_slot_floor(now_ms - OWN_FORECAST_HISTORY_MS, DAY_MS);
	int64_t end_ms = time_slot_floor(now_ms, SLOT_MS) + (grid_metric_is_price(s->metric) ? AHEAD_MS : 0);
	int64_t since_ms = now_ms - FORECAST_SCORE_DAYS * DAY_MS;
	bool is_price = grid_metric_is_price(s->metric);

	*ret = (struct forecast_past){ 0 };
	arena_init(&ret->arena, 64 * 1024, ARENA_MAX);
	ret->series = (struct forecast_series){ .start_ms = start_ms,
						.step_ms = SLOT_MS,
						.n = (int)((end_ms - start_ms) / SLOT_MS) };
	ret->series.value = ret->values = xcalloc((size_t)ret->series.n, sizeof(double));
	for (int i = 0; i < ret->series.n; i++)
		ret->values[i] = (double)NAN;
	if (grid_history_zone(db, s->provider->name, s->zone, ret->zone, err) ||
	    grid_history_each(db, ret->zone, s->metric, s->provider->name, start_ms, end_ms, take_sample, &r, err) ||
	    /* Published prices are no forecasts: there is nothing to be scored. */
	    (!is_price && grid_history_each_vintage(db, ret->zone, s->metric, s->provider->name, since_ms, now_ms + 1,
						    take_published, &r, err)) ||
	    grid_history_each_vintage(db, ret->zone, s->metric, grid_own_forecast_provider.name, since_ms, now_ms + 1,
				      take_own, &r, err))
		return -1;
	drop_incomplete(ret);
	return 0;
}

void forecast_past_release(struct forecast_past *p)
{
	vec_release(&p->issues[SCORED_PUBLISHED]);
	vec_release(&p->issues[SCORED_OWN]);
	free(p->values);
	arena_release(&p->arena);
	*p = (struct forecast_past){ 0 };
}

/* ---- writing ---- */

const char *forecast_scored_name(enum forecast_scored what, const struct grid_provider *provider)
{
	return what == SCORED_PUBLISHED ? provider->name
	       : what == SCORED_OWN     ? grid_own_forecast_provider.name
					: "previous-day";
}

static struct db_value whole(double x)
{
	return isnan(x) ? DB_NULL : DB_I64(llround(x));
}

int forecast_store_scores(struct db *db, const char *region, const struct forecast_subject *s,
			  const struct forecast_scores *scores, int64_t now_ms, struct error *err)
{
	const size_t width = db_table_width(&db_forecast_score);
	struct db_value rows[N_SCORED * FORECAST_MAX_LEAD_DAYS * 12];
	size_t n = 0;

	assert(width <= 12);
	for (int what = 0; what < N_SCORED; what++)
		for (int day = 0; day < FORECAST_MAX_LEAD_DAYS; day++) {
			const struct score *x = &scores->day[what][day];
			const struct db_value row[] = {
				DB_CSTR(region),
				DB_CSTR(grid_metric_name(s->metric)),
				DB_CSTR(forecast_scored_name((enum forecast_scored)what, s->provider)),
				DB_I64(day + 1),
				DB_I64(now_ms),
				DB_I64(scores->n_issues[what]),
				DB_I64(x->n),
				whole(score_mae(x)),
				whole(score_mape_percent(x) * 10),
				whole(score_pinball(x)),
				what == SCORED_OWN ? whole(score_coverage_percent(x) * 10) : DB_NULL,
			};

			if (x->n)
				memcpy(&rows[n++ * width], row, sizeof(row));
		}
	return n ? db_upsert(db, &db_forecast_score, rows, n, NULL, err) : 0;
}

int forecast_store_issue(struct db *db, const char *zone, const struct forecast_subject *s,
			 const struct own_forecast *f, int64_t now_ms, struct error *err)
{
	const int32_t *const columns[] = { f->p10, f->p50, f->p90 };
	static const int quantiles[] = { 100, 500, 900 };
	struct grid_vintage v[3];

	for (int i = 0; i < 3; i++)
		v[i] = (struct grid_vintage){ .provider = grid_own_forecast_provider.name,
					      .basis = s->basis,
					      .quantile_permille = quantiles[i],
					      .issued_ms = f->issued_ms,
					      .fetched_ms = now_ms,
					      .start_ms = f->start_ms,
					      .step_ms = SLOT_MS,
					      .n = f->n,
					      .value = columns[i] };
	return grid_history_put_vintages(db, zone, s->metric, v, 3, err);
}
