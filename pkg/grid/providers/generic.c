/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any series that a URL serves as JSON or CSV, described by configuration (struct grid_custom). Zones are the sources'
 * names. A time is RFC 3339 text, text of a wall clock in the source's zone, or a Unix time in seconds or milliseconds;
 * a value a number or a number as text. Paths are keys separated by '.'; within an array a number counts from 0. With a
 * secret alone requests carry it as a bearer token, with a user name too as Basic.
 */
#include "base/buf.h"
#include "grid/csv.h"
#include "grid/period.h"
#include "grid/read.h"

#define HORIZON (7 * DAY_MS)
#define MAX_PATH 8
/* Unix times from here on are milliseconds: as seconds it would be the year 5138. */
#define MS_FROM 1e11

static const struct grid_custom *source(const struct grid_env *env, const char *zone)
{
	const struct grid_custom *c = grid_env_custom(env, zone);

	return c && c->url && c->value_field && c->time_field ? c : NULL;
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

/* {from} and {to} of the configured URL. */
static bool expand(const char *url, int64_t from_ms, int64_t to_ms, char *out, size_t cap)
{
	struct buf text _cleanup_(buf_release) = BUF_INIT(cap - 1);
	char time[TIME_TEXT];

	while (*url) {
		bool from = strncmp(url, "{from}", 6) == 0, to = strncmp(url, "{to}", 4) == 0;

		if (from || to)
			(void)buf_adds(&text, time_format(from ? from_ms : to_ms, time));
		else
			(void)buf_addc(&text, *url);
		url += from ? 6 : to ? 4 : 1;
	}
	return !text.overflow && str_copy(out, cap, buf_str(&text));
}

static void plan(const struct grid_env *env, const struct grid_target *targets, size_t n, struct grid_plan *ret)
{
	int64_t now = grid_now_slot(env);

	for (size_t i = 0; i < n && (!env->secret || grid_has_key(env)); i++) {
		const struct grid_custom *c = source(env, targets[i].zone);
		char id[GRID_NAME_MAX * 2], url[GRID_URL_MAX];
		struct grid_request *r;

		if (!has_zone(env, targets[i].metric, targets[i].zone) ||
		    !expand(c->url, now - GRID_PAST_SLOTS * SLOT_MS, now + HORIZON, url, sizeof(url)))
			continue;
		(void)snprintf(id, sizeof(id), "source %s", c->name);
		r = grid_plan_add(ret, id);
		if (!r || !grid_plan_url(ret, r, "%s", url))
			continue;
		grid_authorize(env, r);
		/* Whoever configures it may have put a key into it. */
		r->secret_url = true;
		grid_request_about(r, c->name, now - GRID_PAST_SLOTS * SLOT_MS, now + HORIZON);
	}
}

static bool serves(const struct grid_request *req, const char *zone)
{
	return strcmp(req->zone, zone) == 0;
}

struct reader {
	const struct grid_custom *c;
	const struct tz *tz;
	struct grid_answer *a;
	int64_t now_ms;
	int64_t before_ms; /* the time read last */
	size_t rows;
};

/* Text or number to a time. The time before it tells the second of two equal hours from the first. */
static bool read_time(struct reader *r, struct str text, int64_t *ret_ms)
{
	double unix_time;

	if (!str_to_double(text, &unix_time))
		return grid_wall_parse(r->tz, text, r->before_ms, ret_ms);
	if (!(unix_time >= 0 && unix_time < MS_FROM * 1000))
		return false;
	*ret_ms = (int64_t)(unix_time < MS_FROM ? unix_time * 1000 : unix_time);
	return true;
}

/* A value whose time has been read. NULL: there is none. */
static void put(struct reader *r, int64_t ms, const double *value)
{
	const struct grid_custom *c = r->c;
	int64_t step_ms = c->step_ms > 0 ? c->step_ms : SLOT_MS, start_ms = c->end_labelled ? ms - step_ms : ms;
	enum grid_kind kind = c->kind;

	if (start_ms + step_ms > r->now_ms)
		kind = start_ms > r->now_ms ? GRID_KIND_FORECAST : kind;
	else if (kind == GRID_KIND_FORECAST)
		kind = GRID_KIND_ESTIMATED;
	if (!value)
		grid_answer_drop(r->a, GRID_DROP_MISSING);
	else
		grid_put_number(r->a, c->metric, c->name, start_ms, step_ms, *value, c->scale == 0 ? 1 : c->scale,
				kind);
}

/* NULL where there is nothing at the path. */
static const struct json *member(const struct json *j, const char *path)
{
	struct str rest = str_from(path), part;

	for (int i = 0; i < MAX_PATH && j && str_split(&rest, '.', &part); i++) {
		char key[GRID_NAME_MAX];
		int64_t index;

		if (!str_copy(key, sizeof(key), part))
			return NULL;
		if (!json_is_array(j)) {
			j = json_get(j, key);
			continue;
		}
		if (!str_to_i64(part, 0, INT32_MAX, &index))
			return NULL;
		for (j = json_first(j); j && index > 0; index--)
			j = json_next(j);
	}
	return rest.ptr ? NULL : j;
}

static void take_row(struct reader *r, const struct json *row)
{
	const struct json *time = member(row, r->c->time_field), *value = member(row, r->c->value_field);
	const char *text = json_string(time);
	char digits[32];
	double number;
	int64_t ms;

	r->rows++;
	if (!text && json_double(time, &number)) {
		(void)snprintf(digits, sizeof(digits), "%.3f", number);
		text = digits;
	}
	if (!text || !read_time(r, str_trim(str_from(text)), &ms)) {
		grid_answer_drop(r->a, GRID_DROP_TYPE);
		return;
	}
	r->before_ms = ms;
	if (!value || json_is_null(value) || cstr_eq(json_string(value), ""))
		put(r, ms, NULL);
	else if (grid_read_number(value, &number))
		put(r, ms, &number);
	else
		grid_answer_drop(r->a, GRID_DROP_TYPE);
}

static int take_json(struct reader *r, struct str body, struct error *err)
{
	struct json *doc _cleanup_(json_cleanup) = NULL;
	const struct json *rows;

	if (grid_read_json(body, &doc, err))
		return -1;
	rows = r->c->rows && r->c->rows[0] ? member(doc, r->c->rows) : doc;
	if (!json_is_array(rows))
		return error_set(err, ERR_INVALID, "%s is no list",
				 r->c->rows && r->c->rows[0] ? r->c->rows : "the answer");
	json_each (row, rows)
		take_row(r, row);
	return 0;
}

static int take_csv(struct reader *r, struct str body, struct error *err)
{
	_cleanup_free_ struct grid_csv *csv = xcalloc(1, sizeof(*csv));
	int got, time_column, value_column;

	grid_csv_init(csv, body);
	got = grid_csv_next(csv, err);
	if (got <= 0)
		return got < 0 ? -1 : error_set(err, ERR_NOT_FOUND, "empty body");
	grid_csv_header(csv);
	time_column = grid_csv_column(csv, r->c->time_field);
	value_column = grid_csv_column(csv, r->c->value_field);
	if (time_column < 0 || value_column < 0)
		return error_set(err, ERR_INVALID, "no column %s",
				 time_column < 0 ? r->c->time_field : r->c->value_field);
	while ((got = grid_csv_next(csv, err)) > 0) {
		struct str value = str_trim(grid_csv_cell(csv, value_column));
		double number;
		int64_t ms;

		r->rows++;
		if (!read_time(r, str_trim(grid_csv_cell(csv, time_column)), &ms)) {
			grid_answer_drop(r->a, GRID_DROP_TYPE);
			continue;
		}
		r->before_ms = ms;
		if (str_empty(value))
			put(r, ms, NULL);
		else if (str_to_double(value, &number))
			put(r, ms, &number);
		else
			grid_answer_drop(r->a, GRID_DROP_TYPE);
	}
	return got;
}

static int parse(const struct grid_env *env, const struct grid_request *req, struct str body, struct grid_answer *a,
		 struct error *err)
{
	struct reader r = { .c = source(env, req->zone), .a = a, .now_ms = env->now_ms, .before_ms = TIME_NONE };
	int before = a->points, failed;

	if (!r.c)
		return error_set(err, ERR_INVALID, "no source %s in the configuration", req->zone);
	r.tz = r.c->tz ? r.c->tz : env->tz;
	failed = cstr_eq(r.c->format, "csv") ? take_csv(&r, body, err) : take_json(&r, body, err);
	return failed ? -1 : grid_read_verdict(a, before, r.rows, err);
}

const struct grid_provider grid_generic = {
	.name = "generic",
	.base_url = "", /* the sources' URLs are complete */
	.time_zone = "UTC",
	.licence = "that of the source",
	.confidence_permille = 800,
	.flat = true,
	.no_export = true,
	.has_zone = has_zone,
	.basis = basis,
	.plan = plan,
	.serves = serves,
	.parse = parse,
	.poll_every_ms = 15 * MINUTE_MS,
};
