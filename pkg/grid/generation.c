/* SPDX-License-Identifier: Apache-2.0 */
/* Generation by fuel and time, and what it amounts to. */
#include "grid/generation.h"

void grid_generation_init(struct grid_generation *g, const struct grid_answer *a, int64_t step_ms)
{
	*g = (struct grid_generation){ .start_ms = a->from_ms, .step_ms = step_ms };
	g->n_times = (int)MIN((a->to_ms - a->from_ms) / step_ms, GRID_GENERATION_MAX_TIMES);
	g->times = xcalloc((size_t)g->n_times + 1, sizeof(*g->times));
}

void grid_generation_release(struct grid_generation *g)
{
	free(g->times);
	g->times = NULL;
}

/* Its bit; -1 when it is no code, or one too many. */
static int code_bit(struct grid_generation *g, struct str code)
{
	for (int i = 0; i < g->n_codes; i++)
		if (str_is(code, g->codes[i]))
			return i;
	if (g->n_codes == GRID_GENERATION_MAX_CODES || code.len == 0 || code.len >= sizeof(g->codes[0]))
		return -1;
	(void)str_copy(g->codes[g->n_codes], sizeof(g->codes[0]), code);
	return g->n_codes++;
}

void grid_generation_add(struct grid_generation *g, struct grid_answer *a, int64_t ms, int64_t duration_ms,
			 struct str code, double mw)
{
	int64_t first = (ms - g->start_ms) / g->step_ms, n = duration_ms / g->step_ms;
	uint64_t bit;
	int index;

	if (ms < g->start_ms || first >= g->n_times) {
		grid_answer_drop(a, GRID_DROP_SPAN);
		return;
	}
	if ((ms - g->start_ms) % g->step_ms || duration_ms <= 0 || duration_ms % g->step_ms) {
		grid_answer_drop(a, GRID_DROP_STEP);
		return;
	}
	index = code_bit(g, code);
	if (index < 0) {
		grid_answer_drop(a, GRID_DROP_TYPE);
		return;
	}
	bit = UINT64_C(1) << index;
	for (int64_t i = first; i < MIN(first + n, g->n_times); i++) {
		if (g->times[i].seen & bit)
			grid_answer_drop(a, GRID_DROP_DUPLICATE);
		else if (!grid_mix_add(&g->times[i].mix, code, mw))
			grid_answer_drop(a, GRID_DROP_RANGE);
		else
			g->times[i].seen |= bit;
	}
}

uint64_t grid_generation_usual(const struct grid_generation *g)
{
	uint64_t usual = 0;
	int times = 0;

	for (int i = 0; i < g->n_times; i++)
		times += g->times[i].seen != 0;
	for (int c = 0; c < g->n_codes; c++) {
		int n = 0;

		for (int i = 0; i < g->n_times; i++)
			n += (int)((g->times[i].seen >> c) & 1);
		if (2 * n >= times)
			usual |= UINT64_C(1) << c;
	}
	return usual;
}

void grid_generation_put(const struct grid_generation *g, struct grid_answer *a, const char *zone)
{
	uint64_t usual = grid_generation_usual(g);
	int newest = -1;

	for (int i = 0; i < g->n_times; i++) {
		const struct grid_fuel_mix *mix = &g->times[i].mix;
		int64_t ms = g->start_ms + i * g->step_ms;

		if (!g->times[i].seen)
			continue;
		if ((g->times[i].seen & usual) != usual || !grid_mix_is_whole(mix)) {
			grid_answer_drop(a, GRID_DROP_MISSING);
			continue;
		}
		grid_answer_put_span(a, GRID_CARBON, zone, ms, g->step_ms, grid_mix_carbon_mg(mix),
				     GRID_KIND_ESTIMATED);
		grid_answer_put_span(a, GRID_RENEWABLE, zone, ms, g->step_ms, grid_mix_renewable_permille(mix),
				     GRID_KIND_ESTIMATED);
		grid_answer_put_span(a, GRID_LOW_CARBON, zone, ms, g->step_ms, grid_mix_low_carbon_permille(mix),
				     GRID_KIND_ESTIMATED);
		newest = i;
	}
	if (newest >= 0) {
		int64_t ms = time_slot_floor(g->start_ms + newest * g->step_ms, SLOT_MS);
		struct grid_moment *m = grid_answer_moment(a, zone, ms);

		if (m)
			grid_mix_to_moment(&g->times[newest].mix, m);
	}
}
