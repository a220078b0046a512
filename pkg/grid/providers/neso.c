/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NESO's data portal (CKAN): carbon forecasts of 14 regions and of GB (the Carbon Intensity API's own, as files),
 * embedded wind and solar, demand and its forecast, the generation mix, what demand flexibility (DFS) and frequency
 * response were paid. What shapes this file (neso_rows.c has what shapes the rows):
 *
 *  - archives stand beside the live files under similar names, file names change with every issue: each poll begins
 *    with package_show and takes the resource of exactly that name: its id, its file, when it was last modified;
 *  - where packages cannot be looked up, resource_show tells the same of the id that was found last, or of the one that
 *    was published when this was written. The name must be the same here too;
 *  - a resource is a file (which answers 302 to an object store) or a table of the datastore, most are both. The
 *    portal fills them one after the other, and either may be empty: the second is asked when the first yields nothing;
 *  - resources that hold all years are far larger than a body may be: the table's newest rows are asked for first;
 *  - addresses in an answer are not followed: only the path of a file is taken, below our own base URL.
 *
 * Zones of carbon: the region's number "1" to "14" or its slug ("north-scotland"), and "GB" or "national"; else "GB".
 */
#include "grid/providers/neso.h"
#include "grid/period.h"
#include "grid/read.h"

#define REGIONS 14
#define ACTION "api/3/action"
#define AHEAD_MS (14 * DAY_MS)
/* Key of the note under which a parse keeps the address to try if the first yields nothing. */
#define NOTE_SECOND "second"
/* An id that package_show has not confirmed for so long gives way to the one in the table. */
#define KEEP_ID_MS (30 * DAY_MS)

static bool is_number(const char *zone)
{
	int64_t id;

	return str_to_i64(str_from(zone), 1, REGIONS, &id);
}

static bool is_national(const char *zone)
{
	return cstr_eq(zone, "GB") || cstr_eq(zone, "national");
}

static bool has_zone(const struct grid_env *env, enum grid_metric metric, const char *zone)
{
	(void)env;
	switch (metric) {
	case GRID_CARBON:
		return is_national(zone) || neso_slug_number(zone) || is_number(zone);
	case GRID_RENEWABLE:
	case GRID_LOW_CARBON:
	case GRID_DEMAND:
	case GRID_WIND:
	case GRID_SOLAR:
	case GRID_FLEX_PRICE:
	case GRID_RESPONSE_PRICE:
		return cstr_eq(zone, "GB");
	default:
		return false;
	}
}

static void basis(const struct grid_env *env, const char *zone, struct grid_basis *ret)
{
	(void)env;
	*ret = (struct grid_basis){ "average", "direct", "consumption", "regional" };
	if (is_national(zone))
		(void)str_copy(ret->resolution, sizeof(ret->resolution), STR("national"));
}

static const char *area(const char *zone)
{
	(void)zone;
	return "GB";
}

static const struct resource {
	const char *what; /* begins the request's id */
	const char *package, *name;
	const char *id;    /* NULL: not known */
	const char *needs; /* a column without which a file is another file */
	const char *sort;  /* URL-encoded: the table's newest rows come first; NULL: ask for the file first */
	int rows;          /* of the table */
	void (*take)(struct neso_parser *p, const struct neso_row *r);
	int64_t poll_ms;
} resources[] = {
	[NESO_REGIONAL] = { "regional", "regional-carbon-intensity-forecast", "Regional Carbon Intensity Forecast",
			    "c16b0e19-c02a-44a8-ba05-4db2c0545a2a", "datetime", "datetime%20desc", 400,
			    neso_take_regional, SLOT_MS },
	[NESO_REGIONAL_SLUGS] = { "regional-slugs", "regional-carbon-intensity-forecast",
				  "Regional Carbon Intensity Forecast", "c16b0e19-c02a-44a8-ba05-4db2c0545a2a",
				  "datetime", "datetime%20desc", 400, neso_take_regional, SLOT_MS },
	[NESO_NATIONAL] = { "national", "national-carbon-intensity-forecast", "National Carbon Intensity Forecast",
			    "0e5fde43-2de7-4fb4-833d-c7bca3b658b0", "datetime", "datetime%20desc", 400,
			    neso_take_national, SLOT_MS },
	[NESO_EMBEDDED] = { "embedded", "embedded-wind-and-solar-forecasts", "Embedded Solar and Wind Forecast",
			    "db6c038f-98af-4570-ab60-24d71ebd0ae5", "DATE_GMT", NULL, 1000, neso_take_embedded,
			    HOUR_MS },
	[NESO_RECENT_DEMAND] = { "recent-demand", "daily-demand-update", "Demand Data Update",
				 "177f6fa4-ae49-4182-81ea-0c6b35f26ca6", "SETTLEMENT_DATE", NULL, 3000,
				 neso_take_recent_demand, 6 * HOUR_MS },
	[NESO_DEMAND_AHEAD] = { "demand-ahead", "2-14-days-ahead-national-demand-forecast",
				"2-14 Days Ahead Half Hourly Forecast", "7c0411cd-2714-4bb5-a408-adb065edf34d",
				"GDATETIME", NULL, 1000, neso_take_demand_ahead, 6 * HOUR_MS },
	[NESO_HISTORIC_MIX] = { "historic-mix", "historic-generation-mix", "Historic GB Generation Mix",
				"f93d1835-75bc-43e5-84ad-12472b180a98", "DATETIME", "DATETIME%20desc", 200,
				neso_take_historic_mix, HOUR_MS },
	[NESO_FLEXIBILITY] = { "flexibility", "demand-flexibility", "DFS Utilisation Report", NULL, "Delivery Date",
			       "Delivery%20Date%20desc", 2000, neso_take_flexibility, HOUR_MS },
	[NESO_RESPONSE] = { "response", "eac-auction-results", "NESO Response-Reserve Results Summary", NULL,
			    "deliveryStart", "deliveryStart%20desc", 1500, neso_take_response, 3 * HOUR_MS },
};

static void ask(const struct grid_env *env, struct grid_plan *plan, enum neso_what what, const char *zone,
		const char *product)
{
	const char *noted = grid_env_note(env, resources[what].package), *known = noted ? noted : resources[what].id;
	int64_t now = grid_now_slot(env);
	char id[GRID_NAME_MAX * 2];
	struct grid_request *r;

	(void)snprintf(id, sizeof(id), "%s%s%s%s%s", resources[what].what, zone ? " " : "", zone ? zone : "",
		       product ? " " : "", product ? product : "");
	r = grid_plan_add(plan, id);
	if (!r || !grid_plan_url(plan, r, "%s/" ACTION "/package_show?id=%s", env->base_url, resources[what].package))
		return;
	if (known)
		(void)snprintf(r->otherwise, sizeof(r->otherwise), "%s/" ACTION "/resource_show?id=%s", env->base_url,
			       known);
	r->what = what;
	grid_request_about(r, zone, now - GRID_PAST_SLOTS * SLOT_MS, now + AHEAD_MS);
	(void)str_copy(r->product, sizeof(r->product), str_from(product));
}

static void plan_target(const struct grid_env *env, struct grid_plan *plan, const struct grid_target *t)
{
	switch (t->metric) {
	case GRID_CARBON:
		if (is_national(t->zone))
			ask(env, plan, NESO_NATIONAL, t->zone, NULL);
		else
			ask(env, plan, is_number(t->zone) ? NESO_REGIONAL : NESO_REGIONAL_SLUGS, NULL, NULL);
		break;
	case GRID_RENEWABLE:
	case GRID_LOW_CARBON:
		ask(env, plan, NESO_HISTORIC_MIX, NULL, NULL);
		break;
	case GRID_DEMAND:
		ask(env, plan, NESO_RECENT_DEMAND, NULL, NULL);
		ask(env, plan, NESO_DEMAND_AHEAD, NULL, NULL);
		break;
	case GRID_WIND:
	case GRID_SOLAR:
		ask(env, plan, NESO_EMBEDDED, NULL, NULL);
		break;
	case GRID_FLEX_PRICE:
		ask(env, plan, NESO_FLEXIBILITY, NULL, NULL);
		break;
	case GRID_RESPONSE_PRICE:
		ask(env, plan, NESO_RESPONSE, NULL, t->product);
		break;
	default:
		break;
	}
}

static void plan(const struct grid_env *env, const struct grid_target *targets, size_t n, struct grid_plan *ret)
{
	for (size_t i = 0; i < n; i++)
		if (has_zone(env, targets[i].metric, targets[i].zone))
			plan_target(env, ret, &targets[i]);
}

static bool serves(const struct grid_request *req, const char *zone)
{
	switch (req->what) {
	case NESO_REGIONAL:
		return is_number(zone);
	case NESO_REGIONAL_SLUGS:
		return neso_slug_number(zone) != 0;
	case NESO_NATIONAL:
		return strcmp(req->zone, zone) == 0;
	default:
		return strcmp(zone, "GB") == 0;
	}
}

/* Letters, digits and what file names are made of; no "..". */
static bool is_path(const char *s)
{
	size_t len = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~%/");

	return s[len] == '\0' && len < GRID_URL_MAX / 2 && !strstr(s, "..");
}

static bool is_id(const char *s)
{
	return s && strspn(s, "0123456789abcdef-") == 36 && s[36] == '\0';
}

/* Where the file and the table are: paths below the base URL, "" = there is none. */
static void paths_of(const struct resource *what, const struct json *found, char file[GRID_URL_MAX],
		     char table[GRID_URL_MAX])
{
	const char *url = json_string(json_get(found, "url")), *id = json_string(json_get(found, "id"));
	const char *path = url ? strstr(url, "/dataset/") : NULL;
	bool active = true;

	file[0] = table[0] = '\0';
	if (path && is_path(path + 1))
		(void)str_copy(file, GRID_URL_MAX, str_from(path + 1));
	(void)json_bool(json_get(found, "datastore_active"), &active);
	if (is_id(id) && active)
		(void)snprintf(table, GRID_URL_MAX, ACTION "/datastore_search?resource_id=%s&limit=%d%s%s", id,
			       what->rows, what->sort ? "&sort=" : "", what->sort ? what->sort : "");
}

/* What to ask next, and what after that. */
static int take_resource(struct neso_parser *p, const struct json *found, struct error *err)
{
	const struct resource *what = &resources[p->req->what];
	const char *id = json_string(json_get(found, "id"));
	char file[GRID_URL_MAX], table[GRID_URL_MAX];
	const char *first = what->sort ? table : file, *second = what->sort ? file : table;
	int64_t modified;

	paths_of(what, found, file, table);
	if (!first[0]) {
		first = second;
		second = "";
	}
	if (!first[0])
		return error_set(err, ERR_INVALID, "resource \"%s\" is neither a file nor a table", what->name);
	/* An issue of the future would lock out later ones. */
	if (grid_wall_parse(NULL, str_from(json_string(json_get(found, "last_modified"))), TIME_NONE, &modified) &&
	    modified <= p->env->now_ms)
		p->a->issued_ms = modified;
	if (is_id(id))
		(void)grid_answer_note(p->a, what->package, str_from(id), p->env->now_ms + KEEP_ID_MS);
	if (!grid_answer_note(p->a, NOTE_SECOND, str_from(second), p->env->now_ms))
		return error_set(err, ERR_LIMIT, "resource \"%s\": its address is too long", what->name);
	if ((size_t)snprintf(p->a->next, sizeof(p->a->next), "%s/%s", p->env->base_url, first) >= sizeof(p->a->next)) {
		p->a->next[0] = '\0';
		return error_set(err, ERR_LIMIT, "resource \"%s\": its address is too long", what->name);
	}
	return 0;
}

/* package_show. */
static int take_package(struct neso_parser *p, const struct json *package, struct error *err)
{
	const struct resource *what = &resources[p->req->what];

	json_each (r, json_get(package, "resources"))
		if (cstr_eq(json_string(json_get(r, "name")), what->name))
			return take_resource(p, r, err);
	return error_set(err, ERR_INVALID, "package %s has no resource named \"%s\"", what->package, what->name);
}

/* Nothing at all, or nothing but one empty list. */
static bool is_empty(const struct json *doc)
{
	const struct json *only = json_first(doc);

	return !only || (json_len(doc) == 1 && (json_is_array(only) || json_is_object(only)) && !json_first(only));
}

static int take_json(struct neso_parser *p, struct str body, struct error *err)
{
	struct json *doc _cleanup_(json_cleanup) = NULL;
	const struct json *result, *records;
	bool success = true;

	if (json_parse(body, &doc, err))
		return -1;
	(void)json_bool(json_get(doc, "success"), &success);
	if (!success) {
		const char *type = json_string(json_at(doc, "error.__type"));

		return error_set(err, ERR_INVALID, "refused by the portal: %.64s", type ? type : "no reason given");
	}
	result = json_get(doc, "result");
	if (json_is_array(json_get(result, "resources")))
		return take_package(p, result, err);
	/* resource_show */
	if (json_get(result, "name") && json_get(result, "url")) {
		const char *name = resources[p->req->what].name;

		if (!cstr_eq(json_string(json_get(result, "name")), name))
			return error_set(err, ERR_INVALID, "the resource is not \"%s\" any more", name);
		return take_resource(p, result, err);
	}
	records = json_get(result, "records");
	if (!json_is_array(records))
		return is_empty(doc) ? error_set(err, ERR_NOT_FOUND, "empty answer")
				     : error_set(err, ERR_INVALID, "neither resources nor records");
	json_each (record, records) {
		const struct neso_row r = { .record = record };

		p->rows++;
		if (json_is_object(record))
			resources[p->req->what].take(p, &r);
		else
			grid_answer_drop(p->a, GRID_DROP_TYPE);
	}
	return 0;
}

static int take_csv(struct neso_parser *p, struct str body, struct error *err)
{
	const struct resource *what = &resources[p->req->what];
	struct grid_csv csv;
	const struct neso_row r = { .csv = &csv };
	int got;

	grid_csv_init(&csv, body);
	got = grid_csv_next(&csv, err);
	if (got < 0)
		return -1;
	grid_csv_header(&csv);
	if (got == 0 || grid_csv_column(&csv, what->needs) < 0)
		return error_set(err, ERR_INVALID, "no file of \"%s\": it has no column %s", what->name, what->needs);
	while ((got = grid_csv_next(&csv, err)) > 0) {
		p->rows++;
		what->take(p, &r);
	}
	if (got < 0 && p->rows == 0)
		return -1;
	/* Cut off or broken further down: the rows before count. */
	if (got < 0)
		grid_answer_drop(p->a, GRID_DROP_TYPE);
	return 0;
}

/* The other place where the same data are, once. */
static bool try_second(struct neso_parser *p)
{
	const char *second = grid_answer_noted(p->a, NOTE_SECOND);

	if (!second || !second[0] ||
	    (size_t)snprintf(p->a->next, sizeof(p->a->next), "%s/%s", p->env->base_url, second) >= sizeof(p->a->next))
		return false;
	return grid_answer_note(p->a, NOTE_SECOND, STR(""), p->env->now_ms);
}

static int take_body(struct neso_parser *p, struct str body, struct error *err)
{
	struct str text = str_trim(body);
	size_t mark = str_has_prefix(text, STR("\xef\xbb\xbf")) ? 3 : 0;
	int before = p->a->points;
	bool is_json = text.len > mark && (text.ptr[mark] == '{' || text.ptr[mark] == '[');

	if (str_empty(text))
		return error_set(err, ERR_NOT_FOUND, "empty body");
	if (is_json ? take_json(p, text, err) : take_csv(p, body, err))
		return -1;
	if (p->a->next[0])
		return 0;
	neso_put_means(p);
	/* Days on which no flexibility was called are the rule. */
	if (p->req->what == NESO_FLEXIBILITY && p->outside)
		return 0;
	if (p->a->points == before)
		p->a->dropped[GRID_DROP_SPAN] += p->outside;
	return grid_read_verdict(p->a, before, p->rows, err);
}

static int parse(const struct grid_env *env, const struct grid_request *req, struct str body, struct grid_answer *a,
		 struct error *err)
{
	struct neso_parser p = { .env = env, .req = req, .a = a };
	int result;

	a->next[0] = '\0';
	result = take_body(&p, body, err);
	if (result && try_second(&p))
		return 0;
	/* That note was for this answer only. */
	for (int i = 0; !a->next[0] && i < a->n_notes; i++)
		if (strcmp(a->notes[i].key, NOTE_SECOND) == 0)
			a->notes[i--] = a->notes[--a->n_notes];
	return result;
}

static int64_t next_poll_ms(const struct grid_env *env, const struct grid_request *req, int64_t known_until_ms,
			    double jitter)
{
	(void)known_until_ms;
	return grid_poll_every(env, resources[req->what].poll_ms, jitter);
}

const struct grid_provider grid_neso = {
	.name = "neso",
	.base_url = "https://api.neso.energy",
	.time_zone = "Europe/London",
	.currency = "GBP",
	.note = "wind and solar are the embedded ones; flexibility and response prices are known after the auction",
	.attribution = "Supported by National Energy SO Open Data",
	.licence = "NESO Open Data Licence",
	/* The object store, under its customers' own names. */
	.redirect_hosts = ".r2.cloudflarestorage.com",
	.budget_requests = 2,
	.budget_ms = MINUTE_MS,
	.has_zone = has_zone,
	.basis = basis,
	.area = area,
	.plan = plan,
	.serves = serves,
	.parse = parse,
	.next_poll_ms = next_poll_ms,
};
