/* SPDX-License-Identifier: Apache-2.0 */
/* Making a status smaller, step by step. */
#include "decide/status_fit.h"

#include "decide/account.h"

/* Bytes of the explanation that the schema takes; of every text, once there is too much of them. */
#define MAX_EXPLANATION 1024
#define SHORT_TEXT 160

const char *status_clip(const char *text, size_t max, struct arena *arena)
{
	size_t len = text ? strlen(text) : 0;

	if (len <= max)
		return text;
	for (len = max - 3; len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80;)
		len--;
	return arena_printf(arena, "%.*s...", (int)len, text);
}

/* One step; false when nothing is left that could go. */
static bool shrink(struct caj_status *s, struct arena *arena)
{
	bool cut = s->explanation && strlen(s->explanation) > SHORT_TEXT;

	if (s->n_options > 0) {
		s->n_options = 0;
		return true;
	}
	for (size_t i = 0; i < s->conditions.len; i++) {
		struct condition *k = &s->conditions.items[i];

		cut |= strlen(k->message) > SHORT_TEXT;
		k->message = status_clip(k->message, SHORT_TEXT, arena);
	}
	s->explanation = status_clip(s->explanation, SHORT_TEXT, arena);
	return cut || account_merge_last(s->runs, &s->n_runs);
}

void status_fit(struct caj_status *s, struct arena *arena, struct buf *out)
{
	struct error err;

	s->explanation = status_clip(s->explanation, MAX_EXPLANATION, arena);
	while (caj_status_encode(s, out, &err) && shrink(s, arena))
		buf_reset(out);
}
