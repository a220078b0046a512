/* SPDX-License-Identifier: Apache-2.0 */
/* Labels of grid data to UTC: local days and their periods, wall clocks, sparse series. */
#include "grid/period.h"

/* Further than any two clock changes of one zone are apart from noon, and closer than the next day. */
#define OVERLAP_MS (3 * HOUR_MS)

static int64_t offset_ms(const struct tz *tz, int64_t ms)
{
	return tz ? tz_offset_s(tz, ms) * SECOND_MS : 0;
}

int64_t grid_day_start_ms(const struct tz *tz, int64_t day)
{
	int year, month, mday;

	if (!tz)
		return day * DAY_MS;
	time_civil_from_days(day, &year, &month, &mday);
	return tz_local_to_utc_ms(tz, year, month, mday, 0, 0);
}

int64_t grid_day_of(const struct tz *tz, int64_t ms)
{
	return time_slot_floor(ms + offset_ms(tz, ms), DAY_MS) / DAY_MS;
}

int grid_day_periods(const struct tz *tz, int64_t day, int64_t step_ms)
{
	return (int)((grid_day_start_ms(tz, day + 1) - grid_day_start_ms(tz, day)) / step_ms);
}

bool grid_period_start_ms(const struct tz *tz, int64_t day, int64_t period, int64_t step_ms, int64_t *ret_ms)
{
	if (period < 1 || period > grid_day_periods(tz, day, step_ms))
		return false;
	*ret_ms = grid_day_start_ms(tz, day) + (period - 1) * step_ms;
	return true;
}

void grid_period_of(const struct tz *tz, int64_t ms, int64_t step_ms, int64_t *ret_day, int *ret_period)
{
	int64_t day = grid_day_of(tz, ms);

	*ret_day = day;
	*ret_period = (int)((ms - grid_day_start_ms(tz, day)) / step_ms) + 1;
}

static bool take_number(struct str *rest, size_t digits, int max, int *ret)
{
	int64_t v;

	if (rest->len < digits || rest->ptr[0] == '-' || !str_to_i64(str_of(rest->ptr, digits), 0, max, &v))
		return false;
	*rest = str_of(rest->ptr + digits, rest->len - digits);
	*ret = (int)v;
	return true;
}

static bool take_char(struct str *rest, char c)
{
	if (rest->len == 0 || rest->ptr[0] != c)
		return false;
	*rest = str_of(rest->ptr + 1, rest->len - 1);
	return true;
}

static bool take_date(struct str *rest, int *year, int *month, int *mday)
{
	int y, m, d;

	if (!take_number(rest, 4, 9999, year) || !take_char(rest, '-') || !take_number(rest, 2, 12, month) ||
	    !take_char(rest, '-') || !take_number(rest, 2, 31, mday) || *year < 1970 || *month < 1 || *mday < 1)
		return false;
	/* The 31st of June comes back as another date. */
	time_civil_from_days(time_days_from_civil(*year, *month, *mday), &y, &m, &d);
	return y == *year && m == *month && d == *mday;
}

bool grid_date_parse(struct str text, int64_t *ret_day)
{
	struct str rest = str_trim(text);
	int year, month, mday;

	if (!take_date(&rest, &year, &month, &mday))
		return false;
	if (rest.len && !str_is(rest, "T00:00:00") && !str_is(rest, "T00:00") && !str_is(rest, " 00:00:00"))
		return false;
	*ret_day = time_days_from_civil(year, month, mday);
	return true;
}

/* The second moment that shows the same clock, when clocks are put back between the two; else the first. */
static int64_t second_of(const struct tz *tz, int64_t first)
{
	int64_t later = offset_ms(tz, first + OVERLAP_MS);
	int64_t second = first + offset_ms(tz, first) - later;

	return second > first && offset_ms(tz, second) == later ? second : first;
}

bool grid_wall_parse(const struct tz *tz, struct str text, int64_t after_ms, int64_t *ret_ms)
{
	struct str whole = str_trim(text), rest = whole;
	int year, month, mday, hour, minute, second = 0;
	int64_t ms;

	if (time_parse(whole, ret_ms))
		return true;
	if (!take_date(&rest, &year, &month, &mday) || !(take_char(&rest, 'T') || take_char(&rest, ' ')) ||
	    !take_number(&rest, 2, 23, &hour) || !take_char(&rest, ':') || !take_number(&rest, 2, 59, &minute))
		return false;
	if (take_char(&rest, ':') && !take_number(&rest, 2, 59, &second))
		return false;
	/* A fraction of a second says nothing here. */
	if (take_char(&rest, '.'))
		while (rest.len && rest.ptr[0] >= '0' && rest.ptr[0] <= '9')
			rest = str_of(rest.ptr + 1, rest.len - 1);
	if (rest.len)
		return false;
	ms = tz ? tz_local_to_utc_ms(tz, year, month, mday, hour, minute)
		: time_days_from_civil(year, month, mday) * DAY_MS + hour * HOUR_MS + minute * MINUTE_MS;
	if (after_ms != TIME_NONE && ms <= after_ms)
		ms = second_of(tz, ms);
	*ret_ms = ms + second * SECOND_MS;
	return true;
}

bool grid_sparse_span(const struct grid_sparse *s, int64_t position, int64_t next, int64_t *ret_from_ms,
		      int64_t *ret_to_ms)
{
	int64_t positions;

	if (s->step_ms <= 0 || s->end_ms <= s->start_ms || (s->end_ms - s->start_ms) % s->step_ms)
		return false;
	positions = (s->end_ms - s->start_ms) / s->step_ms;
	if (position < 1 || position > positions || (next && (next <= position || next > positions)))
		return false;
	*ret_from_ms = s->start_ms + (position - 1) * s->step_ms;
	*ret_to_ms = next ? s->start_ms + (next - 1) * s->step_ms : s->end_ms;
	return true;
}
