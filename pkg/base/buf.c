/* SPDX-License-Identifier: Apache-2.0 */
/* Bounded growing byte buffer. */
#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>

#include "base/alloc.h"

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf)BUF_INIT(max);
}

void buf_release(struct buf *b)
{
	free(b->ptr);
	buf_init(b, b->max);
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	b->overflow = false;
	if (b->ptr)
		b->ptr[0] = '\0';
}

int buf_reserve(struct buf *b, size_t n)
{
	if (b->overflow || n > b->max - b->len) {
		b->overflow = true;
		return -1;
	}
	size_t need = b->len + n + 1;
	if (need > b->cap) {
		size_t cap = MAX(MAX(need, b->cap * 2), 256);

		b->cap = MIN(cap, b->max + 1);
		b->ptr = xrealloc(b->ptr, b->cap);
		b->ptr[b->len] = '\0';
	}
	return 0;
}

int buf_add(struct buf *b, const void *data, size_t len)
{
	if (buf_reserve(b, len))
		return -1;
	if (len)
		memcpy(b->ptr + b->len, data, len);
	b->len += len;
	b->ptr[b->len] = '\0';
	return 0;
}

int buf_adds(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

int buf_addstr(struct buf *b, struct str s)
{
	return buf_add(b, s.ptr, s.len);
}

int buf_addv(struct buf *b, const char *fmt, va_list args)
{
	char text[512];
	va_list again;

	va_copy(again, args);
	int n = vsnprintf(text, sizeof(text), fmt, args);
	int result = -1;
	if (n < 0) {
		b->overflow = true;
	} else if ((size_t)n < sizeof(text)) {
		result = buf_add(b, text, (size_t)n);
	} else if (buf_reserve(b, (size_t)n) == 0) {
		(void)vsnprintf(b->ptr + b->len, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
		result = 0;
	}
	va_end(again);
	return result;
}

int buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	int result = buf_addv(b, fmt, args);
	va_end(args);
	return result;
}

int buf_addi64(struct buf *b, int64_t value)
{
	char text[24];
	char *p = text + sizeof(text);
	uint64_t u = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

	do {
		*--p = (char)('0' + u % 10);
		u /= 10;
	} while (u);
	if (value < 0)
		*--p = '-';
	return buf_add(b, p, (size_t)(text + sizeof(text) - p));
}

void buf_consume(struct buf *b, size_t n)
{
	if (n == 0)
		return;
	memmove(b->ptr, b->ptr + n, b->len - n + 1);
	b->len -= n;
}

int buf_check(const struct buf *b, const char *what, struct error *err)
{
	if (b->overflow)
		return error_set(err, ERR_LIMIT, "%s is larger than %zu bytes", what, b->max);
	return 0;
}

char *buf_take(struct buf *b)
{
	char *p = b->ptr ? b->ptr : xstrdup("");

	buf_init(b, b->max);
	return p;
}

int buf_read_file(struct buf *b, const char *path, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		enum error_code code = errno == ENOENT ? ERR_NOT_FOUND : errno == EACCES ? ERR_DENIED : ERR_INTERNAL;
		return error_errno(err, code, errno, "read %s", path);
	}
	for (;;) {
		/* One byte more than fits tells a full buffer from a file that is too large. */
		size_t room = MIN(b->max - b->len + 1, 65536);
		char chunk[65536];
		ssize_t n = read(fd, chunk, room);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, ERR_INTERNAL, errno, "read %s", path);
		if (n == 0)
			return 0;
		if (buf_add(b, chunk, (size_t)n))
			return error_set(err, ERR_LIMIT, "%s is larger than %zu bytes", path, b->max);
	}
}
