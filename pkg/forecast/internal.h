/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a model sees of a series, private to pkg/forecast: the values scaled, whole and relative, and the features of a
 * target at an issue.
 *
 * Values are scaled as z = asinh((y - median) / spread): nearly linear in the middle, logarithmic in the tails, so that
 * one price spike does not outweigh a month (Uniejewski, Weron, Ziel 2018, variance stabilising transformations). A gap
 * is filled from what came before it: the day before, else the last value.
 */
#ifndef FORECAST_INTERNAL_H
#define FORECAST_INTERNAL_H

#include <stdbool.h>

#include "forecast/series.h"

#define VIEW_LOOKBACK_DAYS 28 /* a row needs so much before its issue */
#define VIEW_EXOG_EACH 5      /* features of each exogenous column */

struct scale {
	double median, spread;
};

static inline double scale_to_z(const struct scale *s, double y)
{
	return asinh((y - s->median) / s->spread);
}

static inline double scale_from_z(const struct scale *s, double z)
{
	return s->median + s->spread * sinh(z);
}

/* Slots of a view count from its own beginning, `shift` slots of the series later. */
struct view {
	const struct forecast_series *series;
	const struct forecast_exog *exog; /* NULL without */
	int shift;
	int end; /* slots [0, end) may be read */
	int day; /* slots of a day */
	struct scale scale;
	double *z;   /* scaled and filled */
	double *sum; /* sum[i] of z[0 .. i) */
	/* Of the exogenous columns, what was said last before each slot began: value, its sums, and how many are known.
	 */
	double *x, *x_sum;
	int *x_known;
};

/* A view of the last max_days before the slot `issue` of the series. scale NULL: measured on what is seen. */
void view_init(struct view *v, const struct forecast_series *series, const struct forecast_exog *exog, int issue,
	       int max_days, const struct scale *scale);
void view_release(struct view *v);
/* Takes `part` (one value for each slot) off z. */
void view_subtract(struct view *v, const double *part);

/* The series' own value, NAN when missing or not yet known. */
double view_value(const struct view *v, int slot);
/* Days since 1970, and milliseconds into the day. */
int64_t view_days(const struct view *v, int slot, int64_t *ret_into_day_ms);
/* The values that were forecast for a slot at an issue, or NULL. Needs exog. */
const double *view_exog_row(const struct view *v, int issue, int slot);
/* Mean of z over [from, to); mean of an exogenous column, NAN when more than half of it is missing. */
double view_mean(const struct view *v, int from, int to);
double view_exog_mean(const struct view *v, int column, int from, int to);
/* Mean of z over the week before the issue: what targets and features are relative to. */
double view_level(const struct view *v, int issue);

/* Previous day, previous week, and mean of the last seven days at the target's time of day; any issue >= 1. */
enum { NAIVE_DAY, NAIVE_WEEK, NAIVE_MEAN, N_NAIVE };
void view_naive(const struct view *v, int issue, int target, double ret[N_NAIVE]);

/*
 * Features of a target at an issue of at least VIEW_LOOKBACK_DAYS days. Few: what carries over many days. Many: the
 * last day in detail, and single values of the week.
 */
int view_n_few(void);
int view_n_many(const struct view *v);
int view_n_exog(const struct view *v);
void view_few(const struct view *v, int issue, int target, double *ret);
void view_many(const struct view *v, int issue, int target, double *ret);
/* view_n_exog() features, `scales` being 1 / standard deviation; false when something is not known at the issue. */
bool view_exog(const struct view *v, int issue, int target, const double *means, const double *scales, double *ret);
/* Mean and 1 / standard deviation of each exogenous column. */
void view_exog_scales(const struct view *v, double *ret_means, double *ret_scales);

#endif
