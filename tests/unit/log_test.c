/* SPDX-License-Identifier: Apache-2.0 */
/* pkg/log: every line is one JSON object of bounded size, whatever the fields hold; lines of threads do not mix. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "json/json.h"
#include "log/log.h"

#define LOG_PATH "/tmp/loadshift-log-test"

static int real_stderr;
static char path[64];

/* stderr is a file from here to read_log(). */
static void capture(void)
{
	int fd;

	snprintf(path, sizeof(path), LOG_PATH ".%d", (int)getpid());
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600);
	assert_true(fd >= 0);
	real_stderr = dup(STDERR_FILENO);
	dup2(fd, STDERR_FILENO);
	close(fd);
}

static void read_log(struct buf *b)
{
	struct error err = ERROR_INIT;

	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	assert_int_equal(buf_read_file(b, path, &err), 0);
	unlink(path);
}

static struct json *one_line(void)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT(1 << 20);
	struct error err = ERROR_INIT;
	struct json *j = NULL;

	read_log(&b);
	assert_true(b.len > 0 && b.len <= 8192);
	assert_ptr_equal(strchr(b.ptr, '\n'), b.ptr + b.len - 1);
	if (json_parse(buf_str(&b), &j, &err))
		fail_msg("%s: %s", err.msg, b.ptr);
	return j;
}

static void all_kinds_of_fields(void **state)
{
	struct error err = ERROR_INIT;
	int64_t i = 0;
	double d = 0;
	bool flag = false;

	(void)state;
	error_set(&err, ERR_INVALID, "bad \"thing\"");
	log_init("tester", LOG_INFO);
	capture();
	errno = 77;
	log_warn("job released", LOG_STR("job", "a/b"), LOG_I64("late_ms", INT64_MIN), LOG_DBL("x", 0.25),
		 LOG_DBL("nan", (double)NAN), LOG_BOOL("ok", true), LOG_TIME("start", INT64_C(1675926000000)),
		 LOG_TIME("none", TIME_NONE), LOG_STR("null", NULL), LOG_ERR(&err), LOG_STR("bytes", "\xff\n\x01"));
	assert_int_equal(errno, 77);
	_cleanup_(json_cleanup) struct json *j = one_line();
	assert_true(json_time(json_get(j, "ts"), &i) && llabs(i - clock_wall_ms()) < 60000);
	assert_string_equal(json_string(json_get(j, "level")), "warn");
	assert_string_equal(json_string(json_get(j, "logger")), "tester");
	assert_string_equal(json_string(json_get(j, "msg")), "job released");
	assert_string_equal(json_string(json_get(j, "job")), "a/b");
	assert_true(json_double(json_get(j, "late_ms"), &d) && d < -9e18);
	assert_true(json_double(json_get(j, "x"), &d) && d == 0.25);
	assert_true(json_is_null(json_get(j, "nan")) && json_is_null(json_get(j, "none")));
	assert_true(json_is_null(json_get(j, "null")));
	assert_true(json_bool(json_get(j, "ok"), &flag) && flag);
	assert_string_equal(json_string(json_get(j, "start")), "2023-02-09T07:00:00Z");
	assert_string_equal(json_string(json_get(j, "err")), "bad \"thing\"");
	assert_string_equal(json_string(json_get(j, "bytes")), "\xEF\xBF\xBD\n\x01");
	assert_null(json_get(j, "cut"));
}

static void levels(void **state)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT(1000);
	enum log_level level = LOG_ERROR;

	(void)state;
	log_init("tester", LOG_WARN);
	capture();
	log_debug("no");
	log_info("no");
	read_log(&b);
	assert_int_equal(b.len, 0);
	assert_true(log_level_parse(STR("debug"), &level) && level == LOG_DEBUG);
	assert_false(log_level_parse(STR("DEBUG"), &level));
	assert_false(log_level_parse(STR(""), &level));
	log_init("tester", LOG_DEBUG);
	capture();
	log_debug("yes");
	_cleanup_(json_cleanup) struct json *j = one_line();
	assert_string_equal(json_string(json_get(j, "level")), "debug");
}

static void long_lines_are_cut_and_stay_json(void **state)
{
	static const char fills[] = { 'x', '"', '\x01', '\xff' };
	bool cut = false;

	(void)state;
	for (size_t f = 0; f < sizeof(fills); f++) {
		for (size_t len = 500; len < 20000; len = len * 3 / 2) {
			_cleanup_free_ char *text = xmalloc(len + 1);

			memset(text, fills[f], len);
			text[len] = '\0';
			capture();
			log_error("cut me", LOG_STR("first", text), LOG_STR("second", text), LOG_I64("last", 7));
			_cleanup_(json_cleanup) struct json *j = one_line();
			assert_non_null(json_string(json_get(j, "first")));
			if (len > 9000)
				assert_true(json_bool(json_get(j, "cut"), &cut) && cut);
		}
	}
}

static void *writer(void *arg)
{
	for (int i = 0; i < 200; i++)
		log_info("from a thread", LOG_I64("thread", *(int *)arg), LOG_I64("i", i));
	return NULL;
}

static void lines_of_threads_do_not_mix(void **state)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT(1 << 20);
	pthread_t threads[4];
	int ids[4];
	struct str rest, line;
	int lines = 0;

	(void)state;
	capture();
	for (int i = 0; i < 4; i++) {
		ids[i] = i;
		assert_int_equal(pthread_create(&threads[i], NULL, writer, &ids[i]), 0);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	read_log(&b);
	rest = buf_str(&b);
	while (str_split(&rest, '\n', &line)) {
		_cleanup_(json_cleanup) struct json *j = NULL;
		struct error err = ERROR_INIT;

		if (!line.len)
			continue;
		if (json_parse(line, &j, &err))
			fail_msg("%s", err.msg);
		lines++;
	}
	assert_int_equal(lines, 800);
}

static void a_closed_stderr_is_survived(void **state)
{
	int saved = dup(STDERR_FILENO);

	(void)state;
	close(STDERR_FILENO);
	log_error("nobody hears it");
	dup2(saved, STDERR_FILENO);
	close(saved);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_kinds_of_fields),
		cmocka_unit_test(levels),
		cmocka_unit_test(long_lines_are_cut_and_stay_json),
		cmocka_unit_test(lines_of_threads_do_not_mix),
		cmocka_unit_test(a_closed_stderr_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
