/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs that are more than one block, one by one beside the others. */
#include <float.h>
#include <math.h>

#include "planner/joint_internal.h"

double joint_total_energy(const struct joint_item *x)
{
	return fmax(x->energy * (x->whole + x->part), DBL_MIN);
}

/* The running prices of a slot, of all resources that the job takes. Releases are left out: the bound gets lower. */
static double slot_price(const struct joint *j, const struct joint_item *x, int region, int slot)
{
	size_t at = (size_t)region * (size_t)j->stride + (size_t)slot;
	double price = 0;

	for (int k = 0; k < JOINT_RELEASES; k++)
		price += (double)x->job->amount[k] * j->row_unit[k] * (j->price_sum[k][at + 1] - j->price_sum[k][at]);
	return price;
}

void joint_slots(struct joint *j, size_t job, enum joint_slots_of what, struct arena *arena, struct slots *ret)
{
	struct joint_item *x = &j->items[job];
	const struct planner_job *p = item_job(x);
	const struct joint_class *c;
	const double **cost = arena_array(arena, (size_t)j->n_regions, const double *);
	struct spot old = x->at;
	double total = joint_total_energy(x);

	if (what == JOINT_PRICES)
		joint_use_best_prices(j);
	else if (old.region != PLANNER_NO_REGION)
		joint_take(j, x);
	c = joint_class(j, x);
	*ret = (struct slots){ .first_ms = j->signals->first_slot_ms,
			       .slot_ms = j->signals->slot_ms,
			       .n = j->n_slots,
			       .n_regions = j->n_regions,
			       .cost = cost,
			       .delay_per_ms = x->delay_per_slot / total / (double)j->signals->slot_ms };
	for (int i = 0; i < p->n_regions; i++) {
		int region = p->regions[i];
		size_t base = (size_t)region * (size_t)j->stride;
		double *v = arena_array(arena, (size_t)j->n_slots, double);

		for (int s = 0; s < j->n_slots; s++) {
			v[s] = x->energy * c->unit[base + (size_t)s] / total;
			if (what == JOINT_PRICES)
				v[s] += slot_price(j, x, region, s) / total;
			if (c->shut[base + (size_t)s] == s ||
			    (what == JOINT_ROOM && !joint_slot_has_room(j, x, region, s, true)))
				v[s] = INFINITY;
		}
		cost[region] = v;
	}
	if (what == JOINT_ROOM && old.region != PLANNER_NO_REGION)
		joint_put(j, x, &old);
}

void joint_settle(struct joint *j, size_t job, const struct planner_segment *segments, int n, double objective)
{
	struct joint_item *x = &j->items[job];

	if (x->at.region != PLANNER_NO_REGION)
		joint_take(j, x);
	for (int i = 0, next; i < n; i = next) {
		struct run run;

		/* levels may change, but it is one start */
		for (next = i + 1; next < n && segments[next].start_ms == segments[next - 1].end_ms &&
				   segments[next].region == segments[i].region;
		     next++)
			;
		run = planner_run(j->signals, segments[i].start_ms, segments[next - 1].end_ms - segments[i].start_ms);
		joint_take_room(j, j->room, x,
				&(struct spot){ .region = segments[i].region,
						.from = (int16_t)run.from.slot,
						.to = (int16_t)MIN(run.last + 1, j->n_slots) },
				1);
	}
	joint_anneal_reset(j);
	j->objective += objective * joint_total_energy(x);
	j->missing--;
	j->hopeless -= x->unlimited == INFINITY;
	x->settled = true;
}

void joint_relax(struct joint *j, size_t job, double bound)
{
	struct joint_item *x = &j->items[job];
	double v, least;

	joint_use_best_prices(j);
	if (joint_cheapest(j, x, JOINT_WITH_PRICES, false, &v).region != PLANNER_NO_REGION)
		j->bound -= v;
	least = fmin(bound * joint_total_energy(x), v);
	j->bound += least < INFINITY ? least : 0;
	j->relaxed = true;
}
