/* SPDX-License-Identifier: Apache-2.0 */
/* Prices of what is scarce, and the lower bound that they prove. */
#include <math.h>

#include "planner/joint_internal.h"

#define DEFLECTION 0.7 /* how much of the last step's direction goes on */
#define PATIENCE 4     /* steps without a better bound */

/* Differences now, summed up later. */
static void add_demand(struct joint *j, const struct joint_item *x, const struct spot *s, double times)
{
	for (const int16_t *row = j->region_rows[s->region]; *row >= 0; row++) {
		enum joint_resource k = j->rows[*row].resource;
		double *demand = j->demand + (size_t)*row * (size_t)j->n_slots;
		double amount = (double)x->job->amount[k] * j->row_unit[k] * times;
		int to = k == JOINT_RELEASES ? s->from + 1 : s->to;

		demand[s->from] += amount;
		if (to < j->n_slots)
			demand[to] -= amount;
	}
}

static double capacity_of(const struct joint *j, int row, int slot)
{
	const struct joint_row *r = &j->rows[row];

	return (double)MAX(r->capacity[slot], 0) * j->row_unit[r->resource];
}

/* The subgradient: demand less capacity. Returns what all capacity costs at the prices. */
static double excess(struct joint *j)
{
	double paid = 0;

	for (int row = 0; row < j->n_rows; row++) {
		double *demand = j->demand + (size_t)row * (size_t)j->n_slots, total = 0;
		const double *price = j->price + (size_t)row * (size_t)j->n_slots;

		for (int i = 0; i < j->n_slots; i++) {
			double capacity = capacity_of(j, row, i);

			total += demand[i];
			demand[i] = total - capacity;
			paid += price[i] == SHUT_PRICE ? 0 : price[i] * capacity;
		}
	}
	return paid;
}

/* Along the direction, so far as the gap between plan and bound tells (Polyak). */
static void move_prices(struct joint *j, double value)
{
	double slope = 0, target = j->objective, t;

	for (int row = 0; row < j->n_rows; row++) {
		size_t base = (size_t)row * (size_t)j->n_slots;

		for (size_t i = base; i < base + (size_t)j->n_slots; i++) {
			double g = j->price[i] == SHUT_PRICE ? 0 : j->demand[i];

			if (g < 0 && j->price[i] <= 0)
				g = 0;
			j->direction[i] = g + DEFLECTION * j->direction[i];
			if (j->direction[i] < 0 && j->price[i] <= 0)
				j->direction[i] = 0;
			slope += j->direction[i] * j->direction[i] / j->scale[row];
		}
	}
	if (slope <= 0)
		return;
	t = j->step * MAX(target - value, 1e-6 * fabs(target)) / slope;
	for (int row = 0; row < j->n_rows; row++) {
		size_t base = (size_t)row * (size_t)j->n_slots;

		for (size_t i = base; i < base + (size_t)j->n_slots; i++)
			j->price[i] = MAX(j->price[i] + t * j->direction[i] / j->scale[row], 0);
	}
}

static void keep_bound(struct joint *j, double value)
{
	if (value > j->bound) {
		j->bound = value;
		memcpy(j->best_price, j->price, (size_t)j->n_rows * (size_t)j->n_slots * sizeof(double));
		j->stalled = 0;
	} else if (++j->stalled >= PATIENCE) {
		j->step /= 2;
		j->stalled = 0;
	}
}

/*
 * Until prices are roughly right, every so many jobs tell as well as all what is wanted; but only all of them tell a
 * bound.
 */
bool joint_dual_step(struct joint *j, bool (*out_of_time)(void *arg), void *arg)
{
	size_t stride = joint_is_sampling(j) ? j->n / SAMPLE : 1, looked_at = 0;
	size_t cells = (size_t)j->n_rows * (size_t)j->n_slots;
	double value = 0, v;

	memset(j->demand, 0, cells * sizeof(double));
	for (size_t i = (size_t)j->sampled % stride; i < j->n; i += stride) {
		struct joint_item *x = &j->items[i];

		if (looked_at++ % ASK_EVERY == 0 && out_of_time && out_of_time(arg))
			return false;
		x->wish = joint_cheapest(j, x, JOINT_WITH_PRICES, false, &v);
		if (x->wish.region == PLANNER_NO_REGION)
			continue;
		value += v * (double)stride;
		add_demand(j, x, &x->wish, (double)stride);
	}
	value -= excess(j);
	if (stride == 1)
		keep_bound(j, value);
	j->sampled += stride > 1;
	move_prices(j, value);
	joint_sum_prices(j);
	return true;
}
