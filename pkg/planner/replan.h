/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Planning again under doubt: what to believe of a forecast that has begun to be wrong, when a new plan is worth it,
 * and how far to trust plans at all. Pure.
 *
 * Replacing the plan each hour by one from the raw forecast and the measured present loses against planning once: the
 * present's error is taken for a bargain or a disaster that ends with the hour. Errors last: so the present one is
 * added to all that comes, fading:
 *
 *	corrected(t) = forecast(t) + error(now) * exp(-(t - now) / tau),   tau about 6 h
 */
#ifndef PLANNER_REPLAN_H
#define PLANNER_REPLAN_H

#include "planner/planner.h"

#define REPLAN_TAU_MS (6 * HOUR_MS)

/*
 * Adds the error (measured - forecast, in the column's unit, of slot `current`) to the n values from `current` on;
 * values before it and unknown ones stay. Results are kept within int32 and above PLANNER_UNKNOWN. ret may be the
 * forecast.
 */
void replan_correct(int32_t *ret, const int32_t *forecast, int n, int current, int32_t error, int64_t slot_ms,
		    int64_t tau_ms);

/*
 * One column out of three: the mean of the distribution that p10, p50 and p90 tell of (Swanson's rule: 0.3, 0.4, 0.3)
 * plus risk_permille of its standard deviation, (p90 - p10) / 2.563 as in a normal one. Where p10 or p90 is unknown
 * or NULL it is p50. Risk > 0 avoids slots that may turn out bad; for renewable shares give less than 0.
 */
void replan_risk(int32_t *ret, const int32_t *p10, const int32_t *p50, const int32_t *p90, int n, int risk_permille);

/*
 * A plan is replaced when the new one's objective is lower by more than the forecast's noise (planner_result.noise)
 * and what the change costs (a checkpoint, a move), all in the objective's unit. Never an excuse to keep a plan that
 * has become infeasible: the caller knows. kept = INFINITY is that case.
 */
static inline bool replan_worth(double kept, double fresh, double noise, double change_cost)
{
	return kept - fresh > noise + change_cost;
}

/*
 * Trust in plans against the double threshold, 0 .. 1, by their recent regret: how much more than the best in hindsight
 * each would have cost, as a fraction of it. Multiplicative weights, kept off 0 and 1 so that it can recover.
 */
#define REPLAN_TRUST_START 0.8
double replan_trust(double trust, double plan_regret, double threshold_regret);
/*
 * The price at or under which to run: the plan's own (the dearest slot that it still means to use) and the threshold's,
 * mixed by trust. Trust 1 follows the plan, trust 0 the threshold.
 */
static inline double replan_price(double trust, double plan_price, double threshold_price)
{
	return trust * plan_price + (1 - trust) * threshold_price;
}

#endif
