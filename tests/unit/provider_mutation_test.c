/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every fixture of the providers that share grid/read.h, damaged a few hundred times by a seeded generator: bytes
 * changed, cut out, doubled, cut off; or only other digits and letters. Nothing crashes or leaks (run under `make
 * asan`), what is refused says why, and what is taken is in bounds. The odd ones out are found by
 * tests/fuzz/fuzz_providers.c.
 */
#include "base/rand.h"
#include "provider_cases.h"

#define ROUNDS 200

static const struct grid_custom sources[] = {
	{ .name = "london", .latitude = 51.5, .longitude = -0.1 },
	{ .name = "power", .metric = GRID_DEMAND, .query = "x" },
	{ .name = "nested",
	  .metric = GRID_CARBON,
	  .url = "x",
	  .rows = "result.rows",
	  .time_field = "at.start",
	  .value_field = "co2.g",
	  .scale = 1000 },
	{ .name = "wall",
	  .metric = GRID_PRICE,
	  .url = "x",
	  .format = "csv",
	  .time_field = "End (local)",
	  .value_field = "Price, c/kWh",
	  .scale = 10000,
	  .end_labelled = true },
};

static const struct {
	const struct grid_provider *grid;
	int what;
	const char *zone, *file, *from;
} cases[] = {
	{ &grid_carbon_aware_sdk, 0, "uksouth", "carbon-aware-sdk/forecasts_current_uksouth.synthetic.json",
	  "2026-05-06T00:00Z" },
	{ &grid_carbon_aware_sdk, 1, "eastus", "carbon-aware-sdk/emissions_bylocation.synthetic.json",
	  "2026-05-06T00:00Z" },
	{ &grid_eia, 0, "CISO", "eia/fuel_type_CISO.synthetic.json", "2026-05-05T00:00Z" },
	{ &grid_eia, 0, "CISO", "tests/data/grid/eia/generation_CISO.synthetic.json", "2026-05-05T00:00Z" },
	{ &grid_eia, 1, "CISO", "tests/data/grid/eia/demand_CISO.synthetic.json", "2026-05-05T00:00Z" },
	{ &grid_electricity_maps, 0, "GB", "electricitymaps/synthetic/forecast_GB_24h.json", "2026-05-06T00:00Z" },
	{ &grid_electricity_maps, 0, "GB", "electricitymaps/synthetic/forecast_GB_null_and_gap.json",
	  "2026-05-06T00:00Z" },
	{ &grid_energy_charts, 0, "DE-LU", "energy-charts/price_DE-LU_15min.synthetic.json", "2026-05-05T22:00Z" },
	{ &grid_entsoe, 0, "BE", "entsoe/a44_pt15m_a03_gaps.synthetic.xml", "2026-05-05T22:00Z" },
	{ &grid_entsoe, 0, "GB", "entsoe/day_ahead_prices_gb.synthetic.xml", "2024-01-15T00:00Z" },
	{ &grid_entsoe, 0, "GB", "entsoe/acknowledgement_999.synthetic.xml", "2026-05-05T22:00Z" },
	{ &grid_entsoe, 1, "DE-LU", "tests/data/grid/entsoe/a75_mix.synthetic.xml", "2026-05-05T00:00Z" },
	{ &grid_generic, 0, "nested", "tests/data/grid/generic/nested_rows.synthetic.json", "2026-05-06T00:00Z" },
	{ &grid_generic, 0, "wall", "tests/data/grid/generic/wall_clock.synthetic.csv", "2026-10-24T00:00Z" },
	{ &grid_met_office, 0, "london", "tests/data/grid/met-office/hourly.synthetic.json", "2026-05-06T00:00Z" },
	{ &grid_open_meteo, 0, "london", "open-meteo/historical_london.json", "2024-01-14T00:00Z" },
	{ &grid_prometheus, 0, "power", "tests/data/grid/prometheus/one_series.synthetic.json", "2026-05-05T00:00Z" },
	{ &grid_watttime, 0, "", "watttime/synthetic/login.json", "2026-05-06T00:00Z" },
	{ &grid_watttime, 1, "london", "watttime/recorded/grid_region_response.json", "2026-05-06T00:00Z" },
	{ &grid_watttime, 2, "UK", "watttime/synthetic/forecast_UK_24h.json", "2026-05-06T00:00Z" },
	{ &grid_watttime, 3, "CAISO_NORTH", "watttime/recorded/historical_emissions_response.json",
	  "2022-07-15T00:00Z" },
	{ &grid_watttime, 4, "UK", "watttime/synthetic/signal_index.json", "2026-05-06T00:00Z" },
};

/* Other digits and letters, so that it stays the same kind of text: what lies beyond the syntax. */
static void disguise(struct buf *b, uint64_t *seed)
{
	for (uint64_t n = 1 + rand_next(seed) % 30; n > 0; n--) {
		char *c = &b->ptr[rand_next(seed) % b->len];

		if (*c >= '0' && *c <= '9')
			*c = (char)('0' + rand_next(seed) % 10);
		else if (*c >= 'a' && *c <= 'z' && rand_next(seed) % 8 == 0)
			*c = (char)('a' + rand_next(seed) % 26);
	}
}

/* One to four wounds. */
static void damage(struct buf *b, uint64_t *seed)
{
	for (uint64_t wounds = 1 + rand_next(seed) % 4; wounds > 0 && b->len > 0; wounds--) {
		size_t at_byte = rand_next(seed) % b->len, n = 1 + rand_next(seed) % MIN(b->len - at_byte, (size_t)64);

		switch (rand_next(seed) % 5) {
		case 0:
			b->ptr[at_byte] = (char)rand_next(seed);
			break;
		case 1:
			b->ptr[at_byte] = "\"{}[]<>,:-0e9\n"[rand_next(seed) % 14];
			break;
		case 2:
			memmove(b->ptr + at_byte, b->ptr + at_byte + n, b->len - at_byte - n);
			b->len -= n;
			break;
		case 3:
			b->len = at_byte;
			break;
		default:
			memmove(b->ptr + at_byte, b->ptr + b->len - n, n);
		}
	}
}

static void check(const struct grid_answer *a, int failed, const struct error *err)
{
	if (failed)
		assert_true(err->code != ERR_NONE && err->msg[0]);
	for (size_t i = 0; i < a->series.len; i++)
		for (int k = 0; k < a->series.ptr[i]->n; k++) {
			int32_t v = a->series.ptr[i]->value[k];

			if (v != GRID_UNKNOWN && a->series.ptr[i]->metric == GRID_CARBON)
				assert_in_range(v, 0, 1500000);
		}
	for (size_t i = 0; i < a->moments.len; i++)
		assert_in_range(a->moments.ptr[i].n_mix, 0, GRID_MAX_FUELS);
}

static void test_damaged(void **state)
{
	uint64_t seed = 42;
	struct tz *utc;
	struct error err = ERROR_INIT;
	int taken = 0, refused = 0;

	(void)state;
	assert_int_equal(tz_load("UTC", &utc, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(buf_release) struct buf file = BUF_INIT(FIXTURE_MAX);
		int64_t from = at(cases[i].from);
		struct grid_env env = {
			.now_ms = from + 9 * HOUR_MS, .tz = utc, .custom = sources, .n_custom = ARRAY_LEN(sources)
		};
		struct grid_request req = { .what = cases[i].what };

		(void)str_copy(req.zone, sizeof(req.zone), str_from(cases[i].zone));
		if (!case_read(cases[i].file, &file))
			continue;
		for (int round = 0; round < ROUNDS; round++) {
			_cleanup_(buf_release) struct buf body = BUF_INIT(FIXTURE_MAX);
			struct grid_answer a;
			int failed;

			err = (struct error)ERROR_INIT;
			(void)buf_addstr(&body, buf_str(&file));
			if (round % 2)
				damage(&body, &seed);
			else
				disguise(&body, &seed);
			grid_answer_init(&a, from, from + 2 * DAY_MS, env.now_ms);
			failed = cases[i].grid->parse(&env, &req, buf_str(&body), &a, &err);
			grid_answer_finish(&a, cases[i].grid->flat);
			check(&a, failed, &err);
			taken += !failed;
			refused += failed != 0;
			grid_answer_release(&a);
		}
	}
	print_message("%d taken, %d refused\n", taken, refused);
	assert_true(taken > 0 && refused > 0);
	tz_free(utc);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_damaged) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
