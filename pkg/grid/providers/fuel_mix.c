/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carbon of GB computed from generation by fuel (Elexon) and direct factors (grid/fuel.h): for when nobody publishes a
 * figure. It knows the past and the running slot and forecasts nothing. What it cannot know: solar and wind behind the
 * meter and in the local networks are in no Elexon report, so by day it reads too high; hence its low confidence.
 */
#include "grid/providers/elexon.h"
#include "grid/read.h"

static bool has_zone(const struct grid_env *env, enum grid_metric metric, const char *zone)
{
	(void)env;
	return metric == GRID_CARBON && cstr_eq(zone, ELEXON_ZONE);
}

static void basis(const struct grid_env *env, const char *zone, struct grid_basis *ret)
{
	(void)env;
	(void)zone;
	*ret = (struct grid_basis){ "average", "direct", "consumption", "national" };
}

static const char *area(const char *zone)
{
	(void)zone;
	return ELEXON_ZONE;
}

static void plan(const struct grid_env *env, const struct grid_target *targets, size_t n, struct grid_plan *ret)
{
	for (size_t i = 0; i < n; i++) {
		if (!has_zone(env, targets[i].metric, targets[i].zone))
			continue;
		elexon_ask_mix(env, ret, ELEXON_MIX_NOW, ELEXON_MIX_NOW);
		elexon_ask_mix(env, ret, ELEXON_MIX_HALF_HOURS, ELEXON_MIX_HALF_HOURS);
		return;
	}
}

static bool serves(const struct grid_request *req, const char *zone)
{
	(void)req;
	return strcmp(zone, ELEXON_ZONE) == 0;
}

static void put_carbon(struct grid_answer *a, int64_t slot_ms, const struct grid_fuel_mix *mix)
{
	grid_answer_put(a, GRID_CARBON, ELEXON_ZONE, slot_ms, grid_mix_carbon_mg(mix), GRID_KIND_ESTIMATED);
}

static int parse(const struct grid_env *env, const struct grid_request *req, struct str body, struct grid_answer *a,
		 struct error *err)
{
	struct json *doc _cleanup_(json_cleanup) = NULL;
	const struct json *rows;
	int before = a->points;

	if (elexon_rows(body, &doc, &rows, err))
		return -1;
	elexon_issued(a, rows, env->now_ms);
	elexon_each_mix(rows, env, (enum elexon_mix_kind)req->what, a, put_carbon);
	return grid_read_verdict(a, before, json_len(rows), err);
}

static int64_t next_poll_ms(const struct grid_env *env, const struct grid_request *req, int64_t known_until_ms,
			    double jitter)
{
	(void)known_until_ms;
	return elexon_mix_next_poll_ms(env, (enum elexon_mix_kind)req->what, jitter);
}

const struct grid_provider grid_fuel_mix = {
	.name = "fuel-mix",
	.base_url = ELEXON_BASE_URL,
	.time_zone = "Europe/London",
	.note = "computed from generation by fuel; without embedded solar and wind",
	.attribution = ELEXON_ATTRIBUTION,
	.licence = ELEXON_LICENCE,
	.confidence_permille = 600,
	.has_zone = has_zone,
	.basis = basis,
	.area = area,
	.plan = plan,
	.serves = serves,
	.parse = parse,
	.next_poll_ms = next_poll_ms,
};
