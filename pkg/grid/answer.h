/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a provider's answers add up to: series filled point by point by a parser. Every point is checked here, once for
 * all providers; a bad one is dropped and counted by reason, the others stay. An answer spans one request and the pages
 * that follow it. One thread at a time.
 */
#ifndef GRID_ANSWER_H
#define GRID_ANSWER_H

#include "base/error.h"
#include "base/vec.h"
#include "grid/sample.h"

/* 18 regions with two metrics each, and room for more. */
#define GRID_ANSWER_MAX_SERIES 64
#define GRID_ANSWER_MAX_MOMENTS 64
#define GRID_URL_MAX 512

enum grid_drop {
	GRID_DROP_MISSING,   /* null, or no value */
	GRID_DROP_TYPE,      /* not a number, not a time, not an object */
	GRID_DROP_ZONE,      /* a place we do not know */
	GRID_DROP_STEP,      /* not on a slot border, or of another length */
	GRID_DROP_SPAN,      /* outside what was asked for */
	GRID_DROP_RANGE,     /* beyond what is possible: see grid_answer_put() */
	GRID_DROP_DUPLICATE, /* the slot had a value already; the first one stays */
	GRID_DROP_CLAMPED,   /* not dropped: negative carbon, kept as 0 */
	GRID_DROPS
};
const char *grid_drop_name(enum grid_drop d);

struct grid_answer {
	/* Span asked for: points outside are dropped. At most GRID_SERIES_MAX slots; set by grid_answer_init(). */
	int64_t from_ms, to_ms;
	int64_t issued_ms;
	VEC(struct grid_series *) series;
	VEC(struct grid_moment) moments;
	int points; /* accepted */
	int dropped[GRID_DROPS];
	char next[GRID_URL_MAX];     /* more of the same answer; "" = that was all */
	char product[GRID_NAME_MAX]; /* discovery: the product to use; "" = this was no discovery, or there is none */
	int64_t product_since_ms;
};

void grid_answer_init(struct grid_answer *a, int64_t from_ms, int64_t to_ms, int64_t issued_ms);
void grid_answer_release(struct grid_answer *a);

/*
 * Adds the point of the slot that starts at ms, in the metric's unit. Carbon outside -50..1500 g/kWh, prices outside
 * -5..10 per kWh and shares outside 0..1000 per mille are dropped; negative carbon becomes 0.
 */
void grid_answer_put(struct grid_answer *a, enum grid_metric metric, const char *zone, int64_t ms, int32_t value,
		     enum grid_kind kind);
/* NULL when there is none yet. */
struct grid_series *grid_answer_series(const struct grid_answer *a, enum grid_metric metric, const char *zone);
/* A new moment to fill, or NULL when there are too many. */
struct grid_moment *grid_answer_moment(struct grid_answer *a, const char *zone, int64_t start_ms);
static inline void grid_answer_drop(struct grid_answer *a, enum grid_drop reason)
{
	a->dropped[reason]++;
}

#endif
