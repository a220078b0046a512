/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What strangers send to the read API: a path with its query, and, behind the first NUL, what an API server says of a
 * token. Checked besides crashes: a review made of any user is JSON.
 */
#include "base/alloc.h"
#include "json/json.h"
#include "readapi/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_review(struct str answer)
{
	struct buf user = BUF_INIT(1 << 16), out = BUF_INIT(1 << 17);
	_cleanup_(json_cleanup) struct json *doc = NULL;
	struct error err = ERROR_INIT;
	bool allowed;

	(void)readapi_access_allowed(answer, &allowed, &err);
	if (readapi_token_user(answer, &user, &err) == 0) {
		readapi_access_review(buf_str(&user), READAPI_JOBS, "team", &out);
		if (buf_check(&out, "review", &err) == 0 && json_parse(buf_str(&out), &doc, &err)) {
			(void)fprintf(stderr, "%s\n%s\n", err.msg, buf_cstr(&out));
			abort();
		}
	}
	buf_release(&user);
	buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = xstrndup((const char *)data, size);
	size_t len = strlen(text);
	char name[READAPI_MAX_NAME], *query = strchr(text, '?');
	const struct readapi_route *route;
	struct error err = ERROR_INIT;

	if (query)
		*query++ = '\0';
	route = readapi_route_find(text, name);
	if (route && strlen(name) >= READAPI_MAX_NAME)
		abort();
	for (int i = 0; i < readapi_n_routes; i++)
		(void)readapi_check_query(&readapi_routes[i], query ? query : "", &err);
	if (len < size)
		fuzz_review(str_of((const char *)data + len + 1, size - len - 1));
	return 0;
}
