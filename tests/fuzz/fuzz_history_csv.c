/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CSV of any shape: the first byte chooses it. Checked besides crashes: a sample has a known provider, a value and a
 * length, and what is written as an export is read back as it was.
 */
#include "base/alloc.h"
#include "grid/history_csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct history_csv *open_csv(const char *text, size_t len, const struct history_shape *shape, struct csv **ret)
{
	FILE *f = len ? fmemopen((void *)text, len, "r") : NULL;
	struct error err = ERROR_INIT;
	struct history_csv *h = NULL;

	if (!f || csv_read(f, "fuzz", ret, &err) || history_csv_new(*ret, shape, "C", 0, &h, &err))
		return NULL;
	return h;
}

static void check(bool ok, const char *what)
{
	if (!ok) {
		(void)fprintf(stderr, "%s\n", what);
		abort();
	}
}

static bool is_same(const struct grid_basis *a, const struct grid_basis *b)
{
	return cstr_eq(a->accounting, b->accounting) && cstr_eq(a->scope, b->scope) &&
	       cstr_eq(a->boundary, b->boundary) && cstr_eq(a->resolution, b->resolution);
}

static void there_and_back(const struct grid_sample *s)
{
	_cleanup_(cleanup_csv) struct csv *csv = NULL;
	_cleanup_(cleanup_history_csv) struct history_csv *h = NULL;
	struct error err = ERROR_INIT;
	struct grid_sample again;
	_cleanup_free_ char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	history_csv_header(f);
	history_csv_write(f, s);
	(void)fclose(f);
	h = open_csv(text, len, NULL, &csv);
	check(h && history_csv_next(h, &again, &err) == 1, "an export is not read");
	check(again.metric == s->metric && again.value == s->value && again.start_ms == s->start_ms &&
		      again.duration_ms == s->duration_ms && again.kind == s->kind && cstr_eq(again.zone, s->zone) &&
		      again.issued_ms == s->issued_ms && is_same(&again.basis, &s->basis),
	      "an export is read as something else");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(cleanup_csv) struct csv *csv = NULL;
	_cleanup_(cleanup_history_csv) struct history_csv *h = NULL;
	struct error err = ERROR_INIT;
	struct grid_sample s;
	size_t n = 0;

	if (size < 2)
		return 0;
	while (history_shapes[n].name)
		n++;
	n = data[0] % (n + 1);
	h = open_csv((const char *)data + 1, size - 1, history_shapes[n].name ? &history_shapes[n] : NULL, &csv);
	while (h && history_csv_next(h, &s, &err) > 0) {
		check(grid_provider_find(s.provider) && s.value != GRID_UNKNOWN && s.duration_ms > 0, "a bad sample");
		if (s.start_ms >= 0 && s.issued_ms >= 0)
			there_and_back(&s);
	}
	return 0;
}
