/* SPDX-License-Identifier: Apache-2.0 */
/* What a model sees: the series scaled and filled, and features of a target at an issue. */
#include "base/alloc.h"
#include "forecast/internal.h"
#include "forecast/quantile.h"

#define DAY_PARTS 24 /* the last day enters as at most so many means */
#define DAILY_LAGS 7
#define CALENDAR 0.5 /* size of calendar features: in the order of the lags', so that one penalty fits both */
#define SPREAD 2.0   /* standard deviations from the median that count as the middle */

double view_value(const struct view *v, int slot)
{
	int i = slot + v->shift;

	return slot < v->end && i < v->series->n ? v->series->value[i] : NAN;
}

/* Median, and the median distance from it as a standard deviation; a constant series has spread 1. */
static struct scale measure(const struct view *v)
{
	_cleanup_free_ double *known = xcalloc((size_t)v->end + 1, sizeof(*known));
	struct scale s = { .median = 0, .spread = 1 };
	double distance;
	int n = 0;

	for (int i = 0; i < v->end; i++)
		if (!isnan(view_value(v, i)))
			known[n++] = view_value(v, i);
	if (n == 0)
		return s;
	s.median = quantile(known, n, 0.5);
	for (int i = 0; i < n; i++)
		known[i] = fabs(known[i] - s.median);
	distance = quantile(known, n, 0.5);
	if (distance > 0)
		s.spread = SPREAD * 1.4826 * distance; /* 1.4826: of a normal distribution */
	return s;
}

static void sum_up(struct view *v)
{
	for (int i = 0; i < v->end; i++)
		v->sum[i + 1] = v->sum[i] + v->z[i];
}

static void fill(struct view *v)
{
	double last = 0;

	v->z = xcalloc((size_t)v->end + 1, sizeof(*v->z));
	v->sum = xcalloc((size_t)v->end + 1, sizeof(*v->sum));
	for (int i = 0; i < v->end; i++) {
		double y = view_value(v, i);

		if (!isnan(y))
			last = v->z[i] = scale_to_z(&v->scale, y);
		else
			v->z[i] = i >= v->day ? v->z[i - v->day] : last;
	}
	sum_up(v);
}

void view_subtract(struct view *v, const double *part)
{
	for (int i = 0; i < v->end; i++)
		v->z[i] -= part[i];
	sum_up(v);
}

const double *view_exog_row(const struct view *v, int issue, int slot)
{
	return forecast_exog_row(v->exog, slot + v->shift, forecast_slot_ms(v->series, issue + v->shift));
}

static void init_exog(struct view *v)
{
	size_t nc = (size_t)v->exog->n_columns, cells = (size_t)(v->end + 1) * nc;

	v->x = xcalloc(cells, sizeof(*v->x));
	v->x_sum = xcalloc(cells, sizeof(*v->x_sum));
	v->x_known = xcalloc(cells, sizeof(*v->x_known));
	for (int i = 0; i < v->end; i++) {
		const double *row = view_exog_row(v, i, i);

		for (size_t c = 0; c < nc; c++) {
			size_t at = (size_t)i * nc + c;
			bool known = row && !isnan(row[c]);

			v->x[at] = known ? row[c] : NAN;
			v->x_sum[at + nc] = v->x_sum[at] + (known ? row[c] : 0);
			v->x_known[at + nc] = v->x_known[at] + known;
		}
	}
}

void view_init(struct view *v, const struct forecast_series *series, const struct forecast_exog *exog, int issue,
	       int max_days, const struct scale *scale)
{
	int day = (int)(DAY_MS / series->step_ms);

	*v = (struct view){ .series = series, .exog = exog, .shift = MAX(0, issue - max_days * day), .day = day };
	v->end = issue - v->shift;
	v->scale = scale ? *scale : measure(v);
	fill(v);
	if (exog)
		init_exog(v);
}

void view_release(struct view *v)
{
	free(v->z);
	free(v->sum);
	free(v->x);
	free(v->x_sum);
	free(v->x_known);
	*v = (struct view){ .end = 0 };
}

int64_t view_days(const struct view *v, int slot, int64_t *ret_into_day_ms)
{
	int64_t ms = forecast_slot_ms(v->series, slot + v->shift), floor = time_slot_floor(ms, DAY_MS);

	*ret_into_day_ms = ms - floor;
	return floor / DAY_MS;
}

double view_mean(const struct view *v, int from, int to)
{
	return (v->sum[to] - v->sum[from]) / (to - from);
}

double view_level(const struct view *v, int issue)
{
	return view_mean(v, issue - 7 * v->day, issue);
}

/* The latest slot with the target's time of day (and, for 7, its weekday) that has ended at the issue. */
static int reference(const struct view *v, int issue, int target, int days)
{
	int period = days * v->day;

	return target - ((target - issue) / period + 1) * period;
}

/* What lies before the beginning counts as the first day again. */
static double z_from_begin(const struct view *v, int issue, int slot)
{
	while (slot < 0)
		slot += v->day;
	return v->z[MIN(slot, issue - 1)];
}

void view_naive(const struct view *v, int issue, int target, double ret[N_NAIVE])
{
	int day_before = reference(v, issue, target, 1);

	ret[NAIVE_DAY] = z_from_begin(v, issue, day_before);
	ret[NAIVE_WEEK] = z_from_begin(v, issue, reference(v, issue, target, 7));
	ret[NAIVE_MEAN] = 0;
	for (int i = 0; i < 7; i++)
		ret[NAIVE_MEAN] += z_from_begin(v, issue, day_before - i * v->day) / 7;
}

static int day_parts(const struct view *v)
{
	return v->day % DAY_PARTS ? v->day : DAY_PARTS;
}

int view_n_few(void)
{
	return 4 + DAILY_LAGS + 1 + 6 + 4;
}

int view_n_many(const struct view *v)
{
	return day_parts(v) + DAILY_LAGS - 1;
}

void view_few(const struct view *v, int issue, int target, double *x)
{
	int day = v->day, day_before = reference(v, issue, target, 1);
	int64_t into_day, days = view_days(v, target, &into_day);
	double level = view_level(v, issue), year = 2 * M_PI * (double)days / 365.25, same_time = 0;

	for (int i = 0; i < DAILY_LAGS; i++)
		same_time += v->z[day_before - i * day] / DAILY_LAGS;
	*x++ = v->z[issue - 1] - level;
	*x++ = v->z[day_before] - level;
	*x++ = same_time - level;
	*x++ = v->z[reference(v, issue, target, 7) - 7 * day] - level;
	for (int i = 0; i < DAILY_LAGS; i++)
		*x++ = view_mean(v, issue - (i + 1) * day, issue - i * day) - level;
	*x++ = level - view_mean(v, issue - VIEW_LOOKBACK_DAYS * day, issue);
	for (int i = 1; i < 7; i++)
		*x++ = time_weekday(days) == i ? CALENDAR : 0;
	for (int i = 1; i <= 2; i++) {
		*x++ = CALENDAR * cos(i * year);
		*x++ = CALENDAR * sin(i * year);
	}
}

void view_many(const struct view *v, int issue, int target, double *x)
{
	int parts = day_parts(v), part = v->day / parts, day_before = reference(v, issue, target, 1);
	double level = view_level(v, issue);

	for (int i = 0; i < parts; i++)
		*x++ = view_mean(v, issue - (i + 1) * part, issue - i * part) - level;
	for (int i = 1; i < DAILY_LAGS; i++)
		*x++ = v->z[day_before - i * v->day] - level;
}

int view_n_exog(const struct view *v)
{
	return v->exog ? VIEW_EXOG_EACH * v->exog->n_columns : 0;
}

double view_exog_mean(const struct view *v, int column, int from, int to)
{
	size_t nc = (size_t)v->exog->n_columns, a = (size_t)from * nc + (size_t)column,
	       b = (size_t)to * nc + (size_t)column;
	int known = v->x_known[b] - v->x_known[a];

	return known > 0 && 2 * known >= to - from ? (v->x_sum[b] - v->x_sum[a]) / known : NAN;
}

void view_exog_scales(const struct view *v, double *ret_means, double *ret_scales)
{
	size_t nc = (size_t)v->exog->n_columns;

	for (size_t c = 0; c < nc; c++) {
		size_t at = (size_t)v->end * nc + c;
		double mean = v->x_known[at] ? v->x_sum[at] / v->x_known[at] : 0, squares = 0;

		for (int i = 0; i < v->end; i++) {
			double d = v->x[(size_t)i * nc + c] - mean;

			squares += isnan(d) ? 0 : d * d;
		}
		ret_means[c] = mean;
		ret_scales[c] = squares > 0 ? 1 / sqrt(squares / v->x_known[at]) : 0;
	}
}

bool view_exog(const struct view *v, int issue, int target, const double *means, const double *scales, double *ret)
{
	const double *now = view_exog_row(v, issue, target);
	int nc = v->exog->n_columns, day_before = reference(v, issue, target, 1);
	bool known = now != NULL;

	for (int c = 0; c < nc && known; c++) {
		double *x = ret + VIEW_EXOG_EACH * c, k = scales[c];
		double level = view_exog_mean(v, c, issue - 7 * v->day, issue);

		x[0] = k * (now[c] - level);
		x[1] = k * (v->x[(size_t)day_before * (size_t)nc + (size_t)c] - level);
		x[2] = k * (view_exog_mean(v, c, issue - v->day, issue) - level);
		x[3] = k * (level - means[c]);
		x[4] = x[0] * x[0];
		for (int i = 0; i < VIEW_EXOG_EACH; i++)
			known = known && !isnan(x[i]);
	}
	return known;
}
