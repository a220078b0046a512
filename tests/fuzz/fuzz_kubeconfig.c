/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: whatever kubeconfig is accepted names a server that may be used and a token that fits in a header. */
#include "k8s/auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "violated: %s\n", what);
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = ERROR_INIT;
	struct k8s_auth a;

	if (k8s_auth_kubeconfig(str_of((const char *)data, size), "/dir", NULL, &a, &err)) {
		require(err.code == ERR_INVALID || err.code == ERR_LIMIT, "refusal is explained");
		return 0;
	}
	struct str server = str_from(a.server);
	require(str_has_prefix(server, STR("https://")) || (str_has_prefix(server, STR("http://")) && a.loopback),
		"https, or this machine");
	require(a.plain == str_has_prefix(server, STR("http://")), "plain is known");
	for (const char *p = a.server; *p; p++)
		require((unsigned char)*p > ' ' && *p != '@', "a plain address");
	for (const char *p = a.token ? a.token : ""; *p; p++)
		require((unsigned char)*p > ' ', "a token is one word");
	require(!a.tls.cert_file == !a.tls.key_file || a.tls.cert_pem.len || a.tls.key_pem.len, "certificate with key");
	require(a.namespace && *a.namespace, "a namespace");
	k8s_auth_release(&a);
	return 0;
}
