/* SPDX-License-Identifier: Apache-2.0 */
/* Grid data through the sink into the database and back: on SQLite and PostgreSQL. */
#include "db_fixture.h"

#include "db/thread.h"
#include "grid/history.h"

#define T0 INT64_C(1760000400000) /* a slot border */
#define FETCHED (T0 + 5 * MINUTE_MS)

static const struct grid_basis no_basis;
static const struct grid_basis regional = { "average", "direct", "consumption", "regional" };

static struct grid_sample sample(const char *provider, const char *zone, enum grid_metric metric, int slot,
				 int32_t value)
{
	return (struct grid_sample){ .provider = provider,
				     .zone = zone,
				     .metric = metric,
				     .basis = metric == GRID_CARBON ? regional : no_basis,
				     .start_ms = T0 + slot * SLOT_MS,
				     .duration_ms = SLOT_MS,
				     .value = value,
				     .kind = GRID_KIND_FORECAST,
				     .issued_ms = T0,
				     .fetched_ms = FETCHED };
}

static int add_line(void *arg, const struct grid_sample *s)
{
	(void)buf_addf(arg, "%s %s %d %" PRId64 " %d %s %s %d\n", s->provider, s->zone, (int)s->metric,
		       (s->start_ms - T0) / SLOT_MS, s->value, grid_kind_name(s->kind), s->basis.resolution, s->flags);
	return 0;
}

static void has(struct fixture *f, const char *zone, enum grid_metric metric, const char *provider, const char *wanted)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT(4096);

	OK(grid_history_each(f->db, zone, metric, provider, T0, T0 + 100 * SLOT_MS, add_line, &text, err));
	assert_string_equal(text.len ? buf_cstr(&text) : "", wanted);
}

static void put(struct fixture *f, struct grid_sample s)
{
	OK(grid_history_put(f->db, &s, 1, err));
}

static void zones_are_named_as_regions_are(void **state)
{
	static const struct {
		const char *provider, *zone, *name;
	} cases[] = {
		{ "carbonintensity-gb", "13", "london" },    { "carbonintensity-gb", "national", "gb" },
		{ "carbonintensity-gb", "16", "scotland" },  { "octopus-agile", "C", "london" },
		{ "octopus-agile", "_P", "north-scotland" }, { "carbonintensity-gb", "london", "london" },
	};
	struct fixture *f = *state;
	char name[GRID_NAME_MAX];

	OK(db_migrate(f->db, NULL, err));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		OK(grid_history_zone(f->db, cases[i].provider, cases[i].zone, name, err));
		assert_string_equal(name, cases[i].name);
	}
}

static void every_metric_comes_back_as_it_went(void **state)
{
	struct fixture *f = *state;
	char wanted[128];

	OK(db_migrate(f->db, NULL, err));
	for (int m = 0; m < GRID_METRICS; m++)
		put(f, sample("carbonintensity-gb", "13", (enum grid_metric)m, 1, 100 + m));
	for (int m = 0; m < GRID_METRICS; m++) {
		(void)snprintf(wanted, sizeof(wanted), "carbonintensity-gb london %d 1 %d forecast %s 0\n", m, 100 + m,
			       m == GRID_CARBON ? "regional" : "");
		has(f, "london", (enum grid_metric)m, "carbonintensity-gb", wanted);
		has(f, "london", (enum grid_metric)m, "octopus-agile", "");
		has(f, "yorkshire", (enum grid_metric)m, NULL, "");
	}
}

static void a_worse_value_never_replaces_a_better_one(void **state)
{
	struct fixture *f = *state;
	struct grid_sample s = sample("carbonintensity-gb", "13", GRID_CARBON, 1, 1000);

	OK(db_migrate(f->db, NULL, err));
	s.kind = GRID_KIND_ESTIMATED;
	put(f, s);
	s.kind = GRID_KIND_FORECAST;
	s.issued_ms += SLOT_MS;
	s.value = 2000;
	put(f, s);
	has(f, "london", GRID_CARBON, NULL, "carbonintensity-gb london 0 1 1000 estimated regional 0\n");
	s.kind = GRID_KIND_ACTUAL;
	s.flags = GRID_FLAG_CLAMPED;
	put(f, s);
	has(f, "london", GRID_CARBON, NULL, "carbonintensity-gb london 0 1 2000 actual regional 1\n");
}

/* ---- the sink ---- */

static struct grid_series *series(int n)
{
	struct grid_series *s = xcalloc(1, sizeof(*s));

	*s = (struct grid_series){ .metric = GRID_CARBON, .zone = "13", .issued_ms = T0, .start_ms = T0, .n = n };
	for (int i = 0; i < n; i++)
		s->value[i] = i == 3 ? GRID_UNKNOWN : 1000 * i;
	return s;
}

static int add_vintage(void *arg, const struct grid_vintage *v)
{
	(void)buf_addf(arg, "%s %" PRId64 " %d:", v->provider, (v->issued_ms - T0) / SLOT_MS, v->n);
	for (int i = 0; i < v->n; i++)
		(void)buf_addf(arg, " %d", v->value[i] == GRID_UNKNOWN ? -1 : v->value[i]);
	(void)buf_adds(arg, "\n");
	return 0;
}

static void take_all(struct grid_sink *sink)
{
	struct grid_sample samples[2000];
	struct grid_moment moment = { .zone = "13",
				      .start_ms = T0,
				      .n_mix = 2,
				      .mix = { { "wind", 700, GRID_UNKNOWN }, { "gas", 300, GRID_UNKNOWN } } };
	_cleanup_free_ struct grid_series *s = series(6);

	for (size_t i = 0; i < ARRAY_LEN(samples); i++)
		samples[i] = sample("carbonintensity-gb", "13", GRID_CARBON, (int)i, (int32_t)i);
	sink->samples(sink->arg, samples, ARRAY_LEN(samples));
	sink->moment(sink->arg, &grid_carbonintensity_gb, &moment, FETCHED);
	sink->vintage(sink->arg, &grid_carbonintensity_gb, s, &regional, FETCHED);
	sink->attempt(sink->arg, &(struct grid_attempt){ .provider = "carbonintensity-gb",
							 .request = "regional",
							 .result = "ok",
							 .reason = "",
							 .at_ms = FETCHED,
							 .bytes = 700000,
							 .http_status = 200 });
}

static void what_the_sink_takes_is_in_the_database(void **state)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT(4096);
	struct fixture *f = *state;
	struct db_thread *thread;

	OK(db_thread_new(f->url, &thread, err));
	for (int round = 0; round < 3; round++) { /* the same again changes nothing */
		struct grid_history *h = grid_history_new(thread);
		struct grid_sink sink = grid_history_sink(h);

		take_all(&sink);
		grid_history_free(h);
	}
	db_thread_free(thread);
	assert_int_equal(fixture_i64(f->db, "SELECT count(*) FROM carbon_intensity"), 2000);
	assert_int_equal(fixture_i64(f->db, "SELECT count(*) FROM generation_mix"), 2);
	assert_int_equal(fixture_i64(f->db, "SELECT sum(share_permille) FROM generation_mix"), 1000);
	assert_int_equal(fixture_i64(f->db, "SELECT n_bytes FROM provider_call"), 700000);
	OK(grid_history_each_vintage(f->db, "london", GRID_CARBON, NULL, T0, T0 + SLOT_MS, add_vintage, &text, err));
	assert_string_equal(buf_cstr(&text), "carbonintensity-gb 0 6: 0 1000 2000 -1 4000 5000\n");
}

struct answer {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	int n_calls;
	size_t n;
	struct grid_past last;
	bool failed;
};

static void on_past(void *arg, const struct grid_past *past, size_t n, const struct error *err)
{
	struct answer *a = arg;

	MUTEX_GUARD(&a->mutex);
	a->n_calls++;
	a->n = n;
	a->failed = err != NULL;
	if (n)
		a->last = past[n - 1];
	(void)pthread_cond_signal(&a->cond);
}

static void the_reader_gives_the_past(void **state)
{
	struct answer a = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, { 0 }, false };
	struct fixture *f = *state;
	struct db_thread *thread;
	struct grid_history *h;

	OK(db_thread_new(f->url, &thread, err));
	h = grid_history_new(thread);
	struct grid_sink sink = grid_history_sink(h);
	struct grid_history_reader reader = grid_history_reader(h);
	take_all(&sink);
	reader.read(reader.arg, "carbonintensity-gb", "13", GRID_CARBON, T0, T0 + 10 * SLOT_MS, on_past, &a);
	(void)pthread_mutex_lock(&a.mutex);
	while (!a.n_calls)
		(void)pthread_cond_wait(&a.cond, &a.mutex);
	(void)pthread_mutex_unlock(&a.mutex);
	assert_false(a.failed);
	assert_int_equal(a.n, 10);
	assert_int_equal(a.last.value, 9);
	grid_history_free(h);
	db_thread_free(thread);
	assert_int_equal(a.n_calls, 1);
}

static void without_a_database_nothing_happens(void **state)
{
	(void)state;
	assert_null(grid_history_sink(NULL).samples);
	assert_null(grid_history_reader(NULL).read);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DB_TEST(zones_are_named_as_regions_are),
		DB_TEST(every_metric_comes_back_as_it_went),
		DB_TEST(a_worse_value_never_replaces_a_better_one),
		DB_TEST(what_the_sink_takes_is_in_the_database),
		DB_TEST(the_reader_gives_the_past),
		DB_TEST(without_a_database_nothing_happens),
	};

	return fixture_run("history", tests, ARRAY_LEN(tests));
}
