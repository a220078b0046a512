/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes and scope guards that every file may use. */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * Scope-bound ownership:
 *
 *	_cleanup_(buf_release) struct buf body = BUF_INIT(MAX_BODY);
 *	_cleanup_free_ char *name = xstrdup("x");
 *	MUTEX_GUARD(&q->mutex);
 *
 * Every type's header says which function is its cleanup. `steal_ptr` moves ownership out of a guarded variable.
 */
#define _cleanup_(fn) __attribute__((cleanup(fn)))
#define _cleanup_free_ _cleanup_(cleanup_free)
#define _cleanup_close_ _cleanup_(cleanup_close)
#define _cleanup_file_ _cleanup_(cleanup_file)

#define must_check __attribute__((warn_unused_result))
#define printf_like(fmt, args) __attribute__((format(printf, fmt, args)))

#define steal_ptr(p)                        \
	({                                  \
		__typeof__(p) steal_ = (p); \
		(p) = NULL;                 \
		steal_;                     \
	})

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define CLAMP(x, lo, hi) MIN(MAX(x, lo), hi)
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Defines `cleanup_<name>`, which calls fn on a non-NULL pointer variable of type `type *`. */
#define DEFINE_CLEANUP(type, name, fn)              \
	static inline void cleanup_##name(type **p) \
	{                                           \
		if (*p)                             \
			fn(*p);                     \
	}                                           \
	struct cleanup_semicolon_##name

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_close(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static inline void cleanup_file(FILE **f)
{
	if (*f)
		(void)fclose(*f);
}

static inline void mutex_guard_release(pthread_mutex_t **m)
{
	(void)pthread_mutex_unlock(*m);
}

static inline pthread_mutex_t *mutex_guard_take(pthread_mutex_t *m)
{
	(void)pthread_mutex_lock(m);
	return m;
}

/* Holds the mutex until the end of the enclosing block. */
#define MUTEX_GUARD_CAT2(a, b) a##b
#define MUTEX_GUARD_CAT(a, b) MUTEX_GUARD_CAT2(a, b)
#define MUTEX_GUARD(m)                                                                                              \
	pthread_mutex_t *MUTEX_GUARD_CAT(guard_, __LINE__) _cleanup_(mutex_guard_release) __attribute__((unused)) = \
		mutex_guard_take(m)

#endif
