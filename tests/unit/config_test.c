/* SPDX-License-Identifier: Apache-2.0 */
/* pkg/config: defaults, file, flags, and messages that say what to write instead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "config/config.h"

struct settings {
	char *url;
	char *name;
	int64_t workers;
	int64_t factor;
	int64_t interval_ms;
	int64_t origin_ms;
	int mode;
	bool dry_run;
	bool leader;
};

static const char *const modes[] = { "Act", "Observe", NULL };

static const struct config_option options[] = {
	{ .key = "grid.baseUrl", .type = CONFIG_STRING, .offset = offsetof(struct settings, url), .help = "Base URL." },
	{ .key = "name",
	  .type = CONFIG_STRING,
	  .offset = offsetof(struct settings, name),
	  .def = "loadshift",
	  .help = "Name." },
	{ .key = "workers",
	  .type = CONFIG_INT,
	  .offset = offsetof(struct settings, workers),
	  .def = "4",
	  .min = 1,
	  .max = 64,
	  .help = "Threads that reconcile." },
	{ .key = "clock.factor",
	  .type = CONFIG_INT,
	  .offset = offsetof(struct settings, factor),
	  .def = "1",
	  .min = 1,
	  .max = INT64_MAX,
	  .help = "Speed of the domain clock." },
	{ .key = "grid.pollInterval",
	  .type = CONFIG_DURATION,
	  .offset = offsetof(struct settings, interval_ms),
	  .def = "5m",
	  .min = 1000,
	  .max = 86400000,
	  .help = "Time between two reads of a provider." },
	{ .key = "clock.origin",
	  .type = CONFIG_TIME,
	  .offset = offsetof(struct settings, origin_ms),
	  .help = "Origin." },
	{ .key = "mode",
	  .type = CONFIG_ENUM,
	  .offset = offsetof(struct settings, mode),
	  .def = "Act",
	  .names = modes,
	  .help = "Whether jobs are touched." },
	{ .key = "dryRun", .type = CONFIG_BOOL, .offset = offsetof(struct settings, dry_run), .help = "Dry run." },
	{ .key = "leaderElection",
	  .type = CONFIG_BOOL,
	  .offset = offsetof(struct settings, leader),
	  .def = "true",
	  .help = "Lease." },
};

static const struct config_spec spec = { "tester", "A program under test.", options, ARRAY_LEN(options) };

static char file[64];

static void write_file(const char *text)
{
	FILE *f;

	snprintf(file, sizeof(file), "/tmp/loadshift-config-test.%d", (int)getpid());
	f = fopen(file, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* Loads with up to four arguments; an argument "FILE" is the file just written. */
static int load(struct settings *s, struct arena *arena, struct error *err, const char *a, const char *b, const char *c,
		const char *d)
{
	const char *argv[6] = { "tester", a, b, c, d, NULL };
	int argc = 0;
	bool leave = true;

	while (argv[argc]) {
		if (strcmp(argv[argc], "FILE") == 0)
			argv[argc] = file;
		argc++;
	}
	int result = config_load(&spec, argc, (char **)(void *)argv, s, arena, &leave, err);
	if (result == 0)
		assert_false(leave);
	return result;
}

static void refused(const char *message, const char *a, const char *b, const char *c)
{
	_cleanup_(arena_release) struct arena arena;
	struct error err = ERROR_INIT;
	struct settings s;
	char expected[400];
	const char *place = strstr(message, "FILE");

	arena_init(&arena, 512, 1 << 20);
	if (load(&s, &arena, &err, a, b, c, NULL) == 0)
		fail_msg("accepted: %s", a);
	if (place)
		snprintf(expected, sizeof(expected), "%.*s%s%s", (int)(place - message), message, file, place + 4);
	else
		snprintf(expected, sizeof(expected), "%s", message);
	assert_string_equal(err.msg, expected);
}

static void defaults_then_file_then_flags(void **state)
{
	_cleanup_(arena_release) struct arena arena;
	struct error err = ERROR_INIT;
	struct settings s;

	(void)state;
	arena_init(&arena, 512, 1 << 20);
	assert_int_equal(load(&s, &arena, &err, NULL, NULL, NULL, NULL), 0);
	assert_null(s.url);
	assert_string_equal(s.name, "loadshift");
	assert_int_equal(s.workers, 4);
	assert_int_equal(s.factor, 1);
	assert_int_equal(s.interval_ms, 300000);
	assert_true(s.origin_ms == TIME_NONE);
	assert_int_equal(s.mode, 0);
	assert_false(s.dry_run);
	assert_true(s.leader);

	write_file("grid:\n  baseUrl: http://x/\n  pollInterval: 1h30m\nworkers: 8\nmode: Observe\ndryRun: true\n"
		   "clock:\n  origin: 2023-02-09T07:00:00Z\n  factor: 240\nname:\n");
	if (load(&s, &arena, &err, "--workers=2", "--config", "FILE", "--no-such=1") == 0)
		fail_msg("accepted an unknown flag");
	if (load(&s, &arena, &err, "--workers=2", "--config", "FILE", "--dry-run=false"))
		fail_msg("%s", err.msg);
	assert_string_equal(s.url, "http://x/");
	assert_string_equal(s.name, "loadshift");
	assert_int_equal(s.workers, 2);
	assert_int_equal(s.factor, 240);
	assert_int_equal(s.interval_ms, 5400000);
	assert_true(s.origin_ms == INT64_C(1675926000000));
	assert_int_equal(s.mode, 1);
	assert_false(s.dry_run);
	assert_int_equal(load(&s, &arena, &err, "--dry-run", "--grid-base-url", "--odd", "--name="), 0);
	assert_true(s.dry_run);
	assert_string_equal(s.url, "--odd");
	assert_string_equal(s.name, "");
	assert_int_equal(load(&s, &arena, &err, "--grid-poll-interval", "2000ms", "--mode", "Observe"), 0);
	assert_int_equal(s.interval_ms, 2000);
	write_file("# nothing\n");
	assert_int_equal(load(&s, &arena, &err, "--config", "FILE", NULL, NULL), 0);
	unlink(file);
}

static void flags_that_are_wrong(void **state)
{
	(void)state;
	refused("--workes: unknown option, did you mean --workers?", "--workes", "3", NULL);
	refused("--baseurl: unknown option, see --help", "--baseurl", NULL, NULL);
	refused("--grid-baseurl: unknown option, did you mean --grid-base-url?", "--grid-baseurl=x", NULL, NULL);
	refused("--hlep: unknown option, did you mean --help?", "--hlep", NULL, NULL);
	refused("--xyzzyxyzzy: unknown option, see --help", "--xyzzyxyzzy", NULL, NULL);
	refused("unexpected argument \"word\": flags begin with --", "word", NULL, NULL);
	refused("unexpected argument \"--\": flags begin with --", "--", NULL, NULL);
	refused("unexpected argument \"-x\": flags begin with --", "-x", NULL, NULL);
	refused("unexpected argument \"\": flags begin with --", "", NULL, NULL);
	refused("--workers: value missing", "--workers", NULL, NULL);
	refused("--config: value missing", "--config", NULL, NULL);
	refused("--dry-run true: write --dry-run=true", "--dry-run", "true", NULL);
	refused("--workers: must be from 1 to 64, is 0", "--workers=0", NULL, NULL);
	refused("--workers: must be a whole number, is \"many\"", "--workers", "many", NULL);
	refused("--workers: must be a whole number, is \"\"", "--workers=", NULL, NULL);
	refused("--clock-factor: must be at least 1, is -5", "--clock-factor=-5", NULL, NULL);
	refused("--grid-poll-interval: must be from 1s to 1d, is 500ms", "--grid-poll-interval=500ms", NULL, NULL);
	refused("--grid-poll-interval: must be from 1s to 1d, is 0s", "--grid-poll-interval=0s", NULL, NULL);
	refused("--grid-poll-interval: must be a duration such as 250ms, 30s, 5m, 2h or 1d, is \"30\"",
		"--grid-poll-interval=30", NULL, NULL);
	refused("--grid-poll-interval: must be a duration such as 250ms, 30s, 5m, 2h or 1d, is \"99999999999999d\"",
		"--grid-poll-interval=99999999999999d", NULL, NULL);
	refused("--mode: must be one of Act, Observe, is \"act\"", "--mode=act", NULL, NULL);
	refused("--dry-run: must be true or false, is \"1\"", "--dry-run=1", NULL, NULL);
	refused("--clock-origin: must be a time such as 2023-02-09T07:00:00Z, is \"today\"", "--clock-origin=today",
		NULL, NULL);
	refused("--config: read /nonexistent: No such file or directory", "--config=/nonexistent", NULL, NULL);
}

static void file_is_wrong(const char *text, const char *message)
{
	write_file(text);
	refused(message, "--config", "FILE", NULL);
	unlink(file);
}

static void files_that_are_wrong(void **state)
{
	(void)state;
	file_is_wrong("workers: 1\ngrid:\n  baseURI: x\n",
		      "FILE:3: grid.baseURI: unknown option, did you mean grid.baseUrl?");
	file_is_wrong("gird:\n  baseUrl: x\n", "FILE:1: gird: unknown option, see --help");
	file_is_wrong("a: 1\nfactor: 2\n", "FILE:1: a: unknown option, see --help");
	file_is_wrong("factor: 2\n", "FILE:1: factor: unknown option, did you mean clock.factor?");
	file_is_wrong("workers: \"3\"\n", "FILE:1: workers: must be a whole number, is a value of type string");
	file_is_wrong("workers: 1.5\n", "FILE:1: workers: must be a whole number, is a value of type number");
	file_is_wrong("\n\nworkers: 65\n", "FILE:3: workers: must be from 1 to 64, is 65");
	file_is_wrong("name: 12\n", "FILE:1: name: must be text (put quotes around it), is a value of type number");
	file_is_wrong("dryRun: yes\n", "FILE:1: dryRun: must be true or false, is a value of type string");
	file_is_wrong("mode: {a: 1}\n", "FILE:1: mode: must be a name, is a value of type object");
	file_is_wrong("grid: 5\n", "FILE:1: grid: holds options, is a value of type number");
	file_is_wrong("- 1\n", "FILE:1: must be a mapping of options, is a value of type array");
	file_is_wrong("a: [\n", "FILE: line 2, column 1: did not find expected node content");
	file_is_wrong("workers: 1\nworkers: 2\n", "FILE: line 2, column 1: key \"workers\" is there twice");
	file_is_wrong("clock.factor: 2\nclock: {factor: 3}\n",
		      "FILE: clock.factor: nest the keys instead of writing a dot");
}

static void help_is_complete(void **state)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	(void)state;
	config_help(&spec, f);
	fclose(f);
	assert_non_null(strstr(text, "Usage: tester [--config FILE]"));
	assert_non_null(strstr(
		text,
		"  --workers NUMBER                    Threads that reconcile. [1 to 64; default 4] (workers)\n"));
	assert_non_null(strstr(text, "[1s to 1d; default 5m] (grid.pollInterval)\n"));
	assert_non_null(strstr(text, "--mode Act|Observe"));
	assert_non_null(strstr(text, "[at least 1; default 1] (clock.factor)"));
	assert_non_null(strstr(text, "  --dry-run   "));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_then_file_then_flags),
		cmocka_unit_test(flags_that_are_wrong),
		cmocka_unit_test(files_that_are_wrong),
		cmocka_unit_test(help_is_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
