/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recorded grid signals and capacity limits from CSV (contracts 5), as columns on one regular grid of UTC.
 *
 * S: `time_utc,zone,carbon_g_per_kwh,price_per_mwh`; rows of several zones in any order. The step is the smallest
 * distance of two rows of a zone; times are multiples of it. Within a zone each step has its row: a gap or a time twice
 * is refused with its line; an empty value is "unknown". Zones may begin and end at different times. Values may be
 * negative, +-SIGNALS_MAX_VALUE at most. C: `zone,time_utc,limit_w`; a limit holds until the zone's next row, the last
 *to the end; before the first row there is none.
 *
 * Memory: 40 bytes per row while loading, then 48 bytes per zone and step. Read-only after loading: any thread.
 */
#ifndef SIM_SIGNALS_H
#define SIM_SIGNALS_H

#include "base/clock.h"

#define SIGNALS_MAX_ZONES 128
#define SIGNALS_MAX_ROWS 8000000
#define SIGNALS_MAX_CELLS INT64_C(32000000) /* zones x steps */
#define SIGNALS_MAX_VALUE 1e6
#define SIGNALS_MAX_WATTS 1e12

enum signal_kind { SIGNAL_CARBON, SIGNAL_PRICE, SIGNAL_KINDS };

struct signal_column {
	double *value;    /* g/kWh or currency/MWh; NAN = unknown */
	double *sum;      /* n + 1: of the known values of steps 0 .. i-1 */
	int *unknown;     /* n + 1: the first step from i on without a value; n if there is none */
	bool known;       /* there is any value */
	double mean_size; /* mean |value| of the known ones */
};

struct signal_zone {
	char *name;
	struct signal_column column[SIGNAL_KINDS];
};

struct signals {
	int64_t start_ms, step_ms;
	int n, n_zones;
	struct signal_zone *zones;      /* in order of their first rows */
	double mean_size[SIGNAL_KINDS]; /* of all zones; 0 where nothing is known */
};

int signals_load(struct signals *s, const char *path, struct error *err) must_check;
void signals_release(struct signals *s);
/* Index of the zone, -1 when there is none. */
int signals_zone(const struct signals *s, struct str name);
static inline int64_t signals_end_ms(const struct signals *s)
{
	return s->start_ms + s->n * s->step_ms;
}

/* Value times hours from one time to a later one, O(1); false if that is not all known. */
bool signals_integral(const struct signals *s, int zone, enum signal_kind kind, int64_t from_ms, int64_t to_ms,
		      double *ret) must_check;
/*
 * The same signals in slots of another length, a multiple or a divisor of the step (else ERR_INVALID); slots are
 * multiples of their length. A slot that is not all known is unknown.
 */
int signals_resample(const struct signals *s, int64_t slot_ms, struct signals *ret, struct error *err) must_check;
/* A copy without values of a kind of its own: all unknown; for what is filled in and then closed by signals_sum(). */
void signals_blank(const struct signals *like, struct signals *ret);
/* Makes sums, means and marks of unknown values from the values. */
void signals_sum(struct signals *s);

/* Watts that may be used in each zone (may be NULL: no limit) and slot of `like`; INFINITY = no limit. */
struct capacity {
	double *watts[SIGNALS_MAX_ZONES];
};
int capacity_load(struct capacity *c, const char *path, const struct signals *like, struct error *err) must_check;
void capacity_release(struct capacity *c);

#endif
