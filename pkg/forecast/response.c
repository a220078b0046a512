/* SPDX-License-Identifier: Apache-2.0 */
/* Boosted trees of the exogenous columns, cross-fitted by four weeks. */
#include "base/alloc.h"
#include "forecast/response.h"

#define FOLDS 4
#define FOLD_DAYS 28
#define AROUND_DAYS 14
#define DAY_SAMPLES 8 /* a column's mean of the last day is taken at so many moments */
#define MIN_ROWS_DAYS 56
#define MAX_FEATURES (3 + 2 * FORECAST_MAX_EXOG)

static const struct trees_options options = {
	.rounds = 120,
	.depth = 3,
	.rate = 0.08,
	.min_leaf = 60,
	.leaf_penalty = 30,
	.row_share = 0.5,
	.feature_share = 0.7,
	.seed = 1,
};

struct response {
	struct trees *trees[FOLDS];
	int64_t end_ms; /* slots from here on were not fitted */
};

static int fold_of(const struct view *v, int slot)
{
	int64_t into_day;

	return (int)(view_days(v, slot, &into_day) / FOLD_DAYS % FOLDS);
}

/* The columns in a slot as known at the issue, or when the slot began if that is earlier. */
static const double *row_at(const struct view *v, int issue, int slot)
{
	return slot < issue ? v->x + (ptrdiff_t)slot * v->exog->n_columns : view_exog_row(v, issue, slot);
}

/* False when a column is missing now. */
static bool features(const struct view *v, int issue, int slot, float *x)
{
	int nc = v->exog->n_columns, known[FORECAST_MAX_EXOG] = { 0 };
	double sum[FORECAST_MAX_EXOG] = { 0 };
	int64_t into_day, days = view_days(v, slot, &into_day);

	for (int i = 0; i < DAY_SAMPLES; i++) {
		int at = slot - i * v->day / DAY_SAMPLES;
		const double *row = at < 0 ? NULL : row_at(v, issue, at);

		for (int c = 0; c < nc; c++) {
			bool is_known = row && !isnan(row[c]);

			if (i == 0 && !is_known)
				return false;
			if (i == 0)
				x[2 * c] = (float)row[c];
			sum[c] += is_known ? row[c] : 0;
			known[c] += is_known;
		}
	}
	for (int c = 0; c < nc; c++)
		x[2 * c + 1] = (float)(sum[c] / known[c]);
	x += 2 * nc;
	x[0] = (float)into_day / (float)HOUR_MS;
	x[1] = (float)time_weekday(days);
	x[2] = (float)(days % 365);
	return true;
}

static struct trees *fit_without(const struct view *v, int fold, const float *x, const float *y, const int *slot, int n,
				 int p)
{
	_cleanup_free_ float *xs = xcalloc((size_t)n * (size_t)p, sizeof(*xs));
	_cleanup_free_ float *ys = xcalloc((size_t)n, sizeof(*ys));
	int rows = 0;

	for (int i = 0; i < n; i++) {
		if (fold_of(v, slot[i]) == fold)
			continue;
		memcpy(xs + (ptrdiff_t)rows * p, x + (ptrdiff_t)i * p, (size_t)p * sizeof(*xs));
		ys[rows++] = y[i];
	}
	return rows ? trees_fit(xs, ys, rows, p, &options) : NULL;
}

struct response *response_fit(const struct view *v)
{
	int p = 3 + 2 * v->exog->n_columns, n = 0, around = AROUND_DAYS * v->day;
	_cleanup_free_ float *x = xcalloc((size_t)v->end * (size_t)p + 1, sizeof(*x));
	_cleanup_free_ float *y = xcalloc((size_t)v->end + 1, sizeof(*y));
	_cleanup_free_ int *slot = xcalloc((size_t)v->end + 1, sizeof(*slot));
	_cleanup_(cleanup_response) struct response *r = xcalloc(1, sizeof(*r));

	for (int i = 0; i < v->end; i++) {
		if (isnan(view_value(v, i)) || !features(v, i, i, x + (ptrdiff_t)n * p))
			continue;
		y[n] = (float)(v->z[i] - view_mean(v, MAX(0, i - around), MIN(v->end, i + around)));
		slot[n++] = i;
	}
	r->end_ms = forecast_slot_ms(v->series, v->end + v->shift);
	if (n < MIN_ROWS_DAYS * v->day)
		return NULL;
	for (int fold = 0; fold < FOLDS; fold++) {
		r->trees[fold] = fit_without(v, fold, x, y, slot, n, p);
		if (!r->trees[fold])
			return NULL;
	}
	return steal_ptr(r);
}

void response_free(struct response *r)
{
	if (!r)
		return;
	for (int i = 0; i < FOLDS; i++)
		trees_free(r->trees[i]);
	free(r);
}

double response_at(const struct response *r, const struct view *v, int issue, int slot)
{
	float x[MAX_FEATURES];
	double sum = 0;

	if (!features(v, issue, slot, x))
		return NAN;
	if (forecast_slot_ms(v->series, slot + v->shift) < r->end_ms)
		return trees_predict(r->trees[fold_of(v, slot)], x);
	for (int i = 0; i < FOLDS; i++)
		sum += trees_predict(r->trees[i], x) / FOLDS;
	return sum;
}

double *response_past(const struct response *r, const struct view *v)
{
	double *part = xcalloc((size_t)v->end + 1, sizeof(*part));

	for (int i = 0; i < v->end; i++) {
		double value = response_at(r, v, i, i);

		part[i] = !isnan(value) ? value : i >= v->day ? part[i - v->day] : 0;
	}
	return part;
}
