/* SPDX-License-Identifier: Apache-2.0 */
/* Choosing among the sources of a chain, and filling one from the others. */
#include "grid/chain.h"

static bool has_data(const struct grid_link *l)
{
	return l->track && l->track->s.issued_ms != TIME_NONE;
}

static bool is_fresh(const struct grid_link *l, int64_t now_ms)
{
	return l->track->max_age_ms == TIME_NONE || now_ms - l->track->s.issued_ms <= GRID_FRESH_MS;
}

/* Does the rule take it? */
static bool fits(const struct grid_link *l, enum grid_use use, int64_t now_ms)
{
	if (!has_data(l))
		return false;
	if (use == GRID_USE_TOO_OLD)
		return true;
	if (!grid_track_is_usable(l->track, now_ms) || l->provider->last_resort != (use == GRID_USE_LAST_RESORT))
		return false;
	return use != GRID_USE_FRESH || is_fresh(l, now_ms);
}

static int32_t confidence(const struct grid_link *l, int step, int64_t now_ms)
{
	int64_t c = l->provider->confidence_permille ? l->provider->confidence_permille : 1000;
	int64_t limit = l->track->max_age_ms, age = now_ms - l->track->s.issued_ms;

	for (int i = 0; i < step; i++)
		c = c * 9 / 10;
	if (limit != TIME_NONE && limit > GRID_FRESH_MS && age > GRID_FRESH_MS) {
		int64_t over = MIN(age, limit) - GRID_FRESH_MS;

		c -= c * over / (limit - GRID_FRESH_MS) / 2;
	}
	return (int32_t)CLAMP(c, GRID_CONFIDENCE_MIN, 1000);
}

void grid_chain_choose(const struct grid_link *links, int n, int64_t now_ms, struct grid_choice *ret)
{
	*ret = (struct grid_choice){ .use = GRID_USE_NOTHING, .link = -1 };
	for (enum grid_use use = GRID_USE_FRESH; use < GRID_USE_NOTHING; use++)
		for (int i = 0; i < n; i++)
			if (fits(&links[i], use, now_ms)) {
				ret->use = use;
				ret->link = i;
				if (grid_choice_is_usable(ret))
					ret->confidence_permille = confidence(&links[i], i, now_ms);
				return;
			}
}

bool grid_link_is_comparable(const struct grid_link *a, const struct grid_link *b)
{
	return a->metric == b->metric && memcmp(&a->basis, &b->basis, sizeof(a->basis)) == 0 &&
	       cstr_eq(a->currency, b->currency);
}

void grid_chain_series(const struct grid_link *links, int n, struct grid_choice *choice, struct grid_series *ret)
{
	const struct grid_link *chosen = &links[choice->link];

	*ret = chosen->track->s;
	choice->filled_by = 0;
	for (int i = 0; i < n; i++) {
		const struct grid_link *l = &links[i];
		bool filled = false;

		/* An issue beyond its age limit beside the chosen one would have been expired there: so here. */
		if (i == choice->link || !has_data(l) || l->provider->last_resort ||
		    !grid_link_is_comparable(chosen, l) ||
		    (l->track->max_age_ms != TIME_NONE &&
		     chosen->track->s.issued_ms - l->track->s.issued_ms > l->track->max_age_ms))
			continue;
		for (int k = 0; k < ret->n; k++) {
			int64_t at = ret->start_ms + k * SLOT_MS;
			int32_t value = ret->value[k] == GRID_UNKNOWN ? grid_series_at(&l->track->s, at) : GRID_UNKNOWN;
			int64_t j = (at - l->track->s.start_ms) / SLOT_MS;

			if (value == GRID_UNKNOWN)
				continue;
			ret->value[k] = value;
			ret->kind[k] = l->track->s.kind[j];
			ret->flags[k] = (uint8_t)(l->track->s.flags[j] | GRID_FLAG_FILLED);
			filled = true;
		}
		if (filled)
			choice->filled_by |= 1U << i;
	}
}
