/* SPDX-License-Identifier: Apache-2.0 */
/* One job's start and region. */
#include "planner/internal.h"

#include <assert.h>
#include <math.h>

struct candidate {
	double objective; /* INFINITY when it cannot be compared */
	int64_t at_ms;    /* where it is compared */
	int64_t start_ms; /* where it would start: spread */
	int region;       /* PLANNER_NO_REGION: no candidate */
};

#define NO_CANDIDATE ((struct candidate){ .objective = INFINITY, .region = PLANNER_NO_REGION })

/*
 * One search. The objective is linear in the sums over a run, so that each candidate costs a handful of loads:
 *
 *	constant + delay_per_ms * (t - earliest) + k[CARBON] * carbon sum + k[PRICE] * price sum + ...
 *
 * The kernel in add_signal() and objective_of() add the same terms in the same order, and so agree to the last bit.
 */
struct search {
	const struct planner_round *round;
	const struct planner_signals *signals;
	const struct planner_job *job;
	int64_t start_min_ms, latest_ms;
	struct run at_start_min, at_latest;
	int first, last;   /* slot borders from start_min to latest start, none if last < first */
	int top;           /* the last border that is looked at: behind `last` lie those that the deadline forbids */
	bool latest_apart; /* latest start is a candidate of its own */
	int64_t whole;     /* the duration in slots, and what is over */
	double part_ms;
	bool needs_carbon; /* an unknown value makes a run incomparable */
	bool blind;        /* nothing that has weight is known anywhere */
	double k[N_SIGNALS], fill[N_SIGNALS];
	double constant, delay_per_ms, noise;
	bool broke_limit; /* some candidate broke a user's limit */
	bool broke_hard;  /* some candidate is known to break a hard limit */

	/* The region at hand, see enter_region(). */
	int region;
	const struct planner_columns *columns;
	double region_constant;
	bool checked;                    /* candidates can fail */
	bool scarce;                     /* power is not sure to be there */

	double delay[PLANNER_MAX_SLOTS]; /* constant and delay term of a start at border i */
	int full[PLANNER_MAX_SLOTS + 1]; /* in the region at hand: the first slot from i on without room for this job */
};

/* What a walk over candidates finds. */
struct tally {
	struct candidate best, worst;
	struct candidate wish; /* the best whatever limits, power and deadline say */
	int total, compared;
	struct planner_rejected rejected;
	const struct candidate *listed; /* skip these */
	int n_listed;
};

#define TALLY_INIT                                                                 \
	{                                                                          \
		.best = NO_CANDIDATE, .worst = NO_CANDIDATE, .wish = NO_CANDIDATE, \
	}

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

static void search_weigh(struct search *s)
{
	const struct planner_job *job = s->job;
	double w[4], duration = (double)job->duration_ms;
	double scale[N_SIGNALS] = { s->round->carbon_scale, s->round->price_scale, -1000 };
	double error[N_SIGNALS] = { s->signals->carbon_error_mg_per_kwh,
				    s->round->price_scale * s->signals->price_error_permille / 1000, 0 };
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

static int64_t border_ms(const struct search *s, int slot)
{
	return s->signals->first_slot_ms + slot * s->signals->slot_ms;
}

static double delay_term(const struct search *s, int64_t at_ms)
{
	return s->constant + s->delay_per_ms * (double)(at_ms - s->job->earliest_ms);
}

static void search_init(struct search *s, const struct planner_round *round, const struct planner_job *job)
{
	const struct planner_signals *sig = round->signals;
	bool deferrable = job->latest_start_ms != TIME_NONE;
	int64_t past;

	assert(job->duration_ms > 0 && job->n_regions > 0);
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
	past = border_ms(s, s->last);
	s->latest_apart = s->latest_ms > s->start_min_ms && (s->last < s->first || past != s->latest_ms);
	s->whole = job->duration_ms / sig->slot_ms;
	s->part_ms = (double)(job->duration_ms % sig->slot_ms);
	search_weigh(s);
	for (int i = s->first; i <= s->top; i++)
		s->delay[i] = delay_term(s, border_ms(s, i));
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

static void enter_region(struct search *s, int region)
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
			s->region_constant += s->k[i] * s->fill[i] * (double)job->duration_ms;
	}
	s->scarce = s->columns->reserved && s->columns->most_reserved > limit - job->power_milliwatts;
	if (s->scarce)
		find_full(s, limit);
	s->checked = s->scarce || job->max_carbon.enforcement || job->max_price.enforcement ||
		     job->min_renewable.enforcement;
}

static double objective_of(const struct search *s, const struct run *run)
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

/* One signal's part in the objective: k times its sum over a run of `whole` slots and part_ms from the slot at `from`. */
static inline double share(const double *from, const double *to, double slot_ms, double part_ms, double k)
{
	return k * (slot_ms * (to[0] - from[0]) + part_ms * (to[1] - to[0]));
}

/*
 * The kernel: v[i] = delay[i] + constant + the shares of carbon and price, over successive borders. In blocks of a fixed
 * size because that is what compilers turn into vector instructions at -O2.
 */
#define BLOCK 8

struct kernel {
	const double *carbon, *price, *carbon_to, *price_to;
	double constant, slot_ms, part_ms, k_carbon, k_price;
};

static inline double objective_at(const struct kernel *k, double delay, ptrdiff_t i)
{
	return delay + k->constant + share(k->carbon + i, k->carbon_to + i, k->slot_ms, k->part_ms, k->k_carbon) +
	       share(k->price + i, k->price_to + i, k->slot_ms, k->part_ms, k->k_price);
}

static void run_kernel(const struct kernel *kernel, double *restrict v, const double *restrict delay, int n)
{
	struct kernel k = *kernel;
	int i = 0;

	for (; i + BLOCK <= n; i += BLOCK) {
		for (int j = 0; j < BLOCK; j++)
			v[i + j] = objective_at(&k, delay[i + j], i + j);
	}
	for (; i < n; i++)
		v[i] = objective_at(&k, delay[i], i);
}

/* The least and the greatest of n > 0 values. In four lanes, because each comparison waits for the one before. */
static void extremes(const double *v, int n, double *ret_least, double *ret_greatest)
{
	double lo0 = v[0], lo1 = lo0, lo2 = lo0, lo3 = lo0, hi0 = lo0, hi1 = lo0, hi2 = lo0, hi3 = lo0;
	int i = 0;

	for (; i + 4 <= n; i += 4) {
		lo0 = MIN(v[i], lo0);
		hi0 = MAX(v[i], hi0);
		lo1 = MIN(v[i + 1], lo1);
		hi1 = MAX(v[i + 1], hi1);
		lo2 = MIN(v[i + 2], lo2);
		hi2 = MAX(v[i + 2], hi2);
		lo3 = MIN(v[i + 3], lo3);
		hi3 = MAX(v[i + 3], hi3);
	}
	for (; i < n; i++) {
		lo0 = MIN(v[i], lo0);
		hi0 = MAX(v[i], hi0);
	}
	lo0 = MIN(lo0, lo1);
	lo2 = MIN(lo2, lo3);
	hi0 = MAX(hi0, hi1);
	hi2 = MAX(hi2, hi3);
	*ret_least = MIN(lo0, lo2);
	*ret_greatest = MAX(hi0, hi2);
}

static int index_of(double value, const double *v)
{
	int i = 0;

	while (v[i] != value)
		i++;
	return i;
}

/* Objectives of starting at the borders from .. to; runs that end past the horizon one by one. */
static void objectives(const struct search *s, int from, int to, double *v)
{
	double slot_ms = (double)s->signals->slot_ms;
	int inside = (int)CLAMP(s->signals->n_slots - s->whole - (s->part_ms > 0) - from + 1, 0, to - from + 1);
	const struct column *signal = s->columns->signal;
	const double *renewable = signal[RENEWABLE].sum + from;

	struct kernel kernel = { .carbon = signal[CARBON].sum + from,
				 .price = signal[PRICE].sum + from,
				 .constant = s->region_constant,
				 .slot_ms = slot_ms,
				 .part_ms = s->part_ms,
				 .k_carbon = s->k[CARBON],
				 .k_price = s->k[PRICE] };

	if (inside > 0) {
		kernel.carbon_to = kernel.carbon + s->whole;
		kernel.price_to = kernel.price + s->whole;
		run_kernel(&kernel, v, s->delay + from, inside);
	}
	for (int i = 0; s->k[RENEWABLE] != 0 && i < inside; i++)
		v[i] += share(renewable + i, renewable + s->whole + i, slot_ms, s->part_ms, s->k[RENEWABLE]);
	for (int i = inside; i <= to - from; i++) {
		struct run run = planner_run(s->signals, border_ms(s, from + i), s->job->duration_ms);

		v[i] = objective_of(s, &run);
	}
}

/* Of equal objectives. Regions are visited in the job's order, so that the first of two equals stays. */
static bool sooner(const struct search *s, const struct candidate *a, const struct candidate *b)
{
	return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->region == s->job->home && b->region != s->job->home;
}

static bool better(const struct search *s, const struct candidate *a, const struct candidate *b)
{
	if (b->region == PLANNER_NO_REGION || a->objective < b->objective)
		return true;
	return a->objective == b->objective && sooner(s, a, b);
}

static void offer(const struct search *s, struct candidate *best, const struct candidate *c)
{
	if (better(s, c, best))
		*best = *c;
}

static void offer_worst(const struct search *s, struct candidate *worst, const struct candidate *c)
{
	if (worst->region == PLANNER_NO_REGION || c->objective > worst->objective ||
	    (c->objective == worst->objective && sooner(s, c, worst)))
		*worst = *c;
}

/* Does the mean over the run break the limit? sign is 1 for "at most" and -1 for "at least". */
static bool breaks(struct search *s, const struct planner_limit *limit, enum signal sig, int sign,
		   const struct run *run, bool hard_only)
{
	const struct column *c = &s->columns->signal[sig];
	bool hard = limit->enforcement == PLANNER_LIMIT_HARD;
	double excess;

	if (limit->enforcement == PLANNER_LIMIT_NONE || (hard_only && !hard))
		return false;
	if (!run_known(c, run))
		return hard;
	excess = run_sum(c, (double)s->signals->slot_ms, run) - (double)limit->value * (double)s->job->duration_ms;
	if (sign * excess <= 0)
		return false;
	s->broke_limit = true;
	s->broke_hard |= hard;
	return true;
}

static bool no_room(struct search *s, const struct run *run, bool hard_only)
{
	bool hard = s->signals->regions[s->region].power_limit_hard;

	if (!s->scarce || (hard_only && !hard) || s->full[run->from.slot] > run->last)
		return false;
	s->broke_hard |= hard;
	return true;
}

/* The counter of the first thing that a start in the region at hand fails, or NULL. */
static int32_t *failing(struct search *s, int64_t start_ms, bool hard_only, struct planner_rejected *count)
{
	const struct planner_job *job = s->job;
	struct run run = planner_run(s->signals, start_ms, job->duration_ms);

	if (!job->critical) {
		if (breaks(s, &job->max_carbon, CARBON, 1, &run, hard_only))
			return &count->max_carbon;
		if (breaks(s, &job->max_price, PRICE, 1, &run, hard_only))
			return &count->max_price;
		if (breaks(s, &job->min_renewable, RENEWABLE, -1, &run, hard_only))
			return &count->min_renewable;
	}
	return no_room(s, &run, hard_only) ? &count->power : NULL;
}

static bool is_listed(const struct tally *t, const struct candidate *c)
{
	for (int i = 0; i < t->n_listed; i++) {
		if (t->listed[i].region == c->region && t->listed[i].start_ms == c->start_ms)
			return true;
	}
	return false;
}

static void visit(struct search *s, struct tally *t, const struct candidate *c, struct candidate *best)
{
	int32_t *reason;

	offer(s, &t->wish, c);
	reason = s->checked ? failing(s, c->start_ms, false, &t->rejected) : NULL;
	if (reason) {
		(*reason)++;
		return;
	}
	if (is_listed(t, c))
		return;
	offer(s, best, c);
	offer_worst(s, &t->worst, c);
}

static void visit_run(struct search *s, struct tally *t, const struct run *run, struct candidate *best)
{
	struct candidate c = { objective_of(s, run), run->start_ms, run->start_ms, s->region };

	t->total++;
	if (c.objective == INFINITY)
		return;
	t->compared++;
	visit(s, t, &c, best);
}

static struct candidate border_candidate(const struct search *s, int slot, double objective)
{
	int64_t at_ms = border_ms(s, slot);

	return (struct candidate){ objective, at_ms, MIN(at_ms + s->job->spread_ms, s->latest_ms), s->region };
}

/* Borders that can all be compared. Those past the latest start are only wished for. */
static void visit_borders(struct search *s, struct tally *t, int from, int to, struct candidate *best)
{
	int n = to - from + 1, inside = CLAMP(s->last - from + 1, 0, n);
	double v[PLANNER_MAX_SLOTS], lo, hi;
	struct candidate c;

	objectives(s, from, to, v);
	t->compared += inside;
	if (s->checked || t->n_listed) {
		for (int i = 0; i < inside; i++) {
			c = border_candidate(s, from + i, v[i]);
			visit(s, t, &c, best);
		}
	} else if (inside > 0) {
		extremes(v, inside, &lo, &hi);
		c = border_candidate(s, from + index_of(lo, v), lo);
		offer(s, best, &c);
		offer(s, &t->wish, &c);
		if (t->worst.region == PLANNER_NO_REGION || hi >= t->worst.objective) {
			c = border_candidate(s, from + index_of(hi, v), hi);
			offer_worst(s, &t->worst, &c);
		}
	}
	if (inside < n) {
		extremes(v + inside, n - inside, &lo, &hi);
		if (lo < t->wish.objective) {
			c = border_candidate(s, from + inside + index_of(lo, v + inside), lo);
			offer(s, &t->wish, &c);
		}
	}
}

/* All candidates in the region at hand: start_min, stretches of borders between unknown values, latest start. */
static void visit_region(struct search *s, struct tally *t, struct candidate *best)
{
	const int *unknown = s->columns->signal[CARBON].unknown;
	int64_t need = s->whole + (s->part_ms > 0);

	visit_run(s, t, &s->at_start_min, best);
	t->total += MAX(s->last - s->first + 1, 0);
	for (int i = s->first; i <= s->top && !s->blind;) {
		int to = s->needs_carbon ? (int)MIN(unknown[i] - need, s->top) : s->top;

		if (to >= i)
			visit_borders(s, t, i, to, best);
		i = s->needs_carbon ? unknown[i] + 1 : s->top + 1;
	}
	if (s->latest_apart)
		visit_run(s, t, &s->at_latest, best);
}

static void visit_all(struct search *s, struct tally *t)
{
	for (int i = 0; i < s->job->n_regions; i++) {
		enter_region(s, s->job->regions[i]);
		visit_region(s, t, &t->best);
	}
}

/* The best of each region first, then the next best; t finds what there is to find. Returns how many. */
static int find_options(struct search *s, struct tally *t, struct candidate list[PLANNER_MAX_OPTIONS])
{
	int n = 0;

	for (int i = 0; i < s->job->n_regions; i++) {
		struct candidate best = NO_CANDIDATE;
		int at;

		enter_region(s, s->job->regions[i]);
		visit_region(s, t, &best);
		if (best.region == PLANNER_NO_REGION)
			continue;
		offer(s, &t->best, &best);
		for (at = n; at > 0 && better(s, &best, &list[at - 1]); at--) {
			if (at < PLANNER_MAX_OPTIONS)
				list[at] = list[at - 1];
		}
		if (at < PLANNER_MAX_OPTIONS)
			list[at] = best;
		n = MIN(n + 1, PLANNER_MAX_OPTIONS);
	}
	while (n > 0 && n < PLANNER_MAX_OPTIONS) {
		struct tally more = TALLY_INIT;

		more.listed = list;
		more.n_listed = n;
		visit_all(s, &more);
		if (more.best.region == PLANNER_NO_REGION)
			break;
		list[n++] = more.best;
	}
	return n;
}

static bool is_allowed(const struct planner_job *job, int region)
{
	for (int i = 0; i < job->n_regions; i++) {
		if (job->regions[i] == region)
			return true;
	}
	return false;
}

/* That start if it is a feasible candidate, compared at the border that it was spread from. */
static struct candidate standing(struct search *s, int region, int64_t start_ms)
{
	int64_t at_ms = start_ms - s->job->spread_ms;
	struct candidate c = { INFINITY, start_ms, start_ms, region };
	struct run run;

	if (!is_allowed(s->job, region) || start_ms > s->latest_ms)
		return NO_CANDIDATE;
	if (at_ms > s->start_min_ms && time_slot_floor(at_ms, s->signals->slot_ms) == at_ms)
		c.at_ms = at_ms;
	enter_region(s, region);
	run = planner_run(s->signals, c.at_ms, s->job->duration_ms);
	c.objective = objective_of(s, &run);
	if (c.objective == INFINITY || failing(s, c.start_ms, false, &(struct planner_rejected){ 0 }))
		return NO_CANDIDATE;
	return c;
}

static struct candidate incumbent(struct search *s)
{
	const struct planner_job *job = s->job;
	struct candidate c = NO_CANDIDATE;

	if (job->earlier_region != PLANNER_NO_REGION)
		c = standing(s, job->earlier_region, MAX(job->earlier_start_ms, s->start_min_ms));
	return c.region != PLANNER_NO_REGION ? c : standing(s, job->home, s->start_min_ms);
}

/* Takes a start in the region at hand if only hard limits and hard power are minded. */
static void offer_hard(struct search *s, struct candidate *best, int64_t at_ms, int64_t start_ms)
{
	struct run run = planner_run(s->signals, at_ms, s->job->duration_ms);
	struct candidate c = { objective_of(s, &run), at_ms, start_ms, s->region };

	if (!failing(s, start_ms, true, &(struct planner_rejected){ 0 }))
		offer(s, best, &c);
}

static struct candidate must_start(struct search *s, int64_t at_ms)
{
	const struct planner_job *job = s->job;
	struct candidate best = NO_CANDIDATE;

	if (job->critical && is_allowed(job, job->home)) {
		enter_region(s, job->home);
		offer_hard(s, &best, at_ms, at_ms);
	}
	for (int i = 0; i < job->n_regions && !(job->critical && best.region == job->home); i++) {
		enter_region(s, job->regions[i]);
		offer_hard(s, &best, at_ms, at_ms);
	}
	return best;
}

static struct candidate must_start_somewhen(struct search *s)
{
	struct candidate best = NO_CANDIDATE;

	for (int i = 0; i < s->job->n_regions; i++) {
		enter_region(s, s->job->regions[i]);
		offer_hard(s, &best, s->start_min_ms, s->start_min_ms);
		for (int slot = s->first; slot <= s->last; slot++) {
			struct candidate c = border_candidate(s, slot, INFINITY);

			offer_hard(s, &best, c.at_ms, c.start_ms);
		}
		offer_hard(s, &best, s->latest_ms, s->latest_ms);
	}
	return best;
}

/* No candidate will do, or the job is critical: the precedence of the header decides. */
static struct candidate fall_back(struct search *s, const struct tally *t, struct planner_result *ret)
{
	bool critical = s->job->critical, no_data = t->compared == 0;
	bool at_once = critical || (no_data && !s->job->run_at_latest_on_no_data);
	struct candidate c = must_start(s, at_once ? s->start_min_ms : s->latest_ms);

	if (c.region == PLANNER_NO_REGION && !critical)
		c = must_start_somewhen(s);
	if (c.region != PLANNER_NO_REGION) {
		ret->outcome = at_once ? PLANNER_AT_ONCE : no_data ? PLANNER_NO_DATA_WAIT : PLANNER_FORCED;
		ret->binding = critical         ? PLANNER_BINDING_NONE
			       : no_data        ? PLANNER_BINDING_NO_DATA
			       : s->broke_limit ? PLANNER_BINDING_LIMIT
						: PLANNER_BINDING_POWER;
	} else if (s->broke_hard) {
		ret->outcome = PLANNER_HARD_LIMIT;
		ret->binding = s->broke_limit ? PLANNER_BINDING_LIMIT : PLANNER_BINDING_POWER;
	} else {
		ret->outcome = PLANNER_HARD_UNKNOWN;
		ret->binding = PLANNER_BINDING_NO_DATA;
	}
	return c;
}

/* The forecast of what this job looks at ends before its last possible run does. */
static bool horizon_binds(const struct search *s)
{
	int end = 0;

	for (int i = 0; i < s->job->n_regions; i++) {
		const struct column *c = s->round->columns[s->job->regions[i]].signal;

		end = MAX(end, s->needs_carbon ? c[CARBON].end : MAX(c[PRICE].end, c[RENEWABLE].end));
	}
	return border_ms(s, end) < s->at_latest.end_ms;
}

static enum planner_binding binding_of(struct search *s, const struct tally *t, const struct candidate *choice)
{
	int32_t *reason;
	struct planner_rejected count = { 0 };

	if (t->wish.objective < choice->objective) {
		if (t->wish.at_ms > s->latest_ms)
			return PLANNER_BINDING_DEADLINE;
		enter_region(s, t->wish.region);
		reason = failing(s, t->wish.start_ms, false, &count);
		if (!reason)
			return PLANNER_BINDING_NOISE;
		return reason == &count.power ? PLANNER_BINDING_POWER : PLANNER_BINDING_LIMIT;
	}
	if (s->job->latest_start_ms != TIME_NONE && horizon_binds(s))
		return PLANNER_BINDING_HORIZON;
	return t->compared < t->total ? PLANNER_BINDING_NO_DATA : PLANNER_BINDING_NONE;
}

static void option_fill(const struct search *s, const struct candidate *c, struct planner_option *ret)
{
	const struct planner_job *job = s->job;

	if (c->region == PLANNER_NO_REGION) {
		*ret = (struct planner_option){ .region = PLANNER_NO_REGION, .objective = NAN };
		return;
	}
	planner_evaluate(s->round, c->region, c->start_ms, job->duration_ms, job->power_milliwatts, ret);
	ret->objective = isinf(c->objective) ? NAN : c->objective;
}

static struct candidate choose(struct search *s, const struct tally *t, const struct candidate *baseline,
			       struct planner_result *ret)
{
	struct candidate kept, choice = t->best;

	if (s->job->critical || choice.region == PLANNER_NO_REGION) {
		choice = fall_back(s, t, ret);
	} else {
		kept = incumbent(s);
		ret->outcome = PLANNER_CHOSEN;
		if (kept.region != PLANNER_NO_REGION)
			ret->gain = kept.objective - choice.objective;
		else if (baseline->objective < INFINITY)
			ret->gain = baseline->objective - choice.objective;
		if (kept.region != PLANNER_NO_REGION && ret->gain <= s->noise) {
			choice = kept;
			ret->outcome = PLANNER_KEPT;
			ret->gain = 0;
		}
		ret->binding = binding_of(s, t, &choice);
	}
	if (s->job->latest_start_ms == TIME_NONE && choice.region != PLANNER_NO_REGION)
		ret->outcome = PLANNER_AT_ONCE;
	return choice;
}

void planner_choose(const struct planner_round *round, const struct planner_job *job, struct planner_result *ret)
{
	struct search s;
	struct tally t = TALLY_INIT;
	struct candidate list[PLANNER_MAX_OPTIONS], choice, baseline;

	search_init(&s, round, job);
	*ret = (struct planner_result){ .noise = s.noise,
					.carbon_scale_mg_per_kwh = round->carbon_scale,
					.price_scale_micros_per_kwh = round->price_scale };
	ret->n_options = find_options(&s, &t, list);
	ret->rejected = t.rejected;
	ret->rejected.no_data = t.total - t.compared;
	enter_region(&s, job->home);
	baseline = (struct candidate){ objective_of(&s, &s.at_start_min), s.start_min_ms, s.start_min_ms, job->home };
	choice = choose(&s, &t, &baseline, ret);

	option_fill(&s, &choice, &ret->choice);
	option_fill(&s, &baseline, &ret->baseline);
	option_fill(&s, &t.best, &ret->best);
	option_fill(&s, &t.worst, &ret->worst);
	for (int i = 0; i < ret->n_options; i++)
		option_fill(&s, &list[i], &ret->options[i]);
}
