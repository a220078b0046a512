/* SPDX-License-Identifier: Apache-2.0 */
/* What most providers do with their configuration, with a body and with its members. */
#include "grid/read.h"

#include <math.h>

#include "crypto/hash.h"
#include "grid/period.h"

int grid_read_json(struct str body, struct json **ret, struct error *err)
{
	struct json *doc _cleanup_(json_cleanup) = NULL;

	if (str_empty(str_trim(body)))
		return error_set(err, ERR_NOT_FOUND, "empty body");
	if (json_parse(body, &doc, err))
		return -1;
	if (!json_is_object(doc) && !json_is_array(doc))
		return error_set(err, ERR_INVALID, "the answer is neither an object nor a list");
	*ret = steal_ptr(doc);
	return 0;
}

bool grid_read_number(const struct json *value, double *ret)
{
	const char *text = json_string(value);

	return text ? str_to_double(str_trim(str_from(text)), ret) : json_double(value, ret);
}

void grid_put_number(struct grid_answer *a, enum grid_metric metric, const char *zone, int64_t ms, int64_t duration_ms,
		     double value, double factor, enum grid_kind kind)
{
	double scaled = value * factor;

	/* Written so that NaN fails too. */
	if (!(fabs(scaled) < INT32_MAX))
		grid_answer_drop(a, GRID_DROP_RANGE);
	else
		grid_answer_put_span(a, metric, zone, ms, duration_ms, (int32_t)lround(scaled), kind);
}

void grid_put_json(struct grid_answer *a, enum grid_metric metric, const char *zone, int64_t ms, int64_t duration_ms,
		   const struct json *value, double factor, enum grid_kind kind)
{
	double number;

	if (!value || json_is_null(value) || cstr_eq(json_string(value), ""))
		grid_answer_drop(a, GRID_DROP_MISSING);
	else if (!grid_read_number(value, &number))
		grid_answer_drop(a, GRID_DROP_TYPE);
	else
		grid_put_number(a, metric, zone, ms, duration_ms, number, factor, kind);
}

void grid_read_issued(struct grid_answer *a, const struct json *time, int64_t now_ms)
{
	int64_t ms;

	if (json_time(time, &ms) && ms <= now_ms && ms >= now_ms - GRID_PAST_SLOTS * SLOT_MS)
		a->issued_ms = ms;
}

int grid_read_verdict(const struct grid_answer *a, int before, size_t rows, struct error *err)
{
	if (a->points > before || a->parts.len)
		return 0;
	if (rows == 0)
		return error_set(err, ERR_NOT_FOUND, "no values in the answer");
	return error_set(err, ERR_INVALID, "none of %zu values is usable", rows);
}

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool grid_zone_is_plain(const char *zone, const char *extra)
{
	size_t len = 0;

	if (!zone)
		return false;
	while (zone[len] && (is_alnum(zone[len]) || strchr(extra, zone[len])))
		len++;
	return len > 0 && len < GRID_NAME_MAX && zone[len] == '\0';
}

bool grid_url_escape(const char *text, char *out, size_t cap)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t n = 0;

	for (const char *c = text; *c; c++) {
		unsigned char byte = (unsigned char)*c;
		bool plain = is_alnum(*c) || strchr("-._~", *c);

		if (n + (plain ? 1 : 3) >= cap)
			return false;
		if (plain) {
			out[n++] = *c;
		} else {
			out[n++] = '%';
			out[n++] = hex[byte >> 4];
			out[n++] = hex[byte & 15];
		}
	}
	out[n] = '\0';
	return true;
}

/* Visible ASCII only: a line break would be a header of its own. */
bool grid_is_header_value(const char *s, size_t max)
{
	size_t len = 0;

	while (s[len] > ' ' && s[len] < 127)
		len++;
	return s[len] == '\0' && len > 0 && len <= max;
}

bool grid_has_key(const struct grid_env *env)
{
	return env->secret && grid_is_header_value(env->secret, GRID_KEY_MAX) &&
	       (!env->user || grid_is_header_value(env->user, GRID_KEY_MAX));
}

void grid_bearer(struct grid_request *r, const char *token)
{
	(void)snprintf(r->header, sizeof(r->header), "Authorization: Bearer %s", token);
}

void grid_key_header(const struct grid_env *env, struct grid_request *r, const char *name)
{
	(void)snprintf(r->header, sizeof(r->header), "%s: %s", name, env->secret);
}

void grid_authorize(const struct grid_env *env, struct grid_request *r)
{
	struct buf coded _cleanup_(buf_release) = BUF_INIT(GRID_HEADER_MAX);
	char pair[2 * GRID_KEY_MAX + 2];

	if (!grid_has_key(env))
		return;
	if (!env->user) {
		grid_bearer(r, env->secret);
		return;
	}
	(void)snprintf(pair, sizeof(pair), "%s:%s", env->user, env->secret);
	base64_encode(str_from(pair), &coded);
	(void)snprintf(r->header, sizeof(r->header), "Authorization: Basic %s", buf_cstr(&coded));
	explicit_bzero(pair, sizeof(pair));
	explicit_bzero(coded.ptr, coded.len);
}

const struct grid_custom *grid_place(const struct grid_env *env, const char *name)
{
	const struct grid_custom *c = grid_env_custom(env, name);

	return c && fabs(c->latitude) <= 90 && fabs(c->longitude) <= 180 ? c : NULL;
}

static int64_t local_hour_ms(const struct tz *tz, int64_t day, int hour)
{
	int year, month, mday;

	time_civil_from_days(day, &year, &month, &mday);
	return tz_local_to_utc_ms(tz, year, month, mday, hour, 0);
}

int64_t grid_poll_auction(const struct grid_env *env, int64_t known_until_ms, int hour, double jitter)
{
	int64_t today = grid_day_of(env->tz, env->now_ms), publication = local_hour_ms(env->tz, today, hour), wait;
	bool out = env->now_ms >= publication;

	if (known_until_ms >= grid_day_start_ms(env->tz, today + (out ? 2 : 1)))
		wait = (out ? local_hour_ms(env->tz, today + 1, hour) : publication) - env->now_ms;
	else
		wait = out ? 15 * MINUTE_MS : MIN(HOUR_MS, publication - env->now_ms);
	return env->now_ms + wait + MINUTE_MS + (int64_t)(jitter * (double)(3 * MINUTE_MS));
}
