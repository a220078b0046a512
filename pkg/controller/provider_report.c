/* SPDX-License-Identifier: Apache-2.0 */
/* The provider table and the collector's state of it, as JSON. */
#include "controller/provider_report.h"

#define ARENA_MAX ((size_t)4 * 1024 * 1024)
#define ATTEMPTS_SHOWN 5

static void write_attempt(struct json_writer *w, const struct grid_attempt *a)
{
	jw_object(w, NULL);
	jw_time(w, "time", a->at_ms);
	jw_string(w, "request", a->request);
	jw_string(w, "result", a->result);
	if (a->reason && *a->reason)
		jw_string(w, "reason", a->reason);
	if (a->http_status)
		jw_i64(w, "httpStatus", a->http_status);
	jw_i64(w, "points", a->points);
	jw_i64(w, "bytes", a->bytes);
	jw_i64(w, "durationMilliseconds", a->duration_ms);
	jw_end_object(w);
}

static bool is_good(const struct grid_attempt *a)
{
	return cstr_eq(a->result, "ok") || cstr_eq(a->result, "partial");
}

static void write_status(struct json_writer *w, const struct collector_status *s)
{
	jw_bool(w, "wanted", s->wanted);
	jw_string_opt(w, "off", s->off);
	jw_string(w, "circuit", grid_circuit_name(s->circuit));
	jw_i64(w, "budgetLeft", s->budget_left);
	if (s->n_attempts)
		jw_time(w, "lastAttemptTime", s->attempts[0].at_ms);
	for (int i = 0; i < s->n_attempts; i++)
		if (is_good(&s->attempts[i])) {
			jw_time(w, "lastGoodTime", s->attempts[i].at_ms);
			break;
		}
	jw_array(w, "attempts");
	for (int i = 0; i < MIN(s->n_attempts, ATTEMPTS_SHOWN); i++)
		write_attempt(w, &s->attempts[i]);
	jw_end_array(w);
}

void provider_report(struct collector *c, struct json_writer *w)
{
	const struct collector_status *status = NULL;
	struct arena arena;

	arena_init(&arena, 16384, ARENA_MAX);
	if (c)
		status = collector_status(c, &arena);
	for (int i = 0; i < grid_n_providers; i++) {
		const struct grid_provider *p = grid_providers[i];

		jw_object(w, NULL);
		jw_string(w, "name", p->name);
		jw_string_opt(w, "licence", p->licence);
		jw_string_opt(w, "attribution", p->attribution);
		jw_string_opt(w, "note", p->note);
		jw_bool(w, "exportable", !p->no_export);
		if (status)
			write_status(w, &status[i]);
		jw_end_object(w);
	}
	arena_release(&arena);
}
