/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 request reader, see request.h. */
#include "http/request.h"

/* tchar of RFC 9110 5.6.2. */
static bool is_token_char(unsigned char c)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
		return true;
	return c && strchr("!#$%&'*+-.^_`|~", c);
}

static bool is_token(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!is_token_char((unsigned char)s[i]))
			return false;
	return len > 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

size_t request_head_len(struct str data, size_t from)
{
	size_t start = from > 3 ? from - 3 : 0;
	const char *end;

	if (start >= data.len)
		return 0;
	end = memmem(data.ptr + start, data.len - start, "\r\n\r\n", 4);
	return end ? (size_t)(end - data.ptr) + 4 : 0;
}

bool request_unescape(char *s, bool plus)
{
	char *out = s;

	for (; *s; s++) {
		int hi, lo;

		if (*s != '%') {
			*out++ = plus && *s == '+' ? ' ' : *s;
			continue;
		}
		hi = hex_digit(s[1]);
		lo = hi < 0 ? -1 : hex_digit(s[2]);
		if (lo < 0 || (hi == 0 && lo == 0))
			return false;
		*out++ = (char)(hi << 4 | lo);
		s += 2;
	}
	*out = '\0';
	return true;
}

/* A ".." segment has no business in a path that only names routes. */
static bool has_dot_dot(const char *path)
{
	for (const char *p = strstr(path, "/.."); p; p = strstr(p + 1, "/.."))
		if (p[3] == '\0' || p[3] == '/')
			return true;
	return false;
}

/* "METHOD SP path[?query] SP HTTP/1.x"; line is NUL-terminated. */
static int parse_request_line(struct request *r, char *text, char *line, size_t len, bool *ret_http10)
{
	char *target, *version, *query;

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			return 400;
	target = memchr(line, ' ', len);
	if (!target || !is_token(line, (size_t)(target - line)))
		return 400;
	*target++ = '\0';
	version = strchr(target, ' ');
	if (!version || *target != '/')
		return 400;
	*version++ = '\0';
	if (strncmp(version, "HTTP/", 5) != 0)
		return 400;
	if (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0)
		return 505;
	*ret_http10 = version[7] == '0';
	query = strchr(target, '?');
	if (query)
		*query++ = '\0';
	else
		query = version + strlen(version);
	r->method = (uint32_t)(line - text);
	r->path = (uint32_t)(target - text);
	r->query = (uint32_t)(query - text);
	return !request_unescape(target, false) || has_dot_dot(target) ? 400 : 0;
}

/* "Name: value" into the table. */
static int parse_header_line(struct request *r, char *text, char *line, size_t len)
{
	char *colon = memchr(line, ':', len), *value, *end = line + len;

	if (!colon || !is_token(line, (size_t)(colon - line)))
		return 400;
	if (r->n_headers == REQUEST_MAX_HEADERS)
		return 431;
	*colon = '\0';
	for (char *p = line; p < colon; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	value = colon + 1;
	while (value < end && (*value == ' ' || *value == '\t'))
		value++;
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	for (char *p = value; p < end; p++)
		if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f)
			return 400;
	*end = '\0';
	r->headers[r->n_headers++] = (struct request_header){ (uint32_t)(line - text), (uint32_t)(value - text) };
	return 0;
}

const char *request_header(const struct request *r, const char *text, const char *name)
{
	for (size_t i = 0; i < r->n_headers; i++)
		if (strcmp(text + r->headers[i].name, name) == 0)
			return text + r->headers[i].value;
	return NULL;
}

static void apply_connection(struct request *r, const char *value)
{
	struct str rest = str_from(value), part;

	while (str_split(&rest, ',', &part)) {
		part = str_trim(part);
		if (part.len == 5 && strncasecmp(part.ptr, "close", 5) == 0)
			r->keep_alive = false;
		else if (part.len == 10 && strncasecmp(part.ptr, "keep-alive", 10) == 0)
			r->keep_alive = true;
	}
}

/* What the headers say about the message itself. */
static int apply_headers(struct request *r, const char *text, bool http10)
{
	int n_host = 0, n_length = 0, n_coding = 0;

	r->keep_alive = !http10;
	for (size_t i = 0; i < r->n_headers; i++) {
		const char *name = text + r->headers[i].name, *value = text + r->headers[i].value;

		if (strcmp(name, "host") == 0) {
			n_host++;
		} else if (strcmp(name, "connection") == 0) {
			apply_connection(r, value);
		} else if (strcmp(name, "content-length") == 0) {
			n_length++;
			/* str_to_i64 takes a sign, which the grammar does not */
			if (*value < '0' || *value > '9' ||
			    !str_to_i64(str_from(value), 0, INT64_MAX / 2, &r->content_length))
				return 400;
		} else if (strcmp(name, "transfer-encoding") == 0) {
			n_coding++;
			r->chunked = true;
			if (strcasecmp(value, "chunked") != 0)
				return 501;
		} else if (strcmp(name, "expect") == 0) {
			if (strcasecmp(value, "100-continue") != 0)
				return 417;
			r->expect_continue = !http10;
		}
	}
	if (n_host > 1 || (n_host == 0 && !http10))
		return 400;
	if (n_length > 1 || n_coding > 1 || (n_coding && (n_length || http10)))
		return 400;
	return 0;
}

int request_parse(struct request *r, char *text, size_t len)
{
	char *line = text, *end = text + len - 2; /* without the empty line */
	bool http10 = false;
	int status;

	*r = (struct request){ 0 };
	while (line < end) {
		char *eol = memchr(line, '\n', (size_t)(end - line));
		size_t n;

		if (!eol || eol == line || eol[-1] != '\r')
			return 400;
		n = (size_t)(eol - 1 - line);
		line[n] = '\0';
		status = line == text ? parse_request_line(r, text, line, n, &http10)
				      : parse_header_line(r, text, line, n);
		if (status)
			return status;
		line = eol + 1;
	}
	return apply_headers(r, text, http10);
}

/* Bytes of chunk extensions and trailers that one request may have; nobody needs any. */
#define CHUNK_MAX_OVERHEAD 4096
#define CHUNK_MAX_DIGITS 8

/* One byte outside of chunk data. */
static int chunks_byte(struct request_chunks *c, char ch)
{
	switch (c->state) {
	case CHUNK_SIZE: {
		int d = hex_digit(ch);

		if (d >= 0) {
			c->left = c->left << 4 | (uint64_t)d;
			return ++c->digits > CHUNK_MAX_DIGITS ? 400 : 0;
		}
		if (c->digits == 0 || (ch != '\r' && ch != ';' && ch != ' ' && ch != '\t'))
			return 400;
		c->state = ch == '\r' ? CHUNK_SIZE_LF : CHUNK_EXT;
		return 0;
	}
	case CHUNK_EXT:
		if (ch == '\r')
			c->state = CHUNK_SIZE_LF;
		return ch == '\n' || ++c->overhead > CHUNK_MAX_OVERHEAD ? 400 : 0;
	case CHUNK_SIZE_LF:
		c->state = c->left ? CHUNK_DATA : CHUNK_TRAILER;
		c->digits = 0;
		return ch == '\n' ? 0 : 400;
	case CHUNK_DATA_CR:
		c->state = CHUNK_DATA_LF;
		return ch == '\r' ? 0 : 400;
	case CHUNK_DATA_LF:
		c->state = CHUNK_SIZE;
		return ch == '\n' ? 0 : 400;
	case CHUNK_TRAILER:
		if (ch == '\r')
			c->state = CHUNK_TRAILER_LF;
		else
			c->line++;
		return ch == '\n' || ++c->overhead > CHUNK_MAX_OVERHEAD ? 400 : 0;
	case CHUNK_TRAILER_LF:
		c->state = c->line ? CHUNK_TRAILER : CHUNK_DONE;
		c->line = 0;
		return ch == '\n' ? 0 : 400;
	case CHUNK_DATA:
	case CHUNK_DONE:
		break;
	}
	return 400;
}

int request_chunks_feed(struct request_chunks *c, struct str data, struct buf *body, size_t max_body, size_t *ret_used)
{
	size_t used = 0;

	while (used < data.len && c->state != CHUNK_DONE) {
		size_t n;
		int status;

		if (c->state != CHUNK_DATA) {
			status = chunks_byte(c, data.ptr[used++]);
			if (status)
				return status;
			continue;
		}
		if (c->left > max_body - MIN(max_body, body->len))
			return 413;
		n = MIN(data.len - used, c->left);
		(void)buf_add(body, data.ptr + used, n);
		used += n;
		c->left -= n;
		if (c->left == 0)
			c->state = CHUNK_DATA_CR;
	}
	*ret_used = used;
	return 0;
}
