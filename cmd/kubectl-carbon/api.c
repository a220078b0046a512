/* SPDX-License-Identifier: Apache-2.0 */
/* Asking the operator's read API. */
#include "base/alloc.h"
#include "base/clock.h"
#include "carbon.h"

#define MAX_TOKEN ((size_t)16 * 1024)
#define TIMEOUT_MS (15 * SECOND_MS)

/* One visible word, so that it cannot begin another header. */
static int read_token(const char *path, char **ret, struct error *err)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT(MAX_TOKEN);
	struct str token;

	if (buf_read_file(&text, path, err))
		return error_wrap(err, "token");
	token = str_trim(buf_str(&text));
	for (size_t i = 0; i < token.len; i++)
		if ((unsigned char)token.ptr[i] <= ' ' || token.ptr[i] == '\177')
			return error_set(err, ERR_INVALID, "%s: a token is one word", path);
	if (str_empty(token))
		return error_set(err, ERR_INVALID, "%s holds no token", path);
	*ret = xasprintf("Authorization: Bearer %.*s", STR_FMT(token));
	explicit_bzero(text.ptr, text.len);
	return 0;
}

static int authorize(struct api *a, const struct options *o, struct error *err)
{
	if (o->server && o->token_file)
		return read_token(o->token_file, &a->authorization, err);
	if (a->auth.token_file)
		return read_token(a->auth.token_file, &a->authorization, err);
	if (a->auth.token)
		a->authorization = xasprintf("Authorization: Bearer %s", a->auth.token);
	return 0;
}

static int open_server(struct api *a, const struct options *o, struct error *err)
{
	struct str url = str_from(o->server), host;
	struct error none = ERROR_INIT;

	a->plain = str_has_prefix(url, STR("http://"));
	if (!a->plain && !str_has_prefix(url, STR("https://")))
		return error_set(err, ERR_INVALID, "--server must be a URL that begins with https://");
	host = str_of(url.ptr + (a->plain ? 7 : 8), strcspn(url.ptr + (a->plain ? 7 : 8), "/:?#"));
	if (a->plain && url.ptr[7] == '[')
		host = str_of(url.ptr + 7, strcspn(url.ptr + 7, "]") + 1);
	/* A token goes with the request. */
	if (a->plain && !k8s_host_is_loopback(host))
		return error_set(err, ERR_INVALID, "--server: plain http is for this machine only: use https");
	while (url.len > 0 && url.ptr[url.len - 1] == '/')
		url.len--;
	a->base = xstrndup(url.ptr, url.len);
	a->tls.ca_file = o->ca_file;
	/* The cluster is needed for a token only; without one the operator says that it wants one. */
	if (!o->token_file && k8s_auth_load_with(o->kubeconfig, o->context, exec_credential, &a->auth, &none)) {
		a->auth = (struct k8s_auth){ 0 };
		if (o->kubeconfig || none.code != ERR_NOT_FOUND) {
			*err = none;
			return -1;
		}
	}
	return 0;
}

static int open_proxy(struct api *a, const struct options *o, struct error *err)
{
	if (k8s_auth_load_with(o->kubeconfig, o->context, exec_credential, &a->auth, err)) {
		a->auth = (struct k8s_auth){ 0 };
		return -1;
	}
	if (!str_is_dns_name(str_from(o->operator_namespace)))
		return error_set(err, ERR_INVALID, "--operator-namespace is not the name of one");
	if (strspn(o->service, "abcdefghijklmnopqrstuvwxyz0123456789-:") != strlen(o->service))
		return error_set(err, ERR_INVALID,
				 "--service must be scheme:name:port, such as https:loadshift-operator:8443");
	a->proxied = true;
	a->plain = a->auth.plain;
	a->tls = a->auth.tls;
	a->base = xasprintf("%s/api/v1/namespaces/%s/services/%s/proxy", a->auth.server, o->operator_namespace,
			    o->service);
	return 0;
}

int api_open(const struct options *o, struct api *ret, struct error *err)
{
	struct api a = { .options = o };

	if ((o->server ? open_server(&a, o, err) : open_proxy(&a, o, err)) || authorize(&a, o, err)) {
		api_release(&a);
		return -1;
	}
	a.http = http_client_new();
	*ret = a;
	return 0;
}

void api_release(struct api *a)
{
	http_client_free(a->http);
	free(a->base);
	free(a->authorization);
	k8s_auth_release(&a->auth);
	*a = (struct api){ 0 };
}

/* What the answer itself says: ours is {"error"}, the API server's a Status. */
static const char *words_of(const struct json *doc)
{
	const char *text = json_string(json_get(doc, "error"));

	return text ? text : json_string(json_get(doc, "message"));
}

static int refused(const struct api *a, const struct http_response *r, struct error *err)
{
	_cleanup_(json_cleanup) struct json *doc = NULL;
	struct error none;
	const char *text = json_parse(buf_str(&r->body), &doc, &none) == 0 ? words_of(doc) : NULL;
	char said[200];

	(void)snprintf(said, sizeof(said), "%s", text ? text : "no reason given");
	err->http = r->status;
	if (r->status == 401)
		return error_set(err, ERR_DENIED, "%s: use a kubeconfig with a token, or --token-file", said);
	if (r->status == 403 && a->proxied)
		return error_set(
			err, ERR_DENIED,
			"%s: reading through the API server needs `get` on services/proxy (role loadshift-read-api); "
			"or use --server URL",
			said);
	if (r->status == 404 && a->proxied && text && json_get(doc, "message"))
		return error_set(err, ERR_NOT_FOUND,
				 "%s: is the operator's service there? see --operator-namespace, --service and "
				 "manifests/read-api.yaml",
				 said);
	if (r->status == 503 && a->proxied && json_get(doc, "message"))
		return error_set(err, ERR_UNAVAILABLE, "%s: does the operator run with --read-api-enabled?", said);
	return error_set(err, error_code_from_http(r->status), "%s", said);
}

int api_get(struct api *a, const char *path, struct buf *ret_body, struct error *err)
{
	_cleanup_free_ char *url = xasprintf("%s/api/v1%s", a->base, path);
	struct http_response r = { 0 };
	struct http_request request = { .url = url,
					.headers = { "Accept: application/json", a->authorization },
					.tls = &a->tls,
					.allow_plain = a->plain,
					.timeout_ms = TIMEOUT_MS,
					.max_body = MAX_ANSWER };
	int result = 0;

	if (http_do(a->http, &request, &r, err))
		return error_wrap(err, "cannot reach %s", a->proxied ? "the API server" : a->options->server);
	if (r.status != 200)
		result = refused(a, &r, err);
	else if (buf_addstr(ret_body, buf_str(&r.body)))
		result = buf_check(ret_body, "answer", err);
	http_response_release(&r);
	return result;
}
