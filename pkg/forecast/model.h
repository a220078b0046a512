/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The forecaster: p10, p50 and p90 of a series (carbon, wholesale price, power of a namespace) for every step up to the
 * horizon, from its history and, where there are any, exogenous forecasts by vintage. Pure: no clock, no I/O, no
 * globals; same input, same bits. Nothing at or after the issue is read, and no vintage issued after it.
 *
 *	struct forecast_model *m = forecast_train(&series, &exog, issue, horizon);
 *	forecast_predict(m, &series, &exog, issue, &quantiles);        (and the same hour of later days)
 *	forecast_model_free(m);
 *
 * A model serves the time of day of the issue that it was trained for, so that each lead always means the same hour: an
 * operator that issues every half hour trains each of them anew, one at a time. Members, for each lead:
 *
 *  - naive: previous day, previous week, mean of seven days, each at the target's time of day;
 *  - ridge regressions (LEAR-like: Lago et al. 2021, with a ridge for the lasso) on the last day in 24 parts, the
 *latest values at the target's time of day, the week before, daily means, weekday and season, relative to the last
 *week's mean: on all of these or only on what carries over days, with two penalties each, over 24, 52 and 208 weeks;
 *the rows of an hour earlier and later are added;
 *  - the same on what boosted trees of the exogenous columns do not explain (response.h), with these columns at the
 *    target and before as further features; where they are known for the target.
 *
 * The last 16 weeks, each fortnight forecast by fits that end before it, give the members' out-of-sample errors; these
 * give their weights, by groups of six hours of lead (stack.h), and the quantiles of what is left, later weeks counting
 * more (quantile.h). Where the mix has lost to a naive member in these weeks, that member alone is the forecast. With
 * less than about 13 weeks of history the best naive member is. (The trees are fitted on the whole of the past, but
 * never used on weeks that they have seen.)
 *
 * Training is O(horizon * days * p^2) for at most four years of days and p about 50 features, plus the trees: 0.25 s
 *for a year of hours and a horizon of 96, 2.6 s for three years of half hours and 14 days, 1 to 2 s for a year of hours
 *with five exogenous columns; memory a few MB (docs/results.md). A prediction is O(horizon * p + a month's values):
 * milliseconds. Thread: any; a model may be used by several at a time.
 */
#ifndef FORECAST_MODEL_H
#define FORECAST_MODEL_H

#include "forecast/series.h"

struct forecast_model;

/* Values for `horizon` steps from the issue on; the caller's arrays. */
struct forecast_quantiles {
	double *p10, *p50, *p90;
};

/*
 * For issues at the beginning of slot `issue` and the same time on later days. exog may be NULL. 1 <= issue (so that at
 * least one slot is past), 1 <= horizon <= FORECAST_MAX_HORIZON; the history may end before the issue. Never fails: a
 * series with no value at all is forecast as 0. Free with forecast_model_free(), which accepts NULL.
 */
struct forecast_model *forecast_train(const struct forecast_series *series, const struct forecast_exog *exog, int issue,
				      int horizon);
void forecast_model_free(struct forecast_model *m);
DEFINE_CLEANUP(struct forecast_model, forecast_model, forecast_model_free);

/*
 * The issue must be that of the training or whole days later, the series the same with later values added (it may begin
 * later). p10 <= p50 <= p90, all finite.
 */
void forecast_predict(const struct forecast_model *m, const struct forecast_series *series,
		      const struct forecast_exog *exog, int issue, const struct forecast_quantiles *ret);

#endif
