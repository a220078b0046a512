/* SPDX-License-Identifier: Apache-2.0 */
/* Budgets, circuit breakers and delays: arithmetic only. */
#include "grid/schedule.h"

#include "base/cleanup.h"

static const char *const circuit_names[] = { "closed", "half-open", "open" };

const char *grid_circuit_name(enum grid_circuit c)
{
	return circuit_names[c];
}

void grid_budget_init(struct grid_budget *b, int requests, int64_t span_ms)
{
	*b = (struct grid_budget){ .requests = CLAMP(requests, 1, GRID_BUDGET_MAX), .span_ms = span_ms };
	if (requests > GRID_BUDGET_MAX)
		b->span_ms = span_ms * GRID_BUDGET_MAX / requests;
	for (int i = 0; i < GRID_BUDGET_MAX; i++)
		b->at_ms[i] = TIME_NONE;
}

static bool counts(const struct grid_budget *b, int i, int64_t now_ms)
{
	return b->at_ms[i] != TIME_NONE && b->at_ms[i] <= now_ms && now_ms - b->at_ms[i] < b->span_ms;
}

int64_t grid_budget_free_ms(const struct grid_budget *b, int64_t now_ms)
{
	/* The place that the next request takes is that of the oldest. */
	return counts(b, b->next, now_ms) ? b->at_ms[b->next] + b->span_ms : now_ms;
}

void grid_budget_take(struct grid_budget *b, int64_t now_ms)
{
	b->at_ms[b->next] = now_ms;
	b->next = (b->next + 1) % b->requests;
}

int grid_budget_left(const struct grid_budget *b, int64_t now_ms)
{
	int left = 0;

	for (int i = 0; i < b->requests; i++)
		left += !counts(b, i, now_ms);
	return left;
}

enum grid_circuit grid_breaker_state(const struct grid_breaker *b, int64_t now_ms)
{
	if (b->opened == 0)
		return GRID_CIRCUIT_CLOSED;
	return b->probing || now_ms >= b->until_ms ? GRID_CIRCUIT_HALF_OPEN : GRID_CIRCUIT_OPEN;
}

bool grid_breaker_admits(const struct grid_breaker *b, int64_t now_ms)
{
	return b->opened == 0 || (!b->probing && now_ms >= b->until_ms);
}

void grid_breaker_asked(struct grid_breaker *b)
{
	b->probing = b->opened > 0;
}

static void open(struct grid_breaker *b, int64_t now_ms, double jitter)
{
	int64_t wait = GRID_BREAKER_FIRST_MS;

	for (int i = 0; i < b->opened && wait < GRID_BREAKER_LAST_MS; i++)
		wait *= 2;
	wait = MIN(wait, GRID_BREAKER_LAST_MS);
	b->until_ms = now_ms + wait + (int64_t)(jitter * (double)wait / 5);
	b->opened++;
}

bool grid_breaker_answered(struct grid_breaker *b, bool good, int64_t now_ms, double jitter)
{
	bool was_open = b->opened > 0, probe = b->probing;

	if (good) {
		*b = (struct grid_breaker){ 0 };
		return was_open;
	}
	b->probing = false;
	if (b->failures < GRID_BREAKER_FAILURES)
		b->failures++;
	/* Answers to what was asked before it opened change nothing. */
	if (probe || (!was_open && b->failures == GRID_BREAKER_FAILURES))
		open(b, now_ms, jitter);
	return false;
}

int64_t grid_backoff_ms(enum grid_failure f, int failures, double jitter)
{
	int64_t cap = GRID_BACKOFF_FIRST_MS;

	if (f == GRID_BAD_ANSWER && failures < 5)
		return GRID_NEGATIVE_MIN_MS + (int64_t)(jitter * (double)(GRID_NEGATIVE_MAX_MS - GRID_NEGATIVE_MIN_MS));
	for (int i = 1; i < failures && cap < GRID_BACKOFF_LAST_MS; i++)
		cap *= 2;
	cap = (int64_t)(jitter * (double)MIN(cap, GRID_BACKOFF_LAST_MS)) + 1;
	return f == GRID_BAD_ANSWER ? MAX(cap, GRID_NEGATIVE_MIN_MS) : cap;
}

int64_t grid_heal_ms(int tries, int64_t now_ms, int64_t due_ms)
{
	int64_t wait = GRID_HEAL_FIRST_MS;

	for (int i = 1; i < tries && now_ms + wait < due_ms; i++)
		wait *= 2;
	return MIN(now_ms + wait, due_ms);
}
