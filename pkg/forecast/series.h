/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the forecaster reads: a series of values, and forecasts of other things (weather, wind, demand) by vintage.
 * Plain arrays, borrowed; NAN is missing. Slot i covers start_ms + i * step_ms up to the next slot, and is known once
 * it has ended: a forecast issued at slot s may read values [0, s) and vintages issued at or before s, and nothing
 * else.
 */
#ifndef FORECAST_SERIES_H
#define FORECAST_SERIES_H

#include <math.h>

#include "base/clock.h"

#define FORECAST_MAX_STEPS_PER_DAY 288 /* five minutes */
#define FORECAST_MAX_HORIZON 1344      /* steps: four weeks of half hours */
#define FORECAST_MAX_EXOG 16           /* columns */

struct forecast_series {
	int64_t start_ms;
	int64_t step_ms; /* divides an hour, or whole hours that divide a day */
	int n;
	const double *value;
};

/* One issue of the exogenous forecasts: rows of `n_columns` values for n consecutive slots of the series. */
struct forecast_vintage {
	int64_t issued_ms; /* INT64_MIN: known from the beginning, that is perfect foresight */
	int first;         /* slot of the first row, may be negative */
	int n;
	const double *rows;
};

struct forecast_exog {
	int n_columns;
	int n_vintages; /* in order of issued_ms */
	const struct forecast_vintage *vintages;
};

/*
 * The row of the latest vintage issued at or before as_of that covers the slot, or NULL. Looks back over at most
 * FORECAST_VINTAGES_BACK vintages. O(log n_vintages). exog may be NULL.
 */
#define FORECAST_VINTAGES_BACK 512
const double *forecast_exog_row(const struct forecast_exog *exog, int slot, int64_t as_of_ms);

static inline int64_t forecast_slot_ms(const struct forecast_series *s, int slot)
{
	return s->start_ms + slot * s->step_ms;
}

#endif
