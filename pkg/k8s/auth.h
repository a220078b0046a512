/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the API server is and who we are there: from a kubeconfig or from the pod's ServiceAccount.
 *
 * Supported: certificate-authority(-data), client-certificate(-data), client-key(-data), token, tokenFile, namespace.
 * Whatever would change the connection and is not obeyed is refused with the field's name and what to do instead:
 * insecure-skip-tls-verify, exec, auth-provider, username/password, tls-server-name, proxy-url, as*. Plain http:// is
 * accepted for a loopback server only. Relative file names count from the kubeconfig's directory.
 */
#ifndef K8S_AUTH_H
#define K8S_AUTH_H

#include "base/arena.h"
#include "http/client.h"
#include "json/json.h"

struct k8s_auth {
	struct arena arena;     /* owns every string here */
	const char *server;     /* "https://host:6443", no trailing slash, maybe a path */
	const char *namespace;  /* of the context, or the pod's own; "default" when unset */
	const char *token;      /* NULL when there is none, or token_file counts */
	const char *token_file; /* read by rest, again every minute */
	struct http_tls tls;
	bool plain;      /* http:// */
	bool loopback;   /* the server is this machine: needed for a virtual clock */
	bool in_cluster; /* from the ServiceAccount */
};

/*
 * Takes the first that applies: the kubeconfig named (NULL = none), $KUBECONFIG (one file), the ServiceAccount when
 * KUBERNETES_SERVICE_HOST is set, ~/.kube/config. `context` NULL = current-context. Errors name file, field and fix.
 */
int k8s_auth_load(const char *kubeconfig, const char *context, struct k8s_auth *ret, struct error *err) must_check;
/*
 * The same for a program that a person runs: `exec` (a credential plug-in) is not refused but given to fn as it stands
 * in the kubeconfig, with server and CA in `a`, to set token or certificate in a's arena.
 */
typedef int (*k8s_exec_fn)(const struct json *exec, const char *dir, struct k8s_auth *a, struct error *err);
int k8s_auth_load_with(const char *kubeconfig, const char *context, k8s_exec_fn fn, struct k8s_auth *ret,
		       struct error *err) must_check;
void k8s_auth_release(struct k8s_auth *a);

/* The two readers behind it, without environment. `dir` is what relative file names count from. */
int k8s_auth_kubeconfig(struct str yaml, const char *dir, const char *context, struct k8s_auth *ret,
			struct error *err) must_check;
/* `dir` holds token, ca.crt and namespace. */
int k8s_auth_service_account(const char *dir, const char *host, const char *port, struct k8s_auth *ret,
			     struct error *err) must_check;

/* localhost, 127.0.0.0/8 or ::1. */
bool k8s_host_is_loopback(struct str host);

#endif
