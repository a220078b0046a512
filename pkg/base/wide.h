/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the few loops over all candidates that are worth it: compiled twice, and the processor at hand picks. Both give
 * the same bits, since neither may fuse a multiplication with an addition (Makefile). (ThreadSanitizer is not up yet
 * when the choice is made.)
 */
#ifndef BASE_WIDE_H
#define BASE_WIDE_H

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_THREAD__)
#define WIDE_VECTORS __attribute__((target_clones("avx2", "default")))
#else
#define WIDE_VECTORS
#endif

/* What they call has to be part of each of them. */
#define WIDE_INLINE static inline __attribute__((always_inline))

/* Doubles that such a loop goes through at a time. */
#define LANES 4

#endif
