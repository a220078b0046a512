/* SPDX-License-Identifier: Apache-2.0 */
/* Looks, plans and objects in the usual states, for decide_test.c and decide_run_test.c. */
#ifndef TESTS_UNIT_DECIDE_STEPS_H
#define TESTS_UNIT_DECIDE_STEPS_H

#include "decide_fixture.h"

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER_HASH "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
#define WINDOW ",\"expectedDurationSeconds\":3600,\"deadline\":\"2023-02-09T12:00:00Z\""
#define HARD WINDOW ",\"limits\":{\"maxCarbonGramsPerKWh\":{\"value\":100,\"enforcement\":\"Hard\"}}"
/* 12:00 less an hour of work and ten minutes of margin. */
#define LATEST "2023-02-09T10:50:00Z"
#define SUBMITTED "2023-02-09T00:00:00Z"
#define START "2023-02-09T04:00:00Z"
#define MARK(time) "\"loadshift.io/released\":\"" time "\""
#define MADE "\"loadshift.io/template-hash\":\"" HASH "\""
#define KNOWN "\"jobRef\":{\"cluster\":\"\",\"name\":\"train\",\"uid\":\"job-1\"},\"templateHash\":\"" HASH "\""
#define COMPLETE                                                                                        \
	"\"conditions\":[{\"type\":\"Complete\",\"status\":\"True\",\"reason\":\"CompletionsReached\"," \
	"\"message\":\"Reached expected number of succeeded pods\"}]"

/* One look: what is not set is as it mostly is. */
static inline void look(struct caj_observed *o, const struct carbonawarejob *caj, const struct job *job,
			const char *now)
{
	*o = (struct caj_observed){
		.now_ms = at(now),
		.caj = caj,
		.job = job,
		.can_plan = true,
		.job_finished_ms = TIME_NONE,
		.job_started_ms = TIME_NONE,
		.job_suspended_ms = TIME_NONE,
		.last_checkpoint_ms = TIME_NONE,
		.pods = { .running_since_ms = TIME_NONE },
	};
	caj_timing(caj, at(SUBMITTED), TIME_NONE, &o->timing, &o->refusal);
}

static inline struct caj_decision decide(const struct caj_observed *o)
{
	struct caj_decision d;

	caj_decide(o, &fixture.arena, &d);
	return d;
}

static inline struct caj_decision decide_at(const struct carbonawarejob *caj, const struct job *job, const char *now)
{
	struct caj_observed *o = arena_new(&fixture.arena, struct caj_observed); /* the decision borrows from it */

	look(o, caj, job, now);
	return decide(o);
}

/* start NULL = no start is allowed. */
static inline struct plan_entry *plan_for(const struct carbonawarejob *caj, const char *start)
{
	struct plan_entry *p = arena_new(&fixture.arena, struct plan_entry);
	struct caj_figures base = { true, true, true, 1000000, 300000, 100000 }, plan = base;

	plan.carbon_milligrams = 100000;
	plan.cost_micros = 120000;
	*p = (struct plan_entry){ .generation = caj->obj.meta.generation,
				  .run_now = caj->run_now,
				  .not_before_ms = caj->not_before_ms,
				  .reason = start ? "Optimised" : "HardLimitUnmet",
				  .explanation =
					  start ? arena_printf(&fixture.arena, "starts %s", start) : "does not start",
				  .outcome = start ? PLANNER_CHOSEN : PLANNER_HARD_LIMIT,
				  .plan_id = start ? start : "none",
				  .home = "london",
				  .currency = "GBP",
				  .baseline = { "run-at-once-at-home", "london", at(SUBMITTED), base } };
	if (start) {
		p->plan.n_segments = 1;
		p->plan.segments = arena_new(&fixture.arena, struct caj_segment);
		p->plan.segments[0] = (struct caj_segment){ "yorkshire", at(start), at(start) + HOUR_MS, 1 };
		p->plan.expected = plan;
	}
	return p;
}

static inline const struct condition *condition(const struct caj_decision *d, const char *type)
{
	return condition_find(&d->status.conditions, type);
}

static inline void assert_condition(const struct caj_decision *d, const char *type, bool value, const char *reason)
{
	const struct condition *c = condition(d, type);

	if (!c)
		fail_msg("there is no condition %s", type);
	assert_int_equal(c->status, value ? CONDITION_TRUE : CONDITION_FALSE);
	assert_string_equal(c->reason, reason);
}

/* The State column. */
static inline void assert_state(const struct caj_decision *d, const char *state)
{
	assert_non_null(condition(d, COND_READY));
	assert_string_equal(condition(d, COND_READY)->reason, state);
}

/* The object as it is once planned for START, its Job suspended. */
static inline const struct carbonawarejob *planned(const char *metadata, const char *spec)
{
	const struct carbonawarejob *caj = caj_of(metadata, spec, "{}");
	struct caj_observed o;

	look(&o, caj, job_with(true, MADE, "", ""), "2023-02-09T00:00:05Z");
	o.plan = plan_for(caj, START);
	struct caj_decision d = decide(&o);
	return written(caj, &d);
}

/* The same, released at START. */
static inline const struct carbonawarejob *released(const char *spec)
{
	const struct carbonawarejob *caj = planned("", spec);
	struct caj_observed o;

	look(&o, caj, job_with(true, MADE, "", ""), START);
	o.plan = plan_for(caj, START);
	struct caj_decision d = decide(&o);
	return written(caj, &d);
}

static inline struct carbonawarejob *edited(const struct carbonawarejob *caj)
{
	struct carbonawarejob *copy = arena_new(&fixture.arena, struct carbonawarejob);

	*copy = *caj;
	copy->obj.meta.generation++;
	return copy;
}

#endif
