/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of caj_decide() from the release on: other people's hands, the run, its end. */
#include "decide_steps.h"

/* ---- other people ---- */

static void a_foreign_unsuspend_is_run_now(void **state)
{
	const struct carbonawarejob *caj = planned("", HARD);
	struct caj_decision d = decide_at(caj, job_with(false, MADE, "", ""), "2023-02-09T02:00:00Z");

	(void)state;
	assert_int_equal(d.status.released_ms, at("2023-02-09T02:00:00Z"));
	assert_condition(&d, COND_RELEASED, true, "UnsuspendedByOther");
	assert_state(&d, "Running");
	assert_true(d.check_job);
	/* Whoever let it go may stop it again. */
	d = decide_at(written(caj, &d), job_with(true, MADE, "", ""), "2023-02-09T03:00:00Z");
	assert_state(&d, "Suspended");
}

static void a_foreign_suspend_after_the_release_is_left_alone(void **state)
{
	const struct carbonawarejob *caj = released(WINDOW);
	const struct job *job = job_with(true, MADE "," MARK(START), "", "");
	struct caj_decision d = decide_at(caj, job, "2023-02-09T05:00:00Z");

	(void)state;
	assert_int_equal(d.action, CAJ_WRITE_STATUS);
	assert_state(&d, "Suspended");
	assert_int_equal(condition(&d, COND_READY)->status, CONDITION_FALSE);
	assert_memory_equal(condition(&d, COND_READY)->message, "SuspendedByOther", 16);
	assert_condition(&d, COND_SUSPENDED, true, "JobSuspended");
	assert_string_equal(d.event.reason, "SuspendedByOther");
	caj = written(caj, &d);
	assert_int_equal(decide_at(caj, job, "2023-02-09T23:00:00Z").action, CAJ_NOTHING);
	d = decide_at(caj, job_with(false, MADE "," MARK(START), "", ""), "2023-02-09T06:00:00Z");
	assert_state(&d, "Running");
	assert_condition(&d, COND_SUSPENDED, false, "JobResumed");
}

static void a_copy_older_than_the_jobs_mark_decides_nothing(void **state)
{
	struct caj_decision d =
		decide_at(released(WINDOW), job_with(true, MADE "," MARK("2023-02-09T05:00:00Z"), "", ""),
			  "2023-02-09T06:00:00Z");

	(void)state;
	assert_int_equal(d.action, CAJ_NOTHING);
}

static void the_user_suspends_before_the_release(void **state)
{
	const struct carbonawarejob *caj = caj_of("", WINDOW ",\"suspend\":true", "{}");
	struct caj_decision d = decide_at(caj, job_with(true, MADE, "", ""), SUBMITTED);

	(void)state;
	assert_state(&d, "Suspended");
	assert_condition(&d, COND_SUSPENDED, true, "JobSuspended");
	caj = written(caj, &d);
	assert_int_equal(decide_at(caj, job_with(true, MADE, "", ""), "2023-02-10T00:00:00Z").action, CAJ_NOTHING);
}

static void the_user_suspends_after_the_release(void **state)
{
	struct carbonawarejob *caj = edited(released(WINDOW));
	const struct job *runs = job_with(false, MADE "," MARK(START), "", "");

	(void)state;
	caj->spec.suspend = true;
	struct caj_decision d = decide_at(caj, runs, "2023-02-09T05:00:00Z");
	assert_int_equal(d.action, CAJ_WRITE_STATUS);
	assert_int_equal(d.status.released_ms, TIME_NONE);
	assert_condition(&d, COND_RELEASED, false, "JobSuspended");
	caj = edited(written(caj, &d));
	caj->obj.meta.generation--;
	d = decide_at(caj, runs, "2023-02-09T05:00:01Z");
	assert_int_equal(d.action, CAJ_SUSPEND_JOB);
	assert_true(d.check_caj);
	/* Switched back before the Job was suspended: it just runs on. */
	caj->spec.suspend = false;
	d = decide_at(caj, runs, "2023-02-09T05:00:02Z");
	assert_state(&d, "Running");
	/* Switched back after: it is planned anew. */
	assert_int_equal(decide_at(caj, job_with(true, MADE "," MARK(START), "", ""), "2023-02-09T05:00:02Z").action,
			 CAJ_NOTHING);
}

static void a_deleted_job_is_never_made_again(void **state)
{
	const struct carbonawarejob *caj = released(WINDOW);
	struct caj_decision d = decide_at(caj, NULL, "2023-02-09T05:00:00Z");

	(void)state;
	assert_condition(&d, COND_FAILED, true, "JobDeleted");
	assert_true(d.check_job);
	assert_string_equal(d.status.saved_carbon, "not available");
	assert_int_equal(decide_at(written(caj, &d), NULL, "2023-02-09T06:00:00Z").action, CAJ_NOTHING);
	/* Another one of its name is not it. */
	struct job *other = arena_new(&fixture.arena, struct job);
	*other = *job_with(false, MADE, "", "");
	other->obj.meta.uid = "job-2";
	d = decide_at(caj, other, "2023-02-09T05:00:00Z");
	assert_condition(&d, COND_FAILED, true, "JobDeleted");
	assert_string_equal(d.status.job_uid, "job-1");
}

static void a_changed_template_is_told_and_stays_told(void **state)
{
	struct carbonawarejob *caj = edited(planned("", WINDOW));
	struct caj_observed o;

	(void)state;
	look(&o, caj, job_with(true, MADE, "", ""), "2023-02-09T01:00:00Z");
	o.plan = plan_for(caj, START);
	o.template_hash = OTHER_HASH;
	struct caj_decision d = decide(&o);
	assert_condition(&d, COND_ACCEPTED, true, "TemplateChanged");
	assert_string_equal(d.event.reason, "TemplateChanged");
	o.caj = written(caj, &d);
	o.template_hash = NULL;
	d = decide(&o);
	assert_int_equal(d.action, CAJ_NOTHING);
	assert_condition(&d, COND_ACCEPTED, true, "TemplateChanged");
	o.template_hash = HASH;
	d = decide(&o);
	assert_condition(&d, COND_ACCEPTED, true, "Accepted");
}

static void what_is_being_deleted_is_left_to_the_garbage_collector(void **state)
{
	const struct carbonawarejob *caj = caj_of(",\"deletionTimestamp\":\"2023-02-09T00:00:00Z\"", WINDOW, "{}");

	(void)state;
	assert_int_equal(decide_at(caj, NULL, LATEST).action, CAJ_NOTHING);
}

/* ---- the run and its end ---- */

static void a_start_that_brings_no_pod_is_told_in_the_schedulers_words(void **state)
{
	const struct carbonawarejob *caj = released(WINDOW);
	struct caj_observed o;

	(void)state;
	look(&o, caj, job_with(false, MADE "," MARK(START), "", ""), "2023-02-09T04:10:00Z");
	o.released_for_real_ms = CAJ_START_BLOCKED_MS - 1;
	assert_int_equal(decide(&o).look_again_real_ms, 1);
	o.released_for_real_ms = CAJ_START_BLOCKED_MS;
	o.pods.active = 1;
	o.pods.unscheduled_message = "0/3 nodes are available: 3 Insufficient cpu.";
	struct caj_decision d = decide(&o);
	assert_condition(&d, COND_START_BLOCKED, true, "Unschedulable");
	assert_string_equal(condition(&d, COND_START_BLOCKED)->message, o.pods.unscheduled_message);
	assert_string_equal(d.event.reason, "StartBlocked");
	assert_int_equal(condition(&d, COND_READY)->status, CONDITION_FALSE);
	o.caj = written(caj, &d);
	assert_int_equal(decide(&o).action, CAJ_NOTHING);
	o.pods.running = 1;
	d = decide(&o);
	assert_condition(&d, COND_START_BLOCKED, false, "PodRunning");
	assert_condition(&d, COND_READY, true, "Running");
}

static void the_end_is_told_in_the_jobs_own_words(void **state)
{
	const struct carbonawarejob *caj = released(WINDOW);
	struct caj_observed o;

	(void)state;
	look(&o, caj, job_with(false, MADE "," MARK(START), "", COMPLETE), "2023-02-09T05:00:00Z");
	o.job_finished_ms = at("2023-02-09T05:00:00Z");
	struct caj_decision d = decide(&o);
	assert_condition(&d, COND_COMPLETE, true, "CompletionsReached");
	assert_string_equal(condition(&d, COND_COMPLETE)->message, "Reached expected number of succeeded pods");
	assert_state(&d, "Succeeded");
	assert_string_equal(d.event.reason, "Completed");
	assert_null(condition(&d, COND_DEADLINE_AT_RISK));
	/* Nothing is known of its pods: an expectation does not become a result. */
	assert_string_equal(d.status.saved_carbon, "not available");
	o.job = job_with(false, MADE, "",
			 "\"conditions\":[{\"type\":\"Failed\",\"status\":\"True\",\"reason\":"
			 "\"BackoffLimitExceeded\",\"message\":\"Job has reached the specified backoff limit\"}]");
	o.job_finished_ms = at("2023-02-09T12:00:01Z");
	d = decide(&o);
	assert_condition(&d, COND_FAILED, true, "BackoffLimitExceeded");
	assert_string_equal(condition(&d, COND_FAILED)->message, "Job has reached the specified backoff limit");
	assert_condition(&d, COND_DEADLINE_AT_RISK, true, "DeadlineMissed");
}

static struct account an_account(bool final)
{
	struct account a = {
		.known = true, .final = final, .carbon_source = "test", .cost_basis = "Shadow", .n_runs = 1
	};

	a.runs[0] = (struct caj_run){ .region = "yorkshire",
				      .job_uid = "job-1",
				      .start_ms = at(START),
				      .end_ms = at(START) + HOUR_MS,
				      .pods = 1,
				      .figures = { true, true, true, 1000000, 90000, 50000 } };
	a.total = a.runs[0].figures;
	a.savings = (struct caj_savings){ .present = true, .total = { true, true, -12345678, 50000 } };
	return a;
}

static void the_end_tells_what_was_saved_and_is_settled_a_day_later(void **state)
{
	const struct carbonawarejob *caj = released(WINDOW);
	struct account account = an_account(false);
	struct caj_observed o;

	(void)state;
	look(&o, caj, job_with(false, MADE "," MARK(START), "", COMPLETE), "2023-02-09T05:00:00Z");
	o.account = &account;
	struct caj_decision d = decide(&o);
	assert_string_equal(d.status.saved_carbon, "-12.35 kg");
	assert_string_equal(d.status.saved_cost, "0.050 GBP");
	assert_string_equal(d.status.actual->cost_basis, "Shadow");
	assert_string_equal(d.status.actual->energy_scope, "Dynamic");
	o.caj = caj = written(caj, &d);
	/* Revisions within the day are not worth a write each. */
	account.total.carbon_milligrams++;
	d = decide(&o);
	assert_int_equal(d.action, CAJ_NOTHING);
	assert_int_equal(d.look_again_ms, at("2023-02-10T05:01:00Z"));
	account.final = true;
	d = decide(&o);
	assert_int_equal(d.action, CAJ_WRITE_STATUS);
	assert_true(d.status.actual->final);
	o.caj = written(caj, &d);
	account.total.carbon_milligrams = 1;
	d = decide(&o);
	assert_int_equal(d.action, CAJ_NOTHING);
	assert_int_equal(d.look_again_ms, TIME_NONE);
}

static void a_time_that_has_passed_calls_nobody_again(void **state)
{
	const struct carbonawarejob *caj = released(WINDOW);
	struct account account = an_account(false);
	struct caj_observed o;

	(void)state;
	look(&o, caj, job_with(false, MADE "," MARK(START), "", COMPLETE), "2023-02-09T05:00:00Z");
	o.account = &account;
	struct caj_decision d = decide(&o);
	/* A week later without any grid data: there is nothing to wait for. */
	d = decide_at(written(caj, &d), o.job, "2023-02-16T05:00:00Z");
	assert_int_equal(d.action, CAJ_NOTHING);
	assert_int_equal(d.look_again_ms, TIME_NONE);
}

static void the_jobs_ttl_waits_for_the_record_of_its_end(void **state)
{
	const char *held = MADE "," MARK(START) ",\"loadshift.io/ttl-seconds-after-finished\":\"0\"";
	const struct carbonawarejob *caj = released(WINDOW);
	const struct job *job = job_with(false, held, "", COMPLETE);
	struct caj_decision d = decide_at(caj, job, "2023-02-09T05:00:00Z");

	(void)state;
	assert_int_equal(d.action, CAJ_WRITE_STATUS);
	caj = written(caj, &d);
	assert_int_equal(decide_at(caj, job, "2023-02-09T05:00:00Z").action, CAJ_SET_JOB_TTL);
	job = job_with(false, held, ",\"ttlSecondsAfterFinished\":0", COMPLETE);
	assert_int_equal(decide_at(caj, job, "2023-02-09T05:00:00Z").action, CAJ_NOTHING);
	job = job_with(false, MADE ",\"loadshift.io/ttl-seconds-after-finished\":\"soon\"", "", COMPLETE);
	assert_int_equal(decide_at(caj, job, "2023-02-09T05:00:00Z").action, CAJ_NOTHING);
	/* Collected: finished stays finished. */
	assert_int_equal(decide_at(caj, NULL, "2023-02-09T05:00:00Z").action, CAJ_NOTHING);
}

static void the_objects_own_ttl_deletes_it(void **state)
{
	const struct carbonawarejob *caj = released(WINDOW ",\"ttlSecondsAfterFinished\":60");
	const struct job *job = job_with(false, MADE "," MARK(START), "", COMPLETE);
	struct caj_decision d = decide_at(caj, job, "2023-02-09T05:00:00Z");

	(void)state;
	caj = written(caj, &d);
	d = decide_at(caj, job, "2023-02-09T05:00:59Z");
	assert_int_equal(d.action, CAJ_NOTHING);
	assert_int_equal(d.look_again_ms, at("2023-02-09T05:01:00Z"));
	assert_int_equal(decide_at(caj, job, "2023-02-09T05:01:00Z").action, CAJ_DELETE);
}

static void a_status_that_would_be_too_large_is_cut(void **state)
{
	const struct carbonawarejob *caj = released(WINDOW);
	struct account account = an_account(false);
	struct job *job = arena_new(&fixture.arena, struct job);
	struct condition end = { "Failed", CONDITION_TRUE, "BackoffLimitExceeded", NULL, 0, 0 };
	struct caj_observed o;

	(void)state;
	end.message = arena_printf(&fixture.arena, "%05000d", 1);
	end.reason = arena_printf(&fixture.arena, "A%0300d", 1);
	*job = *job_with(false, MADE "," MARK(START), "", "");
	job->conditions = (struct conditions){ &end, 1 };
	account.n_runs = CAJ_MAX_RUNS;
	for (int i = 0; i < CAJ_MAX_RUNS; i++) {
		account.runs[i] = account.runs[0];
		account.runs[i].region = arena_printf(&fixture.arena, "%0253d", i);
	}
	look(&o, caj, job, "2023-02-09T05:00:00Z");
	o.account = &account;
	struct caj_decision d = decide(&o);
	assert_int_equal(strlen(condition(&d, COND_FAILED)->reason), 128);
	o.caj = written(caj, &d); /* which looks at the size */
	/* No energy is lost, and the next look finds nothing to do. */
	int64_t energy = 0;
	for (int i = 0; i < d.status.n_runs; i++)
		energy += d.status.runs[i].figures.energy_milliwatt_hours;
	assert_int_equal(energy, CAJ_MAX_RUNS * 1000000);
	assert_true(d.status.n_runs < CAJ_MAX_RUNS);
	assert_int_equal(decide(&o).action, CAJ_NOTHING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_foreign_unsuspend_is_run_now),
		TEST(a_foreign_suspend_after_the_release_is_left_alone),
		TEST(a_copy_older_than_the_jobs_mark_decides_nothing),
		TEST(the_user_suspends_before_the_release),
		TEST(the_user_suspends_after_the_release),
		TEST(a_deleted_job_is_never_made_again),
		TEST(a_changed_template_is_told_and_stays_told),
		TEST(what_is_being_deleted_is_left_to_the_garbage_collector),
		TEST(a_start_that_brings_no_pod_is_told_in_the_schedulers_words),
		TEST(the_end_is_told_in_the_jobs_own_words),
		TEST(the_end_tells_what_was_saved_and_is_settled_a_day_later),
		TEST(a_time_that_has_passed_calls_nobody_again),
		TEST(the_jobs_ttl_waits_for_the_record_of_its_end),
		TEST(the_objects_own_ttl_deletes_it),
		TEST(a_status_that_would_be_too_large_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
