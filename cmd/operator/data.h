/* SPDX-License-Identifier: Apache-2.0 */
/* The operator's database and read API as configured. */
#ifndef OPERATOR_DATA_H
#define OPERATOR_DATA_H

#include "controller/manager.h"
#include "readapi/readapi.h"

#define DATA_MAX_RULES 16

struct data_options {
	char *url;       /* NULL = no database */
	char *retention; /* JSON: {"<table>": {"days": 90, "archive": true}} or {"<table>": 90} */
	char *archive_dir;
	bool retention_dry_run;
	bool read_api;
	char *read_api_address;
	int64_t read_api_port;
	bool read_api_plain, read_api_proxied;
	char *cert_file, *key_file;
};

/* Rules from the options; strings are the options'. ERR_INVALID names the key and what would be right. */
int data_read_retention(const struct data_options *o, struct db_retention rules[DATA_MAX_RULES], size_t *ret_n,
			struct error *err) must_check;
/* Prints what would go now, table by table, and removes nothing. */
int data_dry_run(const struct data_options *o, const struct db_retention *rules, size_t n, int64_t now_ms,
		 struct error *err) must_check;
/* A certificate with its key; or the read API is for this machine only, or is meant to speak plain http. */
int data_check_tls(const struct data_options *o, struct error *err) must_check;
/* *ret is NULL when it is off. */
int data_read_api(const struct data_options *o, const struct clock *clock, struct manager *manager,
		  struct readapi **ret, struct error *err) must_check;

#endif
