/* SPDX-License-Identifier: Apache-2.0 */
/* Prefix sums over one region's forecast. */
#include "extender/outlook.h"

#include <math.h>

static void column_init(struct outlook_column *c, const int32_t *values, int n, struct arena *arena)
{
	size_t totals = (size_t)n + 1;

	c->sum = arena_array(arena, totals, double);
	c->magnitude = arena_array(arena, totals, double);
	c->known = arena_array(arena, totals, double);
	for (int i = 0; i < n; i++) {
		bool known = values && values[i] != GRID_UNKNOWN;
		double v = known ? values[i] : 0;

		c->sum[i + 1] = c->sum[i] + v;
		c->magnitude[i + 1] = c->magnitude[i] + fabs(v);
		c->known[i + 1] = c->known[i] + known;
	}
}

void outlook_init(struct outlook *o, const struct grid_forecast *f, bool priced, struct arena *arena)
{
	bool usable = f->start_ms != TIME_NONE && f->slot_ms > 0 && f->n > 0;

	*o = (struct outlook){ .start_ms = f->start_ms };
	o->slot_ms = usable ? f->slot_ms : SLOT_MS;
	o->n = usable ? MIN(f->n, GRIDREGION_MAX_SLOTS) : 0;
	o->until_ms = o->start_ms;
	column_init(&o->columns[OUTLOOK_CARBON], f->carbon_p50, o->n, arena);
	column_init(&o->columns[OUTLOOK_PRICE], priced ? f->price_p50 : NULL, o->n, arena);
	column_init(&o->columns[OUTLOOK_RENEWABLE], f->renewable, o->n, arena);
	for (int i = 0; f->carbon_p50 && i < o->n; i++)
		if (f->carbon_p50[i] != GRID_UNKNOWN)
			o->until_ms = o->start_ms + (i + 1) * o->slot_ms;
}

/* A running total up to a time, in slots; before the first and after the last slot nothing is added. */
static double total_at(const struct outlook *o, const double *totals, int64_t ms)
{
	double at = CLAMP((double)(ms - o->start_ms) / (double)o->slot_ms, 0.0, (double)o->n);
	int i = (int)at;

	return i == o->n ? totals[i] : totals[i] + (at - i) * (totals[i + 1] - totals[i]);
}

double outlook_mean(const struct outlook *o, enum outlook_signal s, int64_t from_ms, int64_t to_ms)
{
	const struct outlook_column *c = &o->columns[s];
	double known;

	if (o->n == 0)
		return NAN;
	known = total_at(o, c->known, to_ms) - total_at(o, c->known, from_ms);
	/* Less than this is rounding, not a part of a slot. */
	if (known < 1e-9)
		return NAN;
	return (total_at(o, c->sum, to_ms) - total_at(o, c->sum, from_ms)) / known;
}

bool outlook_has(const struct outlook *o, int64_t now_ms)
{
	int64_t i;

	if (o->n == 0 || now_ms < o->start_ms)
		return false;
	i = (now_ms - o->start_ms) / o->slot_ms;
	return i < o->n && o->columns[OUTLOOK_CARBON].known[i + 1] > o->columns[OUTLOOK_CARBON].known[i];
}

void outlook_magnitude(const struct outlook *o, enum outlook_signal s, int64_t now_ms, double *sum, double *known)
{
	const struct outlook_column *c = &o->columns[s];
	int64_t i;

	if (o->n == 0)
		return;
	i = CLAMP((now_ms - o->start_ms) / o->slot_ms, 0, o->n);
	*sum += c->magnitude[o->n] - c->magnitude[i];
	*known += c->known[o->n] - c->known[i];
}
