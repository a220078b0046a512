/* SPDX-License-Identifier: Apache-2.0 */
/* gridreplay's faults: which are in force, and those that replace a whole answer; the others are in the generators. */
#include "base/cleanup.h"
#include "replay.h"

static const char *const transport_names[TRANSPORTS] = { "", "hold", "drip", "endless", "cut", "large" };

/* "2h", "90m", "1d", "45s"; one unit. */
static bool parse_duration(struct str s, int64_t *ret_ms)
{
	static const struct {
		char unit;
		int64_t ms;
	} units[] = { { 's', SECOND_MS }, { 'm', MINUTE_MS }, { 'h', HOUR_MS }, { 'd', DAY_MS } };
	int64_t n;

	for (size_t i = 0; s.len && i < ARRAY_LEN(units); i++)
		if (s.ptr[s.len - 1] == units[i].unit && str_to_i64(str_of(s.ptr, s.len - 1), 0, 100000, &n)) {
			*ret_ms = n * units[i].ms;
			return true;
		}
	return false;
}

static int parse_row(const struct replay *r, struct str text, struct fault *f, struct error *err)
{
	struct str row, name = text;
	int64_t number;

	(void)str_split(&name, '/', &row);
	if (row.len < 4 || !str_has_prefix(row, STR("11.")) ||
	    !str_to_i64(str_of(row.ptr + 3, row.len - 3), 1, FAULT_ROWS - 1, &number))
		return error_set(err, ERR_INVALID, "row must be one of 11.01 to 11.%d", FAULT_ROWS - 1);
	f->row = (int)number;
	if (f->row == FAULT_TLS)
		return error_set(err, ERR_INVALID, "11.19 is had by --tls-cert and another certificate in its place");
	if (f->row == FAULT_SLOW) {
		f->transport = name.ptr ? TRANSPORT_NONE : TRANSPORT_HOLD;
		for (int i = 1; i < TRANSPORTS; i++)
			if (name.ptr && str_is(name, transport_names[i]))
				f->transport = (enum transport)i;
		if (!r->plain)
			return error_set(err, ERR_INVALID, "11.20 works without --tls-cert only");
	}
	if (name.ptr && !f->transport)
		return error_set(err, ERR_INVALID,
				 "after '/' goes hold, drip, endless, cut or large, and only for 11.20");
	return 0;
}

static int parse_one(const struct replay *r, struct str text, struct fault *f, struct error *err)
{
	struct str head, row, span = text, start;
	int64_t from, length;

	*f = (struct fault){ .provider = -1, .from_ms = INT64_MIN, .to_ms = INT64_MAX };
	(void)str_split(&span, '+', &head);
	(void)str_split(&head, '@', &row);
	if (parse_row(r, row, f, err))
		return -1;
	if (head.ptr) {
		for (int i = 0; i < PROVIDERS; i++)
			if (str_is(head, provider_names[i]))
				f->provider = i;
		if (f->provider < 0)
			return error_set(err, ERR_INVALID, "provider must be one of those in docs/gridreplay.md, as %s",
					 provider_names[0]);
	}
	if (!span.ptr)
		return 0;
	if (!str_split(&span, '-', &start) || !parse_duration(start, &from) || !parse_duration(span, &length))
		return error_set(err, ERR_INVALID, "span must be like +2h-30m (start-duration)");
	f->from_ms = r->rec.start_ms + from;
	f->to_ms = f->from_ms + length;
	return 0;
}

int faults_set(struct replay *r, struct str list, struct error *err)
{
	struct fault found[REPLAY_MAX_FAULTS];
	struct str part;
	int n = 0;

	while (str_split(&list, ',', &part)) {
		part = str_trim(part);
		if (!part.len)
			continue;
		if (n == REPLAY_MAX_FAULTS)
			return error_set(err, ERR_LIMIT, "more than %d faults", REPLAY_MAX_FAULTS);
		if (parse_one(r, part, &found[n++], err))
			return error_wrap(err, "fault '%.*s'", (int)MIN(part.len, 60), part.ptr);
	}
	MUTEX_GUARD(&r->mutex);
	memcpy(r->faults, found, (size_t)n * sizeof(*found));
	r->n_faults = n;
	memset(r->turn, 0, sizeof(r->turn));
	return 0;
}

enum transport faults_collect(struct replay *r, enum provider provider, int64_t now_ms, bool rows[FAULT_ROWS])
{
	enum transport transport = TRANSPORT_NONE;

	MUTEX_GUARD(&r->mutex);
	for (int i = 0; i < r->n_faults; i++) {
		const struct fault *f = &r->faults[i];

		if ((f->provider >= 0 && f->provider != (int)provider) || now_ms < f->from_ms || now_ms >= f->to_ms)
			continue;
		rows[f->row] = true;
		transport = f->transport ? f->transport : transport;
	}
	return transport;
}

static void reply_text(struct request *req, int status, const char *type, const char *text)
{
	reply(req, status, type, str_from(text));
}

static unsigned take_turn(struct request *req)
{
	MUTEX_GUARD(&req->replay->mutex);
	return req->replay->turn[req->provider]++;
}

static void server_error(struct request *req, unsigned turn)
{
	static const struct {
		int status;
		const char *type, *body;
	} errors[] = { { 500, "application/json",
			 "{\"error\":{\"code\":\"500 Internal Server Error\",\"message\":\"Requested resource not "
			 "found.\"}}" },
		       { 502, "application/json", "{\"message\":\"Internal server error\"}" },
		       { 503, "text/html", "<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>" } };

	reply_text(req, errors[turn % 3].status, errors[turn % 3].type, errors[turn % 3].body);
}

static void moved(struct request *req, unsigned turn)
{
	static const int statuses[] = { 301, 302, 404 };
	int status = statuses[turn % 3];

	if (status != 404)
		http_reply_header(req->x, "Location", "https://moved.invalid/elsewhere");
	reply_text(req, status, "application/json", "{\"message\":\"no Route matched with those values\"}");
}

bool faults_answer(struct request *req, const struct source *source)
{
	static const char *const empty[] = { "{}", "[]", "{\"data\":[]}", "" };
	unsigned turn = take_turn(req);

	if (req->fault[FAULT_SERVER_ERROR] || (req->fault[FAULT_LOOKUP] && source->lookup)) {
		server_error(req, turn);
	} else if (req->fault[FAULT_THROTTLED]) {
		http_reply_header(req->x, "Retry-After", "2");
		reply_text(req, 429, "application/json", "{\"error\":\"too many requests\"}");
	} else if (req->fault[FAULT_AUTH] && source->keyed) {
		reply_text(req, 401, "application/json", "{\"message\":\"Invalid auth-token\"}");
	} else if (req->fault[FAULT_MOVED]) {
		moved(req, turn);
	} else if (req->fault[FAULT_HTML]) {
		reply_text(req, 200, "text/html", "<html><body>Please sign in to the network.</body></html>");
	} else if (req->fault[FAULT_EMPTY]) {
		reply_text(req, 200, "application/json", empty[turn % ARRAY_LEN(empty)]);
	} else if (req->fault[FAULT_CACHED]) {
		http_reply_header(req->x, "Cache-Control", "public, max-age=604800");
		reply_text(req, 200, "application/json", "");
	} else if (req->fault[FAULT_WIPE] && turn % 2) {
		reply_text(req, 200, "application/json", "{\"data\":[]}");
	} else {
		return false;
	}
	return true;
}
