/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The NESO data portal (CKAN): package_show names resources, their downloads lead with a 302 to a presigned address on
 * another host name, and datastore_search gives the same rows as JSON in pages. CSVs as they are: CRLF and a byte order
 * mark in some, naive GMT, end-labelled where NESO does so, no issue time.
 */
#include "series.h"

#define MAX_PAGE 32000

enum column_kind {
	C_TIME,
	C_END,
	C_DATE,
	C_CLOCK,
	C_LOCAL_CLOCK,
	C_SETTLEMENT_DATE,
	C_SETTLEMENT_PERIOD,
	C_REGION,
	C_FUEL,
	C_VALUE,
	C_TEXT,
};

struct column {
	const char *name;
	enum column_kind kind;
	int arg;          /* region, fuel of the mix, or enum quantity */
	double scale;     /* of a quantity */
	const char *text; /* of C_TEXT */
};

static const struct column regional[] = {
	{ "datetime", C_TIME, 0, 0, NULL },
	{ "North Scotland", C_REGION, 0, 0, NULL },
	{ "South Scotland", C_REGION, 1, 0, NULL },
	{ "North West England", C_REGION, 2, 0, NULL },
	{ "North East England", C_REGION, 3, 0, NULL },
	{ "Yorkshire", C_REGION, 4, 0, NULL },
	{ "North Wales and Merseyside", C_REGION, 5, 0, NULL },
	{ "South Wales", C_REGION, 6, 0, NULL },
	{ "West Midlands", C_REGION, 7, 0, NULL },
	{ "East Midlands", C_REGION, 8, 0, NULL },
	{ "East England", C_REGION, 9, 0, NULL },
	{ "South West England", C_REGION, 10, 0, NULL },
	{ "South England", C_REGION, 11, 0, NULL },
	{ "London", C_REGION, 12, 0, NULL },
	{ "South East England", C_REGION, 13, 0, NULL },
	{ NULL },
};
static const struct column national[] = {
	{ "datetime", C_TIME, 0, 0, NULL },
	{ "actual", C_VALUE, Q_CARBON, 1, NULL },
	{ "forecast", C_VALUE, Q_CARBON, 1, NULL },
	{ "index", C_TEXT, 0, 0, "moderate" },
	{ NULL },
};
static const struct column embedded[] = {
	{ "DATE_GMT", C_DATE, 0, 0, NULL },
	{ "TIME_GMT", C_CLOCK, 0, 0, NULL },
	{ "SETTLEMENT_DATE", C_SETTLEMENT_DATE, 0, 0, NULL },
	{ "SETTLEMENT_PERIOD", C_SETTLEMENT_PERIOD, 0, 0, NULL },
	{ "EMBEDDED_WIND_FORECAST", C_VALUE, Q_WIND, 0.2, NULL },
	{ "EMBEDDED_WIND_CAPACITY", C_TEXT, 0, 0, "6417" },
	{ "EMBEDDED_SOLAR_FORECAST", C_VALUE, Q_SOLAR, 1, NULL },
	{ "EMBEDDED_SOLAR_CAPACITY", C_TEXT, 0, 0, "23301" },
	{ NULL },
};
static const struct column demand_update[] = {
	{ "SETTLEMENT_DATE", C_SETTLEMENT_DATE, 0, 0, NULL },
	{ "SETTLEMENT_PERIOD", C_SETTLEMENT_PERIOD, 0, 0, NULL },
	{ "ND", C_VALUE, Q_DEMAND, 1, NULL },
	{ "FORECAST_ACTUAL_INDICATOR", C_TEXT, 0, 0, "A" },
	{ "TSD", C_VALUE, Q_DEMAND, 1.02, NULL },
	{ NULL },
};
static const struct column demand_forecast[] = {
	{ "GDATETIME", C_TIME, 0, 0, NULL },
	{ "NATIONALDEMAND", C_VALUE, Q_DEMAND, 1, NULL },
	{ "SETTLEMENT_DATE", C_SETTLEMENT_DATE, 0, 0, NULL },
	{ "SETTLEMENT_PERIOD", C_SETTLEMENT_PERIOD, 0, 0, NULL },
	{ NULL },
};
static const struct column historic_mix[] = {
	{ "DATETIME", C_TIME, 0, 0, NULL },
	{ "GAS", C_FUEL, MIX_GAS, 0, NULL },
	{ "COAL", C_FUEL, MIX_COAL, 0, NULL },
	{ "NUCLEAR", C_FUEL, MIX_NUCLEAR, 0, NULL },
	{ "WIND", C_FUEL, MIX_WIND, 0, NULL },
	{ "WIND_EMB", C_TEXT, 0, 0, "0" },
	{ "HYDRO", C_FUEL, MIX_HYDRO, 0, NULL },
	{ "IMPORTS", C_TEXT, 0, 0, "0" },
	{ "BIOMASS", C_TEXT, 0, 0, "0" },
	{ "OTHER", C_TEXT, 0, 0, "0" },
	{ "SOLAR", C_FUEL, MIX_SOLAR, 0, NULL },
	{ "STORAGE", C_TEXT, 0, 0, "0" },
	{ "CARBON_INTENSITY", C_VALUE, Q_CARBON, 1, NULL },
	{ NULL },
};
static const struct column flexibility[] = {
	{ "DFS Unit ID", C_TEXT, 0, 0, "UNIT-1" },
	{ "Registered DFS Participant", C_TEXT, 0, 0, "Illustrative" },
	{ "Delivery Date", C_SETTLEMENT_DATE, 0, 0, NULL },
	{ "From_Local", C_LOCAL_CLOCK, 0, 0, NULL },
	{ "DFS Procured MW", C_TEXT, 0, 0, "10" },
	{ "Utilisation Price GBP per MWh", C_VALUE, Q_SYSTEM_PRICE, 1, NULL },
	{ "Status", C_TEXT, 0, 0, "Accepted" },
	{ NULL },
};
static const struct column auction[] = {
	{ "auctionID", C_TEXT, 0, 0, "1" },
	{ "auctionProduct", C_TEXT, 0, 0, "DCL" },
	{ "serviceType", C_TEXT, 0, 0, "Response" },
	{ "deliveryStart", C_TIME, 0, 0, NULL },
	{ "deliveryEnd", C_END, 0, 0, NULL },
	{ "clearedVolume", C_TEXT, 0, 0, "500" },
	{ "clearingPrice", C_VALUE, Q_WHOLESALE, 0.05, NULL },
	{ NULL },
};

/* `ahead`: a forecast, else what was measured. The format decides about marks and line ends. */
static const struct resource {
	const char *package, *name, *id, *file;
	const struct column *columns;
	bool ahead, end_labelled, bom, crlf;
	int64_t step_ms;
} resources[] = {
	{ "regional-carbon-intensity-forecast", "Regional Carbon Intensity Forecast",
	  "c16b0e19-c02a-44a8-ba05-4db2c0545a2a", "regional_carbon_intensity.csv", regional, true, false, false, true,
	  SLOT_MS },
	{ "national-carbon-intensity-forecast", "National Carbon Intensity Forecast",
	  "0e5fde43-2de7-4fb4-833d-c7bca3b658b0", "national_carbon_intensity.csv", national, true, false, true, true,
	  SLOT_MS },
	{ "embedded-wind-and-solar-forecasts", "Embedded Solar and Wind Forecast",
	  "db6c038f-98af-4570-ab60-24d71ebd0ae5", "embedded_forecast.csv", embedded, true, true, false, false,
	  SLOT_MS },
	{ "daily-demand-update", "Demand Data Update", "177f6fa4-ae49-4182-81ea-0c6b35f26ca6", "demanddata.csv",
	  demand_update, false, false, false, true, SLOT_MS },
	{ "2-14-days-ahead-national-demand-forecast", "2-14 Days Ahead Half Hourly Forecast",
	  "7c0411cd-2714-4bb5-a408-adb065edf34d", "ng-demand-14da-hh.csv", demand_forecast, true, true, false, true,
	  SLOT_MS },
	{ "historic-generation-mix", "Historic GB Generation Mix", "f93d1835-75bc-43e5-84ad-12472b180a98",
	  "df_fuel_ckan.csv", historic_mix, false, false, false, false, SLOT_MS },
	{ "demand-flexibility", "DFS Utilisation Report", "cc36fff5-5f6f-4fde-8932-c935d982ecd8", "dfs_utilisation.csv",
	  flexibility, false, false, true, true, SLOT_MS },
	{ "eac-auction-results", "NESO Response-Reserve Results Summary", "596f29ac-0387-4ba4-a6d3-95c243140707",
	  "results_summary.csv", auction, false, false, false, false, 4 * HOUR_MS },
};

static bool contains(struct str text, const char *word)
{
	return memmem(text.ptr, text.len, word, strlen(word)) != NULL;
}

static int64_t end_of(const struct request *req, const struct resource *r)
{
	return r->ahead ? req->now_ms + 14 * DAY_MS : series_measured_ms(req);
}

static struct point cell_point(const struct request *req, const struct column *c, int64_t ms)
{
	struct point p;

	if (c->kind == C_REGION)
		return region_point(req, c->arg, ms);
	if (c->kind == C_FUEL) {
		int mix[MIX_FUELS];

		mix_at(req, ms, mix);
		p = series_point(req, Q_DEMAND, ms, c->arg);
		p.value *= mix[c->arg] / 1000.0;
		return p;
	}
	p = series_point(req, (enum quantity)c->arg, ms, 0);
	/* The national file keeps the column of actuals empty ahead. */
	if (cstr_eq(c->name, "actual") && ms >= series_measured_ms(req))
		p.state = POINT_NULL;
	p.value *= c->scale;
	return p;
}

static const char *cell(const struct request *req, const struct resource *r, const struct column *c, int64_t ms,
			char out[TIME_TEXT])
{
	int64_t label = series_label(req, ms) + (r->end_labelled ? r->step_ms : 0);
	char date[DATE_TEXT];

	switch (c->kind) {
	case C_TIME:
		return naive_text(label, out);
	case C_END:
		return naive_text(series_label(req, ms) + r->step_ms, out);
	case C_LOCAL_CLOCK:
		label += tz_offset_s(req->replay->london, label) * SECOND_MS;
		/* fallthrough */
	case C_CLOCK:
		(void)snprintf(out, TIME_TEXT, "%02d:%02d", (int)(label % DAY_MS / HOUR_MS),
			       (int)(label % HOUR_MS / MINUTE_MS));
		return out;
	case C_DATE:
		(void)date_text(label, out);
		(void)str_copy(out + 10, TIME_TEXT - 10, STR("T00:00:00"));
		return out;
	case C_SETTLEMENT_DATE:
		(void)settlement_of(req, series_label(req, ms), out);
		(void)str_copy(out + 10, TIME_TEXT - 10, r->columns == flexibility ? STR("") : STR("T00:00:00"));
		return out;
	case C_SETTLEMENT_PERIOD:
		(void)snprintf(out, TIME_TEXT, "%d", settlement_of(req, series_label(req, ms), date));
		return out;
	case C_REGION:
	case C_FUEL:
	case C_VALUE:
		return point_text(cell_point(req, c, ms), c->kind == C_REGION ? 0 : 2, out);
	default:
		return c->text;
	}
}

static const char *column_name(const struct request *req, const struct column *c)
{
	/* Regions that were renamed. */
	return req->fault[FAULT_MAPPING] && c->kind == C_REGION ? "Elsewhere" : c->name;
}

static bool has_row(const struct request *req, const struct resource *r, int64_t ms)
{
	return (r->columns == regional ? region_point(req, 0, ms) : series_point(req, Q_DEMAND, ms, 0)).state !=
	       POINT_NONE;
}

static void put_csv(struct request *req, const struct resource *r)
{
	struct span s = series_span(req, INT64_MIN / 4, end_of(req, r), r->step_ms);
	const char *end = r->crlf ? "\r\n" : "\n";
	char text[TIME_TEXT];

	if (r->bom)
		(void)buf_adds(req->out, "\xef\xbb\xbf");
	for (const struct column *c = r->columns; c->name; c++)
		(void)buf_addf(req->out, "%s%s", c == r->columns ? "" : ",", column_name(req, c));
	(void)buf_addf(req->out, "%s%s", req->fault[FAULT_SCHEMA] ? ",SURPRISE" : "", end);
	for (int64_t t = s.from_ms; t < s.to_ms; t += s.step_ms) {
		if (!has_row(req, r, t))
			continue;
		for (const struct column *c = r->columns; c->name; c++)
			(void)buf_addf(req->out, "%s%s", c == r->columns ? "" : ",", cell(req, r, c, t, text));
		(void)buf_addf(req->out, "%s%s", req->fault[FAULT_SCHEMA] ? ",?" : "", end);
	}
}

static int ckan_error(struct request *req, int status, const char *type, const char *message)
{
	struct json_writer w = json_writer(req->out);

	jw_object(&w, NULL);
	jw_bool(&w, "success", false);
	jw_object(&w, "error");
	jw_string(&w, "__type", type);
	jw_string(&w, "message", message);
	jw_end_object(&w);
	jw_end_object(&w);
	return status;
}

static const char *host_of(const struct request *req)
{
	const char *host = http_header(req->x, "host");

	return host ? host : "localhost";
}

static void put_resource(struct json_writer *w, const char *key, const struct request *req, const struct resource *r,
			 const char *name)
{
	char text[TIME_TEXT];

	jw_object(w, key);
	jw_string(w, "id", r->id);
	jw_string(w, "name", name);
	jw_string(w, "format", "CSV");
	jw_stringf(w, "url", "http://%s/dataset/%s/resource/%s/download/%s", host_of(req), r->package, r->id, r->file);
	jw_string(w, "last_modified", naive_text(series_measured_ms(req), text));
	jw_bool(w, "datastore_active", true);
	jw_surprise(w, req);
	jw_end_object(w);
}

/* Besides what is wanted: archives and definitions of similar names, which must not be taken. */
static int package_show(struct request *req)
{
	const char *id = param_text(req, "id", "");
	struct json_writer w = json_writer(req->out);
	bool found = false;

	jw_object(&w, NULL);
	jw_bool(&w, "success", true);
	jw_object(&w, "result");
	jw_string(&w, "name", id);
	jw_string(&w, "license_title", "NESO Open Data Licence");
	jw_string(&w, "notes", REPLAY_NOTICE);
	jw_array(&w, "resources");
	for (size_t i = 0; i < ARRAY_LEN(resources); i++) {
		struct resource other = resources[i];

		if (!cstr_eq(id, resources[i].package))
			continue;
		other.id = "00000000-0000-0000-0000-000000000000";
		other.file = "archive.csv";
		put_resource(&w, NULL, req, &other, "Archive");
		put_resource(&w, NULL, req, &resources[i], resources[i].name);
		found = true;
	}
	jw_end_array(&w);
	jw_end_object(&w);
	jw_end_object(&w);
	if (found)
		return 200;
	buf_reset(req->out);
	return ckan_error(req, 404, "Not Found Error", "Not found");
}

static const struct resource *resource_of(const char *id)
{
	for (size_t i = 0; i < ARRAY_LEN(resources); i++)
		if (cstr_eq(id, resources[i].id))
			return &resources[i];
	return NULL;
}

static int no_resource(struct request *req)
{
	return ckan_error(req, 404, "Not Found Error", "Not found: Resource was not found.");
}

static int resource_show(struct request *req)
{
	const struct resource *r = resource_of(param_text(req, "id", ""));
	struct json_writer w = json_writer(req->out);

	if (!r)
		return no_resource(req);
	jw_object(&w, NULL);
	jw_bool(&w, "success", true);
	put_resource(&w, "result", req, r, r->name);
	jw_end_object(&w);
	return 200;
}

static void put_record(struct json_writer *w, const struct request *req, const struct resource *r, int64_t ms)
{
	char text[TIME_TEXT];

	jw_object(w, NULL);
	jw_i64(w, "_id", recording_slot(&req->replay->rec, ms) + 1);
	for (const struct column *c = r->columns; c->name; c++)
		if (c->kind == C_REGION || c->kind == C_FUEL || c->kind == C_VALUE)
			jw_point(w, req, column_name(req, c), cell_point(req, c, ms), 2);
		else
			jw_string(w, c->name, cell(req, r, c, ms, text));
	jw_surprise(w, req);
	jw_end_object(w);
}

static int datastore_search(struct request *req)
{
	const struct resource *r = resource_of(param_text(req, "resource_id", ""));
	struct json_writer w = json_writer(req->out);
	bool newest = str_has_suffix(str_from(param_text(req, "sort", "")), STR(" desc"));
	int64_t limit = 100, offset = 0, n = 0, last;
	struct span s;

	if (!r)
		return no_resource(req);
	(void)str_to_i64(str_from(param_text(req, "limit", "100")), 1, MAX_PAGE, &limit);
	(void)str_to_i64(str_from(param_text(req, "offset", "0")), 0, INT32_MAX, &offset);
	if (req->fault[FAULT_PAGES] && offset > 0)
		offset--;
	s = series_span(req, INT64_MIN / 4, end_of(req, r), r->step_ms);
	last = (s.to_ms - 1 - s.from_ms) / s.step_ms;
	jw_object(&w, NULL);
	jw_bool(&w, "success", true);
	jw_object(&w, "result");
	jw_string(&w, "resource_id", r->id);
	jw_array(&w, "records");
	for (int64_t i = 0; s.from_ms + i * s.step_ms < s.to_ms; i++) {
		/* Newest first where that was asked for. */
		int64_t t = newest ? s.from_ms + (last - i) * s.step_ms : s.from_ms + i * s.step_ms;

		if (!has_row(req, r, t))
			continue;
		if (n >= offset && n < offset + limit)
			put_record(&w, req, r, t);
		n++;
	}
	jw_end_array(&w);
	jw_i64(&w, "total", n);
	jw_end_object(&w);
	jw_end_object(&w);
	return 200;
}

/* /api/3/action/{package_show?id | resource_show?id | datastore_search?resource_id} */
int neso_action(struct request *req)
{
	if (req->n_path == 4 && str_is(req->path[3], "package_show"))
		return package_show(req);
	if (req->n_path == 4 && str_is(req->path[3], "resource_show"))
		return resource_show(req);
	if (req->n_path == 4 && str_is(req->path[3], "datastore_search"))
		return datastore_search(req);
	return ckan_error(req, 404, "Not Found Error", "Action name not known");
}

/* /dataset/{package}/resource/{id}/download/{file}: off to where the file lies. */
int neso_download(struct request *req)
{
	const char *host = host_of(req), *port = strrchr(host, ':');
	char where[256];

	(void)snprintf(where, sizeof(where), "http://%s%s/presigned/%.*s?X-Amz-Expires=60&X-Amz-Signature=0a%%2Fb",
		       req->replay->download, port ? port : "", (int)MIN(req->path[req->n_path - 1].len, 60),
		       req->path[req->n_path - 1].ptr);
	http_reply_header(req->x, "Location", where);
	req->type = "text/html";
	return 302;
}

/* /presigned/{file}: only with the query as it was signed. */
int neso_object(struct request *req)
{
	if (!cstr_eq(http_query(req->x), "X-Amz-Expires=60&X-Amz-Signature=0a%2Fb")) {
		req->type = "application/xml";
		(void)buf_adds(req->out, "<Error><Code>SignatureDoesNotMatch</Code></Error>");
		return 403;
	}
	for (size_t i = 0; i < ARRAY_LEN(resources); i++)
		if (contains(req->path[req->n_path - 1], resources[i].file)) {
			req->type = "text/csv";
			put_csv(req, &resources[i]);
			return 200;
		}
	return ckan_error(req, 404, "Not Found Error", "no such object");
}
