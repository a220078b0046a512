/* SPDX-License-Identifier: Apache-2.0 */
/* The collector against a small provider of its own, good and bad; and what the reconciler makes of it. */
#include "grid_fixture.h"

#include <stdatomic.h>

#include "controller/gridregion_controller.h"
#include "http/server.h"
#include "json/writer.h"

#define MAX_TEXT ((size_t)1024 * 1024)
#define ARENA_TEST_MAX ((size_t)16 * 1024 * 1024)

enum mode { GOOD, SERVER_ERROR, EMPTY, GARBAGE, THROTTLED, REGIONAL_DOWN, RETIRED };

struct stub {
	struct http_server *server;
	struct clock clock;
	_Atomic enum mode mode;
	atomic_int requests, products;
	atomic_int changed;
	char url[64], octopus[80];
};

static void put_window(struct json_writer *w, int64_t ms, bool regional, int carbon)
{
	char text[TIME_TEXT];

	jw_object(w, NULL);
	jw_string(w, "from", time_format_minute(ms, text));
	jw_string(w, "to", time_format_minute(ms + SLOT_MS, text));
	if (regional)
		jw_array(w, "regions"), jw_object(w, NULL), jw_i64(w, "regionid", 13);
	jw_object(w, "intensity");
	jw_i64(w, "forecast", carbon);
	jw_string(w, "index", "low");
	jw_end_object(w);
	if (regional) {
		jw_array(w, "generationmix");
		jw_object(w, NULL), jw_string(w, "fuel", "wind"), jw_i64(w, "perc", 100), jw_end_object(w);
		jw_end_array(w), jw_end_object(w), jw_end_array(w);
	}
	jw_end_object(w);
}

/* Never the same for hours: that would be a flat line. */
static int carbon_at(int64_t ms, bool regional)
{
	return (regional ? 100 : 150) + (int)(ms / SLOT_MS % 7);
}

static void carbon(struct stub *s, struct buf *out, bool regional)
{
	struct json_writer w = json_writer(out);
	int64_t now = time_slot_floor(clock_now_ms(&s->clock), SLOT_MS);

	jw_object(&w, NULL);
	jw_array(&w, "data");
	for (int i = -2; i < 90; i++)
		put_window(&w, now + i * SLOT_MS, regional, carbon_at(now + i * SLOT_MS, regional));
	jw_end_array(&w);
	jw_end_object(&w);
}

static void rates(struct stub *s, struct buf *out)
{
	struct json_writer w = json_writer(out);
	int64_t now = time_slot_floor(clock_now_ms(&s->clock), SLOT_MS);

	jw_object(&w, NULL);
	jw_null(&w, "next");
	jw_array(&w, "results");
	for (int i = 6; i >= -4; i--) { /* tomorrow is not published */
		jw_object(&w, NULL);
		jw_double(&w, "value_exc_vat", 20.5, 2);
		jw_time(&w, "valid_from", now + i * SLOT_MS);
		jw_time(&w, "valid_to", now + (i + 1) * SLOT_MS);
		jw_end_object(&w);
	}
	jw_end_array(&w);
	jw_end_object(&w);
}

static bool answer_badly(struct stub *s, struct http_exchange *x, bool regional)
{
	switch (s->mode) {
	case SERVER_ERROR:
		http_reply(x, 500, "application/json", STR("{\"error\":{}}"));
		return true;
	case EMPTY:
		http_reply(x, 200, "application/json", STR("{\"data\":[]}"));
		return true;
	case GARBAGE:
		http_reply(x, 200, "application/json", STR("{\"data\":[{\"from\":\xff"));
		return true;
	case THROTTLED:
		http_reply_header(x, "Retry-After", "3600");
		http_reply(x, 429, "text/plain", STR("slow down"));
		return true;
	case REGIONAL_DOWN:
		if (regional)
			http_reply(x, 502, "text/plain", STR("bad gateway"));
		return regional;
	default:
		return false;
	}
}

static void handle(struct http_exchange *x, void *arg)
{
	struct stub *s = arg;
	struct str path = str_from(http_path(x));
	struct buf out = BUF_INIT(MAX_TEXT);
	bool regional = str_has_prefix(path, STR("/regional/"));

	s->requests++;
	s->products += str_is(path, "/v1/products/");
	if (answer_badly(s, x, regional))
		return;
	if (str_is(path, "/v1/products/")) {
		(void)buf_addf(&out,
			       "{\"results\":[{\"code\":\"AGILE-%s\",\"available_from\":\"2020-01-01T00:00:00Z\"}]}",
			       s->mode == RETIRED ? "2" : "1");
	} else if (str_has_prefix(path, STR("/v1/products/"))) {
		if (s->mode == RETIRED && str_has_prefix(path, STR("/v1/products/AGILE-1/"))) {
			http_reply(x, 404, "application/json", STR("{\"detail\":\"Not found.\"}"));
			return;
		}
		rates(s, &out);
	} else {
		carbon(s, &out, regional);
	}
	http_reply_take(x, 200, "application/json", &out);
}

static void changed(void *arg, const char *region)
{
	struct stub *s = arg;

	(void)region;
	s->changed++;
}

struct world {
	struct stub stub;
	struct http_loop *loop;
	struct collector *collector;
	struct arena arena;
};

static void start_collector(struct world *w)
{
	const struct collector_provider providers[] = { { .name = "carbonintensity-gb", .base_url = w->stub.url },
							{ .name = "octopus-agile", .base_url = w->stub.octopus },
							{ 0 } };
	const struct collector_options options = {
		.loop = w->loop, .clock = w->stub.clock, .providers = providers, .changed = changed, .arg = &w->stub
	};
	struct error err = ERROR_INIT;

	if (collector_new(&options, &w->collector, &err))
		fail_msg("%s", err.msg);
}

/* A domain clock that shows that time now: 16:05 in London, when unpublished prices are asked for every 5 minutes. */
static struct clock clock_at(const char *text, int32_t factor)
{
	int64_t now_ms = clock_wall_ms();

	return (struct clock){ factor == 1 ? 0 : (factor * now_ms - at(text)) / (factor - 1), factor };
}

static void start(struct world *w, enum mode mode, int factor)
{
	const struct http_route routes[] = { { .method = "GET", .path = "/*", .fn = handle, .arg = &w->stub } };
	static struct http_route kept[1];
	struct http_server_config cfg = { .name = "stub", .address = "127.0.0.1", .routes = kept, .n_routes = 1 };
	struct error err = ERROR_INIT;

	kept[0] = routes[0];
	memset(w, 0, sizeof(*w));
	w->stub.mode = mode;
	w->stub.clock = clock_at("2026-05-06T15:05:00Z", factor);
	arena_init(&w->arena, 4096, ARENA_TEST_MAX);
	if (http_server_new(&cfg, &w->stub.server, &err) || http_loop_new(&w->loop, &err))
		fail_msg("%s", err.msg);
	(void)snprintf(w->stub.url, sizeof(w->stub.url), "http://127.0.0.1:%d", http_server_port(w->stub.server));
	(void)snprintf(w->stub.octopus, sizeof(w->stub.octopus), "%s/v1/", w->stub.url);
	start_collector(w);
}

static void stop(struct world *w)
{
	collector_free(w->collector);
	http_loop_free(w->loop);
	http_server_free(w->stub.server, 1000);
	arena_release(&w->arena);
}

static const struct gridregion *region(const char *name, const char *spec, const char *status)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT(MAX_TEXT);
	const struct object *o = NULL;
	struct error err = ERROR_INIT;

	(void)buf_addf(&text, "{\"metadata\":{\"name\":\"%s\",\"generation\":1},\"spec\":%s,\"status\":%s}", name, spec,
		       status);
	if (object_parse(&gridregion_type, buf_str(&text), &o, &err))
		fail_msg("%s", err.msg);
	return gridregion_of(o);
}

#define CHAIN                                                                                             \
	"{\"group\":\"gb\",\"carbon\":{\"chain\":[{\"provider\":\"carbonintensity-gb\",\"zone\":\"13\"}," \
	"{\"provider\":\"carbonintensity-gb\",\"zone\":\"national\"}]},"                                  \
	"\"price\":{\"chain\":[{\"provider\":\"octopus-agile\",\"zone\":\"C\"}]}}"
#define CHAIN_1                                                                                          \
	"{\"group\":\"gb\",\"carbon\":{\"chain\":[{\"provider\":\"carbonintensity-gb\",\"zone\":\"1\"}," \
	"{\"provider\":\"carbonintensity-gb\",\"zone\":\"national\"}]}}"

static struct collector_view view(struct world *w, const char *name)
{
	struct collector_view v;

	arena_reset(&w->arena);
	assert_true(collector_view(w->collector, name, clock_now_ms(&w->stub.clock), &w->arena, &v));
	return v;
}

static void pause_ms(int64_t ms)
{
	const struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	(void)nanosleep(&t, NULL);
}

/* Until carbon and price are usable, at most 10 s. */
static struct collector_view wait_usable(struct world *w, const char *name)
{
	struct collector_view v = { 0 };

	for (int i = 0; i < 500; i++) {
		v = view(w, name);
		if (v.carbon.usable && v.price.usable)
			return v;
		pause_ms(20);
	}
	fail_msg("no data: carbon %d %s, price %d %s", v.carbon.usable, v.carbon.trouble ? v.carbon.trouble : "",
		 v.price.usable, v.price.trouble ? v.price.trouble : "");
	return v;
}

static void status_text(struct world *w, const struct gridregion *r, const struct collector_view *v, struct buf *out)
{
	struct gridregion *desired = arena_new(&w->arena, struct gridregion);

	gridregion_status(r, v, NULL, clock_now_ms(&w->stub.clock), &w->arena, desired);
	gridregion_encode_status(desired, out);
}

static void check_carbon(struct world *w, const struct collector_view *v)
{
	int64_t now = clock_now_ms(&w->stub.clock);

	assert_int_equal(grid_series_at(v->carbon.series, now), carbon_at(now, v->carbon.chain == 0) * 1000);
}

/* Good data come in, bad answers take nothing away, and a successor starts from the status. */
static void test_good_then_bad(void **state)
{
	static const enum mode bad[] = { EMPTY, GARBAGE, SERVER_ERROR, THROTTLED };
	_cleanup_(buf_release) struct buf status = BUF_INIT(MAX_TEXT);
	const struct gridregion *r = region("london", CHAIN, "{}");
	struct collector_view v;
	struct world w;

	(void)state;
	start(&w, GOOD, 240);
	collector_set_regions(w.collector, &r, 1);
	v = wait_usable(&w, "london");
	assert_int_equal(v.carbon.chain, 0);
	assert_null(v.carbon.trouble);
	check_carbon(&w, &v);
	assert_int_equal(grid_series_at(v.price.series, clock_now_ms(&w.stub.clock)), 205000);
	assert_int_equal(grid_series_at(v.renewable, clock_now_ms(&w.stub.clock)), 1000);
	assert_non_null(v.moment);
	assert_string_equal(v.price.product, "AGILE-1");
	assert_true(w.stub.changed > 0);
	assert_false(v.mixed);
	status_text(&w, r, &v, &status);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		w.stub.mode = bad[i];
		pause_ms(1500);
		v = view(&w, "london");
		assert_true(v.carbon.usable && v.price.usable);
	}
	collector_free(w.collector);
	object_unref(&r->obj);
	r = region("london", CHAIN, buf_cstr(&status));
	w.stub.mode = SERVER_ERROR;
	start_collector(&w);
	collector_set_regions(w.collector, &r, 1);
	v = view(&w, "london");
	assert_true(v.carbon.usable && v.price.usable);
	assert_int_equal(v.carbon.chain, 0);
	check_carbon(&w, &v);
	assert_int_equal(grid_series_at(v.price.series, clock_now_ms(&w.stub.clock)), 205000);
	assert_string_equal(v.price.product, "AGILE-1");
	object_unref(&r->obj);
	stop(&w);
}

/* Regional data fail from the start: the national ones serve, with another basis. */
static void test_fallback(void **state)
{
	const struct gridregion *r = region("london", CHAIN, "{}");
	struct collector_view v;
	struct gridregion *desired;
	struct world w;

	(void)state;
	start(&w, REGIONAL_DOWN, 240);
	collector_set_regions(w.collector, &r, 1);
	v = wait_usable(&w, "london");
	assert_int_equal(v.carbon.chain, 1);
	for (int i = 0; i < 100 && !strstr(v.carbon.trouble, "502"); i++) {
		pause_ms(20);
		v = view(&w, "london");
	}
	assert_non_null(strstr(v.carbon.trouble, "carbonintensity-gb 13: "));
	desired = arena_new(&w.arena, struct gridregion);
	gridregion_status(r, &v, NULL, clock_now_ms(&w.stub.clock), &w.arena, desired);
	assert_string_equal(desired->basis.resolution, "national");
	assert_true(condition_is_true(&desired->conditions, "Fresh"));
	assert_true(condition_is_true(&desired->conditions, "Degraded"));
	assert_string_equal(condition_find(&desired->conditions, "Degraded")->reason, "CarbonFallback");
	/* It comes back by itself. */
	w.stub.mode = GOOD;
	for (int i = 0; i < 500 && v.carbon.chain != 0; i++) {
		pause_ms(20);
		v = view(&w, "london");
	}
	assert_int_equal(v.carbon.chain, 0);
	object_unref(&r->obj);
	stop(&w);
}

/* A product that is retired is looked up anew. */
static void test_retired(void **state)
{
	const struct gridregion *r = region("london", CHAIN, "{}");
	struct collector_view v;
	struct world w;

	(void)state;
	start(&w, GOOD, 240);
	collector_set_regions(w.collector, &r, 1);
	v = wait_usable(&w, "london");
	assert_int_equal(w.stub.products, 1);
	assert_string_equal(v.price.product, "AGILE-1");
	w.stub.mode = RETIRED;
	for (int i = 0; i < 500 && strcmp(v.price.product, "AGILE-2") != 0; i++) {
		pause_ms(20);
		v = view(&w, "london");
	}
	assert_string_equal(v.price.product, "AGILE-2");
	assert_int_equal(w.stub.products, 2);
	object_unref(&r->obj);
	stop(&w);
}

/* One try for each question while the provider fails: no storm, whatever the number of regions. */
static void test_no_storm(void **state)
{
	const struct gridregion *r[20];
	struct world w;

	(void)state;
	start(&w, SERVER_ERROR, 1);
	for (int i = 0; i < 20; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "r%d", i);
		r[i] = region(name, CHAIN, "{}");
	}
	collector_set_regions(w.collector, r, 20);
	for (int i = 0; i < 20; i++) {
		pause_ms(50);
		collector_set_regions(w.collector, r, 20);
	}
	/* Four carbon questions and the products list; full jitter may draw a second try within the second. */
	assert_in_range(w.stub.requests, 5, 9);
	for (int i = 0; i < 20; i++)
		object_unref(&r[i]->obj);
	stop(&w);
}

/* Regional figures here, national ones there: the group is not ranked. Both come from the statuses, nothing answers. */
static void test_mixed(void **state)
{
	_cleanup_(buf_release) struct buf regional = BUF_INIT(MAX_TEXT), national = BUF_INIT(MAX_TEXT);
	const struct gridregion *r[2];
	struct collector_view v;
	char now[TIME_TEXT];
	struct world w;

	(void)state;
	start(&w, SERVER_ERROR, 1);
	(void)time_format(time_slot_floor(clock_now_ms(&w.stub.clock), SLOT_MS), now);
	(void)buf_addf(
		&regional,
		"{\"forecast\":{\"startTime\":\"%s\",\"carbonP50\":[1,2,3,4,5]},\"sources\":[{\"metric\":\"carbon\","
		"\"provider\":\"carbonintensity-gb\",\"zone\":\"13\",\"issuedTime\":\"%s\"}]}",
		now, now);
	(void)buf_addf(
		&national,
		"{\"forecast\":{\"startTime\":\"%s\",\"carbonP50\":[6,7,8,9]},\"sources\":[{\"metric\":\"carbon\","
		"\"provider\":\"carbonintensity-gb\",\"zone\":\"national\",\"issuedTime\":\"%s\"}]}",
		now, now);
	r[0] = region("london", CHAIN, buf_cstr(&regional));
	r[1] = region("north-scotland", CHAIN_1, buf_cstr(&national));
	collector_set_regions(w.collector, r, 1);
	v = view(&w, "london");
	assert_false(v.mixed);
	collector_set_regions(w.collector, r, 2);
	v = view(&w, "north-scotland");
	assert_int_equal(v.carbon.chain, 1);
	assert_true(v.mixed);
	v = view(&w, "london");
	assert_int_equal(v.carbon.chain, 0);
	assert_true(v.mixed);
	/* Gone again. */
	collector_set_regions(w.collector, r, 1);
	v = view(&w, "london");
	assert_false(v.mixed);
	object_unref(&r[0]->obj);
	object_unref(&r[1]->obj);
	stop(&w);
}

/* Prices of a group in two currencies, or a tariff here and a wholesale price there. */
static void test_mixed_prices(void **state)
{
	static const char spec[] = "{\"group\":\"g\",\"carbon\":{\"chain\":[{\"provider\":\"carbonintensity-gb\","
				   "\"zone\":\"13\"}]},\"price\":{\"chain\":[{\"provider\":\"%s\",\"zone\":\"%s\"}]}}";
	static const char *const others[][3] = { { "energy-charts", "DE-LU", "EUR" }, { "elexon", "GB", "GBP" } };
	struct world w;

	(void)state;
	start(&w, SERVER_ERROR, 1);
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		char here[512], there[512], had[2][512], now[TIME_TEXT];
		const struct gridregion *r[2];
		struct collector_view v;

		(void)time_format(time_slot_floor(clock_now_ms(&w.stub.clock), SLOT_MS), now);
		(void)snprintf(here, sizeof(here), spec, "octopus-agile", "C");
		(void)snprintf(there, sizeof(there), spec, others[i][0], others[i][1]);
		for (int k = 0; k < 2; k++)
			(void)snprintf(
				had[k], sizeof(had[k]),
				"{\"forecast\":{\"startTime\":\"%s\",\"priceP50\":[1,2,3,4]},\"sources\":[{"
				"\"metric\":\"price\",\"provider\":\"%s\",\"zone\":\"%s\",\"issuedTime\":\"%s\"}]}",
				now, k ? others[i][0] : "octopus-agile", k ? others[i][1] : "C", now);
		r[0] = region("a", here, had[0]);
		r[1] = region("b", there, had[1]);
		collector_set_regions(w.collector, r, 1);
		assert_int_equal(view(&w, "a").mixed, COLLECTOR_COMPARABLE);
		collector_set_regions(w.collector, r, 2);
		v = view(&w, "b");
		assert_true(v.price.usable);
		assert_int_equal(v.price.metric, GRID_WHOLESALE);
		assert_string_equal(v.price.currency, others[i][2]);
		assert_int_equal(v.mixed, COLLECTOR_MIXED_PRICE);
		object_unref(&r[0]->obj);
		object_unref(&r[1]->obj);
	}
	stop(&w);
}

static struct grid_series series(enum grid_metric m, int64_t issued, int64_t start, int n, int32_t first)
{
	struct grid_series s = { .metric = m, .issued_ms = issued, .start_ms = start, .n = n };

	for (int i = 0; i < n; i++) {
		s.value[i] = first + i;
		s.kind[i] = GRID_KIND_FORECAST;
	}
	return s;
}

static void test_status(void **state)
{
	const struct gridregion *r = region("london", CHAIN, "{}");
	int64_t now = at("2026-05-06T09:10:00Z"), slot = at("2026-05-06T09:00:00Z");
	struct grid_series c = series(GRID_CARBON, slot, slot - 2 * SLOT_MS, 6, 100);
	struct grid_series p = series(GRID_PRICE, slot, slot - SLOT_MS, 7, -3);
	struct collector_view v = {
		.carbon = { .usable = true,
			    .provider = &grid_carbonintensity_gb,
			    .zone = "13",
			    .fetched_ms = now,
			    .series = &c },
		.price = { .usable = true,
			   .provider = &grid_octopus_agile,
			   .zone = "C",
			   .metric = GRID_PRICE,
			   .currency = "GBP",
			   .fetched_ms = now,
			   .series = &p },
	};
	struct gridregion *a, *b;
	struct arena arena;

	(void)state;
	arena_init(&arena, 4096, ARENA_TEST_MAX);
	a = arena_new(&arena, struct gridregion);
	b = arena_new(&arena, struct gridregion);
	gridregion_status(r, &v, NULL, now, &arena, a);
	assert_int_equal(a->now.carbon_mg_per_kwh, 102);
	assert_int_equal(a->now.price_micros_per_kwh, -2);
	assert_int_equal(a->now.renewable_permille, GRID_UNKNOWN);
	assert_int_equal(a->forecast.start_ms, slot);
	assert_int_equal(a->forecast.n, 6);
	assert_int_equal(a->forecast.carbon_p50[3], 105);
	assert_int_equal(a->forecast.carbon_p50[4], GRID_UNKNOWN);
	assert_int_equal(a->forecast.price_p50[5], 3);
	assert_null(a->forecast.renewable);
	assert_null(a->forecast.carbon_p10);
	assert_int_equal(a->recent.start_ms, slot - 2 * SLOT_MS);
	assert_int_equal(a->recent.n, 2);
	assert_int_equal(a->recent.price[0], GRID_UNKNOWN);
	assert_string_equal(a->sources[1].note, "household shape proxy");
	assert_string_equal(a->currency, "GBP");
	assert_true(condition_is_true(&a->conditions, "Fresh"));
	assert_false(condition_is_true(&a->conditions, "Degraded"));
	assert_false(condition_is_true(&a->conditions, "PlaceShiftDisabled"));
	/* Fetched again with the same content: nothing to write. The next slot, or another value: something. */
	v.carbon.fetched_ms = v.price.fetched_ms = now + MINUTE_MS;
	gridregion_status(r, &v, NULL, now + MINUTE_MS, &arena, b);
	b->conditions = a->conditions;
	assert_false(gridregion_status_differs(a, b));
	c.value[5]++;
	gridregion_status(r, &v, NULL, now + MINUTE_MS, &arena, b);
	b->conditions = a->conditions;
	assert_true(gridregion_status_differs(a, b));
	c.value[5]--;
	gridregion_status(r, &v, NULL, now + SLOT_MS, &arena, b);
	b->conditions = a->conditions;
	assert_true(gridregion_status_differs(a, b));
	arena_release(&arena);
	object_unref(&r->obj);
}

static void test_conditions(void **state)
{
	const struct gridregion *r = region("london", CHAIN, "{}");
	int64_t now = at("2026-05-06T20:10:00Z"), slot = at("2026-05-06T09:00:00Z");
	struct grid_series c = series(GRID_CARBON, slot, slot, 96, 100);
	struct collector_view v = {
		.carbon = { .use = GRID_USE_TOO_OLD,
			    .provider = &grid_carbonintensity_gb,
			    .zone = "13",
			    .fetched_ms = now,
			    .series = &c,
			    .trouble = "carbonintensity-gb 13: status 500" },
		.price = { .chain = -1, .trouble = "octopus-agile C: no answer yet" },
		.mixed = COLLECTOR_MIXED_BASIS,
	};
	struct gridregion *a;
	struct arena arena;

	(void)state;
	arena_init(&arena, 4096, ARENA_TEST_MAX);
	a = arena_new(&arena, struct gridregion);
	gridregion_status(r, &v, NULL, now, &arena, a);
	assert_string_equal(condition_find(&a->conditions, "Fresh")->reason, "Stale");
	assert_string_equal(condition_find(&a->conditions, "Degraded")->reason, "NoFreshCarbon");
	assert_true(a->place_shift_disabled);
	/* Last good data are shown, with their age to be seen. */
	assert_int_equal(a->now.carbon_mg_per_kwh, 122);
	gridregion_status(r, &v, NULL, now + 3 * DAY_MS, &arena, a);
	assert_string_equal(condition_find(&a->conditions, "Fresh")->reason, "HorizonOver");
	assert_int_equal(a->forecast.start_ms, TIME_NONE);
	assert_int_equal(a->now.carbon_mg_per_kwh, GRID_UNKNOWN);
	v.carbon.chain = -1;
	gridregion_status(r, &v, NULL, now, &arena, a);
	assert_string_equal(condition_find(&a->conditions, "Fresh")->reason, "NoData");
	v.carbon = (struct collector_pick){
		.usable = true, .provider = &grid_carbonintensity_gb, .zone = "13", .fetched_ms = now, .series = &c
	};
	gridregion_status(r, &v, NULL, now, &arena, a);
	assert_string_equal(condition_find(&a->conditions, "Degraded")->reason, "NoPrice");
	arena_release(&arena);
	object_unref(&r->obj);
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
		cmocka_unit_test(test_status),        cmocka_unit_test(test_conditions),
		cmocka_unit_test(test_good_then_bad), cmocka_unit_test(test_fallback),
		cmocka_unit_test(test_retired),       cmocka_unit_test(test_no_storm),
		cmocka_unit_test(test_mixed),         cmocka_unit_test(test_mixed_prices),
	};

	return cmocka_run_group_tests(tests, global_init, NULL);
}
