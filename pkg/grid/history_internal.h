/* SPDX-License-Identifier: Apache-2.0 */
/* Rows on their way to the database, and which table and columns each metric has; shared by the history_*.c files. */
#ifndef GRID_HISTORY_INTERNAL_H
#define GRID_HISTORY_INTERNAL_H

#include "base/map.h"
#include "base/vec.h"
#include "db/table.h"
#include "grid/history.h"

/* Where a metric is kept. */
struct history_column {
	const struct db_table *table;
	const char *name;   /* of the value's column */
	const char *filter; /* column that says which of the table's series it is; NULL = none */
	const char *is;     /* its value */
	int32_t factor;     /* column = value x factor */
};
const struct history_column *history_column(enum grid_metric m);

/* Names that were looked up in the database: "provider/zone" -> zone's id, source -> its id. */
struct history_ids {
	struct map zones, sources;
	bool ready;
};
void history_ids_release(struct history_ids *ids);

struct history_sample {
	struct grid_sample s; /* provider is the table's, zone is `zone` */
	char zone[GRID_NAME_MAX];
};

struct history_mix {
	const char *provider;
	char zone[GRID_NAME_MAX];
	char fuel[24];
	int64_t start_ms, fetched_ms;
	int32_t permille;
};

struct history_vintage {
	const char *provider;
	char zone[GRID_NAME_MAX];
	enum grid_metric metric;
	struct grid_basis basis;
	int quantile_permille;
	int64_t issued_ms, fetched_ms, start_ms;
	int n, n_known;
	struct buf packed;
};

struct history_call {
	const char *provider;
	char request[2 * GRID_NAME_MAX];
	char result[32];
	char reason[256];
	int64_t at_ms, duration_ms, bytes;
	int http_status;
};

struct history_rows {
	VEC(struct history_sample) samples;
	VEC(struct history_mix) mix;
	VEC(struct history_vintage) vintages;
	VEC(struct history_call) calls;
};

size_t history_rows_count(const struct history_rows *r);
void history_rows_release(struct history_rows *r);
/* Each copies what it keeps; a provider that is not in the table, or a value that is not known, adds nothing. */
void history_rows_add_sample(struct history_rows *r, const struct grid_sample *s);
void history_rows_add_mix(struct history_rows *r, const struct grid_provider *p, const struct grid_moment *m, int fuel,
			  int64_t fetched_ms);
void history_rows_add_vintage(struct history_rows *r, const struct grid_provider *p, const struct grid_series *s,
			      const struct grid_basis *basis, int64_t fetched_ms);
/* The provider's name is borrowed; step_ms must be SLOT_MS. */
void history_rows_add_own(struct history_rows *r, const char *zone, enum grid_metric metric,
			  const struct grid_vintage *v);
void history_rows_add_call(struct history_rows *r, const struct grid_attempt *a);
/* All of them, in the open transaction. */
int history_rows_write(struct db *db, const struct history_rows *r, struct history_ids *ids, struct error *err);

#endif
