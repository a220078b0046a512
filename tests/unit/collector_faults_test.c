/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The collector against what goes wrong: keys and tokens, redirects, answers about another time, gaps that are filled
 * later, providers that stay down, what stands in for them; and what the database is told. One small server plays all
 * providers, at factor 240: an hour is 15 s.
 */
#include "grid_fixture.h"

#include <stdatomic.h>

#include "controller/collector_internal.h"
#include "controller/gridregion_controller.h"
#include "http/server.h"
#include "json/writer.h"

#define MAX_TEXT ((size_t)1024 * 1024)
#define ARENA_TEST_MAX ((size_t)16 * 1024 * 1024)
#define SECRET "s3cr3t-pass"

struct world {
	struct http_server *server;
	struct http_loop *loop;
	struct collector *collector;
	struct collector_options options;
	struct clock clock;
	struct arena arena;
	char url[64];
	/* What the server does. */
	atomic_bool down, throttled, elsewhere, other_time, gap, refuse;
	atomic_int requests, issues, logins, token; /* token: which one is right */
	/* What the sink got. */
	atomic_int samples, moments, vintages, attempts, leaked, stresses, stress;
	/* What the history is asked. */
	pthread_t reader;
	atomic_bool reading;
	grid_past_fn done;
	void *done_arg;
	int64_t from_ms, to_ms;
};

static int carbon_at(int64_t ms)
{
	return 100 + (int)(ms / SLOT_MS % 7);
}

static void put_windows(struct world *w, struct json_writer *jw, int64_t from)
{
	char text[TIME_TEXT];

	for (int i = 0; i < 96; i++) {
		int64_t ms = from + i * SLOT_MS;

		if (w->gap && i >= 20 && i < 23)
			continue;
		jw_object(jw, NULL);
		jw_string(jw, "from", time_format_minute(ms, text));
		jw_string(jw, "to", time_format_minute(ms + SLOT_MS, text));
		jw_object(jw, "intensity");
		jw_i64(jw, "forecast", carbon_at(ms));
		jw_end_object(jw);
		jw_end_object(jw);
	}
}

static void answer_carbon(struct world *w, struct http_exchange *x, bool ahead)
{
	struct buf out = BUF_INIT(MAX_TEXT);
	struct json_writer jw = json_writer(&out);
	int64_t now = time_slot_floor(clock_now_ms(&w->clock), SLOT_MS);

	w->issues += ahead;
	jw_object(&jw, NULL);
	jw_array(&jw, "data");
	put_windows(w, &jw, now - (w->other_time ? 7 * DAY_MS : ahead ? 0 : 2 * DAY_MS));
	jw_end_array(&jw);
	jw_end_object(&jw);
	http_reply_take(x, 200, "application/json", &out);
}

/* Rows of time and value, for the provider `generic`: demand that goes up and down over the day. */
static void answer_demand(struct world *w, struct http_exchange *x)
{
	struct buf out = BUF_INIT(MAX_TEXT);
	struct json_writer jw = json_writer(&out);
	int64_t now = time_slot_floor(clock_now_ms(&w->clock), SLOT_MS);

	jw_array(&jw, NULL);
	for (int i = -90; i < 48; i++) {
		int64_t ms = now + i * SLOT_MS;
		int slot = (int)(ms % DAY_MS / SLOT_MS);

		jw_object(&jw, NULL);
		jw_time(&jw, "t", ms);
		jw_i64(&jw, "v", 40000 - 500 * abs(slot - 35));
		jw_end_object(&jw);
	}
	jw_end_array(&jw);
	http_reply_take(x, 200, "application/json", &out);
}

static void answer_watttime(struct world *w, struct http_exchange *x, struct str path)
{
	struct buf out = BUF_INIT(MAX_TEXT);
	struct str given = str_from(http_header(x, "authorization"));
	int64_t now = time_slot_floor(clock_now_ms(&w->clock), SLOT_MS);
	struct json_writer jw = json_writer(&out);
	char right[64];

	if (str_is(path, "/login")) {
		w->logins++;
		/* "user:s3cr3t-pass" */
		if (!str_is(given, "Basic dXNlcjpzM2NyM3QtcGFzcw==")) {
			http_reply(x, 401, "application/json", STR("{}"));
			return;
		}
		(void)buf_addf(&out, "{\"token\":\"token%d\"}", (int)w->token);
		http_reply_take(x, 200, "application/json", &out);
		return;
	}
	(void)snprintf(right, sizeof(right), "Bearer token%d", (int)w->token);
	if (w->refuse || !str_is(given, right)) {
		http_reply(x, 401, "application/json", STR("{\"error\":\"token\"}"));
		return;
	}
	jw_object(&jw, NULL);
	jw_array(&jw, "data");
	for (int i = 0; str_is(path, "/v3/forecast") && i < 200; i++) {
		jw_object(&jw, NULL);
		jw_time(&jw, "point_time", now + i * 5 * MINUTE_MS);
		jw_i64(&jw, "value", 800 + i % 9);
		jw_end_object(&jw);
	}
	jw_end_array(&jw);
	jw_object(&jw, "meta");
	jw_string(&jw, "region", "CAISO_NORTH");
	jw_string(&jw, "units", "lbs_co2_per_mwh");
	jw_i64(&jw, "data_point_period_seconds", 300);
	jw_time(&jw, "generated_at", now);
	jw_end_object(&jw);
	jw_end_object(&jw);
	http_reply_take(x, 200, "application/json", &out);
}

/* Its packages cannot be looked up; the resource of the published id and its file are there. */
static void answer_neso(struct world *w, struct http_exchange *x, struct str path)
{
	struct buf out = BUF_INIT(MAX_TEXT);
	int64_t now = time_slot_floor(clock_now_ms(&w->clock), SLOT_MS);
	char text[TIME_TEXT];

	if (str_is(path, "/api/3/action/resource_show")) {
		w->logins++;
		http_reply(x, 200, "application/json",
			   STR("{\"success\":true,\"result\":{\"name\":\"National Carbon Intensity Forecast\",\"url\":"
			       "\"http://h/dataset/x/y.csv\",\"datastore_active\":false}}"));
		return;
	}
	if (!str_is(path, "/dataset/x/y.csv")) {
		http_reply(x, 500, "text/plain", STR("look-ups are out of order"));
		return;
	}
	(void)buf_adds(&out, "datetime,actual,forecast,index\n");
	for (int64_t ms = now; ms < now + 2 * DAY_MS; ms += SLOT_MS)
		(void)buf_addf(&out, "%s,,%d,low\n", time_format(ms, text), carbon_at(ms));
	http_reply_take(x, 200, "text/csv", &out);
}

static void handle(struct http_exchange *x, void *arg)
{
	struct world *w = arg;
	struct str path = str_from(http_path(x));

	w->requests++;
	if (w->down) {
		http_reply(x, 503, "text/plain", STR("maintenance"));
	} else if (w->throttled) {
		http_reply_header(x, "Retry-After", "2");
		http_reply(x, 429, "text/plain", STR("slow down"));
	} else if (w->elsewhere) {
		http_reply_header(x, "Location", "https://moved.invalid/elsewhere");
		http_reply(x, 302, "text/plain", STR("moved"));
	} else if (str_has_prefix(path, STR("/files/"))) {
		answer_demand(w, x);
	} else if (str_has_prefix(path, STR("/intensity/"))) {
		answer_carbon(w, x, str_has_suffix(path, STR("/fw48h")));
	} else if (str_has_prefix(path, STR("/v3/")) || str_is(path, "/login")) {
		answer_watttime(w, x, path);
	} else if (str_has_prefix(path, STR("/api/3/")) || str_has_prefix(path, STR("/dataset/"))) {
		answer_neso(w, x, path);
	} else {
		http_reply(x, 404, "text/plain", STR("no such path"));
	}
}

static void changed(void *arg, const char *region)
{
	(void)arg;
	(void)region;
}

static void sink_samples(void *arg, const struct grid_sample *samples, size_t n)
{
	struct world *w = arg;

	for (size_t i = 0; i < n; i++) {
		assert_true(samples[i].value != GRID_UNKNOWN && samples[i].duration_ms == SLOT_MS);
		if (samples[i].metric != GRID_STRESS)
			continue;
		assert_string_equal(samples[i].zone, "r");
		assert_string_equal(samples[i].provider, "generic");
		w->stress = samples[i].value;
		w->stresses++;
	}
	w->samples += (int)n;
}

static void sink_moment(void *arg, const struct grid_provider *p, const struct grid_moment *m, int64_t fetched_ms)
{
	struct world *w = arg;

	(void)p;
	(void)m;
	(void)fetched_ms;
	w->moments++;
}

static void sink_vintage(void *arg, const struct grid_provider *p, const struct grid_series *s,
			 const struct grid_basis *basis, int64_t fetched_ms)
{
	struct world *w = arg;

	assert_true(s->metric != GRID_CARBON || basis->accounting[0]);
	assert_true(fetched_ms > 0 && p);
	w->vintages++;
}

static bool tells(const char *text)
{
	return strstr(text, "s3cr3t") || strstr(text, "token1") || strstr(text, "dXNlc");
}

static void sink_attempt(void *arg, const struct grid_attempt *a)
{
	struct world *w = arg;

	w->attempts++;
	w->leaked += tells(a->reason) || tells(a->request);
}

static struct world *start(const char *at_text)
{
	static struct http_route routes[1];
	struct http_server_config cfg = { .name = "stub", .address = "127.0.0.1", .routes = routes, .n_routes = 1 };
	struct world *w = calloc(1, sizeof(*w));
	struct error err = ERROR_INIT;
	int64_t now_ms = clock_wall_ms();

	assert_non_null(w);
	routes[0] = (struct http_route){ .method = "GET", .path = "/*", .fn = handle, .arg = w };
	w->clock = (struct clock){ (240 * now_ms - at(at_text)) / 239, 240 };
	w->token = 1;
	arena_init(&w->arena, 4096, ARENA_TEST_MAX);
	if (http_server_new(&cfg, &w->server, &err) || http_loop_new(&w->loop, &err))
		fail_msg("%s", err.msg);
	(void)snprintf(w->url, sizeof(w->url), "http://127.0.0.1:%d/", http_server_port(w->server));
	w->options = (struct collector_options){
		.loop = w->loop, .clock = w->clock, .server = w->url, .changed = changed, .arg = w
	};
	return w;
}

static void collect(struct world *w, const char *spec, const char *status)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT(MAX_TEXT);
	const struct gridregion *r;
	const struct object *o = NULL;
	struct error err = ERROR_INIT;

	(void)buf_addf(&text, "{\"metadata\":{\"name\":\"r\",\"generation\":1},\"spec\":%s,\"status\":%s}", spec,
		       status ? status : "{}");
	if (collector_new(&w->options, &w->collector, &err) || object_parse(&gridregion_type, buf_str(&text), &o, &err))
		fail_msg("%s", err.msg);
	r = gridregion_of(o);
	collector_set_regions(w->collector, &r, 1);
	object_unref(o);
}

static void stop(struct world *w)
{
	collector_free(w->collector);
	if (w->reading)
		(void)pthread_join(w->reader, NULL);
	http_loop_free(w->loop);
	http_server_free(w->server, 1000);
	arena_release(&w->arena);
	free(w);
}

static void pause_ms(int64_t ms)
{
	const struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	(void)nanosleep(&t, NULL);
}

static struct collector_view view(struct world *w)
{
	struct collector_view v;

	arena_reset(&w->arena);
	assert_true(collector_view(w->collector, "r", clock_now_ms(&w->clock), &w->arena, &v));
	return v;
}

static const struct collector_status *status_of(struct world *w, const char *provider)
{
	const struct collector_status *s;

	arena_reset(&w->arena);
	s = collector_status(w->collector, &w->arena);
	while (strcmp(s->provider->name, provider) != 0)
		s++;
	return s;
}

/* Until carbon is usable, or is not, at most 20 s. */
static struct collector_view wait_carbon(struct world *w, bool usable)
{
	struct collector_view v = view(w);

	for (int i = 0; i < 1000 && v.carbon.usable != usable; i++) {
		pause_ms(20);
		v = view(w);
	}
	if (v.carbon.usable != usable)
		fail_msg("usable is %d: %s", v.carbon.usable, v.carbon.trouble ? v.carbon.trouble : "");
	return v;
}

/* Until the trouble says so, at most 20 s. */
static struct collector_view wait_trouble(struct world *w, const char *words)
{
	struct collector_view v = view(w);

	for (int i = 0; i < 1000 && !(v.carbon.trouble && strstr(v.carbon.trouble, words)); i++) {
		pause_ms(20);
		v = view(w);
	}
	if (!v.carbon.trouble || !strstr(v.carbon.trouble, words))
		fail_msg("not \"%s\" but: %s", words, v.carbon.trouble ? v.carbon.trouble : "none");
	return v;
}

#define NATIONAL "{\"carbon\":{\"chain\":[{\"provider\":\"carbonintensity-gb\",\"zone\":\"national\"}]}}"
#define MARGINAL "{\"carbon\":{\"chain\":[{\"provider\":\"watttime\",\"zone\":\"CAISO_NORTH\"}]}}"

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void test_secret_file(void **state)
{
	struct secret_file s = { 0 };
	struct error err = ERROR_INIT;
	char long_text[1200];

	(void)state;
	assert_int_equal(secret_file_refresh(&s, &err), 0);
	assert_false(s.known);
	(void)snprintf(s.path, sizeof(s.path), "/tmp/loadshift-secret-test.%d", (int)getpid());
	(void)unlink(s.path);
	assert_int_equal(secret_file_refresh(&s, &err), -1);
	assert_non_null(strstr(err.msg, s.path));
	write_file(s.path, "  " SECRET "\n");
	assert_int_equal(secret_file_refresh(&s, &err), 0);
	assert_string_equal(s.text, SECRET);
	/* Another one is seen; the same is not read again. */
	write_file(s.path, "other");
	assert_int_equal(secret_file_refresh(&s, &err), 0);
	assert_string_equal(s.text, "other");
	/* Nothing that could become a second header, and nothing without an end; the message does not say what it is.
	 */
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	for (int i = 0; i < 3; i++) {
		write_file(s.path, i == 0 ? "a\r\nX-Evil: b" : i == 1 ? "" : long_text);
		assert_int_equal(secret_file_refresh(&s, &err), -1);
		assert_false(s.known);
		assert_null(strstr(err.msg, "X-Evil"));
	}
	/* Gone: not used any longer. */
	write_file(s.path, SECRET);
	assert_int_equal(secret_file_refresh(&s, &err), 0);
	(void)unlink(s.path);
	assert_int_equal(secret_file_refresh(&s, &err), -1);
	assert_false(s.known);
	assert_string_equal(s.text, "");
}

/* Without a key nothing is asked, and it says what to do; with one it logs in once, and again when the token ages. */
static void test_keys(void **state)
{
	struct world *w = start("2026-05-06T09:10:00Z");
	char secret[64], user[64];
	const struct collector_provider settings[] = { { .name = "watttime", .secret_file = secret, .user_file = user },
						       { 0 } };
	const struct grid_sink sink = { .attempt = sink_attempt, .arg = w };
	struct collector_view v;

	(void)state;
	collect(w, MARGINAL, NULL);
	v = wait_trouble(w, "watttime CAISO_NORTH: needs a key: set grid.providers.watttime.secretFile");
	pause_ms(300);
	assert_int_equal(w->requests, 0);
	assert_non_null(status_of(w, "watttime")->off);
	collector_free(w->collector);

	(void)snprintf(secret, sizeof(secret), "/tmp/loadshift-secret-test.%d", (int)getpid());
	(void)snprintf(user, sizeof(user), "/tmp/loadshift-user-test.%d", (int)getpid());
	write_file(secret, SECRET "\n");
	write_file(user, "user\n");
	w->options.providers = settings;
	w->options.sink = &sink;
	collect(w, MARGINAL, NULL);
	v = wait_carbon(w, true);
	assert_string_equal(v.carbon.basis.accounting, "marginal");
	assert_int_equal(w->logins, 1);
	/* The token is another from now on: one login, and on it goes. */
	w->token = 2;
	for (int i = 0; i < 1000 && w->logins < 2; i++)
		pause_ms(20);
	assert_int_equal(w->logins, 2);
	/* Whatever token is refused: once more at once, then like any failure. Of it 24 minutes. */
	w->refuse = true;
	w->requests = w->logins = 0;
	pause_ms(6000);
	assert_in_range(w->requests, 3, 60);
	assert_true(w->logins <= w->requests / 2 + 1);
	assert_true(w->attempts > 0);
	assert_int_equal(w->leaked, 0);
	(void)unlink(secret);
	(void)unlink(user);
	stop(w);
}

/* Five failures in a row close the door; it opens by itself. The last good data stay. */
static void test_breaker(void **state)
{
	struct world *w = start("2026-05-06T09:10:00Z");
	struct collector_view v;
	int opened;

	(void)state;
	collect(w, NATIONAL, NULL);
	(void)wait_carbon(w, true);
	w->down = true;
	for (int i = 0; i < 2000 && status_of(w, "carbonintensity-gb")->circuit == GRID_CIRCUIT_CLOSED; i++)
		pause_ms(20);
	assert_int_not_equal(status_of(w, "carbonintensity-gb")->circuit, GRID_CIRCUIT_CLOSED);
	opened = w->requests;
	/* A quarter of an hour: a few probes, one at a time. */
	pause_ms(4000);
	assert_in_range(w->requests - opened, 0, 8);
	v = view(w);
	assert_true(v.carbon.usable);
	assert_int_equal(grid_series_at(v.carbon.series, clock_now_ms(&w->clock)) / 1000,
			 carbon_at(clock_now_ms(&w->clock)));
	assert_string_equal(status_of(w, "carbonintensity-gb")->attempts[0].result, "unavailable");
	w->down = false;
	for (int i = 0; i < 1000 && status_of(w, "carbonintensity-gb")->circuit != GRID_CIRCUIT_CLOSED; i++)
		pause_ms(20);
	assert_int_equal(status_of(w, "carbonintensity-gb")->circuit, GRID_CIRCUIT_CLOSED);
	stop(w);
}

/* One 429 holds all questions to that provider, for as long as it says: real seconds. */
static void test_throttled(void **state)
{
	struct world *w = start("2026-05-06T09:10:00Z");
	int asked;

	(void)state;
	w->throttled = true;
	collect(w, NATIONAL, NULL);
	(void)wait_trouble(w, "429");
	pause_ms(100);
	/* Those that were under way together. */
	asked = w->requests;
	assert_in_range(asked, 1, 4);
	pause_ms(1500);
	assert_int_equal(w->requests, asked);
	w->throttled = false;
	(void)wait_carbon(w, true);
	stop(w);
}

/* Nobody is led anywhere that is not listed; and an answer about last week is no answer. */
static void test_elsewhere(void **state)
{
	struct world *w = start("2026-05-06T09:10:00Z");
	struct collector_view v;

	(void)state;
	w->elsewhere = true;
	collect(w, NATIONAL, NULL);
	v = wait_trouble(w, "redirect");
	assert_false(v.carbon.usable);
	w->elsewhere = false;
	w->other_time = true;
	v = wait_trouble(w, "another time than was asked for");
	assert_int_equal(v.carbon.chain, -1);
	w->other_time = false;
	(void)wait_carbon(w, true);
	stop(w);
}

/* A hole in a good answer is asked for again before the next issue is due. */
static void test_gap(void **state)
{
	struct world *w = start("2026-05-06T09:06:00Z");
	int64_t hole = at("2026-05-06T19:30Z");
	int asked;

	(void)state;
	w->gap = true;
	collect(w, NATIONAL, NULL);
	(void)wait_carbon(w, true);
	assert_int_equal(grid_series_at(view(w).carbon.series, hole - HOUR_MS) % 1000, 0);
	assert_int_equal(grid_series_at(view(w).carbon.series, hole), GRID_UNKNOWN);
	w->gap = false;
	asked = w->issues;
	/* The next issue is due at 9:32 at the earliest: 6.5 s from the start. */
	for (int i = 0; i < 250 && grid_series_at(view(w).carbon.series, hole) == GRID_UNKNOWN; i++)
		pause_ms(20);
	assert_int_equal(grid_series_at(view(w).carbon.series, hole), carbon_at(hole) * 1000);
	assert_true(clock_now_ms(&w->clock) < at("2026-05-06T09:32Z"));
	assert_int_equal(w->issues - asked, 1);
	stop(w);
}

/* Answers later, from a thread of its own: eight weeks of 200 g with a swing by the hour. */
static void *answer_past(void *arg)
{
	struct world *w = arg;
	struct grid_past past[3000];
	size_t n = 0;

	pause_ms(100);
	for (int64_t ms = time_slot_ceil(w->from_ms, SLOT_MS); ms < w->to_ms && n < ARRAY_LEN(past); ms += SLOT_MS)
		past[n++] =
			(struct grid_past){ ms, 200000 + (int32_t)(ms % DAY_MS / HOUR_MS) * 1000, GRID_KIND_ACTUAL };
	w->done(w->done_arg, past, n, NULL);
	return NULL;
}

static void read_past(void *arg, const char *provider, const char *zone, enum grid_metric metric, int64_t from_ms,
		      int64_t to_ms, grid_past_fn done, void *done_arg)
{
	struct world *w = arg;

	assert_string_equal(provider, "carbonintensity-gb");
	assert_string_equal(zone, "national");
	assert_int_equal(metric, GRID_CARBON);
	if (w->reading) {
		done(done_arg, NULL, 0, NULL);
		return;
	}
	w->from_ms = from_ms;
	w->to_ms = to_ms;
	w->done = done;
	w->done_arg = done_arg;
	w->reading = pthread_create(&w->reader, NULL, answer_past, w) == 0;
}

/* With the provider down from the start: what history says, and without it yearly factors; each trusted less. */
static void test_last_resorts(void **state)
{
	static const char spec[] =
		"{\"carbon\":{\"chain\":[{\"provider\":\"carbonintensity-gb\",\"zone\":\"national\"},"
		"{\"provider\":\"hour-of-week\",\"zone\":\"carbonintensity-gb/national\"},"
		"{\"provider\":\"static-factors\",\"zone\":\"GB\"}]}}";
	struct world *w = start("2026-05-06T09:10:00Z");
	const struct grid_history_reader history = { .read = read_past, .arg = w };
	struct collector_view v;
	struct gridregion *status;
	const struct condition *c;

	(void)state;
	w->down = true;
	collect(w, spec, NULL);
	v = wait_carbon(w, true);
	assert_string_equal(v.carbon.provider->name, "static-factors");
	assert_int_equal(v.carbon.use, GRID_USE_LAST_RESORT);
	assert_in_range(v.carbon.confidence_permille, GRID_CONFIDENCE_MIN, 299);
	assert_non_null(strstr(v.carbon.trouble, "hour-of-week carbonintensity-gb/national: needs a database"));
	collector_free(w->collector);

	w->options.history = &history;
	collect(w, spec, NULL);
	for (int i = 0; i < 500; i++) {
		v = wait_carbon(w, true);
		if (strcmp(v.carbon.provider->name, "hour-of-week") == 0)
			break;
		pause_ms(20);
	}
	assert_string_equal(v.carbon.provider->name, "hour-of-week");
	assert_string_equal(v.carbon.basis.resolution, "national");
	assert_int_equal(grid_series_at(v.carbon.series, at("2026-05-07T03:00Z")), 203000);
	assert_int_equal(grid_series_at(v.carbon.series, at("2026-05-07T22:30Z")), 222000);
	status = arena_new(&w->arena, struct gridregion);
	gridregion_status(&(struct gridregion){ 0 }, &v, NULL, clock_now_ms(&w->clock), &w->arena, status);
	c = condition_find(&status->conditions, "Degraded");
	assert_string_equal(c->reason, "CarbonLastResort");
	assert_string_equal(condition_find(&status->conditions, "Fresh")->reason, "LastResort");
	assert_string_equal(status->sources[0].use, "last resort");
	assert_int_equal(status->confidence_permille, v.carbon.confidence_permille);
	/* The real thing comes back. */
	w->down = false;
	for (int i = 0; i < 1000 && v.carbon.chain != 0; i++) {
		pause_ms(20);
		v = view(w);
	}
	assert_int_equal(v.carbon.chain, 0);
	assert_int_equal(v.carbon.confidence_permille, 1000);
	stop(w);
}

static void read_nothing(void *arg, const char *provider, const char *zone, enum grid_metric metric, int64_t from_ms,
			 int64_t to_ms, grid_past_fn done, void *done_arg)
{
	struct world *w = arg;

	(void)provider, (void)zone, (void)metric, (void)from_ms, (void)to_ms;
	w->issues++;
	done(done_arg, NULL, 0, NULL);
}

/* A database without weeks of data has none a few minutes later either. */
static void test_empty_history(void **state)
{
	static const char spec[] = "{\"carbon\":{\"chain\":[{\"provider\":\"hour-of-week\",\"zone\":"
				   "\"carbonintensity-gb/national\"}]}}";
	struct world *w = start("2026-05-06T09:10:00Z");
	const struct grid_history_reader history = { .read = read_nothing, .arg = w };

	(void)state;
	w->options.history = &history;
	collect(w, spec, NULL);
	wait_trouble(w, "fewer than 3 weeks");
	/* 20 minutes. */
	pause_ms(5000);
	assert_int_equal(w->issues, 1);
	stop(w);
}

/* The look-up by name fails: the data come by id, and the attempt says why that was needed. */
static void test_detour(void **state)
{
	struct world *w = start("2026-05-06T09:10:00Z");
	const struct collector_status *s;
	struct collector_view v;

	(void)state;
	collect(w, "{\"carbon\":{\"chain\":[{\"provider\":\"neso\",\"zone\":\"national\"}]}}", NULL);
	v = wait_carbon(w, true);
	assert_int_equal(grid_series_at(v.carbon.series, at("2026-05-07T09:00Z")),
			 carbon_at(at("2026-05-07T09:00Z")) * 1000);
	s = status_of(w, "neso");
	assert_string_equal(s->attempts[0].result, "ok");
	assert_non_null(strstr(s->attempts[0].reason, "500"));
	assert_int_equal(w->logins, 1);
	assert_int_equal(w->requests, 3);
	stop(w);
}

/* A source of one's own as a feed of the area: stress comes of it, and the sink gets all there is. */
static void test_feeds_and_sink(void **state)
{
	struct world *w = start("2026-05-06T17:10:00Z");
	const struct grid_sink sink = { sink_samples, sink_moment, sink_vintage, sink_attempt, w };
	const struct collector_feed feeds[] = { { GRID_DEMAND, "GB", "generic", "load", NULL },
						{ GRID_MARGIN, "XX", "generic", "load", NULL } };
	char url[128];
	struct grid_custom custom = { .name = "load",
				      .provider = "generic",
				      .metric = GRID_DEMAND,
				      .url = url,
				      .format = "json",
				      .rows = "",
				      .time_field = "t",
				      .value_field = "v",
				      .kind = GRID_KIND_FORECAST };
	struct collector_pick demand;
	struct collector_view v;

	(void)state;
	(void)snprintf(url, sizeof(url), "%sfiles/demand.json", w->url);
	w->options.sink = &sink;
	w->options.feeds = feeds;
	w->options.n_feeds = ARRAY_LEN(feeds);
	w->options.custom = &custom;
	w->options.n_custom = 1;
	collect(w, NATIONAL, NULL);
	v = wait_carbon(w, true);
	for (int i = 0; i < 500 && v.stress_permille == GRID_UNKNOWN; i++) {
		pause_ms(20);
		v = view(w);
	}
	assert_string_equal(v.area, "GB");
	/* Near the top of an ordinary day. */
	assert_in_range(v.stress_permille, 400, 500);
	assert_int_equal(v.stress_cause, GRID_STRESS_DEMAND);
	assert_string_equal(v.stress_source.provider->name, "generic");
	assert_true(collector_area(w->collector, "GB", GRID_DEMAND, clock_now_ms(&w->clock), &w->arena, &demand));
	assert_true(demand.usable);
	/* No region lies in the other area: it is not collected. */
	assert_false(collector_area(w->collector, "XX", GRID_MARGIN, clock_now_ms(&w->clock), &w->arena, &demand));
	assert_true(w->samples >= 96 + 138);
	assert_true(w->vintages >= 2);
	assert_true(w->attempts >= 2);
	/* Stress goes there too, once as long as it is the same: it is looked at every second, which is 4 minutes. */
	for (int i = 0; i < 150 && w->stresses == 0; i++)
		pause_ms(20);
	assert_int_equal(w->stress, v.stress_permille);
	pause_ms(2500);
	assert_in_range(w->stresses, 1, 3);
	stop(w);
}

/* Three hours without an operator, and the provider is down: the last good data, and said so; half a day: none. */
static void test_last_good(void **state)
{
	struct world *w = start("2026-05-06T12:10:00Z");
	_cleanup_(buf_release) struct buf status = BUF_INIT(MAX_TEXT);
	struct collector_view v;

	(void)state;
	w->down = true;
	for (int hours = 3; hours <= 12; hours += 9) {
		char issued[TIME_TEXT];

		(void)time_format(at("2026-05-06T12:00Z") - hours * HOUR_MS, issued);
		buf_reset(&status);
		(void)buf_addf(
			&status,
			"{\"forecast\":{\"startTime\":\"%s\",\"carbonP50\":[%s1]},\"sources\":[{\"metric\":"
			"\"carbon\",\"provider\":\"carbonintensity-gb\",\"zone\":\"national\",\"issuedTime\":"
			"\"%s\"}]}",
			issued,
			"1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,",
			issued);
		collect(w, NATIONAL, buf_cstr(&status));
		v = view(w);
		assert_int_equal(v.carbon.use, hours == 3 ? GRID_USE_LAST_GOOD : GRID_USE_TOO_OLD);
		assert_int_equal(v.carbon.usable, hours == 3);
		assert_int_equal(v.carbon.chain, 0);
		if (hours == 3)
			assert_in_range(v.carbon.confidence_permille, 800, 900);
		assert_non_null(wait_trouble(w, "503").carbon.trouble);
		collector_free(w->collector);
		w->collector = NULL;
	}
	stop(w);
}

static int global_init(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	return http_client_global_init(&err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_secret_file),    cmocka_unit_test(test_keys),
		cmocka_unit_test(test_breaker),        cmocka_unit_test(test_elsewhere),
		cmocka_unit_test(test_throttled),      cmocka_unit_test(test_gap),
		cmocka_unit_test(test_last_resorts),   cmocka_unit_test(test_last_good),
		cmocka_unit_test(test_feeds_and_sink), cmocka_unit_test(test_empty_history),
		cmocka_unit_test(test_detour),
	};

	return cmocka_run_group_tests(tests, global_init, NULL);
}
