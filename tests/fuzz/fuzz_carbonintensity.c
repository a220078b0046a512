/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: bodies of the GB Carbon Intensity API, parsed and merged; what is kept is within its bounds. */
#include "grid/merge.h"
#include "grid/provider.h"

#define NOW INT64_C(1777107900000) /* 2026-04-25T09:05Z */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "violated: %s\n", what);
	abort();
}

static void check_series(const struct grid_series *s, int64_t from_ms)
{
	static struct grid_track track;
	int changed;

	require(s->n > 0 && s->n <= GRID_SERIES_MAX && s->start_ms == from_ms, "series spans what was asked for");
	for (int i = 0; i < s->n; i++) {
		if (s->value[i] == GRID_UNKNOWN)
			continue;
		require(s->metric != GRID_CARBON || (s->value[i] >= 0 && s->value[i] <= 1500000), "carbon in bounds");
		require(s->metric != GRID_RENEWABLE || (s->value[i] >= 0 && s->value[i] <= 1000), "share in bounds");
		require(s->kind[i] <= GRID_KIND_FORECAST, "a kind");
	}
	grid_track_init(&track, s->metric, s->zone);
	(void)grid_track_merge(&track, s, NOW, NOW, &changed);
	(void)grid_track_is_usable(&track, NOW);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct grid_env env = { .base_url = "https://example.org", .now_ms = NOW };
	const struct grid_request req = { 0 };
	struct error err = ERROR_INIT;
	struct grid_answer a;

	grid_answer_init(&a, NOW - 2 * DAY_MS, NOW + 2 * DAY_MS, NOW);
	if (grid_carbonintensity_gb.parse(&env, &req, str_of((const char *)data, size), &a, &err))
		require(err.code != ERR_NONE && err.msg[0], "an error says why");
	else
		require(a.points > 0, "success has points");
	for (size_t i = 0; i < a.series.len; i++)
		check_series(a.series.ptr[i], a.from_ms);
	for (size_t i = 0; i < a.moments.len; i++)
		require(a.moments.ptr[i].n_mix >= 0 && a.moments.ptr[i].n_mix <= GRID_MAX_FUELS, "mix in bounds");
	grid_answer_release(&a);
	return 0;
}
