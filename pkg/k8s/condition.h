/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status.conditions (metav1.Condition, and the older shapes of Job, Node and Pod, which lack observedGeneration).
 *
 * A decoded list is read-only. To write: conditions_copy() into the reconcile's arena, condition_set() what is known,
 * compare with conditions_equal(), then conditions_write() into the status patch.
 */
#ifndef K8S_CONDITION_H
#define K8S_CONDITION_H

#include "base/arena.h"
#include "json/json.h"
#include "json/writer.h"

/* More in one object are dropped at decode. */
#define CONDITIONS_MAX 24
/* Longer messages are cut, at a UTF-8 border, with "..." (metav1 allows 32768; ours are for people). */
#define CONDITION_MESSAGE_MAX 1024

enum condition_status { CONDITION_UNKNOWN, CONDITION_TRUE, CONDITION_FALSE };

struct condition {
	const char *type;
	enum condition_status status;
	const char *reason;  /* "" when absent */
	const char *message; /* "" when absent */
	int64_t observed_generation;
	int64_t last_transition_ms; /* TIME_NONE if absent */
};

struct conditions {
	struct condition *items;
	size_t len;
};

/* Keeps the types in the NULL-terminated list `wanted`, or all when it is NULL. */
void conditions_decode(const struct json *array, const char *const *wanted, struct arena *a, struct conditions *ret);
/* NULL when absent. */
const struct condition *condition_find(const struct conditions *c, const char *type);
/* Absent is false. */
bool condition_is_true(const struct conditions *c, const char *type);

/* A copy with room for CONDITIONS_MAX; strings are copied too. */
void conditions_copy(const struct conditions *from, struct arena *a, struct conditions *ret);
/*
 * Sets or adds one on a copied list. last_transition_ms becomes now_ms only when the status flips. Strings are copied
 * into the arena. True when anything changed that readers see.
 */
bool condition_set(struct conditions *c, struct arena *a, const char *type, enum condition_status status,
		   const char *reason, int64_t observed_generation, int64_t now_ms, const char *message_fmt, ...)
	printf_like(8, 9);
/* Same conditions with the same content, in the same order. */
bool conditions_equal(const struct conditions *a, const struct conditions *b);
/* As a JSON array member (whole seconds). */
void conditions_write(struct json_writer *w, const char *key, const struct conditions *c);
const char *condition_status_text(enum condition_status s);

#endif
