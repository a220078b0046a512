/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operator's read API: what it knows, as read-only JSON under /api/v1, for kubectl-carbon, dashboards and scripts.
 * docs/read-api.md lists the paths; /api/v1/openapi.json describes them. Every replica answers, from its own stores and
 * the database; nothing is computed anew.
 *
 * Who may read: a request brings a bearer token, which a TokenReview names, and a SubjectAccessReview says whether that
 * user may list what the path shows (GridRegions; CarbonAwareJobs of the namespace asked for, or of all). Both answers
 * are kept for a minute, and the API server is asked at most a few times a second, whoever knocks. A request without a
 * token is answered only with `proxied`: the API server's service proxy passes none on, and lets through whoever may
 * get services/proxy in the operator's namespace.
 *
 * Threads: one server thread that only queues, one worker that asks the API server and the database; a full queue is a
 * 503 with Retry-After.
 */
#ifndef READAPI_READAPI_H
#define READAPI_READAPI_H

#include "db/thread.h"
#include "http/server.h"
#include "json/writer.h"
#include "k8s/rest.h"
#include "k8s/store.h"

struct readapi_config {
	const char *address;              /* numeric; NULL = all interfaces */
	int port;                         /* 8443; 0 = any free one */
	const char *cert_file, *key_file; /* both NULL: plain http */
	bool proxied;
	struct clock clock;
	struct k8s *k8s;              /* for the reviews */
	struct store *regions, *cajs; /* of informers that outlive it */
	struct db_thread *db;         /* NULL = no database: what needs one answers 404 */
	/* NULL once the stores are complete, else what is waited for: then everything is a 503. */
	const char *(*not_ready)(void *arg);
	/* Writes one object for each provider into an open array; NULL = nothing is collected here. */
	void (*providers)(void *arg, struct json_writer *w);
	void *arg; /* of these two */
};

struct readapi;
/* All strings are borrowed for its life. */
int readapi_new(const struct readapi_config *cfg, struct readapi **ret, struct error *err) must_check;
int readapi_port(const struct readapi *r);
void readapi_free(struct readapi *r);
DEFINE_CLEANUP(struct readapi, readapi, readapi_free);

#endif
