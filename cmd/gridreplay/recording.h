/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What gridreplay knows: a CSV of recorded regional carbon intensity, the seeded forecasts made from it, and the
 * illustrative prices that go with it. Everything is counted in slots from the start of the recording, so that the same
 * seed gives the same forecasts whatever the time to which the recording is shifted. Read-only once loaded; any thread.
 */
#ifndef GRIDREPLAY_RECORDING_H
#define GRIDREPLAY_RECORDING_H

#include "base/clock.h"
#include "base/error.h"
#include "base/tz.h"

#define REGIONS 14
#define RECORDING_MAX_SLOTS 672
/* Forecasts reach 48 h: the running slot and 96 more. */
#define FORECAST_SLOTS 97
/* No value: an empty field of the CSV. */
#define MISSING INT32_MIN

struct region_info {
	int id;             /* the carbon API's regionid */
	const char *name;   /* its shortname */
	const char *dno;    /* its dnoregion, as of 2026 */
	const char *column; /* in the CSV */
	char gsp;           /* letter of the grid supply point group */
	/* Agile's published rule: price = slope * wholesale + peak from 16:00 to 19:00 local, in p/kWh without VAT. */
	double slope, peak;
};
extern const struct region_info region_table[REGIONS];

struct recording {
	int n;                                        /* slots */
	int64_t start_ms;                             /* domain time of slot 0 */
	int32_t carbon[RECORDING_MAX_SLOTS][REGIONS]; /* g/kWh, or MISSING */
	float *error;                                 /* see recording_seed() */
};

/* Header "time_utc,<region>,..." and half-hourly rows. ERR_INVALID names file and line. */
int recording_load(struct recording *rec, const char *path, struct error *err) must_check;
void recording_release(struct recording *rec);

/*
 * Draws the forecast errors. An error is a Gaussian field over (issue, target): normals on a lattice of 6 h by 4 h,
 * interpolated with weights normalised to unit variance, so that neighbouring slots and consecutive issues agree; 60 %
 * of its variance is common to all regions. It is scaled by lead so that the mean absolute error over all regions,
 * after clamping at zero, is 21, 25, 32 and 39 g/kWh at leads of 0-12, 12-24, 24-36 and 36-48 h.
 */
void recording_seed(struct recording *rec, uint64_t seed);

/* Slot number of a time: negative before the recording, >= n after it. */
int recording_slot(const struct recording *rec, int64_t ms);
int64_t recording_time(const struct recording *rec, int slot);
/* What came, g/kWh, or MISSING. */
int32_t recording_truth(const struct recording *rec, int region, int slot);
/* What was expected of `slot` in `issue` (a slot too): MISSING outside 48 h or the recording. */
int32_t recording_forecast(const struct recording *rec, int region, int issue, int slot);
/* Unweighted mean of the 14 regions of truth. */
double recording_national(const struct recording *rec, int slot);

/*
 * Illustrative, of our own making: wholesale price in p/kWh that is low when it is windy (national carbon is low) and
 *at night, high in the evening:
 *
 *	w = 0.09 * C - 6 + 2 cos(2 pi (h - 19) / 24) + 1.5 cos(4 pi (h - 8) / 24)
 *
 * with C the national carbon intensity in g/kWh and h the local hour. NAN outside the recording.
 */
double wholesale_price(const struct recording *rec, const struct tz *london, int slot);
/* Agile's rule on it, p/kWh without VAT, to 0.01 p, at most 100 p with VAT. NAN outside the recording. */
double agile_price(const struct recording *rec, const struct tz *london, int region, int slot);

#endif
