/* SPDX-License-Identifier: Apache-2.0 */
/*
 * String view: a length and a pointer to memory that somebody else owns, not NUL-terminated. Passed by value.
 * STR_NULL (ptr NULL) means absent, which is not the same as empty. Thread: any; pure.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *ptr;
	size_t len;
};

#define STR(literal) ((struct str){ "" literal, sizeof(literal) - 1 })
#define STR_NULL ((struct str){ NULL, 0 })
/* For printf: ("%.*s", STR_FMT(s)) */
#define STR_FMT(s) (int)(s).len, (s).ptr ? (s).ptr : ""

static inline struct str str_from(const char *s)
{
	return s ? (struct str){ s, strlen(s) } : STR_NULL;
}

static inline struct str str_of(const char *ptr, size_t len)
{
	return (struct str){ ptr, len };
}

static inline bool str_eq(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool str_is(struct str a, const char *s)
{
	return str_eq(a, str_from(s));
}

static inline bool str_empty(struct str s)
{
	return s.len == 0;
}

/* NULL-safe equality of two C strings; NULL equals only NULL. */
static inline bool cstr_eq(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

bool str_has_prefix(struct str s, struct str prefix);
bool str_has_suffix(struct str s, struct str suffix);
int str_cmp(struct str a, struct str b);
/* Without leading and trailing blanks, tabs, CR and LF. */
struct str str_trim(struct str s);
/*
 * Takes the part before the first `sep` off the front of *rest; without a `sep` it takes all. False once *rest is
 * STR_NULL, so that `while (str_split(&rest, ',', &part))` visits every part, the empty ones too.
 */
bool str_split(struct str *rest, char sep, struct str *ret_part);
/* Whole view must be a decimal number in [min, max]. False leaves *ret untouched. */
bool str_to_i64(struct str s, int64_t min, int64_t max, int64_t *ret);
/* Whole view must be a finite decimal or exponent number; the C locale's point whatever the process's locale. */
bool str_to_double(struct str s, double *ret);
/* Well-formed UTF-8 (no overlongs, no surrogates, at most U+10FFFF). */
bool str_is_utf8(struct str s);
/* RFC 1123 label or subdomain, as Kubernetes names are: lower-case letters, digits, '-' and '.', at most 253. */
bool str_is_dns_name(struct str s);
/* Copies at most cap-1 bytes and terminates; true when all of it fitted. */
bool str_copy(char *dst, size_t cap, struct str s);
/* 64-bit FNV-1a: stable over time and machines, for spreading and change detection. Not for hash tables. */
uint64_t str_fnv1a(struct str s);

#endif
