/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many rows of one INSERT as one PostgreSQL statement: each column is an array, and unnest() makes rows of them again.
 * A statement that inserts or updates refuses to meet a key twice, so rows go in sets without a repeated key, in their
 * order. Pure.
 */
#ifndef DB_ROWSET_H
#define DB_ROWSET_H

#include "db/db.h"

#define DB_ROWSET_MAX 1024 /* rows of a set */

/* Object ids of types, which never change (PostgreSQL's pg_type.dat). 0 = none. */
unsigned db_rowset_array_of(unsigned element);

/* How many rows from the first on have keys of their own: 1 to DB_ROWSET_MAX. The key: the first n_key values. */
size_t db_rowset_len(const struct db_value *values, size_t n_columns, size_t n_key, size_t n_rows);
/* "... VALUES ($1, $2) ..." to "... SELECT * FROM unnest($1, $2) ...". ERR_INTERNAL when it is no such statement. */
int db_rowset_sql(const char *sql, struct buf *out, struct error *err) must_check;
/*
 * Appends a column as a one-dimensional array in PostgreSQL's binary format. False when a value is of another type than
 * the elements.
 */
bool db_rowset_column(const struct db_value *values, size_t n_columns, size_t column, size_t n_rows, unsigned element,
		      struct buf *out);

#endif
