/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the server's HTTP/1.1 reader: request heads, and chunked bodies, which must not depend on how they are cut. */
#include <assert.h>

#include "base/alloc.h"
#include "http/request.h"

#define MAX_BODY 1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_head(struct str text)
{
	struct request r;
	size_t len = request_head_len(text, 0);

	if (len == 0)
		return;
	_cleanup_free_ char *head = xstrndup(text.ptr, len);
	if (request_parse(&r, head, len) != 0)
		return;
	assert(head[r.path] == '/' && r.path < len && r.query < len && r.content_length >= 0);
	for (size_t i = 0; i < r.n_headers; i++)
		assert(!strpbrk(head + r.headers[i].value, "\r\n"));
	(void)request_header(&r, head, "host");
}

static void fuzz_chunks(struct str text)
{
	_cleanup_(buf_release) struct buf whole = BUF_INIT(MAX_BODY);
	_cleanup_(buf_release) struct buf bytes = BUF_INIT(MAX_BODY);
	struct request_chunks a = { 0 }, b = { 0 };
	size_t used = 0, total = 0, one = 0;
	int status = request_chunks_feed(&a, text, &whole, MAX_BODY, &used), other = 0;

	for (size_t i = 0; i < text.len && !other && b.state != CHUNK_DONE; i++) {
		other = request_chunks_feed(&b, str_of(text.ptr + i, 1), &bytes, MAX_BODY, &one);
		total += other ? 0 : one;
	}
	assert(status == other);
	assert(status || (total == used && a.state == b.state && str_eq(buf_str(&whole), buf_str(&bytes))));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_of((const char *)data, size);

	fuzz_head(text);
	fuzz_chunks(text);
	return 0;
}
