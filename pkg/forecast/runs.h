/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What past runs tell: how long the next run of the same template takes and how much power it draws, and how much power
 * a namespace has drawn over time, which is a series for forecast_train() like any other. Pure; thread: any.
 */
#ifndef FORECAST_RUNS_H
#define FORECAST_RUNS_H

#include <stdbool.h>

#include "base/clock.h"

/* So many runs are looked at, the latest ones; each counts half as much as the one RUNS_HALF_LIFE runs later. */
#define RUNS_MAX 64
#define RUNS_HALF_LIFE 16

/* A run that was completed; failed and interrupted ones tell nothing about the length. */
struct past_run {
	int64_t start_ms, end_ms;
	double power_w; /* mean; NAN = not known */
};

/*
 * Quantile p of duration and of power of the next run, from n runs in order of their end; false, and nothing written,
 * when there is none (with a known power). Few runs widen: with n runs no more is known than their extremes, so from
 * p >= n / (n + 1) on it is the longest. O(n log n).
 */
bool runs_duration_s(const struct past_run *runs, int n, double p, double *ret_s);
bool runs_power_w(const struct past_run *runs, int n, double p, double *ret_w);

/*
 * Adds up the mean power of each slot: the part of it that a run was there times the run's power. Runs without a known
 * power are left out. O(runs * slots they touch).
 */
void runs_add_power(const struct past_run *runs, int n, int64_t first_slot_ms, int64_t slot_ms, int n_slots,
		    double *power_w);

#endif
