/* SPDX-License-Identifier: Apache-2.0 */
/* Grid stress from demand, margin and loss-of-load probability. */
#include "grid/stress.h"

#include "base/cleanup.h"

#define DEMAND_WEIGHT_PERMILLE 500
#define FULL_MARGIN_PERMILLE 150 /* of demand */
#define FULL_LOSS_MILLIONTHS 100000

static const char *const cause_names[] = { "demand", "margin", "loss-of-load" };

const char *grid_stress_cause_name(enum grid_stress_cause c)
{
	return cause_names[c];
}

static int32_t at(const struct grid_series *s, int64_t ms)
{
	return s ? grid_series_at(s, ms) : GRID_UNKNOWN;
}

static int32_t of_demand(const struct grid_series *s, int64_t now_ms)
{
	int32_t now = at(s, now_ms), lowest = INT32_MAX, highest = INT32_MIN;
	int known = 0;

	if (now == GRID_UNKNOWN)
		return GRID_UNKNOWN;
	for (int i = 0; i < s->n; i++) {
		int64_t ms = s->start_ms + i * SLOT_MS;

		if (s->value[i] == GRID_UNKNOWN || ms < now_ms - 2 * DAY_MS || ms > now_ms + DAY_MS)
			continue;
		lowest = MIN(lowest, s->value[i]);
		highest = MAX(highest, s->value[i]);
		known++;
	}
	if (known < GRID_STRESS_MIN_SLOTS || highest == lowest)
		return GRID_UNKNOWN;
	return (int32_t)((int64_t)DEMAND_WEIGHT_PERMILLE * (now - lowest) / (highest - lowest));
}

static int32_t of_margin(int32_t margin_mw, int32_t demand_mw)
{
	int64_t permille;

	if (margin_mw == GRID_UNKNOWN || demand_mw == GRID_UNKNOWN || demand_mw <= 0)
		return GRID_UNKNOWN;
	permille = (int64_t)margin_mw * 1000 / demand_mw;
	return (int32_t)CLAMP(1000 - permille * 1000 / FULL_MARGIN_PERMILLE, 0, 1000);
}

static int32_t of_loss(int32_t millionths)
{
	return millionths == GRID_UNKNOWN ? GRID_UNKNOWN
					  : (int32_t)MIN((int64_t)millionths * 1000 / FULL_LOSS_MILLIONTHS, 1000);
}

int32_t grid_stress_permille(const struct grid_stress_input *in, int64_t now_ms, enum grid_stress_cause *ret_cause)
{
	const int32_t parts[] = { of_demand(in->demand, now_ms),
				  of_margin(at(in->margin, now_ms), at(in->demand, now_ms)),
				  of_loss(at(in->loss_of_load, now_ms)) };
	int32_t stress = GRID_UNKNOWN;

	for (int i = 0; i < (int)ARRAY_LEN(parts); i++)
		if (parts[i] != GRID_UNKNOWN && parts[i] > stress) {
			stress = parts[i];
			*ret_cause = (enum grid_stress_cause)i;
		}
	return stress;
}
