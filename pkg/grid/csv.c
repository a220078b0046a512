/* SPDX-License-Identifier: Apache-2.0 */
/* A small CSV reader: one pass, one row in memory. */
#include "grid/csv.h"

void grid_csv_init(struct grid_csv *c, struct str text)
{
	if (str_has_prefix(text, STR("\xef\xbb\xbf")))
		text = str_of(text.ptr + 3, text.len - 3);
	c->rest = text;
	c->line = 0;
	c->next_line = 1;
	c->row.n = c->header.n = 0;
}

struct scan {
	struct grid_csv *c;
	const char *at, *end;
	size_t used; /* of the row's text */
};

static int put(struct scan *s, char byte, struct error *err)
{
	if (s->used == GRID_CSV_MAX_ROW)
		return error_set(err, ERR_INVALID, "line %d: longer than %d bytes", s->c->line, GRID_CSV_MAX_ROW);
	s->c->row.text[s->used++] = byte;
	return 0;
}

/* CR, LF or both. False when there is none here. */
static bool take_line_end(struct scan *s)
{
	if (s->at == s->end || (*s->at != '\r' && *s->at != '\n'))
		return false;
	if (*s->at == '\r' && s->at + 1 < s->end && s->at[1] == '\n')
		s->at++;
	s->at++;
	s->c->next_line++;
	return true;
}

/* From behind the opening quote to behind the closing one. */
static int take_quoted(struct scan *s, struct error *err)
{
	for (; s->at < s->end; s->at++) {
		if (*s->at == '"' && (s->at + 1 == s->end || s->at[1] != '"')) {
			s->at++;
			return 0;
		}
		if (*s->at == '"')
			s->at++;
		else if (*s->at == '\n')
			s->c->next_line++;
		if (put(s, *s->at, err))
			return -1;
	}
	return error_set(err, ERR_INVALID, "line %d: a quote is not closed", s->c->line);
}

static int take_cell(struct scan *s, struct error *err)
{
	struct grid_csv_row *row = &s->c->row;
	size_t begin = s->used;

	if (row->n == GRID_CSV_MAX_COLUMNS)
		return error_set(err, ERR_INVALID, "line %d: more than %d columns", s->c->line, GRID_CSV_MAX_COLUMNS);
	while (s->at < s->end && *s->at != ',' && *s->at != '\r' && *s->at != '\n') {
		if (*s->at == '"' && s->used == begin) {
			s->at++;
			if (take_quoted(s, err))
				return -1;
		} else if (put(s, *s->at++, err)) {
			return -1;
		}
	}
	row->cells[row->n++] = str_trim(str_of(row->text + begin, s->used - begin));
	return 0;
}

int grid_csv_next(struct grid_csv *c, struct error *err)
{
	struct scan s = { .c = c, .at = c->rest.ptr, .end = c->rest.ptr + c->rest.len };

	while (take_line_end(&s))
		;
	c->line = c->next_line;
	c->row.n = 0;
	if (s.at == s.end) {
		c->rest = str_of(s.end, 0);
		return 0;
	}
	while (true) {
		if (take_cell(&s, err))
			return -1;
		if (s.at == s.end || *s.at != ',')
			break;
		s.at++;
	}
	(void)take_line_end(&s);
	c->rest = str_of(s.at, (size_t)(s.end - s.at));
	return 1;
}

void grid_csv_header(struct grid_csv *c)
{
	size_t used = 0;

	/* Cells are views of the row's text: they move with it. */
	c->header.n = c->row.n;
	for (int i = 0; i < c->row.n; i++) {
		struct str cell = c->row.cells[i];

		memcpy(c->header.text + used, cell.ptr, cell.len);
		c->header.cells[i] = str_of(c->header.text + used, cell.len);
		used += cell.len;
	}
}

int grid_csv_column(const struct grid_csv *c, const char *name)
{
	for (int i = 0; i < c->header.n; i++)
		if (str_is(c->header.cells[i], name))
			return i;
	return -1;
}

struct str grid_csv_cell(const struct grid_csv *c, int column)
{
	return column >= 0 && column < c->row.n ? c->row.cells[column] : STR_NULL;
}

struct str grid_csv_named(const struct grid_csv *c, const char *name)
{
	return grid_csv_cell(c, grid_csv_column(c, name));
}
