/* SPDX-License-Identifier: Apache-2.0 */
/* JSON string literals. */
#include "base/quote.h"

#include "base/utf8.h"

static void quote_escape(struct buf *b, unsigned char c)
{
	/* Letter of the two-byte escape, or 0. */
	static const char letters[0x20] = { ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't' };
	static const char hex[] = "0123456789abcdef";

	if (c == '"' || c == '\\')
		buf_add(b, (char[]){ '\\', (char)c }, 2);
	else if (letters[c])
		buf_add(b, (char[]){ '\\', letters[c] }, 2);
	else
		buf_add(b, (char[]){ '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] }, 6);
}

void quote_json(struct buf *b, struct str s)
{
	const unsigned char *p = (const unsigned char *)s.ptr, *run = p, *end = p + s.len;

	if (quote_plain(p, s.len) == s.len) {
		if (buf_reserve(b, s.len + 2))
			return;
		char *out = b->ptr + b->len;
		*out++ = '"';
		if (s.len)
			memcpy(out, s.ptr, s.len);
		memcpy(out + s.len, "\"", 2);
		b->len += s.len + 2;
		return;
	}
	buf_addc(b, '"');
	for (;;) {
		size_t n;

		p += quote_plain(p, (size_t)(end - p));
		if (p == end)
			break;
		n = utf8_sequence(p, (size_t)(end - p));
		if (n > 1) {
			p += n;
			continue;
		}
		/* What stood before is safe and copied in one go. */
		buf_add(b, run, (size_t)(p - run));
		if (n)
			quote_escape(b, *p);
		else
			buf_add(b, "\xEF\xBF\xBD", 3);
		run = ++p;
	}
	buf_add(b, run, (size_t)(p - run));
	buf_addc(b, '"');
}
