/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding, changing and writing of status conditions. */
#include "k8s/condition.h"

#include <stdarg.h>

#include "base/clock.h"
#include "k8s/internal.h"

static const char *const status_text[] = { "Unknown", "True", "False" };

const char *condition_status_text(enum condition_status s)
{
	return status_text[s];
}

static enum condition_status status_parse(const char *s)
{
	if (cstr_eq(s, "True"))
		return CONDITION_TRUE;
	return cstr_eq(s, "False") ? CONDITION_FALSE : CONDITION_UNKNOWN;
}

static bool is_wanted(const char *type, const char *const *wanted)
{
	if (!type)
		return false;
	for (const char *const *w = wanted; w && *w; w++) {
		if (strcmp(*w, type) == 0)
			return true;
	}
	return !wanted;
}

void conditions_decode(const struct json *array, const char *const *wanted, struct arena *a, struct conditions *ret)
{
	size_t n = 0;

	*ret = (struct conditions){ 0 };
	json_each (item, array)
		n += is_wanted(json_string(json_get(item, "type")), wanted);
	n = MIN(n, CONDITIONS_MAX);
	if (n == 0)
		return;
	/* Several conditions often say the same sentence. */
	struct shared_texts messages = { .arena = a };
	ret->items = arena_array(a, n, struct condition);
	json_each (item, array) {
		if (ret->len == n || !is_wanted(json_string(json_get(item, "type")), wanted))
			continue;
		ret->items[ret->len++] = (struct condition){
			.type = decode_word(json_get(item, "type"), a),
			.status = status_parse(json_string(json_get(item, "status"))),
			.reason = decode_word(json_get(item, "reason"), a),
			.message = decode_shared_text(json_get(item, "message"), &messages),
			.observed_generation = decode_i64(json_get(item, "observedGeneration"), 0),
			.last_transition_ms = decode_time(json_get(item, "lastTransitionTime")),
		};
	}
}

static struct condition *find(const struct conditions *c, const char *type)
{
	for (size_t i = 0; i < c->len; i++) {
		if (strcmp(c->items[i].type, type) == 0)
			return &c->items[i];
	}
	return NULL;
}

const struct condition *condition_find(const struct conditions *c, const char *type)
{
	return find(c, type);
}

bool condition_is_true(const struct conditions *c, const char *type)
{
	const struct condition *found = find(c, type);

	return found && found->status == CONDITION_TRUE;
}

void conditions_copy(const struct conditions *from, struct arena *a, struct conditions *ret)
{
	struct condition *items = arena_array(a, CONDITIONS_MAX, struct condition);

	for (size_t i = 0; i < from->len; i++) {
		items[i] = from->items[i];
		items[i].type = arena_strdup(a, from->items[i].type);
		items[i].reason = arena_strdup(a, from->items[i].reason);
		items[i].message = arena_strdup(a, from->items[i].message);
	}
	*ret = (struct conditions){ items, from->len };
}

/* Cuts at a character's border and says so. */
static void cut_message(char *text)
{
	size_t len = CONDITION_MESSAGE_MAX - 3;

	if (strlen(text) <= CONDITION_MESSAGE_MAX)
		return;
	while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	memcpy(text + len, "...", 4);
}

bool condition_set(struct conditions *c, struct arena *a, const char *type, enum condition_status status,
		   const char *reason, int64_t observed_generation, int64_t now_ms, const char *message_fmt, ...)
{
	char message[CONDITION_MESSAGE_MAX + 8];
	struct condition *found = find(c, type);
	va_list args;

	va_start(args, message_fmt);
	(void)vsnprintf(message, sizeof(message), message_fmt, args);
	va_end(args);
	cut_message(message);

	bool flipped = !found || found->status != status;
	if (!flipped && strcmp(found->reason, reason) == 0 && strcmp(found->message, message) == 0 &&
	    found->observed_generation == observed_generation)
		return false;
	if (!found) {
		if (c->len == CONDITIONS_MAX)
			return false;
		found = &c->items[c->len++];
		found->type = arena_strdup(a, type);
	}
	found->status = status;
	found->reason = arena_strdup(a, reason);
	found->message = arena_strdup(a, message);
	found->observed_generation = observed_generation;
	if (flipped)
		found->last_transition_ms = now_ms;
	return true;
}

bool conditions_equal(const struct conditions *a, const struct conditions *b)
{
	if (a->len != b->len)
		return false;
	for (size_t i = 0; i < a->len; i++) {
		const struct condition *x = &a->items[i], *y = &b->items[i];

		if (strcmp(x->type, y->type) != 0 || x->status != y->status || strcmp(x->reason, y->reason) != 0 ||
		    strcmp(x->message, y->message) != 0 || x->observed_generation != y->observed_generation ||
		    x->last_transition_ms != y->last_transition_ms)
			return false;
	}
	return true;
}

void conditions_write(struct json_writer *w, const char *key, const struct conditions *c)
{
	jw_array(w, key);
	for (size_t i = 0; i < c->len; i++) {
		const struct condition *x = &c->items[i];

		jw_object(w, NULL);
		jw_string(w, "type", x->type);
		jw_string(w, "status", condition_status_text(x->status));
		jw_string(w, "reason", x->reason);
		jw_string(w, "message", x->message);
		jw_time(w, "lastTransitionTime", x->last_transition_ms);
		if (x->observed_generation)
			jw_i64(w, "observedGeneration", x->observed_generation);
		jw_end_object(w);
	}
	jw_end_array(w);
}
