/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of pkg/decide share: objects from JSON as the API server would give them, times, and one arena. */
#ifndef TESTS_UNIT_DECIDE_FIXTURE_H
#define TESTS_UNIT_DECIDE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/arena.h"
#include "decide/decide.h"

#define TEMPLATE                                                                                                    \
	"\"jobTemplate\":{\"spec\":{\"template\":{\"spec\":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":" \
	"\"m\"}]}}}}"

/* Objects and strings of one test; released by the teardown. */
struct fixture {
	struct arena arena;
	const struct object *objects[1024];
	int n_objects;
};

static struct fixture fixture;

static inline int fixture_setup(void **state)
{
	(void)state;
	arena_init(&fixture.arena, 64 * 1024, 64 * 1024 * 1024);
	fixture.n_objects = 0;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	(void)state;
	for (int i = 0; i < fixture.n_objects; i++)
		object_unref(fixture.objects[i]);
	arena_release(&fixture.arena);
	return 0;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

static inline int64_t at(const char *text)
{
	int64_t ms = TIME_NONE;

	assert_true(time_parse(str_from(text), &ms));
	return ms;
}

static inline const struct object *parsed(const struct object_type *type, const char *text)
{
	struct error err = ERROR_INIT;
	const struct object *o = NULL;

	if (object_parse(type, str_from(text), &o, &err))
		fail_msg("%s: %s", err.msg, text);
	assert_true(fixture.n_objects < (int)ARRAY_LEN(fixture.objects));
	fixture.objects[fixture.n_objects++] = o;
	return o;
}

/* metadata and spec: members that follow the usual ones, beginning with a comma, or "". status: an object or "{}". */
static inline const struct carbonawarejob *caj_of(const char *metadata, const char *spec, const char *status)
{
	return carbonawarejob_of(parsed(
		&carbonawarejob_type,
		arena_printf(&fixture.arena,
			     "{\"metadata\":{\"name\":\"train\",\"namespace\":\"ml\",\"uid\":\"caj-1\","
			     "\"resourceVersion\":\"10\",\"generation\":1%s},\"spec\":{" TEMPLATE "%s},\"status\":%s}",
			     metadata, spec, status)));
}

/* annotations: members, or "". spec: members that follow suspend, or "". status: members, or "". */
static inline const struct job *job_with(bool suspend, const char *annotations, const char *spec, const char *status)
{
	return job_of(parsed(&job_type,
			     arena_printf(&fixture.arena,
					  "{\"metadata\":{\"name\":\"train\",\"namespace\":\"ml\",\"uid\":\"job-1\","
					  "\"resourceVersion\":\"20\",\"annotations\":{%s}},"
					  "\"spec\":{\"suspend\":%s%s},\"status\":{%s}}",
					  annotations, suspend ? "true" : "false", spec, status)));
}

/* The status as the next read of the object gives it. */
static inline const struct carbonawarejob *written(const struct carbonawarejob *caj, const struct caj_decision *d)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT(64 * 1024);
	struct error err = ERROR_INIT;

	assert_int_equal(d->action, CAJ_WRITE_STATUS);
	if (caj_status_encode(&d->status, &text, &err))
		fail_msg("%s", err.msg);
	assert_true(text.len <= CAJ_MAX_STATUS);
	const struct object *read =
		parsed(&carbonawarejob_type,
		       arena_printf(&fixture.arena, "{\"metadata\":{\"name\":\"train\"},\"spec\":{},\"status\":%s}",
				    buf_cstr(&text)));
	struct carbonawarejob *now = arena_new(&fixture.arena, struct carbonawarejob);
	*now = *caj;
	now->status = carbonawarejob_of(read)->status;
	return now;
}

#endif
