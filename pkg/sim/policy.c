/* SPDX-License-Identifier: Apache-2.0 */
/* The policies that need no more than a cost per slot; windows, scales and room for all. */
#include "sim/policy.h"

#include <limits.h>
#include <math.h>

#include "planner/length.h"
#include "planner/threshold.h"
#include "sim/internal.h"

const char *const policy_names[] = {
	[POLICY_NOW] = "now",
	[POLICY_LOWEST_SLOT] = "lowest-slot",
	[POLICY_LOWEST_WINDOW] = "lowest-window",
	[POLICY_CARBON_TIME] = "carbon-time",
	[POLICY_BLOCK] = "block",
	[POLICY_INTERRUPT] = "interrupt",
	[POLICY_ELASTIC] = "elastic",
	[POLICY_THRESHOLD] = "threshold",
	[POLICY_LOADSHIFT] = "loadshift",
	NULL,
};

bool policy_may_pause(const struct scenario *s, const struct job *job)
{
	if (job->max_interruptions == 0)
		return false;
	return s->policy == POLICY_INTERRUPT || s->policy == POLICY_ELASTIC || s->policy == POLICY_THRESHOLD ||
	       (s->policy == POLICY_LOADSHIFT && job->tells_pauses);
}

bool policy_may_scale(const struct scenario *s, const struct job *job)
{
	return job->scale.max > 0 && (s->policy == POLICY_ELASTIC || s->policy == POLICY_LOADSHIFT);
}

void task_init(struct task *t, const struct scenario *s, const struct job *job)
{
	const struct queue *queue = NULL;

	*t = (struct task){ .job = job,
			    .decide_ms = MIN(job->arrival_ms, job->earliest_ms),
			    .start_min_ms = job->earliest_ms,
			    .latest_start_ms = job->earliest_ms,
			    .baseline_ms = MAX(job->arrival_ms, job->earliest_ms),
			    .length_ms = job->duration_ms };
	for (int i = 0; i < s->n_queues; i++)
		if (job->given_ms <= s->queues[i].max_length_ms &&
		    (!queue || s->queues[i].max_length_ms < queue->max_length_ms))
			queue = &s->queues[i];
	if (queue) {
		t->length_ms = queue->mean_ms;
		t->latest_start_ms = MAX(job->arrival_ms, job->earliest_ms) + queue->wait_ms;
	}
	if (job->latest_finish_ms != TIME_NONE) {
		int64_t latest_ms = job->latest_finish_ms - job->duration_ms;

		t->latest_start_ms = queue ? MIN(t->latest_start_ms, latest_ms) : latest_ms;
	}
	t->deferrable = queue || job->latest_finish_ms != TIME_NONE;
}

void task_view(const struct scenario *s, const struct task *t, int64_t from_ms, int64_t as_of_ms, bool corrected,
	       struct arena *arena, struct view *ret)
{
	int64_t to_ms = MAX(t->latest_start_ms, from_ms) + MAX(t->job->duration_ms, t->length_ms);

	outlook_view(s->outlook, t->job->zones, t->job->n_zones, from_ms, MIN(to_ms, signals_end_ms(s->grid)), as_of_ms,
		     corrected, arena, ret);
}

/* Mean |value|; where only its being above 0 matters, the first such value will do. */
static double mean_size(const struct view *v, enum signal_kind kind, bool any)
{
	double sum = 0;
	int64_t n = 0;

	for (int z = 0; z < v->n_zones; z++) {
		for (int i = 0; i < v->n; i++) {
			double x = v->value[z][kind][i];

			if (isnan(x))
				continue;
			sum += fabs(x);
			n++;
			if (any && sum > 0)
				return sum;
		}
	}
	return n ? sum / (double)n : 0;
}

/* Terms of the objective. */
static int count_terms(const struct scenario *s)
{
	double w[SIGNAL_KINDS] = { s->weight_carbon, s->weight_cost };
	int terms = s->weight_delay > 0;

	for (int k = 0; k < SIGNAL_KINDS; k++)
		terms += s->grid->mean_size[k] > 0 && w[k] > 0;
	return terms;
}

/*
 * With one signal only, and no delay, the scale is left out: the objective is then grams or money.
 */
void price_of_scales(struct price_of *ret, const struct scenario *s, const double scale[SIGNAL_KINDS])
{
	double w[SIGNAL_KINDS] = { s->weight_carbon, s->weight_cost };
	double all = s->weight_carbon + s->weight_cost + s->weight_delay;
	int terms = count_terms(s);

	*ret = (struct price_of){ .delay_per_ms = 0 };
	for (int k = 0; k < SIGNAL_KINDS; k++)
		if (scale[k] > 0 && w[k] > 0)
			ret->k[k] = terms == 1 ? (k == SIGNAL_PRICE ? 1e-3 : 1) : w[k] / all / scale[k];
}

int price_series(const struct price_of *p, const struct signal_zone *zone, struct block_series ret[SIGNAL_KINDS])
{
	int n = 0;

	for (int k = 0; k < SIGNAL_KINDS; k++)
		if (p->k[k] != 0)
			ret[n++] = (struct block_series){ p->k[k], zone->column[k].sum, zone->column[k].unknown };
	return n;
}

static void price_init(struct price_of *ret, const struct scenario *s, const struct task *t, const struct view *v)
{
	double all = s->weight_carbon + s->weight_cost + s->weight_delay, scale[SIGNAL_KINDS];
	double w[SIGNAL_KINDS] = { s->weight_carbon, s->weight_cost };
	bool any = count_terms(s) == 1;

	for (int k = 0; k < SIGNAL_KINDS; k++)
		scale[k] = s->scale_series ? s->grid->mean_size[k]
			   : w[k] > 0      ? mean_size(v, (enum signal_kind)k, any)
					   : 0;
	price_of_scales(ret, s, scale);
	if (t->deferrable && t->latest_start_ms > t->start_min_ms)
		ret->delay_per_ms = s->weight_delay / all / (double)(t->latest_start_ms - t->start_min_ms);
}

void policy_price(const struct scenario *s, const struct task *t, struct arena *arena, struct price_of *ret)
{
	struct view v;

	task_view(s, t, t->start_min_ms, t->decide_ms, false, arena, &v);
	price_init(ret, s, t, &v);
}

bool has_room(const struct scenario *s, int zone, int64_t from_ms, int64_t to_ms, double watts)
{
	const struct signals *g = s->grid;

	if (!s->room || !s->room->watts[zone])
		return true;
	for (int64_t i = (from_ms - g->start_ms) / g->step_ms; g->start_ms + i * g->step_ms < to_ms && i < g->n; i++)
		if (s->room->watts[zone][i] < watts)
			return false;
	return true;
}

void policy_reserve(const struct scenario *s, const struct job *job, const struct plan *plan)
{
	const struct signals *g = s->grid;

	for (int i = 0; s->room && i < plan->n_segments; i++) {
		const struct planner_segment *p = &plan->segments[i];
		double *watts = s->room->watts[p->region];
		int64_t k = (p->start_ms - g->start_ms) / g->step_ms;

		for (; watts && k < g->n && g->start_ms + k * g->step_ms < p->end_ms; k++)
			watts[k] -= job_watts(job, p->parallelism);
	}
}

bool one_segment(struct arena *arena, struct plan *ret, int zone, int parallelism, int64_t start_ms, int64_t end_ms)
{
	*ret = (struct plan){ .segments = arena_new(arena, struct planner_segment), .n_segments = 1 };
	ret->segments[0] = (struct planner_segment){ (int16_t)zone, (int16_t)parallelism, start_ms, end_ms };
	return true;
}

static bool block_at(const struct task *t, struct arena *arena, int zone, int64_t start_ms, struct plan *ret)
{
	return one_segment(arena, ret, zone, MAX(t->job->scale.max, 1), start_ms, start_ms + t->job->duration_ms);
}

/* At home: at that time, or at the first border after it where there is room; false if that is past `last_ms`. */
static bool first_fit(const struct scenario *s, const struct task *t, int64_t from_ms, int64_t last_ms,
		      struct arena *arena, struct plan *ret)
{
	int64_t slot_ms = s->grid->step_ms;

	for (int64_t at = from_ms; at <= last_ms; at = time_slot_floor(at, slot_ms) + slot_ms)
		if (has_room(s, t->job->zones[0], at, at + t->job->duration_ms, t->job->power_w))
			return block_at(t, arena, t->job->zones[0], at, ret);
	return false;
}

/* Costs by zone of the job and slot of the view, per slot of full power and unit of the mean. */
struct costs {
	struct view view;
	struct slots slots;
	struct slot_sums *sums;
};

static double mean_value(const double *value, int n)
{
	double sum = 0;
	int known = 0;

	for (int i = 0; i < n; i++) {
		bool have = !isnan(value[i]);

		sum += have ? value[i] : 0;
		known += have;
	}
	return known ? sum / known : 0;
}

/* An unknown carbon value shuts a slot, an unknown price counts as the mean of the known ones. */
static void unit_costs(const struct view *v, const struct price_of *p, int zone, double *ret)
{
	const double *carbon = v->value[zone][SIGNAL_CARBON], *price = v->value[zone][SIGNAL_PRICE];
	double k_carbon = p->k[SIGNAL_CARBON], k_price = p->k[SIGNAL_PRICE];
	double fill = k_price != 0 ? mean_value(price, v->n) : 0;

	for (int i = 0; i < v->n; i++) {
		double c = k_carbon != 0 ? k_carbon * carbon[i] : 0;

		if (k_price != 0)
			c += k_price * (isnan(price[i]) ? fill : price[i]);
		ret[i] = isnan(c) || (k_carbon == 0 && k_price == 0) ? INFINITY : c;
	}
}

/* Of a view that is there. */
static void costs_fill(struct costs *c, const struct price_of *p, struct arena *arena)
{
	const double **cost = arena_array(arena, (size_t)c->view.n_zones, const double *);

	c->slots = (struct slots){ .first_ms = c->view.first_ms,
				   .slot_ms = c->view.slot_ms,
				   .n = c->view.n,
				   .n_regions = c->view.n_zones,
				   .cost = cost };
	c->sums = arena_array(arena, (size_t)c->view.n_zones, struct slot_sums);
	for (int z = 0; z < c->view.n_zones; z++) {
		double *v = arena_array(arena, (size_t)c->view.n + 1, double);

		unit_costs(&c->view, p, z, v);
		cost[z] = v;
		slot_sums_init(&c->sums[z], &c->slots, z, arena);
	}
}

static void costs_init(struct costs *c, const struct scenario *s, const struct task *t, struct arena *arena)
{
	struct price_of p;

	task_view(s, t, t->start_min_ms, t->decide_ms, false, arena, &c->view);
	price_init(&p, s, t, &c->view);
	costs_fill(c, &p, arena);
}

static bool under_cap(const struct view *v, int zone, enum signal_kind kind, double cap, int64_t start_ms,
		      int64_t end_ms)
{
	double sum = 0;

	if (isnan(cap))
		return true;
	for (int64_t t = start_ms, next; t < end_ms; t = next) {
		int64_t i = (t - v->first_ms) / v->slot_ms;

		next = MIN(v->first_ms + (i + 1) * v->slot_ms, end_ms);
		if (i >= v->n)
			return false;
		sum += v->value[zone][kind][i] * (double)(next - t);
	}
	return sum <= cap * (double)(end_ms - start_ms); /* false for an unknown one */
}

/* The whole job, as it really is, may run there then. */
static bool allowed(const struct scenario *s, const struct task *t, const struct view *v, int zone, int64_t start_ms)
{
	const struct job *job = t->job;
	int64_t end_ms = start_ms + job->duration_ms;

	return has_room(s, job->zones[zone], start_ms, end_ms, job->power_w) &&
	       under_cap(v, zone, SIGNAL_CARBON, job->max_carbon, start_ms, end_ms) &&
	       under_cap(v, zone, SIGNAL_PRICE, job->max_price, start_ms, end_ms);
}

static bool has_caps(const struct job *job)
{
	return !isnan(job->max_carbon) || !isnan(job->max_price);
}

/* What is done where nothing can be compared: at once, or as soon as there is room. */
static bool at_once(const struct scenario *s, const struct task *t, struct arena *arena, struct plan *ret)
{
	return !has_caps(t->job) && first_fit(s, t, t->start_min_ms, t->latest_start_ms, arena, ret);
}

static bool plan_lowest_slot(const struct scenario *s, const struct task *t, struct arena *arena, struct plan *ret)
{
	struct costs c;
	double best = INFINITY;
	int64_t start_ms = 0;
	int zone = 0;

	costs_init(&c, s, t, arena);
	for (int i = 0; i < c.view.n && slots_start_ms(&c.slots, i) <= t->latest_start_ms; i++) {
		int64_t at = MAX(slots_start_ms(&c.slots, i), t->start_min_ms);

		for (int z = 0; z < t->job->n_zones; z++) {
			if (!(c.sums[z].cost[i] < best) || !allowed(s, t, &c.view, z, at))
				continue;
			best = c.sums[z].cost[i];
			start_ms = at;
			zone = z;
		}
	}
	return best < INFINITY ? block_at(t, arena, t->job->zones[zone], start_ms, ret) : at_once(s, t, arena, ret);
}

/* Unknown prices count as a window's mean: then costs have to be made of its values, slot by slot. */
static bool sums_do(const struct view *v, const struct price_of *p, const int16_t *zones)
{
	int first = v->whole ? (int)((v->first_ms - v->whole->start_ms) / v->slot_ms) : 0;
	bool have = v->whole != NULL;

	for (int z = 0; z < v->n_zones && have && p->k[SIGNAL_PRICE] != 0; z++)
		have = v->whole->zones[zones[z]].column[SIGNAL_PRICE].unknown[first] >= first + v->n;
	return have;
}

/* The job's block in each of its zones, from the first start to the latest one. */
static struct block *blocks_of(const struct task *t, const struct view *v, const struct price_of *p,
			       struct arena *arena)
{
	int64_t count = (t->latest_start_ms - t->start_min_ms) / v->slot_ms + 1;
	struct block *b = arena_array(arena, (size_t)v->n_zones, struct block);
	struct block_series series[SIGNAL_KINDS];

	if (sums_do(v, p, t->job->zones)) {
		for (int z = 0; z < v->n_zones; z++)
			block_init(&b[z], series, price_series(p, &v->whole->zones[t->job->zones[z]], series),
				   v->whole->n, t->start_min_ms - v->whole->start_ms, t->length_ms, v->slot_ms, count);
	} else {
		struct costs c = { .view = *v };

		costs_fill(&c, p, arena);
		for (int z = 0; z < v->n_zones; z++) {
			series[0] = (struct block_series){ 1, c.sums[z].sum, c.sums[z].shut };
			block_init(&b[z], series, 1, v->n, t->start_min_ms - v->first_ms, t->length_ms, v->slot_ms,
				   count);
		}
	}
	return b;
}

/* The least cost of all starts that are allowed. */
static double least_allowed(const struct scenario *s, const struct task *t, const struct view *v, const struct block *b)
{
	bool all = !s->room && !has_caps(t->job);
	double best = INFINITY;

	for (int z = 0; z < v->n_zones; z++) {
		if (all)
			best = fmin(best, block_least(&b[z]));
		for (int i = 0; i < b[z].count && !all; i++) {
			double cost = block_cost(&b[z], i);

			if (cost < best && allowed(s, t, v, z, t->start_min_ms + i * v->slot_ms))
				best = cost;
		}
	}
	return best;
}

static bool plan_lowest_window(const struct scenario *s, const struct task *t, struct arena *arena, struct plan *ret)
{
	const struct job *job = t->job;
	struct price_of p;
	struct view v;
	struct block *b;
	double best;
	int start = INT_MAX, zone = 0;

	task_view(s, t, t->start_min_ms, t->decide_ms, false, arena, &v);
	price_init(&p, s, t, &v);
	if (p.k[SIGNAL_CARBON] == 0 && p.k[SIGNAL_PRICE] == 0)
		return at_once(s, t, arena, ret);
	b = blocks_of(t, &v, &p, arena);
	best = least_allowed(s, t, &v, b);
	for (int z = 0; z < v.n_zones && best < INFINITY; z++) {
		/* Sums differ in the last bits: of equal windows the earliest is taken, and home before others. */
		double at_most = best + 1e-12 * fabs(best) + block_noise(&b[z]);
		int i = block_next(&b[z], 0, at_most);

		while (i >= 0 && i < start && !allowed(s, t, &v, z, t->start_min_ms + i * v.slot_ms))
			i = block_next(&b[z], i + 1, at_most);
		if (i >= 0 && i < start) {
			start = i;
			zone = z;
		}
	}
	if (start == INT_MAX)
		return at_once(s, t, arena, ret);
	return block_at(t, arena, job->zones[zone], t->start_min_ms + start * v.slot_ms, ret);
}

static bool plan_carbon_time(const struct scenario *s, const struct task *t, struct arena *arena, struct plan *ret)
{
	struct length_points length = { .n = 1, .duration_ms = { t->length_ms }, .probability = { 1 } };
	int64_t end_ms = t->start_min_ms + t->length_ms, start_ms = t->start_min_ms;
	struct length_start found;
	struct costs c;
	double home, best = 0;
	int zone = 0;

	costs_init(&c, s, t, arena);
	home = slot_sums_cost(&c.sums[0], t->start_min_ms, end_ms);
	for (int z = 0; z < t->job->n_zones && home < INFINITY; z++) {
		double offset, hours;

		if (!length_best_start(&c.sums[z], &length, t->start_min_ms, t->latest_start_ms, s->grid->step_ms,
				       &found))
			continue;
		offset = home - slot_sums_cost(&c.sums[z], t->start_min_ms, end_ms);
		hours = (double)(found.start_ms - t->start_min_ms + t->length_ms) / (double)HOUR_MS;
		if (!((found.saving + offset) / hours > best))
			continue;
		best = (found.saving + offset) / hours;
		start_ms = found.start_ms;
		zone = z;
	}
	if (has_room(s, t->job->zones[zone], start_ms, start_ms + t->job->duration_ms, t->job->power_w))
		return block_at(t, arena, t->job->zones[zone], start_ms, ret);
	return first_fit(s, t, start_ms, t->latest_start_ms, arena, ret);
}

/* A part of a slot inside the window. */
struct piece {
	double cost;
	int64_t start_ms, end_ms;
};

static int cheaper(const void *pa, const void *pb)
{
	const struct piece *a = pa, *b = pb;

	if (a->cost != b->cost)
		return a->cost < b->cost ? -1 : 1;
	return (a->start_ms > b->start_ms) - (a->start_ms < b->start_ms);
}

static int sooner(const void *pa, const void *pb)
{
	const struct piece *a = pa, *b = pb;

	return (a->start_ms > b->start_ms) - (a->start_ms < b->start_ms);
}

/* Pauses are free: the cheapest pieces, and of the dearest of them no more than it takes. False: not enough open. */
static bool plan_pieces(const struct scenario *s, const struct task *t, struct arena *arena, struct plan *ret)
{
	int64_t finish_ms = t->latest_start_ms + t->job->duration_ms, left_ms = t->job->duration_ms;
	struct costs c;
	struct piece *p;
	int n = 0, used = 0;

	costs_init(&c, s, t, arena);
	p = arena_array(arena, (size_t)c.view.n + 1, struct piece);
	for (int i = 0; i < c.view.n; i++) {
		int64_t from = MAX(slots_start_ms(&c.slots, i), t->start_min_ms);
		int64_t to = MIN(slots_start_ms(&c.slots, i + 1), finish_ms);

		if (from < to && c.sums[0].cost[i] < INFINITY &&
		    has_room(s, t->job->zones[0], from, to, t->job->power_w))
			p[n++] = (struct piece){ c.sums[0].cost[i], from, to };
	}
	qsort(p, (size_t)n, sizeof(*p), cheaper);
	for (; used < n && left_ms > 0; used++) {
		p[used].end_ms = MIN(p[used].end_ms, p[used].start_ms + left_ms);
		left_ms -= p[used].end_ms - p[used].start_ms;
	}
	if (left_ms > 0)
		return false;
	qsort(p, (size_t)used, sizeof(*p), sooner);
	*ret = (struct plan){ .segments = arena_array(arena, (size_t)used, struct planner_segment) };
	for (int i = 0; i < used; i++) {
		if (i == 0 || p[i].start_ms > p[i - 1].end_ms)
			ret->segments[ret->n_segments++] =
				(struct planner_segment){ t->job->zones[0], (int16_t)MAX(t->job->scale.max, 1),
							  p[i].start_ms, p[i].end_ms };
		ret->segments[ret->n_segments - 1].end_ms = p[i].end_ms;
	}
	return true;
}

static bool plan_interrupt(const struct scenario *s, const struct task *t, struct arena *arena, struct plan *ret)
{
	const struct job *job = t->job;
	bool is_free = job->restart_wh == 0 && job->min_run_ms == 0 && job->max_interruptions == INTERRUPT_ANY;

	if (job->n_zones == 1 && is_free && !has_caps(job))
		return plan_pieces(s, t, arena, ret) || at_once(s, t, arena, ret);
	return plan_flex(s, t, arena, ret);
}

/* Prices of the days before, as they were. */
static bool recent_bounds(const struct scenario *s, const struct task *t, const struct price_of *p, double *low,
			  double *high)
{
	const struct signal_zone *zone = &s->grid->zones[t->job->zones[0]];
	int64_t end = (t->start_min_ms - s->grid->start_ms) / s->grid->step_ms;
	int64_t first = MAX(end - s->threshold_days * DAY_MS / s->grid->step_ms, 0);

	*low = INFINITY;
	*high = -INFINITY;
	for (int64_t i = first; i < end; i++) {
		double v = 0;

		for (int k = 0; k < SIGNAL_KINDS; k++)
			v += p->k[k] != 0 ? p->k[k] * zone->column[k].value[i] : 0;
		*low = fmin(*low, v);
		*high = fmax(*high, v);
	}
	return *low <= *high;
}

static bool plan_threshold(const struct scenario *s, const struct task *t, struct arena *arena, struct plan *ret)
{
	const struct job *job = t->job;
	const struct signal_zone *zone = &s->grid->zones[job->zones[0]];
	int64_t slot_ms = s->grid->step_ms, left_ms = job->duration_ms, now = t->start_min_ms, next;
	int k = (int)((job->duration_ms + slot_ms - 1) / slot_ms);
	int64_t finish_ms = t->latest_start_ms + job->duration_ms;
	double low, high, slot_wh = job->power_w * (double)slot_ms / (double)HOUR_MS;
	struct threshold rule;
	struct price_of p;
	bool running = false, blind;

	policy_price(s, t, arena, &p);
	blind = !recent_bounds(s, t, &p, &low, &high);
	/* A restart is one start and one stop. */
	threshold_init(&rule, low, high, blind || slot_wh <= 0 ? 0 : job->restart_wh / slot_wh * (low + high) / 4, k);
	*ret = (struct plan){ .segments = arena_array(arena, (size_t)k + 1, struct planner_segment) };
	for (; left_ms > 0; now = next) {
		int64_t i = (now - s->grid->start_ms) / slot_ms;
		int done = MIN((int)((job->duration_ms - left_ms) / slot_ms), k - 1);
		bool must, run;
		double price = 0;

		next = s->grid->start_ms + (i + 1) * slot_ms;
		must = finish_ms - next < left_ms; /* after one more slot it would be late */
		for (int kind = 0; kind < SIGNAL_KINDS; kind++)
			price += p.k[kind] != 0 ? p.k[kind] * zone->column[kind].value[i] : 0;
		run = must || blind || threshold_run(&rule, done, running, price, INT32_MAX);
		if (run) {
			next = MIN(next, now + left_ms);
			left_ms -= next - now;
			if (!running)
				ret->segments[ret->n_segments++] =
					(struct planner_segment){ job->zones[0], (int16_t)MAX(job->scale.max, 1), now,
								  now };
			ret->segments[ret->n_segments - 1].end_ms = next;
		}
		running = run;
	}
	return true;
}

bool policy_plan(const struct scenario *s, const struct task *t, struct arena *arena, struct plan *ret)
{
	static bool (*const plans[])(const struct scenario *, const struct task *, struct arena *, struct plan *) = {
		[POLICY_LOWEST_SLOT] = plan_lowest_slot, [POLICY_LOWEST_WINDOW] = plan_lowest_window,
		[POLICY_CARBON_TIME] = plan_carbon_time, [POLICY_BLOCK] = plan_block,
		[POLICY_INTERRUPT] = plan_interrupt,     [POLICY_ELASTIC] = plan_flex,
		[POLICY_THRESHOLD] = plan_threshold,     [POLICY_LOADSHIFT] = plan_loadshift,
	};

	if (s->policy == POLICY_NOW) /* late rather than never, as without us */
		return first_fit(s, t, t->baseline_ms, signals_end_ms(s->grid) - t->job->duration_ms, arena, ret);
	if (t->latest_start_ms < t->start_min_ms)
		return false;
	if (!t->deferrable)
		return first_fit(s, t, t->start_min_ms, signals_end_ms(s->grid) - t->job->duration_ms, arena, ret);
	if (t->job->critical)
		return first_fit(s, t, t->start_min_ms, t->latest_start_ms, arena, ret);
	return plans[s->policy](s, t, arena, ret);
}
