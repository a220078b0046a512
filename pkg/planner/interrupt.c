/* SPDX-License-Identifier: Apache-2.0 */
/* Which grids an interruptible job is looked for in; the cheapest slots where pauses are free; what the plan costs. */
#include "planner/interrupt.h"

#include <assert.h>
#include <math.h>

#include "planner/interrupt_internal.h"

double interrupt_head_cost(const struct interrupt_grid *g, int region)
{
	int slot = g->first - 1;
	const struct slot_sums *sums = &g->sums[region];
	double c;

	if (sums->shut[slot] == slot)
		return INFINITY;
	c = sums->cost[slot];
	return c * (double)g->head_ms / (double)g->s->slot_ms +
	       (g->job->region != PLANNER_NO_REGION && !g->job->running ? interrupt_restart(g->job, c) : 0);
}

static int64_t ceil_div(int64_t a, int64_t b)
{
	return a <= 0 ? 0 : (a + b - 1) / b;
}

/* How many pauses have to be told apart. */
static void count_pauses(struct interrupt_grid *g, bool counted)
{
	const struct interrupt_job *job = g->job;
	int64_t most = job->max_interruptions == INTERRUPT_ANY ? INTERRUPT_MAX_COUNTED : job->max_interruptions;

	g->counted = counted;
	most = MIN(most, INTERRUPT_MAX_COUNTED);
	if (job->checkpoint_ms == 0)
		most = MIN(most, ceil_div(job->duration_ms, MAX(job->min_run_ms, 1)) + job->running);
	most = MIN(most, g->end - g->first + 1);
	g->counts = counted ? (int)MAX(most, 0) + 1 : 1;
}

/*
 * head: whether it runs in the slot that the earliest time is in. False if there is no such grid: for a job that has
 * not begun, a whole slot is one like any other; one that runs may not pause before its minimum run.
 */
static bool grid_init(struct interrupt_grid *g, const struct slots *s, const struct interrupt_job *job, bool head,
		      bool counted, const struct slot_sums *sums)
{
	int64_t since = job->earliest_ms - s->first_ms, slot = since / s->slot_ms, into = since % s->slot_ms;
	int64_t until = job->finish_by_ms - s->first_ms, left;

	*g = (struct interrupt_grid){ .s = s, .job = job, .head = head, .sums = sums };
	if (since < 0 || slot >= s->n || (head && into == 0 && !job->running))
		return false;
	if (!head && job->running && (job->ran_ms < job->min_run_ms || job->max_interruptions == 0))
		return false;
	g->first = (int)slot + (head || into > 0);
	g->end = (int)CLAMP(until / s->slot_ms, 0, s->n);
	g->head_ms = head ? s->slot_ms - into : 0;
	if (g->first > g->end || (head && g->head_ms >= job->duration_ms))
		return false;
	g->run = (int)CLAMP(ceil_div(job->min_run_ms, s->slot_ms), 1, s->n + 1);
	g->move = (int)MIN(ceil_div(job->move_ms, s->slot_ms), s->n + 1);
	count_pauses(g, counted);
	for (int j = 0; j < g->counts; j++) {
		int64_t pauses = j - (job->running && !head); /* the one at once has no work to save in whole slots */

		left = job->duration_ms + MAX(pauses, 0) * job->checkpoint_ms - g->head_ms;
		g->full[j] = (int)MIN((left - 1) / s->slot_ms, PLANNER_MAX_SLOTS);
		g->part_ms[j] = left - g->full[j] * s->slot_ms;
		if (g->full[j] > g->end - g->first) {
			g->counts = j; /* so many pauses leave no time */
			break;
		}
	}
	left = job->min_run_ms - g->head_ms - (job->running ? job->ran_ms : 0);
	if (head && g->counts)
		g->head_run = (int)MIN(ceil_div(left, s->slot_ms), g->full[0]);
	if (head && g->head_run * s->slot_ms < left) { /* the work ends before a pause is allowed */
		g->counted = true;
		g->counts = MIN(g->counts, 1);
	}
	return g->counts > 0;
}

/* A max-heap of slots by cost, later ones first of equals. */
static bool dearer(const double *cost, int a, int b)
{
	return cost[a] != cost[b] ? cost[a] > cost[b] : a > b;
}

static void sift_down(int *heap, int n, const double *cost, int i)
{
	for (int child; (child = 2 * i + 1) < n; i = child) {
		int x = heap[i];

		if (child + 1 < n && dearer(cost, heap[child + 1], heap[child]))
			child++;
		if (!dearer(cost, heap[child], x))
			return;
		heap[i] = heap[child];
		heap[child] = x;
	}
}

static void sift_up(int *heap, const double *cost, int i)
{
	for (; i > 0 && dearer(cost, heap[i], heap[(i - 1) / 2]); i = (i - 1) / 2) {
		int x = heap[i];

		heap[i] = heap[(i - 1) / 2];
		heap[(i - 1) / 2] = x;
	}
}

struct cheapest {
	int heap[PLANNER_MAX_SLOTS];
	int n, want;
	double sum;
};

static void cheapest_add(struct cheapest *c, const double *cost, int slot)
{
	if (c->n < c->want) {
		c->heap[c->n] = slot;
		c->sum += cost[slot];
		sift_up(c->heap, cost, c->n++);
	} else if (c->want > 0 && cost[slot] < cost[c->heap[0]]) {
		c->sum += cost[slot] - cost[c->heap[0]];
		c->heap[0] = slot;
		sift_down(c->heap, c->n, cost, 0);
	}
}

/* Adds the open slots first .. last - 1; if best is not NULL, finds the slot to end in. */
static void cheapest_walk(const struct interrupt_grid *g, struct cheapest *c, int until, double head, double *best,
			  int *last)
{
	int region = g->regions[0];
	const struct slot_sums *sums = &g->sums[region];

	c->n = 0;
	c->sum = 0;
	c->want = g->full[0];
	for (int i = g->first; i < until; i++) {
		if (sums->shut[i] == i)
			continue;
		if (best && c->n == c->want) {
			double cost = head + c->sum + interrupt_last_cost(g, region, i, g->part_ms[0]);

			if (cost < *best) {
				*best = cost;
				*last = i;
			}
		}
		cheapest_add(c, sums->cost, i);
	}
}

void interrupt_cheapest(const struct interrupt_grid *g, struct interrupt_way *way)
{
	struct cheapest c;
	bool chosen[PLANNER_MAX_SLOTS + 1];
	double best = way->cost, head = g->head ? interrupt_head_cost(g, g->regions[0]) : 0;
	int last = -1, n = 0;

	if (g->job->region != PLANNER_NO_REGION && g->job->region != g->regions[0])
		return;
	cheapest_walk(g, &c, MIN(g->end + 1, g->s->n), head, &best, &last);
	if (last < 0)
		return;
	memset(chosen, 0, sizeof(chosen));
	cheapest_walk(g, &c, last, head, NULL, NULL);
	for (int i = 0; i < c.n; i++)
		chosen[c.heap[i]] = true;
	if (g->head)
		way->segments[n++] = (struct planner_segment){ g->regions[0], 1, g->job->earliest_ms,
							       slots_start_ms(g->s, g->first) };
	chosen[last] = true;
	for (int i = g->first; i <= last; i++) {
		int64_t start_ms = slots_start_ms(g->s, i), end_ms = start_ms + g->s->slot_ms;

		if (!chosen[i])
			continue;
		if (n == 0 || way->segments[n - 1].end_ms != start_ms)
			way->segments[n++] = (struct planner_segment){ g->regions[0], 1, start_ms, 0 };
		way->segments[n - 1].end_ms = i == last ? start_ms + g->part_ms[0] : end_ms;
	}
	way->n_segments = n;
	way->cost = best;
}

/* The whole job fits into the slot that its earliest time is in. */
static void try_head_alone(const struct slots *s, const struct interrupt_job *job, const struct slot_sums *sums,
			   int16_t region, struct interrupt_way *way)
{
	int64_t end_ms = job->earliest_ms + job->duration_ms;
	int slot = (int)((job->earliest_ms - s->first_ms) / s->slot_ms);
	double cost;

	if (job->earliest_ms < s->first_ms || slot >= s->n || end_ms > slots_start_ms(s, slot + 1) ||
	    end_ms > job->finish_by_ms || sums->shut[slot] == slot)
		return;
	if (job->region != PLANNER_NO_REGION && job->region != region)
		return;
	cost = sums->cost[slot] * (double)job->duration_ms / (double)s->slot_ms;
	if (job->region != PLANNER_NO_REGION && !job->running)
		cost += interrupt_restart(job, sums->cost[slot]);
	if (cost >= way->cost)
		return;
	way->cost = cost;
	way->n_segments = 1;
	way->segments[0] = (struct planner_segment){ region, 1, job->earliest_ms, end_ms };
}

static bool pauses_are_free(const struct interrupt_grid *g)
{
	const struct interrupt_job *job = g->job;

	return g->n_regions == 1 && !g->counted && job->restart_slots <= 0 && g->head_run == 0 &&
	       job->min_run_ms <= g->part_ms[0] && (!g->head || job->min_run_ms <= g->head_ms);
}

static void try_grid(const struct slots *s, const struct interrupt_job *job, const struct slot_sums *sums,
		     const int16_t *regions, int n_regions, bool counted, struct interrupt_way *way)
{
	struct interrupt_grid g;

	for (int head = 1; head >= 0; head--) {
		if (!grid_init(&g, s, job, head, counted, sums))
			continue;
		g.regions = regions;
		g.n_regions = n_regions;
		g.layers = n_regions > 1 ? job->max_moves + 1 : 1;
		if (pauses_are_free(&g))
			interrupt_cheapest(&g, way);
		else
			interrupt_search(&g, way);
	}
}

static bool goes_on(const struct interrupt_job *job, const struct planner_segment *first)
{
	return job->running && first->start_ms == job->earliest_ms && first->region == job->region;
}

static int pauses_of(const struct interrupt_job *job, const struct interrupt_way *way)
{
	return way->n_segments - 1 + (job->running && !goes_on(job, way->segments));
}

static bool has_room(const struct slots *s, const struct interrupt_job *job, int n_regions, bool counted)
{
	int64_t states = MIN(job->duration_ms / s->slot_ms, s->n) + INTERRUPT_MAX_COUNTED + 1;
	int64_t width = (states + INTERRUPT_BLOCK - 1) / INTERRUPT_BLOCK * INTERRUPT_BLOCK;
	int64_t counts = counted ? MIN((unsigned)job->max_interruptions, INTERRUPT_MAX_COUNTED) + 1 : 1;

	return (s->n + 1) * width * counts * n_regions * (job->max_moves + 1) <= INTERRUPT_MAX_STATES;
}

/* All regions together where the job may move, else one by one. */
static void try_regions(const struct slots *s, const struct interrupt_job *job, const struct slot_sums *sums,
			const int16_t *regions, int n_regions, bool counted, struct interrupt_way *way)
{
	if (n_regions > 1 && job->max_moves > 0 && has_room(s, job, n_regions, counted)) {
		try_grid(s, job, sums, regions, n_regions, counted, way);
		return;
	}
	for (int r = 0; r < n_regions; r++)
		try_grid(s, job, sums, regions + r, 1, counted, way);
}

static void plan_fill(const struct interrupt_job *job, const struct slot_sums *sums, const struct interrupt_way *way,
		      struct arena *arena, struct interrupt_plan *ret)
{
	int n = way->n_segments, at = job->region;
	int64_t end_ms = way->segments[n - 1].end_ms;
	bool begun = job->region != PLANNER_NO_REGION;

	*ret = (struct interrupt_plan){ .cost = way->cost, .n_segments = n, .interruptions = pauses_of(job, way) };
	ret->segments = arena_array(arena, (size_t)n, struct planner_segment);
	memcpy(ret->segments, way->segments, (size_t)n * sizeof(*ret->segments));
	for (int i = 0; i < n; i++) {
		const struct planner_segment *g = &ret->segments[i];
		const struct slot_sums *c = &sums[g->region];
		int slot = (int)((g->start_ms - c->slots->first_ms) / c->slots->slot_ms);

		ret->run_cost += slot_sums_cost(c, g->start_ms, g->end_ms);
		ret->restart_cost += begun && !(i == 0 && goes_on(job, g)) ? interrupt_restart(job, c->cost[slot]) : 0;
		ret->moves += at != PLANNER_NO_REGION && at != g->region;
		at = g->region;
		begun = true;
	}
	ret->move_cost = ret->moves * job->move_cost;
	ret->delay_cost = job->delay_per_ms * (double)(end_ms - job->earliest_ms - job->duration_ms);
}

bool interrupt_plan(const struct slots *s, const struct interrupt_job *given, struct arena *arena,
		    struct interrupt_plan *ret)
{
	struct interrupt_job job = *given;
	struct slot_sums *sums = arena_array(arena, (size_t)s->n_regions, struct slot_sums);
	struct planner_segment segments[PLANNER_MAX_SLOTS + 1];
	struct interrupt_way way = { INFINITY, segments, 0 };
	int16_t regions[PLANNER_MAX_REGIONS];
	int n = 0;

	assert(job.duration_ms > 0 && s->n <= PLANNER_MAX_SLOTS && s->n_regions <= PLANNER_MAX_REGIONS);
	assert(job.max_moves >= 0 && job.max_moves <= INTERRUPT_MAX_MOVES);
	job.min_run_ms = MIN(job.min_run_ms, job.duration_ms + (job.running ? job.ran_ms : 0));
	for (int r = 0; r < s->n_regions; r++) {
		if (!s->cost[r] && r != job.region)
			continue;
		slot_sums_init(&sums[r], s, r, arena);
		try_head_alone(s, &job, &sums[r], (int16_t)r, &way);
		regions[n++] = (int16_t)r;
	}
	if (job.checkpoint_ms == 0 || job.max_interruptions == 0)
		try_regions(s, &job, sums, regions, n, job.max_interruptions == 0, &way);
	if (job.checkpoint_ms > 0 ||
	    (way.n_segments && job.max_interruptions > 0 && pauses_of(&job, &way) > job.max_interruptions)) {
		way.cost = INFINITY;
		way.n_segments = 0;
		for (int i = 0; i < n; i++)
			try_head_alone(s, &job, &sums[regions[i]], regions[i], &way);
		try_regions(s, &job, sums, regions, n, true, &way);
	}
	if (way.n_segments == 0)
		return false;
	plan_fill(&job, sums, &way, arena, ret);
	return true;
}
