/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long the largest answer that we fetch takes to become samples: a day of half hours of 18 regions, 670 KB. Prints
 * the CPU milliseconds of each run, a line each; tests/bench/grid_bench.py runs it beside Python's json.
 *
 *	grid_bench FILE RUNS
 */
#include <stdio.h>

#include "base/buf.h"
#include "grid/provider.h"

#define MAX_BODY ((size_t)4 * 1024 * 1024)
/* 2019-12-31T23:30Z to 2020-01-03T00:00Z, in which the recorded answer lies. */
#define FROM_MS INT64_C(1577835000000)
#define TO_MS INT64_C(1578009600000)

static double cpu_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int parse(struct str body, int *ret_points, struct error *err)
{
	const struct grid_provider *p = &grid_carbonintensity_gb;
	struct grid_env env = { .base_url = "https://example.test", .now_ms = FROM_MS + SLOT_MS };
	const struct grid_target target = { GRID_CARBON, "13", NULL };
	struct grid_plan plan = { 0 };
	struct grid_answer a;
	int r;

	p->plan(&env, &target, 1, &plan);
	grid_answer_init(&a, FROM_MS, TO_MS, FROM_MS);
	r = plan.n ? p->parse(&env, &plan.items[0], body, &a, err) : error_set(err, ERR_INTERNAL, "nothing to ask");
	grid_answer_finish(&a, p->flat);
	*ret_points = a.points;
	grid_answer_release(&a);
	return r;
}

int main(int argc, char **argv)
{
	struct buf body = BUF_INIT(MAX_BODY);
	struct error err = ERROR_INIT;
	int64_t runs;
	int points = 0;

	if (argc != 3 || !str_to_i64(str_from(argv[2]), 1, 100000, &runs)) {
		(void)fprintf(stderr, "grid_bench FILE RUNS\n");
		return 2;
	}
	if (buf_read_file(&body, argv[1], &err)) {
		(void)fprintf(stderr, "grid_bench: %s\n", err.msg);
		return 1;
	}
	for (int64_t i = 0; i < runs; i++) {
		double began = cpu_ms();

		if (parse(buf_str(&body), &points, &err) || points == 0) {
			(void)fprintf(stderr, "grid_bench: %s\n", err.msg);
			return 1;
		}
		printf("%.4f %d\n", cpu_ms() - began, points);
	}
	buf_release(&body);
	return 0;
}
