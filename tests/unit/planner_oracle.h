/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The planner written down a second time, straight from planner.h and as dumbly as possible: every run is cut into
 * pieces at slot borders, every candidate is listed, lists are sorted by repeated search. For planner_test.c only.
 */
#ifndef TESTS_UNIT_PLANNER_ORACLE_H
#define TESTS_UNIT_PLANNER_ORACLE_H

#include <math.h>

#include "base/alloc.h"
#include "planner/planner.h"

#define ORACLE_MAX_CANDIDATES 1024
#define ORACLE_MAX_RESERVATIONS 64

enum oracle_signal { ORACLE_CARBON, ORACLE_PRICE, ORACLE_RENEWABLE };
enum oracle_fate { FATE_OK, FATE_NO_DATA, FATE_CARBON, FATE_PRICE, FATE_RENEWABLE, FATE_POWER };

struct oracle_reservation {
	int region;
	int64_t start_ms, end_ms, power;
};

struct oracle {
	const struct planner_signals *s;
	const struct planner_job *jobs; /* of the round, for the scales */
	int n_jobs;
	struct oracle_reservation taken[ORACLE_MAX_RESERVATIONS];
	int n_taken;
};

struct oracle_candidate {
	int region, order; /* order: index into the job's regions */
	int64_t at_ms, start_ms;
	double objective;
	enum oracle_fate fate;
	bool late; /* past latest_start: only for what is binding */
};

struct oracle_result {
	enum planner_outcome outcome;
	enum planner_binding binding;
	struct oracle_candidate choice, best, worst;
	struct oracle_candidate options[PLANNER_MAX_OPTIONS];
	int n_options;
	int rejected[6]; /* by enum oracle_fate */
	double gain, noise, baseline;
	double raw_gain; /* before it was held against the noise */
};

static int32_t oracle_value(const struct oracle *o, int region, enum oracle_signal sig, int64_t at_ms)
{
	const struct planner_region *r = &o->s->regions[region];
	const int32_t *v = sig == ORACLE_CARBON  ? r->carbon_mg_per_kwh
			   : sig == ORACLE_PRICE ? r->price_micros_per_kwh
						 : r->renewable_permille;

	if (!v || at_ms < o->s->first_slot_ms || at_ms >= o->s->first_slot_ms + o->s->n_slots * o->s->slot_ms)
		return PLANNER_UNKNOWN;
	return v[(at_ms - o->s->first_slot_ms) / o->s->slot_ms];
}

/* Mean of |value| or of value over the known slots that end after now; NAN if there is none. */
static double oracle_mean(const struct oracle *o, int region, enum oracle_signal sig, bool magnitude, int *ret_n)
{
	double sum = 0;
	int n = 0;

	for (int i = 0; i < o->s->n_slots; i++) {
		int64_t start_ms = o->s->first_slot_ms + i * o->s->slot_ms;
		int32_t v = oracle_value(o, region, sig, start_ms);

		if (start_ms + o->s->slot_ms <= o->s->now_ms || v == PLANNER_UNKNOWN)
			continue;
		sum += magnitude ? fabs((double)v) : (double)v;
		n++;
	}
	*ret_n = n;
	return n ? sum / n : NAN;
}

static double oracle_scale(const struct oracle *o, enum oracle_signal sig)
{
	double sum = 0;
	int count = 0;

	for (int r = 0; r < o->s->n_regions; r++) {
		bool allowed = false;
		int n;
		double mean = oracle_mean(o, r, sig, true, &n);

		for (int j = 0; j < o->n_jobs; j++) {
			for (int i = 0; i < o->jobs[j].n_regions; i++)
				allowed |= o->jobs[j].regions[i] == r;
		}
		if (!allowed || n == 0)
			continue;
		sum += mean * n;
		count += n;
	}
	return count ? sum / count : 0;
}

/* What an unknown value counts as; NAN when no allowed region knows any. */
static double oracle_fill(const struct oracle *o, const struct planner_job *job, int region, enum oracle_signal sig)
{
	int n, regions = 0;
	double sum = 0, own;

	for (int i = 0; i < job->n_regions; i++) {
		double mean = oracle_mean(o, job->regions[i], sig, false, &n);

		if (n == 0)
			continue;
		sum += round(mean);
		regions++;
	}
	own = oracle_mean(o, region, sig, false, &n);
	if (regions == 0)
		return NAN;
	return n > 0 ? round(own) : round(sum / regions);
}

/* Time-weighted mean over the run, with `fill` where unknown. */
static double oracle_run_mean(const struct oracle *o, int region, enum oracle_signal sig, int64_t start_ms,
			      int64_t duration_ms, double fill, bool *ret_known)
{
	int64_t end_ms = start_ms + duration_ms, t = start_ms;
	double sum = 0;

	*ret_known = true;
	while (t < end_ms) {
		int64_t next_ms = MIN(end_ms, time_slot_floor(t, o->s->slot_ms) + o->s->slot_ms);
		int32_t v = oracle_value(o, region, sig, t);

		if (v == PLANNER_UNKNOWN)
			*ret_known = false;
		sum += (v == PLANNER_UNKNOWN ? fill : (double)v) * (double)(next_ms - t);
		t = next_ms;
	}
	return sum / (double)duration_ms;
}

/* INFINITY when it cannot be compared. */
static double oracle_objective(const struct oracle *o, const struct planner_job *job, int region, int64_t at_ms)
{
	double total = (double)job->weight_carbon + job->weight_cost + job->weight_delay + job->weight_renewable;
	double scale[] = { oracle_scale(o, ORACLE_CARBON), oracle_scale(o, ORACLE_PRICE) };
	double weight[] = { job->weight_carbon / total, job->weight_cost / total, job->weight_renewable / total };
	double objective = 0, span = (double)(job->latest_start_ms - job->earliest_ms);
	bool wanted = false, some = false, known;

	if (job->latest_start_ms > job->earliest_ms)
		objective += job->weight_delay / total * (double)(at_ms - job->earliest_ms) / span;
	for (int sig = 0; sig < 3; sig++) {
		double fill = oracle_fill(o, job, region, (enum oracle_signal)sig), mean;

		if (weight[sig] <= 0)
			continue;
		wanted = true;
		mean = oracle_run_mean(o, region, (enum oracle_signal)sig, at_ms, job->duration_ms, fill, &known);
		if (sig == ORACLE_CARBON && !known)
			return INFINITY;
		if (isnan(fill))
			continue;
		some = true;
		if (sig == ORACLE_RENEWABLE)
			objective += weight[sig] * (1 - mean / 1000);
		else if (scale[sig] > 0)
			objective += weight[sig] * mean / scale[sig];
	}
	return wanted && !some ? INFINITY : objective;
}

static double oracle_noise(const struct oracle *o, const struct planner_job *job)
{
	double total = (double)job->weight_carbon + job->weight_cost + job->weight_delay + job->weight_renewable;
	double carbon = oracle_scale(o, ORACLE_CARBON), price = oracle_scale(o, ORACLE_PRICE), noise = 0;

	if (carbon > 0 && !isnan(oracle_fill(o, job, job->regions[0], ORACLE_CARBON)))
		noise += job->weight_carbon / total * o->s->carbon_error_mg_per_kwh / carbon;
	if (price > 0 && !isnan(oracle_fill(o, job, job->regions[0], ORACLE_PRICE)))
		noise += job->weight_cost / total * o->s->price_error_permille / 1000;
	return noise;
}

/* *ret_unknown: it fails only because the mean is not known. */
static bool oracle_limit_fails(const struct oracle *o, const struct planner_limit *l, int region,
			       enum oracle_signal sig, int64_t start_ms, int64_t duration_ms, bool hard_only,
			       bool *ret_unknown)
{
	bool known;
	double mean = oracle_run_mean(o, region, sig, start_ms, duration_ms, 0, &known);

	*ret_unknown = false;
	if (l->enforcement == PLANNER_LIMIT_NONE || (hard_only && l->enforcement == PLANNER_LIMIT_SOFT))
		return false;
	if (!known) {
		*ret_unknown = true;
		return l->enforcement == PLANNER_LIMIT_HARD;
	}
	/* The planner compares whole numbers; here the mean was divided. */
	return sig == ORACLE_RENEWABLE ? mean < l->value - 1e-9 : mean > l->value + 1e-9;
}

static bool oracle_power_fails(const struct oracle *o, const struct planner_job *job, int region, int64_t start_ms,
			       bool hard_only)
{
	const struct planner_region *r = &o->s->regions[region];

	if (r->power_limit_milliwatts == 0 || (hard_only && !r->power_limit_hard))
		return false;
	for (int i = 0; i < o->s->n_slots; i++) {
		int64_t begin = o->s->first_slot_ms + i * o->s->slot_ms, end = begin + o->s->slot_ms, sum = 0;

		if (begin >= start_ms + job->duration_ms || end <= start_ms)
			continue;
		for (int t = 0; t < o->n_taken; t++) {
			const struct oracle_reservation *taken = &o->taken[t];

			if (taken->region == region && taken->start_ms < end && taken->end_ms > begin)
				sum += taken->power;
		}
		if (sum + job->power_milliwatts > r->power_limit_milliwatts)
			return true;
	}
	return false;
}

static enum oracle_fate oracle_fate_of(const struct oracle *o, const struct planner_job *job, int region,
				       int64_t start_ms, bool hard_only, bool *ret_unknown)
{
	const struct planner_limit *limits[] = { &job->max_carbon, &job->max_price, &job->min_renewable };

	*ret_unknown = false;
	for (int sig = 0; sig < 3 && !job->critical; sig++) {
		if (oracle_limit_fails(o, limits[sig], region, (enum oracle_signal)sig, start_ms, job->duration_ms,
				       hard_only, ret_unknown))
			return (enum oracle_fate)(FATE_CARBON + sig);
	}
	*ret_unknown = false;
	return oracle_power_fails(o, job, region, start_ms, hard_only) ? FATE_POWER : FATE_OK;
}

/* Every candidate of the job, and behind them the later borders, in the order in which ties are decided. */
static int oracle_list(const struct oracle *o, const struct planner_job *job, struct oracle_candidate *list)
{
	int64_t start_min = MAX(o->s->now_ms, job->earliest_ms), latest = MAX(job->latest_start_ms, start_min);
	int n = 0;

	for (int order = 0; order < job->n_regions; order++) {
		int region = job->regions[order];
		bool seen_latest = latest == start_min, unknown;

		for (int i = -1; i <= o->s->n_slots; i++) {
			int64_t border = o->s->first_slot_ms + i * o->s->slot_ms;
			int64_t at = i < 0 ? start_min : i < o->s->n_slots ? border : latest;
			struct oracle_candidate c = { .region = region, .order = order, .at_ms = at, .start_ms = at };

			if (i >= 0 && i < o->s->n_slots) {
				if (border <= start_min || (border > latest && job->latest_start_ms == TIME_NONE))
					continue;
				c.late = border > latest;
				seen_latest |= border == latest;
				c.start_ms = c.late ? border : MIN(border + job->spread_ms, latest);
			} else if (i == o->s->n_slots && seen_latest) {
				continue;
			}
			c.objective = oracle_objective(o, job, region, at);
			c.fate = c.objective == INFINITY ? FATE_NO_DATA
							 : oracle_fate_of(o, job, region, c.start_ms, false, &unknown);
			assert_true(n < ORACLE_MAX_CANDIDATES);
			list[n++] = c;
		}
	}
	return n;
}

/* Ties as the header has them. */
static bool oracle_tie(const struct planner_job *job, const struct oracle_candidate *a,
		       const struct oracle_candidate *b)
{
	if (a->at_ms != b->at_ms)
		return a->at_ms < b->at_ms;
	if ((a->region == job->home) != (b->region == job->home))
		return a->region == job->home;
	return a->order < b->order;
}

/* Sums that differ by rounding only are ties. */
static bool oracle_before(const struct planner_job *job, const struct oracle_candidate *a,
			  const struct oracle_candidate *b)
{
	if (a->objective != b->objective && !(fabs(a->objective - b->objective) < 1e-12))
		return a->objective < b->objective;
	return oracle_tie(job, a, b);
}

static void oracle_options(const struct planner_job *job, const struct oracle_candidate *list, int n,
			   struct oracle_result *ret)
{
	bool region_done[PLANNER_MAX_REGIONS] = { false };

	/* Round 0: only regions that are not there yet. Round 1: all that is not there yet. */
	for (int round = 0; round < 2; round++) {
		while (ret->n_options < PLANNER_MAX_OPTIONS) {
			const struct oracle_candidate *next = NULL;

			for (int i = 0; i < n; i++) {
				bool skip = list[i].late || list[i].fate != FATE_OK;

				skip |= round == 0 && region_done[list[i].region];
				for (int k = 0; k < ret->n_options; k++)
					skip |= ret->options[k].region == list[i].region &&
						ret->options[k].start_ms == list[i].start_ms;
				if (!skip && (!next || oracle_before(job, &list[i], next)))
					next = &list[i];
			}
			if (!next)
				break;
			region_done[next->region] = true;
			ret->options[ret->n_options++] = *next;
		}
	}
}

/* Which start must do when none of the candidates will; region PLANNER_NO_REGION if none. */
static struct oracle_candidate oracle_must(const struct oracle *o, const struct planner_job *job,
					   const struct oracle_candidate *list, int n, int64_t only_at_ms,
					   bool *broke_limit, bool *broke_power)
{
	struct oracle_candidate best = { .region = PLANNER_NO_REGION };

	for (int i = 0; i < n; i++) {
		struct oracle_candidate c = list[i];
		bool unknown;
		enum oracle_fate fate;

		if (only_at_ms != TIME_NONE && c.at_ms == only_at_ms)
			c.start_ms = only_at_ms; /* never spread */
		else if (only_at_ms != TIME_NONE)
			continue;
		if (c.late)
			continue;
		fate = oracle_fate_of(o, job, c.region, c.start_ms, true, &unknown);
		*broke_limit |= fate >= FATE_CARBON && fate <= FATE_RENEWABLE && !unknown;
		*broke_power |= fate == FATE_POWER;
		if (fate != FATE_OK)
			continue;
		if (job->critical && best.region == job->home)
			continue;
		if (best.region == PLANNER_NO_REGION || (job->critical && c.region == job->home) ||
		    oracle_before(job, &c, &best))
			best = c;
	}
	return best;
}

static void oracle_no_candidate(const struct oracle *o, const struct planner_job *job,
				const struct oracle_candidate *list, int n, struct oracle_result *ret)
{
	int64_t start_min = MAX(o->s->now_ms, job->earliest_ms), latest = MAX(job->latest_start_ms, start_min);
	bool no_data = true, broke_limit = false, broke_power = false, at_once;

	for (int i = 0; i < n; i++)
		no_data &= list[i].late || list[i].fate == FATE_NO_DATA;
	at_once = job->critical || (no_data && !job->run_at_latest_on_no_data);
	ret->choice = oracle_must(o, job, list, n, at_once ? start_min : latest, &broke_limit, &broke_power);
	if (ret->choice.region == PLANNER_NO_REGION && !job->critical)
		ret->choice = oracle_must(o, job, list, n, TIME_NONE, &broke_limit, &broke_power);
	if (ret->choice.region == PLANNER_NO_REGION) {
		bool broke = broke_limit || broke_power;

		ret->outcome = broke ? PLANNER_HARD_LIMIT : PLANNER_HARD_UNKNOWN;
		ret->binding = broke_limit   ? PLANNER_BINDING_LIMIT
			       : broke_power ? PLANNER_BINDING_POWER
					     : PLANNER_BINDING_NO_DATA;
		return;
	}
	ret->outcome = at_once ? PLANNER_AT_ONCE : no_data ? PLANNER_NO_DATA_WAIT : PLANNER_FORCED;
	if (job->critical)
		ret->binding = PLANNER_BINDING_NONE;
	else if (no_data)
		ret->binding = PLANNER_BINDING_NO_DATA;
	else
		ret->binding = ret->rejected[FATE_CARBON] + ret->rejected[FATE_PRICE] + ret->rejected[FATE_RENEWABLE]
				       ? PLANNER_BINDING_LIMIT
				       : PLANNER_BINDING_POWER;
}

/* The earlier plan or home now, if it will do. */
static struct oracle_candidate oracle_incumbent(const struct oracle *o, const struct planner_job *job)
{
	int64_t start_min = MAX(o->s->now_ms, job->earliest_ms), latest = MAX(job->latest_start_ms, start_min);
	struct oracle_candidate tries[] = {
		{ .region = job->earlier_region, .start_ms = MAX(job->earlier_start_ms, start_min) },
		{ .region = job->home, .start_ms = start_min },
	};

	for (int i = 0; i < 2; i++) {
		struct oracle_candidate *c = &tries[i];
		int64_t back = c->start_ms - job->spread_ms;
		bool allowed = false, unknown;

		for (int k = 0; k < job->n_regions; k++)
			allowed |= job->regions[k] == c->region;
		if (!allowed || c->start_ms > latest)
			continue;
		c->at_ms = back > start_min && time_slot_floor(back, o->s->slot_ms) == back ? back : c->start_ms;
		c->objective = oracle_objective(o, job, c->region, c->at_ms);
		if (c->objective < INFINITY &&
		    oracle_fate_of(o, job, c->region, c->start_ms, false, &unknown) == FATE_OK)
			return *c;
	}
	return (struct oracle_candidate){ .region = PLANNER_NO_REGION };
}

static enum planner_binding oracle_binding(const struct oracle *o, const struct planner_job *job,
					   const struct oracle_candidate *list, int n,
					   const struct oracle_candidate *choice)
{
	int64_t start_min = MAX(o->s->now_ms, job->earliest_ms), latest = MAX(job->latest_start_ms, start_min);
	const struct oracle_candidate *wish = NULL;
	int64_t end_ms = o->s->first_slot_ms;
	bool gaps = false;

	for (int i = 0; i < n; i++) {
		gaps |= !list[i].late && list[i].fate == FATE_NO_DATA;
		if (list[i].objective < INFINITY && (!wish || oracle_before(job, &list[i], wish)))
			wish = &list[i];
	}
	if (wish && wish->objective < choice->objective - 1e-12) {
		if (wish->late)
			return PLANNER_BINDING_DEADLINE;
		if (wish->fate == FATE_OK)
			return PLANNER_BINDING_NOISE;
		return wish->fate == FATE_POWER ? PLANNER_BINDING_POWER : PLANNER_BINDING_LIMIT;
	}
	for (int r = 0; r < job->n_regions; r++) {
		for (int64_t t = o->s->first_slot_ms; t < o->s->first_slot_ms + o->s->n_slots * o->s->slot_ms;
		     t += o->s->slot_ms) {
			bool known = job->weight_carbon
					     ? oracle_value(o, job->regions[r], ORACLE_CARBON, t) != PLANNER_UNKNOWN
					     : oracle_value(o, job->regions[r], ORACLE_PRICE, t) != PLANNER_UNKNOWN ||
						       oracle_value(o, job->regions[r], ORACLE_RENEWABLE, t) !=
							       PLANNER_UNKNOWN;

			if (known && t + o->s->slot_ms > o->s->now_ms)
				end_ms = MAX(end_ms, t + o->s->slot_ms);
		}
	}
	if (job->latest_start_ms != TIME_NONE && end_ms < latest + job->duration_ms)
		return PLANNER_BINDING_HORIZON;
	return gaps ? PLANNER_BINDING_NO_DATA : PLANNER_BINDING_NONE;
}

static void oracle_choose(const struct oracle *o, const struct planner_job *job, struct oracle_result *ret)
{
	static struct oracle_candidate list[ORACLE_MAX_CANDIDATES];
	int n = oracle_list(o, job, list);
	struct oracle_candidate kept;

	*ret = (struct oracle_result){ .noise = oracle_noise(o, job) };
	ret->best.region = ret->worst.region = PLANNER_NO_REGION;
	ret->baseline = oracle_objective(o, job, job->home, MAX(o->s->now_ms, job->earliest_ms));
	for (int i = 0; i < n; i++) {
		if (list[i].late)
			continue;
		ret->rejected[list[i].fate]++;
		if (list[i].fate != FATE_OK)
			continue;
		if (ret->best.region == PLANNER_NO_REGION || oracle_before(job, &list[i], &ret->best))
			ret->best = list[i];
		/* The opposite of the objective, but the same for ties. */
		if (ret->worst.region == PLANNER_NO_REGION || list[i].objective > ret->worst.objective + 1e-12 ||
		    (list[i].objective > ret->worst.objective - 1e-12 && oracle_tie(job, &list[i], &ret->worst)))
			ret->worst = list[i];
	}
	oracle_options(job, list, n, ret);
	if (job->critical || ret->best.region == PLANNER_NO_REGION) {
		oracle_no_candidate(o, job, list, n, ret);
	} else {
		kept = oracle_incumbent(o, job);
		ret->choice = ret->best;
		ret->outcome = PLANNER_CHOSEN;
		if (kept.region != PLANNER_NO_REGION)
			ret->gain = kept.objective - ret->best.objective;
		else if (ret->baseline < INFINITY)
			ret->gain = ret->baseline - ret->best.objective;
		ret->raw_gain = ret->gain;
		if (kept.region != PLANNER_NO_REGION && ret->gain <= ret->noise) {
			ret->choice = kept;
			ret->outcome = PLANNER_KEPT;
			ret->gain = 0;
		}
		ret->binding = oracle_binding(o, job, list, n, &ret->choice);
	}
	if (job->latest_start_ms == TIME_NONE && ret->choice.region != PLANNER_NO_REGION)
		ret->outcome = PLANNER_AT_ONCE;
}

#endif
