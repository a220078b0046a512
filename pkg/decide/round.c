/* SPDX-License-Identifier: Apache-2.0 */
/* One planning round over all pending jobs. */
#include "decide/round_internal.h"

#include "base/alloc.h"
#include "decide/decide.h"

/* For one job at a time: what every slot of every region costs it, and the text of its entry. */
#define SCRATCH_CHUNK (8 * 1024)
#define SCRATCH_MAX (64 * 1024 * 1024)

static uint64_t mix(uint64_t hash, uint64_t value)
{
	return (hash ^ value) * UINT64_C(0x100000001b3); /* as FNV-1a does with each byte */
}

/*
 * What a job's plan rests on. Within a slot only the clock moves, which alone is no reason to plan anew; so thousands
 * of jobs that come one after the other do not make thousands of plans each.
 */
static uint64_t basis_of(const struct round_ctx *c, const struct round_job *j)
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
static void mark_settled(struct round_ctx *c)
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

static void sort_classes(struct round_ctx *c)
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
static const struct caj_plan *stands(const struct round_job *j)
{
	return j->earlier && j->earlier->plan.n_segments > 0 ? &j->earlier->plan : &j->caj->status.plan;
}

static void ask(struct round_ctx *c, struct round_job *j, struct planner_job *ret, struct caj_flex **ret_flex)
{
	const struct caj_plan *was = stands(j);

	caj_to_planner(c->view, j->caj, j->job, &j->timing, &j->place, ret);
	*ret_flex = NULL;
	if (was->n_segments == 1 && !j->begun) {
		ret->earlier_region = (int16_t)grid_view_find(c->view, was->segments[0].region);
		ret->earlier_start_ms = was->segments[0].start_ms;
	} else {
		ret->earlier_region = PLANNER_NO_REGION; /* several segments are no block */
	}
	if (caj_is_flexible(j->caj, &j->timing))
		*ret_flex = caj_flex_new(c->view, j->caj, j->job, &j->timing, was, &j->place, ret, c->arena);
}

static void gather(struct round_ctx *c)
{
	c->open = arena_array(c->arena, c->in->n_jobs, struct round_job *);
	for (size_t i = 0; i < c->in->n_jobs; i++) {
		struct round_job *j = &c->in->jobs[i];
		struct caj_refusal refusal = { 0 };

		j->entry = NULL;
		j->begun = caj_may_replan(j->caj, j->job);
		caj_place(c->view, j->caj, j->job, &j->place, &refusal);
		if (has_home(j) && (j->begun || !start_has_come(j, c->view->now_ms)))
			c->open[c->n_open++] = j;
		else if (j->earlier)
			j->entry = plan_entry_ref(j->earlier);
	}
	mark_settled(c);
	sort_classes(c);
	c->asked = arena_array(c->arena, c->n_open, struct planner_job);
	c->found = xcalloc(c->n_planned, sizeof(*c->found)); /* too large to be kept by an arena that is reset */
	c->flex = arena_array(c->arena, c->n_open, struct caj_flex *);
	c->choices = arena_array(c->arena, c->n_planned, const struct caj_choice *);
	for (size_t i = 0; i < c->n_open; i++)
		ask(c, c->open[i], &c->asked[i], &c->flex[i]);
}

static void hold(struct round_ctx *c, int region, int64_t start_ms, int64_t end_ms, int64_t power_milliwatts,
		 const struct job *job, int32_t pods)
{
	planner_reserve(&c->round, region, start_ms, end_ms, power_milliwatts);
	round_hold(c, region, start_ms, end_ms, power_milliwatts, job, pods);
}

static void hold_running(struct round_ctx *c)
{
	for (size_t i = 0; i < c->in->n_running; i++) {
		const struct round_running *r = &c->in->running[i];
		struct caj_progress p;

		caj_progress(r->caj, r->job, c->view->now_ms, &p);
		/* In observe mode the scheduler chose the place: home is the best guess. */
		const char *where = caj_is_unmodified(r->caj) ? r->caj->status.home : p.region;
		int16_t region = (int16_t)grid_view_find(c->view, where);
		struct power_model power = grid_view_power(c->view, &region, 1);
		/* Still running after its expected end: it holds its power for at least the present slot. */
		int64_t left_ms = MAX(r->timing.duration_ms - p.done_ms, SLOT_MS);

		hold(c, region, c->view->now_ms, c->view->now_ms + left_ms,
		     caj_pod_milliwatts(&r->caj->spec, &r->job->template.requests, &power) * caj_pods(r->job), r->job,
		     caj_pods(r->job));
	}
}

static void hold_segments(struct round_ctx *c, const struct round_job *j, const struct caj_plan *plan,
			  const struct planner_job *asked)
{
	int32_t full = caj_full_pods(&j->caj->spec, j->job);

	for (int i = 0; i < plan->n_segments && !j->observed; i++) {
		const struct caj_segment *s = &plan->segments[i];
		int64_t start_ms = i == 0 && !j->begun ? c->view->now_ms : MAX(s->start_ms, c->view->now_ms);
		int32_t pods = MIN(s->parallelism, full);

		if (s->end_ms > start_ms)
			hold(c, grid_view_find(c->view, s->region), start_ms, s->end_ms,
			     asked->power_milliwatts / full * pods, j->job, pods);
	}
}

/* What is not planned now, but was before: settled jobs, and those whose start has come. */
static void hold_planned(struct round_ctx *c)
{
	for (size_t i = c->n_planned; i < c->n_open; i++)
		hold_segments(c, c->open[i], &c->open[i]->earlier->plan, &c->asked[i]);
	for (size_t i = 0; i < c->in->n_jobs; i++) {
		struct round_job *j = &c->in->jobs[i];
		struct planner_job asked; /* for its power */

		if (!j->entry || !has_home(j))
			continue;
		caj_to_planner(c->view, j->caj, j->job, &j->timing, &j->place, &asked);
		hold_segments(c, j, &j->entry->plan, &asked);
	}
}

/* A plan in segments, told like a block: what it is from its first start to its last end. */
static void found_in_segments(struct round_ctx *c, size_t i, const struct caj_choice *choice)
{
	struct planner_result *r = &c->found[i];
	const struct caj_flex *f = c->flex[i];

	planner_evaluate_segments(&c->round, choice->segments, choice->n, f->milliwatts,
				  f->flex.restart_milliwatt_hours, &r->choice);
	r->choice.objective = choice->cost;
	r->outcome = choice->kept ? PLANNER_KEPT : PLANNER_CHOSEN;
	c->choices[i] = choice;
}

/* A copy that outlives the scratch arena. */
static struct caj_choice *keep_choice(struct round_ctx *c, const struct caj_choice *from)
{
	struct caj_choice *to = arena_new(c->arena, struct caj_choice);

	*to = *from;
	to->segments = arena_array(c->arena, (size_t)from->n, struct planner_segment);
	memcpy(to->segments, from->segments, (size_t)from->n * sizeof(*to->segments));
	to->instead = from->instead ? keep_choice(c, from->instead) : NULL;
	return to;
}

static void choose(struct round_ctx *c, size_t i)
{
	const struct round_job *j = c->open[i];
	struct caj_choice choice;

	planner_choose(&c->round, &c->asked[i], &c->found[i]);
	c->choices[i] = NULL;
	if (!c->flex[i])
		return;
	caj_flex_choose(&c->round, c->view, &j->caj->spec, &c->asked[i], c->flex[i], stands(j), &c->found[i],
			&c->scratch, &choice);
	if (choice.n > 0)
		found_in_segments(c, i, keep_choice(c, &choice));
	arena_reset(&c->scratch);
}

static void hold_choice(struct round_ctx *c, size_t i)
{
	const struct planner_option *o = &c->found[i].choice;
	const struct caj_choice *choice = c->choices[i];
	const struct job *job = c->open[i]->job;
	int32_t full = caj_full_pods(&c->open[i]->caj->spec, job);

	if (choice) {
		for (int k = 0; k < choice->n; k++) {
			const struct planner_segment *s = &choice->segments[k];

			hold(c, s->region, s->start_ms, s->end_ms, c->flex[i]->milliwatts[s->parallelism], job,
			     c->flex[i]->flex.profile ? s->parallelism : full);
		}
	} else if (o->region != PLANNER_NO_REGION) {
		hold(c, o->region, o->start_ms, o->end_ms, c->asked[i].power_milliwatts, job, full);
	}
}

/* One after the other, each under what those before it and the running ones hold; then together what collides. */
static void run(struct round_ctx *c)
{
	size_t *order = arena_array(c->arena, c->n_acting, size_t);

	planner_round_order(c->asked, c->n_acting, order);
	for (size_t i = 0; i < c->n_acting; i++) {
		c->holder = order[i];
		choose(c, order[i]);
		hold_choice(c, order[i]);
	}
	c->holder = ROUND_NOBODY;
	round_together(c);
	for (size_t i = c->n_acting; i < c->n_planned; i++)
		choose(c, i);
}

static void publish(struct round_ctx *c)
{
	for (size_t i = 0; i < c->n_planned; i++) {
		struct round_job *j = c->open[i];
		const struct caj_choice *instead = c->choices[i] ? c->choices[i]->instead : NULL;
		struct planner_option was;
		struct plan_source source = {
			.view = c->view,
			.caj = j->caj,
			.job = j->job,
			.timing = &j->timing,
			.place = &j->place,
			.planner_job = &c->asked[i],
			.result = &c->found[i],
			.flex = c->choices[i] ? c->flex[i] : NULL,
			.choice = c->choices[i],
			.stands = stands(j),
			.instead = instead ? &was : NULL,
			.basis = j->basis,
		};

		if (instead)
			planner_evaluate_segments(&c->round, instead->segments, instead->n, c->flex[i]->milliwatts,
						  c->flex[i]->flex.restart_milliwatt_hours, &was);

		j->entry = plan_entry_new(&source, j->earlier, &c->scratch);
		if (c->in->decided && !(j->earlier && plan_entry_equal(j->earlier, j->entry)))
			c->in->decided(c->in->arg, &(struct round_decision){ j, &c->asked[i], &c->found[i] });
		arena_reset(&c->scratch);
	}
	for (size_t i = c->n_planned; i < c->n_open; i++)
		c->open[i]->entry = plan_entry_ref(c->open[i]->earlier);
}

void round_plan(const struct round_input *in, struct arena *arena)
{
	struct round_ctx c = { .in = in, .view = in->view, .apart = true, .holder = ROUND_NOBODY, .arena = arena };

	arena_init(&c.scratch, SCRATCH_CHUNK, SCRATCH_MAX);
	for (int i = 0; i < in->view->n_regions; i++)
		c.apart &= in->view->signals.regions[i].power_limit_milliwatts == 0;
	gather(&c);
	/* The scale is that of all who wait for their start. */
	planner_round_init(&c.round, &in->view->signals, c.asked, c.n_open, arena);
	hold_running(&c);
	hold_planned(&c);
	run(&c);
	publish(&c);
	arena_release(&c.scratch);
	vec_release(&c.holds);
	free(c.found);
}
