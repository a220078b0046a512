/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plans by annealing, for where whole jobs do not fit as the prices would have it. A copy of the plan in which there
 * may be too little room: what is beyond it is punished, at first by about its price, and in each sweep more where
 * there are still too many. Every job in turn goes to its best place, costs shaken by a temperature that falls. With
 * Gumbel noise that draws from exp(-cost / temperature), which is Gibbs sampling (Geman and Geman 1984), and looks at
 * all starts at once. A plan that this ends with is taken if it is better; the next round has twice as many sweeps.
 */
#include <float.h>
#include <math.h>

#include "base/rand.h"
#include "planner/joint_internal.h"

#define FIRST_SWEEPS 8
#define MAX_SWEEPS 65536
#define HOT 0.05 /* of what a slot's energy costs on average */
#define COLD 0.001
#define PUNISHED 0.9      /* of the price, to begin with */
#define UNPRICED 0.06     /* and also, for where there is no price: of what a unit costs those who want it */
#define GROWTH 12.0       /* of the logarithm of a punishment, over a round: where there are too many at every sweep */
#define NOISE_STARTS 4096 /* places in the table, a power of 2 */
#define NOISE_LEN (NOISE_STARTS + PLANNER_MAX_SLOTS + SEARCH_PAD)

/* Costs may be shaken upwards only: then an option's least cost says what it costs at least. */
static float *noise_new(uint64_t *seed)
{
	float *noise = xcalloc(NOISE_LEN, sizeof(*noise)), most = 0;

	for (int i = 0; i < NOISE_LEN; i++) {
		noise[i] = (float)-log(-log(fmax(rand_unit(seed), DBL_MIN)));
		most = fmaxf(most, noise[i]);
	}
	for (int i = 0; i < NOISE_LEN; i++)
		noise[i] = most - noise[i];
	return noise;
}

/* What a unit of each resource, per row_unit, costs those who want it. */
static void find_worth(const struct joint *j, double *worth)
{
	double cost = 0, wanted[JOINT_RESOURCES] = { 0 };

	for (size_t i = 0; i < j->n; i++) {
		const struct joint_item *x = &j->items[i];

		if (x->settled || x->unlimited == INFINITY)
			continue;
		cost += fabs(x->unlimited);
		for (int k = 0; k < JOINT_RESOURCES; k++)
			wanted[k] += (double)x->job->amount[k] * (k == JOINT_RELEASES ? 1 : x->touched);
	}
	for (int k = 0; k < JOINT_RESOURCES; k++)
		worth[k] = wanted[k] > 0 ? cost / (wanted[k] * j->row_unit[k]) : 0;
}

static void begin(struct joint *j)
{
	struct anneal *a = &j->anneal;
	size_t cells = (size_t)j->n_rows * (size_t)j->n_slots;
	double worth[JOINT_RESOURCES];

	if (!a->noise) {
		a->noise = noise_new(&j->seed);
		a->room = xcalloc(cells + 1, sizeof(*a->room));
		a->penalty = xcalloc(cells + 1, sizeof(*a->penalty));
	}
	a->sweep = 0;
	a->sweeps = MIN(MAX(2 * a->sweeps, FIRST_SWEEPS), MAX_SWEEPS);
	a->at = xrealloc(a->at, (j->n + 1) * sizeof(*a->at));
	for (size_t i = 0; i < j->n; i++)
		a->at[i] = j->items[i].at;
	memcpy(a->room, j->room, cells * sizeof(*a->room));
	find_worth(j, worth);
	for (size_t i = 0; i < cells; i++)
		a->penalty[i] = PUNISHED * j->best_price[i] +
				UNPRICED * worth[j->rows[i / (size_t)j->n_slots].resource] + DBL_MIN;
}

void joint_anneal_reset(struct joint *j)
{
	j->anneal.sweeps /= 2;
	j->anneal.sweep = j->anneal.sweeps;
}

void joint_anneal_release(struct joint *j)
{
	free(j->anneal.at);
	free(j->anneal.room);
	free(j->anneal.penalty);
	free(j->anneal.noise);
}

/* What one more of that amount is punished with in a slot. */
static double more_in(const struct joint *j, size_t cell, double amount)
{
	double room = (double)j->anneal.room[cell];

	return j->anneal.penalty[cell] * (MAX(amount - room, 0) - MAX(-room, 0));
}

static bool begins_only(const struct joint *j, int row)
{
	return j->rows[row].resource == JOINT_RELEASES;
}

double joint_penalty_of(const struct joint *j, const struct joint_item *x, const struct spot *s)
{
	double sum = 0;

	for (const int16_t *row = j->region_rows[s->region]; *row >= 0; row++) {
		enum joint_resource k = j->rows[*row].resource;
		size_t base = (size_t)*row * (size_t)j->n_slots;
		int to = begins_only(j, *row) ? s->from + 1 : s->to;

		for (int i = s->from; i < to && x->job->amount[k]; i++)
			sum += more_in(j, base + (size_t)i, (double)x->job->amount[k]) * j->row_unit[k];
	}
	return sum;
}

void joint_add_penalties(const struct joint *j, const struct joint_item *x, int region, int from, int n, double *v)
{
	double more[PLANNER_MAX_SLOTS], sum[PLANNER_MAX_SLOTS + 1];
	int slots = n + x->touched - 1;

	memset(more, 0, (size_t)slots * sizeof(more[0]));
	for (const int16_t *row = j->region_rows[region]; *row >= 0; row++) {
		enum joint_resource k = j->rows[*row].resource;
		size_t base = (size_t)*row * (size_t)j->n_slots + (size_t)from;
		double amount = (double)x->job->amount[k], unit = j->row_unit[k];

		if (amount <= 0)
			continue;
		if (begins_only(j, *row)) {
			for (int i = 0; i < n; i++)
				v[i] += more_in(j, base + (size_t)i, amount) * unit;
		} else {
			for (int i = 0; i < slots; i++)
				more[i] += more_in(j, base + (size_t)i, amount) * unit;
		}
	}
	sum[0] = 0;
	for (int i = 0; i < slots; i++)
		sum[i + 1] = sum[i] + more[i];
	for (int i = 0; i < n; i++)
		v[i] += sum[i + x->touched] - sum[i];
}

void joint_add_noise(struct joint *j, const struct joint_item *x, int n, double *v)
{
	const float *noise = j->anneal.noise + rand_next(&j->seed) % NOISE_STARTS;
	double size = j->anneal.temperature * x->energy;

	for (int i = 0; i < n; i++)
		v[i] += size * (double)noise[i];
}

static void sweep_item(struct joint *j, struct joint_item *x, struct spot *at)
{
	double value;

	if (at->region != PLANNER_NO_REGION)
		joint_take_room(j, j->anneal.room, x, at, -1);
	*at = joint_cheapest(j, x, JOINT_ANNEALED, false, &value);
	if (at->region != PLANNER_NO_REGION)
		joint_take_room(j, j->anneal.room, x, at, 1);
}

static void punish(struct joint *j)
{
	struct anneal *a = &j->anneal;
	double growth = exp(GROWTH / a->sweeps);

	for (size_t i = 0; i < (size_t)j->n_rows * (size_t)j->n_slots; i++) {
		if (a->room[i] < 0)
			a->penalty[i] *= growth;
	}
}

bool joint_anneal(struct joint *j, bool (*out_of_time)(void *arg), void *arg)
{
	struct anneal *a = &j->anneal;

	if (a->sweep == a->sweeps)
		begin(j);
	a->temperature = HOT * pow(COLD / HOT, (double)a->sweep / (a->sweeps - 1));
	for (size_t i = 0; i < j->n; i++) {
		struct joint_item *x = &j->items[j->order[i]];

		if (i % ASK_EVERY == 0 && out_of_time && out_of_time(arg))
			return false;
		if (!x->settled && x->unlimited < INFINITY)
			sweep_item(j, x, &a->at[x - j->items]);
	}
	punish(j);
	a->sweep++;
	return true;
}
