/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IANA time zones from the system's compiled files (RFC 8536, version 2 or later; package tzdata), with the rule in the
 * file's footer for all times after its table. "UTC" is built in and needs no file. A zone never changes once loaded:
 * it may be used by any thread, and is loaded again to see a newer tzdata.
 *
 *	struct tz *zone;
 *	if (tz_load("Europe/London", &zone, err))
 *		return -1;
 *	int64_t seven = tz_local_to_utc_ms(zone, 2026, 3, 29, 7, 0);
 */
#ifndef BASE_TZ_H
#define BASE_TZ_H

#include "base/error.h"

struct tz;

/*
 * Reads the zone of that name from the directory in the environment's TZDIR, else /usr/share/zoneinfo. ERR_INVALID when
 * the name is none ("..", a leading '/', other characters than letters, digits, '_', '+', '-' and '/') or the file is
 * no time zone, ERR_NOT_FOUND when there is no such zone. Free with tz_free(), which accepts NULL.
 */
int tz_load(const char *name, struct tz **ret, struct error *err) must_check;
void tz_free(struct tz *tz);
DEFINE_CLEANUP(struct tz, tz, tz_free);

/* Seconds that local time is ahead of UTC at that moment. Before the table's first entry: its first offset. */
int32_t tz_offset_s(const struct tz *tz, int64_t utc_ms);
/*
 * The first moment at which the zone's clock shows that time or a later one. So a time that occurs twice (clocks put
 * back) means the first of the two, and a time that is skipped (clocks put forward) means the moment right after the
 * gap. The date and time must exist in the calendar, years 1 to 9999.
 */
int64_t tz_local_to_utc_ms(const struct tz *tz, int year, int month, int day, int hour, int minute);

#endif
