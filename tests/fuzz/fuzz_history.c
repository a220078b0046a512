/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: a CSV as history, or (first byte odd) as exogenous forecasts; what is loaded is within its bounds, and a
 * small history is forecast, to finite values in order.
 */
#include <sys/mman.h>

#include "forecast/model.h"
#include "sim/history.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "violated: %s\n", what);
	abort();
}

static void check_history(const struct history *h)
{
	const struct forecast_series *s = &h->series;
	double p10[24], p50[24], p90[24];
	const struct forecast_quantiles q = { p10, p50, p90 };
	struct forecast_model *m;
	int missing = 0;

	require(s->n >= 2 && s->n <= HISTORY_MAX_SLOTS && s->step_ms >= 5 * MINUTE_MS && DAY_MS % s->step_ms == 0,
		"grid");
	for (int i = 0; i < s->n; i++)
		missing += isnan(s->value[i]) != 0;
	require(missing == h->n_missing, "missing values are counted");
	if (s->n > 3000)
		return;
	m = forecast_train(s, NULL, s->n, 24);
	forecast_predict(m, s, NULL, s->n, &q);
	for (int i = 0; i < 24; i++)
		require(isfinite(p10[i]) && isfinite(p90[i]) && p10[i] <= p50[i] && p50[i] <= p90[i],
			"quantiles in order");
	forecast_model_free(m);
}

static void check_exog(const struct forecast_exog *x)
{
	require(x->n_columns >= 1 && x->n_columns <= FORECAST_MAX_EXOG && x->n_vintages >= 1, "columns");
	for (int i = 0; i < x->n_vintages; i++) {
		const struct forecast_vintage *v = &x->vintages[i];

		require(i == 0 || v->issued_ms > x->vintages[i - 1].issued_ms, "vintages in order");
		require(v->n >= 1 && forecast_exog_row(x, v->first + v->n - 1, v->issued_ms) != NULL, "rows");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct forecast_series hourly = { .start_ms = INT64_C(1672531200000), .step_ms = HOUR_MS, .n = 100 };
	struct exog_data d = { .perfect_foresight = false };
	struct error err = ERROR_INIT;
	struct history h;
	char path[32];
	int fd;

	if (size < 1)
		return 0;
	fd = memfd_create("csv", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data + 1, size - 1) != (ssize_t)size - 1)
		abort();
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (data[0] % 2) {
		if (exog_load(&d, path, &hourly, &err) == 0) {
			check_exog(&d.exog);
			exog_release(&d);
		}
	} else if (history_load(&h, path, "v", &err) == 0) {
		check_history(&h);
		history_release(&h);
	}
	(void)close(fd);
	return 0;
}
