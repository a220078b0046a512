/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Grid data as numbers: one value per half-hour slot of UTC, in integers with their unit fixed by the metric. Providers
 * translate their own labels, steps and units to this at the edge. Plain data; any thread.
 *
 *	GRID_CARBON		milligrams CO2(e) per kWh
 *	GRID_PRICE		millionths of the currency per kWh: a tariff, what is charged
 *	GRID_WHOLESALE		the same unit: day-ahead auction or market index
 *	GRID_SYSTEM_PRICE	the same unit: imbalance, known after the fact only, never a forecast
 *	GRID_FLEX_PRICE		the same unit: paid for demand that was moved (DFS utilisation)
 *	GRID_RESPONSE_PRICE	millionths of the currency per kW and hour of availability (response auctions)
 *	GRID_RENEWABLE		per mille of generation: wind, solar, hydro and biomass (as NESO counts it)
 *	GRID_LOW_CARBON		per mille of generation: the same and nuclear
 *	GRID_DEMAND, GRID_WIND, GRID_SOLAR, GRID_MARGIN		MW; margin is what is left above demand, de-rated
 *	GRID_LOSS_OF_LOAD	millionths: probability that demand cannot be met
 *	GRID_FREQUENCY		millihertz
 *	GRID_TEMPERATURE	millikelvin above 0 degrees Celsius, GRID_WIND_SPEED mm/s, GRID_IRRADIANCE W/m2
 *	GRID_STRESS		per mille, by us: grid/stress.h. No provider has it
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

enum grid_metric {
	GRID_CARBON,
	GRID_PRICE,
	GRID_RENEWABLE,
	GRID_LOW_CARBON,
	GRID_WHOLESALE,
	GRID_SYSTEM_PRICE,
	GRID_FLEX_PRICE,
	GRID_RESPONSE_PRICE,
	GRID_DEMAND,
	GRID_WIND,
	GRID_SOLAR,
	GRID_MARGIN,
	GRID_LOSS_OF_LOAD,
	GRID_FREQUENCY,
	GRID_TEMPERATURE,
	GRID_WIND_SPEED,
	GRID_IRRADIANCE,
	GRID_STRESS,
	GRID_METRICS
};

/* In order of trust. A carbon value of the past that no meter confirmed is an estimate. */
enum grid_kind { GRID_KIND_ACTUAL, GRID_KIND_ESTIMATED, GRID_KIND_FORECAST };

/* What is odd about a value that was taken all the same. */
enum grid_flag {
	GRID_FLAG_CLAMPED = 1,   /* negative carbon, kept as 0 */
	GRID_FLAG_RESAMPLED = 2, /* came in another step than half hours */
	GRID_FLAG_PARTIAL = 4,   /* mean of less than the whole slot */
	GRID_FLAG_CAPPED = 8,    /* at the tariff's cap: the true price is higher */
	GRID_FLAG_FILLED = 16,   /* from a source further down the chain, of the same basis */
};

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
	uint8_t kind[GRID_SERIES_MAX];  /* enum grid_kind, where the value is known */
	uint8_t flags[GRID_SERIES_MAX]; /* enum grid_flag, ditto */
};

/* One value with all that it means: what is stored, exported and shown. Strings are borrowed. */
struct grid_sample {
	const char *provider;
	const char *zone;
	enum grid_metric metric;
	struct grid_basis basis; /* carbon only, else empty */
	int64_t start_ms, duration_ms;
	int32_t value; /* GRID_UNKNOWN: missing */
	enum grid_kind kind;
	uint8_t flags;
	int64_t issued_ms, fetched_ms;
};

/* What belongs to one slot only: the provider's word and the generation mix. */
struct grid_moment {
	char zone[GRID_NAME_MAX];
	int64_t start_ms;
	char index[16]; /* display text, never input: its bands are redrawn every year */
	int n_mix;
	struct {
		char fuel[24];    /* grid/fuel.h's name where it is one of ours, else the provider's */
		int32_t permille; /* of generation and imports; never negative */
		int32_t mw;       /* GRID_UNKNOWN where the provider gives shares only; negative = export, pumping */
	} mix[GRID_MAX_FUELS];
};

/* "carbon", "price", ... "loss-of-load"; NULL past the end. */
const char *grid_metric_name(enum grid_metric m);
bool grid_metric_parse(const char *name, enum grid_metric *ret);
/* "mg/kWh", "micros/kWh", "permille", "MW", ... */
const char *grid_metric_unit(enum grid_metric m);
/* "actual", "estimated", "forecast". */
const char *grid_kind_name(enum grid_kind k);
bool grid_kind_parse(const char *name, enum grid_kind *ret);

/* Value of the slot that holds the time, GRID_UNKNOWN outside. */
int32_t grid_series_at(const struct grid_series *s, int64_t ms);
/* End of the last known slot that ends after now; TIME_NONE when the future is unknown. */
int64_t grid_series_horizon_ms(const struct grid_series *s, int64_t now_ms);

#endif
