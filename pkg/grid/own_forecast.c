/* SPDX-License-Identifier: Apache-2.0 */
/* From a source's history to p10, p50 and p90 of the next two weeks, see own_forecast.h. */
#include "grid/own_forecast.h"

#include "base/alloc.h"
#include "forecast/model.h"
#include "grid/merge.h"

#define DAY_SLOTS ((int)(DAY_MS / SLOT_MS))

const struct grid_provider grid_own_forecast_provider = { .name = "loadshift-forecast" };

/* Slots with a value before `end`, and the first of them. */
static int count_known(const struct forecast_series *s, int end, int *ret_first)
{
	int n = 0;

	*ret_first = end;
	for (int i = MIN(end, s->n) - 1; i >= 0; i--)
		if (!isnan(s->value[i])) {
			n++;
			*ret_first = i;
		}
	return n;
}

/* The first slot that is to be forecast: the running one, or what comes after the prices that are published. */
static int issue_slot(const struct forecast_series *s, enum grid_metric metric, int64_t now_ms)
{
	int running = (int)((time_slot_floor(now_ms, SLOT_MS) - s->start_ms) / SLOT_MS), issue = running;

	for (int i = running; grid_metric_is_price(metric) && i < s->n; i++)
		if (!isnan(s->value[i]))
			issue = i + 1;
	return issue;
}

int64_t own_forecast_start_ms(const struct forecast_series *history, enum grid_metric metric, int64_t now_ms)
{
	return forecast_slot_ms(history, issue_slot(history, metric, now_ms));
}

/* The wholesale prices behind a tariff's; its cap hides them. */
static double *wholesale(const struct forecast_series *s, const struct tariff *rule)
{
	double *out = xcalloc((size_t)MAX(s->n, 1), sizeof(*out));

	for (int i = 0; i < s->n; i++)
		if (!tariff_wholesale(rule, s->value[i], forecast_slot_ms(s, i), &out[i]))
			out[i] = (double)NAN;
	return out;
}

/* Carbon in whole grams, as others publish it: a third of the bytes in the database. */
static int32_t to_value(double x, enum grid_metric metric)
{
	double step = metric == GRID_CARBON ? 1000 : 1;
	double least = metric == GRID_CARBON ? 0 : -(double)INT32_MAX; /* as answers are taken: grid/answer.h */

	return (int32_t)(lround(fmin(fmax(x, least), (double)INT32_MAX - step) / step) * (long)step);
}

static void predict(const struct forecast_series *s, const struct forecast_exog *exog, int issue,
		    const struct tariff *rule, enum grid_metric metric, struct own_forecast *ret)
{
	_cleanup_free_ double *q = xcalloc(3 * (size_t)ret->n, sizeof(*q));
	const struct forecast_quantiles out = { q, q + ret->n, q + 2 * ret->n };
	struct forecast_model *m _cleanup_(cleanup_forecast_model) = forecast_train(s, exog, issue, ret->n);
	int32_t *const columns[] = { ret->p10, ret->p50, ret->p90 };

	forecast_predict(m, s, exog, issue, &out);
	for (int c = 0; c < 3; c++)
		for (int i = 0; i < ret->n; i++) {
			double x = q[c * ret->n + i];

			columns[c][i] = to_value(rule ? tariff_price(rule, x, ret->start_ms + i * SLOT_MS) : x, metric);
		}
}

void own_forecast_make(const struct forecast_series *history, const struct grid_exog *exog,
		       const struct grid_tariff *tariff, enum grid_metric metric, int64_t now_ms,
		       struct own_forecast *ret)
{
	int64_t running_ms = time_slot_floor(now_ms, SLOT_MS);
	int issue = issue_slot(history, metric, now_ms), first, n_known = count_known(history, issue, &first);

	ret->issued_ms = running_ms;
	ret->start_ms = forecast_slot_ms(history, issue);
	ret->history_days = n_known / DAY_SLOTS;
	ret->n = OWN_FORECAST_SLOTS - (int)((ret->start_ms - running_ms) / SLOT_MS);
	if (ret->history_days < OWN_FORECAST_MIN_DAYS || ret->n <= 0) {
		ret->n = 0;
		return;
	}
	_cleanup_free_ double *behind = tariff ? wholesale(history, &tariff->rule) : NULL;
	/*
	 * It begins with the first value, and with what else is forecast: what weather explains of the one half of a
	 * history and not of the other makes two of it.
	 */
	if (exog && exog->n_columns && exog->issued_ms[0] > forecast_slot_ms(history, first))
		first = (int)((exog->issued_ms[0] - history->start_ms) / SLOT_MS);
	struct forecast_series s = { .start_ms = forecast_slot_ms(history, first),
				     .step_ms = SLOT_MS,
				     .n = history->n - first,
				     .value = (behind ? behind : history->value) + first };

	struct forecast_vintage *vintages _cleanup_free_ = xcalloc(exog ? (size_t)exog->n + 1 : 1, sizeof(*vintages));
	struct forecast_exog for_series;

	predict(&s, grid_exog_for(exog, &s, vintages, &for_series), issue - first, tariff ? &tariff->rule : NULL,
		metric, ret);
}

void own_forecast_map(const struct own_forecast *from, const struct grid_tariff *of, const struct grid_tariff *to,
		      struct own_forecast *ret)
{
	const int32_t *const in[] = { from->p10, from->p50, from->p90 };
	int32_t *const out[] = { ret->p10, ret->p50, ret->p90 };

	ret->issued_ms = from->issued_ms;
	ret->start_ms = from->start_ms;
	ret->history_days = from->history_days;
	ret->n = from->n;
	for (int c = 0; c < 3; c++)
		for (int i = 0; i < from->n; i++) {
			int64_t ms = from->start_ms + i * SLOT_MS;
			double behind;

			if (!tariff_wholesale(&of->rule, in[c][i], ms, &behind))
				behind = INFINITY; /* at the cap there, and so here */
			out[c][i] = to_value(tariff_price(&to->rule, behind, ms), GRID_PRICE);
		}
}
