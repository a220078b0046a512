/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A series of integers as few bytes: forecast_vintage.packed. First the greatest common divisor of all known values,
 * then for each value 0 when it is unknown, else 1 + the zigzag of its difference to the known one before it (the
 * first: to 0) in units of that divisor. Each number is an unsigned LEB128. A series of whole grams in milligrams whose
 * steps are under 63 g takes a byte a value. How many values there are is kept beside it (n_values). Pure; thread: any.
 */
#ifndef DB_PACK_H
#define DB_PACK_H

#include "base/buf.h"

/* A value that is not known. */
#define DB_UNKNOWN INT32_MIN
/* Two weeks of five minutes. */
#define DB_PACK_MAX_VALUES 4096
#define DB_PACK_MAX_BYTES (5 * (DB_PACK_MAX_VALUES + 1))

/* Appends. n <= DB_PACK_MAX_VALUES; out with room for 5 * (n + 1) bytes cannot overflow. Returns how many are known. */
size_t db_pack(const int32_t *values, size_t n, struct buf *out);
/* ERR_INVALID when it is not exactly n values; then `values` holds nothing of use. */
int db_unpack(struct str packed, int32_t *values, size_t n, struct error *err) must_check;

#endif
