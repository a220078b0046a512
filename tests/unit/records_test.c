/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs and nodes as rows, again and again and out of order: on SQLite and PostgreSQL. */
#include "db_fixture.h"

#include "api/carbonawarejob.h"
#include "api/gridregion.h"
#include "controller/records_rows.h"
#include "k8s/types/node.h"

#define T0 INT64_C(1760000400000) /* 2025-10-09T09:00:00Z */

static const struct object *parse(const struct object_type *type, const char *text)
{
	const struct object *o = NULL;

	OK(object_parse(type, str_from(text), &o, err));
	return o;
}

/* A job with that plan; state: what its condition Ready says. */
static const struct object *job(const char *plan_id, const char *state, const char *more)
{
	_cleanup_free_ char *text = xasprintf(
		"{\"metadata\":{\"name\":\"j\",\"namespace\":\"team\",\"uid\":\"u1\",\"resourceVersion\":\"1\","
		"\"creationTimestamp\":\"2025-10-09T08:00:00Z\"},"
		"\"spec\":{\"expectedDurationSeconds\":3600,\"limits\":{\"maxCarbonGramsPerKWh\":{\"value\":100,"
		"\"enforcement\":\"Soft\"}}},"
		"\"status\":{\"planID\":\"%s\",\"home\":\"london\",\"currency\":\"GBP\",\"latestStartTime\":"
		"\"2025-10-09T18:00:00Z\",\"explanation\":\"it is greener then\","
		"\"plan\":{\"segments\":[{\"region\":\"london\",\"startTime\":\"2025-10-09T12:00:00Z\",\"endTime\":"
		"\"2025-10-09T13:00:00Z\",\"parallelism\":1}],\"expected\":{\"energyMilliWattHours\":50000,"
		"\"carbonMilligrams\":2500,\"cost\":\"0.01\"}},"
		"\"baseline\":{\"rule\":\"run-at-once-at-home\",\"region\":\"london\",\"startTime\":"
		"\"2025-10-09T08:00:00Z\",\"expected\":{\"carbonMilligrams\":9000}},"
		"\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\",\"reason\":\"%s\"},{\"type\":\"Planned\","
		"\"status\":\"True\",\"reason\":\"Chosen\"}%s]}}",
		plan_id, state, more);

	return parse(&carbonawarejob_type, text);
}

static const struct object *node(const char *ready)
{
	_cleanup_free_ char *text = xasprintf(
		"{\"metadata\":{\"name\":\"n1\",\"uid\":\"n1\",\"resourceVersion\":\"1\",\"labels\":"
		"{\"loadshift.io/region\":\"london\"},\"annotations\":{\"loadshift.io/idle-watts\":\"80.5\","
		"\"loadshift.io/peak-watts\":\"300\"}},\"status\":{\"allocatable\":{\"cpu\":\"4\",\"memory\":\"8Gi\"},"
		"\"conditions\":[{\"type\":\"Ready\",\"status\":\"%s\"}]}}",
		ready);

	return parse(&node_type, text);
}

static struct store *regions(void)
{
	struct store *s = store_new(10);
	const struct object *london =
		parse(&gridregion_type,
		      "{\"metadata\":{\"name\":\"london\",\"uid\":\"r\",\"resourceVersion\":\"1\"},"
		      "\"status\":{\"forecast\":{\"startTime\":\"2025-10-09T09:00:00Z\",\"slotSeconds\":1800,"
		      "\"issuedTime\":\"2025-10-09T08:31:00Z\",\"carbonP50\":[1,2]}}}");

	store_put(s, london, NULL, NULL);
	object_unref(london);
	return s;
}

/* Takes over the reference. */
static void put(struct fixture *f, const struct object *o, int64_t at_ms, bool gone)
{
	static const struct clock real = { 0, 1 };
	struct record r = { o, at_ms, gone };
	struct store *s = regions();

	OK(records_write(f->db, &real, s, &r, 1, err));
	store_free(s);
	object_unref(o);
}

static void has(struct fixture *f, const char *sql, const char *wanted)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT(4096);
	_cleanup_(db_rows_end) struct db_rows rows = { 0 };
	int more;

	OK(db_query(f->db, sql, DB_NO_VALUES, &rows, err));
	do {
		struct error err = ERROR_INIT;

		more = db_next(&rows, &err);
		for (int i = 0; more > 0 && i < rows.n_columns; i++) {
			if (db_is_null(&rows, i))
				(void)buf_addf(&text, "- ");
			else if (db_type_of(&rows, i) == DB_TYPE_TEXT)
				(void)buf_addf(&text, "%.*s ", STR_FMT(db_text(&rows, i)));
			else
				(void)buf_addf(&text, "%" PRId64 " ", db_i64(&rows, i));
		}
		if (more > 0)
			(void)buf_adds(&text, "\n");
	} while (more > 0);
	assert_string_equal(buf_cstr(&text), wanted);
}

#define SCHEDULE                                                                                                     \
	"SELECT plan_id, decided_ms - 1760000400000, region, start_ms - 1760000400000, energy_milliwatt_hours, "     \
	"carbon_mg, cost_micros, baseline_carbon_mg, baseline_cost_micros, data_issued_ms - 1760000400000, reason, " \
	"explanation FROM schedule ORDER BY decided_ms"
#define REST " london 10800000 50000 2500 10000 9000 - -1740000 Chosen it is greener then \n"

static void a_decision_is_there_once(void **state)
{
	struct fixture *f = *state;

	OK(db_migrate(f->db, NULL, err));
	put(f, job("p1", "Deferred", ""), T0, false);
	put(f, job("p1", "Deferred", ""), T0, false);
	put(f, job("p1", "Running", ""), T0 + 1000, false); /* the same plan, later */
	has(f, SCHEDULE, "p1 0" REST);
	put(f, job("p2", "Deferred", ""), T0 + 2000, false);
	put(f, job("p1", "Deferred", ""), T0 + 1500, false); /* late: it was so before p2 */
	has(f, SCHEDULE, "p1 0" REST "p2 2000" REST);
	put(f, job("p1", "Deferred", ""), T0 + 3000, false); /* back to the first */
	has(f, SCHEDULE, "p1 0" REST "p2 2000" REST "p1 3000" REST);
}

#define WORKLOAD                                                                                           \
	"SELECT namespace, name, state, home_region, urgency, created_ms - 1760000400000, updated_ms - "   \
	"1760000400000, "                                                                                  \
	"latest_start_ms - 1760000400000, expected_duration_ms, power_milliwatts, max_carbon_mg_per_kwh, " \
	"max_price_micros_per_kwh, finished_ms - 1760000400000, currency FROM workload"

static void a_workload_is_as_it_was_last(void **state)
{
	struct fixture *f = *state;

	OK(db_migrate(f->db, NULL, err));
	put(f, job("p1", "Deferred", ""), T0 + 1000, false);
	put(f, job("p1", "Pending", ""), T0, false);
	has(f, WORKLOAD, "team j Deferred london Normal -3600000 1000 32400000 3600000 50000 100000 - - GBP \n");
	put(f,
	    job("p1", "Succeeded",
		",{\"type\":\"Complete\",\"status\":\"True\",\"lastTransitionTime\":\"2025-10-09T09:00:05Z\"}"),
	    T0 + 9000, false);
	has(f, WORKLOAD, "team j Succeeded london Normal -3600000 9000 32400000 3600000 50000 100000 - 5000 GBP \n");
	/* Earlier runs teach later ones, whether their objects are still there or not. */
	put(f,
	    job("p1", "Succeeded",
		",{\"type\":\"Complete\",\"status\":\"True\",\"lastTransitionTime\":\"2025-10-09T09:00:05Z\"}"),
	    T0 + 9500, true);
	has(f, "SELECT state, finished_ms - 1760000400000 FROM workload", "Succeeded 5000 \n");
}

static void what_went_away_is_no_longer_open(void **state)
{
	struct fixture *f = *state;

	OK(db_migrate(f->db, NULL, err));
	put(f, job("p1", "Deferred", ""), T0, false);
	put(f, job("p1", "Deferred", ""), T0 + 1000, true);
	has(f, "SELECT state, finished_ms - 1760000400000 FROM workload", "Deleted 1000 \n");
	/* Its deletion was missed. */
	has(f, "SELECT count(*) FROM workload WHERE finished_ms IS NULL", "0 \n");
	put(f, job("p1", "Deferred", ""), T0 + 2000, false);
	put(f, node("True"), T0 + 2000, false);
	OK(records_sweep(f->db, T0 + 2000, err));
	has(f, "SELECT state, ready FROM workload, compute_asset", "Deferred 1 \n");
	OK(records_sweep(f->db, T0 + 2001, err));
	has(f, "SELECT state, ready, finished_ms - 1760000400000 FROM workload, compute_asset", "Deleted 0 2001 \n");
}

static void a_node_is_an_asset(void **state)
{
	struct fixture *f = *state;

	OK(db_migrate(f->db, NULL, err));
	put(f, node("True"), T0, false);
	put(f, node("False"), T0 + 1000, false);
	put(f, node("True"), T0 + 500, false);
	has(f,
	    "SELECT node, region, cpu_millicores, memory_bytes, gpus, idle_milliwatts, peak_milliwatts, ready, "
	    "first_seen_ms - 1760000400000, updated_ms - 1760000400000 FROM compute_asset",
	    "n1 london 4000 8589934592 0 80500 300000 0 0 1000 \n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DB_TEST(a_decision_is_there_once),
		DB_TEST(a_workload_is_as_it_was_last),
		DB_TEST(what_went_away_is_no_longer_open),
		DB_TEST(a_node_is_an_asset),
	};

	return fixture_run("records", tests, ARRAY_LEN(tests));
}
