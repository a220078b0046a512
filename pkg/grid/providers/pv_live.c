/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sheffield Solar's PV_Live, version 4: what GB's solar panels generated, half-hourly: estimated from samples, since
 * most of them are behind somebody's meter. Zones: "GB", or the letter of a grid supply point group ("C", "_C"), which
 * PV_Live has under its old distribution area's number. What shapes this file:
 *
 *  - rows are arrays, `meta` names their columns; datetime_gmt is the END of the half hour;
 *  - values are revised for a day, and null until they are there; nothing is forecast.
 */
#include "grid/period.h"
#include "grid/read.h"

#define NATIONAL "GB"
/* Longest span of a regional request is 30 days. */
#define SPAN_MS (GRID_PAST_SLOTS * SLOT_MS)

/* By letter A to P: number of the area (MPAN distributor), 0 = no such group. */
static const int8_t areas[] = { 10, 11, 12, 13, 14, 15, 16, 20, 0, 19, 21, 22, 23, 18, 0, 17 };

/* Number of the area, 0 for GB, -1 for none of ours. */
static int zone_area(const char *zone)
{
	if (cstr_eq(zone, NATIONAL))
		return 0;
	if (zone && zone[0] == '_')
		zone++;
	if (!zone || zone[0] < 'A' || zone[0] > 'P' || zone[1] || areas[zone[0] - 'A'] == 0)
		return -1;
	return areas[zone[0] - 'A'];
}

static bool has_zone(const struct grid_env *env, enum grid_metric metric, const char *zone)
{
	(void)env;
	return metric == GRID_SOLAR && zone_area(zone) >= 0;
}

static const char *area(const char *zone)
{
	(void)zone;
	return NATIONAL;
}

static void plan(const struct grid_env *env, const struct grid_target *targets, size_t n, struct grid_plan *ret)
{
	int64_t to = grid_now_slot(env), from = to - SPAN_MS;
	char a[TIME_TEXT], b[TIME_TEXT], id[GRID_NAME_MAX * 2];

	for (size_t i = 0; i < n; i++) {
		struct grid_request *r;
		int number = zone_area(targets[i].zone);

		if (!has_zone(env, targets[i].metric, targets[i].zone))
			continue;
		(void)snprintf(id, sizeof(id), "solar %s", targets[i].zone);
		r = grid_plan_add(ret, id);
		/* Ends of the first half hour and of the last. */
		if (!r ||
		    !grid_plan_url(ret, r, "%s/%s/%d?start=%s&end=%s&data_format=json", env->base_url,
				   number ? "pes" : "gsp", number, time_format(from + SLOT_MS, a), time_format(to, b)))
			continue;
		grid_request_about(r, targets[i].zone, from, to);
	}
}

static int column(const struct json *meta, const char *name)
{
	int i = 0;

	json_each (item, meta) {
		if (cstr_eq(json_string(item), name))
			return i;
		i++;
	}
	return -1;
}

/* The row's member at that place. */
static const struct json *at(const struct json *row, int place)
{
	const struct json *item = json_is_array(row) && place >= 0 ? json_first(row) : NULL;

	for (int i = 0; i < place && item; i++)
		item = json_next(item);
	return item;
}

static int parse(const struct grid_env *env, const struct grid_request *req, struct str body, struct grid_answer *a,
		 struct error *err)
{
	struct json *doc _cleanup_(json_cleanup) = NULL;
	const struct json *rows;
	int before = a->points, time_column, value_column, id_column;

	(void)env;
	if (grid_read_json(body, &doc, err))
		return -1;
	rows = json_get(doc, "data");
	if (!json_is_array(rows))
		return json_is_object(doc) && !json_first(doc) ? error_set(err, ERR_NOT_FOUND, "empty answer")
							       : error_set(err, ERR_INVALID, "no data array");
	id_column = column(json_get(doc, "meta"), zone_area(req->zone) ? "pes_id" : "gsp_id");
	time_column = column(json_get(doc, "meta"), "datetime_gmt");
	value_column = column(json_get(doc, "meta"), "generation_mw");
	if (time_column < 0 || value_column < 0)
		return error_set(err, ERR_INVALID, "meta names no columns datetime_gmt and generation_mw");
	json_each (row, rows) {
		int64_t end, id;

		if (json_i64(at(row, id_column), &id) && id != zone_area(req->zone))
			grid_answer_drop(a, GRID_DROP_ZONE);
		else if (grid_wall_parse(NULL, str_from(json_string(at(row, time_column))), TIME_NONE, &end))
			grid_put_json(a, GRID_SOLAR, req->zone, grid_start_of_end(end, SLOT_MS), SLOT_MS,
				      at(row, value_column), 1, GRID_KIND_ESTIMATED);
		else
			grid_answer_drop(a, GRID_DROP_TYPE);
	}
	return grid_read_verdict(a, before, json_len(rows), err);
}

const struct grid_provider grid_pv_live = {
	.name = "pv-live",
	.base_url = "https://api.pvlive.uk/pvlive/api/v4",
	.time_zone = "UTC",
	.note = "estimated from samples: panels are not metered one by one",
	.attribution = "PV_Live, Sheffield Solar, The University of Sheffield, funded by NESO",
	.licence = "open and free of charge; no licence text is given",
	.has_zone = has_zone,
	.area = area,
	.plan = plan,
	.parse = parse,
	.poll_every_ms = SLOT_MS, /* a new value some minutes after each half hour */
};
