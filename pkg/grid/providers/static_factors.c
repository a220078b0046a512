/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Yearly carbon intensity of a country's generation: the last resort, when nothing says what the hour is like. Always
 * the same number, so it tells no hour from another and moves no job; it only says of which order emissions are. Zones
 * are ISO 3166-1 country codes of two letters. Needs no network: its request has an empty URL.
 *
 * Source: Ember, Yearly Electricity Data (CC BY 4.0), emissions intensity in g CO2e per kWh generated with life-cycle
 * factors, national, each with the year that it is of; the release of 2025.
 */
#include "grid/read.h"

#define AHEAD (7 * DAY_MS)

static const struct factor {
	char country[3];
	int16_t year;
	int32_t mg_per_kwh;
} factors[] = {
	/* clang-format off */
	{ "AE", 2023, 492700 }, { "AR", 2024, 358950 }, { "AT", 2024, 102620 }, { "AU", 2024, 551590 },
	{ "BD", 2024, 694630 }, { "BE", 2024, 117580 }, { "BG", 2024, 264210 }, { "BH", 2023, 902410 },
	{ "BR", 2024, 103210 }, { "CA", 2024, 174810 }, { "CH", 2024, 36600 }, { "CL", 2024, 265520 },
	{ "CN", 2024, 559550 }, { "CO", 2024, 285800 }, { "CR", 2024, 63010 }, { "CY", 2024, 512240 },
	{ "CZ", 2024, 413860 }, { "DE", 2024, 344140 }, { "DK", 2024, 143300 }, { "EE", 2024, 341020 },
	{ "EG", 2024, 571920 }, { "ES", 2024, 146150 }, { "FI", 2024, 72250 }, { "FR", 2024, 44180 },
	{ "GB", 2024, 210890 }, { "GR", 2024, 319760 }, { "HK", 2023, 681990 }, { "HR", 2024, 174480 },
	{ "HU", 2024, 182820 }, { "ID", 2023, 682430 }, { "IE", 2024, 279700 }, { "IL", 2023, 567260 },
	{ "IN", 2024, 708320 }, { "IS", 2023, 28330 }, { "IT", 2024, 287530 }, { "JP", 2024, 482320 },
	{ "KE", 2024, 88790 }, { "KR", 2024, 414270 }, { "LT", 2024, 139340 }, { "LU", 2024, 134620 },
	{ "LV", 2024, 136220 }, { "MA", 2024, 577650 }, { "MT", 2024, 484160 }, { "MX", 2024, 484830 },
	{ "MY", 2024, 609850 }, { "NG", 2024, 507850 }, { "NL", 2024, 253310 }, { "NO", 2024, 30750 },
	{ "NZ", 2024, 120110 }, { "PE", 2024, 263270 }, { "PH", 2024, 613380 }, { "PK", 2024, 398610 },
	{ "PL", 2024, 614980 }, { "PT", 2024, 112290 }, { "QA", 2024, 602830 }, { "RO", 2024, 245550 },
	{ "RS", 2024, 673160 }, { "SA", 2023, 696310 }, { "SE", 2024, 35820 }, { "SG", 2024, 498740 },
	{ "SI", 2024, 227650 }, { "SK", 2024, 96490 }, { "TH", 2024, 554500 }, { "TR", 2024, 469700 },
	{ "TW", 2024, 635650 }, { "UA", 2022, 256210 }, { "US", 2024, 383550 }, { "UY", 2024, 96700 },
	{ "VN", 2024, 471160 }, { "ZA", 2024, 708880 },
	/* clang-format on */
};

static const struct factor *factor_of(const char *zone)
{
	for (size_t i = 0; i < ARRAY_LEN(factors); i++)
		if (cstr_eq(zone, factors[i].country))
			return &factors[i];
	return NULL;
}

static bool has_zone(const struct grid_env *env, enum grid_metric metric, const char *zone)
{
	(void)env;
	return metric == GRID_CARBON && factor_of(zone);
}

static void basis(const struct grid_env *env, const char *zone, struct grid_basis *ret)
{
	(void)env;
	(void)zone;
	*ret = (struct grid_basis){ "average", "lifecycle", "production", "national" };
}

static void plan(const struct grid_env *env, const struct grid_target *targets, size_t n, struct grid_plan *ret)
{
	int64_t now = grid_now_slot(env);

	for (size_t i = 0; i < n; i++) {
		char id[GRID_NAME_MAX * 2];
		struct grid_request *r;

		if (!has_zone(env, targets[i].metric, targets[i].zone))
			continue;
		(void)snprintf(id, sizeof(id), "factor %s", targets[i].zone);
		r = grid_plan_add(ret, id);
		if (!r)
			continue;
		grid_request_about(r, targets[i].zone, now - GRID_PAST_SLOTS * SLOT_MS, now + AHEAD);
	}
}

static int parse(const struct grid_env *env, const struct grid_request *req, struct str body, struct grid_answer *a,
		 struct error *err)
{
	const struct factor *f = factor_of(req->zone);
	struct grid_moment *m;

	(void)body;
	if (!f)
		return error_set(err, ERR_INVALID, "no factor for %s: not a country code of the table", req->zone);
	for (int64_t ms = a->from_ms; ms < a->to_ms; ms += SLOT_MS)
		grid_answer_put(a, GRID_CARBON, req->zone, ms, f->mg_per_kwh, grid_kind_of(ms + SLOT_MS, env->now_ms));
	m = grid_answer_moment(a, req->zone, grid_now_slot(env));
	if (m)
		(void)snprintf(m->index, sizeof(m->index), "mean of %d", f->year);
	return 0;
}

const struct grid_provider grid_static_factors = {
	.name = "static-factors",
	.base_url = "", /* nothing is asked for */
	.time_zone = "UTC",
	.note = "a yearly mean: the same at all hours",
	.attribution = "Ember, Yearly Electricity Data",
	.licence = "CC BY 4.0",
	.confidence_permille = 250,
	.last_resort = true,
	.flat = true,
	.has_zone = has_zone,
	.basis = basis,
	.plan = plan,
	.parse = parse,
	.poll_every_ms = HOUR_MS,
};
