/* SPDX-License-Identifier: Apache-2.0 */
/* From options to retention rules and to a running read API. */
#include "data.h"

#include "db/migrate.h"
#include "json/json.h"
#include "k8s/auth.h"

static int read_rule(const struct data_options *o, const struct json *rule, struct db_retention *ret, struct error *err)
{
	const struct json *days = json_is_object(rule) ? json_get(rule, "days") : rule;
	bool archive = false;
	int64_t keep_days;

	if (json_is_object(rule)) {
		json_each (member, rule)
			if (!cstr_eq(json_key(member), "days") && !cstr_eq(json_key(member), "archive"))
				return error_set(err, ERR_INVALID, "unknown key %.60s; there are days and archive",
						 json_key(member));
		if (json_get(rule, "archive") && !json_bool(json_get(rule, "archive"), &archive))
			return error_set(err, ERR_INVALID, "archive must be true or false");
	}
	if (!json_i64(days, &keep_days))
		return error_set(err, ERR_INVALID, "must be a number of days, or days and archive");
	if (archive && !o->archive_dir)
		return error_set(err, ERR_INVALID, "archive needs db.archiveDir: a folder for the files");
	return db_retention_init(ret, str_from(json_key(rule)), keep_days, archive ? o->archive_dir : NULL, err);
}

int data_read_retention(const struct data_options *o, struct db_retention rules[DATA_MAX_RULES], size_t *ret_n,
			struct error *err)
{
	_cleanup_(json_cleanup) struct json *doc = NULL;
	size_t n = 0;

	if (o->retention && json_parse(str_from(o->retention), &doc, err))
		return error_wrap(err, "db.retention");
	if (doc && !json_is_object(doc))
		return error_set(err, ERR_INVALID, "db.retention: must name tables, such as signal: 90");
	json_each (rule, doc) {
		if (n == DATA_MAX_RULES)
			return error_set(err, ERR_INVALID, "db.retention: more than %d tables", DATA_MAX_RULES);
		if (read_rule(o, rule, &rules[n++], err))
			return error_wrap(err, "db.retention.%.60s", json_key(rule));
	}
	if (n && !o->url)
		return error_set(err, ERR_INVALID, "db.retention needs db.url");
	*ret_n = n;
	return 0;
}

int data_dry_run(const struct data_options *o, const struct db_retention *rules, size_t n, int64_t now_ms,
		 struct error *err)
{
	_cleanup_(cleanup_db_close) struct db *db = NULL;

	if (!o->url)
		return error_set(err, ERR_INVALID, "--retention-dry-run needs db.url");
	if (db_open(o->url, &db, err) || db_migrate(db, NULL, err))
		return error_wrap(err, "db.url");
	for (size_t i = 0; i < n; i++) {
		struct db_retention_count count;

		if (db_retention_preview(db, &rules[i], now_ms, &count, err))
			return error_wrap(err, "db.retention.%s", rules[i].table->name);
		printf("%-20s keeps %d days: %" PRId64 " rows of %" PRId64 " days would %s\n", rules[i].table->name,
		       rules[i].keep_days, count.n_rows, count.n_days,
		       rules[i].archive_dir ? "be archived" : "be deleted");
	}
	return 0;
}

int data_check_tls(const struct data_options *o, struct error *err)
{
	if (!o->cert_file != !o->key_file)
		return error_set(err, ERR_INVALID, "tls.cert and tls.key: set both or neither");
	if (!o->read_api || o->cert_file || o->read_api_plain ||
	    (o->read_api_address && k8s_host_is_loopback(str_from(o->read_api_address))))
		return 0;
	return error_set(err, ERR_INVALID,
			 "readApi needs tls.cert and tls.key; without them set readApi.address: 127.0.0.1, or "
			 "readApi.plain: true where something else speaks TLS in front of it");
}

int data_read_api(const struct data_options *o, const struct clock *clock, struct manager *manager,
		  struct readapi **ret, struct error *err)
{
	struct manager_view view;

	*ret = NULL;
	if (!o->read_api)
		return 0;
	manager_view(manager, &view);
	return readapi_new(&(struct readapi_config){ .address = o->read_api_address,
						     .port = (int)o->read_api_port,
						     .cert_file = o->cert_file,
						     .key_file = o->key_file,
						     .proxied = o->read_api_proxied,
						     .clock = *clock,
						     .k8s = view.k8s,
						     .regions = view.regions,
						     .cajs = view.cajs,
						     .db = view.db,
						     .not_ready = manager_not_ready,
						     .providers = manager_write_providers,
						     .arg = manager },
			   ret, err);
}
