/* SPDX-License-Identifier: Apache-2.0 */
/* Costs per slot, their sums, and the figures of several segments. */
#include "planner/slots.h"

#include <math.h>

#include "planner/internal.h"

/* milliwatt hours times this over milliseconds are milliwatts */
#define HOUR_PER_MS INT64_C(3600000)

static bool slot_breaks(const struct planner_limit *limit, const struct column *c, int slot, int sign)
{
	if (limit->enforcement == PLANNER_LIMIT_NONE)
		return false;
	if (c->unknown[slot] == slot)
		return limit->enforcement == PLANNER_LIMIT_HARD;
	return sign * (c->sum[slot + 1] - c->sum[slot] - limit->value) > 0;
}

static bool slot_shut(const struct search *s, int slot, bool within_limits)
{
	const struct planner_job *job = s->job;
	const struct planner_columns *columns = s->columns;
	int64_t limit = s->signals->regions[s->region].power_limit_milliwatts;

	if (s->blind || (s->needs_carbon && columns->signal[CARBON].unknown[slot] == slot))
		return true;
	if (columns->reserved && columns->reserved[slot] > limit - job->power_milliwatts)
		return true;
	return within_limits && (slot_breaks(&job->max_carbon, &columns->signal[CARBON], slot, 1) ||
				 slot_breaks(&job->max_price, &columns->signal[PRICE], slot, 1) ||
				 slot_breaks(&job->min_renewable, &columns->signal[RENEWABLE], slot, -1));
}

static double slot_cost(const struct search *s, int slot)
{
	double v = s->constant / (double)s->job->duration_ms;

	for (int i = 0; i < N_SIGNALS; i++) {
		const struct column *c = &s->columns->signal[i];

		if (s->k[i] != 0)
			v += s->k[i] * (c->end ? c->sum[slot + 1] - c->sum[slot] : s->fill[i]);
	}
	return v * (double)s->signals->slot_ms;
}

void slots_init(struct slots *ret, const struct planner_round *round, const struct planner_job *job, bool within_limits,
		struct arena *arena)
{
	const struct planner_signals *sig = round->signals;
	const double **cost = arena_array(arena, (size_t)sig->n_regions, const double *);
	struct search s;

	search_init(&s, round, job);
	*ret = (struct slots){ .first_ms = sig->first_slot_ms,
			       .slot_ms = sig->slot_ms,
			       .n = sig->n_slots,
			       .n_regions = sig->n_regions,
			       .cost = cost,
			       .delay_per_ms = s.delay_per_ms };
	for (int i = 0; i < job->n_regions; i++) {
		double *v = arena_array(arena, (size_t)sig->n_slots, double);

		search_enter(&s, job->regions[i]);
		for (int slot = 0; slot < sig->n_slots; slot++)
			v[slot] = slot_shut(&s, slot, within_limits) ? INFINITY : slot_cost(&s, slot);
		cost[job->regions[i]] = v;
	}
}

void slot_sums_init(struct slot_sums *ret, const struct slots *s, int region, struct arena *arena)
{
	const double *cost = s->cost[region];

	*ret = (struct slot_sums){ .slots = s,
				   .cost = cost,
				   .sum = arena_array(arena, (size_t)s->n + 1, double),
				   .shut = arena_array(arena, (size_t)s->n + 1, int) };
	for (int i = 0; i < s->n; i++)
		ret->sum[i + 1] = ret->sum[i] + (cost && cost[i] < INFINITY ? cost[i] : 0);
	ret->shut[s->n] = s->n;
	for (int i = s->n - 1; i >= 0; i--)
		ret->shut[i] = cost && cost[i] < INFINITY ? ret->shut[i + 1] : i;
}

/* Of everything before t. */
static double sum_until(const struct slot_sums *s, int64_t t_ms)
{
	int64_t since = t_ms - s->slots->first_ms;
	int64_t slot = since / s->slots->slot_ms;
	double part = (double)(since % s->slots->slot_ms) / (double)s->slots->slot_ms;

	return part > 0 ? s->sum[slot] + part * (s->sum[slot + 1] - s->sum[slot]) : s->sum[slot];
}

double slot_sums_cost(const struct slot_sums *s, int64_t start_ms, int64_t end_ms)
{
	const struct slots *g = s->slots;
	int64_t first = (start_ms - g->first_ms) / g->slot_ms;

	if (start_ms < g->first_ms || end_ms > slots_start_ms(g, g->n))
		return INFINITY;
	if (end_ms > slots_start_ms(g, s->shut[first]))
		return INFINITY;
	return sum_until(s, end_ms) - sum_until(s, start_ms);
}

static void option_add(struct planner_option *sum, const struct planner_option *o)
{
	sum->energy_milliwatt_hours += o->energy_milliwatt_hours;
	sum->carbon_milligrams += o->carbon_milligrams;
	sum->cost_micros += o->cost_micros;
	sum->carbon_known &= o->carbon_known;
	sum->cost_known &= o->cost_known;
}

void planner_evaluate_segments(const struct planner_round *round, const struct planner_segment *segments, int n,
			       const int64_t *power_milliwatts, int64_t restart_milliwatt_hours,
			       struct planner_option *ret)
{
	int64_t slot_ms = round->signals->slot_ms;
	int64_t restart_milliwatts = restart_milliwatt_hours * HOUR_PER_MS / slot_ms;
	double renewable = 0, energy = 0;
	bool renewable_known = true;
	struct planner_option one;

	*ret = (struct planner_option){ .region = segments[0].region,
					.start_ms = segments[0].start_ms,
					.end_ms = segments[n - 1].end_ms,
					.objective = NAN,
					.carbon_known = true,
					.cost_known = true };
	for (int i = 0; i < n; i++) {
		const struct planner_segment *g = &segments[i];

		planner_evaluate(round, g->region, g->start_ms, g->end_ms - g->start_ms,
				 power_milliwatts[g->parallelism], &one);
		option_add(ret, &one);
		renewable += (double)one.renewable_permille * (double)one.energy_milliwatt_hours;
		energy += (double)one.energy_milliwatt_hours;
		renewable_known &= one.renewable_permille != PLANNER_UNKNOWN;
		if (i == 0 || restart_milliwatts == 0 || g->start_ms == segments[i - 1].end_ms)
			continue;
		planner_evaluate(round, g->region, time_slot_floor(g->start_ms, slot_ms), slot_ms, restart_milliwatts,
				 &one);
		option_add(ret, &one);
	}
	ret->renewable_permille = renewable_known && energy > 0 ? (int32_t)lround(renewable / energy) : PLANNER_UNKNOWN;
}
