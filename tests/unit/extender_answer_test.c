/* SPDX-License-Identifier: Apache-2.0 */
/* From request to reply, byte for byte: what kube-scheduler sends, what it must get back, and what is refused. */
#include "extender_fixture.h"
#include "json/json.h"

#define POD "\"Pod\":{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[{\"name\":\"c\"}]}}"
#define POD_WITH(annotations) "\"Pod\":{\"metadata\":{\"annotations\":{" annotations "}}}"

/* Region a is clean and cheap, b is not. */
static void two_regions(struct fixture *f)
{
	fixture_add(f, "north-scotland", 30, 150000);
	fixture_add(f, "london", 250, 250000);
	fixture_build(f, 2);
}

static void scores_a_bare_array_in_order(void **state)
{
	struct fixture *f = *state;

	two_regions(f);
	assert_string_equal(fixture_ask(f, EXTENDER_PRIORITIZE,
					"{" POD ",\"Nodes\":null,\"NodeNames\":[\"b1\",\"a1\",\"nobody\",\"x1\"]}"),
			    "[{\"Host\":\"b1\",\"Score\":0},{\"Host\":\"a1\",\"Score\":10},"
			    "{\"Host\":\"nobody\",\"Score\":0},{\"Host\":\"x1\",\"Score\":0}]");
	assert_int_equal(f->outcome.ranking, EXTENDER_RANKED);
	assert_int_equal(f->outcome.candidates, 4);
	assert_string_equal(fixture_ask(f, EXTENDER_PRIORITIZE, "{" POD ",\"NodeNames\":[]}"), "[]");
}

static void filter_passes_names_as_they_came(void **state)
{
	struct fixture *f = *state;

	two_regions(f);
	assert_string_equal(fixture_ask(f, EXTENDER_FILTER, "{" POD ",\"NodeNames\":[\"b1\", \"a1\",\"nobody\"]}"),
			    "{\"NodeNames\":[\"b1\", \"a1\",\"nobody\"]}");
	assert_string_equal(fixture_ask(f, EXTENDER_FILTER, "{" POD ",\"NodeNames\":[]}"), "{\"NodeNames\":[]}");
}

static void filter_says_why_nodes_failed(void **state)
{
	struct fixture *f = *state;

	two_regions(f);
	assert_string_equal(
		fixture_ask(
			f, EXTENDER_FILTER,
			"{" POD_WITH(
				"\"loadshift.io/regions\":\"london\"") ",\"NodeNames\":[\"a1\",\"b1\",\"x1\",\"b2\"]}"),
		"{\"NodeNames\":[\"b1\",\"b2\"],\"FailedAndUnresolvableNodes\":{"
		"\"a1\":\"not in the regions the pod allows\",\"x1\":\"not in the regions the pod allows\"}}");
	assert_string_equal(
		fixture_ask(f, EXTENDER_FILTER,
			    "{" POD_WITH(
				    "\"loadshift.io/max-carbon-g-per-kwh\":\"100\"") ",\"NodeNames\":[\"a1\",\"b1\"]}"),
		"{\"NodeNames\":[\"a1\"],\"FailedAndUnresolvableNodes\":{"
		"\"b1\":\"carbon above the pod's max-carbon-g-per-kwh\"}}");
	assert_string_equal(
		fixture_ask(
			f, EXTENDER_FILTER,
			"{" POD_WITH("\"loadshift.io/max-price-per-kwh\":\"0.2\"") ",\"NodeNames\":[\"a1\",\"b1\"]}"),
		"{\"NodeNames\":[\"a1\"],\"FailedAndUnresolvableNodes\":{"
		"\"b1\":\"price above the pod's max-price-per-kwh\"}}");
}

static void keys_may_come_in_any_order(void **state)
{
	struct fixture *f = *state;

	two_regions(f);
	assert_string_equal(
		fixture_ask(f, EXTENDER_FILTER,
			    "{\"NodeNames\":[\"a1\",\"b1\"],\"later\":{\"Pod\":[1]},"
			    "\"Pod\":{\"spec\":{\"metadata\":{\"annotations\":7}},\"metadata\":{\"labels\":{},"
			    "\"annotations\":{\"x\":\"y\",\"loadshift.io/regions\":\"london\"}}},\"Nodes\":null}"),
		"{\"NodeNames\":[\"b1\"],\"FailedAndUnresolvableNodes\":{"
		"\"a1\":\"not in the regions the pod allows\"}}");
}

static void whole_nodes_come_back_untouched(void **state)
{
#define NODE_A "{ \"metadata\": {\"labels\":{\"name\":\"no\"},\"name\":\"a1\"}, \"spec\":{\"x\":[1.50,\"\\u00e9\"]}}"
#define NODE_B "{\"kind\":\"Node\",\"metadata\":{\"name\":\"b1\"},\"status\":null}"
	struct fixture *f = *state;
	const char *nodes = ",\"NodeNames\":null,\"Nodes\":{\"metadata\":{},\"items\":[" NODE_A " ," NODE_B "]}}";
	char body[1024];

	two_regions(f);
	(void)snprintf(body, sizeof(body), "{" POD "%s", nodes);
	assert_string_equal(fixture_ask(f, EXTENDER_FILTER, body), "{\"Nodes\":{\"items\":[" NODE_A "," NODE_B "]}}");
	assert_string_equal(fixture_ask(f, EXTENDER_PRIORITIZE, body),
			    "[{\"Host\":\"a1\",\"Score\":10},{\"Host\":\"b1\",\"Score\":0}]");
	(void)snprintf(body, sizeof(body), "{" POD_WITH("\"loadshift.io/regions\":\"london\"") "%s", nodes);
	assert_string_equal(fixture_ask(f, EXTENDER_FILTER, body),
			    "{\"Nodes\":{\"items\":[" NODE_B "]},\"FailedAndUnresolvableNodes\":{"
			    "\"a1\":\"not in the regions the pod allows\"}}");
	assert_string_equal(fixture_ask(f, EXTENDER_FILTER, "{" POD ",\"Nodes\":{\"items\":null}}"),
			    "{\"Nodes\":{\"items\":[]}}");
}

/* Escapes are understood for looking up, and left alone in the reply. */
static void escaped_names_and_keys(void **state)
{
	struct fixture *f = *state;

	two_regions(f);
	assert_string_equal(fixture_ask(f, EXTENDER_PRIORITIZE,
					"{\"\\u0050od\":{\"metadata\":{\"annotations\":{\"loadshift.io\\/regions\":"
					"\"london\"}}},\"NodeNames\":[\"\\u0061\\u0031\",\"b1\",\"\\\"\"]}"),
			    "[{\"Host\":\"\\u0061\\u0031\",\"Score\":10},{\"Host\":\"b1\",\"Score\":0},"
			    "{\"Host\":\"\\\"\",\"Score\":0}]");
	assert_string_equal(fixture_ask(f, EXTENDER_FILTER,
					"{\"Pod\":{\"metadata\":{\"annotations\":{\"loadshift.io\\/regions\":"
					"\"lon\\u0064on\"}}},\"NodeNames\":[\"\\u0061\\u0031\",\"b1\"]}"),
			    "{\"NodeNames\":[\"b1\"],\"FailedAndUnresolvableNodes\":{"
			    "\"\\u0061\\u0031\":\"not in the regions the pod allows\"}}");
}

static void everything_passes_until_synced(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(
		fixture_ask(f, EXTENDER_FILTER,
			    "{" POD_WITH("\"loadshift.io/regions\":\"london\"") ",\"NodeNames\":[\"a1\",\"b1\"]}"),
		"{\"NodeNames\":[\"a1\",\"b1\"]}");
	assert_int_equal(f->outcome.ranking, EXTENDER_NOT_SYNCED);
	assert_string_equal(fixture_ask(f, EXTENDER_PRIORITIZE, "{" POD ",\"NodeNames\":[\"a1\",\"b1\"]}"),
			    "[{\"Host\":\"a1\",\"Score\":5},{\"Host\":\"b1\",\"Score\":5}]");
	assert_int_equal(f->outcome.ranking, EXTENDER_NOT_SYNCED);
}

static void names_the_mistake(void **state)
{
	static const struct {
		const char *body, *message;
	} cases[] = {
		{ "", "the body is empty: ExtenderArgs expected" },
		{ "hello", "ExtenderArgs: ExtenderArgs must be a JSON object, at byte 0" },
		{ "[]", "ExtenderArgs: ExtenderArgs must be a JSON object, at byte 0" },
		{ "null", "ExtenderArgs: ExtenderArgs must be a JSON object, at byte 0" },
		{ "{}", "ExtenderArgs: Pod is missing (keys are Pascal case)" },
		{ "{\"pod\":{},\"nodeNames\":[]}", "ExtenderArgs: Pod is missing (keys are Pascal case)" },
		{ "{\"Pod\":{}}", "ExtenderArgs: neither NodeNames nor Nodes is set" },
		{ "{\"Pod\":{},\"Nodes\":null,\"NodeNames\":null}",
		  "ExtenderArgs: neither NodeNames nor Nodes is set" },
		{ "{\"Pod\":null,\"NodeNames\":[]}", "ExtenderArgs: Pod must be an object, at byte 7" },
		{ "{\"Pod\":5,\"NodeNames\":[]}", "ExtenderArgs: Pod must be an object, at byte 7" },
		{ "{\"Pod\":{\"metadata\":[]},\"NodeNames\":[]}",
		  "ExtenderArgs: Pod.metadata must be an object, at byte 19" },
		{ "{\"Pod\":{\"metadata\":{\"annotations\":\"\"}},\"NodeNames\":[]}",
		  "ExtenderArgs: Pod.metadata.annotations must be an object, at byte 34" },
		{ "{\"Pod\":{\"metadata\":{\"annotations\":{\"a\":1}}},\"NodeNames\":[]}",
		  "ExtenderArgs: an annotation must be a string, at byte 39" },
		{ "{\"Pod\":{},\"NodeNames\":{}}", "ExtenderArgs: NodeNames must be an array, at byte 22" },
		{ "{\"Pod\":{},\"NodeNames\":\"a\"}", "ExtenderArgs: NodeNames must be an array, at byte 22" },
		{ "{\"Pod\":{},\"NodeNames\":[\"a\",5]}",
		  "ExtenderArgs: a name in NodeNames must be a string, at byte 27" },
		{ "{\"Pod\":{},\"NodeNames\":[\"a\" \"b\"]}", "ExtenderArgs: expected ',' or ']', at byte 27" },
		{ "{\"Pod\":{},\"Nodes\":[]}", "ExtenderArgs: Nodes must be an object, at byte 18" },
		{ "{\"Pod\":{},\"Nodes\":{\"items\":{}}}", "ExtenderArgs: Nodes.items must be an array, at byte 27" },
		{ "{\"Pod\":{},\"Nodes\":{\"items\":[7]}}", "ExtenderArgs: a Node must be an object, at byte 28" },
		{ "{\"Pod\":{},\"Nodes\":{\"items\":[{}]}}", "ExtenderArgs: a Node has no metadata.name, at byte 30" },
		{ "{\"Pod\":{},\"Nodes\":{\"items\":[{\"metadata\":{\"name\":[]}}]}}",
		  "ExtenderArgs: a Node's metadata.name must be a string, at byte 48" },
		{ "{\"Pod\":{},\"Pod\":{},\"NodeNames\":[]}", "ExtenderArgs: a key stands there twice, at byte 16" },
		{ "{\"Pod\":{},\"NodeNames\":[],\"NodeNames\":[]}",
		  "ExtenderArgs: a key stands there twice, at byte 37" },
		{ "{\"Pod\":{},\"NodeNames\":[],\"Nodes\":{}}",
		  "ExtenderArgs: both Nodes and NodeNames are set, at byte 33" },
		{ "{\"Pod\":{},\"NodeNames\":[]} {}", "ExtenderArgs: something follows the value, at byte 26" },
		{ "{\"Pod\":{},\"NodeNames\":[\"a", "ExtenderArgs: the text ends within a string, at byte 25" },
	};
	struct fixture *f = *state;

	two_regions(f);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (int verb = 0; verb < EXTENDER_N_VERBS; verb++) {
			assert_null(fixture_ask(f, (enum extender_verb)verb, cases[i].body));
			assert_string_equal(f->err.msg, cases[i].message);
			assert_int_equal(f->err.code, ERR_INVALID);
		}
	}
	/* The scratch is as good as new afterwards. */
	assert_non_null(fixture_ask(f, EXTENDER_FILTER, "{" POD ",\"NodeNames\":[\"a1\"]}"));
}

static void refuses_every_request_that_is_cut_off(void **state)
{
	const char *body =
		"{" POD_WITH("\"loadshift.io/weights\":\"carbon=1\"") ",\"Nodes\":null,\"NodeNames\":[\"a1\"]}";
	struct fixture *f = *state;

	two_regions(f);
	for (size_t n = 0; n < strlen(body); n++) {
		_cleanup_free_ char *cut = xstrndup(body, n);

		if (fixture_ask(f, EXTENDER_PRIORITIZE, cut))
			fail_msg("accepted the first %zu bytes", n);
	}
}

static void bounds_depth_and_number(void **state)
{
	struct fixture *f = *state;
	struct buf b = BUF_INIT(4 * 1024 * 1024);

	two_regions(f);
	buf_adds(&b, "{\"NodeNames\":[],\"Pod\":");
	for (int i = 0; i < 100000; i++)
		buf_adds(&b, "{\"a\":");
	assert_null(fixture_ask(f, EXTENDER_FILTER, buf_cstr(&b)));
	assert_non_null(strstr(f->err.msg, "nested too deep"));
	buf_reset(&b);
	buf_adds(&b, "{\"Pod\":{},\"NodeNames\":[\"a\"");
	for (int i = 0; i < EXTENDER_MAX_CANDIDATES; i++)
		buf_adds(&b, ",\"a\"");
	buf_adds(&b, "]}");
	assert_null(fixture_ask(f, EXTENDER_PRIORITIZE, buf_cstr(&b)));
	assert_int_equal(f->err.code, ERR_LIMIT);
	buf_release(&b);
}

static void counts_bad_annotations_and_goes_on(void **state)
{
	static const struct {
		const char *annotation, *value;
		enum extender_annotation which;
		bool bad;
	} cases[] = {
		{ "regions", "london", EXTENDER_REGIONS, false },
		{ "regions", "london, south-wales", EXTENDER_REGIONS, false },
		{ "regions", "", EXTENDER_REGIONS, true },
		{ "regions", "London", EXTENDER_REGIONS, true },
		{ "regions", "london,,x", EXTENDER_REGIONS, true },
		{ "expected-duration-seconds", "7200", EXTENDER_DURATION, false },
		{ "expected-duration-seconds", "0", EXTENDER_DURATION, true },
		{ "expected-duration-seconds", "1h", EXTENDER_DURATION, true },
		{ "expected-duration-seconds", "99999999999", EXTENDER_DURATION, true },
		{ "max-carbon-g-per-kwh", "150.5", EXTENDER_MAX_CARBON, false },
		{ "max-carbon-g-per-kwh", "1e3", EXTENDER_MAX_CARBON, true },
		{ "max-carbon-g-per-kwh", "150 g", EXTENDER_MAX_CARBON, true },
		{ "max-price-per-kwh", "-0.01", EXTENDER_MAX_PRICE, false },
		{ "max-price-per-kwh", "cheap", EXTENDER_MAX_PRICE, true },
		{ "weights", "carbon=60,cost=30", EXTENDER_WEIGHTS, false },
		{ "weights", "cost = 1, carbon = 0", EXTENDER_WEIGHTS, false },
		{ "weights", "carbon", EXTENDER_WEIGHTS, true },
		{ "weights", "carbon=0", EXTENDER_WEIGHTS, true },
		{ "weights", "carbon=1,carbon=2", EXTENDER_WEIGHTS, true },
		{ "weights", "carbon=-1", EXTENDER_WEIGHTS, true },
		{ "weights", "carbon=1001", EXTENDER_WEIGHTS, true },
		{ "weights", "co2=1", EXTENDER_WEIGHTS, true },
		{ "weights", "carbon=1=2", EXTENDER_WEIGHTS, true },
	};
	struct fixture *f = *state;
	char body[512];

	two_regions(f);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		(void)snprintf(body, sizeof(body),
			       "{" POD_WITH("\"loadshift.io/%s\":\"%s\"") ",\"NodeNames\":[\"a1\",\"b1\"]}",
			       cases[i].annotation, cases[i].value);
		assert_non_null(fixture_ask(f, EXTENDER_FILTER, body));
		if (f->outcome.bad_annotations != (cases[i].bad ? 1u << cases[i].which : 0))
			fail_msg("%s: \"%s\"", cases[i].annotation, cases[i].value);
	}
}

/* Whatever the names are, the reply is JSON and holds them in order. */
static void replies_are_json(void **state)
{
	struct fixture *f = *state;
	struct buf b = BUF_INIT(1024 * 1024);
	struct json *j = NULL;
	size_t i = 0;

	two_regions(f);
	buf_adds(&b, "{" POD ",\"NodeNames\":[\"a1\"");
	for (int n = 1; n < 3000; n++)
		buf_addf(&b, ",\"%c%d\"", 'a' + n % 3, n);
	buf_adds(&b, "]}");
	assert_non_null(fixture_ask(f, EXTENDER_PRIORITIZE, buf_cstr(&b)));
	assert_int_equal(json_parse(buf_str(&f->reply), &j, &f->err), 0);
	json_each (item, j) {
		int64_t score;

		assert_true(json_i64(json_get(item, "Score"), &score));
		assert_int_equal(score, i == 0 || strcmp(json_string(json_get(item, "Host")), "a2") == 0 ? 10 : 0);
		i++;
	}
	assert_int_equal(i, 3000);
	json_free(j);
	buf_release(&b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(scores_a_bare_array_in_order),          TEST(filter_passes_names_as_they_came),
		TEST(filter_says_why_nodes_failed),          TEST(keys_may_come_in_any_order),
		TEST(whole_nodes_come_back_untouched),       TEST(escaped_names_and_keys),
		TEST(everything_passes_until_synced),        TEST(names_the_mistake),
		TEST(refuses_every_request_that_is_cut_off), TEST(bounds_depth_and_number),
		TEST(counts_bad_annotations_and_goes_on),    TEST(replies_are_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
