/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One provider asked once from outside, without operator and schedule: plans, fetches, parses, and prints as JSON what
 * became of it. Arguments are key=value: provider, metric, zone, now (RFC 3339), and where needed base, user, secret,
 * redirect, url, query, format, rows, time, value, scale, latitude, longitude.
 */
#include <math.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "grid/provider.h"
#include "http/client.h"
#include "json/writer.h"

#define ROUNDS 3
#define MAX_OUT ((size_t)1024 * 1024)

struct probe {
	const struct grid_provider *provider;
	struct grid_target target;
	struct grid_env env;
	struct grid_custom custom;
	struct grid_note notes[GRID_ANSWER_MAX_NOTES];
	const char *redirect;
	struct http_client *client;
	struct json_writer w;
};

static const char *argument(int argc, char **argv, const char *key)
{
	size_t len = strlen(key);

	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], key, len) == 0 && argv[i][len] == '=')
			return argv[i] + len + 1;
	return NULL;
}

static double number(int argc, char **argv, const char *key, double def)
{
	double v = def;
	const char *text = argument(argc, argv, key);

	if (text)
		(void)str_to_double(str_from(text), &v);
	return v;
}

static int fetch(const struct probe *p, const struct grid_request *req, const char *url, struct grid_answer *a,
		 struct error *err)
{
	_cleanup_(http_response_release) struct http_response resp = { 0 };
	const struct http_request http = { .url = url,
					   .headers = { "Accept: */*", req->header[0] ? req->header : NULL },
					   .allow_plain = true,
					   .timeout_ms = 3 * SECOND_MS,
					   .max_redirects = p->redirect ? 3 : 0,
					   .redirect_hosts = p->redirect };

	if (req->url[0] && http_do(p->client, &http, &resp, err))
		return -1;
	if (req->url[0] && http_status_error(&resp, req->id, err))
		return -1;
	a->next[0] = '\0';
	return p->provider->parse(&p->env, req, buf_str(&resp.body), a, err);
}

static void keep_notes(struct probe *p, const struct grid_answer *a)
{
	for (int i = 0; i < a->n_notes && p->env.n_notes < GRID_ANSWER_MAX_NOTES; i++)
		p->notes[p->env.n_notes++] = a->notes[i];
	p->env.notes = p->notes;
}

static void print_series(struct json_writer *w, const struct grid_series *s)
{
	int known = 0, first = -1, last = -1;

	jw_object(w, NULL);
	jw_string(w, "metric", grid_metric_name(s->metric));
	jw_string(w, "zone", s->zone);
	jw_array(w, "values");
	for (int i = 0; i < s->n; i++) {
		if (s->value[i] == GRID_UNKNOWN)
			continue;
		first = first < 0 ? i : first;
		last = i;
		known++;
		jw_array(w, NULL);
		jw_time(w, NULL, s->start_ms + i * SLOT_MS);
		jw_i64(w, NULL, s->value[i]);
		jw_string(w, NULL, grid_kind_name((enum grid_kind)s->kind[i]));
		jw_end_array(w);
	}
	jw_end_array(w);
	jw_i64(w, "known", known);
	jw_i64(w, "gaps", known ? last - first + 1 - known : 0);
	jw_end_object(w);
}

static void ask(struct probe *p, const struct grid_request *req)
{
	struct error err = ERROR_INIT;
	struct grid_answer a;
	int failed, pages = 1;

	grid_answer_init(&a, req->from_ms, req->to_ms, time_slot_floor(p->env.now_ms, SLOT_MS));
	failed = fetch(p, req, req->url, &a, &err);
	for (; !failed && a.next[0] && pages < GRID_MAX_PAGES; pages++) {
		char next[GRID_URL_MAX];

		memcpy(next, a.next, sizeof(next));
		failed = fetch(p, req, next, &a, &err);
	}
	grid_answer_finish(&a, p->provider->flat);
	failed = grid_answer_accept(&a, failed, &err);
	keep_notes(p, &a);
	jw_object(&p->w, NULL);
	jw_string(&p->w, "id", req->id);
	jw_string(&p->w, "result",
		  !failed                                  ? "ok"
		  : err.code == ERR_NOT_FOUND && !err.http ? "empty"
							   : error_code_name(err.code));
	jw_string_opt(&p->w, "error", failed ? err.msg : NULL);
	jw_i64(&p->w, "status", err.http);
	jw_i64(&p->w, "pages", pages);
	jw_i64(&p->w, "points", a.points);
	jw_i64(&p->w, "moments", (int64_t)a.moments.len);
	jw_object(&p->w, "dropped");
	for (int i = 0; i < GRID_DROPS; i++)
		if (a.dropped[i])
			jw_i64(&p->w, grid_drop_name((enum grid_drop)i), a.dropped[i]);
	jw_end_object(&p->w);
	jw_array(&p->w, "series");
	for (size_t i = 0; i < a.series.len; i++)
		print_series(&p->w, a.series.ptr[i]);
	jw_end_array(&p->w);
	jw_end_object(&p->w);
	grid_answer_release(&a);
}

/* Until no new question comes: names and tokens are found out first. */
static void ask_all(struct probe *p)
{
	struct grid_plan *plan = xcalloc(1, sizeof(*plan));
	char asked[GRID_PLAN_MAX][sizeof(plan->items[0].id)] = { { 0 } };
	int n_asked = 0;

	for (int round = 0; round < ROUNDS; round++) {
		plan->n = 0;
		p->provider->plan(&p->env, &p->target, 1, plan);
		for (int i = 0; i < plan->n; i++) {
			bool known = false;

			for (int k = 0; k < n_asked; k++)
				known = known || strcmp(asked[k], plan->items[i].id) == 0;
			if (known || n_asked == GRID_PLAN_MAX)
				continue;
			memcpy(asked[n_asked++], plan->items[i].id, sizeof(asked[0]));
			ask(p, &plan->items[i]);
		}
	}
	free(plan);
}

static void read_arguments(struct probe *p, int argc, char **argv)
{
	p->redirect = argument(argc, argv, "redirect");
	p->target.zone = argument(argc, argv, "zone");
	p->env.base_url = argument(argc, argv, "base");
	p->env.user = argument(argc, argv, "user");
	p->env.secret = argument(argc, argv, "secret");
	p->custom = (struct grid_custom){ .name = p->target.zone,
					  .provider = p->provider->name,
					  .metric = p->target.metric,
					  .url = argument(argc, argv, "url"),
					  .query = argument(argc, argv, "query"),
					  .format = argument(argc, argv, "format"),
					  .rows = argument(argc, argv, "rows"),
					  .time_field = argument(argc, argv, "time"),
					  .value_field = argument(argc, argv, "value"),
					  .currency = "GBP",
					  .scale = number(argc, argv, "scale", 0),
					  .kind = GRID_KIND_ESTIMATED,
					  .basis = { "average", "direct", "consumption", "national" },
					  .latitude = number(argc, argv, "latitude", (double)NAN),
					  .longitude = number(argc, argv, "longitude", (double)NAN) };
	if (p->custom.url || p->custom.query || !isnan(p->custom.latitude)) {
		p->env.custom = &p->custom;
		p->env.n_custom = 1;
	}
}

int main(int argc, char **argv)
{
	_cleanup_(buf_release) struct buf out = BUF_INIT(MAX_OUT);
	struct probe p = { .w = json_writer(&out) };
	struct error err = ERROR_INIT;
	struct tz *tz = NULL;
	const char *provider = argument(argc, argv, "provider"), *metric = argument(argc, argv, "metric");
	const char *now = argument(argc, argv, "now");

	p.provider = provider ? grid_provider_find(provider) : NULL;
	if (!p.provider || !metric || !grid_metric_parse(metric, &p.target.metric) || !now ||
	    !time_parse(str_from(now), &p.env.now_ms) || tz_load(p.provider->time_zone, &tz, &err) ||
	    http_client_global_init(&err)) {
		(void)fprintf(stderr, "grid_probe: provider=, metric=, zone= and now= are needed; %s\n", err.msg);
		return 1;
	}
	p.env.tz = tz;
	p.client = http_client_new();
	read_arguments(&p, argc, argv);
	jw_array(&p.w, NULL);
	ask_all(&p);
	jw_end_array(&p.w);
	(void)printf("%s\n", buf_cstr(&out));
	http_client_free(p.client);
	http_client_global_cleanup();
	tz_free(tz);
	return out.overflow ? 1 : 0;
}
