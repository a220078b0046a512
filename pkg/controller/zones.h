/* SPDX-License-Identifier: Apache-2.0 */
/* Time zones loaded once and kept; at most a few hundred exist. Thread: any. */
#ifndef CONTROLLER_ZONES_H
#define CONTROLLER_ZONES_H

#include "base/error.h"
#include "base/tz.h"

struct zones;
struct zones *zones_new(void);
void zones_free(struct zones *z);
/* Borrowed until zones_free(). ERR_INVALID or ERR_NOT_FOUND for a bad name. */
int zones_get(struct zones *z, const char *name, const struct tz **ret, struct error *err) must_check;

#endif
