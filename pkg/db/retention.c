/* SPDX-License-Identifier: Apache-2.0 */
/* Archives and deletes old rows, a day at a time. */
#include "db/retention.h"

#include <errno.h>
#include <fcntl.h>

#include "base/alloc.h"

int db_retention_init(struct db_retention *r, struct str table, int64_t keep_days, const char *archive_dir,
		      struct error *err)
{
	const struct db_table *found = db_table_find(table);

	if (!found)
		return error_set(err, ERR_INVALID, "retention: there is no table \"%.*s\"", (int)MIN(table.len, 64),
				 table.ptr ? table.ptr : "");
	if (keep_days < 1 || keep_days > DB_RETENTION_MAX_DAYS)
		return error_set(err, ERR_INVALID, "retention: keepDays of %s is %" PRId64 "; it must be 1 to %d",
				 found->name, keep_days, DB_RETENTION_MAX_DAYS);
	*r = (struct db_retention){ .table = found, .keep_days = (int)keep_days, .archive_dir = archive_dir };
	return 0;
}

static int64_t cutoff_ms(const struct db_retention *r, int64_t now_ms)
{
	return time_slot_floor(now_ms, DAY_MS) - r->keep_days * DAY_MS;
}

int db_retention_preview(struct db *db, const struct db_retention *r, int64_t now_ms, struct db_retention_count *ret,
			 struct error *err)
{
	_cleanup_free_ char *sql = xasprintf("SELECT count(*), count(DISTINCT %s / 86400000) FROM %s WHERE %s < ?",
					     r->table->time, r->table->name, r->table->time);
	_cleanup_(db_rows_end) struct db_rows rows = { 0 };

	if (db_query(db, sql, DB_VALUES(DB_I64(cutoff_ms(r, now_ms))), &rows, err) || db_next(&rows, err) < 0)
		return -1;
	*ret = (struct db_retention_count){ .n_rows = db_i64(&rows, 0), .n_days = db_i64(&rows, 1) };
	return 0;
}

/* ---- files ---- */

static void put_text(FILE *out, struct str s)
{
	bool quote = s.len == 0;

	for (size_t i = 0; i < s.len; i++)
		quote |= strchr("\",\r\n", s.ptr[i]) != NULL;
	if (!quote) {
		(void)fwrite(s.ptr, 1, s.len, out);
		return;
	}
	(void)fputc('"', out);
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '"')
			(void)fputc('"', out);
		(void)fputc(s.ptr[i], out);
	}
	(void)fputc('"', out);
}

static void put_cell(FILE *out, struct db_rows *rows, int column)
{
	struct str s;

	switch (db_type_of(rows, column)) {
	case DB_TYPE_NULL:
		return;
	case DB_TYPE_I64:
		(void)fprintf(out, "%" PRId64, db_i64(rows, column));
		return;
	case DB_TYPE_DOUBLE:
		(void)fprintf(out, "%.17g", db_dbl(rows, column));
		return;
	case DB_TYPE_TEXT:
		put_text(out, db_text(rows, column));
		return;
	case DB_TYPE_BLOB:
		s = db_blob(rows, column);
		for (size_t i = 0; i < s.len; i++)
			(void)fprintf(out, "%02x", (unsigned)(unsigned char)s.ptr[i]);
		return;
	}
}

static int put_rows(FILE *out, struct db *db, const struct db_table *t, int64_t day_ms, int64_t *n_rows,
		    struct error *err)
{
	_cleanup_free_ char *sql = xasprintf("SELECT %s, %s FROM %s WHERE %s >= ? AND %s < ? ORDER BY %s", t->key,
					     t->columns, t->name, t->time, t->time, t->key);
	_cleanup_(db_rows_end) struct db_rows rows = { 0 };
	int more;

	if (db_query(db, sql, DB_VALUES(DB_I64(day_ms), DB_I64(day_ms + DAY_MS)), &rows, err))
		return -1;
	for (*n_rows = 0; (more = db_next(&rows, err)) > 0; ++*n_rows)
		for (int i = 0; i < (int)db_table_width(t); i++) {
			if (i)
				(void)fputc(',', out);
			put_cell(out, &rows, i);
			if (i == (int)db_table_width(t) - 1)
				(void)fputc('\n', out);
		}
	return more;
}

/* "zone_id,source_id,..." without the blanks. */
static void put_header(FILE *out, const struct db_table *t)
{
	_cleanup_free_ char *line = xasprintf("%s,%s\n", t->key, t->columns);

	for (const char *p = line; *p; p++)
		if (*p != ' ')
			(void)fputc(*p, out);
}

static int sync_folder(const char *dir, struct error *err)
{
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && fsync(fd) == 0 ? 0 : error_errno(err, ERR_INTERNAL, errno, "sync the folder %s", dir);
}

static int fail_file(const char *path, struct error *err)
{
	return error_errno(err, errno == ENOSPC || errno == EDQUOT ? ERR_LIMIT : ERR_DENIED, errno,
			   "write the archive %s", path);
}

/* Under its name only when it is whole and on the disk. */
static int write_file(struct db *db, const struct db_table *t, int64_t day_ms, const char *dir, const char *name,
		      int64_t *n_rows, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", dir, name), *part = xasprintf("%s.part", path);
	_cleanup_close_ int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	_cleanup_file_ FILE *out = fd < 0 ? NULL : fdopen(fd, "w");

	if (!out)
		return fail_file(part, err);
	int sync_fd = fd;
	fd = -1; /* the stream's now */
	put_header(out, t);
	if (put_rows(out, db, t, day_ms, n_rows, err)) {
		(void)unlink(part);
		return -1;
	}
	if (fflush(out) || ferror(out) || fsync(sync_fd) || rename(part, path)) {
		fail_file(part, err);
		(void)unlink(part);
		return -1;
	}
	return sync_folder(dir, err);
}

/* ---- days ---- */

/* The file's row in archive_file goes with the deletion. */
static int archive_day(struct db *db, const struct db_retention *r, int64_t day_ms, int64_t now_ms, int64_t *n_rows,
		       struct error *err)
{
	char day[TIME_TEXT];
	int64_t part;

	if (db_query_i64(db, "SELECT count(*) + 1 FROM archive_file WHERE table_name = ? AND day_ms = ?",
			 DB_VALUES(DB_CSTR(r->table->name), DB_I64(day_ms)), &part, err))
		return -1;
	_cleanup_free_ char *name =
		xasprintf("%s-%.10s-%" PRId64 ".csv", r->table->name, time_format(day_ms, day), part);
	if (write_file(db, r->table, day_ms, r->archive_dir, name, n_rows, err))
		return -1;
	return db_exec(db,
		       "INSERT INTO archive_file (table_name, day_ms, part, name, n_rows, archived_ms) "
		       "VALUES (?, ?, ?, ?, ?, ?)",
		       DB_VALUES(DB_CSTR(r->table->name), DB_I64(day_ms), DB_I64(part), DB_CSTR(name), DB_I64(*n_rows),
				 DB_I64(now_ms)),
		       NULL, err);
}

static int remove_day(struct db *db, const struct db_retention *r, int64_t day_ms, int64_t now_ms, int64_t *ret_rows,
		      struct error *err)
{
	_cleanup_free_ char *sql =
		xasprintf("DELETE FROM %s WHERE %s >= ? AND %s < ?", r->table->name, r->table->time, r->table->time);
	_cleanup_(db_tx_end) struct db_tx tx = { 0 };
	int64_t archived = -1, deleted = 0;

	if (db_tx_begin(&tx, db, err) || (r->archive_dir && archive_day(db, r, day_ms, now_ms, &archived, err)) ||
	    db_exec(db, sql, DB_VALUES(DB_I64(day_ms), DB_I64(day_ms + DAY_MS)), &deleted, err))
		return -1;
	if (archived >= 0 && archived != deleted)
		return error_set(err, ERR_CONFLICT, "%s changed while a day of it was archived", r->table->name);
	if (db_tx_commit(&tx, err))
		return -1;
	*ret_rows = deleted;
	return 0;
}

int db_retention_run(struct db *db, const struct db_retention *r, int64_t now_ms, int max_days,
		     struct db_retention_count *ret, struct error *err)
{
	_cleanup_free_ char *sql = xasprintf("SELECT %s FROM %s WHERE %s < ? ORDER BY %s LIMIT 1", r->table->time,
					     r->table->name, r->table->time, r->table->time);
	struct error none = ERROR_INIT;
	int64_t oldest_ms, n_rows = 0;

	*ret = (struct db_retention_count){ 0 };
	while (ret->n_days < max_days) {
		if (db_query_i64(db, sql, DB_VALUES(DB_I64(cutoff_ms(r, now_ms))), &oldest_ms, &none)) {
			if (none.code == ERR_NOT_FOUND)
				return 0;
			*err = none;
			return -1;
		}
		if (remove_day(db, r, time_slot_floor(oldest_ms, DAY_MS), now_ms, &n_rows, err))
			return error_wrap(err, "retention of %s", r->table->name);
		ret->n_days++;
		ret->n_rows += n_rows;
	}
	return 0;
}
