/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept of a training, private to pkg/forecast: for each lead the members' weights in one piece. */
#ifndef FORECAST_MIX_H
#define FORECAST_MIX_H

#include "forecast/internal.h"
#include "forecast/response.h"

/* Without and with the exogenous columns. */
enum { MIX_PLAIN, MIX_EXOG, N_MIXES };

struct mix {
	bool usable;
	double naive[N_NAIVE];
	double share[N_MIXES];    /* of all plain and all exogenous fits; with naive they sum to 1 */
	double *weights[N_MIXES]; /* features and intercept, times their shares; NULL when the share is 0 */
	double low, high;         /* p10 and p90 less the mix, in z */
};

struct forecast_model {
	int horizon;
	struct scale scale;
	double z_min, z_max;       /* forecasts are kept within: what was seen, and a tenth of that beyond */
	struct response *response; /* NULL without exogenous columns */
	double x_means[FORECAST_MAX_EXOG], x_scales[FORECAST_MAX_EXOG];
	struct mix *mixes; /* [lead][N_MIXES] */
};

/* Number of features of a regression: the few, the exogenous ones (MIX_EXOG), the many. */
int fit_features(const struct view *v, int kind);
/*
 * Features of a target, and what the fit's value comes on top of: the level, and with MIX_EXOG, where the view is of
 * the rest, what the response explains. False when something is not known at the issue.
 */
bool fit_row(const struct forecast_model *m, const struct view *v, int kind, int issue, int target, double *ret_x,
	     double *ret_base);

#endif
