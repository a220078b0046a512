/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs that may pause, move or scale. */
#include "decide/flexible.h"

#include "decide/pause.h"

#include <math.h>

/* Of objectives: what differs by less is the same, added up in another order. */
#define NEARLY 1e-9

bool caj_is_flexible(const struct carbonawarejob *caj, const struct caj_timing *t)
{
	return (caj->spec.interrupt.set || caj->spec.scale.set) && t->latest_start_ms != TIME_NONE &&
	       t->duration_ms > 0 && !caj->spec.critical && !caj->run_now;
}

/* Work and power by number of pods. */
static bool profile_init(struct caj_flex *f, const struct caj_spec *spec, struct arena *arena)
{
	const struct caj_scale *scale = &spec->scale;
	double *throughput = arena_array(arena, (size_t)scale->max + 1, double);
	double *power = arena_array(arena, (size_t)scale->max + 1, double);

	throughput[0] = power[0] = 0;
	for (int n = 1; n <= scale->max; n++) {
		throughput[n] = scale->n_speedup ? scale->speedup_permille[n - 1] / 1000.0 : n;
		power[n] = (double)n / scale->max;
	}
	f->profile = (struct elastic_profile){ scale->min, scale->max, throughput, power };
	return elastic_profile_is_valid(&f->profile);
}

static void milliwatts_init(struct caj_flex *f, const struct planner_job *asked, const struct caj_scale *scale,
			    struct arena *arena)
{
	int most = f->flex.profile ? scale->max : 1;
	int64_t *milliwatts = arena_array(arena, (size_t)most + 1, int64_t);

	for (int n = 0; n <= most; n++)
		milliwatts[n] = asked->power_milliwatts * n / most;
	f->milliwatts = milliwatts;
}

/* From here on the job is what is left of it. */
static void ask_for_the_rest(struct caj_flex *f, const struct grid_view *v, const struct carbonawarejob *caj,
			     const struct caj_timing *t, struct caj_place *place, struct planner_job *asked)
{
	const struct caj_progress *p = &f->progress;
	int16_t region = (int16_t)grid_view_find(v, p->region);
	/* Nobody knows better how much longer a job runs that should have ended: a little. */
	int64_t left_ms = MAX(t->duration_ms - p->done_ms, PAUSE_LAST_MS);
	bool may_move = f->flex.may_pause && p->moves == 0 && !caj->status.ledger.in_place;

	asked->latest_start_ms = t->latest_start_ms + t->duration_ms - left_ms;
	asked->duration_ms = left_ms;
	asked->spread_ms = 0;
	f->flex.region = region;
	f->flex.running = p->running;
	f->flex.ran_ms = p->ran_ms;
	f->flex.max_interruptions = MAX(f->flex.max_interruptions - p->interruptions, 0);
	f->flex.may_pause = f->flex.may_pause && (left_ms > PAUSE_LAST_MS || !p->running);
	f->flex.max_moves = may_move ? f->flex.max_moves : 0;
	if (region >= 0 && (!may_move || !f->flex.may_pause)) {
		place->regions[0] = region;
		place->n_regions = asked->n_regions = 1;
	}
}

int caj_segments_begun(const struct caj_plan *plan, int64_t now_ms)
{
	int n = 0;

	while (n < plan->n_segments && plan->segments[n].start_ms <= now_ms)
		n++;
	return n;
}

struct caj_flex *caj_flex_new(const struct grid_view *v, const struct carbonawarejob *caj, const struct job *job,
			      const struct caj_timing *t, const struct caj_plan *stands, struct caj_place *place,
			      struct planner_job *asked, struct arena *arena)
{
	const struct caj_interrupt *pause = &caj->spec.interrupt;
	struct caj_flex *f = arena_new(arena, struct caj_flex);
	int64_t restart = asked->power_milliwatts * CAJ_RESTART_MS / HOUR_MS;

	*f = (struct caj_flex){ .flex = { .may_pause = pause->set,
					  .max_interruptions = pause->max_interruptions,
					  .min_run_ms = pause->min_run_ms,
					  .checkpoint_ms = pause->checkpoint_ms,
					  .restart_milliwatt_hours = MAX(pause->restart_milliwatt_hours, restart),
					  .max_moves = pause->set && place->n_regions > 1,
					  .move_ms = CAJ_RESTART_MS,
					  .region = PLANNER_NO_REGION },
				.room = CAJ_MAX_SEGMENTS };
	if (caj->spec.scale.set && profile_init(f, &caj->spec, arena))
		f->flex.profile = &f->profile;
	milliwatts_init(f, asked, &caj->spec.scale, arena);
	caj_progress(caj, job, v->now_ms, &f->progress);
	if (f->progress.begun) {
		ask_for_the_rest(f, v, caj, t, place, asked);
		f->room = MAX(CAJ_MAX_SEGMENTS - caj_segments_begun(stands, v->now_ms), 1);
	}
	return f;
}

/* At most `room` segments: where its levels change more often than that it runs at full parallelism. */
static bool choose_fresh(const struct planner_round *round, const struct planner_job *asked, const struct caj_flex *f,
			 struct arena *arena, struct flex_plan *ret)
{
	struct flex flex = f->flex;

	if (flex_choose(round, asked, &flex, arena, ret) && ret->n_segments <= f->room)
		return true;
	flex.profile = NULL;
	flex.max_interruptions = MIN(flex.max_interruptions, f->room - 1);
	if (!flex_choose(round, asked, &flex, arena, ret) || ret->n_segments > f->room)
		return false;
	for (int i = 0; f->flex.profile && i < ret->n_segments; i++)
		ret->segments[i].parallelism = (int16_t)f->profile.max;
	return true;
}

/*
 * What remains of the plan that stands, its last segment as long as the work that is then left: a job that started
 * late, or goes faster, ends accordingly. False if nothing remains, or a region of it is gone.
 */
static bool remains(const struct grid_view *v, const struct caj_spec *spec, const struct planner_job *asked,
		    const struct caj_flex *f, const struct caj_plan *stands, struct arena *arena,
		    struct caj_choice *ret)
{
	int64_t from_ms = MAX(v->now_ms, asked->earliest_ms), left_ms = asked->duration_ms;

	*ret = (struct caj_choice){ .kept = true };
	ret->segments = arena_array(arena, (size_t)stands->n_segments, struct planner_segment);
	for (int i = 0; i < stands->n_segments && left_ms > 0; i++) {
		const struct caj_segment *e = &stands->segments[i];
		bool last = i + 1 == stands->n_segments;
		int16_t region = (int16_t)grid_view_find(v, e->region);
		int64_t start_ms = MAX(e->start_ms, from_ms), end_ms = e->end_ms;
		int32_t pods = spec->scale.set ? e->parallelism : 0;
		bool pauses = !last && stands->segments[i + 1].start_ms > e->end_ms;

		if (!last && end_ms <= from_ms)
			continue;
		if (region < 0)
			return false;
		int64_t all_ms = caj_time_for_work_ms(spec, pods, left_ms);
		if (last || start_ms + all_ms <= end_ms) {
			end_ms = start_ms + all_ms;
			left_ms = 0;
		} else {
			int64_t saving_ms = pauses ? spec->interrupt.checkpoint_ms : 0;

			left_ms -= caj_work_ms(spec, pods, end_ms - start_ms - saving_ms);
		}
		ret->segments[ret->n++] =
			(struct planner_segment){ region, (int16_t)(f->flex.profile ? pods : 1), start_ms, end_ms };
	}
	return ret->n > 0;
}

/* All that is left, in one go. */
static void in_one(const struct planner_job *asked, const struct caj_flex *f, int region, int64_t start_ms, double cost,
		   struct arena *arena, struct caj_choice *ret)
{
	*ret = (struct caj_choice){ .segments = arena_new(arena, struct planner_segment), .n = 1, .cost = cost };
	*ret->segments = (struct planner_segment){ (int16_t)region, (int16_t)(f->flex.profile ? f->profile.max : 1),
						   start_ms, start_ms + asked->duration_ms };
}

/*
 * As for a block (planner.h): it is compared from the border on, and run so much later, all of it, if that is possible.
 */
static void spread(const struct planner_round *round, const struct planner_job *asked, const struct caj_flex *f,
		   const struct flex_plan *plan, struct arena *arena, struct caj_choice *ret)
{
	int64_t start_min_ms = MAX(round->signals->now_ms, asked->earliest_ms);
	int64_t finish_by_ms = MAX(asked->latest_start_ms, start_min_ms) + asked->duration_ms;
	int n = plan->n_segments;
	int64_t by_ms = MIN(asked->spread_ms, finish_by_ms - plan->segments[n - 1].end_ms);
	struct planner_segment *later = arena_array(arena, (size_t)n, struct planner_segment);

	*ret = (struct caj_choice){ .segments = plan->segments, .n = n, .cost = plan->cost };
	if (by_ms <= 0 || plan->segments[0].start_ms <= start_min_ms)
		return;
	for (int i = 0; i < n; i++) {
		later[i] = plan->segments[i];
		later[i].start_ms += by_ms;
		later[i].end_ms += by_ms;
	}
	if (flex_cost(round, asked, &f->flex, later, n, arena) < INFINITY)
		ret->segments = later;
}

/* What the planner's block stands for in a comparison; INFINITY: it was not chosen by comparing. */
static double block_cost(const struct planner_result *found)
{
	bool compared = found->outcome == PLANNER_CHOSEN || found->outcome == PLANNER_KEPT;

	return compared && !isnan(found->choice.objective) ? found->choice.objective : INFINITY;
}

void caj_flex_choose(const struct planner_round *round, const struct grid_view *v, const struct caj_spec *spec,
		     const struct planner_job *asked, const struct caj_flex *f, const struct caj_plan *stands,
		     const struct planner_result *found, struct arena *arena, struct caj_choice *ret)
{
	bool running = f->progress.begun && f->progress.running;
	double block = running ? INFINITY : block_cost(found), kept = INFINITY, fresh = INFINITY;
	/* A block that stands, or "at once", is left only for a gain beyond the noise; see planner.h. */
	double lead = found->outcome == PLANNER_KEPT && !f->progress.begun ? found->noise : 0;
	struct caj_choice *rest = arena_new(arena, struct caj_choice);
	struct flex_plan plan;

	*ret = (struct caj_choice){ 0 };
	bool remained = remains(v, spec, asked, f, stands, arena, rest);
	if (remained)
		kept = rest->cost = flex_cost(round, asked, &f->flex, rest->segments, rest->n, arena);
	if (choose_fresh(round, asked, f, arena, &plan))
		fresh = plan.cost;
	if (kept < INFINITY && !(kept - fmin(fresh, block) > found->noise)) {
		*ret = *rest;
		return;
	}
	if (fresh < block - (kept < INFINITY ? 0 : lead) - NEARLY)
		spread(round, asked, f, &plan, arena, ret);
	else if (running && f->flex.region >= 0)
		/* Nothing can be compared: it goes on where it is. */
		in_one(asked, f, f->flex.region, v->now_ms, NAN, arena, ret);
	else if (f->progress.begun && found->choice.region != PLANNER_NO_REGION)
		in_one(asked, f, found->choice.region, found->choice.start_ms, found->choice.objective, arena, ret);
	else if (f->progress.begun && remained)
		*ret = *rest; /* nothing can be compared: it stands */
	ret->instead = remained && !ret->kept ? rest : NULL;
}
