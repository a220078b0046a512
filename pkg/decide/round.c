/* SPDX-License-Identifier: Apache-2.0 */
/* One planning round over all pending jobs. */
#include "decide/round.h"

#include "decide/decide.h"

/* For the text of one entry at a time. */
#define SCRATCH_CHUNK (8 * 1024)
#define SCRATCH_MAX (1024 * 1024)

struct ctx {
	const struct round_input *in;
	const struct grid_view *view;
	bool apart; /* no region has a power limit: one job's plan bears on no other's */
	struct planner_round round;
	/* Those that are open, in this order: to be planned, to be planned in observe mode, settled. */
	struct round_job **open;
	struct planner_job *asked;
	struct planner_result *found; /* of the first n_planned */
	size_t n_acting, n_planned, n_open;
	struct arena *arena;
};

static uint64_t mix(uint64_t hash, uint64_t value)
{
	return (hash ^ value) * UINT64_C(0x100000001b3); /* as FNV-1a does with each byte */
}

/*
 * What a job's plan rests on. Within a slot only the clock moves, which alone is no reason to plan anew; so thousands
 * of jobs that come one after the other do not make thousands of plans each.
 */
static uint64_t basis_of(const struct ctx *c, const struct round_job *j)
{
	uint64_t grid = mix(c->in->grid_version, (uint64_t)time_slot_floor(c->view->now_ms, SLOT_MS));
	uint64_t versions = mix(str_fnv1a(str_from(j->caj->obj.meta.resource_version)),
				str_fnv1a(str_from(j->job->obj.meta.resource_version)));

	return mix(grid, versions);
}

/*
 * A start that has come is not planned again: its release is under way. (After a restart there is no earlier entry, and
 * a start that was missed while nobody looked is planned anew.)
 */
static bool start_has_come(const struct round_job *j, int64_t now_ms)
{
	const struct plan_entry *e = j->earlier;

	return e && plan_entry_is_for(e, j->caj) && e->plan.n_segments > 0 && e->plan.segments[0].start_ms <= now_ms;
}

/* A cluster without a single GridRegion has no home at all: such a job runs by its own times, unplanned. */
static bool has_home(const struct round_job *j)
{
	return j->place.home >= 0 && j->place.n_regions > 0;
}

/* All open jobs together make the scale, by the regions that they allow: so a plan rests on these, too. */
static void mark_settled(struct ctx *c)
{
	uint64_t allowed[PLANNER_MAX_REGIONS / 64] = { 0 };

	for (size_t i = 0; i < c->n_open; i++) {
		const struct caj_place *place = &c->open[i]->place;

		for (int r = 0; r < place->n_regions; r++)
			allowed[place->regions[r] / 64] |= UINT64_C(1) << (place->regions[r] % 64);
	}
	for (size_t i = 0; i < c->n_open; i++) {
		struct round_job *j = c->open[i];

		j->basis = basis_of(c, j);
		for (size_t k = 0; k < ARRAY_LEN(allowed); k++)
			j->basis = mix(j->basis, allowed[k]);
		j->settled = c->apart && j->earlier && j->earlier->basis == j->basis;
	}
}

/* 0 = to be planned, 1 = to be planned in observe mode, 2 = settled. */
static int class_of(const struct round_job *j)
{
	return j->settled ? 2 : j->observed;
}

static void sort_classes(struct ctx *c)
{
	struct round_job **sorted = arena_array(c->arena, c->n_open, struct round_job *);
	size_t n = 0, ends[3];

	for (int class = 0; class < 3; class ++) {
		for (size_t i = 0; i < c->n_open; i++) {
			if (class_of(c->open[i]) == class)
				sorted[n++] = c->open[i];
		}
		ends[class] = n;
	}
	c->open = sorted;
	c->n_acting = ends[0];
	c->n_planned = ends[1];
}

/* The plan that stands is the one of this process, if there is one: the status may be a moment behind it. */
static void ask(const struct grid_view *v, const struct round_job *j, struct planner_job *ret)
{
	caj_to_planner(v, j->caj, j->job, &j->timing, &j->place, ret);
	if (j->earlier && j->earlier->plan.n_segments > 0) {
		ret->earlier_region = (int16_t)grid_view_find(v, j->earlier->plan.segments[0].region);
		ret->earlier_start_ms = j->earlier->plan.segments[0].start_ms;
	}
}

static void gather(struct ctx *c)
{
	c->open = arena_array(c->arena, c->in->n_jobs, struct round_job *);
	for (size_t i = 0; i < c->in->n_jobs; i++) {
		struct round_job *j = &c->in->jobs[i];
		struct caj_refusal refusal = { 0 };

		j->entry = NULL;
		caj_place(c->view, j->caj, j->job, &j->place, &refusal);
		if (has_home(j) && !start_has_come(j, c->view->now_ms))
			c->open[c->n_open++] = j;
		else if (j->earlier)
			j->entry = plan_entry_ref(j->earlier);
	}
	mark_settled(c);
	sort_classes(c);
	c->asked = arena_array(c->arena, c->n_open, struct planner_job);
	c->found = arena_array(c->arena, c->n_planned, struct planner_result);
	for (size_t i = 0; i < c->n_open; i++)
		ask(c->view, c->open[i], &c->asked[i]);
}

static void reserve_running(struct ctx *c)
{
	for (size_t i = 0; i < c->in->n_running; i++) {
		const struct round_running *r = &c->in->running[i];
		const struct caj_status *status = &r->caj->status;
		/* In observe mode the scheduler chose the place: home is the best guess. */
		bool guess = caj_is_unmodified(r->caj);
		const char *where = guess                     ? status->home
				    : status->plan.n_segments ? status->plan.segments[0].region
							      : NULL;
		int16_t region = (int16_t)grid_view_find(c->view, where);
		struct power_model power = grid_view_power(c->view, &region, 1);
		/* Still running after its expected end: it holds its power for at least the present slot. */
		int64_t end_ms = MAX(status->released_ms + r->timing.duration_ms, c->view->now_ms + SLOT_MS);

		planner_reserve(&c->round, region, c->view->now_ms, end_ms,
				caj_pod_milliwatts(&r->caj->spec, &r->job->template.requests, &power) *
					caj_pods(r->job));
	}
}

static void reserve_entry(struct ctx *c, const struct round_job *j, int64_t power_milliwatts)
{
	const struct caj_plan *plan = j->earlier ? &j->earlier->plan : NULL;

	if (plan && plan->n_segments > 0 && !j->observed)
		planner_reserve(&c->round, grid_view_find(c->view, plan->segments[0].region), c->view->now_ms,
				plan->segments[0].end_ms, power_milliwatts);
}

/* What is not planned now, but was before: settled jobs, and those whose start has come. */
static void reserve_planned(struct ctx *c)
{
	for (size_t i = c->n_planned; i < c->n_open; i++)
		reserve_entry(c, c->open[i], c->asked[i].power_milliwatts);
	for (size_t i = 0; i < c->in->n_jobs; i++) {
		const struct round_job *j = &c->in->jobs[i];
		struct planner_job asked;

		if (!j->entry || !has_home(j))
			continue;
		ask(c->view, j, &asked);
		reserve_entry(c, j, asked.power_milliwatts);
	}
}

static void publish(struct ctx *c)
{
	struct arena scratch;

	arena_init(&scratch, SCRATCH_CHUNK, SCRATCH_MAX);
	for (size_t i = 0; i < c->n_planned; i++) {
		struct round_job *j = c->open[i];
		struct plan_source source = { c->view,   j->caj,       j->job,       &j->timing,
					      &j->place, &c->asked[i], &c->found[i], j->basis };

		j->entry = plan_entry_new(&source, j->earlier, &scratch);
		if (c->in->decided && !(j->earlier && plan_entry_equal(j->earlier, j->entry)))
			c->in->decided(c->in->arg, &(struct round_decision){ j, &c->asked[i], &c->found[i] });
		arena_reset(&scratch);
	}
	arena_release(&scratch);
	for (size_t i = c->n_planned; i < c->n_open; i++)
		c->open[i]->entry = plan_entry_ref(c->open[i]->earlier);
}

void round_plan(const struct round_input *in, struct arena *arena)
{
	struct ctx c = { .in = in, .view = in->view, .apart = true, .arena = arena };

	for (int i = 0; i < in->view->n_regions; i++)
		c.apart &= in->view->signals.regions[i].power_limit_milliwatts == 0;
	gather(&c);
	/* The scale is that of all who wait for their start. */
	planner_round_init(&c.round, &in->view->signals, c.asked, c.n_open, arena);
	reserve_running(&c);
	if (!c.apart)
		reserve_planned(&c);
	planner_round_run(&c.round, c.asked, c.n_acting, c.found, arena);
	for (size_t i = c.n_acting; i < c.n_planned; i++)
		planner_choose(&c.round, &c.asked[i], &c.found[i]);
	publish(&c);
}
