/* SPDX-License-Identifier: Apache-2.0 */
/* A virtual clock runs against a loopback API server, or where a ConfigMap says so, and nowhere else. */
#include "fake_api.h"

#include "http/client.h"
#include "k8s/clockguard.h"

static const struct clock fast = { .origin_ms = 0, .factor = 60 };

/* arg: the status to answer the ConfigMap with. */
static void answer(struct fake *f, const struct fake_request *r, void *arg)
{
	(void)f;
	assert_string_equal(r->target, "/api/v1/namespaces/system/configmaps/" CLOCKGUARD_CONFIGMAP);
	if (*(int *)arg == 200)
		fake_reply(r->fd, 200,
			   "{\"metadata\":{\"name\":\"" CLOCKGUARD_CONFIGMAP "\",\"namespace\":\"system\"}}");
	else
		fake_status(r->fd, *(int *)arg, "Whatever", "no such luck");
}

/* Asks as a program whose API server is elsewhere would. */
static int check(const struct clock *clock, int status, bool loopback, struct error *err)
{
	static const struct k8s_options options = { .field_manager = "tester", .timeout_ms = 5000 };
	struct fake *f = fake_start(answer, &status);
	struct k8s *k = fake_k8s(f, "{}", &options);
	int result;

	/* fake_k8s() is always on loopback. */
	((struct k8s_auth *)(uintptr_t)k8s_auth(k))->loopback = loopback;
	result = clockguard_check(k, clock, "system", err);
	assert_int_equal(atomic_load(&f->requests), loopback || clock_is_real(clock) ? 0 : 1);
	k8s_free(k);
	fake_stop(f);
	return result;
}

static void the_real_clock_is_always_right(void **state)
{
	struct error err = ERROR_INIT;
	struct clock real = CLOCK_REAL;

	(void)state;
	assert_int_equal(check(&real, 404, false, &err), 0);
	assert_int_equal(check(&real, 404, true, &err), 0);
}

static void loopback_may_have_any_clock(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(check(&fast, 404, true, &err), 0);
}

static void elsewhere_the_configmap_decides(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(check(&fast, 200, false, &err), 0);
	assert_int_equal(check(&fast, 404, false, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	assert_non_null(strstr(err.msg, "system"));
	assert_non_null(strstr(err.msg, CLOCKGUARD_CONFIGMAP));
	assert_int_equal(check(&fast, 403, false, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	assert_non_null(strstr(err.msg, "no such luck"));
}

static int setup(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	return http_client_global_init(&err);
}

static int teardown(void **state)
{
	(void)state;
	http_client_global_cleanup();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_real_clock_is_always_right),
		cmocka_unit_test(loopback_may_have_any_clock),
		cmocka_unit_test(elsewhere_the_configmap_decides),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
