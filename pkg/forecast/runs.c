/* SPDX-License-Identifier: Apache-2.0 */
/* Lengths, power and load from past runs. */
#include <math.h>

#include "forecast/quantile.h"
#include "forecast/runs.h"

static bool estimate(const struct past_run *runs, int n, double p, double (*figure)(const struct past_run *run),
		     double *ret)
{
	struct weighted sample[RUNS_MAX];
	double weight = 1, sum = 0, squares = 0;
	int m = 0;

	for (int i = n - 1; i >= 0 && m < RUNS_MAX; i--) {
		double value = figure(&runs[i]);

		if (isnan(value))
			continue;
		sample[m++] = (struct weighted){ .value = value, .weight = weight };
		sum += weight;
		squares += weight * weight;
		weight *= exp2(-1.0 / RUNS_HALF_LIFE);
	}
	if (m == 0)
		return false;
	*ret = quantile_weighted(sample, m, quantile_level(p, sum * sum / squares));
	return true;
}

static double duration_s(const struct past_run *run)
{
	return run->end_ms >= run->start_ms ? (double)(run->end_ms - run->start_ms) / SECOND_MS : NAN;
}

static double power_w(const struct past_run *run)
{
	return run->power_w;
}

bool runs_duration_s(const struct past_run *runs, int n, double p, double *ret_s)
{
	return estimate(runs, n, p, duration_s, ret_s);
}

bool runs_power_w(const struct past_run *runs, int n, double p, double *ret_w)
{
	return estimate(runs, n, p, power_w, ret_w);
}

void runs_add_power(const struct past_run *runs, int n, int64_t first_slot_ms, int64_t slot_ms, int n_slots,
		    double *power)
{
	int64_t end_ms = first_slot_ms + n_slots * slot_ms;

	for (int i = 0; i < n; i++) {
		int64_t from = MAX(runs[i].start_ms, first_slot_ms), to = MIN(runs[i].end_ms, end_ms);

		for (int64_t at = from; at < to && !isnan(runs[i].power_w);) {
			int64_t slot = (at - first_slot_ms) / slot_ms;
			int64_t next = MIN(to, first_slot_ms + (slot + 1) * slot_ms);

			power[slot] += runs[i].power_w * (double)(next - at) / (double)slot_ms;
			at = next;
		}
	}
}
