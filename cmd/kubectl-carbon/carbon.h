/* SPDX-License-Identifier: Apache-2.0 */
/* The plug-in's commands and what they share. */
#ifndef KUBECTL_CARBON_CARBON_H
#define KUBECTL_CARBON_CARBON_H

#include "http/client.h"
#include "json/json.h"
#include "k8s/auth.h"

#define MAX_ANSWER ((size_t)16 * 1024 * 1024)
#define MAX_ARGUMENTS 64

enum output { OUTPUT_TABLE, OUTPUT_JSON };

struct options {
	/* Where to ask. */
	char *kubeconfig, *context, *namespace;
	char *server, *ca_file, *token_file;
	char *operator_namespace, *service;
	int output; /* enum output */
	/* forecast, workload */
	int64_t hours;
	/* data import, data export */
	char *db_url, *shape, *provider, *zone, *metric, *kind, *time_column, *value_column, *scale;
	int64_t step_ms, from_ms, to_ms;
	bool end_labelled;
};

/* ---- api.c: the read API, by --server or through the API server's service proxy ---- */

struct api {
	struct k8s_auth auth; /* of the cluster; empty where there is none and --server is given */
	struct http_client *http;
	char *base; /* URL before /api/v1 */
	char *authorization;
	struct http_tls tls;
	bool plain, proxied;
	const struct options *options;
};

int api_open(const struct options *o, struct api *ret, struct error *err) must_check;
void api_release(struct api *a);
/* GET /api/v1<path>; errors name what to do. */
int api_get(struct api *a, const char *path, struct buf *ret_body, struct error *err) must_check;

/* ---- exec.c: credential plug-ins ---- */

/* A k8s_exec_fn: runs the plug-in, or takes what it said last until that expires. */
int exec_credential(const struct json *exec, const char *dir, struct k8s_auth *a, struct error *err) must_check;

/* ---- table.c: columns of text ---- */

#define TABLE_MAX_COLUMNS 12
#define TABLE_MAX_CELLS 100000

struct table;
struct table *table_new(void);
void table_free(struct table *t);
DEFINE_CLEANUP(struct table, table, table_free);
/* The next cell; control characters, which a terminal would obey, become '?'. NULL and "" are shown as "-". */
void table_add(struct table *t, const char *text);
void table_addf(struct table *t, const char *fmt, ...) printf_like(2, 3);
/* The first row is the header. */
void table_end_row(struct table *t);
void table_print(const struct table *t, FILE *out);
/* Text of others for the terminal: as table_add() makes it. */
void print_text(FILE *out, const char *text);

/* ---- commands; arguments are those behind the command's own words ---- */

struct command {
	const char *words; /* "data import" */
	const char *arguments, *summary;
	int (*run)(const struct options *o, char **arguments, int n, struct error *err);
};

int show_regions(const struct options *o, char **arguments, int n, struct error *err);
int show_forecast(const struct options *o, char **arguments, int n, struct error *err);
int show_scores(const struct options *o, char **arguments, int n, struct error *err);
int show_workload(const struct options *o, char **arguments, int n, struct error *err);
int show_jobs(const struct options *o, char **arguments, int n, struct error *err);
int show_statistics(const struct options *o, char **arguments, int n, struct error *err);
int show_freshness(const struct options *o, char **arguments, int n, struct error *err);
int show_providers(const struct options *o, char **arguments, int n, struct error *err);
int show_status(const struct options *o, char **arguments, int n, struct error *err);
int run_import(const struct options *o, char **arguments, int n, struct error *err);
int run_export(const struct options *o, char **arguments, int n, struct error *err);

#endif
