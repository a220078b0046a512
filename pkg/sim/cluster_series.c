/* SPDX-License-Identifier: Apache-2.0 */
/* Sums by zone and half hour. */
#include "sim/cluster_series.h"

#include <math.h>

#include "base/alloc.h"
#include "base/decimal.h"

int series_init(struct cluster_series *s, const struct signals *signals, struct error *err)
{
	int64_t start_ms = time_slot_floor(signals->start_ms, SLOT_MS);
	int64_t n = (time_slot_ceil(signals_end_ms(signals), SLOT_MS) - start_ms) / SLOT_MS;
	size_t cells = (size_t)(n * signals->n_zones);

	if (n * signals->n_zones > SERIES_MAX_CELLS)
		return error_set(err, ERR_LIMIT,
				 "the signals have %lld half hours in %d zones, more than %lld together", (long long)n,
				 signals->n_zones, (long long)SERIES_MAX_CELLS);
	*s = (struct cluster_series){
		.start_ms = start_ms, .n = (int)n, .n_zones = signals->n_zones, .first = (int)n, .last = -1
	};
	for (int i = 0; i < SERIES_SIDES; i++) {
		s->side[i].energy_wh = xcalloc(cells, sizeof(double));
		s->side[i].carbon_g = xcalloc(cells, sizeof(double));
		s->side[i].cost = xcalloc(cells, sizeof(double));
	}
	return 0;
}

void series_release(struct cluster_series *s)
{
	for (int i = 0; i < SERIES_SIDES; i++) {
		free(s->side[i].energy_wh);
		free(s->side[i].carbon_g);
		free(s->side[i].cost);
	}
	*s = (struct cluster_series){ .n = 0 };
}

static double times(const struct signals *truth, int zone, enum signal_kind kind, int64_t from_ms, int64_t to_ms,
		    double kw)
{
	double integral;

	return signals_integral(truth, zone, kind, from_ms, to_ms, &integral) ? integral * kw : NAN;
}

void series_add(struct cluster_series *s, enum series_side side, const struct signals *truth, int zone, int64_t from_ms,
		int64_t to_ms, double watts, struct series_sum *sum)
{
	for (int64_t t = from_ms; t < to_ms;) {
		int64_t slot = (time_slot_floor(t, SLOT_MS) - s->start_ms) / SLOT_MS;
		int64_t next = MIN(time_slot_floor(t, SLOT_MS) + SLOT_MS, to_ms);
		double wh = watts * (double)(next - t) / (double)HOUR_MS;
		/* g/kWh by kW; per MWh by MW */
		double carbon = times(truth, zone, SIGNAL_CARBON, t, next, watts / 1e3);
		double cost = times(truth, zone, SIGNAL_PRICE, t, next, watts / 1e6);

		sum->energy_wh += wh;
		sum->carbon_g += carbon;
		sum->cost += cost;
		t = next;
		if (slot < 0 || slot >= s->n)
			continue;
		size_t at = series_cell(s, zone, (int)slot);
		s->side[side].energy_wh[at] += wh;
		s->side[side].carbon_g[at] += isnan(carbon) ? 0 : carbon;
		s->side[side].cost[at] += isnan(cost) ? 0 : cost;
		s->first = MIN(s->first, (int)slot);
		s->last = MAX(s->last, (int)slot);
	}
}

void series_write(const struct cluster_series *s, const struct signals *truth, FILE *out)
{
	char time[TIME_TEXT];

	(void)fprintf(out, "time_utc,zone,power_w,carbon_g,baseline_power_w,baseline_carbon_g\n");
	for (int i = s->first; i <= s->last; i++) {
		(void)time_format(s->start_ms + i * SLOT_MS, time);
		for (int z = 0; z < s->n_zones; z++) {
			size_t at = series_cell(s, z, i);
			/* Half an hour: the mean power is twice the energy. */
			(void)fprintf(out, "%s,%s,%.3f,%.3f,%.3f,%.3f\n", time, truth->zones[z].name,
				      2 * s->side[SERIES_OURS].energy_wh[at], s->side[SERIES_OURS].carbon_g[at],
				      2 * s->side[SERIES_BASELINE].energy_wh[at],
				      s->side[SERIES_BASELINE].carbon_g[at]);
		}
	}
}
