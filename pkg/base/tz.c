/* SPDX-License-Identifier: Apache-2.0 */
/* Time zones: the table of an RFC 8536 file, and the POSIX TZ rule of its footer. Times are seconds in here. */
#include "base/tz.h"

#include <ctype.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"

#define TZ_DIR "/usr/share/zoneinfo"
#define TZ_MAX_NAME 64
#define TZ_MAX_FILE (64 * 1024)
#define DAY_S INT64_C(86400)
#define HEADER_BYTES 44
/* More than any offset can be. */
#define TZ_MAX_OFFSET_S (26 * 3600)

/* When one half of the year begins: a day of the year in one of three notations, and a local time of day. */
struct tz_change {
	enum { TZ_WEEKDAY, TZ_JULIAN, TZ_DAY } kind;
	int month, week, day; /* Mmonth.week.day; for the others only day: 1..365 without 29 February, 0..365 with it */
	int32_t time_s;
};

struct tz_rule {
	bool present;
	bool has_dst;
	int32_t std_s, dst_s;
	struct tz_change to_dst, to_std;
};

struct tz {
	size_t n;
	int64_t *times; /* ascending; offsets[i] holds from times[i] on */
	int32_t *offsets;
	int32_t first_offset; /* before times[0] */
	struct tz_rule rule;  /* from the last of times on */
};

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static bool take_char(struct str *s, char c)
{
	if (!s->len || s->ptr[0] != c)
		return false;
	*s = str_of(s->ptr + 1, s->len - 1);
	return true;
}

static bool take_number(struct str *s, int max, int *ret)
{
	int v = 0;
	size_t n = 0;

	for (; n < s->len && n < 4 && isdigit((unsigned char)s->ptr[n]); n++)
		v = v * 10 + s->ptr[n] - '0';
	if (!n || v > max)
		return false;
	*s = str_of(s->ptr + n, s->len - n);
	*ret = v;
	return true;
}

/* [+-]h[h][:mm[:ss]] in seconds. */
static bool take_time(struct str *s, int max_hours, int32_t *ret)
{
	bool negative = take_char(s, '-');
	int h = 0, m = 0, sec = 0;

	if (!negative)
		take_char(s, '+');
	if (!take_number(s, max_hours, &h))
		return false;
	if (take_char(s, ':') && !take_number(s, 59, &m))
		return false;
	if (take_char(s, ':') && !take_number(s, 59, &sec))
		return false;
	*ret = (h * 3600 + m * 60 + sec) * (negative ? -1 : 1);
	return true;
}

/* "CET" or "<+01>". */
static bool take_abbreviation(struct str *s)
{
	bool quoted = take_char(s, '<');
	size_t n = 0;

	while (n < s->len && (isalpha((unsigned char)s->ptr[n]) ||
			      (quoted && (isdigit((unsigned char)s->ptr[n]) || s->ptr[n] == '+' || s->ptr[n] == '-'))))
		n++;
	*s = str_of(s->ptr + n, s->len - n);
	return n >= 3 && (!quoted || take_char(s, '>'));
}

/* ",M3.5.0/1", ",J60" or ",59". */
static bool take_change(struct str *s, struct tz_change *ret)
{
	struct tz_change c = { .kind = TZ_DAY, .time_s = 2 * 3600 };
	bool ok;

	if (!take_char(s, ','))
		return false;
	if (take_char(s, 'M')) {
		c.kind = TZ_WEEKDAY;
		ok = take_number(s, 12, &c.month) && c.month >= 1 && take_char(s, '.') && take_number(s, 5, &c.week) &&
		     c.week >= 1 && take_char(s, '.') && take_number(s, 6, &c.day);
	} else if (take_char(s, 'J')) {
		c.kind = TZ_JULIAN;
		ok = take_number(s, 365, &c.day) && c.day >= 1;
	} else {
		ok = take_number(s, 365, &c.day);
	}
	/* RFC 8536 section 3.3.1: hours from -167 to 167. */
	if (!ok || (take_char(s, '/') && !take_time(s, 167, &c.time_s)))
		return false;
	*ret = c;
	return true;
}

/* "GMT0BST,M3.5.0/1,M10.5.0". POSIX counts offsets westwards. */
static bool parse_rule(struct str s, struct tz_rule *ret)
{
	struct tz_rule r = { .present = true };

	if (!take_abbreviation(&s) || !take_time(&s, 24, &r.std_s))
		return false;
	r.std_s = -r.std_s;
	if (s.len) {
		r.has_dst = true;
		r.dst_s = r.std_s + 3600;
		if (!take_abbreviation(&s))
			return false;
		if (s.len && s.ptr[0] != ',') {
			if (!take_time(&s, 24, &r.dst_s))
				return false;
			r.dst_s = -r.dst_s;
		}
		if (!take_change(&s, &r.to_dst) || !take_change(&s, &r.to_std) || s.len)
			return false;
	}
	*ret = r;
	return true;
}

/* A change in that year, in seconds of the local time before it. */
static int64_t change_local_s(const struct tz_change *c, int year)
{
	int64_t first = time_days_from_civil(year, 1, 1), day = first + c->day;

	if (c->kind == TZ_JULIAN) {
		bool leap = time_days_from_civil(year + 1, 1, 1) - first == 366;

		day = first + c->day - 1 + (leap && c->day >= 60);
	} else if (c->kind == TZ_WEEKDAY) {
		int64_t month = time_days_from_civil(year, c->month, 1);
		int64_t next = c->month == 12 ? time_days_from_civil(year + 1, 1, 1)
					      : time_days_from_civil(year, c->month + 1, 1);

		day = month + (c->day - time_weekday(month) + 7) % 7 + 7 * (c->week - 1);
		/* Week 5 is the last one. */
		if (day >= next)
			day -= 7;
	}
	return day * DAY_S + c->time_s;
}

/* Offset at a moment, and the first moment after it at which the offset may be another. */
struct piece {
	int32_t offset;
	int64_t end;
};

static struct piece rule_piece(const struct tz_rule *r, int64_t t)
{
	struct piece p = { r->std_s, INT64_MAX };
	int64_t begin = INT64_MIN;
	int year, month, day;

	if (!r->has_dst)
		return p;
	time_civil_from_days(floor_div(t, DAY_S), &year, &month, &day);
	/* The neighbouring years too: half of the year in the south spans New Year, and local years begin elsewhere. */
	for (int y = year - 1; y <= year + 1; y++) {
		const struct {
			int64_t at;
			int32_t offset;
		} changes[] = {
			{ change_local_s(&r->to_std, y) - r->dst_s, r->std_s },
			{ change_local_s(&r->to_dst, y) - r->std_s, r->dst_s },
		};

		for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
			if (changes[i].at > t) {
				p.end = MIN(p.end, changes[i].at);
			} else if (changes[i].at >= begin) {
				begin = changes[i].at;
				p.offset = changes[i].offset;
			}
		}
	}
	return p;
}

static struct piece piece_at(const struct tz *tz, int64_t t)
{
	size_t lo = 0, hi = tz->n;

	/* The number of entries not after t. */
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (tz->times[mid] <= t)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == tz->n && tz->rule.present)
		return rule_piece(&tz->rule, t);
	return (struct piece){ lo ? tz->offsets[lo - 1] : tz->first_offset, lo < tz->n ? tz->times[lo] : INT64_MAX };
}

int32_t tz_offset_s(const struct tz *tz, int64_t utc_ms)
{
	return piece_at(tz, floor_div(utc_ms, SECOND_MS)).offset;
}

int64_t tz_local_to_utc_ms(const struct tz *tz, int year, int month, int day, int hour, int minute)
{
	int64_t local = time_days_from_civil(year, month, day) * DAY_S + hour * 3600 + minute * 60;
	/* Before any moment that can show this local time; then piece by piece. */
	int64_t t = local - TZ_MAX_OFFSET_S;

	for (;;) {
		struct piece p = piece_at(tz, t);

		if (local - p.offset < p.end)
			return MAX(t, local - p.offset) * SECOND_MS;
		t = p.end;
	}
}

/* Big-endian integers off a bounded text. */
struct cursor {
	const unsigned char *p;
	size_t left;
};

static bool skip(struct cursor *c, size_t n)
{
	if (n > c->left)
		return false;
	c->p += n;
	c->left -= n;
	return true;
}

static uint64_t be(const unsigned char *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

struct header {
	int version;
	size_t isut, isstd, leap, time, type, chars;
};

static bool take_header(struct cursor *c, struct header *h)
{
	const unsigned char *p = c->p;

	if (!skip(c, HEADER_BYTES) || memcmp(p, "TZif", 4) != 0)
		return false;
	*h = (struct header){ p[4],          be(p + 20, 4), be(p + 24, 4), be(p + 28, 4),
			      be(p + 32, 4), be(p + 36, 4), be(p + 40, 4) };
	return true;
}

/* Bytes of a data block whose times have `size` bytes each; the counts are at most 2^32. */
static size_t block_bytes(const struct header *h, size_t size)
{
	return h->time * (size + 1) + h->type * 6 + h->chars + h->leap * (size + 4) + h->isstd + h->isut;
}

/* The 64-bit block at c, whose length was checked. */
static bool decode_table(const struct header *h, const unsigned char *p, struct tz *tz)
{
	const unsigned char *indices = p + h->time * 8, *types = indices + h->time;

	tz->n = h->time;
	tz->times = xcalloc(MAX(h->time, 1), sizeof(tz->times[0]));
	tz->offsets = xcalloc(MAX(h->time, 1), sizeof(tz->offsets[0]));
	for (size_t i = 0; i < h->type; i++) {
		int64_t offset = (int32_t)be(types + 6 * i, 4);

		if (offset <= -TZ_MAX_OFFSET_S || offset >= TZ_MAX_OFFSET_S)
			return false;
	}
	tz->first_offset = (int32_t)be(types, 4);
	for (size_t i = 0; i < h->time; i++) {
		tz->times[i] = (int64_t)be(p + 8 * i, 8);
		if (indices[i] >= h->type || (i && tz->times[i] <= tz->times[i - 1]))
			return false;
		tz->offsets[i] = (int32_t)be(types + 6 * (size_t)indices[i], 4);
	}
	return true;
}

/* NULL, or what is wrong. */
static const char *decode(struct str file, struct tz *tz)
{
	struct cursor c = { (const unsigned char *)file.ptr, file.len };
	struct header h;
	const unsigned char *table;
	struct str footer;

	if (!take_header(&c, &h))
		return "not a time zone file";
	if (h.version < '2')
		return "a file of version 1";
	if (!skip(&c, block_bytes(&h, 4)) || !take_header(&c, &h))
		return "cut off";
	table = c.p;
	if (!skip(&c, block_bytes(&h, 8)))
		return "cut off";
	if (h.leap)
		return "it counts leap seconds";
	if (!h.type || h.type > 256 || !decode_table(&h, table, tz))
		return "a table that makes no sense";
	footer = str_of((const char *)c.p, c.left);
	if (footer.len < 2 || footer.ptr[0] != '\n' || footer.ptr[footer.len - 1] != '\n')
		return "footer missing";
	/* An empty one means that nobody knows: the last offset goes on. */
	if (footer.len > 2 && !parse_rule(str_of(footer.ptr + 1, footer.len - 2), &tz->rule))
		return "a footer that makes no sense";
	return NULL;
}

static bool is_zone_name(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("_+-/", name[i]))
			return false;
	return len > 0 && len <= TZ_MAX_NAME && name[0] != '/';
}

int tz_load(const char *name, struct tz **ret, struct error *err)
{
	_cleanup_(buf_release) struct buf file = BUF_INIT(TZ_MAX_FILE);
	_cleanup_(cleanup_tz) struct tz *tz = xcalloc(1, sizeof(*tz));
	const char *dir = getenv("TZDIR");
	char path[512];
	const char *wrong;

	if (strcmp(name, "UTC") == 0) {
		*ret = steal_ptr(tz);
		return 0;
	}
	if (!is_zone_name(name))
		return error_set(err, ERR_INVALID, "\"%.64s\" is no name of a time zone", name);
	if (!dir || !dir[0])
		dir = TZ_DIR;
	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return error_set(err, ERR_LIMIT, "TZDIR is too long");
	if (buf_read_file(&file, path, err))
		return error_set(err, ERR_NOT_FOUND, "unknown time zone \"%s\" (looked in %.200s)", name, dir);
	wrong = decode(buf_str(&file), tz);
	if (wrong)
		return error_set(err, ERR_INVALID, "time zone \"%s\": %.200s holds %s", name, path, wrong);
	*ret = steal_ptr(tz);
	return 0;
}

void tz_free(struct tz *tz)
{
	if (!tz)
		return;
	free(tz->times);
	free(tz->offsets);
	free(tz);
}
