/* SPDX-License-Identifier: Apache-2.0 */
/* One request over libcurl, as the blocking client and the net thread share it. Private to pkg/http. */
#ifndef HTTP_TRANSFER_H
#define HTTP_TRANSFER_H

#include <curl/curl.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "http/client.h"

#define SETUP_TEXTS 7

/*
 * What a handle that is used again was last set up for. Requests of one client differ in little, and setting all
 * options anew was a sixth of what a small one costs. Zeroed at first; setup_release() with the handle.
 */
struct http_setup {
	bool known;
	bool allow_plain;
	struct str texts[SETUP_TEXTS]; /* malloc'd: user agent and TLS settings; STR_NULL = none */
};

void setup_release(struct http_setup *s);

struct http_transfer {
	CURL *easy;               /* borrowed */
	struct http_setup *setup; /* borrowed; NULL = the handle serves this request alone */
	const struct http_request *req;
	CURLU *url; /* of the hop at hand */
	struct curl_slist *lines;
	char host[264]; /* "name:port", for messages */
	char path[104];
	char curl_text[CURL_ERROR_SIZE];
	char location[2048];
	int64_t started_ms;
	int redirects;
	bool left_origin; /* by a redirect: from then on no header and no client certificate of the request is sent */
	size_t head_bytes;

	struct http_response resp;
	bool head_done; /* the final status and its headers are known */
	bool too_large;
	bool stopped; /* by a callback of a stream */
	/* Streams; NULL for a whole-body request. Return -1 to stop. */
	int (*on_head)(struct http_transfer *t);
	int (*on_data)(struct http_transfer *t, const char *data, size_t len);
};

/*
 * Checks the request and sets the handle up for its first hop; `req` and what it points to must live until
 * transfer_release(). ERR_INVALID.
 */
int transfer_begin(struct http_transfer *t, CURL *easy, struct http_setup *setup, const struct http_request *req,
		   struct error *err) must_check;
/*
 * After the handle is done. 1 = a redirect was accepted: run the handle again. 0 = t->resp is the answer, which the
 * caller takes. -1 = there is none.
 */
int transfer_end(struct http_transfer *t, CURLcode code, struct error *err) must_check;
/* Sets ERR_TIMEOUT "<what> within <ms> ms"; returns -1. */
int transfer_timeout(const struct http_transfer *t, const char *what, int64_t ms, struct error *err);
/* The request's timeout or the default. */
int64_t transfer_timeout_ms(const struct http_request *req);
void transfer_release(struct http_transfer *t);

#endif
