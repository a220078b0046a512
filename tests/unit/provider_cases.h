/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of bodies for the tests of grid providers: what each gives, or why nothing. */
#ifndef TESTS_UNIT_PROVIDER_CASES_H
#define TESTS_UNIT_PROVIDER_CASES_H

#include "grid_fixture.h"

/* A file of the shared fixtures ("watttime/synthetic/login.json"), or of ours ("tests/data/grid/..."). */
struct provider_case {
	const char *file;
	const char *zone;
	int what;
	const char *from, *to, *now;
	int known;          /* half hours of the first series after grid_answer_finish() */
	const char *reason; /* NULL = success; else what the message says */
	enum error_code code;
};

static inline bool is_ours(const char *file)
{
	return strncmp(file, "tests/", strlen("tests/")) == 0;
}

/* Appends the file; false (said aloud) where it is a shared fixture and there are none. */
static inline bool case_read(const char *file, struct buf *out)
{
	struct error err = ERROR_INIT;
	char path[1024];

	if (!is_ours(file) && !fixture_root())
		return false;
	(void)snprintf(path, sizeof(path), "%s%s%s", is_ours(file) ? "" : fixture_root(), is_ours(file) ? "" : "/",
		       file);
	if (buf_read_file(out, path, &err))
		fail_msg("%s", err.msg);
	return true;
}

static inline int known_in(const struct grid_series *s)
{
	int n = 0;

	for (int i = 0; s && i < s->n; i++)
		n += s->value[i] != GRID_UNKNOWN;
	return n;
}

static inline struct grid_request case_request(const struct provider_case *c)
{
	struct grid_request r = { .what = c->what, .from_ms = at(c->from), .to_ms = at(c->to) };

	assert_true(str_copy(r.zone, sizeof(r.zone), str_from(c->zone)));
	return r;
}

/* Parses a text as the case says and finishes the answer, which is the caller's to release. */
static inline int case_parse(const struct grid_provider *grid, struct grid_env *env, const struct provider_case *c,
			     struct str body, struct grid_answer *a, struct error *err)
{
	const struct grid_request req = case_request(c);
	int failed;

	env->now_ms = at(c->now);
	grid_answer_init(a, req.from_ms, req.to_ms, time_slot_floor(env->now_ms, SLOT_MS));
	failed = grid->parse(env, &req, body, a, err);
	grid_answer_finish(a, grid->flat);
	return failed;
}

static inline void case_run(const struct grid_provider *grid, struct grid_env *env, const struct provider_case *c)
{
	_cleanup_(buf_release) struct buf body = BUF_INIT(FIXTURE_MAX);
	struct error err = ERROR_INIT;
	struct grid_answer a;
	int failed, known;

	if (!case_read(c->file, &body))
		return;
	failed = case_parse(grid, env, c, buf_str(&body), &a, &err);
	known = a.series.len ? known_in(a.series.ptr[0]) : 0;
	print_message("%s: %d half hours %s\n", c->file, known, err.msg);
	assert_int_equal(failed, c->reason ? -1 : 0);
	assert_int_equal(known, c->known);
	if (c->reason && !strstr(err.msg, c->reason))
		fail_msg("\"%s\" does not say \"%s\"", err.msg, c->reason);
	if (c->reason)
		assert_int_equal(err.code, c->code);
	grid_answer_release(&a);
}

/* The request of that id, or NULL. */
static inline const struct grid_request *plan_find(const struct grid_plan *p, const char *id)
{
	for (int i = 0; i < p->n; i++)
		if (strcmp(p->items[i].id, id) == 0)
			return &p->items[i];
	return NULL;
}

#endif
