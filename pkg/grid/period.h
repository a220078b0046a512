/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time as grid data is labelled: settlement periods of local days, wall clocks without an offset, labels at the end of
 * an interval, sparse series. All labels become the start in UTC here and nowhere else. Pure; any thread.
 *
 * A day is given by its number since 1970-01-01 (time_days_from_civil()), as the local calendar of the zone shows
 * it. It has 46 half hours when clocks go forward, 50 when they go back, else 48; in zones that change by other
 * steps, other numbers. Period 1 starts at local midnight and period n (n - 1) steps of *elapsed* time later, as
 * Elexon and NESO count: in summer, period 1 of a British day starts at 23:00 UTC of the day before. tz NULL is UTC.
 */
#ifndef GRID_PERIOD_H
#define GRID_PERIOD_H

#include "base/clock.h"
#include "base/tz.h"

/* The moment at which that local day begins. Where midnight is skipped: the first moment after it. */
int64_t grid_day_start_ms(const struct tz *tz, int64_t day);
/* The local day that holds the moment. */
int64_t grid_day_of(const struct tz *tz, int64_t ms);
/* Whole periods of step_ms in that local day: 46, 48 or 50 half hours, 23 to 25 hours. */
int grid_day_periods(const struct tz *tz, int64_t day, int64_t step_ms);

/*
 * Start of period 1, 2, ... of a local day. With step HOUR_MS it is "hour ending n": the hour that ends n hours after
 * local midnight. False when the day has no such period: a period 47 on a day of 46 is a mistake of the sender, not the
 * next day.
 */
bool grid_period_start_ms(const struct tz *tz, int64_t day, int64_t period, int64_t step_ms, int64_t *ret_ms);
/* Which period of which day holds the moment. */
void grid_period_of(const struct tz *tz, int64_t ms, int64_t step_ms, int64_t *ret_day, int *ret_period);

/* "2026-05-06", alone or followed by the midnight that CKAN writes behind dates ("2026-05-06T00:00:00"). */
bool grid_date_parse(struct str text, int64_t *ret_day);

/*
 * A wall clock's text in a zone: "2026-05-06T00:30", with seconds or without, 'T' or a blank between; an offset or Z,
 * when there is one, wins over the zone. A time that clocks skip means the moment right after the gap. A time that
 * occurs twice means the first, unless that is not later than after_ms: a series in order passes the time before it,
 * and so gets the second hour (TIME_NONE: no time before).
 */
bool grid_wall_parse(const struct tz *tz, struct str text, int64_t after_ms, int64_t *ret_ms);

/* The start of an interval that is labelled with its end: NESO's embedded forecast, PV_Live, EIA's hours. */
static inline int64_t grid_start_of_end(int64_t end_ms, int64_t duration_ms)
{
	return end_ms - duration_ms;
}

/*
 * A series that leaves out positions whose value is that of the one before (ENTSO-E's curve type A03): what the point
 * at `position` (1, 2, ...) stands for, when the next one given is at `next` (0 = it is the last: it holds to the end).
 * False when the positions are out of order or outside of the period.
 */
struct grid_sparse {
	int64_t start_ms, end_ms, step_ms;
};
bool grid_sparse_span(const struct grid_sparse *s, int64_t position, int64_t next, int64_t *ret_from_ms,
		      int64_t *ret_to_ms);

#endif
