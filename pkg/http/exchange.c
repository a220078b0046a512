/* SPDX-License-Identifier: Apache-2.0 */
/* Exchange: what a handler sees of a request, and its answer, see server.h and serving.h. */
#include <assert.h>

#include "base/quote.h"
#include "http/serving.h"

struct http_exchange *exchange_new(struct http_server *s)
{
	struct http_exchange *x = xcalloc(1, sizeof(*x));

	x->server = s;
	buf_init(&x->head, s->max_head);
	buf_init(&x->body, 0);
	buf_init(&x->extra, EXCHANGE_MAX_EXTRA_HEAD);
	buf_init(&x->out, EXCHANGE_MAX_ANSWER);
	return x;
}

void exchange_free(struct http_exchange *x)
{
	if (!x)
		return;
	buf_release(&x->head);
	buf_release(&x->body);
	buf_release(&x->extra);
	buf_release(&x->out);
	free(x->params_text);
	free(x->params);
	free(x);
}

static void forget(struct buf *b)
{
	if (b->cap > EXCHANGE_KEEP_BYTES)
		buf_release(b);
	else
		buf_reset(b);
}

void exchange_reset(struct http_exchange *x)
{
	forget(&x->head);
	forget(&x->body);
	forget(&x->extra);
	forget(&x->out);
	free(x->params_text);
	free(x->params);
	x->params_text = NULL;
	x->params = NULL;
	x->n_params = 0;
	x->route = NULL;
	x->held = x->running = x->answered = false;
	x->status = 0;
	x->content_type[0] = '\0';
}

const char *http_method(const struct http_exchange *x)
{
	return x->head.ptr + x->req.method;
}

const char *http_path(const struct http_exchange *x)
{
	return x->head.ptr + x->req.path;
}

const char *http_query(const struct http_exchange *x)
{
	return x->head.ptr + x->req.query;
}

const char *http_header(const struct http_exchange *x, const char *name)
{
	return request_header(&x->req, x->head.ptr, name);
}

struct str http_body(const struct http_exchange *x)
{
	return buf_str(&x->body);
}

/* Splits and decodes a copy of the query once; a parameter with a broken escape is left out. */
static void read_params(struct http_exchange *x)
{
	char *p = xstrdup(http_query(x)), *next;

	x->params_text = p;
	x->params = xcalloc(REQUEST_MAX_PARAMS, sizeof(*x->params));
	for (; p && x->n_params < REQUEST_MAX_PARAMS; p = next) {
		char *value;

		next = strchr(p, '&');
		if (next)
			*next++ = '\0';
		value = strchr(p, '=');
		if (value)
			*value++ = '\0';
		else
			value = p + strlen(p);
		if (*p && request_unescape(p, true) && request_unescape(value, true))
			x->params[x->n_params++] = (struct http_param){ p, value };
	}
}

const char *http_param(struct http_exchange *x, const char *name)
{
	if (!x->params)
		read_params(x);
	for (size_t i = 0; i < x->n_params; i++)
		if (strcmp(x->params[i].name, name) == 0)
			return x->params[i].value;
	return NULL;
}

static bool is_header_text(const char *s)
{
	return strpbrk(s, "\r\n") == NULL;
}

void http_reply_header(struct http_exchange *x, const char *name, const char *value)
{
	/* A line break in a value would let its author write our headers. */
	if (is_header_text(name) && is_header_text(value))
		(void)buf_addf(&x->extra, "%s: %s\r\n", name, value);
}

static void set_reply(struct http_exchange *x, int status, const char *content_type, struct str body)
{
	bool no_body = status == 204 || status == 304 || strcmp(http_method(x), "HEAD") == 0;

	assert(status >= 200 && status <= 599);
	x->status = status;
	if (!content_type || !is_header_text(content_type) ||
	    !str_copy(x->content_type, sizeof(x->content_type), str_from(content_type)))
		x->content_type[0] = '\0';
	/* What does not fit is an error of ours: better none than half an answer. */
	if (x->extra.overflow || body.len > EXCHANGE_MAX_ANSWER / 2) {
		x->status = 500;
		buf_reset(&x->extra);
		body = STR_NULL;
	}
	x->announced = body.len;
	if (no_body)
		body = STR_NULL;
	x->out_room = LWS_PRE + EXCHANGE_HEAD_ROOM + x->extra.len;
	buf_reset(&x->out);
	(void)buf_reserve(&x->out, x->out_room + body.len);
	x->out.len = x->out_room;
	(void)buf_addstr(&x->out, body);
}

/* Hands the answer to the server thread; x is not ours any more. */
static void submit(struct http_exchange *x)
{
	struct http_server *s = x->server;
	bool orphan;

	pthread_mutex_lock(&s->mutex);
	assert(!x->answered);
	x->answered = true;
	orphan = !x->running && !x->conn;
	if (!x->running && x->conn) {
		x->next = NULL;
		if (s->answered_last) {
			s->answered_last->next = x;
		} else {
			s->answered_first = x;
			/* The context lives at least as long as this connection, which needs our mutex to go away. */
			lws_cancel_service(s->context);
		}
		s->answered_last = x;
	}
	pthread_mutex_unlock(&s->mutex);
	if (orphan) {
		exchange_free(x);
		server_unref(s);
	}
}

void http_reply(struct http_exchange *x, int status, const char *content_type, struct str body)
{
	set_reply(x, status, content_type, body);
	submit(x);
}

void http_reply_take(struct http_exchange *x, int status, const char *content_type, struct buf *body)
{
	http_reply(x, status, content_type, buf_str(body));
	buf_release(body);
}

static void set_error_reply(struct http_exchange *x, int status, const char *text)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT(4096);

	(void)buf_adds(&b, "{\"error\":");
	quote_json(&b, str_from(text));
	(void)buf_adds(&b, "}\n");
	set_reply(x, status, "application/json", buf_str(&b));
}

void http_reply_error(struct http_exchange *x, int status, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	set_error_reply(x, status, text);
	submit(x);
}

void exchange_set_error(struct http_exchange *x, int status, const char *text)
{
	set_error_reply(x, status, text);
}

static const char *reason_phrase(int status)
{
	static const struct {
		int status;
		const char *text;
	} table[] = {
		{ 200, "OK" },
		{ 201, "Created" },
		{ 202, "Accepted" },
		{ 204, "No Content" },
		{ 304, "Not Modified" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 409, "Conflict" },
		{ 413, "Content Too Large" },
		{ 415, "Unsupported Media Type" },
		{ 417, "Expectation Failed" },
		{ 422, "Unprocessable Content" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
		{ 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].status == status)
			return table[i].text;
	return "Other";
}

/* IMF-fixdate of RFC 9110 5.6.7, once a second. Not strftime(): its names depend on the locale. */
static const char *date_text(struct http_server *s)
{
	static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t now = (time_t)(clock_wall_ms() / SECOND_MS);
	struct tm tm;

	if (now != s->date_s && gmtime_r(&now, &tm)) {
		s->date_s = now;
		(void)snprintf(s->date_text, sizeof(s->date_text), "%s, %02d %s %04d %02d:%02d:%02d GMT",
			       days[tm.tm_wday % 7], tm.tm_mday, months[tm.tm_mon % 12], (tm.tm_year + 1900) % 10000,
			       tm.tm_hour, tm.tm_min, tm.tm_sec);
	}
	return s->date_text;
}

void exchange_finish_head(struct http_exchange *x, bool keep_alive)
{
	char head[EXCHANGE_HEAD_ROOM];
	char length[48] = "";
	size_t n;

	if (x->status != 204)
		(void)snprintf(length, sizeof(length), "Content-Length: %zu\r\n", x->announced);
	n = (size_t)snprintf(head, sizeof(head), "HTTP/1.1 %d %s\r\nDate: %s\r\n%s%s%s%s%s", x->status,
			     reason_phrase(x->status), date_text(x->server), x->content_type[0] ? "Content-Type: " : "",
			     x->content_type, x->content_type[0] ? "\r\n" : "", length,
			     keep_alive ? "" : "Connection: close\r\n");
	/* Room is left for the extra lines and the empty line: see set_reply(). */
	assert(n + 2 <= sizeof(head));
	x->out_start = x->out_room - n - x->extra.len - 2;
	memcpy(x->out.ptr + x->out_start, head, n);
	if (x->extra.len)
		memcpy(x->out.ptr + x->out_start + n, x->extra.ptr, x->extra.len);
	memcpy(x->out.ptr + x->out_room - 2, "\r\n", 2);
}
