/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading CSV (RFC 4180, one record a line) row by row: memory does not grow with the file. The first line names the
 * columns, which may come in any order; a byte order mark, CR LF and empty lines are passed over. Refused with file and
 * line: lines over CSV_MAX_LINE bytes, more than CSV_MAX_COLUMNS columns, a name twice, a row with another number of
 * fields than the header, an open quote, a NUL byte. One thread at a time.
 *
 *	_cleanup_(cleanup_csv) struct csv *csv = NULL;
 *	int id, power;
 *	if (csv_open(path, &csv, err) || csv_column(csv, "id", &id, err) || csv_column(csv, "power_w", &power, err))
 *		return -1;
 *	for (;;) {
 *		int got = csv_next(csv, err);
 *		if (got <= 0)
 *			return got;
 *		if (csv_number(csv, power, 0, 1e9, &watts, err))
 *			return -1;
 *		...
 *	}
 *
 * Errors read "FILE:LINE: column 'power_w': must be ...". Codes: ERR_NOT_FOUND and ERR_DENIED from opening, ERR_LIMIT,
 * ERR_INTERNAL when reading fails, else ERR_INVALID.
 */
#ifndef BASE_CSV_H
#define BASE_CSV_H

#include "base/clock.h"

#define CSV_MAX_LINE ((size_t)64 * 1024)
#define CSV_MAX_COLUMNS 512

struct csv;

/* Opens the file and reads its header. Free with csv_free(), which accepts NULL. */
int csv_open(const char *path, struct csv **ret, struct error *err) must_check;
/* The same of a stream that is open, such as standard input; it is taken over, also on failure. */
int csv_read(FILE *file, const char *name, struct csv **ret, struct error *err) must_check;
void csv_free(struct csv *csv);
DEFINE_CLEANUP(struct csv, csv, csv_free);

/* The columns in the file's order; names borrowed until csv_free(). */
int csv_n_columns(const struct csv *csv);
const char *csv_name(const struct csv *csv, int column);
/* Index of the column of that name, -1 when there is none. */
int csv_find(const struct csv *csv, const char *name);
/* The same for a column that must be there: the error names it and those there are. */
int csv_column(const struct csv *csv, const char *name, int *ret_column, struct error *err) must_check;

/* Reads the next row: 1, or 0 at the end of the file, or -1. */
int csv_next(struct csv *csv, struct error *err) must_check;
/* Line of the current row, from 1 on. */
int64_t csv_line(const struct csv *csv);
/* How much of the file has been read, 0 .. 1; 0 for a pipe. For progress bars. */
double csv_read_fraction(const struct csv *csv);

/*
 * Fields of the current row, without surrounding blanks; a view is valid until the next csv_next(). A column of -1 is
 * an absent one and reads as empty. The typed forms refuse an empty field, the _opt forms give the default for one.
 */
struct str csv_field(const struct csv *csv, int column);
/* A finite number in [min, max]; "nan", "inf" and overflow are refused. */
int csv_number(const struct csv *csv, int column, double min, double max, double *ret, struct error *err) must_check;
int csv_number_opt(const struct csv *csv, int column, double min, double max, double def, double *ret,
		   struct error *err) must_check;
int csv_i64(const struct csv *csv, int column, int64_t min, int64_t max, int64_t *ret, struct error *err) must_check;
int csv_i64_opt(const struct csv *csv, int column, int64_t min, int64_t max, int64_t def, int64_t *ret,
		struct error *err) must_check;
/* RFC 3339 with an offset. */
int csv_time(const struct csv *csv, int column, int64_t *ret_ms, struct error *err) must_check;
int csv_time_opt(const struct csv *csv, int column, int64_t def_ms, int64_t *ret_ms, struct error *err) must_check;

/* "FILE:LINE: column 'NAME': <text>", or without the column for -1: for what only the caller can judge. Returns -1. */
int csv_error(const struct csv *csv, int column, struct error *err, const char *fmt, ...) printf_like(4, 5);

#endif
