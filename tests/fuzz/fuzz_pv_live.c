/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: bodies of PV_Live, for GB and for an area. */
#include "grid/merge.h"
#include "grid/provider.h"

#define NOW INT64_C(1778058300000) /* 2026-05-06T09:05Z */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "violated: %s\n", what);
	abort();
}

static void parse(const char *zone, struct str body)
{
	static struct grid_track track;
	const struct grid_env env = { .base_url = "https://example.org", .now_ms = NOW };
	struct grid_request req = { .what = 0 };
	struct error err = ERROR_INIT;
	struct grid_answer a;
	int changed;

	(void)str_copy(req.zone, sizeof(req.zone), str_from(zone));
	grid_answer_init(&a, NOW - 2 * DAY_MS, NOW, NOW);
	if (grid_pv_live.parse(&env, &req, body, &a, &err))
		require(err.code != ERR_NONE && err.msg[0], "an error says why");
	else
		require(a.points > 0, "success has points");
	grid_answer_finish(&a, grid_pv_live.flat);
	require(a.series.len <= 1, "one series");
	for (size_t i = 0; i < a.series.len; i++) {
		const struct grid_series *s = a.series.ptr[i];

		require(s->metric == GRID_SOLAR && strcmp(s->zone, zone) == 0, "of what was asked for");
		for (int k = 0; k < s->n; k++)
			require(s->value[k] == GRID_UNKNOWN || (s->value[k] >= 0 && s->value[k] <= 500000),
				"in bounds");
		grid_track_init(&track, s->metric, s->zone);
		(void)grid_track_merge(&track, s, NOW, NOW, &changed);
	}
	grid_answer_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	parse("GB", str_of((const char *)data, size));
	parse("C", str_of((const char *)data, size));
	return 0;
}
