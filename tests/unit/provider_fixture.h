/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of provider answers: which body, asked when and for what, gives how many values and which reasons. */
#ifndef TESTS_UNIT_PROVIDER_FIXTURE_H
#define TESTS_UNIT_PROVIDER_FIXTURE_H

#include "grid_fixture.h"

/* Synthetic bodies of our own: shapes as documented, figures invented. */
#define SYNTHETIC "synthetic:"

struct answer_case {
	const char *file; /* below the provider's fixtures, or SYNTHETIC and a file of tests/data/grid */
	int what;
	const char *now, *from, *to;
	enum error_code code;
	int points; /* values of all series, after grid_answer_finish() */
	int dropped[GRID_DROPS];
	const char *zone, *product; /* of the request */
};

static inline void case_read(const char *provider, const char *file, struct buf *out)
{
	struct error err = ERROR_INIT;
	char path[256];

	if (strncmp(file, SYNTHETIC, strlen(SYNTHETIC)) != 0) {
		fixture_read(provider, file, out);
		return;
	}
	(void)snprintf(path, sizeof(path), "tests/data/grid/%s", file + strlen(SYNTHETIC));
	if (buf_read_file(out, path, &err))
		fail_msg("%s", err.msg);
}

static inline struct tz *london(void)
{
	struct error err = ERROR_INIT;
	struct tz *tz = NULL;

	if (tz_load("Europe/London", &tz, &err))
		fail_msg("%s", err.msg);
	return tz;
}

/* Parses and finishes one body. The caller releases the answer. */
static inline int parse_body(const struct grid_provider *g, const struct grid_env *env, const struct answer_case *c,
			     struct str body, struct grid_answer *a, struct error *err)
{
	struct grid_request req = { .what = c->what, .from_ms = at(c->from), .to_ms = at(c->to) };
	int result;

	(void)str_copy(req.zone, sizeof(req.zone), str_from(c->zone));
	(void)str_copy(req.product, sizeof(req.product), str_from(c->product));
	grid_answer_init(a, at(c->from), at(c->to), at(c->now));
	result = g->parse(env, &req, body, a, err);
	grid_answer_finish(a, g->flat);
	return result;
}

static inline void check_case(const struct grid_provider *g, const char *folder, const struct answer_case *c)
{
	_cleanup_(buf_release) struct buf body = BUF_INIT(FIXTURE_MAX);
	_cleanup_(cleanup_tz) struct tz *tz = london();
	const struct grid_env env = { .base_url = g->base_url, .now_ms = at(c->now), .tz = tz };
	struct error err = ERROR_INIT;
	struct grid_answer a;

	case_read(folder, c->file, &body);
	if (parse_body(g, &env, c, buf_str(&body), &a, &err) != (c->code == ERR_NONE ? 0 : -1) || err.code != c->code)
		fail_msg("%s: %s", c->file, err.msg[0] ? err.msg : "accepted");
	print_message("%s: %d points in %zu series%s%s\n", c->file, a.points, a.series.len, c->code ? ": " : "",
		      err.msg);
	for (int i = 0; i < GRID_DROPS; i++)
		if (a.dropped[i] != c->dropped[i])
			fail_msg("%s: %d dropped as %s, not %d", c->file, a.dropped[i],
				 grid_drop_name((enum grid_drop)i), c->dropped[i]);
	assert_int_equal(a.points, c->points);
	grid_answer_release(&a);
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

/* Every prefix of the body, and every body with one byte changed (by steps): no crash, and bounded points. */
static inline void mutate_case(const struct grid_provider *g, const char *folder, const struct answer_case *c)
{
	_cleanup_(buf_release) struct buf body = BUF_INIT(FIXTURE_MAX);
	_cleanup_(cleanup_tz) struct tz *tz = london();
	const struct grid_env env = { .base_url = g->base_url, .now_ms = at(c->now), .tz = tz };
	static const char bytes[] = "\"\0,{}[]-9e\xff\n";

	case_read(folder, c->file, &body);
	for (size_t i = 0; i < body.len; i += 1 + body.len / 200) {
		char saved = body.ptr[i];
		struct error err = ERROR_INIT;
		struct grid_answer a;

		(void)parse_body(g, &env, c, str_of(body.ptr, i), &a, &err);
		grid_answer_release(&a);
		body.ptr[i] = bytes[i % (sizeof(bytes) - 1)];
		(void)parse_body(g, &env, c, buf_str(&body), &a, &err);
		grid_answer_release(&a);
		body.ptr[i] = saved;
	}
}

#endif
