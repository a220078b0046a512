/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The texts of CarbonAwareJobs that came into being under this leader, so that a Job can be made without asking for its
 * object first: a third of all requests for a new job.
 *
 * Whoever makes a Job must know that none was recorded in the object before, however far its cache is behind. A text
 * from here is as good as a live read for that, because nobody can have made one: no other process, which the Lease
 * would have had to let write since the object was created; and not this one, because a text is given out once. Who
 * tries again, whatever became of the first attempt, has to ask. Objects that were there already when the Lease was
 * acquired have no text here. (One that is deleted or replaced meanwhile, between any read and the write as well, gets
 * a Job whose owner is gone, suspended, which the garbage collector takes away.)
 *
 * Bounded; what does not fit has no text. Thread: any.
 */
#ifndef CONTROLLER_YOUNG_H
#define CONTROLLER_YOUNG_H

#include "base/buf.h"
#include "k8s/object.h"

#define YOUNG_MAX 1024
#define YOUNG_MAX_TEXT (64 * 1024)
#define YOUNG_MAX_BYTES (2 * 1024 * 1024)

struct young;
struct young *young_new(void);
void young_free(struct young *y);

/*
 * Begins. version: the resourceVersion of a list of the same resource that was asked for after the Lease had been
 * acquired; whatever has a greater one was created later. Nothing happens when it is no number.
 */
void young_begin(struct young *y, struct str version);
/* The object has just been created, says the watch; text: its JSON, copied. Ignored before young_begin(). */
void young_add(struct young *y, const struct object *o, struct str text);
/* Appends the text of that very version of the object, which is forgotten. False when there is none. */
bool young_take(struct young *y, const struct object *o, struct buf *out);
/* This version of it is no longer the current one. */
void young_forget(struct young *y, const struct object *o);

#endif
