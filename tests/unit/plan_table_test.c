/* SPDX-License-Identifier: Apache-2.0 */
/* The plan table: who is told of a change, and readers beside the writer. */
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "controller/plan_table.h"

#define ROUNDS 300
#define READERS 3

static struct plan_entry *entry(const char *uid, const char *plan_id)
{
	struct arena arena;

	arena_init(&arena, 512, 4096);
	struct plan_entry *p = arena_new(&arena, struct plan_entry);
	p->uid = arena_strdup(&arena, uid);
	p->plan_id = arena_strdup(&arena, plan_id);
	p->reason = "Optimised";
	p->explanation = arena_printf(&arena, "plan %s", plan_id);
	p->arena = arena;
	atomic_init(&p->refs, 1);
	return p;
}

static struct grid_snapshot *grid(void)
{
	struct grid_snapshot *g = xcalloc(1, sizeof(*g));

	arena_init(&g->arena, 256, 4096);
	atomic_init(&g->refs, 1);
	return g;
}

static void note(void *arg, const char *key)
{
	struct buf *told = arg;

	buf_addf(told, "%s ", key);
}

static void only_changes_are_told(void **state)
{
	_cleanup_(buf_release) struct buf told = BUF_INIT(1000);
	struct plan_table *t = plan_table_new();

	(void)state;
	assert_null(plan_table_get(t, "u1"));
	assert_null(plan_table_grid(t));
	struct plan_row first[] = { { "ns/a", entry("u1", "1") }, { "ns/b", entry("u2", "1") } };
	plan_table_publish(t, grid(), first, 2, note, &told);
	assert_string_equal(buf_cstr(&told), "ns/a ns/b ");
	buf_reset(&told);
	struct plan_row second[] = { { "ns/a", entry("u1", "1") }, { "ns/b", entry("u2", "2") } };
	plan_table_publish(t, grid(), second, 2, note, &told);
	assert_string_equal(buf_cstr(&told), "ns/b ");
	buf_reset(&told);
	struct plan_row third[] = { { "ns/b", entry("u2", "2") } };
	plan_table_publish(t, grid(), third, 1, note, &told);
	assert_string_equal(buf_cstr(&told), "");
	assert_null(plan_table_get(t, "u1"));
	assert_int_equal(plan_table_len(t), 1);
	plan_table_free(t);
}

static void a_reader_keeps_what_it_holds(void **state)
{
	_cleanup_(buf_release) struct buf told = BUF_INIT(1000);
	struct plan_table *t = plan_table_new();
	struct plan_row row = { "ns/a", entry("u", "old") };

	(void)state;
	plan_table_publish(t, grid(), &row, 1, note, &told);
	struct plan_entry *held = plan_table_get(t, "u");
	struct grid_snapshot *held_grid = plan_table_grid(t);
	plan_table_publish(t, grid(), NULL, 0, note, &told);
	plan_table_free(t);
	assert_string_equal(held->plan_id, "old");
	plan_entry_unref(held);
	grid_snapshot_unref(held_grid);
}

struct shared {
	struct plan_table *table;
	_Atomic(bool) stop;
};

static void *read_on(void *arg)
{
	struct shared *s = arg;

	while (!s->stop) {
		struct plan_entry *p = plan_table_get(s->table, "u");
		struct grid_snapshot *g = plan_table_grid(s->table);

		if (p) {
			assert(strncmp(p->explanation, "plan ", 5) == 0);
			plan_entry_unref(p);
		}
		if (g)
			grid_snapshot_unref(g);
	}
	return NULL;
}

static void readers_beside_the_writer(void **state)
{
	_cleanup_(buf_release) struct buf told = BUF_INIT(100000);
	struct shared s = { .table = plan_table_new() };
	pthread_t threads[READERS];

	(void)state;
	for (int i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_on, &s), 0);
	for (int i = 0; i < ROUNDS; i++) {
		char id[16];

		(void)snprintf(id, sizeof(id), "%d", i);
		struct plan_row row = { "ns/a", entry("u", id) };
		plan_table_publish(s.table, grid(), &row, 1, note, &told);
	}
	s.stop = true;
	for (int i = 0; i < READERS; i++)
		(void)pthread_join(threads[i], NULL);
	assert_int_equal(told.len, ROUNDS * strlen("ns/a "));
	plan_table_free(s.table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_changes_are_told),
		cmocka_unit_test(a_reader_keeps_what_it_holds),
		cmocka_unit_test(readers_beside_the_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
