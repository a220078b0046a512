/* SPDX-License-Identifier: Apache-2.0 */
/* gridreplay's memory of requests: counts by path and provider, and a line of JSON for each in a file. */
#include "base/alloc.h"
#include "base/cleanup.h"
#include "json/writer.h"
#include "replay.h"

#define MAX_LINE 4096

struct path_count {
	int64_t count;
	int64_t last_ms;
};

/* A path more than there is room for goes uncounted. */
static void count(struct replay *r, const char *path, int64_t now_ms)
{
	struct path_count *c = map_get(&r->requests, str_from(path));
	struct error err = ERROR_INIT;
	void *old;

	if (!c) {
		c = xcalloc(1, sizeof(*c));
		if (map_put(&r->requests, str_from(path), c, &old, &err)) {
			free(c);
			return;
		}
	}
	c->count++;
	c->last_ms = now_ms;
}

static bool is_secret(struct str param)
{
	return str_has_prefix(param, STR("securityToken=")) || str_has_prefix(param, STR("api_key="));
}

/* Without keys: their names stay, so that a test sees that there was one. */
static void put_query(struct json_writer *w, const char *query)
{
	_cleanup_(buf_release) struct buf shown = BUF_INIT(2048);
	struct str rest = str_from(query), part, name;

	while (str_split(&rest, '&', &part)) {
		name = part;
		if (is_secret(part))
			(void)str_split(&part, '=', &name);
		(void)buf_addf(&shown, "%s%.*s", shown.len ? "&" : "", STR_FMT(name));
	}
	jw_string(w, "query", buf_cstr(&shown));
}

void log_request(struct replay *r, enum provider provider, int64_t now_ms, const char *path, const char *query,
		 int status, size_t bytes, const bool rows[FAULT_ROWS])
{
	_cleanup_(buf_release) struct buf line = BUF_INIT(MAX_LINE);
	struct json_writer w = json_writer(&line);

	MUTEX_GUARD(&r->mutex);
	count(r, path, now_ms);
	r->count[provider]++;
	if (!r->log)
		return;
	jw_object(&w, NULL);
	jw_time(&w, "time", now_ms);
	jw_double(&w, "real", (double)clock_wall_ms() / SECOND_MS, 3);
	jw_string(&w, "provider", provider_names[provider]);
	jw_string(&w, "path", path);
	put_query(&w, query);
	jw_i64(&w, "status", status); /* 0 = none was sent */
	jw_i64(&w, "bytes", (int64_t)bytes);
	jw_array(&w, "faults");
	for (int i = 0; i < FAULT_ROWS; i++)
		if (rows[i])
			jw_i64(&w, NULL, i);
	jw_end_array(&w);
	jw_end_object(&w);
	if (!line.overflow) {
		(void)fprintf(r->log, "%s\n", buf_cstr(&line));
		(void)fflush(r->log);
	}
}

void reply(struct request *req, int status, const char *type, struct str body)
{
	log_request(req->replay, req->provider, req->now_ms, http_path(req->x), http_query(req->x), status, body.len,
		    req->fault);
	http_reply(req->x, status, type, body);
}

void handle_requests(struct http_exchange *x, void *arg)
{
	struct replay *r = arg;
	struct buf out = BUF_INIT(REPLAY_MAX_BODY);
	struct json_writer w = json_writer(&out);
	const struct map_entry *e;

	(void)pthread_mutex_lock(&r->mutex);
	jw_object(&w, NULL);
	jw_time(&w, "now", clock_now_ms(&r->clock));
	jw_object(&w, "providers");
	for (int i = 0; i < PROVIDERS; i++)
		jw_i64(&w, provider_names[i], r->count[i]);
	jw_end_object(&w);
	jw_object(&w, "paths");
	for (size_t i = 0; (e = map_next(&r->requests, &i));) {
		const struct path_count *c = e->value;

		jw_object(&w, e->key);
		jw_i64(&w, "count", c->count);
		jw_time(&w, "last", c->last_ms);
		jw_end_object(&w);
	}
	jw_end_object(&w);
	jw_end_object(&w);
	(void)pthread_mutex_unlock(&r->mutex);
	http_reply_take(x, 200, "application/json", &out);
}

void requests_release(struct replay *r)
{
	const struct map_entry *e;

	for (size_t i = 0; (e = map_next(&r->requests, &i));)
		free(e->value);
	map_release(&r->requests);
	if (r->log)
		(void)fclose(r->log);
}
