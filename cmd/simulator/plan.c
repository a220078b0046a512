/* SPDX-License-Identifier: Apache-2.0 */
/* simulator plan: a trace of jobs against recorded signals by one policy, accounted beside running at once. */
#include <math.h>

#include "base/alloc.h"
#include "config/config.h"
#include "json/writer.h"
#include "sim/outfile.h"
#include "sim/replay.h"
#include "simulator.h"

#define MAX_JSON ((size_t)16 * 1024)
#define BAR_WIDTH 40
#define BAR_EVERY_MS 250

struct options {
	char *signals, *jobs, *forecast, *capacity, *weights, *out;
	int policy, scale;
	int64_t slot_s, step_s, threshold_days;
	bool json, static_plan;
};

static const char *const scales[] = { "round", "series", NULL };

static const struct config_option options_table[] = {
	CONFIG_OPTION("signals", CONFIG_STRING, signals, NULL, 0, 0,
		      "CSV: time_utc,zone,carbon_g_per_kwh,price_per_mwh"),
	CONFIG_OPTION("jobs", CONFIG_STRING, jobs, NULL, 0, 0, "CSV: id,arrival_utc,duration_s,power_w,..."),
	CONFIG_CHOICE("policy", policy, "loadshift", policy_names, "how each job is placed"),
	CONFIG_OPTION("forecast", CONFIG_STRING, forecast, "perfect", 0, 0,
		      "perfect, noise:SIGMA:SEED, issued:FILE or model"),
	CONFIG_OPTION("capacity", CONFIG_STRING, capacity, NULL, 0, 0, "CSV: zone,time_utc,limit_w"),
	CONFIG_OPTION("weights", CONFIG_STRING, weights, "60,30,10", 0, 0, "of carbon, price and delay"),
	CONFIG_OPTION("slot", CONFIG_INT, slot_s, "0", 0, 86400, "seconds between starts; 0: the signals' step"),
	CONFIG_OPTION("step", CONFIG_INT, step_s, "0", 0, 86400,
		      "cut arrivals and durations to multiples of so many seconds; 0: as they are"),
	CONFIG_OPTION("threshold-window", CONFIG_INT, threshold_days, "30", 1, 3660,
		      "days before the job that give the double threshold its bounds"),
	CONFIG_CHOICE("scale", scale, "round", scales, "mean of the job's window, or of all signals"),
	CONFIG_OPTION("static", CONFIG_BOOL, static_plan, "false", 0, 0, "loadshift: do not plan again"),
	CONFIG_OPTION("out", CONFIG_STRING, out, NULL, 0, 0, "plan.csv to write"),
	CONFIG_OPTION("json", CONFIG_BOOL, json, "false", 0, 0, "totals as JSON"),
};

struct run {
	struct options o;
	struct signals truth, grid;
	struct outlook outlook;
	struct capacity room;
	struct scenario scenario;
	struct jobs *jobs;
	int64_t told_ms;
	bool drawn;
};

static void run_release(struct run *r)
{
	jobs_free(r->jobs);
	outlook_release(&r->outlook);
	capacity_release(&r->room);
	signals_release(&r->grid);
	signals_release(&r->truth);
}

/* --queue may come several times, which the table of options cannot say: takes them out of the arguments. */
static int take_queues(int *argc, char **argv, struct scenario *s, struct error *err)
{
	int kept = 1;

	for (int i = 1; i < *argc; i++) {
		struct str value = STR_NULL;

		if (strncmp(argv[i], "--queue=", 8) == 0)
			value = str_from(argv[i] + 8);
		else if (cstr_eq(argv[i], "--queue") && i + 1 < *argc)
			value = str_from(argv[++i]);
		else if (cstr_eq(argv[i], "--queue"))
			return error_set(err, ERR_INVALID, "--queue needs MAXLEN:MEAN:WAIT");
		if (!value.ptr) {
			argv[kept++] = argv[i];
			continue;
		}
		if (s->n_queues == JOBS_MAX_QUEUES)
			return error_set(err, ERR_LIMIT, "--queue: more than %d", JOBS_MAX_QUEUES);
		if (queue_parse(value, &s->queues[s->n_queues++], err))
			return -1;
	}
	*argc = kept;
	argv[kept] = NULL;
	return 0;
}

static int parse_weights(const char *text, struct scenario *s, struct error *err)
{
	struct str rest = str_from(text), part[4];
	double *w[] = { &s->weight_carbon, &s->weight_cost, &s->weight_delay };
	size_t n = 0;
	bool good;

	while (n < ARRAY_LEN(part) && str_split(&rest, ',', &part[n]))
		n++;
	good = n == ARRAY_LEN(w);
	for (size_t i = 0; good && i < n; i++)
		good = str_to_double(str_trim(part[i]), w[i]) && *w[i] >= 0 && *w[i] <= 1e4;
	if (!good || !(s->weight_carbon + s->weight_cost + s->weight_delay > 0))
		return error_set(err, ERR_INVALID,
				 "--weights must be three numbers of 0 to 10000, not all 0, like 60,30,10");
	return 0;
}

static int load(struct run *r, struct error *err)
{
	struct options *o = &r->o;
	struct scenario *s = &r->scenario;

	if (!o->signals || !o->jobs)
		return error_set(err, ERR_INVALID, "--signals and --jobs are needed; see --help");
	if (o->capacity && o->policy == POLICY_THRESHOLD)
		return error_set(err, ERR_INVALID, "--policy threshold decides as it goes and takes no --capacity");
	if (parse_weights(o->weights, s, err) || signals_load(&r->truth, o->signals, err) ||
	    signals_resample(&r->truth, o->slot_s ? o->slot_s * SECOND_MS : r->truth.step_ms, &r->grid, err) ||
	    outlook_open(&r->outlook, o->forecast, &r->grid, err) ||
	    (o->capacity && capacity_load(&r->room, o->capacity, &r->grid, err)) ||
	    jobs_open(o->jobs, &r->truth, o->step_s * SECOND_MS, &r->jobs, err))
		return -1;
	for (int i = 0; i < s->n_queues && o->step_s; i++)
		s->queues[i].mean_ms =
			MAX(time_slot_floor(s->queues[i].mean_ms, o->step_s * SECOND_MS), o->step_s * SECOND_MS);
	s->policy = (enum policy)o->policy;
	s->truth = &r->truth;
	s->grid = &r->grid;
	s->outlook = &r->outlook;
	s->room = o->capacity ? &r->room : NULL;
	s->scale_series = o->scale == 1;
	s->threshold_days = (int)o->threshold_days;
	s->static_plan = o->static_plan;
	return 0;
}

/* A bar by the part of the jobs file that has been read. */
static void progress(void *arg, int64_t jobs_done)
{
	struct run *r = arg;
	int64_t now_ms = clock_mono_ms();
	int filled;

	if (now_ms - r->told_ms < BAR_EVERY_MS)
		return;
	r->told_ms = now_ms;
	r->drawn = true;
	filled = (int)(jobs_read_fraction(r->jobs) * BAR_WIDTH);
	(void)fprintf(stderr, "\r[%.*s%*s] %lld jobs", filled, "########################################",
		      BAR_WIDTH - filled, "", (long long)jobs_done);
}

static double percent_saved(int64_t now, int64_t shifted)
{
	return now ? 100.0 * (double)(now - shifted) / fabs((double)now) : NAN;
}

static double gap_percent(const struct totals *t)
{
	if (t->lower_bound == 0)
		return t->objective == 0 ? 0 : NAN;
	return 100 * (t->objective - t->lower_bound) / fabs(t->lower_bound);
}

static const char *unit_name(const struct totals *t)
{
	return t->in_grams ? "g" : t->in_money ? "cost" : "objective";
}

static int print_json(const struct run *r, const struct totals *t, struct error *err)
{
	_cleanup_(buf_release) struct buf out = BUF_INIT(MAX_JSON);
	struct json_writer w = json_writer(&out);
	int64_t planned = t->n_jobs - t->infeasible;
	bool carbon = planned > t->carbon_unknown, cost = planned > t->cost_unknown;

	jw_object(&w, NULL);
	jw_string(&w, "policy", policy_names[r->o.policy]);
	jw_i64(&w, "jobs", t->n_jobs);
	jw_i64(&w, "infeasible", t->infeasible);
	jw_i64(&w, "missed_deadlines", t->missed_deadlines);
	jw_decimal(&w, "energy_wh", t->energy_milliwatt_hours, 3);
	if (carbon || planned == 0)
		jw_decimal(&w, "carbon_g", t->carbon_milligrams, 3);
	else
		jw_null(&w, "carbon_g");
	if (cost || (planned == 0 && r->truth.mean_size[SIGNAL_PRICE] > 0))
		jw_decimal(&w, "cost", t->cost_micros, 6);
	else
		jw_null(&w, "cost");
	jw_double(&w, "mean_wait_s", planned ? t->wait_ms / (double)planned / (double)SECOND_MS : NAN, 3);
	jw_double(&w, "saved_carbon_pct",
		  carbon ? percent_saved(t->baseline_carbon_milligrams, t->carbon_milligrams) : NAN, 6);
	jw_double(&w, "saved_cost_pct", cost ? percent_saved(t->baseline_cost_micros, t->cost_micros) : NAN, 6);
	jw_double(&w, "objective", t->objective, 6);
	jw_double(&w, "lower_bound", t->lower_bound, 6);
	jw_string(&w, "bound_unit", unit_name(t));
	jw_double(&w, "gap_pct", gap_percent(t), 6);
	jw_double(&w, "wall_s", t->wall_s, 6);
	jw_decimal(&w, "baseline_carbon_g", t->baseline_carbon_milligrams, 3);
	jw_decimal(&w, "baseline_cost", t->baseline_cost_micros, 6);
	jw_i64(&w, "carbon_unknown_jobs", t->carbon_unknown);
	jw_i64(&w, "cost_unknown_jobs", t->cost_unknown);
	jw_i64(&w, "plans_changed", t->changes);
	jw_end_object(&w);
	if (buf_check(&out, "totals", err))
		return -1;
	printf("%s\n", buf_cstr(&out));
	return 0;
}

static void print_text(const struct run *r, const struct totals *t)
{
	int64_t planned = t->n_jobs - t->infeasible;

	printf("policy %s: %lld jobs, %lld infeasible, %lld late\n", policy_names[r->o.policy], (long long)t->n_jobs,
	       (long long)t->infeasible, (long long)t->missed_deadlines);
	printf("energy %.3f kWh\n", (double)t->energy_milliwatt_hours / 1e6);
	if (planned > t->carbon_unknown)
		printf("carbon %.3f kg, %.2f %% less than at once\n", (double)t->carbon_milligrams / 1e6,
		       percent_saved(t->baseline_carbon_milligrams, t->carbon_milligrams));
	if (planned > t->cost_unknown)
		printf("cost %.2f, %.2f %% less than at once\n", (double)t->cost_micros / 1e6,
		       percent_saved(t->baseline_cost_micros, t->cost_micros));
	printf("%.2f %% above a lower bound; %.3f s\n", gap_percent(t), t->wall_s);
}

static int plan(void *arg, struct error *err)
{
	struct run *r = arg;
	_cleanup_(outfile_discard) struct outfile out = OUTFILE_INIT;
	struct replay replay = { .scenario = &r->scenario, .progress = progress, .progress_arg = r };
	struct totals totals;

	if (load(r, err) || (r->o.out && outfile_open(&out, r->o.out, err)))
		return -1;
	if (out.file)
		(void)fprintf(out.file, "id,zone,segment,start_utc,end_utc,parallelism,energy_wh,carbon_g,cost\n");
	replay.jobs = r->jobs;
	replay.out = out.file;
	r->told_ms = clock_mono_ms();
	if (replay_run(&replay, &totals, err)) {
		if (r->drawn)
			(void)fprintf(stderr, "\n");
		return -1;
	}
	if (r->drawn)
		(void)fprintf(stderr, "\r[%.*s] %lld jobs\n", BAR_WIDTH, "########################################",
			      (long long)totals.n_jobs);
	if (out.file && outfile_commit(&out, err))
		return -1;
	if (r->o.json)
		return print_json(r, &totals, err);
	print_text(r, &totals);
	return 0;
}

int simulator_plan(int argc, char **argv, struct error *err)
{
	const struct config_spec spec = { .program = "simulator plan",
					  .summary = "places a trace of jobs by recorded signals; --queue "
						     "MAXLEN:MEAN:WAIT (seconds) may be given several times",
					  .options = options_table,
					  .n_options = ARRAY_LEN(options_table) };
	_cleanup_(run_release) struct run run = { .told_ms = 0 };

	if (take_queues(&argc, argv, &run.scenario, err))
		return 2;
	return simulator_run(&spec, argc, argv, &run.o, plan, &run, err);
}
