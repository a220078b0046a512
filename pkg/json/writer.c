/* SPDX-License-Identifier: Apache-2.0 */
/* Writing JSON straight into a bounded buffer. */
#include "json/writer.h"

#include <math.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "base/quote.h"

/* What stands before a value: comma and key. */
static void begin(struct json_writer *w, const char *key)
{
	if (w->comma)
		buf_addc(w->buf, ',');
	w->comma = true;
	if (key) {
		quote_json(w->buf, str_from(key));
		buf_addc(w->buf, ':');
	}
}

static void open_container(struct json_writer *w, const char *key, char c)
{
	begin(w, key);
	buf_addc(w->buf, c);
	w->comma = false;
}

static void close_container(struct json_writer *w, char c)
{
	buf_addc(w->buf, c);
	w->comma = true;
}

void jw_object(struct json_writer *w, const char *key)
{
	open_container(w, key, '{');
}

void jw_end_object(struct json_writer *w)
{
	close_container(w, '}');
}

void jw_array(struct json_writer *w, const char *key)
{
	open_container(w, key, '[');
}

void jw_end_array(struct json_writer *w)
{
	close_container(w, ']');
}

void jw_raw(struct json_writer *w, const char *key, struct str json)
{
	begin(w, key);
	buf_addstr(w->buf, json);
}

void jw_str(struct json_writer *w, const char *key, struct str value)
{
	if (!value.ptr) {
		jw_null(w, key);
		return;
	}
	begin(w, key);
	quote_json(w->buf, value);
}

void jw_string(struct json_writer *w, const char *key, const char *value)
{
	jw_str(w, key, str_from(value));
}

void jw_string_opt(struct json_writer *w, const char *key, const char *value)
{
	if (value)
		jw_string(w, key, value);
}

void jw_stringf(struct json_writer *w, const char *key, const char *fmt, ...)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT(w->buf->max);
	va_list args;

	va_start(args, fmt);
	buf_addv(&text, fmt, args);
	va_end(args);
	w->buf->overflow |= text.overflow;
	jw_str(w, key, buf_str(&text));
}

void jw_i64(struct json_writer *w, const char *key, int64_t value)
{
	begin(w, key);
	buf_addi64(w->buf, value);
}

void jw_bool(struct json_writer *w, const char *key, bool value)
{
	jw_raw(w, key, value ? STR("true") : STR("false"));
}

void jw_null(struct json_writer *w, const char *key)
{
	jw_raw(w, key, STR("null"));
}

void jw_double(struct json_writer *w, const char *key, double value, int places)
{
	char text[64];
	size_t len;

	if (!isfinite(value)) {
		jw_null(w, key);
		return;
	}
	/* From 2^53 on there is nothing behind the point, and %f would write up to 309 digits. */
	if (fabs(value) >= 9007199254740992.0) {
		snprintf(text, sizeof(text), "%.17g", value);
	} else {
		snprintf(text, sizeof(text), "%.*f", CLAMP(places, 0, 17), value);
		len = strlen(text);
		if (strchr(text, '.')) {
			while (text[len - 1] == '0')
				len--;
			len -= text[len - 1] == '.';
			text[len] = 0;
		}
		if (strcmp(text, "-0") == 0)
			str_copy(text, sizeof(text), STR("0"));
	}
	jw_raw(w, key, str_from(text));
}

void jw_decimal(struct json_writer *w, const char *key, int64_t value, int scale)
{
	char text[DECIMAL_TEXT];

	jw_raw(w, key, str_from(decimal_format(value, scale, text)));
}

void jw_time(struct json_writer *w, const char *key, int64_t ms)
{
	char text[TIME_TEXT];

	if (ms != TIME_NONE)
		jw_string(w, key, time_format(ms, text));
}

void json_quote(struct buf *b, struct str s)
{
	quote_json(b, s);
}
