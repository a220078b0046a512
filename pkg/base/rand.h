/* SPDX-License-Identifier: Apache-2.0 */
/* Random numbers: secrets and jitter from the kernel; a seeded generator (SplitMix64) where runs must repeat. */
#ifndef BASE_RAND_H
#define BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

/* From getrandom(2). Thread: any. */
void rand_bytes(void *out, size_t len);
uint64_t rand_u64(void);
/* Uniform in [0, n); n > 0. For jitter. */
int64_t rand_below(int64_t n);

/* Sebastiano Vigna's SplitMix64, public domain algorithm: advances *state. Pure. */
uint64_t rand_next(uint64_t *state);
/* Uniform in [0, 1) with 53 bits. Pure. */
double rand_unit(uint64_t *state);
/* Standard normal deviate (Box-Muller). Pure. */
double rand_normal(uint64_t *state);

#endif
