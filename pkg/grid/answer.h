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
#define GRID_URL_MAX 1024
#define GRID_NOTE_MAX 1024
#define GRID_ANSWER_MAX_NOTES 8

enum grid_drop {
	GRID_DROP_MISSING,   /* null, or no value */
	GRID_DROP_TYPE,      /* not a number, not a time, not an object */
	GRID_DROP_ZONE,      /* a place we do not know */
	GRID_DROP_STEP,      /* a length that does not fit slots, or too little of one: under half of it known */
	GRID_DROP_SPAN,      /* outside what was asked for */
	GRID_DROP_RANGE,     /* beyond what is possible: see grid_answer_put() */
	GRID_DROP_DUPLICATE, /* the slot had a value already; the first one stays */
	GRID_DROP_OUTLIER,   /* possible, but far from all its neighbours */
	GRID_DROP_FLAT,      /* the same value for hours where nature does not stand still */
	GRID_DROP_DEAD,      /* a leg of the answer that carries nothing: price 0 with volume 0 */
	GRID_DROP_CLAMPED,   /* not dropped: negative carbon, kept as 0 */
	GRID_DROPS
};
const char *grid_drop_name(enum grid_drop d);

/*
 * What a provider found out that later requests need: the product on offer, a login's token, the address behind a
 * resource's name. Kept by the collector per provider; never logged, since it may be a secret.
 */
struct grid_note {
	char key[GRID_NAME_MAX];
	char value[GRID_NOTE_MAX];
	int64_t expires_ms; /* TIME_NONE = holds until a request that rests on it is refused */
};

/* Private: sums of a slot in the making. */
struct grid_part {
	struct grid_series *series;
	int slot;
	int64_t weighted_sum; /* value x ms */
	int64_t covered_ms;
	uint8_t begun[15];   /* a bit for each quarter of a minute in which a point began */
	enum grid_kind kind; /* the least trusted */
};

struct grid_answer {
	/* Span asked for: points outside are dropped. At most GRID_SERIES_MAX slots; set by grid_answer_init(). */
	int64_t from_ms, to_ms;
	int64_t issued_ms;
	VEC(struct grid_series *) series;
	VEC(struct grid_moment) moments;
	int points; /* accepted */
	int dropped[GRID_DROPS];
	char next[GRID_URL_MAX]; /* more of the same answer; "" = that was all */
	struct grid_note notes[GRID_ANSWER_MAX_NOTES];
	int n_notes;
	VEC(struct grid_part) parts; /* points shorter than a slot, until grid_answer_finish() */
};

void grid_answer_init(struct grid_answer *a, int64_t from_ms, int64_t to_ms, int64_t issued_ms);
void grid_answer_release(struct grid_answer *a);

/*
 * A point of another length than a slot. Longer: must begin and end on slot borders and counts for each slot, flagged
 * RESAMPLED. Shorter: must lie within one slot; grid_answer_finish() makes their time-weighted mean, flagged RESAMPLED,
 * and PARTIAL where only half of the slot or more is known; less is dropped.
 */
void grid_answer_put_span(struct grid_answer *a, enum grid_metric metric, const char *zone, int64_t ms,
			  int64_t duration_ms, int32_t value, enum grid_kind kind);
/*
 * After the last page: turns parts into slots, and drops what only the whole shows (outliers, and flat lines where
 * `flat` is not in the provider's nature). Called once by whoever called parse().
 */
void grid_answer_finish(struct grid_answer *a, bool flat);
/*
 * Whether the answer as a whole is believed; after grid_answer_finish(). parsed: what parse() returned, with its err.
 * -1 with ERR_INVALID, and nothing left in the answer, when most of it lies outside the span asked for while it gives
 * less than a tenth of that: a service that ignored our parameters. -1 too when parsed is, or when every point was
 * dropped. What an answer that is refused for another reason holds may be taken all the same.
 */
int grid_answer_accept(struct grid_answer *a, int parsed, struct error *err) must_check;
/* Replaces a note of the same key. False when it does not fit. */
bool grid_answer_note(struct grid_answer *a, const char *key, struct str value, int64_t expires_ms);
/* NULL when there is none. */
const char *grid_answer_noted(const struct grid_answer *a, const char *key);

/*
 * Adds the point of the slot that starts at ms, in the metric's unit. What is beyond the metric's bounds (answer.c:
 * carbon -50..1500 g/kWh, prices -5..10 per kWh, shares 0..1000 per mille, ...) is dropped; negative carbon becomes 0.
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
