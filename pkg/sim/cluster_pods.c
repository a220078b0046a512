/* SPDX-License-Identifier: Apache-2.0 */
/* Job controller, scheduler and kubelets of a simulated cluster. */
#include <math.h>

#include "base/alloc.h"
#include "extender/decide.h"
#include "sim/cluster_internal.h"

#define BACKOFF_MS (10 * SECOND_MS)
#define BACKOFF_MAX_MS (10 * MINUTE_MS)
#define BACKOFF_LIMIT 6
#define NODE_NOTICED_MS (340 * SECOND_MS)
#define STARTUP_SIGMA 0.8
#define STARTUP_MAX_MS (300 * SECOND_MS)
/* kube-scheduler's default profile, and docs/scheduling: the extender's score of 0 to 10 counts 5 * 10. */
#define PREFERRED_SCORE 200
#define EXTENDER_SCORE 50

static bool fits(const struct machine *m, const struct trace_job *t)
{
	return m->up && m->cpu_milli >= t->cpu_milli && m->memory_bytes >= t->memory_bytes;
}

double pod_watts(const struct world *w, const struct sim_job *job, int32_t node)
{
	const struct trace_job *t = &job->trace;

	if (!isnan(t->watts_per_pod))
		return t->watts_per_pod;
	struct pod_requests requests = { t->cpu_milli, t->memory_bytes, 0 };
	struct power_model power = power_of_node(w->config->nodes->items[node].ready);
	return (double)power_of_pod(&power, &requests) / 1000;
}

static void tell(struct world *w, struct sim_job *job, enum series_side side)
{
	if (side == SERIES_OURS)
		operator_hears(w, job);
}

/* ---- scheduling ---- */

static void wish_of(const struct world *w, const struct sim_job *job, struct extender_wish *wish,
		    char regions[EXTENDER_MAX_VALUE])
{
	const struct trace_job *t = &job->trace;
	size_t len = 0;

	for (int i = 0; i < t->n_zones; i++)
		len += (size_t)snprintf(regions + len, EXTENDER_MAX_VALUE - len, "%s%s", i ? "," : "",
					w->truth->zones[t->zones[i]].name);
	*wish = (struct extender_wish){
		.regions = str_of(regions, len),
		.duration_ms = MAX(t->duration_ms, SECOND_MS),
		.max_carbon_mg_per_kwh = isnan(t->max_carbon) ? INT64_MAX : llround(t->max_carbon * 1000),
		.max_price_micros_per_kwh = isnan(t->max_price) ? INT64_MAX : llround(t->max_price * 1000),
		.weights = { .weight_carbon = w->config->weight_carbon,
			     .weight_cost = w->config->weight_cost,
			     .weight_delay = w->config->weight_delay },
	};
}

/* What the extender makes of the zones that have a node for the pod; score NULL where it is not asked. */
struct ranking {
	struct extender_counts counts;
	struct extender_filter filter;
	struct extender_scores scores;
};

static void ask_extender(const struct world *w, const struct sim_job *job, struct ranking *k)
{
	struct extender_counts kept = k->counts;
	struct extender_wish wish;
	char regions[EXTENDER_MAX_VALUE];

	wish_of(w, job, &wish, regions);
	extender_decide_filter(w->snapshot, &k->counts, &wish, w->now_ms, &k->filter);
	for (int z = 0; z < w->truth->n_zones; z++)
		kept.nodes[z] = k->filter.drop[z] == EXTENDER_KEEP ? kept.nodes[z] : 0;
	extender_decide_scores(w->snapshot, &kept, &wish, w->now_ms, &k->scores);
}

static double score_of(const struct world *w, const struct sim_run *r, const struct ranking *k, enum series_side side,
		       size_t node, const struct trace_job *t)
{
	const struct cluster_node *spec = &w->config->nodes->items[node];
	const struct machine *m = &w->machines[side].items[node];
	double score = 100.0 * (double)(m->cpu_milli - t->cpu_milli) / (double)MAX(spec->cpu_milli, 1);

	if (side == SERIES_OURS)
		score += EXTENDER_SCORE * k->scores.score[spec->zone];
	return score + (spec->zone == r->preferred ? PREFERRED_SCORE : 0);
}

/* The node for a pod, NOBODY = there is no room. only: the one node that has changed, NOBODY = all. */
static int32_t choose_node(const struct world *w, const struct sim_job *job, enum series_side side)
{
	const struct sim_run *r = &job->run[side];
	const struct machines *m = &w->machines[side];
	struct ranking k = { 0 };
	int32_t best = NOBODY;
	double best_score = 0;
	bool any = false;

	for (int z = 0; z < w->truth->n_zones; z++) {
		if (!world_is_allowed(r->allowed, z))
			continue;
		for (size_t i = w->zone_first[z]; i < w->zone_first[z + 1]; i++)
			k.counts.nodes[z] += fits(&m->items[w->by_zone[i]], &job->trace);
		any |= k.counts.nodes[z] > 0;
	}
	if (!any)
		return NOBODY;
	if (side == SERIES_OURS)
		ask_extender(w, job, &k);
	for (int z = 0; z < w->truth->n_zones; z++) {
		if (k.counts.nodes[z] == 0 || k.filter.drop[z] != EXTENDER_KEEP)
			continue;
		for (size_t i = w->zone_first[z]; i < w->zone_first[z + 1]; i++) {
			size_t node = w->by_zone[i];
			double score;

			if (!fits(&m->items[node], &job->trace))
				continue;
			score = score_of(w, r, &k, side, node, &job->trace);
			if (best == NOBODY || score > best_score) {
				best = (int32_t)node;
				best_score = score;
			}
		}
	}
	return best;
}

static void bind(struct world *w, struct sim_job *job, enum series_side side, int32_t pod, int32_t node)
{
	struct sim_run *r = &job->run[side];
	struct machine *m = &w->machines[side].items[node];
	uint64_t rng = world_draw(w, job, 1000 + (uint64_t)pod);
	double startup = (double)w->config->startup_ms * exp(STARTUP_SIGMA * rand_normal(&rng));

	if (!world_is_allowed(r->allowed, w->config->nodes->items[node].zone))
		world_violation(w, CLUSTER_OUTSIDE, job);
	r->pods.ptr[pod].phase = PHASE_STARTS;
	r->pods.ptr[pod].node = node;
	if (r->placed_ms == TIME_NONE)
		r->placed_ms = w->now_ms;
	m->cpu_milli -= job->trace.cpu_milli;
	m->memory_bytes -= job->trace.memory_bytes;
	*vec_push(&m->pods, SIZE_MAX) = (struct pod_place){ job, pod };
	world_push(w, EVENT_POD_RUNS, w->now_ms + (int64_t)fmin(startup, (double)STARTUP_MAX_MS), job, pod, side);
}

static void make_pod(struct world *w, struct sim_job *job, enum series_side side, int64_t done_ms)
{
	struct sim_run *r = &job->run[side];
	int32_t pod = (int32_t)r->pods.len, node;

	*vec_push(&r->pods, SIZE_MAX) =
		(struct sim_pod){ .node = NOBODY, .start_ms = TIME_NONE, .end_ms = TIME_NONE, .done_ms = done_ms };
	if (++r->active + r->succeeded > job->trace.pods)
		world_violation(w, CLUSTER_RAN_TWICE, job);
	node = choose_node(w, job, side);
	if (node != NOBODY) {
		bind(w, job, side, pod, node);
	} else {
		r->waited = true;
		*vec_push(&w->machines[side].waiting, SIZE_MAX) = (struct pod_place){ job, pod };
	}
	tell(w, job, side);
}

/* Only that node has more room than before: whoever waits fits there or nowhere. */
static void offer_room(struct world *w, enum series_side side, int32_t node)
{
	struct machines *m = &w->machines[side];
	size_t kept = 0;

	for (size_t i = 0; i < m->waiting.len; i++) {
		struct pod_place p = m->waiting.ptr[i];
		struct sim_run *r = &p.job->run[side];

		if (world_is_allowed(r->allowed, w->config->nodes->items[node].zone) &&
		    fits(&m->items[node], &p.job->trace)) {
			bind(w, p.job, side, p.pod, node);
			tell(w, p.job, side);
		} else {
			m->waiting.ptr[kept++] = p;
		}
	}
	m->waiting.len = kept;
}

/* ---- running and ending ---- */

static void leave_node(struct world *w, struct sim_job *job, enum series_side side, int32_t pod)
{
	struct machine *m = &w->machines[side].items[job->run[side].pods.ptr[pod].node];

	m->cpu_milli += job->trace.cpu_milli;
	m->memory_bytes += job->trace.memory_bytes;
	for (size_t i = 0; i < m->pods.len; i++) {
		if (m->pods.ptr[i].job == job && m->pods.ptr[i].pod == pod) {
			m->pods.ptr[i] = m->pods.ptr[--m->pods.len];
			return;
		}
	}
}

/* What it drew while it ran. */
static void account_pod(struct world *w, struct sim_job *job, enum series_side side, const struct sim_pod *p)
{
	struct sim_run *r = &job->run[side];
	double before_wh = r->sum.energy_wh;

	if (p->start_ms == TIME_NONE || p->end_ms <= p->start_ms)
		return;
	series_add(w->config->series, side, w->truth, w->config->nodes->items[p->node].zone, p->start_ms, p->end_ms,
		   pod_watts(w, job, p->node), &r->sum);
	if (p->phase != PHASE_SUCCEEDED && !(job->trace.may_pause && p->phase != PHASE_LOST))
		r->lost_wh += r->sum.energy_wh - before_wh;
}

/* What a pod that takes up its work need not do again. */
static int64_t done_by(const struct sim_job *job, const struct sim_pod *p)
{
	if (!job->trace.may_pause)
		return 0;
	/* Nobody told it to save its state, or there is nothing new to save. */
	if (p->phase == PHASE_LOST || p->start_ms == TIME_NONE)
		return p->done_ms;
	return p->done_ms + p->end_ms - p->start_ms;
}

/* Takes a pod from its node, or out of the queue. */
static void end_pod(struct world *w, struct sim_job *job, enum series_side side, int32_t pod, enum pod_phase how)
{
	struct sim_run *r = &job->run[side];
	struct sim_pod *p = &r->pods.ptr[pod];
	struct machines *m = &w->machines[side];

	p->end_ms = w->now_ms;
	if (p->phase == PHASE_WAITS) {
		size_t kept = 0;

		for (size_t i = 0; i < m->waiting.len; i++)
			if (m->waiting.ptr[i].job != job || m->waiting.ptr[i].pod != pod)
				m->waiting.ptr[kept++] = m->waiting.ptr[i];
		m->waiting.len = kept;
	}
	p->phase = how;
	r->active--;
	if (p->node == NOBODY)
		return;
	leave_node(w, job, side, pod);
	account_pod(w, job, side, p);
}

static void finish(struct world *w, struct sim_job *job, enum series_side side, bool failed)
{
	struct sim_run *r = &job->run[side];

	if (r->finished)
		world_violation(w, CLUSTER_RAN_TWICE, job);
	r->finished = true;
	r->failed = failed;
	r->end_ms = w->now_ms;
	for (size_t i = 0; failed && i < r->pods.len; i++) {
		if (r->pods.ptr[i].phase <= PHASE_RUNS) {
			int32_t node = r->pods.ptr[i].node;

			end_pod(w, job, side, (int32_t)i, PHASE_FAILED);
			if (node != NOBODY)
				offer_room(w, side, node);
		}
	}
	if (side == SERIES_OURS)
		server_job_finished(w, job);
}

static void pod_failed(struct world *w, struct sim_job *job, enum series_side side, int32_t pod, int64_t noticed_ms)
{
	struct sim_run *r = &job->run[side];
	int64_t backoff_ms = MIN(BACKOFF_MS << MIN(r->failures, 16), BACKOFF_MAX_MS);

	w->totals->pods_lost += side == SERIES_OURS;
	r->restarts++;
	if (++r->failures > BACKOFF_LIMIT)
		finish(w, job, side, true);
	else
		world_push(w, EVENT_POD_AGAIN, w->now_ms + noticed_ms + backoff_ms, job, pod, side);
	tell(w, job, side);
}

/* Its part of what a restart takes, within a minute. */
static void restart(struct world *w, struct sim_job *job, enum series_side side, const struct sim_pod *p)
{
	double watts = job->trace.restart_wh / job->trace.pods * (double)HOUR_MS / (double)MINUTE_MS;

	series_add(w->config->series, side, w->truth, w->config->nodes->items[p->node].zone, w->now_ms,
		   w->now_ms + MINUTE_MS, watts, &job->run[side].sum);
}

static void pod_runs(struct world *w, struct sim_job *job, enum series_side side, int32_t pod)
{
	struct sim_run *r = &job->run[side];
	struct sim_pod *p = &r->pods.ptr[pod];
	uint64_t rng = world_draw(w, job, 2000000 + (uint64_t)pod);
	int64_t length_ms = MAX(job->trace.duration_ms - p->done_ms, 1);
	int64_t evicted_ms = faults_next(&w->config->faults, FAULT_EVICT, &rng);

	p->phase = PHASE_RUNS;
	p->start_ms = w->now_ms;
	if (p->done_ms > 0)
		restart(w, job, side, p);
	if (r->start_ms == TIME_NONE)
		r->start_ms = w->now_ms;
	if (evicted_ms < length_ms)
		world_push(w, EVENT_POD_EVICTED, w->now_ms + evicted_ms, job, pod, side);
	else
		world_push(w, EVENT_POD_ENDS, w->now_ms + length_ms, job, pod, side);
	tell(w, job, side);
}

static void pod_succeeds(struct world *w, struct sim_job *job, enum series_side side, int32_t pod)
{
	struct sim_run *r = &job->run[side];
	int32_t node = r->pods.ptr[pod].node;

	end_pod(w, job, side, pod, PHASE_SUCCEEDED);
	if (++r->succeeded > job->trace.pods)
		world_violation(w, CLUSTER_RAN_TWICE, job);
	if (r->succeeded >= job->trace.pods)
		finish(w, job, side, false);
	tell(w, job, side);
	offer_room(w, side, node);
}

/* What a pod that has been taken away meanwhile was to do does not come. */
static bool is_stale(const struct sim_run *r, const struct event *e)
{
	if (e->kind == EVENT_POD_AGAIN)
		return !r->let_go || r->finished;
	return r->pods.ptr[e->index].phase != (e->kind == EVENT_POD_RUNS ? PHASE_STARTS : PHASE_RUNS);
}

void machines_event(struct world *w, const struct event *e)
{
	enum series_side side = (enum series_side)e->side;
	struct sim_run *r = &e->job->run[side];

	if (is_stale(r, e))
		return;
	int32_t node = e->kind == EVENT_POD_AGAIN ? NOBODY : r->pods.ptr[e->index].node;
	switch (e->kind) {
	case EVENT_POD_AGAIN:
		/* A suspend and another start in between made them all. */
		if (r->active + r->succeeded < e->job->trace.pods)
			make_pod(w, e->job, side, done_by(e->job, &r->pods.ptr[e->index]));
		break;
	case EVENT_POD_RUNS:
		pod_runs(w, e->job, side, e->index);
		break;
	case EVENT_POD_ENDS:
		pod_succeeds(w, e->job, side, e->index);
		break;
	case EVENT_POD_EVICTED:
		w->totals->faults[FAULT_EVICT] += side == SERIES_OURS;
		end_pod(w, e->job, side, e->index, PHASE_FAILED);
		pod_failed(w, e->job, side, e->index, 0);
		offer_room(w, side, node);
		break;
	default:
		break;
	}
}

/* Its pods die at once; that they have is noticed later. */
static void node_fails(struct world *w, enum series_side side, int32_t node)
{
	struct machine *m = &w->machines[side].items[node];

	m->up = false;
	while (m->pods.len > 0) {
		struct pod_place p = m->pods.ptr[m->pods.len - 1];
		struct sim_run *r = &p.job->run[side];

		end_pod(w, p.job, side, p.pod, PHASE_LOST);
		if (side == SERIES_OURS)
			operator_lost_pod(w, p.job, &r->pods.ptr[p.pod]);
		pod_failed(w, p.job, side, p.pod, NODE_NOTICED_MS);
	}
}

void machines_node(struct world *w, int32_t node, bool up)
{
	for (int side = 0; side < SERIES_SIDES; side++) {
		if (up) {
			w->machines[side].items[node].up = true;
			offer_room(w, (enum series_side)side, node);
		} else {
			node_fails(w, (enum series_side)side, node);
		}
	}
}

/* ---- the Job ---- */

void run_start(struct world *w, struct sim_job *job, enum series_side side)
{
	struct sim_run *r = &job->run[side];
	int missing = job->trace.pods - r->succeeded - r->active;

	if (r->let_go || r->finished)
		world_violation(w, CLUSTER_RAN_TWICE, job);
	r->let_go = true;
	for (int i = 0; i < missing; i++)
		make_pod(w, job, side, r->done_ms);
}

void run_stop(struct world *w, struct sim_job *job, enum series_side side)
{
	struct sim_run *r = &job->run[side];
	/* One that was lost, and is not back yet, is where it was when this stretch began. */
	int64_t least_ms = r->active + r->succeeded < job->trace.pods ? r->done_ms : INT64_MAX;

	r->let_go = false;
	for (size_t i = 0; i < r->pods.len; i++) {
		int32_t node = r->pods.ptr[i].node;

		if (r->pods.ptr[i].phase > PHASE_RUNS)
			continue;
		end_pod(w, job, side, (int32_t)i, PHASE_GONE);
		/* They run side by side, and go on together from where the last of them was. */
		least_ms = MIN(least_ms, done_by(job, &r->pods.ptr[i]));
		if (side == SERIES_OURS)
			operator_lost_pod(w, job, &r->pods.ptr[i]);
		if (node != NOBODY)
			offer_room(w, side, node);
	}
	if (least_ms != INT64_MAX)
		r->done_ms = least_ms;
}

void run_release(struct sim_run *r)
{
	vec_release(&r->pods);
}

void machines_init(struct world *w)
{
	const struct cluster_nodes *nodes = w->config->nodes;
	size_t at = 0;

	w->nodes = xcalloc(nodes->n, sizeof(*w->nodes));
	w->by_zone = xcalloc(nodes->n, sizeof(*w->by_zone));
	for (int z = 0; z < w->truth->n_zones; z++) {
		w->zone_first[z] = at;
		for (size_t i = 0; i < nodes->n; i++)
			if (nodes->items[i].zone == z)
				w->by_zone[at++] = i;
	}
	w->zone_first[w->truth->n_zones] = at;
	for (int side = 0; side < SERIES_SIDES; side++) {
		w->machines[side].items = xcalloc(nodes->n, sizeof(struct machine));
		for (size_t i = 0; i < nodes->n; i++)
			w->machines[side].items[i] = (struct machine){ .up = true,
								       .cpu_milli = nodes->items[i].cpu_milli,
								       .memory_bytes = nodes->items[i].memory_bytes };
	}
	for (size_t i = 0; i < nodes->n; i++)
		w->nodes[i] = nodes->items[i].ready;
}

void machines_release(struct world *w)
{
	for (int side = 0; side < SERIES_SIDES; side++) {
		for (size_t i = 0; w->machines[side].items && i < w->config->nodes->n; i++)
			vec_release(&w->machines[side].items[i].pods);
		free(w->machines[side].items);
		vec_release(&w->machines[side].waiting);
	}
	free(w->nodes);
	free(w->by_zone);
}
