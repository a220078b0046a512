/* SPDX-License-Identifier: Apache-2.0 */
/* Building and classifying errors. */
#include "base/error.h"

#include <string.h>

int error_setv(struct error *err, enum error_code code, const char *fmt, va_list args)
{
	struct error e = { .code = code };

	/* Not in place: an argument may well be err->msg. */
	(void)vsnprintf(e.msg, sizeof(e.msg), fmt, args);
	*err = e;
	return -1;
}

int error_set(struct error *err, enum error_code code, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)error_setv(err, code, fmt, args);
	va_end(args);
	return -1;
}

int error_errno(struct error *err, enum error_code code, int errnum, const char *fmt, ...)
{
	char text[64];
	va_list args;

	va_start(args, fmt);
	(void)error_setv(err, code, fmt, args);
	va_end(args);
	size_t len = strlen(err->msg);
	(void)snprintf(err->msg + len, sizeof(err->msg) - len, ": %s", strerror_r(errnum, text, sizeof(text)));
	return -1;
}

int error_wrap(struct error *err, const char *fmt, ...)
{
	char prefix[sizeof(err->msg)], msg[sizeof(err->msg)];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(prefix, sizeof(prefix), fmt, args);
	va_end(args);
	memcpy(msg, err->msg, sizeof(msg));
	memcpy(err->msg, prefix, sizeof(prefix));
	size_t len = strlen(err->msg);
	(void)snprintf(err->msg + len, sizeof(err->msg) - len, ": %s", msg);
	return -1;
}

int error_is_transient(const struct error *err)
{
	return err->code == ERR_CONFLICT || err->code == ERR_THROTTLED || err->code == ERR_TIMEOUT ||
	       err->code == ERR_UNAVAILABLE;
}

const char *error_code_name(enum error_code code)
{
	static const char *const names[] = {
		[ERR_NONE] = "none",           [ERR_INVALID] = "invalid",   [ERR_NOT_FOUND] = "not-found",
		[ERR_CONFLICT] = "conflict",   [ERR_GONE] = "gone",         [ERR_DENIED] = "denied",
		[ERR_THROTTLED] = "throttled", [ERR_TIMEOUT] = "timeout",   [ERR_UNAVAILABLE] = "unavailable",
		[ERR_LIMIT] = "limit",         [ERR_INTERNAL] = "internal",
	};

	return (size_t)code < ARRAY_LEN(names) ? names[code] : "unknown";
}

enum error_code error_code_from_http(int status)
{
	if (status >= 200 && status < 300)
		return ERR_NONE;
	switch (status) {
	case 401:
	case 403:
		return ERR_DENIED;
	case 404:
		return ERR_NOT_FOUND;
	case 408:
	case 504:
		return ERR_TIMEOUT;
	case 409:
	case 412:
		return ERR_CONFLICT;
	case 410:
		return ERR_GONE;
	case 413:
		return ERR_LIMIT;
	case 429:
		return ERR_THROTTLED;
	default:
		return status >= 500 ? ERR_UNAVAILABLE : ERR_INVALID;
	}
}
