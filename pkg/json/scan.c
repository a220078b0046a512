/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The strict scanner: RFC 8259 and no more, without recursion or allocation. cJSON alone would take control characters
 * in strings, bad UTF-8, numbers like 01 or 1., and any byte below blank as white space.
 */
#include "json/internal.h"

#include "base/quote.h"
#include "base/utf8.h"

/* The API server's own decoder stops here too, so nothing deeper can come from it. */
#define SCAN_MAX_DEPTH 10000

/* cJSON copies a number into 64 bytes before it converts it. */
#define NUMBER_MAX 63

void json_scan_init(struct json_scan *s, struct str text)
{
	s->start = s->p = (const unsigned char *)(text.ptr ? text.ptr : "");
	s->end = s->start + text.len;
	s->nul = s->deep = false;
	s->unwanted = STR_NULL;
	s->n_cuts = 0;
	/* Some servers put a byte order mark before it; RFC 8259 section 8.1 allows to ignore it. */
	if (text.len >= 3 && memcmp(s->p, "\xEF\xBB\xBF", 3) == 0)
		s->p += 3;
}

int json_scan_fail(const struct json_scan *s, struct error *err, const char *what)
{
	return error_set(err, ERR_INVALID, "not JSON at byte %zu: %s", (size_t)(s->p - s->start), what);
}

void json_scan_blank(struct json_scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t'))
		s->p++;
}

int json_scan_expect(struct json_scan *s, char c, struct error *err)
{
	json_scan_blank(s);
	if (s->p == s->end || *s->p != (unsigned char)c)
		return json_scan_fail(s, err, (char[]){ '\'', c, '\'', ' ', 'm', 'i', 's', 's', 'i', 'n', 'g', 0 });
	s->p++;
	return 0;
}

static int hex_digit(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The value of four hex digits at p, or -1. */
static int hex_unit(const unsigned char *p, const unsigned char *end)
{
	int unit = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = hex_digit(p[i]);

		if (digit < 0)
			return -1;
		unit = unit << 4 | digit;
	}
	return unit;
}

/*
 * Reads the escape whose backslash is at p. Returns its length in the text, 0 when it is wrong (a lone half of a
 * surrogate pair too); *ret is the code point.
 */
static size_t read_escape(const unsigned char *p, const unsigned char *end, uint32_t *ret)
{
	int unit, low;

	if (end - p < 2)
		return 0;
	switch (p[1]) {
	case '"':
	case '\\':
	case '/':
		*ret = p[1];
		return 2;
	case 'b':
		*ret = '\b';
		return 2;
	case 'f':
		*ret = '\f';
		return 2;
	case 'n':
		*ret = '\n';
		return 2;
	case 'r':
		*ret = '\r';
		return 2;
	case 't':
		*ret = '\t';
		return 2;
	case 'u':
		break;
	default:
		return 0;
	}
	unit = hex_unit(p + 2, end);
	if (unit < 0 || (unit >= 0xDC00 && unit <= 0xDFFF))
		return 0;
	*ret = (uint32_t)unit;
	if (unit < 0xD800 || unit > 0xDBFF)
		return 6;
	if (end - p < 12 || p[6] != '\\' || p[7] != 'u')
		return 0;
	low = hex_unit(p + 8, end);
	if (low < 0xDC00 || low > 0xDFFF)
		return 0;
	*ret = 0x10000 + (((uint32_t)unit - 0xD800) << 10) + ((uint32_t)low - 0xDC00);
	return 12;
}

int json_scan_string(struct json_scan *s, struct str *ret_raw, struct error *err)
{
	const unsigned char *first;

	if (s->p == s->end || *s->p != '"')
		return json_scan_fail(s, err, "string missing");
	first = ++s->p;
	for (;;) {
		uint32_t code;
		size_t n;

		s->p += quote_plain(s->p, (size_t)(s->end - s->p));
		if (s->p == s->end)
			return json_scan_fail(s, err, "string without end");
		if (*s->p == '"')
			break;
		if (*s->p < 0x20)
			return json_scan_fail(s, err, "control character in a string");
		if (*s->p >= 0x80) {
			n = utf8_sequence(s->p, (size_t)(s->end - s->p));
			if (!n)
				return json_scan_fail(s, err, "not UTF-8");
		} else {
			n = read_escape(s->p, s->end, &code);
			if (!n)
				return json_scan_fail(s, err, "bad escape");
			s->nul |= code == 0;
		}
		s->p += n;
	}
	*ret_raw = str_of((const char *)first, (size_t)(s->p - first));
	s->p++;
	return 0;
}

/* At least one digit. */
static int scan_digits(struct json_scan *s, struct error *err)
{
	const unsigned char *first = s->p;

	while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
		s->p++;
	return s->p > first ? 0 : json_scan_fail(s, err, "digit missing");
}

static bool scan_is(const struct json_scan *s, char a, char b)
{
	return s->p < s->end && (*s->p == (unsigned char)a || *s->p == (unsigned char)b);
}

static int scan_number(struct json_scan *s, struct error *err)
{
	const unsigned char *first = s->p;

	if (*s->p == '-')
		s->p++;
	if (scan_is(s, '0', '0'))
		s->p++;
	else if (scan_digits(s, err))
		return -1;
	if (scan_is(s, '.', '.')) {
		s->p++;
		if (scan_digits(s, err))
			return -1;
	}
	if (scan_is(s, 'e', 'E')) {
		s->p++;
		if (scan_is(s, '+', '-'))
			s->p++;
		if (scan_digits(s, err))
			return -1;
	}
	if (s->p - first > NUMBER_MAX)
		return json_scan_fail(s, err, "number of more than 63 characters");
	return 0;
}

static int scan_word(struct json_scan *s, struct str word, struct error *err)
{
	if ((size_t)(s->end - s->p) < word.len || memcmp(s->p, word.ptr, word.len) != 0)
		return json_scan_fail(s, err, "unknown word");
	s->p += word.len;
	return 0;
}

static int scan_scalar(struct json_scan *s, struct error *err)
{
	struct str ignored;

	if (s->p == s->end)
		return json_scan_fail(s, err, "value missing");
	switch (*s->p) {
	case '"':
		return json_scan_string(s, &ignored, err);
	case 't':
		return scan_word(s, STR("true"), err);
	case 'f':
		return scan_word(s, STR("false"), err);
	case 'n':
		return scan_word(s, STR("null"), err);
	default:
		if (*s->p == '-' || (*s->p >= '0' && *s->p <= '9'))
			return scan_number(s, err);
		return json_scan_fail(s, err, "value missing");
	}
}

/* The unwanted value that is being scanned: where it begins, and how many containers are open around it. */
struct cut {
	const unsigned char *from; /* NULL = none */
	int open;
};

static int scan_member_key(struct json_scan *s, struct cut *cut, int open, struct error *err)
{
	struct str key;

	json_scan_blank(s);
	if (json_scan_string(s, &key, err) || json_scan_expect(s, ':', err))
		return -1;
	/* Spelt with escapes it is not recognized, and simply stays. */
	if (s->unwanted.len && key.len == s->unwanted.len && !cut->from && s->n_cuts < JSON_MAX_CUTS &&
	    str_eq(key, s->unwanted))
		*cut = (struct cut){ s->p, open };
	return 0;
}

static void end_cut(struct json_scan *s, struct cut *cut)
{
	s->cuts[s->n_cuts++] = str_of((const char *)cut->from, (size_t)(s->p - cut->from));
	cut->from = NULL;
}

static void set_bit(uint64_t *bits, int i, bool value)
{
	uint64_t bit = UINT64_C(1) << (i & 63);

	bits[i >> 6] = value ? bits[i >> 6] | bit : bits[i >> 6] & ~bit;
}

static bool get_bit(const uint64_t *bits, int i)
{
	return bits[i >> 6] >> (i & 63) & 1;
}

int json_scan_value(struct json_scan *s, int depth, struct error *err)
{
	uint64_t objects[SCAN_MAX_DEPTH / 64 + 1]; /* one bit a level: it is an object */
	struct cut cut = { 0 };
	int open = 0;

	for (;;) {
		bool closed = true; /* a value was completed, as opposed to a container opened */

		json_scan_blank(s);
		if (scan_is(s, '{', '[')) {
			bool object = *s->p++ == '{';

			if (depth + ++open > SCAN_MAX_DEPTH)
				return json_scan_fail(s, err, "nested too deep");
			s->deep |= depth + open > JSON_MAX_DEPTH;
			set_bit(objects, open, object);
			json_scan_blank(s);
			closed = object ? scan_is(s, '}', '}') : scan_is(s, ']', ']');
			if (!closed && object && scan_member_key(s, &cut, open, err))
				return -1;
		} else if (scan_scalar(s, err)) {
			return -1;
		}
		while (closed) {
			if (cut.from && cut.open == open)
				end_cut(s, &cut);
			if (!open)
				return 0;
			bool object = get_bit(objects, open);
			json_scan_blank(s);
			if (scan_is(s, ',', ',')) {
				s->p++;
				if (object && scan_member_key(s, &cut, open, err))
					return -1;
				closed = false;
			} else if (scan_is(s, object ? '}' : ']', object ? '}' : ']')) {
				s->p++;
				open--;
			} else {
				return json_scan_fail(s, err, object ? "',' or '}' missing" : "',' or ']' missing");
			}
		}
	}
}

static size_t encode_utf8(uint32_t code, unsigned char out[4])
{
	if (code < 0x80) {
		out[0] = (unsigned char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (unsigned char)(0xC0 | code >> 6);
		out[1] = (unsigned char)(0x80 | (code & 0x3F));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (unsigned char)(0xE0 | code >> 12);
		out[1] = (unsigned char)(0x80 | (code >> 6 & 0x3F));
		out[2] = (unsigned char)(0x80 | (code & 0x3F));
		return 3;
	}
	out[0] = (unsigned char)(0xF0 | code >> 18);
	out[1] = (unsigned char)(0x80 | (code >> 12 & 0x3F));
	out[2] = (unsigned char)(0x80 | (code >> 6 & 0x3F));
	out[3] = (unsigned char)(0x80 | (code & 0x3F));
	return 4;
}

bool json_scan_is(struct str raw, struct str text)
{
	const unsigned char *p = (const unsigned char *)raw.ptr, *end = p + raw.len;
	size_t at = 0;

	if (!memchr(raw.ptr, '\\', raw.len))
		return str_eq(raw, text);
	while (p < end) {
		unsigned char bytes[4] = { *p };
		size_t n = 1, taken = 1;

		if (*p == '\\') {
			uint32_t code = 0;

			taken = read_escape(p, end, &code);
			/* As json_parse() reads it. */
			n = encode_utf8(code ? code : 0xFFFD, bytes);
		}
		if (text.len - at < n || memcmp(text.ptr + at, bytes, n) != 0)
			return false;
		at += n;
		p += taken;
	}
	return at == text.len;
}
