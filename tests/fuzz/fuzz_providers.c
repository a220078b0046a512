/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: bodies of the providers that share pkg/grid/read.h. The first byte chooses who parses the rest; what
 * comes out is in bounds, of the zone asked for, and merges; an error says why; notes fit headers; pages stay where
 * they were.
 */
#include "grid/merge.h"
#include "grid/provider.h"
#include "grid/read.h"

#define NOW INT64_C(1778058300000) /* 2026-05-06T09:05Z */
#define EIA_URL "https://api.eia.gov/v2/electricity/rto/fuel-type-data/data/?api_key=k&start="

static const struct {
	char key;
	const struct grid_provider *grid;
	int what;
	const char *zone;
} cases[] = {
	{ 'c', &grid_carbon_aware_sdk, 0, "uksouth" },
	{ 'i', &grid_eia, 0, "CISO" },
	{ 'd', &grid_eia, 1, "CISO" },
	{ 'm', &grid_electricity_maps, 0, "GB" },
	{ 'b', &grid_electricity_maps, 2, "GB" },
	{ 'e', &grid_energy_charts, 0, "DE-LU" },
	{ 'x', &grid_entsoe, 0, "DE-LU" },
	{ 'y', &grid_entsoe, 1, "DE-LU" },
	{ 'g', &grid_generic, 0, "json" },
	{ 'v', &grid_generic, 0, "csv" },
	{ 'f', &grid_met_office, 0, "here" },
	{ 'o', &grid_open_meteo, 0, "here" },
	{ 'p', &grid_prometheus, 0, "json" },
	{ 'l', &grid_watttime, 0, "" },
	{ 'r', &grid_watttime, 1, "here" },
	{ 'w', &grid_watttime, 2, "UK" },
	{ 's', &grid_watttime, 4, "UK" },
};

static const struct grid_custom sources[] = {
	{ .name = "here", .latitude = 51.5, .longitude = -0.1 },
	{ .name = "json",
	  .url = "https://x.example",
	  .query = "up",
	  .rows = "rows",
	  .time_field = "t.0",
	  .value_field = "v",
	  .scale = 1000 },
	{ .name = "csv",
	  .url = "https://x.example",
	  .format = "csv",
	  .time_field = "t",
	  .value_field = "v",
	  .step_ms = 15 * MINUTE_MS,
	  .end_labelled = true },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "violated: %s\n", what);
	abort();
}

static void check_series(const struct grid_series *s, const char *zone)
{
	static struct grid_track track;
	int changed;

	require(s->n > 0 && s->n <= GRID_SERIES_MAX, "series spans what was asked for");
	require(strcmp(s->zone, zone) == 0, "series is of the zone asked for");
	require(s->issued_ms <= NOW && s->issued_ms >= NOW - 2 * DAY_MS, "issue is believable");
	for (int i = 0; i < s->n; i++) {
		if (s->value[i] == GRID_UNKNOWN)
			continue;
		require(s->metric != GRID_CARBON || (s->value[i] >= 0 && s->value[i] <= 1500000), "carbon in bounds");
		require(s->metric != GRID_RENEWABLE || (s->value[i] >= 0 && s->value[i] <= 1000), "share in bounds");
		require(s->kind[i] <= GRID_KIND_FORECAST, "a kind");
	}
	grid_track_init(&track, s->metric, s->zone);
	(void)grid_track_merge(&track, s, NOW, NOW, &changed);
}

static void check_answer(const struct grid_answer *a, const char *zone)
{
	for (size_t i = 0; i < a->series.len; i++)
		check_series(a->series.ptr[i], zone);
	for (size_t i = 0; i < a->moments.len; i++)
		require(a->moments.ptr[i].n_mix >= 0 && a->moments.ptr[i].n_mix <= GRID_MAX_FUELS, "mix in bounds");
	for (int i = 0; i < a->n_notes; i++)
		require(grid_is_header_value(a->notes[i].value, GRID_NOTE_MAX - 1), "note fits a header");
	require(!a->next[0] || strncmp(a->next, EIA_URL, strlen(EIA_URL)) == 0, "next stays where it was");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tz *utc;
	struct error err = ERROR_INIT;

	if (!utc && tz_load("UTC", &utc, &err))
		abort();
	for (size_t i = 0; size > 0 && i < ARRAY_LEN(cases); i++) {
		struct grid_env env = { .now_ms = NOW, .tz = utc, .custom = sources, .n_custom = ARRAY_LEN(sources) };
		struct grid_request req = { .what = cases[i].what, .url = EIA_URL "2026-05-04T10&end=2026-05-06T09" };
		struct grid_answer a;

		if (data[0] != (uint8_t)cases[i].key)
			continue;
		(void)str_copy(req.zone, sizeof(req.zone), str_from(cases[i].zone));
		grid_answer_init(&a, NOW - 2 * DAY_MS, NOW + 2 * DAY_MS, NOW);
		if (cases[i].grid->parse(&env, &req, str_of((const char *)data + 1, size - 1), &a, &err))
			require(err.code != ERR_NONE && err.msg[0], "an error says why");
		grid_answer_finish(&a, cases[i].grid->flat);
		check_answer(&a, cases[i].zone);
		grid_answer_release(&a);
	}
	return 0;
}
