/* SPDX-License-Identifier: Apache-2.0 */
/* The forecaster on series with known answers, on dirty ones, and on ones whose future is corrupted. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/rand.h"
#include "forecast/model.h"

#define START_MS INT64_C(1609459200000) /* 2021-01-01T00:00Z, a Friday */
#define MAX_STEPS 400

struct result {
	double p10[MAX_STEPS], p50[MAX_STEPS], p90[MAX_STEPS];
};

static struct result *run(const struct forecast_series *s, const struct forecast_exog *exog, int issue, int horizon)
{
	struct result *r = xcalloc(1, sizeof(*r));
	const struct forecast_quantiles q = { .p10 = r->p10, .p50 = r->p50, .p90 = r->p90 };
	struct forecast_model *m = forecast_train(s, exog, issue, horizon);

	forecast_predict(m, s, exog, issue, &q);
	forecast_model_free(m);
	for (int i = 0; i < horizon; i++) {
		assert_true(isfinite(r->p10[i]) && isfinite(r->p50[i]) && isfinite(r->p90[i]));
		assert_true(r->p10[i] <= r->p50[i] && r->p50[i] <= r->p90[i]);
	}
	return r;
}

static struct forecast_series series(double *value, int n, int64_t step_ms)
{
	return (struct forecast_series){ .start_ms = START_MS, .step_ms = step_ms, .n = n, .value = value };
}

/* A day and a week with a little noise. */
static double pattern(int i, int day, uint64_t *random)
{
	double hour = 2 * M_PI * (i % day) / day;

	return 200 + 50 * sin(hour) + 20 * cos(2 * hour) + (i / day % 7 >= 5 ? -40 : 0) + rand_normal(random);
}

static double *make_pattern(int n, int day, uint64_t seed)
{
	double *v = xcalloc((size_t)n, sizeof(*v));

	for (int i = 0; i < n; i++)
		v[i] = pattern(i, day, &seed);
	return v;
}

static void test_day_and_week(void **state)
{
	const int steps[] = { 24, 48, 8 };

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(steps); k++) {
		int day = steps[k], n = 200 * day, issue = 190 * day, horizon = 4 * day;
		_cleanup_free_ double *v = make_pattern(n, day, 7);
		const struct forecast_series s = series(v, n, DAY_MS / day);
		_cleanup_free_ struct result *r = run(&s, NULL, issue, horizon);
		double error = 0;
		int covered = 0;

		for (int i = 0; i < horizon; i++) {
			error += fabs(r->p50[i] - v[issue + i]) / horizon;
			covered += v[issue + i] >= r->p10[i] && v[issue + i] <= r->p90[i];
		}
		/* The noise alone has a mean error of 0.8. */
		assert_true(error < 1.3);
		assert_true(covered > horizon * 55 / 100);
		assert_true(r->p90[0] - r->p10[0] < 6);
	}
}

/* An issue at an odd hour, and a model used on later days. */
static void test_other_issues(void **state)
{
	int day = 24, n = 150 * day, horizon = 30;
	_cleanup_free_ double *v = make_pattern(n, day, 3);
	const struct forecast_series s = series(v, n, HOUR_MS);
	struct result *r = xcalloc(1, sizeof(*r));
	const struct forecast_quantiles q = { .p10 = r->p10, .p50 = r->p50, .p90 = r->p90 };
	struct forecast_model *m = forecast_train(&s, NULL, 130 * day + 17, horizon);

	(void)state;
	for (int later = 0; later < 10; later += 3) {
		int issue = (130 + later) * day + 17;

		forecast_predict(m, &s, NULL, issue, &q);
		for (int i = 0; i < horizon; i++)
			assert_true(fabs(r->p50[i] - v[issue + i]) < 6);
	}
	forecast_model_free(m);
	free(r);
}

struct weather {
	struct forecast_vintage *vintages;
	double *rows;
	struct forecast_exog exog;
};

/* One column, issued every midnight for `days` days ahead: the truth. */
static struct weather make_weather(const double *truth, int n, int day, int days)
{
	struct weather w = { .vintages = xcalloc((size_t)(n / day), sizeof(*w.vintages)),
			     .rows = xcalloc((size_t)(n / day * days * day), sizeof(double)) };
	int count = 0;

	for (int i = 0; i + days * day <= n; i += day, count++) {
		double *rows = w.rows + (ptrdiff_t)count * days * day;

		memcpy(rows, truth + i, (size_t)(days * day) * sizeof(*rows));
		w.vintages[count] = (struct forecast_vintage){
			.issued_ms = START_MS + i / day * DAY_MS, .first = i, .n = days * day, .rows = rows
		};
	}
	w.exog = (struct forecast_exog){ .n_columns = 1, .n_vintages = count, .vintages = w.vintages };
	return w;
}

static void weather_release(struct weather *w)
{
	free(w->vintages);
	free(w->rows);
}

/* Wind: nothing in its past tells its future. */
static double *make_wind(int n, uint64_t seed)
{
	double *wind = xcalloc((size_t)n, sizeof(*wind)), level = 0;

	for (int i = 0; i < n; i++) {
		level = 0.95 * level + rand_normal(&seed);
		wind[i] = 8 + level;
	}
	return wind;
}

static double error_of(const struct result *r, const double *truth, int n)
{
	double sum = 0;

	for (int i = 0; i < n; i++)
		sum += fabs(r->p50[i] - truth[i]) / n;
	return sum;
}

/* What wind explains is found, though not linear; leads that its forecasts do not reach do without. */
static void test_exogenous_columns(void **state)
{
	int day = 24, n = 260 * day, issue = 250 * day, horizon = 3 * day;
	_cleanup_free_ double *wind = make_wind(n, 5), *v = make_pattern(n, day, 4);
	_cleanup_(weather_release) struct weather w = make_weather(wind, n, day, 2);
	const struct forecast_series s = series(v, n, HOUR_MS);
	double with_x = 0, without = 0;

	(void)state;
	for (int i = 0; i < n; i++)
		v[i] -= 12 * MAX(wind[i] - 6, 0);
	for (int later = 0; later < 5; later++) {
		_cleanup_free_ struct result *a = run(&s, &w.exog, issue + later * day, horizon);
		_cleanup_free_ struct result *b = run(&s, NULL, issue + later * day, horizon);

		with_x += error_of(a, v + issue + later * day, 2 * day);
		without += error_of(b, v + issue + later * day, 2 * day);
		for (int i = 2 * day; i < 3 * day; i++)
			assert_true(fabs(a->p50[i] - b->p50[i]) < 1e-9);
	}
	assert_true(with_x < 0.4 * without);
}

/* Everything at or after the issue, in series and vintages, is replaced: not a bit of the forecast may change. */
static void test_future_is_not_read(void **state)
{
	int day = 24, n = 160 * day, issue = 140 * day, horizon = 4 * day;
	_cleanup_free_ double *wind = make_wind(n, 15), *v = make_pattern(n, day, 14);
	_cleanup_(weather_release) struct weather w = make_weather(wind, n, day, 5);
	const struct forecast_series s = series(v, n, HOUR_MS);
	_cleanup_free_ struct result *before = run(&s, &w.exog, issue, horizon), *plain = run(&s, NULL, issue, horizon);
	struct result *after;
	struct forecast_series cut = s;

	(void)state;
	for (int i = issue; i < n; i++)
		v[i] = i % 3 ? 1e9 : NAN;
	for (int i = 0; i < w.exog.n_vintages; i++)
		if (w.vintages[i].issued_ms > START_MS + issue * HOUR_MS)
			for (int k = 0; k < w.vintages[i].n; k++)
				w.rows[(ptrdiff_t)i * 5 * day + k] = -1e9;
	after = run(&s, &w.exog, issue, horizon);
	assert_memory_equal(before, after, sizeof(*before));
	free(after);
	after = run(&s, NULL, issue, horizon);
	assert_memory_equal(plain, after, sizeof(*plain));
	free(after);
	/* Nor is what is not there. */
	cut.n = issue;
	after = run(&cut, &w.exog, issue, horizon);
	assert_memory_equal(before, after, sizeof(*before));
	free(after);
	/* And it does depend on the last value that it may know. */
	v[issue - 1] += 30;
	after = run(&s, NULL, issue, horizon);
	assert_memory_not_equal(plain, after, sizeof(*plain));
	free(after);
}

static void test_short_histories(void **state)
{
	int day = 24;
	_cleanup_free_ double *v = make_pattern(120 * day, day, 2);
	const int issues[] = { 1, 2, 23, 24, 25, 48, 7 * 24, 8 * 24 + 5, 28 * 24, 29 * 24 + 1, 60 * 24, 90 * 24 };

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(issues); k++) {
		const struct forecast_series s = series(v, issues[k], HOUR_MS);
		_cleanup_free_ struct result *r = run(&s, NULL, issues[k], 96);

		for (int i = 0; i < 96; i++)
			assert_true(r->p50[i] > 50 && r->p50[i] < 350);
	}
}

static void test_dirty_series(void **state)
{
	int day = 24, n = 120 * day;
	_cleanup_free_ double *v = make_pattern(n, day, 2), *clean = make_pattern(n + 4 * day, day, 2);
	const struct forecast_series s = series(v, n, HOUR_MS);
	uint64_t random = 9;

	(void)state;
	/* A tenth missing, three weeks gone, spikes both ways, below zero. */
	for (int i = 0; i < n; i++) {
		double u = rand_unit(&random);

		v[i] -= 220;
		if (u < 0.1 || (i > 40 * day && i < 61 * day))
			v[i] = NAN;
		else if (u > 0.995)
			v[i] = u > 0.9975 ? 1e7 : -1e7;
	}
	{
		_cleanup_free_ struct result *r = run(&s, NULL, n, 96);
		double error = 0;

		for (int i = 0; i < 96; i++)
			error += fabs(r->p50[i] + 220 - clean[n + i]) / 96;
		assert_true(error < 15);
	}
	/* The history ends three weeks before the issue, with a gap. */
	{
		_cleanup_free_ struct result *r = run(&s, NULL, n + 21 * day, 24);

		for (int i = 0; i < 24; i++)
			assert_true(fabs(r->p50[i]) < 300);
	}
}

static void test_constant_and_empty(void **state)
{
	int n = 100 * 24;
	_cleanup_free_ double *v = xcalloc((size_t)n, sizeof(*v));
	const struct forecast_series s = series(v, n, HOUR_MS);

	(void)state;
	for (int pass = 0; pass < 3; pass++) {
		const double value[] = { 42, NAN, 0 };
		struct result *r;

		for (int i = 0; i < n; i++)
			v[i] = value[pass];
		r = run(&s, NULL, n, 48);
		for (int i = 0; i < 48; i++)
			assert_true(fabs(r->p50[i] - (pass == 0 ? 42 : 0)) < 1e-6);
		free(r);
	}
}

static void test_exogenous_columns_of_no_use(void **state)
{
	int day = 24, n = 120 * day;
	_cleanup_free_ double *v = make_pattern(n, day, 2), *wind = xcalloc((size_t)n, sizeof(*wind));
	_cleanup_(weather_release) struct weather w = { .rows = NULL };
	const struct forecast_series s = series(v, n, HOUR_MS);

	(void)state;
	/* Constant, then missing, then enormous. */
	for (int pass = 0; pass < 3; pass++) {
		struct result *r;

		for (int i = 0; i < n; i++)
			wind[i] = pass == 0 ? 5 : pass == 1 ? NAN : i % 2 ? 1e12 : -1e12;
		w = make_weather(wind, n, day, 1);
		r = run(&s, &w.exog, n - 2 * day, day);
		for (int i = 0; i < day; i++)
			assert_true(fabs(r->p50[i] - v[n - 2 * day + i]) < 10);
		free(r);
		if (pass < 2)
			weather_release(&w);
	}
}

static void test_same_input_same_bits(void **state)
{
	int day = 48, n = 130 * day;
	_cleanup_free_ double *v = make_pattern(n, day, 21);
	const struct forecast_series s = series(v, n, 30 * MINUTE_MS);
	_cleanup_free_ struct result *a = run(&s, NULL, n - 96, 96), *b = run(&s, NULL, n - 96, 96);

	(void)state;
	assert_memory_equal(a, b, sizeof(*a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_day_and_week),         cmocka_unit_test(test_other_issues),
		cmocka_unit_test(test_exogenous_columns),    cmocka_unit_test(test_future_is_not_read),
		cmocka_unit_test(test_short_histories),      cmocka_unit_test(test_dirty_series),
		cmocka_unit_test(test_constant_and_empty),   cmocka_unit_test(test_exogenous_columns_of_no_use),
		cmocka_unit_test(test_same_input_same_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
