/* SPDX-License-Identifier: Apache-2.0 */
/* One planning round over all pending jobs. */
#include "controller/plan_round.h"

#include "base/alloc.h"
#include "decide/round.h"
#include "log/log.h"
#include "metrics/metrics.h"

static struct metric rounds = METRIC_COUNTER("loadshift_plan_rounds_total", "Planning rounds.");
static struct metric round_seconds =
	METRIC_HISTOGRAM("loadshift_plan_round_seconds", "Time of one planning round.", metric_latency_buckets);
static struct metric round_jobs = METRIC_GAUGE("loadshift_plan_jobs", "Jobs in the last planning round.", "state");

struct gathered {
	struct object_list cajs;
	struct object_list jobs; /* references that the two lists borrow from */
	struct round_job *pending;
	struct round_running *running;
	size_t n_pending, n_holding, n_running;
};

static bool keep(struct gathered *g, const struct object *job)
{
	g->jobs.items[g->jobs.len++] = job;
	return true;
}

/* What cannot start draws nothing: others may have its power. */
static bool holds_power(const struct carbonawarejob *caj, const struct job *job)
{
	return (caj->status.plan.n_segments > 0 || caj_is_unmodified(caj)) && !job->suspend &&
	       !condition_is_true(&caj->status.conditions, COND_START_BLOCKED);
}

/* True if it keeps the reference to the Job. */
static bool gather_one(struct context *ctx, const struct carbonawarejob *caj, const struct object *object,
		       struct arena *arena, struct gathered *g)
{
	const struct job *job = object ? job_of(object) : NULL;
	struct caj_refusal refusal = { 0 };
	struct caj_timing timing;

	if (!job || caj_is_finished(caj))
		return false;
	context_timing(ctx, caj, &timing, &refusal);
	bool pending = caj_is_pending(caj, job), begun = caj_may_replan(caj, job) && caj_is_flexible(caj, &timing);
	g->n_running += caj_is_running(caj, job);
	if (!begun && (caj_is_running(caj, job) || caj_is_paused(caj))) {
		if (!holds_power(caj, job))
			return false;
		g->running[g->n_holding++] = (struct round_running){ caj, job, timing };
		return keep(g, object);
	}
	if (!(pending || begun) || refusal.reason || !cstr_eq(object->meta.owner.uid, caj->obj.meta.uid) ||
	    !object_owned_by(object, "loadshift.io", "CarbonAwareJob"))
		return false;
	g->pending[g->n_pending++] = (struct round_job){
		.caj = caj,
		.job = job,
		.timing = timing,
		.observed = context_mode(ctx, caj, arena).observe,
		.earlier = plan_table_get(ctx->plans, caj->obj.meta.uid),
	};
	return keep(g, object);
}

static void gather(struct context *ctx, struct arena *arena, struct gathered *g)
{
	*g = (struct gathered){ 0 };
	store_list(informer_store(ctx->cajs), &g->cajs);
	g->pending = xcalloc(g->cajs.len, sizeof(*g->pending));
	g->running = xcalloc(g->cajs.len, sizeof(*g->running));
	g->jobs.items = xcalloc(g->cajs.len, sizeof(struct object *));
	for (size_t i = 0; i < g->cajs.len; i++) {
		const struct carbonawarejob *caj = carbonawarejob_of(g->cajs.items[i]);
		const struct object *job = store_get(informer_store(ctx->jobs), caj->obj.meta.key);

		if (!gather_one(ctx, caj, job, arena, g))
			object_unref(job);
	}
}

static void gathered_release(struct gathered *g)
{
	for (size_t i = 0; i < g->n_pending; i++) {
		if (g->pending[i].earlier)
			plan_entry_unref(g->pending[i].earlier);
	}
	free(g->pending);
	free(g->running);
	object_list_release(&g->jobs);
	object_list_release(&g->cajs);
}

/* Placing jobs together ends after so much processor time, and so much more for each of them. */
#define TOGETHER_US 20000
#define TOGETHER_US_PER_JOB 20
#define TOGETHER_MAX_US 250000

struct decisions {
	const struct grid_view *view;
	int64_t until_us; /* processor time of this thread */
	bool any;
};

static int64_t thread_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

static bool out_of_time(void *arg)
{
	return thread_us() > ((const struct decisions *)arg)->until_us;
}

/* "london,1675933200000,1675940400000,1;..." of a plan in several segments; else empty. */
static const char *segments_in_short(const struct caj_plan *p, struct buf *text)
{
	for (int i = 0; p->n_segments > 1 && i < p->n_segments; i++)
		(void)buf_addf(text, "%s%s,%" PRId64 ",%" PRId64 ",%d", i ? ";" : "", p->segments[i].region,
			       p->segments[i].start_ms, p->segments[i].end_ms, p->segments[i].parallelism);
	return buf_cstr(text);
}

/*
 * Every new or changed decision is written down with what it rested on, so that anybody with the providers' answers can
 * compute it again.
 */
static void log_decision(void *arg, const struct round_decision *d)
{
	struct decisions *all = arg;
	const struct grid_view *v = all->view;
	const struct round_job *p = d->job;
	const struct planner_job *pj = d->asked;
	const struct planner_result *r = d->found;
	const struct grid_forecast *f = p->place.home < v->n_regions ? &v->regions[p->place.home]->forecast : NULL;

	_cleanup_(buf_release) struct buf segments = BUF_INIT(4096);

	all->any = true;
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
		 LOG_STR("segments", segments_in_short(&p->entry->plan, &segments)),
		 LOG_TIME("issued", f ? f->issued_ms : TIME_NONE));
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

static void on_changed(void *arg, const char *key)
{
	const struct context *ctx = arg;

	(void)workqueue_add(controller_queue(ctx->caj_controller), key);
}

static size_t rows_of(struct gathered *g, struct plan_row *rows)
{
	size_t n = 0;

	for (size_t i = 0; i < g->n_pending; i++) {
		if (g->pending[i].entry)
			rows[n++] = (struct plan_row){ g->pending[i].caj->obj.meta.key, g->pending[i].entry };
	}
	return n;
}

int64_t plan_round(struct context *ctx, struct arena *arena)
{
	int64_t began_us = clock_mono_us();
	struct gathered g;

	/* Before the view is taken: a change in between counts as later. */
	uint64_t changes = atomic_load(&ctx->grid_changes);
	_cleanup_(grid_snapshot_cleanup) struct grid_snapshot *before = plan_table_grid(ctx->plans);
	struct grid_snapshot *grid = grid_snapshot_new(informer_store(ctx->regions), informer_store(ctx->nodes),
						       &ctx->translate, clock_now_ms(&ctx->clock), before);
	const struct grid_view *v = &grid->view;
	struct decisions decisions = { .view = v };
	gather(ctx, arena, &g);
	decisions.until_us =
		thread_us() + MIN(TOGETHER_US + (int64_t)g.n_pending * TOGETHER_US_PER_JOB, TOGETHER_MAX_US);
	round_plan(&(struct round_input){ .view = v,
					  .grid_version = changes,
					  .jobs = g.pending,
					  .n_jobs = g.n_pending,
					  .running = g.running,
					  .n_running = g.n_holding,
					  .out_of_time = out_of_time,
					  .decided = log_decision,
					  .arg = &decisions },
		   arena);
	if (decisions.any)
		log_round(v);
	_cleanup_free_ struct plan_row *rows = xcalloc(g.n_pending, sizeof(*rows));
	plan_table_publish(ctx->plans, grid, rows, rows_of(&g, rows), on_changed, ctx);
	metric_inc(metric_only(&rounds));
	metric_set(metric_series(&round_jobs, "pending"), (double)g.n_pending);
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
