/* SPDX-License-Identifier: Apache-2.0 */
/* The cheapest spot of one job, with or without prices, with or without room. */
#include <math.h>

#include "planner/joint_internal.h"

#define LAST_RUNNING JOINT_GPU

void joint_sum_prices(struct joint *j)
{
	size_t size = (size_t)j->n_regions * (size_t)j->stride;

	for (int k = 0; k < JOINT_RESOURCES; k++) {
		memset(j->price_sum[k], 0, size * sizeof(double));
		j->priced[k] = false;
	}
	for (int r = 0; r < j->n_regions; r++) {
		for (const int16_t *row = j->region_rows[r]; *row >= 0; row++) {
			enum joint_resource k = j->rows[*row].resource;
			const double *price = j->price + (size_t)*row * (size_t)j->n_slots;
			double *sum = j->price_sum[k] + (size_t)r * (size_t)j->stride;
			double total = 0;

			for (int i = 0; i < j->n_slots; i++) {
				total = k == JOINT_RELEASES ? price[i] : total + price[i];
				sum[k == JOINT_RELEASES ? i : i + 1] += total;
				j->priced[k] |= price[i] > 0;
			}
		}
	}
	for (int c = 0; c < j->n_classes; c++) {
		for (size_t i = 0; i < size; i++)
			j->classes[c].priced[i] = j->classes[c].sum[i] + j->price_sum[JOINT_POWER][i];
	}
}

static double amount_of(const struct joint *j, const struct joint_item *x, int k)
{
	return (double)x->job->amount[k] * j->row_unit[k];
}

double joint_price_of(const struct joint *j, const struct joint_item *x, const struct spot *s)
{
	size_t base = (size_t)s->region * (size_t)j->stride;
	double price = 0;

	for (int k = 0; k <= LAST_RUNNING; k++) {
		if (j->priced[k])
			price += amount_of(j, x, k) *
				 (j->price_sum[k][base + (size_t)s->to] - j->price_sum[k][base + (size_t)s->from]);
	}
	return price + amount_of(j, x, JOINT_RELEASES) * j->price_sum[JOINT_RELEASES][base + (size_t)s->from];
}

bool joint_slot_has_room(const struct joint *j, const struct joint_item *x, int region, int slot, bool starts)
{
	for (const int16_t *row = j->region_rows[region]; *row >= 0; row++) {
		enum joint_resource k = j->rows[*row].resource;

		if (k == JOINT_RELEASES && !starts)
			continue;
		if (j->room[(size_t)*row * (size_t)j->n_slots + (size_t)slot] < x->job->amount[k])
			return false;
	}
	return true;
}

bool joint_has_room(const struct joint *j, const struct joint_item *x, const struct spot *s)
{
	for (const int16_t *row = j->region_rows[s->region]; *row >= 0; row++) {
		enum joint_resource k = j->rows[*row].resource;
		const int64_t *room = j->room + (size_t)*row * (size_t)j->n_slots, amount = x->job->amount[k];
		int to = k == JOINT_RELEASES ? s->from + 1 : s->to;

		for (int i = s->from; i < to; i++) {
			if (room[i] < amount)
				return false;
		}
	}
	return true;
}

static bool breaks(const struct planner_limit *limit, const struct column *c, int sign, const struct run *run,
		   double slot_ms, double duration_ms)
{
	if (limit->enforcement == PLANNER_LIMIT_NONE)
		return false;
	if (!run_known(c, run))
		return limit->enforcement == PLANNER_LIMIT_HARD;
	return sign * (run_sum(c, slot_ms, run) - limit->value * duration_ms) > 0;
}

static int64_t start_of(const struct joint_item *x, int64_t at_ms)
{
	return at_ms > x->start_min_ms ? MIN(at_ms + item_job(x)->spread_ms, x->latest_ms) : at_ms;
}

static bool meets_limits(const struct joint *j, const struct joint_item *x, int region, int64_t at_ms)
{
	const struct planner_job *job = item_job(x);
	const struct column *c = j->round->columns[region].signal;
	struct run run = planner_run(j->signals, start_of(x, at_ms), job->duration_ms);
	double slot_ms = (double)j->signals->slot_ms, duration_ms = (double)job->duration_ms;

	return !breaks(&job->max_carbon, &c[CARBON], 1, &run, slot_ms, duration_ms) &&
	       !breaks(&job->max_price, &c[PRICE], 1, &run, slot_ms, duration_ms) &&
	       !breaks(&job->min_renewable, &c[RENEWABLE], -1, &run, slot_ms, duration_ms);
}

static struct spot spot_at(const struct joint *j, const struct joint_item *x, const struct joint_class *c, int region,
			   int64_t at_ms)
{
	const struct planner_job *job = item_job(x);
	struct run run = planner_run(j->signals, start_of(x, at_ms), job->duration_ms);
	struct run priced = planner_run(j->signals, at_ms, job->duration_ms);
	size_t base = (size_t)region * (size_t)j->stride;
	const double *sum = c->sum + base, *unit = c->unit + base;
	double slot_ms = (double)j->signals->slot_ms, v;

	if (priced.last >= c->shut[base + (size_t)priced.from.slot] || run.last >= j->n_slots ||
	    run.last >= c->shut[base + (size_t)run.from.slot])
		return NO_SPOT;
	v = sum[priced.to.slot] - sum[priced.from.slot] + unit[priced.to.slot] * priced.to.into_ms / slot_ms -
	    unit[priced.from.slot] * priced.from.into_ms / slot_ms;
	return (struct spot){ .at_ms = at_ms,
			      .cost = x->energy * v + x->delay_per_slot * (double)(at_ms - job->earliest_ms) / slot_ms +
				      x->noise,
			      .region = (int16_t)region,
			      .from = (int16_t)run.from.slot,
			      .to = (int16_t)(run.last + 1) };
}

struct spot joint_spot_at(struct joint *j, const struct joint_item *x, int region, int64_t at_ms)
{
	struct spot s = spot_at(j, x, joint_class(j, x), region, at_ms);

	return s.region != PLANNER_NO_REGION && x->limited && !meets_limits(j, x, region, at_ms) ? NO_SPOT : s;
}

struct best {
	struct spot spot;
	double value;
};

static void offer(struct joint *j, const struct joint_item *x, const struct spot *s, enum joint_prices prices,
		  bool need_room, struct best *best)
{
	double value = s->cost;

	if (s->region == PLANNER_NO_REGION)
		return;
	if (prices == JOINT_WITH_PRICES)
		value += joint_price_of(j, x, s);
	if (prices == JOINT_ANNEALED) {
		value += joint_penalty_of(j, x, s);
		joint_add_noise(j, x, 1, &value);
	}
	if (value >= best->value || (need_room && !joint_has_room(j, x, s)))
		return;
	if (x->limited && !meets_limits(j, x, s->region, s->at_ms))
		return;
	*best = (struct best){ *s, value };
}

/*
 * v[i]: what starting at border from + i costs, i < n. A count that is a multiple of SEARCH_PAD leaves no rest, which
 * is what compilers want before they turn a loop into vector instructions at -O2; all arrays are padded for it.
 */
static void fill_runs(double *restrict v, int n, const double *restrict sum, ptrdiff_t whole, double energy,
		      double first, double slope)
{
	const double *restrict to = sum + whole;

	n = (n + SEARCH_PAD - 1) & ~(SEARCH_PAD - 1);
	for (int i = 0; i < n; i++)
		v[i] = first + slope * i + energy * (to[i] - sum[i]);
}

static void add_difference(double *restrict v, int n, const double *restrict from, const double *restrict to, double k)
{
	n = (n + SEARCH_PAD - 1) & ~(SEARCH_PAD - 1);
	for (int i = 0; i < n; i++)
		v[i] += k * (to[i] - from[i]);
}

static void add_values(double *restrict v, int n, const double *restrict values, double k)
{
	n = (n + SEARCH_PAD - 1) & ~(SEARCH_PAD - 1);
	for (int i = 0; i < n; i++)
		v[i] += k * values[i];
}

static void fill_borders(const struct joint *j, const struct joint_item *x, const struct joint_class *c, int region,
			 int from, int n, bool with_prices, double *v)
{
	size_t base = (size_t)region * (size_t)j->stride + (size_t)from;
	int64_t since_ms = j->signals->first_slot_ms + from * j->signals->slot_ms - item_job(x)->earliest_ms;
	double first = x->noise + x->delay_per_slot * (double)since_ms / (double)j->signals->slot_ms;
	const double *power = j->price_sum[JOINT_POWER] + base;

	fill_runs(v, n, (with_prices ? c->priced : c->sum) + base, x->whole, x->energy, first, x->delay_per_slot);
	if (x->part > 0)
		add_values(v, n, c->unit + base + x->whole, x->energy * x->part);
	if (!with_prices)
		return;
	if (x->touched > x->whole && j->priced[JOINT_POWER])
		add_difference(v, n, power + x->whole, power + x->touched, x->energy);
	for (int k = JOINT_CPU; k <= LAST_RUNNING; k++) {
		const double *sum = j->price_sum[k] + base;

		if (j->priced[k] && x->job->amount[k])
			add_difference(v, n, sum, sum + x->touched, amount_of(j, x, k));
	}
	if (j->priced[JOINT_RELEASES])
		add_values(v, n, j->price_sum[JOINT_RELEASES] + base, amount_of(j, x, JOINT_RELEASES));
}

/* In four lanes, because each comparison waits for the one before. */
static int index_of_least(const double *v, int n)
{
	double a = v[0], b = a, c = a, d = a;
	int i = 0;

	for (; i + 4 <= n; i += 4) {
		a = MIN(v[i], a);
		b = MIN(v[i + 1], b);
		c = MIN(v[i + 2], c);
		d = MIN(v[i + 3], d);
	}
	for (; i < n; i++)
		a = MIN(v[i], a);
	a = MIN(MIN(a, b), MIN(c, d));
	for (i = 0; v[i] != a; i++)
		;
	return i;
}

static bool border_fits(const struct joint *j, const struct joint_item *x, int region, int border, bool need_room)
{
	struct spot s = { .region = (int16_t)region, .from = (int16_t)border, .to = (int16_t)(border + x->touched) };

	if (need_room && !joint_has_room(j, x, &s))
		return false;
	return !x->limited || meets_limits(j, x, region, j->signals->first_slot_ms + border * j->signals->slot_ms);
}

/* Where there is no room for all of the run, there is none for those that begin up to there. */
static void shut_full(const struct joint *j, const struct joint_item *x, int region, int from, int n, double *v)
{
	bool full[PLANNER_MAX_SLOTS];
	int slots = n + x->touched - 1, next = slots; /* the first full slot from i on */

	memset(full, 0, (size_t)slots * sizeof(full[0]));
	for (const int16_t *row = j->region_rows[region]; *row >= 0; row++) {
		enum joint_resource k = j->rows[*row].resource;
		const int64_t *room = j->room + (size_t)*row * (size_t)j->n_slots + from, amount = x->job->amount[k];

		for (int i = 0; k == JOINT_RELEASES && i < n; i++)
			v[i] = room[i] < amount ? INFINITY : v[i];
		for (int i = 0; k != JOINT_RELEASES && i < slots; i++)
			full[i] |= room[i] < amount;
	}
	for (int i = slots - 1; i >= 0; i--) {
		next = full[i] ? i : next;
		if (i < n && next < i + x->touched)
			v[i] = INFINITY;
	}
}

/* Borders from .. from + n - 1, the runs from all of which are known. */
static void offer_borders(struct joint *j, const struct joint_item *x, const struct joint_class *c, int region,
			  int from, int n, enum joint_prices prices, bool need_room, struct best *best)
{
	double v[PLANNER_MAX_SLOTS + SEARCH_PAD];
	size_t base = (size_t)region * (size_t)j->stride;
	int i, border;

	fill_borders(j, x, c, region, from, n, prices == JOINT_WITH_PRICES, v);
	if (prices == JOINT_ANNEALED) {
		joint_add_penalties(j, x, region, from, n, v);
		joint_add_noise(j, x, n, v);
	}
	i = index_of_least(v, n);
	if (v[i] >= best->value)
		return;
	if ((need_room || x->limited) && !border_fits(j, x, region, from + i, need_room)) {
		if (need_room)
			shut_full(j, x, region, from, n, v);
		for (int b = 0; x->limited && b < n; b++)
			v[b] = v[b] < INFINITY && border_fits(j, x, region, from + b, false) ? v[b] : INFINITY;
		i = index_of_least(v, n);
	}
	if (v[i] >= best->value)
		return;
	border = from + i;
	best->value = v[i];
	best->spot = (struct spot){ .at_ms = j->signals->first_slot_ms + border * j->signals->slot_ms,
				    .region = (int16_t)region,
				    .from = (int16_t)border,
				    .to = (int16_t)(border + x->touched) };
	best->spot.cost =
		x->energy * (c->sum[base + (size_t)(border + x->whole)] - c->sum[base + (size_t)border] +
			     x->part * c->unit[base + (size_t)(border + x->whole)]) +
		x->noise +
		x->delay_per_slot * (double)(best->spot.at_ms - item_job(x)->earliest_ms) / (double)j->signals->slot_ms;
}

static void offer_region(struct joint *j, const struct joint_item *x, const struct joint_class *c, int region,
			 enum joint_prices prices, bool need_room, struct best *best)
{
	const int *shut = c->shut + (size_t)region * (size_t)j->stride;
	struct spot s;

	for (int from = x->first; from <= x->last; from = shut[from] + 1) {
		int n = MIN(x->last, shut[from] - x->touched) - from + 1;

		if (n > 0)
			offer_borders(j, x, c, region, from, n, prices, need_room, best);
	}
	for (int i = 0; i < x->n_apart; i++) {
		s = spot_at(j, x, c, region, x->apart_ms[i]);
		offer(j, x, &s, prices, need_room, best);
	}
}

void joint_item_rank(struct joint *j, struct joint_item *x)
{
	const struct joint_class *c = joint_class(j, x);
	const struct planner_job *job = item_job(x);

	x->options = xcalloc((size_t)job->n_regions, sizeof(*x->options));
	x->unlimited = x->incumbent.cost;
	for (int i = 0, k; i < job->n_regions; i++) {
		struct best best = { NO_SPOT, INFINITY };
		float least;

		offer_region(j, x, c, job->regions[i], JOINT_TRUE_COST, false, &best);
		x->unlimited = fmin(x->unlimited, best.value);
		least = nextafterf((float)best.value, -INFINITY);
		for (k = i; k > 0 && x->options[k - 1].least > least; k--)
			x->options[k] = x->options[k - 1];
		x->options[k] = (struct joint_option){ least, job->regions[i] };
	}
}

struct spot joint_cheaper(struct joint *j, const struct joint_item *x, enum joint_prices prices, bool need_room,
			  double below, double *ret_value)
{
	const struct joint_class *c = joint_class(j, x);
	struct best best = { NO_SPOT, below };
	int n = item_job(x)->n_regions;

	offer(j, x, &x->incumbent, prices, need_room, &best);
	/* prices, penalties and noise are never below 0 */
	for (int i = 0; i < n && (double)x->options[i].least < best.value; i++)
		offer_region(j, x, c, x->options[i].region, prices, need_room, &best);
	*ret_value = best.value;
	return best.spot;
}

struct spot joint_cheapest(struct joint *j, const struct joint_item *x, enum joint_prices prices, bool need_room,
			   double *ret_value)
{
	return joint_cheaper(j, x, prices, need_room, INFINITY, ret_value);
}
