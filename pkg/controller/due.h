/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs whose latest start has passed, in order of latest start (contracts 3: released in deadline order). After an
 * outage there may be many at once. A few workers take them from here; each records its release meanwhile, and then
 * waits for its turn to send it, so that the releases begin in that order. Thread: any.
 */
#ifndef CONTROLLER_DUE_H
#define CONTROLLER_DUE_H

#include "base/error.h"
#include "k8s/object.h"

/* Workers at most, and so requests under way at once. */
#define DUE_WORKERS 4

struct due;
struct due *due_new(void);
void due_free(struct due *d);
/* Adds the key unless it is there. */
void due_add(struct due *d, int64_t latest_start_ms, const char *key);
/* One that was taken. */
struct due_turn {
	int64_t latest_start_ms;
	char key[OBJECT_KEY_MAX];
	uint64_t number; /* in the order of taking */
};
/* Takes the one with the earliest latest start, to be given back by due_done(). False when empty. */
bool due_take(struct due *d, struct due_turn *ret);
/* Waits until it is its turn: all that were taken before have passed theirs on. */
void due_wait(struct due *d, const struct due_turn *t);
/*
 * Passes the turn on: when its release is about to be sent, so that one that hangs holds up nobody, and in any case
 * when its worker is through. A second call does nothing.
 */
void due_done(struct due *d, const struct due_turn *t);
size_t due_len(struct due *d);

#endif
