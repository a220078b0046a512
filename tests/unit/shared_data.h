/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recorded data that lie beside the checkout: below $LOADSHIFT_SHARED, else ../shared. Where they are missing the test
 * is skipped and says so, by a longjmp: nothing may have been allocated before.
 */
#ifndef TESTS_UNIT_SHARED_DATA_H
#define TESTS_UNIT_SHARED_DATA_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/str.h"

/* The path, valid until the next call. */
static inline const char *shared_path(const char *name)
{
	static char path[1024];
	const char *shared = getenv("LOADSHIFT_SHARED");

	(void)snprintf(path, sizeof(path), "%s/%s", shared ? shared : "../shared", name);
	if (access(path, R_OK) != 0) {
		print_message("skipped: there is no %s (LOADSHIFT_SHARED names the folder)\n", path);
		skip();
	}
	return path;
}

/* Its text, that of an .xz unpacked; pclose() it. */
static inline FILE *shared_open(const char *name)
{
	const char *path = shared_path(name);
	char command[1100];
	FILE *f;

	(void)snprintf(command, sizeof(command), "%s '%s'",
		       str_has_suffix(str_from(path), STR(".xz")) ? "xz -dc" : "cat", path);
	f = popen(command, "r");
	assert_non_null(f);
	return f;
}

#endif
