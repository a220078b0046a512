/* SPDX-License-Identifier: Apache-2.0 */
/* What a plan was worth by the recorded truth, and what no plan of the job could have beaten. Pure. */
#ifndef SIM_ACCOUNT_H
#define SIM_ACCOUNT_H

#include "sim/policy.h"

/* Carbon and cost are NAN where some value is unknown. */
struct figures {
	double energy_wh, carbon_g, cost;
};

/* Of running from start to end, with so much energy more in the slot of the start. */
void account_run(const struct scenario *s, int zone, int64_t start_ms, int64_t end_ms, double watts, double restart_wh,
		 struct figures *ret);
/* kWh * objective of these figures; by carbon and cost without the delay. NAN if a figure that has weight is. */
double account_objective(const struct price_of *p, const struct figures *f);
/*
 * No plan of that job under that policy costs less by the truth: of one block, looked for at all times at which its
 * ends meet a step; of a job that may pause, the cheapest moments in all its zones; of one that scales,
 * elastic_plan.bound. Limits are not minded. NAN if it rests on unknown values only.
 */
double account_bound(const struct scenario *s, const struct task *t, const struct price_of *p, struct arena *arena);

#endif
