/* SPDX-License-Identifier: Apache-2.0 */
/* An open table of words that only grows. */
#include "base/words.h"

#include <stdatomic.h>

#include "base/alloc.h"
#include "base/str.h"

#define SLOTS (2 * (size_t)WORDS_MAX)
/* Whoever finds words that collide gets no further than this. */
#define MAX_PROBES 32

static _Atomic(const char *) slots[SLOTS];
static _Atomic(int) n_words;

/* Another thread may come first, with this word or another one: what the slot holds in the end. */
static const char *claim(_Atomic(const char *) *slot, const char *s)
{
	const char *was = NULL;

	if (atomic_fetch_add_explicit(&n_words, 1, memory_order_relaxed) < WORDS_MAX) {
		char *copy = xstrdup(s);

		if (atomic_compare_exchange_strong_explicit(slot, &was, copy, memory_order_acq_rel,
							    memory_order_acquire))
			return copy;
		free(copy);
	}
	(void)atomic_fetch_sub_explicit(&n_words, 1, memory_order_relaxed);
	return was;
}

const char *word_of(const char *s)
{
	size_t len = strnlen(s, WORD_MAX_LEN + 1);
	uint64_t hash = str_fnv1a(str_of(s, len));

	if (len > WORD_MAX_LEN)
		return NULL;
	for (size_t i = 0; i < MAX_PROBES; i++) {
		_Atomic(const char *) *slot = &slots[(hash + i) % SLOTS];
		const char *word = atomic_load_explicit(slot, memory_order_acquire);

		if (!word)
			word = claim(slot, s);
		if (!word || strcmp(word, s) == 0)
			return word;
	}
	return NULL;
}
