/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a provider may be asked: its budget, its circuit breaker, and how long to wait after a failure. Plain data,
 *times and random numbers are passed in; times are domain times. Whoever owns one locks.
 *
 *	if (grid_budget_free_ms(&p->budget, now) <= now && grid_breaker_admits(&p->breaker, now)) {
 *		grid_budget_take(&p->budget, now);
 *		grid_breaker_asked(&p->breaker);
 *		...
 *		grid_breaker_answered(&p->breaker, good, now, jitter);
 *	}
 */
#ifndef GRID_SCHEDULE_H
#define GRID_SCHEDULE_H

#include "base/clock.h"

/* Longer budgets are scaled down to as many in a shorter time. */
#define GRID_BUDGET_MAX 64

/* Never more than `requests` in any `span_ms`: stricter than a bucket of tokens, which lets through twice as many. */
struct grid_budget {
	int requests;
	int64_t span_ms;
	int64_t at_ms[GRID_BUDGET_MAX]; /* the last ones, a ring; TIME_NONE = none yet */
	int next;
};

void grid_budget_init(struct grid_budget *b, int requests, int64_t span_ms);
/* When the next request may go: now or earlier means at once. A clock that was put back frees the budget. */
int64_t grid_budget_free_ms(const struct grid_budget *b, int64_t now_ms);
void grid_budget_take(struct grid_budget *b, int64_t now_ms);
/* Requests that could go at once. */
int grid_budget_left(const struct grid_budget *b, int64_t now_ms);

/* So many failures in a row, whatever was asked for, open the circuit. */
#define GRID_BREAKER_FAILURES 5
#define GRID_BREAKER_FIRST_MS MINUTE_MS
#define GRID_BREAKER_LAST_MS (15 * MINUTE_MS)

enum grid_circuit { GRID_CIRCUIT_CLOSED, GRID_CIRCUIT_HALF_OPEN, GRID_CIRCUIT_OPEN };
const char *grid_circuit_name(enum grid_circuit c);

/*
 * Closed: everything goes. Open: nothing goes until until_ms. Then half-open: one request goes as a probe; a good
 * answer closes the circuit, a failure opens it for twice as long, to at most GRID_BREAKER_LAST_MS. Zero is closed.
 */
struct grid_breaker {
	int failures; /* in a row */
	int opened;   /* times in a row; 0 = closed */
	int64_t until_ms;
	bool probing;
};

enum grid_circuit grid_breaker_state(const struct grid_breaker *b, int64_t now_ms);
bool grid_breaker_admits(const struct grid_breaker *b, int64_t now_ms);
/* A request went. */
void grid_breaker_asked(struct grid_breaker *b);
/* It ended; jitter in [0, 1) lengthens the wait by up to a fifth. True when this closed the circuit. */
bool grid_breaker_answered(struct grid_breaker *b, bool good, int64_t now_ms, double jitter);

enum grid_failure {
	GRID_NO_ANSWER,  /* no connection, a status that is none of 2xx */
	GRID_BAD_ANSWER, /* an answer that is not what was asked for, or empty */
};
#define GRID_BACKOFF_FIRST_MS (30 * SECOND_MS)
#define GRID_BACKOFF_LAST_MS (30 * MINUTE_MS)
#define GRID_NEGATIVE_MIN_MS MINUTE_MS
#define GRID_NEGATIVE_MAX_MS (5 * MINUTE_MS)

/*
 * How long one question is not asked again after so many failures in a row (1 = the first). No answer: anywhere up to a
 * delay that doubles from 30 s to 30 min (full jitter). Bad answer: 1 to 5 min at first, so that one slip is neither
 * kept for long nor asked for at once; from the fifth on like the other, but never under 1 min.
 */
int64_t grid_backoff_ms(enum grid_failure f, int failures, double jitter);

/* The first look at what was left out (providers.md 11, row 26); doubles until it meets the usual poll. */
#define GRID_HEAL_FIRST_MS (10 * MINUTE_MS)
/* When a question whose answers have holes is asked again, after so many answers with holes in a row; at most due_ms.
 */
int64_t grid_heal_ms(int tries, int64_t now_ms, int64_t due_ms);

#endif
