/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The GB Carbon Intensity API's paths, shapes and habits, as recorded answers show them (not as its documentation
 * does): a range returns every window whose end lies in it, regional answers have a forecast only, `data` is an object
 * in some places and an array in others. National figures are the unweighted mean of the 14 regions, England, Scotland
 * and Wales that of their members, and generation mixes are derived from the intensity: no record of them exists here.
 */
#include <math.h>

#include "series.h"

#define MAX_RANGE_MS (14 * DAY_MS)

/* Regions 1 to 14 are recorded, 15 to 18 are means. */
enum { ENGLAND = 15, SCOTLAND, WALES, GB };

static const char *const aggregate_names[] = { "England", "Scotland", "Wales", "GB" };

static bool is_member(int id, int member)
{
	switch (id) {
	case ENGLAND:
		return member >= 3 && member != 6 && member != 7;
	case SCOTLAND:
		return member <= 2;
	case WALES:
		return member == 6 || member == 7;
	case GB:
		return true;
	default:
		return member == id;
	}
}

/* Mean over the members; truth for windows that have ended, else what the running issue expects. */
static int32_t value_of(const struct request *req, int id, int slot, bool truth)
{
	const struct recording *rec = &req->replay->rec;
	double sum = 0;
	int n = 0;

	if (req->fault[FAULT_FLAT])
		slot = req->slot, truth = false;
	for (int r = 0; r < REGIONS; r++) {
		int32_t v;

		if (!is_member(id, region_table[r].id))
			continue;
		v = truth ? recording_truth(rec, r, slot) : recording_forecast(rec, r, MIN(req->slot, slot), slot);
		if (v == MISSING)
			continue;
		sum += v;
		n++;
	}
	return n ? (int32_t)lround(sum / n) : MISSING;
}

static const char *index_word(int32_t carbon)
{
	/* The provider's bands of 2026. */
	return carbon < 25     ? "very low"
	       : carbon < 90   ? "low"
	       : carbon < 170  ? "moderate"
	       : carbon <= 230 ? "high"
			       : "very high";
}

static void put_mix(struct json_writer *w, const struct request *req, int32_t carbon, int slot)
{
	static const char *const fuels[] = { "biomass", "coal",  "imports", "gas", "nuclear",
					     "other",   "hydro", "solar",   "wind" };
	static const int place[MIX_FUELS] = { 1, 3, 4, 6, 7, 8 };
	int share[ARRAY_LEN(fuels)] = { 0 }, mix[MIX_FUELS];

	mix_of(carbon == MISSING ? (double)NAN : carbon,
	       (int)(recording_time(&req->replay->rec, slot) % DAY_MS / HOUR_MS), mix);
	for (int i = 0; i < MIX_FUELS; i++)
		share[place[i]] = mix[i];
	jw_array(w, "generationmix");
	for (size_t i = 0; i < ARRAY_LEN(fuels); i++) {
		jw_object(w, NULL);
		jw_string(w, "fuel", fuels[i]);
		jw_decimal(w, "perc", share[i], 1);
		jw_end_object(w);
	}
	if (req->fault[FAULT_SCHEMA]) {
		jw_object(w, NULL);
		jw_string(w, "fuel", "tidal stream");
		jw_i64(w, "perc", 0);
		jw_end_object(w);
	}
	jw_end_array(w);
}

static void put_value(struct json_writer *w, const struct request *req, const char *key, int32_t v, int id, int slot)
{
	struct point p = fault_point(req, Q_CARBON, slot, id, v == MISSING ? (double)NAN : v);

	if (p.state == POINT_VALUE)
		jw_i64(w, key, (int64_t)p.value);
	else if (p.state == POINT_BAD)
		jw_string(w, key, "n/a");
	else
		jw_null(w, key);
}

static void put_times(struct json_writer *w, const struct request *req, int slot)
{
	char text[TIME_TEXT];
	int64_t start = series_label(req, recording_time(&req->replay->rec, slot));

	jw_string(w, "from", time_format_minute(start, text));
	jw_string(w, "to", time_format_minute(start + SLOT_MS, text));
}

static bool has_ended(const struct request *req, int slot)
{
	return slot < req->slot;
}

/* id 0: the national API, which has actuals, about 30 min after the end, and keeps the last forecast. */
static void put_intensity(struct json_writer *w, const struct request *req, int id, int slot)
{
	int32_t shown;

	jw_object(w, "intensity");
	if (id == 0) {
		int32_t actual = slot + 1 < req->slot ? value_of(req, GB, slot, true) : MISSING;

		shown = value_of(req, GB, slot, false);
		put_value(w, req, "forecast", shown, GB, slot);
		put_value(w, req, "actual", actual, GB, slot);
		shown = actual != MISSING ? actual : shown;
	} else {
		shown = value_of(req, id, slot, has_ended(req, slot));
		put_value(w, req, "forecast", shown, id, slot);
	}
	jw_string(w, "index", index_word(shown));
	jw_end_object(w);
}

static void put_region_names(struct json_writer *w, const struct request *req, int id)
{
	bool aggregate = id > REGIONS;

	jw_i64(w, "regionid", req->fault[FAULT_MAPPING] ? 100 + id : id);
	jw_string(w, "dnoregion", aggregate ? aggregate_names[id - ENGLAND] : region_table[id - 1].dno);
	jw_stringf(w, "shortname", "%s%s", aggregate ? aggregate_names[id - ENGLAND] : region_table[id - 1].name,
		   req->fault[FAULT_SCHEMA] ? " (renamed)" : "");
}

static void put_region_values(struct json_writer *w, const struct request *req, int id, int slot)
{
	put_intensity(w, req, id, slot);
	put_mix(w, req, value_of(req, id, slot, has_ended(req, slot)), slot);
}

/* Which windows: every slot whose end lies in [from, to]. */
struct range {
	int first, last;
};

static struct range range_of(const struct request *req, int64_t from_ms, int64_t to_ms)
{
	const struct recording *rec = &req->replay->rec;

	return (struct range){ MAX(0, recording_slot(rec, time_slot_ceil(from_ms, SLOT_MS)) - 1),
			       MIN(rec->n - 1, recording_slot(rec, to_ms) - 1) };
}

/* What the API calls current: the window that has just ended (asked at 23:01:57 it shows 22:30 to 23:00). */
static struct range current(const struct request *req)
{
	return (struct range){ req->slot - 1, req->slot - 1 };
}

static void national(const struct request *req, struct range range, bool mix)
{
	struct json_writer w = json_writer(req->out);

	jw_object(&w, NULL);
	jw_array(&w, "data");
	for (int slot = range.first; slot <= range.last; slot++) {
		if (!has_point(req, slot))
			continue;
		jw_object(&w, NULL);
		put_times(&w, req, slot);
		if (mix)
			put_mix(&w, req, value_of(req, GB, slot, has_ended(req, slot)), slot);
		else
			put_intensity(&w, req, 0, slot);
		jw_end_object(&w);
	}
	jw_end_array(&w);
	jw_end_object(&w);
}

/* /generation without a range: one object, not an array. */
static void generation_now(const struct request *req)
{
	struct json_writer w = json_writer(req->out);

	jw_object(&w, NULL);
	jw_object(&w, "data");
	if (has_point(req, req->slot - 1)) {
		put_times(&w, req, req->slot - 1);
		put_mix(&w, req, value_of(req, GB, req->slot - 1, true), req->slot - 1);
	}
	jw_end_object(&w);
	jw_end_object(&w);
}

/* Windows, each with its 18 regions. */
static void all_regions(const struct request *req, struct range range)
{
	struct json_writer w = json_writer(req->out);

	jw_object(&w, NULL);
	jw_array(&w, "data");
	for (int slot = range.first; slot <= range.last; slot++) {
		if (!has_point(req, slot))
			continue;
		jw_object(&w, NULL);
		put_times(&w, req, slot);
		jw_array(&w, "regions");
		for (int id = 1; id <= GB; id++) {
			jw_object(&w, NULL);
			put_region_names(&w, req, id);
			put_region_values(&w, req, id, slot);
			jw_end_object(&w);
		}
		jw_end_array(&w);
		jw_end_object(&w);
	}
	jw_end_array(&w);
	jw_end_object(&w);
}

/* One region with its windows: in an array when it is the current one, else an object (fault 22: the other way). */
static void one_region(const struct request *req, int id, struct range range, bool in_array)
{
	struct json_writer w = json_writer(req->out);

	if (req->fault[FAULT_SCHEMA])
		in_array = !in_array;
	jw_object(&w, NULL);
	if (in_array)
		jw_array(&w, "data");
	jw_object(&w, in_array ? NULL : "data");
	put_region_names(&w, req, id);
	jw_array(&w, "data");
	for (int slot = range.first; slot <= range.last; slot++) {
		if (!has_point(req, slot))
			continue;
		jw_object(&w, NULL);
		put_times(&w, req, slot);
		put_region_values(&w, req, id, slot);
		jw_end_object(&w);
	}
	jw_end_array(&w);
	jw_end_object(&w);
	if (in_array)
		jw_end_array(&w);
	jw_end_object(&w);
}

static int refuse(struct request *req, const char *message)
{
	struct json_writer w = json_writer(req->out);

	jw_object(&w, NULL);
	jw_object(&w, "error");
	jw_string(&w, "code", "400 Bad Request");
	jw_string(&w, "message", message);
	jw_end_object(&w);
	jw_end_object(&w);
	return 400;
}

static bool is_at(const struct request *req, int i, const char *word)
{
	return i < req->n_path && str_is(req->path[i], word);
}

/* {from}[/fw24h|fw48h|pt24h|/{to}] from segment i on; *ret_next is the segment after it. 0, or an HTTP status. */
static int parse_range(struct request *req, int i, struct range *ret, int *ret_next)
{
	int64_t from, to;

	if (!time_parse(req->path[i], &from))
		return refuse(req, "Please enter a valid start datetime in ISO8601 format YYYY-MM-DDThh:mmZ.");
	to = from + SLOT_MS;
	*ret_next = i + 2;
	if (i + 1 >= req->n_path)
		from += MINUTE_MS; /* the one window that holds the time */
	else if (is_at(req, i + 1, "fw24h"))
		to = from + DAY_MS;
	else if (is_at(req, i + 1, "fw48h"))
		to = from + 2 * DAY_MS;
	else if (is_at(req, i + 1, "pt24h"))
		to = from, from -= DAY_MS;
	else if (!time_parse(req->path[i + 1], &to))
		return refuse(req, "Please enter a valid end datetime in ISO8601 format YYYY-MM-DDThh:mmZ.");
	if (to < from || to - from > MAX_RANGE_MS)
		return refuse(req, "The maximum date range is limited to 14 days.");
	*ret = range_of(req, from, to);
	return 0;
}

/* /intensity/date[/{YYYY-MM-DD}[/{1-48}]] */
static int national_date(struct request *req)
{
	int64_t day = time_slot_floor(req->now_ms, DAY_MS), period = 0;
	char text[TIME_TEXT];

	if (req->n_path > 2) {
		(void)snprintf(text, sizeof(text), "%.*sT00:00Z", (int)MIN(req->path[2].len, 10), req->path[2].ptr);
		if (!time_parse(str_from(text), &day))
			return refuse(req, "Please enter a valid date in ISO8601 format YYYY-MM-DD.");
	}
	if (req->n_path > 3 && !str_to_i64(req->path[3], 1, 48, &period))
		return refuse(req, "Please enter a valid settlement period 1-48.");
	if (period)
		national(req, range_of(req, day + period * SLOT_MS, day + period * SLOT_MS), false);
	else
		national(req, range_of(req, day + SLOT_MS, day + DAY_MS), false);
	return 200;
}

static void factors(struct request *req)
{
	(void)buf_adds(req->out, "{ \r\n  \"data\":[{ \r\n    \"Biomass\": 120,\r\n    \"Coal\": 937,\r\n"
				 "    \"Dutch Imports\": 474,\r\n    \"French Imports\": 53,\r\n"
				 "    \"Gas (Combined Cycle)\": 394,\r\n    \"Gas (Open Cycle)\": 651,\r\n"
				 "    \"Hydro\": 0,\r\n    \"Irish Imports\": 458,\r\n    \"Nuclear\": 0,\r\n"
				 "    \"Oil\": 935,\r\n    \"Other\": 300,\r\n    \"Pumped Storage\": 0,\r\n"
				 "    \"Solar\": 0,\r\n    \"Wind\": 0\r\n  }]\r\n}");
}

static int answer_intensity(struct request *req)
{
	struct range range;
	int next, status;

	if (req->n_path == 1) {
		national(req, current(req), false);
		return 200;
	}
	if (is_at(req, 1, "factors")) {
		factors(req);
		return 200;
	}
	if (is_at(req, 1, "date"))
		return national_date(req);
	status = parse_range(req, 1, &range, &next);
	if (status)
		return status;
	national(req, range, false);
	return 200;
}

static int answer_generation(struct request *req)
{
	struct range range;
	int next, status;

	if (req->n_path == 1) {
		generation_now(req);
		return 200;
	}
	status = parse_range(req, 1, &range, &next);
	if (status)
		return status;
	national(req, range, true);
	return 200;
}

/* /regional/intensity/{from}/{range}[/regionid/{n}] */
static int regional_range(struct request *req)
{
	struct range range;
	int64_t id;
	int next, status;

	/* A bare date is answered 200 {} there. */
	if (req->n_path > 2 && req->path[2].len == 10) {
		(void)buf_adds(req->out, "{}");
		return 200;
	}
	if (req->n_path < 4)
		return refuse(req, "Please enter a valid range.");
	status = parse_range(req, 2, &range, &next);
	if (status)
		return status;
	if (next == req->n_path) {
		all_regions(req, range);
		return 200;
	}
	if (!is_at(req, next, "regionid") || next + 2 != req->n_path || !str_to_i64(req->path[next + 1], 1, WALES, &id))
		return refuse(req, "Please enter a valid region ID 1-17.");
	one_region(req, (int)id, range, false);
	return 200;
}

static int answer_regional(struct request *req)
{
	static const char *const countries[] = { "england", "scotland", "wales" };
	int64_t id;

	if (req->n_path == 1) {
		all_regions(req, current(req));
		return 200;
	}
	if (is_at(req, 1, "intensity"))
		return regional_range(req);
	for (int i = 0; i < 3; i++)
		if (is_at(req, 1, countries[i]) && req->n_path == 2) {
			one_region(req, ENGLAND + i, current(req), true);
			return 200;
		}
	if (is_at(req, 1, "regionid") && req->n_path == 3 && str_to_i64(req->path[2], 1, WALES, &id)) {
		one_region(req, (int)id, current(req), true);
		return 200;
	}
	return refuse(req, "Please enter a valid region ID 1-17.");
}

int carbon_answer(struct request *req)
{
	if (is_at(req, 0, "intensity"))
		return answer_intensity(req);
	if (is_at(req, 0, "generation"))
		return answer_generation(req);
	return answer_regional(req);
}
