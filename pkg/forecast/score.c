/* SPDX-License-Identifier: Apache-2.0 */
/* Scores of forecasts. */
#include <math.h>

#include "base/cleanup.h"
#include "forecast/score.h"

static double pinball(double q, double error)
{
	return MAX(q * error, (q - 1) * error);
}

void score_add(struct score *s, double actual, double p10, double p50, double p90)
{
	double e = actual - p50;

	s->n++;
	s->absolute += fabs(e);
	s->square += e * e;
	if (fabs(actual) > SCORE_MAPE_FLOOR) {
		s->n_relative++;
		s->relative += fabs(e / actual);
	}
	s->pinball += (pinball(0.1, actual - p10) + pinball(0.5, e) + pinball(0.9, actual - p90)) / 3;
	s->covered += actual >= p10 && actual <= p90;
}

static double mean(double sum, int64_t n)
{
	return n ? sum / (double)n : NAN;
}

double score_mae(const struct score *s)
{
	return mean(s->absolute, s->n);
}

double score_rmse(const struct score *s)
{
	return sqrt(mean(s->square, s->n));
}

double score_mape_percent(const struct score *s)
{
	return 100 * mean(s->relative, s->n_relative);
}

double score_pinball(const struct score *s)
{
	return mean(s->pinball, s->n);
}

double score_coverage_percent(const struct score *s)
{
	return 100 * mean((double)s->covered, s->n);
}
