/* SPDX-License-Identifier: Apache-2.0 */
/* The extender's decisions, region by region. */
#include "extender/decide.h"

#include <math.h>

const char *extender_ranking_name(enum extender_ranking r)
{
	static const char *const names[EXTENDER_N_RANKINGS] = {
		[EXTENDER_RANKED] = "ranked",   [EXTENDER_NOT_SYNCED] = "not-synced",
		[EXTENDER_NO_DATA] = "no-data", [EXTENDER_PLACE_SHIFT_DISABLED] = "place-shift-disabled",
		[EXTENDER_ALIKE] = "alike",
	};

	return names[r];
}

static bool has_data(const struct extender_snapshot *s, unsigned r, int64_t now_ms)
{
	const struct extender_region *region = &s->regions[r];

	return region->as_of_ms != TIME_NONE && region->as_of_ms >= now_ms - s->max_age_ms &&
	       outlook_has(&region->outlook, now_ms);
}

/* Which cap a region is above, EXTENDER_KEEP if none: NAN is above nothing. */
static enum extender_drop above_cap(const struct extender_snapshot *s, unsigned r, const struct extender_wish *wish,
				    int64_t now_ms)
{
	const struct outlook *o = &s->regions[r].outlook;
	int64_t end_ms = MIN(now_ms + wish->duration_ms, o->until_ms);

	if (!has_data(s, r, now_ms))
		return EXTENDER_KEEP;
	if (wish->max_carbon_mg_per_kwh != INT64_MAX &&
	    outlook_mean(o, OUTLOOK_CARBON, now_ms, end_ms) > (double)wish->max_carbon_mg_per_kwh)
		return EXTENDER_DROP_CARBON;
	if (wish->max_price_micros_per_kwh != INT64_MAX &&
	    outlook_mean(o, OUTLOOK_PRICE, now_ms, end_ms) > (double)wish->max_price_micros_per_kwh)
		return EXTENDER_DROP_PRICE;
	return EXTENDER_KEEP;
}

/* Candidates that are kept. */
static uint64_t kept(const struct extender_filter *f, const struct extender_counts *counts, unsigned n)
{
	uint64_t sum = 0;

	for (unsigned r = 0; r <= n; r++)
		if (f->drop[r] == EXTENDER_KEEP)
			sum += counts->nodes[r];
	return sum;
}

void extender_decide_filter(const struct extender_snapshot *s, const struct extender_counts *counts,
			    const struct extender_wish *wish, int64_t now_ms, struct extender_filter *ret)
{
	unsigned n = s->n_regions;
	uint64_t all, inside, fit;

	*ret = (struct extender_filter){ 0 };
	all = kept(ret, counts, n);
	if (wish->regions.ptr) {
		for (unsigned r = 0; r <= n; r++)
			if (r == n || !extender_wish_allows(wish, s->regions[r].name))
				ret->drop[r] = EXTENDER_DROP_REGION;
		if (all && kept(ret, counts, n) == 0) {
			memset(ret->drop, EXTENDER_KEEP, sizeof(ret->drop));
			ret->lifted_regions = true;
		}
	}
	inside = kept(ret, counts, n);
	for (unsigned r = 0; r < n; r++)
		if (ret->drop[r] == EXTENDER_KEEP && counts->nodes[r])
			ret->drop[r] = (uint8_t)above_cap(s, r, wish, now_ms);
	fit = kept(ret, counts, n);
	if (inside && fit == 0) {
		for (unsigned r = 0; r < n; r++)
			if (ret->drop[r] != EXTENDER_DROP_REGION)
				ret->drop[r] = EXTENDER_KEEP;
		ret->lifted_caps = true;
		fit = inside;
	}
	ret->dropped = fit < all;
}

/* The regions that are ranked against each other, and what they have in common. */
struct ranking {
	const struct extender_region *regions[EXTENDER_MAX_REGIONS];
	double cost[EXTENDER_MAX_REGIONS];
	unsigned n;
	int64_t end_ms;
	double scale[OUTLOOK_N];
	double filler[OUTLOOK_N]; /* mean of the known means, for who has none */
};

/* The comparable set with the most candidates among regions with data; n_regions when there is none. */
static unsigned largest_set(const struct extender_snapshot *s, const struct extender_counts *counts, int64_t now_ms)
{
	uint64_t nodes[EXTENDER_MAX_REGIONS] = { 0 };
	unsigned best = s->n_regions;

	for (unsigned r = 0; r < s->n_regions; r++)
		if (counts->nodes[r] && has_data(s, r, now_ms))
			nodes[s->regions[r].set] += counts->nodes[r];
	for (unsigned r = 0; r < s->n_regions; r++)
		if (nodes[r] && (best == s->n_regions || nodes[r] > nodes[best]))
			best = r;
	return best;
}

static void collect(const struct extender_snapshot *s, const struct extender_counts *counts, unsigned set,
		    int64_t now_ms, int64_t duration_ms, struct ranking *k)
{
	k->n = 0;
	k->end_ms = now_ms + duration_ms;
	for (unsigned r = 0; r < s->n_regions; r++) {
		const struct extender_region *region = &s->regions[r];

		if (region->set != set || !counts->nodes[r] || !has_data(s, r, now_ms))
			continue;
		k->regions[k->n++] = region;
		k->end_ms = MIN(k->end_ms, region->outlook.until_ms);
	}
}

static bool any_disabled(const struct ranking *k)
{
	for (unsigned i = 0; i < k->n; i++)
		if (k->regions[i]->place_shift_disabled)
			return true;
	return false;
}

/* All ranked prices mean the same thing. */
static bool one_currency(const struct ranking *k)
{
	const struct extender_region *first = NULL;

	for (unsigned i = 0; i < k->n; i++) {
		const struct extender_region *r = k->regions[i];

		if (!r->currency)
			continue;
		if (!first)
			first = r;
		if (!cstr_eq(first->currency, r->currency) || first->cost_basis != r->cost_basis)
			return false;
	}
	return true;
}

static void set_scales(struct ranking *k, int64_t now_ms)
{
	for (enum outlook_signal signal = 0; signal < OUTLOOK_N; signal++) {
		double magnitude = 0, known = 0, sum = 0;
		unsigned n = 0;

		for (unsigned i = 0; i < k->n; i++) {
			double mean = outlook_mean(&k->regions[i]->outlook, signal, now_ms, k->end_ms);

			outlook_magnitude(&k->regions[i]->outlook, signal, now_ms, &magnitude, &known);
			sum += isnan(mean) ? 0 : mean;
			n += !isnan(mean);
		}
		k->scale[signal] = known > 0 ? magnitude / known : 0;
		k->filler[signal] = n ? sum / n : NAN;
	}
	if (!one_currency(k))
		k->scale[OUTLOOK_PRICE] = 0;
}

static double mean_or_filler(const struct ranking *k, unsigned i, enum outlook_signal signal, int64_t now_ms)
{
	double mean = outlook_mean(&k->regions[i]->outlook, signal, now_ms, k->end_ms);

	return isnan(mean) ? k->filler[signal] : mean;
}

/* What the forecasts cannot tell apart, in units of the cost (contracts 3). */
static double noise_of(const struct ranking *k, const struct planner_job *w)
{
	double sum = w->weight_carbon + w->weight_cost + w->weight_delay + w->weight_renewable, noise = 0;
	int32_t error = 0;

	for (unsigned i = 0; i < k->n; i++)
		error = MAX(error, k->regions[i]->carbon_error_mg_per_kwh);
	if (k->scale[OUTLOOK_CARBON] > 0)
		noise += w->weight_carbon / sum * error / k->scale[OUTLOOK_CARBON];
	if (k->scale[OUTLOOK_PRICE] > 0)
		noise += w->weight_cost / sum * EXTENDER_PRICE_ERROR_PERMILLE / 1000;
	return noise;
}

/* Costs of the ranked regions; false when they are alike. */
static bool rank(struct ranking *k, const struct extender_wish *wish, int64_t now_ms, double *ret_best,
		 double *ret_worst)
{
	double best = INFINITY, worst = -INFINITY;

	set_scales(k, now_ms);
	for (unsigned i = 0; i < k->n; i++) {
		k->cost[i] = planner_cost(&wish->weights, mean_or_filler(k, i, OUTLOOK_CARBON, now_ms),
					  k->scale[OUTLOOK_CARBON], mean_or_filler(k, i, OUTLOOK_PRICE, now_ms),
					  k->scale[OUTLOOK_PRICE], mean_or_filler(k, i, OUTLOOK_RENEWABLE, now_ms), 0);
		best = fmin(best, k->cost[i]);
		worst = fmax(worst, k->cost[i]);
	}
	*ret_best = best;
	*ret_worst = worst;
	return worst > best && worst - best > noise_of(k, &wish->weights);
}

static void neutral(struct extender_scores *ret, enum extender_ranking why)
{
	memset(ret->score, EXTENDER_NEUTRAL_SCORE, sizeof(ret->score));
	ret->ranking = why;
}

void extender_decide_scores(const struct extender_snapshot *s, const struct extender_counts *counts,
			    const struct extender_wish *wish, int64_t now_ms, struct extender_scores *ret)
{
	unsigned set = largest_set(s, counts, now_ms);
	double best, worst;
	struct ranking k;

	if (set == s->n_regions) {
		neutral(ret, EXTENDER_NO_DATA);
		return;
	}
	collect(s, counts, set, now_ms, wish->duration_ms, &k);
	if (any_disabled(&k)) {
		neutral(ret, EXTENDER_PLACE_SHIFT_DISABLED);
		return;
	}
	if (!rank(&k, wish, now_ms, &best, &worst)) {
		neutral(ret, EXTENDER_ALIKE);
		return;
	}
	/* Whoever is worst got 0, so that is the lowest score given, and the one for what is not known. */
	memset(ret->score, 0, sizeof(ret->score));
	for (unsigned i = 0; i < k.n; i++)
		ret->score[k.regions[i] - s->regions] =
			(uint8_t)lround(EXTENDER_MAX_SCORE * (worst - k.cost[i]) / (worst - best));
	ret->ranking = EXTENDER_RANKED;
}
