/* SPDX-License-Identifier: Apache-2.0 */
/* What the last planning round published. */
#include "controller/plan_table.h"

#include "base/alloc.h"
#include "base/map.h"
#include "base/vec.h"
#include "decide/memory.h"
#include "k8s/informer.h"

#define GRID_MAX_BYTES (256 * 1024 * 1024)

struct plan_table {
	pthread_mutex_t mutex;
	struct map entries; /* uid -> struct plan_entry */
	struct grid_snapshot *grid;
};

struct grid_snapshot *grid_snapshot_new(struct store *regions, struct store *nodes,
					const struct translate_config *config, int64_t now_ms,
					const struct grid_snapshot *before)
{
	struct grid_snapshot *s = xcalloc(1, sizeof(*s));
	struct object_list node_list;

	atomic_init(&s->refs, 1);
	arena_init(&s->arena, 16384, GRID_MAX_BYTES);
	store_list(regions, &s->regions);
	store_list(nodes, &node_list);
	_cleanup_free_ const struct gridregion **r = xcalloc(s->regions.len, sizeof(const struct gridregion *));
	_cleanup_free_ const struct node **n = xcalloc(node_list.len, sizeof(const struct node *));
	for (size_t i = 0; i < s->regions.len; i++)
		r[i] = gridregion_of(s->regions.items[i]);
	for (size_t i = 0; i < node_list.len; i++)
		n[i] = node_of(node_list.items[i]);
	grid_view_init(&s->view, config, now_ms, r, (int)s->regions.len, n, node_list.len, &s->arena);
	memory_make(&s->view, before ? &before->view : NULL, &s->arena);
	object_list_release(&node_list);
	return s;
}

struct grid_snapshot *grid_snapshot_ref(struct grid_snapshot *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void grid_snapshot_unref(struct grid_snapshot *s)
{
	if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	object_list_release(&s->regions);
	arena_release(&s->arena);
	free(s);
}

struct plan_table *plan_table_new(void)
{
	struct plan_table *t = xcalloc(1, sizeof(*t));

	(void)pthread_mutex_init(&t->mutex, NULL);
	map_init_borrowing(&t->entries, INFORMER_MAX_OBJECTS);
	return t;
}

static void entries_free(struct map *entries)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(entries, &i));)
		plan_entry_unref(e->value);
	map_release(entries);
}

void plan_table_free(struct plan_table *t)
{
	if (!t)
		return;
	entries_free(&t->entries);
	if (t->grid)
		grid_snapshot_unref(t->grid);
	(void)pthread_mutex_destroy(&t->mutex);
	free(t);
}

struct plan_entry *plan_table_get(struct plan_table *t, const char *uid)
{
	MUTEX_GUARD(&t->mutex);
	struct plan_entry *p = map_get(&t->entries, str_from(uid));

	return p ? plan_entry_ref(p) : NULL;
}

struct grid_snapshot *plan_table_grid(struct plan_table *t)
{
	MUTEX_GUARD(&t->mutex);
	return t->grid ? grid_snapshot_ref(t->grid) : NULL;
}

size_t plan_table_len(struct plan_table *t)
{
	MUTEX_GUARD(&t->mutex);
	return t->entries.len;
}

void plan_table_publish(struct plan_table *t, struct grid_snapshot *grid, const struct plan_row *rows, size_t n,
			void (*changed)(void *arg, const char *key), void *arg)
{
	_cleanup_free_ bool *news = xcalloc(n, sizeof(bool));
	struct map old, fresh;
	struct grid_snapshot *old_grid;
	struct error err;

	map_init_borrowing(&fresh, INFORMER_MAX_OBJECTS);
	for (size_t i = 0; i < n; i++) {
		void *twin = NULL;
		/* Only this thread writes, so the old table can be read without the lock. */
		const struct plan_entry *before = map_get(&t->entries, str_from(rows[i].entry->uid));

		news[i] = !before || !plan_entry_equal(before, rows[i].entry);
		if (map_put(&fresh, str_from(rows[i].entry->uid), rows[i].entry, &twin, &err))
			plan_entry_unref(rows[i].entry); /* more jobs than any informer holds */
		else if (twin)
			plan_entry_unref(twin);
	}
	(void)pthread_mutex_lock(&t->mutex);
	old = t->entries;
	old_grid = t->grid;
	t->entries = fresh;
	t->grid = grid;
	(void)pthread_mutex_unlock(&t->mutex);
	entries_free(&old);
	if (old_grid)
		grid_snapshot_unref(old_grid);
	for (size_t i = 0; i < n; i++) {
		if (news[i])
			changed(arg, rows[i].key);
	}
}
