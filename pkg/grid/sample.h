/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Grid data as numbers: one value per half-hour slot of UTC, in integers with their unit fixed by the metric. Providers
 * translate their own labels, steps and units to this at the edge. Plain data; any thread.
 *
 *	GRID_CARBON	milligrams CO2(e) per kWh
 *	GRID_PRICE	millionths of the currency per kWh
 *	GRID_RENEWABLE	per mille of generation: wind, solar, hydro and biomass (as NESO counts it)
 */
#ifndef GRID_SAMPLE_H
#define GRID_SAMPLE_H

#include "base/clock.h"

/* A value that is not known. Never 0: zero carbon and free power are real. */
#define GRID_UNKNOWN INT32_MIN
/* Two days behind now, two weeks ahead. */
#define GRID_PAST_SLOTS 96
#define GRID_SERIES_MAX (GRID_PAST_SLOTS + 672)
#define GRID_MAX_FUELS 24
#define GRID_NAME_MAX 64

enum grid_metric { GRID_CARBON, GRID_PRICE, GRID_RENEWABLE, GRID_METRICS };

/* In order of trust. A carbon value of the past that no meter confirmed is an estimate. */
enum grid_kind { GRID_KIND_ACTUAL, GRID_KIND_ESTIMATED, GRID_KIND_FORECAST };

/* What a carbon figure means; two figures are compared only when all four are equal. Empty strings = not known. */
struct grid_basis {
	char accounting[12]; /* average | marginal */
	char scope[12];      /* direct | lifecycle */
	char boundary[14];   /* production | consumption */
	char resolution[12]; /* national | regional | zone */
};

/* One metric of one zone. */
struct grid_series {
	enum grid_metric metric;
	char zone[GRID_NAME_MAX]; /* the provider's name of the place */
	int64_t issued_ms;        /* when the provider made it; where it does not say: the slot in which we asked */
	int64_t start_ms;         /* of value[0], a slot border */
	int n;
	int32_t value[GRID_SERIES_MAX];
	uint8_t kind[GRID_SERIES_MAX]; /* enum grid_kind, where the value is known */
};

/* What belongs to one slot only: the provider's word and the generation mix. */
struct grid_moment {
	char zone[GRID_NAME_MAX];
	int64_t start_ms;
	char index[16]; /* display text, never input: its bands are redrawn every year */
	int n_mix;
	struct {
		char fuel[24];
		int32_t permille;
	} mix[GRID_MAX_FUELS];
};

/* "carbon", "price", "renewable"; "actual", "estimated", "forecast". */
const char *grid_metric_name(enum grid_metric m);
const char *grid_kind_name(enum grid_kind k);
bool grid_kind_parse(const char *name, enum grid_kind *ret);

/* Value of the slot that holds the time, GRID_UNKNOWN outside. */
int32_t grid_series_at(const struct grid_series *s, int64_t ms);
/* End of the last known slot that ends after now; TIME_NONE when the future is unknown. */
int64_t grid_series_horizon_ms(const struct grid_series *s, int64_t now_ms);

#endif
