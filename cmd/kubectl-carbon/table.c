/* SPDX-License-Identifier: Apache-2.0 */
/* Tables as kubectl prints them: columns as wide as their widest cell, three blanks between them. */
#include "base/vec.h"
#include "carbon.h"

#define MAX_CELL 240

struct table {
	VEC(char *) cells;
	size_t n_columns; /* of the header; 0 until it has ended */
};

struct table *table_new(void)
{
	return xcalloc(1, sizeof(struct table));
}

void table_free(struct table *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->cells.len; i++)
		free(t->cells.ptr[i]);
	vec_release(&t->cells);
	free(t);
}

/* Also of C1 (U+0080 to U+009F), which are two bytes of UTF-8. */
static void tame(char *text)
{
	for (unsigned char *c = (unsigned char *)text; *c; c++) {
		if (*c < ' ' || *c == 0x7f)
			*c = '?';
		else if (*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0)
			c[0] = c[1] = '?';
	}
}

void print_text(FILE *out, const char *text)
{
	_cleanup_free_ char *copy = xstrdup(text);

	tame(copy);
	(void)fputs(copy, out);
}

void table_add(struct table *t, const char *text)
{
	char **cell = vec_push(&t->cells, TABLE_MAX_CELLS);

	if (!cell)
		return;
	text = text && *text ? text : "-";
	*cell = xstrndup(text, strnlen(text, MAX_CELL));
	tame(*cell);
}

void table_addf(struct table *t, const char *fmt, ...)
{
	char text[MAX_CELL];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	table_add(t, text);
}

void table_end_row(struct table *t)
{
	if (!t->n_columns)
		t->n_columns = MIN(t->cells.len, (size_t)TABLE_MAX_COLUMNS);
	while (t->cells.len % t->n_columns && t->cells.len < TABLE_MAX_CELLS)
		table_add(t, "");
}

/* Characters, not bytes. */
static size_t width(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

void table_print(const struct table *t, FILE *out)
{
	size_t widths[TABLE_MAX_COLUMNS] = { 0 };

	for (size_t i = 0; i < t->cells.len; i++)
		widths[i % t->n_columns] = MAX(widths[i % t->n_columns], width(t->cells.ptr[i]));
	for (size_t i = 0; i < t->cells.len; i++) {
		size_t column = i % t->n_columns;

		if (column + 1 == t->n_columns)
			(void)fprintf(out, "%s\n", t->cells.ptr[i]);
		else
			(void)fprintf(out, "%s%*s", t->cells.ptr[i], (int)(widths[column] - width(t->cells.ptr[i])) + 3,
				      "");
	}
}
