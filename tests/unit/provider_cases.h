/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of bodies for the tests of grid providers: what each gives and what it drops, or why it gives nothing. */
#ifndef TESTS_UNIT_PROVIDER_CASES_H
#define TESTS_UNIT_PROVIDER_CASES_H

#include "grid_fixture.h"

struct provider_case {
	/* "watttime/synthetic/login.json" of the shared fixtures, or "tests/data/grid/...": of ours, figures invented.
	 */
	const char *file;
	const char *zone; /* of the request; NULL = none */
	int what;
	const char *from, *to, *now;
	/* The rest by name; 0 where it is not there. */
	int points; /* values of all series, after grid_answer_finish() */
	int dropped[GRID_DROPS];
	enum error_code code; /* ERR_NONE = success */
	const char *reason;   /* what its message says; NULL = whatever */
	const char *product;  /* of the request */
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

static inline int32_t value_at(const struct grid_answer *a, enum grid_metric m, const char *zone, const char *time)
{
	const struct grid_series *s = grid_answer_series(a, m, zone);

	return s ? grid_series_at(s, at(time)) : GRID_UNKNOWN;
}

static inline int kind_at(const struct grid_answer *a, enum grid_metric m, const char *zone, const char *time)
{
	const struct grid_series *s = grid_answer_series(a, m, zone);

	assert_non_null(s);
	return s->kind[(at(time) - s->start_ms) / SLOT_MS];
}

static inline struct tz *london_tz(void)
{
	struct error err = ERROR_INIT;
	struct tz *tz = NULL;

	if (tz_load("Europe/London", &tz, &err))
		fail_msg("%s", err.msg);
	return tz;
}

/* Parses a text as the case says and finishes the answer, which is the caller's to release. */
static inline int case_parse(const struct grid_provider *grid, struct grid_env *env, const struct provider_case *c,
			     struct str body, struct grid_answer *a, struct error *err)
{
	struct grid_request req = { .what = c->what };
	int failed;

	grid_request_about(&req, c->zone, at(c->from), at(c->to));
	(void)str_copy(req.product, sizeof(req.product), str_from(c->product));
	env->now_ms = at(c->now);
	grid_answer_init(a, req.from_ms, req.to_ms, time_slot_floor(env->now_ms, SLOT_MS));
	failed = grid->parse(env, &req, body, a, err);
	grid_answer_finish(a, grid->flat);
	return failed;
}

static inline void case_check(const struct provider_case *c, const struct grid_answer *a, const struct error *err)
{
	int known = 0;

	for (size_t i = 0; i < a->series.len; i++)
		known += known_in(a->series.ptr[i]);
	print_message("%s: %d values in %zu series%s%s\n", c->file, a->points, a->series.len, err->code ? ": " : "",
		      err->msg);
	for (int i = 0; i < GRID_DROPS; i++)
		if (a->dropped[i] != c->dropped[i])
			fail_msg("%s: %d dropped as %s, not %d", c->file, a->dropped[i],
				 grid_drop_name((enum grid_drop)i), c->dropped[i]);
	assert_int_equal(a->points, c->points);
	assert_int_equal(known, c->points);
	if (c->reason && !strstr(err->msg, c->reason))
		fail_msg("\"%s\" does not say \"%s\"", err->msg, c->reason);
	assert_int_equal(err->code, c->code);
}

static inline void case_run(const struct grid_provider *grid, struct grid_env *env, const struct provider_case *c)
{
	_cleanup_(buf_release) struct buf body = BUF_INIT(FIXTURE_MAX);
	struct error err = ERROR_INIT;
	struct grid_answer a;

	if (!case_read(c->file, &body))
		return;
	assert_int_equal(case_parse(grid, env, c, buf_str(&body), &a, &err), c->code == ERR_NONE ? 0 : -1);
	case_check(c, &a, &err);
	grid_answer_release(&a);
}

/* Every prefix of the body, and every body with one byte changed (by steps): no crash. */
static inline void case_mutate(const struct grid_provider *grid, struct grid_env *env, const struct provider_case *c)
{
	_cleanup_(buf_release) struct buf body = BUF_INIT(FIXTURE_MAX);
	static const char bytes[] = "\"\0,{}[]-9e\xff\n";

	if (!case_read(c->file, &body))
		return;
	for (size_t i = 0; i < body.len; i += 1 + body.len / 200) {
		char saved = body.ptr[i];
		struct error err = ERROR_INIT;
		struct grid_answer a;

		(void)case_parse(grid, env, c, str_of(body.ptr, i), &a, &err);
		grid_answer_release(&a);
		body.ptr[i] = bytes[i % (sizeof(bytes) - 1)];
		(void)case_parse(grid, env, c, buf_str(&body), &a, &err);
		grid_answer_release(&a);
		body.ptr[i] = saved;
	}
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
