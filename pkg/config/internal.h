/* SPDX-License-Identifier: Apache-2.0 */
/* How options read and write: names of flags, durations, texts for messages and --help. Pure. */
#ifndef CONFIG_INTERNAL_H
#define CONFIG_INTERNAL_H

#include "base/clock.h"
#include "config/config.h"

#define CONFIG_MAX_KEY 128

/* "grid.baseUrl" as "grid-base-url"; returns out. */
char *config_flag(const char *key, char out[CONFIG_MAX_KEY]);
/* --config, --help and --version, which are no options of the table. */
bool config_is_builtin(struct str flag);
/* "1d", "2h", "5m", "30s", "250ms" and several of them in a row, "1h30m". */
bool config_parse_duration(struct str text, int64_t *ret_ms);
/* An INT, or a DURATION in its largest whole unit; returns out. */
char *config_format_int(const struct config_option *o, int64_t value, char out[TIME_TEXT]);
/* "a whole number", "a duration such as ...": what a value must be. */
const char *config_type_text(const struct config_option *o);
/* ERR_INVALID "unknown option" with the nearest one there is. `flag`: name and answer as flags. Returns -1. */
int config_unknown(const struct config_spec *spec, const char *name, bool flag, struct error *err);

#endif
