/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words that thousands of objects have in common (types of conditions, keys of labels, names of regions): one copy of
 * each for the whole process, for ever. Bounded in number and length; beyond that there is none, and the caller keeps a
 * copy of his own. Not for what differs from object to object, which would only fill it up. Thread: any; no lock.
 */
#ifndef BASE_WORDS_H
#define BASE_WORDS_H

#define WORDS_MAX 2048
#define WORD_MAX_LEN 63

/* The word's only copy, or NULL when it is too long or there is no room. */
const char *word_of(const char *s);

#endif
