/* SPDX-License-Identifier: Apache-2.0 */
/* data import and data export: CSV to and from a database, past the operator. */
#include "base/clock.h"
#include "carbon.h"
#include "db/migrate.h"
#include "grid/history_csv.h"

#define BAR_WIDTH 30
#define EVERY_MS 100

static int open_db(const struct options *o, struct db **ret, struct error *err)
{
	_cleanup_(cleanup_db_close) struct db *db = NULL;

	if (!o->db_url)
		return error_set(err, ERR_INVALID,
				 "--db must name the database: sqlite:///path/loadshift.db or "
				 "postgresql://user@host/name");
	if (db_open(o->db_url, &db, err) || db_migrate(db, NULL, err))
		return error_wrap(err, "--db");
	*ret = db;
	db = NULL;
	return 0;
}

/* ---- progress, on a terminal only ---- */

struct progress {
	const char *name;
	const struct csv *csv; /* NULL: there is no whole to be a part of */
	int64_t shown_ms;
	bool on;
};

static void show_progress(void *arg, int64_t n)
{
	struct progress *p = arg;
	double part = p->csv ? csv_read_fraction(p->csv) : 0;
	int64_t now_ms = clock_mono_ms();
	char bar[BAR_WIDTH + 1];

	if (!p->on || now_ms - p->shown_ms < EVERY_MS)
		return;
	p->shown_ms = now_ms;
	(void)fputs("\r", stderr);
	print_text(stderr, p->name);
	if (part > 0) {
		memset(bar, '.', BAR_WIDTH);
		memset(bar, '#', (size_t)(part * BAR_WIDTH));
		bar[BAR_WIDTH] = '\0';
		(void)fprintf(stderr, " [%s] %3d %%", bar, (int)(part * 100));
	}
	(void)fprintf(stderr, " %" PRId64 " values", n);
	(void)fflush(stderr);
}

static void end_progress(const struct progress *p)
{
	if (p->on)
		(void)fputs("\r\033[K", stderr);
}

/* ---- import ---- */

static void list_shapes(void)
{
	for (const struct history_shape *s = history_shapes; s->name; s++)
		(void)printf("%-18s %s%s\n", s->name, s->summary, s->zone || s->wide ? "" : " (needs --zone)");
	(void)printf("%-18s %s\n", "loadshift", "what data export writes");
	(void)printf("%-18s %s\n", "custom",
		     "--time COLUMN --value COLUMN --metric M --zone Z --provider P [--scale F] [--step 30m] "
		     "[--end-labelled] [--kind actual]");
}

static int custom_shape(const struct options *o, struct history_shape *ret, struct error *err)
{
	struct history_shape s = { .name = "custom",
				   .time_column = o->time_column,
				   .end_labelled = o->end_labelled,
				   .step_ms = o->step_ms,
				   .provider = o->provider,
				   .kind = GRID_KIND_ACTUAL };

	if (!o->time_column || !o->value_column || !o->metric || !o->zone || !o->provider)
		return error_set(err, ERR_INVALID,
				 "--shape custom needs --time, --value, --metric, --zone and --provider");
	s.values[0] = (struct history_value){ .column = o->value_column, .factor = 1 };
	if (!grid_metric_parse(o->metric, &s.values[0].metric))
		return error_set(err, ERR_INVALID,
				 "--metric: there is no \"%.60s\"; there are carbon, price, demand, ...", o->metric);
	if (o->kind && !grid_kind_parse(o->kind, &s.kind))
		return error_set(err, ERR_INVALID, "--kind must be actual, estimated or forecast");
	if (o->scale && (!str_to_double(str_from(o->scale), &s.values[0].factor) || s.values[0].factor == 0))
		return error_set(err, ERR_INVALID, "--scale must be a number other than 0, is \"%.60s\"", o->scale);
	*ret = s;
	return 0;
}

/* *ret NULL: an export of ours. */
static int choose_shape(const struct options *o, struct history_shape *own, const struct history_shape **ret,
			struct error *err)
{
	*ret = NULL;
	if (!o->shape)
		return error_set(err, ERR_INVALID, "--shape must say what the file looks like; --shape list shows all");
	if (strcmp(o->shape, "loadshift") == 0)
		return 0;
	*ret = own;
	if (strcmp(o->shape, "custom") == 0)
		return custom_shape(o, own, err);
	if (!history_shape_find(o->shape))
		return error_set(err, ERR_INVALID, "--shape: there is no \"%.60s\"; --shape list shows all", o->shape);
	*own = *history_shape_find(o->shape);
	if (o->provider) {
		if (!grid_provider_find(o->provider))
			return error_set(err, ERR_INVALID, "--provider: there is no \"%.60s\"", o->provider);
		own->provider = o->provider;
	}
	return 0;
}

static int import_file(const struct options *o, struct db *db, const struct history_shape *shape, const char *path,
		       struct error *err)
{
	bool is_stdin = strcmp(path, "-") == 0;
	_cleanup_(cleanup_csv) struct csv *csv = NULL;
	_cleanup_(cleanup_history_csv) struct history_csv *h = NULL;
	struct progress p = { .name = is_stdin ? "standard input" : path, .on = isatty(STDERR_FILENO) };
	int64_t n = 0;
	int result;

	if (str_has_suffix(str_from(path), STR(".xz")) || str_has_suffix(str_from(path), STR(".gz")))
		return error_set(err, ERR_INVALID, "%s is compressed: %s -dc %s | kubectl carbon data import ... -",
				 path, str_has_suffix(str_from(path), STR(".xz")) ? "xz" : "gzip", path);
	if (is_stdin ? csv_read(stdin, "standard input", &csv, err) : csv_open(path, &csv, err))
		return -1;
	p.csv = csv;
	if (history_csv_new(csv, shape, o->zone, clock_wall_ms(), &h, err))
		return error_wrap(err, "%s", p.name);
	result = history_import(db, h, show_progress, &p, &n, err);
	end_progress(&p);
	if (result)
		return error_wrap(err, "after %" PRId64 " values, which are in the database", n);
	print_text(stdout, p.name);
	(void)printf(": %" PRId64 " values, %" PRId64 " missing\n", n, history_csv_missing(h));
	return 0;
}

int run_import(const struct options *o, char **arguments, int n, struct error *err)
{
	_cleanup_(cleanup_db_close) struct db *db = NULL;
	const struct history_shape *shape;
	struct history_shape own;

	if (o->shape && strcmp(o->shape, "list") == 0) {
		list_shapes();
		return 0;
	}
	if (n == 0)
		return error_set(err, ERR_INVALID, "name the files, or - for standard input");
	if (choose_shape(o, &own, &shape, err) || open_db(o, &db, err))
		return -1;
	for (int i = 0; i < n; i++)
		if (import_file(o, db, shape, arguments[i], err))
			return -1;
	return 0;
}

/* ---- export ---- */

struct export
{
	int64_t n, left_out;
	const struct grid_provider *refused; /* the last whose values may not be passed on */
	struct progress progress;
};

static int export_sample(void *arg, const struct grid_sample *s)
{
	struct export *e = arg;
	const struct grid_provider *p = grid_provider_find(s->provider);

	/* One that this program does not know may have any licence. */
	if (!p || p->no_export) {
		e->left_out++;
		e->refused = p;
		return 0;
	}
	if (e->n++ == 0)
		history_csv_header(stdout);
	history_csv_write(stdout, s);
	if (e->n % HISTORY_CHUNK == 0)
		show_progress(&e->progress, e->n);
	return ferror(stdout) ? 1 : 0;
}

static int refuse(const struct grid_provider *p, struct error *err)
{
	return error_set(err, ERR_DENIED, "values of %s may be used and shown here, but not passed on (licence: %s)",
			 p ? p->name : "a provider that this version does not know",
			 p && p->licence ? p->licence : "not known");
}

static int check_export(const struct options *o, enum grid_metric *ret_metric, struct error *err)
{
	const struct grid_provider *p = o->provider ? grid_provider_find(o->provider) : NULL;

	if (!o->metric || !grid_metric_parse(o->metric, ret_metric))
		return error_set(err, ERR_INVALID, "--metric must be one of carbon, price, renewable, demand, ...");
	if (!o->zone || !str_is_dns_name(str_from(o->zone)))
		return error_set(err, ERR_INVALID, "--zone must name a zone as the database does: london, gb, de");
	if (o->provider && !p)
		return error_set(err, ERR_INVALID, "--provider: there is no \"%.60s\"", o->provider);
	if (p && p->no_export)
		return refuse(p, err);
	return 0;
}

int run_export(const struct options *o, char **arguments, int n, struct error *err)
{
	_cleanup_(cleanup_db_close) struct db *db = NULL;
	struct export e = { .progress = { .name = "export", .on = isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO) } };
	enum grid_metric metric;
	int stopped;

	(void)arguments, (void)n;
	if (check_export(o, &metric, err) || open_db(o, &db, err))
		return -1;
	stopped = grid_history_each(db, o->zone, metric, o->provider, o->from_ms == TIME_NONE ? 0 : o->from_ms,
				    o->to_ms == TIME_NONE ? INT64_MAX : o->to_ms, export_sample, &e, err);
	end_progress(&e.progress);
	if (stopped < 0)
		return -1;
	if (stopped > 0)
		return error_set(err, ERR_INTERNAL, "standard output could not be written");
	if (e.n == 0 && e.left_out)
		return refuse(e.refused, err);
	if (e.n == 0)
		return error_set(err, ERR_NOT_FOUND, "the database has no %s of %s then", o->metric, o->zone);
	if (e.left_out)
		(void)fprintf(stderr, "left out: %" PRId64 " values of %s, which may not be passed on (licence: %s)\n",
			      e.left_out, e.refused ? e.refused->name : "unknown providers",
			      e.refused && e.refused->licence ? e.refused->licence : "not known");
	return 0;
}
