/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: bodies of NESO's portal: packages, tables and files, each for the resource that the first byte chooses,
 * once as the first body and once as what follows a package. What is asked next lies below our base URL; values are in
 * bounds.
 */
#include "grid/csv.h"
#include "grid/merge.h"
#include "grid/provider.h"

#define NOW INT64_C(1778036700000) /* 2026-05-06T03:05Z */
#define BASE "https://api.neso.energy"
#define RESOURCES 9

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "violated: %s\n", what);
	abort();
}

static void check_next(const char *next)
{
	if (!next[0])
		return;
	require(strncmp(next, BASE "/dataset/", strlen(BASE "/dataset/")) == 0 ||
			strncmp(next, BASE "/api/3/action/datastore_search?",
				strlen(BASE "/api/3/action/datastore_search?")) == 0,
		"what comes next is below our base URL");
	require(!strstr(next, ".."), "no way up");
	for (const char *c = next; *c; c++)
		require(*c > ' ' && *c < 127, "an address of visible characters");
}

static void check_series(const struct grid_series *s)
{
	static struct grid_track track;
	int changed;

	require(s->issued_ms <= NOW, "no issue of the future");
	for (int i = 0; i < s->n; i++)
		require(s->value[i] == GRID_UNKNOWN || s->metric != GRID_CARBON ||
				(s->value[i] >= 0 && s->value[i] <= 1500000),
			"carbon in bounds");
	grid_track_init(&track, s->metric, s->zone);
	(void)grid_track_merge(&track, s, NOW, NOW, &changed);
}

static void parse(int what, struct str body, bool follows)
{
	static struct tz *london;
	struct grid_env env = { .base_url = BASE, .now_ms = NOW };
	const struct grid_request req = { .what = what, .zone = "GB" };
	struct error err = ERROR_INIT;
	struct grid_answer a;

	if (!london && tz_load("Europe/London", &london, &err))
		abort();
	env.tz = london;
	grid_answer_init(&a, NOW - 2 * DAY_MS, NOW + 14 * DAY_MS, NOW);
	if (follows)
		(void)grid_answer_note(&a, "second", STR("dataset/x/resource/y/download/z.csv"), NOW);
	for (int page = 0;; page++) {
		if (grid_neso.parse(&env, &req, body, &a, &err)) {
			require(err.code != ERR_NONE && err.msg[0], "an error says why");
			break;
		}
		check_next(a.next);
		/* A package that answers every question with itself never ends by itself: GRID_MAX_PAGES ends it. */
		if (!a.next[0] || page == 3)
			break;
	}
	grid_answer_finish(&a, grid_neso.flat);
	for (size_t i = 0; i < a.series.len; i++)
		check_series(a.series.ptr[i]);
	grid_answer_release(&a);
}

/* The reader of files alone: every cell lies within the row. */
static void read_csv(struct str body)
{
	struct error err = ERROR_INIT;
	static struct grid_csv csv;

	grid_csv_init(&csv, body);
	while (grid_csv_next(&csv, &err) > 0) {
		require(csv.row.n > 0 && csv.row.n <= GRID_CSV_MAX_COLUMNS, "columns in bounds");
		for (int i = 0; i < csv.row.n; i++)
			require(csv.row.cells[i].len <= GRID_CSV_MAX_ROW, "cells in bounds");
		grid_csv_header(&csv);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	parse(data[0] % RESOURCES, str_of((const char *)data + 1, size - 1), false);
	parse(data[0] % RESOURCES, str_of((const char *)data + 1, size - 1), true);
	read_csv(str_of((const char *)data + 1, size - 1));
	return 0;
}
