/* SPDX-License-Identifier: Apache-2.0 */
/* Resident memory: giving back what only starting needed. */
#ifndef BASE_RESIDENT_H
#define BASE_RESIDENT_H

/*
 * Gives the heap's free pages back, and unmaps clean pages of programs and libraries: those still in use come back from
 * the page cache with the next call into them, those of start-up (relocation, library initialisation, parsing lists)
 * stay out. Costs some page faults (about 100 us); never fails. Thread: any.
 */
void resident_trim(void);

#endif
