/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of an objective; the same choice again with a wish granted. */
#include "planner/explain.h"

#include <math.h>

#include "planner/internal.h"

void explain_segments(const struct planner_round *round, const struct planner_job *job,
		      const struct planner_segment *segments, int n, struct explain_parts *ret)
{
	double part[N_SIGNALS] = { 0 }, slot_ms = (double)round->signals->slot_ms;
	struct search s;

	search_init(&s, round, job);
	for (int i = 0; i < n; i++) {
		const struct planner_segment *g = &segments[i];
		const struct column *c = round->columns[g->region].signal;
		struct run run = planner_run(round->signals, g->start_ms, g->end_ms - g->start_ms);

		if (s.blind || (s.needs_carbon && !run_known(&c[CARBON], &run)))
			part[CARBON] = NAN;
		for (int k = 0; k < N_SIGNALS; k++)
			part[k] += s.k[k] * (c[k].end ? run_sum(&c[k], slot_ms, &run)
						      : s.fill[k] * (double)(run.end_ms - run.start_ms));
	}
	*ret = (struct explain_parts){
		.carbon = part[CARBON],
		.price = part[PRICE],
		.renewable = s.constant + part[RENEWABLE],
		.delay = s.delay_per_ms * (double)(segments[n - 1].end_ms - job->duration_ms - job->earliest_ms),
	};
}

/* At the border that the start was spread from, where it was compared. */
static void option_parts(const struct planner_round *round, const struct planner_job *job,
			 const struct planner_option *o, struct explain_parts *ret)
{
	int64_t start_min_ms = MAX(round->signals->now_ms, job->earliest_ms), at_ms = o->start_ms - job->spread_ms;
	struct planner_segment g = { .region = o->region, .parallelism = 1 };

	if (at_ms <= start_min_ms || time_slot_floor(at_ms, round->signals->slot_ms) != at_ms)
		at_ms = o->start_ms;
	g.start_ms = at_ms;
	g.end_ms = at_ms + job->duration_ms;
	explain_segments(round, job, &g, 1, ret);
}

static double without_delay(const struct explain_parts *p)
{
	return p->carbon + p->price + p->renewable;
}

static void find_rival(const struct planner_round *round, const struct planner_job *job,
		       const struct planner_result *result, struct explain *ret)
{
	const struct planner_option *choice = &result->choice;
	struct search s;
	double per_value;

	ret->rival = -1;
	ret->carbon_rise_mg_per_kwh = ret->price_rise_micros_per_kwh = PLANNER_UNKNOWN;
	for (int i = 0; i < result->n_options; i++) {
		const struct planner_option *o = &result->options[i];

		if (o->region == choice->region && o->start_ms == choice->start_ms)
			continue;
		if (ret->rival < 0 || o->objective < result->options[ret->rival].objective)
			ret->rival = i;
	}
	if (ret->rival < 0 || isnan(choice->objective))
		return;
	ret->margin = result->options[ret->rival].objective - choice->objective;
	option_parts(round, job, &result->options[ret->rival], &ret->rival_parts);
	search_init(&s, round, job);
	per_value = s.k[CARBON] * (double)job->duration_ms;
	if (per_value > 0 && ret->margin >= 0)
		ret->carbon_rise_mg_per_kwh = (int32_t)fmin(ceil(ret->margin / per_value), INT32_MAX);
	per_value = s.k[PRICE] * (double)job->duration_ms;
	if (per_value > 0 && ret->margin >= 0)
		ret->price_rise_micros_per_kwh = (int32_t)fmin(ceil(ret->margin / per_value), INT32_MAX);
}

static void try_wish(const struct planner_round *given, const struct planner_job *original, enum explain_wish wish,
		     double material, struct explain_granted *ret)
{
	const struct planner_signals *signals = given->signals;
	struct planner_columns columns[PLANNER_MAX_REGIONS];
	int16_t regions[PLANNER_MAX_REGIONS];
	struct planner_round round = *given;
	struct planner_job job = *original;
	struct planner_result result;
	struct explain_parts parts;
	struct planner_limit none = { PLANNER_LIMIT_NONE, 0 };

	*ret = (struct explain_granted){ .region = PLANNER_NO_REGION };
	job.weight_delay = wish == EXPLAIN_LATER ? 0 : job.weight_delay;
	switch (wish) {
	case EXPLAIN_LATER:
		if (job.latest_start_ms == TIME_NONE)
			return;
		job.latest_start_ms =
			MAX(job.latest_start_ms,
			    signals->first_slot_ms + signals->n_slots * signals->slot_ms - job.duration_ms);
		break;
	case EXPLAIN_LIMITS:
		job.max_carbon = job.max_price = job.min_renewable = none;
		break;
	case EXPLAIN_POWER:
		for (int r = 0; r < signals->n_regions; r++) {
			columns[r] = given->columns[r];
			columns[r].reserved = NULL;
		}
		round.columns = columns;
		break;
	default:
		for (int r = 0; r < signals->n_regions; r++)
			regions[r] = (int16_t)r;
		job.regions = regions;
		job.n_regions = signals->n_regions;
	}
	planner_choose(&round, &job, &result);
	if (result.best.region == PLANNER_NO_REGION)
		return;
	option_parts(&round, original, &result.best, &parts);
	if (!(material - without_delay(&parts) > 0))
		return;
	*ret = (struct explain_granted){ material - without_delay(&parts), result.best.region, result.best.start_ms };
}

void explain_choice(const struct planner_round *round, const struct planner_job *job,
		    const struct planner_result *result, struct explain *ret)
{
	*ret = (struct explain){ 0 };
	option_parts(round, job, &result->choice, &ret->choice);
	option_parts(round, job, &result->baseline, &ret->baseline);
	find_rival(round, job, result, ret);
	for (int i = 0; i < EXPLAIN_WISHES; i++)
		try_wish(round, job, (enum explain_wish)i, without_delay(&ret->choice), &ret->granted[i]);
}
