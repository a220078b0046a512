/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps a status within the bytes that the API server takes (contracts 1). One that is too large would never be
 * written, and then nothing else either: it is made smaller instead, in the same way each time. Pure.
 */
#ifndef DECIDE_STATUS_FIT_H
#define DECIDE_STATUS_FIT_H

#include "api/carbonawarejob.h"

/*
 * Drops options, shortens texts and merges runs, in that order, until s fits; its text goes into the empty out, whose
 * maximum is above CAJ_MAX_STATUS. Texts that are cut live in the arena.
 */
void status_fit(struct caj_status *s, struct arena *arena, struct buf *out);
/* The text itself, or a copy of at most max bytes that is cut at a character's border. NULL stays NULL. */
const char *status_clip(const char *text, size_t max, struct arena *arena);

#endif
