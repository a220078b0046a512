/* SPDX-License-Identifier: Apache-2.0 */
/* The snapshot: every name is found and no other, means over any span, and swapping it under readers. */
#include <math.h>
#include <pthread.h>

#include "base/rand.h"
#include "extender_fixture.h"

static void finds_every_name_and_no_other(void **state)
{
	enum { N = 20000 };
	struct extender_node *nodes = xcalloc(N, sizeof(*nodes));
	struct extender_snapshot *s;
	struct fixture *f = *state;
	const struct gridregion *regions[2];
	char other[64];

	for (int i = 0; i < 2; i++) {
		fixture_add(f, i ? "b" : "a", 1, 1);
		regions[i] = &f->regions[i].r;
	}
	/* Names of many lengths, most of them alike but for a digit. */
	for (int i = 0; i < N; i++)
		nodes[i] = (struct extender_node){
			str_from(xasprintf("%.*s%d", i % 30, "ip-10-0-node.pool.region.cloud.example", i)), i % 3 - 1
		};
	s = extender_snapshot_new(nodes, N, regions, 2, 0);
	assert_int_equal(s->n_nodes, N);
	for (int i = 0; i < N; i++)
		assert_int_equal(extender_snapshot_region(s, nodes[i].name), i % 3 == 0 ? 2 : i % 3 - 1);
	for (int i = 0; i < N; i++) {
		(void)snprintf(other, sizeof(other), "%.*sx", STR_FMT(nodes[i].name));
		assert_int_equal(extender_snapshot_region(s, str_from(other)), 2);
	}
	assert_int_equal(extender_snapshot_region(s, STR("")), 2);
	extender_snapshot_unref(s);
	for (int i = 0; i < N; i++)
		free((char *)nodes[i].name.ptr);
	free(nodes);
}

static void takes_odd_input(void **state)
{
	_cleanup_free_ char *longest = xmalloc(300);
	struct extender_node nodes[3] = { { STR("twice"), 0 }, { STR("twice"), -1 }, { str_of(longest, 253), 0 } };
	struct extender_snapshot *s;
	struct fixture *f = *state;
	const struct gridregion *region = &f->regions[0].r;

	fixture_add(f, "a", 1, 1);
	memset(longest, 'n', 300);
	s = extender_snapshot_new(NULL, 0, NULL, 0, 0);
	assert_int_equal(extender_snapshot_region(s, STR("anything")), 0);
	extender_snapshot_unref(s);
	s = extender_snapshot_new(nodes, ARRAY_LEN(nodes), &region, 1, 0);
	assert_int_equal(s->n_nodes, 2);
	assert_int_equal(extender_snapshot_region(s, STR("twice")), 0);
	assert_int_equal(extender_snapshot_region(s, str_of(longest, 253)), 0);
	assert_int_equal(extender_snapshot_region(s, str_of(longest, 254)), 1);
	assert_int_equal(extender_snapshot_region(s, STR_NULL), 1);
	extender_snapshot_unref(s);
	extender_snapshot_unref(NULL);
}

static void too_many_regions_are_left_out(void **state)
{
	enum { N = EXTENDER_MAX_REGIONS + 40 };
	struct fixture_region *all = xcalloc(N, sizeof(*all));
	const struct gridregion *regions[N];
	struct extender_node nodes[2] = { { STR("last"), EXTENDER_MAX_REGIONS - 1 }, { STR("beyond"), N - 1 } };
	struct extender_snapshot *s;

	(void)state;
	for (int i = 0; i < N; i++) {
		all[i].r.obj.meta.name = "r";
		all[i].r.forecast.start_ms = TIME_NONE;
		regions[i] = &all[i].r;
	}
	s = extender_snapshot_new(nodes, 2, regions, N, 0);
	assert_int_equal(s->n_regions, EXTENDER_MAX_REGIONS);
	assert_int_equal(extender_snapshot_region(s, STR("last")), EXTENDER_MAX_REGIONS - 1);
	assert_int_equal(extender_snapshot_region(s, STR("beyond")), EXTENDER_MAX_REGIONS);
	extender_snapshot_unref(s);
	free(all);
}

/* Minute by minute, without prefix sums. */
static double naive_mean(const struct grid_forecast *f, int64_t from_ms, int64_t to_ms)
{
	double sum = 0, n = 0;

	for (int64_t t = from_ms; t < to_ms; t += MINUTE_MS) {
		int64_t i = t < f->start_ms ? -1 : (t - f->start_ms) / f->slot_ms;

		if (i < 0 || i >= f->n || f->carbon_p50[i] == GRID_UNKNOWN)
			continue;
		sum += f->carbon_p50[i];
		n++;
	}
	return n > 0 ? sum / n : NAN;
}

static void means_prorate_slots_and_skip_unknown_ones(void **state)
{
	struct fixture *f = *state;
	struct fixture_region *r = fixture_add(f, "a", 1, 1);
	const struct outlook *o;
	uint64_t seed = 3;

	for (int i = 0; i < FIXTURE_SLOTS; i++)
		r->carbon[i] = rand_unit(&seed) < 0.2 ? GRID_UNKNOWN : (int32_t)(rand_unit(&seed) * 600000) - 50000;
	fixture_build(f, 1);
	o = &f->snapshot->regions[0].outlook;
	for (int k = 0; k < 2000; k++) {
		int64_t from = NOW + ((int64_t)(rand_unit(&seed) * 3200) - 100) * MINUTE_MS;
		int64_t to = from + (int64_t)(rand_unit(&seed) * 600) * MINUTE_MS;
		double expected = naive_mean(&r->r.forecast, from, to),
		       mean = outlook_mean(o, OUTLOOK_CARBON, from, to);

		assert_int_equal(isnan(expected), isnan(mean));
		if (!isnan(expected))
			assert_true(fabs(mean - expected) < 0.01);
	}
	for (int i = 0; i < FIXTURE_SLOTS; i++)
		assert_int_equal(outlook_has(o, NOW + i * SLOT_MS + 7), r->carbon[i] != GRID_UNKNOWN);
	assert_false(outlook_has(o, NOW - 1));
	assert_false(outlook_has(o, NOW + FIXTURE_SLOTS * SLOT_MS));
}

struct swapping {
	struct extender_holder holder;
	_Atomic(bool) stop;
	struct fixture *f;
};

static struct extender_snapshot *snapshot_of(const struct fixture *f, int region)
{
	const struct gridregion *regions[2] = { &f->regions[0].r, &f->regions[1].r };
	struct extender_node node = { STR("node"), region };

	return extender_snapshot_new(&node, 1, regions, 2, 0);
}

static void *read_snapshots(void *arg)
{
	struct swapping *w = arg;
	uintptr_t reads = 0;

	while (!w->stop) {
		_cleanup_(extender_snapshot_cleanup) struct extender_snapshot *s = extender_holder_get(&w->holder);

		/* Assertions belong to the test's own thread: a wrong answer stops the count instead. */
		if (!s || extender_snapshot_region(s, STR("node")) > 1)
			return NULL;
		reads++;
	}
	return (void *)(reads + 1);
}

static void swaps_under_readers(void **state)
{
	struct swapping w = { .f = *state };
	pthread_t readers[3];

	fixture_add(w.f, "a", 1, 1);
	fixture_add(w.f, "b", 1, 1);
	(void)pthread_mutex_init(&w.holder.mutex, NULL);
	assert_null(extender_holder_get(&w.holder));
	extender_holder_set(&w.holder, snapshot_of(w.f, 0));
	for (size_t i = 0; i < ARRAY_LEN(readers); i++)
		assert_int_equal(pthread_create(&readers[i], NULL, read_snapshots, &w), 0);
	for (int i = 0; i < 2000; i++)
		extender_holder_set(&w.holder, snapshot_of(w.f, i % 2));
	w.stop = true;
	for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
		void *result;

		assert_int_equal(pthread_join(readers[i], &result), 0);
		assert_non_null(result);
	}
	extender_holder_set(&w.holder, NULL);
	assert_null(extender_holder_get(&w.holder));
	(void)pthread_mutex_destroy(&w.holder.mutex);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(finds_every_name_and_no_other), TEST(takes_odd_input),
		TEST(too_many_regions_are_left_out), TEST(means_prorate_slots_and_skip_unknown_ones),
		TEST(swaps_under_readers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
