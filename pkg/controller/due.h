/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs whose latest start has passed, in order of latest start (contracts 3: released in deadline order). After an
 * outage there may be many at once; one worker takes them from here one after the other. Thread: any.
 */
#ifndef CONTROLLER_DUE_H
#define CONTROLLER_DUE_H

#include "base/error.h"
#include "k8s/object.h"

struct due;
struct due *due_new(void);
void due_free(struct due *d);
/* Adds the key unless it is there. */
void due_add(struct due *d, int64_t latest_start_ms, const char *key);
/* Takes the one with the earliest latest start. False when empty. */
bool due_take(struct due *d, int64_t *ret_latest_start_ms, char key[OBJECT_KEY_MAX]);
size_t due_len(struct due *d);

#endif
