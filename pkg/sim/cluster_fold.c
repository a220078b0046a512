/* SPDX-License-Identifier: Apache-2.0 */
/* What remains of a job of a simulated cluster: a row, and its share of the sums. */
#include <math.h>

#include "base/decimal.h"
#include "sim/cluster_internal.h"

const char *const cluster_wait_names[CLUSTER_WAITS] = {
	"under 1 min", "1-5 min", "5-30 min", "30-60 min", "1-2 h", "2-4 h", "4-8 h", "8-16 h", "16-32 h", "over 32 h",
};
static const int64_t wait_limits[CLUSTER_WAITS - 1] = {
	MINUTE_MS,   5 * MINUTE_MS, 30 * MINUTE_MS, HOUR_MS,      2 * HOUR_MS,
	4 * HOUR_MS, 8 * HOUR_MS,   16 * HOUR_MS,   32 * HOUR_MS,
};

/* One side of a row, in milliwatt hours, milligrams and millionths. */
struct figures {
	int64_t energy, carbon, cost;
	bool carbon_known, cost_known;
};

static void figures_of(const struct sim_run *r, struct figures *ret)
{
	*ret = (struct figures){
		.energy = decimal_from_double(r->sum.energy_wh, 3),
		.carbon = decimal_from_double(r->sum.carbon_g, 3),
		.cost = decimal_from_double(r->sum.cost, 6),
		.carbon_known = !isnan(r->sum.carbon_g),
		.cost_known = !isnan(r->sum.cost),
	};
}

static int64_t wait_ms(const struct sim_job *job, const struct sim_run *r)
{
	return r->end_ms - job->trace.arrival_ms - job->trace.duration_ms;
}

static void add_side(struct cluster_totals *t, struct cluster_side *sum, const struct sim_job *job,
		     const struct sim_run *r, const struct figures *f)
{
	int64_t deadline_ms = job->trace.latest_finish_ms;
	int class = 0;

	sum->energy += f->energy;
	sum->lost_energy += decimal_from_double(r->lost_wh, 3);
	sum->waited_for_room += r->waited;
	sum->completed += r->finished && !r->failed;
	sum->failed += r->failed;
	if (deadline_ms != TIME_NONE && (!r->finished || r->failed || r->end_ms > deadline_ms))
		sum->missed_deadlines++;
	if (r->finished)
		t->last_ms = MAX(t->last_ms, r->end_ms);
	if (!r->finished || r->failed)
		return;
	sum->wait_ms += (double)wait_ms(job, r);
	while (class < CLUSTER_WAITS - 1 && wait_ms(job, r) >= wait_limits[class])
		class ++;
	sum->waits[class]++;
}

/* "refused" and "hard-limit" never ran. */
static const char *result_of(const struct sim_job *job)
{
	const struct caj_status *s = &carbonawarejob_of(job->caj)->status;
	const struct condition *ready = condition_find(&s->conditions, COND_READY);
	const struct sim_run *r = &job->run[SERIES_OURS];

	if (r->finished)
		return r->failed ? "failed" : "completed";
	if (ready && strcmp(ready->reason, "Rejected") == 0)
		return "refused";
	if (condition_is_true(&s->conditions, COND_FAILED))
		return "limit-unmet";
	return "unfinished";
}

/* Without an end: is it the cluster's fault that it has none, or ours? */
static void check_end(struct world *w, const struct sim_job *job, const char *result)
{
	const struct sim_run *r = &job->run[SERIES_OURS];
	bool waits = false;

	w->totals->refused += strcmp(result, "refused") == 0;
	w->totals->limit_unmet += strcmp(result, "limit-unmet") == 0;
	if (strcmp(result, "unfinished") != 0)
		return;
	w->totals->unfinished++;
	for (size_t i = 0; i < r->pods.len; i++)
		waits |= r->pods.ptr[i].phase <= PHASE_RUNS;
	if (!waits)
		world_violation(w, CLUSTER_LOST, job);
}

static int64_t scaled(int64_t value, double by)
{
	return decimal_from_double((double)value * by, 0);
}

/* What one of the parts rests on a missing value for is left out of all of them. */
static void add_split(struct cluster_totals *t, const struct sim_job *job)
{
	const struct caj_savings *s = &job->savings;
	const struct caj_saving *parts[] = { &s->time, &s->place, &s->forecast_error, &s->total };
	struct cluster_saving *sums[] = { &t->time, &t->place, &t->forecast_error, &t->split_total };
	bool carbon = s->present, cost = s->present;
	double watts = job->trace.watts_per_pod, said, by = 1;

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		carbon &= parts[i]->carbon_known;
		cost &= parts[i]->cost_known;
	}
	/* Specs have whole watts, and all figures are in proportion to them. */
	said = (double)carbonawarejob_of(job->caj)->spec.power_watts_per_pod;
	if (said > 0 && watts > 0)
		by = watts / said;
	t->split_jobs += carbon;
	t->split_cost_jobs += cost;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		sums[i]->carbon += carbon ? scaled(parts[i]->carbon_milligrams, by) : 0;
		sums[i]->cost += cost ? scaled(parts[i]->cost_micros, by) : 0;
	}
}

static void write_side(FILE *out, const struct sim_run *r, const struct figures *f)
{
	char start[TIME_TEXT], end[TIME_TEXT], text[3][DECIMAL_TEXT];

	(void)fprintf(out, ",%s,%s,%s,%s,%s", time_format(r->start_ms, start), time_format(r->end_ms, end),
		      decimal_format(f->energy, 3, text[0]),
		      f->carbon_known ? decimal_format(f->carbon, 3, text[1]) : "",
		      f->cost_known ? decimal_format(f->cost, 6, text[2]) : "");
}

static const char *zone_of(const struct world *w, const struct sim_run *r)
{
	for (size_t i = r->pods.len; i-- > 0;)
		if (r->pods.ptr[i].node != NOBODY)
			return w->truth->zones[w->config->nodes->items[r->pods.ptr[i].node].zone].name;
	return "";
}

static void write_row(const struct world *w, const struct sim_job *job, const char *result,
		      const struct figures f[SERIES_SIDES])
{
	const struct sim_run *r = &job->run[SERIES_OURS];
	const struct caj_status *s = &carbonawarejob_of(job->caj)->status;
	const struct trace_job *t = &job->trace;
	char text[4][TIME_TEXT];

	(void)fprintf(w->config->out, "%s,%s,%s,%s,%s,%d,%s,%s,%s", t->id, w->truth->zones[t->zones[0]].name,
		      zone_of(w, r), result, time_format(t->arrival_ms, text[0]), t->pods,
		      time_format(s->latest_start_ms, text[1]), time_format(t->latest_finish_ms, text[2]),
		      time_format(job->released_ms, text[3]));
	write_side(w->config->out, r, &f[SERIES_OURS]);
	(void)fprintf(w->config->out, ",%d,%d", r->restarts, s->ledger.interruptions);
	write_side(w->config->out, &job->run[SERIES_BASELINE], &f[SERIES_BASELINE]);
	(void)fprintf(w->config->out, "\n");
}

static void count_late(struct cluster_totals *t, const struct sim_job *job)
{
	const struct caj_status *s = &carbonawarejob_of(job->caj)->status;
	const struct sim_run *r = &job->run[SERIES_OURS];

	if (s->latest_start_ms == TIME_NONE || job->released_ms == TIME_NONE)
		return;
	int64_t latest_ms = MAX(s->latest_start_ms, job->trace.earliest_ms) + CLUSTER_GRACE_MS;
	t->late_no_room += job->released_ms <= latest_ms && (r->placed_ms == TIME_NONE || r->placed_ms > latest_ms);
}

void cluster_fold(struct world *w, struct sim_job *job)
{
	struct cluster_totals *t = w->totals;
	struct figures f[SERIES_SIDES];
	const char *result = result_of(job);

	for (int side = 0; side < SERIES_SIDES; side++)
		figures_of(&job->run[side], &f[side]);
	add_side(t, &t->ours, job, &job->run[SERIES_OURS], &f[SERIES_OURS]);
	add_side(t, &t->baseline, job, &job->run[SERIES_BASELINE], &f[SERIES_BASELINE]);
	if (f[0].carbon_known && f[1].carbon_known) {
		t->ours.carbon += f[SERIES_OURS].carbon;
		t->baseline.carbon += f[SERIES_BASELINE].carbon;
	} else {
		t->carbon_unknown++;
	}
	if (f[0].cost_known && f[1].cost_known) {
		t->ours.cost += f[SERIES_OURS].cost;
		t->baseline.cost += f[SERIES_BASELINE].cost;
	} else {
		t->cost_unknown++;
	}
	t->infeasible += job->trace.latest_finish_ms != TIME_NONE &&
			 job->trace.earliest_ms + job->trace.duration_ms > job->trace.latest_finish_ms;
	t->pauses += carbonawarejob_of(job->caj)->status.ledger.interruptions;
	t->moves += carbonawarejob_of(job->caj)->status.ledger.moves;
	add_split(t, job);
	count_late(t, job);
	check_end(w, job, result);
	if (w->config->out)
		write_row(w, job, result, f);
}
