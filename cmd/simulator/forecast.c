/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simulator forecast: for each issue time trains on what was known then, forecasts, and scores by day of lead, beside
 * the previous day and the previous week.
 */
#include "base/alloc.h"
#include "config/config.h"
#include "forecast/model.h"
#include "forecast/score.h"
#include "json/writer.h"
#include "sim/history.h"
#include "sim/outfile.h"
#include "simulator.h"

#define MAX_DAYS_OF_LEAD 28
#define MAX_ISSUES 1000000
#define MAX_STALE_DAYS 28 /* an issue so long after the end of the history is a mistake */
#define MAX_JSON ((size_t)64 * 1024)

struct options {
	char *history;
	char *column;
	char *exog;
	char *issue;
	int64_t horizon_hours;
	char *out;
	bool json;
};

static const struct config_option options_table[] = {
	CONFIG_OPTION("history", CONFIG_STRING, history, NULL, 0, 0, "CSV: time_utc and value columns"),
	CONFIG_OPTION("column", CONFIG_STRING, column, NULL, 0, 0, "the column to forecast"),
	CONFIG_OPTION("exog", CONFIG_STRING, exog, NULL, 0, 0,
		      "CSV of other forecasts: issued_utc,target_utc,...; with time_utc instead: perfect foresight"),
	CONFIG_OPTION("issue", CONFIG_STRING, issue, NULL, 0, 0,
		      "FROM,TO,STEP: issue times, TO included; STEP like 24h or 30m"),
	CONFIG_OPTION("horizon", CONFIG_INT, horizon_hours, "96", 1, MAX_DAYS_OF_LEAD * 24, "hours ahead"),
	CONFIG_OPTION("out", CONFIG_STRING, out, NULL, 0, 0, "CSV to write: issued_utc,target_utc,p10,p50,p90"),
	CONFIG_OPTION("json", CONFIG_BOOL, json, "false", 0, 0, "scores as JSON"),
};

enum { OURS, PREVIOUS_DAY, PREVIOUS_WEEK, N_METHODS };
static const char *const method_names[N_METHODS] = { NULL, "previous_day", "previous_week" };

struct run {
	const struct options *o;
	struct history history;
	struct exog_data exog;
	int first, last, step; /* issues, in slots */
	int horizon, day;      /* in slots */
	double *p10, *p50, *p90;
	struct score scores[MAX_DAYS_OF_LEAD][N_METHODS];
	int n_issues;
	int64_t wall_ms;
};

static void run_release(struct run *r)
{
	history_release(&r->history);
	exog_release(&r->exog);
	free(r->p10);
	free(r->p50);
	free(r->p90);
}

/* "24h", "1d", "30m"; a bare number is seconds, or hours where it is too small for the seconds of any series. */
static bool parse_step(struct str s, int64_t *ret_ms)
{
	static const struct {
		char unit;
		int64_t ms;
	} units[] = { { 's', SECOND_MS }, { 'm', MINUTE_MS }, { 'h', HOUR_MS }, { 'd', DAY_MS } };
	int64_t unit_ms = 0, n;

	for (size_t i = 0; i < ARRAY_LEN(units) && s.len; i++)
		if (s.ptr[s.len - 1] == units[i].unit) {
			unit_ms = units[i].ms;
			s.len--;
			break;
		}
	if (!str_to_i64(s, 1, 366 * DAY_MS / MAX(unit_ms, SECOND_MS), &n))
		return false;
	if (unit_ms == 0)
		unit_ms = n * SECOND_MS < DAY_MS / FORECAST_MAX_STEPS_PER_DAY ? HOUR_MS : SECOND_MS;
	*ret_ms = n * unit_ms;
	return true;
}

/* An issue time as a slot of the history. */
static int issue_slot(const struct forecast_series *s, const char *name, int64_t ms, int *ret, struct error *err)
{
	char text[TIME_TEXT];
	int64_t end_ms = forecast_slot_ms(s, s->n);

	if ((ms - s->start_ms) % s->step_ms)
		return error_set(err, ERR_INVALID,
				 "--issue: %s %s is not a whole number of %lld s after the history's %s", name,
				 time_format(ms, text), (long long)(s->step_ms / SECOND_MS), "first row");
	if (ms <= s->start_ms)
		return error_set(err, ERR_INVALID, "--issue: %s must be after the history's first row, %s", name,
				 time_format(s->start_ms, text));
	if (ms > end_ms + MAX_STALE_DAYS * DAY_MS)
		return error_set(err, ERR_INVALID, "--issue: %s is more than %d days after the history's end, %s", name,
				 MAX_STALE_DAYS, time_format(end_ms, text));
	*ret = (int)((ms - s->start_ms) / s->step_ms);
	return 0;
}

static int parse_issues(struct run *r, struct error *err)
{
	const struct forecast_series *s = &r->history.series;
	struct str rest = str_from(r->o->issue), part[4];
	int64_t from_ms, to_ms, step_ms;
	size_t n = 0;

	while (n < ARRAY_LEN(part) && str_split(&rest, ',', &part[n]))
		n++;
	if (n != 3 || !time_parse(str_trim(part[0]), &from_ms) || !time_parse(str_trim(part[1]), &to_ms) ||
	    !parse_step(str_trim(part[2]), &step_ms))
		return error_set(err, ERR_INVALID,
				 "--issue must be FROM,TO,STEP like 2022-07-01T00:00Z,2022-12-27T00:00Z,24h");
	if (to_ms < from_ms)
		return error_set(err, ERR_INVALID, "--issue: TO must not be before FROM");
	if (step_ms % s->step_ms)
		return error_set(err, ERR_INVALID, "--issue: STEP must be a multiple of the history's step, %lld s",
				 (long long)(s->step_ms / SECOND_MS));
	to_ms = from_ms + (to_ms - from_ms) / step_ms * step_ms;
	if (issue_slot(s, "FROM", from_ms, &r->first, err) || issue_slot(s, "TO", to_ms, &r->last, err))
		return -1;
	r->step = (int)(step_ms / s->step_ms);
	r->n_issues = (r->last - r->first) / r->step + 1;
	if (r->n_issues > MAX_ISSUES)
		return error_set(err, ERR_LIMIT, "--issue: more than %d issue times", MAX_ISSUES);
	return 0;
}

static int load(struct run *r, struct error *err)
{
	const struct forecast_series *s = &r->history.series;
	int64_t horizon;

	if (!r->o->history || !r->o->column || !r->o->issue)
		return error_set(err, ERR_INVALID, "--history, --column and --issue are needed; see --help");
	if (history_load(&r->history, r->o->history, r->o->column, err))
		return -1;
	if (r->history.n_missing)
		(void)fprintf(stderr, "simulator forecast: %s: %d of %d steps have no value\n", r->o->history,
			      r->history.n_missing, s->n);
	horizon = r->o->horizon_hours * HOUR_MS / s->step_ms;
	if (horizon < 1 || horizon > FORECAST_MAX_HORIZON)
		return error_set(err, ERR_INVALID, "--horizon: must be 1 to %d steps of %lld s, is %lld",
				 FORECAST_MAX_HORIZON, (long long)(s->step_ms / SECOND_MS), (long long)horizon);
	r->horizon = (int)horizon;
	r->day = (int)(DAY_MS / s->step_ms);
	if (r->o->exog && exog_load(&r->exog, r->o->exog, s, err))
		return -1;
	return parse_issues(r, err);
}

/* The latest value before the issue that is a whole number of periods before the target; NAN when there is none. */
static double naive(const struct forecast_series *s, int issue, int target, int period)
{
	int slot = target - ((target - issue) / period + 1) * period;

	while (slot >= 0 && (slot >= s->n || isnan(s->value[slot])))
		slot -= period;
	return slot < 0 ? NAN : s->value[slot];
}

static void score(struct run *r, int issue)
{
	const struct forecast_series *s = &r->history.series;

	for (int lead = 0; lead < r->horizon && issue + lead < s->n; lead++) {
		struct score *scores = r->scores[lead / r->day];
		double actual = s->value[issue + lead], by_day = naive(s, issue, issue + lead, r->day),
		       by_week = naive(s, issue, issue + lead, 7 * r->day);

		if (isnan(actual))
			continue;
		score_add(&scores[OURS], actual, r->p10[lead], r->p50[lead], r->p90[lead]);
		if (!isnan(by_day))
			score_add(&scores[PREVIOUS_DAY], actual, by_day, by_day, by_day);
		if (!isnan(by_week))
			score_add(&scores[PREVIOUS_WEEK], actual, by_week, by_week, by_week);
	}
}

static void write_rows(const struct run *r, int issue, FILE *out)
{
	const struct forecast_series *s = &r->history.series;
	char issued[TIME_TEXT], target[TIME_TEXT];

	time_format(forecast_slot_ms(s, issue), issued);
	for (int lead = 0; lead < r->horizon; lead++)
		(void)fprintf(out, "%s,%s,%.6g,%.6g,%.6g\n", issued,
			      time_format(forecast_slot_ms(s, issue + lead), target), r->p10[lead], r->p50[lead],
			      r->p90[lead]);
}

static void roll(struct run *r, FILE *out)
{
	const struct forecast_quantiles q = { .p10 = r->p10, .p50 = r->p50, .p90 = r->p90 };
	int64_t begin_ms = clock_mono_ms(), told_ms = begin_ms, now_ms;
	int done = 0;

	for (int issue = r->first; issue <= r->last; issue += r->step) {
		struct forecast_model *m = forecast_train(&r->history.series, &r->exog.exog, issue, r->horizon);

		forecast_predict(m, &r->history.series, &r->exog.exog, issue, &q);
		forecast_model_free(m);
		score(r, issue);
		if (out)
			write_rows(r, issue, out);
		done++;
		now_ms = clock_mono_ms();
		if (now_ms - told_ms >= 5 * SECOND_MS) {
			(void)fprintf(stderr, "simulator forecast: %d of %d issues\n", done, r->n_issues);
			told_ms = now_ms;
		}
	}
	r->wall_ms = clock_mono_ms() - begin_ms;
}

static void put_score(struct json_writer *w, const struct score *s)
{
	jw_i64(w, "n", s->n);
	jw_double(w, "mae", score_mae(s), 4);
	jw_double(w, "mape", score_mape_percent(s), 3);
	jw_double(w, "rmse", score_rmse(s), 4);
	jw_double(w, "pinball", score_pinball(s), 4);
	jw_double(w, "coverage", score_coverage_percent(s), 2);
}

static const char *exog_label(const struct run *r)
{
	return !r->o->exog ? "none" : r->exog.perfect_foresight ? "perfect foresight" : "issued";
}

/* mape and coverage are per cent; mae, rmse and pinball are in the column's unit. */
static int print_json(const struct run *r, struct error *err)
{
	const struct forecast_series *s = &r->history.series;
	_cleanup_(buf_release) struct buf out = BUF_INIT(MAX_JSON);
	struct json_writer w = json_writer(&out);

	jw_object(&w, NULL);
	jw_string(&w, "column", r->o->column);
	jw_string(&w, "exog", exog_label(r));
	jw_time(&w, "first_issue", forecast_slot_ms(s, r->first));
	jw_time(&w, "last_issue", forecast_slot_ms(s, r->last));
	jw_i64(&w, "issues", r->n_issues);
	jw_i64(&w, "horizon_hours", r->o->horizon_hours);
	jw_i64(&w, "step_s", s->step_ms / SECOND_MS);
	jw_i64(&w, "missing_steps", r->history.n_missing);
	jw_double(&w, "wall_s", (double)r->wall_ms / SECOND_MS, 3);
	jw_array(&w, "days");
	for (int day = 0; day * r->day < r->horizon; day++) {
		jw_object(&w, NULL);
		jw_i64(&w, "day", day + 1);
		put_score(&w, &r->scores[day][OURS]);
		for (int m = OURS + 1; m < N_METHODS; m++) {
			jw_object(&w, method_names[m]);
			put_score(&w, &r->scores[day][m]);
			jw_end_object(&w);
		}
		jw_end_object(&w);
	}
	jw_end_array(&w);
	jw_end_object(&w);
	if (buf_check(&out, "scores", err))
		return -1;
	printf("%s\n", buf_cstr(&out));
	return 0;
}

static void print_table(const struct run *r)
{
	printf("%d issues, exogenous columns: %s\n\n", r->n_issues, exog_label(r));
	printf("%4s %8s %10s %8s %10s %10s %9s   %12s %13s\n", "day", "values", "MAE", "MAPE %", "RMSE", "pinball",
	       "covered %", "previous day", "previous week");
	for (int day = 0; day * r->day < r->horizon; day++) {
		const struct score *s = r->scores[day];

		printf("%4d %8lld %10.3f %8.2f %10.3f %10.3f %9.1f   %12.3f %13.3f\n", day + 1, (long long)s[OURS].n,
		       score_mae(&s[OURS]), score_mape_percent(&s[OURS]), score_rmse(&s[OURS]), score_pinball(&s[OURS]),
		       score_coverage_percent(&s[OURS]), score_mae(&s[PREVIOUS_DAY]), score_mae(&s[PREVIOUS_WEEK]));
	}
}

static int forecast(void *arg, struct error *err)
{
	struct run *r = arg;
	_cleanup_(outfile_discard) struct outfile out = OUTFILE_INIT;

	if (load(r, err) || (r->o->out && outfile_open(&out, r->o->out, err)))
		return -1;
	r->p10 = xcalloc((size_t)r->horizon, sizeof(double));
	r->p50 = xcalloc((size_t)r->horizon, sizeof(double));
	r->p90 = xcalloc((size_t)r->horizon, sizeof(double));
	if (out.file)
		(void)fprintf(out.file, "issued_utc,target_utc,p10,p50,p90\n");
	roll(r, out.file);
	if (out.file && outfile_commit(&out, err))
		return -1;
	if (r->o->json)
		return print_json(r, err);
	print_table(r);
	return 0;
}

int simulator_forecast(int argc, char **argv, struct error *err)
{
	const struct config_spec spec = { .program = "simulator forecast",
					  .summary = "forecasts a recorded series by rolling origin, and scores it",
					  .options = options_table,
					  .n_options = ARRAY_LEN(options_table) };
	struct options options;
	_cleanup_(run_release) struct run run = { .o = &options };

	return simulator_run(&spec, argc, argv, &options, forecast, &run, err);
}
