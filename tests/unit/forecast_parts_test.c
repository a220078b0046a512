/* SPDX-License-Identifier: Apache-2.0 */
/* The forecaster's parts against dumb oracles: regression, trees, weights, quantiles, scores, tariffs, past runs. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/rand.h"
#include "forecast/linear.h"
#include "forecast/quantile.h"
#include "forecast/runs.h"
#include "forecast/score.h"
#include "forecast/series.h"
#include "forecast/stack.h"
#include "forecast/tariff.h"
#include "forecast/trees.h"

static void assert_near(double a, double b, double within)
{
	if (!(fabs(a - b) <= within))
		fail_msg("%.12g is not within %g of %.12g", a, within, b);
}

#define P 5
#define ROWS 60

/* Minimum of the penalised squares by coordinate descent: slow, and nothing like Cholesky. */
static void ridge_oracle(double x[ROWS][P], const double *y, int from, int to, int p, double penalty, double w[P + 1])
{
	int n = to - from;

	memset(w, 0, (P + 1) * sizeof(*w));
	for (int sweep = 0; sweep < 20000; sweep++)
		for (int k = 0; k <= p; k++) {
			int at = k == p ? P : k;
			double top = 0, bottom = at == P ? 0 : penalty * n;

			for (int i = from; i < to; i++) {
				double rest = y[i], xi = at == P ? 1 : x[i][at];

				for (int j = 0; j < p; j++)
					rest -= j == at ? 0 : w[j] * x[i][j];
				rest -= at == P ? 0 : w[P];
				top += rest * xi;
				bottom += xi * xi;
			}
			w[at] = top / bottom;
		}
}

static void test_linear(void **state)
{
	_cleanup_(cleanup_linear) struct linear *l = linear_new(P, 6);
	double x[ROWS][P], y[ROWS], w[P + 1], expected[P + 1];
	uint64_t random = 1;

	(void)state;
	for (int i = 0; i < ROWS; i++) {
		y[i] = 3;
		for (int j = 0; j < P; j++) {
			x[i][j] = rand_normal(&random);
			y[i] += (j - 2) * x[i][j] + 0.1 * rand_normal(&random);
		}
		linear_add(l, i / 10, x[i], y[i]);
	}
	for (int first = 0; first < 3; first++)
		for (int p = 3; p <= P; p += 2) {
			assert_int_equal(linear_gather(l, first, 3), 30);
			assert_true(linear_solve(l, p, 0.05, w));
			ridge_oracle(x, y, first * 10, first * 10 + 30, p, 0.05, expected);
			for (int j = 0; j <= P; j++)
				assert_near(w[j], expected[j], 1e-9);
			assert_near(linear_value(w, x[7], P),
				    w[0] * x[7][0] + w[1] * x[7][1] + w[2] * x[7][2] + w[3] * x[7][3] + w[4] * x[7][4] +
					    w[5],
				    1e-12);
		}
	assert_int_equal(linear_gather(l, 4, 100), 20);
	linear_clear(l);
	assert_int_equal(linear_gather(l, 0, 6), 0);
	assert_false(linear_solve(l, P, 0.05, w));
}

/* A column twice, and one that is constant: the penalty decides. */
static void test_linear_without_a_unique_answer(void **state)
{
	_cleanup_(cleanup_linear) struct linear *l = linear_new(3, 1);
	uint64_t random = 4;
	double w[4];

	(void)state;
	for (int i = 0; i < 50; i++) {
		double x[3] = { rand_normal(&random) };

		x[1] = x[0];
		x[2] = 0;
		linear_add(l, 0, x, 4 * x[0] + 1);
	}
	assert_int_equal(linear_gather(l, 0, 1), 50);
	assert_true(linear_solve(l, 3, 1e-6, w));
	assert_near(w[0], 2, 1e-3);
	assert_near(w[1], 2, 1e-3);
	assert_near(w[2], 0, 1e-9);
	assert_near(w[3], 1, 1e-3);
}

static void test_trees(void **state)
{
	const struct trees_options o = { .rounds = 200,
					 .depth = 3,
					 .rate = 0.1,
					 .min_leaf = 5,
					 .leaf_penalty = 1,
					 .row_share = 0.7,
					 .feature_share = 1,
					 .seed = 3 };
	enum { N = 3000 };
	_cleanup_free_ float *x = xcalloc(N * 3, sizeof(*x)), *y = xcalloc(N, sizeof(*y));
	_cleanup_(cleanup_trees) struct trees *t = NULL, *again = NULL;
	uint64_t random = 8;
	double error = 0;
	float probe[3] = { NAN, 1, 2 };

	(void)state;
	for (int i = 0; i < N; i++) {
		for (int j = 0; j < 3; j++)
			x[i * 3 + j] = (float)(10 * rand_unit(&random));
		/* A step, a curve, and a column of no meaning. */
		y[i] = (x[i * 3] > 5 ? 10 : 0) + x[i * 3 + 1] * x[i * 3 + 1] / 5;
	}
	t = trees_fit(x, y, N, 3, &o);
	again = trees_fit(x, y, N, 3, &o);
	for (int i = 0; i < 500; i++) {
		float at[3] = { (float)(10 * rand_unit(&random)), (float)(10 * rand_unit(&random)), 5 };
		double truth = (at[0] > 5 ? 10 : 0) + (double)(at[1] * at[1]) / 5;

		error += fabs(trees_predict(t, at) - truth) / 500;
		assert_true(trees_predict(t, at) == trees_predict(again, at));
	}
	assert_true(error < 0.5);
	/* NAN is the smallest value. */
	assert_near(trees_predict(t, probe), trees_predict(t, (float[3]){ -1e30F, 1, 2 }), 0);
}

static void test_trees_with_little(void **state)
{
	struct trees_options o = {
		.rounds = 5, .depth = 8, .rate = 0.5, .min_leaf = 1, .row_share = 1, .feature_share = 1
	};
	float x[4] = { 1, 1, 1, 1 }, y[4] = { 1, 2, 3, 6 };
	_cleanup_(cleanup_trees) struct trees *constant = trees_fit(x, y, 4, 1, &o), *one = trees_fit(x, y, 1, 1, &o);

	(void)state;
	assert_near(trees_predict(constant, x), 3, 1e-6);
	assert_near(trees_predict(one, x), 1, 1e-6);
}

static void test_stack(void **state)
{
	enum { N = 400 };
	double errors[N * 3], w[3];
	uint64_t random = 2;

	(void)state;
	for (int i = 0; i < N; i++) {
		double a = rand_normal(&random), b = rand_normal(&random);

		errors[i * 3] = a;
		errors[i * 3 + 1] = 2 * b;
		errors[i * 3 + 2] = 5 + a;
	}
	stack_weights(errors, N, 3, 0, w);
	assert_near(w[0] + w[1] + w[2], 1, 1e-9);
	assert_true(w[0] >= 0 && w[1] >= 0 && w[2] >= 0);
	/* No point of a grid over the simplex is better. */
	for (int i = 0; i <= 50; i++)
		for (int j = 0; i + j <= 50; j++) {
			double v[3] = { i / 50.0, j / 50.0, (50 - i - j) / 50.0 }, sum = 0, ours = 0;

			for (int r = 0; r < N; r++) {
				const double *e = errors + (ptrdiff_t)r * 3;

				sum += pow(v[0] * e[0] + v[1] * e[1] + v[2] * e[2], 2);
				ours += pow(w[0] * e[0] + w[1] * e[1] + w[2] * e[2], 2);
			}
			assert_true(ours <= sum * (1 + 1e-9));
		}
	assert_true(w[2] < 0.01);
	/* Much shrinking, no rows: equal weights. */
	stack_weights(errors, N, 3, 1e6, w);
	assert_near(w[0], 1.0 / 3, 1e-4);
	stack_weights(errors, 0, 3, 0.01, w);
	assert_near(w[2], 1.0 / 3, 1e-9);
}

static void test_quantiles(void **state)
{
	double values[101];
	struct weighted few[3] = { { 3, 1 }, { 1, 1 }, { 2, 2 } };
	uint64_t random = 5;
	int below = 0;

	(void)state;
	for (int i = 0; i <= 100; i++)
		values[i] = (i * 37) % 101;
	assert_near(quantile(values, 101, 0.5), 50, 1e-9);
	assert_near(quantile(values, 101, 0.1), 9.6, 1e-9);
	assert_near(quantile(values, 101, 0), 0, 0);
	assert_near(quantile(values, 101, 1), 100, 0);
	assert_near(quantile(values, 1, 0.9), 0, 0);
	/* Weights 1, 2, 1: middles at 1/8, 1/2, 7/8. */
	assert_near(quantile_weighted(few, 3, 0.5), 2, 1e-12);
	assert_near(quantile_weighted(few, 3, 0.3125), 1.5, 1e-12);
	assert_near(quantile_weighted(few, 3, 0.05), 1, 0);
	assert_near(quantile_weighted(few, 3, 0.95), 3, 0);
	/* The next of nine exchangeable values is below their p90 in nine of ten cases. */
	for (int trial = 0; trial < 20000; trial++) {
		double sample[9];

		for (int i = 0; i < 9; i++)
			sample[i] = rand_normal(&random);
		below += rand_normal(&random) <= quantile(sample, 9, quantile_level(0.9, 9));
	}
	assert_near(below / 20000.0, 0.9, 0.02);
}

static void test_scores(void **state)
{
	struct score s = { 0 };

	(void)state;
	assert_true(isnan(score_mae(&s)) && isnan(score_mape_percent(&s)) && isnan(score_coverage_percent(&s)));
	score_add(&s, 100, 90, 110, 120);
	score_add(&s, 0, 1, 3, 4);
	score_add(&s, -10, -10, -10, -10);
	assert_near(score_mae(&s), 13.0 / 3, 1e-12);
	assert_near(score_rmse(&s), sqrt(109.0 / 3), 1e-12);
	/* Without the value of zero. */
	assert_near(score_mape_percent(&s), 5, 1e-12);
	assert_near(score_coverage_percent(&s), 200.0 / 3, 1e-12);
	/* 0.1 * 10, 0.5 * 10, 0.1 * 20; 0.9 * 1, 0.5 * 3, 0.1 * 4. */
	assert_near(score_pinball(&s), (8 + 2.8) / 9, 1e-12);
}

static void test_vintages(void **state)
{
	const double a[3] = { 1, 2, 3 }, b[2] = { 20, 30 };
	const struct forecast_vintage v[2] = { { .issued_ms = 100, .first = -1, .n = 3, .rows = a },
					       { .issued_ms = 200, .first = 0, .n = 2, .rows = b } };
	const struct forecast_exog x = { .n_columns = 1, .n_vintages = 2, .vintages = v };

	(void)state;
	assert_null(forecast_exog_row(NULL, 0, 1000));
	assert_null(forecast_exog_row(&x, 0, 99));
	assert_near(*forecast_exog_row(&x, 0, 100), 2, 0);
	assert_near(*forecast_exog_row(&x, 0, 199), 2, 0);
	assert_near(*forecast_exog_row(&x, 0, 200), 20, 0);
	assert_near(*forecast_exog_row(&x, -1, 200), 1, 0);
	assert_null(forecast_exog_row(&x, -2, 200));
	assert_null(forecast_exog_row(&x, 2, 200));
}

/* Region A of Agile, in p/kWh, with 5 % VAT, before and after the clocks went forward on 2023-03-26. */
static void test_tariff(void **state)
{
	struct error err = ERROR_INIT;
	_cleanup_(cleanup_tz) struct tz *london = NULL;
	struct tariff t = { .slope = 2.1, .peak = 13, .peak_begin_h = 16, .peak_end_h = 19, .tax = 1.05, .cap = 35 };
	int64_t winter, summer;
	double w;

	(void)state;
	assert_int_equal(tz_load("Europe/London", &london, &err), 0);
	t.zone = london;
	assert_true(time_parse(STR("2023-03-25T00:00Z"), &winter) && time_parse(STR("2023-03-26T00:00Z"), &summer));
	assert_near(tariff_price(&t, 5, winter), 1.05 * 10.5, 1e-9);
	assert_near(tariff_price(&t, 5, winter + 15 * HOUR_MS + 30 * MINUTE_MS), 1.05 * 10.5, 1e-9);
	assert_near(tariff_price(&t, 5, winter + 16 * HOUR_MS), 1.05 * 23.5, 1e-9);
	assert_near(tariff_price(&t, 5, winter + 18 * HOUR_MS + 30 * MINUTE_MS), 1.05 * 23.5, 1e-9);
	assert_near(tariff_price(&t, 5, winter + 19 * HOUR_MS), 1.05 * 10.5, 1e-9);
	assert_near(tariff_price(&t, 5, summer + 15 * HOUR_MS), 1.05 * 23.5, 1e-9);
	assert_near(tariff_price(&t, 5, summer + 18 * HOUR_MS), 1.05 * 10.5, 1e-9);
	assert_near(tariff_price(&t, -5, winter), -1.05 * 10.5, 1e-9);
	assert_near(tariff_price(&t, 50, winter), 35, 0);
	assert_true(isnan(tariff_price(&t, NAN, winter)));
	for (int64_t ms = winter; ms < summer + DAY_MS; ms += SLOT_MS) {
		assert_true(tariff_wholesale(&t, tariff_price(&t, 7.25, ms), ms, &w));
		assert_near(w, 7.25, 1e-9);
	}
	assert_false(tariff_wholesale(&t, 35, winter, &w));
	assert_false(tariff_wholesale(&t, NAN, winter, &w));
}

static void test_runs(void **state)
{
	struct past_run runs[100] = { 0 };
	double value, power[4] = { 0 };

	(void)state;
	assert_false(runs_duration_s(runs, 0, 0.5, &value));
	for (int i = 0; i < 100; i++)
		runs[i] = (struct past_run){ .start_ms = i * HOUR_MS,
					     .end_ms = i * HOUR_MS + (600 + i % 2) * SECOND_MS,
					     .power_w = NAN };
	assert_false(runs_power_w(runs, 100, 0.5, &value));
	assert_true(runs_duration_s(runs, 1, 0.95, &value));
	assert_near(value, 600, 0);
	runs[99].end_ms = runs[99].start_ms + 5000 * SECOND_MS;
	assert_true(runs_duration_s(runs, 100, 0.5, &value));
	assert_near(value, 600.5, 0.5);
	/* One of few is not explained away. */
	assert_true(runs_duration_s(runs + 95, 5, 0.9, &value));
	assert_near(value, 5000, 0);
	/* What was long ago counts no more. */
	for (int i = 0; i < 20; i++)
		runs[i].end_ms = runs[i].start_ms + DAY_MS;
	assert_true(runs_duration_s(runs, 99, 0.95, &value));
	assert_near(value, 600.5, 0.5);
	/* A quarter of slot 0, all of slot 1, half of slot 2; before and after is cut. */
	runs[0] = (struct past_run){ .start_ms = 2700, .end_ms = 9000, .power_w = 100 };
	runs[1] = (struct past_run){ .start_ms = -5000, .end_ms = 99999, .power_w = 10 };
	runs[2] = (struct past_run){ .start_ms = 0, .end_ms = 3600, .power_w = NAN };
	runs_add_power(runs, 3, 0, 3600, 4, power);
	assert_near(power[0], 35, 1e-9);
	assert_near(power[1], 110, 1e-9);
	assert_near(power[2], 60, 1e-9);
	assert_near(power[3], 10, 1e-9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_linear), cmocka_unit_test(test_linear_without_a_unique_answer),
		cmocka_unit_test(test_trees),  cmocka_unit_test(test_trees_with_little),
		cmocka_unit_test(test_stack),  cmocka_unit_test(test_quantiles),
		cmocka_unit_test(test_scores), cmocka_unit_test(test_vintages),
		cmocka_unit_test(test_tariff), cmocka_unit_test(test_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
