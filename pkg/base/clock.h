/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time. All times are int64_t milliseconds since 1970-01-01T00:00:00Z (`_ms`), durations too; TIME_NONE is "not set".
 *
 * Two clocks (contracts 4): the **real clock** is the machine's and the only one that pkg/http and pkg/k8s see; the
 * **domain clock** is what jobs, forecasts and plans live by. In production they are the same. For demo and tests the
 * domain clock is affine: it agrees with the real one at `origin_ms` and runs `factor` times as fast:
 *
 *	domain = origin + factor * (real - origin)
 *
 * Several processes given the same origin and factor agree without talking. Pure code takes `now_ms` as an argument.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/error.h"
#include "base/str.h"

#define TIME_NONE INT64_MIN
#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
/* The half hour of UTC in which all plans are counted. */
#define SLOT_MS (30 * MINUTE_MS)

#define CLOCK_MAX_FACTOR 240

struct clock {
	int64_t origin_ms;
	int32_t factor; /* 1 .. CLOCK_MAX_FACTOR; 1 is the real clock whatever the origin */
};

#define CLOCK_REAL ((struct clock){ 0, 1 })

/* The machine's wall clock and its monotonic clock (for timeouts and durations only). Thread: any. */
int64_t clock_wall_ms(void);
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);

int64_t clock_now_ms(const struct clock *c);
int64_t clock_to_domain_ms(const struct clock *c, int64_t real_ms);
int64_t clock_to_real_ms(const struct clock *c, int64_t domain_ms);
/* Real milliseconds from now until that domain time, 0 when it has passed. Rounded up. */
int64_t clock_real_until_ms(const struct clock *c, int64_t domain_ms);
static inline bool clock_is_real(const struct clock *c)
{
	return c->factor == 1;
}

/*
 * RFC 3339: "2023-02-09T07:00:00Z", seconds optional ("2023-02-09T07:00Z", as the GB Carbon Intensity API writes),
 * any fraction (cut to ms), offset Z or +hh:mm. Years 1970 to 9999. A time without offset is refused.
 */
bool time_parse(struct str s, int64_t *ret_ms);
#define TIME_TEXT 32
/*
 * "2023-02-09T07:00:00Z" (whole seconds) into out; returns out. TIME_NONE gives "", a time outside the years 0 to 9999
 * the nearest that is inside.
 */
char *time_format(int64_t ms, char out[TIME_TEXT]);
/* The same for writers of rows: returns the text's end (its NUL). */
char *time_put(char at[TIME_TEXT], int64_t ms);
/* "2023-02-09T07:00:00.123456Z", as metav1.MicroTime (Lease) wants it. */
char *time_format_micro(int64_t ms, char out[TIME_TEXT]);
/* "2023-02-09T07:00Z", as the GB Carbon Intensity API wants it. */
char *time_format_minute(int64_t ms, char out[TIME_TEXT]);
/* "2d3h", "3h20m", "14m", "12s": for people. */
char *time_format_duration(int64_t ms, char out[TIME_TEXT]);

/* Days since 1970-01-01 of a civil date, and back (proleptic Gregorian). month 1..12, day 1..31. */
int64_t time_days_from_civil(int year, int month, int day);
void time_civil_from_days(int64_t days, int *ret_year, int *ret_month, int *ret_day);
/* 0 = Sunday. */
int time_weekday(int64_t days);

/* The start of the slot that holds the time; the first slot start not before it. */
static inline int64_t time_slot_floor(int64_t ms, int64_t slot_ms)
{
	int64_t r = ms % slot_ms;
	return ms - (r < 0 ? r + slot_ms : r);
}
static inline int64_t time_slot_ceil(int64_t ms, int64_t slot_ms)
{
	return time_slot_floor(ms + slot_ms - 1, slot_ms);
}

#endif
