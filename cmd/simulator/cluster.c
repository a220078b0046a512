/* SPDX-License-Identifier: Apache-2.0 */
/* simulator cluster: a whole cluster in virtual time, with Loadshift and without it. */
#include <math.h>

#include "base/alloc.h"
#include "config/config.h"
#include "json/writer.h"
#include "sim/cluster.h"
#include "sim/cluster_report.h"
#include "sim/outfile.h"
#include "simulator.h"

#define MAX_JSON ((size_t)16 * 1024)
#define BAR_WIDTH 40
#define BAR_EVERY_MS 250

struct options {
	char *signals, *jobs, *synthetic, *nodes, *forecast, *failures, *weights, *out, *series, *report, *attribution;
	int64_t nodes_per_zone, from_ms, hours, days, horizon_hours, startup_ms;
	bool json;
};

static const struct config_option options_table[] = {
	CONFIG_OPTION("signals", CONFIG_STRING, signals, NULL, 0, 0,
		      "CSV: time_utc,zone,carbon_g_per_kwh,price_per_mwh"),
	CONFIG_OPTION("jobs", CONFIG_STRING, jobs, NULL, 0, 0,
		      "CSV: id,arrival_utc,duration_s,power_w,...,pods,cpu, in order of arrival"),
	CONFIG_OPTION("synthetic", CONFIG_STRING, synthetic, NULL, 0, 0,
		      "made-up jobs in place of --jobs: KIND:JOBS_PER_DAY:SEED; kinds: batch, ml-training, etl, ci, "
		      "inference-backfill, mixed"),
	CONFIG_OPTION("from", CONFIG_TIME, from_ms, NULL, 0, 0,
		      "first arrival of --synthetic; default: where the signals begin"),
	CONFIG_OPTION("hours", CONFIG_INT, hours, "0", 0, 876000, "hours of arrivals of --synthetic"),
	CONFIG_OPTION("days", CONFIG_INT, days, "0", 0, 36500, "the same in days; default: to the end of the signals"),
	CONFIG_OPTION("nodes", CONFIG_STRING, nodes, NULL, 0, 0,
		      "CSV: name,zone,cpu_cores,memory_gib,idle_w,peak_w,count"),
	CONFIG_OPTION("nodes-per-zone", CONFIG_INT, nodes_per_zone, "10", 1, NODES_MAX,
		      "in place of --nodes: so many of 64 cores and 256 GiB in each zone"),
	CONFIG_OPTION("forecast", CONFIG_STRING, forecast, "perfect", 0, 0,
		      "perfect, noise:SIGMA:SEED, issued:FILE or model"),
	CONFIG_OPTION("horizon", CONFIG_INT, horizon_hours, "48", 1, 336, "hours that the forecast reaches ahead"),
	CONFIG_OPTION(
		"failures", CONFIG_STRING, failures, NULL, 0, 0,
		"like node:0.01/day:1h,operator:1/day:600s,provider:0.5/day:3h,evict:0.1/day,conflict:0.02,seed:1"),
	CONFIG_OPTION("weights", CONFIG_STRING, weights, "60,30,10", 0, 0, "of carbon, price and delay, whole numbers"),
	CONFIG_OPTION("startup", CONFIG_DURATION, startup_ms, "10s", 0, 300 * SECOND_MS, "median of a pod's start-up"),
	CONFIG_OPTION("out", CONFIG_STRING, out, NULL, 0, 0, "jobs.csv to write: a row a job, both sides"),
	CONFIG_OPTION("series", CONFIG_STRING, series, NULL, 0, 0,
		      "series.csv to write: power and carbon of each zone and half hour, both sides"),
	CONFIG_OPTION("report", CONFIG_STRING, report, NULL, 0, 0, "report.html to write: one page, nothing to load"),
	CONFIG_OPTION("attribution", CONFIG_STRING, attribution, NULL, 0, 0,
		      "whose grid data these are, for the report"),
	CONFIG_OPTION("json", CONFIG_BOOL, json, "false", 0, 0, "totals as JSON"),
};

struct run {
	struct options o;
	struct cluster_grid *grid;
	struct cluster_nodes nodes;
	struct trace *trace;
	struct cluster_series series;
	struct cluster_config config;
	int64_t from_ms, to_ms; /* of the progress bar */
	int64_t told_ms;
	bool drawn;
};

static void run_release(struct run *r)
{
	series_release(&r->series);
	trace_free(r->trace);
	nodes_release(&r->nodes);
	cluster_grid_free(r->grid);
}

static int parse_weights(const char *text, struct cluster_config *c, struct error *err)
{
	int32_t *const place[] = { &c->weight_carbon, &c->weight_cost, &c->weight_delay };
	struct str rest = str_from(text), part;
	size_t n = 0;
	bool good = true;

	while (good && str_split(&rest, ',', &part)) {
		int64_t value = 0;

		good = n < ARRAY_LEN(place) && str_to_i64(str_trim(part), 0, 1000, &value);
		if (good)
			*place[n++] = (int32_t)value;
	}
	if (!good || n != ARRAY_LEN(place) || c->weight_carbon + c->weight_cost + c->weight_delay == 0)
		return error_set(err, ERR_INVALID,
				 "--weights must be three whole numbers of 0 to 1000, not all 0, like 60,30,10");
	return 0;
}

/* From --from on, for --hours or --days, inside of the signals. */
static int span(struct run *r, const struct signals *s, struct error *err)
{
	const struct options *o = &r->o;
	int64_t end_ms = signals_end_ms(s);
	char from[TIME_TEXT], to[TIME_TEXT];

	if (o->hours && o->days)
		return error_set(err, ERR_INVALID, "give --hours or --days, not both");
	r->from_ms = o->from_ms == TIME_NONE ? s->start_ms : o->from_ms;
	r->to_ms = o->hours || o->days ? r->from_ms + o->hours * HOUR_MS + o->days * DAY_MS : end_ms;
	if (r->from_ms < s->start_ms || r->to_ms > end_ms || r->from_ms >= r->to_ms)
		return error_set(err, ERR_INVALID,
				 "--from, --hours and --days must lie in the signals, which are from %s to %s",
				 time_format(s->start_ms, from), time_format(end_ms, to));
	return 0;
}

static int open_trace(struct run *r, const struct signals *s, struct error *err)
{
	const struct options *o = &r->o;

	if (o->synthetic)
		return span(r, s, err) || trace_make(o->synthetic, s, r->from_ms, r->to_ms, &r->trace, err) ? -1 : 0;
	if (o->from_ms != TIME_NONE || o->hours || o->days)
		return error_set(err, ERR_INVALID, "--from, --hours and --days go with --synthetic");
	r->from_ms = s->start_ms;
	r->to_ms = signals_end_ms(s);
	return trace_open(o->jobs, s, &r->trace, err);
}

static int load(struct run *r, struct error *err)
{
	const struct options *o = &r->o;

	if (!o->signals || !o->jobs == !o->synthetic)
		return error_set(err, ERR_INVALID,
				 "--signals and one of --jobs and --synthetic are needed; see --help");
	if (parse_weights(o->weights, &r->config, err) || faults_parse(o->failures, &r->config.faults, err) ||
	    cluster_grid_open(o->signals, o->forecast, o->horizon_hours * HOUR_MS, &r->grid, err))
		return -1;
	const struct signals *s = cluster_grid_truth(r->grid);
	if ((o->nodes ? nodes_load(&r->nodes, o->nodes, s, err) : nodes_alike(&r->nodes, o->nodes_per_zone, s, err)) ||
	    open_trace(r, s, err) || series_init(&r->series, s, err))
		return -1;
	r->config.grid = r->grid;
	r->config.nodes = &r->nodes;
	r->config.trace = r->trace;
	r->config.series = &r->series;
	r->config.startup_ms = o->startup_ms;
	return 0;
}

/* A bar by the time that has passed in there. */
static void progress(void *arg, int64_t now_ms, int64_t jobs_done)
{
	static const char full[] = "########################################";
	struct run *r = arg;
	int64_t real_ms = clock_mono_ms();
	char at[TIME_TEXT];

	if (real_ms - r->told_ms < BAR_EVERY_MS)
		return;
	r->told_ms = real_ms;
	r->drawn = true;
	int filled = (int)(CLAMP(now_ms - r->from_ms, 0, r->to_ms - r->from_ms) * BAR_WIDTH / (r->to_ms - r->from_ms));
	(void)fprintf(stderr, "\r[%.*s%*s] %.10s, %lld jobs over", filled, full, BAR_WIDTH - filled, "",
		      time_format(now_ms, at), (long long)jobs_done);
}

/* ---- what came out ---- */

static double saved_percent(int64_t without, int64_t with)
{
	return without ? 100.0 * (double)(without - with) / fabs((double)without) : NAN;
}

static double mean_wait_s(const struct cluster_side *s)
{
	return s->completed ? s->wait_ms / (double)s->completed / (double)SECOND_MS : NAN;
}

static void write_figure(struct json_writer *w, const char *name, bool known, int64_t value, int scale)
{
	if (known)
		jw_decimal(w, name, value, scale);
	else
		jw_null(w, name);
}

static void write_side(struct json_writer *w, const char *name, const struct cluster_totals *t,
		       const struct cluster_side *s)
{
	if (name)
		jw_object(w, name);
	jw_i64(w, "completed", s->completed);
	jw_i64(w, "failed", s->failed);
	jw_i64(w, "missed_deadlines", s->missed_deadlines);
	jw_i64(w, "waited_for_room", s->waited_for_room);
	jw_decimal(w, "energy_wh", s->energy, 3);
	jw_decimal(w, "lost_energy_wh", s->lost_energy, 3);
	write_figure(w, "carbon_g", t->jobs == 0 || t->carbon_unknown < t->jobs, s->carbon, 3);
	write_figure(w, "cost", t->cost_unknown < t->jobs, s->cost, 6);
	jw_double(w, "mean_wait_s", mean_wait_s(s), 3);
	if (name)
		jw_end_object(w);
}

/* By the operator's own accounts: null where it has none. */
static void write_split(struct json_writer *w, const struct cluster_totals *t)
{
	const struct cluster_saving *parts[] = { &t->time, &t->place, &t->forecast_error, &t->split_total };
	static const char *const names[] = { "time", "place", "forecast_error", "total" };

	jw_object(w, "split");
	jw_i64(w, "jobs", t->split_jobs);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		jw_object(w, names[i]);
		write_figure(w, "carbon_g", t->split_jobs > 0, parts[i]->carbon, 3);
		write_figure(w, "cost", t->split_cost_jobs > 0, parts[i]->cost, 6);
		jw_end_object(w);
	}
	jw_end_object(w);
}

static void write_faults(struct json_writer *w, const struct cluster_totals *t)
{
	jw_object(w, "failures");
	for (int k = 0; k < FAULT_KINDS; k++)
		jw_i64(w, cluster_fault_names[k], t->faults[k]);
	jw_i64(w, "pods_lost", t->pods_lost);
	jw_i64(w, "operator_down_s", t->operator_down_ms / SECOND_MS);
	jw_i64(w, "provider_down_s", t->provider_down_ms / SECOND_MS);
	jw_end_object(w);
}

static int print_json(const struct cluster_totals *t, struct error *err)
{
	_cleanup_(buf_release) struct buf out = BUF_INIT(MAX_JSON);
	struct json_writer w = json_writer(&out);

	jw_object(&w, NULL);
	jw_i64(&w, "jobs", t->jobs);
	write_side(&w, NULL, t, &t->ours);
	jw_i64(&w, "infeasible", t->infeasible);
	jw_i64(&w, "refused", t->refused);
	jw_i64(&w, "limit_unmet", t->limit_unmet);
	jw_i64(&w, "unfinished", t->unfinished);
	for (int v = 0; v < CLUSTER_VIOLATIONS; v++)
		jw_i64(&w, cluster_violation_names[v], t->violations[v]);
	jw_i64(&w, "late_no_room", t->late_no_room);
	jw_i64(&w, "late_outage", t->late_outage);
	jw_double(&w, "saved_carbon_pct", saved_percent(t->baseline.carbon, t->ours.carbon), 6);
	jw_double(&w, "saved_cost_pct", saved_percent(t->baseline.cost, t->ours.cost), 6);
	write_split(&w, t);
	write_side(&w, "baseline", t, &t->baseline);
	jw_i64(&w, "carbon_unknown_jobs", t->carbon_unknown);
	jw_i64(&w, "cost_unknown_jobs", t->cost_unknown);
	jw_double(&w, "writes_per_job", t->jobs ? (double)t->writes / (double)t->jobs : NAN, 3);
	jw_i64(&w, "conflicts", t->conflicts);
	jw_i64(&w, "planning_rounds", t->rounds);
	jw_i64(&w, "reconciles", t->reconciles);
	jw_i64(&w, "replanned", t->planned_again);
	jw_i64(&w, "pauses", t->pauses);
	jw_i64(&w, "moves", t->moves);
	write_faults(&w, t);
	jw_double(&w, "wall_s", t->wall_s, 3);
	jw_end_object(&w);
	if (buf_check(&out, "totals", err))
		return -1;
	printf("%s\n", buf_cstr(&out));
	return 0;
}

static void print_text(const struct cluster_totals *t)
{
	printf("%lld jobs: %lld completed, %lld failed, %lld missed their deadline\n", (long long)t->jobs,
	       (long long)t->ours.completed, (long long)t->ours.failed, (long long)t->ours.missed_deadlines);
	printf("without Loadshift: %lld completed, %lld failed, %lld missed their deadline\n",
	       (long long)t->baseline.completed, (long long)t->baseline.failed,
	       (long long)t->baseline.missed_deadlines);
	printf("energy %.3f kWh, without %.3f kWh\n", (double)t->ours.energy / 1e6, (double)t->baseline.energy / 1e6);
	if (t->carbon_unknown < t->jobs)
		printf("carbon %.3f kg, %.2f %% less than without\n", (double)t->ours.carbon / 1e6,
		       saved_percent(t->baseline.carbon, t->ours.carbon));
	if (t->cost_unknown < t->jobs)
		printf("cost %.2f, %.2f %% less than without\n", (double)t->ours.cost / 1e6,
		       saved_percent(t->baseline.cost, t->ours.cost));
	printf("%lld planning rounds, %.1f writes a job; %.3f s\n", (long long)t->rounds,
	       t->jobs ? (double)t->writes / (double)t->jobs : 0, t->wall_s);
}

static int64_t broken(const struct cluster_totals *t)
{
	int64_t n = 0;

	for (int v = 0; v < CLUSTER_VIOLATIONS; v++)
		n += t->violations[v];
	return n;
}

static int open_outputs(const struct options *o, struct outfile out[3], struct error *err)
{
	const char *const paths[] = { o->out, o->series, o->report };

	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		if (paths[i] && outfile_open(&out[i], paths[i], err))
			return -1;
	return 0;
}

static int write_outputs(const struct run *r, const struct cluster_totals *t, struct outfile out[3], struct error *err)
{
	const struct report report = { .config = &r->config,
				       .totals = t,
				       .series = &r->series,
				       .signals = r->o.signals,
				       .jobs = r->o.jobs ? r->o.jobs : r->o.synthetic,
				       .forecast = r->o.forecast,
				       .failures = r->o.failures,
				       .attribution = r->o.attribution };

	if (out[1].file)
		series_write(&r->series, cluster_grid_truth(r->grid), out[1].file);
	if (out[2].file)
		report_write(&report, out[2].file);
	for (int i = 0; i < 3; i++)
		if (out[i].file && outfile_commit(&out[i], err))
			return -1;
	return 0;
}

static void discard(struct outfile (*out)[3])
{
	for (int i = 0; i < 3; i++)
		outfile_discard(&(*out)[i]);
}

static int simulate(void *arg, struct error *err)
{
	struct run *r = arg;
	_cleanup_(discard) struct outfile out[3] = { OUTFILE_INIT, OUTFILE_INIT, OUTFILE_INIT };
	struct cluster_totals totals;

	if (load(r, err) || open_outputs(&r->o, out, err))
		return -1;
	if (out[0].file)
		(void)fprintf(out[0].file, CLUSTER_ROWS);
	r->config.out = out[0].file;
	r->config.progress = progress;
	r->config.progress_arg = r;
	r->told_ms = clock_mono_ms();
	int failed = cluster_run(&r->config, &totals, err);
	if (r->drawn)
		(void)fprintf(stderr, "\n");
	if (failed || write_outputs(r, &totals, out, err))
		return -1;
	if (r->o.json && print_json(&totals, err))
		return -1;
	if (!r->o.json)
		print_text(&totals);
	if (broken(&totals))
		return error_set(err, ERR_INTERNAL, "%lld promises broken, see the totals", (long long)broken(&totals));
	return 0;
}

int simulator_cluster(int argc, char **argv, struct error *err)
{
	const struct config_spec spec = { .program = "simulator cluster",
					  .summary = "a whole cluster in virtual time, with and without Loadshift",
					  .options = options_table,
					  .n_options = ARRAY_LEN(options_table) };
	_cleanup_(run_release) struct run run = { .told_ms = 0 };

	return simulator_run(&spec, argc, argv, &run.o, simulate, &run, err);
}
