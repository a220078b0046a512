/* SPDX-License-Identifier: Apache-2.0 */
/* One job's start and region: the walk over the candidates, and what follows from what it finds. */
#include "planner/internal.h"

#include <math.h>

struct candidate {
	double objective; /* INFINITY when it cannot be compared */
	int64_t at_ms;    /* where it is compared */
	int64_t start_ms; /* where it would start: spread */
	int region;       /* PLANNER_NO_REGION: no candidate */
};

#define NO_CANDIDATE ((struct candidate){ .objective = INFINITY, .region = PLANNER_NO_REGION })

#define NO_WORST ((struct candidate){ .objective = -INFINITY, .region = PLANNER_NO_REGION })

/* What a walk over candidates finds. */
struct tally {
	struct candidate best, worst;
	struct candidate wish; /* the best whatever limits, power and deadline say */
	int total, compared;
	struct planner_rejected rejected;
	const struct candidate *listed; /* skip these */
	int n_listed;
	double cutoff; /* borders that cost more need not be looked for: they will not be listed */
};

#define TALLY_INIT                                                                                 \
	{                                                                                          \
		.best = NO_CANDIDATE, .worst = NO_WORST, .wish = NO_CANDIDATE, .cutoff = INFINITY, \
	}

/* Of equal objectives. Regions are visited in the job's order, so that the first of two equals stays. */
static inline bool sooner(const struct search *s, struct candidate a, const struct candidate *b)
{
	return a.at_ms != b->at_ms ? a.at_ms < b->at_ms : a.region == s->job->home && b->region != s->job->home;
}

static inline bool better(const struct search *s, struct candidate a, const struct candidate *b)
{
	return a.objective < b->objective || b->region == PLANNER_NO_REGION ||
	       (a.objective == b->objective && sooner(s, a, b));
}

/* By value: copied in one piece, what has just been written in parts would be waited for. */
static inline void offer(const struct search *s, struct candidate *best, struct candidate c)
{
	if (better(s, c, best))
		*best = c;
}

static inline void offer_worst(const struct search *s, struct candidate *worst, struct candidate c)
{
	if (c.objective > worst->objective || (c.objective == worst->objective && sooner(s, c, worst)))
		*worst = c;
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

static bool is_listed(const struct tally *t, struct candidate c)
{
	for (int i = 0; i < t->n_listed; i++) {
		if (t->listed[i].region == c.region && t->listed[i].start_ms == c.start_ms)
			return true;
	}
	return false;
}

static inline void visit(struct search *s, struct tally *t, struct candidate c, struct candidate *best)
{
	int32_t *reason;

	offer(s, &t->wish, c);
	reason = s->checked ? failing(s, c.start_ms, false, &t->rejected) : NULL;
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
	struct candidate c = { search_objective(s, run), run->start_ms, run->start_ms, s->region };

	t->total++;
	if (c.objective == INFINITY)
		return;
	t->compared++;
	visit(s, t, c, best);
}

static struct candidate border_candidate(const struct search *s, int slot, double objective)
{
	int64_t at_ms = search_border_ms(s, slot);

	return (struct candidate){ objective, at_ms, MIN(at_ms + s->job->spread_ms, s->latest_ms), s->region };
}

/* v is padded: what lies behind its values may be read. */
static WIDE_VECTORS int index_of(double value, const double *v)
{
	int i = 0;

	for (;; i += SEARCH_PAD) {
		int64_t here = 0;

		for (int k = 0; k < SEARCH_PAD; k++)
			here |= -(int64_t)(v[i + k] == value);
		if (here)
			break;
	}
	while (v[i] != value)
		i++;
	return i;
}

/* Borders that can all be compared. Those past the latest start are only wished for. */
static void visit_borders(struct search *s, struct tally *t, int from, int to, struct candidate *best)
{
	double v[SEARCH_MAX_BORDERS];
	int last = MIN(to, s->last), later = MAX(from, s->last + 1);
	double v_later;
	struct extremes x;
	struct candidate c;

	search_objectives(s, from, to, v, &x, &v_later);
	t->compared += MAX(last - from + 1, 0);
	if (s->checked || t->n_listed) {
		for (int i = from; i <= last; i++) {
			c = border_candidate(s, i, v[i - from]);
			visit(s, t, c, best);
		}
	} else if (last >= from) {
		if (x.least <= t->cutoff) {
			c = border_candidate(s, from + index_of(x.least, v), x.least);
			offer(s, best, c);
			offer(s, &t->wish, c);
		}
		if (x.greatest >= t->worst.objective) {
			c = border_candidate(s, from + index_of(x.greatest, v), x.greatest);
			offer_worst(s, &t->worst, c);
		}
	}
	if (v_later < t->wish.objective) {
		c = border_candidate(s, later + index_of(v_later, v + later - from), v_later);
		offer(s, &t->wish, c);
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
		search_enter(s, s->job->regions[i]);
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

		search_enter(s, s->job->regions[i]);
		visit_region(s, t, &best);
		if (best.region == PLANNER_NO_REGION)
			continue;
		offer(s, &t->best, best);
		for (at = n; at > 0 && better(s, best, &list[at - 1]); at--) {
			if (at < PLANNER_MAX_OPTIONS)
				list[at] = list[at - 1];
		}
		if (at < PLANNER_MAX_OPTIONS)
			list[at] = best;
		n = MIN(n + 1, PLANNER_MAX_OPTIONS);
		t->cutoff = n == PLANNER_MAX_OPTIONS ? list[n - 1].objective : INFINITY;
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
	search_enter(s, region);
	run = planner_run(s->signals, c.at_ms, s->job->duration_ms);
	c.objective = search_objective(s, &run);
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
	struct candidate c = { search_objective(s, &run), at_ms, start_ms, s->region };

	if (!failing(s, start_ms, true, &(struct planner_rejected){ 0 }))
		offer(s, best, c);
}

static struct candidate must_start(struct search *s, int64_t at_ms)
{
	const struct planner_job *job = s->job;
	struct candidate best = NO_CANDIDATE;

	if (job->critical && is_allowed(job, job->home)) {
		search_enter(s, job->home);
		offer_hard(s, &best, at_ms, at_ms);
	}
	for (int i = 0; i < job->n_regions && !(job->critical && best.region == job->home); i++) {
		search_enter(s, job->regions[i]);
		offer_hard(s, &best, at_ms, at_ms);
	}
	return best;
}

static struct candidate must_start_somewhen(struct search *s)
{
	struct candidate best = NO_CANDIDATE;

	for (int i = 0; i < s->job->n_regions; i++) {
		search_enter(s, s->job->regions[i]);
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
	bool limit = t->rejected.max_carbon || t->rejected.max_price || t->rejected.min_renewable;
	struct candidate c;

	s->broke_limit = s->broke_hard = false;
	c = must_start(s, at_once ? s->start_min_ms : s->latest_ms);

	if (c.region == PLANNER_NO_REGION && !critical)
		c = must_start_somewhen(s);
	if (c.region != PLANNER_NO_REGION) {
		ret->outcome = at_once ? PLANNER_AT_ONCE : no_data ? PLANNER_NO_DATA_WAIT : PLANNER_FORCED;
		ret->binding = critical  ? PLANNER_BINDING_NONE
			       : no_data ? PLANNER_BINDING_NO_DATA
			       : limit   ? PLANNER_BINDING_LIMIT
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
	return search_border_ms(s, end) < s->at_latest.end_ms;
}

static enum planner_binding binding_of(struct search *s, const struct tally *t, const struct candidate *choice)
{
	int32_t *reason;
	struct planner_rejected count = { 0 };

	if (t->wish.objective < choice->objective) {
		if (t->wish.at_ms > s->latest_ms)
			return PLANNER_BINDING_DEADLINE;
		search_enter(s, t->wish.region);
		reason = failing(s, t->wish.start_ms, false, &count);
		if (!reason)
			return PLANNER_BINDING_NOISE;
		return reason == &count.power ? PLANNER_BINDING_POWER : PLANNER_BINDING_LIMIT;
	}
	if (s->job->latest_start_ms != TIME_NONE && horizon_binds(s))
		return PLANNER_BINDING_HORIZON;
	return t->compared < t->total ? PLANNER_BINDING_NO_DATA : PLANNER_BINDING_NONE;
}

static bool is_filled(const struct planner_option *o, const struct candidate *c)
{
	return o->region == c->region && o->start_ms == c->start_ms && o->objective == c->objective;
}

/* Often it is one that has been filled in already. */
static void option_fill(const struct search *s, const struct candidate *c, const struct planner_result *known,
			struct planner_option *ret)
{
	const struct planner_job *job = s->job;

	if (known && c->region != PLANNER_NO_REGION) {
		for (int i = 0; i < known->n_options; i++) {
			if (is_filled(&known->options[i], c)) {
				*ret = known->options[i];
				return;
			}
		}
	}
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
	search_enter(&s, job->home);
	baseline =
		(struct candidate){ search_objective(&s, &s.at_start_min), s.start_min_ms, s.start_min_ms, job->home };
	choice = choose(&s, &t, &baseline, ret);

	for (int i = 0; i < ret->n_options; i++)
		option_fill(&s, &list[i], NULL, &ret->options[i]);
	option_fill(&s, &choice, ret, &ret->choice);
	option_fill(&s, &baseline, ret, &ret->baseline);
	option_fill(&s, &t.best, ret, &ret->best);
	option_fill(&s, &t.worst, ret, &ret->worst);
}
