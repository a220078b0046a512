/* SPDX-License-Identifier: Apache-2.0 */
/* The objective of one job: weights, what stands in for unknown values, and the loop over slot borders. */
#include "planner/internal.h"

#include <assert.h>
#include <math.h>

static double *weights_of(const struct planner_job *job, double w[4])
{
	double sum = (double)job->weight_carbon + job->weight_cost + job->weight_renewable + job->weight_delay;

	sum = sum > 0 ? sum : 1;
	w[CARBON] = job->weight_carbon / sum;
	w[PRICE] = job->weight_cost / sum;
	w[RENEWABLE] = job->weight_renewable / sum;
	w[N_SIGNALS] = job->weight_delay / sum;
	return w;
}

double planner_cost(const struct planner_job *job, double carbon_mg_per_kwh, double carbon_scale,
		    double price_micros_per_kwh, double price_scale, double renewable_permille, double delay_fraction)
{
	double w[4], cost = 0;

	weights_of(job, w);
	if (!isnan(carbon_mg_per_kwh) && carbon_scale > 0)
		cost += w[CARBON] * carbon_mg_per_kwh / carbon_scale;
	if (!isnan(price_micros_per_kwh) && price_scale > 0)
		cost += w[PRICE] * price_micros_per_kwh / price_scale;
	if (!isnan(renewable_permille))
		cost += w[RENEWABLE] * (1 - renewable_permille / 1000);
	if (!isnan(delay_fraction))
		cost += w[N_SIGNALS] * delay_fraction;
	return cost;
}

/* What stands in for a signal in a region that knows nothing of it; false if no allowed region knows anything. */
static bool stand_in(const struct search *s, enum signal sig, double *ret)
{
	double sum = 0;
	int n = 0;

	for (int i = 0; i < s->job->n_regions; i++) {
		const struct column *c = &s->round->columns[s->job->regions[i]].signal[sig];

		if (c->end == 0)
			continue;
		sum += c->fill;
		n++;
	}
	*ret = n ? round(sum / n) : 0;
	return n > 0;
}

/* A job's candidates are compared with one error: that of the least certain forecast among its regions. */
static double carbon_error(const struct search *s)
{
	int32_t error = 0;

	for (int i = 0; i < s->job->n_regions; i++)
		error = MAX(error, s->signals->regions[s->job->regions[i]].carbon_error_mg_per_kwh);
	return error ? error : s->signals->carbon_error_mg_per_kwh;
}

static void search_weigh(struct search *s)
{
	const struct planner_job *job = s->job;
	double w[4], duration = (double)job->duration_ms;
	double scale[N_SIGNALS] = { s->round->carbon_scale, s->round->price_scale, -1000 };
	double error[N_SIGNALS] = { carbon_error(s), s->round->price_scale * s->signals->price_error_permille / 1000,
				    0 };
	bool known = false, wanted = false;

	weights_of(job, w);
	for (int i = 0; i < N_SIGNALS; i++) {
		bool have = w[i] > 0 && stand_in(s, (enum signal)i, &s->fill[i]);

		wanted |= w[i] > 0;
		known |= have;
		if (!have || scale[i] == 0)
			continue;
		s->k[i] = w[i] / (scale[i] * duration);
		s->noise += w[i] * error[i] / scale[i];
		if (i == RENEWABLE)
			s->constant = w[i];
	}
	s->blind = wanted && !known;
	s->needs_carbon = w[CARBON] > 0;
	if (job->latest_start_ms > job->earliest_ms)
		s->delay_per_ms = w[N_SIGNALS] / (double)(job->latest_start_ms - job->earliest_ms);
}

static double delay_term(const struct search *s, int64_t at_ms)
{
	return s->constant + s->delay_per_ms * (double)(at_ms - s->job->earliest_ms);
}

void search_init(struct search *s, const struct planner_round *round, const struct planner_job *job)
{
	const struct planner_signals *sig = round->signals;
	bool deferrable = job->latest_start_ms != TIME_NONE;
	int64_t past;

	assert(job->duration_ms > 0 && job->n_regions > 0 && job->home >= 0);
	memset(s, 0, offsetof(struct search, delay)); /* the arrays are filled as far as they are used */
	s->round = round;
	s->signals = sig;
	s->job = job;
	s->region = PLANNER_NO_REGION;
	s->start_min_ms = MAX(sig->now_ms, job->earliest_ms);
	s->latest_ms = deferrable ? MAX(job->latest_start_ms, s->start_min_ms) : s->start_min_ms;
	s->at_start_min = planner_run(sig, s->start_min_ms, job->duration_ms);
	s->at_latest = planner_run(sig, s->latest_ms, job->duration_ms);
	s->first = MIN(s->at_start_min.from.slot + 1, sig->n_slots);
	s->last = MIN(s->at_latest.from.slot, sig->n_slots - 1);
	s->top = deferrable ? sig->n_slots - 1 : s->last;
	past = search_border_ms(s, s->last);
	s->latest_apart = s->latest_ms > s->start_min_ms && (s->last < s->first || past != s->latest_ms);
	s->whole = job->duration_ms / sig->slot_ms;
	s->part_ms = (double)(job->duration_ms % sig->slot_ms);
	search_weigh(s);
	for (int i = s->first; i <= s->top + SEARCH_PAD; i++)
		s->delay[i] = delay_term(s, search_border_ms(s, i));
}

/* For each slot, the first one from it on whose reserved power leaves no room. */
static void find_full(struct search *s, int64_t limit)
{
	int64_t room = limit - s->job->power_milliwatts;
	int n = s->signals->n_slots;

	s->full[n] = n + 1;
	for (int i = n - 1; i >= 0; i--)
		s->full[i] = s->columns->reserved[i] > room ? i : s->full[i + 1];
}

void search_enter(struct search *s, int region)
{
	const struct planner_job *job = s->job;
	int64_t limit = s->signals->regions[region].power_limit_milliwatts;

	if (s->region == region)
		return;
	s->region = region;
	s->columns = &s->round->columns[region];
	s->region_constant = 0;
	for (int i = 0; i < N_SIGNALS; i++) {
		if (s->columns->signal[i].end == 0)
			s->region_constant += s->k[i] * (s->fill[i] * (double)job->duration_ms);
	}
	s->scarce = s->columns->reserved && s->columns->most_reserved > limit - job->power_milliwatts;
	if (s->scarce)
		find_full(s, limit);
	s->checked = s->scarce || job->max_carbon.enforcement || job->max_price.enforcement ||
		     job->min_renewable.enforcement;
}

double search_objective(const struct search *s, const struct run *run)
{
	double slot_ms = (double)s->signals->slot_ms;
	double v = delay_term(s, run->start_ms) + s->region_constant;

	if (s->blind || (s->needs_carbon && !run_known(&s->columns->signal[CARBON], run)))
		return INFINITY;
	for (int i = 0; i < N_SIGNALS; i++) {
		if (s->k[i] != 0)
			v += s->k[i] * run_sum(&s->columns->signal[i], slot_ms, run);
	}
	return v;
}

/* k times a signal's sum over the run from the slot at `from` to part_ms into the slot at `to`. */
static inline double share(const double *from, const double *to, double slot_ms, double part_ms, double k)
{
	return k * (slot_ms * (to[0] - from[0]) + part_ms * (to[1] - to[0]));
}

/*
 * The kernel, over successive borders. A count that is a multiple of SEARCH_PAD leaves no rest, which is what compilers
 * want before they turn a loop into vector instructions at -O2; all arrays are padded for it.
 */
static WIDE_VECTORS void add_shares(double *restrict v, int n, const double *restrict delay, double constant,
				    const double *restrict carbon, double k_carbon, const double *restrict price,
				    double k_price, ptrdiff_t whole, double slot_ms, double part_ms)
{
	const double *carbon_to = carbon + whole, *price_to = price + whole;

	n = (n + SEARCH_PAD - 1) & ~(SEARCH_PAD - 1);
	for (int i = 0; i < n; i++)
		v[i] = delay[i] + constant + share(carbon + i, carbon_to + i, slot_ms, part_ms, k_carbon) +
		       share(price + i, price_to + i, slot_ms, part_ms, k_price);
}

/* Objectives of starting at the borders from .. to; runs that end past the horizon one by one. */
void search_objectives(const struct search *s, int from, int to, double *v)
{
	double slot_ms = (double)s->signals->slot_ms;
	int inside = (int)CLAMP(s->signals->n_slots - s->whole - (s->part_ms > 0) - from + 1, 0, to - from + 1);
	const struct column *signal = s->columns->signal;
	const double *renewable = signal[RENEWABLE].sum + from;

	if (inside > 0)
		add_shares(v, inside, s->delay + from, s->region_constant, signal[CARBON].sum + from, s->k[CARBON],
			   signal[PRICE].sum + from, s->k[PRICE], (ptrdiff_t)s->whole, slot_ms, s->part_ms);
	for (int i = 0; s->k[RENEWABLE] != 0 && i < inside; i++)
		v[i] += share(renewable + i, renewable + s->whole + i, slot_ms, s->part_ms, s->k[RENEWABLE]);
	for (int i = inside; i <= to - from; i++) {
		struct run run = planner_run(s->signals, search_border_ms(s, from + i), s->job->duration_ms);

		v[i] = search_objective(s, &run);
	}
}
