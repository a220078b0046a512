/* SPDX-License-Identifier: Apache-2.0 */
/* Grid data read back from the database, see history.h. */
#include "db/pack.h"
#include "grid/history_internal.h"

#define MAX_QUERY 1024

static void take_basis(struct db_rows *rows, int column, struct grid_basis *ret)
{
	*ret = (struct grid_basis){ 0 };
	(void)str_copy(ret->accounting, sizeof(ret->accounting), db_text(rows, column));
	(void)str_copy(ret->scope, sizeof(ret->scope), db_text(rows, column + 1));
	(void)str_copy(ret->boundary, sizeof(ret->boundary), db_text(rows, column + 2));
	(void)str_copy(ret->resolution, sizeof(ret->resolution), db_text(rows, column + 3));
}

int grid_history_each(struct db *db, const char *zone, enum grid_metric metric, const char *provider, int64_t from_ms,
		      int64_t to_ms, grid_sample_fn fn, void *arg, struct error *err)
{
	const struct history_column *c = history_column(metric);
	_cleanup_(buf_release) struct buf sql = BUF_INIT(MAX_QUERY);
	_cleanup_(db_rows_end) struct db_rows rows = { 0 };
	char name[GRID_NAME_MAX];
	struct grid_sample s;
	int more, stop;

	(void)buf_addf(
		&sql,
		"SELECT s.provider, s.accounting, s.scope, s.boundary, s.resolution, t.start_ms, t.duration_ms, "
		"t.kind, t.issued_ms, t.fetched_ms, t.quality, t.%s FROM %s t JOIN source s ON s.id = t.source_id "
		"JOIN zone z ON z.id = t.zone_id WHERE z.name = ? AND s.provider LIKE ? AND t.start_ms >= ? "
		"AND t.start_ms < ? AND t.%s IS NOT NULL%s%s%s%s%s ORDER BY s.provider, t.source_id, t.start_ms",
		c->name, c->table->name, c->name, c->filter ? " AND t." : "", c->filter ? c->filter : "",
		c->filter ? " = '" : "", c->filter ? c->is : "", c->filter ? "'" : "");
	if (db_query(db, buf_cstr(&sql),
		     DB_VALUES(DB_CSTR(zone), DB_CSTR(provider ? provider : "%"), DB_I64(from_ms), DB_I64(to_ms)),
		     &rows, err))
		return -1;
	while ((more = db_next(&rows, err)) > 0) {
		(void)str_copy(name, sizeof(name), db_text(&rows, 0));
		s = (struct grid_sample){ .provider = name,
					  .zone = zone,
					  .metric = metric,
					  .start_ms = db_i64(&rows, 5),
					  .duration_ms = db_i64(&rows, 6),
					  .kind = (enum grid_kind)db_i64(&rows, 7),
					  .issued_ms = db_i64(&rows, 8),
					  .fetched_ms = db_i64(&rows, 9),
					  .flags = (uint8_t)db_i64(&rows, 10),
					  .value = (int32_t)(db_i64(&rows, 11) / c->factor) };
		take_basis(&rows, 1, &s.basis);
		stop = fn(arg, &s);
		if (stop)
			return stop;
	}
	return more;
}

int grid_history_each_vintage(struct db *db, const char *zone, enum grid_metric metric, const char *provider,
			      int64_t from_ms, int64_t to_ms, grid_vintage_fn fn, void *arg, struct error *err)
{
	_cleanup_free_ int32_t *values = xcalloc(DB_PACK_MAX_VALUES, sizeof(*values));
	_cleanup_(db_rows_end) struct db_rows rows = { 0 };
	char name[GRID_NAME_MAX];
	struct grid_vintage v;
	int more, stop;

	if (db_query(db,
		     "SELECT s.provider, s.accounting, s.scope, s.boundary, s.resolution, t.issued_ms, t.fetched_ms, "
		     "t.start_ms, t.step_ms, t.n_values, t.packed, t.quantile_permille FROM forecast_vintage t "
		     "JOIN source s ON s.id = t.source_id JOIN zone z ON z.id = t.zone_id "
		     "WHERE z.name = ? AND t.metric = ? AND s.provider LIKE ? AND t.issued_ms >= ? "
		     "AND t.issued_ms < ? ORDER BY s.provider, t.source_id, t.issued_ms, t.quantile_permille",
		     DB_VALUES(DB_CSTR(zone), DB_CSTR(grid_metric_name(metric)), DB_CSTR(provider ? provider : "%"),
			       DB_I64(from_ms), DB_I64(to_ms)),
		     &rows, err))
		return -1;
	while ((more = db_next(&rows, err)) > 0) {
		(void)str_copy(name, sizeof(name), db_text(&rows, 0));
		v = (struct grid_vintage){ .provider = name,
					   .issued_ms = db_i64(&rows, 5),
					   .fetched_ms = db_i64(&rows, 6),
					   .start_ms = db_i64(&rows, 7),
					   .step_ms = db_i64(&rows, 8),
					   .n = (int)CLAMP(db_i64(&rows, 9), 0, DB_PACK_MAX_VALUES),
					   .quantile_permille = (int)db_i64(&rows, 11),
					   .value = values };
		take_basis(&rows, 1, &v.basis);
		if (db_unpack(db_blob(&rows, 10), values, (size_t)v.n, err))
			return error_wrap(err, "vintage of %s", zone);
		stop = fn(arg, &v);
		if (stop)
			return stop;
	}
	return more;
}
