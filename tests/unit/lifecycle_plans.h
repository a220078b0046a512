/* SPDX-License-Identifier: Apache-2.0 */
/* The planning rounds of lifecycle_test.c: plans that keep to deadline and permissions, and are random otherwise. */
#ifndef TESTS_UNIT_LIFECYCLE_PLANS_H
#define TESTS_UNIT_LIFECYCLE_PLANS_H

#include "lifecycle_world.h"

static int64_t choose_start(struct world *w, const struct carbonawarejob *caj, const struct caj_timing *t,
			    enum planner_outcome *outcome)
{
	int64_t first = MAX(w->now, t->earliest_ms), last = MAX(last_start(t), first);
	int64_t found = TIME_NONE, n = 0;

	*outcome = PLANNER_AT_ONCE;
	if (t->at_once_reason || (w->grid == GRID_NO_DATA && !caj->spec.run_at_latest_on_no_data))
		last = first;
	if (w->grid == GRID_NO_DATA) {
		*outcome = wants_hard(caj) ? PLANNER_HARD_UNKNOWN
			   : last == first ? PLANNER_AT_ONCE
					   : PLANNER_NO_DATA_WAIT;
		return wants_hard(caj) ? TIME_NONE : last;
	}
	for (int64_t at = first; at <= last; at = time_slot_floor(at, SLOT_MS) + SLOT_MS) {
		if ((!wants_hard(caj) || limit_met(w, at)) && pick(w, ++n) == 0)
			found = at;
	}
	*outcome = found == TIME_NONE ? PLANNER_HARD_LIMIT : last == first ? PLANNER_AT_ONCE : PLANNER_CHOSEN;
	return found;
}

static const char *words(struct world *w, const char *what, int64_t at)
{
	char text[TIME_TEXT];
	int len = w->seed % 29 == 0 ? 900 : 20; /* some histories press against the size of the status */

	return arena_printf(&w->arena, "%s %s %0*d", what, time_format(at, text), len, 0);
}

/* Pods of one segment, by the work that is left. */
static struct caj_segment lay_one(struct world *w, const struct carbonawarejob *caj, const char *region, int64_t start,
				  int64_t *left)
{
	const struct caj_scale *scale = &caj->spec.scale;
	int64_t slots = 1 + pick(w, 4), longest = MAX(slots * SLOT_MS, caj->spec.interrupt.min_run_ms);
	int32_t n = scale->set ? MIN(scale->min << pick(w, 2), scale->max) : 1;
	int64_t slow = scale->set ? scale->max / n : 1;
	int64_t ms = MIN(*left * slow, longest);

	*left -= ms / slow;
	return (struct caj_segment){ region, start, start + ms, n };
}

/* From segment n on: parts with gaps between them, as far as deadline and permissions go. */
static int lay_segments(struct world *w, const struct carbonawarejob *caj, struct caj_segment *segments, int n,
			int64_t start, int64_t left, bool goes_on)
{
	static const char *const regions[] = { "london", "wales" };
	struct caj_timing t = timing_of(w, caj);
	const struct caj_ledger *l = &caj->status.ledger;
	int pauses = caj->spec.interrupt.set ? caj->spec.interrupt.max_interruptions - l->interruptions : 0;
	const char *region = l->begun && l->region ? l->region : "london";
	bool stays = !caj->spec.interrupt.set || l->in_place;

	if (!flexible(caj) || t.latest_start_ms == TIME_NONE || caj->spec.critical || caj->run_now || w->observe) {
		segments[n++] = (struct caj_segment){ region, start, start + left, 1 };
		return n;
	}
	while (left > 0 && n < CAJ_MAX_SEGMENTS - 1) {
		int64_t last = t.deadline_ms - t.margin_ms - left, gap = (1 + pick(w, 6)) * SLOT_MS;

		if (pauses > 0 && n > 0 && !goes_on && start + gap <= last && chance(w, 60)) {
			start += gap;
			pauses--;
			if (!stays)
				region = regions[pick(w, 2)];
		}
		/* In a hurry all pods run, to the end. */
		if (start + SLOT_MS > last || n == CAJ_MAX_SEGMENTS - 2) {
			segments[n++] = (struct caj_segment){ region, start, start + left,
							      caj->spec.scale.set ? caj->spec.scale.max : 1 };
			return n;
		}
		goes_on = false;
		segments[n] = lay_one(w, caj, region, start, &left);
		start = segments[n++].end_ms;
	}
	return n;
}

static const char *plan_id_of(struct world *w, const struct caj_plan *p)
{
	uint64_t hash = 0;

	for (int i = 0; i < p->n_segments; i++) {
		const struct caj_segment *g = &p->segments[i];

		hash = hash * 31 + (uint64_t)g->start_ms + (uint64_t)g->end_ms * 7 + str_fnv1a(str_from(g->region)) +
		       (uint64_t)g->parallelism;
	}
	return arena_printf(&w->arena, "%" PRIx64, hash);
}

static struct plan_entry *new_plan(struct world *w, const struct carbonawarejob *caj)
{
	struct caj_timing t = timing_of(w, caj);
	struct plan_entry *p = arena_new(&w->arena, struct plan_entry);
	int64_t start = choose_start(w, caj, &t, &p->outcome);
	struct caj_figures figures = { true, true, w->seed % 2, 1000000, pick(w, 500000), pick(w, 900000) };

	p->generation = caj->obj.meta.generation;
	p->run_now = caj->run_now;
	p->not_before_ms = caj->not_before_ms;
	p->planned_ms = w->now;
	p->home = "london";
	p->currency = "GBP";
	p->baseline = (struct caj_baseline){ "run-at-once-at-home", "london", MAX(w->now, t.earliest_ms), figures };
	p->no_data = w->grid == GRID_NO_DATA;
	if (start == TIME_NONE) {
		p->reason = p->outcome == PLANNER_HARD_UNKNOWN ? "HardLimitUnknown" : "HardLimitUnmet";
		p->explanation = words(w, "does not start until", last_start(&t));
	} else {
		p->reason = "Optimised";
		p->explanation = words(w, "starts", start);
		p->plan.segments = arena_array(&w->arena, CAJ_MAX_SEGMENTS, struct caj_segment);
		p->plan.n_segments = lay_segments(w, caj, p->plan.segments, 0, start, t.duration_ms, false);
		p->plan.expected = figures;
	}
	p->n_options = (int)pick(w, 6);
	p->options = arena_array(&w->arena, (size_t)p->n_options, struct caj_option);
	for (int i = 0; i < p->n_options; i++)
		p->options[i] = (struct caj_option){ "london", w->now + pick(w, 9) * SLOT_MS, figures };
	p->plan_id = plan_id_of(w, &p->plan);
	return p;
}

/* Of what is left: what has begun stays in the plan, the present segment may end earlier or later. */
static struct plan_entry *new_rest(struct world *w, const struct carbonawarejob *caj, const struct job *job)
{
	const struct caj_plan *was = &caj->status.plan;
	struct plan_entry *p = arena_new(&w->arena, struct plan_entry);
	struct caj_timing t = timing_of(w, caj);
	struct caj_progress done;
	int n = 0;

	caj_progress(caj, job, w->now, &done);
	int64_t left = MAX(t.duration_ms - done.done_ms, MINUTE_MS), start = time_slot_floor(w->now, SECOND_MS);
	*p = (struct plan_entry){ .generation = caj->obj.meta.generation,
				  .run_now = caj->run_now,
				  .not_before_ms = caj->not_before_ms,
				  .planned_ms = w->now,
				  .outcome = PLANNER_CHOSEN,
				  .reason = "Optimised",
				  .home = "london",
				  .currency = "GBP",
				  .baseline = caj->status.baseline };
	p->plan.segments = arena_array(&w->arena, CAJ_MAX_SEGMENTS, struct caj_segment);
	for (; n < was->n_segments && n < CAJ_MAX_SEGMENTS - 4 && was->segments[n].start_ms <= w->now; n++) {
		p->plan.segments[n] = was->segments[n];
		p->plan.segments[n].end_ms = MIN(p->plan.segments[n].end_ms, start);
	}
	if (!done.running)
		start = time_slot_floor(w->now, SLOT_MS) + (1 + pick(w, 3)) * SLOT_MS;
	if (t.deadline_ms != TIME_NONE && start + left > t.deadline_ms - t.margin_ms)
		start = time_slot_floor(w->now, SECOND_MS);
	p->plan.n_segments =
		lay_segments(w, caj, p->plan.segments, n, start, left,
			     done.running && done.ran_ms < MAX(caj->spec.interrupt.min_run_ms, 10 * MINUTE_MS));
	p->plan.expected = was->expected;
	p->plan_id = plan_id_of(w, &p->plan);
	p->explanation = words(w, "goes on", start);
	return p;
}

#endif
