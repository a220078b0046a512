/* SPDX-License-Identifier: Apache-2.0 */
/* A world of up to eight regions for planner_test.c and planner_random_test.c. */
#ifndef TESTS_UNIT_PLANNER_FIXTURE_H
#define TESTS_UNIT_PLANNER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "planner/planner.h"

#define T0 INT64_C(1675900800000) /* 2023-02-09T00:00:00Z */
#define SLOT(n) (T0 + (n)*SLOT_MS)
#define U PLANNER_UNKNOWN
#define MAX_SLOTS 48
#define MAX_REGIONS 8

struct world {
	struct arena arena;
	int32_t carbon[MAX_REGIONS][MAX_SLOTS], price[MAX_REGIONS][MAX_SLOTS], renewable[MAX_REGIONS][MAX_SLOTS];
	struct planner_region regions[MAX_REGIONS];
	struct planner_signals signals;
	struct planner_round round;
};

static inline int setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));

	arena_init(&w->arena, 4096, 4 * 1024 * 1024);
	w->signals = (struct planner_signals){ .now_ms = T0,
					       .first_slot_ms = T0,
					       .slot_ms = SLOT_MS,
					       .regions = w->regions,
					       .price_error_permille = 100 };
	for (int r = 0; r < MAX_REGIONS; r++)
		w->regions[r].name = "r";
	*state = w;
	return 0;
}

static inline int teardown(void **state)
{
	struct world *w = *state;

	arena_release(&w->arena);
	free(w);
	return 0;
}

static inline void assert_choice(const struct planner_result *r, enum planner_outcome outcome, int region,
				 int64_t start_ms)
{
	assert_string_equal(planner_outcome_name(r->outcome), planner_outcome_name(outcome));
	assert_int_equal(r->choice.region, region);
	if (region != PLANNER_NO_REGION)
		assert_int_equal((r->choice.start_ms - T0) / SECOND_MS, (start_ms - T0) / SECOND_MS);
}

#define assert_binding(r, b) assert_string_equal(planner_binding_name((r).binding), planner_binding_name(b))

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
