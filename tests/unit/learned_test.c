/* SPDX-License-Identifier: Apache-2.0 */
/* How long the next run of a template takes, from those before it: objects, database, and the timing of a job. */
#include "db_fixture.h"

#include "api/carbonawarejob.h"
#include "controller/learned.h"
#include "decide/timing.h"

#define T0 INT64_C(1767225600000)

static int64_t learned_minutes(struct learned *l, const char *namespace, const char *hash)
{
	int64_t ms = -MINUTE_MS;

	return learned_duration(l, namespace, hash, &ms) ? ms / MINUTE_MS : -1;
}

static void nothing_is_known_of_others(void **state)
{
	_cleanup_(cleanup_learned) struct learned *l = learned_new();

	(void)state;
	learned_add(l, "a", "h", "u1", T0, T0 + 90 * SECOND_MS);
	assert_int_equal(learned_minutes(l, "a", "h"), 2); /* whole minutes, up */
	assert_int_equal(learned_minutes(l, "b", "h"), -1);
	assert_int_equal(learned_minutes(l, "a", "g"), -1);
	assert_int_equal(learned_minutes(l, "a", NULL), -1);
	learned_add(l, "a", "g", "u2", T0, T0);
	assert_int_equal(learned_minutes(l, "a", "g"), -1); /* no time at all is no run */
}

static void nine_in_ten_take_no_longer(void **state)
{
	_cleanup_(cleanup_learned) struct learned *l = learned_new();
	char uid[16];

	(void)state;
	for (int i = 1; i <= 40; i++) {
		(void)snprintf(uid, sizeof(uid), "u%d", i);
		learned_add(l, "a", "h", uid, T0 + i * HOUR_MS, T0 + i * HOUR_MS + (i % 10 ? 10 : 30) * MINUTE_MS);
		learned_add(l, "a", "h", uid, T0 + i * HOUR_MS, T0 + i * HOUR_MS + DAY_MS); /* known already */
	}
	assert_in_range(learned_minutes(l, "a", "h"), 10, 30);
	/* Long runs that are older than all that is kept are forgotten; those that end later count. */
	learned_add(l, "a", "h", "early", T0 - DAY_MS, T0 - DAY_MS + 300 * MINUTE_MS);
	for (int i = 0; i < 64; i++) {
		(void)snprintf(uid, sizeof(uid), "v%d", i);
		learned_add(l, "a", "h", uid, T0 + 90 * HOUR_MS, T0 + 90 * HOUR_MS + (5 * 60 + i / 2) * SECOND_MS);
	}
	assert_int_equal(learned_minutes(l, "a", "h"), 6);
	learned_add(l, "a", "h", "late", T0, T0 + 80 * HOUR_MS);
	assert_int_equal(learned_minutes(l, "a", "h"), 6); /* ended before them */
}

static const struct object *caj(const char *uid, const char *status)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT(8192);
	const struct object *o = NULL;

	(void)buf_addf(
		&text,
		"{\"metadata\":{\"namespace\":\"a\",\"name\":\"%s\",\"uid\":\"%s\"},\"spec\":{\"maxDelaySeconds\":"
		"86400,\"jobTemplate\":{\"spec\":{\"activeDeadlineSeconds\":7200,\"template\":{\"spec\":{"
		"\"containers\":["
		"{\"name\":\"c\",\"image\":\"i\"}],\"restartPolicy\":\"Never\"}}}}},\"status\":%s}",
		uid, uid, status);
	OK(object_parse(&carbonawarejob_type, buf_str(&text), &o, err));
	return o;
}

/* Two runs of half an hour with a pause in between. */
#define RUNS                                                                                                      \
	"\"templateHash\":\"h\",\"runs\":[{\"region\":\"london\",\"jobUID\":\"j\",\"pods\":1,\"startTime\":"      \
	"\"2026-01-01T00:00:00Z\",\"endTime\":\"2026-01-01T00:30:00Z\"},{\"region\":\"london\",\"jobUID\":\"j\"," \
	"\"pods\":1,"                                                                                             \
	"\"startTime\":\"2026-01-01T05:00:00Z\",\"endTime\":\"2026-01-01T05:30:00Z\"}]"

static void complete_objects_teach(void **state)
{
	_cleanup_(cleanup_learned) struct learned *l = learned_new();
	const struct object *running = caj("u", "{" RUNS "}");
	const struct object *failed = caj("f", "{" RUNS ",\"conditions\":[{\"type\":\"Failed\",\"status\":\"True\"}]}");
	const struct object *done = caj("u", "{" RUNS ",\"conditions\":[{\"type\":\"Complete\",\"status\":\"True\"}]}");

	(void)state;
	learned_on_caj(l, NULL, running);
	learned_on_caj(l, NULL, failed);
	learned_on_caj(l, done, NULL);
	assert_int_equal(learned_minutes(l, "a", "h"), -1);
	learned_on_caj(l, running, done);
	assert_int_equal(learned_minutes(l, "a", "h"), 60);
	object_unref(running);
	object_unref(failed);
	object_unref(done);
}

static void the_database_teaches(void **state)
{
	static const char rows[] =
		"INSERT INTO workload (uid, cluster, namespace, name, template_hash, home_region, state, urgency, "
		"created_ms, updated_ms, started_ms, finished_ms, currency) VALUES "
		"('u1', '', 'a', 'n1', 'h', '', 'Succeeded', 'Normal', 0, 0, 1000, 2400000, ''), "
		"('u2', '', 'a', 'n2', 'h', '', 'Failed', 'Normal', 0, 0, 1000, 99000000, ''), "
		"('u3', '', 'a', 'n3', '', '', 'Succeeded', 'Normal', 0, 0, 1000, 99000000, ''), "
		"('u4', '', 'a', 'n4', 'h', '', 'Succeeded', 'Normal', 0, 0, NULL, 99000000, '')";
	_cleanup_(cleanup_learned) struct learned *l = learned_new();
	struct fixture *f = *state;
	struct db_thread *db;

	OK(db_migrate(f->db, NULL, err));
	OK(db_script(f->db, rows, err));
	OK(db_thread_new(f->url, &db, err));
	learned_read(l, db);
	db_thread_free(db); /* after what is queued */
	assert_int_equal(learned_minutes(l, "a", "h"), 40);
}

static struct caj_timing timing(const char *status, int64_t learned_ms)
{
	const struct object *o = caj("t", status);
	struct caj_refusal refusal;
	struct caj_timing t;

	caj_timing_learned(carbonawarejob_of(o), T0, TIME_NONE, learned_ms, &t, &refusal);
	if (refusal.reason)
		fail_msg("%s", refusal.message);
	object_unref(o);
	return t;
}

/* What is learnt stands in for spec.expectedDurationSeconds, is bounded by activeDeadlineSeconds, and stays. */
static void a_job_goes_by_what_is_learnt(void **state)
{
	struct caj_timing t = timing("{}", TIME_NONE);

	(void)state;
	assert_int_equal(t.duration_ms, 7200 * SECOND_MS);
	assert_int_equal(t.learned_ms, TIME_NONE);
	t = timing("{}", 30 * MINUTE_MS);
	assert_int_equal(t.duration_ms, 30 * MINUTE_MS);
	assert_int_equal(t.learned_ms, 30 * MINUTE_MS);
	assert_int_equal(t.latest_start_ms, T0 + DAY_MS);
	t = timing("{}", 3 * HOUR_MS);
	assert_int_equal(t.duration_ms, 2 * HOUR_MS);
	t = timing("{\"learnedDurationSeconds\":1200}", 30 * MINUTE_MS);
	assert_int_equal(t.duration_ms, 20 * MINUTE_MS);
	t = timing("{\"learnedDurationSeconds\":-5}", TIME_NONE);
	assert_int_equal(t.duration_ms, 7200 * SECOND_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DB_TEST(nothing_is_known_of_others),   DB_TEST(nine_in_ten_take_no_longer),
		DB_TEST(complete_objects_teach),       DB_TEST(the_database_teaches),
		DB_TEST(a_job_goes_by_what_is_learnt),
	};

	return fixture_run("learned", tests, ARRAY_LEN(tests));
}
