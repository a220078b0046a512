/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of caj_decide() up to the release, one by one. What holds over whole histories is in lifecycle_test.c. */
#include "decide_steps.h"

/* ---- from apply to planned ---- */

static void creates_the_job_before_it_writes_anything(void **state)
{
	(void)state;
	assert_int_equal(decide_at(caj_of("", WINDOW, "{}"), NULL, SUBMITTED).action, CAJ_CREATE_JOB);
}

static void writes_nothing_while_it_waits_for_a_plan(void **state)
{
	struct caj_decision d = decide_at(caj_of("", WINDOW, "{}"), job_with(true, MADE, "", ""), SUBMITTED);

	(void)state;
	assert_int_equal(d.action, CAJ_NOTHING);
	assert_int_equal(d.look_again_ms, at(LATEST));
}

static void one_write_tells_job_plan_and_baseline(void **state)
{
	const struct carbonawarejob *caj = planned("", WINDOW);
	const struct caj_status *s = &caj->status;
	struct caj_observed o;

	(void)state;
	assert_string_equal(s->job_uid, "job-1");
	assert_string_equal(s->template_hash, HASH);
	assert_string_equal(s->home, "london");
	assert_string_equal(s->baseline.rule, "run-at-once-at-home");
	assert_int_equal(s->deadline_ms, at("2023-02-09T12:00:00Z"));
	assert_int_equal(s->latest_start_ms, at(LATEST));
	assert_int_equal(s->estimated_start_ms, at(START));
	assert_string_equal(s->saved_carbon, "~200 g");
	assert_string_equal(s->saved_cost, "~-0.020 GBP");
	look(&o, caj, job_with(true, MADE, "", ""), "2023-02-09T00:00:06Z");
	o.plan = plan_for(caj, START);
	struct caj_decision d = decide(&o);
	assert_int_equal(d.action, CAJ_NOTHING);
	assert_int_equal(d.look_again_ms, at(START));
	assert_state(&d, "Deferred");
	assert_condition(&d, COND_ACCEPTED, true, "Accepted");
	assert_condition(&d, COND_PLANNED, true, "Optimised");
	/* As in a Job: it is suspended, in its words. */
	assert_condition(&d, COND_SUSPENDED, true, "JobSuspended");
	assert_string_equal(condition(&d, COND_SUSPENDED)->message, "Job suspended");
	assert_null(condition(&d, COND_DEADLINE_AT_RISK));
}

static void a_forged_template_hash_is_not_written(void **state)
{
	const struct carbonawarejob *caj = caj_of("", WINDOW, "{}");
	struct caj_observed o;

	(void)state;
	look(&o, caj, job_with(true, "\"loadshift.io/template-hash\":\"short\"", "", ""), SUBMITTED);
	o.plan = plan_for(caj, START);
	assert_null(decide(&o).status.template_hash);
}

static void home_and_baseline_stay_as_first_planned(void **state)
{
	const struct carbonawarejob *caj = planned("", WINDOW);
	struct plan_entry *p = plan_for(caj, "2023-02-09T06:00:00Z");
	struct caj_observed o;

	(void)state;
	look(&o, caj, job_with(true, MADE, "", ""), "2023-02-09T02:00:00Z");
	p->home = "wales";
	p->baseline.start_ms = at("2023-02-09T02:00:00Z");
	p->baseline.expected.carbon_milligrams = 1;
	o.plan = p;
	struct caj_decision d = decide(&o);
	assert_int_equal(d.action, CAJ_WRITE_STATUS);
	assert_string_equal(d.status.home, "london");
	assert_int_equal(d.status.baseline.start_ms, at(SUBMITTED));
	assert_int_equal(d.status.baseline.expected.carbon_milligrams, 300000);
}

static void other_options_alone_are_not_worth_a_write(void **state)
{
	const struct carbonawarejob *caj = planned("", WINDOW);
	struct plan_entry *p = plan_for(caj, START);
	struct caj_observed o;

	(void)state;
	look(&o, caj, job_with(true, MADE, "", ""), "2023-02-09T02:00:00Z");
	p->n_options = 1;
	p->options = arena_new(&fixture.arena, struct caj_option);
	p->options[0] = (struct caj_option){ "wales", at(START), p->plan.expected };
	o.plan = p;
	assert_int_equal(decide(&o).action, CAJ_NOTHING);
	p->plan.expected.carbon_milligrams++;
	p->explanation = "starts for another reason";
	assert_int_equal(decide(&o).status.n_options, 1);
}

static void an_event_tells_of_a_move_by_more_than_half_an_hour(void **state)
{
	static const struct {
		const char *start, *event;
	} cases[] = { { "2023-02-09T04:30:00Z", NULL },
		      { "2023-02-09T03:30:00Z", NULL },
		      { "2023-02-09T04:30:01Z", "Replanned" },
		      { "2023-02-09T03:29:59Z", "Replanned" } };
	const struct carbonawarejob *caj = planned("", WINDOW);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct caj_observed o;

		look(&o, caj, job_with(true, MADE, "", ""), "2023-02-09T02:00:00Z");
		o.plan = plan_for(caj, cases[i].start);
		struct caj_decision d = decide(&o);
		assert_int_equal(d.action, CAJ_WRITE_STATUS);
		assert_true(cstr_eq(d.event.reason, cases[i].event));
	}
}

/* ---- refusals ---- */

static void a_refusal_is_told_once_and_makes_no_job(void **state)
{
	const struct carbonawarejob *caj = caj_of("", WINDOW ",\"earliestStartTime\":\"2023-02-09T11:30:00Z\"", "{}");
	struct caj_decision d = decide_at(caj, NULL, SUBMITTED);

	(void)state;
	assert_condition(&d, COND_ACCEPTED, false, "ImpossibleWindow");
	assert_state(&d, "Rejected");
	assert_string_equal(d.event.reason, "ImpossibleWindow");
	caj = written(caj, &d);
	assert_int_equal(decide_at(caj, NULL, "2023-02-09T01:00:00Z").action, CAJ_NOTHING);
	/* Edited, and still wrong: the status follows, the event is old news. */
	d = decide_at(edited(caj), NULL, "2023-02-09T01:00:00Z");
	assert_int_equal(d.action, CAJ_WRITE_STATUS);
	assert_null(d.event.reason);
}

static void a_name_that_is_taken_and_a_refused_template_are_told(void **state)
{
	struct caj_observed o;

	(void)state;
	look(&o, caj_of("", WINDOW, "{}"), NULL, SUBMITTED);
	o.foreign_job = "CronJob nightly";
	struct caj_decision d = decide(&o);
	assert_condition(&d, COND_ACCEPTED, false, "JobNameTaken");
	assert_non_null(strstr(condition(&d, COND_ACCEPTED)->message, "CronJob nightly"));
	o.foreign_job = NULL;
	o.template_error = "spec.template.spec.containers[0].image: required";
	d = decide(&o);
	assert_condition(&d, COND_ACCEPTED, false, "InvalidTemplate");
	assert_non_null(strstr(condition(&d, COND_ACCEPTED)->message, o.template_error));
}

static void a_region_that_goes_away_does_not_end_an_accepted_job(void **state)
{
	const struct carbonawarejob *caj = planned("", WINDOW);
	struct caj_observed o;

	(void)state;
	look(&o, caj_of("", WINDOW, "{}"), NULL, SUBMITTED);
	o.refusal = (struct caj_refusal){ .reason = "UnknownRegion", .message = "no such region" };
	struct caj_decision d = decide(&o);
	assert_condition(&d, COND_ACCEPTED, false, "UnknownRegion");
	look(&o, caj, job_with(true, MADE, "", ""), START);
	o.refusal.reason = "UnknownRegion";
	o.plan = plan_for(caj, START);
	d = decide(&o);
	assert_state(&d, "Running");
}

static void kueue_owns_suspend(void **state)
{
	struct caj_decision d = decide_at(caj_of("", WINDOW,
						 "{\""
						 "templateHash\":\"" HASH "\"}"),
					  job_with(true, MADE,
						   ",\"template\":{\"metadata\":{\"labels\":"
						   "{\"kueue.x-k8s.io/queue-name\":\"gpu\"}}}",
						   ""),
					  LATEST);

	(void)state;
	/* The label came after the creation: the Job is left to Kueue, and runs when Kueue says so. */
	assert_condition(&d, COND_ACCEPTED, false, "ManagedByKueue");
	assert_int_equal(d.status.released_ms, TIME_NONE);
	d = decide_at(caj_of("", WINDOW, "{}"),
		      job_with(false, MADE,
			       ",\"template\":{\"metadata\":{\"labels\":{\"kueue.x-k8s.io/queue-name\":\"gpu\"}}}", ""),
		      LATEST);
	assert_state(&d, "Running");
}

/* ---- the release ---- */

static void records_before_it_releases(void **state)
{
	const struct carbonawarejob *caj = planned("", WINDOW);
	const struct job *job = job_with(true, MADE, "", "");
	struct caj_observed o;

	(void)state;
	look(&o, caj, job, START);
	o.plan = plan_for(caj, START);
	struct caj_decision d = decide(&o);
	assert_int_equal(d.action, CAJ_WRITE_STATUS);
	assert_int_equal(d.status.released_ms, at(START));
	assert_string_equal(d.status.job_uid, "job-1");
	assert_condition(&d, COND_RELEASED, true, "PlanDue");
	assert_condition(&d, COND_SUSPENDED, false, "JobResumed");
	assert_string_equal(d.event.reason, "Released");
	assert_false(d.overdue);
	d = decide_at(written(caj, &d), job, START);
	assert_int_equal(d.action, CAJ_RELEASE_JOB);
	assert_true(d.check_caj);
}

static void is_at_rest_once_released(void **state)
{
	struct caj_decision d = decide_at(released(WINDOW), job_with(false, MADE "," MARK(START), "", ""), START);

	(void)state;
	assert_int_equal(d.action, CAJ_NOTHING);
	assert_int_equal(d.look_again_ms, at("2023-02-09T12:00:00Z") + 1);
	assert_int_equal(d.look_again_real_ms, CAJ_START_BLOCKED_MS);
	assert_state(&d, "Running");
}

static void the_latest_start_holds_without_a_plan(void **state)
{
	const struct carbonawarejob *caj = caj_of("", WINDOW, "{}");
	struct caj_decision d = decide_at(caj, job_with(true, MADE, "", ""), LATEST);

	(void)state;
	assert_int_equal(d.status.released_ms, at(LATEST));
	assert_condition(&d, COND_RELEASED, true, "LatestStart");
	assert_true(d.overdue);
}

static void an_edited_deadline_goes_before_the_plan_that_was(void **state)
{
	struct carbonawarejob *caj = edited(planned("", WINDOW));
	const struct job *job = job_with(true, MADE, "", "");
	struct caj_observed o;

	(void)state;
	/* Later: a plan for the new spec is waited for, the one for the old spec does not count. */
	caj->spec.deadline_ms = at("2023-02-09T20:00:00Z");
	look(&o, caj, job, START);
	o.plan = plan_for(planned("", WINDOW), START);
	assert_int_equal(decide(&o).action, CAJ_NOTHING);
	/* Earlier, and no plan can come any more: it starts at the new latest start, not when the old plan said. */
	caj->spec.deadline_ms = at("2023-02-09T03:00:00Z");
	look(&o, caj, job, "2023-02-09T01:00:00Z");
	o.can_plan = false;
	struct caj_decision d = decide(&o);
	assert_state(&d, "Deferred");
	assert_int_equal(d.look_again_ms, at("2023-02-09T01:50:00Z"));
	look(&o, caj, job, "2023-02-09T01:50:00Z");
	assert_int_equal(decide(&o).status.released_ms, at("2023-02-09T01:50:00Z"));
}

static void a_deadline_that_has_passed_is_a_condition_not_a_refusal(void **state)
{
	const struct carbonawarejob *caj =
		caj_of("", ",\"expectedDurationSeconds\":3600,\"deadline\":\"2023-02-08T12:00:00Z\"", "{}");
	struct caj_observed o;

	(void)state;
	assert_int_equal(decide_at(caj, NULL, SUBMITTED).action, CAJ_CREATE_JOB);
	look(&o, caj, job_with(true, MADE, "", ""), SUBMITTED);
	o.plan = plan_for(caj, SUBMITTED);
	struct caj_decision d = decide(&o);
	assert_int_equal(d.status.released_ms, at(SUBMITTED));
	assert_condition(&d, COND_ACCEPTED, true, "Accepted");
	assert_condition(&d, COND_DEADLINE_AT_RISK, true, "DeadlinePassed");
}

static void a_window_that_is_too_short_is_a_risk(void **state)
{
	const struct carbonawarejob *caj =
		caj_of("", ",\"expectedDurationSeconds\":3600,\"deadline\":\"2023-02-09T00:30:00Z\"", "{}");
	struct caj_observed o;

	(void)state;
	look(&o, caj, job_with(true, MADE, "", ""), SUBMITTED);
	o.plan = plan_for(caj, SUBMITTED);
	struct caj_decision d = decide(&o);
	assert_int_equal(d.status.released_ms, at(SUBMITTED));
	assert_condition(&d, COND_DEADLINE_AT_RISK, true, "WindowTooShort");
}

static void without_grid_regions_it_runs_now_or_at_its_latest_start(void **state)
{
	const struct job *job = job_with(true, MADE, "", "");
	struct caj_observed o;

	(void)state;
	look(&o, caj_of("", WINDOW, "{}"), job, SUBMITTED);
	o.can_plan = false;
	struct caj_decision d = decide(&o);
	assert_int_equal(d.status.released_ms, at(SUBMITTED));
	assert_condition(&d, COND_DEGRADED, true, "NoGridData");
	assert_condition(&d, COND_RELEASED, true, "NoData");
	look(&o, caj_of("", WINDOW ",\"onNoData\":\"RunAtLatestStart\"", "{}"), job, SUBMITTED);
	o.can_plan = false;
	d = decide(&o);
	assert_int_equal(d.status.released_ms, TIME_NONE);
	assert_int_equal(d.status.estimated_start_ms, at(LATEST));
	assert_int_equal(d.look_again_ms, at(LATEST));
}

static void a_plan_that_rests_on_other_annotations_is_not_used(void **state)
{
	const struct carbonawarejob *caj =
		planned(",\"annotations\":{\"loadshift.io/not-before\":\"2023-02-09T06:00:00Z\"}", WINDOW);
	struct caj_observed o;

	(void)state;
	look(&o, caj, job_with(true, MADE, "", ""), START);
	o.plan = plan_for(caj_of("", WINDOW, "{}"), START);
	assert_int_equal(decide(&o).action, CAJ_NOTHING);
	/* And were it the only one there will ever be: not before the time that was asked for. */
	o.plan = NULL;
	o.can_plan = false;
	assert_int_equal(decide(&o).status.released_ms, TIME_NONE);
}

static void run_now_and_critical_go_before_everything(void **state)
{
	static const char *const metadata[] = { ",\"annotations\":{\"loadshift.io/run-now\":\"true\"}", "" };
	static const char *const urgency[] = { "", ",\"urgency\":\"Critical\"" };

	(void)state;
	for (int i = 0; i < 2; i++) {
		const struct carbonawarejob *caj =
			caj_of(metadata[i], arena_printf(&fixture.arena, HARD "%s", urgency[i]), "{}");
		struct caj_observed o;

		look(&o, caj, job_with(true, MADE, "", ""), SUBMITTED);
		o.can_plan = false;
		struct caj_decision d = decide(&o);
		assert_int_equal(d.status.released_ms, at(SUBMITTED));
		assert_condition(&d, COND_RELEASED, true, i ? "Critical" : "RunNow");
	}
}

static void an_overridden_power_limit_is_an_event(void **state)
{
	const struct carbonawarejob *caj = planned("", WINDOW);
	struct plan_entry *p = plan_for(caj, START);
	struct caj_observed o;

	(void)state;
	look(&o, caj, job_with(true, MADE, "", ""), START);
	p->over_power = true;
	o.plan = p;
	assert_string_equal(decide(&o).event.reason, "PowerLimitOverridden");
}

static void a_new_release_is_later_than_the_mark_of_the_last(void **state)
{
	const struct carbonawarejob *caj = planned("", WINDOW);
	struct caj_observed o;

	(void)state;
	look(&o, caj, job_with(true, MADE "," MARK(START), "", ""), START);
	o.plan = plan_for(caj, START);
	struct caj_decision d = decide(&o);
	assert_int_equal(d.status.released_ms, at(START) + SECOND_MS);
	assert_int_equal(decide_at(written(caj, &d), o.job, START).action, CAJ_RELEASE_JOB);
	/* A mark that nobody can have made yet counts as none. */
	look(&o, caj, job_with(true, MADE "," MARK("9999-01-01T00:00:00Z"), "", ""), START);
	o.plan = plan_for(caj, START);
	assert_int_equal(decide(&o).status.released_ms, at(START));
}

/* ---- hard limits ---- */

static void a_hard_limit_waits_until_the_latest_start_and_ends_there(void **state)
{
	const struct carbonawarejob *caj = caj_of("", HARD, "{}");
	const struct job *job = job_with(true, MADE, "", "");
	struct caj_observed o;

	(void)state;
	look(&o, caj, job, SUBMITTED);
	o.plan = plan_for(caj, NULL);
	struct caj_decision d = decide(&o);
	assert_state(&d, "Pending");
	assert_condition(&d, COND_PLANNED, false, "HardLimitUnmet");
	assert_int_equal(d.look_again_ms, at(LATEST));
	look(&o, written(caj, &d), job, LATEST);
	o.plan = plan_for(caj, NULL);
	d = decide(&o);
	assert_condition(&d, COND_FAILED, true, "HardLimitUnmet");
	assert_state(&d, "Failed");
	assert_true(d.check_job);
	assert_int_equal(d.status.released_ms, TIME_NONE);
	assert_null(d.status.saved_carbon);
	/* The Job stays suspended, and nothing is done any more. */
	d = decide_at(written(caj, &d), job, "2023-02-10T00:00:00Z");
	assert_int_equal(d.action, CAJ_NOTHING);
	assert_int_equal(d.look_again_ms, TIME_NONE);
}

static void a_hard_limit_is_never_released_without_a_plan(void **state)
{
	const struct carbonawarejob *caj = planned("", HARD);
	struct caj_observed o;

	(void)state;
	/* This process has no plan yet: the one in status may have come true otherwise. It waits, also past the latest
	 * start. */
	assert_int_equal(decide_at(caj, job_with(true, MADE, "", ""), START).action, CAJ_NOTHING);
	assert_int_equal(decide_at(caj, job_with(true, MADE, "", ""), LATEST).action, CAJ_NOTHING);
	look(&o, caj, job_with(true, MADE, "", ""), LATEST);
	o.can_plan = false;
	struct caj_decision d = decide(&o);
	assert_condition(&d, COND_FAILED, true, "HardLimitUnknown");
}

static void a_hard_limit_holds_for_a_job_without_deadline(void **state)
{
	const struct carbonawarejob *caj =
		caj_of("", ",\"limits\":{\"maxCarbonGramsPerKWh\":{\"value\":100,\"enforcement\":\"Hard\"}}", "{}");
	struct caj_observed o;

	(void)state;
	look(&o, caj, job_with(true, MADE, "", ""), SUBMITTED);
	o.plan = plan_for(caj, NULL);
	struct caj_decision d = decide(&o);
	assert_condition(&d, COND_FAILED, true, "HardLimitUnmet");
}

static void a_full_region_ends_nothing(void **state)
{
	const struct carbonawarejob *caj = caj_of("", WINDOW, "{}");
	struct plan_entry *p = plan_for(caj, NULL);
	struct caj_observed o;

	(void)state;
	p->no_power = true;
	p->reason = "NoPower";
	look(&o, caj, job_with(true, MADE, "", ""), "2023-02-09T11:30:00Z");
	o.plan = p;
	struct caj_decision d = decide(&o);
	assert_state(&d, "Pending");
	assert_condition(&d, COND_DEADLINE_AT_RISK, true, "WindowTooShort");
}

static void an_old_record_does_not_break_a_hard_limit(void **state)
{
	const struct carbonawarejob *caj = released(HARD);
	const struct job *job = job_with(true, MADE, "", "");

	(void)state;
	assert_int_equal(decide_at(caj, job, "2023-02-09T04:10:00Z").action, CAJ_RELEASE_JOB);
	struct caj_decision d = decide_at(caj, job, "2023-02-09T04:10:01Z");
	assert_int_equal(d.action, CAJ_WRITE_STATUS);
	assert_int_equal(d.status.released_ms, TIME_NONE);
	assert_condition(&d, COND_RELEASED, false, "NotCarriedOut");
	assert_true(d.check_job);
	/* Without a hard limit it is late enough already. */
	assert_int_equal(decide_at(released(WINDOW), job, "2023-02-09T09:00:00Z").action, CAJ_RELEASE_JOB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(creates_the_job_before_it_writes_anything),
		TEST(writes_nothing_while_it_waits_for_a_plan),
		TEST(one_write_tells_job_plan_and_baseline),
		TEST(a_forged_template_hash_is_not_written),
		TEST(home_and_baseline_stay_as_first_planned),
		TEST(other_options_alone_are_not_worth_a_write),
		TEST(an_event_tells_of_a_move_by_more_than_half_an_hour),
		TEST(a_refusal_is_told_once_and_makes_no_job),
		TEST(a_name_that_is_taken_and_a_refused_template_are_told),
		TEST(a_region_that_goes_away_does_not_end_an_accepted_job),
		TEST(kueue_owns_suspend),
		TEST(records_before_it_releases),
		TEST(is_at_rest_once_released),
		TEST(the_latest_start_holds_without_a_plan),
		TEST(an_edited_deadline_goes_before_the_plan_that_was),
		TEST(a_deadline_that_has_passed_is_a_condition_not_a_refusal),
		TEST(a_window_that_is_too_short_is_a_risk),
		TEST(without_grid_regions_it_runs_now_or_at_its_latest_start),
		TEST(a_plan_that_rests_on_other_annotations_is_not_used),
		TEST(run_now_and_critical_go_before_everything),
		TEST(an_overridden_power_limit_is_an_event),
		TEST(a_new_release_is_later_than_the_mark_of_the_last),
		TEST(a_hard_limit_waits_until_the_latest_start_and_ends_there),
		TEST(a_hard_limit_is_never_released_without_a_plan),
		TEST(a_hard_limit_holds_for_a_job_without_deadline),
		TEST(a_full_region_ends_nothing),
		TEST(an_old_record_does_not_break_a_hard_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
