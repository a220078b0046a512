/* SPDX-License-Identifier: Apache-2.0 */
/* JSON string literals, for pkg/json and pkg/log alike. Thread: any. */
#ifndef BASE_QUOTE_H
#define BASE_QUOTE_H

#include "base/buf.h"

/* Appends s as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD, one each. */
void quote_json(struct buf *b, struct str s);

#endif
