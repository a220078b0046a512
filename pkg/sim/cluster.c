/* SPDX-License-Identifier: Apache-2.0 */
/* The world of a simulated cluster: arrivals, faults, time, and the sums. */
#include "sim/cluster.h"

#include <math.h>

#include "base/alloc.h"
#include "extender/decide.h"
#include "sim/cluster_internal.h"

#define PROGRESS_EVERY 4096 /* events */
#define NAMES_MAX ((size_t)64 << 20)
/* What waits for room for so long after the end of the signals will not get it. */
#define GIVE_UP_MS (7 * DAY_MS)
/* An operator that is to die at its next write, but has none to make, dies without. */
#define DIE_IDLE_MS MINUTE_MS

const char *const cluster_violation_names[CLUSTER_VIOLATIONS] = {
	"two_jobs",      "ran_twice", "started_unrecorded", "started_too_early", "started_after_latest",
	"outside_zones", "lost",      "too_many_writes",
};

bool world_is_allowed(const uint64_t zones[ZONE_WORDS], int zone)
{
	return zones[zone / 64] >> (zone % 64) & 1;
}

uint64_t world_draw(const struct world *w, const struct sim_job *job, uint64_t what)
{
	uint64_t state = w->config->faults.seed * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)job->number;

	state = rand_next(&state) + what;
	return rand_next(&state);
}

void world_push(struct world *w, enum event_kind kind, int64_t at_ms, struct sim_job *job, int32_t index,
		enum series_side side)
{
	if (job) {
		job->events++;
		w->job_events++;
	}
	events_push(&w->events,
		    (struct event){ .at_ms = at_ms, .job = job, .kind = kind, .index = index, .side = (int8_t)side });
}

void world_violation(struct world *w, enum cluster_violation v, const struct sim_job *job)
{
	char at[TIME_TEXT];

	if (w->totals->violations[v]++ == 0)
		(void)fprintf(stderr, "simulator cluster: promise broken: %s: job '%s' at %s\n",
			      cluster_violation_names[v], job->trace.id, time_format(w->now_ms, at));
}

/* ---- jobs come and go ---- */

static void init_run(struct sim_run *r)
{
	r->placed_ms = r->start_ms = r->end_ms = TIME_NONE;
	r->preferred = NOBODY;
}

static int next_arrival(struct world *w, struct error *err)
{
	int got = trace_next(w->config->trace, &w->next_job, err);

	if (got < 0)
		return -1;
	w->more = got > 0;
	if (w->more)
		world_push(w, EVENT_ARRIVAL, w->next_job.arrival_ms, NULL, 0, SERIES_OURS);
	return 0;
}

static int arrive(struct world *w, struct error *err)
{
	struct sim_job *job = xcalloc(1, sizeof(*job));
	struct sim_run *base = &job->run[SERIES_BASELINE];
	int home = w->next_job.zones[0];

	job->trace = w->next_job;
	job->number = w->totals->jobs++;
	job->wake_ms = job->released_ms = TIME_NONE;
	job->place = w->jobs.len;
	arena_init(&job->names, 1024, NAMES_MAX);
	*vec_push(&w->jobs, SIZE_MAX) = job;
	for (int side = 0; side < SERIES_SIDES; side++)
		init_run(&job->run[side]);
	base->allowed[home / 64] = UINT64_C(1) << (home % 64);
	world_push(w, EVENT_BASELINE, MAX(job->trace.earliest_ms, w->now_ms), job, 0, SERIES_BASELINE);
	server_submit(w, job);
	return next_arrival(w, err);
}

static void free_job(struct world *w, struct sim_job *job)
{
	struct sim_job *last = w->jobs.ptr[w->jobs.len - 1];

	operator_forget(job);
	object_unref(job->caj);
	object_unref(job->job);
	for (int side = 0; side < SERIES_SIDES; side++)
		run_release(&job->run[side]);
	arena_release(&job->names);
	w->jobs.ptr[job->place] = last;
	last->place = job->place;
	w->jobs.len--;
	free(job);
}

static void fold_if_over(struct world *w, struct sim_job *job)
{
	if (!job->gone || !job->run[SERIES_BASELINE].finished || job->events > 0)
		return;
	cluster_fold(w, job);
	free_job(w, job);
}

/* ---- the grid ---- */

static void write_regions(struct world *w)
{
	struct extender_snapshot *was = w->snapshot;
	int n = w->truth->n_zones;

	w->region_version++;
	for (int z = 0; z < n; z++) {
		if (w->regions[z])
			object_unref(&w->regions[z]->obj);
		w->regions[z] = cluster_grid_region(w->config->grid, z, w->now_ms, w->region_version);
	}
	/* Which node is where the scheduler's model knows itself. */
	w->snapshot = extender_snapshot_new(NULL, 0, w->regions, (size_t)n, w->operator.config.max_forecast_age_ms);
	extender_snapshot_unref(was);
	w->operator.grid_changes++;
}

static void slot_begins(struct world *w)
{
	if (!w->provider_down)
		write_regions(w);
	operator_request_round(w);
	world_push(w, EVENT_SLOT, time_slot_floor(w->now_ms, SLOT_MS) + SLOT_MS, NULL, 0, SERIES_OURS);
}

static void provider(struct world *w, bool down)
{
	const struct faults *f = &w->config->faults;

	w->provider_down = down;
	if (down) {
		w->totals->faults[FAULT_PROVIDER]++;
		w->provider_down_since_ms = w->now_ms;
		world_push(w, EVENT_PROVIDER_UP, w->now_ms + f->kind[FAULT_PROVIDER].length_ms, NULL, 0, SERIES_OURS);
		return;
	}
	w->totals->provider_down_ms += w->now_ms - w->provider_down_since_ms;
	write_regions(w);
	operator_request_round(w);
	world_push(w, EVENT_PROVIDER_DOWN, w->now_ms + faults_next(f, FAULT_PROVIDER, &w->rng_provider), NULL, 0,
		   SERIES_OURS);
}

/* ---- other faults ---- */

static void node(struct world *w, int32_t index, bool up)
{
	const struct faults *f = &w->config->faults;
	const struct cluster_node *n = &w->config->nodes->items[index];

	w->nodes[index] = up ? n->ready : n->lost;
	w->totals->faults[FAULT_NODE] += !up;
	machines_node(w, index, up);
	w->operator.grid_changes++;
	operator_request_round(w);
	world_push(w, up ? EVENT_NODE_DOWN : EVENT_NODE_UP,
		   w->now_ms + (up ? faults_next(f, FAULT_NODE, &w->rng_node) : f->kind[FAULT_NODE].length_ms), NULL,
		   index, SERIES_OURS);
}

static void operator_is_to_die(struct world *w)
{
	struct operator* o = & w->operator;

	if (!o->up)
		return;
	if (o->dies_at_write || rand_next(&w->rng_operator) % 2) {
		operator_dies(w);
		return;
	}
	o->dies_at_write = 1 + (int)(rand_next(&w->rng_operator) % 2);
	world_push(w, EVENT_OPERATOR_DIES, w->now_ms + DIE_IDLE_MS, NULL, 1, SERIES_OURS);
}

static void first_faults(struct world *w)
{
	const struct faults *f = &w->config->faults;

	w->rng_node = f->seed * 4 + UINT64_C(0x1000000000);
	w->rng_operator = f->seed * 4 + UINT64_C(0x2000000000);
	w->rng_provider = f->seed * 4 + UINT64_C(0x3000000000);
	w->rng_conflict = f->seed * 4 + UINT64_C(0x4000000000);
	for (size_t i = 0; f->kind[FAULT_NODE].mean_ms > 0 && i < w->config->nodes->n; i++)
		world_push(w, EVENT_NODE_DOWN, w->now_ms + faults_next(f, FAULT_NODE, &w->rng_node), NULL, (int32_t)i,
			   SERIES_OURS);
	world_push(w, EVENT_OPERATOR_DIES, w->now_ms + faults_next(f, FAULT_OPERATOR, &w->rng_operator), NULL, 0,
		   SERIES_OURS);
	world_push(w, EVENT_PROVIDER_DOWN, w->now_ms + faults_next(f, FAULT_PROVIDER, &w->rng_provider), NULL, 0,
		   SERIES_OURS);
}

/* ---- time ---- */

static int world_event(struct world *w, const struct event *e, struct error *err)
{
	switch (e->kind) {
	case EVENT_ARRIVAL:
		return arrive(w, err);
	case EVENT_ROUND:
		w->operator.round_pending = false;
		operator_round(w);
		break;
	case EVENT_SLOT:
		slot_begins(w);
		break;
	case EVENT_NODE_DOWN:
	case EVENT_NODE_UP:
		node(w, e->index, e->kind == EVENT_NODE_UP);
		break;
	case EVENT_OPERATOR_DIES:
		/* The second call of one that has died at a write meanwhile. */
		if (!e->index || w->operator.dies_at_write)
			operator_is_to_die(w);
		break;
	case EVENT_OPERATOR_UP:
		operator_comes_back(w);
		world_push(w, EVENT_OPERATOR_DIES,
			   w->now_ms + faults_next(&w->config->faults, FAULT_OPERATOR, &w->rng_operator), NULL, 0,
			   SERIES_OURS);
		break;
	case EVENT_PROVIDER_DOWN:
	case EVENT_PROVIDER_UP:
		provider(w, e->kind == EVENT_PROVIDER_DOWN);
		break;
	default:
		break;
	}
	return 0;
}

static void job_event(struct world *w, const struct event *e)
{
	w->job_events--;
	e->job->events--;
	if (e->kind == EVENT_BASELINE)
		run_start(w, e->job, SERIES_BASELINE);
	else if (e->kind == EVENT_WATCH || e->kind == EVENT_WAKE)
		operator_event(w, e);
	else
		machines_event(w, e);
	fold_if_over(w, e->job);
}

/* Nobody has anything to do any more. */
static bool is_over(const struct world *w)
{
	bool waiting = w->machines[0].waiting.len > 0 || w->machines[1].waiting.len > 0;

	if (w->more)
		return false;
	if (w->jobs.len == 0 || w->now_ms > signals_end_ms(w->truth) + GIVE_UP_MS)
		return true;
	return w->job_events == 0 && !waiting && w->operator.up && !w->operator.round_pending;
}

static int play(struct world *w, struct error *err)
{
	struct event e;

	for (int64_t n = 0; !is_over(w) && events_pop(&w->events, &e); n++) {
		w->now_ms = e.at_ms;
		if (e.job)
			job_event(w, &e);
		else if (world_event(w, &e, err))
			return -1;
		if (w->config->progress && n % PROGRESS_EVERY == 0)
			w->config->progress(w->config->progress_arg, w->now_ms, w->totals->jobs - (int64_t)w->jobs.len);
	}
	return 0;
}

static int begin(struct world *w, struct error *err)
{
	if (next_arrival(w, err))
		return -1;
	w->now_ms = w->more ? w->next_job.arrival_ms : w->truth->start_ms;
	w->totals->first_ms = w->totals->last_ms = w->now_ms;
	machines_init(w);
	operator_init(w);
	slot_begins(w);
	/* The first one comes before anything is reconciled. */
	operator_round(w);
	first_faults(w);
	return 0;
}

static void release(struct world *w)
{
	while (w->jobs.len > 0)
		free_job(w, w->jobs.ptr[w->jobs.len - 1]);
	vec_release(&w->jobs);
	for (int z = 0; z < w->truth->n_zones; z++)
		if (w->regions[z])
			object_unref(&w->regions[z]->obj);
	extender_snapshot_unref(w->snapshot);
	operator_release(w);
	machines_release(w);
	events_release(&w->events);
}

int cluster_run(const struct cluster_config *c, struct cluster_totals *ret, struct error *err)
{
	int64_t began_us = clock_mono_us();
	struct world *w = xcalloc(1, sizeof(*w));
	int failed;

	*ret = (struct cluster_totals){ 0 };
	w->config = c;
	w->totals = ret;
	w->truth = cluster_grid_truth(c->grid);
	failed = begin(w, err) || play(w, err);
	while (!failed && w->jobs.len > 0) {
		struct sim_job *job = w->jobs.ptr[w->jobs.len - 1];

		cluster_fold(w, job);
		free_job(w, job);
	}
	release(w);
	free(w);
	ret->wall_s = (double)(clock_mono_us() - began_us) / 1e6;
	return failed ? -1 : 0;
}
