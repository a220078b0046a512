/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The least an extender can do, for comparison: /filter gives the request's NodeNames back without reading them,
 * /prioritize answers an empty list; or, with "scores", 5 for each of them, so that the scheduler has as much to read
 *as of one that ranks. Anything an extender may cost the scheduler beyond this is its own work.
 *
 *	canned PORT [scores]
 */
#include <signal.h>

#include "http/server.h"

#define MAX_BYTES ((size_t)32 * 1024 * 1024)

/* From "NodeNames" to the bracket that closes its list; empty if it is not there. */
static struct str find_names(struct http_exchange *x)
{
	static const char key[] = "\"NodeNames\":";
	struct str body = http_body(x);
	const char *names = memmem(body.ptr, body.len, key, sizeof(key) - 1), *end;

	end = names ? memchr(names, ']', (size_t)(body.ptr + body.len - names)) : NULL;
	return end ? str_of(names, (size_t)(end + 1 - names)) : STR("");
}

static void handle_filter(struct http_exchange *x, void *arg)
{
	struct str names = find_names(x);
	struct buf out = BUF_INIT(MAX_BYTES);

	(void)arg;
	if (names.len == 0) {
		http_reply_error(x, 400, "no NodeNames");
		return;
	}
	buf_addc(&out, '{');
	buf_add(&out, names.ptr, names.len);
	buf_addc(&out, '}');
	http_reply_take(x, 200, "application/json", &out);
}

static void handle_prioritize(struct http_exchange *x, void *arg)
{
	(void)arg;
	http_reply(x, 200, "application/json", STR("[]"));
}

static void handle_scores(struct http_exchange *x, void *arg)
{
	struct str names = find_names(x);
	const char *at = memchr(names.ptr, '[', names.len), *end = names.ptr + names.len, *close;
	struct buf out = BUF_INIT(MAX_BYTES);

	(void)arg;
	buf_addc(&out, '[');
	while (at && (at = memchr(at, '"', (size_t)(end - at))) &&
	       (close = memchr(at + 1, '"', (size_t)(end - at - 1)))) {
		if (out.len > 1)
			buf_addc(&out, ',');
		buf_add(&out, "{\"Host\":", 8);
		buf_add(&out, at, (size_t)(close + 1 - at));
		buf_add(&out, ",\"Score\":5}", 11);
		at = close + 1;
	}
	buf_addc(&out, ']');
	http_reply_take(x, 200, "application/json", &out);
}

int main(int argc, char **argv)
{
	bool scores = argc > 2 && strcmp(argv[2], "scores") == 0;
	const struct http_route routes[] = {
		{ "POST", "/filter", MAX_BYTES, handle_filter, NULL },
		{ "POST", "/prioritize", MAX_BYTES, scores ? handle_scores : handle_prioritize, NULL },
	};
	struct http_server_config cfg = { .name = "canned", .address = "127.0.0.1", .routes = routes, .n_routes = 2 };
	struct http_server *server = NULL;
	struct error err = ERROR_INIT;
	sigset_t signals;
	int signal;

	cfg.port = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 0;
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
	if (http_server_new(&cfg, &server, &err)) {
		(void)fprintf(stderr, "canned: %s\n", err.msg);
		return 1;
	}
	(void)sigwait(&signals, &signal);
	http_server_free(server, 0);
	return 0;
}
