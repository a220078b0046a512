/* SPDX-License-Identifier: Apache-2.0 */
/* pkg/k8s/lease: election, renewal, take-over, release, and the gate, against a Lease kept by a fake API server. */
#include "fake_api.h"

#include "http/client.h"
#include "json/json.h"
#include "k8s/lease.h"

/* The server's one Lease, with optimistic locking. */
struct lease_server {
	pthread_mutex_t mutex;
	bool exists;
	int version, transitions, duration;
	char holder[64];
	char renew[40];
	bool broken; /* answers 503 */
	bool hanging;
	int writes;
};

static void answer_lease(const struct lease_server *s, int fd, int status)
{
	_cleanup_free_ char *text = xasprintf(
		"{\"metadata\":{\"name\":\"l\",\"namespace\":\"ns\",\"uid\":\"u\",\"resourceVersion\":\"%d\"},"
		"\"spec\":{\"holderIdentity\":\"%s\",\"leaseDurationSeconds\":%d,\"renewTime\":\"%s\","
		"\"leaseTransitions\":%d}}",
		s->version, s->holder, s->duration, s->renew, s->transitions);

	fake_reply(fd, status, text);
}

static void write_lease(struct lease_server *s, const struct fake_request *r, bool create)
{
	_cleanup_(json_cleanup) struct json *j = NULL;
	struct error err;
	int64_t n;

	if (json_parse(r->body, &j, &err)) {
		fake_status(r->fd, 400, "BadRequest", "not JSON");
		return;
	}
	const char *version = json_string(json_at(j, "metadata.resourceVersion"));
	if (create ? s->exists : !version || (int)strtol(version, NULL, 10) != s->version) {
		fake_status(r->fd, 409, create ? "AlreadyExists" : "Conflict", "changed");
		return;
	}
	const char *holder = json_string(json_at(j, "spec.holderIdentity"));
	s->exists = true;
	s->version++;
	s->writes++;
	(void)str_copy(s->holder, sizeof(s->holder), str_from(holder ? holder : ""));
	(void)str_copy(s->renew, sizeof(s->renew), str_from(json_string(json_at(j, "spec.renewTime"))));
	s->duration = json_i64(json_at(j, "spec.leaseDurationSeconds"), &n) ? (int)n : 0;
	s->transitions = json_i64(json_at(j, "spec.leaseTransitions"), &n) ? (int)n : 0;
	answer_lease(s, r->fd, create ? 201 : 200);
}

static void serve(struct fake *f, const struct fake_request *r, void *arg)
{
	struct lease_server *s = arg;

	(void)pthread_mutex_lock(&s->mutex);
	bool broken = s->broken, hanging = s->hanging;
	if (!broken && !hanging) {
		if (strcmp(r->method, "GET") != 0)
			write_lease(s, r, strcmp(r->method, "POST") == 0);
		else if (s->exists)
			answer_lease(s, r->fd, 200);
		else
			fake_status(r->fd, 404, "NotFound", "no lease");
	}
	(void)pthread_mutex_unlock(&s->mutex);
	if (hanging)
		fake_hold(f, r->fd, 10000);
	else if (broken)
		fake_status(r->fd, 503, "ServiceUnavailable", "down");
}

struct told {
	_Atomic(int) acquired, lost;
};

static void on_acquired(void *arg)
{
	atomic_fetch_add(&((struct told *)arg)->acquired, 1);
}

static void on_lost(void *arg)
{
	atomic_fetch_add(&((struct told *)arg)->lost, 1);
}

/* Far apart, so that a busy machine does not make one of them look like another. */
#define DURATION_MS 3000
#define RENEW_MS 1800
#define RETRY_MS 100

static struct lease *candidate(struct k8s *k, const char *identity, struct told *told)
{
	struct lease *l = NULL;
	struct error err = ERROR_INIT;

	if (lease_new(k,
		      &(struct lease_options){ .ns = "ns",
					       .name = "l",
					       .identity = identity,
					       .duration_ms = DURATION_MS,
					       .renew_ms = RENEW_MS,
					       .retry_ms = RETRY_MS,
					       .acquired = on_acquired,
					       .lost = on_lost,
					       .arg = told },
		      &l, &err))
		fail_msg("%s", err.msg);
	return l;
}

static void set_flag(struct lease_server *s, bool *flag, bool value)
{
	(void)pthread_mutex_lock(&s->mutex);
	*flag = value;
	(void)pthread_mutex_unlock(&s->mutex);
}

struct fixture {
	struct lease_server server;
	struct fake *fake;
	struct k8s *k8s;
};

static int setup(void **state)
{
	struct fixture *x = xcalloc(1, sizeof(*x));

	(void)pthread_mutex_init(&x->server.mutex, NULL);
	x->fake = fake_start(serve, &x->server);
	x->k8s = fake_k8s(x->fake, "{}", &(struct k8s_options){ 0 });
	*state = x;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *x = *state;

	k8s_free(x->k8s);
	fake_stop(x->fake);
	free(x);
	return 0;
}

static void one_of_two_leads_and_the_other_follows_its_release(void **state)
{
	struct fixture *x = *state;
	struct told a_told = { 0 }, b_told = { 0 };
	struct lease *a = candidate(x->k8s, "a", &a_told);
	char holder[256];

	fake_wait_for(lease_is_held(a));
	fake_wait_for(atomic_load(&a_told.acquired) == 1);
	struct lease *b = candidate(x->k8s, "b", &b_told);
	fake_wait_for(strcmp(lease_holder(b, holder), "a") == 0);
	(void)usleep((DURATION_MS + 300) * 1000);
	/* Renewed all the time: longer than its duration. */
	assert_true(lease_is_held(a));
	assert_false(lease_is_held(b));

	int64_t start = clock_mono_ms();
	lease_free(a);
	assert_int_equal(atomic_load(&a_told.lost), 1);
	fake_wait_for(lease_is_held(b));
	/* At the next look, not after the duration. */
	assert_true(clock_mono_ms() - start < DURATION_MS - RETRY_MS);
	assert_int_equal(x->server.transitions, 1);
	lease_free(b);
	assert_string_equal(x->server.holder, "");
}

static void a_dead_holder_is_followed_after_its_duration_by_our_own_clock(void **state)
{
	struct fixture *x = *state;
	struct told told = { 0 };

	/* A clock that is years ahead must not matter. */
	x->server.exists = true;
	x->server.version = 7;
	x->server.duration = 1;
	(void)str_copy(x->server.holder, sizeof(x->server.holder), STR("dead"));
	(void)str_copy(x->server.renew, sizeof(x->server.renew), STR("2099-01-01T00:00:00.000000Z"));
	int64_t start = clock_mono_ms();
	struct lease *l = candidate(x->k8s, "b", &told);
	fake_wait_for(lease_is_held(l));
	assert_true(clock_mono_ms() - start >= 990);
	lease_free(l);
}

static void without_the_api_server_holding_ends_in_time(void **state)
{
	struct fixture *x = *state;
	struct told told = { 0 };
	struct lease *l = candidate(x->k8s, "a", &told);
	struct error err = ERROR_INIT;
	int64_t valid_ms = 0;

	fake_wait_for(lease_is_held(l));
	assert_int_equal(lease_gate(l, &valid_ms, &err), 0);
	assert_true(valid_ms > 0 && valid_ms <= RENEW_MS);
	set_flag(&x->server, &x->server.broken, true);
	int64_t start = clock_mono_ms();
	fake_wait_for(!lease_is_held(l));
	/* Before anybody else may take over. */
	assert_true(clock_mono_ms() - start < DURATION_MS);
	assert_int_equal(lease_gate(l, &valid_ms, &err), -1);
	assert_int_equal(err.code, ERR_CONFLICT);
	fake_wait_for(atomic_load(&told.lost) == 1);

	set_flag(&x->server, &x->server.broken, false);
	fake_wait_for(lease_is_held(l));
	fake_wait_for(atomic_load(&told.acquired) == 2);
	assert_int_equal(x->server.transitions, 0);
	set_flag(&x->server, &x->server.hanging, true);
	fake_wait_for(!lease_is_held(l));
	set_flag(&x->server, &x->server.hanging, false);
	lease_free(l);
}

static void a_holder_that_was_robbed_stops_at_once(void **state)
{
	struct fixture *x = *state;
	struct told told = { 0 };
	struct lease *l = candidate(x->k8s, "a", &told);

	fake_wait_for(lease_is_held(l));
	(void)pthread_mutex_lock(&x->server.mutex);
	x->server.version++;
	(void)str_copy(x->server.holder, sizeof(x->server.holder), STR("robber"));
	(void)pthread_mutex_unlock(&x->server.mutex);
	int64_t start = clock_mono_ms();
	fake_wait_for(!lease_is_held(l));
	assert_true(clock_mono_ms() - start < RENEW_MS);
	lease_free(l);
	assert_string_equal(x->server.holder, "robber");
}

static void senseless_times_are_refused(void **state)
{
	struct fixture *x = *state;
	struct lease_options o = {
		.ns = "ns", .name = "l", .identity = "a", .duration_ms = DURATION_MS, .renew_ms = 1000
	};
	struct lease *l = NULL;
	struct error err = ERROR_INIT;

	assert_int_equal(lease_new(x->k8s, &o, &l, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	o.renew_ms = 500;
	o.retry_ms = 450;
	assert_int_equal(lease_new(x->k8s, &o, &l, &err), -1);
	assert_null(l);
}

static int group_setup(void **state)
{
	struct error err;

	(void)state;
	return http_client_global_init(&err);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(one_of_two_leads_and_the_other_follows_its_release),
		TEST(a_dead_holder_is_followed_after_its_duration_by_our_own_clock),
		TEST(without_the_api_server_holding_ends_in_time),
		TEST(a_holder_that_was_robbed_stops_at_once),
		TEST(senseless_times_are_refused),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
