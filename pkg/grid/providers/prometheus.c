/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prometheus as a source: a PromQL expression of the configuration, evaluated over the last two days
 * (/api/v1/query_range). Zones are the sources' names. The expression must give one series; what it gives at a time
 * counts for the step that begins there (or ends there, for sources labelled with the end). A value is text, "NaN"
 * where there is none. With a secret alone requests carry it as a bearer token, with a user name too as Basic.
 */
#include <math.h>

#include "grid/read.h"

/* The service refuses more than 11,000 points. */
#define MIN_STEP_MS MINUTE_MS

static const struct grid_custom *source(const struct grid_env *env, const char *zone)
{
	const struct grid_custom *c = grid_env_custom(env, zone);

	return c && c->query ? c : NULL;
}

static int64_t step_of(const struct grid_custom *c)
{
	return c->step_ms > 0 ? MAX(c->step_ms, MIN_STEP_MS) : SLOT_MS;
}

static bool has_zone(const struct grid_env *env, enum grid_metric metric, const char *zone)
{
	const struct grid_custom *c = source(env, zone);

	return c && c->metric == metric;
}

static void basis(const struct grid_env *env, const char *zone, struct grid_basis *ret)
{
	*ret = source(env, zone)->basis;
}

static void plan(const struct grid_env *env, const struct grid_target *targets, size_t n, struct grid_plan *ret)
{
	int64_t now = grid_now_slot(env), from = now - GRID_PAST_SLOTS * SLOT_MS;

	if (!env->base_url || !env->base_url[0] || (env->secret && !grid_has_key(env)))
		return;
	for (size_t i = 0; i < n; i++) {
		const struct grid_custom *c = source(env, targets[i].zone);
		char id[GRID_NAME_MAX * 2], query[GRID_URL_MAX];
		struct grid_request *r;

		if (!has_zone(env, targets[i].metric, targets[i].zone) ||
		    !grid_url_escape(c->query, query, sizeof(query)))
			continue;
		(void)snprintf(id, sizeof(id), "query %s", c->name);
		r = grid_plan_add(ret, id);
		if (!r ||
		    !grid_plan_url(
			    ret, r, "%s/api/v1/query_range?query=%s&start=%" PRId64 "&end=%" PRId64 "&step=%" PRId64,
			    env->base_url, query, from / SECOND_MS, env->now_ms / SECOND_MS, step_of(c) / SECOND_MS))
			continue;
		grid_authorize(env, r);
		grid_request_about(r, c->name, from - SLOT_MS, now + SLOT_MS);
	}
}

/* [ 1778018400, "230.5" ] */
static void take(struct grid_answer *a, const struct grid_custom *c, const struct json *pair)
{
	const struct json *value = json_next(json_first(pair));
	const char *text = json_string(value);
	int64_t step_ms = step_of(c), ms;
	double at_s;

	if (!json_is_array(pair) || !json_double(json_first(pair), &at_s) || !(at_s >= 0 && at_s < 1e11)) {
		grid_answer_drop(a, GRID_DROP_TYPE);
		return;
	}
	ms = (int64_t)lround(at_s) * SECOND_MS - (c->end_labelled ? step_ms : 0);
	if (cstr_eq(text, "NaN"))
		grid_answer_drop(a, GRID_DROP_MISSING);
	else
		grid_put_json(a, c->metric, c->name, ms, step_ms, value, c->scale == 0 ? 1 : c->scale, c->kind);
}

static int parse(const struct grid_env *env, const struct grid_request *req, struct str body, struct grid_answer *a,
		 struct error *err)
{
	const struct grid_custom *c = source(env, req->zone);
	struct json *doc _cleanup_(json_cleanup) = NULL;
	const struct json *data, *series, *values;
	int before = a->points;

	if (!c)
		return error_set(err, ERR_INVALID, "no source %s in the configuration", req->zone);
	if (grid_read_json(body, &doc, err))
		return -1;
	data = json_get(doc, "data");
	series = json_get(data, "result");
	if (!json_first(doc))
		return error_set(err, ERR_NOT_FOUND, "empty answer");
	if (!cstr_eq(json_string(json_get(doc, "status")), "success") ||
	    !cstr_eq(json_string(json_get(data, "resultType")), "matrix") || !json_is_array(series))
		return error_set(err, ERR_INVALID, "the answer is not a successful matrix");
	if (json_len(series) > 1)
		return error_set(err, ERR_INVALID, "the query gives %zu series; aggregate them into one",
				 json_len(series));
	values = json_get(json_first(series), "values");
	json_each (pair, values)
		take(a, c, pair);
	return grid_read_verdict(a, before, json_len(values), err);
}

const struct grid_provider grid_prometheus = {
	.name = "prometheus",
	.base_url = NULL,
	.time_zone = "UTC",
	.licence = "your own measurements",
	.flat = true,
	.has_zone = has_zone,
	.basis = basis,
	.plan = plan,
	.parse = parse,
	.poll_every_ms = 5 * MINUTE_MS,
};
