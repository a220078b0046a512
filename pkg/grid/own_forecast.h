/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our own forecast of one source's carbon or price, from that source's history and nothing that means something else:
 * pkg/forecast in the units of grid/sample.h. Pure: nothing after now is read but prices, which are published ahead;
 * any thread.
 */
#ifndef GRID_OWN_FORECAST_H
#define GRID_OWN_FORECAST_H

#include "forecast/tariff.h"
#include "grid/exog.h"
#include "grid/provider.h"

/* Its name as a source. In no table of providers: nobody can ask for it. */
extern const struct grid_provider grid_own_forecast_provider;

#define OWN_FORECAST_SLOTS 672                 /* from the running slot on: two weeks */
#define OWN_FORECAST_MIN_DAYS 14               /* less history gives none */
#define OWN_FORECAST_HISTORY_MS (730 * DAY_MS) /* more is not read */

/* How the prices of a product come from wholesale ones, in one zone. */
struct grid_tariff {
	const char *product; /* its code, or how that begins */
	const char *zone;
	const char *time_zone; /* whose name rule.zone is */
	struct tariff rule;    /* micros of the currency per kWh */
};

struct own_forecast {
	int64_t issued_ms; /* the running slot */
	int64_t start_ms;  /* of the first value: what is known already is not forecast */
	int n;             /* 0: the history is too short */
	int history_days;  /* as far as it has values */
	int32_t p10[OWN_FORECAST_SLOTS], p50[OWN_FORECAST_SLOTS], p90[OWN_FORECAST_SLOTS];
};

/* The first slot that it forecasts: the running one, or the first whose price is not published. */
int64_t own_forecast_start_ms(const struct forecast_series *history, enum grid_metric metric, int64_t now_ms);
/*
 * history: half hours. exog may be NULL. tariff: NULL, or the rule of these prices: then what is forecast is the
 * wholesale price behind them. Takes seconds: see forecast/model.h.
 */
void own_forecast_make(const struct forecast_series *history, const struct grid_exog *exog,
		       const struct grid_tariff *tariff, enum grid_metric metric, int64_t now_ms,
		       struct own_forecast *ret);
/* One of a zone's prices as another zone of the same product and history has them. Both have a rule. */
void own_forecast_map(const struct own_forecast *from, const struct grid_tariff *of, const struct grid_tariff *to,
		      struct own_forecast *ret);

#endif
