/* SPDX-License-Identifier: Apache-2.0 */
/* How far a job has got, by its status alone. */
#include "decide/progress.h"

#include "decide_fixture.h"

#define HOURS_AT(n) (at("2023-02-09T00:00:00Z") + (n)*HOUR_MS)
#define LEDGER(members)                                                                                  \
	"{\"home\":\"london\",\"releasedTime\":\"2023-02-09T04:00:00Z\",\"jobRef\":{\"name\":\"train\"," \
	"\"uid\":\"job-1\"}" members "}"
#define SINCE_FOUR                                                                                         \
	",\"progress\":{\"workSeconds\":3600,\"sinceTime\":\"2023-02-09T04:00:00Z\",\"region\":\"wales\"," \
	"\"parallelism\":1,\"interruptions\":1,\"moves\":1}"
#define PAUSED_AT_SIX                                                                                       \
	",\"pausedTime\":\"2023-02-09T06:00:00Z\",\"progress\":{\"workSeconds\":9000,\"region\":\"wales\"," \
	"\"parallelism\":1,\"interruptions\":2,\"moves\":1}"

static struct caj_progress progress(const char *spec, const char *status, bool suspend, int64_t now_ms)
{
	struct caj_progress p;

	caj_progress(caj_of("", spec, status), job_with(suspend, "", "", ""), now_ms, &p);
	return p;
}

static void nothing_has_begun_before_the_release(void **state)
{
	struct caj_progress p = progress("", "{}", true, HOURS_AT(5));

	(void)state;
	assert_false(p.begun || p.running);
	assert_int_equal(p.done_ms, 0);
	caj_progress(caj_of("", "", LEDGER(SINCE_FOUR)), NULL, HOURS_AT(5), &p);
	assert_false(p.begun);
}

static void a_plain_job_counts_from_its_release(void **state)
{
	struct caj_progress p = progress("", LEDGER(""), false, HOURS_AT(5));

	(void)state;
	assert_true(p.begun && p.running);
	assert_int_equal(p.done_ms, HOUR_MS);
	assert_string_equal(p.region, "london");
	/* Suspended by somebody: it will begin anew. */
	p = progress("", LEDGER(""), true, HOURS_AT(5));
	assert_false(p.begun);
	/* A clock that was set back is no work taken back. */
	p = progress("", LEDGER(""), false, HOURS_AT(3));
	assert_int_equal(p.done_ms, 0);
}

static void adds_the_present_stretch_to_those_that_are_over(void **state)
{
	struct caj_progress p = progress(",\"interrupt\":{}", LEDGER(SINCE_FOUR), false, HOURS_AT(5));

	(void)state;
	assert_true(p.begun && p.running);
	assert_int_equal(p.done_ms, 2 * HOUR_MS);
	assert_int_equal(p.ran_ms, HOUR_MS);
	assert_string_equal(p.region, "wales");
	assert_int_equal(p.interruptions, 1);
	assert_int_equal(p.moves, 1);
	/* Released and no pod runs yet. */
	p = progress(",\"interrupt\":{}", LEDGER(",\"progress\":{\"workSeconds\":3600}"), false, HOURS_AT(5));
	assert_true(p.running);
	assert_int_equal(p.done_ms, HOUR_MS);
	assert_int_equal(p.ran_ms, 0);
	assert_string_equal(p.region, "london");
}

static void a_pause_does_no_work(void **state)
{
	/* Recorded, and perhaps not carried out yet. */
	for (int suspended = 0; suspended < 2; suspended++) {
		struct caj_progress p = progress(",\"interrupt\":{}", LEDGER(PAUSED_AT_SIX), suspended, HOURS_AT(9));

		(void)state;
		assert_true(p.begun && !p.running);
		assert_int_equal(p.done_ms, 9000 * SECOND_MS);
		assert_int_equal(p.ran_ms, 0);
		assert_int_equal(p.interruptions, 2);
	}
}

static void knows_paused_from_running(void **state)
{
	const struct carbonawarejob *paused = caj_of("", ",\"interrupt\":{}", LEDGER(PAUSED_AT_SIX));
	const struct carbonawarejob *running = caj_of("", ",\"interrupt\":{}", LEDGER(SINCE_FOUR));
	const struct carbonawarejob *hurried =
		caj_of(",\"annotations\":{\"loadshift.io/run-now\":\"true\"}", ",\"interrupt\":{}", LEDGER(SINCE_FOUR));
	const struct job *held = job_with(true, "", "", ""), *let_go = job_with(false, "", "", "");

	(void)state;
	assert_true(caj_is_paused(paused) && !caj_is_running(paused, held) && !caj_is_pending(paused, held));
	assert_true(!caj_is_paused(running) && caj_is_running(running, let_go));
	assert_true(caj_may_replan(paused, held) && caj_may_replan(running, let_go));
	assert_false(caj_may_replan(running, held)); /* somebody else suspended it */
	assert_false(caj_may_replan(hurried, let_go));
	assert_false(caj_may_replan(caj_of("", "", LEDGER("")), let_go));
	assert_false(caj_may_replan(caj_of("", ",\"interrupt\":{}", "{}"), held)); /* is pending */
}

static void fewer_pods_do_less(void **state)
{
	const struct carbonawarejob *linear = caj_of("", ",\"scale\":{\"maxParallelism\":4}", "{}");
	const struct carbonawarejob *curve =
		caj_of("", ",\"scale\":{\"maxParallelism\":3,\"speedup\":[1,1.5,1.8]}", "{}");

	(void)state;
	assert_int_equal(caj_work_ms(&linear->spec, 1, HOUR_MS), HOUR_MS / 4);
	assert_int_equal(caj_work_ms(&linear->spec, 4, HOUR_MS), HOUR_MS);
	assert_int_equal(caj_work_ms(&linear->spec, 9, HOUR_MS), HOUR_MS);
	assert_int_equal(caj_work_ms(&curve->spec, 1, 18 * MINUTE_MS), 10 * MINUTE_MS);
	assert_int_equal(caj_work_ms(&curve->spec, 2, 18 * MINUTE_MS), 15 * MINUTE_MS);
	assert_int_equal(caj_work_ms(&curve->spec, 2, -1), 0);
	assert_int_equal(caj_work_ms(&caj_of("", "", "{}")->spec, 2, HOUR_MS), HOUR_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_has_begun_before_the_release),
		TEST(a_plain_job_counts_from_its_release),
		TEST(adds_the_present_stretch_to_those_that_are_over),
		TEST(a_pause_does_no_work),
		TEST(knows_paused_from_running),
		TEST(fewer_pods_do_less),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
