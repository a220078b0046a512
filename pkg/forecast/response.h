/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the exogenous columns explain of a series at one moment (the response of carbon to wind, say): boosted trees of
 * the columns, the hour, the weekday and the season, fitted to z less its mean of the four weeks around. The rest is a
 * series of its own, and easier to forecast than the whole. Private to pkg/forecast.
 *
 * Cross-fitted: a slot is explained by trees that have not seen its four weeks, so that the rest of the past is as
 * large as that of the future will be; a slot after the fit by the mean of all trees.
 */
#ifndef FORECAST_RESPONSE_H
#define FORECAST_RESPONSE_H

#include "forecast/internal.h"
#include "forecast/trees.h"

struct response;

/* Fits on all of the view, which has exog; NULL when too little of it is known. `trees` times four fits: trees.h. */
struct response *response_fit(const struct view *v);
void response_free(struct response *r);
DEFINE_CLEANUP(struct response, response, response_free);
/* The explained part of z in a slot, as known at the issue; NAN when a column is missing. */
double response_at(const struct response *r, const struct view *v, int issue, int slot);
/* Of all slots of the view as known when each began; where that is NAN, the day before's, else 0. Free with free(). */
double *response_past(const struct response *r, const struct view *v);

#endif
