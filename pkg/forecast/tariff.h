/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Retail prices that follow a wholesale price, as data. One wholesale series gives the prices of all regions and
 * products: forecast that one, and map. The rule is that of Octopus Agile:
 *
 *	price = min(cap, tax * (slope * wholesale + (peak hours ? peak : 0)))
 *
 * All prices in the same unit per kWh (Agile: pence; slope 2.0 to 2.4 and peak 11 to 14 by region, tax 1.05, peak 16:00
 * to 19:00 London time; cap by product). The product's figures are configuration, not constants. Pure; thread: any.
 */
#ifndef FORECAST_TARIFF_H
#define FORECAST_TARIFF_H

#include <stdbool.h>

#include "base/tz.h"

struct tariff {
	double slope;                 /* > 0 */
	double peak;                  /* added in peak hours */
	int peak_begin_h, peak_end_h; /* local hours, [begin, end); equal: none */
	double tax;                   /* > 0; 1 = none */
	double cap;                   /* INFINITY = none */
	const struct tz *zone;        /* whose clock tells the peak hours; borrowed */
};

/* NAN for a wholesale price of NAN. */
double tariff_price(const struct tariff *t, double wholesale, int64_t utc_ms);
/* The wholesale price behind a retail one; false when that is NAN or at the cap, which hides what is behind it. */
bool tariff_wholesale(const struct tariff *t, double price, int64_t utc_ms, double *ret_wholesale);

#endif
