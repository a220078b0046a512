/* SPDX-License-Identifier: Apache-2.0 */
/* pkg/metrics: the exposition to the byte, bounds on hostile labels, updates from many threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>

#include "base/clock.h"
#include "metrics/metrics.h"

static struct metric releases = METRIC_COUNTER("test_releases_total", "Jobs \\ released.\nReally.", "reason", "region");
static struct metric plain = METRIC_GAUGE("test_gauge", "A gauge.");
static const double bounds[] = { 0.5, 1 };
static struct metric wait_seconds = METRIC_HISTOGRAM("test_wait_seconds", "Wait.", bounds, "queue");
static struct metric hostile = METRIC_COUNTER("test_hostile_total", "Hostile.", "name");
static struct metric busy = METRIC_COUNTER("test_busy_total", "Busy.", "n");
static const double busy_bounds[] = { 1, 2 };
static struct metric busy_seconds = METRIC_HISTOGRAM("test_busy_seconds", "Busy.", busy_bounds);

/* The page from "# HELP <name>" to the next family. */
static void family(struct buf *page, const char *name, char *out, size_t cap)
{
	char start[100];
	const char *from, *to;

	buf_reset(page);
	metrics_write(page);
	assert_false(page->overflow);
	snprintf(start, sizeof(start), "# HELP %s ", name);
	from = strstr(page->ptr, start);
	assert_non_null(from);
	to = strstr(from + 1, "# HELP ");
	assert_true(str_copy(out, cap, str_of(from, to ? (size_t)(to - from) : strlen(from))));
}

static void text_format(void **state)
{
	_cleanup_(buf_release) struct buf page = BUF_INIT(1 << 20);
	char text[2000];

	(void)state;
	metric_inc(metric_series(&releases, "z", "london"));
	metric_add(metric_series(&releases, "a\"b\\c\nd", "x"), 2.5);
	metric_inc(metric_series(&releases, "a\"b\\c\nd", "x"));
	metric_inc(metric_series(&releases, "a"));
	family(&page, "test_releases_total", text, sizeof(text));
	assert_string_equal(text, "# HELP test_releases_total Jobs \\\\ released.\\nReally.\n"
				  "# TYPE test_releases_total counter\n"
				  "test_releases_total{reason=\"a\",region=\"\"} 1\n"
				  "test_releases_total{reason=\"a\\\"b\\\\c\\nd\",region=\"x\"} 3.5\n"
				  "test_releases_total{reason=\"z\",region=\"london\"} 1\n");
	metric_set(metric_only(&plain), -0.1);
	family(&page, "test_gauge", text, sizeof(text));
	assert_string_equal(text, "# HELP test_gauge A gauge.\n# TYPE test_gauge gauge\ntest_gauge -0.1\n");
	metric_set(metric_only(&plain), (double)INFINITY);
	family(&page, "test_gauge", text, sizeof(text));
	assert_non_null(strstr(text, "\ntest_gauge +Inf\n"));
	metric_set(metric_only(&plain), (double)NAN);
	family(&page, "test_gauge", text, sizeof(text));
	assert_non_null(strstr(text, "\ntest_gauge NaN\n"));
	metric_set(metric_only(&plain), 9007199254740993.0);
	assert_true(metric_value(metric_only(&plain)) == 9007199254740992.0);
}

/* Whatever way a number takes, the text is what printf() makes of it. */
static void numbers_as_printf_writes_them(void **state)
{
	static const double fixed[] = {
		0,         1,       0.5,     0.005,    1e-4,     99e-6, 1e-6,         0.1,
		0.1 + 0.2, 1.0 / 3, 123.456, 1e9 - 1,  1e9,      1e15,  1753000000.5, 999999999.999999,
		-1,        -0.25,   1e-300,  4.000001, 0.999999, 1e300
	};
	_cleanup_(buf_release) struct buf page = BUF_INIT(1 << 20);
	char text[300], expected[100];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fixed) + 300; i++) {
		size_t k = i - ARRAY_LEN(fixed);
		double v = i < ARRAY_LEN(fixed) ? fixed[i] : (double)(k * k * k) / (k % 3 ? 1e6 : 7e5);

		metric_set(metric_only(&plain), v);
		family(&page, "test_gauge", text, sizeof(text));
		(void)snprintf(expected, sizeof(expected), "\ntest_gauge %.15g\n", v);
		if (strtod(expected + strlen("\ntest_gauge "), NULL) != v)
			(void)snprintf(expected, sizeof(expected), "\ntest_gauge %.17g\n", v);
		if (!strstr(text, expected))
			fail_msg("%s instead of %s", text, expected);
	}
}

static void histogram(void **state)
{
	_cleanup_(buf_release) struct buf page = BUF_INIT(1 << 20);
	struct metric_series *s = metric_series(&wait_seconds, "jobs");
	char text[1000];

	(void)state;
	metric_observe(s, 0.25);
	metric_observe(s, 0.5);
	metric_observe(s, 0.75);
	metric_observe(s, 100);
	family(&page, "test_wait_seconds", text, sizeof(text));
	assert_string_equal(text, "# HELP test_wait_seconds Wait.\n# TYPE test_wait_seconds histogram\n"
				  "test_wait_seconds_bucket{queue=\"jobs\",le=\"0.5\"} 2\n"
				  "test_wait_seconds_bucket{queue=\"jobs\",le=\"1\"} 3\n"
				  "test_wait_seconds_bucket{queue=\"jobs\",le=\"+Inf\"} 4\n"
				  "test_wait_seconds_sum{queue=\"jobs\"} 101.5\n"
				  "test_wait_seconds_count{queue=\"jobs\"} 4\n");
	metric_observe(s, (double)NAN);
	family(&page, "test_wait_seconds", text, sizeof(text));
	assert_non_null(strstr(text, "le=\"+Inf\"} 5\n"));
}

static void hostile_labels_are_bounded(void **state)
{
	_cleanup_(buf_release) struct buf page = BUF_INIT(1 << 20);
	char name[2000];
	int lines = 0;

	(void)state;
	for (int i = 0; i < 5000; i++) {
		memset(name, 'a' + i % 26, sizeof(name));
		snprintf(name, 12, "%d", i);
		name[strlen(name)] = '\xff';
		name[sizeof(name) - 1] = '\0';
		struct metric_series *s = metric_series(&hostile, name);
		assert_ptr_equal(s, metric_series(&hostile, name));
		metric_inc(s);
	}
	metrics_write(&page);
	assert_true(str_is_utf8(buf_str(&page)));
	for (const char *p = page.ptr; (p = strstr(p, "\ntest_hostile_total{")); p++)
		lines++;
	assert_int_equal(lines, METRIC_MAX_SERIES);
	assert_non_null(strstr(page.ptr, "test_hostile_total{name=\"other\"} 4489\n"));
}

static void process_figures(void **state)
{
	_cleanup_(buf_release) struct buf page = BUF_INIT(1 << 20);
	const char *p;

	(void)state;
	metrics_write(&page);
	assert_non_null(strstr(page.ptr, "\nloadshift_build_info{version=\"" LOADSHIFT_VERSION "\"} 1\n"));
	assert_non_null(p = strstr(page.ptr, "\nprocess_resident_memory_bytes "));
	assert_true(strtod(p + strlen("\nprocess_resident_memory_bytes "), NULL) > 100000);
	assert_non_null(p = strstr(page.ptr, "\nprocess_open_fds "));
	assert_true(strtod(p + strlen("\nprocess_open_fds "), NULL) >= 3);
	assert_non_null(p = strstr(page.ptr, "\nprocess_start_time_seconds "));
	assert_true(fabs(strtod(p + strlen("\nprocess_start_time_seconds "), NULL) - (double)clock_wall_ms() / 1000) <
		    300);
	assert_non_null(strstr(page.ptr, "\nprocess_cpu_seconds_total "));
}

static void families_are_sorted_and_pages_repeat(void **state)
{
	_cleanup_(buf_release) struct buf page = BUF_INIT(1 << 20);
	char before[200] = "", name[200];

	(void)state;
	metrics_write(&page);
	for (const char *p = page.ptr; p && (p = strstr(p, "# HELP ")); p++) {
		str_copy(name, sizeof(name), str_of(p + 7, strcspn(p + 7, " ")));
		assert_true(strcmp(before, name) < 0);
		str_copy(before, sizeof(before), str_from(name));
	}
}

static void *updater(void *arg)
{
	_cleanup_(buf_release) struct buf page = BUF_INIT(1 << 20);
	char n[8];

	(void)arg;
	for (int i = 0; i < 5000; i++) {
		snprintf(n, sizeof(n), "%d", i % 50);
		metric_inc(metric_series(&busy, n));
		metric_observe(metric_only(&busy_seconds), i % 3 + 0.5);
		if (i % 1000 == 0) {
			buf_reset(&page);
			metrics_write(&page);
		}
	}
	return NULL;
}

static void updates_from_many_threads_add_up(void **state)
{
	_cleanup_(buf_release) struct buf page = BUF_INIT(1 << 20);
	pthread_t threads[4];
	char text[1000], n[8];
	double sum = 0;

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, updater, NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 50; i++) {
		snprintf(n, sizeof(n), "%d", i);
		sum += metric_value(metric_series(&busy, n));
	}
	assert_true(sum == 20000);
	family(&page, "test_busy_seconds", text, sizeof(text));
	assert_non_null(strstr(text, "test_busy_seconds_count 20000\n"));
	assert_non_null(strstr(text, "test_busy_seconds_bucket{le=\"1\"} 6668\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_format),
		cmocka_unit_test(numbers_as_printf_writes_them),
		cmocka_unit_test(histogram),
		cmocka_unit_test(hostile_labels_are_bounded),
		cmocka_unit_test(process_figures),
		cmocka_unit_test(families_are_sorted_and_pages_repeat),
		cmocka_unit_test(updates_from_many_threads_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
