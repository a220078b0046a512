/* SPDX-License-Identifier: Apache-2.0 */
/* The window in which a CarbonAwareJob may start. */
#include "decide/timing.h"

#include "base/tz.h"

static void refuse(struct caj_refusal *refusal, const char *reason, const char *fmt, ...) printf_like(3, 4);

static void refuse(struct caj_refusal *refusal, const char *reason, const char *fmt, ...)
{
	va_list args;

	if (refusal->reason)
		return; /* the first reason is the one to mend first */
	refusal->reason = reason;
	va_start(args, fmt);
	(void)vsnprintf(refusal->message, sizeof(refusal->message), fmt, args);
	va_end(args);
}

int64_t caj_finish_by_ms(const struct caj_finish_by *f, const struct tz *tz, int64_t submitted_ms)
{
	int64_t local = submitted_ms + (int64_t)tz_offset_s(tz, submitted_ms) * SECOND_MS;
	int64_t today = time_slot_floor(local, DAY_MS) / DAY_MS;

	/* Eight days: today's time may have passed, and only one weekday may be allowed. */
	for (int64_t day = today; day <= today + 8; day++) {
		int y, m, d;

		if (!(f->weekdays & (1u << time_weekday(day))))
			continue;
		time_civil_from_days(day, &y, &m, &d);
		int64_t at = tz_local_to_utc_ms(tz, y, m, d, f->hour, f->minute);
		if (at > submitted_ms)
			return at;
	}
	return TIME_NONE;
}

/* What is in the status was learnt when the job was first looked at: it stays. */
static int64_t learned(const struct carbonawarejob *caj, int64_t learned_ms)
{
	const struct caj_spec *s = &caj->spec;
	int64_t ms = caj->status.learned_duration_ms > 0 ? caj->status.learned_duration_ms : learned_ms;

	if (s->expected_duration_ms != TIME_NONE || ms <= 0)
		return TIME_NONE;
	return s->template_active_deadline_ms != TIME_NONE ? MIN(ms, s->template_active_deadline_ms) : ms;
}

static void duration_and_margin(const struct caj_spec *s, struct caj_timing *t, struct caj_refusal *refusal)
{
	t->duration_ms = s->expected_duration_ms != TIME_NONE          ? s->expected_duration_ms
			 : t->learned_ms != TIME_NONE                  ? t->learned_ms
			 : s->template_active_deadline_ms != TIME_NONE ? s->template_active_deadline_ms
								       : 0;
	t->margin_ms =
		s->safety_margin_ms != TIME_NONE ? s->safety_margin_ms : MAX(CAJ_MIN_MARGIN_MS, t->duration_ms / 10);
	if (s->expected_duration_ms != TIME_NONE && s->template_active_deadline_ms != TIME_NONE &&
	    s->expected_duration_ms > s->template_active_deadline_ms)
		refuse(refusal, "DurationTooLong",
		       "spec.expectedDurationSeconds %" PRId64 " is greater than the template's activeDeadlineSeconds "
		       "%" PRId64 ": the Job would be killed before it ends; raise activeDeadlineSeconds or lower it",
		       s->expected_duration_ms / SECOND_MS, s->template_active_deadline_ms / SECOND_MS);
}

static void window(const struct caj_spec *s, bool run_now, int64_t finish_by_ms, struct caj_timing *t,
		   struct caj_refusal *refusal)
{
	char earliest[TIME_TEXT], deadline[TIME_TEXT];
	int64_t needed = t->duration_ms + t->margin_ms;

	t->deadline_ms = t->latest_start_ms = TIME_NONE;
	if (s->deadline_ms != TIME_NONE)
		t->deadline_ms = s->deadline_ms;
	else if (finish_by_ms != TIME_NONE)
		t->deadline_ms = finish_by_ms;
	else if (s->max_delay_ms != TIME_NONE)
		t->deadline_ms = t->earliest_ms + s->max_delay_ms + needed;
	if (t->deadline_ms == TIME_NONE) {
		t->at_once_reason = "NoDeadline";
		return;
	}
	if (t->duration_ms == 0) {
		t->at_once_reason = "DurationUnknown";
		return;
	}
	t->latest_start_ms = t->deadline_ms - needed;
	/*
	 * A deadline that is merely too near is met as well as can be (DeadlineAtRisk); an earliest start that the
	 * deadline forbids is a contradiction that only the user can resolve.
	 */
	if (s->earliest_start_ms != TIME_NONE && s->earliest_start_ms > t->latest_start_ms &&
	    s->earliest_start_ms > t->submitted_ms && !run_now)
		refuse(refusal, "ImpossibleWindow",
		       "spec.earliestStartTime %s is after the latest start that the deadline %s leaves (%" PRId64
		       " s of work and %" PRId64 " s of margin before it): set an earlier start or a later deadline",
		       time_format(s->earliest_start_ms, earliest), time_format(t->deadline_ms, deadline),
		       t->duration_ms / SECOND_MS, t->margin_ms / SECOND_MS);
}

void caj_timing(const struct carbonawarejob *caj, int64_t submitted_ms, int64_t finish_by_ms, struct caj_timing *t,
		struct caj_refusal *refusal)
{
	caj_timing_learned(caj, submitted_ms, finish_by_ms, TIME_NONE, t, refusal);
}

void caj_timing_learned(const struct carbonawarejob *caj, int64_t submitted_ms, int64_t finish_by_ms,
			int64_t learned_ms, struct caj_timing *t, struct caj_refusal *refusal)
{
	const struct caj_spec *s = &caj->spec;

	*t = (struct caj_timing){ .submitted_ms = submitted_ms, .earliest_ms = submitted_ms };
	*refusal = (struct caj_refusal){ 0 };
	if (caj->bad_spec)
		refuse(refusal, "InvalidSpec", "%s", caj->bad_spec);
	if (caj->bad_annotation)
		refuse(refusal, "InvalidAnnotation", "%s", caj->bad_annotation);
	if (s->template_kueue_queue)
		refuse(refusal, "ManagedByKueue",
		       "the template has the label kueue.x-k8s.io/queue-name: %s: Kueue owns this Job's suspend field; "
		       "remove "
		       "the label, or submit the Job without a CarbonAwareJob",
		       s->template_kueue_queue);
	if (s->earliest_start_ms != TIME_NONE && !caj->run_now)
		t->earliest_ms = MAX(t->earliest_ms, s->earliest_start_ms);
	if (caj->not_before_ms != TIME_NONE && !caj->run_now)
		t->earliest_ms = MAX(t->earliest_ms, caj->not_before_ms);
	t->learned_ms = learned(caj, learned_ms);
	duration_and_margin(s, t, refusal);
	window(s, caj->run_now, finish_by_ms, t, refusal);
	if (s->critical)
		t->at_once_reason = "Critical";
	if (caj->run_now)
		t->at_once_reason = "RunNow";
	if (t->latest_start_ms != TIME_NONE)
		t->spread_ms =
			(int64_t)(str_fnv1a(str_from(caj->obj.meta.uid)) % (CAJ_MAX_SPREAD_MS / SECOND_MS)) * SECOND_MS;
}
