/* SPDX-License-Identifier: Apache-2.0 */
/* config/yaml.h: the core schema, what is refused and where, streams of documents, kubeconfig and manifests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "config/yaml.h"
#include "json/json.h"

static void converts(const char *yaml, const char *json)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT(1 << 16);
	_cleanup_(json_cleanup) struct json *j = NULL;
	struct error err = ERROR_INIT;

	if (yaml_to_json(str_from(yaml), &b, &err))
		fail_msg("%s: %s", yaml, err.msg);
	assert_string_equal(buf_cstr(&b), json);
	if (json_parse(buf_str(&b), &j, &err))
		fail_msg("%s: %s", json, err.msg);
}

static void refuses(const char *yaml, const char *message)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT(1 << 16);
	struct error err = ERROR_INIT;

	buf_adds(&b, "kept");
	if (yaml_to_json(str_from(yaml), &b, &err) == 0)
		fail_msg("accepted: %s as %s", yaml, buf_cstr(&b));
	assert_int_equal(err.code, ERR_INVALID);
	assert_string_equal(err.msg, message);
	assert_string_equal(buf_cstr(&b), "kept");
}

static void plain_scalars_follow_the_core_schema(void **state)
{
	(void)state;
	converts("[null, Null, NULL, ~, true, True, TRUE, false, False, FALSE]",
		 "[null,null,null,null,true,true,true,false,false,false]");
	converts("[yes, no, on, off, Yes, y, n, nULL, tRUE]",
		 "[\"yes\",\"no\",\"on\",\"off\",\"Yes\",\"y\",\"n\",\"nULL\",\"tRUE\"]");
	converts("[0, -0, +12, -7, 0o17, 0x1F, 0xffffffffffffffff, 12345678901234567890]",
		 "[0,-0,12,-7,15,31,18446744073709551615,12345678901234567890]");
	converts("[1.5, .5, -.5, +.5, 1., 1.e5, 1e3, 1E-3, 2.50e+07, 0.0]",
		 "[1.5,0.5,-0.5,0.5,1,1e5,1e3,1e-3,2.50e07,0.0]");
	converts("[-0x1, 0o8, 0xg, 0b1, 1_000, 1:30, e3, 1e, ., +, -., 1.2.3, 0x, 0o, 1e+]",
		 "[\"-0x1\",\"0o8\",\"0xg\",\"0b1\",\"1_000\",\"1:30\",\"e3\",\"1e\",\".\",\"+\",\"-.\",\"1.2.3\","
		 "\"0x\","
		 "\"0o\",\"1e+\"]");
	converts("[2023-02-09, 2023-02-09T07:00:00Z, 10.0.0.1, v1, 100m, 1Gi, <<]",
		 "[\"2023-02-09\",\"2023-02-09T07:00:00Z\",\"10.0.0.1\",\"v1\",\"100m\",\"1Gi\",\"<<\"]");
	converts("['1', \"true\", 'null', \"\", !!str 12, ! 5]", "[\"1\",\"true\",\"null\",\"\",\"12\",\"5\"]");
	converts("{1: a, true: b, ~: c, 007: d}", "{\"1\":\"a\",\"true\":\"b\",\"~\":\"c\",\"007\":\"d\"}");
}

static void structures_and_block_scalars(void **state)
{
	(void)state;
	converts("", "null");
	converts("# only a comment\n", "null");
	converts("---\n...\n---\n", "null");
	converts("\xEF\xBB\xBF"
		 "a: 1\n",
		 "{\"a\":1}");
	converts("a:\n- 1\n- b: 2\n  c: []\n-\n  - x\nd: {}\n", "{\"a\":[1,{\"b\":2,\"c\":[]},[\"x\"]],\"d\":{}}");
	converts("a: |\n  one\n   two\n\nb: >-\n  folded\n  text\nc: |+\n  keep\n\n",
		 "{\"a\":\"one\\n two\\n\",\"b\":\"folded text\",\"c\":\"keep\\n\\n\"}");
	converts("a: 'it''s'\nb: \"\\x41\\u00e9\\n\\0\"\n", "{\"a\":\"it's\",\"b\":\"A\xC3\xA9\\n\\u0000\"}");
	converts("a:\r\n  b: 1\r\n", "{\"a\":{\"b\":1}}");
	converts("? simple\n: value\n", "{\"simple\":\"value\"}");
	converts("{\"json\": [1, {\"too\": null}]}", "{\"json\":[1,{\"too\":null}]}");
	converts("%YAML 1.1\n---\nx\n", "\"x\"");
}

static void what_is_refused_names_its_place(void **state)
{
	(void)state;
	refuses("a: &x 1\nb: *x\n", "line 1, column 4: anchors and aliases are not taken");
	refuses("a: 1\nb: *x\n", "line 2, column 4: anchors and aliases are not taken");
	refuses("a: &x [1]\n", "line 1, column 4: anchors and aliases are not taken");
	refuses("&k a: 1\n", "line 1, column 1: anchors and aliases are not taken");
	refuses("a: !!int '3'\n", "line 1, column 4: tags are not taken, but !!str");
	refuses("a: !!set {b}\n", "line 1, column 4: tags are not taken, but !!str");
	refuses("a: 1\nb: 2\na: 3\n", "line 3, column 1: key \"a\" is there twice");
	refuses("x: {a: 1, 'a': 2}\n", "line 1, column 11: key \"a\" is there twice");
	refuses("{[1]: 2}\n", "line 1, column 2: a key must be a scalar");
	refuses("? {a: 1}\n: 2\n", "line 1, column 3: a key must be a scalar");
	refuses("mode: 0644\n",
		"line 1, column 7: number with a leading zero: quote it if it is text, write 0o17 if it is octal");
	refuses("[00.5]\n",
		"line 1, column 2: number with a leading zero: quote it if it is text, write 0o17 if it is octal");
	refuses("[.inf]\n", "line 1, column 2: neither infinity nor NaN is a number here");
	refuses("[-.Inf]\n", "line 1, column 2: neither infinity nor NaN is a number here");
	refuses("[0x10000000000000000]\n", "line 1, column 2: number of more than 64 bits");
	refuses("[1234567890123456789012345678901234567890123456789012345678901234]\n",
		"line 1, column 2: number of too many digits");
	refuses("a: 1\n---\nb: 2\n", "line 2: a second document, where one is expected");
	refuses("a:\n\tb: 1\n", "line 2, column 1: found character that cannot start any token");
	refuses("a: [1\n", "line 2, column 1: did not find expected ',' or ']'");
	refuses("a: \xff\n", "byte 3: invalid leading UTF-8 octet");
	refuses("a: \x01\n", "byte 3: control characters are not allowed");
}

static void bounds(void **state)
{
	_cleanup_(buf_release) struct buf yaml = BUF_INIT(4 << 20), json = BUF_INIT(16 << 20);
	struct error err = ERROR_INIT;

	(void)state;
	for (int i = 0; i < YAML_MAX_DEPTH; i++)
		buf_adds(&yaml, "[");
	for (int i = 0; i < YAML_MAX_DEPTH; i++)
		buf_adds(&yaml, "]");
	assert_int_equal(yaml_to_json(buf_str(&yaml), &json, &err), 0);
	buf_reset(&yaml);
	for (int i = 0; i < 100000; i++)
		buf_adds(&yaml, "[");
	assert_int_equal(yaml_to_json(buf_str(&yaml), &json, &err), -1);
	assert_string_equal(err.msg, "line 1, column 33: nested too deep");
	buf_reset(&yaml);
	for (int i = 0; i < 100000; i++)
		buf_adds(&yaml, "- ");
	assert_int_equal(yaml_to_json(buf_str(&yaml), &json, &err), -1);
	assert_string_equal(err.msg, "line 1, column 65: nested too deep");
	buf_reset(&yaml);
	for (int i = 0; i < 40000; i++)
		buf_addf(&yaml, "key%d: [\"\\x01\\x01\"]\n", i);
	buf_reset(&json);
	assert_int_equal(yaml_to_json(buf_str(&yaml), &json, &err), 0);
	while (yaml.len <= YAML_MAX_BYTES)
		buf_adds(&yaml, "#\n");
	assert_int_equal(yaml_to_json(buf_str(&yaml), &json, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	buf_reset(&json);
	json.max = 10;
	assert_int_equal(yaml_to_json(STR("a: 12345678"), &json, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
}

struct seen {
	struct buf text;
	int stop_at;
};

static int see(void *arg, struct str json, int line, struct error *err)
{
	struct seen *s = arg;

	if (line == s->stop_at)
		return error_set(err, ERR_CONFLICT, "stopped");
	buf_addf(&s->text, "%d:%.*s;", line, STR_FMT(json));
	return 0;
}

static void streams(void **state)
{
	static const char text[] = "# head\n---\na: 1\n---\n# nothing\n---\n- 2\n...\n---\n\n--- three\n---\n";
	struct seen s = { .text = BUF_INIT(1000) };
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(yaml_each(str_from(text), see, &s, &err), 0);
	assert_string_equal(buf_cstr(&s.text), "2:{\"a\":1};6:[2];11:\"three\";");
	s.stop_at = 6;
	buf_reset(&s.text);
	assert_int_equal(yaml_each(str_from(text), see, &s, &err), -1);
	assert_int_equal(err.code, ERR_CONFLICT);
	assert_string_equal(buf_cstr(&s.text), "2:{\"a\":1};");
	/* What stands before the mistake was delivered. */
	s.stop_at = 0;
	buf_reset(&s.text);
	assert_int_equal(yaml_each(STR("a: 1\n---\nb: [\n"), see, &s, &err), -1);
	assert_string_equal(buf_cstr(&s.text), "1:{\"a\":1};");
	buf_release(&s.text);
}

static void lines_of_keys(void **state)
{
	struct str text = STR("# head\na:\n  b: 1\n  c: {d: 2}\nother:\n  c:\n    d: 3\nlist:\n- b: 1\n");

	(void)state;
	assert_int_equal(yaml_line_of(text, "a"), 2);
	assert_int_equal(yaml_line_of(text, "a.b"), 3);
	assert_int_equal(yaml_line_of(text, "a.c.d"), 4);
	assert_int_equal(yaml_line_of(text, "other.c.d"), 7);
	assert_int_equal(yaml_line_of(text, "a.d"), 0);
	assert_int_equal(yaml_line_of(text, "list.b"), 0);
	assert_int_equal(yaml_line_of(text, "none"), 0);
}

static void kubeconfig(void **state)
{
	(void)state;
	converts("apiVersion: v1\nkind: Config\ncurrent-context: kind\nclusters:\n- name: kind\n  cluster:\n"
		 "    certificate-authority-data: LS0tLS1CRUdJTg==\n    server: https://127.0.0.1:6443\n"
		 "contexts:\n- context: {cluster: kind, user: kind}\n  name: kind\npreferences: {}\nusers:\n- name: "
		 "kind\n"
		 "  user:\n    exec:\n      apiVersion: client.authentication.k8s.io/v1\n      args: [\"--1\", -x]\n"
		 "      env: null\n      command: tool\n",
		 "{\"apiVersion\":\"v1\",\"kind\":\"Config\",\"current-context\":\"kind\",\"clusters\":[{\"name\":"
		 "\"kind\","
		 "\"cluster\":{\"certificate-authority-data\":\"LS0tLS1CRUdJTg==\",\"server\":\"https://"
		 "127.0.0.1:6443\"}}],"
		 "\"contexts\":[{\"context\":{\"cluster\":\"kind\",\"user\":\"kind\"},\"name\":\"kind\"}],"
		 "\"preferences\":{},"
		 "\"users\":[{\"name\":\"kind\",\"user\":{\"exec\":{\"apiVersion\":\"client.authentication.k8s.io/v1\","
		 "\"args\":[\"--1\",\"-x\"],\"env\":null,\"command\":\"tool\"}}}]}");
}

static void manifest(void **state)
{
	(void)state;
	converts(
		"apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: train\n  labels: {app.kubernetes.io/name: \"1\"}\n"
		"spec:\n  backoffLimit: 4\n  template:\n    spec:\n      containers:\n      - name: c\n        image: "
		"img:1.0\n"
		"        command: [\"sh\", \"-c\", 'echo \"hi\"; sleep 5']\n        args:\n        - |\n          set "
		"-e\n"
		"          run\n        resources:\n          requests: {cpu: 0.5, memory: 1Gi}\n      restartPolicy: "
		"Never\n",
		"{\"apiVersion\":\"batch/v1\",\"kind\":\"Job\",\"metadata\":{\"name\":\"train\",\"labels\":"
		"{\"app.kubernetes.io/"
		"name\":\"1\"}},\"spec\":{\"backoffLimit\":4,\"template\":{\"spec\":{\"containers\":"
		"[{\"name\":\"c\",\"image\":\"img:1.0\",\"command\":[\"sh\",\"-c\",\"echo \\\"hi\\\"; sleep 5\"],"
		"\"args\":[\"set -e\\nrun\\n\"],\"resources\":{\"requests\":{\"cpu\":0.5,\"memory\":\"1Gi\"}}}],"
		"\"restartPolicy\":\"Never\"}}}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_scalars_follow_the_core_schema),
		cmocka_unit_test(structures_and_block_scalars),
		cmocka_unit_test(what_is_refused_names_its_place),
		cmocka_unit_test(bounds),
		cmocka_unit_test(streams),
		cmocka_unit_test(lines_of_keys),
		cmocka_unit_test(kubeconfig),
		cmocka_unit_test(manifest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
