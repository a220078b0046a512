/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The least an extender can do, for comparison: /filter gives the request's NodeNames back without reading them,
 * /prioritize answers an empty list. Anything an extender may cost the scheduler beyond this is its own work.
 *
 *	canned PORT
 */
#include <signal.h>

#include "http/server.h"

static void handle_filter(struct http_exchange *x, void *arg)
{
	static const char key[] = "\"NodeNames\":";
	struct str body = http_body(x);
	const char *names = memmem(body.ptr, body.len, key, sizeof(key) - 1), *end;
	struct buf out = BUF_INIT((size_t)32 * 1024 * 1024);

	(void)arg;
	end = names ? memchr(names, ']', (size_t)(body.ptr + body.len - names)) : NULL;
	if (!end) {
		http_reply_error(x, 400, "no NodeNames");
		return;
	}
	buf_addc(&out, '{');
	buf_add(&out, names, (size_t)(end + 1 - names));
	buf_addc(&out, '}');
	http_reply_take(x, 200, "application/json", &out);
}

static void handle_prioritize(struct http_exchange *x, void *arg)
{
	(void)arg;
	http_reply(x, 200, "application/json", STR("[]"));
}

int main(int argc, char **argv)
{
	static const struct http_route routes[] = {
		{ "POST", "/filter", (size_t)32 * 1024 * 1024, handle_filter, NULL },
		{ "POST", "/prioritize", (size_t)32 * 1024 * 1024, handle_prioritize, NULL },
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
