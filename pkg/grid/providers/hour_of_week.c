/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A last resort that needs no network: the median of what our own history holds for the same half hour of the week,
 * over the last eight weeks, in UTC. Zones name whose history: "carbonintensity-gb/13" is that provider's zone 13, and
 * the figures mean what that provider's mean. Carbon only: a price that nobody has published is not known.
 */
#include "grid/sink.h"

#define WEEKS 8
#define WEEK_MS (7 * DAY_MS)
#define WEEK_SLOTS ((int)(WEEK_MS / SLOT_MS))
/* A median of fewer is an anecdote. */
#define MIN_VALUES 3
#define AHEAD_MS (2 * DAY_MS)
#define POLL_MS (6 * HOUR_MS)

/* The provider before the '/', and the zone behind it; NULL when there is none of either. */
static const struct grid_provider *split(const char *zone, const char **ret_zone)
{
	const char *slash = zone ? strchr(zone, '/') : NULL;
	char name[GRID_NAME_MAX];
	const struct grid_provider *p;

	if (!slash || !str_copy(name, sizeof(name), str_of(zone, (size_t)(slash - zone))))
		return NULL;
	p = grid_provider_find(name);
	if (!p || p->last_resort || !p->basis)
		return NULL;
	*ret_zone = slash + 1;
	return p;
}

static bool has_zone(const struct grid_env *env, enum grid_metric metric, const char *zone)
{
	const char *inner;
	const struct grid_provider *p = split(zone, &inner);

	return metric == GRID_CARBON && p && p->has_zone(env, metric, inner);
}

static void basis(const struct grid_env *env, const char *zone, struct grid_basis *ret)
{
	const char *inner;
	const struct grid_provider *p = split(zone, &inner);

	*ret = (struct grid_basis){ 0 };
	if (p)
		p->basis(env, inner, ret);
}

static void plan(const struct grid_env *env, const struct grid_target *targets, size_t n, struct grid_plan *ret)
{
	int64_t from = grid_now_slot(env);

	for (size_t i = 0; i < n; i++) {
		const char *inner = NULL;
		const struct grid_provider *p = split(targets[i].zone, &inner);
		struct grid_request *r;

		if (!p || !has_zone(env, targets[i].metric, targets[i].zone))
			continue;
		r = grid_plan_add(ret, targets[i].zone);
		if (!r)
			continue;
		r->history = true;
		grid_request_about(r, targets[i].zone, from, from + AHEAD_MS);
	}
}

static int by_value(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	return x < y ? -1 : x > y;
}

static int slot_of_week(int64_t ms)
{
	return (int)((ms - time_slot_floor(ms, WEEK_MS)) / SLOT_MS);
}

/* The body is an array of struct grid_past, as it lies in memory. */
static int parse(const struct grid_env *env, const struct grid_request *req, struct str body, struct grid_answer *a,
		 struct error *err)
{
	int32_t values[WEEK_SLOTS][WEEKS + 1];
	int count[WEEK_SLOTS] = { 0 }, before = a->points;
	struct grid_past past;

	for (size_t i = 0; i + sizeof(past) <= body.len; i += sizeof(past)) {
		memcpy(&past, body.ptr + i, sizeof(past));
		int slot = slot_of_week(past.start_ms);

		if (past.value != GRID_UNKNOWN && past.start_ms < env->now_ms && count[slot] <= WEEKS)
			values[slot][count[slot]++] = past.value;
	}
	for (int64_t ms = req->from_ms; ms < req->to_ms; ms += SLOT_MS) {
		int slot = slot_of_week(ms), n = count[slot];

		if (n < MIN_VALUES)
			continue;
		qsort(values[slot], (size_t)n, sizeof(values[slot][0]), by_value);
		grid_answer_put(a, GRID_CARBON, req->zone, ms,
				(int32_t)(((int64_t)values[slot][(n - 1) / 2] + values[slot][n / 2]) / 2),
				GRID_KIND_ESTIMATED);
	}
	if (a->points == before)
		return error_set(err, ERR_NOT_FOUND, "fewer than %d weeks of history", MIN_VALUES);
	return 0;
}

const struct grid_provider grid_hour_of_week = {
	.name = "hour-of-week",
	.base_url = "",
	.time_zone = "UTC",
	.note = "median of the same half hour in earlier weeks, from our own history",
	.confidence_permille = 300,
	.last_resort = true,
	.flat = true,
	.has_zone = has_zone,
	.basis = basis,
	.plan = plan,
	.parse = parse,
	.poll_every_ms = POLL_MS,
};
