/* SPDX-License-Identifier: Apache-2.0 */
/* base/tz.h against Python's zoneinfo (tests/data/tz_expected.csv, written by hack/tz-expected), and broken files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/rand.h"
#include "base/str.h"
#include "base/tz.h"

static struct tz *load(const char *name)
{
	struct error err = ERROR_INIT;
	struct tz *tz = NULL;

	if (tz_load(name, &tz, &err))
		fail_msg("%s", err.msg);
	return tz;
}

static int64_t take(struct str *rest)
{
	struct str part = STR_NULL;
	int64_t v = 0;

	assert_true(str_split(rest, ',', &part));
	assert_true(str_to_i64(part, INT64_MIN, INT64_MAX, &v));
	return v;
}

static void check_line(const struct tz *tz, struct str kind, struct str rest, struct str line)
{
	int64_t n[6] = { 0 }, result;

	if (str_is(kind, "offset")) {
		n[0] = take(&rest);
		result = tz_offset_s(tz, n[0] * 1000);
		/* The last ms of a second belongs to that second. */
		assert_int_equal(tz_offset_s(tz, n[0] * 1000 + 999), result);
		n[5] = take(&rest);
	} else {
		for (int i = 0; i < 6; i++)
			n[i] = take(&rest);
		result = tz_local_to_utc_ms(tz, (int)n[0], (int)n[1], (int)n[2], (int)n[3], (int)n[4]) / 1000;
	}
	if (result != n[5])
		fail_msg("%.*s: got %" PRId64, STR_FMT(line), result);
}

static void agrees_with_python(void **state)
{
	_cleanup_(buf_release) struct buf file = BUF_INIT(1 << 20);
	_cleanup_(cleanup_tz) struct tz *tz = NULL;
	struct error err = ERROR_INIT;
	struct str rest, line, name, loaded = STR_NULL, kind;
	int lines = 0;

	(void)state;
	if (buf_read_file(&file, "tests/data/tz_expected.csv", &err))
		fail_msg("%s", err.msg);
	rest = buf_str(&file);
	while (str_split(&rest, '\n', &line)) {
		struct str fields = line;
		char text[64];

		if (!line.len)
			continue;
		assert_true(str_split(&fields, ',', &name) && str_split(&fields, ',', &kind));
		if (!str_eq(name, loaded)) {
			tz_free(steal_ptr(tz));
			assert_true(str_copy(text, sizeof(text), name));
			tz = load(text);
			loaded = name;
		}
		check_line(tz, kind, fields, line);
		lines++;
	}
	/* Two changes a year for 21 years in four zones, 19 lines each. */
	assert_int_equal(lines, 2 * 21 * 4 * 19);
}

static void gaps_and_overlaps(void **state)
{
	_cleanup_(cleanup_tz) struct tz *london = load("Europe/London"), *apia = load("Pacific/Apia");
	int64_t t = 0;

	(void)state;
	/* 01:00 to 02:00 is skipped on 2026-03-29 and occurs twice on 2026-10-25. */
	assert_true(time_parse(STR("2026-03-29T01:00:00Z"), &t));
	assert_int_equal(tz_local_to_utc_ms(london, 2026, 3, 29, 1, 30), t);
	assert_int_equal(tz_local_to_utc_ms(london, 2026, 3, 29, 2, 0), t);
	assert_true(time_parse(STR("2026-10-25T00:30:00Z"), &t));
	assert_int_equal(tz_local_to_utc_ms(london, 2026, 10, 25, 1, 30), t);
	/* A whole day is skipped: 2011-12-30 in Samoa. */
	assert_true(time_parse(STR("2011-12-30T10:00:00Z"), &t));
	assert_int_equal(tz_local_to_utc_ms(apia, 2011, 12, 30, 12, 0), t);
	assert_int_equal(tz_local_to_utc_ms(apia, 2011, 12, 31, 0, 0), t);
}

static void utc_and_zones_without_changes(void **state)
{
	_cleanup_(cleanup_tz) struct tz *utc = load("UTC"), *kolkata = load("Asia/Kolkata"),
					*fixed = load("Etc/GMT+12");
	int64_t t = 0;

	(void)state;
	assert_true(time_parse(STR("2026-07-01T12:34:00Z"), &t));
	assert_int_equal(tz_offset_s(utc, t), 0);
	assert_int_equal(tz_local_to_utc_ms(utc, 2026, 7, 1, 12, 34), t);
	assert_int_equal(tz_offset_s(kolkata, t), 19800);
	assert_int_equal(tz_local_to_utc_ms(kolkata, 2026, 7, 1, 18, 4), t);
	assert_int_equal(tz_offset_s(fixed, t), -43200);
	assert_int_equal(tz_offset_s(utc, INT64_MIN), 0);
	assert_int_equal(tz_offset_s(kolkata, INT64_MAX), 19800);
	/* The rule goes on for ever. */
	_cleanup_(cleanup_tz) struct tz *lord_howe = load("Australia/Lord_Howe");
	(void)tz_offset_s(lord_howe, INT64_MIN);
	(void)tz_offset_s(lord_howe, INT64_MAX);
	assert_true(time_parse(STR("9999-01-15T00:00:00Z"), &t));
	assert_int_equal(tz_offset_s(lord_howe, t), 39600);
	assert_true(time_parse(STR("9999-07-15T00:00:00Z"), &t));
	assert_int_equal(tz_offset_s(lord_howe, t), 37800);
}

static void names_are_checked(void **state)
{
	static const struct {
		const char *name;
		enum error_code code;
	} bad[] = {
		{ "", ERR_INVALID },
		{ "/etc/passwd", ERR_INVALID },
		{ "../../../etc/passwd", ERR_INVALID },
		{ "Europe/../../../../etc/passwd", ERR_INVALID },
		{ "Europe/London\n", ERR_INVALID },
		{ "tzdata.zi", ERR_INVALID },
		{ "Europe/Atlantis", ERR_NOT_FOUND },
		{ "Europe", ERR_NOT_FOUND },
		{ "AnameOfMoreThan64CharactersIsNotANameOfATimeZoneAnywhereInTheWorld", ERR_INVALID },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct error err = ERROR_INIT;
		struct tz *tz = NULL;

		assert_int_equal(tz_load(bad[i].name, &tz, &err), -1);
		if (err.code != bad[i].code)
			fail_msg("%s: %s", bad[i].name, err.msg);
		assert_null(tz);
	}
}

static char dir[64];

/* Loads a file of those bytes as a zone. */
static int load_bytes(struct str bytes, struct tz **ret, struct error *err)
{
	char path[96];
	FILE *f;

	snprintf(path, sizeof(path), "%s/Zone", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes.ptr, 1, bytes.len, f), bytes.len);
	fclose(f);
	return tz_load("Zone", ret, err);
}

static void exercise(const struct tz *tz)
{
	for (int year = 1; year < 9999; year += 217)
		for (int month = 1; month <= 12; month += 5)
			(void)tz_offset_s(tz, tz_local_to_utc_ms(tz, year, month, 28, 1, 30));
}

static void broken_files_are_refused_or_harmless(void **state)
{
	_cleanup_(buf_release) struct buf file = BUF_INIT(1 << 16);
	struct error err = ERROR_INIT;
	uint64_t seed = 7;

	(void)state;
	assert_int_equal(buf_read_file(&file, "/usr/share/zoneinfo/Europe/London", &err), 0);
	snprintf(dir, sizeof(dir), "/tmp/loadshift-tz-test.%d", (int)getpid());
	assert_int_equal(mkdir(dir, 0700), 0);
	setenv("TZDIR", dir, 1);
	for (size_t n = 0; n < file.len; n += n < 200 || n + 60 > file.len ? 1 : 97) {
		struct tz *tz = NULL;

		assert_int_equal(load_bytes(str_of(file.ptr, n), &tz, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
	}
	for (int i = 0; i < 400; i++) {
		_cleanup_(cleanup_tz) struct tz *tz = NULL;
		/* The headers, or the footer, or anywhere. */
		size_t at = (size_t)(rand_next(&seed) % file.len);
		char saved;

		if (i % 3 == 0)
			at %= 44;
		else if (i % 3 == 1)
			at = file.len - 1 - at % 30;
		saved = file.ptr[at];
		file.ptr[at] = (char)rand_next(&seed);
		if (load_bytes(buf_str(&file), &tz, &err) == 0)
			exercise(tz);
		file.ptr[at] = saved;
	}
	_cleanup_(cleanup_tz) struct tz *whole = NULL;
	assert_int_equal(load_bytes(buf_str(&file), &whole, &err), 0);
}

/* A file with no table but this footer. */
static int load_footer(const char *footer, struct tz **ret, struct error *err)
{
	static const char header[44] = { 'T', 'Z', 'i', 'f', '2', [39] = 1, [43] = 4 };
	_cleanup_(buf_release) struct buf file = BUF_INIT(1000);
	static const char type[10] = { 0 };

	buf_add(&file, header, sizeof(header));
	buf_add(&file, type, sizeof(type));
	buf_add(&file, header, sizeof(header));
	buf_add(&file, type, sizeof(type));
	buf_addf(&file, "\n%s\n", footer);
	return load_bytes(buf_str(&file), ret, err);
}

static void footer_at(const char *footer, const char *time, int32_t offset)
{
	_cleanup_(cleanup_tz) struct tz *tz = NULL;
	struct error err = ERROR_INIT;
	int64_t t = 0;

	if (load_footer(footer, &tz, &err))
		fail_msg("%s: %s", footer, err.msg);
	assert_true(time_parse(str_from(time), &t));
	if (tz_offset_s(tz, t) != offset)
		fail_msg("%s at %s: %d", footer, time, tz_offset_s(tz, t));
}

static void footers(void **state)
{
	static const char *const bad[] = { "X",
					   "GMT",
					   "GMT0BST",
					   "GMT0BST,M3.5.0",
					   "GMT0BST,M13.5.0,M10.5.0",
					   "GMT0BST,M3.6.0,M10.5.0",
					   "GMT0BST,M3.5.7,M10.5.0",
					   "GMT0BST,J0,J1",
					   "GMT0BST,M3.5.0/168,M10.5.0",
					   "GMT0BST,M3.5.0,M10.5.0,x",
					   "GMT25",
					   "<>0",
					   "<GMT0",
					   "GMT0:60",
					   "GMT0BST,J366,J1" };
	struct error err = ERROR_INIT;
	struct tz *tz = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (load_footer(bad[i], &tz, &err) == 0)
			fail_msg("accepted: %s", bad[i]);
	footer_at("", "2030-07-01T00:00Z", 0);
	footer_at("EST5", "2030-07-01T00:00Z", -18000);
	footer_at("<-0330>3:30", "2030-07-01T00:00Z", -12600);
	footer_at("EST5EDT,M3.2.0,M11.1.0", "2030-03-10T06:59:59Z", -18000);
	footer_at("EST5EDT,M3.2.0,M11.1.0", "2030-03-10T07:00:00Z", -14400);
	footer_at("EST5EDT,M3.2.0,M11.1.0", "2030-11-03T05:59:59Z", -14400);
	footer_at("EST5EDT,M3.2.0,M11.1.0", "2030-11-03T06:00:00Z", -18000);
	/* Winter time as negative DST, a rule that spans New Year, days of the year, hours beyond the day. */
	footer_at("IST-1GMT0,M10.5.0,M3.5.0/1", "2030-01-15T00:00Z", 0);
	footer_at("IST-1GMT0,M10.5.0,M3.5.0/1", "2030-07-15T00:00Z", 3600);
	footer_at("AAA0BBB,J60/0,J61/0", "2028-02-29T12:00Z", 0);
	footer_at("AAA0BBB,J60/0,J61/0", "2028-03-01T12:00Z", 3600);
	footer_at("AAA0BBB,59/0,60/0", "2028-02-29T12:00Z", 3600);
	footer_at("AAA0BBB,J60/0,J61/0", "2027-03-01T12:00Z", 3600);
	footer_at("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2030-03-31T00:59:59Z", -7200);
	footer_at("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2030-03-31T01:00:00Z", -3600);
	footer_at("EET-2EEST,M3.4.4/50,M10.4.4/50", "2030-03-29T23:59:59Z", 7200);
	footer_at("EET-2EEST,M3.4.4/50,M10.4.4/50", "2030-03-30T00:00:00Z", 10800);
	/* DST all year, as RFC 8536 section 3.3.1 has it. */
	footer_at("XXX3EDT4,0/0,J365/23", "2029-12-31T23:30Z", -14400);
	footer_at("XXX3EDT4,0/0,J365/23", "2030-01-01T03:30Z", -14400);
	footer_at("XXX3EDT4,0/0,J365/23", "2030-07-01T00:00Z", -14400);
}

static int remove_dir(void **state)
{
	char path[96];

	(void)state;
	snprintf(path, sizeof(path), "%s/Zone", dir);
	(void)unlink(path);
	(void)rmdir(dir);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_python),
		cmocka_unit_test(gaps_and_overlaps),
		cmocka_unit_test(utc_and_zones_without_changes),
		cmocka_unit_test(names_are_checked),
		/* From here on TZDIR is a directory of ours. */
		cmocka_unit_test(broken_files_are_refused_or_harmless),
		cmocka_unit_test(footers),
	};

	return cmocka_run_group_tests(tests, NULL, remove_dir);
}
