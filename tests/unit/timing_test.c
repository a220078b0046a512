/* SPDX-License-Identifier: Apache-2.0 */
/* When a job may start: the window from spec, template and submission. */
#include "decide_fixture.h"

#include "base/tz.h"

#define SUBMITTED "2023-02-09T00:00:00Z"

struct window {
	struct caj_timing t;
	struct caj_refusal refusal;
};

static struct window window_of(const char *metadata, const char *spec)
{
	struct window w;

	caj_timing(caj_of(metadata, spec, "{}"), at(SUBMITTED), TIME_NONE, &w.t, &w.refusal);
	return w;
}

static void latest_start_is_deadline_less_duration_less_margin(void **state)
{
	static const struct {
		const char *spec, *latest_start;
		int64_t margin_s;
	} cases[] = {
		/* the margin is 600 s, or a tenth of the duration if that is more, or what the user says */
		{ ",\"deadline\":\"2023-02-09T12:00:00Z\",\"expectedDurationSeconds\":3600", "2023-02-09T10:50:00Z",
		  600 },
		{ ",\"deadline\":\"2023-02-09T12:00:00Z\",\"expectedDurationSeconds\":6000", "2023-02-09T10:10:00Z",
		  600 },
		{ ",\"deadline\":\"2023-02-09T12:00:00Z\",\"expectedDurationSeconds\":6010", "2023-02-09T10:09:49Z",
		  601 },
		{ ",\"deadline\":\"2023-02-09T12:00:00Z\",\"expectedDurationSeconds\":20000", "2023-02-09T05:53:20Z",
		  2000 },
		{ ",\"deadline\":\"2023-02-09T12:00:00Z\",\"expectedDurationSeconds\":3600,\"safetyMarginSeconds\":0",
		  "2023-02-09T11:00:00Z", 0 },
		/* maxDelaySeconds is from the earliest start */
		{ ",\"maxDelaySeconds\":7200,\"expectedDurationSeconds\":3600", "2023-02-09T02:00:00Z", 600 },
		{ ",\"maxDelaySeconds\":7200,\"expectedDurationSeconds\":3600,\"earliestStartTime\":\"2023-02-09T05:00:"
		  "00Z\"",
		  "2023-02-09T07:00:00Z", 600 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct window w = window_of("", cases[i].spec);

		assert_null(w.refusal.reason);
		assert_null(w.t.at_once_reason);
		assert_int_equal(w.t.latest_start_ms, at(cases[i].latest_start));
		assert_int_equal(w.t.margin_ms, cases[i].margin_s * SECOND_MS);
		assert_true(w.t.spread_ms >= 0 && w.t.spread_ms < CAJ_MAX_SPREAD_MS && w.t.spread_ms % SECOND_MS == 0);
	}
}

static void what_is_not_deferred_says_why(void **state)
{
	static const struct {
		const char *metadata, *spec, *reason;
	} cases[] = {
		{ "", "", "NoDeadline" },
		{ "", ",\"expectedDurationSeconds\":3600", "NoDeadline" },
		{ "", ",\"deadline\":\"2023-02-09T12:00:00Z\"", "DurationUnknown" },
		{ "", ",\"deadline\":\"2023-02-09T12:00:00Z\",\"expectedDurationSeconds\":60,\"urgency\":\"Critical\"",
		  "Critical" },
		{ ",\"annotations\":{\"loadshift.io/run-now\":\"true\"}",
		  ",\"deadline\":\"2023-02-09T12:00:00Z\",\"expectedDurationSeconds\":60,\"urgency\":\"Critical\"",
		  "RunNow" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(window_of(cases[i].metadata, cases[i].spec).t.at_once_reason, cases[i].reason);
}

static void the_templates_active_deadline_stands_in_for_the_duration(void **state)
{
	struct carbonawarejob caj = *caj_of("", ",\"deadline\":\"2023-02-09T12:00:00Z\"", "{}");
	struct window w;

	(void)state;
	caj.spec.template_active_deadline_ms = HOUR_MS;
	caj_timing(&caj, at(SUBMITTED), TIME_NONE, &w.t, &w.refusal);
	assert_int_equal(w.t.duration_ms, HOUR_MS);
	assert_int_equal(w.t.latest_start_ms, at("2023-02-09T10:50:00Z"));
	caj.spec.expected_duration_ms = HOUR_MS + SECOND_MS;
	caj_timing(&caj, at(SUBMITTED), TIME_NONE, &w.t, &w.refusal);
	assert_string_equal(w.refusal.reason, "DurationTooLong");
	assert_non_null(strstr(w.refusal.message, "spec.expectedDurationSeconds 3601"));
}

static void the_earliest_start_is_the_latest_of_all_that_ask_for_one(void **state)
{
	static const char not_before[] = ",\"annotations\":{\"loadshift.io/not-before\":\"2023-02-09T06:00:00Z\"}";
	static const char both[] = ",\"annotations\":{\"loadshift.io/not-before\":\"2023-02-09T06:00:00Z\","
				   "\"loadshift.io/run-now\":\"true\"}";

	(void)state;
	assert_int_equal(window_of("", "").t.earliest_ms, at(SUBMITTED));
	assert_int_equal(window_of("", ",\"earliestStartTime\":\"2023-02-08T00:00:00Z\"").t.earliest_ms, at(SUBMITTED));
	assert_int_equal(window_of("", ",\"earliestStartTime\":\"2023-02-09T05:00:00Z\"").t.earliest_ms,
			 at("2023-02-09T05:00:00Z"));
	assert_int_equal(window_of(not_before, ",\"earliestStartTime\":\"2023-02-09T05:00:00Z\"").t.earliest_ms,
			 at("2023-02-09T06:00:00Z"));
	/* run-now means now */
	assert_int_equal(window_of(both, ",\"earliestStartTime\":\"2023-02-09T05:00:00Z\"").t.earliest_ms,
			 at(SUBMITTED));
}

static void only_a_contradiction_is_refused(void **state)
{
	static const char late[] = ",\"expectedDurationSeconds\":3600,\"deadline\":\"2023-02-09T12:00:00Z\","
				   "\"earliestStartTime\":\"2023-02-09T10:50:01Z\"";
	static const char gone[] = ",\"expectedDurationSeconds\":3600,\"deadline\":\"2023-02-08T12:00:00Z\","
				   "\"earliestStartTime\":\"2023-02-08T11:30:00Z\"";
	static const char run_now[] = ",\"annotations\":{\"loadshift.io/run-now\":\"true\"}";

	(void)state;
	assert_string_equal(window_of("", late).refusal.reason, "ImpossibleWindow");
	/* A deadline that has passed or is too near is met as well as can be: GitOps applies old files again. */
	assert_null(window_of("", gone).refusal.reason);
	assert_null(window_of("", ",\"expectedDurationSeconds\":3600,\"deadline\":\"2023-02-09T00:00:01Z\"")
			    .refusal.reason);
	assert_null(window_of(run_now, late).refusal.reason);
}

static void the_first_refusal_names_its_field(void **state)
{
	struct carbonawarejob caj = *caj_of("", "", "{}");
	struct window w;

	(void)state;
	caj.spec.template_kueue_queue = "gpu";
	caj_timing(&caj, at(SUBMITTED), TIME_NONE, &w.t, &w.refusal);
	assert_string_equal(w.refusal.reason, "ManagedByKueue");
	w = window_of(",\"annotations\":{\"loadshift.io/not-before\":\"soon\"}", "");
	assert_string_equal(w.refusal.reason, "InvalidAnnotation");
	assert_non_null(strstr(w.refusal.message, "loadshift.io/not-before"));
	w = window_of("", ",\"deadline\":\"tomorrow\"");
	assert_string_equal(w.refusal.reason, "InvalidSpec");
	assert_non_null(strstr(w.refusal.message, "spec.deadline"));
}

static void finish_by_is_the_next_such_time_by_the_clock(void **state)
{
	static const struct {
		const char *zone;
		int hour, minute;
		uint8_t weekdays; /* bit 0 = Sunday */
		const char *submitted, *deadline;
	} cases[] = {
		{ "UTC", 7, 0, 0x7f, "2023-02-09T06:59:59Z", "2023-02-09T07:00:00Z" },
		{ "UTC", 7, 0, 0x7f, "2023-02-09T07:00:00Z", "2023-02-10T07:00:00Z" },
		/* 9 February 2023 is a Thursday: the next Monday; and a Thursday whose time has passed is in a week */
		{ "UTC", 7, 0, 1 << 1, "2023-02-09T00:00:00Z", "2023-02-13T07:00:00Z" },
		{ "UTC", 7, 0, 1 << 4, "2023-02-09T08:00:00Z", "2023-02-16T07:00:00Z" },
		/* The day is the zone's, not UTC's. */
		{ "Asia/Tokyo", 7, 0, 0x7f, "2023-02-08T21:30:00Z", "2023-02-08T22:00:00Z" },
		{ "America/New_York", 23, 30, 1 << 4, "2023-02-10T03:00:00Z", "2023-02-10T04:30:00Z" },
		/* Clocks go forward on 26 March 2023: 01:30 does not exist, the moment after the gap does. */
		{ "Europe/London", 1, 30, 0x7f, "2023-03-25T12:00:00Z", "2023-03-26T01:00:00Z" },
		{ "Europe/London", 7, 0, 0x7f, "2023-03-25T12:00:00Z", "2023-03-26T06:00:00Z" },
		/* Clocks go back on 29 October 2023: of two 01:30 the first. */
		{ "Europe/London", 1, 30, 0x7f, "2023-10-28T12:00:00Z", "2023-10-29T00:30:00Z" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tz *tz _cleanup_(cleanup_tz) = NULL;
		struct caj_finish_by f = { cases[i].zone, (int8_t)cases[i].hour, (int8_t)cases[i].minute,
					   cases[i].weekdays };
		struct error err = ERROR_INIT;

		if (tz_load(cases[i].zone, &tz, &err))
			fail_msg("%s", err.msg);
		assert_int_equal(caj_finish_by_ms(&f, tz, at(cases[i].submitted)), at(cases[i].deadline));
	}
}

static void finish_by_is_the_deadline(void **state)
{
	struct carbonawarejob caj = *caj_of("", ",\"expectedDurationSeconds\":3600", "{}");
	struct window w;

	(void)state;
	caj_timing(&caj, at(SUBMITTED), at("2023-02-09T07:00:00Z"), &w.t, &w.refusal);
	assert_int_equal(w.t.deadline_ms, at("2023-02-09T07:00:00Z"));
	assert_int_equal(w.t.latest_start_ms, at("2023-02-09T05:50:00Z"));
}

static void starts_are_spread_by_the_uid(void **state)
{
	struct carbonawarejob caj =
		*caj_of("", ",\"expectedDurationSeconds\":3600,\"deadline\":\"2023-02-09T12:00:00Z\"", "{}");
	int64_t sum = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		struct window w;

		caj.obj.meta.uid = arena_printf(&fixture.arena, "uid-%d", i);
		caj_timing(&caj, at(SUBMITTED), TIME_NONE, &w.t, &w.refusal);
		sum += w.t.spread_ms;
	}
	/* evenly over ten minutes: a mean of about 300 s */
	assert_true(sum / 1000 > 280 * SECOND_MS && sum / 1000 < 320 * SECOND_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(latest_start_is_deadline_less_duration_less_margin),
		TEST(what_is_not_deferred_says_why),
		TEST(the_templates_active_deadline_stands_in_for_the_duration),
		TEST(the_earliest_start_is_the_latest_of_all_that_ask_for_one),
		TEST(only_a_contradiction_is_refused),
		TEST(the_first_refusal_names_its_field),
		TEST(finish_by_is_the_next_such_time_by_the_clock),
		TEST(finish_by_is_the_deadline),
		TEST(starts_are_spread_by_the_uid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
