/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading CSV as data portals write it (RFC 4180): quoted cells with doubled quotes, separators and line breaks inside,
 * LF, CRLF or CR at the end of a line, a byte order mark before the first, blank lines (skipped), rows of other lengths
 * than the header's. One row at a time, nothing allocated; one thread at a time.
 *
 *	grid_csv_init(&csv, body);
 *	if (grid_csv_next(&csv, err) <= 0)	(the header)
 *		...
 *	grid_csv_header(&csv);
 *	while ((got = grid_csv_next(&csv, err)) > 0)
 *		use(grid_csv_named(&csv, "demand"));
 */
#ifndef GRID_CSV_H
#define GRID_CSV_H

#include "base/error.h"
#include "base/str.h"

#define GRID_CSV_MAX_COLUMNS 64
#define GRID_CSV_MAX_ROW 8192 /* bytes of text in one row */

struct grid_csv_row {
	int n;
	struct str cells[GRID_CSV_MAX_COLUMNS];
	char text[GRID_CSV_MAX_ROW];
};

struct grid_csv {
	struct str rest;
	int line; /* of the row that was read last; the first is 1 */
	int next_line;
	struct grid_csv_row row, header;
};

/* The text is borrowed until the last row was read. */
void grid_csv_init(struct grid_csv *c, struct str text);
/*
 * 1 with the next row in c->row, its cells trimmed and valid until the next call; 0 at the end; -1 with ERR_INVALID,
 * which names the line: a quote that is not closed, more columns or longer rows than there may be.
 */
int grid_csv_next(struct grid_csv *c, struct error *err) must_check;
/* The row just read is the header. */
void grid_csv_header(struct grid_csv *c);
/* Column of that name, exactly as the header has it; -1 when there is none. */
int grid_csv_column(const struct grid_csv *c, const char *name);
/* Cell of a column of the row just read, STR_NULL when the row has none (or column is -1). */
struct str grid_csv_cell(const struct grid_csv *c, int column);
/* The cell under that header. */
struct str grid_csv_named(const struct grid_csv *c, const char *name);

#endif
