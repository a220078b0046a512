/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lies ahead in one region: means of carbon, price and renewable share over any span, in constant time, from
 * prefix sums over the slots of a GridRegion's forecast. Slots without a value take no part in a mean; slots that a
 * span covers in part count in part. Immutable once built. Pure; any thread.
 */
#ifndef EXTENDER_OUTLOOK_H
#define EXTENDER_OUTLOOK_H

#include "api/gridregion.h"
#include "base/arena.h"

enum outlook_signal { OUTLOOK_CARBON, OUTLOOK_PRICE, OUTLOOK_RENEWABLE, OUTLOOK_N };

/* n + 1 running totals each, in slots: index i is everything before slot i. */
struct outlook_column {
	double *sum;
	double *magnitude; /* of |value| */
	double *known;     /* slots with a value */
};

struct outlook {
	int64_t start_ms;
	int64_t slot_ms;
	int64_t until_ms; /* end of the last slot with a carbon value; start_ms when there is none */
	int n;            /* 0 = no forecast */
	struct outlook_column columns[OUTLOOK_N];
};

/* priced: the price column may be used (costBasis is not None). Memory from the arena. */
void outlook_init(struct outlook *o, const struct grid_forecast *f, bool priced, struct arena *arena);
/* Carbon of the slot at now_ms is known. */
bool outlook_has(const struct outlook *o, int64_t now_ms);
/* Time-weighted mean of the known values in [from, to): mg/kWh, micros/kWh, per mille. NAN when there is none. */
double outlook_mean(const struct outlook *o, enum outlook_signal s, int64_t from_ms, int64_t to_ms);
/* Adds up |value| and the number of values over all slots that end after now_ms. */
void outlook_magnitude(const struct outlook *o, enum outlook_signal s, int64_t now_ms, double *sum, double *known);

#endif
