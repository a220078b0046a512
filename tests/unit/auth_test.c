/* SPDX-License-Identifier: Apache-2.0 */
/* pkg/k8s/auth: what is understood, what is refused and with which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "k8s/auth.h"

#define HEAD                                                                            \
	"apiVersion: v1\nkind: Config\ncurrent-context: dev\n"                          \
	"contexts:\n- name: dev\n  context: {cluster: c, user: u, namespace: team-a}\n" \
	"- name: prod\n  context: {cluster: other, user: u}\n"                          \
	"- name: broken\n  context: {cluster: missing, user: u}\n"

static char *config(const char *cluster, const char *user)
{
	return xasprintf(HEAD "clusters:\n- name: c\n  cluster: {%s}\n"
			      "- name: other\n  cluster: {server: 'https://prod.example:443/k8s/'}\n"
			      "users:\n- name: u\n  user: {%s}\n",
			 cluster, user);
}

static void accepted(const char *cluster, const char *user, const char *context, struct k8s_auth *ret)
{
	_cleanup_free_ char *yaml = config(cluster, user);
	struct error err = ERROR_INIT;

	if (k8s_auth_kubeconfig(str_from(yaml), "/etc/kube", context, ret, &err))
		fail_msg("%s", err.msg);
}

static void refused(const char *cluster, const char *user, const char *context, const char *words)
{
	_cleanup_free_ char *yaml = config(cluster, user);
	struct error err = ERROR_INIT;
	struct k8s_auth a;

	if (k8s_auth_kubeconfig(str_from(yaml), "/etc/kube", context, &a, &err) == 0)
		fail_msg("accepted: %s; %s", cluster, user);
	if (!strstr(err.msg, words))
		fail_msg("\"%s\" does not say \"%s\"", err.msg, words);
	assert_int_equal(err.code, ERR_INVALID);
}

#define SERVER "server: 'https://10.0.0.1:6443/'"

static void reads_files_data_and_namespace(void **state)
{
	(void)state;
	struct k8s_auth a;

	accepted(SERVER ", certificate-authority: ca.crt",
		 "client-certificate: /abs/c.crt, client-key: c.key, token: abc", NULL, &a);
	assert_string_equal(a.server, "https://10.0.0.1:6443");
	assert_string_equal(a.namespace, "team-a");
	assert_string_equal(a.token, "abc");
	assert_string_equal(a.tls.ca_file, "/etc/kube/ca.crt");
	assert_string_equal(a.tls.cert_file, "/abs/c.crt");
	assert_string_equal(a.tls.key_file, "/etc/kube/c.key");
	assert_false(a.loopback || a.plain || a.in_cluster);
	k8s_auth_release(&a);

	/* "-----BEGIN X-----" */
	accepted(SERVER ", certificate-authority: x, certificate-authority-data: LS0tLS1CRUdJTiBYLS0tLS0=",
		 "tokenFile: tok, token: ignored", NULL, &a);
	assert_true(str_is(a.tls.ca_pem, "-----BEGIN X-----"));
	assert_null(a.tls.ca_file);
	assert_string_equal(a.token_file, "/etc/kube/tok");
	assert_null(a.token);
	k8s_auth_release(&a);

	accepted(SERVER, "", "prod", &a);
	assert_string_equal(a.server, "https://prod.example:443/k8s");
	assert_string_equal(a.namespace, "default");
	k8s_auth_release(&a);
}

static void plain_http_is_for_this_machine_only(void **state)
{
	(void)state;
	static const char *const local[] = { "localhost", "127.0.0.1", "127.8.9.1", "[::1]" };
	struct k8s_auth a;

	for (size_t i = 0; i < ARRAY_LEN(local); i++) {
		_cleanup_free_ char *cluster = xasprintf("server: 'http://%s:8001'", local[i]);

		accepted(cluster, "", NULL, &a);
		assert_true(a.plain && a.loopback);
		k8s_auth_release(&a);
	}
	refused("server: 'http://10.0.0.1:8001'", "", NULL, "plain http");
	refused("server: 'http://127.0.0.1.evil.example'", "", NULL, "plain http");
	refused("server: 'http://localhost.evil.example'", "", NULL, "plain http");
	refused("server: 'http://127.0.0.1@evil.example'", "", NULL, "server must be");
	accepted("server: 'https://localhost:6443'", "", NULL, &a);
	assert_true(a.loopback && !a.plain);
	k8s_auth_release(&a);
}

static void what_is_not_obeyed_is_refused(void **state)
{
	(void)state;
	struct k8s_auth a;

	refused(SERVER ", insecure-skip-tls-verify: true", "", NULL, "insecure-skip-tls-verify is not supported");
	accepted(SERVER ", insecure-skip-tls-verify: false", "", NULL, &a);
	k8s_auth_release(&a);
	refused(SERVER ", tls-server-name: x", "", NULL, "tls-server-name");
	refused(SERVER ", proxy-url: 'http://p'", "", NULL, "proxy-url");
	refused(SERVER, "exec: {command: aws}", NULL, "exec is not supported: use a token");
	refused(SERVER, "auth-provider: {name: gcp}", NULL, "auth-provider");
	refused(SERVER, "username: a, password: b", NULL, "username");
	refused(SERVER, "as: root", NULL, "as is not supported");
	refused(SERVER, "client-certificate: a", NULL, "together");
	refused(SERVER, "token: 'a b'", NULL, "token must be one word");
	refused(SERVER, "token: 12", NULL, "token must be a string");
	refused(SERVER, "token: 'a\\nX: y'", NULL, "");
	refused(SERVER ", certificate-authority-data: '!!'", "", NULL, "certificate-authority-data");
	refused(SERVER ", certificate-authority-data: aGVsbG8=", "", NULL, "no PEM");
	refused("", "", NULL, "server is missing");
	refused("server: 'ftp://x'", "", NULL, "https://");
	refused("server: 'https://'", "", NULL, "no host");
	refused("server: 'https://a b'", "", NULL, "server must be");
	refused(SERVER, "", "nope", "contexts has no entry named \"nope\"");
	refused(SERVER, "", "broken", "clusters has no entry named \"missing\"");
}

static void errors_never_show_a_secret(void **state)
{
	(void)state;
	_cleanup_free_ char *yaml = config(SERVER, "token: 'sekret sekret'");
	struct error err = ERROR_INIT;
	struct k8s_auth a;

	assert_int_equal(k8s_auth_kubeconfig(str_from(yaml), "/", NULL, &a, &err), -1);
	assert_null(strstr(err.msg, "sekret"));
}

static void write_file(const char *dir, const char *name, const char *text)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", dir, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void the_service_account(void **state)
{
	(void)state;
	char dir[] = "/tmp/loadshift-auth-XXXXXX";
	struct error err = ERROR_INIT;
	struct k8s_auth a;

	assert_non_null(mkdtemp(dir));
	write_file(dir, "namespace", "loadshift-system\n");
	assert_int_equal(k8s_auth_service_account(dir, "10.96.0.1", "443", &a, &err), 0);
	assert_string_equal(a.server, "https://10.96.0.1:443");
	assert_string_equal(a.namespace, "loadshift-system");
	assert_true(a.in_cluster && !a.loopback);
	assert_true(str_has_suffix(str_from(a.token_file), STR("/token")));
	assert_true(str_has_suffix(str_from(a.tls.ca_file), STR("/ca.crt")));
	k8s_auth_release(&a);
	assert_int_equal(k8s_auth_service_account(dir, "fd00::1", "443", &a, &err), 0);
	assert_string_equal(a.server, "https://[fd00::1]:443");
	k8s_auth_release(&a);
}

static void the_order_of_sources(void **state)
{
	(void)state;
	char dir[] = "/tmp/loadshift-auth-XXXXXX";
	_cleanup_free_ char *yaml = config(SERVER ", certificate-authority: ca.crt", "");
	struct error err = ERROR_INIT;
	struct k8s_auth a;

	assert_non_null(mkdtemp(dir));
	_cleanup_free_ char *path = xasprintf("%s/config", dir);
	write_file(dir, "config", yaml);
	(void)setenv("HOME", "/nonexistent", 1);
	(void)unsetenv("KUBECONFIG");
	(void)unsetenv("KUBERNETES_SERVICE_HOST");
	assert_int_equal(k8s_auth_load(NULL, NULL, &a, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);

	(void)setenv("KUBECONFIG", path, 1);
	assert_int_equal(k8s_auth_load(NULL, NULL, &a, &err), -1);
	assert_non_null(strstr(err.msg, "certificate-authority: cannot read"));
	write_file(dir, "ca.crt", "x");
	assert_int_equal(k8s_auth_load(NULL, NULL, &a, &err), 0);
	assert_true(str_has_prefix(str_from(a.tls.ca_file), str_from(dir)));
	k8s_auth_release(&a);

	(void)setenv("KUBECONFIG", "/a:/b", 1);
	assert_int_equal(k8s_auth_load(NULL, NULL, &a, &err), -1);
	assert_non_null(strstr(err.msg, "several files"));
	/* The one that is named comes before the environment. */
	assert_int_equal(k8s_auth_load(path, "prod", &a, &err), 0);
	assert_string_equal(a.server, "https://prod.example:443/k8s");
	k8s_auth_release(&a);
	assert_int_equal(k8s_auth_load("/nonexistent/config", NULL, &a, &err), -1);
	(void)unsetenv("KUBECONFIG");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_files_data_and_namespace),
		cmocka_unit_test(plain_http_is_for_this_machine_only),
		cmocka_unit_test(what_is_not_obeyed_is_refused),
		cmocka_unit_test(errors_never_show_a_secret),
		cmocka_unit_test(the_service_account),
		cmocka_unit_test(the_order_of_sources),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
