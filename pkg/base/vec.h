/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growable array of any element type, with a maximum given at each push:
 *
 *	struct names { VEC(char *) v; };
 *	char **slot = vec_push(&n.v, MAX_NAMES);
 *	if (!slot)
 *		return error_set(err, ERR_LIMIT, ...);
 *	*slot = name;
 */
#ifndef BASE_VEC_H
#define BASE_VEC_H

#include "base/alloc.h"

#define VEC(type)           \
	struct {            \
		type *ptr;  \
		size_t len; \
		size_t cap; \
	}

/* Pointer to a new zeroed last element, or NULL when there are `max` already. Older pointers may be invalid then. */
#define vec_push(v, max)                                                                                    \
	((v)->len < (size_t)(max) ? ((v)->ptr = vec_grow((v)->ptr, (v)->len, &(v)->cap, sizeof(*(v)->ptr)), \
				     (v)->len++, &(v)->ptr[(v)->len - 1])                                   \
				  : NULL)
#define vec_release(v)                   \
	do {                             \
		free((v)->ptr);          \
		(v)->ptr = NULL;         \
		(v)->len = (v)->cap = 0; \
	} while (0)

void *vec_grow(void *ptr, size_t len, size_t *cap, size_t size);

#endif
