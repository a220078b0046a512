/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a planner believed of the signals at a time: the truth, the truth with noise, forecasts as they were issued, or
 * those of pkg/forecast. Nothing issued after that time is read.
 *
 *	perfect             the signals themselves
 *	noise:SIGMA:SEED    each value plus a normal deviate of SIGMA times the zone's mean |value|, drawn once
 *	issued:F            F: `issued_utc,target_utc,zone,carbon_g_per_kwh,price_per_mwh`, values optional. A slot is
 *what the latest issue that tells of it said; an issue's values hold for the smallest distance of its targets model
 *pkg/forecast at each midnight of UTC, OUTLOOK_MODEL_HOURS ahead, trained each OUTLOOK_TRAIN_DAYS on what lay before;
 *nothing is known before the first
 *
 * Memory: as much again as the signals for noise; 8 bytes per forecast value otherwise. Read-only after opening.
 */
#ifndef SIM_OUTLOOK_H
#define SIM_OUTLOOK_H

#include "base/arena.h"
#include "sim/signals.h"

#define OUTLOOK_MAX_ROWS 16000000
#define OUTLOOK_MAX_VINTAGES 200000 /* of one zone */
#define OUTLOOK_MODEL_HOURS 96
#define OUTLOOK_TRAIN_DAYS 28
#define OUTLOOK_NEVER INT64_MAX

/* One issue: n consecutive slots of one zone. */
struct vintage {
	int64_t issued_ms;
	int first, n;
	double *value[SIGNAL_KINDS];
};

struct outlook {
	const struct signals *grid; /* borrowed: slots, and the truth */
	bool by_issue;
	bool exact; /* the truth: plans need not mind its error */
	double sigma;
	struct signals noisy;
	struct {
		struct vintage *list; /* by time */
		int n;
	} zones[SIGNALS_MAX_ZONES];
};

/* Values of slots of some zones, by slot; NAN = unknown. Those that it points to live as long as outlook and arena. */
struct view {
	int64_t first_ms, slot_ms;
	int n, n_zones;
	const double *(*value)[SIGNAL_KINDS]; /* of each zone */
	const struct signals *whole;          /* whose zones' values these are; NULL if they come from issues */
};

/* `spec` as above; "noise" and "model" say on stderr what takes time. Errors name the option or file and line. */
int outlook_open(struct outlook *o, const char *spec, const struct signals *grid, struct error *err) must_check;
void outlook_release(struct outlook *o);

/*
 * What was believed at as_of of the slots that touch from .. to (inside the grid). corrected: with the error of the
 * slot that has just ended added, fading (planner/replan.h).
 */
void outlook_view(const struct outlook *o, const int16_t *zones, int n_zones, int64_t from_ms, int64_t to_ms,
		  int64_t as_of_ms, bool corrected, struct arena *arena, struct view *ret);
/* The first time after t at which something new was known of these zones; OUTLOOK_NEVER if there is none. */
int64_t outlook_next(const struct outlook *o, const int16_t *zones, int n_zones, int64_t t_ms);

#endif
