/* SPDX-License-Identifier: Apache-2.0 */
/* The words of the process: one copy of each, from any thread, and bounds. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/words.h"

#define THREADS 4
#define SHARED 200

static void *name_them(void *arg)
{
	const char **seen = arg;
	char text[32];

	for (int i = 0; i < SHARED; i++) {
		(void)snprintf(text, sizeof(text), "shared-%d", i);
		seen[i] = word_of(text);
	}
	return NULL;
}

static void one_copy_for_all_threads(void **state)
{
	static const char *seen[THREADS][SHARED];
	pthread_t threads[THREADS];
	char text[32];

	(void)state;
	for (int t = 0; t < THREADS; t++)
		assert_int_equal(pthread_create(&threads[t], NULL, name_them, (void *)seen[t]), 0);
	for (int t = 0; t < THREADS; t++)
		(void)pthread_join(threads[t], NULL);
	for (int i = 0; i < SHARED; i++) {
		(void)snprintf(text, sizeof(text), "shared-%d", i);
		assert_string_equal(seen[0][i], text);
		for (int t = 1; t < THREADS; t++)
			assert_ptr_equal(seen[t][i], seen[0][i]);
	}
}

static void what_does_not_fit_is_the_callers_own(void **state)
{
	char text[WORD_MAX_LEN + 2] = "";
	struct arena a;
	int known = 0;

	(void)state;
	memset(text, 'l', WORD_MAX_LEN + 1);
	assert_null(word_of(text));
	text[WORD_MAX_LEN] = '\0';
	assert_non_null(word_of(text));
	for (int i = 0; i < 3 * WORDS_MAX; i++) {
		(void)snprintf(text, sizeof(text), "junk-%d", i);
		known += word_of(text) != NULL;
	}
	assert_in_range(known, WORDS_MAX / 2, WORDS_MAX);
	/* Those that were known stay. */
	assert_non_null(word_of("shared-0"));
	assert_null(word_of("one more"));
	arena_init(&a, 64, 1024);
	assert_ptr_equal(arena_word(&a, "shared-1"), word_of("shared-1"));
	assert_int_equal(arena_used(&a), 0);
	assert_string_equal(arena_word(&a, "one more"), "one more");
	assert_true(arena_used(&a) > 0);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_copy_for_all_threads),
		cmocka_unit_test(what_does_not_fit_is_the_callers_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
