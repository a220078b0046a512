/* SPDX-License-Identifier: Apache-2.0 */
/* GridRegions, nodes and requests made by hand, for the extender's tests. */
#ifndef TESTS_UNIT_EXTENDER_FIXTURE_H
#define TESTS_UNIT_EXTENDER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "extender/answer.h"

/* 2023-11-14T22:00:00Z, the beginning of a slot. */
#define NOW INT64_C(1699999200000)
#define FIXTURE_MAX_AGE_MS (6 * HOUR_MS)
#define FIXTURE_SLOTS 96
#define FIXTURE_REGIONS 6

/* Flat forecasts until a test changes them: carbon in g/kWh, price in micros, renewable in per mille. */
struct fixture_region {
	struct gridregion r;
	int32_t carbon[FIXTURE_SLOTS], price[FIXTURE_SLOTS], renewable[FIXTURE_SLOTS];
};

struct fixture {
	struct fixture_region regions[FIXTURE_REGIONS];
	size_t n_regions;
	struct extender_snapshot *snapshot;
	struct extender_scratch scratch;
	struct buf reply;
	struct extender_outcome outcome;
	struct error err;
};

static inline void fixture_fill(int32_t *column, int32_t value)
{
	for (int i = 0; i < FIXTURE_SLOTS; i++)
		column[i] = value;
}

static inline struct fixture_region *fixture_add(struct fixture *f, const char *name, int32_t carbon_g, int32_t price)
{
	struct fixture_region *x = &f->regions[f->n_regions++];
	struct grid_basis basis = { "average", "direct", "consumption", "regional" };

	x->r.obj.meta.name = name;
	x->r.group = "gb";
	x->r.currency = "GBP";
	x->r.basis = basis;
	fixture_fill(x->carbon, carbon_g * 1000);
	fixture_fill(x->price, price);
	fixture_fill(x->renewable, 500);
	x->r.forecast = (struct grid_forecast){ .start_ms = NOW,
						.slot_ms = SLOT_MS,
						.issued_ms = NOW,
						.n = FIXTURE_SLOTS,
						.carbon_p50 = x->carbon,
						.price_p50 = x->price,
						.renewable = x->renewable };
	return x;
}

/* Node "a1", "a2", ... of region 0, "b1" ... of region 1 and so on, `each` of them; "x1" belongs to no region. */
static inline void fixture_build(struct fixture *f, int each)
{
	struct extender_node nodes[FIXTURE_REGIONS * 8 + 1];
	const struct gridregion *regions[FIXTURE_REGIONS];
	char names[FIXTURE_REGIONS * 8][3];
	size_t n = 0;

	assert_true(each <= 8);
	for (size_t i = 0; i < f->n_regions; i++) {
		regions[i] = &f->regions[i].r;
		for (int k = 1; k <= each; k++, n++) {
			(void)snprintf(names[n], sizeof(names[n]), "%c%d", (char)('a' + i), k % 10);
			nodes[n] = (struct extender_node){ str_from(names[n]), (int)i };
		}
	}
	nodes[n++] = (struct extender_node){ STR("x1"), -1 };
	extender_snapshot_unref(f->snapshot);
	f->snapshot = extender_snapshot_new(nodes, n, regions, f->n_regions, FIXTURE_MAX_AGE_MS);
}

static inline int fixture_setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	buf_init(&f->reply, EXTENDER_MAX_REPLY);
	*state = f;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	extender_snapshot_unref(f->snapshot);
	extender_scratch_release(&f->scratch);
	buf_release(&f->reply);
	free(f);
	return 0;
}

/* The reply, or NULL after an error, which is in f->err. */
static inline const char *fixture_ask(struct fixture *f, enum extender_verb verb, const char *body)
{
	buf_reset(&f->reply);
	f->err = (struct error)ERROR_INIT;
	if (extender_answer(verb, str_from(body), f->snapshot, NOW, &f->scratch, &f->reply, &f->outcome, &f->err))
		return NULL;
	return buf_cstr(&f->reply);
}

#endif
