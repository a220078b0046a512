/* SPDX-License-Identifier: Apache-2.0 */
/* caj_decide() for jobs that pause, move and scale: one look at a time. The histories are in lifecycle_test.c. */
#include "decide/pause.h"

#include "base/decimal.h"
#include "decide/status_fit.h"
#include "decide_steps.h"

#define FLEXIBLE ",\"expectedDurationSeconds\":14400,\"deadline\":\"2023-02-09T20:00:00Z\",\"interrupt\":{}"
#define SCALED \
	",\"expectedDurationSeconds\":14400,\"deadline\":\"2023-02-09T20:00:00Z\",\"scale\":{\"maxParallelism\":4}"
#define MARKED(annotations) MADE "," annotations
#define RELEASED_AT(time) "\"loadshift.io/released\":\"" time "\""
#define PAUSED_AT(time) "\"loadshift.io/paused\":\"" time "\""
#define SUSPENDED \
	"\"conditions\":[{\"type\":\"Suspended\",\"status\":\"True\",\"reason\":\"JobSuspended\",\"message\":\"\"}]"
/* Two hours, a pause of two, and two hours elsewhere. */
#define FIRST                                                                                                         \
	"{\"cluster\":\"\",\"region\":\"london\",\"startTime\":\"2023-02-09T04:00:00Z\",\"endTime\":\"2023-02-09T06:" \
	"00:00Z\",\"parallelism\":1}"
#define SECOND                                                                                                       \
	"{\"cluster\":\"\",\"region\":\"wales\",\"startTime\":\"2023-02-09T08:00:00Z\",\"endTime\":\"2023-02-09T10:" \
	"00:00Z\",\"parallelism\":1}"
#define TWO_PARTS "\"plan\":{\"segments\":[" FIRST "," SECOND "]},\"home\":\"london\",\"explanation\":\"in two parts\""
#define SINCE(time) \
	"\"progress\":{\"workSeconds\":0,\"sinceTime\":\"" time "\",\"region\":\"london\",\"parallelism\":1}"
#define RUNNING "{" KNOWN "," TWO_PARTS ",\"releasedTime\":\"2023-02-09T04:00:00Z\"," SINCE("2023-02-09T04:00:00Z") "}"
#define PAUSED                                                                                                        \
	"{" KNOWN "," TWO_PARTS ",\"releasedTime\":\"2023-02-09T04:00:00Z\",\"pausedTime\":\"2023-02-09T06:00:00Z\"," \
	"\"progress\":{\"workSeconds\":7200,\"region\":\"london\",\"parallelism\":1,\"interruptions\":1}}"
#define RESUMED                                                                                                       \
	"{" KNOWN "," TWO_PARTS ",\"releasedTime\":\"2023-02-09T08:00:00Z\",\"pausedTime\":\"2023-02-09T06:00:00Z\"," \
	"\"progress\":{\"workSeconds\":7200,\"region\":\"wales\",\"parallelism\":1,\"interruptions\":1,\"moves\":1}}"

static const struct job *running_job(void)
{
	return job_with(false, MARKED(RELEASED_AT("2023-02-09T04:00:00Z")), ",\"parallelism\":1", "");
}

static const struct job *paused_job(const char *status)
{
	return job_with(true, MARKED(RELEASED_AT("2023-02-09T04:00:00Z") "," PAUSED_AT("2023-02-09T06:00:00Z")), "",
			status);
}

/* ---- pausing ---- */

static void a_pause_is_recorded_and_then_made(void **state)
{
	const struct carbonawarejob *caj = caj_of("", FLEXIBLE, RUNNING);
	struct caj_decision d = decide_at(caj, running_job(), "2023-02-09T05:59:59Z");

	(void)state;
	/* Until then nothing but what is said about it. */
	assert_false(caj_status_is_paused(&d.status));
	assert_int_equal(d.look_again_ms, at("2023-02-09T06:00:00Z"));
	d = decide_at(caj, running_job(), "2023-02-09T06:00:00Z");
	assert_int_equal(d.action, CAJ_WRITE_STATUS);
	assert_true(d.check_job);
	assert_state(&d, "Paused");
	assert_string_equal(d.event.reason, "Paused");
	assert_string_equal(d.event.message, "paused until 2023-02-09T08:00Z, then 2h00m of work are left in wales");
	assert_int_equal(d.status.paused_ms, at("2023-02-09T06:00:00Z"));
	assert_int_equal(d.status.ledger.work_ms, 2 * HOUR_MS);
	assert_int_equal(d.status.ledger.interruptions, 1);
	assert_condition(&d, COND_RELEASED, false, "Paused");
	assert_condition(&d, COND_SUSPENDED, true, "JobSuspended");
	caj = written(caj, &d);
	d = decide_at(caj, running_job(), "2023-02-09T06:00:01Z");
	assert_int_equal(d.action, CAJ_PAUSE_JOB);
	assert_true(d.check_caj);
}

static void no_pause_is_made_against_its_guards(void **state)
{
	static const struct {
		const char *spec, *status, *now, *metadata;
	} cases[] = {
		/* not allowed */
		{ ",\"expectedDurationSeconds\":14400,\"deadline\":\"2023-02-09T20:00:00Z\"", RUNNING, "06:00:00", "" },
		/* in the last minutes of the work */
		{ ",\"expectedDurationSeconds\":7800,\"deadline\":\"2023-02-09T20:00:00Z\",\"interrupt\":{}", RUNNING,
		  "06:00:00", "" },
		/* or two checkpoints */
		{ ",\"expectedDurationSeconds\":9000,\"deadline\":\"2023-02-09T20:00:00Z\",\"interrupt\":{"
		  "\"checkpointSeconds\":900}",
		  RUNNING, "06:00:00", "" },
		/* it has not run for minRunSeconds */
		{ ",\"expectedDurationSeconds\":14400,\"deadline\":\"2023-02-09T20:00:00Z\",\"interrupt\":{"
		  "\"minRunSeconds\":7201}",
		  RUNNING, "06:00:00", "" },
		/* what is left of the gap is too short */
		{ FLEXIBLE, RUNNING, "07:51:00", "" },
		/* what is left would have to go on at once */
		{ ",\"expectedDurationSeconds\":14400,\"deadline\":\"2023-02-09T08:29:00Z\",\"interrupt\":{}", RUNNING,
		  "06:00:00", "" },
		/* in a hurry */
		{ FLEXIBLE ",\"urgency\":\"Critical\"", RUNNING, "06:00:00", "" },
		{ FLEXIBLE, RUNNING, "06:00:00", ",\"annotations\":{\"loadshift.io/run-now\":\"true\"}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct carbonawarejob *caj = caj_of(cases[i].metadata, cases[i].spec, cases[i].status);
		struct caj_decision d =
			decide_at(caj, running_job(), arena_printf(&fixture.arena, "2023-02-09T%sZ", cases[i].now));

		if (caj_status_is_paused(&d.status) || d.action == CAJ_PAUSE_JOB)
			fail_msg("case %zu was paused", i);
	}
}

static void no_pause_beyond_their_number_or_in_observe_mode(void **state)
{
	static const char two[] = ",\"expectedDurationSeconds\":14400,\"deadline\":\"2023-02-09T20:00:00Z\","
				  "\"interrupt\":{\"maxInterruptions\":1}";
	struct carbonawarejob *caj = edited(caj_of("", two, RUNNING));
	struct caj_observed o;

	(void)state;
	caj->status.ledger.interruptions = 1;
	struct caj_decision d = decide_at(caj, running_job(), "2023-02-09T06:00:00Z");
	assert_false(caj_status_is_paused(&d.status));
	look(&o, caj_of("", FLEXIBLE, RUNNING), running_job(), "2023-02-09T06:00:00Z");
	o.mode.observe = true;
	d = decide(&o);
	assert_false(caj_status_is_paused(&d.status));
}

static void a_new_plan_counts_before_the_old_one_pauses(void **state)
{
	const struct carbonawarejob *caj = caj_of("", FLEXIBLE, RUNNING);
	struct plan_entry *p = plan_for(caj, "2023-02-09T04:00:00Z");
	struct caj_observed o;

	(void)state;
	p->plan.segments[0].end_ms = at("2023-02-09T08:00:00Z");
	look(&o, caj, running_job(), "2023-02-09T06:00:00Z");
	o.plan = p;
	p->planned_ms = at("2023-02-09T03:59:00Z");
	struct caj_decision d = decide(&o);
	assert_true(caj_status_is_paused(&d.status)); /* it was made before the release, and is known */
	p->planned_ms = at("2023-02-09T05:30:00Z");
	d = decide(&o);
	assert_false(caj_status_is_paused(&d.status));
	assert_int_equal(d.status.plan.segments[0].end_ms, at("2023-02-09T08:00:00Z"));
	assert_int_equal(d.status.estimated_start_ms, TIME_NONE); /* no plan changes when it has begun */
}

/* ---- going on ---- */

static void it_goes_on_when_its_next_part_begins(void **state)
{
	const struct carbonawarejob *caj = caj_of("", FLEXIBLE, PAUSED);
	struct caj_decision d = decide_at(caj, paused_job(SUSPENDED), "2023-02-09T07:59:59Z");

	(void)state;
	assert_state(&d, "Paused");
	assert_int_equal(d.look_again_ms, at("2023-02-09T08:00:00Z"));
	d = decide_at(caj, paused_job(SUSPENDED), "2023-02-09T08:00:00Z");
	assert_int_equal(d.action, CAJ_WRITE_STATUS);
	assert_state(&d, "Running");
	assert_condition(&d, COND_RELEASED, true, "PlanDue");
	assert_int_equal(d.status.released_ms, at("2023-02-09T08:00:00Z"));
	assert_string_equal(d.status.ledger.region, "wales");
	assert_int_equal(d.status.ledger.moves, 1);
	assert_int_equal(d.status.ledger.since_ms, TIME_NONE);
	assert_string_equal(d.event.reason, "Moved");
	assert_string_equal(d.event.message, "resumed in wales instead of london: 2h00m of work are left (PlanDue)");
	caj = written(caj, &d);
	d = decide_at(caj, paused_job(SUSPENDED), "2023-02-09T08:00:01Z");
	assert_int_equal(d.action, CAJ_RELEASE_JOB);
	assert_true(d.check_caj);
}

static void pods_that_linger_are_waited_for_while_there_is_time(void **state)
{
	static const char lingers[] = SUSPENDED ",\"terminating\":1";
	const struct carbonawarejob *caj = caj_of("", FLEXIBLE, PAUSED);
	struct caj_decision d = decide_at(caj, paused_job(lingers), "2023-02-09T08:00:00Z");

	(void)state;
	assert_int_equal(d.status.released_ms, at("2023-02-09T04:00:00Z"));
	/* 20:00 less two hours of work and 24 minutes of margin. */
	d = decide_at(caj, paused_job(lingers), "2023-02-09T17:36:00Z");
	assert_true(d.status.released_ms >= at("2023-02-09T17:36:00Z"));
	assert_string_equal(d.status.ledger.region, "london"); /* the place may not change while they are there */
}

static void what_is_left_goes_on_at_the_latest_without_any_plan(void **state)
{
	struct carbonawarejob *caj = edited(caj_of("", FLEXIBLE, PAUSED));
	struct caj_decision d;

	(void)state;
	caj->status.plan.n_segments = 0;
	d = decide_at(caj, paused_job(SUSPENDED), "2023-02-09T17:35:59Z");
	assert_state(&d, "Paused");
	assert_int_equal(d.look_again_ms, at("2023-02-09T17:36:00Z"));
	d = decide_at(caj, paused_job(SUSPENDED), "2023-02-09T17:36:00Z");
	assert_condition(&d, COND_RELEASED, true, "LatestStart");
	assert_true(d.overdue);
	assert_int_equal(d.due_ms, at("2023-02-09T17:36:00Z"));
}

static void who_is_in_a_hurry_goes_on_at_once_where_it_was(void **state)
{
	const struct carbonawarejob *caj =
		caj_of(",\"annotations\":{\"loadshift.io/run-now\":\"true\"}", FLEXIBLE, PAUSED);
	struct caj_decision d = decide_at(caj, paused_job(SUSPENDED), "2023-02-09T06:10:00Z");

	(void)state;
	assert_condition(&d, COND_RELEASED, true, "RunNow");
	assert_string_equal(d.status.ledger.region, "london");
	struct caj_observed o;
	look(&o, caj_of("", FLEXIBLE, PAUSED), paused_job(SUSPENDED), "2023-02-09T06:10:00Z");
	o.mode.observe = true;
	d = decide(&o);
	assert_condition(&d, COND_RELEASED, true, "NotInterruptible");
}

static void a_refused_move_goes_on_in_place(void **state)
{
	const struct carbonawarejob *caj = caj_of("", FLEXIBLE, RESUMED);
	const struct job *job = job_with(
		true,
		MARKED(PAUSED_AT("2023-02-09T06:00:00Z") ",\"loadshift.io/placed\":\"london r r\"," RELEASED_AT(
			"2023-02-09T04:00:00Z")),
		"", SUSPENDED);
	struct caj_observed o;

	(void)state;
	look(&o, caj, job, "2023-02-09T08:00:02Z");
	o.move_refused = true;
	struct caj_decision d = decide(&o);
	assert_int_equal(d.action, CAJ_WRITE_STATUS);
	assert_true(d.status.ledger.in_place);
	assert_string_equal(d.status.ledger.region, "london");
	assert_int_equal(d.status.ledger.moves, 0);
	assert_string_equal(d.status.plan.segments[1].region, "london");
	assert_string_equal(d.event.reason, "MoveRefused");
	d = decide_at(written(caj, &d), job, "2023-02-09T08:00:03Z");
	assert_int_equal(d.action, CAJ_RELEASE_JOB);
}

/* ---- what others do, and what was not carried out ---- */

static void a_foreign_unsuspend_ends_the_pause_and_the_plan(void **state)
{
	const struct carbonawarejob *caj = caj_of("", FLEXIBLE, PAUSED);
	const struct job *job = job_with(
		false, MARKED(PAUSED_AT("2023-02-09T06:00:00Z") "," RELEASED_AT("2023-02-09T04:00:00Z")), "", "");
	struct caj_decision d = decide_at(caj, job, "2023-02-09T06:30:00Z");

	(void)state;
	assert_condition(&d, COND_RELEASED, true, "UnsuspendedByOther");
	assert_true(d.check_job);
	assert_int_equal(d.status.plan.n_segments, 2);
	assert_int_equal(d.status.plan.segments[1].start_ms, at("2023-02-09T06:30:00Z"));
	assert_int_equal(d.status.plan.segments[1].end_ms, at("2023-02-09T08:30:00Z"));
	assert_false(caj_may_replan(written(caj, &d), job));
}

static void somebody_elses_suspend_before_the_pause_is_left_alone(void **state)
{
	const struct carbonawarejob *caj = caj_of("", FLEXIBLE, PAUSED);
	const struct job *job = job_with(true, MARKED(RELEASED_AT("2023-02-09T04:00:00Z")), "", SUSPENDED);
	struct caj_decision d = decide_at(caj, job, "2023-02-09T12:00:00Z");

	(void)state;
	assert_state(&d, "Suspended");
	assert_true(d.check_job);
	assert_int_equal(d.status.released_ms, at("2023-02-09T04:00:00Z"));
}

static void a_pause_that_was_not_carried_out_in_time_is_taken_back(void **state)
{
	const struct carbonawarejob *caj = caj_of("", FLEXIBLE, PAUSED);
	struct caj_observed o;

	(void)state;
	look(&o, caj, running_job(), "2023-02-09T07:00:00Z");
	o.pods.running_since_ms = at("2023-02-09T04:00:00Z");
	struct caj_decision d = decide(&o);
	assert_int_equal(d.action, CAJ_WRITE_STATUS);
	assert_state(&d, "Running");
	/* It has worked on since what was to be the pause. */
	assert_int_equal(d.status.ledger.since_ms, at("2023-02-09T06:00:00Z"));
	assert_int_equal(d.status.ledger.work_ms, 2 * HOUR_MS);
	caj = written(caj, &d);
	d = decide_at(caj, running_job(), "2023-02-09T07:00:01Z");
	assert_int_equal(d.action, CAJ_RELEASE_JOB); /* which marks it */
}

static void stale_copies_wait(void **state)
{
	/* The Job was let go again, and this object does not know it yet. */
	const struct job *later = job_with(
		false, MARKED(PAUSED_AT("2023-02-09T06:00:00Z") "," RELEASED_AT("2023-02-09T08:00:00Z")), "", "");
	struct caj_decision d = decide_at(caj_of("", FLEXIBLE, PAUSED), later, "2023-02-09T08:00:05Z");

	(void)state;
	assert_int_equal(d.action, CAJ_NOTHING);
	/* A resumption that was recorded, and the Job as it was before it: made, if that is still so. */
	const struct carbonawarejob *caj = caj_of("", FLEXIBLE, RESUMED);
	d = decide_at(caj, paused_job(SUSPENDED), "2023-02-09T08:00:05Z");
	d = decide_at(written(caj, &d), paused_job(SUSPENDED), "2023-02-09T08:00:06Z");
	assert_int_equal(d.action, CAJ_RELEASE_JOB);
	assert_true(d.check_caj);
}

static void spec_suspend_keeps_what_was_done(void **state)
{
	const struct carbonawarejob *caj = caj_of("", FLEXIBLE ",\"suspend\":true", RUNNING);
	struct caj_decision d = decide_at(caj, running_job(), "2023-02-09T05:00:00Z");

	(void)state;
	assert_state(&d, "Suspended");
	assert_int_equal(d.status.ledger.work_ms, HOUR_MS);
	assert_int_equal(d.status.released_ms, TIME_NONE);
	/* Who has not said that it may be interrupted begins anew. */
	d = decide_at(caj_of("", SCALED ",\"suspend\":true", RUNNING), running_job(), "2023-02-09T05:00:00Z");
	assert_int_equal(d.status.ledger.work_ms, 0);
}

/* ---- scaling ---- */

static void parallelism_follows_the_plan(void **state)
{
	static const char part[] = "{\"region\":\"london\",\"startTime\":\"2023-02-09T0%d:00:00Z\",\"endTime\":"
				   "\"2023-02-09T0%d:00:00Z\",\"parallelism\":%d}";
	const char *a = arena_printf(&fixture.arena, part, 4, 6, 4), *b = arena_printf(&fixture.arena, part, 6, 8, 1);
	const char *status =
		arena_printf(&fixture.arena,
			     "{" KNOWN ",\"home\":\"london\",\"plan\":{\"segments\":[%s,%s]},"
			     "\"releasedTime\":\"2023-02-09T04:00:00Z\",\"progress\":{\"workSeconds\":0,"
			     "\"sinceTime\":\"2023-02-09T04:00:00Z\",\"region\":\"london\",\"parallelism\":4}}",
			     a, b);
	const struct carbonawarejob *caj = caj_of("", SCALED, status);
	const struct job *job =
		job_with(false, MARKED("\"loadshift.io/parallelism\":\"4\"," RELEASED_AT("2023-02-09T04:00:00Z")),
			 ",\"parallelism\":4", "");
	struct caj_decision d = decide_at(caj, job, "2023-02-09T06:00:00Z");

	(void)state;
	assert_int_equal(d.action, CAJ_WRITE_STATUS);
	assert_string_equal(d.event.reason, "Scaled");
	assert_int_equal(d.status.ledger.parallelism, 1);
	assert_int_equal(d.status.ledger.work_ms, 2 * HOUR_MS);
	caj = written(caj, &d);
	d = decide_at(caj, job, "2023-02-09T06:00:01Z");
	assert_int_equal(d.action, CAJ_SCALE_JOB);
	/* Carried out; and then changed by somebody, whose it is now. */
	job = job_with(false, MARKED("\"loadshift.io/parallelism\":\"1\"," RELEASED_AT("2023-02-09T04:00:00Z")),
		       ",\"parallelism\":3", "");
	d = decide_at(caj, job, "2023-02-09T06:00:02Z");
	assert_int_not_equal(d.action, CAJ_SCALE_JOB);
}

/* ---- what a pause gains ---- */

static void lost_work_counts_from_the_last_checkpoint(void **state)
{
	(void)state;
	assert_int_equal(pause_lost_ms(1000, TIME_NONE, 9000), 0);
	assert_int_equal(pause_lost_ms(1000, 4000, 9000), 5000);
	assert_int_equal(pause_lost_ms(1000, 500, 9000), 8000); /* of an earlier stretch */
	assert_int_equal(pause_lost_ms(1000, 20000, 9000), 0);  /* its clock is ahead */
}

static void a_pause_pays_only_beyond_what_it_throws_away(void **state)
{
	static const struct translate_config config = { .max_forecast_age_ms = DAY_MS };
	struct gridregion r = { .obj = { .meta = { .name = "london" } } };
	struct grid_source source = { .metric = "carbon", .provider = "p", .fetched_ms = at("2023-02-09T06:00:00Z") };
	int32_t carbon[16];
	const struct gridregion *list[] = { &r };
	struct grid_view v;

	(void)state;
	for (int i = 0; i < 16; i++)
		carbon[i] = i < 4 ? 300000 : 100000;
	r.forecast = (struct grid_forecast){ .start_ms = at("2023-02-09T06:00:00Z"),
					     .slot_ms = SLOT_MS,
					     .issued_ms = at("2023-02-09T06:00:00Z"),
					     .n = 16,
					     .carbon_p50 = carbon };
	r.sources = &source;
	r.n_sources = 1;
	grid_view_init(&v, &config, at("2023-02-09T06:00:00Z"), list, 1, NULL, 0, &fixture.arena);
	/* Two hours at 300 g put off into 100 g: worth 400 g per kW, or four hours of work done again. */
	struct pause_choice p = { .now_ms = at("2023-02-09T06:00:00Z"),
				  .region = "london",
				  .next_region = "london",
				  .next_start_ms = at("2023-02-09T08:00:00Z"),
				  .next_end_ms = at("2023-02-09T10:00:00Z"),
				  .left_ms = 4 * HOUR_MS,
				  .milliwatts = 1000000,
				  .weights = { 60, 30, 10, 0 } };
	assert_true(pause_pays(&v, &p));
	p.lost_ms = 4 * HOUR_MS - MINUTE_MS;
	assert_true(pause_pays(&v, &p));
	p.lost_ms = 4 * HOUR_MS + MINUTE_MS;
	assert_false(pause_pays(&v, &p));
	p.lost_ms = 0;
	p.restart_milliwatt_hours = 3900000;
	assert_true(pause_pays(&v, &p));
	p.restart_milliwatt_hours = 4100000;
	assert_false(pause_pays(&v, &p));
	/* Only half an hour is left: less is put off. */
	p.left_ms = 30 * MINUTE_MS;
	p.restart_milliwatt_hours = 1100000;
	assert_false(pause_pays(&v, &p));
	/* Nothing is known of where it would go on. */
	p.restart_milliwatt_hours = 0;
	p.next_region = "nowhere";
	assert_false(pause_pays(&v, &p));
}

/* ---- sizes ---- */

static void sixteen_parts_fit_into_a_status(void **state)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT(64 * 1024);
	const struct carbonawarejob *caj = caj_of("", FLEXIBLE, RUNNING);
	struct caj_decision d = decide_at(caj, running_job(), "2023-02-09T05:00:00Z");
	struct caj_status *s = &d.status;

	(void)state;
	s->plan.segments = arena_array(&fixture.arena, CAJ_MAX_SEGMENTS, struct caj_segment);
	s->plan.n_segments = s->n_runs = CAJ_MAX_SEGMENTS;
	_Static_assert(CAJ_MAX_RUNS == CAJ_MAX_SEGMENTS, "one run each");
	for (int i = 0; i < CAJ_MAX_SEGMENTS; i++) {
		s->plan.segments[i] = (struct caj_segment){ "north-west-england", at(START) + i * HOUR_MS,
							    at(START) + (i + 1) * HOUR_MS, 64 };
		s->runs[i] = (struct caj_run){ .region = "north-west-england",
					       .job_uid = "01234567-89ab-cdef-0123-456789abcdef",
					       .segment = i,
					       .start_ms = at(START) + i * HOUR_MS,
					       .end_ms = at(START) + (i + 1) * HOUR_MS,
					       .pods = 64,
					       .figures = { true, true, true, 64000000, 12800000, 12345678 } };
	}
	status_fit(s, &fixture.arena, &text);
	assert_true(text.len <= CAJ_MAX_STATUS);
	assert_int_equal(s->plan.n_segments, CAJ_MAX_SEGMENTS);
	assert_int_equal(s->n_runs, CAJ_MAX_RUNS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_pause_is_recorded_and_then_made),
		TEST(no_pause_is_made_against_its_guards),
		TEST(no_pause_beyond_their_number_or_in_observe_mode),
		TEST(a_new_plan_counts_before_the_old_one_pauses),
		TEST(it_goes_on_when_its_next_part_begins),
		TEST(pods_that_linger_are_waited_for_while_there_is_time),
		TEST(what_is_left_goes_on_at_the_latest_without_any_plan),
		TEST(who_is_in_a_hurry_goes_on_at_once_where_it_was),
		TEST(a_refused_move_goes_on_in_place),
		TEST(a_foreign_unsuspend_ends_the_pause_and_the_plan),
		TEST(somebody_elses_suspend_before_the_pause_is_left_alone),
		TEST(a_pause_that_was_not_carried_out_in_time_is_taken_back),
		TEST(stale_copies_wait),
		TEST(spec_suspend_keeps_what_was_done),
		TEST(parallelism_follows_the_plan),
		TEST(lost_work_counts_from_the_last_checkpoint),
		TEST(a_pause_pays_only_beyond_what_it_throws_away),
		TEST(sixteen_parts_fit_into_a_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
