/* SPDX-License-Identifier: Apache-2.0 */
/* The extender's JSON scanner: strings eight bytes at a time, containers on a bit stack. */
#include "extender/cursor.h"

#include "base/utf8.h"

bool cursor_fail(struct cursor *c, const char *problem)
{
	if (!c->problem)
		c->problem = problem;
	return false;
}

char cursor_peek(struct cursor *c)
{
	if (c->problem)
		return '\0';
	while (c->p < c->end) {
		if (*c->p != ' ' && *c->p != '\n' && *c->p != '\t' && *c->p != '\r')
			return *c->p;
		c->p++;
	}
	return '\0';
}

static bool take(struct cursor *c, char ch)
{
	if (cursor_peek(c) != ch)
		return false;
	c->p++;
	return true;
}

static int hex_digit(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	if (ch >= 'a' && ch <= 'f')
		return ch - 'a' + 10;
	if (ch >= 'A' && ch <= 'F')
		return ch - 'A' + 10;
	return -1;
}

/* The four digits of a \u escape; -1 when they are not there. */
static int hex4(const char *p, const char *end)
{
	int v = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int d = hex_digit(p[i]);

		if (d < 0)
			return -1;
		v = v << 4 | d;
	}
	return v;
}

/* Bytes of the escape sequence at p, which begins with a backslash; 0 when it is none. */
static size_t escape_length(const char *p, const char *end)
{
	if (end - p < 2)
		return 0;
	if (p[1] == 'u')
		return hex4(p + 2, end) < 0 ? 0 : 6;
	return p[1] != '\0' && strchr("\"\\/bfnrt", p[1]) ? 2 : 0;
}

/* The rest of a string after its opening quote. */
static void string_rest(struct cursor *c, struct cursor_text *ret)
{
	const char *begin = c->p;
	bool escaped = false;

	for (;;) {
		size_t n;

		c->p = cursor_skip_plain(c->p, c->end);
		if (c->p == c->end) {
			cursor_fail(c, "the text ends within a string");
			return;
		}
		if (*c->p == '"')
			break;
		if (*c->p == '\\') {
			escaped = true;
			n = escape_length(c->p, c->end);
			if (n == 0)
				cursor_fail(c, "bad escape in a string");
		} else if ((unsigned char)*c->p < ' ') {
			n = 0;
			cursor_fail(c, "control character in a string");
		} else {
			n = utf8_sequence((const unsigned char *)c->p, (size_t)(c->end - c->p));
			if (n == 0)
				cursor_fail(c, "a string is not UTF-8");
		}
		if (n == 0)
			return;
		c->p += n;
	}
	*ret = (struct cursor_text){ str_of(begin, (size_t)(c->p - begin)), escaped };
	c->p++;
}

void cursor_string_slow(struct cursor *c, struct cursor_text *ret, const char *what)
{
	*ret = (struct cursor_text){ STR(""), false };
	if (take(c, '"'))
		string_rest(c, ret);
	else
		cursor_fail(c, what);
}

static void enter(struct cursor *c, char bracket, const char *what)
{
	if (!take(c, bracket))
		cursor_fail(c, what);
	c->depth++;
	c->fresh = true;
}

void cursor_object(struct cursor *c, const char *what)
{
	enter(c, '{', what);
}

void cursor_array(struct cursor *c, const char *what)
{
	enter(c, '[', what);
}

/* True when another member of the innermost container comes; at its closing bracket that is taken. */
static bool member(struct cursor *c, char bracket, const char *what)
{
	bool fresh = c->fresh;

	c->fresh = false;
	if (c->problem)
		return false;
	if (take(c, bracket)) {
		c->depth--;
		return false;
	}
	return fresh || take(c, ',') || cursor_fail(c, what);
}

bool cursor_key(struct cursor *c, struct cursor_text *ret)
{
	if (!member(c, '}', "expected ',' or '}'"))
		return false;
	cursor_string(c, ret, "expected a key in double quotes");
	if (!take(c, ':'))
		return cursor_fail(c, "expected ':' after a key");
	return !c->problem;
}

bool cursor_element_slow(struct cursor *c)
{
	return member(c, ']', "expected ',' or ']'");
}

static bool literal(struct cursor *c, struct str word)
{
	if ((size_t)(c->end - c->p) < word.len || memcmp(c->p, word.ptr, word.len) != 0)
		return false;
	c->p += word.len;
	return true;
}

bool cursor_null(struct cursor *c)
{
	return cursor_peek(c) == 'n' && literal(c, STR("null"));
}

static bool digits(struct cursor *c)
{
	const char *begin = c->p;

	while (c->p < c->end && *c->p >= '0' && *c->p <= '9')
		c->p++;
	return c->p > begin;
}

static bool number(struct cursor *c)
{
	if (*c->p == '-')
		c->p++;
	if (c->p < c->end && *c->p == '0')
		c->p++;
	else if (!digits(c))
		return false;
	if (literal(c, STR(".")) && !digits(c))
		return false;
	if (!literal(c, STR("e")) && !literal(c, STR("E")))
		return true;
	if (!literal(c, STR("+")))
		(void)literal(c, STR("-"));
	return digits(c);
}

static void scalar(struct cursor *c)
{
	struct cursor_text ignored;
	char ch = cursor_peek(c);

	if (ch == '"')
		cursor_string(c, &ignored, "");
	else if (ch == '-' || (ch >= '0' && ch <= '9'))
		(void)(number(c) || cursor_fail(c, "bad number"));
	else if (!literal(c, STR("true")) && !literal(c, STR("false")) && !literal(c, STR("null")))
		cursor_fail(c, "expected a value");
}

/*
 * One container after the other without recursion: `objects` remembers, a bit per level below the starting one,
 * whether it is an object.
 */
void cursor_skip(struct cursor *c)
{
	struct cursor_text ignored;
	uint64_t objects = 0;
	int base = c->depth;

	if (c->problem)
		return;
	do {
		char ch = cursor_peek(c);
		bool object;

		if (ch == '{' || ch == '[') {
			if (c->depth - base == CURSOR_MAX_DEPTH) {
				cursor_fail(c, "nested too deep");
				return;
			}
			enter(c, ch, "");
			objects = objects << 1 | (ch == '{');
		} else {
			scalar(c);
		}
		while (c->depth > base && !c->problem) {
			object = objects & 1;
			if (object ? cursor_key(c, &ignored) : cursor_element(c))
				break;
			objects >>= 1;
		}
	} while (c->depth > base && !c->problem);
}

int cursor_end(struct cursor *c)
{
	(void)cursor_peek(c);
	if (!c->problem && c->p < c->end)
		cursor_fail(c, "something follows the value");
	return c->problem ? -1 : 0;
}

static size_t utf8_encode(uint32_t u, char out[4])
{
	if (u < 0x80) {
		out[0] = (char)u;
		return 1;
	}
	if (u < 0x800) {
		out[0] = (char)(0xC0 | u >> 6);
		out[1] = (char)(0x80 | (u & 0x3F));
		return 2;
	}
	if (u < 0x10000) {
		out[0] = (char)(0xE0 | u >> 12);
		out[1] = (char)(0x80 | (u >> 6 & 0x3F));
		out[2] = (char)(0x80 | (u & 0x3F));
		return 3;
	}
	out[0] = (char)(0xF0 | u >> 18);
	out[1] = (char)(0x80 | (u >> 12 & 0x3F));
	out[2] = (char)(0x80 | (u >> 6 & 0x3F));
	out[3] = (char)(0x80 | (u & 0x3F));
	return 4;
}

/* One escape (already checked) at *p into out; advances *p. A lone surrogate becomes U+FFFD, as Go reads it. */
static size_t decode_escape(const char **p, const char *end, char out[4])
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	uint32_t u;

	if ((*p)[1] != 'u') {
		out[0] = to[strchr(from, (*p)[1]) - from];
		*p += 2;
		return 1;
	}
	u = (uint32_t)hex4(*p + 2, end);
	*p += 6;
	if (u >= 0xD800 && u <= 0xDFFF) {
		int low = end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u' ? hex4(*p + 2, end) : -1;

		if (u > 0xDBFF || low < 0xDC00 || low > 0xDFFF) {
			u = 0xFFFD;
		} else {
			u = 0x10000 + ((u - 0xD800) << 10) + ((uint32_t)low - 0xDC00);
			*p += 6;
		}
	}
	return utf8_encode(u, out);
}

struct str cursor_unescape(struct str raw, char *buf, size_t cap)
{
	const char *p = raw.ptr, *end = p + raw.len;
	size_t len = 0;

	while (p < end) {
		char piece[4];
		size_t n = 1;

		if (*p == '\\')
			n = decode_escape(&p, end, piece);
		else
			piece[0] = *p++;
		if (len + n > cap)
			return STR_NULL;
		memcpy(buf + len, piece, n);
		len += n;
	}
	return str_of(buf, len);
}
