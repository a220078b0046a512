/* SPDX-License-Identifier: Apache-2.0 */
/* One planning round over all pending jobs. */
#include "controller/plan_round.h"

#include "base/alloc.h"
#include "log/log.h"
#include "metrics/metrics.h"

/* For the text of one entry at a time. */
#define SCRATCH_CHUNK (8 * 1024)
#define SCRATCH_MAX (1024 * 1024)

static struct metric rounds = METRIC_COUNTER("loadshift_plan_rounds_total", "Planning rounds.");
static struct metric round_seconds =
	METRIC_HISTOGRAM("loadshift_plan_round_seconds", "Time of one planning round.", metric_latency_buckets);
static struct metric round_jobs = METRIC_GAUGE("loadshift_plan_jobs", "Jobs in the last planning round.", "state");

/* One pending job on its way through the round. */
struct pending {
	const struct carbonawarejob *caj;
	const struct object *job; /* reference */
	struct caj_timing timing;
	struct caj_place place;
	struct plan_entry *earlier; /* reference or NULL */
	uint64_t basis;
	bool observed; /* observe mode: a plan on paper, that takes no power */
	bool settled;  /* its plan stands: nothing that it rests on has changed */
};

struct gathered {
	struct object_list cajs;
	struct pending *pending;
	struct planner_job *jobs;
	size_t n;
	size_t n_running;
	uint64_t grid_basis; /* of what all plans rest on */
	bool apart;          /* no region has a power limit: one job's plan bears on no other's */
};

static uint64_t mix(uint64_t hash, uint64_t value)
{
	return (hash ^ value) * UINT64_C(0x100000001b3); /* as FNV-1a does with each byte */
}

/*
 * What a job's plan rests on. Within a slot only the clock moves, which alone is no reason to plan anew; so thousands
 * of jobs that come one after the other do not make thousands of plans each.
 */
static uint64_t basis_of(const struct gathered *g, const struct carbonawarejob *caj, const struct object *job)
{
	uint64_t versions = mix(str_fnv1a(str_from(caj->obj.meta.resource_version)),
				str_fnv1a(str_from(job->meta.resource_version)));

	return mix(g->grid_basis, versions);
}

static void gathered_init(struct gathered *g, const struct grid_view *v, uint64_t grid_changes)
{
	*g = (struct gathered){ .apart = true,
				.grid_basis = mix(grid_changes, (uint64_t)time_slot_floor(v->now_ms, SLOT_MS)) };
	for (int i = 0; i < v->n_regions; i++)
		g->apart &= v->signals.regions[i].power_limit_milliwatts == 0;
}

/*
 * A start that has come is not planned again: its release is under way. (After a restart there is no earlier entry, and
 * a start that was missed while nobody looked is planned anew.)
 */
static bool start_has_come(const struct plan_entry *earlier, const struct carbonawarejob *caj, int64_t now_ms)
{
	return earlier && plan_entry_is_for(earlier, caj) && earlier->plan.n_segments > 0 &&
	       earlier->plan.segments[0].start_ms <= now_ms;
}

static void gather_one(struct context *ctx, const struct grid_view *v, const struct carbonawarejob *caj,
		       struct arena *arena, struct gathered *g)
{
	struct caj_refusal refusal = { 0 };
	const struct object *job = store_get(informer_store(ctx->jobs), caj->obj.meta.key);

	if (!job || !object_owned_by(job, "loadshift.io", "CarbonAwareJob") ||
	    !cstr_eq(job->meta.owner.uid, caj->obj.meta.uid) || !caj_is_pending(caj, job_of(job))) {
		g->n_running += job && caj_is_running(caj, job_of(job));
		object_unref(job);
		return;
	}
	struct pending *p = &g->pending[g->n];
	*p = (struct pending){ .caj = caj,
			       .job = job,
			       .basis = basis_of(g, caj, job),
			       .observed = context_mode(ctx, caj, arena).observe };
	context_timing(ctx, caj, &p->timing, &refusal);
	if (refusal.reason) {
		object_unref(job);
		return;
	}
	caj_place(v, caj, job_of(job), &p->place, &refusal);
	p->earlier = plan_table_get(ctx->plans, caj->obj.meta.uid);
	struct planner_job *pj = &g->jobs[g->n++];
	caj_to_planner(v, caj, job_of(job), &p->timing, &p->place, pj);
	if (p->earlier && p->earlier->plan.n_segments > 0) {
		pj->earlier_region = (int16_t)grid_view_find(v, p->earlier->plan.segments[0].region);
		pj->earlier_start_ms = p->earlier->plan.segments[0].start_ms;
	}
}

/* A cluster without a single GridRegion has no home at all: such a job runs by its own times, unplanned. */
static bool has_home(const struct pending *p)
{
	return p->place.home >= 0 && p->place.n_regions > 0;
}

static void reserve_one(const struct context *ctx, const struct grid_view *v, const struct carbonawarejob *caj,
			const struct job *job, struct planner_round *round)
{
	/* In observe mode the scheduler chose the place: home is the best guess. */
	const char *where = caj_is_unmodified(caj) ? caj->status.home : caj->status.plan.segments[0].region;
	int16_t region = (int16_t)grid_view_find(v, where);
	struct power_model power = grid_view_power(v, &region, 1);
	struct caj_refusal refusal;
	struct caj_timing t;

	context_timing(ctx, caj, &t, &refusal);
	/* Still running after its expected end: it holds its power for at least the present slot. */
	int64_t end_ms = MAX(caj->status.released_ms + t.duration_ms, v->now_ms + SLOT_MS);
	planner_reserve(round, region, v->now_ms, end_ms,
			caj_pod_milliwatts(&caj->spec, &job->template.requests, &power) * caj_pods(job));
}

static void reserve_running(const struct context *ctx, const struct grid_view *v, const struct gathered *g,
			    struct planner_round *round)
{
	for (size_t i = 0; i < g->cajs.len; i++) {
		const struct carbonawarejob *caj = carbonawarejob_of(g->cajs.items[i]);
		bool somewhere = caj->status.plan.n_segments > 0 || caj_is_unmodified(caj);

		if (caj->status.released_ms == TIME_NONE || caj_is_finished(caj) || !somewhere ||
		    condition_is_true(&caj->status.conditions, COND_START_BLOCKED))
			continue; /* what cannot start draws nothing: others may have its power */
		const struct object *job = store_get(informer_store(ctx->jobs), caj->obj.meta.key);
		if (job && caj_is_running(caj, job_of(job)) && !job_of(job)->suspend)
			reserve_one(ctx, v, caj, job_of(job), round);
		object_unref(job);
	}
}

static void on_changed(void *arg, const char *key)
{
	const struct context *ctx = arg;

	(void)workqueue_add(controller_queue(ctx->caj_controller), key);
}

static void gather(struct context *ctx, const struct grid_view *v, struct arena *arena, struct gathered *g)
{
	store_list(informer_store(ctx->cajs), &g->cajs);
	g->pending = xcalloc(g->cajs.len, sizeof(*g->pending));
	g->jobs = xcalloc(g->cajs.len, sizeof(*g->jobs));
	for (size_t i = 0; i < g->cajs.len; i++)
		gather_one(ctx, v, carbonawarejob_of(g->cajs.items[i]), arena, g);
}

static void gathered_release(struct gathered *g)
{
	for (size_t i = 0; i < g->n; i++) {
		object_unref(g->pending[i].job);
		if (g->pending[i].earlier)
			plan_entry_unref(g->pending[i].earlier);
	}
	free(g->pending);
	free(g->jobs);
	object_list_release(&g->cajs);
}

static void swap_jobs(struct gathered *g, size_t a, size_t b)
{
	struct pending p = g->pending[a];
	struct planner_job j = g->jobs[a];

	g->pending[a] = g->pending[b];
	g->jobs[a] = g->jobs[b];
	g->pending[b] = p;
	g->jobs[b] = j;
	/* The place has moved with its job. */
	g->jobs[a].regions = g->pending[a].place.regions;
	g->jobs[b].regions = g->pending[b].place.regions;
}

/* Moves those that are not to be planned (start has come, no home, or settled where asked for) to the end. */
static size_t partition(const struct grid_view *v, struct gathered *g, size_t n, bool settled_too)
{
	for (size_t i = 0; i < n;) {
		const struct pending *p = &g->pending[i];

		if (has_home(p) && !start_has_come(p->earlier, p->caj, v->now_ms) && !(settled_too && p->settled)) {
			g->jobs[i].regions = p->place.regions;
			i++;
		} else {
			swap_jobs(g, i, --n);
		}
	}
	return n;
}

/* Acting jobs are placed together; one that is only observed is planned against them and takes no power from anybody.
 */
static void run_round(struct planner_round *round, struct gathered *g, size_t n, struct planner_result *results,
		      struct arena *arena)
{
	size_t n_acting = 0;

	for (size_t i = 0; i < n; i++) {
		if (!g->pending[i].observed)
			swap_jobs(g, i, n_acting++);
	}
	planner_round_run(round, g->jobs, n_acting, results, arena);
	for (size_t i = n_acting; i < n; i++)
		planner_choose(round, &g->jobs[i], &results[i]);
}

/* All open jobs together make the scale, by the regions that they allow: so a plan rests on these, too. */
static void mark_settled(struct gathered *g, size_t n_open)
{
	uint64_t allowed[PLANNER_MAX_REGIONS / 64] = { 0 };

	for (size_t i = 0; i < n_open; i++) {
		const struct caj_place *place = &g->pending[i].place;

		for (int r = 0; r < place->n_regions; r++)
			allowed[place->regions[r] / 64] |= UINT64_C(1) << (place->regions[r] % 64);
	}
	for (size_t i = 0; i < n_open; i++) {
		struct pending *p = &g->pending[i];

		for (size_t k = 0; k < ARRAY_LEN(allowed); k++)
			p->basis = mix(p->basis, allowed[k]);
		p->settled = g->apart && p->earlier && p->earlier->basis == p->basis;
	}
}

/*
 * Every new or changed decision is written down with what it rested on, so that anybody with the providers' answers can
 * compute it again.
 */
static bool log_decision(const struct grid_view *v, const struct pending *p, const struct planner_job *pj,
			 const struct planner_result *r, const struct plan_entry *e)
{
	const struct grid_forecast *f = p->place.home < v->n_regions ? &v->regions[p->place.home]->forecast : NULL;

	if (p->earlier && plan_entry_equal(p->earlier, e))
		return false;
	log_info("planned", LOG_STR("job", p->caj->obj.meta.key), LOG_STR("uid", p->caj->obj.meta.uid),
		 LOG_TIME("now", v->now_ms), LOG_I64("now_ms", v->now_ms),
		 LOG_STR("outcome", planner_outcome_name(r->outcome)),
		 LOG_STR("binding", planner_binding_name(r->binding)),
		 LOG_STR("region", grid_view_name(v, r->choice.region)), LOG_I64("start_ms", r->choice.start_ms),
		 LOG_STR("earlier_region", grid_view_name(v, pj->earlier_region)),
		 LOG_I64("earlier_start_ms", pj->earlier_region >= 0 ? pj->earlier_start_ms : 0),
		 LOG_STR("home", grid_view_name(v, p->place.home)), LOG_I64("earliest_ms", pj->earliest_ms),
		 LOG_I64("latest_start_ms", pj->latest_start_ms == TIME_NONE ? 0 : pj->latest_start_ms),
		 LOG_I64("spread_ms", pj->spread_ms), LOG_I64("power_milliwatts", pj->power_milliwatts),
		 LOG_DBL("objective", r->choice.objective), LOG_DBL("gain", r->gain), LOG_DBL("noise", r->noise),
		 LOG_DBL("carbon_scale", r->carbon_scale_mg_per_kwh),
		 LOG_DBL("price_scale", r->price_scale_micros_per_kwh),
		 LOG_TIME("issued", f ? f->issued_ms : TIME_NONE));
	return true;
}

static const char *issued(const struct gridregion *r, const char *metric, char text[TIME_TEXT])
{
	for (int i = 0; i < r->n_sources; i++) {
		if (cstr_eq(r->sources[i].metric, metric) && r->sources[i].issued_ms != TIME_NONE)
			return time_format(r->sources[i].issued_ms, text);
	}
	return "-";
}

/* The other half of what decisions rest on: which issue of carbon and price each region had in this round. */
static void log_round(const struct grid_view *v)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT(6 * 1024); /* a line of the log is cut at 8 KiB */
	char carbon[TIME_TEXT], price[TIME_TEXT];

	for (int i = 0; i < v->n_regions; i++)
		(void)buf_addf(&text, "%s%s=%s,%s", i ? " " : "", v->regions[i]->obj.meta.name,
			       issued(v->regions[i], "carbon", carbon), issued(v->regions[i], "price", price));
	log_info("round", LOG_I64("now_ms", v->now_ms), LOG_STR("issued", buf_cstr(&text)));
}

static size_t publish_rows(const struct grid_view *v, struct gathered *g, size_t n_planned,
			   const struct planner_result *results, struct plan_row *rows)
{
	size_t n = 0;
	bool logged = false;
	struct arena scratch;

	arena_init(&scratch, SCRATCH_CHUNK, SCRATCH_MAX);
	for (size_t i = 0; i < g->n; i++) {
		struct pending *p = &g->pending[i];
		struct plan_source source = { v,         p->caj,      job_of(p->job), &p->timing,
					      &p->place, &g->jobs[i], &results[i],    p->basis };
		struct plan_entry *entry = i < n_planned ? plan_entry_new(&source, p->earlier, &scratch)
					   : p->earlier  ? plan_entry_ref(p->earlier)
							 : NULL;

		if (entry && i < n_planned)
			logged |= log_decision(v, p, &g->jobs[i], &results[i], entry);
		if (entry)
			rows[n++] = (struct plan_row){ p->caj->obj.meta.key, entry };
		arena_reset(&scratch);
	}
	arena_release(&scratch);
	if (logged)
		log_round(v);
	return n;
}

int64_t plan_round(struct context *ctx, struct arena *arena)
{
	int64_t began_us = clock_mono_us();
	struct gathered g;
	struct planner_round round;

	/* Before the view is taken: a change in between counts as later. */
	uint64_t changes = atomic_load(&ctx->grid_changes);
	struct grid_snapshot *grid = grid_snapshot_new(informer_store(ctx->regions), informer_store(ctx->nodes),
						       &ctx->translate, clock_now_ms(&ctx->clock));
	const struct grid_view *v = &grid->view;
	gathered_init(&g, v, changes);
	gather(ctx, v, arena, &g);
	size_t n_open = partition(v, &g, g.n, false);
	mark_settled(&g, n_open);
	size_t n = partition(v, &g, n_open, true);
	_cleanup_free_ struct planner_result *results = xcalloc(n, sizeof(*results));
	_cleanup_free_ struct plan_row *rows = xcalloc(g.n, sizeof(*rows));
	/* The scale is that of all who wait for their start. */
	planner_round_init(&round, &v->signals, g.jobs, n_open, arena);
	reserve_running(ctx, v, &g, &round);
	for (size_t i = n; i < g.n && !g.apart; i++) {
		const struct plan_entry *e = g.pending[i].earlier;

		if (e && e->plan.n_segments > 0 && !g.pending[i].observed)
			planner_reserve(&round, grid_view_find(v, e->plan.segments[0].region), v->now_ms,
					e->plan.segments[0].end_ms, g.jobs[i].power_milliwatts);
	}
	run_round(&round, &g, n, results, arena);
	size_t n_rows = publish_rows(v, &g, n, results, rows);
	plan_table_publish(ctx->plans, grid, rows, n_rows, on_changed, ctx);
	metric_inc(metric_only(&rounds));
	metric_set(metric_series(&round_jobs, "pending"), (double)g.n);
	metric_set(metric_series(&round_jobs, "running"), (double)g.n_running);
	int64_t took_us = clock_mono_us() - began_us;
	metric_observe(metric_only(&round_seconds), (double)took_us / 1e6);
	atomic_store_explicit(&ctx->plan_round_ms, took_us / 1000, memory_order_relaxed);
	/* Power and forecasts move with the clock, also when no object changes. */
	int64_t next_ms = clock_real_until_ms(&ctx->clock, time_slot_floor(v->now_ms, SLOT_MS) + SLOT_MS);
	gathered_release(&g);
	return MAX(next_ms, 1);
}

int plan_round_reconcile(void *arg, struct worker *w, const char *key, struct reconcile_result *ret, struct error *err)
{
	(void)key;
	(void)err;
	ret->requeue_after_ms = plan_round(arg, w->arena);
	return 0;
}
