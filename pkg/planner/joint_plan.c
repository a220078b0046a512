/* SPDX-License-Identifier: Apache-2.0 */
/* Plans that keep to the limits: made from nothing, from the wishes at some prices, and by moving a few jobs. */
#include <math.h>

#include "base/rand.h"
#include "planner/joint_internal.h"

#define EPSILON 1e-9 /* of improvements, relative to a job's cost: below it is rounding */
#define MAX_EVICTED 8
#define MAX_RUINED 12
#define MAX_TRIED 16
#define MAX_LOOKED_AT 6 /* jobs that could make room */

void joint_take_room(const struct joint *j, int64_t *room, const struct joint_item *x, const struct spot *s, int sign)
{
	for (const int16_t *row = j->region_rows[s->region]; *row >= 0; row++) {
		enum joint_resource k = j->rows[*row].resource;
		int64_t *of_row = room + (size_t)*row * (size_t)j->n_slots, amount = sign * x->job->amount[k];
		int to = k == JOINT_RELEASES ? s->from + 1 : s->to;

		for (int i = s->from; amount && i < to; i++)
			of_row[i] -= amount;
	}
}

void joint_put(struct joint *j, struct joint_item *x, const struct spot *s)
{
	int32_t self = (int32_t)(x - j->items), *head = &j->heads[s->region];

	joint_take_room(j, j->room, x, s, 1);
	x->at = *s;
	x->next = *head;
	x->previous = -1;
	if (*head >= 0)
		j->items[*head].previous = self;
	*head = self;
	j->objective += s->cost;
	j->missing--;
}

void joint_take(struct joint *j, struct joint_item *x)
{
	joint_take_room(j, j->room, x, &x->at, -1);
	if (x->previous >= 0)
		j->items[x->previous].next = x->next;
	else
		j->heads[x->at.region] = x->next;
	if (x->next >= 0)
		j->items[x->next].previous = x->previous;
	j->objective -= x->at.cost;
	j->missing++;
	x->at = NO_SPOT;
}

static bool is_placed(const struct joint_item *x)
{
	return x->at.region != PLANNER_NO_REGION;
}

/* Jobs without a place, in the order of `order`, each in the cheapest that has room. */
void joint_fill(struct joint *j, enum joint_prices prices)
{
	double value;

	for (size_t i = 0; i < j->n; i++) {
		struct joint_item *x = &j->items[j->order[i]];
		struct spot s;

		if (is_placed(x) || x->settled || x->unlimited == INFINITY)
			continue;
		s = joint_cheapest(j, x, prices, true, &value);
		if (s.region != PLANNER_NO_REGION)
			joint_put(j, x, &s);
	}
}

static void put_back(struct joint *j)
{
	for (size_t i = 0; i < j->n; i++) {
		if (is_placed(&j->items[i]))
			joint_take(j, &j->items[i]);
	}
	for (size_t i = 0; i < j->n; i++) {
		if (j->kept[i].region != PLANNER_NO_REGION)
			joint_put(j, &j->items[i], &j->kept[i]);
	}
}

void joint_round_off(struct joint *j, enum joint_prices prices)
{
	double objective = j->objective;
	size_t missing = j->missing;

	for (size_t i = 0; i < j->n; i++) {
		struct joint_item *x = &j->items[i];

		j->kept[i] = x->at;
		if (is_placed(x))
			joint_take(j, x);
	}
	for (size_t i = 0; i < j->n; i++) {
		struct joint_item *x = &j->items[j->order[i]];
		const struct spot *to = prices == JOINT_ANNEALED ? &j->anneal.at[j->order[i]] : &x->wish;

		if (!x->settled && to->region != PLANNER_NO_REGION && joint_has_room(j, x, to))
			joint_put(j, x, to);
	}
	joint_fill(j, JOINT_WITH_PRICES);
	if (j->missing > missing || (j->missing == missing && j->objective >= objective))
		put_back(j);
}

static void move_alone(struct joint *j, struct joint_item *x)
{
	struct spot old = x->at, s;
	double value;

	joint_take_room(j, j->room, x, &old, -1);
	s = joint_cheaper(j, x, JOINT_TRUE_COST, true, old.cost - EPSILON * fabs(old.cost), &value);
	joint_take_room(j, j->room, x, &old, 1);
	if (s.region == PLANNER_NO_REGION)
		return;
	joint_take(j, x);
	joint_put(j, x, &s);
}

/* What a job could still save; INFINITY if it has no place but could have. */
static double regret_of(const struct joint_item *x)
{
	if (x->settled || x->unlimited == INFINITY)
		return 0;
	return x->at.cost - x->unlimited > EPSILON * fabs(x->unlimited) ? x->at.cost - x->unlimited : 0;
}

bool joint_polish(struct joint *j, bool (*out_of_time)(void *arg), void *arg)
{
	for (size_t i = 0; i < j->n; i++) {
		struct joint_item *x = &j->items[j->order[i]];

		if (i % ASK_EVERY == 0 && out_of_time && out_of_time(arg))
			return false;
		if (is_placed(x) && regret_of(x) > 0)
			move_alone(j, x);
	}
	joint_fill(j, JOINT_TRUE_COST);
	return true;
}

/* Jobs taken out on trial, and where they were. */
struct trial {
	struct joint_item *item[MAX_TRIED];
	struct spot old[MAX_TRIED];
	int n;
	double objective; /* before it */
	size_t missing;
};

static void trial_begin(struct trial *t, const struct joint *j)
{
	t->n = 0;
	t->objective = j->objective;
	t->missing = j->missing;
}

static void trial_take(struct trial *t, struct joint *j, struct joint_item *x)
{
	t->item[t->n] = x;
	t->old[t->n++] = x->at;
	if (is_placed(x))
		joint_take(j, x);
}

/* All that are out back in, in their order, if more are in then or they cost less; else as they were. */
static void trial_close(struct trial *t, struct joint *j)
{
	double value;

	for (int i = 0; i < t->n; i++) {
		struct spot s;

		if (is_placed(t->item[i]))
			continue;
		s = joint_cheapest(j, t->item[i], JOINT_TRUE_COST, true, &value);
		if (s.region != PLANNER_NO_REGION)
			joint_put(j, t->item[i], &s);
	}
	if (j->missing < t->missing || (j->missing == t->missing && j->objective <= t->objective))
		return;
	for (int i = 0; i < t->n; i++) {
		if (is_placed(t->item[i]))
			joint_take(j, t->item[i]);
	}
	for (int i = 0; i < t->n; i++) {
		if (t->old[i].region != PLANNER_NO_REGION)
			joint_put(j, t->item[i], &t->old[i]);
	}
}

/* The first slot in which there is no room; the row that lacks it. -1 if there is room. */
static int tight_row(const struct joint *j, const struct joint_item *x, const struct spot *s, int *ret_slot)
{
	for (const int16_t *row = j->region_rows[s->region]; *row >= 0; row++) {
		enum joint_resource k = j->rows[*row].resource;
		int to = k == JOINT_RELEASES ? s->from + 1 : s->to;

		for (int i = s->from; i < to; i++) {
			if (j->room[(size_t)*row * (size_t)j->n_slots + (size_t)i] >= x->job->amount[k])
				continue;
			*ret_slot = i;
			return *row;
		}
	}
	return -1;
}

/* What moving it elsewhere costs if that is below `least`, else INFINITY. The guest keeps the room that it needs. */
static double moving_cost(struct joint *j, struct joint_item *x, const struct joint_item *guest, const struct spot *s,
			  double least)
{
	struct spot other;
	double value;

	joint_take_room(j, j->room, x, &x->at, -1);
	joint_take_room(j, j->room, guest, s, 1);
	other = joint_cheaper(j, x, JOINT_TRUE_COST, true, x->at.cost + least, &value);
	joint_take_room(j, j->room, guest, s, -1);
	joint_take_room(j, j->room, x, &x->at, 1);
	return other.cost - x->at.cost;
}

/* Of some jobs in that slot, the one that is moved most cheaply. */
static struct joint_item *find_victim(struct joint *j, const struct joint_item *guest, const struct spot *s, int row,
				      int slot)
{
	const struct joint_row *r = &j->rows[row];
	struct joint_item *best = NULL;
	double least = INFINITY;
	int32_t candidates[MAX_LOOKED_AT];
	int seen = 0;

	for (int i = 0; i < r->n_regions; i++) {
		for (int32_t at = j->heads[r->regions[i]]; at >= 0; at = j->items[at].next) {
			const struct joint_item *x = &j->items[at];
			uint64_t pick = (uint64_t)seen;

			if (slot < x->at.from || slot >= x->at.to || x->job->amount[r->resource] == 0 ||
			    (r->resource == JOINT_RELEASES && slot != x->at.from))
				continue;
			if (seen >= MAX_LOOKED_AT) /* each of them equally likely */
				pick = rand_next(&j->seed) % (uint64_t)(seen + 1);
			if (pick < MAX_LOOKED_AT)
				candidates[pick] = at;
			seen++;
		}
	}
	for (int i = 0; i < MIN(seen, MAX_LOOKED_AT); i++) {
		struct joint_item *x = &j->items[candidates[i]];
		double cost = moving_cost(j, x, guest, s, least);

		if (cost >= least)
			continue;
		best = x;
		least = cost;
	}
	return best;
}

/* To that spot, whoever is there; undone unless all of the others find places. */
static void evict_for(struct joint *j, struct joint_item *x, const struct spot *s)
{
	struct trial t;
	int row, slot = 0;

	trial_begin(&t, j);
	trial_take(&t, j, x);
	while ((row = tight_row(j, x, s, &slot)) >= 0) {
		struct joint_item *victim = t.n <= MAX_EVICTED ? find_victim(j, x, s, row, slot) : NULL;

		if (!victim)
			break;
		trial_take(&t, j, victim);
	}
	if (row < 0)
		joint_put(j, x, s);
	trial_close(&t, j);
}

/* Ruin and recreate: a job and some of those in its way out, and back in another order. */
static void shake(struct joint *j, struct joint_item *x, const struct spot *s)
{
	struct trial t;
	int32_t next;

	trial_begin(&t, j);
	trial_take(&t, j, x);
	for (int32_t at = j->heads[s->region]; at >= 0 && t.n < MAX_RUINED; at = next) {
		struct joint_item *y = &j->items[at];

		next = y->next;
		if (y->at.from < s->to && y->at.to > s->from && rand_next(&j->seed) % 2)
			trial_take(&t, j, y);
	}
	for (int i = t.n - 1; i > 1; i--) { /* the first stays the first */
		int k = 1 + (int)(rand_next(&j->seed) % (uint64_t)i);
		struct joint_item *item = t.item[i];
		struct spot old = t.old[i];

		t.item[i] = t.item[k];
		t.old[i] = t.old[k];
		t.item[k] = item;
		t.old[k] = old;
	}
	trial_close(&t, j);
}

/* The i-th job without a place that could have one. */
static struct joint_item *missing_item(struct joint *j, size_t i)
{
	for (size_t k = 0; k < j->n; k++) {
		struct joint_item *x = &j->items[k];

		if (!is_placed(x) && !x->settled && x->unlimited < INFINITY && i-- == 0)
			return x;
	}
	return &j->items[0];
}

/* Where to: by turns what the prices say and what would be best. */
static struct spot goal_of(struct joint *j, const struct joint_item *x)
{
	double value;

	return joint_cheapest(j, x, rand_next(&j->seed) % 2 ? JOINT_TRUE_COST : JOINT_WITH_PRICES, false, &value);
}

bool joint_search(struct joint *j, bool (*out_of_time)(void *arg), void *arg)
{
	for (size_t i = 0; i < joint_without_room(j);) {
		struct joint_item *x = missing_item(j, i);
		struct spot s = goal_of(j, x);

		if (out_of_time && out_of_time(arg))
			return false;
		evict_for(j, x, &s);
		if (!is_placed(x))
			shake(j, x, &s);
		i += !is_placed(x);
	}
	return true;
}
