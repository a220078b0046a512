/* SPDX-License-Identifier: Apache-2.0 */
/* Who may read: TokenReview and SubjectAccessReview, with answers kept for a minute. */
#include "base/alloc.h"
#include "crypto/hash.h"
#include "json/json.h"
#include "readapi/internal.h"

/* A token that was revoked, or a right that was taken away, counts for so long. */
#define KEEP_MS MINUTE_MS
#define MAX_KEPT 256
#define MAX_TOKEN 16384
#define MAX_REVIEW ((size_t)64 * 1024)
#define TIMEOUT_MS (5 * SECOND_MS)
/* Questions put to the API server: so many at once, then one in so long. Strangers must not use up our share of it. */
#define BURST 50
#define EVERY_MS 100

/* One answer: may the holder of that token do that? */
struct kept {
	char key[SHA256_HEX]; /* of token, resource and namespace: the token itself is not kept */
	int64_t until_ms;     /* monotonic */
	struct error verdict; /* ERR_NONE = may */
};

/* Used by the worker alone. */
struct readapi_auth {
	struct k8s_client *client;
	struct kept kept[MAX_KEPT];
	size_t next;     /* the place that the next answer takes */
	int64_t free_ms; /* monotonic: when the bucket of questions is full again */
};

struct readapi_auth *readapi_auth_new(struct k8s *k8s)
{
	struct readapi_auth *a = xcalloc(1, sizeof(*a));

	a->client = k8s_client_new_ungated(k8s);
	k8s_client_set_timeout(a->client, TIMEOUT_MS);
	return a;
}

void readapi_auth_free(struct readapi_auth *a)
{
	if (!a)
		return;
	k8s_client_free(a->client);
	free(a);
}

void readapi_token_review(const char *token, struct buf *out)
{
	struct json_writer w = json_writer(out);

	jw_object(&w, NULL);
	jw_string(&w, "apiVersion", "authentication.k8s.io/v1");
	jw_string(&w, "kind", "TokenReview");
	jw_object(&w, "spec");
	jw_string(&w, "token", token);
	jw_end_object(&w);
	jw_end_object(&w);
}

static void copy_strings(struct json_writer *w, const char *key, const struct json *list)
{
	jw_array(w, key);
	json_each (item, list)
		if (json_string(item))
			jw_string(w, NULL, json_string(item));
	jw_end_array(w);
}

/* The user as a SubjectAccessReview wants it: user, uid, groups and what else the authenticator knew. */
int readapi_token_user(struct str answer, struct buf *ret_user, struct error *err)
{
	_cleanup_(json_cleanup) struct json *doc = NULL;
	const struct json *status, *user;
	struct json_writer w = json_writer(ret_user);
	bool known = false;

	if (json_parse(answer, &doc, err)) {
		err->code = ERR_UNAVAILABLE;
		return error_wrap(err, "TokenReview");
	}
	status = json_get(doc, "status");
	user = json_get(status, "user");
	if (!json_bool(json_get(status, "authenticated"), &known) || !known ||
	    !json_string(json_get(user, "username"))) {
		(void)error_set(err, ERR_DENIED, "the token is not valid for this cluster");
		err->http = 401;
		return -1;
	}
	jw_string(&w, "user", json_string(json_get(user, "username")));
	jw_string_opt(&w, "uid", json_string(json_get(user, "uid")));
	copy_strings(&w, "groups", json_get(user, "groups"));
	jw_object(&w, "extra");
	json_each (item, json_get(user, "extra"))
		copy_strings(&w, json_key(item), item);
	jw_end_object(&w);
	return buf_check(ret_user, "user", err);
}

void readapi_access_review(struct str user, enum readapi_resource resource, const char *namespace, struct buf *out)
{
	struct json_writer w = json_writer(out);

	jw_object(&w, NULL);
	jw_string(&w, "apiVersion", "authorization.k8s.io/v1");
	jw_string(&w, "kind", "SubjectAccessReview");
	jw_object(&w, "spec");
	(void)buf_addstr(out, user);
	w.comma = true;
	jw_object(&w, "resourceAttributes");
	jw_string(&w, "group", "loadshift.io");
	jw_string(&w, "resource", resource == READAPI_JOBS ? "carbonawarejobs" : "gridregions");
	jw_string(&w, "verb", "list");
	jw_string_opt(&w, "namespace", resource == READAPI_JOBS ? namespace : NULL);
	jw_end_object(&w);
	jw_end_object(&w);
	jw_end_object(&w);
}

int readapi_access_allowed(struct str answer, bool *ret, struct error *err)
{
	_cleanup_(json_cleanup) struct json *doc = NULL;

	if (json_parse(answer, &doc, err)) {
		err->code = ERR_UNAVAILABLE;
		return error_wrap(err, "SubjectAccessReview");
	}
	*ret = false;
	(void)json_bool(json_at(doc, "status.allowed"), ret);
	return 0;
}

static int review(struct readapi_auth *a, const char *path, struct buf *body, struct buf *answer, struct error *err)
{
	if (buf_check(body, "review", err) || k8s_create(a->client, path, buf_str(body), answer, err)) {
		/* The reader is not to blame, whatever the API server had against us. */
		err->code = ERR_UNAVAILABLE;
		err->http = 0;
		return error_wrap(err, "asking the API server who you are");
	}
	return 0;
}

static int ask(struct readapi_auth *a, const char *token, enum readapi_resource resource, const char *namespace,
	       struct error *err)
{
	_cleanup_(buf_release) struct buf body = BUF_INIT(MAX_REVIEW), answer = BUF_INIT(MAX_REVIEW),
					  user = BUF_INIT(MAX_REVIEW / 2);
	bool allowed;

	readapi_token_review(token, &body);
	if (review(a, "/apis/authentication.k8s.io/v1/tokenreviews", &body, &answer, err) ||
	    readapi_token_user(buf_str(&answer), &user, err))
		return -1;
	buf_reset(&body);
	buf_reset(&answer);
	readapi_access_review(buf_str(&user), resource, namespace, &body);
	if (review(a, "/apis/authorization.k8s.io/v1/subjectaccessreviews", &body, &answer, err) ||
	    readapi_access_allowed(buf_str(&answer), &allowed, err))
		return -1;
	if (allowed)
		return 0;
	return error_set(err, ERR_DENIED, "you may not list %s%s%s",
			 resource == READAPI_JOBS ? "carbonawarejobs" : "gridregions",
			 resource == READAPI_JOBS && namespace ? " in namespace " : "",
			 resource == READAPI_JOBS && namespace ? namespace
			 : resource == READAPI_JOBS            ? " in all namespaces"
							       : "");
}

static struct kept *find(struct readapi_auth *a, const char *key)
{
	int64_t now_ms = clock_mono_ms();

	for (size_t i = 0; i < MAX_KEPT; i++)
		if (a->kept[i].until_ms > now_ms && strcmp(a->kept[i].key, key) == 0)
			return &a->kept[i];
	return NULL;
}

static int take_turn(struct readapi_auth *a, struct error *err)
{
	int64_t now_ms = clock_mono_ms();

	if (a->free_ms < now_ms)
		a->free_ms = now_ms;
	if (a->free_ms - now_ms >= BURST * EVERY_MS)
		return error_set(err, ERR_THROTTLED, "too many new tokens; try again in a few seconds");
	a->free_ms += EVERY_MS;
	return 0;
}

int readapi_auth_check(struct readapi_auth *a, const char *token, enum readapi_resource resource, const char *namespace,
		       struct error *err)
{
	_cleanup_free_ char *question = NULL;
	char key[SHA256_HEX];
	struct kept *k;

	if (!*token || strlen(token) > MAX_TOKEN) {
		(void)error_set(err, ERR_DENIED, "a token has 1 to %d bytes", MAX_TOKEN);
		err->http = 401;
		return -1;
	}
	question = xasprintf("%d %s %s", (int)resource, namespace ? namespace : "", token);
	(void)sha256_hex(str_from(question), key);
	explicit_bzero(question, strlen(question));
	k = find(a, key);
	if (!k) {
		struct error verdict = ERROR_INIT;

		if ((take_turn(a, &verdict) || ask(a, token, resource, namespace, &verdict)) &&
		    verdict.code != ERR_DENIED) {
			*err = verdict; /* no answer: nothing to keep */
			return -1;
		}
		k = &a->kept[a->next++ % MAX_KEPT];
		*k = (struct kept){ .until_ms = clock_mono_ms() + KEEP_MS, .verdict = verdict };
		memcpy(k->key, key, sizeof(k->key));
	}
	if (k->verdict.code == ERR_NONE)
		return 0;
	*err = k->verdict;
	return -1;
}
