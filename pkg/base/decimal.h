/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fixed-point decimals: an int64 and a number of decimal places (0 to 12) that the caller knows: 3 for milli, 6 for
 * micro. Money and energy are never kept in floating point once written down. Pure; thread: any.
 */
#ifndef BASE_DECIMAL_H
#define BASE_DECIMAL_H

#include "base/cleanup.h"
#include "base/str.h"

#define DECIMAL_TEXT 32

/*
 * "-12.5" with scale 3 is -12500. At most `scale` digits behind the point (more are refused unless they are zeros), no
 * exponent, no blanks, no overflow. False leaves *ret untouched.
 */
bool decimal_parse(struct str s, int scale, int64_t *ret);
/* Shortest exact text: -12500 with scale 3 is "-12.5"; 3000 is "3". Returns out. */
char *decimal_format(int64_t value, int scale, char out[DECIMAL_TEXT]);
/* The same for writers of rows: returns the text's end (its NUL). */
char *decimal_put(char at[DECIMAL_TEXT], int64_t value, int scale);
/* Exactly `places` digits behind the point (<= scale), rounded half away from zero: for tables. Returns out. */
char *decimal_format_fixed(int64_t value, int scale, int places, char out[DECIMAL_TEXT]);
/* Nearest integer of value * 10^scale, half away from zero, saturating at the int64 limits; NaN gives 0. */
int64_t decimal_from_double(double value, int scale);
/* a * b / c in 128 bits, rounded half away from zero, saturating. c != 0. */
int64_t i64_mul_div(int64_t a, int64_t b, int64_t c);

#endif
