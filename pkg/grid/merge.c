/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the best that is known of a series while answers come, good and bad. */
#include "grid/merge.h"

static const char *const verdict_names[] = { "merged", "merged-partly", "older", "nothing" };

const char *grid_verdict_name(enum grid_verdict v)
{
	return verdict_names[v];
}

bool grid_metric_is_price(enum grid_metric m)
{
	return m == GRID_PRICE || m == GRID_WHOLESALE || m == GRID_SYSTEM_PRICE || m == GRID_FLEX_PRICE ||
	       m == GRID_RESPONSE_PRICE;
}

static int64_t default_age_ms(enum grid_metric m)
{
	if (grid_metric_is_price(m))
		return TIME_NONE;
	return m == GRID_CARBON || m == GRID_RENEWABLE || m == GRID_LOW_CARBON ? GRID_MAX_AGE_MS : GRID_MAX_AGE_SLOW_MS;
}

void grid_track_init(struct grid_track *t, enum grid_metric metric, const char *zone)
{
	*t = (struct grid_track){ .fetched_ms = TIME_NONE, .max_age_ms = default_age_ms(metric) };
	t->s.metric = metric;
	t->s.issued_ms = TIME_NONE;
	(void)str_copy(t->s.zone, sizeof(t->s.zone), str_from(zone));
}

static void shift(struct grid_track *t, int by)
{
	int left = t->s.n - by;

	memmove(t->s.value, t->s.value + by, (size_t)left * sizeof(t->s.value[0]));
	memmove(t->s.kind, t->s.kind + by, (size_t)left * sizeof(t->s.kind[0]));
	memmove(t->s.flags, t->s.flags + by, (size_t)left * sizeof(t->s.flags[0]));
	memmove(t->issued_ms, t->issued_ms + by, (size_t)left * sizeof(t->issued_ms[0]));
	for (int i = left; i < t->s.n; i++)
		t->s.value[i] = GRID_UNKNOWN;
}

void grid_track_advance(struct grid_track *t, int64_t now_ms)
{
	int64_t start = time_slot_floor(now_ms, SLOT_MS) - GRID_PAST_SLOTS * SLOT_MS;
	int64_t by = (start - t->s.start_ms) / SLOT_MS;

	if (t->s.n == GRID_SERIES_MAX && by <= 0)
		return; /* a clock that stepped back loses nothing */
	if (t->s.n == GRID_SERIES_MAX && by < GRID_SERIES_MAX) {
		shift(t, (int)by);
	} else {
		t->s.n = GRID_SERIES_MAX;
		for (int i = 0; i < t->s.n; i++)
			t->s.value[i] = GRID_UNKNOWN;
	}
	t->s.start_ms = start;
}

static bool may_replace(const struct grid_track *t, int i, const struct grid_series *answer, int j, bool past)
{
	if (t->s.value[i] == GRID_UNKNOWN)
		return true;
	if (past && answer->kind[j] != t->s.kind[i])
		return answer->kind[j] < t->s.kind[i];
	return answer->issued_ms >= t->issued_ms[i];
}

/* Values that newer issues have left out for too long. */
static int expire(struct grid_track *t, int64_t now_ms)
{
	int changed = 0;

	for (int i = 0; i < t->s.n; i++)
		if (t->s.value[i] != GRID_UNKNOWN && t->s.start_ms + (i + 1) * SLOT_MS > now_ms &&
		    t->issued_ms[i] < t->s.issued_ms - t->max_age_ms) {
			t->s.value[i] = GRID_UNKNOWN;
			changed++;
		}
	return changed;
}

enum grid_verdict grid_track_merge(struct grid_track *t, const struct grid_series *answer, int64_t now_ms,
				   int64_t fetched_ms, int *ret_changed)
{
	bool older = t->s.issued_ms != TIME_NONE && answer->issued_ms < t->s.issued_ms;
	int taken = 0, missed = 0, changed = 0, future = 0;

	grid_track_advance(t, now_ms);
	for (int i = 0; i < t->s.n; i++) {
		int64_t ms = t->s.start_ms + i * SLOT_MS;
		int32_t value = grid_series_at(answer, ms);
		bool past = ms + SLOT_MS <= now_ms;
		int j;

		if (value == GRID_UNKNOWN) {
			missed += !past && t->s.value[i] != GRID_UNKNOWN && ms >= answer->start_ms &&
				  ms < answer->start_ms + answer->n * SLOT_MS;
			continue;
		}
		j = (int)((ms - answer->start_ms) / SLOT_MS);
		taken++;
		future += !past;
		if (!may_replace(t, i, answer, j, past))
			continue;
		changed += t->s.value[i] != value || t->s.kind[i] != answer->kind[j];
		t->s.value[i] = value;
		t->s.kind[i] = answer->kind[j];
		t->s.flags[i] = answer->flags[j];
		t->issued_ms[i] = answer->issued_ms;
	}
	/* The past alone makes a forecast no newer. */
	t->ahead |= future > 0;
	if (taken && !older && (future || !t->ahead)) {
		t->s.issued_ms = answer->issued_ms;
		t->fetched_ms = fetched_ms;
	}
	if (t->max_age_ms != TIME_NONE && t->s.issued_ms != TIME_NONE)
		changed += expire(t, now_ms);
	*ret_changed = changed;
	if (!taken)
		return GRID_NOTHING;
	if (older)
		return GRID_OLDER;
	return missed ? GRID_MERGED_PARTLY : GRID_MERGED;
}

bool grid_track_is_usable(const struct grid_track *t, int64_t now_ms)
{
	if (t->s.issued_ms == TIME_NONE || grid_series_horizon_ms(&t->s, now_ms) == TIME_NONE)
		return false;
	return t->max_age_ms == TIME_NONE || now_ms - t->s.issued_ms <= t->max_age_ms;
}

int grid_track_gaps(const struct grid_track *t, int64_t from_ms)
{
	int gaps = 0, unknown = 0;
	bool begun = false;

	for (int i = MAX((int)((from_ms - t->s.start_ms) / SLOT_MS), 0); i < t->s.n; i++) {
		if (t->s.value[i] == GRID_UNKNOWN) {
			unknown++;
			continue;
		}
		gaps += begun ? unknown : 0;
		begun = true;
		unknown = 0;
	}
	return gaps;
}
