/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ExtenderArgs through the extender's own entry, both verbs, with a snapshot and without. Checked besides crashes:
 * what the scanner accepts, pkg/json accepts as well (except for its own bounds), and every reply is JSON.
 */
#include "base/alloc.h"
#include "extender/answer.h"
#include "json/json.h"

#define NOW INT64_C(1699999200000)
#define SLOTS 4

static struct extender_snapshot *make_snapshot(void)
{
	static int32_t carbon[2][SLOTS] = { { 30000, 40000, 50000, 60000 }, { 250000, 240000, GRID_UNKNOWN, 220000 } };
	static int32_t price[SLOTS] = { 150000, -20000, GRID_UNKNOWN, 0 };
	static struct gridregion regions[2];
	const struct gridregion *list[2] = { &regions[0], &regions[1] };
	struct extender_node nodes[] = { { STR("a1"), 0 }, { STR("b1"), 1 }, { STR("x1"), -1 } };

	for (int i = 0; i < 2; i++) {
		regions[i].obj.meta.name = i ? "london" : "north-scotland";
		regions[i].group = "gb";
		regions[i].currency = "GBP";
		regions[i].basis = (struct grid_basis){ "average", "direct", "consumption", "regional" };
		regions[i].forecast = (struct grid_forecast){ .start_ms = NOW,
							      .slot_ms = SLOT_MS,
							      .issued_ms = NOW,
							      .n = SLOTS,
							      .carbon_p50 = carbon[i],
							      .price_p50 = price };
	}
	return extender_snapshot_new(nodes, ARRAY_LEN(nodes), list, 2, HOUR_MS);
}

static void check_json(struct str text, const char *what)
{
	_cleanup_(json_cleanup) struct json *j = NULL;
	struct error err = ERROR_INIT;

	/* pkg/json bounds the depth in its own way, and refuses \u0000 and lone surrogates, which the grammar allows.
	 */
	if (json_parse(text, &j, &err) && !strstr(err.msg, "deep") && !memmem(text.ptr, text.len, "\\u", 2)) {
		(void)fprintf(stderr, "%s is not JSON: %s\n%.*s\n", what, err.msg, STR_FMT(text));
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct extender_snapshot *snapshot;
	static struct extender_scratch scratch;
	struct buf reply = BUF_INIT(EXTENDER_MAX_REPLY);
	struct str body = str_of((const char *)data, size);

	if (!snapshot)
		snapshot = make_snapshot();
	for (int i = 0; i < 4; i++) {
		struct extender_outcome outcome;
		struct error err = ERROR_INIT;

		buf_reset(&reply);
		if (extender_answer(i & 1 ? EXTENDER_FILTER : EXTENDER_PRIORITIZE, body, i & 2 ? snapshot : NULL, NOW,
				    &scratch, &reply, &outcome, &err))
			continue;
		check_json(body, "an accepted body");
		check_json(buf_str(&reply), "a reply");
	}
	buf_release(&reply);
	return 0;
}
