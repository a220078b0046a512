/* SPDX-License-Identifier: Apache-2.0 */
/* Forecasts corrected by the error of the present and by their own doubt; trust in plans. */
#include "planner/replan.h"

#include <math.h>

#include "base/cleanup.h"

#define SD_PER_SPREAD (1 / 2.5631) /* p90 - p10 of a normal distribution, in standard deviations */
#define LEARNING_RATE 2.0
#define TRUST_MARGIN 0.02

static int32_t to_value(double v)
{
	return (int32_t)lround(CLAMP(v, (double)INT32_MIN + 1, (double)INT32_MAX));
}

void replan_correct(int32_t *ret, const int32_t *forecast, int n, int current, int32_t error, int64_t slot_ms,
		    int64_t tau_ms)
{
	double fade = exp(-(double)slot_ms / (double)tau_ms), left = error;

	for (int i = 0; i < n; i++) {
		bool known = forecast[i] != PLANNER_UNKNOWN;

		ret[i] = known && i >= current ? to_value(forecast[i] + left) : forecast[i];
		left *= i >= current ? fade : 1;
	}
}

void replan_risk(int32_t *ret, const int32_t *p10, const int32_t *p50, const int32_t *p90, int n, int risk_permille)
{
	for (int i = 0; i < n; i++) {
		bool spread = p10 && p90 && p10[i] != PLANNER_UNKNOWN && p90[i] != PLANNER_UNKNOWN;

		if (p50[i] == PLANNER_UNKNOWN || !spread) {
			ret[i] = p50[i];
			continue;
		}
		ret[i] = to_value(0.3 * p10[i] + 0.4 * p50[i] + 0.3 * p90[i] +
				  risk_permille / 1000.0 * SD_PER_SPREAD * ((double)p90[i] - p10[i]));
	}
}

double replan_trust(double trust, double plan_regret, double threshold_regret)
{
	double plan = trust * exp(-LEARNING_RATE * fmax(plan_regret, 0));
	double floor = (1 - trust) * exp(-LEARNING_RATE * fmax(threshold_regret, 0));

	if (!(plan + floor > 0))
		return trust;
	return CLAMP(plan / (plan + floor), TRUST_MARGIN, 1 - TRUST_MARGIN);
}
