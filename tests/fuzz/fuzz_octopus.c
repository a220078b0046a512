/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: bodies of Octopus' API, as rates and as products; prices stay in bounds, `next` on its server and path.
 */
#include "grid/provider.h"

#define NOW INT64_C(1777107900000) /* 2026-04-25T09:05Z */
#define URL "https://api.octopus.energy/v1/products/A/electricity-tariffs/E-1R-A-C/standard-unit-rates/"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "violated: %s\n", what);
	abort();
}

static void parse_as(int what, struct str body)
{
	const struct grid_env env = { .base_url = "https://api.octopus.energy/v1", .now_ms = NOW };
	const struct grid_request req = { .what = what, .url = URL "?page_size=250", .zone = "C" };
	struct error err = ERROR_INIT;
	struct grid_answer a;

	grid_answer_init(&a, NOW - 2 * DAY_MS, NOW + 2 * DAY_MS, NOW);
	if (grid_octopus_agile.parse(&env, &req, body, &a, &err))
		require(err.code != ERR_NONE && err.msg[0], "an error says why");
	require(!a.next[0] || strncmp(a.next, URL "?", strlen(URL "?")) == 0, "next stays where it was");
	const char *product = grid_answer_noted(&a, "product");
	require(!product || strspn(product, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == strlen(product),
		"product fits a path");
	for (size_t i = 0; i < a.series.len; i++)
		for (int k = 0; k < a.series.ptr[i]->n; k++) {
			int32_t v = a.series.ptr[i]->value[k];

			require(v == GRID_UNKNOWN || (v >= -5000000 && v <= 10000000), "price in bounds");
		}
	grid_answer_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	parse_as(1, str_of((const char *)data, size));
	parse_as(0, str_of((const char *)data, size));
	return 0;
}
