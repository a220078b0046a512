/* SPDX-License-Identifier: Apache-2.0 */
/* CSV files, histories and exogenous forecasts from them, and output files that are whole or not there. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/csv.h"
#include "sim/history.h"
#include "sim/outfile.h"

static char path[64];

static const char *file_of(const char *text, size_t len)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
	return path;
}

static const char *file(const char *text)
{
	return file_of(text, strlen(text));
}

static void assert_says(const struct error *err, const char *part)
{
	if (!strstr(err->msg, part))
		fail_msg("'%s' does not say '%s'", err->msg, part);
}

static void test_rows(void **state)
{
	_cleanup_(cleanup_csv) struct csv *csv = NULL;
	struct error err = ERROR_INIT;
	int id, power, absent = -1;
	double watts;
	int64_t n, ms;

	(void)state;
	assert_int_equal(
		csv_open(file("\xEF\xBB\xBFpower_w, id ,\"when\"\r\n1.5,\"a \"\"b\"\", c\",2023-02-09T07:00Z\r\n"
			      "\r\n,7,\n-2e3,,2023-02-09T09:00:00+02:00"),
			 &csv, &err),
		0);
	assert_int_equal(csv_n_columns(csv), 3);
	assert_string_equal(csv_name(csv, 2), "when");
	assert_int_equal(csv_column(csv, "id", &id, &err), 0);
	assert_int_equal(csv_column(csv, "power_w", &power, &err), 0);
	assert_int_equal(csv_column(csv, "nope", &power, &err), -1);
	assert_says(&err, ":1: no column 'nope'; there are: power_w, id, when");
	assert_int_equal(csv_next(csv, &err), 1);
	assert_true(str_is(csv_field(csv, id), "a \"b\", c"));
	assert_int_equal(csv_number(csv, power, 0, 10, &watts, &err), 0);
	assert_true(watts == 1.5);
	assert_int_equal(csv_number(csv, power, 0, 1, &watts, &err), -1);
	assert_says(&err, ":2: column 'power_w': must be a number from 0 to 1, is '1.5'");
	assert_int_equal(csv_next(csv, &err), 1);
	assert_int_equal(csv_line(csv), 4);
	assert_int_equal(csv_i64(csv, id, 0, 7, &n, &err), 0);
	assert_int_equal(n, 7);
	assert_int_equal(csv_number(csv, power, 0, 10, &watts, &err), -1);
	assert_int_equal(csv_number_opt(csv, power, 0, 10, NAN, &watts, &err), 0);
	assert_true(isnan(watts));
	assert_int_equal(csv_i64_opt(csv, absent, 0, 10, 3, &n, &err), 0);
	assert_int_equal(n, 3);
	assert_int_equal(csv_time_opt(csv, 2, 77, &ms, &err), 0);
	assert_int_equal(ms, 77);
	assert_int_equal(csv_next(csv, &err), 1);
	assert_int_equal(csv_time(csv, 2, &ms, &err), 0);
	assert_int_equal(ms, INT64_C(1675926000000));
	assert_int_equal(csv_next(csv, &err), 0);
	assert_int_equal(csv_next(csv, &err), 0);
}

static void test_refused_files(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "", ":1: no header" },
		{ "a,b,a\n", ":1: column 'a' is there twice" },
		{ "a,b\n1,2\n1\n", ":3: 1 fields, the header has 2" },
		{ "a,b\n1,2,3\n", ":2: 3 fields" },
		{ "a,b\n\"1,2\n", ":2: a quote is not closed" },
		{ "a,b\n\"1\"x,2\n", ":2: a comma must follow" },
	};
	struct error err = ERROR_INIT;
	_cleanup_free_ char *longest = xcalloc(1, CSV_MAX_LINE + 10);
	_cleanup_(cleanup_csv) struct csv *csv = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(cleanup_csv) struct csv *bad = NULL;

		if (csv_open(file(cases[i].text), &bad, &err) == 0)
			while (csv_next(bad, &err) > 0)
				;
		assert_int_equal(err.code, ERR_INVALID);
		assert_says(&err, cases[i].says);
	}
	assert_int_equal(csv_open(file_of("a\n1\0\n", 5), &csv, &err), 0);
	assert_int_equal(csv_next(csv, &err), -1);
	assert_says(&err, ":2: a NUL byte");
	memset(longest, 'x', CSV_MAX_LINE + 5);
	assert_int_equal(csv_open(file_of(longest, CSV_MAX_LINE + 5), &csv, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_int_equal(csv_open("/nonexistent/file.csv", &csv, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_int_equal(csv_open("/", &csv, &err), -1);
}

static void test_numbers_and_times(void **state)
{
	static const char *const bad[] = { "nan", "inf", "-Infinity", "1e999", "0x10", "1,5", "1 2", "--1", "" };
	struct error err = ERROR_INIT;
	double value;
	int64_t ms;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		_cleanup_(cleanup_csv) struct csv *csv = NULL;
		_cleanup_free_ char *text = xasprintf("v,t\n\"%s\",2023-02-09 07:00\n", bad[i]);

		assert_int_equal(csv_open(file(text), &csv, &err), 0);
		assert_int_equal(csv_next(csv, &err), 1);
		assert_int_equal(csv_number(csv, 0, -1e300, 1e300, &value, &err), -1);
		assert_int_equal(csv_time(csv, 1, &ms, &err), -1);
		assert_says(&err, ":2: column 't': must be a time like");
	}
}

static void test_history(void **state)
{
	struct error err = ERROR_INIT;
	struct history h;

	(void)state;
	assert_int_equal(history_load(&h,
				      file("other,time_utc,v\n1,2023-01-01T00:00Z,5\n,2023-01-01T00:30Z,\n"
					   "x,2023-01-01T02:00Z,-7.5\n"),
				      "v", &err),
			 0);
	assert_int_equal(h.series.step_ms, 30 * MINUTE_MS);
	assert_int_equal(h.series.n, 5);
	assert_int_equal(h.n_missing, 3);
	assert_true(h.series.value[0] == 5 && isnan(h.series.value[1]) && h.series.value[4] == -7.5);
	history_release(&h);
}

static void test_refused_histories(void **state)
{
	static const struct {
		const char *rows, *says;
	} cases[] = {
		{ "2023-01-01T00:00Z,1\n", "needs at least two rows" },
		{ "2023-01-01T00:00Z,1\n2023-01-01T01:00Z,nan\n", ":3: column 'v': must be a number" },
		{ "2023-01-01T00:00Z,1\n2023-01-01T01:00Z,1\n2023-01-01T01:00Z,2\n",
		  ":4: column 'time_utc': the time of line 3" },
		{ "2023-01-01T00:00Z,1\n2023-01-01T02:00Z,1\n2023-01-01T01:00Z,2\n",
		  ":4: column 'time_utc': earlier than line 3" },
		{ "2023-01-01T00:00Z,1\n2023-01-01T01:00Z,1\n2023-01-01T02:30Z,2\n",
		  ":4: column 'time_utc': not a multiple of 3600 s" },
		{ "2023-01-01T00:00Z,1\n2023-01-01T00:07Z,1\n", "rows are 420 s apart" },
		{ "2023-01-01T00:00Z,1\n2023-01-03T00:00Z,1\n", "rows are 172800 s apart" },
		{ "2023-01-01T00:00Z,1\n2023-01-01T01:00Z,1\n9999-01-01T00:00Z,1\n", "spans 69" },
		{ "2023-01-01 00:00,1\n", ":2: column 'time_utc': must be a time" },
	};
	struct error err = ERROR_INIT;
	struct history h;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_free_ char *text = xasprintf("time_utc,v\n%s", cases[i].rows);

		assert_int_equal(history_load(&h, file(text), "v", &err), -1);
		assert_says(&err, cases[i].says);
	}
}

static const struct forecast_series hourly = { .start_ms = INT64_C(1672531200000), .step_ms = HOUR_MS, .n = 100 };

/* Half hours become means of hours, three-hourly values hold, rows come in any order. */
static void test_exog(void **state)
{
	struct error err = ERROR_INIT;
	struct exog_data d = { .perfect_foresight = false };
	const double *row;

	(void)state;
	assert_int_equal(exog_load(&d,
				   file("wind,issued_utc,target_utc,sun\n"
					"4,2023-01-01T00:00Z,2023-01-01T01:30Z,\n"
					"2,2023-01-01T00:00Z,2023-01-01T01:00Z,9\n"
					"1,2022-12-31T00:00Z,2022-12-31T21:00Z,1\n"
					"5,2022-12-31T00:00Z,2023-01-01T00:00Z,5\n"
					"7,2022-12-31T00:00Z,2023-01-01T06:00Z,7\n"),
				   &hourly, &err),
			 0);
	assert_false(d.perfect_foresight);
	assert_int_equal(d.exog.n_columns, 2);
	assert_int_equal(d.exog.n_vintages, 2);
	row = forecast_exog_row(&d.exog, 1, hourly.start_ms);
	assert_true(row[0] == 3 && row[1] == 9);
	row = forecast_exog_row(&d.exog, 2, hourly.start_ms - 1);
	assert_true(row[0] == 5 && row[1] == 5);
	row = forecast_exog_row(&d.exog, -1, hourly.start_ms);
	assert_true(row[0] == 1);
	/* Held for three hours, then unknown until the next. */
	row = forecast_exog_row(&d.exog, 3, hourly.start_ms);
	assert_true(isnan(row[0]));
	row = forecast_exog_row(&d.exog, 8, hourly.start_ms);
	assert_true(row[0] == 7);
	assert_null(forecast_exog_row(&d.exog, 9, hourly.start_ms));
	exog_release(&d);
	assert_int_equal(exog_load(&d, file("time_utc,x\n2023-01-01T01:00Z,1\n2023-01-01T02:00Z,2\n"), &hourly, &err),
			 0);
	assert_true(d.perfect_foresight);
	assert_true(*forecast_exog_row(&d.exog, 2, INT64_MIN) == 2);
	exog_release(&d);
}

static void test_refused_exog(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "a,b\n1,2\n", "no column 'issued_utc'" },
		{ "issued_utc,a\n", "no column 'target_utc'" },
		{ "time_utc\n2023-01-01T01:00Z\n", "no value column" },
		{ "time_utc,a\n", "no rows" },
		{ "time_utc,a\n2023-01-01T01:00Z,high\n", ":2: column 'a': must be a number" },
		{ "time_utc,a\n2023-01-01T01:00Z,1\n2023-01-01T02:00Z,1\n2023-01-01T01:00Z,1\n",
		  ":4: the times of line 2 again" },
		{ "issued_utc,target_utc,a\n2023-01-01T01:00Z,1970-01-01T00:00Z,1\n2023-01-01T01:00Z,9990-01-01T00:00Z,"
		  "1\n",
		  "too far apart" },
		{ "time_utc,a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q\n", "more than 16 value columns" },
	};
	struct error err = ERROR_INIT;
	struct exog_data d = { .perfect_foresight = false };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(exog_load(&d, file(cases[i].text), &hourly, &err), -1);
		assert_says(&err, cases[i].says);
	}
}

static void test_output_is_whole_or_not_there(void **state)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT(100);
	struct error err = ERROR_INIT;
	struct stat st;

	(void)state;
	(void)file("old");
	{
		_cleanup_(outfile_discard) struct outfile out = OUTFILE_INIT;

		assert_int_equal(outfile_open(&out, path, &err), 0);
		(void)fprintf(out.file, "half");
	}
	assert_int_equal(buf_read_file(&text, path, &err), 0);
	assert_string_equal(buf_cstr(&text), "old");
	{
		_cleanup_(outfile_discard) struct outfile out = OUTFILE_INIT;

		assert_int_equal(outfile_open(&out, path, &err), 0);
		(void)fprintf(out.file, "new");
		assert_int_equal(outfile_commit(&out, &err), 0);
	}
	buf_reset(&text);
	assert_int_equal(buf_read_file(&text, path, &err), 0);
	assert_string_equal(buf_cstr(&text), "new");
	{
		_cleanup_(outfile_discard) struct outfile out = OUTFILE_INIT;

		assert_int_equal(outfile_open(&out, "/nonexistent/x.csv", &err), -1);
		assert_int_equal(outfile_open(&out, "/dev/null", &err), 0);
		assert_int_equal(outfile_commit(&out, &err), 0);
		assert_int_equal(stat("/dev/null", &st), 0);
		assert_true(S_ISCHR(st.st_mode));
		assert_int_equal(outfile_open(&out, "/dev/full", &err), 0);
		(void)fprintf(out.file, "lost");
		assert_int_equal(outfile_commit(&out, &err), -1);
	}
}

static int set_up(void **state)
{
	(void)state;
	(void)snprintf(path, sizeof(path), "/tmp/loadshift-csv-test-%ld.csv", (long)getpid());
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_refused_files),
		cmocka_unit_test(test_numbers_and_times),
		cmocka_unit_test(test_history),
		cmocka_unit_test(test_refused_histories),
		cmocka_unit_test(test_exog),
		cmocka_unit_test(test_refused_exog),
		cmocka_unit_test(test_output_is_whole_or_not_there),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
