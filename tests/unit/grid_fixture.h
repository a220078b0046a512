/* SPDX-License-Identifier: Apache-2.0 */
/* Provider fixtures of ../shared for the unit tests: where they are, and what a provider makes of one. */
#ifndef TESTS_UNIT_GRID_FIXTURE_H
#define TESTS_UNIT_GRID_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "grid/provider.h"

#define FIXTURE_MAX ((size_t)4 * 1024 * 1024)

/* Tests that need the fixtures are skipped, aloud, where these are not. */
static inline const char *fixture_root(void)
{
	static char path[512];
	const char *shared = getenv("LOADSHIFT_SHARED");

	(void)snprintf(path, sizeof(path), "%s/fixtures", shared ? shared : "../shared");
	if (access(path, R_OK) == 0)
		return path;
	print_message("skipped: no provider fixtures in %s (LOADSHIFT_SHARED names the folder)\n", path);
	return NULL;
}

/* Appends the file's bytes. */
static inline void fixture_read(const char *provider, const char *name, struct buf *out)
{
	struct error err = ERROR_INIT;
	char path[1024];

	(void)snprintf(path, sizeof(path), "%s/%s/%s", fixture_root(), provider, name);
	if (buf_read_file(out, path, &err))
		fail_msg("%s", err.msg);
}

static inline int64_t at(const char *text)
{
	int64_t ms = 0;

	assert_true(time_parse(str_from(text), &ms));
	return ms;
}

#endif
