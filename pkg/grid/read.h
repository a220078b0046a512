/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What most providers do with their configuration, with a body and with its members. Pure; any thread.
 *
 *	_cleanup_(json_cleanup) struct json *doc = NULL;
 *	if (grid_read_json(body, &doc, err))
 *		return -1;
 *	json_each (row, json_get(doc, "data"))
 *		grid_put_json(a, GRID_CARBON, req->zone, ms, HOUR_MS, json_get(row, "value"), 1000, kind);
 *	return grid_read_verdict(a, before, json_len(json_get(doc, "data")), err);
 */
#ifndef GRID_READ_H
#define GRID_READ_H

#include "grid/provider.h"
#include "json/json.h"

#define GRID_KEY_MAX 256

/* An object or list of a body. ERR_NOT_FOUND when it is empty or blank, ERR_INVALID when it is none. */
int grid_read_json(struct str body, struct json **ret, struct error *err) must_check;
/* A number, or a number in quotes. False for all else, NaN and infinity among it. */
bool grid_read_number(const struct json *value, double *ret);
/*
 * Puts value x factor, rounded, as a point of that length. Counted and left out: absent, null and "" as MISSING, what
 * is no number as TYPE, what no int32 holds as RANGE; the rest is grid_answer_put_span()'s to judge.
 */
void grid_put_json(struct grid_answer *a, enum grid_metric metric, const char *zone, int64_t ms, int64_t duration_ms,
		   const struct json *value, double factor, enum grid_kind kind);
void grid_put_number(struct grid_answer *a, enum grid_metric metric, const char *zone, int64_t ms, int64_t duration_ms,
		     double value, double factor, enum grid_kind kind);
/* Of a forecaster's value: what has ended was never measured. */
static inline enum grid_kind grid_kind_of(int64_t end_ms, int64_t now_ms)
{
	return end_ms <= now_ms ? GRID_KIND_ESTIMATED : GRID_KIND_FORECAST;
}
/*
 * The provider's word on when it made this: taken when it is a time of the last GRID_PAST_SLOTS and not in the future,
 * since a made-up one would lock out later answers. Before the first point is put.
 */
void grid_read_issued(struct grid_answer *a, const struct json *time, int64_t now_ms);
/*
 * The end of a parse: 0 when points came in since there were `before`, else ERR_NOT_FOUND for no rows at all and
 * ERR_INVALID for rows of which none was usable.
 */
int grid_read_verdict(const struct grid_answer *a, int before, size_t rows, struct error *err) must_check;

/* A zone of letters, digits and the extra characters, 1 to GRID_NAME_MAX - 1: goes into a URL as it is. */
bool grid_zone_is_plain(const char *zone, const char *extra);
/* RFC 3986: all but unreserved characters as %XX. False when it does not fit into cap > 0. */
bool grid_url_escape(const char *text, char *out, size_t cap);
/* There is a secret, and with the user it makes a header: visible ASCII, at most GRID_KEY_MAX each. */
bool grid_has_key(const struct grid_env *env);
/* The header "<name>: <secret>", only with grid_has_key(). */
void grid_key_header(const struct grid_env *env, struct grid_request *r, const char *name);
/* Visible ASCII, at most `max` of it: cannot begin another header. */
bool grid_is_header_value(const char *s, size_t max);
void grid_bearer(struct grid_request *r, const char *token);
/* "Authorization: Basic" of user and secret, or "Bearer" of the secret alone; nothing without grid_has_key(). */
void grid_authorize(const struct grid_env *env, struct grid_request *r);
/* The custom source of that name when it is a place with latitude and longitude, else NULL. */
const struct grid_custom *grid_place(const struct grid_env *env, const char *name);
/*
 * The next poll for day-ahead prices that are published after that hour, local: every 15 minutes from then on until
 * tomorrow is known to its end, hourly as long as not even today is, else not before the next publication.
 */
int64_t grid_poll_auction(const struct grid_env *env, int64_t known_until_ms, int hour, double jitter);

#endif
