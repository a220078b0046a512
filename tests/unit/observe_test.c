/* SPDX-License-Identifier: Apache-2.0 */
/* caj_decide() in observe mode: the Job runs at once and unmodified, and the status tells what acting would have done.
 */
#include "decide_steps.h"

#include "decide/body.h"

#define OBSERVE                 \
	(struct caj_mode)       \
	{                       \
		.observe = true \
	}

static const struct carbonawarejob *watched(const char *spec, const char *plan_start, struct caj_decision *ret)
{
	const struct carbonawarejob *caj = caj_of("", spec, "{}");
	struct caj_observed *o = arena_new(&fixture.arena, struct caj_observed);

	look(o, caj, job_with(true, MADE, "", ""), "2023-02-09T00:00:05Z");
	o->mode = OBSERVE;
	o->plan = plan_for(caj, plan_start);
	*ret = decide(o);
	return written(caj, ret);
}

static void only_the_two_values_are_known(void **state)
{
	(void)state;
	assert_false(caj_mode_of(NULL, false).observe);
	assert_true(caj_mode_of(NULL, true).observe);
	assert_null(caj_mode_of(NULL, true).unknown);
	assert_false(caj_mode_of("act", true).observe);
	assert_true(caj_mode_of("observe", false).observe);
	assert_string_equal(caj_mode_of("Observe", false).unknown, "Observe");
	assert_false(caj_mode_of("Observe", false).observe);
	assert_true(caj_mode_of("", true).observe);
	assert_string_equal(caj_mode_of("", true).unknown, "");
}

static void it_runs_at_once_and_tells_the_plan_that_was_not_used(void **state)
{
	struct caj_decision d;
	const struct carbonawarejob *caj = watched(WINDOW, START, &d);

	(void)state;
	assert_int_equal(d.action, CAJ_WRITE_STATUS);
	assert_int_equal(d.status.released_ms, at("2023-02-09T00:00:05Z"));
	assert_int_equal(d.status.estimated_start_ms, d.status.released_ms);
	assert_condition(&d, COND_RELEASED, true, "ObserveMode");
	assert_condition(&d, COND_PLANNED, true, "Optimised");
	assert_state(&d, "Running");
	assert_int_equal(d.status.plan.segments[0].start_ms, at(START));
	assert_string_equal(d.status.plan.segments[0].region, "yorkshire");
	assert_string_equal(d.status.baseline.region, "london");
	assert_string_equal(d.status.explanation, "observe mode: runs at once, unmodified; acting: starts " START
						  "; that would save ~200 g and ~-0.020 GBP");
	assert_null(d.status.saved_carbon);
	assert_true(caj_is_unmodified(caj));
	/* The record is there: now the Job, and then nothing. */
	struct caj_observed o;
	look(&o, caj, job_with(true, MADE, "", ""), "2023-02-09T00:00:06Z");
	o.mode = OBSERVE;
	assert_int_equal(decide(&o).action, CAJ_RELEASE_JOB);
	look(&o, caj, job_with(false, MADE "," MARK("2023-02-09T00:00:05Z"), "", ""), "2023-02-09T00:00:07Z");
	o.mode = OBSERVE;
	o.pods.running = 1;
	assert_int_equal(decide(&o).action, CAJ_NOTHING);
}

static void no_limit_holds_it(void **state)
{
	struct caj_decision d;

	(void)state;
	(void)watched(HARD, NULL, &d);
	assert_int_equal(d.status.released_ms, at("2023-02-09T00:00:05Z"));
	assert_condition(&d, COND_PLANNED, false, "HardLimitUnmet");
	assert_string_equal(d.status.explanation, "observe mode: runs at once, unmodified; acting: does not start");
	/* Nor is a record of it asked anew for a hard limit. */
	struct caj_observed o;
	const struct carbonawarejob *caj = watched(HARD, NULL, &d);
	look(&o, caj, job_with(true, MADE, "", ""), "2023-02-09T05:00:00Z");
	o.mode = OBSERVE;
	assert_int_equal(decide(&o).action, CAJ_RELEASE_JOB);
}

static void the_users_own_words_hold(void **state)
{
	const struct carbonawarejob *caj = caj_of("", WINDOW ",\"earliestStartTime\":\"2023-02-09T03:00:00Z\"", "{}");
	struct caj_observed o;

	(void)state;
	look(&o, caj, job_with(true, MADE, "", ""), "2023-02-09T00:00:05Z");
	o.mode = OBSERVE;
	o.plan = plan_for(caj, START);
	struct caj_decision d = decide(&o);
	assert_state(&d, "Deferred");
	assert_int_equal(d.status.estimated_start_ms, at("2023-02-09T03:00:00Z"));
	assert_int_equal(d.look_again_ms, at("2023-02-09T03:00:00Z"));
	/* Other options alone are not worth a write here either. */
	const struct carbonawarejob *shown = written(caj, &d);
	look(&o, shown, job_with(true, MADE, "", ""), "2023-02-09T00:30:00Z");
	o.mode = OBSERVE;
	struct plan_entry *p = plan_for(caj, START);
	p->n_options = 1;
	p->options = arena_new(&fixture.arena, struct caj_option);
	p->options[0] = (struct caj_option){ "london", at("2023-02-09T05:00:00Z"), { 0 } };
	o.plan = p;
	assert_int_equal(decide(&o).action, CAJ_NOTHING);

	caj = caj_of("", WINDOW ",\"suspend\":true", "{}");
	look(&o, caj, job_with(true, MADE, "", ""), "2023-02-09T00:00:05Z");
	o.mode = OBSERVE;
	d = decide(&o);
	assert_state(&d, "Suspended");
	assert_int_equal(d.status.released_ms, TIME_NONE);
}

static void what_waits_is_let_go_when_the_label_changes(void **state)
{
	const struct carbonawarejob *caj = planned("", WINDOW);
	struct caj_observed o;

	(void)state;
	look(&o, caj, job_with(true, MADE, "", ""), "2023-02-09T02:00:00Z");
	o.plan = plan_for(caj, START);
	assert_int_equal(decide(&o).action, CAJ_NOTHING);
	o.mode = OBSERVE;
	struct caj_decision d = decide(&o);
	assert_int_equal(d.status.released_ms, at("2023-02-09T02:00:00Z"));
	assert_condition(&d, COND_RELEASED, true, "ObserveMode");
	assert_null(d.status.saved_carbon);
}

static void an_unknown_label_is_told_and_the_default_holds(void **state)
{
	const struct carbonawarejob *caj = caj_of("", WINDOW, "{}");
	struct caj_observed o;

	(void)state;
	look(&o, caj, job_with(true, MADE, "", ""), "2023-02-09T00:00:05Z");
	o.plan = plan_for(caj, START);
	o.mode = caj_mode_of("Observe", false);
	struct caj_decision d = decide(&o);
	assert_state(&d, "Deferred");
	assert_condition(&d, COND_ACCEPTED, true, "UnknownMode");
	assert_string_equal(condition(&d, COND_ACCEPTED)->message,
			    "the namespace's label loadshift.io/mode is \"Observe\": set it to act or observe; until "
			    "then the default holds, act");
	/* Mended: as if nothing had been. */
	caj = written(caj, &d);
	look(&o, caj, job_with(true, MADE, "", ""), "2023-02-09T00:00:06Z");
	o.plan = plan_for(caj, START);
	d = decide(&o);
	assert_condition(&d, COND_ACCEPTED, true, "Accepted");
}

static void without_regions_it_runs_all_the_same(void **state)
{
	const struct carbonawarejob *caj = caj_of("", HARD, "{}");
	struct caj_observed o;

	(void)state;
	look(&o, caj, job_with(true, MADE, "", ""), "2023-02-09T00:00:05Z");
	o.mode = OBSERVE;
	o.can_plan = false;
	struct caj_decision d = decide(&o);
	assert_int_equal(d.status.released_ms, at("2023-02-09T00:00:05Z"));
	assert_string_equal(d.status.explanation,
			    "observe mode: runs at once, unmodified: there is no GridRegion to plan by");
}

/* What really happened, against the baseline; the plan was not tried, so nobody knows the forecast's error. */
static void the_end_tells_measured_savings(void **state)
{
	struct caj_decision d;
	const struct carbonawarejob *caj = watched(WINDOW, START, &d);
	struct account account = { .known = true, .carbon_source = "test", .cost_basis = "Tariff" };
	struct caj_observed o;

	(void)state;
	account.savings = (struct caj_savings){ .present = true,
						.time = { true, true, 120, 0 },
						.total = { true, true, 120, 0 },
						.place = { true, true, 0, 0 },
						.forecast_error = { true, true, -199880, 20000 } };
	look(&o, caj, job_with(false, MADE "," MARK("2023-02-09T00:00:05Z"), "", COMPLETE), "2023-02-09T01:00:00Z");
	o.mode = OBSERVE;
	o.account = &account;
	d = decide(&o);
	assert_condition(&d, COND_COMPLETE, true, "CompletionsReached");
	assert_int_equal(d.status.savings->time.carbon_milligrams, 120);
	assert_true(d.status.savings->total.carbon_known);
	assert_false(d.status.savings->forecast_error.carbon_known);
	assert_false(d.status.savings->forecast_error.cost_known);
	assert_string_equal(d.status.saved_carbon, "0.1 g");
	assert_non_null(strstr(condition(&d, COND_READY)->message, "acting: starts " START));
}

static void the_release_takes_our_hints_off_the_pods(void **state)
{
	_cleanup_(buf_release) struct buf body = BUF_INIT(4096);
	const struct job *job = job_with(true, MADE, "", "");

	(void)state;
	body_release_unmodified(job, at(START), &body);
	assert_string_equal(
		buf_cstr(&body),
		"{\"metadata\":{\"resourceVersion\":\"20\",\"annotations\":{\"loadshift.io/released\":\"" START
		"\"}},\"spec\":{\"suspend\":false,\"template\":{\"metadata\":{\"annotations\":{"
		"\"loadshift.io/weights\":null,\"loadshift.io/expected-duration-seconds\":null,"
		"\"loadshift.io/max-carbon-g-per-kwh\":null,\"loadshift.io/max-price-per-kwh\":null}}}}}");
	/* The template of a Job that has started is nobody's to change. */
	buf_reset(&body);
	body_release_unmodified(job_with(true, MADE, "", "\"startTime\":\"2023-02-09T00:00:00Z\""), at(START), &body);
	assert_null(strstr(buf_cstr(&body), "template\":{"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(only_the_two_values_are_known),
		TEST(it_runs_at_once_and_tells_the_plan_that_was_not_used),
		TEST(no_limit_holds_it),
		TEST(the_users_own_words_hold),
		TEST(what_waits_is_let_go_when_the_label_changes),
		TEST(an_unknown_label_is_told_and_the_default_holds),
		TEST(without_regions_it_runs_all_the_same),
		TEST(the_end_tells_measured_savings),
		TEST(the_release_takes_our_hints_off_the_pods),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
