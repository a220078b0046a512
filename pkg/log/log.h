/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Structured log: one JSON object a line on stderr, one write(2) each: {"ts","level","logger","msg",...fields}.
 * The message is constant, what varies is a field. Only the top of a thread logs (pkg code returns errors instead).
 * Never give it a token, key or whole body. A line is at most 8 KiB: longer texts in it are cut, and it ends with
 * "cut":true. Bytes that are not UTF-8 become U+FFFD. errno is left as it was; a failing write is ignored. Thread: any.
 *
 *	log_info("job released", LOG_STR("job", key), LOG_I64("late_ms", late));
 */
#ifndef LOG_LOG_H
#define LOG_LOG_H

#include "base/error.h"
#include "base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_field {
	const char *key;
	enum { LOG_FIELD_END, LOG_FIELD_STR, LOG_FIELD_I64, LOG_FIELD_DOUBLE, LOG_FIELD_BOOL, LOG_FIELD_TIME } kind;
	union {
		const char *str;
		int64_t i64;
		double dbl;
	};
};

#define LOG_STR(k, v) ((struct log_field){ .key = (k), .kind = LOG_FIELD_STR, .str = (v) })
#define LOG_I64(k, v) ((struct log_field){ .key = (k), .kind = LOG_FIELD_I64, .i64 = (v) })
#define LOG_DBL(k, v) ((struct log_field){ .key = (k), .kind = LOG_FIELD_DOUBLE, .dbl = (v) })
#define LOG_BOOL(k, v) ((struct log_field){ .key = (k), .kind = LOG_FIELD_BOOL, .i64 = (v) })
/* RFC 3339 of an int64 ms; TIME_NONE is null. */
#define LOG_TIME(k, v) ((struct log_field){ .key = (k), .kind = LOG_FIELD_TIME, .i64 = (v) })
/* An error's message under "err". */
#define LOG_ERR(e) LOG_STR("err", (e)->msg)

/* From main: the least level written [LOG_INFO] and the program's name ("logger"), which must live for ever. */
void log_init(const char *logger, enum log_level level);
bool log_level_parse(struct str s, enum log_level *ret);

void log_write(enum log_level level, const char *msg, const struct log_field *fields);

#define LOG_FIELDS(...) ((const struct log_field[]){ __VA_ARGS__ __VA_OPT__(, ){ .kind = LOG_FIELD_END } })
#define log_debug(msg, ...) log_write(LOG_DEBUG, msg, LOG_FIELDS(__VA_ARGS__))
#define log_info(msg, ...) log_write(LOG_INFO, msg, LOG_FIELDS(__VA_ARGS__))
#define log_warn(msg, ...) log_write(LOG_WARN, msg, LOG_FIELDS(__VA_ARGS__))
#define log_error(msg, ...) log_write(LOG_ERROR, msg, LOG_FIELDS(__VA_ARGS__))

#endif
