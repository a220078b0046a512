/* SPDX-License-Identifier: Apache-2.0 */
/* pkg/k8s/rest against a scripted API server: paths, verbs, errors, retries, token, rate limit, gate; and events. */
#include "fake_api.h"

#include "http/client.h"
#include "k8s/events.h"
#include "k8s/types/job.h"
#include "k8s/types/node.h"

static const struct k8s_options plain_options = { .field_manager = "tester", .timeout_ms = 5000 };

static void paths(void **state)
{
	(void)state;
	char path[K8S_PATH_MAX];
	struct error err = ERROR_INIT;

	assert_int_equal(k8s_path(path, &job_type, "ns", "j", "status", &err), 0);
	assert_string_equal(path, "/apis/batch/v1/namespaces/ns/jobs/j/status");
	assert_int_equal(k8s_path(path, &job_type, NULL, NULL, NULL, &err), 0);
	assert_string_equal(path, "/apis/batch/v1/jobs");
	assert_int_equal(k8s_path(path, &node_type, NULL, "n", NULL, &err), 0);
	assert_string_equal(path, "/api/v1/nodes/n");
	assert_int_equal(k8s_path(path, &node_type, "", "a:b?c#d", NULL, &err), 0);
	assert_string_equal(path, "/api/v1/nodes/a%3Ab%3Fc%23d");
	static const char *const hostile[] = { "", ".", "..", "a/b", "a%2fb", "../../secrets" };
	for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
		assert_int_equal(k8s_path(path, &job_type, "ns", hostile[i], NULL, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
	}
	assert_int_equal(k8s_path(path, &job_type, "a/b", "j", NULL, &err), -1);
	char long_name[2000];
	memset(long_name, '!', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	assert_int_equal(k8s_path(path, &job_type, "ns", long_name, NULL, &err), -1);
}

static void list_one(struct fake *f, const struct fake_request *r, void *arg)
{
	(void)f;
	(void)arg;
	if (strcmp(r->target, "/apis/batch/v1/jobs?limit=1") == 0)
		fake_reply(r->fd, 200,
			   "{\"items\":[{\"metadata\":{\"resourceVersion\":\"7\"}}],"
			   "\"metadata\":{\"resourceVersion\":\"4711\",\"continue\":\"x\"}}");
	else
		fake_reply(r->fd, 200, "{\"items\":[],\"metadata\":{}}");
}

static void a_collections_version_is_that_of_its_list(void **state)
{
	(void)state;
	struct fake *f = fake_start(list_one, NULL);
	struct k8s *k = fake_k8s(f, "{}", &plain_options);
	struct k8s_client *c = k8s_client_new(k);
	char version[K8S_VERSION_MAX];
	struct error err = ERROR_INIT;

	assert_int_equal(k8s_list_version(c, &job_type, version, &err), 0);
	assert_string_equal(version, "4711");
	assert_int_equal(k8s_list_version(c, &node_type, version, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	k8s_client_free(c);
	k8s_free(k);
	fake_stop(f);
}

/* Answers with what it got: method, target, content type, token, body. */
static void echo(struct fake *f, const struct fake_request *r, void *arg)
{
	const char *type = strcasestr(r->head, "\r\ncontent-type: "),
		   *auth = strcasestr(r->head, "\r\nauthorization: ");
	_cleanup_free_ char *text =
		xasprintf("%s %s|%.*s|%.*s|%.*s", r->method, r->target, type ? (int)strcspn(type + 16, "\r") : 0,
			  type ? type + 16 : "", auth ? (int)strcspn(auth + 17, "\r") : 0, auth ? auth + 17 : "",
			  STR_FMT(r->body));

	(void)f;
	(void)arg;
	fake_reply(r->fd, 200, text);
}

#define assert_echo(call, expected)                           \
	do {                                                  \
		struct buf got_ = BUF_INIT(4096);             \
		struct error err = ERROR_INIT;                \
		struct buf *got = &got_;                      \
		if (call)                                     \
			fail_msg("%s", err.msg);              \
		assert_string_equal(buf_cstr(got), expected); \
		buf_release(got);                             \
	} while (0)

static void verbs_send_what_kubernetes_expects(void **state)
{
	(void)state;
	struct fake *f = fake_start(echo, NULL);
	struct k8s *k = fake_k8s(f, "{\"token\":\"tok\"}", &plain_options);
	struct k8s_client *c = k8s_client_new(k);

	assert_echo(k8s_get(c, "/api?x=1", got, &err), "GET /api?x=1||Bearer tok|");
	assert_echo(k8s_create(c, "/p", STR("{}"), got, &err),
		    "POST /p?fieldManager=tester|application/json|Bearer tok|{}");
	assert_echo(k8s_replace(c, "/p?a=b", STR("{}"), got, &err),
		    "PUT /p?a=b&fieldManager=tester|application/json|Bearer tok|{}");
	assert_echo(k8s_patch(c, "/p", K8S_PATCH_JSON, STR("[]"), got, &err),
		    "PATCH /p?fieldManager=tester|application/json-patch+json|Bearer tok|[]");
	assert_echo(k8s_patch(c, "/p", K8S_PATCH_MERGE, STR("{}"), got, &err),
		    "PATCH /p?fieldManager=tester|application/merge-patch+json|Bearer tok|{}");
	assert_echo(k8s_patch(c, "/p", K8S_PATCH_APPLY, STR("{}"), got, &err),
		    "PATCH /p?fieldManager=tester&force=true|application/apply-patch+yaml|Bearer tok|{}");
	k8s_client_free(c);
	k8s_free(k);
	fake_stop(f);
}

static void keep_body(struct fake *f, const struct fake_request *r, void *arg)
{
	(void)f;
	(void)str_copy(arg, 1024, r->body);
	fake_reply(r->fd, 200, "{}");
}

static void delete_carries_preconditions(void **state)
{
	(void)state;
	char body[1024] = "";
	struct fake *f = fake_start(keep_body, body);
	struct k8s *k = fake_k8s(f, "{}", &plain_options);
	struct k8s_client *c = k8s_client_new(k);
	struct error err = ERROR_INIT;

	assert_int_equal(k8s_delete(c, "/p", K8S_FOREGROUND, "u", "7", &err), 0);
	assert_string_equal(body,
			    "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"propagationPolicy\":\"Foreground\","
			    "\"preconditions\":{\"uid\":\"u\",\"resourceVersion\":\"7\"}}");
	k8s_client_free(c);
	k8s_free(k);
	fake_stop(f);
}

static void answer_status(struct fake *f, const struct fake_request *r, void *arg)
{
	(void)f;
	(void)arg;
	int code = (int)strtol(strchr(r->target, '/') + 1, NULL, 10);

	if (strstr(r->target, "html"))
		fake_reply(r->fd, code, "<html>");
	else
		fake_status(r->fd, code, "Reason", "words\\nof the server");
}

static void errors_carry_the_servers_words(void **state)
{
	(void)state;
	static const struct {
		const char *path;
		enum error_code code;
	} cases[] = {
		{ "/404", ERR_NOT_FOUND }, { "/409", ERR_CONFLICT },    { "/403", ERR_DENIED }, { "/422", ERR_INVALID },
		{ "/410", ERR_GONE },      { "/500", ERR_UNAVAILABLE }, { "/401", ERR_DENIED }, { "/504", ERR_TIMEOUT },
	};
	struct fake *f = fake_start(answer_status, NULL);
	struct k8s *k = fake_k8s(f, "{}", &plain_options);
	struct k8s_client *c = k8s_client_new(k);
	struct error err = ERROR_INIT;
	_cleanup_(buf_release) struct buf body = BUF_INIT(100);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(k8s_get(c, cases[i].path, &body, &err), -1);
		assert_int_equal(err.code, cases[i].code);
		assert_int_equal(err.http, (int)strtol(cases[i].path + 1, NULL, 10));
		assert_string_equal(err.msg, "Reason: words of the server");
	}
	assert_int_equal(k8s_get(c, "/502html", &body, &err), -1);
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	assert_int_equal(body.len, 0);
	k8s_client_free(c);
	k8s_free(k);
	fake_stop(f);
}

static void throttle(struct fake *f, const struct fake_request *r, void *arg)
{
	int left = atomic_fetch_sub((_Atomic(int) *)arg, 1);

	(void)f;
	if (left > 0)
		fake_reply_head(r->fd, 429, "Retry-After: 1\r\n", "{}");
	else
		fake_reply(r->fd, 200, "{}");
}

static void throttling_is_waited_out_a_few_times(void **state)
{
	(void)state;
	_Atomic(int) left = 1;
	struct fake *f = fake_start(throttle, &left);
	struct k8s *k = fake_k8s(f, "{}", &plain_options);
	struct k8s_client *c = k8s_client_new(k);
	struct error err = ERROR_INIT;
	int64_t start = clock_mono_ms();

	assert_int_equal(k8s_create(c, "/p", STR("{}"), NULL, &err), 0);
	assert_true(clock_mono_ms() - start >= 990);
	atomic_store(&left, 100);
	assert_int_equal(k8s_create(c, "/p", STR("{}"), NULL, &err), -1);
	assert_int_equal(err.code, ERR_THROTTLED);
	assert_int_equal(err.retry_after_ms, 1000);
	assert_int_equal(atomic_load(&f->requests), 2 + 4);
	k8s_client_free(c);
	k8s_free(k);
	fake_stop(f);
}

static void want_token(struct fake *f, const struct fake_request *r, void *arg)
{
	(void)f;
	if (strstr(r->head, arg))
		fake_reply(r->fd, 200, "{}");
	else
		fake_status(r->fd, 401, "Unauthorized", "Unauthorized");
}

static void write_token(const char *path, const char *text)
{
	FILE *t = fopen(path, "w");

	assert_non_null(t);
	(void)fputs(text, t);
	(void)fclose(t);
}

static void a_refused_token_is_read_again(void **state)
{
	(void)state;
	char wanted[64] = "Bearer one\r";
	char path[] = "/tmp/loadshift-token-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	(void)close(fd);
	write_token(path, "one\n");
	_cleanup_free_ char *user = xasprintf("{\"tokenFile\":\"%s\"}", path);
	struct fake *f = fake_start(want_token, wanted);
	struct k8s *k = fake_k8s(f, user, &plain_options);
	struct k8s_client *c = k8s_client_new(k);
	struct error err = ERROR_INIT;

	assert_int_equal(k8s_create(c, "/p", STR("{}"), NULL, &err), 0);
	write_token(path, "two\n");
	(void)str_copy(wanted, sizeof(wanted), STR("Bearer two\r"));
	assert_int_equal(k8s_create(c, "/p", STR("{}"), NULL, &err), 0);
	/* A file that vanished leaves the token that worked. */
	(void)unlink(path);
	assert_int_equal(k8s_create(c, "/p", STR("{}"), NULL, &err), 0);
	(void)str_copy(wanted, sizeof(wanted), STR("Bearer three\r"));
	assert_int_equal(k8s_create(c, "/p", STR("{}"), NULL, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	k8s_client_free(c);
	k8s_free(k);
	fake_stop(f);
}

static void the_rate_limit_is_shared(void **state)
{
	(void)state;
	struct fake *f = fake_start(echo, NULL);
	struct k8s *k = fake_k8s(f, "{}", &(struct k8s_options){ .qps = 50, .burst = 2 });
	struct k8s_client *a = k8s_client_new(k), *b = k8s_client_new(k);
	struct error err = ERROR_INIT;
	int64_t start = clock_mono_ms();

	for (int i = 0; i < 6; i++) {
		assert_int_equal(k8s_create(a, "/p", STR("{}"), NULL, &err), 0);
		assert_int_equal(k8s_create(b, "/p", STR("{}"), NULL, &err), 0);
	}
	assert_true(clock_mono_ms() - start >= 190);
	k8s_client_free(a);
	k8s_client_free(b);
	k8s_free(k);
	fake_stop(f);
}

static int gate(void *arg, int64_t *ret_valid_ms, struct error *err)
{
	const int64_t *valid_ms = arg;

	if (*valid_ms == 0)
		return error_set(err, ERR_CONFLICT, "not the leader");
	*ret_valid_ms = *valid_ms;
	return 0;
}

static void slow(struct fake *f, const struct fake_request *r, void *arg)
{
	(void)arg;
	fake_hold(f, r->fd, 3000);
	fake_reply(r->fd, 200, "{}");
}

static void the_gate_stops_writes_and_bounds_their_time(void **state)
{
	(void)state;
	struct fake *f = fake_start(echo, NULL);
	struct k8s *k = fake_k8s(f, "{}", &plain_options);
	int64_t valid_ms = 0;
	struct error err = ERROR_INIT;
	_cleanup_(buf_release) struct buf body = BUF_INIT(1000);

	k8s_set_gate(k, gate, &valid_ms);
	struct k8s_client *c = k8s_client_new(k), *free_one = k8s_client_new_ungated(k);
	assert_int_equal(k8s_get(c, "/p", &body, &err), 0);
	assert_int_equal(k8s_create(c, "/p", STR("{}"), NULL, &err), -1);
	assert_int_equal(err.code, ERR_CONFLICT);
	assert_int_equal(k8s_replace(c, "/p", STR("{}"), NULL, &err), -1);
	assert_int_equal(k8s_patch(c, "/p", K8S_PATCH_MERGE, STR("{}"), NULL, &err), -1);
	assert_int_equal(k8s_delete(c, "/p", K8S_BACKGROUND, NULL, NULL, &err), -1);
	assert_int_equal(atomic_load(&f->mutations), 0);
	assert_int_equal(k8s_create(free_one, "/p", STR("{}"), NULL, &err), 0);
	valid_ms = 1000;
	assert_int_equal(k8s_create(c, "/p", STR("{}"), NULL, &err), 0);
	k8s_client_free(c);
	k8s_client_free(free_one);
	k8s_free(k);
	fake_stop(f);

	f = fake_start(slow, NULL);
	k = fake_k8s(f, "{}", &plain_options);
	valid_ms = 150;
	k8s_set_gate(k, gate, &valid_ms);
	c = k8s_client_new(k);
	int64_t start = clock_mono_ms();
	assert_int_equal(k8s_create(c, "/p", STR("{}"), NULL, &err), -1);
	assert_int_equal(err.code, ERR_TIMEOUT);
	assert_true(clock_mono_ms() - start < 2000);
	k8s_client_free(c);
	k8s_free(k);
	fake_stop(f);
}

static void big(struct fake *f, const struct fake_request *r, void *arg)
{
	_cleanup_free_ char *text = xcalloc(1, 200001);

	(void)f;
	(void)arg;
	memset(text, ' ', 200000);
	fake_reply(r->fd, 200, text);
}

static void answers_are_bounded(void **state)
{
	(void)state;
	struct fake *f = fake_start(big, NULL);
	struct k8s *k = fake_k8s(f, "{}", &plain_options);
	struct k8s_client *c = k8s_client_new(k);
	struct error err = ERROR_INIT;
	_cleanup_(buf_release) struct buf small = BUF_INIT(1000), enough = BUF_INIT(200000);

	assert_int_equal(k8s_get(c, "/p", &small, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_int_equal(k8s_get(c, "/p", &enough, &err), 0);
	assert_int_equal(enough.len, 200000);
	k8s_client_free(c);
	k8s_free(k);
	fake_stop(f);
}

struct posted {
	pthread_mutex_t mutex;
	int created, counted;
	char last[4096];
};

static void take_events(struct fake *f, const struct fake_request *r, void *arg)
{
	struct posted *p = arg;

	(void)f;
	(void)pthread_mutex_lock(&p->mutex);
	p->created += strcmp(r->method, "POST") == 0;
	p->counted += strcmp(r->method, "PATCH") == 0;
	(void)str_copy(p->last, sizeof(p->last), r->body);
	(void)pthread_mutex_unlock(&p->mutex);
	fake_reply(r->fd, 201, "{}");
}

static void the_same_event_again_is_counted(void **state)
{
	(void)state;
	static struct posted p = { .mutex = PTHREAD_MUTEX_INITIALIZER };
	struct fake *f = fake_start(take_events, &p);
	struct k8s *k = fake_k8s(f, "{}", &plain_options);
	struct recorder *r = NULL;
	struct error err = ERROR_INIT;
	const struct object *o _cleanup_object_ = NULL;

	assert_int_equal(object_parse(&job_type,
				      STR("{\"metadata\":{\"name\":\"j\",\"namespace\":\"ns\",\"uid\":\"u\","
					  "\"resourceVersion\":\"5\"}}"),
				      &o, &err),
			 0);
	assert_int_equal(recorder_new(k, "loadshift-operator", "pod-1", &r, &err), 0);
	for (int i = 0; i < 5; i++)
		recorder_event(r, o, EVENT_NORMAL, "Released", "released in %s", "london");
	recorder_event(r, o, EVENT_WARNING, "StartBlocked", "quota");
	fake_wait_for(atomic_load(&f->requests) == 6);
	(void)pthread_mutex_lock(&p.mutex);
	assert_int_equal(p.created, 2);
	assert_int_equal(p.counted, 4);
	assert_non_null(strstr(p.last, "\"type\":\"Warning\""));
	assert_non_null(strstr(p.last, "\"involvedObject\":{\"apiVersion\":\"batch/v1\",\"kind\":\"Job\",\"namespace\":"
				       "\"ns\",\"name\":\"j\",\"uid\":\"u\",\"resourceVersion\":\"5\"}"));
	(void)pthread_mutex_unlock(&p.mutex);
	/* The spam filter: 25 an object, and 6 are used up. */
	for (int i = 0; i < 100; i++)
		recorder_event(r, o, EVENT_NORMAL, "Noise", "number %d", i);
	recorder_free(r);
	assert_int_equal(atomic_load(&f->requests), 25);
	recorder_event(NULL, o, EVENT_NORMAL, "Nothing", "happens");
	k8s_free(k);
	fake_stop(f);
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
		cmocka_unit_test(paths),
		cmocka_unit_test(a_collections_version_is_that_of_its_list),
		cmocka_unit_test(verbs_send_what_kubernetes_expects),
		cmocka_unit_test(delete_carries_preconditions),
		cmocka_unit_test(errors_carry_the_servers_words),
		cmocka_unit_test(throttling_is_waited_out_a_few_times),
		cmocka_unit_test(a_refused_token_is_read_again),
		cmocka_unit_test(the_rate_limit_is_shared),
		cmocka_unit_test(the_gate_stops_writes_and_bounds_their_time),
		cmocka_unit_test(answers_are_bounded),
		cmocka_unit_test(the_same_event_again_is_counted),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
