/* SPDX-License-Identifier: Apache-2.0 */
/* What a round knows: prefix sums of every signal, scales, reserved power, and the figures of a run. */
#include "planner/internal.h"

#include <assert.h>
#include <math.h>

#include "base/decimal.h"

/* milliwatts times milliseconds in a kilowatt hour and in a milliwatt hour */
#define PER_KILOWATT_HOUR INT64_C(3600000000000)
#define PER_MILLIWATT_HOUR INT64_C(3600000)

static struct position position_of(const struct planner_signals *s, int64_t t_ms)
{
	int64_t since = t_ms - s->first_slot_ms;
	int64_t slot = CLAMP(since / s->slot_ms, 0, s->n_slots);

	return (struct position){ (int)slot, (double)(since - slot * s->slot_ms) };
}

struct run planner_run(const struct planner_signals *signals, int64_t start_ms, int64_t duration_ms)
{
	int64_t end_ms = start_ms + duration_ms;
	struct position to = position_of(signals, end_ms);

	return (struct run){ .start_ms = start_ms,
			     .end_ms = end_ms,
			     .from = position_of(signals, start_ms),
			     .to = to,
			     .last = to.into_ms > 0 ? to.slot : to.slot - 1 };
}

static void column_init(struct column *c, const int32_t *values, const struct planner_signals *s, int current,
			struct arena *arena)
{
	int64_t total = 0;
	int n = s->n_slots, known = 0;

	c->value = arena_array(arena, (size_t)n + 1 + SEARCH_PAD, double);
	c->sum = arena_array(arena, (size_t)n + 2 + SEARCH_PAD, double);
	c->unknown = arena_array(arena, (size_t)n + 1, int);
	for (int i = current; values && i < n; i++) {
		if (values[i] == PLANNER_UNKNOWN)
			continue;
		total += values[i];
		known++;
		c->end = i + 1;
	}
	c->fill = known ? round((double)total / known) : 0;
	for (int i = 0; i <= n; i++) {
		bool have = values && i < n && values[i] != PLANNER_UNKNOWN;

		c->value[i] = have ? values[i] : c->fill;
		c->sum[i + 1] = c->sum[i] + c->value[i];
	}
	c->unknown[n] = n;
	for (int i = n - 1; i >= 0; i--)
		c->unknown[i] = values && values[i] != PLANNER_UNKNOWN ? c->unknown[i + 1] : i;
}

/* Mean |value| of what is known from slot `current` on in the marked regions. */
static double scale_of(const struct planner_signals *s, const bool *allowed, bool price, int current)
{
	int64_t total = 0, known = 0;

	for (int r = 0; r < s->n_regions; r++) {
		const int32_t *v = price ? s->regions[r].price_micros_per_kwh : s->regions[r].carbon_mg_per_kwh;

		for (int i = current; v && allowed[r] && i < s->n_slots; i++) {
			if (v[i] == PLANNER_UNKNOWN)
				continue;
			total += v[i] < 0 ? -(int64_t)v[i] : v[i];
			known++;
		}
	}
	return known ? (double)total / (double)known : 0;
}

void planner_round_init(struct planner_round *round, const struct planner_signals *signals,
			const struct planner_job *jobs, size_t n_jobs, struct arena *arena)
{
	bool allowed[PLANNER_MAX_REGIONS] = { false };
	int current;

	assert(signals->n_regions <= PLANNER_MAX_REGIONS && signals->n_slots <= PLANNER_MAX_SLOTS);
	assert(signals->slot_ms > 0 && signals->first_slot_ms <= signals->now_ms);
	current = position_of(signals, signals->now_ms).slot;
	*round = (struct planner_round){ .signals = signals };
	round->columns = arena_array(arena, (size_t)signals->n_regions, struct planner_columns);
	for (int r = 0; r < signals->n_regions; r++) {
		const struct planner_region *region = &signals->regions[r];
		struct planner_columns *c = &round->columns[r];

		column_init(&c->signal[CARBON], region->carbon_mg_per_kwh, signals, current, arena);
		column_init(&c->signal[PRICE], region->price_micros_per_kwh, signals, current, arena);
		column_init(&c->signal[RENEWABLE], region->renewable_permille, signals, current, arena);
		if (region->power_limit_milliwatts > 0)
			c->reserved = arena_array(arena, (size_t)signals->n_slots, int64_t);
	}
	for (size_t j = 0; j < n_jobs; j++) {
		for (int i = 0; i < jobs[j].n_regions; i++)
			allowed[jobs[j].regions[i]] = true;
	}
	round->carbon_scale = scale_of(signals, allowed, false, current);
	round->price_scale = scale_of(signals, allowed, true, current);
}

void planner_reserve(struct planner_round *round, int region, int64_t start_ms, int64_t end_ms,
		     int64_t power_milliwatts)
{
	const struct planner_signals *s = round->signals;
	struct run run = planner_run(s, start_ms, end_ms - start_ms);

	if (region == PLANNER_NO_REGION)
		return;
	struct planner_columns *c = &round->columns[region];
	for (int i = run.from.slot; c->reserved && i <= MIN(run.last, s->n_slots - 1); i++) {
		if (__builtin_add_overflow(c->reserved[i], power_milliwatts, &c->reserved[i]))
			c->reserved[i] = INT64_MAX;
		c->most_reserved = MAX(c->most_reserved, c->reserved[i]);
	}
}

void planner_evaluate(const struct planner_round *round, int region, int64_t start_ms, int64_t duration_ms,
		      int64_t power_milliwatts, struct planner_option *ret)
{
	const struct planner_signals *s = round->signals;
	const struct column *signal = round->columns[region].signal;
	struct run run = planner_run(s, start_ms, duration_ms);
	double sum[N_SIGNALS];

	for (int i = 0; i < N_SIGNALS; i++)
		sum[i] = run_known(&signal[i], &run) ? run_sum(&signal[i], (double)s->slot_ms, &run) : NAN;
	*ret = (struct planner_option){
		.region = (int16_t)region,
		.start_ms = start_ms,
		.end_ms = run.end_ms,
		.objective = NAN,
		.energy_milliwatt_hours = i64_mul_div(power_milliwatts, duration_ms, PER_MILLIWATT_HOUR),
		.renewable_permille = PLANNER_UNKNOWN,
		.carbon_known = !isnan(sum[CARBON]),
		.cost_known = !isnan(sum[PRICE]),
	};
	if (ret->carbon_known)
		ret->carbon_milligrams =
			i64_mul_div(decimal_from_double(sum[CARBON], 0), power_milliwatts, PER_KILOWATT_HOUR);
	if (ret->cost_known)
		ret->cost_micros = i64_mul_div(decimal_from_double(sum[PRICE], 0), power_milliwatts, PER_KILOWATT_HOUR);
	if (!isnan(sum[RENEWABLE]))
		ret->renewable_permille = (int32_t)lround(sum[RENEWABLE] / (double)duration_ms);
}
