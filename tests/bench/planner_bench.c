/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long one job's choice takes: 18 regions, 96 starts in each, after the round's prefix sums. Jobs differ from call
 * to call so that nothing is learnt by heart; CPU time of this thread, the median of the batches' means, and of three
 * runs. And how long plans with pauses take: one region, a week of half hours, k slots of work.
 */
#include <math.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/rand.h"
#include "planner/interrupt.h"

#define REGIONS 18
#define STARTS 96
#define SLOTS (STARTS + 16) /* room for the longest run from the last start */
#define JOBS 64
#define BATCHES 301
#define RUNS 3
#define LIMIT_US 2
#define WEEK_SLOTS 336

struct world {
	int32_t carbon[REGIONS][SLOTS], price[REGIONS][SLOTS], renewable[REGIONS][SLOTS];
	struct planner_region regions[REGIONS];
	struct planner_signals signals;
	int16_t allowed[REGIONS];
	struct planner_job jobs[JOBS];
};

static double cpu_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void world_fill(struct world *w)
{
	uint64_t seed = 1;

	for (int r = 0; r < REGIONS; r++) {
		for (int i = 0; i < SLOTS; i++) {
			double day = sin((i + r) * 2 * M_PI / 48);

			w->carbon[r][i] = (int32_t)(150e3 + 80e3 * day + 15e3 * rand_normal(&seed));
			w->price[r][i] = (int32_t)(80e3 + 50e3 * day + 20e3 * rand_normal(&seed));
			w->renewable[r][i] = (int32_t)(400 - 200 * day);
		}
		w->regions[r] = (struct planner_region){ .name = "r",
							 .carbon_mg_per_kwh = w->carbon[r],
							 .price_micros_per_kwh = w->price[r],
							 .renewable_permille = w->renewable[r] };
		w->allowed[r] = (int16_t)r;
	}
	w->signals = (struct planner_signals){ .slot_ms = SLOT_MS,
					       .n_slots = SLOTS,
					       .regions = w->regions,
					       .n_regions = REGIONS,
					       .carbon_error_mg_per_kwh = 20000,
					       .price_error_permille = 100 };
	for (int j = 0; j < JOBS; j++)
		w->jobs[j] = (struct planner_job){ .id = "j",
						   .latest_start_ms = (STARTS - 1) * SLOT_MS,
						   .duration_ms = (10 + (int64_t)(rand_unit(&seed) * 470)) * MINUTE_MS,
						   .power_milliwatts = 5000000,
						   .spread_ms = j * SECOND_MS,
						   .weight_carbon = 20 + j,
						   .weight_cost = 30,
						   .weight_delay = j % 3 * 5,
						   .regions = w->allowed,
						   .n_regions = REGIONS,
						   .max_carbon.value = 200000,
						   .home = (int16_t)(j % REGIONS),
						   .earlier_region = PLANNER_NO_REGION };
}

struct figures {
	double median, p99; /* median first: compare() reads it */
};

static struct figures measure(const struct planner_round *round, const struct world *w)
{
	static double us[BATCHES];
	struct planner_result result;
	int64_t sum = 0;

	for (int b = 0; b < BATCHES; b++) {
		double begin = cpu_us();

		for (int j = 0; j < JOBS; j++) {
			planner_choose(round, &w->jobs[j], &result);
			sum += result.choice.start_ms;
		}
		us[b] = (cpu_us() - begin) / JOBS;
	}
	qsort(us, BATCHES, sizeof(us[0]), compare);
	if (sum == 0)
		printf("# every job at once: the bench measures nothing\n");
	return (struct figures){ us[BATCHES / 2], us[BATCHES * 99 / 100] };
}

/* The general path: a power limit that binds here and there, and a soft limit on the mean. */
static void world_limit(struct world *w, bool on)
{
	for (int r = 0; r < REGIONS; r++)
		w->regions[r].power_limit_milliwatts = on ? 20000000 : 0;
	for (int j = 0; j < JOBS; j++)
		w->jobs[j].max_carbon.enforcement = on ? PLANNER_LIMIT_SOFT : PLANNER_LIMIT_NONE;
}

/* Pauses that are free, that cost energy, and that are limited and cost time too. */
enum pauses { FREE_PAUSES, COSTLY_PAUSES, COUNTED_PAUSES };

static double plan_us(int k, enum pauses pauses)
{
	static double us[BATCHES], cost[WEEK_SLOTS];
	const double *columns = cost;
	struct slots slots = { .slot_ms = SLOT_MS, .n = WEEK_SLOTS, .n_regions = 1, .cost = &columns };
	struct interrupt_job job = { .finish_by_ms = WEEK_SLOTS * SLOT_MS,
				     .duration_ms = k * SLOT_MS,
				     .restart_slots = pauses == FREE_PAUSES ? 0 : 0.2,
				     .checkpoint_ms = pauses == COUNTED_PAUSES ? 5 * MINUTE_MS : 0,
				     .max_interruptions = pauses == COUNTED_PAUSES ? 4 : INTERRUPT_ANY,
				     .region = PLANNER_NO_REGION };
	struct interrupt_plan plan;
	struct arena arena;
	uint64_t seed = 1;

	arena_init(&arena, 65536, 1 << 20);
	for (int b = 0; b < BATCHES; b++) {
		double begin;

		for (int i = 0; i < WEEK_SLOTS; i++)
			cost[i] = 1 + 0.5 * sin(i * 2 * M_PI / 48) + 0.1 * rand_normal(&seed);
		arena_reset(&arena);
		begin = cpu_us();
		if (!interrupt_plan(&slots, &job, &arena, &plan))
			printf("# no plan: the bench measures nothing\n");
		us[b] = cpu_us() - begin;
	}
	arena_release(&arena);
	qsort(us, BATCHES, sizeof(us[0]), compare);
	return us[BATCHES / 2];
}

static void bench_interrupt(void)
{
	static const int work[] = { 24, 168 };

	for (size_t i = 0; i < ARRAY_LEN(work); i++)
		printf("bench planner-interrupt slots=%d k=%d free_us=%.1f costly_us=%.1f counted_us=%.1f limit=%s\n",
		       WEEK_SLOTS, work[i], plan_us(work[i], FREE_PAUSES), plan_us(work[i], COSTLY_PAUSES),
		       plan_us(work[i], COUNTED_PAUSES), work[i] <= 24 ? "50us" : "1000us");
}

int main(void)
{
	struct world *w = xcalloc(1, sizeof(*w));
	struct arena arena;
	struct planner_round round;
	struct figures plain[RUNS], checked[RUNS];
	double begin, init_us = 0;

	world_fill(w);
	arena_init(&arena, 1024 * 1024, 16 * 1024 * 1024);
	for (int i = 0; i < RUNS; i++) {
		arena_reset(&arena);
		world_limit(w, false);
		begin = cpu_us();
		planner_round_init(&round, &w->signals, w->jobs, JOBS, &arena);
		init_us = cpu_us() - begin;
		plain[i] = measure(&round, w);

		world_limit(w, true);
		planner_round_init(&round, &w->signals, w->jobs, JOBS, &arena);
		for (int r = 0; r < REGIONS; r++)
			planner_reserve(&round, r, (20 + r) * SLOT_MS, (40 + r) * SLOT_MS, 18000000);
		checked[i] = measure(&round, w);
	}
	qsort(plain, RUNS, sizeof(plain[0]), compare);
	qsort(checked, RUNS, sizeof(checked[0]), compare);
	printf("bench planner-one candidates=%d median_us=%.2f p99_us=%.2f checked_us=%.2f init_us=%.0f limit=%dus\n",
	       REGIONS * STARTS, plain[RUNS / 2].median, plain[RUNS / 2].p99, checked[RUNS / 2].median, init_us,
	       LIMIT_US);
	bench_interrupt();
	arena_release(&arena);
	free(w);
	return 0;
}
