/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts by the truth, and lower bounds. */
#include "sim/account.h"

#include <math.h>

#include "sim/internal.h"

void account_run(const struct scenario *s, int zone, int64_t start_ms, int64_t end_ms, double watts, double restart_wh,
		 struct figures *ret)
{
	const struct signals *truth = s->truth;
	double unit[SIGNAL_KINDS] = { 1e-3, 1e-6 }, sum[SIGNAL_KINDS];

	for (int k = 0; k < SIGNAL_KINDS; k++) {
		double v = NAN;

		if (!signals_integral(truth, zone, (enum signal_kind)k, start_ms, end_ms, &v))
			v = NAN;
		sum[k] = v * watts * unit[k];
		if (restart_wh > 0)
			sum[k] += truth->zones[zone].column[k].value[(start_ms - truth->start_ms) / truth->step_ms] *
				  restart_wh * unit[k];
	}
	*ret = (struct figures){
		.energy_wh = watts * (double)(end_ms - start_ms) / (double)HOUR_MS + restart_wh,
		.carbon_g = sum[SIGNAL_CARBON],
		.cost = sum[SIGNAL_PRICE],
	};
}

double account_objective(const struct price_of *p, const struct figures *f)
{
	double v = 0;

	/* k is per g/kWh and per currency/MWh. */
	if (p->k[SIGNAL_CARBON] != 0)
		v += p->k[SIGNAL_CARBON] * f->carbon_g;
	if (p->k[SIGNAL_PRICE] != 0)
		v += p->k[SIGNAL_PRICE] * f->cost * 1e3;
	return v;
}

/* Objective per kWh of step i in that zone; INFINITY if it is not known. */
static double step_cost(const struct scenario *s, const struct price_of *p, int zone, int64_t i)
{
	double c = 0;

	for (int k = 0; k < SIGNAL_KINDS; k++)
		if (p->k[k] != 0)
			c += p->k[k] * s->truth->zones[zone].column[k].value[i];
	return isnan(c) ? INFINITY : c;
}

/* Step costs of a window. */
struct window {
	const struct signals *truth;
	int64_t first;
	int n;
	double *cost;
};

static void window_init(struct window *w, const struct scenario *s, const struct task *t, const struct price_of *p,
			int zone, struct arena *arena)
{
	const struct signals *g = s->truth;
	int64_t end_ms = MIN(t->latest_start_ms + t->job->duration_ms, signals_end_ms(g));

	w->truth = g;
	w->first = (t->start_min_ms - g->start_ms) / g->step_ms;
	w->n = (int)((end_ms - g->start_ms + g->step_ms - 1) / g->step_ms - w->first);
	w->cost = arena_array(arena, (size_t)w->n + 1, double);
	for (int i = 0; i < w->n; i++)
		w->cost[i] = step_cost(s, p, zone, w->first + i);
}

/* The least mean cost, with its delay, of the starts from one time to another that lie whole steps apart. */
static double best_of_starts(const struct scenario *s, const struct task *t, const struct price_of *p, int zone,
			     int64_t from_ms, int64_t to_ms)
{
	const struct signals *g = s->truth;
	double share = (double)g->step_ms / (double)t->job->duration_ms;
	struct block_series series[SIGNAL_KINDS];
	struct block b;

	if (from_ms > to_ms)
		return INFINITY;
	block_init(&b, series, price_series(p, &g->zones[zone], series), g->n, from_ms - g->start_ms,
		   t->job->duration_ms, g->step_ms, (to_ms - from_ms) / g->step_ms + 1);
	b.per_start = p->delay_per_ms * (double)g->step_ms / share;
	return block_least(&b) * share + p->delay_per_ms * (double)(from_ms - t->start_min_ms);
}

static int64_t next_at(const struct signals *g, int64_t t_ms, int64_t into_ms)
{
	int64_t at = time_slot_floor(t_ms - g->start_ms - into_ms, g->step_ms) + into_ms + g->start_ms;

	return at < t_ms ? at + g->step_ms : at;
}

/* The cost is linear between the starts at which an end of the block meets a step, and the first and the last one. */
static double best_block(const struct scenario *s, const struct task *t, const struct price_of *p, int zone)
{
	const struct signals *g = s->truth;
	int64_t part = t->job->duration_ms % g->step_ms, first_ms = t->start_min_ms, last_ms = t->latest_start_ms;
	int64_t border_ms = next_at(g, first_ms, 0);
	double best;

	if (first_ms > last_ms)
		return INFINITY;
	best = best_of_starts(s, t, p, zone, border_ms, last_ms);
	if (first_ms != border_ms)
		best = fmin(best, best_of_starts(s, t, p, zone, first_ms, first_ms));
	if ((last_ms - border_ms) % g->step_ms)
		best = fmin(best, best_of_starts(s, t, p, zone, last_ms, last_ms));
	if (part)
		best = fmin(best, best_of_starts(s, t, p, zone, next_at(g, first_ms, g->step_ms - part), last_ms));
	return best;
}

struct moment {
	double cost, ms;
};

static int cheaper(const void *pa, const void *pb)
{
	const struct moment *a = pa, *b = pb;

	return (a->cost > b->cost) - (a->cost < b->cost);
}

/* The cheapest moments, wherever they are. */
static double best_moments(const struct window *w, int n_zones, const struct task *t, struct arena *arena)
{
	int64_t step = w->truth->step_ms, border = w->truth->start_ms + w->first * step;
	int64_t finish_ms = t->latest_start_ms + t->job->duration_ms;
	double left = (double)t->job->duration_ms, sum = 0;
	struct moment *m = arena_array(arena, (size_t)w->n + 1, struct moment);

	for (int i = 0; i < w->n; i++, border += step) {
		m[i].cost = INFINITY;
		for (int z = 0; z < n_zones; z++)
			m[i].cost = fmin(m[i].cost, w[z].cost[i]);
		m[i].ms = (double)(MIN(border + step, finish_ms) - MAX(border, t->start_min_ms));
	}
	qsort(m, (size_t)w->n, sizeof(*m), cheaper);
	for (int i = 0; i < w->n && left > 0 && m[i].cost < INFINITY; i++) {
		double ms = fmin(left, m[i].ms);

		sum += ms * m[i].cost;
		left -= ms;
	}
	return left > 0 ? INFINITY : sum / (double)t->job->duration_ms;
}

/* kWh * objective at its least, of any plan of levels. Pauses are allowed and free: a bound all the more. */
static double best_levels(const struct window *w, int n_zones, const struct task *t, struct arena *arena)
{
	const struct job *job = t->job;
	const double **cost = arena_array(arena, (size_t)n_zones, const double *);
	int64_t step = w->truth->step_ms;
	double work = job->scale.throughput[job->scale.max] * (double)job->duration_ms / (double)step;
	struct slots slots = { .first_ms = w->truth->start_ms + w->first * step,
			       .slot_ms = step,
			       .n = MIN(w->n, PLANNER_MAX_SLOTS),
			       .n_regions = n_zones,
			       .cost = cost };
	struct interrupt_job as = { .earliest_ms = t->start_min_ms,
				    .finish_by_ms = t->latest_start_ms + job->duration_ms,
				    .duration_ms = job->duration_ms,
				    .max_interruptions = INTERRUPT_ANY,
				    .region = PLANNER_NO_REGION };
	struct elastic_plan plan;

	for (int z = 0; z < n_zones; z++)
		cost[z] = w[z].cost;
	/* elastic_plan() looks at one zone at a time; the bound of a job that may move is that of the least of both. */
	for (int z = 1; z < n_zones; z++)
		for (int i = 0; i < slots.n; i++)
			w[0].cost[i] = fmin(w[0].cost[i], w[z].cost[i]);
	slots.n_regions = 1;
	if (w->n > PLANNER_MAX_SLOTS || !elastic_plan(&slots, &as, work, &job->scale, true, arena, &plan))
		return INFINITY;
	return plan.bound * (double)step / (double)job->duration_ms;
}

double account_bound(const struct scenario *s, const struct task *t, const struct price_of *p, struct arena *arena)
{
	int n_zones = s->policy == POLICY_NOW ? 1 : t->job->n_zones;
	struct window *w = arena_array(arena, (size_t)n_zones, struct window);
	double best = INFINITY;

	if (!policy_may_scale(s, t->job) && !policy_may_pause(s, t->job)) {
		for (int z = 0; z < n_zones; z++)
			best = fmin(best, best_block(s, t, p, t->job->zones[z]));
	} else {
		for (int z = 0; z < n_zones; z++)
			window_init(&w[z], s, t, p, t->job->zones[z], arena);
		best = policy_may_scale(s, t->job) ? best_levels(w, n_zones, t, arena)
						   : best_moments(w, n_zones, t, arena);
	}
	return best < INFINITY ? best * t->job->power_w / 1000 * (double)t->job->duration_ms / (double)HOUR_MS : NAN;
}
