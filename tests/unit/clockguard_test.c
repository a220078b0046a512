/* SPDX-License-Identifier: Apache-2.0 */
/* pkg/k8s/clockguard: a virtual clock is refused where people might rely on the cluster. */
#include "fake_api.h"

#include "http/client.h"
#include "k8s/clockguard.h"

#define ELSEWHERE false
#define LOOPBACK true

/* The API server's answer about the ConfigMap. */
static void serve(struct fake *f, const struct fake_request *r, void *arg)
{
	const int *status = arg;

	(void)f;
	assert_string_equal(r->target, "/api/v1/namespaces/ns/configmaps/loadshift-virtual-clock");
	if (*status == 200)
		fake_reply(r->fd, 200,
			   "{\"metadata\":{\"name\":\"loadshift-virtual-clock\",\"namespace\":\"ns\",\"uid\":\"u\","
			   "\"resourceVersion\":\"1\"}}");
	else
		fake_status(r->fd, *status, "NotFound", "not found");
}

static enum error_code check(int status, bool loopback, int32_t factor, int *ret_requests, char message[320])
{
	struct fake *f = fake_start(serve, &status);
	struct k8s *k = fake_k8s(f, "{\"token\":\"t\"}", &(struct k8s_options){ .field_manager = "test" });
	struct clock clock = { clock_wall_ms(), factor };
	struct error err = ERROR_INIT;

	/* The fake server has only a loopback address; what the guard goes by is what auth found out about it. */
	((struct k8s_auth *)(uintptr_t)k8s_auth(k))->loopback = loopback;
	int failed = clockguard_check(k, &clock, "ns", &err);
	*ret_requests = atomic_load(&f->requests);
	(void)snprintf(message, 320, "%s", err.msg);
	k8s_free(k);
	fake_stop(f);
	assert_int_equal(failed, err.code == ERR_NONE ? 0 : -1);
	return err.code;
}

static void the_real_clock_asks_nobody(void **state)
{
	char message[320];
	int requests;

	(void)state;
	assert_int_equal(check(404, ELSEWHERE, 1, &requests, message), ERR_NONE);
	assert_int_equal(requests, 0);
}

static void loopback_is_enough(void **state)
{
	char message[320];
	int requests;

	(void)state;
	assert_int_equal(check(404, LOOPBACK, 240, &requests, message), ERR_NONE);
	assert_int_equal(requests, 0);
}

static void elsewhere_it_needs_the_configmap(void **state)
{
	char message[320];
	int requests;

	(void)state;
	assert_int_equal(check(200, ELSEWHERE, 2, &requests, message), ERR_NONE);
	assert_int_equal(check(404, ELSEWHERE, 2, &requests, message), ERR_DENIED);
	assert_non_null(strstr(message, "clock.factor is not 1"));
	assert_non_null(strstr(message, "loadshift-virtual-clock"));
	assert_non_null(strstr(message, "namespace ns"));
}

/* Not to know is not to be allowed. */
static void no_answer_is_a_no(void **state)
{
	char message[320];
	int requests;

	(void)state;
	assert_int_equal(check(403, ELSEWHERE, 2, &requests, message), ERR_DENIED);
	assert_int_equal(check(503, ELSEWHERE, 2, &requests, message), ERR_UNAVAILABLE);
	assert_non_null(strstr(message, "ConfigMap ns/loadshift-virtual-clock is needed"));
}

static int group_setup(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	return http_client_global_init(&err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_real_clock_asks_nobody),
		cmocka_unit_test(loopback_is_enough),
		cmocka_unit_test(elsewhere_it_needs_the_configmap),
		cmocka_unit_test(no_answer_is_a_no),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
