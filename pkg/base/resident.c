/* SPDX-License-Identifier: Apache-2.0 */
/* Shrinking the resident set after start-up; Linux and glibc. */
#include "base/resident.h"

#include <link.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#include "base/cleanup.h"

/* Was its text relocated in place? Nothing of ours is, but a foreign library could be. */
static bool has_text_relocations(const struct dl_phdr_info *object)
{
	for (int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &object->dlpi_phdr[i];
		const ElfW(Dyn) *d = (const void *)(object->dlpi_addr + p->p_vaddr);

		for (; p->p_type == PT_DYNAMIC && d->d_tag != DT_NULL; d++)
			if (d->d_tag == DT_TEXTREL || (d->d_tag == DT_FLAGS && (d->d_un.d_val & DF_TEXTREL)))
				return true;
	}
	return false;
}

/*
 * A segment that is loaded read-only holds what is in the file and nothing else: data that are relocated and then
 * protected belong to a writable segment. The loader's lock is held, so that nothing is unloaded meanwhile.
 */
static int drop_clean_segments(struct dl_phdr_info *object, size_t size, void *arg)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	(void)size;
	(void)arg;
	if (has_text_relocations(object))
		return 0;
	for (int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &object->dlpi_phdr[i];
		uintptr_t begin = (object->dlpi_addr + p->p_vaddr) & ~(page - 1);
		uintptr_t end = (object->dlpi_addr + p->p_vaddr + p->p_memsz) & ~(page - 1);

		if (p->p_type == PT_LOAD && !(p->p_flags & PF_W) && end > begin)
			(void)madvise((void *)begin, end - begin, MADV_DONTNEED);
	}
	return 0;
}

void resident_trim(void)
{
	(void)malloc_trim(0);
	(void)dl_iterate_phdr(drop_clean_segments, NULL);
}
