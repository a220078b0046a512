/* SPDX-License-Identifier: Apache-2.0 */
/*
 * History and exogenous forecasts from CSV (contracts 5) as the forecaster's arrays. One thread at a time.
 *
 * H: `time_utc` and a value column; times strictly ascending. The step is the smallest distance of two rows: five
 * minutes or more that divide an hour, or hours that divide a day; all rows must lie on its grid. An empty value and a
 * time without a row are missing, and counted.
 * X: `issued_utc,target_utc` and up to FORECAST_MAX_EXOG value columns, rows in any order, none twice; or `time_utc` in
 * place of both, which is perfect foresight. A slot gets the mean of the values whose target lies in it; values that
 * come at longer steps than the series hold until the next one.
 *
 * Bounds: HISTORY_MAX_ROWS rows a file, HISTORY_MAX_SLOTS slots, HISTORY_MAX_CELLS values of all vintages. Values lie
 * within +-1e12. Errors name file, line and column.
 */
#ifndef SIM_HISTORY_H
#define SIM_HISTORY_H

#include "forecast/series.h"

#define HISTORY_MAX_ROWS 8000000
#define HISTORY_MAX_SLOTS 8000000
#define HISTORY_MAX_CELLS INT64_C(64000000)
#define HISTORY_MAX_VALUE 1e12

struct history {
	struct forecast_series series; /* values owned */
	int n_missing;                 /* slots without a value */
};

struct exog_data {
	struct forecast_exog exog; /* all owned */
	bool perfect_foresight;
};

int history_load(struct history *h, const char *path, const char *column, struct error *err) must_check;
void history_release(struct history *h);
/* On the slots of `series`; *d must be zeroed or released. */
int exog_load(struct exog_data *d, const char *path, const struct forecast_series *series,
	      struct error *err) must_check;
void exog_release(struct exog_data *d);

#endif
