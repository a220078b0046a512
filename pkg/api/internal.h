/* SPDX-License-Identifier: Apache-2.0 */
/* Shared inside pkg/api only. */
#ifndef API_INTERNAL_H
#define API_INTERNAL_H

#include "api/carbonawarejob.h"

/*
 * The value of "status". What does not decode counts as not set, and an element of a list that lacks what makes sense
 * of it is left out: the next write of the operator mends it. Always fills *ret. Texts that t knows are not copied.
 */
void caj_status_decode(const struct json *status, struct shared_texts *t, struct caj_status *ret);

#endif
