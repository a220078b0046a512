/* SPDX-License-Identifier: Apache-2.0 */
/* pkg/k8s: watch lines, events and lists; the reflector's state machine; informer and controller against a fake API. */
#include "fake_api.h"

#include "http/client.h"
#include "k8s/controller.h"
#include "k8s/types/configmap.h"
#include "k8s/watch.h"

/* Lines. */

struct lines {
	char text[4096];
	int n;
};

static int collect(void *arg, struct str line, struct error *err)
{
	struct lines *l = arg;
	size_t len = strlen(l->text);

	if (str_is(line, "stop"))
		return error_set(err, ERR_GONE, "stopped");
	(void)snprintf(l->text + len, sizeof(l->text) - len, "[%.*s]", STR_FMT(line));
	l->n++;
	return 0;
}

static void lines_are_cut_wherever_the_bytes_are_split(void **state)
{
	(void)state;
	static const char stream[] = "one\n\ntwo\nthree\nfour";

	for (size_t step = 1; step < sizeof(stream); step++) {
		struct watch_lines w;
		struct lines l = { 0 };
		struct error err = ERROR_INIT;

		watch_lines_init(&w);
		for (size_t at = 0; at < sizeof(stream) - 1; at += step) {
			struct str part = str_of(stream + at, MIN(step, sizeof(stream) - 1 - at));

			assert_int_equal(watch_lines_feed(&w, part, collect, &l, &err), 0);
		}
		assert_string_equal(l.text, "[one][two][three]");
		assert_int_equal(watch_lines_feed(&w, STR("\nstop\nx\n"), collect, &l, &err), -1);
		assert_int_equal(err.code, ERR_GONE);
		assert_string_equal(l.text, "[one][two][three][four]");
		watch_lines_release(&w);
	}
}

static void a_line_without_end_is_refused(void **state)
{
	(void)state;
	static char megabyte[1 << 20];
	struct watch_lines w;
	struct lines l = { 0 };
	struct error err = ERROR_INIT;
	int fed = 0;

	memset(megabyte, 'x', sizeof(megabyte));
	watch_lines_init(&w);
	while (fed < 10 && watch_lines_feed(&w, str_of(megabyte, sizeof(megabyte)), collect, &l, &err) == 0)
		fed++;
	assert_int_equal(fed, 3);
	assert_int_equal(err.code, ERR_LIMIT);
	watch_lines_release(&w);
}

/* Events and lists. */

#define OBJECT(name, version, value)                                                  \
	"{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"ns\",\"uid\":\"u-" name \
	"\",\"resourceVersion\":\"" version "\"},\"data\":{\"v\":\"" value "\"}}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"
#define BOOKMARK(version) EVENT("BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"" version "\"}}")
#define GONE                                                                                                         \
	EVENT("ERROR", "{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":\"Expired\",\"code\":410,\"message\"" \
		       ":\"too old resource version\"}")

static void watch_events(void **state)
{
	(void)state;
	struct watch_event e;
	struct error err = ERROR_INIT;

	assert_int_equal(watch_event_parse(&configmap_type, STR(EVENT("MODIFIED", OBJECT("a", "7", "x"))), &e, &err),
			 0);
	assert_int_equal(e.kind, WATCH_MODIFIED);
	assert_string_equal(e.resource_version, "7");
	assert_string_equal(e.object->meta.key, "ns/a");
	watch_event_release(&e);
	assert_int_equal(watch_event_parse(&configmap_type, STR(BOOKMARK("9")), &e, &err), 0);
	assert_int_equal(e.kind, WATCH_BOOKMARK);
	assert_null(e.object);
	assert_int_equal(watch_event_parse(&configmap_type, STR(GONE), &e, &err), 0);
	assert_int_equal(e.kind, WATCH_ERROR);
	assert_int_equal(e.error.code, ERR_GONE);
	assert_string_equal(e.error.msg, "Expired: too old resource version");
	assert_int_equal(watch_event_parse(&configmap_type,
					   STR(EVENT("ADDED", "{\"metadata\":{\"resourceVersion\":\"1\"}}")), &e, &err),
			 0);
	assert_null(e.object);
	assert_int_equal(e.error.code, ERR_INVALID);

	static const char *const bad[] = { "",
					   "null",
					   "[]",
					   "{}",
					   "{\"type\":\"ADDED\"}",
					   "{\"type\":\"NEW\",\"object\":{}}",
					   EVENT("ADDED", "{\"metadata\":{\"name\":\"a\"}}"),
					   EVENT("ADDED", "{\"metadata\":{\"resourceVersion\":5}}"),
					   EVENT("ADDED", "[]") };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (watch_event_parse(&configmap_type, str_from(bad[i]), &e, &err) == 0)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(err.code, ERR_INVALID);
	}
}

static void count_item(void *arg, const struct object *o)
{
	*(int *)arg += 1;
	object_unref(o);
}

static void list_pages(void **state)
{
	(void)state;
	struct list_page page;
	struct error err = ERROR_INIT;
	int n = 0;

	assert_int_equal(
		list_page_parse(
			&configmap_type,
			STR("{\"kind\":\"ConfigMapList\",\"items\":[ " OBJECT("a", "1", "}]\\\"{") " ,\n" OBJECT(
				"b", "2", "") ",{\"metadata\":{}}],"
					      "\"metadata\":{\"resourceVersion\":\"5\",\"continue\":\"tok\"}}"),
			count_item, &n, &page, &err),
		0);
	assert_int_equal(n, 2);
	assert_int_equal(page.n_bad, 1);
	assert_string_equal(page.resource_version, "5");
	assert_string_equal(page.next, "tok");
	free(page.next);
	assert_int_equal(list_page_parse(&configmap_type,
					 STR("{\"metadata\":{\"resourceVersion\":\"5\"},\"items\":null}"), count_item,
					 &n, &page, &err),
			 0);
	assert_null(page.next);
	static const char *const bad[] = { "{\"items\":[]}",
					   "{\"metadata\":{\"resourceVersion\":\"1\"}}",
					   "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[1]}",
					   "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":{}}",
					   "{\"metadata\":{},\"items\":[]}",
					   "" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (list_page_parse(&configmap_type, str_from(bad[i]), count_item, &n, &page, &err) == 0)
			fail_msg("accepted: %s", bad[i]);
	}
}

/* The state machine. */

static const struct error gone = { .code = ERR_GONE, .http = 410 };
static const struct error cut = { .code = ERR_UNAVAILABLE };
static const struct error refused = { .code = ERR_UNAVAILABLE, .http = 503 };

static void pages_then_watch(void **state)
{
	(void)state;
	struct reflector_fsm f;

	reflector_fsm_init(&f);
	assert_int_equal(reflector_fsm_start(&f), REFLECTOR_LIST);
	assert_int_equal(reflector_fsm_page(&f, "5", xstrdup("tok")), REFLECTOR_LIST);
	assert_string_equal(f.next, "tok");
	assert_false(f.synced);
	assert_int_equal(reflector_fsm_page(&f, "5", NULL), REFLECTOR_WATCH);
	assert_int_equal(f.state, REFLECTOR_WATCHING);
	assert_true(f.synced);
	assert_int_equal(reflector_fsm_event(&f, "8"), REFLECTOR_GO_ON);
	assert_string_equal(f.resource_version, "8");
	assert_int_equal(reflector_fsm_ended(&f, 250000, 250000, 0), REFLECTOR_WATCH);
	assert_string_equal(f.resource_version, "8");
	reflector_fsm_release(&f);
}

static void gone_lists_anew_at_once_but_not_in_a_circle(void **state)
{
	(void)state;
	struct reflector_fsm f;

	reflector_fsm_init(&f);
	(void)reflector_fsm_start(&f);
	(void)reflector_fsm_page(&f, "5", xstrdup("tok"));
	assert_int_equal(reflector_fsm_failed(&f, &gone, 1000, 0), REFLECTOR_LIST);
	assert_null(f.next);
	assert_int_equal(reflector_fsm_failed(&f, &gone, 1500, 0), REFLECTOR_WAIT);
	assert_int_equal(f.delay_ms, REFLECTOR_BACKOFF_MIN_MS);
	assert_int_equal(reflector_fsm_wake(&f), REFLECTOR_LIST);
	(void)reflector_fsm_page(&f, "9", NULL);
	assert_int_equal(reflector_fsm_failed(&f, &gone, 40000, 0), REFLECTOR_LIST);
	reflector_fsm_release(&f);
}

static void a_cut_watch_goes_on_from_its_version(void **state)
{
	(void)state;
	struct reflector_fsm f;

	reflector_fsm_init(&f);
	(void)reflector_fsm_start(&f);
	(void)reflector_fsm_page(&f, "5", NULL);
	(void)reflector_fsm_event(&f, "6");
	assert_int_equal(reflector_fsm_failed(&f, &cut, 1000, 0.5), REFLECTOR_WAIT);
	assert_int_equal(f.delay_ms, 1200);
	assert_int_equal(reflector_fsm_wake(&f), REFLECTOR_WATCH);
	assert_string_equal(f.resource_version, "6");
	/* A server that ends every watch at once is not hammered. */
	assert_int_equal(reflector_fsm_ended(&f, 10, 3000, 0), REFLECTOR_WAIT);
	assert_int_equal(f.delay_ms, 1600);
	/* One that refuses again and again gets a list. */
	for (int i = 0; i < REFLECTOR_MAX_REFUSALS; i++) {
		assert_int_equal(reflector_fsm_wake(&f), REFLECTOR_WATCH);
		assert_int_equal(reflector_fsm_failed(&f, &refused, 4000, 0), REFLECTOR_WAIT);
	}
	assert_int_equal(reflector_fsm_wake(&f), REFLECTOR_LIST);
	reflector_fsm_release(&f);
}

static void delays_double_to_a_cap_and_start_again_after_health(void **state)
{
	(void)state;
	static const int64_t expected[] = { 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000 };
	struct reflector_fsm f;
	int64_t now = 0;

	reflector_fsm_init(&f);
	(void)reflector_fsm_start(&f);
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		assert_int_equal(reflector_fsm_failed(&f, &refused, now += 1000, 0), REFLECTOR_WAIT);
		assert_int_equal(f.delay_ms, expected[i]);
		assert_int_equal(reflector_fsm_wake(&f), REFLECTOR_LIST);
	}
	(void)reflector_fsm_failed(&f, &refused, now += REFLECTOR_HEALTHY_MS, 0);
	assert_int_equal(f.delay_ms, 800);
	struct error throttled = { .code = ERR_THROTTLED, .http = 429, .retry_after_ms = 7000 };
	(void)reflector_fsm_wake(&f);
	(void)reflector_fsm_failed(&f, &throttled, now += 1000, 0);
	assert_int_equal(f.delay_ms, 7000);
	reflector_fsm_release(&f);
}

static void a_page_too_large_to_take_is_asked_for_in_smaller_parts(void **state)
{
	(void)state;
	static const int expected[] = { 100, 20, 4, 1, 1 };
	const struct error too_large = { .code = ERR_LIMIT };
	struct reflector_fsm f;

	reflector_fsm_init(&f);
	assert_int_equal(f.limit, REFLECTOR_PAGE_LIMIT);
	(void)reflector_fsm_start(&f);
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		assert_int_equal(reflector_fsm_failed(&f, &too_large, 1000, 0), REFLECTOR_WAIT);
		assert_int_equal(reflector_fsm_wake(&f), REFLECTOR_LIST);
		assert_int_equal(f.limit, expected[i]);
	}
	/* A watch event that is too large says nothing about pages. */
	(void)reflector_fsm_page(&f, "5", NULL);
	f.limit = 500;
	(void)reflector_fsm_failed(&f, &too_large, 2000, 0);
	assert_int_equal(f.limit, 500);
	reflector_fsm_release(&f);
}

/* Informer and controller. */

enum { SCRIPT_PLAIN, SCRIPT_GONE_IN_PAGING, SCRIPT_GONE_IN_WATCH, SCRIPT_ERRORS_FIRST };

struct script {
	int kind;
	_Atomic(int) lists, pages, watches;
	_Atomic(bool) go_on; /* set by the test */
	_Atomic(int) bad_requests;
};

static void script_list(struct script *s, const struct fake_request *r)
{
	int list = atomic_load(&s->lists);

	if (strstr(r->target, "continue=")) {
		int page = atomic_fetch_add(&s->pages, 1);

		if (!strstr(r->target, "continue=t%2Bk%3D"))
			atomic_fetch_add(&s->bad_requests, 1);
		if (s->kind == SCRIPT_GONE_IN_PAGING && page == 0)
			fake_status(r->fd, 410, "Expired", "continue token expired");
		else
			fake_reply(r->fd, 200,
				   "{\"metadata\":{\"resourceVersion\":\"10\"},\"items\":[" OBJECT(
					   "b", "2", "1") "," OBJECT("c", "3", "1") "]}");
		return;
	}
	atomic_fetch_add(&s->lists, 1);
	if (!strstr(r->target, "limit=500") || !strstr(r->target, "labelSelector=a%3Db"))
		atomic_fetch_add(&s->bad_requests, 1);
	if (s->kind == SCRIPT_ERRORS_FIRST && list == 0)
		fake_status(r->fd, 500, "InternalError", "not yet");
	else if (s->kind == SCRIPT_GONE_IN_WATCH && list > 0)
		fake_reply(r->fd, 200,
			   "{\"metadata\":{\"resourceVersion\":\"50\"},\"items\":[" OBJECT("z", "40", "1") "]}");
	else
		fake_reply(r->fd, 200,
			   "{\"metadata\":{\"resourceVersion\":\"10\",\"continue\":\"t+k=\"},\"items\":[" OBJECT(
				   "a", "1", "1") "]}");
}

static void script_watch(struct fake *f, struct script *s, const struct fake_request *r)
{
	int watch = atomic_fetch_add(&s->watches, 1);

	const char *timeout = strstr(r->target, "timeoutSeconds=");
	long seconds = timeout ? strtol(timeout + 15, NULL, 10) : 0;
	if (!strstr(r->target, "allowWatchBookmarks=true") || seconds < 240 || seconds > 300)
		atomic_fetch_add(&s->bad_requests, 1);
	fake_stream(r->fd);
	if (watch == 0) {
		while (!atomic_load(&s->go_on) && !atomic_load(&f->stopping))
			(void)usleep(1000);
		if (s->kind == SCRIPT_GONE_IN_WATCH) {
			fake_chunk(r->fd, GONE);
			fake_chunk(r->fd, "");
			return;
		}
		fake_chunk(r->fd, EVENT("MODIFIED", OBJECT("a", "11", "2")) "{\"type\":\"ADD");
		(void)usleep(5000);
		fake_chunk(r->fd,
			   "ED\",\"object\":" OBJECT("d", "12", "1") "}\n" EVENT("DELETED", OBJECT("b", "13", "1")));
		fake_chunk(r->fd, BOOKMARK("20"));
	}
	fake_hold(f, r->fd, 20000);
}

static void serve_script(struct fake *f, const struct fake_request *r, void *arg)
{
	if (!str_has_prefix(str_from(r->target), STR("/api/v1/namespaces/ns/configmaps?")))
		fake_status(r->fd, 404, "NotFound", "no such path");
	else if (strstr(r->target, "watch=1"))
		script_watch(f, arg, r);
	else
		script_list(arg, r);
}

struct world {
	struct script script;
	struct fake *fake;
	struct k8s *k8s;
	struct http_loop *loop;
	struct informer *informer;
	_Atomic(int) added, updated, deleted;
	_Atomic(int) born; /* told with their text, before they were told as added */
};

static void tally_born(void *arg, const struct object *o, struct str text)
{
	struct world *w = arg;
	const struct object *again _cleanup_object_ = NULL;
	struct error err = ERROR_INIT;

	assert_int_equal(object_parse(&configmap_type, text, &again, &err), 0);
	assert_string_equal(again->meta.key, o->meta.key);
	assert_string_equal(again->meta.resource_version, o->meta.resource_version);
	assert_null(store_get(informer_store(w->informer), o->meta.key));
	atomic_fetch_add(&w->born, 1);
}

static void tally(void *arg, const struct object *old, const struct object *new)
{
	struct world *w = arg;

	atomic_fetch_add(!old ? &w->added : !new ? &w->deleted : &w->updated, 1);
}

static struct world *world_new(int kind)
{
	struct world *w = xcalloc(1, sizeof(*w));
	struct error err = ERROR_INIT;

	w->script.kind = kind;
	w->fake = fake_start(serve_script, &w->script);
	w->k8s = fake_k8s(w->fake, "{}", &(struct k8s_options){ 0 });
	assert_int_equal(http_loop_new(&w->loop, &err), 0);
	w->informer = informer_new(
		w->k8s, w->loop,
		&(struct informer_options){ .type = &configmap_type, .ns = "ns", .label_selector = "a=b" });
	informer_add_handler(w->informer, tally, w);
	informer_on_added(w->informer, tally_born, w);
	return w;
}

static void world_free(struct world *w)
{
	informer_free(w->informer);
	http_loop_free(w->loop);
	k8s_free(w->k8s);
	fake_stop(w->fake);
	assert_int_equal(atomic_load(&w->script.bad_requests), 0);
	free(w);
}

static void start_and_wait(struct world *w)
{
	struct error err = ERROR_INIT;

	informer_start(w->informer);
	if (informer_wait_synced(w->informer, 10000, &err))
		fail_msg("%s", err.msg);
}

static bool has(struct world *w, const char *key)
{
	const struct object *o _cleanup_object_ = store_get(informer_store(w->informer), key);

	return o != NULL;
}

static void an_informer_lists_in_pages_and_follows_the_watch(void **state)
{
	(void)state;
	struct world *w = world_new(SCRIPT_PLAIN);

	assert_false(informer_synced(w->informer));
	start_and_wait(w);
	assert_int_equal(store_len(informer_store(w->informer)), 3);
	assert_int_equal(atomic_load(&w->added), 3);
	atomic_store(&w->script.go_on, true);
	fake_wait_for(atomic_load(&w->deleted) == 1);
	assert_int_equal(atomic_load(&w->added), 4);
	assert_int_equal(atomic_load(&w->born), 1);
	assert_int_equal(atomic_load(&w->updated), 1);
	assert_true(has(w, "ns/a") && has(w, "ns/c") && has(w, "ns/d") && !has(w, "ns/b"));
	assert_true(informer_silent_ms(w->informer) < 5000);
	world_free(w);
}

static void gone_in_the_middle_of_paging_starts_anew(void **state)
{
	(void)state;
	struct world *w = world_new(SCRIPT_GONE_IN_PAGING);

	start_and_wait(w);
	assert_int_equal(atomic_load(&w->script.lists), 2);
	assert_int_equal(atomic_load(&w->script.pages), 2);
	assert_int_equal(store_len(informer_store(w->informer)), 3);
	assert_int_equal(atomic_load(&w->added), 3);
	world_free(w);
}

static void gone_in_the_watch_relists_and_serves_the_old_until_then(void **state)
{
	(void)state;
	struct world *w = world_new(SCRIPT_GONE_IN_WATCH);

	start_and_wait(w);
	assert_true(has(w, "ns/a"));
	atomic_store(&w->script.go_on, true);
	fake_wait_for(has(w, "ns/z"));
	assert_int_equal(store_len(informer_store(w->informer)), 1);
	fake_wait_for(atomic_load(&w->deleted) == 3);
	assert_int_equal(atomic_load(&w->added), 4);
	assert_true(informer_synced(w->informer));
	world_free(w);
}

static void a_failed_list_is_tried_again(void **state)
{
	(void)state;
	struct world *w = world_new(SCRIPT_ERRORS_FIRST);
	struct error err = ERROR_INIT;

	informer_start(w->informer);
	fake_wait_for(atomic_load(&w->script.lists) == 1);
	if (informer_wait_synced(w->informer, 200, &err) == 0)
		fail_msg("synced too early");
	assert_int_equal(err.code, ERR_TIMEOUT);
	assert_non_null(strstr(err.msg, "list configmaps: InternalError: not yet"));
	assert_int_equal(informer_wait_synced(w->informer, 10000, &err), 0);
	world_free(w);
}

struct reconciler {
	_Atomic(int) calls, a_calls, fatal_calls;
	_Atomic(bool) bad_worker;
};

static int reconcile(void *arg, struct worker *w, const char *key, struct reconcile_result *ret, struct error *err)
{
	struct reconciler *r = arg;

	if (!w->client || !arena_strdup(w->arena, key) || w->index < 0 || w->index > 2)
		atomic_store(&r->bad_worker, true);
	atomic_fetch_add(&r->calls, 1);
	if (strcmp(key, "ns/a") == 0) {
		int n = atomic_fetch_add(&r->a_calls, 1);

		if (n < 2)
			return error_set(err, ERR_UNAVAILABLE, "try again");
		if (n < 4)
			ret->requeue_after_ms = 1;
	}
	if (strcmp(key, "ns/c") == 0) {
		atomic_fetch_add(&r->fatal_calls, 1);
		return error_set(err, ERR_INVALID, "never again");
	}
	return 0;
}

static void a_controller_retries_as_the_results_say(void **state)
{
	(void)state;
	struct world *w = world_new(SCRIPT_PLAIN);
	struct reconciler r = { 0 };
	struct error err = ERROR_INIT;
	struct controller *c = controller_new(&(struct controller_options){
		.name = "test", .k8s = w->k8s, .reconcile = reconcile, .arg = &r, .workers = 3 });

	informer_add_handler(w->informer, controller_enqueue, c);
	informer_add_handler(w->informer, controller_enqueue_owner, c);
	start_and_wait(w);
	assert_int_equal(controller_start(c, &err), 0);
	fake_wait_for(atomic_load(&r.a_calls) == 5);
	fake_wait_for(atomic_load(&r.calls) == 7);
	assert_int_equal(atomic_load(&r.fatal_calls), 1);
	assert_false(atomic_load(&r.bad_worker));
	world_free(w);
	assert_true(workqueue_add(controller_queue(c), "ns/last"));
	controller_stop(c, 5000);
	assert_int_equal(atomic_load(&r.calls), 8);
	controller_free(c);
}

static int setup(void **state)
{
	struct error err;

	(void)state;
	return http_client_global_init(&err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_cut_wherever_the_bytes_are_split),
		cmocka_unit_test(a_line_without_end_is_refused),
		cmocka_unit_test(watch_events),
		cmocka_unit_test(list_pages),
		cmocka_unit_test(pages_then_watch),
		cmocka_unit_test(gone_lists_anew_at_once_but_not_in_a_circle),
		cmocka_unit_test(a_cut_watch_goes_on_from_its_version),
		cmocka_unit_test(delays_double_to_a_cap_and_start_again_after_health),
		cmocka_unit_test(a_page_too_large_to_take_is_asked_for_in_smaller_parts),
		cmocka_unit_test(an_informer_lists_in_pages_and_follows_the_watch),
		cmocka_unit_test(gone_in_the_middle_of_paging_starts_anew),
		cmocka_unit_test(gone_in_the_watch_relists_and_serves_the_old_until_then),
		cmocka_unit_test(a_failed_list_is_tried_again),
		cmocka_unit_test(a_controller_retries_as_the_results_say),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
