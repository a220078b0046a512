/* SPDX-License-Identifier: Apache-2.0 */
/* The strict scanner behind json_parse() and json_raw_at(): what JSON is, is decided there and nowhere else. */
#ifndef JSON_INTERNAL_H
#define JSON_INTERNAL_H

#include "json/json.h"

/* Values left out of one text at most; what comes after them stays. */
#define JSON_MAX_CUTS 4

struct json_scan {
	const unsigned char *start;
	const unsigned char *p;
	const unsigned char *end;
	bool nul;  /* a string holds \u0000 */
	bool deep; /* something is nested deeper than JSON_MAX_DEPTH */
	/* Values of members of this name are noted by json_scan_value(); STR_NULL = none. */
	struct str unwanted;
	struct str cuts[JSON_MAX_CUTS];
	size_t n_cuts;
};

void json_scan_init(struct json_scan *s, struct str text);
/* ERR_INVALID "not JSON at byte <n>: <what>". */
int json_scan_fail(const struct json_scan *s, struct error *err, const char *what);
void json_scan_blank(struct json_scan *s);
/* Skips one value; `depth` containers are open around it. Leading blanks are skipped, trailing ones are not. */
int json_scan_value(struct json_scan *s, int depth, struct error *err) must_check;
/* Skips a string, its opening quote first; *ret_raw is what stands between the quotes. */
int json_scan_string(struct json_scan *s, struct str *ret_raw, struct error *err) must_check;
/* Skips blanks and the character c. */
int json_scan_expect(struct json_scan *s, char c, struct error *err) must_check;
/* Whether a scanned string (between its quotes, escapes undecoded) means `text`. */
bool json_scan_is(struct str raw, struct str text);

#endif
