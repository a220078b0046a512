/* SPDX-License-Identifier: Apache-2.0 */
/* Small helpers of this module: token bucket, condition variables on the monotonic clock, URL escaping. */
#include "k8s/internal.h"

#include <time.h>

#include "base/clock.h"

void bucket_init(struct bucket *b, double qps, int burst, int64_t now_us)
{
	*b = (struct bucket){ .qps = qps, .burst = burst, .tokens = burst, .last_us = now_us };
}

static void bucket_refill(struct bucket *b, int64_t now_us)
{
	double fresh = b->tokens + (double)(now_us - b->last_us) * b->qps / 1e6;

	b->tokens = MIN(fresh, b->burst);
	b->last_us = now_us;
}

int64_t bucket_reserve(struct bucket *b, int64_t now_us)
{
	if (b->qps <= 0)
		return 0;
	bucket_refill(b, now_us);
	b->tokens -= 1;
	return b->tokens >= 0 ? 0 : (int64_t)(-b->tokens / b->qps * 1e6);
}

bool bucket_try(struct bucket *b, int64_t now_us)
{
	if (b->qps <= 0)
		return true;
	bucket_refill(b, now_us);
	if (b->tokens < 1)
		return false;
	b->tokens -= 1;
	return true;
}

void cond_init(pthread_cond_t *c)
{
	pthread_condattr_t attr;

	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(c, &attr);
	(void)pthread_condattr_destroy(&attr);
}

void cond_wait_until(pthread_cond_t *c, pthread_mutex_t *m, int64_t mono_ms)
{
	struct timespec until = { .tv_sec = mono_ms / SECOND_MS, .tv_nsec = mono_ms % SECOND_MS * 1000000 };

	if (mono_ms == INT64_MAX)
		(void)pthread_cond_wait(c, m);
	else
		(void)pthread_cond_timedwait(c, m, &until);
}

void url_escape(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		    (c && strchr("-._~", c)))
			(void)buf_addc(b, (char)c);
		else
			(void)buf_addf(b, "%%%02X", c);
	}
}

void thread_set_name(const char *name)
{
	char cut[16];

	(void)str_copy(cut, sizeof(cut), str_from(name));
	(void)pthread_setname_np(pthread_self(), cut);
}
