/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocation that cannot fail: running out of memory prints one line and aborts. That is safe because every input is
 * bounded and all state lives in the API server or the database; the pod is simply started again. Thread: any.
 */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

#include <stddef.h>

#include "base/cleanup.h"

void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
/* Zeroed; n * size is checked for overflow. */
void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
char *xstrndup(const char *s, size_t len) __attribute__((malloc, returns_nonnull));
char *xasprintf(const char *fmt, ...) printf_like(1, 2) __attribute__((malloc, returns_nonnull));

#endif
