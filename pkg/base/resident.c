/* SPDX-License-Identifier: Apache-2.0 */
/* Shrinking the resident set after start-up; Linux and glibc. */
#include "base/resident.h"

#include <malloc.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/str.h"

/*
 * "7f1c...-7f1d... r-xp 00001000 08:01 1234 /lib/x.so": program text, or a file's beginning (headers, symbols and
 * relocations, which only the loader reads), mapped from a file and never written. Other read-only mappings may hold
 * relocated data, which MADV_DONTNEED would lose.
 */
static bool is_clean(const char *line, uintptr_t *ret_begin, uintptr_t *ret_end)
{
	char *p;

	*ret_begin = (uintptr_t)strtoull(line, &p, 16);
	if (*p != '-')
		return false;
	*ret_end = (uintptr_t)strtoull(p + 1, &p, 16);
	return (strncmp(p, " r-xp ", 6) == 0 || strncmp(p, " r--p 00000000 ", 15) == 0) && strchr(p, '/');
}

void resident_trim(void)
{
	_cleanup_file_ FILE *maps = fopen("/proc/self/maps", "re");
	_cleanup_free_ char *line = NULL;
	uintptr_t begin, end;
	size_t cap = 0;

	(void)malloc_trim(0);
	while (maps && getline(&line, &cap, maps) > 0)
		if (is_clean(line, &begin, &end))
			(void)madvise((void *)begin, end - begin, MADV_DONTNEED);
}
