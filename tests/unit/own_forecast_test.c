/* SPDX-License-Identifier: Apache-2.0 */
/* Our own forecasts in grid units, tariffs behind them, and the scores of what was said. Pure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "grid/forecast_score.h"
#include "grid/own_forecast.h"

#define DAY 48
#define N_DAYS 120
#define N (N_DAYS * DAY)
#define T0 INT64_C(1767225600000) /* 2026-01-01T00:00Z */
#define NOW (T0 + (N_DAYS - 10) * DAY_MS + 13 * HOUR_MS + 7 * MINUTE_MS)
#define NOW_SLOT ((N_DAYS - 10) * DAY + 26)

static uint32_t seed = 1;

static double noise(void)
{
	seed = seed * 1664525 + 1013904223;
	return (double)(seed >> 8) / (1 << 24) - 0.5;
}

/* Days of a shape of their own, and weather. */
static double *history(double mean, double swing)
{
	double *v = xcalloc(N, sizeof(*v)), weather = 0;

	seed = 1;
	for (int i = 0; i < N; i++) {
		weather = 0.98 * weather + noise() * 0.1 * swing;
		v[i] = mean + swing * sin(i * 2 * M_PI / DAY) + weather;
	}
	return v;
}

static struct forecast_series series_of(const double *v)
{
	return (struct forecast_series){ .start_ms = T0, .step_ms = SLOT_MS, .n = N, .value = v };
}

static void in_order(const struct own_forecast *f)
{
	for (int i = 0; i < f->n; i++) {
		assert_true(f->p10[i] <= f->p50[i]);
		assert_true(f->p50[i] <= f->p90[i]);
	}
}

static void two_weeks_from_the_running_slot(void **state)
{
	_cleanup_free_ double *v = history(200000, 60000);
	struct forecast_series s = series_of(v);
	_cleanup_free_ struct own_forecast *f = xcalloc(1, sizeof(*f));
	double error = 0;

	(void)state;
	own_forecast_make(&s, NULL, NULL, GRID_CARBON, NOW, f);
	assert_int_equal(f->n, OWN_FORECAST_SLOTS);
	assert_int_equal(f->issued_ms, T0 + NOW_SLOT * SLOT_MS);
	assert_int_equal(f->start_ms, f->issued_ms);
	assert_int_equal(f->history_days, N_DAYS - 10);
	in_order(f);
	for (int i = 0; i < 4 * DAY; i++)
		error += fabs(f->p50[i] - v[NOW_SLOT + i]) / (4 * DAY);
	assert_true(error < 20000); /* a third of the swing: it has learnt the day */
}

static void nothing_of_the_future_is_read(void **state)
{
	_cleanup_free_ double *v = history(200000, 60000);
	struct forecast_series s = series_of(v);
	_cleanup_free_ struct own_forecast *a = xcalloc(1, sizeof(*a));
	_cleanup_free_ struct own_forecast *b = xcalloc(1, sizeof(*b));

	(void)state;
	own_forecast_make(&s, NULL, NULL, GRID_CARBON, NOW, a);
	for (int i = NOW_SLOT; i < N; i++)
		v[i] = 1e6 * noise();
	own_forecast_make(&s, NULL, NULL, GRID_CARBON, NOW, b);
	assert_memory_equal(a, b, sizeof(*a));
	v[NOW_SLOT - 1] += 100000;
	own_forecast_make(&s, NULL, NULL, GRID_CARBON, NOW, b);
	assert_memory_not_equal(a, b, sizeof(*a));
}

static void two_weeks_of_history_are_needed(void **state)
{
	_cleanup_free_ double *v = history(200000, 60000);
	struct forecast_series s = series_of(v);
	_cleanup_free_ struct own_forecast *f = xcalloc(1, sizeof(*f));

	(void)state;
	for (int i = 0; i < NOW_SLOT - 14 * DAY + 1; i++)
		v[i] = (double)NAN;
	own_forecast_make(&s, NULL, NULL, GRID_CARBON, NOW, f);
	assert_int_equal(f->n, 0);
	assert_int_equal(f->history_days, 13);
	v[NOW_SLOT - 14 * DAY] = 200000;
	own_forecast_make(&s, NULL, NULL, GRID_CARBON, NOW, f);
	assert_int_equal(f->n, OWN_FORECAST_SLOTS);
	for (int i = 0; i < N; i++)
		v[i] = (double)NAN;
	own_forecast_make(&s, NULL, NULL, GRID_CARBON, NOW, f);
	assert_int_equal(f->n, 0);
	assert_int_equal(f->history_days, 0);
}

static void carbon_is_never_negative_and_prices_may_be(void **state)
{
	_cleanup_free_ double *v = history(20000, 60000);
	struct forecast_series s = series_of(v);
	_cleanup_free_ struct own_forecast *f = xcalloc(1, sizeof(*f));
	int negative = 0;

	(void)state;
	own_forecast_make(&s, NULL, NULL, GRID_CARBON, NOW, f);
	for (int i = 0; i < f->n; i++)
		assert_true(f->p10[i] >= 0);
	for (int i = NOW_SLOT + 20; i < N; i++)
		v[i] = (double)NAN;
	own_forecast_make(&s, NULL, NULL, GRID_PRICE, NOW, f);
	/* What is published is not forecast. */
	assert_int_equal(f->start_ms, T0 + (NOW_SLOT + 20) * SLOT_MS);
	assert_int_equal(f->start_ms, own_forecast_start_ms(&s, GRID_PRICE, NOW));
	assert_int_equal(f->n, OWN_FORECAST_SLOTS - 20);
	for (int i = 0; i < f->n; i++)
		negative += f->p50[i] < 0;
	assert_true(negative > 0);
	in_order(f);
}

/* Two zones' prices from one wholesale series; the peak is a step that no wholesale price has. */
static void one_wholesale_price_for_all_zones(void **state)
{
	_cleanup_free_ double *wholesale = history(60000, 20000);
	_cleanup_free_ double *v = xcalloc(N, sizeof(*v)), *w = xcalloc(N, sizeof(*w));
	_cleanup_free_ struct own_forecast *f = xcalloc(1, sizeof(*f));
	_cleanup_free_ struct own_forecast *direct = xcalloc(1, sizeof(*direct));
	_cleanup_free_ struct own_forecast *mapped = xcalloc(1, sizeof(*mapped));
	_cleanup_(cleanup_tz) struct tz *utc = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(tz_load("UTC", &utc, &err), 0);
	struct grid_tariff c = { "AGILE", "C", "UTC", { 2.2, 120000, 16, 19, 1, 290000, utc } };
	struct grid_tariff p = { "AGILE", "P", "UTC", { 2.0, 110000, 16, 19, 1, 500000, utc } };
	for (int i = 0; i < N; i++) {
		v[i] = i < NOW_SLOT ? tariff_price(&c.rule, wholesale[i], T0 + i * SLOT_MS) : (double)NAN;
		w[i] = i < NOW_SLOT ? tariff_price(&p.rule, wholesale[i], T0 + i * SLOT_MS) : (double)NAN;
	}
	struct forecast_series of_c = series_of(v), of_p = series_of(w);
	own_forecast_make(&of_c, NULL, &c, GRID_PRICE, NOW, f);
	own_forecast_make(&of_p, NULL, &p, GRID_PRICE, NOW, direct);
	own_forecast_map(f, &c, &p, mapped);
	assert_int_equal(f->n, OWN_FORECAST_SLOTS);
	assert_int_equal(mapped->n, f->n);
	in_order(mapped);
	int capped = 0;
	for (int i = 0; i < f->n; i++) {
		assert_true(f->p90[i] <= 290000);
		capped += f->p50[i] == 290000;
		/* The peak's step is in the rule, not in what is learnt: hours before and after it differ little. */
		if (f->p50[i] < 290000 && (i + 26) % DAY == 32)
			assert_true(f->p50[i] - f->p50[i - 1] > 90000);
	}
	assert_true(capped < f->n / 2);
	/* The history of C lacks what its cap hides: not the same numbers, but the same prices. */
	double apart = 0, mean = 0;
	for (int i = 0; i < 4 * DAY; i++) {
		if (f->p50[i] == 290000)
			continue;
		apart += abs(mapped->p50[i] - direct->p50[i]);
		mean += direct->p50[i];
	}
	assert_true(apart < 0.15 * mean);
}

/* ---- what else is forecast ---- */

/* Wind that comes and goes, in MW. */
static double *windy(void)
{
	double *v = xcalloc(N, sizeof(*v)), x = 0;

	seed = 7;
	for (int i = 0; i < N; i++) {
		x = 0.99 * x + noise() * 1000;
		v[i] = 8000 + x;
	}
	return v;
}

/* Four times a day the wind of `slots` slots, as it came. */
static void tell(struct grid_exog_past *p, enum grid_metric metric, const double *wind, int from_day, int slots)
{
	struct grid_exog_column *c = &p->columns[p->n++];

	*c = (struct grid_exog_column){ .metric = metric };
	for (int at = from_day * DAY; at <= NOW_SLOT; at += DAY / 4) {
		int32_t *values = arena_array(&p->arena, (size_t)slots, int32_t);
		struct forecast_issue *f = vec_push(&c->issues, 10000);

		for (int i = 0; i < slots; i++)
			values[i] = at + i < N ? (int32_t)lround(wind[at + i]) : GRID_UNKNOWN;
		*f = (struct forecast_issue){ T0 + at * SLOT_MS, T0 + at * SLOT_MS, slots, NULL, values, NULL };
	}
}

static double error_of(const struct own_forecast *f, const double *v, int from, int to)
{
	double sum = 0;

	for (int i = from; i < to; i++)
		sum += fabs(f->p50[i] - v[NOW_SLOT + i]) / (to - from);
	return sum;
}

static void wind_helps_beyond_two_days(void **state)
{
	_cleanup_free_ double *v = history(200000, 30000), *wind = windy();
	struct forecast_series s = series_of(v);
	_cleanup_free_ struct own_forecast *without = xcalloc(1, sizeof(*without));
	_cleanup_free_ struct own_forecast *with = xcalloc(1, sizeof(*with));
	struct grid_exog_past past;
	struct grid_exog e;

	(void)state;
	for (int i = 0; i < N; i++)
		v[i] -= 10 * (wind[i] - 8000);
	grid_exog_past_init(&past);
	tell(&past, GRID_WIND, wind, 0, GRID_EXOG_SLOTS);
	tell(&past, GRID_SOLAR, wind, 60, GRID_EXOG_SLOTS); /* not long enough */
	tell(&past, GRID_DEMAND, wind, 0, DAY);             /* a day ahead only */
	grid_exog_build(&past, NOW, &e);
	assert_int_equal(e.n_columns, 1);
	assert_int_equal(e.metrics[0], GRID_WIND);
	own_forecast_make(&s, NULL, NULL, GRID_CARBON, NOW, without);
	own_forecast_make(&s, &e, NULL, GRID_CARBON, NOW, with);
	in_order(with);
	assert_true(error_of(with, v, 96, 180) < 0.7 * error_of(without, v, 96, 180));
	grid_exog_release(&e);
	grid_exog_past_release(&past);
}

/* A row says what was known then: later issues change rows of later times only. */
static void rows_are_of_their_time(void **state)
{
	_cleanup_free_ double *wind = windy();
	struct grid_exog_past past;
	struct grid_exog a, b;
	int half;

	(void)state;
	grid_exog_past_init(&past);
	tell(&past, GRID_WIND, wind, 0, GRID_EXOG_SLOTS);
	grid_exog_build(&past, NOW, &a);
	half = a.n / 2;
	for (size_t i = 0; i < past.columns[0].issues.len; i++) {
		struct forecast_issue *f = &past.columns[0].issues.ptr[i];

		if (f->issued_ms > a.issued_ms[half])
			memset((void *)(uintptr_t)f->p50, 0x11, (size_t)f->n * sizeof(*f->p50));
	}
	grid_exog_build(&past, NOW, &b);
	assert_int_equal(a.n, b.n);
	assert_memory_equal(a.rows, b.rows, (size_t)(half + 1) * GRID_EXOG_SLOTS * sizeof(double));
	assert_memory_not_equal(a.rows, b.rows, (size_t)(half + 2) * GRID_EXOG_SLOTS * sizeof(double));
	assert_int_equal(b.issued_ms[b.n - 1], NOW);
	assert_true(a.rows[(size_t)(a.n - 1) * GRID_EXOG_SLOTS] == round(wind[NOW_SLOT]));
	grid_exog_release(&a);
	grid_exog_release(&b);
	grid_exog_past_release(&past);
}

/* ---- scores ---- */

#define N_ISSUES (27 * 4)

struct said {
	struct forecast_issue published[N_ISSUES], own[N_ISSUES];
	int32_t values[N_ISSUES][2][3][4 * DAY];
};

/* The provider is out by 10 g on its first day and by 20 on its second; ours is right, with p10 and p90 5 g around. */
static struct said *say(const double *actual, int64_t issued_ms)
{
	struct said *s = xcalloc(1, sizeof(*s));

	for (int k = 0; k < N_ISSUES; k++) {
		int64_t at_ms = time_slot_floor(issued_ms, 6 * HOUR_MS) - (int64_t)(N_ISSUES - 1 - k) * 6 * HOUR_MS;
		int64_t first = (at_ms - T0) / SLOT_MS;
		int32_t(*p)[4 * DAY] = s->values[k][0], (*o)[4 * DAY] = s->values[k][1];

		for (int i = 0; i < 4 * DAY; i++) {
			double v = first + i < N ? actual[first + i] : 0;

			p[1][i] = (int32_t)lround(v) + (i < DAY ? 10000 : -20000);
			o[0][i] = (int32_t)lround(v) - 5000;
			o[1][i] = (int32_t)lround(v);
			o[2][i] = (int32_t)lround(v) + 5000;
		}
		s->published[k] = (struct forecast_issue){ at_ms, at_ms, 2 * DAY, NULL, p[1], NULL };
		s->own[k] = (struct forecast_issue){ at_ms, at_ms, 4 * DAY, o[0], o[1], o[2] };
	}
	return s;
}

static struct forecast_score_input input(const struct forecast_series *s, const struct said *said, int n_published,
					 int n_own)
{
	return (struct forecast_score_input){ .actual = s,
					      .issues = { said->published + N_ISSUES - n_published,
							  said->own + N_ISSUES - n_own },
					      .n_issues = { n_published, n_own },
					      .now_ms = NOW };
}

static void scores_by_day_of_lead(void **state)
{
	_cleanup_free_ double *v = history(200000, 60000);
	struct forecast_series s = series_of(v);
	_cleanup_free_ struct said *said = say(v, NOW);
	struct forecast_score_input in = input(&s, said, N_ISSUES, N_ISSUES);
	struct forecast_scores r;

	(void)state;
	forecast_scores(&in, &r);
	assert_int_equal(r.n_issues[SCORED_PUBLISHED], N_ISSUES);
	assert_true(forecast_scores_count(&r, SCORED_PUBLISHED) && forecast_scores_count(&r, SCORED_OWN));
	assert_true(fabs(score_mae(&r.day[SCORED_PUBLISHED][0]) - 10000) < 1);
	assert_true(fabs(score_mae(&r.day[SCORED_PUBLISHED][1]) - 20000) < 1);
	assert_int_equal(r.day[SCORED_PUBLISHED][2].n, 0);
	assert_true(score_mae(&r.day[SCORED_OWN][3]) < 1);
	assert_true(score_coverage_percent(&r.day[SCORED_OWN][3]) > 99.9);
	assert_true(score_mae(&r.day[SCORED_NAIVE][0]) > 1000);
	/* Of the last day's issues only what has come to pass. */
	assert_true(r.day[SCORED_OWN][0].n < N_ISSUES * DAY && r.day[SCORED_OWN][0].n > (N_ISSUES - 4) * DAY);
	assert_int_equal(r.n_bands, 2 * DAY / FORECAST_BAND_SLOTS);
	assert_true(fabs(r.low[0] + 10000) < 1 && r.high[0] == 0);
	assert_true(r.low[7] == 0 && fabs(r.high[7] - 20000) < 1);
}

static void few_issues_count_for_nothing(void **state)
{
	_cleanup_free_ double *v = history(200000, 60000);
	struct forecast_series s = series_of(v);
	_cleanup_free_ struct said *said = say(v, NOW);
	struct forecast_score_input in = input(&s, said, 47, 0);
	struct forecast_scores r;

	(void)state;
	forecast_scores(&in, &r);
	assert_int_equal(r.n_issues[SCORED_PUBLISHED], 47);
	assert_false(forecast_scores_count(&r, SCORED_PUBLISHED));
	assert_int_equal(r.n_bands, 0);
	assert_int_equal(r.n_issues[SCORED_OWN], 0);
	in = input(&s, said, 0, 0);
	forecast_scores(&in, &r);
	assert_int_equal(r.n_issues[SCORED_NAIVE], 0); /* compared with nothing */
}

/* What a provider said after a moment is not what it had said then; nor what it said long before. */
static void only_what_was_said_by_then(void **state)
{
	_cleanup_free_ double *v = history(200000, 60000);
	struct forecast_series s = series_of(v);
	_cleanup_free_ struct said *said = say(v, NOW);
	struct forecast_score_input in = input(&s, said, N_ISSUES, 0);
	struct forecast_scores r;

	(void)state;
	for (int i = 0; i < N_ISSUES; i++)
		said->published[i].issued_ms += 1;
	forecast_scores(&in, &r);
	assert_int_equal(r.n_issues[SCORED_PUBLISHED], 0);
	for (int i = 0; i < N_ISSUES; i++)
		said->published[i].issued_ms -= HOUR_MS;
	forecast_scores(&in, &r);
	assert_true(r.n_issues[SCORED_PUBLISHED] >= N_ISSUES - 1);
}

/* The previous day is what was known at the issue: of later slots of that day, the day before it. */
static void the_previous_day_is_not_of_the_future(void **state)
{
	_cleanup_free_ double *v = xcalloc(N, sizeof(*v));
	struct forecast_series s = series_of(v);
	_cleanup_free_ struct said *said = NULL;
	struct forecast_scores r;

	(void)state;
	for (int i = 0; i < N; i++)
		v[i] = i / DAY * 1000; /* a step at each midnight */
	said = say(v, NOW);
	struct forecast_score_input in = input(&s, said, 0, N_ISSUES);
	forecast_scores(&in, &r);
	assert_true(fabs(score_mae(&r.day[SCORED_NAIVE][0]) - 1000) < 1e-6);
	assert_true(fabs(score_mae(&r.day[SCORED_NAIVE][1]) - 2000) < 1e-6);
	assert_true(fabs(score_mae(&r.day[SCORED_NAIVE][2]) - 3000) < 1e-6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_weeks_from_the_running_slot),
		cmocka_unit_test(nothing_of_the_future_is_read),
		cmocka_unit_test(two_weeks_of_history_are_needed),
		cmocka_unit_test(carbon_is_never_negative_and_prices_may_be),
		cmocka_unit_test(one_wholesale_price_for_all_zones),
		cmocka_unit_test(wind_helps_beyond_two_days),
		cmocka_unit_test(rows_are_of_their_time),
		cmocka_unit_test(scores_by_day_of_lead),
		cmocka_unit_test(few_issues_count_for_nothing),
		cmocka_unit_test(only_what_was_said_by_then),
		cmocka_unit_test(the_previous_day_is_not_of_the_future),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
