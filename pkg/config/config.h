/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration: a table says name, type, default, bounds and meaning of each option; file, flags and --help all follow
 * from it. File: YAML, unknown keys refused with their line and the nearest key there is; a key without a value leaves
 * the default. A flag `--some-option VALUE` overrides the file's `someOption` (nested: `grid.baseUrl` is
 * `--grid-base-url`, and in the file `baseUrl` inside `grid`). What is a list or has names of its own is left to the
 * caller as JSON.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stddef.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/error.h"

enum config_type {
	CONFIG_STRING,   /* char * */
	CONFIG_INT,      /* int64_t, bounds min..max */
	CONFIG_BOOL,     /* bool */
	CONFIG_DURATION, /* int64_t ms: "250ms", "30s", "5m", "2h", "1d", "1h30m"; bounds in ms */
	CONFIG_TIME,     /* int64_t ms, RFC 3339; TIME_NONE when unset */
	CONFIG_ENUM,     /* int: index into `names` */
	CONFIG_JSON,     /* char *: a whole mapping or list as JSON text, for the caller to read; in the file only */
};

struct config_option {
	const char *key; /* "clock.factor" as in the file */
	enum config_type type;
	size_t offset;            /* in the caller's struct */
	const char *def;          /* text of the default; NULL = NULL, 0, false, TIME_NONE */
	int64_t min, max;         /* INT and DURATION (ms); both 0 = none, max INT64_MAX = only min */
	const char *const *names; /* ENUM: NULL-terminated */
	const char *help;         /* one line */
};

/* Rows of a table, for a field of the caller's `struct options`. */
#define CONFIG_OPTION(k, t, field, d, lo, hi, h)                                                             \
	{                                                                                                    \
		.key = (k), .type = (t), .offset = offsetof(struct options, field), .def = (d), .min = (lo), \
		.max = (hi), .help = (h)                                                                     \
	}
#define CONFIG_CHOICE(k, field, d, list, h)                                                             \
	{                                                                                               \
		.key = (k), .type = CONFIG_ENUM, .offset = offsetof(struct options, field), .def = (d), \
		.names = (list), .help = (h)                                                            \
	}

struct config_spec {
	const char *program;
	const char *summary;
	const struct config_option *options;
	size_t n_options;
};

/*
 * Sets defaults, reads --config FILE if given, then applies the flags; strings live in the arena. `--help` prints and
 * sets *ret_exit true; so does --version. Errors name file, line, key and what would be right: ERR_INVALID.
 * Positional arguments are refused. `--flag=value`, `--flag value`, and for bools bare `--flag` are understood.
 */
int config_load(const struct config_spec *spec, int argc, char **argv, void *target, struct arena *arena,
		bool *ret_exit, struct error *err) must_check;
void config_help(const struct config_spec *spec, FILE *out);

#endif
