/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation that aborts, with one line, when there is no memory. */
#include "base/alloc.h"

#include <stdarg.h>

#include "base/vec.h"

static void *check(void *p, size_t size)
{
	if (!p) {
		(void)fprintf(stderr, "out of memory allocating %zu bytes\n", size);
		abort();
	}
	return p;
}

void *xmalloc(size_t size)
{
	return check(malloc(size ? size : 1), size);
}

void *xcalloc(size_t n, size_t size)
{
	return check(calloc(n ? n : 1, size ? size : 1), n * size);
}

void *xrealloc(void *p, size_t size)
{
	return check(realloc(p, size ? size : 1), size);
}

char *xstrdup(const char *s)
{
	return xstrndup(s, strlen(s));
}

char *xstrndup(const char *s, size_t len)
{
	char *p = xmalloc(len + 1);

	memcpy(p, s, len);
	p[len] = '\0';
	return p;
}

char *xasprintf(const char *fmt, ...)
{
	va_list args;
	char *p = NULL;

	va_start(args, fmt);
	int n = vasprintf(&p, fmt, args);
	va_end(args);
	return check(n < 0 ? NULL : p, 0);
}

void *vec_grow(void *ptr, size_t len, size_t *cap, size_t size)
{
	if (len == *cap) {
		size_t grown = *cap ? *cap * 2 : 8;

		if (grown > SIZE_MAX / size)
			check(NULL, SIZE_MAX);
		ptr = xrealloc(ptr, grown * size);
		*cap = grown;
	}
	memset((char *)ptr + len * size, 0, size);
	return ptr;
}
