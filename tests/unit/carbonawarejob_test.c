/* SPDX-License-Identifier: Apache-2.0 */
/* CarbonAwareJob's codec: defaults, every field that can be wrong, and a status that comes back as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "api/carbonawarejob.h"

#define TEMPLATE "\"jobTemplate\":{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"a\"}]}}}}"
#define WITH_SPEC(spec) "{\"metadata\":{\"name\":\"x\",\"namespace\":\"n\"},\"spec\":" spec "}"
#define SPEC(members) WITH_SPEC("{" TEMPLATE members "}")
#define STATUS(members) "{\"metadata\":{\"name\":\"x\"},\"spec\":{" TEMPLATE "},\"status\":" members "}"

static int64_t at(const char *text)
{
	int64_t ms = TIME_NONE;

	assert_true(time_parse(str_from(text), &ms));
	return ms;
}

/* The caller unrefs. */
static const struct carbonawarejob *decode(const char *text)
{
	struct error err = ERROR_INIT;
	const struct object *o = NULL;

	if (object_parse(&carbonawarejob_type, str_from(text), &o, &err))
		fail_msg("%s: %s", text, err.msg);
	return carbonawarejob_of(o);
}

static void done(const struct carbonawarejob *caj)
{
	object_unref(&caj->obj);
}

static void has_defaults(void **state)
{
	const struct carbonawarejob *caj = decode(SPEC(""));
	const struct caj_spec *s = &caj->spec;

	(void)state;
	assert_null(caj->bad_spec);
	assert_null(caj->bad_annotation);
	assert_false(caj->run_now);
	assert_int_equal(caj->not_before_ms, TIME_NONE);
	assert_true(s->template_present);
	assert_false(s->suspend || s->critical || s->run_at_latest_on_no_data || s->template_suspended);
	assert_false(s->max_carbon.set || s->max_price.set || s->min_renewable.set);
	assert_int_equal(s->earliest_start_ms, TIME_NONE);
	assert_int_equal(s->deadline_ms, TIME_NONE);
	assert_int_equal(s->max_delay_ms, TIME_NONE);
	assert_null(s->finish_by.time_zone);
	assert_int_equal(s->expected_duration_ms, TIME_NONE);
	assert_int_equal(s->safety_margin_ms, TIME_NONE);
	assert_int_equal(s->ttl_after_finished_ms, TIME_NONE);
	assert_int_equal(s->template_active_deadline_ms, TIME_NONE);
	assert_int_equal(s->power_watts_per_pod, -1);
	assert_null(s->home_region);
	assert_null(s->template_kueue_queue);
	assert_int_equal(s->n_relocate, 0);
	assert_int_equal(s->weights.carbon, 60);
	assert_int_equal(s->weights.cost, 30);
	assert_int_equal(s->weights.delay, 10);
	assert_int_equal(s->weights.renewable, 0);
	assert_int_equal(caj->status.deadline_ms, TIME_NONE);
	assert_int_equal(caj->status.latest_start_ms, TIME_NONE);
	assert_int_equal(caj->status.estimated_start_ms, TIME_NONE);
	assert_int_equal(caj->status.released_ms, TIME_NONE);
	assert_int_equal(caj->status.paused_ms, TIME_NONE);
	assert_false(caj->status.ledger.begun);
	assert_int_equal(caj->status.ledger.since_ms, TIME_NONE);
	assert_null(caj->status.home);
	assert_false(s->interrupt.set || s->scale.set);
	done(caj);
}

static void reads_every_field(void **state)
{
	const struct carbonawarejob *caj = decode(
		"{\"metadata\":{\"name\":\"x\",\"annotations\":{\"loadshift.io/run-now\":\"true\","
		"\"loadshift.io/not-before\":\"2026-03-01T01:00:00+01:00\",\"other\":\"1\"}},\"spec\":{"
		"\"jobTemplate\":{\"metadata\":{\"labels\":{\"kueue.x-k8s.io/queue-name\":\"q\"}},\"spec\":{"
		"\"activeDeadlineSeconds\":7200,\"template\":{\"spec\":{\"containers\":[{}]}}}},"
		"\"suspend\":true,\"earliestStartTime\":\"2026-03-01T00:00:00Z\",\"deadline\":\"2026-03-01T06:00:00."
		"5Z\","
		"\"expectedDurationSeconds\":3600,\"safetyMarginSeconds\":0,\"powerWattsPerPod\":0,"
		"\"homeRegion\":\"london\",\"relocate\":{\"regions\":[\"yorkshire\",\"wales\",\"yorkshire\"]},"
		"\"limits\":{\"maxCarbonGramsPerKWh\":{\"value\":120},\"maxPricePerKWh\":{\"value\":\"-0.000001\","
		"\"enforcement\":\"Hard\"},\"minRenewablePercent\":{\"value\":100,\"enforcement\":\"Soft\"}},"
		"\"weights\":{\"carbon\":100,\"delay\":0},\"urgency\":\"Critical\",\"onNoData\":\"RunAtLatestStart\","
		"\"ttlSecondsAfterFinished\":0}}");
	const struct caj_spec *s = &caj->spec;

	(void)state;
	assert_null(caj->bad_spec);
	assert_true(caj->run_now);
	assert_int_equal(caj->not_before_ms, at("2026-03-01T00:00:00Z"));
	assert_null(object_annotation(&caj->obj, "other"));
	assert_string_equal(s->template_kueue_queue, "q");
	assert_int_equal(s->template_active_deadline_ms, 2 * HOUR_MS);
	assert_true(s->suspend && s->critical && s->run_at_latest_on_no_data);
	assert_int_equal(s->earliest_start_ms, at("2026-03-01T00:00:00Z"));
	assert_int_equal(s->deadline_ms, at("2026-03-01T06:00:00Z") + 500);
	assert_int_equal(s->expected_duration_ms, HOUR_MS);
	assert_int_equal(s->safety_margin_ms, 0);
	assert_int_equal(s->power_watts_per_pod, 0);
	assert_int_equal(s->ttl_after_finished_ms, 0);
	assert_string_equal(s->home_region, "london");
	assert_int_equal(s->n_relocate, 2);
	assert_string_equal(s->relocate[0], "yorkshire");
	assert_string_equal(s->relocate[1], "wales");
	assert_true(s->max_carbon.set && !s->max_carbon.hard && s->max_carbon.value == 120000);
	assert_true(s->max_price.set && s->max_price.hard && s->max_price.value == -1);
	assert_true(s->min_renewable.set && !s->min_renewable.hard && s->min_renewable.value == 1000);
	assert_int_equal(s->weights.carbon, 100);
	assert_int_equal(s->weights.cost, 30);
	assert_int_equal(s->weights.delay, 0);
	done(caj);
}

static void reads_interrupt_and_scale(void **state)
{
	const struct carbonawarejob *caj = decode(SPEC(",\"interrupt\":{},\"scale\":{\"maxParallelism\":3}"));
	const struct caj_spec *s = &caj->spec;

	(void)state;
	assert_null(caj->bad_spec);
	assert_true(s->interrupt.set && s->scale.set);
	assert_int_equal(s->interrupt.min_run_ms, 30 * MINUTE_MS);
	assert_int_equal(s->interrupt.checkpoint_ms, 0);
	assert_int_equal(s->interrupt.restart_milliwatt_hours, 0);
	assert_int_equal(s->interrupt.max_interruptions, 4);
	assert_int_equal(s->scale.min, 1);
	assert_int_equal(s->scale.max, 3);
	assert_int_equal(s->scale.n_speedup, 0);
	done(caj);
	caj = decode(SPEC(",\"interrupt\":{\"minRunSeconds\":0,\"checkpointSeconds\":90,\"restartWattHours\":2.5,"
			  "\"maxInterruptions\":15},\"scale\":{\"minParallelism\":2,\"maxParallelism\":3,"
			  "\"speedup\":[1,1.9,2.7]}"));
	s = &caj->spec;
	assert_null(caj->bad_spec);
	assert_int_equal(s->interrupt.min_run_ms, 0);
	assert_int_equal(s->interrupt.checkpoint_ms, 90 * SECOND_MS);
	assert_int_equal(s->interrupt.restart_milliwatt_hours, 2500);
	assert_int_equal(s->interrupt.max_interruptions, 15);
	assert_int_equal(s->scale.min, 2);
	assert_int_equal(s->scale.n_speedup, 3);
	assert_int_equal(s->scale.speedup_permille[2], 2700);
	done(caj);
}

static void reads_finish_by(void **state)
{
	static const struct {
		const char *json;
		int hour, minute, weekdays;
	} cases[] = {
		{ SPEC(",\"finishBy\":{\"time\":\"00:00\",\"timeZone\":\"UTC\"}"), 0, 0, 0x7f },
		{ SPEC(",\"finishBy\":{\"time\":\"23:59\",\"timeZone\":\"Europe/London\",\"weekdays\":[\"Sunday\"]}"),
		  23, 59, 1 },
		{ SPEC(",\"finishBy\":{\"time\":\"08:30\",\"timeZone\":\"Etc/GMT+1\","
		       "\"weekdays\":[\"Saturday\",\"Monday\",\"Monday\"]}"),
		  8, 30, 0x42 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct carbonawarejob *caj = decode(cases[i].json);

		assert_null(caj->bad_spec);
		assert_non_null(caj->spec.finish_by.time_zone);
		assert_int_equal(caj->spec.finish_by.hour, cases[i].hour);
		assert_int_equal(caj->spec.finish_by.minute, cases[i].minute);
		assert_int_equal(caj->spec.finish_by.weekdays, cases[i].weekdays);
		done(caj);
	}
}

#define TIME_FIX "must be an RFC 3339 time with offset such as 2026-03-01T06:00:00Z"
#define REGION_FIX "must be the name of a GridRegion such as north-scotland"
#define FINISH(members) SPEC(",\"finishBy\":{" members "}")
#define DAYS_FIX "spec.finishBy.weekdays: must list one or more of Monday to Sunday; leave it out for every day"
#define ZONE_FIX "spec.finishBy.timeZone: must be an IANA time zone such as Europe/London or UTC"
#define REGIONS_FIX "spec.relocate.regions: must list 1 to 32 GridRegions; leave out relocate to stay at home"
#define PRICE_FIX                                                                                       \
	"spec.limits.maxPricePerKWh.value: must be a decimal in quotes with at most 6 places, between " \
	"\"-999.999999\" and \"999.999999\", such as \"0.15\""
#define NO_CONTAINERS "spec.jobTemplate.spec: must be a batch/v1 JobSpec: template.spec.containers is missing"
#define LONG_NAME "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"

#define SPEEDUP_FIX                                                                                                    \
	"spec.scale.speedup: must list 2 rising numbers up to 64, one for each parallelism from 1 to maxParallelism, " \
	"such as 1, 1.9; leave it out where pods add up"

static const struct {
	const char *json, *complaint;
} bad_specs[] = {
	{ SPEC(",\"interrupt\":true"), "spec.interrupt: must be an object" },
	{ SPEC(",\"interrupt\":{\"maxInterruptions\":16}"),
	  "spec.interrupt.maxInterruptions: must be a whole number from 1 to 15" },
	{ SPEC(",\"interrupt\":{\"minRunSeconds\":-1}"),
	  "spec.interrupt.minRunSeconds: must be a whole number from 0 to 604800" },
	{ SPEC(",\"interrupt\":{\"checkpointSeconds\":\"1\"}"),
	  "spec.interrupt.checkpointSeconds: must be a whole number from 0 to 86400" },
	{ SPEC(",\"interrupt\":{\"restartWattHours\":\"2\"}"),
	  "spec.interrupt.restartWattHours: must be a number from 0 to 1000000, such as 2.5" },
	{ SPEC(",\"scale\":{}"), "spec.scale.maxParallelism: is missing; say with how many pods it may run at most" },
	{ SPEC(",\"scale\":{\"maxParallelism\":65}"),
	  "spec.scale.maxParallelism: must be a whole number from 1 to 64" },
	{ SPEC(",\"scale\":{\"minParallelism\":3,\"maxParallelism\":2}"),
	  "spec.scale.minParallelism: must not be greater than maxParallelism; lower it or raise that" },
	{ SPEC(",\"scale\":{\"maxParallelism\":2,\"speedup\":[1]}"), SPEEDUP_FIX },
	{ SPEC(",\"scale\":{\"maxParallelism\":2,\"speedup\":[1,1]}"), SPEEDUP_FIX },
	{ SPEC(",\"scale\":{\"maxParallelism\":2,\"speedup\":[1,65]}"), SPEEDUP_FIX },
	{ SPEC(",\"scale\":{\"maxParallelism\":2,\"speedup\":{}}"), SPEEDUP_FIX },
	{ "{\"metadata\":{\"name\":\"x\"}}", "spec: must be an object with a jobTemplate" },
	{ WITH_SPEC("[1]"), "spec: must be an object with a jobTemplate" },
	{ WITH_SPEC("{}"), "spec.jobTemplate: is missing; put the Job's spec into spec.jobTemplate.spec" },
	{ WITH_SPEC("{\"jobTemplate\":7}"), NO_CONTAINERS },
	{ WITH_SPEC("{\"jobTemplate\":{\"spec\":{\"template\":{\"spec\":{\"containers\":[]}}}}}"), NO_CONTAINERS },
	{ WITH_SPEC("{\"jobTemplate\":{\"spec\":{\"template\":{\"spec\":{\"containers\":[1]}}}}}"), NO_CONTAINERS },
	{ WITH_SPEC("{\"jobTemplate\":{\"spec\":{\"suspend\":true,\"template\":{\"spec\":{\"containers\":[{}]}}}}}"),
	  "spec.jobTemplate.spec.suspend: must not be true; use spec.suspend" },
	{ SPEC(",\"suspend\":\"yes\""), "spec.suspend: must be true or false" },
	{ SPEC(",\"deadline\":\"tomorrow\""), "spec.deadline: " TIME_FIX },
	{ SPEC(",\"deadline\":\"2026-03-01T06:00:00\""), "spec.deadline: " TIME_FIX },
	{ SPEC(",\"deadline\":\"2026-02-30T06:00:00Z\""), "spec.deadline: " TIME_FIX },
	{ SPEC(",\"deadline\":1772344800"), "spec.deadline: " TIME_FIX },
	{ SPEC(",\"earliestStartTime\":\"\""), "spec.earliestStartTime: " TIME_FIX },
	{ SPEC(",\"maxDelaySeconds\":-1"), "spec.maxDelaySeconds: must be a whole number from 0 to 31536000" },
	{ SPEC(",\"maxDelaySeconds\":1e300"), "spec.maxDelaySeconds: must be a whole number from 0 to 31536000" },
	{ SPEC(",\"maxDelaySeconds\":\"60\""), "spec.maxDelaySeconds: must be a whole number from 0 to 31536000" },
	{ SPEC(",\"expectedDurationSeconds\":0"),
	  "spec.expectedDurationSeconds: must be a whole number from 1 to 31536000" },
	{ SPEC(",\"expectedDurationSeconds\":1.5"),
	  "spec.expectedDurationSeconds: must be a whole number from 1 to 31536000" },
	{ SPEC(",\"safetyMarginSeconds\":31536001"),
	  "spec.safetyMarginSeconds: must be a whole number from 0 to 31536000" },
	{ SPEC(",\"deadline\":\"2026-03-01T06:00:00Z\",\"maxDelaySeconds\":1"),
	  "spec.deadline: only one of deadline, maxDelaySeconds and finishBy may be set" },
	{ SPEC(",\"maxDelaySeconds\":1,\"finishBy\":{\"time\":\"08:00\",\"timeZone\":\"UTC\"}"),
	  "spec.deadline: only one of deadline, maxDelaySeconds and finishBy may be set" },
	{ SPEC(",\"finishBy\":\"08:00\""), "spec.finishBy: must be an object" },
	{ FINISH("\"timeZone\":\"UTC\""), "spec.finishBy.time: must be HH:MM from 00:00 to 23:59" },
	{ FINISH("\"time\":\"24:00\",\"timeZone\":\"UTC\""), "spec.finishBy.time: must be HH:MM from 00:00 to 23:59" },
	{ FINISH("\"time\":\"-1:00\",\"timeZone\":\"UTC\""), "spec.finishBy.time: must be HH:MM from 00:00 to 23:59" },
	{ FINISH("\"time\":\"08:5\",\"timeZone\":\"UTC\""), "spec.finishBy.time: must be HH:MM from 00:00 to 23:59" },
	{ FINISH("\"time\":\"08:00\""), ZONE_FIX },
	{ FINISH("\"time\":\"08:00\",\"timeZone\":\"\""), ZONE_FIX },
	{ FINISH("\"time\":\"08:00\",\"timeZone\":\"/etc/passwd\""), ZONE_FIX },
	{ FINISH("\"time\":\"08:00\",\"timeZone\":\"a/../b\""), ZONE_FIX },
	{ FINISH("\"time\":\"08:00\",\"timeZone\":\"a//b\""), ZONE_FIX },
	{ FINISH("\"time\":\"08:00\",\"timeZone\":\"" LONG_NAME "\""), ZONE_FIX },
	{ FINISH("\"time\":\"08:00\",\"timeZone\":\"UTC\",\"weekdays\":[]"), DAYS_FIX },
	{ FINISH("\"time\":\"08:00\",\"timeZone\":\"UTC\",\"weekdays\":[\"monday\"]"), DAYS_FIX },
	{ FINISH("\"time\":\"08:00\",\"timeZone\":\"UTC\",\"weekdays\":\"Monday\""), DAYS_FIX },
	{ SPEC(",\"powerWattsPerPod\":-5"), "spec.powerWattsPerPod: must be a whole number from 0 to 1000000" },
	{ SPEC(",\"powerWattsPerPod\":true"), "spec.powerWattsPerPod: must be a whole number from 0 to 1000000" },
	{ SPEC(",\"homeRegion\":\"\""), "spec.homeRegion: " REGION_FIX },
	{ SPEC(",\"homeRegion\":\"North Scotland\""), "spec.homeRegion: " REGION_FIX },
	{ SPEC(",\"homeRegion\":\"" LONG_NAME "\""), "spec.homeRegion: " REGION_FIX },
	{ SPEC(",\"relocate\":[]"), "spec.relocate: must be an object" },
	{ SPEC(",\"relocate\":{}"), REGIONS_FIX },
	{ SPEC(",\"relocate\":{\"regions\":\"london\"}"), REGIONS_FIX },
	{ SPEC(",\"relocate\":{\"regions\":{\"a\":\"london\"}}"), REGIONS_FIX },
	{ SPEC(",\"relocate\":{\"regions\":[]}"), REGIONS_FIX },
	{ SPEC(",\"relocate\":{\"regions\":[\"london\",3]}"), "spec.relocate.regions: " REGION_FIX },
	{ SPEC(",\"limits\":1"), "spec.limits: must be an object" },
	{ SPEC(",\"limits\":{\"maxCarbonGramsPerKWh\":100}"), "spec.limits.maxCarbonGramsPerKWh: must be an object" },
	{ SPEC(",\"limits\":{\"maxCarbonGramsPerKWh\":{}}"), "spec.limits.maxCarbonGramsPerKWh.value: is missing" },
	{ SPEC(",\"limits\":{\"maxCarbonGramsPerKWh\":{\"value\":-1}}"),
	  "spec.limits.maxCarbonGramsPerKWh.value: must be a whole number from 0 to 10000" },
	{ SPEC(",\"limits\":{\"maxCarbonGramsPerKWh\":{\"value\":1,\"enforcement\":\"hard\"}}"),
	  "spec.limits.maxCarbonGramsPerKWh.enforcement: must be Soft or Hard" },
	{ SPEC(",\"limits\":{\"minRenewablePercent\":{\"value\":101}}"),
	  "spec.limits.minRenewablePercent.value: must be a whole number from 0 to 100" },
	{ SPEC(",\"limits\":{\"maxPricePerKWh\":{\"value\":0.15}}"), PRICE_FIX },
	{ SPEC(",\"limits\":{\"maxPricePerKWh\":{\"value\":\"15p\"}}"), PRICE_FIX },
	{ SPEC(",\"limits\":{\"maxPricePerKWh\":{\"value\":\"1000\"}}"), PRICE_FIX },
	{ SPEC(",\"limits\":{\"maxPricePerKWh\":{\"value\":\"0.1234567\"}}"), PRICE_FIX },
	{ SPEC(",\"weights\":{\"carbon\":-1}"), "spec.weights.carbon: must be a whole number from 0 to 1000" },
	{ SPEC(",\"weights\":{\"carbon\":0,\"cost\":0,\"delay\":0}"),
	  "spec.weights: must not all be 0; set carbon or another one above 0" },
	{ SPEC(",\"urgency\":\"critical\""), "spec.urgency: must be Normal or Critical" },
	{ SPEC(",\"onNoData\":false"), "spec.onNoData: must be RunNow or RunAtLatestStart" },
	{ SPEC(",\"ttlSecondsAfterFinished\":2147483648"),
	  "spec.ttlSecondsAfterFinished: must be a whole number from 0 to 2147483647" },
	{ "{\"metadata\":{\"name\":\"" LONG_NAME "\"},\"spec\":{" TEMPLATE "}}",
	  "metadata.name: must be at most 52 characters: the Job has the same name, and its pods' names are longer" },
};

static void names_the_bad_field_and_the_fix(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_specs); i++) {
		const struct carbonawarejob *caj = decode(bad_specs[i].json);

		if (!cstr_eq(caj->bad_spec, bad_specs[i].complaint))
			fail_msg("%s:\n  got  %s\n  want %s", bad_specs[i].json, caj->bad_spec, bad_specs[i].complaint);
		/* It goes into a condition whole (decide/timing.h). */
		assert_true(strlen(caj->bad_spec) < 256);
		/* Whoever calculates with the rest must not overflow. */
		assert_true(caj->spec.max_delay_ms <= 31536000 * SECOND_MS);
		done(caj);
	}
}

static void takes_null_for_absent(void **state)
{
	const struct carbonawarejob *caj = decode(
		SPEC(",\"deadline\":null,\"maxDelaySeconds\":null,\"finishBy\":null,\"weights\":null,"
		     "\"limits\":{\"maxPricePerKWh\":null},\"relocate\":null,\"homeRegion\":null,\"urgency\":null"));

	(void)state;
	assert_null(caj->bad_spec);
	assert_int_equal(caj->spec.weights.carbon, 60);
	done(caj);
}

static void keeps_to_the_maximum_of_regions(void **state)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT(65536);

	(void)state;
	for (int n = CAJ_MAX_REGIONS; n <= CAJ_MAX_REGIONS + 1; n++) {
		buf_reset(&b);
		buf_adds(&b, "{\"metadata\":{\"name\":\"x\"},\"spec\":{" TEMPLATE ",\"relocate\":{\"regions\":[");
		for (int i = 0; i < n; i++)
			buf_addf(&b, "%s\"r%d\"", i ? "," : "", i);
		buf_adds(&b, "]}}}");
		const struct carbonawarejob *caj = decode(buf_cstr(&b));
		assert_true((n > CAJ_MAX_REGIONS) == (caj->bad_spec != NULL));
		assert_int_equal(caj->spec.n_relocate, n > CAJ_MAX_REGIONS ? 0 : n);
		done(caj);
	}
}

static void names_the_bad_annotation(void **state)
{
	static const struct {
		const char *annotations, *complaint;
	} cases[] = {
		{ "\"loadshift.io/run-now\":\"yes\"",
		  "annotation loadshift.io/run-now: must be \"true\" or \"false\"" },
		{ "\"loadshift.io/not-before\":\"9 o'clock\"", "annotation loadshift.io/not-before: " TIME_FIX },
		{ "\"loadshift.io/run-now\":\"false\",\"loadshift.io/not-before\":\"2026-03-01T06:00:00Z\"", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(buf_release) struct buf b = BUF_INIT(4096);

		buf_addf(&b, "{\"metadata\":{\"name\":\"x\",\"annotations\":{%s}},\"spec\":{" TEMPLATE "}}",
			 cases[i].annotations);
		const struct carbonawarejob *caj = decode(buf_cstr(&b));
		assert_true(cstr_eq(caj->bad_annotation, cases[i].complaint));
		assert_false(caj->run_now);
		assert_true((caj->not_before_ms == TIME_NONE) == (cases[i].complaint != NULL));
		done(caj);
	}
}

static const char full_status[] =
	"{\"observedGeneration\":3,\"templateHash\":\"abc\",\"deadlineTime\":\"2026-03-01T06:00:00Z\","
	"\"latestStartTime\":\"2026-03-01T04:00:00Z\",\"home\":\"london\",\"planID\":\"p1\","
	"\"plan\":{\"segments\":[{\"cluster\":\"\",\"region\":\"yorkshire\",\"startTime\":\"2026-03-01T02:00:00Z\","
	"\"endTime\":\"2026-03-01T03:00:00Z\",\"parallelism\":2}],\"expected\":{\"energyMilliWattHours\":700000,"
	"\"carbonMilligrams\":-5,\"cost\":\"0.012345\"}},\"region\":\"yorkshire\",\"currency\":\"GBP\",\"baseline\":{"
	"\"rule\":\"run-at-once-at-"
	"home\","
	"\"region\":\"london\",\"startTime\":\"2026-02-28T22:00:00Z\",\"expected\":{\"energyMilliWattHours\":700000}},"
	"\"estimatedStartTime\":\"2026-03-01T02:00:00Z\",\"explanation\":\"waits for wind \\\"now\\\"\","
	"\"options\":[{\"region\":\"yorkshire\",\"startTime\":\"2026-03-01T02:00:00Z\",\"expected\":{\"cost\":\"1\"}}],"
	"\"jobRef\":{\"cluster\":\"\",\"name\":\"x\",\"uid\":\"u\"},\"releasedTime\":\"2026-03-01T02:00:01Z\","
	"\"pausedTime\":\"2026-03-01T01:00:00Z\",\"progress\":{\"workSeconds\":1800,\"sinceTime\":"
	"\"2026-03-01T02:00:02Z\",\"region\":\"yorkshire\",\"parallelism\":2,\"interruptions\":1,\"moves\":1,"
	"\"inPlace\":true},"
	"\"runs\":[{\"region\":\"yorkshire\",\"jobUID\":\"u\",\"startTime\":\"2026-03-01T02:00:02Z\","
	"\"endTime\":\"2026-03-01T03:00:00Z\",\"pods\":2,\"energyMilliWattHours\":699000,\"carbonMilligrams\":"
	"9007199254740991,"
	"\"cost\":\"-12.5\"}],\"actual\":{\"energyMilliWattHours\":699000,\"carbonSource\":\"carbonintensity-gb "
	"regional, "
	"estimated\",\"energyScope\":\"Dynamic\",\"costBasis\":\"None\",\"final\":true},\"savings\":{\"time\":{"
	"\"carbonMilligrams\":1,\"cost\":\"0\"},\"place\":{\"cost\":\"-0.000001\"},\"total\":{\"carbonMilligrams\":-2}}"
	","
	"\"saved\":{\"carbon\":\"~412 g\",\"cost\":\"~0.13 "
	"GBP\"},\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\","
	"\"reason\":\"Deferred\",\"message\":\"waits\",\"lastTransitionTime\":\"2026-02-28T22:00:00Z\","
	"\"observedGeneration\":3}]}";

static void encode(const struct caj_status *s, struct buf *out)
{
	struct error err = ERROR_INIT;

	buf_reset(out);
	if (caj_status_encode(s, out, &err))
		fail_msg("%s", err.msg);
}

static const struct carbonawarejob *decode_status(const char *status)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT(65536);

	buf_addf(&b, STATUS("%s"), status);
	return decode(buf_cstr(&b));
}

static void status_comes_back_as_it_was(void **state)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT(65536);
	const struct carbonawarejob *caj = decode_status(full_status);
	const struct caj_status *s = &caj->status;

	(void)state;
	assert_int_equal(s->plan.n_segments, 1);
	assert_int_equal(s->plan.segments[0].parallelism, 2);
	assert_int_equal(s->plan.expected.cost_micros, 12345);
	assert_int_equal(s->plan.expected.carbon_milligrams, -5);
	assert_false(s->baseline.expected.carbon_known || s->baseline.expected.cost_known);
	assert_int_equal(s->runs[0].figures.carbon_milligrams, INT64_C(9007199254740991));
	assert_int_equal(s->runs[0].figures.cost_micros, -12500000);
	assert_true(s->actual && s->actual->final && !s->actual->figures.carbon_known);
	assert_true(s->savings->place.cost_known && !s->savings->place.carbon_known);
	assert_int_equal(s->savings->place.cost_micros, -1);
	assert_false(s->savings->forecast_error.carbon_known || s->savings->forecast_error.cost_known);
	assert_string_equal(s->saved_carbon, "~412 g");
	assert_int_equal(s->paused_ms, at("2026-03-01T01:00:00Z"));
	assert_true(s->ledger.begun && s->ledger.in_place);
	assert_int_equal(s->ledger.work_ms, 30 * MINUTE_MS);
	encode(s, &text);
	assert_string_equal(buf_cstr(&text), full_status);
	done(caj);
}

static void an_empty_status_is_an_empty_object(void **state)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT(65536);
	const struct carbonawarejob *caj = decode(SPEC(""));

	(void)state;
	encode(&caj->status, &text);
	assert_string_equal(buf_cstr(&text), "{}");
	done(caj);
}

static void copy_is_deep(void **state)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT(65536);
	const struct carbonawarejob *caj = decode_status(full_status);
	struct caj_status copy;
	struct arena arena;

	(void)state;
	arena_init(&arena, 4096, 1 << 20);
	caj_status_copy(&caj->status, &arena, &copy);
	done(caj); /* what is not copied is gone, which ASan sees */
	encode(&copy, &text);
	assert_string_equal(buf_cstr(&text), full_status);
	assert_true(condition_set(&copy.conditions, &arena, COND_PLANNED, CONDITION_TRUE, "Optimised", 3, 0, "new"));
	assert_int_equal(copy.conditions.len, 2);
	arena_release(&arena);
}

static void odd_status_is_not_set(void **state)
{
	static const char *const odd[] = {
		"7",
		"[]",
		"\"x\"",
		"{\"plan\":7,\"baseline\":[],\"options\":{},\"runs\":\"\",\"actual\":1,\"savings\":[],\"saved\":2}",
		"{\"plan\":{\"segments\":[{\"region\":\"a\"}]}}",
		"{\"plan\":{\"segments\":[7,null,{}]}}",
		"{\"plan\":{\"expected\":{\"cost\":\"1\"}}}",
		"{\"baseline\":{\"rule\":\"r\"},\"options\":[{},1],\"runs\":[{\"region\":\"a\"}]}",
		"{\"deadlineTime\":\"\",\"home\":5,\"planID\":\"\",\"jobRef\":{\"uid\":\"u\"},\"conditions\":[{}]}",
		"{\"progress\":7,\"pausedTime\":\"soon\"}",
		"{\"observedGeneration\":\"3\",\"planID\":\"" LONG_NAME "\",\"saved\":{\"carbon\":\"" LONG_NAME "\"}}",
	};
	_cleanup_(buf_release) struct buf text = BUF_INIT(65536);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		const struct carbonawarejob *caj = decode_status(odd[i]);

		encode(&caj->status, &text);
		if (strcmp(buf_cstr(&text), "{}") != 0)
			fail_msg("%s became %s", odd[i], buf_cstr(&text));
		done(caj);
	}
}

static void lists_keep_to_their_maximum(void **state)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT(65536);
	static const char segment[] = "{\"region\":\"a\",\"jobUID\":\"u\",\"startTime\":\"2026-03-01T02:00:00Z\","
				      "\"endTime\":\"2026-03-01T03:00:00Z\"}";
	static const char *const lists[] = { "\"options\":[", "\"runs\":[", "\"plan\":{\"segments\":[" };

	(void)state;
	buf_addc(&b, '{');
	for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
		buf_addf(&b, "%s%s", l ? "," : "", lists[l]);
		for (int i = 0; i < 40; i++)
			buf_addf(&b, "%s%s", i ? "," : "", segment);
		buf_addc(&b, ']');
	}
	buf_adds(&b, "}}");
	const struct carbonawarejob *caj = decode_status(buf_cstr(&b));
	assert_int_equal(caj->status.n_options, CAJ_MAX_OPTIONS);
	assert_int_equal(caj->status.n_runs, CAJ_MAX_RUNS);
	assert_int_equal(caj->status.plan.n_segments, 0); /* not the plan that somebody made */
	done(caj);
}

static void too_large_a_status_is_an_error(void **state)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT(65536);
	const struct carbonawarejob *caj = decode_status(full_status);
	struct error err = ERROR_INIT;
	struct caj_status s;
	struct arena arena;

	(void)state;
	arena_init(&arena, 4096, 1 << 20);
	caj_status_copy(&caj->status, &arena, &s);
	for (int i = 0; i < 9; i++)
		condition_set(&s.conditions, &arena, arena_printf(&arena, "C%d", i), CONDITION_TRUE, "R", 1, 0, "%0*d",
			      CONDITION_MESSAGE_MAX, 0);
	assert_int_equal(caj_status_encode(&s, &text, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	arena_release(&arena);
	done(caj);
}

static void region_shown_follows_the_job(void **state)
{
	struct caj_segment plan[] = { { "london", 0, HOUR_MS, 1 }, { "wales", HOUR_MS, 2 * HOUR_MS, 1 } };
	/* In the order in which pods came, not of their ends. */
	struct caj_run runs[] = { { .region = "wales", .end_ms = 2 * HOUR_MS },
				  { .region = "london", .end_ms = HOUR_MS } };
	struct condition complete = { .type = COND_COMPLETE, .status = CONDITION_TRUE, .reason = "x", .message = "" };
	struct caj_status s = { 0 };

	(void)state;
	assert_null(caj_status_region(&s));
	s.plan = (struct caj_plan){ .segments = plan, .n_segments = 2 };
	assert_string_equal(caj_status_region(&s), "london");
	s.ledger.begun = true;
	s.ledger.region = "wales";
	s.runs = &runs[1];
	s.n_runs = 1;
	assert_string_equal(caj_status_region(&s), "wales");
	s.conditions = (struct conditions){ &complete, 1 };
	assert_string_equal(caj_status_region(&s), "london");
	s.runs = runs;
	s.n_runs = 2;
	assert_string_equal(caj_status_region(&s), "wales");
	/* Nodes that tell no region: the plan's word is all there is. */
	runs[0].region = runs[1].region = NULL;
	assert_string_equal(caj_status_region(&s), "wales");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_defaults),
		cmocka_unit_test(reads_every_field),
		cmocka_unit_test(reads_interrupt_and_scale),
		cmocka_unit_test(reads_finish_by),
		cmocka_unit_test(names_the_bad_field_and_the_fix),
		cmocka_unit_test(takes_null_for_absent),
		cmocka_unit_test(keeps_to_the_maximum_of_regions),
		cmocka_unit_test(names_the_bad_annotation),
		cmocka_unit_test(status_comes_back_as_it_was),
		cmocka_unit_test(an_empty_status_is_an_empty_object),
		cmocka_unit_test(copy_is_deep),
		cmocka_unit_test(region_shown_follows_the_job),
		cmocka_unit_test(odd_status_is_not_set),
		cmocka_unit_test(lists_keep_to_their_maximum),
		cmocka_unit_test(too_large_a_status_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
