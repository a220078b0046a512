/* SPDX-License-Identifier: Apache-2.0 */
/* GridRegion: decoding, hostile input, round trip of the status, nodes to regions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "api/gridregion.h"
#include "base/buf.h"

#define MAX_TEXT ((size_t)1024 * 1024)

static const struct gridregion *decode(const char *text)
{
	const struct object *o = NULL;
	struct error err = ERROR_INIT;

	if (object_parse(&gridregion_type, str_from(text), &o, &err))
		fail_msg("%s", err.msg);
	return gridregion_of(o);
}

static const char full[] =
	"{\"metadata\":{\"name\":\"london\",\"generation\":3},\"spec\":{\"displayName\":\"London\",\"group\":\"gb\","
	"\"nodeSelector\":{\"site\":\"lon\"},\"cloudRegions\":[\"eu-west-2\",\"uksouth\"],\"carbon\":{\"chain\":["
	"{\"provider\":\"carbonintensity-gb\",\"zone\":\"13\"},{\"provider\":\"carbonintensity-gb\",\"zone\":"
	"\"national\"}]},"
	"\"price\":{\"chain\":[{\"provider\":\"octopus-agile\",\"product\":\"AGILE-24-10-01\",\"zone\":\"C\"}]},"
	"\"powerLimit\":{\"watts\":5000,\"enforcement\":\"Hard\"},\"costBasis\":\"Shadow\",\"capacity\":\"OnDemand\"},"
	"\"status\":{\"now\":{\"carbonMilligramsPerKWh\":141000,\"pricePerKWhMicros\":-21000,\"renewablePerMille\":243,"
	"\"lowCarbonPerMille\":403,\"index\":\"moderate\"},\"confidencePerMille\":900,\"carbonErrorMilligramsPerKWh\":"
	"17500,\"stressPerMille\":112,"
	"\"stressCause\":\"demand\",\"forecast\":{\"startTime\":\"2026-05-06T09:00:00Z\",\"slotSeconds\":1800,"
	"\"issuedTime\":\"2026-05-06T09:00:00Z\",\"carbonP50\":[141000,0,null],\"priceP50\":[-21000],"
	"\"renewable\":[243,250,null]},\"recent\":{\"startTime\":\"2026-05-06T08:00:00Z\",\"carbon\":[120000,130000],"
	"\"price\":[null,5],\"kind\":[\"actual\",\"forecast\"]},\"mix\":[{\"fuel\":\"wind\",\"perMille\":125}],"
	"\"basis\":{\"accounting\":\"average\",\"scope\":\"direct\",\"boundary\":\"consumption\",\"resolution\":"
	"\"regional\"},"
	"\"sources\":[{\"metric\":\"carbon\",\"use\":\"fallback\",\"kind\":\"forecast\",\"confidencePerMille\":900,"
	"\"attribution\":\"NESO\",\"licence\":\"CC BY "
	"4.0\",\"provider\":\"carbonintensity-gb\",\"zone\":\"13\",\"issuedTime\":"
	"\"2026-05-06T09:00:00Z\",\"fetchedTime\":\"2026-05-06T09:03:00Z\"},{\"metric\":\"price\",\"provider\":"
	"\"octopus-agile\",\"zone\":\"C\",\"product\":\"AGILE-24-10-01\",\"note\":\"household shape "
	"proxy\",\"currency\":\"GBP\"}],"
	"\"conditions\":[{\"type\":\"Fresh\",\"status\":\"True\",\"reason\":\"UpToDate\",\"message\":\"m\","
	"\"lastTransitionTime\":"
	"\"2026-05-06T09:00:00Z\",\"observedGeneration\":3},{\"type\":\"PlaceShiftDisabled\",\"status\":\"True\","
	"\"reason\":"
	"\"BasisDiffers\"}]}}";

static int64_t at(const char *text)
{
	int64_t ms = 0;

	assert_true(time_parse(str_from(text), &ms));
	return ms;
}

static void check_full(const struct gridregion *r)
{
	int64_t nine = at("2026-05-06T09:00Z");

	assert_int_equal(r->now.low_carbon_permille, 403);
	assert_int_equal(r->confidence_permille, 900);
	assert_int_equal(r->carbon_error_mg_per_kwh, 17500);
	assert_int_equal(gridregion_carbon_error(r, 20000), 19444);
	assert_int_equal(r->stress_permille, 112);
	assert_string_equal(r->stress_cause, "demand");
	assert_string_equal(r->sources[0].use, "fallback");
	assert_string_equal(r->sources[0].kind, "forecast");
	assert_int_equal(r->sources[0].confidence_permille, 900);
	assert_string_equal(r->sources[0].attribution, "NESO");
	assert_string_equal(r->sources[0].licence, "CC BY 4.0");
	assert_int_equal(r->sources[1].confidence_permille, GRID_UNKNOWN);
	assert_int_equal(r->now.carbon_mg_per_kwh, 141000);
	assert_int_equal(r->now.price_micros_per_kwh, -21000);
	assert_string_equal(r->now.index, "moderate");
	assert_int_equal(r->forecast.n, 3);
	assert_int_equal(grid_forecast_at(&r->forecast, r->forecast.carbon_p50, nine + SLOT_MS), 0);
	assert_int_equal(grid_forecast_at(&r->forecast, r->forecast.carbon_p50, nine + 2 * SLOT_MS), GRID_UNKNOWN);
	assert_int_equal(grid_forecast_at(&r->forecast, r->forecast.carbon_p50, nine - 1), GRID_UNKNOWN);
	assert_int_equal(grid_forecast_at(&r->forecast, r->forecast.carbon_p50, INT64_MAX), GRID_UNKNOWN);
	assert_int_equal(grid_forecast_at(&r->forecast, r->forecast.price_p50, nine + SLOT_MS), GRID_UNKNOWN);
	assert_null(r->forecast.carbon_p10);
	assert_int_equal(grid_forecast_at(&r->forecast, NULL, nine), GRID_UNKNOWN);
	assert_int_equal(grid_recent_carbon_at(&r->recent, nine - 1), 130000);
	assert_int_equal(grid_recent_price_at(&r->recent, nine - SLOT_MS - 1), GRID_UNKNOWN);
	assert_int_equal(r->recent.kind[0], GRID_KIND_ACTUAL);
	assert_int_equal(r->recent.kind[1], GRID_KIND_FORECAST);
	assert_string_equal(r->basis.resolution, "regional");
	assert_string_equal(r->currency, "GBP");
	assert_int_equal(r->n_sources, 2);
	assert_int_equal(r->sources[0].fetched_ms, at("2026-05-06T09:03Z"));
	assert_int_equal(r->sources[1].issued_ms, TIME_NONE);
	assert_string_equal(r->sources[1].note, "household shape proxy");
	assert_int_equal(r->n_mix, 1);
	assert_int_equal(r->conditions.len, 2);
	assert_true(r->place_shift_disabled);
}

static void test_decode(void **state)
{
	const struct gridregion *r = decode(full);

	(void)state;
	assert_string_equal(r->display_name, "London");
	assert_string_equal(r->group, "gb");
	assert_int_equal(r->node_selector.len, 1);
	assert_int_equal(r->n_cloud_regions, 2);
	assert_int_equal(r->n_carbon_chain, 2);
	assert_string_equal(r->carbon_chain[1].zone, "national");
	assert_string_equal(r->price_chain[0].product, "AGILE-24-10-01");
	assert_null(r->carbon_chain[0].product);
	assert_int_equal(r->power_limit_watts, 5000);
	assert_true(r->power_limit_hard);
	assert_int_equal(r->cost_basis, COST_BASIS_SHADOW);
	assert_int_equal(r->capacity, REGION_CAPACITY_ON_DEMAND);
	check_full(r);
	object_unref(&r->obj);
}

static void test_round_trip(void **state)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT(MAX_TEXT);
	_cleanup_(buf_release) struct buf status = BUF_INIT(MAX_TEXT), again = BUF_INIT(MAX_TEXT);
	const struct gridregion *r = decode(full), *back;

	(void)state;
	gridregion_encode_status(r, &status);
	(void)buf_addf(&text, "{\"metadata\":{\"name\":\"london\"},\"status\":%s}", buf_cstr(&status));
	back = decode(buf_cstr(&text));
	check_full(back);
	gridregion_encode_status(back, &again);
	assert_string_equal(buf_cstr(&status), buf_cstr(&again));
	assert_non_null(strstr(buf_cstr(&status),
			       "\"summary\":{\"carbon\":\"141 g/kWh\",\"price\":\"-2.10 p/kWh\","
			       "\"renewable\":\"24 %\",\"lowCarbon\":\"40 %\",\"mix\":\"wind 13 %\","
			       "\"cleanest\":\"0 g/kWh at 2026-05-06T09:30Z\","
			       "\"cheapest\":\"-2.10 p/kWh at 2026-05-06T09:00Z\","
			       "\"forecastUntil\":\"2026-05-06T10:00:00Z\",\"stress\":\"11 % (demand)\","
			       "\"source\":\"carbonintensity-gb, regional\","
			       "\"priceSource\":\"octopus-agile, household shape proxy\",\"confidence\":\"90 %\"}"));
	object_unref(&r->obj);
	object_unref(&back->obj);
}

static void test_empty(void **state)
{
	static const char *const texts[] = { "{\"metadata\":{\"name\":\"x\"}}",
					     "{\"metadata\":{\"name\":\"x\"},\"spec\":null,\"status\":null}",
					     "{\"metadata\":{\"name\":\"x\"},\"spec\":[],\"status\":7}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		_cleanup_(buf_release) struct buf status = BUF_INIT(MAX_TEXT);
		const struct gridregion *r = decode(texts[i]);

		assert_int_equal(r->now.carbon_mg_per_kwh, GRID_UNKNOWN);
		assert_int_equal(r->forecast.start_ms, TIME_NONE);
		assert_int_equal(r->recent.start_ms, TIME_NONE);
		assert_int_equal(grid_recent_carbon_at(&r->recent, 0), GRID_UNKNOWN);
		assert_int_equal(grid_forecast_at(&r->forecast, r->forecast.carbon_p50, 0), GRID_UNKNOWN);
		assert_null(r->currency);
		gridregion_encode_status(r, &status);
		assert_string_equal(buf_cstr(&status), "{\"now\":{},\"summary\":{},\"sources\":[],\"conditions\":[]}");
		object_unref(&r->obj);
	}
}

static void test_carbon_error(void **state)
{
	static const struct {
		int32_t confidence, error;
	} cases[] = { { 1000, 20000 }, { 900, 22222 },          { 500, 40000 }, { 50, 400000 },
		      { 1, 20000000 }, { GRID_UNKNOWN, 20000 }, { 0, 20000 },   { INT32_MAX, 20000 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct gridregion r = { .confidence_permille = cases[i].confidence };

		assert_int_equal(gridregion_carbon_error(&r, 20000), cases[i].error);
	}
	assert_int_equal(gridregion_carbon_error(&(struct gridregion){ .confidence_permille = 1 }, INT32_MAX),
			 INT32_MAX);
}

/* Wrong types, numbers beyond all bounds, arrays beyond the maximum. */
static void test_hostile(void **state)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT(MAX_TEXT);
	const struct gridregion *r;

	(void)state;
	(void)buf_adds(
		&text,
		"{\"metadata\":{\"name\":\"x\"},\"spec\":{\"displayName\":7,\"nodeSelector\":[1],\"cloudRegions\":"
		"[1,null,\"ok\"");
	for (int i = 0; i < 100; i++)
		(void)buf_addf(&text, ",\"r%d\"", i);
	(void)buf_adds(&text, "],\"carbon\":{\"chain\":[1,{},{\"provider\":1,\"zone\":\"1\"},{\"provider\":\"p\"}");
	for (int i = 0; i < 100; i++)
		(void)buf_addf(&text, ",{\"provider\":\"p\",\"zone\":\"%d\"}", i);
	(void)buf_adds(
		&text,
		"]},\"price\":7,\"powerLimit\":{\"watts\":-5,\"enforcement\":[]},\"costBasis\":\"x\"},\"status\":{"
		"\"now\":{\"carbonMilligramsPerKWh\":1e300,\"pricePerKWhMicros\":2147483648,\"renewablePerMille\":"
		"0.5,\"index\":\"longer than sixteen bytes\"},\"forecast\":{\"startTime\":\"2026-05-06T09:00:00Z\","
		"\"slotSeconds\":0,\"issuedTime\":\"then\",\"carbonP50\":[1e400,-2147483648,\"7\",true,[],{},42");
	for (int i = 0; i < 5000; i++)
		(void)buf_adds(&text, ",1");
	(void)buf_adds(
		&text,
		"],\"priceP50\":[null,null],\"renewable\":\"no\"},\"recent\":{\"startTime\":\"2026-05-06T08:00:00Z\","
		"\"carbon\":[1],\"kind\":[7,\"nonsense\"");
	for (int i = 0; i < 200; i++)
		(void)buf_adds(&text, ",\"actual\"");
	(void)buf_adds(
		&text,
		"]},\"mix\":[{\"fuel\":\"wind\",\"perMille\":-1},{\"fuel\":7,\"perMille\":1},9],\"basis\":{"
		"\"accounting\":\"a word far too long for it\",\"scope\":7},\"sources\":[{\"metric\":\"carbon\"},7],"
		"\"conditions\":{\"a\":1}}}");
	r = decode(buf_cstr(&text));
	assert_null(r->display_name);
	assert_int_equal(r->node_selector.len, 0);
	assert_int_equal(r->n_cloud_regions, GRIDREGION_MAX_CLOUD_REGIONS);
	assert_string_equal(r->cloud_regions[0], "ok");
	assert_int_equal(r->n_carbon_chain, GRIDREGION_MAX_CHAIN);
	assert_int_equal(r->n_price_chain, 0);
	assert_int_equal(r->power_limit_watts, 0);
	assert_int_equal(r->cost_basis, COST_BASIS_TARIFF);
	assert_int_equal(r->now.carbon_mg_per_kwh, GRID_UNKNOWN);
	assert_int_equal(r->now.price_micros_per_kwh, GRID_UNKNOWN);
	assert_int_equal(r->now.renewable_permille, GRID_UNKNOWN);
	assert_string_equal(r->now.index, "");
	assert_int_equal(r->forecast.n, GRIDREGION_MAX_SLOTS);
	assert_int_equal(r->forecast.slot_ms, SLOT_MS);
	assert_int_equal(r->forecast.issued_ms, TIME_NONE);
	for (int i = 0; i < 6; i++)
		assert_int_equal(r->forecast.carbon_p50[i], GRID_UNKNOWN);
	assert_int_equal(r->forecast.carbon_p50[6], 42);
	assert_null(r->forecast.price_p50);
	assert_null(r->forecast.renewable);
	assert_int_equal(r->recent.n, 1);
	assert_int_equal(r->n_mix, 0);
	assert_int_equal(r->n_sources, 0);
	assert_string_equal(r->basis.accounting, "");
	object_unref(&r->obj);
}

static int region_of(const struct gridregion *const *regions, int n, const char *labels)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT(4096);
	static const char *const all[] = { "*", NULL };
	static const struct object_type node = {
		.kind = "Node", .api_version = "v1", .plural = "nodes", .size = sizeof(struct object), .labels = all
	};
	const struct object *o = NULL;
	struct error err = ERROR_INIT;
	int found;

	(void)buf_addf(&text, "{\"metadata\":{\"name\":\"n\",\"labels\":%s}}", labels);
	assert_int_equal(object_parse(&node, buf_str(&text), &o, &err), 0);
	found = gridregion_of_node(regions, n, &o->meta);
	object_unref(o);
	return found;
}

static void test_nodes(void **state)
{
	const struct gridregion *r[] = {
		decode("{\"metadata\":{\"name\":\"b\"},\"spec\":{\"cloudRegions\":[\"eu-west-2\"]}}"),
		decode("{\"metadata\":{\"name\":\"a\"},\"spec\":{\"cloudRegions\":[\"eu-west-2\",\"x\"]}}"),
		decode("{\"metadata\":{\"name\":\"c\"},\"spec\":{\"nodeSelector\":{\"site\":\"1\",\"row\":\"2\"}}}"),
		decode("{\"metadata\":{\"name\":\"d\"}}"),
	};

	(void)state;
	assert_int_equal(region_of(r, 4, "{}"), -1);
	assert_int_equal(region_of(r, 0, "{}"), -1);
	assert_int_equal(region_of(r, 4, "{\"loadshift.io/region\":\"d\",\"site\":\"1\",\"row\":\"2\"}"), 3);
	assert_int_equal(region_of(r, 4, "{\"loadshift.io/region\":\"elsewhere\",\"site\":\"1\",\"row\":\"2\"}"), 2);
	assert_int_equal(region_of(r, 4, "{\"site\":\"1\"}"), -1);
	/* Two by the same rule: the first by name, whatever their order. */
	assert_int_equal(region_of(r, 4, "{\"topology.kubernetes.io/region\":\"eu-west-2\"}"), 1);
	assert_int_equal(region_of(r, 4, "{\"topology.kubernetes.io/region\":\"mars\"}"), -1);
	for (size_t i = 0; i < ARRAY_LEN(r); i++)
		object_unref(&r[i]->obj);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode),       cmocka_unit_test(test_round_trip), cmocka_unit_test(test_empty),
		cmocka_unit_test(test_carbon_error), cmocka_unit_test(test_hostile),    cmocka_unit_test(test_nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
