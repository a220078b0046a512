/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The API server of a simulated cluster: every write makes a new version, is refused on an old one, and is checked
 * against the promises. Objects live in arenas of their own, as decoded ones do; what never changes of a job lives with
 * it, and so longer than all of them.
 */
#include <math.h>

#include "sim/cluster_internal.h"

#define OBJECT_CHUNK 1024
#define MAX_WRITES 1000
#define TTL_MS (25 * HOUR_MS)

/* ---- objects ---- */

static struct arena object_arena(void)
{
	struct arena a;

	arena_init(&a, OBJECT_CHUNK, OBJECT_MAX_BYTES);
	return a;
}

static const char *next_version(const struct sim_job *job, struct arena *a)
{
	return arena_printf(a, "%lld", (long long)job->writes);
}

static void put(struct world *w, struct sim_job *job, const struct object **place, const struct object *new)
{
	object_unref(*place);
	*place = new;
	if (++job->writes == MAX_WRITES)
		world_violation(w, CLUSTER_TOO_MANY_WRITES, job);
	operator_hears(w, job);
}

/* What an encoded and decoded status still knows of times: whole seconds. */
static int64_t whole(int64_t ms)
{
	return ms == TIME_NONE ? ms : time_slot_floor(ms, SECOND_MS);
}

static void cut_times(struct caj_status *s)
{
	s->deadline_ms = whole(s->deadline_ms);
	s->latest_start_ms = whole(s->latest_start_ms);
	s->estimated_start_ms = whole(s->estimated_start_ms);
	s->released_ms = whole(s->released_ms);
	s->paused_ms = whole(s->paused_ms);
	s->ledger.since_ms = whole(s->ledger.since_ms);
	s->baseline.start_ms = whole(s->baseline.start_ms);
	for (int i = 0; i < s->plan.n_segments; i++) {
		s->plan.segments[i].start_ms = whole(s->plan.segments[i].start_ms);
		s->plan.segments[i].end_ms = whole(s->plan.segments[i].end_ms);
	}
	for (int i = 0; i < s->n_options; i++)
		s->options[i].start_ms = whole(s->options[i].start_ms);
	for (int i = 0; i < s->n_runs; i++) {
		s->runs[i].start_ms = whole(s->runs[i].start_ms);
		s->runs[i].end_ms = whole(s->runs[i].end_ms);
	}
	for (size_t i = 0; i < s->conditions.len; i++)
		s->conditions.items[i].last_transition_ms = whole(s->conditions.items[i].last_transition_ms);
}

/* A new version of the CarbonAwareJob with that status. */
static const struct object *new_caj(const struct sim_job *job, const struct carbonawarejob *was,
				    const struct caj_status *status)
{
	struct arena arena = object_arena();
	struct carbonawarejob *caj = arena_new(&arena, struct carbonawarejob);

	caj->obj.meta = was->obj.meta;
	caj->spec = was->spec;
	caj->not_before_ms = was->not_before_ms;
	caj->obj.type = &carbonawarejob_type;
	caj->obj.refs = 1;
	caj->obj.arena = arena;
	caj->obj.meta.resource_version = next_version(job, &caj->obj.arena);
	caj_status_copy(status, &caj->obj.arena, &caj->status);
	cut_times(&caj->status);
	return &caj->obj;
}

static struct job *new_job(const struct sim_job *job, const struct job *was)
{
	struct arena arena = object_arena();
	struct job *j = arena_new(&arena, struct job);

	if (was) {
		j->obj.meta = was->obj.meta;
		j->suspend = was->suspend;
		j->parallelism = was->parallelism;
		j->completions = was->completions;
		j->ttl_after_finished_ms = was->ttl_after_finished_ms;
		j->template = was->template;
		j->start_ms = was->start_ms;
		j->active_deadline_ms = was->active_deadline_ms;
		j->completion_ms = was->completion_ms;
		j->conditions = (struct conditions){ 0 };
	}
	j->obj.type = &job_type;
	j->obj.refs = 1;
	j->obj.arena = arena;
	j->obj.meta.resource_version = next_version(job, &j->obj.arena);
	if (was)
		conditions_copy(&was->conditions, &j->obj.arena, &j->conditions);
	return j;
}

static void annotate(struct sim_job *job, struct job *j, const char *key, const char *value)
{
	const struct pairs *old = &j->obj.meta.annotations;
	struct pair *items = arena_array(&job->names, old->len + 1, struct pair);
	size_t n = 0;

	/* Sorted by key, as pairs_get() wants them. */
	for (size_t i = 0; i < old->len && strcmp(old->items[i].key, key) < 0; i++)
		items[n++] = old->items[i];
	items[n++] = (struct pair){ key, value };
	for (size_t i = 0; i < old->len; i++)
		if (strcmp(old->items[i].key, key) > 0)
			items[n++] = old->items[i];
	j->obj.meta.annotations = (struct pairs){ items, n };
}

/* ---- what users write ---- */

static struct caj_limit limit_of(double value)
{
	return isnan(value) ? (struct caj_limit){ 0 }
			    : (struct caj_limit){ true, true,
						  (int32_t)CLAMP(llround(value * 1000), -2000000000, 2000000000) };
}

static struct caj_interrupt interrupt_of(const struct trace_job *t)
{
	if (!t->may_pause)
		return (struct caj_interrupt){ .set = false };
	return (struct caj_interrupt){
		.set = true,
		.min_run_ms = time_slot_ceil(t->min_run_ms, SECOND_MS),
		.restart_milliwatt_hours = llround(t->restart_wh * 1000),
		.max_interruptions = MIN(t->max_interruptions, CAJ_MAX_INTERRUPTIONS),
	};
}

static void fill_spec(const struct world *w, struct sim_job *job, struct caj_spec *s)
{
	const struct trace_job *t = &job->trace;
	const char **others = arena_array(&job->names, (size_t)t->n_zones, const char *);

	for (int i = 1; i < t->n_zones; i++)
		others[i - 1] = w->truth->zones[t->zones[i]].name;
	*s = (struct caj_spec){
		.earliest_start_ms = t->earliest_ms > t->arrival_ms ? t->earliest_ms : TIME_NONE,
		.deadline_ms = t->latest_finish_ms,
		.max_delay_ms = TIME_NONE,
		/* Users round up: a run that is a little longer than they said would be in danger. */
		.expected_duration_ms = time_slot_ceil(t->duration_ms, SECOND_MS),
		.safety_margin_ms = TIME_NONE,
		.power_watts_per_pod =
			isnan(t->watts_per_pod) ? -1 : MAX(llround(t->watts_per_pod), t->watts_per_pod > 0),
		.home_region = w->truth->zones[t->zones[0]].name,
		.relocate = others,
		.n_relocate = t->n_zones - 1,
		.max_carbon = limit_of(t->max_carbon),
		.max_price = limit_of(t->max_price),
		.weights = { w->config->weight_carbon, w->config->weight_cost, w->config->weight_delay, 0 },
		.critical = t->critical,
		.interrupt = interrupt_of(t),
		.ttl_after_finished_ms = TTL_MS,
		.template_present = true,
		.template_active_deadline_ms = TIME_NONE,
	};
}

void server_submit(struct world *w, struct sim_job *job)
{
	struct carbonawarejob caj = { .not_before_ms = TIME_NONE };
	struct arena *a = &job->names;
	char *key = arena_printf(a, "sim/job-%lld", (long long)job->number);
	uint64_t uid = world_draw(w, job, 1);

	caj.obj.meta = (struct object_meta){
		.key = key,
		.namespace = "sim",
		.name = key + 4,
		/* Ends in its number: no two are the same. */
		.uid = arena_printf(a, "%016llx-%lld", (unsigned long long)uid, (long long)job->number),
		.generation = 1,
		.creation_ms = whole(w->now_ms),
		.deletion_ms = TIME_NONE,
	};
	fill_spec(w, job, &caj.spec);
	caj.status = (struct caj_status){
		.deadline_ms = TIME_NONE,
		.latest_start_ms = TIME_NONE,
		.estimated_start_ms = TIME_NONE,
		.released_ms = TIME_NONE,
		.paused_ms = TIME_NONE,
		.ledger = { .since_ms = TIME_NONE },
	};
	put(w, job, &job->caj, new_caj(job, &caj, &caj.status));
}

/* ---- what the operator writes ---- */

/*
 * Before a write is carried out: true if it is not. Somebody else may write the object first, and the operator may die
 * just now.
 */
static bool comes_to_nothing(struct world *w, struct sim_job *job, const struct object **place,
			     const struct object *seen, enum write_result *ret)
{
	struct operator* o = & w->operator;

	if (o->dies_at_write == 1) {
		operator_dies(w);
		*ret = WRITE_CRASHED;
		return true;
	}
	w->totals->writes++;
	if (*place && rand_unit(&w->rng_conflict) < w->config->faults.conflict_share) {
		/* Somebody's label: another version of the same. */
		w->totals->faults[FAULT_CONFLICT]++;
		if (place == &job->caj)
			put(w, job, place, new_caj(job, carbonawarejob_of(*place), &carbonawarejob_of(*place)->status));
		else
			put(w, job, place, &new_job(job, job_of(*place))->obj);
	}
	if (*place == seen)
		return false;
	w->totals->conflicts++;
	*ret = WRITE_CONFLICT;
	return true;
}

static enum write_result done(struct world *w)
{
	if (w->operator.dies_at_write == 0)
		return WRITE_DONE;
	operator_dies(w);
	return WRITE_CRASHED;
}

enum write_result server_create_job(struct world *w, struct sim_job *job)
{
	const struct carbonawarejob *caj = carbonawarejob_of(job->caj);
	struct arena *a = &job->names;
	enum write_result result;

	if (comes_to_nothing(w, job, &job->job, NULL, &result))
		return result;
	if (caj->status.job_uid)
		world_violation(w, CLUSTER_TWO_JOBS, job);
	struct job *j = new_job(job, NULL);
	j->obj.meta = (struct object_meta){
		.key = caj->obj.meta.key,
		.namespace = caj->obj.meta.namespace,
		.name = caj->obj.meta.name,
		.uid = arena_printf(a, "%s-job", caj->obj.meta.uid),
		.resource_version = j->obj.meta.resource_version,
		.generation = 1,
		.creation_ms = whole(w->now_ms),
		.deletion_ms = TIME_NONE,
		.owner = { "loadshift.io/v1alpha1", "CarbonAwareJob", caj->obj.meta.name, caj->obj.meta.uid },
	};
	j->suspend = true;
	j->parallelism = j->completions = job->trace.pods;
	j->template.requests = (struct pod_requests){ job->trace.cpu_milli, job->trace.memory_bytes, 0 };
	j->ttl_after_finished_ms = j->start_ms = j->completion_ms = j->active_deadline_ms = TIME_NONE;
	put(w, job, &job->job, &j->obj);
	return done(w);
}

enum write_result server_status(struct world *w, struct sim_job *job, const struct object *seen,
				const struct caj_status *status)
{
	enum write_result result;

	if (comes_to_nothing(w, job, &job->caj, seen, &result))
		return result;
	if (status->savings && status->savings->present)
		job->savings = *status->savings;
	put(w, job, &job->caj, new_caj(job, carbonawarejob_of(job->caj), status));
	return done(w);
}

static uint64_t bit(int zone)
{
	return UINT64_C(1) << (zone % 64);
}

/* The required terms, and the preferred region, of the release patch. */
static void confine(const struct world *w, struct sim_job *job, const struct plan_affinity *affinity)
{
	struct sim_run *r = &job->run[SERIES_OURS];
	const char *const *names = affinity->require_planned ? affinity->planned : affinity->allowed;
	int n = affinity->require_planned ? affinity->n_planned : affinity->n_allowed;

	memset(r->allowed, n > 0 ? 0 : 0xff, sizeof(r->allowed));
	for (int i = 0; i < n; i++) {
		int z = signals_zone(w->truth, str_from(names[i]));

		if (z >= 0)
			r->allowed[z / 64] |= bit(z);
	}
	r->preferred =
		affinity->n_planned > 0 ? (int16_t)signals_zone(w->truth, str_from(affinity->planned[0])) : NOBODY;
}

/* Whether it starts in time, and if not, whose fault that is. */
static void check_start(struct world *w, struct sim_job *job)
{
	const struct carbonawarejob *caj = carbonawarejob_of(job->caj);
	struct caj_refusal refusal;
	struct caj_timing t;

	operator_timing(job, &t, &refusal);
	if (caj->status.released_ms == TIME_NONE || !cstr_eq(caj->status.job_uid, job->job->meta.uid))
		world_violation(w, CLUSTER_UNRECORDED, job);
	if (w->now_ms < whole(t.earliest_ms))
		world_violation(w, CLUSTER_TOO_EARLY, job);
	int64_t latest_ms = t.latest_start_ms == TIME_NONE ? t.earliest_ms : MAX(t.latest_start_ms, t.earliest_ms);
	if (w->now_ms <= latest_ms + CLUSTER_GRACE_MS)
		return;
	if (w->operator.up_since_ms> latest_ms)
		w->totals->late_outage++;
	else
		world_violation(w, CLUSTER_TOO_LATE, job);
}

static void suspended(struct world *w, struct job *j, bool is)
{
	struct condition *c = arena_new(&j->obj.arena, struct condition);

	*c = (struct condition){ "Suspended", is ? CONDITION_TRUE : CONDITION_FALSE, "", "", 0, whole(w->now_ms) };
	j->conditions = (struct conditions){ c, 1 };
	j->suspend = is;
	/* Kubernetes forgets the start with each suspend. */
	j->start_ms = is ? TIME_NONE : whole(w->now_ms);
}

/* A Job that is suspended takes another place, as Kubernetes has it since its start is forgotten. */
static void place(struct world *w, struct sim_job *job, struct job *j, const struct body_release *r)
{
	if (!r->affinity->regions ||
	    (object_annotation(&j->obj, ANNOTATION_REGIONS) && !body_moves(job_of(job->job), r)))
		return;
	annotate(job, j, ANNOTATION_REGIONS, arena_strdup(&job->names, r->affinity->regions));
	if (r->region)
		annotate(job, j, ANNOTATION_PLACED, arena_printf(&job->names, "%s - -", r->region));
	confine(w, job, r->affinity);
}

enum write_result server_release_job(struct world *w, struct sim_job *job, const struct object *seen,
				     const struct body_release *r)
{
	bool runs = job->job && !job_of(job->job)->suspend;
	enum write_result result;
	char text[TIME_TEXT];

	if (comes_to_nothing(w, job, &job->job, seen, &result))
		return result;
	struct job *j = new_job(job, job_of(job->job));
	annotate(job, j, ANNOTATION_RELEASED, arena_strdup(&job->names, time_format(r->released_ms, text)));
	if (!runs) {
		check_start(w, job);
		if (job->released_ms == TIME_NONE)
			job->released_ms = whole(w->now_ms);
		place(w, job, j, r);
		suspended(w, j, false);
	}
	put(w, job, &job->job, &j->obj);
	/* A pause that was not carried out in time finds it running. */
	if (!runs)
		run_start(w, job, SERIES_OURS);
	return done(w);
}

/* paused_ms: TIME_NONE = by the user's spec.suspend. */
static enum write_result stop(struct world *w, struct sim_job *job, const struct object *seen, int64_t paused_ms)
{
	enum write_result result;
	char text[TIME_TEXT];

	if (comes_to_nothing(w, job, &job->job, seen, &result))
		return result;
	struct job *j = new_job(job, job_of(job->job));
	if (paused_ms != TIME_NONE)
		annotate(job, j, ANNOTATION_PAUSED, arena_strdup(&job->names, time_format(paused_ms, text)));
	suspended(w, j, true);
	put(w, job, &job->job, &j->obj);
	run_stop(w, job, SERIES_OURS);
	return done(w);
}

enum write_result server_suspend_job(struct world *w, struct sim_job *job, const struct object *seen)
{
	return stop(w, job, seen, TIME_NONE);
}

enum write_result server_pause_job(struct world *w, struct sim_job *job, const struct object *seen, int64_t paused_ms)
{
	return stop(w, job, seen, paused_ms);
}

enum write_result server_job_ttl(struct world *w, struct sim_job *job, const struct object *seen)
{
	enum write_result result;

	if (comes_to_nothing(w, job, &job->job, seen, &result))
		return result;
	struct job *j = new_job(job, job_of(job->job));
	j->ttl_after_finished_ms = TTL_MS;
	put(w, job, &job->job, &j->obj);
	return done(w);
}

enum write_result server_delete_caj(struct world *w, struct sim_job *job, const struct object *seen)
{
	const struct sim_run *r = &job->run[SERIES_OURS];
	enum write_result result;

	if (comes_to_nothing(w, job, &job->caj, seen, &result))
		return result;
	/* One that never began may have been refused for good, by a hard limit. */
	if (!r->finished && (r->let_go || !caj_is_finished(carbonawarejob_of(job->caj))))
		world_violation(w, CLUSTER_LOST, job);
	job->gone = true;
	operator_forget(job);
	return done(w);
}

void server_job_finished(struct world *w, struct sim_job *job)
{
	const struct sim_run *r = &job->run[SERIES_OURS];
	struct job *j = new_job(job, job_of(job->job));
	struct condition *c = arena_new(&j->obj.arena, struct condition);

	*c = (struct condition){
		.type = r->failed ? "Failed" : "Complete",
		.status = CONDITION_TRUE,
		.reason = r->failed ? "BackoffLimitExceeded" : "CompletionsReached",
		.message = r->failed ? "Job has reached the specified backoff limit" : "",
		.last_transition_ms = whole(w->now_ms),
	};
	j->conditions = (struct conditions){ c, 1 };
	if (!r->failed)
		j->completion_ms = whole(w->now_ms);
	put(w, job, &job->job, &j->obj);
}
