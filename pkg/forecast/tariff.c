/* SPDX-License-Identifier: Apache-2.0 */
/* Retail prices from wholesale ones, and back. */
#include <math.h>

#include "base/clock.h"
#include "forecast/tariff.h"

static double peak_at(const struct tariff *t, int64_t utc_ms)
{
	int64_t local_ms = utc_ms + tz_offset_s(t->zone, utc_ms) * SECOND_MS;
	int64_t hour = (local_ms - time_slot_floor(local_ms, DAY_MS)) / HOUR_MS;

	return hour >= t->peak_begin_h && hour < t->peak_end_h ? t->peak : 0;
}

double tariff_price(const struct tariff *t, double wholesale, int64_t utc_ms)
{
	double price = t->tax * (t->slope * wholesale + peak_at(t, utc_ms));

	return price > t->cap ? t->cap : price;
}

bool tariff_wholesale(const struct tariff *t, double price, int64_t utc_ms, double *ret_wholesale)
{
	if (isnan(price) || price >= t->cap)
		return false;
	*ret_wholesale = (price / t->tax - peak_at(t, utc_ms)) / t->slope;
	return true;
}
