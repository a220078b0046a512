/* SPDX-License-Identifier: Apache-2.0 */
/* Structured log lines on stderr. */
#include "log/log.h"

#include <errno.h>
#include <math.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/quote.h"

#define LINE_MAX_BYTES 8192
/* Kept free for what ends a line that was cut. */
#define LINE_END "}\n"
#define LINE_CUT ",\"cut\":true" LINE_END

static const char *const level_names[] = { "debug", "info", "warn", "error" };
static _Atomic(const char *) log_logger = "loadshift";
static _Atomic int log_least = LOG_INFO;

void log_init(const char *logger, enum log_level level)
{
	atomic_store(&log_logger, logger);
	atomic_store(&log_least, (int)level);
}

bool log_level_parse(struct str s, enum log_level *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
		if (str_is(s, level_names[i])) {
			*ret = (enum log_level)i;
			return true;
		}
	}
	return false;
}

static void put_value(struct buf *b, const struct log_field *f, size_t text_len)
{
	char text[TIME_TEXT];

	switch (f->kind) {
	case LOG_FIELD_STR:
		if (f->str)
			quote_json(b, str_of(f->str, text_len));
		else
			buf_adds(b, "null");
		break;
	case LOG_FIELD_I64:
		buf_addi64(b, f->i64);
		break;
	case LOG_FIELD_DOUBLE:
		if (isfinite(f->dbl))
			buf_addf(b, "%.10g", f->dbl);
		else
			buf_adds(b, "null");
		break;
	case LOG_FIELD_BOOL:
		buf_adds(b, f->i64 ? "true" : "false");
		break;
	case LOG_FIELD_TIME:
		if (f->i64 == TIME_NONE)
			buf_adds(b, "null");
		else
			buf_addf(b, "\"%s\"", time_format(f->i64, text));
		break;
	case LOG_FIELD_END:
		break;
	}
}

/* Adds a member; a text that does not fit is halved until it does. False when something had to be left out. */
static bool put_field(struct buf *b, const struct log_field *f)
{
	size_t start = b->len;
	size_t full = f->kind == LOG_FIELD_STR && f->str ? strnlen(f->str, LINE_MAX_BYTES) : 0;

	for (size_t n = full;; n /= 2) {
		buf_addc(b, ',');
		quote_json(b, str_from(f->key));
		buf_addc(b, ':');
		put_value(b, f, n);
		if (!b->overflow)
			return n == full;
		b->overflow = false;
		b->len = start;
		if (n == 0)
			return false;
	}
}

void log_write(enum log_level level, const char *msg, const struct log_field *fields)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT(LINE_MAX_BYTES - strlen(LINE_CUT));
	char now[TIME_TEXT];
	int saved = errno;
	bool whole = true;

	if ((int)level < atomic_load_explicit(&log_least, memory_order_relaxed))
		return;
	buf_addf(&b, "{\"ts\":\"%s\"", time_format_micro(clock_wall_ms(), now));
	whole &= put_field(&b, &LOG_STR("level", level_names[level]));
	whole &= put_field(&b, &LOG_STR("logger", atomic_load_explicit(&log_logger, memory_order_relaxed)));
	whole &= put_field(&b, &LOG_STR("msg", msg));
	for (const struct log_field *f = fields; f->kind != LOG_FIELD_END; f++)
		whole &= put_field(&b, f);
	b.max = LINE_MAX_BYTES;
	buf_adds(&b, whole ? LINE_END : LINE_CUT);
	/* One call, so that lines of several threads do not mix. There is nobody to tell when it fails. */
	ssize_t ignored = write(STDERR_FILENO, b.ptr, b.len);
	(void)ignored;
	errno = saved;
}
