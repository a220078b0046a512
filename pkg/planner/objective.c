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

/* The time since earliest in whole numbers that a double holds, as in search_objective(), hence the same bits. */
static WIDE_VECTORS void fill_fixed(double *restrict fixed, int n, double since_ms, double slot_ms, double per_ms,
				    double constant, double region_constant)
{
	n = (n + SEARCH_PAD - 1) & ~(SEARCH_PAD - 1);
	for (int i = 0; i < n; i++)
		fixed[i] = constant + per_ms * (since_ms + i * slot_ms) + region_constant;
}

static void search_fix(struct search *s)
{
	double since_ms = (double)(search_border_ms(s, s->first) - s->job->earliest_ms);

	fill_fixed(s->fixed + s->first, s->top - s->first + 1, since_ms, (double)s->signals->slot_ms, s->delay_per_ms,
		   s->constant, s->region_constant);
	s->fixed_for = s->region_constant;
}

void search_init(struct search *s, const struct planner_round *round, const struct planner_job *job)
{
	const struct planner_signals *sig = round->signals;
	bool deferrable = job->latest_start_ms != TIME_NONE;
	int64_t past;

	assert(job->duration_ms > 0 && job->n_regions > 0 && job->home >= 0);
	memset(s, 0, offsetof(struct search, fixed)); /* the arrays are filled as far as they are used */
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
	s->top_inside = (int)MAX(sig->n_slots - s->whole - (s->part_ms > 0), -1);
	search_weigh(s);
	search_fix(s);
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
	if (s->region_constant != s->fixed_for)
		search_fix(s);
	s->scarce = s->columns->reserved && s->columns->most_reserved > limit - job->power_milliwatts;
	if (s->scarce)
		find_full(s, limit);
	s->checked = s->scarce || job->max_carbon.enforcement || job->max_price.enforcement ||
		     job->min_renewable.enforcement;
}

/* What a signal adds to the objective of a run from border i on: the sums at both ends, and its value in the last slot.
 */
struct share {
	const double *from, *to, *last;
	double k;
};

static inline struct share share_of(const struct search *s, enum signal sig, int from)
{
	const struct column *c = &s->columns->signal[sig];

	return (struct share){ c->sum + from, c->sum + from + s->whole, c->value + from + s->whole, s->k[sig] };
}

/*
 * The kernel, over n successive borders. It goes by LANES, because each comparison waits for the one before and
 * because compilers then make vector instructions of it at -O2; the last block reaches back to where it is full. Of
 * fewer borders than lanes, what lies behind them is computed too (all arrays are padded for it), but not counted.
 */
WIDE_INLINE struct extremes add_two(double *restrict v, int n, const double *restrict fixed, struct share a,
				    struct share b, double slot_ms, double part_ms)
{
	const double *restrict a0 = a.from, *restrict a1 = a.to, *restrict a2 = a.last;
	const double *restrict b0 = b.from, *restrict b1 = b.to, *restrict b2 = b.last;
	double lo[LANES], hi[LANES];
	int last = MAX(n - LANES, 0);

	for (int k = 0; k < LANES; k++) {
		lo[k] = INFINITY;
		hi[k] = -INFINITY;
	}
	for (int i = 0; i < n; i += LANES) {
		int at = MIN(i, last);

		for (int k = at; k < at + LANES; k++)
			v[k] = fixed[k] + a.k * (slot_ms * (a1[k] - a0[k]) + part_ms * a2[k]) +
			       b.k * (slot_ms * (b1[k] - b0[k]) + part_ms * b2[k]);
		for (int k = 0; k < LANES; k++) {
			lo[k] = MIN(v[at + k], lo[k]);
			hi[k] = MAX(v[at + k], hi[k]);
		}
	}
	for (int k = 1; k < LANES; k++) {
		int lane = k < n ? k : 0;

		lo[0] = MIN(lo[lane], lo[0]);
		hi[0] = MAX(hi[lane], hi[0]);
	}
	return (struct extremes){ lo[0], hi[0] };
}

/* So many borders, and the least of the later ones behind them. */
static WIDE_VECTORS void add_shares(double *restrict v, int n, int later, const double *restrict fixed,
				    const struct share *a, const struct share *b, double slot_ms, double part_ms,
				    struct extremes *ret, double *ret_later)
{
	*ret = add_two(v, n, fixed, *a, *b, slot_ms, part_ms);
	*ret_later = add_two(v + n, later, fixed + n, (struct share){ a->from + n, a->to + n, a->last + n, a->k },
			     (struct share){ b->from + n, b->to + n, b->last + n, b->k }, slot_ms, part_ms)
			     .least;
}

static struct extremes extremes_of(const double *v, int n)
{
	struct extremes x = { INFINITY, -INFINITY };

	for (int i = 0; i < n; i++) {
		x.least = MIN(v[i], x.least);
		x.greatest = MAX(v[i], x.greatest);
	}
	return x;
}

/* What the kernel leaves out: the renewable share, and runs that end past the horizon. */
static void finish_objectives(const struct search *s, int from, int to, int inside, double *v)
{
	struct share sh = share_of(s, RENEWABLE, from);
	double slot_ms = (double)s->signals->slot_ms;

	for (int i = 0; sh.k != 0 && i < inside; i++)
		v[i] += sh.k * (slot_ms * (sh.to[i] - sh.from[i]) + s->part_ms * sh.last[i]);
	for (int i = inside; i <= to - from; i++) {
		struct run run = planner_run(s->signals, search_border_ms(s, from + i), s->job->duration_ms);

		v[i] = search_objective(s, &run);
	}
}

void search_objectives(const struct search *s, int from, int to, double *v, struct extremes *ret, double *ret_later)
{
	int n = MAX(MIN(to, s->last) - from + 1, 0), later = to - from + 1 - n;
	int inside = CLAMP(s->top_inside - from + 1, 0, n + later);
	struct share carbon = share_of(s, CARBON, from), price = share_of(s, PRICE, from);

	add_shares(v, MIN(n, inside), inside - MIN(n, inside), s->fixed + from, &carbon, &price,
		   (double)s->signals->slot_ms, s->part_ms, ret, ret_later);
	if (inside == n + later && s->k[RENEWABLE] == 0)
		return;
	finish_objectives(s, from, to, inside, v);
	*ret = extremes_of(v, n);
	*ret_later = extremes_of(v + n, later).least;
}
