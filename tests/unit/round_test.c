/* SPDX-License-Identifier: Apache-2.0 */
/* The planning round: plans in segments that stand and are replaced, and jobs that collide. */
#include "decide_fixture.h"

#include "base/rand.h"
#include "decide/round.h"

#define NOW "2023-02-09T10:00:00Z"
#define SLOTS 48
#define MAX_JOBS 16

static struct translate_config config;
static struct grid_view view;
static struct round_job jobs[MAX_JOBS];
static size_t n_jobs;
static int64_t now_ms;
static uint64_t version;

/* g/kWh of each slot from 10:00 on; the last one goes on. */
static struct gridregion *region(const char *name, const char *spec, const int *grams, int n)
{
	struct gridregion *r = arena_new(&fixture.arena, struct gridregion);
	struct grid_source *source = arena_new(&fixture.arena, struct grid_source);
	int32_t *carbon = arena_array(&fixture.arena, SLOTS, int32_t);

	*r = *gridregion_of(
		parsed(&gridregion_type,
		       arena_printf(&fixture.arena, "{\"metadata\":{\"name\":\"%s\"},\"spec\":{%s}}", name, spec)));
	for (int i = 0; i < SLOTS; i++)
		carbon[i] = 1000 * grams[MIN(i, n - 1)];
	*source = (struct grid_source){ .metric = "carbon", .fetched_ms = at(NOW) };
	r->forecast =
		(struct grid_forecast){ .start_ms = at(NOW), .slot_ms = SLOT_MS, .n = SLOTS, .carbon_p50 = carbon };
	r->sources = source;
	r->n_sources = 1;
	r->basis = (struct grid_basis){ "average", "direct", "consumption", "regional" };
	return r;
}

static const struct node *node(const char *name, const char *cpu)
{
	return node_of(
		parsed(&node_type,
		       arena_printf(&fixture.arena,
				    "{\"metadata\":{\"name\":\"n-%s\",\"labels\":{\"loadshift.io/region\":\"%s\"}},"
				    "\"status\":{\"allocatable\":{\"cpu\":\"%s\",\"memory\":\"1000Gi\"},"
				    "\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}",
				    name, name, cpu)));
}

static void look(const struct gridregion *const *regions, int n, const char *cpu)
{
	const struct node *nodes[4];

	config = (struct translate_config){ .max_forecast_age_ms = DAY_MS, .carbon_error_mg_per_kwh = 20000 };
	for (int i = 0; i < n; i++)
		nodes[i] = node(regions[i]->obj.meta.name, cpu);
	now_ms = at(NOW);
	grid_view_init(&view, &config, now_ms, regions, n, nodes, (size_t)n, &fixture.arena);
}

/* Time goes on; the forecast stays, or becomes another one. */
static void look_again(const struct gridregion *const *regions, int n, const char *cpu, const char *when)
{
	look(regions, n, cpu);
	const struct node *nodes[4];
	for (int i = 0; i < n; i++)
		nodes[i] = node(regions[i]->obj.meta.name, cpu);
	now_ms = at(when);
	grid_view_init(&view, &config, now_ms, regions, n, nodes, (size_t)n, &fixture.arena);
}

#define ONE_CORE \
	",\"template\":{\"spec\":{\"containers\":[{\"name\":\"m\",\"resources\":{\"requests\":{\"cpu\":\"1\"}}}]}}"
#define AT_HOME ",\"homeRegion\":\"london\",\"weights\":{\"carbon\":100,\"cost\":0,\"delay\":0}"
#define WATTS ",\"powerWattsPerPod\":1000" AT_HOME
#define HALF_THE_WATTS ",\"powerWattsPerPod\":500" AT_HOME
#define TWO_HOURS ",\"expectedDurationSeconds\":7200,\"safetyMarginSeconds\":0"
#define ONE_HOUR ",\"expectedDurationSeconds\":3600,\"safetyMarginSeconds\":0"
#define PAUSES ",\"interrupt\":{}"
#define BY(deadline) ",\"deadline\":\"2023-02-09T" deadline ":00Z\""

static const struct job *suspended(void)
{
	return job_with(true, "", ONE_CORE, "");
}

static struct round_job *add(const char *uid, const char *spec, const char *status, const struct job *job)
{
	struct carbonawarejob *caj = arena_new(&fixture.arena, struct carbonawarejob);
	struct round_job *j = &jobs[n_jobs++];
	struct caj_refusal refusal = { 0 };

	*caj = *caj_of("", spec, status);
	assert_null(caj->bad_spec);
	caj->obj.meta.uid = uid;
	*j = (struct round_job){ .caj = caj, .job = job };
	caj_timing(caj, at(NOW), TIME_NONE, &j->timing, &refusal);
	assert_null(refusal.reason);
	j->timing.spread_ms = 0;
	return j;
}

static void plan(void)
{
	for (size_t i = 0; i < n_jobs; i++) {
		if (jobs[i].earlier)
			plan_entry_unref(jobs[i].earlier);
		jobs[i].earlier = jobs[i].entry;
		jobs[i].entry = NULL;
	}
	round_plan(&(struct round_input){ .view = &view, .grid_version = ++version, .jobs = jobs, .n_jobs = n_jobs },
		   &fixture.arena);
}

static int round_teardown(void **state)
{
	for (size_t i = 0; i < n_jobs; i++) {
		if (jobs[i].earlier)
			plan_entry_unref(jobs[i].earlier);
		if (jobs[i].entry)
			plan_entry_unref(jobs[i].entry);
	}
	memset(jobs, 0, sizeof(jobs));
	n_jobs = 0;
	return fixture_teardown(state);
}

/* "10:00-11:00 london x1, ..." */
static const char *parts(const struct round_job *j)
{
	const char *text = "";

	assert_non_null(j->entry);
	for (int i = 0; i < j->entry->plan.n_segments; i++) {
		const struct caj_segment *s = &j->entry->plan.segments[i];
		char from[TIME_TEXT], to[TIME_TEXT];

		text = arena_printf(&fixture.arena, "%s%s%.5s-%.5s %s x%d", text, i ? ", " : "",
				    time_format(s->start_ms, from) + 11, time_format(s->end_ms, to) + 11, s->region,
				    s->parallelism);
	}
	return text;
}

/* Clean for an hour, dirty for two, clean again. */
static const int dip[] = { 100, 100, 400, 400, 400, 400, 100, 100, 400 };

static void it_pauses_while_the_grid_is_dirty(void **state)
{
	const struct gridregion *list[] = { region("london", "", dip, ARRAY_LEN(dip)) };

	(void)state;
	look(list, 1, "64");
	struct round_job *j = add("a", WATTS TWO_HOURS PAUSES BY("20:00"), "{}", suspended());
	struct round_job *block = add("b", WATTS TWO_HOURS BY("20:00"), "{}", suspended());
	plan();
	assert_string_equal(parts(j), "10:00-11:00 london x1, 13:00-14:00 london x1");
	assert_string_equal(j->entry->explanation,
			    "starts 2023-02-09T10:00Z, in 2 parts until 2023-02-09T14:00Z in "
			    "london: 100 g/kWh over the run instead of 250 g/kWh at once in london");
	assert_int_equal(j->entry->baseline.expected.carbon_milligrams, 500000);
	/* A kilowatt for two hours at 100 g, and a restart: a minute of it. */
	assert_int_equal(j->entry->plan.expected.energy_milliwatt_hours, 2016666);
	assert_int_equal(block->entry->plan.n_segments, 1);
}

static void parts_are_spread_like_blocks(void **state)
{
	static const int later[] = { 400, 400, 100, 100, 400, 400, 400, 400, 100, 100, 400 };
	const struct gridregion *list[] = { region("london", "", later, ARRAY_LEN(later)) };

	(void)state;
	look(list, 1, "64");
	struct round_job *j = add("a", WATTS TWO_HOURS PAUSES BY("20:00"), "{}", suspended());
	struct round_job *short_of_time = add("b", WATTS TWO_HOURS PAUSES BY("15:02"), "{}", suspended());
	j->timing.spread_ms = short_of_time->timing.spread_ms = 300 * SECOND_MS;
	plan();
	assert_string_equal(parts(j), "11:05-12:05 london x1, 14:05-15:05 london x1");
	assert_string_equal(parts(short_of_time), "11:02-12:02 london x1, 14:02-15:02 london x1");
	plan();
	assert_string_equal(parts(j), "11:05-12:05 london x1, 14:05-15:05 london x1");
}

static void a_plan_in_parts_stands_until_the_gain_exceeds_the_noise(void **state)
{
	static const int little[] = { 100, 115, 400, 400, 400, 400, 100, 100, 400 };
	static const int much[] = { 100, 100, 400, 400, 400, 400, 300, 300, 10, 10, 400 };
	const struct gridregion *list[] = { region("london", "", dip, ARRAY_LEN(dip)) };
	const struct gridregion *same[] = { region("london", "", little, ARRAY_LEN(little)) };
	const struct gridregion *other[] = { region("london", "", much, ARRAY_LEN(much)) };

	(void)state;
	look(list, 1, "64");
	struct round_job *j = add("a", WATTS TWO_HOURS PAUSES BY("20:00"), "{}", suspended());
	j->timing.earliest_ms = at("2023-02-09T10:30:00Z");
	plan();
	const char *first = parts(j);
	look(same, 1, "64");
	plan();
	assert_string_equal(parts(j), first);
	look(other, 1, "64");
	plan();
	assert_string_not_equal(parts(j), first);
	assert_non_null(strstr(parts(j), "13:30-15:00 london"));
}

#define STATUS_BEGUN                                                                                               \
	"\"home\":\"london\",\"plan\":{\"segments\":["                                                             \
	"{\"region\":\"london\",\"startTime\":\"2023-02-09T10:00:00Z\",\"endTime\":\"2023-02-09T11:00:00Z\","      \
	"\"parallelism\":1},{\"region\":\"london\",\"startTime\":\"2023-02-09T13:00:00Z\","                        \
	"\"endTime\":\"2023-02-09T14:00:00Z\",\"parallelism\":1}],\"expected\":{\"energyMilliWattHours\":2016666," \
	"\"carbonMilligrams\":201666}}"

/* What status says of a job that began at ten, as its encoder has it; paused at eleven, or not. */
static const char *begun(bool paused)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT(CAJ_MAX_STATUS);
	struct error err = ERROR_INIT;
	struct caj_status s;

	caj_status_copy(&caj_of("", "", "{" STATUS_BEGUN "}")->status, &fixture.arena, &s);
	s.released_ms = at(NOW);
	s.paused_ms = paused ? at("2023-02-09T11:00:00Z") : TIME_NONE;
	s.ledger = (struct caj_ledger){ .begun = true,
					.work_ms = paused ? HOUR_MS : 0,
					.since_ms = paused ? TIME_NONE : at(NOW),
					.region = "london",
					.parallelism = 1,
					.interruptions = paused };
	assert_int_equal(caj_status_encode(&s, &text, &err), 0);
	return arena_strdup(&fixture.arena, buf_cstr(&text));
}

static void what_has_begun_stays_and_the_rest_is_planned_anew(void **state)
{
	static const int later[] = { 100, 100, 400, 400, 400, 400, 400, 400, 10, 10, 400 };
	const struct gridregion *list[] = { region("london", "", dip, ARRAY_LEN(dip)) };
	const struct gridregion *other[] = { region("london", "", later, ARRAY_LEN(later)) };

	(void)state;
	look_again(list, 1, "64", "2023-02-09T10:30:00Z");
	struct round_job *runs =
		add("a", WATTS TWO_HOURS PAUSES BY("20:00"), begun(false), job_with(false, "", ONE_CORE, ""));
	plan();
	assert_string_equal(parts(runs), "10:00-11:00 london x1, 13:00-14:00 london x1");
	assert_int_equal(runs->entry->plan.expected.carbon_milligrams, 201666); /* as it was: it stands */
	look_again(other, 1, "64", "2023-02-09T10:30:00Z");
	plan();
	assert_string_equal(parts(runs), "10:00-11:00 london x1, 14:00-15:00 london x1");
	assert_true(runs->entry->plan.expected.carbon_milligrams < 201666 - 80000);

	struct round_job *paused = add("b", WATTS TWO_HOURS PAUSES BY("20:00"), begun(true), suspended());
	look_again(other, 1, "64", "2023-02-09T11:30:00Z");
	plan();
	assert_string_equal(parts(paused), "10:00-11:00 london x1, 14:00-15:00 london x1");
}

static void a_paused_job_resumes_in_time(void **state)
{
	static const int rising[] = { 100, 100, 300, 300, 400, 400, 400, 400, 400 };
	const struct gridregion *list[] = { region("london", "", rising, ARRAY_LEN(rising)) };

	(void)state;
	look_again(list, 1, "64", "2023-02-09T11:30:00Z");
	struct round_job *j = add("a", WATTS TWO_HOURS PAUSES BY("13:00"), begun(true), suspended());
	plan();
	/* The plan that stood would end at two. */
	assert_int_equal(j->entry->plan.n_segments, 2);
	assert_true(j->entry->plan.segments[1].end_ms <= at("2023-02-09T13:00:00Z"));
	assert_string_equal(parts(j), "10:00-11:00 london x1, 11:30-12:30 london x1");
}

static void it_moves_once_if_it_may(void **state)
{
	static const int falls[] = { 400, 400, 400, 400, 50, 50, 50 }, rises[] = { 50, 50, 50, 50, 400, 400, 400 };
	const struct gridregion *list[] = { region("london", "", rises, ARRAY_LEN(rises)),
					    region("wales", "", falls, ARRAY_LEN(falls)) };

	(void)state;
	look(list, 2, "64");
	struct round_job *j = add("a",
				  WATTS ",\"relocate\":{\"regions\":[\"wales\"]},\"expectedDurationSeconds\":12600,"
					"\"safetyMarginSeconds\":0" PAUSES BY("14:30"),
				  "{}", suspended());
	plan();
	assert_int_equal(j->entry->plan.n_segments, 2);
	assert_string_equal(j->entry->plan.segments[0].region, "london");
	assert_string_equal(j->entry->plan.segments[1].region, "wales");
	assert_non_null(strstr(j->entry->explanation, "in london, then wales: "));
}

static void it_scales_with_the_grid(void **state)
{
	static const int grams[] = { 300, 100, 300, 300 };
	const struct gridregion *list[] = { region("london", "", grams, ARRAY_LEN(grams)) };

	(void)state;
	look(list, 1, "64");
	struct round_job *j =
		add("a", WATTS ONE_HOUR ",\"scale\":{\"minParallelism\":1,\"maxParallelism\":4}" BY("12:00"), "{}",
		    suspended());
	plan();
	assert_string_equal(parts(j), "10:00-11:00 london x4");
	n_jobs = 0;
	plan_entry_unref(j->entry);
	/* With diminishing returns few pods for long are better than many for short. */
	j = add("b",
		WATTS ONE_HOUR
		",\"scale\":{\"minParallelism\":1,\"maxParallelism\":4,\"speedup\":[1,1.6,1.9,2]}" BY("12:00"),
		"{}", suspended());
	plan();
	assert_true(j->entry->plan.n_segments >= 2);
	assert_non_null(strstr(j->entry->explanation, " pods until "));
	double work = 0;
	static const double speed[] = { 0, 1, 1.6, 1.9, 2 };
	for (int i = 0; i < j->entry->plan.n_segments; i++) {
		const struct caj_segment *s = &j->entry->plan.segments[i];
		work += speed[s->parallelism] * (double)(s->end_ms - s->start_ms);
	}
	assert_true(work >= 2 * (double)HOUR_MS * 0.9999);
}

/* The first in order of latest start would take the only clean hour, from which the other would gain more. */
static void jobs_that_collide_are_placed_together(void **state)
{
	static const int grams[] = { 400, 60, 10, 10, 400 };
	const struct gridregion *list[] = { region("london", "\"powerLimit\":{\"watts\":1000,\"enforcement\":\"Hard\"}",
						   grams, ARRAY_LEN(grams)) };

	(void)state;
	look(list, 1, "64");
	struct round_job *little =
		add("a", HALF_THE_WATTS ",\"expectedDurationSeconds\":1800,\"safetyMarginSeconds\":0" BY("13:00"), "{}",
		    suspended());
	struct round_job *large = add("b", WATTS ONE_HOUR BY("14:00"), "{}", suspended());
	plan();
	assert_string_equal(parts(large), "11:00-12:00 london x1");
	assert_string_equal(parts(little), "10:30-11:00 london x1");
}

static void nodes_are_a_limit_too(void **state)
{
	static const int grams[] = { 400, 400, 10, 10, 100, 100, 400, 400 };
	const struct gridregion *list[] = { region("london", "", grams, ARRAY_LEN(grams)) };

	(void)state;
	look(list, 1, "1");
	struct round_job *a = add("a", WATTS ONE_HOUR BY("15:00"), "{}", suspended());
	struct round_job *b = add("b", WATTS ONE_HOUR BY("15:00"), "{}", suspended());
	plan();
	assert_true(a->entry->plan.segments[0].start_ms != b->entry->plan.segments[0].start_ms);
	assert_int_equal(a->entry->plan.segments[0].start_ms + b->entry->plan.segments[0].start_ms,
			 at("2023-02-09T11:00:00Z") + at("2023-02-09T12:00:00Z"));
}

static void nodes_that_cannot_hold_half_send_nobody_away(void **state)
{
	static const int grams[] = { 400, 400, 10, 10, 400 };
	const struct gridregion *list[] = { region("london", "", grams, ARRAY_LEN(grams)) };

	(void)state;
	look(list, 1, "1");
	for (int i = 0; i < 5; i++)
		(void)add(arena_printf(&fixture.arena, "%d", i), WATTS ONE_HOUR BY("12:00"), "{}", suspended());
	plan();
	for (int i = 0; i < 5; i++)
		assert_string_equal(parts(&jobs[i]), "11:00-12:00 london x1");
}

static void releases_do_not_stampede(void **state)
{
	static const int grams[] = { 400, 400, 10, 20, 30, 400 };
	const struct gridregion *list[] = { region("london", "", grams, ARRAY_LEN(grams)) };
	int64_t seen[3];

	(void)state;
	look(list, 1, "64");
	config.max_releases_per_slot = 1;
	for (int i = 0; i < 3; i++)
		(void)add(arena_printf(&fixture.arena, "%d", i),
			  WATTS ",\"expectedDurationSeconds\":1800,\"safetyMarginSeconds\":0" BY("15:00"), "{}",
			  suspended());
	plan();
	for (int i = 0; i < 3; i++) {
		seen[i] = jobs[i].entry->plan.segments[0].start_ms;
		for (int k = 0; k < i; k++)
			assert_int_not_equal(seen[i], seen[k]);
	}
}

/* 0 .. n - 1 */
static int below(uint64_t *r, int n)
{
	return (int)(rand_next(r) % (uint64_t)n);
}

static const char *random_spec(uint64_t *r)
{
	static const char *const form[] = { "", PAUSES, ",\"scale\":{\"minParallelism\":1,\"maxParallelism\":3}",
					    PAUSES ",\"scale\":{\"minParallelism\":2,\"maxParallelism\":3}" };
	int minutes = 30 + below(r, 300);

	return arena_printf(&fixture.arena,
			    WATTS ",\"expectedDurationSeconds\":%d,\"safetyMarginSeconds\":0,\"maxDelaySeconds\":%d,"
				  "\"relocate\":{\"regions\":[\"wales\"]}%s",
			    minutes * 60, below(r, 12 * 3600), form[below(r, ARRAY_LEN(form))]);
}

/* Whatever the forecast: nobody starts after the latest start, ends after the deadline, or is forgotten. */
static void check_all(void)
{
	for (size_t i = 0; i < n_jobs; i++) {
		const struct round_job *j = &jobs[i];
		const struct caj_plan *p = &j->entry->plan;
		int64_t work_ms = 0;

		assert_true(p->n_segments >= 1 && p->n_segments <= CAJ_MAX_SEGMENTS);
		assert_true(p->segments[0].start_ms <= j->timing.latest_start_ms);
		assert_true(p->segments[0].start_ms >= now_ms);
		assert_true(p->segments[p->n_segments - 1].end_ms <= j->timing.deadline_ms);
		for (int k = 0; k < p->n_segments; k++) {
			const struct caj_segment *s = &p->segments[k];

			assert_true(s->end_ms > s->start_ms);
			assert_true(k == 0 || s->start_ms >= p->segments[k - 1].end_ms);
			work_ms += caj_work_ms(&j->caj->spec, s->parallelism, s->end_ms - s->start_ms);
		}
		assert_true(work_ms >= j->timing.duration_ms - SECOND_MS);
	}
}

static void no_plan_is_late_whatever_the_forecast(void **state)
{
	uint64_t r = 7;

	(void)state;
	for (int round = 0; round < 200; round++) {
		const struct gridregion *list[2];
		int grams[2][SLOTS];

		for (int z = 0; z < 2; z++) {
			for (int i = 0; i < SLOTS; i++)
				grams[z][i] = below(&r, 500);
			list[z] =
				region(z ? "wales" : "london",
				       round % 3 == 0 ? "\"powerLimit\":{\"watts\":4000,\"enforcement\":\"Soft\"}" : "",
				       grams[z], SLOTS);
		}
		look(list, 2, round % 2 ? "64" : "3");
		for (int i = 0; i < 6; i++)
			(void)add(arena_printf(&fixture.arena, "%d", i), random_spec(&r), "{}", suspended());
		plan();
		check_all();
		assert_int_equal(round_teardown(state), 0);
		assert_int_equal(fixture_setup(state), 0);
	}
}

#define ROUND_TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, round_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROUND_TEST(it_pauses_while_the_grid_is_dirty),
		ROUND_TEST(parts_are_spread_like_blocks),
		ROUND_TEST(a_plan_in_parts_stands_until_the_gain_exceeds_the_noise),
		ROUND_TEST(what_has_begun_stays_and_the_rest_is_planned_anew),
		ROUND_TEST(a_paused_job_resumes_in_time),
		ROUND_TEST(it_moves_once_if_it_may),
		ROUND_TEST(it_scales_with_the_grid),
		ROUND_TEST(jobs_that_collide_are_placed_together),
		ROUND_TEST(nodes_are_a_limit_too),
		ROUND_TEST(nodes_that_cannot_hold_half_send_nobody_away),
		ROUND_TEST(releases_do_not_stampede),
		ROUND_TEST(no_plan_is_late_whatever_the_forecast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
