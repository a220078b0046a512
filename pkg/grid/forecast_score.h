/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How well forecasts have done, by what came of them: the provider's, our own and the previous day. Pure; any thread.
 *
 * Scored are the issues of the last FORECAST_SCORE_DAYS, one for every six hours: our own where there is one in these
 * six hours, with what the provider had said last at that moment; else what the provider had said last at their
 * beginning. The previous day is what was known at the same moment of the same time of day. A value is scored once its
 * outturn is known; each source over its own values.
 */
#ifndef GRID_FORECAST_SCORE_H
#define GRID_FORECAST_SCORE_H

#include "forecast/score.h"
#include "forecast/series.h"
#include "grid/sample.h"

#define FORECAST_SCORE_DAYS 28
#define FORECAST_SCORE_EVERY_MS (6 * HOUR_MS)
#define FORECAST_MAX_LEAD_DAYS 14
/* Only so much can be said of anything: */
#define FORECAST_SCORE_MIN_ISSUES 48
#define FORECAST_SCORE_MIN_MS (7 * DAY_MS)
/* Bands are by so many hours of lead. */
#define FORECAST_BAND_SLOTS 12
#define FORECAST_MAX_BANDS (FORECAST_MAX_LEAD_DAYS * 48 / FORECAST_BAND_SLOTS)

enum forecast_scored { SCORED_PUBLISHED, SCORED_OWN, SCORED_NAIVE, N_SCORED };

/* A forecast as it was issued, in half hours. Borrowed. */
struct forecast_issue {
	int64_t issued_ms, start_ms;
	int n;
	const int32_t *p10, *p50, *p90; /* p10 and p90: NULL where it says one value only */
};

struct forecast_score_input {
	const struct forecast_series *actual;   /* half hours */
	const struct forecast_issue *issues[2]; /* of SCORED_PUBLISHED and SCORED_OWN, in order of issue */
	int n_issues[2];
	int64_t now_ms;
};

struct forecast_scores {
	struct score day[N_SCORED][FORECAST_MAX_LEAD_DAYS];
	int n_issues[N_SCORED];
	int64_t first_ms[N_SCORED], last_ms[N_SCORED]; /* of the issues; meaningless when there are none */
	/* What lies between the provider's value and p10 or p90 of the outturn; n_bands 0: too few are scored. */
	int n_bands;
	double low[FORECAST_MAX_BANDS], high[FORECAST_MAX_BANDS]; /* <= 0, >= 0 */
};

void forecast_scores(const struct forecast_score_input *in, struct forecast_scores *ret);
/* Are there enough to speak of? */
bool forecast_scores_count(const struct forecast_scores *s, enum forecast_scored what);

#endif
