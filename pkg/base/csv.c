/* SPDX-License-Identifier: Apache-2.0 */
/* CSV row by row, with bounded lines and errors that name file, line and column. */
#include "base/csv.h"

#include <errno.h>
#include <math.h>
#include <sys/stat.h>

#include "base/alloc.h"

#define SHOWN 40 /* bytes of a bad field in a message */
#define CHUNK ((size_t)64 * 1024)

struct csv {
	FILE *file;
	char *path;
	int64_t line;
	int n_columns;
	char *names[CSV_MAX_COLUMNS];
	struct str fields[CSV_MAX_COLUMNS];
	char text[CSV_MAX_LINE + 1];
	size_t chunk_at, chunk_len; /* what has been read of the file and not yet taken */
	char chunk[CHUNK];
};

int csv_error(const struct csv *csv, int column, struct error *err, const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (column < 0)
		return error_set(err, ERR_INVALID, "%s:%lld: %s", csv->path, (long long)csv->line, text);
	return error_set(err, ERR_INVALID, "%s:%lld: column '%s': %s", csv->path, (long long)csv->line,
			 csv->names[column], text);
}

/* Moves bytes up to the end of a line, or of the chunk, behind the first len ones of csv->text. */
static int take_bytes(struct csv *csv, size_t *len, bool *ret_ended, struct error *err)
{
	const char *from = csv->chunk + csv->chunk_at;
	const char *end = memchr(from, '\n', csv->chunk_len - csv->chunk_at);
	size_t n = end ? (size_t)(end - from) : csv->chunk_len - csv->chunk_at, fit = MIN(n, CSV_MAX_LINE - *len);

	if (memchr(from, 0, MIN(n, fit + 1)))
		return csv_error(csv, -1, err, "a NUL byte: this is no text file");
	if (fit < n)
		return error_set(err, ERR_LIMIT, "%s:%lld: line is longer than %zu bytes", csv->path,
				 (long long)csv->line, CSV_MAX_LINE);
	memcpy(csv->text + *len, from, n);
	*len += n;
	csv->chunk_at += n + (end != NULL);
	*ret_ended = end != NULL;
	return 0;
}

/* 1 with the line in csv->text (without its end), 0 at the end of the file, -1. */
static int read_line(struct csv *csv, size_t *ret_len, struct error *err)
{
	size_t len = 0;
	bool ended = false, any = false;

	csv->line++;
	while (!ended) {
		if (csv->chunk_at == csv->chunk_len) {
			csv->chunk_at = 0;
			csv->chunk_len = fread_unlocked(csv->chunk, 1, CHUNK, csv->file);
		}
		if (csv->chunk_len == 0)
			break;
		any = true;
		if (take_bytes(csv, &len, &ended, err))
			return -1;
	}
	if (!ended && ferror(csv->file))
		return error_errno(err, ERR_INTERNAL, errno, "%s:%lld: read", csv->path, (long long)csv->line);
	if (!any)
		return 0;
	if (len && csv->text[len - 1] == '\r')
		len--;
	csv->text[len] = 0;
	*ret_len = len;
	return 1;
}

/* Takes a quoted field that starts behind *pos, halving doubled quotes in place; *pos is left behind the last quote. */
static int unquote(struct csv *csv, size_t len, size_t *pos, struct str *ret, struct error *err)
{
	char *out = csv->text + *pos + 1, *begin = out;

	for (size_t i = *pos + 1; i < len; i++) {
		if (csv->text[i] != '"') {
			*out++ = csv->text[i];
		} else if (i + 1 < len && csv->text[i + 1] == '"') {
			*out++ = csv->text[i++];
		} else {
			*ret = str_of(begin, (size_t)(out - begin));
			*pos = i + 1;
			return 0;
		}
	}
	return csv_error(csv, -1, err, "a quote is not closed on its line");
}

/* Splits the line into csv->fields; *ret_n is their number. */
static int split_line(struct csv *csv, size_t len, int *ret_n, struct error *err)
{
	size_t pos = 0;
	int n = 0;

	for (;; pos++) {
		struct str *field;

		if (n == CSV_MAX_COLUMNS)
			return error_set(err, ERR_LIMIT, "%s:%lld: more than %d columns", csv->path,
					 (long long)csv->line, CSV_MAX_COLUMNS);
		field = &csv->fields[n++];
		if (pos < len && csv->text[pos] == '"') {
			if (unquote(csv, len, &pos, field, err))
				return -1;
			if (pos < len && csv->text[pos] != ',')
				return csv_error(csv, -1, err, "a comma must follow the closing quote");
		} else {
			size_t begin = pos;

			while (pos < len && csv->text[pos] != ',')
				pos++;
			*field = str_trim(str_of(csv->text + begin, pos - begin));
		}
		if (pos >= len)
			break;
	}
	*ret_n = n;
	return 0;
}

static int read_header(struct csv *csv, struct error *err)
{
	static const char mark[] = "\xEF\xBB\xBF";
	size_t len;
	int got = read_line(csv, &len, err), n;

	if (got < 0)
		return -1;
	if (got == 0 || len == 0)
		return csv_error(csv, -1, err, "no header line");
	if (len >= 3 && memcmp(csv->text, mark, 3) == 0)
		memmove(csv->text, csv->text + 3, len -= 3);
	if (split_line(csv, len, &n, err))
		return -1;
	for (int i = 0; i < n; i++) {
		char *name = xstrndup(csv->fields[i].ptr, csv->fields[i].len);

		/* An unnamed column (the index some tools write) can be there, but not be asked for. */
		if (name[0] && csv_find(csv, name) >= 0) {
			csv_error(csv, -1, err, "column '%.*s' is there twice", SHOWN, name);
			free(name);
			return -1;
		}
		csv->names[csv->n_columns++] = name;
	}
	return 0;
}

int csv_read(FILE *file, const char *name, struct csv **ret, struct error *err)
{
	_cleanup_(cleanup_csv) struct csv *csv = xcalloc(1, sizeof(*csv));

	csv->path = xstrdup(name);
	csv->file = file;
	if (read_header(csv, err))
		return -1;
	*ret = steal_ptr(csv);
	return 0;
}

int csv_open(const char *path, struct csv **ret, struct error *err)
{
	FILE *file = fopen(path, "re");

	if (!file)
		return error_errno(err,
				   errno == ENOENT   ? ERR_NOT_FOUND
				   : errno == EACCES ? ERR_DENIED
						     : ERR_INTERNAL,
				   errno, "%s", path);
	return csv_read(file, path, ret, err);
}

void csv_free(struct csv *csv)
{
	if (!csv)
		return;
	for (int i = 0; i < csv->n_columns; i++)
		free(csv->names[i]);
	if (csv->file)
		(void)fclose(csv->file);
	free(csv->path);
	free(csv);
}

int csv_n_columns(const struct csv *csv)
{
	return csv->n_columns;
}

const char *csv_name(const struct csv *csv, int column)
{
	return csv->names[column];
}

int csv_find(const struct csv *csv, const char *name)
{
	for (int i = 0; i < csv->n_columns; i++)
		if (cstr_eq(csv->names[i], name))
			return i;
	return -1;
}

int csv_column(const struct csv *csv, const char *name, int *ret_column, struct error *err)
{
	char there[160] = "";
	int column = csv_find(csv, name);

	if (column >= 0) {
		*ret_column = column;
		return 0;
	}
	for (int i = 0; i < csv->n_columns; i++) {
		size_t len = strlen(there);

		(void)snprintf(there + len, sizeof(there) - len, "%s%s", i ? ", " : "", csv->names[i]);
	}
	return error_set(err, ERR_INVALID, "%s:1: no column '%.*s'; there are: %s", csv->path, SHOWN, name, there);
}

int csv_next(struct csv *csv, struct error *err)
{
	size_t len;
	int got, n;

	do {
		got = read_line(csv, &len, err);
		if (got <= 0)
			return got;
	} while (len == 0);
	if (split_line(csv, len, &n, err))
		return -1;
	if (n != csv->n_columns)
		return csv_error(csv, -1, err, "%d fields, the header has %d", n, csv->n_columns);
	return 1;
}

int64_t csv_line(const struct csv *csv)
{
	return csv->line;
}

double csv_read_fraction(const struct csv *csv)
{
	struct stat st;
	long at = ftell(csv->file);

	if (at < 0 || fstat(fileno(csv->file), &st) != 0 || st.st_size <= 0)
		return 0;
	return MIN((double)at / (double)st.st_size, 1.0);
}

struct str csv_field(const struct csv *csv, int column)
{
	return column < 0 ? STR("") : csv->fields[column];
}

int csv_number(const struct csv *csv, int column, double min, double max, double *ret, struct error *err)
{
	struct str s = csv_field(csv, column);
	double value;

	if (!str_to_double(s, &value) || !isfinite(value) || value < min || value > max)
		return csv_error(csv, column, err, "must be a number from %g to %g, is '%.*s'", min, max,
				 (int)MIN(s.len, SHOWN), s.ptr);
	*ret = value;
	return 0;
}

int csv_number_opt(const struct csv *csv, int column, double min, double max, double def, double *ret,
		   struct error *err)
{
	if (csv_field(csv, column).len)
		return csv_number(csv, column, min, max, ret, err);
	*ret = def;
	return 0;
}

int csv_i64(const struct csv *csv, int column, int64_t min, int64_t max, int64_t *ret, struct error *err)
{
	struct str s = csv_field(csv, column);

	if (!str_to_i64(s, min, max, ret))
		return csv_error(csv, column, err, "must be a whole number from %lld to %lld, is '%.*s'",
				 (long long)min, (long long)max, (int)MIN(s.len, SHOWN), s.ptr);
	return 0;
}

int csv_i64_opt(const struct csv *csv, int column, int64_t min, int64_t max, int64_t def, int64_t *ret,
		struct error *err)
{
	if (csv_field(csv, column).len)
		return csv_i64(csv, column, min, max, ret, err);
	*ret = def;
	return 0;
}

int csv_time(const struct csv *csv, int column, int64_t *ret_ms, struct error *err)
{
	struct str s = csv_field(csv, column);

	if (!time_parse(s, ret_ms))
		return csv_error(csv, column, err, "must be a time like 2023-02-09T07:00:00Z, is '%.*s'",
				 (int)MIN(s.len, SHOWN), s.ptr);
	return 0;
}

int csv_time_opt(const struct csv *csv, int column, int64_t def_ms, int64_t *ret_ms, struct error *err)
{
	if (csv_field(csv, column).len)
		return csv_time(csv, column, ret_ms, err);
	*ret_ms = def_ms;
	return 0;
}
