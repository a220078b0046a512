/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one error type. It lives on the caller's stack and is always the last parameter:
 *
 *	int k8s_get(struct k8s *k, const char *path, struct buf *ret_body, struct error *err);
 *
 * Success returns 0 and leaves `err` untouched; failure returns -1, sets `err` and leaves the `ret_` outputs untouched.
 * The code says what a caller can do about it, the message is one line for a person: lower-case, no trailing dot,
 * naming the field and the fix where input was bad. `err` may never be NULL. Only the top of a thread logs.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdarg.h>
#include <stdint.h>

#include "base/cleanup.h"

enum error_code {
	ERR_NONE,
	ERR_INVALID,     /* the input is wrong; trying again cannot help */
	ERR_NOT_FOUND,   /* 404 */
	ERR_CONFLICT,    /* 409, or a precondition (412) failed: read again, decide again */
	ERR_GONE,        /* 410: list again */
	ERR_DENIED,      /* 401 or 403 */
	ERR_THROTTLED,   /* 429: wait retry_after_ms */
	ERR_TIMEOUT,     /* no answer in time; the request may have been carried out */
	ERR_UNAVAILABLE, /* no connection, or 5xx */
	ERR_LIMIT,       /* one of our own bounds was reached */
	ERR_INTERNAL,    /* a bug, or the machine failing */
};

struct error {
	enum error_code code;
	int http;               /* HTTP status when there was one, else 0 */
	int64_t retry_after_ms; /* what the server asked for, else 0 */
	char msg[320];
};

#define ERROR_INIT               \
	{                        \
		.code = ERR_NONE \
	}

/* Sets everything and returns -1, so that `return error_set(err, ERR_INVALID, "...")` reads well. Long text is cut. */
int error_set(struct error *err, enum error_code code, const char *fmt, ...) printf_like(3, 4);
int error_setv(struct error *err, enum error_code code, const char *fmt, va_list args) printf_like(3, 0);
/* The same with errno's text behind the message. */
int error_errno(struct error *err, enum error_code code, int errnum, const char *fmt, ...) printf_like(4, 5);
/* Puts "<prefix>: " before the message; code and status stay. Returns -1. */
int error_wrap(struct error *err, const char *fmt, ...) printf_like(2, 3);
/* Worth another try without any change by anybody: CONFLICT, THROTTLED, TIMEOUT, UNAVAILABLE. */
int error_is_transient(const struct error *err);
/* "invalid", "not-found", ...: bounded label values for metrics and logs. */
const char *error_code_name(enum error_code code);
/* The code an HTTP status maps to; 2xx maps to ERR_NONE. */
enum error_code error_code_from_http(int status);

#endif
