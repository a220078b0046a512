/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of grid data: what is read, and what a person is told who wrote something else. */
#include "grid_fixture.h"

#include <math.h>

#include "controller/grid_config.h"

static struct arena arena;

static void refused(const char *providers, const char *feeds, const char *sources, const char *words)
{
	struct error err = ERROR_INIT;
	struct grid_config c;

	assert_int_equal(grid_config_parse(providers, feeds, sources, &arena, &c, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	if (!strstr(err.msg, words))
		fail_msg("not \"%s\" but: %s", words, err.msg);
}

static struct grid_config parsed(const char *providers, const char *feeds, const char *sources)
{
	struct error err = ERROR_INIT;
	struct grid_config c;

	if (grid_config_parse(providers, feeds, sources, &arena, &c, &err))
		fail_msg("%s", err.msg);
	return c;
}

static void test_none(void **state)
{
	struct grid_config c = parsed(NULL, NULL, NULL);

	(void)state;
	assert_null(c.providers[0].name);
	assert_int_equal(c.n_custom, 0);
	/* The feeds of GB: each of a provider and zone that there are. */
	assert_true(c.n_feeds >= 8);
	for (size_t i = 0; i < c.n_feeds; i++) {
		const struct grid_provider *p = grid_provider_find(c.feeds[i].provider);

		assert_non_null(p);
		if (!p->has_zone(&(struct grid_env){ 0 }, c.feeds[i].metric, c.feeds[i].zone))
			fail_msg("%s has no %s of %s", p->name, grid_metric_name(c.feeds[i].metric), c.feeds[i].zone);
		assert_string_equal(p->area(c.feeds[i].zone), c.feeds[i].area);
	}
	assert_int_equal(parsed(NULL, "[]", NULL).n_feeds, 0);
}

static void test_providers(void **state)
{
	struct grid_config c =
		parsed("{\"electricity-maps\":{\"secretFile\":\"/run/key\",\"userFile\":null},"
		       "\"octopus-agile\":{\"enabled\":false,\"product\":\"AGILE-X\"},\"neso\":{"
		       "\"baseURL\":\"http://cache:80\",\"redirectHosts\":\"a,b\",\"enabled\":true},\"eia\":{}}",
		       NULL, NULL);

	(void)state;
	assert_string_equal(grid_config_provider(&c, "electricity-maps")->secret_file, "/run/key");
	assert_false(grid_config_provider(&c, "electricity-maps")->disabled);
	assert_true(grid_config_provider(&c, "octopus-agile")->disabled);
	assert_string_equal(grid_config_provider(&c, "octopus-agile")->product, "AGILE-X");
	assert_string_equal(grid_config_provider(&c, "neso")->base_url, "http://cache:80");
	assert_string_equal(grid_config_provider(&c, "neso")->redirect_hosts, "a,b");
	assert_false(grid_config_provider(&c, "eia")->disabled);
	/* One that is not there is made, with room for all. */
	for (int i = 0; i < grid_n_providers; i++)
		assert_string_equal(grid_config_provider(&c, grid_providers[i]->name)->name, grid_providers[i]->name);
	assert_null(c.providers[grid_n_providers].name);

	refused("[]", NULL, NULL, "grid.providers: must be a mapping");
	refused("{\"elexxon\":{}}", NULL, NULL, "grid.providers.elexxon: there is no such provider");
	refused("{\"elexon\":[]}", NULL, NULL, "grid.providers.elexon: must be a mapping");
	refused("{\"elexon\":{\"key\":\"x\"}}", NULL, NULL,
		"grid.providers.elexon.key: there is no such setting; there are baseURL, secretFile");
	refused("{\"elexon\":{\"baseURL\":\"ftp://x\"}}", NULL, NULL,
		"grid.providers.elexon.baseURL: must be a URL that begins with https:// or http://");
	refused("{\"elexon\":{\"enabled\":\"no\"}}", NULL, NULL,
		"grid.providers.elexon.enabled: must be true or false");
	refused("{\"elexon\":{\"secretFile\":\"\"}}", NULL, NULL, "secretFile: must be a text");
}

static void test_feeds(void **state)
{
	struct grid_config c = parsed(NULL,
				      "[{\"metric\":\"demand\",\"provider\":\"elexon\",\"zone\":\"GB\"},{\"metric\":"
				      "\"carbon\",\"provider\":\"generic\",\"zone\":\"x\",\"area\":\"DE\"}]",
				      NULL);

	(void)state;
	assert_int_equal(c.n_feeds, 2);
	assert_string_equal(c.feeds[0].area, "GB");
	assert_string_equal(c.feeds[1].area, "DE");
	refused(NULL, "{}", NULL, "grid.feeds: must be a list");
	refused(NULL, "[{\"provider\":\"elexon\",\"zone\":\"GB\"}]", NULL, "grid.feeds[0].metric: is missing");
	refused(NULL, "[{\"metric\":\"load\",\"provider\":\"elexon\",\"zone\":\"GB\"}]", NULL,
		"grid.feeds[0].metric: must be a metric: carbon, price");
	refused(NULL, "[{\"metric\":\"demand\",\"provider\":\"nobody\",\"zone\":\"GB\"}]", NULL,
		"grid.feeds[0].provider: must be a provider");
	refused(NULL, "[{\"metric\":\"demand\",\"provider\":\"generic\",\"zone\":\"x\"}]", NULL,
		"grid.feeds[0].area: is missing");
}

static void test_tariffs(void **state)
{
	static const struct {
		const char *text, *words;
	} bad[] = {
		{ "{}", "grid.tariffs: must be a list" },
		{ "[{\"zone\":\"C\",\"slope\":2}]", "grid.tariffs[0].product: is missing" },
		{ "[{\"product\":\"A\",\"zone\":\"C\"}]", "grid.tariffs[0].slope: is missing" },
		{ "[{\"product\":\"A\",\"zone\":\"C\",\"slope\":0}]", "slope and tax must be above 0" },
		{ "[{\"product\":\"A\",\"zone\":\"C\",\"slope\":2,\"tax\":-1}]", "slope and tax must be above 0" },
		{ "[{\"product\":\"A\",\"zone\":\"C\",\"slope\":2,\"peakToHour\":25}]", "whole hours from 0 to 24" },
		{ "[{\"product\":\"A\",\"zone\":\"C\",\"slope\":2,\"peakFromHour\":1.5}]", "whole hours from 0 to 24" },
		{ "[{\"product\":\"A\",\"zone\":\"C\",\"slope\":2,\"vat\":5}]", "there is no such setting" },
	};
	struct grid_config c = parsed(NULL, NULL, NULL);
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(grid_config_tariffs(NULL, &arena, &c, &err), 0);
	assert_int_equal(c.n_tariffs, 0);
	assert_int_equal(grid_config_tariffs("[{\"product\":\"AGILE\",\"zone\":\"C\",\"slope\":2.0,\"peak\":0.12,"
					     "\"peakFromHour\":16,\"peakToHour\":19,\"cap\":0.95,\"timeZone\":"
					     "\"Europe/London\"},{\"product\":\"X\",\"zone\":\"DE\",\"slope\":1}]",
					     &arena, &c, &err),
			 0);
	assert_int_equal(c.n_tariffs, 2);
	assert_string_equal(c.tariffs[0].zone, "C");
	assert_string_equal(c.tariffs[0].time_zone, "Europe/London");
	assert_true(c.tariffs[0].rule.peak == 120000 && c.tariffs[0].rule.cap == 950000);
	assert_int_equal(c.tariffs[0].rule.peak_end_h, 19);
	assert_true(c.tariffs[1].rule.tax == 1 && isinf(c.tariffs[1].rule.cap) && c.tariffs[1].rule.peak == 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(grid_config_tariffs(bad[i].text, &arena, &c, &err), -1);
		if (!strstr(err.msg, bad[i].words))
			fail_msg("not \"%s\" but: %s", bad[i].words, err.msg);
	}
}

static void test_sources(void **state)
{
	struct grid_config c = parsed(NULL, NULL,
				      "[{\"name\":\"a\",\"provider\":\"generic\",\"metric\":\"carbon\",\"url\":\"https:"
				      "//x/{from}\",\"format\":"
				      "\"csv\",\"timeField\":\"t\",\"valueField\":\"v\",\"scale\":1000,\"stepSeconds\":"
				      "300,\"endLabelled\":true,"
				      "\"kind\":\"actual\",\"basis\":\"average, direct, consumption, zone\"},"
				      "{\"name\":\"b\",\"provider\":\"open-meteo\",\"metric\":\"temperature\","
				      "\"latitude\":51.5,\"longitude\":-0.1}]");

	(void)state;
	assert_int_equal(c.n_custom, 2);
	assert_true(c.custom[0].scale > 999 && c.custom[0].step_ms == 5 * MINUTE_MS && c.custom[0].end_labelled);
	assert_int_equal(c.custom[0].kind, GRID_KIND_ACTUAL);
	assert_string_equal(c.custom[0].basis.resolution, "zone");
	assert_true(isnan(c.custom[0].latitude));
	assert_int_equal(c.custom[1].kind, GRID_KIND_FORECAST);
	assert_true(c.custom[1].latitude > 51);
	refused(NULL, NULL, "{}", "grid.sources: must be a list");
	refused(NULL, NULL, "[{\"name\":\"a\",\"provider\":\"generic\",\"metric\":\"carbon\"}]",
		"grid.sources[0].basis: is missing");
	for (int i = 0; i < 3; i++) {
		static const char *const bases[] = { "average, direct, consumption",
						     "average,direct,consumption,zone,x",
						     "mean, direct, consumption, zone" };
		char text[200];

		(void)snprintf(text, sizeof(text),
			       "[{\"name\":\"a\",\"provider\":\"generic\",\"metric\":\"carbon\",\"basis\":\"%s\"}]",
			       bases[i]);
		refused(NULL, NULL, text, "grid.sources[0].basis: must be four words");
	}
	refused(NULL, NULL, "[{\"name\":\"a\",\"provider\":\"generic\",\"metric\":\"demand\",\"stepSeconds\":5}]",
		"grid.sources[0].stepSeconds: must be a whole number of seconds");
	c = parsed(NULL, NULL,
		   "[{\"name\":\"a\",\"provider\":\"generic\",\"metric\":\"price\",\"currency\":\"GBP\","
		   "\"timeZone\":\"Europe/London\"}]");
	assert_string_equal(c.custom[0].currency, "GBP");
	assert_string_equal(c.custom[0].time_zone, "Europe/London");
	refused(NULL, NULL, "[{\"name\":\"a\",\"provider\":\"generic\",\"metric\":\"wholesale\"}]",
		"grid.sources[0].currency: is missing");
	refused(NULL, NULL,
		"[{\"name\":\"a\",\"provider\":\"generic\",\"metric\":\"demand\"},{\"name\":\"a\",\"provider\":"
		"\"generic\","
		"\"metric\":\"demand\"}]",
		"grid.sources[1].name: there is another source a of generic");
}

static int make_arena(void **state)
{
	(void)state;
	arena_init(&arena, 4096, 1024 * 1024);
	return 0;
}

static int drop_arena(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_none), cmocka_unit_test(test_providers),
					    cmocka_unit_test(test_feeds), cmocka_unit_test(test_tariffs),
					    cmocka_unit_test(test_sources) };

	return cmocka_run_group_tests(tests, make_arena, drop_arena);
}
