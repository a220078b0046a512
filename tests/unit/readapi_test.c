/* SPDX-License-Identifier: Apache-2.0 */
/* The read API: routes and queries, and who may read, with a scripted API server that knows three tokens. */
#include "fake_api.h"

#include "http/client.h"
#include "readapi/internal.h"

/* ---- routes ---- */

static void a_path_is_one_route_or_none(void **state)
{
	static const struct {
		const char *path, *route, *name;
	} cases[] = {
		{ "/regions", "/regions", "" },
		{ "/regions/london/current", "/regions/{name}/current", "london" },
		{ "/regions/london/forecast", "/regions/{name}/forecast", "london" },
		{ "/views/current-grid-status", "/views/current-grid-status", "" },
		{ "/views/other", NULL, "" },
		{ "", NULL, "" },
		{ "/", NULL, "" },
		{ "/regions/", NULL, "" },
		{ "/regions/london", NULL, "" },
		{ "/regions//current", NULL, "" },
		{ "/regions/a/b/current", NULL, "" },
		{ "/regions/london/current/", NULL, "" },
		{ "regions", NULL, "" },
	};
	char name[READAPI_MAX_NAME], text[2 * READAPI_MAX_NAME];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct readapi_route *r = readapi_route_find(cases[i].path, name);

		assert_true(cstr_eq(r ? r->path : NULL, cases[i].route));
		if (r)
			assert_string_equal(name, cases[i].name);
	}
	for (size_t len = READAPI_MAX_NAME - 2; len <= READAPI_MAX_NAME; len++) {
		char longest[READAPI_MAX_NAME + 1];

		memset(longest, 'a', len);
		longest[len] = '\0';
		(void)snprintf(text, sizeof(text), "/regions/%s/current", longest);
		assert_int_equal(readapi_route_find(text, name) != NULL, len < READAPI_MAX_NAME);
	}
}

static void a_query_has_known_parameters_once(void **state)
{
	static const struct {
		const char *query;
		bool ok;
	} cases[] = {
		{ "", true },
		{ "limit=1", true },
		{ "limit=1&namespace=a&state=b&continue=c", true },
		{ "&&limit", true },
		{ "limit=1&limit=2", false },
		{ "limit=1&limit", false },
		{ "Limit=1", false },
		{ "=1", false },
		{ "li%6dit=1", false },
		{ "limit=1&surplus=", false },
	};
	char name[READAPI_MAX_NAME];
	const struct readapi_route *jobs = readapi_route_find("/jobs", name);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct error err = ERROR_INIT;

		if ((readapi_check_query(jobs, cases[i].query, &err) == 0) != cases[i].ok)
			fail_msg("%s: %s", cases[i].query, err.msg);
	}
}

/* ---- description ---- */

/* Every schema that is named is there. */
static void check_refs(const struct json *v, const struct json *schemas, int *n)
{
	static const char prefix[] = "#/components/schemas/";

	json_each (member, v) {
		const char *ref = cstr_eq(json_key(member), "$ref") ? json_string(member) : NULL;

		check_refs(member, schemas, n);
		if (!ref)
			continue;
		(*n)++;
		assert_true(str_has_prefix(str_from(ref), str_from(prefix)));
		if (!json_get(schemas, ref + strlen(prefix)))
			fail_msg("no schema %s", ref);
	}
}

static void every_answer_has_a_schema(void **state)
{
	_cleanup_(buf_release) struct buf out = BUF_INIT(READAPI_MAX_ANSWER);
	_cleanup_(json_cleanup) struct json *doc = NULL;
	struct readapi_request r = { .w = json_writer(&out) };
	struct error err = ERROR_INIT;
	const struct json *schemas, *cell;
	int refs = 0;

	(void)state;
	assert_int_equal(readapi_openapi(&r, &err), 0);
	assert_int_equal(json_parse(buf_str(&out), &doc, &err), 0);
	schemas = json_at(doc, "components.schemas");
	check_refs(doc, schemas, &refs);
	assert_true(refs > 50);
	json_each (path, json_get(doc, "paths")) {
		const struct json *answers = json_at(path, "get.responses");
		const struct json *schema =
			json_get(json_get(json_get(json_get(answers, "200"), "content"), "application/json"), "schema");

		assert_true(json_get(schema, "$ref") || json_at(schema, "properties.rows.items.properties"));
	}
	/* The notation of schema.c, taken apart. */
	assert_string_equal(json_string(json_at(schemas, "Regions.properties.regions.items.$ref")),
			    "#/components/schemas/Region");
	assert_string_equal(json_string(json_at(schemas, "Regions.properties.time.format")), "date-time");
	assert_string_equal(json_string(json_first(json_at(schemas, "Regions.required"))), "time");
	assert_int_equal(json_len(json_at(schemas, "Saving.required")), 0);
	cell = json_at(schemas, "Forecast.properties.renewablePerMille.items.type");
	assert_int_equal(json_len(cell), 2);
	assert_int_equal(json_len(json_at(schemas, "Provider.properties.circuit.enum")), 3);
}

/* ---- reviews ---- */

static void what_is_asked_of_the_api_server(void **state)
{
	_cleanup_(buf_release) struct buf out = BUF_INIT(4096), user = BUF_INIT(4096);
	struct error err = ERROR_INIT;

	(void)state;
	readapi_token_review("a\"b", &out);
	assert_string_equal(buf_cstr(&out), "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenReview\","
					    "\"spec\":{\"token\":\"a\\\"b\"}}");
	assert_int_equal(
		readapi_token_user(STR("{\"status\":{\"authenticated\":true,\"user\":{\"username\":\"u\","
				       "\"uid\":\"1\",\"groups\":[\"g\",3,\"h\"],\"extra\":{\"k\":[\"v\"]}}}}"),
				   &user, &err),
		0);
	buf_reset(&out);
	readapi_access_review(buf_str(&user), READAPI_JOBS, "team", &out);
	assert_string_equal(
		buf_cstr(&out),
		"{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":\"SubjectAccessReview\",\"spec\":{\"user\":\"u\","
		"\"uid\":\"1\",\"groups\":[\"g\",\"h\"],\"extra\":{\"k\":[\"v\"]},\"resourceAttributes\":{\"group\":"
		"\"loadshift.io\",\"resource\":\"carbonawarejobs\",\"verb\":\"list\",\"namespace\":\"team\"}}}");
	buf_reset(&out);
	readapi_access_review(buf_str(&user), READAPI_REGIONS, "team", &out);
	assert_non_null(strstr(buf_cstr(&out), "\"resource\":\"gridregions\",\"verb\":\"list\"}"));
}

static void only_a_clear_yes_is_one(void **state)
{
	static const char *const strangers[] = {
		"{}",
		"[]",
		"null",
		"{\"status\":{}}",
		"{\"status\":{\"authenticated\":\"true\",\"user\":{\"username\":\"u\"}}}",
		"{\"status\":{\"authenticated\":false,\"user\":{\"username\":\"u\"}}}",
		"{\"status\":{\"authenticated\":true}}",
		"{\"status\":{\"authenticated\":true,\"user\":{\"username\":7}}}",
	};
	static const char *const refusals[] = { "{}", "{\"status\":{}}", "{\"status\":{\"allowed\":1}}",
						"{\"status\":{\"allowed\":false}}" };
	struct error err = ERROR_INIT;
	bool allowed;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(strangers); i++) {
		_cleanup_(buf_release) struct buf user = BUF_INIT(4096);

		err = (struct error)ERROR_INIT;
		assert_int_equal(readapi_token_user(str_from(strangers[i]), &user, &err), -1);
		assert_int_equal(err.http, 401);
	}
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		assert_int_equal(readapi_access_allowed(str_from(refusals[i]), &allowed, &err), 0);
		assert_false(allowed);
	}
	assert_int_equal(readapi_access_allowed(STR("{"), &allowed, &err), -1);
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	assert_int_equal(readapi_access_allowed(STR("{\"status\":{\"allowed\":true}}"), &allowed, &err), 0);
	assert_true(allowed);
}

/* Knows the tokens "reader" (may list GridRegions), "user" (may nothing); says 500 to "broken", 403 to "forbidden". */
static void answer(struct fake *f, const struct fake_request *r, void *arg)
{
	const char *body = r->body.ptr;

	(void)f;
	atomic_fetch_add((_Atomic(int) *)arg, 1);
	if (strstr(r->target, "tokenreviews")) {
		if (strstr(body, "\"broken\""))
			fake_status(r->fd, 500, "InternalError", "etcd");
		else if (strstr(body, "\"forbidden\""))
			fake_status(r->fd, 403, "Forbidden", "the operator may not");
		else if (strstr(body, "\"reader\""))
			fake_reply(r->fd, 201,
				   "{\"status\":{\"authenticated\":true,\"user\":{\"username\":\"reader\"}}}");
		else if (strstr(body, "\"user\""))
			fake_reply(r->fd, 201,
				   "{\"status\":{\"authenticated\":true,\"user\":{\"username\":\"user\"}}}");
		else
			fake_reply(r->fd, 201, "{\"status\":{\"authenticated\":false}}");
		return;
	}
	fake_reply(r->fd, 201,
		   strstr(body, "\"user\":\"reader\"") && strstr(body, "gridregions")
			   ? "{\"status\":{\"allowed\":true}}"
			   : "{\"status\":{\"allowed\":false}}");
}

static int check(struct readapi_auth *a, const char *token, enum readapi_resource resource, const char *namespace)
{
	struct error err = ERROR_INIT;

	if (readapi_auth_check(a, token, resource, namespace, &err) == 0)
		return 200;
	return err.http == 401               ? 401
	       : err.code == ERR_DENIED      ? 403
	       : err.code == ERR_THROTTLED   ? 429
	       : err.code == ERR_UNAVAILABLE ? 503
					     : 500;
}

static void who_may_read(void **state)
{
	_Atomic(int) asked = 0;
	struct fake *f = fake_start(answer, &asked);
	struct k8s_options options = { .field_manager = "t" };
	struct k8s *k8s = fake_k8s(f, "{}", &options);
	struct readapi_auth *a = readapi_auth_new(k8s);
	char token[32];
	int throttled = 0;

	(void)state;
	assert_int_equal(check(a, "reader", READAPI_REGIONS, NULL), 200);
	assert_int_equal(asked, 2);
	/* Kept, for the same question only. */
	assert_int_equal(check(a, "reader", READAPI_REGIONS, NULL), 200);
	assert_int_equal(asked, 2);
	assert_int_equal(check(a, "reader", READAPI_JOBS, NULL), 403);
	assert_int_equal(check(a, "reader", READAPI_JOBS, "team"), 403);
	assert_int_equal(check(a, "user", READAPI_REGIONS, NULL), 403);
	assert_int_equal(asked, 8);
	assert_int_equal(check(a, "stranger", READAPI_REGIONS, NULL), 401);
	assert_int_equal(check(a, "stranger", READAPI_REGIONS, NULL), 401);
	assert_int_equal(asked, 9);
	assert_int_equal(check(a, "", READAPI_REGIONS, NULL), 401);
	assert_int_equal(asked, 9);
	/* No answer is not kept, and never the reader's fault. */
	assert_int_equal(check(a, "broken", READAPI_REGIONS, NULL), 503);
	assert_int_equal(check(a, "forbidden", READAPI_REGIONS, NULL), 503);
	assert_int_equal(check(a, "forbidden", READAPI_REGIONS, NULL), 503);
	/* Whoever makes tokens up is soon told to wait; who is known already is not. */
	for (int i = 0; i < 100; i++) {
		(void)snprintf(token, sizeof(token), "made-up-%d", i);
		throttled += check(a, token, READAPI_REGIONS, NULL) == 429;
	}
	assert_in_range(throttled, 30, 99);
	assert_int_equal(check(a, "reader", READAPI_REGIONS, NULL), 200);
	readapi_auth_free(a);
	k8s_free(k8s);
	fake_stop(f);
}

static int global_setup(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	return http_client_global_init(&err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_is_one_route_or_none), cmocka_unit_test(a_query_has_known_parameters_once),
		cmocka_unit_test(every_answer_has_a_schema),   cmocka_unit_test(what_is_asked_of_the_api_server),
		cmocka_unit_test(only_a_clear_yes_is_one),     cmocka_unit_test(who_may_read),
	};

	return cmocka_run_group_tests(tests, global_setup, NULL);
}
