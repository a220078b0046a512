/* SPDX-License-Identifier: Apache-2.0 */
/* resident_trim(): nothing that the program wrote or relocated is lost, clean pages go, threads run on meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "base/alloc.h"
#include "base/resident.h"
#include "base/str.h"

static char text[] = "data";
/* Relocated at start, then read-only. */
static char *const relocated[] = { text, text + 1, text + 2 };
static const char constant[3 * 4096] = "constant";

static void what_was_written_stays(void **state)
{
	size_t n = (size_t)1 << 20;
	char *heap = xmalloc(n);

	(void)state;
	memset(heap, 7, n);
	text[3] = 'e';
	for (int i = 0; i < 3; i++)
		resident_trim();
	for (size_t i = 0; i < n; i++)
		assert_int_equal(heap[i], 7);
	assert_string_equal(relocated[1], "ate");
	assert_string_equal(constant, "constant");
	free(heap);
}

/* Second field of /proc/self/statm. */
static long resident_pages(void)
{
	_cleanup_file_ FILE *f = fopen("/proc/self/statm", "re");
	char line[128];
	char *p;

	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	(void)strtol(line, &p, 10);
	return strtol(p, NULL, 10);
}

static void clean_pages_go(void **state)
{
	long before = resident_pages();

	(void)state;
	resident_trim();
	assert_true(resident_pages() < before);
}

static void *work(void *arg)
{
	const atomic_bool *stop = arg;
	uintptr_t n = 0;

	while (!atomic_load(stop)) {
		char *s = xasprintf("%s %d", relocated[0], 42);

		n += strcmp(s, "date 42") == 0;
		free(s);
	}
	return (void *)n;
}

static void other_threads_run_on(void **state)
{
	atomic_bool stop = false;
	pthread_t t[2];
	void *worked;

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&t[i], NULL, work, &stop), 0);
	for (int i = 0; i < 200; i++)
		resident_trim();
	atomic_store(&stop, true);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(t[i], &worked), 0);
		assert_non_null(worked);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_stays),
		cmocka_unit_test(clean_pages_go),
		cmocka_unit_test(other_threads_run_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
