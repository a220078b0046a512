/* SPDX-License-Identifier: Apache-2.0 */
/* gridreplay's faults: which are in force, and those that replace a whole answer; the others are in the generators. */
#include <stdatomic.h>

#include "replay.h"

#define MAX_SLOW 64
#define SLOW_MS (40 * SECOND_MS)

static bool is_known(int64_t row)
{
	static const int known[] = { FAULT_EMPTY,   FAULT_SERVER_ERROR, FAULT_SHORT,     FAULT_WIPE,
				     FAULT_MISSING, FAULT_NEGATIVE,     FAULT_OUTLIER,   FAULT_BAD_POINT,
				     FAULT_LATE,    FAULT_PAGES,        FAULT_THROTTLED, FAULT_SLOW,
				     FAULT_MOVED,   FAULT_SCHEMA,       FAULT_HTML,      FAULT_GAP };

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (row == known[i])
			return true;
	return false;
}

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

static int parse_one(struct replay *r, struct str text, struct error *err)
{
	struct fault f = { .provider = -1, .from_ms = INT64_MIN, .to_ms = INT64_MAX };
	struct str rest = text, head, row, span, start;
	int64_t number, from, length;

	(void)str_split(&rest, '+', &head);
	span = rest;
	(void)str_split(&head, '@', &row);
	if (row.len < 4 || !str_has_prefix(row, STR("11.")) ||
	    !str_to_i64(str_of(row.ptr + 3, row.len - 3), 1, FAULT_ROWS - 1, &number) || !is_known(number))
		return error_set(err, ERR_INVALID,
				 "--fault '%.*s': row must be one of 11.01 .03 .06 .. that gridreplay knows",
				 (int)MIN(text.len, 60), text.ptr);
	f.row = (int)number;
	if (head.ptr) {
		for (int i = 0; i < PROVIDERS; i++)
			if (str_is(head, provider_names[i]))
				f.provider = i;
		if (f.provider < 0)
			return error_set(err, ERR_INVALID, "--fault '%.*s': provider must be %s or %s",
					 (int)MIN(text.len, 60), text.ptr, provider_names[0], provider_names[1]);
	}
	if (span.ptr) {
		if (!str_split(&span, '-', &start) || !parse_duration(start, &from) || !parse_duration(span, &length))
			return error_set(err, ERR_INVALID, "--fault '%.*s': span must be like +2h-30m (start-duration)",
					 (int)MIN(text.len, 60), text.ptr);
		f.from_ms = r->rec.start_ms + from;
		f.to_ms = f.from_ms + length;
	}
	if (r->n_faults == REPLAY_MAX_FAULTS)
		return error_set(err, ERR_LIMIT, "more than %d faults", REPLAY_MAX_FAULTS);
	r->faults[r->n_faults++] = f;
	return 0;
}

int faults_parse(struct replay *r, struct str list, struct error *err)
{
	struct str part;

	while (str_split(&list, ',', &part))
		if (part.len && parse_one(r, part, err))
			return -1;
	return 0;
}

void faults_collect(struct request *req)
{
	const struct replay *r = req->replay;

	for (int i = 0; i < r->n_faults; i++) {
		const struct fault *f = &r->faults[i];

		if ((f->provider < 0 || f->provider == req->provider) && req->now_ms >= f->from_ms &&
		    req->now_ms < f->to_ms)
			req->fault[f->row] = true;
	}
}

static void reply_text(struct request *req, int status, const char *type, const char *text)
{
	http_reply(req->x, status, type, str_from(text));
}

static void *answer_late(void *arg)
{
	const struct timespec wait = { .tv_sec = SLOW_MS / SECOND_MS };
	static const char body[] = "{}";

	(void)nanosleep(&wait, NULL);
	http_reply(arg, 200, "application/json", str_from(body));
	return NULL;
}

static void keep_waiting(struct request *req)
{
	static atomic_int waiting; /* only grows: a test run has no need for more */
	pthread_t thread;

	if (atomic_fetch_add(&waiting, 1) >= MAX_SLOW || pthread_create(&thread, NULL, answer_late, req->x)) {
		http_reply_error(req->x, 503, "too many slow answers");
		return;
	}
	(void)pthread_detach(thread);
}

bool faults_answer(struct request *req)
{
	static const char *const empty[] = { "{}", "[]", "{\"data\":[]}", "" };
	static const struct {
		int status;
		const char *type, *body;
	} errors[] = { { 500, "application/json",
			 "{\"error\":{\"code\":\"500 Internal Server Error\",\"message\":\"Requested resource not "
			 "found.\"}}" },
		       { 502, "application/json", "{\"message\":\"Internal server error\"}" },
		       { 503, "text/html", "<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>" } };
	static const int moved[] = { 301, 302, 404 };
	unsigned turn = req->replay->turn[req->provider]++;

	if (req->fault[FAULT_SLOW]) {
		keep_waiting(req);
	} else if (req->fault[FAULT_SERVER_ERROR]) {
		reply_text(req, errors[turn % 3].status, errors[turn % 3].type, errors[turn % 3].body);
	} else if (req->fault[FAULT_THROTTLED]) {
		http_reply_header(req->x, "Retry-After", "2");
		http_reply_error(req->x, 429, "too many requests");
	} else if (req->fault[FAULT_MOVED]) {
		if (moved[turn % 3] != 404)
			http_reply_header(req->x, "Location", "https://moved.invalid/elsewhere");
		reply_text(req, moved[turn % 3], "application/json",
			   "{\"message\":\"no Route matched with those values\"}");
	} else if (req->fault[FAULT_HTML]) {
		reply_text(req, 200, "text/html", "<html><body>Please sign in to the network.</body></html>");
	} else if (req->fault[FAULT_EMPTY]) {
		reply_text(req, 200, "application/json", empty[turn % ARRAY_LEN(empty)]);
	} else if (req->fault[FAULT_WIPE] && turn % 2) {
		reply_text(req, 200, "application/json", "{\"data\":[]}");
	} else {
		return false;
	}
	return true;
}
