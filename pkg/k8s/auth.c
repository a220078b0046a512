/* SPDX-License-Identifier: Apache-2.0 */
/* Kubeconfig and ServiceAccount to connection settings. */
#include "k8s/auth.h"

#include "base/alloc.h"
#include "config/yaml.h"
#include "crypto/hash.h"
#include "json/json.h"

#define MAX_KUBECONFIG YAML_MAX_BYTES
#define MAX_TOKEN (16 * 1024)
#define SERVICE_ACCOUNT_DIR "/var/run/secrets/kubernetes.io/serviceaccount"

void k8s_auth_release(struct k8s_auth *a)
{
	arena_release(&a->arena);
	*a = (struct k8s_auth){ 0 };
}

static void auth_init(struct k8s_auth *a)
{
	*a = (struct k8s_auth){ .namespace = "default" };
	arena_init(&a->arena, 4096, 8 * MAX_KUBECONFIG);
}

bool k8s_host_is_loopback(struct str host)
{
	int64_t octet;
	struct str rest = host, part;
	int n = 0;

	if (str_is(host, "localhost") || str_is(host, "::1") || str_is(host, "[::1]"))
		return true;
	while (str_split(&rest, '.', &part)) {
		if (!str_to_i64(part, 0, 255, &octet) || (n == 0 && octet != 127))
			return false;
		n++;
	}
	return n == 4;
}

/* Sets server, plain and loopback. */
static int set_server(struct k8s_auth *a, const char *server, struct error *err)
{
	struct str url = str_from(server);
	bool plain = str_has_prefix(url, STR("http://"));

	if (!plain && !str_has_prefix(url, STR("https://")))
		return error_set(err, ERR_INVALID, "server must be an https:// address");
	for (size_t i = 0; i < url.len; i++) {
		if ((unsigned char)url.ptr[i] <= ' ' || strchr("@?#\\\"\177", url.ptr[i]))
			return error_set(err, ERR_INVALID, "server must be scheme, host, port and path only");
	}
	while (url.len > 0 && url.ptr[url.len - 1] == '/')
		url.len--;
	struct str rest = str_of(url.ptr + (plain ? 7 : 8), url.len > 8 ? url.len - (plain ? 7 : 8) : 0), host;
	if (!str_split(&rest, '/', &host) || str_empty(host))
		return error_set(err, ERR_INVALID, "server has no host");
	const char *bracket = host.ptr[0] == '[' ? memchr(host.ptr, ']', host.len) : NULL;
	const char *colon = memchr(host.ptr, ':', host.len);
	if (bracket)
		host.len = (size_t)(bracket - host.ptr) + 1;
	else if (colon)
		host.len = (size_t)(colon - host.ptr);
	a->loopback = k8s_host_is_loopback(host);
	if (plain && !a->loopback)
		return error_set(err, ERR_INVALID,
				 "server uses plain http, which is allowed for this machine only: use https");
	a->plain = plain;
	a->server = arena_strndup(&a->arena, url.ptr, url.len);
	return 0;
}

/* The text of a field; a non-string is an error of its own, so that nothing given is silently ignored. */
static int field(const struct json *object, const char *key, const char **ret, struct error *err)
{
	const struct json *j = json_get(object, key);
	const char *s = json_string(j);

	if (j && !s && !json_is_null(j))
		return error_set(err, ERR_INVALID, "%s must be a string, is %s", key, json_kind(j));
	*ret = s && *s ? s : NULL;
	return 0;
}

static bool is_given(const struct json *j)
{
	const char *s = json_string(j);
	bool b;

	if (!j || json_is_null(j) || (json_bool(j, &b) && !b))
		return false;
	return s ? *s != '\0' : true;
}

static int refuse(const struct json *object, const char *const refused[][2], struct error *err)
{
	for (size_t i = 0; refused[i][0]; i++) {
		if (is_given(json_get(object, refused[i][0])))
			return error_set(err, ERR_INVALID, "%s is not supported: %s", refused[i][0], refused[i][1]);
	}
	return 0;
}

/* `key` names a file, `key`-data holds its content in base64 and wins. */
static int pem_field(struct k8s_auth *a, const struct json *object, const char *key, const char *dir,
		     const char **ret_file, struct str *ret_pem, struct error *err)
{
	char data_key[64];
	const char *file, *data;

	(void)snprintf(data_key, sizeof(data_key), "%s-data", key);
	if (field(object, key, &file, err) || field(object, data_key, &data, err))
		return -1;
	if (data) {
		_cleanup_(buf_release) struct buf pem = BUF_INIT(MAX_KUBECONFIG);

		if (base64_decode(str_from(data), &pem, err))
			return error_wrap(err, "%s", data_key);
		if (!memmem(buf_cstr(&pem), pem.len, "-----BEGIN ", 11))
			return error_set(err, ERR_INVALID, "%s holds no PEM text", data_key);
		*ret_pem = str_of(arena_strndup(&a->arena, pem.ptr, pem.len), pem.len);
	} else if (file) {
		*ret_file = *file == '/' ? arena_strdup(&a->arena, file) : arena_printf(&a->arena, "%s/%s", dir, file);
	}
	return 0;
}

static int read_cluster(struct k8s_auth *a, const struct json *cluster, const char *dir, struct error *err)
{
	static const char *const refused[][2] = {
		{ "insecure-skip-tls-verify", "name the server's CA in certificate-authority instead" },
		{ "tls-server-name", "use a server address that its certificate names" },
		{ "proxy-url", "the API server must be reachable directly" },
		{ NULL, NULL },
	};
	const char *server;

	if (refuse(cluster, refused, err) || field(cluster, "server", &server, err))
		return -1;
	if (!server)
		return error_set(err, ERR_INVALID, "server is missing");
	if (set_server(a, server, err))
		return -1;
	return pem_field(a, cluster, "certificate-authority", dir, &a->tls.ca_file, &a->tls.ca_pem, err);
}

static bool token_is_sane(const char *s)
{
	for (; *s; s++) {
		if ((unsigned char)*s <= ' ' || *s == '\177')
			return false;
	}
	return true;
}

static int read_user(struct k8s_auth *a, const struct json *user, const char *dir, k8s_exec_fn fn, struct error *err)
{
	static const char *const no_exec[][2] = {
		{ "exec", "use a token or a client certificate, for example of a ServiceAccount "
			  "(kubectl create token), or run in the cluster" },
		{ NULL, NULL },
	};
	static const char *const refused[][2] = {
		{ "auth-provider", "it was removed from Kubernetes; use a token or a client certificate" },
		{ "username", "use a token or a client certificate" },
		{ "password", "use a token or a client certificate" },
		{ "as", "use the identity's own credentials" },
		{ "as-uid", "use the identity's own credentials" },
		{ "as-groups", "use the identity's own credentials" },
		{ "as-user-extra", "use the identity's own credentials" },
		{ NULL, NULL },
	};
	const char *token, *token_file;

	if (refuse(user, refused, err) || (!fn && refuse(user, no_exec, err)) || field(user, "token", &token, err) ||
	    field(user, "tokenFile", &token_file, err) ||
	    pem_field(a, user, "client-certificate", dir, &a->tls.cert_file, &a->tls.cert_pem, err) ||
	    pem_field(a, user, "client-key", dir, &a->tls.key_file, &a->tls.key_pem, err))
		return -1;
	if ((a->tls.cert_file || a->tls.cert_pem.len) != (a->tls.key_file || a->tls.key_pem.len))
		return error_set(err, ERR_INVALID, "client-certificate and client-key must be given together");
	if (token_file) {
		a->token_file = *token_file == '/' ? arena_strdup(&a->arena, token_file)
						   : arena_printf(&a->arena, "%s/%s", dir, token_file);
	} else if (token) {
		if (strlen(token) > MAX_TOKEN || !token_is_sane(token))
			return error_set(err, ERR_INVALID, "token must be one word of at most %d bytes", MAX_TOKEN);
		a->token = arena_strdup(&a->arena, token);
	} else if (is_given(json_get(user, "exec"))) {
		if (fn(json_get(user, "exec"), dir, a, err))
			return error_wrap(err, "exec");
	}
	return 0;
}

/* The `inner` object of the list entry with that name. */
static int find_named(const struct json *config, const char *list, const char *inner, const char *name,
		      const struct json **ret, struct error *err)
{
	json_each (entry, json_get(config, list)) {
		if (cstr_eq(json_string(json_get(entry, "name")), name)) {
			*ret = json_get(entry, inner);
			return 0;
		}
	}
	return error_set(err, ERR_INVALID, "%s has no entry named \"%s\"", list, name);
}

static int read_config(struct k8s_auth *a, const struct json *config, const char *dir, const char *name, k8s_exec_fn fn,
		       struct error *err)
{
	const struct json *context, *cluster, *user = NULL;
	const char *cluster_name, *user_name, *ns;

	if (!name && field(config, "current-context", &name, err))
		return -1;
	if (!name)
		return error_set(err, ERR_INVALID, "current-context is not set: kubectl config use-context NAME");
	if (find_named(config, "contexts", "context", name, &context, err) ||
	    field(context, "cluster", &cluster_name, err) || field(context, "user", &user_name, err) ||
	    field(context, "namespace", &ns, err))
		return -1;
	if (!cluster_name)
		return error_set(err, ERR_INVALID, "context \"%s\" names no cluster", name);
	if (find_named(config, "clusters", "cluster", cluster_name, &cluster, err) ||
	    (user_name && find_named(config, "users", "user", user_name, &user, err)))
		return -1;
	if (ns)
		a->namespace = arena_strdup(&a->arena, ns);
	if (read_cluster(a, cluster, dir, err))
		return error_wrap(err, "cluster \"%s\"", cluster_name);
	if (read_user(a, user, dir, fn, err))
		return error_wrap(err, "user \"%s\"", user_name ? user_name : "");
	return 0;
}

static int read_kubeconfig(struct str yaml, const char *dir, const char *context, k8s_exec_fn fn, struct k8s_auth *ret,
			   struct error *err)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT(8 * MAX_KUBECONFIG);
	_cleanup_(json_cleanup) struct json *config = NULL;
	struct k8s_auth a;

	if (yaml_to_json(yaml, &text, err) || json_parse(buf_str(&text), &config, err))
		return -1;
	auth_init(&a);
	if (read_config(&a, config, dir, context, fn, err)) {
		k8s_auth_release(&a);
		return -1;
	}
	*ret = a;
	return 0;
}

int k8s_auth_kubeconfig(struct str yaml, const char *dir, const char *context, struct k8s_auth *ret, struct error *err)
{
	return read_kubeconfig(yaml, dir, context, NULL, ret, err);
}

int k8s_auth_service_account(const char *dir, const char *host, const char *port, struct k8s_auth *ret,
			     struct error *err)
{
	_cleanup_(buf_release) struct buf ns = BUF_INIT(253);
	struct error no_namespace;
	struct k8s_auth a;
	char server[320];
	bool v6 = strchr(host, ':') != NULL;

	auth_init(&a);
	(void)snprintf(server, sizeof(server), "https://%s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "", port);
	if (set_server(&a, server, err)) {
		k8s_auth_release(&a);
		return error_wrap(err, "KUBERNETES_SERVICE_HOST");
	}
	a.in_cluster = true;
	a.token_file = arena_printf(&a.arena, "%s/token", dir);
	a.tls.ca_file = arena_printf(&a.arena, "%s/ca.crt", dir);
	if (buf_read_file(&ns, arena_printf(&a.arena, "%s/namespace", dir), &no_namespace) == 0) {
		struct str name = str_trim(buf_str(&ns));

		if (str_is_dns_name(name))
			a.namespace = arena_strndup(&a.arena, name.ptr, name.len);
	}
	*ret = a;
	return 0;
}

/* Now rather than at the first request, and with the field's name. */
static int check_files(const struct k8s_auth *a, struct error *err)
{
	const char *const files[][2] = {
		{ "certificate-authority", a->tls.ca_file },
		{ "client-certificate", a->tls.cert_file },
		{ "client-key", a->tls.key_file },
		{ "tokenFile", a->token_file },
	};

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		if (files[i][1] && access(files[i][1], R_OK) != 0)
			return error_set(err, ERR_INVALID, "%s: cannot read %s", files[i][0], files[i][1]);
	}
	return 0;
}

static int load_file(const char *path, const char *context, k8s_exec_fn fn, struct k8s_auth *ret, struct error *err)
{
	_cleanup_(buf_release) struct buf yaml = BUF_INIT(MAX_KUBECONFIG);
	_cleanup_free_ char *dir = NULL;
	const char *slash = strrchr(path, '/');
	struct k8s_auth a;

	dir = slash ? xstrndup(path, (size_t)MAX(slash - path, 1)) : xstrdup(".");
	if (buf_read_file(&yaml, path, err))
		return error_wrap(err, "kubeconfig");
	if (read_kubeconfig(buf_str(&yaml), dir, context, fn, &a, err))
		return error_wrap(err, "kubeconfig %s", path);
	if (check_files(&a, err)) {
		k8s_auth_release(&a);
		return error_wrap(err, "kubeconfig %s", path);
	}
	*ret = a;
	return 0;
}

static int load_in_cluster(const char *host, const char *port, struct k8s_auth *ret, struct error *err)
{
	struct k8s_auth a;

	if (k8s_auth_service_account(SERVICE_ACCOUNT_DIR, host, port, &a, err))
		return -1;
	if (check_files(&a, err)) {
		k8s_auth_release(&a);
		return error_wrap(err, "the pod's service account (automountServiceAccountToken)");
	}
	*ret = a;
	return 0;
}

static const char *env(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

int k8s_auth_load(const char *kubeconfig, const char *context, struct k8s_auth *ret, struct error *err)
{
	return k8s_auth_load_with(kubeconfig, context, NULL, ret, err);
}

int k8s_auth_load_with(const char *kubeconfig, const char *context, k8s_exec_fn fn, struct k8s_auth *ret,
		       struct error *err)
{
	const char *from_env = env("KUBECONFIG"), *home = env("HOME");
	const char *host = env("KUBERNETES_SERVICE_HOST"), *port = env("KUBERNETES_SERVICE_PORT");

	if (kubeconfig)
		return load_file(kubeconfig, context, fn, ret, err);
	if (from_env && strchr(from_env, ':'))
		return error_set(err, ERR_INVALID,
				 "KUBECONFIG names several files: merge them with kubectl config view --flatten");
	if (from_env)
		return load_file(from_env, context, fn, ret, err);
	if (host && port)
		return load_in_cluster(host, port, ret, err);
	if (home) {
		_cleanup_free_ char *path = xasprintf("%s/.kube/config", home);

		if (access(path, F_OK) == 0)
			return load_file(path, context, fn, ret, err);
	}
	return error_set(err, ERR_NOT_FOUND, "no cluster: give --kubeconfig FILE, set KUBECONFIG, or run in a pod");
}
