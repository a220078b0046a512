/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: bodies of Elexon's API. The first byte chooses the report, or the carbon computed from the mix; values
 * are in bounds, mixes too, and an error says why.
 */
#include "grid/merge.h"
#include "grid/provider.h"

#define NOW INT64_C(1778036700000) /* 2026-05-06T03:05Z */
#define REPORTS 10

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "violated: %s\n", what);
	abort();
}

static void check_series(const struct grid_series *s, const struct grid_answer *a)
{
	static struct grid_track track;
	int changed;

	require(s->n > 0 && s->n <= GRID_SERIES_MAX && s->start_ms == a->from_ms, "series spans what was asked for");
	require(strcmp(s->zone, "GB") == 0, "one zone");
	require(s->issued_ms <= NOW, "no issue of the future");
	for (int i = 0; i < s->n; i++) {
		int32_t v = s->value[i];

		if (v == GRID_UNKNOWN)
			continue;
		require(s->metric != GRID_CARBON || (v >= 0 && v <= 1010000), "carbon of some fuel");
		require((s->metric != GRID_RENEWABLE && s->metric != GRID_LOW_CARBON) || (v >= 0 && v <= 1000),
			"share");
		require(s->metric != GRID_LOSS_OF_LOAD || (v >= 0 && v <= 1000000), "probability");
		require(s->metric != GRID_FREQUENCY || (v >= 45000 && v <= 65000), "frequency");
		require(s->kind[i] <= GRID_KIND_FORECAST, "a kind");
	}
	grid_track_init(&track, s->metric, s->zone);
	(void)grid_track_merge(&track, s, NOW, NOW, &changed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct grid_provider *grid = &grid_elexon;
	static struct tz *london;
	struct grid_env env = { .base_url = "https://example.org", .now_ms = NOW };
	struct grid_request req = { .what = 0 };
	struct error err = ERROR_INIT;
	struct grid_answer a;

	if (size == 0)
		return 0;
	if (!london && tz_load("Europe/London", &london, &err))
		abort();
	env.tz = london;
	req.what = data[0] % (REPORTS + 2);
	if (req.what >= REPORTS) {
		grid = &grid_fuel_mix;
		req.what -= REPORTS;
	}
	grid_answer_init(&a, NOW - 2 * DAY_MS, NOW + 2 * DAY_MS, NOW);
	if (grid->parse(&env, &req, str_of((const char *)data + 1, size - 1), &a, &err))
		require(err.code != ERR_NONE && err.msg[0], "an error says why");
	grid_answer_finish(&a, grid->flat);
	require(!a.next[0], "no pages");
	for (size_t i = 0; i < a.series.len; i++)
		check_series(a.series.ptr[i], &a);
	for (size_t i = 0; i < a.moments.len; i++) {
		const struct grid_moment *m = &a.moments.ptr[i];

		require(m->n_mix >= 0 && m->n_mix <= GRID_MAX_FUELS, "mix in bounds");
		for (int k = 0; k < m->n_mix; k++)
			require(m->mix[k].permille >= 0 && m->mix[k].permille <= 1000, "share of a fuel");
	}
	grid_answer_release(&a);
	return 0;
}
