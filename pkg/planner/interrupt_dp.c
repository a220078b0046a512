/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dynamic programme: for each border, plane (moves so far, region, pauses so far) and number of whole slots run,
 * the least cost of having got there running (`on`, the segment being long enough to pause) or idle (`off`).
 */
#include <math.h>

#include "planner/internal.h"
#include "planner/interrupt_internal.h"

/* How the running and the idle state were reached, else by going on as before. One byte tells both. */
enum how { HOW_STARTED = 1, HOW_ORIGIN = 2, HOW_PAUSED = 4, HOW_ARRIVED = 8, HOW_NEXT = 16 };

#define FROM_ON 128 /* of the byte that names the region's index of a move */
#define RANKS 2     /* a move goes elsewhere, so that the best region to leave is not always it */

/*
 * Rows are padded to whole blocks. A row of `off` has as many states behind INFINITY as a segment is long at least, so
 * that starting needs no lower end. Of `on` there is one row per plane, in which a state stays where it is while the
 * job runs on: state m of border b is at m - b from the end, so that a step adds to it in place.
 */
struct table {
	const struct interrupt_grid *g;
	int width, ring; /* states of a plane; borders that `off` and `away` remember */
	int on_width, off_width;
	size_t planes, origins;
	double *spare; /* a row: INFINITY, or what the row of `on` was that is being overwritten */
	double *on;    /* [plane][on_width] */
	double *off;   /* [border % ring][plane][off_width] */
	double *away; /* [border % ring][layer][pauses][rank][width]: leaving from the best region, and the next best */
	uint64_t *how; /* [border - first][plane][width / 8], a byte per state: see how_shift() */
	uint8_t *from; /* [border - first][layer][pauses][rank][width] */
};

struct state {
	bool on;
	bool leaving; /* idle, before arrivals at that border */
	int layer, r, j, border, m;
};

struct finish {
	double cost;
	struct state at;
	bool direct; /* from off: the last segment is as short as it may be */
};

static size_t plane_of(const struct table *t, int layer, int r, int j)
{
	return ((size_t)layer * (size_t)t->g->n_regions + (size_t)r) * (size_t)t->g->counts + (size_t)j;
}

static size_t origin_of(const struct table *t, int layer, int j, int rank)
{
	return ((size_t)layer * (size_t)t->g->counts + (size_t)j) * RANKS + (size_t)rank;
}

static double *on_of(const struct table *t, int border, int layer, int r, int j)
{
	return t->on + plane_of(t, layer, r, j) * (size_t)t->on_width + (t->g->end - border);
}

static double *off_of(const struct table *t, int border, int layer, int r, int j)
{
	size_t row = (size_t)(border % t->ring) * t->planes + plane_of(t, layer, r, j);

	return t->off + row * (size_t)t->off_width + t->g->run;
}

static double *away_of(const struct table *t, int border, int layer, int j, int rank)
{
	return t->away + ((size_t)(border % t->ring) * t->origins + origin_of(t, layer, j, rank)) * (size_t)t->width;
}

static uint64_t *how_of(const struct table *t, int border, int layer, int r, int j)
{
	size_t row = (size_t)(border - t->g->first);

	return t->how + (row * t->planes + plane_of(t, layer, r, j)) * (size_t)t->width / sizeof(uint64_t);
}

/*
 * A block of states shares LANES words. They go to them in turn, so that a step, which takes LANES states at once,
 * moves no byte from one lane to another.
 */
static uint64_t *how_word(uint64_t *how, int m)
{
	return how + m / INTERRUPT_BLOCK * LANES + m % LANES;
}

static int how_shift(int m)
{
	return m % INTERRUPT_BLOCK / LANES * 8;
}

static void how_add(uint64_t *how, int m, enum how bits)
{
	*how_word(how, m) |= (uint64_t)bits << how_shift(m);
}

static uint8_t *from_of(const struct table *t, int border, int layer, int j, int rank)
{
	size_t row = (size_t)(border - t->g->first);

	return t->from + (row * t->origins + origin_of(t, layer, j, rank)) * (size_t)t->width;
}

static double *infinities(size_t n)
{
	double *v = xmalloc(n * sizeof(*v));

	for (size_t i = 0; i < n; i++)
		v[i] = INFINITY;
	return v;
}

static void table_init(struct table *t, const struct interrupt_grid *g)
{
	size_t rows = (size_t)(g->end - g->first) + 1, states = (size_t)g->full[g->counts - 1] + 1, width;

	width = (states + INTERRUPT_BLOCK - 1) / INTERRUPT_BLOCK * INTERRUPT_BLOCK;
	*t = (struct table){ .g = g, .width = (int)width, .ring = g->run + g->move + 1 };
	t->on_width = (int)(width + rows);
	t->off_width = (int)width + g->run;
	t->planes = (size_t)(g->layers * g->n_regions * g->counts);
	t->origins = (size_t)((g->layers - 1) * g->counts) * RANKS;
	t->spare = infinities(width);
	t->on = infinities(t->planes * (size_t)t->on_width);
	t->off = infinities((size_t)t->ring * t->planes * (size_t)t->off_width);
	t->away = infinities((size_t)t->ring * t->origins * width + 1);
	t->how = xmalloc(rows * t->planes * width); /* a byte each */
	memset(t->how, 0, t->planes * width);       /* steps write the other rows */
	t->from = xcalloc(rows * t->origins + 1, width);
}

static void table_release(struct table *t)
{
	free(t->spare);
	free(t->on);
	free(t->off);
	free(t->away);
	free(t->how);
	free(t->from);
}

/* The job's state at the first border, when it did not run in the head. */
static void begin_idle(const struct table *t)
{
	const struct interrupt_grid *g = t->g;
	const struct interrupt_job *job = g->job;
	int pausing = job->running && g->counted ? 1 : 0;

	for (int r = 0; r < g->n_regions; r++) {
		if (job->region == PLANNER_NO_REGION || job->region == g->regions[r])
			off_of(t, g->first, 0, r, pausing)[0] = 0;
	}
}

/* The state after the head and the whole slots that must follow it. */
static void begin_running(const struct table *t, int border)
{
	const struct interrupt_grid *g = t->g;
	const struct interrupt_job *job = g->job;

	for (int r = 0; r < g->n_regions; r++) {
		const struct slot_sums *sums = &g->sums[g->regions[r]];

		if ((job->region != PLANNER_NO_REGION && job->region != g->regions[r]) ||
		    (border > g->first && sums->shut[g->first] < border))
			continue;
		on_of(t, border, 0, r, 0)[g->head_run] =
			interrupt_head_cost(g, g->regions[r]) + sums->sum[border] - sums->sum[g->first];
		how_add(how_of(t, border, 0, r, 0), g->head_run, HOW_ORIGIN);
	}
}

/* So many blocks of states, each by staying idle or by having paused, and by going on or by starting. */
static WIDE_VECTORS void step_states(double *restrict off, const double *restrict stay, const double *restrict pause,
				     double *restrict on, const double *restrict idle, uint64_t *restrict how, int n,
				     double slot, double start)
{
	uint64_t bits[INTERRUPT_BLOCK];

	for (int block = 0; block < n; block += INTERRUPT_BLOCK) {
		for (int k = 0; k < INTERRUPT_BLOCK; k++) {
			int m = block + k;
			double going = on[m] + slot, starting = idle[m] + start;

			bits[k] = (pause[m] < stay[m] ? (uint64_t)HOW_PAUSED : 0) |
				  (starting < going ? (uint64_t)HOW_STARTED : 0);
			off[m] = MIN(pause[m], stay[m]);
			on[m] = MIN(starting, going);
		}
		for (int k = 0; k < LANES; k++)
			how[block / 8 + k] = bits[k] | bits[LANES + k] << 8 | bits[2 * LANES + k] << 16 |
					     bits[3 * LANES + k] << 24 | bits[4 * LANES + k] << 32 |
					     bits[5 * LANES + k] << 40 | bits[6 * LANES + k] << 48 |
					     bits[7 * LANES + k] << 56;
	}
}

/* Costs of a step to a border in a region: of the slot before it, and of a segment of the least length up to it. */
struct step {
	double slot, start, restart;
	bool fresh; /* starting without having run before is no resumption */
};

static struct step step_costs(const struct table *t, int border, int layer, int r)
{
	const struct interrupt_grid *g = t->g;
	const struct slot_sums *sums = &g->sums[g->regions[r]];
	struct step x = { INFINITY, INFINITY, INFINITY, false };
	int from = border - g->run;

	if (sums->shut[border - 1] >= border)
		x.slot = sums->cost[border - 1];
	if (from < g->first || sums->shut[from] < border)
		return x;
	x.start = sums->sum[border] - sums->sum[from];
	x.restart = x.start + interrupt_restart(g->job, sums->cost[from]);
	x.fresh = layer == 0 && g->job->region == PLANNER_NO_REGION && !g->head && x.start < x.restart;
	return x;
}

/* Planes of more pauses come first: they read what those of fewer were at the border before. */
static void step_planes(const struct table *t, int border, int layer, int r)
{
	const struct interrupt_grid *g = t->g;
	struct step x = step_costs(t, border, layer, r);
	double *off = off_of(t, border, layer, r, 0), *on = on_of(t, border, layer, r, 0);
	const double *stay = off_of(t, border - 1, layer, r, 0);
	const double *idle = off_of(t, MAX(border - g->run, g->first), layer, r, 0);
	uint64_t *how = how_of(t, border, layer, r, 0);

	for (int j = g->counts - 1; j >= 0; j--) {
		int n = g->full[j], at = j * t->off_width, words = j * t->width / 8;
		double *row = on + j * t->on_width;
		const double *pause = g->counted && j > 0 ? row - t->on_width + 1 : t->spare;

		if (!g->counted)
			memcpy(t->spare, row + 1, (size_t)t->width * sizeof(*row));
		step_states(off + at, stay + at, pause, row, idle + at - g->run, how + words, t->width, x.slot,
			    n >= g->run ? x.restart : INFINITY);
		if (x.fresh && n >= g->run && idle[at] + x.start < row[g->run]) {
			row[g->run] = idle[at] + x.start;
			how_add(how + words, g->run, HOW_STARTED);
		}
		/* Who has run more than it takes is nowhere. */
		for (int m = n + 1; m <= MIN(n + g->run, t->width - 1); m++)
			row[m] = INFINITY;
	}
}

static void arrive(const struct table *t, int border, int layer, int r, int j)
{
	const struct interrupt_grid *g = t->g;
	int left = border - g->move;
	const double *away, *next;
	const uint8_t *from;
	double *off = off_of(t, border, layer, r, j);
	uint64_t *how = how_of(t, border, layer, r, j);

	if (left < g->first)
		return;
	away = away_of(t, left, layer - 1, j, 0);
	next = away_of(t, left, layer - 1, j, 1);
	from = from_of(t, left, layer - 1, j, 0);
	for (int m = 0; m <= g->full[j]; m++) {
		bool here = (from[m] & (FROM_ON - 1)) == r;
		double cost = (here ? next[m] : away[m]) + g->job->move_cost;

		if (cost >= off[m])
			continue;
		off[m] = cost;
		how_add(how, m, here ? HOW_ARRIVED | HOW_NEXT : HOW_ARRIVED);
	}
}

/* Where leaving that layer is cheapest from. Leaving while running is a pause. */
static void step_away(const struct table *t, int border, int layer, int j)
{
	const struct interrupt_grid *g = t->g;
	double *away = away_of(t, border, layer, j, 0), *next = away_of(t, border, layer, j, 1);
	uint8_t *from = from_of(t, border, layer, j, 0), *next_from = from_of(t, border, layer, j, 1);

	for (int m = 0; m <= g->full[j]; m++)
		away[m] = next[m] = INFINITY;
	for (int r = 0; r < g->n_regions; r++) {
		const double *off = off_of(t, border, layer, r, j);
		const double *on = g->counted && j == 0 ? NULL : on_of(t, border, layer, r, g->counted ? j - 1 : j);

		for (int m = 0; m <= g->full[j]; m++) {
			bool pause = on && on[m] < off[m];
			double cost = pause ? on[m] : off[m];
			uint8_t here = (uint8_t)(pause ? r | FROM_ON : r);

			if (cost < away[m]) {
				next[m] = away[m];
				next_from[m] = from[m];
				away[m] = cost;
				from[m] = here;
			} else if (cost < next[m]) {
				next[m] = cost;
				next_from[m] = here;
			}
		}
	}
}

/*
 * Work that ends in the slot after the border, for a plane, or in the last of a segment that is as short as it may be.
 */
static void try_finish(const struct table *t, int border, int layer, int r, int j, struct finish *best)
{
	const struct interrupt_grid *g = t->g;
	const struct interrupt_job *job = g->job;
	int region = g->regions[r], full = g->full[j], m = full + 1 - g->run, last = border + g->run - 1;
	const struct slot_sums *sums = &g->sums[region];
	double on = on_of(t, border, layer, r, j)[full], off = m < 0 ? INFINITY : off_of(t, border, layer, r, j)[m];
	/* What the last slots add is not below 0, so that what costs too much already need not be looked at. */
	bool adds = job->delay_per_ms >= 0 && g->run == 1 && sums->shut[border] > border && sums->cost[border] >= 0;
	double most = adds ? best->cost : INFINITY;

	if (on < most) {
		on += interrupt_last_cost(g, region, border, g->part_ms[j]);
		if (on < best->cost)
			*best = (struct finish){ on, { true, false, layer, r, j, border, full }, false };
	}
	if (off >= most || last > g->end || last >= g->s->n || sums->shut[border] <= last ||
	    (g->run - 1) * g->s->slot_ms + g->part_ms[j] < job->min_run_ms)
		return;
	off += sums->sum[last] - sums->sum[border];
	if (layer > 0 || job->region != PLANNER_NO_REGION || g->head || m > 0)
		off += interrupt_restart(job, sums->cost[border]);
	off += interrupt_last_cost(g, region, last, g->part_ms[j]);
	if (off < best->cost)
		*best = (struct finish){ off, { false, false, layer, r, j, border, m }, true };
}

static void try_all_finishes(const struct table *t, int border, struct finish *best)
{
	const struct interrupt_grid *g = t->g;

	for (int layer = 0; layer < g->layers; layer++) {
		for (int r = 0; r < g->n_regions; r++) {
			for (int j = 0; j < g->counts; j++)
				try_finish(t, border, layer, r, j, best);
		}
	}
}

/* Arrivals come last: who has just come does not leave again without having been there. */
static void step(const struct table *t, int border)
{
	const struct interrupt_grid *g = t->g;

	for (int layer = 0; layer < g->layers; layer++) {
		for (int r = 0; r < g->n_regions && border > g->first; r++)
			step_planes(t, border, layer, r);
		if (layer == 0 && g->head && border == g->first + g->head_run)
			begin_running(t, border);
		for (int j = 0; j < g->counts && layer + 1 < g->layers; j++)
			step_away(t, border, layer, j);
		for (int p = 0; p < g->n_regions * g->counts && layer > 0; p++)
			arrive(t, border, layer, p / g->counts, p % g->counts);
	}
}

static uint8_t how_at(const struct table *t, const struct state *x)
{
	uint8_t how = (uint8_t)(*how_word(how_of(t, x->border, x->layer, x->r, x->j), x->m) >> how_shift(x->m));

	return x->leaving ? how & (uint8_t)~HOW_ARRIVED : how;
}

/* One step back; true if a segment begins or ends at the border of the state it came from or goes to. */
static bool step_back(const struct table *t, struct state *x)
{
	const struct interrupt_grid *g = t->g;
	uint8_t how = how_at(t, x);
	int left = x->border - g->move, j = x->j;

	if (x->on && (how & HOW_STARTED)) {
		x->on = false;
		x->border -= g->run;
		x->m -= g->run;
		return true;
	}
	if (!x->on && (how & HOW_ARRIVED)) {
		uint8_t from = from_of(t, left, x->layer - 1, j, how & HOW_NEXT ? 1 : 0)[x->m];

		*x = (struct state){
			from & FROM_ON, !(from & FROM_ON), x->layer - 1, from & (FROM_ON - 1), j, left, x->m
		};
		x->j -= x->on && g->counted;
		return x->on;
	}
	x->border--;
	x->leaving = false;
	if (x->on) {
		x->m--;
	} else if (how & HOW_PAUSED) {
		x->on = true;
		x->j -= g->counted;
		return true;
	}
	return false;
}

static bool is_origin(const struct table *t, const struct state *x)
{
	uint8_t how = how_at(t, x);

	return x->on ? (how & HOW_ORIGIN) != 0 : x->border == t->g->first && !(how & HOW_ARRIVED);
}

static void trace(const struct table *t, const struct finish *f, struct interrupt_way *way)
{
	const struct interrupt_grid *g = t->g;
	struct state x = f->at;
	int last = f->direct ? x.border + g->run - 1 : x.border, n = 0;
	struct planner_segment *v = way->segments, part;

	v[n] = (struct planner_segment){ g->regions[x.r], 1, slots_start_ms(g->s, x.border),
					 slots_start_ms(g->s, last) + g->part_ms[x.j] };
	n += f->direct;
	while (!is_origin(t, &x)) {
		if (!step_back(t, &x))
			continue;
		if (x.on) {
			v[n] = (struct planner_segment){ g->regions[x.r], 1, 0, slots_start_ms(g->s, x.border) };
		} else {
			v[n].start_ms = slots_start_ms(g->s, x.border);
			n++;
		}
	}
	if (x.on) {
		v[n].start_ms = g->job->earliest_ms;
		n++;
	}
	for (int i = 0; i < n / 2; i++) {
		part = v[i];
		v[i] = v[n - 1 - i];
		v[n - 1 - i] = part;
	}
	way->n_segments = n;
	way->cost = f->cost;
}

void interrupt_search(const struct interrupt_grid *g, struct interrupt_way *way)
{
	_cleanup_(table_release) struct table t;
	struct finish best = { .cost = way->cost };

	table_init(&t, g);
	if (!g->head)
		begin_idle(&t);
	for (int border = g->first; border <= g->end; border++) {
		step(&t, border);
		try_all_finishes(&t, border, &best);
	}
	if (best.cost < way->cost)
		trace(&t, &best, way);
}
