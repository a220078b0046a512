/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 request reader: pure functions over bytes, no socket. Private to pkg/http, and the entry for fuzzing.
 *
 * Sources: RFC 9112 (message syntax), RFC 9110 (semantics). Stricter than they allow where being lenient lets two
 * parsers disagree about where a request ends: CRLF only, no folded headers, one Content-Length, never together with
 * Transfer-Encoding.
 */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include "base/buf.h"

#define REQUEST_MAX_HEADERS 64
#define REQUEST_MAX_PARAMS 64

/* Positions in the text of the head, so that the text may move while the body is read. */
struct request_header {
	uint32_t name; /* lower-case, NUL-terminated */
	uint32_t value;
};

struct request {
	uint32_t method;
	uint32_t path;  /* percent-decoded */
	uint32_t query; /* raw; of an empty text when there was none */
	struct request_header headers[REQUEST_MAX_HEADERS];
	size_t n_headers;
	bool keep_alive;
	bool chunked;
	bool expect_continue;
	int64_t content_length; /* 0 when there is no body, or chunked */
};

/*
 * The length of the head with its empty line, or 0 when that has not come yet. Bytes before `from` were searched
 * before. More bytes than the head may follow.
 */
size_t request_head_len(struct str data, size_t from);
/*
 * Reads a complete head of that length; the text is rewritten in place. Returns 0, or the HTTP status to refuse it
 * with: 400, 417, 431 (too many headers), 501 (transfer coding), 505 (version).
 */
int request_parse(struct request *r, char *text, size_t len);
/* Header by lower-case name, or NULL. */
const char *request_header(const struct request *r, const char *text, const char *name);
/* Decodes %XX, and '+' as blank when `plus`, in place. False for a broken escape or a NUL. */
bool request_unescape(char *s, bool plus);

/* Decoder of the chunked transfer coding; zeroed at first. */
struct request_chunks {
	enum {
		CHUNK_SIZE,
		CHUNK_EXT,
		CHUNK_SIZE_LF,
		CHUNK_DATA,
		CHUNK_DATA_CR,
		CHUNK_DATA_LF,
		CHUNK_TRAILER,
		CHUNK_TRAILER_LF,
		CHUNK_DONE
	} state;
	uint64_t left;   /* of the chunk at hand */
	size_t digits;   /* of the size line */
	size_t overhead; /* bytes of extensions and trailers so far, bounded */
	size_t line;     /* length of the trailer line */
};

/*
 * Decodes what it can: appends to `body` at most max_body bytes, *ret_used says how much input was taken; all of it
 * unless the end came (state CHUNK_DONE). Returns 0, 400 or 413.
 */
int request_chunks_feed(struct request_chunks *c, struct str data, struct buf *body, size_t max_body, size_t *ret_used);

#endif
