/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of new objects, by UID and version. */
#include "controller/young.h"

#include "base/alloc.h"
#include "base/map.h"

#define NOT_BEGUN INT64_MAX

struct text {
	size_t len;
	char bytes[];
};

struct young {
	pthread_mutex_t mutex;
	int64_t since;    /* younger have a greater version */
	struct map texts; /* struct text */
	size_t bytes;
};

/* UIDs have 36 characters and versions at most 20; what is longer finds nothing, and is asked for. */
static struct str key_of(const struct object *o, char out[128])
{
	int n = snprintf(out, 128, "%s %s", o->meta.uid, o->meta.resource_version);

	return n > 0 && n < 128 ? str_of(out, (size_t)n) : STR_NULL;
}

struct young *young_new(void)
{
	struct young *y = xcalloc(1, sizeof(*y));

	(void)pthread_mutex_init(&y->mutex, NULL);
	map_init(&y->texts, YOUNG_MAX);
	y->since = NOT_BEGUN;
	return y;
}

void young_free(struct young *y)
{
	struct map_entry *e;

	if (!y)
		return;
	for (size_t i = 0; (e = map_next(&y->texts, &i));)
		free(e->value);
	map_release(&y->texts);
	(void)pthread_mutex_destroy(&y->mutex);
	free(y);
}

void young_begin(struct young *y, struct str version)
{
	int64_t since;

	MUTEX_GUARD(&y->mutex);
	if (str_to_i64(version, 1, INT64_MAX - 1, &since))
		y->since = since;
}

void young_add(struct young *y, const struct object *o, struct str text)
{
	char buf[128];
	struct str key = key_of(o, buf);
	struct error err;
	int64_t version;
	void *old = NULL;

	MUTEX_GUARD(&y->mutex);
	if (!str_to_i64(str_from(o->meta.resource_version), 1, INT64_MAX, &version) || version <= y->since ||
	    !key.ptr || text.len > YOUNG_MAX_TEXT || y->bytes + text.len > YOUNG_MAX_BYTES)
		return;
	struct text *t = xmalloc(sizeof(*t) + text.len);
	t->len = text.len;
	memcpy(t->bytes, text.ptr, text.len);
	if (map_put(&y->texts, key, t, &old, &err)) {
		free(t);
		return;
	}
	y->bytes += text.len;
	if (old)
		y->bytes -= ((struct text *)old)->len;
	free(old);
}

static struct text *remove_text(struct young *y, const struct object *o)
{
	char buf[128];
	struct str key = key_of(o, buf);

	MUTEX_GUARD(&y->mutex);
	struct text *t = key.ptr ? map_del(&y->texts, key) : NULL;
	if (t)
		y->bytes -= t->len;
	return t;
}

bool young_take(struct young *y, const struct object *o, struct buf *out)
{
	_cleanup_free_ struct text *t = remove_text(y, o);

	if (t)
		(void)buf_add(out, t->bytes, t->len);
	return t != NULL;
}

void young_forget(struct young *y, const struct object *o)
{
	free(remove_text(y, o));
}
