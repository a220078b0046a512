/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks, RFC 3339 and civil dates. */
#include "base/clock.h"

#include <stdio.h>

int64_t clock_wall_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t clock_mono_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}

int64_t clock_now_ms(const struct clock *c)
{
	return clock_to_domain_ms(c, clock_wall_ms());
}

int64_t clock_to_domain_ms(const struct clock *c, int64_t real_ms)
{
	if (c->factor == 1 || real_ms == TIME_NONE)
		return real_ms;
	return c->origin_ms + (real_ms - c->origin_ms) * c->factor;
}

int64_t clock_to_real_ms(const struct clock *c, int64_t domain_ms)
{
	if (c->factor == 1 || domain_ms == TIME_NONE)
		return domain_ms;
	/* Rounded up, so that whoever sleeps until then does not wake before the domain time. */
	int64_t ahead = domain_ms - c->origin_ms;
	int64_t up = ahead > 0 ? c->factor - 1 : 0;

	return c->origin_ms + (ahead + up) / c->factor;
}

int64_t clock_real_until_ms(const struct clock *c, int64_t domain_ms)
{
	return MAX(clock_to_real_ms(c, domain_ms) - clock_wall_ms(), 0);
}

/* Howard Hinnant, "chrono-compatible low-level date algorithms": eras of 400 years that begin in March. */
int64_t time_days_from_civil(int year, int month, int day)
{
	int64_t y = year - (month <= 2);
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t yoe = y - era * 400;
	int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

	return era * 146097 + doe - 719468;
}

void time_civil_from_days(int64_t days, int *ret_year, int *ret_month, int *ret_day)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;

	*ret_day = (int)(doy - (153 * mp + 2) / 5 + 1);
	*ret_month = (int)(mp < 10 ? mp + 3 : mp - 9);
	*ret_year = (int)(yoe + era * 400 + (*ret_month <= 2));
}

int time_weekday(int64_t days)
{
	int64_t w = (days + 4) % 7; /* 1970-01-01 was a Thursday */

	return (int)(w < 0 ? w + 7 : w);
}

/* Exactly n digits at *p, which moves behind them. */
static bool digits(const char **p, const char *end, int n, int *ret)
{
	int v = 0;

	if (end - *p < n)
		return false;
	for (int i = 0; i < n; i++, (*p)++) {
		if (**p < '0' || **p > '9')
			return false;
		v = v * 10 + (**p - '0');
	}
	*ret = v;
	return true;
}

static bool literal(const char **p, const char *end, char c)
{
	if (*p == end || **p != c)
		return false;
	(*p)++;
	return true;
}

static bool parse_offset(const char **p, const char *end, int64_t *ret_ms)
{
	int h, m;

	if (literal(p, end, 'Z') || literal(p, end, 'z')) {
		*ret_ms = 0;
		return true;
	}
	bool minus = literal(p, end, '-');
	if (!minus && !literal(p, end, '+'))
		return false;
	if (!digits(p, end, 2, &h) || !literal(p, end, ':') || !digits(p, end, 2, &m) || h > 23 || m > 59)
		return false;
	*ret_ms = (minus ? -1 : 1) * (h * HOUR_MS + m * MINUTE_MS);
	return true;
}

static bool parse_date(const char **p, const char *end, int64_t *ret_days)
{
	int y, m, d;

	if (!digits(p, end, 4, &y) || !literal(p, end, '-') || !digits(p, end, 2, &m) || !literal(p, end, '-') ||
	    !digits(p, end, 2, &d) || y < 1970 || m < 1 || m > 12 || d < 1)
		return false;
	bool leap = y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
	*ret_days = time_days_from_civil(y, m, d);
	return d <= (m == 2 ? 28 + leap : 30 + (m + (m > 7)) % 2);
}

bool time_parse(struct str s, int64_t *ret_ms)
{
	const char *p = s.ptr, *end = p ? p + s.len : NULL;
	int64_t days, offset;
	int h, m, sec = 0, fraction_ms = 0;

	if (!p || !parse_date(&p, end, &days) || p == end || (*p != 'T' && *p != 't' && *p != ' '))
		return false;
	p++;
	if (!digits(&p, end, 2, &h) || !literal(&p, end, ':') || !digits(&p, end, 2, &m) || h > 23 || m > 59)
		return false;
	if (literal(&p, end, ':')) {
		/* A leap second is the first instant of the next minute. */
		if (!digits(&p, end, 2, &sec) || sec > 60)
			return false;
		if (literal(&p, end, '.')) {
			int place = 100, n = 0;

			for (; p < end && *p >= '0' && *p <= '9'; p++, n++, place /= 10)
				fraction_ms += (*p - '0') * place;
			if (n == 0)
				return false;
		}
	}
	if (!parse_offset(&p, end, &offset) || p != end)
		return false;
	*ret_ms = days * DAY_MS + h * HOUR_MS + m * MINUTE_MS + sec * SECOND_MS + fraction_ms - offset;
	return true;
}

/* RFC 3339 has four digits for the year: what lies outside is shown as the first or the last moment that it has. */
#define FIRST_MS (-719528 * DAY_MS)
#define LAST_MS (2932897 * DAY_MS - 1)

/* So many digits; no snprintf(), since every status and log line has some. */
static char *put_digits(char *at, uint32_t n, int digits)
{
	for (int i = digits; i-- > 0; n /= 10)
		at[i] = (char)('0' + n % 10);
	return at + digits;
}

/* Returns the text's end. */
static char *format(int64_t ms, bool seconds, bool micro, char *at)
{
	int y, mo, d;

	*at = '\0';
	if (ms == TIME_NONE)
		return at;
	ms = CLAMP(ms, FIRST_MS, LAST_MS);
	int64_t day_start = time_slot_floor(ms, DAY_MS);
	uint32_t in_day = (uint32_t)(ms - day_start);
	time_civil_from_days(day_start / DAY_MS, &y, &mo, &d);
	at = put_digits(at, (uint32_t)y, 4);
	*at++ = '-';
	at = put_digits(at, (uint32_t)mo, 2);
	*at++ = '-';
	at = put_digits(at, (uint32_t)d, 2);
	*at++ = 'T';
	at = put_digits(at, in_day / HOUR_MS, 2);
	*at++ = ':';
	at = put_digits(at, in_day / MINUTE_MS % 60, 2);
	if (seconds) {
		*at++ = ':';
		at = put_digits(at, in_day / SECOND_MS % 60, 2);
	}
	if (micro) {
		*at++ = '.';
		at = put_digits(at, in_day % SECOND_MS * 1000, 6);
	}
	*at++ = 'Z';
	*at = '\0';
	return at;
}

char *time_format(int64_t ms, char out[TIME_TEXT])
{
	format(ms, true, false, out);
	return out;
}

char *time_put(char at[TIME_TEXT], int64_t ms)
{
	return format(ms, true, false, at);
}

char *time_format_micro(int64_t ms, char out[TIME_TEXT])
{
	format(ms, true, true, out);
	return out;
}

char *time_format_minute(int64_t ms, char out[TIME_TEXT])
{
	format(ms, false, false, out);
	return out;
}

char *time_format_duration(int64_t ms, char out[TIME_TEXT])
{
	const char *sign = ms < 0 ? "-" : "";
	uint64_t s = (ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms) / SECOND_MS;

	if (s >= 86400)
		(void)snprintf(out, TIME_TEXT, "%s%" PRIu64 "d%dh", sign, s / 86400, (int)(s / 3600 % 24));
	else if (s >= 3600)
		(void)snprintf(out, TIME_TEXT, "%s%dh%02dm", sign, (int)(s / 3600), (int)(s / 60 % 60));
	else if (s >= 60)
		(void)snprintf(out, TIME_TEXT, "%s%dm", sign, (int)(s / 60));
	else
		(void)snprintf(out, TIME_TEXT, "%s%ds", sign, (int)s);
	return out;
}
