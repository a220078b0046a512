/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that read: JSON of the read API as tables. */
#include "base/alloc.h"
#include "base/decimal.h"
#include "base/clock.h"
#include "carbon.h"

#define CHART_WIDTH 40
#define MAX_SLOTS 700
#define MAX_PATH 512
#define UNIT_TEXT 24

/* ---- one question ---- */

static int ask(const struct options *o, const char *path, struct buf *body, struct json **ret, struct error *err)
{
	_cleanup_(api_release) struct api a = { 0 };

	if (api_open(o, &a, err) || api_get(&a, path, body, err) || json_parse(buf_str(body), ret, err))
		return -1;
	return 0;
}

/* Asks, and either passes the JSON on as it is or shows it. */
static int show(const struct options *o, const char *path, void (*print)(const struct json *doc, struct table *t),
		struct error *err)
{
	_cleanup_(buf_release) struct buf body = BUF_INIT(MAX_ANSWER);
	_cleanup_(json_cleanup) struct json *doc = NULL;
	_cleanup_(cleanup_table) struct table *t = table_new();

	if (ask(o, path, &body, &doc, err))
		return -1;
	if (o->output == OUTPUT_JSON) {
		(void)printf("%.*s\n", STR_FMT(buf_str(&body)));
		return 0;
	}
	print(doc, t);
	table_print(t, stdout);
	return 0;
}

static void header(struct table *t, const char *const *names)
{
	for (; *names; names++)
		table_add(t, *names);
	table_end_row(t);
}
#define HEADER(t, ...) header(t, (const char *const[]){ __VA_ARGS__, NULL })

/* ---- cells ---- */

static const char *text(const struct json *o, const char *key)
{
	return json_string(json_get(o, key));
}

/* value / 10^scale with so many places, and the unit. */
static void add_number(struct table *t, const struct json *value, int scale, int places, const char *unit)
{
	char number[DECIMAL_TEXT];
	int64_t i;

	if (json_i64(value, &i))
		table_addf(t, "%s%s", decimal_format_fixed(i, scale, places, number), unit);
	else
		table_add(t, NULL);
}

/* GBP in pence, as its tariffs are written; others in their unit. The scale of the micros in that unit. */
static int price_unit(const char *currency, char unit[UNIT_TEXT])
{
	bool pence = cstr_eq(currency, "GBP");

	(void)snprintf(unit, UNIT_TEXT, "%.8s/kWh", pence ? "p" : currency ? currency : "");
	return pence ? 4 : 6;
}

static void add_price(struct table *t, const struct json *micros, const char *currency)
{
	char unit[UNIT_TEXT], blank_unit[UNIT_TEXT + 1];
	int scale = price_unit(currency, unit);

	(void)snprintf(blank_unit, sizeof(blank_unit), " %s", unit);
	add_number(t, micros, scale, scale == 4 ? 2 : 4, blank_unit);
}

static void add_bool(struct table *t, const struct json *o, const char *key)
{
	bool value;

	table_add(t, !json_bool(json_get(o, key), &value) ? NULL : value ? "yes" : "no");
}

static void add_age(struct table *t, const struct json *o, const char *key, int64_t now_ms)
{
	char age[TIME_TEXT];
	int64_t ms;

	if (json_time(json_get(o, key), &ms) && now_ms != TIME_NONE)
		table_add(t, time_format_duration(MAX(now_ms - ms, 0), age));
	else
		table_add(t, NULL);
}

/* ---- commands ---- */

static void print_regions(const struct json *doc, struct table *t)
{
	HEADER(t, "NAME", "CARBON NOW", "PRICE NOW", "RENEWABLE", "STRESS", "KNOWN UNTIL", "FRESH");
	json_each (r, json_get(doc, "regions")) {
		table_add(t, text(r, "name"));
		add_number(t, json_get(r, "carbonMilligramsPerKWh"), 3, 0, " g/kWh");
		add_price(t, json_get(r, "pricePerKWhMicros"), text(r, "currency"));
		add_number(t, json_get(r, "renewablePerMille"), 1, 0, " %");
		add_number(t, json_get(r, "stressPerMille"), 1, 0, " %");
		table_add(t, text(r, "knownUntilTime"));
		add_bool(t, r, "fresh");
		table_end_row(t);
	}
}

int show_regions(const struct options *o, char **arguments, int n, struct error *err)
{
	(void)arguments, (void)n;
	return show(o, "/regions", print_regions, err);
}

static void print_freshness(const struct json *doc, struct table *t)
{
	int64_t now_ms = TIME_NONE;

	(void)json_time(json_get(doc, "time"), &now_ms);
	HEADER(t, "REGION", "METRIC", "PROVIDER", "USE", "ISSUED", "ISSUED AGO", "FETCHED AGO", "CONFIDENCE");
	json_each (r, json_get(doc, "regions"))
		json_each (s, json_get(r, "sources")) {
			/* Mix and stress go by what was issued with others. */
			if (!text(s, "issuedTime"))
				continue;
			table_add(t, text(r, "name"));
			table_add(t, text(s, "metric"));
			table_add(t, text(s, "provider"));
			table_add(t, text(s, "use"));
			table_add(t, text(s, "issuedTime"));
			add_age(t, s, "issuedTime", now_ms);
			add_age(t, s, "fetchedTime", now_ms);
			add_number(t, json_get(s, "confidencePerMille"), 1, 0, " %");
			table_end_row(t);
		}
}

int show_freshness(const struct options *o, char **arguments, int n, struct error *err)
{
	(void)arguments, (void)n;
	return show(o, "/regions", print_freshness, err);
}

static void add_provider(struct table *t, const struct json *p, int64_t now_ms)
{
	const struct json *last = json_first(json_get(p, "attempts"));

	table_add(t, text(p, "name"));
	add_bool(t, p, "wanted");
	table_add(t, text(p, "circuit"));
	add_age(t, p, "lastGoodTime", now_ms);
	table_add(t, text(last, "result"));
	add_bool(t, p, "exportable");
	table_add(t, text(p, "licence"));
	table_add(t, text(p, "off"));
	table_end_row(t);
}

/* Those in use first. */
static void print_providers(const struct json *doc, struct table *t)
{
	int64_t now_ms = TIME_NONE;

	(void)json_time(json_get(doc, "time"), &now_ms);
	HEADER(t, "NAME", "USED", "CIRCUIT", "GOOD AGO", "LAST RESULT", "EXPORT", "LICENCE", "OFF");
	for (int used = 1; used >= 0; used--)
		json_each (p, json_get(doc, "providers")) {
			bool wanted = false;

			(void)json_bool(json_get(p, "wanted"), &wanted);
			if (wanted == (used != 0))
				add_provider(t, p, now_ms);
		}
}

int show_providers(const struct options *o, char **arguments, int n, struct error *err)
{
	(void)arguments, (void)n;
	return show(o, "/providers", print_providers, err);
}

static void print_status(const struct json *doc, struct table *t)
{
	int64_t bytes = 0, queued = 0;

	(void)json_i64(json_get(doc, "sizeBytes"), &bytes);
	(void)json_i64(json_get(doc, "queued"), &queued);
	(void)fputs("database: ", stdout);
	print_text(stdout, text(doc, "kind") ? text(doc, "kind") : "-");
	(void)printf(", %.1f MB, %" PRId64 " pieces of work waiting\n\n", (double)bytes / 1e6, queued);
	HEADER(t, "TABLE", "ROWS", "OLDEST", "NEWEST");
	json_each (row, json_get(doc, "tables")) {
		table_add(t, text(row, "table"));
		add_number(t, json_get(row, "rows"), 0, 0, "");
		table_add(t, text(row, "oldestTime"));
		table_add(t, text(row, "newestTime"));
		table_end_row(t);
	}
}

int show_status(const struct options *o, char **arguments, int n, struct error *err)
{
	(void)arguments, (void)n;
	return show(o, "/data/status", print_status, err);
}

static void print_statistics(const struct json *doc, struct table *t)
{
	static const char *const lists[] = { "namespaces", "totals" };

	HEADER(t, "NAMESPACE", "JOBS", "FINISHED", "CARBON", "SAVED CARBON", "COST", "SAVED COST", "WORSE OFF");
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		json_each (g, json_get(doc, lists[i])) {
			double cost = 0, saved = 0;
			int64_t worse = 0;

			table_add(t, text(g, "namespace") ? text(g, "namespace") : "(all)");
			add_number(t, json_get(g, "jobs"), 0, 0, "");
			add_number(t, json_get(g, "finished"), 0, 0, "");
			add_number(t, json_get(g, "carbonMilligrams"), 6, 3, " kg");
			add_number(t, json_get(g, "savedCarbonMilligrams"), 6, 3, " kg");
			if (text(g, "currency") && json_double(json_get(g, "cost"), &cost) &&
			    json_double(json_get(g, "savedCost"), &saved)) {
				table_addf(t, "%.2f %s", cost, text(g, "currency"));
				table_addf(t, "%.2f %s", saved, text(g, "currency"));
			} else {
				table_add(t, NULL);
				table_add(t, NULL);
			}
			(void)json_i64(json_get(g, "jobsWithMoreCarbon"), &worse);
			table_addf(t, "%" PRId64, worse);
			table_end_row(t);
		}
}

static void query_namespace(const struct options *o, char path[MAX_PATH], const char *resource, const char *more)
{
	(void)snprintf(path, MAX_PATH, "%s?%s%s%s", resource, o->namespace ? "namespace=" : "",
		       o->namespace ? o->namespace : "", more);
}

static int check_namespace(const struct options *o, struct error *err)
{
	if (o->namespace && (!str_is_dns_name(str_from(o->namespace)) || strlen(o->namespace) > 63))
		return error_set(err, ERR_INVALID, "--namespace is not the name of one");
	return 0;
}

int show_statistics(const struct options *o, char **arguments, int n, struct error *err)
{
	char path[MAX_PATH];

	(void)arguments, (void)n;
	if (check_namespace(o, err))
		return -1;
	query_namespace(o, path, "/statistics", "");
	return show(o, path, print_statistics, err);
}

static void print_jobs(const struct json *doc, struct table *t)
{
	HEADER(t, "NAMESPACE", "NAME", "STATE", "REGION", "START", "LATEST START", "SAVED");
	json_each (j, json_get(doc, "jobs")) {
		table_add(t, text(j, "namespace"));
		table_add(t, text(j, "name"));
		table_add(t, text(j, "state"));
		table_add(t, text(j, "region"));
		table_add(t, text(j, "releasedTime") ? text(j, "releasedTime") : text(j, "estimatedStartTime"));
		table_add(t, text(j, "latestStartTime"));
		add_number(t, json_at(j, "savings.total.carbonMilligrams"), 3, 0, " g");
		table_end_row(t);
	}
	if (json_get(doc, "continue"))
		(void)fprintf(stderr, "there are more than 1000: -n NAMESPACE shows those of one namespace\n");
}

int show_jobs(const struct options *o, char **arguments, int n, struct error *err)
{
	char path[MAX_PATH];

	(void)arguments, (void)n;
	if (check_namespace(o, err))
		return -1;
	query_namespace(o, path, "/jobs", "&limit=1000");
	return show(o, path, print_jobs, err);
}

/* ---- forecast ---- */

struct column {
	int n;
	const struct json *values[MAX_SLOTS];
};

static void read_column(const struct json *doc, const char *key, struct column *ret)
{
	ret->n = 0;
	json_each (item, json_get(doc, key))
		if (ret->n < MAX_SLOTS)
			ret->values[ret->n++] = item;
}

static const struct json *at(const struct column *c, int i)
{
	return i < c->n ? c->values[i] : NULL;
}

static int64_t most(const struct column *c)
{
	int64_t max = 1, value;

	for (int i = 0; i < c->n; i++)
		if (json_i64(c->values[i], &value))
			max = MAX(max, value);
	return max;
}

static void add_bar(struct table *t, const struct json *value, int64_t max)
{
	char bar[CHART_WIDTH + 1] = "";
	int64_t v;

	if (json_i64(value, &v) && v >= 0) {
		int n = (int)(v >= max ? CHART_WIDTH : i64_mul_div(v, CHART_WIDTH, max));

		memset(bar, '#', (size_t)n);
		table_add(t, n ? bar : "|");
	} else {
		table_add(t, "?");
	}
}

/* Where the lowest value begins, and what it is: value / 10^scale with so many places, and the unit. */
static void print_lowest(const struct column *c, int64_t start_ms, int64_t slot_ms, const char *what, int scale,
			 int places, const char *unit)
{
	char when[TIME_TEXT], number[DECIMAL_TEXT];
	int64_t best = INT64_MAX, value;
	int place = -1;

	for (int i = 0; i < c->n; i++)
		if (json_i64(c->values[i], &value) && value < best) {
			best = value;
			place = i;
		}
	if (place >= 0)
		(void)printf("%s: %s, %s %s\n", what, time_format(start_ms + place * slot_ms, when),
			     decimal_format_fixed(best, scale, places, number), unit);
}

/* Whose data these are; one name may stand for several figures. */
static void print_attributions(const struct json *sources)
{
	json_each (s, sources) {
		const char *name = text(s, "attribution") ? text(s, "attribution") : text(s, "provider");
		bool told = false;

		json_each (before, sources) {
			if (before == s)
				break;
			told |= cstr_eq(name, text(before, "attribution") ? text(before, "attribution")
									  : text(before, "provider"));
		}
		if (told || !name)
			continue;
		(void)fputs("data: ", stdout);
		print_text(stdout, name);
		(void)fputc('\n', stdout);
	}
}

/* p10 to p90, in the same unit as the column before. */
static void add_range(struct table *t, const struct json *low, const struct json *high)
{
	char a[DECIMAL_TEXT], b[DECIMAL_TEXT];
	int64_t x, y;

	if (json_i64(low, &x) && json_i64(high, &y))
		table_addf(t, "%s - %s", decimal_format_fixed(x, 3, 0, a), decimal_format_fixed(y, 3, 0, b));
	else
		table_add(t, NULL);
}

/* What is behind the end of what is published, or why nothing is; and how far off it all is. */
static void print_own(const struct json *doc)
{
	const char *message = text(json_get(doc, "ownForecast"), "message");
	char number[DECIMAL_TEXT];
	int64_t error;

	if (json_i64(json_get(doc, "carbonErrorMilligramsPerKWh"), &error))
		(void)printf("mean error of the first day: %s g/kWh\n", decimal_format_fixed(error, 3, 1, number));
	if (!message)
		return;
	(void)fputs("own forecast: ", stdout);
	print_text(stdout, message);
	(void)fputc('\n', stdout);
}

static void print_forecast(const struct json *doc, struct table *t)
{
	struct column carbon, low, high, price, renewable;
	int64_t start_ms = 0, slot_s = SLOT_MS / SECOND_MS, max;
	char when[TIME_TEXT], unit[UNIT_TEXT];
	int scale;

	(void)json_time(json_get(doc, "startTime"), &start_ms);
	if (!json_i64(json_get(doc, "slotSeconds"), &slot_s) || slot_s < 1 || slot_s > DAY_MS)
		slot_s = SLOT_MS / SECOND_MS;
	read_column(doc, "carbonP50MilligramsPerKWh", &carbon);
	read_column(doc, "carbonP10MilligramsPerKWh", &low);
	read_column(doc, "carbonP90MilligramsPerKWh", &high);
	read_column(doc, "priceP50PerKWhMicros", &price);
	read_column(doc, "renewablePerMille", &renewable);
	max = most(&carbon);
	HEADER(t, "FROM", "CARBON", "P10 - P90", "PRICE", "RENEWABLE", "CARBON CHART");
	for (int i = 0; i < MAX(carbon.n, price.n); i++) {
		table_add(t, time_format(start_ms + i * slot_s * SECOND_MS, when));
		add_number(t, at(&carbon, i), 3, 0, " g/kWh");
		add_range(t, at(&low, i), at(&high, i));
		add_price(t, at(&price, i), text(doc, "currency"));
		add_number(t, at(&renewable, i), 1, 0, " %");
		add_bar(t, at(&carbon, i), max);
		table_end_row(t);
	}
	print_lowest(&carbon, start_ms, slot_s * SECOND_MS, "cleanest", 3, 0, "g/kWh");
	scale = price_unit(text(doc, "currency"), unit);
	print_lowest(&price, start_ms, slot_s * SECOND_MS, "cheapest", scale, scale == 4 ? 2 : 4, unit);
	print_own(doc);
	print_attributions(json_get(doc, "sources"));
	(void)fputc('\n', stdout);
}

int show_forecast(const struct options *o, char **arguments, int n, struct error *err)
{
	char path[MAX_PATH];

	if (n != 1)
		return error_set(err, ERR_INVALID, "forecast takes one region: kubectl carbon forecast london");
	if (!str_is_dns_name(str_from(arguments[0])))
		return error_set(err, ERR_INVALID, "\"%.60s\" is not the name of a region: kubectl carbon regions",
				 arguments[0]);
	(void)snprintf(path, sizeof(path), "/regions/%s/forecast?hours=%" PRId64, arguments[0], o->hours);
	return show(o, path, print_forecast, err);
}

static void add_error(struct table *t, const struct json *value, const char *metric)
{
	if (cstr_eq(metric, "carbon"))
		add_number(t, value, 3, 1, " g/kWh");
	else
		add_number(t, value, 6, 4, " /kWh");
}

static void print_scores(const struct json *doc, struct table *t)
{
	HEADER(t, "REGION", "METRIC", "DAY", "SOURCE", "ISSUES", "MEAN ERROR", "RELATIVE", "PINBALL", "COVERED");
	json_each (r, json_get(doc, "rows")) {
		table_add(t, text(r, "region"));
		table_add(t, text(r, "metric"));
		add_number(t, json_get(r, "leadDay"), 0, 0, "");
		table_add(t, text(r, "source"));
		add_number(t, json_get(r, "issues"), 0, 0, "");
		add_error(t, json_get(r, "meanAbsoluteError"), text(r, "metric"));
		add_number(t, json_get(r, "meanAbsolutePerMille"), 1, 0, " %");
		add_error(t, json_get(r, "pinballLoss"), text(r, "metric"));
		add_number(t, json_get(r, "coveredPerMille"), 1, 0, " %");
		table_end_row(t);
	}
}

int show_scores(const struct options *o, char **arguments, int n, struct error *err)
{
	char path[MAX_PATH];

	if (n > 1)
		return error_set(err, ERR_INVALID, "forecast score takes one region, or none for all");
	if (n == 1 && !str_is_dns_name(str_from(arguments[0])))
		return error_set(err, ERR_INVALID, "\"%.60s\" is not the name of a region: kubectl carbon regions",
				 arguments[0]);
	(void)snprintf(path, sizeof(path), "/forecast-scores?limit=1000%s%s", n ? "&region=" : "",
		       n ? arguments[0] : "");
	return show(o, path, print_scores, err);
}

static void print_workload(const struct json *doc, struct table *t)
{
	struct column planned, low, middle, high;
	int64_t start_ms = 0, max;
	char when[TIME_TEXT];

	(void)json_time(json_get(doc, "startTime"), &start_ms);
	read_column(doc, "plannedMilliwatts", &planned);
	read_column(doc, "expectedP10Milliwatts", &low);
	read_column(doc, "expectedP50Milliwatts", &middle);
	read_column(doc, "expectedP90Milliwatts", &high);
	max = most(&planned);
	HEADER(t, "FROM", "PLANNED", "EXPECTED", "P10", "P90", "PLANNED CHART");
	for (int i = 0; i < planned.n; i++) {
		table_add(t, time_format(start_ms + i * SLOT_MS, when));
		add_number(t, at(&planned, i), 6, 3, " kW");
		add_number(t, at(&middle, i), 6, 3, " kW");
		add_number(t, at(&low, i), 6, 3, " kW");
		add_number(t, at(&high, i), 6, 3, " kW");
		add_bar(t, at(&planned, i), max);
		table_end_row(t);
	}
	if (planned.n && !middle.n)
		(void)puts("expected: not known: that needs the runs of a week in the operator's database\n");
}

int show_workload(const struct options *o, char **arguments, int n, struct error *err)
{
	char path[MAX_PATH], more[32];

	(void)arguments, (void)n;
	if (check_namespace(o, err))
		return -1;
	(void)snprintf(more, sizeof(more), "%shours=%" PRId64, o->namespace ? "&" : "", o->hours);
	query_namespace(o, path, "/workload-forecast", more);
	return show(o, path, print_workload, err);
}
