/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Planning round and caj_decide() together, minute by minute, against a Job that does its work while it may: what
 * becomes of a job from its submission to its end when nothing goes wrong.
 */
#include "base/rand.h"
#include "decide/pause.h"
#include "decide/round.h"
#include "decide_fixture.h"

#define BEGIN "2023-02-09T10:00:00Z"
#define SLOTS 48
#define PLAIN ",\"homeRegion\":\"london\",\"powerWattsPerPod\":1000,\"expectedDurationSeconds\":7200"
#define BY(deadline) ",\"deadline\":\"2023-02-09T" deadline ":00Z\""
#define PAUSES ",\"interrupt\":{\"minRunSeconds\":900}"

/* What is seen and done. */
static struct story {
	int64_t now_ms;
	const struct carbonawarejob *caj;
	struct job job;
	struct plan_entry *entry;
	struct translate_config config;
	const struct gridregion *regions[2];
	const struct node *nodes[2];
	struct grid_view view;
	int64_t work_ms, needs_ms;
	int64_t pods_since;
	const char *log;
	int n_writes;
} s;

static struct gridregion *region(const char *name, const int *grams, int n)
{
	struct gridregion *r = arena_new(&fixture.arena, struct gridregion);
	struct grid_source *source = arena_new(&fixture.arena, struct grid_source);
	int32_t *carbon = arena_array(&fixture.arena, SLOTS, int32_t);

	*r = *gridregion_of(parsed(&gridregion_type,
				   arena_printf(&fixture.arena, "{\"metadata\":{\"name\":\"%s\"},\"spec\":{}}", name)));
	for (int i = 0; i < SLOTS; i++)
		carbon[i] = 1000 * grams[i % n];
	*source = (struct grid_source){ .metric = "carbon", .fetched_ms = at(BEGIN) };
	r->forecast =
		(struct grid_forecast){ .start_ms = at(BEGIN), .slot_ms = SLOT_MS, .n = SLOTS, .carbon_p50 = carbon };
	r->sources = source;
	r->n_sources = 1;
	r->basis = (struct grid_basis){ "average", "direct", "consumption", "regional" };
	return r;
}

static void tell(const char *what, const char *more)
{
	char text[TIME_TEXT];

	s.log = arena_printf(&fixture.arena, "%s%s%.5s %s%s", s.log, *s.log ? ", " : "",
			     time_format(s.now_ms, text) + 11, what, more);
}

static void annotate(const char *key, const char *value)
{
	struct pairs *old = &s.job.obj.meta.annotations;
	struct pair *items = arena_array(&fixture.arena, old->len + 1, struct pair);
	size_t n = 0;

	for (size_t i = 0; i < old->len && strcmp(old->items[i].key, key) < 0; i++)
		items[n++] = old->items[i];
	items[n++] = (struct pair){ key, value };
	for (size_t i = 0; i < old->len; i++) {
		if (strcmp(old->items[i].key, key) > 0)
			items[n++] = old->items[i];
	}
	*old = (struct pairs){ items, n };
}

static void set_suspend(bool suspend)
{
	static struct condition suspended = { "Suspended", CONDITION_TRUE, "JobSuspended", "", 0, 0 };

	s.job.suspend = suspend;
	s.job.conditions = (struct conditions){ &suspended, suspend };
	s.job.start_ms = suspend ? TIME_NONE : s.now_ms;
	s.pods_since = s.job.start_ms;
}

static void view_now(void)
{
	int n = s.regions[1] ? 2 : 1;

	grid_view_init(&s.view, &s.config, s.now_ms, s.regions, n, s.nodes, (size_t)n, &fixture.arena);
}

static void round_now(void)
{
	struct caj_refusal refusal = { 0 };
	struct round_job j = { .caj = s.caj, .job = &s.job, .earlier = s.entry };
	static uint64_t version;

	caj_timing(s.caj, at(BEGIN), TIME_NONE, &j.timing, &refusal);
	assert_null(refusal.reason);
	j.timing.spread_ms = 0;
	if (!caj_is_pending(s.caj, &s.job) && !caj_may_replan(s.caj, &s.job))
		return;
	round_plan(&(struct round_input){ .view = &s.view, .grid_version = ++version, .jobs = &j, .n_jobs = 1 },
		   &fixture.arena);
	if (s.entry)
		plan_entry_unref(s.entry);
	s.entry = j.entry;
}

static void carry_out(const struct caj_decision *d)
{
	const struct caj_status *status = &s.caj->status;
	char text[TIME_TEXT];

	s.n_writes++;
	switch (d->action) {
	case CAJ_WRITE_STATUS:
		s.caj = written(s.caj, d);
		return;
	case CAJ_RELEASE_JOB:
		annotate(ANNOTATION_RELEASED, arena_strdup(&fixture.arena, time_format(status->released_ms, text)));
		set_suspend(false);
		if (s.caj->spec.scale.set)
			s.job.parallelism = status->ledger.parallelism;
		annotate(ANNOTATION_PARALLELISM, arena_printf(&fixture.arena, "%d", s.job.parallelism));
		tell("runs in ", arena_printf(&fixture.arena, "%s x%d", status->ledger.region, s.job.parallelism));
		return;
	case CAJ_PAUSE_JOB:
		annotate(ANNOTATION_PAUSED, arena_strdup(&fixture.arena, time_format(status->paused_ms, text)));
		set_suspend(true);
		tell("pauses", "");
		return;
	case CAJ_SCALE_JOB:
		s.job.parallelism = status->ledger.parallelism;
		annotate(ANNOTATION_PARALLELISM, arena_printf(&fixture.arena, "%d", s.job.parallelism));
		tell("x", arena_printf(&fixture.arena, "%d", s.job.parallelism));
		return;
	default:
		fail_msg("unexpected: %s", caj_action_name(d->action));
	}
}

/* Until nothing is left to do. */
static void decide_now(void)
{
	for (int i = 0; i < 9; i++) {
		struct caj_observed *o = arena_new(&fixture.arena, struct caj_observed);
		struct caj_decision d;

		round_now();
		*o = (struct caj_observed){ .now_ms = s.now_ms,
					    .caj = s.caj,
					    .job = &s.job,
					    .plan = s.entry,
					    .can_plan = true,
					    .grid = &s.view,
					    .job_finished_ms = TIME_NONE,
					    .job_started_ms = s.job.start_ms,
					    .job_suspended_ms = TIME_NONE,
					    .last_checkpoint_ms = TIME_NONE,
					    .pods = { .running = !s.job.suspend, .running_since_ms = s.pods_since } };
		caj_timing(s.caj, at(BEGIN), TIME_NONE, &o->timing, &o->refusal);
		o->timing.spread_ms = 0;
		caj_decide(o, &fixture.arena, &d);
		if (d.action == CAJ_NOTHING)
			return;
		carry_out(&d);
	}
	fail_msg("it does not come to rest: %s", s.log);
}

/* The whole life, by what was done to the Job. */
static const char *story(const char *spec, int max_pods, const int *london, int n_london, const int *wales, int n_wales)
{
	s = (struct story){ .log = "",
			    .now_ms = at(BEGIN),
			    .needs_ms = 2 * HOUR_MS,
			    .pods_since = TIME_NONE,
			    .config = { .max_forecast_age_ms = DAY_MS, .carbon_error_mg_per_kwh = 20000 } };
	s.regions[0] = region("london", london, n_london);
	s.regions[1] = wales ? region("wales", wales, n_wales) : NULL;
	for (int i = 0; i < 2; i++)
		s.nodes[i] = node_of(
			parsed(&node_type,
			       arena_printf(&fixture.arena,
					    "{\"metadata\":{\"name\":\"n%d\",\"labels\":{\"loadshift.io/region\":"
					    "\"%s\"}},\"status\":{\"allocatable\":{\"cpu\":\"99\"},\"conditions\":["
					    "{\"type\":\"Ready\",\"status\":\"True\"}]}}",
					    i, i ? "wales" : "london")));
	s.caj = caj_of("", spec, "{}");
	assert_null(s.caj->bad_spec);
	s.job = *job_with(true, "", arena_printf(&fixture.arena, ",\"parallelism\":%d", max_pods), "");
	set_suspend(true);
	for (; s.work_ms < s.needs_ms && s.now_ms < at(BEGIN) + 20 * HOUR_MS; s.now_ms += MINUTE_MS) {
		view_now();
		decide_now();
		if (!s.job.suspend)
			s.work_ms += MINUTE_MS * s.job.parallelism / max_pods;
	}
	tell("done", "");
	struct caj_progress p;
	caj_progress(s.caj, &s.job, s.now_ms, &p);
	/* What is saved before a pause is not work. */
	int64_t saved_ms = s.caj->status.ledger.interruptions * s.caj->spec.interrupt.checkpoint_ms;
	assert_in_range(p.done_ms, s.needs_ms - saved_ms - 5 * MINUTE_MS, s.needs_ms + 5 * MINUTE_MS);
	if (s.entry)
		plan_entry_unref(s.entry);
	s.entry = NULL;
	return s.log;
}

static const int TIDES[] = { 50, 50, 600, 600, 600, 600 };

static void it_pauses_through_the_dirty_hours(void **state)
{
	(void)state;
	assert_string_equal(story(PLAIN PAUSES BY("19:00"), 1, TIDES, 6, NULL, 0),
			    "10:00 runs in london x1, 11:00 pauses, 13:00 runs in london x1, 14:00 done");
	/* Not worth it; and not allowed. */
	static const int calm[] = { 50, 50, 60, 60, 60, 60 };
	assert_string_equal(story(PLAIN PAUSES BY("19:00"), 1, calm, 6, NULL, 0),
			    "10:00 runs in london x1, 12:00 done");
	assert_null(strstr(story(PLAIN BY("19:00"), 1, TIDES, 6, NULL, 0), "pauses"));
	assert_true(s.n_writes < 12);
}

static void it_moves_to_where_it_is_clean(void **state)
{
	static const int first[] = { 50,  50,  50,  700, 700, 700, 700, 700, 700, 700, 700, 700,
				     700, 700, 700, 700, 700, 700, 700, 700, 700, 700, 700, 700 };
	static const int then[] = { 700, 700, 700, 700, 700, 700, 50,  50,  700, 700, 700, 700,
				    700, 700, 700, 700, 700, 700, 700, 700, 700, 700, 700, 700 };

	(void)state;
	assert_string_equal(
		story(PLAIN PAUSES BY("19:00") ",\"relocate\":{\"regions\":[\"wales\"]}", 1, first, 24, then, 24),
		"10:00 runs in london x1, 11:30 pauses, 13:00 runs in wales x1, 13:30 done");
	assert_int_equal(s.caj->status.ledger.moves, 1);
}

static void it_runs_with_fewer_pods_while_it_is_dirty(void **state)
{
	static const int dip[] = { 50, 50, 600, 600, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50,
				   50, 50, 50,  50,  50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50 };

	(void)state;
	assert_string_equal(story(PLAIN BY("13:20") ",\"scale\":{\"maxParallelism\":4}", 4, dip, 32, NULL, 0),
			    "10:00 runs in london x4, 11:00 x1, 12:00 x4, 12:45 done");
}

/* Whatever the forecast: in time, with no more pauses than allowed, and with few writes. */
static void random_lives_end_in_time(void **state)
{
	uint64_t rng = 7;
	int pauses = 0, moves = 0, scales = 0;

	for (int n = 0; n < 150; n++) {
		int london[SLOTS], wales[SLOTS], pods = n % 3 == 2 ? 4 : 1, most = 1 + n % 4;

		fixture_teardown(state);
		fixture_setup(state);
		for (int i = 0; i < SLOTS; i++) {
			bool changes = i == 0 || rand_next(&rng) % 3 == 0;

			london[i] = changes ? 20 + (int)(rand_next(&rng) % 600) : london[i - 1];
			wales[i] = changes ? 20 + (int)(rand_next(&rng) % 600) : wales[i - 1];
		}
		int64_t deadline = at(BEGIN) + 5 * HOUR_MS + (int64_t)(rand_next(&rng) % 540) * MINUTE_MS;
		char text[TIME_TEXT];
		const char *spec = arena_printf(
			&fixture.arena,
			PLAIN ",\"deadline\":\"%s\",\"interrupt\":{\"minRunSeconds\":900,\"maxInterruptions\":%d,"
			      "\"checkpointSeconds\":%d}%s%s",
			time_format(deadline, text), most, n % 2 * 120,
			n % 3 == 1 ? ",\"relocate\":{\"regions\":[\"wales\"]}" : "",
			pods > 1 ? ",\"scale\":{\"maxParallelism\":4}" : "");
		const char *log = story(spec, pods, london, SLOTS, wales, SLOTS);
		if (s.now_ms > deadline || s.caj->status.ledger.interruptions > most || s.n_writes > 60)
			fail_msg("%d: until %s, %d writes: %s", n, time_format(deadline, text), s.n_writes, log);
		pauses += s.caj->status.ledger.interruptions;
		moves += s.caj->status.ledger.moves;
		scales += strstr(log, " x1") && strstr(log, " x4");
	}
	(void)printf("%d pauses, %d moves, %d lives with fewer pods\n", pauses, moves, scales);
	assert_true(pauses > 30 && moves > 3 && scales > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_pauses_through_the_dirty_hours),
		TEST(it_moves_to_where_it_is_clean),
		TEST(it_runs_with_fewer_pods_while_it_is_dirty),
		TEST(random_lives_end_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
