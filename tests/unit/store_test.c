/* SPDX-License-Identifier: Apache-2.0 */
/* pkg/k8s/store: lookups, indexes, events, the atomic swap, and readers beside the writer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "k8s/store.h"
#include "k8s/types/pod.h"

#define N 200

static const struct object *pod(const char *name, int version, const char *owner)
{
	char text[512];
	const struct object *o = NULL;
	struct error err = ERROR_INIT;

	(void)snprintf(
		text, sizeof(text),
		"{\"metadata\":{\"name\":\"%s\",\"namespace\":\"ns\",\"uid\":\"uid-%s\",\"resourceVersion\":\"%d\","
		"\"ownerReferences\":[{\"kind\":\"Job\",\"apiVersion\":\"batch/v1\",\"name\":\"j\",\"uid\":\"%s\","
		"\"controller\":true}]}}",
		name, name, version, owner);
	if (object_parse(&pod_type, str_from(text), &o, &err))
		fail_msg("%s", err.msg);
	return o;
}

struct seen {
	int added, updated, deleted;
};

static void count(void *arg, const struct object *old, const struct object *new)
{
	struct seen *s = arg;

	s->added += !old;
	s->updated += old && new;
	s->deleted += !new;
}

static void put(struct store *s, const char *name, int version, const char *owner, struct seen *seen)
{
	const struct object *o _cleanup_object_ = pod(name, version, owner);

	store_put(s, o, count, seen);
}

static size_t n_owned(struct store *s, int index, const char *owner)
{
	struct object_list l;

	store_find(s, index, owner, &l);
	size_t n = l.len;
	object_list_release(&l);
	return n;
}

static void tells_added_updated_deleted_and_nothing_else(void **state)
{
	(void)state;
	struct store *s = store_new(10);
	struct seen seen = { 0 };

	put(s, "a", 1, "x", &seen);
	put(s, "a", 1, "x", &seen); /* the same version */
	put(s, "a", 2, "x", &seen);
	store_delete(s, "ns/a", count, &seen);
	store_delete(s, "ns/a", count, &seen);
	assert_int_equal(seen.added, 1);
	assert_int_equal(seen.updated, 1);
	assert_int_equal(seen.deleted, 1);
	assert_int_equal(store_version(s), 3);
	assert_null(store_get(s, "ns/a"));
	store_free(s);
}

static void a_reader_keeps_what_it_got(void **state)
{
	(void)state;
	struct store *s = store_new(10);
	struct seen seen = { 0 };

	put(s, "a", 1, "x", &seen);
	const struct object *o = store_get_ns(s, "ns", "a");
	store_delete(s, "ns/a", NULL, NULL);
	store_free(s);
	assert_string_equal(o->meta.name, "a");
	object_unref(o);
}

static void indexes_follow_every_change(void **state)
{
	(void)state;
	struct store *s = store_new(10);
	int by_owner = store_add_index(s, store_index_owner_uid), by_ns = store_add_index(s, store_index_namespace);
	struct seen seen = { 0 };

	put(s, "a", 1, "x", &seen);
	put(s, "b", 1, "x", &seen);
	put(s, "c", 1, "y", &seen);
	assert_int_equal(n_owned(s, by_owner, "x"), 2);
	assert_int_equal(n_owned(s, by_ns, "ns"), 3);
	put(s, "a", 2, "y", &seen);
	assert_int_equal(n_owned(s, by_owner, "x"), 1);
	assert_int_equal(n_owned(s, by_owner, "y"), 2);
	store_delete(s, "ns/b", NULL, NULL);
	assert_int_equal(n_owned(s, by_owner, "x"), 0);
	store_replace(s, NULL, 0, NULL, NULL);
	assert_int_equal(n_owned(s, by_owner, "y"), 0);
	store_free(s);
}

static void a_relist_swaps_everything_and_tells_the_differences(void **state)
{
	(void)state;
	struct store *s = store_new(10);
	int by_owner = store_add_index(s, store_index_owner_uid);
	struct seen seen = { 0 };
	const struct object *fresh[3];

	put(s, "gone", 1, "x", &seen);
	put(s, "same", 1, "x", &seen);
	put(s, "newer", 1, "x", &seen);
	const struct object *before = store_get(s, "ns/same");
	fresh[0] = pod("same", 1, "x");
	fresh[1] = pod("newer", 2, "y");
	fresh[2] = pod("new", 1, "y");
	seen = (struct seen){ 0 };
	store_replace(s, fresh, 3, count, &seen);
	assert_int_equal(seen.added, 1);
	assert_int_equal(seen.updated, 1);
	assert_int_equal(seen.deleted, 1);
	assert_int_equal(store_len(s), 3);
	assert_int_equal(n_owned(s, by_owner, "y"), 2);
	const struct object *after = store_get(s, "ns/same");
	assert_ptr_equal(before, after);
	object_unref(before);
	object_unref(after);
	for (int i = 0; i < 3; i++)
		object_unref(fresh[i]);
	store_free(s);
}

static void a_full_store_drops_and_counts(void **state)
{
	(void)state;
	struct store *s = store_new(2);
	struct seen seen = { 0 };

	(void)store_add_index(s, store_index_owner_uid);
	put(s, "a", 1, "x", &seen);
	put(s, "b", 1, "x", &seen);
	put(s, "c", 1, "x", &seen);
	assert_int_equal(store_len(s), 2);
	assert_int_equal(store_dropped(s), 1);
	assert_int_equal(seen.added, 2);
	put(s, "a", 2, "x", &seen);
	assert_int_equal(seen.updated, 1);
	store_free(s);
}

struct shared {
	struct store *s;
	int by_owner;
	_Atomic(bool) stop;
	_Atomic(int) reads;
	_Atomic(int) halves;
};

/* A reader must see a list of N or of N/2, never something between. */
static void *reader(void *arg)
{
	struct shared *sh = arg;

	while (!atomic_load(&sh->stop)) {
		struct object_list l;

		store_list(sh->s, &l);
		if (l.len != N && l.len != N / 2)
			atomic_fetch_add(&sh->halves, 1);
		object_list_release(&l);
		store_find(sh->s, sh->by_owner, "x", &l);
		object_list_release(&l);
		const struct object *o _cleanup_object_ = store_get(sh->s, "ns/p7");
		if (o && strcmp(o->meta.name, "p7") != 0)
			atomic_fetch_add(&sh->halves, 1);
		atomic_fetch_add(&sh->reads, 1);
	}
	return NULL;
}

static void readers_never_see_half_a_relist(void **state)
{
	(void)state;
	static struct shared sh;
	const struct object *items[N];
	pthread_t threads[3];

	sh.s = store_new(1000);
	sh.by_owner = store_add_index(sh.s, store_index_owner_uid);
	for (int i = 0; i < N; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "p%d", i);
		items[i] = pod(name, 1, i % 2 ? "x" : "y");
	}
	store_replace(sh.s, items, N, NULL, NULL);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, reader, &sh), 0);
	/* On a busy machine the readers may come late. */
	for (int round = 0; round < 100 || atomic_load(&sh.reads) == 0; round++) {
		const struct object *newer _cleanup_object_ = pod("p7", 2 + round, "y");

		store_replace(sh.s, items, round % 2 ? N : N / 2, NULL, NULL);
		store_put(sh.s, newer, NULL, NULL);
	}
	atomic_store(&sh.stop, true);
	for (int i = 0; i < 3; i++)
		(void)pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&sh.halves), 0);
	assert_true(atomic_load(&sh.reads) > 0);
	for (int i = 0; i < N; i++)
		object_unref(items[i]);
	store_free(sh.s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_added_updated_deleted_and_nothing_else),
		cmocka_unit_test(a_reader_keeps_what_it_got),
		cmocka_unit_test(indexes_follow_every_change),
		cmocka_unit_test(a_relist_swaps_everything_and_tells_the_differences),
		cmocka_unit_test(a_full_store_drops_and_counts),
		cmocka_unit_test(readers_never_see_half_a_relist),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
