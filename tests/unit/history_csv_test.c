/* SPDX-License-Identifier: Apache-2.0 */
/* CSV shapes: what each row means, what is refused, and the way into a database: on SQLite and PostgreSQL. */
#include "db_fixture.h"

#include "grid/history_csv.h"

static struct csv *csv_of(const char *text)
{
	FILE *f = tmpfile();
	struct csv *csv = NULL;

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	rewind(f);
	OK(csv_read(f, "t.csv", &csv, err));
	return csv;
}

static void add(struct buf *out, const struct grid_sample *s)
{
	char start[TIME_TEXT], issued[TIME_TEXT];

	(void)buf_addf(out, "%s %s %s %s %" PRId64 "m %d %s %s %s%s\n", s->provider, s->zone,
		       grid_metric_name(s->metric), time_format(s->start_ms, start), s->duration_ms / MINUTE_MS,
		       s->value, grid_kind_name(s->kind), time_format(s->issued_ms, issued), s->basis.scope,
		       s->basis.resolution);
}

/* All samples as text, or the error. */
static void read_all(const char *shape, const char *zone, const char *text, struct buf *out)
{
	_cleanup_(cleanup_csv) struct csv *csv = csv_of(text);
	_cleanup_(cleanup_history_csv) struct history_csv *h = NULL;
	struct error err = ERROR_INIT;
	struct grid_sample s;
	int got = history_csv_new(csv, history_shape_find(shape), zone, 0, &h, &err);

	while (got >= 0 && (got = history_csv_next(h, &s, &err)) > 0)
		add(out, &s);
	if (got < 0)
		(void)buf_addf(out, "%s\n", err.msg);
}

static void each_shape_means_what_it_says(void **state)
{
	static const struct {
		const char *shape, *zone, *text, *wanted;
	} cases[] = {
		{ "gb-carbon", NULL,
		  "time_utc,actual_g_per_kwh,index\n2023-01-01T00:00Z,91.5,low\n2023-01-01T00:30Z,,\n",
		  "carbonintensity-gb national carbon 2023-01-01T00:00:00Z 30m 91500 actual 2023-01-01T00:00:00Z "
		  "directnational\n" },
		{ "gb-agile", "C", "time_utc,p_per_kwh_inc_vat\n2023-01-01T00:00Z,-1.05\n",
		  "octopus-agile C price 2023-01-01T00:00:00Z 30m -10500 actual 2023-01-01T00:00:00Z \n" },
		/* The end of a period. */
		{ "elexon", NULL,
		  "period_end_utc,system_price_gbp_mwh,market_index_price_gbp_mwh\n2023-01-01T00:30Z,-8.07,62.48\n",
		  "elexon GB system-price 2023-01-01T00:00:00Z 30m -8070 actual 2023-01-01T00:00:00Z \n"
		  "elexon GB wholesale 2023-01-01T00:00:00Z 30m 62480 actual 2023-01-01T00:00:00Z \n" },
		{ "neso-regional", NULL, "time_utc,North Scotland,London\n2023-02-09T07:00Z,0,298\n",
		  "neso north-scotland carbon 2023-02-09T07:00:00Z 30m 0 estimated 2023-02-09T07:00:00Z "
		  "directregional\n"
		  "neso london carbon 2023-02-09T07:00:00Z 30m 298000 estimated 2023-02-09T07:00:00Z "
		  "directregional\n" },
		{ "neso-issued", NULL,
		  "issued_utc,target_utc,forecast_g_per_kwh\n2023-03-14T12:01Z,2023-03-14T13:00Z,93\n",
		  "carbonintensity-gb national carbon 2023-03-14T13:00:00Z 30m 93000 forecast 2023-03-14T12:01:00Z "
		  "directnational\n" },
		{ "carbonx", "DE",
		  "time_utc,ci_direct_g_per_kwh,ci_lifecycle_g_per_kwh,carbon_free_pct,renewable_pct,estimated\n"
		  "2021-01-01T00:00Z,450.9,528.24,49.97,29.22,True\n",
		  "electricity-maps DE carbon 2021-01-01T00:00:00Z 60m 450900 estimated 2021-01-01T00:00:00Z "
		  "directzone\n"
		  "electricity-maps DE carbon 2021-01-01T00:00:00Z 60m 528240 estimated 2021-01-01T00:00:00Z "
		  "lifecyclezone\n"
		  "electricity-maps DE low-carbon 2021-01-01T00:00:00Z 60m 500 estimated 2021-01-01T00:00:00Z \n"
		  "electricity-maps DE renewable 2021-01-01T00:00:00Z 60m 292 estimated 2021-01-01T00:00:00Z \n" },
		/* A blank for the T, with an offset and without. */
		{ "ensembleci", "DE", ",UTC time,carbon_intensity\n0,2020-01-01 00:00:00+00:00,354.59\n",
		  "entsoe DE carbon 2020-01-01T00:00:00Z 60m 354590 actual 2020-01-01T00:00:00Z directzone\n" },
		{ "open-meteo", "london",
		  "time,temperature_2m,wind_speed_10m,shortwave_radiation\n2022-11-25 00:00:00,-1.5,3.6,NaN\n",
		  "open-meteo london temperature 2022-11-25T00:00:00Z 60m -1500 actual 2022-11-25T00:00:00Z \n"
		  "open-meteo london wind-speed 2022-11-25T00:00:00Z 60m 1000 actual 2022-11-25T00:00:00Z \n" },
		/* What is wrong, with line and column. */
		{ "gb-agile", NULL, "time_utc,p_per_kwh_inc_vat\n",
		  "shape gb-agile: --zone must say of which place\n" },
		{ "gb-agile", "C/..", "time_utc,p_per_kwh_inc_vat\n",
		  "zone must be 1 to 63 letters, digits, '-', '_' or '.', is \"C/..\"\n" },
		{ "gb-carbon", NULL, "time_utc,actual_g_per_kwh\n2023-13-01T00:00Z,1\n",
		  "t.csv:2: column 'time_utc': must be a time like 2023-02-09T07:00:00Z, is '2023-13-01T00:00Z'\n" },
		{ "gb-carbon", NULL, "time_utc,actual_g_per_kwh\n2023-01-01T00:00Z,3e9\n",
		  "t.csv:2: column 'actual_g_per_kwh': 3e+09 is out of bounds\n" },
		{ "neso-regional", NULL, "time_utc,Atlantis\n", "t.csv:1: column 'Atlantis': is no zone of neso\n" },
		/* No column with values at all. */
		{ "neso-regional", NULL, "time_utc\n2023-01-01T00:00Z\n", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(buf_release) struct buf out = BUF_INIT(4096);

		read_all(cases[i].shape, cases[i].zone, cases[i].text, &out);
		assert_string_equal(buf_cstr(&out), cases[i].wanted);
	}
}

static const char own_header[] = "provider,zone,metric,start_time,duration_seconds,value,unit,kind,issued_time,"
				 "fetched_time,flags,accounting,scope,boundary,resolution\n";

static void an_export_is_read_strictly(void **state)
{
	static const struct {
		const char *row, *wanted;
	} cases[] = {
		{ "elexon,gb,wholesale,2023-01-01T00:00:00Z,1800,62480,micros/kWh,actual,2023-01-01T00:00:00Z,"
		  "2026-11-21T07:15:44.073000Z,0,,,,",
		  "elexon gb wholesale 2023-01-01T00:00:00Z 30m 62480 actual 2023-01-01T00:00:00Z \n" },
		{ "nobody,gb,wholesale,2023-01-01T00:00:00Z,1800,1,micros/kWh,actual,2023-01-01T00:00:00Z,"
		  "2023-01-01T00:00:00Z,0,,,,",
		  "t.csv:2: column 'provider': there is no such provider\n" },
		{ "elexon,gb,wholesale,2023-01-01T00:00:00Z,1800,1,g/"
		  "kWh,actual,2023-01-01T00:00:00Z,2023-01-01T00:00:00Z,0,,,,",
		  "t.csv:2: column 'unit': must be micros/kWh\n" },
		{ "elexon,gb,wholesale,2023-01-01T00:00:00Z,0,1,micros/"
		  "kWh,actual,2023-01-01T00:00:00Z,2023-01-01T00:00:00Z,0,,,,",
		  "t.csv:2: column 'duration_seconds': must be a whole number from 1 to 2678400, is '0'\n" },
		{ "elexon,g/b,wholesale,2023-01-01T00:00:00Z,1800,1,micros/kWh,actual,2023-01-01T00:00:00Z,"
		  "2023-01-01T00:00:00Z,0,,,,",
		  "t.csv:2: column 'zone': is not the name of a zone\n" },
		{ "elexon,gb,wholesale,2023-01-01T00:00:00Z,1800,1,micros/"
		  "kWh,actual,2023-01-01T00:00:00Z,2023-01-01T00:00:00Z,256,,,,",
		  "t.csv:2: column 'flags': must be a whole number from 0 to 255, is '256'\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(buf_release) struct buf out = BUF_INIT(4096);
		_cleanup_free_ char *text = xasprintf("%s%s\n", own_header, cases[i].row);

		read_all("loadshift", NULL, text, &out);
		assert_string_equal(buf_cstr(&out), cases[i].wanted);
	}
}

static int64_t import(struct db *db, const char *text, const char *error)
{
	_cleanup_(cleanup_csv) struct csv *csv = csv_of(text);
	_cleanup_(cleanup_history_csv) struct history_csv *h = NULL;
	int64_t n = -1;

	OK(history_csv_new(csv, history_shape_find("gb-carbon"), NULL, 1000, &h, err));
	if (error)
		FAILS(ERR_INVALID, error, history_import(db, h, NULL, NULL, &n, err));
	else
		OK(history_import(db, h, NULL, NULL, &n, err));
	return n;
}

/* Whole chunks before the bad row stay, and the rest of the file comes with the next try, nothing twice. */
static void an_import_goes_on_where_it_failed(void **state)
{
	struct fixture *f = *state;
	_cleanup_(buf_release) struct buf text = BUF_INIT(4 << 20);
	size_t bad;
	char when[TIME_TEXT];

	OK(db_migrate(f->db, NULL, err));
	(void)buf_adds(&text, "time_utc,actual_g_per_kwh\n");
	for (int i = 0; i < HISTORY_CHUNK + 10; i++)
		(void)buf_addf(&text, "%s,%d\n", time_format(i * SLOT_MS, when), i % 500);
	bad = text.len;
	(void)buf_adds(&text, "soon,1\n");
	assert_int_equal(import(f->db, buf_cstr(&text), "t.csv:4012: column 'time_utc'"), HISTORY_CHUNK);
	assert_int_equal(fixture_i64(f->db, "SELECT count(*) FROM carbon_intensity"), HISTORY_CHUNK);
	text.len = bad;
	text.ptr[bad] = '\0';
	assert_int_equal(import(f->db, buf_cstr(&text), NULL), HISTORY_CHUNK + 10);
	assert_int_equal(import(f->db, buf_cstr(&text), NULL), HISTORY_CHUNK + 10);
	assert_int_equal(fixture_i64(f->db, "SELECT count(*) FROM carbon_intensity"), HISTORY_CHUNK + 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_shape_means_what_it_says),
		cmocka_unit_test(an_export_is_read_strictly),
		DB_TEST(an_import_goes_on_where_it_failed),
	};

	return fixture_run("history csv", tests, ARRAY_LEN(tests));
}
