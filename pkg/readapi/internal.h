/* SPDX-License-Identifier: Apache-2.0 */
/* One request of the read API between its files: routes.c says which handler, auth.c who may, the others answer. */
#ifndef READAPI_INTERNAL_H
#define READAPI_INTERNAL_H

#include "readapi/readapi.h"

#define READAPI_MAX_ANSWER ((size_t)8 * 1024 * 1024)
#define READAPI_MAX_ROWS 1000 /* of one answer; `limit` asks for fewer */
#define READAPI_MAX_NAME 254

/* What a SubjectAccessReview is asked about. */
enum readapi_resource { READAPI_NONE, READAPI_REGIONS, READAPI_JOBS };

struct readapi_request {
	const struct readapi_config *cfg;
	const struct readapi_route *route;
	struct http_exchange *x; /* for its parameters only */
	const char *name;        /* the part of the path that a route leaves open, or NULL */
	const char *namespace;   /* asked for, or NULL = all */
	int64_t now_ms;          /* domain */
	struct json_writer w;    /* of the answer */
};

/* A query parameter, for the description. */
struct readapi_param {
	const char *name, *type, *help; /* type: "string", "integer" or "date-time" */
};
#define READAPI_MAX_PARAMS 5

struct readapi_route {
	const char *path; /* with one {name} at most */
	enum readapi_resource resource;
	/* Writes the whole answer; ERR_NOT_FOUND, ERR_INVALID, ... become 404, 400, ... */
	int (*answer)(struct readapi_request *r, struct error *err);
	const char *summary;
	struct readapi_param params[READAPI_MAX_PARAMS];
	const char *schema; /* of the answer, in schema.c; NULL = rows of the database, which data.c describes */
};
extern const struct readapi_route readapi_routes[];
extern const int readapi_n_routes;
/* Every parameter of a raw query is one that the route has, and is there once. Pure. */
int readapi_check_query(const struct readapi_route *route, const char *query, struct error *err) must_check;
/* The route of a path below /api/v1, with the open part in `name`; NULL when there is none. Pure. */
const struct readapi_route *readapi_route_find(const char *path, char name[READAPI_MAX_NAME]);

/* ---- auth.c ---- */

struct readapi_auth;
struct readapi_auth *readapi_auth_new(struct k8s *k8s);
void readapi_auth_free(struct readapi_auth *a);
/* 0 = may; ERR_DENIED with err->http 401: who is that?; ERR_DENIED else: may not. Worker thread. */
int readapi_auth_check(struct readapi_auth *a, const char *token, enum readapi_resource resource, const char *namespace,
		       struct error *err) must_check;
/* Pure: the two bodies, and what their answers say. */
void readapi_token_review(const char *token, struct buf *out);
int readapi_token_user(struct str answer, struct buf *ret_user, struct error *err) must_check;
void readapi_access_review(struct str user, enum readapi_resource resource, const char *namespace, struct buf *out);
int readapi_access_allowed(struct str answer, bool *ret, struct error *err) must_check;

/* ---- schema.c ---- */

/* A member of that type: "string", "integer", "date-time", the name of a schema, "[Region]", ...: see there. */
void readapi_describe(struct json_writer *w, const char *key, struct str type);
/* All schemas, as members of an open object. */
void readapi_describe_schemas(struct json_writer *w);
/* data.c: the schema of a route that answers with rows. */
void readapi_describe_rows(struct json_writer *w, const char *key, const struct readapi_route *route);

/* ---- parameters ---- */

/* A whole number from the query within bounds; `def` when it is not there. */
int readapi_param_i64(struct readapi_request *r, const char *name, int64_t def, int64_t min, int64_t max, int64_t *ret,
		      struct error *err) must_check;
/* RFC 3339. */
int readapi_param_time(struct readapi_request *r, const char *name, int64_t def_ms, int64_t *ret_ms,
		       struct error *err) must_check;

/* ---- answers ---- */

/* Runs it on the db thread. Without a database ERR_NOT_FOUND; that it does not answer is ERR_UNAVAILABLE. */
int readapi_on_database(struct readapi_request *r, int (*fn)(struct db *, void *, struct error *), void *arg,
			struct error *err) must_check;

int readapi_regions(struct readapi_request *r, struct error *err);
int readapi_region_current(struct readapi_request *r, struct error *err);
int readapi_region_forecast(struct readapi_request *r, struct error *err);
int readapi_forecast_scores(struct readapi_request *r, struct error *err);
int readapi_workload_forecast(struct readapi_request *r, struct error *err);
int readapi_jobs(struct readapi_request *r, struct error *err);
int readapi_decisions(struct readapi_request *r, struct error *err);
int readapi_statistics(struct readapi_request *r, struct error *err);
int readapi_providers(struct readapi_request *r, struct error *err);
int readapi_data_status(struct readapi_request *r, struct error *err);
int readapi_view(struct readapi_request *r, struct error *err);
int readapi_openapi(struct readapi_request *r, struct error *err);

#endif
