/* SPDX-License-Identifier: Apache-2.0 */
/* Blocking HTTP client and what both clients share, see client.h. */
#include "http/client.h"

#include <signal.h>

#include "http/transfer.h"

int http_client_global_init(struct error *err)
{
	/* CURLOPT_NOSIGNAL leaves this to us: a TLS write to a closed socket would end the process. */
	(void)signal(SIGPIPE, SIG_IGN);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return error_set(err, ERR_INTERNAL, "libcurl does not start");
	return 0;
}

void http_client_global_cleanup(void)
{
	curl_global_cleanup();
}

void http_response_release(struct http_response *r)
{
	buf_release(&r->body);
	*r = (struct http_response){ .body = BUF_INIT(r->body.max) };
}

int http_status_error(const struct http_response *r, const char *what, struct error *err)
{
	if (r->status >= 200 && r->status < 300)
		return 0;
	(void)error_set(err, error_code_from_http(r->status), "%s: the server answered %d", what, r->status);
	err->http = r->status;
	err->retry_after_ms = r->retry_after_ms;
	return -1;
}

struct http_client {
	CURL *easy;
	struct http_setup setup;
};

struct http_client *http_client_new(void)
{
	struct http_client *c = xcalloc(1, sizeof(*c));

	c->easy = curl_easy_init();
	if (!c->easy)
		abort();
	return c;
}

void http_client_free(struct http_client *c)
{
	if (!c)
		return;
	curl_easy_cleanup(c->easy);
	setup_release(&c->setup);
	free(c);
}

int http_do(struct http_client *c, const struct http_request *req, struct http_response *ret, struct error *err)
{
	_cleanup_(transfer_release) struct http_transfer t = { 0 };
	int r;

	if (transfer_begin(&t, c->easy, &c->setup, req, err))
		return -1;
	do {
		r = transfer_end(&t, curl_easy_perform(c->easy), err);
	} while (r > 0);
	if (r == 0) {
		*ret = t.resp;
		buf_init(&t.resp.body, 0);
	}
	return r;
}
