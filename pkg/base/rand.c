/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel randomness and the seeded SplitMix64 generator. */
#include "base/rand.h"

#include <errno.h>
#include <math.h>
#include <sys/random.h>

void rand_bytes(void *out, size_t len)
{
	unsigned char *p = out;

	while (len > 0) {
		ssize_t n = getrandom(p, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			abort(); /* the kernel always has this call; without it nothing here is safe */
		p += n;
		len -= (size_t)n;
	}
}

uint64_t rand_u64(void)
{
	uint64_t v;

	rand_bytes(&v, sizeof(v));
	return v;
}

int64_t rand_below(int64_t n)
{
	/* The high half of a 128-bit product: the bias of at most n / 2^64 does not matter for jitter. */
	return (int64_t)(((unsigned __int128)rand_u64() * (uint64_t)n) >> 64);
}

uint64_t rand_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

double rand_unit(uint64_t *state)
{
	return (double)(rand_next(state) >> 11) * 0x1.0p-53;
}

double rand_normal(uint64_t *state)
{
	double u = 1.0 - rand_unit(state); /* (0, 1]: its logarithm is finite */
	double v = rand_unit(state);

	return sqrt(-2.0 * log(u)) * cos(2.0 * M_PI * v);
}
