/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a CarbonAwareJob: no crash, and a status that was written is read back as the same. */
#include "api/carbonawarejob.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct object *decode(struct str text)
{
	struct error err = ERROR_INIT;
	const struct object *o = NULL;

	return object_parse(&carbonawarejob_type, text, &o, &err) ? NULL : o;
}

/* An object with that status; what a patch of it leaves is the status itself, so nulls may be there. */
static const struct object *with_status(struct str status)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT(4 * CAJ_MAX_STATUS);

	buf_adds(&b, "{\"metadata\":{\"name\":\"x\"},\"status\":");
	buf_addstr(&b, status);
	buf_addc(&b, '}');
	return decode(buf_str(&b));
}

static void check_same(const struct caj_status *s, struct str expected)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT(2 * CAJ_MAX_STATUS), again = BUF_INIT(2 * CAJ_MAX_STATUS);
	struct error err = ERROR_INIT;

	if (caj_status_encode(s, &text, &err))
		abort();
	const struct object *o _cleanup_object_ = with_status(buf_str(&text));
	if (!o || caj_status_encode(&carbonawarejob_of(o)->status, &again, &err) || !str_eq(buf_str(&again), expected))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT(2 * CAJ_MAX_STATUS);
	const struct object *o _cleanup_object_ = decode(str_of((const char *)data, size));
	struct error err = ERROR_INIT;
	struct caj_status copy;
	struct arena arena;

	if (!o || caj_status_encode(&carbonawarejob_of(o)->status, &text, &err))
		return 0;
	arena_init(&arena, 4096, OBJECT_MAX_BYTES);
	caj_status_copy(&carbonawarejob_of(o)->status, &arena, &copy);
	check_same(&copy, buf_str(&text));
	arena_release(&arena);
	return 0;
}
