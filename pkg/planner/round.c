/* SPDX-License-Identifier: Apache-2.0 */
/* A round: all jobs in their order, each choice reserved before the next; and the names of what came out. */
#include "planner/planner.h"

/* Critical jobs and those that cannot be deferred come first: they are late already. */
static int64_t rank_of(const struct planner_job *job)
{
	return job->critical ? TIME_NONE : job->latest_start_ms;
}

static int compare(const void *pa, const void *pb, void *jobs)
{
	const struct planner_job *a = (const struct planner_job *)jobs + *(const size_t *)pa;
	const struct planner_job *b = (const struct planner_job *)jobs + *(const size_t *)pb;
	int ids;

	if (rank_of(a) != rank_of(b))
		return rank_of(a) < rank_of(b) ? -1 : 1;
	if (a->earliest_ms != b->earliest_ms)
		return a->earliest_ms < b->earliest_ms ? -1 : 1;
	ids = strcmp(a->id, b->id);
	return ids ? ids : (a > b) - (a < b);
}

void planner_round_order(const struct planner_job *jobs, size_t n, size_t *order)
{
	for (size_t i = 0; i < n; i++)
		order[i] = i;
	qsort_r(order, n, sizeof(*order), compare, (void *)(uintptr_t)jobs);
}

void planner_round_run(struct planner_round *round, const struct planner_job *jobs, size_t n,
		       struct planner_result *results, struct arena *arena)
{
	size_t *order = arena_array(arena, n, size_t);

	planner_round_order(jobs, n, order);
	for (size_t i = 0; i < n; i++) {
		const struct planner_job *job = &jobs[order[i]];
		struct planner_result *r = &results[order[i]];

		planner_choose(round, job, r);
		if (r->choice.region != PLANNER_NO_REGION)
			planner_reserve(round, r->choice.region, r->choice.start_ms, r->choice.end_ms,
					job->power_milliwatts);
	}
}

const char *planner_outcome_name(enum planner_outcome o)
{
	static const char *const names[] = {
		[PLANNER_CHOSEN] = "chosen",
		[PLANNER_KEPT] = "kept",
		[PLANNER_AT_ONCE] = "at-once",
		[PLANNER_FORCED] = "forced",
		[PLANNER_NO_DATA_WAIT] = "no-data-wait",
		[PLANNER_HARD_LIMIT] = "hard-limit",
		[PLANNER_HARD_UNKNOWN] = "hard-unknown",
	};

	return names[o];
}

const char *planner_binding_name(enum planner_binding b)
{
	static const char *const names[] = {
		[PLANNER_BINDING_NONE] = "none",       [PLANNER_BINDING_DEADLINE] = "deadline",
		[PLANNER_BINDING_LIMIT] = "limit",     [PLANNER_BINDING_POWER] = "power",
		[PLANNER_BINDING_HORIZON] = "horizon", [PLANNER_BINDING_NO_DATA] = "no-data",
		[PLANNER_BINDING_NOISE] = "noise",
	};

	return names[b];
}
